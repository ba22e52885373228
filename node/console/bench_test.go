package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/viadukt-eu/viadukt/node/store"
)

// BenchmarkPage renders whole pages over a store that holds messages. Limit: 20 ms, and no more with many than with few.
func BenchmarkPage(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		w := newWorld(b)
		for i := 0; i < n; i += 1000 {
			w.write(b, func(tx store.Tx) error {
				for j := i; j < min(i+1000, n); j++ {
					m := outgoing(fmt.Sprint(j, "@x"))
					m.Peer = fmt.Sprint("ap", j%20, ".example")
					m.State = []store.State{store.Queued, store.Acknowledged, store.Acknowledged, store.Failed}[j%4]
					if err := tx.Insert(m); err != nil {
						return err
					}
				}
				return nil
			})
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
			})
		}
	}
}

func BenchmarkPassword(b *testing.B) {
	for b.Loop() {
		if ok, err := checkPassword(known(), password); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
