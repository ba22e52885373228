package selftest

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/node/testbed"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
)

// wrong is something that an end does wrong, and what the report must say then.
type wrong struct {
	id, what string
	alter    func(*run)
	want     string // a part of what was seen
	waits    bool   // for something that does not come
}

// request alters what corner 2 sends.
func request(change func(x *Exchange, body string) string) func(*run) {
	return func(r *run) {
		r.there().testSend = func(x *Exchange) { x.Body = []byte(change(x, string(x.Body))) }
	}
}

// swap replaces text in what corner 2 sends.
func swap(old, new string) func(*run) {
	return request(func(_ *Exchange, b string) string { return strings.ReplaceAll(b, old, new) })
}

// matching replaces the first match in what corner 2 sends.
func matching(pattern, new string) func(*run) {
	re := regexp.MustCompile(pattern)
	return request(func(_ *Exchange, b string) string {
		if m := re.FindStringIndex(b); m != nil {
			return b[:m[0]] + re.ReplaceAllString(b[m[0]:m[1]], new) + b[m[1]:]
		}
		return b
	})
}

// reply alters what corner 3 sends by itself.
func reply(old, new string) func(*run) {
	return func(r *run) {
		r.back().testSend = func(x *Exchange) { x.Body = bytes.ReplaceAll(x.Body, []byte(old), []byte(new)) }
	}
}

// answer alters what corner 3 answers.
func answer(change func(x *Exchange)) func(*run) {
	return func(r *run) { r.there().testBack = change }
}

// nothing answers with an empty body.
var nothing = answer(func(x *Exchange) { x.Status, x.AnswerType, x.Answer = http.StatusAccepted, "", nil })

func signalFor(x *Exchange, content string) []byte {
	return fmt.Appendf(nil, `<S12:Envelope xmlns:S12="%s"><S12:Header><eb:Messaging xmlns:eb="%s" S12:mustUnderstand="true"><eb:SignalMessage><eb:MessageInfo><eb:Timestamp>2026-01-01T00:00:00.000Z</eb:Timestamp>`+
		`<eb:MessageId>canned@c3.example</eb:MessageId><eb:RefToMessageId>%s</eb:RefToMessageId></eb:MessageInfo>%s</eb:SignalMessage></eb:Messaging></S12:Header><S12:Body/></S12:Envelope>`, ebms.NSSOAP, ebms.NS, x.MessageID, content)
}

// accepted answers a receipt, whatever came.
var accepted = answer(func(x *Exchange) {
	x.Err, x.Status, x.AnswerType = nil, http.StatusOK, ebms.ContentTypeSOAP
	x.Answer = signalFor(x, `<eb:Receipt><ebbpsig:NonRepudiationInformation xmlns:ebbpsig="`+ebms.NSSignals+`"><ebbpsig:MessagePartNRInformation><ds:Reference xmlns:ds="`+nsDS+`" URI="#x"><ds:DigestMethod Algorithm="`+xmldsig.SHA256+`"/><ds:DigestValue>AAAA</ds:DigestValue></ds:Reference></ebbpsig:MessagePartNRInformation></ebbpsig:NonRepudiationInformation></eb:Receipt>`)
})

// declined answers an error, whatever came.
var declined = answer(func(x *Exchange) {
	x.Status, x.AnswerType = http.StatusOK, ebms.ContentTypeSOAP
	x.Answer = signalFor(x, `<eb:Error errorCode="EBMS:0004" severity="failure" category="Content" shortDescription="Other" origin="ebMS"/>`)
})

// answerSwap replaces text in the answer.
func answerSwap(pattern, new string) func(*run) {
	re := regexp.MustCompile(pattern)
	return answer(func(x *Exchange) { x.Answer = re.ReplaceAll(x.Answer, []byte(new)) })
}

// instead sends a message of the bed in the place of the sender's.
func instead(f forgery) func(*run) {
	return func(r *run) {
		r.there().testSend = func(x *Exchange) {
			if strings.HasPrefix(x.MessageID, "forged") {
				return
			}
			f.id = x.MessageID
			m, err := r.forge(f)
			if err != nil {
				panic(err)
			}
			x.ContentType, x.Body = m.contentType, m.body
		}
	}
}

