package audit

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/viadukt-eu/viadukt/node/store"
)

const example = `viadukt log entry 1
type receipt-sent
time 2026-05-04T09:30:00.000Z
actor 192.0.2.7:4711
message 17
direction in
message-id a\x5cb@c
state received
attempt 1
domain letters
pmode pm
from urn:p:a
to Übersee
service urn:s
action a\x0ab
rule default
creates receipt header
object receipt 0100000000000000000000000000000000000000000000000000000000000000 6113
object payload 0200000000000000000000000000000000000000000000000000000000000000 0 doc@a
`

func TestAnEntryIsTextOfOneForm(t *testing.T) {
	t.Parallel()
	e := Entry{
		Type: ReceiptSent, Time: start, Actor: "192.0.2.7:4711", Message: 17, Direction: store.In, MessageID: `a\b@c`, State: "received", Attempt: 1,
		Domain: "letters", PMode: "pm", From: "urn:p:a", To: "Übersee", Service: "urn:s", Action: "a\nb", Rule: "default", Creates: "receipt header",
		Objects: []store.Object{{Kind: "receipt", SHA256: [32]byte{1}, Size: 6113}, {Kind: "payload", SHA256: [32]byte{2}, Name: "doc@a"}},
	}
	if got := string(e.Append(nil)); got != example {
		t.Errorf("%s", got)
	}
	got, err := Parse([]byte(example))
	if err != nil || !reflect.DeepEqual(*got, e) {
		t.Errorf("%+v %v", got, err)
	}
	swap := func(a, b string) string {
		if !strings.Contains(example, a) {
			t.Fatalf("%q is not in the example", a)
		}
		return strings.Replace(example, a, b, 1)
	}
	for name, text := range map[string]string{
		"nothing":                           "",
		"another title":                     swap("entry 1", "entry 2"),
		"an unknown type":                   swap("receipt-sent", "receipt"),
		"no type":                           swap("type receipt-sent\n", ""),
		"an unknown line":                   swap("rule default", "ruler default"),
		"lines in another order":            swap("message 17\ndirection in\n", "direction in\nmessage 17\n"),
		"a line twice":                      swap("state received\n", "state received\nstate received\n"),
		"an empty value":                    swap("rule default\n", "rule \n"),
		"an empty line":                     swap("rule", "\nrule"),
		"no end of the last line":           strings.TrimSuffix(example, "\n"),
		"CR LF":                             swap("rule default\n", "rule default\r\n"),
		"an escape that is needless":        swap("default", `\x64efault`),
		"an escape with capitals":           swap(`\x0a`, `\x0A`),
		"an escape that is cut off":         swap("service urn:s", `service urn:s\x0`),
		"an escape of another kind":         swap(`\x0a`, `\n`),
		"a time with another zone":          swap("09:30:00.000Z", "11:30:00.000+02:00"),
		"a time without milliseconds":       swap("00.000Z", "00Z"),
		"a day that is none":                swap("05-04", "02-30"),
		"a number with a sign":              swap("message 17", "message +17"),
		"a number with a leading zero":      swap("message 17", "message 017"),
		"a number that is zero":             swap("attempt 1", "attempt 0"),
		"a direction that is none":          swap("direction in", "direction up"),
		"an object without a size":          swap(" 6113\n", "\n"),
		"an object with a short hash":       swap("object receipt 01", "object receipt 1"),
		"an object with a hash in capitals": swap("object receipt 01", "object receipt A1"),
		"octets that are not UTF-8":         swap("Über", "\xdcber"),
	} {
		if _, err := Parse([]byte(text)); !errors.Is(err, ErrEntry) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryEntryCanBeReadAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
		e := Entry{
			Type: StateChanged, Time: time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "time")).UTC(), Message: rapid.Int64Range(0, 1<<60).Draw(t, "message"),
			MessageID: text.Draw(t, "id"), From: text.Draw(t, "from"), Detail: text.Draw(t, "detail"),
		}
		if name := text.Draw(t, "name"); name != "" {
			e.Objects = []store.Object{{Kind: "payload", Size: rapid.Int64Range(0, 1<<50).Draw(t, "size"), Name: name}}
		}
		got, err := Parse(e.Append(nil))
		if err != nil || !reflect.DeepEqual(*got, e) {
			t.Fatalf("%+v %v", got, err)
		}
	})
}

func TestWhatHappensHasItsType(t *testing.T) {
	t.Parallel()
	receipt, problem, rem := store.Object{Kind: "receipt"}, store.Object{Kind: "error"}, store.Object{Kind: "rem"}
	header := store.Object{Kind: "header"}
	for _, c := range []struct {
		h    store.Happening
		want Type
	}{
		{store.Happening{What: store.OfMessage, Direction: store.Out, State: store.Queued, Objects: []store.Object{header}}, MessageAccepted},
		{store.Happening{What: store.OfMessage, Direction: store.In, State: store.Received, Objects: []store.Object{header}}, MessageReceived},
		{store.Happening{What: store.OfMessage, Direction: store.In, State: store.Received, Objects: []store.Object{header, receipt}}, ReceiptSent},
		{store.Happening{What: store.OfMessage, Direction: store.Out, Before: store.Sending, State: store.Acknowledged, Objects: []store.Object{receipt}}, ReceiptReceived},
		{store.Happening{What: store.OfMessage, Direction: store.Out, Before: store.Sending, State: store.Failed, Objects: []store.Object{problem}}, ErrorReceived},
		{store.Happening{What: store.OfMessage, Direction: store.In, Before: store.Received, State: store.Rejected, Objects: []store.Object{problem}}, ErrorSent},
		{store.Happening{What: store.OfMessage, Direction: store.In, Before: store.Received, State: store.Delivered}, StateChanged},
		{store.Happening{What: store.OfMessage, Direction: store.In, Before: store.Delivered, State: store.Delivered, Objects: []store.Object{rem}}, EvidenceAdded},
		{store.Happening{What: store.MessageGone, Direction: store.In, State: store.Confirmed}, MessageDeleted},
		{store.Happening{What: store.PayloadsGone, Direction: store.In, State: store.Confirmed}, PayloadsDeleted},
		{store.Happening{What: store.OfDirectory, Subject: "s::p"}, Participant},
		{store.Happening{What: store.OfToken, Subject: "t"}, Token},
		{store.Happening{What: store.OfUser, Subject: "u"}, User},
	} {
		c.h.MessageID, c.h.Time = "a@b", start
		e, err := Parse(NewRecorder(DefaultPolicy()).Record(nil, &c.h))
		if err != nil || e.Type != c.want || len(e.Objects) != len(c.h.Objects) {
			t.Errorf("%+v: %+v %v, want %s", c.h, e, err, c.want)
		}
	}
}
