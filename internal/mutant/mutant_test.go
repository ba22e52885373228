package mutant

import (
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const note = `<n:note xmlns:n="urn:example:note"><n:id kind="a">7.50</n:id><n:day>2026-11-28</n:day><n:from><n:name>Ada</n:name></n:from><n:to/></n:note>`

// Every kind of damage is made, the same by the same seed, and most of what comes out can be read.
func TestDamage(t *testing.T) {
	t.Parallel()
	d, err := dom.Parse([]byte(note), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	docs := []*dom.Document{d}
	one, two := New(3, docs), New(3, docs)
	made, broken := map[string]bool{}, 0
	const rounds = 3000
	for range rounds {
		m, how := one.Damage(d)
		if again, same := two.Damage(d); same != how || (m == nil) != (again == nil) || m != nil && string(m.Source()) != string(again.Source()) {
			t.Fatalf("%s and %s with one seed", how, same)
		}
		if m == nil {
			broken++
		}
		for _, k := range kinds {
			made[k.name] = made[k.name] || strings.Contains(how, k.name)
		}
	}
	for name, ok := range made {
		if !ok {
			t.Errorf("%s was never made", name)
		}
	}
	if broken > rounds/4 {
		t.Errorf("%d of %d documents are not well-formed", broken, rounds)
	}
}
