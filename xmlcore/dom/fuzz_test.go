package dom

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// rewrite writes a document anew through Writer.
func rewrite(d *Document) []byte {
	w := NewWriter(nil)
	var write func(n Node)
	write = func(n Node) {
		switch n.Kind() {
		case ElementNode:
			var attrs []string
			for p, u := range n.Declared() {
				if p != "" {
					p = ":" + p
				}
				attrs = append(attrs, "xmlns"+p, u)
			}
			for a := range n.Attributes() {
				attrs = append(attrs, a.QName(), a.Text())
			}
			w.Start(n.QName(), attrs...)
			for c := range n.Children() {
				write(c)
			}
			w.End()
		case TextNode:
			w.Text(n.Text())
		case CommentNode:
			w.Raw([]byte("<!--" + n.Text() + "-->"))
		case PINode:
			w.Raw([]byte("<?" + n.Local() + " " + n.Text() + "?>"))
		}
	}
	for c := range d.Node().Children() {
		write(c)
	}
	return w.Bytes()
}

var fuzzLimits = Limits{Bytes: 1 << 16, Depth: 64, Nodes: 10_000, Attributes: 5000, AttributesPerElement: 100, NameBytes: 100}

func FuzzParse(f *testing.F) {
	seeds := []string{
		sample, billionLaughs, "<a" + attrs(40) + "/>", "\uFEFF<a/>",
		string(encode16(sample, true, true)), string(encode16(sample, false, true)),
		"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xE4</a>", "<?xml version='1.0' encoding='windows-1252'?><a>\x80\r\n</a>",
		"<p:a xmlns:p='u'><p:a xmlns:p='v' p:b='&lt;&#10;'><![CDATA[<]]>&amp;</p:a><!-- --><?p d?></p:a>",
		"<!DOCTYPE a [<!ENTITY e '<b c=\"1\">&f;</b>'><!ENTITY f 'g'><!ATTLIST a b ID ' x ' xmlns:p CDATA #FIXED '&f;'>]><a>&e;</a>",
		"<a xmlns='u' xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:id='x'>]]&gt;</a>",
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		keep := string(b)
		trusted := fuzzLimits
		trusted.InternalSubset = true
		if d, err := Parse(b, trusted); err == nil {
			checkArena(t, d)
		}
		if d, err := ParseFragment([]byte(keep), fuzzLimits); err == nil {
			checkArena(t, d)
			if src := string(d.Source()); !strings.HasPrefix(src, "<?xml") {
				wrapped, err := Parse([]byte("<w>"+src+"</w>"), Limits{})
				if err != nil || wrapped.Root().Text() != d.Node().Text() || wrapped.Len() != d.Len()+1 {
					t.Fatalf("a fragment means something else inside an element: %v", err)
				}
			}
		}
		d, err := Parse(b, fuzzLimits)
		if string(b) != keep {
			t.Fatal("the sender's octets were changed")
		}
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Err == nil || len(err.Error()) > 4096 {
				t.Fatalf("not a usable error: %v", err)
			}
			return
		}
		checkArena(t, d)
		for i := range d.Len() {
			d.At(i).Path()
			d.At(i).Pos()
		}
		again, err := Parse(rewrite(d), Limits{})
		if err != nil {
			t.Fatalf("own output is refused: %v\n%s", err, rewrite(d))
		}
		if dump(d) != dump(again) {
			t.Fatalf("own output means something else:\n%s\n%s", dump(d), dump(again))
		}
		if bytes.HasPrefix(d.Source(), []byte("<?xml")) {
			return // the declared encoding would confuse the other reader
		}
		// The standard library is laxer nearly everywhere, so what we accept it must accept.
		dec := xml.NewDecoder(bytes.NewReader(d.Source()))
		for {
			if _, err := dec.RawToken(); err == io.EOF {
				return
			} else if err != nil {
				if known(d.Source()) {
					return
				}
				t.Fatalf("encoding/xml refuses what we accept: %v", err)
			}
		}
	})
}

// known are well-formed constructs that encoding/xml refuses: names of the fifth edition that were no names in
// the fourth.
func known(src []byte) bool {
	return strings.ContainsFunc(string(src), func(r rune) bool { return r >= 0x80 })
}

func FuzzWriter(f *testing.F) {
	f.Add("text", "value")
	f.Add("\x00<&>\"'\t\r\n", "\xFF\uFFFE]]>")
	f.Fuzz(func(t *testing.T, text, value string) {
		w := NewWriter(nil)
		w.Element("a", text, "b", value)
		d, err := Parse(w.Bytes(), Limits{})
		if err != nil {
			t.Fatalf("%v: %q", err, w.Bytes())
		}
		clean := func(s string) string {
			return strings.Map(func(r rune) rune {
				if !isChar(r) {
					return '\uFFFD'
				}
				return r
			}, s)
		}
		if d.Root().Text() != clean(text) || d.Root().Attr("b") != clean(value) {
			t.Fatalf("%q and %q became %q and %q", text, value, d.Root().Text(), d.Root().Attr("b"))
		}
	})
}
