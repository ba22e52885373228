package rules

import (
	"slices"
	"strings"
	"testing"
)

func TestNamesAreThoseOfTheSets(t *testing.T) {
	t.Parallel()
	var got []string
	for _, s := range Sets() {
		id, _, _ := strings.Cut(s.ID(), "@")
		got = append(got, id)
	}
	if !slices.Equal(got, Names()) {
		t.Errorf("the sets are %v, and Names says %v", got, Names())
	}
}
