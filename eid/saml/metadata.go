package saml

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces of extensions of metadata.
const (
	NamespaceAttributes = "urn:oasis:names:tc:SAML:metadata:attribute"  // EntityAttributes [SAML2MetaAttr]
	NamespaceAlgorithms = "urn:oasis:names:tc:SAML:metadata:algsupport" // DigestMethod, SigningMethod [SAML2MetaAlg]
)

// MaxMetadataBytes is the size up to which metadata are read: an aggregate of all Member States is a tenth of it.
const MaxMetadataBytes = 16 << 20

var metadataLimits = dom.Limits{Bytes: MaxMetadataBytes, Depth: 48, Nodes: 1 << 20, Attributes: 1 << 19, AttributesPerElement: 64, NameBytes: 256}

// Entity is the metadata of one party [SAML2Meta 2.3.2].
type Entity struct {
	ID         string // of the element, what the signature is over
	EntityID   string
	ValidUntil time.Time // zero where absent

	Attributes []Attribute // EntityAttributes
	Digests    []string    // DigestMethod URIs that it understands; nil: it does not say
	Signatures []SigningMethod

	// Extensions is md:Extensions as read. WriteExtensions writes what else is in it.
	Extensions      dom.Node
	WriteExtensions func(w *dom.Writer)

	SP  *ServiceProvider
	IDP *IdentityProvider

	Organization *Organization
	Contacts     []Contact

	Signer *pki.Certificate // whose key signed it, nil where it is not signed
	Chain  []*pki.Certificate
}

// SigningMethod is an alg:SigningMethod. A size that is not limited is 0.
type SigningMethod struct {
	Algorithm              string
	MinKeySize, MaxKeySize int // bits
}

// Role is what the two roles have in common [SAML2Meta 2.4.1].
type Role struct {
	ValidUntil        time.Time
	Signing           []*pki.Certificate // keys without a use are in both lists
	Encryption        []*pki.Certificate
	EncryptionMethods []string // what the keys for encryption are said to understand
	NameIDFormats     []string
	SLO               []Endpoint // SingleLogoutService
	Extensions        dom.Node
	WriteExtensions   func(w *dom.Writer)
}

// ServiceProvider is the md:SPSSODescriptor.
type ServiceProvider struct {
	Role
	AuthnRequestsSigned, WantAssertionsSigned bool
	ACS                                       []Endpoint
}

// IdentityProvider is the md:IDPSSODescriptor.
type IdentityProvider struct {
	Role
	WantAuthnRequestsSigned bool
	SSO                     []Endpoint
	Attributes              []Attribute // what it can say of a person
}

// Endpoint is an address with its binding. Index and Default are of indexed ones.
type Endpoint struct {
	Binding, Location, ResponseLocation string
	Index                               int
	Default                             *bool
}

// Organization names who runs a party, by language.
type Organization struct{ Name, DisplayName, URL map[string]string }

// Contact is a person or office to turn to; Type is technical, support, administrative, billing or other.
type Contact struct{ Type, Organization, GivenName, SurName, Email, Telephone string }

// DefaultACS is where responses go when a request does not say [SAML2Meta 2.2.3].
func (p *ServiceProvider) DefaultACS() *Endpoint {
	var first *Endpoint
	for i := range p.ACS {
		e := &p.ACS[i]
		switch {
		case e.Default != nil && *e.Default:
			return e
		case e.Default == nil && (first == nil || first.Default != nil), first == nil:
			first = e
		}
	}
	return first
}

// Endpoint returns the address with a binding, "" where there is none.
func (p *IdentityProvider) Endpoint(binding string) string {
	for _, e := range p.SSO {
		if e.Binding == binding {
			return e.Location
		}
	}
	return ""
}

// Attribute returns the values of an entity attribute.
func (e *Entity) Attribute(name string) (values []string) {
	for _, a := range e.Attributes {
		if a.Name == name {
			for _, v := range a.Values {
				values = append(values, strings.TrimSpace(v.Text))
			}
		}
	}
	return values
}

// MetadataSigner decides whether metadata may be signed with the first of certificates; the others came along with it.
// It returns an error if not.
type MetadataSigner func(certs []*pki.Certificate) error

