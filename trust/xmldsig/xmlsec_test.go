package xmldsig

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
)

// TestXMLSec1 exchanges signatures with xmlsec1, both ways, where that program is installed.
func TestXMLSec1(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("xmlsec1")
	if err != nil {
		t.Skip("xmlsec1 is not installed")
	}
	inclusive, exclusive := c14n.Method{Algorithm: c14n.Inclusive10}, c14n.Method{Algorithm: c14n.Exclusive10}
	listed := c14n.Method{Algorithm: c14n.Exclusive10, InclusivePrefixes: []string{"S", "xs"}}
	inScope := map[string]string{"S": "http://www.w3.org/2003/05/soap-envelope", "xs": "http://www.w3.org/2001/XMLSchema", "sec": "urn:security", "q": "urn:q"}
	for _, c := range []struct {
		name   string
		key    crypto.Signer
		method string
		info   c14n.Method
		refs   c14n.Method
		digest string
	}{
		{"RSA SHA-256", rsaKey(), RSASHA256, exclusive, exclusive, SHA256},
		{"RSA SHA-384", rsaKey(), RSASHA384, exclusive, inclusive, SHA384},
		{"RSA SHA-512 with PrefixList", rsaKey(), RSASHA512, listed, listed, SHA512},
		{"ECDSA P-256 inclusive", p256Key(), ECDSASHA256, inclusive, exclusive, SHA256},
		{"ECDSA P-384 inclusive 1.1", p384Key(), ECDSASHA384, c14n.Method{Algorithm: c14n.Inclusive11}, exclusive, SHA224},
		{"ECDSA P-521", p521Key(), ECDSASHA512, exclusive, listed, SHA256},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			run := func(args ...string) {
				t.Helper()
				args = append(args, "--id-attr:Id", "urn:messaging:Messaging", "--id-attr:Id", "http://www.w3.org/2003/05/soap-envelope:Body", filepath.Join(dir, "doc.xml"))
				if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
					t.Errorf("xmlsec1 %s: %v\n%s", args[0], err, out)
				}
			}
			write := func(name, content string) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			pub := write("pub.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(c.key.Public()))})))
			priv := write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(c.key))})))

			refs := envelopeRefs(t, c.refs)
			for i := range refs {
				refs[i].DigestMethod = c.digest
			}
			opt := SignOptions{SignatureMethod: c.method, Canonicalization: c.info, InScope: inScope}
			ours := splice(envelope, must(Sign(c.key, refs, opt)))
			write("doc.xml", ours)
			run("--verify", "--pubkey-pem", pub)

			// The same without values is the template that xmlsec1 fills in.
			template := ours
			for _, name := range []string{"DigestValue", "SignatureValue"} {
				for from := 0; ; {
					i := strings.Index(template[from:], "<ds:"+name+">")
					if i < 0 {
						break
					}
					from += i + len(name) + 5
					template = template[:from] + template[from+strings.Index(template[from:], "<"):]
				}
			}
			write("doc.xml", template)
			signed := filepath.Join(dir, "signed.xml")
			run("--sign", "--privkey-pem", priv, "--output", signed)
			theirs, err := os.ReadFile(signed)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Verify(signatureIn(t, parseDoc(t, string(theirs)), 0), VerifyOptions{Key: fixed(c.key.Public())})
			if err != nil {
				t.Fatalf("%v\n%s", err, theirs)
			}
			checkSigned(t, r)
			if len(r.References) != 2 || !r.References[1].Node.Valid() {
				t.Errorf("references %+v", r.References)
			}
		})
	}
	t.Run("enveloped", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "doc.xml")
		src := "<?xml version='1.0' encoding='ISO-8859-1'?>\n<!-- c --><a xmlns='urn:a' xmlns:b='urn:b'>\r\n <b:c d='\t'>caf\xe9 &#13;</b:c>\r\n</a>\n<?pi?>"
		out, err := SignEnveloped(rsaKey(), parseDoc(t, src), EnvelopedOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pub := filepath.Join(filepath.Dir(file), "pub.pem")
		key := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(rsaKey().Public()))})
		for name, content := range map[string][]byte{file: out, pub: key} {
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if text, err := exec.CommandContext(t.Context(), program, "--verify", "--pubkey-pem", pub, file).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s\n%s", err, text, out)
		}
	})
}
