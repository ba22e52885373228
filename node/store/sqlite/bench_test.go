package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

func benchStore(b *testing.B) *Store {
	b.Helper()
	s, err := Open(b.TempDir(), Options{MinFree: -1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

func newMessage(n int64) *store.Message {
	return &store.Message{
		Direction: store.Out, State: store.Queued, MessageID: fmt.Sprintf("%08x-6c1f-4b52-9a0e-%012x@node.example", n*2654435761%(1<<32), n),
		ConversationID: fmt.Sprintf("conv-%d", n/3), Domain: "generic", PMode: "default", Profile: "eu-edelivery",
		From: "urn:oasis:names:tc:ebcore:partyid-type:unregistered::c2", To: "urn:oasis:names:tc:ebcore:partyid-type:unregistered::c3",
		Sender: "iso6523-actorid-upis::0192:991825827", Receiver: "iso6523-actorid-upis::9915:test",
		Service: "urn:example:service", ServiceType: "urn:example:types", Action: "submit", Peer: "ap.example.org",
	}
}

// rate reports work a second of the clock, and processor time for each piece, which other programs on the
// machine disturb less.
func rate(b *testing.B, n int) func() {
	begin := cpu()
	return func() {
		b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "ops/s")
		b.ReportMetric(float64(cpu()-begin)/float64(b.N)/float64(n), "cpu-ns/op")
	}
}

func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// parallel runs b.N calls of f from so many callers.
func parallel(b *testing.B, callers int, f func(n int64) error) {
	b.Helper()
	b.ReportAllocs()
	b.SetParallelism(max(1, callers/2)) // times GOMAXPROCS, which is 2 where the figures were taken
	var n atomic.Int64
	b.ResetTimer()
	defer rate(b, 1)()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := f(n.Add(1)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkFlush is the physical limit: 4 KiB appended and flushed.
func BenchmarkFlush(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "flush"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	for b.Loop() {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

// BenchmarkWrite is the smallest durable insert.
func BenchmarkWrite(b *testing.B) {
	for _, callers := range []int{2, 32, 256} {
		b.Run(fmt.Sprintf("%dcallers", callers), func(b *testing.B) {
			s := benchStore(b)
			parallel(b, callers, func(n int64) error {
				return s.Write(context.Background(), func(t store.Tx) error {
					_, err := t.(*tx).exec("event", "INSERT INTO event (id, time, state, attempt, detail) VALUES (?1, 1, 1, 1, '')", n)
					return err
				})
			})
		})
	}
}

func BenchmarkInsertMessage(b *testing.B) {
	for _, size := range []int{0, 12 << 10} {
		b.Run(fmt.Sprintf("32callers/%dKiB", size>>10), func(b *testing.B) {
			s := benchStore(b)
			data := bytes.Repeat([]byte("payload "), size/8)
			sum := sha256.Sum256(data)
			b.SetBytes(int64(size))
			parallel(b, 32, func(n int64) error {
				m := newMessage(n)
				if size > 0 {
					m.Payloads = []store.Payload{{ContentID: "a@b", MimeType: "application/xml",
						PayloadRef: store.PayloadRef{Size: int64(size), SHA256: sum, Inline: data}}}
				}
				return s.Write(context.Background(), func(t store.Tx) error { return t.Insert(m) })
			})
		})
	}
}

func fill(b *testing.B, s *Store, n int) {
	b.Helper()
	for done := 0; done < n; {
		err := s.Write(context.Background(), func(t store.Tx) error {
			for i := 0; i < 2000 && done < n; i++ {
				done++
				m := newMessage(int64(done))
				m.Peer = fmt.Sprintf("ap%d.example.org", done%50)
				if err := t.Insert(m); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTransition(b *testing.B) {
	s := benchStore(b)
	const messages = 10_000
	fill(b, s, messages)
	states := [...]store.State{store.Sending, store.Queued}
	parallel(b, 32, func(n int64) error {
		id := (n-1)%messages + 1
		to := states[(n-1)/messages%2]
		return s.Write(context.Background(), func(t store.Tx) error { return t.Transition(id, to, store.Change{}) })
	})
}

func BenchmarkClaim(b *testing.B) {
	s := benchStore(b)
	const batch = 50
	left := 0
	b.ReportAllocs()
	for b.Loop() {
		if left < batch {
			b.StopTimer()
			refill(b, s, 20_000)
			left = 20_000
			b.StartTimer()
		}
		got, err := s.Claim(context.Background(), store.ClaimRequest{Direction: store.Out, Owner: "bench", Lease: time.Hour, Limit: batch})
		if err != nil || len(got) != batch {
			b.Fatal(len(got), err)
		}
		left -= batch
	}
	b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "messages/s")
}

var refilled atomic.Int64

func refill(b *testing.B, s *Store, n int) {
	b.Helper()
	err := s.Write(context.Background(), func(t store.Tx) error {
		for range n {
			k := refilled.Add(1)
			m := newMessage(k)
			m.Peer = fmt.Sprintf("ap%d.example.org", k%50)
			if err := t.Insert(m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkList(b *testing.B) {
	s := benchStore(b)
	fill(b, s, 100_000)
	err := s.Write(context.Background(), func(t store.Tx) error {
		for id := int64(1); id <= 100; id++ {
			if err := t.Transition(id*7, store.Failed, store.Change{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		filter store.Filter
	}{
		{"first", store.Filter{}},
		{"failed", store.Filter{States: []store.State{store.Failed}}},
		{"conversation", store.Filter{ConversationID: "conv-17"}},
		{"unmatched", store.Filter{Participant: "nobody"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.List(context.Background(), c.filter, store.Page{Limit: 50}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
