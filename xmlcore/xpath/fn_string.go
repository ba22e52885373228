package xpath

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var stringFunctions = []builtin{
	{name: "codepoints-to-string", min: 1, max: 1, build: one(XSString, codepointsToString)},
	{name: "string-to-codepoints", min: 1, max: 1, build: many(func(m *machine, a []*code) {
		for _, r := range a[0].text(m) {
			m.tick(1)
			m.add(IntegerItem(int64(r)))
		}
	})},
	{name: "compare", min: 2, max: 3, build: withCollation(2, XSInteger, func(m *machine, a []*code, coll collation) (Item, bool) {
		x, ok := a[0].str(m)
		y, ok2 := a[1].str(m)
		if !ok || !ok2 {
			return Item{}, false
		}
		if coll != nil {
			return IntegerItem(int64(coll.compare(x, y))), true
		}
		return IntegerItem(int64(strings.Compare(x, y))), true
	})},
	{name: "codepoint-equal", min: 2, max: 2, build: one(XSBoolean, func(m *machine, a []*code) (Item, bool) {
		x, ok := a[0].str(m)
		y, ok2 := a[1].str(m)
		return BooleanItem(x == y), ok && ok2
	})},
	{name: "concat", min: 2, max: anyNumber, build: func(c *compiler, _ *expr, a []*code) *code { return c.concatenation(a) }},
	{name: "string-join", min: 1, max: 2, build: one(XSString, func(m *machine, a []*code) (Item, bool) {
		base := len(m.stack)
		a[0].atoms(m)
		sep := ""
		if len(a) > 1 {
			sep = a[1].needText(m)
		}
		n := 0
		for _, it := range m.stack[base:] {
			n += len(sep)
			if it.typ.text() {
				n += int(it.n)
			}
		}
		m.built(n)
		var b strings.Builder
		b.Grow(n)
		for i, it := range m.stack[base:] {
			if i > 0 {
				b.WriteString(sep)
			}
			b.WriteString(atomString(it))
		}
		m.stack = m.stack[:base]
		return StringItem(b.String()), true
	})},
	{name: "substring", min: 2, max: 3, build: one(XSString, substring)},
	{name: "string-length", min: 0, max: 1, build: orString(one(XSInteger, func(m *machine, a []*code) (Item, bool) {
		s := a[0].text(m)
		m.tick(len(s) / 64)
		return IntegerItem(int64(utf8.RuneCountInString(s))), true
	}))},
	{name: "normalize-space", min: 0, max: 1, build: normalizeSpace},
	{name: "normalize-unicode", min: 1, max: 2, build: one(XSString, func(m *machine, a []*code) (Item, bool) {
		s, form := a[0].text(m), "NFC"
		if len(a) > 1 {
			form = strings.ToUpper(space(a[1].needText(m)))
		}
		m.built(len(s))
		if form == "" {
			return StringItem(s), true
		}
		f, ok := normalForms[form]
		if !ok {
			fail("FOCH0003", "there is no normalization form %q", clip(form))
		}
		return StringItem(f.String(s)), true
	})},
	{name: "upper-case", min: 1, max: 1, build: one(XSString, func(m *machine, a []*code) (Item, bool) {
		return StringItem(upperCase(m, a[0].text(m))), true
	})},
	{name: "lower-case", min: 1, max: 1, build: one(XSString, func(m *machine, a []*code) (Item, bool) {
		s := a[0].text(m)
		m.built(len(s))
		if ascii(s) {
			return StringItem(strings.ToLower(s)), true
		}
		return StringItem(cases.Lower(language.Und, cases.HandleFinalSigma(false)).String(s)), true
	})},
	{name: "translate", min: 3, max: 3, build: one(XSString, translate)},
	{name: "encode-for-uri", min: 1, max: 1, build: one(XSString, escapeWith(func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~", c) >= 0
	}))},
	{name: "iri-to-uri", min: 1, max: 1, build: one(XSString, escapeWith(func(c byte) bool {
		return c > 0x20 && c < 0x7F && strings.IndexByte("<>\"{}|\\^`", c) < 0
	}))},
	{name: "escape-html-uri", min: 1, max: 1, build: one(XSString, escapeWith(func(c byte) bool { return c >= 0x20 && c < 0x7F }))},
	{name: "contains", min: 2, max: 3, build: containsFunction},
	{name: "starts-with", min: 2, max: 3, build: withCollation(2, XSBoolean, func(m *machine, a []*code, coll collation) (Item, bool) {
		x, y := folded(coll, a[0].text(m), a[1].text(m))
		return BooleanItem(strings.HasPrefix(x, y)), true
	})},
	{name: "ends-with", min: 2, max: 3, build: withCollation(2, XSBoolean, func(m *machine, a []*code, coll collation) (Item, bool) {
		x, y := folded(coll, a[0].text(m), a[1].text(m))
		return BooleanItem(strings.HasSuffix(x, y)), true
	})},
	{name: "substring-before", min: 2, max: 3, build: withCollation(2, XSString, func(m *machine, a []*code, coll collation) (Item, bool) {
		s := a[0].text(m)
		i, _, ok := findIn(m, coll, s, a[1].text(m))
		if !ok {
			i = 0
		}
		return StringItem(s[:i]), true
	})},
	{name: "substring-after", min: 2, max: 3, build: withCollation(2, XSString, func(m *machine, a []*code, coll collation) (Item, bool) {
		s := a[0].text(m)
		_, j, ok := findIn(m, coll, s, a[1].text(m))
		if !ok {
			j = len(s)
		}
		return StringItem(s[j:]), true
	})},
	{name: "contains-token", min: 2, max: 3, build: withCollation(2, XSBoolean, func(m *machine, a []*code, coll collation) (Item, bool) {
		base := len(m.stack)
		a[0].atoms(m)
		token := space(a[1].needText(m))
		found := false
		for _, it := range m.stack[base:] {
			if !it.typ.text() {
				fail("XPTY0004", "%s where a string is wanted", it.typ)
			}
			for _, f := range strings.FieldsFunc(it.text(), func(r rune) bool { return r < 0x80 && isSpace(byte(r)) }) {
				m.tick(1)
				x, y := folded(coll, f, token)
				found = found || x == y && token != ""
			}
		}
		m.stack = m.stack[:base]
		return BooleanItem(found), true
	})},
}

