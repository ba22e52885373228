package pki

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// PKCS #12 is read here because stores of access points hold several keys, on curves crypto/x509 does not
// know, and old ones are encrypted with RC2. Only DER is read, as all but very old Windows writes it.

const (
	oidData          OID = "1.2.840.113549.1.7.1"
	oidEncryptedData OID = "1.2.840.113549.1.7.6"
	oidKeyBag        OID = "1.2.840.113549.1.12.10.1.1"
	oidShroudedBag   OID = "1.2.840.113549.1.12.10.1.2"
	oidCertBag       OID = "1.2.840.113549.1.12.10.1.3"
	oidX509CertBag   OID = "1.2.840.113549.1.9.22.1"
	oidFriendlyName  OID = "1.2.840.113549.1.9.20"

	maxBags = 1000
)

// pfx is what a store holds, in its order.
type pfx struct {
	keys  []pfxKey
	certs []*Certificate
	names []string // of the certificates
	bags  int
	// leftOut tells of the last key of a kind that is not supported; the others are still of use
	leftOut error
}

type pfxKey struct {
	alias string
	key   Key
}

var explicit0 = asn1.Tag(0).Constructed().ContextSpecific()

// parsePKCS12 opens a store; its keys and certificates have the same password.
func parsePKCS12(b []byte, password string) (*pfx, error) {
	in := cryptobyte.String(b)
	var outer, info, explicit, safe, list cryptobyte.String
	var version int64
	var kind OID
	if !in.ReadASN1(&outer, asn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1Integer(&version) || version != 3 ||
		!outer.ReadASN1(&info, asn1.SEQUENCE) || !readOID(&info, &kind) || kind != oidData ||
		!info.ReadASN1(&explicit, explicit0) || !explicit.ReadASN1(&safe, asn1.OCTET_STRING) {
		return nil, malformed("neither PEM nor JKS nor PKCS #12")
	}
	if !outer.Empty() {
		if err := checkMAC(outer, password, safe); err != nil {
			return nil, err
		}
	}
	p := &pfx{}
	if !safe.ReadASN1(&list, asn1.SEQUENCE) {
		return nil, malformed("PKCS #12: contents")
	}
	for !list.Empty() {
		var one cryptobyte.String
		if !list.ReadASN1(&one, asn1.SEQUENCE) {
			return nil, malformed("PKCS #12: contents")
		}
		plain, err := openContent(one, password)
		if err == nil {
			err = p.readBags(plain, password)
		}
		if err != nil {
			return nil, fmt.Errorf("PKCS #12: %w", err)
		}
	}
	return p, nil
}

// checkMAC reads MacData [RFC 7292 4], or PBMAC1 within it [RFC 9579].
func checkMAC(s cryptobyte.String, password string, content []byte) error {
	var seq, info, alg, want, salt cryptobyte.String
	n := 1
	var o OID
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1(&alg, asn1.SEQUENCE) ||
		!readOID(&alg, &o) || !info.ReadASN1(&want, asn1.OCTET_STRING) {
		return malformed("PKCS #12: MAC")
	}
	if o == oidPBMAC1 { // salt and count of MacData mean nothing then
		return checkPBMAC1(alg, password, content, want)
	}
	if !seq.ReadASN1(&salt, asn1.OCTET_STRING) || !seq.Empty() && !seq.ReadASN1Integer(&n) ||
		n < 1 || n > maxPBEIterations || len(salt) > maxPBESalt {
		return malformed("PKCS #12: MAC salt or count")
	}
	hash := hashes[o]
	if !hash.Available() {
		return fmt.Errorf("%w: PKCS #12 MAC with %s", ErrUnsupported, o)
	}
	passwords := [][]byte{bmpPassword(password)}
	if password == "" {
		passwords = append(passwords, nil) // no password, and an empty one, are written both ways
	}
	for _, pw := range passwords {
		if sameMAC(hash, pkcs12KDF(hash, 3, pw, salt, n, hash.Size()), content, want) {
			return nil
		}
	}
	return fmt.Errorf("%w: PKCS #12", ErrPassword)
}

func checkPBMAC1(alg cryptobyte.String, password string, content, want []byte) error {
	var params, kdf, mac cryptobyte.String
	var o OID
	if !alg.ReadASN1(&params, asn1.SEQUENCE) || !params.ReadASN1(&kdf, asn1.SEQUENCE) || !params.ReadASN1(&mac, asn1.SEQUENCE) || !readOID(&mac, &o) {
		return malformed("PKCS #12: PBMAC1")
	}
	hash := hmacs[o]
	if hash == 0 {
		return fmt.Errorf("%w: PBMAC1 with %s", ErrUnsupported, o)
	}
	key, err := pbkdf2Key(kdf, password, 0)
	if err != nil {
		return err
	}
	if !sameMAC(hash, key, content, want) {
		return fmt.Errorf("%w: PKCS #12", ErrPassword)
	}
	return nil
}

func sameMAC(hash crypto.Hash, key, content, want []byte) bool {
	m := hmac.New(hash.New, key)
	m.Write(content)
	return hmac.Equal(m.Sum(nil), want)
}

// openContent returns the SafeContents of a ContentInfo, decrypted where need be.
func openContent(info cryptobyte.String, password string) ([]byte, error) {
	var kind OID
	var explicit, v cryptobyte.String
	if !readOID(&info, &kind) || !info.ReadASN1(&explicit, explicit0) {
		return nil, malformed("content")
	}
	switch kind {
	case oidData:
		if !explicit.ReadASN1(&v, asn1.OCTET_STRING) {
			return nil, malformed("content")
		}
		return v, nil
	case oidEncryptedData:
		var enc, inner, alg cryptobyte.String
		var version int64
		if !explicit.ReadASN1(&enc, asn1.SEQUENCE) || !enc.ReadASN1Integer(&version) || !enc.ReadASN1(&inner, asn1.SEQUENCE) ||
			!readOID(&inner, &kind) || !inner.ReadASN1(&alg, asn1.SEQUENCE) || !inner.ReadASN1(&v, asn1.Tag(0).ContextSpecific()) {
			return nil, malformed("encrypted content")
		}
		return openWith(alg, password, v)
	}
	return nil, fmt.Errorf("%w: content %s", ErrUnsupported, kind)
}

func openWith(alg cryptobyte.String, password string, data []byte) ([]byte, error) {
	plain, err := pbeDecrypt(alg, password, data)
	if errors.Is(err, errPadding) {
		return nil, ErrPassword
	}
	return plain, err
}

func (p *pfx) readBags(b []byte, password string) error {
	in := cryptobyte.String(b)
	var list cryptobyte.String
	if !in.ReadASN1(&list, asn1.SEQUENCE) {
		return malformed("bags")
	}
	for !list.Empty() {
		var bag, value, attrs cryptobyte.String
		var kind OID
		if !list.ReadASN1(&bag, asn1.SEQUENCE) || !readOID(&bag, &kind) || !bag.ReadASN1(&value, explicit0) {
			return malformed("bag %d", p.bags+1)
		}
		if p.bags++; p.bags > maxBags {
			return malformed("more than %d bags", maxBags)
		}
		if !bag.Empty() && !bag.ReadASN1(&attrs, asn1.SET) {
			return malformed("bag %d: attributes", p.bags)
		}
		var err error
		switch kind {
		case oidKeyBag:
			err = p.addKey(value, attrs)
		case oidShroudedBag:
			var seq, alg, data cryptobyte.String
			if !value.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1(&alg, asn1.SEQUENCE) || !seq.ReadASN1(&data, asn1.OCTET_STRING) {
				return malformed("bag %d: encrypted key", p.bags)
			}
			var der []byte
			if der, err = openWith(alg, password, data); err == nil {
				err = p.addKey(der, attrs)
			}
		case oidCertBag:
			err = p.addCertificate(value, attrs)
		}
		if err != nil {
			return fmt.Errorf("bag %d: %w", p.bags, err)
		}
	}
	return nil
}

func (p *pfx) addKey(der []byte, attrs cryptobyte.String) error {
	key, err := ParsePrivateKey(bytes.Clone(der))
	if errors.Is(err, ErrUnsupported) {
		p.leftOut = err
		return nil
	}
	if err != nil {
		return err
	}
	p.keys = append(p.keys, pfxKey{friendlyName(attrs), key})
	return nil
}

func (p *pfx) addCertificate(value, attrs cryptobyte.String) error {
	var seq, explicit, der cryptobyte.String
	var kind OID
	if !value.ReadASN1(&seq, asn1.SEQUENCE) || !readOID(&seq, &kind) || !seq.ReadASN1(&explicit, explicit0) {
		return malformed("certificate")
	}
	if kind != oidX509CertBag { // SDSI: nobody
		return nil
	}
	if !explicit.ReadASN1(&der, asn1.OCTET_STRING) {
		return malformed("certificate")
	}
	c, err := ParseCertificate(bytes.Clone(der))
	if err == nil {
		p.certs, p.names = append(p.certs, c), append(p.names, friendlyName(attrs))
	}
	return err
}

func friendlyName(attrs cryptobyte.String) string {
	for !attrs.Empty() {
		var one, set cryptobyte.String
		var o OID
		if !attrs.ReadASN1(&one, asn1.SEQUENCE) || !readOID(&one, &o) || !one.ReadASN1(&set, asn1.SET) {
			return ""
		}
		if o == oidFriendlyName {
			name, _ := decodeString(set)
			return name
		}
	}
	return ""
}

// identities pairs keys with certificates. A store without alias is named by its certificate.
func (p *pfx) identities() (map[string]*Identity, error) {
	if len(p.keys) == 0 && p.leftOut != nil {
		return nil, fmt.Errorf("PKCS #12: %w", p.leftOut)
	}
	out := map[string]*Identity{}
	for i, k := range p.keys {
		id, err := NewIdentity(k.key, p.certs)
		if err != nil {
			return nil, fmt.Errorf("PKCS #12 key %d (%q): %w", i+1, k.alias, err)
		}
		alias := k.alias
		if alias == "" {
			alias = id.Certificate.Subject.CommonName()
		}
		if _, taken := out[alias]; taken {
			alias = fmt.Sprintf("%s#%d", alias, i+1)
		}
		out[alias] = id
	}
	return out, nil
}
