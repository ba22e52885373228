package node_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
)

// fullStore is a store whose volume is full while a test says so.
type fullStore struct {
	store.Store
	full         atomic.Bool // no message is stored
	fullPayloads atomic.Bool // no payload is begun
	fullWrites   atomic.Bool // no payload goes on
}

type fullTx struct{ store.Tx }

func (fullTx) Insert(*store.Message) error { return fmt.Errorf("test: %w", store.ErrDiskFull) }

func (f *fullStore) Write(ctx context.Context, do func(store.Tx) error) error {
	return f.Store.Write(ctx, func(tx store.Tx) error {
		if f.full.Load() {
			tx = fullTx{tx}
		}
		return do(tx)
	})
}

func (f *fullStore) NewPayload() (store.PayloadWriter, error) {
	if f.fullPayloads.Load() {
		return nil, fmt.Errorf("test: %w", store.ErrDiskFull)
	}
	w, err := f.Store.NewPayload()
	return fullWriter{w, f}, err
}

type fullWriter struct {
	store.PayloadWriter
	f *fullStore
}

func (w fullWriter) Write(p []byte) (int, error) {
	if w.f.fullWrites.Load() {
		return 0, fmt.Errorf("test: %w", store.ErrDiskFull)
	}
	return w.PayloadWriter.Write(p)
}

func TestAFullDiskRefusesAndRecovers(t *testing.T) {
	t.Parallel()
	for name, flag := range map[string]func(*fullStore) *atomic.Bool{
		"no room for the message":            func(f *fullStore) *atomic.Bool { return &f.full },
		"no room for a payload":              func(f *fullStore) *atomic.Bool { return &f.fullPayloads },
		"no room in the middle of a payload": func(f *fullStore) *atomic.Bool { return &f.fullWrites },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := agree(t)
			var stores [2]*fullStore
			wrap := func(i int) func(store.Store) store.Store {
				return func(s store.Store) store.Store { stores[i] = &fullStore{Store: s}; return stores[i] }
			}
			ee, pt := begin(t, a, nil, wrap(0)), begin(t, b, nil, wrap(1))
			const query = "/api/v1/messages?pmode=letters&sender=urn:id::a&receiver=urn:id::b"

			flag(stores[0]).Store(true)
			resp, body := ee.call(t, "POST", query, "text/plain", strings.NewReader("one"))
			if e := decode[errorJSON](t, body).Error; resp.StatusCode != http.StatusInsufficientStorage || e.Code != "DISK_FULL" || e.Remedy == "" {
				t.Errorf("hand-over to a full node: %d %s", resp.StatusCode, body)
			}
			if l, err := ee.Store.List(context.Background(), store.Filter{}, store.Page{}); err != nil || len(l.Messages) != 0 {
				t.Errorf("%d messages are stored, %v", len(l.Messages), err)
			}
			flag(stores[0]).Store(false)

			flag(stores[1]).Store(true)
			resp, body = ee.call(t, "POST", query, "text/plain", strings.NewReader("two"))
			if resp.StatusCode != http.StatusAccepted {
				t.Fatalf("hand-over after there is room again: %d %s", resp.StatusCode, body)
			}
			m := decode[node.MessageJSON](t, body)
			eventually(t, "a second attempt", func() bool {
				got, err := ee.Store.ByMessageID(context.Background(), store.Out, m.MessageID)
				if err == nil && got.State.Dead() {
					t.Fatalf("given up: %+v", got.Error)
				}
				return err == nil && got.Attempts > 1 && strings.Contains(got.Error.Text, "503")
			})
			flag(stores[1]).Store(false)
			ee.until(t, store.Out, m.MessageID, store.Acknowledged)
			pt.until(t, store.In, m.MessageID, store.Delivered)
		})
	}
}

