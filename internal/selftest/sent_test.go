package selftest

import (
	"bytes"
	"regexp"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
)

// TestAMessageByItselfIsJudged takes one of our own messages: right as it is, and wrong in one way after the other.
func TestAMessageByItselfIsJudged(t *testing.T) {
	t.Parallel()
	b, err := openBed(t.Context(), Options{Patience: 2 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	var s, ping Sent
	res := b.judge(t.Context(), &Case{ID: "capture", run: func(r *run) error {
		x, _, err := r.simple(xmlPayload(), octetPayload())
		if err != nil {
			return err
		}
		y, _, err := r.ping()
		if err != nil {
			return err
		}
		key, err := r.p.identity(1)
		if err != nil {
			return err
		}
		s = Sent{ContentType: x.ContentType, Body: x.Body, Sender: r.node(0).Identity().Certificate, Receiver: key, Original: "C1", Final: "C4",
			Payloads: [][]byte{[]byte(xmlDocument), octets}, Types: []string{"application/xml", "application/octet-stream"}}
		ping = s
		ping.ContentType, ping.Body, ping.Test, ping.Payloads = y.ContentType, y.Body, true, s.Payloads[:1]
		return nil
	}})
	if res.Verdict != Pass {
		t.Fatal(res.Seen)
	}
	for _, m := range []Sent{s, ping} {
		v := m.Judge()
		if len(v) < 6 {
			t.Errorf("%d verdicts", len(v))
		}
		for id, err := range v {
			if err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
	}
	altered := func(m Sent, pattern, new string) Sent {
		was := m.Body
		if m.Body = regexp.MustCompile(pattern).ReplaceAll(m.Body, []byte(new)); bytes.Equal(m.Body, was) {
			t.Errorf("%s matches nothing", pattern)
		}
		return m
	}
	otherPayload, otherReceiver, otherSender := s, s, s
	otherPayload.Payloads = [][]byte{[]byte(xmlDocument), []byte("other")}
	otherReceiver.Receiver = b.pairs["eu-edelivery"].nodes[0].Identity()
	otherSender.Sender = s.Receiver.Certificate
	plainXML := s
	plainXML.Payloads = [][]byte{[]byte("<other/>"), octets}
	for _, c := range []struct {
		id string
		m  Sent
	}{
		{"AS4_CP_TA03", altered(s, `(<eb:To>)(<eb:PartyId[^>]*>[^<]*</eb:PartyId>)`, "$1$2$2")},
		{"AS4_CP_TA03", Sent{ContentType: "text/plain"}},
		{"AS4_CP_TA06", altered(s, `<eb:PartInfo href="cid:custom.*?</eb:PartInfo>`, "")},
		{"AS4_CP_TA12", altered(s, xmldsig.RSASHA256, "urn:other")},
		{"AS4_CP_TA12", otherSender},
		{"AS4_CP_TA13", altered(s, xmlenc.AES128GCM, xmlenc.AES256GCM)},
		{"AS4_CP_TA13", otherReceiver},
		{"AS4_CP_TA16", altered(ping, ">"+ebms.TestAction+"<", ">urn:other<")},
		{"AS4_CP_TA18", altered(s, `<eb:ConversationId>[^<]*<`, "<eb:ConversationId><")},
		{"AS4_CP_TA23", plainXML},
		{"AS4_CP_TA24", altered(s, `(name="CompressionType">)[^<]*<`, "${1}application/zip<")},
		{"AS4_CP_TA25", altered(s, ">application/xml<", ">text/html<")},
		{"AS4_CP_TA45", otherPayload},
		{"AS4_4CT_TA01", altered(s, ">C1<", ">C9<")},
	} {
		if c.m.Judge()[c.id] == nil {
			t.Errorf("%s passes", c.id)
		}
	}
}

// TestTheReceiverMayBeNamedInEveryForm encrypts for one certificate and asks about it and about another.
func TestTheReceiverMayBeNamedInEveryForm(t *testing.T) {
	t.Parallel()
	ca, err := pki.NewAuthority(nil, "CN=CA", pki.P256, time.Now(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var ids [2]*pki.Identity
	for i := range ids {
		if ids[i], err = ca.Issue(pki.Template{CommonName: "receiver", Algorithm: pki.RSA2048}); err != nil {
			t.Fatal(err)
		}
	}
	for _, form := range []wss.TokenForm{wss.TokenBST, wss.TokenPKIPath, wss.TokenSKI, wss.TokenIssuerSerial, wss.TokenThumbprint, wss.TokenX509SKI} {
		t.Run(string(form), func(t *testing.T) {
			suite := wss.SuiteRSA
			suite.EncryptToken = form
			um := &ebms.UserMessage{MessageID: "m@x.example", Timestamp: time.Now(), From: ebms.Party{IDs: []ebms.PartyID{{Value: "urn:a"}}, Role: "r"}, To: ebms.Party{IDs: []ebms.PartyID{{Value: "urn:b"}}, Role: "r"},
				Service: ebms.Service{Value: "urn:s"}, Action: "a", ConversationID: "1", Parts: []ebms.PartInfo{{Href: "cid:p@x"}}}
			sec, err := wss.Secure(wss.NewDraft(&ebms.Messaging{UserMessages: []*ebms.UserMessage{um}}, "m"), []wss.Content{{ContentID: "p@x", MimeType: "application/gzip"}},
				wss.SecureOptions{Suite: suite, Recipient: ids[0].Certificate, ID: "m"})
			if err != nil {
				t.Fatal(err)
			}
			v, err := read(ebms.ContentTypeSOAP, sec.Envelope)
			if err != nil {
				t.Fatal(err)
			}
			if err := v.encrypted(xmlenc.AES128GCM, ids[0].Certificate); err != nil {
				t.Error(err)
			}
			if err := v.encrypted(xmlenc.AES128GCM, ids[1].Certificate); err == nil {
				t.Error("another certificate passes")
			}
		})
	}
}
