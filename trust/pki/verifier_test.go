package pki

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"
)

var testNow = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func clockAt(t time.Time) func() time.Time { return func() time.Time { return t } }

func mustAuthority(tb testing.TB, subject string, alg KeyAlgorithm) *Authority {
	tb.Helper()
	a, err := NewAuthority(rand.Reader, subject, alg, testNow.AddDate(-1, 0, 0), 10)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func (a *Authority) mustSub(tb testing.TB, subject string) *Authority {
	tb.Helper()
	s, err := a.Sub(subject, P256, testNow.AddDate(-1, 0, 0), 8)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func (a *Authority) mustIssue(tb testing.TB, t Template) *Identity {
	tb.Helper()
	if t.CommonName == "" && t.Subject == "" {
		t.CommonName = "leaf"
	}
	id, err := a.Issue(t)
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func anchors(purpose Purpose, certs ...*Certificate) []Anchor {
	var out []Anchor
	for _, c := range certs {
		out = append(out, Anchor{Certificate: c, Purposes: []Purpose{purpose}})
	}
	return out
}

func TestVerify(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root,O=Viadukt,C=EE", P256)
	sub := root.mustSub(t, "CN=Sub,O=Viadukt,C=EE")
	low := sub.mustSub(t, "CN=Low,O=Viadukt,C=EE")
	stranger := mustAuthority(t, "CN=Root,O=Viadukt,C=EE", P256) // the same name, another key
	leaf := low.mustIssue(t, Template{})
	chain := leaf.Chain
	rsa1024 := func() *Identity { return root.mustIssue(t, Template{PublicKey: smallRSA(t, 1024)}) }()

	short, err := root.issue(Template{Subject: "CN=Short", CA: true, Algorithm: P256, KeyUsage: UseCertSign, NotBefore: testNow.AddDate(-1, 0, 0)}, &root.Identity)
	if err != nil {
		t.Fatal(err)
	}
	shortCA := &Authority{Identity: *short, rand: rand.Reader, now: root.now}
	under := shortCA.mustSub(t, "CN=Under")
	notCA := &Authority{Identity: *root.mustIssue(t, Template{CommonName: "no CA"}), rand: rand.Reader, now: root.now}
	noCertSign := &Authority{Identity: *root.mustIssue(t, Template{CommonName: "CA without keyCertSign", CA: true, AnyPathLen: true, KeyUsage: UseDigitalSignature}), rand: rand.Reader, now: root.now}
	expiredCA := &Authority{Identity: *root.mustIssue(t, Template{CommonName: "old CA", CA: true, AnyPathLen: true, KeyUsage: UseCertSign, NotBefore: testNow.AddDate(-3, 0, 0), NotAfter: testNow.AddDate(-1, 0, 0)}), rand: rand.Reader, now: root.now}
	clientCA := &Authority{Identity: *root.mustIssue(t, Template{CommonName: "mail CA", CA: true, AnyPathLen: true, KeyUsage: UseCertSign, ExtKeyUsage: []OID{EKUEmailProtection}}), rand: rand.Reader, now: root.now}
	constrained := &Authority{Identity: *root.mustIssue(t, Template{CommonName: "constrained CA", CA: true, AnyPathLen: true, KeyUsage: UseCertSign,
		Extensions: []Extension{{ID: oidNameConstraints, Critical: true, Value: []byte{0x30, 0}}}}), rand: rand.Reader, now: root.now}
	tampered := func() *Certificate {
		raw := append([]byte(nil), leaf.Certificate.Raw...)
		raw[len(raw)-1] ^= 1
		c, err := ParseCertificate(raw)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}()

	atRoot := anchors(PurposeDocument, root.Certificate)
	for _, c := range []struct {
		what    string
		anchors []Anchor
		leaf    *Certificate
		extra   []*Certificate
		purpose Purpose
		want    error // nil: trusted
		length  int
	}{
		{"two intermediates come along", atRoot, leaf.Certificate, chain, PurposeDocument, nil, 4},
		{"they come in any order, with strangers among them", atRoot, leaf.Certificate, []*Certificate{stranger.Certificate, nil, sub.Certificate, leaf.Certificate, low.Certificate}, PurposeDocument, nil, 4},
		{"an intermediate is missing", atRoot, leaf.Certificate, []*Certificate{sub.Certificate}, PurposeDocument, ErrUntrusted, 0},
		{"no anchor at all", nil, leaf.Certificate, chain, PurposeDocument, ErrUntrusted, 0},
		{"an intermediate is the anchor", anchors(PurposeDocument, low.Certificate), leaf.Certificate, nil, PurposeDocument, nil, 2},
		{"a root that came along is no anchor", nil, leaf.Certificate, append(chain, root.Certificate), PurposeDocument, ErrUntrusted, 0},
		{"another root of the same name", anchors(PurposeDocument, stranger.Certificate), leaf.Certificate, chain, PurposeDocument, ErrUntrusted, 0},
		{"the pinned leaf", anchors(PurposeDocument, leaf.Certificate), leaf.Certificate, nil, PurposeDocument, nil, 1},
		{"another leaf than the pinned one", anchors(PurposeDocument, leaf.Certificate), low.mustIssue(t, Template{}).Certificate, nil, PurposeDocument, ErrUntrusted, 0},
		{"a pinned leaf issues nothing", anchors(PurposeDocument, notCA.Certificate), notCA.mustIssue(t, Template{}).Certificate, nil, PurposeDocument, ErrKeyUsage, 0},
		{"the anchor is for another purpose", atRoot, leaf.Certificate, chain, PurposeAccessPoint, ErrWrongPurpose, 0},
		{"the pinned leaf is for another purpose", anchors(PurposeDocument, leaf.Certificate), leaf.Certificate, nil, PurposeSMP, ErrWrongPurpose, 0},
		{"an anchor without purposes is for nothing", []Anchor{{Certificate: root.Certificate}}, leaf.Certificate, chain, PurposeDocument, ErrWrongPurpose, 0},
		{"of two anchors the one for the purpose counts", append(anchors(PurposeSMP, low.Certificate), atRoot...), leaf.Certificate, chain, PurposeDocument, nil, 4},
		{"the signature is wrong", atRoot, tampered, chain, PurposeDocument, ErrBadSignature, 0},
		{"the leaf has expired", atRoot, root.mustIssue(t, Template{NotBefore: testNow.AddDate(-2, 0, 0), NotAfter: testNow.Add(-time.Second)}).Certificate, nil, PurposeDocument, ErrExpired, 0},
		{"the leaf is in its last second", atRoot, root.mustIssue(t, Template{NotAfter: testNow}).Certificate, nil, PurposeDocument, nil, 2},
		{"the leaf is not valid yet", atRoot, root.mustIssue(t, Template{NotBefore: testNow.Add(time.Second)}).Certificate, nil, PurposeDocument, ErrNotYetValid, 0},
		{"a pinned leaf expires too", anchors(PurposeDocument, expiredCA.Certificate), expiredCA.Certificate, nil, PurposeDocument, ErrExpired, 0},
		{"an intermediate has expired", atRoot, expiredCA.mustIssue(t, Template{}).Certificate, []*Certificate{expiredCA.Certificate}, PurposeDocument, ErrExpired, 0},
		{"an anchor has expired", anchors(PurposeDocument, expiredCA.Certificate), expiredCA.mustIssue(t, Template{}).Certificate, nil, PurposeDocument, ErrExpired, 0},
		{"an expired anchor with a date of its own", []Anchor{{expiredCA.Certificate, []Purpose{PurposeDocument}, testNow}}, expiredCA.mustIssue(t, Template{}).Certificate, nil, PurposeDocument, nil, 2},
		{"an anchor trusted until yesterday", []Anchor{{root.Certificate, []Purpose{PurposeDocument}, testNow.AddDate(0, 0, -1)}}, root.mustIssue(t, Template{}).Certificate, nil, PurposeDocument, ErrExpired, 0},
		{"the path is longer than an issuer allows", atRoot, under.mustIssue(t, Template{}).Certificate, []*Certificate{under.Certificate, short.Certificate}, PurposeDocument, ErrKeyUsage, 0},
		{"the path is as long as the issuer allows", atRoot, shortCA.mustIssue(t, Template{}).Certificate, []*Certificate{short.Certificate}, PurposeDocument, nil, 3},
		{"the issuer is no authority", atRoot, notCA.mustIssue(t, Template{}).Certificate, []*Certificate{notCA.Certificate}, PurposeDocument, ErrKeyUsage, 0},
		{"the issuer may not sign certificates", atRoot, noCertSign.mustIssue(t, Template{}).Certificate, []*Certificate{noCertSign.Certificate}, PurposeDocument, ErrKeyUsage, 0},
		{"the leaf may not sign", atRoot, root.mustIssue(t, Template{KeyUsage: UseKeyEncipherment}).Certificate, nil, PurposeDocument, ErrKeyUsage, 0},
		{"content commitment is signing", atRoot, root.mustIssue(t, Template{KeyUsage: UseContentCommitment}).Certificate, nil, PurposeDocument, nil, 2},
		{"no key usage forbids nothing", atRoot, root.mustIssue(t, Template{NoKeyUsage: true}).Certificate, nil, PurposeDocument, nil, 2},
		{"the leaf has RSA of 1024 bits", atRoot, rsa1024.Certificate, nil, PurposeDocument, ErrWeakKey, 0},
		{"extended key usage counts for TLS", anchors(PurposeTLS, root.Certificate), root.mustIssue(t, Template{ExtKeyUsage: []OID{EKUEmailProtection}}).Certificate, nil, PurposeTLS, ErrKeyUsage, 0},
		{"extended key usage of the issuer counts for TLS", anchors(PurposeTLS, root.Certificate), clientCA.mustIssue(t, Template{ExtKeyUsage: []OID{EKUServerAuth}}).Certificate, []*Certificate{clientCA.Certificate}, PurposeTLS, ErrKeyUsage, 0},
		{"a TLS server", anchors(PurposeTLS, root.Certificate), root.mustIssue(t, Template{ExtKeyUsage: []OID{EKUServerAuth}}).Certificate, nil, PurposeTLS, nil, 2},
		{"extended key usage does not count for documents", atRoot, root.mustIssue(t, Template{ExtKeyUsage: []OID{EKUEmailProtection}}).Certificate, nil, PurposeDocument, nil, 2},
		{"a critical extension nobody knows", atRoot, root.mustIssue(t, Template{Extensions: []Extension{{"1.3.6.1.4.1.99999.1", true, []byte{5, 0}}}}).Certificate, nil, PurposeDocument, ErrUnsupported, 0},
		{"an unknown extension that is not critical", atRoot, root.mustIssue(t, Template{Extensions: []Extension{{"1.3.6.1.4.1.99999.1", false, []byte{5, 0}}}}).Certificate, nil, PurposeDocument, nil, 2},
		{"critical name constraints are not evaluated", atRoot, constrained.mustIssue(t, Template{}).Certificate, []*Certificate{constrained.Certificate}, PurposeDocument, ErrUnsupported, 0},
		{"no certificate", atRoot, nil, nil, PurposeDocument, ErrUntrusted, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			v := &Verifier{Anchors: c.anchors, Clock: clockAt(testNow)}
			for range 2 { // the second time from memory
				got, err := v.Verify(c.leaf, c.extra, c.purpose)
				if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || len(got) != c.length {
					t.Fatalf("%d certificates, %v; want %d, %v", len(got), err, c.length, c.want)
				}
				if err == nil && !got[0].Equal(c.leaf) {
					t.Error("the chain does not start with the leaf")
				}
			}
		})
	}
}

func smallRSA(tb testing.TB, bits int) any {
	tb.Helper()
	k, err := generate(rand.Reader, RSA2048)
	if err != nil {
		tb.Fatal(err)
	}
	pub := *k.(*rsa.PrivateKey).Public().(*rsa.PublicKey)
	n := new(big.Int).Rsh(pub.N, uint(2048-bits))
	pub.N = n.SetBit(n, 0, 1)
	return &pub
}

func TestTheAnchorOfTheWrongPurposeIsNamed(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=x", P256)
	v := &Verifier{Anchors: []Anchor{{Certificate: root.Certificate, Purposes: []Purpose{PurposeAccessPoint}}}, Clock: clockAt(testNow)}
	_, err := v.Verify(root.mustIssue(t, Template{}).Certificate, nil, PurposeDocument)
	if err == nil || err.Error() != `pki: anchor "CN=x" is for access-point, not for document` {
		t.Errorf("%v", err)
	}
	var typed *WrongPurposeError
	if !errors.As(err, &typed) || typed.Wanted != PurposeDocument || !errors.Is(err, ErrWrongPurpose) {
		t.Errorf("%#v", err)
	}
}

func TestRecipients(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", Ed25519)
	v := &Verifier{Anchors: anchors(PurposeAccessPoint, root.Certificate), Clock: clockAt(testNow)}
	agreement := root.mustIssue(t, Template{Algorithm: X25519}).Certificate
	if _, err := v.VerifyRecipient(t.Context(), agreement, nil, PurposeAccessPoint); err != nil {
		t.Error(err)
	}
	if _, err := v.Verify(agreement, nil, PurposeAccessPoint); !errors.Is(err, ErrKeyUsage) {
		t.Errorf("an agreement key signs: %v", err)
	}
	signing := root.mustIssue(t, Template{Algorithm: Ed25519}).Certificate
	if _, err := v.VerifyRecipient(t.Context(), signing, nil, PurposeAccessPoint); !errors.Is(err, ErrKeyUsage) {
		t.Errorf("a signing key encrypts: %v", err)
	}
	if _, err := v.Verify(signing, nil, PurposeAccessPoint); err != nil {
		t.Error(err)
	}
}

// TestCrossCertificates: the way through a cross-certificate is found, whatever else has the same name.
func TestCrossCertificates(t *testing.T) {
	t.Parallel()
	oldRoot, newRoot := mustAuthority(t, "CN=Old Root", P256), mustAuthority(t, "CN=New Root", P256)
	cross, err := oldRoot.Issue(Template{Subject: "CN=New Root", CA: true, AnyPathLen: true, KeyUsage: UseCertSign, Key: newRoot.Key})
	if err != nil {
		t.Fatal(err)
	}
	back, err := newRoot.Issue(Template{Subject: "CN=Old Root", CA: true, AnyPathLen: true, KeyUsage: UseCertSign, Key: oldRoot.Key})
	if err != nil {
		t.Fatal(err)
	}
	leaf := newRoot.mustIssue(t, Template{}).Certificate
	v := &Verifier{Anchors: anchors(PurposeDocument, oldRoot.Certificate), Intermediates: []*Certificate{newRoot.Certificate, back.Certificate, cross.Certificate}, Clock: clockAt(testNow)}
	chain, err := v.Verify(leaf, nil, PurposeDocument)
	if err != nil || len(chain) != 3 || !chain[1].Equal(cross.Certificate) {
		t.Errorf("chain of %d: %v", len(chain), err)
	}
	ring := &Verifier{Intermediates: v.Intermediates, Clock: clockAt(testNow)}
	if _, err := ring.Verify(leaf, nil, PurposeDocument); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a ring without anchor: %v", err)
	}
}

// TestSearchIsBounded: many issuers of one name and key identifier cost a bounded number of signatures.
func TestSearchIsBounded(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Same", P256)
	var flood []*Certificate
	for i := range 200 {
		a, err := NewAuthority(rand.Reader, "CN=Same", P256, testNow, 1)
		if err != nil {
			t.Fatal(err)
		}
		id, err := a.Issue(Template{Subject: "CN=Same", CA: true, AnyPathLen: true, KeyUsage: UseCertSign, Serial: big.NewInt(int64(i + 1))})
		if err != nil {
			t.Fatal(err)
		}
		flood = append(flood, id.Certificate, a.Certificate)
	}
	leaf := root.mustIssue(t, Template{Extensions: nil}).Certificate
	leaf2 := *leaf
	leaf2.AuthorityKeyID = nil // so that no identifier rules candidates out
	v := &Verifier{Anchors: anchors(PurposeDocument, mustAuthority(t, "CN=Else", P256).Certificate), Clock: clockAt(testNow)}
	v.once.Do(v.init)
	s := &search{v: v, ctx: t.Context(), at: testNow, purpose: PurposeDocument, extra: flood, budget: maxSignatureChecks, path: []*Certificate{&leaf2}}
	if s.extend() {
		t.Fatal("trusted")
	}
	if s.budget >= 0 || s.err == nil {
		t.Errorf("budget %d, %v", s.budget, s.err)
	}
}

func TestWeakAlgorithms(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	id := root.mustIssue(t, Template{})
	old := resignWith(t, root, id.Certificate, oidECDSASHA1, 0)
	v := &Verifier{Anchors: anchors(PurposeDocument, root.Certificate), Clock: clockAt(testNow)}
	if _, err := v.Verify(old, nil, PurposeDocument); !errors.Is(err, ErrWeakKey) {
		t.Errorf("SHA-1: %v", err)
	}
	lenient := &Verifier{Anchors: v.Anchors, Clock: v.Clock, AllowSHA1: true}
	if _, err := lenient.Verify(old, nil, PurposeDocument); err != nil {
		t.Errorf("SHA-1 allowed: %v", err)
	}
	if _, err := old.X509(); err != nil {
		t.Fatal(err)
	}
	weak := root.mustIssue(t, Template{PublicKey: smallRSA(t, 1024)}).Certificate
	small := &Verifier{Anchors: v.Anchors, Clock: v.Clock, MinRSABits: 1024}
	if _, err := small.Verify(weak, nil, PurposeDocument); err != nil {
		t.Errorf("RSA of 1024 bits allowed: %v", err)
	}
}

func TestVerifyAtAnotherMoment(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	leaf := root.mustIssue(t, Template{NotBefore: testNow.AddDate(0, -6, 0), NotAfter: testNow.AddDate(0, -1, 0)}).Certificate
	v := &Verifier{Anchors: anchors(PurposeDocument, root.Certificate), Clock: clockAt(testNow)}
	if _, err := v.VerifyAt(t.Context(), leaf, nil, PurposeDocument, testNow.AddDate(0, -2, 0)); err != nil {
		t.Error(err)
	}
	if _, err := v.Verify(leaf, nil, PurposeDocument); !errors.Is(err, ErrExpired) {
		t.Errorf("the archived result counts now: %v", err)
	}
}

type countingSource struct {
	mu     sync.Mutex
	asked  int
	status RevocationStatus
	err    error
}

func (s *countingSource) Status(context.Context, *Certificate, *Certificate, time.Time) (RevocationStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.status, s.err
}

func TestCacheEndsWithWhatItRestsOn(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	leaf := root.mustIssue(t, Template{NotAfter: testNow.Add(30 * time.Second)}).Certificate
	long := root.mustIssue(t, Template{}).Certificate
	now := testNow
	source := &countingSource{status: RevocationStatus{State: RevocationGood, NextUpdate: testNow.Add(10 * time.Second)}}
	v := &Verifier{Anchors: anchors(PurposeDocument, root.Certificate), Clock: func() time.Time { return now }, Revocation: source}
	verify := func(c *Certificate, want error, asked int) {
		t.Helper()
		if _, err := v.Verify(c, nil, PurposeDocument); !errors.Is(err, want) || (err == nil) != (want == nil) || source.asked != asked {
			t.Errorf("%v after %d questions, want %v after %d", err, source.asked, want, asked)
		}
	}
	verify(leaf, nil, 1)
	verify(leaf, nil, 1)
	now = testNow.Add(11 * time.Second)
	verify(leaf, nil, 2) // the revocation data ended
	source.status.NextUpdate = time.Time{}
	verify(leaf, nil, 3)
	verify(leaf, nil, 3)
	now = testNow.Add(31 * time.Second)
	verify(leaf, ErrExpired, 3)
	verify(long, nil, 4)
	now = testNow.Add(31*time.Second + time.Minute + 1)
	verify(long, nil, 5) // the minute ended
	now = testNow.Add(40 * time.Second)
	verify(long, nil, 6) // the clock went back
	source.status.State = RevocationRevoked
	now = now.Add(2 * time.Minute)
	verify(long, ErrRevoked, 7)
	verify(long, ErrRevoked, 8) // refusals are not remembered
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	var c chainCache
	for i := range 20_000 {
		k := cacheKey{purpose: PurposeSMP}
		k.fingerprint[0], k.fingerprint[1], k.fingerprint[2] = byte(i), byte(i>>8), byte(i>>16)
		c.put(&k, []*Certificate{{}}, testNow, testNow)
	}
	total := 0
	for i := range c {
		total += len(c[i].m)
	}
	if total > cacheShards*cachePerShard || total < cacheShards*cachePerShard/2 {
		t.Errorf("%d entries", total)
	}
}

func TestRequiredRevocation(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	sub := root.mustSub(t, "CN=Sub")
	leaf := sub.mustIssue(t, Template{})
	down := errors.New("no network")
	for _, c := range []struct {
		what    string
		source  RevocationSource
		require bool
		want    error
	}{
		{"nobody is asked", nil, false, nil},
		{"nobody can be asked", nil, true, ErrRevocationUnknown},
		{"the source is down", &countingSource{err: down}, false, nil},
		{"the source is down and needed", &countingSource{err: down}, true, ErrRevocationUnknown},
		{"the source does not know", &countingSource{}, false, nil},
		{"the source does not know and is needed", &countingSource{}, true, ErrRevocationUnknown},
		{"revoked", &countingSource{status: RevocationStatus{State: RevocationRevoked}}, false, ErrRevoked},
		{"good", &countingSource{status: RevocationStatus{State: RevocationGood}}, true, nil},
		{"the second source knows", RevocationSources{&countingSource{err: down}, &countingSource{status: RevocationStatus{State: RevocationGood}}}, true, nil},
		{"the second source knows the worst", RevocationSources{&countingSource{}, &countingSource{status: RevocationStatus{State: RevocationRevoked}}}, false, ErrRevoked},
	} {
		v := &Verifier{Anchors: anchors(PurposeDocument, root.Certificate), Clock: clockAt(testNow), Revocation: c.source, RequireRevocation: c.require}
		_, err := v.Verify(leaf.Certificate, leaf.Chain, PurposeDocument)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
		var temporary interface{ Temporary() bool }
		if c.want == ErrRevocationUnknown && (!errors.As(err, &temporary) || !temporary.Temporary()) {
			t.Errorf("%s: not temporary", c.what)
		}
	}
}

func TestVerifierIsSafeForManyCallers(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	var leaves []*Identity
	for range 8 {
		leaves = append(leaves, root.mustIssue(t, Template{}))
	}
	v := &Verifier{Anchors: anchors(PurposeDocument, root.Certificate), Clock: clockAt(testNow)}
	var wg sync.WaitGroup
	errs := make(chan error, 100)
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				if _, err := v.Verify(leaves[(g+i)%8].Certificate, nil, PurposeDocument); err != nil {
					errs <- fmt.Errorf("caller %d: %w", g, err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
}

func TestX509AgreesWithOurAuthority(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", RSA2048)
	sub := root.mustSub(t, "CN=Sub")
	leaf := sub.mustIssue(t, Template{DNSNames: []string{"node.example.org"}, ExtKeyUsage: []OID{EKUServerAuth}, NotAfter: testNow.AddDate(0, 3, 0)})
	pool, between := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range []struct {
		pool *x509.CertPool
		cert *Certificate
	}{{pool, root.Certificate}, {between, sub.Certificate}} {
		x, err := c.cert.X509()
		if err != nil {
			t.Fatal(err)
		}
		c.pool.AddCert(x)
	}
	x, err := leaf.Certificate.X509()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Verify(x509.VerifyOptions{Roots: pool, Intermediates: between, CurrentTime: testNow, DNSName: "node.example.org"}); err != nil {
		t.Error(err)
	}
}

// TestKeyRollover: a self-issued certificate of the new key, signed with the old one, is a step of the path.
func TestKeyRollover(t *testing.T) {
	t.Parallel()
	oldKey, newKey := mustAuthority(t, "CN=Root", P256), mustAuthority(t, "CN=Root", P384)
	link, err := oldKey.Issue(Template{Subject: "CN=Root", CA: true, AnyPathLen: true, KeyUsage: UseCertSign, Key: newKey.Key})
	if err != nil {
		t.Fatal(err)
	}
	v := &Verifier{Anchors: anchors(PurposeDocument, oldKey.Certificate), Clock: clockAt(testNow)}
	chain, err := v.Verify(newKey.mustIssue(t, Template{}).Certificate, []*Certificate{newKey.Certificate, link.Certificate}, PurposeDocument)
	if err != nil || len(chain) != 3 {
		t.Errorf("%d certificates, %v", len(chain), err)
	}
}
