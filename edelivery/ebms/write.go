package ebms

import (
	"bytes"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// All that is written here is in the form of Exclusive XML Canonicalization without comments: namespace
// declarations and attributes in its order, each prefix declared where it is first used. So the octets of
// eb:Messaging and S12:Body are their own canonical form ([Layout]).

// Append writes eb:UserMessage in the order of the schema. The prefix eb must be declared around it.
func (m *UserMessage) Append(w *dom.Writer) {
	if m.MPC == "" {
		w.Start("eb:UserMessage")
	} else {
		w.Start("eb:UserMessage", "mpc", m.MPC)
	}
	appendMessageInfo(w, m.Timestamp, m.MessageID, m.RefToMessageID)
	w.Start("eb:PartyInfo")
	m.From.append(w, "eb:From")
	m.To.append(w, "eb:To")
	w.End()
	w.Start("eb:CollaborationInfo")
	if a := m.Agreement; a != nil {
		var attrs [4]string
		w.Element("eb:AgreementRef", a.Value, optional(attrs[:0], "pmode", a.PMode, "type", a.Type)...)
	}
	typed(w, "eb:Service", m.Service.Value, m.Service.Type)
	w.Element("eb:Action", m.Action)
	w.Element("eb:ConversationId", m.ConversationID)
	w.End()
	appendProperties(w, "eb:MessageProperties", m.Properties)
	if len(m.Parts) != 0 {
		w.Start("eb:PayloadInfo")
		for i := range m.Parts {
			m.Parts[i].append(w)
		}
		w.End()
	}
	w.End()
}

func appendMessageInfo(w *dom.Writer, t time.Time, id, ref string) {
	var buf [len(timestampLayout)]byte
	w.Start("eb:MessageInfo")
	w.Start("eb:Timestamp")
	w.Raw(AppendTimestamp(buf[:0], t))
	w.End()
	w.Element("eb:MessageId", id)
	if ref != "" {
		w.Element("eb:RefToMessageId", ref)
	}
	w.End()
}

func (p *Party) append(w *dom.Writer, name string) {
	w.Start(name)
	for i := range p.IDs {
		typed(w, "eb:PartyId", p.IDs[i].Value, p.IDs[i].Type)
	}
	w.Element("eb:Role", p.Role)
	w.End()
}

func (p *PartInfo) append(w *dom.Writer) {
	if p.Href == "" {
		w.Start("eb:PartInfo")
	} else {
		w.Start("eb:PartInfo", "href", p.Href)
	}
	if s := p.Schema; s != nil {
		var attrs [6]string
		w.Element("eb:Schema", "", optional(attrs[:0], "location", s.Location, "namespace", s.Namespace, "version", s.Version)...)
	}
	if p.Description != "" {
		lang := p.Lang
		if lang == "" {
			lang = "en" // required by the schema
		}
		w.Element("eb:Description", p.Description, "xml:lang", lang)
	}
	appendProperties(w, "eb:PartProperties", p.Properties)
	w.End()
}

func appendProperties(w *dom.Writer, name string, list []Property) {
	if len(list) == 0 {
		return
	}
	w.Start(name)
	for i := range list {
		p := &list[i]
		if p.Type == "" {
			w.Element("eb:Property", p.Value, "name", p.Name)
		} else {
			w.Element("eb:Property", p.Value, "name", p.Name, "type", p.Type)
		}
	}
	w.End()
}

func typed(w *dom.Writer, name, value, typ string) {
	if typ == "" {
		w.Element(name, value)
	} else {
		w.Element(name, value, "type", typ)
	}
}

// optional appends those name and value pairs whose value is not empty.
func optional(dst []string, pairs ...string) []string {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			dst = append(dst, pairs[i], pairs[i+1])
		}
	}
	return dst
}

// Append writes eb:SignalMessage. The prefix eb must be declared around it.
func (s *Signal) Append(w *dom.Writer) {
	w.Start("eb:SignalMessage")
	appendMessageInfo(w, s.Timestamp, s.MessageID, s.RefToMessageID)
	switch {
	case s.PullRequest != nil:
		var attrs [2]string
		w.Element("eb:PullRequest", "", optional(attrs[:0], "mpc", s.PullRequest.MPC)...)
	case s.Receipt != nil:
		s.Receipt.append(w)
	default:
		for _, e := range s.Errors {
			e.Append(w)
		}
	}
	w.End()
}

