package c14n

import (
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func FuzzWrite(f *testing.F) {
	for _, s := range []string{
		`<?p?><!--c--><a xmlns="urn:u" xmlns:p="urn:p" p:x="&#13;" b='"'><p:b xmlns="" xml:lang="de">1<![CDATA[>]]></p:b><c xml:base="../x"/></a><!--d-->`,
		signedInfo,
		`<a xml:base="http://x/y/"><b xml:base="z/" xml:id="i"><p:c xmlns:p="urn:1"><p:d xmlns:p="urn:2" p:e=""/></p:c></b></a>`,
		`<p:a xmlns:p="urn:1" xmlns="urn:d"><b xmlns=""><p:c xmlns="urn:d"/></b></p:a>`,
	} {
		f.Add([]byte(s), uint16(3), uint16(5), "p #default")
	}
	f.Fuzz(func(t *testing.T, src []byte, apex, except uint16, prefix string) {
		d, err := dom.Parse(src, dom.Limits{Bytes: 1 << 14, Depth: 64, AttributesPerElement: 50})
		if err != nil {
			return
		}
		top := d.At(int(apex) % d.Len())
		if top.Kind() == dom.AttributeNode {
			top = top.Parent()
		}
		for _, a := range algorithms {
			m := Method{Algorithm: a, InclusivePrefixes: []string{prefix, "#default", "p"}}
			checkProperties(t, d, m, top)
			if e := d.At(int(except) % d.Len()); e.Kind() != dom.AttributeNode {
				checkProperties(t, d, m, top, e)
			}
		}
	})
}

func FuzzJoinReferences(f *testing.F) {
	f.Add("http://x/a/b?q#f", "../c")
	f.Add("../..", "..")
	f.Add("./A:.", "#")
	f.Fuzz(func(t *testing.T, base, ref string) {
		joined := joinReferences(base, ref)
		if again := joinReferences("", joined); again != joined {
			t.Fatalf("%q and %q give %q, which reduces to %q", base, ref, joined, again)
		}
	})
}
