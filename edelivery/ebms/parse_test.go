package ebms

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func TestUserMessageIsReadWhole(t *testing.T) {
	t.Parallel()
	m, err := read(t, messagingXML(userXML), Quirks{})
	if err != nil {
		t.Fatal(err)
	}
	want := &UserMessage{
		MPC: "urn:example:mpc", MessageID: "m-1@c2.example", RefToMessageID: "m-0@c3.example",
		Timestamp: time.Date(2024, 5, 6, 7, 8, 9, 123e6, time.UTC),
		From:      Party{IDs: []PartyID{{"C2", "urn:example:party"}}, Role: "urn:example:sender"},
		To:        Party{IDs: []PartyID{{"urn:example:c3", ""}}, Role: "urn:example:receiver"},
		Agreement: &Agreement{Value: "A1", Type: "urn:example:t", PMode: "pm"},
		Service:   Service{"orders", "urn:example:s"}, Action: "place", ConversationID: "conv 7",
		Properties: []Property{{"originalSender", "C1", "urn:example:id"}, {"finalRecipient", "C4", ""}},
		Parts: []PartInfo{{Href: "cid:p1@c2.example", Schema: &Schema{Location: "http://example.org/o.xsd", Version: "2"},
			Description: "commande", Lang: "fr",
			Properties: []Property{{"MimeType", "application/xml", ""}, {"CompressionType", "application/gzip", ""}}}},
	}
	got := *m.UserMessage()
	if !got.Node.Is(NS, "UserMessage") || !got.Parts[0].Node.Is(NS, "PartInfo") {
		t.Error("the nodes were not kept")
	}
	got.Node, got.Parts[0].Node = dom.Node{}, dom.Node{}
	if !reflect.DeepEqual(&got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", &got, want)
	}
	if m.ID != "msg-1" || m.Deviations != (Quirks{}) {
		t.Errorf("id %q, deviations %+v", m.ID, m.Deviations)
	}
	if v, ok := got.Parts[0].Property("mimetype"); v != "application/xml" || !ok {
		t.Errorf("part property %q, %v", v, ok)
	}
	if !got.IsResponse() || got.Channel() != "urn:example:mpc" || got.From.ID().Value != "C2" {
		t.Error("response, channel or party")
	}
}

