package node

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/trace"
)

// loadTracer makes the tracer of the configuration, nil where there is none.
func (n *Node) loadTracer(c *config.Config) (*trace.Tracer, error) {
	t := c.Telemetry
	if t.Traces == "" {
		return nil, nil
	}
	authorization, err := t.Authorization.Read()
	if err != nil {
		return nil, c.Problem("telemetry.authorization", "%v", err)
	}
	tr := trace.New(trace.Options{
		Endpoint: string(t.Traces), Authorization: authorization, Node: c.Node.Name, Version: Version, Sample: t.Sample, Clock: n.Clock, Rand: n.Rand,
		Failed: func(spans int, err error) {
			n.Log.Warn("traces not sent", slog.Int("spans", spans), slog.Any("err", err))
		},
	})
	for i, name := range []string{"sent", "dropped", "refused"} {
		n.metrics.set.NewGauge(`viadukt_trace_spans_total{result="`+name+`"}`, func() float64 {
			sent, dropped, refused := tr.Counts()
			return float64([]int64{sent, dropped, refused}[i])
		})
	}
	return tr, nil
}

// codeOf is why something went wrong, in a word that tells no more than the partner hears.
func codeOf(err error) string {
	var e *ebms.Error
	var r *RefusedError
	switch {
	case errors.As(err, &e):
		return string(e.Code)
	case errors.As(err, &r):
		return r.Code
	}
	return "error"
}

// done ends a span with what came of it.
func done(s *trace.Span, err error) {
	if s == nil {
		return
	}
	if err != nil {
		s.Fail(codeOf(err))
	}
	s.End()
}

// describeSpan says which message a span is about: no person.
func describeSpan(s *trace.Span, m *store.Message) *trace.Span {
	if s == nil {
		return nil
	}
	return s.Text("viadukt.message.id", m.MessageID).Text("viadukt.pmode", m.PMode).Text("viadukt.from", m.From).Text("viadukt.to", m.To).
		Text("viadukt.service", m.Service).Text("viadukt.action", m.Action)
}

// stages are the parts of one exchange with a partner, told apart by when the request leaves and the answer comes.
type stages struct {
	ctx context.Context
	t   *trace.Tracer
	at  time.Time // when the last part ended
	n   int       // requests
}

type stagesKey struct{}

// exchange sends, in steps that are recorded: signed and encrypted, sent, and the answer verified.
func (n *Node) exchange(ctx context.Context, out *as4.Outgoing) *as4.Outcome {
	if n.trace == nil {
		return n.sender.Send(ctx, out)
	}
	st := &stages{ctx: ctx, t: n.trace, at: n.Clock()}
	o := n.sender.Send(context.WithValue(ctx, stagesKey{}, st), out)
	name := "verify"
	if st.n == 0 { // nothing left
		name = "sign and encrypt"
	}
	_, s := n.trace.Start(ctx, name, trace.Internal)
	done(s.Since(st.at), o.Err)
	return o
}

// tracedTransport records requests of exchanges.
type tracedTransport struct {
	http.RoundTripper
	clock func() time.Time
}

func (t tracedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	st, ok := r.Context().Value(stagesKey{}).(*stages)
	if !ok {
		return t.RoundTripper.RoundTrip(r)
	}
	_, s := st.t.Start(st.ctx, "sign and encrypt", trace.Internal)
	s.Since(st.at).End()
	st.n++
	_, s = st.t.Start(st.ctx, "send", trace.Client)
	s.Text("server.address", r.URL.Hostname()).Number("http.request.body.size", r.ContentLength)
	resp, err := t.RoundTripper.RoundTrip(r)
	if err == nil {
		s.Number("http.response.status_code", int64(resp.StatusCode))
	} else {
		s.Fail("no answer")
	}
	s.End()
	st.at = t.clock()
	return resp, err
}

// tracedClient is a client whose exchanges are recorded.
func (n *Node) tracedClient(c *http.Client) *http.Client {
	if n.trace == nil {
		return c
	}
	own := *c
	if own.Transport == nil {
		own.Transport = http.DefaultTransport
	}
	own.Transport = tracedTransport{own.Transport, n.Clock}
	return &own
}

// arrival is a message that is being received: what it is about is known some time after it began.
type arrival struct {
	n     *Node
	start time.Time
	ctx   context.Context
	whole *trace.Span
	part  *trace.Span
}

type arrivalKey struct{}

// tracedArrivals records what comes in.
func (n *Node) tracedArrivals(next http.Handler) http.Handler {
	if n.trace == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, end := n.arriving(r.Context())
		next.ServeHTTP(w, r.WithContext(ctx))
		end()
	})
}

// arriving records a message that comes in with this context, pushed or fetched, until the end.
func (n *Node) arriving(ctx context.Context) (_ context.Context, end func()) {
	if n.trace == nil {
		return ctx, func() {}
	}
	a := &arrival{n: n, start: n.Clock()}
	return context.WithValue(ctx, arrivalKey{}, a), func() {
		a.step("")
		a.whole.End()
	}
}

func arrivalOf(ctx context.Context) *arrival {
	a, _ := ctx.Value(arrivalKey{}).(*arrival)
	return a
}

// begin is called once the header is read.
func (a *arrival) begin(ctx context.Context, um *ebms.UserMessage, pm *as4.PMode) {
	if a == nil {
		return
	}
	a.ctx, a.whole = a.n.trace.Message(ctx, "receive", trace.Consumer, um.MessageID)
	a.whole.Since(a.start).Text("viadukt.message.id", um.MessageID).Text("viadukt.pmode", pm.ID).Text("viadukt.from", um.From.ID().Value).Text("viadukt.to", um.To.ID().Value).
		Text("viadukt.service", um.Service.Value).Text("viadukt.action", um.Action)
	a.step("verify")
}

// step ends the part that is under way and begins another, or none.
func (a *arrival) step(name string) {
	if a == nil || a.ctx == nil {
		return
	}
	a.part.End()
	a.part = nil
	if name != "" {
		_, a.part = a.n.trace.Start(a.ctx, name, trace.Internal)
	}
}

// refused marks what went wrong.
func (a *arrival) refused(err error) {
	if a == nil || a.ctx == nil {
		return
	}
	a.part.Fail(codeOf(err))
	a.whole.Fail(codeOf(err))
}

// tracedCalls records calls of the interfaces, in the trace of who calls.
func (n *Node) tracedCalls(next http.Handler) http.Handler {
	if n.trace == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/api/") && !strings.HasPrefix(r.URL.Path, "/domibus/") || r.URL.Path == "/api/v1/events" {
			next.ServeHTTP(w, r)
			return
		}
		ctx, s := n.trace.Start(trace.Extract(r.Context(), r.Header), "call", trace.Server)
		rec := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		r = r.WithContext(ctx)
		next.ServeHTTP(rec, r)
		if r.Pattern != "" { // the pattern, not the path: that may name anything
			s.Rename(r.Pattern)
		}
		s.Text("http.request.method", r.Method).Number("http.response.status_code", int64(rec.status))
		if rec.status >= 500 {
			s.Fail(http.StatusText(rec.status))
		}
		s.End()
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (w *statusWriter) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets handlers reach what the connection can do.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
