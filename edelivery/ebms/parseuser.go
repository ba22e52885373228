package ebms

import (
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func (p *parser) userMessage(n dom.Node) (*UserMessage, *Error) {
	m := &UserMessage{Node: n}
	var err *Error
	if m.MPC, err = p.attr(n, "mpc"); err != nil {
		return nil, err
	}
	s := p.children(n)
	e, err := s.one("MessageInfo")
	if err != nil {
		return nil, err
	}
	if m.Timestamp, m.MessageID, m.RefToMessageID, err = p.messageInfo(e); err != nil {
		return nil, err
	}
	if err = p.body(m, &s); err != nil {
		if err.RefToMessageInError == "" {
			err.RefToMessageInError = m.MessageID
		}
		return nil, err
	}
	return m, nil
}

// body reads what follows eb:MessageInfo.
func (p *parser) body(m *UserMessage, s *sequence) *Error {
	e, err := s.one("PartyInfo")
	if err != nil {
		return err
	}
	parties := p.children(e)
	if m.From, err = p.party(&parties, "From"); err != nil {
		return err
	}
	if m.To, err = p.party(&parties, "To"); err != nil {
		return err
	}
	if err = parties.end(); err != nil {
		return err
	}
	if e, err = s.one("CollaborationInfo"); err != nil {
		return err
	}
	if err = p.collaboration(m, e); err != nil {
		return err
	}
	if e, err = s.optional("MessageProperties"); err != nil {
		return err
	}
	if e.Valid() {
		if m.Properties, err = p.properties(e); err != nil {
			return err
		}
	}
	if e, err = s.optional("PayloadInfo"); err != nil {
		return err
	}
	if e.Valid() {
		if m.Parts, err = p.payload(e); err != nil {
			return err
		}
	}
	return s.rest()
}

func (p *parser) messageInfo(n dom.Node) (t time.Time, id, ref string, err *Error) {
	s := p.children(n)
	e, err := s.one("Timestamp")
	if err != nil {
		return t, "", "", err
	}
	if t, err = p.timestamp(e); err != nil {
		return t, "", "", err
	}
	if e, err = s.one("MessageId"); err != nil {
		return t, "", "", err
	}
	if id, err = p.messageID(e); err != nil {
		return t, "", "", err
	}
	if e, err = s.optional("RefToMessageId"); err != nil {
		return t, "", "", err
	}
	if e.Valid() {
		if ref, err = p.messageID(e); err != nil {
			return t, "", "", err
		}
	}
	return t, id, ref, s.end()
}

func (p *parser) timestamp(n dom.Node) (time.Time, *Error) {
	v, err := p.value(n)
	if err != nil {
		return time.Time{}, err
	}
	t, z, terr := parseTimestamp(v)
	switch {
	case terr != nil:
		return t, fail(n, InvalidHeader, "%q is no xs:dateTime [ebMS3 5.2.2.1]", v)
	case z == zoneNone && !p.quirks.NoTimeZone:
		return t, fail(n, InvalidHeader, "%q has no time zone", v)
	case z == zoneOffset && !p.quirks.TimeOffset:
		return t, fail(n, InvalidHeader, "%q is not UTC [ebMS3 5.2.2.1]", v)
	}
	p.seen.NoTimeZone = p.seen.NoTimeZone || z == zoneNone
	p.seen.TimeOffset = p.seen.TimeOffset || z == zoneOffset
	return t, nil
}

func (p *parser) messageID(n dom.Node) (string, *Error) {
	v, err := p.value(n)
	switch {
	case err != nil:
		return "", err
	case ValidMessageID(v):
		return v, nil
	case !printable(v):
		return "", fail(n, InvalidHeader, "%q is not printable ASCII of at most %d characters [ebMS3 5.2.2.1]", v, MaxID)
	case !p.quirks.PlainMessageID:
		return "", fail(n, InvalidHeader, "%q is no RFC 2822 msg-id [ebMS3 5.2.2.1]", v)
	}
	p.seen.PlainMessageID = true
	return v, nil
}

func (p *parser) party(parent *sequence, name string) (Party, *Error) {
	var party Party
	n, err := parent.one(name)
	if err != nil {
		return party, err
	}
	s := p.children(n)
	for {
		var e dom.Node
		if len(party.IDs) == 0 {
			e, err = s.one("PartyId")
		} else {
			e, err = s.optional("PartyId")
		}
		if err != nil {
			return party, err
		}
		if !e.Valid() {
			break
		}
		if len(party.IDs) != 0 {
			if !p.quirks.SeveralPartyIDs {
				return party, fail(e, ValueInconsistent, "more than one PartyId")
			}
			if len(party.IDs) == maxPartyIDs {
				return party, fail(e, ValueInconsistent, "more than %d PartyId", maxPartyIDs)
			}
			p.seen.SeveralPartyIDs = true
		}
		id, err := p.partyID(e)
		if err != nil {
			return party, err
		}
		party.IDs = append(party.IDs, id)
	}
	e, err := s.one("Role")
	if err != nil {
		return party, err
	}
	if party.Role, err = p.value(e); err != nil {
		return party, err
	}
	return party, s.end()
}

func (p *parser) partyID(n dom.Node) (id PartyID, err *Error) {
	if id.Value, id.Type, err = p.typed(n); err != nil {
		return id, err
	}
	if id.Type == "" && !isURI(id.Value) {
		if !p.quirks.PlainPartyID {
			return id, fail(n, ValueInconsistent, "%q has no type and is no URI [ebMS3 5.2.2.4]", id.Value)
		}
		p.seen.PlainPartyID = true
	}
	return id, nil
}

func (p *parser) collaboration(m *UserMessage, n dom.Node) *Error {
	s := p.children(n)
	e, err := s.optional("AgreementRef")
	if err != nil {
		return err
	}
	if e.Valid() {
		if m.Agreement, err = p.agreement(e); err != nil {
			return err
		}
	}
	if e, err = s.one("Service"); err != nil {
		return err
	}
	if m.Service.Value, m.Service.Type, err = p.typed(e); err != nil {
		return err
	}
	if m.Service.Type == "" && !isURI(m.Service.Value) {
		if !p.quirks.PlainService {
			return fail(e, ValueInconsistent, "%q has no type and is no URI [ebMS3 5.2.2.8]", m.Service.Value)
		}
		p.seen.PlainService = true
	}
	if e, err = s.one("Action"); err != nil {
		return err
	}
	if m.Action, err = p.value(e); err != nil {
		return err
	}
	if e, err = s.one("ConversationId"); err != nil {
		return err
	}
	if m.ConversationID, err = p.text(e); err != nil {
		return err
	}
	return s.end()
}

func (p *parser) agreement(n dom.Node) (*Agreement, *Error) {
	value, typ, err := p.typed(n)
	if err != nil {
		return nil, err
	}
	if typ == "" && !isURI(value) {
		return nil, fail(n, ValueInconsistent, "%q has no type and is no URI [ebMS3 5.2.2.7]", value)
	}
	pmode, err := p.attr(n, "pmode")
	return &Agreement{Value: value, Type: typ, PMode: pmode}, err
}

// typed reads a non-empty value with its @type.
func (p *parser) typed(n dom.Node) (value, typ string, err *Error) {
	if value, err = p.value(n); err != nil {
		return "", "", err
	}
	typ, err = p.attr(n, "type")
	return value, typ, err
}

func (p *parser) properties(n dom.Node) ([]Property, *Error) {
	s := p.children(n)
	var list []Property
	for {
		e, err := s.optional("Property")
		if err != nil {
			return nil, err
		}
		if !e.Valid() {
			break
		}
		if len(list) == MaxProperties {
			return nil, fail(e, ValueInconsistent, "more than %d properties", MaxProperties)
		}
		name, err := p.attr(e, "name")
		if err != nil {
			return nil, err
		}
		if name == "" {
			return nil, fail(e, InvalidHeader, "property without name [ebMS3 5.2.2.11]")
		}
		value, typ, err := p.typed(e)
		if err != nil {
			return nil, err
		}
		if list == nil {
			list = make([]Property, 0, 4)
		}
		list = append(list, Property{Name: name, Value: value, Type: typ})
	}
	if len(list) == 0 {
		if !p.quirks.EmptyLists {
			return nil, fail(n, InvalidHeader, "no Property in it")
		}
		p.seen.EmptyLists = true
	}
	return list, s.end()
}

func (p *parser) payload(n dom.Node) ([]PartInfo, *Error) {
	s := p.children(n)
	var parts []PartInfo
	inBody := false
	for {
		e, err := s.optional("PartInfo")
		if err != nil {
			return nil, err
		}
		if !e.Valid() {
			break
		}
		if len(parts) == MaxParts {
			return nil, fail(e, ValueInconsistent, "more than %d parts", MaxParts)
		}
		part, err := p.part(e)
		if err != nil {
			return nil, err
		}
		if part.InBody() {
			if inBody {
				return nil, fail(e, ValueInconsistent, "a second part in the SOAP Body")
			}
			inBody = true
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		if !p.quirks.EmptyLists {
			return nil, fail(n, InvalidHeader, "no PartInfo in it")
		}
		p.seen.EmptyLists = true
	}
	return parts, s.end()
}

func (p *parser) part(n dom.Node) (part PartInfo, err *Error) {
	part.Node = n
	if part.Href, err = p.attr(n, "href"); err != nil {
		return part, err
	}
	if _, attached := ContentIDFromURL(part.Href); !attached && !part.InBody() {
		if !p.quirks.ExternalPayload {
			return part, fail(n, ExternalPayloadError, "%q is not in the message [EU-AS4 1.4.2.3]", part.Href)
		}
		p.seen.ExternalPayload = true
	}
	s := p.children(n)
	e, err := s.optional("Schema")
	if err != nil {
		return part, err
	}
	if e.Valid() {
		if part.Schema, err = p.schema(e); err != nil {
			return part, err
		}
	} else if s.next.Valid() && s.next.Is(NS, "Schemas") && p.quirks.SchemasElement {
		p.seen.SchemasElement = true
		if _, err = s.take(); err != nil {
			return part, err
		}
	}
	if e, err = s.optional("Description"); err != nil {
		return part, err
	}
	if e.Valid() {
		if part.Description, err = p.text(e); err != nil {
			return part, err
		}
		part.Lang, _ = e.AttrNS(nsXML, "lang")
	}
	if e, err = s.optional("PartProperties"); err != nil {
		return part, err
	}
	if e.Valid() {
		if part.Properties, err = p.properties(e); err != nil {
			return part, err
		}
	}
	return part, s.end()
}

func (p *parser) schema(n dom.Node) (*Schema, *Error) {
	var c Schema
	var err *Error
	for _, a := range [...]struct {
		name string
		to   *string
	}{{"location", &c.Location}, {"namespace", &c.Namespace}, {"version", &c.Version}} {
		if *a.to, err = p.attr(n, a.name); err != nil {
			return nil, err
		}
	}
	if c.Location == "" {
		return nil, fail(n, InvalidHeader, "Schema without location [ebMS3 5.2.2.12]")
	}
	return &c, nil
}
