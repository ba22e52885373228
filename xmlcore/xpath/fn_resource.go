package xpath

import (
	"strings"
	"unicode/utf8"
)

// resourceFunctions read texts by URI, and what surrounds the program, of which there is nothing [FO31 14.6].
var resourceFunctions = []builtin{
	{name: "unparsed-text", min: 1, max: 2, build: with(needsOuter, one(XSString, func(m *machine, a []*code) (Item, bool) {
		s, ok := m.textArg(a)
		return StringItem(s), ok
	}))},
	{name: "unparsed-text-lines", min: 1, max: 2, build: with(needsOuter, many(func(m *machine, a []*code) {
		s, ok := m.textArg(a)
		if !ok || s == "" {
			return
		}
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
		m.built(len(s))
		for line := range strings.SplitSeq(strings.TrimSuffix(s, "\n"), "\n") {
			m.tick(1)
			m.add(StringItem(line))
		}
	}))},
	{name: "unparsed-text-available", min: 1, max: 2, build: with(needsOuter, truth(func(m *machine, a []*code) bool {
		uri, ok := a[0].str(m)
		if len(a) > 1 {
			a[1].needText(m)
		}
		if !ok {
			return false
		}
		_, err := m.resource(uri)
		return err == nil
	}))},
	{name: "environment-variable", min: 1, max: 1, build: one(XSString, func(m *machine, a []*code) (Item, bool) {
		a[0].needText(m)
		return Item{}, false
	})},
	{name: "available-environment-variables", build: func(_ *compiler, e *expr, _ []*code) *code { return constant(e, nil) }},
	{name: "uri-collection", min: 0, max: 1, build: with(needsOuter, many(func(m *machine, a []*code) {
		if len(a) > 0 {
			a[0].str(m)
		}
		fail("FODC0002", "there are no collections")
	}))},
}

// textArg is the text that the first argument, xs:string?, names. The second names an encoding, which counts only where
// nothing else tells it: Context.ResolveText gives characters.
func (m *machine) textArg(a []*code) (string, bool) {
	uri, ok := a[0].str(m)
	if len(a) > 1 {
		a[1].needText(m)
	}
	if !ok {
		return "", false
	}
	s, err := m.resource(uri)
	if err != nil {
		panic(err)
	}
	return s, true
}

// resource loads a text, the same one for the same URI.
func (m *machine) resource(uri string) (string, *Error) {
	abs := uri
	switch {
	case !goodURI(uri):
		return "", errorf("FOUT1170", "%q is no URI", clip(uri))
	case strings.Contains(uri, "#"):
		return "", errorf("FOUT1170", "%q names a part of a resource", clip(uri))
	case !absolute(uri):
		base := m.x.env.BaseURI
		if base == "" {
			return "", errorf("FOUT1170", "%q is relative, and to nothing", clip(uri))
		}
		r, err := resolveURI(uri, base)
		if err != nil {
			return "", errorf("FOUT1170", "%q: %v", clip(uri), err)
		}
		abs = r
	}
	if s, ok := m.texts[abs]; ok {
		return s, nil
	}
	if m.ctx.ResolveText == nil {
		return "", errorf("FOUT1170", "text %q is not available", clip(abs))
	}
	s, cause := m.ctx.ResolveText(abs)
	if cause != nil {
		err := errorf("FOUT1170", "text %q is not available: %v", clip(abs), cause)
		err.cause = cause
		return "", err
	}
	s = strings.TrimPrefix(s, "\ufeff")
	m.built(len(s))
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !isXMLChar(r) }) {
		return "", errorf("FOUT1190", "text %q holds what is no character of XML", clip(abs))
	}
	if m.texts == nil {
		m.texts = map[string]string{}
	}
	m.texts[abs] = s
	return s, nil
}
