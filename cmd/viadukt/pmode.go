package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/pmode"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/agreements"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

var pmodeCommand = &command{
	name: "pmode", summary: "takes over agreements from other access points, shows what differs, and writes what a partner needs.",
	help:    "Files of Domibus 4 and 5 and of Holodeck B2B are taken as they are.",
	example: "viadukt pmode import domibus-pmode.xml --policy policies/ --certificates certificates/",
	sub: []*command{
		{name: "import", summary: "turns P-Mode files of Domibus or Holodeck into partners and P-Modes of this node.", args: "FILE ...",
			help: `What would change is shown first, then written to the file that the configuration includes (pmodes.yaml). The
configuration itself is not touched, and a running node takes the new file with "viadukt pmode reload" or the signal HUP.
Certificates are not in such files: give them with --certificates, one PEM or DER file for each alias.`,
			example: "viadukt pmode import domibus-pmode.xml --certificates exported/ --dry-run", prepare: prepareImport},
		{name: "diff", summary: "shows what importing files would change, and changes nothing.", args: "FILE ...",
			example: "viadukt pmode diff domibus-pmode.xml --policy policies/", prepare: prepareDiff},
		{name: "list", summary: "lists partners and P-Modes of the configuration.", example: "viadukt pmode list --config ee/viadukt.yaml", prepare: preparePModeList},
		{name: "export", summary: "writes what is agreed with a partner: as its own Domibus file, or as an agreement for people.",
			example: "viadukt pmode export --partner lighthouse --format text", prepare: prepareExport},
		{name: "reload", summary: "lets a running node read its partners and P-Modes again.",
			help: "A file that is wrong changes nothing: the node keeps what it has. The token needs the scope admin.", example: "viadukt pmode reload", prepare: prepareReload},
	},
}

// importer is one import: its flags, and what came of it.
type importer struct {
	c                                  *call
	config, policy, certificates, into *string
	add                                *bool
}

func newImporter(c *call) *importer {
	c.jsonFlag()
	c.least, c.most = 1, -1
	return &importer{
		c: c, config: c.configFlag(), policy: c.String("policy", "", "`folder` with the WS-SecurityPolicy files that a Domibus file names; those that come with Domibus are known without"),
		certificates: c.String("certificates", "", "`folder` with the partners' certificates, as ALIAS.pem, .crt, .cer or .der"),
		into:         c.String("into", "", "`file` that is written; default: the first of pmodeFiles, or pmodes.yaml beside the configuration"),
		add:          c.Bool("add", false, "keep what the file holds already and the import does not name"),
	}
}

// problemJSON is a problem of a P-Mode file.
type problemJSON struct {
	File  string `json:"file"`
	Line  int    `json:"line,omitempty"`
	Where string `json:"where,omitempty"`
	Rule  string `json:"rule"`
	Text  string `json:"text"`
}

// importJSON is the report of an import.
type importJSON struct {
	Files     []string            `json:"files"`
	OK        bool                `json:"ok"`
	Format    string              `json:"format,omitempty"`
	Party     string              `json:"party,omitempty"`
	Partners  int                 `json:"partners"`
	PModes    int                 `json:"pmodes"`
	Problems  []problemJSON       `json:"problems,omitempty"`
	Warnings  []problemJSON       `json:"warnings,omitempty"`
	NotKept   map[string][]string `json:"notKept,omitempty"`   // by what is lost, the P-Modes
	NotServed map[string][]string `json:"notServed,omitempty"` // by the reason, the P-Modes
	Changes   []pmode.Change      `json:"changes"`
	Needs     []agreements.Need   `json:"needs,omitempty"`
	Written   string              `json:"written,omitempty"`
}

func prepareImport(c *call) func() error {
	i := newImporter(c)
	dry := c.Bool("dry-run", false, "show what would change and write nothing")
	return func() error { return i.run(!*dry) }
}

func prepareDiff(c *call) func() error {
	i := newImporter(c)
	return func() error { return i.run(false) }
}

