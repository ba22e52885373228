package saml_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// TestQueriesAndLogout: they come as they were written, by a known key, and nothing more is in them than the schema says.
func TestQueriesAndLogout(t *testing.T) {
	t.Parallel()
	signer := identity(t, pki.P256, "Signer")
	known := []*pki.Certificate{signer.Certificate}
	h := saml.Header{ID: "_1", IssueInstant: now, Destination: "https://x.example", Issuer: connector, IssuerFormat: saml.FormatEntity}
	query := &saml.AttributeQuery{Header: h, ACSURL: acs}
	query.WriteExtensions = func(w *dom.Writer) { w.Element("x:a", "1", "xmlns:x", "urn:x") }
	request := &saml.LogoutRequest{Header: h, NameID: saml.NameID{Value: "ana", Format: saml.FormatPersistent}, SessionIndex: []string{"1", "2"}}
	response := &saml.LogoutResponse{Header: h, InResponseTo: "_0", Status: saml.Status{Code: saml.StatusSuccess, Message: saml.StatusSuccess}}
	ignore := cmpopts.IgnoreFields(saml.Header{}, "Extensions", "WriteExtensions", "Signer")
	for _, tt := range []struct {
		name          string
		write         func(s saml.Signing) ([]byte, error)
		read          func(b []byte, certs []*pki.Certificate) (got any, signer *pki.Certificate, err error)
		want          any
		before, extra string
	}{
		{"query", query.Marshal, func(b []byte, certs []*pki.Certificate) (any, *pki.Certificate, error) {
			q, err := saml.ParseAttributeQuery(b, certs, saml.Algorithms{})
			if err != nil {
				return nil, nil, err
			}
			return q, q.Signer, nil
		}, query, "<saml2:SubjectConfirmation ", "<saml2:NameID>x</saml2:NameID>"},
		{"logout request", request.Marshal, func(b []byte, certs []*pki.Certificate) (any, *pki.Certificate, error) {
			r, err := saml.ParseLogoutRequest(b, certs, saml.Algorithms{})
			if err != nil {
				return nil, nil, err
			}
			return r, r.Signer, nil
		}, request, "<saml2:NameID ", "<saml2:NameID>x</saml2:NameID>"},
		{"logout response", response.Marshal, func(b []byte, certs []*pki.Certificate) (any, *pki.Certificate, error) {
			r, err := saml.ParseLogoutResponse(b, certs, saml.Algorithms{})
			if err != nil {
				return nil, nil, err
			}
			return r, r.Signer, nil
		}, response, "<saml2p:Status>", "<saml2p:Status/>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, err := tt.write(saml.Signing{Identity: signer})
			if err != nil {
				t.Fatal(err)
			}
			src := string(b)
			got, by, err := tt.read(b, known)
			if err != nil || by != signer.Certificate {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got, ignore); d != "" {
				t.Error(d)
			}
			if _, _, err := tt.read([]byte(src), nil); !errors.Is(err, saml.ErrSignature) {
				t.Errorf("of a stranger: %v", err)
			}
			if _, _, err := tt.read([]byte(strings.Replace(src, "https://x.example", "https://y.example", 1)), known); !errors.Is(err, saml.ErrSignature) {
				t.Errorf("changed: %v", err)
			}
			b, err = tt.write(saml.Signing{})
			if err != nil {
				t.Fatal(err)
			}
			more := strings.Replace(string(b), tt.before, tt.extra+tt.before, 1)
			if _, _, err := tt.read([]byte(more), known); !errors.Is(err, saml.ErrSyntax) {
				t.Errorf("with something more: %v", err)
			}
			if _, _, err := tt.read([]byte(strings.ReplaceAll(string(b), "saml2p", "x")+"<"), known); !errors.Is(err, saml.ErrSyntax) {
				t.Errorf("cut: %v", err)
			}
		})
	}
}
