// Package procurement exchanges business documents between companies and administrations as PEPPOL did and OpenPeppol
// does: a UBL invoice, credit note or order is recognised, put into a business message envelope, and sent to whoever the
// directory names for its receiver. What arrives is taken out of its envelope and handed over.
//
// A receiver that is not registered is refused before anything is sent, and a sender is told PEPPOL:NOT_SERVICED when it
// addresses somebody this node does not serve [PAS4 4].
package procurement

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/edelivery/sbdh"
	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/vcd"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Settings is the section domains.procurement of the configuration.
type Settings struct {
	Profile     string      `yaml:"profile" default:"peppol" doc:"Message profile of the network."`
	Inbox       config.Path `yaml:"inbox" example:"inbox" doc:"Folder for the documents that arrive, one folder a message. Without it they wait for the API."`
	MaxDocument config.Size `yaml:"maxDocument" default:"100MiB" min:"1KiB" max:"1GiB" doc:"Largest document that is taken for sending."`
	Outgoing    string      `yaml:"checkOutgoing" default:"refuse" enum:"refuse,warn,off" doc:"What happens to a document that breaks a rule: refuse gives it back with the rules it breaks, warn sends it and says so in the answer and the log, off does not look."`
	Incoming    string      `yaml:"checkIncoming" default:"mark" enum:"refuse,mark,off" doc:"What happens to a document that arrives and breaks a rule: mark delivers it with an error at the message; refuse does not deliver it; off does not look. Who is refused gets an error instead of a receipt, and does not try again; in the network of Peppol a receipt is due all the same, and the sender's service provider is told by a message level status, or the sender by what answer says."`
	Packs       []string    `yaml:"checkPacks" example:"[eu.peppol.bis3:invoice]" doc:"Rule packs to judge by. Default: those that are meant for a document, where there are such, else the rules of the program."`
	Answer      string      `yaml:"answer" default:"none" enum:"none,mlr,mls,invoice-response" doc:"What the sender of a document is told of the verdict on it: mlr is a message level response to the sender, mls a message level status to its service provider, invoice-response a response to invoices and credit notes alone. A status about a sound document is sent where the envelope asks for it."`
	Answers     []Answering `yaml:"answerPartners" doc:"Senders who are told something else. The first that fits counts."`
	Match       string      `yaml:"matchOrders" default:"off" enum:"refuse,mark,off" doc:"What happens to an invoice that arrives and differs from its order, the seller's response, the despatch advices or what was billed before: mark delivers it with an error at the message, refuse does not deliver it and answers as for checkIncoming, in the network of Peppol by an invoice response or, where the sender takes none, by a message level status to its service provider, off does not look. All must have come through this node."`
	Versions    []Version   `yaml:"versions" doc:"Versions of documents that come into use or are phased out."`
	Partners    []Checks    `yaml:"checkPartners" doc:"Participants for whom documents are judged in another way. The first that fits counts."`
}

// Checks say how documents for and from some participants are judged. What is left out is as for all others.
type Checks struct {
	Participant string   `yaml:"participant" required:"true" example:"iso6523-actorid-upis::0191:10137025" doc:"Who gets what is sent, and who has sent what arrives. A value that ends with * stands for all that begin so."`
	Outgoing    string   `yaml:"outgoing" enum:"refuse,warn,off" doc:"As checkOutgoing."`
	Incoming    string   `yaml:"incoming" enum:"refuse,mark,off" doc:"As checkIncoming."`
	Match       string   `yaml:"match" enum:"refuse,mark,off" doc:"As matchOrders."`
	Packs       []string `yaml:"packs" doc:"As checkPacks."`
}

// Answering says what some senders are told.
type Answering struct {
	Participant string `yaml:"participant" required:"true" example:"iso6523-actorid-upis::0191:10137025" doc:"The sender. A value that ends with * stands for all that begin so."`
	Answer      string `yaml:"answer" required:"true" enum:"none,mlr,mls,invoice-response" doc:"As answer."`
}

// Name of the domain and of its P-Mode.
const Name = "procurement"

// Domain implements [node.Domain].
type Domain struct {
	n     *node.Node
	set   atomic.Pointer[Settings] // as last read
	pmode *as4.PMode
	rules sbdh.Rules
	judge judge // of business documents
}

// settings are those of the moment.
func (d *Domain) settings() *Settings { return d.set.Load() }

// judge judges a document by rule packs with these names, or by those that are meant for it.
type judge func(ctx context.Context, doc *dom.Document, packs ...string) (*edocument.Report, error)

// New returns the domain, to be set up by a node.
func New() *Domain { return &Domain{} }

// Name implements [node.Domain].
func (d *Domain) Name() string { return Name }

