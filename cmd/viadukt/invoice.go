package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/edocument/invoice/view"
	"github.com/viadukt-eu/viadukt/edocument/rules"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var invoiceCommand = &command{
	name: "invoice", summary: "works with invoices: converts them, mends their totals, shows them to people, makes new ones.",
	example: "viadukt invoice convert invoice.xml --to cii --out invoice-cii.xml",
	sub: []*command{
		{name: "convert", summary: "writes an invoice in another syntax, or as a PDF with the invoice attached.", args: "FILE",
			help: `Reads UBL 2.1, CII D16B or a PDF with an invoice attached, and writes the other syntax, or the one named with --to. All that EN 16931 calls an invoice is kept; what the standard does not know is left behind, and said.
With --to factur-x the invoice is laid out as PDF/A-3 and attached to it in CII, which is Factur-X and ZUGFeRD; with --into it is attached to a PDF that shows it already.`,
			example: "viadukt invoice convert invoice.xml --to cii --out invoice-cii.xml\nviadukt invoice convert invoice.xml --to factur-x --lang fr --out facture.pdf", prepare: prepareConvert},
		{name: "fix", summary: "computes the totals of an invoice anew and corrects them in place.", args: "FILE",
			help:    `Takes lines, allowances, charges, rates and payments as they are, and corrects the VAT breakdown and the totals. Every other octet stays as it is. Without --out only what would change is shown.`,
			example: "viadukt invoice fix invoice.xml --out mended.xml", prepare: prepareFix},
		{name: "render", summary: "shows an invoice to people, as a page or PDF in their language.", args: "FILE",
			help: `Writes one HTML page that needs nothing else, runs nothing and can be printed, or with --pdf the same as PDF for archives and for everybody (PDF/A-3a, PDF/UA-1); attachments are named, not opened.
Reads UBL, CII or a PDF with an invoice attached, of which it shows what programs read. A further language is a file of labels.
It is viadukt document render for those who have invoices only.`,
			example: "viadukt invoice render invoice.xml --lang de --out invoice.html\nviadukt invoice render invoice.xml --pdf --out invoice.pdf", prepare: func(c *call) func() error { return prepareRender(c, true) }},
		{name: "new", summary: "makes an invoice from a few lines of YAML or JSON.", args: "[FILE]",
			help:    `Computes net amounts, VAT and totals, writes UBL or CII by the Peppol billing specification (or the one named in the file), and says what the rules find.`,
			example: "viadukt invoice new --example --out order.yaml\nviadukt invoice new order.yaml --out invoice.xml", prepare: prepareNew},
	},
}

// readInvoice reads a file into the model.
func (c *call) readInvoice(file string) (*invoice.Invoice, *dom.Document, error) {
	doc, err := c.readDocument(file)
	if err != nil {
		return nil, nil, err
	}
	i, err := invoice.Read(doc)
	if errors.Is(err, edocument.ErrUnknownType) {
		return nil, nil, noInvoice(file, doc)
	}
	return i, doc, err
}

// write puts octets into a file, or to standard output.
func (c *call) write(file string, octets []byte) error {
	if file == "" {
		_, err := c.p.out.Write(octets)
		return err
	}
	return os.WriteFile(file, octets, 0o644)
}

type convertJSON struct {
	File  string   `json:"file"`
	OK    bool     `json:"ok"`
	From  string   `json:"from"`
	To    string   `json:"to"`
	Out   string   `json:"out,omitempty"`
	Terms int      `json:"terms"`
	Left  []string `json:"left"` // elements that were not carried
	// Problems are terms that cannot be used as what they are, and were carried as they stand.
	Problems []string `json:"problems,omitempty"`
	// Profile and Specification (BT-24) are those of an invoice attached to a PDF.
	Profile       string `json:"profile,omitempty"`
	Specification string `json:"specification,omitempty"`
	Error         *exit  `json:"error"`
}

func prepareConvert(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	to := c.String("to", "", "`syntax` to write: ubl, cii or factur-x; default: the other one of the first two")
	into := c.String("into", "", "for factur-x: a PDF/A-3 `file` that shows this invoice already and is neither signed nor encrypted; the invoice is attached to it")
	lang := c.String("lang", "en", "`language` that factur-x is laid out in: "+strings.Join(view.Languages(), ", "))
	out := c.String("out", "", "`file` to write to; default: standard output")
	return func() error {
		if *into != "" && *to != "factur-x" {
			return usage("--into goes with --to factur-x")
		}
		i, doc, err := c.readInvoice(c.values[0])
		if err != nil {
			return err
		}
		target := *to
		if target == "" {
			target = map[invoice.Syntax]string{invoice.UBL: "cii", invoice.CII: "ubl"}[i.Syntax]
		}
		j := convertJSON{File: c.values[0], OK: true, From: string(i.Syntax), Out: *out, Terms: len(i.Terms()), Left: i.Left(doc)}
		for _, p := range i.Problems {
			line, _ := p.Node.Pos()
			j.Problems = append(j.Problems, fmt.Sprintf("line %d: %s %s", line, p.Term, p.Text))
		}
		var octets []byte
		switch target {
		case "ubl":
			octets, j.To = i.UBL(), string(invoice.UBL)
		case "cii":
			octets, j.To = i.CII(), string(invoice.CII)
		case "factur-x":
			labels, err := labelsIn(*lang)
			if err != nil {
				return err
			}
			w, err := c.writeHybrid(i, labels, doc, *into)
			if err != nil {
				return err
			}
			octets, j.To, j.Profile, j.Specification = w.PDF, "Factur-X", string(w.Profile), w.Specification
			if was := i.Specification.Value; was != w.Specification {
				fmt.Fprintf(c.p.err, "attached as %s (BT-24), it was %q\n", w.Specification, was)
			}
			if w.AsRead {
				j.Left = []string{}
			}
		default:
			return usage("--to is ubl, cii or factur-x, not %s", target)
		}
		if c.json && *out == "" {
			return usage("--json needs --out, or the document would stand in the report")
		}
		if err := c.write(*out, octets); err != nil {
			return err
		}
		if c.json {
			return c.print(j)
		}
		for _, l := range j.Left {
			fmt.Fprintf(c.p.err, "left behind: %s\n", l)
		}
		for _, p := range j.Problems {
			fmt.Fprintf(c.p.err, "carried as it stands: %s\n", p)
		}
		if *out != "" {
			profile := ""
			if j.Profile != "" {
				profile = ", profile " + j.Profile
			}
			c.printf("%s %s: %s to %s%s, %d terms, written to %s\n", c.p.paint(c.p.out).ok("✓"), j.File, j.From, j.To, profile, j.Terms, *out)
		}
		return nil
	}
}

