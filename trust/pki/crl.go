package pki

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"hash/maphash"
	"math/big"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// CRL is a parsed revocation list. The entries stay octets: lists of states have many megabytes, and a
// question touches one entry.
type CRL struct {
	Raw, RawTBS, RawIssuer []byte
	Issuer                 Name
	ThisUpdate, NextUpdate time.Time // NextUpdate is zero where absent
	Number                 *big.Int  // nil where absent
	AuthorityKeyID         []byte
	SignatureAlgorithm     SignatureAlgorithm
	Signature              []byte
	Extensions             []Extension

	// Scope says which certificates the list speaks about [RFC 5280 5.2.5].
	Scope CRLScope

	revoked cryptobyte.String // content of revokedCertificates
	count   int
	once    sync.Once
	seed    maphash.Seed
	index   []crlIndex // sorted by hash

	hashed      sync.Once
	fingerprint [32]byte
}

// Fingerprint is the SHA-256 of the whole list.
func (c *CRL) Fingerprint() [32]byte {
	c.hashed.Do(func() { c.fingerprint = sha256.Sum256(c.Raw) })
	return c.fingerprint
}

// crlIndex is one entry: the hash of its serial number and its offset in revoked.
type crlIndex struct {
	hash   uint64
	offset uint32
}

// CRLScope is the issuing distribution point extension.
type CRLScope struct {
	DistributionPoints        []string // URIs; empty: not stated
	OnlyUser, OnlyCA, OnlyAC  bool
	OnlySomeReasons, Indirect bool
}

// RevokedEntry is one line of a CRL.
type RevokedEntry struct {
	RevokedAt time.Time
	Reason    Reason
}

const maxCRL = 256 << 20

// ParseCRL reads a complete CRL in DER or PEM. Delta CRLs are refused. It takes ownership of b.
func ParseCRL(b []byte) (*CRL, error) {
	if len(b) > maxCRL {
		return nil, malformed("CRL of %d octets", len(b))
	}
	if len(b) > 0 && b[0] != 0x30 {
		block, _, ok, err := nextPEM(b)
		if err != nil || !ok || block.label != "X509 CRL" && block.label != "CRL" {
			return nil, malformed("CRL is neither DER nor PEM")
		}
		b = block.der
	}
	c, err := parseCRL(b)
	if err != nil {
		return nil, fmt.Errorf("CRL: %w", err)
	}
	return c, nil
}

func parseCRL(der []byte) (*CRL, error) {
	in := cryptobyte.String(der)
	var outer, tbs, alg, signature cryptobyte.String
	if !in.ReadASN1(&outer, asn1.SEQUENCE) || !in.Empty() ||
		!outer.ReadASN1Element(&tbs, asn1.SEQUENCE) || !outer.ReadASN1Element(&alg, asn1.SEQUENCE) ||
		!readBitString(&outer, &signature) || !outer.Empty() {
		return nil, malformed("not tbsCertList, signatureAlgorithm, signature")
	}
	c := &CRL{Raw: der, RawTBS: tbs, Signature: signature}
	var body, inner, issuer cryptobyte.String
	tbs.ReadASN1(&body, asn1.SEQUENCE)
	if body.PeekASN1Tag(asn1.INTEGER) {
		var version int64
		if !body.ReadASN1Integer(&version) || version != 1 {
			return nil, malformed("version")
		}
	}
	if !body.ReadASN1Element(&inner, asn1.SEQUENCE) || !bytes.Equal(inner, alg) {
		return nil, malformed("signature algorithm differs inside and outside of the signed part")
	}
	var err error
	if c.SignatureAlgorithm, err = ParseSignatureAlgorithm(alg); err != nil {
		return nil, err
	}
	if !body.ReadASN1Element(&issuer, asn1.SEQUENCE) {
		return nil, malformed("no issuer")
	}
	c.RawIssuer = issuer
	if c.Issuer, err = parseName(issuer); err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	if !readTime(&body, &c.ThisUpdate) {
		return nil, malformed("thisUpdate")
	}
	if (body.PeekASN1Tag(asn1.UTCTime) || body.PeekASN1Tag(asn1.GeneralizedTime)) && !readTime(&body, &c.NextUpdate) {
		return nil, malformed("nextUpdate")
	}
	if body.PeekASN1Tag(asn1.SEQUENCE) && !body.ReadASN1(&c.revoked, asn1.SEQUENCE) {
		return nil, malformed("revokedCertificates")
	}
	if err := c.parseExtensions(&body); err != nil {
		return nil, err
	}
	return c, c.scan()
}

