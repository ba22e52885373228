package xpath

import (
	"sort"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/regex"
)

// machine is the state of runs in one Context. Values under construction lie on its stack, so that evaluation costs no
// allocation as long as no string is built.
type machine struct {
	ctx   *Context
	stack []Item
	focus
	outer    Item
	locals   []slot
	fp       int
	coll     collation
	x        *Expr
	info     *docInfo
	infos    []*docInfo
	spare    *docInfo // memory for the next one
	docs     map[string]*dom.Document
	lost     map[string]error
	texts    map[string]string        // by URI
	bases    map[*dom.Document]string // base URI of documents that expressions made
	now      moment
	hasNow   bool
	maxTop   int
	left     int64 // work until the next look at limits
	given    int64
	octets   int64
	depth    int
	folding  bool // while compiling: nothing of the context is known
	saves    []saved
	running  int // runs under way, one within the other
	sets     []knownSet
	nextSet  int
	held     arguments
	tr       *tracer
	regex    *regex.Regexp // the last one that was no constant
	regexKey nameKey
}

// focus is the context item with its position and, when it is known, the size.
type focus struct {
	item      Item
	pos, size int
}

// slot is a local variable: one item, or a sequence when one has no type.
type slot struct {
	one Item
	seq Sequence
}

type saved struct {
	focus
	outer  Item
	ctx    *Context
	x      *Expr
	coll   collation
	fp     int
	stack  int
	locals int
	depth  int
	held   arguments
}

const (
	defaultWork  = 1_000_000_000
	defaultItems = 10_000_000
	defaultDepth = 1000
	defaultOctet = 256 << 20
	workChunk    = 1 << 14
)

func (c *Context) machine() *machine {
	if c.m == nil {
		c.m = &machine{stack: make([]Item, 0, 64)}
	}
	if c.m.maxTop == 0 {
		c.m.ctx = c
		c.m.maxTop = c.Limits.Items
		if c.m.maxTop <= 0 {
			c.m.maxTop = defaultItems
		}
	}
	return c.m
}

// maxSpare is up to how many nodes a document may have for the memory that was needed for it to be kept.
const maxSpare = 50_000

// Reset makes the context forget documents and all that runs have left, as if it were new. It keeps memory for the next
// document, so that a context which serves one document after the other costs less.
func (c *Context) Reset() {
	m := c.m
	*c = Context{m: m}
	if m == nil {
		return
	}
	if cap(m.stack) > maxSpare {
		m.stack = nil
	}
	clear(m.stack[:cap(m.stack)])
	clear(m.locals[:cap(m.locals)])
	clear(m.saves[:cap(m.saves)])
	clear(m.held.seqs[:cap(m.held.seqs)])
	clear(m.held.items[:cap(m.held.items)])
	spare := m.spare
	if len(m.infos) > 0 && m.infos[0].d.Len() <= maxSpare {
		spare = m.infos[0]
		spare.forget()
	}
	clear(m.infos)
	*m = machine{stack: m.stack[:0], locals: m.locals[:0], saves: m.saves[:0], infos: m.infos[:0], spare: spare, held: arguments{m.held.seqs[:0], m.held.items[:0]}}
}

// begin starts a run; nested says that another one is under way, whose state is kept aside.
func (m *machine) begin(e *Expr, ctx *Context) (nested bool) {
	if m.running > 0 {
		m.saves = append(m.saves, saved{m.focus, m.outer, m.ctx, m.x, m.coll, m.fp, len(m.stack), len(m.locals), m.depth, m.held})
		nested = true
	} else {
		m.stack, m.locals, m.depth = m.stack[:0], m.locals[:0], 0
		m.held.seqs, m.held.items = m.held.seqs[:0], m.held.items[:0]
	}
	m.running++
	m.ctx, m.x, m.coll = ctx, e, e.coll
	m.outer = ctx.Item
	m.focus = focus{ctx.Item, max(ctx.Position, 1), max(ctx.Size, 1)}
	m.fp = len(m.locals)
	for range e.frame {
		m.locals = append(m.locals, slot{})
	}
	if m.info != nil && (m.info.names != e.names || m.info.known <= e.maxID) {
		m.info = nil
	}
	return nested
}

