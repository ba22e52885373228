package pmode

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
)

// names are the lists of a file by what they hold.
type names struct {
	mpcs, roles, partyIDTypes, parties, meps, bindings, properties, propertySets, payloads, payloadProfiles, securities, errorHandlings,
	agreements, services, actions, receptionAwareness, reliabilities, splittings, legs index
}

func (d *Domibus) index() *names {
	named := func(x *Named) string { return x.Name }
	typed := func(x *Typed) string { return x.Name }
	return &names{
		mpcs: indexOf(d.MPCs, func(x *MPC) string { return x.Name }), roles: indexOf(d.Roles, named), partyIDTypes: indexOf(d.PartyIDTypes, named),
		parties: indexOf(d.Parties, func(x *DomibusParty) string { return x.Name }), meps: indexOf(d.MEPs, func(x *MEP) string { return x.Name }), bindings: indexOf(d.Bindings, named),
		properties: indexOf(d.Properties, func(x *Property) string { return x.Name }), propertySets: indexOf(d.PropertySets, func(x *Group) string { return x.Name }),
		payloads: indexOf(d.Payloads, func(x *Payload) string { return x.Name }), payloadProfiles: indexOf(d.PayloadProfiles, func(x *DomibusPayloads) string { return x.Name }),
		securities: indexOf(d.Securities, func(x *DomibusSecurity) string { return x.Name }), errorHandlings: indexOf(d.ErrorHandlings, func(x *ErrorHandling) string { return x.Name }),
		agreements: indexOf(d.Agreements, typed), services: indexOf(d.Services, typed), actions: indexOf(d.Actions, named),
		receptionAwareness: indexOf(d.ReceptionAwareness, func(x *ReceptionAwareness) string { return x.Name }), reliabilities: indexOf(d.Reliabilities, func(x *Reliability) string { return x.Name }),
		splittings: indexOf(d.Splittings, func(x *Splitting) string { return x.Name }), legs: indexOf(d.Legs, func(x *DomibusLeg) string { return x.Name }),
	}
}

// at notes a problem of an element that was read already.
func (r *reader) at(p place, rule Rule, where, format string, args ...any) {
	r.note(&Problem{Line: p.line, Where: where, Rule: rule, Text: fmt.Sprintf(format, args...)})
}

func (r *reader) warnAt(p place, rule Rule, where, format string, args ...any) {
	r.note(&Problem{Line: p.line, Where: where, Rule: rule, Text: fmt.Sprintf(format, args...), Warning: true})
}

// refer follows a reference and says so when it leads nowhere.
func (r *reader) refer(x index, p place, where, what, name string) (i int, ok bool) {
	i, exact := x.find(name)
	switch {
	case i < 0:
		r.at(p, RuleReference, where, "there is no %s %q", what, shown(name))
	case !exact:
		r.warnAt(p, RuleReference, where, "%s %q is found only when capitals do not count", what, shown(name))
	}
	return i, i >= 0
}

// check repeats what the loader of Domibus checks beside the schema.
func (d *Domibus) check(r *reader, x *names) {
	d.checkUnique(r)
	d.checkParties(r, x)
	for _, s := range d.PropertySets {
		for _, m := range s.Members {
			r.refer(x.properties, s.place, "propertySet "+s.Name, "property", m)
		}
	}
	for _, p := range d.Payloads {
		if p.MaxSize < 0 {
			r.at(p.place, RuleSize, "payload "+p.Name+" @maxSize", "%d is negative", p.MaxSize)
		}
	}
	for _, p := range d.PayloadProfiles {
		if p.MaxSize < 0 {
			r.at(p.place, RuleSize, "payloadProfile "+p.Name+" @maxSize", "%d is negative", p.MaxSize)
		}
		for _, m := range p.Payloads {
			r.refer(x.payloads, p.place, "payloadProfile "+p.Name, "payload", m)
		}
	}
	for _, a := range d.ReceptionAwareness {
		if _, err := ParseRetry(a.Retry); err != nil {
			r.at(a.place, RuleRetry, "receptionAwareness "+a.Name+" @retry", "%v", err)
		}
	}
	for _, list := range []struct {
		what  string
		items []Typed
	}{{"agreement", d.Agreements}, {"service", d.Services}} {
		for _, t := range list.items {
			if t.Type == "" && t.Value != "" && !isURI(t.Value) {
				r.warnAt(t.place, RuleURI, list.what+" "+t.Name, "%q has no type and is no URI", shown(t.Value))
			}
		}
	}
	for _, sp := range d.Splittings {
		if sp.FragmentSize < 1 || sp.FragmentSize > 1<<20 || sp.JoinInterval < 1 || sp.JoinInterval > maxMinutes {
			r.at(sp.place, RuleSize, "splitting "+sp.Name, "fragments of %d MiB, joined within %d minutes, cannot be", sp.FragmentSize, sp.JoinInterval)
		}
	}
	used := make([]bool, len(d.Legs))
	for _, p := range d.Processes {
		for _, l := range p.Legs {
			if i, _ := x.legs.find(l); i >= 0 {
				used[i] = true
			}
		}
	}
	for i := range d.Legs {
		d.checkLeg(r, x, &d.Legs[i], used[i])
	}
	for i := range d.Processes {
		d.checkProcess(r, x, &d.Processes[i])
	}
}

