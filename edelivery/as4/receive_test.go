package as4_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func soap(header, body string) *request {
	return &request{contentType: ebms.ContentTypeSOAP, body: []byte(`<S12:Envelope xmlns:S12="http://www.w3.org/2003/05/soap-envelope" xmlns:eb="` + ebms.NS + `"><S12:Header>` + header + `</S12:Header><S12:Body>` + body + `</S12:Body></S12:Envelope>`)}
}

const receiptSignal = `<eb:Messaging S12:mustUnderstand="true"><eb:SignalMessage><eb:MessageInfo><eb:Timestamp>2026-11-28T10:00:00.000Z</eb:Timestamp><eb:MessageId>s1@a.example</eb:MessageId><eb:RefToMessageId>m0@b.example</eb:RefToMessageId></eb:MessageInfo>%s</eb:SignalMessage></eb:Messaging>`

func TestHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	for _, c := range []struct {
		name, method, contentType, body string
		status                          int
		text                            string
	}{
		{"GET tells that the endpoint is there", http.MethodGet, "", "", 200, "AS4 endpoint"},
		{"HEAD too", http.MethodHead, "", "", 200, ""},
		{"other methods are not served", http.MethodPut, ebms.ContentTypeSOAP, "", 405, "POST"},
		{"a request without Content-Type", http.MethodPost, "", "x", 400, ""},
		{"a Content-Type that is broken", http.MethodPost, "multipart/related; boundary", "x", 400, ""},
		{"multipart without boundary", http.MethodPost, "multipart/related; type=\"application/soap+xml\"", "x", 400, ""},
		{"text/xml, as SOAP 1.1 has it", http.MethodPost, "text/xml", "<x/>", 400, ""},
		{"JSON", http.MethodPost, "application/json", "{}", 400, ""},
		{"an envelope of more than 4 MiB", http.MethodPost, ebms.ContentTypeSOAP, strings.Repeat(" ", 5<<20), 400, ""},
		{"a root part of more than 4 MiB", http.MethodPost, "multipart/related; boundary=b", "--b\r\n\r\n" + strings.Repeat(" ", 5<<20) + "\r\n--b--", 400, ""},
		{"part headers of more than 64 KiB", http.MethodPost, "multipart/related; boundary=b", "--b\r\nX: " + strings.Repeat("y", 70<<10) + "\r\n\r\n\r\n--b--", 400, ""},
	} {
		req := httptest.NewRequest(c.method, "/as4", strings.NewReader(c.body))
		if c.contentType != "" {
			req.Header.Set("Content-Type", c.contentType)
		}
		if a := w.serve(t, req); a.status != c.status || !strings.Contains(string(a.body), c.text) || a.signal != nil {
			t.Errorf("%s: status %d, %.200s", c.name, a.status, a.body)
		}
	}
}

func TestWhatIsNoMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	soap11 := soap("", "")
	soap11.replace(t, "http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/")
	if a := w.post(t, soap11); a.status != 500 || a.fault == nil || a.fault.Code != ebms.VersionMismatch || a.signal != nil {
		t.Errorf("SOAP 1.1: status %d, %s", a.status, a.body)
	}
	if a := w.post(t, soap(`<x xmlns="urn:x" S12:mustUnderstand="1"/>`, "")); a.status != 500 || a.fault == nil || a.fault.Code != ebms.MustUnderstand {
		t.Errorf("mustUnderstand: status %d, %s", a.status, a.body)
	}
	message := w.record(t, w.message(t, "m1@a.example", xmlPayload))
	cut := &request{contentType: message.contentType, body: message.body[:len(message.body)-40], chunked: true}
	for name, c := range map[string]struct {
		r    *request
		code ebms.Code
	}{
		"no eb:Messaging":              {soap("", ""), ebms.InvalidHeader},
		"no XML":                       {&request{contentType: ebms.ContentTypeSOAP, body: []byte("hello")}, ebms.InvalidHeader},
		"nothing":                      {&request{contentType: ebms.ContentTypeSOAP}, ebms.InvalidHeader},
		"a document type":              {&request{contentType: ebms.ContentTypeSOAP, body: append([]byte("<!DOCTYPE x>"), soap("", "").body...)}, ebms.InvalidHeader},
		"an empty eb:Messaging":        {soap(`<eb:Messaging S12:mustUnderstand="true"/>`, ""), ebms.ValueInconsistent},
		"an eb:Messaging twice":        {soap(fmt.Sprintf(receiptSignal+receiptSignal, "", ""), ""), ebms.ValueInconsistent},
		"a signal that is not one":     {soap(fmt.Sprintf(receiptSignal, "<eb:Nothing/>"), ""), ebms.InvalidHeader},
		"a body that is cut":           {cut, ebms.MimeInconsistency},
		"a body without a single part": {&request{contentType: "multipart/related; boundary=b", body: []byte("no boundary")}, ebms.MimeInconsistency},
	} {
		t.Run(name, func(t *testing.T) { w.post(t, c.r).expect(t, c.code) })
	}
}

