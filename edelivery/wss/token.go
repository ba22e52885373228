package wss

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// TokenRef is what a wsse:SecurityTokenReference says about a certificate: the certificates themselves, leaf first,
// or one property of the leaf by which the reader must find it.
type TokenRef struct {
	Form         TokenForm
	Certificates []*pki.Certificate
	SubjectKeyID []byte
	Thumbprint   []byte // SHA-1
	Issuer       pki.Name
	Serial       *big.Int
}

// Matches says whether the reference names c.
func (t TokenRef) Matches(c *pki.Certificate) bool {
	switch {
	case c == nil:
		return false
	case len(t.Certificates) > 0:
		return t.Certificates[0].Equal(c)
	case len(t.SubjectKeyID) > 0:
		return bytes.Equal(t.SubjectKeyID, c.SubjectKeyID)
	case len(t.Thumbprint) > 0:
		sum := sha1.Sum(c.Raw)
		return bytes.Equal(t.Thumbprint, sum[:])
	case t.Serial != nil:
		return t.Serial.Cmp(c.SerialNumber) == 0 && t.Issuer.Equal(c.Issuer)
	}
	return false
}

// readToken reads the certificate reference in ds:KeyInfo, xenc:RecipientKeyInfo or a wsse:SecurityTokenReference
// [WSS-X509 3].
func (o *opener) readToken(n dom.Node) (TokenRef, error) {
	for n.Is(nsDS, "KeyInfo") || n.Is(nsXEnc, "RecipientKeyInfo") || n.Is(nsDS, "KeyValue") || n.Is(NamespaceWSSE, "SecurityTokenReference") {
		if n = n.FirstElement(); !n.Valid() {
			return TokenRef{}, fmt.Errorf("%w: empty key reference", ErrPolicy)
		}
	}
	switch {
	case n.Is(NamespaceWSSE, "Reference"):
		// Peers write "##id" for an id that itself begins with a hash sign: one target only, or none.
		id := strings.TrimPrefix(n.Attr("URI"), "#")
		target, err := o.ids.Lookup(id)
		if err != nil && strings.HasPrefix(id, "#") {
			target, err = o.ids.Lookup(strings.TrimLeft(id, "#"))
		}
		if err != nil {
			return TokenRef{}, fmt.Errorf("%w: token reference: %w", ErrPolicy, err)
		}
		return o.readBinaryToken(target)
	case n.Is(NamespaceWSSE, "KeyIdentifier"):
		b, err := decodeBase64(n)
		if err != nil {
			return TokenRef{}, err
		}
		switch n.Attr("ValueType") {
		case x509Profile + "#X509SubjectKeyIdentifier":
			return TokenRef{Form: TokenSKI, SubjectKeyID: b}, nil
		case sms11 + "#ThumbprintSHA1":
			return TokenRef{Form: TokenThumbprint, Thumbprint: b}, nil
		}
		return TokenRef{}, fmt.Errorf("%w: %w", ErrPolicy, n.Errorf("unknown ValueType %q", n.Attr("ValueType")))
	case n.Is(NamespaceWSSE, "Embedded"):
		return o.readBinaryToken(n.FirstElement())
	case n.Is(nsDS, "X509Data"):
		return readX509Data(n)
	}
	return TokenRef{}, fmt.Errorf("%w: %w", ErrPolicy, n.Errorf("unknown key reference"))
}

func readX509Data(n dom.Node) (TokenRef, error) {
	for e := range n.Elements() {
		if e.Space() != nsDS {
			continue
		}
		switch e.Local() {
		case "X509IssuerSerial":
			issuer, err := pki.ParseName(e.Child(nsDS, "X509IssuerName").TrimmedText())
			if err != nil {
				return TokenRef{}, fmt.Errorf("%w: %w", ErrPolicy, err)
			}
			serial, ok := new(big.Int).SetString(e.Child(nsDS, "X509SerialNumber").TrimmedText(), 10)
			if !ok {
				return TokenRef{}, fmt.Errorf("%w: %w", ErrPolicy, e.Errorf("serial number is no number"))
			}
			return TokenRef{Form: TokenIssuerSerial, Issuer: issuer, Serial: serial}, nil
		case "X509SKI":
			b, err := decodeBase64(e)
			return TokenRef{Form: TokenX509SKI, SubjectKeyID: b}, err
		case "X509Certificate":
			b, err := decodeBase64(e)
			if err != nil {
				return TokenRef{}, err
			}
			c, err := pki.ParseCertificate(b)
			if err != nil {
				return TokenRef{}, fmt.Errorf("%w: %w", ErrPolicy, err)
			}
			return TokenRef{Form: TokenX509Data, Certificates: []*pki.Certificate{c}}, nil
		}
	}
	return TokenRef{}, fmt.Errorf("%w: %w", ErrPolicy, n.Errorf("names no certificate"))
}

