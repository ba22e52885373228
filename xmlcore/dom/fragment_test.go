package dom

import (
	"errors"
	"strings"
	"testing"
)

func TestFragment(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"":                                     "",
		"text alone":                           `"text alone"`,
		"a<b/>c<d x='1'>e</d>":                 `"a" <b> "c" <d>`,
		"<!--c--><?p i?> <a/>":                 `<!--> <?> " " <a>`,
		"a<![CDATA[<b>]]>&lt;c":                `"a<b><c"`,
		"<p:a xmlns:p='u'/><p:a xmlns:p='v'/>": `<p:a> <p:a>`,
		"<?xml version='1.0' encoding='UTF-8'?>a<b/>": `"a" <b>`,
		"<?xml encoding='utf-8'?>\r\n<a/>":            `"\n" <a>`,
	} {
		d, err := ParseFragment([]byte(src), Limits{})
		if err != nil {
			t.Errorf("%q: %v", src, err)
			continue
		}
		var got []string
		for n := range d.Node().Children() {
			switch n.Kind() {
			case ElementNode:
				got = append(got, "<"+n.QName()+">")
			case TextNode:
				got = append(got, `"`+strings.ReplaceAll(n.Text(), "\n", `\n`)+`"`)
			case CommentNode:
				got = append(got, "<!-->")
			case PINode:
				got = append(got, "<?>")
			}
			if n.Parent() != d.Node() {
				t.Errorf("%q: %v has another parent", src, n.Kind())
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: got %s, want %s", src, s, want)
		}
		if e := d.Node().FirstElement(); e.Valid() && d.Root() != e || !e.Valid() && d.Root() != d.Node() {
			t.Errorf("%q: the root is %q", src, d.Root().QName())
		}
	}
	for src, want := range map[string]error{
		"a</b>":                     ErrSyntax,
		"<a>":                       ErrSyntax,
		"<a/></a>":                  ErrSyntax,
		"a & b":                     ErrSyntax,
		"]]>":                       ErrSyntax,
		"<p:a/>":                    ErrNamespace,
		"a\x01":                     ErrSyntax,
		"<!X>":                      ErrSyntax,
		"<!DOCTYPE a><a/>":          ErrDoctype,
		"<?xml version='1.0'?><a/>": ErrSyntax,
		"<?xml version='1.0' encoding='UTF-8' standalone='yes'?><a/>": ErrSyntax,
		"<a/><?xml version='1.0' encoding='UTF-8'?>":                  ErrSyntax,
	} {
		if _, err := ParseFragment([]byte(src), Limits{}); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", src, err, want)
		}
	}
	if _, err := ParseFragment([]byte(strings.Repeat("<a>", 300)), Limits{}); !errors.Is(err, ErrLimit) {
		t.Errorf("300 elements within one another: %v", err)
	}
	if _, err := Parse([]byte("a<b/>"), Limits{}); !errors.Is(err, ErrSyntax) {
		t.Errorf("a document that follows a fragment is read like one: %v", err)
	}
}