// TestWhoCannotSignAnswersWithAFault: a peer's policy lets an unsigned message pass only if it carries a fault.
func TestWhoCannotSignAnswersWithAFault(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	identity := w.receiver.Identity
	w.receiver.Identity = func(pm *as4.PMode) *pki.Identity {
		if pm == nil {
			return nil
		}
		return identity(pm)
	}
	a := w.post(t, soap("", ""))
	if a.status != 500 || a.code() != ebms.InvalidHeader || a.signed || a.fault == nil || a.fault.Code != ebms.Receiver {
		t.Errorf("unsigned: status %d\n%.300s", a.status, a.body)
	}
	msg := w.message(t, "m1@a.example", xmlPayload)
	msg.Message.Action = "urn:other"
	if a := w.post(t, w.record(t, msg)); a.status != 500 || a.code() != ebms.ValueNotRecognized || a.fault == nil {
		t.Errorf("unknown P-Mode: status %d\n%.300s", a.status, a.body)
	}
	w.receiver.Identity = func(*as4.PMode) *pki.Identity { return nil }
	a = w.post(t, w.record(t, w.message(t, "m1@a.example", xmlPayload)))
	if a.status != 500 || a.code() != ebms.Other || len(w.intake.messages) != 0 {
		t.Errorf("no key to sign the receipt with: status %d, %d messages\n%.300s", a.status, len(w.intake.messages), a.body)
	}
}

func TestFaultOnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", func(p *as4.PMode) { p.FaultOnError = true })
	w.intake.check = func(*as4.Received) error { return ebms.Other.New("not today") }
	a := w.post(t, w.record(t, w.message(t, "m1@a.example", xmlPayload)))
	if a.status != 500 || a.code() != ebms.Other || !a.signed || a.fault == nil || a.fault.Code != ebms.Receiver {
		t.Errorf("status %d, signed %v\n%.300s", a.status, a.signed, a.body)
	}
	o := w.sender.Send(t.Context(), w.message(t, "m2@a.example", xmlPayload))
	if o.Verdict != as4.RetryLater || !errors.Is(o.Err, ebms.Other) || !o.Signed || o.Status != 500 {
		t.Errorf("our own sender: %+v", o)
	}
	w.intake.check = nil
	if a := w.post(t, w.record(t, w.message(t, "m3@a.example", xmlPayload))); a.status != 200 || a.signal.Receipt == nil || a.fault != nil {
		t.Errorf("a receipt: status %d\n%.300s", a.status, a.body)
	}
}

