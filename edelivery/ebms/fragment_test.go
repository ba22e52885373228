package ebms

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func wholeFragment() *Fragment {
	return &Fragment{
		Href: "cid:f2@a.example", GroupID: "m1@a.example", Num: 2, Count: 3, MessageSize: 52_428_900, Action: "urn:a",
		Header:      &FragmentHeader{ContentType: "Multipart/Related", Boundary: "b1", Type: "application/soap+xml", Start: "root", StartInfo: "application/soap+xml", Description: "d"},
		Compression: FragmentGzip, CompressedSize: 7_000, ID: "frag-1",
	}
}

// TestFragmentIsWrittenAsItIsSigned: the octets are their own canonical form, and say the same when they are read.
func TestFragmentIsWrittenAsItIsSigned(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*Fragment{"all there is": wholeFragment(), "the least": {Href: "cid:x", GroupID: "g", Num: 1}} {
		w := dom.NewWriter(nil)
		f.Append(w)
		doc, err := dom.Parse([]byte(string(w.Bytes())), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		canonical, err := c14n.Append(nil, c14n.Method{Algorithm: c14n.Exclusive10}, doc.Root())
		if err != nil || string(canonical) != string(w.Bytes()) {
			t.Errorf("%s: %v\n%s\n%s", name, err, w.Bytes(), canonical)
		}
		got, err := ParseFragment(doc.Root())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got.Node = dom.Node{}
		if d := cmp.Diff(f, got, cmp.AllowUnexported(dom.Node{})); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

const fragmentXML = `<mf:MessageFragment xmlns:mf="` + NSFragment + `" xmlns:S12="` + NSSOAP + `" href="cid:fragment1" S12:mustUnderstand="true"><mf:GroupId>g</mf:GroupId><mf:MessageSize>10</mf:MessageSize><mf:FragmentCount>2</mf:FragmentCount><mf:FragmentNum>1</mf:FragmentNum><mf:MessageHeader><mf:Content-Type>Multipart/Related</mf:Content-Type><mf:Boundary>b</mf:Boundary><mf:Type>text/xml</mf:Type><mf:Start>s</mf:Start></mf:MessageHeader><mf:Action/><mf:CompressionAlgorithm>application/gzip</mf:CompressionAlgorithm><mf:CompressedMessageSize>5</mf:CompressedMessageSize></mf:MessageFragment>`

var fragmentCases = []struct {
	name, old, new string
	want           Code // "" accepted
}{
	{"as Domibus writes it, with an empty action", "", "", ""},
	{"the short name of gzip", "application/gzip", "gzip", ""},
	{"angle brackets around the start", ">s<", ">&lt;s><", ""},
	{"no count", "<mf:FragmentCount>2</mf:FragmentCount>", "", ""},
	{"no group", "<mf:GroupId>g</mf:GroupId>", "", BadFragmentGroup},
	{"an empty group", ">g<", "> <", BadFragmentGroup},
	{"a group that is not ASCII", ">g<", ">ü<", BadFragmentGroup},
	{"number zero", ">1</mf:FragmentNum>", ">0</mf:FragmentNum>", BadFragmentNum},
	{"no number", "<mf:FragmentNum>1</mf:FragmentNum>", "", BadFragmentNum},
	{"a number above the count", ">1</mf:FragmentNum>", ">3</mf:FragmentNum>", BadFragmentNum},
	{"a number that is none", ">1</mf:FragmentNum>", ">one</mf:FragmentNum>", BadFragmentNum},
	{"a count below zero", ">2</mf:FragmentCount>", ">-2</mf:FragmentCount>", BadFragmentCount},
	{"a count beyond all measure", ">2</mf:FragmentCount>", ">4000000000</mf:FragmentCount>", BadFragmentCount},
	{"a size that is none", ">10<", ">1e9<", BadFragmentStructure},
	{"the wrong order", "<mf:GroupId>g</mf:GroupId><mf:MessageSize>10</mf:MessageSize>", "<mf:MessageSize>10</mf:MessageSize><mf:GroupId>g</mf:GroupId>", BadFragmentStructure},
	{"a group twice", "<mf:GroupId>g</mf:GroupId>", "<mf:GroupId>g</mf:GroupId><mf:GroupId>h</mf:GroupId>", BadFragmentStructure},
	{"an element of its own", "<mf:Action/>", "<mf:Fuel/>", BadFragmentStructure},
	{"a reference that is no attachment", "cid:fragment1", "https://elsewhere.example/f", BadFragmentStructure},
	{"no reference", `href="cid:fragment1" `, "", BadFragmentStructure},
	{"another compression", "application/gzip", "br", BadFragmentStructure},
	{"a whole that is no multipart", "Multipart/Related", "text/plain", BadFragmentStructure},
	{"no boundary", "<mf:Boundary>b</mf:Boundary>", "", BadFragmentStructure},
	{"a boundary with a line break", ">b<", ">b&#13;&#10;X: y<", BadFragmentStructure},
	{"a header that says something twice", "<mf:Boundary>b</mf:Boundary>", "<mf:Boundary>b</mf:Boundary><mf:Boundary>c</mf:Boundary>", BadFragmentStructure},
	{"a header with something else", "<mf:Boundary>b</mf:Boundary>", "<mf:Boundary>b</mf:Boundary><mf:Date>c</mf:Date>", BadFragmentStructure},
	{"a group without end", ">g<", ">" + strings.Repeat("g", 2000) + "<", BadFragmentStructure},
}

func TestParseFragment(t *testing.T) {
	t.Parallel()
	for _, c := range fragmentCases {
		if !strings.Contains(fragmentXML, c.old) {
			t.Fatalf("%s: nothing to replace", c.name)
		}
		doc, err := dom.Parse([]byte(strings.Replace(fragmentXML, c.old, c.new, 1)), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := ParseFragment(doc.Root())
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want == "":
			if f.Num != 1 || f.Header.Start != "s" || f.Action != "" || f.CompressedSize != 5 || f.Header.MediaType() != `multipart/related; type="application/soap+xml"; boundary="b"; start="<s>"` {
				t.Errorf("%s: %+v %s", c.name, f, f.Header.MediaType())
			}
		case !errors.Is(err, c.want):
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

// FuzzFragment: what is taken can be written, and then says the same.
func FuzzFragment(f *testing.F) {
	for _, c := range fragmentCases {
		f.Add([]byte(strings.Replace(fragmentXML, c.old, c.new, 1)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := dom.Parse(b, dom.Limits{Bytes: 1 << 16, Depth: 32})
		if err != nil {
			return
		}
		x, err := ParseFragment(doc.Root())
		if err != nil {
			if e := (*Error)(nil); !errors.As(err, &e) {
				t.Fatalf("%v", err)
			}
			return
		}
		x.Node = dom.Node{}
		w := dom.NewWriter(nil)
		x.Append(w)
		doc, err = dom.Parse(w.Bytes(), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseFragment(doc.Root())
		if err != nil {
			t.Fatal(err)
		}
		again.Node = dom.Node{}
		if d := cmp.Diff(x, again, cmp.AllowUnexported(dom.Node{})); d != "" {
			t.Fatal(d)
		}
	})
}
