package smp

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
)

// BenchmarkServe: one lookup, by the handler alone and over loopback HTTP with kept connections.
func BenchmarkServe(b *testing.B) {
	s := filled(b, Busdox10).server()
	path := ids.ServicePath(brook, permit)
	b.Run("handler", func(b *testing.B) {
		req := httptest.NewRequest("GET", path, nil)
		w := &discard{header: http.Header{}}
		b.ReportAllocs()
		for b.Loop() {
			clear(w.header)
			w.n = 0
			s.ServeHTTP(w, req)
			if w.n == 0 {
				b.Fatal("no answer")
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lookups/s")
	})
	b.Run("loopback", func(b *testing.B) {
		url := serve(b, s) + path
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
		b.ReportAllocs()
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				resp, err := client.Get(url)
				if err != nil || resp.StatusCode != 200 {
					b.Error(resp, err)
					return
				}
				if n, err := io.Copy(io.Discard, resp.Body); n == 0 || err != nil {
					b.Error(n, err)
				}
				resp.Body.Close()
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lookups/s")
	})
}

type discard struct {
	header http.Header
	n      int
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Write(p []byte) (int, error) {
	d.n += len(p)
	return len(p), nil
}

func BenchmarkVerify(b *testing.B) {
	w := theWorld()
	for _, g := range generations {
		b.Run(g.String(), func(b *testing.B) {
			src := must(Sign(w.metadata(), g, w.smp, nil))
			q := w.question()
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := VerifyMetadata(b.Context(), bytes.Clone(src), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	w := theWorld()
	md := w.metadata()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Sign(md, Busdox10, w.smp, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLookup: by HTTP with verification, and from the cache.
func BenchmarkLookup(b *testing.B) {
	w := theWorld()
	q := ask(serve(b, filled(b, Busdox10).server()))
	for name, c := range map[string]*Client{"http": w.client(), "cached": w.client()} {
		b.Run(name, func(b *testing.B) {
			if name == "http" {
				c.TTL = -1
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Lookup(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