// readBinaryToken reads wsse:BinarySecurityToken. A PKIPath goes from the anchor's side to the leaf, the opposite of TLS.
func (o *opener) readBinaryToken(n dom.Node) (TokenRef, error) {
	if !n.Is(NamespaceWSSE, "BinarySecurityToken") {
		return TokenRef{}, fmt.Errorf("%w: %w", ErrPolicy, n.Errorf("is no BinarySecurityToken"))
	}
	b, err := decodeBase64(n)
	if err != nil {
		return TokenRef{}, err
	}
	switch n.Attr("ValueType") {
	case x509Profile + "#X509v3", "":
		c, err := o.parse(b)
		if err != nil {
			return TokenRef{}, fmt.Errorf("%w: %w", ErrPolicy, err)
		}
		return TokenRef{Form: TokenBST, Certificates: []*pki.Certificate{c}}, nil
	case x509Profile + "#X509PKIPathv1":
		chain, err := pki.ParsePKIPath(b)
		if err != nil {
			return TokenRef{}, fmt.Errorf("%w: %w", ErrPolicy, err)
		}
		return TokenRef{Form: TokenPKIPath, Certificates: chain}, nil
	}
	return TokenRef{}, fmt.Errorf("%w: %w", ErrPolicy, n.Errorf("unknown ValueType %q", n.Attr("ValueType")))
}

// decodeBase64 decodes an element's text, white space ignored, at most 64 KiB.
func decodeBase64(n dom.Node) ([]byte, error) {
	src := []byte(n.Text())
	if len(src) > 64<<10 {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, n.Errorf("longer than 64 KiB"))
	}
	kept := src[:0]
	for _, c := range src {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			kept = append(kept, c)
		}
	}
	n2, err := base64.StdEncoding.Decode(kept, kept)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, n.Errorf("is not base64: %w", err))
	}
	return kept[:n2], nil
}

// nameable says why a certificate cannot be named in a form.
func nameable(form TokenForm, c *pki.Certificate) error {
	if (form == TokenSKI || form == TokenX509SKI) && len(c.SubjectKeyID) == 0 {
		return fmt.Errorf("%w: certificate %s has no subject key identifier to name it by", ErrPolicy, c.Subject)
	}
	return nil
}

// writeToken writes a BinarySecurityToken where the form has one.
func writeToken(w *dom.Writer, form TokenForm, id string, chain []*pki.Certificate) {
	valueType, octets := x509Profile+"#X509v3", chain[0].Raw
	switch form {
	case TokenBST:
	case TokenPKIPath:
		valueType, octets = x509Profile+"#X509PKIPathv1", pki.MarshalPKIPath(chain)
	default:
		return
	}
	w.Start("wsse:BinarySecurityToken", "EncodingType", base64Binary, "ValueType", valueType, "wsu:Id", id)
	w.Base64(octets)
	w.End()
}

// writeReference writes the content of ds:KeyInfo (or RecipientKeyInfo) that names a certificate.
func writeReference(w *dom.Writer, form TokenForm, id string, c *pki.Certificate) {
	if form == TokenX509SKI {
		w.Start("ds:X509Data", "xmlns:ds", nsDS)
		w.Start("ds:X509SKI")
		w.Base64(c.SubjectKeyID)
		w.End()
		w.End()
		return
	}
	w.Start("wsse:SecurityTokenReference", "xmlns:wsse", NamespaceWSSE)
	switch form {
	case TokenSKI:
		w.Start("wsse:KeyIdentifier", "EncodingType", base64Binary, "ValueType", x509Profile+"#X509SubjectKeyIdentifier")
		w.Base64(c.SubjectKeyID)
		w.End()
	case TokenThumbprint:
		sum := sha1.Sum(c.Raw) // names a certificate, proves nothing
		w.Start("wsse:KeyIdentifier", "EncodingType", base64Binary, "ValueType", sms11+"#ThumbprintSHA1")
		w.Base64(sum[:])
		w.End()
	case TokenIssuerSerial:
		w.Start("ds:X509Data", "xmlns:ds", nsDS)
		w.Start("ds:X509IssuerSerial")
		w.Element("ds:X509IssuerName", c.Issuer.String())
		w.Element("ds:X509SerialNumber", c.SerialNumber.String())
		w.End()
		w.End()
	case TokenPKIPath:
		w.Start("wsse:Reference", "URI", "#"+id, "ValueType", x509Profile+"#X509PKIPathv1")
		w.End()
	default:
		w.Start("wsse:Reference", "URI", "#"+id, "ValueType", x509Profile+"#X509v3")
		w.End()
	}
	w.End()
}
