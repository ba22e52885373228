// Package demo shows what the program does: national nodes on this machine, in this process but each with its own
// folder, store, keys and sockets, exchange real documents with invented parties, and every step is told as it happens.
//
// Each scenario shows rows of the list in package seed. Nothing is claimed that did not just happen.
package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/internal/seed"
	"github.com/viadukt-eu/viadukt/node"
)

// Options say what is shown.
type Options struct {
	Dir       string   // of the network; "" makes one that is removed afterwards
	Scenarios []string // by name, or "all"; none is all of them
	Once      bool     // end after the last scenario
	Domains   func() []node.Domain
	Log       *slog.Logger // of the nodes; nil is silent
}

// Step is one thing that happened.
type Step struct {
	Scenario string  `json:"scenario"`
	Row      string  `json:"row"` // what it shows; see package seed
	Step     string  `json:"step"`
	Node     string  `json:"node"`
	OK       bool    `json:"ok"`
	Millis   float64 `json:"ms"`
	Detail   string  `json:"detail"`
	// Status of a row, in the table at the end.
	Status string `json:"status,omitempty"`
}

// scenario is a story with a name.
type scenario struct {
	name  string
	title string
	run   func(*world) error
}

var scenarios = []scenario{
	{"first-message", "Two new nodes, a first message, files in and files out", firstMessage},
	{"procurement", "Invoices, an order and an answer between a supplier and a city", procure},
	{"agreements", "Fetched, in pieces, and answered: what two nodes may agree on", agreements},
	{"misbehave", "What happens when the other side does not keep to the rules", misbehave},
	{"proof", "What can be proven afterwards, to somebody who trusts neither node", proof},
	{"month", "A month of invented traffic, for the charts of the console", month},
}

// Names lists the scenarios.
func Names() (out []string) {
	for _, s := range scenarios {
		out = append(out, s.name)
	}
	return out
}

// Title of a scenario.
func Title(name string) string {
	for _, s := range scenarios {
		if s.name == name {
			return s.title
		}
	}
	return ""
}

// ErrFailed says that a scenario did not end as it should; the steps say which.
var ErrFailed = errors.New("demo: not everything went as it should")

// ErrUnknown names a scenario that there is not.
var ErrUnknown = errors.New("demo: unknown scenario")

// ErrExists says that the folder holds a network already.
var ErrExists = errors.New("demo: there is a network already in")

// Run plays the scenarios and shows each step. Unless it is for once, it then calls ready and waits until ctx is done,
// with all nodes running.
func Run(ctx context.Context, o Options, show func(Step), ready func(*Places)) (err error) {
	chosen, all, err := choose(o.Scenarios)
	if err != nil {
		return err
	}
	w := &world{ctx: ctx, o: o, show: show, nodes: map[string]*country{}, rows: map[string]bool{}}
	if w.dir = o.Dir; w.dir == "" {
		if w.dir, err = os.MkdirTemp("", "viadukt-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(w.dir)) }()
	} else if w.dir, err = filepath.Abs(w.dir); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(w.dir, "network")); err == nil {
		return fmt.Errorf("%w %s", ErrExists, w.dir)
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	for _, s := range chosen {
		w.scenario = s.name
		if err := s.run(w); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			w.fail("", s.name, err)
		}
	}
	if all {
		w.table()
	}
	if o.Once {
		return w.verdict()
	}
	ready(w.places())
	<-ctx.Done()
	return w.verdict()
}

// choose finds the scenarios; all says that the table of rows is wanted.
func choose(names []string) (chosen []scenario, all bool, err error) {
	if len(names) == 0 {
		return scenarios, false, nil
	}
	for _, n := range names {
		if n == "all" {
			return scenarios, true, nil
		}
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == n })
		if i < 0 {
			return nil, false, fmt.Errorf("%w %q", ErrUnknown, n)
		}
		chosen = append(chosen, scenarios[i])
	}
	return chosen, false, nil
}

// step tells of something that happened and how long it took since start.
func (w *world) step(row, what, node string, start time.Time, format string, args ...any) {
	w.tell(Step{Row: row, Step: what, Node: node, OK: true, Millis: ms(time.Since(start)), Detail: fmt.Sprintf(format, args...)})
}

// fail tells of something that should not have happened.
func (w *world) fail(row, what string, err error) {
	w.tell(Step{Row: row, Step: what, Detail: err.Error()})
}

func (w *world) tell(s Step) {
	s.Scenario = w.scenario
	if !s.OK {
		w.failed = true
	}
	if s.Row != "" {
		ok, known := w.rows[s.Row]
		w.rows[s.Row] = s.OK && (ok || !known)
	}
	w.show(s)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (w *world) verdict() error {
	if w.failed {
		return ErrFailed
	}
	return nil
}

// States of a row in the table.
const (
	Pass      = "pass"
	Fail      = "fail"
	Elsewhere = "shown elsewhere" // by a test or the interop report: the detail says where
	NotBuilt  = "not built yet"
)

// table goes through all rows of the seed: this run's proof, or where another one is, or that there is none.
func (w *world) table() {
	w.scenario = "all"
	for _, r := range seed.Rows {
		s := Step{Row: r.ID, Step: r.Text, OK: true, Detail: r.Note}
		ok, shown := w.rows[r.ID]
		switch {
		case shown && ok:
			s.Status, s.Detail = Pass, "demo "+r.Demo
		case shown:
			s.OK, s.Status, s.Detail = false, Fail, "demo "+r.Demo
		case r.Demo != "": // its scenario ended before it came to this row
			s.OK, s.Status, s.Detail = false, Fail, "demo "+r.Demo+" did not show it"
			w.failed = true
		case r.Elsewhere != "":
			s.Status, s.Detail = Elsewhere, r.Elsewhere
		default:
			s.Status = NotBuilt
		}
		s.Scenario = w.scenario
		w.show(s)
	}
}
