package xsd

import (
	"fmt"
	"slices"
	"sort"
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

// text checks character data in an element with complex content.
func (v *validator) text(n dom.Node) {
	if len(v.stack) == 0 {
		return
	}
	f := &v.stack[len(v.stack)-1]
	if n.Parent() != f.node {
		return
	}
	switch {
	case f.nilled:
		f.children = true
	case f.ct.content == elementContent:
		if b := n.Value(); !blank(b) {
			v.fail(f.node, "cvc-complex-type.2.3", "text %s is not allowed: the content of %s is elements only", quote(collapse(string(b))), quoteName(f.node)).Value = clip(string(b), 80)
		}
	case f.ct.content == emptyContent:
		v.fail(f.node, "cvc-complex-type.2.1", "%s must be empty", quoteName(f.node))
	}
}

func blank(b []byte) bool {
	for _, c := range b {
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
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

func (v *validator) noAttributes(n dom.Node) {
	for a := range n.Attributes() {
		if !isInstanceAttribute(a) {
			v.fail(n, "cvc-type.3.1.1", "attribute %s is not allowed: the type of %s is simple", quote(a.QName()), quoteName(n))
		}
	}
}

func isInstanceAttribute(a dom.Node) bool {
	if a.Space() != InstanceNamespace {
		return false
	}
	switch a.Local() {
	case "type", "nil", "schemaLocation", "noNamespaceSchemaLocation":
		return true
	}
	return false
}

// attributes checks those of an element with a complex type [XSD1 3.4.4].
func (v *validator) attributes(n dom.Node, ct *complexType) {
	count := n.NumAttributes()
	required, wildIDs := 0, 0
	first := n.Index() + 1
	for i := first; i < first+count; i++ {
		a := v.d.At(i)
		sym := v.sym(a)
		if u := ct.byName[sym]; u != nil && sym >= 0 {
			if u.required {
				required++
			}
			val, ok := v.value(a, n, u.attr.typ, u.constraintFixed())
			if want, fixed := u.constraintValue(); ok && fixed && want != nil && val.key() != u.fixedValue.key() {
				v.fail(n, "cvc-attribute.4", "attribute %s must be %s, not %s", quote(a.QName()), quote(*want), quote(string(a.Value()))).Value = clip(string(a.Value()), 80)
			}
			continue
		}
		if isInstanceAttribute(a) {
			continue
		}
		if ct.wildcard == nil || !ct.wildcard.allows(a.Space()) {
			v.fail(n, "cvc-complex-type.3.2.2", "attribute %s is not allowed in %s", quote(a.QName()), quoteName(n))
			continue
		}
		if ct.wildcard.process == skip {
			continue
		}
		decl := v.s.attributes[sym]
		if decl == nil || sym < 0 {
			if ct.wildcard.process == strict {
				v.fail(n, "cvc-complex-type.3.2.2", "there is no declaration of attribute %s", quote(a.QName()))
			}
			continue
		}
		if isID(decl.typ) {
			if wildIDs++; wildIDs > 1 {
				v.fail(n, "cvc-complex-type.5.1", "attribute %s is the second one of type ID", quote(a.QName()))
			}
			for _, u := range ct.attrs {
				if isID(u.attr.typ) {
					v.fail(n, "cvc-complex-type.5.2", "attribute %s is the second one of type ID", quote(a.QName()))
				}
			}
		}
		val, ok := v.value(a, n, decl.typ, decl.fixed)
		if ok && decl.fixed {
			want, _ := decl.typ.check(*decl.value, &input{node: decl.node}, true)
			if val.key() != want.key() {
				v.fail(n, "cvc-attribute.4", "attribute %s must be %s", quote(a.QName()), quote(*decl.value))
			}
		}
	}
	for _, u := range ct.refDefaults {
		if !n.Attribute(u.attr.name.space, u.attr.name.local).Valid() {
			dflt, _ := u.constraintValue()
			v.checked(*dflt, n, u.attr.typ, subject{node: n, dflt: u}, false)
		}
	}
	if required < ct.must {
		for _, u := range ct.attrs {
			if u.required && !n.Attribute(u.attr.name.space, u.attr.name.local).Valid() {
				v.fail(n, "cvc-complex-type.4", "attribute %s is missing in %s", quote(u.attr.name.String()), quoteName(n))
			}
		}
	}
}

func (u *attributeUse) constraintFixed() bool {
	v, fixed := u.constraintValue()
	return v != nil && fixed
}

// value checks an attribute.
func (v *validator) value(a, at dom.Node, t *simpleType, want bool) (value, bool) {
	if v.r.assessed != nil {
		v.r.assessed[a.Index()] = assessment{typ: t}
	}
	return v.checked(view(a.Value()), at, t, subject{node: a}, want)
}

// subject is whose value is checked: an attribute, the default of one, or an element.
type subject struct {
	node dom.Node
	dflt *attributeUse
}

func (s subject) String() string {
	switch {
	case s.dflt != nil:
		return "default of attribute " + quote(s.dflt.attr.name.local)
	case s.node.Kind() == dom.AttributeNode:
		return "attribute " + quoteName(s.node)
	}
	return quoteName(s.node)
}

// checked validates a text and keeps its identifiers.
func (v *validator) checked(raw string, at dom.Node, t *simpleType, what subject, want bool) (value, bool) {
	v.in.node = at
	v.in.ids, v.in.idrefs = v.in.ids[:0], v.in.idrefs[:0]
	val, bad := t.check(raw, &v.in, want)
	if v.in.limit != nil {
		line, _ := at.Pos()
		v.limit = fmt.Errorf("xsd: line %d: %w: %w", line, ErrLimit, v.in.limit)
		return val, false
	}
	if bad != nil {
		v.fail(at, bad.rule, "%s: %s", what, bad.text).Value = clip(raw, 80)
		return val, false
	}
	for _, id := range v.in.ids {
		if v.ids == nil {
			v.ids = map[string]bool{}
		}
		if v.ids[id] {
			v.fail(at, "cvc-id.2", "identifier %s occurs twice", quote(id))
		}
		v.ids[id] = true
	}
	for _, id := range v.in.idrefs {
		v.refs = append(v.refs, reference{id, at})
	}
	return val, true
}

// simpleContent checks an element whose content is a value.
func (v *validator) simpleContent(n dom.Node, decl *element, t *simpleType, ct *complexType, nilled bool) {
	defer v.leave(n, decl)
	first := n.FirstChild()
	if nilled {
		for c := first; c.Valid(); c = c.NextSibling() {
			if c.Kind() == dom.TextNode || c.Kind() == dom.ElementNode {
				v.fail(n, "cvc-elt.3.2.1", "%s is nil and must be empty", quoteName(n))
				return
			}
		}
		return
	}
	raw := ""
	switch {
	case !first.Valid():
	case first.Kind() == dom.TextNode && first.End() == n.End():
		raw = view(first.Value())
	default:
		if e := n.FirstElement(); e.Valid() {
			rule := "cvc-type.3.1.2"
			if ct != nil {
				rule = "cvc-complex-type.2.2"
			}
			v.fail(n, rule, "%s holds a value and no elements, found %s", quoteName(n), quoteName(e))
			return
		}
		raw = n.Text()
	}
	if raw == "" && decl != nil && decl.value != nil {
		raw = *decl.value
		if v.r.assessed != nil {
			v.r.assessed[n.Index()].dflt = decl.value
		}
		if decl.typ != typeDef(t) && decl.typ != typeDef(ct) {
			v.checked(raw, n, t, subject{node: n}, false)
		}
		return
	}
	fixed := decl != nil && decl.fixed
	val, ok := v.checked(raw, n, t, subject{node: n}, fixed)
	if ok && fixed {
		if want, bad := t.check(*decl.value, &input{node: decl.node, notated: v.in.notated}, true); bad == nil && want.key() != val.key() {
			v.fail(n, "cvc-elt.5.2.2.2.2", "%s must be %s, not %s", quoteName(n), quote(*decl.value), quote(raw)).Value = clip(raw, 80)
		}
	}
}

// step moves the content model of f over a child. nil means that the child cannot be judged.
func (v *validator) step(f *frame, n dom.Node, sym int32) *particle {
	switch {
	case f.nilled:
		return nil
	case f.auto == nil:
		if !f.broken {
			f.broken = true
			v.fail(n, "cvc-complex-type.2.1", "%s must be empty, found %s", quoteName(f.node), quoteName(n))
		}
		return nil
	case f.auto.all != nil:
		return v.stepAll(f, n, sym)
	}
	st := &f.auto.states[f.state]
	if sym >= 0 {
		i := findEdge(st.edges, sym)
		for ; i < len(st.edges) && st.edges[i].sym == sym; i++ {
			if e := &st.edges[i]; v.apply(f, e.ops) {
				f.state = e.to
				return f.auto.leaves[e.leaf]
			}
		}
	}
	if len(st.wild) > 0 {
		space := n.Space()
		for i := range st.wild {
			e := &st.wild[i]
			if f.auto.leaves[e.leaf].wildcard.allows(space) && v.apply(f, e.ops) {
				f.state = e.to
				return f.auto.leaves[e.leaf]
			}
		}
	}
	return v.unexpected(f, n, sym)
}

func findEdge(edges []edge, sym int32) int {
	if len(edges) <= 8 {
		for i := range edges {
			if edges[i].sym >= sym {
				return i
			}
		}
		return len(edges)
	}
	return sort.Search(len(edges), func(i int) bool { return edges[i].sym >= sym })
}

// apply checks the ops of an edge and, if they hold, counts.
func (v *validator) apply(f *frame, ops int32) bool {
	if ops == 0 {
		return true
	}
	list := f.auto.opLists[ops]
	c := v.counters[f.counters:]
	for _, o := range list {
		n := f.auto.counters[o.counter]
		if o.kind == opLeave && c[o.counter] < n.min || o.kind == opNext && n.max >= 0 && c[o.counter] >= n.max {
			return false
		}
	}
	for _, o := range list {
		n := f.auto.counters[o.counter]
		switch {
		case o.kind == opReset:
			c[o.counter] = 1
		case o.kind == opNext && (n.max >= 0 || c[o.counter] < n.min):
			c[o.counter]++
		}
	}
	return true
}

// unexpected complains about a child that the content model does not allow here, and goes on where it would have been
// right.
func (v *validator) unexpected(f *frame, n dom.Node, sym int32) *particle {
	if !f.broken {
		f.broken = true
		names := v.expected(f)
		text := "nothing more is expected"
		rule := "cvc-complex-type.2.4.d"
		if len(names) > 0 {
			text, rule = "expected is "+oneOf(names), "cvc-complex-type.2.4.a"
		}
		x := v.fail(n, rule, "%s is not allowed here; %s", quoteName(n), text)
		x.Expected = names
	}
	if sym < 0 {
		return nil
	}
	if e, ok := f.auto.anywhere[sym]; ok {
		f.state = e.to
		return f.auto.leaves[e.leaf]
	}
	return nil
}

func oneOf(names []string) string {
	const most = 8
	var out []string
	for i, q := range names {
		if i == most {
			out = append(out, fmt.Sprintf("... (%d in all)", len(names)))
			break
		}
		if j := strings.LastIndexByte(q, '}'); j >= 0 {
			q = q[j+1:]
		}
		out = append(out, q)
	}
	if len(out) == 1 {
		return out[0]
	}
	return "one of " + strings.Join(out, ", ")
}

// expected lists what could come next.
func (v *validator) expected(f *frame) []string {
	var out []string
	add := func(s string) {
		if !slices.Contains(out, s) && len(out) < 200 {
			out = append(out, s)
		}
	}
	if f.auto.all != nil {
		for i, p := range f.auto.leaves {
			if !f.seen[i] {
				add(p.element.name.String())
			}
		}
		return out
	}
	st := &f.auto.states[f.state]
	edges := slices.Clone(st.edges)
	slices.SortStableFunc(edges, func(a, b edge) int { return int(a.leaf - b.leaf) })
	for _, e := range edges {
		if v.possible(f, e.ops) {
			add(v.s.names[e.sym].String())
		}
	}
	for _, e := range st.wild {
		if v.possible(f, e.ops) {
			add(f.auto.leaves[e.leaf].wildcard.String())
		}
	}
	return out
}

func (v *validator) possible(f *frame, ops int32) bool {
	for _, o := range f.auto.opLists[ops] {
		n, c := f.auto.counters[o.counter], v.counters[f.counters:]
		if o.kind == opLeave && c[o.counter] < n.min || o.kind == opNext && n.max >= 0 && c[o.counter] >= n.max {
			return false
		}
	}
	return true
}

func (v *validator) stepAll(f *frame, n dom.Node, sym int32) *particle {
	i, ok := f.auto.all.bySym[sym]
	if !ok || sym < 0 || f.seen[i] {
		if !f.broken {
			f.broken = true
			names := v.expected(f)
			rule, text := "cvc-complex-type.2.4.d", "nothing more is expected"
			if len(names) > 0 {
				rule, text = "cvc-complex-type.2.4.a", "expected is "+oneOf(names)
			}
			v.fail(n, rule, "%s is not allowed here; %s", quoteName(n), text).Expected = names
		}
		if !ok || sym < 0 {
			return nil
		}
	}
	f.seen[i] = true
	return f.auto.leaves[i]
}

// pop ends an element.
func (v *validator) pop() {
	f := &v.stack[len(v.stack)-1]
	switch {
	case f.nilled:
		if f.children {
			v.fail(f.node, "cvc-elt.3.2.1", "%s is nil and must be empty", quoteName(f.node))
		}
	case f.auto != nil && !f.broken && !v.accepts(f):
		names := v.expected(f)
		v.fail(f.node, "cvc-complex-type.2.4.b", "%s is not complete; expected is %s", quoteName(f.node), oneOf(names)).Expected = names
	case f.decl != nil && f.decl.value != nil && f.ct.content == mixedContent:
		v.mixedFixed(f)
	}
	v.counters = v.counters[:f.counters]
	n, decl := f.node, f.decl
	if v.s.constraints && v.limit == nil {
		v.constraints(n, decl, f.tables)
	}
	v.stack = v.stack[:len(v.stack)-1]
}

func (v *validator) mixedFixed(f *frame) {
	if !f.decl.fixed {
		return
	}
	if f.children {
		v.fail(f.node, "cvc-elt.5.2.2.1", "%s has a fixed value and no elements", quoteName(f.node))
		return
	}
	if s := f.node.Text(); f.node.FirstChild().Valid() && s != "" && s != *f.decl.value {
		v.fail(f.node, "cvc-elt.5.2.2.2.1", "%s must be %s", quoteName(f.node), quote(*f.decl.value))
	}
}

func (v *validator) accepts(f *frame) bool {
	if a := f.auto.all; a != nil {
		any := false
		missing := false
		for i, req := range a.required {
			any = any || f.seen[i]
			missing = missing || req && !f.seen[i]
		}
		return !missing || a.optional && !any
	}
	for _, ops := range f.auto.states[f.state].accept {
		if ops == 0 || v.possible(f, ops) {
			return true
		}
	}
	return false
}

// leave evaluates the constraints of an element without a frame.
func (v *validator) leave(n dom.Node, decl *element) {
	if v.s.constraints && v.limit == nil && decl != nil && len(decl.constraints) > 0 {
		v.constraints(n, decl, nil)
	}
}
