package saml

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Assertion says who a person is, how that was found out, and what else is known of him [SAML2Core 2.3.3].
type Assertion struct {
	ID           string
	IssueInstant time.Time
	Issuer       string
	IssuerFormat string

	NameID        *NameID // nil where the subject is named by attributes alone
	Confirmations []Confirmation

	NotBefore, NotOnOrAfter time.Time  // zero where absent
	Audiences               [][]string // of each AudienceRestriction: one audience of every row has to be the reader
	OneTimeUse              bool

	AuthnInstant        time.Time
	SessionIndex        string
	SessionNotOnOrAfter time.Time
	SubjectLocality     string // the address of the person's browser
	Context             string // AuthnContextClassRef: the level of authentication
	ContextDecl         bool   // an AuthnContextDecl is there: the writer puts an empty one
	Authorities         []string

	// Attributes of the one statement; HasAttributes tells an empty one from none.
	Attributes    []Attribute
	HasAttributes bool

	Signer    *pki.Certificate // whose key signed the assertion itself; nil where it is not signed, or [Assertion.Verify] is to tell
	Encrypted bool             // it came encrypted
	Node      dom.Node         // as read

	// Prefixes of the namespaces that types and attributes of values use, by namespace, for the writer. Others get a
	// prefix of their own.
	Prefixes map[string]string
}

// NameID names a subject [SAML2Core 2.2.2].
type NameID struct{ Value, Format, NameQualifier, SPNameQualifier string }

func (id *NameID) write(w *dom.Writer) {
	w.Element("saml2:NameID", id.Value, present("Format", id.Format, "NameQualifier", id.NameQualifier, "SPNameQualifier", id.SPNameQualifier)...)
}

// Confirmation says how the bearer of an assertion is known to be its subject [SAML2Core 2.4.1.1].
type Confirmation struct {
	Method                  string
	NotBefore, NotOnOrAfter time.Time
	Recipient, InResponseTo string
	Address                 string
}

// Name is a name in a namespace.
type Name struct{ Space, Local string }

// Attribute is something that is known of a person [SAML2Core 2.7.3.1].
type Attribute struct {
	Name, NameFormat, FriendlyName string
	Extra                          []Extra // attributes of other namespaces on the element
	Values                         []Value
}

// Extra is an attribute of another namespace.
type Extra struct {
	Name  Name
	Value string
}

// Value is one saml:AttributeValue.
type Value struct {
	Type  Name   // xsi:type, zero where there is none
	Text  string // as it stands, white space included; of complex content the text of all that is in it
	Nil   bool
	Extra []Extra
	Node  dom.Node // as read, for complex content

	// Write writes complex content in place of Text.
	Write func(w *dom.Writer)
}

// Attribute returns the attribute with a name, nil where it is absent.
func (a *Assertion) Attribute(name string) *Attribute {
	for i := range a.Attributes {
		if a.Attributes[i].Name == name {
			return &a.Attributes[i]
		}
	}
	return nil
}

// Verify checks the signature of an assertion that somebody else than the sender of the response made, with that party's
// certificates. Until then such an assertion says nothing by itself.
func (a *Assertion) Verify(certs []*pki.Certificate, alg Algorithms) error {
	sig := a.Node.Child(xmldsig.Namespace, "Signature")
	if !sig.Valid() {
		return a.Node.Errorf("%w: the assertion is not signed", ErrSignature)
	}
	signer, err := verifyEnveloped(a.Node, sig, certs, &alg, false)
	if err == nil {
		a.Signer = signer
	}
	return err
}

