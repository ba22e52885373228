package interop

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
)

// TestProcessorTimeBeside measures phase4 and two nodes in the same run, on the same payload: signed, encrypted, compressed,
// stored at both ends. It says what it measured and asserts only that every message arrived. It is not parallel.
func TestProcessorTimeBeside(t *testing.T) {
	phase4.need(t)
	document := []byte(`<Invoice xmlns="urn:invoice">` + strings.Repeat("<Line><ID>1</ID><Note>0123456789 abcdef</Note></Line>\n", 90) + "</Invoice>")
	theirs := phase4Time(t, document)
	ours := nodeTime(t, document)
	measured("processor time of two nodes for a message", ours, "ms")
	measured("times less than phase4", theirs/ours, "")
}

// phase4Time returns the milliseconds of both ends for a message.
func phase4Time(t *testing.T, document []byte) float64 {
	file := filepath.Join(t.TempDir(), "document.xml")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		t.Fatal(err)
	}
	const count, warmup = 300, 100
	env := []string{"JAVA_OPTS="} // as Java runs by default
	_, url, _ := plainProfile.receiver(t, env)
	spent := func() float64 {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		o, ok := parse(b)
		if !ok || o.number("cpuSeconds") == 0 {
			t.Fatalf("%s", b)
		}
		return o.number("cpuSeconds")
	}
	before := spent()
	lines, status := phase4.call(t, env, "send", "--to", url, "--json", "--quiet", "--keystore", phase4.pki("ap1.p12"), "--truststore", phase4.pki("trust.pem"),
		"--receiver-cert", phase4.pki("ap2.pem"), "--from-id", "POP000001", "--to-id", "POP000002", "--service", "urn:s", "--action", "urn:a", "--compress",
		"--payload", file, "--count", fmt.Sprint(count), "--parallel", "4", "--warmup", fmt.Sprint(warmup))
	if status != 0 || len(lines) == 0 {
		t.Fatalf("status %d, %v", status, lines)
	}
	summary := lines[len(lines)-1]
	receiver := (spent() - before) * 1000 / (count + warmup)
	sender := summary.number("summary", "cpuMsPerMessage")
	if sender == 0 || summary.number("summary", "ok") != count {
		t.Fatalf("%v", summary)
	}
	measured("processor time of phase4 sending a message", sender, "ms")
	measured("processor time of phase4 receiving a message", receiver, "ms")
	return sender + receiver
}

// nodeTime is the same with two nodes, both in this process.
func nodeTime(t *testing.T, document []byte) float64 {
	const count, warmup, parallel = 3000, 200, 4
	to := startAs(t, 2, "eu-edelivery", func(_ string, c tree) { partnerOf(c, 2, "eu-edelivery", "", nil) })
	from := start(t, "eu-edelivery", func(_ string, c tree) { partner(c, "eu-edelivery", to.url(), nil) })
	exchange := func(n int) {
		work := make(chan struct{}, n)
		for range n {
			work <- struct{}{}
		}
		close(work)
		var wg sync.WaitGroup
		for range parallel {
			wg.Go(func() {
				for range work {
					given := false
					_, err := from.Accept(t.Context(), &node.Submission{PMode: "bilateral", Sender: "scheme::c1", Receiver: "scheme::c4", Next: func() (*node.SubmissionPart, error) {
						if given {
							return nil, io.EOF
						}
						given = true
						return &node.SubmissionPart{MimeType: "application/xml", Body: strings.NewReader(string(document))}, nil
					}})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	acknowledged := func() (n int64) {
		counts, err := from.Store.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range counts {
			if c.Direction == store.Out && c.State == store.Acknowledged {
				n += c.N
			}
		}
		return n
	}
	wait := func(want int64) {
		for deadline := time.Now().Add(3 * patience); acknowledged() < want; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d messages acknowledged", acknowledged(), want)
			}
		}
	}
	exchange(warmup)
	wait(warmup)
	before, begin := processTime(t), time.Now()
	exchange(count)
	wait(warmup + count)
	measured("messages a second of two nodes on this machine", count/time.Since(begin).Seconds(), "")
	return float64((processTime(t) - before).Microseconds()) / 1000 / count
}

// processTime is what this process has used, in user and system mode.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
