package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/smp"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/edocument/rules"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

var packCommand = &command{
	name: "pack", summary: "keeps the rules of other publishers, for viadukt validate --pack.",
	example: "viadukt pack add en16931-ubl-1.3.16.zip",
	sub: []*command{
		{name: "add", summary: "makes rule packs of a release: a ZIP archive or a folder as its publisher offers it.", args: "FILE|DIR|URL...",
			help: `Knows the artefacts of EN 16931, the rules of OpenPeppol, XRechnung and Factur-X, configurations of the KoSIT validator (scenarios.xml), executor sets of phive (ves), and plain Schematron or XML Schema. Style sheets that a compiler of Schematron has written are read back.
All rules are compiled before anything is stored. A pack never changes: other rules under its name are refused.
An address is fetched over https from public servers; what it gave, and its checksum, is kept with the pack. --sha256 takes nothing else than the release that is known.`,
			example: "viadukt pack add en16931-ubl-1.3.16.zip peppol-2026.5\nviadukt pack add https://github.com/ConnectingEurope/eInvoicing-EN16931/releases/download/validation-1.3.16/en16931-ubl-1.3.16.zip\nviadukt pack add my-rules.sch --id org.example:orders:1.0", prepare: preparePackAdd},
		{name: "list", summary: "lists the rule packs.", example: "viadukt pack list --json", prepare: preparePackList},
		{name: "diff", summary: "tells what changed between two packs, rule by rule, and what that means for documents.", args: "OLD NEW [FILE...]",
			help:    `Files, folders and ZIP archives are judged by both, each with the packs that it requires; documents whose verdict or rules differ are listed.`,
			example: "viadukt pack diff eu.peppol.bis3:invoice:2025.11 eu.peppol.bis3:invoice:2026.5 archive.zip", prepare: preparePackDiff},
		{name: "update", summary: "asks publishers for newer releases of packs that were fetched from them.", args: "[PACK...]",
			help:    `Tells what is new, rule by rule; --add keeps it. The packs in use stay: give the new ones a day with pack add --from, or remove the old ones.`,
			example: "viadukt pack update\nviadukt pack update eu.cen.en16931:ubl --add", prepare: preparePackUpdate},
		{name: "remove", summary: "removes rule packs.", args: "PACK...", example: "viadukt pack remove eu.cen.en16931:ubl:1.3.15", prepare: preparePackRemove},
	},
}

// packJSON is what the pack commands say about a pack.
type packJSON struct {
	ID         string          `json:"id"`
	Title      string          `json:"title,omitempty"`
	ValidFrom  *time.Time      `json:"validFrom,omitempty"`
	ValidTo    *time.Time      `json:"validTo,omitempty"`
	Deprecated string          `json:"deprecated,omitempty"`
	Requires   []string        `json:"requires,omitempty"`
	Scenarios  int             `json:"scenarios"`
	SHA256     string          `json:"sha256"`
	Source     rulepack.Source `json:"source"`
}

func describePack(p *rulepack.Pack) *packJSON {
	return &packJSON{p.ID.String(), p.Title, p.ValidFrom, p.ValidTo, p.Deprecated, p.Requires, len(p.Scenarios), p.SHA256(), p.Source}
}

// packsFlag declares where packs are kept.
func (c *call) packsFlag() *string {
	return c.String("packs", cmp.Or(os.Getenv("VIADUKT_PACKS"), "packs"), "`folder` of the rule packs; VIADUKT_PACKS names another default")
}