func TestAPeerThatIsDown(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee := begin(t, a, func(c *config.Config) { c.Outbound.MaxAttempts = 4 }, nil)
	m := ee.send(t, letter(text("a", "hello")))
	failed := ee.until(t, store.Out, m.MessageID, store.Failed)
	if failed.Attempts != 4 || failed.Error.Code != "EBMS:0301" || failed.Error.Remedy == "" || !strings.Contains(failed.Error.Text, "last attempt") {
		t.Errorf("%d attempts, %+v", failed.Attempts, failed.Error)
	}
	events, err := ee.Store.Events(context.Background(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	var states []string
	for i, e := range events {
		states = append(states, e.State.String())
		if e.State == store.Sending && i > 1 && e.Time.Sub(events[i-1].Time) < 19*time.Millisecond {
			t.Errorf("attempt %d came %s after the last, the pause is 20 ms", e.Attempt, e.Time.Sub(events[i-1].Time))
		}
	}
	if got := strings.Join(states, " "); got != "sending retrying sending retrying sending retrying sending failed" && got != "queued sending retrying sending retrying sending retrying sending failed" {
		t.Errorf("history: %s", got)
	}
	pt := begin(t, b, nil, nil)
	resp, body := ee.call(t, "POST", "/api/v1/messages/"+m.MessageID+"/resend", "", nil)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("resend: %d %s", resp.StatusCode, body)
	}
	again := ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	if again.Attempts != 1 || !again.Error.IsZero() {
		t.Errorf("after resending: %d attempts, %+v", again.Attempts, again.Error)
	}
	pt.until(t, store.In, m.MessageID, store.Delivered)
}

// slowPeer accepts connections, counts those that are open at once, and never answers.
type slowPeer struct {
	net.Listener
	open, most atomic.Int64
	answer     chan struct{}
}

func (p *slowPeer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := p.open.Add(1)
	defer p.open.Add(-1)
	for old := p.most.Load(); n > old && !p.most.CompareAndSwap(old, n); old = p.most.Load() {
	}
	io.Copy(io.Discard, r.Body)
	select {
	case <-p.answer:
	case <-r.Context().Done():
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

// take listens where a node would.
func take(t *testing.T, url string, h http.Handler) {
	t.Helper()
	addr := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/as4")
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
}

func TestAPeerGetsNoMoreThanItsShare(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	peer := &slowPeer{answer: make(chan struct{})}
	take(t, b.URL, peer)
	ee := begin(t, a, func(c *config.Config) { c.Outbound.PerPeer, c.Outbound.Workers = 3, 8 }, nil)
	for i := range 20 {
		ee.send(t, letter(text("a", fmt.Sprint(i))))
	}
	eventually(t, "the share", func() bool { return peer.open.Load() == 3 })
	close(peer.answer) // from now on each attempt ends at once, and the next one comes
	eventually(t, "another attempt for everybody", func() bool {
		l, err := ee.Store.List(context.Background(), store.Filter{}, store.Page{})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range l.Messages {
			if m.Attempts < 2 {
				return false
			}
		}
		return true
	})
	if most := peer.most.Load(); most != 3 {
		t.Errorf("%d messages at once, the limit is 3", most)
	}
}

func TestStoppingWithMessagesInFlightLosesNothing(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	sent := map[string]bool{}
	for round := range 4 {
		for i := range 15 {
			sent[ee.send(t, letter(text("a", fmt.Sprint(round, i)))).MessageID] = true
		}
		var err error
		if round%2 == 0 {
			err = ee.Stop(context.Background())
			ee = begin(t, a, nil, nil)
		} else {
			err = pt.Stop(context.Background())
			pt = begin(t, b, nil, nil)
		}
		if err != nil {
			t.Error(err)
		}
	}
	for id := range sent {
		ee.until(t, store.Out, id, store.Acknowledged)
		pt.until(t, store.In, id, store.Delivered)
	}
	folders, err := filepath.Glob(filepath.Join(b.Dir, "inbox", "*", "*"))
	if err != nil || len(folders) != len(sent) {
		t.Errorf("%d folders for %d messages, %v", len(folders), len(sent), err)
	}
	if _, err := ee.Accept(context.Background(), letter(text("a", "last"))); err != nil {
		t.Error(err)
	}
	if err := ee.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := ee.Accept(context.Background(), letter(text("a", "too late"))); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a stopped node says %v", err)
	}
}

// raw sends the head of an AS4 request and leaves the connection open.
func raw(t *testing.T, addr string, length int) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "POST /as4 HTTP/1.1\r\nHost: x\r\nContent-Type: application/soap+xml\r\nContent-Length: %d\r\n\r\n<", length)
	return c
}

