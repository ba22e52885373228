package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
)

// A pause shorter than the time for which a worker without work sleeps must not become that long.
func TestRetryComesWhenItIsDue(t *testing.T) {
	t.Parallel()
	a, _ := agree(t)
	ee := begin(t, a, func(c *config.Config) {
		c.Outbound.MaxAttempts, c.Outbound.FirstRetry = 3, config.Duration(30*time.Millisecond)
	}, nil)
	m := ee.send(t, letter(text("a", "x"))) // nobody listens at the other end
	if failed := ee.until(t, store.Out, m.MessageID, store.Failed); failed.Attempts != 3 {
		t.Errorf("%d attempts, want 3", failed.Attempts)
	}
	events, err := ee.Store.Events(context.Background(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events[1:] {
		if before := events[i]; before.State == store.Retrying && e.Time.Sub(before.Time) > 50*time.Second {
			t.Errorf("attempt %d came %s after the one before, the pause is 30 ms", e.Attempt, e.Time.Sub(before.Time))
		}
	}
}