// append writes eb:Receipt with exactly one child, which is all that some peers accept: the references if there are
// any, else the copy of the user message [AS4 5.1.8].
func (r *Receipt) append(w *dom.Writer) {
	w.Start("eb:Receipt")
	switch {
	case len(r.References) != 0:
		w.Start("ebbpsig:NonRepudiationInformation", "xmlns:ebbpsig", NSSignals)
		for i := range r.References {
			w.Start("ebbpsig:MessagePartNRInformation")
			r.References[i].append(w)
			w.End()
		}
		w.End()
	case r.UserMessage != nil:
		if b := canonical(r.UserMessage.Node); b != nil {
			w.Raw(b)
		} else {
			r.UserMessage.Append(w)
		}
	}
	w.End()
}

func (r *NRReference) append(w *dom.Writer) {
	raw := r.Raw
	if raw == nil {
		raw = canonical(r.Node)
	}
	if raw != nil {
		w.Raw(raw)
		return
	}
	w.Start("ds:Reference", "xmlns:ds", NSSignature, "URI", r.URI)
	w.Element("ds:DigestMethod", "", "Algorithm", r.DigestMethod)
	w.Start("ds:DigestValue")
	w.Base64(r.Digest)
	w.End()
	w.End()
}

// canonical returns the exclusive canonical form of an element: self-contained, every prefix it uses declared in it.
// nil: there is none, since a namespace URI is relative [C14N10 1.3].
func canonical(n dom.Node) []byte {
	b, err := c14n.Append(nil, c14n.Method{Algorithm: c14n.Exclusive10}, n)
	if err != nil {
		return nil
	}
	return b
}

// NewReceipt returns the receipt signal for a signed user message: references are the ds:Reference elements of its
// verified signature, which are copied as they are [AS4 5.1.8].
func NewReceipt(messageID, refTo string, now time.Time, references []dom.Node) *Signal {
	r := &Receipt{References: make([]NRReference, len(references))}
	for i, n := range references {
		r.References[i] = parseReference(n)
		r.References[i].Raw = canonical(n)
	}
	return &Signal{MessageID: messageID, RefToMessageID: refTo, Timestamp: now, Receipt: r}
}

// NewReceiptCopy returns the receipt signal of reception awareness alone, for messages without signature or legs
// without non-repudiation: a copy of the user message [AS4 5.1.8].
func NewReceiptCopy(messageID string, now time.Time, m *UserMessage) *Signal {
	return &Signal{MessageID: messageID, RefToMessageID: m.MessageID, Timestamp: now, Receipt: &Receipt{UserMessage: m}}
}

// NewErrorSignal returns the signal that reports e, and names the message in error in both places where a peer may
// look for it; refTo may be empty.
func NewErrorSignal(messageID, refTo string, now time.Time, e *Error) *Signal {
	if refTo == "" {
		refTo = e.RefToMessageInError
	}
	x := *e
	x.RefToMessageInError = refTo
	return &Signal{MessageID: messageID, RefToMessageID: refTo, Timestamp: now, Errors: []*Error{&x}}
}

// Append writes eb:Error. What the caller left empty comes from the table of codes. The prefix eb must be declared
// around it.
func (e *Error) Append(w *dom.Writer) {
	or := func(v, table string) string {
		if v == "" {
			return table
		}
		return v
	}
	var attrs [12]string
	w.Start("eb:Error", optional(attrs[:0],
		"category", or(e.Category, e.Code.Category()),
		"errorCode", string(e.Code),
		"origin", or(e.Origin, e.Code.Origin()),
		"refToMessageInError", e.RefToMessageInError,
		"severity", or(string(e.Severity), string(e.Code.Severity())),
		"shortDescription", or(e.ShortDescription, e.Code.Name()))...)
	if s := token(e.Description, maxDetail); s != "" {
		w.Element("eb:Description", s, "xml:lang", or(e.Lang, "en"))
	}
	if s := token(e.Detail, maxDetail); s != "" {
		w.Element("eb:ErrorDetail", s)
	}
	w.End()
}

// EnvelopeIDs are the wsu:Id values that the signature refers to; an empty one is not written.
type EnvelopeIDs struct{ Messaging, Body string }

// Span is a range of octets in what a [dom.Writer] holds.
type Span struct{ From, To int }

// Layout tells where the pieces of a written envelope stand. The octets of Messaging and Body are their own
// exclusive canonical form with an empty prefix list, so they can be digested as they are; Security is the place
// where a finished wsse:Security, which must declare its own namespaces, may be inserted without touching anything
// else.
type Layout struct {
	Security        int
	Messaging, Body Span
}