// readAssertion reads a saml:Assertion. A signature in it must be of one of certs, or is left to [Assertion.Verify].
func readAssertion(n dom.Node, certs []*pki.Certificate, alg *Algorithms, left bool) (*Assertion, error) {
	if err := attributes(n, "ID", "Version", "IssueInstant"); err != nil {
		return nil, err
	}
	a := &Assertion{Node: n}
	var err error
	if a.ID, err = required(n, "ID"); err != nil {
		return nil, err
	}
	if v := n.Attr("Version"); v != "2.0" || !isNCName(a.ID) {
		return nil, n.Errorf("%w: version %q is not 2.0, or %q cannot be an ID", ErrSyntax, v, a.ID)
	}
	if _, err := required(n, "IssueInstant"); err != nil {
		return nil, err
	}
	if a.IssueInstant, err = timeOf(n, "IssueInstant"); err != nil {
		return nil, err
	}
	c, err := children(n)
	if err != nil {
		return nil, err
	}
	issuer, err := c.need(NamespaceAssertion, "Issuer")
	if err != nil {
		return nil, err
	}
	if a.Issuer, a.IssuerFormat, err = readIssuer(issuer); err != nil {
		return nil, err
	}
	if sig := c.take(xmldsig.Namespace, "Signature"); sig.Valid() && !left {
		if a.Signer, err = verifyEnveloped(n, sig, certs, alg, false); err != nil {
			return nil, err
		}
	}
	if s := c.take(NamespaceAssertion, "Subject"); s.Valid() {
		if err := a.readSubject(s); err != nil {
			return nil, err
		}
	}
	if s := c.take(NamespaceAssertion, "Conditions"); s.Valid() {
		if err := a.readConditions(s); err != nil {
			return nil, err
		}
	}
	c.take(NamespaceAssertion, "Advice") // whose content nobody has to heed [SAML2Core 2.6]
	statements := 0
	for c.next.Valid() {
		switch {
		case c.next.Is(NamespaceAssertion, "AuthnStatement") && a.AuthnInstant.IsZero():
			err = a.readAuthn(c.next)
		case c.next.Is(NamespaceAssertion, "AttributeStatement") && !a.HasAttributes:
			err = a.readAttributes(c.next)
		default:
			err = c.end()
		}
		if err != nil {
			return nil, err
		}
		c.next = c.next.NextElement()
		statements++
	}
	if statements == 0 && a.NameID == nil {
		return nil, n.Errorf("%w: it states nothing [SAML2Core 2.3.3]", ErrSyntax)
	}
	return a, nil
}

func (a *Assertion) readSubject(n dom.Node) error {
	if err := attributes(n); err != nil {
		return err
	}
	c, err := children(n)
	if err != nil {
		return err
	}
	if id := c.take(NamespaceAssertion, "NameID"); id.Valid() {
		if a.NameID, err = readNameID(id); err != nil {
			return err
		}
	}
	for s := c.take(NamespaceAssertion, "SubjectConfirmation"); s.Valid(); s = c.take(NamespaceAssertion, "SubjectConfirmation") {
		conf, err := readConfirmation(s)
		if err != nil {
			return err
		}
		a.Confirmations = append(a.Confirmations, conf)
	}
	return c.end()
}

func readNameID(n dom.Node) (*NameID, error) {
	if err := attributes(n, "Format", "NameQualifier", "SPNameQualifier", "SPProvidedID"); err != nil {
		return nil, err
	}
	v, err := text(n)
	if err != nil {
		return nil, err
	}
	if len(v) > 1024 {
		return nil, n.Errorf("%w: a name has at most 1024 characters", ErrSyntax)
	}
	return &NameID{v, n.Attr("Format"), n.Attr("NameQualifier"), n.Attr("SPNameQualifier")}, nil
}

func readConfirmation(n dom.Node) (conf Confirmation, err error) {
	if err := attributes(n, "Method"); err != nil {
		return conf, err
	}
	if conf.Method, err = required(n, "Method"); err != nil {
		return conf, err
	}
	c, err := children(n)
	if err != nil {
		return conf, err
	}
	c.take(NamespaceAssertion, "NameID")
	d := c.take(NamespaceAssertion, "SubjectConfirmationData")
	if !d.Valid() {
		return conf, c.end()
	}
	if err := attributes(d, "NotBefore", "NotOnOrAfter", "Recipient", "InResponseTo", "Address"); err != nil {
		return conf, err
	}
	conf.Recipient, conf.InResponseTo, conf.Address = d.Attr("Recipient"), d.Attr("InResponseTo"), d.Attr("Address")
	if conf.NotBefore, err = timeOf(d, "NotBefore"); err != nil {
		return conf, err
	}
	if conf.NotOnOrAfter, err = timeOf(d, "NotOnOrAfter"); err != nil {
		return conf, err
	}
	inner, err := children(d)
	if err != nil {
		return conf, err
	}
	inner.take(xmldsig.Namespace, "KeyInfo") // of holder-of-key, which no answer is taken by
	if err := inner.end(); err != nil {
		return conf, err
	}
	return conf, c.end()
}

