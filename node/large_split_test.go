package node_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/setup"
)

// TestLargeMessagesInPiecesTakeLittleMemory sends as many MiB as VIADUKT_SPLIT_MIB says, 128 without it, between two
// processes, and looks at the most memory that each had. docs/performance.md tells what came of 20,480.
func TestLargeMessagesInPiecesTakeLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("moves a large message")
	}
	mib := 128
	if s := os.Getenv("VIADUKT_SPLIT_MIB"); s != "" {
		var err error
		if mib, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	a, b := agree(t)
	for _, r := range []*setup.Result{a, b} {
		amend(t, r, "letters", "splitting: {threshold: 64MiB}", fmt.Sprintf("maxSize: %dMiB", mib))
		for _, limit := range []string{"message", "payload"} {
			amendReplace(t, r, "\n    # "+limit+": 2GiB\n", fmt.Sprintf("\n    %s: %dMiB\n", limit, mib+1))
		}
	}
	nodes := [2]*child{startChild(t, a), startChild(t, b)}
	block, sum := noise(12, 1<<20), sha256.New()
	for range mib {
		sum.Write(block)
	}
	body := &repeated{block: block, left: mib << 20}
	req, err := http.NewRequest("POST", a.API+"/api/v1/messages?pmode=letters&sender=urn:id::a&receiver=urn:id::b", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.Token)
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, answer := do(t, req)
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%d %s", resp.StatusCode, answer)
	}
	m := decode[node.MessageJSON](t, answer)
	start := time.Now()
	for deadline := start.Add(5*time.Minute + time.Duration(mib)*50*time.Millisecond); ; time.Sleep(20 * time.Millisecond) {
		var got node.MessageJSON
		if nodes[0].ask(t, "/api/v1/messages/"+m.MessageID, &got) && got.State == "acknowledged" {
			break
		}
		if time.Now().After(deadline) || got.State == "failed" {
			t.Fatalf("not acknowledged: %+v", got)
		}
	}
	took := time.Since(start)
	for i, c := range nodes {
		peak := c.peak(t)
		t.Logf("node %d: at most %d MiB", i, peak>>20)
		if peak > 150<<20 {
			t.Errorf("node %d took %d MiB of memory for a message of %d MiB", i, peak>>20, mib)
		}
	}
	t.Logf("%d MiB in %s: %.0f MB/s from the first piece to the receipt of the whole", mib, took.Round(time.Millisecond), float64(mib<<20)/1e6/took.Seconds())
	req, err = http.NewRequest("GET", b.API+"/api/v1/messages/"+m.MessageID+"/payloads/0", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.Token)
	resp, err = http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := sha256.New()
	if n, err := io.Copy(got, resp.Body); err != nil || fmt.Sprintf("%x", got.Sum(nil)) != fmt.Sprintf("%x", sum.Sum(nil)) {
		t.Errorf("%d octets differ, %v", n, err)
	}
}

// repeated is one block again and again.
type repeated struct {
	block     []byte
	off, left int
}

func (r *repeated) Read(b []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), r.left)], r.block[r.off:])
	r.off, r.left = (r.off+n)%len(r.block), r.left-n
	return n, nil
}

// peak is the most resident memory that the process had.
func (c *child) peak(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.PID()))
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Skip("the system does not tell")
	return 0
}
