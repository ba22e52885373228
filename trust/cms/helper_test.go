package cms

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var authority = sync.OnceValue(func() *pki.Authority {
	a, err := pki.NewAuthority(rand.Reader, "CN=Test Root,O=Tests,C=EU", pki.P256, now.AddDate(-1, 0, 0), 20)
	if err != nil {
		panic(err)
	}
	return a
})

// identity makes a signer once for each algorithm.
func identity(tb testing.TB, alg pki.KeyAlgorithm) *pki.Identity {
	tb.Helper()
	identities.Lock()
	defer identities.Unlock()
	if id, ok := identities.m[alg]; ok {
		return id
	}
	id, err := authority().Issue(pki.Template{Subject: "CN=Signer " + string(alg) + ",C=EU", Algorithm: alg})
	if err != nil {
		tb.Fatal(err)
	}
	identities.m[alg] = id
	return id
}

var identities = struct {
	sync.Mutex
	m map[pki.KeyAlgorithm]*pki.Identity
}{m: map[pki.KeyAlgorithm]*pki.Identity{}}

// openssl runs the program, or skips where it is not there.
func openssl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	return string(out), err
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func parse(tb testing.TB, b []byte) *SignedData {
	tb.Helper()
	m, err := Parse(b)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}