// headerCases changes one thing of the good user message. strict is the outcome with no quirks, lenient with the
// default ones.
var headerCases = []struct {
	name, old, new  string
	strict, lenient string
}{
	// MessageInfo
	{"MessageInfo is required", `<eb:MessageInfo>
    <eb:Timestamp>2024-05-06T07:08:09.123Z</eb:Timestamp>
    <eb:MessageId>m-1@c2.example</eb:MessageId>
    <eb:RefToMessageId>m-0@c3.example</eb:RefToMessageId>
  </eb:MessageInfo>`, ``, "EBMS:0009", "EBMS:0009"},
	{"Timestamp is required", `<eb:Timestamp>2024-05-06T07:08:09.123Z</eb:Timestamp>`, ``, "EBMS:0009", "EBMS:0009"},
	{"Timestamp is an xs:dateTime", `2024-05-06T07:08:09.123Z`, `yesterday`, "EBMS:0009", "EBMS:0009"},
	{"Timestamp has no thirtieth of February", `2024-05-06`, `2024-02-30`, "EBMS:0009", "EBMS:0009"},
	{"Timestamp without zone is a deviation that is taken as UTC", `.123Z`, ``, "EBMS:0009", "ok"},
	{"Timestamp with an offset is a deviation that is honoured", `.123Z`, `.123+02:00`, "EBMS:0009", "ok"},
	{"Timestamp may have seven fraction digits", `.123Z`, `.1234567Z`, "ok", "ok"},
	{"Timestamp may have no fraction", `.123Z`, `Z`, "ok", "ok"},
	{"MessageId is required", `<eb:MessageId>m-1@c2.example</eb:MessageId>`, ``, "EBMS:0009", "EBMS:0009"},
	{"MessageId is not empty", `m-1@c2.example`, ` `, "EBMS:0009", "EBMS:0009"},
	{"MessageId without host is a deviation", `m-1@c2.example`, `m-1`, "EBMS:0009", "ok"},
	{"MessageId in angle brackets is a deviation", `m-1@c2.example`, `&lt;m-1@c2.example&gt;`, "EBMS:0009", "ok"},
	{"MessageId is ASCII", `m-1@c2.example`, `m-ä@c2.example`, "EBMS:0009", "EBMS:0009"},
	{"MessageId has at most 255 characters", `m-1@c2.example`, strings.Repeat("m", 245) + `@c2.example`, "EBMS:0009", "EBMS:0009"},
	{"MessageId is trimmed of white space", `m-1@c2.example`, "\n  m-1@c2.example\t", "ok", "ok"},
	{"RefToMessageId is optional", `<eb:RefToMessageId>m-0@c3.example</eb:RefToMessageId>`, ``, "ok", "ok"},
	{"RefToMessageId stands behind MessageId", `<eb:RefToMessageId>m-0@c3.example</eb:RefToMessageId>`, `<eb:MessageId>m-2@c2.example</eb:MessageId>`, "EBMS:0009", "EBMS:0009"},

	// PartyInfo
	{"From is required", `<eb:From><eb:PartyId type="urn:example:party">C2</eb:PartyId><eb:Role>urn:example:sender</eb:Role></eb:From>`, ``, "EBMS:0009", "EBMS:0009"},
	{"To is required", `<eb:To><eb:PartyId>urn:example:c3</eb:PartyId><eb:Role>urn:example:receiver</eb:Role></eb:To>`, ``, "EBMS:0009", "EBMS:0009"},
	{"PartyId is required", `<eb:PartyId>urn:example:c3</eb:PartyId>`, ``, "EBMS:0009", "EBMS:0009"},
	{"PartyId is not empty", `<eb:PartyId>urn:example:c3</eb:PartyId>`, `<eb:PartyId type="t"/>`, "EBMS:0009", "EBMS:0009"},
	{"PartyId without type that is no URI is a deviation", `<eb:PartyId>urn:example:c3</eb:PartyId>`, `<eb:PartyId>4711</eb:PartyId>`, "EBMS:0003", "ok"},
	{"PartyId with an empty type is one without type", `<eb:PartyId>urn:example:c3</eb:PartyId>`, `<eb:PartyId type="">4711</eb:PartyId>`, "EBMS:0003", "ok"},
	{"PartyId stands once", `<eb:PartyId>urn:example:c3</eb:PartyId>`, `<eb:PartyId>urn:example:c3</eb:PartyId><eb:PartyId>urn:example:c4</eb:PartyId>`, "EBMS:0003", "EBMS:0003"},
	{"Role is required", `<eb:Role>urn:example:receiver</eb:Role>`, ``, "EBMS:0009", "EBMS:0009"},
	{"Role is not empty", `<eb:Role>urn:example:receiver</eb:Role>`, `<eb:Role></eb:Role>`, "EBMS:0009", "EBMS:0009"},
	{"Role may be plain text", `urn:example:receiver`, `Seller`, "ok", "ok"},

	// CollaborationInfo
	{"AgreementRef is optional", `<eb:AgreementRef pmode="pm" type="urn:example:t">A1</eb:AgreementRef>`, ``, "ok", "ok"},
	{"AgreementRef without type is a URI", `pmode="pm" type="urn:example:t">A1`, `>A1`, "EBMS:0003", "EBMS:0003"},
	{"AgreementRef that is a URI needs no type", `pmode="pm" type="urn:example:t">A1`, `>http://example.org/a`, "ok", "ok"},
	{"AgreementRef is not empty", `type="urn:example:t">A1<`, `><`, "EBMS:0009", "EBMS:0009"},
	{"Service is required", `<eb:Service type="urn:example:s">orders</eb:Service>`, ``, "EBMS:0009", "EBMS:0009"},
	{"Service without type that is no URI is a deviation", ` type="urn:example:s">orders`, `>orders`, "EBMS:0003", "ok"},
	{"Action is required", `<eb:Action>place</eb:Action>`, ``, "EBMS:0009", "EBMS:0009"},
	{"Action stands behind Service", `<eb:Action>place</eb:Action>`, `<eb:Service>urn:x:y</eb:Service>`, "EBMS:0009", "EBMS:0009"},
	{"ConversationId is required", `<eb:ConversationId>conv 7</eb:ConversationId>`, ``, "EBMS:0009", "EBMS:0009"},
	{"ConversationId may be empty", `conv 7`, ``, "ok", "ok"},

	// Properties
	{"MessageProperties without Property is a deviation", `<eb:Property name="originalSender" type="urn:example:id">C1</eb:Property>
    <eb:Property name="finalRecipient">C4</eb:Property>`, ``, "EBMS:0009", "ok"},
	{"Property has a name", `<eb:Property name="finalRecipient">`, `<eb:Property>`, "EBMS:0009", "EBMS:0009"},
	{"Property has a value", `>C4<`, `><`, "EBMS:0009", "EBMS:0009"},
	{"Property holds no element", `>C4<`, `>C4<eb:Property name="x">y</eb:Property><`, "EBMS:0009", "EBMS:0009"},
	{"Property has at most 1,024 characters", `>C4<`, `>` + strings.Repeat("x", 1025) + `<`, "EBMS:0003", "EBMS:0003"},
	{"Property may have 1,024 characters of several octets", `>C4<`, `>` + strings.Repeat("ä", 1024) + `<`, "ok", "ok"},

	// PayloadInfo
	{"an href that is no cid is an external payload", `cid:p1@c2.example`, `http://example.org/p1`, "EBMS:0011", "EBMS:0011"},
	{"an href with white space in front of http is external still", `cid:p1@c2.example`, ` http://example.org/p1`, "EBMS:0011", "EBMS:0011"},
	{"a fragment is the Body", `cid:p1@c2.example`, `#b`, "ok", "ok"},
	{"no href is the Body", ` href="cid:p1@c2.example"`, ``, "ok", "ok"},
	{"two parts in the Body contradict each other", `<eb:PartInfo href="cid:p1@c2.example">`, `<eb:PartInfo/><eb:PartInfo href="#b">`, "EBMS:0003", "EBMS:0003"},
	{"Schema has a location", ` location="http://example.org/o.xsd"`, ``, "EBMS:0009", "EBMS:0009"},
	{"Description may lack its language", ` xml:lang="fr"`, ``, "ok", "ok"},
	{"Schemas in place of Schema is a deviation", `<eb:Schema location="http://example.org/o.xsd" version="2"></eb:Schema>`, `<eb:Schemas/>`, "EBMS:0009", "ok"},
	{"PartProperties without Property is a deviation", `<eb:Property name="MimeType">application/xml</eb:Property>
        <eb:Property name="CompressionType">application/gzip</eb:Property>`, ``, "EBMS:0009", "ok"},
	{"PartProperties stand behind Description", `<eb:Description xml:lang="fr">commande</eb:Description>`, `<eb:PartProperties><eb:Property name="a">b</eb:Property></eb:PartProperties>`, "EBMS:0009", "EBMS:0009"},

	// The whole
	{"text between elements is refused", `<eb:PartyInfo>`, `<eb:PartyInfo>x`, "EBMS:0009", "EBMS:0009"},
	{"a comment between elements says nothing", `<eb:PartyInfo>`, `<!-- c --><eb:PartyInfo>`, "ok", "ok"},
	{"an unknown element of ours is refused", `</eb:PayloadInfo>`, `</eb:PayloadInfo><eb:More/>`, "EBMS:0009", "EBMS:0009"},
	{"a foreign element at the end of a unit is allowed", `</eb:PayloadInfo>`, `</eb:PayloadInfo><x:More xmlns:x="urn:x"/>`, "ok", "ok"},
	{"a foreign element in between is refused", `<eb:PartyInfo>`, `<x:More xmlns:x="urn:x"/><eb:PartyInfo>`, "EBMS:0009", "EBMS:0009"},
}