// normalizeSpace is fn:normalize-space. Asked whether anything is left of the text, it makes no string.
func normalizeSpace(c *compiler, e *expr, a []*code) *code {
	if len(a) == 0 {
		k := orString(func(_ *compiler, _ *expr, a []*code) *code { return normalized(a[0]) })(c, e, a)
		k.ebv = func(m *machine) bool {
			if m.item.typ == TypeNode && m.item.n < 0 {
				n := m.item.Node()
				m.tick((n.End() - n.Index()) / 4)
				return hasText(n)
			}
			return space(stringValue(m.context())) != ""
		}
		return k
	}
	k := normalized(a[0])
	k.ebv = func(m *machine) bool { return space(a[0].text(m)) != "" }
	return k
}

// hasText reports whether the string value of a node is more than white space.
func hasText(n dom.Node) bool {
	if n.Kind() > dom.ElementNode {
		return space(n.Text()) != ""
	}
	d := n.Document()
	for i := n.Index() + 1; i < n.End(); i++ {
		if t := d.At(i); t.Kind() == dom.TextNode && space(t.Text()) != "" {
			return true
		}
	}
	return false
}

func normalized(x *code) *code {
	return &code{typ: XSString, max1: true, min1: true, deps: x.deps, one: func(m *machine) (Item, bool) {
		s := x.text(m)
		m.tick(len(s) / 16)
		return StringItem(collapse(s)), true
	}}
}

