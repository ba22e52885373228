package interop

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// TestWholeDocumentsAreJudgedAsPhiveDoes runs XML Schema, EN 16931 and Peppol over every UBL invoice of the corpus, here
// and in phive on Saxon, and compares verdicts and all that fired. Both are then measured on one invoice of 21 kB.
func TestWholeDocumentsAreJudgedAsPhiveDoes(t *testing.T) {
	needPeers(t)
	dir := corpus.Dir(t, "edocuments")
	folder := rulepack.Folder(t.TempDir())
	for _, r := range []struct{ path, id, version string }{{"xsd/ubl21", "org.oasis:ubl", "2.1"}, {"rules/en16931-1.3.16/ubl", "", ""}, {"rules/peppol-2026.5", "", ""}} {
		packs, err := rulepack.Import(os.DirFS(filepath.Join(dir, r.path)), rulepack.ImportOptions{Name: filepath.ToSlash(r.path), ID: r.id, Version: r.version, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range packs {
			if err := folder.Add(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	j, err := folder.Open(time.Now(), "org.oasis:ubl", "eu.peppol.bis3:invoice")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	err = filepath.WalkDir(filepath.Join(dir, "examples"), func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.HasSuffix(path, ".xml") {
			if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte("urn:oasis:names:specification:ubl:schema:xsd:Invoice-2")) {
				if d, err := dom.Parse(b, dom.Limits{}); err == nil && d.Root().Local() == "Invoice" {
					files = append(files, path)
				}
			}
		}
		return err
	})
	if err != nil || len(files) < 80 {
		t.Fatalf("%d invoices: %v", len(files), err)
	}
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte(strings.Join(files, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("peers/rules/rules", "validate", "--vesid", "eu.peppol.bis3:invoice:2026.5", "--list", list).Output()
	if out == nil {
		t.Fatal(err)
	}
	differ, same := 0, 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var peer struct {
			File, Golden string
			Valid        bool
			Layers       []struct {
				Type   string
				Failed []struct{ ID string }
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &peer); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		b, err := os.ReadFile(peer.File)
		if err != nil {
			t.Fatal(err)
		}
		d, err := dom.Parse(b, dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := j.Validate(d)
		if err != nil {
			t.Errorf("%s: %v", peer.File, err)
			continue
		}
		if ours := golden(r); r.Valid != peer.Valid || !broken(r) && ours != peer.Golden {
			differ++
			t.Errorf("%s: %v %s, phive says %v %s", peer.File, r.Valid, ours, peer.Valid, peer.Golden)
			continue
		}
		same++
	}
	t.Logf("%d whole invoices are judged as phive does, %d are not", same, differ)
	if same < 80 {
		t.Errorf("only %d invoices", same)
	}

	src, err := os.ReadFile(filepath.Join(dir, "examples/peppol-2026.5/billing/sales-order-example.xml"))
	if err != nil {
		t.Fatal(err)
	}
	from, to := bytes.LastIndex(src, []byte("<cac:InvoiceLine>")), bytes.LastIndex(src, []byte("</cac:InvoiceLine>"))+len("</cac:InvoiceLine>")
	src = slices.Concat(src[:to], bytes.Repeat(src[from:to], (21_000-len(src))/(to-from)), src[to:])
	file := filepath.Join(t.TempDir(), "invoice.xml")
	if err := os.WriteFile(file, src, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err = exec.Command("peers/rules/rules", "bench", "--file", file, "--vesid", "eu.peppol.bis3:invoice:2026.5", "--n", "30", "--rounds", "3").Output()
	if err != nil {
		t.Fatal(err)
	}
	var peer struct {
		Median float64 `json:"msMedian"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(out), &peer); err != nil || peer.Median == 0 {
		t.Fatalf("%v: %s", err, out)
	}
	var times []time.Duration
	for range 200 {
		start := time.Now()
		d, err := dom.Parse(bytes.Clone(src), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.Validate(d); err != nil {
			t.Fatal(err)
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	ours := float64(times[len(times)/2].Microseconds()) / 1000
	t.Logf("%d octets: %.2f ms here, %.1f ms in phive on Saxon: %.0f times", len(src), ours, peer.Median, peer.Median/ours)
}

// broken reports whether a document breaks its schema: Xerces names and counts that in its own way.
func broken(r *edocument.Report) bool {
	return slices.ContainsFunc(r.Layers, func(l edocument.Layer) bool { return l.Kind == edocument.LayerSchema && l.To > l.From })
}

// golden is what a report found, in the form of golden.tsv.
func golden(r *edocument.Report) string {
	return cmp.Or(strings.Join(r.Fired(), " "), "none")
}