// told alters what an access point tells the bed; how often it counts is what change returns.
func told(action string, change func(t *Told) int) func(*run) {
	return func(r *run) {
		r.driver.mu.Lock()
		defer r.driver.mu.Unlock()
		r.driver.alter = func(t *Told) int {
			if t.Action != action {
				return 1
			}
			return change(t)
		}
	}
}

var (
	lost   = func(*Told) int { return 0 }
	twice  = func(*Told) int { return 2 }
	failed = func(t *Told) int {
		for i := range t.Properties {
			if t.Properties[i].Name == testbed.SignalType {
				t.Properties[i].Value = testbed.SignalError
			}
		}
		return 1
	}
	otherBody = func(t *Told) int {
		t.Bodies[len(t.Bodies)-1] = []byte("something else")
		t.Sums[len(t.Sums)-1] = []byte("something else")
		return 1
	}
)

func without(name string) func(t *Told) int {
	return func(t *Told) int {
		for i := range t.Properties {
			if t.Properties[i].Name == name {
				t.Properties[i].Name = "Other"
			}
		}
		for k := range t.Parts {
			for i := range t.Parts[k].Properties {
				if t.Parts[k].Properties[i].Name == name {
					t.Parts[k].Properties[i].Name = "Other"
				}
			}
		}
		return 1
	}
}

// hidden lets requests through until the n-th, counted from 0.
func hidden(from int) func(*run) {
	return func(r *run) {
		n := 0
		r.there().testSend = func(x *Exchange) { x.Hide = n >= from; n++ }
	}
}

// anyway shows the sender what the receiver answered, in the place of what the case made of it: what the case expects to
// be refused is then a good receipt.
func anyway(r *run) {
	r.there().testLast = func(x *Exchange) { x.Answer = x.genuine }
}

// delivering pretends that corner 3 delivered what it refused.
func delivering(r *run) {
	r.there().testBack = func(x *Exchange) {
		r.driver.mu.Lock()
		defer r.driver.mu.Unlock()
		r.driver.told = append(r.driver.told, &Told{Node: corners[1], Message: testbed.Message{Action: testbed.Deliver, Properties: []ebms.Property{{Name: testbed.MessageID, Value: x.MessageID}}}})
	}
}

// listener puts another server in the place of a node.
func listener(t *testing.T, c *tls.Config) func(*run) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = c
	s.StartTLS()
	t.Cleanup(s.Close)
	return func(r *run) { r.target = func(string) string { return s.URL } }
}

var weak = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, otherSuite}

// old answers SSL as if it were spoken.
func old(t *testing.T) func(*run) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte{0x16, 3, 0, 0, 2, 2, 0})
			c.Close()
		}
	}()
	return func(r *run) { r.target = func(string) string { return "https://" + l.Addr().String() } }
}

// first exchanges two eb:PartInfo of what is sent.
func secondFirst(r *run) {
	re := regexp.MustCompile(`(?s)(<eb:PartInfo.*?</eb:PartInfo>)(<eb:PartInfo.*?</eb:PartInfo>)`)
	request(func(_ *Exchange, b string) string { return re.ReplaceAllString(b, "$2$1") })(r)
}

func mime(kind string) forgedPart { return plain("xmlpayload@minder", kind, []byte(xmlDocument)) }