func TestLimitsOfTheGateway(t *testing.T) {
	t.Parallel()
	t.Run("more requests at once than allowed are told to come back", func(t *testing.T) {
		t.Parallel()
		made, _ := agree(t)
		g := begin(t, made, func(c *config.Config) { c.AS4.Limits.Connections = 2 }, nil)
		var held []net.Conn
		var resp *http.Response
		eventually(t, "a refusal", func() bool {
			held = append(held, raw(t, g.Addr("as4"), 1000)) // one that came while a question had the place was sent away
			var err error
			if resp, err = http.Post("http://"+g.Addr("as4")+"/as4", "application/soap+xml", strings.NewReader("<x/>")); err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp.StatusCode == http.StatusServiceUnavailable
		})
		if resp.Header.Get("Retry-After") == "" {
			t.Error("it does not say when")
		}
		for _, c := range held {
			c.Close()
		}
		eventually(t, "a free place", func() bool {
			resp, err := http.Post("http://"+g.Addr("as4")+"/as4", "application/soap+xml", strings.NewReader("<x/>"))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp.StatusCode != http.StatusServiceUnavailable
		})
	})
	t.Run("a message larger than allowed is refused", func(t *testing.T) {
		t.Parallel()
		a, b := agree(t)
		ee := begin(t, a, func(c *config.Config) { c.Outbound.MaxAttempts = 1 }, nil)
		pt := begin(t, b, func(c *config.Config) { c.AS4.Limits.Message = 20_000 }, nil)
		small := ee.send(t, letter(text("a", "small")))
		pt.until(t, store.In, small.MessageID, store.Delivered)
		noise := make([]byte, 40_000)
		rand.Read(noise)
		large := ee.send(t, letter(node.SubmissionPart{MimeType: "application/octet-stream", Body: bytes.NewReader(noise), Name: "a.zip"}))
		ee.until(t, store.Out, large.MessageID, store.Failed)
		if m, err := pt.Store.ByMessageID(context.Background(), store.In, large.MessageID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("it is stored: %+v %v", m, err)
		}
	})
	t.Run("a sender that trickles is given up", func(t *testing.T) {
		t.Parallel()
		made, _ := agree(t)
		g := begin(t, made, func(c *config.Config) { c.AS4.Limits.Timeout = config.Duration(200 * time.Millisecond) }, nil)
		c := raw(t, g.Addr("as4"), 1_000_000)
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			for t := time.NewTicker(10 * time.Millisecond); ; {
				select {
				case <-stop:
					return
				case <-t.C:
					c.Write([]byte(" "))
				}
			}
		}()
		c.SetReadDeadline(time.Now().Add(patience))
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); resp.StatusCode == http.StatusOK && !bytes.Contains(body, []byte("failure")) || err != nil {
			t.Errorf("answered %s %s %v", resp.Status, body, err)
		}
	})
}

// lateStore lets time pass between a claim that found nothing and the question when the next work is due.
type lateStore struct {
	store.Store
	ahead *atomic.Int64
}

func (s lateStore) Claim(ctx context.Context, r store.ClaimRequest) ([]*store.Message, error) {
	claimed, err := s.Store.Claim(ctx, r)
	if len(claimed) == 0 {
		s.ahead.Add(int64(10 * time.Minute))
	}
	return claimed, err
}

func TestWhatBecomesDueWhileAWorkerLooksIsNotMissed(t *testing.T) {
	t.Parallel()
	a, _ := agree(t)
	c, err := config.Load(a.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	c.Outbound.MaxAttempts, c.Outbound.Factor, c.Outbound.FirstRetry = 4, 1, config.Duration(time.Minute)
	ahead := new(atomic.Int64)
	n, err := node.New(context.Background(), c, node.Options{Clock: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	n.Store = lateStore{n.Store, ahead}
	if err := n.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	g := &gateway{n, a}
	m := g.send(t, letter(text("a", "x")))
	g.until(t, store.Out, m.MessageID, store.Failed)
}
