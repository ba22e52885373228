package tsp

import (
	"crypto"
	"fmt"
	"math/big"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Request asks for a time-stamp [RFC 3161 2.4.1].
type Request struct {
	HashOID      pki.OID
	Hash         crypto.Hash // 0 where unknown
	Imprint      []byte
	Policy       pki.OID  // "" for any
	Nonce        *big.Int // nil for none
	Certificates bool     // the token shall bring its certificate
	Extensions   []pki.Extension
}

// Marshal writes the request in DER. Hash says the algorithm of the imprint.
func (r *Request) Marshal() ([]byte, error) {
	o := r.HashOID
	if o == "" {
		o = pki.OIDByHash(r.Hash)
	}
	if o == "" || r.Hash != 0 && len(r.Imprint) != r.Hash.Size() {
		return nil, fmt.Errorf("%w: imprint of %d octets by %s", ErrHash, len(r.Imprint), r.Hash)
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		addImprint(b, o, r.Imprint)
		if r.Policy != "" {
			pki.AddOID(b, r.Policy)
		}
		if r.Nonce != nil {
			b.AddASN1BigInt(r.Nonce)
		}
		if r.Certificates {
			b.AddASN1Boolean(true)
		}
		if len(r.Extensions) > 0 {
			addExtensions(b, asn1.Tag(0).ContextSpecific().Constructed(), r.Extensions)
		}
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, malformed("request: %v", err)
	}
	return der, nil
}

func addImprint(b *cryptobyte.Builder, o pki.OID, imprint []byte) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			pki.AddOID(b, o)
			b.AddASN1NULL()
		})
		b.AddASN1OctetString(imprint)
	})
}

func addExtensions(b *cryptobyte.Builder, tag asn1.Tag, list []pki.Extension) {
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		for _, e := range list {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				pki.AddOID(b, e.ID)
				if e.Critical {
					b.AddASN1Boolean(true)
				}
				b.AddASN1OctetString(e.Value)
			})
		}
	})
}

// ParseRequest reads a request in DER.
func ParseRequest(der []byte) (*Request, error) {
	r := &Request{}
	in := cryptobyte.String(der)
	var seq cryptobyte.String
	var version int
	if len(der) > maxRequest || !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1Integer(&version) {
		return nil, malformed("request")
	}
	if version != 1 {
		return nil, malformed("request of version %d", version)
	}
	var err error
	if r.HashOID, r.Imprint, err = readImprint(&seq); err != nil {
		return nil, err
	}
	r.Hash = pki.HashByOID(r.HashOID)
	if seq.PeekASN1Tag(asn1.OBJECT_IDENTIFIER) && !pki.ReadOID(&seq, &r.Policy) {
		return nil, malformed("policy asked for")
	}
	if seq.PeekASN1Tag(asn1.INTEGER) {
		r.Nonce = new(big.Int)
		if !seq.ReadASN1Integer(r.Nonce) {
			return nil, malformed("nonce")
		}
	}
	if seq.PeekASN1Tag(asn1.BOOLEAN) && !seq.ReadASN1Boolean(&r.Certificates) {
		return nil, malformed("certReq")
	}
	var exts cryptobyte.String
	var present bool
	if !seq.ReadOptionalASN1(&exts, &present, asn1.Tag(0).ContextSpecific().Constructed()) || !seq.Empty() {
		return nil, malformed("something after certReq")
	}
	if present {
		s := cryptobyte.String(ber.Append(nil, asn1.SEQUENCE, exts))
		if r.Extensions, err = pki.ReadExtensions(&s); err != nil {
			return nil, malformed("extensions: %v", err)
		}
	}
	return r, nil
}
