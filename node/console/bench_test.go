package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/stock"
	"github.com/viadukt-eu/viadukt/node/store"
)

// BenchmarkPage renders whole pages over a store that holds messages; VIADUKT_MESSAGES says how many. Limit: 20 ms, and no
// more with many than with few.
func BenchmarkPage(b *testing.B) {
	sizes := []int{1000, 100_000}
	if v := os.Getenv("VIADUKT_MESSAGES"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			b.Fatal(err)
		}
		sizes = []int{1000, n}
	}
	for _, n := range sizes {
		dir := b.TempDir()
		w := newWorldIn(b, dir)
		w.write(b, func(tx store.Tx) error {
			for i := range 1000 {
				m := outgoing(fmt.Sprint(i, "@x"))
				m.Peer = fmt.Sprint("ap", i%20, ".example")
				m.State = []store.State{store.Queued, store.Acknowledged, store.Acknowledged, store.Failed}[i%4]
				if err := tx.Insert(m); err != nil {
					return err
				}
			}
			return nil
		})
		if n > 1000 {
			w.end(b)
			if err := stock.Multiply(b.Context(), dir, n, 20); err != nil {
				b.Fatal(err)
			}
			w = newWorldIn(b, dir)
		}
		who := w.as(b, Administrator)
		for _, path := range []string{"/console/", "/console/messages", "/console/messages?group=failed&partner=POP000002", "/console/messages?q=nothing", "/console/messages/7", "/console/queues", "/console/certificates"} {
			b.Run(fmt.Sprintf("%d%s", n, path), func(b *testing.B) {
				u, err := http.NewRequest(http.MethodGet, w.server.URL+path, nil)
				if err != nil {
					b.Fatal(err)
				}
				cookies := who.client.Jar.Cookies(u.URL)
				b.ReportAllocs()
				before := cpu()
				for b.Loop() {
					r := httptest.NewRequest(http.MethodGet, path, nil)
					for _, c := range cookies {
						r.AddCookie(c)
					}
					rec := httptest.NewRecorder()
					w.ServeHTTP(rec, r)
					if rec.Code != http.StatusOK {
						b.Fatal(rec.Code)
					}
				}
				b.ReportMetric(float64(cpu()-before)/1e6/float64(b.N), "cpu-ms/op")
			})
		}
	}
}

// cpu is what this process used: beside other programs it tells more than the clock.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func BenchmarkPassword(b *testing.B) {
	for b.Loop() {
		if ok, err := checkPassword(known(), password); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
