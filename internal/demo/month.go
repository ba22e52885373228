package demo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// synthetic marks every message of the month, wherever one looks at it.
const synthetic = "synthetic"

// monthDays is how far back the traffic reaches.
const monthDays = 30

// month gives a node of its own a past: messages that never travelled, written straight into its store before it starts,
// under a clock that is set back. Nothing of it enters a log of evidence.
func month(w *world) error {
	se := w.nodes["SE"]
	if se != nil {
		return nil
	}
	made, err := w.create("SE", nil)
	if err != nil {
		return err
	}
	start := time.Now()
	n, err := w.past(made, start)
	if err != nil {
		return err
	}
	w.step("", "month", "SE", start, "%d messages of %d days written into the store, each marked %q: none of them ever travelled", n, monthDays, synthetic)
	if se, err = w.start("SE", made, nil); err != nil {
		return err
	}
	start = time.Now()
	hours, err := se.node.Store.Hours(w.ctx, start.AddDate(0, 0, -monthDays-1))
	if err != nil {
		return err
	}
	days, counted := map[string]bool{}, int64(0)
	for _, h := range hours {
		if h.State == 0 {
			days[h.Start.Format(time.DateOnly)] = true
			counted += h.N
		}
	}
	if counted != int64(n) || len(days) < monthDays {
		return fmt.Errorf("the charts count %d messages on %d days", counted, len(days))
	}
	w.step("", "charts", "SE", start, "http://%s/console/?span=month shows them; user admin, password %s", se.node.Addr("api"), made.Password)
	return nil
}

// past writes the month into the store of a node that does not run.
func (w *world) past(made *setup.Result, now time.Time) (n int, err error) {
	cfg, err := config.Load(made.ConfigFile)
	if err != nil {
		return 0, err
	}
	clock := now
	s, err := sqlite.Open(string(cfg.Node.DataDir), sqlite.Options{Clock: func() time.Time { return clock }})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r := rand.New(rand.NewPCG(2026, monthDays)) // the same month each time
	for h := now.AddDate(0, 0, -monthDays).Truncate(time.Hour); h.Before(now.Truncate(time.Hour)); h = h.Add(time.Hour) {
		clock = h
		many := busy(h, r)
		err := s.Write(context.WithoutCancel(w.ctx), func(tx store.Tx) error {
			for i := range many {
				n++
				if err := invented(tx, n, h.Add(time.Duration(i)*time.Hour/time.Duration(many+1)), r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// busy is how many messages an hour has: offices work by day and not on Sundays, and the end of a month brings invoices.
func busy(h time.Time, r *rand.Rand) int {
	day := math.Exp(-math.Pow(float64(h.Hour())-11, 2) / 18)
	switch h.Weekday() {
	case time.Saturday:
		day *= 0.3
	case time.Sunday:
		day *= 0.1
	}
	if h.AddDate(0, 0, 4).Month() != h.Month() {
		day *= 2
	}
	return int(30*day*(0.7+0.6*r.Float64()) + r.Float64())
}

// invented is one message with its fate.
func invented(tx store.Tx, n int, at time.Time, r *rand.Rand) error {
	peer := []string{"synthetic-fi", "synthetic-dk", "synthetic-de", "synthetic-fr"}[r.IntN(4)]
	m := &store.Message{
		Direction: store.Out, State: store.Queued, MessageID: fmt.Sprintf("%s-%d@se.example", synthetic, n), ConversationID: fmt.Sprintf("%s-%d", synthetic, n),
		Domain: synthetic, PMode: synthetic, From: "synthetic-se", To: peer, Peer: peer, Service: "urn:viadukt:demo:synthetic", Action: synthetic,
		Sender: "synthetic::se", Receiver: "synthetic::" + peer, Created: at, SenderKey: synthetic,
	}
	path := []store.State{store.Sending, store.Acknowledged}
	if r.IntN(5) < 2 {
		m.Direction, m.State, m.From, m.To, m.Sender, m.Receiver = store.In, store.Received, peer, "synthetic-se", m.Receiver, m.Sender
		path = []store.State{store.Delivered, store.Confirmed}
	}
	change := store.Change{Detail: "synthetic: made for the charts, never sent"}
	if r.IntN(60) == 0 {
		path = []store.State{store.Failed}
		change.Error = store.Problem{Code: "SYNTHETIC", Text: "made for the charts: nothing failed", Remedy: "nothing to do"}
	}
	if err := tx.Insert(m); err != nil {
		return err
	}
	for i, to := range path {
		change.Time = at.Add(time.Duration(i+1) * 700 * time.Millisecond)
		if err := tx.Transition(m.ID, to, change); err != nil {
			return err
		}
	}
	return nil
}
