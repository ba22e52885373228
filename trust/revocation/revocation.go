// Package revocation asks for, answers with and publishes revocation information: Online Certificate Status Protocol (RFC 6960, with
// RFC 5019, 8954 and 9654) and certificate revocation lists (RFC 5280).
//
// [Client] asks responders and fetches lists; it is a pki.RevocationSource, and collects what a signature needs to be judged
// later. [Responder] and [Publisher] are the side of an authority, as handlers of HTTP. What was received is verified before it
// is believed: parsing and verifying are those of package pki.
package revocation

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// What a request or an answer can be refused for.
var (
	ErrFormat = errors.New("revocation: malformed")
	ErrNonce  = errors.New("revocation: answer to another request")
	ErrAnswer = errors.New("revocation: no answer about the certificate")
	ErrFetch  = errors.New("revocation: could not be fetched")
)

const (
	oidNonce pki.OID = "1.3.6.1.5.5.7.48.1.2"
	oidBasic pki.OID = "1.3.6.1.5.5.7.48.1.1"
	// OCSPNoCheck is the extension of responders that are not checked themselves [RFC 6960 4.2.2.2.1]; its value is NULL.
	OCSPNoCheck pki.OID = "1.3.6.1.5.5.7.48.1.5"

	maxRequest = 64 << 10
	maxNonce   = 128 // [RFC 9654 2.1]
)

// Status is what an authority knows about one of its certificates.
type Status struct {
	State     pki.RevocationState // unknown: never issued
	RevokedAt time.Time
	Reason    pki.Reason
}

// Source answers for the certificates of one authority.
type Source interface {
	Status(ctx context.Context, serial *big.Int) (Status, error)
}

// SourceFunc is a function that is a [Source].
type SourceFunc func(ctx context.Context, serial *big.Int) (Status, error)

// Status calls the function.
func (f SourceFunc) Status(ctx context.Context, serial *big.Int) (Status, error) {
	return f(ctx, serial)
}

// CertID names a certificate in a request [RFC 6960 4.1.1].
type CertID struct {
	Hash              crypto.Hash // 0 where unknown
	NameHash, KeyHash []byte
	SerialNumber      *big.Int
	raw               []byte
}

// By reports whether a certificate of this issuer is meant.
func (c CertID) By(issuer *pki.Certificate) bool {
	if !c.Hash.Available() {
		return false
	}
	h := c.Hash.New()
	h.Write(issuer.RawSubject)
	return string(h.Sum(nil)) == string(c.NameHash) && string(issuer.HashKey(c.Hash)) == string(c.KeyHash)
}

// Request asks about certificates [RFC 6960 4.1]. A signature on it is not looked at: nothing here is for named clients only.
type Request struct {
	Certificates []CertID
	Nonce        []byte // nil where absent
	Extensions   []pki.Extension
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrFormat, what) }

// ParseRequest reads an OCSPRequest in DER.
func ParseRequest(der []byte) (*Request, error) {
	in := cryptobyte.String(der)
	var outer, tbs, list, exts cryptobyte.String
	var present bool
	version, context := 0, func(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }
	if len(der) > maxRequest || !in.ReadASN1(&outer, asn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1(&tbs, asn1.SEQUENCE) {
		return nil, malformed("request")
	}
	if !outer.SkipOptionalASN1(context(0)) || !outer.Empty() {
		return nil, malformed("signature of the request")
	}
	if !tbs.ReadOptionalASN1Integer(&version, context(0), 0) || version != 0 {
		return nil, malformed("version")
	}
	if !tbs.SkipOptionalASN1(context(1)) || !tbs.ReadASN1(&list, asn1.SEQUENCE) {
		return nil, malformed("name or list of the request")
	}
	r := &Request{}
	for !list.Empty() {
		var one cryptobyte.String
		if !list.ReadASN1(&one, asn1.SEQUENCE) {
			return nil, malformed("one of the list")
		}
		id, err := parseCertID(&one)
		if err != nil {
			return nil, err
		}
		r.Certificates = append(r.Certificates, id)
	}
	if len(r.Certificates) == 0 {
		return nil, malformed("nothing is asked for")
	}
	if !tbs.ReadOptionalASN1(&exts, &present, context(2)) || !tbs.Empty() {
		return nil, malformed("something after the list")
	}
	if present {
		var err error
		if r.Extensions, err = pki.ReadExtensions(&exts); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
	}
	for _, e := range r.Extensions {
		if e.ID == oidNonce {
			r.Nonce = e.Value
			if v, err := ber.Parse(e.Value); err == nil && v.Tag == asn1.OCTET_STRING {
				r.Nonce = v.Content
			}
		}
	}
	return r, nil
}

func parseCertID(one *cryptobyte.String) (c CertID, err error) {
	var id, alg, name, key cryptobyte.String
	var o pki.OID
	c.SerialNumber = new(big.Int)
	in := *one
	if !one.ReadASN1Element(&id, asn1.SEQUENCE) {
		return c, malformed("CertID")
	}
	c.raw = id
	if !in.ReadASN1(&id, asn1.SEQUENCE) || !id.ReadASN1(&alg, asn1.SEQUENCE) || !pki.ReadOID(&alg, &o) || !id.ReadASN1(&name, asn1.OCTET_STRING) ||
		!id.ReadASN1(&key, asn1.OCTET_STRING) || !id.ReadASN1Integer(c.SerialNumber) || !id.Empty() {
		return c, malformed("CertID")
	}
	c.Hash, c.NameHash, c.KeyHash = pki.HashByOID(o), name, key
	return c, nil
}