// ParseMetadata reads an md:EntityDescriptor, or an md:EntitiesDescriptor with any number of them. What is signed must hold,
// and trust accepts the signer; with trust nil signatures are not looked at, for metadata that came by a safe way.
// Parties of an aggregate that is signed need no signature of their own.
func ParseMetadata(octets []byte, trust MetadataSigner, a Algorithms) ([]*Entity, error) {
	doc, err := parse(octets, metadataLimits)
	if err != nil {
		return nil, err
	}
	m := &metadataReader{trust: trust, algorithms: &a}
	if err := m.read(doc.Root(), trust == nil, time.Time{}); err != nil {
		return nil, err
	}
	return m.entities, nil
}

type metadataReader struct {
	trust      MetadataSigner
	algorithms *Algorithms
	entities   []*Entity
}

// read reads an element that describes parties. covered says that an outer signature holds, or that none is asked for; until is
// when the outer element ends to be valid.
func (m *metadataReader) read(n dom.Node, covered bool, until time.Time) error {
	single := n.Is(NamespaceMetadata, "EntityDescriptor")
	if !single && !n.Is(NamespaceMetadata, "EntitiesDescriptor") {
		return n.Errorf("%w: expected is EntityDescriptor or EntitiesDescriptor, not %s", ErrSyntax, n.QName())
	}
	end, err := timeOf(n, "validUntil")
	if err != nil {
		return err
	}
	if end.IsZero() || !until.IsZero() && until.Before(end) {
		end = until
	}
	c, err := children(n)
	if err != nil {
		return err
	}
	var signer *pki.Certificate
	var chain []*pki.Certificate
	if sig := c.take(xmldsig.Namespace, "Signature"); sig.Valid() && m.trust != nil {
		if signer, chain, err = m.verify(n, sig); err != nil {
			return err
		}
		covered = true
	}
	if single {
		if !covered {
			return n.Errorf("%w: the metadata are not signed", ErrSignature)
		}
		e, err := readEntity(n, c)
		if err != nil {
			return err
		}
		e.ValidUntil, e.Signer, e.Chain = end, signer, chain
		m.entities = append(m.entities, e)
		return nil
	}
	c.take(NamespaceMetadata, "Extensions")
	if !c.next.Valid() {
		return n.Errorf("%w: it describes nobody", ErrSyntax)
	}
	for ; c.next.Valid(); c.next = c.next.NextElement() {
		if err := m.read(c.next, covered, end); err != nil {
			return err
		}
	}
	return nil
}

func (m *metadataReader) verify(n, sig dom.Node) (*pki.Certificate, []*pki.Certificate, error) {
	certs, err := xmldsig.CertificatesFromInfo(sig.Child(xmldsig.Namespace, "KeyInfo"), nil)
	if err != nil || len(certs) == 0 {
		return nil, nil, sig.Errorf("%w: it carries no certificate", ErrSignature)
	}
	if err := m.trust(certs); err != nil {
		return nil, nil, sig.Errorf("%w: %w", ErrSignature, err)
	}
	signer, err := verifyEnveloped(n, sig, certs[:1], m.algorithms, true)
	return signer, certs, err
}

