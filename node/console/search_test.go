package console

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

func TestMessagesAreFoundByWhatOneKnows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.message(t, outgoing("first@x"))
	other := outgoing("second@x")
	other.ConversationID, other.Sender, other.From, other.Action, other.Peer, other.Domain, other.Test = "other@x", "s::somebody", "POP9", "act-9", "ap9.example", "justice", true
	other.Direction, other.State = store.In, store.Received
	w.message(t, other)
	late := outgoing("late@x")
	late.Created = start.AddDate(0, 0, 10)
	w.message(t, late)
	b := w.as(t, Viewer)
	for _, c := range []struct {
		name, query, says string
		rows              []string
	}{
		{"everything, newest first", "", "", []string{"late@x", "second@x", "first@x"}},
		{"by message id", "q=first@x", "Found as message ID.", []string{"first@x"}},
		{"by conversation", "q=other@x", "Found as conversation.", []string{"second@x"}},
		{"by participant", "q=s::somebody", "Found as participant.", []string{"second@x"}},
		{"by party", "q=POP9", "Found as party.", []string{"second@x"}},
		{"by action", "q=act-9", "Found as action.", []string{"second@x"}},
		{"by access point", "q=ap9.example", "Found as access point.", []string{"second@x"}},
		{"with white space around", "q=+first@x+", "Found as message ID.", []string{"first@x"}},
		{"nothing like it", "q=nothing", "No message matches.", nil},
		{"by direction", "direction=in", "", []string{"second@x"}},
		{"by state", "group=open", "", []string{"late@x", "second@x", "first@x"}},
		{"by a state that none has", "group=failed", "No message matches.", nil},
		{"by domain", "domain=justice", "", []string{"second@x"}},
		{"by party of a partner", "partner=POP9", "", []string{"second@x"}},
		{"by day", "since=2026-05-04&until=2026-05-04", "", []string{"second@x", "first@x"}},
		{"from a day", "since=2026-05-05", "", []string{"late@x"}},
		{"test messages alone", "test=yes", "", []string{"second@x"}},
		{"without them", "test=no", "", []string{"late@x", "first@x"}},
		{"text and filter together", "q=conversation@x&since=2026-05-05", "Found as conversation.", []string{"late@x"}},
		{"a day that is none", "since=yesterday", "Write days as", nil},
		{"a direction that is none", "direction=up", "There is no such direction.", nil},
		{"a state that is none", "group=up", "There is no such state.", nil},
		{"a choice that is none", "test=maybe", "choose one of the values", nil},
		{"a page that is none", "before=x", "", []string{"late@x", "second@x", "first@x"}},
	} {
		p := b.get("/console/messages?" + c.query)
		p.says(t, c.name, http.StatusOK, c.says)
		var got []string
		for _, m := range regexp.MustCompile(`<td class="wide small id">([^<]*)</td>`).FindAllStringSubmatch(p.body, -1) {
			got = append(got, m[1])
		}
		if fmt.Sprint(got) != fmt.Sprint(c.rows) {
			t.Errorf("%s: %v, want %v", c.name, got, c.rows)
		}
	}
	if p := b.get(fmt.Sprintf("/console/messages?q=%d", first.ID)); p.path != fmt.Sprintf("/console/messages/%d", first.ID) {
		t.Errorf("by number: %s", p.path)
	}
	for _, path := range []string{"/console/messages/999", "/console/messages/x", "/console/messages/-1", "/console/partners/nobody", "/console/agreements/in/none", "/console/agreements/up/pm", "/console/static/../console.go"} {
		if p := b.get(path); p.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, p.status)
		}
	}
}

func TestAllPagesOfAListTogetherAreTheList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 2*pageSize + 7
	w.write(t, func(tx store.Tx) error {
		for i := range n {
			if err := tx.Insert(outgoing(fmt.Sprint(i, "@x"))); err != nil {
				return err
			}
		}
		return nil
	})
	b := w.as(t, Viewer)
	next := regexp.MustCompile(`rel="next" href="([^"]*)"`)
	seen := map[string]bool{}
	path := "/console/messages?direction=out"
	for page := 1; ; page++ {
		p := b.get(path)
		for _, m := range regexp.MustCompile(`href="/console/messages/(\d+)"`).FindAllStringSubmatch(p.body, -1) {
			if seen[m[1]] {
				t.Errorf("%s stands on two pages", m[1])
			}
			seen[m[1]] = true
		}
		if (page > 1) != strings.Contains(p.body, ">Newest<") {
			t.Errorf("page %d: the way to the first", page)
		}
		m := next.FindStringSubmatch(p.body)
		if m == nil {
			if page != 3 {
				t.Errorf("%d pages", page)
			}
			break
		}
		path = strings.ReplaceAll(m[1], "&amp;", "&")
		if !strings.Contains(path, "direction=out") {
			t.Fatalf("the filter is lost: %s", path)
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d", len(seen), n)
	}
}