func TestHeaderRules(t *testing.T) {
	t.Parallel()
	for _, c := range headerCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			xml := messagingXML(edit(t, userXML, c.old, c.new))
			_, err := read(t, xml, Quirks{})
			expect(t, "strict", c.strict, err)
			m, err := read(t, xml, DefaultQuirks())
			expect(t, "lenient", c.lenient, err)
			if err == nil && (c.strict != "ok") != (m.Deviations != Quirks{}) {
				t.Errorf("strict %s, yet deviations %+v", c.strict, m.Deviations)
			}
		})
	}
}

func expect(t *testing.T, how, want string, err error) {
	t.Helper()
	if word(err) != want {
		t.Errorf("%s: got %s (%v), want %s", how, word(err), err, want)
	}
	var e *Error
	var pos *dom.Error
	if err != nil && (!errors.As(err, &e) || !errors.As(err, &pos) || pos.Line == 0 || e.Detail == "") {
		t.Errorf("%s: %v has no code, position or detail", how, err)
	}
}

var unitCases = []struct {
	name            string
	xml             string
	strict, lenient string
}{
	{"a user message alone", messagingXML(userXML), "ok", "ok"},
	{"a receipt in front of a user message", messagingXML(receiptXML, userXML), "ok", "ok"},
	{"a receipt behind a user message is a deviation", messagingXML(userXML, receiptXML), "EBMS:0009", "ok"},
	{"no unit at all", messagingXML(), "EBMS:0003", "EBMS:0003"},
	{"two user messages", messagingXML(userXML, userXML), "EBMS:0003", "EBMS:0003"},
	{"a pull request and a receipt are of different kinds", messagingXML(pullXML, receiptXML), "ok", "ok"},
	{"two receipts are of one kind", messagingXML(receiptXML, receiptXML), "EBMS:0003", "ok"},
	{"a foreign element at the end is allowed", messagingXML(userXML, `<x:y xmlns:x="urn:x"/>`), "ok", "ok"},
	{"an unknown element of ours is refused", messagingXML(userXML, `<eb:Other/>`), "EBMS:0009", "EBMS:0009"},
	{"too many units", messagingXML(strings.Repeat(receiptXML, 65)), "EBMS:0003", "EBMS:0003"},
	{"mustUnderstand may be 1", strings.Replace(messagingXML(userXML), `"true"`, `"1"`, 1), "ok", "ok"},
	{"mustUnderstand false is a deviation", strings.Replace(messagingXML(userXML), `"true"`, `"false"`, 1), "EBMS:0009", "ok"},
	{"mustUnderstand missing is a deviation", strings.Replace(messagingXML(userXML), ` S12:mustUnderstand="true"`, ``, 1), "EBMS:0009", "ok"},

	{"a signal of no kind", messagingXML(`<eb:SignalMessage>` + infoXML + `</eb:SignalMessage>`), "EBMS:0009", "EBMS:0009"},
	{"a signal of two kinds", messagingXML(`<eb:SignalMessage>` + infoXML + `<eb:PullRequest/><eb:Receipt>` + refXML + `</eb:Receipt></eb:SignalMessage>`), "EBMS:0003", "EBMS:0003"},
	{"a receipt names its message", messagingXML(strings.Replace(receiptXML, `<eb:RefToMessageId>m-1@c2.example</eb:RefToMessageId>`, ``, 1)), "EBMS:0302", "EBMS:0302"},
	{"an empty receipt is a deviation", receiptWith(``), "EBMS:0302", "ok"},
	{"a receipt with two children is a deviation", receiptWith(refXML + `<x:marker xmlns:x="urn:x"/>`), "EBMS:0302", "ok"},
	{"a receipt with a copy is a deviation from the schema", receiptWith(userXML), "EBMS:0302", "ok"},
	{"a receipt with two copies is refused", receiptWith(userXML + userXML), "EBMS:0302", "EBMS:0302"},
	{"a receipt with a wrapped copy is a deviation", receiptWith(`<w:OriginalUserMessage xmlns:w="` + nsWrapper + `">` + userXML + `</w:OriginalUserMessage>`), "EBMS:0302", "ok"},
	{"a copy that breaks a rule makes the receipt invalid", receiptWith(strings.Replace(userXML, "<eb:Action>place</eb:Action>", "", 1)), "EBMS:0302", "EBMS:0302"},
	{"a receipt with something else of ours is refused", receiptWith(`<eb:Error/>`), "EBMS:0302", "EBMS:0302"},
	{"a part identifier is a deviation", receiptWith(strings.Replace(refXML, `<ds:Reference`, `<ebbpsig:MessagePartIdentifier>x</ebbpsig:MessagePartIdentifier><ds:Reference`, 1)), "EBMS:0302", "ok"},
	{"references of a wrong namespace are none", receiptWith(strings.Replace(refXML, NSSignature, "urn:x", 1)), "EBMS:0302", "ok"},
	{"information of a wrong name is refused", receiptWith(strings.ReplaceAll(refXML, "MessagePartNR", "Part")), "EBMS:0302", "EBMS:0302"},
	{"more references than a signature may have", receiptWith(strings.Replace(refXML, `<ds:Reference`, strings.Repeat(`<ds:Reference xmlns:ds="`+NSSignature+`"/>`, 1100)+`<ds:Reference`, 1)), "EBMS:0302", "EBMS:0302"},

	{"an error with all it may have", messagingXML(errorXML), "ok", "ok"},
	{"an error without code", errorWith(`errorCode="EBMS:0004" `, ``), "EBMS:0009", "EBMS:0009"},
	{"a bare code is a deviation", errorWith(`"EBMS:0004"`, `"0004"`), "EBMS:0009", "ok"},
	{"severity fatal is a deviation", errorWith(`"failure"`, `"fatal"`), "EBMS:0009", "ok"},
	{"severity error is a deviation", errorWith(`"failure"`, `"error"`), "EBMS:0009", "ok"},
	{"severity missing is a deviation", errorWith(`severity="failure" `, ``), "EBMS:0009", "ok"},
	{"a code that no table knows is kept", errorWith(`EBMS:0004`, `ACME:17`), "ok", "ok"},
	{"an error that names the message once", errorWith(`<eb:RefToMessageId>m-1@c2.example</eb:RefToMessageId>`, ``), "ok", "ok"},
	{"an error that names no message is a deviation", strings.Replace(errorWith(`<eb:RefToMessageId>m-1@c2.example</eb:RefToMessageId>`, ``), `"m-1@c2.example"`, `""`, 1), "EBMS:0003", "ok"},
	{"ErrorDetail stands behind Description", errorWith(`<eb:Description xml:lang="en">Not today</eb:Description><eb:ErrorDetail>try tomorrow</eb:ErrorDetail>`, `<eb:ErrorDetail/><eb:Description/>`), "EBMS:0009", "EBMS:0009"},
	{"a long explanation is no reason to refuse", errorWith(`try tomorrow`, strings.Repeat("long ", 20000)), "ok", "ok"},
	{"too many errors", messagingXML(`<eb:SignalMessage>` + infoXML + strings.Repeat(`<eb:Error errorCode="EBMS:0004" severity="failure"/>`, 65) + `</eb:SignalMessage>`), "EBMS:0003", "EBMS:0003"},
	{"a pull request without MPC", messagingXML(strings.Replace(pullXML, ` mpc="urn:example:mpc"`, ``, 1)), "ok", "ok"},
}

