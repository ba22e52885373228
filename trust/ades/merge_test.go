package ades

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// Containers of one type become one, in which all signatures hold and say what they cover.
func TestContainersAreMerged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	note, other := xades.Bytes("note.txt", "", []byte("note")), xades.Bytes("note.txt", "", []byte("another note"))
	for _, c := range []struct {
		name          string
		params        Params
		first, second []xades.Document
		files         int // of the whole; 0: they are not merged
		partly        int // signatures that do not cover all of them
	}{
		{"XAdES over other files", Params{Format: XAdES, Container: ASiCE}, []xades.Document{order, note}, []xades.Document{plan, note}, 3, 2},
		{"XAdES over the same", Params{Format: XAdES, Container: ASiCE}, []xades.Document{order}, []xades.Document{order}, 1, 0},
		{"CAdES over the same", Params{Format: CAdES, Container: ASiCE}, []xades.Document{order, note}, []xades.Document{order, note}, 2, 0},
		{"CAdES over other files", Params{Format: CAdES, Container: ASiCE}, []xades.Document{order}, []xades.Document{note}, 0, 0},
		{"two files of one name", Params{Format: XAdES, Container: ASiCE}, []xades.Document{note}, []xades.Document{other}, 0, 0},
		{"XAdES over one file", Params{Format: XAdES, Container: ASiCS}, []xades.Document{note}, []xades.Document{note}, 1, 0},
		{"CAdES over one file", Params{Format: CAdES, Container: ASiCS}, []xades.Document{note}, []xades.Document{note}, 1, 0},
		{"each over its one file", Params{Format: CAdES, Container: ASiCS}, []xades.Document{note}, []xades.Document{other}, 0, 0},
	} {
		var boxes []*asic.Container
		for i, documents := range [][]xades.Document{c.first, c.second} {
			p := c.params
			p.Time = now.Add(time.Duration(i) * time.Minute)
			b, err := sign(t, w.signer, documents, p)
			if err != nil {
				t.Fatal(err)
			}
			box, err := asic.Open(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			boxes = append(boxes, box)
		}
		var out bytes.Buffer
		if err := Merge(&out, boxes...); err != nil || c.files == 0 {
			if c.files > 0 || !errors.Is(err, ErrParams) || out.Len() > 0 {
				t.Errorf("%s: %v, %d octets written", c.name, err, out.Len())
			}
			continue
		}
		r, err := gather.Open(out.Bytes(), w.known)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		all := validation.Validate(r.Facts, nil, now.Add(time.Hour))
		partly := 0
		for _, v := range all {
			if v.Indication != validation.TotalPassed {
				t.Errorf("%s: %s %s", c.name, v.Sub, v.Why)
			}
			if len(v.Signature.Uncovered) > 0 {
				partly++
			}
		}
		if len(r.Container.Data()) != c.files || len(all) != 2 || partly != c.partly {
			t.Errorf("%s: %d files, %d signatures, %d cover not all", c.name, len(r.Container.Data()), len(all), partly)
		}
	}
	if err := Merge(&bytes.Buffer{}); !errors.Is(err, ErrParams) {
		t.Errorf("nothing: %v", err)
	}
}
