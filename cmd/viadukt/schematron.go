package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
)

func prepareSchematron(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	schema := c.String("schema", "", "`file` of the schema, or the style sheet that a compiler of Schematron made of it")
	phase := c.String("phase", "", "`phase` of the schema, or #DEFAULT; all rules without it")
	svrl := c.Bool("svrl", false, "write the report in SVRL, for one document")
	trace := c.Bool("fired", false, "with --svrl: list the rules that fired as well")
	eqname := c.Bool("eqname", false, "write locations as /Q{namespace}name[1] does and not as /*:name[namespace-uri()='...'][1]")
	most := c.Int("most", 1000, "describe at most so many `findings` of a document")
	return func() error {
		if *schema == "" {
			return usage("--schema names the schema")
		}
		if *svrl && (len(c.values) > 1 || c.json) {
			return usage("--svrl writes the report of one document, and nothing else")
		}
		var s *schematron.Schema
		err := fromFolder(*schema, func(fsys fs.FS, name string) (err error) {
			s, err = schematron.Compile(fsys, name, schematron.Options{Phase: *phase})
			return err
		})
		if err != nil {
			return c.badRules(*schema, err)
		}
		style := schematron.Skeleton
		if *eqname {
			style = schematron.EQName
		}
		opt := schematron.ValidateOptions{MaxFindings: *most, Now: time.Now(), Trace: *trace, Workers: runtime.GOMAXPROCS(0)}
		if *svrl {
			return c.writeSVRL(s, style, opt)
		}
		return c.each(func(file string) (*xmlFile, string) {
			d, f := c.parseFile(file)
			if d == nil {
				return f, ""
			}
			r := c.applyRules(s, d, f, opt)
			if r == nil {
				return f, ""
			}
			f.Findings = ruleFindings(r, style)
			return f, describeRules(f, r)
		})
	}
}

// foldersUp bounds how far above a schema the files lie that it may include.
const foldersUp = 3

// fromFolder reads a file of rules with the folder it is in, and with those above it only where what it includes leads
// there.
func fromFolder(file string, read func(fsys fs.FS, name string) error) error {
	abs, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	dir, name := filepath.Dir(abs), filepath.Base(abs)
	for up := 0; ; up++ {
		if err = read(os.DirFS(dir), name); !errors.Is(err, fs.ErrInvalid) || up == foldersUp || dir == filepath.Dir(dir) {
			return err
		}
		dir, name = filepath.Dir(dir), path.Join(filepath.Base(dir), name)
	}
}

// applyRules judges a document; the verdict is in the report, and no result means that there is none.
func (c *call) applyRules(s *schematron.Schema, d *dom.Document, f *xmlFile, opt schematron.ValidateOptions) *schematron.Result {
	start := time.Now()
	r, err := s.Validate(c.p.ctx, d, opt)
	f.Millis += float64(time.Since(start).Microseconds()) / 1000
	if err != nil {
		f.OK, f.Error = false, &exit{status: statusFailed, Code: "LIMIT", Text: err.Error()}
		return nil
	}
	f.OK = r.Valid()
	switch {
	case len(r.Errors) > 0:
		f.Error = &exit{status: statusFailed, Code: "EVALUATION", Text: r.Errors[0].Error(), Remedy: "validate the document by its XML Schema first: rules rely on it"}
	case !f.OK:
		f.Error = &exit{status: statusInvalid, Code: "INVALID", Text: fmt.Sprintf("%d findings", len(r.Findings)+r.Omitted)}
	}
	return r
}

// writeSVRL writes the report on one document and nothing else to standard output.
func (c *call) writeSVRL(s *schematron.Schema, style schematron.Style, opt schematron.ValidateOptions) error {
	d, f := c.parseFile(c.values[0])
	if d == nil {
		return f.Error
	}
	r := c.applyRules(s, d, f, opt)
	if r == nil {
		return f.Error
	}
	if _, err := c.p.out.Write(r.SVRL(style)); err != nil {
		return err
	}
	if f.Error != nil {
		return &exit{status: f.Error.status, silent: true}
	}
	return nil
}

func ruleFindings(r *schematron.Result, style schematron.Style) (out []xsdFinding) {
	var at schematron.Locator
	for i := range r.Findings {
		f := &r.Findings[i]
		x := xsdFinding{ID: f.ID, Severity: f.Level().String(), Location: at.Location(f.Node, style), Text: f.Message()}
		x.Line, x.Column = f.Pos()
		out = append(out, x)
	}
	return out
}

func describeRules(f *xmlFile, r *schematron.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d findings, %d rules applied, in %.1f ms", len(r.Findings)+r.Omitted, r.Rules, f.Millis)
	for _, e := range r.Errors {
		fmt.Fprintf(&b, "\n    %v", e)
	}
	for _, x := range f.Findings {
		fmt.Fprintf(&b, "\n    %s %s, line %d, column %d: %s\n        %s", x.Severity, x.ID, x.Line, x.Column, x.Text, x.Location)
	}
	return b.String()
}

// badRules reports what is wrong with a schema: no document can be judged by it.
func (c *call) badRules(file string, err error) error {
	var se *schematron.SchemaError
	var pe *os.PathError
	switch {
	case errors.As(err, &se):
		e := &exit{status: statusUsage, Code: "SCHEMA", Text: "the schema is wrong:"}
		for _, p := range se.Problems {
			e.Text += "\n    " + p.String()
		}
		return e
	case errors.As(err, &pe):
		return &exit{status: statusUsage, Code: "NO_FILE", Text: err.Error()}
	}
	return &exit{status: statusUsage, Code: "SCHEMA", Text: err.Error(), Where: file}
}