func (m *machine) end(nested bool) {
	m.running--
	if !nested {
		return
	}
	s := &m.saves[len(m.saves)-1]
	clear(m.locals[s.locals:])
	m.stack, m.locals = m.stack[:s.stack], m.locals[:s.locals]
	m.focus, m.outer, m.ctx, m.x, m.coll, m.fp, m.depth, m.held = s.focus, s.outer, s.ctx, s.x, s.coll, s.fp, s.depth, s.held
	*s = saved{}
	m.saves = m.saves[:len(m.saves)-1]
	if m.info != nil && (m.info.names != m.x.names || m.info.known <= m.x.maxID) {
		m.info = nil
	}
}

// failed ends a run that panicked and makes the error that is returned; other panics go on.
func (m *machine) failed(e *Expr, ctx *Context, nested bool, r any) error {
	err, ok := r.(*Error)
	if !ok {
		panic(r)
	}
	m.end(nested)
	if err.Expr != "" {
		return err // of an expression that ran inside this one
	}
	err.Expr, err.End = e.src, len(e.src)
	if err.Offset < 0 {
		err.Offset = 0
	}
	it := ctx.Item
	if err.kind == ErrDynamic && m.tr == nil {
		if at, focus, same := e.locate(ctx, err); same {
			err.Offset, err.End, it = at.pos, at.end, focus
		}
	}
	if it.IsNode() {
		n := it.Node()
		err.Path = n.Path()
		if err.Path == "" {
			err.Path = "/"
		}
		err.Line, _ = n.Pos()
	}
	return err
}

// add puts an item on the stack.
func (m *machine) add(it Item) {
	if len(m.stack) >= m.maxTop {
		failLimit("more than %d items at once", m.maxTop)
	}
	m.stack = append(m.stack, it)
}

// tick counts work.
func (m *machine) tick(n int) {
	if m.left -= int64(n); m.left < 0 {
		m.look()
	}
}

func (m *machine) spent() int64 { return m.given - max(m.left, 0) }

func (m *machine) look() {
	limit := m.ctx.Limits.Work
	if limit <= 0 {
		limit = defaultWork
	}
	if m.given-m.left > limit {
		failLimit("more work than %d steps", limit)
	}
	more := workChunk - m.left
	m.given += more
	m.left += more
	if m.ctx.Cancel != nil {
		if err := m.ctx.Cancel(); err != nil {
			e := errorf("XPDY0130", "%v", err)
			e.kind, e.cause = ErrCancelled, err
			panic(e)
		}
	}
}

// built counts the octets of a string that was made.
func (m *machine) built(n int) {
	m.octets += int64(n)
	limit := m.ctx.Limits.Octet
	if limit <= 0 {
		limit = defaultOctet
	}
	if m.octets > limit {
		failLimit("strings of more than %d octets", limit)
	}
	m.tick(n / 16)
}

func (m *machine) call() {
	limit := m.ctx.Limits.Depth
	if limit <= 0 {
		limit = defaultDepth
	}
	if m.depth++; m.depth > limit {
		failLimit("functions called within one another more than %d times", limit)
	}
}

func (m *machine) time() *moment {
	if m.folding {
		fail("XPDY0001", "the clock is not known yet")
	}
	if !m.hasNow {
		t := m.ctx.Now
		if t.IsZero() {
			t = time.Unix(0, 0).UTC()
		}
		m.now, m.hasNow = momentOf(t), true
	}
	return &m.now
}

// zone is the implicit time zone in minutes.
func (m *machine) zone() int16 { return m.time().tz }

// node returns the context item, which must be a node.
func (m *machine) node() Item {
	if m.item.typ == TypeNode {
		return m.item
	}
	if m.item.typ == TypeNone {
		fail("XPDY0002", "there is no context item")
	}
	fail("XPTY0020", "the context item is %s and no node", m.item.typ)
	return Item{}
}

func (m *machine) context() Item {
	if m.item.typ == TypeNone {
		fail("XPDY0002", "there is no context item")
	}
	return m.item
}

