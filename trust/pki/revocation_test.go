package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

func mustCRL(tb testing.TB, a *Authority, now time.Time, revoked ...*Certificate) *CRL {
	tb.Helper()
	der, err := a.CRL(revoked, now)
	if err != nil {
		tb.Fatal(err)
	}
	list, err := ParseCRL(der)
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

// customCRL issues a list with entries and extensions of one's choice.
func customCRL(tb testing.TB, a *Authority, t *x509.RevocationList) []byte {
	tb.Helper()
	x, err := a.Certificate.X509()
	if err != nil {
		tb.Fatal(err)
	}
	if t.Number == nil {
		t.Number = big.NewInt(1)
	}
	if t.ThisUpdate.IsZero() {
		t.ThisUpdate, t.NextUpdate = testNow, testNow.AddDate(0, 0, 7)
	}
	der, err := x509.CreateRevocationList(rand.Reader, t, x, a.Key.(crypto.Signer))
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

func TestCRLStore(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	other := mustAuthority(t, "CN=Root", P256)
	good, bad := root.mustIssue(t, Template{}).Certificate, root.mustIssue(t, Template{}).Certificate
	day := 24 * time.Hour
	var store CRLStore
	ask := func(c *Certificate, at time.Time) RevocationState {
		t.Helper()
		st, _ := store.Status(t.Context(), c, root.Certificate, at)
		return st.State
	}
	if got := ask(good, testNow); got != RevocationUnknown {
		t.Errorf("empty store: %v", got)
	}
	first := mustCRL(t, root, testNow, bad)
	if err := store.Add(first, other.Certificate); !errors.Is(err, ErrBadSignature) {
		t.Errorf("list added for the key of another issuer: %v", err)
	}
	if err := store.Add(first, root.Certificate); err != nil {
		t.Fatal(err)
	}
	if err := store.Add(mustCRL(t, other, testNow.Add(day)), other.Certificate); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		cert *Certificate
		at   time.Time
		want RevocationState
	}{
		{"not on the list", good, testNow, RevocationGood},
		{"on the list", bad, testNow, RevocationRevoked},
		{"before it was revoked", bad, testNow.Add(-time.Hour), RevocationGood},
		{"at the end of the list's time", bad, testNow.Add(7 * day), RevocationRevoked},
		{"after the list's time", good, testNow.Add(7*day + 1), RevocationUnknown},
		{"before the certificate was issued", good, testNow.AddDate(-3, 0, 0), RevocationUnknown},
	} {
		if got := ask(c.cert, c.at); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
	store.Grace = day
	if got := ask(good, testNow.Add(8*day)); got != RevocationGood {
		t.Errorf("within the grace: %v", got)
	}
	if err := store.Add(mustCRL(t, root, testNow.Add(day)), root.Certificate); err != nil {
		t.Fatal(err)
	}
	if got := ask(bad, testNow.Add(day)); got != RevocationGood {
		t.Errorf("the newer list does not count: %v", got)
	}
	if err := store.Add(first, root.Certificate); err != nil || ask(bad, testNow.Add(day)) != RevocationGood {
		t.Errorf("the older list came back: %v", err)
	}
}

func TestRevokedIntermediate(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", RSA2048)
	sub := root.mustSub(t, "CN=Sub")
	leaf := sub.mustIssue(t, Template{})
	var store CRLStore
	if err := store.Add(mustCRL(t, sub, testNow), sub.Certificate); err != nil {
		t.Fatal(err)
	}
	v := &Verifier{Anchors: anchors(PurposeSMP, root.Certificate), Clock: clockAt(testNow), Revocation: &store, RequireRevocation: true, CacheTTL: -1}
	if _, err := v.Verify(leaf.Certificate, leaf.Chain, PurposeSMP); !errors.Is(err, ErrRevocationUnknown) {
		t.Errorf("the root has no list yet: %v", err)
	}
	if err := store.Add(mustCRL(t, root, testNow), root.Certificate); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(leaf.Certificate, leaf.Chain, PurposeSMP); err != nil {
		t.Error(err)
	}
	if err := store.Add(mustCRL(t, root, testNow.Add(time.Second), sub.Certificate), root.Certificate); err != nil {
		t.Fatal(err)
	}
	v.Clock = clockAt(testNow.Add(time.Second))
	if _, err := v.Verify(leaf.Certificate, leaf.Chain, PurposeSMP); !errors.Is(err, ErrRevoked) {
		t.Errorf("the intermediate is revoked: %v", err)
	}
}

func TestHistoryOnTheList(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	cert := root.mustIssue(t, Template{}).Certificate
	hour := func(n int) time.Time { return testNow.Add(time.Duration(n) * time.Hour) }
	var entries []x509.RevocationListEntry
	for i, reason := range []Reason{ReasonHold, ReasonRemoveFromCRL, ReasonHold, ReasonRemoveFromCRL} {
		entries = append(entries, x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: hour(i), ReasonCode: int(reason)})
	}
	entries = append([]x509.RevocationListEntry{entries[3], entries[1], entries[0], entries[2]}, x509.RevocationListEntry{SerialNumber: big.NewInt(5), RevocationTime: testNow, ReasonCode: 1})
	list, err := ParseCRL(customCRL(t, root, &x509.RevocationList{RevokedCertificateEntries: entries}))
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]bool{-1: false, 0: true, 1: false, 2: true, 3: false, 9: false} {
		if _, got := list.Find(cert.SerialNumber, hour(n).Add(time.Minute)); got != want {
			t.Errorf("after %d hours: revoked %v", n, got)
		}
	}
	if list.IsRevoked(cert.SerialNumber) || !list.IsRevoked(big.NewInt(5)) || list.IsRevoked(big.NewInt(-5)) || list.Len() != 5 {
		t.Error("the last word does not count")
	}
}

