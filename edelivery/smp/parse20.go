package smp

import (
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// reader20 reads OASIS SMP 2.0 [SMP2 4]. An SMPExtensions element is always the first child.
type reader20 struct{}

func (r reader20) group(n dom.Node) (*ServiceGroup, error) {
	c := open(n)
	sg := &ServiceGroup{Generation: OASIS20}
	var err error
	if sg.Extensions, err = r.extensions(&c); err != nil {
		return nil, err
	}
	version := c.take(nsSMB, "SMPVersionID")
	who := c.take(nsSMB, "ParticipantID")
	if err := c.need(version, who); err != nil {
		return nil, err
	}
	if err := r.version(version); err != nil {
		return nil, err
	}
	if sg.Participant, err = participantOf(who, "schemeID"); err != nil {
		return nil, err
	}
	for s := c.take(nsSMA, "ServiceReference"); s.Valid(); s = c.take(nsSMA, "ServiceReference") {
		if len(sg.References) == MaxReferences {
			return nil, s.Errorf("%w: more than %d references", ErrSyntax, MaxReferences)
		}
		ref, err := r.reference(s)
		if err != nil {
			return nil, err
		}
		sg.References = append(sg.References, ref)
	}
	for c.take(nsDS, "Signature").Valid() {
		sg.Signed = true
	}
	return sg, c.close()
}

func (r reader20) reference(n dom.Node) (ref Reference, err error) {
	c := open(n)
	c.take(nsExt, "SMPExtensions")
	id := c.take(nsSMB, "ID")
	if err := c.need(id); err != nil {
		return ref, err
	}
	if ref.DocumentType, err = documentOf(id, "schemeID"); err != nil {
		return ref, err
	}
	for p := c.take(nsSMA, "Process"); p.Valid(); p = c.take(nsSMA, "Process") {
		var proc Process
		if err := r.process(p, &proc); err != nil {
			return ref, err
		}
		ref.Processes = append(ref.Processes, proc.Process)
	}
	return ref, c.close()
}

func (r reader20) metadata(n dom.Node) (*ServiceMetadata, error) {
	c := open(n)
	md := &ServiceMetadata{Generation: OASIS20}
	var err error
	if md.Extensions, err = r.extensions(&c); err != nil {
		return nil, err
	}
	version := c.take(nsSMB, "SMPVersionID")
	id := c.take(nsSMB, "ID")
	who := c.take(nsSMB, "ParticipantID")
	if err := c.need(version, id, who); err != nil {
		return nil, err
	}
	if err := r.version(version); err != nil {
		return nil, err
	}
	if md.DocumentType, err = documentOf(id, "schemeID"); err != nil {
		return nil, err
	}
	if md.Participant, err = participantOf(who, "schemeID"); err != nil {
		return nil, err
	}
	blocks := 0
	for p := c.take(nsSMA, "ProcessMetadata"); p.Valid(); p = c.take(nsSMA, "ProcessMetadata") {
		blocks++
		if md.Processes, err = r.processMetadata(p, md.Processes); err != nil {
			return nil, err
		}
	}
	if blocks == 0 {
		return nil, n.Errorf("%w: no ProcessMetadata", ErrSyntax)
	}
	for c.take(nsDS, "Signature").Valid() {
	}
	if err := c.close(); err != nil {
		return nil, err
	}
	// A redirect of everything is what generation 1 calls the Redirect of the whole document.
	if len(md.Processes) == 1 && md.Processes[0].Redirect != nil && md.Processes[0].Process == (ids.Process{}) {
		md.Redirect, md.Processes = md.Processes[0].Redirect, nil
	}
	return md, nil
}

// processMetadata appends one entry a process; several processes of one block share its endpoints.
func (r reader20) processMetadata(n dom.Node, list []Process) ([]Process, error) {
	c := open(n)
	ext, err := r.extensions(&c)
	if err != nil {
		return nil, err
	}
	first := len(list)
	for p := c.take(nsSMA, "Process"); p.Valid(); p = c.take(nsSMA, "Process") {
		proc := Process{Extensions: ext}
		if err := r.process(p, &proc); err != nil {
			return nil, err
		}
		list = append(list, proc)
	}
	if len(list) == first {
		list = append(list, Process{Extensions: ext})
	}
	var endpoints []Endpoint
	for e := c.take(nsSMA, "Endpoint"); e.Valid(); e = c.take(nsSMA, "Endpoint") {
		ep, err := r.endpoint(e)
		if err != nil {
			return nil, err
		}
		endpoints = append(endpoints, ep)
	}
	var redirect *Redirect
	if rd := c.take(nsSMA, "Redirect"); rd.Valid() {
		if redirect, err = r.redirect(rd); err != nil {
			return nil, err
		}
	}
	if err := c.close(); err != nil {
		return nil, err
	}
	if (redirect != nil) == (len(endpoints) > 0) {
		return nil, n.Errorf("%w: either endpoints or one redirect [SMP2 4.3.4]", ErrSyntax)
	}
	for i := first; i < len(list); i++ {
		list[i].Endpoints, list[i].Redirect = endpoints, redirect
	}
	return list, nil
}

func (r reader20) process(n dom.Node, p *Process) (err error) {
	c := open(n)
	c.take(nsExt, "SMPExtensions")
	id := c.take(nsSMB, "ID")
	if err := c.need(id); err != nil {
		return err
	}
	if p.Process, err = processOf(id, "schemeID"); err != nil {
		return err
	}
	for role := c.take(nsSMB, "RoleID"); role.Valid(); role = c.take(nsSMB, "RoleID") {
		p.Roles = append(p.Roles, text(role))
	}
	return c.close()
}

func (r reader20) endpoint(n dom.Node) (e Endpoint, err error) {
	c := open(n)
	if e.Extensions, err = r.extensions(&c); err != nil {
		return e, err
	}
	profile := c.take(nsSMB, "TransportProfileID")
	if err := c.need(profile); err != nil {
		return e, err
	}
	if e.TransportProfile = text(profile); e.TransportProfile == "" {
		return e, profile.Errorf("%w: empty transport profile", ErrSyntax)
	}
	e.Description = text(c.take(nsSMB, "Description"))
	e.Contact = text(c.take(nsSMB, "Contact"))
	e.URL = text(c.take(nsSMB, "AddressURI"))
	if e.Activation, err = dateOf(c.take(nsSMB, "ActivationDate")); err != nil {
		return e, err
	}
	if e.Expiration, err = dateOf(c.take(nsSMB, "ExpirationDate")); err != nil {
		return e, err
	}
	for n := c.take(nsSMA, "Certificate"); n.Valid(); n = c.take(nsSMA, "Certificate") {
		if err := r.endpointCertificate(n, &e); err != nil {
			return e, err
		}
	}
	return e, c.close()
}

func (r reader20) endpointCertificate(n dom.Node, e *Endpoint) error {
	cert, code, err := r.certificate(n)
	if err != nil {
		return err
	}
	slot := &e.Certificate
	switch useOf(code) {
	case useSigning:
		slot = &e.SigningCertificate
	case useEncryption:
		slot = &e.EncryptionCertificate
	}
	// Two certificates for one use have adjoining validity when keys change; the one that starts later wins, so that
	// the choice does not depend on the order.
	if *slot == nil || cert.NotBefore.After((*slot).NotBefore) {
		*slot = cert
	}
	return nil
}

func (r reader20) redirect(n dom.Node) (*Redirect, error) {
	c := open(n)
	rd := &Redirect{}
	var err error
	if rd.Extensions, err = r.extensions(&c); err != nil {
		return nil, err
	}
	uri := c.take(nsSMB, "PublisherURI")
	if err := c.need(uri); err != nil {
		return nil, err
	}
	if rd.Href = text(uri); rd.Href == "" {
		return nil, uri.Errorf("%w: empty", ErrSyntax)
	}
	if cn := c.take(nsSMA, "Certificate"); cn.Valid() {
		if rd.Certificate, _, err = r.certificate(cn); err != nil {
			return nil, err
		}
	}
	return rd, c.close()
}

func (r reader20) certificate(n dom.Node) (cert *pki.Certificate, typeCode string, err error) {
	c := open(n)
	c.take(nsExt, "SMPExtensions")
	typeCode = text(c.take(nsSMB, "TypeCode"))
	c.take(nsSMB, "Description")
	for _, name := range []string{"ActivationDate", "ExpirationDate"} { // the certificate itself says when it is valid
		if _, err := dateOf(c.take(nsSMB, name)); err != nil {
			return nil, "", err
		}
	}
	content := c.take(nsSMB, "ContentBinaryObject")
	if err := c.close(content); err != nil {
		return nil, "", err
	}
	cert, err = certificateOf(content)
	if err == nil && cert == nil {
		err = content.Errorf("%w: empty certificate", ErrSyntax)
	}
	return cert, typeCode, err
}

func (r reader20) version(n dom.Node) error {
	if v := text(n); v != "2.0" {
		return n.Errorf("%w: SMPVersionID %q instead of 2.0 [SMP2 4.2]", ErrSyntax, v)
	}
	return nil
}

// extensions reads the optional SMPExtensions; each SMPExtension in it becomes one Extension.
func (r reader20) extensions(c *cursor) (list []Extension, err error) {
	all := c.take(nsExt, "SMPExtensions")
	if !all.Valid() {
		return nil, nil
	}
	xc := open(all)
	for x := xc.take(nsExt, "SMPExtension"); x.Valid(); x = xc.take(nsExt, "SMPExtension") {
		e, err := extensionOf(OASIS20, x)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, xc.close()
}
