package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var xmlCommand = &command{
	name: "xml", summary: "uses the XML core by itself: parse, canonicalise, ask by XPath, validate by schema and rules, verify signatures.",
	example: "viadukt xml verify signed.xml",
	sub: []*command{
		{name: "parse", summary: "says whether files are well-formed XML, and where not.", args: "FILE...", help: "\"-\" is standard input. A DOCTYPE is refused, as everywhere in the program.",
			example: "viadukt xml parse invoice.xml", prepare: prepareParse},
		{name: "c14n", summary: "writes the canonical form of a document.", args: "FILE", example: "viadukt xml c14n invoice.xml --method exc | sha256sum", prepare: prepareC14n},
		{name: "xpath", summary: "evaluates an XPath expression on documents.", args: "EXPRESSION FILE...",
			help:    "The language is XPath 2.0 with what 3.1 adds. doc() reads files beside the document, nothing from the network.",
			example: "viadukt xml xpath \"count(//cac:InvoiceLine)\" invoice.xml --explain", prepare: prepareXPath},
		{name: "xsd", summary: "validates documents against an XML Schema.", args: "FILE...",
			help:    "The language is XML Schema 1.0. Included and imported schemas are read from the disk, nothing from the network.",
			example: "viadukt xml xsd --schema UBL-Invoice-2.1.xsd invoice.xml", prepare: prepareXSD},
		{name: "schematron", summary: "validates documents by rules in ISO Schematron.", args: "FILE...",
			help:    "Included schemas are read from the disk, at most three folders above the schema, nothing from the network.",
			example: "viadukt xml schematron --schema EN16931-UBL-validation.sch invoice.xml --svrl", prepare: prepareSchematron},
		{name: "verify", summary: "verifies XML signatures and says what exactly was signed.", args: "FILE...",
			help:    "The key is the one in the signature itself: the answer says that its holder signed, not whether he can be trusted.",
			example: "viadukt xml verify signed.xml --json", prepare: prepareVerify},
	},
}

// xmlFile is what the XML commands say about a file.
type xmlFile struct {
	File        string       `json:"file"`
	OK          bool         `json:"ok"`
	Result      any          `json:"result,omitempty"` // of parse: xmlResult; of xpath: a list of xpathItem
	Octets      *string      `json:"octets,omitempty"`
	Signed      []*signature `json:"signed,omitempty"`
	Findings    []xsdFinding `json:"findings,omitempty"`
	Explanation string       `json:"explanation,omitempty"`
	Millis      float64      `json:"ms"`
	Error       *exit        `json:"error"`
}

type xmlResult struct {
	Root     string `json:"root"`
	Elements int    `json:"elements"`
	Nodes    int    `json:"nodes"`
	Octets   int    `json:"octets"`
}

// maxDocument bounds what is parsed, in octets.
const maxDocument = 1 << 30

// readFile reads a file of at most maxDocument octets, or standard input for "-"; the error, if any, is in the report.
func (c *call) readFile(file string) ([]byte, *xmlFile) {
	return c.readBy(file, func(r io.Reader, size int64) ([]byte, error) {
		if size > maxDocument {
			return nil, errTooLarge
		}
		return readSized(io.LimitReader(r, maxDocument+1), size)
	})
}

// readForView reads a file as readFile does, larger ones without the attachments in them, which are not shown.
func (c *call) readForView(file string) ([]byte, *xmlFile) {
	return c.readBy(file, func(r io.Reader, size int64) ([]byte, error) {
		if size >= 0 && size < leanFrom {
			return readSized(r, size)
		}
		return edocument.ReadLean(r, sourceMost, maxDocument)
	})
}

var errTooLarge = fmt.Errorf("%w: more than %d octets", edocument.ErrSize, maxDocument)

