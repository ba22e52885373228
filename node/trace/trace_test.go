package trace

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"
)

// collector is a stub that keeps what it is sent.
type collector struct {
	*httptest.Server
	mu      sync.Mutex
	bodies  [][]byte
	answers []func(http.ResponseWriter) // the first is used up with each request
}

func newCollector(t *testing.T, answers ...func(http.ResponseWriter)) *collector {
	t.Helper()
	c := &collector{answers: answers}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		if r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		c.bodies = append(c.bodies, body)
		if len(c.answers) > 0 {
			c.answers[0](w)
			c.answers = c.answers[1:]
			return
		}
		io.WriteString(w, "{}")
	}))
	t.Cleanup(c.Close)
	return c
}

var start = time.Unix(1_800_000_000, 5)

func (c *collector) tracer(change func(*Options)) *Tracer {
	now := start
	var mu sync.Mutex
	o := Options{Endpoint: c.URL, Authorization: "Bearer secret", Node: "ee", Version: "1", Sample: 1, Rand: rand.Reader, Clock: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Millisecond)
		return now
	}}
	if change != nil {
		change(&o)
	}
	return New(o)
}

var (
	traceForm = regexp.MustCompile(`^[0-9a-f]{32}$`)
	spanForm  = regexp.MustCompile(`^[0-9a-f]{16}$`)
	intForm   = regexp.MustCompile(`^[0-9]+$`)
)

// TestSpansAreSentAsOTLP holds each field to the protocol, read from untyped JSON.
func TestSpansAreSentAsOTLP(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	tr := c.tracer(nil)
	ctx := Extract(context.Background(), http.Header{Header: {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}})
	ctx, call := tr.Start(ctx, "POST /api/v1/messages", Server)
	mctx, submit := tr.First(ctx, "submit", "m1@ee")
	_, store := tr.Start(mctx, "store", Internal)
	store.End()
	submit.Text("viadukt.pmode", "letters").Number("viadukt.bytes", 1<<40).Text("empty", "").End()
	call.End()
	_, send := tr.Message(context.Background(), "send", Client, "m1@ee")
	send.Fail("EBMS:0005").End()
	tr.Flush(context.Background())

	var doc struct {
		ResourceSpans []struct {
			Resource   struct{ Attributes []map[string]any }
			ScopeSpans []struct {
				Scope map[string]string
				Spans []map[string]any
			}
		}
	}
	d := json.NewDecoder(bytes.NewReader(c.bodies[0]))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if a := doc.ResourceSpans[0].Resource.Attributes[0]; a["key"] != "service.name" || a["value"].(map[string]any)["stringValue"] != "viadukt" {
		t.Errorf("resource %v", a)
	}
	spans := map[string]map[string]any{}
	for _, s := range doc.ResourceSpans[0].ScopeSpans[0].Spans {
		for _, f := range []struct {
			key  string
			form *regexp.Regexp
		}{{"traceId", traceForm}, {"spanId", spanForm}, {"startTimeUnixNano", intForm}, {"endTimeUnixNano", intForm}} {
			if v, _ := s[f.key].(string); !f.form.MatchString(v) {
				t.Errorf("%s of %v: %v", f.key, s["name"], s[f.key])
			}
		}
		from, _ := strconv.ParseInt(s["startTimeUnixNano"].(string), 10, 64)
		to, _ := strconv.ParseInt(s["endTimeUnixNano"].(string), 10, 64)
		if from < start.UnixNano() || to <= from {
			t.Errorf("%v is from %d to %d", s["name"], from, to)
		}
		spans[s["name"].(string)] = s
	}
	if len(spans) != 4 {
		t.Fatalf("%v", spans)
	}
	first := OfMessage("m1@ee")
	inCall, first0, stored, sent := spans["POST /api/v1/messages"], spans["submit"], spans["store"], spans["send"]
	for _, k := range []struct {
		what      string
		got, want any
	}{
		{"the call is in the caller's trace", inCall["traceId"], "0af7651916cd43dd8448eb211c80319c"},
		{"below the caller's span", inCall["parentSpanId"], "b7ad6b7169203331"},
		{"as a server", inCall["kind"], float64(Server)},
		{"the message has a trace of its own", first0["traceId"], hex.EncodeToString(first.Trace[:])},
		{"its first span is known by its id", first0["spanId"], hex.EncodeToString(first.Span[:])},
		{"and has no parent", first0["parentSpanId"], nil},
		{"it is linked with the call", first0["links"].([]any)[0].(map[string]any)["spanId"], inCall["spanId"]},
		{"the store is below", stored["parentSpanId"], first0["spanId"]},
		{"a later attempt is in the same trace", sent["traceId"], first0["traceId"]},
		{"below the same span", sent["parentSpanId"], first0["spanId"]},
		{"it failed", sent["status"].(map[string]any)["code"], float64(2)},
		{"for a reason", sent["status"].(map[string]any)["message"], "EBMS:0005"},
		{"attributes", len(first0["attributes"].([]any)), 2},
		{"a number is a text", first0["attributes"].([]any)[1].(map[string]any)["value"].(map[string]any)["intValue"], "1099511627776"},
	} {
		if k.got != k.want {
			t.Errorf("%s: got %v, want %v", k.what, k.got, k.want)
		}
	}
	if sent, dropped, refused := tr.Counts(); sent != 4 || dropped != 0 || refused != 0 {
		t.Errorf("counted %d, %d, %d", sent, dropped, refused)
	}
}

