package audit

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

func TestACaseProvesItself(t *testing.T) {
	t.Parallel()
	for _, alg := range []pki.KeyAlgorithm{pki.RSA2048, pki.P256, pki.Ed25519} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, alg)
			if _, err := w.log.Sign(ctx); err != nil {
				t.Fatal(err)
			}
			for name, id := range map[string]int64{"sent": w.sent("a@b"), "received": w.received("c@d", false), "received from another program": w.received("e@f", true)} {
				r := w.verify(w.make(id, CaseOptions{}))
				if !r.Valid || !r.Trusted {
					t.Errorf("%s:\n%s", name, r.text())
				}
				want := []string{"files", "cover sheet", "cover sheet: certificate", "head of the log", "head of the log: certificate", "message", "message: certificate", "message: record",
					"payload 1", "payload 2", "payload 2: record", "receipt", "receipt: certificate", "receipt: digests", "receipt: record"}
				if name == "sent" {
					want = append(want, "error", "error: certificate", "error: record", "payload 1: record")
				}
				for _, step := range want {
					if !r.has(step, Proven) {
						t.Errorf("%s: %q is not proven:\n%s", name, step, r.text())
					}
				}
			}
		})
	}
}

func TestACaseShowsThatOneHeadContinuesTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	id := w.sent("a@b")
	if _, err := w.log.Sign(ctx); err != nil { // soon after it happened
		t.Fatal(err)
	}
	w.write(func(tx store.Tx) error { return tx.DeletePayloads(id) })
	r := w.verify(w.make(id, CaseOptions{}))
	if !r.Valid || !r.has("first head", Proven) || !r.has("consistency", Proven) || !r.has("payload 1", Unsettled) {
		t.Errorf("\n%s", r.text())
	}
}

// TestAHeadOfAClockThatWasAheadProvesNothing once the clock is right again: another one is signed, and cases keep to it.
func TestAHeadOfAClockThatWasAheadProvesNothing(t *testing.T) {
	t.Parallel()
	const ahead = 100 * 365 * 24 * time.Hour // no certificate lasts as long
	for name, more := range map[string]bool{"nothing was added since": false, "an entry was added since": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, pki.Ed25519)
			id := w.sent("a@b")
			w.later(ahead)
			if _, err := w.log.Sign(ctx); err != nil {
				t.Fatal(err)
			}
			w.later(-ahead)
			if more {
				w.write(func(tx store.Tx) error { return tx.DeletePayloads(id) })
			}
			if r := w.verify(w.make(id, CaseOptions{})); !r.Valid || !r.Trusted {
				t.Errorf("\n%s", r.text())
			}
		})
	}
}

func TestADeletedMessageLeavesASignedNote(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	id := w.sent("a@b")
	evidence, err := w.store.Evidence(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Write(store.WithActor(ctx, "retention"), func(tx store.Tx) error { return tx.Delete(id) }); err != nil {
		t.Fatal(err)
	}
	r := w.verify(w.make(id, CaseOptions{}))
	if !r.Valid || !r.Trusted || !r.has("message", Unsettled) {
		t.Errorf("\n%s", r.text())
	}
	note := r.Entries[len(r.Entries)-1]
	if note.Type != MessageDeleted || note.Actor != "retention" || note.MessageID != "a@b" {
		t.Errorf("%+v", note)
	}
	for _, e := range evidence { // who still has the receipt can prove that it is the one
		if !note.Object(string(e.Kind), e.SHA256) {
			t.Errorf("the note does not name the %s", e.Kind)
		}
	}
}

func TestACaseOfAnUnknownMessageIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	err := w.log.WriteCase(ctx, io.Discard, w.store, 4711, CaseOptions{})
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestPayloadsMayBeLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	id := w.sent("a@b")
	for most, names := range map[int64]int{-1: 0, 500: 2, 200: 1} {
		r := w.verify(w.make(id, CaseOptions{MaxPayloads: most}))
		n := 0
		for _, f := range r.Manifest.Files {
			if f.Role == RolePayload {
				n++
			}
		}
		if !r.Valid || n != names || len(r.Manifest.Missing) != 2-names {
			t.Errorf("at most %d octets: %d payloads, want %d\n%s", most, n, names, r.text())
		}
	}
}

func TestEveryZipProgramReadsACase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	b := w.make(w.sent("a@b"), CaseOptions{})
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if z.File[0].Name != "README.txt" || len(z.File) < 15 {
		t.Errorf("%d files, the first is %s", len(z.File), z.File[0].Name)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		r.Close()
	}
}

func TestTrustIsAskedOfWhoChecks(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t, pki.Ed25519), newWorld(t, pki.Ed25519)
	b := w.make(w.sent("a@b"), CaseOptions{})
	for _, c := range []struct {
		name           string
		trust          []*pki.Certificate
		valid, trusted bool
	}{
		{"the authority", []*pki.Certificate{w.ca.Certificate}, true, true},
		{"the two access points themselves", []*pki.Certificate{w.node.Certificate, w.partner.Certificate}, true, true},
		{"nobody", nil, true, false},
		{"another authority", []*pki.Certificate{other.ca.Certificate}, false, false},
		{"one of the two", []*pki.Certificate{w.node.Certificate}, false, false},
	} {
		if r := verify(t, b, c.trust...); r.Valid != c.valid || r.Trusted != c.trusted {
			t.Errorf("%s: valid %t, trusted %t\n%s", c.name, r.Valid, r.Trusted, r.text())
		}
	}
}

func TestCertificatesAreJudgedAtTheTimeOfSigning(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	id := w.sent("a@b")
	list := func(at int) []byte {
		t.Helper()
		b, err := w.ca.CRL([]*pki.Certificate{w.partner.Certificate}, start.AddDate(0, 0, at))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if r := w.verify(w.make(id, CaseOptions{CRLs: [][]byte{list(2)}})); !r.Valid {
		t.Errorf("revoked two days later:\n%s", r.text())
	}
	if r := w.verify(w.make(id, CaseOptions{CRLs: [][]byte{list(-2)}})); r.Valid || !r.has("receipt: certificate", Failed) {
		t.Errorf("revoked two days before:\n%s", r.text())
	}
	expired, err := w.ca.Issue(pki.Template{CommonName: "late", Algorithm: pki.Ed25519, NotAfter: start.AddDate(0, 0, -1)})
	if err != nil {
		t.Fatal(err)
	}
	w.partner = expired
	if r := w.verify(w.make(w.sent("e@f"), CaseOptions{})); r.Valid || !r.has("receipt: certificate", Failed) {
		t.Errorf("signed after expiry:\n%s", r.text())
	}
}

func TestAChangeOfTheNodesKeyIsFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	id := w.sent("a@b")
	if _, err := w.log.Sign(ctx); err != nil {
		t.Fatal(err)
	}
	w.node = w.issue("node", pki.P256)
	r := w.verify(w.make(id, CaseOptions{}))
	if !r.Valid || !r.Trusted {
		t.Errorf("\n%s", r.text())
	}
	w.write(func(tx store.Tx) error { return tx.DeletePayloads(id) }) // a head by the new key continues one by the old
	w.node = w.issue("node", pki.RSA2048)
	if r = w.verify(w.make(id, CaseOptions{})); !r.Valid || !r.has("consistency", Proven) {
		t.Errorf("\n%s", r.text())
	}
}
