package ebms

import (
	"strings"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Limits of what one header may hold. They are far above anything seen and keep a hostile header cheap.
const (
	MaxValue      = 1024 // characters of any value
	MaxParts      = 1000 // eb:PartInfo
	MaxProperties = 1000 // eb:Property in one list
	maxPartyIDs   = 16
	maxUnits      = 64
	maxErrors     = 64
	maxReferences = 1100 // ds:Reference in one receipt: every part, Messaging, Body and some headers
	maxErrorText  = 4096 // octets kept of what a peer explains
	maxDetail     = 255  // characters of eb:ErrorDetail that every peer takes
)

// ParseMessaging reads eb:Messaging by the order and cardinality of the schema and by the rules of the
// specifications that a schema cannot say; n is the eb:Messaging element. The error is an [*Error] with the code
// for the peer: InvalidHeader where the schema is violated, ValueInconsistent where values contradict each other
// or go over a limit, ExternalPayloadError for payloads outside the message. Its cause has line, column and path, and
// RefToMessageInError names the message as far as that can be read.
func ParseMessaging(n dom.Node, q Quirks) (*Messaging, error) {
	p := parser{quirks: q}
	m, err := p.messaging(n)
	if err != nil {
		if err.RefToMessageInError == "" {
			err.RefToMessageInError = firstMessageID(n)
		}
		return nil, err
	}
	m.Deviations = p.seen
	return m, nil
}

// ParseUserMessage reads one eb:UserMessage element by the rules of [ParseMessaging].
func ParseUserMessage(n dom.Node, q Quirks) (*UserMessage, error) {
	if !n.Is(NS, "UserMessage") {
		return nil, fail(n, InvalidHeader, "eb:UserMessage expected")
	}
	p := parser{quirks: q}
	m, err := p.userMessage(n)
	if err != nil {
		return nil, err
	}
	return m, nil
}

type parser struct {
	quirks Quirks
	seen   Quirks
}

// fail makes the error for a violation at n. The peer is told the same as the log, cut to what fits.
func fail(n dom.Node, code Code, format string, args ...any) *Error {
	err := n.Errorf(format, args...)
	return code.Wrap(err, token(err.Error(), maxDetail))
}

func firstMessageID(messaging dom.Node) string {
	for _, name := range [...]string{"UserMessage", "SignalMessage"} {
		id := messaging.Child(NS, name).Child(NS, "MessageInfo").Child(NS, "MessageId")
		if id.Valid() {
			if s := id.TrimmedText(); printable(s) {
				return s
			}
		}
	}
	return ""
}

func (p *parser) messaging(n dom.Node) (*Messaging, *Error) {
	if !n.Is(NS, "Messaging") {
		return nil, fail(n, InvalidHeader, "eb:Messaging expected")
	}
	m := &Messaging{Node: n, ID: messagingID(n)}
	m.Role, _ = n.AttrNS(NSSOAP, "role")
	if v, _ := n.AttrNS(NSSOAP, "mustUnderstand"); !isTrue(v) {
		if !p.quirks.NoMustUnderstand {
			return nil, fail(n, InvalidHeader, "mustUnderstand is not true [ebMS3 5.2.1]")
		}
		p.seen.NoMustUnderstand = true
	}
	tail := false // a user message or a foreign element was there: no signal may follow
	s := p.children(n)
	for {
		e, err := s.take()
		if err != nil {
			return nil, err
		}
		if !e.Valid() {
			break
		}
		if len(m.Order) == maxUnits {
			return nil, fail(e, ValueInconsistent, "more than %d message units", maxUnits)
		}
		switch {
		case e.Is(NS, "SignalMessage"):
			if tail && !p.quirks.AnyUnitOrder {
				return nil, fail(e, InvalidHeader, "signals stand before user messages [ebMS3 5.2]")
			}
			p.seen.AnyUnitOrder = p.seen.AnyUnitOrder || tail
			sig, err := p.signal(e)
			if err != nil {
				return nil, err
			}
			m.Signals = append(m.Signals, sig)
			m.Order = append(m.Order, Unit{Signal: sig})
		case e.Is(NS, "UserMessage"):
			if len(m.UserMessages) != 0 {
				return nil, fail(e, ValueInconsistent, "a second user message [ebMS3 5.2.4]")
			}
			um, err := p.userMessage(e)
			if err != nil {
				return nil, err
			}
			m.UserMessages = append(m.UserMessages, um)
			m.Order = append(m.Order, Unit{User: um})
			tail = true
		case e.Space() == NS:
			return nil, fail(e, InvalidHeader, "%s is not a message unit [ebMS3 5.2]", e.Local())
		default: // the schema ends with any foreign elements, which say nothing to us
			tail = true
		}
	}
	if len(m.Order) == 0 {
		return nil, fail(n, ValueInconsistent, "no message unit [ebMS3 5.2]")
	}
	if err := p.kinds(m); err != nil {
		return nil, err
	}
	return m, nil
}

// kinds checks that no two signals are of one kind [ebMS3 5.2.4].
func (p *parser) kinds(m *Messaging) *Error {
	var receipts, errors, pulls int
	for _, s := range m.Signals {
		switch {
		case s.Receipt != nil:
			receipts++
		case s.PullRequest != nil:
			pulls++
		default:
			errors++
		}
		if receipts > 1 || errors > 1 || pulls > 1 {
			if !p.quirks.RepeatedSignalKind {
				return fail(s.Node, ValueInconsistent, "a second signal of the same kind [ebMS3 5.2.4]")
			}
			p.seen.RepeatedSignalKind = true
		}
	}
	return nil
}

// messagingID prefers wsu:Id, which is what the security headers of all peers refer to.
func messagingID(n dom.Node) string {
	if v, ok := n.AttrNS(NSUtility, "Id"); ok {
		return v
	}
	for _, name := range [...]string{"id", "Id", "ID"} {
		if v := n.Attr(name); v != "" {
			return v
		}
	}
	v, _ := n.AttrNS(nsXML, "id")
	return v
}

func isTrue(s string) bool {
	s = trimXML(s)
	return s == "true" || s == "1"
}

// value reads a text that must not be empty.
func (p *parser) value(n dom.Node) (string, *Error) {
	v, err := p.text(n)
	if err == nil && v == "" {
		err = fail(n, InvalidHeader, "empty")
	}
	return v, err
}

// text reads simple content, trimmed of white space.
func (p *parser) text(n dom.Node) (string, *Error) {
	if e := n.FirstElement(); e.Valid() {
		return "", fail(e, InvalidHeader, "element inside of a value")
	}
	v := n.TrimmedText()
	return v, tooLong(n, v)
}

// attr reads an attribute without namespace, trimmed; absent is empty.
func (p *parser) attr(n dom.Node, name string) (string, *Error) {
	v := trimXML(n.Attr(name))
	return v, tooLong(n, v)
}

func tooLong(n dom.Node, v string) *Error {
	if len(v) > MaxValue && utf8.RuneCountInString(v) > MaxValue {
		return fail(n, ValueInconsistent, "a value of more than %d characters", MaxValue)
	}
	return nil
}

func trimXML(s string) string { return strings.Trim(s, " \t\r\n") }