// Setup reads the section and agrees with everybody in the network: one P-Mode serves every document type [PAS4 4].
func (d *Domain) Setup(_ context.Context, n *node.Node) error {
	d.n, d.judge = n, n.Validate
	set := &Settings{}
	if err := n.Config.Section(Name, set); err != nil {
		return err
	}
	d.set.Store(set)
	var ok bool
	if d.rules, ok = sbdh.Named("peppol-2.0.2"); !ok {
		return errors.New("procurement: no envelope rules")
	}
	d.pmode = &as4.PMode{ID: Name, ProfileName: d.settings().Profile, MaxSize: int64(d.settings().MaxDocument)}
	receive := *d.pmode
	receive.ID = Name + "-receive"
	if err := n.AddPMode(Name, d.pmode, &receive); err != nil {
		return err
	}
	n.Handle(Name, d, d)
	return nil
}

// Reload implements [node.Reloader]. The profile, the inbox and the largest document are as they were when the node started.
func (d *Domain) Reload(c *config.Config) (use func(), restart []string, err error) {
	set := &Settings{}
	if err := c.Section(Name, set); err != nil {
		return nil, nil, err
	}
	first := d.settings()
	for name, other := range map[string]bool{"profile": set.Profile != first.Profile, "inbox": set.Inbox != first.Inbox, "maxDocument": set.MaxDocument != first.MaxDocument} {
		if other {
			restart = append(restart, name)
		}
	}
	slices.Sort(restart)
	set.Profile, set.Inbox, set.MaxDocument = first.Profile, first.Inbox, first.MaxDocument
	return func() { d.set.Store(set) }, restart, nil
}

// Check implements [node.Domain].
func (d *Domain) Check(context.Context) []node.Finding {
	if d.n.Config.Discovery.Zone == "" {
		return []node.Finding{{Severity: "error", What: "procurement", Text: "no discovery zone: no receiver can be found", Remedy: "set discovery.zone to the zone of the network"}}
	}
	return nil
}

// Submit takes one document, or several versions of it, or a container of Virtual Company Dossiers, finds out what it is and who gets it, asks the directory whether the receiver accepts it,
// and stores it for sending. A document that breaks business rules is refused before the directory is asked.
func (d *Domain) Submit(ctx context.Context, s *node.Submission) (*store.Message, error) {
	return d.submit(ctx, s, false)
}

// submit takes a document; one that is owed even where nobody is registered for it yet. Of several versions of one document
// the newest is sent that is in use and that the receiver is registered for.
func (d *Domain) submit(ctx context.Context, s *node.Submission, owed bool) (*store.Message, error) {
	list, err := d.candidates(s)
	if err != nil {
		return nil, err
	}
	for i, c := range list {
		if s.Remark, err = d.checkOutgoing(ctx, c.carried, c.document.Receiver); err != nil {
			return nil, err
		}
		um := &ebms.UserMessage{
			Service: ebms.Service{Value: c.document.Process.Value, Type: c.document.Process.Scheme}, Action: c.document.Type.String(),
			Properties: []ebms.Property{{Name: ebms.PropertyFinalRecipient, Value: c.document.Receiver.Value, Type: c.document.Receiver.Scheme}},
		}
		_, err := d.n.Resolve(ctx, d.pmode, um)
		if node.Unregistered(err) && i+1 < len(list) {
			continue
		}
		if err != nil && !node.Temporary(err) && !(owed && node.Unregistered(err)) {
			return nil, err // nothing is stored: the receiver does not exist or does not accept this document
		}
		return d.store(ctx, s, c)
	}
	return nil, nil // there is one at least
}

// candidate is one version of a document that is handed over.
type candidate struct {
	*carried
	document      *Document
	name          string
	customization string
}

// mostVersions bounds the versions of one document in a submission.
const mostVersions = 5

// candidates are the versions of the document in a submission that are in use, the newest first; there is one at least.
func (d *Domain) candidates(s *node.Submission) ([]*candidate, error) {
	var list []*candidate
	var first *Document
	var unused store.Problem
	for n := 0; ; n++ {
		part, err := s.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		c, err := d.candidate(part, s)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = c.document
		} else if !sameDocument(first, c.document) || n == mostVersions {
			return nil, refused("TOO_MANY", "the submission holds more than one document", "send each document by itself; attachments go into it; only versions of one document, with the same number and parties, may be handed over together")
		}
		if p := d.checkVersion(c.customization); !p.IsZero() {
			unused = p
			continue
		}
		list = append(list, c)
	}
	if len(list) == 0 && !unused.IsZero() {
		return nil, refused(unused.Code, unused.Text, unused.Remedy)
	}
	if len(list) == 0 {
		return nil, refused("NO_DOCUMENT", "the submission holds no document", "send one UBL document")
	}
	d.newest(list)
	return list, nil
}

