package xpath_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

const order = `<order xmlns="urn:order" xmlns:p="urn:part" date="2026-11-02" p:kind="rush">
  <line no="1"><qty>4</qty><price>2.50</price><total>10.01</total><!-- checked --></line>
  <line no="2"><qty>1</qty><price>0.1</price><total>0.10</total></line>
  <line no="3"><qty/><price>none</price><total> 7 </total><?hint slow?></line>
  <p:sum>17.11</p:sum>
</order>`

func orderStatic() *xpath.Static {
	return &xpath.Static{Namespaces: map[string]string{"o": "urn:order", "p": "urn:part"}, Names: xpath.NewNames()}
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	root := parse(t, order).Root()
	for _, c := range []struct{ expr, want string }{
		{"o:line[2]/o:price", "0.1"},
		{"o:line[last()]/@no", "3"},
		{"//o:qty[1]", "4 1 "},
		{"(//o:qty)[1]", "4"},
		{"//@no[. > 1]", "2 3"},
		{"o:line[o:qty = '1']/preceding-sibling::*/@no", "1"},
		{"o:line[@no = 3]/preceding-sibling::*[1]/@no", "2"},
		{"o:line[@no = 3]/preceding::o:price[1]", "0.1"},
		{"p:sum/ancestor-or-self::node()/name()", " order p:sum"},
		{"(o:line[3] | o:line[1] | o:line[3])/@no", "1 3"},
		{"o:line[1]/(o:total, o:qty)", "4 10.01"},
		{"o:line/string-length(o:price)", "4 3 4"},
		{"o:line[1]/comment()", " checked "},
		{"//processing-instruction('hint')", "slow"},
		{"o:line[1]/o:qty * o:line[1]/o:price", "10"},
		{"xs:decimal(o:line[1]/o:qty) * xs:decimal('2.500')", "10"},
		{"xs:decimal('0.1') + xs:decimal('0.2') = xs:decimal('0.3')", "true"},
		{"0.1e0 + 0.2e0 = 0.3e0", "false"},
		{"1 div 3", "0.333333333333333333"},
		{"exists(//o:line[xs:decimal(o:price) > 0]), not(//o:line[xs:decimal(o:price) > 0]/@no), exists(//o:line[xs:decimal(o:price) > 0])", "true false true"}, // the third has a wrong one
		{"round(2.5), round(-2.5), round-half-to-even(2.5), round(2.345, 2)", "3 -2 2 2.35"},
		{"sum(o:line/o:total/xs:decimal(.))", "17.11"},
		{"sum(())", "0"},
		{"o:nothing = 'x', o:nothing != 'x', not(o:nothing = 'x')", "false false true"},
		{"number(o:line[3]/o:price) = number('x')", "false"},
		{"some $l in o:line satisfies $l/o:qty = 1", "true"},
		{"every $l in o:none satisfies false()", "true"},
		{"for $i in 1 to 3, $j in $i to 3 return $i * $j", "1 2 3 4 6 9"},
		{"let $x := o:line[1] return $x/o:qty + 1", "5"},
		{"(1 to 5)[. mod 2 = 1] ! (. * 10)", "10 30 50"},
		{"'a' || 1 || true()", "a1true"},
		{"format-integer(1234567, '#,##0'), format-integer(7, '001'), format-integer(-3, '1;o'), format-integer(28, 'a'), format-integer(1999, 'I')", "1,234,567 007 -3rd ab MCMXCIX"},
		{"format-integer(121, 'w'), format-integer(1020, 'Ww'), format-integer(42, 'w;o'), format-integer(1234, '#;##0;'), format-integer((), '1')", "one hundred and twenty-one One Thousand and Twenty forty-second 1;234 "},
		{"format-date(xs:date('2026-11-28'), '[FNn], [D1o] [MNn,*-3] [Y01], week [W], day [d001] [[x]]')", "Saturday, 28th Nov 26, week 48, day 332 [x]"},
		{"format-time(xs:time('16:05:00.0125+02:00'), '[H01]:[m]:[s].[f001] [z], [h] [PN] [Z0000] [ZZ]')", "16:05:00.012 GMT+02:00, 4 PM +0200 B"},
		{"format-dateTime(xs:dateTime('0044-03-15T00:00:00Z'), '[Y0001]-[M01]-[D01]T[H01][Z00:00t] [E]')", "0044-03-15T00Z AD"},
		{"parse-ietf-date('Wed, 06 Jun 94 07:29:35 +0200'), parse-ietf-date('jun 6 1994 7:29 EST'), parse-ietf-date('Mon Jun 6 07:29:35.5 1994')", "1994-06-06T07:29:35+02:00 1994-06-06T07:29:00-05:00 1994-06-06T07:29:35.5Z"},
		{`let $j := parse-json('{"a": [1, null, "\u00e4\ud83d\ude00"], "a": 2, "b": -0.5e1}') return ($j?a?1, count($j?a?2), $j?a?3, $j?b)`, "1 0 ä😀 -5"},
		{`parse-json('"\\ \u0000"'), parse-json('"\\ \u0000 \t"', map{'escape': true()}), parse-json('"\u0007"', map{'fallback': upper-case#1}), count(parse-json('null'))`, `\ ` + "\ufffd" + ` \\ \u0000 \t \U0007 0`},
		{"if (o:line[9]) then 1 else 2", "2"},
		{"o:line[3]/o:price castable as xs:decimal, o:line[1]/o:price castable as xs:decimal", "false true"},
		{"@date castable as xs:date and xs:date(@date) < xs:date('2026-12-01')", "true"},
		{"xs:date('2026-01-31') + xs:yearMonthDuration('P1M')", "2026-02-28"},
		{"xs:dateTime('2026-01-01T00:00:00Z') - xs:dateTime('2025-12-31T23:59:59.5Z')", "PT0.5S"},
		{"tokenize(' a  b ', '\\s')", " a  b "},
		{"tokenize(' a  b ')", "a b"},
		{"replace('2026-11-02', '(\\d+)-(\\d+)-(\\d+)', '$3.$2.$1')", "02.11.2026"},
		{"matches('ÄB', '^\\p{Lu}+$'), matches('a\nb', 'a.b'), matches('a\nb', 'a.b', 's')", "true false true"},
		{"upper-case('straße'), string-length('\U0001F600x'), substring('\U0001F600xy', 2, 1)", "STRASSE 2 x"},
		{"substring('12345', 0, 3), substring('12345', 1.5, 2.6)", "12 234"},
		{"normalize-space(' a \n b '), translate('bar', 'abc', 'AB')", "a b BAr"},
		{"p:sum/path()", "/Q{urn:order}order[1]/Q{urn:part}sum[1]"},
		{"deep-equal((1, 'a'), (1.0, 'a'))", "true"},
		{"distinct-values((1, 1.0, 'a', 'A', 'a'))", "1 a A"},
		{"compare('a', 'B', 'http://www.w3.org/2005/xpath-functions/collation/html-ascii-case-insensitive')", "-1"},
		{"string-join(for $c in string-to-codepoints('IBAN') return string($c - 55), '')", "18111023"},
		{"1e6, 1e-7, 123456789012345678901234567890, 1.10", "1.0E6 1.0E-7 123456789012345678901234567890 1.1"},
		{"format-number(1234.5, '#,##0.00'), format-number(7, '0000')", "1,234.50 0007"},
		{"sort((3, 1, 2)), fold-left(1 to 4, 0, function($a, $b) { $a + $b })", "1 2 3 10"},
		{"map { 'a': (1, 2) }?a, [4, 5](2), array { 1 to 3 }?*", "1 2 5 1 2 3"},
		{"'x' => concat('y') => upper-case()", "XY"},
		{"Q{urn:order}line[1]/*:qty, p:*", "4 17.11"},
		{"o:none = 1 to 'x', o:none = error()", "false false"},
		{"2 = 1 to 3, 2.5 = 1 to 3, '2' = ('1', '2')", "true false true"},
		{"o:line[1] << o:line[2], o:line[1] is o:line[@no='1']", "true true"},
		{"count(//node() intersect //text()), count(//* except //o:line)", "14 11"},
		{"o:line[position() = (1, 3)]/@no", "1 3"},
		{"(: a (: nested :) comment :) 1", "1"},
		{"for $i in 0 to 4 return (o:line/@no)[$i], let $x := (7, 8), $i := 2 return $x[$i]", "1 2 3 8"},
		{"let $i := 1.5 return (4 to 9)[$i], let $y := 'yes' return count((4 to 9)[$y]), let $n := () return count((4 to 9)[$n])", "6 0"},
		{"for $c in ('bb', 'b', '', 'bb cc', ' cc ') return (not(contains(normalize-space($c), ' ')) and contains(' aa bb cc dd ee ff ', concat(' ', normalize-space($c), ' ')))", "true false false false true"},
		{"count(//*[local-name(..) = 'order']), count(//*[not(local-name(..) = 'order')]), count(//*[contains(name(*[1]), 'qty')]), count(//*[local-name(.) = 'line']), count(//*[starts-with(name(), 'p:')])", "4 10 3 3 1"},
		{"//*[not(*) and not(normalize-space())]/name(), count(//*[normalize-space()]), boolean(normalize-space(o:line[9]))", "qty 13 false"},
		{"o:line/boolean(*), o:line/o:qty/boolean(*), @date/boolean(*)", "true true true false false false false"},
	} {
		e, err := xpath.Compile(c.expr, orderStatic())
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		ctx := &xpath.Context{Item: xpath.NodeItem(root)}
		v, err := e.Evaluate(ctx)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		if got := v.Text(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.expr, got, c.want)
		}
		plain, err := e.Plain(ctx)
		if err != nil || plain.Text() != c.want {
			t.Errorf("%s, without rewriting: got %q (%v), want %q", c.expr, plain.Text(), err, c.want)
		}
	}
}

