package saml

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Response answers a request [SAML2Core 3.3.3].
type Response struct {
	Header
	InResponseTo string
	Status       Status
	Assertions   []*Assertion
}

// Status says how a request ended [SAML2Core 3.2.2.1].
type Status struct {
	Code    string // one of the four at the top
	SubCode string // below it, "" where absent
	Message string
}

// Success reports whether the request was granted.
func (s *Status) Success() bool { return s.Code == StatusSuccess }

// maxAssertions bounds the work that a response may ask for.
const maxAssertions = 16

// Opening is what a response is opened with.
type Opening struct {
	Certificates []*pki.Certificate // whose keys may have signed, out of the sender's metadata
	Keys         []pki.Key          // to decrypt with
	Algorithms

	// Clear also takes assertions that came unencrypted. A response that is not signed as a whole is taken if each of its
	// assertions is.
	Clear bool
	// Others takes assertions behind the first that somebody else signed, as gateways pass on what sources of attributes said.
	// Their signatures are left to [Assertion.Verify]; the response has to be signed as a whole.
	Others bool
}

// ParseResponse reads a response: syntax, signature, decryption, signatures of the assertions, and their syntax. What
// it says is to be held against what was asked with [Response.Check].
func ParseResponse(octets []byte, o Opening) (*Response, error) {
	root, c, err := openMessage(octets, "Response", "InResponseTo")
	if err != nil {
		return nil, err
	}
	r := &Response{InResponseTo: root.Attr("InResponseTo")}
	if r.Header, err = readHeader(root, &c, o.Certificates, &o.Algorithms); err != nil {
		return nil, err
	}
	if r.Signer == nil && r.Extensions.Valid() {
		return nil, r.Extensions.Errorf("%w: extensions that nobody signed", ErrSignature)
	}
	status, err := c.need(NamespaceProtocol, "Status")
	if err != nil {
		return nil, err
	}
	if r.Status, err = readStatus(status); err != nil {
		return nil, err
	}
	for c.next.Valid() {
		if len(r.Assertions) == maxAssertions {
			return nil, c.next.Errorf("%w: more than %d assertions", ErrSyntax, maxAssertions)
		}
		n, encrypted := c.next, c.next.Is(NamespaceAssertion, "EncryptedAssertion")
		switch {
		case encrypted:
			if n, err = o.decrypt(n); err != nil {
				return nil, err
			}
		case !n.Is(NamespaceAssertion, "Assertion"):
			return nil, c.end()
		case !o.Clear:
			return nil, n.Errorf("%w: the assertion is not encrypted", ErrDecrypt)
		}
		a, err := readAssertion(n, o.Certificates, &o.Algorithms, o.Others && r.Signer != nil && len(r.Assertions) > 0)
		if err != nil {
			return nil, err
		}
		if a.Encrypted = encrypted; r.Signer == nil && a.Signer == nil {
			return nil, n.Errorf("%w: neither the response nor the assertion is signed", ErrSignature)
		}
		r.Assertions = append(r.Assertions, a)
		c.next = c.next.NextElement()
	}
	if r.Signer == nil && len(r.Assertions) == 0 {
		return nil, root.Errorf("%w: it is not signed", ErrSignature)
	}
	return r, nil
}

func readStatus(n dom.Node) (s Status, err error) {
	if err := attributes(n); err != nil {
		return s, err
	}
	c, err := children(n)
	if err != nil {
		return s, err
	}
	code, err := c.need(NamespaceProtocol, "StatusCode")
	if err != nil {
		return s, err
	}
	if s.Code, err = required(code, "Value"); err != nil {
		return s, err
	}
	switch s.Code {
	case StatusSuccess, StatusRequester, StatusResponder, StatusVersionMismatch:
	default:
		return s, code.Errorf("%w: %q is no status of the top [SAML2Core 3.2.2.2]", ErrSyntax, s.Code)
	}
	for depth, n := 0, code; ; depth++ {
		if err := attributes(n, "Value"); err != nil {
			return s, err
		}
		in, err := children(n)
		if err != nil {
			return s, err
		}
		sub := in.take(NamespaceProtocol, "StatusCode")
		if err := in.end(); err != nil {
			return s, err
		}
		if !sub.Valid() {
			break
		}
		v, err := required(sub, "Value")
		if err != nil {
			return s, err
		}
		if depth == 0 {
			s.SubCode = v
		}
		n = sub
	}
	if s.SubCode != "" && s.Success() {
		return s, code.Errorf("%w: a success has no second code", ErrSyntax)
	}
	if m := c.take(NamespaceProtocol, "StatusMessage"); m.Valid() {
		if s.Message, err = text(m); err != nil {
			return s, err
		}
	}
	c.take(NamespaceProtocol, "StatusDetail")
	return s, c.end()
}

