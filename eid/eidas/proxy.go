package eidas

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
)

// ProxyService answers requests of connectors abroad: the person's country. It is read-only, and safe for concurrent use.
type ProxyService struct {
	Self     *Party        // what it publishes
	Endpoint string        // the address that requests come to
	Identity *pki.Identity // signs the answers
	// Peer returns the metadata of a connector whose entity ID somebody claims to be: out of trusted ones, or an error.
	Peer func(entityID string) (*Party, error)

	PrivateServices bool // private services are served
	// Services says that those who ask are services of the own country, not connectors abroad: the leg before the border, in the
	// form that national connectors have it. They say each time what kind of service they are, and who.
	Services bool

	MaxAge time.Duration // of a request; default five minutes
	Clock  func() time.Time
	Rand   io.Reader // nil: crypto/rand
}

// skew is how far clocks of two nodes may differ.
const skew = time.Minute

// Read reads a request [eIDAS-MF]. An error is an [*Error]; where the request came with it, who asks is known, and
// [ProxyService.Refuse] answers. The caller refuses requests whose ID it has seen in the last three hours from the same
// connector.
func (s *ProxyService) Read(octets []byte) (*Request, error) {
	r, err := s.read(octets)
	if err != nil {
		return r, err
	}
	return r, nil
}

func (s *ProxyService) read(octets []byte) (*Request, *Error) {
	claim, err := saml.Peek(octets)
	if err != nil {
		return nil, fail("203007", "%w", err)
	}
	issuer := claim.Issuer
	if issuer == "" {
		return nil, fail("203007", "the message names no issuer")
	}
	from, err := s.Peer(issuer)
	if err != nil {
		return nil, fail("003009", "%w", err)
	}
	if from.SP == nil || from.EntityID != issuer {
		return nil, fail("003006", "%s is no connector", issuer)
	}
	m, err := saml.ParseAuthnRequest(octets, from.SP.Signing, algorithms)
	if err != nil {
		return nil, received(err, "202002")
	}
	if m.Signer == nil {
		return nil, fail("203018", "the request is not signed")
	}
	now := s.Clock()
	maxAge := s.MaxAge
	if maxAge == 0 {
		maxAge = 5 * time.Minute
	}
	r := &Request{ID: m.ID, Issued: m.IssueInstant, From: from, ProviderName: m.ProviderName}
	acs := from.SP.DefaultACS().Location
	switch {
	case m.ForceAuthn == nil || !*m.ForceAuthn:
		return nil, fail("203007", "ForceAuthn has to be true")
	case m.IsPassive == nil || *m.IsPassive:
		return nil, fail("203007", "IsPassive has to be false")
	case m.IssuerFormat != "" && m.IssuerFormat != saml.FormatEntity:
		return nil, fail("203007", "the format of the issuer is %s", m.IssuerFormat)
	case m.ProtocolBinding != "" && m.ProtocolBinding != saml.BindingPOST && m.ProtocolBinding != saml.BindingRedirect && m.ProtocolBinding != saml.BindingSOAP:
		return nil, fail("203007", "ProtocolBinding %s", m.ProtocolBinding)
	case len([]rune(m.ProviderName)) > maxProviderName:
		return nil, fail("203007", "ProviderName is longer than %d characters", maxProviderName)
	case m.ACSIndex != nil:
		return nil, fail("203007", "answers go to the default address, not to one by index")
	case m.IssueInstant.After(now.Add(skew)) || m.IssueInstant.Before(now.Add(-maxAge-skew)):
		return nil, fail("202002", "the request is of %s", m.IssueInstant.Format(time.RFC3339))
	}
	if err := r.readExtensions(m.Extensions, s.Services); err != nil {
		return nil, err
	}
	var failed *Error
	if r.Level, failed = readWanted(m); failed != nil {
		return nil, failed
	}
	if p := m.NameIDPolicy; p != nil {
		if p.AllowCreate != nil && !*p.AllowCreate {
			return nil, fail("203007", "AllowCreate has to be true")
		}
		if r.NameFormat = p.Format; p.Format == saml.FormatUnspecified {
			r.NameFormat = ""
		}
	}
	if len(m.RequesterIDs) > 1 {
		return nil, fail("203007", "more than one RequesterID")
	}
	if len(m.RequesterIDs) == 1 && r.RequesterID == "" {
		r.RequesterID = m.RequesterIDs[0]
	}
	// From here on who asks is known, and what he asks for could be read: he gets an answer.
	switch {
	case speaks(s.Self.Versions, from.Versions) == "":
		return r, fail("203027", "we speak %s, %s speaks %s", strings.Join(s.Self.Versions, ", "), issuer, strings.Join(from.Versions, ", "))
	case m.ACSURL != "" && m.ACSURL != acs:
		return r, fail("202018", "the answer is to go to %s, and the metadata say %s", m.ACSURL, acs)
	case m.Destination != s.Endpoint:
		return r, fail("202001", "Destination is %q", m.Destination)
	case r.SPType != "" && from.SPType != "" && !s.Services:
		return r, fail("202016", "")
	case r.SPType == "" && (from.SPType == "" || s.Services):
		return r, fail("202017", "")
	}
	if r.SPType == "" {
		r.SPType = from.SPType
	}
	switch {
	case r.SPType == Private && !s.PrivateServices:
		return r, fail("202018", "private services are not served")
	case r.RequesterID == "" && (s.Services || r.SPType == Private && s.Self.RequesterID):
		return r, fail("202020", "")
	case r.NameFormat != "" && !slices.Contains(s.Self.IDP.NameIDFormats, r.NameFormat):
		return r, fail("202022", "%s", r.NameFormat)
	case !r.Level.Servable(s.Self.Levels):
		return r, fail("202015", "published are %s", strings.Join(s.Self.Levels, ", "))
	}
	return r, r.checkAttributes(s.Self.IDP.Attributes)
}

