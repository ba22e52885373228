package wss_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// refusal is one manipulation of a good message and the error that it must meet.
type refusal struct {
	opt    wss.SecureOptions
	change func(t *testing.T, l *letter)
	open   func(o *wss.OpenOptions)
	want   error
}

func run(t *testing.T, cases map[string]refusal, payloads ...payload) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opt := c.opt
			if opt.Suite.Name == "" {
				opt = rsaOptions()
			}
			l := seal(t, opt, payloads...)
			if c.change != nil {
				c.change(t, l)
			}
			o := strict()
			if c.open != nil {
				c.open(&o)
			}
			r := l.open(t, o, payloads...)
			if c.want == nil && r.err != nil || !errors.Is(r.err, c.want) {
				t.Errorf("%v, want %v", r.err, c.want)
			}
		})
	}
}

// fragments of the envelope as seal writes it
const (
	messagingStart = "<eb:Messaging"
	messagingEnd   = "</eb:Messaging>"
	bodyElement    = `<S12:Body xmlns:S12="http://www.w3.org/2003/05/soap-envelope" xmlns:wsu="` + wss.NamespaceWSU + `" wsu:Id="body-t"></S12:Body>`
	attack         = "evil@a.example"
)

func swap(old, new string) func(*testing.T, *letter) {
	return func(t *testing.T, l *letter) { l.replace(t, old, new) }
}

// wrapMessaging puts the signed eb:Messaging elsewhere and a fake in its place.
func wrapMessaging(where, fakeID string) func(*testing.T, *letter) {
	return func(t *testing.T, l *letter) {
		original := l.cut(t, messagingStart, messagingEnd)
		fake := strings.Replace(original, "m1@a.example", attack, 1)
		fake = strings.Replace(fake, `wsu:Id="msg-t"`, fakeID, 1)
		switch where {
		case "header":
			l.replace(t, "</S12:Header>", fake+"<w:x xmlns:w='urn:w'>"+original+"</w:x></S12:Header>")
		case "security":
			l.replace(t, "</wsse:Security>", original+"</wsse:Security>")
			l.replace(t, "</S12:Header>", fake+"</S12:Header>")
		case "body":
			l.replace(t, "</S12:Header>", fake+"</S12:Header>")
			l.replace(t, "</S12:Body>", original+"</S12:Body>")
		case "object":
			l.replace(t, "</ds:Signature>", `<ds:Object xmlns:ds="http://www.w3.org/2000/09/xmldsig#">`+original+"</ds:Object></ds:Signature>")
			l.replace(t, "</S12:Header>", fake+"</S12:Header>")
		case "role": // a second eb:Messaging, for somebody else
			l.replace(t, "</S12:Header>", fake+original+"</S12:Header>")
		}
	}
}