func receiptWith(child string) string {
	return messagingXML(`<eb:SignalMessage>` + infoXML + `<eb:Receipt>` + child + `</eb:Receipt></eb:SignalMessage>`)
}

func errorWith(old, replacement string) string {
	return messagingXML(strings.Replace(errorXML, old, replacement, 1))
}

func TestUnitRules(t *testing.T) {
	t.Parallel()
	for _, c := range unitCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, c.xml, Quirks{})
			expect(t, "strict", c.strict, err)
			m, err := read(t, c.xml, DefaultQuirks())
			expect(t, "lenient", c.lenient, err)
			if err == nil && (c.strict != "ok") != (m.Deviations != Quirks{}) {
				t.Errorf("strict %s, yet deviations %+v", c.strict, m.Deviations)
			}
		})
	}
}

// TestEveryQuirkIsTested switches every default quirk off by itself and looks for a case that then fails.
func TestEveryQuirkIsTested(t *testing.T) {
	t.Parallel()
	var docs []string
	for _, c := range headerCases {
		docs = append(docs, messagingXML(edit(t, userXML, c.old, c.new)))
	}
	for _, c := range unitCases {
		docs = append(docs, c.xml)
	}
	typ := reflect.TypeFor[Quirks]()
	for i := range typ.NumField() {
		q := DefaultQuirks()
		f := reflect.ValueOf(&q).Elem().Field(i)
		on := f.Bool()
		f.SetBool(!on)
		changed := 0
		for _, d := range docs {
			_, before := read(t, d, DefaultQuirks())
			_, after := read(t, d, q)
			if word(before) != word(after) {
				changed++
			}
		}
		if name := typ.Field(i).Name; changed == 0 && name != "UnnamedParts" { // that one is of MatchParts
			t.Errorf("%s: no case depends on it", name)
		}
	}
}