// readEntity reads an md:EntityDescriptor behind its signature.
func readEntity(n dom.Node, c content) (e *Entity, err error) {
	if err := attributes(n, "entityID", "validUntil", "cacheDuration", "ID"); err != nil {
		return nil, err
	}
	e = &Entity{ID: n.Attr("ID")}
	if e.EntityID, err = required(n, "entityID"); err != nil {
		return nil, err
	}
	if len(e.EntityID) > 1024 {
		return nil, n.Errorf("%w: an entity ID has at most 1024 characters", ErrSyntax)
	}
	if x := c.take(NamespaceMetadata, "Extensions"); x.Valid() {
		if err := e.readExtensions(x); err != nil {
			return nil, err
		}
	}
	roles := 0
	for ; c.next.Valid() && c.next.Space() == NamespaceMetadata; c.next = c.next.NextElement() {
		switch c.next.Local() {
		case "SPSSODescriptor":
			if e.SP != nil {
				return nil, c.next.Errorf("%w: a second role of this kind", ErrSyntax)
			}
			e.SP, err = readSP(c.next)
		case "IDPSSODescriptor":
			if e.IDP != nil {
				return nil, c.next.Errorf("%w: a second role of this kind", ErrSyntax)
			}
			e.IDP, err = readIDP(c.next)
		case "RoleDescriptor", "AuthnAuthorityDescriptor", "AttributeAuthorityDescriptor", "PDPDescriptor": // roles that nobody here plays
		default:
			goto rest
		}
		if err != nil {
			return nil, err
		}
		roles++
	}
rest:
	if roles == 0 {
		return nil, n.Errorf("%w: it has no role", ErrSyntax)
	}
	if o := c.take(NamespaceMetadata, "Organization"); o.Valid() {
		e.Organization = readOrganization(o)
	}
	for p := c.take(NamespaceMetadata, "ContactPerson"); p.Valid(); p = c.take(NamespaceMetadata, "ContactPerson") {
		e.Contacts = append(e.Contacts, readContact(p))
	}
	for c.take(NamespaceMetadata, "AdditionalMetadataLocation").Valid() {
	}
	return e, c.end()
}

func (e *Entity) readExtensions(n dom.Node) error {
	e.Extensions = n
	for x := range n.Elements() {
		switch {
		case x.Is(NamespaceAttributes, "EntityAttributes"):
			for a := range x.Elements() {
				if !a.Is(NamespaceAssertion, "Attribute") { // a statement about the entity by somebody else
					continue
				}
				attr, err := readAttribute(a)
				if err != nil {
					return err
				}
				e.Attributes = append(e.Attributes, attr)
			}
		case x.Is(NamespaceAlgorithms, "DigestMethod"):
			v, err := required(x, "Algorithm")
			if err != nil {
				return err
			}
			e.Digests = append(e.Digests, v)
		case x.Is(NamespaceAlgorithms, "SigningMethod"):
			m, err := readSigningMethod(x)
			if err != nil {
				return err
			}
			e.Signatures = append(e.Signatures, m)
		}
	}
	return nil
}

func readSigningMethod(n dom.Node) (m SigningMethod, err error) {
	if m.Algorithm, err = required(n, "Algorithm"); err != nil {
		return m, err
	}
	for _, size := range []struct {
		name string
		to   *int
	}{{"MinKeySize", &m.MinKeySize}, {"MaxKeySize", &m.MaxKeySize}} {
		if v := n.Attr(size.name); v != "" {
			if *size.to, err = strconv.Atoi(v); err != nil || *size.to < 0 {
				return m, n.Errorf("%w: %s %q is no number", ErrSyntax, size.name, v)
			}
		}
	}
	return m, nil
}

var roleAttributes = []string{"ID", "validUntil", "cacheDuration", "protocolSupportEnumeration", "errorURL"}

// readRole reads a role up to its NameIDFormats.
func readRole(n dom.Node, c *content) (r Role, err error) {
	if !slices.Contains(strings.Fields(n.Attr("protocolSupportEnumeration")), NamespaceProtocol) {
		return r, n.Errorf("%w: the role does not speak SAML 2.0", ErrSyntax)
	}
	if r.ValidUntil, err = timeOf(n, "validUntil"); err != nil {
		return r, err
	}
	c.take(xmldsig.Namespace, "Signature") // of the role alone: the entity's own is what counts
	r.Extensions = c.take(NamespaceMetadata, "Extensions")
	for k := c.take(NamespaceMetadata, "KeyDescriptor"); k.Valid(); k = c.take(NamespaceMetadata, "KeyDescriptor") {
		if err := r.readKey(k); err != nil {
			return r, err
		}
	}
	c.take(NamespaceMetadata, "Organization")
	for c.take(NamespaceMetadata, "ContactPerson").Valid() {
	}
	for a := c.take(NamespaceMetadata, "ArtifactResolutionService"); a.Valid(); a = c.take(NamespaceMetadata, "ArtifactResolutionService") {
	}
	if r.SLO, err = readEndpoints(c, "SingleLogoutService", false); err != nil {
		return r, err
	}
	for c.take(NamespaceMetadata, "ManageNameIDService").Valid() {
	}
	for f := c.take(NamespaceMetadata, "NameIDFormat"); f.Valid(); f = c.take(NamespaceMetadata, "NameIDFormat") {
		v, err := text(f)
		if err != nil {
			return r, err
		}
		r.NameIDFormats = append(r.NameIDFormats, v)
	}
	return r, nil
}

