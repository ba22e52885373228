package schematron

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// compiler turns a schemaSource into a Schema.
type compiler struct {
	*loader
	src *schemaSource
	s   *Schema
	env *xpath.Static // with the variables that are visible where the compiler stands

	shared map[string]*ruleSource // abstract rules
	parts  int                    // see affords
}

// baseURI of expressions: a file of the rules is known as base + its name.
const base = "rules:/"

func compile(src *schemaSource, l *loader, opt Options) (*Schema, error) {
	if len(src.namespaces) == 0 && !src.stylesheet {
		// Published schemas without any sch:ns mean the declarations of XML on their root, which the usual engines let
		// through.
		for p, u := range src.at.node.InScope() {
			if p != "" && p != "xml" {
				src.namespaces = append(src.namespaces, namespace{p, u})
			}
		}
		slices.SortFunc(src.namespaces, func(a, b namespace) int { return strings.Compare(a.prefix, b.prefix) })
	}
	c := &compiler{loader: l, src: src}
	c.s = &Schema{title: src.title, version: src.version, namespaces: src.namespaces, keys: map[string][]key{}, names: opt.Names}
	if c.s.names == nil {
		c.s.names = xpath.NewNames()
	}
	c.env = &xpath.Static{Namespaces: map[string]string{}, Names: c.s.names, XSLT: true, BaseURI: base + src.at.file}
	for _, n := range src.namespaces {
		c.env.Namespaces[n.prefix] = n.uri
	}
	if src.stylesheet {
		for p, u := range src.at.node.InScope() {
			if _, ok := c.env.Namespaces[p]; !ok && p != "" {
				c.env.Namespaces[p] = u
			}
		}
	}
	c.env.Functions = append(c.env.Functions, keyFunction(2), keyFunction(3))
	bodies := c.declareFunctions()

	if len(src.patterns) == 0 {
		c.problem(src.at, nil, "there is no pattern in it: nothing would be judged")
	}
	active, lets := c.phase(opt.Phase)
	patterns := c.resolve(active)
	c.globals(append(slices.Clone(src.lets), lets...), patterns)
	done := c.own(nil)
	for _, b := range bodies {
		c.functionBody(b)
	}
	c.compileKeys()
	done()
	for i, p := range patterns {
		c.rules(p, &c.s.patterns[i])
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	c.s.files, c.s.warnings = l.files, l.warnings
	c.s.documents = &documents{fsys: l.fsys, limits: l.limits}
	c.s.index()
	return c.s, nil
}

// phase returns which patterns run, and the variables of the phase [Schematron 5.4.11].
func (c *compiler) phase(want string) (func(id string) bool, []letSource) {
	all := func(string) bool { return true }
	if want == "#DEFAULT" {
		want = c.src.defaultPhase
	}
	known := map[string]bool{}
	for _, p := range c.src.patterns {
		if p.id != "" && known[p.id] {
			c.problem(p.at, nil, "two patterns have the id %q", p.id)
		}
		known[p.id] = true
	}
	var chosen *phaseSource
	for i := range c.src.phases {
		p := &c.src.phases[i]
		for _, a := range p.active {
			if !known[a] {
				c.problem(p.at, nil, "phase %q names the pattern %q, which there is not", p.id, a)
			}
		}
		if p.id == want {
			chosen = p
		}
	}
	if want == "" || want == "#ALL" {
		return all, nil
	}
	if chosen == nil {
		c.problem(c.src.at, nil, "there is no phase %q", want)
		return all, nil
	}
	c.s.phase = want
	return func(id string) bool { return slices.Contains(chosen.active, id) }, chosen.lets
}

// globals declares the variables of the schema and of its patterns, all of them before any value is compiled: like those
// of a style sheet they may refer to one another in any order. A variable of a pattern is visible in the others too,
// unless they have one of its name: published rules rely on it, since the skeleton of ISO makes them global.
func (c *compiler) globals(lets []letSource, patterns []*patternSource) {
	for _, l := range lets {
		c.declare(l, false)
	}
	for _, p := range patterns {
		out := pattern{id: p.id, name: p.name, lo: len(c.s.lets)}
		for _, l := range p.lets {
			c.declare(l, false)
		}
		out.hi = len(c.s.lets)
		c.s.patterns = append(c.s.patterns, out)
	}
	c.s.globals = len(c.s.lets)
	done := c.own(nil)
	for i, l := range lets {
		c.letValue(l, &c.s.lets[i])
	}
	done()
	for i, p := range patterns {
		done := c.own(&c.s.patterns[i])
		for j, l := range p.lets {
			c.letValue(l, &c.s.lets[c.s.patterns[i].lo+j])
		}
		done()
	}
}

// own makes the variables of a pattern, or those of the schema where it is nil, hide what other patterns call the same;
// the function that it returns ends that.
func (c *compiler) own(p *pattern) func() {
	before := c.env.Variables
	common := len(c.s.lets)
	if len(c.s.patterns) > 0 {
		common = c.s.patterns[0].lo
	}
	names := map[xpath.QName]bool{}
	for i := range common {
		names[before[i].Name] = true
	}
	if p != nil {
		for i := p.lo; i < p.hi; i++ {
			names[before[i].Name] = true
		}
	}
	var vars []xpath.Variable
	for i := common; i < c.s.globals; i++ {
		if (p == nil || i < p.lo || i >= p.hi) && names[before[i].Name] {
			if vars == nil {
				vars = slices.Clone(before)
			}
			vars[i].Name = xpath.QName{Space: "hidden", Local: fmt.Sprint(i)}
		}
	}
	if vars == nil {
		return func() {}
	}
	c.env.Variables = vars
	return func() { // keep what was declared since
		c.env.Variables = append(slices.Clone(before), c.env.Variables[len(before):]...)
	}
}

// declare gives a variable its index and returns it.
func (c *compiler) declare(l letSource, rule bool) int {
	if l.name == "" {
		c.problem(l.at, nil, "a variable without name")
	}
	c.s.lets = append(c.s.lets, let{name: l.name, rule: rule})
	v := xpath.Variable{Name: c.variableName(l.at, l.name)}
	if l.expr != "" && !strings.Contains(l.expr, "$") && l.at.node.Space() != xsltNamespace && l.at.node.Attr("as") == "" {
		if x, err := xpath.Compile(l.expr, c.environment(l.at)); err == nil { // an error is told where the value is compiled
			v.Value, _ = x.Constant()
		}
	}
	c.env.Variables = append(c.env.Variables, v)
	return len(c.s.lets) - 1
}

func (c *compiler) variableName(at place, name string) xpath.QName {
	prefix, local, ok := strings.Cut(name, ":")
	if !ok {
		return xpath.QName{Local: name}
	}
	uri, ok := c.env.Namespaces[prefix]
	if !ok {
		uri, _ = at.node.LookupNamespace(prefix)
	}
	return xpath.QName{Space: uri, Local: local, Prefix: prefix}
}

// local compiles and then declares the variables of a pattern or a rule, one after the other.
func (c *compiler) local(l letSource, rule bool) {
	var v let
	c.letValue(l, &v)
	i := c.declare(l, rule)
	v.name, v.rule = c.s.lets[i].name, rule
	c.s.lets[i] = v
}

func (c *compiler) letValue(l letSource, v *let) {
	v.as = c.sequenceType(l.at, l.at.node.Attr("as"))
	switch {
	case l.expr == "":
		v.first = len(c.env.Variables)
		v.value = c.content(l.at, c.environment(l.at), l.at.node, v.first)
		v.slots = slotsOf(v.value, 0)
		v.tree = v.as == nil
	case l.at.node.Space() == xsltNamespace:
		v.value = program{{op: opSequence, expr: c.in(l.at, c.fileEnv(l.at), l.expr)}}
	default:
		v.value = program{{op: opSequence, expr: c.expr(l.at, l.expr)}}
	}
}

// hide makes the variables from an index on unfindable without moving others.
func (c *compiler) hide(from int) {
	if from == len(c.env.Variables) {
		return
	}
	vars := slices.Clone(c.env.Variables)
	for i := from; i < len(vars); i++ {
		vars[i].Name = xpath.QName{Space: "hidden", Local: fmt.Sprint(i)}
	}
	c.env.Variables = vars
}

// environment is the static context of an expression at a place.
func (c *compiler) environment(at place) *xpath.Static {
	env := *c.env
	env.BaseURI = base + at.file
	return &env
}

func (c *compiler) expr(at place, src string) *xpath.Expr {
	e, err := xpath.Compile(src, c.environment(at))
	if err != nil {
		c.problem(at, err, "%v", err)
		return nil
	}
	return e
}

func (c *compiler) pattern(at place, src string) *xpath.Pattern {
	p, err := xpath.CompilePattern(src, c.environment(at))
	if err != nil {
		c.problem(at, err, "%v", err)
		return nil
	}
	return p
}

func (c *compiler) template(pieces []piece) *template {
	t := &template{}
	fixed := true
	var b strings.Builder
	for _, p := range pieces {
		if p.expr != "" {
			t.parts = append(t.parts, textPart{expr: c.expr(p.at, p.expr)})
			fixed = false
			continue
		}
		t.parts = append(t.parts, textPart{literal: p.literal})
		b.WriteString(p.literal)
	}
	if fixed {
		t.fixed = b.String()
		t.parts = []textPart{{literal: t.fixed}}
	}
	return t
}

// resolve returns the active patterns with abstract ones filled in. Abstract rules may be in any pattern: published
// schemas share them across.
func (c *compiler) resolve(active func(string) bool) (out []*patternSource) {
	abstract := map[string]*patternSource{}
	c.shared = map[string]*ruleSource{}
	for _, p := range c.src.patterns {
		if p.abstract {
			abstract[p.id] = p
		}
		for _, r := range p.rules {
			if r.abstract && r.id != "" {
				c.shared[r.id] = r
			}
		}
	}
	for _, p := range c.src.patterns {
		if p.abstract || !active(p.id) {
			continue
		}
		if p.isA != "" {
			of := abstract[p.isA]
			if of == nil {
				c.problem(p.at, nil, "is-a=%q names no abstract pattern", p.isA)
				continue
			}
			parts := 0
			for _, r := range of.rules {
				parts += len(r.parts)
			}
			if !c.affords(p.at, parts) {
				return out
			}
			p = of.with(p)
		}
		out = append(out, p)
	}
	return out
}

// rules compiles the rules of a pattern.
func (c *compiler) rules(p *patternSource, out *pattern) {
	defer c.own(out)()
	own := c.shared
	if slices.ContainsFunc(p.rules, func(r *ruleSource) bool { return r.abstract }) {
		own = maps.Clone(c.shared)
		for _, r := range p.rules { // with the parameters of this instance, and before those of other patterns
			if r.abstract {
				own[r.id] = r
			}
		}
	}
	for _, r := range p.rules {
		if r.abstract {
			continue
		}
		x := rule{id: r.id, flag: r.flag, role: r.role, lo: len(c.s.lets), match: c.pattern(r.at, r.context)}
		c.ruleParts(r, &x, own, nil)
		x.hi = len(c.s.lets)
		x.collectNeeds()
		c.hide(x.lo)
		out.rules = append(out.rules, x)
		c.s.rules++
	}
}

// affords counts assertions and variables with all that rules extend and patterns instantiate, and reports whether there
// may be so many more.
func (c *compiler) affords(at place, more int) bool {
	if c.parts > maxParts {
		return false
	}
	if c.parts += more; c.parts > maxParts {
		c.problem(at, nil, "more than %d assertions and variables with all that rules extend and patterns instantiate", maxParts)
		return false
	}
	return true
}

func (c *compiler) ruleParts(r *ruleSource, x *rule, shared map[string]*ruleSource, above []string) {
	for _, part := range r.parts {
		if !c.affords(r.at, 1) {
			return
		}
		switch {
		case part.let != nil:
			c.local(*part.let, true)
		case part.assert != nil:
			c.assertion(part.assert, x)
		case slices.Contains(above, part.extends) || len(above) > maxDepth:
			c.problem(r.at, nil, "rule %q extends itself", part.extends)
		default:
			from := shared[part.extends]
			if from == nil {
				c.problem(r.at, nil, "extends rule=%q, which there is not", part.extends)
				continue
			}
			c.ruleParts(from, x, shared, append(above, part.extends))
		}
	}
}

func (c *compiler) assertion(a *assertSource, x *rule) {
	out := assertion{id: a.id, flag: a.flag, role: a.role, report: a.report, failed: a.failed, test: c.expr(a.at, a.test), text: c.template(a.text)}
	out.diagnostics = c.texts("diagnostic", a.at, a.diagnostics)
	out.properties = c.texts("property", a.at, a.properties)
	if out.test == nil {
		return
	}
	x.asserts = append(x.asserts, out)
	c.s.assertions++
}

// texts compiles the diagnostics or properties that an assertion names, where its variables are visible.
func (c *compiler) texts(kind string, at place, ids []string) (out []namedText) {
	for _, id := range ids {
		i := slices.IndexFunc(c.src.texts, func(t textSource) bool { return t.kind == kind && t.id == id })
		if i < 0 {
			c.problem(at, nil, "there is no %s %q", kind, id)
			continue
		}
		out = append(out, namedText{id, c.template(c.src.texts[i].text)})
	}
	return out
}

// dispatch finds the rules that may match a node, in the order of patterns and of rules in them. Its lists hold places in
// Schema.candidates.
type dispatch struct {
	elements   []named // by the number of the name
	attributes []named
	other      [8][]int32 // by kind: for nodes whose name no rule asks for
}

// named is the candidates for one name.
type named struct {
	any     []int32     // whatever the name of the parent
	parents []offspring // with those that ask for this parent
}

type offspring struct {
	parent int32
	list   []int32
}

type candidate struct {
	pattern, rule int32
	branch        int32
	plain         bool        // kind and name, and that of the parent, decide
	fixed         int32       // which one of those it is that variables may rule out, from 1; 0: none
	ways          []xpath.Way // one of them has to lead to a node; nil: nothing is known
}

func (s *Schema) index() {
	var all []xpath.Branch                                                              // by place in s.candidates
	asked := map[dom.Kind]map[int32][]int32{dom.ElementNode: {}, dom.AttributeNode: {}} // names, and the parents of each
	for p := range s.patterns {
		for r := range s.patterns[p].rules {
			match := s.patterns[p].rules[r].match
			for i, b := range match.Branches() {
				c := candidate{pattern: int32(p), rule: int32(r), branch: int32(i), plain: b.Plain}
				c.ways, _ = match.Needs(i)
				if b.Fixed {
					s.fixed++
					c.fixed = s.fixed
				}
				s.candidates = append(s.candidates, c)
				all = append(all, b)
				if names := asked[b.Kind]; b.NameID >= 0 && names != nil {
					names[b.NameID] = append(names[b.NameID], b.ParentID)
				}
				s.attributes = s.attributes || b.Kind == dom.AttributeNode
			}
		}
	}
	d := &s.dispatch
	for kind, names := range asked {
		lists := make([]named, s.names.Len())
		for i, b := range all {
			switch {
			case b.Kind != kind && b.Kind != dom.NoNode:
			case b.NameID >= 0:
				lists[b.NameID].any = append(lists[b.NameID].any, int32(i))
			default:
				for id := range names {
					lists[id].any = append(lists[id].any, int32(i))
				}
			}
		}
		for id, parents := range names {
			x := &lists[id]
			of := func(parent int32) (list []int32) {
				for _, i := range x.any {
					if b := &all[i]; b.NameID < 0 || b.ParentID < 0 || b.ParentID == parent {
						list = append(list, i)
					}
				}
				return list
			}
			slices.Sort(parents)
			for _, parent := range slices.Compact(parents) {
				if parent >= 0 {
					x.parents = append(x.parents, offspring{parent, of(parent)})
				}
			}
			x.any = of(-1)
		}
		if kind == dom.ElementNode {
			d.elements = lists
		} else {
			d.attributes = lists
		}
	}
	for kind := range d.other {
		k := dom.Kind(kind)
		for i, b := range all {
			if (b.Kind == k || b.Kind == dom.NoNode) && (b.NameID < 0 || asked[k] == nil) {
				d.other[kind] = append(d.other[kind], int32(i))
			}
		}
	}
}

// find returns the places of the rules to try for a node by the names of itself and its parent.
func (d *dispatch) find(kind dom.Kind, name, parent int32) []int32 {
	var lists []named
	switch kind {
	case dom.ElementNode:
		lists = d.elements
	case dom.AttributeNode:
		lists = d.attributes
	}
	if name < 0 || int(name) >= len(lists) {
		return d.other[kind]
	}
	x := &lists[name]
	for i := range x.parents {
		if x.parents[i].parent == parent {
			return x.parents[i].list
		}
	}
	if x.any == nil && x.parents == nil {
		return d.other[kind]
	}
	return x.any
}