func (a *Assertion) readConditions(n dom.Node) (err error) {
	if err := attributes(n, "NotBefore", "NotOnOrAfter"); err != nil {
		return err
	}
	if a.NotBefore, err = timeOf(n, "NotBefore"); err != nil {
		return err
	}
	if a.NotOnOrAfter, err = timeOf(n, "NotOnOrAfter"); err != nil {
		return err
	}
	c, err := children(n)
	if err != nil {
		return err
	}
	for c.next.Valid() {
		switch {
		case c.next.Is(NamespaceAssertion, "AudienceRestriction"):
			row, err := readTexts(c.next, "Audience")
			if err != nil {
				return err
			}
			a.Audiences = append(a.Audiences, row)
		case c.next.Is(NamespaceAssertion, "OneTimeUse") && !a.OneTimeUse:
			a.OneTimeUse = true
		case c.next.Is(NamespaceAssertion, "ProxyRestriction"):
		default: // a condition that is not understood makes the assertion one that cannot be relied on [SAML2Core 2.5.1.1]
			return c.end()
		}
		c.next = c.next.NextElement()
	}
	return nil
}

// readTexts reads an element that holds one or more children of one name.
func readTexts(n dom.Node, local string) (out []string, err error) {
	if err := attributes(n); err != nil {
		return nil, err
	}
	c, err := children(n)
	if err != nil {
		return nil, err
	}
	for e := c.take(n.Space(), local); e.Valid(); e = c.take(n.Space(), local) {
		v, err := text(e)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		return nil, n.Errorf("%w: %s is missing", ErrSyntax, local)
	}
	return out, c.end()
}

func (a *Assertion) readAuthn(n dom.Node) (err error) {
	if err := attributes(n, "AuthnInstant", "SessionIndex", "SessionNotOnOrAfter"); err != nil {
		return err
	}
	if _, err := required(n, "AuthnInstant"); err != nil {
		return err
	}
	if a.AuthnInstant, err = timeOf(n, "AuthnInstant"); err != nil {
		return err
	}
	if a.SessionNotOnOrAfter, err = timeOf(n, "SessionNotOnOrAfter"); err != nil {
		return err
	}
	a.SessionIndex = n.Attr("SessionIndex")
	c, err := children(n)
	if err != nil {
		return err
	}
	if l := c.take(NamespaceAssertion, "SubjectLocality"); l.Valid() {
		if err := attributes(l, "Address", "DNSName"); err != nil {
			return err
		}
		a.SubjectLocality = l.Attr("Address")
	}
	x, err := c.need(NamespaceAssertion, "AuthnContext")
	if err != nil {
		return err
	}
	if err := attributes(x); err != nil {
		return err
	}
	in, err := children(x)
	if err != nil {
		return err
	}
	if ref := in.take(NamespaceAssertion, "AuthnContextClassRef"); ref.Valid() {
		if a.Context, err = text(ref); err != nil {
			return err
		}
	}
	a.ContextDecl = in.take(NamespaceAssertion, "AuthnContextDecl").Valid()
	if !a.ContextDecl {
		in.take(NamespaceAssertion, "AuthnContextDeclRef")
	}
	for ref := in.take(NamespaceAssertion, "AuthenticatingAuthority"); ref.Valid(); ref = in.take(NamespaceAssertion, "AuthenticatingAuthority") {
		v, err := text(ref)
		if err != nil {
			return err
		}
		a.Authorities = append(a.Authorities, v)
	}
	if err := in.end(); err != nil {
		return err
	}
	return c.end()
}