func (c *CRL) parseExtensions(body *cryptobyte.String) error {
	var explicit cryptobyte.String
	var present bool
	if !body.ReadOptionalASN1(&explicit, &present, asn1.Tag(0).Constructed().ContextSpecific()) || !body.Empty() {
		return malformed("something after the entries that is no extension")
	}
	if !present {
		return nil
	}
	var err error
	if c.Extensions, err = readExtensions(&explicit); err != nil {
		return err
	}
	for _, e := range c.Extensions {
		s := cryptobyte.String(e.Value)
		ok := true
		switch e.ID {
		case oidCRLNumber:
			c.Number = new(big.Int)
			ok = readInteger(&s, c.Number)
		case oidAuthorityKeyID:
			var tmp Certificate
			ok = tmp.parseAuthorityKeyID(s)
			c.AuthorityKeyID = tmp.AuthorityKeyID
		case oidIssuingDistribution:
			ok = c.parseScope(s)
		case oidDeltaCRL:
			return fmt.Errorf("%w: delta CRL", ErrUnsupported)
		default:
			if e.Critical {
				return fmt.Errorf("%w: critical CRL extension %s", ErrUnsupported, e.ID)
			}
		}
		if !ok {
			return malformed("extension %s", e.ID)
		}
	}
	return nil
}

func (c *CRL) parseScope(s cryptobyte.String) bool {
	var seq cryptobyte.String
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !distributionURIs(seq, &c.Scope.DistributionPoints) ||
		!seq.SkipOptionalASN1(asn1.Tag(0).Constructed().ContextSpecific()) {
		return false
	}
	for !seq.Empty() {
		var v cryptobyte.String
		var tag asn1.Tag
		if !seq.ReadAnyASN1(&v, &tag) {
			return false
		}
		set := len(v) == 1 && v[0] != 0
		switch tag {
		case asn1.Tag(1).ContextSpecific():
			c.Scope.OnlyUser = set
		case asn1.Tag(2).ContextSpecific():
			c.Scope.OnlyCA = set
		case asn1.Tag(3).ContextSpecific():
			c.Scope.OnlySomeReasons = true
		case asn1.Tag(4).ContextSpecific():
			c.Scope.Indirect = set
		case asn1.Tag(5).ContextSpecific():
			c.Scope.OnlyAC = set
		default:
			return false
		}
	}
	return true
}

// crlEntry reads the next entry: serial number octets, time, extensions.
func crlEntry(list *cryptobyte.String, serial *cryptobyte.String, rest *cryptobyte.String) bool {
	return list.ReadASN1(rest, asn1.SEQUENCE) && rest.ReadASN1(serial, asn1.INTEGER) && len(*serial) > 0
}

// scan checks the shape of all entries once, so that later questions cannot meet a broken one.
func (c *CRL) scan() error {
	list := c.revoked
	for !list.Empty() {
		var serial, rest, exts cryptobyte.String
		if !crlEntry(&list, &serial, &rest) || !rest.SkipASN1(asn1.UTCTime) && !rest.SkipASN1(asn1.GeneralizedTime) {
			return malformed("entry %d", c.count+1)
		}
		if !rest.Empty() && (!rest.ReadASN1(&exts, asn1.SEQUENCE) || !rest.Empty()) {
			return malformed("entry %d: extensions", c.count+1)
		}
		c.count++
	}
	return nil
}

// Len returns the number of entries.
func (c *CRL) Len() int { return c.count }

func (c *CRL) buildIndex() {
	c.seed = maphash.MakeSeed()
	c.index = make([]crlIndex, 0, c.count)
	for list := c.revoked; !list.Empty(); {
		offset := uint32(len(c.revoked) - len(list))
		var serial, rest cryptobyte.String
		crlEntry(&list, &serial, &rest) // scan has seen that it can
		c.index = append(c.index, crlIndex{maphash.Bytes(c.seed, trimSerial(serial)), offset})
	}
	slices.SortFunc(c.index, func(a, b crlIndex) int { return cmp.Compare(a.hash, b.hash) })
}

func (c *CRL) serialAt(offset uint32) []byte {
	list := c.revoked[offset:]
	var serial, rest cryptobyte.String
	crlEntry(&list, &serial, &rest)
	return trimSerial(serial)
}

