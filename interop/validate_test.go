package interop

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// TestInvoiceBesidePhive measures one invoice of 21 kB, by XML Schema, EN 16931 and Peppol, here and in phive on Saxon: the
// processor time of each when everything is warm.
func TestInvoiceBesidePhive(t *testing.T) {
	needPeers(t, "peers/rules/.build/stamp")
	j, err := publishedPacks(t).Open(time.Now(), "org.oasis:ubl", "eu.peppol.bis3:invoice")
	if err != nil {
		t.Fatal(err)
	}
	src := corpus.Read(t, "edocuments", "examples/peppol-2026.5/billing/sales-order-example.xml")
	from, to := bytes.LastIndex(src, []byte("<cac:InvoiceLine>")), bytes.LastIndex(src, []byte("</cac:InvoiceLine>"))+len("</cac:InvoiceLine>")
	src = slices.Concat(src[:to], bytes.Repeat(src[from:to], (21_000-len(src))/(to-from)), src[to:])
	file := filepath.Join(t.TempDir(), "invoice.xml")
	if err := os.WriteFile(file, src, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(rulesPeer, "bench", "--file", file, "--vesid", "eu.peppol.bis3:invoice:2026.5", "--n", "30", "--rounds", "3").Output()
	if err != nil {
		t.Fatal(err)
	}
	var peer struct {
		CPU float64 `json:"cpuMsMedian"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(out), &peer); err != nil || peer.CPU == 0 {
		t.Fatalf("%v: %s", err, out)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as the program does
	const rounds, each = 5, 100
	var ours []float64
	for range rounds {
		start := processorTime(t)
		for range each {
			d, err := dom.Parse(bytes.Clone(src), dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := j.Validate(d); err != nil {
				t.Fatal(err)
			}
		}
		ours = append(ours, (processorTime(t)-start).Seconds()*1000/each)
	}
	slices.Sort(ours)
	median := ours[rounds/2]
	measured("invoice of 21 kB by schemas and rules: processor time", median, "ms")
	measured("invoice of 21 kB: processor time less than phive", peer.CPU/median, "times")
	t.Logf("%d octets: %.2f ms of processor time here, %.1f ms in phive on Saxon: %.0f times", len(src), median, peer.CPU, peer.CPU/median)
}