func TestLimitsOfLists(t *testing.T) {
	t.Parallel()
	property := `<eb:Property name="finalRecipient">C4</eb:Property>`
	part := `</eb:PayloadInfo>`
	party := `<eb:PartyId>urn:example:c3</eb:PartyId>`
	for _, c := range []struct {
		name, xml string
		q         Quirks
	}{
		{"properties", edit(t, userXML, property, strings.Repeat(property, MaxProperties)), Quirks{}},
		{"parts", edit(t, userXML, part, strings.Repeat(`<eb:PartInfo href="cid:x"/>`, MaxParts)+part), Quirks{}},
		{"parties", edit(t, userXML, party, strings.Repeat(party, maxPartyIDs+1)), Quirks{SeveralPartyIDs: true}},
	} {
		if _, err := read(t, messagingXML(c.xml), c.q); word(err) != string(ValueInconsistent) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func TestParseUserMessageAlone(t *testing.T) {
	t.Parallel()
	n := mustParse(t, messagingXML(userXML)).Root().FirstElement()
	m, err := ParseUserMessage(n, Quirks{})
	if err != nil || m.MessageID != "m-1@c2.example" {
		t.Errorf("%+v, %v", m, err)
	}
	if v, ok := m.Property("FINALRECIPIENT"); v != "C4" || !ok {
		t.Errorf("property %q, %v", v, ok)
	}
	if _, ok := m.Property("other"); ok {
		t.Error("a property that is not there")
	}
	if _, err = ParseUserMessage(mustParse(t, `<a/>`).Root(), Quirks{}); word(err) != string(InvalidHeader) {
		t.Errorf("%v", err)
	}
	empty := &UserMessage{}
	if empty.Channel() != DefaultMPC || empty.From.ID() != (PartyID{}) || (&Messaging{}).UserMessage() != nil {
		t.Error("defaults of an empty message")
	}
}

func TestErrorSaysWhereAndWhich(t *testing.T) {
	t.Parallel()
	_, err := read(t, messagingXML(edit(t, userXML, `>urn:example:c3<`, `>4711<`)), Quirks{})
	const want = `ebms: EBMS:0003 ValueInconsistent: line 9, eb:Messaging/eb:UserMessage/eb:PartyInfo/eb:To/eb:PartyId: "4711" has no type and is no URI [ebMS3 5.2.2.4]`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	var e *Error
	if !errors.As(err, &e) || e.RefToMessageInError != "m-1@c2.example" || !e.Permanent() || e.Temporary() {
		t.Errorf("%+v", e)
	}
	if !errors.Is(err, ValueInconsistent) || errors.Is(err, InvalidHeader) {
		t.Error("errors.Is does not see the code")
	}
}

func TestReceiptReferences(t *testing.T) {
	t.Parallel()
	m, err := read(t, messagingXML(receiptXML), Quirks{})
	if err != nil {
		t.Fatal(err)
	}
	r := m.Signals[0].Receipt.References[0]
	if r.URI != "cid:p1@c2.example" || r.DigestMethod != "http://www.w3.org/2001/04/xmlenc#sha256" ||
		string(r.Digest) != "\x01\x02\x03" || !r.Node.Is(NSSignature, "Reference") {
		t.Errorf("%+v", r)
	}
}

func TestMessagingIDPrefersUtilityID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ attrs, want string }{
		{`id="a" Id="b" ID="c" xml:id="d" wsu:Id="e"`, "e"},
		{`xml:id="d" Id="b" ID="c" id="a"`, "a"},
		{`ID="c" xml:id="d" Id="b"`, "b"},
		{`xml:id="d" ID="c"`, "c"},
		{`xml:id="d"`, "d"},
		{``, ""},
	} {
		m, err := read(t, edit(t, messagingXML(userXML), `wsu:Id="msg-1"`, c.attrs), Quirks{})
		if err != nil || m.ID != c.want {
			t.Errorf("%s: %q, %v, want %q", c.attrs, m.ID, err, c.want)
		}
	}
}