// TestMatching goes through the codes of a message that no P-Mode fits.
func TestMatching(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", func(p *as4.PMode) { p.Agreement, p.AgreementType = "urn:agreement", "at" })
	for name, c := range map[string]struct {
		change func(*ebms.UserMessage)
		code   ebms.Code // empty: accepted
	}{
		"the agreed message":              {func(*ebms.UserMessage) {}, ""},
		"another agreement":               {func(m *ebms.UserMessage) { m.Agreement = &ebms.Agreement{Value: "urn:none"} }, ebms.ValueNotRecognized},
		"no agreement":                    {func(m *ebms.UserMessage) { m.Agreement = nil }, ""},
		"the agreement without type":      {func(m *ebms.UserMessage) { m.Agreement.Type = "" }, ""},
		"the agreement with another type": {func(m *ebms.UserMessage) { m.Agreement.Type = "x" }, ebms.ValueNotRecognized},
		"the agreement with a pmode":      {func(m *ebms.UserMessage) { m.Agreement.PMode = "whatever" }, ""},
		"another sender":                  {func(m *ebms.UserMessage) { m.From.IDs[0].Value = "POP000009" }, ebms.ValueInconsistent},
		"another receiver":                {func(m *ebms.UserMessage) { m.To.IDs[0].Value = "POP000009" }, ebms.ValueInconsistent},
		"another type of sender":          {func(m *ebms.UserMessage) { m.From.IDs[0].Type = "urn:t" }, ebms.ValueInconsistent},
		"another role":                    {func(m *ebms.UserMessage) { m.From.Role = "urn:role" }, ebms.ValueInconsistent},
		"roles exchanged":                 {func(m *ebms.UserMessage) { m.From.Role, m.To.Role = m.To.Role, m.From.Role }, ebms.ValueInconsistent},
		"another service":                 {func(m *ebms.UserMessage) { m.Service.Value = "urn:x" }, ebms.ValueNotRecognized},
		"another type of service":         {func(m *ebms.UserMessage) { m.Service.Type = "x" }, ebms.ValueNotRecognized},
		"another action":                  {func(m *ebms.UserMessage) { m.Action = "urn:x" }, ebms.ValueNotRecognized},
		"values in another case": {func(m *ebms.UserMessage) {
			m.Action, m.Service.Value, m.From.IDs[0].Value = "URN:A", "URN:S", "pop000001"
		}, ""},
		"the test service": {func(m *ebms.UserMessage) {
			m.Service, m.Action = ebms.Service{Value: ebms.TestService}, ebms.TestAction
		}, ""},
		"the test service, another action": {func(m *ebms.UserMessage) { m.Service = ebms.Service{Value: ebms.TestService} }, ebms.ValueNotRecognized},
		"the test service for a stranger": {func(m *ebms.UserMessage) {
			m.Service, m.Action = ebms.Service{Value: ebms.TestService}, ebms.TestAction
			m.From.IDs[0].Value = "POP000009"
		}, ebms.ValueInconsistent},
		"the test action, another service": {func(m *ebms.UserMessage) { m.Action = ebms.TestAction }, ebms.ValueNotRecognized},
		"the default channel in words":     {func(m *ebms.UserMessage) { m.MPC = ebms.DefaultMPC }, ""},
		"another channel":                  {func(m *ebms.UserMessage) { m.MPC = "urn:mpc" }, ebms.ValueNotRecognized},
		"no original sender":               {func(m *ebms.UserMessage) { m.Properties = m.Properties[1:] }, ebms.ProcessingModeMismatch},
		"no final recipient":               {func(m *ebms.UserMessage) { m.Properties = m.Properties[:1] }, ebms.ProcessingModeMismatch},
		"an original sender without type":  {func(m *ebms.UserMessage) { m.Properties[0].Type = "" }, ""},
		"property names in another case":   {func(m *ebms.UserMessage) { m.Properties[0].Name = "OriginalSender" }, ""},
		"a tracking identifier": {func(m *ebms.UserMessage) {
			m.Properties = append(m.Properties, ebms.Property{Name: ebms.PropertyTrackingID, Value: "t"})
		}, ""},
		"an empty conversation":         {func(m *ebms.UserMessage) { m.ConversationID = "" }, ""},
		"two identifiers of the sender": {func(m *ebms.UserMessage) { m.From.IDs = append(m.From.IDs, ebms.PartyID{Value: "urn:x"}) }, ebms.ValueInconsistent},
		"a payload in the web":          {func(m *ebms.UserMessage) { m.Parts[0].Href = "http://a.example/p" }, ebms.ExternalPayloadError},
		"a payload in the Body":         {func(m *ebms.UserMessage) { m.Parts[0].Href = "" }, ebms.ExternalPayloadError},
		"a payload that is not there":   {func(m *ebms.UserMessage) { m.Parts[0].Href = "cid:none@a.example" }, ebms.ExternalPayloadError},
		"a payload named twice":         {func(m *ebms.UserMessage) { m.Parts = append(m.Parts, m.Parts[0]) }, ebms.ExternalPayloadError},
		"a payload that is not named":   {func(m *ebms.UserMessage) { m.Parts = nil }, ebms.ExternalPayloadError},
		"compressed, but of no type":    {func(m *ebms.UserMessage) { m.Parts[0].Properties = m.Parts[0].Properties[1:] }, ebms.DecompressionFailure},
		"compressed in another way":     {func(m *ebms.UserMessage) { m.Parts[0].Properties[1].Value = "application/zip" }, ebms.ValueInconsistent},
		"in a character set that is none": {func(m *ebms.UserMessage) {
			m.Parts[0].Properties = append(m.Parts[0].Properties, ebms.Property{Name: ebms.PropertyCharacterSet, Value: "!utf*"})
		}, ebms.ValueInconsistent},
		"in UTF-16": {func(m *ebms.UserMessage) {
			m.Parts[0].Properties = append(m.Parts[0].Properties, ebms.Property{Name: ebms.PropertyCharacterSet, Value: "UTF-16"})
		}, ""},
		"called compressed, and is not": {func(m *ebms.UserMessage) { m.Parts[1].Properties = m.Parts[0].Properties }, ebms.DecompressionFailure},
		"sent a year ago":               {func(m *ebms.UserMessage) { m.Timestamp = m.Timestamp.AddDate(-1, 0, 0) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			id := strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), ",", "") + "@a.example"
			msg := w.message(t, id, xmlPayload, []byte("octets"))
			c.change(msg.Message)
			a := w.post(t, w.record(t, msg))
			if c.code != "" {
				a.expect(t, c.code)
				if len(a.errs) == 1 && (a.errs[0].RefToMessageInError != id || a.signal.RefToMessageID != id) {
					t.Errorf("the error names %q and %q", a.errs[0].RefToMessageInError, a.signal.RefToMessageID)
				}
				return
			}
			if a.status != 200 || a.signal.Receipt == nil || !a.signed || a.signal.RefToMessageID != id {
				t.Errorf("status %d: %v\n%.300s", a.status, w.lastRefusal, a.body)
			}
		})
	}
}

