package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"time"
)

// Authority issues certificates, for a first set-up, a demonstration and tests. It is no CA product: it
// keeps no records, and what it issued and revoked is the caller's to remember.
type Authority struct {
	Identity // key and certificate; Chain leads to the root
	rand     io.Reader
	now      time.Time
}

// Template is what a certificate shall say. The zero value is a valid request but for a subject.
type Template struct {
	Subject                           string // RFC 4514; or the three parts
	CommonName, Organization, Country string
	OrganizationalUnit                string

	Algorithm KeyAlgorithm     // of the key to be made; default P256
	PublicKey crypto.PublicKey // certify this key instead; the identity then has no key
	Key       Key              // certify this key and keep it in the identity

	NotBefore, NotAfter time.Time // default: the authority's time of creation, and two years later
	Serial              *big.Int  // default: 127 random bits

	// KeyUsage defaults to digital signature, or key agreement for X25519; RSA keys may also encipher,
	// EC keys also agree. NoKeyUsage leaves the extension out.
	KeyUsage   KeyUsage
	NoKeyUsage bool

	ExtKeyUsage            []OID
	Policies               []OID
	CRLDistributionPoints  []string
	OCSPServers, CAIssuers []string
	DNSNames, Emails, URIs []string
	IPs                    []net.IP
	Extensions             []Extension // further ones, as they are
	CA                     bool
	MaxPathLen             int // of a CA: 0 means none below unless AnyPathLen
	AnyPathLen             bool
}

// NewAuthority makes a self-signed root named by subject (RFC 4514), valid from now for a number of
// years. random makes keys and serial numbers; nil is crypto/rand. now is also the default start of
// everything the authority issues.
func NewAuthority(random io.Reader, subject string, alg KeyAlgorithm, now time.Time, years int) (*Authority, error) {
	if random == nil {
		random = rand.Reader
	}
	a := &Authority{rand: random, now: now.UTC().Truncate(time.Second)}
	id, err := a.issue(caTemplate(subject, alg, a.now, years), nil)
	if err != nil {
		return nil, err
	}
	a.Identity = *id
	return a, nil
}

// Sub makes an authority below this one. It issues with its own key; its chain leads here.
func (a *Authority) Sub(subject string, alg KeyAlgorithm, now time.Time, years int) (*Authority, error) {
	sub := &Authority{rand: a.rand, now: now.UTC().Truncate(time.Second)}
	id, err := sub.issue(caTemplate(subject, alg, sub.now, years), &a.Identity)
	if err != nil {
		return nil, err
	}
	sub.Identity = *id
	return sub, nil
}

func caTemplate(subject string, alg KeyAlgorithm, now time.Time, years int) Template {
	return Template{Subject: subject, Algorithm: alg, NotBefore: now, NotAfter: now.AddDate(years, 0, 0),
		CA: true, AnyPathLen: true, KeyUsage: UseCertSign | UseCRLSign | UseDigitalSignature}
}

// Issue makes a key, unless the template brings one, and its certificate.
func (a *Authority) Issue(t Template) (*Identity, error) { return a.issue(t, &a.Identity) }

func (a *Authority) issue(t Template, issuer *Identity) (*Identity, error) {
	key, public, err := a.subjectKey(t)
	if err != nil {
		return nil, err
	}
	x, err := a.x509Template(t, public)
	if err != nil {
		return nil, err
	}
	der, err := a.sign(x, public, key, issuer)
	if err != nil {
		return nil, err
	}
	c, err := ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	id := &Identity{Key: key, Certificate: c}
	if issuer != nil {
		id.Chain = append([]*Certificate{issuer.Certificate}, issuer.Chain...)
	}
	return id, nil
}

func (a *Authority) subjectKey(t Template) (Key, crypto.PublicKey, error) {
	switch {
	case t.PublicKey != nil:
		return nil, t.PublicKey, nil
	case t.Key != nil:
		return t.Key, t.Key.Public(), nil
	}
	alg := t.Algorithm
	if alg == "" {
		alg = P256
	}
	k, err := GenerateKey(a.rand, alg)
	if err != nil {
		return nil, nil, err
	}
	return k, k.Public(), nil
}

