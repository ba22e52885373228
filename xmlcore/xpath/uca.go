package xpath

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// unicodeCollation is the Unicode Collation Algorithm [FO31 5.3.3], as far as golang.org/x/text has it: language,
// strength, alternate and numeric. Parts of strings are found by folding, which knows no contractions.
type unicodeCollation struct {
	tag     language.Tag
	options []collate.Option
	level   int  // 1 primary, 2 secondary, 3 tertiary and above
	blanked bool // spaces and punctuation do not count
	exact   bool // identical
	pool    sync.Pool
}

func newUnicodeCollation(uri string) (collation, error) {
	c := &unicodeCollation{level: 3}
	lang, strict := "und", false
	refuse := func(what string) error { return errorf("FOCH0002", "collation with %s is not supported", clip(what)) }
	var unknown string
	_, query, _ := strings.Cut(uri, "?")
	for p := range strings.SplitSeq(query, ";") {
		name, value, _ := strings.Cut(p, "=")
		switch name + "=" + value {
		case "=", "fallback=yes", "version=", "caseLevel=no", "backwards=no", "normalization=yes", "normalization=no", "caseFirst=lower", "alternate=non-ignorable", "numeric=no":
		case "fallback=no":
			strict = true
		case "strength=primary", "strength=1":
			c.level = 1
		case "strength=secondary", "strength=2":
			c.level = 2
		case "strength=tertiary", "strength=3":
		case "strength=quaternary", "strength=4", "strength=identical", "strength=5":
			c.exact = true
		case "alternate=blanked", "alternate=shifted":
			c.blanked = true
		case "numeric=yes":
			c.options = append(c.options, collate.Numeric)
		default:
			if name == "lang" {
				lang = value
			} else {
				unknown = p
			}
		}
	}
	if strict && unknown != "" {
		return nil, refuse(unknown)
	}
	tag, err := language.Parse(lang)
	if err != nil {
		if strict {
			return nil, refuse("lang=" + lang)
		}
		tag = language.Und
	}
	c.tag = tag
	switch {
	case c.level == 1:
		c.options = append(c.options, collate.Loose)
	case c.level == 2:
		c.options = append(c.options, collate.IgnoreCase)
	case c.exact:
		c.options = append(c.options, collate.Force)
	}
	return c, nil
}

func (c *unicodeCollation) compare(a, b string) int {
	if c.blanked {
		x, y := c.strip(a), c.strip(b)
		if r := c.collated(x, y); r != 0 || !c.exact {
			return r
		}
	}
	return c.collated(a, b)
}

func (c *unicodeCollation) collated(a, b string) int {
	k, _ := c.pool.Get().(*collate.Collator) // a collator serves one goroutine at a time
	if k == nil {
		k = collate.New(c.tag, c.options...)
	}
	defer c.pool.Put(k)
	return k.CompareString(a, b)
}

func ignorable(r rune) bool { return unicode.IsSpace(r) || unicode.IsPunct(r) }

func (c *unicodeCollation) strip(s string) string {
	return strings.Map(func(r rune) rune {
		if ignorable(r) {
			return -1
		}
		return r
	}, s)
}

func (c *unicodeCollation) fold(s string) string {
	f, _ := c.folded(s)
	return f
}

// folded drops what the strength does not see. at[i] is where in s octet i of the result comes from.
func (c *unicodeCollation) folded(s string) (string, []int) {
	var b strings.Builder
	var at []int
	for i, r := range s {
		if c.blanked && !c.exact && ignorable(r) {
			continue
		}
		for _, d := range norm.NFD.String(string(r)) {
			if c.level == 1 && unicode.Is(unicode.Mn, d) {
				continue
			}
			if c.level <= 2 {
				d = unicode.ToLower(d)
			}
			b.WriteRune(d)
			for range utf8.RuneLen(d) {
				at = append(at, i)
			}
		}
	}
	return b.String(), append(at, len(s))
}

func (c *unicodeCollation) find(s, part string) (from, to int, ok bool) {
	f, at := c.folded(s)
	p := c.fold(part)
	i := strings.Index(f, p)
	if i < 0 {
		return 0, 0, false
	}
	if p == "" {
		return 0, 0, true
	}
	last := at[i+len(p)-1]
	_, n := utf8.DecodeRuneInString(s[last:])
	return at[i], last + n, true
}
