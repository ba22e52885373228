package pmode

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
)

// ErrNoPartner says that a set has nothing with a party.
type ErrNoPartner struct{ Name string }

func (e *ErrNoPartner) Error() string { return fmt.Sprintf("pmode: nothing is agreed with %q", e.Name) }

// ForPartner writes what is agreed with one partner as the file that the partner's Domibus 5 loads: its own party, ours,
// and the processes between them. What Domibus has no word for is told in the warnings; a mode that it cannot serve is
// left out.
func (s *Set) ForPartner(name string) (*Domibus, []string, error) {
	partner := s.Partner(name)
	if partner == nil {
		return nil, nil, &ErrNoPartner{name}
	}
	x := &exporter{d: &Domibus{Party: partner.Name}, properties: map[string]string{}}
	d := x.d
	// How long messages are kept is the partner's matter: these are usual values.
	d.MPCs = []MPC{{Name: "defaultMpc", QualifiedName: ebms.DefaultMPC, Default: true, Enabled: true, RetentionUndownloaded: 14400, RetentionSent: -1, MaxBatchDelete: -1}}
	for _, p := range []*Party{partner, &s.Own} {
		dp := DomibusParty{Name: p.Name, Endpoint: p.URL}
		for _, id := range p.IDs {
			typ := ""
			if id.Type != "" {
				typ = x.name(&d.PartyIDTypes, "partyIdType", id.Type)
			}
			dp.Identifiers = append(dp.Identifiers, Identifier{ID: id.Value, Type: typ})
		}
		if p.URL == "" {
			x.warn("%s has no address", p.Name)
		}
		d.Parties = append(d.Parties, dp)
		if s.Own.Name == partner.Name {
			break
		}
	}
	if len(d.PartyIDTypes) == 0 { // the schema wants one
		d.PartyIDTypes = []Named{{Name: "partyIdTypeEmpty"}}
	}
	d.MEPs = []MEP{{Name: "oneway", Value: ebms.MEPOneWay, Legs: 1}}
	d.Bindings = []Named{{Name: "push", Value: ebms.BindingPush}}
	d.ErrorHandlings = []ErrorHandling{{Name: "errorHandling", AsResponse: true, DeliveryFailureNotifyProducer: true}}
	for _, m := range s.Modes {
		if m.Partner != "" && strings.EqualFold(m.Partner, partner.Name) {
			x.mode(m, partner.Name, s.Own.Name)
		}
	}
	if len(d.Processes) == 0 {
		return nil, x.warnings, &ErrNoPartner{name}
	}
	if len(d.Agreements) == 0 { // the schema wants one
		d.Agreements = []Typed{{Name: "agreementEmpty"}}
	}
	if len(d.Properties) == 0 { // and these
		x.propertySet([]Property{{Key: ebms.PropertyOriginalSender}, {Key: ebms.PropertyFinalRecipient}})
	}
	return d, x.warnings, nil
}

// exporter fills the lists of a file, each value once.
type exporter struct {
	d          *Domibus
	properties map[string]string // key to name
	warnings   []string
}

func (x *exporter) warn(format string, args ...any) {
	if w := fmt.Sprintf(format, args...); !slices.Contains(x.warnings, w) {
		x.warnings = append(x.warnings, w)
	}
}

// name finds the name of a value in a list, or gives it one.
func (x *exporter) name(list *[]Named, kind, value string) string {
	for _, n := range *list {
		if n.Value == value {
			return n.Name
		}
	}
	n := Named{Name: fmt.Sprintf("%s%d", kind, len(*list)+1), Value: value}
	*list = append(*list, n)
	return n.Name
}

func (x *exporter) typed(list *[]Typed, kind, value, typ string) string {
	for _, t := range *list {
		if t.Value == value && t.Type == typ {
			return t.Name
		}
	}
	t := Typed{Name: fmt.Sprintf("%s%d", kind, len(*list)+1), Value: value, Type: typ}
	*list = append(*list, t)
	return t.Name
}

