package console

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/viadukt-eu/viadukt/edocument/report"
)

// Validator judges the business documents that people bring.
type Validator interface {
	// Packs are the names of the rule packs that may be chosen.
	Packs() []string
	// Judge judges a document by packs, or without any by those that are meant for it. An error says that it could not
	// even be read.
	Judge(ctx context.Context, name string, octets []byte, packs ...string) (*report.Document, error)
}

// placesShown bounds the places of one rule on the page.
const placesShown = 20

type validateData struct {
	Packs   []string
	Pack    string // chosen
	Problem string // key
	*report.Document
	Groups []verdictGroup
}

// verdictGroup is one rule with the places that break it.
type verdictGroup struct {
	report.Group
	Tone string // "good", "warn", "bad"
	More int    // places that are not shown
}

func (c *Console) validatePage(x *call) error {
	return c.showVerdict(x, http.StatusOK, validateData{})
}

func (c *Console) showVerdict(x *call, status int, d validateData) error {
	if c.opt.Validator == nil {
		return errNotFound
	}
	d.Packs = c.opt.Validator.Packs()
	v := view{Title: "nav.validate", Data: d}
	if d.Document != nil {
		v.Name = d.Document.Name
	}
	return x.show(status, "validate", v)
}

// validate judges an uploaded document. Nothing of it is kept.
func (c *Console) validate(x *call) error {
	if c.opt.Validator == nil {
		return errNotFound
	}
	octets, err := x.upload("document")
	if err != nil {
		return err
	}
	d := validateData{Pack: x.value("pack")}
	if len(octets) == 0 {
		d.Problem = "validate.no-file"
		return c.showVerdict(x, http.StatusUnprocessableEntity, d)
	}
	var packs []string
	if d.Pack != "" {
		if !slices.Contains(c.opt.Validator.Packs(), d.Pack) {
			return errNotFound
		}
		packs = []string{d.Pack}
	}
	name := cmp.Or(x.fileName("document"), "document.xml")
	if d.Document, err = c.opt.Validator.Judge(x.r.Context(), name, octets, packs...); err != nil {
		return err
	}
	if r := d.Report; r != nil {
		for _, g := range report.Grouped(r.Findings) {
			row := verdictGroup{Group: g, Tone: "warn"}
			if g.Severity.Refuses() {
				row.Tone = "bad"
			}
			if n := len(g.Findings) - placesShown; n > 0 {
				row.More, row.Findings = n, g.Findings[:placesShown]
			}
			d.Groups = append(d.Groups, row)
		}
	}
	return c.showVerdict(x, http.StatusOK, d)
}
