package backoffice

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

func TestSchedulesOfPush(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		pause time.Duration
		times int
		bad   bool
	}{
		{"60;5;CONSTANT", 12 * time.Minute, 5, false},
		{"1;2;CONSTANT", 30 * time.Second, 2, false},
		{"SEND_ONCE", 0, 0, false},
		{";;SEND_ONCE", 0, 0, false},
		{"", 0, 0, true}, {"60;5", 0, 0, true}, {"60;0;CONSTANT", 0, 0, true}, {"-1;5;CONSTANT", 0, 0, true}, {"a;b;CONSTANT", 0, 0, true}, {"9;1;2;PROGRESSIVE", 0, 0, true},
	} {
		r, err := parseRetry(c.text)
		if (err != nil) != c.bad || r.pause != c.pause || r.times != c.times {
			t.Errorf("%q: %+v %v", c.text, r, err)
		}
	}
	now := time.Now()
	r := retry{time.Minute, 2}
	for made, want := range map[int]bool{1: true, 2: true, 3: false} {
		if at, ok := r.next(made, now); ok != want || ok && !at.Equal(now.Add(time.Minute)) {
			t.Errorf("after %d attempts: %v %v", made, at, ok)
		}
	}
	if _, ok := (retry{}).next(1, now); ok {
		t.Error("what is sent once is sent again")
	}
	total := time.Duration(0)
	for i := range webhookSchedule {
		at, ok := webhookSchedule.next(i+1, now)
		if !ok {
			t.Fatal(i)
		}
		total += at.Sub(now)
	}
	if _, ok := webhookSchedule.next(len(webhookSchedule)+1, now); ok || total < 24*time.Hour {
		t.Errorf("webhooks are repeated for %v", total)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		m    store.Message
		want string
	}{
		{store.Message{Direction: store.Out, State: store.Queued}, "SEND_ENQUEUED"},
		{store.Message{Direction: store.Out, State: store.Sending}, "WAITING_FOR_RECEIPT"},
		{store.Message{Direction: store.Out, State: store.Retrying}, "WAITING_FOR_RETRY"},
		{store.Message{Direction: store.Out, State: store.Acknowledged}, "ACKNOWLEDGED"},
		{store.Message{Direction: store.Out, State: store.AcknowledgedWithoutReceipt}, "ACKNOWLEDGED_WITH_WARNING"},
		{store.Message{Direction: store.Out, State: store.Failed}, "SEND_FAILURE"},
		{store.Message{Direction: store.Out, State: store.Rejected}, "SEND_FAILURE"},
		{store.Message{Direction: store.In, State: store.Received}, "RECEIVED"},
		{store.Message{Direction: store.In, State: store.Delivered}, "RECEIVED"},
		{store.Message{Direction: store.In, State: store.Failed}, "RECEIVED"},
		{store.Message{Direction: store.In, State: store.Confirmed}, "DOWNLOADED"},
		{store.Message{Direction: store.In, State: store.Confirmed, Payloads: []store.Payload{{Gone: true}}}, "DELETED"},
	} {
		if got := status(&c.m); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.m.Direction, c.m.State, got, c.want)
		}
	}
	words := statuses()
	for _, w := range []string{"SEND_ENQUEUED", "READY_TO_PULL", "NOT_FOUND", "RECEIVED", "DELETED"} {
		if !slices.Contains(words, w) {
			t.Errorf("the contract does not name %s", w)
		}
	}
}

func TestNamesInTheFolders(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a b/c:d": "a_b_c_d", "..": "__", ".": "_", ".hidden": "_hidden", "../../x": "__.._.._x"[:2] + "_.._x", "": "_", "é.xml": "_.xml", "uuid@host.example": "uuid@host.example",
	} {
		if got := fileName(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	if got := fileName(strings.Repeat("x", 500)); len(got) != 200 {
		t.Errorf("%d octets", len(got))
	}
	for _, c := range []struct{ name, id, want string }{{"doc.xml", "a@b", "doc_a@b.xml"}, {"doc", "a@b", "doc_a@b"}, {"doc.tar.gz", "a@b", "doc.tar_a@b.gz"}} {
		if got := withID(c.name, c.id); got != c.want {
			t.Errorf("%s with %s: %s", c.name, c.id, got)
		}
	}
	if base, ok := cutStatus("doc_a@b.xml.SEND_ENQUEUED"); !ok || base != "doc_a@b.xml" {
		t.Errorf("%s %v", base, ok)
	}
	if _, ok := cutStatus("doc_a@b.xml"); ok {
		t.Error("an extension is taken for a status")
	}
}

func TestCorners(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		corner, value string
		same          bool
	}{
		{"urn:x:C1", "URN:X:c1", true}, {"urn:x::C1", "C1", true}, {"urn:x::C1", "urn:x::C1", true}, {"urn:x::C1", "urn:x:C1", true},
		{"urn:x::C1", "C2", false}, {"C1", "", false}, {"", "C1", false},
	} {
		if got := sameCorner(c.corner, c.value); got != c.same {
			t.Errorf("%q and %q: %v", c.corner, c.value, got)
		}
	}
}
