package xpath

import (
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Pattern is a compiled match pattern of XSLT [XSLT20 5.5]: "cac:Party[cbc:Name]", "/inv:Invoice//cbc:ID | @currency".
// A pattern matches a node when some node among its ancestors selects it by the pattern as a path; this one asks from
// the node upwards. A parenthesised first step, as XSLT 3.0 admits, is spread over the steps behind it.
type Pattern struct {
	x        *Expr
	branches []*branch
}

// branch is one alternative of a pattern.
type branch struct {
	root   bool  // begins at the document node
	anchor *code // nil, or the value of id() or key() that the first step must come from
	deep   bool  // the first step may be anywhere below the root or anchor
	// straight says that all steps ask for names or any element, each for the parent of the next.
	straight bool
	plain    bool // straight, and all predicates are plain
	steps    []*patternStep
	info     Branch
}

type patternStep struct {
	step   *step
	deep   bool // any number of levels lie between this step and the one before
	counts bool // a predicate depends on the position among the siblings
	union  bool // the predicates are those of a union, whose positions are not counted here
}

// Branch tells what the last step of an alternative asks for, so that patterns can be found by name.
type Branch struct {
	Kind   dom.Kind // NoNode when nodes of several kinds may match
	NameID int32    // in the pool of names; -1 when the name does not decide
	Name   QName    // with NameID
	// ParentID is the name of the parent that the step before asks for; -1 when its name does not decide, as with NameID.
	ParentID int32
	// Fixed says that variables may rule the branch out, for all nodes: see Pattern.Admitted.
	Fixed bool
	// Plain says that a node matches exactly if its kind and name, and the name of its parent with ParentID, are these.
	Plain bool
}

// CompilePattern compiles a match pattern.
func CompilePattern(src string, env *Static) (pat *Pattern, err error) {
	env = env.snapshot()
	names := env.Names
	if names == nil {
		names = NewNames()
	}
	ast, p, err := parse(src, env, names)
	if err != nil {
		return nil, err
	}
	x := &Expr{src: src, env: env, ast: ast, frame: p.frame, maxID: p.maxID, names: names}
	pat = &Pattern{x: x}
	defer static(src, &pat, &err)
	if x.coll, err = findCollation(env.Collation); err != nil {
		return nil, err
	}
	c := &compiler{env: env, x: x}
	for _, alt := range alternatives(ast) {
		pat.branches = append(pat.branches, c.branch(alt))
	}
	return pat, nil
}

// String returns the pattern as it was written.
func (p *Pattern) String() string { return p.x.src }

// Branches tells what the last step of each alternative asks for.
func (p *Pattern) Branches() []Branch {
	out := make([]Branch, len(p.branches))
	for i, b := range p.branches {
		out[i] = b.info
	}
	return out
}

// alternatives spreads unions, at the top and in steps, over paths.
func alternatives(e *expr) [][]*expr {
	switch e.kind {
	case xUnion:
		var all [][]*expr
		for _, k := range e.kids {
			all = append(all, alternatives(k)...)
		}
		return all
	case xSequence:
		if len(e.kids) == 1 {
			return alternatives(e.kids[0])
		}
	case xFilter: // (a | b)[p]: the predicate goes to the last step of each
		all := alternatives(e.kids[0])
		for i, alt := range all {
			last := *alt[len(alt)-1]
			if last.kind != xStep {
				break
			}
			last.kids = append(append([]*expr(nil), last.kids...), e.kids[1:]...)
			last.slot = 1 // positions count over all nodes of the filter and not among siblings
			all[i] = append(append([]*expr(nil), alt[:len(alt)-1]...), &last)
		}
		return all
	case xPath:
		all := [][]*expr{nil}
		for _, k := range e.kids {
			var next [][]*expr
			for _, tail := range alternatives(k) {
				for _, head := range all {
					next = append(next, append(append([]*expr(nil), head...), tail...))
				}
			}
			if len(next) > 10_000 {
				panic(errorf("XTSE0340", "pattern of more than ten thousand alternatives"))
			}
			all = next
		}
		return all
	}
	return [][]*expr{{e}}
}

func (c *compiler) branch(parts []*expr) *branch {
	b := &branch{info: Branch{NameID: -1, ParentID: -1}}
	refuse := func(e *expr) {
		panic(&Error{Code: QName{ErrorSpace, "XTSE0340", "err"}, Msg: "a pattern cannot have this step", Offset: e.pos, End: e.end, kind: ErrStatic})
	}
	deep := false
	for i, e := range parts {
		switch {
		case e.kind == xRoot && i == 0:
			b.root = true
			continue
		case i == 0 && e.kind == xCall && (e.user != nil || e.fn.name == "id"), i == 0 && e.kind == xVar:
			b.anchor = c.compile(e)
			continue
		case e.kind != xStep:
			refuse(e)
		}
		if e.axis == axisDescendantOrSelf && e.test == (nodeTest{}) && len(e.kids) == 0 {
			deep = true
			continue
		}
		s := &patternStep{deep: deep}
		deep = false
		switch e.axis {
		case axisChild, axisAttribute:
		case axisDescendant:
			s.deep = true
			down := *e
			down.axis = axisChild
			e = &down
		default:
			refuse(e)
		}
		s.step = c.step(e)
		for _, q := range s.step.preds {
			s.counts = s.counts || q.at > 0 || q.never || q.code.deps&(needsPos|needsLast) != 0
		}
		if s.union = e.slot == 1; s.union && s.counts {
			refuse(e)
		}
		b.steps = append(b.steps, s)
	}
	if len(b.steps) == 0 {
		if deep || !b.root && b.anchor == nil {
			refuse(parts[0])
		}
		b.info.Kind = dom.DocumentNode
		if b.root {
			b.info.Plain = true
		} else {
			b.info.Kind = dom.NoNode
		}
		return b
	}
	b.deep = b.steps[0].deep
	b.straight, b.plain = b.anchor == nil, true
	for i, s := range b.steps {
		b.straight = b.straight && (s.step.named() || s.step.axis == axisChild && s.step.test == (nodeTest{kind: dom.ElementNode})) && (i == 0 || !s.deep)
		for _, q := range s.step.preds {
			b.straight = b.straight && (!q.named || q.plain != nil)
			b.plain = b.plain && q.plain != nil
			b.info.Fixed = b.info.Fixed || q.fixed
		}
	}
	last := b.steps[len(b.steps)-1]
	t := &last.step.test
	b.info.Kind = t.kind
	if t.kind == dom.NoNode && last.step.axis == axisAttribute {
		b.info.Kind = dom.AttributeNode
	}
	if t.named && !t.anyLN && !t.anyNS && (t.kind == dom.ElementNode || t.kind == dom.AttributeNode) {
		b.info.NameID, b.info.Name = t.id, t.name
		b.info.Plain = len(b.steps) == 1 && !b.root && b.anchor == nil && len(last.step.preds) == 0 && !t.typed
		if k := len(b.steps) - 2; k >= 0 && !last.deep && b.steps[k].step.test.exact() {
			b.info.ParentID = b.steps[k].step.test.id
			b.info.Plain = k == 0 && !b.root && b.anchor == nil && len(last.step.preds)+len(b.steps[k].step.preds) == 0 && !t.typed
		}
	}
	return b
}

// Matches reports whether a node matches. The Item of the context is not looked at.
func (p *Pattern) Matches(ctx *Context, n dom.Node) (v bool, err error) {
	m := ctx.machine()
	nested := m.begin(p.x, ctx)
	defer func() {
		if r := recover(); r != nil {
			v, err = false, m.failed(p.x, ctx, nested, r)
		}
	}()
	m.outer = NodeItem(n)
	in := m.infoFor(n.Document())
	for _, b := range p.branches {
		if b.matches(m, in, n) {
			v = true
			break
		}
	}
	m.end(nested)
	return v, nil
}

// MatchesBranch is Matches for one of the Branches.
func (p *Pattern) MatchesBranch(ctx *Context, i int, n dom.Node) (v bool, err error) {
	m := ctx.machine()
	if in := m.info; in != nil && in.d == n.Document() && in.names == p.x.names && in.known > p.x.maxID && p.branches[i].impossible(in, n) {
		return false, nil
	}
	nested := m.begin(p.x, ctx)
	defer func() {
		if r := recover(); r != nil {
			v, err = false, m.failed(p.x, ctx, nested, r)
		}
	}()
	m.outer = NodeItem(n)
	v = p.branches[i].matches(m, m.infoFor(n.Document()), n)
	m.end(nested)
	return v, nil
}

// Admitted reports whether the predicates of one of the Branches that ask for nothing but variables hold.
func (p *Pattern) Admitted(ctx *Context, i int) (v bool, err error) {
	m := ctx.machine()
	nested := m.begin(p.x, ctx)
	defer func() {
		if r := recover(); r != nil {
			v, err = false, m.failed(p.x, ctx, nested, r)
		}
	}()
	v = true
	for _, s := range p.branches[i].steps {
		for _, q := range s.step.preds {
			v = v && (!q.fixed || q.code.ebv(m))
		}
	}
	m.end(nested)
	return v, nil
}

// Outlined tells what the names of a node and its ancestors say of one of the Branches that is Admitted: whether it may
// match a node of such names, and whether it matches all of them.
func (p *Pattern) Outlined(ctx *Context, i int, n dom.Node) (some, all bool) {
	m := ctx.machine()
	b := p.branches[i]
	if in := m.info; b.straight && in != nil && in.d == n.Document() && in.names == p.x.names && in.known > p.x.maxID {
		v := b.byNames(in, n)
		return v > never, v == always
	}
	nested := m.begin(p.x, ctx)
	defer func() {
		if r := recover(); r != nil { // who asks for a match is told of the error
			m.failed(p.x, ctx, nested, r)
			some, all = true, false
		}
	}()
	m.outer = NodeItem(n)
	v := maybe
	if k := len(b.steps) - 1; k >= 0 {
		v = b.outlined(m, m.infoFor(n.Document()), n, k)
	}
	m.end(nested)
	return v > never, v == always
}

// verdict is what is known of a match.
type verdict uint8

const (
	never verdict = iota
	maybe
	always
)

// byNames is outlined for a straight branch.
func (b *branch) byNames(in *docInfo, n dom.Node) verdict {
	v := always
	for k := len(b.steps) - 1; k >= 0; k-- {
		s := b.steps[k]
		if n.Kind() == dom.DocumentNode || !s.step.test.match(in, n) {
			return never
		}
		for _, p := range s.step.preds {
			switch {
			case s.counts:
				v = maybe
			case p.named:
				if !p.plain(n) {
					return never
				}
			case !p.fixed:
				v = maybe
			}
		}
		n = n.Parent()
	}
	if b.root && !b.deep && n.Kind() != dom.DocumentNode {
		return never
	}
	return v
}

// outlined is upwards by names alone.
func (b *branch) outlined(m *machine, in *docInfo, n dom.Node, k int) verdict {
	s := b.steps[k]
	m.tick(1)
	if (s.step.axis == axisAttribute) != (n.Kind() == dom.AttributeNode) || n.Kind() == dom.DocumentNode || !s.step.test.match(in, n) {
		return never
	}
	here := always
	if s.step.test.inner != nil || s.counts {
		here = maybe
	}
	for _, p := range s.step.preds {
		switch {
		case here == maybe && s.counts:
		case p.fixed:
		case p.named:
			m.item, m.pos, m.size = NodeItem(n), 1, 1
			if !p.holds(m) {
				return never
			}
		default:
			here = maybe
		}
	}
	up := n.Parent()
	if k == 0 {
		switch {
		case b.anchor != nil:
			return maybe
		case b.root && !s.deep && up.Kind() != dom.DocumentNode:
			return never
		}
		return here
	}
	above := never
	for ; up.Valid(); up = up.Parent() {
		above = max(above, b.outlined(m, in, up, k-1))
		if !s.deep || above == always {
			break
		}
	}
	return min(here, above)
}

// MatchesOutlined is MatchesBranch for a node whose names may match, by Outlined.
func (p *Pattern) MatchesOutlined(ctx *Context, i int, n dom.Node) (v bool, err error) {
	b := p.branches[i]
	if !b.straight {
		return p.MatchesBranch(ctx, i, n)
	}
	m := ctx.machine()
	if work := int64(n.End() - n.Index()); b.plain && m.left > work {
		m.left -= work
		for k := len(b.steps) - 1; k >= 0; k-- {
			for _, q := range b.steps[k].step.preds {
				if !q.plain(n) {
					return false, nil
				}
			}
			n = n.Parent()
		}
		return true, nil
	}
	nested := m.begin(p.x, ctx)
	defer func() {
		if r := recover(); r != nil {
			v, err = false, m.failed(p.x, ctx, nested, r)
		}
	}()
	m.outer = NodeItem(n)
	m.tick(1)
	in := m.infoFor(n.Document())
	v = true
	for k := len(b.steps) - 1; k >= 0 && v; k-- {
		if s := b.steps[k]; len(s.step.preds) > 0 {
			v = s.predicates(m, in, n)
		}
		n = n.Parent()
	}
	m.end(nested)
	return v, nil
}

// impossible reports what the names of the node and its parent rule out, before anything is set up.
func (b *branch) impossible(in *docInfo, n dom.Node) bool {
	k := len(b.steps) - 1
	if k < 0 {
		return b.root && n.Kind() != dom.DocumentNode
	}
	s := b.steps[k]
	if n.Kind() == dom.DocumentNode || !s.step.test.match(in, n) {
		return true
	}
	if k == 0 {
		return b.root && !s.deep && n.Parent().Kind() != dom.DocumentNode
	}
	return !s.deep && !b.steps[k-1].step.test.match(in, n.Parent())
}

func (b *branch) matches(m *machine, in *docInfo, n dom.Node) bool {
	if len(b.steps) == 0 {
		return b.start(m, n)
	}
	return b.upwards(m, in, n, len(b.steps)-1)
}

// start reports whether a node is what the first step may come from.
func (b *branch) start(m *machine, n dom.Node) bool {
	switch {
	case b.root:
		return n.Kind() == dom.DocumentNode
	case b.anchor != nil:
		base := len(m.stack)
		m.item = NodeItem(n)
		b.anchor.push(m)
		found := false
		for _, it := range m.stack[base:] {
			found = found || it == NodeItem(n)
		}
		m.stack = m.stack[:base]
		return found
	}
	return true
}

// upwards tests step k at n and the steps before it at the ancestors of n.
func (b *branch) upwards(m *machine, in *docInfo, n dom.Node, k int) bool {
	s := b.steps[k]
	m.tick(1)
	if (s.step.axis == axisAttribute) != (n.Kind() == dom.AttributeNode) || n.Kind() == dom.DocumentNode || !s.step.test.match(in, n) {
		return false
	}
	if len(s.step.preds) > 0 && !s.predicates(m, in, n) {
		return false
	}
	up := n.Parent()
	if k == 0 {
		if !b.root && b.anchor == nil {
			return true
		}
		if !s.deep {
			return b.start(m, up)
		}
		if b.root {
			return true // all nodes are below it
		}
		for ; up.Valid(); up = up.Parent() {
			if b.start(m, up) {
				return true
			}
		}
		return false
	}
	if !s.deep {
		return b.upwards(m, in, up, k-1)
	}
	for ; up.Valid(); up = up.Parent() {
		if b.upwards(m, in, up, k-1) {
			return true
		}
	}
	return false
}

// predicates tests the predicates of a step at a node that its test admits.
func (s *patternStep) predicates(m *machine, in *docInfo, n dom.Node) bool {
	if !s.counts {
		number := false
		for _, p := range s.step.preds {
			m.item, m.pos, m.size = NodeItem(n), 1, 1
			if p.truth {
				if !p.holds(m) {
					return false
				}
				continue
			}
			base := len(m.stack)
			p.code.push(m)
			if number = len(m.stack)-base == 1 && m.stack[base].typ.numeric(); number {
				m.stack = m.stack[:base]
				break
			}
			if !m.ebvAbove(base) {
				return false
			}
		}
		if !number {
			return true
		}
		if s.union {
			fail("XPTY0004", "a number as predicate of a union in a pattern")
		}
	}
	// the position is that among the siblings which the test admits
	base := len(m.stack)
	w := walker{steps: []*step{{axis: s.step.axis, test: s.step.test}}}
	w.along(m, in, int32(n.Parent().Index()), 0, false)
	for _, p := range s.step.preds {
		m.filterAbove(base, p)
	}
	found := false
	for _, it := range m.stack[base:] {
		found = found || it == NodeItem(n)
	}
	m.stack = m.stack[:base]
	return found
}
