package saml_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// FuzzMessage: whatever is taken as a request or metadata is written in a way that is taken again.
func FuzzMessage(f *testing.F) {
	request, err := question().Marshal(saml.Signing{})
	if err != nil {
		f.Fatal(err)
	}
	metadata, err := describe(f).Marshal(saml.Signing{})
	if err != nil {
		f.Fatal(err)
	}
	response, err := answer().Marshal(saml.Sealing{})
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range [][]byte{request, metadata, response} {
		f.Add(b)
		f.Add(b[:len(b)/2])
		f.Add(bytes.ReplaceAll(b, []byte("saml2:"), []byte("x:")))
	}
	reader := identity(f, pki.P256, "Reader")
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := saml.ParseAuthnRequest(bytes.Clone(b), nil, saml.Algorithms{}); err == nil && r.Issuer != "" {
			again, err := r.Marshal(saml.Signing{})
			if err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
			if _, err := saml.ParseAuthnRequest(again, nil, saml.Algorithms{}); err != nil {
				t.Fatalf("what was written cannot be read: %v\n%s", err, again)
			}
		}
		if _, err := saml.ParseResponse(bytes.Clone(b), saml.Opening{Keys: []pki.Key{reader.Key}, Clear: true}); err == nil {
			t.Fatalf("a response without a signature of anybody known is taken: %q", b)
		}
		if es, err := saml.ParseMetadata(bytes.Clone(b), nil, saml.Algorithms{}); err == nil {
			for _, e := range es {
				if e.ID == "" {
					e.ID = "_m"
				}
				again, err := e.Marshal(saml.Signing{})
				if err != nil {
					continue // an ID of its own that is none
				}
				if _, err := saml.ParseMetadata(again, nil, saml.Algorithms{}); err != nil {
					t.Fatalf("what was written cannot be read: %v\n%s", err, again)
				}
			}
		}
		saml.DecodeRedirect(strings.TrimSpace(string(b)))
		saml.VerifyRedirect(string(b), saml.ParameterRequest, []*pki.Certificate{reader.Certificate}, saml.Algorithms{})
	})
}
