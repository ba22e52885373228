package xpath_test

import (
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

var fuzzSeeds = []string{
	"o:line[2]/o:price", "//o:qty[1]", "sum(o:line/o:total/xs:decimal(.)) * 2 div 3", "for $i in 1 to 3, $j in $i to 3 return $i * $j",
	"some $c in tokenize('a b c d e', '\\s') satisfies $c = @date", "contains(' aa bb cc dd ee ff gg hh ii jj kk ', concat(' ', normalize-space(.), ' '))",
	"if (o:line[9]) then 1 else 'x' || 2", "let $f := function($a as xs:integer) as xs:string { string($a) } return $f(1)",
	"map { 'a': [1, 2] }?a?*", "xs:date('2026-01-31') + xs:yearMonthDuration('P1M')", "replace('abc', '(b)|c', '[$1]')",
	"(//* | //@*)[last()]/ancestor::node()[2]/preceding::text()[1]", "format-number(-1234.5, '#,##0.00;(0)')", "deep-equal(//*, //*)",
	"1 instance of xs:integer? and . treat as node()", "o:line!(qty, price)[. castable as xs:double]", "sort((3, 1), (), function($x) { -$x })",
	"Q{urn:order}line/namespace::*", "substring('abc', -1e3, 0 div 0e0)", "-9223372036854775808 idiv -1", "string-to-codepoints('\U0001F600')",
	"format-integer(1234, '#,##0;o')", "format-integer(19, 'Ww')", "format-date(xs:date('2026-01-31Z'), '[FNn,3-3] [D1o] [MN,*-4] [Y01] [W] [d###1,2-3]')",
	"format-time(xs:time('09:05:07.0125'), '[h].[m01][P,1-2][f###,1-5][z0]')", "parse-ietf-date('Wed, 06 Jun 94 07:29:35 +0500 (GMT)')",
	`parse-json('{"a":[1,-0.5e1,"\ud83d\u0000"]}', map{'fallback': upper-case#1})?a`, `parse-json('["\t"]', map{'escape': true()})?1`,
	"for $i in 0 to 3 return (o:line/@no)[$i]", "//*[not(*) and not(normalize-space())]", "o:line[not(o:none) or count(o:qty) <= 1 and o:total = '7']",
	"not(contains(normalize-space(@no), ' ')) and contains(' 1 2 3 4 5 6 7 8 9 ', concat(' ', normalize-space(@no), ' '))",
	"o:line/@no = ('1', '3', '5', '7', '9', '11', '13', '15')", "count(o:line[ends-with(name(), 'e')]/*[name() = 'o:qty' or name() = 'qty'])",
	"2 = 1 to 3", "(1 to 9)[position() > 2][2]", "codepoints-to-string(55296)", "xs:dayTimeDuration('P1D') * 1e300",
	"parse-xml('<a b=\"c\">d</a>')//@*/root()", "parse-xml-fragment('a<b/>c')/node()[2] << //o:qty", "serialize(analyze-string('a1b2', '((a)|(\\d))'))",
	"serialize((//o:line, [1, 'a']), map{'indent': true(), 'item-separator': '&'})", "serialize(map{'a': [1, //o:qty[1]]}, map{'method': 'json'})",
	"serialize((@date, 1e0, true(), abs#1, [()]), map{'method': 'adaptive'})", `xml-to-json(json-to-xml('{"a":["\\"]}', map{'escape': true()}))`,
	"xs:NMTOKENS('a b')[2], 'a b' castable as xs:IDREFS, '' cast as xs:ENTITIES?", "unparsed-text-lines('a'), environment-variable('a')",
}

func FuzzCompile(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		e, err := xpath.Compile(src, orderStatic())
		if err == nil {
			if _, err := xpath.Compile(e.String(), orderStatic()); err != nil {
				t.Errorf("%q compiles once, but not twice: %v", src, err)
			}
		}
		var x *xpath.Error
		if err != nil && (!errors.As(err, &x) || !errors.Is(err, xpath.ErrStatic) || x.Offset < 0 || x.Offset > len(src) || x.End > len(src) && x.End > x.Offset+1) {
			t.Errorf("%q: error without place: %#v", src, err)
		}
		if _, err := xpath.CompilePattern(src, orderStatic()); err != nil && !errors.Is(err, xpath.ErrStatic) {
			t.Errorf("%q as a pattern: %v", src, err)
		}
	})
}

// FuzzEvaluate holds the rewritten form of an expression to the plain one.
func FuzzEvaluate(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s)
	}
	d, err := dom.Parse([]byte(order), dom.Limits{})
	if err != nil {
		f.Fatal(err)
	}
	lim := xpath.Limits{Work: 300_000, Items: 20_000, Octet: 1 << 20, Depth: 50}
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 1000 {
			return
		}
		env := orderStatic()
		if _, err := xpath.Compile(src, env); err != nil {
			return
		}
		e, err := xpath.Compile(src, env) // once more, so that what rules share is kept for the document
		if err != nil {
			t.Fatal(err)
		}
		item := xpath.NodeItem(d.Root())
		ctx := &xpath.Context{Item: item, Limits: lim}
		if _, err := e.Evaluate(ctx); errors.Is(err, xpath.ErrLimit) {
			return
		}
		v, err := e.Evaluate(ctx) // with what the first run has kept
		w, err2 := e.Plain(&xpath.Context{Item: item, Limits: lim})
		if errors.Is(err, xpath.ErrLimit) || errors.Is(err2, xpath.ErrLimit) {
			return // the rewritten form does less work
		}
		var a, b *xpath.Error
		if errors.As(err, &a) != errors.As(err2, &b) {
			t.Fatalf("%q: %v, plainly %v", src, err, err2)
		}
		if a != nil {
			return // which of several errors arises first may differ [XPath20 2.3.4]
		}
		if len(v) != len(w) {
			t.Fatalf("%q: %d items, plainly %d", src, len(v), len(w))
		}
		for i := range v {
			if v[i].Type() != w[i].Type() || v[i].Type() != xpath.TypeFunction && v[i].String() != w[i].String() {
				t.Fatalf("%q: item %d is %s %q, plainly %s %q", src, i, v[i].Type(), v[i].String(), w[i].Type(), w[i].String())
			}
			if !utf8.ValidString(v[i].String()) && utf8.ValidString(src) {
				t.Fatalf("%q: item %d is no UTF-8", src, i)
			}
		}
		e.Explain(&xpath.Context{Item: item, Limits: lim})
		needed(t, ctx, env.Names, e)
	})
}
