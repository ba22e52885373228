package selftest

import (
	"bytes"
	"context"
	"crypto/sha1" // names certificates in token references
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// failure is what was seen instead of what the assertion says.
type failure struct{ text string }

func (f *failure) Error() string { return f.text }

// fail says what was seen.
func fail(format string, args ...any) error { return &failure{fmt.Sprintf(format, args...)} }

// view is a message as it was on the wire, read by the same rules for both ends.
type view struct {
	env       *ebms.Envelope
	um        *ebms.UserMessage
	signals   []*ebms.Signal
	parts     []viewPart
	multipart bool
	octets    []byte // the envelope
	all       []byte // the whole body
	kind      string // its type
}

type viewPart struct {
	id, contentType string
	body            []byte
}

// read takes a body apart.
func read(contentType string, body []byte) (*view, error) {
	media, err := ebms.ParseContentType(contentType)
	if err != nil {
		return nil, fail("Content-Type %q: %v", contentType, err)
	}
	v := &view{octets: body, all: body, kind: contentType, multipart: media.IsMultipart()}
	if v.multipart {
		r, err := ebms.NewReader(contentType, bytes.NewReader(body), ebms.Limits{Parts: 5000, Length: int64(len(body))})
		if err != nil {
			return nil, fail("no multipart body: %v", err)
		}
		if _, v.octets, err = r.Root(); err != nil {
			return nil, fail("no root part: %v", err)
		}
		for {
			p, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fail("part %d: %v", len(v.parts)+1, err)
			}
			b, err := io.ReadAll(p)
			if err != nil {
				return nil, fail("part %d: %v", len(v.parts)+1, err)
			}
			v.parts = append(v.parts, viewPart{p.ContentID, p.ContentType, b})
		}
	} else if !media.IsSOAP() {
		return nil, fail("Content-Type %q is neither a SOAP envelope nor a multipart message", contentType)
	}
	if v.env, err = ebms.ParseEnvelope(bytes.Clone(v.octets), dom.Limits{}); err != nil {
		return nil, fail("no SOAP envelope: %v", err)
	}
	if !v.env.Messaging.Valid() {
		return v, nil // a bare fault
	}
	m, err := ebms.ParseMessaging(v.env.Messaging, ebms.AllQuirks())
	if err != nil {
		return nil, fail("eb:Messaging: %v", err)
	}
	v.um, v.signals = m.UserMessage(), m.Signals
	return v, nil
}

// message reads the request of an exchange as a user message.
func (x *Exchange) message() (*view, error) {
	v, err := read(x.ContentType, x.Body)
	if err == nil && v.um == nil {
		err = fail("the request carries no user message")
	}
	return v, err
}

// reply reads the answer.
func (x *Exchange) reply() (*view, error) {
	if x.Err != nil {
		return nil, fail("no answer: %v", x.Err)
	}
	v, err := read(x.AnswerType, x.Answer)
	if err != nil {
		return nil, fail("HTTP status %d, %d octets: %v", x.Status, len(x.Answer), err)
	}
	return v, nil
}

// receipt is the receipt in the answer: HTTP 2xx, for this message, and of non-repudiation.
func (x *Exchange) receipt() (*view, *ebms.Signal, error) {
	v, err := x.reply()
	if err != nil {
		return nil, nil, err
	}
	if e := v.failure(); e != nil {
		return v, nil, fail("the answer is an error, %s", shown(e))
	}
	for _, s := range v.signals {
		if s.Receipt == nil {
			continue
		}
		switch {
		case x.Status/100 != 2:
			return v, nil, fail("the receipt came with HTTP status %d", x.Status)
		case s.RefToMessageID != x.MessageID:
			return v, nil, fail("the receipt is for %q, the message is %q", s.RefToMessageID, x.MessageID)
		}
		return v, s, nil
	}
	return v, nil, fail("HTTP status %d, and no receipt in the answer", x.Status)
}

// failure is the first error of severity failure in the signals.
func (v *view) failure() *ebms.Error {
	for _, s := range v.signals {
		for _, e := range s.Errors {
			if e.Severity != ebms.Warning {
				return e
			}
		}
	}
	return nil
}

