package dom

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, doc string
		err       error
		says      string
	}{
		{"nothing at all", "", ErrSyntax, "document has no element"},
		{"only white space", " \n", ErrSyntax, "document has no element"},
		{"only a comment", "<!-- x -->", ErrSyntax, "document has no element"},
		{"text alone", "hello", ErrSyntax, "text before the document element"},
		{"text before the root", "x<a/>", ErrSyntax, "text before the document element"},
		{"text after the root", "<a/>x", ErrSyntax, "only comments and processing instructions"},
		{"second root", "<a/><b/>", ErrSyntax, "only comments and processing instructions"},
		{"CDATA after the root", "<a/><![CDATA[x]]>", ErrSyntax, "only comments and processing instructions"},
		{"character reference after the root", "<a/>&#32;", ErrSyntax, "only comments and processing instructions"},
		{"XML declaration after white space", " <?xml version='1.0'?><a/>", ErrSyntax, "target xml is reserved"},
		{"XML declaration inside", "<a><?xml version='1.0'?></a>", ErrSyntax, "target xml is reserved"},
		{"reserved target in capitals", "<a><?XmL x?></a>", ErrSyntax, "target XmL is reserved"},
		{"XML declaration without version", "<?xml encoding='UTF-8'?><a/>", ErrSyntax, "no place here"},
		{"XML declaration with nothing", "<?xml ?><a/>", ErrSyntax, "without version"},
		{"XML 1.1", "<?xml version='1.1'?><a/>", ErrSyntax, `version "1.1" is not supported`},
		{"XML 2.0", "<?xml version='2.0'?><a/>", ErrSyntax, `version "2.0" is not supported`},
		{"standalone before encoding", "<?xml version='1.0' standalone='no' encoding='UTF-8'?><a/>", ErrSyntax, "no place here"},
		{"standalone neither yes nor no", "<?xml version='1.0' standalone='YES'?><a/>", ErrSyntax, "not yes or no"},
		{"unknown pseudo-attribute", "<?xml version='1.0' vendor='x'?><a/>", ErrSyntax, "no place here"},
		{"pseudo-attributes without white space", "<?xml version='1.0'encoding='UTF-8'?><a/>", ErrSyntax, "malformed"},
		{"version without quotes", "<?xml version=1.0?><a/>", ErrSyntax, "malformed"},
		{"version repeated", "<?xml version='1.0' version='1.0'?><a/>", ErrSyntax, "no place here"},
		{"encoding that is no name", "<?xml version='1.0' encoding=' utf-8'?><a/>", ErrEncoding, "not supported"},
		{"XML declaration that does not end", "<?xml version='1.0'", ErrSyntax, "ends inside the XML declaration"},

		{"DOCTYPE", "<!DOCTYPE a><a/>", ErrDoctype, "document type declaration"},
		{"DOCTYPE after a comment", "<!-- --><!DOCTYPE a SYSTEM 'http://x/'><a/>", ErrDoctype, "document type declaration"},
		{"DOCTYPE inside", "<a><!DOCTYPE a></a>", ErrDoctype, "document type declaration"},
		{"billion laughs", billionLaughs, ErrDoctype, "document type declaration"},
		{"doctype in small letters", "<!doctype a><a/>", ErrSyntax, ""},

		{"end tag alone", "</a>", ErrSyntax, "may precede the document element"},
		{"CDATA before the root", "<![CDATA[x]]><a/>", ErrSyntax, "may precede the document element"},
		{"cut comment before the root", "<!-", ErrSyntax, "may precede the document element"},
		{"wrong end tag", "<a></b>", ErrSyntax, "end tag does not match <a>"},
		{"end tag that is longer", "<a></ab>", ErrSyntax, "end tag does not match <a>"},
		{"end tag in other letters", "<a></A>", ErrSyntax, "end tag does not match <a>"},
		{"end tags crossing", "<a><b></a></b>", ErrSyntax, "end tag does not match <b>"},
		{"same name under another prefix", "<p:a xmlns:p='u' xmlns:q='u'></q:a>", ErrSyntax, "end tag does not match <p:a>"},
		{"end tag with attribute", "<a></a b='c'>", ErrSyntax, "in an end tag"},
		{"end tag with space in front", "<a></ a>", ErrSyntax, "end tag does not match"},
		{"element left open", "<a><b></b>", ErrSyntax, "ends inside element a"},
		{"start tag left open", "<a", ErrSyntax, "ends inside a start tag"},
		{"tag with space in front", "< a/>", ErrSyntax, "begins no markup"},
		{"slash apart", "<a/ >", ErrSyntax, "/ inside a tag"},
		{"two slashes", "<a//>", ErrSyntax, "/ inside a tag"},
		{"name with digit in front", "<1a/>", ErrSyntax, "is not a name"},
		{"name with hyphen in front", "<-a/>", ErrSyntax, "is not a name"},
		{"name with multiplication sign", "<a×b/>", ErrSyntax, "is not a name"},
		{"name with combining mark in front", "<\u0301a/>", ErrSyntax, "is not a name"},
		{"name with colon in front", "<:a/>", ErrNamespace, "not a qualified name"},
		{"name with colon at the end", "<a:/>", ErrNamespace, "not a qualified name"},
		{"name with two colons", "<a:b:c xmlns:a='u'/>", ErrNamespace, "not a qualified name"},
		{"local name with digit in front", "<a:1 xmlns:a='u'/>", ErrNamespace, "not a qualified name"},

		{"attribute without value", "<a b/>", ErrSyntax, "has no value"},
		{"attribute without quotes", "<a b=c/>", ErrSyntax, "is not quoted"},
		{"attributes not apart", "<a b='c'd='e'/>", ErrSyntax, "after a name or value"},
		{"attribute twice", "<a b='1' c='2' b='1'/>", ErrSyntax, "occurs twice"},
		{"attribute twice by namespace", "<a p:b='1' q:b='2' xmlns:p='u' xmlns:q='u'/>", ErrSyntax, "attribute q:b occurs twice"},
		{"attribute twice among many", "<a" + attrs(40) + " a7='x'/>", ErrSyntax, "attribute a7 occurs twice"},
		{"attribute twice by namespace among many", "<a xmlns:p='u' xmlns:q='u' p:z='1'" + attrs(40) + " q:z='2'/>", ErrSyntax, "attribute q:z occurs twice"},
		{"< in an attribute", "<a b='<'/>", ErrSyntax, "< in the value"},
		{"& in an attribute", "<a b='a & b'/>", ErrSyntax, "begins no reference"},
		{"quote left open", "<a b='c/>", ErrSyntax, "ends inside the value of attribute b"},
		{"attribute in an end tag position", "<a = 'b'/>", ErrSyntax, "where an attribute name should be"},

		{"]]> in text", "<a>x]]>y</a>", ErrSyntax, "]]> in text"},
		{"& in text", "<a>a & b</a>", ErrSyntax, "begins no reference"},
		{"reference without semicolon", "<a>&amp</a>", ErrSyntax, "begins no reference"},
		{"empty reference", "<a>&;</a>", ErrSyntax, "begins no reference"},
		{"undeclared entity", "<a>&nbsp;</a>", ErrSyntax, `entity "nbsp" is not declared`},
		{"predefined entity in capitals", "<a>&AMP;</a>", ErrSyntax, `entity "AMP" is not declared`},
		{"character reference to NUL", "<a>&#0;</a>", ErrSyntax, "no character reference"},
		{"character reference to a control", "<a>&#x1F;</a>", ErrSyntax, "no character reference"},
		{"character reference to a surrogate", "<a>&#xD800;</a>", ErrSyntax, "no character reference"},
		{"character reference to U+FFFE", "<a>&#xFFFE;</a>", ErrSyntax, "no character reference"},
		{"character reference beyond Unicode", "<a>&#x110000;</a>", ErrSyntax, "no character reference"},
		{"character reference that overflows", "<a>&#99999999999999999999;</a>", ErrSyntax, "no character reference"},
		{"character reference with capital X", "<a>&#X20;</a>", ErrSyntax, "no character reference"},
		{"character reference with sign", "<a>&#+32;</a>", ErrSyntax, "no character reference"},
		{"character reference with underscore", "<a>&#x_20;</a>", ErrSyntax, "no character reference"},
		{"character reference without digits", "<a>&#x;</a>", ErrSyntax, "no character reference"},
		{"character reference with space", "<a>&#32 ;</a>", ErrSyntax, "no character reference"},

		{"NUL", "<a>\x00</a>", ErrSyntax, "U+0000 is not allowed"},
		{"control character in text", "<a>\x01</a>", ErrSyntax, "U+0001 is not allowed"},
		{"control character in an attribute", "<a b='\x0B'/>", ErrSyntax, "U+000B is not allowed"},
		{"control character in a comment", "<a><!-- \x1F --></a>", ErrSyntax, "U+001F is not allowed"},
		{"control character after the root", "<a/>\x02", ErrSyntax, "U+0002 is not allowed"},
		{"control character deep in text", "<a>" + strings.Repeat("x", 1000) + "\n\x08</a>", ErrSyntax, "U+0008 is not allowed"},
		{"U+FFFE", "<a>\uFFFE</a>", ErrEncoding, "no allowed UTF-8 character"},
		{"U+FFFF after other characters of its block", "<a>\uFFFD\uFF01\uFFFF</a>", ErrEncoding, "no allowed UTF-8 character"},
		{"surrogate in UTF-8", "<a>\xED\xA0\x80</a>", ErrEncoding, "no allowed UTF-8 character"},
		{"overlong UTF-8", "<a>\xC0\xBC</a>", ErrEncoding, "octet 0xc0 begins no allowed UTF-8 character"},
		{"truncated UTF-8", "<a>\xE2\x82</a>", ErrEncoding, "no allowed UTF-8 character"},
		{"UTF-8 that ends the document", "<a/>\xE2\x82", ErrEncoding, "no allowed UTF-8 character"},
		{"lone continuation in a name", "<a\x80/>", ErrEncoding, "no allowed UTF-8 character"},
		{"five-octet UTF-8", "<a>\xF8\x88\x80\x80\x80</a>", ErrEncoding, "no allowed UTF-8 character"},
		{"beyond U+10FFFF", "<a>\xF4\x90\x80\x80</a>", ErrEncoding, "no allowed UTF-8 character"},

		{"comment left open", "<a><!-- x</a>", ErrSyntax, "ends inside a comment"},
		{"-- in a comment", "<a><!-- x -- y --></a>", ErrSyntax, "-- inside a comment"},
		{"comment that ends in three hyphens", "<a><!-- x ---></a>", ErrSyntax, "-- inside a comment"},
		{"comment of three hyphens", "<a><!---></a>", ErrSyntax, "ends inside a comment"},
		{"CDATA left open", "<a><![CDATA[x]]</a>", ErrSyntax, "ends inside a CDATA section"},
		{"CDATA in small letters", "<a><![cdata[x]]></a>", ErrSyntax, "neither comment nor CDATA"},
		{"conditional section", "<a><![INCLUDE[x]]></a>", ErrSyntax, "neither comment nor CDATA"},
		{"processing instruction without target", "<a><??></a>", ErrSyntax, "without target"},
		{"processing instruction with space in front", "<a><? x?></a>", ErrSyntax, "without target"},
		{"processing instruction left open", "<a><?x y></a>", ErrSyntax, "ends inside a processing instruction"},
		{"processing instruction with colon", "<a><?x:y z?></a>", ErrNamespace, "with a colon"},
		{"processing instruction target and data not apart", "<a><?x=y?></a>", ErrSyntax, "no white space after the target"},

		{"undeclared prefix of an element", "<p:a/>", ErrNamespace, `prefix "p" is not declared`},
		{"undeclared prefix of an attribute", "<a p:b='c'/>", ErrNamespace, `prefix "p" is not declared`},
		{"prefix out of scope", "<a><b xmlns:p='u'/><p:c/></a>", ErrNamespace, `prefix "p" is not declared`},
		{"prefix of a sibling's attribute out of scope", "<a><b xmlns:p='u'><p:x/></b><c p:y=''/></a>", ErrNamespace, `prefix "p" is not declared`},
		{"prefix undeclared", "<p:a xmlns:p=''/>", ErrNamespace, "must not be undeclared"},
		{"prefix undeclared below", "<a xmlns:p='u'><b xmlns:p=''/></a>", ErrNamespace, "must not be undeclared"},
		{"xml bound to another name", "<a xmlns:xml='urn:x'/>", ErrNamespace, "belong together"},
		{"another prefix bound to xml's name", "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>", ErrNamespace, "belong together"},
		{"xml's name as default", "<a xmlns='http://www.w3.org/XML/1998/namespace'/>", ErrNamespace, "belong together"},
		{"xmlns declared", "<a xmlns:xmlns='http://www.w3.org/2000/xmlns/'/>", ErrNamespace, "must not be declared"},
		{"xmlns's name bound", "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", ErrNamespace, "no prefix may be bound"},
		{"xmlns's name as default", "<a xmlns='http://www.w3.org/2000/xmlns/'/>", ErrNamespace, "no prefix may be bound"},
		{"element with prefix xmlns", "<xmlns:a/>", ErrNamespace, `prefix "xmlns" is not declared`},
		{"prefix declared twice", "<a xmlns:p='u' xmlns:p='v'/>", ErrSyntax, "occurs twice"},
		{"default namespace declared twice", "<a xmlns='u' xmlns='u'/>", ErrSyntax, "occurs twice"},
		{"default namespace undeclared twice", "<a xmlns='' xmlns=''/>", ErrSyntax, "occurs twice"},
		{"xml declared twice", strings.Replace("<a X X/>", "X", "xmlns:xml='http://www.w3.org/XML/1998/namespace'", 2), ErrSyntax, "occurs twice"},
		{"declaration without local part", "<a xmlns:='u'/>", ErrNamespace, "not a qualified name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(c.doc), Limits{})
			if !errors.Is(err, c.err) || !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("got %v, want %v saying %q", err, c.err, c.says)
			}
		})
	}
}

