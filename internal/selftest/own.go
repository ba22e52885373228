package selftest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/node/testbed"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var ownCases = []*Case{
	{ID: "VK_WRAPPING", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "a signed header that was moved aside, with another one in its place, is refused", run: wrapping},
	{ID: "VK_REPEATED_ID", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "a signed id that a second element has is refused", run: repeatedID},
	{ID: "VK_ALTERED_HEADER", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "a header that was altered on the way is refused", run: alteredHeader},
	{ID: "VK_ALTERED_PAYLOAD", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "a payload with one altered bit is refused", run: alteredPayload},
	{ID: "VK_UNSIGNED", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "a message without signature is refused", run: unsigned},
	{ID: "VK_UNENCRYPTED", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "a message that is not encrypted is refused", run: unencrypted},
	{ID: "VK_SHA1", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "a signature that names SHA-1 is refused", run: sha1Named},
	{ID: "VK_REPLAY", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "a copy of a message is answered by a receipt, and not delivered again", run: replay},
	{ID: "VK_PARALLEL", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "of copies that arrive at once each gets a receipt, and one is delivered", run: parallel},
	{ID: "VK_RESTART", Level: Own, Module: ourOwn,
		Predicate: "a receiver that ends between storing and answering knows the message when it comes again", run: restartBetween},
	{ID: "VK_RECEIPT_OTHER", Level: Own, Module: ourOwn,
		Predicate: "the receipt of another message acknowledges nothing", run: receiptOfAnother},
	{ID: "VK_RECEIPT_UNSIGNED", Level: Own, Module: ourOwn,
		Predicate: "a receipt without signature acknowledges nothing", run: receiptUnsigned},
	{ID: "VK_RECEIPT_DIGEST", Level: Own, Module: ourOwn,
		Predicate: "a receipt that is signed and repeats another digest acknowledges nothing", run: receiptOfOtherDigest},
	{ID: "VK_RECEIPT_SIGNER", Level: Own, Module: ourOwn,
		Predicate: "a receipt that another member of the network signed acknowledges nothing", run: receiptOfOtherSigner},
	{ID: "VK_LARGE", Level: Own, Module: ourOwn,
		Predicate: "a large payload arrives with the same octets", run: large},
	{ID: "VK_MANY_PARTS", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "a message with 1,000 parts is taken, or refused by an ebMS error or HTTP status 400", run: manyParts},
	{ID: "VK_BOMB", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "a payload of 256 MiB that expands a thousandfold is refused", run: bomb},
	{ID: "VK_DOCTYPE", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "an envelope with a document type is refused", run: doctype},
	{ID: "VK_TWO_MESSAGES", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "two user messages in one header are refused", run: twoMessages},
	{ID: "VK_MUST_UNDERSTAND", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "a header block that must be understood and is unknown is answered by a SOAP fault or an ebMS error", run: mustUnderstand},
	{ID: "VK_TRUNCATED", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "a body that ends in the middle is refused", run: truncated},
	{ID: "VK_NO_SOAP", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "what is no message gets a status of 4xx, or an ebMS error", run: noSOAP},
	{ID: "VK_EXPIRED_SENDER", Level: Own, Module: ourOwn,
		Predicate: "a sender whose certificate has expired is refused", run: func(r *run) error { return badSender(r, func() *pki.Identity { return r.p.expired }) }},
	{ID: "VK_REVOKED_SENDER", Level: Own, Module: ourOwn,
		Predicate: "a sender whose certificate was revoked is refused", run: func(r *run) error { return badSender(r, func() *pki.Identity { return r.p.revoked }) }},
	{ID: "VK_EXPIRED_RECEIVER", Level: Own, Module: ourOwn,
		Predicate: "nothing is sent to a receiver whose certificate has expired, and the producer is told", run: func(r *run) error { return badReceiver(r, outdated) }},
	{ID: "VK_REVOKED_RECEIVER", Level: Own, Module: ourOwn,
		Predicate: "nothing is sent to a receiver whose certificate was revoked, and the producer is told", run: func(r *run) error { return badReceiver(r, withdrawn) }},
	{ID: "VK_CLOCK", Level: Own, Module: ourOwn, Peer: true,
		Predicate: "clocks that differ by ten minutes keep no message away", run: clocks},
}

