package xpath

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// serializeFunctions write values as text [FO31 14.7.3].
var serializeFunctions = []builtin{
	{name: "serialize", min: 1, max: 2, build: higher(func(m *machine, a []*code) {
		v := a[0].seqArg(m)
		s := serializer{m: m, method: "xml", omit: true, encoding: "UTF-8", nodes: "xml"}
		if len(a) > 1 {
			s.parameters(a[1].seqArg(m))
		}
		text := s.write(v)
		m.add(StringItem(text))
	})},
}

// outputSpace is the namespace of serialization parameters.
const outputSpace = "http://www.w3.org/2010/xslt-xquery-serialization"

// serializer writes a sequence. Its fields are the parameters of serialization [SER31 3]; those of HTML are read and
// have no effect, since that method is not there.
type serializer struct {
	m                        *machine
	method, nodes            string
	omit, indent, undeclare  bool
	duplicates, mark         bool
	separator                *string
	encoding, version        string
	standalone               string // yes, no, or "" for none
	doctypePublic, doctypeID string
	cdata, flat              []QName
	form                     *norm.Form
	chars                    map[rune]string

	b       strings.Builder
	counted int  // octets of b that are counted as built
	level   int  // of the element that is open
	mixed   bool // there is text beside the outermost elements
}

// serializationTypes are the types of the parameters in a map [FO31 14.7.3].
var serializationTypes = map[string]string{
	"allow-duplicate-names": "xs:boolean?", "byte-order-mark": "xs:boolean?", "cdata-section-elements": "xs:QName*", "doctype-public": "xs:string?",
	"doctype-system": "xs:string?", "encoding": "xs:string?", "escape-uri-attributes": "xs:boolean?", "html-version": "xs:decimal?",
	"include-content-type": "xs:boolean?", "indent": "xs:boolean?", "item-separator": "xs:string?", "json-node-output-method": "item()?",
	"media-type": "xs:string?", "method": "item()?", "normalization-form": "xs:string?", "omit-xml-declaration": "xs:boolean?",
	"standalone": "xs:boolean?", "suppress-indentation": "xs:QName*", "undeclare-prefixes": "xs:boolean?",
	"use-character-maps": "map(xs:string, xs:string)?", "version": "xs:string?",
}

func (s *serializer) parameters(v Sequence) {
	switch {
	case len(v) == 0:
	case len(v) == 1 && v[0].typ == TypeMap:
		for _, e := range v[0].mapping().entries {
			if e.key.typ.text() {
				s.fromMap(e.key.text(), e.value)
			}
		}
	case len(v) == 1 && v[0].typ == TypeNode && v[0].n < 0 && v[0].Node().Is(outputSpace, "serialization-parameters"):
		s.fromElement(v[0].Node())
	default:
		fail("XPTY0004", "the parameters are neither a map nor an element output:serialization-parameters")
	}
}

func (s *serializer) fromMap(name string, v Sequence) {
	typ, ok := serializationTypes[name]
	if !ok {
		return // [FO31 1.5]
	}
	st, err := ParseSequenceType(typ, &Static{})
	if err != nil {
		panic(err)
	}
	v = st.convert(v, "parameter "+name)
	switch {
	case name == "use-character-maps":
		if len(v) > 0 {
			for _, e := range v[0].mapping().entries {
				s.character(e.key.text(), e.value[0].text())
			}
		}
	case name == "cdata-section-elements" || name == "suppress-indentation":
		var names []QName
		for _, it := range v {
			names = append(names, *it.qname())
		}
		s.names(name, names)
	case len(v) == 0:
	case v[0].typ == XSBoolean:
		s.set(name, map[bool]string{true: "yes", false: "no"}[v[0].truth()])
	case v[0].typ == XSQName && v[0].qname().Space == "":
		s.set(name, v[0].qname().Local)
	case v[0].typ == XSQName:
		s.set(name, v[0].qname().EQName())
	case v[0].typ.text() || v[0].typ.decimal():
		s.set(name, atomString(v[0]))
	default:
		fail("XPTY0004", "the parameter %s is %s", name, v[0].typ)
	}
}