func (i *importer) run(write bool) error {
	c := i.c
	cfg, err := c.loadConfig(*i.config)
	if err != nil {
		return err
	}
	party, _, err := node.Own(cfg)
	if err != nil {
		return err
	}
	report := &importJSON{}
	var files []agreements.Source
	for _, name := range c.values {
		b, err := os.ReadFile(name)
		if err != nil {
			return &exit{status: statusUsage, Code: "NO_FILE", Text: err.Error()}
		}
		report.Files, files = append(report.Files, name), append(files, agreements.Source{Name: name, Octets: b})
	}
	in := &agreements.Import{Config: cfg, Party: party, Policy: i.policyFile, Certificates: i.certificate, Into: *i.into, Add: *i.add}
	err = in.Plan(files...)
	report.Warnings = problemsJSON(in.Warnings)
	var ps pmode.Problems
	switch {
	case errors.As(err, &ps):
		report.Problems = problemsJSON(ps)
		return i.refused(report)
	case errors.Is(err, agreements.ErrParties):
		return &exit{status: statusInvalid, Code: "PMODE", Text: err.Error(), Remedy: "import the files of one party alone"}
	case errors.Is(err, agreements.ErrTwice):
		return &exit{status: statusUsage, Code: "TWICE", Text: err.Error(), Remedy: "remove it there, or rename it"}
	case err != nil:
		return err
	}
	report.OK, report.Format, report.Party = true, in.Set.Format, in.Set.Own.Name
	report.Changes, report.Partners, report.PModes, report.Needs = in.Changes, len(in.File.Partners), len(in.File.PModes), in.File.Needs
	report.NotKept, report.NotServed = map[string][]string{}, map[string][]string{}
	for _, m := range in.Set.Modes {
		for _, l := range m.Lost {
			report.NotKept[l] = append(report.NotKept[l], m.ID)
		}
		for _, u := range m.Unusable {
			report.NotServed[u] = append(report.NotServed[u], m.ID)
		}
	}
	if write {
		if err := in.Write(); err != nil {
			return err
		}
		report.Written = in.Target()
	}
	return i.tell(report)
}

func problemsJSON(ps pmode.Problems) (out []problemJSON) {
	for _, p := range ps {
		out = append(out, problemJSON{p.File, p.Line, p.Where, string(p.Rule), p.Text})
	}
	return out
}

// policyFile looks for a policy in the folder alone, whatever a P-Mode file calls it.
func (i *importer) policyFile(name string) []byte {
	if *i.policy == "" || name != filepath.Base(name) {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(*i.policy, name))
	if err != nil {
		return nil // known by its name, or warned of
	}
	return b
}

// certificate finds the certificates of a partner in the folder that was given.
func (i *importer) certificate(partner string) []*pki.Certificate {
	if *i.certificates == "" {
		return nil
	}
	entries, _ := os.ReadDir(*i.certificates) // an unreadable folder has none: the need is told
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if !strings.EqualFold(strings.TrimSuffix(e.Name(), ext), partner) || !slices.Contains([]string{".pem", ".crt", ".cer", ".der"}, strings.ToLower(ext)) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(*i.certificates, e.Name()))
		if err != nil {
			continue
		}
		if certs, err := pki.ParsePEMCertificates(b); err == nil && len(certs) > 0 {
			return certs
		}
		if c, err := pki.ParseCertificate(b); err == nil {
			return []*pki.Certificate{c}
		}
	}
	return nil
}

// refusal ends the program with status 1 when everything was said.
var refusal = &exit{status: statusInvalid, silent: true}

func (i *importer) refused(r *importJSON) error {
	if i.c.json {
		r.Changes = []pmode.Change{}
		i.c.print(r)
		return refusal
	}
	paint := i.c.p.paint(i.c.p.out)
	for _, p := range r.Problems {
		i.c.printf("  %s %s\n", paint.bad("✗"), p)
	}
	i.c.printf("%s: refused, nothing is changed\n", strings.Join(r.Files, ", "))
	return refusal
}