// Blocks are the parts of an envelope that this package does not write. Each may be nil.
type Blocks struct {
	Security func(*dom.Writer) // wsse:Security, the first header block
	Header   func(*dom.Writer) // header blocks after eb:Messaging: mf:MessageFragment, wsa:To
	Body     func(*dom.Writer) // the content of S12:Body, for example (*Fault).Append
}

// WriteEnvelope writes a SOAP 1.2 envelope with m in its header and an empty Body. security writes wsse:Security
// in front of eb:Messaging; it may be nil.
func WriteEnvelope(w *dom.Writer, m *Messaging, ids EnvelopeIDs, security func(*dom.Writer)) Layout {
	return WriteEnvelopeWith(w, m, ids, Blocks{Security: security})
}

// WriteEnvelopeWith is [WriteEnvelope] with further blocks.
func WriteEnvelopeWith(w *dom.Writer, m *Messaging, ids EnvelopeIDs, b Blocks) Layout {
	var l Layout
	w.Start("S12:Envelope", "xmlns:S12", NSSOAP)
	w.Start("S12:Header")
	l.Security = w.Len()
	if b.Security != nil {
		b.Security(w)
	}
	l.Messaging.From = w.Len()
	m.append(w, ids.Messaging)
	l.Messaging.To = w.Len()
	if b.Header != nil {
		b.Header(w)
	}
	w.End()
	l.Body.From = w.Len()
	if ids.Body == "" {
		w.Start("S12:Body", "xmlns:S12", NSSOAP)
	} else {
		w.Start("S12:Body", "xmlns:S12", NSSOAP, "xmlns:wsu", NSUtility, "wsu:Id", ids.Body)
	}
	if b.Body != nil {
		b.Body(w)
	}
	w.End()
	l.Body.To = w.Len()
	w.End()
	return l
}

// append writes eb:Messaging in canonical form.
func (m *Messaging) append(w *dom.Writer, id string) {
	if !m.redeclares() {
		m.write(w, id)
		return
	}
	inner := dom.NewWriter(nil)
	m.write(inner, id)
	octets := inner.Bytes()
	if doc, err := dom.Parse(bytes.Clone(octets), dom.Limits{}); err == nil {
		if b := canonical(doc.Root()); b != nil {
			octets = b
		}
	} // else a caller put something else than XML into NRReference.Raw, which the other end will refuse
	w.Raw(octets)
}

// redeclares reports whether something copied into a receipt may declare a prefix that eb:Messaging declares
// already: each piece is canonical by itself, and then the whole is not.
func (m *Messaging) redeclares() bool {
	for _, s := range m.Signals {
		switch r := s.Receipt; {
		case r == nil:
		case len(r.References) == 0:
			if r.UserMessage != nil && r.UserMessage.Node.Valid() {
				return true
			}
		default:
			for i := range r.References {
				x := &r.References[i]
				if x.Raw == nil && x.Node.Valid() {
					return true
				}
				for _, prefix := range [...]string{"xmlns:S12=", "xmlns:eb=", "xmlns:wsu=", "xmlns:ebbpsig="} {
					if bytes.Contains(x.Raw, []byte(prefix)) {
						return true
					}
				}
			}
		}
	}
	return false
}

// write writes eb:Messaging: signals before user messages, as the schema wants it [ebMS3 5.2].
func (m *Messaging) write(w *dom.Writer, id string) {
	var buf [12]string
	attrs := append(buf[:0], "xmlns:S12", NSSOAP, "xmlns:eb", NS)
	if id != "" {
		attrs = append(attrs, "xmlns:wsu", NSUtility, "wsu:Id", id)
	}
	attrs = append(attrs, "S12:mustUnderstand", "true")
	if m.Role != "" {
		attrs = append(attrs, "S12:role", m.Role)
	}
	w.Start("eb:Messaging", attrs...)
	for _, s := range m.Signals {
		s.Append(w)
	}
	for _, u := range m.UserMessages {
		u.Append(w)
	}
	w.End()
}

// InsertSecurity returns envelope with security inserted at l.Security: one copy and no second serialisation.
func InsertSecurity(envelope []byte, l Layout, security []byte) []byte {
	out := make([]byte, 0, len(envelope)+len(security))
	out = append(out, envelope[:l.Security]...)
	out = append(out, security...)
	return append(out, envelope[l.Security:]...)
}

// ContentTypeSOAP is the Content-Type of an envelope, alone or as the root part.
const ContentTypeSOAP = "application/soap+xml; charset=UTF-8"

const soapType = "application/soap+xml"
