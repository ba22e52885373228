package selftest

import (
	"bytes"
	"crypto/sha256"
	"io"
	"strings"
	"unicode/utf16"

	"github.com/klauspost/compress/gzip"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/testbed"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
)

var payloadCases = []*Case{
	{ID: "AS4_CP_TA23", Level: Mandatory, Module: commonProfile,
		Predicate: "an XML payload travels as gzip", run: xmlIsCompressed},
	{ID: "AS4_CP_TA24", Level: Mandatory, Module: commonProfile,
		Predicate: "a compressed payload has the part property CompressionType with application/gzip", run: compressionIsNamed},
	{ID: "AS4_CP_TA25", Level: Mandatory, Module: commonProfile,
		Predicate: "the part property MimeType is what the producer said", run: mimeTypeIsKept},
	{ID: "AS4_CP_TA26", Level: Preferred, Module: commonProfile, Peer: true,
		Predicate: "a compressed payload without MimeType is answered by an error in the same connection", run: noMimeType},
	{ID: "AS4_CP_TA27", Level: Preferred, Module: commonProfile,
		Predicate: "CharacterSet UTF-16 of the producer is carried to the consumer", run: func(r *run) error { return characterSet(r, "UTF-16", utf16Document()) }},
	{ID: "AS4_CP_TA28", Level: Preferred, Module: commonProfile,
		Predicate: "CharacterSet UTF-8 of the producer is carried to the consumer", run: func(r *run) error { return characterSet(r, "UTF-8", []byte(xmlDocument)) }},
	{ID: "AS4_CP_TA29", Level: Preferred, Module: commonProfile, Peer: true,
		Predicate: "a CharacterSet that no encoding can have is answered by an error in the same connection", run: badCharacterSet},
	{ID: "AS4_CP_TA30", Level: Mandatory, Module: commonProfile, Peer: true,
		Predicate: "damaged gzip is answered in the same connection by EBMS:0303 with severity failure and category Communication", run: damagedGzip},
	{ID: "AS4_CP_TA31", Level: Preferred, Module: commonProfile,
		Predicate: "the consumer is told of EBMS:0303 as well", run: damagedGzipIsTold},
	{ID: "AS4_CP_TA32", Level: Mandatory, Module: commonProfile,
		Predicate: "a compressed payload is delivered expanded", run: deliveredExpanded},
	{ID: "AS4_CP_TA33", Level: Mandatory, Module: commonProfile,
		Predicate: "several compressed payloads are delivered expanded", run: severalExpanded},
}

var compressionCases = []*Case{
	{ID: "AS4_CP_TA34", Level: Mandatory, Module: commonProfile, Peer: true,
		Predicate: "a message that is compressed and then signed gets a receipt", run: compressedThenSigned},
	{ID: "AS4_CP_TA35", Level: Mandatory, Module: commonProfile, Peer: true,
		Predicate: "a message that is signed and then compressed is answered by an error", run: signedThenCompressed},
	{ID: "AS4_CP_TA36", Level: Mandatory, Module: commonProfile, Peer: true,
		Predicate: "a message that is compressed and then encrypted gets a receipt", run: compressedThenEncrypted},
	{ID: "AS4_CP_TA37", Level: Mandatory, Module: commonProfile, Peer: true,
		Predicate: "a message that is encrypted and then compressed is answered by an error", run: encryptedThenCompressed},
	{ID: "AS4_CP_TA38", Level: Mandatory, Module: commonProfile, Peer: true,
		Predicate: "a message that is compressed, then signed, then encrypted gets a receipt", run: allThree},
}

// compressedPart checks that a part of a message of the first agreement is gzip of these octets.
func (r *run) compressedPart(v *view, i int, want []byte) error {
	o, err := r.opened(v, oneWay)
	if err != nil {
		return err
	}
	id, _ := v.um.Parts[i].ContentID()
	return isGzip(o.bodies[id], want)
}

func isGzip(b, want []byte) error {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return fail("the payload does not travel as gzip: %v", err)
	}
	got, err := io.ReadAll(z)
	if err != nil {
		return fail("the payload does not travel as gzip: %v", err)
	}
	if !bytes.Equal(got, want) {
		return fail("the gzip expands to other octets than were submitted")
	}
	return nil
}

