package saml_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// TestResponseComesAsItWasWritten: with every kind of key, encrypted or not, signed once or twice.
func TestResponseComesAsItWasWritten(t *testing.T) {
	t.Parallel()
	for _, alg := range []pki.KeyAlgorithm{pki.P256, pki.P384, pki.P521, pki.RSA3072, pki.BrainpoolP256r1, pki.BrainpoolP384r1, pki.BrainpoolP512r1} {
		for _, how := range []string{"encrypted", "encrypted and signed inside", "in clear", "in clear and signed inside"} {
			t.Run(fmt.Sprintf("%s/%s", alg, how), func(t *testing.T) {
				t.Parallel()
				signer, reader := identity(t, alg, "Signer"), identity(t, alg, "Reader")
				seal := saml.Sealing{Signing: saml.Signing{Identity: signer}, Assertions: strings.Contains(how, "inside")}
				if strings.HasPrefix(how, "encrypted") {
					seal.Encrypt = reader.Certificate
				}
				b, err := answer().Marshal(seal)
				if err != nil {
					t.Fatal(err)
				}
				if seal.Encrypt != nil && bytes.Contains(b, []byte("12345")) {
					t.Error("the identifier can be read on the way")
				}
				o := opening(signer, reader)
				if seal.Encrypt == nil {
					if _, err := saml.ParseResponse(bytes.Clone(b), o); !errors.Is(err, saml.ErrDecrypt) {
						t.Errorf("an assertion in clear: %v", err)
					}
					o.Clear = true
				}
				r, err := saml.ParseResponse(b, o)
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Check(expected()); err != nil {
					t.Error(err)
				}
				if r.Signer != signer.Certificate || (r.Assertions[0].Signer != nil) != seal.Assertions || r.Assertions[0].Encrypted != (seal.Encrypt != nil) {
					t.Errorf("signers %v and %v", r.Signer, r.Assertions[0].Signer)
				}
				want := answer().Assertions[0]
				want.HasAttributes, want.IssuerFormat, want.Prefixes = true, saml.FormatEntity, nil
				if d := cmp.Diff(want, r.Assertions[0], cmpopts.IgnoreTypes(dom.Node{}),
					cmpopts.IgnoreFields(saml.Assertion{}, "Signer", "Encrypted")); d != "" {
					t.Error(d)
				}
			})
		}
	}
}