func (x *exporter) mode(m *Mode, partner, own string) {
	d := x.d
	if m.Service.Value == "" || m.Action == "" {
		x.warn("P-Mode %s: Domibus has no word for every service or every action: left out", m.ID)
		return
	}
	security, ok := x.security(m)
	if !ok {
		return
	}
	leg := DomibusLeg{Name: x.legName(m), Service: x.typed(&d.Services, "service", m.Service.Value, m.Service.Type), Action: x.name(&d.Actions, "action", m.Action), Security: security,
		MPC: x.mpc(m.MPC), ErrorHandling: "errorHandling", Compress: m.Compress}
	retry, exact := FormatRetry(m.Retry)
	if !exact {
		x.warn("P-Mode %s: our retries (%s) are written as %s", m.ID, retryWords(m.Retry), retry)
	}
	i := slices.IndexFunc(d.ReceptionAwareness, func(a ReceptionAwareness) bool {
		return a.Retry == retry && a.DuplicateDetection == m.DuplicateDetection
	})
	if i < 0 {
		i = len(d.ReceptionAwareness)
		d.ReceptionAwareness = append(d.ReceptionAwareness, ReceptionAwareness{Name: fmt.Sprintf("receptionAwareness%d", i+1), Retry: retry, DuplicateDetection: m.DuplicateDetection})
	}
	leg.ReceptionAwareness = d.ReceptionAwareness[i].Name
	pattern := "response"
	if m.Callback && !m.Pull() {
		pattern = "callback"
	}
	i = slices.IndexFunc(d.Reliabilities, func(l Reliability) bool {
		return l.ReplyPattern == pattern && l.NonRepudiation == m.NonRepudiation
	})
	if i < 0 {
		i = len(d.Reliabilities)
		d.Reliabilities = append(d.Reliabilities, Reliability{Name: fmt.Sprintf("reliability%d", i+1), ReplyPattern: pattern, NonRepudiation: m.NonRepudiation})
	}
	leg.Reliability = d.Reliabilities[i].Name
	if len(m.Properties) > 0 {
		leg.PropertySet = x.propertySet(m.Properties)
	}
	leg.PayloadProfile = x.payloads(m.Payloads)
	if sp := m.Splitting; sp != nil {
		leg.Splitting = x.splitting(*sp)
	}
	d.Legs = append(d.Legs, leg)
	x.process(m, leg.Name, partner, own)
}

// legName is that of the file the mode came from, else its id, else a number.
func (x *exporter) legName(m *Mode) string {
	for _, name := range []string{m.Leg, m.ID} {
		if name != "" && len(name) <= 255 && !strings.ContainsAny(name, "<>") &&
			!slices.ContainsFunc(x.d.Legs, func(l DomibusLeg) bool { return strings.EqualFold(l.Name, name) }) {
			return name
		}
	}
	return fmt.Sprintf("leg %d", len(x.d.Legs)+1)
}

// process puts a leg into the process of its kind. A push goes from initiator to responder; who pulls is the initiator.
func (x *exporter) process(m *Mode, leg, partner, own string) {
	d := x.d
	p := DomibusProcess{MEP: "oneway", Binding: "push", Legs: []string{leg}}
	sender, receiver := cmp.Or(m.SenderRole, ebms.RoleInitiator), cmp.Or(m.ReceiverRole, ebms.RoleResponder)
	from, to := []string{own}, []string{partner}
	switch m.Direction {
	case Receive:
		from, to = to, from
	case Both:
		from = []string{partner, own}
		if partner == own {
			from = []string{own}
		}
		to = from
	}
	if m.Pull() {
		p.Binding = x.name(&d.Bindings, "pull", ebms.BindingPull)
		sender, receiver, from, to = receiver, sender, to, from
	}
	p.Initiators, p.Responders = from, to
	p.InitiatorRole, p.ResponderRole = x.name(&d.Roles, "role", sender), x.name(&d.Roles, "role", receiver)
	if m.Agreement.Value != "" {
		p.Agreement = x.typed(&d.Agreements, "agreement", m.Agreement.Value, m.Agreement.Type)
	} else {
		p.Agreement = x.typed(&d.Agreements, "agreement", "", "")
	}
	for i := range d.Processes {
		o := &d.Processes[i]
		if o.Binding == p.Binding && o.InitiatorRole == p.InitiatorRole && o.ResponderRole == p.ResponderRole && o.Agreement == p.Agreement &&
			slices.Equal(o.Initiators, p.Initiators) && slices.Equal(o.Responders, p.Responders) {
			o.Legs = append(o.Legs, leg)
			return
		}
	}
	p.Name = fmt.Sprintf("process%d", len(d.Processes)+1)
	d.Processes = append(d.Processes, p)
}

func (x *exporter) mpc(uri string) string {
	if uri == "" || uri == ebms.DefaultMPC {
		return "defaultMpc"
	}
	for _, m := range x.d.MPCs {
		if m.QualifiedName == uri {
			return m.Name
		}
	}
	m := x.d.MPCs[0]
	m.Name, m.QualifiedName, m.Default = fmt.Sprintf("mpc%d", len(x.d.MPCs)), uri, false
	x.d.MPCs = append(x.d.MPCs, m)
	return m.Name
}