func xmlIsCompressed(r *run) error {
	_, v, err := r.simple()
	if err != nil {
		return err
	}
	return r.compressedPart(v, 0, []byte(xmlDocument))
}

func compressionIsNamed(r *run) error {
	_, v, err := r.simple()
	if err != nil {
		return err
	}
	if got, _ := v.um.Parts[0].Property(ebms.PropertyCompressionType); got != ebms.CompressionGzip {
		return fail("CompressionType is %q", got)
	}
	return r.compressedPart(v, 0, []byte(xmlDocument))
}

func mimeTypeIsKept(r *run) error {
	p := xmlPayload()
	p.Type = "application/vnd.example.letter+xml"
	x, v, err := r.simple(p)
	if err != nil {
		return err
	}
	if got, _ := v.um.Parts[0].Property(ebms.PropertyMimeType); got != p.Type {
		return fail("MimeType is %q, the producer said %q", got, p.Type)
	}
	t, err := r.delivered(x.MessageID, []byte(xmlDocument))
	if err != nil {
		return err
	}
	if got := t.Parts[0].Property(ebms.PropertyMimeType); got != p.Type {
		return fail("it was delivered as %q, the producer said %q", got, p.Type)
	}
	return nil
}

func noMimeType(r *run) error {
	p := compressed("xmlpayload@minder", "application/xml", []byte(xmlDocument))
	p.properties = p.properties[1:]
	x, err := r.posted(forgery{parts: []forgedPart{p}})
	if err != nil {
		return err
	}
	return r.refused(x)
}

