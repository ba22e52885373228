package interop

import (
	"context"
	"crypto"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

func (s *scribe) extendJWS(t *testing.T, m *jades.Message, level string, documents []xades.Document) {
	t.Helper()
	to := map[string]jades.Level{"T": jades.LevelT, "LT": jades.LevelLT, "LTA": jades.LTA}[level]
	if to == "" {
		return
	}
	for _, sig := range m.Signatures {
		err := sig.Extend(context.Background(), to, jades.Extension{
			Stamper: s.tsa, Documents: documents,
			Collect: func(context.Context, []*pki.Certificate, []*pki.Certificate) (revocation.Material, error) {
				return revocation.Material{Certificates: []*pki.Certificate{s.ca.Certificate}, CRLs: [][]byte{s.crl}}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestDSSAcceptsOurJAdES: the peer reads what package jades writes: each level, serialisation, mechanism, algorithm and header.
func TestDSSAcceptsOurJAdES(t *testing.T) {
	t.Parallel()
	needDSS(t)
	dir := t.TempDir()
	s := newScribe(t)
	letter := []xades.Document{xades.Bytes("letter.xml", "text/xml", []byte(letterXML))}
	two := append(letter, xades.Bytes("remark.txt", "text/plain", []byte("yes")))
	identities := map[pki.KeyAlgorithm]*pki.Identity{}
	identity := func(alg pki.KeyAlgorithm) *pki.Identity {
		if identities[alg] == nil {
			id, err := s.ca.Issue(pki.Template{CommonName: "Signer " + string(alg), Algorithm: alg, KeyUsage: pki.UseContentCommitment})
			if err != nil {
				t.Fatal(err)
			}
			identities[alg] = id
		}
		return identities[alg]
	}
	sign := func(alg pki.KeyAlgorithm, documents []xades.Document, p jades.Params) *jades.Message {
		p.Time = time.Now()
		m, err := jades.Sign(nil, identity(alg), documents, p)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	stamp, err := jades.StampContent(context.Background(), s.tsa, crypto.SHA256, letter, jades.Params{Signer: identity(pki.P256).Certificate, Time: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	policy := sha256.Sum256([]byte("policy"))
	type form struct {
		level, inputs string
		signatures    int
		message       *jades.Message
	}
	forms := map[string]form{}
	for _, level := range levels {
		add := func(name, inputs string, documents []xades.Document, m *jades.Message) {
			s.extendJWS(t, m, level, documents)
			forms[name+" at level "+level] = form{level, inputs, len(m.Signatures), m}
		}
		add("compact", "-", letter, sign(pki.RSA2048, letter, jades.Params{}))
		add("flattened", "-", letter, sign(pki.P256, letter, jades.Params{Serialization: jades.Flattened}))
		add("general", "-", letter, sign(pki.P256, letter, jades.Params{Serialization: jades.General}))
		add("unencoded", "-", letter, sign(pki.P256, letter, jades.Params{Serialization: jades.Flattened, Raw: true}))
		add("by URI and hash", "letter.xml,remark.txt", two, sign(pki.RSA2048, two, jades.Params{Detached: true, Mechanism: jades.ByURIHash, Serialization: jades.Flattened}))
		add("by URI and hash, unencoded", "letter.xml", letter, sign(pki.P256, letter, jades.Params{Detached: true, Mechanism: jades.ByURIHash, Raw: true}))
		add("by URI", "letter.xml,remark.txt", two, sign(pki.P256, two, jades.Params{Detached: true, Mechanism: jades.ByURI}))
		add("detached without sigD", "letter.xml", letter, sign(pki.P256, letter, jades.Params{Detached: true, Serialization: jades.Flattened}))
	}
	one := func(name string, m *jades.Message) { forms[name] = form{"B", "-", len(m.Signatures), m} }
	one("PSS with SHA-512", sign(pki.RSA3072, letter, jades.Params{PSS: true, Hash: crypto.SHA512}))
	one("P-384", sign(pki.P384, letter, jades.Params{}))
	one("P-521", sign(pki.P521, letter, jades.Params{}))
	one("Ed25519", sign(pki.Ed25519, letter, jades.Params{}))
	one("a content time-stamp", sign(pki.P256, letter, jades.Params{TimeStamps: []*tsp.Token{stamp}}))
	one("every signed header", sign(pki.P256, letter, jades.Params{
		ContentType: "xml", Roles: []string{"clerk"}, Commitments: []jades.Commitment{{ID: "http://uri.etsi.org/01903/v1.2.2#ProofOfApproval", Description: "approved"}},
		Place:  &jades.Place{Street: "Toompea 1", City: "Tallinn", PostalCode: "10130", Country: "EE"},
		Policy: &jades.Policy{ID: "urn:oid:2.999.1.5", Algorithm: "S256", Digest: policy[:], URI: "http://policy.example/p", Specification: "urn:oid:2.999.1.6"},
	}))
	several := sign(pki.RSA2048, letter, jades.Params{Serialization: jades.General})
	second, err := jades.Prepare(letter, jades.Params{Signer: identity(pki.P256).Certificate, Time: time.Now(), Serialization: jades.General})
	if err != nil {
		t.Fatal(err)
	}
	value, err := second.Value(nil, identity(pki.P256).Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Add(several, value); err != nil {
		t.Fatal(err)
	}
	s.extendJWS(t, several, "LTA", letter)
	forms["two signers at level LTA"] = form{"LTA", "-", 2, several}
	countered := sign(pki.RSA2048, letter, jades.Params{Serialization: jades.Flattened})
	counter, err := jades.PrepareCounter(countered.Signatures[0], jades.Params{Signer: identity(pki.P384).Certificate, Time: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if value, err = counter.Value(nil, identity(pki.P384).Key); err != nil {
		t.Fatal(err)
	}
	if err := counter.AddCounter(value); err != nil {
		t.Fatal(err)
	}
	forms["a counter-signature"] = form{"B", "-", 2, countered}
	renewed := sign(pki.RSA2048, letter, jades.Params{})
	s.extendJWS(t, renewed, "LTA", letter)
	s.extendJWS(t, renewed, "LTA", letter)
	forms["two archive time-stamps"] = form{"LTA", "-", 1, renewed}

	var list strings.Builder
	names := map[string]string{}
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, f := range forms {
		b, err := f.message.Bytes()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		file := fmt.Sprintf("%d.json", len(names))
		names[file] = name
		write(file, b)
		fmt.Fprintf(&list, "%s\t%s\tca.crt\n", file, f.inputs)
	}
	write("letter.xml", []byte(letterXML))
	write("remark.txt", []byte("yes"))
	write("ca.crt", s.ca.Certificate.Raw)
	write("list", []byte(list.String()))
	verdicts := dss(t, "verify", "--json", "--list", filepath.Join(dir, "list"), "--base", dir)
	if len(verdicts) != len(forms) {
		t.Fatalf("%d verdicts for %d files", len(verdicts), len(forms))
	}
	for _, v := range verdicts {
		name := names[filepath.Base(v.File)]
		t.Run(name, func(t *testing.T) {
			e := entry(t, "dss", sent, took)
			f := forms[name]
			if len(v.Tokens) != f.signatures {
				t.Fatalf("%d signatures, want %d: %v", len(v.Tokens), f.signatures, v.Error)
			}
			for _, x := range v.Tokens {
				e.detail = strings.TrimSpace(x.Format + ", " + x.Indication + " " + x.SubIndication)
				broken := slices.ContainsFunc(x.References, func(r string) bool { return !strings.HasSuffix(r, ":ok") })
				if want := "JAdES-BASELINE-" + f.level; !x.Intact || broken || x.Format != want {
					t.Errorf("intact %v, references %v, format %s, want %s: %v", x.Intact, x.References, x.Format, want, x.Errors)
				}
				for _, ts := range x.Timestamps {
					if !ts.ImprintFound || !ts.ImprintIntact || !ts.SignatureIntact {
						t.Errorf("time-stamp %+v", ts)
					}
				}
				if strings.HasPrefix(f.level, "LT") && x.Indication != "TOTAL_PASSED" {
					t.Errorf("%s %s: %v", x.Indication, x.SubIndication, x.Errors)
				}
			}
		})
	}
}

// TestWeAcceptJAdESOfDSS: we judge what the peer signs as good, and extend it so that both still do.
func TestWeAcceptJAdESOfDSS(t *testing.T) {
	t.Parallel()
	needDSS(t)
	dir := t.TempDir()
	in := filepath.Join(dir, "letter.xml")
	if err := os.WriteFile(in, []byte(letterXML), 0o600); err != nil {
		t.Fatal(err)
	}
	ours := filepath.Join(dir, "pki")
	run := func(args ...string) {
		t.Helper()
		if out, err := dssCommand(args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	run("pki", "--dir", ours)
	root, err := os.ReadFile(filepath.Join(ours, "root.crt"))
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := pki.ParseCertificate(root)
	if err != nil {
		t.Fatal(err)
	}
	documents := []xades.Document{xades.Bytes("letter.xml", "", []byte(letterXML))}
	for _, c := range []struct {
		packaging, key string
		levels         []string
	}{
		{"enveloping", "signer-rsa", levels},
		{"enveloping", "signer-ec", levels[3:]},
		{"detached", "signer-pss", levels[3:]},
		{"detached", "signer-ec", levels[:1]},
	} {
		for _, level := range c.levels {
			t.Run(fmt.Sprintf("%s-%s-%s", c.packaging, c.key, level), func(t *testing.T) {
				e := entry(t, "dss", received, took)
				out := filepath.Join(dir, c.packaging+c.key+level)
				run("sign", "--pki", ours, "--p12", filepath.Join(ours, c.key+".p12"), "--format", "jades", "--packaging", c.packaging, "--level", level, "--out", out, in)
				b, err := os.ReadFile(out)
				if err != nil {
					t.Fatal(err)
				}
				r, err := gather.Open(b, gather.Options{Anchors: []*pki.Certificate{anchor}, Documents: documents})
				if err != nil {
					t.Fatal(err)
				}
				v := validation.Validate(r.Facts, nil, time.Now())[0]
				e.detail = strings.TrimSpace(fmt.Sprintf("%s, %s %s", r.Signatures[0].Level, v.Indication, v.Sub))
				if want := "JAdES-BASELINE-" + level; r.Signatures[0].Level != want {
					t.Errorf("level %s, want %s", r.Signatures[0].Level, want)
				}
				lasting := strings.HasPrefix(level, "LT") // others bring no revocation data along
				if lasting && v.Indication != validation.TotalPassed || !lasting && v.Sub != validation.ChainGeneralFailure {
					t.Errorf("%s %s: %s", v.Indication, v.Sub, v.Why)
				}
			})
		}
	}
	t.Run("extended here and there", func(t *testing.T) {
		e := entry(t, "dss", sent, took)
		s := newScribe(t)
		first, second := filepath.Join(dir, "first.json"), filepath.Join(dir, "second.json")
		run("sign", "--pki", ours, "--p12", filepath.Join(ours, "signer-rsa.p12"), "--format", "jades", "--level", "LTA", "--out", first, in)
		b, err := os.ReadFile(first)
		if err != nil {
			t.Fatal(err)
		}
		m, err := jades.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		s.extendJWS(t, m, "LTA", documents)
		if b, err = m.Bytes(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(first, b, 0o600); err != nil {
			t.Fatal(err)
		}
		run("extend", "--pki", ours, "--trust", filepath.Join(ours, "root.crt"), "--format", "jades", "--level", "LTA", "--out", second, first)
		if b, err = os.ReadFile(second); err != nil {
			t.Fatal(err)
		}
		r, err := gather.Open(b, gather.Options{Anchors: []*pki.Certificate{anchor, s.ca.Certificate}})
		if err != nil {
			t.Fatal(err)
		}
		v := validation.Validate(r.Facts, nil, time.Now())[0]
		if v.Indication != validation.TotalPassed || len(r.Signatures[0].TimeStamps) != 4 {
			t.Errorf("%s %s: %s, %d time-stamps", v.Indication, v.Sub, v.Why, len(r.Signatures[0].TimeStamps))
		}
		ca := filepath.Join(dir, "ca.crt")
		if err := os.WriteFile(ca, s.ca.Certificate.Raw, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, v := range dss(t, "verify", "--json", "--trust", filepath.Join(ours, "root.crt"), "--trust", ca, second) {
			for _, x := range v.Tokens {
				if e.detail = x.Format + ", " + x.Indication; x.Indication != "TOTAL_PASSED" || len(x.Timestamps) != 4 {
					t.Errorf("%s %s: %v, %d time-stamps", x.Indication, x.SubIndication, x.Errors, len(x.Timestamps))
				}
			}
		}
	})
}
