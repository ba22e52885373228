package node_test

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/edelivery/smp"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/authority"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/console"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// accessPoints is the authority of a test network.
func accessPoints(t *testing.T, r *setup.Result) *pki.Authority {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.Network, "access-point-ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := pki.LoadIdentity(b, "")
	if err != nil {
		t.Fatal(err)
	}
	a, err := pki.OpenAuthority(id, nil, time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// nextKey issues another certificate for a node and writes it beside its keys.
func nextKey(t *testing.T, r *setup.Result, name string, alg pki.KeyAlgorithm) *pki.Certificate {
	t.Helper()
	id, err := accessPoints(t, r).Issue(pki.Template{CommonName: r.Party, Organization: "next", Country: "EE", Algorithm: alg, NotAfter: time.Now().AddDate(5, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := id.MarshalPEM()
	if err == nil {
		err = os.WriteFile(filepath.Join(r.Dir, "keys", name), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return id.Certificate
}

// published is what a publisher names for a participant.
func (g *gateway) published(t *testing.T, p ids.Participant, d ids.DocumentType) *smp.Endpoint {
	t.Helper()
	e, err := g.Store.Entry(context.Background(), store.EntryKey{Participant: p.String(), DocType: d.String(), Generation: smp.OASIS10.String()})
	if err != nil {
		t.Fatal(err)
	}
	md, err := smp.ParseServiceMetadata(e.Octets)
	if err != nil {
		t.Fatal(err)
	}
	return &md.Processes[0].Endpoints[0]
}

// TestKeysAreRolledOver: the next key is planned, published and taken into use at its times, while messages pass both
// ways and none is lost; what is encrypted for either key is read at any time.
func TestKeysAreRolledOver(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	clock := &movingClock{at: time.Now()}
	ee, pt := beginAt(t, a, clock.now, nil), beginAt(t, b, clock.now, nil)
	old := ee.Identity().Certificate
	p, d, process := ids.Participant{Scheme: "iso6523-actorid-upis", Value: "9999:rollover"}, ids.DocumentType{Scheme: "busdox-docid-qns", Value: "urn:test::letter"}, ids.Process{Scheme: "cenbii-procid-ubl", Value: "urn:test:process"}
	if err := ee.Register(context.Background(), p, d, process, as4.Profiles["eu-edelivery"]); err != nil {
		t.Fatal(err)
	}
	cross := func(when string) {
		t.Helper()
		for _, g := range [][2]*gateway{{ee, pt}, {pt, ee}} {
			m := g[0].send(t, letter(text("a.txt", when)))
			g[0].until(t, store.Out, m.MessageID, store.Acknowledged)
			g[1].until(t, store.In, m.MessageID, store.Delivered)
		}
	}
	upkeep := func() {
		t.Helper()
		for _, g := range []*gateway{ee, pt} {
			if err := g.Upkeep(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	state := func(when string, signs, publishes *pki.Certificate) {
		t.Helper()
		upkeep()
		if got := ee.Identity().Certificate; !got.Equal(signs) {
			t.Errorf("%s: %s signs, not %s", when, got.SerialNumber, signs.SerialNumber)
		}
		if got := ee.published(t, p, d).Encryption(); !got.Equal(publishes) {
			t.Errorf("%s: %s is published, not %s", when, got.SerialNumber, publishes.SerialNumber)
		}
		cross(when)
	}
	state("before", old, old)

	next := nextKey(t, a, "next.pem", pki.RSA2048)
	day := 24 * time.Hour
	publish, activate := clock.now().Add(2*day), clock.now().Add(16*day)
	plan := &config.Rollover{Signing: []config.Successor{{Key: config.Path(filepath.Join(a.Dir, "keys", "next.pem")), Publish: config.Time(publish), Activate: config.Time(activate)}}}
	c, err := config.Load(a.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	in, err := c.Rollover()
	if err != nil {
		t.Fatal(err)
	}
	in.Signing = plan.Signing
	if err := in.Write(); err != nil {
		t.Fatal(err)
	}
	// The partner is told, and takes both.
	if err := os.WriteFile(filepath.Join(b.Dir, "trust", "ee-next.pem"), pki.MarshalPEM(next), 0o600); err != nil {
		t.Fatal(err)
	}
	edit(t, b.ConfigFile, func(text []byte) []byte {
		return []byte(strings.Replace(string(text), "    certificates: [trust/partner-ee.pem]\n", "    certificates: [trust/partner-ee.pem]\n    next: {certificate: trust/ee-next.pem, from: "+config.Time(publish).String()+", until: "+config.Time(activate.Add(day)).String()+"}\n", 1))
	})
	for _, g := range []*gateway{ee, pt} {
		if _, err := g.Reload(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	state("planned", old, old)
	if got := ee.alerts(t, "?state=open"); len(got) != 0 {
		t.Errorf("16 days before: %v", got)
	}
	encryptsFor := func(when string, want *pki.Certificate) {
		t.Helper()
		pm := pt.PMode("letters")
		got := pm.EncryptionCertificate
		if got == nil {
			got = pm.Certificates[0]
		}
		if !got.Equal(want) {
			t.Errorf("%s: the partner encrypts for %s", when, got.SerialNumber)
		}
	}
	encryptsFor("planned", old)
	clock.move(2*day + time.Minute)
	state("published", old, next)
	encryptsFor("published", next)
	if got := ee.alerts(t, "?state=open"); len(got) != 1 || !strings.HasPrefix(got[0], "open key-change:signing ") {
		t.Errorf("14 days before: %v", got)
	}
	var uses []string
	for _, k := range ee.OwnCertificates() {
		uses = append(uses, string(k.Use)+" "+k.Fingerprint)
	}
	sum := func(c *pki.Certificate) string { s := c.Fingerprint(); return hex.EncodeToString(s[:]) }
	if want := []string{string(console.UseSigning) + " " + sum(old), string(console.UseNext) + " " + sum(next)}; !slices.Equal(uses, want) {
		t.Errorf("certificates: %v, want %v", uses, want)
	}
	clock.move(14 * day)
	state("activated", next, next)
	clock.move(2 * day)
	state("the partner takes the new one alone", next, next)
	if pm := pt.PMode("letters"); len(pm.Certificates) != 1 || !pm.Certificates[0].Equal(next) {
		t.Errorf("the partner still takes %d certificates", len(pm.Certificates))
	}
	if got := ee.administration(t); !slices.Contains(got, "key.activate") {
		t.Errorf("the change is not in the log: %v", got)
	}

	// A start finds the same.
	ee.Stop(context.Background())
	ee = beginAt(t, a, clock.now, nil)
	state("after a start", next, next)
}

// administration are the acts in the log.
func (g *gateway) administration(t *testing.T) (out []string) {
	t.Helper()
	size, _, err := g.Store.LogState(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	list, err := g.Store.LogEntries(context.Background(), 0, int(size))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range list {
		if e, err := audit.Parse(k.Octets); err == nil && e.Type == audit.Administration {
			out = append(out, e.Detail)
		}
	}
	return out
}

// TestSeparateEncryptionKeysAreRolledOver: signing and encryption have times of their own.
func TestSeparateEncryptionKeysAreRolledOver(t *testing.T) {
	t.Parallel()
	a, b := agreeBy(t, "eu-edelivery2")
	clock := &movingClock{at: time.Now()}
	ee, pt := beginAt(t, a, clock.now, nil), beginAt(t, b, clock.now, nil)
	oldSign := ee.Identity().Certificate
	nextSign, nextEncrypt := nextKey(t, a, "next.pem", pki.Ed25519), nextKey(t, a, "next-encryption.pem", pki.X25519)
	day := 24 * time.Hour
	plan := "signing: [{key: keys/next.pem, activate: " + config.Time(clock.now().Add(3*day)).String() + "}]\n" +
		"encryption: [{key: keys/next-encryption.pem, publish: " + config.Time(clock.now().Add(day)).String() + ", activate: " + config.Time(clock.now().Add(2*day)).String() + "}]\n"
	if err := os.WriteFile(filepath.Join(a.Dir, "rollover.yaml"), []byte(plan), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ee.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	p, d, process := ids.Participant{Scheme: "iso6523-actorid-upis", Value: "9999:two"}, ids.DocumentType{Scheme: "busdox-docid-qns", Value: "urn:test::letter"}, ids.Process{Scheme: "cenbii-procid-ubl", Value: "urn:test:process"}
	if err := ee.Register(context.Background(), p, d, process, as4.Profiles["eu-edelivery2"]); err != nil {
		t.Fatal(err)
	}
	named := func() (sign, encrypt *pki.Certificate) {
		t.Helper()
		if err := ee.Upkeep(context.Background()); err != nil {
			t.Fatal(err)
		}
		e, err := ee.Store.Entry(context.Background(), store.EntryKey{Participant: p.String(), DocType: d.String(), Generation: smp.OASIS20.String()})
		if err != nil {
			t.Fatal(err)
		}
		md, err := smp.ParseServiceMetadata(e.Octets)
		if err != nil {
			t.Fatal(err)
		}
		return md.Processes[0].Endpoints[0].Signing(), md.Processes[0].Endpoints[0].Encryption()
	}
	if s, e := named(); !s.Equal(oldSign) || e.Equal(nextEncrypt) {
		t.Error("the next keys are published at once")
	}
	clock.move(day + time.Minute)
	if s, e := named(); !s.Equal(oldSign) || !e.Equal(nextEncrypt) {
		t.Error("after a day the next encryption key is to be published, beside the old signing key")
	}
	m := pt.send(t, letter(text("a.txt", "for the former key")))
	ee.until(t, store.In, m.MessageID, store.Delivered)
	clock.move(2 * day)
	if s, e := named(); !s.Equal(nextSign) || !e.Equal(nextEncrypt) {
		t.Error("after three days both are the next")
	}
}

func TestPlansThatCannotWork(t *testing.T) {
	t.Parallel()
	a, _ := agree(t)
	g := begin(t, a, nil, nil)
	for _, k := range []struct{ name, plan, want string }{
		{"no such file", "signing: [{key: keys/none.pem, activate: 2030-01-01}]\n", "no such file"},
		{"no key", "signing: [{key: trust/access-points.pem, activate: 2030-01-01}]\n", "trust/access-points.pem"},
		{"encryption has no key of its own", "encryption: [{key: keys/as4.pem, activate: 2030-01-01}]\n", "without as4.encryption"},
	} {
		if err := os.WriteFile(filepath.Join(a.Dir, "rollover.yaml"), []byte(k.plan), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Reload(context.Background()); err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%s: got %v, want %s", k.name, err, k.want)
		}
	}
	resp, body := g.call(t, "GET", "/api/v1/messages", "", nil)
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestTrustIsReadAnew: authorities and revocation lists change while the node runs; what is damaged leaves the last good
// one in use, with an alert.
func TestTrustIsReadAnew(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ca := accessPoints(t, a)
	file := filepath.Join(b.Dir, "trust", "ca.crl")
	clock := &movingClock{at: time.Now()}
	revoke := func(list ...*pki.Certificate) {
		t.Helper()
		crl, err := ca.CRL(list, clock.now())
		if err == nil {
			err = os.WriteFile(file, crl, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	revoke()
	edit(t, b.ConfigFile, func(text []byte) []byte {
		return []byte(strings.Replace(string(text), "  # crls: [trust/ca.crl]\n", "  crls: [trust/ca.crl]\n", 1))
	})
	pt := beginAt(t, b, clock.now, func(c *config.Config) {
		if len(c.AS4.CRLs) != 1 {
			t.Fatal("the list is not configured")
		}
	})
	id, err := pki.LoadIdentity(must(os.ReadFile(filepath.Join(a.Dir, "keys", "as4.pem"))), "")
	if err != nil {
		t.Fatal(err)
	}
	judge := func(when string, want error) {
		t.Helper()
		if err := pt.Upkeep(context.Background()); err != nil {
			t.Fatal(err)
		}
		if _, err := pt.Trust().Verify(id.Certificate, nil, pki.PurposeAccessPoint); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%s: %v, want %v", when, err, want)
		}
	}
	open := func(when string, want ...string) {
		t.Helper()
		got := pt.alerts(t, "?state=open")
		if !slices.Equal(got, want) {
			t.Errorf("%s: alerts %v, want %v", when, got, want)
		}
	}
	judge("at first", nil)
	clock.move(time.Second)
	revoke(id.Certificate)
	judge("revoked", pki.ErrRevoked)
	open("revoked")
	put(t, file, "damaged")
	judge("the list is damaged", pki.ErrRevoked)
	open("damaged", "open revocation-list:ca.crl")
	clock.move(time.Second)
	revoke()
	judge("released", nil)
	open("mended")
	clock.move(8 * 24 * time.Hour)
	judge("past the next update", nil)
	open("past the next update", "open revocation-list:ca.crl")
	revoke(id.Certificate)
	judge("the next list", pki.ErrRevoked)
	open("the next list")
	clock.move(time.Second)
	revoke()
	judge("released again", nil)

	anchor := filepath.Join(b.Dir, "trust", "access-points.pem")
	good := must(os.ReadFile(anchor))
	put(t, anchor, "damaged")
	if err := pt.Upkeep(context.Background()); err == nil {
		t.Error("a damaged authority is taken")
	}
	open("damaged authority", "open trouble:trust")
	if _, err := pt.Trust().Verify(id.Certificate, nil, pki.PurposeAccessPoint); err != nil {
		t.Errorf("the last good authority is not in use: %v", err)
	}
	put(t, anchor, string(good))
	judge("mended authority", nil)
	open("mended authority")
	other, err := pki.NewAuthority(nil, "CN=Another CA", pki.P256, time.Now().Add(-time.Hour), 5)
	if err != nil {
		t.Fatal(err)
	}
	put(t, file, string(must(other.CRL(nil, clock.now()))))
	put(t, anchor, string(pki.MarshalPEM(other.Certificate)))
	if _, err := pt.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	judge("an authority that is gone", pki.ErrUntrusted)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestAKeyIsRequestedPlannedAndActivated goes the way of the command line.
func TestAKeyIsRequestedPlannedAndActivated(t *testing.T) {
	t.Parallel()
	a, _ := agree(t)
	c, err := config.Load(a.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	made, err := node.RequestKey(c, node.KeySigning, now)
	if err != nil {
		t.Fatal(err)
	}
	keyFile, requestFile := made.Key, made.Request
	if info, err := os.Stat(keyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v %v", info, err)
	}
	block, _ := pem.Decode(must(os.ReadFile(requestFile)))
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || request.CheckSignature() != nil || request.Subject.CommonName != a.Party {
		t.Fatalf("%+v %v", request, err)
	}
	issue := func(file string, from, to time.Time, by *pki.Authority) string {
		t.Helper()
		id, err := by.Issue(pki.Template{CommonName: a.Party, Country: "EE", PublicKey: request.PublicKey, NotBefore: from, NotAfter: to})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), file)
		put(t, path, string(pki.MarshalPEM(id.Certificate)))
		return path
	}
	ca := accessPoints(t, a)
	stranger, err := pki.NewAuthority(nil, "CN=Stranger", pki.P256, now.Add(-time.Hour), 5)
	if err != nil {
		t.Fatal(err)
	}
	year := 365 * 24 * time.Hour
	for _, k := range []struct {
		name string
		p    node.PlannedKey
		want string
	}{
		{"by a stranger", node.PlannedKey{Certificate: issue("s.pem", now.Add(-time.Hour), now.Add(year), stranger)}, "no path to a trust anchor"},
		{"over before it begins", node.PlannedKey{Certificate: issue("e.pem", now.Add(-time.Hour), now.Add(24*time.Hour), ca)}, "before it takes over"},
		{"not yet valid", node.PlannedKey{Certificate: issue("n.pem", now.Add(30*24*time.Hour), now.Add(year), ca)}, "is not valid before"},
		{"nothing", node.PlannedKey{}, "neither key nor certificate"},
	} {
		if _, _, err := node.PlanKey(c, node.KeySigning, k.p, now); !errors.Is(err, node.ErrKeyPlan) || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%s: got %v, want %s", k.name, err, k.want)
		}
	}
	good := issue("good.pem", now.Add(-time.Hour), now.Add(2*year), ca)
	cert, s, err := node.PlanKey(c, node.KeySigning, node.PlannedKey{Certificate: good}, now)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Publish.T().Equal(now) || !s.Activate.T().Equal(now.Add(node.Overlap)) || !strings.HasPrefix(string(s.Certificate), filepath.Join(a.Dir, "keys")) {
		t.Errorf("planned %+v", s)
	}
	if _, _, err := node.PlanKey(c, node.KeySigning, node.PlannedKey{Certificate: good}, now); !errors.Is(err, node.ErrKeyPlan) {
		t.Errorf("the same again: %v", err)
	}
	uses := func(at time.Time) (out []string) {
		list, err := node.ConfiguredKeys(c, at)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range list {
			out = append(out, string(k.Use))
		}
		return out
	}
	if got := uses(now); !slices.Equal(got, []string{"signing", "next", "publisher"}) {
		t.Errorf("%v", got)
	}
	was, err := node.ActivateKey(c, node.KeySigning, now, now)
	if err != nil || !was.Equal(now.Add(node.Overlap)) {
		t.Fatal(was, err)
	}
	if got := uses(now); !slices.Equal(got, []string{"former", "signing", "publisher"}) {
		t.Errorf("%v", got)
	}
	g := begin(t, a, nil, nil)
	if !g.Identity().Certificate.Equal(cert) {
		t.Error("the node does not sign with it")
	}
	if _, err := node.ActivateKey(c, node.KeySigning, now, now); !errors.Is(err, node.ErrKeyPlan) {
		t.Errorf("nothing is left to activate: %v", err)
	}
}

// TestKeysOfEveryKindAreRenewed: Brainpool keys ask like others, and X25519 shows its public key.
func TestKeysOfEveryKindAreRenewed(t *testing.T) {
	t.Parallel()
	for _, k := range []struct {
		profile string
		use     node.KeyUse
		request bool
	}{{"bdew", node.KeySigning, true}, {"entsog", node.KeySigning, true}, {"entsog", node.KeyEncryption, false}, {"eu-edelivery2-ec", node.KeySigning, true}} {
		t.Run(k.profile+" "+string(k.use), func(t *testing.T) {
			t.Parallel()
			a, _ := agreeBy(t, k.profile)
			c, err := config.Load(a.ConfigFile)
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now().UTC().Truncate(time.Second)
			r, err := node.RequestKey(c, k.use, now)
			if err != nil {
				t.Fatal(err)
			}
			if (r.Request != "") != k.request || (r.PublicKey != "") == k.request || !strings.Contains(r.Subject, a.Party) {
				t.Fatalf("%+v", r)
			}
			dir := filepath.Join(t.TempDir(), "ca")
			root := accessPoints(t, a)
			ca, err := authority.Create(dir, authority.Options{Subject: "CN=Pilot", URL: "http://127.0.0.1:1"})
			if err != nil {
				t.Fatal(err)
			}
			ask := authority.Request{Profile: "access-point", Subject: r.Subject}
			if k.request {
				ask.Subject, ask.CSR = "", must(os.ReadFile(r.Request))
			} else {
				ask.PublicKey = must(os.ReadFile(r.PublicKey))
			}
			got, err := ca.Issue(ask)
			if err != nil {
				t.Fatal(err)
			}
			if got.Certificate.Subject.String() != r.Subject {
				t.Errorf("it is for %s, not %s", got.Certificate.Subject, r.Subject)
			}
			certificate := filepath.Join(t.TempDir(), "next.pem")
			put(t, certificate, string(pki.MarshalPEM(got.Certificate)))
			put(t, filepath.Join(a.Dir, "trust", "access-points.pem"), string(pki.MarshalPEM(ca.Certificate(), root.Certificate)))
			plan, _, err := node.PlanKey(c, k.use, node.PlannedKey{Certificate: certificate}, now)
			if err != nil {
				t.Fatal(err)
			}
			if !plan.Equal(got.Certificate) {
				t.Error("another certificate is planned")
			}
		})
	}
}