func (a *Authority) x509Template(t Template, public crypto.PublicKey) (*x509.Certificate, error) {
	subject, err := t.subject()
	if err != nil {
		return nil, err
	}
	x := &x509.Certificate{
		RawSubject: subject, SerialNumber: t.Serial, NotBefore: t.NotBefore, NotAfter: t.NotAfter,
		BasicConstraintsValid: true, IsCA: t.CA, MaxPathLen: t.MaxPathLen, MaxPathLenZero: t.CA && t.MaxPathLen == 0 && !t.AnyPathLen,
		CRLDistributionPoints: t.CRLDistributionPoints, OCSPServer: t.OCSPServers, IssuingCertificateURL: t.CAIssuers,
		DNSNames: t.DNSNames, EmailAddresses: t.Emails, IPAddresses: t.IPs,
	}
	if !t.CA {
		x.MaxPathLen, x.MaxPathLenZero = 0, false
	} else if t.AnyPathLen {
		x.MaxPathLen = -1
	}
	if x.NotBefore.IsZero() {
		x.NotBefore = a.now
	}
	if x.NotAfter.IsZero() {
		x.NotAfter = x.NotBefore.AddDate(2, 0, 0)
	}
	if x.SerialNumber == nil {
		var b [16]byte
		if _, err := io.ReadFull(a.rand, b[:]); err != nil {
			return nil, err
		}
		b[0] = b[0]&0x7f | 0x40 // positive, and always of the same length
		x.SerialNumber = new(big.Int).SetBytes(b[:])
	}
	if !t.NoKeyUsage {
		x.KeyUsage = x509.KeyUsage(t.keyUsage(public)) // the bits are numbered alike
	}
	if x.SubjectKeyId, err = keyIdentifier(public); err != nil {
		return nil, err
	}
	for _, o := range t.ExtKeyUsage {
		oid, err := toASN1(o)
		if err != nil {
			return nil, err
		}
		x.UnknownExtKeyUsage = append(x.UnknownExtKeyUsage, oid)
	}
	for _, o := range t.Policies {
		p, err := x509.ParseOID(string(o))
		if err != nil {
			return nil, err
		}
		x.Policies = append(x.Policies, p)
	}
	for _, s := range t.URIs {
		u, err := url.Parse(s)
		if err != nil {
			return nil, err
		}
		x.URIs = append(x.URIs, u)
	}
	for _, e := range t.Extensions {
		oid, err := toASN1(e.ID)
		if err != nil {
			return nil, err
		}
		x.ExtraExtensions = append(x.ExtraExtensions, pkix.Extension{Id: oid, Critical: e.Critical, Value: e.Value})
	}
	return x, nil
}

func (t *Template) subject() ([]byte, error) {
	if t.Subject != "" {
		n, err := ParseName(t.Subject)
		if err != nil {
			return nil, err
		}
		return n.Marshal()
	}
	var n Name
	for _, a := range []Attribute{{Type: "2.5.4.6", Value: t.Country}, {Type: "2.5.4.10", Value: t.Organization},
		{Type: "2.5.4.11", Value: t.OrganizationalUnit}, {Type: "2.5.4.3", Value: t.CommonName}} {
		if a.Value != "" {
			n = append(n, RDN{a})
		}
	}
	return n.Marshal()
}

func (t *Template) keyUsage(public crypto.PublicKey) KeyUsage {
	if t.KeyUsage != 0 {
		return t.KeyUsage
	}
	return defaultKeyUsage(public)
}

// keyIdentifier is the SHA-1 of the key bits, method 1 of [RFC 5280 4.2.1.2], which every peer computes.
func keyIdentifier(public crypto.PublicKey) ([]byte, error) {
	spki, err := MarshalPublicKey(public)
	if err != nil {
		return nil, err
	}
	c := Certificate{RawSPKI: spki}
	h := sha1.Sum(c.keyBits())
	return h[:], nil
}

func toASN1(o OID) (asn1.ObjectIdentifier, error) {
	content, ok := encodeOID(o)
	if !ok {
		return nil, malformed("object identifier %q", o)
	}
	var out asn1.ObjectIdentifier
	_, err := asn1.Unmarshal(append([]byte{6, byte(len(content))}, content...), &out)
	return out, err
}

// CRL makes a list of the certificates given, revoked now, to be renewed after a week. An authority with a
// brainpool key makes none: [ErrUnsupported].
func (a *Authority) CRL(revoked []*Certificate, now time.Time) ([]byte, error) {
	now = now.UTC().Truncate(time.Second)
	t := &x509.RevocationList{Number: big.NewInt(now.Unix()), ThisUpdate: now, NextUpdate: now.AddDate(0, 0, 7)}
	for _, c := range revoked {
		t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: now})
	}
	signer, ok := a.Key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: key of %q does not sign", ErrUnsupported, a.Certificate.Subject)
	}
	x, err := a.Certificate.X509()
	if err != nil {
		return nil, fmt.Errorf("%w: CRLs of brainpool authorities (%v)", ErrUnsupported, err)
	}
	return x509.CreateRevocationList(a.rand, t, x, signer)
}