type fixJSON struct {
	File    string       `json:"file"`
	OK      bool         `json:"ok"`
	Changes []changeJSON `json:"changes"`
	Left    []changeJSON `json:"left"` // what must be done by hand
	Out     string       `json:"out,omitempty"`
	Valid   bool         `json:"valid"` // by the rules, when all changes are made
	Error   *exit        `json:"error"`
}

type changeJSON struct {
	Term    string `json:"term"`
	Was     string `json:"was"`
	Is      string `json:"is"`
	Formula string `json:"formula"`
	Line    int    `json:"line,omitempty"`
}

func changes(list []invoice.Correction) []changeJSON {
	out := []changeJSON{}
	for _, x := range list {
		j := changeJSON{Term: x.Term, Was: x.Was, Is: x.Is, Formula: x.Formula}
		if x.Node.Valid() {
			j.Line, _ = x.Node.Pos()
		}
		out = append(out, j)
	}
	return out
}

func prepareFix(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	out := c.String("out", "", "`file` to write the mended invoice to; - is standard output")
	return func() error {
		i, doc, err := c.readInvoice(c.values[0])
		if err != nil {
			return err
		}
		found, err := i.Recompute()
		if err != nil {
			return &exit{status: statusInvalid, Code: "NOT_COMPUTABLE", Where: c.values[0], Text: err.Error(), Remedy: "correct that by hand; viadukt validate shows what else is wrong"}
		}
		octets, left := invoice.Apply(doc, found)
		mended, err := dom.Parse(octets, dom.Limits{Bytes: 1 << 30})
		if err != nil {
			return err
		}
		r, err := rules.Validate(mended, rules.Options{})
		if err != nil {
			return err
		}
		if len(left) == 0 {
			before, err := rules.Validate(doc, rules.Options{})
			if err != nil {
				return err
			}
			if id := newlyBroken(before, r); id != "" {
				return &exit{status: statusInvalid, Code: "NOT_COMPUTABLE", Where: c.values[0], Text: "with its totals computed the invoice would break " + id + ", which it does not break now", Remedy: "correct the invoice by hand; viadukt validate shows what else is wrong"}
			}
		}
		j := fixJSON{File: c.values[0], OK: len(left) == 0, Changes: changes(found), Left: changes(left), Out: *out, Valid: r.Valid}
		switch {
		case *out == "-":
			if c.json {
				return usage("--json and --out - exclude each other")
			}
			err = c.write("", mended.Source())
		case *out != "":
			err = c.write(*out, mended.Source())
		}
		if err != nil {
			return err
		}
		if c.json {
			err = c.print(j)
		} else if *out != "-" {
			c.describeFix(j, found, left)
		}
		if err == nil && len(left) > 0 {
			err = &exit{status: statusInvalid, silent: true}
		}
		return err
	}
}

// newlyBroken is a rule that makes an invoice invalid and did not before, or "".
func newlyBroken(before, after *edocument.Report) string {
	was := map[string]bool{}
	for _, f := range before.Findings {
		was[f.ID] = true
	}
	for _, f := range after.Findings {
		if f.Severity.Refuses() && !was[f.ID] {
			return f.ID
		}
	}
	return ""
}

func (c *call) describeFix(j fixJSON, found, left []invoice.Correction) {
	paint := c.p.paint(c.p.out)
	switch len(found) {
	case 0:
		c.printf("%s %s: all totals are right\n", paint.ok("✓"), j.File)
	case 1:
		c.printf("%s: 1 amount changes\n", j.File)
	default:
		c.printf("%s: %d amounts change\n", j.File, len(found))
	}
	for k, x := range found {
		c.printf("    line %d: %s\n", j.Changes[k].Line, x)
	}
	for _, x := range left {
		c.printf("  %s %s has no place in the document; add it by hand\n", paint.bad("✗"), x.Term)
	}
	switch {
	case j.Out != "":
		c.printf("written to %s\n", j.Out)
	case len(found) > 0:
		c.printf("nothing was written; name a file with --out\n")
	}
	if !j.Valid {
		c.printf("other rules are still broken: viadukt validate shows which\n")
	}
}
