package gather

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var signed = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

// world is an authority, a signer, and an authority for time whose clock the test sets.
type world struct {
	ca     *pki.Authority
	signer *pki.Identity
	tsa    *tsp.Responder
	now    time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: signed}
	var err error
	if w.ca, err = pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, signed.AddDate(-2, 0, 0), 20); err != nil {
		t.Fatal(err)
	}
	if w.signer, err = w.ca.Issue(pki.Template{CommonName: "Ada Signer", NotBefore: signed.AddDate(-1, 0, 0), NotAfter: signed.AddDate(1, 0, 0)}); err != nil {
		t.Fatal(err)
	}
	id, err := w.ca.Issue(pki.Template{CommonName: "Own TSA", ExtKeyUsage: []pki.OID{pki.EKUTimeStamping}, NotBefore: signed.AddDate(-1, 0, 0), NotAfter: signed.AddDate(10, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	w.tsa = &tsp.Responder{Identity: id, Policy: "1.2.3.4", Clock: func() (time.Time, error) { return w.now, nil }}
	return w
}

func (w *world) crl(t *testing.T, at time.Time, revoked ...*pki.Certificate) []byte {
	t.Helper()
	b, err := w.ca.CRL(revoked, at)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (w *world) stamp(h crypto.Hash, sum []byte) ([]byte, error) {
	t, err := w.tsa.Stamp(context.Background(), h, sum)
	if err != nil {
		return nil, err
	}
	return t.Raw, nil
}

var document = []byte(`<order xmlns="urn:own"><line n="1">täglich</line></order>`)

// make signs at a level, in one format; the detached content is document.
func (w *world) make(t *testing.T, format, level string, crl []byte) []byte {
	t.Helper()
	m := xades.Material{Certificates: []*pki.Certificate{w.ca.Certificate}, CRLs: [][]byte{crl}}
	if format == "CAdES" {
		s, err := cades.Sign(rand.Reader, w.signer, document, true, cades.Parameters{Certificate: w.signer.Certificate, SigningTime: signed})
		if err != nil {
			t.Fatal(err)
		}
		to := map[string]cades.Level{"T": cades.LevelT, "LT": cades.LevelLT, "LTA": cades.LTA}[level]
		if to != "" {
			err := s.Extend(context.Background(), to, cades.Extension{Stamper: w.tsa, Content: cms.Bytes(document),
				Collect: func(context.Context, []*pki.Certificate, []*pki.Certificate) (cades.Material, error) {
					return cades.Material{Certificates: m.Certificates, CRLs: m.CRLs}, nil
				}})
			if err != nil {
				t.Fatal(err)
			}
		}
		b, err := s.Message.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	doc := xades.Bytes("order.xml", "application/xml", document)
	if format == "JAdES" {
		j, err := jades.Sign(rand.Reader, w.signer, []xades.Document{doc}, jades.Params{Detached: true, Mechanism: jades.ByURIHash, Time: signed})
		if err != nil {
			t.Fatal(err)
		}
		to := map[string]jades.Level{"T": jades.LevelT, "LT": jades.LevelLT, "LTA": jades.LTA}[level]
		if to != "" {
			err := j.Signatures[0].Extend(context.Background(), to, jades.Extension{Stamper: w.tsa, Documents: []xades.Document{doc},
				Collect: func(context.Context, []*pki.Certificate, []*pki.Certificate) (revocation.Material, error) {
					return revocation.Material{Certificates: m.Certificates, CRLs: m.CRLs}, nil
				}})
			if err != nil {
				t.Fatal(err)
			}
		}
		b, err := j.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b, err := xades.Sign(w.signer.Key.(crypto.Signer), nil, []xades.Document{doc}, xades.Params{Packaging: xades.Detached, Signer: w.signer.Certificate, Time: signed})
	if err != nil {
		t.Fatal(err)
	}
	steps := map[string][]func(*xades.Extend) ([]byte, error){"B": nil}
	values := func(e *xades.Extend) ([]byte, error) { return e.Values(m) }
	steps["T"] = []func(*xades.Extend) ([]byte, error){(*xades.Extend).SignatureTimeStamp}
	steps["LT"] = append(steps["T"][:1:1], values)
	steps["LTA"] = append(steps["LT"][:2:2], (*xades.Extend).ArchiveTimeStamp)
	for _, step := range steps[level] {
		d, err := dom.Parse(bytes.Clone(b), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := xades.Parse(xades.Find(d)[0])
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Check(xades.CheckOptions{Documents: []xades.Document{doc}})
		if err != nil {
			t.Fatal(err)
		}
		if b, err = step(&xades.Extend{Checked: c, Stamp: w.stamp}); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestVerdictsFollowWhatIsKnownAndWhen(t *testing.T) {
	t.Parallel()
	later := signed.AddDate(3, 0, 0) // the signer's certificate has expired
	for _, format := range []string{"XAdES", "CAdES", "JAdES"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			for _, c := range []struct {
				name, level string
				at          time.Time
				change      func(w *world, b []byte, o *Options) []byte
				want        validation.Indication
				sub         validation.Sub
			}{
				{"level B, trusted, not revoked", "B", signed, nil, validation.TotalPassed, ""},
				{"nobody is trusted", "B", signed, func(w *world, b []byte, o *Options) []byte { o.Anchors = nil; return b }, validation.Indeterminate, validation.NoCertificateChainFound},
				{"no revocation data", "B", signed, func(w *world, b []byte, o *Options) []byte { o.CRLs = nil; return b }, validation.Indeterminate, validation.ChainGeneralFailure},
				{"revoked before", "B", signed, func(w *world, b []byte, o *Options) []byte {
					o.CRLs = [][]byte{w.crl(t, signed.Add(-time.Hour), w.signer.Certificate)}
					return b
				}, validation.Indeterminate, validation.RevokedNoPOE},
				{"other content", "B", signed, func(w *world, b []byte, o *Options) []byte {
					o.Documents = []xades.Document{xades.Bytes("order.xml", "", []byte("other"))}
					return b
				}, validation.TotalFailed, validation.HashFailure},
				{"content is not at hand", "B", signed, func(w *world, b []byte, o *Options) []byte { o.Documents = nil; return b }, validation.Indeterminate, validation.SignedDataNotFound},
				{"level B after the certificate expired", "B", later, nil, validation.Indeterminate, validation.OutOfBoundsNotRevoked},
				{"level T after the certificate expired", "T", later, nil, validation.TotalPassed, ""},
				{"level LT", "LT", signed, func(w *world, b []byte, o *Options) []byte { o.CRLs = nil; return b }, validation.TotalPassed, ""},
				{"level LTA after the certificate expired", "LTA", later, func(w *world, b []byte, o *Options) []byte { o.CRLs = nil; return b }, validation.TotalPassed, ""},
				{"level LTA, revoked afterwards", "LTA", signed.AddDate(0, 6, 0), func(w *world, b []byte, o *Options) []byte {
					o.CRLs = [][]byte{w.crl(t, signed.AddDate(0, 3, 0), w.signer.Certificate)}
					return b
				}, validation.TotalPassed, ""},
			} {
				w := newWorld(t)
				crl := w.crl(t, signed)
				b := w.make(t, format, c.level, crl)
				o := Options{Anchors: []*pki.Certificate{w.ca.Certificate}, CRLs: [][]byte{crl}, Documents: []xades.Document{xades.Bytes("order.xml", "", document)}}
				if c.change != nil {
					b = c.change(w, b, &o)
				}
				r, err := Open(b, o)
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				got := validation.Validate(r.Facts, nil, c.at)
				if len(got) != 1 || got[0].Indication != c.want || got[0].Sub != c.sub {
					t.Errorf("%s: %s %s (%s), want %s %s", c.name, got[0].Indication, got[0].Sub, got[0].Why, c.want, c.sub)
				}
				if want := format + "-BASELINE-" + c.level; r.Signatures[0].Level != want {
					t.Errorf("%s: level %s, want %s", c.name, r.Signatures[0].Level, want)
				}
			}
		})
	}
}

func TestWhatIsNoSignedDocumentIsRefused(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"nothing": nil, "JSON": []byte(`{"a":1}`), "half a JWS": []byte("eyJhbGciOiJFUzI1NiJ9."), "text": []byte("hello"), "XML without a signature": document, "broken XML": []byte("<a>"), "broken DER": {0x30, 0x82, 0xff, 0xff, 1}, "a zip file": []byte("PK\x03\x04"),
	} {
		if _, err := Open(b, Options{}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("<a/>"))
	f.Add([]byte{0x30, 0x80, 0, 0})
	f.Add([]byte("eyJhbGciOiJFUzI1NiJ9.e30.AAAA"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Open(b, Options{})
		if err != nil {
			return
		}
		for _, v := range validation.Validate(r.Facts, nil, signed) {
			if v.Indication == validation.TotalPassed {
				t.Error("passed although nobody is trusted")
			}
		}
	})
}