func TestPlacesOfCallers(t *testing.T) {
	t.Parallel()
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, k := range []struct {
		name, header string
		want         bool
	}{
		{"good", good, true},
		{"not sampled", good[:53] + "00", true},
		{"a later version with more", "01" + good[2:] + "-more", true},
		{"version ff", "ff" + good[2:], false},
		{"this version with more", good + "-more", false},
		{"capital letters", "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
		{"no trace", "00-00000000000000000000000000000000-b7ad6b7169203331-01", false},
		{"no span", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false},
		{"short", good[:54], false},
		{"no hexadecimal", "00-0af7651916cd43dd8448eb211c80319x-b7ad6b7169203331-01", false},
		{"nothing", "", false},
	} {
		id := From(Extract(context.Background(), http.Header{Header: {k.header}}))
		if got := !id.IsZero(); got != k.want {
			t.Errorf("%s: %t", k.name, got)
		}
	}
	h := http.Header{}
	Inject(Extract(context.Background(), http.Header{Header: {good}}), h)
	if h.Get(Header) != good {
		t.Errorf("passed on as %q", h.Get(Header))
	}
	Inject(context.Background(), h)
	h = http.Header{}
	if Inject(context.Background(), h); len(h) != 0 {
		t.Errorf("out of nothing: %v", h)
	}
}

func TestWhatTheCallerDoesNotRecordIsNotRecorded(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	tr := c.tracer(nil)
	ctx := Extract(context.Background(), http.Header{Header: {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}})
	if _, s := tr.Start(ctx, "call", Server); s != nil {
		t.Error("a span was made")
	}
	none := c.tracer(func(o *Options) { o.Sample = 0 })
	if _, s := none.First(context.Background(), "submit", "m"); s != nil {
		t.Error("a span was made of no share")
	}
	half := c.tracer(func(o *Options) { o.Sample = 0.5 })
	n := 0
	for i := range 1000 {
		_, s := half.First(context.Background(), "submit", strconv.Itoa(i))
		_, again := half.Message(context.Background(), "send", Client, strconv.Itoa(i))
		if (s == nil) != (again == nil) {
			t.Error("a message is recorded in part")
		}
		if s != nil {
			n++
		}
	}
	if n < 400 || n > 600 {
		t.Errorf("%d of 1,000", n)
	}
}

func TestMoreThanThereIsRoomForIsDroppedAndCounted(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	tr := c.tracer(func(o *Options) { o.Queue = 10 })
	for range 25 {
		_, s := tr.Start(context.Background(), "step", Internal)
		s.End()
	}
	tr.Flush(context.Background())
	if sent, dropped, _ := tr.Counts(); sent != 10 || dropped != 15 {
		t.Errorf("sent %d, dropped %d", sent, dropped)
	}
}

func TestCollectorsThatDoNotTakeEverything(t *testing.T) {
	t.Parallel()
	status := func(code int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(code) }
	}
	for _, k := range []struct {
		name                   string
		answers                []func(http.ResponseWriter)
		sent, dropped, refused int64
		requests               int
	}{
		{"busy once", []func(http.ResponseWriter){status(503)}, 1, 0, 0, 2},
		{"refuses", []func(http.ResponseWriter){status(400)}, 0, 1, 0, 1},
		{"takes a part", []func(http.ResponseWriter){func(w http.ResponseWriter) {
			io.WriteString(w, `{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}`)
		}}, 0, 0, 1, 1},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			c := newCollector(t, k.answers...)
			var lost error
			tr := c.tracer(func(o *Options) { o.Failed = func(_ int, err error) { lost = err } })
			tr.pause = 0
			_, s := tr.Start(context.Background(), "step", Internal)
			s.End()
			tr.Flush(context.Background())
			if sent, dropped, refused := tr.Counts(); sent != k.sent || dropped != k.dropped || refused != k.refused || len(c.bodies) != k.requests || (lost != nil) != (k.dropped > 0) {
				t.Errorf("sent %d, dropped %d, refused %d in %d requests, told %v", sent, dropped, refused, len(c.bodies), lost)
			}
		})
	}
}

func TestTheLastSpansLeaveAtTheEnd(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	tr := c.tracer(func(o *Options) { o.Every = time.Hour })
	_, s := tr.Start(context.Background(), "step", Internal)
	s.End()
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("the node stops"))
	tr.Run(ctx)
	if sent, _, _ := tr.Counts(); sent != 1 {
		t.Errorf("%d were sent", sent)
	}
}

// steps is what a node does with a message.
func steps(tr *Tracer, ctx context.Context) {
	ctx, s := tr.First(ctx, "submit", "m1@ee")
	_, in := tr.Start(ctx, "store", Internal)
	in.End()
	s.Text("viadukt.pmode", "letters").Number("viadukt.bytes", 12)
	s.End()
	_, s = tr.Message(ctx, "send", Client, "m1@ee")
	s.Fail("EBMS:0005").End()
}

func TestOffCostsNothing(t *testing.T) {
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() { steps(nil, ctx) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkSteps/off is what a node without telemetry pays.
func BenchmarkSteps(b *testing.B) {
	on := New(Options{Endpoint: "http://127.0.0.1:0", Sample: 1, Rand: rand.Reader, Clock: time.Now})
	for name, tr := range map[string]*Tracer{"off": nil, "on": on} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := context.Background()
			for b.Loop() {
				steps(tr, ctx)
			}
		})
	}
}

func FuzzExtract(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add("cc-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like")
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := parse(s)
		if !ok {
			return
		}
		h := http.Header{}
		Inject(context.WithValue(context.Background(), placeKey{}, p), h)
		if again, ok := parse(h.Get(Header)); !ok || again != p {
			t.Errorf("%q is passed on as %q", s, h.Get(Header))
		}
	})
}
