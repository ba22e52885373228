package seed

import (
	"fmt"
	"strings"
	"testing"
)

func TestEveryRowIsThereOnceAndInOrder(t *testing.T) {
	t.Parallel()
	var want []string
	for _, g := range []struct {
		name string
		n    int
	}{{"GEN", 10}, {"SPOCS", 13}, {"ECODEX", 12}, {"EPSOS", 12}, {"PEPPOL", 12}, {"STORK", 10}, {"STORK2", 9}, {"ESENS", 18}} {
		for i := range g.n {
			want = append(want, fmt.Sprintf("%s-%d", g.name, i+1))
		}
	}
	if len(want) != 96 || len(Rows) != len(want) || strings.Count(table, "\n") != len(want)+1 {
		t.Fatalf("%d rows in %d lines, want %d", len(Rows), strings.Count(table, "\n"), len(want))
	}
	for i, r := range Rows {
		if r.ID != want[i] {
			t.Errorf("row %d is %s, want %s", i+1, r.ID, want[i])
		}
		if r.Text == "" || r.Demo != "" && r.Elsewhere != "" {
			t.Errorf("%s: text missing, or shown in two places", r.ID)
		}
	}
}