func TestSignatureWrappingIsRefused(t *testing.T) {
	t.Parallel()
	body := func(l *letter) string {
		i := strings.Index(l.envelope, "<S12:Body")
		j := strings.Index(l.envelope, "</S12:Body>") + len("</S12:Body>")
		return l.envelope[i:j]
	}
	run(t, map[string]refusal{
		"Messaging moved under another header, a fake without id in place":  {change: wrapMessaging("header", ""), want: wss.ErrPolicy},
		"Messaging moved under another header, a fake with its id in place": {change: wrapMessaging("header", `wsu:Id="msg-t"`), want: wss.ErrAuthentication},
		"Messaging moved under another header, a fake with that id as Id":   {change: wrapMessaging("header", `Id="msg-t"`), want: wss.ErrAuthentication},
		"Messaging moved under another header, a fake with that id as id":   {change: wrapMessaging("header", `id="msg-t"`), want: wss.ErrAuthentication},
		"Messaging moved under another header, a fake with that id as ID":   {change: wrapMessaging("header", `ID="msg-t"`), want: wss.ErrAuthentication},
		"Messaging moved under another header, a fake with that xml:id":     {change: wrapMessaging("header", `xml:id="msg-t"`), want: wss.ErrAuthentication},
		"Messaging moved into Security, a fake in place":                    {change: wrapMessaging("security", ""), want: wss.ErrPolicy},
		"Messaging moved into the Body, a fake in place":                    {change: wrapMessaging("body", ""), want: wss.ErrAuthentication}, // the Body's digest
		"Messaging moved into an Object of the signature, a fake in place":  {change: wrapMessaging("object", ""), want: wss.ErrPolicy},
		"two Messagings":           {change: wrapMessaging("role", `wsu:Id="other"`), want: ebms.ValueInconsistent},
		"Messaging itself changed": {change: swap("m1@a.example", attack), want: wss.ErrAuthentication},
		"the mustUnderstand of Messaging dropped": {change: func(t *testing.T, l *letter) {
			i := strings.Index(l.envelope, messagingStart)
			l.envelope = l.envelope[:i] + strings.Replace(l.envelope[i:], ` S12:mustUnderstand="true"`, "", 1)
		}, want: wss.ErrAuthentication},
		"content in the signed empty Body": {change: swap("</S12:Body>", "<x/></S12:Body>"), want: wss.ErrAuthentication},
		"the Body moved into the header, another in place": {change: func(t *testing.T, l *letter) {
			b := body(l)
			l.replace(t, b, "<S12:Body><evil/></S12:Body>")
			l.replace(t, "</S12:Header>", b+"</S12:Header>")
		}, want: wss.ErrPolicy},
		"the Body within the Body": {change: func(t *testing.T, l *letter) {
			b := body(l)
			l.replace(t, b, "<S12:Body>"+b+"</S12:Body>")
		}, want: wss.ErrPolicy},
		"two Bodies": {change: func(t *testing.T, l *letter) {
			b := body(l)
			l.replace(t, b, b+b)
		}, want: errFault},
		"another element with the Messaging's id beside it": {change: swap("</S12:Header>", `<x xmlns="urn:x" Id="msg-t"/></S12:Header>`), want: wss.ErrAuthentication},
		"a second Signature": {change: func(t *testing.T, l *letter) {
			i, j := strings.Index(l.envelope, "<ds:Signature "), strings.Index(l.envelope, "</ds:Signature>")+len("</ds:Signature>")
			l.replace(t, "</wsse:Security>", l.envelope[i:j]+"</wsse:Security>")
		}, want: wss.ErrPolicy},
		"a second Security for the ultimate receiver":    {change: swap("</S12:Header>", `<wsse:Security xmlns:wsse="`+wss.NamespaceWSSE+`"/></S12:Header>`), want: ebms.PolicyNoncompliance},
		"a second Security for another role is not ours": {change: swap("</S12:Header>", `<wsse:Security xmlns:wsse="`+wss.NamespaceWSSE+`" S12:role="ebms"/></S12:Header>`)},
		"the Security made another role's":               {change: swap(`<wsse:Security `, `<wsse:Security S12:role="ebms" `), want: wss.ErrPolicy},
		"the signature outside of Security": {change: func(t *testing.T, l *letter) {
			s := l.cut(t, "<ds:Signature ", "</ds:Signature>")
			l.replace(t, "</S12:Header>", s+"</S12:Header>")
		}, want: wss.ErrPolicy},
	}, invoice)
}

// errFault stands for an envelope that is no SOAP: ParseEnvelope refused it.
var errFault = errors.New("a SOAP fault")