func TestCombinationsThatNobodyAgreed(t *testing.T) {
	t.Parallel()
	p := func(id, from, service string) *as4.PMode {
		return &as4.PMode{ID: id, ProfileName: "eu-edelivery", Initiator: as4.PartyRef{ID: from}, Responder: as4.PartyRef{ID: "us"}, Service: service}
	}
	table, err := as4.NewTable(p("1", "a", "s1"), p("2", "b", "s2"), p("general", "", "s3"), p("special", "a", "s3"))
	if err != nil {
		t.Fatal(err)
	}
	um := func(from, service string) *ebms.UserMessage {
		party := func(id, role string) ebms.Party {
			return ebms.Party{IDs: []ebms.PartyID{{Value: id, Type: "urn:oasis:names:tc:ebcore:partyid-type:unregistered"}}, Role: role}
		}
		return &ebms.UserMessage{From: party(from, ebms.RoleInitiator), To: party("us", ebms.RoleResponder), Service: ebms.Service{Value: service}, Action: "x"}
	}
	if _, err := table.Match(um("a", "s2")); !errors.Is(err, ebms.ProcessingModeMismatch) {
		t.Errorf("known, but not together: %v", err)
	}
	for from, want := range map[string]string{"a": "special", "c": "general"} {
		if pm, err := table.Match(um(from, "s3")); err != nil || pm.ID != want {
			t.Errorf("%s: %v, %v", from, pm, err)
		}
	}
	if table.ByID("2") != table.All()[1] || table.ByID("none") != nil {
		t.Error("ByID")
	}
}

func TestRulesOfPeppol(t *testing.T) {
	t.Parallel()
	good := func(*ebms.UserMessage) {}
	for name, c := range map[string]struct {
		change   func(*ebms.UserMessage)
		payloads [][]byte
		theirs   func(*world)
		code     ebms.Code
	}{
		"the profile's message": {good, [][]byte{xmlPayload}, nil, ""},
		"no payload":            {good, nil, nil, ebms.Other},
		"two payloads":          {good, [][]byte{xmlPayload, xmlPayload}, nil, ebms.Other},
		"a test needs no payload": {func(m *ebms.UserMessage) {
			m.Service, m.Action = ebms.Service{Value: ebms.TestService}, ebms.TestAction
		}, nil, nil, ""},
		"a tracking identifier": {func(m *ebms.UserMessage) {
			m.Properties = append(m.Properties, ebms.Property{Name: ebms.PropertyTrackingID, Value: "t"})
		}, [][]byte{xmlPayload}, nil, ebms.ProcessingModeMismatch},
		"an original sender without type": {func(m *ebms.UserMessage) { m.Properties[0].Type = "" }, [][]byte{xmlPayload}, nil, ebms.ProcessingModeMismatch},
		"a final recipient without type":  {func(m *ebms.UserMessage) { m.Properties[1].Type = "" }, [][]byte{xmlPayload}, nil, ebms.ProcessingModeMismatch},
		"another channel":                 {func(m *ebms.UserMessage) { m.MPC = "urn:x" }, [][]byte{xmlPayload}, nil, ebms.ValueNotRecognized},
		"the default channel":             {func(m *ebms.UserMessage) { m.MPC = ebms.DefaultMPC }, [][]byte{xmlPayload}, nil, ""},
		"named by key identifier":         {good, [][]byte{xmlPayload}, func(w *world) { w.pmode.SignToken = wss.TokenSKI }, ebms.PolicyNoncompliance},
		"named by a path":                 {good, [][]byte{xmlPayload}, func(w *world) { w.pmode.SignToken = wss.TokenPKIPath }, ebms.PolicyNoncompliance},
		"signed by another member":        {good, [][]byte{xmlPayload}, func(w *world) { w.unpin(); w.sign[0] = w.member("POP000077") }, ebms.FailedAuthentication},
		"signed by the party, not pinned": {good, [][]byte{xmlPayload}, func(w *world) { w.unpin() }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "peppol", nil)
			if c.theirs != nil {
				c.theirs(w)
			}
			msg := w.message(t, "m1@a.example", c.payloads...)
			c.change(msg.Message)
			a := w.post(t, w.record(t, msg))
			if c.code != "" {
				a.expect(t, c.code)
			} else if a.signal == nil || a.signal.Receipt == nil {
				t.Errorf("%v\n%.300s", w.lastRefusal, a.body)
			}
		})
	}
}

