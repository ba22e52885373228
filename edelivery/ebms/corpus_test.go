package ebms

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const area = "edelivery-as4"

// a corpusCase says what this package has to find in one file. Cryptography is left to package wss: there a row
// that says EBMS:0101 must still be read without complaint here.
type corpusCase struct {
	envelope string // outcome of ParseEnvelope; empty: ok
	header   string // outcome of ParseMessaging with DefaultQuirks; empty: ok, "-": not reached
	parts    string // outcome of MatchParts with the parts of the body; empty: not asked
	check    func(t *testing.T, m *Messaging, e *Envelope)
}

var corpusCases = map[string]corpusCase{
	"phase4/TwoUserMessages.xml":              {header: "EBMS:0003"},
	"phase4/UserMessageNoPartyID.xml":         {header: "EBMS:0009"},
	"phase4/NoResponder.xml":                  {header: "EBMS:0009"},
	"phase4/WrongSigningAlgorithm.xml":        {},
	"phase4/ErrorMessageNoRefToMessageID.xml": {check: deviates(Quirks{NoErrorRef: true, NoTimeZone: true, NoMustUnderstand: true})},
	"phase4/ErrorMessage.xml":                 {check: deviates(Quirks{NoTimeZone: true, NoMustUnderstand: true})},
	"phase4/ErrorMessageWithFault.xml": {check: func(t *testing.T, m *Messaging, e *Envelope) {
		if e.Fault == nil || e.Fault.Code != Receiver || !strings.HasPrefix(e.Fault.Reason, "Certificate revoked") {
			t.Errorf("fault %+v", e.Fault)
		}
		x := m.Signals[0].Errors[0]
		if x.Code != PolicyNoncompliance || x.Severity != Failure || m.Signals[0].RefToMessageID != "1234" {
			t.Errorf("error %+v", x)
		}
	}},
	"phase4/TestReceipt12.xml": {check: func(t *testing.T, m *Messaging, e *Envelope) {
		r := m.Signals[0].Receipt
		if len(r.References) != 3 || len(r.References[0].Digest) != 32 || !slices.Equal(r.Children, []string{"phase4"}) && len(r.Children) != 1 {
			t.Errorf("receipt %+v", r)
		}
		deviates(Quirks{ReceiptExtraChildren: true})(t, m, e)
	}},
	"phase4/TestReceipt11.xml": {envelope: "fault:VersionMismatch", check: func(t *testing.T, m *Messaging, e *Envelope) {
		if r := m.Signals[0].Receipt; r.UserMessage == nil || !m.Deviations.ReceiptWrappedCopy {
			t.Errorf("receipt %+v", r)
		}
	}},
	"phase4/soap11test-MessageInfoMissing.xml":                 {envelope: "fault:VersionMismatch", header: "EBMS:0009"},
	"phase4/soap11test-EmptyMessaging.xml":                     {envelope: "fault:VersionMismatch", header: "EBMS:0003"},
	"phase4/soap11test-NoMessaging.xml":                        {envelope: "fault:VersionMismatch", header: "EBMS:0003"},
	"phase4/soap11test-BundledMessage.xml":                     {envelope: "fault:VersionMismatch", check: bundle},
	"phase4/soap11test-PullRequest.xml":                        {envelope: "fault:VersionMismatch", check: pulls("http://msh.example.com/mpc123")},
	"phase4/soap11test-ErrorMessage.xml":                       {envelope: "fault:VersionMismatch", check: codes(ValueNotRecognized, FailedAuthentication)},
	"phase4/soap11test-ReceiptMessage.xml":                     {envelope: "fault:VersionMismatch", check: references(2)},
	"phase4/soap11test-UserMessage.xml":                        {envelope: "fault:VersionMismatch", check: user("UUID-1@requester.example.com", 1)},
	"phase4/soap11test-MessageInfoImaginaryTimestamp.xml":      {envelope: "fault:VersionMismatch", header: "EBMS:0009"},
	"phase4/soap12test-UserMessage12.xml":                      {check: user("2011-921@5209999001264.example.com", 1)},
	"phase4/soap12test-UserMessageWithCompressedPayload12.xml": {envelope: "EBMS:0009", header: "-"}, // not well-formed as stored
	"phase4/soap12test-PullRequest12.xml": {check: func(t *testing.T, m *Messaging, e *Envelope) {
		pulls("http://as4.bigco.example.com/queues/q_456")(t, m, e)
		if len(e.Others) != 0 {
			t.Errorf("%d security headers for others", len(e.Others))
		}
	}},

	"oasis-as4/UserMessage_No_MPC_P2P_NoWSSecurity.xml":            {check: user("orders123@buyer.example.com", 1)},
	"oasis-as4/UserMessage_No_MPC_P2P_NoWSSecurity.as4receipt.xml": {check: receiptCopy("orders123@buyer.example.com")},
	"oasis-as4/UserMessage_No_MPC_P2P_WSSecurity.xml":              {check: user("orders123@buyer.example.com", 1)},
	"oasis-as4/UserMessage_No_MPC_P2P_WSSecurity.as4receipt.xml":   {check: references(4)},
	"oasis-as4/UserMessage_No_MPC_WSSecurity_multihop.xml":         {check: user("orders123@buyer.example.com", 1)},
	"oasis-as4/UserMessage_No_MPC_WSSecurity_multihop.as4receipt.xml": {check: func(t *testing.T, m *Messaging, e *Envelope) {
		references(4)(t, m, e)
		if !e.RoutingInput.Valid() {
			t.Error("no RoutingInput")
		}
	}},
	"oasis-as4/UserMessage_Specified_MPC_P2P.xml": {check: func(t *testing.T, m *Messaging, e *Envelope) {
		if m.UserMessage().Channel() != "urn:somespecificmpc" {
			t.Errorf("MPC %q", m.UserMessage().MPC)
		}
	}},
	"oasis-as4/UserMessage_Specified_MPC_P2P.as4receipt.xml": {check: references(4)},

	"as4net/as4-encrypted-compressed-message.as4":  {parts: "ok", check: user("user-55b50d25-5f75-4d2e-8d75-c4e7fe492169", 2)},
	"as4net/as4-encrypted-signed-issuerserial.as4": {parts: "ok", check: user("b545c3a0-e57f-46aa-862f-381eb4b70097@CLT-SMOREELS.mshome.net", 2)},
	"as4net/signed_holodeck_message.as4":           {parts: "ok", check: user("cdcc838c-96ed-414a-b127-0937f5cd6549@CLT-FGHEYSELS.ad.codit.eu", 2)},
	"as4net/rssbus_message.as4": {parts: "ok", check: func(t *testing.T, m *Messaging, e *Envelope) {
		user("Bkw-20180112-110916514-LvB0@Bkw", 1)(t, m, e)
		if m.UserMessage().ConversationID != "" {
			t.Error("the conversation id is not empty")
		}
	}},
	"as4net/as4_flame_envelope.as4": {check: user("b495f1e1-ef0f-4da3-a311-0f5ab6ab27a9@mindertestbed.org", 2)},
	"as4net/as4-multihop-message.as4": {check: func(t *testing.T, m *Messaging, e *Envelope) {
		codes(Other)(t, m, e)
		if !e.RoutingInput.Valid() || m.Role != RoleNextMSH {
			t.Errorf("routing input %v, role %q", e.RoutingInput.Valid(), m.Role)
		}
	}},
	"as4net/multihopreceipt.xml": {check: func(t *testing.T, m *Messaging, e *Envelope) {
		references(3)(t, m, e)
		if !e.RoutingInput.Valid() || m.Role != RoleNextMSH {
			t.Errorf("routing input %v, role %q", e.RoutingInput.Valid(), m.Role)
		}
	}},
	"as4net/as4-soap-signed-message.txt":           {check: user("cece0a43-8233-447e-b3b8-4239f601097b@10.124.29.131", 0)},
	"as4net/as4-soap-wrong-signed-message.txt":     {},
	"as4net/as4-soap-untrusted-signed-message.txt": {},
	"as4net/as4-soap-signed-pullrequest.xml":       {check: pulls("http://example.holodeckb2b.org/mpc/2")},
	"as4net/as4-soap-pullrequest.xml":              {check: pulls("http://example.holodeckb2b.org/mpc/2")},
	"as4net/as4-pullrequest-warning.xml": {check: func(t *testing.T, m *Messaging, e *Envelope) {
		codes(EmptyMessagePartitionChannel)(t, m, e)
		if x := m.Signals[0].Errors[0]; x.Severity != Warning || x.Permanent() {
			t.Errorf("severity %s, permanent %v", x.Severity, x.Permanent())
		}
	}},
	"as4net/as4-soap-user-receipt-message.xml": {check: func(t *testing.T, m *Messaging, e *Envelope) {
		var ids []string
		for _, u := range m.Order {
			if u.User != nil {
				ids = append(ids, "user "+u.User.MessageID)
			} else {
				ids = append(ids, "signal "+u.Signal.MessageID)
			}
		}
		if !slices.Equal(ids, []string{"signal 1", "user 2", "signal 3"}) {
			t.Errorf("order %v", ids)
		}
		if d := m.Deviations; !d.AnyUnitOrder || !d.RepeatedSignalKind || !d.PlainMessageID {
			t.Errorf("deviations %+v", d)
		}
	}},
	"as4net/as4-soap-signed-encrypted-message-with-extra-hashtag.xml": {check: func(t *testing.T, m *Messaging, e *Envelope) {
		user("41371809-b8ec-4223-813e-46600962aa01@10.124.29.131", 2)(t, m, e)
		if !m.Deviations.SchemasElement {
			t.Error("eb:Schemas was not noted")
		}
	}},
	"as4net/Receipt_InvalidNRI_Namespace.as4":             {check: references(0)},
	"as4net/BizTalkUserMessage.xml":                       {envelope: "fault:Sender", header: "-"},
	"as4net/as4-encrypted-envelope.xml":                   {check: user("30392f3c-bc9c-4a1f-ba5e-5d4d81382eef@CLT-SNEIRINCK", 2)},
	"as4net/receipt.xml":                                  {check: references(4)},
	"as4net/as4_soapattachment.as4":                       {},
	"as4net/as4message_external_payloads.txt":             {header: "EBMS:0011"},
	"as4net/as4message_incorect_compressed.txt":           {parts: "ok"},
	"as4net/as4-soap-wrong-encrypted-message.txt":         {parts: "ok"},
	"as4net/receiveagent_message_nonexist_attachment.as4": {parts: "EBMS:0011"},

	"peppol/dump-raw.as4out":                         {parts: "ok"},
	"peppol/helger.as4in":                            {check: references(3)},
	"peppol/dataport1.as4in":                         {check: references(3)},
	"peppol/dataport1-mustunderstand.as4in":          {check: references(3)},
	"domibus/MSHAS4Request.xml":                      {check: user("bb22d1a8-1c23-4f90-ada9-46708d91d7ba@domibus.eu", 2)},
	"domibus/MSHAS4Response.xml":                     {check: references(3)},
	"domibus/SOAPMessageNoMessaging.xml":             {envelope: "EBMS:0009", header: "-"},
	"domibus/SOAPTestMessage.xml":                    {check: isTest},
	"domibus/validAS4Response.xml":                   {check: references(1)},
	"domibus/ski_incoming_message.xml":               {},
	"domibus/bst_x509v3_incoming_message.xml":        {},
	"domibus/bst_X509PKIPathv1_incoming_message.xml": {},
	"domibus/RawXMLMessageWithSpacesAndPkiPath.xml":  {header: "EBMS:0011"}, // href="sbdh-order": external [EU-AS4 1.4.2.3]
}