const billionLaughs = `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]><l>&d;</l>`

func attrs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d='%d'", i, i)
	}
	return b.String()
}

func TestParseNamesThePlace(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte("<e:Envelope xmlns:e='urn:e'>\n <e:Body>\n  <größe/> <x>& </x>\n</e:Body></e:Envelope>"), Limits{})
	var e *Error
	if !errors.As(err, &e) || e.Line != 3 || e.Column != 15 || e.Path != "e:Envelope/e:Body/x" {
		t.Errorf("%#v", err)
	}
	if !strings.HasPrefix(err.Error(), "line 3, e:Envelope/e:Body/x: & begins no reference") {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	many := func(n int, s string) string { return "<a xmlns:p='u'>" + strings.Repeat(s, n) + "</a>" }
	for _, c := range []struct {
		name, doc string
		lim       Limits
		refused   bool
	}{
		{"octets within", "<a>xyz</a>", Limits{Bytes: 10}, false},
		{"octets beyond", "<a>xyz</a> ", Limits{Bytes: 10}, true},
		{"octets that grow in UTF-8", "<?xml version='1.0' encoding='latin1'?><a>" + strings.Repeat("\xE4", 100) + "</a>", Limits{Bytes: 150}, true},
		{"depth within", strings.Repeat("<a>", 9) + "<a/>" + strings.Repeat("</a>", 9), Limits{Depth: 10}, false},
		{"depth beyond", strings.Repeat("<a>", 10) + "<a/>" + strings.Repeat("</a>", 10), Limits{Depth: 10}, true},
		{"depth beyond by default", strings.Repeat("<a>", 300000), Limits{}, true},
		{"nodes within", many(4, "<b/>"), Limits{Nodes: 5}, false},
		{"nodes beyond", many(5, "<b/>"), Limits{Nodes: 5}, true},
		{"nodes beyond through attributes", many(2, "<b c='' d=''/>"), Limits{Nodes: 6}, true},
		{"nodes beyond through comments", many(7, "<!---->"), Limits{Nodes: 6}, true},
		{"attributes of a document within", many(5, "<b c='' d=''/>"), Limits{Attributes: 11}, false},
		{"attributes of a document beyond", many(5, "<b c='' d=''/>"), Limits{Attributes: 10}, true},
		{"namespace declarations count as attributes", many(5, "<b xmlns='x' xmlns:q='y'/>"), Limits{Attributes: 10}, true},
		{"attributes of an element within", "<a" + attrs(1000) + "/>", Limits{}, false},
		{"attributes of an element beyond by default", "<a" + attrs(1001) + "/>", Limits{}, true},
		{"100,000 attributes", "<a" + attrs(100_000) + "/>", Limits{}, true},
		{"namespaces of an element beyond", "<a" + strings.ReplaceAll(attrs(1001), " a", " xmlns:a") + "/>", Limits{}, true},
		{"name within", "<" + strings.Repeat("n", 1024) + "/>", Limits{}, false},
		{"name beyond", "<" + strings.Repeat("n", 1025) + "/>", Limits{}, true},
		{"attribute name beyond", "<a " + strings.Repeat("n", 1<<20) + "=''/>", Limits{}, true},
		{"processing instruction target beyond", "<?" + strings.Repeat("n", 1025) + "?><a/>", Limits{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(c.doc), c.lim)
			if c.refused != errors.Is(err, ErrLimit) || !c.refused && err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Each would take minutes if a search were linear in what the document declares.
func TestParseStaysLinear(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("<a>")
	for i := range 200_000 {
		fmt.Fprintf(&b, "<p:x xmlns:p='urn:%d' p:y=''/>", i)
	}
	b.WriteString("</a>")
	d := parse(t, b.String())
	if last := d.Root().d.At(d.Len() - 2); last.Space() != "urn:199999" {
		t.Errorf("last element is in %q", last.Space())
	}

	b.Reset()
	for i := range 200 {
		fmt.Fprintf(&b, "<a%s>", strings.ReplaceAll(attrs(400), " a", fmt.Sprintf(" xmlns:a%d.", i)))
	}
	b.WriteString(strings.Repeat("<a0.0:b><a199.399:c/></a0.0:b>", 100_000) + strings.Repeat("</a>", 200))
	parse(t, b.String())

	b.Reset()
	b.WriteString("<a>")
	for i := range 100_000 {
		fmt.Fprintf(&b, "<n%d/>", i)
	}
	parse(t, b.String()+"</a>")
	parse(t, "<a>"+strings.Repeat("x<![CDATA[y]]>&#122;", 300_000)+"</a>")
	parse(t, "<a>"+strings.Repeat("&lt;]]", 300_000)+"</a>")
}

func TestTruncatedNeverPanics(t *testing.T) {
	t.Parallel()
	docs := [][]byte{[]byte(sample), encode16(sample, false, true), encode16(strings.Replace(sample, "UTF-8", "UTF-16BE", 1), true, false)}
	for _, doc := range docs {
		if _, err := Parse(doc, Limits{}); err != nil {
			t.Error(err)
		}
		end := strings.LastIndexByte(string(doc), '>')
		for i := range doc[:end] {
			if _, err := Parse(doc[:i:i], Limits{}); err == nil {
				t.Errorf("cut at %d: accepted", i)
			}
		}
	}
}

func encode16(s string, big, mark bool) []byte {
	s = strings.Replace(s, `"UTF-8"`, `"UTF-16"`, 1)
	var out []byte
	if mark {
		s = "\uFEFF" + s
	}
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return out
}