// unpin makes the receiver's P-Mode one for any sender of the community.
func (w *world) unpin() {
	p := *w.receiver.PModes().All()[0]
	p.Initiator, p.Certificates = as4.PartyRef{}, nil
	table, err := as4.NewTable(&p)
	if err != nil {
		panic(err)
	}
	w.receiver.PModes = func() *as4.Table { return table }
}

// member is another access point of the community.
func (w *world) member(cn string) *pki.Identity {
	id, err := w.ca.Issue(pki.Template{CommonName: cn, Key: keyOf(pki.RSA2048, 2)})
	if err != nil {
		panic(err)
	}
	return id
}

func TestTestServiceDeliversNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	w.intake.check = func(*as4.Received) error { t.Error("content was checked"); return nil }
	msg := w.message(t, "m1@a.example", xmlPayload)
	msg.Message.Service, msg.Message.Action = ebms.Service{Value: ebms.TestService}, ebms.TestAction
	if o := w.sender.Send(t.Context(), msg); o.Verdict != as4.Acknowledged {
		t.Fatal(o.Err)
	}
	if s := w.intake.only(t); !s.Test {
		t.Error("the intake is not told that it is a test")
	}
}

func TestWhatTheIntakeSays(t *testing.T) {
	t.Parallel()
	secret := errors.New("disk /dev/secret is full")
	notServiced := ebms.Other.New("PEPPOL:NOT_SERVICED")
	for name, c := range map[string]struct {
		set    func(*memory)
		status int
		code   ebms.Code
		detail string
	}{
		"it is busy":                          {func(m *memory) { m.begin = fmt.Errorf("%w: starting", as4.ErrBusy) }, 503, "", ""},
		"it is busy when it comes to storing": {func(m *memory) { m.commit = func(*as4.Received) error { return errors.Join(as4.ErrBusy, secret) } }, 503, "", ""},
		"it cannot begin":                     {func(m *memory) { m.begin = secret }, 200, ebms.Other, ""},
		"it has no room for a payload":        {func(m *memory) { m.payload = secret }, 200, ebms.Other, ""},
		"it cannot store":                     {func(m *memory) { m.commit = func(*as4.Received) error { return secret } }, 200, ebms.Other, ""},
		"the content is not good": {func(m *memory) {
			m.check = func(*as4.Received) error { return ebms.ValueInconsistent.New("two invoices") }
		}, 200, ebms.ValueInconsistent, "two invoices"},
		"the recipient is not served":  {func(m *memory) { m.check = func(*as4.Received) error { return notServiced } }, 200, ebms.Other, "PEPPOL:NOT_SERVICED"},
		"the content cannot be judged": {func(m *memory) { m.check = func(*as4.Received) error { return secret } }, 200, ebms.Other, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "eu-edelivery", nil)
			c.set(w.intake)
			a := w.post(t, w.record(t, w.message(t, "m1@a.example", xmlPayload)))
			if a.status != c.status || a.code() != c.code || bytes.Contains(a.body, []byte("secret")) || len(w.intake.messages) != 0 {
				t.Errorf("status %d, code %s, %d messages\n%.300s", a.status, a.code(), len(w.intake.messages), a.body)
			}
			if c.status == 503 && a.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			if c.code != "" {
				a.expect(t, c.code)
				if e := a.errs[0]; c.detail != "" && e.Detail != c.detail || e.Severity != ebms.Failure {
					t.Errorf("detail %q, severity %s", e.Detail, e.Severity)
				}
			}
			if w.lastRefusal == nil {
				t.Error("the log was told nothing")
			}
		})
	}
}

