package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

func TestRevocationListsOfTheConfiguration(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	authority := func(name string) *pki.Authority {
		a, err := pki.NewAuthority(nil, "CN="+name, pki.P256, now.AddDate(-1, 0, 0), 10)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	ca, other := authority("Access Point CA"), authority("Another CA")
	issue := func(name string) *pki.Certificate {
		id, err := ca.Issue(pki.Template{CommonName: name, Algorithm: pki.P256})
		if err != nil {
			t.Fatal(err)
		}
		return id.Certificate
	}
	good, revoked := issue("good"), issue("revoked")
	dir := t.TempDir()
	write := func(name string, b []byte, err error) {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	list, err := ca.CRL([]*pki.Certificate{revoked}, now)
	write("ca.crl", list, err)
	strange, err := other.CRL(nil, now)
	write("other.crl", strange, err)
	write("ca.pem", pki.MarshalPEM(ca.Certificate), nil)
	load := func(crls string) (*pki.Verifier, error) {
		text := fmt.Sprintf("node: {name: a, country: EE}\nas4:\n  trust: [{file: ca.pem, purposes: [access-point]}]\n  crls: [%s]\n", crls)
		c, err := config.Parse("viadukt.yaml", dir, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return loadTrust(c, func() time.Time { return now })
	}

	v, err := load("ca.crl")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(good, nil, pki.PurposeAccessPoint); err != nil {
		t.Errorf("good certificate: %v", err)
	}
	if _, err := v.Verify(revoked, nil, pki.PurposeAccessPoint); !errors.Is(err, pki.ErrRevoked) {
		t.Errorf("revoked certificate: %v", err)
	}
	for file, want := range map[string]string{"other.crl": "none of the authorities", "ca.pem": "ca.pem", "missing.crl": "missing.crl"} {
		if _, err := load(file); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "viadukt.yaml:4") {
			t.Errorf("%s: %v", file, err)
		}
	}
}
