package eidas

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Party is a node of the network as its metadata describe it, in one role or both [eIDAS-IA].
type Party struct {
	*saml.Entity
	Country     string   // NodeCountry, else that of the key that signs; "" where nothing says
	SPType      string   // of all services behind a connector, "" where each request says
	Levels      []string // that a proxy service answers with
	Versions    []string // of the protocol; nil: it does not say
	Application string   // application identifier
	RequesterID bool     // a proxy service wants private services named
	Hidden      bool     // not to be shown when a person chooses a country
}

// ReadParty looks at what the metadata of a node say. An error says everything that is wrong with them; what is not valid at
// this time is wrong, too.
func ReadParty(e *saml.Entity, now time.Time) (*Party, error) {
	p := &Party{Entity: e, Versions: e.Attribute(attributeVersion), Levels: e.Attribute(attributeLevels)}
	if v := e.Attribute(attributeApplication); len(v) > 0 {
		p.Application = v[0]
	}
	category := e.Attribute(attributeCategory)
	p.RequesterID, p.Hidden = slices.Contains(category, categoryRequesterID), slices.Contains(category, categoryHidden)
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if n := e.Extensions.Child(Namespace, "SPType"); n.Valid() {
		if p.SPType = n.TrimmedText(); p.SPType != Public && p.SPType != Private {
			wrong("SPType %q is neither public nor private", p.SPType)
		}
	}
	if e.ValidUntil.IsZero() {
		wrong("validUntil is missing")
	} else if !now.Before(e.ValidUntil) {
		wrong("they ended to be valid at %s", e.ValidUntil.Format(time.RFC3339))
	}
	for _, r := range p.roles() {
		if n := r.Extensions.Child(Namespace, "NodeCountry"); n.Valid() {
			c := strings.ToUpper(n.TrimmedText())
			if p.Country != "" && p.Country != c {
				wrong("the roles are of two countries, %s and %s", p.Country, c)
			}
			p.Country = c
		}
		if len(r.Signing) == 0 {
			wrong("a role has no key for signatures")
		}
		errs = append(errs, checkKeys("signatures", r.Signing, now))
	}
	if p.Country == "" { // nodes of the first years leave it to their certificates
		p.Country = countryOf(p.roles()[0].Signing)
	}
	if p.Country != "" && checkCountry(p.Country) != nil {
		wrong("NodeCountry %q is no country code", p.Country)
	}
	if p.SP != nil {
		if len(p.SP.Encryption) == 0 {
			wrong("a connector has no key that answers could be encrypted for")
		}
		errs = append(errs, checkKeys("encryption", p.SP.Encryption, now))
		if a := p.SP.DefaultACS(); a.Binding != saml.BindingPOST {
			wrong("answers go by POST, and the AssertionConsumerService is %s [eIDAS-MF]", a.Binding)
		}
	}
	if p.IDP != nil {
		if len(p.Levels) == 0 {
			wrong("a proxy service publishes no level of assurance")
		}
		for _, l := range p.Levels {
			if strings.HasPrefix(l, notifiedPrefix) && !Notified(l) {
				wrong("%q is no level of assurance", l)
			}
		}
		if p.IDP.Endpoint(saml.BindingPOST) == "" {
			wrong("a proxy service takes no requests by POST")
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("eidas: metadata of %s: %w", e.EntityID, err)
	}
	return p, nil
}

func (p *Party) roles() (out []*saml.Role) {
	if p.SP != nil {
		out = append(out, &p.SP.Role)
	}
	if p.IDP != nil {
		out = append(out, &p.IDP.Role)
	}
	return out
}

// countryOf is the country in the subject of the first certificate.
func countryOf(certs []*pki.Certificate) string {
	if len(certs) == 0 {
		return ""
	}
	return strings.ToUpper(certs[0].Subject.Get("2.5.4.6"))
}

// checkKeys looks at the certificates of a role [eIDAS-CR].
func checkKeys(what string, certs []*pki.Certificate, now time.Time) error {
	var errs []error
	for _, c := range certs {
		if err := checkCertificate(c, now); err != nil {
			errs = append(errs, fmt.Errorf("the certificate for %s of %s: %w", what, c.Subject, err))
		}
	}
	return errors.Join(errs...)
}

func checkCertificate(c *pki.Certificate, now time.Time) error {
	switch {
	case c.PublicKey == nil:
		return fmt.Errorf("its key cannot be used: %w", c.KeyError)
	case now.Before(c.NotBefore) || now.After(c.NotAfter):
		return fmt.Errorf("valid from %s to %s only", c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly))
	case c.SignatureAlgorithm.Hash != 0 && c.SignatureAlgorithm.Hash.Size() < crypto.SHA256.Size():
		return errors.New("signed with a hash of less than 256 bits (203026)")
	}
	if explicitCurve(c.RawSPKI) {
		return errors.New("its curve is written out and not named [eIDAS-CR]")
	}
	return algorithms.CheckKey(c.PublicKey)
}

// explicitCurve reports whether a SubjectPublicKeyInfo carries the parameters of its curve in place of a name.
func explicitCurve(spki []byte) bool {
	s := cryptobyte.String(spki)
	var info, algorithm cryptobyte.String
	var key pki.OID
	if !s.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1(&algorithm, asn1.SEQUENCE) || !pki.ReadOID(&algorithm, &key) || key != "1.2.840.10045.2.1" {
		return false
	}
	return !algorithm.PeekASN1Tag(asn1.OBJECT_IDENTIFIER)
}

