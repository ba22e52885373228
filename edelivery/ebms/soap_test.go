package ebms

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func TestEnvelopeRules(t *testing.T) {
	t.Parallel()
	good := envelopeXML(messagingXML(userXML))
	security := func(attrs string) string {
		return `<wsse:Security xmlns:wsse="` + NSSecurity + `" ` + attrs + `/>`
	}
	header := func(block string) string { return edit(t, good, "<S12:Header>", "<S12:Header>"+block) }
	for _, c := range []struct {
		name, xml, want string
		check           func(e *Envelope) bool
	}{
		{"an envelope with eb:Messaging", good, "ok", func(e *Envelope) bool { return e.Messaging.Valid() && e.Fault == nil && e.BodyEmpty() }},
		{"a byte order mark", "\xEF\xBB\xBF" + good, "ok", nil},
		{"any prefix", strings.ReplaceAll(good, "S12:", "env:"), "EBMS:0009", nil},
		{"SOAP 1.1", strings.ReplaceAll(good, NSSOAP, NSSOAP11), "fault:VersionMismatch", nil},
		{"something else than an envelope", `<a/>`, "fault:VersionMismatch", nil},
		{"no XML", `hello`, "EBMS:0009", nil},
		{"a document type", `<!DOCTYPE a>` + good, "EBMS:0009", nil},
		{"XML 1.1", `<?xml version="1.1"?>` + good, "EBMS:0009", nil},
		{"no Body", edit(t, good, "<S12:Body/>", ""), "fault:Sender", nil},
		{"two Bodies", edit(t, good, "<S12:Body/>", "<S12:Body/><S12:Body/>"), "fault:Sender", nil},
		{"a Header behind the Body", edit(t, good, "<S12:Body/>", "<S12:Body/><S12:Header/>"), "fault:Sender", nil},
		{"two Headers", edit(t, good, "<S12:Body/>", "<S12:Header/><S12:Body/>"), "fault:Sender", nil},
		{"something behind the Body", edit(t, good, "<S12:Body/>", "<S12:Body/><a/>"), "fault:Sender", nil},
		{"a Body of another namespace", edit(t, good, "<S12:Body/>", `<Body xmlns="`+NSSOAP11+`"/>`), "fault:Sender", nil},
		{"text in the envelope", edit(t, good, "<S12:Body/>", "x<S12:Body/>"), "fault:Sender", nil},
		{"text in the header", header("x"), "fault:Sender", nil},
		{"comments anywhere", "<!-- a -->" + header("<!-- b -->"), "ok", nil},
		{"no Header", `<S12:Envelope xmlns:S12="` + NSSOAP + `"><S12:Body/></S12:Envelope>`, "EBMS:0009", nil},
		{"no eb:Messaging", envelopeXML(""), "EBMS:0009", nil},
		{"two eb:Messaging", header(messagingXML(receiptXML)), "EBMS:0003", nil},
		{"eb:Messaging for another role", strings.Replace(good, "S12:mustUnderstand=", `S12:role="urn:other" S12:mustUnderstand=`, 1), "EBMS:0009", nil},
		{"eb:Messaging for the next MSH", strings.Replace(good, "S12:mustUnderstand=", `S12:role="`+RoleNextMSH+`" S12:mustUnderstand=`, 1), "ok", nil},

		{"one security header", header(security("")), "ok", func(e *Envelope) bool { return e.Security.Valid() && e.Others == nil }},
		{"two security headers for us", header(security("") + security(`S12:role="`+NSSOAP+`/role/ultimateReceiver"`)), "EBMS:0103", nil},
		{"a second security header for another role", header(security("") + security(`S12:role="ebms" S12:mustUnderstand="true"`)), "ok",
			func(e *Envelope) bool { return e.Security.Valid() && len(e.Others) == 1 }},

		{"an unknown block", header(`<x:y xmlns:x="urn:x"/>`), "ok", nil},
		{"an unknown block that must be understood", header(`<x:y xmlns:x="urn:x" S12:mustUnderstand="true"/>`), "fault:MustUnderstand", nil},
		{"an unknown block that must be understood, as 1", header(`<x:y xmlns:x="urn:x" S12:mustUnderstand="1"/>`), "fault:MustUnderstand", nil},
		{"an unknown block that need not be understood", header(`<x:y xmlns:x="urn:x" S12:mustUnderstand="false"/>`), "ok", nil},
		{"an unknown block that somebody else must understand", header(`<x:y xmlns:x="urn:x" S12:role="urn:other" S12:mustUnderstand="true"/>`), "ok", nil},
		{"an unknown block that the next node must understand", header(`<x:y xmlns:x="urn:x" S12:role="` + NSSOAP + `/role/next" S12:mustUnderstand="true"/>`), "fault:MustUnderstand", nil},
		{"an unknown block for nobody", header(`<x:y xmlns:x="urn:x" S12:role="` + NSSOAP + `/role/none" S12:mustUnderstand="true"/>`), "ok", nil},
		{"the blocks of multi-hop are understood", header(`<wsa:To xmlns:wsa="` + NSAddress + `" S12:mustUnderstand="true"/><wsa:Action xmlns:wsa="` + NSAddress + `" S12:mustUnderstand="true"/><i:RoutingInput xmlns:i="` + NSMultiHop + `" S12:mustUnderstand="true" S12:role="` + RoleNextMSH + `"/>`), "ok",
			func(e *Envelope) bool { return e.RoutingInput.Valid() }},
		{"a fragment is understood", header(`<mf:MessageFragment xmlns:mf="` + NSFragment + `" S12:mustUnderstand="true"/>`), "ok",
			func(e *Envelope) bool { return e.Fragment.Valid() }},
		{"two fragments", header(strings.Repeat(`<mf:MessageFragment xmlns:mf="`+NSFragment+`"/>`, 2)), "EBMS:0047", nil},

		{"a fault without eb:Messaging", `<S12:Envelope xmlns:S12="` + NSSOAP + `"><S12:Body><S12:Fault><S12:Code><S12:Value>S12:Sender</S12:Value><S12:Subcode><S12:Value xmlns:p="urn:p">p:q</S12:Value></S12:Subcode></S12:Code><S12:Reason><S12:Text xml:lang="de">nein</S12:Text><S12:Text xml:lang="en-GB">no</S12:Text></S12:Reason></S12:Fault></S12:Body></S12:Envelope>`, "ok",
			func(e *Envelope) bool {
				return e.Fault.Code == Sender && e.Fault.Reason == "no" && e.Fault.Subcode == QName{"urn:p", "q"} && !e.Fault.Temporary()
			}},
		{"a fault without anything", `<S12:Envelope xmlns:S12="` + NSSOAP + `"><S12:Body><S12:Fault/></S12:Body></S12:Envelope>`, "ok",
			func(e *Envelope) bool { return e.Fault != nil && e.Fault.Code == "" && e.Fault.Reason == "" }},
		{"a document in the Body", edit(t, good, "<S12:Body/>", `<S12:Body><a/></S12:Body>`), "ok", func(e *Envelope) bool { return !e.BodyEmpty() }},
		{"an envelope that is nested too deep", edit(t, good, "<S12:Body/>", "<S12:Body>"+strings.Repeat("<a>", 70)+strings.Repeat("</a>", 70)+"</S12:Body>"), "EBMS:0009", nil},
		{"an envelope with too many attributes", edit(t, good, "<S12:Body/>", "<S12:Body>"+strings.Repeat(`<a b="c"/>`, 40_001)+"</S12:Body>"), "EBMS:0009", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, err := ParseEnvelope([]byte(c.xml), dom.Limits{})
			if word(err) != c.want {
				t.Fatalf("got %s (%v), want %s", word(err), err, c.want)
			}
			if c.check != nil && !c.check(e) {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestDefaultLimitsOfEnvelopes(t *testing.T) {
	t.Parallel()
	long := envelopeXML(messagingXML(userXML) + "<!-- " + strings.Repeat("x", 4<<20) + " -->")
	if _, err := ParseEnvelope([]byte(long), dom.Limits{}); !errors.Is(err, dom.ErrLimit) || !errors.Is(err, InvalidHeader) {
		t.Errorf("%v", err)
	}
	if _, err := ParseEnvelope([]byte(long), dom.Limits{Bytes: 8 << 20}); err != nil {
		t.Errorf("with another limit: %v", err)
	}
}

func TestWrittenFaultsAreRead(t *testing.T) {
	t.Parallel()
	_, err := ParseEnvelope([]byte(envelopeXML(`<x:y xmlns:x="urn:x" S12:mustUnderstand="true"/><z S12:mustUnderstand="true"/>`)), dom.Limits{})
	notUnderstood, ok := IsFault(err)
	if !ok || len(notUnderstood.NotUnderstood) != 2 {
		t.Fatalf("%v", err)
	}
	for _, c := range []struct {
		f    *Fault
		want string
	}{
		{notUnderstood, `<S12:NotUnderstood xmlns:n="urn:x" qname="n:y"></S12:NotUnderstood><S12:NotUnderstood qname="z"></S12:NotUnderstood>`},
		{&Fault{Code: VersionMismatch, Reason: "old"}, `<S12:SupportedEnvelope qname="S12:Envelope"></S12:SupportedEnvelope>`},
		{&Fault{Code: Receiver, Reason: "not\x00 now"}, `<S12:Value>S12:Receiver</S12:Value>`},
		{&Fault{Reason: "something"}, `<S12:Value>S12:Receiver</S12:Value>`},
	} {
		var b bytes.Buffer
		if err := WriteFault(&b, c.f); err != nil || !strings.Contains(b.String(), c.want) {
			t.Errorf("%v, %s", err, b.String())
		}
		e, err := ParseEnvelope(b.Bytes(), dom.Limits{})
		if err != nil || e.Fault == nil || e.Fault.Code != FaultCode(or(string(c.f.Code), "Receiver")) || e.Fault.Reason != token(c.f.Reason, 255) {
			t.Errorf("%v, %+v", err, e)
		}
	}
	if (&Fault{Code: Receiver}).Temporary() != true || !strings.Contains(notUnderstood.Error(), "x:y") || errors.Unwrap(notUnderstood) == nil {
		t.Errorf("%v", notUnderstood)
	}
}
