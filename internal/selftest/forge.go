package selftest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
)

// forgery is a message that the bed makes in the name of corner 2: by the rules, but for what a case changes.
type forgery struct {
	mode     string
	id       string
	signer   *pki.Identity // default: that of corner 2
	header   func(*ebms.UserMessage)
	parts    []forgedPart                 // default: an XML document, compressed
	secure   func(*wss.SecureOptions)     // before signing and encrypting
	envelope func([]byte) []byte          // after
	travel   func(i int, b []byte) []byte // a part as it travels
	unnamed  bool                         // parts are not in the header by themselves
}

// forgedPart is one attachment.
type forgedPart struct {
	id         string
	kind       string // type of the octets that are signed
	signed     []byte // octets that are digested; nil: body
	body       []byte
	properties []ebms.Property
}

// compressed is a part by the rules: compressed before it is signed.
func compressed(id, kind string, body []byte, more ...ebms.Property) forgedPart {
	return forgedPart{id: id, kind: ebms.CompressionGzip, body: gzipped(body), properties: append([]ebms.Property{
		{Name: ebms.PropertyMimeType, Value: kind}, {Name: ebms.PropertyCompressionType, Value: ebms.CompressionGzip}}, more...)}
}

// plain is a part as it is.
func plain(id, kind string, body []byte, more ...ebms.Property) forgedPart {
	return forgedPart{id: id, kind: kind, body: body, properties: append([]ebms.Property{{Name: ebms.PropertyMimeType, Value: kind}}, more...)}
}

func gzipped(body []byte) []byte {
	var b bytes.Buffer
	if _, err := as4.Compress(&b, func(w io.Writer) error { _, err := w.Write(body); return err }); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

// forged is a message ready to travel.
type forged struct {
	id, contentType string
	body            []byte
}

var forgeries atomic.Int64

// forge makes the message.
func (r *run) forge(f forgery) (*forged, error) {
	if f.mode == "" {
		f.mode = oneWay
	}
	pm, err := r.p.pmode(0, f.mode)
	if err != nil {
		return nil, err
	}
	if f.id == "" {
		var b [6]byte
		rand.Read(b[:])
		f.id = fmt.Sprintf("forged%d.%x@bed.example", forgeries.Add(1), b)
	}
	if f.signer == nil {
		f.signer = r.node(0).Identity()
	}
	if f.parts == nil {
		f.parts = []forgedPart{compressed("xmlpayload@minder", "application/xml", []byte(xmlDocument))}
	}
	um := &ebms.UserMessage{
		MessageID: f.id, Timestamp: time.Now().UTC(), MPC: pm.MPC, Service: ebms.Service{Value: pm.Service, Type: pm.ServiceType}, Action: pm.Action, ConversationID: "conversation-" + f.id,
		From:       ebms.Party{IDs: []ebms.PartyID{{Value: pm.Initiator.ID, Type: pm.Initiator.Type}}, Role: pm.Initiator.Role},
		To:         ebms.Party{IDs: []ebms.PartyID{{Value: pm.Responder.ID, Type: pm.Responder.Type}}, Role: pm.Responder.Role},
		Properties: []ebms.Property{{Name: ebms.PropertyOriginalSender, Value: "C1", Type: cornerType}, {Name: ebms.PropertyFinalRecipient, Value: "C4", Type: cornerType}},
	}
	if pm.Agreement != "" {
		um.Agreement = &ebms.Agreement{Value: pm.Agreement, Type: pm.AgreementType}
	}
	suite := pm.Profile.Suites[0]
	suite.SignToken, suite.EncryptToken = pm.SignToken, pm.EncryptToken
	opt := wss.SecureOptions{Suite: suite, Sign: f.signer, ID: fmt.Sprintf("f%x", sha256.Sum256([]byte(f.id)))[:20], Recipient: pm.Certificates[0]}
	if pm.EncryptionCertificate != nil {
		opt.Recipient = pm.EncryptionCertificate
	}
	if pm.Unencrypted {
		opt.Recipient = nil
	}
	var contents []wss.Content
	for _, p := range f.parts {
		if !f.unnamed {
			um.Parts = append(um.Parts, ebms.PartInfo{Href: "cid:" + p.id, Properties: p.properties})
		}
		signed, kind := p.body, p.kind
		if p.signed != nil {
			signed, kind = p.signed, "application/octet-stream"
		}
		digest, err := wss.DigestContent(kind, xmldsig.SHA256, bytes.NewReader(signed))
		if err != nil {
			return nil, err
		}
		contents = append(contents, wss.Content{ContentID: p.id, MimeType: p.kind, Size: int64(len(p.body)), Digest: digest,
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(p.body)), nil }})
	}
	if f.header != nil {
		f.header(um)
	}
	if f.secure != nil {
		f.secure(&opt)
	}
	sec, err := wss.Secure(wss.NewDraft(&ebms.Messaging{UserMessages: []*ebms.UserMessage{um}}, opt.ID), contents, opt)
	if err != nil {
		return nil, err
	}
	if f.envelope != nil {
		sec.Envelope = f.envelope(sec.Envelope)
	}
	out := &forged{id: f.id, contentType: ebms.ContentTypeSOAP, body: sec.Envelope}
	if len(sec.Parts) == 0 {
		return out, nil
	}
	var b bytes.Buffer
	boundary, root := "forged-"+opt.ID, "root@bed.example"
	out.contentType = ebms.MultipartContentType(boundary, root)
	mw := ebms.NewMIMEWriter(&b, boundary, root)
	if _, err := mw.Copy(ebms.PartHeader{ContentType: ebms.ContentTypeSOAP, ContentID: root}, bytes.NewReader(sec.Envelope)); err != nil {
		return nil, err
	}
	for i := range sec.Parts {
		var octets bytes.Buffer
		if _, err := sec.Parts[i].WriteTo(&octets); err != nil {
			return nil, err
		}
		body := octets.Bytes()
		if f.travel != nil {
			body = f.travel(i, body)
		}
		if _, err := mw.Copy(ebms.PartHeader{ContentType: sec.Parts[i].ContentType, ContentID: sec.Parts[i].ContentID}, bytes.NewReader(body)); err != nil {
			return nil, err
		}
	}
	if err := mw.Close(); err != nil {
		return nil, err
	}
	out.body = b.Bytes()
	return out, nil
}

// post sends a forged message through the interceptor; it is the n-th time.
func (r *run) post(f *forged, n int) (*Exchange, error) {
	if err := r.put(f); err != nil {
		return nil, err
	}
	return r.there().await(r.ctx, f.id, n)
}

func (r *run) put(f *forged) error {
	req, err := http.NewRequestWithContext(r.ctx, http.MethodPost, r.there().url(), bytes.NewReader(f.body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", f.contentType)
	resp, err := r.driver.client.Do(req)
	if err != nil {
		return fail("no answer: %v", err)
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// posted forges and sends.
func (r *run) posted(f forgery) (*Exchange, error) {
	if r.p == nil {
		if err := r.use("eu-edelivery"); err != nil {
			return nil, err
		}
	}
	m, err := r.forge(f)
	if err != nil {
		return nil, err
	}
	return r.post(m, 1)
}
