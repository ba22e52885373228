package rules

import (
	"strings"
	"sync"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// test reports whether the context node obeys a rule.
type test func(x *eval) bool

// assert is one rule at one context.
type assert struct {
	id    string
	flag  edocument.Severity
	holds test
	rule  *Rule
}

// context says for which nodes a list of asserts is asked.
type context struct {
	matches []match
	when    test // further condition, nil none
	names   func(local string) bool
	asserts []assert
}

type match struct {
	p        *path
	absolute bool // begins at the document element
}

// pattern is a list of contexts; each node belongs to the first that matches.
type pattern struct {
	contexts []*context
	byCode   [][]*context // by the code of the last step
	byName   []*context   // contexts that choose names by their form
}

// Set is one publication of rules for one syntax. It is immutable and safe for concurrent use.
type Set struct {
	id, version string
	v           *vocabulary
	patterns    []*pattern
	absent      *absence // elements that must not occur, nil none
	model       *model   // elements that may occur, nil any
	rules       []*Rule
	prepare     func(x *eval) // computes what several rules ask
	pool        sync.Pool
}

// eval is the state of one document under one set.
type eval struct {
	set   *Set
	doc   *dom.Document
	root  dom.Node
	n     dom.Node     // context node
	names []uint16     // code by NameID
	all   [][]dom.Node // by code: elements anywhere, where listed
	top   [][]dom.Node // by code: children of the document element
	facts any          // what prepare found
	open  []dom.Node
	trail []int32
	last  []int32 // by absent rule: the context node it was reported for, plus one

	steps, budget int // of looking for nodes: a document made to be slow ends there

	note, fix string // set by a test that fails: the numbers, and what to do

	listed  []bool    // by code: some path looks for the name anywhere
	twice   []bool    // by code: somewhere two elements of the name stand beside each other
	rows    [][]int32 // by depth and code: the last parent, plus one
	parents []dom.Node
	unclear bool // a test wanted one node and found several: the published one cannot be evaluated, and the rule is broken

	out        []raw
	limit      int
	suppressed int
	refused    bool
}

// The budget of steps, from documents of all kinds: an invoice of 7,250 lines takes 25 a node.
const (
	stepsAlways  = 20_000_000
	stepsPerNode = 100
)

// raw is a finding before it is described.
type raw struct {
	a         *assert
	n         dom.Node
	note, fix string
}

// spend counts a step, and exhausted says that there were too many. A sound document of any size stays far below its
// budget, which grows with it; one that repeats what occurs once makes rules cost the square of its size.
func (x *eval) spend()          { x.steps++ }
func (x *eval) exhausted() bool { return x.steps > x.budget }

func (x *eval) code(n dom.Node) uint16 { return x.names[n.NameID()] }

// seal builds the tables; afterwards the set never changes.
func (s *Set) seal() *Set {
	seen := map[string]*Rule{}
	for _, p := range s.patterns {
		p.byCode = make([][]*context, len(s.v.names))
		for _, c := range p.contexts {
			if c.names != nil {
				p.byName = append(p.byName, c)
			}
			for i := range c.asserts {
				s.register(seen, &c.asserts[i])
			}
		}
		for code := range p.byCode {
			for _, c := range p.contexts {
				if c.reaches(s.v, uint16(code)) {
					p.byCode[code] = append(p.byCode[code], c)
				}
			}
		}
	}
	if s.absent != nil {
		for i := range s.absent.asserts {
			s.register(seen, &s.absent.asserts[i])
		}
	}
	if s.model != nil {
		for _, a := range s.model.asserts {
			s.register(seen, a)
		}
	}
	s.pool.New = func() any { return &eval{set: s} }
	return s
}

func (s *Set) register(seen map[string]*Rule, a *assert) {
	if r := seen[a.id]; r != nil {
		a.rule = r
		return
	}
	r := &Rule{ID: a.id, Severity: a.flag, Text: text(a.id), Remedy: remedy(a.id)}
	if a.rule != nil {
		r.Text, r.Remedy = a.rule.Text, a.rule.Remedy
	}
	a.rule, seen[a.id] = r, r
	s.rules = append(s.rules, r)
}

func (c *context) reaches(v *vocabulary, code uint16) bool {
	if c.names != nil {
		return code != 0 && c.names(strings.TrimPrefix(v.names[code], "qdt:"))
	}
	for _, m := range c.matches {
		if len(m.p.steps) == 0 {
			if v.roots[code] {
				return true
			}
			continue
		}
		if last := m.p.steps[len(m.p.steps)-1].code; last == code || last == anyName {
			return true
		}
	}
	return false
}

// holds reports whether a node, whose name fits already, matches.
func (m match) holds(x *eval, n dom.Node) bool {
	steps := m.p.steps
	if len(steps) == 0 {
		return n == x.root
	}
	for i := len(steps) - 1; i >= 0; i-- {
		if !n.Valid() || n.Kind() != dom.ElementNode || steps[i].code != anyName && x.code(n) != steps[i].code {
			return false
		}
		if n == x.root && m.absolute { // the steps begin below the document element
			return false
		}
		n = n.Parent()
	}
	if m.absolute && n != x.root {
		return false
	}
	return true
}

// conditions are asked after the names fit, innermost first.
func (m match) conditions(x *eval, n dom.Node) bool {
	steps := m.p.steps
	for i := len(steps) - 1; i >= 0; i-- {
		if !steps[i].holds(x, n) {
			return false
		}
		n = n.Parent()
	}
	return true
}

func (c *context) holds(x *eval, n dom.Node) bool {
	if c.names != nil {
		if c.when == nil {
			return true
		}
		x.n = n
		return c.when(x)
	}
	for _, m := range c.matches {
		if m.holds(x, n) && m.conditions(x, n) {
			if c.when == nil {
				return true
			}
			x.n = n
			return c.when(x)
		}
	}
	return false
}

// run asks all rules of the set.
func (s *Set) run(doc *dom.Document, limit int) *eval {
	x := s.pool.Get().(*eval)
	x.reset(doc, limit)
	if s.prepare != nil {
		s.prepare(x)
	}
	open, trail := x.open[:0], x.trail[:0] // ancestors of the node, and where each stands in the tree of absent names
	for i := x.root.Index(); i < x.root.End(); i++ {
		n := doc.At(i)
		if n.Kind() != dom.ElementNode {
			continue
		}
		if x.exhausted() {
			break
		}
		code := x.code(n)
		if s.absent != nil || s.model != nil {
			parent := n.Parent()
			for len(open) > 0 && open[len(open)-1] != parent {
				open, trail = open[:len(open)-1], trail[:len(trail)-1]
			}
			at := atRoot
			if len(open) > 0 {
				at = trail[len(trail)-1]
			}
			switch {
			case s.model != nil:
				at = s.model.step(x, at, n, code)
			case len(open) > 0:
				at = s.absent.step(x, at, open, n, code)
			default:
				s.absent.attributes(x, atRoot, nil, n)
			}
			if n.FirstElement().Valid() {
				open, trail = append(open, n), append(trail, at)
			}
		}
		for _, p := range s.patterns {
			candidates := p.byCode[code]
			if code == 0 {
				candidates = p.byName
			}
			for _, c := range candidates {
				if code == 0 && !c.names(n.Local()) || !c.holds(x, n) {
					continue
				}
				x.ask(c.asserts, n)
				break
			}
		}
	}
	x.open, x.trail = open[:0], trail[:0]
	return x
}

func (x *eval) ask(asserts []assert, n dom.Node) {
	for j := range asserts {
		x.n = n
		x.unclear = false
		if a := &asserts[j]; !a.holds(x) || x.unclear {
			x.report(a, n)
		} else if x.note != "" { // of an alternative that failed
			x.note, x.fix = "", ""
		}
	}
}

func (x *eval) report(a *assert, n dom.Node) {
	x.refused = x.refused || a.flag.Refuses()
	if len(x.out) < x.limit {
		x.out = append(x.out, raw{a, n, x.note, x.fix})
	} else {
		x.suppressed++
	}
	x.note, x.fix = "", ""
}

func (x *eval) reset(doc *dom.Document, limit int) {
	v := x.set.v
	x.doc, x.root, x.limit, x.suppressed, x.refused, x.facts = doc, doc.Root(), limit, 0, false, nil
	x.out, x.note, x.fix = nil, "", ""
	if x.set.absent != nil && x.last == nil {
		x.last = make([]int32, len(x.set.absent.asserts))
	}
	clear(x.last)
	x.steps, x.budget = 0, stepsAlways+stepsPerNode*doc.Len()
	x.names = x.names[:0]
	for i := range doc.NumNames() {
		space, local := doc.NameAt(i)
		x.names = append(x.names, v.find(space, local))
	}
	if x.all == nil {
		x.all, x.top, x.twice, x.listed = make([][]dom.Node, len(v.names)), make([][]dom.Node, len(v.names)), make([]bool, len(v.names)), make([]bool, len(v.names))
		for c := range v.listed {
			x.listed[c] = true
		}
	}
	for i := range x.all {
		x.all[i], x.top[i] = x.all[i][:0], x.top[i][:0]
	}
	clear(x.twice)
	for _, row := range x.rows {
		clear(row)
	}
	parents := x.parents[:0]
	for i := x.root.Index(); i < x.root.End(); i++ {
		n := doc.At(i)
		if n.Kind() != dom.ElementNode {
			continue
		}
		c := x.code(n)
		for len(parents) > 0 && i >= parents[len(parents)-1].End() {
			parents = parents[:len(parents)-1]
		}
		x.beside(c, parents)
		parents = append(parents, n)
		if x.listed[c] {
			x.all[c] = append(x.all[c], n)
		}
		if n.Parent() == x.root {
			x.top[c] = append(x.top[c], n)
		}
	}
	x.parents = parents[:0]
}

// deepest is how deep elements are that are told apart; further down every name counts as one that stands twice.
const deepest = 32

// beside notes that an element of the name stands below the last of the parents.
func (x *eval) beside(code uint16, parents []dom.Node) {
	depth := len(parents)
	if code == 0 || depth == 0 || x.twice[code] {
		return
	}
	if depth > deepest {
		x.twice[code] = true
		return
	}
	for len(x.rows) < depth {
		x.rows = append(x.rows, make([]int32, len(x.set.v.names)))
	}
	last := &x.rows[depth-1][code]
	parent := int32(parents[depth-1].Index()) + 1
	x.twice[code] = *last == parent
	*last = parent
}

// release gives the tables back; they hold nodes of the document, so they are cleared.
func (x *eval) release() {
	for i := range x.all {
		clear(x.all[i])
		clear(x.top[i])
	}
	clear(x.parents[:cap(x.parents)])
	x.doc, x.root, x.n, x.facts, x.out = nil, dom.Node{}, dom.Node{}, nil, nil
	x.set.pool.Put(x)
}