// elsewhere lists the rows of our folders that hold no message, and who runs them.
var elsewhere = map[string]string{
	"as4net/EncryptedKeyWithMGFSpec.txt": "trust/xmlenc: a lone EncryptedKey",
}

// claim returns the outcome that the index names, or nothing where it names none or one of cryptography.
func claim(expected string) string {
	switch {
	case strings.Contains(expected, "not well-formed"):
		return string(InvalidHeader)
	case strings.HasPrefix(expected, "schema-valid;"), strings.HasPrefix(expected, "EBMS:0006"):
		return ""
	case strings.HasPrefix(expected, "parse OK"), strings.HasPrefix(expected, "accepted"), expected == "schema-valid":
		return "ok"
	case expected == "schema-invalid":
		return string(InvalidHeader)
	}
	switch code := ebmsCode.FindString(expected); Code(code) {
	case FailedAuthentication, FailedDecryption, DecompressionFailure:
		return "ok" // wrong in its cryptography or its payload only
	default:
		return code
	}
}

var ebmsCode = regexp.MustCompile(`^EBMS:\d{4}`)

func TestCorpus(t *testing.T) {
	t.Parallel()
	known := corpus.Known(t, "testdata/known.tsv")
	seen := map[string]bool{}
	for _, row := range corpus.Index(t, area) {
		file := row["file"]
		folder, _, _ := strings.Cut(file, "/")
		if !slices.Contains([]string{"phase4", "oasis-as4", "as4net", "domibus", "peppol"}, folder) {
			continue
		}
		seen[file] = true
		if elsewhere[file] != "" {
			continue
		}
		c, ok := corpusCases[file]
		if !ok {
			t.Errorf("%s: no case and not listed elsewhere", file)
			continue
		}
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			runCorpusCase(t, row, c, known[file] != "")
		})
	}
	if len(seen) < 60 {
		t.Errorf("only %d rows: is the corpus whole?", len(seen))
	}
	for file := range corpusCases {
		if !seen[file] {
			t.Errorf("%s: a case for no row", file)
		}
	}
	for file := range known {
		if !seen[file] {
			t.Errorf("%s: known, but no such row", file)
		}
	}
}

