// Package trace records what a node does to a message as spans, and sends them to a collector by OTLP over HTTP
// [OTLP]. Callers and called ones are joined by the header traceparent [W3C-TC].
//
// Each message has a trace of its own, whose id is made of the eb:MessageId: what the sending and the receiving node do,
// in all attempts and after restarts, is one trace, though neither tells the other. A call of the interface is in the
// trace of who calls, and the message's first span is linked with it.
//
// A nil [Tracer] records nothing and costs nothing: its methods return nil spans, and those of a nil [Span] do nothing.
//
// # Left out on purpose
//
// Persons and documents: attributes are ids of messages, agreements and access points, codes and numbers. The bodies of
// spans never leave the node but to the collector, and a collector that does not keep up costs spans, not messages.
package trace

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a [Tracer].
type Options struct {
	Endpoint      string // of the collector, without /v1/traces
	Authorization string // value of the header, "" for none
	Node          string
	Version       string
	Sample        float64 // share of traces that are recorded, from 0 to 1
	Clock         func() time.Time
	Rand          io.Reader
	Client        *http.Client
	// Queue bounds the spans that wait; more are dropped and counted. 0: 4,096.
	Queue int
	// Every is how often what waits is sent; 0: 5 seconds. Sooner when [batch] wait.
	Every time.Duration
	// Failed is told why spans were lost; nil: nobody.
	Failed func(spans int, err error)
}

// Tracer makes spans. It is safe for concurrent use; nil is off.
type Tracer struct {
	opt   Options
	queue chan *Span
	full  chan struct{} // a token when a batch waits
	limit uint64        // of the low half of trace ids that are recorded

	ids   sync.Mutex
	state [8]byte

	sent, dropped, refused atomic.Int64

	pause time.Duration // before the second attempt; the third waits twice as long
}

const (
	queueSize = 4096
	batch     = 512
)

// New makes a tracer; [Tracer.Run] sends.
func New(opt Options) *Tracer {
	if opt.Queue <= 0 {
		opt.Queue = queueSize
	}
	if opt.Every <= 0 {
		opt.Every = 5 * time.Second
	}
	if opt.Failed == nil {
		opt.Failed = func(int, error) {}
	}
	if opt.Client == nil {
		opt.Client = &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	t := &Tracer{opt: opt, queue: make(chan *Span, opt.Queue), full: make(chan struct{}, 1), pause: time.Second}
	switch {
	case opt.Sample >= 1:
		t.limit = math.MaxUint64
	case opt.Sample > 0:
		t.limit = uint64(opt.Sample * math.MaxUint64)
	}
	return t
}

// Counts are how many spans were sent, dropped for want of room or because the collector did not answer, and refused by
// the collector.
func (t *Tracer) Counts() (sent, dropped, refused int64) {
	if t == nil {
		return 0, 0, 0
	}
	return t.sent.Load(), t.dropped.Load(), t.refused.Load()
}

// ID is the place of a span.
type ID struct {
	Trace [16]byte
	Span  [8]byte
}

// IsZero reports whether there is none.
func (id ID) IsZero() bool { return id.Trace == [16]byte{} }

// Kind says on which side of a call a span stands, with the numbers of OTLP.
type Kind int

// Kinds.
const (
	Internal Kind = 1
	Server   Kind = 2
	Client   Kind = 3
	Producer Kind = 4
	Consumer Kind = 5
)

// Span is one step. Its methods may be called on nil. It is for one goroutine at a time, until End.
type Span struct {
	t      *Tracer
	id     ID
	parent [8]byte
	link   ID
	name   string
	kind   Kind
	start  time.Time
	end    time.Time
	attrs  []attr
	failed bool
	why    string
}

type attr struct {
	key  string
	text string
	n    int64
	num  bool
}

// place is what a context carries: a span of ours, or where a caller's trace stands.
type place struct {
	id      ID
	sampled bool
}

type placeKey struct{}

// From is where a context stands, zero when nowhere.
func From(ctx context.Context) ID {
	p, _ := ctx.Value(placeKey{}).(place)
	return p.id
}

// Start begins a step below that of the context, or a new trace.
func (t *Tracer) Start(ctx context.Context, name string, kind Kind) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	p, _ := ctx.Value(placeKey{}).(place)
	if p.id.IsZero() {
		t.random(p.id.Trace[:])
		p.sampled = t.samples(&p.id)
	}
	if !p.sampled {
		return context.WithValue(ctx, placeKey{}, p), nil
	}
	s := &Span{t: t, name: name, kind: kind, parent: p.id.Span, start: t.opt.Clock()}
	s.id.Trace = p.id.Trace
	t.random(s.id.Span[:])
	return context.WithValue(ctx, placeKey{}, place{s.id, true}), s
}