// sameDocument reports whether two are versions of one.
func sameDocument(a, b *Document) bool {
	return a.Kind == b.Kind && a.Number == b.Number && a.Type != b.Type && a.Sender.Equal(b.Sender) && a.Receiver.Equal(b.Receiver)
}

// candidate reads one document of a submission.
func (d *Domain) candidate(part *node.SubmissionPart, s *node.Submission) (*candidate, error) {
	octets, err := io.ReadAll(io.LimitReader(part.Body, int64(d.settings().MaxDocument)+1))
	if err != nil {
		return nil, err
	}
	if len(octets) > int(d.settings().MaxDocument) {
		return nil, refused("TOO_LARGE", fmt.Sprintf("the document is larger than %s", d.settings().MaxDocument), "raise domains.procurement.maxDocument, or ask the receiver for another way")
	}
	c, err := read(octets, dom.Limits{Bytes: int(d.settings().MaxDocument)})
	if errors.Is(err, errContainer) {
		return nil, &node.RefusedError{Code: "NOT_RECOGNISED", Text: err.Error(), Remedy: "send a whole container; viadukt vcd show tells what it holds", Err: err}
	} else if err != nil {
		return nil, &node.RefusedError{Code: "NOT_XML", Text: err.Error(), Remedy: "mend the document at that place", Err: err}
	}
	document, err := c.recognise(s)
	if err != nil {
		return nil, &node.RefusedError{Code: "NOT_RECOGNISED", Text: err.Error(), Remedy: "send a UBL 2.1 invoice, credit note, order or response that names customization, profile and both electronic addresses", Err: err}
	}
	if addressless[document.Kind] && document.Country == "" && s.Country == "" {
		document.Country = d.n.Config.Node.Country
	}
	if err := agree(document, s); err != nil {
		return nil, err
	}
	return &candidate{c, document, part.Name, customizationOf(document.Type.Value)}, nil
}

// agree compares what the back office says beside the document with what is in it.
func agree(d *Document, s *node.Submission) error {
	for _, c := range []struct {
		what, said string
		found      *ids.Participant
	}{{"sender", s.Sender, &d.Sender}, {"receiver", s.Receiver, &d.Receiver}} {
		if c.said == "" {
			continue
		}
		p, err := ids.ParseParticipant(c.said)
		if err != nil {
			return refused("BAD_PARTICIPANT", err.Error(), "write participants as scheme::value")
		}
		if !p.Equal(*c.found) {
			return refused("DISAGREES", fmt.Sprintf("the %s is said to be %s, the document names %s", c.what, p, *c.found), "send what the document says, or mend the document")
		}
	}
	if d.Country == "" {
		d.Country = strings.ToUpper(s.Country)
	}
	if d.Country == "" {
		return refused("NO_COUNTRY", "the sender's country is neither in the document nor said beside it", "add cac:PostalAddress/cac:Country/cbc:IdentificationCode, or the parameter country")
	}
	return nil
}

// store wraps the document into its envelope on the way into the store.
func (d *Domain) store(ctx context.Context, s *node.Submission, c *candidate) (*store.Message, error) {
	document := c.document
	instance, err := ebms.NewConversationID(d.n.Rand)
	if err != nil {
		return nil, err
	}
	h, err := sbdh.NewHeader(document.Sender, document.Receiver, document.Type, document.Process, document.Country, instance, d.n.Clock())
	if err != nil {
		return nil, &node.RefusedError{Code: "NOT_RECOGNISED", Text: err.Error(), Err: err}
	}
	s.Sender, s.Receiver = document.Sender.String(), document.Receiver.String()
	s.Service, s.ServiceType, s.Action = document.Process.Value, document.Process.Scheme, document.Type.String()
	b := bondsOf(c.doc.Root(), s.Sender, s.Receiver)
	s.Labels = b.labels(instance)
	if s.ConversationID == "" {
		if s.ConversationID, err = d.conversation(ctx, b); err != nil {
			return nil, err
		}
		s.ConversationID = cmp.Or(s.ConversationID, instance)
	}
	p, err := d.n.NewPayload(d.pmode, "application/xml", func(w io.Writer) error {
		if c.dossiers != nil {
			return sbdh.WriteBinary(w, h, vcd.MediaType, bytes.NewReader(c.container))
		}
		return sbdh.Write(w, h, bytes.NewReader(c.doc.Source()))
	})
	if err != nil {
		return nil, err
	}
	p.Name = c.name
	return d.n.Submit(ctx, d.pmode, s, []*node.Payload{p})
}

func refused(code, text, remedy string) error {
	return &node.RefusedError{Code: code, Text: text, Remedy: remedy}
}