func (r *Role) readKey(n dom.Node) error {
	if err := attributes(n, "use"); err != nil {
		return err
	}
	c, err := children(n)
	if err != nil {
		return err
	}
	info, err := c.need(xmldsig.Namespace, "KeyInfo")
	if err != nil {
		return err
	}
	certs, err := xmldsig.CertificatesFromInfo(info, nil)
	if err != nil {
		return info.Errorf("%w: %w", ErrSyntax, err)
	}
	if len(certs) == 0 {
		return info.Errorf("%w: a key without certificate", ErrSyntax)
	}
	use := n.Attr("use")
	if use != "" && use != "signing" && use != "encryption" {
		return n.Errorf("%w: use %q is neither signing nor encryption", ErrSyntax, use)
	}
	if use != "encryption" {
		r.Signing = append(r.Signing, certs[0])
	}
	if use != "signing" {
		r.Encryption = append(r.Encryption, certs[0])
	}
	for m := c.take(NamespaceMetadata, "EncryptionMethod"); m.Valid(); m = c.take(NamespaceMetadata, "EncryptionMethod") {
		v, err := required(m, "Algorithm")
		if err != nil {
			return err
		}
		if use != "signing" && !slices.Contains(r.EncryptionMethods, v) {
			r.EncryptionMethods = append(r.EncryptionMethods, v)
		}
	}
	return c.end()
}

func readEndpoints(c *content, local string, indexed bool) (out []Endpoint, err error) {
	names := []string{"Binding", "Location", "ResponseLocation"}
	if indexed {
		names = append(names, "index", "isDefault")
	}
	for n := c.take(NamespaceMetadata, local); n.Valid(); n = c.take(NamespaceMetadata, local) {
		if err := attributes(n, names...); err != nil {
			return nil, err
		}
		e := Endpoint{ResponseLocation: n.Attr("ResponseLocation")}
		if e.Binding, err = required(n, "Binding"); err != nil {
			return nil, err
		}
		if e.Location, err = required(n, "Location"); err != nil {
			return nil, err
		}
		if indexed {
			v, err := strconv.ParseUint(n.Attr("index"), 10, 16)
			if err != nil {
				return nil, n.Errorf("%w: index %q is no number of 0 to 65535", ErrSyntax, n.Attr("index"))
			}
			e.Index = int(v)
			if e.Default, err = boolean(n, "isDefault"); err != nil {
				return nil, err
			}
		}
		out = append(out, e)
	}
	return out, nil
}

func readSP(n dom.Node) (p *ServiceProvider, err error) {
	if err := attributes(n, append(roleAttributes[:len(roleAttributes):len(roleAttributes)], "AuthnRequestsSigned", "WantAssertionsSigned")...); err != nil {
		return nil, err
	}
	c, err := children(n)
	if err != nil {
		return nil, err
	}
	p = new(ServiceProvider)
	if p.Role, err = readRole(n, &c); err != nil {
		return nil, err
	}
	signed, err := boolean(n, "AuthnRequestsSigned")
	if err != nil {
		return nil, err
	}
	want, err := boolean(n, "WantAssertionsSigned")
	if err != nil {
		return nil, err
	}
	p.AuthnRequestsSigned, p.WantAssertionsSigned = signed != nil && *signed, want != nil && *want
	if p.ACS, err = readEndpoints(&c, "AssertionConsumerService", true); err != nil {
		return nil, err
	}
	if len(p.ACS) == 0 {
		return nil, n.Errorf("%w: AssertionConsumerService is missing", ErrSyntax)
	}
	for c.take(NamespaceMetadata, "AttributeConsumingService").Valid() {
	}
	return p, c.end()
}

