package xpath

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonFunctions read JSON into maps and arrays [FO31 17.5].
var jsonFunctions = []builtin{
	{name: "parse-json", min: 1, max: 2, build: higher(func(m *machine, a []*code) {
		p := jsonParser{m: m, duplicates: "use-first"}
		if len(a) > 1 {
			p.options(a[1].mapArg(m))
		}
		s, ok := a[0].str(m)
		if !ok {
			return
		}
		m.pushAll(p.whole(s))
	})},
}

// maxJSON bounds how deep arrays and objects may lie in one another.
const maxJSON = 500

type jsonParser struct {
	m          *machine
	src        string
	at         int
	duplicates string // reject, use-first or use-last
	escape     bool   // leave what is special as it was escaped
	fallback   Item   // what gives a character that XML does not know, none: U+FFFD
}

// whole reads a JSON text.
func (p *jsonParser) whole(s string) Sequence {
	p.start(s)
	v := p.value(0)
	p.finish()
	return v
}

// start takes the text, without the byte order mark that it may have.
func (p *jsonParser) start(s string) {
	p.m.built(len(s))
	p.src = strings.TrimPrefix(s, "\ufeff")
}

func (p *jsonParser) finish() {
	if p.space(); p.at < len(p.src) {
		p.wrong("something behind the value")
	}
}

func (p *jsonParser) wrong(why string) {
	fail("FOJS0001", "no JSON at character %d: %s", utf8.RuneCountInString(p.src[:min(p.at, len(p.src))])+1, why)
}

func (p *jsonParser) options(x *mapping) {
	truth := func(name string) bool {
		v, ok := x.get(StringItem(name))
		if !ok {
			return false
		}
		if len(v) != 1 || v[0].typ != XSBoolean {
			fail("XPTY0004", "the option %s is no xs:boolean", name)
		}
		b, _ := v[0].Bool()
		return b
	}
	truth("liberal") // nothing but JSON is read
	p.escape = truth("escape")
	if v, ok := x.get(StringItem("duplicates")); ok {
		if len(v) != 1 || !v[0].typ.text() {
			fail("XPTY0004", "the option duplicates is no xs:string")
		}
		switch p.duplicates = v[0].text(); p.duplicates {
		case "reject", "use-first", "use-last":
		default:
			fail("FOJS0005", "the option duplicates is %q, not reject, use-first or use-last", clip(p.duplicates))
		}
	}
	if v, ok := x.get(StringItem("fallback")); ok {
		if len(v) != 1 || v[0].typ != TypeFunction {
			fail("XPTY0004", "the option fallback is no function")
		}
		if p.escape {
			fail("FOJS0005", "escape and fallback exclude one another")
		}
		p.fallback = v[0]
	}
}

func (p *jsonParser) space() {
	for p.at < len(p.src) && strings.IndexByte(" \t\r\n", p.src[p.at]) >= 0 {
		p.at++
	}
}