func (p problemJSON) String() string {
	return (&pmode.Problem{File: p.File, Line: p.Line, Where: p.Where, Rule: pmode.Rule(p.Rule), Text: p.Text}).Error()
}

func (i *importer) tell(r *importJSON) error {
	c := i.c
	if c.json {
		if r.Changes == nil {
			r.Changes = []pmode.Change{}
		}
		return c.print(r)
	}
	paint := c.p.paint(c.p.out)
	kind := map[string]string{"domibus": "P-Modes of Domibus", "holodeck": "P-Modes of Holodeck"}[r.Format]
	c.printf("%s: %s, for the party %s: %s, %s\n", strings.Join(r.Files, ", "), kind, r.Party, count(r.Partners, "partner"), count(r.PModes, "P-Mode"))
	for _, p := range r.Warnings {
		c.printf("  %s %s\n", paint.warn("!"), p)
	}
	for _, l := range sorted(r.NotKept) {
		c.printf("  %s not kept: %s %s\n", paint.warn("!"), l, paint.dim("("+some(r.NotKept[l])+")"))
	}
	for _, u := range sorted(r.NotServed) {
		c.printf("  %s not served: %s %s\n", paint.bad("✗"), u, paint.dim("("+some(r.NotServed[u])+")"))
	}
	if len(r.Changes) == 0 {
		c.printf("Nothing changes.\n")
	}
	if err := pmode.WriteDiff(c.p.out, r.Changes); err != nil {
		return err
	}
	for _, n := range r.Needs {
		c.printf("  %s the certificate of %s is missing: put it into %s\n", paint.warn("!"), n.Partner, n.File)
	}
	switch {
	case r.Written == "":
		c.printf("Nothing is written.\n")
	case len(r.Needs) > 0:
		c.printf("Written to %s. A node takes it once the certificates are there.\n", r.Written)
	default:
		c.printf("Written to %s. A running node takes it with: viadukt pmode reload\n", r.Written)
	}
	return nil
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// some names a few of many.
func some(list []string) string {
	if len(list) > 3 {
		return strings.Join(list[:3], ", ") + fmt.Sprintf(" and %d more", len(list)-3)
	}
	return strings.Join(list, ", ")
}

// configured reads what the configuration agrees on.
func (c *call) configured(file string) (*config.Config, []node.Partner, []node.PModeSettings, error) {
	cfg, err := c.loadConfig(file)
	if err != nil {
		return nil, nil, nil, err
	}
	partners, modes, err := agreements.Decode(cfg.Partners, cfg.PModes)
	return cfg, partners, modes, err
}

// pmodeJSON is a P-Mode in a list.
type pmodeJSON struct {
	ID          string   `json:"id"`
	Partners    []string `json:"partners"`
	Direction   string   `json:"direction"`
	Service     string   `json:"service,omitempty"`
	ServiceType string   `json:"serviceType,omitempty"`
	Action      string   `json:"action,omitempty"`
	Agreement   string   `json:"agreement,omitempty"`
	Profile     string   `json:"profile"`
	File        string   `json:"file"`
	Line        int      `json:"line"`
}

func preparePModeList(c *call) func() error {
	c.jsonFlag()
	file := c.configFlag()
	return func() error {
		cfg, partners, modes, err := c.configured(*file)
		if err != nil {
			return err
		}
		for n, m := range modes {
			j := pmodeJSON{m.ID, m.Partners, m.Direction, m.Service, m.ServiceType, m.Action, m.Agreement, m.Profile, cfg.PModes[n].File, cfg.PModes[n].Line()}
			if m.Partner != "" {
				j.Partners = []string{m.Partner}
			}
			if j.Profile == "" {
				j.Profile = cfg.AS4.Profile
			}
			if c.json {
				if j.Partners == nil {
					j.Partners = []string{}
				}
				if err := c.print(j); err != nil {
					return err
				}
				continue
			}
			with := strings.Join(j.Partners, ", ")
			if with == "" {
				with = "whoever discovery finds"
			}
			c.printf("%-40s %-8s %s\n    %s\n", j.ID, j.Direction, with, strings.Trim(orAny(j.Service)+" / "+orAny(j.Action), " "))
		}
		if !c.json {
			c.printf("%s, %s\n", count(len(partners), "partner"), count(len(modes), "P-Mode"))
		}
		return nil
	}
}

func orAny(s string) string {
	if s == "" {
		return "any"
	}
	return s
}

func prepareExport(c *call) func() error {
	file := c.configFlag()
	partner := c.String("partner", "", "`name` of the partner")
	format := c.String("format", "text", "`form`: domibus, the file that the partner's Domibus 5 loads; text, an agreement in Markdown; html, the same as a page")
	out := c.String("out", "", "`file` to write; default: standard output")
	return func() error {
		if *partner == "" {
			return usage("--partner is missing: \"viadukt pmode list\" names all")
		}
		cfg, partners, modes, err := c.configured(*file)
		if err != nil {
			return err
		}
		party, own, err := node.Own(cfg)
		if err != nil {
			return err
		}
		set, err := agreements.ToSet(cfg, party, partners, modes, *partner)
		if err != nil {
			return &exit{status: statusUsage, Code: "CONFIGURATION", Text: err.Error()}
		}
		text, err := c.export(set, *partner, *format, func(name string) []*pki.Certificate {
			if strings.EqualFold(name, cfg.Node.Name) {
				return own
			}
			for i := range partners {
				if strings.EqualFold(partners[i].Name, name) {
					certs, _ := node.PartnerCertificates(&partners[i]) // the agreement says that it is missing
					return certs
				}
			}
			return nil
		})
		var none *pmode.ErrNoPartner
		if errors.As(err, &none) {
			return usage("nothing is agreed with %q%s", *partner, config.DidYouMean(*partner, partnerNames(partners)))
		}
		if err != nil {
			return err
		}
		if *out != "" {
			return agreements.ReplaceFile(*out, []byte(text))
		}
		c.printf("%s", text)
		return nil
	}
}

func partnerNames(partners []node.Partner) (out []string) {
	for _, p := range partners {
		out = append(out, p.Name)
	}
	return out
}

// export writes what is agreed; what a Domibus file has no word for goes to standard error.
func (c *call) export(set *pmode.Set, partner, format string, certificates func(string) []*pki.Certificate) (string, error) {
	switch format {
	case "domibus":
		d, warnings, err := set.ForPartner(partner)
		for _, w := range warnings {
			fmt.Fprintf(c.p.err, "%s: %s\n", title(c.path), w)
		}
		if err != nil {
			return "", err
		}
		return string(d.Bytes()), nil
	case "text", "html":
		return set.Agreement(partner, pmode.AgreementOptions{Date: time.Now(), Certificates: certificates, HTML: format == "html"})
	}
	return "", usage("--format is domibus, text or html, not %q", format)
}

func prepareReload(c *call) func() error {
	c.jsonFlag()
	open := c.apiFlags("admin")
	return func() error {
		a, err := open()
		if err != nil {
			return err
		}
		var done node.Reloaded
		if err := a.ask("POST", "/reload", nil, nil, &done); err != nil {
			return err
		}
		if c.json {
			return c.print(done)
		}
		for _, l := range []struct {
			mark string
			ids  []string
		}{{"+", done.Added}, {"-", done.Removed}, {"~", done.Changed}} {
			for _, id := range l.ids {
				c.printf("%s %s\n", l.mark, id)
			}
		}
		c.printf("%s, %s in use\n", count(done.Partners, "partner"), count(done.PModes, "P-Mode"))
		if len(done.Restart) > 0 {
			c.printf("wait for a restart: %s\n", strings.Join(done.Restart, ", "))
		}
		return nil
	}
}