func TestParseMessagingOfSomethingElse(t *testing.T) {
	t.Parallel()
	for _, n := range []dom.Node{{}, mustParse(t, `<a/>`).Root()} {
		if _, err := ParseMessaging(n, Quirks{}); word(err) != string(InvalidHeader) {
			t.Errorf("%v", err)
		}
	}
}

func TestTimestamps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"2024-05-06T07:08:09Z", "2024-05-06T07:08:09.000Z"},
		{"2024-05-06T07:08:09", "2024-05-06T07:08:09.000Z"},
		{"2024-05-06T07:08:09.9999Z", "2024-05-06T07:08:09.999Z"},
		{"2024-05-06T23:00:00+03:00", "2024-05-06T20:00:00.000Z"},
		{"2024-05-06T23:00:00-03:30", "2024-05-07T02:30:00.000Z"},
		{"2024-05-06T00:00:00+14:00", "2024-05-05T10:00:00.000Z"},
		{"2024-05-06T00:00:00-00:00", "2024-05-06T00:00:00.000Z"},
		{"2024-02-29T24:00:00Z", "2024-03-01T00:00:00.000Z"},
		{"2024-05-06T07:08:09." + strings.Repeat("1", 40) + "+00:00", "2024-05-06T07:08:09.111Z"},
		{"2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"},
		{"1900-02-29T00:00:00Z", ""}, {"2023-02-29T00:00:00Z", ""}, {"2024-04-31T00:00:00Z", ""}, {"2024-00-01T00:00:00Z", ""},
		{"2024-13-01T00:00:00Z", ""}, {"2024-01-00T00:00:00Z", ""}, {"2024-01-01T25:00:00Z", ""}, {"2024-01-01T24:00:01Z", ""},
		{"2024-01-01T00:60:00Z", ""}, {"2024-01-01T00:00:60Z", ""}, {"2024-01-01T00:00:00.Z", ""}, {"2024-01-01T00:00:00z", ""},
		{"2024-01-01 00:00:00Z", ""}, {"2024-01-01T00:00Z", ""}, {"24-01-01T00:00:00Z", ""}, {"0000-01-01T00:00:00Z", ""},
		{"2024-01-01T00:00:00+14:01", ""}, {"2024-01-01T00:00:00+1:00", ""}, {"2024-01-01T00:00:00+01:60", ""}, {"2024-01-01T00:00:00+0100", ""},
		{"-2024-01-01T00:00:00Z", ""}, {"2024-01-01", ""}, {"", ""}, {"2024-01-01T00:00:00Zx", ""}, {"2024-0a-01T00:00:00Z", ""},
	} {
		got, err := ParseTimestamp(c.in)
		if s := string(AppendTimestamp(nil, got)); (err == nil) != (c.want != "") || err == nil && s != c.want {
			t.Errorf("%s: got %s, %v, want %q", c.in, s, err, c.want)
		}
	}
}

