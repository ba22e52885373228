package saml

import (
	"fmt"
	"strconv"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Header is what requests and responses have in common [SAML2Core 3.2.1, 3.2.2].
type Header struct {
	ID           string
	IssueInstant time.Time
	Destination  string // URL, "" where absent
	Consent      string // URI, "" where absent
	Issuer       string // entity ID, without the white space that some write around it
	IssuerFormat string

	// Extensions is the samlp:Extensions as read, the zero Node where absent. WriteExtensions writes its content.
	Extensions      dom.Node
	WriteExtensions func(w *dom.Writer)

	// Signer is the certificate whose key signed the message, nil where it is not signed.
	Signer *pki.Certificate
}

var headerAttributes = []string{"ID", "Version", "IssueInstant", "Destination", "Consent"}

// readHeader reads the attributes of a message, and up to its Extensions.
func readHeader(root dom.Node, c *content, certs []*pki.Certificate, a *Algorithms) (h Header, err error) {
	if h.ID, err = required(root, "ID"); err != nil {
		return h, err
	}
	if !isNCName(h.ID) {
		return h, root.Errorf("%w: %q cannot be an ID", ErrSyntax, h.ID)
	}
	if v := root.Attr("Version"); v != "2.0" {
		return h, root.Errorf("%w: version %q is not 2.0", ErrSyntax, v)
	}
	if _, err = required(root, "IssueInstant"); err != nil {
		return h, err
	}
	if h.IssueInstant, err = timeOf(root, "IssueInstant"); err != nil {
		return h, err
	}
	h.Destination, h.Consent = root.Attr("Destination"), root.Attr("Consent")
	if h.Issuer, h.IssuerFormat, err = readIssuer(c.take(NamespaceAssertion, "Issuer")); err != nil {
		return h, err
	}
	if sig := c.take(xmldsig.Namespace, "Signature"); sig.Valid() {
		if h.Signer, err = verifyEnveloped(root, sig, certs, a, false); err != nil {
			return h, err
		}
	}
	if h.Extensions = c.take(NamespaceProtocol, "Extensions"); h.Extensions.Valid() {
		if err := attributes(h.Extensions); err != nil {
			return h, err
		}
		if _, err := children(h.Extensions); err != nil {
			return h, err
		}
		if !h.Extensions.FirstElement().Valid() {
			return h, h.Extensions.Errorf("%w: it is empty", ErrSyntax)
		}
	}
	return h, nil
}

// readIssuer reads a saml:Issuer, which may be absent.
func readIssuer(n dom.Node) (value, format string, err error) {
	if !n.Valid() {
		return "", "", nil
	}
	if err := attributes(n, "Format", "NameQualifier", "SPNameQualifier", "SPProvidedID"); err != nil {
		return "", "", err
	}
	if value, err = text(n); err != nil {
		return "", "", err
	}
	if value == "" || len(value) > 1024 {
		return "", "", n.Errorf("%w: an entity ID has 1 to 1024 characters [SAML2Core 8.3.6]", ErrSyntax)
	}
	return value, n.Attr("Format"), nil
}

// attrs are the attributes of a message to write, and in front of them the namespaces.
func (h *Header) attrs(extra ...string) []string {
	out := []string{"xmlns:saml2", NamespaceAssertion, "xmlns:saml2p", NamespaceProtocol}
	for _, a := range []struct{ name, value string }{{"Consent", h.Consent}, {"Destination", h.Destination}} {
		if a.value != "" {
			out = append(out, a.name, a.value)
		}
	}
	out = append(out, "ID", h.ID, "IssueInstant", formatTime(h.IssueInstant), "Version", "2.0")
	return append(out, extra...)
}

// complete looks whether what is to be written has what every message and assertion needs.
func complete(id, issuer string, issued time.Time) error {
	if !isNCName(id) || issuer == "" || issued.IsZero() {
		return fmt.Errorf("%w: it needs an ID, its issuer and its time", ErrSyntax)
	}
	return nil
}

func (h *Header) write(w *dom.Writer) {
	writeIssuer(w, h.Issuer, h.IssuerFormat)
	if h.WriteExtensions != nil {
		w.Start("saml2p:Extensions")
		h.WriteExtensions(w)
		w.End()
	}
}

func writeIssuer(w *dom.Writer, value, format string) {
	if format == "" {
		format = FormatEntity
	}
	w.Element("saml2:Issuer", value, "Format", format)
}

// Comparison says how a level of authentication is to relate to those asked for [SAML2Core 3.3.2.2.1].
type Comparison string

// The four ways to compare.
const (
	Exact   Comparison = "exact"
	Minimum Comparison = "minimum"
	Maximum Comparison = "maximum"
	Better  Comparison = "better"
)

// AuthnRequest asks to authenticate a person [SAML2Core 3.4.1].
type AuthnRequest struct {
	Header
	ForceAuthn, IsPassive *bool // nil where absent
	ProtocolBinding       string
	ACSURL                string // AssertionConsumerServiceURL
	ACSIndex              *int
	ProviderName          string

	NameIDPolicy *NameIDPolicy

	Comparison   Comparison // of Contexts; what is absent is Exact, as the schema says
	Contexts     []string   // AuthnContextClassRef; nil where no context is asked for
	RequesterIDs []string
	IDPList      []string // ProviderIDs of Scoping
}

// NameIDPolicy says what kind of name the answer shall give [SAML2Core 3.4.1.1].
type NameIDPolicy struct {
	Format          string
	SPNameQualifier string
	AllowCreate     *bool
}

// ParseAuthnRequest reads a request. Its signature, where there is one, must be of one of certs; whether it has to
// be there is for the caller to say, who looks at Signer.
func ParseAuthnRequest(octets []byte, certs []*pki.Certificate, a Algorithms) (*AuthnRequest, error) {
	root, c, err := openMessage(octets, "AuthnRequest", "ForceAuthn", "IsPassive", "ProtocolBinding", "AssertionConsumerServiceURL",
		"AssertionConsumerServiceIndex", "AttributeConsumingServiceIndex", "ProviderName")
	if err != nil {
		return nil, err
	}
	r := new(AuthnRequest)
	if r.Header, err = readHeader(root, &c, certs, &a); err != nil {
		return nil, err
	}
	if r.ForceAuthn, err = boolean(root, "ForceAuthn"); err != nil {
		return nil, err
	}
	if r.IsPassive, err = boolean(root, "IsPassive"); err != nil {
		return nil, err
	}
	r.ProtocolBinding, r.ACSURL, r.ProviderName = root.Attr("ProtocolBinding"), root.Attr("AssertionConsumerServiceURL"), root.Attr("ProviderName")
	if i := root.Attribute("", "AssertionConsumerServiceIndex"); i.Valid() {
		n, err := strconv.ParseUint(string(i.Value()), 10, 16)
		if err != nil || r.ACSURL != "" || r.ProtocolBinding != "" {
			return nil, i.Errorf("%w: an index of 0 to 65535, and then neither URL nor binding [SAML2Core 3.4.1]", ErrSyntax)
		}
		r.ACSIndex = ptr(int(n))
	}
	if s := c.take(NamespaceAssertion, "Subject"); s.Valid() {
		return nil, s.Errorf("%w: requests about a named subject are not answered", ErrSyntax)
	}
	if p := c.take(NamespaceProtocol, "NameIDPolicy"); p.Valid() {
		if r.NameIDPolicy, err = readNameIDPolicy(p); err != nil {
			return nil, err
		}
	}
	if s := c.take(NamespaceAssertion, "Conditions"); s.Valid() {
		return nil, s.Errorf("%w: requests under conditions are not answered", ErrSyntax)
	}
	if x := c.take(NamespaceProtocol, "RequestedAuthnContext"); x.Valid() {
		if err := r.readContext(x); err != nil {
			return nil, err
		}
	}
	if s := c.take(NamespaceProtocol, "Scoping"); s.Valid() {
		if err := r.readScoping(s); err != nil {
			return nil, err
		}
	}
	return r, c.end()
}

func ptr[T any](v T) *T { return &v }

func readNameIDPolicy(n dom.Node) (*NameIDPolicy, error) {
	if err := attributes(n, "Format", "SPNameQualifier", "AllowCreate"); err != nil {
		return nil, err
	}
	c, err := children(n)
	if err != nil {
		return nil, err
	}
	p := &NameIDPolicy{Format: n.Attr("Format"), SPNameQualifier: n.Attr("SPNameQualifier")}
	if p.AllowCreate, err = boolean(n, "AllowCreate"); err != nil {
		return nil, err
	}
	return p, c.end()
}

func (r *AuthnRequest) readContext(n dom.Node) error {
	if err := attributes(n, "Comparison"); err != nil {
		return err
	}
	switch r.Comparison = Comparison(n.Attr("Comparison")); r.Comparison {
	case "":
		r.Comparison = Exact
	case Exact, Minimum, Maximum, Better:
	default:
		return n.Errorf("%w: %q is no comparison [SAML2Core 3.3.2.2.1]", ErrSyntax, r.Comparison)
	}
	c, err := children(n)
	if err != nil {
		return err
	}
	r.Contexts = []string{}
	for ref := c.take(NamespaceAssertion, "AuthnContextClassRef"); ref.Valid(); ref = c.take(NamespaceAssertion, "AuthnContextClassRef") {
		v, err := text(ref)
		if err != nil {
			return err
		}
		r.Contexts = append(r.Contexts, v)
	}
	if len(r.Contexts) == 0 {
		return n.Errorf("%w: it names no AuthnContextClassRef", ErrSyntax)
	}
	return c.end()
}

func (r *AuthnRequest) readScoping(n dom.Node) error {
	if err := attributes(n, "ProxyCount"); err != nil {
		return err
	}
	c, err := children(n)
	if err != nil {
		return err
	}
	if l := c.take(NamespaceProtocol, "IDPList"); l.Valid() {
		in, err := children(l)
		if err != nil {
			return err
		}
		for e := in.take(NamespaceProtocol, "IDPEntry"); e.Valid(); e = in.take(NamespaceProtocol, "IDPEntry") {
			id, err := required(e, "ProviderID")
			if err != nil {
				return err
			}
			r.IDPList = append(r.IDPList, id)
		}
		in.take(NamespaceProtocol, "GetComplete")
		if err := in.end(); err != nil {
			return err
		}
	}
	for id := c.take(NamespaceProtocol, "RequesterID"); id.Valid(); id = c.take(NamespaceProtocol, "RequesterID") {
		v, err := text(id)
		if err != nil {
			return err
		}
		r.RequesterIDs = append(r.RequesterIDs, v)
	}
	return c.end()
}

// Marshal writes a request, signed where s has an identity.
func (r *AuthnRequest) Marshal(s Signing) ([]byte, error) {
	if err := complete(r.ID, r.Issuer, r.IssueInstant); err != nil {
		return nil, err
	}
	var extra []string
	for _, b := range []struct {
		name  string
		value *bool
	}{{"ForceAuthn", r.ForceAuthn}, {"IsPassive", r.IsPassive}} {
		if b.value != nil {
			extra = append(extra, b.name, strconv.FormatBool(*b.value))
		}
	}
	if r.ACSIndex != nil {
		extra = append(extra, "AssertionConsumerServiceIndex", strconv.Itoa(*r.ACSIndex))
	}
	for _, a := range []struct{ name, value string }{{"AssertionConsumerServiceURL", r.ACSURL}, {"ProtocolBinding", r.ProtocolBinding}, {"ProviderName", r.ProviderName}} {
		if a.value != "" {
			extra = append(extra, a.name, a.value)
		}
	}
	w := dom.NewWriter(nil)
	w.Start("saml2p:AuthnRequest", r.attrs(extra...)...)
	r.write(w)
	if p := r.NameIDPolicy; p != nil {
		var attrs []string
		if p.AllowCreate != nil {
			attrs = append(attrs, "AllowCreate", strconv.FormatBool(*p.AllowCreate))
		}
		for _, a := range []struct{ name, value string }{{"Format", p.Format}, {"SPNameQualifier", p.SPNameQualifier}} {
			if a.value != "" {
				attrs = append(attrs, a.name, a.value)
			}
		}
		w.Element("saml2p:NameIDPolicy", "", attrs...)
	}
	if len(r.Contexts) > 0 {
		comparison := r.Comparison
		if comparison == "" {
			comparison = Exact
		}
		w.Start("saml2p:RequestedAuthnContext", "Comparison", string(comparison))
		for _, ref := range r.Contexts {
			w.Element("saml2:AuthnContextClassRef", ref)
		}
		w.End()
	}
	if len(r.RequesterIDs)+len(r.IDPList) > 0 {
		w.Start("saml2p:Scoping")
		if len(r.IDPList) > 0 {
			w.Start("saml2p:IDPList")
			for _, id := range r.IDPList {
				w.Element("saml2p:IDPEntry", "", "ProviderID", id)
			}
			w.End()
		}
		for _, id := range r.RequesterIDs {
			w.Element("saml2p:RequesterID", id)
		}
		w.End()
	}
	w.End()
	return s.enveloped(w.Bytes(), limits)
}
