package ebms

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func testRand() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{7}) }

func sampleMessage() *UserMessage {
	return &UserMessage{
		MessageID: "8d7ee5ca-1b2c-4d3e-8f90-a1b2c3d4e5f6@c2.example", Timestamp: time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.FixedZone("", 7200)),
		From:      Party{IDs: []PartyID{{"C2", "urn:example:party"}}, Role: RoleInitiator},
		To:        Party{IDs: []PartyID{{"C3", "urn:example:party"}}, Role: RoleResponder},
		Agreement: &Agreement{Value: "urn:example:agreement"},
		Service:   Service{"orders", "urn:example:services"}, Action: "urn:example:place", ConversationID: "17",
		Properties: []Property{{"originalSender", "C1", "urn:example:id"}, {"finalRecipient", "C4", "urn:example:id"}},
		Parts: []PartInfo{{Href: "cid:p1@c2.example", Properties: []Property{{"MimeType", "application/xml", ""},
			{"CompressionType", "application/gzip", ""}}}},
	}
}

func write(m *Messaging, ids EnvelopeIDs) ([]byte, Layout) {
	w := dom.NewWriter(nil)
	l := WriteEnvelope(w, m, ids, nil)
	return w.Bytes(), l
}

func TestUserMessageAsWritten(t *testing.T) {
	t.Parallel()
	got, _ := write(&Messaging{UserMessages: []*UserMessage{sampleMessage()}}, EnvelopeIDs{"m1", "b1"})
	const want = `<S12:Envelope xmlns:S12="http://www.w3.org/2003/05/soap-envelope"><S12:Header>` +
		`<eb:Messaging xmlns:S12="http://www.w3.org/2003/05/soap-envelope" xmlns:eb="http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/" xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" wsu:Id="m1" S12:mustUnderstand="true">` +
		`<eb:UserMessage><eb:MessageInfo><eb:Timestamp>2024-05-06T05:08:09.123Z</eb:Timestamp><eb:MessageId>8d7ee5ca-1b2c-4d3e-8f90-a1b2c3d4e5f6@c2.example</eb:MessageId></eb:MessageInfo>` +
		`<eb:PartyInfo><eb:From><eb:PartyId type="urn:example:party">C2</eb:PartyId><eb:Role>http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/initiator</eb:Role></eb:From>` +
		`<eb:To><eb:PartyId type="urn:example:party">C3</eb:PartyId><eb:Role>http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/responder</eb:Role></eb:To></eb:PartyInfo>` +
		`<eb:CollaborationInfo><eb:AgreementRef>urn:example:agreement</eb:AgreementRef><eb:Service type="urn:example:services">orders</eb:Service><eb:Action>urn:example:place</eb:Action><eb:ConversationId>17</eb:ConversationId></eb:CollaborationInfo>` +
		`<eb:MessageProperties><eb:Property name="originalSender" type="urn:example:id">C1</eb:Property><eb:Property name="finalRecipient" type="urn:example:id">C4</eb:Property></eb:MessageProperties>` +
		`<eb:PayloadInfo><eb:PartInfo href="cid:p1@c2.example"><eb:PartProperties><eb:Property name="MimeType">application/xml</eb:Property><eb:Property name="CompressionType">application/gzip</eb:Property></eb:PartProperties></eb:PartInfo></eb:PayloadInfo>` +
		`</eb:UserMessage></eb:Messaging></S12:Header>` +
		`<S12:Body xmlns:S12="http://www.w3.org/2003/05/soap-envelope" xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" wsu:Id="b1"></S12:Body></S12:Envelope>`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestWrittenIsCanonical shows that the octets between the marks of the layout are what c14n makes of the elements,
// for everything that is written: so they can be digested without a parse.
func TestWrittenIsCanonical(t *testing.T) {
	t.Parallel()
	full, err := read(t, messagingXML(receiptXML, errorXML, pullXML, userXML), DefaultQuirks())
	if err != nil {
		t.Fatal(err)
	}
	odd := mustParse(t, `<ds:Reference xmlns:ds="`+NSSignature+`" xmlns:wsu="`+NSUtility+`" wsu:Id="r" URI="#x"><eb:x xmlns:eb="urn:y"><eb:z xmlns:eb="`+NS+`"/></eb:x></ds:Reference>`)
	escaped := sampleMessage()
	escaped.ConversationID = "a\r\n\t<b>&\"c"
	escaped.Properties = []Property{{Name: "x\r\n\t<>&\"", Value: "ü€𝄞", Type: "t"}}
	escaped.Agreement = &Agreement{"a", "t", "p"}
	escaped.MPC, escaped.RefToMessageID = "urn:m", "r@x"
	escaped.Parts = []PartInfo{{}, {Href: "cid:x", Schema: &Schema{"l", "n", "v"}, Description: "d", Lang: "de"}}
	for name, m := range map[string]*Messaging{
		"signals and a user message":  full,
		"role":                        {Role: RoleNextMSH, UserMessages: []*UserMessage{sampleMessage()}},
		"escapes":                     {UserMessages: []*UserMessage{escaped}},
		"copy":                        {Signals: []*Signal{NewReceiptCopy("r@x", time.Now(), full.UserMessage())}},
		"built copy":                  {Signals: []*Signal{NewReceiptCopy("r@x", time.Now(), escaped)}},
		"reference with our prefixes": {Signals: []*Signal{NewReceipt("r@x", "m@x", time.Now(), []dom.Node{odd.Root()})}},
		"fields":                      {Signals: []*Signal{{Receipt: &Receipt{References: []NRReference{{URI: "#a", DigestMethod: "m", Digest: []byte{1}}}}}}},
		"errors":                      {Signals: []*Signal{NewErrorSignal("e@x", "m@x", time.Now(), InvalidHeader.New("x & y"))}},
	} {
		for _, ids := range []EnvelopeIDs{{}, {"m", "b"}} {
			b, l := write(m, ids)
			doc, err := dom.Parse(bytes.Clone(b), dom.Limits{})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			header := doc.Root().FirstElement()
			for _, part := range []struct {
				n    dom.Node
				span Span
			}{{header.FirstElement(), l.Messaging}, {header.NextElement(), l.Body}} {
				want, err := c14n.Append(nil, c14n.Method{Algorithm: c14n.Exclusive10}, part.n)
				if err != nil {
					t.Fatal(err)
				}
				if got := b[part.span.From:part.span.To]; !bytes.Equal(got, want) {
					t.Errorf("%s:\n got %s\nwant %s", name, got, want)
				}
			}
		}
	}
}

func TestReferenceIsCopiedVerbatim(t *testing.T) {
	t.Parallel()
	// The prefixes are declared far outside, one of them is needed by the prefix list alone.
	doc := mustParse(t, `<a xmlns:d="`+NSSignature+`" xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" xmlns:unused="urn:u"><d:Reference  URI='#id-1'><d:Transforms><d:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><ec:InclusiveNamespaces PrefixList="S12"/></d:Transform></d:Transforms><d:DigestMethod Algorithm="x"/><d:DigestValue>
AQID </d:DigestValue></d:Reference></a>`)
	s := NewReceipt("r@x", "m@x", time.Unix(0, 0), []dom.Node{doc.Root().FirstElement()})
	w := dom.NewWriter(nil)
	s.Append(w)
	const want = `<d:Reference xmlns:d="http://www.w3.org/2000/09/xmldsig#" URI="#id-1"><d:Transforms><d:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="S12"></ec:InclusiveNamespaces></d:Transform></d:Transforms><d:DigestMethod Algorithm="x"></d:DigestMethod><d:DigestValue>
AQID </d:DigestValue></d:Reference>`
	if got := string(w.Bytes()); !strings.Contains(got, `<ebbpsig:MessagePartNRInformation>`+want+`</ebbpsig:MessagePartNRInformation>`) {
		t.Errorf("got %s", got)
	}
	if r := s.Receipt.References[0]; r.URI != "#id-1" || string(r.Digest) != "\x01\x02\x03" {
		t.Errorf("%+v", r)
	}
}

func TestWhatHasNoCanonicalFormIsWrittenFromItsValues(t *testing.T) {
	t.Parallel()
	m, err := read(t, messagingXML(edit(t, userXML, `</eb:PayloadInfo>`, `</eb:PayloadInfo><x:y xmlns:x="relative"/>`)), Quirks{})
	if err != nil {
		t.Fatal(err)
	}
	ref := mustParse(t, `<d:Reference xmlns:d="`+NSSignature+`" URI="#x"><x:y xmlns:x="relative"/></d:Reference>`).Root()
	for _, s := range []*Signal{NewReceiptCopy("r@x", time.Now(), m.UserMessage()), NewReceipt("r@x", "m@x", time.Now(), []dom.Node{ref})} {
		b, _ := write(&Messaging{Signals: []*Signal{s}}, EnvelopeIDs{})
		e, err := ParseEnvelope(b, dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseMessaging(e.Messaging, Quirks{ReceiptCopy: true})
		if err != nil {
			t.Fatal(err)
		}
		equalMessaging(t, &Messaging{Signals: []*Signal{s}}, got)
	}
}

func TestReceiptHasOneChild(t *testing.T) {
	t.Parallel()
	m := sampleMessage()
	for name, r := range map[string]*Receipt{
		"references and a copy": {References: []NRReference{{URI: "#a"}, {URI: "#b"}}, UserMessage: m, Children: []string{"x:y"}},
		"a copy":                {UserMessage: m},
	} {
		b, _ := write(&Messaging{Signals: []*Signal{{Receipt: r}}}, EnvelopeIDs{})
		n := find(mustParse(t, string(b)).Root(), NS, "Receipt")
		children := 0
		for range n.Children() {
			children++
		}
		if children != 1 {
			t.Errorf("%s: %d children", name, children)
		}
	}
}

func TestSignalsAreWrittenBeforeUserMessages(t *testing.T) {
	t.Parallel()
	m, err := read(t, messagingXML(userXML, receiptXML), DefaultQuirks())
	if err != nil {
		t.Fatal(err)
	}
	b, _ := write(m, EnvelopeIDs{})
	e, err := ParseEnvelope(b, dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParseMessaging(e.Messaging, Quirks{}); err != nil || again.Order[0].Signal == nil {
		t.Errorf("%v", err)
	}
}

func TestErrorAsWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		e    *Error
		want string
	}{
		{"all from the table", &Error{Code: FailedDecryption},
			`<eb:Error category="Processing" errorCode="EBMS:0102" origin="security" severity="failure" shortDescription="FailedDecryption"></eb:Error>`},
		{"detail and reference", &Error{Code: Other, Detail: " a\n b\x01", RefToMessageInError: "m@x"},
			`<eb:Error category="Content" errorCode="EBMS:0004" origin="ebMS" refToMessageInError="m@x" severity="failure" shortDescription="Other"><eb:ErrorDetail>a b</eb:ErrorDetail></eb:Error>`},
		{"a warning", EmptyMessagePartitionChannel.New(""),
			`<eb:Error category="Communication" errorCode="EBMS:0006" origin="ebMS" severity="warning" shortDescription="EmptyMessagePartitionChannel"></eb:Error>`},
		{"a description", &Error{Code: Other, Description: "nein", Lang: "de"},
			`<eb:Error category="Content" errorCode="EBMS:0004" origin="ebMS" severity="failure" shortDescription="Other"><eb:Description xml:lang="de">nein</eb:Description></eb:Error>`},
	} {
		w := dom.NewWriter(nil)
		c.e.Append(w)
		if got := string(w.Bytes()); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
	w := dom.NewWriter(nil)
	(&Error{Code: Other, Detail: strings.Repeat("é", 300)}).Append(w)
	if n := strings.Count(string(w.Bytes()), "é"); n != maxDetail-1 {
		t.Errorf("a long detail keeps %d characters", n)
	}
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{InvalidHeader, "ebms: EBMS:0009 InvalidHeader"},
		{InvalidHeader.Newf("%d", 7), "ebms: EBMS:0009 InvalidHeader: 7"},
		{InvalidHeader.Wrap(errBroken, "for the peer"), "ebms: EBMS:0009 InvalidHeader: disk full"},
		{&Error{Code: Other, Description: "why"}, "ebms: EBMS:0004 Other: why"},
		{&Error{Code: Other}, "ebms: EBMS:0004 Other"},
		{&Fault{Code: Sender, Reason: "why"}, "ebms: SOAP fault Sender: why"},
	} {
		if c.err.Error() != c.want {
			t.Errorf("got %q, want %q", c.err, c.want)
		}
	}
	if !errors.Is(InvalidHeader.Wrap(errBroken, ""), errBroken) {
		t.Error("the cause is not seen")
	}
}

func TestErrorSignalNamesTheMessageTwice(t *testing.T) {
	t.Parallel()
	e := InvalidHeader.New("")
	s := NewErrorSignal("e@x", "m@x", time.Now(), e)
	if s.RefToMessageID != "m@x" || s.Errors[0].RefToMessageInError != "m@x" || e.RefToMessageInError != "" {
		t.Errorf("%+v, the caller's %+v", s, e)
	}
	e.RefToMessageInError = "n@x"
	if s = NewErrorSignal("e@x", "", time.Now(), e); s.RefToMessageID != "n@x" {
		t.Errorf("%+v", s)
	}
}

func TestSecurityIsInsertedWithoutTouchingTheRest(t *testing.T) {
	t.Parallel()
	m := &Messaging{UserMessages: []*UserMessage{sampleMessage()}}
	ids := EnvelopeIDs{"m1", "b1"}
	draft, l := write(m, ids)
	security := []byte(`<wsse:Security xmlns:wsse="` + NSSecurity + `"></wsse:Security>`)
	w := dom.NewWriter(nil)
	WriteEnvelope(w, m, ids, func(w *dom.Writer) { w.Raw(security) })
	got := InsertSecurity(draft, l, security)
	if !bytes.Equal(got, w.Bytes()) {
		t.Errorf("inserted\n%s\nwritten at once\n%s", got, w.Bytes())
	}
	e, err := ParseEnvelope(bytes.Clone(got), dom.Limits{})
	if err != nil || !e.Security.Valid() || e.Security.NextElement() != e.Messaging {
		t.Errorf("%v, security %v", err, e)
	}
	if !bytes.Equal(e.Messaging.Raw(), draft[l.Messaging.From:l.Messaging.To]) || !bytes.Equal(e.Body.Raw(), draft[l.Body.From:l.Body.To]) {
		t.Error("the spans are not those of the elements")
	}
}

func TestBlocksOfOthers(t *testing.T) {
	t.Parallel()
	w := dom.NewWriter(nil)
	WriteEnvelopeWith(w, &Messaging{Signals: []*Signal{NewErrorSignal("e@x", "m@x", time.Now(), Other.New(""))}}, EnvelopeIDs{}, Blocks{
		Header: func(w *dom.Writer) { w.Element("wsa:To", AddressICloud, "xmlns:wsa", NSAddress) },
		Body:   FaultFor(Other.New("")).Append,
	})
	e, err := ParseEnvelope(w.Bytes(), dom.Limits{})
	if err != nil || e.Fault == nil || e.Fault.Code != Receiver || !strings.Contains(e.Fault.Reason, "EBMS:0004") ||
		e.Messaging.NextElement().Local() != "To" {
		t.Errorf("%v, %+v", err, e)
	}
}

// texts that a header value may hold after trimming.
var (
	genValue = rapid.StringMatching(`[a-zA-Z0-9<>&"':/#ä€𝄞._-]([ a-zA-Z0-9<>&"':/#ä€𝄞._-]{0,30}[a-zA-Z0-9<>&"'])?`)
	genID    = rapid.StringMatching(`[a-z0-9!#$%&'*+/=?^_{|}~-]{1,10}(\.[a-z0-9]{1,5})?@[a-z0-9]{1,8}(\.[a-z]{2,5})?`)
	genURI   = rapid.StringMatching(`(urn|http):[a-z0-9:/#%._-]{1,20}`)
	genCID   = rapid.StringMatching(`[A-Za-z0-9._-]{1,12}@[a-z]{1,8}`)
)

func genProperties(t *rapid.T, label string) []Property {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Property {
		return Property{genValue.Draw(t, "name"), genValue.Draw(t, "value"), rapid.OneOf(rapid.Just(""), genURI).Draw(t, "type")}
	}), 0, 4).Draw(t, label)
}

