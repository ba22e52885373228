package wss_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// FuzzOpen gives envelopes of strangers to Open, beside the attachments of a good message. Whatever it lets pass must
// be what Alice signed.
func FuzzOpen(f *testing.F) {
	l := seal(f, rsaOptions(), invoice, picture)
	f.Add([]byte(l.envelope))
	signed := seal(f, wss.SecureOptions{Suite: wss.SuiteRSA, Sign: cast().alice}, invoice, picture)
	f.Add([]byte(signed.envelope))
	for _, old := range []string{"#msg-t", "#ek-t", "#sig-cert-t", "#Attachment-Content-Only", "http://www.w3.org/2009/xmlenc11#aes128-gcm", "cid:picture", " wsu:Id=\"msg-t\""} {
		f.Add([]byte(strings.Replace(l.envelope, old, "", 1)))
	}
	ctype, body := l.body(f)
	genuine, err := dom.Parse([]byte(l.envelope), dom.Limits{})
	if err != nil {
		f.Fatal(err)
	}
	header := func(d *dom.Document) string {
		for n := range d.Root().Descendants() {
			if n.Is(ebms.NS, "Messaging") {
				return n.Text()
			}
		}
		return ""
	}
	f.Fuzz(func(t *testing.T, envelope []byte) {
		env, err := ebms.ParseEnvelope(envelope, dom.Limits{Bytes: 64 << 10})
		if err != nil {
			return
		}
		parts, err := ebms.NewReader(ctype, bytes.NewReader(body), ebms.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := parts.Root(); err != nil {
			t.Fatal(err)
		}
		var a, b bytes.Buffer
		o := strict()
		o.Targets = []wss.Target{
			{ContentID: invoice.cid, Compressed: true, W: &a, MaxSize: 1 << 20},
			{ContentID: picture.cid, W: &b, MaxSize: 1 << 20},
		}
		opened, err := wss.Open(context.Background(), env, parts, o)
		switch {
		case err != nil && opened != nil:
			t.Error("a result beside the error")
		case err != nil:
		case !opened.Signer.Equal(cast().alice.Certificate) && !opened.Signer.Equal(cast().mallory.Certificate):
			t.Errorf("signer %v", opened.Signer.Subject)
		case !bytes.Equal(a.Bytes(), invoice.content), !bytes.Equal(b.Bytes(), picture.content):
			t.Error("other payloads than were signed")
		case env.Messaging.Text() != header(genuine):
			t.Errorf("another header than was signed: %s", env.Messaging.Text())
		}
	})
}
