package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/vcd"
	"github.com/viadukt-eu/viadukt/edocument/view"
	"github.com/viadukt-eu/viadukt/node/mediatype"
)

var vcdCommand = &command{
	name: "vcd", summary: "works with Virtual Company Dossiers: shows, checks and writes the containers in which companies hand over their proofs.",
	help:    `Knows the containers of the PEPPOL project: a ZIP file with a package document, a folder for each company's dossier, and the files of the proofs in it.`,
	example: "viadukt vcd show VCDContainer_1.zip",
	sub: []*command{
		{name: "show", summary: "lists companies, criteria and proofs, and says which files are missing, changed or belong to nothing.", args: "FILE",
			help:    `Takes a container, or a package or dossier alone. The exit status is 1 when a file of a proof is missing or changed. --html and --pdf write a page for people instead.`,
			example: "viadukt vcd show container.zip\nviadukt vcd show container.zip --html --lang de --out dossiers.html", prepare: prepareVCDShow},
		{name: "new", summary: "makes a container of a description and the files that it names.", args: "DESCRIPTION",
			help: `The description is YAML or JSON: the authority, and for each company its criteria and proofs. --example writes one to fill in. Files are found beside the description; each gets its digest (SHA-256).
Without --out the container is named as the project named it, VCDContainer_ and a UUID.`,
			example: "viadukt vcd new --example > dossier.yaml\nviadukt vcd new dossier.yaml", prepare: prepareVCDNew},
		{name: "evidence", summary: "adds the proofs of a container to a response of the European Single Procurement Document.", args: "CONTAINER RESPONSE",
			help:    `Criteria are the same when identifier or code are, or when the dossier's stands on an article of Directive 2004/18/EC that has one successor. Criteria that have no place in the response are named.`,
			example: "viadukt vcd evidence container.zip response.xml --out response-with-proofs.xml", prepare: prepareVCDEvidence},
	},
}

// readVCD reads a container, or a document of one.
func (c *call) readVCD(file string) (p *vcd.Package, closing func() error, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, &exit{status: statusUsage, Code: "NO_FILE", Text: err.Error()}
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	unknown := &exit{status: statusFailed, Code: "UNKNOWN_TYPE", Where: file, Text: "no Virtual Company Dossier: neither a container nor a package or dossier in XML"}
	begin := make([]byte, 4)
	if _, err := io.ReadFull(f, begin); err != nil {
		return nil, nil, unknown
	}
	if vcd.Is(begin) {
		info, err := f.Stat()
		if err != nil {
			return nil, nil, err
		}
		p, err = vcd.Open(f, info.Size())
		if errors.Is(err, edocument.ErrUnknownType) {
			return nil, nil, unknown
		} else if err != nil {
			return nil, nil, &exit{status: statusInvalid, Code: "NOT_READABLE", Where: file, Text: err.Error()}
		}
		return p, f.Close, nil
	}
	doc, err := c.readDocument(file)
	if err != nil {
		return nil, nil, err
	}
	if p, err = vcd.Read(doc); errors.Is(err, edocument.ErrUnknownType) {
		err = unknown
	}
	return p, f.Close, err
}

type vcdJSON struct {
	File      string              `json:"file"`
	OK        bool                `json:"ok"` // every file is there and unchanged
	ID        string              `json:"id"`
	IssueDate string              `json:"issueDate,omitempty"`
	Procedure string              `json:"procedure,omitempty"`
	Authority vcdPartyJSON        `json:"authority"`
	Dossiers  []vcdDossierJSON    `json:"dossiers"`
	Findings  []edocument.Finding `json:"findings"`
	// Suppressed counts findings that are not listed.
	Suppressed int   `json:"suppressed,omitempty"`
	Error      *exit `json:"error"`
}

type vcdPartyJSON struct {
	Name     string `json:"name"`
	ID       string `json:"id,omitempty"`
	Scheme   string `json:"scheme,omitempty"`
	Endpoint string `json:"endpoint,omitempty"` // scheme:value
	Country  string `json:"country,omitempty"`
}

type vcdDossierJSON struct {
	Entry     string             `json:"entry,omitempty"`
	ID        string             `json:"id"`
	Companies []vcdPartyJSON     `json:"companies"`
	Criteria  []vcdCriterionJSON `json:"criteria"`
	Evidences []vcdEvidenceJSON  `json:"evidences"`
}