func genMessage(t *rapid.T) *UserMessage {
	m := &UserMessage{
		MPC: rapid.OneOf(rapid.Just(""), genURI).Draw(t, "mpc"), MessageID: genID.Draw(t, "id"),
		RefToMessageID: rapid.OneOf(rapid.Just(""), genID).Draw(t, "ref"),
		Timestamp:      time.UnixMilli(rapid.Int64Range(-62135596800000, 253402300799999).Draw(t, "time")).UTC(),
		From:           Party{IDs: []PartyID{{genValue.Draw(t, "from"), genURI.Draw(t, "type")}}, Role: genValue.Draw(t, "role")},
		To:             Party{IDs: []PartyID{{genURI.Draw(t, "to"), ""}}, Role: genValue.Draw(t, "role")},
		Service:        Service{genValue.Draw(t, "service"), genURI.Draw(t, "type")},
		Action:         genValue.Draw(t, "action"),
		ConversationID: rapid.OneOf(rapid.Just(""), genValue).Draw(t, "conversation"),
		Properties:     genProperties(t, "properties"),
	}
	if rapid.Bool().Draw(t, "agreement") {
		m.Agreement = &Agreement{genValue.Draw(t, "agreement"), genURI.Draw(t, "type"), rapid.OneOf(rapid.Just(""), genValue).Draw(t, "pmode")}
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "parts") {
		p := PartInfo{Href: ContentIDURL(genCID.Draw(t, "cid")), Properties: genProperties(t, "properties")}
		if i == 0 && rapid.Bool().Draw(t, "body") {
			p.Href = rapid.SampledFrom([]string{"", "#body"}).Draw(t, "href")
		}
		if rapid.Bool().Draw(t, "schema") {
			p.Schema = &Schema{genURI.Draw(t, "location"), rapid.OneOf(rapid.Just(""), genURI).Draw(t, "ns"), rapid.OneOf(rapid.Just(""), genValue).Draw(t, "version")}
		}
		if rapid.Bool().Draw(t, "description") {
			p.Description, p.Lang = genValue.Draw(t, "description"), "de"
		}
		m.Parts = append(m.Parts, p)
	}
	return m
}

