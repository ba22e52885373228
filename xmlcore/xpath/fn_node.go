package xpath

import (
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var nodeFunctions = []builtin{
	{name: "name", min: 0, max: 1, build: orNode(0, nodeName(func(q QName, n dom.Node) Item {
		if q.Prefix != "" {
			return StringItem(n.QName())
		}
		return StringItem(q.Local)
	}))},
	{name: "local-name", min: 0, max: 1, build: orNode(0, nodeName(func(q QName, _ dom.Node) Item { return StringItem(q.Local) }))},
	{name: "namespace-uri", min: 0, max: 1, build: orNode(0, nodeName(func(q QName, _ dom.Node) Item { return textItem(XSAnyURI, q.Space) }))},
	{name: "node-name", min: 0, max: 1, build: orNode(0, one(XSQName, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].nodeArg(m)
		if !ok {
			return it, false
		}
		q, ok := nameOf(it)
		return qnameItem(XSQName, q), ok
	}))},
	{name: "nilled", min: 0, max: 1, build: orNode(0, one(XSBoolean, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].nodeArg(m)
		return BooleanItem(false), ok && it.Node().Kind() == dom.ElementNode
	}))},
	{name: "base-uri", min: 0, max: 1, build: with(needsOuter, orNode(0, one(XSAnyURI, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].nodeArg(m)
		if !ok {
			return it, false
		}
		return m.baseURI(it)
	})))},
	{name: "document-uri", min: 0, max: 1, build: with(needsOuter, orNode(0, one(XSAnyURI, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].nodeArg(m)
		if !ok || it.Node().Kind() != dom.DocumentNode || it.n >= 0 {
			return it, false
		}
		uri := m.documentURI(it.doc())
		return textItem(XSAnyURI, uri), uri != ""
	})))},
	{name: "root", min: 0, max: 1, build: orNode(0, one(TypeNode, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].nodeArg(m)
		if !ok {
			return it, false
		}
		return node(it.doc(), 0), true
	}))},
	{name: "lang", min: 1, max: 2, build: orNode(1, truth(func(m *machine, a []*code) bool {
		want := strings.ToLower(a[0].text(m))
		it, ok := a[1].nodeArg(m)
		if !ok {
			fail("XPTY0004", "nothing where a node is wanted")
		}
		for n := it.Node(); n.Valid(); n = n.Parent() {
			if v, ok := n.AttrNS(dom.XMLNamespace, "lang"); ok {
				v = strings.ToLower(v)
				return v == want || strings.HasPrefix(v, want+"-")
			}
		}
		return false
	}))},
	{name: "id", min: 1, max: 2, build: orNode(1, many(func(m *machine, a []*code) { m.byID(a, false) }))},
	{name: "element-with-id", min: 1, max: 2, build: orNode(1, many(func(m *machine, a []*code) { m.byID(a, true) }))},
	{name: "idref", min: 1, max: 2, build: orNode(1, many(func(m *machine, a []*code) { // no attribute is of type IDREF without a schema
		base := len(m.stack)
		a[0].atoms(m)
		a[1].push(m)
		m.stack = m.stack[:base]
	}))},
	{name: "doc", min: 1, max: 1, build: with(needsOuter, one(TypeNode, func(m *machine, a []*code) (Item, bool) {
		uri, ok := a[0].str(m)
		if !ok {
			return Item{}, false
		}
		d, err := m.document(uri)
		if err != nil {
			panic(err)
		}
		return node(d, 0), true
	}))},
	{name: "doc-available", min: 1, max: 1, build: with(needsOuter, truth(func(m *machine, a []*code) bool {
		uri, ok := a[0].str(m)
		if !ok {
			return false
		}
		_, err := m.document(uri)
		return err == nil
	}))},
	{name: "collection", min: 0, max: 1, build: with(needsOuter, many(func(m *machine, a []*code) {
		if len(a) > 0 {
			a[0].str(m)
		}
		fail("FODC0002", "there are no collections")
	}))},
	{name: "path", min: 0, max: 1, build: orNode(0, one(XSString, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].nodeArg(m)
		if !ok {
			return it, false
		}
		return StringItem(nodePath(m, it)), true
	}))},
	{name: "has-children", min: 0, max: 1, build: orNode(0, truth(func(m *machine, a []*code) bool {
		it, ok := a[0].nodeArg(m)
		return ok && it.n < 0 && it.Node().FirstChild().Valid()
	}))},
	{name: "innermost", min: 1, max: 1, build: many(func(m *machine, a []*code) { m.nested(a[0], false) })},
	{name: "outermost", min: 1, max: 1, build: many(func(m *machine, a []*code) { m.nested(a[0], true) })},
	{name: "generate-id", min: 0, max: 1, build: orNode(0, one(XSString, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].nodeArg(m)
		if !ok {
			return StringItem(""), true
		}
		id := fmt.Sprintf("d%de%d", m.ordinal(it.doc())+1, it.i)
		if it.n >= 0 {
			id += fmt.Sprintf("n%d", it.n)
		}
		return StringItem(id), true
	}))},
	{name: "static-base-uri", build: func(c *compiler, e *expr, _ []*code) *code {
		if c.env.BaseURI == "" {
			return constant(e, nil)
		}
		return constant(e, Sequence{textItem(XSAnyURI, c.env.BaseURI)})
	}},
	{name: "default-collation", build: func(c *compiler, e *expr, _ []*code) *code {
		uri := c.env.Collation
		if uri == "" {
			uri = codepointCollation
		}
		return constant(e, Sequence{StringItem(uri)})
	}},
	{name: "default-language", build: func(_ *compiler, e *expr, _ []*code) *code {
		return constant(e, Sequence{textItem(XSLanguage, "en")})
	}},
}