// refusal is the error in the answer, with one of the codes where there are any.
func (x *Exchange) refusal(codes ...ebms.Code) (*ebms.Error, error) {
	v, err := x.reply()
	if err != nil {
		return nil, err
	}
	e := v.failure()
	if e == nil {
		what := "no signal"
		if len(v.signals) > 0 && v.signals[0].Receipt != nil {
			what = "a receipt"
		} else if v.env.Fault != nil {
			what = "a SOAP fault alone"
		}
		return nil, fail("HTTP status %d and %s where an error should be", x.Status, what)
	}
	for _, c := range codes {
		if e.Code == c {
			return e, nil
		}
	}
	if len(codes) > 0 {
		return e, fail("the error is %s, not %s", shown(e), string(codes[0]))
	}
	return e, nil
}

func shown(e *ebms.Error) string {
	s := string(e.Code) + " " + e.Code.Name()
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	return s
}

// find lists the elements of a name below a node.
func find(n dom.Node, space, local string) (list []dom.Node) {
	if !n.Valid() {
		return nil
	}
	for d := range n.Descendants() {
		if d.Kind() == dom.ElementNode && d.Is(space, local) {
			list = append(list, d)
		}
	}
	return list
}

const (
	nsDS   = xmldsig.Namespace
	nsXENC = "http://www.w3.org/2001/04/xmlenc#"
)

// signature is the one signature of a message.
func (v *view) signature() (dom.Node, error) {
	list := find(v.env.Security, nsDS, "Signature")
	if len(list) != 1 {
		return dom.Node{}, fail("%d signatures", len(list))
	}
	return list[0], nil
}

// algorithm is that of the first element of a name below n, "" without one.
func algorithm(n dom.Node, space, local string) string {
	if l := find(n, space, local); len(l) > 0 {
		return l[0].Attr("Algorithm")
	}
	return ""
}

// signed checks what a signature covers and with what: header by id, the empty Body and every part.
func (v *view) signed(method, digest string) error {
	sig, err := v.signature()
	if err != nil {
		return err
	}
	if got := algorithm(sig, nsDS, "SignatureMethod"); got != method {
		return fail("signature method %s", got)
	}
	covered := map[string]bool{}
	for _, r := range find(sig, nsDS, "Reference") {
		if got := algorithm(r, nsDS, "DigestMethod"); got != digest {
			return fail("digest method %s for %s", got, r.Attr("URI"))
		}
		covered[r.Attr("URI")] = true
	}
	for what, n := range map[string]dom.Node{"eb:Messaging": v.env.Messaging, "the SOAP Body": v.env.Body} {
		id, _ := n.AttrNS(wss.NamespaceWSU, "Id")
		if id == "" {
			id = n.Attr("id")
		}
		if id == "" || !covered["#"+id] {
			return fail("%s is not signed", what)
		}
	}
	for _, p := range v.parts {
		if !covered["cid:"+p.id] {
			return fail("part %s is not signed", p.id)
		}
	}
	if !v.env.BodyEmpty() {
		return fail("the SOAP Body is not empty")
	}
	return nil
}

// opened is a message after its security was removed.
type opened struct {
	*wss.Opened
	bodies map[string][]byte // as they were signed, by content id
}

