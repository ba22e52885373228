package audit

import (
	"bytes"
	"testing"

	"github.com/viadukt-eu/viadukt/node/audit/merkle"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

func FuzzParseEntry(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte(entryTitle + "type node-started\ntime 2026-05-04T09:30:00.000Z\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := Parse(b); err == nil && !bytes.Equal(e.Append(nil), b) {
			t.Errorf("%q is another entry", b)
		}
	})
}

func FuzzParseHead(f *testing.F) {
	w := newWorld(f, pki.Ed25519)
	h, err := w.log.Sign(ctx)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(h.Octets)
	f.Add((&Inclusion{3, 9, []merkle.Hash{{1}}}).Octets())
	f.Add((&Consistency{3, 9, []merkle.Hash{{1}}}).Octets())
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := ParseHead(b); err == nil && got.Verify(w.node.Certificate) == nil && !bytes.Equal(got.Octets, h.Octets) {
			t.Errorf("a head that was never signed: %q", b)
		}
		if p, err := ParseInclusion(b); err == nil && !bytes.Equal(p.Octets(), b) {
			t.Errorf("%q is another proof", b)
		}
		if p, err := ParseConsistency(b); err == nil && !bytes.Equal(p.Octets(), b) {
			t.Errorf("%q is another proof", b)
		}
	})
}

// FuzzVerify gives changed cases to who checks them. What is not the case that was made is never valid.
func FuzzVerify(f *testing.F) {
	w := newWorld(f, pki.Ed25519)
	whole := w.make(w.sent("a@b"), CaseOptions{})
	f.Add(whole, 0, []byte{})
	f.Add(whole, 100, []byte("PK\x03\x04"))
	f.Add(w.make(w.received("c@d", false), CaseOptions{MaxPayloads: -1}), 4000, []byte("<"))
	f.Add([]byte("PK\x05\x06"), 0, []byte{})
	f.Fuzz(func(t *testing.T, b []byte, at int, with []byte) {
		if at >= 0 && at <= len(b) {
			b = append(append(bytes.Clone(b[:at]), with...), b[min(len(b), at+len(with)):]...)
		}
		r, err := Verify(bytes.NewReader(b), int64(len(b)), VerifyOptions{Trust: pki.Bind([]*pki.Certificate{w.ca.Certificate}, pki.PurposeAccessPoint, pki.PurposeTime)})
		if err != nil {
			t.Fatal(err)
		}
		if r.Valid && !bytes.Equal(b, whole) && !bytes.Contains(b, []byte("c@d")) {
			t.Errorf("valid, and never made")
		}
	})
}

// FuzzForged gives whoever has the node's key a case whose parts were changed: every part is parsed, not only hashed.
func FuzzForged(f *testing.F) {
	w := newWorld(f, pki.Ed25519)
	b := w.make(w.sent("a@b"), CaseOptions{})
	names := []string{}
	w.forge(b, func(m *Manifest, files map[string][]byte) {
		for _, x := range m.Files {
			names = append(names, x.Name)
			f.Add(len(names)-1, files[x.Name])
		}
	})
	f.Fuzz(func(t *testing.T, i int, octets []byte) {
		if i < 0 || i >= len(names) || len(octets) > 1<<20 {
			return
		}
		mine := *w
		mine.t = t
		forged := mine.forge(b, func(m *Manifest, files map[string][]byte) { files[names[i]] = octets })
		if _, err := Verify(bytes.NewReader(forged), int64(len(forged)), VerifyOptions{Trust: pki.Bind([]*pki.Certificate{w.ca.Certificate}, pki.PurposeAccessPoint, pki.PurposeTime)}); err != nil {
			t.Fatal(err)
		}
	})
}
