package xpath

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/xmlcore/regex"
)

var regexFunctions = []builtin{
	{name: "matches", min: 2, max: 3, build: func(c *compiler, _ *expr, a []*code) *code {
		re := pattern(a, 1, 2)
		return boolean(depsOf(a...), func(m *machine) bool {
			s := a[0].text(m)
			r := re(m)
			m.tick(8 + len(s)/4)
			ok, err := r.Match(s)
			if err != nil {
				failLimit("%v", err)
			}
			return ok
		})
	}},
	{name: "replace", min: 3, max: 4, build: func(c *compiler, _ *expr, a []*code) *code {
		re := pattern(a, 1, 3)
		return &code{typ: XSString, max1: true, min1: true, deps: depsOf(a...), one: func(m *machine) (Item, bool) {
			s := a[0].text(m)
			r := re(m)
			with := a[2].needText(m)
			literal := len(a) > 3 && strings.Contains(a[3].needText(m), "q")
			refuseEmpty(r)
			if !literal {
				checkReplacement(with)
			}
			return StringItem(replaceAll(m, r, s, with, literal)), true
		}}
	}},
	{name: "tokenize", min: 1, max: 3, build: tokenize},
}

// pattern compiles the expression of a call: once when it is constant, else once for as long as it stays the same.
func pattern(a []*code, at, flagsAt int) func(m *machine) *regex.Regexp {
	flags := func(m *machine) string {
		if len(a) > flagsAt {
			return a[flagsAt].needText(m)
		}
		return ""
	}
	if a[at].konst && (len(a) <= flagsAt || a[flagsAt].konst) && len(a[at].val) == 1 && a[at].val[0].typ.text() {
		if len(a) <= flagsAt || len(a[flagsAt].val) == 1 && a[flagsAt].val[0].typ.text() {
			f := ""
			if len(a) > flagsAt {
				f = a[flagsAt].val[0].text()
			}
			r, err := compileRegex(a[at].val[0].text(), f)
			return func(*machine) *regex.Regexp {
				if err != nil {
					e := *err // the place is written into it
					panic(&e)
				}
				return r
			}
		}
	}
	return func(m *machine) *regex.Regexp {
		p, f := a[at].needText(m), flags(m)
		if m.regexKey == (nameKey{p, f}) && m.regex != nil {
			return m.regex
		}
		m.tick(64 + 16*len(p))
		r, err := compileRegex(p, f)
		if err != nil {
			panic(err)
		}
		m.regex, m.regexKey = r, nameKey{strings.Clone(p), strings.Clone(f)}
		return r
	}
}

func compileRegex(p, flags string) (*regex.Regexp, *Error) {
	opt, err := regex.ParseFlags(flags)
	if err != nil {
		return nil, errorf("FORX0001", "%v", err)
	}
	r, err := regex.Compile(p, opt)
	switch {
	case errors.Is(err, regex.ErrLimit):
		e := errorf("FORX0002", "%v", err)
		e.kind, e.cause = ErrLimit, err
		return nil, e
	case err != nil:
		return nil, errorf("FORX0002", "%v", err)
	}
	return r, nil
}

func refuseEmpty(r *regex.Regexp) {
	if ok, _ := r.Match(""); ok {
		fail("FORX0003", "%q matches the empty string", clip(r.String()))
	}
}

func checkReplacement(s string) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i++; i >= len(s) || s[i] != '\\' && s[i] != '$' {
				fail("FORX0004", "a backslash in %q is not before a backslash or $", clip(s))
			}
		case '$':
			if i++; i >= len(s) || s[i] < '0' || s[i] > '9' {
				fail("FORX0004", "$ in %q is not before a digit", clip(s))
			}
		}
	}
}

func replaceAll(m *machine, r *regex.Regexp, s, with string, literal bool) string {
	m.tick(8 + len(s)/4)
	var b strings.Builder
	last, found := 0, false
	err := r.FindAll(s, func(loc []int) bool {
		found = true
		b.WriteString(s[last:loc[0]])
		last = loc[1]
		if literal {
			b.WriteString(with)
			return true
		}
		before := b.Len()
		expand(&b, with, s, loc, r.NumGroups())
		m.built(b.Len() - before)
		return true
	})
	if err != nil {
		failLimit("%v", err)
	}
	if !found {
		return s
	}
	b.WriteString(s[last:])
	m.built(b.Len())
	return b.String()
}

// expand writes a replacement; $N takes as many digits as there are groups [FO 7.6.3].
func expand(b *strings.Builder, with, s string, loc []int, groups int) {
	for i := 0; i < len(with); i++ {
		switch with[i] {
		case '\\':
			i++
			b.WriteByte(with[i])
		case '$':
			i++
			n := int(with[i] - '0')
			for i+1 < len(with) && with[i+1] >= '0' && with[i+1] <= '9' && n*10+int(with[i+1]-'0') <= groups {
				i++
				n = n*10 + int(with[i]-'0')
			}
			if 2*n+1 < len(loc) && loc[2*n] >= 0 {
				b.WriteString(s[loc[2*n]:loc[2*n+1]])
			}
		default:
			b.WriteByte(with[i])
		}
	}
}

func tokenize(c *compiler, _ *expr, a []*code) *code {
	if len(a) == 1 {
		return &code{typ: XSString, deps: depsOf(a...), push: func(m *machine) {
			for f := range strings.FieldsFuncSeq(a[0].text(m), func(r rune) bool { return r < utf8.RuneSelf && isSpace(byte(r)) }) {
				m.tick(1)
				m.add(StringItem(f))
			}
		}}
	}
	re := pattern(a, 1, 2)
	return &code{typ: XSString, deps: depsOf(a...), push: func(m *machine) {
		s := a[0].text(m)
		r := re(m)
		refuseEmpty(r)
		if s == "" {
			return
		}
		m.tick(8 + len(s)/4)
		last := 0
		err := r.FindAll(s, func(loc []int) bool {
			m.tick(1)
			m.add(StringItem(s[last:loc[0]]))
			last = loc[1]
			return true
		})
		if err != nil {
			failLimit("%v", err)
		}
		m.add(StringItem(s[last:]))
	}}
}