var anyDigest = regexp.MustCompile(`DigestValue>[^<]*<`)

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// block cuts an element out of an envelope by its name.
func block(envelope []byte, name string) (from, to int) {
	from = bytes.Index(envelope, []byte("<"+name+" "))
	end := []byte("</" + name + ">")
	if to = bytes.Index(envelope, end); from < 0 || to < 0 {
		return 0, 0
	}
	return from, to + len(end)
}

// rejected checks that something that is no proper message was not taken: by an error, a fault, or a status of 4xx.
func (r *run) rejected(x *Exchange) error {
	if x.Err != nil {
		return fail("no answer: %v", x.Err)
	}
	if x.Status/100 != 4 {
		v, err := x.reply()
		if err != nil {
			return err
		}
		if v.failure() == nil && v.env.Fault == nil {
			return fail("HTTP status %d, and neither an error nor a fault", x.Status)
		}
	}
	return r.absent(x.MessageID)
}

func wrapping(r *run) error {
	x, err := r.posted(forgery{envelope: func(b []byte) []byte {
		from, to := block(b, "eb:Messaging")
		signed := string(b[from:to])
		forged := strings.NewReplacer("msg-", "other-", ">C4<", ">attacker<").Replace(signed)
		return []byte(string(b[:from]) + forged + `<x:aside xmlns:x="urn:viadukt:selftest">` + signed + `</x:aside>` + string(b[to:]))
	}})
	if err != nil {
		return err
	}
	return r.rejected(x)
}

func repeatedID(r *run) error {
	x, err := r.posted(forgery{envelope: func(b []byte) []byte {
		from, to := block(b, "eb:Messaging")
		return []byte(string(b[:to]) + `<x:aside xmlns:x="urn:viadukt:selftest">` + string(b[from:to]) + `</x:aside>` + string(b[to:]))
	}})
	if err != nil {
		return err
	}
	return r.rejected(x)
}

func alteredHeader(r *run) error {
	x, err := r.posted(forgery{envelope: func(b []byte) []byte { return bytes.Replace(b, []byte(">C4<"), []byte(">C5<"), 1) }})
	if err != nil {
		return err
	}
	return r.refused(x)
}

func alteredPayload(r *run) error {
	x, err := r.posted(forgery{travel: func(_ int, b []byte) []byte {
		b = bytes.Clone(b)
		b[len(b)/2] ^= 1
		return b
	}})
	if err != nil {
		return err
	}
	return r.refused(x)
}

func unsigned(r *run) error {
	x, err := r.posted(forgery{secure: func(o *wss.SecureOptions) { o.Sign = nil }})
	if err != nil {
		return err
	}
	return r.refused(x)
}

func unencrypted(r *run) error {
	x, err := r.posted(forgery{secure: func(o *wss.SecureOptions) { o.Recipient = nil }})
	if err != nil {
		return err
	}
	return r.refused(x)
}

func sha1Named(r *run) error {
	x, err := r.posted(forgery{envelope: func(b []byte) []byte {
		return bytes.ReplaceAll(b, []byte(xmldsig.RSASHA256), []byte("http://www.w3.org/2000/09/xmldsig#rsa-sha1"))
	}})
	if err != nil {
		return err
	}
	return r.refused(x)
}

// once checks that all exchanges of a message were answered by a receipt, and it was delivered once. Our own receivers
// answer with the same octets each time [AS4 3.2].
func (r *run) once(id string, exchanges ...*Exchange) error {
	for i, x := range exchanges {
		if _, _, err := x.receipt(); err != nil {
			return fail("copy %d: %v", i+1, err)
		}
		if r.peer == nil && !bytes.Equal(x.Answer, exchanges[0].Answer) {
			return fail("copy %d got another receipt than the first", i+1)
		}
	}
	if r.peer != nil {
		return nil
	}
	if _, err := r.driver.Await(r.ctx, corners[1], testbed.Deliver, id); err != nil {
		return err
	}
	if n := len(r.driver.Find(corners[1], testbed.Deliver, id)); n != 1 {
		return fail("the message was delivered %d times", n)
	}
	return nil
}

