package pmode

import (
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
)

// maxModes bounds what a file may come to: parties times legs times processes.
const maxModes = 100_000

// resolve takes the view of the party whose file it is: one mode for each leg and partner.
func (d *Domibus) resolve(opt Options, r *reader) (*Set, error) {
	x := d.index()
	d.check(r, x)
	securities := make([]Security, len(d.Securities))
	for i := range d.Securities {
		securities[i] = d.security(r, &d.Securities[i], opt.Policy)
	}
	if r.refused {
		refusals, _ := r.problems.split()
		return nil, refusals
	}
	s := &Set{Format: "domibus", Channels: d.MPCs}
	parties := make([]Party, len(d.Parties))
	for i := range d.Parties {
		parties[i] = d.party(x, &d.Parties[i])
	}
	own, _ := x.parties.find(d.Party)
	s.Own = parties[own]
	met := make([]bool, len(parties))
	for i := range d.Processes {
		p := &d.Processes[i]
		sides := d.sides(x, p, own)
		for _, leg := range p.Legs {
			l, _ := x.legs.find(leg)
			mode := d.mode(x, p, &d.Legs[l], securities)
			for _, side := range sides {
				if len(s.Modes) == maxModes {
					return nil, Problems{{File: opt.File, Line: p.line, Where: "process " + shown(p.Name), Rule: RuleSize, Text: fmt.Sprintf("parties and legs come to more than %d P-Modes", maxModes)}}
				}
				m := mode
				m.Direction, m.ID = side.direction, p.Name+"/"+d.Legs[l].Name
				if side.party >= 0 {
					m.Partner, m.ID = parties[side.party].Name, m.ID+"/"+parties[side.party].Name
					met[side.party] = true
					m.reach(parties[side.party].URL)
				} else if m.Pull() {
					m.unusable("messages are pulled, which does not go with discovery [EU-AS4 1.5.5]")
				}
				s.Modes = append(s.Modes, &m)
			}
		}
	}
	for i, p := range parties {
		if !met[i] {
			continue
		}
		s.Partners = append(s.Partners, p)
		if len(p.IDs) > 1 {
			r.warnAt(d.Parties[i].place, RuleLost, "party "+shown(p.Name), "only the first of %d identifiers is used", len(p.IDs))
		}
	}
	if len(s.Modes) == 0 {
		r.at(place{1}, RuleOwn, "configuration", "%q exchanges nothing by this file", d.Party)
		refusals, _ := r.problems.split()
		return nil, refusals
	}
	_, s.Warnings = r.problems.split()
	return s, nil
}

func (d *Domibus) party(x *names, p *DomibusParty) Party {
	out := Party{Name: p.Name, line: p.line}
	if strings.HasPrefix(p.Endpoint, "http://") || strings.HasPrefix(p.Endpoint, "https://") {
		out.URL = p.Endpoint
	}
	for _, id := range p.Identifiers {
		pid := ebms.PartyID{Value: id.ID}
		if i, _ := x.partyIDTypes.find(id.Type); id.Type != "" && i >= 0 {
			pid.Type = d.PartyIDTypes[i].Value
		} else {
			pid.Type = id.Type // empty, or the value itself
		}
		out.IDs = append(out.IDs, pid)
	}
	return out
}

// side is a partner of the own party in a process; party is -1 when discovery finds it.
type side struct {
	party     int
	direction Direction
}

// sides lists the partners in the order of the parties. With itself a party exchanges only where it has no partner.
func (d *Domibus) sides(x *names, p *DomibusProcess, own int) []side {
	directions := map[int]Direction{}
	take := func(from, to []string, dir Direction) { // own stands in from, partners in to
		if !x.has(from, own) {
			return
		}
		if to == nil {
			directions[-1] |= dir
			return
		}
		for _, name := range to {
			i, _ := x.parties.find(name)
			directions[i] |= dir
		}
	}
	mep, binding := d.exchange(x, p)
	senders, receivers := p.Initiators, p.Responders
	if binding == ebms.BindingPull { // the initiator pulls
		senders, receivers = p.Responders, p.Initiators
	}
	take(senders, receivers, Send)
	take(receivers, senders, Receive)
	if mep == ebms.MEPTwoWay {
		take(receivers, senders, Send)
		take(senders, receivers, Receive)
	}
	if len(directions) > 1 {
		delete(directions, own)
	}
	var out []side
	for i := -1; i < len(d.Parties); i++ {
		if dir := directions[i]; dir != 0 {
			out = append(out, side{i, dir})
		}
	}
	return out
}

func (x *names) has(list []string, party int) bool {
	for _, name := range list {
		if i, _ := x.parties.find(name); i == party {
			return true
		}
	}
	return false
}

func (d *Domibus) exchange(x *names, p *DomibusProcess) (mep, binding string) {
	m, _ := x.meps.find(p.MEP)
	b, _ := x.bindings.find(p.Binding)
	mep, binding = d.MEPs[m].Value, bindingOf(d.Bindings[b].Value)
	if binding == ebms.BindingPushAndPush && mep == ebms.MEPOneWay {
		binding = ebms.BindingPush
	}
	return mep, binding
}