// TestSecurityFailuresTellNoDetail: which check failed is for the log.
func TestSecurityFailuresTellNoDetail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		theirs func(*world)
		change func(*testing.T, *request)
		code   ebms.Code
	}{
		"signed by another certificate than agreed": {theirs: func(w *world) { w.sign[0] = w.member("POP000001") }, code: ebms.FailedAuthentication},
		"encrypted for another key":                 {theirs: func(w *world) { w.pmode.EncryptionCertificate = w.member("POP000002").Certificate }, code: ebms.FailedDecryption},
		"the header changed":                        {change: func(t *testing.T, r *request) { r.replace(t, ">c1<", ">c2<") }, code: ebms.FailedAuthentication},
		"another MessageId, to be taken for new":    {change: func(t *testing.T, r *request) { r.replace(t, "m1@a.example", "m2@a.example") }, code: ebms.FailedAuthentication},
		"the security removed": {change: func(t *testing.T, r *request) {
			i, j := bytes.Index(r.body, []byte("<wsse:Security")), bytes.Index(r.body, []byte("</wsse:Security>"))
			r.body = append(r.body[:i:i], r.body[j+len("</wsse:Security>"):]...)
		}, code: ebms.PolicyNoncompliance},
		"content in the Body": {change: func(t *testing.T, r *request) { r.replace(t, "</S12:Body>", "<x/></S12:Body>") }, code: ebms.FailedAuthentication},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "eu-edelivery", nil)
			if c.theirs != nil {
				c.theirs(w)
			}
			r := w.record(t, w.message(t, "m1@a.example", xmlPayload))
			if c.change != nil {
				c.change(t, r)
			}
			a := w.post(t, r)
			a.expect(t, c.code)
			if e := a.errs[0]; c.code.Origin() == ebms.OriginSecurity && (e.Detail != "security" || e.Description != "") {
				t.Errorf("detail %q, description %q", e.Detail, e.Description)
			}
			if len(w.intake.messages) != 0 {
				t.Error("the message was stored")
			}
		})
	}
}

// TestContentInTheBody: well signed, but nothing in the header names it.
func TestContentInTheBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	msg := w.message(t, "m1@a.example")
	d := wss.NewDraftWith(&ebms.Messaging{UserMessages: []*ebms.UserMessage{msg.Message}}, "x",
		ebms.Blocks{Body: func(w *dom.Writer) { w.Element("order", "1") }})
	sec, err := wss.Secure(d, nil, wss.SecureOptions{Suite: wss.SuiteRSA, Sign: w.sign[0], ID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	w.post(t, &request{contentType: ebms.ContentTypeSOAP, body: sec.Envelope}).expect(t, ebms.ExternalPayloadError)
}

func TestTwoCopiesAtOnceAreOneMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	r := w.record(t, w.message(t, "m1@a.example", xmlPayload))
	const copies = 8
	arrived := make(chan struct{}, copies)
	gate := make(chan struct{})
	w.intake.commit = func(*as4.Received) error { arrived <- struct{}{}; <-gate; return nil }
	answers := make([][]byte, copies)
	var wg sync.WaitGroup
	for i := range copies {
		wg.Go(func() {
			rec := httptest.NewRecorder()
			req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(r.body))
			req.Header.Set("Content-Type", r.contentType)
			w.receiver.ServeHTTP(rec, req)
			answers[i] = rec.Body.Bytes()
		})
	}
	for range copies {
		<-arrived
	}
	close(gate)
	wg.Wait()
	w.intake.only(t)
	for i, a := range answers {
		if !bytes.Equal(a, answers[0]) || !bytes.Contains(a, []byte("<eb:Receipt")) {
			t.Errorf("copy %d was answered otherwise:\n%s", i, a)
		}
	}
	if w.intake.doubles != copies-1 {
		t.Errorf("%d duplicates", w.intake.doubles)
	}
}

func TestAnotherPartyCannotTakeAnId(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	w.unpin()
	first := w.sender.Send(t.Context(), w.message(t, "m1@a.example", xmlPayload))
	w.sign[0] = w.member("POP000077")
	msg := w.message(t, "m1@a.example", xmlPayload)
	msg.Message.From.IDs[0].Value = "POP000077"
	second := w.sender.Send(t.Context(), msg)
	if first.Verdict != as4.Acknowledged || second.Verdict != as4.Acknowledged || len(w.intake.messages) != 2 {
		t.Errorf("%v, %v, %d messages", first.Err, second.Err, len(w.intake.messages))
	}
}