// OfMessage is the place of a message: of its first span, in its own trace.
func OfMessage(messageID string) (id ID) {
	sum := sha256.Sum256([]byte("viadukt trace " + messageID))
	copy(id.Trace[:], sum[:])
	copy(id.Span[:], sum[16:])
	return id
}

// First begins the first span of a message, linked with what the context stands in.
func (t *Tracer) First(ctx context.Context, name, messageID string) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	id := OfMessage(messageID)
	from := From(ctx)
	if !t.samples(&id) {
		return context.WithValue(ctx, placeKey{}, place{id, false}), nil
	}
	s := &Span{t: t, id: id, link: from, name: name, kind: Producer, start: t.opt.Clock()}
	return context.WithValue(ctx, placeKey{}, place{id, true}), s
}

// Message begins a step of a message, below its first span.
func (t *Tracer) Message(ctx context.Context, name string, kind Kind, messageID string) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	id := OfMessage(messageID)
	return t.Start(context.WithValue(ctx, placeKey{}, place{id, t.samples(&id)}), name, kind)
}

func (t *Tracer) samples(id *ID) bool {
	return binary.BigEndian.Uint64(id.Trace[8:]) <= t.limit && t.limit > 0
}

func (t *Tracer) random(b []byte) {
	t.ids.Lock()
	defer t.ids.Unlock()
	if _, err := io.ReadFull(t.opt.Rand, b); err != nil { // no randomness: the ids count on
		binary.BigEndian.PutUint64(t.state[:], binary.BigEndian.Uint64(t.state[:])+1)
		copy(b, t.state[:])
	}
}

// ID is where the span stands, zero for nil.
func (s *Span) ID() ID {
	if s == nil {
		return ID{}
	}
	return s.id
}

// Text adds an attribute; an empty one is left out.
func (s *Span) Text(key, value string) *Span {
	if s != nil && value != "" {
		s.attrs = append(s.attrs, attr{key: key, text: value})
	}
	return s
}

// Number adds an attribute.
func (s *Span) Number(key string, value int64) *Span {
	if s != nil {
		s.attrs = append(s.attrs, attr{key: key, n: value, num: true})
	}
	return s
}

// Rename gives the span the name that became known.
func (s *Span) Rename(name string) *Span {
	if s != nil {
		s.name = name
	}
	return s
}

// Since moves the beginning.
func (s *Span) Since(at time.Time) *Span {
	if s != nil && !at.IsZero() {
		s.start = at
	}
	return s
}

// Fail marks the span with a code: why it went wrong, in words that may leave the node.
func (s *Span) Fail(code string) *Span {
	if s != nil {
		s.failed, s.why = true, code
	}
	return s
}

// End hands the span over. What waits already in great numbers makes it be dropped.
func (s *Span) End() {
	if s == nil {
		return
	}
	s.end = s.t.opt.Clock()
	select {
	case s.t.queue <- s:
		if len(s.t.queue) >= min(batch, cap(s.t.queue)) {
			select {
			case s.t.full <- struct{}{}:
			default:
			}
		}
	default:
		s.t.dropped.Add(1)
	}
}

// Header is that of W3C Trace Context.
const Header = "Traceparent"

// Extract reads the caller's place [W3C-TC 3.2]. What is malformed is as if it were not there.
func Extract(ctx context.Context, h http.Header) context.Context {
	p, ok := parse(h.Get(Header))
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, placeKey{}, p)
}

func parse(s string) (p place, ok bool) {
	// version "-" trace-id "-" parent-id "-" flags; later versions may add more behind a further hyphen
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' || s[:2] == "ff" || len(s) > 55 && (s[:2] == "00" || s[55] != '-') || strings.ToLower(s) != s {
		return p, false
	}
	var version, flags [1]byte
	for _, f := range []struct {
		to   []byte
		from string
	}{{version[:], s[:2]}, {p.id.Trace[:], s[3:35]}, {p.id.Span[:], s[36:52]}, {flags[:], s[53:55]}} {
		if _, err := hex.Decode(f.to, []byte(f.from)); err != nil {
			return place{}, false
		}
	}
	if p.id.IsZero() || p.id.Span == [8]byte{} {
		return place{}, false
	}
	p.sampled = flags[0]&1 == 1
	return p, true
}

// Inject writes the place of a context for who is called [W3C-TC 3.2].
func Inject(ctx context.Context, h http.Header) {
	p, ok := ctx.Value(placeKey{}).(place)
	if !ok || p.id.Span == [8]byte{} {
		return
	}
	flags := "-00"
	if p.sampled {
		flags = "-01"
	}
	h.Set(Header, "00-"+hex.EncodeToString(p.id.Trace[:])+"-"+hex.EncodeToString(p.id.Span[:])+flags)
}