func TestPartRules(t *testing.T) {
	t.Parallel()
	part := func(pairs ...string) *PartInfo {
		p := &PartInfo{Href: "cid:p"}
		for i := 0; i < len(pairs); i += 2 {
			p.Properties = append(p.Properties, Property{Name: pairs[i], Value: pairs[i+1]})
		}
		return p
	}
	for _, c := range []struct {
		name       string
		part       *PartInfo
		compressed bool
		want       string
	}{
		{"no property says nothing of compression", part(), false, "ok"},
		{"CompressionType gzip with MimeType is gzip", part("MimeType", "text/xml", "CompressionType", "application/gzip"), true, "ok"},
		{"property names ignore case", part("mimetype", "text/xml", "COMPRESSIONTYPE", "application/gzip"), true, "ok"},
		{"CompressionType without MimeType", part("CompressionType", "application/gzip"), false, "EBMS:0303"},
		{"another CompressionType", part("MimeType", "text/xml", "CompressionType", "application/zip"), false, "EBMS:0003"},
		{"an impossible CharacterSet", part("MimeType", "text/xml", "CharacterSet", "oasis"), false, "EBMS:0003"},
		{"a CharacterSet that is no token", part("CharacterSet", "utf-8; x"), false, "EBMS:0003"},
		{"CharacterSet UTF-8", part("CharacterSet", "UTF-8"), false, "ok"},
		{"CharacterSet iso-8859-15", part("CharacterSet", "iso-8859-15"), false, "ok"},
		{"CharacterSet Shift_JIS", part("CharacterSet", "Shift_JIS"), false, "ok"},
	} {
		got, err := c.part.Compressed()
		if got != c.compressed || word(err) != c.want {
			t.Errorf("%s: %v, %v, want %v, %s", c.name, got, err, c.compressed, c.want)
		}
	}
}