// skip takes a character when it comes next.
func (p *jsonParser) skip(c byte) bool {
	if p.space(); p.at < len(p.src) && p.src[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *jsonParser) value(depth int) Sequence {
	if depth > maxJSON {
		failLimit("JSON more than %d deep", maxJSON)
	}
	p.m.tick(4)
	p.space()
	for word, v := range map[string]Sequence{"true": single(BooleanItem(true)), "false": single(BooleanItem(false)), "null": nil} {
		if strings.HasPrefix(p.src[p.at:], word) {
			p.at += len(word)
			return v
		}
	}
	switch {
	case p.skip('{'):
		return single(mapItem(p.object(depth)))
	case p.skip('['):
		members := []Sequence{}
		for !p.skip(']') {
			if len(members) > 0 && !p.skip(',') {
				p.wrong("a comma or ] is missing")
			}
			members = append(members, p.value(depth+1))
		}
		return single(arrayItem(members))
	case p.skip('"'):
		return single(StringItem(p.text()))
	}
	return single(DoubleItem(p.number()))
}

func (p *jsonParser) object(depth int) *mapping {
	x := newMapping()
	for n := 0; !p.skip('}'); n++ {
		if n > 0 && !p.skip(',') {
			p.wrong("a comma or } is missing")
		}
		if !p.skip('"') {
			p.wrong("a name in quotes is missing")
		}
		key := StringItem(p.text())
		if !p.skip(':') {
			p.wrong("a colon is missing")
		}
		v := p.value(depth + 1)
		if _, there := x.get(key); there {
			switch p.duplicates {
			case "reject":
				fail("FOJS0003", "the name %q occurs twice", clip(key.text()))
			case "use-first":
				continue
			}
		}
		x.put(key, v)
	}
	return x
}

// number reads a number [RFC 8259 6].
func (p *jsonParser) number() float64 {
	start := p.at
	digits := func() bool {
		from := p.at
		for p.at < len(p.src) && p.src[p.at] >= '0' && p.src[p.at] <= '9' {
			p.at++
		}
		return p.at > from
	}
	one := func(set string) bool {
		if p.at < len(p.src) && strings.IndexByte(set, p.src[p.at]) >= 0 {
			p.at++
			return true
		}
		return false
	}
	one("-")
	first := p.at
	if !digits() {
		p.wrong("no value")
	}
	if p.src[first] == '0' && p.at > first+1 {
		p.wrong("a number begins with 0")
	}
	if one(".") && !digits() {
		p.wrong("a number ends with a point")
	}
	if one("eE") {
		if one("+-"); !digits() {
			p.wrong("an exponent without digits")
		}
	}
	f, err := strconv.ParseFloat(p.src[start:p.at], 64)
	if err != nil && !math.IsInf(f, 0) {
		p.wrong("no number")
	}
	return f
}

// text reads a string behind its first quote.
func (p *jsonParser) text() string {
	var b strings.Builder
	for {
		if p.at >= len(p.src) {
			p.wrong("a string without end")
		}
		c := p.src[p.at]
		switch {
		case c == '"':
			p.at++
			return b.String()
		case c < 0x20:
			p.wrong("a control character in a string")
		case c != '\\':
			_, n := utf8.DecodeRuneInString(p.src[p.at:])
			b.WriteString(p.src[p.at : p.at+n])
			p.at += n
		default:
			p.escaped(&b)
		}
	}
}

// escaped reads what begins with a backslash.
func (p *jsonParser) escaped(b *strings.Builder) {
	start := p.at
	if p.at++; p.at >= len(p.src) {
		p.wrong("a string without end")
	}
	c := p.src[p.at]
	p.at++
	if c != 'u' {
		plain, ok := map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}[c]
		if !ok {
			p.at = start
			p.wrong("an escape that there is not")
		}
		p.put(b, plain)
		return
	}
	r := p.hex()
	if utf16.IsSurrogate(r) && strings.HasPrefix(p.src[p.at:], `\u`) {
		back := p.at
		p.at += 2
		if pair := utf16.DecodeRune(r, p.hex()); pair != utf8.RuneError {
			r = pair
		} else {
			p.at = back
		}
	}
	p.put(b, r)
}

func (p *jsonParser) hex() rune {
	if p.at+4 > len(p.src) {
		p.wrong("an escape without four digits")
	}
	n, err := strconv.ParseUint(p.src[p.at:p.at+4], 16, 32)
	if err != nil {
		p.wrong("an escape without four digits")
	}
	p.at += 4
	return rune(n)
}

// put adds a character that was escaped.
func (p *jsonParser) put(b *strings.Builder, r rune) {
	valid := isXMLChar(r) && !utf16.IsSurrogate(r)
	switch {
	case p.escape && (r == '\\' || !valid || r < 0x20 || r >= 0x7f && r < 0xa0):
		b.WriteString(jsonEscape(r))
	case valid:
		b.WriteRune(r)
	case p.fallback.typ == TypeFunction:
		v := p.m.result(p.fallback, single(StringItem(fmt.Sprintf(`\u%04X`, r))))
		if len(v) != 1 || !v[0].typ.text() {
			fail("XPTY0004", "the fallback gives no xs:string")
		}
		b.WriteString(v[0].text())
	default:
		b.WriteRune(utf8.RuneError)
	}
}

// jsonEscape is the escape of a character, the short one where there is one.
func jsonEscape(r rune) string {
	if short := strings.IndexRune("\b\f\n\r\t\\", r); short >= 0 {
		return `\` + `bfnrt\`[short:short+1]
	}
	return fmt.Sprintf(`\u%04X`, r)
}
