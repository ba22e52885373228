package audit

import (
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/node/store"
)

const rules = `
rules:
  - name: health-refused
    direction: in
    domain: health
    outcome: [rejected, failed]
    creates: [header, rem-delivery-failed]
  - name: bulk
    service: urn:bulk*
    creates: []
  - name: orders
    action: urn:order
    creates: [receipt]
`

func TestTheFirstRuleThatMatchesDecides(t *testing.T) {
	t.Parallel()
	p, err := ParsePolicy([]byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		facts Facts
		rule  string
		kinds []Kind
	}{
		{Facts{store.In, "health", "urn:bulk:1", "x", "failed"}, "health-refused", []Kind{KindHeader, "rem-delivery-failed"}},
		{Facts{store.In, "health", "urn:bulk:1", "x", "delivered"}, "bulk", nil},
		{Facts{store.Out, "health", "urn:s", "urn:order", "failed"}, "orders", []Kind{KindReceipt}},
		{Facts{store.Out, "health", "urn:s", "urn:orders", "failed"}, "none", nil},
	} {
		d := p.Decide(&c.facts)
		if d.Rule != c.rule || !slices.Equal(d.Creates, c.kinds) {
			t.Errorf("%+v: %+v", c.facts, d)
		}
	}
	d := DefaultPolicy().Decide(&Facts{Direction: store.In})
	for _, k := range builtin {
		if !d.Has(k) {
			t.Errorf("the default does not create %s", k)
		}
	}
}

func TestAWrongPolicyIsRefusedWithAllItsProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                                  {"empty"},
		"rules: [{name: a, creats: []}]":    {"creats"},
		"rules: [{name: 'a b'}]":            {"rule 1: name"},
		"rules: [{name: a}, {name: a}]":     {"rule 2: name: \"a\" stands twice"},
		"rules: [{name: a, direction: up}]": {"direction: in or out"},
		"rules: [{name: a, outcome: [sent, lost]}, {name: b, creates: [recipt, error, error]}]": {`"lost"`, `"recipt"`, `"error" stands twice`},
	} {
		_, err := ParsePolicy([]byte(text))
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%q: %v, want %s", text, err, w)
			}
		}
	}
}

func TestThePolicyDecidesWhatTheLogTells(t *testing.T) {
	t.Parallel()
	h := store.Happening{
		What: store.OfMessage, Time: start, Direction: store.In, State: store.Received, MessageID: "a@b",
		Objects: []store.Object{{Kind: "header"}, {Kind: "payload"}, {Kind: "receipt"}},
	}
	for text, want := range map[string][]string{
		"rules: [{name: all, creates: [receipt, header, payloads]}]": {"header", "payload", "receipt"},
		"rules: [{name: some, creates: [receipt]}]":                  {"receipt"},
		"rules: [{name: nothing, creates: []}]":                      nil,
		"rules: []":                                                  nil,
	} {
		p, err := ParsePolicy([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		e, err := Parse(NewRecorder(p).Record(nil, &h))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range e.Objects {
			got = append(got, o.Kind)
		}
		rule := "none"
		if len(p.Rules()) > 0 {
			rule = p.Rules()[0].Name
		}
		if !slices.Equal(got, want) || e.Rule != rule {
			t.Errorf("%s: %v by rule %s, want %v", text, got, e.Rule, want)
		}
	}
	// What is deleted is named all the same.
	h.What = store.MessageGone
	p, _ := ParsePolicy([]byte("rules: []"))
	if e, err := Parse(NewRecorder(p).Record(nil, &h)); err != nil || len(e.Objects) != 3 {
		t.Errorf("%+v %v", e, err)
	}
}
