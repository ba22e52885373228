package interop

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

// The directions, seen from the node.
const (
	sent     = "sent"     // the node sent, the peer received
	received = "received" // the peer sent, the node received
	asked    = "asked"    // the node looked something up at the peer
	served   = "served"   // the peer looked something up at the node
)

// The outcomes.
const (
	took    = "taken"   // and proven: receipt, digests, signature
	refused = "refused" // as it must be
)

// row is one thing tried with a peer.
type row struct {
	peer, direction, what string
	outcome               string // taken or refused
	detail                string // state, error code
	ok                    bool
}

// report is what was tried, in any order, and what was measured.
var report struct {
	sync.Mutex
	rows    []row
	figures []figure
}

// figure is one measurement.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// entry adds a row when the test ends: it passed, or it did not.
func entry(t *testing.T, peer, direction, outcome string) *row {
	t.Helper()
	r := &row{peer: peer, direction: direction, outcome: outcome, what: sentence(t)}
	t.Cleanup(func() {
		r.ok = !t.Failed()
		report.Lock()
		defer report.Unlock()
		report.rows = append(report.rows, *r)
	})
	return r
}

// sentence is the last part of a test's name as it was written.
func sentence(t *testing.T) string {
	name := t.Name()
	return strings.ReplaceAll(name[strings.LastIndexByte(name, '/')+1:], "_", " ")
}

func measured(name string, value float64, unit string) {
	report.Lock()
	defer report.Unlock()
	report.figures = append(report.figures, figure{name, value, unit})
}

func TestMain(m *testing.M) {
	code := m.Run()
	out := io.Writer(os.Stdout)
	if file := os.Getenv("VIADUKT_REPORT"); file != "" { // go test shows the output of a package only when it failed
		f, err := os.Create(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		defer f.Close()
		out = f
	}
	if len(report.rows)+len(report.figures) > 0 {
		write(out)
	}
	stopAll()
	os.Exit(code)
}

// write prints every row, then a line for each peer and direction, then the figures.
func write(out io.Writer) {
	slices.SortStableFunc(report.rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.peer, b.peer), cmp.Compare(a.direction, b.direction), cmp.Compare(a.outcome, b.outcome), cmp.Compare(a.what, b.what))
	})
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	type sum struct{ taken, refused, failed int }
	sums, order := map[string]*sum{}, []string{}
	fmt.Fprintln(w, "\t PEER\tDIRECTION\tOUTCOME\tWHAT\tDETAIL")
	for _, r := range report.rows {
		fmt.Fprintf(w, "%s\t %s\t%s\t%s\t%s\t%s\n", verdict(r.ok), r.peer, r.direction, r.outcome, r.what, r.detail)
		key := r.peer + "\t" + r.direction
		s := sums[key]
		if s == nil {
			s = &sum{}
			sums[key], order = s, append(order, key)
		}
		switch {
		case !r.ok:
			s.failed++
		case r.outcome == refused:
			s.refused++
		default:
			s.taken++
		}
	}
	w.Flush()
	fmt.Fprintln(out)
	fmt.Fprintln(w, "\t PEER\tDIRECTION\tTAKEN\tREFUSED\tFAILED")
	for _, key := range order {
		s := sums[key]
		fmt.Fprintf(w, "%s\t %s\t%d\t%d\t%d\n", verdict(s.failed == 0), key, s.taken, s.refused, s.failed)
	}
	w.Flush()
	if len(report.figures) > 0 {
		fmt.Fprintln(out)
		for _, f := range report.figures {
			fmt.Fprintf(w, "\t %s\t%.4g\t%s\n", f.Name, f.Value, f.Unit)
		}
		w.Flush()
		b, err := json.Marshal(report.figures)
		if err != nil {
			panic(err) // numbers and strings
		}
		fmt.Fprintf(out, "\n%s\n", b)
	}
}

func verdict(ok bool) string {
	if ok {
		return "pass"
	}
	return "FAIL"
}