// decrypt returns the assertion within a saml:EncryptedAssertion. What it says may rest on prefixes that are declared
// around it, so it is parsed where it stood.
func (o *Opening) decrypt(n dom.Node) (dom.Node, error) {
	if err := attributes(n); err != nil {
		return dom.Node{}, err
	}
	c, err := children(n)
	if err != nil {
		return dom.Node{}, err
	}
	data, err := c.need(namespaceXenc, "EncryptedData")
	if err != nil {
		return dom.Node{}, err
	}
	for k := c.take(namespaceXenc, "EncryptedKey"); k.Valid(); k = c.take(namespaceXenc, "EncryptedKey") {
	}
	if err := c.end(); err != nil {
		return dom.Node{}, err
	}
	ed, err := xmlenc.ParseEncryptedData(data)
	if err != nil {
		return dom.Node{}, data.Errorf("%w: %w", ErrSyntax, err)
	}
	if ed.Type != "" && ed.Type != xmlenc.TypeElement {
		return dom.Node{}, data.Errorf("%w: what is encrypted is no element but %q", ErrSyntax, ed.Type)
	}
	if !allowed(o.Data, ed.Algorithm) {
		return dom.Node{}, data.Errorf("%w: encryption %s", ErrAlgorithm, ed.Algorithm)
	}
	keys, err := ed.Keys()
	if err != nil {
		return dom.Node{}, data.Errorf("%w: %w", ErrDecrypt, err)
	}
	for _, k := range keys {
		if t := k.Transport.Algorithm + k.Transport.Agreement; !allowed(o.Transports, t) {
			return dom.Node{}, k.Node.Errorf("%w: key transport %s", ErrAlgorithm, t)
		}
	}
	err = errors.New("no key to decrypt with")
	for _, key := range o.Keys {
		var octets []byte
		if octets, err = xmlenc.DecryptElement(data, key, xmlenc.DecryptOptions{}); err == nil {
			return reparse(n, octets)
		}
	}
	return dom.Node{}, data.Errorf("%w: %w", ErrDecrypt, err)
}

func allowed(list []string, v string) bool { return list == nil || slices.Contains(list, v) }

// reparse reads the one element that octets hold in the namespaces that are in scope at n.
func reparse(n dom.Node, octets []byte) (dom.Node, error) {
	var attrs []string
	seen := map[string]bool{}
	for prefix, uri := range n.InScope() {
		if seen[prefix] {
			continue
		}
		seen[prefix] = true
		if prefix == "" {
			attrs = append(attrs, "xmlns", uri)
		} else if uri != "" {
			attrs = append(attrs, "xmlns:"+prefix, uri)
		}
	}
	w := dom.NewWriter(nil)
	w.Start("scope", attrs...)
	w.Raw(octets)
	w.End()
	doc, err := parse(w.Bytes(), dom.Limits{Bytes: 2 * MaxBytes, Depth: limits.Depth, Nodes: limits.Nodes, Attributes: limits.Attributes,
		AttributesPerElement: limits.AttributesPerElement, NameBytes: limits.NameBytes})
	if err != nil {
		return dom.Node{}, n.Errorf("%w: what was encrypted: %w", ErrSyntax, err)
	}
	c, err := children(doc.Root())
	if err != nil {
		return dom.Node{}, err
	}
	a, err := c.need(NamespaceAssertion, "Assertion")
	if err != nil {
		return dom.Node{}, err
	}
	return a, c.end()
}

