package rules

import (
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// A path leads from a node to others. It is written as XPath is, with local names only, since no name of the two
// syntaxes means two things:
//
//	Party/PostalAddress   children         /TaxTotal   from the document element     //TaxCategory   anywhere
//	..                    the parent       *           any element                   ID@schemeID     an attribute
//	ID/text()             the texts that stand in an element itself, not in its children
//
// A step may carry conditions in brackets, all of which must hold; conditions are listed at parseCondition.
type path struct {
	steps []step
	from  origin
	attr  string // the attribute at the end, "" none
	text  string // as written, for messages
}

type origin uint8

const (
	fromContext origin = iota
	fromRoot
	fromAnywhere
)

type step struct {
	code  uint16 // anyName, parentStep, textStep or the code of a name
	conds []condition
}

const (
	anyName    uint16 = 0xffff
	parentStep uint16 = 0xfffe
	textStep   uint16 = 0xfffd
)

type condition func(x *eval, n dom.Node) bool

// path compiles a path that this package wrote; a mistake in it is one of the program.
func (v *vocabulary) path(s string) *path {
	p := &path{text: s}
	rest := s
	switch {
	case strings.HasPrefix(rest, "//"):
		p.from, rest = fromAnywhere, rest[2:]
	case strings.HasPrefix(rest, "/"):
		p.from, rest = fromRoot, rest[1:]
	}
	for rest != "" {
		if rest[0] == '@' {
			p.attr, rest = rest[1:], ""
			break
		}
		var st step
		i := strings.IndexAny(rest, "/[@")
		if i < 0 {
			i = len(rest)
		}
		switch name := rest[:i]; name {
		case "*":
			st.code = anyName
		case "..":
			st.code = parentStep
		case "text()":
			st.code = textStep
		case ".":
			st.code = 0
		default:
			st.code = v.code(name)
		}
		self := rest[:i] == "."
		rest = rest[i:]
		for strings.HasPrefix(rest, "[") {
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				panic("rules: no ] in path " + s)
			}
			st.conds = append(st.conds, v.parseCondition(rest[1:end]))
			rest = rest[end+1:]
		}
		rest = strings.TrimPrefix(rest, "/")
		if !self {
			p.steps = append(p.steps, st)
		}
	}
	if p.from == fromAnywhere {
		if len(p.steps) == 0 || p.steps[0].code >= textStep {
			panic(fmt.Sprintf("rules: path %s begins with no name", s))
		}
		v.listed[p.steps[0].code] = true
	}
	return p
}

// parseCondition reads what stands in brackets:
//
//	F, T        cbc:ChargeIndicator or udt:Indicator is false, true     VAT   the tax scheme is VAT
//	Name, !Name the child is there, is not       @a, !@a                an attribute is there, is not
//	Name=v      a child has that text            Name~v                 the same without surrounding white space
//	Name!v      a child has another text         @a=v, @a!v, =v, ~v     the same for attributes and the node itself
func (v *vocabulary) parseCondition(s string) condition {
	switch s {
	case "F", "T":
		return v.charge(s == "T")
	case "VAT":
		return v.vat
	}
	i := strings.IndexAny(s[1:], "=~!") + 1
	if i == 0 && strings.IndexByte("=~", s[0]) < 0 { // presence
		negate := s[0] == '!'
		s = strings.TrimPrefix(s, "!")
		if s[0] == '@' {
			return func(_ *eval, n dom.Node) bool { _, ok := n.AttrNS("", s[1:]); return ok != negate }
		}
		p := v.path(s)
		return func(x *eval, n dom.Node) bool { return p.find(x, n).Valid() != negate }
	}
	name, op, value := s[:i], s[i], s[i+1:]
	same := func(text string) bool {
		if op == '~' {
			text = normalize(text)
		}
		return text == value != (op == '!')
	}
	if name == "" {
		return func(_ *eval, n dom.Node) bool { return same(n.Text()) }
	}
	if name[0] == '@' {
		return func(_ *eval, n dom.Node) bool { a, ok := n.AttrNS("", name[1:]); return ok && same(a) }
	}
	p := v.path(name)
	return func(x *eval, n dom.Node) bool {
		return p.walk(x, n, func(c dom.Node) bool { return same(c.Text()) })
	}
}

