package selftest

import (
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var cornerCases = []*Case{
	{ID: "AS4_4CT_TA01", Level: Mandatory, Module: fourCorners,
		Predicate: "originalSender and finalRecipient are those of the submission", run: cornersAreKept},
	{ID: "AS4_4CT_TA02", Level: Permitted, Module: fourCorners,
		Predicate: "the trackingIdentifier of the submission is carried", run: trackingIsKept},
	{ID: "AS4_4CT_TA03", Level: Mandatory, Module: fourCorners,
		Predicate: "eb:From and eb:To name the access points, not the outer corners", run: partiesAreAccessPoints},
}

var envelopeCases = []*Case{
	{ID: "AS4_SBDH_TA01", Level: Mandatory, Module: envelopeModule,
		Predicate: "a business document header that stands by itself is the first eb:PartInfo", run: headerIsFirst},
	{ID: "AS4_SBDH_TA02", Level: Mandatory, Module: envelopeModule,
		Predicate: "the manifest of that header lists every other part", run: manifestListsAll},
}

func property(um *ebms.UserMessage, name string) ebms.Property {
	for _, p := range um.Properties {
		if p.Name == name {
			return p
		}
	}
	return ebms.Property{Name: name}
}

func cornersAreKept(r *run) error {
	x, v, err := r.simple()
	if err != nil {
		return err
	}
	for name, want := range map[string]string{ebms.PropertyOriginalSender: "C1", ebms.PropertyFinalRecipient: "C4"} {
		if p := property(v.um, name); p.Value != want || p.Type != cornerType {
			return fail("%s is %q of type %q, submitted was %q of type %q", name, p.Value, p.Type, want, cornerType)
		}
	}
	t, err := r.delivered(x.MessageID, []byte(xmlDocument))
	if err != nil {
		return err
	}
	if t.Property(ebms.PropertyOriginalSender) != "C1" || t.Property(ebms.PropertyFinalRecipient) != "C4" {
		return fail("delivered was %q to %q", t.Property(ebms.PropertyOriginalSender), t.Property(ebms.PropertyFinalRecipient))
	}
	return nil
}

func trackingIsKept(r *run) error {
	if err := r.use("eu-edelivery"); err != nil {
		return err
	}
	x, v, err := r.sent(submission{mode: oneWay, payloads: []Payload{xmlPayload()}, properties: []ebms.Property{{Name: ebms.PropertyTrackingID, Value: "track-4711"}}})
	if err != nil {
		return err
	}
	if got := property(v.um, ebms.PropertyTrackingID).Value; got != "track-4711" {
		return fail("trackingIdentifier is %q", got)
	}
	t, err := r.delivered(x.MessageID, []byte(xmlDocument))
	if err == nil && t.Property(ebms.PropertyTrackingID) != "track-4711" {
		return fail("delivered was trackingIdentifier %q", t.Property(ebms.PropertyTrackingID))
	}
	return err
}

func partiesAreAccessPoints(r *run) error {
	_, v, err := r.simple()
	if err != nil {
		return err
	}
	pm, err := r.p.pmode(0, oneWay)
	if err != nil {
		return err
	}
	if from, to := v.um.From.ID(), v.um.To.ID(); from.Value != pm.Initiator.ID || to.Value != pm.Responder.ID || from.Value == "C1" || to.Value == "C4" {
		return fail("from %q to %q, the access points are %q and %q", from.Value, to.Value, pm.Initiator.ID, pm.Responder.ID)
	}
	return nil
}

const nsSBDH = "http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader"

// standalone sends a business document header with the documents that it lists, and opens what travelled.
func (r *run) standalone() (*view, *opened, error) {
	if err := r.use("eu-edelivery"); err != nil {
		return nil, nil, err
	}
	header := fmt.Sprintf(`<StandardBusinessDocumentHeader xmlns="%s"><HeaderVersion>1.0</HeaderVersion>`+
		`<Sender><Identifier Authority="%[2]s">C1</Identifier></Sender><Receiver><Identifier Authority="%[2]s">C4</Identifier></Receiver>`+
		`<DocumentIdentification><Standard>urn:viadukt:selftest</Standard><TypeVersion>1</TypeVersion><InstanceIdentifier>1</InstanceIdentifier><Type>letter</Type><CreationDateAndTime>2026-01-01T00:00:00Z</CreationDateAndTime></DocumentIdentification>`+
		`<Manifest><NumberOfItems>2</NumberOfItems>`+
		`<ManifestItem><MimeTypeQualifierCode>application/xml</MimeTypeQualifierCode><UniformResourceIdentifier>cid:xmlpayload@minder</UniformResourceIdentifier></ManifestItem>`+
		`<ManifestItem><MimeTypeQualifierCode>application/octet-stream</MimeTypeQualifierCode><UniformResourceIdentifier>cid:custompayload@minder</UniformResourceIdentifier></ManifestItem>`+
		`</Manifest></StandardBusinessDocumentHeader>`, nsSBDH, cornerType)
	_, v, err := r.sent(submission{mode: oneWay, payloads: []Payload{{ID: "header@minder", Type: "application/xml", Size: int64(len(header)), Body: strings.NewReader(header)}, xmlPayload(), octetPayload()}})
	if err != nil {
		return nil, nil, err
	}
	o, err := r.opened(v, oneWay)
	return v, o, err
}

// document expands a part and reads it as XML.
func (o *opened) document(p *ebms.PartInfo) (*dom.Document, error) {
	id, _ := p.ContentID()
	b := o.bodies[id]
	if c, err := p.Compressed(); err == nil && c {
		var err error
		if b, err = gunzip(b); err != nil {
			return nil, err
		}
	}
	return dom.Parse(b, dom.Limits{})
}

// headerOf is the business document header in the first part.
func headerOf(v *view, o *opened) (dom.Node, error) {
	if len(v.um.Parts) == 0 {
		return dom.Node{}, fail("there is no eb:PartInfo")
	}
	doc, err := o.document(&v.um.Parts[0])
	if err != nil {
		return dom.Node{}, fail("the first eb:PartInfo, %q, is no XML: %v", v.um.Parts[0].Href, err)
	}
	if !doc.Root().Is(nsSBDH, "StandardBusinessDocumentHeader") {
		return dom.Node{}, fail("the first eb:PartInfo, %q, is a %s", v.um.Parts[0].Href, doc.Root().Local())
	}
	return doc.Root(), nil
}

func headerIsFirst(r *run) error {
	v, o, err := r.standalone()
	if err != nil {
		return err
	}
	_, err = headerOf(v, o)
	return err
}

func manifestListsAll(r *run) error {
	v, o, err := r.standalone()
	if err != nil {
		return err
	}
	h, err := headerOf(v, o)
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	for _, n := range find(h, nsSBDH, "UniformResourceIdentifier") {
		listed[n.TrimmedText()] = true
	}
	for _, p := range v.um.Parts[1:] {
		if !listed[p.Href] {
			return fail("the manifest does not list %s", p.Href)
		}
	}
	if len(listed) != len(v.um.Parts)-1 {
		return fail("the manifest lists %d, there are %d other parts", len(listed), len(v.um.Parts)-1)
	}
	return nil
}