// security names the policy file that comes with Domibus and does the same.
func (x *exporter) security(m *Mode) (string, bool) {
	s := m.Security
	file := ""
	switch {
	case s.Suite != "rsa":
		x.warn("P-Mode %s: Domibus 5.1 has no algorithms for %s: left out", m.ID, s.Suite)
		return "", false
	case !s.Sign:
		file = "doNothingPolicy.xml"
	case !s.Encrypt && s.SignToken == wss.TokenPKIPath:
		file = "eDeliveryAS4Policy_BST_PKIP_signOnly.xml"
	case !s.Encrypt:
		file = "signOnly.xml"
	default:
		file = map[wss.TokenForm]string{wss.TokenSKI: "eDeliveryAS4Policy.xml", wss.TokenBST: "eDeliveryAS4Policy_BST.xml", "": "eDeliveryAS4Policy_BST.xml",
			wss.TokenPKIPath: "eDeliveryAS4Policy_BST_PKIP.xml", wss.TokenIssuerSerial: "eDeliveryAS4Policy_IS.xml"}[s.SignToken]
	}
	if file == "" {
		x.warn("P-Mode %s: no policy of Domibus names certificates by %s: the one with the token in the message is written", m.ID, s.SignToken)
		file = "eDeliveryAS4Policy_BST.xml"
	}
	if s.Encrypt && s.EncryptToken != s.SignToken {
		x.warn("P-Mode %s: Domibus names both certificates in the same way, here %s", m.ID, cmp.Or(s.SignToken, wss.TokenBST))
	}
	if s.Policy != "" && published[s.Policy] == (Security{}) && s.Policy != "doNothingPolicy.xml" {
		x.warn("P-Mode %s: the policy %s is replaced by %s, which does the same", m.ID, s.Policy, file)
	}
	name := strings.TrimSuffix(file, ".xml")
	if !slices.ContainsFunc(x.d.Securities, func(s DomibusSecurity) bool { return s.Name == name }) {
		x.d.Securities = append(x.d.Securities, DomibusSecurity{Name: name, Policy: file, SignatureMethod: "RSA_SHA256"})
	}
	return name, true
}

func (x *exporter) propertySet(list []Property) string {
	d := x.d
	g := Group{Name: fmt.Sprintf("propertySet%d", len(d.PropertySets)+1)}
	for _, p := range list {
		key := p.Key + "\x00" + p.Datatype + yes(p.Required)
		name := x.properties[key]
		if name == "" {
			if slices.ContainsFunc(d.Properties, func(o Property) bool { return o.Key == p.Key }) {
				x.warn("the property %s is required in one P-Mode and not in another, for which Domibus has no word: it is left out of the second", p.Key)
				continue
			}
			name = p.Key + "Property"
			x.properties[key] = name
			d.Properties = append(d.Properties, Property{Name: name, Key: p.Key, Datatype: cmp.Or(p.Datatype, "string"), Required: p.Required})
		}
		g.Members = append(g.Members, name)
	}
	if len(g.Members) == 0 {
		return ""
	}
	for _, o := range d.PropertySets {
		if slices.Equal(o.Members, g.Members) {
			return o.Name
		}
	}
	d.PropertySets = append(d.PropertySets, g)
	return g.Name
}

func (x *exporter) payloads(pp *PayloadProfile) string {
	if pp == nil {
		return ""
	}
	if len(pp.Payloads) == 0 { // the schema wants one
		x.warn("a payload profile without payloads cannot be written: the size of %d octets is not in the file", pp.MaxSize)
		return ""
	}
	d := x.d
	out := DomibusPayloads{MaxSize: pp.MaxSize}
	for _, p := range pp.Payloads {
		p.place = place{}
		if i := slices.IndexFunc(d.Payloads, func(o Payload) bool { return strings.EqualFold(o.Name, p.Name) }); i < 0 {
			d.Payloads = append(d.Payloads, p)
		} else if d.Payloads[i] != p {
			p.Name = fmt.Sprintf("payload %d", len(d.Payloads)+1)
			d.Payloads = append(d.Payloads, p)
		}
		out.Payloads = append(out.Payloads, p.Name)
	}
	for _, o := range d.PayloadProfiles {
		if o.MaxSize == out.MaxSize && slices.Equal(o.Payloads, out.Payloads) {
			return o.Name
		}
	}
	out.Name = pp.Name
	if out.Name == "" || slices.ContainsFunc(d.PayloadProfiles, func(o DomibusPayloads) bool { return strings.EqualFold(o.Name, out.Name) }) {
		out.Name = fmt.Sprintf("payloadProfile%d", len(d.PayloadProfiles)+1)
	}
	d.PayloadProfiles = append(d.PayloadProfiles, out)
	return out.Name
}

func (x *exporter) splitting(sp Splitting) string {
	d := x.d
	sp.place = place{}
	for _, o := range d.Splittings {
		name := o.Name
		if o.Name = sp.Name; o == sp {
			return name
		}
	}
	if slices.ContainsFunc(d.Splittings, func(o Splitting) bool { return strings.EqualFold(o.Name, sp.Name) }) {
		sp.Name = fmt.Sprintf("splitting%d", len(d.Splittings)+1)
	}
	d.Splittings = append(d.Splittings, sp)
	return sp.Name
}
