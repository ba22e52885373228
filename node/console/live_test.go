package console

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// watch opens the event stream and returns its events.
func (b *browser) watch() (events <-chan string, end func()) {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodGet, b.w.server.URL+"/console/live", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		b.t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	c := make(chan string, 100)
	go func() {
		defer close(c)
		s := bufio.NewScanner(resp.Body)
		s.Buffer(nil, 1<<20)
		var data strings.Builder
		for s.Scan() {
			if line, ok := strings.CutPrefix(s.Text(), "data: "); ok {
				data.WriteString(line + "\n")
			} else if s.Text() == "" && data.Len() > 0 {
				c <- data.String()
				data.Reset()
			}
		}
	}()
	return c, func() { resp.Body.Close() }
}

// next waits for an event; "" is the end of the stream.
func next(t *testing.T, events <-chan string) string {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(30 * time.Second):
		t.Fatal("nothing came")
		return ""
	}
}

func TestTheOverviewIsLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as(t, Viewer)
	events, end := b.watch()
	defer end()
	if e := next(t, events); !strings.Contains(e, "There are no messages yet") || strings.Contains(e, "<h1") || strings.Contains(e, "<html") {
		t.Errorf("%s", e)
	}
	m := outgoing("live@x")
	m.Sender = hostile
	w.message(t, m)
	if e := next(t, events); !strings.Contains(e, "live@x") || strings.Contains(e, "<script>") {
		t.Errorf("%s", e)
	}
	w.Close()
	if e := next(t, events); e != "" {
		t.Errorf("goes on after the end: %s", e)
	}
}

func TestTheStreamEndsWithTheSessionAndDoesNotKeepItAlive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as(t, Viewer)
	events, end := b.watch()
	defer end()
	next(t, events)
	w.clock.Add(30 * time.Minute)
	if e := next(t, events); e != "" {
		t.Errorf("goes on: %s", e)
	}
}

func TestTheStreamEndsWhenTheUserIsRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, "root", Administrator)
	b := w.as(t, Viewer)
	events, end := b.watch()
	defer end()
	next(t, events)
	w.write(t, func(tx store.Tx) error { return RemoveUser(tx, "viewer-user") })
	if e := next(t, events); e != "" {
		t.Errorf("goes on: %s", e)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	s := newStreams()
	for i := range streamsPerUser {
		if !s.begin("ada") {
			t.Fatalf("stream %d refused", i)
		}
	}
	if s.begin("ada") {
		t.Error("one user has as many as it likes")
	}
	n := streamsPerUser
	for s.begin(strings.Repeat("x", n)) {
		n++
	}
	if n != streamsMost {
		t.Errorf("%d streams", n)
	}
	s.end("ada")
	if !s.begin("ada") {
		t.Error("an end makes no room")
	}
}
