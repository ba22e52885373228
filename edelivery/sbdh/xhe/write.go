package xhe

import (
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const dateTime = "2006-01-02T15:04:05.999Z07:00"

// Append appends the XHE element. Payload.XML is taken as it is; it must be one element, and elements in it that have no
// namespace must say so with xmlns="".
func (e *Envelope) Append(w *dom.Writer) {
	w.Start("XHE", "xmlns", Namespace, "xmlns:xha", Aggregates, "xmlns:xhb", Basics)
	w.Element("xhb:XHEVersionID", "1.0")
	optional(w, "xhb:CustomizationID", e.CustomizationID)
	optional(w, "xhb:ProfileID", e.ProfileID)
	optional(w, "xhb:ProfileExecutionID", e.ProfileExecutionID)
	w.Start("xha:Header")
	w.Element("xhb:ID", e.ID)
	optional(w, "xhb:UUID", e.UUID)
	w.Element("xhb:CreationDateTime", e.Created.Format(dateTime))
	if len(e.Scope)+len(e.References) > 0 {
		w.Start("xha:BusinessScope")
		for _, c := range e.Scope {
			w.Start("xha:BusinessScopeCriterion")
			w.Element("xhb:BusinessScopeCriterionTypeCode", c.Type)
			w.Element("xhb:BusinessScopeCriterionValue", c.Value)
			w.End()
		}
		for i := range e.References {
			e.References[i].append(w, "xha:ExternalReference")
		}
		w.End()
	}
	if len(e.From) > 0 {
		e.From.append(w, "xha:FromParty")
	}
	for _, to := range e.To {
		to.append(w, "xha:ToParty")
	}
	w.End()
	if len(e.Payloads) > 0 {
		w.Start("xha:Payloads")
		for i := range e.Payloads {
			e.Payloads[i].append(w)
		}
		w.End()
	}
	w.End()
}

func optional(w *dom.Writer, name, text string) {
	if text != "" {
		w.Element(name, text)
	}
}

func (p Party) append(w *dom.Writer, name string) {
	w.Start(name)
	for _, id := range p {
		w.Start("xha:PartyIdentification")
		appendID(w, id)
		w.End()
	}
	w.End()
}

func appendID(w *dom.Writer, id ids.Participant) {
	if id.Scheme == "" {
		w.Element("xhb:ID", id.Value)
		return
	}
	w.Element("xhb:ID", id.Value, "schemeID", id.Scheme)
}

func (r *Reference) append(w *dom.Writer, name string) {
	if r == nil {
		return
	}
	w.Start(name)
	w.Element("xhb:ID", r.ID)
	appendTime(w, "xhb:AvailabilityStartDateTime", r.Start)
	appendTime(w, "xhb:AvailabilityEndDateTime", r.End)
	w.End()
}

func appendTime(w *dom.Writer, name string, t time.Time) {
	if !t.IsZero() {
		w.Element(name, t.Format(dateTime))
	}
}

func (p *Payload) append(w *dom.Writer) {
	w.Start("xha:Payload")
	optional(w, "xhb:ID", p.ID)
	for _, d := range p.Descriptions {
		w.Element("xhb:Description", d)
	}
	optional(w, "xhb:DocumentTypeCode", p.DocumentType)
	optional(w, "xhb:ContentTypeCode", p.ContentType)
	optional(w, "xhb:CustomizationID", p.CustomizationID)
	optional(w, "xhb:ProfileID", p.ProfileID)
	optional(w, "xhb:ProfileExecutionID", p.ProfileExecutionID)
	optional(w, "xhb:HandlingServiceID", p.HandlingServiceID)
	optional(w, "xhb:ValidationTypeCode", p.ValidationType)
	optional(w, "xhb:ValidationVersionID", p.ValidationVersion)
	encrypted := "false"
	if p.Encrypted {
		encrypted = "true"
	}
	w.Element("xhb:InstanceEncryptionIndicator", encrypted)
	optional(w, "xhb:InstanceEncryptionMethod", p.EncryptionMethod)
	optional(w, "xhb:InstanceHashValue", p.HashValue)
	p.DecryptionInformation.append(w, "xha:InstanceDecryptionInformationExternalReference")
	p.DecryptionKey.append(w, "xha:InstanceDecryptionKeyExternalReference")
	for i := range p.Relevant {
		p.Relevant[i].append(w, "xha:RelevantExternalReference")
	}
	switch {
	case p.External != nil:
		p.External.append(w, "xha:PayloadExternalReference")
	case p.XML != nil:
		w.Start("xha:PayloadContent")
		w.Raw(p.XML)
		w.End()
	case p.Text != "":
		w.Element("xha:PayloadContent", p.Text)
	}
	w.End()
}
