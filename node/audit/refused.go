package audit

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// What strangers send must not fill the log: so many refusals get an entry of their own, the others are counted.
const (
	refusalsAtOnce    = 100
	refusalsPerSecond = 5
)

// refusals is a bucket that fills with time, and what did not fit in.
type refusals struct {
	mu     sync.Mutex
	left   float64
	last   time.Time
	missed int64
}

func (r *refusals) take(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last.IsZero() {
		r.left = refusalsAtOnce
	} else if d := now.Sub(r.last); d > 0 {
		r.left = min(refusalsAtOnce, r.left+d.Seconds()*refusalsPerSecond)
	}
	r.last = now
	if r.left < 1 {
		r.missed++
		return false
	}
	r.left--
	return true
}

// Refused records that a message was answered with an error and nothing of it stored.
func (l *Log) Refused(ctx context.Context, e Entry) {
	if !l.refused.take(l.Clock()) {
		return
	}
	e.Type, e.Direction = ErrorSent, store.In
	if err := l.Append(ctx, e); err != nil {
		l.Logger.Error("refusal not recorded", slog.Any("err", err))
	}
}

// countRefused records how many refusals had no entry of their own.
func (l *Log) countRefused(ctx context.Context) {
	l.refused.mu.Lock()
	n := l.refused.missed
	l.refused.missed = 0
	l.refused.mu.Unlock()
	if n == 0 {
		return
	}
	if err := l.Append(ctx, Entry{Type: ErrorsSent, Direction: store.In, Detail: strconv.FormatInt(n, 10) + " messages"}); err != nil {
		l.refused.mu.Lock()
		l.refused.missed += n
		l.refused.mu.Unlock()
		l.Logger.Error("refusals not recorded", slog.Any("err", err))
	}
}
