package smp

import (
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// vocabulary is where the two dialects of generation 1 differ in names.
type vocabulary struct {
	generation Generation
	smp, ids   string
}

var vocabularies = []*vocabulary{
	{Busdox10, NamespaceBusdox, nsIDs},
	{OASIS10, NamespaceOASIS10, NamespaceOASIS10},
	{OASIS10, nsDraft10, nsDraft10}, // draft of 2014: read, never written
}

func vocabularyOf(space string) *vocabulary {
	for _, v := range vocabularies {
		if v.smp == space {
			return v
		}
	}
	return nil
}

// reader10 reads Busdox [PSMP 4] and OASIS SMP 1.0 [SMP1 2.3].
type reader10 struct{ *vocabulary }

func (r reader10) group(n dom.Node) (*ServiceGroup, error) {
	c := open(n)
	who := c.take(r.ids, "ParticipantIdentifier")
	list := c.take(r.smp, "ServiceMetadataReferenceCollection")
	if err := c.need(who, list); err != nil {
		return nil, err
	}
	sg := &ServiceGroup{Generation: r.generation}
	var err error
	if sg.Participant, err = participantOf(who, "scheme"); err != nil {
		return nil, err
	}
	lc := open(list)
	for ref := lc.take(r.smp, "ServiceMetadataReference"); ref.Valid(); ref = lc.take(r.smp, "ServiceMetadataReference") {
		if len(sg.References) == MaxReferences {
			return nil, ref.Errorf("%w: more than %d references", ErrSyntax, MaxReferences)
		}
		href := attr(ref, "href")
		doc, err := ids.ParseReference(href, sg.Participant)
		if err != nil {
			doc = ids.DocumentType{}
		}
		sg.References = append(sg.References, Reference{Href: href, DocumentType: doc})
	}
	if err := lc.close(); err != nil {
		return nil, err
	}
	if sg.Extensions, err = r.extensions(&c); err != nil {
		return nil, err
	}
	return sg, c.close()
}

func (r reader10) metadata(n dom.Node) (*ServiceMetadata, error) {
	c := open(n)
	info, redirect := c.take(r.smp, "ServiceInformation"), dom.Node{}
	if !info.Valid() {
		redirect = c.take(r.smp, "Redirect")
		if err := c.need(redirect); err != nil {
			return nil, err
		}
	}
	if err := c.close(); err != nil {
		return nil, err
	}
	md := &ServiceMetadata{Generation: r.generation}
	if redirect.Valid() {
		return md, r.redirect(redirect, md)
	}
	return md, r.information(info, md)
}

func (r reader10) redirect(n dom.Node, md *ServiceMetadata) error {
	c := open(n)
	uid := c.take(r.smp, "CertificateUID")
	md.Redirect = &Redirect{Href: attr(n, "href"), CertificateUID: text(uid)}
	var err error
	if md.Redirect.Extensions, err = r.extensions(&c); err != nil {
		return err
	}
	if err := c.close(uid); err != nil {
		return err
	}
	if md.Redirect.Href == "" || md.Redirect.CertificateUID == "" {
		return n.Errorf("%w: redirect without href or CertificateUID", ErrSyntax)
	}
	return nil
}

func (r reader10) information(n dom.Node, md *ServiceMetadata) error {
	c := open(n)
	who := c.take(r.ids, "ParticipantIdentifier")
	doc := c.take(r.ids, "DocumentIdentifier")
	list := c.take(r.smp, "ProcessList")
	if err := c.need(who, doc, list); err != nil {
		return err
	}
	var err error
	if md.Participant, err = participantOf(who, "scheme"); err != nil {
		return err
	}
	if md.DocumentType, err = documentOf(doc, "scheme"); err != nil {
		return err
	}
	lc := open(list)
	for p := lc.take(r.smp, "Process"); p.Valid(); p = lc.take(r.smp, "Process") {
		proc, err := r.process(p)
		if err != nil {
			return err
		}
		md.Processes = append(md.Processes, proc)
	}
	if err := lc.close(); err != nil {
		return err
	}
	if len(md.Processes) == 0 {
		return list.Errorf("%w: no process", ErrSyntax)
	}
	if md.Extensions, err = r.extensions(&c); err != nil {
		return err
	}
	return c.close()
}

func (r reader10) process(n dom.Node) (p Process, err error) {
	c := open(n)
	id := c.take(r.ids, "ProcessIdentifier")
	list := c.take(r.smp, "ServiceEndpointList")
	if err := c.need(id, list); err != nil {
		return p, err
	}
	if p.Process, err = processOf(id, "scheme"); err != nil {
		return p, err
	}
	lc := open(list)
	for e := lc.take(r.smp, "Endpoint"); e.Valid(); e = lc.take(r.smp, "Endpoint") {
		ep, err := r.endpoint(e)
		if err != nil {
			return p, err
		}
		p.Endpoints = append(p.Endpoints, ep)
	}
	if err := lc.close(); err != nil {
		return p, err
	}
	if len(p.Endpoints) == 0 {
		return p, list.Errorf("%w: no endpoint", ErrSyntax)
	}
	if p.Extensions, err = r.extensions(&c); err != nil {
		return p, err
	}
	return p, c.close()
}

func (r reader10) endpoint(n dom.Node) (e Endpoint, err error) {
	c := open(n)
	e.TransportProfile = attr(n, "transportProfile")
	if e.TransportProfile == "" && r.generation == OASIS10 {
		return e, n.Errorf("%w: no transportProfile [SMP1 2.3.4]", ErrSyntax)
	}
	if r.generation == Busdox10 {
		ref := c.take(nsWSA, "EndpointReference")
		if err := c.need(ref); err != nil {
			return e, err
		}
		e.URL = text(ref.Child(nsWSA, "Address")) // further children belong to WS-Addressing and say nothing here
	} else {
		uri := c.take(r.smp, "EndpointURI")
		if err := c.need(uri); err != nil {
			return e, err
		}
		e.URL = text(uri)
	}
	if e.URL == "" {
		return e, n.Errorf("%w: endpoint without address", ErrSyntax)
	}
	if b := c.take(r.smp, "RequireBusinessLevelSignature"); b.Valid() {
		if e.RequireBusinessSignature, err = boolean(b); err != nil {
			return e, err
		}
	}
	e.MinimumAuthenticationLevel = text(c.take(r.smp, "MinimumAuthenticationLevel"))
	if e.Activation, err = dateTimeOf(c.take(r.smp, "ServiceActivationDate")); err != nil {
		return e, err
	}
	if e.Expiration, err = dateTimeOf(c.take(r.smp, "ServiceExpirationDate")); err != nil {
		return e, err
	}
	cert := c.take(r.smp, "Certificate")
	if err := c.need(cert); err != nil {
		return e, err
	}
	if e.Certificate, err = certificateOf(cert); err != nil {
		return e, err
	}
	e.Description = text(c.take(r.smp, "ServiceDescription")) // both are left out by servers in the wild
	e.Contact = text(c.take(r.smp, "TechnicalContactUrl"))
	e.Information = text(c.take(r.smp, "TechnicalInformationUrl"))
	if e.Extensions, err = r.extensions(&c); err != nil {
		return e, err
	}
	return e, c.close()
}

// extensions reads as many as there are, also in Busdox, where the schema allows one.
func (r reader10) extensions(c *cursor) (list []Extension, err error) {
	for x := c.take(r.smp, "Extension"); x.Valid(); x = c.take(r.smp, "Extension") {
		e, err := extensionOf(r.generation, x)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

func boolean(n dom.Node) (bool, error) {
	switch s := text(n); s {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	default:
		return false, n.Errorf("%w: %q is no boolean", ErrSyntax, s)
	}
}
