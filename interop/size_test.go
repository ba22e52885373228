package interop

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// large makes n octets that do not compress, always the same.
func large(n int64) io.Reader {
	var seed [32]byte
	return io.LimitReader(rand.NewChaCha8(seed), n)
}

// javaLarge is for parts that the JVM holds in memory several times.
var javaLarge = []string{"JAVA_OPTS=-Xmx8g"}

// memoryBound is for the whole test process, in which the node runs.
const memoryBound = 256 << 20

// TestLargePayloads is not parallel: it measures the memory of this process.
func TestLargePayloads(t *testing.T) {
	phase4.need(t)
	for _, p := range phase4Profiles {
		if p.peer == "cef" {
			continue // differs in how certificates are named
		}
		sizes := []int64{50e6}
		if p.peer == "eu-edelivery" {
			sizes = append(sizes, 500e6)
		}
		for _, size := range sizes {
			h := sha256.New()
			if _, err := io.Copy(h, large(size)); err != nil {
				t.Fatal(err)
			}
			sum := fmt.Sprintf("%x", h.Sum(nil))
			what := fmt.Sprintf("%d MB with %s", size/1e6, p.peer)
			t.Run(what+" to phase4", func(t *testing.T) {
				r := entry(t, p.name(), sent, took)
				_, url, dir := p.receiver(t, javaLarge, "--bc", "--discard")
				g := start(t, p.ours, func(_ string, c tree) { partner(c, p.ours, url, p.settings) })
				peak := peakMemory(t)
				begin := time.Now()
				id := g.submit(t, tree{"pmode": "bilateral", "sender": "scheme::c1", "receiver": "scheme::c4"}, part{"application/zip", func() io.Reader { return large(size) }})
				g.until(t, store.Out, id, store.Acknowledged)
				r.detail = fmt.Sprintf("%.1f s, %s", time.Since(begin).Seconds(), peak(t, what+" sent"))
				o, _ := kept(t, dir, id)
				if part := object(o.list("parts")[0].(map[string]any)); part.text("sha256") != sum || part.number("octets") != float64(size) {
					t.Errorf("%v", part)
				}
			})
			t.Run(what+" from phase4", func(t *testing.T) {
				r := entry(t, p.name(), received, took)
				g := start(t, p.ours, func(_ string, c tree) { partner(c, p.ours, "", p.settings) })
				file := filepath.Join(t.TempDir(), "payload")
				f, err := os.Create(file)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(f, large(size)); err != nil {
					t.Fatal(err)
				}
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				peak := peakMemory(t)
				begin := time.Now()
				result := p.transmit(t, g, javaLarge, "--bc", "--mime", "application/zip", "--timeout", "300", "--payload", file)[0]
				if !result.is("ok") {
					t.Fatalf("%v", result)
				}
				r.detail = fmt.Sprintf("%.1f s, %s", time.Since(begin).Seconds(), peak(t, what+" received"))
				m := g.until(t, store.In, result.text("messageId"), store.Delivered)
				if got := fmt.Sprintf("%x", m.Payloads[0].SHA256); got != sum || m.Payloads[0].Size != size {
					t.Errorf("%d octets, %s", m.Payloads[0].Size, got)
				}
			})
		}
	}
}

// peakMemory gives back what earlier tests left, and forgets the peak so far; what it returns tells the one since then and fails beyond the bound.
func peakMemory(t *testing.T) func(t *testing.T, what string) string {
	t.Helper()
	runtime.GC() // what pools hold survives the first collection
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return func(*testing.T, string) string { return "memory not measured" } // not Linux
	}
	return func(t *testing.T, what string) string {
		t.Helper()
		b, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); f[0] == "VmHWM:" {
				kib, err := strconv.ParseInt(f[1], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				mb := float64(kib) * 1024 / 1e6
				measured("peak memory of the node, "+what, mb, "MB")
				if kib*1024 > memoryBound {
					t.Errorf("%.0f MB of memory, the bound is %d", mb, memoryBound/1_000_000)
				}
				return fmt.Sprintf("%.0f MB of memory", mb)
			}
		}
		t.Fatalf("no VmHWM in %s", bytes.TrimSpace(b))
		return ""
	}
}
