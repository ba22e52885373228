package pmode

import (
	"cmp"
	"strconv"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// indenter writes elements on lines of their own.
type indenter struct {
	w     *dom.Writer
	depth int
}

func (x *indenter) line() {
	const tabs = "\n                                "
	x.w.Text(tabs[:1+2*min(x.depth, 16)])
}

// leaf writes an element without content; attributes are pairs of name and value.
func (x *indenter) leaf(name string, attrs ...string) {
	x.line()
	x.w.Start(name, attrs...)
	x.w.End()
}

// group writes an element with what inside writes.
func (x *indenter) group(name string, inside func(), attrs ...string) {
	x.line()
	x.w.Start(name, attrs...)
	x.depth++
	inside()
	x.depth--
	x.line()
	x.w.End()
}

func each[T any](list []T, do func(*T)) func() {
	return func() {
		for i := range list {
			do(&list[i])
		}
	}
}

func yes(b bool) string { return strconv.FormatBool(b) }

func num(n int) string { return strconv.Itoa(n) }

// with adds an attribute that has a value.
func with(attrs []string, name, value string) []string {
	if value == "" {
		return attrs
	}
	return append(attrs, name, value)
}

// Bytes writes the file by the schema of Domibus 5.1. A file that was read and has no problems is equal when it is read
// again, but for what later versions put in, comments, and the attributes that nothing uses.
func (d *Domibus) Bytes() []byte {
	x := &indenter{w: dom.NewWriter(make([]byte, 0, 16<<10))}
	x.w.Raw([]byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
	x.w.Start("db:configuration", "xmlns:db", nsDomibus, "party", d.Party)
	x.depth = 1
	x.group("mpcs", each(d.MPCs, func(m *MPC) {
		x.leaf("mpc", "name", m.Name, "qualifiedName", m.QualifiedName, "enabled", yes(m.Enabled), "default", yes(m.Default),
			"retention_downloaded", num(m.RetentionDownloaded), "retention_undownloaded", num(m.RetentionUndownloaded), "retention_sent", num(m.RetentionSent),
			"retention_metadata_offset", num(m.RetentionMetadata), "delete_message_metadata", yes(m.DeleteMetadata), "max_batch_delete", num(m.MaxBatchDelete))
	}))
	x.group("businessProcesses", func() { d.processes(x) })
	x.depth = 0
	x.line()
	x.w.End()
	x.w.Raw([]byte("\n"))
	return x.w.Bytes()
}

func (d *Domibus) processes(x *indenter) {
	named := func(element string) func(*Named) {
		return func(n *Named) { x.leaf(element, "name", n.Name, "value", n.Value) }
	}
	typed := func(element string) func(*Typed) {
		return func(t *Typed) { x.leaf(element, with([]string{"name", t.Name, "value", t.Value}, "type", t.Type)...) }
	}
	refs := func(element, attr string, list []string) func() {
		return each(list, func(name *string) { x.leaf(element, attr, *name) })
	}
	x.group("roles", each(d.Roles, func(n *Named) { x.leaf("role", "name", n.Name, "value", cmp.Or(n.Value, " ")) })) // empty ones are written so
	x.group("parties", func() {
		x.group("partyIdTypes", each(d.PartyIDTypes, named("partyIdType")))
		for _, p := range d.Parties {
			x.group("party", each(p.Identifiers, func(id *Identifier) {
				x.leaf("identifier", with([]string{"partyId", id.ID}, "partyIdType", id.Type)...)
			}), "name", p.Name, "endpoint", p.Endpoint)
		}
	})
	x.group("meps", func() {
		each(d.MEPs, func(m *MEP) { x.leaf("mep", "name", m.Name, "value", m.Value, "legs", num(m.Legs)) })()
		each(d.Bindings, named("binding"))()
	})
	x.group("properties", func() {
		each(d.Properties, func(p *Property) {
			x.leaf("property", "name", p.Name, "key", p.Key, "datatype", p.Datatype, "required", yes(p.Required))
		})()
		for _, s := range d.PropertySets {
			x.group("propertySet", refs("propertyRef", "property", s.Members), "name", s.Name)
		}
	})
	if len(d.Payloads)+len(d.PayloadProfiles) > 0 {
		x.group("payloadProfiles", func() { d.payloads(x) })
	}
	x.group("securities", each(d.Securities, func(s *DomibusSecurity) {
		x.leaf("security", with(with(with([]string{"name", s.Name}, "policy", s.Policy), "signatureMethod", s.SignatureMethod), "profile", s.Profile)...)
	}))
	x.group("errorHandlings", each(d.ErrorHandlings, func(e *ErrorHandling) {
		x.leaf("errorHandling", "name", e.Name, "errorAsResponse", yes(e.AsResponse), "businessErrorNotifyProducer", yes(e.BusinessErrorNotifyProducer),
			"businessErrorNotifyConsumer", yes(e.BusinessErrorNotifyConsumer), "deliveryFailureNotifyProducer", yes(e.DeliveryFailureNotifyProducer))
	}))
	x.group("agreements", each(d.Agreements, typed("agreement")))
	x.group("services", each(d.Services, typed("service")))
	x.group("actions", each(d.Actions, named("action")))
	x.group("as4", func() {
		each(d.ReceptionAwareness, func(a *ReceptionAwareness) {
			x.leaf("receptionAwareness", append(with([]string{"name", a.Name}, "retry", a.Retry), "duplicateDetection", yes(a.DuplicateDetection))...)
		})()
		each(d.Reliabilities, func(l *Reliability) {
			x.leaf("reliability", "name", l.Name, "replyPattern", l.ReplyPattern, "nonRepudiation", yes(l.NonRepudiation))
		})()
	})
	if len(d.Splittings) > 0 {
		x.group("splittingConfigurations", each(d.Splittings, func(s *Splitting) {
			x.leaf("splitting", with([]string{"name", s.Name, "fragmentSize", num(s.FragmentSize), "compression", yes(s.Compression), "joinInterval", num(s.JoinInterval)}, "compressionAlgorithm", s.Algorithm)...)
		}))
	}
	x.group("legConfigurations", each(d.Legs, func(l *DomibusLeg) {
		attrs := []string{"name", l.Name, "service", l.Service, "action", l.Action, "defaultMpc", l.MPC, "reliability", l.Reliability, "security", l.Security,
			"receptionAwareness", l.ReceptionAwareness, "errorHandling", l.ErrorHandling, "compressPayloads", yes(l.Compress)}
		x.leaf("legConfiguration", with(with(with(attrs, "propertySet", l.PropertySet), "payloadProfile", l.PayloadProfile), "splitting", l.Splitting)...)
	}))
	for _, p := range d.Processes {
		x.group("process", func() {
			if p.Initiators != nil {
				x.group("initiatorParties", refs("initiatorParty", "name", p.Initiators))
			}
			if p.Responders != nil {
				x.group("responderParties", refs("responderParty", "name", p.Responders))
			}
			x.group("legs", refs("leg", "name", p.Legs))
		}, with([]string{"name", p.Name, "mep", p.MEP, "binding", p.Binding, "initiatorRole", p.InitiatorRole, "responderRole", p.ResponderRole}, "agreement", p.Agreement)...)
	}
}

func (d *Domibus) payloads(x *indenter) {
	for _, p := range d.Payloads {
		attrs := with(with(with([]string{"name", p.Name, "cid", p.ContentID, "required", yes(p.Required)}, "mimeType", p.MimeType), "inBody", p.InBody), "schemaFile", p.Schema)
		if p.MaxSize != 0 {
			attrs = append(attrs, "maxSize", strconv.FormatInt(p.MaxSize, 10))
		}
		x.leaf("payload", attrs...)
	}
	for _, p := range d.PayloadProfiles {
		x.group("payloadProfile", each(p.Payloads, func(name *string) { x.leaf("attachment", "name", *name) }), "name", p.Name, "maxSize", strconv.FormatInt(p.MaxSize, 10))
	}
}

// ReadDomibus reads a Domibus file as it stands, without taking anybody's side. Names that lead nowhere are refused as
// in [Read].
func ReadDomibus(octets []byte, file string) (*Domibus, Problems, error) {
	doc, err := parse(octets, file)
	if err != nil {
		return nil, nil, err
	}
	root := doc.Root()
	if !root.Is(nsDomibus, "configuration") {
		line, _ := root.Pos()
		return nil, nil, Problems{{File: file, Line: line, Where: root.QName(), Rule: RuleSyntax, Text: "is no Domibus configuration"}}
	}
	d, r := readDomibus(doc, file)
	d.check(r, d.index())
	refusals, warnings := r.problems.split()
	if len(refusals) > 0 {
		return nil, warnings, refusals
	}
	return d, warnings, nil
}