// nameOf returns the name of a node that has one [XDM 5.11].
func nameOf(it Item) (QName, bool) {
	if it.n >= 0 {
		prefix, _ := namespaceAt(it)
		return QName{Local: prefix}, prefix != ""
	}
	n := it.Node()
	switch n.Kind() {
	case dom.ElementNode, dom.AttributeNode:
		return QName{n.Space(), n.Local(), n.Prefix()}, true
	case dom.PINode:
		return QName{Local: n.Local()}, true
	}
	return QName{}, false
}

func nodeName(f func(QName, dom.Node) Item) builder {
	return one(TypeNone, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].nodeArg(m)
		if !ok {
			return f(QName{}, dom.Node{}), true
		}
		q, _ := nameOf(it)
		return f(q, it.Node()), true
	})
}

// byID finds elements by ID: xml:id, and attributes that an internal subset declares [FO 15.5.2].
func (m *machine) byID(a []*code, _ bool) {
	base := len(m.stack)
	a[0].atoms(m)
	mid := len(m.stack)
	it, ok := a[1].nodeArg(m)
	if !ok {
		fail("XPTY0004", "nothing where a node is wanted")
	}
	in := m.infoFor(it.doc())
	if in.idIndex == nil {
		in.idIndex = map[string]int32{}
		m.tick(in.d.Len())
		for i := range in.d.Len() {
			if n := in.d.At(i); n.Kind() == dom.AttributeNode && (n.IsID() || n.Is(dom.XMLNamespace, "id")) {
				id := space(string(n.Value()))
				if _, twice := in.idIndex[id]; !twice {
					in.idIndex[id] = int32(n.Parent().Index())
				}
			}
		}
	}
	for i := base; i < mid; i++ {
		if !m.stack[i].typ.text() {
			fail("XPTY0004", "%s where a string is wanted", m.stack[i].typ)
		}
		for id := range strings.FieldsSeq(m.stack[i].text()) {
			if e, ok := in.idIndex[id]; ok {
				m.add(node(in.d, int(e)))
			}
		}
	}
	m.drop(base, mid)
	m.sortNodes(base)
}

func (m *machine) documentURI(d *dom.Document) string {
	for uri, o := range m.docs {
		if o == d {
			return uri
		}
	}
	if m.ctx.URI != nil {
		return m.ctx.URI(d)
	}
	return ""
}

// baseURI follows xml:base upwards [FO 2.5].
func (m *machine) baseURI(it Item) (Item, bool) {
	if it.n >= 0 {
		return it, false
	}
	n := it.Node()
	if k := n.Kind(); k != dom.ElementNode && k != dom.DocumentNode {
		n = n.Parent()
	}
	uri := m.documentURI(it.doc())
	if uri == "" {
		uri = m.bases[it.doc()]
	}
	var bases []string
	for ; n.Valid(); n = n.Parent() {
		if b, ok := n.AttrNS(dom.XMLNamespace, "base"); ok {
			bases = append(bases, b)
		}
	}
	for i := len(bases) - 1; i >= 0; i-- {
		abs, err := resolveURI(bases[i], uri)
		if err != nil {
			abs = bases[i]
		}
		uri = abs
	}
	return textItem(XSAnyURI, uri), uri != ""
}

// document loads a document, the same one for the same URI [FO 15.5.4].
func (m *machine) document(uri string) (*dom.Document, *Error) {
	if !plausibleURI(uri) || strings.ContainsAny(uri, "\\ <>{}|^`") && !strings.Contains(uri, "%20") {
		return nil, errorf("FODC0005", "%q is no URI", clip(uri))
	}
	abs := uri
	if !absolute(uri) {
		base := m.x.env.BaseURI
		if base == "" {
			return nil, errorf("FODC0002", "%q is relative, and to nothing", clip(uri))
		}
		r, err := resolveURI(uri, base)
		if err != nil {
			return nil, errorf("FODC0005", "%q: %v", clip(uri), err)
		}
		abs = r
	}
	if d, ok := m.docs[abs]; ok {
		return d, nil
	}
	if err, ok := m.lost[abs]; ok {
		return nil, err.(*Error)
	}
	err := errorf("FODC0002", "document %q is not available", clip(abs))
	if m.ctx.Resolve != nil {
		d, cause := m.ctx.Resolve(abs)
		if cause == nil && d != nil {
			if m.docs == nil {
				m.docs = map[string]*dom.Document{}
			}
			m.docs[abs] = d
			return d, nil
		}
		if cause != nil {
			err.cause = cause
			err.Msg += ": " + cause.Error()
		}
	}
	if m.lost == nil {
		m.lost = map[string]error{}
	}
	m.lost[abs] = err
	return nil, err
}