// Accept judges a message before its receipt leaves: the envelope by its rules, its agreement with the header of the
// message, and whether this node serves the receiver [PAS4 4, ENV 6].
func (d *Domain) Accept(ctx context.Context, in *node.Incoming) error {
	body, err := in.Payload(0)
	if err != nil {
		return err
	}
	defer body.Close()
	m, err := sbdh.Read(body, sbdh.Limits{})
	if err != nil {
		return ebms.Refuse(err, "the business document envelope cannot be read")
	}
	if err := d.rules.Check(m).Err(); err != nil {
		return ebms.Refuse(err, err.Error())
	}
	h, um := m.Header, in.Message
	sender, _ := ids.ParseParticipant(in.Stored.Sender)
	receiver, _ := ids.ParseParticipant(in.Stored.Receiver)
	switch {
	case um.Action != h.DocumentType().String():
		return ebms.Refuse(nil, "eb:Action is not the document type of the envelope")
	case um.Service.Value != h.Process().Value:
		return ebms.Refuse(nil, "eb:Service is not the process of the envelope")
	case !sender.Equal(h.Sender()):
		return ebms.Refuse(nil, "originalSender is not the sender of the envelope")
	case !receiver.Equal(h.Receiver()):
		return ebms.Refuse(nil, "finalRecipient is not the receiver of the envelope")
	}
	served, err := d.n.Serves(ctx, h.Receiver(), h.DocumentType(), h.Process())
	if err != nil {
		return err
	}
	if !served {
		e := ebms.Other.New(in.PMode.Profile.NotServicedDetail)
		e.Err = fmt.Errorf("%s is not served here for %s", h.Receiver(), h.DocumentType())
		return e
	}
	in.Stored.Sender, in.Stored.Receiver = h.Sender().String(), h.Receiver().String()
	c, readErr := d.content(m)
	if in.Stored.Error = d.checkVersion(customizationOf(h.DocumentType().Value)); in.Stored.Error.Code != VersionPhasedOut {
		in.Stored.Error = d.checkIncoming(ctx, in.Stored.Sender, c, readErr)
	}
	in.Labels = bonds{}.labels(h.InstanceID)
	if readErr == nil {
		doc := c.doc
		b := bondsOf(doc.Root(), in.Stored.Sender, in.Stored.Receiver)
		in.Labels = b.labels(h.InstanceID)
		if in.Stored.Error.IsZero() {
			if in.Stored.Error, _, err = d.checkMatch(ctx, doc, in.Stored.Sender, in.Stored.Receiver); err != nil {
				return err
			}
		}
		if err := d.linkAnswer(ctx, in.Stored, doc, b); err != nil {
			return err
		}
	}
	if d.refuses(in.Stored) && !d.receiptFirst() {
		return ebms.Refuse(nil, in.Stored.Error.Text)
	}
	// A sender that tries again may use another message id for the same envelope. The name is the sender's own, so
	// that nobody can block the envelopes of others.
	in.Once = fmt.Sprintf("envelope %x", sha256.Sum256([]byte(in.Received.Sender+"\n"+in.Stored.Sender+"\n"+h.InstanceID)))
	return nil
}

// Deliver writes the document, out of its envelope, into the inbox folder, and answers its sender. Without a folder the
// document waits for the API. What is refused goes nowhere, and its sender is told.
func (d *Domain) Deliver(ctx context.Context, m *store.Message) error {
	refusal, found, err := d.refusal(ctx, m)
	if err != nil {
		return err
	}
	if refusal == nil && d.settings().Inbox != "" {
		if err := d.n.WriteFolder(ctx, string(d.settings().Inbox), m); err != nil {
			return err
		}
	}
	untold, err := d.answer(ctx, m, refusal, found)
	switch {
	case err != nil:
		return err
	case refusal == nil:
		return nil
	case untold != "":
		refusal.Untold = untold
		refusal.Problem.Remedy = cmp.Or(refusal.Problem.Remedy, "ask for a sound document") + "; tell the sender by other means, for it waits for an answer"
	}
	return refusal
}

// Waits implements [node.Handler].
func (d *Domain) Waits() bool { return d.settings().Inbox != "" }

// Open returns the business document of a payload, out of its envelope.
func (d *Domain) Open(ctx context.Context, m *store.Message, p *store.Payload) (io.ReadCloser, string, error) {
	r, err := d.n.OpenDocument(ctx, p)
	if err != nil {
		return nil, "", err
	}
	msg, err := sbdh.Read(r, sbdh.Limits{})
	if err != nil {
		r.Close()
		return nil, "", err
	}
	name := p.Name
	if name == "" {
		name = strings.ToLower(msg.Instance.Local) + ".xml"
		if msg.Instance.MIME == vcd.MediaType {
			name = "dossiers.zip"
		}
	}
	return struct {
		io.Reader
		io.Closer
	}{msg.Payload, r}, filepath.Base(name), nil
}
