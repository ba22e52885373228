package as4

import (
	"slices"
	"testing"
	"time"
)

func TestRetriesInAWindowCountFromAcceptance(t *testing.T) {
	t.Parallel()
	accepted := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	m := time.Minute
	for _, c := range []struct {
		name  string
		retry Retry
		late  []time.Duration // how much later than due each attempt was made; the first is the first attempt
		want  []time.Duration // after acceptance
	}{
		{"four in twelve minutes, each at once", Retry{Max: 5, First: 3 * m, Factor: 1, Window: 12 * m}, nil, []time.Duration{3 * m, 6 * m, 9 * m, 12 * m}},
		{"a first attempt that took seven minutes leaves the two instants still ahead", Retry{Max: 5, First: 3 * m, Factor: 1, Window: 12 * m}, []time.Duration{7 * m}, []time.Duration{9 * m, 12 * m}},
		{"none when the window has passed", Retry{Max: 5, First: 3 * m, Factor: 1, Window: 12 * m}, []time.Duration{13 * m}, nil},
		{"an attempt at the very instant is made and the next is another one", Retry{Max: 3, First: m, Factor: 1, Window: 2 * m}, []time.Duration{m}, []time.Duration{2 * m}},
		{"growing intervals, doubled", Retry{Max: 5, First: m, Factor: 2, Window: 9 * m}, nil, []time.Duration{m, 2 * m, 4 * m, 8 * m}},
		{"growing intervals, tripled", Retry{Max: 3, First: 20 * m, Factor: 3, Window: 100 * m}, nil, []time.Duration{20 * m, 60 * m}},
		{"a late one moves to the next multiple of its interval", Retry{Max: 5, First: m, Factor: 2, Window: 9 * m}, []time.Duration{0, 90 * time.Second}, []time.Duration{m, 4 * m, 8 * m}},
		{"once", Retry{Max: 1}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []time.Duration
			now := accepted
			for made := 1; made < 50; made++ {
				if made <= len(c.late) {
					now = now.Add(c.late[made-1])
				}
				at, ok := c.retry.Due(made, accepted, now)
				if !ok {
					break
				}
				got = append(got, at.Sub(accepted))
				now = at
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("retries at %v, want %v", got, c.want)
			}
		})
	}
}

func TestRetriesWithoutAWindowCountFromTheAttemptBefore(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	r := Retry{Max: 4}.Or(Retry{Max: 9, First: time.Minute, Factor: 3, Limit: 5 * time.Minute})
	for made, want := range map[int]time.Duration{1: time.Minute, 2: 3 * time.Minute, 3: 5 * time.Minute} {
		if at, ok := r.Due(made, now.Add(-time.Hour), now); !ok || at.Sub(now) != want {
			t.Errorf("after %d: in %v, %v; want %v", made, at.Sub(now), ok, want)
		}
	}
	if _, ok := r.Next(4, now); ok {
		t.Error("a fifth attempt")
	}
}
