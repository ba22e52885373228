package pki

import (
	"crypto"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// MarshalOCSPRequest asks about one certificate; hash is SHA-1 for responders that know no other. A nonce
// (1 to 32 octets [RFC 8954 2.1]) may be nil.
func MarshalOCSPRequest(cert, issuer *Certificate, hash crypto.Hash, nonce []byte) ([]byte, error) {
	var o OID
	for id, h := range hashes {
		if h == hash {
			o = id
		}
	}
	if o == "" || !hash.Available() {
		return nil, fmt.Errorf("%w: OCSP with %s", ErrUnsupported, hash)
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // OCSPRequest
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // TBSRequest
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // requestList
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // Request
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // CertID
						b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
							addOID(b, o)
							b.AddASN1NULL()
						})
						b.AddASN1OctetString(digest(hash, issuer.RawSubject))
						b.AddASN1OctetString(digest(hash, issuer.keyBits()))
						b.AddASN1BigInt(cert.SerialNumber)
					})
				})
			})
			if nonce == nil {
				return
			}
			b.AddASN1(asn1.Tag(2).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						addOID(b, oidOCSPNonce)
						b.AddASN1(asn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1OctetString(nonce) })
					})
				})
			})
		})
	})
	return b.Bytes()
}
