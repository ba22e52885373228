package xpath

import (
	"errors"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// parseFunctions make documents of text [FO31 14.7, 5.6.5].
var parseFunctions = []builtin{
	{name: "parse-xml", min: 1, max: 1, build: with(needsOuter, one(TypeNode, func(m *machine, a []*code) (Item, bool) { return m.parsed(a[0], dom.Parse) }))},
	{name: "parse-xml-fragment", min: 1, max: 1, build: with(needsOuter, one(TypeNode, func(m *machine, a []*code) (Item, bool) { return m.parsed(a[0], dom.ParseFragment) }))},
	{name: "analyze-string", min: 2, max: 3, build: func(c *compiler, _ *expr, a []*code) *code {
		re := pattern(a, 1, 2)
		return &code{typ: TypeNode, max1: true, min1: true, deps: depsOf(a...) | needsOuter, one: func(m *machine) (Item, bool) {
			s, r := a[0].text(m), re(m)
			refuseEmpty(r)
			m.tick(len(r.String()) / 8)
			flags := ""
			if len(a) > 2 {
				flags = a[2].needText(m)
			}
			return m.analysed(s, r.FindAll, groupParents(r.String(), flags)), true
		}}
	}},
}

// madeLimits bounds documents that an expression makes.
var madeLimits = dom.Limits{Bytes: 16 << 20, Depth: 1000, Nodes: 1 << 20}

// declaredEncoding is what an XML or text declaration says of octets that were once: characters have none.
var declaredEncoding = regexp.MustCompile(`^(\x{FEFF}?<\?xml(?:\s+version\s*=\s*(?:"[^"]*"|'[^']*'))?\s+encoding\s*=\s*["'])[A-Za-z][A-Za-z0-9._\-]*`)

// parsed is the document that a text holds.
func (m *machine) parsed(a *code, parse func([]byte, dom.Limits) (*dom.Document, error)) (Item, bool) {
	s, ok := a.str(m)
	if !ok {
		return Item{}, false
	}
	m.tick(len(s) / 4)
	if strings.HasPrefix(s, "<?xml") || strings.HasPrefix(s, "\ufeff<?xml") {
		s = declaredEncoding.ReplaceAllString(s, "${1}UTF-8")
	}
	d, err := m.newDocument([]byte(s), parse)
	switch {
	case errors.Is(err, dom.ErrLimit):
		failLimit("%v", err)
	case err != nil:
		e := errorf("FODC0006", "%v", err)
		e.cause = err
		panic(e)
	}
	return node(d, 0), true
}

// newDocument parses a document that is made by the running expression, whose base URI it takes.
func (m *machine) newDocument(src []byte, parse func([]byte, dom.Limits) (*dom.Document, error)) (*dom.Document, error) {
	d, err := parse(src, madeLimits)
	if err != nil {
		return nil, err
	}
	const perNode = 32 // octets that a node takes
	m.built(len(src) + perNode*d.Len())
	m.tick(len(m.infos)) // what finds out about a document looks through the others
	m.numberDocument(d)
	if base := m.x.env.BaseURI; base != "" {
		if m.bases == nil {
			m.bases = map[*dom.Document]string{}
		}
		m.bases[d] = base
	}
	return d, nil
}

// numberDocument puts a document that is made behind the one that the run is about and those made before, so that the order of
// their nodes depends on nothing else.
func (m *machine) numberDocument(d *dom.Document) {
	info := m.info
	if m.outer.typ == TypeNode {
		m.ordinal(m.outer.doc())
	}
	m.ordinal(d)
	m.info = info
}

// madeDocument parses what a function of the library has written itself.
func (m *machine) madeDocument(w *dom.Writer) *dom.Document {
	d, err := m.newDocument(w.Bytes(), dom.Parse)
	if err != nil {
		failLimit("%v", err)
	}
	return d
}

// analysed is the result of analyze-string: what matches, by groups, and what lies between [FO31 5.6.5].
func (m *machine) analysed(s string, find func(string, func([]int) bool) error, parents []int) Item {
	m.tick(8 + len(s)/4)
	w := dom.NewWriter(nil)
	w.Start("fn:analyze-string-result", "xmlns:fn", FunctionSpace)
	last := 0
	between := func(to int) {
		if to > last {
			w.Element("fn:non-match", s[last:to])
		}
	}
	err := find(s, func(loc []int) bool {
		m.tick(4 + len(loc))
		if w.Len() > madeLimits.Bytes {
			failLimit("the analysis of a string takes more than %d octets", madeLimits.Bytes)
		}
		between(loc[0])
		last = loc[1]
		w.Start("fn:match")
		writeGroups(w, s, loc, parents)
		w.End()
		return true
	})
	if err != nil {
		failLimit("%v", err)
	}
	between(len(s))
	w.End()
	return NodeItem(m.madeDocument(w).Root())
}

// writeGroups writes the text of a match with an element around what each group took. A group stands inside the
// nearest group around it in the expression that took its text too: one that is repeated shows its last turn alone,
// while a group inside may still show an earlier one.
func writeGroups(w *dom.Writer, s string, loc, parents []int) {
	inside := make([][]int, len(parents))
	for g := 1; g < len(parents); g++ {
		if loc[2*g] < 0 {
			continue
		}
		p := parents[g]
		for p > 0 && (loc[2*p] < 0 || loc[2*p] > loc[2*g] || loc[2*p+1] < loc[2*g+1]) {
			p = parents[p]
		}
		inside[p] = append(inside[p], g)
	}
	var write func(g int)
	write = func(g int) {
		at := loc[2*g]
		sort.SliceStable(inside[g], func(i, j int) bool {
			x, y := inside[g][i], inside[g][j]
			return loc[2*x] < loc[2*y] || loc[2*x] == loc[2*y] && loc[2*x+1] < loc[2*y+1]
		})
		for _, k := range inside[g] {
			if loc[2*k] < at {
				continue // taken in another turn, over what is written already
			}
			w.Text(s[at:loc[2*k]])
			w.Start("fn:group", "nr", strconv.Itoa(k))
			write(k)
			w.End()
			at = loc[2*k+1]
		}
		w.Text(s[at:loc[2*g+1]])
	}
	write(0)
}

// groupParents gives for each group of an expression the group around it, 0 for none; entry 0 is the whole. The
// expression has been compiled, so its brackets fit together.
func groupParents(pattern, flags string) []int {
	parents := []int{0}
	if strings.Contains(flags, "q") {
		return parents
	}
	free := strings.Contains(flags, "x")
	open := []int{} // groups that are open, those without number as their parent
	class := 0
	in := func() int {
		if len(open) == 0 {
			return 0
		}
		return open[len(open)-1]
	}
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\':
			i++
		case c == '[':
			class++
		case c == ']' && class > 0:
			class--
		case class > 0:
		case c == '(':
			rest := pattern[i+1:]
			if free {
				rest = strings.TrimLeft(rest, " \t\r\n")
			}
			if strings.HasPrefix(rest, "?") {
				open = append(open, in())
				continue
			}
			parents = append(parents, in())
			open = append(open, len(parents)-1)
		case c == ')' && len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	return parents
}

// listTypes are the types of XML Schema whose values are lists, and the type of their members [XSD2 3.3].
var listTypes = map[string]Type{"NMTOKENS": XSNMTOKEN, "IDREFS": XSIDREF, "ENTITIES": XSENTITY}

// pushList casts an atomic value to a list [FO31 19.3]. It tells why it cannot, and pushes nothing then.
func (m *machine) pushList(it Item, member Type) problem {
	if !it.typ.str() && it.typ != XSUntypedAtomic {
		return notAllowed
	}
	base := len(m.stack)
	for word := range strings.FieldsFuncSeq(it.text(), func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' }) {
		m.tick(1)
		x, p := castString(word, member)
		if p != castDone {
			m.stack = m.stack[:base]
			return p
		}
		m.add(x)
	}
	if len(m.stack) == base {
		return badForm // a list has a member at least
	}
	return castDone
}

// listType reads the name of a list type when one comes next, and gives the type of its members.
func (p *parser) listType() (Type, bool) {
	t := p.tok()
	member, ok := listTypes[t.text]
	if !ok || t.kind != tokName || t.wild || p.resolve(t, p.env.DefaultElementNamespace).Space != SchemaSpace {
		return TypeNone, false
	}
	p.i++
	return member, true
}

// listConstructor is xs:NMTOKENS and its like.
func listConstructor(member Type) builder {
	return func(_ *compiler, _ *expr, a []*code) *code {
		return &code{typ: member, deps: depsOf(a...), push: func(m *machine) {
			if it, ok := a[0].atom(m); ok {
				m.needList(it, member)
			}
		}}
	}
}

func (m *machine) needList(it Item, member Type) {
	if p := m.pushList(it, member); p != castDone {
		e := castError(it, member, p)
		e.Msg += " list"
		panic(e)
	}
}

// castingList is a cast to a list type, or the question whether it is possible.
func (c *compiler) castingList(e *expr) *code {
	a, member, optional := c.compile(e.kids[0]), e.typ, e.optional
	if e.kind == xCastableList {
		return boolean(a.deps, func(m *machine) bool {
			base := len(m.stack)
			a.atoms(m)
			ok := optional
			if n := len(m.stack) - base; n > 0 {
				it := m.stack[base]
				m.stack = m.stack[:base]
				ok = n == 1 && m.pushList(it, member) == castDone
			}
			m.stack = m.stack[:base]
			return ok
		})
	}
	return &code{deps: a.deps, typ: member, push: func(m *machine) {
		it, ok := a.atom(m)
		switch {
		case ok:
			m.needList(it, member)
		case !optional:
			fail("XPTY0004", "nothing to cast to a list of %s", member)
		}
	}}
}
