package xpath_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// made evaluates an expression that makes documents or texts.
func made(t testing.TB, expr string) (xpath.Sequence, error) {
	t.Helper()
	env := orderStatic()
	env.BaseURI = "http://example.org/rules/"
	env.Namespaces["output"] = "http://www.w3.org/2010/xslt-xquery-serialization"
	e, err := xpath.Compile(expr, env)
	if err != nil {
		return nil, err
	}
	texts := map[string]string{
		"http://example.org/rules/a.json": "\ufeff{\"a\": [1, 2]}",
		"http://example.org/a.txt":        "one\r\ntwo\rthree\n",
		"http://example.org/bad.txt":      "a\x01",
		"http://example.org/octets.txt":   "a\xff",
	}
	return e.Evaluate(&xpath.Context{
		Item: xpath.NodeItem(parse(t, order).Root()),
		ResolveText: func(uri string) (string, error) {
			s, ok := texts[uri]
			if !ok {
				return "", errors.New("no such file")
			}
			delete(texts, uri) // asked for once alone
			return s, nil
		},
		Limits: xpath.Limits{Octet: 8 << 20},
	})
}

func TestDocumentsAreMadeOfText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ expr, want string }{
		{"parse-xml('<a x=\"1\"><b>c</b></a>')/a/@x/string()", "1"},
		{"parse-xml('<a/>') instance of document-node(element(a)), root(parse-xml('<a><b/></a>')//b) instance of document-node()", "true true"},
		{"parse-xml('<a/>') << ., . << parse-xml('<a/>'), parse-xml('<a/>') << parse-xml('<a/>')", "false true true"},
		{"count(parse-xml(()) | parse-xml-fragment(())), count(parse-xml('<a/>') | parse-xml('<a/>'))", "0 2"},
		{"base-uri(parse-xml('<a xml:base=\"x/\"><b/></a>')//b), base-uri(parse-xml('<a/>')), count(document-uri(parse-xml('<a/>')))", "http://example.org/rules/x/ http://example.org/rules/ 0"},
		{"parse-xml('<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>ä€</a>')/a", "ä€"},
		{"parse-xml('\ufeff<?xml version=\"1.0\" encoding=\"UTF-16\" standalone=\"yes\"?><a>ä</a>')/a", "ä"},
		{"parse-xml-fragment('a<b/>c<b>d</b><!--e-->')/node()/local-name()", " b  b "},
		{"parse-xml-fragment('<?xml encoding=\"latin1\"?>ä')", "ä"},
		{"parse-xml-fragment('') ! (count(node()), . instance of document-node())", "0 true"},
		{"count(parse-xml-fragment('<a/> <a/>') ! (a[2], a[1], a, .)), parse-xml-fragment('x<a/>') ! count(.//node())", "5 2"},
		{"id('k', parse-xml('<a><b xml:id=\"k\">found</b></a>'))", "found"},

		{"serialize(analyze-string('a1b22', '[0-9]+'))", `<fn:analyze-string-result xmlns:fn="http://www.w3.org/2005/xpath-functions"><fn:non-match>a</fn:non-match><fn:match>1</fn:match><fn:non-match>b</fn:non-match><fn:match>22</fn:match></fn:analyze-string-result>`},
		{"count(analyze-string((), 'a')/node()), count(analyze-string('b', 'a')/fn:non-match), base-uri(analyze-string('', 'a'))", "0 1 http://example.org/rules/"},
		{"analyze-string('2026-11-02', '((\\d+)-(\\d+))-(\\d+)')//fn:group/concat(@nr, '=', ., ' in ', ../@nr)", "1=2026-11 in  2=2026 in 1 3=11 in 1 4=02 in "},
		{"analyze-string('ab', '(a)(x?)(b)')//fn:group/concat(@nr, '=', .)", "1=a 2= 3=b"},
		{"analyze-string('ab', '((a)|b)+')//fn:group/concat(@nr, '=', ., ' in ', local-name(..))", "2=a in match 1=b in match"},
		{"analyze-string('(a)', '(?:[(\\]](a)\\))')//fn:group/concat(@nr, '=', .)", "1=a"},
		{"analyze-string('ab', ' ( ?: a ) ( b ) ', 'x')//fn:group/concat(@nr, '=', .)", "1=b"},
		{"analyze-string('a(b)', '(b)', 'q')/fn:match, analyze-string('aB', 'b', 'i')/fn:match", "(b) B"},
		{"analyze-string('<a & b>', ' & ')/fn:*/string()", "<a  &  b>"},

		{"json-doc('a.json')?a?2, unparsed-text('/a.txt') => string-length(), json-doc('a.json', map{})?a?1", "2 15 1"},
		{"unparsed-text-lines('/a.txt'), count(unparsed-text-lines(())), count(json-doc(())), unparsed-text-available('/a.txt', 'utf-8')", "one two three 0 0 true"},
		{"unparsed-text-available('/b.txt'), unparsed-text-available('#a'), unparsed-text-available(()), unparsed-text-available('/bad.txt'), unparsed-text-available('%')", "false false false false false"},
		{"count((environment-variable('HOME'), available-environment-variables()))", "0"},

		{`serialize(json-to-xml('{"a": [1e0, "x\ty", null, {}], "b": true}'))`, `<map xmlns="http://www.w3.org/2005/xpath-functions"><array key="a"><number>1e0</number><string>x` + "\t" + `y</string><null/><map/></array><boolean key="b">true</boolean></map>`},
		{`json-to-xml('{"a": 1, "a": 2}')//fn:number, json-to-xml('{"a": 1, "a": 2}', map{'duplicates': 'use-first'})//fn:number`, "1 2 1"},
		{`json-to-xml('"\\ \u0001"')/*/@escaped => count(), json-to-xml('["\\ \u0001", "\u0041"]', map{'escape': true()})/*/*/concat(., @escaped)`, `0 \\ \u0001true A`},
		{`json-to-xml('{"\n":1}', map{'escape': true()})/*/*/concat(@key, @escaped-key), json-to-xml('"\u0000"')/*, json-to-xml('"\u0000"', map{'fallback': lower-case#1})`, `\ntrue ` + "\ufffd" + ` \u0000`},
		{`count(json-to-xml(())), json-to-xml('` + "\ufeff" + `1')`, "0 1"},
		{`xml-to-json(json-to-xml('{"a": [1, "x\"\/\\", null, {}], "b": true}'))`, `{"a":[1,"x\"\/\\",null,{}],"b":true}`},
		{`xml-to-json(json-to-xml('["\\ \u0001\"A\/"]', map{'escape': true()})/*/*)`, `"\\ \u0001\"A\/"`},
		{`xml-to-json(json-to-xml('{"a": [1e9, -0, 0.10]}'), map{'indent': true()})`, "{\n  \"a\": [\n    1.0E9,\n    -0,\n    0.1\n  ]\n}"},
		{`xml-to-json(()) => count(), xml-to-json(parse-xml('<!--c--><string xmlns="http://www.w3.org/2005/xpath-functions" xmlns:x="u" x:y="" key="k">a<!--b-->c` + "\u0085" + `</string>'))`, `0 "ac\u0085"`},
		{`xml-to-json(parse-xml('<boolean xmlns="http://www.w3.org/2005/xpath-functions"> 1 </boolean>'))`, "true"},

		{"serialize(//o:line[2]/o:qty), serialize(())", `<qty xmlns:p="urn:part" xmlns="urn:order">1</qty> `},
		{"serialize((1, 'a', parse-xml('<b/>'), 'c', ['d', 'e<']))", "1 a<b/>c d e&lt;"},
		{"serialize((1, 2, 3), map{'item-separator': '|'}), serialize(('<', 'b'), map{'method': 'text', 'item-separator': ','})", "1|2|3 <,b"},
		{"serialize(parse-xml('<a b=\"&quot;&lt;&#10;&#9;&gt;\">&#13;&gt;]]&amp;\u0085</a>'))", `<a b="&quot;&lt;&#xA;&#x9;&gt;">&#xD;&gt;]]&amp;&#x85;</a>`},
		{"serialize(parse-xml('<a><!--c--><?p i?><?q?></a>'), map{'omit-xml-declaration': false(), 'standalone': true()})", `<?xml version="1.0" encoding="UTF-8" standalone="yes"?><a><!--c--><?p i?><?q?></a>`},
		{"serialize(parse-xml('<a><b><c/></b><d>e<f/></d></a>'), map{'indent': true()})", "<a>\n  <b>\n    <c/>\n  </b>\n  <d>e<f/></d>\n</a>"},
		{"serialize(parse-xml('<a><b xml:space=\"preserve\"><c/></b></a>'), map{'indent': true(), 'omit-xml-declaration': false(), 'doctype-system': 'a.dtd', 'doctype-public': '-//A'})",
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE a PUBLIC \"-//A\" \"a.dtd\">\n<a>\n  <b xml:space=\"preserve\"><c/></b>\n</a>"},
		{"serialize(parse-xml('<a><b>x&lt;]]&gt;</b></a>'), map{'cdata-section-elements': QName('', 'b')})", "<a><b><![CDATA[x<]]]]><![CDATA[>]]></b></a>"},
		{"serialize(parse-xml('<a b=\"x\">yx</a>'), map{'use-character-maps': map{'x': '<br>'}})", `<a b="<br>">y<br></a>`},
		{"serialize('A\u030A', map{'normalization-form': 'NFC'}), serialize('a', map{'byte-order-mark': true()})", "Å \ufeffa"},
		{"serialize(parse-xml('<x:a xmlns:x=\"u\" xmlns=\"v\"><b xmlns=\"\"/></x:a>'))", `<x:a xmlns="v" xmlns:x="u"><b xmlns=""/></x:a>`},
		{"serialize(map{'a': [1, 2.50, 1e0, true(), ()], 'b': '/\"', 'c': parse-xml('<d>\"</d>')}, map{'method': 'json'})", `{"a":[1,2.5,1,true,null],"b":"\/\"","c":"<d>\"<\/d>"}`},
		{"serialize(map{'c': parse-xml('<d>e</d>')}, map{'method': 'json', 'json-node-output-method': 'text', 'indent': true()})", "{\n  \"c\": \"e\"\n}"},
		{"serialize(map{1: 'a', '1': 'b'}, map{'method': 'json', 'allow-duplicate-names': true()})", `{"1":"a","1":"b"}`},
		{"serialize((1, 1.5, 1e2, 'a\"b', true(), xs:date('2026-01-01'), [1, (2, 3)], map{'k': ()}, @date, abs#1, function($x) { $x }, QName('u', 'p:n'), 0 div 0e0), map{'method': 'adaptive'})",
			"1\n1.5\n1.0e2\n\"a\"\"b\"\ntrue()\nxs:date(\"2026-01-01\")\n[1,(2,3)]\nmap{\"k\":()}\ndate=\"2026-11-02\"\nfn:abs#1\n(anonymous-function)#1\nQ{u}n\nNaN"},
		{"serialize((1, 2), parse-xml('<output:serialization-parameters xmlns:output=\"http://www.w3.org/2010/xslt-xquery-serialization\"><output:method value=\"text\"/><output:item-separator value=\"-\"/><output:indent value=\"yes\"/><output:use-character-maps><output:character-map character=\"1\" map-string=\"one\"/></output:use-character-maps></output:serialization-parameters>')/*)", "one-2"},
		{"serialize(parse-xml('<a><b/></a>'), parse-xml('<o:serialization-parameters xmlns:o=\"http://www.w3.org/2010/xslt-xquery-serialization\" xmlns:x=\"u\"><x:own/><o:cdata-section-elements value=\"x:b b\"/><o:standalone value=\"omit\"/></o:serialization-parameters>')/*)", "<a><b/></a>"},
		{"serialize('a', map{'unknown': 1, 1: 2, 'method': ()})", "a"},
		{"let $c := 'http://www.w3.org/2005/xpath-functions/collation/html-ascii-case-insensitive' return (collation-key('Ab') = collation-key('aB'), collation-key('Ab', $c) = collation-key('aB', $c), collation-key('a', $c) = collation-key('b', $c))", "false true false"},
		{"for $c in ('lang=de', 'lang=sv', 'strength=primary', 'strength=2;numeric=yes', 'alternate=blanked', 'alternate=blanked;strength=4') ! ('http://www.w3.org/2013/collation/UCA?' || .), $s in ('a', 'A', 'ä', 'z', 'a b', 'ab', 'a-b', '2', '10', 'é', ''), $t in ('a', 'A', 'ä', 'z', 'a b', 'ab', 'a-b', '2', '10', 'é', '') return if ((collation-key($s, $c) = collation-key($t, $c)) eq (compare($s, $t, $c) eq 0)) then () else $c || ': ' || $s || ', ' || $t", ""},
		{"let $r := random-number-generator('seed'), $s := random-number-generator('seed'), $n := $r?next() return ($r?number eq $s?number, $n?number ne $r?number, $n?number eq $s?next()?number, random-number-generator()?number lt 1)", "true true true true"},
		{"let $p := random-number-generator(7)?permute(1 to 100) return (count(distinct-values($p)), deep-equal($p, 1 to 100), deep-equal(sort($p), 1 to 100), deep-equal($p, random-number-generator(7)?permute(1 to 100)))", "100 false true true"},
		{"parse-xml#1 instance of function(xs:string?) as document-node()?, serialize#1 instance of function(item()*) as xs:integer, ('<a/>', '<b>c</b>') ! parse-xml#1(.)/*/name()", "true false a b"},

		{"xs:NMTOKENS(' a:1  -b '), count(xs:IDREFS(())), xs:ENTITIES('e'), xs:NMTOKENS(@date)", "a:1 -b 0 e 2026-11-02"},
		{"xs:NMTOKENS('a b') instance of xs:NMTOKEN+, ('a b' cast as xs:IDREFS) instance of xs:IDREF*, count(() cast as xs:ENTITIES?), xs:IDREFS#1('a b')[2]", "true true 0 b"},
		{"'a 1' castable as xs:IDREFS, 'a 1' castable as xs:NMTOKENS, '' castable as xs:NMTOKENS, 1 castable as xs:NMTOKENS, () castable as xs:NMTOKENS?, ('a', 'b') castable as xs:NMTOKENS", "false true false false true false"},
	} {
		v, err := made(t, c.expr)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
		} else if got := v.Text(); got != c.want {
			t.Errorf("%s:\ngot  %q\nwant %q", c.expr, got, c.want)
		}
	}
}