// forge is a signature over whatever the case wants, by Alice, put where the real one was.
func forge(refs func(d *dom.Document) []xmldsig.SignReference, opt xmldsig.SignOptions) func(*testing.T, *letter) {
	return func(t *testing.T, l *letter) {
		l.cut(t, "<ds:Signature ", "</ds:Signature>")
		d, err := dom.Parse([]byte(l.envelope), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		opt.KeyInfo = func(w *dom.Writer) {
			w.Start("wsse:SecurityTokenReference", "xmlns:wsse", wss.NamespaceWSSE)
			w.Start("wsse:Reference", "URI", "#sig-cert-t")
			w.End()
			w.End()
		}
		sig, err := xmldsig.Sign(cast().alice.Key.(crypto.Signer), refs(d), opt)
		if err != nil {
			t.Fatal(err)
		}
		l.replace(t, "</wsse:Security>", string(sig)+"</wsse:Security>")
	}
}

var exclusive = xmldsig.Canonicalize(c14n.Method{Algorithm: c14n.Exclusive10})

// pick is a reference to the element of that name; byID names it by its wsu:Id or the given attribute.
func pick(d *dom.Document, local, uri string, transforms ...xmldsig.Transform) xmldsig.SignReference {
	for n := range d.Root().Descendants() {
		if n.Local() == local {
			return xmldsig.SignReference{URI: uri, Node: n, Transforms: transforms}
		}
	}
	return xmldsig.SignReference{URI: uri, Digest: make([]byte, 32), Transforms: transforms}
}

func attachmentRef(transforms ...string) xmldsig.SignReference {
	digest := sha256.Sum256(picture.content)
	r := xmldsig.SignReference{URI: "cid:" + picture.cid, Digest: digest[:]}
	for _, a := range transforms {
		r.Transforms = append(r.Transforms, xmldsig.Transform{Algorithm: a})
	}
	return r
}

func TestWhatTheSignatureMustCover(t *testing.T) {
	t.Parallel()
	type refs = []xmldsig.SignReference
	messaging := func(d *dom.Document) xmldsig.SignReference { return pick(d, "Messaging", "#msg-t", exclusive) }
	body := func(d *dom.Document) xmldsig.SignReference { return pick(d, "Body", "#body-t", exclusive) }
	content := attachmentRef(xmldsig.AttachmentContent)
	good := func(d *dom.Document) refs { return refs{messaging(d), body(d), content} }
	with := func(opt xmldsig.SignOptions, f func(d *dom.Document) refs) func(*testing.T, *letter) {
		return forge(f, opt)
	}
	plain := xmldsig.SignOptions{}
	inclusive := xmldsig.Canonicalize(c14n.Method{Algorithm: c14n.Inclusive10})
	run(t, map[string]refusal{
		"all that must be is signed":      {change: with(plain, good)},
		"the references in another order": {change: with(plain, func(d *dom.Document) refs { return refs{content, body(d), messaging(d)} })},
		"Messaging is not signed":         {change: with(plain, func(d *dom.Document) refs { return refs{body(d), content} }), want: wss.ErrPolicy},
		"the Body is not signed":          {change: with(plain, func(d *dom.Document) refs { return refs{messaging(d), content} }), want: wss.ErrPolicy},
		"the attachment is not signed":    {change: with(plain, func(d *dom.Document) refs { return refs{messaging(d), body(d)} }), want: wss.ErrPolicy},
		"the attachment is signed twice":  {change: with(plain, func(d *dom.Document) refs { return append(good(d), content) }), want: wss.ErrPolicy},
		"a token is signed, nothing else": {change: with(plain, func(d *dom.Document) refs { return refs{pick(d, "BinarySecurityToken", "#enc-cert-t", exclusive)} }), want: wss.ErrPolicy},
		"a token is signed besides": {change: with(plain, func(d *dom.Document) refs {
			return append(good(d), pick(d, "BinarySecurityToken", "#enc-cert-t", exclusive))
		}), want: wss.ErrPolicy},
		"the whole document is signed": {change: with(plain, func(d *dom.Document) refs {
			return refs{{URI: "", Node: d.Node(), Transforms: []xmldsig.Transform{exclusive}}}
		}), want: wss.ErrAuthentication},
		"an attachment that is not there": {change: with(plain, func(d *dom.Document) refs {
			extra := content
			extra.URI = "cid:other@a.example"
			return append(good(d), extra)
		}), want: wss.ErrPart},
		"something in the web": {change: with(plain, func(d *dom.Document) refs {
			return append(good(d), xmldsig.SignReference{URI: "http://a.example/x", Digest: make([]byte, 32), Transforms: []xmldsig.Transform{exclusive}})
		}), want: wss.ErrPolicy},
		"an attachment without transform": {change: with(plain, func(d *dom.Document) refs { return refs{messaging(d), body(d), attachmentRef()} }), want: wss.ErrPolicy},
		"an attachment with the complete transform": {change: with(plain, func(d *dom.Document) refs {
			return refs{messaging(d), body(d), attachmentRef("http://docs.oasis-open.org/wss/oasis-wss-SwAProfile-1.1#Attachment-Complete-Signature-Transform")}
		}), want: wss.ErrAuthentication},
		"an attachment with two transforms": {change: with(plain, func(d *dom.Document) refs {
			return refs{messaging(d), body(d), attachmentRef(xmldsig.AttachmentContent, xmldsig.AttachmentContent)}
		}), want: wss.ErrPolicy},
		"Messaging without transform": {change: with(plain, func(d *dom.Document) refs { return refs{pick(d, "Messaging", "#msg-t"), body(d), content} }), want: wss.ErrPolicy},
		"Messaging in inclusive form": {change: with(plain, func(d *dom.Document) refs { return refs{pick(d, "Messaging", "#msg-t", inclusive), body(d), content} }), want: wss.ErrAuthentication},
		"Messaging canonicalised twice": {change: with(plain, func(d *dom.Document) refs {
			return refs{pick(d, "Messaging", "#msg-t", exclusive, exclusive), body(d), content}
		}), want: wss.ErrPolicy},
		"Messaging by SHA-1": {change: with(plain, func(d *dom.Document) refs {
			r := messaging(d)
			r.DigestMethod = "http://www.w3.org/2000/09/xmldsig#sha1"
			return refs{r, body(d), content}
		}), want: wss.ErrAuthentication},
		"Messaging by SHA-512 is as good": {change: with(plain, func(d *dom.Document) refs {
			r := messaging(d)
			r.DigestMethod = xmldsig.SHA512
			return refs{r, body(d), content}
		})},
		"a reference by an id that nobody has": {change: with(plain, func(d *dom.Document) refs { r := messaging(d); r.URI = "#none"; return refs{r, body(d), content} }), want: wss.ErrAuthentication},
		"a header block signed besides is fine": {change: func(t *testing.T, l *letter) {
			l.replace(t, "</S12:Header>", `<x:Extra xmlns:x="urn:x" xmlns:wsu="`+wss.NamespaceWSU+`" wsu:Id="x">1</x:Extra></S12:Header>`)
			with(plain, func(d *dom.Document) refs { return append(good(d), pick(d, "Extra", "#x", exclusive)) })(t, l)
		}},
		"a wsu:Timestamp alone": {change: func(t *testing.T, l *letter) {
			l.replace(t, "</wsse:Security>", `<wsu:Timestamp wsu:Id="ts"><wsu:Created>2026-11-28T10:00:00Z</wsu:Created></wsu:Timestamp></wsse:Security>`)
			with(plain, func(d *dom.Document) refs { return refs{pick(d, "Timestamp", "#ts", exclusive)} })(t, l)
		}, want: wss.ErrPolicy},
		"SignedInfo in inclusive form":  {change: with(xmldsig.SignOptions{Canonicalization: c14n.Method{Algorithm: c14n.Inclusive10}, InScope: map[string]string{"S12": ebms.NSSOAP, "eb": ebms.NS, "wsse": wss.NamespaceWSSE, "wsu": wss.NamespaceWSU}}, good), want: wss.ErrAuthentication},
		"RSA-PSS, which is not agreed":  {change: with(xmldsig.SignOptions{SignatureMethod: xmldsig.RSAPSSSHA256}, good), want: wss.ErrAuthentication},
		"SignedInfo changed afterwards": {change: func(t *testing.T, l *letter) { with(plain, good)(t, l); l.replace(t, "#msg-t\"", "#msg-t\" Type=\"\"") }, want: wss.ErrAuthentication},
		"the digest of Messaging exchanged": {change: func(t *testing.T, l *letter) {
			i := strings.Index(l.envelope, "DigestValue>") + len("DigestValue>")
			l.envelope = l.envelope[:i] + base64.StdEncoding.EncodeToString(make([]byte, 32)) + l.envelope[i+44:]
		}, want: wss.ErrAuthentication},
	}, picture)
}

func TestWhoMaySign(t *testing.T) {
	t.Parallel()
	p := cast()
	by := func(id *pki.Identity) wss.SecureOptions { o := rsaOptions(); o.Sign = id; return o }
	named := func(id *pki.Identity, f wss.TokenForm) wss.SecureOptions {
		o := by(id)
		o.Suite.SignToken = f
		return o
	}
	fresh := func(o *wss.OpenOptions) { // a verifier that has not seen the path in another test
		v := &pki.Verifier{Anchors: p.trust.Anchors, Clock: p.trust.Clock}
		o.Trust = func(leaf *pki.Certificate, path []*pki.Certificate, _ wss.TokenForm) error {
			_, err := v.Verify(leaf, path, pki.PurposeAccessPoint)
			return err
		}
	}
	pinned := func(o *wss.OpenOptions) {
		o.Trust = func(leaf *pki.Certificate, path []*pki.Certificate, f wss.TokenForm) error {
			if err := trusting(leaf, path, f); err != nil {
				return err
			}
			if !leaf.Equal(p.alice.Certificate) {
				return errors.New("not the one discovered")
			}
			return nil
		}
	}
	run(t, map[string]refusal{
		"the one discovered":                          {opt: by(p.alice), open: pinned},
		"another of the same authority, when any may": {opt: by(p.mallory)},
		"another than the one discovered":             {opt: by(p.mallory), open: pinned, want: wss.ErrAuthentication},
		"expired":                                     {opt: by(p.expired), want: pki.ErrExpired},
		"not yet valid":                               {opt: by(p.early), want: pki.ErrNotYetValid},
		"of a foreign authority":                      {opt: by(p.stranger), want: pki.ErrUntrusted},
		"of an authority for another purpose":         {opt: by(p.publisher), want: pki.ErrWrongPurpose},
		"with a key that may not sign":                {opt: by(p.noSignature), want: pki.ErrKeyUsage},
		"with an RSA key of 1024 bits":                {opt: by(p.weak), want: pki.ErrWeakKey},
		"below an intermediate that is not sent":      {opt: by(p.path), open: fresh, want: pki.ErrUntrusted},
		"below an intermediate that is sent":          {opt: named(p.path, wss.TokenPKIPath)},
		"named by key identifier and known":           {opt: named(p.mallory, wss.TokenSKI)},
		"named by key identifier and not known":       {opt: named(p.path, wss.TokenSKI), want: wss.ErrAuthentication},
		"nobody is trusted":                           {opt: by(p.alice), open: func(o *wss.OpenOptions) { o.Trust = nil }, want: wss.ErrAuthentication},
		"with an algorithm of another suite":          {opt: wss.SecureOptions{Suite: wss.SuiteEdDSA, Sign: p.aliceEd, Recipient: p.bobX.Certificate}, want: wss.ErrAuthentication},
		"not at all":                                  {opt: wss.SecureOptions{Suite: wss.SuiteRSA, Recipient: p.bob.Certificate}, want: wss.ErrPolicy},
		"with SHA-1":                                  {opt: by(p.alice), change: swap("xmldsig-more#rsa-sha256", "xmldsig-more#rsa-sha224"), want: wss.ErrAuthentication},
		"with a method that nobody knows":             {opt: by(p.alice), change: swap("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "urn:unknown"), want: wss.ErrAuthentication},
		"with rsa-sha1":                               {opt: by(p.alice), change: swap("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"), want: wss.ErrAuthentication},
	}, invoice)
}

func TestNothingIsReadBeforeTheSignerIsJudged(t *testing.T) {
	t.Parallel()
	o := rsaOptions()
	o.Sign = cast().stranger
	l := seal(t, o, picture)
	ctype, body := l.body(t)
	r, err := ebms.NewReader(ctype, bytes.NewReader(body), ebms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	_, root, err := r.Root()
	if err != nil {
		t.Fatal(err)
	}
	env, err := ebms.ParseEnvelope(root, dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	opt := strict()
	opt.Keys = []*pki.Identity{{Key: untouchable{cast().bob.Key, t}, Certificate: cast().bob.Certificate}}
	opt.Targets = []wss.Target{{ContentID: picture.cid, W: untouchable{nil, t}}}
	if _, err := wss.Open(context.Background(), env, r, opt); !errors.Is(err, wss.ErrAuthentication) {
		t.Error(err)
	}
}

// untouchable fails the test when it is used.
type untouchable struct {
	pki.Key
	t *testing.T
}

func (u untouchable) Write([]byte) (int, error) { u.t.Error("a payload was written"); return 0, nil }
func (u untouchable) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	u.t.Error("the private key was used")
	return nil, nil
}