func TestCRLScope(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	sub := root.mustSub(t, "CN=Sub").Certificate
	const url = "http://crl.example.org/a.crl"
	user := root.mustIssue(t, Template{CRLDistributionPoints: []string{url}}).Certificate
	scope := func(body ...byte) pkix.Extension {
		return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: append([]byte{0x30, byte(len(body))}, body...)}
	}
	point := func(u string) []byte {
		inner := append([]byte{0x86, byte(len(u))}, u...)
		full := append([]byte{0xa0, byte(len(inner))}, inner...)
		return append([]byte{0xa0, byte(len(full))}, full...)
	}
	for _, c := range []struct {
		what     string
		ext      pkix.Extension
		user, ca bool
	}{
		{"users only", scope(0x81, 1, 0xff), true, false},
		{"authorities only", scope(0x82, 1, 0xff), false, true},
		{"some reasons only", scope(0x83, 2, 1, 2), false, false},
		{"an indirect list", scope(0x84, 1, 0xff), false, false},
		{"attribute certificates only", scope(0x85, 1, 0xff), false, false},
		{"the user's distribution point", scope(point(url)...), true, true},
		{"another distribution point", scope(point("http://crl.example.org/b.crl")...), false, true},
	} {
		list, err := ParseCRL(customCRL(t, root, &x509.RevocationList{ExtraExtensions: []pkix.Extension{c.ext}}))
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if list.Covers(user) != c.user || list.Covers(sub) != c.ca {
			t.Errorf("%s: covers the user %v, the authority %v", c.what, list.Covers(user), list.Covers(sub))
		}
	}
	for what, ext := range map[string]pkix.Extension{
		"delta list":                 {Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}},
		"unknown critical extension": {Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999}, Critical: true, Value: []byte{5, 0}},
	} {
		if _, err := ParseCRL(customCRL(t, root, &x509.RevocationList{ExtraExtensions: []pkix.Extension{ext}})); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestCRLSignerMustBeAllowed(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	weak := &Authority{Identity: *root.mustIssue(t, Template{CommonName: "signs no lists", CA: true, AnyPathLen: true, KeyUsage: UseCertSign}), rand: rand.Reader}
	strong := *weak
	strong.Identity = *root.mustIssue(t, Template{CommonName: "signs no lists", CA: true, AnyPathLen: true, KeyUsage: UseCertSign | UseCRLSign, Key: weak.Key})
	list := mustCRL(t, &strong, testNow)
	if err := list.Verify(strong.Certificate); err != nil {
		t.Error(err)
	}
	if err := list.Verify(weak.Certificate); !errors.Is(err, ErrKeyUsage) {
		t.Errorf("without cRLSign: %v", err)
	}
}

func TestOCSP(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	other := mustAuthority(t, "CN=Other", P256)
	cert := root.mustIssue(t, Template{}).Certificate
	responder := root.mustIssue(t, Template{CommonName: "responder", ExtKeyUsage: []OID{EKUOCSPSigning}})
	plain := root.mustIssue(t, Template{CommonName: "no responder"})
	foreign := other.mustIssue(t, Template{CommonName: "foreign responder", ExtKeyUsage: []OID{EKUOCSPSigning}})
	expired := root.mustIssue(t, Template{CommonName: "old responder", ExtKeyUsage: []OID{EKUOCSPSigning}, NotBefore: testNow.AddDate(-1, 0, 0), NotAfter: testNow.AddDate(0, -1, 0)})
	x := func(c *Certificate) *x509.Certificate {
		out, err := c.X509()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, c := range []struct {
		what    string
		signer  *Identity
		embed   bool
		status  int
		revoked time.Time
		at      time.Time
		want    RevocationState
		wantErr error
	}{
		{"the issuer says good", &root.Identity, false, ocsp.Good, time.Time{}, testNow, RevocationGood, nil},
		{"the issuer says revoked", &root.Identity, false, ocsp.Revoked, testNow.Add(-time.Hour), testNow, RevocationRevoked, nil},
		{"revoked after the moment asked for", &root.Identity, false, ocsp.Revoked, testNow.Add(-time.Hour), testNow.Add(-2 * time.Hour), RevocationGood, nil},
		{"the issuer does not know", &root.Identity, false, ocsp.Unknown, time.Time{}, testNow, RevocationUnknown, nil},
		{"a delegated responder", responder, true, ocsp.Good, time.Time{}, testNow, RevocationGood, nil},
		{"a delegated responder who is not in the response", responder, false, ocsp.Good, time.Time{}, testNow, RevocationUnknown, ErrUntrusted},
		{"a certificate that is no responder", plain, true, ocsp.Good, time.Time{}, testNow, RevocationUnknown, ErrKeyUsage},
		{"the responder of another authority", foreign, true, ocsp.Good, time.Time{}, testNow, RevocationUnknown, ErrUntrusted},
		{"a responder that has expired", expired, true, ocsp.Good, time.Time{}, testNow, RevocationUnknown, ErrExpired},
		{"an answer whose time is over", &root.Identity, false, ocsp.Good, time.Time{}, testNow.AddDate(0, 0, 2), RevocationUnknown, errStale},
	} {
		template := ocsp.Response{Status: c.status, SerialNumber: cert.SerialNumber, ThisUpdate: testNow.Add(-time.Minute), NextUpdate: testNow.AddDate(0, 0, 1),
			RevokedAt: c.revoked, RevocationReason: ocsp.Superseded}
		if c.embed {
			template.Certificate = x(c.signer.Certificate)
		}
		der, err := ocsp.CreateResponse(x(root.Certificate), x(c.signer.Certificate), template, c.signer.Key.(crypto.Signer))
		if err != nil {
			t.Fatal(err)
		}
		r, err := ParseOCSPResponse(der)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		r.ProducedAt = testNow // x/crypto/ocsp writes the machine's time
		st, err := r.Status(t.Context(), cert, root.Certificate, c.at)
		if st.State != c.want || !errors.Is(err, c.wantErr) || (err == nil) != (c.wantErr == nil) {
			t.Errorf("%s: %v, %v; want %v, %v", c.what, st.State, err, c.want, c.wantErr)
		}
		if st.State == RevocationRevoked && (st.Reason != ReasonSuperseded || !st.RevokedAt.Equal(c.revoked)) {
			t.Errorf("%s: %+v", c.what, st)
		}
		if st, err := r.Status(t.Context(), root.mustIssue(t, Template{}).Certificate, root.Certificate, testNow); err != nil || st.State != RevocationUnknown {
			t.Errorf("%s: speaks about another certificate: %v %v", c.what, st.State, err)
		}
		if _, ok := r.Find(cert, other.Certificate); ok {
			t.Errorf("%s: speaks about another issuer's certificate", c.what)
		}
		basic, err := ParseOCSPResponse(r.RawBasic)
		if err != nil || len(basic.Responses) != 1 {
			t.Errorf("%s: the basic response alone: %v", c.what, err)
		}
	}
}

func TestOCSPErrorsAreTyped(t *testing.T) {
	t.Parallel()
	for code, temporary := range map[int]bool{1: false, 2: true, 3: true, 5: false, 6: false} {
		_, err := ParseOCSPResponse([]byte{0x30, 3, 0x0a, 1, byte(code)})
		var typed *OCSPStatusError
		if !errors.As(err, &typed) || typed.Code != code || typed.Temporary() != temporary {
			t.Errorf("status %d: %v", code, err)
		}
	}
}

func TestOCSPRequest(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	cert := root.mustIssue(t, Template{}).Certificate
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		der, err := MarshalOCSPRequest(cert, root.Certificate, hash, []byte("0123456789abcdef"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := ocsp.ParseRequest(der)
		if err != nil || r.HashAlgorithm != hash || r.SerialNumber.Cmp(cert.SerialNumber) != 0 ||
			string(r.IssuerNameHash) != string(digest(hash, root.Certificate.RawSubject)) || string(r.IssuerKeyHash) != string(digest(hash, root.Certificate.keyBits())) {
			t.Errorf("%v: %+v %v", hash, r, err)
		}
	}
	if _, err := MarshalOCSPRequest(cert, root.Certificate, crypto.BLAKE2b_256, nil); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a hash without a name: %v", err)
	}
}

func TestNothingToAsk(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	source := &countingSource{err: errors.New("asked")}
	v := &Verifier{Anchors: anchors(PurposeDocument, root.Certificate), Clock: clockAt(testNow), Revocation: source, RequireRevocation: true}
	for what, c := range map[string]struct {
		t      Template
		exempt bool
	}{
		"OCSP responder with no-check":   {Template{ExtKeyUsage: []OID{EKUOCSPSigning}, Extensions: []Extension{{oidOCSPNoCheck, false, []byte{5, 0}}}}, true},
		"no-check on something else":     {Template{Extensions: []Extension{{oidOCSPNoCheck, false, []byte{5, 0}}}}, false},
		"short-term certificate":         {Template{Extensions: []Extension{{oidShortTerm, false, []byte{5, 0}}}}, true},
		"certificate without revocation": {Template{Extensions: []Extension{{oidNoRevocation, false, []byte{5, 0}}}}, true},
		"an ordinary certificate":        {Template{}, false},
	} {
		_, err := v.Verify(root.mustIssue(t, c.t).Certificate, nil, PurposeDocument)
		if (err == nil) != c.exempt {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestOCSPStore(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	cert, other := root.mustIssue(t, Template{}).Certificate, root.mustIssue(t, Template{}).Certificate
	x, err := root.Certificate.X509()
	if err != nil {
		t.Fatal(err)
	}
	answer := func(status int, this time.Time, next time.Time) *OCSPResponse {
		t.Helper()
		der, err := ocsp.CreateResponse(x, x, ocsp.Response{Status: status, SerialNumber: cert.SerialNumber, ThisUpdate: this, NextUpdate: next, RevokedAt: this}, root.Key.(crypto.Signer))
		if err != nil {
			t.Fatal(err)
		}
		r, err := ParseOCSPResponse(der)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	var store OCSPStore
	state := func(at time.Time) RevocationState {
		st, _ := store.Status(t.Context(), cert, root.Certificate, at)
		return st.State
	}
	if err := store.Add(answer(ocsp.Good, testNow, time.Time{}), other, root.Certificate, testNow); !errors.Is(err, ErrRevocationUnknown) {
		t.Errorf("an answer about another certificate: %v", err)
	}
	if err := store.Add(answer(ocsp.Good, testNow.Add(6*time.Minute), time.Time{}), cert, root.Certificate, testNow); !errors.Is(err, ErrFormat) {
		t.Errorf("an answer from the future: %v", err)
	}
	if err := store.Add(answer(ocsp.Good, testNow, time.Time{}), cert, root.Certificate, testNow); err != nil {
		t.Fatal(err)
	}
	if a, b := state(testNow.Add(23*time.Hour)), state(testNow.Add(25*time.Hour)); a != RevocationGood || b != RevocationUnknown {
		t.Errorf("an answer without end: %v, a day later %v", a, b)
	}
	if err := store.Add(answer(ocsp.Revoked, testNow.Add(time.Hour), testNow.Add(100*time.Hour)), cert, root.Certificate, testNow.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := store.Add(answer(ocsp.Good, testNow, time.Time{}), cert, root.Certificate, testNow); err != nil || state(testNow.Add(2*time.Hour)) != RevocationRevoked {
		t.Errorf("a replayed older answer counts: %v", err)
	}
	store.Forget(testNow.Add(99 * time.Hour))
	if len(store.answers) != 1 {
		t.Error("a current answer is forgotten")
	}
	store.Forget(testNow.Add(101 * time.Hour))
	if len(store.answers) != 0 {
		t.Error("an old answer is kept")
	}
	forged := answer(ocsp.Good, testNow, time.Time{})
	forged.Signature = append([]byte(nil), forged.Signature...)
	forged.Signature[len(forged.Signature)-1] ^= 1
	if err := store.Add(forged, cert, root.Certificate, testNow); !errors.Is(err, ErrBadSignature) {
		t.Errorf("a forged answer: %v", err)
	}
}
