package ades

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/ers"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
)

// counting counts the time-stamps that are made.
type counting struct {
	tsp.Stamper
	n int
}

func (c *counting) Stamp(ctx context.Context, h crypto.Hash, sum []byte) (*tsp.Token, error) {
	c.n++
	return c.Stamper.Stamp(ctx, h, sum)
}

// records are the time-stamps of evidence records, and whether all of them and what they are over hold.
func records(list []*validation.TimeStamp) (n int, good bool) {
	good = true
	for _, t := range list {
		if t.Record == "" {
			continue
		}
		n++
		good = good && t.Intact && t.ImprintIntact && !slices.ContainsFunc(t.References, func(r validation.Reference) bool { return !r.Intact })
	}
	return n, good && n > 0
}

// TestPreserve: signatures in every format that takes records outlive their certificate by one time-stamp for all; a record of another
// document proves nothing.
func TestPreserve(t *testing.T) {
	t.Parallel()
	t.Run("ASN.1", func(t *testing.T) { testPreserve(t, ers.ASN1) })
	t.Run("XML", func(t *testing.T) { testPreserve(t, ers.XML) })
}

func testPreserve(t *testing.T, x ers.Syntax) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	later := now.AddDate(1, 6, 0)
	judge := func(b []byte, opt gather.Options) (*gather.Result, *validation.Report) {
		t.Helper()
		r, err := gather.Open(b, opt)
		if err != nil {
			t.Fatal(err)
		}
		return r, validation.Validate(r.Facts, nil, later)[0]
	}
	var list []Signed
	var names []string
	for _, k := range kinds {
		p := k.params
		b, err := sign(t, w.signer, k.documents, withTime(p))
		if err != nil {
			t.Fatal(err)
		}
		s := Signed{Octets: b}
		if p.Packaging == Detached {
			s.Documents = k.documents
		}
		if p.Format == PAdES || p.Format == JAdES || x == ers.XML && p.Format == CAdES && p.Container != ASiCE {
			if _, err := Preserve(t.Context(), w.tsa, x, 0, []Signed{s}); !errors.Is(err, ErrParams) {
				t.Errorf("%s: %v", k.name, err)
			}
			continue
		}
		list, names = append(list, s), append(names, k.name)
	}
	stamper := &counting{Stamper: w.tsa}
	out, err := Preserve(t.Context(), stamper, x, crypto.SHA512, list)
	if err != nil {
		t.Fatal(err)
	}
	if stamper.n != 1 {
		t.Errorf("%d time-stamps for %d documents", stamper.n, len(list))
	}
	for i, b := range out {
		opt := w.known
		opt.Documents = list[i].Documents
		if _, v := judge(list[i].Octets, opt); v.Indication != validation.Indeterminate {
			t.Errorf("%s without a record: %s", names[i], v.Indication)
		}
		_, v := judge(b, opt)
		if n, good := records(v.Signature.TimeStamps); n != 1 || !good || v.Indication != validation.TotalPassed {
			t.Errorf("%s: %d, %v, %s %s: %s", names[i], n, good, v.Indication, v.Sub, v.Why)
		}
		// What is said of it later does not count for what it was made over.
		other := ers.XML - x
		if r, _ := gather.Open(b, opt); r.Format == "CAdES" || r.Format == "ASiC-S" {
			other = x
		}
		again, err := Preserve(t.Context(), w.tsa, other, 0, []Signed{{b, list[i].Documents}})
		if err != nil {
			t.Errorf("%s: a second time: %v", names[i], err)
			continue
		}
		if _, v := judge(again[0], opt); v.Indication != validation.TotalPassed {
			t.Errorf("%s with two records: %s %s", names[i], v.Indication, v.Why)
		} else if n, good := records(v.Signature.TimeStamps); n != 2 || !good {
			t.Errorf("%s: of two records %d, %v", names[i], n, good)
		}
	}
	// A record beside a document counts, too; that of another document does not.
	digest := func(b []byte) [][]byte {
		sum := sha256.Sum256(b)
		return [][]byte{sum[:]}
	}
	pair, err := ers.CreateEach(t.Context(), w.tsa, x, crypto.SHA256, [][][]byte{digest(list[3].Octets), digest([]byte("another"))})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.HasPrefix(list[3].Octets, []byte("<")) {
		t.Fatal("a document that is no XML is wanted")
	}
	for i, want := range []validation.Indication{validation.TotalPassed, validation.Indeterminate} {
		opt := w.known
		opt.Records = pair[i : i+1]
		_, v := judge(list[3].Octets, opt)
		if _, good := records(v.Signature.TimeStamps); v.Indication != want || good != (i == 0) {
			t.Errorf("with record %d beside it: %s, %v", i, v.Indication, good)
		}
	}
	broken := bytes.Replace(list[0].Octets, []byte("täglich"), []byte("taeglich"), 1)
	if _, err := Preserve(t.Context(), w.tsa, x, 0, []Signed{{Octets: broken}}); !errors.Is(err, ErrBroken) {
		t.Errorf("a broken signature: %v", err)
	}
	if _, err := Preserve(t.Context(), nil, x, 0, list[:1]); !errors.Is(err, ErrNoStamper) {
		t.Errorf("without an authority: %v", err)
	}
}

func withTime(p Params) Params {
	p.Time = now.Truncate(time.Second)
	return p
}