func TestErrorsOfDocumentsThatAreMade(t *testing.T) {
	t.Parallel()
	tree := func(s string) string {
		return "xml-to-json(parse-xml('" + strings.Replace(s, ">", ` xmlns="http://www.w3.org/2005/xpath-functions">`, 1) + "'))"
	}
	parameters := func(s string) string {
		return "serialize(1, parse-xml('<o:serialization-parameters xmlns:o=\"http://www.w3.org/2010/xslt-xquery-serialization\">" + s + "</o:serialization-parameters>')/*)"
	}
	for expr, code := range map[string]string{
		"parse-xml('<a>')":      "FODC0006",
		"parse-xml('')":         "FODC0006",
		"parse-xml('<a/><b/>')": "FODC0006",
		"parse-xml('<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>')":     "FODC0006",
		"parse-xml('<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>')": "FODC0006",
		"parse-xml('<?xml version=\"1.1\"?><a/>')":                    "FODC0006",
		"parse-xml-fragment('<a>')":                                   "FODC0006",
		"parse-xml-fragment('<?xml version=\"1.0\"?>a')":              "FODC0006",
		"parse-xml(1)": "XPTY0004",
		"parse-xml(string-join(for $i in 1 to 1100 return '<a>'))":                                                               "XPDY0130",
		"parse-xml-fragment(string-join(for $i in 1 to 400000 return '<a/>'))":                                                   "XPDY0130",
		"count(for $i in 1 to 2000 return parse-xml(concat('<a>', string-join(for $j in 1 to 1000 return 'abcdefgh'), '</a>')))": "XPDY0130",

		"analyze-string('a', 'b*')":     "FORX0003",
		"analyze-string('a', '(')":      "FORX0002",
		"analyze-string('a', 'b', 'z')": "FORX0001",

		"unparsed-text('/c.txt')":      "FOUT1170",
		"unparsed-text('/a.txt#x')":    "FOUT1170",
		"unparsed-text('http://[')":    "FOUT1170",
		"unparsed-text('/bad.txt')":    "FOUT1190",
		"unparsed-text('/octets.txt')": "FOUT1190",
		"json-doc('/a.txt')":           "FOJS0001",
		"json-doc('c.json')":           "FOUT1170",
		"uri-collection()":             "FODC0002",

		"json-to-xml('[1,]')": "FOJS0001",
		"json-to-xml('1 2')":  "FOJS0001",
		"json-to-xml('{\"a\":1,\"a\":2}', map{'duplicates': 'reject'})":                         "FOJS0003",
		"json-to-xml('{\"a\":1,\"\\u0061\":2}', map{'duplicates': 'reject', 'escape': true()})": "FOJS0003",
		"json-to-xml('1', map{'duplicates': 'use-last'})":                                       "FOJS0005",
		"json-to-xml('1', map{'validate': true()})":                                             "FOJS0004",
		"json-to-xml('1', map{'validate': 1})":                                                  "XPTY0004",
		"json-to-xml('1', map{'escape': true(), 'fallback': upper-case#1})":                     "FOJS0005",
		"json-to-xml(string-join(for $i in 1 to 600 return '['))":                               "XPDY0130",

		"xml-to-json(.)":                         "FOJS0006",
		"xml-to-json(@date)":                     "FOJS0006",
		"xml-to-json(parse-xml-fragment(''))":    "FOJS0006",
		"xml-to-json(parse-xml('<null/>'))":      "FOJS0006",
		tree("<number>x</number>"):               "FOJS0006",
		tree("<number>INF</number>"):             "FOJS0006",
		tree("<boolean>yes</boolean>"):           "FOJS0006",
		tree("<null>x</null>"):                   "FOJS0006",
		tree("<string>a<null/></string>"):        "FOJS0006",
		tree("<array>a</array>"):                 "FOJS0006",
		tree("<array><null key=\"a\"/></array>"): "FOJS0006",
		tree("<map><null/></map>"):               "FOJS0006",
		tree("<map><null key=\"a\"/><null key=\"\\u0061\" escaped-key=\"true\"/></map>"): "FOJS0006",
		tree("<map other=\"a\"></map>"):                "FOJS0006",
		tree("<null escaped=\"true\"></null>"):         "FOJS0006",
		tree("<other></other>"):                        "FOJS0006",
		tree("<string escaped=\"perhaps\">a</string>"): "FOJS0006",
		tree("<string escaped=\"true\">\\x</string>"):  "FOJS0007",
		tree("<string escaped=\"1\">a\\u12</string>"):  "FOJS0007",

		"serialize(@date)":                                            "SENR0001",
		"serialize(map{})":                                            "SENR0001",
		"serialize(abs#1, map{'method': 'text'})":                     "SENR0001",
		"serialize(1, map{'method': 'html'})":                         "SEPM0016",
		"serialize(1, map{'method': 1})":                              "SEPM0016",
		"serialize(1, map{'indent': 'yes'})":                          "XPTY0004",
		"serialize(1, 1)":                                             "XPTY0004",
		"serialize(1, map{'encoding': 'a b'})":                        "SEPM0016",
		"serialize(1, map{'version': '1.1'})":                         "SESU0013",
		"serialize(1, map{'normalization-form': 'fully-normalized'})": "SESU0011",
		"serialize(1, map{'normalization-form': 'NFX'})":              "SEPM0016",
		"serialize(1, map{'undeclare-prefixes': true()})":             "SEPM0010",
		"serialize(1, map{'use-character-maps': map{'ab': 'c'}})":     "SEPM0016",
		"serialize(1, map{'doctype-system': 'a'})":                    "SEPM0004",
		"serialize(., map{'standalone': true()})":                     "SEPM0009",
		"serialize((1, 2), map{'method': 'json'})":                    "SERE0023",
		"serialize([(1, 2)], map{'method': 'json'})":                  "SERE0023",
		"serialize(abs#1, map{'method': 'json'})":                     "SERE0021",
		"serialize(1 div 0e0, map{'method': 'json'})":                 "SERE0020",
		"serialize(map{1: 1, '1': 1}, map{'method': 'json'})":         "SERE0022",
		"serialize(@date, map{'method': 'json'})":                     "SENR0001",
		"serialize(string-join(for $i in 1 to 10000 return 'x'), map{'use-character-maps': map{'x': string-join(for $i in 1 to 10000 return 'y')}})":                                                                                                                                             "XPDY0130",
		"xml-to-json(parse-xml('<array xmlns=\"http://www.w3.org/2005/xpath-functions\">' || string-join(for $i in 1 to 200 return '<array>') || string-join(for $i in 1 to 60000 return '<null/>') || string-join(for $i in 1 to 200 return '</array>') || '</array>'), map{'indent': true()})": "XPDY0130",
		"serialize(string-join(for $i in 1 to 400000 return '&&&&&&&&&'))": "XPDY0130",
		parameters("<o:unknown value=\"1\"/>"):                             "SEPM0017",
		parameters("<method value=\"xml\"/>"):                              "SEPM0017",
		parameters("<o:method/>"):                                          "SEPM0017",
		parameters("<o:indent value=\"perhaps\"/>"):                        "SEPM0017",
		parameters("<o:indent value=\"yes\"/><o:indent value=\"yes\"/>"):   "SEPM0019",
		parameters("<o:suppress-indentation value=\"x:y\"/>"):              "SEPM0017",

		"xs:NMTOKENS('a &lt;')":     "FORG0001",
		"xs:IDREFS('')":             "FORG0001",
		"xs:NMTOKENS(1)":            "XPTY0004",
		"() cast as xs:NMTOKENS":    "XPTY0004",
		"1 instance of xs:NMTOKENS": "XPST0051",
		"xs:NMTOKENS('a', 'b')":     "XPST0017",
	} {
		_, err := made(t, expr)
		var x *xpath.Error
		if !errors.As(err, &x) || x.Code.Local != code {
			t.Errorf("%s: got %v, want %s", expr, err, code)
		}
	}
}

