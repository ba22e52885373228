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

var (
	errRelativeBase = errors.New("the base is not absolute")
	errBaseFragment = errors.New("the base has a fragment")
)

// reference is a URI reference in its parts [RFC 3986 3].
type reference struct {
	scheme, authority, path, query, fragment string // with their delimiters, the authority with //
}

func cutReference(s string) (r reference) {
	if absolute(s) {
		i := strings.IndexByte(s, ':')
		r.scheme, s = s[:i+1], s[i+1:]
	}
	if i := strings.IndexByte(s, '#'); i >= 0 {
		s, r.fragment = s[:i], s[i:]
	}
	if i := strings.IndexByte(s, '?'); i >= 0 {
		s, r.query = s[:i], s[i:]
	}
	if strings.HasPrefix(s, "//") {
		if i := strings.IndexByte(s[2:], '/'); i >= 0 {
			r.authority, s = s[:i+2], s[i+2:]
		} else {
			r.authority, s = s, ""
		}
	}
	r.path = s
	return r
}

// resolveURI resolves a reference against an absolute hierarchical URI [RFC 3986 5.2]. Characters stay as they are.
func resolveURI(ref, base string) (string, error) {
	b, r := cutReference(base), cutReference(ref)
	switch {
	case b.scheme == "" || b.authority == "" && !strings.HasPrefix(b.path, "/"):
		return "", errRelativeBase
	case b.fragment != "":
		return "", errBaseFragment
	case r.scheme != "":
		return ref, nil
	}
	if r.authority == "" {
		r.authority = b.authority
		switch {
		case r.path == "":
			r.path = b.path
			if r.query == "" {
				r.query = b.query
			}
		case r.path[0] != '/':
			if b.path == "" {
				r.path = "/" + r.path
			} else {
				r.path = b.path[:strings.LastIndexByte(b.path, '/')+1] + r.path
			}
		}
	}
	return b.scheme + r.authority + withoutDots(r.path) + r.query + r.fragment, nil
}

// withoutDots removes the segments . and .. [RFC 3986 5.2.4].
func withoutDots(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	segments := strings.Split(path, "/")
	out := segments[:0:0]
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".":
		case "..":
			if len(out) > 1 {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, s)
			continue
		}
		if last {
			out = append(out, "")
		}
	}
	return strings.Join(out, "/")
}
