package demo

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/internal/seed"
	"github.com/viadukt-eu/viadukt/node"
)

func domains() []node.Domain { return []node.Domain{procurement.New()} }

// play runs scenarios and returns the steps.
func play(t *testing.T, names ...string) []Step {
	t.Helper()
	var steps []Step
	err := Run(t.Context(), Options{Dir: t.TempDir(), Once: true, Scenarios: names, Domains: domains}, func(s Step) {
		steps = append(steps, s)
		if !s.OK {
			t.Errorf("%s, %s: %s", s.Scenario, s.Step, s.Detail)
		}
	}, nil)
	if err != nil {
		t.Error(err)
	}
	return steps
}

func TestAllScenariosEndWell(t *testing.T) {
	t.Parallel()
	shown, table, status := map[string]bool{}, 0, map[string]string{}
	for _, s := range play(t, "all") {
		if s.Status != "" {
			table++
			status[s.Row] = s.Status
		} else if s.Row != "" {
			shown[s.Row] = true
		}
	}
	if table != 96 {
		t.Errorf("%d rows in the table", table)
	}
	for _, r := range seed.Rows {
		switch {
		case shown[r.ID] != (r.Demo != ""):
			t.Errorf("%s: shown %v, the list says %q", r.ID, shown[r.ID], r.Demo)
		case r.Demo != "" && status[r.ID] != Pass, r.Demo == "" && status[r.ID] == Pass:
			t.Errorf("%s is %q in the table", r.ID, status[r.ID])
		}
	}
}

// A row whose scenario went wrong is a failure in the table, and so is one that a scenario never came to.
func TestTableTellsWhatFailed(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	w := &world{rows: map[string]bool{}, show: func(s Step) { got[s.Row] = s.Status }}
	w.fail("GEN-10", "folders", errors.New("other octets"))
	w.tell(Step{Row: "GEN-10", OK: true}) // a later success does not make it good
	w.tell(Step{Row: "GEN-8", OK: true})
	w.table()
	for row, want := range map[string]string{"GEN-10": Fail, "GEN-8": Pass, "GEN-9": Fail, "GEN-1": NotBuilt, "GEN-7": Elsewhere} {
		if got[row] != want {
			t.Errorf("%s is %q, want %q", row, got[row], want)
		}
	}
	if !errors.Is(w.verdict(), ErrFailed) {
		t.Error("a failure does not show in the end")
	}
}

func TestUnknownScenarioIsNamed(t *testing.T) {
	t.Parallel()
	err := Run(context.Background(), Options{Scenarios: []string{"bakery"}}, nil, nil)
	if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "bakery") {
		t.Errorf("got %v", err)
	}
}

func TestSpoilChangesTheDigestOfTheReceiptAlone(t *testing.T) {
	t.Parallel()
	in := `<ds:DigestValue>AAAA</ds:DigestValue><ebbp:NonRepudiationInformation><ds:DigestValue>z9b=</ds:DigestValue>`
	want := strings.Replace(in, "z9b=", "A9b=", 1)
	if got := string(spoil([]byte(in))); got != want {
		t.Errorf("got %s", got)
	}
}