func genSignal(t *rapid.T) *Signal {
	s := &Signal{MessageID: genID.Draw(t, "id"), RefToMessageID: genID.Draw(t, "ref"),
		Timestamp: time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "time")).UTC()}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		s.PullRequest = &PullRequest{MPC: rapid.OneOf(rapid.Just(""), genURI).Draw(t, "mpc")}
	case 1:
		s.Receipt = &Receipt{UserMessage: genMessage(t)}
	case 2:
		s.Receipt = &Receipt{References: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) NRReference {
			return NRReference{URI: genURI.Draw(t, "uri"), DigestMethod: genURI.Draw(t, "method"), Digest: rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "digest")}
		}), 1, 5).Draw(t, "references")}
	default:
		for range rapid.IntRange(1, 3).Draw(t, "errors") {
			s.Errors = append(s.Errors, rapid.SampledFrom(Codes()).Draw(t, "code").New(genValue.Draw(t, "detail")))
		}
	}
	return s
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &Messaging{}
		for range rapid.IntRange(0, 1).Draw(t, "users") {
			m.UserMessages = append(m.UserMessages, genMessage(t))
		}
		for range rapid.IntRange(1-len(m.UserMessages), 3).Draw(t, "signals") {
			m.Signals = append(m.Signals, genSignal(t))
		}
		b, _ := write(m, EnvelopeIDs{"m", "b"})
		e, err := ParseEnvelope(b, dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseMessaging(e.Messaging, Quirks{ReceiptCopy: true, RepeatedSignalKind: true})
		if err != nil {
			t.Fatal(err)
		}
		equalMessaging(t, m, got)
	})
}

