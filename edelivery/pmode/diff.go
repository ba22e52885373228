package pmode

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Item is one thing that a set consists of, in words: a partner, a P-Mode.
type Item struct {
	Kind   string // "partner", "P-Mode"
	Name   string // unique in its kind
	Fields []Field
}

// Field is one setting of an item. An absent one is empty.
type Field struct{ Name, Value string }

// Change is one difference between two sets.
type Change struct {
	Kind   string        `json:"kind"`
	Name   string        `json:"name"`
	Op     string        `json:"op"`               // "added", "removed", "changed"
	Fields []FieldChange `json:"fields,omitempty"` // for an added one New alone, for a removed one Old alone
}

// FieldChange is one setting that differs.
type FieldChange struct {
	Name string `json:"name"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

// Diff lists what leads from one set to another: what goes, in the order of old, then what comes or changes, in the order
// of new. The order of items and of fields is no difference.
func Diff(old, new []Item) []Change {
	type key struct{ kind, name string }
	index := func(items []Item) map[key]*Item {
		m := make(map[key]*Item, len(items))
		for i := range items {
			m[key{items[i].Kind, items[i].Name}] = &items[i]
		}
		return m
	}
	before, after := index(old), index(new)
	var out []Change
	for _, o := range old {
		if after[key{o.Kind, o.Name}] == nil {
			c := Change{Kind: o.Kind, Name: o.Name, Op: "removed"}
			for _, f := range o.Fields {
				c.Fields = append(c.Fields, FieldChange{Name: f.Name, Old: f.Value})
			}
			out = append(out, c)
		}
	}
	for _, n := range new {
		o := before[key{n.Kind, n.Name}]
		c := Change{Kind: n.Kind, Name: n.Name, Op: "changed"}
		if o == nil {
			c.Op = "added"
			o = nothing
		}
		for _, f := range n.Fields {
			if was := o.field(f.Name); was != f.Value {
				c.Fields = append(c.Fields, FieldChange{f.Name, was, f.Value})
			}
		}
		for _, f := range o.Fields {
			if f.Value != "" && !slices.ContainsFunc(n.Fields, func(x Field) bool { return x.Name == f.Name }) {
				c.Fields = append(c.Fields, FieldChange{Name: f.Name, Old: f.Value})
			}
		}
		if c.Op == "added" || len(c.Fields) > 0 {
			out = append(out, c)
		}
	}
	return out
}

// nothing is what there was before something was added.
var nothing = &Item{}

func (it *Item) field(name string) string {
	for _, f := range it.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// WriteDiff writes differences for people, a line for each thing and one for each of its settings.
func WriteDiff(w io.Writer, changes []Change) error {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%s %s %s\n", map[string]string{"added": "+", "removed": "-", "changed": "~"}[c.Op], c.Kind, c.Name)
		if c.Op == "removed" {
			continue
		}
		for _, f := range c.Fields {
			switch {
			case f.Old == "":
				fmt.Fprintf(&b, "    %s: %s\n", f.Name, f.New)
			case f.New == "":
				fmt.Fprintf(&b, "    %s: %s -> (none)\n", f.Name, f.Old)
			default:
				fmt.Fprintf(&b, "    %s: %s -> %s\n", f.Name, f.Old, f.New)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Items puts a set into words.
func (s *Set) Items() []Item {
	items := make([]Item, 0, 1+len(s.Partners)+len(s.Modes))
	party := func(kind string, p *Party) {
		it := Item{Kind: kind, Name: p.Name, Fields: []Field{{"url", p.URL}}}
		for i, id := range p.IDs {
			it.Fields = append(it.Fields, Field{fmt.Sprintf("id %d", i+1), strings.TrimPrefix(id.Type+" "+id.Value, " ")})
		}
		items = append(items, it)
	}
	party("own party", &s.Own)
	for i := range s.Partners {
		party("partner", &s.Partners[i])
	}
	for _, m := range s.Modes {
		it := Item{Kind: "P-Mode", Name: m.ID, Fields: []Field{
			{"partner", m.Partner}, {"direction", m.Direction.String()}, {"binding", m.Binding[strings.LastIndexByte(m.Binding, '/')+1:]}, {"channel", m.MPC},
			{"role of the sender", m.SenderRole}, {"role of the receiver", m.ReceiverRole},
			{"agreement", m.Agreement.Value}, {"agreement type", m.Agreement.Type}, {"service", m.Service.Value}, {"service type", m.Service.Type}, {"action", m.Action},
			{"security", m.Security.String()}, {"retries", retryWords(m.Retry)}, {"duplicates", map[bool]string{true: "eliminated", false: "refused"}[m.DuplicateDetection]},
			{"receipt", receiptWords(m)}, {"compression", yes(m.Compress)},
		}}
		for _, p := range m.Properties {
			it.Fields = append(it.Fields, Field{"property " + p.Key, p.Datatype + map[bool]string{true: ", required", false: ""}[p.Required]})
		}
		if pp := m.Payloads; pp != nil {
			it.Fields = append(it.Fields, Field{"payload size", fmt.Sprint(pp.MaxSize)})
			for _, p := range pp.Payloads {
				it.Fields = append(it.Fields, Field{"payload " + p.Name, strings.TrimSpace(p.ContentID + " " + p.MimeType + map[bool]string{true: ", required", false: ""}[p.Required])})
			}
		}
		if sp := m.Splitting; sp != nil {
			it.Fields = append(it.Fields, Field{"splitting", fmt.Sprintf("%d MiB, joined within %d minutes", sp.FragmentSize, sp.JoinInterval)})
		}
		items = append(items, it)
	}
	return items
}

func receiptWords(m *Mode) string {
	switch {
	case !m.Receipt:
		return "none"
	case m.Callback:
		return "in a request of its own"
	case m.NonRepudiation:
		return "with digests, in the response"
	}
	return "without digests, in the response"
}