func replay(r *run) error {
	if err := r.use("eu-edelivery"); err != nil {
		return err
	}
	m, err := r.forge(forgery{})
	if err != nil {
		return err
	}
	var all []*Exchange
	for n := range 3 {
		x, err := r.post(m, n+1)
		if err != nil {
			return err
		}
		all = append(all, x)
	}
	return r.once(m.id, all...)
}

func parallel(r *run) error {
	if err := r.use("eu-edelivery"); err != nil {
		return err
	}
	m, err := r.forge(forgery{})
	if err != nil {
		return err
	}
	const copies = 8
	var work sync.WaitGroup
	errs := make([]error, copies)
	for i := range copies {
		work.Go(func() { errs[i] = r.put(m) })
	}
	work.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var all []*Exchange
	for n := range copies {
		x, err := r.there().await(r.ctx, m.id, n+1)
		if err != nil {
			return err
		}
		all = append(all, x)
	}
	return r.once(m.id, all...)
}

func restartBetween(r *run) error {
	if err := r.use("eu-edelivery"); err != nil {
		return err
	}
	var restarted error
	attempt := 0
	id, err := r.retried(nil, func(x *Exchange) {
		if attempt++; attempt > 1 {
			return
		}
		if restarted = r.p.stop(1); restarted == nil {
			restarted = r.p.start(context.WithoutCancel(r.parent), 1)
		}
		x.Err = errors.New("the connection broke")
	})
	if err != nil {
		return err
	}
	x, err := r.there().await(r.ctx, id, 2)
	if err != nil {
		return err
	}
	if restarted != nil {
		return restarted
	}
	if err := r.notified(0, id, testbed.SignalReceipt); err != nil {
		return err
	}
	return r.once(id, x)
}

// unproven sends a message whose receipt is replaced by another answer, and checks that it counts for nothing.
func (r *run) unproven(change func(x *Exchange) error) error {
	if err := r.use("eu-edelivery"); err != nil {
		return err
	}
	var changed error
	r.there().on(nil, func(x *Exchange) {
		if _, _, err := x.receipt(); err != nil {
			changed = err
			return
		}
		changed = change(x)
	})
	id, err := r.submitted(0, submission{mode: oneWay, payloads: []Payload{xmlPayload()}})
	if err != nil {
		return err
	}
	if _, err := r.there().await(r.ctx, id, 1); err != nil {
		return err
	}
	if changed != nil {
		return changed
	}
	return r.notified(0, id, testbed.SignalError)
}

func receiptOfAnother(r *run) error {
	before, _, err := r.simple()
	if err != nil {
		return err
	}
	if _, _, err := before.receipt(); err != nil {
		return err
	}
	return r.unproven(func(x *Exchange) error {
		x.Answer = before.Answer
		return nil
	})
}

func receiptUnsigned(r *run) error {
	return r.unproven(func(x *Exchange) error {
		from, to := block(x.Answer, "wsse:Security")
		if to == 0 {
			return fail("the receipt has no wsse:Security to leave out")
		}
		x.Answer = append(bytes.Clone(x.Answer[:from]), x.Answer[to:]...)
		return nil
	})
}

