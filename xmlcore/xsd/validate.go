package xsd

import (
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// ValidateOptions bounds a validation.
type ValidateOptions struct {
	Root        dom.Node // element to begin with; default the document element
	MaxFindings int      // default 100; validation ends there
	Steps       int      // of identity constraints; default 50 million. Beyond it Validate returns ErrLimit
	KeepTypes   bool     // for Result.TypeOf
}

// Result is what a validation found.
type Result struct {
	Valid     bool
	Findings  []Finding
	Truncated bool // there may be more
	assessed  []assessment
}

// assessment is what is known of one element or attribute.
type assessment struct {
	typ  typeDef
	decl *element
	dflt *string // value that stands in for an absent one
}

// TypeInfo is what a validation knows of an element or attribute.
type TypeInfo struct {
	Namespace, Name string  // of the type; empty for an anonymous one
	Default         *string // value that the schema gives to an empty element
}

// TypeOf returns the type that an element or attribute was validated with, when types were kept; ok is false for what was
// not assessed.
func (r *Result) TypeOf(n dom.Node) (info TypeInfo, ok bool) {
	i := n.Index()
	if i >= len(r.assessed) || r.assessed[i].typ == nil {
		return info, false
	}
	q := r.assessed[i].typ.head().name
	return TypeInfo{q.space, q.local, r.assessed[i].dflt}, true
}

// frame is an open element with complex content.
type frame struct {
	node     dom.Node
	end      int
	ct       *complexType
	decl     *element
	auto     *automaton
	state    int32
	counters int // offset in validator.counters
	seen     []bool
	nilled   bool
	broken   bool // the content model was left
	children bool
	tables   map[*constraint]*keyTable
}

type validator struct {
	s        *Schema
	d        *dom.Document
	opt      ValidateOptions
	r        *Result
	syms     []int32 // by NameID: 0 not looked up, symbol+1, or -1 for none
	end      int
	stack    []frame
	counters []int32
	in       input
	ids      map[string]bool
	refs     []reference
	steps    int
	full     bool
	limit    error
}

type reference struct {
	id   string
	node dom.Node
}

// Validate checks a document, beginning with its root, which needs a global declaration or xsi:type. The error is not about
// validity: it is ErrLimit, when the document costs too much to judge.
func (s *Schema) Validate(d *dom.Document, opt ValidateOptions) (*Result, error) {
	if opt.MaxFindings <= 0 {
		opt.MaxFindings = 100
	}
	if opt.Steps <= 0 {
		opt.Steps = 50_000_000
	}
	v := &validator{s: s, d: d, opt: opt, r: &Result{}}
	v.in.notated = func(q qname) bool { return s.notations[q] }
	if s.constraints || opt.KeepTypes {
		v.r.assessed = make([]assessment, d.Len())
	}
	v.run()
	if v.limit != nil {
		return nil, v.limit
	}
	v.r.Valid = len(v.r.Findings) == 0
	if !opt.KeepTypes {
		v.r.assessed = nil
	}
	return v.r, nil
}

func (v *validator) run() {
	root := v.opt.Root
	if !root.Valid() {
		root = v.d.Root()
	}
	v.end = root.End()
	for i := root.Index(); i < v.end && !v.full && v.limit == nil; {
		for len(v.stack) > 0 && i >= v.stack[len(v.stack)-1].end {
			v.pop()
		}
		n := v.d.At(i)
		switch n.Kind() {
		case dom.ElementNode:
			i = v.element(n)
		case dom.TextNode:
			v.text(n)
			i++
		default:
			i++
		}
	}
	for len(v.stack) > 0 && !v.full && v.limit == nil {
		v.pop()
	}
	for _, r := range v.refs {
		if !v.ids[r.id] {
			v.fail(r.node, "cvc-id.1", "there is no element with the identifier %s", quote(r.id))
		}
	}
}

func (v *validator) fail(n dom.Node, rule, format string, args ...any) *Finding {
	if len(v.r.Findings) >= v.opt.MaxFindings {
		v.full, v.r.Truncated = true, true
		return &Finding{}
	}
	f := Finding{Rule: rule, Text: fmt.Sprintf(format, args...), Path: n.Path()}
	f.Line, f.Column = n.Pos()
	v.r.Findings = append(v.r.Findings, f)
	return &v.r.Findings[len(v.r.Findings)-1]
}

// sym returns the symbol of a name, -1 for one that the schema does not know.
func (v *validator) sym(n dom.Node) int32 {
	id := n.NameID()
	for id >= len(v.syms) {
		v.syms = append(v.syms, make([]int32, max(64, id+1-len(v.syms)))...)
	}
	if s := v.syms[id]; s != 0 {
		if s < 0 {
			return -1
		}
		return s - 1
	}
	s, ok := v.s.syms[qname{n.Space(), n.Local()}]
	if !ok {
		v.syms[id] = -1
		return -1
	}
	v.syms[id] = s + 1
	return s
}

func quoteName(n dom.Node) string { return "'" + n.QName() + "'" }

// element begins an element and returns the index of the node to look at next.
func (v *validator) element(n dom.Node) int {
	var decl *element
	mode := strict
	root := len(v.stack) == 0
	sym := v.sym(n)
	if root {
		decl = v.s.elements[sym]
	} else {
		f := &v.stack[len(v.stack)-1]
		f.children = true
		leaf := v.step(f, n, sym)
		switch {
		case leaf == nil:
			return n.End() // a complaint was made, or the parent takes no children
		case leaf.element != nil:
			if decl = leaf.element; decl.sym != sym {
				decl = v.s.elements[sym]
			}
		default:
			mode = leaf.wildcard.process
			if mode == skip {
				return n.End()
			}
			decl = v.s.elements[sym]
		}
	}
	var typ typeDef
	if decl != nil {
		typ = decl.typ
		if decl.abstract {
			v.fail(n, "cvc-elt.2", "%s is abstract: a member of its substitution group must stand here", quoteName(n))
			return n.End()
		}
	}
	typ, nilled, ok := v.instance(n, decl, typ)
	if !ok {
		return n.End()
	}
	if typ == nil {
		switch {
		case root:
			v.fail(n, "cvc-elt.1", "the schema declares no element %s", quote(qname{n.Space(), n.Local()}.String()))
			return v.end
		case mode == strict:
			v.fail(n, "cvc-complex-type.2.4.c", "the wildcard wants a declaration, there is none for %s", quote(qname{n.Space(), n.Local()}.String()))
			return n.End()
		}
		typ = predefined.anyType
	}
	if v.r.assessed != nil {
		v.r.assessed[n.Index()] = assessment{typ: typ, decl: decl}
	}
	ct, isComplex := typ.(*complexType)
	if !isComplex {
		v.noAttributes(n)
		v.simpleContent(n, decl, typ.(*simpleType), nil, nilled)
		return n.End()
	}
	if ct.abstract {
		v.fail(n, "cvc-type.2", "type %s of %s is abstract: xsi:type must name another", ct, quoteName(n))
		return n.End()
	}
	v.attributes(n, ct)
	if ct.content == simpleContent {
		v.simpleContent(n, decl, ct.simple, ct, nilled)
		return n.End()
	}
	f := frame{node: n, end: n.End(), ct: ct, decl: decl, auto: ct.auto, nilled: nilled, counters: len(v.counters)}
	if a := ct.auto; a != nil {
		if a.all != nil {
			f.seen = make([]bool, len(a.leaves))
		}
		for range a.counters {
			v.counters = append(v.counters, 0)
		}
	}
	v.stack = append(v.stack, f)
	return n.Index() + 1 + n.NumAttributes()
}

// instance reads xsi:type and xsi:nil [XSD1 3.3.4]. ok is false when the element cannot be judged further.
func (v *validator) instance(n dom.Node, decl *element, typ typeDef) (t typeDef, nilled, ok bool) {
	t = typ
	if n.NumAttributes() == 0 {
		return t, false, true
	}
	for a := range n.Attributes() {
		if a.Space() != InstanceNamespace {
			continue
		}
		switch a.Local() {
		case "type":
			given := v.xsiType(n, a)
			switch {
			case given == nil:
				if typ == nil {
					return nil, false, false
				}
			case typ != nil && !v.mayReplace(given, typ, decl):
				v.fail(n, "cvc-elt.4.3", "xsi:type %s is not derived from %s, or not in an allowed way", quote(string(a.Value())), typ.head())
				t = given
			default:
				t = given
			}
		case "nil":
			s := collapse(string(a.Value()))
			switch {
			case decl == nil:
			case !decl.nillable:
				v.fail(n, "cvc-elt.3.1", "%s is not nillable", quoteName(n))
			case s == "true" || s == "1":
				nilled = true
				if decl.fixed {
					v.fail(n, "cvc-elt.3.2.2", "%s has a fixed value and cannot be nil", quoteName(n))
				}
			case s != "false" && s != "0":
				v.fail(n, "cvc-datatype-valid.1.2.1", "value %s of xsi:nil is no boolean", quote(s))
			}
		}
	}
	return t, nilled, true
}

func (v *validator) mayReplace(given, typ typeDef, decl *element) bool {
	if given == typ {
		return true
	}
	var block derivation
	if decl != nil {
		block = decl.block
	}
	if c, ok := typ.(*complexType); ok {
		block |= c.block
	}
	return derivedFrom(given, typ, block&(byExtension|byRestriction))
}

func (v *validator) xsiType(n, a dom.Node) typeDef {
	s := collapse(string(a.Value()))
	prefix, local, colon := strings.Cut(s, ":")
	if !colon {
		prefix, local = "", s
	}
	space, bound := n.LookupNamespace(prefix)
	if !isQName(s) || colon && !bound {
		v.fail(n, "cvc-elt.4.1", "xsi:type %s is no name with a declared prefix", quote(s))
		return nil
	}
	q := qname{space, local}
	t := v.s.types[q]
	if t == nil {
		t = predefined.types[q]
	}
	if t == nil {
		v.fail(n, "cvc-elt.4.2", "xsi:type %s names no type of the schema", quote(s))
		return nil
	}
	return t
}