// wrongs has a row at least for every assertion that is run.
func wrongs(t *testing.T) []wrong {
	party := `(<eb:PartyId[^>]*>)[^<]*(</eb:PartyId>)`
	certificate, _, err := tlsFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(certificate, filepath.Join(filepath.Dir(certificate), "tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	anything := &tls.Config{MinVersion: tls.VersionTLS10, CipherSuites: weak, Certificates: []tls.Certificate{pair}}
	list := []wrong{
		{"AS4_CP_TA01", "no answer", nothing, "Content-Type", false},
		{"AS4_CP_TA01", "a receipt with status 500", answer(func(x *Exchange) { x.Status = 500 }), "HTTP status 500", false},
		{"AS4_CP_TA01", "a receipt without proof", answerSwap(`(?s)<ebbpsig:NonRepudiationInformation.*</ebbpsig:NonRepudiationInformation>`, ""), "proves nothing", false},
		{"AS4_CP_TA01", "a receipt with another digest", answerSwap(`(<eb:Receipt>.*?)<ds:DigestValue>[^<]*<`, "${1}<ds:DigestValue>AAAA<"), "wrongly", false},
		{"AS4_CP_TA01", "a receipt whose signature does not hold", answerSwap(`<eb:Timestamp>[^<]*<`, "<eb:Timestamp>2020-01-01T00:00:00.000Z<"), "the signature of the receipt", false},
		{"AS4_CP_TA02", "a reply that names another request", reply("<eb:RefToMessageId>", "<eb:RefToMessageId>x"), "the reply names", false},
		{"AS4_CP_TA03", "two identifiers", matching(`(<eb:To>)(<eb:PartyId[^>]*>[^<]*</eb:PartyId>)`, "$1$2$2"), "2 in eb:To", false},
		{"AS4_CP_TA04", "an error", declined, "the answer is an error", false},
		{"AS4_CP_TA04", "other octets", told(testbed.Deliver, otherBody), "other octets", false},
		{"AS4_CP_TA05", "a payload in the Body", matching(`(<S12:Body[^>]*>)`, "$1<x>in</x>"), "Body is not empty", false},
		{"AS4_CP_TA05", "no compression", instead(forgery{parts: []forgedPart{mime("application/xml")}}), "does not travel as gzip", false},
		{"AS4_CP_TA06", "the document second", secondFirst, "and not the leading document", false},
		{"AS4_CP_TA06", "a payload that is not named", matching(`<eb:PartInfo.*?</eb:PartInfo>`, ""), "1 eb:PartInfo and 2 MIME parts", false},
		{"AS4_CP_TA07", "no delivery", told(testbed.Deliver, lost), "sent no Deliver", true},
		{"AS4_CP_TA07", "a payload less", told(testbed.Deliver, func(t *Told) int { t.Bodies = t.Bodies[:1]; return 1 }), "1 payloads were delivered", false},
		{"AS4_CP_TA08", "a receipt", accepted, "a receipt where an error should be", false},
		{"AS4_CP_TA09", "one attempt", hidden(1), "not 2", true},
		{"AS4_CP_TA09", "another message under the id", func(r *run) {
			n := 0
			r.there().testSend = func(x *Exchange) {
				if n++; n > 1 {
					x.Body = regexp.MustCompile(`<eb:Timestamp>[^<]*<`).ReplaceAll(x.Body, []byte("<eb:Timestamp>2020-01-01T00:00:00.000Z<"))
				}
			}
		}, "another message under the same id", false},
		{"AS4_CP_TA10", "two deliveries", told(testbed.Deliver, twice), "delivered 2 times", false},
		{"AS4_CP_TA10", "no receipt for a copy", func(r *run) { r.there().testLast = func(x *Exchange) { x.Status, x.Answer = 200, nil } }, "not of Receipt", false},
		{"AS4_CP_TA10", "one request more", func(r *run) {
			n := 0
			r.there().testSend = func(x *Exchange) {
				if n++; n == 1 { // the sender's own retry comes on top
					r.there().add(&Exchange{MessageID: x.MessageID, done: make(chan struct{})})
				}
			}
		}, "4 requests were made", false},
		{"AS4_CP_TA12", "SHA-1", swap(xmldsig.RSASHA256, "http://www.w3.org/2000/09/xmldsig#rsa-sha1"), "signature method", false},
		{"AS4_CP_TA12", "a SHA-1 digest", matching(`(<ds:Reference .*?<ds:DigestMethod Algorithm=")`+xmldsig.SHA256, "${1}http://www.w3.org/2000/09/xmldsig#sha1"), "digest method", false},
		{"AS4_CP_TA12", "an unsigned header", matching(`(<ds:Reference URI="#)msg-`, "${1}other-"), "eb:Messaging is not signed", false},
		{"AS4_CP_TA12", "an unsigned Body", matching(`(<ds:Reference URI="#)body-`, "${1}other-"), "the SOAP Body is not signed", false},
		{"AS4_CP_TA12", "an unsigned part", matching(`(<ds:Reference URI="cid:)xmlpayload`, "${1}other"), "is not signed", false},
		{"AS4_CP_TA12", "an altered header", swap(">C4<", ">C5<"), "digest", false},
		{"AS4_CP_TA13", "another algorithm", swap(xmlenc.AES128GCM, xmlenc.AES256GCM), "is encrypted with", false},
		{"AS4_CP_TA13", "a part that is not encrypted", instead(forgery{secure: func(o *wss.SecureOptions) { o.Recipient = nil }}), "is not encrypted", false},
		{"AS4_CP_TA14", "no receipt", func(r *run) {
			r.there().testBack = func(x *Exchange) { x.Status, x.AnswerType, x.Answer = 202, "", nil }
		}, "Content-Type", false},
		{"AS4_CP_TA15", "another code", told(testbed.Notify, func(t *Told) int {
			for i := range t.Properties {
				if t.Properties[i].Name == testbed.ErrorCode {
					t.Properties[i].Value = "EBMS:0004"
				}
			}
			return 1
		}), "not of EBMS:0301", false},
		{"AS4_CP_TA15", "no word to the producer", told(testbed.Notify, lost), "sent no Notify", true},
		{"AS4_CP_TA15", "fewer attempts", hidden(3), "after 3 of 6", false},
		{"AS4_CP_TA16", "another action", swap(">"+ebms.TestAction+"<", ">urn:other<"), "action \"urn:other\"", false},
		{"AS4_CP_TA17", "a delivery", delivering, "was delivered", false},
		{"AS4_CP_TA17", "no receipt", nothing, "Content-Type", false},
		{"AS4_CP_TA18", "no conversation", matching(`<eb:ConversationId>[^<]*<`, "<eb:ConversationId><"), "is empty", false},
		{"AS4_CP_TA19", "another conversation of the reply", reply("conversation-of-the-producer", "another"), "conversation \"another\"", false},
		{"AS4_CP_TA20", "a refusal", declined, "the answer is an error", false},
		{"AS4_CP_TA20", "a lost property", told(testbed.Deliver, without("Colour")), "was not delivered", false},
		{"AS4_CP_TA21", "no receipt", nothing, "Content-Type", false},
		{"AS4_CP_TA21", "a receipt for another message", answerSwap(`<eb:RefToMessageId>`, "<eb:RefToMessageId>x"), "the receipt is for", false},
		{"AS4_CP_TA22", "a receipt in MIME", answer(func(x *Exchange) {
			var b bytes.Buffer
			mw := ebms.NewMIMEWriter(&b, "b", "root@c3")
			mw.Copy(ebms.PartHeader{ContentType: ebms.ContentTypeSOAP, ContentID: "root@c3"}, bytes.NewReader(x.Answer))
			mw.Close()
			x.AnswerType, x.Answer = ebms.MultipartContentType("b", "root@c3"), b.Bytes()
		}), "which does not show it", false},
		{"AS4_CP_TA22", "no word to the producer", told(testbed.Notify, lost), "sent no Notify", true},
		{"AS4_CP_TA22", "an error instead", told(testbed.Notify, failed), "not of Receipt", false},
		{"AS4_CP_TA23", "no compression", instead(forgery{parts: []forgedPart{mime("application/xml")}}), "does not travel as gzip", false},
		{"AS4_CP_TA24", "no property", instead(forgery{parts: []forgedPart{{id: "x@minder", kind: ebms.CompressionGzip, body: gzipped([]byte(xmlDocument)), properties: []ebms.Property{{Name: ebms.PropertyMimeType, Value: "application/xml"}}}}}), "CompressionType is \"\"", false},
		{"AS4_CP_TA25", "another type", swap("application/vnd.example.letter+xml", "application/xml"), "MimeType is", false},
		{"AS4_CP_TA25", "another type at the consumer", told(testbed.Deliver, without(ebms.PropertyMimeType)), "it was delivered as", false},
		{"AS4_CP_TA26", "a receipt", accepted, "a receipt where an error should be", false},
		{"AS4_CP_TA27", "no property", swap(">UTF-16<", ">UTF-8<"), "CharacterSet is", false},
		{"AS4_CP_TA28", "no property at the consumer", told(testbed.Deliver, without(ebms.PropertyCharacterSet)), "it was delivered with", false},
		{"AS4_CP_TA29", "a receipt", accepted, "a receipt where an error should be", false},
		{"AS4_CP_TA30", "another code", answerSwap("EBMS:0303", "EBMS:0004"), "not EBMS:0303", false},
		{"AS4_CP_TA30", "a warning", answerSwap(`severity="failure"`, `severity="warning"`), "where an error should be", false},
		{"AS4_CP_TA30", "another category", answerSwap(`category="Communication"`, `category="Content"`), "category Content", false},
		{"AS4_CP_TA30", "a delivery", delivering, "was delivered", false},
		{"AS4_CP_TA31", "no word to the consumer", told(testbed.Notify, lost), "sent no Notify", true},
		{"AS4_CP_TA32", "other octets", told(testbed.Deliver, otherBody), "other octets", false},
		{"AS4_CP_TA32", "a word of the compression", told(testbed.Deliver, func(t *Told) int {
			t.Parts[0].Properties = append(t.Parts[0].Properties, ebms.Property{Name: ebms.PropertyCompressionType, Value: ebms.CompressionGzip})
			return 1
		}), "with a CompressionType", false},
		{"AS4_CP_TA33", "other octets", told(testbed.Deliver, otherBody), "other octets", false},
		{"AS4_CP_TA34", "no compression", instead(forgery{mode: signOnly, parts: []forgedPart{mime("application/xml")}}), "does not travel as gzip", false},
		{"AS4_CP_TA34", "a signature over other octets", matching(`(<ds:Reference URI="cid:.*?<ds:DigestValue>)[^<]*`, "${1}AAAA"), "is not over the compressed octets", false},
		{"AS4_CP_TA34", "an error", declined, "the answer is an error", false},
		{"AS4_CP_TA35", "a receipt", accepted, "a receipt where an error should be", false},
		{"AS4_CP_TA36", "an error", declined, "the answer is an error", false},
		{"AS4_CP_TA36", "no encryption", instead(forgery{secure: func(o *wss.SecureOptions) { o.Recipient = nil }}), "is not encrypted", false},
		{"AS4_CP_TA37", "a receipt", accepted, "a receipt where an error should be", false},
		{"AS4_CP_TA38", "an error", declined, "the answer is an error", false},
		{"AS4_CP_TA38", "no compression", instead(forgery{parts: []forgedPart{mime("application/xml")}}), "does not travel as gzip", false},
		{"AS4_CP_TA39", "a listener that takes everything", listener(t, anything), "came about", false},
		{"AS4_CP_TA39", "a listener that takes one version", listener(t, &tls.Config{MaxVersion: tls.VersionTLS12}), "TLS 1.2, where 1.3 is configured, came about", false},
		{"AS4_CP_TA40", "a listener that takes old versions", listener(t, anything), "TLS 1.0 came about", false},
		{"AS4_CP_TA41", "a listener that speaks SSL", old(t), "was answered with", false},
		{"AS4_CP_TA42", "a listener that takes every suite", listener(t, anything), "came about", false},
		{"AS4_CP_TA43", "a listener with another suite", listener(t, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: weak, Certificates: []tls.Certificate{pair}}), "no connection with the suite", false},
		{"AS4_CP_TA44", "a lost property", told(testbed.Deliver, without("Colour")), "was not delivered", false},
		{"AS4_CP_TA44", "a refusal", declined, "the answer is an error", false},
		{"AS4_CP_TA45", "the second first", secondFirst, "eb:PartInfo 1 is", false},
		{"AS4_CP_TA45", "another order at the consumer", told(testbed.Deliver, func(t *Told) int { t.Parts[0].ID, t.Parts[1].ID = t.Parts[1].ID, t.Parts[0].ID; return 1 }), "payload 1 was delivered as", false},
		{"AS4_CP_TA46", "no IPv6", func(r *run) {
			r.target = func(a string) string { return strings.Replace(a, "[::1]", "127.0.0.2", 1) }
		}, "[::1]", false},
		{"AS4_4CT_TA01", "another recipient", swap(">C4<", ">C9<"), "finalRecipient is \"C9\"", false},
		{"AS4_4CT_TA01", "another sender at the consumer", told(testbed.Deliver, without(ebms.PropertyOriginalSender)), "delivered was", false},
		{"AS4_4CT_TA02", "another identifier", swap("track-4711", "track-0"), "trackingIdentifier is", false},
		{"AS4_4CT_TA03", "the outer corners", matching(party, "${1}C1${2}"), "from \"C1\"", false},
		{"AS4_SBDH_TA01", "the header second", instead(forgery{parts: []forgedPart{
			compressed("xmlpayload@minder", "application/xml", []byte(xmlDocument)), compressed("header@minder", "application/xml", []byte("<StandardBusinessDocumentHeader xmlns='"+nsSBDH+"'/>"))}}), "is a letter", false},
		{"AS4_SBDH_TA02", "a part that is not listed", instead(forgery{parts: []forgedPart{
			compressed("header@minder", "application/xml", []byte(`<StandardBusinessDocumentHeader xmlns="`+nsSBDH+`"><Manifest><ManifestItem><UniformResourceIdentifier>cid:a@minder</UniformResourceIdentifier></ManifestItem></Manifest></StandardBusinessDocumentHeader>`)),
			compressed("xmlpayload@minder", "application/xml", []byte(xmlDocument)),
		}}), "does not list", false},
		{"AS4_DR_TA01", "an error", declined, "the answer is an error", false},
		{"AS4_DR_TA01", "no delivery", told(testbed.Deliver, lost), "sent no Deliver", true},
		{"AS4_DR_TA02", "a receipt", accepted, "a receipt where an error should be", false},
		{"AS4_DR_TA02", "a delivery", delivering, "was delivered", false},
		{"AS4_DR_TA03", "a receipt", accepted, "a receipt where an error should be", false},
		{"AS4_DR_TA03", "an error for all", declined, "a certificate with the policy", false},
		{"AS4_DR_TA04", "a receipt", accepted, "a receipt where an error should be", false},
		{"AS4_DS_TA01", "another party", matching(`(<eb:To>)`+party, "${1}${2}somebody${3}"), "eb:To is \"somebody\"", false},
		{"AS4_DS_TA01", "an error instead", told(testbed.Notify, failed), "not of Receipt", false},
		{"AS4_DS_TA02", "another party", matching(`(<eb:To>)`+party, "${1}${2}somebody${3}"), "eb:To is \"somebody\"", false},
		{"AS4_DS_TA03", "the certificate that was found", func(r *run) { r.sameKey = true }, "told of Receipt", false},
		{"AS4_ENTSOG_TA01", "a channel", matching(`<eb:UserMessage>`, `<eb:UserMessage mpc="urn:other">`), "mpc", false},
		{"AS4_ENTSOG_TA02", "another type", swap("eic-party-codes-x", "eic-party-codes-y"), "the type of", false},
		{"AS4_ENTSOG_TA03", "a name", matching(party, "${1}gas-company${2}"), "is no such code", false},
		{"AS4_ENTSOG_TA04", "another type", swap("http://edigas.org/service", "http://other.example/"), "type", false},
		{"AS4_ENTSOG_TA05", "another service", swap(">A06<", ">A12<"), "service \"A12\"", false},
		{"AS4_ENTSOG_TA06", "another action", swap(">"+ebms.DefaultAction+"<", ">urn:other<"), "action \"urn:other\"", false},
		{"AS4_ENTSOG_TA07", "no property", swap("EDIGASDocumentType", "Other"), "EDIGASDocumentType is \"\"", false},
		{"AS4_ENTSOG_TA08", "a word as role", swap(">"+ebms.RoleInitiator+"<", ">shipper<"), "role \"shipper\"", false},
		{"AS4_ENTSOG_TA09", "no agreement", matching(`<eb:AgreementRef.*?</eb:AgreementRef>`, ""), "no eb:AgreementRef", false},
		{"AS4_ENTSOG_TA10", "a conversation", matching(`<eb:ConversationId>`, "<eb:ConversationId>1"), "\"1\"", false},
		{"AS4_ENTSOG_TA11", "another type", swap(">application/xml<", ">application/json<"), "MimeType", false},
		{"AS4_ENTSOG_TA12", "a receipt for 11 MB", accepted, "a receipt where an error should be", false},
		{"AS4_ENTSOG_TA12", "a large payload", instead(forgery{mode: entsog, parts: []forgedPart{compressed("xmlpayload@minder", "application/xml", make([]byte, 10e6))}, header: func(um *ebms.UserMessage) { um.Properties, um.ConversationID = nil, "" }}), "has 10000000 octets", false},
		{"VK_REPLAY", "two deliveries", told(testbed.Deliver, twice), "delivered 2 times", false},
		{"VK_REPLAY", "an error for the copies", answer(func(x *Exchange) {
			x.Answer = signalFor(x, `<eb:Error errorCode="EBMS:4001" severity="failure"/>`)
		}), "copy 1", false},
		{"VK_REPLAY", "a new receipt each time", func(r *run) {
			n := 0
			r.there().testBack = func(x *Exchange) {
				if n++; n > 1 {
					x.Answer = append(bytes.Clone(x.Answer), ' ')
				}
			}
		}, "another receipt than the first", false},
		{"VK_PARALLEL", "two deliveries", told(testbed.Deliver, twice), "delivered 2 times", false},
		{"VK_PARALLEL", "no receipt", nothing, "copy 1", false},
		{"VK_RESTART", "two deliveries", told(testbed.Deliver, twice), "delivered 2 times", false},
		{"VK_RESTART", "no retry", hidden(1), "not 2", true},
		{"VK_RECEIPT_OTHER", "a good receipt", anyway, "told of Receipt", false},
		{"VK_RECEIPT_UNSIGNED", "a good receipt", anyway, "told of Receipt", false},
		{"VK_RECEIPT_DIGEST", "a good receipt", anyway, "told of Receipt", false},
		{"VK_RECEIPT_SIGNER", "a good receipt", anyway, "told of Receipt", false},
		{"VK_LARGE", "other octets", told(testbed.Deliver, otherBody), "other octets", false},
		{"VK_MANY_PARTS", "no answer", nothing, "Content-Type", false},
		{"VK_MANY_PARTS", "a broken connection", answer(func(x *Exchange) { x.Err = fmt.Errorf("reset") }), "no answer", false},
		{"VK_NO_SOAP", "a receipt", accepted, "neither an error nor a fault", false},
		{"VK_EXPIRED_SENDER", "an error for all", declined, "a good certificate", false},
		{"VK_REVOKED_SENDER", "an error for all", declined, "a good certificate", false},
		{"VK_EXPIRED_RECEIVER", "no word to the producer", told(testbed.Notify, lost), "sent no Notify", true},
		{"VK_REVOKED_RECEIVER", "no word to the producer", told(testbed.Notify, lost), "sent no Notify", true},
		{"VK_CLOCK", "an error", declined, "the answer is an error", false},
	}
	for _, id := range []string{"VK_WRAPPING", "VK_REPEATED_ID", "VK_ALTERED_HEADER", "VK_ALTERED_PAYLOAD", "VK_UNSIGNED", "VK_UNENCRYPTED", "VK_SHA1", "VK_BOMB", "VK_DOCTYPE", "VK_TWO_MESSAGES", "VK_MUST_UNDERSTAND", "VK_TRUNCATED", "VK_EXPIRED_SENDER", "VK_REVOKED_SENDER"} {
		list = append(list, wrong{id, "a receipt", accepted, "an error", false}, wrong{id, "a delivery", delivering, "was delivered", false})
	}
	return list
}

// TestEveryAssertionCanFail lets an end do wrong, assertion by assertion: each must be seen.
func TestEveryAssertionCanFail(t *testing.T) {
	t.Parallel()
	b, err := openBed(t.Context(), Options{Large: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	list := wrongs(t)
	shown := map[string]bool{}
	byID := map[string]*Case{}
	for _, c := range Cases {
		byID[c.ID] = c
	}
	for _, w := range list {
		shown[w.id] = true
		t.Run(w.id+" "+w.what, func(t *testing.T) { // one after the other: they share the nodes
			if byID[w.id] == nil {
				t.Fatal("there is no such assertion")
			}
			judge := func() (*Result, bool) {
				b.alter, b.target, b.sameKey = func(r *run) { w.alter(r) }, nil, false
				b.driver.mu.Lock()
				b.driver.alter = nil
				b.driver.mu.Unlock()
				if strings.HasPrefix(w.id, "AS4_CP_TA39") || strings.HasPrefix(w.id, "AS4_CP_TA4") { // some use no pair
					w.alter(&run{bed: b, p: &pair{wires: [2]*Wire{{}, {}}}})
				}
				r := b.judge(t.Context(), byID[w.id])
				t.Logf("%s: %s", r.Verdict, r.Seen)
				return r, r.Verdict == Fail && strings.Contains(r.Seen, w.want)
			}
			b.Patience = 2 * time.Minute
			if w.waits {
				b.Patience = 1500 * time.Millisecond
			}
			r, seen := judge()
			for w.waits && !seen && b.Patience < time.Minute { // what was to come before was slower than that
				b.Patience *= 4
				r, seen = judge()
			}
			if !seen {
				t.Errorf("%s, %q, must fail for %q", r.Verdict, r.Seen, w.want)
			}
		})
	}
	for _, c := range Cases {
		if c.run != nil && !shown[c.ID] {
			t.Errorf("nothing shows that %s can fail", c.ID)
		}
	}
}