func runCorpusCase(t *testing.T, row corpus.Row, c corpusCase, known bool) {
	raw := corpus.Read(t, area, row["file"])
	xml, ids := unpack(t, row, raw)
	e, err := ParseEnvelope(bytes.Clone(xml), dom.Limits{})
	got := word(err)
	if got != or(c.envelope, "ok") {
		t.Fatalf("envelope: got %s (%v), want %s", got, err, or(c.envelope, "ok"))
	}
	var m *Messaging
	if c.header != "-" {
		var n dom.Node
		if e != nil {
			n = e.Messaging
		} else { // SOAP 1.1 is refused, its header can be looked at all the same
			n = find(mustParse(t, string(xml)).Root(), NS, "Messaging")
		}
		if m, err = ParseMessaging(n, DefaultQuirks()); word(err) != or(c.header, "ok") {
			t.Fatalf("header: got %s (%v), want %s", word(err), err, or(c.header, "ok"))
		}
		got = word(err)
	}
	if c.parts != "" {
		if _, err = m.UserMessage().MatchParts(ids, !e.BodyEmpty(), DefaultQuirks()); word(err) != c.parts {
			t.Fatalf("parts: got %s (%v), want %s", word(err), err, c.parts)
		}
		got = word(err)
	}
	// What the index claims and is ours to find is what was found.
	if want := claim(row["expected"]); want != "" {
		if agree := want == got; agree == known {
			t.Errorf("got %s, the index says %s, listed as known: %v", got, want, known)
		}
	}
	if c.check != nil {
		c.check(t, m, e)
	}
	if m != nil && e != nil {
		rewrite(t, m)
	}
}