// FuzzJSON holds the reading of JSON to encoding/json, and the way through XML to the direct one.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"a": [1, -0.5e1, "x\ty", null, {}], "b": true}`, `["\u0000\ud83d\ude00\ud83d", "\"\/\\\b"]`, `{"a":1,"a":2,"\u0061":3}`, "\ufeff1", `[1,]`, `01`, `"\x"`, "[[[[]]]]", `{"\n":"é"}`,
	} {
		f.Add(s)
	}
	env := &xpath.Static{Variables: []xpath.Variable{{Name: xpath.QName{Local: "s"}}}}
	compile := func(src string) *xpath.Expr {
		e, err := xpath.Compile(src, env)
		if err != nil {
			f.Fatal(err)
		}
		return e
	}
	direct, tree := compile("parse-json($s, map{'duplicates': 'use-first'})"), compile("json-to-xml($s, map{'duplicates': 'use-first'})")
	around := compile("deep-equal(parse-json($s, map{'duplicates': 'use-first'}), parse-json(xml-to-json(json-to-xml($s, map{'duplicates': 'use-first'}), map{'indent': true()})))")
	escaped := compile("deep-equal(parse-json($s, map{'duplicates': 'use-first'}), parse-json(xml-to-json(json-to-xml($s, map{'duplicates': 'use-first', 'escape': true()}))))")
	written := compile("parse-json(serialize(parse-json($s), map{'method': 'json', 'indent': true()}))")
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r == 0xFFFE || r == 0xFFFF }) {
			return // no xs:string
		}
		ctx := func() *xpath.Context {
			return &xpath.Context{Variables: xpath.Values{{xpath.StringItem(s)}}, Limits: xpath.Limits{Work: 5_000_000, Octet: 16 << 20}}
		}
		_, err := direct.Evaluate(ctx())
		_, err2 := tree.Evaluate(ctx())
		if errors.Is(err, xpath.ErrLimit) || errors.Is(err2, xpath.ErrLimit) {
			return
		}
		valid := json.Valid([]byte(strings.TrimPrefix(s, "\ufeff")))
		if (err == nil) != valid || (err2 == nil) != valid {
			t.Fatalf("%q: %v, as XML %v, for encoding/json %v", s, err, err2, valid)
		}
		if !valid {
			return
		}
		for _, e := range []*xpath.Expr{around, escaped} {
			ok, err := e.EBV(ctx())
			var x *xpath.Error
			if errors.As(err, &x) && x.Code.Local == "FOJS0006" && strings.ContainsAny(s, "eE0123456789") || errors.Is(err, xpath.ErrLimit) {
				continue // a number beyond xs:double, or keys that become one
			}
			if err != nil || !ok {
				t.Fatalf("%q: %s gives %v, %v", s, e, ok, err)
			}
		}
		if _, err := written.Evaluate(ctx()); err != nil && !errors.Is(err, xpath.ErrLimit) && !strings.Contains(err.Error(), "SERE0020") {
			t.Fatalf("%q: %v", s, err)
		}
	})
}