// findIn is the place of a part in a string.
func findIn(m *machine, coll collation, s, part string) (from, to int, ok bool) {
	m.tick(len(s) / 16)
	if coll != nil {
		return coll.find(s, part)
	}
	i := strings.Index(s, part)
	return i, i + len(part), i >= 0
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func upperCase(m *machine, s string) string {
	if !ascii(s) {
		m.built(len(s))
		return cases.Upper(language.Und).String(s)
	}
	for i := range len(s) {
		if s[i] >= 'a' && s[i] <= 'z' {
			m.built(len(s))
			return strings.ToUpper(s)
		}
	}
	return s
}

func codepointsToString(m *machine, a []*code) (Item, bool) {
	base := len(m.stack)
	a[0].atoms(m)
	var b strings.Builder
	for _, it := range m.stack[base:] {
		if it.typ == XSUntypedAtomic {
			it = mustCast(it, XSInteger)
		}
		if !it.typ.integer() {
			fail("XPTY0004", "%s where an integer is wanted", it.typ)
		}
		if it.p != nil || it.n > unicode.MaxRune || !isXMLChar(rune(it.n)) {
			fail("FOCH0001", "%s is no character of XML", atomString(it))
		}
		b.WriteRune(rune(it.n))
	}
	m.built(b.Len())
	m.stack = m.stack[:base]
	return StringItem(b.String()), true
}

// normalForms are the normalization forms of Unicode by name.
var normalForms = map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}

// isXMLChar is Char [XML 2.2].
func isXMLChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// substring counts characters from 1; places are rounded doubles [FO 7.4.3].
func substring(m *machine, a []*code) (Item, bool) {
	s := a[0].text(m)
	start, ok := a[1].double(m)
	if !ok {
		fail("XPTY0004", "nothing where a number is wanted")
	}
	from := roundFloat(start, 0, halfUp)
	to := float64(len(s)) + 2
	if len(a) > 2 {
		n, ok := a[2].double(m)
		if !ok {
			fail("XPTY0004", "nothing where a number is wanted")
		}
		to = from + roundFloat(n, 0, halfUp)
	}
	if !(from < to) { // NaN too
		return StringItem(""), true
	}
	m.tick(len(s) / 64)
	if ascii(s) {
		i, j := 0, len(s)
		if from > 1 {
			i = int(min(from-1, float64(len(s))))
		}
		if to-1 < float64(len(s)) {
			j = int(max(to-1, 0))
		}
		if i >= j {
			return StringItem(""), true
		}
		return StringItem(s[i:j]), true
	}
	p, begin, end := 0.0, -1, len(s)
	for i := range s {
		p++
		if begin < 0 && p >= from {
			begin = i
		}
		if p >= to {
			end = i
			break
		}
	}
	if begin < 0 || begin >= end {
		return StringItem(""), true
	}
	return StringItem(s[begin:end]), true
}

func translate(m *machine, a []*code) (Item, bool) {
	s, from, to := a[0].text(m), a[1].needText(m), a[2].needText(m)
	if !strings.ContainsAny(s, from) {
		return StringItem(s), true
	}
	m.built(len(s))
	m.tick(len(from) / 8)
	if len(from) < 64 && ascii(from) && ascii(to) {
		b := make([]byte, 0, len(s))
		for i := range len(s) {
			switch k := strings.IndexByte(from, s[i]); {
			case k < 0:
				b = append(b, s[i])
			case k < len(to):
				b = append(b, to[k])
			}
		}
		return StringItem(string(b)), true
	}
	table := make(map[rune]rune, len(from))
	target := []rune(to)
	k := 0
	for _, r := range from {
		if _, ok := table[r]; !ok {
			table[r] = -1
			if k < len(target) {
				table[r] = target[k]
			}
		}
		k++
	}
	return StringItem(strings.Map(func(r rune) rune {
		if t, ok := table[r]; ok {
			return t
		}
		return r
	}, s)), true
}

func escapeWith(keep func(byte) bool) func(m *machine, a []*code) (Item, bool) {
	const hexDigits = "0123456789ABCDEF"
	return func(m *machine, a []*code) (Item, bool) {
		s := a[0].text(m)
		m.built(3 * len(s))
		b := make([]byte, 0, len(s))
		for i := range len(s) {
			if c := s[i]; keep(c) {
				b = append(b, c)
			} else {
				b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
			}
		}
		return StringItem(string(b)), true
	}
}