type vcdCriterionJSON struct {
	ID          string   `json:"id"`
	Code        string   `json:"code,omitempty"`
	Name        string   `json:"name,omitempty"`
	Description string   `json:"description,omitempty"`
	Legislation string   `json:"legislation,omitempty"`
	Evidences   []string `json:"evidences"`
}

type vcdEvidenceJSON struct {
	ID          string        `json:"id"`
	Type        string        `json:"type,omitempty"`
	Description string        `json:"description,omitempty"`
	Issuer      vcdPartyJSON  `json:"issuer"`
	IssueDate   string        `json:"issueDate,omitempty"`
	ExpiryDate  string        `json:"expiryDate,omitempty"`
	Files       []vcdFileJSON `json:"files"`
	URI         string        `json:"uri,omitempty"`
}

type vcdFileJSON struct {
	Name  string    `json:"name"`
	Entry string    `json:"entry,omitempty"`
	MIME  string    `json:"mime,omitempty"`
	Size  int64     `json:"size"`
	State vcd.State `json:"state,omitempty"`
}

func vcdParty(p vcd.Party) vcdPartyJSON {
	return vcdPartyJSON{p.Name, p.ID, p.Scheme, strings.TrimPrefix(p.EndpointScheme+":"+p.Endpoint, ":"), p.Country}
}

func vcdReport(file string, p *vcd.Package) *vcdJSON {
	r := p.Check()
	j := &vcdJSON{File: file, OK: r.Valid, ID: p.ID, IssueDate: p.IssueDate, Procedure: p.Folder, Authority: vcdParty(p.Authority), Dossiers: []vcdDossierJSON{}, Findings: r.Findings, Suppressed: r.Suppressed}
	for _, d := range p.Dossiers {
		dossier := vcdDossierJSON{Entry: d.Entry, ID: d.ID, Companies: []vcdPartyJSON{}, Criteria: []vcdCriterionJSON{}, Evidences: []vcdEvidenceJSON{}}
		for _, o := range d.Operators {
			dossier.Companies = append(dossier.Companies, vcdParty(o))
		}
		for _, c := range d.Criteria {
			dossier.Criteria = append(dossier.Criteria, vcdCriterionJSON{c.ID, c.Code, c.Name, c.Description, c.Legislation, append([]string{}, c.Evidences...)})
		}
		for _, e := range d.Evidences {
			evidence := vcdEvidenceJSON{e.ID, e.Type, e.Description, vcdParty(e.Issuer), e.IssueDate, e.ExpiryDate, []vcdFileJSON{}, e.URI}
			for _, a := range e.Files {
				evidence.Files = append(evidence.Files, vcdFileJSON{a.Name, a.Entry, a.MIME, a.Size, a.State})
			}
			dossier.Evidences = append(dossier.Evidences, evidence)
		}
		j.Dossiers = append(j.Dossiers, dossier)
	}
	return j
}

func prepareVCDShow(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	asHTML := c.Bool("html", false, "write a page for people")
	asPDF := c.Bool("pdf", false, "write a PDF for people and archives")
	lang := c.String("lang", "en", "`language` of --html and --pdf: "+strings.Join(view.Languages(), ", "))
	out := c.String("out", "", "`file` for --html and --pdf; default: standard output")
	return func() error {
		if _, err := labelsIn(*lang); err != nil {
			return err
		}
		p, closing, err := c.readVCD(c.values[0])
		if err != nil {
			return err
		}
		defer closing()
		j := vcdReport(c.values[0], p)
		switch {
		case *asHTML || *asPDF:
			err = c.renderVCD(p, *asPDF, view.Options{Language: *lang, Created: time.Now(), Creator: creator()}, *out)
		case c.json:
			err = c.print(j)
		default:
			c.describeVCD(j)
		}
		if err == nil && !j.OK {
			err = &exit{status: statusInvalid, silent: true}
		}
		return err
	}
}

// renderVCD writes a container for people.
func (c *call) renderVCD(p *vcd.Package, asPDF bool, o view.Options, out string) error {
	show := view.Dossiers
	if asPDF {
		show = view.DossiersPDF
	}
	octets, err := show(p, o)
	if err != nil {
		return err
	}
	return c.write(out, octets)
}

// showVCD reads a container and writes it for people.
func (c *call) showVCD(file string, asPDF bool, o view.Options, out string) error {
	p, closing, err := c.readVCD(file)
	if err != nil {
		return err
	}
	defer closing()
	return c.renderVCD(p, asPDF, o, out)
}