func preparePackAdd(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	folder := c.packsFlag()
	id := c.String("id", "", "`name` of the pack, group:artifact:version, for a release of one pack")
	version := c.String("version", "", "`version` of the packs, where the release does not tell")
	from := c.String("from", "", "`day` from which on the packs are to be used, such as 2026-11-15")
	to := c.String("to", "", "`day` from which on they are not any more")
	sum := c.String("sha256", "", "`checksum` that the release must have, in hexadecimal digits")
	limit := c.Int("limit", 256, "largest release that is fetched, in `MiB`")
	return func() error {
		opt := rulepack.ImportOptions{ID: *id, Version: *version, Now: time.Now()}
		var err error
		if opt.ValidFrom, err = day("from", *from); err != nil {
			return err
		}
		if opt.ValidTo, err = day("to", *to); err != nil {
			return err
		}
		for _, name := range c.values {
			packs, err := c.importRelease(name, opt, rulepack.FetchOptions{SHA256: *sum, MostOctets: int64(*limit) << 20})
			if err != nil {
				return releaseError(name, err)
			}
			for _, p := range packs {
				if err := rulepack.Folder(*folder).Add(p); err != nil {
					return releaseError(name, err)
				}
				if err := c.tellPack(p, "added"); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

func day(flag, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return t, usage("--%s: %q is no day such as 2026-11-15", flag, s)
	}
	return t, nil
}

// isURL tells addresses from names of files.
func isURL(name string) bool {
	return strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://")
}

// importRelease reads an archive, a folder, or one file of rules with those it includes; an archive may be fetched.
func (c *call) importRelease(name string, opt rulepack.ImportOptions, fetch rulepack.FetchOptions) ([]*rulepack.Pack, error) {
	if isURL(name) {
		d, err := rulepack.Fetch(c.p.ctx, name, fetch)
		if err != nil {
			return nil, err
		}
		opt.Name, opt.URL, opt.ETag = d.Name, name, d.ETag
		return rulepack.ImportArchive(d.Octets, opt)
	}
	opt.Name = filepath.Base(filepath.Clean(name))
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case fetch.SHA256 != "" && info.IsDir():
		return nil, usage("--sha256: %s is a folder, and only a file has a checksum", name)
	case info.IsDir():
		if opt.Name == "." || opt.Name == ".." {
			if abs, err := filepath.Abs(name); err == nil {
				opt.Name = filepath.Base(abs)
			}
		}
		return rulepack.Import(os.DirFS(name), opt)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if got := sha256.Sum256(b); fetch.SHA256 != "" && !strings.EqualFold(fetch.SHA256, hex.EncodeToString(got[:])) {
		return nil, fmt.Errorf("%w: %s has %x", rulepack.ErrChecksum, name, got)
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".sch", ".xsd", ".xsl", ".xslt":
		var packs []*rulepack.Pack
		if abs, err := filepath.Abs(name); err == nil { // the version may be in the name of the folder
			dir := filepath.Dir(abs)
			opt.Name = filepath.ToSlash(filepath.Join(filepath.Base(filepath.Dir(dir)), filepath.Base(dir), filepath.Base(abs)))
		}
		err := fromFolder(name, func(fsys fs.FS, name string) (err error) {
			opt.Only = name
			packs, err = rulepack.Import(fsys, opt)
			return err
		})
		return packs, err
	}
	return rulepack.ImportArchive(b, opt)
}

// releaseError says why a release cannot be taken: mostly it is the release that is wrong.
func releaseError(name string, err error) error {
	e := &exit{status: statusInvalid, Code: "RELEASE", Text: err.Error(), Where: name}
	var path *os.PathError
	var wrong *exit
	switch {
	case errors.As(err, &wrong):
		return wrong
	case errors.Is(err, rulepack.ErrChecksum):
		e.Code, e.Remedy = "CHECKSUM", "it is not the release that you know: ask its publisher before you use it"
	case errors.Is(err, rulepack.ErrExists):
		e.Code, e.Remedy = "EXISTS", "a pack never changes: give the new rules another --version, or remove the pack first"
	case errors.Is(err, rulepack.ErrVersion):
		e.Code, e.Remedy = "VERSION", "say it: --version 1.0 for all packs of the release, or --id group:artifact:1.0 for one"
	case errors.Is(err, rulepack.ErrRelease):
		e.Remedy = "rules come as the ZIP archive or folder that their publisher offers, or as a file of Schematron (.sch) or XML Schema (.xsd)"
	case errors.Is(err, rulepack.ErrPack), errors.Is(err, schematron.ErrSchema), errors.Is(err, xsd.ErrSchema):
	case errors.As(err, &path):
		e.status, e.Code = statusUsage, "NO_FILE"
	case errors.Is(err, smp.ErrURL), errors.Is(err, smp.ErrAddress):
		e.status, e.Code, e.Remedy = statusUsage, "ADDRESS", "name an address that begins with https:// and leads to a public server, or fetch the release yourself"
	case isURL(name):
		e.status, e.Code = statusFailed, "FETCH"
	}
	return e
}

func (c *call) tellPack(p *rulepack.Pack, done string) error {
	if c.json {
		return c.print(describePack(p))
	}
	c.printf("%s %s %s\n", c.p.paint(c.p.out).ok("✓"), p.ID, done)
	return nil
}

func preparePackList(c *call) func() error {
	c.most = 0
	c.jsonFlag()
	folder := c.packsFlag()
	return func() error {
		packs, err := rulepack.Folder(*folder).List()
		if err != nil {
			return err
		}
		if len(packs) == 0 && !c.json {
			c.printf("no rule packs in %s; viadukt pack add makes them of a publisher's release\n", *folder)
		}
		for _, p := range packs {
			if c.json {
				if err := c.print(describePack(p)); err != nil {
					return err
				}
				continue
			}
			line := p.ID.String()
			if p.Title != "" {
				line += "  " + p.Title
			}
			if p.ValidFrom != nil {
				line += ", from " + p.ValidFrom.Format(time.DateOnly)
			}
			if p.ValidTo != nil {
				line += ", until " + p.ValidTo.Format(time.DateOnly)
			}
			if len(p.Requires) > 0 {
				line += ", after " + strings.Join(p.Requires, " and ")
			}
			c.printf("%s\n    %s\n", line, c.p.paint(c.p.out).dim("from "+p.Source.Name+" ("+p.Source.Kind+"), added "+p.Source.Added.Format(time.DateOnly)))
		}
		return nil
	}
}

func preparePackRemove(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	folder := c.packsFlag()
	return func() error {
		for _, name := range c.values {
			id, err := rulepack.ParseID(name)
			if err != nil || id.Version == "" {
				return usage("%q names no pack with its version, such as eu.cen.en16931:ubl:1.3.16", name)
			}
			p, err := rulepack.Folder(*folder).Get(id, time.Now())
			if err == nil {
				err = rulepack.Folder(*folder).Remove(id)
			}
			if errors.Is(err, rulepack.ErrNotFound) {
				return usage("%v", err)
			}
			if err != nil {
				return err
			}
			if err := c.tellPack(p, "removed"); err != nil {
				return err
			}
		}
		return nil
	}
}

// openPacks makes the judge for --pack.
func openPacks(folder, list string, most int) (*rulepack.Judge, error) {
	now := time.Now()
	j, err := rulepack.Folder(folder).Open(now, splitNames(list)...)
	if err != nil {
		return nil, packError(folder, err)
	}
	j.Options = rulepack.Options{MaxFindings: most, Now: now, Workers: runtime.GOMAXPROCS(0)}
	j.Explain = rules.Judge{Options: rules.Options{MaxFindings: most}}
	return j, nil
}

func splitNames(list string) (names []string) {
	for name := range strings.SplitSeq(list, ",") {
		names = append(names, strings.TrimSpace(name))
	}
	return names
}

// packError says why packs cannot be opened.
func packError(folder string, err error) error {
	if errors.Is(err, rulepack.ErrNotFound) {
		return &exit{status: statusUsage, Code: "NO_PACK", Text: err.Error(), Remedy: "viadukt pack list --packs " + folder + " shows what there is"}
	}
	return err
}