func TestIdentifiers(t *testing.T) {
	t.Parallel()
	r := testRand()
	id, err := NewMessageID(r, "c2.example")
	if err != nil || !ValidMessageID(id) || len(id) != 36+len("@c2.example") || id[14] != '4' || !strings.ContainsRune("89ab", rune(id[19])) {
		t.Errorf("%s, %v", id, err)
	}
	if other, _ := NewMessageID(r, "c2.example"); other == id {
		t.Error("the same id twice")
	}
	if _, err := NewMessageID(r, "bad host"); err == nil {
		t.Error("a host with a space")
	}
	if _, err := NewContentID(r, "a+b"); err == nil {
		t.Error("a host that must be encoded in a URL")
	}
	if _, err := NewMessageID(strings.NewReader("short"), "c2.example"); err == nil {
		t.Error("no randomness")
	}
	for _, f := range []func() (string, error){
		func() (string, error) { return NewContentID(r, "c2.example") },
		func() (string, error) { return NewConversationID(r) },
		func() (string, error) { return NewXMLID(r, "_") },
		func() (string, error) { return NewBoundary(r) },
	} {
		a, err1 := f()
		b, err2 := f()
		if a == b || a == "" || err1 != nil || err2 != nil {
			t.Errorf("%q, %q, %v, %v", a, b, err1, err2)
		}
	}
	for s, want := range map[string]bool{"a@b": true, "a.b@c.d": true, "a": false, "@b": false, "a@": false, "a..b@c": false, ".a@b": false,
		"a.@b": false, "a b@c": false, "<a@b>": false, "a@b@c": false, "": false, strings.Repeat("a", 254) + "@b": false} {
		if ValidMessageID(s) != want {
			t.Errorf("ValidMessageID(%q) is not %v", s, want)
		}
	}
}