func (a *Assertion) readAttributes(n dom.Node) error {
	a.HasAttributes = true
	if err := attributes(n); err != nil {
		return err
	}
	c, err := children(n)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for e := c.take(NamespaceAssertion, "Attribute"); e.Valid(); e = c.take(NamespaceAssertion, "Attribute") {
		attr, err := readAttribute(e)
		if err != nil {
			return err
		}
		if seen[attr.Name] {
			return e.Errorf("%w: attribute %s stands there twice", ErrSyntax, attr.Name)
		}
		seen[attr.Name] = true
		a.Attributes = append(a.Attributes, attr)
	}
	return c.end()
}

// readAttribute reads a saml:Attribute, in an assertion or in metadata.
func readAttribute(n dom.Node) (attr Attribute, err error) {
	if attr.Name, err = required(n, "Name"); err != nil {
		return attr, err
	}
	attr.NameFormat, attr.FriendlyName = n.Attr("NameFormat"), n.Attr("FriendlyName")
	for a := range n.Attributes() {
		switch {
		case a.Space() == "" && !slices.Contains([]string{"Name", "NameFormat", "FriendlyName"}, a.Local()):
			return attr, a.Errorf("%w: attribute %s is not expected here", ErrSyntax, a.QName())
		case a.Space() != "" && a.Space() != namespaceXSI && a.Space() != dom.XMLNamespace:
			attr.Extra = append(attr.Extra, Extra{Name{a.Space(), a.Local()}, string(a.Value())})
		}
	}
	c, err := children(n)
	if err != nil {
		return attr, err
	}
	for e := c.take(NamespaceAssertion, "AttributeValue"); e.Valid(); e = c.take(NamespaceAssertion, "AttributeValue") {
		v := Value{Node: e, Text: e.Text()}
		for a := range e.Attributes() {
			switch {
			case a.Is(namespaceXSI, "type"):
				v.Type = typeName(e, string(a.Value()))
			case a.Is(namespaceXSI, "nil"):
				v.Nil = strings.TrimSpace(string(a.Value())) == "true" || strings.TrimSpace(string(a.Value())) == "1"
			case a.Space() != namespaceXSI && a.Space() != dom.XMLNamespace:
				v.Extra = append(v.Extra, Extra{Name{a.Space(), a.Local()}, string(a.Value())})
			}
		}
		attr.Values = append(attr.Values, v)
	}
	return attr, c.end()
}

// typeName resolves the QName of an xsi:type. A prefix that is not declared leaves the namespace empty: real peers lose
// declarations of prefixes that only stand in values.
func typeName(n dom.Node, qname string) Name {
	prefix, local, ok := strings.Cut(strings.TrimSpace(qname), ":")
	if !ok {
		prefix, local = "", prefix
	}
	space, _ := n.LookupNamespace(prefix)
	return Name{space, local}
}

// prefixes gives every namespace that values use a prefix. A type's prefix stands in content only, where exclusive
// canonicalisation does not see it used: declared on the assertion, it is part of what is encrypted or signed.
func (a *Assertion) prefixes() (byNamespace map[string]string, declarations, names []string) {
	byNamespace = map[string]string{NamespaceAssertion: "saml2", namespaceXSI: "xsi", dom.XMLNamespace: "xml"}
	taken := map[string]bool{"saml2": true, "xsi": true, "xml": true, "ds": true}
	add := func(space string) {
		if _, known := byNamespace[space]; known || space == "" {
			return
		}
		prefix := a.Prefixes[space]
		if space == namespaceXS && prefix == "" {
			prefix = "xs"
		}
		for i := 1; prefix == "" || taken[prefix]; i++ {
			prefix = fmt.Sprintf("ns%d", i)
		}
		byNamespace[space], taken[prefix] = prefix, true
		names = append(names, prefix)
		declarations = append(declarations, "xmlns:"+prefix, space)
	}
	for _, attr := range a.Attributes {
		for _, x := range attr.Extra {
			add(x.Name.Space)
		}
		for _, v := range attr.Values {
			add(v.Type.Space)
			for _, x := range v.Extra {
				add(x.Name.Space)
			}
		}
	}
	return byNamespace, declarations, names
}

