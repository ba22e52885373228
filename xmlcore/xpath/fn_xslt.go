package xpath

// xsltFunctions are what XSLT adds for expressions [XSLT20 16], as far as validation needs it. key() is a matter of the
// rule engine, which gives it as a Function.
var xsltFunctions = []builtin{
	{name: "current", build: with(needsOuter, one(TypeNone, func(m *machine, _ []*code) (Item, bool) {
		if m.outer.typ == TypeNone {
			fail("XTDE1360", "there is no context item")
		}
		return m.outer, true
	}))},
	{name: "document", min: 1, max: 2, build: with(needsOuter, many(func(m *machine, a []*code) {
		base := len(m.stack)
		a[0].push(m)
		mid := len(m.stack)
		relative := ""
		if len(a) > 1 {
			it, ok := a[1].nodeArg(m)
			if !ok {
				fail("XPTY0004", "nothing where a node is wanted")
			}
			if u, ok := m.baseURI(it); ok {
				relative = u.text()
			}
		}
		for i := base; i < mid; i++ {
			it := m.stack[i]
			from := relative
			if it.typ == TypeNode && from == "" { // relative to the node that names it
				if u, ok := m.baseURI(it); ok {
					from = u.text()
				}
			}
			uri := stringValue(it)
			if from != "" && !absolute(uri) {
				if abs, err := resolveURI(uri, from); err == nil {
					uri = abs
				}
			}
			d, err := m.document(uri)
			if err != nil {
				panic(err)
			}
			m.add(node(d, 0))
		}
		m.drop(base, mid)
		m.sortNodes(base)
	}))},
	{name: "system-property", min: 1, max: 1, build: one(XSString, func(m *machine, a []*code) (Item, bool) {
		switch name := a[0].needText(m); name {
		case "xsl:version":
			return StringItem("2.0"), true
		case "xsl:vendor", "xsl:product-name":
			return StringItem("Viadukt"), true
		case "xsl:vendor-url":
			return StringItem("https://github.com/viadukt-eu/viadukt"), true
		case "xsl:is-schema-aware", "xsl:supports-serialization", "xsl:supports-backwards-compatibility":
			return StringItem("no"), true
		}
		return StringItem(""), true
	})},
}