func TestQueuesTellWhatWaitsForWhom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 3 {
		m := outgoing(fmt.Sprint(i, "@x"))
		if i == 2 {
			m.Peer, m.NextAttempt = "later.example", start.Add(time.Hour)
		}
		w.message(t, m)
	}
	if _, err := w.store.Claim(ctx, store.ClaimRequest{Direction: store.Out, Owner: "w", Lease: time.Hour, Limit: 1}); err != nil {
		t.Fatal(err)
	}
	w.clock.Add(5 * time.Minute)
	b := w.as(t, Viewer)
	p := b.get("/console/queues")
	p.says(t, "queues", http.StatusOK, "ap.example", "later.example", "2026-05-04 10:30:00", "5 minutes", "Now", "Nothing waits.")
	for i := range pageSize + 1 {
		m := outgoing(fmt.Sprint("p", i, "@x"))
		m.Peer = fmt.Sprintf("peer%03d.example", i)
		w.message(t, m)
	}
	p = b.get("/console/queues")
	p.says(t, "first page", http.StatusOK, "peer000.example", "/console/queues?direction=out&amp;after=peer")
	b.get("/console/queues?direction=out&after=peer049.example").says(t, "last page", http.StatusOK, "peer050.example")
}

func TestChartsAddUp(t *testing.T) {
	t.Parallel()
	now := start.Add(20 * time.Minute)
	hour := start.Truncate(time.Hour)
	hours := []store.Hour{
		{Start: hour.Add(-24 * time.Hour), Direction: store.Out, N: 99}, // too old
		{Start: hour.Add(-23 * time.Hour), Direction: store.Out, N: 3},
		{Start: hour, Direction: store.Out, N: 40}, {Start: hour, Direction: store.Out, State: store.Failed, N: 2}, {Start: hour, Direction: store.Out, State: store.Rejected, N: 1},
		{Start: hour, Direction: store.Out, State: store.Acknowledged, N: 38},
		{Start: hour, Direction: store.In, N: 7},
		{Start: hour.Add(time.Hour), Direction: store.In, N: 99}, // not yet
	}
	c := drawn(hours, spans[0], now)
	out, in := c[0], c[1]
	if out.Sum != 43 || out.SumTop != 3 || in.Sum != 7 || in.SumTop != 0 || out.Most != 50 || in.Most != 10 {
		t.Errorf("%+v %+v", out, in)
	}
	if first, last := out.Bars[0], out.Bars[23]; first.N != 3 || last.N != 40 || last.Top != 3 || last.Y+last.H != chartHeight || last.TopY+last.TH != last.Y || last.TopY < 0 || first.H == 0 {
		t.Errorf("%+v %+v", first, last)
	}
	month := drawn(hours, spans[1], now)[0]
	if len(month.Bars) != 30 || month.Sum != 142 || !month.Bars[29].Start.Equal(start.Truncate(24*time.Hour)) {
		t.Errorf("%+v", month)
	}
	for n, want := range map[int64]int64{0: 1, 1: 1, 2: 2, 3: 5, 6: 10, 11: 20, 999: 1000, 1001: 2000} {
		if got := round(n); got != want {
			t.Errorf("%d: %d", n, got)
		}
	}
}

func TestNamesAreShortened(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"busdox-docid-qns::urn:oasis:names:specification:ubl:schema:xsd:Invoice-2::Invoice##urn:cen.eu:en16931:2017::2.1": "Invoice",
		"http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/test":                                              "test",
		"TC1Leg1": "TC1Leg1", "": "", "a/": "a/", "urn:x:Form_A": "Form_A",
	} {
		if got := shortAction(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := shorten("äöüäöüäöüäöü", 7); got != "äöüä…öü" {
		t.Error(got)
	}
	if got := partyValue("iso6523-actorid-upis::9915:a"); got != "9915:a" {
		t.Error(got)
	}
}
