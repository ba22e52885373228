package smp

import (
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// writer20 writes OASIS SMP 2.0 [SMP2 4].
type writer20 struct{ *dom.Writer }

func (w writer20) start(name, space string) {
	w.Start(name, "xmlns:smp", space, "xmlns:sma", nsSMA, "xmlns:smb", nsSMB, "xmlns:ext", nsExt)
}

func (w writer20) group(sg *ServiceGroup) error {
	w.start("smp:ServiceGroup", NamespaceGroup20)
	defer w.End()
	if err := w.extensions(sg.Extensions); err != nil {
		return err
	}
	w.Element("smb:SMPVersionID", "2.0")
	w.Element("smb:ParticipantID", sg.Participant.Value, attrScheme("schemeID", sg.Participant.Scheme)...)
	for _, ref := range sg.References {
		w.Start("sma:ServiceReference")
		w.Element("smb:ID", ref.DocumentType.Value, attrScheme("schemeID", ref.DocumentType.Scheme)...)
		for _, p := range ref.Processes {
			w.process(&Process{Process: p})
		}
		w.End()
	}
	return nil
}

func (w writer20) metadata(md *ServiceMetadata) error {
	w.start("smp:ServiceMetadata", NamespaceMeta20)
	defer w.End()
	if err := w.extensions(md.Extensions); err != nil {
		return err
	}
	w.Element("smb:SMPVersionID", "2.0")
	w.Element("smb:ID", md.DocumentType.Value, attrScheme("schemeID", md.DocumentType.Scheme)...)
	w.Element("smb:ParticipantID", md.Participant.Value, attrScheme("schemeID", md.Participant.Scheme)...)
	if md.Redirect != nil {
		return w.processMetadata(&Process{Redirect: md.Redirect})
	}
	for i := range md.Processes {
		if err := w.processMetadata(&md.Processes[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w writer20) processMetadata(p *Process) error {
	w.Start("sma:ProcessMetadata")
	defer w.End()
	if err := w.extensions(p.Extensions); err != nil {
		return err
	}
	if !p.Process.IsZero() {
		w.process(p)
	}
	for i := range p.Endpoints {
		if err := w.endpoint(&p.Endpoints[i]); err != nil {
			return err
		}
	}
	if p.Redirect != nil {
		w.Start("sma:Redirect")
		defer w.End()
		if err := w.extensions(p.Redirect.Extensions); err != nil {
			return err
		}
		w.Element("smb:PublisherURI", p.Redirect.Href)
		w.certificate(p.Redirect.Certificate, "")
	}
	return nil
}

func (w writer20) process(p *Process) {
	w.Start("sma:Process")
	w.Element("smb:ID", p.Process.Value, attrScheme("schemeID", p.Process.Scheme)...)
	for _, role := range p.Roles {
		w.Element("smb:RoleID", role)
	}
	w.End()
}

func (w writer20) endpoint(e *Endpoint) error {
	w.Start("sma:Endpoint")
	defer w.End()
	if err := w.extensions(e.Extensions); err != nil {
		return err
	}
	w.Element("smb:TransportProfileID", e.TransportProfile)
	w.optional("smb:Description", e.Description)
	w.optional("smb:Contact", e.Contact)
	w.optional("smb:AddressURI", e.URL)
	if !e.Activation.IsZero() {
		w.Element("smb:ActivationDate", firstDay(e.Activation))
	}
	if !e.Expiration.IsZero() {
		w.Element("smb:ExpirationDate", lastDay(e.Expiration))
	}
	w.certificate(e.Certificate, TypeCodeAny)
	w.certificate(e.SigningCertificate, TypeCodeSigning)
	w.certificate(e.EncryptionCertificate, TypeCodeEncryption)
	return nil
}

func (w writer20) optional(name, text string) {
	if text != "" {
		w.Element(name, text)
	}
}

func (w writer20) certificate(c *pki.Certificate, typeCode string) {
	if c == nil {
		return
	}
	w.Start("sma:Certificate")
	w.optional("smb:TypeCode", typeCode)
	w.Element("smb:Description", c.Subject.String())
	w.Element("smb:ActivationDate", c.NotBefore.UTC().Format("2006-01-02"))
	w.Element("smb:ExpirationDate", c.NotAfter.UTC().Format("2006-01-02"))
	w.Start("smb:ContentBinaryObject", "mimeCode", "application/base64")
	w.Base64(c.Raw)
	w.End()
	w.End()
}

func (w writer20) extensions(list []Extension) error {
	list = ofGeneration(list, OASIS20)
	if len(list) == 0 {
		return nil
	}
	w.Start("ext:SMPExtensions")
	defer w.End()
	for _, x := range list {
		if _, err := extensionElements(x); err != nil {
			return err
		}
		w.Start("ext:SMPExtension")
		w.Raw(x.Content)
		w.End()
	}
	return nil
}