// open decrypts and verifies, without a limit to one suite of keys. key may be nil for what is not encrypted.
func (v *view) open(suite wss.Suite, key *pki.Identity, signer *pki.Certificate) (*opened, error) {
	o := &opened{bodies: map[string][]byte{}}
	buffers := map[string]*bytes.Buffer{}
	opt := wss.OpenOptions{
		Suites: []wss.Suite{suite}, RequireSigned: true, RequireEncrypted: key != nil && len(v.parts) > 0,
		Trust: func(leaf *pki.Certificate, _ []*pki.Certificate, _ wss.TokenForm) error {
			if signer != nil && !leaf.Equal(signer) {
				return errors.New("another certificate than that of the sender signed")
			}
			return nil
		},
		Known: func(t wss.TokenRef) []*pki.Certificate {
			if signer != nil && t.Matches(signer) {
				return []*pki.Certificate{signer}
			}
			return nil
		},
	}
	if key != nil {
		opt.Keys = []*pki.Identity{key}
	}
	for _, p := range v.parts {
		buffers[p.id] = new(bytes.Buffer)
		opt.Targets = append(opt.Targets, wss.Target{ContentID: p.id, W: buffers[p.id]})
	}
	env, err := ebms.ParseEnvelope(bytes.Clone(v.octets), dom.Limits{})
	if err != nil {
		return nil, err
	}
	var parts *ebms.MIMEReader
	if v.multipart {
		if parts, err = ebms.NewReader(v.kind, bytes.NewReader(v.all), ebms.Limits{Parts: 5000, Length: int64(len(v.all))}); err != nil {
			return nil, err
		}
		if _, _, err = parts.Root(); err != nil {
			return nil, err
		}
	}
	if o.Opened, err = wss.Open(context.Background(), env, parts, opt); err != nil {
		return nil, fail("%v", err)
	}
	for id, b := range buffers {
		o.bodies[id] = b.Bytes()
	}
	return o, nil
}

// encrypted checks that every part is encrypted with a method and the key for a certificate.
func (v *view) encrypted(method string, recipient *pki.Certificate) error {
	data := map[string]dom.Node{}
	for _, n := range find(v.env.Security, nsXENC, "EncryptedData") {
		for _, r := range find(n, nsXENC, "CipherReference") {
			data[strings.TrimPrefix(r.Attr("URI"), "cid:")] = n
		}
	}
	for _, p := range v.parts {
		n, ok := data[p.id]
		if !ok {
			return fail("part %s is not encrypted", p.id)
		}
		if got := algorithm(n, nsXENC, "EncryptionMethod"); got != method {
			return fail("part %s is encrypted with %s", p.id, got)
		}
	}
	keys := find(v.env.Security, nsXENC, "EncryptedKey")
	if len(keys) != 1 {
		return fail("%d encrypted keys", len(keys))
	}
	k, err := xmlenc.ParseEncryptedKey(keys[0])
	if err != nil {
		return fail("encrypted key: %v", err)
	}
	if !k.RecipientInfo.Valid() {
		return fail("the encrypted key names nobody")
	}
	if recipient != nil && !names(v.env, k.RecipientInfo, recipient) {
		return fail("the key is encrypted for another certificate than the receiver's")
	}
	return nil
}

// names says whether a token reference names a certificate: by itself, or by something of it.
func names(env *ebms.Envelope, info dom.Node, c *pki.Certificate) bool {
	is := func(n dom.Node, want ...[]byte) bool {
		b, err := xmldsig.DecodeBase64(n, 64<<10)
		return err == nil && slices.ContainsFunc(want, func(w []byte) bool { return bytes.Equal(b, w) })
	}
	tokens := find(env.Security, wss.NamespaceWSSE, "BinarySecurityToken")
	for _, r := range find(info, wss.NamespaceWSSE, "Reference") {
		for _, t := range tokens {
			id, _ := t.AttrNS(wss.NamespaceWSU, "Id")
			if b, err := xmldsig.DecodeBase64(t, 64<<10); "#"+id == r.Attr("URI") && err == nil && bytes.Contains(b, c.Raw) { // in a path too
				return true
			}
		}
	}
	sum := sha1.Sum(c.Raw)
	return slices.ContainsFunc(find(info, wss.NamespaceWSSE, "KeyIdentifier"), func(n dom.Node) bool { return is(n, c.SubjectKeyID, sum[:]) }) ||
		slices.ContainsFunc(find(info, nsDS, "X509SKI"), func(n dom.Node) bool { return is(n, c.SubjectKeyID) }) ||
		slices.ContainsFunc(find(info, nsDS, "X509SerialNumber"), func(n dom.Node) bool { return n.TrimmedText() == c.SerialNumber.String() })
}

// decode reads the base64 of the first of some elements.
func decode(list []dom.Node) ([]byte, error) {
	if len(list) == 0 {
		return nil, errors.New("missing")
	}
	return xmldsig.DecodeBase64(list[0], 4<<10)
}
