package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

// xsdFinding is one complaint about a document or a schema.
type xsdFinding struct {
	ID       string   `json:"id"`
	Severity string   `json:"severity"`
	File     string   `json:"file,omitempty"` // of a schema
	Location string   `json:"location,omitempty"`
	Line     int      `json:"line,omitempty"`
	Column   int      `json:"column,omitempty"`
	Value    string   `json:"value,omitempty"`
	Text     string   `json:"text"`
	Expected []string `json:"expected,omitempty"`
}

func xsdFindings(in []xsd.Finding) (out []xsdFinding) {
	for _, f := range in {
		out = append(out, xsdFinding{f.Rule, "error", f.File, f.Path, f.Line, f.Column, f.Value, f.Text, f.Expected})
	}
	return out
}

func prepareXSD(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	schema := c.String("schema", "", "schema `file`; several with commas between")
	catalog := c.String("catalog", "", "`location=file` for what a schema names on the web, or namespace=file; several with commas between")
	lenient := c.Bool("lenient", false, `read namespace="#other" in a schema as ##other`)
	most := c.Int("most", 100, "end a document after so many `findings`")
	return func() error {
		if *schema == "" {
			return usage("--schema names the schema")
		}
		s, err := compileSchema(*schema, *catalog, xsd.Options{Lenient: *lenient})
		if err != nil {
			return c.badSchema(err)
		}
		return c.each(func(file string) (*xmlFile, string) {
			d, f := c.parseFile(file)
			if d == nil {
				return f, ""
			}
			start := time.Now()
			r, err := s.Validate(d, xsd.ValidateOptions{MaxFindings: *most})
			f.Millis += float64(time.Since(start).Microseconds()) / 1000
			if err != nil {
				f.OK, f.Error = false, &exit{status: statusFailed, Code: "LIMIT", Text: err.Error()}
				return f, ""
			}
			f.OK, f.Findings = r.Valid, xsdFindings(r.Findings)
			if f.OK {
				return f, fmt.Sprintf("valid, in %.1f ms", f.Millis)
			}
			count := fmt.Sprintf("%d findings", len(r.Findings))
			switch {
			case r.Truncated:
				count = fmt.Sprintf("%d findings or more", len(r.Findings))
			case len(r.Findings) == 1:
				count = "1 finding"
			}
			f.Error = &exit{status: statusInvalid, Code: "NOT_VALID", Text: count}
			var text strings.Builder
			fmt.Fprintf(&text, "not valid: %s", f.Error.Text)
			for _, x := range r.Findings {
				fmt.Fprintf(&text, "\n    %s", x)
			}
			return f, text.String()
		})
	}
}

// compileSchema reads schema files and what they name beside them, from the disk alone.
func compileSchema(files, catalog string, opt xsd.Options) (*xsd.Schema, error) {
	inRoot := func(file string) (string, error) {
		abs, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		return strings.TrimPrefix(filepath.ToSlash(abs), "/"), nil
	}
	opt.Catalog = map[string]string{}
	for entry := range strings.SplitSeq(catalog, ",") {
		if entry == "" {
			continue
		}
		i := strings.LastIndexByte(entry, '=') // a location may contain one
		if i < 0 {
			return nil, usage("--catalog takes location=file, not %s", entry)
		}
		file, err := inRoot(entry[i+1:])
		if err != nil {
			return nil, err
		}
		opt.Catalog[entry[:i]] = file
	}
	var entries []string
	for file := range strings.SplitSeq(files, ",") {
		if _, err := os.Stat(file); err != nil {
			return nil, &exit{status: statusUsage, Code: "NO_FILE", Text: err.Error()}
		}
		name, err := inRoot(file)
		if err != nil {
			return nil, err
		}
		entries = append(entries, name)
	}
	return xsd.Compile(os.DirFS("/"), opt, entries...)
}

// badSchema reports what is wrong with a schema: no document can be judged by it.
func (c *call) badSchema(err error) error {
	var se *xsd.SchemaError
	if !errors.As(err, &se) {
		var e *exit
		if errors.As(err, &e) {
			return err
		}
		return &exit{status: statusFailed, Code: "SCHEMA", Text: err.Error()}
	}
	e := &exit{status: statusUsage, Code: "SCHEMA", Text: "the schema is not valid"}
	first := se.Findings[0]
	e.Where = fmt.Sprintf("%s, line %d", first.File, first.Line)
	if c.json {
		c.print(&xmlFile{File: first.File, Findings: xsdFindings(se.Findings), Error: e})
		return &exit{status: e.status, silent: true}
	}
	for _, f := range se.Findings {
		e.Text += "\n    /" + f.String()
	}
	e.Where = ""
	return e
}