// trimSerial drops octets that do not change the number, which DER forbids and old issuers wrote.
func trimSerial(b []byte) []byte {
	for len(b) > 1 && (b[0] == 0 && b[1]&0x80 == 0 || b[0] == 0xff && b[1]&0x80 != 0) {
		b = b[1:]
	}
	return b
}

// Entries returns all lines about a serial number, oldest first. Some authorities keep the whole story of
// a suspended certificate on the list: held, released, held again.
func (c *CRL) Entries(serial *big.Int) []RevokedEntry {
	c.once.Do(c.buildIndex)
	var b cryptobyte.Builder
	b.AddASN1BigInt(serial)
	der, err := b.Bytes()
	if err != nil {
		return nil
	}
	in := cryptobyte.String(der)
	var content cryptobyte.String
	in.ReadASN1(&content, asn1.INTEGER)
	hash := maphash.Bytes(c.seed, content)
	i, _ := slices.BinarySearchFunc(c.index, hash, func(e crlIndex, h uint64) int { return cmp.Compare(e.hash, h) })
	var out []RevokedEntry
	for ; i < len(c.index) && c.index[i].hash == hash; i++ {
		if bytes.Equal(c.serialAt(c.index[i].offset), content) {
			out = append(out, c.entryAt(c.index[i].offset))
		}
	}
	slices.SortStableFunc(out, func(x, y RevokedEntry) int {
		if d := x.RevokedAt.Compare(y.RevokedAt); d != 0 {
			return d
		}
		return int(y.Reason) - int(x.Reason) // a release before a revocation of the same second
	})
	return out
}

// Find returns the last word about a serial number up to a moment.
func (c *CRL) Find(serial *big.Int, at time.Time) (RevokedEntry, bool) {
	for _, e := range slices.Backward(c.Entries(serial)) {
		if !e.RevokedAt.After(at) {
			return e, e.Reason != ReasonRemoveFromCRL
		}
	}
	return RevokedEntry{}, false
}

func (c *CRL) entryAt(offset uint32) (e RevokedEntry) {
	list := c.revoked[offset:]
	var serial, rest cryptobyte.String
	crlEntry(&list, &serial, &rest)
	readTime(&rest, &e.RevokedAt) // an unreadable date leaves the zero time: revoked since ever
	if !rest.Empty() {
		if exts, err := readExtensions(&rest); err == nil {
			if v, ok := findExtension(exts, oidReasonCode); ok {
				in := cryptobyte.String(v)
				var reason int
				if in.ReadASN1Enum(&reason) && 0 <= reason && reason <= 10 {
					e.Reason = Reason(reason)
				}
			}
		}
	}
	return e
}

// IsRevoked reports whether the list as it stands revokes a serial number, at whatever date.
func (c *CRL) IsRevoked(serial *big.Int) bool {
	all := c.Entries(serial)
	return len(all) > 0 && all[len(all)-1].Reason != ReasonRemoveFromCRL
}

// Verify checks that the issuer signed the list and may sign lists.
func (c *CRL) Verify(issuer *Certificate) error {
	if !sameName(c.RawIssuer, issuer.RawSubject, c.Issuer, issuer.Subject) {
		return fmt.Errorf("%w: CRL of %q, not of %q", ErrUntrusted, c.Issuer, issuer.Subject)
	}
	if issuer.HasKeyUsage && issuer.KeyUsage&UseCRLSign == 0 {
		return fmt.Errorf("%w: %q may not sign CRLs [RFC 5280 4.2.1.3]", ErrKeyUsage, issuer.Subject)
	}
	if err := issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBS, c.Signature); err != nil {
		return fmt.Errorf("CRL of %q: %w", c.Issuer, err)
	}
	return nil
}

// Covers reports whether the list speaks about a certificate of its issuer.
func (c *CRL) Covers(cert *Certificate) bool {
	s := &c.Scope
	if s.OnlyAC || s.OnlySomeReasons || s.Indirect || s.OnlyUser && cert.BasicConstraints.CA || s.OnlyCA && !cert.BasicConstraints.CA {
		return false
	}
	if len(s.DistributionPoints) == 0 || len(cert.CRLDistributionPoints) == 0 {
		return true
	}
	for _, a := range s.DistributionPoints {
		for _, b := range cert.CRLDistributionPoints {
			if a == b {
				return true
			}
		}
	}
	return false
}
