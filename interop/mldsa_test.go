package interop

import (
	"crypto"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// TestMLDSAOfOpenSSL: what we sign in XML with ML-DSA is a signature for OpenSSL, and what it signs is one for us. The canonical form
// of SignedInfo, which both are over, is ours.
func TestMLDSAOfOpenSSL(t *testing.T) {
	t.Parallel()
	python := "peers/discovery/.build/venv/bin/python"
	needPeers(t, python)
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(args ...string) error {
		out, err := exec.Command(python, append([]string{"testdata/mldsa.py"}, args...)...).CombinedOutput()
		if err != nil {
			t.Logf("%s", out)
		}
		return err
	}
	for _, c := range []struct {
		level string
		alg   pki.KeyAlgorithm
		uri   string
	}{{"44", pki.MLDSA44, xmldsig.MLDSA44}, {"65", pki.MLDSA65, xmldsig.MLDSA65}, {"87", pki.MLDSA87, xmldsig.MLDSA87}} {
		t.Run("ML-DSA-"+c.level, func(t *testing.T) {
			e := entry(t, "OpenSSL", sent, took)
			key, err := pki.GenerateKey(nil, c.alg)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := dom.Parse([]byte(`<r><b Id="b">text</b></r>`), dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			refs := []xmldsig.SignReference{{URI: "#b", Node: doc.Root().FirstElement(), DigestMethod: xmldsig.SHA256, Transforms: []xmldsig.Transform{xmldsig.Canonicalize(c14n.Method{Algorithm: c14n.Exclusive10})}}}
			p, err := xmldsig.Prepare(key.Public(), refs, xmldsig.SignOptions{SignatureMethod: c.uri})
			if err != nil {
				t.Fatal(err)
			}
			value, err := p.Value(key.(crypto.Signer), nil)
			if err != nil {
				t.Fatal(err)
			}
			spki, err := pki.MarshalPublicKey(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			private, err := pki.MarshalPrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			octets := write(c.level+".octets", p.ToBeSigned())
			public := write(c.level+".pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
			if err := run(c.level, public, octets, write(c.level+".sig", value)); err != nil {
				t.Errorf("our signature: %v", err)
			}
			value[0] ^= 1
			if err := run(c.level, public, octets, write(c.level+".bad", value)); err == nil {
				t.Error("a signature with another bit holds")
			}
			theirs := filepath.Join(dir, c.level+".theirs")
			if err := run(c.level, write(c.level+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), octets, theirs); err != nil {
				t.Fatalf("our key: %v", err)
			}
			b, err := os.ReadFile(theirs)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Complete(b); err != nil {
				t.Errorf("their signature: %v", err)
			}
			e.detail = "signature value both ways"
		})
	}
}
