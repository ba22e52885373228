package ebms

import (
	"errors"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// EnvelopeLimits returns the limits of an envelope where the caller gives none. A message of a thousand encrypted
// attachments has some 25,000 attributes and namespace declarations.
func EnvelopeLimits() dom.Limits {
	return dom.Limits{Bytes: 4 << 20, Depth: 64, Nodes: 500_000, Attributes: 40_000}
}

// Envelope is a SOAP 1.2 envelope with the header blocks that AS4 knows. Nodes that are not there are zero.
type Envelope struct {
	Doc          *dom.Document
	Header, Body dom.Node
	Messaging    dom.Node   // eb:Messaging; zero only where Fault is set
	Security     dom.Node   // the one wsse:Security for the ultimate receiver
	Others       []dom.Node // wsse:Security for other roles, for example "ebms" [AS4 5.1.6]
	Fragment     dom.Node   // mf:MessageFragment [ebMS3-2 4]
	RoutingInput dom.Node   // ebint:RoutingInput of a multi-hop signal [AS4 4]
	Fault        *Fault     // the S12:Fault in Body
}

// BodyEmpty reports whether the Body has no element.
func (e *Envelope) BodyEmpty() bool { return !e.Body.FirstElement().Valid() }

// ParseEnvelope reads an envelope and takes b. A zero field of lim takes that of [EnvelopeLimits].
//
// The error is a [*Fault] where SOAP was violated (version, structure, header blocks that must be understood and are
// not), else an [*Error]: InvalidHeader for what is no XML or has no eb:Messaging, ValueInconsistent for two of
// them, PolicyNoncompliance for two wsse:Security for the ultimate receiver.
func ParseEnvelope(b []byte, lim dom.Limits) (*Envelope, error) {
	doc, err := dom.Parse(b, envelopeLimits(lim))
	if err != nil {
		return nil, InvalidHeader.Wrap(err, token(err.Error(), maxDetail))
	}
	root := doc.Root()
	if !root.Is(NSSOAP, "Envelope") {
		return nil, newFault(VersionMismatch, root, "the document is no SOAP 1.2 envelope")
	}
	e := &Envelope{Doc: doc}
	if err := e.structure(root); err != nil {
		return nil, err
	}
	if f := e.Body.FirstElement(); f.Is(NSSOAP, "Fault") {
		e.Fault = parseFault(f)
	}
	if e.Header.Valid() {
		if err := e.header(); err != nil {
			return nil, err
		}
	}
	if !e.Messaging.Valid() && e.Fault == nil {
		return nil, fail(root, InvalidHeader, "no eb:Messaging in the header [ebMS3 5.1.1]")
	}
	return e, nil
}

func envelopeLimits(l dom.Limits) dom.Limits {
	d := EnvelopeLimits()
	for _, f := range [...]struct {
		to  *int
		def int
	}{{&l.Bytes, d.Bytes}, {&l.Depth, d.Depth}, {&l.Nodes, d.Nodes}, {&l.Attributes, d.Attributes}} {
		if *f.to == 0 {
			*f.to = f.def
		}
	}
	return l
}

// structure finds Header and Body: at most one Header, then exactly one Body, and nothing else [SOAP12 5.1].
func (e *Envelope) structure(root dom.Node) error {
	for n := range root.Children() {
		switch n.Kind() {
		case dom.TextNode:
			if !isSpace(n.Value()) {
				return newFault(Sender, root, "text in the envelope")
			}
		case dom.ElementNode:
			switch {
			case n.Is(NSSOAP, "Header") && !e.Header.Valid() && !e.Body.Valid():
				e.Header = n
			case n.Is(NSSOAP, "Body") && !e.Body.Valid():
				e.Body = n
			default:
				return newFault(Sender, n, "the envelope is one Header and one Body [SOAP12 5.1]")
			}
		}
	}
	if !e.Body.Valid() {
		return newFault(Sender, root, "the envelope has no Body [SOAP12 5.1]")
	}
	return nil
}

// header sorts the header blocks and refuses those for us that must be understood and are not [SOAP12 2.4].
func (e *Envelope) header() error {
	var unknown []dom.Node
	for n := range e.Header.Children() {
		switch n.Kind() {
		case dom.TextNode:
			if !isSpace(n.Value()) {
				return newFault(Sender, e.Header, "text in the header")
			}
			continue
		case dom.ElementNode:
		default:
			continue
		}
		role := roleOf(n)
		known, err := e.block(n, role)
		if err != nil {
			return err
		}
		if v, _ := n.AttrNS(NSSOAP, "mustUnderstand"); !known && role.ours() && isTrue(v) && len(unknown) < maxNamed {
			unknown = append(unknown, n)
		}
	}
	if unknown != nil {
		f := newFault(MustUnderstand, unknown[0], "a header block that must be understood is unknown")
		for _, n := range unknown {
			f.NotUnderstood = append(f.NotUnderstood, QName{Space: n.Space(), Local: n.Local()})
		}
		return f
	}
	return nil
}

// block takes in one header block; known says that we act on it.
func (e *Envelope) block(n dom.Node, r role) (known bool, err error) {
	once := func(slot *dom.Node, code Code) error {
		if slot.Valid() {
			return fail(n, code, "a second such header block")
		}
		*slot = n
		return nil
	}
	switch {
	case n.Is(NS, "Messaging"):
		if !r.ours() {
			return false, nil
		}
		return true, once(&e.Messaging, ValueInconsistent)
	case n.Is(NSSecurity, "Security"):
		if r != roleUltimate {
			e.Others = append(e.Others, n)
			return true, nil
		}
		return true, once(&e.Security, PolicyNoncompliance)
	case n.Is(NSFragment, "MessageFragment"):
		return true, once(&e.Fragment, BadFragmentStructure)
	case n.Is(NSMultiHop, "RoutingInput"), n.Is(nsMultiHopOther, "RoutingInput"):
		return true, once(&e.RoutingInput, ValueInconsistent)
	case n.Is(NSAddress, "To"), n.Is(NSAddress, "Action"): // they route through an I-Cloud, whose end we are
		return true, nil
	}
	return false, nil
}

// maxNamed is how many unknown header blocks a fault names.
const maxNamed = 16

// role is the S12:role of a header block as it concerns us [SOAP12 2.2].
type role uint8

const (
	roleOther role = iota
	roleUltimate
	roleNext // next, or the next MSH of a multi-hop path
)

func (r role) ours() bool { return r != roleOther }

func roleOf(n dom.Node) role {
	v, _ := n.AttrNS(NSSOAP, "role")
	switch trimXML(v) {
	case "", NSSOAP + "/role/ultimateReceiver":
		return roleUltimate
	case NSSOAP + "/role/next", RoleNextMSH:
		return roleNext
	}
	return roleOther
}

// IsFault reports whether err is or wraps a [*Fault] and returns it.
func IsFault(err error) (*Fault, bool) {
	var f *Fault
	return f, errors.As(err, &f)
}
