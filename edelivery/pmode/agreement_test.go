package pmode

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

var update = flag.Bool("update", false, "write golden files")

func TestAgreementIsReadable(t *testing.T) {
	t.Parallel()
	s := read(t, sample(t, "domibus.xml"), Options{})
	for file, html := range map[string]bool{"testdata/agreement.golden.md": false, "testdata/agreement.golden.html": true} {
		got, err := s.Agreement("Lighthouse", AgreementOptions{Date: time.Date(2026, 5, 9, 0, 0, 0, 0, time.UTC), HTML: html})
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is not what is written:\n%s", file, got)
		}
	}
	var none *ErrNoPartner
	if _, err := s.Agreement("nobody", AgreementOptions{}); !errors.As(err, &none) {
		t.Errorf("nobody: %v", err)
	}
}

func TestAgreementCarriesCertificates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 9, 0, 0, 0, 0, time.UTC)
	a, err := pki.NewAuthority(rand.Reader, "CN=Harbour Authority", pki.P256, now, 2)
	if err != nil {
		t.Fatal(err)
	}
	c := a.Certificate
	s := read(t, sample(t, "domibus.xml"), Options{})
	for _, html := range []bool{false, true} {
		got, err := s.Agreement("lighthouse", AgreementOptions{HTML: html, Certificates: func(party string) []*pki.Certificate {
			if party == "harbour" {
				return []*pki.Certificate{c}
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		sum := c.Fingerprint()
		for _, want := range []string{fmt.Sprintf("%X", sum[:]), "CN=Harbour Authority", "-----BEGIN CERTIFICATE-----", "The certificate is to be handed over"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in it", want)
			}
		}
	}
}

func TestAgreementDoesNotTakeValuesForMarkup(t *testing.T) {
	t.Parallel()
	s := read(t, sample(t, "domibus.xml", `value="announce"`, `value="&lt;script&gt;|alert(1)"`), Options{})
	md, err := s.Agreement("lighthouse", AgreementOptions{})
	if err != nil || strings.Contains(md, "<script>") || !strings.Contains(md, `&lt;script>\|alert(1)`) {
		t.Errorf("%v\n%s", err, md)
	}
	page, err := s.Agreement("lighthouse", AgreementOptions{HTML: true})
	if err != nil || strings.Contains(page, "<script") || !strings.Contains(page, "&lt;script&gt;|alert(1)") {
		t.Errorf("%v\n%s", err, page)
	}
}