func (s *serializer) fromElement(n dom.Node) {
	for at := range n.Attributes() {
		if at.Space() == "" || at.Space() == outputSpace {
			fail("SEPM0017", "serialization-parameters has an attribute %s", at.QName())
		}
	}
	seen := map[string]bool{}
	for p := range n.Elements() {
		name := p.Local()
		if p.Space() != outputSpace {
			if p.Space() == "" {
				fail("SEPM0017", "the parameter %s has no namespace", clip(name))
			}
			continue // of another implementation
		}
		if serializationTypes[name] == "" {
			fail("SEPM0017", "there is no parameter %s", clip(name))
		}
		if seen[name] {
			fail("SEPM0019", "the parameter %s stands twice", name)
		}
		seen[name] = true
		if name == "use-character-maps" {
			for c := range p.Elements() {
				char, _ := c.AttrNS("", "character")
				text, ok := c.AttrNS("", "map-string")
				if !c.Is(outputSpace, "character-map") || !ok {
					fail("SEPM0017", "use-character-maps holds %s", c.QName())
				}
				if r := []rune(char); len(r) == 1 && s.chars[r[0]] != "" {
					fail("SEPM0018", "the character %q is mapped twice", char)
				}
				s.character(char, text)
			}
			continue
		}
		value, ok := p.AttrNS("", "value")
		if !ok {
			fail("SEPM0017", "the parameter %s has no value", name)
		}
		switch typ := serializationTypes[name]; {
		case typ == "xs:QName*":
			var names []QName
			for w := range strings.FieldsSeq(value) {
				q, bad := castText(StringItem(w), XSQName, documentPrefixes(p))
				if bad != castDone {
					fail("SEPM0017", "%q is no name", clip(w))
				}
				names = append(names, *q.qname())
			}
			s.names(name, names)
		case typ == "xs:boolean?":
			value = space(value)
			yes, ok := map[string]string{"yes": "yes", "true": "yes", "1": "yes", "no": "no", "false": "no", "0": "no", "omit": "omit"}[value]
			if !ok || yes == "omit" && name != "standalone" {
				fail("SEPM0017", "the parameter %s is %q, not yes or no", name, clip(value))
			}
			if yes != "omit" {
				s.set(name, yes)
			}
		default:
			s.set(name, value)
		}
	}
}

func (s *serializer) names(name string, names []QName) {
	if name == "cdata-section-elements" {
		s.cdata = names
	} else {
		s.flat = names
	}
}

func (s *serializer) character(char, text string) {
	r := []rune(char)
	if len(r) != 1 {
		fail("SEPM0016", "%q in a character map is not one character", clip(char))
	}
	if s.chars == nil {
		s.chars = map[rune]string{}
	}
	s.chars[r[0]] = text
}

// set takes a parameter of one value.
func (s *serializer) set(name, v string) {
	yes := v == "yes"
	wrong := func(what string) { fail("SEPM0016", "the parameter %s is %q: %s", name, clip(v), what) }
	switch name {
	case "method", "json-node-output-method":
		switch v {
		case "xml", "text":
		case "json", "adaptive":
			if name != "method" {
				wrong("nodes in JSON are xml or text")
			}
		case "html", "xhtml":
			wrong("the methods are xml, text, json and adaptive; HTML is not written")
		default:
			wrong("the methods are xml, text, json and adaptive")
		}
		if name == "method" {
			s.method = v
		} else {
			s.nodes = v
		}
	case "allow-duplicate-names":
		s.duplicates = yes
	case "byte-order-mark":
		s.mark = yes
	case "doctype-public":
		if strings.ContainsFunc(v, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" \r\n-'()+,./:=?;!*#@$_%", r))
		}) {
			wrong("no public identifier [XML 2.3]")
		}
		s.doctypePublic = v
	case "doctype-system":
		if strings.Contains(v, "'") && strings.Contains(v, `"`) {
			wrong("both kinds of quotes")
		}
		s.doctypeID = v
	case "encoding":
		if !encodingName(v) {
			wrong("no name of an encoding")
		}
		s.encoding = v
	case "indent":
		s.indent = yes
	case "item-separator":
		s.separator = &v
	case "normalization-form":
		switch f, ok := normalForms[v]; {
		case ok:
			s.form = &f
		case v == "fully-normalized":
			fail("SESU0011", "the normalization form %s is not there", v)
		case v != "none":
			wrong("no normalization form")
		}
	case "omit-xml-declaration":
		s.omit = yes
	case "standalone":
		s.standalone = v
	case "undeclare-prefixes":
		s.undeclare = yes
	case "version":
		s.version = v
	}
}

