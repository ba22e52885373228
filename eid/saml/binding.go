package saml

import (
	"bytes"
	"compress/flate"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
)

// Parameter names of the two browser bindings.
const (
	ParameterRequest  = "SAMLRequest"
	ParameterResponse = "SAMLResponse"
	ParameterRelay    = "RelayState"
)

// MaxRelayState is the octets that a RelayState may have [SAML2Bind 3.5.3].
const MaxRelayState = 80

// ErrRelayState: the state that goes along is too long.
var ErrRelayState = errors.New("saml: RelayState is longer than 80 octets")

// Form is a message that the browser carries to another party by a form which submits itself [SAML2Bind 3.5].
type Form struct {
	Action     string // where it goes, an absolute URL out of trusted metadata
	Parameter  string // ParameterRequest or ParameterResponse
	Message    []byte
	RelayState string

	// Lang, Title and Button are shown to people whose browser runs no scripts.
	Lang, Title, Button string
}

var formPage = template.Must(template.New("form").Parse(`<!doctype html>
<html lang="{{.Lang}}"><head><meta charset="utf-8"><title>{{.Title}}</title></head>
<body><form method="post" action="{{.Action}}"><input type="hidden" name="{{.Parameter}}" value="{{.Value}}">{{if .RelayState}}<input type="hidden" name="RelayState" value="{{.RelayState}}">{{end}}
<noscript><p>{{.Title}}</p><button type="submit">{{.Button}}</button></noscript></form><script nonce="{{.Nonce}}">document.forms[0].submit()</script></body></html>
`))

// WriteTo answers a request with the page. Nothing on it may be kept, framed, or sent anywhere but to Action.
func (f Form) WriteTo(w http.ResponseWriter, random io.Reader) error {
	to, err := url.Parse(f.Action)
	if err != nil || to.Scheme != "https" && to.Scheme != "http" || to.Host == "" {
		return fmt.Errorf("%w: %q is no address of a form", ErrDestination, f.Action)
	}
	if len(f.RelayState) > MaxRelayState {
		return ErrRelayState
	}
	nonce, err := NewID(random)
	if err != nil {
		return err
	}
	if f.Lang == "" {
		f.Lang, f.Title, f.Button = "en", "You are being forwarded", "Continue"
	}
	var page bytes.Buffer
	if err := formPage.Execute(&page, struct {
		Form
		Value, Nonce string
	}{f, base64.StdEncoding.EncodeToString(f.Message), nonce}); err != nil {
		return fmt.Errorf("saml: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+nonce+"'; form-action "+to.Scheme+"://"+to.Host+"; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "origin")
	h.Set("X-Content-Type-Options", "nosniff")
	_, err = page.WriteTo(w)
	return err
}

// decodeBase64 reads base64 with the line breaks that some write into it.
func decodeBase64(v string) ([]byte, error) {
	if len(v) > 2*MaxBytes {
		return nil, ErrTooLarge
	}
	b, err := base64.StdEncoding.DecodeString(strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n", r) {
			return -1
		}
		return r
	}, v))
	if err != nil {
		return nil, fmt.Errorf("%w: the parameter is no base64: %w", ErrSyntax, err)
	}
	if len(b) > MaxBytes {
		return nil, ErrTooLarge
	}
	return b, nil
}

// DecodePOST reads the value of a parameter of the POST binding.
func DecodePOST(value string) ([]byte, error) { return decodeBase64(value) }

// DecodeRedirect reads the value of a parameter that came in a URL: deflated [SAML2Bind 3.4.4.1], or plain as nodes of the
// eIDAS network write it, which begins with the first character of an element.
func DecodeRedirect(value string) ([]byte, error) {
	b, err := decodeBase64(value)
	if err != nil {
		return nil, err
	}
	if len(b) > 0 && b[0] == '<' {
		return b, nil
	}
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), MaxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: the parameter does not inflate: %w", ErrSyntax, err)
	case len(out) > MaxBytes:
		return nil, ErrTooLarge
	}
	return out, nil
}

// RedirectURL is where to send the browser with a message [SAML2Bind 3.4.4]. With an identity the query is signed;
// the message itself is then to be without signature.
func RedirectURL(location, parameter string, message []byte, relay string, s Signing) (string, error) {
	if len(relay) > MaxRelayState {
		return "", ErrRelayState
	}
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return "", fmt.Errorf("saml: %w", err)
	}
	z.Write(message) // to memory
	if err := z.Close(); err != nil {
		return "", fmt.Errorf("saml: %w", err)
	}
	query := parameter + "=" + url.QueryEscape(base64.StdEncoding.EncodeToString(b.Bytes()))
	if relay != "" {
		query += "&RelayState=" + url.QueryEscape(relay)
	}
	if s.Identity != nil {
		method, _, err := s.methods()
		if err != nil {
			return "", err
		}
		query += "&SigAlg=" + url.QueryEscape(method)
		signer, ok := s.Identity.Key.(crypto.Signer)
		if !ok {
			return "", fmt.Errorf("%w: the key cannot sign", ErrAlgorithm)
		}
		value, err := xmldsig.SignOctets(signer, method, []byte(query), s.Rand)
		if err != nil {
			return "", fmt.Errorf("saml: %w", err)
		}
		query += "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(value))
	}
	sep := "?"
	if strings.Contains(location, "?") {
		sep = "&"
	}
	return location + sep + query, nil
}

// VerifyRedirect checks the signature of a query [SAML2Bind 3.4.4.1] over the octets as they came, and returns the
// certificate whose key made it, nil where the query has no signature.
func VerifyRedirect(rawQuery, parameter string, certs []*pki.Certificate, a Algorithms) (*pki.Certificate, error) {
	parts := map[string]string{}
	for part := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		if name != parameter && name != ParameterRelay && name != "SigAlg" && name != "Signature" {
			continue
		}
		if _, twice := parts[name]; twice {
			return nil, fmt.Errorf("%w: parameter %s is there twice", ErrSyntax, name)
		}
		parts[name] = value
	}
	signature, signed := parts["Signature"]
	if !signed {
		return nil, nil
	}
	value, err := url.QueryUnescape(signature)
	if err != nil {
		return nil, fmt.Errorf("%w: parameter Signature: %w", ErrSyntax, err)
	}
	octets, err := decodeBase64(value)
	if err != nil {
		return nil, err
	}
	method, err := url.QueryUnescape(parts["SigAlg"])
	if err != nil {
		return nil, fmt.Errorf("%w: parameter SigAlg: %w", ErrSyntax, err)
	}
	over := parameter + "=" + parts[parameter]
	if relay, ok := parts[ParameterRelay]; ok {
		over += "&RelayState=" + relay
	}
	over += "&SigAlg=" + parts["SigAlg"]
	if !allowed(a.Signatures, method) {
		return nil, fmt.Errorf("%w: %s", ErrAlgorithm, method)
	}
	for _, c := range certs {
		if a.CheckKey(c.PublicKey) == nil && xmldsig.VerifyOctets(c.PublicKey, method, []byte(over), octets, xmldsig.VerifyOptions{AllowSHA1: a.AllowSHA1, MinRSABits: a.MinRSABits}) == nil {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%w: the signature of the query", ErrSignature)
}
