package xsd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// schemaDoc is one schema document under one target namespace: a document without one takes that of its includer.
type schemaDoc struct {
	file         string
	root         dom.Node
	target       string
	chameleon    bool
	qualified    bool // elementFormDefault
	attrs        bool // attributeFormDefault
	blockDefault derivation
	finalDefault derivation
	imports      map[string]bool
}

type docKey struct{ file, target string }

// symbol spaces of named components [XSD1 2.5].
type space uint8

const (
	sType space = iota
	sElement
	sAttribute
	sGroup
	sAttributeGroup
	sNotation
	sConstraint
	nSpaces
)

var spaceNames = [...]string{"type", "element", "attribute", "group", "attribute group", "notation", "identity constraint"}

// entry is one named component, made when first needed.
type entry struct {
	node     dom.Node
	doc      *schemaDoc
	prev     *entry // what this one redefines
	building bool
	typ      typeDef
	element  *element
	attr     *attribute
	group    *group
	attrs    *attributeSet
	constr   *constraint
}

type compiler struct {
	fsys        fs.FS
	opt         Options
	docs        map[docKey]*schemaDoc
	parsed      map[string]dom.Node
	fileOf      map[*dom.Document]string
	files       []string
	bytes       int
	named       [nSpaces]map[qname]*entry
	order       []*entry
	later       []func()
	checks      []func()
	findings    []Finding
	more        bool
	limit       error
	types       []*complexType
	locals      []*element
	constraints []*constraint
	wanted      []want
	lost        map[string]string // by namespace, a location that led nowhere
	pendings    map[typeDef]*pending
	syms        map[qname]int32
	names       []qname
	groups      map[*element][]*element
	depth       int
	transitions int
}

func newCompiler(fsys fs.FS, opt Options) *compiler {
	c := &compiler{fsys: fsys, opt: opt, docs: map[docKey]*schemaDoc{}, parsed: map[string]dom.Node{}, fileOf: map[*dom.Document]string{}, pendings: map[typeDef]*pending{}, syms: map[qname]int32{}, groups: map[*element][]*element{}, lost: map[string]string{}}
	for i := range c.named {
		c.named[i] = map[qname]*entry{}
	}
	return c
}

func (c *compiler) fail(n dom.Node, rule, format string, args ...any) {
	f := Finding{Rule: rule, Text: fmt.Sprintf(format, args...)}
	if n.Valid() {
		f.File = c.fileOf[n.Document()]
		f.Line, f.Column = n.Pos()
		f.Path = n.Path()
	}
	for _, o := range c.findings {
		if o.Rule == f.Rule && o.File == f.File && o.Line == f.Line && o.Column == f.Column && o.Text == f.Text {
			return
		}
	}
	if len(c.findings) >= c.opt.MaxFindings {
		c.more = true
		return
	}
	c.findings = append(c.findings, f)
}

func (c *compiler) stop(format string, args ...any) {
	if c.limit == nil {
		c.limit = fmt.Errorf("xsd: %s: %w", fmt.Sprintf(format, args...), ErrLimit)
	}
}

// parse reads a file once.
func (c *compiler) parse(file string) (dom.Node, error) {
	if n, ok := c.parsed[file]; ok {
		return n, nil
	}
	if len(c.parsed) >= c.opt.Limits.Documents {
		c.stop("more than %d schema documents", c.opt.Limits.Documents)
		return dom.Node{}, c.limit
	}
	b, err := fs.ReadFile(c.fsys, file)
	if err != nil {
		return dom.Node{}, err
	}
	if c.bytes += len(b); c.bytes > c.opt.Limits.Bytes {
		c.stop("schema documents of more than %d octets", c.opt.Limits.Bytes)
		return dom.Node{}, c.limit
	}
	d, err := dom.Parse(withoutExternalSubset(b), dom.Limits{Bytes: c.opt.Limits.Bytes, InternalSubset: true})
	if err != nil {
		var e *dom.Error
		f := Finding{Rule: "s4s-xml", File: file, Text: err.Error()}
		if errors.As(err, &e) {
			f.Line, f.Column, f.Path, f.Text = e.Line, e.Column, e.Path, e.Msg
		}
		return dom.Node{}, &SchemaError{Findings: []Finding{f}}
	}
	c.fileOf[d] = file
	c.files = append(c.files, file)
	c.parsed[file] = d.Root()
	return d.Root(), nil
}

