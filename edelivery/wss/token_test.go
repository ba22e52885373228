package wss_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

const (
	x509v3     = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
	x509Path   = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509PKIPathv1"
	dsig       = "http://www.w3.org/2000/09/xmldsig#"
	signersRef = `<wsse:Reference URI="#sig-cert-t" ValueType="` + x509v3 + `"></wsse:Reference>`
)

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// TestHowASignerMayNameItsCertificate exchanges the unsigned token of a good message. Whatever it says, the signature
// must verify with the certificate that it leads to, and that one must be trusted.
func TestHowASignerMayNameItsCertificate(t *testing.T) {
	t.Parallel()
	p := cast()
	chain := append([]*pki.Certificate{p.path.Certificate}, p.path.Chain...)
	if len(chain) < 2 {
		chain = append(chain, p.sub.Certificate)
	}
	bst := func(valueType string, octets []byte) func(*testing.T, *letter) {
		return func(t *testing.T, l *letter) {
			i := strings.LastIndex(l.envelope, "<wsse:BinarySecurityToken")
			j := i + strings.Index(l.envelope[i:], "</wsse:BinarySecurityToken>")
			l.envelope = l.envelope[:i] + `<wsse:BinarySecurityToken ValueType="` + valueType + `" wsu:Id="sig-cert-t">` + b64(octets) + l.envelope[j:]
		}
	}
	ref := func(s string) func(*testing.T, *letter) { return swap(signersRef, s) }
	path := rsaOptions()
	path.Sign = p.path
	reversed := []*pki.Certificate{chain[1], chain[0]}
	keyID := func(kind string, octets []byte) string {
		base := "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0"
		if kind == "#ThumbprintSHA1" {
			base = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1"
		}
		return `<wsse:KeyIdentifier ValueType="` + base + kind + `">` + b64(octets) + `</wsse:KeyIdentifier>`
	}
	data := func(s string) string { return `<ds:X509Data xmlns:ds="` + dsig + `">` + s + `</ds:X509Data>` }
	serial := func(issuer, number string) string {
		return data(`<ds:X509IssuerSerial><ds:X509IssuerName>` + issuer + `</ds:X509IssuerName><ds:X509SerialNumber>` + number + `</ds:X509SerialNumber></ds:X509IssuerSerial>`)
	}
	number := p.alice.Certificate.SerialNumber.String()
	run(t, map[string]refusal{
		"a token without ValueType is a certificate": {change: bst("", p.alice.Certificate.Raw)},
		"a path with the leaf last":                  {opt: path, change: bst(x509Path, pki.MarshalPKIPath(chain))},
		"a path with the leaf first, as in TLS":      {opt: path, change: bst(x509Path, pki.MarshalPKIPath(reversed)), want: wss.ErrPolicy},
		"a path of the leaf alone":                   {change: bst(x509Path, pki.MarshalPKIPath(chain[:0:0])), want: wss.ErrPolicy},
		"a path of one":                              {change: bst(x509Path, pki.MarshalPKIPath([]*pki.Certificate{p.alice.Certificate}))},
		"a path that is cut":                         {opt: path, change: bst(x509Path, pki.MarshalPKIPath(chain)[:900]), want: wss.ErrPolicy},
		"a path under the name of a certificate":     {opt: path, change: bst(x509v3, pki.MarshalPKIPath(chain)), want: wss.ErrPolicy},
		"a certificate under the name of a path":     {change: bst(x509Path, p.alice.Certificate.Raw), want: wss.ErrPolicy},
		"a path whose top signs in the leaf's stead": {change: bst(x509Path, pki.MarshalPKIPath([]*pki.Certificate{p.bob.Certificate, p.alice.Certificate})), want: wss.ErrPolicy},
		"somebody else's certificate":                {change: bst(x509v3, p.bob.Certificate.Raw), want: wss.ErrAuthentication},
		"the authority's certificate":                {change: bst(x509v3, p.ca.Certificate.Raw), want: wss.ErrAuthentication},
		"a certificate with octets behind it":        {change: bst(x509v3, append(append([]byte(nil), p.alice.Certificate.Raw...), 0)), want: wss.ErrPolicy},
		"PKCS#7":                                     {change: bst("http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#PKCS7", p.alice.Certificate.Raw), want: wss.ErrPolicy},
		"a token that is no base64": {change: func(t *testing.T, l *letter) {
			bst(x509v3, nil)(t, l)
			l.replace(t, `"></wsse:BinarySecurityToken>`, `">%%%</wsse:BinarySecurityToken>`)
		}, want: wss.ErrPolicy},
		"a token longer than 64 KiB": {change: bst(x509v3, make([]byte, 50<<10)), want: wss.ErrPolicy},
		"a token with line breaks": {change: func(t *testing.T, l *letter) {
			text := b64(p.alice.Certificate.Raw)
			l.replace(t, text, text[:40]+"\n\t "+text[40:]+"\n")
		}},
		"a hash too much before the name": {change: ref(strings.Replace(signersRef, "#sig", "##sig", 1))},
		"a hash in the name and in the reference": {change: func(t *testing.T, l *letter) {
			ref(strings.Replace(signersRef, "#sig", "##sig", 1))(t, l)
			l.replace(t, `wsu:Id="sig-cert-t"`, `wsu:Id="#sig-cert-t"`)
		}},
		"a hash too much, and two that may be meant": {change: func(t *testing.T, l *letter) {
			ref(strings.Replace(signersRef, "#sig", "##sig", 1))(t, l)
			l.replace(t, "</S12:Header>", `<x xmlns="urn:x" Id="sig-cert-t"/></S12:Header>`)
		}, want: wss.ErrPolicy},
		"a reference to nothing":                {change: ref(strings.Replace(signersRef, "#sig", "#none", 1)), want: wss.ErrPolicy},
		"a reference to the Body":               {change: ref(strings.Replace(signersRef, "#sig-cert-t", "#body-t", 1)), want: wss.ErrPolicy},
		"an embedded token":                     {change: ref(`<wsse:Embedded><wsse:BinarySecurityToken ValueType="` + x509v3 + `">` + b64(p.alice.Certificate.Raw) + `</wsse:BinarySecurityToken></wsse:Embedded>`)},
		"an embedded nothing":                   {change: ref(`<wsse:Embedded/>`), want: wss.ErrPolicy},
		"an empty reference":                    {change: ref(""), want: wss.ErrPolicy},
		"a key name":                            {change: ref(`<ds:KeyName xmlns:ds="` + dsig + `">alice</ds:KeyName>`), want: wss.ErrPolicy},
		"a subject key identifier":              {change: ref(keyID("#X509SubjectKeyIdentifier", p.alice.Certificate.SubjectKeyID))},
		"an empty subject key identifier":       {change: ref(keyID("#X509SubjectKeyIdentifier", nil)), want: wss.ErrAuthentication},
		"an unknown subject key identifier":     {change: ref(keyID("#X509SubjectKeyIdentifier", []byte("unknown"))), want: wss.ErrAuthentication},
		"a key identifier of an unknown kind":   {change: ref(keyID("#None", []byte("x"))), want: wss.ErrPolicy},
		"an empty thumbprint":                   {change: ref(keyID("#ThumbprintSHA1", nil)), want: wss.ErrAuthentication},
		"a bare certificate":                    {change: ref(data(`<ds:X509Certificate>` + b64(p.alice.Certificate.Raw) + `</ds:X509Certificate>`))},
		"a bare key identifier":                 {change: ref(data(`<ds:X509SKI>` + b64(p.alice.Certificate.SubjectKeyID) + `</ds:X509SKI>`))},
		"nothing in X509Data":                   {change: ref(data("")), want: wss.ErrPolicy},
		"issuer and serial number":              {change: ref(serial("CN=Test CA,O=Tests,C=EU", number))},
		"the issuer with other spaces and case": {change: ref(serial("cn=Test CA, O=Tests, c=EU", number))},
		"the issuer in another order":           {change: ref(serial("C=EU,O=Tests,CN=Test CA", number)), want: wss.ErrAuthentication},
		"another serial number":                 {change: ref(serial("CN=Test CA,O=Tests,C=EU", "1")), want: wss.ErrAuthentication},
		"a serial number that is none":          {change: ref(serial("CN=Test CA,O=Tests,C=EU", hex.EncodeToString([]byte("zz")))), want: wss.ErrPolicy},
		"an issuer that is no name":             {change: ref(serial("=", number)), want: wss.ErrPolicy},
		"no serial number":                      {change: ref(serial("CN=Test CA", "")), want: wss.ErrPolicy},
	}, picture)
}