// ordinal numbers documents in the order they were met; nodes of different documents are ordered by it.
func (m *machine) ordinal(d *dom.Document) int { return m.infoFor(d).ordinal }

func (m *machine) before(a, b Item) bool {
	if a.p != b.p {
		return m.ordinal(a.doc()) < m.ordinal(b.doc())
	}
	if a.i != b.i {
		return a.i < b.i
	}
	return a.n < b.n
}

// sortNodes brings the nodes above base into document order and drops duplicates.
func (m *machine) sortNodes(base int) {
	s := m.stack[base:]
	sorted := true
	for i := 1; i < len(s); i++ {
		if !m.before(s[i-1], s[i]) {
			sorted = false
			break
		}
	}
	if sorted {
		return
	}
	m.tick(len(s))
	sort.Slice(s, func(i, j int) bool { return m.before(s[i], s[j]) })
	k := 1
	for i := 1; i < len(s); i++ {
		if s[i] != s[k-1] {
			s[k] = s[i]
			k++
		}
	}
	m.stack = m.stack[:base+k]
}

// drop moves what lies above mid down to base.
func (m *machine) drop(base, mid int) {
	n := copy(m.stack[base:], m.stack[mid:])
	m.stack = m.stack[:base+n]
}

// ebvAbove is the effective boolean value of what lies above base, which it takes off.
func (m *machine) ebvAbove(base int) bool {
	s := m.stack[base:]
	v := false
	switch {
	case len(s) == 0:
	case s[0].typ == TypeNode:
		v = true
	case len(s) > 1:
		fail("FORG0006", "a sequence of %d items that begins with %s has no boolean value", len(s), s[0].typ)
	default:
		v = ebvItem(s[0])
	}
	m.stack = m.stack[:base]
	return v
}

func ebvItem(it Item) bool {
	switch t := it.typ; {
	case t == TypeNode:
		return true
	case t == XSBoolean:
		return it.n != 0
	case t.text():
		return it.n != 0
	case t.float():
		f := it.float()
		return f != 0 && f == f
	case t.numeric():
		return signDecimal(it) != 0
	}
	fail("FORG0006", "%s has no boolean value", it.typ)
	return false
}

// atomizeAbove replaces the items above base by their typed values.
func (m *machine) atomizeAbove(base int) {
	for i := base; i < len(m.stack); i++ {
		switch it := m.stack[i]; {
		case it.typ == TypeNode:
			m.stack[i] = atomOf(it)
		case it.typ.atomic():
		case it.typ == TypeArray:
			rest := append(Sequence(nil), m.stack[i+1:]...)
			m.stack = m.stack[:i]
			m.flatten(it)
			i = len(m.stack) - 1
			for _, r := range rest {
				m.add(r)
			}
		default:
			fail("FOTY0013", "%s has no typed value", it.typ)
		}
	}
}

// flatten pushes the atomized members of an array.
func (m *machine) flatten(it Item) {
	m.tick(1)
	for _, member := range it.array().members {
		for _, x := range member {
			base := len(m.stack)
			m.add(x)
			m.atomizeAbove(base)
		}
	}
}

func (m *machine) get(i int) *slot { return &m.locals[m.fp+i] }

// pushSlot pushes the value of a local variable.
func (m *machine) pushSlot(i int) {
	s := m.get(i)
	if s.one.typ != TypeNone {
		m.add(s.one)
		return
	}
	m.pushAll(s.seq)
}

func (m *machine) pushAll(s Sequence) {
	if len(m.stack)+len(s) > m.maxTop {
		failLimit("more than %d items at once", m.maxTop)
	}
	m.tick(len(s) / 8)
	m.stack = append(m.stack, s...)
}

// keep copies what lies above base off the stack.
func (m *machine) keep(base int) Sequence {
	s := append(Sequence(nil), m.stack[base:]...)
	m.stack = m.stack[:base]
	return s
}

func (m *machine) set(i int, s Sequence) {
	if len(s) == 1 {
		*m.get(i) = slot{one: s[0]}
	} else {
		*m.get(i) = slot{seq: s}
	}
}