// withoutExternalSubset blanks the external identifier of a document type declaration, as a processor may that does not
// validate with it: the published schemas of XML Signature have one.
func withoutExternalSubset(b []byte) []byte {
	i := bytes.Index(b, []byte("<!DOCTYPE"))
	if i < 0 {
		return b
	}
	rest := b[i:]
	for _, word := range []string{"PUBLIC", "SYSTEM"} {
		at := bytes.Index(rest, []byte(word))
		if end := bytes.IndexAny(rest, "[>"); at < 0 || end >= 0 && end < at {
			continue
		}
		end := at + len(word)
		for quotes := 1 + strings.Count(word, "PUBLIC"); quotes > 0; quotes-- {
			for end < len(rest) && strings.IndexByte(" \t\r\n", rest[end]) >= 0 {
				end++
			}
			if end >= len(rest) || rest[end] != '"' && rest[end] != '\'' {
				return b
			}
			stop := bytes.IndexByte(rest[end+1:], rest[end])
			if stop < 0 {
				return b
			}
			end += stop + 2
		}
		out := bytes.Clone(b)
		for j := i + at; j < i+end; j++ {
			if out[j] != '\n' {
				out[j] = ' '
			}
		}
		return out
	}
	return b
}

// load enters a document and, before its own components, what it includes, imports and redefines.
func (c *compiler) load(file, target string) (*schemaDoc, error) {
	root, err := c.parse(file)
	if err != nil {
		return nil, err
	}
	own, declared := root.AttrNS("", "targetNamespace")
	own = collapse(own)
	if !declared {
		own = target
	}
	key := docKey{file, own}
	if d := c.docs[key]; d != nil {
		return d, nil
	}
	d := &schemaDoc{file: file, root: root, target: own, chameleon: !declared && target != "", imports: map[string]bool{}}
	c.docs[key] = d
	if !root.Is(Namespace, "schema") {
		c.fail(root, "s4s-elt-schema-ns", "the document element must be xs:schema")
		return d, nil
	}
	if declared && own == "" {
		c.fail(root, "s4s-att-invalid-value", "targetNamespace must not be empty")
	}
	before := len(c.findings)
	c.conform(root, "schema", map[string]bool{})
	if len(c.findings) > before {
		return d, nil // what does not conform cannot be built
	}
	d.qualified = collapse(root.Attr("elementFormDefault")) == "qualified"
	d.attrs = collapse(root.Attr("attributeFormDefault")) == "qualified"
	d.blockDefault = derivations(root.Attr("blockDefault"), byExtension|byRestriction|bySubstitution)
	d.finalDefault = derivations(root.Attr("finalDefault"), byExtension|byRestriction|byList|byUnion)
	for n := range root.Elements() {
		switch n.Local() {
		case "include":
			c.include(d, n)
		case "import":
			c.imported(d, n)
		case "redefine":
			c.redefine(d, n)
		default:
			c.enter(d, n)
		}
		if c.limit != nil {
			return d, c.limit
		}
	}
	return d, nil
}

// locate finds the file of a location, relative to the document that names it: by the catalogue, or as a file.
func (c *compiler) locate(d *schemaDoc, location string) (string, bool) {
	if f, ok := c.opt.Catalog[location]; ok && location != "" {
		return f, true
	}
	if f, ok := c.relative(d, location); ok {
		return f, true
	}
	return "", false
}

func (c *compiler) relative(d *schemaDoc, location string) (string, bool) {
	if location == "" || strings.Contains(location, "://") {
		return "", false
	}
	location, _, _ = strings.Cut(location, "#")
	f := path.Join(path.Dir(d.file), strings.ReplaceAll(location, "%20", " "))
	if !fs.ValidPath(f) {
		return "", false
	}
	if s, err := fs.Stat(c.fsys, f); err != nil || s.IsDir() {
		return "", false
	}
	return f, true
}

func (c *compiler) include(d *schemaDoc, n dom.Node) *schemaDoc {
	location := collapse(n.Attr("schemaLocation"))
	file, ok := c.locate(d, location)
	if !ok {
		if n.Is(Namespace, "redefine") && n.FirstElement().Valid() {
			for ch := range n.Elements() {
				if ch.Local() != "annotation" {
					c.fail(n, "src-redefine.2", "schema document %s is not there", quote(location))
					break
				}
			}
		}
		c.lost[d.target] = location
		return nil // a location that leads nowhere is no error by itself [XSD1 4.2.1]
	}
	in, err := c.load(file, d.target)
	if err != nil {
		c.unreadable(n, location, err)
		return nil
	}
	if in.root.Is(Namespace, "schema") && in.target != d.target {
		c.fail(n, "src-include.2.1", "the included document has the target namespace %s, not %s", quote(in.target), quote(d.target))
		return nil
	}
	return in
}