// TestACopyIsAnsweredAsTheFirstWas, even though its content would not be accepted any more.
func TestACopyIsAnsweredAsTheFirstWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	first := w.sender.Send(t.Context(), w.message(t, "m1@a.example", xmlPayload))
	w.intake.check = func(*as4.Received) error { return ebms.Other.New("PEPPOL:NOT_SERVICED") }
	second := w.sender.Send(t.Context(), w.message(t, "m1@a.example", xmlPayload))
	if second.Verdict != as4.Acknowledged || !bytes.Equal(first.Answer, second.Answer) {
		t.Errorf("%v", second.Err)
	}
}

func TestSignalsOutsideOfABackChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	var got []*as4.Signal
	w.intake.signal = func(s *as4.Signal) error {
		got = append(got, s)
		if s.Signal.RefToMessageID == "unknown@b.example" {
			return ebms.InvalidReceipt.New("no such message")
		}
		return nil
	}
	receipt := `<eb:Receipt><n:NonRepudiationInformation xmlns:n="` + ebms.NSSignals + `"/></eb:Receipt>`
	a := w.post(t, soap(fmt.Sprintf(receiptSignal, receipt), ""))
	if a.status != http.StatusAccepted || len(a.body) != 0 || len(got) != 1 || got[0].Signer != nil || got[0].Signal.Receipt == nil || len(got[0].Octets) == 0 {
		t.Errorf("status %d, %d signals\n%.300s", a.status, len(got), a.body)
	}
	errorSignal := `<eb:Error errorCode="EBMS:0004" severity="failure" refToMessageInError="m0@b.example"/>`
	if a := w.post(t, soap(fmt.Sprintf(receiptSignal, errorSignal), "")); a.status != http.StatusAccepted || len(got) != 2 {
		t.Errorf("an error: status %d, %d signals", a.status, len(got))
	}
	a = w.post(t, soap(strings.Replace(fmt.Sprintf(receiptSignal, receipt), "m0@b.example", "unknown@b.example", 1), ""))
	a.expect(t, ebms.InvalidReceipt)
	if a.signal.RefToMessageID != "s1@a.example" || a.errs[0].RefToMessageInError != "s1@a.example" {
		t.Errorf("the error names %q", a.signal.RefToMessageID)
	}
	pull := strings.Replace(fmt.Sprintf(receiptSignal, `<eb:PullRequest mpc="urn:mpc"/>`), "<eb:RefToMessageId>m0@b.example</eb:RefToMessageId>", "", 1)
	a = w.post(t, soap(pull, ""))
	a.expect(t, ebms.FeatureNotSupportedInHeader)
	if bytes.Contains(a.body, []byte("urn:mpc")) || len(got) != 3 {
		t.Errorf("the answer speaks of the channel:\n%s", a.body)
	}
}

// TestASignedSignalIsToldWithItsSigner takes a receipt of our own and posts it, as a callback does.
func TestASignedSignalIsToldWithItsSigner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	o := w.sender.Send(t.Context(), w.message(t, "m1@a.example", xmlPayload))
	var signer *pki.Certificate
	w.intake.signal = func(s *as4.Signal) error { signer = s.Signer; return nil }
	r := &request{contentType: ebms.ContentTypeSOAP, body: o.Answer}
	if a := w.post(t, r); a.status != http.StatusAccepted || signer == nil || !signer.Equal(w.sign[1].Certificate) {
		t.Errorf("status %d, signer %v", a.status, signer)
	}
	w.post(t, r.replace(t, "m1@a.example", "m2@a.example")).expect(t, ebms.FailedAuthentication)
}

// TestAnEarlyRefusalReachesTheSender: a large message is read on, or its sender would see a broken connection.
func TestAnEarlyRefusalReachesTheSender(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	msg := w.message(t, "m1@a.example", bytes.Repeat([]byte("0123456789abcdef"), 400_000))
	msg.Message.Action = "urn:unknown"
	o := w.sender.Send(t.Context(), msg)
	if o.Verdict != as4.Failed || !errors.Is(o.Err, ebms.ValueNotRecognized) || !o.Signed {
		t.Errorf("%v: %v", o.Verdict, o.Err)
	}
	body := &countingBody{Reader: bytes.NewReader(make([]byte, 40<<20))}
	req := httptest.NewRequest(http.MethodPost, "/", body)
	req.Header.Set("Content-Type", "image/png")
	w.receiver.ServeHTTP(httptest.NewRecorder(), req)
	if body.n > 17<<20 {
		t.Errorf("%d octets of a refused message were read", body.n)
	}
}

type countingBody struct {
	io.Reader
	n int
}

func (c *countingBody) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += n
	return n, err
}

