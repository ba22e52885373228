package smp

import (
	"errors"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
)

func TestSelect(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	billing, order := ids.Process{Scheme: "p", Value: "billing"}, ids.Process{Scheme: "p", Value: "order"}
	ep := func(profile, url string, from, to int) Endpoint {
		e := Endpoint{TransportProfile: profile, URL: url}
		if from != 0 {
			e.Activation = now.AddDate(0, 0, from)
		}
		if to != 0 {
			e.Expiration = now.AddDate(0, 0, to)
		}
		return e
	}
	md := &ServiceMetadata{Processes: []Process{
		{Process: billing, Endpoints: []Endpoint{
			ep("as2", "as2", 0, 0), ep("as4", "old", -100, -1), ep("as4", "now", -10, 20), ep("as4", "newer", -5, 0),
			ep("as4", "soon", 5, 0), ep("later", "later", 5, 0),
		}},
		{Endpoints: []Endpoint{ep("any", "any", 0, 0)}},
	}}
	for _, c := range []struct {
		name     string
		process  ids.Process
		profiles []string
		want     string
		err      error
	}{
		{"the newest active one of the profile", billing, []string{"as4"}, "newer", nil},
		{"the order of profiles decides first", billing, []string{"as2", "as4"}, "as2", nil},
		{"a profile without active endpoint gives way to the next", billing, []string{"later", "as4"}, "newer", nil},
		{"a process that is not listed is served by the one for all", order, []string{"any"}, "any", nil},
		{"an unknown profile", billing, []string{"ftp"}, "", ErrNoTransport},
		{"only endpoints of the future", billing, []string{"later"}, "", ErrNotActive},
		{"profiles compare with case", billing, []string{"AS4"}, "", ErrNoTransport},
	} {
		e, err := Select(md, Choice{Process: c.process, TransportProfiles: c.profiles, Now: now})
		if !errors.Is(err, c.err) || err == nil && e.URL != c.want {
			t.Errorf("%s: got %+v, %v", c.name, e, err)
		}
	}
	only := &ServiceMetadata{Processes: md.Processes[:1]}
	for _, p := range []ids.Process{order, {Scheme: "q", Value: "billing"}, {Scheme: "p", Value: "Billing"}} {
		if _, err := Select(only, Choice{Process: p, Now: now}); !errors.Is(err, ErrNoProcess) {
			t.Errorf("process %s: got %v", p, err)
		}
	}
	folded := Choice{Process: ids.Process{Scheme: "p", Value: "Billing"}, Now: now, Rules: ids.Rules{FoldProcess: true}}
	if e, err := Select(only, folded); err != nil || e.URL != "newer" {
		t.Errorf("folded process: got %+v, %v", e, err)
	}
}