// walk visits the nodes of the path in order until visit returns true, and reports whether it did.
func (p *path) walk(x *eval, n dom.Node, visit func(dom.Node) bool) bool {
	switch p.from {
	case fromRoot:
		n = x.root
	case fromAnywhere:
		for _, m := range x.all[p.steps[0].code] {
			if p.steps[0].holds(x, m) && p.down(x, m, 1, visit) {
				return true
			}
		}
		return false
	}
	return p.down(x, n, 0, visit)
}

func (p *path) down(x *eval, n dom.Node, i int, visit func(dom.Node) bool) bool {
	if !n.Valid() {
		return false
	}
	if x.spend(); x.exhausted() {
		return true // nobody looks at the answer any more
	}
	if i == len(p.steps) {
		if p.attr != "" {
			n = n.Attribute("", p.attr)
			if !n.Valid() {
				return false
			}
		}
		return visit(n)
	}
	st := &p.steps[i]
	switch {
	case st.code == parentStep:
		return p.down(x, n.Parent(), i+1, visit)
	case st.code == textStep:
		for c := n.FirstChild(); c.Valid(); c = c.NextSibling() {
			if x.spend(); c.Kind() == dom.TextNode && p.down(x, c, i+1, visit) {
				return true
			}
		}
		return false
	case n == x.root && st.code != anyName:
		for _, c := range x.top[st.code] {
			if st.holds(x, c) && p.down(x, c, i+1, visit) {
				return true
			}
		}
		return false
	}
	for c := n.FirstElement(); c.Valid(); c = c.NextElement() {
		x.spend()
		if (st.code == anyName || x.code(c) == st.code) && st.holds(x, c) && p.down(x, c, i+1, visit) {
			return true
		}
	}
	return false
}

func (s *step) holds(x *eval, n dom.Node) bool {
	for _, c := range s.conds {
		if !c(x, n) {
			return false
		}
	}
	return true
}

// find returns the first node of the path.
func (p *path) find(x *eval, n dom.Node) dom.Node {
	if p.from == fromAnywhere {
		var found dom.Node
		p.walk(x, n, func(m dom.Node) bool { found = m; return true })
		return found
	}
	if p.from == fromRoot {
		n = x.root
	}
	return p.first(x, n, 0)
}

func (p *path) first(x *eval, n dom.Node, i int) dom.Node {
	if x.spend(); x.exhausted() {
		return dom.Node{}
	}
	if !n.Valid() || i == len(p.steps) {
		if p.attr != "" {
			return n.Attribute("", p.attr)
		}
		return n
	}
	st := &p.steps[i]
	switch {
	case st.code == parentStep:
		return p.first(x, n.Parent(), i+1)
	case st.code == textStep:
		for c := n.FirstChild(); c.Valid(); c = c.NextSibling() {
			if x.spend(); c.Kind() == dom.TextNode {
				return p.first(x, c, i+1)
			}
		}
		return dom.Node{}
	case n == x.root && st.code != anyName:
		for _, c := range x.top[st.code] {
			if st.holds(x, c) {
				if f := p.first(x, c, i+1); f.Valid() {
					return f
				}
			}
		}
		return dom.Node{}
	}
	for c := n.FirstElement(); c.Valid(); c = c.NextElement() {
		x.spend()
		if (st.code == anyName || x.code(c) == st.code) && st.holds(x, c) {
			if f := p.first(x, c, i+1); f.Valid() {
				return f
			}
		}
	}
	return dom.Node{}
}

// one returns the node of the path where there has to be one. Several make the test unclear, and the first is returned.
func (p *path) one(x *eval, n dom.Node) dom.Node {
	found := p.find(x, n)
	if found.Valid() && p.mayRepeat(x) && p.count(x, n) > 1 {
		x.unclear = true
	}
	return found
}

// mayRepeat reports whether the document has names beside each other so that the path may lead to several nodes.
func (p *path) mayRepeat(x *eval) bool {
	for i := range p.steps {
		switch code := p.steps[i].code; {
		case code == parentStep:
		case code >= textStep, x.twice[code], i == 0 && p.from == fromAnywhere:
			return true
		}
	}
	return false
}

// count counts the nodes of the path.
func (p *path) count(x *eval, n dom.Node) int {
	k := 0
	p.walk(x, n, func(dom.Node) bool { k++; return false })
	return k
}

// normalize strips white space at both ends and makes every run of it one blank.
func normalize(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == '\n' || c == '\t' || c == '\r' || c == ' ' && (i == 0 || i == len(s)-1 || s[i-1] == ' ') {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, space), " ")
}

// space reports whether a character is white space of XML.
func space(r rune) bool { return r == ' ' || r == '\n' || r == '\t' || r == '\r' }

func blank(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}
