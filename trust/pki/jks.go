package pki

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// JKS is a Java key store of the old kind, which access points of the past decade kept their keys in.
// Its integrity check and key protection rest on SHA-1 and stop no attacker: read it, do not write it.
type JKS struct{ Entries []JKSEntry }

// JKSEntry is a key with its chain, leaf first, or a trusted certificate alone.
type JKSEntry struct {
	Alias     string
	Created   time.Time
	Chain     []*Certificate
	protected []byte // EncryptedPrivateKeyInfo; nil for a trusted certificate
}

// HasKey tells a key entry from a trusted certificate.
func (e *JKSEntry) HasKey() bool { return e.protected != nil }

const (
	jksMagic   = 0xfeedfeed
	jceksMagic = 0xcececece
	maxJKS     = 64 << 20

	oidSunProtector OID = "1.3.6.1.4.1.42.2.17.1.1"
)

func isJKS(b []byte) bool {
	return len(b) >= 4 && (binary.BigEndian.Uint32(b) == jksMagic || binary.BigEndian.Uint32(b) == jceksMagic)
}

// ParseJKS reads a store. The password is for the integrity check; with "" it is left out, as keytool
// does for trust stores.
func ParseJKS(b []byte, password string) (*JKS, error) {
	if !isJKS(b) || len(b) > maxJKS {
		return nil, malformed("no Java key store")
	}
	if binary.BigEndian.Uint32(b) == jceksMagic {
		return nil, fmt.Errorf("%w: key store of type JCEKS", ErrUnsupported)
	}
	if len(b) < 12+sha1.Size {
		return nil, malformed("key store of %d octets", len(b))
	}
	body, digest := b[:len(b)-sha1.Size], b[len(b)-sha1.Size:]
	if password != "" {
		h := sha1.New()
		h.Write(utf16Bytes(password))
		h.Write([]byte("Mighty Aphrodite"))
		h.Write(body)
		if subtle.ConstantTimeCompare(h.Sum(nil), digest) != 1 {
			return nil, fmt.Errorf("%w: Java key store", ErrPassword)
		}
	}
	r := jksReader{s: body[4:]}
	version, count := r.uint32(), r.uint32()
	if version != 1 && version != 2 {
		return nil, malformed("key store of version %d", version)
	}
	store := &JKS{}
	for range count {
		if r.bad {
			break
		}
		e, err := r.entry(version)
		if err != nil {
			return nil, fmt.Errorf("key store entry %d: %w", len(store.Entries)+1, err)
		}
		store.Entries = append(store.Entries, e)
	}
	if r.bad || !r.s.Empty() {
		return nil, malformed("key store is cut short or has more than its %d entries", count)
	}
	return store, nil
}

type jksReader struct {
	s   cryptobyte.String
	bad bool
}

func (r *jksReader) uint32() (v uint32) {
	r.bad = r.bad || !r.s.ReadUint32(&v)
	return v
}

func (r *jksReader) bytes(n uint32) (v []byte) {
	r.bad = r.bad || uint64(n) > uint64(len(r.s)) || !r.s.ReadBytes(&v, int(n))
	return v
}

// text reads two octets of length and as many of UTF-8 (in Java's dialect, equal to it for real aliases).
func (r *jksReader) text() string {
	var n uint16
	r.bad = r.bad || !r.s.ReadUint16(&n)
	return string(r.bytes(uint32(n)))
}

func (r *jksReader) entry(version uint32) (e JKSEntry, err error) {
	kind := r.uint32()
	e.Alias = r.text()
	var millis uint64
	r.bad = r.bad || !r.s.ReadUint64(&millis)
	e.Created = time.UnixMilli(int64(millis)).UTC()
	certs := uint32(1)
	switch kind {
	case 1:
		e.protected = r.bytes(r.uint32())
		certs = r.uint32()
	case 2:
	default:
		r.bad = true
	}
	if r.bad {
		return e, malformed("cut short, or of a kind other than key and certificate")
	}
	for range certs {
		if version == 2 {
			if t := r.text(); t != "X.509" {
				return e, malformed("certificate of type %q", t)
			}
		}
		der := r.bytes(r.uint32())
		if r.bad || len(e.Chain) == maxPath {
			return e, malformed("chain cut short or longer than %d", maxPath)
		}
		c, err := ParseCertificate(der)
		if err != nil {
			return e, err
		}
		e.Chain = append(e.Chain, c)
	}
	return e, nil
}

// Identities opens all keys with one password.
func (s *JKS) Identities(password string) (map[string]*Identity, error) {
	out := map[string]*Identity{}
	for i := range s.Entries {
		e := &s.Entries[i]
		if !e.HasKey() {
			continue
		}
		id, err := e.Identity(password)
		if err != nil {
			return nil, fmt.Errorf("key store entry %q: %w", e.Alias, err)
		}
		out[e.Alias] = id
	}
	if len(out) == 0 {
		return nil, malformed("no private key in the key store")
	}
	return out, nil
}

// Certificates returns the trusted certificates.
func (s *JKS) Certificates() []*Certificate {
	var out []*Certificate
	for i := range s.Entries {
		if e := &s.Entries[i]; !e.HasKey() {
			out = append(out, e.Chain...)
		}
	}
	return out
}

// Identity opens a key entry.
func (e *JKSEntry) Identity(password string) (*Identity, error) {
	in := cryptobyte.String(e.protected)
	var info, alg, data cryptobyte.String
	var o OID
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1(&alg, asn1.SEQUENCE) || !readOID(&alg, &o) ||
		!info.ReadASN1(&data, asn1.OCTET_STRING) {
		return nil, malformed("protected key")
	}
	if o != oidSunProtector {
		return nil, fmt.Errorf("%w: key protection %s", ErrUnsupported, o)
	}
	der, ok := sunOpen(data, password)
	if !ok {
		return nil, fmt.Errorf("%w: key %q", ErrPassword, e.Alias)
	}
	key, err := ParsePrivateKey(der)
	if err != nil {
		return nil, err
	}
	return NewIdentity(key, e.Chain)
}

// sunOpen undoes Sun's key protector: salt, key XOR a chain of SHA-1 over password and salt, check digest.
func sunOpen(data []byte, password string) ([]byte, bool) {
	if len(data) < 2*sha1.Size {
		return nil, false
	}
	salt, body, check := data[:sha1.Size], data[sha1.Size:len(data)-sha1.Size], data[len(data)-sha1.Size:]
	pw := utf16Bytes(password)
	out := make([]byte, len(body))
	block := salt
	for i := 0; i < len(body); i += sha1.Size {
		h := sha1.New()
		h.Write(pw)
		h.Write(block)
		block = h.Sum(nil)
		subtle.XORBytes(out[i:], body[i:], block)
	}
	h := sha1.New()
	h.Write(pw)
	h.Write(out)
	return out, subtle.ConstantTimeCompare(h.Sum(nil), check) == 1
}

func utf16Bytes(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.BigEndian.AppendUint16(out, u)
	}
	return out
}