// TestTheFormIsReported: a profile may want one form only, so a bare certificate must not pass for a token.
func TestTheFormIsReported(t *testing.T) {
	t.Parallel()
	cert := b64(cast().alice.Certificate.Raw)
	for form, ref := range map[wss.TokenForm]string{
		wss.TokenBST:      signersRef,
		wss.TokenX509Data: `<ds:X509Data xmlns:ds="` + dsig + `"><ds:X509Certificate>` + cert + `</ds:X509Certificate></ds:X509Data>`,
	} {
		l := seal(t, rsaOptions(), picture)
		l.replace(t, signersRef, ref)
		if r := l.open(t, strict(), picture); r.err != nil || r.SignerToken != form {
			t.Errorf("%v, want %s (%v)", r.Opened, form, r.err)
		}
	}
}

func TestAReferenceMatchesOnlyWhatItNames(t *testing.T) {
	t.Parallel()
	p := cast()
	for name, ref := range map[string]wss.TokenRef{
		"nothing":                    {},
		"an empty key identifier":    {SubjectKeyID: []byte{}},
		"an empty thumbprint":        {Thumbprint: []byte{}},
		"somebody else's identifier": {SubjectKeyID: p.bob.Certificate.SubjectKeyID},
		"somebody else":              {Certificates: []*pki.Certificate{p.bob.Certificate}},
		"the serial number alone":    {Serial: p.alice.Certificate.SerialNumber},
	} {
		if ref.Matches(p.alice.Certificate) || ref.Matches(p.noSKI.Certificate) || ref.Matches(nil) {
			t.Errorf("%s matches", name)
		}
	}
}