// readBy opens a file, whose size is -1 where it is not known.
func (c *call) readBy(file string, read func(r io.Reader, size int64) ([]byte, error)) ([]byte, *xmlFile) {
	f := &xmlFile{File: file}
	b, err := func() ([]byte, error) {
		if file == "-" {
			return read(c.p.in, -1)
		}
		r, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		size := int64(-1)
		if info, err := r.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
		return read(r, size)
	}()
	if err == nil && len(b) > maxDocument {
		err = errTooLarge
	}
	switch {
	case errors.Is(err, edocument.ErrSize):
		f.Error = &exit{status: statusFailed, Code: "TOO_LARGE", Text: err.Error(), Remedy: "viadukt validate and the commands that render leave attachments out of what is larger"}
		return nil, f
	case err != nil:
		f.Error = &exit{status: statusUsage, Code: "NO_FILE", Text: err.Error()}
		return nil, f
	}
	if b == nil {
		b = []byte{}
	}
	return b, f
}

// parseFile reads a document; the error, if any, is in the report.
func (c *call) parseFile(file string) (*dom.Document, *xmlFile) {
	b, f := c.readFile(file)
	if b == nil {
		return nil, f
	}
	return parseOctets(f, b), f
}

func millis(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1000 }

func parseOctets(f *xmlFile, b []byte) *dom.Document {
	start := time.Now()
	d, err := dom.Parse(b, dom.Limits{Bytes: maxDocument})
	f.Millis = millis(start)
	if err != nil {
		f.Error = &exit{status: statusInvalid, Code: "NOT_WELL_FORMED", Text: err.Error()}
		var e *dom.Error
		if errors.As(err, &e) {
			f.Error.Where, f.Error.Text = fmt.Sprintf("line %d, column %d", e.Line, e.Column), e.Msg
			if e.Path != "" {
				f.Error.Where += ", " + e.Path
			}
		}
		return nil
	}
	f.OK = true
	return d
}

// each reports on every file; the worst status counts.
func (c *call) each(do func(file string) (*xmlFile, string)) error {
	worst := statusDone
	paint := c.p.paint(c.p.out)
	for _, file := range c.values {
		f, text := do(file)
		if f.Error != nil {
			worst = max(worst, f.Error.status)
		}
		if c.json {
			if err := c.print(f); err != nil {
				return err
			}
			continue
		}
		if f.Error != nil && text == "" {
			c.printf("%s %s: %s\n", paint.bad("✗"), f.File, f.Error.Error())
		}
		if text != "" {
			c.printf("%s %s: %s\n", map[bool]string{true: paint.ok("✓"), false: paint.bad("✗")}[f.OK], f.File, text)
		}
	}
	if worst != statusDone {
		return &exit{status: worst, silent: true}
	}
	return nil
}

func prepareParse(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	return func() error {
		return c.each(func(file string) (*xmlFile, string) {
			d, f := c.parseFile(file)
			if d == nil {
				return f, ""
			}
			r := &xmlResult{Root: "{" + d.Root().Space() + "}" + d.Root().Local(), Nodes: d.Len(), Octets: len(d.Source())}
			for i := range d.Len() {
				if d.At(i).Kind() == dom.ElementNode {
					r.Elements++
				}
			}
			f.Result = r
			return f, fmt.Sprintf("well-formed, %s, %d elements in %.1f ms", r.Root, r.Elements, f.Millis)
		})
	}
}

// c14nMethods are short names.
var c14nMethods = []struct{ name, algorithm string }{
	{"1.0", c14n.Inclusive10}, {"1.0+comments", c14n.Inclusive10Comments}, {"1.1", c14n.Inclusive11}, {"1.1+comments", c14n.Inclusive11Comments},
	{"exc", c14n.Exclusive10}, {"exc+comments", c14n.Exclusive10Comments},
}