// signedAnew replaces an answer by one with the same receipt, changed, and signed by somebody.
func (r *run) signedAnew(x *Exchange, signer *pki.Identity, change func(receipt string) string) error {
	v, sig, err := x.receipt()
	if err != nil {
		return err
	}
	doc, err := dom.Parse([]byte(change(string(sig.Receipt.Node.Raw()))), dom.Limits{})
	if err != nil {
		// the prefix of the receipt is declared above it
		doc, err = dom.Parse([]byte(change(strings.Replace(string(sig.Receipt.Node.Raw()), "<eb:Receipt", `<eb:Receipt xmlns:eb="`+ebms.NS+`"`, 1))), dom.Limits{})
	}
	if err != nil {
		return err
	}
	s := ebms.NewReceipt("again-"+sig.MessageID, x.MessageID, time.Now(), find(doc.Root(), nsDS, "Reference"))
	pm, err := r.p.pmode(0, oneWay)
	if err != nil {
		return err
	}
	suite := pm.Profile.Suites[0]
	sec, err := wss.Secure(wss.NewDraft(&ebms.Messaging{Signals: []*ebms.Signal{s}}, "again"), nil, wss.SecureOptions{Suite: suite, Sign: signer, ID: "again"})
	if err != nil {
		return err
	}
	x.Answer, x.AnswerType = sec.Envelope, v.kind
	return nil
}

func receiptOfOtherDigest(r *run) error {
	return r.unproven(func(x *Exchange) error {
		other := sha256.Sum256([]byte("something else"))
		return r.signedAnew(x, r.node(1).Identity(), func(s string) string {
			return anyDigest.ReplaceAllString(s, "DigestValue>"+base64Of(other[:])+"<")
		})
	})
}

func receiptOfOtherSigner(r *run) error {
	if err := r.use("eu-edelivery"); err != nil {
		return err
	}
	other, err := r.p.ca.Issue(r.p.template("somebody-else", time.Now()))
	if err != nil {
		return err
	}
	return r.unproven(func(x *Exchange) error {
		return r.signedAnew(x, other, func(s string) string { return s })
	})
}

// noise is as long as one likes and does not compress.
type noise struct {
	block []byte
	left  int64
	at    int
}

func newNoise(n int64) *noise {
	src := rand.NewChaCha8([32]byte{1})
	b := make([]byte, 1<<20)
	src.Read(b)
	return &noise{block: b, left: n}
}

// Read implements [io.Reader].
func (n *noise) Read(b []byte) (int, error) {
	if n.left == 0 {
		return 0, io.EOF
	}
	c := copy(b[:min(int64(len(b)), n.left)], n.block[n.at:])
	n.left, n.at = n.left-int64(c), (n.at+c)%len(n.block)
	return c, nil
}

func large(r *run) error {
	if err := r.use("eu-edelivery"); err != nil {
		return err
	}
	r.cancel()
	r.ctx, r.cancel = context.WithTimeout(r.parent, r.Patience+time.Duration(r.Large/(10<<20))*time.Second) // 10 MiB/s will do
	h := sha256.New()
	if _, err := io.Copy(h, newNoise(r.Large)); err != nil {
		return err
	}
	id, err := r.submitted(0, submission{mode: oneWay, payloads: []Payload{{ID: "large@minder", Type: "application/octet-stream", Size: r.Large, Body: newNoise(r.Large)}}})
	if err != nil {
		return err
	}
	x, err := r.there().await(r.ctx, id, 1)
	if err != nil {
		return err
	}
	if _, _, err := x.receipt(); err != nil {
		return err
	}
	t, err := r.driver.Await(r.ctx, corners[1], testbed.Deliver, id)
	if err != nil {
		return err
	}
	if len(t.Sums) != 1 || !bytes.Equal(t.Sums[0], h.Sum(nil)) {
		return fail("the payload of %d octets was delivered with other octets than it was sent with", r.Large)
	}
	return nil
}

func manyParts(r *run) error {
	parts := make([]forgedPart, 1000)
	for i := range parts {
		parts[i] = plain("part"+strconv.Itoa(i)+"@minder", "application/octet-stream", []byte{byte(i), byte(i >> 8)})
	}
	x, err := r.posted(forgery{parts: parts})
	if err != nil {
		return err
	}
	if x.Err != nil {
		return fail("no answer: %v", x.Err)
	}
	if x.Status == http.StatusBadRequest {
		return nil
	}
	v, err := x.reply()
	if err != nil {
		return err
	}
	if v.failure() == nil {
		_, _, err = x.receipt()
	}
	return err
}

