package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/viadukt-eu/viadukt/node/signing"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/validation"
)

// TestProcessorTimeBesideDSS has DSS and us judge the same files, with the same anchor and the same OCSP answers, again and
// again in one warm process each (all cases are warmed up before the first is measured), and prints the processor time of a document: bare, and with the simple, the detailed, the
// diagnostic and the ETSI report written, as our service answers them to a request. It asserts that the verdicts are equal. It
// is not parallel.
//
// For DSS it counts the thread that works and leaves out its garbage collector and compiler; for us, the whole process.
// VIADUKT_DSS_ROUND gives the number of documents in a round of DSS, 10 where it is not set.
func TestProcessorTimeBesideDSS(t *testing.T) {
	needDSS(t)
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	n := 10
	if s := os.Getenv("VIADUKT_DSS_ROUND"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(dssPeer, "bench", "--pki", filepath.Join(dir, "pki"), "--file", file("letter.xml", []byte(letterXML)), "--pdf", file("sheet.pdf", sheet(t, false)),
		"--op", "verify-cached,verify-reports", "--out", filepath.Join(dir, "out"), "--n", strconv.Itoa(n), "--rounds", "5", "--warmup", strconv.Itoa(10*n))
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	read := func(name string) []byte {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	root, err := pki.ParseCertificate(read("pki/root.crt"))
	if err != nil {
		t.Fatal(err)
	}
	answers, err := filepath.Glob(filepath.Join(dir, "out/ocsp-*"))
	if err != nil || len(answers) == 0 {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	with := gather.Options{Anchors: []*pki.Certificate{root}, Signatures: &pki.SignatureCache{}}
	for _, a := range answers {
		b, err := os.ReadFile(a)
		if err != nil {
			t.Fatal(err)
		}
		with.OCSPs = append(with.OCSPs, b)
	}

	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as the program does
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "CASE\tREPORTS\tDSS, ITS THREAD\tDSS, ITS PROCESS\tOURS\tTIMES LESS\t")
	for line := range bytes.Lines(out) {
		var peer struct {
			Case, Op, Verdict  string
			CPUMsMedian        float64
			ProcessCPUMsMedian float64
		}
		if err := json.Unmarshal(line, &peer); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		b, opt, reports := read("out/"+peer.Case), with, peer.Op == "verify-reports"
		if strings.HasSuffix(peer.Case, "LT") || strings.HasSuffix(peer.Case, "LTA") {
			opt.OCSPs = nil // they bring theirs along
		}
		judge := func() {
			r, err := gather.Open(b, opt)
			if err != nil {
				t.Fatalf("%s: %v", peer.Case, err)
			}
			if v := validation.Validate(r.Facts, nil, time.Now())[0]; string(v.Indication) != peer.Verdict {
				t.Fatalf("%s: %s %s, where DSS says %s", peer.Case, v.Indication, v.Why, peer.Verdict)
			}
		}
		if reports {
			service := signing.New(signing.Options{Known: func() gather.Options { return opt }})
			judge = func() {
				v, err := service.Judge(t.Context(), peer.Case, bytes.NewReader(b), int64(len(b)), nil, time.Time{})
				if err != nil {
					t.Fatalf("%s: %v", peer.Case, err)
				}
				all, err := json.Marshal(signing.Reports(v))
				if err != nil || !bytes.Contains(all, []byte(peer.Verdict)) {
					t.Fatalf("%s: %v %s", peer.Case, err, all)
				}
			}
		}
		const count = 100
		var rounds []float64
		for range 6 { // the first one warms up
			before := processTime(t)
			for range count {
				judge()
			}
			rounds = append(rounds, float64((processTime(t)-before).Microseconds())/1000/count)
		}
		rounds = rounds[1:]
		slices.Sort(rounds)
		ours, less := rounds[len(rounds)/2], 0.0
		if ours > 0 {
			less = peer.CPUMsMedian / ours
		}
		fmt.Fprintf(w, "%s\t%v\t%.2f ms\t%.2f ms\t%.3f ms\t%.0f\t\n", peer.Case, reports, peer.CPUMsMedian, peer.ProcessCPUMsMedian, ours, less)
		name := "times less processor time than DSS for " + peer.Case
		if reports {
			name += " with all reports"
		}
		measured(name, less, "")
	}
	w.Flush()
	lines := bufio.NewScanner(&table)
	for lines.Scan() {
		t.Log(lines.Text())
	}
}
