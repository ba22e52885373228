package invoice

import (
	"testing"

	"github.com/viadukt-eu/viadukt/edocument/rules"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// What can be read can be written in both syntaxes, and what was written is read as the same: twice, since the first
// time drops what no syntax carries. The rules judge it without a panic.
func FuzzRead(f *testing.F) {
	f.Add(small(UBL))
	f.Add(small(CII))
	f.Add([]byte(`<Invoice xmlns="` + nsInvoice + `"/>`))
	f.Add([]byte(`<rsm:CrossIndustryInvoice xmlns:rsm="` + nsRSM + `"/>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := dom.Parse(b, dom.Limits{Bytes: 1 << 16, Depth: 64})
		if err != nil {
			return
		}
		i, err := Read(d)
		if err != nil {
			return
		}
		if _, err := rules.Validate(d, rules.Options{}); err != nil {
			t.Fatal(err)
		}
		for _, write := range []func(*Invoice) []byte{(*Invoice).UBL, (*Invoice).CII} {
			once := read(t, write(i))
			if same, difference := once.Equal(read(t, write(once))); !same {
				t.Fatalf("%s\n%s", difference, write(once))
			}
		}
	})
}
