package node_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
)

// TestAPeerWhoseAnswerTrickles keeps its place for as long as an answer may take, and no longer: others are served.
func TestAPeerWhoseAnswerTrickles(t *testing.T) {
	t.Parallel()
	for name, pace := range map[string]time.Duration{"an octet now and then": 20 * time.Millisecond, "nothing after the head": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := agree(t)
			var asked, done atomic.Int64
			take(t, b.URL, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				asked.Add(1)
				defer done.Add(1)
				w.Header().Set("Content-Type", "application/soap+xml")
				for beat := time.NewTicker(pace); ; {
					io.WriteString(w, " ")
					http.NewResponseController(w).Flush()
					select {
					case <-r.Context().Done():
						return
					case <-beat.C:
					}
				}
			}))
			ee := begin(t, a, func(c *config.Config) {
				c.Outbound.Timeout, c.Outbound.MaxAttempts, c.Outbound.Workers, c.Outbound.PerPeer = config.Duration(300*time.Millisecond), 2, 1, 1
			}, nil)
			for i := 0; i < 2 || asked.Load() < 2; i++ { // each waits for the place of the one before; a busy machine may give up before it has asked
				m := ee.send(t, letter(text("a", fmt.Sprint(i))))
				failed := ee.until(t, store.Out, m.MessageID, store.Failed)
				if failed.Attempts != 2 || failed.Error.Code != "EBMS:0301" {
					t.Errorf("%d attempts, %+v", failed.Attempts, failed.Error)
				}
			}
			eventually(t, "the end of all connections", func() bool { return done.Load() == asked.Load() })
		})
	}
}

// TestAfterTheLastAttempt the producer is told of EBMS:0301, with what came instead of a receipt [AS4 3.2].
func TestAfterTheLastAttempt(t *testing.T) {
	t.Parallel()
	for text, answer := range map[string]http.HandlerFunc{
		"HTTP status 500": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oops", http.StatusInternalServerError) },
		"HTTP status 503": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "later", http.StatusServiceUnavailable) },
		"HTTP status 200": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>a proxy says hello</html>") },
		"SOAP fault": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/soap+xml")
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, `<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><e:Fault><e:Code><e:Value>e:Receiver</e:Value></e:Code><e:Reason><e:Text xml:lang="en">oops</e:Text></e:Reason></e:Fault></e:Body></e:Envelope>`)
		},
		"no answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			a, b := agree(t)
			take(t, b.URL, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				answer(w, r)
			}))
			ee := begin(t, a, func(c *config.Config) { c.Outbound.MaxAttempts = 2 }, nil)
			m := ee.send(t, letter(octets("a", noise(1, 500))))
			failed := ee.until(t, store.Out, m.MessageID, store.Failed)
			if failed.Attempts != 2 || failed.Error.Code != "EBMS:0301" || !strings.Contains(failed.Error.Text, text) || failed.Error.Remedy == "" {
				t.Errorf("%d attempts, %+v", failed.Attempts, failed.Error)
			}
		})
	}
}

