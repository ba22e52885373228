package cades

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is an authority with a signer below it and a time-stamping unit.
type world struct {
	root, sub *pki.Authority
	signer    *pki.Identity
	stamper   *tsp.Responder
	hour      int
}

var theWorld = sync.OnceValue(func() world {
	root, err := pki.NewAuthority(rand.Reader, "CN=Test Root,O=Tests,C=EU", pki.P256, now.AddDate(-1, 0, 0), 20)
	if err != nil {
		panic(err)
	}
	sub, err := root.Sub("CN=Test CA,O=Tests,C=EU", pki.P256, now.AddDate(-1, 0, 0), 10)
	if err != nil {
		panic(err)
	}
	signer, err := sub.Issue(pki.Template{Subject: "CN=Signer,C=EU", Algorithm: pki.RSA2048, KeyUsage: pki.UseContentCommitment})
	if err != nil {
		panic(err)
	}
	unit, err := sub.Issue(pki.Template{Subject: "CN=Unit,C=EU", KeyUsage: pki.UseDigitalSignature,
		Extensions: []pki.Extension{{ID: "2.5.29.37", Critical: true, Value: []byte("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x08")}}})
	if err != nil {
		panic(err)
	}
	return world{root: root, sub: sub, signer: signer, stamper: &tsp.Responder{Identity: unit, Policy: "1.3.6.1.4.1.99999.1"}}
})

// newWorld has a clock of its own, an hour later for each time-stamp.
func newWorld() *world {
	w := theWorld()
	r := *w.stamper
	w.stamper = &r
	r.Clock = func() (time.Time, error) {
		w.hour++
		return now.Add(time.Duration(w.hour) * time.Hour), nil
	}
	return &w
}

func (w *world) extension(content cms.Content) Extension {
	return Extension{Stamper: w.stamper, Content: content, Collect: func(_ context.Context, certs, known []*pki.Certificate) (Material, error) {
		m := Material{Certificates: []*pki.Certificate{w.sub.Certificate, w.root.Certificate}}
		for _, a := range []*pki.Authority{w.sub, w.root} {
			crl, err := a.CRL(nil, now.Add(time.Duration(w.hour)*time.Hour))
			if err != nil {
				return m, err
			}
			m.CRLs = append(m.CRLs, crl)
		}
		return m, nil
	}}
}

func parameters() Parameters {
	sum := sha256.Sum256([]byte("policy"))
	return Parameters{
		SigningTime: now,
		Policy: &Policy{ID: "1.2.3.4.5", HashOID: pki.OIDByHash(crypto.SHA256), Digest: sum[:], URI: "https://policy.example/p",
			Notice: "Schriftlich vereinbart", Specification: "1.2.3.4.6"},
		Commitments: []Commitment{{ID: ProofOfApproval}, {ID: ProofOfOrigin}},
		Location:    &Location{Country: "AT", Locality: "Sankt Pölten", Postal: []string{"Rathausplatz 1", "3100"}},
		Claimed:     []ClaimedAttribute{{Type: RoleAttribute, Values: []string{"Clerk", "Notary public"}}},
		MimeType:    "text/plain",
		Identifier:  []byte("file 4711"),
	}
}

func reread(t testing.TB, s *Signature) *Signature {
	t.Helper()
	b, err := s.Message.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	list, err := Parse(bytes.Clone(b))
	if err != nil || len(list) == 0 {
		t.Fatal(len(list), err)
	}
	return list[0]
}

func TestWhatIsSaidIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := parameters()
	tok, err := StampContent(t.Context(), w.stamper, crypto.SHA256, cms.Bytes([]byte("content")))
	if err != nil {
		t.Fatal(err)
	}
	p.TimeStamps = []*tsp.Token{tok}
	s, err := Sign(nil, w.signer, []byte("content"), false, p)
	if err != nil {
		t.Fatal(err)
	}
	r := reread(t, s)
	if len(r.Problems) > 0 {
		t.Error(r.Problems)
	}
	if err := r.Verify(nil).Err(); err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]any{
		"policy": {r.Policy, p.Policy}, "location": {r.Location, p.Location}, "claimed": {r.Claimed, p.Claimed},
		"type": {r.MimeType, p.MimeType}, "identifier": {r.Identifier, p.Identifier}, "time": {r.SigningTime, p.SigningTime},
	} {
		if d := cmp.Diff(pair[1], pair[0]); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if len(r.Commitments) != 2 || r.Level() != LevelB {
		t.Errorf("%d commitments, level %s", len(r.Commitments), r.Level())
	}
	if len(r.TimeStamps) != 1 || r.TimeStamps[0].Kind != ContentTimeStamp || r.TimeStamps[0].Check(nil).Err() != nil {
		t.Error("content time-stamp")
	}
	if !errors.Is(r.TimeStamps[0].Check(cms.Bytes([]byte("another"))).Err(), ErrImprint) {
		t.Error("the content time-stamp is for any content")
	}
}

