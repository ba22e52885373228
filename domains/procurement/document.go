package procurement

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/vcd"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces of UBL 2.1.
const (
	nsUBL = "urn:oasis:names:specification:ubl:schema:xsd:"
	nsCAC = nsUBL + "CommonAggregateComponents-2"
	nsCBC = nsUBL + "CommonBasicComponents-2"
)

// Document is what the transport needs to know of a business document.
type Document struct {
	Kind     string // the document element: "Invoice", "Order", "ApplicationResponse" ...
	Number   string // the number that its issuer gave it
	Type     ids.DocumentType
	Process  ids.Process
	Sender   ids.Participant
	Receiver ids.Participant
	Country  string // of the sender, ISO 3166-1 alpha-2; may be empty
	Version  string // of the syntax, "2.1"
	Root     dom.Node
}

// ErrDocument says that a document cannot be routed: it is of an unknown kind or lacks what names its process or parties.
var ErrDocument = errors.New("procurement: document not recognised")

// addressless are the documents that hold no address: their sender is of the node's country where nothing else is said.
var addressless = map[string]bool{"ApplicationResponse": true, "OrderResponse": true, "OrderCancellation": true}

// recognise finds out what a document is and between whom it goes: the customization and the profile make the
// document type and the process [PFUOI POLICY 20, POLICY 25], the endpoint ids the participants. What documents for everybody do not
// say, notices and procurement documents, is said beside them.
func recognise(root dom.Node, s *node.Submission) (*Document, error) {
	if p, err := vcd.Read(root.Document()); err == nil {
		return recogniseDossiers(p, root, s)
	}
	issuer, receiver, ok := edocument.Roles(root.Local())
	if t := edocument.RecogniseType(root); !ok && t != nil && root.Space() == t.Namespace() { // a message of registries
		ok = true
	} else if root.Space() != nsUBL+root.Local()+"-2" {
		ok = false
	}
	if !ok {
		return nil, refuse(root, "{%s}%s is no document this domain knows: it takes UBL invoices, credit notes, orders and what answers them, despatch advices, catalogues, application responses, and the documents of tendering", root.Space(), root.Local())
	}
	d := &Document{Kind: root.Local(), Number: text(root, "ID"), Root: root, Version: "2.1"}
	if t := edocument.RecogniseType(root); t != nil {
		d.Version = t.Version
	} else if v := text(root, "UBLVersionID"); v != "" {
		d.Version = v
	}
	var err error
	if d.Type, d.Process, err = typeOf(d, s); err != nil {
		return nil, err
	}
	if d.Sender, d.Country, err = party(root, issuer, s.Sender); err != nil {
		return nil, err
	}
	if d.Receiver, _, err = party(root, receiver, s.Receiver); err != nil {
		return nil, err
	}
	return d, nil
}

// recogniseDossiers is recognise for Virtual Company Dossiers, a package or one dossier: they go from the company to the
// contracting authority, in a process of their own that has no name [PCL T991, T992].
func recogniseDossiers(p *vcd.Package, root dom.Node, s *node.Submission) (*Document, error) {
	t := edocument.RecogniseType(root)
	if t == nil {
		return nil, refuse(root, "the dossier names a customization that is not known")
	}
	sender, authority := p.Sender(), p.Authority
	d := &Document{Kind: root.Local(), Number: p.ID, Root: root, Version: t.Version, Process: ids.Process{Scheme: ids.SchemeProcess, Value: cmp.Or(s.Service, "none")}}
	if d.Number == "" && len(p.Dossiers) > 0 {
		d.Number = p.Dossiers[0].ID
	}
	d.Type = ids.DocumentType{Value: root.Space() + "::" + root.Local() + "##" + t.Customization + "::" + t.Version}.Qualified()
	if len(sender.Country) == 2 {
		d.Country = strings.ToUpper(sender.Country)
	}
	for _, end := range []struct {
		what, beside string
		party        vcd.Party
		id           *ids.Participant
	}{{"the company", s.Sender, sender, &d.Sender}, {"the contracting authority", s.Receiver, authority, &d.Receiver}} {
		said := end.beside
		if end.party.Endpoint != "" && end.party.EndpointScheme != "" {
			said = ids.SchemeActor + "::" + end.party.EndpointScheme + ":" + end.party.Endpoint
		} else if said == "" {
			return nil, refuse(root, "%s has no EndpointID with its scheme: it is the electronic address", end.what)
		}
		var err error
		if *end.id, err = ids.ParseParticipant(said); err != nil {
			return nil, refuse(root, "%v", err)
		}
	}
	return d, nil
}

