package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/bdxl"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/edelivery/smp"
	"github.com/viadukt-eu/viadukt/node/store"
)

// Directory finds receivers: DNS for the address of the metadata publisher, the publisher for endpoint and certificate.
type Directory struct {
	Schemes []string // of identifiers that are looked up; empty: all
	DNS     *bdxl.Resolver
	SMP     *smp.Client
}

// LookupStep is one thing done on the way, for people and for the evidence.
type LookupStep struct {
	Name   string  `json:"name"`
	OK     bool    `json:"ok"`
	Millis float64 `json:"ms"`
	Detail string  `json:"detail"`
}

// Found is where a document goes.
type Found struct {
	Steps    []LookupStep
	Endpoint *smp.Endpoint // nil when only the document types were asked for
	Types    []ids.DocumentType
	SMP      string
}

// ErrNoDirectory says that the configuration has no discovery section.
var ErrNoDirectory = errors.New("node: discovery is not configured")

// Lookup finds the endpoint for a document type and process; with a zero document type it lists what the participant
// accepts. What was done is told in Steps, also on error.
func (d *Directory) Lookup(ctx context.Context, p ids.Participant, doc ids.DocumentType, process ids.Process, transports []string) (*Found, error) {
	f := &Found{}
	if d == nil || d.DNS == nil {
		return f, ErrNoDirectory
	}
	if len(d.Schemes) > 0 && !slices.Contains(d.Schemes, p.Scheme) {
		return f, fmt.Errorf("%w: the scheme of %s is not among discovery.schemes", bdxl.ErrNotRegistered, p)
	}
	found, err := d.DNS.Lookup(ctx, p)
	for _, s := range found.Steps {
		f.add("dns "+s.Name, s.OK, s.Took, s.Detail)
	}
	if err != nil {
		return f, err
	}
	f.SMP = found.URL
	if doc.IsZero() {
		start := time.Now()
		group, err := d.SMP.ServiceGroup(ctx, found.URL, p)
		if err != nil {
			f.add("smp group", false, time.Since(start), err.Error())
			return f, err
		}
		for _, r := range group.References {
			if !r.DocumentType.IsZero() {
				f.Types = append(f.Types, r.DocumentType)
			}
		}
		f.add("smp group", true, time.Since(start), plural(len(f.Types), "document type"))
		return f, nil
	}
	answer, err := d.SMP.Lookup(ctx, smp.Question{Base: found.URL, Participant: p, DocumentType: doc, Process: process, TransportProfiles: transports})
	for _, s := range answer.Steps {
		f.add("smp "+s.Name, s.OK, s.Took, s.Detail)
	}
	f.Endpoint = answer.Endpoint
	return f, err
}

func (f *Found) add(name string, ok bool, took time.Duration, detail string) {
	f.Steps = append(f.Steps, LookupStep{name, ok, float64(took.Microseconds()) / 1000, detail})
}

// Resolve completes a P-Mode without address for one message: Action is the document type, Service the process, the
// receiver's certificate names the party [EU-AS4 1.5.4].
func (d *Directory) Resolve(ctx context.Context, pm *as4.PMode, um *ebms.UserMessage) (*as4.PMode, error) {
	receiver, doc, process, err := question(um)
	if err != nil {
		return nil, err
	}
	f, err := d.Lookup(ctx, receiver, doc, process, []string{pm.Profile.TransportProfile})
	if err != nil {
		return nil, notFound(err)
	}
	signing := f.Endpoint.Signing()
	out := *pm
	out.URL, out.Certificates, out.EncryptionCertificate = f.Endpoint.URL, nil, f.Endpoint.Encryption()
	if signing == nil {
		return nil, ebms.ProcessingModeMismatch.New("the receiver's metadata name no certificate")
	}
	out.Certificates = append(out.Certificates, signing)
	out.Responder.ID = signing.Subject.CommonName()
	if out.Responder.Type == "" {
		out.Responder.Type = pm.Profile.PartyType
	}
	return &out, nil
}

// Resolve asks the directory where a message of a P-Mode without address goes. A receiver that does not exist, or does
// not accept the document, is a [RefusedError] that is not temporary.
func (n *Node) Resolve(ctx context.Context, pm *as4.PMode, um *ebms.UserMessage) (*as4.PMode, error) {
	return n.directory.Resolve(ctx, pm, um)
}

func question(um *ebms.UserMessage) (p ids.Participant, doc ids.DocumentType, process ids.Process, err error) {
	receiver := corner(um, ebms.PropertyFinalRecipient)
	if receiver == "" { // point to point: the access point itself is known, and only where it is, is not
		receiver = um.To.ID().Value
		if t := um.To.ID().Type; t != "" {
			receiver = t + "::" + receiver
		}
	}
	if p, err = ids.ParseParticipant(receiver); err != nil {
		return
	}
	if doc, err = ids.ParseDocumentType(um.Action); err != nil {
		return
	}
	process = ids.Process{Scheme: um.Service.Type, Value: um.Service.Value}
	return
}

// Flush forgets what is known of a receiver after an attempt failed: the next one asks again [PSMP 2.1].
func (d *Directory) Flush(m *store.Message) {
	if d == nil || d.DNS == nil {
		return
	}
	if p, err := ids.ParseParticipant(m.Receiver); err == nil {
		d.DNS.Flush(p)
		d.SMP.Flush(p)
	}
}

// Codes of what the directory says for good.
const (
	notRegistered = "DISCOVERY:NOT_REGISTERED"
	notAccepted   = "DISCOVERY:NOT_ACCEPTED"
)

// notFound tells a receiver that does not exist from a lookup that could not be made now.
func notFound(err error) error {
	r := &RefusedError{Text: err.Error(), Err: err}
	switch {
	case errors.Is(err, bdxl.ErrNotRegistered), errors.Is(err, bdxl.ErrNoService):
		r.Text = "nobody is registered under this identifier: " + r.Text
		r.Code, r.Remedy = notRegistered, "check the receiver's identifier: viadukt lookup PARTICIPANT"
	case errors.Is(err, smp.ErrNotFound), errors.Is(err, smp.ErrNoProcess), errors.Is(err, smp.ErrNoTransport), errors.Is(err, smp.ErrNotActive):
		r.Text = "the receiver does not accept this kind of document: " + r.Text
		r.Code, r.Remedy = notAccepted, "viadukt lookup PARTICIPANT lists what it accepts"
	default:
		r.Code, r.Remedy = "DISCOVERY:FAILED", "look closer with: viadukt lookup PARTICIPANT DOCTYPE"
	}
	return r
}

// Unregistered reports whether the directory said that nobody is registered, or takes such documents, at this time.
func Unregistered(err error) bool {
	var r *RefusedError
	return errors.As(err, &r) && (r.Code == notRegistered || r.Code == notAccepted)
}

// Temporary is that of the cause: a refusal for good has a cause that says nothing, or none.
func (e *RefusedError) Temporary() bool { return temporary(e.Err) }

// plural writes a number with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
