package trace

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The request of OTLP in its JSON form: ids in hexadecimal, 64 bit numbers as texts, enumerations as numbers
// [OTLP].
type (
	request struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resource     `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	resource struct {
		Attributes []keyValue `json:"attributes"`
	}
	scopeSpans struct {
		Scope scope      `json:"scope"`
		Spans []spanJSON `json:"spans"`
	}
	scope struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	spanJSON struct {
		TraceID    string     `json:"traceId"`
		SpanID     string     `json:"spanId"`
		Parent     string     `json:"parentSpanId,omitempty"`
		Name       string     `json:"name"`
		Kind       Kind       `json:"kind"`
		Start      string     `json:"startTimeUnixNano"`
		End        string     `json:"endTimeUnixNano"`
		Attributes []keyValue `json:"attributes,omitempty"`
		Links      []linkJSON `json:"links,omitempty"`
		Status     *status    `json:"status,omitempty"`
	}
	linkJSON struct {
		TraceID string `json:"traceId"`
		SpanID  string `json:"spanId"`
	}
	status struct {
		Message string `json:"message,omitempty"`
		Code    int    `json:"code"` // 2: error
	}
	keyValue struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	value struct {
		Text   *string `json:"stringValue,omitempty"`
		Number *string `json:"intValue,omitempty"`
	}
)

func text(key, v string) keyValue { return keyValue{key, value{Text: &v}} }

func (t *Tracer) encode(spans []*Span) ([]byte, error) {
	r := request{[]resourceSpans{{
		Resource:   resource{[]keyValue{text("service.name", "viadukt"), text("service.version", t.opt.Version), text("service.instance.id", t.opt.Node)}},
		ScopeSpans: []scopeSpans{{Scope: scope{"viadukt", t.opt.Version}, Spans: make([]spanJSON, 0, len(spans))}},
	}}}
	out := &r.ResourceSpans[0].ScopeSpans[0].Spans
	for _, s := range spans {
		j := spanJSON{
			TraceID: hex.EncodeToString(s.id.Trace[:]), SpanID: hex.EncodeToString(s.id.Span[:]), Name: s.name, Kind: s.kind,
			Start: strconv.FormatInt(s.start.UnixNano(), 10), End: strconv.FormatInt(s.end.UnixNano(), 10),
		}
		if s.parent != [8]byte{} {
			j.Parent = hex.EncodeToString(s.parent[:])
		}
		for _, a := range s.attrs {
			if a.num {
				n := strconv.FormatInt(a.n, 10)
				j.Attributes = append(j.Attributes, keyValue{a.key, value{Number: &n}})
			} else {
				j.Attributes = append(j.Attributes, text(a.key, strings.ToValidUTF8(a.text, "?")))
			}
		}
		if !s.link.IsZero() {
			j.Links = []linkJSON{{hex.EncodeToString(s.link.Trace[:]), hex.EncodeToString(s.link.Span[:])}}
		}
		if s.failed {
			j.Status = &status{s.why, 2}
		}
		*out = append(*out, j)
	}
	return json.Marshal(r)
}

// Run sends what waits until ctx is done, and a last time then.
func (t *Tracer) Run(ctx context.Context) {
	tick := time.NewTicker(t.opt.Every)
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-ctx.Done():
			done = true
		case <-tick.C:
		case <-t.full:
		}
		call, cancel := ctx, context.CancelFunc(func() {})
		if done {
			call, cancel = context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		}
		t.Flush(call)
		cancel()
	}
}

// Flush sends what waits now.
func (t *Tracer) Flush(ctx context.Context) {
	for {
		var spans []*Span
		for more := true; more && len(spans) < batch; {
			select {
			case s := <-t.queue:
				spans = append(spans, s)
			default:
				more = false
			}
		}
		if len(spans) == 0 {
			return
		}
		refused, err := t.send(ctx, spans)
		lost := 0
		switch {
		case err != nil:
			lost = len(spans)
			t.dropped.Add(int64(lost))
		default:
			t.refused.Add(refused)
			t.sent.Add(int64(len(spans)) - refused)
		}
		if err != nil {
			t.opt.Failed(lost, err)
			if ctx.Err() != nil {
				return
			}
		}
	}
}

// attempts for one batch: meanwhile spans wait in the queue, as long as there is room.
const attempts = 3

func (t *Tracer) send(ctx context.Context, spans []*Span) (refused int64, err error) {
	body, err := t.encode(spans)
	if err != nil {
		return 0, err
	}
	for i := range attempts {
		var again bool
		if refused, again, err = t.post(ctx, body); err == nil || !again || i == attempts-1 {
			return refused, err
		}
		pause := time.NewTimer(t.pause << i)
		select {
		case <-ctx.Done():
			pause.Stop()
			return 0, ctx.Err()
		case <-pause.C:
		}
	}
	return refused, err
}

// post makes one request. again says whether another may help [OTLP].
func (t *Tracer) post(ctx context.Context, body []byte) (refused int64, again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(t.opt.Endpoint, "/")+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		return 0, false, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Viadukt/"+t.opt.Version)
	if t.opt.Authorization != "" {
		req.Header.Set("Authorization", t.opt.Authorization)
	}
	resp, err := t.opt.Client.Do(req)
	if err != nil {
		return 0, true, fmt.Errorf("trace: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return 0, true, fmt.Errorf("trace: %w", err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return 0, true, fmt.Errorf("trace: the collector answered %s", resp.Status)
	default:
		return 0, false, fmt.Errorf("trace: the collector answered %s", resp.Status)
	}
	var a struct {
		Partial struct {
			Rejected json.Number `json:"rejectedSpans"`
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(answer, &a) == nil && a.Partial.Rejected != "" {
		if n, err := a.Partial.Rejected.Int64(); err == nil && n > 0 {
			refused = min(n, int64(len(body)))
		}
	}
	return refused, false, nil
}
