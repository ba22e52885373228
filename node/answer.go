package node

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// answerRate is how many octets of an answer buy one second more for the rest: a message that is fetched may be large and
// the line slow.
const answerRate = 16 << 10

// patientTransport bounds the time in which the body of an answer comes: a partner that trickles would keep a place
// among those at work for as long as it likes.
type patientTransport struct {
	next  http.RoundTripper
	limit time.Duration
}

func (p patientTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	resp, err := p.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	b := &patientBody{ReadCloser: resp.Body, cancel: cancel, limit: p.limit, begin: time.Now()}
	b.mu.Lock()
	b.timer = time.AfterFunc(p.limit, b.look)
	b.mu.Unlock()
	resp.Body = b
	return resp, nil
}

func (p patientTransport) CloseIdleConnections() {
	if c, ok := p.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

type patientBody struct {
	io.ReadCloser
	cancel func()
	limit  time.Duration
	begin  time.Time

	mu    sync.Mutex
	timer *time.Timer
	n     int64
	late  bool
}

// look gives up, or waits for as long as the octets of until now are worth.
func (b *patientBody) look() {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := b.limit + time.Duration(float64(b.n)/answerRate*float64(time.Second)) - time.Since(b.begin)
	if b.late = left <= 0; b.late {
		b.cancel()
		return
	}
	b.timer.Reset(left)
}

func (b *patientBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n += int64(n)
	if err != nil && err != io.EOF && b.late {
		err = fmt.Errorf("the answer did not come to its end within %s: %w", b.limit, os.ErrDeadlineExceeded)
	}
	return n, err
}

func (b *patientBody) Close() error {
	b.mu.Lock()
	b.timer.Stop()
	b.mu.Unlock()
	err := b.ReadCloser.Close()
	b.cancel()
	return err
}