// Trusted accepts metadata whose signer leads to an anchor for tokens [eIDAS-IA]. The path may come along with the signature, in
// any order.
func Trusted(v *pki.Verifier, now func() time.Time) saml.MetadataSigner {
	return func(certs []*pki.Certificate) error {
		if err := checkCertificate(certs[0], now()); err != nil {
			return err
		}
		_, err := v.Verify(certs[0], certs[1:], pki.PurposeToken)
		return err
	}
}

// speaks returns the newest version that both speak, "" where there is none. Who does not say speaks all.
func speaks(a, b []string) string {
	for _, v := range Versions {
		if (len(a) == 0 || slices.Contains(a, v)) && (len(b) == 0 || slices.Contains(b, v)) {
			return v
		}
	}
	return ""
}

// oldTransport reports whether a node may send the key of an answer by the RSA-OAEP of XML Encryption 1.0: those that speak
// nothing newer than 1.3 [eIDAS-CR].
func (p *Party) oldTransport() bool {
	return len(p.Versions) > 0 && !slices.Contains(p.Versions, "1.4")
}

// Description is what a node says of itself.
type Description struct {
	EntityID     string // URL at which the metadata are published
	Country      string
	ValidUntil   time.Time
	Application  string
	Organization *saml.Organization
	Contacts     []saml.Contact

	Signing, Encryption []*pki.Certificate

	ACS    string // of a connector; "": it is none
	SPType string // of all services of the connector, "" where requests say

	SSO         string // of a proxy service, for POST and redirect; "": it is none
	Levels      []string
	Attributes  []*Definition // that the proxy service can deliver; nil: the mandatory ones
	NameFormats []string      // default persistent, transient and unspecified
	RequesterID bool          // private services have to be named
}

// Entity makes the metadata of a node, to be signed.
func (d *Description) Entity(id string) *saml.Entity {
	e := &saml.Entity{ID: id, EntityID: d.EntityID, ValidUntil: d.ValidUntil, Organization: d.Organization, Contacts: d.Contacts, Digests: algorithms.Digests}
	attribute := func(name string, values ...string) {
		a := saml.Attribute{Name: name, NameFormat: saml.AttributeNameURI}
		for _, v := range values {
			a.Values = append(a.Values, saml.Value{Text: v})
		}
		e.Attributes = append(e.Attributes, a)
	}
	oldestFirst := slices.Clone(Versions)
	slices.Reverse(oldestFirst)
	attribute(attributeVersion, oldestFirst...)
	if d.Application != "" {
		attribute(attributeApplication, d.Application)
	}
	for _, m := range algorithms.Signatures {
		size := saml.SigningMethod{Algorithm: m, MinKeySize: algorithms.MinECBits}
		if strings.HasSuffix(m, "rsa-MGF1") {
			size.MinKeySize = algorithms.MinRSABits
		}
		e.Signatures = append(e.Signatures, size)
	}
	role := saml.Role{Signing: d.Signing, NameIDFormats: d.NameFormats,
		WriteExtensions: func(w *dom.Writer) { w.Element("eidas:NodeCountry", d.Country, "xmlns:eidas", Namespace) }}
	if role.NameIDFormats == nil {
		role.NameIDFormats = []string{saml.FormatPersistent, saml.FormatTransient, saml.FormatUnspecified}
	}
	if d.SSO != "" {
		attribute(attributeLevels, d.Levels...)
		if d.RequesterID {
			attribute(attributeCategory, categoryRequesterID)
		}
		idp := &saml.IdentityProvider{Role: role, WantAuthnRequestsSigned: true,
			SSO: []saml.Endpoint{{Binding: saml.BindingPOST, Location: d.SSO}, {Binding: saml.BindingRedirect, Location: d.SSO}}}
		offered := d.Attributes
		if offered == nil {
			offered = slices.DeleteFunc(Definitions(), func(x *Definition) bool { return !x.Mandatory || x.Representative })
		}
		for _, x := range offered {
			idp.Attributes = append(idp.Attributes, saml.Attribute{Name: x.Name(), NameFormat: saml.AttributeNameURI, FriendlyName: x.FriendlyName})
		}
		e.IDP = idp
	}
	if d.ACS != "" {
		yes := true
		role.Encryption, role.EncryptionMethods = d.Encryption, []string{xmlenc.AES256GCM, xmlenc.AES192GCM, xmlenc.AES128GCM}
		e.SP = &saml.ServiceProvider{Role: role, AuthnRequestsSigned: true, WantAssertionsSigned: true,
			ACS: []saml.Endpoint{{Binding: saml.BindingPOST, Location: d.ACS, Index: 1, Default: &yes}}}
		if d.SPType != "" {
			e.WriteExtensions = func(w *dom.Writer) { w.Element("eidas:SPType", d.SPType, "xmlns:eidas", Namespace) }
		}
	}
	return e
}

// ReadMetadata reads metadata as a node publishes them, or an aggregate of many, signed by somebody that trust accepts. The algorithms
// are those of the network; metadata of old nodes may be signed by PKCS#1 1.5, which is taken with old.
func ReadMetadata(octets []byte, trust saml.MetadataSigner, old bool) ([]*saml.Entity, error) {
	a := algorithms
	if old {
		a.Signatures = append(slices.Clone(a.Signatures), xmldsig.RSASHA256, xmldsig.RSASHA384, xmldsig.RSASHA512)
		a.MinRSABits = 2048
	}
	return saml.ParseMetadata(octets, trust, a)
}
