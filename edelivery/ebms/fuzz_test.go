package ebms

import (
	"bytes"
	"errors"
	"mime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// FuzzMIME reads any body: whole, octet by octet and by Root it must say the same, and what it takes must be in the
// body.
func FuzzMIME(f *testing.F) {
	for _, c := range mimeCases {
		if len(c.body) < 4096 {
			f.Add(c.contentType, []byte(c.body))
		}
	}
	f.Add(`multipart/related; boundary="=-x"; start="<c>"`, []byte(body("--=-x\n\none\n--=-x\nContent-ID: <c>\n\ntwo\n--=-x--")))
	f.Fuzz(func(t *testing.T, contentType string, b []byte) {
		r, err := NewReader(contentType, bytes.NewReader(b), Limits{})
		if err != nil {
			if !errors.Is(err, ErrContentType) {
				t.Fatalf("%v", err)
			}
			return
		}
		got, err := parts(r)
		slow, _ := NewReader(contentType, iotest.OneByteReader(bytes.NewReader(b)), Limits{})
		again, err2 := parts(slow)
		if word(err) != word(err2) || err == nil && got != again {
			t.Fatalf("whole: %q, %v; octet by octet: %q, %v", got, err, again, err2)
		}
		if w := word(err); strings.HasPrefix(w, "other") {
			t.Fatalf("%v", err)
		}
		rooted, _ := NewReader(contentType, bytes.NewReader(b), Limits{})
		root, content, err := rooted.Root()
		if err != nil {
			return
		}
		if root.decoded == nil && !bytes.Contains(b, content) {
			t.Fatalf("%q is not in the body", content)
		}
		if _, err := parts(rooted); word(err) != word(err2) {
			t.Fatalf("after Root: %v, without: %v", err, err2)
		}
	})
}

// FuzzParseMessaging reads any header. What is accepted can be written, and then says the same.
func FuzzParseMessaging(f *testing.F) {
	for _, c := range headerCases {
		f.Add([]byte(messagingXML(edit(f, userXML, c.old, c.new))))
	}
	for _, c := range unitCases {
		f.Add([]byte(c.xml))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := dom.Parse(b, dom.Limits{Depth: 64, Bytes: 1 << 16})
		if err != nil {
			return
		}
		m, err := ParseMessaging(doc.Root(), DefaultQuirks())
		strict, strictErr := ParseMessaging(doc.Root(), Quirks{})
		if err != nil {
			if e := (*Error)(nil); !errors.As(err, &e) || !e.Code.Standard() || e.Detail == "" || strictErr == nil {
				t.Fatalf("%v, strict %v", err, strictErr)
			}
			return
		}
		if (strictErr == nil) != (m.Deviations == Quirks{}) {
			t.Fatalf("strict says %v, deviations are %+v", strictErr, m.Deviations)
		}
		if strictErr == nil {
			equalMessaging(t, m, strict)
		}
		if unwritable(m) {
			return
		}
		w := dom.NewWriter(nil)
		l := WriteEnvelope(w, m, EnvelopeIDs{"m", "b"}, nil)
		written := w.Bytes()
		e, err := ParseEnvelope(bytes.Clone(written), dom.Limits{})
		if err != nil {
			t.Fatalf("%v in %s", err, written)
		}
		if !bytes.Equal(canonical(e.Messaging), written[l.Messaging.From:l.Messaging.To]) {
			t.Fatalf("not canonical: %s", written)
		}
		q := Quirks{PlainPartyID: true, PlainService: true, PlainMessageID: true, ReceiptCopy: true, NoErrorRef: true, RepeatedSignalKind: true}
		q.NoTimeZone, q.TimeOffset, q.EmptyLists, q.SchemasElement = true, true, true, true // within the copy of a user message
		again, err := ParseMessaging(e.Messaging, q)
		if err != nil {
			t.Fatalf("%v in %s", err, written)
		}
		equalMessaging(t, m, again)
	})
}