func isURI(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && (u.Opaque != "" || u.Host != "" || u.Path != "")
}

func (d *Domibus) checkUnique(r *reader) {
	named := func(x Named) (string, int) { return x.Name, x.line }
	values := func(x Named) (string, int) { return x.Value, x.line }
	typed := func(x Typed) (string, int) { return x.Name, x.line }
	group := func(x Group) (string, int) { return x.Name, x.line }
	unique(r, "mpc @name", d.MPCs, func(x MPC) (string, int) { return x.Name, x.line })
	unique(r, "mpc @qualifiedName", d.MPCs, func(x MPC) (string, int) { return x.QualifiedName, x.line })
	unique(r, "role @name", d.Roles, func(x Named) (string, int) { return strings.ToLower(x.Name), x.line })
	unique(r, "partyIdType @name", d.PartyIDTypes, named)
	unique(r, "partyIdType @value", d.PartyIDTypes, values)
	unique(r, "party @name", d.Parties, func(x DomibusParty) (string, int) { return strings.ToLower(x.Name), x.line })
	unique(r, "mep @name", d.MEPs, func(x MEP) (string, int) { return x.Name, x.line })
	unique(r, "mep @value", d.MEPs, func(x MEP) (string, int) { return x.Value, x.line })
	unique(r, "binding @name", d.Bindings, named)
	unique(r, "binding @value", d.Bindings, values)
	unique(r, "property @name", d.Properties, func(x Property) (string, int) { return x.Name, x.line })
	unique(r, "property @key", d.Properties, func(x Property) (string, int) { return x.Key, x.line })
	unique(r, "propertySet @name", d.PropertySets, group)
	unique(r, "payload @name", d.Payloads, func(x Payload) (string, int) { return x.Name, x.line })
	unique(r, "payloadProfile @name", d.PayloadProfiles, func(x DomibusPayloads) (string, int) { return x.Name, x.line })
	unique(r, "security @name", d.Securities, func(x DomibusSecurity) (string, int) { return x.Name, x.line })
	unique(r, "errorHandling @name", d.ErrorHandlings, func(x ErrorHandling) (string, int) { return x.Name, x.line })
	unique(r, "agreement @name", d.Agreements, typed)
	unique(r, "service @name", d.Services, typed)
	unique(r, "action @name", d.Actions, named)
	unique(r, "receptionAwareness @name", d.ReceptionAwareness, func(x ReceptionAwareness) (string, int) { return x.Name, x.line })
	unique(r, "reliability @name", d.Reliabilities, func(x Reliability) (string, int) { return x.Name, x.line })
	unique(r, "splitting @name", d.Splittings, func(x Splitting) (string, int) { return x.Name, x.line })
	unique(r, "legConfiguration @name", d.Legs, func(x DomibusLeg) (string, int) { return x.Name, x.line })
	unique(r, "process @name", d.Processes, func(x DomibusProcess) (string, int) { return x.Name, x.line })
	for _, g := range d.PropertySets {
		unique(r, "propertyRef @property", g.Members, func(s string) (string, int) { return s, g.line })
	}
	for _, g := range d.PayloadProfiles {
		unique(r, "attachment @name", g.Payloads, func(s string) (string, int) { return s, g.line })
	}
	for _, p := range d.Processes {
		for _, g := range []Group{{"initiatorParty @name", p.Initiators, p.place}, {"responderParty @name", p.Responders, p.place}, {"leg @name", p.Legs, p.place}} {
			unique(r, g.Name, g.Members, func(s string) (string, int) { return s, g.line })
		}
	}
}

func (d *Domibus) checkParties(r *reader, x *names) {
	var ids []Identifier
	for i := range d.Parties {
		p := &d.Parties[i]
		where := "party " + shown(p.Name)
		if p.Endpoint == "" {
			r.warnAt(p.place, RuleEndpoint, where+" @endpoint", "is empty: nothing can be sent to the party")
		} else if u, err := url.Parse(p.Endpoint); err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			r.warnAt(p.place, RuleEndpoint, where+" @endpoint", "%q is no http or https address: nothing can be sent to the party", shown(p.Endpoint))
		}
		for _, id := range p.Identifiers {
			typ := ""
			if id.Type != "" {
				where := "identifier of " + where + " @partyIdType"
				if x.typeByValue(id.Type) {
					r.warnAt(id.place, RuleReference, where, "%q is a type itself, where the name of one is expected", shown(id.Type))
					typ = id.Type
				} else if i, ok := r.refer(x.partyIDTypes, id.place, where, "party id type", id.Type); ok {
					typ = d.PartyIDTypes[i].Value
				}
			}
			if typ == "" && !isURI(id.ID) {
				r.warnAt(id.place, RuleURI, "identifier of "+where, "%q has no type and is no URI", shown(id.ID))
			}
			ids = append(ids, Identifier{strings.ToLower(id.ID), strings.ToLower(typ), id.place})
		}
	}
	unique(r, "identifier @partyId", ids, func(id Identifier) (string, int) {
		if id.Type == "" {
			return id.ID, id.line
		}
		return id.Type + ":" + id.ID, id.line
	})
	if i, _ := x.parties.find(d.Party); i < 0 {
		r.note(&Problem{Line: 1, Where: "configuration @party", Rule: RuleOwn, Text: fmt.Sprintf("the file is for %q, and there is no such party in it", shown(d.Party))})
	}
}