func TestPayloadsBeyondTheAgreedSize(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", func(p *as4.PMode) { p.MaxSize = 2000 })
	w.post(t, w.record(t, w.message(t, "m1@a.example", []byte(strings.Repeat("x", 2001))))).expect(t, ebms.ProcessingModeMismatch)
	w.post(t, w.record(t, w.message(t, "m2@a.example", []byte("<x>"+strings.Repeat("y", 2000)+"</x>")))).expect(t, ebms.DecompressionFailure)
	if a := w.post(t, w.record(t, w.message(t, "m3@a.example", []byte(strings.Repeat("x", 2000))))); a.signal.Receipt == nil {
		t.Errorf("%v", w.lastRefusal)
	}
}

func TestDeviationsThatAreNotAgreed(t *testing.T) {
	t.Parallel()
	strict := ebms.DefaultQuirks()
	strict.Set("NoTimeZone", false)
	w := newWorld(t, "eu-edelivery", func(p *as4.PMode) { p.Quirks = strict; p.Unsigned = false })
	r := w.record(t, w.message(t, "m1@a.example", xmlPayload))
	r.replace(t, "10:00:00.000Z<", "10:00:00.000<")
	w.post(t, r).expect(t, ebms.InvalidHeader)
	if !errors.Is(w.lastRefusal, ebms.InvalidHeader) || !strings.Contains(w.lastRefusal.Error(), "NoTimeZone") {
		t.Errorf("%v", w.lastRefusal)
	}
}

// TestDynamicReceiver is a P-Mode for senders that are not known beforehand [EU-AS4 1.5.3].
func TestDynamicReceiver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		template pki.Template
		from     string
		ok       bool
	}{
		"the common name is the party":              {pki.Template{CommonName: "POP000077"}, "POP000077", true},
		"the organisation identifier is the party":  {pki.Template{Subject: "CN=Access Point,2.5.4.97=#0c09504f50303030303737"}, "POP000077", true},
		"the subject is somebody else":              {pki.Template{CommonName: "POP000078"}, "POP000077", false},
		"the organisation, but not its identifier":  {pki.Template{CommonName: "x", Organization: "POP000077"}, "POP000077", false},
		"no subject that could name a party at all": {pki.Template{Subject: "O=Somebody"}, "POP000077", false},
	} {
		for _, profile := range []string{"eu-edelivery", "peppol"} {
			t.Run(name+", "+profile, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, profile, nil)
				w.unpin()
				template := c.template
				template.Key = keyOf(pki.RSA2048, 2)
				var err error
				if w.sign[0], err = w.ca.Issue(template); err != nil {
					t.Fatal(err)
				}
				msg := w.message(t, "m1@a.example", xmlPayload)
				msg.Message.From.IDs[0].Value = c.from
				a := w.post(t, w.record(t, msg))
				if !c.ok {
					a.expect(t, ebms.FailedAuthentication)
				} else if a.signal == nil || a.signal.Receipt == nil {
					t.Error(w.lastRefusal)
				}
			})
		}
	}
}

func TestToleratedDeviationsAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	msg := w.message(t, "m1@a.example", []byte(" <a  b='1'/>"))
	msg.Contents[0].MimeType = "application/xml" // as a stack does that digests octets whatever they are
	msg.Message.From.IDs[0].Type = ""            // and a name without type that is no URI
	p := *w.receiver.PModes().All()[0]
	p.Initiator = as4.PartyRef{}
	table, err := as4.NewTable(&p)
	if err != nil {
		t.Fatal(err)
	}
	w.receiver.PModes = func() *as4.Table { return table }
	w.sender.Send(t.Context(), msg)
	got := w.intake.only(t).Warnings
	if len(got) != 2 || got[0] != "PlainPartyID" || got[1] != "attachment p1@a.example is application/xml and digested as octets" {
		t.Errorf("warnings %q", got)
	}
}

// TestManyParts goes to the limit of a thousand parts, the envelope included.
func TestManyParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	few := make([][]byte, 999)
	for i := range few {
		few[i] = []byte{byte(i)}
	}
	if a := w.post(t, w.record(t, w.message(t, "m1@a.example", few...))); a.status != 200 || a.signal.Receipt == nil || len(a.signal.Receipt.References) != 999+2 {
		t.Errorf("999 attachments: status %d, %v", a.status, w.lastRefusal)
	}
	w.intake.messages = map[string]*stored{}
	if a := w.post(t, w.record(t, w.message(t, "m2@a.example", append(few, nil)...))); a.status != 400 || len(w.intake.messages) != 0 {
		t.Errorf("1000 attachments: status %d, %v", a.status, w.lastRefusal)
	}
}
