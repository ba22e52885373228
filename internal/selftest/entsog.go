package selftest

import (
	"regexp"
	"slices"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
)

var entsogCases = []*Case{
	gas("AS4_ENTSOG_TA01", Mandatory, "the channel is left out or is the default one", func(_ *run, v *view) error {
		if v.um.MPC != "" && v.um.MPC != ebms.DefaultMPC {
			return fail("mpc %q", v.um.MPC)
		}
		return nil
	}),
	gas("AS4_ENTSOG_TA02", Mandatory, "party identifiers have the type of energy identification codes", func(_ *run, v *view) error {
		for _, p := range []ebms.Party{v.um.From, v.um.To} {
			if got := p.ID().Type; got != "http://www.entsoe.eu/eic-codes/eic-party-codes-x" {
				return fail("the type of %q is %q", p.ID().Value, got)
			}
		}
		return nil
	}),
	gas("AS4_ENTSOG_TA03", Mandatory, "party identifiers are written as energy identification codes", func(_ *run, v *view) error {
		for _, p := range []ebms.Party{v.um.From, v.um.To} {
			if !energyCode.MatchString(p.ID().Value) {
				return fail("%q is no such code", p.ID().Value)
			}
		}
		return nil
	}),
	gas("AS4_ENTSOG_TA04", Mandatory, "the type of eb:Service, where there is one, is that of EDIGAS", func(_ *run, v *view) error {
		if t := v.um.Service.Type; t != "" && t != "http://edigas.org/service" {
			return fail("type %q", t)
		}
		return nil
	}),
	gas("AS4_ENTSOG_TA05", Mandatory, "eb:Service is one of A01 to A11", func(_ *run, v *view) error {
		if !edigasService.MatchString(v.um.Service.Value) {
			return fail("service %q", v.um.Service.Value)
		}
		return nil
	}),
	gas("AS4_ENTSOG_TA06", Mandatory, "eb:Action is the default action of AS4", func(_ *run, v *view) error {
		if v.um.Action != ebms.DefaultAction {
			return fail("action %q", v.um.Action)
		}
		return nil
	}),
	gas("AS4_ENTSOG_TA07", Preferred, "the first eb:PartInfo tells the EDIGAS document type", func(_ *run, v *view) error {
		if len(v.um.Parts) == 0 {
			return fail("there is no eb:PartInfo")
		}
		if got, _ := v.um.Parts[0].Property("EDIGASDocumentType"); got != "01G" {
			return fail("EDIGASDocumentType is %q, submitted was 01G", got)
		}
		return nil
	}),
	gas("AS4_ENTSOG_TA08", Mandatory, "roles are initiator, responder or two or three capital letters", func(_ *run, v *view) error {
		for _, p := range []ebms.Party{v.um.From, v.um.To} {
			if p.Role != ebms.RoleInitiator && p.Role != ebms.RoleResponder && !gasRole.MatchString(p.Role) {
				return fail("role %q", p.Role)
			}
		}
		return nil
	}),
	gas("AS4_ENTSOG_TA09", Mandatory, "eb:AgreementRef is there", func(_ *run, v *view) error {
		if v.um.Agreement == nil || v.um.Agreement.Value == "" {
			return fail("there is no eb:AgreementRef")
		}
		return nil
	}),
	gas("AS4_ENTSOG_TA10", Mandatory, "eb:ConversationId is there and empty", func(_ *run, v *view) error {
		list := find(v.um.Node, ebms.NS, "ConversationId")
		if len(list) != 1 || list[0].Text() != "" {
			return fail("%d eb:ConversationId, %q", len(list), v.um.ConversationID)
		}
		return nil
	}),
	gas("AS4_ENTSOG_TA11", Preferred, "MimeType of the first part is text/xml or application/xml", func(_ *run, v *view) error {
		if len(v.um.Parts) == 0 {
			return fail("there is no eb:PartInfo")
		}
		if got, _ := v.um.Parts[0].Property(ebms.PropertyMimeType); !slices.Contains([]string{"text/xml", "application/xml"}, got) {
			return fail("MimeType %q", got)
		}
		return nil
	}),
	{ID: "AS4_ENTSOG_TA12", Level: Mandatory, Module: gasNetworks, Predicate: "no payload has 10 MB or more before compression, and one that has is not taken", run: gasSize},
}

var (
	energyCode    = regexp.MustCompile(`^[0-9]{2}[A-Z][A-Z0-9-]{12}[A-Z0-9]$`)
	edigasService = regexp.MustCompile(`^A(0[1-9]|1[01])$`)
	gasRole       = regexp.MustCompile(`^[A-Z]{2,3}$`)
)

// gas is a case about the header of a message in the profile of gas networks; the receiver must take it as well.
func gas(id string, level Level, predicate string, check func(*run, *view) error) *Case {
	return &Case{ID: id, Level: level, Module: gasNetworks, Predicate: predicate, run: func(r *run) error {
		x, v, err := r.gasMessage()
		if err != nil {
			return err
		}
		if err := check(r, v); err != nil {
			return err
		}
		_, _, err = x.receipt()
		return err
	}}
}

func (r *run) gasMessage() (*Exchange, *view, error) {
	if err := r.use("entsog"); err != nil {
		return nil, nil, err
	}
	p := xmlPayload()
	p.Properties = []ebms.Property{{Name: "EDIGASDocumentType", Value: "01G"}}
	return r.sent(submission{mode: entsog, noCorners: true, payloads: []Payload{p}})
}

func gasSize(r *run) error {
	_, v, err := r.gasMessage()
	if err != nil {
		return err
	}
	o, err := r.opened(v, entsog)
	if err != nil {
		return err
	}
	for id, b := range o.bodies {
		if b, err = gunzip(b); err != nil {
			return fail("part %s: %v", id, err)
		}
		if len(b) >= 10e6 {
			return fail("part %s has %d octets", id, len(b))
		}
	}
	large := make([]byte, 11<<20)
	copy(large, xmlDocument)
	x, err := r.posted(forgery{mode: entsog, parts: []forgedPart{compressed("xmlpayload@minder", "application/xml", large)}, header: func(um *ebms.UserMessage) { um.Properties, um.ConversationID = nil, "" }})
	if err != nil {
		return err
	}
	return r.refused(x)
}