// nested keeps the nodes that have no descendant, or no ancestor, among the others.
func (m *machine) nested(a *code, outer bool) {
	base := len(m.stack)
	a.push(m)
	m.needNodes(base)
	m.sortNodes(base)
	s := m.stack[base:]
	w := 0
	for i, it := range s {
		if outer {
			if w > 0 && s[w-1].p == it.p && s[w-1].n < 0 && s[w-1].Node().Contains(it.Node()) {
				continue
			}
		} else if i+1 < len(s) && s[i+1].p == it.p && it.n < 0 && it.Node().Contains(s[i+1].Node()) {
			continue
		}
		s[w] = it
		w++
	}
	m.stack = m.stack[:base+w]
}

// nodePath is fn:path [FO31 14.1.7].
func nodePath(m *machine, it Item) string {
	var steps []string
	if it.n >= 0 {
		prefix, _ := namespaceAt(it)
		if prefix == "" {
			prefix = "*[Q{" + FunctionSpace + "}local-name()=\"\"]"
		}
		steps = append(steps, "namespace::"+prefix)
	}
	for n := it.Node(); n.Kind() != dom.DocumentNode; n = n.Parent() {
		s := ""
		switch n.Kind() {
		case dom.ElementNode:
			s = fmt.Sprintf("Q{%s}%s[%d]", n.Space(), n.Local(), among(m, n))
		case dom.AttributeNode:
			s = "@" + n.Local()
			if n.Space() != "" {
				s = "@Q{" + n.Space() + "}" + n.Local()
			}
		case dom.TextNode:
			s = fmt.Sprintf("text()[%d]", among(m, n))
		case dom.CommentNode:
			s = fmt.Sprintf("comment()[%d]", among(m, n))
		case dom.PINode:
			s = fmt.Sprintf("processing-instruction(%s)[%d]", n.Local(), among(m, n))
		}
		steps = append(steps, s)
	}
	if len(steps) == 0 {
		return "/"
	}
	var b strings.Builder
	for i := len(steps) - 1; i >= 0; i-- {
		b.WriteString("/" + steps[i])
	}
	m.built(b.Len())
	return b.String()
}

// among counts the siblings of the same kind and name up to n.
func among(m *machine, n dom.Node) int {
	count := 0
	for c := n.Parent().FirstChild(); c.Valid(); c = c.NextSibling() {
		m.tick(1)
		if c.Kind() == n.Kind() && c.Local() == n.Local() && c.Space() == n.Space() {
			count++
		}
		if c == n {
			break
		}
	}
	return count
}

// deepNode compares two nodes with their content; comments and processing instructions inside do not count.
func (m *machine) deepNode(a, b Item, coll collation) bool {
	equal := func(s, t string) bool {
		s, t = folded(coll, s, t)
		return s == t
	}
	if a.n >= 0 || b.n >= 0 {
		if a.n < 0 || b.n < 0 {
			return false
		}
		p, u := namespaceAt(a)
		q, v := namespaceAt(b)
		return p == q && equal(u, v)
	}
	x, y := a.Node(), b.Node()
	if x.Kind() != y.Kind() || x.Local() != y.Local() || x.Space() != y.Space() {
		return false
	}
	switch x.Kind() {
	case dom.ElementNode, dom.DocumentNode:
	default:
		return equal(x.Text(), y.Text())
	}
	if x.NumAttributes() != y.NumAttributes() {
		return false
	}
	for at := range x.Attributes() {
		o := y.Attribute(at.Space(), at.Local())
		if !o.Valid() || !equal(at.Text(), o.Text()) {
			return false
		}
	}
	skip := func(n dom.Node) dom.Node {
		for n.Kind() == dom.CommentNode || n.Kind() == dom.PINode {
			n = n.NextSibling()
		}
		return n
	}
	c, d := skip(x.FirstChild()), skip(y.FirstChild())
	for c.Valid() && d.Valid() {
		m.tick(1)
		if c.Kind() == dom.TextNode && d.Kind() == dom.TextNode {
			if !equal(c.Text(), d.Text()) {
				return false
			}
		} else if !m.deepNode(NodeItem(c), NodeItem(d), coll) {
			return false
		}
		c, d = skip(c.NextSibling()), skip(d.NextSibling())
	}
	return !c.Valid() && !d.Valid()
}
