package gather

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// adaOfEdwards is a signer with a key of Ed25519, and her authority.
func adaOfEdwards(t *testing.T) (now time.Time, ca *pki.Authority, ada *pki.Identity) {
	t.Helper()
	now = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EE", pki.P256, now.AddDate(-5, 0, 0), 20)
	if err != nil {
		t.Fatal(err)
	}
	ada, err = ca.Issue(pki.Template{CommonName: "Ada", Algorithm: pki.Ed25519, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return now, ca, ada
}

// Algorithms that are not computed here are named, and neither passed nor called broken.
func TestOddAlgorithmsAreNamed(t *testing.T) {
	t.Parallel()
	now, ca, id := adaOfEdwards(t)
	signed, err := xades.Sign(id.Key.(crypto.Signer), rand.Reader, []xades.Document{xades.Bytes("", "text/xml", []byte("<a/>"))}, xades.Params{Packaging: xades.Enveloped, Signer: id.Certificate, Time: now})
	if err != nil {
		t.Fatal(err)
	}
	s, err := cades.Sign(nil, id, []byte("content"), false, cades.Parameters{SigningTime: now})
	if err != nil {
		t.Fatal(err)
	}
	message, err := s.Message.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	sha256, sha512 := []byte("\x60\x86\x48\x01\x65\x03\x04\x02\x01"), []byte("\x60\x86\x48\x01\x65\x03\x04\x02\x03")
	at := bytes.LastIndex(message, []byte("\x06\x03\x2b\x65\x70")) // of the signer, behind the certificates
	for name, b := range map[string][]byte{
		"eddsa-ed448":             bytes.Replace(signed, []byte("eddsa-ed25519"), []byte("eddsa-ed448"), 1),
		"WHIRLPOOL":               bytes.Replace(signed, []byte("http://www.w3.org/2001/04/xmlenc#sha256"), []byte("http://www.w3.org/2007/05/xmldsig-more#whirlpool"), 1),
		"Ed448 (1.3.101.113)":     slices.Concat(message[:at], []byte("\x06\x03\x2b\x65\x71"), message[at+5:]),
		"2.16.840.1.101.3.4.2.11": bytes.ReplaceAll(bytes.ReplaceAll(message, sha512, []byte("\x60\x86\x48\x01\x65\x03\x04\x02\x0b")), sha256, []byte("\x60\x86\x48\x01\x65\x03\x04\x02\x0b")),
	} {
		if bytes.Equal(b, signed) || bytes.Equal(b, message) {
			t.Fatalf("%s: nothing was changed", name)
		}
		r, err := Open(b, Options{Anchors: []*pki.Certificate{ca.Certificate}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := validation.Validate(r.Facts, nil, now)[0]
		if got.Indication != validation.Indeterminate || got.Sub != validation.CryptoConstraintsFailure || !strings.Contains(got.Why, name) {
			t.Errorf("%s: %s %s: %s", name, got.Indication, got.Sub, got.Why)
		}
	}
}

// A time-stamp of the first form of archiving, whose imprint nobody here computes, proves nothing and breaks nothing.
func TestArchiveTimeStampOfTheFirstForm(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EE", pki.P256, now.AddDate(-5, 0, 0), 20)
	must(err)
	id, err := ca.Issue(pki.Template{CommonName: "Ada", NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)})
	must(err)
	unit, err := ca.Issue(pki.Template{CommonName: "Own TSA", ExtKeyUsage: []pki.OID{pki.EKUTimeStamping}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(10, 0, 0)})
	must(err)
	crl, err := ca.CRL(nil, now)
	must(err)
	s, err := cades.Sign(nil, id, []byte("content"), false, cades.Parameters{SigningTime: now})
	must(err)
	tsa := &tsp.Responder{Identity: unit, Policy: "1.2.3.4", Clock: func() (time.Time, error) { return now.Add(time.Minute), nil }}
	token, err := tsa.Stamp(t.Context(), crypto.SHA256, make([]byte, 32))
	must(err)
	a, err := cms.NewAttribute(cades.AttrArchiveTimeStamp, token.Raw)
	must(err)
	must(s.Signer.AddUnsigned(a))
	b, err := s.Message.Bytes()
	must(err)
	r, err := Open(b, Options{Anchors: []*pki.Certificate{ca.Certificate}, CRLs: [][]byte{crl}})
	must(err)
	got := validation.Validate(r.Facts, nil, now.Add(time.Hour))[0]
	stamp := got.TimeStamps[got.Signature.TimeStamps[0]]
	if got.Indication != validation.TotalPassed || got.BestTime.Equal(now.Add(time.Minute)) || stamp.Indication != validation.Indeterminate ||
		stamp.Sub != validation.CryptoConstraintsFailure || !strings.Contains(stamp.Why, "archive-time-stamp") {
		t.Errorf("%s %s, %s %s: %s", got.Indication, got.BestTime, stamp.Indication, stamp.Sub, stamp.Why)
	}
}
