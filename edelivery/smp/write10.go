package smp

import (
	"fmt"
	"strconv"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// writer10 writes Busdox and OASIS 1.0. Every element has a prefix: extension content without namespace stays
// without one.
type writer10 struct {
	*dom.Writer
	g Generation
}

func (w writer10) start(name string) {
	if w.g == Busdox10 {
		w.Start(name, "xmlns:smp", NamespaceBusdox, "xmlns:ids", nsIDs, "xmlns:wsa", nsWSA)
		return
	}
	w.Start(name, "xmlns:smp", NamespaceOASIS10)
}

func (w writer10) id(name, scheme, value string) {
	prefix := "smp:"
	if w.g == Busdox10 {
		prefix = "ids:"
	}
	w.Element(prefix+name, value, attrScheme("scheme", scheme)...)
}

func (w writer10) group(sg *ServiceGroup, base string) error {
	w.start("smp:ServiceGroup")
	w.id("ParticipantIdentifier", sg.Participant.Scheme, sg.Participant.Value)
	w.Start("smp:ServiceMetadataReferenceCollection")
	for _, ref := range sg.References {
		w.Element("smp:ServiceMetadataReference", "", "href", href(base, sg.Participant, ref))
	}
	w.End()
	err := w.extensions(sg.Extensions)
	w.End()
	return err
}

// document writes ServiceMetadata, or SignedServiceMetadata still without its signature.
func (w writer10) document(md *ServiceMetadata, envelope bool) error {
	if envelope {
		w.start("smp:SignedServiceMetadata")
		w.Start("smp:ServiceMetadata")
		defer w.End()
	} else {
		w.start("smp:ServiceMetadata")
	}
	defer w.End()
	if r := md.Redirect; r != nil {
		w.Start("smp:Redirect", "href", r.Href)
		defer w.End()
		w.Element("smp:CertificateUID", r.CertificateUID)
		return w.extensions(r.Extensions)
	}
	w.Start("smp:ServiceInformation")
	defer w.End()
	w.id("ParticipantIdentifier", md.Participant.Scheme, md.Participant.Value)
	w.id("DocumentIdentifier", md.DocumentType.Scheme, md.DocumentType.Value)
	w.Start("smp:ProcessList")
	for i := range md.Processes {
		if err := w.process(&md.Processes[i]); err != nil {
			w.End()
			return err
		}
	}
	w.End()
	return w.extensions(md.Extensions)
}

func (w writer10) process(p *Process) error {
	w.Start("smp:Process")
	defer w.End()
	w.id("ProcessIdentifier", p.Process.Scheme, p.Process.Value)
	w.Start("smp:ServiceEndpointList")
	for i := range p.Endpoints {
		if err := w.endpoint(&p.Endpoints[i]); err != nil {
			w.End()
			return err
		}
	}
	w.End()
	return w.extensions(p.Extensions)
}

func (w writer10) endpoint(e *Endpoint) error {
	cert, err := e.single()
	if err != nil {
		return err
	}
	w.Start("smp:Endpoint", "transportProfile", e.TransportProfile)
	defer w.End()
	if w.g == Busdox10 {
		w.Start("wsa:EndpointReference")
		w.Element("wsa:Address", e.URL)
		w.End()
	} else {
		w.Element("smp:EndpointURI", e.URL)
	}
	w.Element("smp:RequireBusinessLevelSignature", strconv.FormatBool(e.RequireBusinessSignature))
	w.optional("smp:MinimumAuthenticationLevel", e.MinimumAuthenticationLevel)
	if !e.Activation.IsZero() {
		w.Element("smp:ServiceActivationDate", formatDateTime(e.Activation))
	}
	if !e.Expiration.IsZero() {
		w.Element("smp:ServiceExpirationDate", formatDateTime(e.Expiration))
	}
	w.Start("smp:Certificate")
	if cert != nil {
		w.Base64(cert.Raw)
	}
	w.End()
	w.Element("smp:ServiceDescription", e.Description)
	w.Element("smp:TechnicalContactUrl", e.Contact)
	w.optional("smp:TechnicalInformationUrl", e.Information)
	return w.extensions(e.Extensions)
}

func (w writer10) optional(name, text string) {
	if text != "" {
		w.Element(name, text)
	}
}

func (w writer10) extensions(list []Extension) error {
	list = ofGeneration(list, w.g)
	if w.g == Busdox10 && len(list) > 1 {
		return fmt.Errorf("%w: Busdox has room for one extension, not %d", ErrSyntax, len(list))
	}
	for _, x := range list {
		n, err := extensionElements(x)
		if err != nil {
			return err
		}
		if w.g == Busdox10 && n != 1 {
			return fmt.Errorf("%w: a Busdox extension is one element, not %d", ErrSyntax, n)
		}
		w.Start("smp:Extension")
		w.Raw(x.Content)
		w.End()
	}
	return nil
}
