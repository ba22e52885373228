package xpath

import (
	"strings"
)

// collation orders strings. nil is the order of code points, which UTF-8 keeps.
type collation interface {
	compare(a, b string) int
	fold(s string) string                        // what must be equal for strings to be equal
	key(s string) string                         // octets in whose order the strings are
	find(s, part string) (from, to int, ok bool) // the first place of a part
}

const (
	codepointCollation = FunctionSpace + "/collation/codepoint"
	asciiCollation     = FunctionSpace + "/collation/html-ascii-case-insensitive"
	ucaCollation       = "http://www.w3.org/2013/collation/UCA"
)

// asciiInsensitive is the HTML ASCII case-insensitive collation [FO31 5.3.4].
type asciiInsensitive struct{}

func (asciiInsensitive) compare(a, b string) int {
	return strings.Compare(asciiInsensitive{}.fold(a), asciiInsensitive{}.fold(b))
}

func (asciiInsensitive) fold(s string) string {
	for i := range len(s) {
		if s[i] >= 'A' && s[i] <= 'Z' {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if b[j] >= 'A' && b[j] <= 'Z' {
					b[j] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

func (c asciiInsensitive) find(s, part string) (from, to int, ok bool) {
	i := strings.Index(c.fold(s), c.fold(part)) // folding keeps the length
	return i, i + len(part), i >= 0
}

func findCollation(uri string) (collation, error) {
	if uri == ucaCollation || strings.HasPrefix(uri, ucaCollation+"?") {
		return newUnicodeCollation(uri)
	}
	switch uri {
	case "", codepointCollation:
		return nil, nil
	case asciiCollation:
		return asciiInsensitive{}, nil
	}
	return nil, errorf("FOCH0002", "there is no collation %q", clip(uri))
}

func folded(coll collation, a, b string) (string, string) {
	if coll == nil {
		return a, b
	}
	return coll.fold(a), coll.fold(b)
}

// collationOf evaluates the argument that names a collation; a call without it has the default one.
func collationOf(c *compiler, a []*code, n int) func(m *machine) collation {
	if len(a) <= n {
		coll := c.x.coll
		return func(*machine) collation { return coll }
	}
	arg, base := a[n], c.env.BaseURI
	return func(m *machine) collation {
		uri := arg.needText(m)
		coll, err := findCollation(uri)
		if err != nil {
			if abs, err := resolveURI(uri, base); err == nil {
				if coll, err := findCollation(abs); err == nil {
					return coll
				}
			}
			panic(err)
		}
		return coll
	}
}

func withCollation(n int, t Type, f func(m *machine, a []*code, coll collation) (Item, bool)) builder {
	return func(c *compiler, _ *expr, a []*code) *code {
		coll := collationOf(c, a, n)
		return &code{typ: t, max1: true, deps: depsOf(a...), one: func(m *machine) (Item, bool) { return f(m, a, coll(m)) }}
	}
}
