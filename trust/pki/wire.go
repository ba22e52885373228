package pki

import (
	"crypto"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// The parts of certificates that other structures are made of too, for the packages that read and write those.

// ReadOID reads an OBJECT IDENTIFIER.
func ReadOID(s *cryptobyte.String, out *OID) bool { return readOID(s, out) }

// DecodeOID converts the content octets of an OBJECT IDENTIFIER.
func DecodeOID(content []byte) (OID, bool) { return decodeOID(content) }

// AddOID writes an OBJECT IDENTIFIER.
func AddOID(b *cryptobyte.Builder, o OID) { addOID(b, o) }

// ReadTime reads UTCTime or GeneralizedTime, also with a fraction or an offset.
func ReadTime(s *cryptobyte.String, out *time.Time) bool { return readTime(s, out) }

// ParseNameDER reads the DER of a name.
func ParseNameDER(der []byte) (Name, error) { return parseName(der) }

// OIDByHash returns the digest identifier of a hash function, or "".
func OIDByHash(h crypto.Hash) OID {
	for o, known := range hashes {
		if known == h {
			return o
		}
	}
	return ""
}

// HashKey is a digest of the key bits, which OCSP names issuers and responders by [RFC 6960 4.1.1].
func (c *Certificate) HashKey(h crypto.Hash) []byte { return digest(h, c.keyBits()) }

// ReadExtensions reads a SEQUENCE OF Extension.
func ReadExtensions(s *cryptobyte.String) ([]Extension, error) { return readExtensions(s) }