// TestResponseIsHeldAgainstWhatWasAsked: each rule by itself [SAML2Prof 4.1.4.3].
func TestResponseIsHeldAgainstWhatWasAsked(t *testing.T) {
	t.Parallel()
	signer, reader := identity(t, pki.P256, "Signer"), identity(t, pki.P256, "Reader")
	for _, tt := range []struct {
		name   string
		change func(r *saml.Response, a *saml.Assertion)
		want   error
	}{
		{"as it should be", func(*saml.Response, *saml.Assertion) {}, nil},
		{"of another issuer", func(r *saml.Response, _ *saml.Assertion) { r.Issuer = "https://other.example" }, saml.ErrIssuer},
		{"with an assertion of another issuer", func(_ *saml.Response, a *saml.Assertion) { a.Issuer = "https://other.example" }, saml.ErrIssuer},
		{"to no request", func(r *saml.Response, _ *saml.Assertion) { r.InResponseTo = "" }, saml.ErrUnsolicited},
		{"to another request", func(r *saml.Response, _ *saml.Assertion) { r.InResponseTo = "_other" }, saml.ErrUnsolicited},
		{"to another request inside", func(_ *saml.Response, a *saml.Assertion) { a.Confirmations[0].InResponseTo = "_other" }, saml.ErrUnsolicited},
		{"to another address", func(r *saml.Response, _ *saml.Assertion) { r.Destination = "https://other.example/acs" }, saml.ErrDestination},
		{"to no address", func(r *saml.Response, _ *saml.Assertion) { r.Destination = "" }, saml.ErrDestination},
		{"for another recipient", func(_ *saml.Response, a *saml.Assertion) { a.Confirmations[0].Recipient = "https://other.example/acs" }, saml.ErrDestination},
		{"for another audience", func(_ *saml.Response, a *saml.Assertion) { a.Audiences = [][]string{{"https://other.example"}} }, saml.ErrAudience},
		{"for this audience and another one at once", func(_ *saml.Response, a *saml.Assertion) {
			a.Audiences = append(a.Audiences, []string{"https://other.example"})
		}, saml.ErrAudience},
		{"for one of two audiences", func(_ *saml.Response, a *saml.Assertion) {
			a.Audiences[0] = append(a.Audiences[0], "https://other.example")
		}, nil},
		{"for no audience", func(_ *saml.Response, a *saml.Assertion) { a.Audiences = nil }, saml.ErrAudience},
		{"of yesterday", func(r *saml.Response, _ *saml.Assertion) { r.IssueInstant = now.AddDate(0, 0, -1) }, saml.ErrTime},
		{"of tomorrow", func(r *saml.Response, _ *saml.Assertion) { r.IssueInstant = now.AddDate(0, 0, 1) }, saml.ErrTime},
		{"not valid yet", func(_ *saml.Response, a *saml.Assertion) { a.NotBefore = now.Add(2 * time.Minute) }, saml.ErrTime},
		{"not valid any more", func(_ *saml.Response, a *saml.Assertion) { a.NotOnOrAfter = now.Add(time.Minute) }, saml.ErrTime},
		{"confirmed no more", func(_ *saml.Response, a *saml.Assertion) { a.Confirmations[0].NotOnOrAfter = now.Add(time.Minute) }, saml.ErrTime},
		{"confirmed for ever", func(_ *saml.Response, a *saml.Assertion) { a.Confirmations[0].NotOnOrAfter = time.Time{} }, saml.ErrConfirmation},
		{"a session that ended", func(_ *saml.Response, a *saml.Assertion) { a.SessionNotOnOrAfter = now }, saml.ErrTime},
		{"confirmed by a key", func(_ *saml.Response, a *saml.Assertion) { a.Confirmations[0].Method = saml.ConfirmationHolderOfKey }, saml.ErrConfirmation},
		{"confirmed by a second one", func(_ *saml.Response, a *saml.Assertion) {
			good := a.Confirmations[0]
			a.Confirmations[0].Recipient = "https://other.example"
			a.Confirmations = append(a.Confirmations, good)
		}, nil},
		{"confirmed by nobody", func(_ *saml.Response, a *saml.Assertion) { a.Confirmations = nil }, saml.ErrConfirmation},
		{"without authentication", func(_ *saml.Response, a *saml.Assertion) { a.AuthnInstant = time.Time{} }, saml.ErrSyntax},
		{"authenticated tomorrow", func(_ *saml.Response, a *saml.Assertion) { a.AuthnInstant = now.AddDate(0, 0, 1) }, saml.ErrTime},
		{"a success without assertion", func(r *saml.Response, _ *saml.Assertion) { r.Assertions = nil }, saml.ErrSyntax},
		{"a failure", func(r *saml.Response, _ *saml.Assertion) {
			r.Status, r.Assertions = saml.Status{Code: saml.StatusResponder, SubCode: saml.StatusAuthnFailed, Message: "003002 - no"}, nil
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := answer()
			tt.change(r, r.Assertions[0])
			b, err := r.Marshal(saml.Sealing{Signing: saml.Signing{Identity: signer}, Encrypt: reader.Certificate})
			if err != nil {
				t.Fatal(err)
			}
			got, err := saml.ParseResponse(b, opening(signer, reader))
			if err != nil {
				t.Fatal(err)
			}
			if err := got.Check(expected()); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if got.Status != r.Status {
				t.Errorf("status %+v, sent was %+v", got.Status, r.Status)
			}
		})
	}
	t.Run("clocks that differ", func(t *testing.T) {
		t.Parallel()
		r := answer()
		r.Assertions[0].NotBefore, r.Assertions[0].NotOnOrAfter = now.Add(90*time.Second), now.Add(50*time.Second)
		b, err := r.Marshal(saml.Sealing{Signing: saml.Signing{Identity: signer}, Encrypt: reader.Certificate})
		if err != nil {
			t.Fatal(err)
		}
		got, err := saml.ParseResponse(b, opening(signer, reader))
		if err != nil {
			t.Fatal(err)
		}
		e := expected()
		e.NotBeforeSkew, e.NotOnOrAfterSkew = time.Minute, 20*time.Second
		if err := got.Check(e); err != nil {
			t.Error(err)
		}
		e.NotOnOrAfterSkew = 5 * time.Second
		if err := got.Check(e); !errors.Is(err, saml.ErrTime) {
			t.Errorf("beyond the skew: %v", err)
		}
	})
}