func encodingName(s string) bool {
	for i, c := range []byte(s) {
		if letter := c|0x20 >= 'a' && c|0x20 <= 'z'; !letter && (i == 0 || !(c >= '0' && c <= '9' || strings.IndexByte("._-", c) >= 0)) {
			return false
		}
	}
	return s != ""
}

func (s *serializer) write(v Sequence) string {
	if s.mark {
		s.b.WriteRune('\ufeff')
	}
	switch s.method {
	case "json":
		if len(v) > 1 {
			fail("SERE0023", "%d items, and JSON has one value", len(v))
		}
		s.json(v, 0)
	case "adaptive":
		sep := "\n"
		if s.separator != nil {
			sep = *s.separator
		}
		for i, it := range v {
			if i > 0 {
				s.b.WriteString(sep)
			}
			s.adaptive(it, 0)
		}
	default:
		s.tree(v)
	}
	s.room(0)
	return s.b.String()
}

// room counts what is written, and what comes next.
func (s *serializer) room(n int) {
	s.m.tick(1 + n/8)
	s.m.built(s.b.Len() - s.counted)
	s.counted = s.b.Len()
}

// grown counts within a long text, whose characters may become longer.
func (s *serializer) grown() {
	if s.b.Len()-s.counted > 1<<16 {
		s.room(0)
	}
}

// tree writes by the methods xml and text, after normalization: text between the nodes [SER31 2].
func (s *serializer) tree(v Sequence) {
	var flat Sequence
	base := len(s.m.stack)
	for _, it := range v {
		if it.typ == TypeArray {
			s.spread(it)
		} else {
			s.m.add(it)
		}
	}
	flat = s.m.keep(base)
	elements, text := 0, false
	for _, it := range flat {
		switch k := it.Node().Kind(); {
		case it.typ == TypeFunction || it.typ == TypeMap:
			fail("SENR0001", "%s cannot be written as %s", it.typ, s.method)
		case it.typ != TypeNode:
			text = text || atomString(it) != ""
		case it.n >= 0 || k == dom.AttributeNode:
			fail("SENR0001", "a node that belongs to an element cannot be written alone")
		case k == dom.ElementNode:
			elements++
		case k == dom.TextNode:
			text = true
		case k == dom.DocumentNode:
			for c := range it.Node().Children() {
				if c.Kind() == dom.ElementNode {
					elements++
				}
				text = text || c.Kind() == dom.TextNode
			}
		}
	}
	s.mixed = text
	if s.method == "xml" {
		if s.version != "" && s.version != "1.0" {
			fail("SESU0013", "XML %q is not written, only 1.0", clip(s.version))
		}
		if s.undeclare {
			fail("SEPM0010", "XML 1.0 cannot undeclare prefixes")
		}
		if (s.doctypeID != "" || !s.omit && s.standalone != "") && (elements != 1 || text) {
			fail("SEPM0004", "standalone and a document type want one element without text around it")
		}
		if s.omit && s.standalone != "" {
			fail("SEPM0009", "standalone without XML declaration")
		}
		if !s.omit {
			s.b.WriteString(`<?xml version="1.0" encoding="` + s.encoding + `"`)
			if s.standalone != "" {
				s.b.WriteString(` standalone="` + s.standalone + `"`)
			}
			s.b.WriteString("?>")
		}
	}
	atoms := false
	for i, it := range flat {
		if i > 0 && s.separator != nil {
			s.text(*s.separator)
		} else if atoms && it.typ != TypeNode {
			s.b.WriteByte(' ')
		}
		if atoms = it.typ != TypeNode; atoms {
			s.text(atomString(it))
			continue
		}
		s.node(it.Node(), true)
	}
}

