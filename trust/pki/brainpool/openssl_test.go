package brainpool

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestAgainstOpenSSL signs here and verifies there, and the other way round, and agrees on one secret.
func TestAgainstOpenSSL(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	for _, c := range curves {
		t.Run(c.params.Name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := func(name string, b []byte) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			openssl := func(args ...string) []byte {
				t.Helper()
				out, err := exec.Command("openssl", args...).CombinedOutput()
				if err != nil {
					t.Fatalf("openssl %v: %v\n%s", args, err, out)
				}
				return out
			}
			keyOf := func(encoding string) (*ecdsa.PrivateKey, string) {
				path := filepath.Join(dir, "theirs-"+encoding+".pem")
				openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:"+c.params.Name,
					"-pkeyopt", "ec_param_enc:"+encoding, "-out", path)
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				block, _ := pem.Decode(b)
				k, err := ParsePKCS8(block.Bytes)
				if err != nil {
					t.Fatalf("key with %s parameters: %v", encoding, err)
				}
				return k, path
			}
			theirs, theirPath := keyOf("named_curve")
			keyOf("explicit")
			message := []byte("a message for both")
			digest := sha256.Sum256(message)
			data := file("data", message)

			sigPath := filepath.Join(dir, "sig")
			openssl("dgst", "-sha256", "-sign", theirPath, "-out", sigPath, data)
			sig, err := os.ReadFile(sigPath)
			if err != nil {
				t.Fatal(err)
			}
			if !ecdsa.VerifyASN1(&theirs.PublicKey, digest[:], sig) {
				t.Error("signature of openssl refused")
			}

			ours, err := GenerateKey(c, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			spki, err := MarshalPKIX(&ours.PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			pub := file("ours.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
			mine, err := SignASN1(rand.Reader, ours, digest[:])
			if err != nil {
				t.Fatal(err)
			}
			openssl("dgst", "-sha256", "-verify", pub, "-signature", file("mine.sig", mine), data)

			want := openssl("pkeyutl", "-derive", "-inkey", theirPath, "-peerkey", pub)
			got, err := ECDH(ours, &theirs.PublicKey)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("secret %x (%v), openssl has %x", got, err, want)
			}
			der, err := MarshalPKCS8(ours)
			if err != nil {
				t.Fatal(err)
			}
			openssl("pkey", "-in", file("ours.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "-check", "-noout")
		})
	}
}