// TestAPeerThatIsGoneForHours: with the schedule that is written into new configurations, a partner may be away for most
// of a day; then the message arrives by itself, once.
func TestAPeerThatIsGoneForHours(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	cfg, err := config.Load(a.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	ahead := new(atomic.Int64)
	begun := time.Now()
	n, err := node.New(t.Context(), cfg, node.Options{Clock: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	ee := &gateway{n, a}
	m := ee.send(t, letter(text("a", "hello")))
	tried := func(attempts int) *store.Message {
		t.Helper()
		var got *store.Message
		eventually(t, fmt.Sprintf("attempt %d", attempts), func() bool {
			if got, err = ee.Store.Message(t.Context(), m.ID); err != nil {
				t.Fatal(err)
			}
			return got.State == store.Retrying && got.Attempts >= attempts
		})
		return got
	}
	pass := func(got *store.Message) { // until the next attempt is due
		ahead.Store(int64(time.Until(got.NextAttempt) + time.Second))
		if _, err := ee.Reload(t.Context()); err != nil { // its timer runs by the real clock
			t.Fatal(err)
		}
	}
	attempts := 1
	for got := tried(attempts); got.NextAttempt.Sub(begun) < 12*time.Hour; got = tried(attempts) {
		pass(got)
		attempts++
	}
	if attempts > 9 {
		t.Errorf("%d attempts in half a day", attempts)
	}
	pt := begin(t, b, nil, nil)
	pass(tried(attempts))
	got := ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	pt.until(t, store.In, m.MessageID, store.Delivered)
	if pt.count(t, store.In) != 1 || got.Attempts != attempts+1 {
		t.Errorf("%d messages arrived, %d attempts", pt.count(t, store.In), got.Attempts)
	}
	t.Logf("%d attempts in %s", got.Attempts, time.Duration(ahead.Load()).Round(time.Minute))
}

// TestManyOpenConnections: connections that say nothing cost a little memory, keep nobody out, and are closed.
func TestManyOpenConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("opens 10,000 connections")
	}
	if runtime.GOOS != "linux" {
		t.Skip("counts on as many addresses as it likes")
	}
	many := 10_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil { // Go has raised it as far as it may
		t.Fatal(err)
	}
	if limit.Cur < uint64(many)+500 {
		if many = int(limit.Cur) - 500; many < 200 {
			t.Skipf("this process may open %d files", limit.Cur)
		}
		t.Logf("this process may open %d files: only %d connections", limit.Cur, many)
	}
	a, b := agree(t)
	pt := startChild(t, b)
	ee := begin(t, a, nil, nil)
	before := pt.memory(t)
	addr := strings.TrimSuffix(strings.TrimPrefix(b.URL, "http://"), "/as4")
	conns := make([]net.Conn, many)
	var openers sync.WaitGroup
	for i := range 20 {
		openers.Go(func() {
			for j := i; j < many; j += 20 {
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 3, byte(j>>8), byte(j))}}
				c, err := d.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				if j%2 == 0 { // half of them begin a request and go no further
					io.WriteString(c, "POST /as4 HTTP/1.1\r\nHost: x\r\n")
				}
				conns[j] = c
			}
		})
	}
	openers.Wait()
	if t.Failed() {
		t.FailNow()
	}
	start := time.Now()
	for i := range 10 {
		m := ee.send(t, letter(text("a", fmt.Sprint(i))))
		ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	}
	took, grown := time.Since(start), pt.memory(t)-before
	if grown > 400<<20 {
		t.Errorf("%d connections took %d MiB", many, grown>>20)
	}
	t.Logf("with %d open connections ten messages took %s, and the node %d MiB more", many, took.Round(time.Millisecond), grown>>20)
	for _, c := range conns { // the node closes them: nobody said anything in time
		c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, c); err != nil && os.IsTimeout(err) {
			t.Fatal("a connection that says nothing stays open")
		}
		c.Close()
	}
}

// memory is the resident memory of the process.
func (c *child) memory(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.PID()))
	if err != nil {
		t.Skip(err)
	}
	var total, resident int64
	if _, err := fmt.Sscan(string(b), &total, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}

// TestMoreConnectionsThanFiles: a node that may open no more files loses nothing, and works again once it may.
func TestMoreConnectionsThanFiles(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a process")
	}
	a, b := agree(t)
	pt := startChild(t, b)
	ee := begin(t, a, nil, nil)
	first := ee.send(t, letter(octets("a", noise(1, 50_000))))
	ee.until(t, store.Out, first.MessageID, store.Acknowledged)
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pt.PID()))
	if err != nil {
		t.Skip(err)
	}
	const spare = 20
	if err := limitFiles(pt.PID(), uint64(len(open)+spare)); err != nil {
		t.Skip(err)
	}
	addr := strings.TrimSuffix(strings.TrimPrefix(b.URL, "http://"), "/as4")
	var held []net.Conn
	for range 3 * spare {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST /as4 HTTP/1.1\r\nHost: x\r\nContent-Type: application/soap+xml\r\nContent-Length: 10\r\n\r\n<")
		held = append(held, c)
	}
	m := ee.send(t, letter(octets("a", noise(2, 50_000))))
	for _, c := range held {
		c.Close()
	}
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	var list node.MessageListJSON
	if !pt.ask(t, "/api/v1/messages?direction=in", &list) || len(list.Messages) != 2 {
		t.Errorf("%d messages arrived", len(list.Messages))
	}
}

// TestASenderThatTricklesDoesNotKeepOthersOut: as many as may be at once send an octet now and then; who waits its turn
// is told so, and the trickle ends.
func TestASenderThatTricklesDoesNotKeepOthersOut(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	pt := begin(t, b, func(c *config.Config) {
		c.AS4.Limits.Connections, c.AS4.Limits.Timeout = 3, config.Duration(500*time.Millisecond)
	}, nil)
	ended := make(chan error, 3)
	for range 3 {
		c := raw(t, pt.Addr("as4"), 1_000_000)
		go func() {
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				for beat := time.NewTicker(10 * time.Millisecond); ; {
					select {
					case <-stop:
						return
					case <-beat.C:
						io.WriteString(c, " ")
					}
				}
			}()
			c.SetReadDeadline(time.Now().Add(patience))
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err == nil {
				resp.Body.Close()
			}
			ended <- err
		}()
	}
	ee := begin(t, a, nil, nil)
	m := ee.send(t, letter(text("a", "hello")))
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	for range 3 {
		if err := <-ended; err != nil {
			t.Errorf("a trickling sender got no answer: %v", err)
		}
	}
}