// spread pushes what lies in an array, arrays within included.
func (s *serializer) spread(it Item) {
	s.m.call()
	for _, member := range it.array().members {
		for _, x := range member {
			if x.typ == TypeArray {
				s.spread(x)
			} else {
				s.m.add(x)
			}
		}
	}
	s.m.depth--
}

// node writes a node and what is in it. The outermost element declares all prefixes that are in scope.
func (s *serializer) node(n dom.Node, outer bool) {
	s.room(len(n.Value()))
	if s.method == "text" {
		if k := n.Kind(); k == dom.TextNode || k == dom.ElementNode || k == dom.DocumentNode {
			s.text(n.Text())
		}
		return
	}
	if outer && s.indent && !s.mixed && n.Kind() != dom.DocumentNode && s.b.Len() > 0 {
		s.newline()
	}
	switch n.Kind() {
	case dom.DocumentNode:
		for c := range n.Children() {
			s.node(c, true)
		}
	case dom.TextNode:
		s.text(n.Text())
	case dom.CommentNode:
		s.b.WriteString("<!--" + n.Text() + "-->")
	case dom.PINode:
		s.b.WriteString("<?" + n.Local())
		if v := n.Text(); v != "" {
			s.b.WriteString(" " + v)
		}
		s.b.WriteString("?>")
	case dom.ElementNode:
		s.doctype(n)
		s.element(n, outer)
	}
}

// doctype writes the document type declaration before the first element.
func (s *serializer) doctype(n dom.Node) {
	if s.doctypeID == "" {
		return
	}
	quote := func(v string) string {
		if strings.Contains(v, `"`) {
			return "'" + v + "'"
		}
		return `"` + v + `"`
	}
	s.b.WriteString("<!DOCTYPE " + n.QName())
	if s.doctypePublic != "" {
		s.b.WriteString(" PUBLIC " + quote(s.doctypePublic) + " " + quote(s.doctypeID) + ">")
	} else {
		s.b.WriteString(" SYSTEM " + quote(s.doctypeID) + ">")
	}
	if s.indent {
		s.newline()
	}
	s.doctypeID = ""
}

func (s *serializer) element(n dom.Node, outer bool) {
	s.b.WriteString("<" + n.QName())
	scope := n.Declared()
	if outer {
		scope = n.InScope()
	}
	for prefix, uri := range scope {
		switch {
		case prefix != "" && uri != "":
			s.b.WriteString(" xmlns:" + prefix + `="`)
		case prefix == "" && (uri != "" || !outer):
			s.b.WriteString(` xmlns="`)
		default:
			continue
		}
		s.attribute(uri, false)
		s.b.WriteByte('"')
	}
	for at := range n.Attributes() {
		s.room(len(at.Value()))
		s.b.WriteString(" " + at.QName() + `="`)
		s.attribute(at.Text(), true)
		s.b.WriteByte('"')
	}
	if !n.FirstChild().Valid() {
		s.b.WriteString("/>")
		return
	}
	s.b.WriteByte('>')
	s.m.call()
	lines, cdata := s.indents(n), s.in(s.cdata, n)
	s.level++
	for c := range n.Children() {
		if lines {
			s.newline()
		}
		if cdata && c.Kind() == dom.TextNode {
			s.room(len(c.Value()))
			s.b.WriteString("<![CDATA[" + strings.ReplaceAll(c.Text(), "]]>", "]]]]><![CDATA[>") + "]]>")
			continue
		}
		if c.Kind() == dom.ElementNode {
			s.room(0)
			s.element(c, false)
			continue
		}
		s.node(c, false)
	}
	s.level--
	if lines {
		s.newline()
	}
	s.m.depth--
	s.b.WriteString("</" + n.QName() + ">")
}

func (s *serializer) newline() {
	s.b.WriteString("\n" + strings.Repeat("  ", s.level))
}

// indents reports whether white space may stand between the children of an element: not beside text [SER31 5.1.4].
func (s *serializer) indents(n dom.Node) bool {
	if !s.indent {
		return false
	}
	s.m.tick(s.level)
	for p := n; p.Valid(); p = p.Parent() {
		if v, ok := p.AttrNS(dom.XMLNamespace, "space"); ok && v == "preserve" || s.in(s.flat, p) {
			return false
		}
	}
	for c := range n.Children() {
		if c.Kind() == dom.TextNode {
			return false
		}
	}
	return true
}