// TestKnownVariables holds expressions over variables whose value is known to those that are told it when they run.
func TestKnownVariables(t *testing.T) {
	t.Parallel()
	root := parse(t, order).Root()
	value := xpath.Sequence{xpath.StringItem("1"), xpath.StringItem("b"), xpath.StringItem("c"), xpath.StringItem("d"), xpath.StringItem("e"), xpath.StringItem("f"), xpath.StringItem("g"), xpath.StringItem("h")}
	for _, c := range []struct{ expr, want string }{
		{"o:line/@no = $x, $x = o:line/@no, 'c' = $x, 'z' = $x", "true true true false"},
		{"some $c in $x satisfies $c = o:line/@no, some $c in $x satisfies o:none = $c", "true false"},
		{"o:line[@no = $x]/@no, $x[2], count($x), o:line[$x[1]]/@no", "1 b 8 1 2 3"},
		{"string-join(for $i in $x return concat($i, $i), '-')", "11-bb-cc-dd-ee-ff-gg-hh"},
	} {
		for _, known := range []xpath.Sequence{nil, value} {
			env := orderStatic()
			env.Variables = []xpath.Variable{{Name: xpath.QName{Local: "x"}, Value: known}}
			e, err := xpath.Compile(c.expr, env)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if got, err := e.Text(&xpath.Context{Item: xpath.NodeItem(root), Variables: xpath.Values{value}}); err != nil || got != c.want {
					t.Errorf("%s, known %v: %q, %v, want %q", c.expr, known != nil, got, err, c.want)
				}
			}
		}
	}
}

func TestStaticErrorsHaveCodeAndPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, expr, code, part string }{
		{"an operator without its right side", "1 +", "XPST0003", ""},
		{"a bracket that is not closed", "a[b", "XPST0003", ""},
		{"a string without end", "concat('a, 'b')", "XPST0003", "'"},
		{"an unknown function", "cac:X[foo(1)]", "XPST0081", "cac:X"},
		{"an unknown prefix of a function", "not(x:foo(1))", "XPST0081", "x:foo"},
		{"a function with too many arguments", "o:a[not(1, 2)]", "XPST0017", "not"},
		{"a function that is not there", "o:a[foo(1)]", "XPST0017", "foo"},
		{"an unknown variable", "1 + $x", "XPST0008", "$"},
		{"a variable after its scope", "(for $x in 1 return $x) + $x", "XPST0008", "$"},
		{"an unknown type", "1 cast as xs:money", "XPST0051", "xs:money"},
		{"a type that nothing can be cast to", "1 cast as xs:anyAtomicType", "XPST0080", "xs:anyAtomicType"},
		{"an axis that is not there", "sibling::a", "XPST0003", "sibling"},
		{"a number that runs into a name", "10div 2", "XPST0003", "d"},
	} {
		_, err := xpath.Compile(c.expr, orderStatic())
		var e *xpath.Error
		if !errors.As(err, &e) || !errors.Is(err, xpath.ErrStatic) {
			t.Errorf("%s: got %v", c.name, err)
			continue
		}
		if e.Code.Local != c.code || e.Code.Space != xpath.ErrorSpace || c.part != "" && e.Part() != c.part {
			t.Errorf("%s: got %v (%q), want %s at %q", c.name, err, e.Part(), c.code, c.part)
		}
	}
}