func (c *compiler) unreadable(n dom.Node, location string, err error) {
	var se *SchemaError
	switch {
	case errors.Is(err, ErrLimit):
	case errors.As(err, &se):
		c.findings = append(c.findings, se.Findings...)
	default:
		c.fail(n, "src-include.1", "schema document %s cannot be read: %v", quote(location), err)
	}
}

func (c *compiler) imported(d *schemaDoc, n dom.Node) {
	space, given := n.AttrNS("", "namespace")
	space = collapse(space)
	switch {
	case given && space == d.target:
		c.fail(n, "src-import.1.1", "a document cannot import its own target namespace")
		return
	case !given && d.target == "":
		c.fail(n, "src-import.1.2", "a document without target namespace cannot import what has none")
		return
	}
	d.imports[space] = true
	location := collapse(n.Attr("schemaLocation"))
	file, ok := c.locate(d, location)
	if !ok {
		c.wanted = append(c.wanted, want{space, n})
		c.lost[space] = location
		return
	}
	c.importFile(n, file, location, space)
}

// want is an import whose location leads nowhere. The catalogue's entry for the namespace serves it, unless another
// import has brought that namespace.
type want struct {
	space string
	node  dom.Node
}

func (c *compiler) importWanted() {
	for i := 0; i < len(c.wanted) && c.limit == nil; i++ {
		w := c.wanted[i]
		file, ok := c.opt.Catalog[w.space]
		if !ok || w.space == "" {
			continue
		}
		for k := range c.docs {
			ok = ok && k.target != w.space
		}
		if ok {
			c.importFile(w.node, file, file, w.space)
		}
	}
}

func (c *compiler) importFile(n dom.Node, file, location, space string) {
	in, err := c.load(file, "")
	if err != nil {
		c.unreadable(n, location, err)
		return
	}
	if in.root.Is(Namespace, "schema") && in.target != space {
		c.fail(n, "src-import.3.1", "the imported document has the target namespace %s, not %s", quote(in.target), quote(space))
	}
}

func (c *compiler) redefine(d *schemaDoc, n dom.Node) {
	in := c.include(d, n)
	if in == nil {
		return
	}
	for ch := range n.Elements() {
		s, ok := spaceOf(ch.Local())
		if !ok {
			continue
		}
		q := qname{d.target, collapse(ch.Attr("name"))}
		old := c.named[s][q]
		if old == nil {
			c.fail(ch, "src-redefine.4", "there is no %s %s to redefine", spaceNames[s], quote(q.local))
			continue
		}
		if old.node == ch {
			continue
		}
		if old.doc == d {
			c.fail(ch, "sch-props-correct.2", "%s %s is declared twice", spaceNames[s], quote(q.local))
			continue
		}
		e := &entry{node: ch, doc: d, prev: old}
		c.named[s][q] = e
		c.order = append(c.order, e)
	}
}

func spaceOf(local string) (space, bool) {
	switch local {
	case "simpleType", "complexType":
		return sType, true
	case "element":
		return sElement, true
	case "attribute":
		return sAttribute, true
	case "group":
		return sGroup, true
	case "attributeGroup":
		return sAttributeGroup, true
	case "notation":
		return sNotation, true
	}
	return 0, false
}

// enter registers a top-level component.
func (c *compiler) enter(d *schemaDoc, n dom.Node) {
	s, ok := spaceOf(n.Local())
	if !ok {
		return
	}
	q := qname{d.target, collapse(n.Attr("name"))}
	old := c.named[s][q]
	for o := old; o != nil; o = o.prev {
		if o.node == n {
			return // the same document by two ways
		}
	}
	if old != nil {
		c.fail(n, "sch-props-correct.2", "%s %s is declared twice", spaceNames[s], quote(q.local))
		return
	}
	e := &entry{node: n, doc: d}
	c.named[s][q] = e
	c.order = append(c.order, e)
}

// derivations reads a set of derivation words.
func derivations(s string, all derivation) (d derivation) {
	for _, w := range strings.Fields(s) {
		switch w {
		case "#all":
			d |= all
		case "extension":
			d |= byExtension
		case "restriction":
			d |= byRestriction
		case "substitution":
			d |= bySubstitution
		case "list":
			d |= byList
		case "union":
			d |= byUnion
		}
	}
	return d & all
}