// TestWhoSigned: only keys that the caller knows count, and only strong ones.
func TestWhoSigned(t *testing.T) {
	t.Parallel()
	signer, reader, stranger := identity(t, pki.P256, "Signer"), identity(t, pki.P256, "Reader"), identity(t, pki.P256, "Stranger")
	sealed := func(s saml.Sealing) []byte {
		t.Helper()
		b, err := answer().Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := sealed(saml.Sealing{Signing: saml.Signing{Identity: stranger}, Encrypt: reader.Certificate})
	if _, err := saml.ParseResponse(bytes.Clone(b), opening(signer, reader)); !errors.Is(err, saml.ErrSignature) {
		t.Errorf("a stranger: %v", err)
	}
	two := opening(signer, reader)
	two.Certificates = append(two.Certificates, stranger.Certificate)
	if r, err := saml.ParseResponse(bytes.Clone(b), two); err != nil || r.Signer != stranger.Certificate {
		t.Errorf("the second of two known keys: %v", err)
	}
	forged := identity(t, pki.P256, "Forger") // signs, and shows the certificate of somebody known
	b = sealed(saml.Sealing{Signing: saml.Signing{Identity: &pki.Identity{Key: forged.Key, Certificate: signer.Certificate}}, Encrypt: reader.Certificate})
	if _, err := saml.ParseResponse(b, opening(signer, reader)); !errors.Is(err, saml.ErrSignature) {
		t.Errorf("a foreign certificate: %v", err)
	}
	b = sealed(saml.Sealing{Encrypt: reader.Certificate})
	if _, err := saml.ParseResponse(b, opening(signer, reader)); !errors.Is(err, saml.ErrSignature) {
		t.Errorf("no signature: %v", err)
	}
	b = sealed(saml.Sealing{Signing: saml.Signing{Identity: signer}, Encrypt: stranger.Certificate})
	if _, err := saml.ParseResponse(b, opening(signer, reader)); !errors.Is(err, saml.ErrDecrypt) {
		t.Errorf("encrypted for somebody else: %v", err)
	}

	rsa2048, rsa3072 := identity(t, pki.RSA2048, "Signer"), identity(t, pki.RSA3072, "Signer")
	b = sealed(saml.Sealing{Signing: saml.Signing{Identity: rsa2048}, Encrypt: reader.Certificate})
	o := opening(rsa2048, reader)
	o.MinRSABits = 3072
	if _, err := saml.ParseResponse(b, o); !errors.Is(err, saml.ErrAlgorithm) {
		t.Errorf("a short key: %v", err)
	}
	b = sealed(saml.Sealing{Signing: saml.Signing{Identity: rsa3072, SignatureMethod: xmldsig.RSASHA256}, Encrypt: reader.Certificate})
	o = opening(rsa3072, reader)
	o.Signatures = []string{xmldsig.RSAPSSSHA256}
	if _, err := saml.ParseResponse(b, o); !errors.Is(err, saml.ErrAlgorithm) {
		t.Errorf("a method that is not on the list: %v", err)
	}
	b = sealed(saml.Sealing{Signing: saml.Signing{Identity: rsa3072}, Encrypt: rsa3072.Certificate, Transport: xmlenc.Transport{Algorithm: xmlenc.RSAOAEPMGF1P, Digest: xmlenc.SHA1}})
	o = opening(rsa3072, rsa3072)
	o.Transports = []string{xmlenc.RSAOAEP, xmlenc.ECDHES}
	if _, err := saml.ParseResponse(bytes.Clone(b), o); !errors.Is(err, saml.ErrAlgorithm) {
		t.Errorf("a key transport that is not on the list: %v", err)
	}
	o.Transports, o.Data = nil, []string{xmlenc.AES128GCM}
	if _, err := saml.ParseResponse(b, o); !errors.Is(err, saml.ErrAlgorithm) {
		t.Errorf("an encryption that is not on the list: %v", err)
	}
}

// TestKeysWithoutCertificate: the sender publishes two keys and the message shows no certificate.
func TestKeysWithoutCertificate(t *testing.T) {
	t.Parallel()
	signer, reader, next := identity(t, pki.P256, "Signer"), identity(t, pki.P256, "Reader"), identity(t, pki.P256, "Next")
	b, err := answer().Marshal(saml.Sealing{Signing: saml.Signing{Identity: next}, Encrypt: reader.Certificate})
	if err != nil {
		t.Fatal(err)
	}
	from, to := bytes.Index(b, []byte("<ds:KeyInfo>")), bytes.Index(b, []byte("</ds:KeyInfo>"))+len("</ds:KeyInfo>")
	b = append(b[:from:from], b[to:]...)
	o := opening(signer, reader)
	if _, err := saml.ParseResponse(bytes.Clone(b), o); !errors.Is(err, saml.ErrSignature) {
		t.Errorf("a key that is not known: %v", err)
	}
	o.Certificates = append(o.Certificates, next.Certificate)
	if r, err := saml.ParseResponse(b, o); err != nil || r.Signer != next.Certificate {
		t.Errorf("the second of two keys: %v", err)
	}
}