func utf16Document() []byte {
	text := strings.Replace(xmlDocument, "UTF-8", "UTF-16", 1)
	b := []byte{0xfe, 0xff}
	for _, u := range utf16.Encode([]rune(text)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return b
}

func characterSet(r *run, name string, document []byte) error {
	x, v, err := r.simple(Payload{ID: "xmlpayload@minder", Type: "application/xml", Size: int64(len(document)), Body: bytes.NewReader(document), Properties: []ebms.Property{{Name: ebms.PropertyCharacterSet, Value: name}}})
	if err != nil {
		return err
	}
	if got, _ := v.um.Parts[0].Property(ebms.PropertyCharacterSet); got != name {
		return fail("CharacterSet is %q, the producer said %q", got, name)
	}
	t, err := r.delivered(x.MessageID, document)
	if err != nil {
		return err
	}
	if got := t.Parts[0].Property(ebms.PropertyCharacterSet); got != name {
		return fail("it was delivered with CharacterSet %q", got)
	}
	return nil
}

func badCharacterSet(r *run) error {
	x, err := r.posted(forgery{parts: []forgedPart{compressed("xmlpayload@minder", "application/xml", []byte(xmlDocument), ebms.Property{Name: ebms.PropertyCharacterSet, Value: "!utf*"})}})
	if err != nil {
		return err
	}
	return r.refused(x)
}

// damaged is a message whose payload says that it is gzip and is none any more.
func (r *run) damaged() (*Exchange, error) {
	p := compressed("xmlpayload@minder", "application/xml", []byte(xmlDocument))
	p.body = bytes.Clone(p.body)
	for i := 10; i < len(p.body)-8; i++ {
		p.body[i] ^= 0x5a
	}
	return r.posted(forgery{parts: []forgedPart{p}})
}

func damagedGzip(r *run) error {
	x, err := r.damaged()
	if err != nil {
		return err
	}
	e, err := x.refusal(ebms.DecompressionFailure)
	if err != nil {
		return err
	}
	if e.Severity != ebms.Failure || !strings.EqualFold(e.Category, ebms.CategoryCommunication) {
		return fail("severity %s, category %s", e.Severity, e.Category)
	}
	return r.absent(x.MessageID)
}

func damagedGzipIsTold(r *run) error {
	x, err := r.damaged()
	if err != nil {
		return err
	}
	if _, err := x.refusal(ebms.DecompressionFailure); err != nil {
		return err
	}
	return r.notified(1, x.MessageID, testbed.SignalError, ebms.DecompressionFailure)
}

func deliveredExpanded(r *run) error {
	x, v, err := r.simple()
	if err != nil {
		return err
	}
	return r.expanded(x, v, []byte(xmlDocument))
}

func severalExpanded(r *run) error {
	x, v, err := r.simple(xmlPayload(), octetPayload(), Payload{ID: "xmlpayload2@minder", Type: "application/xml", Size: int64(len(xmlDocument)), Body: strings.NewReader(xmlDocument)})
	if err != nil {
		return err
	}
	return r.expanded(x, v, []byte(xmlDocument), octets, []byte(xmlDocument))
}

// expanded checks that parts travelled compressed and were delivered as they had been, without a word of it.
func (r *run) expanded(x *Exchange, v *view, bodies ...[]byte) error {
	for i := range v.um.Parts {
		if c, err := v.um.Parts[i].Compressed(); err != nil || !c {
			return fail("payload %d did not travel compressed, which shows nothing", i+1)
		}
	}
	t, err := r.delivered(x.MessageID, bodies...)
	if err != nil {
		return err
	}
	for i := range t.Parts {
		if t.Parts[i].Property(ebms.PropertyCompressionType) != "" {
			return fail("payload %d was delivered with a CompressionType", i+1)
		}
	}
	return nil
}

func compressedThenSigned(r *run) error {
	if err := r.use("eu-edelivery"); err != nil {
		return err
	}
	x, v, err := r.sent(submission{mode: signOnly, payloads: []Payload{xmlPayload()}})
	if err != nil {
		return err
	}
	if len(v.parts) != 1 {
		return fail("%d parts", len(v.parts))
	}
	if err := isGzip(v.parts[0].body, []byte(xmlDocument)); err != nil {
		return err
	}
	if err := r.digestOf(v, v.parts[0].id, v.parts[0].body); err != nil {
		return err
	}
	return r.taken(x, []byte(xmlDocument))
}

// digestOf checks that the signature is over exactly these octets of a part.
func (r *run) digestOf(v *view, id string, b []byte) error {
	s, err := v.signature()
	if err != nil {
		return err
	}
	want := sha256.Sum256(b)
	for _, ref := range find(s, nsDS, "Reference") {
		if ref.Attr("URI") != "cid:"+id {
			continue
		}
		if got, err := decode(find(ref, nsDS, "DigestValue")); err != nil || !bytes.Equal(got, want[:]) {
			return fail("the signature is not over the compressed octets of %s", id)
		}
		return nil
	}
	return fail("the part %s is not signed", id)
}

func signedThenCompressed(r *run) error {
	p := compressed("xmlpayload@minder", "application/xml", []byte(xmlDocument))
	p.signed = []byte(xmlDocument)
	x, err := r.posted(forgery{parts: []forgedPart{p}})
	if err != nil {
		return err
	}
	return r.refused(x)
}

func compressedThenEncrypted(r *run) error {
	x, v, err := r.simple()
	if err != nil {
		return err
	}
	if r.peer == nil {
		if err := v.encrypted(xmlenc.AES128GCM, r.node(1).Identity().Certificate); err != nil {
			return err
		}
		if err := r.compressedPart(v, 0, []byte(xmlDocument)); err != nil {
			return err
		}
	}
	return r.taken(x, []byte(xmlDocument))
}

func encryptedThenCompressed(r *run) error {
	x, err := r.posted(forgery{
		parts:  []forgedPart{plain("custompayload@minder", "application/octet-stream", octets, ebms.Property{Name: ebms.PropertyCompressionType, Value: ebms.CompressionGzip})},
		travel: func(_ int, b []byte) []byte { return gzipped(b) },
	})
	if err != nil {
		return err
	}
	return r.refused(x)
}

func allThree(r *run) error {
	x, v, err := r.simple()
	if err != nil {
		return err
	}
	if r.peer == nil {
		o, err := r.opened(v, oneWay)
		if err != nil {
			return err
		}
		for id, b := range o.bodies {
			if err := isGzip(b, []byte(xmlDocument)); err != nil {
				return err
			}
			if err := r.digestOf(v, id, b); err != nil {
				return err
			}
		}
		if !o.Encrypted {
			return fail("the message is not encrypted")
		}
	}
	return r.taken(x, []byte(xmlDocument))
}

func gunzip(b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
