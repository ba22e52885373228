package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viadukt-eu/viadukt/internal/stock"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// StoreOptions say what is measured.
type StoreOptions struct {
	Messages int    // that wait; default 1,000,000
	Peers    int    // for whom; default 1000
	Dir      string // where the store is made, and removed; default: that of temporary files
}

// Store measures the store with many messages that wait to be sent, each figure beside the same of a small store.
func Store(ctx context.Context, o StoreOptions, report Report) (err error) {
	if o.Messages <= 0 {
		o.Messages = 1_000_000
	}
	if o.Peers <= 0 {
		o.Peers = 1000
	}
	var small, large storeFigures
	if small, err = o.measure(ctx, 1000, func(Result) {}); err != nil {
		return err
	}
	if large, err = o.measure(ctx, o.Messages, report); err != nil {
		return err
	}
	detail := fmt.Sprintf("%d messages wait for %d peers", o.Messages, o.Peers)
	for _, p := range large.pages {
		at := slices.IndexFunc(small.pages, func(s pageFigure) bool { return s.name == p.name })
		report.cost("store/page/"+p.name, millis(p.took), "ms", millis(small.pages[at].took), "the same with 1000 messages", detail)
	}
	report.rate("store/claim", large.claimed, "msg/s", small.claimed, "the same with 1000 messages", "16 at a time, durable, each then acknowledged")
	report.rate("store/insert", large.inserted, "msg/s", small.inserted, "the same with 1000 messages", "by 32 callers, durable")
	return nil
}

type pageFigure struct {
	name string
	took time.Duration
}

type storeFigures struct {
	pages             []pageFigure
	claimed, inserted float64
}

func (o *StoreOptions) measure(ctx context.Context, n int, report Report) (f storeFigures, err error) {
	dir, err := os.MkdirTemp(o.Dir, "viadukt-bench-")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	start := time.Now()
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		return f, err
	}
	if err := errors.Join(s.Write(ctx, func(tx store.Tx) error { return tx.Insert(waiting("0@stock")) }), s.Close()); err != nil {
		return f, err
	}
	if err := stock.Multiply(ctx, dir, n, o.Peers); err != nil {
		return f, err
	}
	report(Result{Name: "store/made", Value: time.Since(start).Seconds(), Unit: "s", Detail: "by SQL, without the program"})
	start = time.Now()
	if s, err = sqlite.Open(dir, sqlite.Options{}); err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	report(Result{Name: "store/open", Value: millis(time.Since(start)), Unit: "ms", Detail: fmt.Sprintf("%d messages", n)})
	for _, p := range []struct {
		name   string
		filter store.Filter
		page   store.Page
	}{
		{"first", store.Filter{}, store.Page{Limit: 50}},
		{"middle", store.Filter{}, store.Page{Limit: 50, Before: int64(n / 2)}},
		{"queued", store.Filter{Direction: store.Out, States: []store.State{store.Queued}}, store.Page{Limit: 50}},
		{"peer", store.Filter{Peer: "ap7.example:443"}, store.Page{Limit: 50}},
		{"id", store.Filter{MessageID: "none@stock"}, store.Page{Limit: 50}},
		{"unmatched", store.Filter{Participant: "nobody"}, store.Page{Limit: 50}},
	} {
		took, err := median(21, func() error { _, err := s.List(ctx, p.filter, p.page); return err })
		if err != nil {
			return f, err
		}
		f.pages = append(f.pages, pageFigure{p.name, took})
	}
	took, err := median(21, func() error { _, err := s.Counts(ctx); return err })
	if err != nil {
		return f, err
	}
	f.pages = append(f.pages, pageFigure{"counts", took})
	if f.inserted, err = insertRate(ctx, s); err != nil {
		return f, err
	}
	f.claimed, err = claimRate(ctx, s)
	return f, err
}

func waiting(id string) *store.Message {
	return &store.Message{
		Direction: store.Out, State: store.Queued, MessageID: id, ConversationID: id, PMode: "bench", Profile: "eu-edelivery",
		From: "POP000001", To: "POP000002", Sender: "iso6523-actorid-upis::0192:991825827", Receiver: "iso6523-actorid-upis::9915:test",
		Service: "urn:example:service", ServiceType: "urn:example:types", Action: "submit", Peer: "ap1.example:443",
		Header: []byte("<eb:UserMessage>" + strings.Repeat(" ", 200) + "</eb:UserMessage>"),
	}
}

func median(n int, f func() error) (time.Duration, error) {
	var all []time.Duration
	for range n {
		start := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		all = append(all, time.Since(start))
	}
	slices.Sort(all)
	return all[n/2], nil
}

// For how long rates are measured.
const rateTime = 3 * time.Second

func insertRate(ctx context.Context, s store.Store) (float64, error) {
	var n, failed atomic.Int64
	var callers sync.WaitGroup
	start := time.Now()
	for i := range 32 {
		callers.Go(func() {
			for time.Since(start) < rateTime && failed.Load() == 0 {
				m := waiting(fmt.Sprintf("%08x-%d-%d@new", n.Load()*2654435761%(1<<32), i, n.Add(1)))
				if s.Write(ctx, func(tx store.Tx) error { return tx.Insert(m) }) != nil {
					failed.Add(1)
				}
			}
		})
	}
	callers.Wait()
	if failed.Load() > 0 {
		return 0, errors.New("bench: a message could not be inserted")
	}
	return float64(n.Load()) / time.Since(start).Seconds(), nil
}

// claimRate claims and ends messages, as 16 hands do.
func claimRate(ctx context.Context, s store.Store) (float64, error) {
	n, start := 0, time.Now()
	for time.Since(start) < rateTime {
		got, err := s.Claim(ctx, store.ClaimRequest{Direction: store.Out, Owner: "bench", Lease: time.Hour, Limit: 16, PerPeer: func(string) int { return 8 }})
		if err != nil || len(got) == 0 {
			return float64(n) / time.Since(start).Seconds(), err
		}
		var hands sync.WaitGroup
		errs := make([]error, len(got))
		for i, m := range got {
			hands.Go(func() {
				errs[i] = s.Write(ctx, func(tx store.Tx) error {
					return tx.Transition(m.ID, store.Acknowledged, store.Change{Owner: m.LeaseOwner})
				})
			})
		}
		hands.Wait()
		if err := errors.Join(errs...); err != nil {
			return 0, err
		}
		n += len(got)
	}
	return float64(n) / time.Since(start).Seconds(), nil
}
