package rulepack

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
)

// Change is what became of one rule, or of one schema document, from one pack to another.
type Change struct {
	ID   string   `json:"id"`   // of the rule; of a schema document its name
	Op   string   `json:"op"`   // "added", "removed", "changed"
	What []string `json:"what"` // of a change: "severity", "test", "context", "text", "places", "document"
	Old  []Rule   `json:"old"`  // the same rule may be asked in several places
	New  []Rule   `json:"new"`
}

// Rule is an assertion as its publisher wrote it.
type Rule struct {
	Severity string `json:"severity"`
	Context  string `json:"context"`
	Test     string `json:"test"`
	Text     string `json:"text"`
}

// Diff compares two packs rule by rule, and schema documents by their octets. The changes are in the order of ids.
func Diff(old, new *Compiled) []Change {
	a, b := old.catalogue(), new.catalogue()
	var out []Change
	for _, id := range slices.Sorted(maps.Keys(union(a, b))) {
		x, y := a[id], b[id]
		c := Change{ID: id, What: []string{}, Old: x, New: y}
		switch {
		case slices.Equal(x, y):
			continue
		case x == nil:
			c.Op = "added"
		case y == nil:
			c.Op = "removed"
		default:
			c.Op, c.What = "changed", differences(x, y)
		}
		out = append(out, c)
	}
	return append(out, old.documents(new)...)
}

func union(a, b map[string][]Rule) map[string][]Rule {
	u := maps.Clone(a)
	maps.Copy(u, b)
	return u
}

// differences names what changed of a rule that is in both packs.
func differences(x, y []Rule) (what []string) {
	if len(x) != len(y) {
		what = append(what, "places")
	}
	for _, f := range []struct {
		name string
		of   func(Rule) string
	}{
		{"severity", func(r Rule) string { return r.Severity }}, {"context", func(r Rule) string { return r.Context }},
		{"test", func(r Rule) string { return r.Test }}, {"text", func(r Rule) string { return r.Text }},
	} {
		for i := range min(len(x), len(y)) {
			if f.of(x[i]) != f.of(y[i]) {
				what = append(what, f.name)
				break
			}
		}
	}
	return what
}

// catalogue is every assertion by its id. One artefact that several scenarios name counts once.
func (c *Compiled) catalogue() map[string][]Rule {
	out := map[string][]Rule{}
	seen := map[*schematron.Schema]bool{}
	for i := range c.scenarios {
		s := &c.scenarios[i]
		for _, rules := range s.rules {
			if seen[rules] {
				continue
			}
			seen[rules] = true
			for _, e := range rules.Catalogue() {
				f := schematron.Finding{Flag: e.Flag, Role: e.Role}
				severity := string(severities[f.Level()])
				if l := s.Levels[e.ID]; l != "" {
					severity = l
				}
				squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
				out[e.ID] = append(out[e.ID], Rule{severity, squeeze(e.Context), squeeze(e.Test), squeeze(e.Text)})
			}
		}
	}
	return out
}

// documents compares the schema documents of XML Schema.
func (c *Compiled) documents(other *Compiled) (out []Change) {
	names := func(c *Compiled) (m memory) {
		all, _ := load(c.pack.files) // what has been compiled can be read
		m = memory{}
		for name, b := range all {
			if strings.HasSuffix(strings.ToLower(name), ".xsd") {
				m[name] = b
			}
		}
		return m
	}
	a, b := names(c), names(other)
	for _, name := range a.names() {
		switch n, ok := b[name]; {
		case !ok:
			out = append(out, Change{ID: name, Op: "removed", What: []string{}})
		case !bytes.Equal(n, a[name]):
			out = append(out, Change{ID: name, Op: "changed", What: []string{"document"}})
		}
	}
	for _, name := range b.names() {
		if a[name] == nil {
			out = append(out, Change{ID: name, Op: "added", What: []string{}})
		}
	}
	return out
}