// Expected is what a response is held against.
type Expected struct {
	Issuer    string // entity ID of who was asked
	RequestID string // of the request that is answered
	ACS       string // the address at which the response came
	Audience  string // entity ID of who asked
	Now       time.Time

	// NotBeforeSkew and NotOnOrAfterSkew widen the times of the answering party, whose clock may differ.
	NotBeforeSkew, NotOnOrAfterSkew time.Duration
	// MaxAge is how old a response may be; default five minutes.
	MaxAge time.Duration
}

// Check holds a response against what was asked [SAML2Prof 4.1.4.3]. Every rule is a sentinel of its own; a response
// with a status other than success is looked at as well, up to its status.
func (r *Response) Check(e Expected) error {
	maxAge := e.MaxAge
	if maxAge == 0 {
		maxAge = 5 * time.Minute
	}
	switch {
	case r.Issuer == "" || r.Issuer != e.Issuer:
		return fmt.Errorf("%w: %q, asked was %q", ErrIssuer, r.Issuer, e.Issuer)
	case r.InResponseTo == "" || r.InResponseTo != e.RequestID:
		return fmt.Errorf("%w: InResponseTo is %q", ErrUnsolicited, r.InResponseTo)
	case r.Destination != e.ACS:
		return fmt.Errorf("%w: Destination is %q, and this is %q [SAML2Bind 3.5.5.2]", ErrDestination, r.Destination, e.ACS)
	case r.IssueInstant.After(e.Now.Add(e.NotBeforeSkew)):
		return fmt.Errorf("%w: issued at %s, which is to come", ErrTime, formatTime(r.IssueInstant))
	case r.IssueInstant.Before(e.Now.Add(-maxAge - e.NotOnOrAfterSkew)):
		return fmt.Errorf("%w: issued at %s, which is too long ago", ErrTime, formatTime(r.IssueInstant))
	case !r.Status.Success():
		return nil
	case len(r.Assertions) == 0:
		return fmt.Errorf("%w: a success without assertion", ErrSyntax)
	}
	for _, a := range r.Assertions {
		if err := a.check(e); err != nil {
			return fmt.Errorf("assertion %s: %w", a.ID, err)
		}
	}
	return nil
}