// write writes the assertion and returns the prefixes that its values use.
func (a *Assertion) write() (octets []byte, names []string, err error) {
	if err := complete(a.ID, a.Issuer, a.IssueInstant); err != nil {
		return nil, nil, err
	}
	byNamespace, declarations, names := a.prefixes()
	w := dom.NewWriter(nil)
	w.Start("saml2:Assertion", slices.Concat([]string{"xmlns:saml2", NamespaceAssertion}, declarations,
		[]string{"ID", a.ID, "IssueInstant", formatTime(a.IssueInstant), "Version", "2.0"})...)
	writeIssuer(w, a.Issuer, a.IssuerFormat)
	if a.NameID != nil || len(a.Confirmations) > 0 {
		w.Start("saml2:Subject")
		if id := a.NameID; id != nil {
			id.write(w)
		}
		for _, c := range a.Confirmations {
			c.write(w)
		}
		w.End()
	}
	if !a.NotBefore.IsZero() || !a.NotOnOrAfter.IsZero() || len(a.Audiences) > 0 || a.OneTimeUse {
		w.Start("saml2:Conditions", present("NotBefore", moment(a.NotBefore), "NotOnOrAfter", moment(a.NotOnOrAfter))...)
		for _, row := range a.Audiences {
			w.Start("saml2:AudienceRestriction")
			for _, v := range row {
				w.Element("saml2:Audience", v)
			}
			w.End()
		}
		if a.OneTimeUse {
			w.Element("saml2:OneTimeUse", "")
		}
		w.End()
	}
	if !a.AuthnInstant.IsZero() {
		w.Start("saml2:AuthnStatement", present("AuthnInstant", formatTime(a.AuthnInstant), "SessionIndex", a.SessionIndex, "SessionNotOnOrAfter", moment(a.SessionNotOnOrAfter))...)
		if a.SubjectLocality != "" {
			w.Element("saml2:SubjectLocality", "", "Address", a.SubjectLocality)
		}
		w.Start("saml2:AuthnContext")
		if a.Context != "" {
			w.Element("saml2:AuthnContextClassRef", a.Context)
		}
		if a.ContextDecl {
			w.Element("saml2:AuthnContextDecl", "")
		}
		for _, v := range a.Authorities {
			w.Element("saml2:AuthenticatingAuthority", v)
		}
		w.End()
		w.End()
	}
	if a.HasAttributes || len(a.Attributes) > 0 {
		w.Start("saml2:AttributeStatement")
		for _, attr := range a.Attributes {
			attr.write(w, byNamespace)
		}
		w.End()
	}
	w.End()
	return w.Bytes(), names, nil
}

// present returns the attributes that have a value.
func present(pairs ...string) (out []string) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, pairs[i], pairs[i+1])
		}
	}
	return out
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return formatTime(t)
}

func (c *Confirmation) write(w *dom.Writer) {
	w.Start("saml2:SubjectConfirmation", "Method", c.Method)
	w.Start("saml2:SubjectConfirmationData", present("Address", c.Address, "InResponseTo", c.InResponseTo, "NotBefore", moment(c.NotBefore),
		"NotOnOrAfter", moment(c.NotOnOrAfter), "Recipient", c.Recipient)...)
	w.End()
	w.End()
}

func (attr *Attribute) write(w *dom.Writer, byNamespace map[string]string) {
	attrs := present("FriendlyName", attr.FriendlyName, "Name", attr.Name, "NameFormat", attr.NameFormat)
	for _, x := range attr.Extra {
		attrs = append(attrs, byNamespace[x.Name.Space]+":"+x.Name.Local, x.Value)
	}
	w.Start("saml2:Attribute", attrs...)
	for _, v := range attr.Values {
		var attrs []string
		if v.Type != (Name{}) || v.Nil {
			attrs = append(attrs, "xmlns:xsi", namespaceXSI)
		}
		for _, x := range v.Extra {
			attrs = append(attrs, byNamespace[x.Name.Space]+":"+x.Name.Local, x.Value)
		}
		if v.Nil {
			attrs = append(attrs, "xsi:nil", "true")
		}
		if v.Type != (Name{}) {
			attrs = append(attrs, "xsi:type", byNamespace[v.Type.Space]+":"+v.Type.Local)
		}
		w.Start("saml2:AttributeValue", attrs...)
		if v.Write != nil {
			v.Write(w)
		} else {
			w.Text(v.Text)
		}
		w.End()
	}
	w.End()
}