// rewrite writes what was read and reads it again, without any leniency but for what the values themselves are.
func rewrite(t *testing.T, m *Messaging) {
	if len(m.Signals) > 0 && m.Signals[0].Receipt != nil && len(m.Signals[0].Receipt.References) == 0 && m.Signals[0].Receipt.UserMessage == nil {
		return // nothing that could be written
	}
	w := dom.NewWriter(nil)
	WriteEnvelope(w, m, EnvelopeIDs{Messaging: "m", Body: "b"}, nil)
	e, err := ParseEnvelope(w.Bytes(), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	q := Quirks{PlainPartyID: true, PlainService: true, PlainMessageID: true, ReceiptCopy: true, NoErrorRef: true,
		RepeatedSignalKind: m.Deviations.RepeatedSignalKind}
	again, err := ParseMessaging(e.Messaging, q)
	if err != nil {
		t.Fatalf("what was written is refused: %v", err)
	}
	equalMessaging(t, m, again)
}

// unpack returns the envelope of a file and the content ids of the other parts.
func unpack(t *testing.T, row corpus.Row, b []byte) (envelope []byte, ids []string) {
	contentType := ""
	if strings.HasPrefix(row["file"], "peppol/") {
		head, body, ok := bytes.Cut(b, []byte("\r\n\r\n"))
		if !ok {
			head, body, ok = bytes.Cut(b, []byte("\n\n"))
		}
		if !ok {
			t.Fatal("no HTTP header")
		}
		b = body
		for line := range strings.Lines(string(head)) {
			if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Content-Type") {
				contentType = strings.TrimSpace(value)
			}
		}
	} else if at := bytes.Index(b, []byte("--")); at >= 0 && at < 8 && !bytes.HasPrefix(b, []byte("<")) {
		line, _, _ := strings.Cut(string(b[at+2:]), "\n")
		contentType = `multipart/related; boundary="` + strings.TrimRight(line, "\r") + `"; type="application/soap+xml"`
		if strings.Contains(row["file"], "rssbus") {
			contentType += `; start="<_7a711d7c-4d1c-4ce7-ab38-794a01b445e1>"`
		}
	}
	if !strings.HasPrefix(contentType, "multipart/") {
		return b, nil
	}
	r, err := NewReader(contentType, bytes.NewReader(b), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	_, envelope, err = r.Root()
	if err != nil {
		t.Fatal(err)
	}
	for {
		p, err := r.Next()
		if err == io.EOF {
			return envelope, ids
		}
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, p.ContentID)
	}
}

