package cms

import (
	"bytes"
	"crypto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// TestOpenSSLReadsOurs: what is written here verifies there.
func TestOpenSSLReadsOurs(t *testing.T) {
	t.Parallel()
	content := []byte("for another program\n")
	root := write(t, "root.pem", pki.MarshalPEM(authority().Certificate))
	for _, c := range signing {
		if c.hash == crypto.SHA3_256 || c.hash == crypto.SHA3_384 || c.key == pki.Ed25519 {
			continue // OpenSSL 3.0 has neither in CMS
		}
		for _, detached := range []bool{false, true} {
			b, err := Sign(identity(t, c.key), content, detached, Template{Hash: c.hash, PSS: c.pss, SigningTime: now})
			if err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(t.TempDir(), "out")
			args := []string{"cms", "-verify", "-binary", "-inform", "DER", "-in", write(t, "m.p7s", b), "-CAfile", root, "-purpose", "any",
				"-attime", "1772366400", "-out", out}
			if detached {
				args = append(args, "-content", write(t, "content", content))
			}
			if msg, err := openssl(t, args...); err != nil {
				t.Errorf("%s %s pss=%v detached=%v: %s", c.key, c.hash, c.pss, detached, msg)
				continue
			}
			if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s: content came out as %q, %v", c.key, got, err)
			}
		}
	}
}

// TestOursReadsOpenSSL: what is written there, with the options that change the form, verifies here.
func TestOursReadsOpenSSL(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("from another program\n"), 5000)
	in := write(t, "content", content)
	for name, c := range map[string]struct {
		key      pki.KeyAlgorithm
		args     []string
		detached bool
	}{
		"DER, attached":                {pki.RSA2048, []string{"-nodetach"}, false},
		"DER, detached":                {pki.RSA2048, nil, true},
		"indefinite lengths, segments": {pki.RSA2048, []string{"-nodetach", "-stream"}, false},
		"without signed attributes":    {pki.RSA2048, []string{"-nodetach", "-noattr"}, false},
		"signer named by key":          {pki.P256, []string{"-nodetach", "-keyid"}, false},
		"with ESS certificate":         {pki.P256, []string{"-nodetach", "-cades"}, false},
		"without certificates":         {pki.P256, []string{"-nodetach", "-nocerts"}, false},
		"PSS":                          {pki.RSA2048, []string{"-nodetach", "-keyopt", "rsa_padding_mode:pss"}, false},
		"SHA-512":                      {pki.P521, []string{"-nodetach", "-md", "sha512"}, false},
		"SHA-1, weak but correct":      {pki.RSA2048, []string{"-nodetach", "-md", "sha1"}, false},
		"brainpool":                    {pki.BrainpoolP256r1, []string{"-nodetach"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := identity(t, c.key)
			pem, err := id.MarshalPEM()
			if err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(t.TempDir(), "m.p7m")
			args := append([]string{"cms", "-sign", "-binary", "-outform", "DER", "-in", in, "-signer", write(t, "id.pem", pem), "-out", out}, c.args...)
			if msg, err := openssl(t, args...); err != nil {
				t.Fatal(msg)
			}
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(name, "indefinite") != (b[1] == 0x80) {
				t.Errorf("form: %x", b[:4])
			}
			var given Content
			if c.detached {
				given = Bytes(content)
			}
			whole := parse(t, b)
			if err := whole.Signers[0].Verify(given, id.Certificate).Err(); err != nil {
				t.Errorf("in memory: %v", err)
			}
			var sink bytes.Buffer
			stream, err := Read(bytes.NewReader(b), &sink)
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Signers[0].Verify(given, id.Certificate).Err(); err != nil {
				t.Errorf("as a stream: %v", err)
			}
			if !c.detached && !bytes.Equal(sink.Bytes(), content) {
				t.Error("the stream's content is another")
			}
			file, err := Open(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			if err := file.Signers[0].Verify(given, id.Certificate).Err(); err != nil {
				t.Errorf("as a file: %v", err)
			}
			// extended, it still verifies, here and there
			a, err := NewAttribute("1.2.3.4", []byte{5, 0})
			if err != nil {
				t.Fatal(err)
			}
			if err := file.Signers[0].AddUnsigned(a); err != nil {
				t.Fatal(err)
			}
			file.AddCertificates(id.Certificate)
			if b, err = file.Bytes(); err != nil {
				t.Fatal(err)
			}
			if err := parse(t, b).Signers[0].Verify(given).Err(); err != nil {
				t.Errorf("extended: %v", err)
			}
			args = []string{"cms", "-verify", "-binary", "-inform", "DER", "-in", write(t, "ext.p7m", b), "-noverify", "-out", os.DevNull}
			if c.detached {
				args = append(args, "-content", in)
			}
			if msg, err := openssl(t, args...); err != nil {
				t.Errorf("extended, there: %s", msg)
			}
		})
	}
}
