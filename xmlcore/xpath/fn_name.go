package xpath

import (
	"errors"
	"net/url"
	"strings"
)

var nameFunctions = []builtin{
	{name: "QName", min: 2, max: 2, build: one(XSQName, func(m *machine, a []*code) (Item, bool) {
		uri, name := a[0].text(m), a[1].needText(m)
		prefix, local := splitName(name)
		if !isNCName(local) || prefix != "" && !isNCName(prefix) || strings.HasPrefix(name, ":") {
			fail("FOCA0002", "%q is no name", clip(name))
		}
		if prefix != "" && uri == "" {
			fail("FOCA0002", "%q has a prefix but no namespace", clip(name))
		}
		return qnameItem(XSQName, QName{uri, local, prefix}), true
	})},
	{name: "resolve-QName", min: 2, max: 2, build: one(XSQName, func(m *machine, a []*code) (Item, bool) {
		name, ok := a[0].str(m)
		it, ok2 := a[1].nodeArg(m)
		if !ok2 {
			fail("XPTY0004", "nothing where an element is wanted")
		}
		if !ok {
			return it, false
		}
		r, p := castText(StringItem(name), XSQName, documentPrefixes(it.Node()))
		switch p {
		case badPrefix:
			fail("FONS0004", "prefix of %q is not declared", clip(name))
		case castDone:
			return r, true
		}
		fail("FOCA0002", "%q is no name", clip(name))
		return it, false
	})},
	{name: "prefix-from-QName", min: 1, max: 1, build: one(XSNCName, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].of(m, XSQName)
		if !ok || it.qname().Prefix == "" {
			return it, false
		}
		return textItem(XSNCName, it.qname().Prefix), true
	})},
	{name: "local-name-from-QName", min: 1, max: 1, build: one(XSNCName, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].of(m, XSQName)
		if !ok {
			return it, false
		}
		return textItem(XSNCName, it.qname().Local), true
	})},
	{name: "namespace-uri-from-QName", min: 1, max: 1, build: one(XSAnyURI, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].of(m, XSQName)
		if !ok {
			return it, false
		}
		return textItem(XSAnyURI, it.qname().Space), true
	})},
	{name: "namespace-uri-for-prefix", min: 2, max: 2, build: one(XSAnyURI, func(m *machine, a []*code) (Item, bool) {
		prefix := a[0].text(m)
		it, ok := a[1].nodeArg(m)
		if !ok {
			fail("XPTY0004", "nothing where an element is wanted")
		}
		uri, ok := it.Node().LookupNamespace(prefix)
		return textItem(XSAnyURI, uri), ok
	})},
	{name: "in-scope-prefixes", min: 1, max: 1, build: many(func(m *machine, a []*code) {
		it, ok := a[0].nodeArg(m)
		if !ok {
			fail("XPTY0004", "nothing where an element is wanted")
		}
		for prefix := range it.Node().InScope() {
			if prefix == "" {
				m.add(StringItem(""))
			} else {
				m.add(textItem(XSNCName, prefix))
			}
		}
		m.add(textItem(XSNCName, "xml"))
	})},
	{name: "resolve-uri", min: 1, max: 2, build: func(c *compiler, _ *expr, a []*code) *code {
		static := c.env.BaseURI
		return &code{typ: XSAnyURI, max1: true, deps: depsOf(a...), one: func(m *machine) (Item, bool) {
			rel, ok := a[0].str(m)
			if !ok {
				return Item{}, false
			}
			base := static
			if len(a) > 1 {
				base = a[1].needText(m)
			}
			if !goodURI(rel) {
				fail("FORG0002", "%q is no URI", clip(rel))
			}
			if absolute(rel) {
				return textItem(XSAnyURI, rel), true
			}
			if base == "" && len(a) < 2 {
				fail("FONS0005", "there is no base URI")
			}
			abs, err := resolveURI(rel, base)
			if err != nil {
				fail("FORG0002", "%q against %q: %v", clip(rel), clip(base), err)
			}
			return textItem(XSAnyURI, abs), true
		}}
	}},
}

// goodURI tells what may be a URI reference; characters beyond ASCII are admitted.
func goodURI(s string) bool {
	if !plausibleURI(s) || strings.ContainsAny(s, "<>\"{}|\\^`") {
		return false
	}
	_, err := url.Parse(s)
	return err == nil
}

func absolute(uri string) bool {
	for i := range len(uri) {
		switch c := uri[i]; {
		case c == ':':
			return i > 0
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return false
}

var errRelativeBase = errors.New("the base is not absolute")

// resolveURI resolves a reference against an absolute hierarchical URI [RFC3986 5.2].
func resolveURI(ref, base string) (string, error) {
	b, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	if !b.IsAbs() || b.Opaque != "" {
		return "", errRelativeBase
	}
	if strings.Contains(base, "#") {
		return "", errors.New("the base has a fragment")
	}
	r, err := url.Parse(ref)
	if err != nil {
		return "", err
	}
	if ref == "" {
		return base, nil
	}
	return b.ResolveReference(r).String(), nil
}