// mode is a leg in a process, whoever the partner is.
func (d *Domibus) mode(x *names, p *DomibusProcess, l *DomibusLeg, securities []Security) Mode {
	m := Mode{Process: p.Name, Leg: l.Name, Receipt: true, Compress: l.Compress, line: l.line}
	m.MEP, m.Binding = d.exchange(x, p)
	from, _ := x.roles.find(p.InitiatorRole)
	to, _ := x.roles.find(p.ResponderRole)
	m.SenderRole, m.ReceiverRole = d.Roles[from].Value, d.Roles[to].Value
	if m.Binding == ebms.BindingPull {
		m.SenderRole, m.ReceiverRole = m.ReceiverRole, m.SenderRole
	}
	if i, _ := x.agreements.find(p.Agreement); p.Agreement != "" && d.Agreements[i].Value != "" {
		m.Agreement = ebms.Agreement{Value: d.Agreements[i].Value, Type: d.Agreements[i].Type}
	}
	i, _ := x.services.find(l.Service)
	m.Service = ebms.Service{Value: d.Services[i].Value, Type: d.Services[i].Type}
	i, _ = x.actions.find(l.Action)
	m.Action = d.Actions[i].Value
	i, _ = x.mpcs.find(l.MPC)
	if m.MPC = d.MPCs[i].QualifiedName; m.MPC == ebms.DefaultMPC {
		m.MPC = ""
	}
	i, _ = x.securities.find(l.Security)
	m.Security = securities[i]
	i, _ = x.receptionAwareness.find(l.ReceptionAwareness)
	m.Retry, _ = ParseRetry(d.ReceptionAwareness[i].Retry) // checked
	m.DuplicateDetection = d.ReceptionAwareness[i].DuplicateDetection
	i, _ = x.reliabilities.find(l.Reliability)
	m.NonRepudiation, m.Callback = d.Reliabilities[i].NonRepudiation, d.Reliabilities[i].ReplyPattern == "callback"
	i, _ = x.errorHandlings.find(l.ErrorHandling)
	m.ErrorAsResponse = d.ErrorHandlings[i].AsResponse
	if i, _ = x.propertySets.find(l.PropertySet); l.PropertySet != "" {
		for _, name := range d.PropertySets[i].Members {
			j, _ := x.properties.find(name)
			m.Properties = append(m.Properties, d.Properties[j])
		}
	}
	if i, _ = x.payloadProfiles.find(l.PayloadProfile); l.PayloadProfile != "" {
		pp := &PayloadProfile{Name: d.PayloadProfiles[i].Name, MaxSize: d.PayloadProfiles[i].MaxSize}
		for _, name := range d.PayloadProfiles[i].Payloads {
			j, _ := x.payloads.find(name)
			pp.Payloads = append(pp.Payloads, d.Payloads[j])
		}
		m.Payloads = pp
	}
	if i, _ = x.splittings.find(l.Splitting); l.Splitting != "" {
		m.Splitting = &d.Splittings[i]
	}
	m.judge()
	return m
}

func (m *Mode) unusable(format string, args ...any) {
	m.Unusable = append(m.Unusable[:len(m.Unusable):len(m.Unusable)], fmt.Sprintf(format, args...))
}

func (m *Mode) lose(format string, args ...any) {
	m.Lost = append(m.Lost, fmt.Sprintf(format, args...))
}

// Pull reports whether the receiver fetches the messages.
func (m *Mode) Pull() bool { return m.Binding == ebms.BindingPull }

// reach says so when there is no address to open a connection to.
func (m *Mode) reach(url string) {
	if url == "" && (m.Direction == Send && !m.Pull() || m.Direction == Receive && m.Pull()) {
		m.unusable("the partner has no address")
	}
}

// judge says what of the mode this program cannot do, and what it does not keep.
func (m *Mode) judge() {
	s := m.Security
	switch {
	case s.Unknown != "":
		m.unusable("the policy %s cannot be followed: %s", s.Policy, s.Unknown)
	case m.Pull() && m.MPC == "":
		m.unusable("messages are pulled from the default channel, which eDelivery AS4 does not allow [EU-AS4 1.5.5]")
	case !s.Sign && s.Encrypt:
		m.unusable("messages are encrypted and not signed, which AS4 does not know")
	case !s.Sign:
		m.unusable("messages are not signed, which this program refuses")
	}
	if s.EncryptBody {
		m.unusable("the SOAP Body is encrypted, which eDelivery AS4 does not allow")
	}
	if s.Suite == "ecc" && !s.Encrypt {
		m.unusable("messages are signed with elliptic curves and not encrypted, for which there is no profile")
	}
	if m.Callback && !m.Pull() {
		m.lose("receipts are sent in the response; those of the partner are also taken in requests of their own")
	}
	if !m.Receipt {
		m.lose("a receipt is sent although none is agreed")
	}
	if !m.ErrorAsResponse {
		m.lose("errors are answered in the response all the same")
	}
	if m.Splitting != nil && m.Pull() {
		m.lose("messages are offered whole: pieces are not pulled")
	}
	for _, p := range m.Properties {
		if four := strings.EqualFold(p.Key, ebms.PropertyOriginalSender) || strings.EqualFold(p.Key, ebms.PropertyFinalRecipient); p.Required && !four {
			m.lose("the message property %s is agreed to be there: whoever submits must see to it", p.Key)
		}
	}
	if pp := m.Payloads; pp != nil {
		for _, p := range pp.Payloads {
			if p.Required && p.ContentID != "" && strings.TrimPrefix(p.ContentID, "cid:") != pp.firstContentID() {
				m.lose("a payload %s is agreed to be there: whoever submits must see to it", p.ContentID)
			}
		}
	}
}

// firstContentID is the content id that the first payload is agreed to have.
func (p *PayloadProfile) firstContentID() string {
	for _, x := range p.Payloads {
		if x.InBody != "true" {
			return strings.TrimPrefix(x.ContentID, "cid:")
		}
	}
	return ""
}