func TestMatchParts(t *testing.T) {
	t.Parallel()
	parts := func(hrefs ...string) *UserMessage {
		m := &UserMessage{MessageID: "m"}
		for _, h := range hrefs {
			m.Parts = append(m.Parts, PartInfo{Href: h})
		}
		return m
	}
	for _, c := range []struct {
		name   string
		m      *UserMessage
		ids    []string
		inBody bool
		q      Quirks
		want   string
		match  []int
	}{
		{"parts in another order than named", parts("cid:b", "cid:a"), []string{"a", "b"}, false, Quirks{}, "ok", []int{1, 0}},
		{"percent-encoded on one side", parts("cid:a%40x"), []string{"a@x"}, false, Quirks{}, "ok", []int{0}},
		{"percent-encoded on the other side", parts("cid:a@x"), []string{"a%40x"}, false, Quirks{}, "ok", []int{0}},
		{"in angle brackets", parts("cid:a@x"), []string{"<a@x>"}, false, Quirks{}, "ok", []int{0}},
		{"the Body and a part", parts("", "cid:a"), []string{"a"}, true, Quirks{}, "ok", []int{-1, 0}},
		{"nothing at all", parts(), nil, false, Quirks{}, "ok", []int{}},
		{"a named part that is missing", parts("cid:a", "cid:b"), []string{"a"}, false, Quirks{}, "EBMS:0011", nil},
		{"a part without Content-ID names nothing", parts("cid:"), []string{""}, false, Quirks{}, "EBMS:0011", nil},
		{"a part and no PayloadInfo", parts(), []string{"a"}, false, Quirks{}, "EBMS:0011", nil},
		{"an extra part that nothing names", parts("cid:a"), []string{"a", "b"}, false, Quirks{}, "EBMS:0011", nil},
		{"an extra part between partners that agreed", parts("cid:a"), []string{"b", "a"}, false, Quirks{UnnamedParts: true}, "ok", []int{1}},
		{"a part named twice", parts("cid:a", "cid:a"), []string{"a"}, false, Quirks{}, "EBMS:0003", nil},
		{"two parts with one Content-ID", parts("cid:a"), []string{"a", "%61"}, false, Quirks{}, "EBMS:0007", nil},
		{"a part in an empty Body", parts("#b"), nil, false, Quirks{}, "EBMS:0011", nil},
		{"a Body that nothing names", parts("cid:a"), []string{"a"}, true, Quirks{}, "EBMS:0011", nil},
		{"an external part", parts("http://example.org/"), nil, false, Quirks{}, "EBMS:0011", nil},
	} {
		got, err := c.m.MatchParts(c.ids, c.inBody, c.q)
		if word(err) != c.want || fmt.Sprint(got) != fmt.Sprint(c.match) {
			t.Errorf("%s: %v, %v, want %v, %s", c.name, got, err, c.match, c.want)
		}
		if e, ok := err.(*Error); ok && e.RefToMessageInError != "m" {
			t.Errorf("%s: %+v does not name the message", c.name, e)
		}
	}
}

func TestTestService(t *testing.T) {
	t.Parallel()
	m := &UserMessage{Action: TestAction, Service: Service{Value: TestService}}
	if !m.IsTest() || m.CheckTest() != nil {
		t.Error("the test pair is not recognised")
	}
	m.Service.Value = "orders"
	if m.IsTest() || word(m.CheckTest()) != "EBMS:0010" {
		t.Error("the test action with another service is not refused")
	}
}
