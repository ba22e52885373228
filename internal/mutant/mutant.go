// Package mutant damages XML documents at random, for tests that compare two judgements of one document, or that ask
// what holds for every document however odd.
package mutant

import (
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Maker makes damaged documents; the same seed and calls make the same ones. It is not for concurrent use.
type Maker struct {
	r     *rand.Rand
	words map[string][]string // what elements of a name hold in some document
	any   []string            // what may stand anywhere and is mostly wrong
}

// New returns a Maker that writes texts of the documents, and the words given, where they do not belong.
func New(seed uint64, docs []*dom.Document, words ...string) *Maker {
	m := &Maker{r: rand.New(rand.NewPCG(1, seed)), words: map[string][]string{}}
	m.any = append(strings.Fields("0 -1 1.234 12.5 X S E O true false 1 2020-02-30 20200101 99999999.99"), "", " ", " 5 ")
	m.any = append(m.any, words...)
	for _, d := range docs {
		for n := range d.Root().Descendants() {
			if isLeaf(n) && len(m.words[n.Local()]) < 60 && len(n.Text()) < 200 {
				m.words[n.Local()] = append(m.words[n.Local()], n.Text())
			}
		}
	}
	return m
}

func isLeaf(n dom.Node) bool { return n.Kind() == dom.ElementNode && !n.FirstElement().Valid() }

// Damage returns the document with one to three damages, and what they are. The document is nil where it is not
// well-formed any more.
func (m *Maker) Damage(d *dom.Document) (*dom.Document, string) {
	var how []string
	for range 1 + m.r.IntN(3) {
		var nodes []dom.Node
		for n := range d.Root().Descendants() {
			if n.Kind() == dom.ElementNode {
				nodes = append(nodes, n)
			}
		}
		if len(nodes) == 0 {
			break
		}
		k := kinds[m.r.IntN(len(kinds))]
		n := nodes[m.r.IntN(len(nodes))]
		src, ok := k.damage(m, n, nodes)
		if !ok {
			continue
		}
		how = append(how, k.name+" "+n.Path()+" "+strconv.Quote(change(string(d.Source()), src)))
		var err error
		if d, err = dom.Parse([]byte(src), dom.Limits{}); err != nil {
			return nil, strings.Join(how, ", ")
		}
	}
	return d, strings.Join(how, ", ")
}

// change is what src has that was did not have.
func change(was, src string) string {
	least := min(len(was), len(src))
	begin, end := 0, 0
	for begin < least && was[begin] == src[begin] {
		begin++
	}
	for end < least-begin && was[len(was)-1-end] == src[len(src)-1-end] {
		end++
	}
	src = src[begin : len(src)-end]
	return src[:min(len(src), 60)]
}

// kinds of damage; one that stands twice is made twice as often.
var kinds = []struct {
	name   string
	damage func(m *Maker, n dom.Node, nodes []dom.Node) (src string, ok bool)
}{
	{"removed", func(_ *Maker, n dom.Node, _ []dom.Node) (string, bool) { return put(n, ""), true }},
	{"removed", func(_ *Maker, n dom.Node, _ []dom.Node) (string, bool) { return put(n, ""), true }},
	{"doubled", func(_ *Maker, n dom.Node, _ []dom.Node) (string, bool) {
		return put(n, string(n.Raw())+string(n.Raw())), true
	}},
	{"doubled with another text", (*Maker).doubled},
	{"doubled with another text", (*Maker).doubled},
	{"other text", (*Maker).otherText},
	{"other text", (*Maker).otherText},
	{"other text", (*Maker).otherText},
	{"other attribute", (*Maker).otherAttribute},
	{"other attribute", (*Maker).otherAttribute},
	{"moved", (*Maker).moved},
	{"exchanged", exchanged},
	{"renamed", (*Maker).renamed},
	{"copied into another", (*Maker).copied},
	{"emptied", func(_ *Maker, n dom.Node, _ []dom.Node) (string, bool) {
		open, _, end, ok := parts(n)
		return put(n, open+end), ok
	}},
	{"padded", (*Maker).padded},
	{"form of a number", (*Maker).numberForm},
	{"form of a number", (*Maker).numberForm},
	{"form of a date", (*Maker).dateForm},
	{"look-alike", (*Maker).lookAlike},
	{"other case", otherCase},
	{"mark within text", (*Maker).marked},
	{"mixed content", (*Maker).mixed},
	{"nil", func(_ *Maker, n dom.Node, _ []dom.Node) (string, bool) {
		return attribute(n, `xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`), true
	}},
	{"other namespace", func(_ *Maker, n dom.Node, _ []dom.Node) (string, bool) {
		raw := string(n.Raw())
		declaration := "xmlns"
		if n.Prefix() != "" {
			declaration += ":" + n.Prefix()
		}
		return attribute(n, declaration+`="urn:example:other"`), !strings.Contains(startTag(raw), " "+declaration+"=")
	}},
}

// put returns the document's source with other octets in the place of an element.
func put(n dom.Node, raw string) string {
	src := n.Document().Source()
	return string(src[:n.Offset()]) + raw + string(src[n.Offset()+len(n.Raw()):])
}

func startTag(raw string) string { return raw[:strings.IndexByte(raw, '>')+1] }

// parts cuts an element that has an end tag.
func parts(n dom.Node) (open, inner, end string, ok bool) {
	raw := string(n.Raw())
	open = startTag(raw)
	i := strings.LastIndex(raw, "</")
	if strings.HasSuffix(open, "/>") || i < len(open) {
		return "", "", "", false
	}
	return open, raw[len(open):i], raw[i:], true
}

// text cuts an element that holds text and nothing else.
func text(n dom.Node) (open, inner, end string, ok bool) {
	if open, inner, end, ok = parts(n); strings.Contains(inner, "<") {
		ok = false
	}
	return open, inner, end, ok
}

// attribute adds to a start tag.
func attribute(n dom.Node, a string) string {
	raw := string(n.Raw())
	i := len(startTag(raw)) - 1
	if raw[i-1] == '/' {
		i--
	}
	return put(n, raw[:i]+" "+a+raw[i:])
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func pick[T any](m *Maker, of []T) T { return of[m.r.IntN(len(of))] }

// word is a text for an element of that name, escaped.
func (m *Maker) word(name string) string {
	list := m.words[name]
	if len(list) == 0 || m.r.IntN(3) == 0 {
		list = m.any
	}
	return escaper.Replace(pick(m, list))
}

func (m *Maker) otherText(n dom.Node, _ []dom.Node) (string, bool) {
	open, _, end, ok := parts(n)
	return put(n, open+m.word(n.Local())+end), ok && isLeaf(n)
}

// doubled writes the element twice, once with another text in it.
func (m *Maker) doubled(n dom.Node, nodes []dom.Node) (string, bool) {
	leaf := n
	if !isLeaf(n) {
		var inside []dom.Node
		for _, o := range nodes {
			if n.Contains(o) && isLeaf(o) {
				inside = append(inside, o)
			}
		}
		leaf = pick(m, inside)
	}
	open, _, end, ok := parts(leaf)
	raw, at := string(n.Raw()), leaf.Offset()-n.Offset()
	other := raw[:at] + open + m.word(leaf.Local()) + end + raw[at+len(leaf.Raw()):]
	if m.r.IntN(2) == 0 {
		return put(n, raw+other), ok
	}
	return put(n, other+raw), ok
}

// otherAttribute removes one, changes it, or adds one.
func (m *Maker) otherAttribute(n dom.Node, nodes []dom.Node) (string, bool) {
	var all []dom.Node
	for a := range n.Attributes() {
		all = append(all, a)
	}
	if len(all) == 0 || m.r.IntN(4) == 0 {
		o := pick(m, nodes)
		for a := range o.Attributes() {
			return attribute(n, a.QName()+`="`+escaper.Replace(a.Text())+`"`), n.Attr(a.QName()) == "" && a.Prefix() == ""
		}
		return "", false
	}
	a := pick(m, all)
	raw := string(n.Raw())
	old := " " + a.QName() + `="` + escaper.Replace(a.Text()) + `"`
	value := pick(m, m.any)
	switch m.r.IntN(4) {
	case 0:
		return put(n, strings.Replace(raw, old, "", 1)), true
	case 1:
		value = strings.ToLower(a.Text())
	case 2:
		value = pick(m, spaces) + a.Text()
	}
	return put(n, strings.Replace(raw, old, " "+a.QName()+`="`+escaper.Replace(value)+`"`, 1)), true
}

// moved puts the element before one that follows, or at the end of one that precedes.
func (m *Maker) moved(n dom.Node, nodes []dom.Node) (string, bool) {
	o := pick(m, nodes)
	if o.Contains(n) || n.Contains(o) || o == n {
		return "", false
	}
	src, raw, at := string(n.Document().Source()), string(n.Raw()), n.Offset()
	if o.Offset() > at {
		return src[:at] + src[at+len(raw):o.Offset()] + raw + src[o.Offset():], true
	}
	_, _, end, ok := parts(o)
	i := o.Offset() + len(o.Raw()) - len(end)
	return src[:i] + raw + src[i:at] + src[at+len(raw):], ok
}

// copied puts a copy into another element, at its beginning.
func (m *Maker) copied(n dom.Node, nodes []dom.Node) (string, bool) {
	o := pick(m, nodes)
	open, inner, end, ok := parts(o)
	return put(o, open+string(n.Raw())+inner+end), ok && !n.Contains(o)
}

// exchanged changes places with the next element.
func exchanged(_ *Maker, n dom.Node, _ []dom.Node) (string, bool) {
	o := n.NextElement()
	if !o.Valid() {
		return "", false
	}
	src, after := string(n.Document().Source()), n.Offset()+len(n.Raw())
	return src[:n.Offset()] + string(o.Raw()) + src[after:o.Offset()] + string(n.Raw()) + src[o.Offset()+len(o.Raw()):], true
}

// renamed gives the element the name of another.
func (m *Maker) renamed(n dom.Node, nodes []dom.Node) (string, bool) {
	raw, name, old := string(n.Raw()), pick(m, nodes).QName(), n.QName()
	raw = "<" + name + raw[1+len(old):]
	if i := strings.LastIndex(raw, "</"+old); i > 0 && !strings.HasSuffix(startTag(raw), "/>") {
		raw = raw[:i+2] + name + raw[i+2+len(old):]
	}
	return put(n, raw), name != old
}

// spaces are white space of XML, and what looks like it.
var spaces = []string{" ", "\n\t", "&#13;", "\u00a0", "\u2003", "\u200b", "\ufeff"}

func (m *Maker) padded(n dom.Node, _ []dom.Node) (string, bool) {
	open, inner, end, ok := text(n)
	space := pick(m, spaces)
	switch m.r.IntN(3) {
	case 0:
		inner = space + inner
	case 1:
		inner += space
	case 2:
		i := len(inner) / 2
		inner = strings.ToValidUTF8(inner[:i], "") + space + strings.ToValidUTF8(inner[i:], "")
	}
	return put(n, open+inner+end), ok
}

// numberForm writes a number as some type would have it, another would not.
func (m *Maker) numberForm(n dom.Node, _ []dom.Node) (string, bool) {
	open, inner, end, ok := text(n)
	s := strings.TrimSpace(inner)
	if !ok || s == "" || strings.Trim(s, "0123456789.-") != "" || strings.Count(s, "-") > 1 {
		return "", false
	}
	whole, fraction, _ := strings.Cut(s, ".")
	forms := []string{
		m.beside(s), m.beside(s), "+" + s, whole + ".", "0" + s, s + "E0", s + "e+00", "1E2", "1e400", "1e-400", "INF", "-INF", "NaN", "-0", "-" + s, "." + fraction, "--" + s, whole + "," + fraction,
		whole + " " + fraction, "0x1F", whole + "." + fraction + strings.Repeat("0", 40), whole + "." + fraction + "00000000000000000000000000000000001", whole + strings.Repeat("9", 30), "0." + strings.Repeat("3", 60),
		whole + ".005", whole + ".0049999", "Infinity", "1_000", "१२", "１２.５", s + " EUR", whole, whole + ".0", whole + ".000",
	}
	return put(n, open+pick(m, forms)+end), true
}

// beside is a number that differs from the one given by what rules may let pass.
func (m *Maker) beside(s string) string {
	r, ok := new(big.Rat).SetString(s)
	step, _ := new(big.Rat).SetString(pick(m, []string{"1", "-1", "0.01", "-0.01", "0.02", "-0.02", "0.5", "-0.5", "0.999", "1.001", "10", "0.005", "-0.005"}))
	if !ok {
		return s
	}
	_, fraction, _ := strings.Cut(s, ".")
	return r.Add(r, step).FloatString(max(3, len(fraction)))
}

// dateForm writes a date with a zone, a time, or of a day that is none.
func (m *Maker) dateForm(n dom.Node, _ []dom.Node) (string, bool) {
	open, inner, end, ok := text(n)
	s := strings.TrimSpace(inner)
	if !ok || len(s) < 8 || len(s) > 25 || strings.Trim(s[:8], "0123456789-:") != "" {
		return "", false
	}
	forms := []string{
		s + "Z", s + "+02:00", s + "-14:00", s + "+14:00", s + "+14:01", s + "+1:00", s + "z", s + "T00:00:00", s + "T24:00:00Z", "0000-01-01", "-0044-03-15", "12020-01-01", "2024-02-29", "2023-02-29",
		"2024-2-9", "2024-13-01", "2024-00-10", "24-01-01", "2024/01/01", "01.02.2024", "20240230", "2024-12-31+00:00", "2024-12-31-00:00", " " + s + " ", "+" + s, "9999-12-31", "0001-01-01", "٢٠٢٤-٠١-٠١", s[:7], s[:4],
	}
	return put(n, open+pick(m, forms)+end), true
}

// alike are letters and signs that look like ASCII ones.
var alike = strings.NewReplacer("A", "Α", "E", "Е", "S", "Ѕ", "o", "о", "a", "а", "0", "０", "1", "١", "-", "‑", ".", "．", ":", "：", "#", "＃")

func (m *Maker) lookAlike(n dom.Node, _ []dom.Node) (string, bool) {
	open, inner, end, ok := text(n)
	if !ok || inner == "" || strings.Contains(inner, "&") {
		return "", false
	}
	i := m.r.IntN(len(inner))
	return put(n, open+inner[:i]+alike.Replace(inner[i:])+end), strings.ToValidUTF8(inner[i:], "") == inner[i:]
}

func otherCase(_ *Maker, n dom.Node, _ []dom.Node) (string, bool) {
	open, inner, end, ok := text(n)
	other := strings.ToLower(inner)
	if other == inner {
		other = strings.ToUpper(inner)
	}
	return put(n, open+other+end), ok && other != inner && !strings.Contains(inner, "&")
}

// marked puts a comment or processing instruction into the text, or writes a part of it as CDATA section.
func (m *Maker) marked(n dom.Node, _ []dom.Node) (string, bool) {
	open, inner, end, ok := text(n)
	if !ok || strings.Contains(inner, "&") {
		return "", false
	}
	i := m.r.IntN(len(inner) + 1)
	if strings.ToValidUTF8(inner[i:], "") != inner[i:] {
		return "", false
	}
	switch m.r.IntN(3) {
	case 0:
		inner = inner[:i] + "<!-- 7 -->" + inner[i:]
	case 1:
		inner = inner[:i] + "<?seven 7?>" + inner[i:]
	case 2:
		inner = inner[:i] + "<![CDATA[" + inner[i:] + "]]>"
	}
	return put(n, open+inner+end), true
}

// mixed puts text before the children of an element, or behind them, or an element beside text.
func (m *Maker) mixed(n dom.Node, nodes []dom.Node) (string, bool) {
	open, inner, end, ok := parts(n)
	more := m.word(n.Local())
	if isLeaf(n) {
		more = string(pick(m, nodes).Raw())
		if len(more) > 2000 {
			return "", false
		}
	}
	if m.r.IntN(2) == 0 {
		return put(n, open+more+inner+end), ok
	}
	return put(n, open+inner+more+end), ok
}