func readIDP(n dom.Node) (p *IdentityProvider, err error) {
	if err := attributes(n, append(roleAttributes[:len(roleAttributes):len(roleAttributes)], "WantAuthnRequestsSigned")...); err != nil {
		return nil, err
	}
	c, err := children(n)
	if err != nil {
		return nil, err
	}
	p = new(IdentityProvider)
	if p.Role, err = readRole(n, &c); err != nil {
		return nil, err
	}
	want, err := boolean(n, "WantAuthnRequestsSigned")
	if err != nil {
		return nil, err
	}
	p.WantAuthnRequestsSigned = want != nil && *want
	if p.SSO, err = readEndpoints(&c, "SingleSignOnService", false); err != nil {
		return nil, err
	}
	if len(p.SSO) == 0 {
		return nil, n.Errorf("%w: SingleSignOnService is missing", ErrSyntax)
	}
	for _, local := range []string{"NameIDMappingService", "AssertionIDRequestService", "AttributeProfile"} {
		for c.take(NamespaceMetadata, local).Valid() {
		}
	}
	for a := c.take(NamespaceAssertion, "Attribute"); a.Valid(); a = c.take(NamespaceAssertion, "Attribute") {
		attr, err := readAttribute(a)
		if err != nil {
			return nil, err
		}
		p.Attributes = append(p.Attributes, attr)
	}
	return p, c.end()
}

func readOrganization(n dom.Node) *Organization {
	o := &Organization{map[string]string{}, map[string]string{}, map[string]string{}}
	for e := range n.Elements() {
		lang, _ := e.AttrNS(dom.XMLNamespace, "lang")
		switch e.Local() {
		case "OrganizationName":
			o.Name[lang] = e.TrimmedText()
		case "OrganizationDisplayName":
			o.DisplayName[lang] = e.TrimmedText()
		case "OrganizationURL":
			o.URL[lang] = e.TrimmedText()
		}
	}
	return o
}

func readContact(n dom.Node) Contact {
	c := Contact{Type: n.Attr("contactType")}
	for e := range n.Elements() {
		v := e.TrimmedText()
		switch e.Local() {
		case "Company":
			c.Organization = v
		case "GivenName":
			c.GivenName = v
		case "SurName":
			c.SurName = v
		case "EmailAddress":
			c.Email = v
		case "TelephoneNumber":
			c.Telephone = v
		}
	}
	return c
}