// containsFunction is fn:contains. A constant list with a separator around the value, as code lists are written, is
// looked up in a set.
func containsFunction(c *compiler, e *expr, a []*code) *code {
	if c.trace == nil && len(a) == 2 && a[0].konst && len(a[0].val) == 1 && a[0].val[0].typ.text() && c.x.coll == nil {
		if k := c.listContains(e, a[0].val[0].text()); k != nil {
			return k
		}
	}
	return withCollation(2, XSBoolean, func(m *machine, a []*code, coll collation) (Item, bool) {
		x, y := folded(coll, a[0].text(m), a[1].text(m))
		m.tick(len(x) / 64)
		return BooleanItem(strings.Contains(x, y)), true
	})(c, e, a)
}

// codeList is contains(list, concat(sep, x, sep)): x is in the list exactly if it is one of the pieces between
// separators, as long as x itself has none.
type codeList struct {
	list, sep string
	pieces    map[string]struct{}
	x         *expr
}

func (c *compiler) codeList(e *expr, list string) *codeList {
	cat := e.kids[1]
	if !(cat.kind == xConcat || cat.kind == xCall && cat.fn != nil && cat.fn.name == "concat") || len(cat.kids) != 3 {
		return nil
	}
	l, r := c.compile(cat.kids[0]), c.compile(cat.kids[2])
	if !l.konst || !r.konst || len(l.val) != 1 || len(r.val) != 1 {
		return nil
	}
	sep := atomString(l.val[0])
	if len(sep) != 1 || atomString(r.val[0]) != sep || len(list) < 16 {
		return nil
	}
	pieces := strings.Split(list, sep)
	k := &codeList{list, sep, make(map[string]struct{}, len(pieces)), cat.kids[1]}
	for i, p := range pieces {
		if i > 0 && i < len(pieces)-1 {
			k.pieces[strings.Clone(p)] = struct{}{}
		}
	}
	return k
}

func (c *compiler) listContains(e *expr, list string) *code {
	l := c.codeList(e, list)
	if l == nil {
		return nil
	}
	x := c.compile(l.x)
	return boolean(x.deps, func(m *machine) bool {
		s := ""
		if it, ok := x.atom(m); ok {
			s = atomString(it)
		}
		if strings.Contains(s, l.sep) {
			m.tick(len(l.list) / 16)
			return strings.Contains(l.list, l.sep+s+l.sep)
		}
		_, ok := l.pieces[s]
		return ok
	})
}

// oneCode compiles not(contains(x, sep)) and contains(list, concat(sep, x, sep)), as code lists are written, so that x is
// evaluated once; nil when the operands are not of this kind.
func (c *compiler) oneCode(a, b *expr) *code {
	a, b = a.bare(), b.bare()
	if c.trace != nil || c.x.coll != nil || !a.calls("not", 1) || !b.calls("contains", 2) || b.kids[0].kind != xLiteral || b.kids[0].val.typ != XSString {
		return nil
	}
	in := a.kids[0].bare()
	if !in.calls("contains", 2) || in.kids[1].kind != xLiteral || !in.kids[0].calls("normalize-space", -1) {
		return nil
	}
	l := c.codeList(b, b.kids[0].val.text())
	if l == nil || in.kids[1].val.typ != XSString || in.kids[1].val.text() != l.sep || in.kids[0].typed() || l.x.canonical() != in.kids[0].canonical() {
		return nil
	}
	x := c.compile(l.x)
	return boolean(x.deps, func(m *machine) bool {
		s := x.text(m)
		if strings.Contains(s, l.sep) {
			return false
		}
		_, ok := l.pieces[s]
		return ok
	})
}

// bare takes off parentheses.
func (e *expr) bare() *expr {
	for e.kind == xSequence && len(e.kids) == 1 {
		e = e.kids[0]
	}
	return e
}

// calls reports whether an expression is a call of a function of the library with so many arguments, any number with -1.
func (e *expr) calls(name string, args int) bool {
	return e.kind == xCall && e.fn != nil && e.name.Space == FunctionSpace && e.fn.name == name && (args < 0 || len(e.kids) == args)
}
