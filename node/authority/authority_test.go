package authority

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
)

// clock can be turned.
type clock struct{ t atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.t.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli())
	return c
}

func (c *clock) now() time.Time       { return time.UnixMilli(c.t.Load()).UTC() }
func (c *clock) pass(d time.Duration) { c.t.Add(d.Milliseconds()) }

func create(t *testing.T, c *clock, o Options) *Authority {
	t.Helper()
	o.Clock = c.now
	if o.Subject == "" {
		o.Subject = "CN=Test Root,C=EU"
	}
	if o.URL == "" {
		o.URL = "http://ca.example/"
	}
	a, err := Create(filepath.Join(t.TempDir(), "ca"), o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	c := newClock()
	a := create(t, c, Options{})
	for _, name := range Names() {
		r := Request{Profile: name, Subject: "CN=" + name + ",C=EU"}
		if Profiles[name].names {
			r.Names = []string{"host.example"}
		}
		id, err := a.Issue(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		x := id.Certificate
		if id.Key == nil || x.CheckSignatureFrom(a.Certificate()) != nil || x.BasicConstraints.CA || x.OCSPServers[0] != "http://ca.example/1/ocsp" ||
			x.CRLDistributionPoints[0] != "http://ca.example/1/ca.crl" || x.CAIssuers[0] != "http://ca.example/1/ca.crt" {
			t.Errorf("%s: %+v", name, x)
		}
		for _, e := range x.Extensions {
			if e.ID == "2.5.29.37" && e.Critical != (name == "tsa") {
				t.Errorf("%s: extended usage critical %v", name, e.Critical)
			}
		}
	}
	for name, r := range map[string]Request{
		"a profile that is none": {Profile: "x", Subject: "CN=a"},
		"no subject":             {Profile: "person"},
		"a server without names": {Profile: "tls-server", Subject: "CN=a"},
		"a person with names":    {Profile: "person", Subject: "CN=a", Names: []string{"host.example"}},
		"a request that is none": {Profile: "person", CSR: []byte("x")},
	} {
		if _, err := a.Issue(r); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := a.List(); err != nil || len(list) != len(Profiles) {
		t.Errorf("%d records, %v", len(list), err)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	a := create(t, newClock(), Options{})
	make := func(alg pki.KeyAlgorithm, change func([]byte) []byte) []byte {
		k, err := pki.GenerateKey(rand.Reader, alg)
		if err != nil {
			t.Fatal(err)
		}
		b, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "Asker", Country: []string{"EE"}}, DNSNames: []string{"asker.example"}}, k)
		if err != nil {
			t.Fatal(err)
		}
		return change(b)
	}
	same := func(b []byte) []byte { return b }
	id, err := a.Issue(Request{Profile: "tls-server", CSR: make(pki.P256, func(b []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: b})
	})})
	if err != nil {
		t.Fatal(err)
	}
	if id.Key != nil || id.Certificate.Subject.String() != "CN=Asker,C=EE" || len(id.Certificate.DNSNames) != 1 {
		t.Errorf("%v %v", id.Certificate.Subject, id.Certificate.DNSNames)
	}
	id, err = a.Issue(Request{Profile: "person", CSR: make(pki.RSA2048, same), Subject: "CN=Other,C=EE"})
	if err != nil || id.Certificate.Subject.CommonName() != "Other" || len(id.Certificate.DNSNames) != 0 {
		t.Errorf("%v", err)
	}
	if _, err := a.Issue(Request{Profile: "person", CSR: make(pki.P256, func(b []byte) []byte { b[len(b)-1] ^= 1; return b })}); !errors.Is(err, ErrRequest) {
		t.Errorf("a request by somebody without the key: %v", err)
	}
	public := func(alg pki.KeyAlgorithm) []byte {
		k, err := pki.GenerateKey(rand.Reader, alg)
		if err != nil {
			t.Fatal(err)
		}
		b, err := pki.MarshalPublicKey(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	id, err = a.Issue(Request{Profile: "access-point", PublicKey: public(pki.X25519), Subject: "CN=Node,C=EE"})
	if err != nil || id.Key != nil || id.Certificate.KeyUsage != pki.UseKeyAgreement {
		t.Errorf("a key that signs nothing: %+v %v", id, err)
	}
	for what, r := range map[string]Request{
		"a key that could have signed": {Profile: "access-point", PublicKey: public(pki.P256), Subject: "CN=Node,C=EE"},
		"nobody":                       {Profile: "access-point", PublicKey: public(pki.X25519)},
		"two keys":                     {Profile: "access-point", PublicKey: public(pki.X25519), CSR: make(pki.P256, same)},
		"no key":                       {Profile: "access-point", PublicKey: []byte("none"), Subject: "CN=Node,C=EE"},
	} {
		if _, err := a.Issue(r); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestRevocationIsSeen: what one process revokes, another one that serves answers with, and a client sees.
func TestRevocationIsSeen(t *testing.T) {
	t.Parallel()
	c := newClock()
	server := httptest.NewServer(nil)
	defer server.Close()
	a := create(t, c, Options{URL: server.URL})
	server.Config.Handler = a.Handler()
	id, err := a.Issue(Request{Profile: "person", Subject: "CN=Ada,C=EU"})
	if err != nil {
		t.Fatal(err)
	}
	status := func(noOCSP bool) (pki.RevocationState, pki.Reason) {
		t.Helper()
		client := &revocation.Client{HTTP: server.Client(), Clock: c.now, NoOCSP: noOCSP, ByGET: true}
		s, err := client.Status(t.Context(), id.Certificate, a.Certificate(), c.now())
		if err != nil {
			t.Fatal(err)
		}
		return s.State, s.Reason
	}
	for _, noOCSP := range []bool{false, true} {
		if s, _ := status(noOCSP); s != pki.RevocationGood {
			t.Errorf("before: %v", s)
		}
	}
	c.pass(time.Minute)
	other, err := Open(a.dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Revoke(id.Certificate.SerialNumber, pki.ReasonKeyCompromise); err != nil {
		t.Fatal(err)
	}
	for _, noOCSP := range []bool{false, true} {
		if s, why := status(noOCSP); s != pki.RevocationRevoked || why != pki.ReasonKeyCompromise {
			t.Errorf("after: %v %v", s, why)
		}
	}
	if err := a.Revoke(id.Certificate.SerialNumber, pki.ReasonSuperseded); !errors.Is(err, ErrRevoked) {
		t.Errorf("twice: %v", err)
	}
	if err := a.Revoke(big.NewInt(5), 0); !errors.Is(err, ErrUnknown) {
		t.Errorf("a stranger: %v", err)
	}
	if err := a.Revoke(id.Certificate.SerialNumber, pki.ReasonHold); !errors.Is(err, ErrRequest) {
		t.Errorf("on hold: %v", err)
	}
	stranger := &pki.Certificate{SerialNumber: big.NewInt(77)}
	if s, err := (source{a, 1}).Status(t.Context(), stranger.SerialNumber); err != nil || s.State != pki.RevocationUnknown {
		t.Errorf("never issued: %v %v", s.State, err)
	}
	list, err := a.List()
	if err != nil || len(list) != 1 || list[0].RevokedAt.IsZero() || list[0].Why != pki.ReasonKeyCompromise {
		t.Errorf("%+v %v", list, err)
	}
	for _, path := range []string{"/", "/0/ca.crl", "/9/ca.crl", "/1/x", "/x/ocsp"} {
		if resp, err := server.Client().Get(server.URL + path); err != nil || resp.StatusCode != 404 {
			t.Errorf("%s: %v %v", path, resp.StatusCode, err)
		}
	}
}

func TestListsAreRenewed(t *testing.T) {
	t.Parallel()
	c := newClock()
	a := create(t, c, Options{})
	get := func() *pki.CRL {
		t.Helper()
		b, err := a.CRL()
		if err != nil {
			t.Fatal(err)
		}
		l, err := pki.ParseCRL(bytes.Clone(b))
		if err != nil || l.Verify(a.Certificate()) != nil {
			t.Fatal(err)
		}
		return l
	}
	first := get()
	c.pass(time.Hour)
	if again := get(); again.Number.Cmp(first.Number) != 0 {
		t.Error("a new list without need")
	}
	c.pass(12 * time.Hour)
	second := get()
	if second.Number.Cmp(first.Number) <= 0 || !second.NextUpdate.After(first.NextUpdate) {
		t.Error("no new list at half time")
	}
	id, err := a.Issue(Request{Profile: "person", Subject: "CN=Ada", Days: 10})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Revoke(id.Certificate.SerialNumber, pki.ReasonUnspecified); err != nil {
		t.Fatal(err)
	}
	c.pass(time.Second)
	if l := get(); !l.IsRevoked(id.Certificate.SerialNumber) {
		t.Error("no new list after a revocation")
	}
	c.pass(11 * 24 * time.Hour)
	if l := get(); l.Len() != 0 {
		t.Error("an expired certificate stays on the list")
	}
}

// TestRollover: with the new key or the old one trusted, certificates of both are.
func TestRollover(t *testing.T) {
	t.Parallel()
	c := newClock()
	a := create(t, c, Options{})
	old := a.Certificate()
	before, err := a.Issue(Request{Profile: "access-point", Subject: "CN=Before"})
	if err != nil {
		t.Fatal(err)
	}
	c.pass(24 * time.Hour)
	cross, err := a.Rollover(pki.P384, 10, nil)
	if err != nil || len(cross) != 2 {
		t.Fatal(len(cross), err)
	}
	after, err := a.Issue(Request{Profile: "access-point", Subject: "CN=After"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(after.Certificate.OCSPServers[0], "/2/") || a.Certificate().Equal(old) {
		t.Errorf("%v", after.Certificate.OCSPServers)
	}
	for name, anchor := range map[string]*pki.Certificate{"old": old, "new": a.Certificate()} {
		v := &pki.Verifier{Anchors: []pki.Anchor{{Certificate: anchor, Purposes: []pki.Purpose{pki.PurposeAccessPoint}}}, Clock: c.now}
		for _, leaf := range []*pki.Identity{before, after} {
			if _, err := v.Verify(leaf.Certificate, cross, pki.PurposeAccessPoint); err != nil {
				t.Errorf("%s trusted, %s: %v", name, leaf.Certificate.Subject, err)
			}
		}
	}
	again, err := Open(a.dir, c.now)
	if err != nil || len(again.generations) != 2 || !again.Certificate().Equal(a.Certificate()) {
		t.Errorf("%v", err)
	}
	s, err := source{again, 1}.Status(context.Background(), before.Certificate.SerialNumber)
	if err != nil || s.State != pki.RevocationGood {
		t.Errorf("the old key's certificates: %v %v", s.State, err)
	}
	if s, _ := (source{again, 2}).Status(context.Background(), before.Certificate.SerialNumber); s.State != pki.RevocationUnknown {
		t.Errorf("a certificate of the other key: %v", s.State)
	}
}

func TestSubordinate(t *testing.T) {
	t.Parallel()
	c := newClock()
	root := create(t, c, Options{})
	sub := create(t, c, Options{Subject: "CN=Sub,C=EU", Parent: root, Years: 5})
	if chain := sub.Chain(); len(chain) != 2 || !chain[1].Equal(root.Certificate()) {
		t.Fatalf("%d certificates", len(chain))
	}
	id, err := sub.Issue(Request{Profile: "person", Subject: "CN=Ada", Days: 3650})
	if err != nil {
		t.Fatal(err)
	}
	if id.Certificate.NotAfter.After(sub.Certificate().NotAfter) {
		t.Error("a certificate outlives its authority")
	}
	if _, err := sub.Rollover("", 0, nil); !errors.Is(err, ErrRequest) {
		t.Errorf("without its parent: %v", err)
	}
	if _, err := sub.Rollover("", 3, root); err != nil {
		t.Error(err)
	}
	if list, err := root.List(); err != nil || len(list) != 2 || list[0].Profile != "authority" {
		t.Errorf("%+v %v", list, err)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	c := newClock()
	a := create(t, c, Options{})
	if _, err := Create(a.dir, Options{Subject: "CN=x", URL: "http://x.example", Clock: c.now}); !errors.Is(err, ErrExists) {
		t.Errorf("a second one: %v", err)
	}
	for _, url := range []string{"", "x", "ftp://x.example"} {
		if _, err := Create(t.TempDir(), Options{Subject: "CN=x", URL: url}); !errors.Is(err, ErrRequest) {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := Open(t.TempDir(), nil); !errors.Is(err, ErrNone) {
		t.Errorf("an empty folder: %v", err)
	}
	filepath.WalkDir(a.dir, func(path string, d fs.DirEntry, err error) error {
		if info, err := d.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is for others, too", path)
		}
		return nil
	})
	if _, err := a.Issue(Request{Profile: "person", Subject: "CN=Ada"}); err != nil {
		t.Fatal(err)
	}
	records := filepath.Join(a.dir, recordsFile)
	b, err := os.ReadFile(records)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(records, append(b, "half a line"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if o, err := Open(a.dir, c.now); err != nil || len(o.records) != 1 {
		t.Errorf("a line that is being written: %v", err)
	} else if _, err := o.Issue(Request{Profile: "person", Subject: "CN=Ada"}); !errors.Is(err, ErrRecords) {
		t.Errorf("written behind half a line: %v", err)
	}
	for _, line := range []string{"x\n", strings.Replace(string(b), "issued", "forgot", 1), strings.Replace(string(b), "2026-03-01", "2026-13-01", 1)} {
		if err := os.WriteFile(records, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(a.dir, c.now); !errors.Is(err, ErrRecords) {
			t.Errorf("%q: %v", line, err)
		}
	}
}