func TestDynamicErrorsNameThePartAndTheNode(t *testing.T) {
	t.Parallel()
	root := parse(t, order).Root()
	for _, c := range []struct{ name, expr, code, part, path string }{
		{"a cast in a step", "o:line/xs:decimal(o:price)", "FORG0001", "xs:decimal(o:price)", "order/line[3]"},
		{"a comparison in a predicate", "count(o:line[o:price > 1])", "FORG0001", "o:price > 1", "order/line[3]"},
		{"arithmetic with several items", "1 + o:line/o:qty", "XPTY0004", "o:line/o:qty", "order"},
		{"types that do not compare", "'a' = 1", "XPTY0004", "'a' = 1", "order"},
		{"division by zero", "1 div (2 - 2)", "FOAR0001", "1 div (2 - 2)", "order"},
		{"a sequence without truth", "if (('a', 'b')) then 1 else 2", "FORG0006", "if (('a', 'b')) then 1 else 2", "order"},
		{"an expression that is no pattern", "matches('a', '(')", "FORX0002", "matches('a', '(')", "order"},
		{"a picture without digits", "format-integer(1, '#')", "FODF1310", "format-integer(1, '#')", "order"},
		{"digits of two scripts", "format-integer(1, '0٠')", "FODF1310", "format-integer(1, '0٠')", "order"},
		{"a marker without end", "format-date(xs:date('2026-11-28'), '[Y')", "FOFD1340", "format-date(xs:date('2026-11-28'), '[Y')", "order"},
		{"the hour of a date", "format-date(xs:date('2026-11-28'), '[H]')", "FOFD1350", "format-date(xs:date('2026-11-28'), '[H]')", "order"},
		{"a date of nobody", "parse-ietf-date('31 Feb 2026 10:00')", "FORG0010", "parse-ietf-date('31 Feb 2026 10:00')", "order"},
		{"a comma too many", "parse-json('[1,]')", "FOJS0001", "parse-json('[1,]')", "order"},
		{"a name twice", `parse-json('{"a":1,"a":2}', map{'duplicates':'reject'})`, "FOJS0003", `parse-json('{"a":1,"a":2}', map{'duplicates':'reject'})`, "order"},
		{"an option that there is not", "parse-json('1', map{'duplicates':'keep'})", "FOJS0005", "parse-json('1', map{'duplicates':'keep'})", "order"},
		{"an error of the user", "error(xs:QName('p:bad'), 'so it is')", "bad", "error(xs:QName('p:bad'), 'so it is')", "order"},
	} {
		e, err := xpath.Compile(c.expr, orderStatic())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		_, err = e.Evaluate(&xpath.Context{Item: xpath.NodeItem(root)})
		var x *xpath.Error
		if !errors.As(err, &x) || !errors.Is(err, xpath.ErrDynamic) {
			t.Errorf("%s: got %v", c.name, err)
			continue
		}
		if x.Code.Local != c.code || x.Part() != c.part || x.Path != c.path {
			t.Errorf("%s: got %s, %q at %q; want %s, %q at %q", c.name, x.Code.Local, x.Part(), x.Path, c.code, c.part, c.path)
		}
	}
}