func (s *serializer) in(names []QName, n dom.Node) bool {
	s.m.tick(len(names))
	return slices.ContainsFunc(names, func(q QName) bool { return n.Is(q.Space, q.Local) })
}

// text writes characters between tags, or alone.
func (s *serializer) text(t string) {
	s.room(len(t))
	if s.form != nil {
		t = s.form.String(t)
	}
	for _, r := range t {
		s.grown()
		m, mapped := s.chars[r]
		switch {
		case mapped:
			s.b.WriteString(m)
		case s.method == "text":
			s.b.WriteRune(r)
		case r == '&':
			s.b.WriteString("&amp;")
		case r == '<':
			s.b.WriteString("&lt;")
		case r == '>':
			s.b.WriteString("&gt;")
		default:
			s.rune(r)
		}
	}
}

// attribute writes the value of an attribute; namespaces are not mapped.
func (s *serializer) attribute(t string, mapped bool) {
	if s.form != nil && mapped {
		t = s.form.String(t)
	}
	for _, r := range t {
		s.grown()
		if m, ok := s.chars[r]; ok && mapped {
			s.b.WriteString(m)
			continue
		}
		switch r {
		case '&':
			s.b.WriteString("&amp;")
		case '<':
			s.b.WriteString("&lt;")
		case '>':
			s.b.WriteString("&gt;")
		case '"':
			s.b.WriteString("&quot;")
		case '\t', '\n':
			fmt.Fprintf(&s.b, "&#x%X;", r)
		default:
			s.rune(r)
		}
	}
}

// rune writes what would be lost, or seen as an end of line, as a reference [SER31 5].
func (s *serializer) rune(r rune) {
	if r == '\r' || r >= 0x7f && r < 0xa0 || r == 0x2028 {
		fmt.Fprintf(&s.b, "&#x%X;", r)
	} else {
		s.b.WriteRune(r)
	}
}

// alone writes one node by another method, for JSON and the adaptive method.
func (s *serializer) alone(it Item, method string) string {
	o := serializer{m: s.m, method: method, omit: true, indent: s.indent && s.method == "adaptive", encoding: s.encoding, cdata: s.cdata, flat: s.flat,
		undeclare: s.undeclare, chars: s.chars, form: s.form}
	o.tree(single(it))
	return o.b.String()
}

// json writes a value [SER31 9].
func (s *serializer) json(v Sequence, depth int) {
	if depth > maxJSON {
		failLimit("JSON more than %d deep", maxJSON)
	}
	s.room(8)
	switch len(v) {
	case 0:
		s.b.WriteString("null")
		return
	case 1:
	default:
		fail("SERE0023", "%d items where JSON has one value", len(v))
	}
	line := func(depth int) {
		if s.indent {
			s.b.WriteString("\n" + strings.Repeat("  ", depth))
		}
	}
	switch it := v[0]; {
	case it.typ == TypeArray:
		s.b.WriteByte('[')
		for i, member := range it.array().members {
			if i > 0 {
				s.b.WriteByte(',')
			}
			line(depth + 1)
			s.json(member, depth+1)
		}
		if len(it.array().members) > 0 {
			line(depth)
		}
		s.b.WriteByte(']')
	case it.typ == TypeMap:
		s.b.WriteByte('{')
		seen := map[string]bool{}
		for i, e := range it.mapping().entries {
			if i > 0 {
				s.b.WriteByte(',')
			}
			line(depth + 1)
			key := atomString(e.key)
			if seen[key] && !s.duplicates {
				fail("SERE0022", "two keys are written as %q", clip(key))
			}
			seen[key] = true
			s.jsonString(key)
			s.b.WriteByte(':')
			if s.indent {
				s.b.WriteByte(' ')
			}
			s.json(e.value, depth+1)
		}
		if len(seen) > 0 {
			line(depth)
		}
		s.b.WriteByte('}')
	case it.typ == TypeFunction:
		fail("SERE0021", "a function cannot be written as JSON")
	case it.typ == TypeNode:
		s.jsonString(s.alone(it, s.nodes))
	case it.typ == XSBoolean:
		s.b.WriteString(atomString(it))
	case it.typ.numeric():
		t := atomString(it)
		if t == "NaN" || strings.HasSuffix(t, "INF") {
			fail("SERE0020", "%s is no number of JSON", t)
		}
		s.b.WriteString(t)
	default:
		s.jsonString(atomString(it))
	}
}