func (a *Assertion) check(e Expected) error {
	early, late := e.Now.Add(e.NotBeforeSkew), e.Now.Add(-e.NotOnOrAfterSkew)
	switch {
	case a.Issuer != e.Issuer:
		return fmt.Errorf("%w: %q, asked was %q", ErrIssuer, a.Issuer, e.Issuer)
	case a.AuthnInstant.IsZero():
		return fmt.Errorf("%w: it says nothing about an authentication", ErrSyntax)
	case a.NotBefore.After(early) || a.AuthnInstant.After(early):
		return fmt.Errorf("%w: not before %s", ErrTime, formatTime(a.NotBefore))
	case !a.NotOnOrAfter.IsZero() && !late.Before(a.NotOnOrAfter):
		return fmt.Errorf("%w: not on or after %s", ErrTime, formatTime(a.NotOnOrAfter))
	case !a.SessionNotOnOrAfter.IsZero() && !late.Before(a.SessionNotOnOrAfter):
		return fmt.Errorf("%w: the session ended at %s", ErrTime, formatTime(a.SessionNotOnOrAfter))
	case len(a.Audiences) == 0:
		return fmt.Errorf("%w: it is for nobody in particular [SAML2Prof 4.1.4.2]", ErrAudience)
	}
	for _, row := range a.Audiences {
		if !slices.Contains(row, e.Audience) {
			return fmt.Errorf("%w: it is for %q", ErrAudience, row)
		}
	}
	why := errors.New("no bearer confirmation")
	for _, c := range a.Confirmations {
		if why = c.check(e, early, late); why == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: %w", ErrConfirmation, why)
}

// check holds one confirmation against what was asked; one that holds is enough [SAML2Prof 4.1.4.3].
func (c *Confirmation) check(e Expected, early, late time.Time) error {
	switch {
	case c.Method != ConfirmationBearer:
		return fmt.Errorf("method %s", c.Method)
	case c.NotOnOrAfter.IsZero():
		return errors.New("NotOnOrAfter is missing")
	case !late.Before(c.NotOnOrAfter):
		return fmt.Errorf("%w: not on or after %s", ErrTime, formatTime(c.NotOnOrAfter))
	case c.NotBefore.After(early):
		return fmt.Errorf("%w: not before %s", ErrTime, formatTime(c.NotBefore))
	case c.Recipient != e.ACS:
		return fmt.Errorf("%w: Recipient is %q", ErrDestination, c.Recipient)
	case c.InResponseTo != e.RequestID:
		return fmt.Errorf("%w: InResponseTo is %q", ErrUnsolicited, c.InResponseTo)
	}
	return nil
}

// LeadingCode is the number of six or seven digits at the begin of the message, by which the networks name an error; "" where
// there is none.
func (s *Status) LeadingCode() string {
	n := 0
	for n < len(s.Message) && '0' <= s.Message[n] && s.Message[n] <= '9' {
		n++
	}
	if n == 6 || n == 7 {
		return s.Message[:n]
	}
	return ""
}

func (s *Status) write(w *dom.Writer) {
	w.Start("saml2p:Status")
	w.Start("saml2p:StatusCode", "Value", s.Code)
	if s.SubCode != "" {
		w.Element("saml2p:StatusCode", "", "Value", s.SubCode)
	}
	w.End()
	if s.Message != "" {
		w.Element("saml2p:StatusMessage", s.Message)
	}
	w.End()
}

// Sealing says how a response is protected.
type Sealing struct {
	Signing                     // of the response
	Assertions bool             // sign each assertion, too
	Encrypt    *pki.Certificate // whom the assertions are encrypted for; nil: nobody
	Data       string           // default AES-256-GCM
	Transport  xmlenc.Transport // default RSA-OAEP with SHA-256, ECDH-ES with ConcatKDF and AES-256 key wrap
}

// Marshal writes a response: assertions signed where asked for, encrypted, and the whole signed.
func (r *Response) Marshal(s Sealing) ([]byte, error) {
	if err := complete(r.ID, r.Issuer, r.IssueInstant); err != nil {
		return nil, err
	}
	w := dom.NewWriter(nil)
	w.Start("saml2p:Response", r.attrs(present("InResponseTo", r.InResponseTo)...)...)
	r.write(w)
	r.Status.write(w)
	var prefixes []string
	for _, a := range r.Assertions {
		octets, names, err := a.write()
		if err != nil {
			return nil, err
		}
		if s.Assertions {
			if octets, err = s.enveloped(octets, limits, names...); err != nil {
				return nil, err
			}
		}
		if s.Encrypt == nil {
			w.Raw(octets)
			prefixes = append(prefixes, names...)
			continue
		}
		w.Start("saml2:EncryptedAssertion")
		if err := s.encrypt(w, octets); err != nil {
			return nil, err
		}
		w.End()
	}
	w.End()
	slices.Sort(prefixes)
	out, err := s.enveloped(w.Bytes(), limits, slices.Compact(prefixes)...)
	if err == nil && len(out) > MaxBytes {
		return nil, fmt.Errorf("%w: %d octets, and receivers read at most %d", ErrTooLarge, len(out), MaxBytes)
	}
	return out, err
}

func (s *Sealing) encrypt(w *dom.Writer, octets []byte) error {
	t := s.Transport
	if t.Algorithm == "" && t.Agreement == "" {
		if t = xmlenc.TransportRSAOAEP256; !isRSA(s.Encrypt.PublicKey) {
			t = xmlenc.TransportECDHConcat
			t.KeyWrap = xmlenc.KWAES256
			t.Concat.AlgorithmID, t.Concat.PartyUInfo, t.Concat.PartyVInfo = "00", "00", "00" // as all nodes write what is empty
		}
	}
	err := xmlenc.WriteEncryptedElement(w, octets, xmlenc.EncryptOptions{Type: xmlenc.TypeElement, Algorithm: s.Data, Transport: t, To: s.Encrypt.PublicKey,
		Recipient: xmldsig.X509Data(s.Encrypt), Rand: s.Rand})
	if err != nil {
		return fmt.Errorf("saml: %w", err)
	}
	return nil
}
