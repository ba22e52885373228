package xpath

import (
	"encoding/json"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// jsonTreeFunctions read JSON from elsewhere, and turn it into XML and back [FO31 17.5].
var jsonTreeFunctions = []builtin{
	{name: "json-doc", min: 1, max: 2, build: higher(func(m *machine, a []*code) {
		p := jsonParser{m: m, duplicates: "use-first"}
		if len(a) > 1 {
			p.options(a[1].mapArg(m))
		}
		if s, ok := m.textArg(a[:1]); ok {
			m.pushAll(p.whole(s))
		}
	})},
	{name: "json-to-xml", min: 1, max: 2, build: with(needsOuter, one(TypeNode, func(m *machine, a []*code) (Item, bool) {
		p := jsonParser{m: m, duplicates: "retain"}
		if len(a) > 1 {
			o := a[1].mapArg(m)
			p.treeOptions(o)
		}
		s, ok := a[0].str(m)
		if !ok {
			return Item{}, false
		}
		p.start(s)
		w := dom.NewWriter(nil)
		p.tree(w, 0, "xmlns", FunctionSpace)
		p.finish()
		return node(m.madeDocument(w), 0), true
	}))},
	{name: "xml-to-json", min: 1, max: 2, build: with(needsOuter, one(XSString, func(m *machine, a []*code) (Item, bool) {
		x := jsonText{m: m}
		if len(a) > 1 {
			x.indent = optionTruth(a[1].mapArg(m), "indent")
		}
		it, ok := a[0].nodeArg(m)
		if !ok {
			return it, false
		}
		x.value(x.top(it), 0, false)
		m.built(x.b.Len() - x.counted)
		return StringItem(x.b.String()), true
	}))},
}

// optionTruth is an option that is xs:boolean, false when it is not there.
func optionTruth(o *mapping, name string) bool {
	v, ok := o.get(StringItem(name))
	if !ok {
		return false
	}
	return (&SequenceType{typ: XSBoolean, text: "xs:boolean"}).convert(v, "option "+name)[0].truth()
}

// treeOptions reads the options of json-to-xml, which are those of parse-json but for duplicates, and validate.
func (p *jsonParser) treeOptions(o *mapping) {
	rest := newMapping()
	for _, e := range o.entries {
		if !e.key.typ.text() || e.key.text() != "duplicates" {
			rest.put(e.key, e.value)
		}
	}
	p.options(rest)
	p.duplicates = "retain"
	if v, ok := o.get(StringItem("duplicates")); ok {
		switch p.duplicates = (&SequenceType{typ: XSString, text: "xs:string"}).convert(v, "option duplicates")[0].text(); p.duplicates {
		case "reject", "use-first", "retain":
		default:
			fail("FOJS0005", "the option duplicates is %q, not reject, use-first or retain", clip(p.duplicates))
		}
	}
	if optionTruth(o, "validate") {
		fail("FOJS0004", "validate asks for a schema, and there is none")
	}
}

// tree reads a value and writes it as XML [FO31 17.4]. attrs are those of its element.
func (p *jsonParser) tree(w *dom.Writer, depth int, attrs ...string) {
	if depth > maxJSON {
		failLimit("JSON more than %d deep", maxJSON)
	}
	p.m.tick(8)
	if w.Len() > madeLimits.Bytes {
		failLimit("JSON of more than %d octets as XML", madeLimits.Bytes)
	}
	p.space()
	for _, word := range []struct{ text, element, value string }{{"true", "boolean", "true"}, {"false", "boolean", "false"}, {"null", "null", ""}} {
		if strings.HasPrefix(p.src[p.at:], word.text) {
			p.at += len(word.text)
			w.Element(word.element, word.value, attrs...)
			return
		}
	}
	switch {
	case p.skip('{'):
		w.Start("map", attrs...)
		p.members(w, depth)
		w.End()
	case p.skip('['):
		w.Start("array", attrs...)
		for n := 0; !p.skip(']'); n++ {
			if n > 0 && !p.skip(',') {
				p.wrong("a comma or ] is missing")
			}
			p.tree(w, depth+1)
		}
		w.End()
	case p.skip('"'):
		s := p.text()
		if p.escape && strings.Contains(s, `\`) {
			attrs = append(attrs, "escaped", "true")
		}
		w.Element("string", s, attrs...)
	default:
		from := p.at
		p.number()
		w.Element("number", p.src[from:p.at], attrs...)
	}
}

// members reads the members of an object.
func (p *jsonParser) members(w *dom.Writer, depth int) {
	seen := map[string]bool{}
	for n := 0; !p.skip('}'); n++ {
		if n > 0 && !p.skip(',') {
			p.wrong("a comma or } is missing")
		}
		if !p.skip('"') {
			p.wrong("a name in quotes is missing")
		}
		key := p.text()
		if !p.skip(':') {
			p.wrong("a colon is missing")
		}
		attrs := []string{"key", key}
		if p.escape && strings.Contains(key, `\`) {
			attrs = append(attrs, "escaped-key", "true")
		}
		to := w
		if seen[key] {
			switch p.duplicates {
			case "reject":
				fail("FOJS0003", "the name %q occurs twice", clip(key))
			case "use-first":
				to = dom.NewWriter(nil) // read, and forgotten
			}
		}
		seen[key] = true
		p.tree(to, depth+1, attrs...)
	}
}

// jsonText writes JSON from the elements of fn:json-to-xml [FO31 17.5.4].
type jsonText struct {
	m       *machine
	b       strings.Builder
	counted int // octets of b that are counted as built
	indent  bool
}

func wrongTree(n dom.Node, format string, args ...any) {
	e := errorf("FOJS0006", format, args...)
	e.Msg = n.Path() + ": " + e.Msg
	panic(e)
}

// top is the element that a document or element stands for.
func (x *jsonText) top(it Item) dom.Node {
	n := it.Node()
	if it.n >= 0 || n.Kind() != dom.ElementNode && n.Kind() != dom.DocumentNode {
		fail("FOJS0006", "no element or document")
	}
	if n.Kind() == dom.ElementNode {
		return n
	}
	e := n.FirstElement()
	if !e.Valid() || e.NextElement().Valid() || !onlySpace(n) {
		fail("FOJS0006", "a document with other than one element")
	}
	return e
}

// onlySpace reports whether the text right below a node is white space.
func onlySpace(n dom.Node) bool {
	for c := range n.Children() {
		if c.Kind() == dom.TextNode && c.TrimmedText() != "" {
			return false
		}
	}
	return true
}

// value writes an element; within a map the caller has written its key.
func (x *jsonText) value(n dom.Node, depth int, keyed bool) {
	x.m.tick(8)
	x.m.built(x.b.Len() - x.counted)
	x.counted = x.b.Len()
	if depth > maxJSON {
		failLimit("JSON more than %d deep", maxJSON)
	}
	if n.Space() != FunctionSpace {
		wrongTree(n, "the namespace is not %s", FunctionSpace)
	}
	local := n.Local()
	escaped := false
	for at := range n.Attributes() {
		switch {
		case at.Space() == "" && (at.Local() == "key" || at.Local() == "escaped-key") && (keyed || depth == 0):
			if at.Local() == "escaped-key" {
				x.boolean(at)
			}
		case at.Space() == "" && at.Local() == "escaped" && local == "string":
			escaped = x.boolean(at)
		case at.Space() == "" || at.Space() == FunctionSpace:
			wrongTree(n, "the attribute %s has no place here", at.QName())
		}
	}
	switch local {
	case "map":
		x.object(n, depth)
		return
	case "array":
		x.array(n, depth)
		return
	}
	if n.FirstElement().Valid() {
		wrongTree(n, "%s holds an element", local)
	}
	s := n.Text()
	switch local {
	case "string":
		x.str(n, s, escaped)
	case "number":
		v, p := castText(StringItem(s), XSDouble, nil)
		if p != castDone || math.IsNaN(v.float()) || math.IsInf(v.float(), 0) {
			wrongTree(n, "%q is no number of JSON", clip(s))
		}
		x.b.WriteString(doubleString(v.float(), 64))
	case "boolean":
		v, p := castText(StringItem(s), XSBoolean, nil)
		if p != castDone {
			wrongTree(n, "%q is no xs:boolean", clip(s))
		}
		x.b.WriteString(atomString(v))
	case "null":
		if s != "" {
			wrongTree(n, "null has content")
		}
		x.b.WriteString("null")
	default:
		wrongTree(n, "there is no element %s in JSON", local)
	}
}

func (x *jsonText) boolean(at dom.Node) bool {
	v, p := castText(StringItem(at.Text()), XSBoolean, nil)
	if p != castDone {
		wrongTree(at, "%q is no xs:boolean", clip(at.Text()))
	}
	return v.truth()
}

func (x *jsonText) line(depth int) {
	if x.indent {
		x.b.WriteString("\n" + strings.Repeat("  ", depth))
	}
}

func (x *jsonText) object(n dom.Node, depth int) {
	if !onlySpace(n) {
		wrongTree(n, "map holds text")
	}
	x.b.WriteByte('{')
	seen := map[string]bool{}
	for e := range n.Elements() {
		if len(seen) > 0 {
			x.b.WriteByte(',')
		}
		x.line(depth + 1)
		at := e.Attribute("", "key")
		if !at.Valid() {
			wrongTree(e, "the attribute key is missing")
		}
		escaped := e.Attribute("", "escaped-key")
		from := x.b.Len()
		x.str(at, at.Text(), escaped.Valid() && x.boolean(escaped))
		var key string
		if json.Unmarshal([]byte(x.b.String()[from:]), &key) != nil || seen[key] {
			wrongTree(e, "the key %q occurs twice", clip(at.Text()))
		}
		seen[key] = true
		x.b.WriteByte(':')
		if x.indent {
			x.b.WriteByte(' ')
		}
		x.value(e, depth+1, true)
	}
	if len(seen) > 0 {
		x.line(depth)
	}
	x.b.WriteByte('}')
}

func (x *jsonText) array(n dom.Node, depth int) {
	if !onlySpace(n) {
		wrongTree(n, "array holds text")
	}
	x.b.WriteByte('[')
	first := true
	for e := range n.Elements() {
		if !first {
			x.b.WriteByte(',')
		}
		first = false
		x.line(depth + 1)
		x.value(e, depth+1, false)
	}
	if !first {
		x.line(depth)
	}
	x.b.WriteByte(']')
}

// str writes a string. One that is escaped already keeps its escapes.
func (x *jsonText) str(n dom.Node, s string, escaped bool) {
	x.m.tick(len(s) / 8)
	x.b.WriteByte('"')
	for i := 0; i < len(s); {
		if s[i] == '\\' && escaped {
			size := 2
			if strings.HasPrefix(s[i:], `\u`) {
				size = 6
			}
			if i+size > len(s) || !json.Valid([]byte(`"`+s[i:i+size]+`"`)) {
				e := errorf("FOJS0007", "%q holds no escape of JSON", clip(s[i:]))
				e.Msg = n.Path() + ": " + e.Msg
				panic(e)
			}
			x.b.WriteString(s[i : i+size])
			i += size
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		writeJSONRune(&x.b, r)
		i += size
	}
	x.b.WriteByte('"')
}

// writeJSONRune writes a character into a JSON string [FO31 17.5.4].
func writeJSONRune(b *strings.Builder, r rune) {
	switch {
	case r == '"' || r == '\\' || r == '/':
		b.WriteByte('\\')
		b.WriteRune(r)
	case r < 0x20 || r >= 0x7f && r < 0xa0:
		b.WriteString(jsonEscape(r))
	default:
		b.WriteRune(r)
	}
}
