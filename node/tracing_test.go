package node_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/trace"
)

// recorded is a span as a collector sees it.
type recorded struct {
	Node         string
	TraceID      string `json:"traceId"`
	SpanID       string `json:"spanId"`
	ParentSpanID string `json:"parentSpanId"`
	Name         string `json:"name"`
	Kind         int    `json:"kind"`
	Start        string `json:"startTimeUnixNano"`
	End          string `json:"endTimeUnixNano"`
	Attributes   []struct {
		Key   string
		Value map[string]string
	}
	Links  []struct{ TraceID, SpanID string }
	Status *struct {
		Code    int
		Message string
	}
}

type collector struct {
	*httptest.Server
	mu     sync.Mutex
	spans  []recorded
	bodies []string
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var doc struct {
			ResourceSpans []struct {
				Resource struct {
					Attributes []struct {
						Key   string
						Value map[string]string
					}
				}
				ScopeSpans []struct{ Spans []recorded }
			}
		}
		if err := json.Unmarshal(body, &doc); err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bodies = append(c.bodies, string(body))
		for _, rs := range doc.ResourceSpans {
			for _, a := range rs.Resource.Attributes {
				if a.Key == "service.instance.id" {
					for _, s := range rs.ScopeSpans[0].Spans {
						s.Node = a.Value["stringValue"]
						c.spans = append(c.spans, s)
					}
				}
			}
		}
		io.WriteString(w, "{}")
	}))
	t.Cleanup(c.Close)
	return c
}

// of returns the spans of a trace as "node name", sorted.
func (c *collector) of(traceID string) (names []string, spans map[string]recorded) {
	c.mu.Lock()
	defer c.mu.Unlock()
	spans = map[string]recorded{}
	for _, s := range c.spans {
		if s.TraceID == traceID {
			names = append(names, s.Node+" "+s.Name)
			spans[s.Node+" "+s.Name] = s
		}
	}
	slices.Sort(names)
	return names, spans
}

// TestOneMessageIsOneTraceAcrossNodes: from the call that hands it over to its delivery at the other end.
func TestOneMessageIsOneTraceAcrossNodes(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	a, b := agree(t)
	on := func(conf *config.Config) { conf.Telemetry = config.Telemetry{Traces: config.URL(c.URL), Sample: 1} }
	ee, pt := begin(t, a, on, nil), begin(t, b, on, nil)
	req, err := http.NewRequest("POST", "http://"+ee.Addr("api")+"/api/v1/messages?pmode=letters&sender=urn:x::alice&receiver=urn:x::bob", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	const caller = "0af7651916cd43dd8448eb211c80319c"
	req.Header.Set("Authorization", "Bearer "+a.Token)
	req.Header.Set("Content-Type", "text/plain")
	req.Header.Set("traceparent", "00-"+caller+"-b7ad6b7169203331-01")
	resp, body := do(t, req)
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	id := decode[struct{ MessageID string }](t, body).MessageID
	ee.until(t, store.Out, id, store.Acknowledged)
	pt.until(t, store.In, id, store.Delivered)
	for _, g := range []*gateway{ee, pt} {
		if err := g.Stop(context.Background()); err != nil { // what waits is sent
			t.Fatal(err)
		}
	}
	of := trace.OfMessage(id)
	names, spans := c.of(hex.EncodeToString(of.Trace[:]))
	want := []string{"ee attempt", "ee send", "ee sign and encrypt", "ee store", "ee submit", "ee verify", "pt check", "pt deliver", "pt receive", "pt store", "pt verify"}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	calls, called := c.of(caller)
	if !slices.Equal(calls, []string{"ee POST /api/v1/messages"}) {
		t.Errorf("in the caller's trace are %q", calls)
	}
	submit := spans["ee submit"]
	for _, k := range []struct{ what, got, want string }{
		{"the call is below the caller's span", called["ee POST /api/v1/messages"].ParentSpanID, "b7ad6b7169203331"},
		{"the first span is the message's", submit.SpanID, hex.EncodeToString(of.Span[:])},
		{"the attempt is below it", spans["ee attempt"].ParentSpanID, submit.SpanID},
		{"so is what the other node does", spans["pt receive"].ParentSpanID, submit.SpanID},
		{"sending is part of the attempt", spans["ee send"].ParentSpanID, spans["ee attempt"].SpanID},
		{"verifying is part of receiving", spans["pt verify"].ParentSpanID, spans["pt receive"].SpanID},
	} {
		if k.got != k.want {
			t.Errorf("%s: got %q, want %q", k.what, k.got, k.want)
		}
	}
	if len(submit.Links) != 1 || submit.Links[0].TraceID != caller {
		t.Errorf("links %+v", submit.Links)
	}
	for _, s := range spans {
		if len(s.Start) != len(s.End) || s.Start > s.End || s.Status != nil {
			t.Errorf("%s: from %s to %s, %+v", s.Name, s.Start, s.End, s.Status)
		}
	}
	for _, body := range c.bodies {
		for _, person := range []string{"alice", "bob", "hello"} {
			if strings.Contains(body, person) {
				t.Errorf("the collector is told %q", person)
			}
		}
	}
}

// TestAFetchedMessageIsOneTrace: who offers it and who fetches it write the same trace.
func TestAFetchedMessageIsOneTrace(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	a, b := agreePull(t)
	on := func(conf *config.Config) {
		conf.Telemetry = config.Telemetry{Traces: config.URL(c.URL), Sample: 1}
		conf.Outbound.FirstRetry = config.Duration(patience)
	}
	ee := begin(t, a, on, nil)
	id := ee.send(t, letter(text("a.txt", "hello"))).MessageID
	pt := begin(t, b, on, nil)
	ee.until(t, store.Out, id, store.Acknowledged)
	pt.until(t, store.In, id, store.Delivered)
	for _, g := range []*gateway{ee, pt} {
		if err := g.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	of := trace.OfMessage(id)
	names, spans := c.of(hex.EncodeToString(of.Trace[:]))
	want := []string{"ee offer", "ee store", "ee submit", "pt check", "pt deliver", "pt receive", "pt store", "pt verify"}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	offer := spans["ee offer"]
	if offer.ParentSpanID != spans["ee submit"].SpanID || offer.Status != nil || offer.Start > offer.End {
		t.Errorf("%+v", offer)
	}
	said := map[string]string{}
	for _, k := range offer.Attributes {
		said[k.Key] = k.Value["stringValue"] + k.Value["intValue"]
	}
	if said["viadukt.attempt"] != "1" || said["viadukt.mpc"] != "urn:test:letters" || said["viadukt.message.id"] != id {
		t.Errorf("it says %v", said)
	}
}

// TestFailedStepsSayWhy: the attempt that found nobody, and the message that was refused.
func TestFailedStepsSayWhy(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	a, _ := agree(t)
	ee := begin(t, a, func(conf *config.Config) {
		conf.Telemetry = config.Telemetry{Traces: config.URL(c.URL), Sample: 1}
		conf.Outbound.MaxAttempts = 1
	}, nil)
	m := ee.send(t, letter(text("a.txt", "hello")))
	ee.until(t, store.Out, m.MessageID, store.Failed)
	if err := ee.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	of := trace.OfMessage(m.MessageID)
	_, spans := c.of(hex.EncodeToString(of.Trace[:]))
	if s := spans["ee attempt"].Status; s == nil || s.Code != 2 || s.Message != "EBMS:0005" {
		t.Errorf("the attempt: %+v", s)
	}
	if s := spans["ee send"].Status; s == nil || s.Message != "no answer" {
		t.Errorf("sending: %+v", s)
	}
}
