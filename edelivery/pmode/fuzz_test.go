package pmode

import (
	"bytes"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// FuzzDomibus holds to it: what is accepted is the same when it is written and read again, and every P-Mode of it can be
// made, compared and told.
func FuzzDomibus(f *testing.F) {
	f.Add(sample(f, "domibus.xml"))
	f.Add(sample(f, "domibus.xml", `binding="push"`, `binding="pull"`, `retry="12;4;CONSTANT"`, `retry="100;20;3;PROGRESSIVE"`))
	f.Add(sample(f, "domibus.xml", `policy="eDeliveryAS4Policy_BST.xml"`, `profile="ECC"`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			return
		}
		set, err := Read(bytes.Clone(b), Options{})
		if err != nil {
			if len(err.(Problems)) == 0 {
				t.Fatal("refused without a problem")
			}
			return
		}
		exercise(t, set)
		d, _, err := ReadDomibus(bytes.Clone(b), "")
		if err != nil {
			return // another format
		}
		again, _, err := ReadDomibus(d.Bytes(), "")
		if err != nil {
			t.Fatalf("written and read again: %v\n%s", err, d.Bytes())
		}
		if diff := gocmp.Diff(d, again, noPlaces, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzHolodeck holds to it that every P-Mode of what is accepted can be made, compared and told.
func FuzzHolodeck(f *testing.F) {
	f.Add(sample(f, "holodeck.xml"))
	f.Add(sample(f, "holodeck.xml", "200704/push", "200704/pull"))
	f.Add(sample(f, "holodeck.xml", "<WaitIntervals>30,60,120,120</WaitIntervals>", "<MaxRetries>4</MaxRetries><RetryInterval>30</RetryInterval>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			return
		}
		if set, err := Read(b, Options{}); err == nil {
			exercise(t, set)
		}
	})
}

// FuzzPolicy holds to it that nothing is encrypted without being signed but where the policy says so.
func FuzzPolicy(f *testing.F) {
	f.Add(sample(f, "policy.xml"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ReadPolicy(b); err == nil && !s.Sign && s.SignToken != "" {
			t.Fatalf("%+v", s)
		}
	})
}

func exercise(t *testing.T, s *Set) {
	items := s.Items()
	if c := Diff(items, items); len(c) != 0 && !twice(items) {
		t.Fatalf("a set differs from itself: %+v", c)
	}
	for _, m := range s.Modes {
		checkMode(t, "", s, m)
	}
	for _, p := range s.Partners {
		if d, _, err := s.ForPartner(p.Name); err == nil {
			if _, err := Read(d.Bytes(), Options{}); err != nil && s.Format == "domibus" {
				t.Fatalf("for %q: %v\n%s", p.Name, err, d.Bytes())
			}
		}
		if _, err := s.Agreement(p.Name, AgreementOptions{}); err != nil {
			t.Fatalf("for %q: %v", p.Name, err)
		}
	}
}

// twice reports whether two things have one name, in which case a difference cannot tell them apart.
func twice(items []Item) bool {
	for i, it := range items {
		if slices.ContainsFunc(items[:i], func(o Item) bool { return o.Kind == it.Kind && o.Name == it.Name }) {
			return true
		}
	}
	return false
}