// Marshal writes the metadata of one party, signed where s has an identity.
func (e *Entity) Marshal(s Signing) ([]byte, error) {
	if !isNCName(e.ID) || e.EntityID == "" || e.SP == nil && e.IDP == nil {
		return nil, fmt.Errorf("%w: metadata need an ID, an entity ID and a role", ErrSyntax)
	}
	w := dom.NewWriter(nil)
	w.Start("md:EntityDescriptor", append([]string{"xmlns:md", NamespaceMetadata}, present("ID", e.ID, "entityID", e.EntityID, "validUntil", moment(e.ValidUntil))...)...)
	if len(e.Attributes) > 0 || len(e.Digests) > 0 || len(e.Signatures) > 0 || e.WriteExtensions != nil {
		w.Start("md:Extensions")
		if len(e.Attributes) > 0 {
			w.Start("mdattr:EntityAttributes", "xmlns:mdattr", NamespaceAttributes)
			for _, a := range e.Attributes {
				writeMetadataAttribute(w, a)
			}
			w.End()
		}
		if e.WriteExtensions != nil {
			e.WriteExtensions(w)
		}
		for _, d := range e.Digests {
			w.Element("alg:DigestMethod", "", "xmlns:alg", NamespaceAlgorithms, "Algorithm", d)
		}
		for _, m := range e.Signatures {
			w.Element("alg:SigningMethod", "", append([]string{"xmlns:alg", NamespaceAlgorithms},
				present("Algorithm", m.Algorithm, "MaxKeySize", size(m.MaxKeySize), "MinKeySize", size(m.MinKeySize))...)...)
		}
		w.End()
	}
	if p := e.IDP; p != nil {
		w.Start("md:IDPSSODescriptor", p.attrs("WantAuthnRequestsSigned", strconv.FormatBool(p.WantAuthnRequestsSigned))...)
		p.write(w)
		for _, end := range p.SSO {
			end.write(w, "md:SingleSignOnService", false)
		}
		for _, a := range p.Attributes {
			writeMetadataAttribute(w, a)
		}
		w.End()
	}
	if p := e.SP; p != nil {
		w.Start("md:SPSSODescriptor", p.attrs("AuthnRequestsSigned", strconv.FormatBool(p.AuthnRequestsSigned), "WantAssertionsSigned", strconv.FormatBool(p.WantAssertionsSigned))...)
		p.write(w)
		for _, end := range p.ACS {
			end.write(w, "md:AssertionConsumerService", true)
		}
		w.End()
	}
	if o := e.Organization; o != nil {
		w.Start("md:Organization")
		for _, part := range []struct {
			qname string
			by    map[string]string
		}{{"md:OrganizationName", o.Name}, {"md:OrganizationDisplayName", o.DisplayName}, {"md:OrganizationURL", o.URL}} {
			langs := make([]string, 0, len(part.by))
			for lang := range part.by {
				langs = append(langs, lang)
			}
			slices.Sort(langs)
			for _, lang := range langs {
				w.Element(part.qname, part.by[lang], "xml:lang", lang)
			}
		}
		w.End()
	}
	for _, p := range e.Contacts {
		w.Start("md:ContactPerson", "contactType", p.Type)
		for _, part := range []struct{ qname, value string }{{"md:Company", p.Organization}, {"md:GivenName", p.GivenName}, {"md:SurName", p.SurName},
			{"md:EmailAddress", p.Email}, {"md:TelephoneNumber", p.Telephone}} {
			if part.value != "" {
				w.Element(part.qname, part.value)
			}
		}
		w.End()
	}
	w.End()
	return s.enveloped(w.Bytes(), metadataLimits)
}

func size(bits int) string {
	if bits == 0 {
		return ""
	}
	return strconv.Itoa(bits)
}

func writeMetadataAttribute(w *dom.Writer, a Attribute) {
	w.Start("saml2:Attribute", append([]string{"xmlns:saml2", NamespaceAssertion}, present("FriendlyName", a.FriendlyName, "Name", a.Name, "NameFormat", a.NameFormat)...)...)
	for _, v := range a.Values {
		w.Element("saml2:AttributeValue", v.Text)
	}
	w.End()
}

func (r *Role) attrs(extra ...string) []string {
	first, rest := extra, present("validUntil", moment(r.ValidUntil))
	return slices.Concat(first[:2], []string{"protocolSupportEnumeration", NamespaceProtocol}, rest, first[2:])
}

func (r *Role) write(w *dom.Writer) {
	if r.WriteExtensions != nil {
		w.Start("md:Extensions")
		r.WriteExtensions(w)
		w.End()
	}
	for _, use := range []struct {
		name  string
		certs []*pki.Certificate
	}{{"signing", r.Signing}, {"encryption", r.Encryption}} {
		for _, c := range use.certs {
			w.Start("md:KeyDescriptor", "use", use.name)
			w.Start("ds:KeyInfo", "xmlns:ds", xmldsig.Namespace)
			xmldsig.X509Data(c)(w)
			w.End()
			if use.name == "encryption" {
				for _, m := range r.EncryptionMethods {
					w.Element("md:EncryptionMethod", "", "Algorithm", m)
				}
			}
			w.End()
		}
	}
	for _, e := range r.SLO {
		e.write(w, "md:SingleLogoutService", false)
	}
	for _, f := range r.NameIDFormats {
		w.Element("md:NameIDFormat", f)
	}
}

func (e *Endpoint) write(w *dom.Writer, qname string, indexed bool) {
	attrs := present("Binding", e.Binding, "Location", e.Location, "ResponseLocation", e.ResponseLocation)
	if indexed {
		attrs = append(attrs, "index", strconv.Itoa(e.Index))
		if e.Default != nil {
			attrs = append(attrs, "isDefault", strconv.FormatBool(*e.Default))
		}
	}
	w.Element(qname, "", attrs...)
}