func TestContentIDs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ id, url string }{
		{"p1@c2.example", "cid:p1@c2.example"}, {"a+b/c@d", "cid:a%2Bb%2Fc@d"}, {"50%", "cid:50%25"}, {"ä", "cid:%C3%A4"},
	} {
		if got := ContentIDURL(c.id); got != c.url {
			t.Errorf("URL of %q: %s, want %s", c.id, got, c.url)
		}
		if got, ok := ContentIDFromURL(c.url); got != c.id || !ok {
			t.Errorf("id of %s: %q, %v", c.url, got, ok)
		}
	}
	for url, want := range map[string]string{"CID:a": "a", "cid:%zz%4": "%zz%4", "cid:%": "%", "cid:": "", "http://a": "", "ci": "", "cid": ""} {
		if got, _ := ContentIDFromURL(url); got != want {
			t.Errorf("id of %s: %q, want %q", url, got, want)
		}
	}
	if !SameContentID("<a@b>", "a%40b") || SameContentID("a@b", "A@b") || SameContentID("<a", "a") {
		t.Error("comparison of content ids")
	}
}

func TestCodeTable(t *testing.T) {
	t.Parallel()
	seen := map[Code]bool{}
	for _, c := range Codes() {
		if seen[c] || !c.Known() || c.Name() == "" || c.Category() == "" || len(c) != 9 || !strings.HasPrefix(string(c), "EBMS:") {
			t.Errorf("%s", c)
		}
		seen[c] = true
		e := c.New("")
		if e.Temporary() && e.Permanent() {
			t.Errorf("%s is temporary and permanent", c)
		}
	}
	if len(seen) != 44 {
		t.Errorf("%d codes", len(seen))
	}
	for c, want := range map[Code]bool{InvalidHeader: true, DuplicateDetected: false, InvalidXML: false, "EBMS:9999": false} {
		if c.Standard() != want {
			t.Errorf("%s standard: %v", c, !want)
		}
	}
	if x := Code("ACME:1").New("d"); x.Severity != Failure || x.Error() != "ebms: ACME:1: d" || Code("ACME:1").Known() {
		t.Errorf("%+v", x)
	}
	for _, c := range []Code{Other, ConnectionFailure, DeliveryFailure} {
		if !c.New("").Temporary() {
			t.Errorf("%s is not temporary", c)
		}
	}
	if e := Refuse(nil, "BR-1 is broken"); e.Temporary() || !e.Permanent() || e.Code != Other || e.Detail != "CONTENT_REFUSED: BR-1 is broken" {
		t.Errorf("refused content: %+v", e)
	}
	if e := Other.New("CONTENT_REFUSEDNESS"); !e.Temporary() || e.Permanent() {
		t.Errorf("%+v", e)
	}
	if e := InvalidHeader.New(""); !e.Permanent() || e.Temporary() {
		t.Error("0009 is permanent")
	}
	if e := FeatureNotSupported.New(""); e.Permanent() || e.Severity != Warning {
		t.Error("0002 is a warning")
	}
	if Binding(NS+"push-and-push") != BindingPushAndPush || Binding(BindingPull) != BindingPull {
		t.Error("spelling of bindings")
	}
}