// Answer is what the country of the person says.
type Answer struct {
	Level         string
	Name          string // in the format asked for; "": one of this answer alone
	NameFormat    string // of Name, where the request takes any; default transient
	Attributes    Attributes
	Address       string    // IP address of the person's browser, "" where it is not told
	Authenticated time.Time // when; the zero value: now
}

// Respond writes the answer to a request, encrypted and signed, to be carried to [Request.ACS] by POST. An error is an [*Error]: what
// the answer lacks.
func (s *ProxyService) Respond(r *Request, a Answer) ([]byte, error) {
	switch {
	case !r.Level.Met(a.Level):
		return nil, fail("202019", "reached is %q", a.Level)
	case !slices.Contains(s.Self.Levels, a.Level):
		return nil, fail("202021", "%q", a.Level)
	}
	out, err := s.collect(r, a.Attributes)
	if err != nil {
		return nil, err
	}
	format := r.NameFormat
	if format == "" {
		if format = a.NameFormat; format == "" {
			format = saml.FormatTransient
		}
	}
	name := a.Name
	ids := make([]string, 3)
	for i := range ids {
		id, err := saml.NewID(s.Rand)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	if name == "" {
		name = ids[2]
	}
	now := s.Clock()
	authenticated := a.Authenticated
	if authenticated.IsZero() {
		authenticated = now
	}
	const lifetime = 5 * time.Minute
	m := s.message(r, ids[0], saml.Status{Code: saml.StatusSuccess, Message: saml.StatusSuccess})
	m.Consent = saml.ConsentObtained
	m.Assertions = []*saml.Assertion{{
		ID: ids[1], IssueInstant: now, Issuer: s.Self.EntityID,
		NameID:        &saml.NameID{Value: name, Format: format, NameQualifier: s.Self.EntityID},
		Confirmations: []saml.Confirmation{{Method: saml.ConfirmationBearer, NotOnOrAfter: now.Add(lifetime), Recipient: r.ACS(), InResponseTo: r.ID, Address: a.Address}},
		NotBefore:     now, NotOnOrAfter: now.Add(lifetime), Audiences: [][]string{{r.From.EntityID}},
		AuthnInstant: authenticated, Context: a.Level, Attributes: out, HasAttributes: true,
		Prefixes: map[string]string{NamespaceNatural: "eidas-natural", NamespaceLegal: "eidas-legal",
			NamespaceRepresentativeNatural: "eidas-representative-natural", NamespaceRepresentativeLegal: "eidas-representative-legal"},
	}}
	seal := saml.Sealing{Signing: s.signing(), Encrypt: r.From.SP.Encryption[0], Data: xmlenc.AES256GCM}
	if r.From.oldTransport() && isRSA(seal.Encrypt) {
		seal.Transport = xmlenc.Transport{Algorithm: xmlenc.RSAOAEPMGF1P, Digest: xmlenc.SHA256}
	}
	return m.Marshal(seal)
}

// collect takes what was asked for out of what is known, and looks whether that is enough.
func (s *ProxyService) collect(r *Request, known Attributes) ([]saml.Attribute, error) {
	var chosen Attributes
	for _, a := range known {
		asked := slices.ContainsFunc(r.Attributes, func(x RequestedAttribute) bool { return x.Name == a.Name })
		a.Definition = Define(a.Name)
		if len(a.Values) == 0 || !asked && (a.Definition == nil || !a.Definition.Representative) { // of representatives nobody asks
			continue
		}
		if d := a.Definition; d != nil && strings.HasSuffix(d.Local, "PersonIdentifier") {
			a.Values = slices.Clone(a.Values)
			for i, v := range a.Values {
				if _, err := ParseIdentifier(v.Text); err != nil { // national, so far
					a.Values[i].Text = Identifier{s.Self.Country, r.From.Country, v.Text}.String()
				}
			}
		}
		if err := a.check(); err != nil {
			return nil, fail("203008", "%w", err)
		}
		chosen = append(chosen, a)
	}
	for _, x := range r.Attributes {
		if x.Required && !chosen.has(x.Name) {
			return nil, fail("202010", "%s", x.Name)
		}
	}
	if err := chosen.complete(); err != nil {
		return nil, err
	}
	out := make([]saml.Attribute, len(chosen))
	for i := range chosen {
		out[i] = chosen[i].write()
	}
	return out, nil
}

// ACS is the address that the answer goes to: what the metadata of who asked say, never what a request says.
func (r *Request) ACS() string { return r.From.SP.DefaultACS().Location }

// Refuse answers a request that cannot be granted. ok is false where no answer may be sent.
func (s *ProxyService) Refuse(r *Request, why *Error) (octets []byte, ok bool, err error) {
	status, ok := why.Status()
	if !ok || r == nil {
		return nil, false, nil
	}
	id, err := saml.NewID(s.Rand)
	if err != nil {
		return nil, false, err
	}
	octets, err = s.message(r, id, status).Marshal(saml.Sealing{Signing: s.signing()})
	return octets, err == nil, err
}

func (s *ProxyService) message(r *Request, id string, status saml.Status) *saml.Response {
	return &saml.Response{
		Header:       saml.Header{ID: id, IssueInstant: s.Clock(), Destination: r.ACS(), Issuer: s.Self.EntityID},
		InResponseTo: r.ID, Status: status,
	}
}

func (s *ProxyService) signing() saml.Signing {
	return saml.Signing{Identity: s.Identity, Rand: s.Rand}
}