func find(n dom.Node, space, local string) dom.Node {
	if n.Is(space, local) {
		return n
	}
	for d := range n.Descendants() {
		if d.Kind() == dom.ElementNode && d.Is(space, local) {
			return d
		}
	}
	return dom.Node{}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

type check = func(t *testing.T, m *Messaging, e *Envelope)

func deviates(want Quirks) check {
	return func(t *testing.T, m *Messaging, e *Envelope) {
		t.Helper()
		if m.Deviations != want {
			t.Errorf("deviations\n got %+v\nwant %+v", m.Deviations, want)
		}
	}
}

func user(id string, parts int) check {
	return func(t *testing.T, m *Messaging, e *Envelope) {
		t.Helper()
		if u := m.UserMessage(); u == nil || u.MessageID != id || len(u.Parts) != parts {
			t.Errorf("user message %+v, want %s with %d parts", u, id, parts)
		}
	}
}

func references(n int) check {
	return func(t *testing.T, m *Messaging, e *Envelope) {
		t.Helper()
		if len(m.Signals) != 1 || m.Signals[0].Receipt == nil || len(m.Signals[0].Receipt.References) != n {
			t.Fatalf("signals %+v, want one receipt with %d references", m.Signals, n)
		}
		for _, r := range m.Signals[0].Receipt.References {
			if r.URI == "" || !r.Node.Valid() {
				t.Errorf("reference %+v", r)
			}
		}
	}
}

func receiptCopy(id string) check {
	return func(t *testing.T, m *Messaging, e *Envelope) {
		t.Helper()
		r := m.Signals[0].Receipt
		if r == nil || r.UserMessage == nil || r.UserMessage.MessageID != id || !m.Deviations.ReceiptCopy {
			t.Errorf("receipt %+v", r)
		}
	}
}

func codes(want ...Code) check {
	return func(t *testing.T, m *Messaging, e *Envelope) {
		t.Helper()
		var got []Code
		for _, x := range m.Signals[0].Errors {
			got = append(got, x.Code)
		}
		if !slices.Equal(got, want) {
			t.Errorf("codes %v, want %v", got, want)
		}
	}
}

func pulls(mpc string) check {
	return func(t *testing.T, m *Messaging, e *Envelope) {
		t.Helper()
		if p := m.Signals[0].PullRequest; p == nil || p.MPC != mpc {
			t.Errorf("pull request %+v", p)
		}
	}
}

func bundle(t *testing.T, m *Messaging, e *Envelope) {
	if len(m.Order) != 3 || len(m.Signals) != 2 || m.UserMessage() == nil || len(m.Signals[0].Errors) != 2 || m.Signals[1].PullRequest == nil {
		t.Errorf("bundle %+v", m)
	}
}

func isTest(t *testing.T, m *Messaging, e *Envelope) {
	if !m.UserMessage().IsTest() {
		t.Errorf("service %q, action %q", m.UserMessage().Service.Value, m.UserMessage().Action)
	}
}

// TestReceiptTwin writes the receipt for the OASIS sample messages and compares it with the sample receipts.
func TestReceiptTwin(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UserMessage_No_MPC_P2P_NoWSSecurity", "UserMessage_No_MPC_P2P_WSSecurity",
		"UserMessage_No_MPC_WSSecurity_multihop", "UserMessage_Specified_MPC_P2P"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := ParseEnvelope(corpus.Read(t, area, "oasis-as4/"+name+".xml"), dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			m, err := ParseMessaging(e.Messaging, DefaultQuirks())
			if err != nil {
				t.Fatal(err)
			}
			twinEnvelope, err := ParseEnvelope(corpus.Read(t, area, "oasis-as4/"+name+".as4receipt.xml"), dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			twin, err := ParseMessaging(twinEnvelope.Messaging, DefaultQuirks())
			if err != nil {
				t.Fatal(err)
			}
			want := twin.Signals[0]
			var refs []dom.Node
			for d := range e.Security.Descendants() {
				if d.Kind() == dom.ElementNode && d.Is(NSSignature, "Reference") {
					refs = append(refs, d)
				}
			}
			got := NewReceiptCopy(want.MessageID, want.Timestamp, m.UserMessage())
			if len(refs) != 0 {
				got = NewReceipt(want.MessageID, m.UserMessage().MessageID, want.Timestamp, refs)
			}
			w := dom.NewWriter(nil)
			WriteEnvelope(w, &Messaging{Signals: []*Signal{got}}, EnvelopeIDs{}, nil)
			e, err = ParseEnvelope(w.Bytes(), dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParseMessaging(e.Messaging, Quirks{ReceiptCopy: true, PlainService: true})
			if err != nil {
				t.Fatal(err)
			}
			equalMessaging(t, twin, again)
		})
	}
}