func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	d := parse(t, string(invoice(50)))
	for _, c := range []struct{ name, expr string }{
		{"a long range", "count((1 to 100000000000)[. > 3])"},
		{"nested loops", "every $a in 1 to 100000, $b in 1 to 100000, $c in 1 to 100000 satisfies true()"},
		{"every node with every node", "every $a in //node(), $b in //node(), $c in //node() satisfies true()"},
		{"strings that double", "let $a := string-join(for $i in 1 to 1000 return 'abcdefgh', ''), $b := string-join(for $i in 1 to 10000 return $a, ''), $c := $b || $b || $b || $b return string-length($c || $c || $c || $c)"},
		{"numbers that grow", "fold-left(1 to 100, 12345678901234567890, function($a, $b) { $a * $a })"},
		{"functions that call themselves", "let $f := function($f) { $f($f) } return $f($f)"},
		{"ancestors of descendants of ancestors", "count(//*/ancestor::*/descendant::*/ancestor::*/descendant::*/ancestor::*/descendant::*[//*/preceding::* = 'x'])"},
		{"a back-reference that tries all", "matches(string-join(for $i in 1 to 60 return 'a', ''), '^(a*)*(a*)*(a*)*\\1\\2\\3b$')"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, err := xpath.Compile(c.expr, orderStatic())
			if err != nil {
				t.Fatal(err)
			}
			ctx := &xpath.Context{Item: xpath.NodeItem(d.Node()), Limits: xpath.Limits{Work: 20_000_000, Items: 200_000, Octet: 8 << 20, Depth: 500}}
			_, err = e.Evaluate(ctx)
			var x *xpath.Error
			if !errors.As(err, &x) || !errors.Is(err, xpath.ErrLimit) && x.Code.Local != "FOAR0002" {
				t.Errorf("got %v, want a limit", err)
			}
		})
	}
}

func TestDeepAndLongExpressionsAreRefused(t *testing.T) {
	t.Parallel()
	for name, expr := range map[string]string{
		"parentheses": strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000),
		"predicates":  strings.Repeat("a[", 100_000),
		"signs":       strings.Repeat("-", 100_000) + "1",
		"calls":       "1" + strings.Repeat("()", 100_000),
		"types":       "1 instance of " + strings.Repeat("(", 100_000),
		"if":          strings.Repeat("if (1) then ", 100_000),
		"long":        strings.Repeat(" ", 2<<20) + "1",
		"comment":     strings.Repeat("(:", 100_000),
		"sum":         "1" + strings.Repeat(" + 1", 100_000),
		"arrows":      "1" + strings.Repeat(" => abs()", 30_000),
	} {
		if _, err := xpath.Compile(expr, nil); !errors.Is(err, xpath.ErrStatic) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Parts that the compiler tries in several ways must not be compiled once a way and level: 2^40 is for ever.
func TestCompilingIsLinearInTheNesting(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, core, after string }{
		"ranges":       {"o:a = 1 to (", "1", ")"},
		"list tests":   {"string(contains(' aa bb cc dd ee ff gg hh ii jj kk ll mm ', concat(' ', ", "'x'", ", ' ')))"},
		"quantifiers":  {"string(some $x in ('a', 'b', 'c', 'd', 'e') satisfies $x = ", "'x'", ")"},
		"conjunctions": {"a[b and position() = 1 and ", "c", "]"},
		"descendants":  {"//a[1 + count(", "c", ")]"},
		"last":         {"//a[last() = count(", "c", ")]"},
		"for":          {"count(for $x in 1 to ", "1", " return $x)"},
		"maps":         {"count((1, 2, 3) ! (", "1", "))"},
	} {
		src := strings.Repeat(c.before, 40) + c.core + strings.Repeat(c.after, 40)
		e, err := xpath.Compile(src, orderStatic())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		d := parse(t, order)
		e.Evaluate(&xpath.Context{Item: xpath.NodeItem(d.Root()), Limits: xpath.Limits{Work: 1_000_000}})
	}
	costly := strings.Repeat("count((1 to 90000)[. > 1]) + ", 15_000) + "1"
	if _, err := xpath.Compile(costly, nil); err != nil {
		t.Error(err)
	}
}

