package selftest

import (
	"slices"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
)

// Sent is one message that some sender made, as it was on the wire, with what is known of it.
type Sent struct {
	ContentType string
	Body        []byte
	Sender      *pki.Certificate // that it signs with
	Receiver    *pki.Identity    // for whom it encrypts
	Test        bool             // it was asked for a ping
	Payloads    [][]byte         // what the producer handed over, in this order
	Types       []string         // and as what
	Original    string           // originalSender, where one was given
	Final       string
}

// Judge says by id which assertions about a sender hold for a message: nil is a pass. Those that need more than one message
// are not among them.
func (s Sent) Judge() map[string]error {
	v, err := read(s.ContentType, s.Body)
	if err == nil && v.um == nil {
		err = fail("it carries no user message")
	}
	if err != nil {
		return map[string]error{"AS4_CP_TA03": err}
	}
	verdicts := map[string]error{
		"AS4_CP_TA03": v.oneParty(), "AS4_CP_TA06": v.inParts(len(s.Payloads)), "AS4_CP_TA12": v.signedBy(s), "AS4_CP_TA13": v.encryptedFor(s), "AS4_CP_TA18": v.conversation(),
	}
	if s.Test {
		verdicts["AS4_CP_TA16"] = v.ping()
		return verdicts
	}
	verdicts["AS4_CP_TA25"] = v.types(s.Types)
	verdicts["AS4_4CT_TA01"] = v.corners(s.Original, s.Final)
	o, err := v.open(as4.Profiles["eu-edelivery"].Suites[0], s.Receiver, s.Sender)
	if err != nil {
		for _, id := range []string{"AS4_CP_TA23", "AS4_CP_TA24", "AS4_CP_TA45"} {
			verdicts[id] = err
		}
		return verdicts
	}
	verdicts["AS4_CP_TA23"], verdicts["AS4_CP_TA24"], verdicts["AS4_CP_TA45"] = v.gzipped(o, s, false), v.gzipped(o, s, true), v.order(o, s)
	return verdicts
}

func (v *view) oneParty() error {
	if f, t := len(v.um.From.IDs), len(v.um.To.IDs); f != 1 || t != 1 {
		return fail("%d in eb:From, %d in eb:To", f, t)
	}
	return nil
}

func (v *view) conversation() error {
	if v.um.ConversationID == "" {
		return fail("eb:ConversationId is empty")
	}
	return nil
}

func (v *view) ping() error {
	if v.um.Service.Value != ebms.TestService || v.um.Action != ebms.TestAction {
		return fail("service %q, action %q", v.um.Service.Value, v.um.Action)
	}
	return nil
}

func (v *view) signedBy(s Sent) error {
	if err := v.signed(xmldsig.RSASHA256, xmldsig.SHA256); err != nil {
		return err
	}
	_, err := v.open(as4.Profiles["eu-edelivery"].Suites[0], s.Receiver, s.Sender)
	return err
}

func (v *view) encryptedFor(s Sent) error {
	if err := v.encrypted(xmlenc.AES128GCM, s.Receiver.Certificate); err != nil {
		return err
	}
	_, err := v.open(as4.Profiles["eu-edelivery"].Suites[0], s.Receiver, s.Sender)
	return err
}

func (v *view) types(want []string) error {
	for i := range v.um.Parts {
		if got, _ := v.um.Parts[i].Property(ebms.PropertyMimeType); i >= len(want) || got != want[i] {
			return fail("MimeType of payload %d is %q, the producer said %q", i+1, got, want)
		}
	}
	return nil
}

func (v *view) corners(original, final string) error {
	for name, want := range map[string]string{ebms.PropertyOriginalSender: original, ebms.PropertyFinalRecipient: final} {
		if got := property(v.um, name).Value; got != want {
			return fail("%s is %q, submitted was %q", name, got, want)
		}
	}
	return nil
}

var xmlTypes = []string{"application/xml", "text/xml"}

// gzipped checks the XML payloads: that they travel as gzip, or that they say so.
func (v *view) gzipped(o *opened, s Sent, named bool) error {
	for i := range v.um.Parts {
		if i >= len(s.Payloads) || !slices.Contains(xmlTypes, s.Types[i]) {
			continue
		}
		if got, _ := v.um.Parts[i].Property(ebms.PropertyCompressionType); named && got != ebms.CompressionGzip {
			return fail("CompressionType is %q", got)
		}
		id, _ := v.um.Parts[i].ContentID()
		if err := isGzip(o.bodies[id], s.Payloads[i]); err != nil {
			return err
		}
	}
	return nil
}

// order checks that the parts are the payloads, one by one.
func (v *view) order(o *opened, s Sent) error {
	if len(v.um.Parts) != len(s.Payloads) {
		return fail("%d eb:PartInfo for %d payloads", len(v.um.Parts), len(s.Payloads))
	}
	for i := range v.um.Parts {
		id, _ := v.um.Parts[i].ContentID()
		b := o.bodies[id]
		if c, err := v.um.Parts[i].Compressed(); err != nil {
			return fail("%v", err)
		} else if c {
			if b, err = gunzip(b); err != nil {
				return fail("payload %d: %v", i+1, err)
			}
		}
		if string(b) != string(s.Payloads[i]) {
			return fail("eb:PartInfo %d is another payload than the one that was submitted there", i+1)
		}
	}
	return nil
}
