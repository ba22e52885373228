package backoffice

import (
	"fmt"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Submitted is a header as these back ends write it: much like eb:UserMessage, but in any order, with gaps, and with
// one element more.
type Submitted struct {
	ebms.UserMessage
	Pull bool // ProcessingType is PULL
}

const (
	idMax       = 255
	propertyMax = 1024
	partsMax    = 28 // a peer's signature check takes no more
)

// errHeader refuses a header. It is the gateway that would refuse it: hence its codes.
func errHeader(code ebms.Code, format string, args ...any) error { return code.Newf(format, args...) }

// readUserMessage reads a UserMessage in the namespace ns. How much is demanded is what the other gateway demands.
func readUserMessage(n dom.Node, ns string) (*Submitted, error) {
	if !n.Is(ns, "UserMessage") {
		return nil, errHeader(ebms.InvalidHeader, "no UserMessage")
	}
	m := &Submitted{}
	m.MPC = n.Attr("mpc")
	info := n.Child(ns, "MessageInfo")
	var err error
	if m.MessageID, err = short(info, ns, "MessageId"); err != nil {
		return nil, err
	}
	if m.RefToMessageID, err = short(info, ns, "RefToMessageId"); err != nil {
		return nil, err
	}
	parties := n.Child(ns, "PartyInfo")
	if m.From, err = readParty(parties.Child(ns, "From"), ns); err != nil {
		return nil, err
	}
	if len(m.From.IDs) == 0 {
		return nil, errHeader(ebms.ValueInconsistent, "PartyInfo has no From with a PartyId")
	}
	if m.To, err = readParty(parties.Child(ns, "To"), ns); err != nil {
		return nil, err
	}
	c := n.Child(ns, "CollaborationInfo")
	if a := c.Child(ns, "AgreementRef"); a.Valid() && a.TrimmedText() != "" {
		m.Agreement = &ebms.Agreement{Value: a.TrimmedText(), Type: a.Attr("type"), PMode: a.Attr("pmode")}
		if err := bound("AgreementRef", m.Agreement.Value, idMax); err != nil {
			return nil, err
		}
	}
	s := c.Child(ns, "Service")
	if m.Service = (ebms.Service{Value: s.TrimmedText(), Type: s.Attr("type")}); m.Service.Value == "" {
		return nil, errHeader(ebms.ValueInconsistent, "CollaborationInfo has no Service")
	}
	if err := bound("Service", m.Service.Value, idMax); err != nil {
		return nil, err
	}
	if m.Action, err = short(c, ns, "Action"); err != nil {
		return nil, err
	}
	if m.Action == "" {
		return nil, errHeader(ebms.ValueInconsistent, "CollaborationInfo has no Action")
	}
	if m.ConversationID, err = short(c, ns, "ConversationId"); err != nil {
		return nil, err
	}
	if m.Properties, err = readProperties(n.Child(ns, "MessageProperties"), ns); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for p := range n.Child(ns, "PayloadInfo").Elements() {
		if !p.Is(ns, "PartInfo") {
			continue
		}
		part, err := readPart(p, ns)
		if err != nil {
			return nil, err
		}
		key := strings.ToLower(part.Href)
		if seen[key] {
			return nil, errHeader(ebms.ValueInconsistent, "two PartInfo with href %.300q", part.Href)
		}
		seen[key] = true
		if m.Parts = append(m.Parts, part); len(m.Parts) > partsMax {
			return nil, errHeader(ebms.ValueInconsistent, "more than %d payloads", partsMax)
		}
	}
	switch t := n.Child(ns, "ProcessingType").TrimmedText(); t {
	case "", "PUSH":
	case "PULL":
		m.Pull = true
	default:
		return nil, errHeader(ebms.ValueInconsistent, "ProcessingType is PUSH or PULL, not %.80q", t)
	}
	return m, nil
}

// short reads an optional value of at most 255 characters, printable where it is an id.
func short(n dom.Node, ns, name string) (string, error) {
	if !n.Valid() {
		return "", nil
	}
	v := n.Child(ns, name).TrimmedText()
	if err := bound(name, v, idMax); err != nil {
		return "", err
	}
	if strings.HasSuffix(name, "MessageId") {
		for i := range len(v) {
			if v[i] < 0x20 || v[i] > 0x7e {
				return "", errHeader(ebms.InvalidHeader, "%s is not printable ASCII", name)
			}
		}
	}
	return v, nil
}

func bound(name, v string, most int) error {
	if len([]rune(v)) > most {
		return errHeader(ebms.ValueInconsistent, "%s is longer than %d characters", name, most)
	}
	return nil
}

func readParty(n dom.Node, ns string) (p ebms.Party, err error) {
	if !n.Valid() {
		return p, nil
	}
	for id := range n.Elements() {
		if !id.Is(ns, "PartyId") {
			continue
		}
		v := ebms.PartyID{Value: id.TrimmedText(), Type: id.Attr("type")}
		if v.Value == "" {
			return p, errHeader(ebms.ValueInconsistent, "an empty PartyId")
		}
		if err := bound("PartyId", v.Value, idMax); err != nil {
			return p, err
		}
		p.IDs = append(p.IDs, v)
	}
	if len(p.IDs) > 1 {
		return p, errHeader(ebms.ValueInconsistent, "more than one PartyId")
	}
	p.Role, err = short(n, ns, "Role")
	if err == nil && len(p.IDs) == 1 && p.Role == "" {
		err = errHeader(ebms.ValueInconsistent, "a party without Role")
	}
	return p, err
}

func readProperties(n dom.Node, ns string) (list []ebms.Property, err error) {
	if !n.Valid() {
		return nil, nil
	}
	for e := range n.Elements() {
		if !e.Is(ns, "Property") {
			continue
		}
		p := ebms.Property{Name: strings.TrimSpace(e.Attr("name")), Value: e.TrimmedText(), Type: e.Attr("type")}
		if p.Name == "" || p.Value == "" {
			return nil, errHeader(ebms.ValueInconsistent, "a property without name or value")
		}
		if err := bound("property "+p.Name, p.Value, propertyMax); err != nil {
			return nil, err
		}
		if list = append(list, p); len(list) > 200 {
			return nil, errHeader(ebms.ValueInconsistent, "more than 200 properties")
		}
	}
	return list, nil
}

func readPart(n dom.Node, ns string) (part ebms.PartInfo, err error) {
	part.Href = strings.TrimSpace(n.Attr("href"))
	if err := bound("href", part.Href, idMax); err != nil {
		return part, err
	}
	props := n.Child(ns, "PartProperties")
	if part.Properties, err = readProperties(props, ns); err != nil {
		return part, err
	}
	if props.Valid() && len(part.Properties) == 0 {
		return part, newFault(codePayloads, fmt.Sprintf("PartProperties of %q are empty", part.Href))
	}
	for _, p := range part.Properties {
		switch strings.ToLower(p.Name) {
		case "filepath":
			// It would make the gateway read any address in the caller's stead.
			return part, newFault(codePayloads, "the part property FilePath is refused: send the payload itself")
		case "compressiontype":
			return part, errHeader(ebms.ValueInconsistent, "the part property CompressionType is set by the gateway, not by the back office")
		}
	}
	return part, nil
}

// writeUserMessage writes a header as these back ends read it, in the namespace bound to prefix, in none without one. at is the time of the call.
func writeUserMessage(x *dom.Writer, prefix string, um *ebms.UserMessage, at time.Time) {
	el := func(name string) string {
		if prefix == "" {
			return name
		}
		return prefix + ":" + name
	}
	typed := func(t string) []string {
		if t == "" {
			return nil
		}
		return []string{"type", t}
	}
	x.Start(el("UserMessage"), "mpc", um.Channel())
	x.Start(el("MessageInfo"))
	x.Element(el("Timestamp"), at.Local().Format("2006-01-02T15:04:05.000"))
	x.Element(el("MessageId"), um.MessageID)
	if um.RefToMessageID != "" {
		x.Element(el("RefToMessageId"), um.RefToMessageID)
	}
	x.End()
	x.Start(el("PartyInfo"))
	for _, p := range []struct {
		name  string
		party ebms.Party
	}{{"From", um.From}, {"To", um.To}} {
		x.Start(el(p.name))
		for _, id := range p.party.IDs {
			x.Element(el("PartyId"), id.Value, typed(id.Type)...)
		}
		x.Element(el("Role"), p.party.Role)
		x.End()
	}
	x.End()
	x.Start(el("CollaborationInfo"))
	if um.Agreement != nil {
		x.Element(el("AgreementRef"), um.Agreement.Value, typed(um.Agreement.Type)...)
	}
	x.Element(el("Service"), um.Service.Value, typed(um.Service.Type)...)
	x.Element(el("Action"), um.Action)
	x.Element(el("ConversationId"), um.ConversationID)
	x.End()
	writeProperties(x, el("MessageProperties"), el("Property"), um.Properties)
	if len(um.Parts) > 0 {
		x.Start(el("PayloadInfo"))
		for i := range um.Parts {
			p := &um.Parts[i]
			if p.Href == "" {
				x.Start(el("PartInfo"))
			} else {
				x.Start(el("PartInfo"), "href", p.Href)
			}
			writeProperties(x, el("PartProperties"), el("Property"), p.Properties)
			x.End()
		}
		x.End()
	}
	x.End()
}

func writeProperties(x *dom.Writer, list, one string, props []ebms.Property) {
	begun := false
	for _, p := range props {
		if strings.EqualFold(p.Name, ebms.PropertyCompressionType) {
			continue // the payload is expanded: its reader must not see this [AS4 3.1]
		}
		if !begun {
			x.Start(list)
			begun = true
		}
		if p.Type == "" {
			x.Element(one, p.Value, "name", p.Name)
		} else {
			x.Element(one, p.Value, "name", p.Name, "type", p.Type)
		}
	}
	if begun {
		x.End()
	}
}
