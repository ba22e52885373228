package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// More files are beside the signature than are tried as its content.
func TestContentIsFoundByItsName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for i := range maxBeside + 1 {
		write(fmt.Sprintf("%04d.txt", i), []byte("another"))
	}
	content := []byte("the contract")
	write("the contract.txt", content)
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, time.Now().AddDate(-1, 0, 0), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []ades.Format{ades.XAdES, ades.CAdES, ades.JAdES} {
		var signed bytes.Buffer
		document := xades.Bytes("the contract.txt", "text/plain", content)
		if err := ades.Sign(t.Context(), &signed, nil, &ca.Identity, []xades.Document{document}, ades.Params{Format: f, Packaging: ades.Detached, Time: time.Now()}, nil); err != nil {
			t.Fatal(err)
		}
		r, err := gatherFile(write("the contract.txt.signature", signed.Bytes()), gather.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s := r.Signatures[0]; len(missingContent(r)) > 0 || !s.Intact || slices.ContainsFunc(s.References, func(x validation.Reference) bool { return !x.Intact }) {
			t.Errorf("%s: %+v", f, s.References)
		}
	}
}

// Who answers for certificates of another authority is named, or is not believed.
func TestRespondersAreNamed(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(name string, b []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		must(os.WriteFile(path, b, 0o600))
		return path
	}
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, now.AddDate(-1, 0, 0), 10)
	must(err)
	other, err := pki.NewAuthority(rand.Reader, "CN=Other CA,C=EU", pki.P256, now.AddDate(-1, 0, 0), 10)
	must(err)
	signer, err := ca.Issue(pki.Template{CommonName: "Ada"})
	must(err)
	responder, err := other.Issue(pki.Template{CommonName: "Responder", ExtKeyUsage: []pki.OID{pki.EKUOCSPSigning}, Extensions: []pki.Extension{{ID: revocation.OCSPNoCheck, Value: []byte{5, 0}}}})
	must(err)
	var signed bytes.Buffer
	must(ades.Sign(t.Context(), &signed, nil, signer, []xades.Document{xades.Bytes("a.xml", "text/xml", []byte("<a/>"))}, ades.Params{Format: ades.XAdES, Packaging: ades.Enveloped, Time: now}, nil))
	question, err := pki.MarshalOCSPRequest(signer.Certificate, ca.Certificate, crypto.SHA256, nil)
	must(err)
	answers := &revocation.Responder{Authorities: []revocation.Authority{{Issuer: ca.Certificate, Identity: responder, Source: revocation.SourceFunc(
		func(context.Context, *big.Int) (revocation.Status, error) {
			return revocation.Status{State: pki.RevocationGood}, nil
		})}}}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(question))
	r.Header.Set("Content-Type", "application/ocsp-request")
	answers.ServeHTTP(w, r)
	document, trust := write("a.signed.xml", signed.Bytes()), write("ca.der", ca.Certificate.Raw)
	answer, named := write("answer.der", w.Body.Bytes()), write("other.der", other.Certificate.Raw)
	for _, c := range []struct {
		args   []string
		status int
		text   string
	}{
		{nil, 1, "INDETERMINATE"},
		{[]string{"--responders", trust}, 1, "INDETERMINATE"},
		{[]string{"--responders", named}, 0, "TOTAL_PASSED"},
		{[]string{"--responders", answer}, 2, "--responders takes certificates"},
		{[]string{"--responders", document}, 2, "--responders: "},
	} {
		var out bytes.Buffer
		p := &program{ctx: t.Context(), out: &out, err: &out}
		status := p.dispatch(root, nil, append([]string{"verify", document, "--trust", trust, "--with", answer}, c.args...))
		if status != c.status || !strings.Contains(out.String(), c.text) {
			t.Errorf("%q: exit status %d: %s", c.args, status, &out)
		}
	}
}