// typeOf is the document type and process of a document. The European Single Procurement Document names its edition as
// its profile's execution.
func typeOf(d *Document, s *node.Submission) (t ids.DocumentType, process ids.Process, err error) {
	customization := cmp.Or(text(d.Root, "CustomizationID"), text(d.Root, "ProfileExecutionID"))
	profile := cmp.Or(text(d.Root, "ProfileID"), text(d.Root, "ProfileExecutionID"), s.Service)
	switch {
	case customization == "" && s.Action != "":
		if t, err = ids.ParseDocumentType(s.Action); err != nil {
			return t, process, refuse(d.Root, "%v", err)
		}
	case customization == "":
		return t, process, refuse(d.Root, "cbc:CustomizationID is missing: it says by which rules the document was made")
	default:
		t = ids.DocumentType{Value: d.Root.Space() + "::" + d.Root.Local() + "##" + customization + "::" + d.Version}.Qualified()
	}
	if profile == "" {
		return t, process, refuse(d.Root, "cbc:ProfileID is missing: it names the process")
	}
	return t, ids.Process{Scheme: ids.SchemeProcess, Value: profile}, nil
}

// party reads who has a role in a document, or what is said beside it where the document does not say.
func party(root dom.Node, role, beside string) (ids.Participant, string, error) {
	p := edocument.PartyIn(root, role)
	country := strings.ToUpper(p.Child(nsCAC, "PostalAddress").Child(nsCAC, "Country").Child(nsCBC, "IdentificationCode").TrimmedText())
	endpoint := p.Child(nsCBC, "EndpointID")
	if said := endpoint.Valid() && endpoint.Attr("schemeID") != ""; !said && beside != "" {
		id, err := ids.ParseParticipant(beside)
		if err != nil {
			return id, "", refuse(root, "%v", err)
		}
		return id, country, nil
	} else if !p.Valid() && role == "" {
		return ids.Participant{}, "", refuse(root, "the document names nobody who gets it: say it beside the document")
	} else if !p.Valid() {
		return ids.Participant{}, "", refuse(root, "cac:%s is missing", role)
	} else if !said {
		return ids.Participant{}, "", refuse(p, "cbc:EndpointID with a schemeID is missing: it is the electronic address")
	}
	id, err := ids.ParseParticipant(ids.SchemeActor + "::" + endpoint.Attr("schemeID") + ":" + endpoint.TrimmedText())
	if err != nil {
		return id, "", refuse(endpoint, "%v", err)
	}
	return id, country, nil
}

func text(root dom.Node, local string) string { return root.Child(nsCBC, local).TrimmedText() }

func refuse(n dom.Node, format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDocument, n.Errorf(format, args...))
}

// Parse reads octets and recognises the document in them: XML, or a container of dossiers.
func Parse(octets []byte) (*Document, error) {
	c, err := read(octets, dom.Limits{})
	if err != nil {
		return nil, err
	}
	return c.recognise(&node.Submission{})
}

// carried is what goes in an envelope: a document, or a container of dossiers, whose package document says what it is.
type carried struct {
	doc       *dom.Document
	dossiers  *vcd.Package // nil: the document is all
	container []byte
}

// errContainer says that a container is broken, or none of dossiers.
var errContainer = errors.New("procurement: the container cannot be read")

func read(octets []byte, limits dom.Limits) (*carried, error) {
	if !vcd.Is(octets) {
		doc, err := dom.Parse(octets, limits)
		return &carried{doc: doc}, err
	}
	p, err := vcd.Open(bytes.NewReader(octets), int64(len(octets)))
	switch {
	case errors.Is(err, edocument.ErrUnknownType):
		return nil, fmt.Errorf("%w: it holds no Virtual Company Dossier", errContainer)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errContainer, err)
	case p.Document() == nil:
		return nil, fmt.Errorf("%w: it has dossiers and no package document", errContainer)
	}
	return &carried{p.Document(), p, octets}, nil
}

func (c *carried) recognise(s *node.Submission) (*Document, error) {
	if c.dossiers != nil {
		return recogniseDossiers(c.dossiers, c.doc.Root(), s)
	}
	return recognise(c.doc.Root(), s)
}
