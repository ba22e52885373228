package interop

import (
	"bytes"
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

	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

// TestDSSReadsEveryFormOfCAdES: the peer reads what package cades can write, whichever algorithm, attribute or encoding.
func TestDSSReadsEveryFormOfCAdES(t *testing.T) {
	t.Parallel()
	needDSS(t)
	dir := t.TempDir()
	s := newScribe(t)
	now := time.Now()
	content := []byte(letterXML)
	identity := func(alg pki.KeyAlgorithm) *pki.Identity {
		id, err := s.ca.Issue(pki.Template{CommonName: "Signer " + string(alg), Algorithm: alg, KeyUsage: pki.UseContentCommitment})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	sign := func(alg pki.KeyAlgorithm, p cades.Parameters) *cades.Signature {
		p.SigningTime = now
		sig, err := cades.Sign(nil, identity(alg), content, false, p)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	extend := func(sig *cades.Signature, level cades.Level, hash crypto.Hash) {
		err := sig.Extend(context.Background(), level, cades.Extension{Stamper: s.tsa, Hash: hash, Collect: func(context.Context, []*pki.Certificate, []*pki.Certificate) (cades.Material, error) {
			return cades.Material{Certificates: []*pki.Certificate{s.ca.Certificate}, CRLs: [][]byte{s.crl}}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	policy := sha256.Sum256([]byte("policy"))
	stamp, err := cades.StampContent(context.Background(), s.tsa, crypto.SHA256, cms.Bytes(content))
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string]func() *cms.SignedData{
		"PSS with SHA-512": func() *cms.SignedData {
			return sign(pki.RSA3072, cades.Parameters{PSS: true, Hash: crypto.SHA512}).Message
		},
		"P-384 with SHA-384":  func() *cms.SignedData { return sign(pki.P384, cades.Parameters{Hash: crypto.SHA384}).Message },
		"P-521 with SHA3-512": func() *cms.SignedData { return sign(pki.P521, cades.Parameters{Hash: crypto.SHA3_512}).Message },
		"Brainpool P-256":     func() *cms.SignedData { return sign(pki.BrainpoolP256r1, cades.Parameters{}).Message },
		"Ed25519":             func() *cms.SignedData { return sign(pki.Ed25519, cades.Parameters{}).Message },
		"named by key":        func() *cms.SignedData { return sign(pki.RSA2048, cades.Parameters{ByKey: true}).Message },
		"content time-stamp": func() *cms.SignedData {
			return sign(pki.P256, cades.Parameters{TimeStamps: []*tsp.Token{stamp}}).Message
		},
		"all signed attributes": func() *cms.SignedData {
			return sign(pki.P256, cades.Parameters{
				Commitments: []cades.Commitment{{ID: cades.ProofOfApproval}, {ID: cades.ProofOfOrigin}}, MimeType: "application/xml", Identifier: []byte("4711"),
				Location: &cades.Location{Country: "EE", Locality: "Tallinn", Postal: []string{"Toompea 1"}},
				Claimed:  []cades.ClaimedAttribute{{Type: cades.RoleAttribute, Values: []string{"clerk"}}},
				Policy:   &cades.Policy{ID: "2.999.1.5", HashOID: pki.OIDByHash(crypto.SHA256), Digest: policy[:], URI: "http://policy.example/p", Specification: "2.999.1.6"},
			}).Message
		},
		"two signers and a counter-signature": func() *cms.SignedData {
			first, second, third := sign(pki.RSA2048, cades.Parameters{}), identity(pki.P256), identity(pki.P384)
			q, err := cades.Prepare(first.Message.Content(), cades.Parameters{Certificate: second.Certificate, SigningTime: now})
			if err != nil {
				t.Fatal(err)
			}
			signer, err := q.Sign(nil, second.Key)
			if err != nil {
				t.Fatal(err)
			}
			q.Add(first.Message, signer)
			if q, err = cades.PrepareCounter(first, cades.Parameters{Certificate: third.Certificate, SigningTime: now}); err != nil {
				t.Fatal(err)
			}
			if signer, err = q.Sign(nil, third.Key); err != nil {
				t.Fatal(err)
			}
			if err := q.AddCounter(first, signer); err != nil {
				t.Fatal(err)
			}
			return first.Message
		},
		"two archive time-stamps": func() *cms.SignedData {
			sig := sign(pki.RSA2048, cades.Parameters{})
			extend(sig, cades.LTA, crypto.SHA256)
			extend(sig, cades.LTA, crypto.SHA512)
			return sig.Message
		},
		"BER from a stream, extended to LTA": func() *cms.SignedData {
			id := identity(pki.P256)
			var b bytes.Buffer
			err := cms.WriteAttached(&b, cms.ContentData, bytes.NewReader(content), []crypto.Hash{crypto.SHA256}, func(c cms.Content) (*cms.SignedData, error) {
				q, err := cades.Prepare(c, cades.Parameters{Certificate: id.Certificate, SigningTime: now})
				if err != nil {
					return nil, err
				}
				signer, err := q.Sign(nil, id.Key)
				if err != nil {
					return nil, err
				}
				return q.Message(signer, nil)
			})
			if err != nil {
				t.Fatal(err)
			}
			m, err := cms.Parse(b.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			extend(cades.Read(m)[0], cades.LTA, crypto.SHA256)
			return m
		},
	}
	var list strings.Builder
	names := map[string]string{}
	for name, form := range forms {
		b, err := form().Bytes()
		if err != nil {
			t.Fatal(err)
		}
		file := fmt.Sprintf("%d.p7m", len(names))
		names[file] = name
		if err := os.WriteFile(filepath.Join(dir, file), b, 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&list, "%s\t-\tca.crt\n", file)
	}
	for name, b := range map[string][]byte{"ca.crt": s.ca.Certificate.Raw, "list": []byte(list.String())} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verdicts := dss(t, "verify", "--json", "--list", filepath.Join(dir, "list"), "--base", dir)
	if len(verdicts) != len(forms) {
		t.Fatalf("%d verdicts for %d files", len(verdicts), len(forms))
	}
	for _, v := range verdicts {
		name := names[filepath.Base(v.File)]
		t.Run(name, func(t *testing.T) {
			e := entry(t, "dss", sent, took)
			want, level := 1, "CAdES-BASELINE-B"
			if strings.HasPrefix(name, "two signers") {
				want = 3
			}
			if strings.Contains(name, "archive") || strings.Contains(name, "LTA") {
				level = "CAdES-BASELINE-LTA"
			}
			if len(v.Tokens) != want {
				t.Fatalf("%d signatures, want %d: %v", len(v.Tokens), want, v.Error)
			}
			for _, x := range v.Tokens {
				e.detail = strings.TrimSpace(x.Format + ", " + x.Indication + " " + x.SubIndication)
				if broken := slices.ContainsFunc(x.References, func(r string) bool { return !strings.HasSuffix(r, ":ok") }); !x.Intact || broken || x.Format != level {
					t.Errorf("intact %v, references %v, format %s, want %s", x.Intact, x.References, x.Format, level)
				}
				for _, ts := range x.Timestamps {
					if !ts.ImprintFound || !ts.ImprintIntact || !ts.SignatureIntact {
						t.Errorf("time-stamp %+v", ts)
					}
				}
				if strings.HasSuffix(level, "LTA") && x.Indication != "TOTAL_PASSED" {
					t.Errorf("%s %s: %v", x.Indication, x.SubIndication, x.Errors)
				}
			}
		})
	}
}