func TestCancelEndsARun(t *testing.T) {
	t.Parallel()
	e, err := xpath.Compile("every $a in 1 to 100000, $b in 1 to 100000 satisfies true()", nil)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	stop := errors.New("enough")
	_, err = e.EBV(&xpath.Context{Cancel: func() error {
		if asked++; asked > 3 {
			return stop
		}
		return nil
	}})
	if !errors.Is(err, xpath.ErrCancelled) || !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

// lazy counts how often a variable was asked for.
type lazy struct{ asked []int }

func (l *lazy) Variable(_ *xpath.Context, i int) (xpath.Sequence, error) {
	l.asked = append(l.asked, i)
	if i == 1 {
		return nil, errors.New("it has no value")
	}
	return xpath.Sequence{xpath.IntegerItem(7)}, nil
}

func TestVariablesAreAskedForWhenUsed(t *testing.T) {
	t.Parallel()
	env := orderStatic()
	env.Variables = []xpath.Variable{{Name: xpath.QName{Local: "a"}}, {Name: xpath.QName{Local: "b"}}}
	e, err := xpath.Compile("if ($a = 7) then $a + 1 else $b", env)
	if err != nil {
		t.Fatal(err)
	}
	l := &lazy{}
	v, err := e.Evaluate(&xpath.Context{Variables: l})
	if err != nil || v.Text() != "8" || fmt.Sprint(l.asked) != "[0 0]" {
		t.Errorf("got %v, %v, asked %v", v.Text(), err, l.asked)
	}
	e, _ = xpath.Compile("1 + $b", env)
	if _, err = e.Evaluate(&xpath.Context{Variables: l}); err == nil || !strings.Contains(err.Error(), "it has no value") {
		t.Errorf("got %v", err)
	}
}

func TestFunctionsOfTheUserRunExpressions(t *testing.T) {
	t.Parallel()
	env := orderStatic()
	env.Namespaces["u"] = "urn:user"
	st := func(s string) *xpath.SequenceType {
		x, err := xpath.ParseSequenceType(s, env)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	inner := *env
	inner.Variables = []xpath.Variable{{Name: xpath.QName{Local: "n"}}}
	var body *xpath.Expr
	fac := &xpath.Function{Name: xpath.QName{Space: "urn:user", Local: "fac"}, Params: []*xpath.SequenceType{st("xs:integer")}, Result: st("xs:integer"),
		Call: func(ctx *xpath.Context, args []xpath.Sequence) (xpath.Sequence, error) {
			return body.Evaluate(ctx.Nested(xpath.Item{}, xpath.Values{args[0]}))
		}}
	env.Functions = []*xpath.Function{fac}
	inner.Functions = env.Functions
	var err error
	if body, err = xpath.Compile("if ($n le 1) then 1 else $n * u:fac($n - 1)", &inner); err != nil {
		t.Fatal(err)
	}
	d := parse(t, order)
	for expr, want := range map[string]string{
		"u:fac(o:line[1]/o:qty)":    "24", // untyped becomes an integer
		"u:fac(25)":                 "15511210043330985984000000",
		"for-each((2, 3), u:fac#1)": "2 6",
	} {
		e, err := xpath.Compile(expr, env)
		if err != nil {
			t.Fatal(err)
		}
		v, err := e.Evaluate(&xpath.Context{Item: xpath.NodeItem(d.Root())})
		if err != nil || v.Text() != want {
			t.Errorf("%s: got %q, %v", expr, v.Text(), err)
		}
	}
	e, err := xpath.Compile("u:fac(100000)", env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = e.Evaluate(&xpath.Context{}); !errors.Is(err, xpath.ErrLimit) {
		t.Errorf("a recursion without end in sight: %v", err)
	}
	e, _ = xpath.Compile("1 + u:fac('x')", env)
	var x *xpath.Error
	if _, err = e.Evaluate(&xpath.Context{}); !errors.As(err, &x) || x.Code.Local != "XPTY0004" {
		t.Errorf("a string for an integer: %v", err)
	}
}

func TestDocumentsComeFromTheResolverAlone(t *testing.T) {
	t.Parallel()
	env := orderStatic()
	env.BaseURI, env.XSLT = "https://example.com/rules/main.sch", true
	asked := 0
	ctx := &xpath.Context{Resolve: func(uri string) (*dom.Document, error) {
		asked++
		if uri != "https://example.com/rules/codes.xml" {
			return nil, errors.New("no")
		}
		return dom.Parse([]byte("<codes><c>a</c><c>b</c></codes>"), dom.Limits{})
	}}
	for expr, want := range map[string]string{
		"count(document('codes.xml')//c | doc('./codes.xml')//c)": "2",
		"doc-available('other.xml'), doc-available('codes.xml')":  "false true",
		"doc('codes.xml') is doc('../rules/codes.xml')":           "true",
	} {
		e, err := xpath.Compile(expr, env)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := e.Evaluate(ctx); err != nil || v.Text() != want {
			t.Errorf("%s: got %q, %v", expr, v.Text(), err)
		}
	}
	if asked != 2 {
		t.Errorf("the resolver was asked %d times for two URIs", asked)
	}
	e, _ := xpath.Compile("doc('codes.xml')", env)
	var x *xpath.Error
	if _, err := e.Evaluate(&xpath.Context{}); !errors.As(err, &x) || x.Code.Local != "FODC0002" {
		t.Errorf("without resolver: %v", err)
	}
}

func TestTheClockIsThatOfTheContext(t *testing.T) {
	t.Parallel()
	e, err := xpath.Compile("current-date() = xs:date('2026-03-01') and xs:date('2026-03-01') = xs:date('2026-03-01+02:00')", nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 1, 0, 0, 0, time.FixedZone("", 2*3600))
	if ok, err := e.EBV(&xpath.Context{Now: now}); err != nil || !ok {
		t.Errorf("got %v, %v", ok, err)
	}
	if ok, err := e.EBV(&xpath.Context{Now: now.UTC()}); err != nil || ok {
		t.Errorf("in another zone: got %v, %v", ok, err)
	}
}

func TestManyRunsOfOneExpression(t *testing.T) {
	t.Parallel()
	d := parse(t, string(invoice(20)))
	e, err := xpath.Compile("for $l in //cac:InvoiceLine return $l/cbc:ID", invoiceStatic())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string)
	for range 8 {
		go func() {
			v, err := e.Evaluate(&xpath.Context{Item: xpath.NodeItem(d.Node())})
			done <- fmt.Sprint(len(v), err)
		}()
	}
	for range 8 {
		if got := <-done; got != "20 <nil>" {
			t.Error(got)
		}
	}
}

func TestExplainShowsWhatWasCompared(t *testing.T) {
	t.Parallel()
	d := parse(t, order)
	e, err := xpath.Compile("o:total = o:qty * o:price and exists(o:note)", orderStatic())
	if err != nil {
		t.Fatal(err)
	}
	ctx := &xpath.Context{Item: xpath.NodeItem(d.Root().FirstElement())}
	x := e.Explain(ctx)
	want := `o:total = o:qty * o:price and exists(o:note) = false()
  o:total = o:qty * o:price = false()
    o:total = total "10.01"
    o:qty * o:price = 10
      o:qty = qty "4"
      o:price = price "2.50"
`
	if got := x.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	ctx.Item = xpath.NodeItem(d.Root().Child("urn:order", "line").NextElement().NextElement())
	if x = e.Explain(ctx); x.Err == nil || !strings.Contains(x.String(), "FORG0001") {
		t.Errorf("an error is part of the explanation: got\n%s", x)
	}
}