func TestParametersThatContradict(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for name, p := range map[string]Parameters{
		"no signing-time":             {},
		"a signing-time in PDF":       {SigningTime: now, PDF: true},
		"mime-type and content-hints": {SigningTime: now, MimeType: "a/b", Hints: &ContentHints{Type: cms.ContentData}},
		"an identifier that is none":  {SigningTime: now, Commitments: []Commitment{{ID: "x"}}},
		"a policy without identifier": {SigningTime: now, Policy: &Policy{}},
	} {
		if _, err := Sign(nil, w.signer, nil, false, p); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
	if s, err := Sign(nil, w.signer, nil, true, Parameters{PDF: true}); err != nil || !s.SigningTime.IsZero() {
		t.Errorf("PDF: %v", err)
	}
	s, err := Sign(nil, w.signer, nil, false, Parameters{SigningTime: now, Policy: &Policy{Implied: true}, Hints: &ContentHints{"letter", cms.ContentData}})
	if err != nil {
		t.Fatal(err)
	}
	if r := reread(t, s); !r.Policy.Implied || *r.Hints != (ContentHints{"letter", cms.ContentData}) {
		t.Errorf("%+v %+v", r.Policy, r.Hints)
	}
}

// TestEveryLevel extends step by step; after each, all that was there has its octets, and all holds.
func TestEveryLevel(t *testing.T) {
	t.Parallel()
	for _, detached := range []bool{false, true} {
		w := newWorld()
		content := []byte("content of some length")
		s, err := Sign(nil, w.signer, content, detached, Parameters{SigningTime: now})
		if err != nil {
			t.Fatal(err)
		}
		var given cms.Content
		if detached {
			given = cms.Bytes(content)
		}
		var kept [][]byte
		for i, step := range []struct {
			to     Level
			stamps int
		}{{LevelT, 1}, {LevelT, 1}, {LevelLT, 1}, {LTA, 2}, {LTA, 3}, {LTA, 4}} {
			s = reread(t, s)
			if err := s.Extend(t.Context(), step.to, w.extension(given)); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
			s = reread(t, s)
			if got := s.Level(); got != step.to {
				t.Errorf("step %d: level %s, want %s", i, got, step.to)
			}
			if err := s.Verify(given).Err(); err != nil {
				t.Errorf("step %d: %v", i, err)
			}
			if len(s.TimeStamps) != step.stamps {
				t.Fatalf("step %d: %d time-stamps", i, len(s.TimeStamps))
			}
			for j, x := range s.TimeStamps {
				f := x.Check(given)
				if f.Err() != nil || f.Usage != nil {
					t.Errorf("step %d: time-stamp %d: %v %v", i, j, f.Err(), f.Usage)
				}
				if j == 0 {
					if !f.Covers.Signature || f.Covers.Content {
						t.Errorf("signature time-stamp covers %+v", f.Covers)
					}
					continue
				}
				c := f.Covers
				if !c.Content || !c.Signature || c.LostCertificates+c.LostRevocation+c.LostAttributes != 0 || c.AttributesPartly ||
					len(c.Certificates) == 0 || len(c.Revocation) == 0 || len(c.Attributes) != j {
					t.Errorf("archive time-stamp %d of %d covers %+v", j, len(s.TimeStamps)-1, c)
				}
			}
			for j, raw := range kept {
				if !bytes.Equal(raw, s.Signer.Unsigned[j].Raw) {
					t.Errorf("step %d: attribute %d changed", i, j)
				}
			}
			kept = kept[:0]
			for _, a := range s.Signer.Unsigned {
				kept = append(kept, a.Raw)
			}
		}
		if detached {
			last := s.TimeStamps[3]
			if err := last.Check(cms.Digests{crypto.SHA256: sum(content)}).Err(); err != nil {
				t.Errorf("by its digest alone: %v", err)
			}
			if err := last.Check(nil).Err(); !errors.Is(err, cms.ErrContent) {
				t.Errorf("without content: %v", err)
			}
			if err := last.Check(cms.Bytes([]byte("another"))).Err(); !errors.Is(err, ErrImprint) {
				t.Errorf("with another content: %v", err)
			}
		}
	}
}

func sum(b []byte) []byte {
	s := sha256.Sum256(b)
	return s[:]
}

// TestArchiveTimeStampNotices what is taken away or put in place of something that was covered.
func TestArchiveTimeStampNotices(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s, err := Sign(nil, w.signer, []byte("content"), false, Parameters{SigningTime: now})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Extend(t.Context(), LTA, w.extension(nil)); err != nil {
		t.Fatal(err)
	}
	b, err := s.Message.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	fresh := func() *Signature {
		list, err := Parse(bytes.Clone(b))
		if err != nil {
			t.Fatal(err)
		}
		return list[0]
	}
	archive := func(s *Signature) *TimeStampFacts { return reread(t, s).TimeStamps[1].Check(nil) }

	x := fresh() // one certificate less
	x.Message.Certificates = slices.Delete(x.Message.Certificates, 0, 1)
	x.Message.AddCertificates(w.stamper.Identity.Certificate)
	if f := archive(x); f.Covers.LostCertificates != 1 {
		t.Errorf("a certificate less: %+v", f.Covers)
	}
	x = fresh() // another signature time-stamp
	tok, err := w.stamper.Stamp(t.Context(), crypto.SHA256, sum(x.Signer.Signature))
	if err != nil {
		t.Fatal(err)
	}
	a, err := cms.NewAttribute(AttrSignatureTimeStamp, tok.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Signer.ReplaceUnsigned(0, a); err != nil {
		t.Fatal(err)
	}
	if f := archive(x); f.Err() != nil || f.Covers.LostAttributes != 1 || len(f.Covers.Attributes) != 0 {
		t.Errorf("another time-stamp: %v %+v", f.Err(), f.Covers)
	}
	x = fresh() // a certificate more is not covered, and does no harm
	x.Message.AddCertificates(w.stamper.Identity.Certificate)
	x.Message.AddCRL([]byte{0x30, 0})
	if f := archive(x); f.Err() != nil || slices.Contains(f.Covers.Revocation, len(x.Message.Revocation)-1) {
		t.Errorf("more: %v %+v", f.Err(), f.Covers)
	}
	x = fresh() // another hash index
	m := x.TimeStamps[1].Token.Message
	for i, u := range m.Signers[0].Unsigned {
		if u.Type == AttrHashIndexV3 {
			v := bytes.Clone(u.Values[0])
			v[len(v)-1] ^= 1
			ch, err := cms.NewAttribute(AttrHashIndexV3, v)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Signers[0].ReplaceUnsigned(i, ch); err != nil {
				t.Fatal(err)
			}
		}
	}
	raw, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if a, err = cms.NewAttribute(AttrArchiveTimeStampV3, raw); err != nil {
		t.Fatal(err)
	}
	if err := x.Signer.ReplaceUnsigned(1, a); err != nil {
		t.Fatal(err)
	}
	if f := archive(x); !errors.Is(f.Err(), ErrImprint) {
		t.Errorf("another index: %v", f.Err())
	}
}

func TestSeveralSigners(t *testing.T) {
	t.Parallel()
	w := newWorld()
	second, err := w.sub.Issue(pki.Template{Subject: "CN=Second,C=EU", Algorithm: pki.P384})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Sign(nil, w.signer, []byte("content"), false, Parameters{SigningTime: now})
	if err != nil {
		t.Fatal(err)
	}
	q, err := Prepare(s.Message.Content(), Parameters{Certificate: second.Certificate, Hash: crypto.SHA384, SigningTime: now})
	if err != nil {
		t.Fatal(err)
	}
	value, err := second.Key.(crypto.Signer).Sign(rand.Reader, q.Digest(), crypto.SHA384) // elsewhere
	if err != nil {
		t.Fatal(err)
	}
	signer, err := q.Complete(value)
	if err != nil {
		t.Fatal(err)
	}
	q.Add(s.Message, signer)
	q, err = PrepareCounter(s, Parameters{Certificate: second.Certificate, Hash: crypto.SHA384, SigningTime: now})
	if err != nil {
		t.Fatal(err)
	}
	counter, err := q.Sign(nil, second.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.AddCounter(s, counter); err != nil {
		t.Fatal(err)
	}
	b, err := s.Message.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	list, err := Parse(b)
	if err != nil || len(list) != 2 {
		t.Fatal(len(list), err)
	}
	n := 0
	for _, x := range all(list) {
		n++
		if err := x.Verify(nil).Err(); err != nil || x.Level() != LevelB {
			t.Errorf("%v %s", err, x.Level())
		}
		if x.Parent != nil && !errors.Is(x.Extend(t.Context(), LevelT, w.extension(nil)), ErrLevel) {
			t.Error("a counter-signature was extended")
		}
	}
	if n != 3 {
		t.Errorf("%d signatures", n)
	}
	for _, x := range list { // both in one message, one after the other
		if err := x.Extend(t.Context(), LTA, w.extension(nil)); err != nil {
			t.Fatal(err)
		}
	}
	if b, err = list[0].Message.Bytes(); err != nil {
		t.Fatal(err)
	}
	if list, err = Parse(b); err != nil {
		t.Fatal(err)
	}
	for i, x := range list {
		for j, s := range x.TimeStamps {
			if f := s.Check(nil); f.Err() != nil || f.Covers.LostCertificates+f.Covers.LostRevocation+f.Covers.LostAttributes > 0 {
				t.Errorf("signature %d, time-stamp %d: %v %+v", i, j, f.Err(), f.Covers)
			}
		}
	}
}

func TestCoveredIsNotTouched(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for attr, want := range map[pki.OID]error{
		AttrArchiveTimeStampV2: cms.ErrCovered, AttrInternalEvidence: cms.ErrCovered, AttrCertificateRefs: ErrLevel,
	} {
		s, err := Sign(nil, w.signer, []byte("content"), false, Parameters{SigningTime: now})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.addUnsigned(attr, []byte{0x30, 0}); err != nil {
			t.Fatal(err)
		}
		if err := s.Extend(t.Context(), LTA, w.extension(nil)); !errors.Is(err, want) {
			t.Errorf("%s: %v", attr, err)
		}
	}
}

// TestLargeFile extends a message in a file without holding its content.
func TestLargeFile(t *testing.T) {
	t.Parallel()
	w := newWorld()
	content := bytes.Repeat([]byte("large "), 1<<20)
	path := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := cms.NewFile(cms.ContentData, f, int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	q, err := Prepare(m.Content(), Parameters{Certificate: w.signer.Certificate, Chain: w.signer.Chain, SigningTime: now})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := q.Sign(nil, w.signer.Key)
	if err != nil {
		t.Fatal(err)
	}
	q.Add(m, signer)
	if err := Read(m)[0].Extend(t.Context(), LTA, w.extension(nil)); err != nil {
		t.Fatal(err)
	}
	b, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	o, err := cms.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	s := Read(o)[0]
	if err := s.Verify(nil).Err(); err != nil || s.Level() != LTA || s.TimeStamps[1].Check(nil).Err() != nil {
		t.Errorf("%v, level %s", err, s.Level())
	}
}

func TestOpenSSLReadsLTA(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	w := newWorld()
	s, err := Sign(nil, w.signer, []byte("content"), false, parameters())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Extend(t.Context(), LTA, w.extension(nil)); err != nil {
		t.Fatal(err)
	}
	b, err := s.Message.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "m"), b, 0o600), os.WriteFile(filepath.Join(dir, "root"), pki.MarshalPEM(w.root.Certificate), 0o600)); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", filepath.Join(dir, "m"), "-CAfile", filepath.Join(dir, "root"),
		"-purpose", "any", "-attime", "1772366400", "-out", filepath.Join(dir, "out")).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