func (c *call) describeVCD(j *vcdJSON) {
	paint := c.p.paint(c.p.out)
	mark, verdict := paint.ok("✓"), "whole"
	if !j.OK {
		mark, verdict = paint.bad("✗"), "not whole"
	}
	c.printf("%s %s: %s%s\n", mark, j.File, verdict, counts(j.Findings, j.Suppressed))
	c.printf("    package %s for %s\n", j.ID, j.Authority.describe())
	for _, d := range j.Dossiers {
		var companies []string
		for _, o := range d.Companies {
			companies = append(companies, o.describe())
		}
		c.printf("  dossier %s of %s\n", d.ID, strings.Join(companies, "; "))
		for _, k := range d.Criteria {
			proofs := paint.warn("nothing")
			if len(k.Evidences) > 0 {
				proofs = strings.Join(k.Evidences, ", ")
			}
			c.printf("    criterion %s: %s\n", oneLine(strings.TrimSpace(k.ID+" "+k.Code+" "+k.Name)), proofs)
		}
		for _, e := range d.Evidences {
			c.printf("    proof %s: %s", e.ID, oneLine(e.Description))
			if e.Issuer.Name != "" {
				c.printf(", by %s", e.Issuer.Name)
			}
			if e.ExpiryDate != "" {
				c.printf(", until %s", e.ExpiryDate)
			}
			c.printf("\n")
			for _, a := range e.Files {
				state := paint.ok(string(a.State))
				if a.State != vcd.Present {
					state = paint.bad(string(a.State))
				}
				c.printf("      %s %s\n", a.Name, state)
			}
			if e.URI != "" {
				c.printf("      %s\n", e.URI)
			}
		}
	}
	c.describeDifferences(j.Findings, "  ")
}

func (p vcdPartyJSON) describe() string {
	s := p.Name
	for _, more := range []string{p.ID, p.Endpoint} {
		if more != "" {
			s = strings.TrimPrefix(s+", "+more, ", ")
		}
	}
	return s
}

// vcdDescription is the file that a container is made of.
type vcdDescription struct {
	ID        string      `yaml:"id"`
	Procedure string      `yaml:"procedure"`
	Authority vcdParties  `yaml:"authority"`
	Dossiers  []vcdWanted `yaml:"dossiers"`
}

type vcdParties struct {
	Name     string `yaml:"name"`
	ID       string `yaml:"id"`
	Scheme   string `yaml:"scheme"`
	Endpoint string `yaml:"endpoint"`
	Country  string `yaml:"country"`
}

func (p vcdParties) party() vcd.Party {
	out := vcd.Party{Name: p.Name, ID: p.ID, Scheme: p.Scheme, Endpoint: p.Endpoint, Country: p.Country}
	if scheme, value, ok := strings.Cut(p.Endpoint, ":"); ok {
		out.EndpointScheme, out.Endpoint = scheme, value
	}
	return out
}

type vcdWanted struct {
	ID       string     `yaml:"id"`
	Company  vcdParties `yaml:"company"`
	Criteria []struct {
		ID          string   `yaml:"id"`
		Name        string   `yaml:"name"`
		Description string   `yaml:"description"`
		Legislation string   `yaml:"legislation"`
		Evidences   []string `yaml:"evidences"`
	} `yaml:"criteria"`
	Evidences []struct {
		ID          string     `yaml:"id"`
		Type        string     `yaml:"type"`
		Description string     `yaml:"description"`
		Issuer      vcdParties `yaml:"issuer"`
		Issued      string     `yaml:"issued"`
		Expires     string     `yaml:"expires"`
		File        string     `yaml:"file"`
		URI         string     `yaml:"uri"`
	} `yaml:"evidences"`
}

const vcdExample = `id: "2026-17"            # your number of the package
procedure: PN-4711       # of the buyer
authority: {name: Câmara Municipal de Porto Novo, id: "502011378", endpoint: "9946:PT502011378", country: PT}
dossiers:                # one for each company
  - id: "1"
    company: {name: Rannavärav Tarkvara OÜ, id: "10137025", endpoint: "0191:10137025", country: EE}
    criteria:            # what is to be proved, and by which evidences below
      - {id: tax-pay, name: Payment of taxes, legislation: "Directive 2014/24/EU, Art. 57(2)", evidences: [E-1]}
    evidences:
      - {id: E-1, type: tax, description: Certificate of paid taxes, issuer: {name: Maksu- ja Tolliamet}, issued: 2026-11-02, expires: 2027-02-02, file: taxes.pdf}
`