func (s *serializer) jsonString(t string) {
	s.room(len(t))
	if s.form != nil {
		t = s.form.String(t)
	}
	s.b.WriteByte('"')
	for _, r := range t {
		s.grown()
		if m, ok := s.chars[r]; ok {
			s.b.WriteString(m)
		} else {
			writeJSONRune(&s.b, r)
		}
	}
	s.b.WriteByte('"')
}

// adaptive writes an item so that its type can be seen [SER31 10].
func (s *serializer) adaptive(it Item, depth int) {
	if depth > maxJSON {
		failLimit("values more than %d deep", maxJSON)
	}
	s.room(8)
	list := func(v Sequence) {
		if len(v) != 1 {
			s.b.WriteByte('(')
		}
		for i, x := range v {
			if i > 0 {
				s.b.WriteByte(',')
			}
			s.adaptive(x, depth+1)
		}
		if len(v) != 1 {
			s.b.WriteByte(')')
		}
	}
	quoted := func(t string) {
		s.b.WriteByte('"')
		o := serializer{m: s.m, method: "text", chars: s.chars, form: s.form}
		o.text(strings.ReplaceAll(t, `"`, `""`))
		s.b.WriteString(o.b.String() + `"`)
	}
	switch t := it.typ; {
	case t == TypeNode && it.n >= 0:
		prefix, uri := namespaceAt(it)
		s.b.WriteString("xmlns")
		if prefix != "" {
			s.b.WriteString(":" + prefix)
		}
		s.b.WriteString(`="`)
		s.attribute(uri, false)
		s.b.WriteByte('"')
	case t == TypeNode && it.Node().Kind() == dom.AttributeNode:
		s.b.WriteString(it.Node().QName() + `="`)
		s.attribute(it.Node().Text(), true)
		s.b.WriteByte('"')
	case t == TypeNode:
		s.b.WriteString(s.alone(it, "xml"))
	case t == TypeArray:
		s.b.WriteByte('[')
		for i, member := range it.array().members {
			if i > 0 {
				s.b.WriteByte(',')
			}
			list(member)
		}
		s.b.WriteByte(']')
	case t == TypeMap:
		s.b.WriteString("map{")
		for i, e := range it.mapping().entries {
			if i > 0 {
				s.b.WriteByte(',')
			}
			s.adaptive(e.key, depth+1)
			s.b.WriteByte(':')
			list(e.value)
		}
		s.b.WriteByte('}')
	case t == TypeFunction:
		f := it.function()
		name := "(anonymous-function)"
		if f.name.Local != "" {
			if name = f.name.Local; f.name.Space != "" {
				name = f.name.EQName()
				for prefix, uri := range predeclared {
					if uri == f.name.Space {
						name = prefix + ":" + f.name.Local
					}
				}
			}
		}
		s.b.WriteString(name + "#" + strconv.Itoa(f.arity))
	case t == XSBoolean:
		s.b.WriteString(atomString(it) + "()")
	case t.text():
		quoted(atomString(it))
	case t == XSDouble:
		v := strconv.FormatFloat(it.float(), 'e', -1, 64)
		mantissa, exponent, ok := strings.Cut(v, "e")
		if !ok { // infinite, or no number
			s.b.WriteString(atomString(it))
			return
		}
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, _ := strconv.Atoi(exponent)
		s.b.WriteString(mantissa + "e" + strconv.Itoa(n))
	case t.decimal():
		s.b.WriteString(atomString(it))
	case t == XSQName || t == XSNOTATION:
		s.b.WriteString("Q{" + it.qname().Space + "}" + it.qname().Local)
	default:
		s.b.WriteString(t.primitive().String() + "(")
		quoted(atomString(it))
		s.b.WriteByte(')')
	}
}