// typeByValue knows a reference to a party id type that is no name but the type itself, as files of Domibus 4 have.
func (x *names) typeByValue(ref string) bool {
	i, _ := x.partyIDTypes.find(ref)
	return i < 0 && isURI(ref)
}

func (d *Domibus) checkLeg(r *reader, x *names, l *DomibusLeg, used bool) {
	for _, ref := range []struct {
		x                index
		attr, what, name string
	}{
		{x.services, "service", "service", l.Service}, {x.actions, "action", "action", l.Action}, {x.securities, "security", "security", l.Security}, {x.mpcs, "defaultMpc", "mpc", l.MPC},
		{x.receptionAwareness, "receptionAwareness", "receptionAwareness", l.ReceptionAwareness}, {x.reliabilities, "reliability", "reliability", l.Reliability},
		{x.errorHandlings, "errorHandling", "errorHandling", l.ErrorHandling}, {x.propertySets, "propertySet", "propertySet", l.PropertySet},
		{x.payloadProfiles, "payloadProfile", "payloadProfile", l.PayloadProfile}, {x.splittings, "splitting", "splitting", l.Splitting},
	} {
		if ref.name == "" {
			continue
		}
		if i, _ := ref.x.find(ref.name); i < 0 && !used {
			r.warnAt(l.place, RuleReference, "legConfiguration "+shown(l.Name)+" @"+ref.attr, "there is no %s %q, and no process uses the leg", ref.what, shown(ref.name))
		} else {
			r.refer(ref.x, l.place, "legConfiguration "+shown(l.Name)+" @"+ref.attr, ref.what, ref.name)
		}
	}
}

func (d *Domibus) checkProcess(r *reader, x *names, p *DomibusProcess) {
	where := "process " + shown(p.Name)
	mep, binding := "", ""
	if i, ok := r.refer(x.meps, p.place, where+" @mep", "mep", p.MEP); ok {
		mep = d.MEPs[i].Value
	}
	if i, ok := r.refer(x.bindings, p.place, where+" @binding", "binding", p.Binding); ok {
		binding = bindingOf(d.Bindings[i].Value)
	}
	if p.Agreement != "" {
		r.refer(x.agreements, p.place, where+" @agreement", "agreement", p.Agreement)
	}
	from, ok := r.refer(x.roles, p.place, where+" @initiatorRole", "role", p.InitiatorRole)
	to, ok2 := r.refer(x.roles, p.place, where+" @responderRole", "role", p.ResponderRole)
	if ok && ok2 && strings.EqualFold(d.Roles[from].Value, d.Roles[to].Value) {
		r.warnAt(p.place, RuleRole, where, "initiator and responder have the same role, %q", shown(d.Roles[from].Value))
	}
	own := false
	for _, g := range []Group{{Name: "initiator party", Members: p.Initiators}, {Name: "responder party", Members: p.Responders}} {
		for _, name := range g.Members {
			r.refer(x.parties, p.place, where, g.Name, name)
			own = own || strings.EqualFold(name, d.Party)
		}
	}
	if !own {
		r.warnAt(p.place, RuleOwn, where, "%q, whose file it is, is neither initiator nor responder: the process is left out", shown(d.Party))
	}
	for _, name := range p.Legs {
		r.refer(x.legs, p.place, where, "legConfiguration", name)
	}
	two := binding == ebms.BindingPushAndPush || binding == ebms.BindingPushAndPull || binding == ebms.BindingPullAndPush
	switch {
	case mep == ebms.MEPTwoWay:
		r.warnAt(p.place, RuleExchange, where, "two-way: taken as one-way exchanges in both directions")
	case mep != ebms.MEPOneWay && mep != "":
		r.at(p.place, RuleExchange, where+" @mep", "%q is neither one-way nor two-way [ebMS3 2.2]", shown(mep))
	case two:
		r.warnAt(p.place, RuleExchange, where, "a one-way exchange with the two-way binding %q: taken as push", p.Binding)
	}
	if binding != "" && !two && binding != ebms.BindingPush && binding != ebms.BindingPull {
		r.at(p.place, RuleExchange, where+" @binding", "%q is no binding that is known [ebMS3 2.2]", shown(binding))
	}
}

// bindingOf knows the spelling of older files.
func bindingOf(uri string) string {
	if uri == ebms.NS+"push-and-push" {
		return ebms.BindingPushAndPush
	}
	return uri
}