func bomb(r *run) error {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<20)
	for range 256 {
		if _, err := z.Write(zeros); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	p := compressed("xmlpayload@minder", "application/xml", nil)
	p.body = b.Bytes()
	x, err := r.posted(forgery{parts: []forgedPart{p}})
	if err != nil {
		return err
	}
	return r.refused(x)
}

func doctype(r *run) error {
	x, err := r.posted(forgery{envelope: func(b []byte) []byte {
		i := bytes.Index(b, []byte("<S12:Envelope"))
		return []byte(string(b[:i]) + `<!DOCTYPE x [<!ENTITY e "entity">]>` + string(b[i:]))
	}})
	if err != nil {
		return err
	}
	return r.rejected(x)
}

func twoMessages(r *run) error {
	x, err := r.posted(forgery{envelope: func(b []byte) []byte {
		from := bytes.Index(b, []byte("<eb:UserMessage"))
		to := bytes.Index(b, []byte("</eb:UserMessage>")) + len("</eb:UserMessage>")
		return []byte(string(b[:to]) + string(b[from:to]) + string(b[to:]))
	}})
	if err != nil {
		return err
	}
	return r.refused(x)
}

func mustUnderstand(r *run) error {
	x, err := r.posted(forgery{envelope: func(b []byte) []byte {
		_, to := block(b, "eb:Messaging")
		return []byte(string(b[:to]) + `<x:unknown xmlns:x="urn:viadukt:selftest" xmlns:S12="` + ebms.NSSOAP + `" S12:mustUnderstand="true"></x:unknown>` + string(b[to:]))
	}})
	if err != nil {
		return err
	}
	return r.rejected(x)
}

func truncated(r *run) error {
	if err := r.use("eu-edelivery"); err != nil {
		return err
	}
	m, err := r.forge(forgery{})
	if err != nil {
		return err
	}
	m.body = m.body[:len(m.body)-200]
	x, err := r.post(m, 1)
	if err != nil {
		return err
	}
	return r.rejected(x)
}

func noSOAP(r *run) error {
	if err := r.use("eu-edelivery"); err != nil {
		return err
	}
	m := &forged{id: "nothing@bed.example", contentType: "text/html", body: []byte("<html><MessageId>nothing@bed.example</MessageId></html>")}
	x, err := r.post(m, 1)
	if err != nil {
		return err
	}
	return r.rejected(x)
}

// badSender sends in a party's own name, with its own certificate of the network, which is no good.
func badSender(r *run, signer func() *pki.Identity) error {
	if err := r.use("eu-edelivery"); err != nil {
		return err
	}
	good, err := r.p.ca.Issue(r.p.template("newcomer", time.Now()))
	if err != nil {
		return err
	}
	from := func(id *pki.Identity) forgery {
		return forgery{mode: dynamic, signer: id, header: func(um *ebms.UserMessage) { um.From.IDs[0].Value = id.Certificate.Subject.CommonName() }}
	}
	x, err := r.posted(from(good))
	if err != nil {
		return err
	}
	if _, _, err := x.receipt(); err != nil {
		return fail("a good certificate: %v", err)
	}
	if x, err = r.posted(from(signer())); err != nil {
		return err
	}
	return r.refused(x)
}

func badReceiver(r *run, mode string) error {
	if err := r.use("eu-edelivery"); err != nil {
		return err
	}
	id, err := r.submitted(0, submission{mode: mode, payloads: []Payload{xmlPayload()}})
	if err != nil {
		return err
	}
	if err := r.notified(0, id, testbed.SignalError); err != nil {
		return err
	}
	if list, _ := r.there().seen(id); len(list) > 0 {
		return fail("the message was sent")
	}
	return nil
}

func clocks(r *run) error {
	for _, d := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		x, err := r.posted(forgery{header: func(um *ebms.UserMessage) { um.Timestamp = um.Timestamp.Add(d) }})
		if err != nil {
			return err
		}
		if err := r.taken(x, []byte(xmlDocument)); err != nil {
			return fail("a message from %s: %v", d, err)
		}
	}
	return nil
}
