package smp

import (
	"fmt"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" // demanded with encoding [PSMP 5.2]

// WriteServiceGroup writes a ServiceGroup by the schema of the generation. In generation 1 the hrefs are taken from
// the references where they are set and made from base, the public address of the SMP, otherwise.
func WriteServiceGroup(sg *ServiceGroup, g Generation, base string) ([]byte, error) {
	if sg.Participant.IsZero() {
		return nil, fmt.Errorf("%w: service group without participant", ErrSyntax)
	}
	for i, ref := range sg.References {
		if ref.DocumentType.IsZero() && (g == OASIS20 || ref.Href == "") {
			return nil, fmt.Errorf("%w: reference %d names no document type", ErrSyntax, i+1)
		}
	}
	w := dom.NewWriter([]byte(declaration))
	var err error
	switch g {
	case Busdox10:
		err = writer10{w, Busdox10}.group(sg, base)
	case OASIS10:
		err = writer10{w, OASIS10}.group(sg, base)
	case OASIS20:
		err = writer20{w}.group(sg)
	default:
		err = fmt.Errorf("smp: no generation %d", g)
	}
	if err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}

// WriteServiceMetadata writes unsigned metadata by the schema of the generation: what a management request takes.
func WriteServiceMetadata(md *ServiceMetadata, g Generation) ([]byte, error) {
	return write(md, g, false)
}

func write(md *ServiceMetadata, g Generation, envelope bool) ([]byte, error) {
	if err := check(md, g); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	w := dom.NewWriter([]byte(declaration))
	var err error
	if g == OASIS20 {
		err = writer20{w}.metadata(md)
	} else {
		err = writer10{w, g}.document(md, envelope)
	}
	if err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}

// check refuses what the schema of the generation cannot say.
func check(md *ServiceMetadata, g Generation) error {
	switch {
	case g < Busdox10 || g > OASIS20:
		return fmt.Errorf("no generation %d", g)
	case (md.Redirect != nil) == (len(md.Processes) > 0):
		return fmt.Errorf("either processes or a redirect")
	case md.Redirect != nil:
		if g == OASIS20 {
			return checkIdentified(md)
		}
		return checkRedirect(md.Redirect, g)
	}
	if err := checkIdentified(md); err != nil {
		return err
	}
	for i := range md.Processes {
		if err := checkProcess(&md.Processes[i], g); err != nil {
			return err
		}
	}
	return nil
}

func checkIdentified(md *ServiceMetadata) error {
	if md.Participant.IsZero() || md.DocumentType.IsZero() {
		return fmt.Errorf("no participant or no document type")
	}
	return nil
}

func checkRedirect(r *Redirect, g Generation) error {
	switch {
	case r.Href == "":
		return fmt.Errorf("redirect without address")
	case g != OASIS20 && r.CertificateUID == "":
		return fmt.Errorf("redirect without CertificateUID")
	}
	return nil
}

func checkProcess(p *Process, g Generation) error {
	switch {
	case g != OASIS20 && p.Process.IsZero():
		return fmt.Errorf("%s cannot say \"every process\"", g)
	case g != OASIS20 && p.Redirect != nil:
		return fmt.Errorf("%s cannot redirect one process", g)
	case (p.Redirect != nil) == (len(p.Endpoints) > 0):
		return fmt.Errorf("process %s has neither or both of endpoints and redirect", p.Process)
	case p.Redirect != nil:
		return checkRedirect(p.Redirect, g)
	}
	for i := range p.Endpoints {
		if err := checkEndpoint(&p.Endpoints[i], g); err != nil {
			return fmt.Errorf("process %s: %w", p.Process, err)
		}
	}
	return nil
}

func checkEndpoint(e *Endpoint, g Generation) error {
	switch {
	case e.TransportProfile == "":
		return fmt.Errorf("endpoint without transport profile")
	case !e.Activation.IsZero() && !e.Expiration.IsZero() && !e.Activation.Before(e.Expiration):
		return fmt.Errorf("endpoint expires before it begins")
	case g == OASIS20:
		if !e.Activation.IsZero() && !e.Expiration.IsZero() && firstDay(e.Activation) >= lastDay(e.Expiration) {
			return fmt.Errorf("endpoint is active for less than a day, which OASIS 2.0 cannot say")
		}
		return nil
	case e.URL == "":
		return fmt.Errorf("endpoint without address")
	}
	_, err := e.single()
	return err
}

// single is the one certificate that generation 1 has room for.
func (e *Endpoint) single() (*pki.Certificate, error) {
	s, c := e.Signing(), e.Encryption()
	switch {
	case s == nil:
		return c, nil
	case c == nil || s.Equal(c):
		return s, nil
	}
	return nil, fmt.Errorf("generation 1 has one certificate for signing and encryption, not two")
}

// attrScheme gives an identifier's attribute, or none for an identifier without scheme.
func attrScheme(name, scheme string) []string {
	if scheme == "" {
		return nil
	}
	return []string{name, scheme}
}

// extensionElements checks that content is well-formed and returns how many elements it has.
func extensionElements(x Extension) (int, error) {
	doc, err := dom.Parse([]byte("<x>"+string(x.Content)+"</x>"), limits)
	if err != nil {
		return 0, fmt.Errorf("%w: extension: %w", ErrSyntax, err)
	}
	n := 0
	for range doc.Root().Elements() {
		n++
	}
	return n, nil
}

// ofGeneration are the extensions that a writer of g understands.
func ofGeneration(list []Extension, g Generation) (out []Extension) {
	for _, x := range list {
		if x.Generation == g {
			out = append(out, x)
		}
	}
	return out
}

func href(base string, p ids.Participant, ref Reference) string {
	if ref.Href != "" {
		return ref.Href
	}
	return ids.JoinService(base, p, ref.DocumentType)
}
