package saml_test

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"errors"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
)

func TestForm(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	f := saml.Form{Action: `https://proxy.example/sso?a=1&b="><script>`, Parameter: saml.ParameterRequest, Message: []byte("<x/>"), RelayState: `"><script>alert(1)</script>`}
	if err := f.WriteTo(rec, nil); err != nil {
		t.Fatal(err)
	}
	page, policy := rec.Body.String(), rec.Header().Get("Content-Security-Policy")
	if strings.Contains(page, "<script>") {
		t.Errorf("the state comes out as a script: %s", page)
	}
	nonce := regexp.MustCompile(`script nonce="([^"]+)"`).FindStringSubmatch(page)
	if nonce == nil || !strings.Contains(policy, "'nonce-"+nonce[1]+"'") || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "form-action https://proxy.example;") {
		t.Errorf("policy %s", policy)
	}
	if rec.Header().Get("Cache-Control") != "no-store" {
		t.Error("the page may be kept")
	}
	value := regexp.MustCompile(`name="SAMLRequest" value="([^"]+)"`).FindStringSubmatch(page)
	if value == nil {
		t.Fatal(page)
	}
	if b, err := saml.DecodePOST(value[1]); err != nil || string(b) != "<x/>" {
		t.Errorf("%q %v", b, err)
	}
	f.RelayState = strings.Repeat("x", 81)
	if err := f.WriteTo(rec, nil); !errors.Is(err, saml.ErrRelayState) {
		t.Errorf("a long state: %v", err)
	}
	for _, action := range []string{"javascript:alert(1)", "/relative", ""} {
		if err := (saml.Form{Action: action}).WriteTo(rec, nil); !errors.Is(err, saml.ErrDestination) {
			t.Errorf("%q: %v", action, err)
		}
	}
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	for _, alg := range []pki.KeyAlgorithm{pki.P256, pki.RSA3072, pki.BrainpoolP256r1} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			signer, stranger := identity(t, alg, "Signer"), identity(t, alg, "Stranger")
			s := saml.Signing{Identity: signer}
			to, err := saml.RedirectURL("https://proxy.example/sso?country=PT", saml.ParameterRequest, []byte("<request/>"), "a b&c=d", s)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(to)
			if err != nil {
				t.Fatal(err)
			}
			b, err := saml.DecodeRedirect(u.Query().Get(saml.ParameterRequest))
			if err != nil || string(b) != "<request/>" || u.Query().Get("RelayState") != "a b&c=d" || u.Query().Get("country") != "PT" {
				t.Errorf("%s: %q %v", to, b, err)
			}
			known := []*pki.Certificate{stranger.Certificate, signer.Certificate}
			if c, err := saml.VerifyRedirect(u.RawQuery, saml.ParameterRequest, known, saml.Algorithms{}); err != nil || c != signer.Certificate {
				t.Errorf("%v %v", c, err)
			}
			for name, query := range map[string]string{
				"another state":     strings.Replace(u.RawQuery, "RelayState=a", "RelayState=b", 1),
				"no state":          strings.Replace(u.RawQuery, "RelayState", "Other", 1),
				"another algorithm": strings.Replace(u.RawQuery, url.QueryEscape("#"), url.QueryEscape("#x"), 1),
				"a second request":  u.RawQuery + "&SAMLRequest=x",
				"a cut signature":   u.RawQuery[:len(u.RawQuery)-8],
			} {
				if c, err := saml.VerifyRedirect(query, saml.ParameterRequest, known, saml.Algorithms{}); err == nil {
					t.Errorf("%s: taken as signed by %v", name, c)
				}
			}
			if _, err := saml.VerifyRedirect(u.RawQuery, saml.ParameterRequest, known[:1], saml.Algorithms{}); !errors.Is(err, saml.ErrSignature) {
				t.Errorf("an unknown key: %v", err)
			}
			if _, err := saml.VerifyRedirect(u.RawQuery, saml.ParameterRequest, known, saml.Algorithms{Signatures: []string{xmldsig.ECDSASHA512}}); !errors.Is(err, saml.ErrAlgorithm) {
				t.Errorf("an algorithm that is not on the list: %v", err)
			}
			if c, err := saml.VerifyRedirect("SAMLRequest=x", saml.ParameterRequest, known, saml.Algorithms{}); c != nil || err != nil {
				t.Errorf("a query without signature: %v %v", c, err)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	deflated := func(b []byte) string {
		var out bytes.Buffer
		w, err := flate.NewWriter(&out, 9)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(b)
		w.Close()
		return base64.StdEncoding.EncodeToString(out.Bytes())
	}
	for _, tt := range []struct {
		name, value, want string
		err               error
	}{
		{"deflated", deflated([]byte("<x/>")), "<x/>", nil},
		{"plain, as nodes of the eIDAS network send it", base64.StdEncoding.EncodeToString([]byte("<x/>")), "<x/>", nil},
		{"with line breaks", "PHgv\r\nPg==", "<x/>", nil},
		{"no base64", "%%%", "", saml.ErrSyntax},
		{"not deflated", base64.StdEncoding.EncodeToString([]byte("hello world")), "", saml.ErrSyntax},
		{"cut short", deflated(bytes.Repeat([]byte("<abcdefg/>"), 50))[:16], "", saml.ErrSyntax},
		{"a bomb", deflated(make([]byte, 64<<20)), "", saml.ErrTooLarge},
		{"too much", strings.Repeat("A", 4*saml.MaxBytes), "", saml.ErrTooLarge},
	} {
		b, err := saml.DecodeRedirect(tt.value)
		if string(b) != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %.20q %v", tt.name, b, err)
		}
	}
}