func prepareC14n(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	var names []string
	for _, m := range c14nMethods {
		names = append(names, m.name)
	}
	method := c.String("method", "1.0", "`method`: "+strings.Join(names, ", ")+", or the identifier of an algorithm")
	prefixes := c.String("prefixes", "", "with exc: `prefixes` that are treated as inclusive, with commas between")
	return func() error {
		m := c14n.Method{Algorithm: *method}
		for _, k := range c14nMethods {
			if k.name == *method {
				m.Algorithm = k.algorithm
			}
		}
		if *prefixes != "" {
			m.InclusivePrefixes = strings.Split(*prefixes, ",")
		}
		d, f := c.parseFile(c.values[0])
		if d == nil {
			if c.json {
				c.print(f)
				return &exit{status: f.Error.status, silent: true}
			}
			f.Error.Text = f.File + ": " + f.Error.Text
			return f.Error
		}
		octets, err := c14n.Append(nil, m, d.Node())
		switch {
		case errors.Is(err, c14n.ErrAlgorithm):
			return usage("there is no method %q; there are %s", *method, strings.Join(names, ", "))
		case err != nil:
			return &exit{status: statusInvalid, Code: "NO_CANONICAL_FORM", Text: err.Error()}
		case c.json:
			s := string(octets)
			f.Octets = &s
			return c.print(f)
		}
		_, err = c.p.out.Write(octets)
		return err
	}
}

// signature is what one signature proves.
type signature struct {
	OK        bool           `json:"ok"`
	Method    string         `json:"method,omitempty"`
	Signer    string         `json:"signer,omitempty"`
	KeySHA256 string         `json:"certificateSha256,omitempty"`
	Signed    []signedObject `json:"references,omitempty"`
	Error     string         `json:"error,omitempty"`
	Line      int            `json:"line"`
}

type signedObject struct {
	URI  string `json:"uri"`
	What string `json:"what"`
}

func prepareVerify(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	sha1 := c.Bool("allow-sha1", false, "accept SHA-1, for documents of former years")
	return func() error {
		return c.each(func(file string) (*xmlFile, string) {
			d, f := c.parseFile(file)
			if d == nil {
				return f, ""
			}
			var text strings.Builder
			for n := range d.Node().Descendants() {
				if !n.Is(xmldsig.Namespace, "Signature") {
					continue
				}
				s := verifySignature(n, xmldsig.VerifyOptions{AllowSHA1: *sha1})
				f.Signed = append(f.Signed, s)
				f.OK = f.OK && s.OK
				s.describe(&text)
			}
			switch {
			case len(f.Signed) == 0:
				f.OK, f.Error = false, &exit{status: statusInvalid, Code: "NOT_SIGNED", Text: "there is no signature in it"}
			case !f.OK:
				f.Error = &exit{status: statusInvalid, Code: "SIGNATURE", Text: "not every signature holds"}
			}
			return f, strings.TrimSpace(text.String())
		})
	}
}

func verifySignature(n dom.Node, opt xmldsig.VerifyOptions) *signature {
	s := &signature{}
	s.Line, _ = n.Pos()
	r, err := xmldsig.Verify(n, opt)
	if err != nil {
		s.Error = err.Error()
		return s
	}
	s.OK, s.Method = true, r.SignatureMethod
	if len(r.Certificates) > 0 {
		s.Signer, s.KeySHA256 = r.Certificates[0].Subject.String(), fmt.Sprintf("%x", sha256.Sum256(r.Certificates[0].Raw))
	}
	for _, ref := range r.References {
		s.Signed = append(s.Signed, signedObject{ref.URI, signedWhat(ref)})
	}
	return s
}

// signedWhat names what a reference covers.
func signedWhat(r xmldsig.Reference) string {
	n := r.Node
	what := ""
	switch {
	case !n.Valid():
		return "octets outside the document, or a part of " + firstOf(r.Target.Path(), "it")
	case n.Kind() == dom.DocumentNode:
		what = "the whole document"
	case !n.Parent().Parent().Valid():
		what = "the whole document, " + n.QName()
	default:
		line, _ := n.Pos()
		what = fmt.Sprintf("%s, line %d", n.Path(), line)
	}
	if len(r.Except) > 0 {
		what += ", without the signature itself"
	}
	return what
}

// describe tells a person what a signature proves.
func (s *signature) describe(w io.Writer) {
	if !s.OK {
		fmt.Fprintf(w, "signature in line %d does not hold: %s\n", s.Line, s.Error)
		return
	}
	fmt.Fprintf(w, "signature in line %d holds, by %s\n", s.Line, firstOf(s.Signer, "a key without certificate"))
	for _, o := range s.Signed {
		fmt.Fprintf(w, "    signed: %s\n", o.What)
	}
}