func (w *vcdDescription) build(folder string) *vcd.Package {
	p := &vcd.Package{ID: w.ID, Folder: w.Procedure, Authority: w.Authority.party()}
	for _, d := range w.Dossiers {
		dossier := &vcd.Dossier{ID: d.ID, Operators: []vcd.Party{d.Company.party()}}
		for _, c := range d.Criteria {
			dossier.Criteria = append(dossier.Criteria, &vcd.Criterion{ID: c.ID, Name: c.Name, Description: c.Description, Legislation: c.Legislation, Evidences: c.Evidences})
		}
		for _, e := range d.Evidences {
			evidence := &vcd.Evidence{ID: e.ID, Type: e.Type, Description: e.Description, Issuer: e.Issuer.party(), IssueDate: e.Issued, ExpiryDate: e.Expires, URI: e.URI}
			if e.File != "" {
				name := e.File
				if !filepath.IsAbs(name) {
					name = filepath.Join(folder, name)
				}
				evidence.Files = append(evidence.Files, &vcd.Attachment{Name: filepath.Base(name), MIME: mediatype.Of(name), Open: func() (io.ReadCloser, error) { return os.Open(name) }})
			}
			dossier.Evidences = append(dossier.Evidences, evidence)
		}
		p.Dossiers = append(p.Dossiers, dossier)
	}
	return p
}

func prepareVCDNew(c *call) func() error {
	c.most = 1
	example := c.Bool("example", false, "write a description to fill in")
	out := c.String("out", "", "`file` to write to; default: VCDContainer_ and a UUID in this folder")
	return func() error {
		if *example {
			return c.write(*out, []byte(vcdExample))
		}
		if len(c.values) == 0 {
			return usage("DESCRIPTION is missing; --example writes one\nusage: %s %s", title(c.path), c.c.args)
		}
		b, err := os.ReadFile(c.values[0])
		if err != nil {
			return &exit{status: statusUsage, Code: "NO_FILE", Text: err.Error()}
		}
		var w vcdDescription
		dec := yaml.NewDecoder(bytes.NewReader(b))
		dec.KnownFields(true)
		if err := dec.Decode(&w); err != nil {
			return usage("%s: %v", c.values[0], err)
		}
		name := *out
		if name == "" {
			uuid, err := ebms.NewConversationID(rand.Reader)
			if err != nil {
				return err
			}
			name = vcd.FileName(uuid)
		}
		f, err := os.CreateTemp(filepath.Dir(name), ".vcd-*")
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
		p := w.build(filepath.Dir(c.values[0]))
		err = errors.Join(vcd.Write(f, p, time.Now()), f.Chmod(0o644), f.Close())
		if err != nil {
			return &exit{status: statusInvalid, Code: "INCOMPLETE", Where: c.values[0], Text: err.Error()}
		}
		if err := os.Rename(f.Name(), name); err != nil {
			return err
		}
		evidences := 0
		for _, d := range p.Dossiers {
			evidences += len(d.Evidences)
		}
		fmt.Fprintf(c.p.err, "%s: %d dossiers, %d evidences\n", name, len(p.Dossiers), evidences)
		return nil
	}
}

func prepareVCDEvidence(c *call) func() error {
	c.least, c.most = 2, 2
	out := c.String("out", "", "`file` to write to; default: standard output")
	return func() error {
		p, closing, err := c.readVCD(c.values[0])
		if err != nil {
			return err
		}
		defer closing()
		if r := p.Check(); !r.Valid {
			return &exit{status: statusInvalid, Code: "NOT_WHOLE", Where: c.values[0], Text: r.Findings[0].Text, Remedy: "viadukt vcd show tells all that is missing"}
		}
		response, err := c.readESPD(c.values[1])
		if err != nil {
			return err
		}
		m, left, err := p.Evidence(response)
		if err != nil {
			return &exit{status: statusInvalid, Code: "CONTRADICTION", Text: err.Error()}
		}
		if err := c.write(*out, m.XML()); err != nil {
			return err
		}
		fmt.Fprintf(c.p.err, "%d evidences, %d of them new\n", len(m.Evidences), len(m.Evidences)-len(response.Evidences))
		for _, name := range left {
			fmt.Fprintf(c.p.err, "no place for the proofs of %s\n", name)
		}
		return nil
	}
}