// unwritable reports whether the message holds something that cannot be written as it was: a receipt that proves
// nothing, a code or a year that no peer would take.
func unwritable(m *Messaging) bool {
	for _, s := range m.Signals {
		if s.Receipt != nil && len(s.Receipt.References) == 0 && s.Receipt.UserMessage == nil || s.Timestamp.Year() > 9999 || s.Timestamp.Year() < 1 {
			return true
		}
		for _, e := range s.Errors {
			if s.RefToMessageID == "" && e.RefToMessageInError != token(e.RefToMessageInError, MaxValue) {
				return true
			}
		}
	}
	for _, u := range m.UserMessages {
		if u.Timestamp.Year() > 9999 || u.Timestamp.Year() < 1 {
			return true
		}
	}
	return false
}

// FuzzParseEnvelope reads any envelope: it is refused with one of the two typed errors, or its pieces are where they
// belong.
func FuzzParseEnvelope(f *testing.F) {
	f.Add([]byte(envelopeXML(messagingXML(userXML))))
	f.Add([]byte(envelopeXML(`<wsse:Security xmlns:wsse="` + NSSecurity + `"/>` + messagingXML(receiptXML))))
	f.Add([]byte(`<S12:Envelope xmlns:S12="` + NSSOAP + `"><S12:Body><S12:Fault><S12:Code><S12:Value>S12:Sender</S12:Value></S12:Code></S12:Fault></S12:Body></S12:Envelope>`))
	f.Add([]byte(envelopeXML(`<x:y xmlns:x="urn:x" S12:mustUnderstand="true" S12:role="` + RoleNextMSH + `"/>`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEnvelope(bytes.Clone(b), dom.Limits{Bytes: 1 << 16})
		if err != nil {
			var x *Error
			fault, ok := IsFault(err)
			if !ok && !errors.As(err, &x) {
				t.Fatalf("%v", err)
			}
			if ok {
				var out bytes.Buffer
				if err := WriteFault(&out, fault); err != nil {
					t.Fatal(err)
				}
				if again, err := ParseEnvelope(out.Bytes(), dom.Limits{}); err != nil || again.Fault == nil || again.Fault.Code != fault.Code {
					t.Fatalf("%v in %s", err, out.Bytes())
				}
			}
			return
		}
		if !e.Body.Is(NSSOAP, "Body") || e.Messaging.Valid() && (e.Messaging.Parent() != e.Header || e.Header.Parent() != e.Doc.Root()) ||
			e.Security.Valid() && e.Security.Parent() != e.Header || !e.Messaging.Valid() && e.Fault == nil {
			t.Fatalf("%+v", e)
		}
	})
}

// FuzzContentType compares with the parser of the standard library, where that takes the value.
func FuzzContentType(f *testing.F) {
	for _, s := range []string{`multipart/related; boundary="a b"; type="application/soap+xml"; start="<r@x>"`, `a/b; c=d; c=d`, `a/b; c="d\"e"`,
		`multipart/related; boundary==-/+=`, `a/b;;;`, `a/b; "`, `a/b; c="d`, `text/plain; charset = utf-8`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseContentType(s)
		typ, params, stdErr := mime.ParseMediaType(s)
		if err != nil {
			if !errors.Is(err, ErrContentType) {
				t.Fatalf("%v", err)
			}
			return
		}
		if major, minor, _ := strings.Cut(m.Type, "/"); !isToken(major) || !isToken(minor) {
			t.Fatalf("type %q", m.Type)
		}
		if q := quote(m.Param("boundary")); !strings.ContainsAny(q, "\r\n\x00") {
			if again, err := ParseContentType("a/b; boundary=" + q); err != nil || again.Param("boundary") != m.Param("boundary") {
				t.Fatalf("%q does not survive quoting: %v", m.Param("boundary"), err)
			}
		}
		if stdErr != nil || strings.ContainsAny(s, `*\\`) { // RFC 2231 is not for us; it keeps most backslashes, against RFC 822
			return
		}
		if typ != m.Type {
			t.Fatalf("type %q, the standard library says %q", m.Type, typ)
		}
		for name, value := range params {
			if m.Param(name) != value {
				t.Fatalf("%s: %q, the standard library says %q", name, m.Param(name), value)
			}
		}
	})
}
