package smp

import (
	"fmt"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
)

// Merge completes md, which comes in, with what old, which may be nil, has besides: processes that md does not name, and
// in the others endpoints. An endpoint replaces the one of the same process, transport profile and period. Two of one
// profile whose periods overlap otherwise are refused with [ErrSyntax]: a sender could not tell which one counts. A
// redirect replaces everything, and is replaced by anything.
func Merge(md, old *ServiceMetadata, rules ids.Rules) error {
	if old != nil && old.Redirect == nil && md.Redirect == nil {
		md.Processes = slices.Clone(md.Processes)
		for i := range old.Processes {
			mergeProcess(md, &old.Processes[i], rules)
		}
		if len(md.Extensions) == 0 {
			md.Extensions = old.Extensions
		}
	}
	for i := range md.Processes {
		if err := checkPeriods(&md.Processes[i]); err != nil {
			return fmt.Errorf("%w: process %s: %w", ErrSyntax, md.Processes[i].Process, err)
		}
	}
	return nil
}

func mergeProcess(md *ServiceMetadata, old *Process, rules ids.Rules) {
	i := slices.IndexFunc(md.Processes, func(p Process) bool { return rules.SameProcess(p.Process, old.Process) })
	switch {
	case i < 0:
		md.Processes = append(md.Processes, *old)
		return
	case old.Redirect != nil || md.Processes[i].Redirect != nil:
		return
	}
	p := &md.Processes[i]
	p.Endpoints = slices.Clone(p.Endpoints)
	for _, e := range old.Endpoints {
		if !slices.ContainsFunc(p.Endpoints, func(n Endpoint) bool {
			return n.TransportProfile == e.TransportProfile && n.Activation.Equal(e.Activation) && n.Expiration.Equal(e.Expiration)
		}) {
			p.Endpoints = append(p.Endpoints, e)
		}
	}
}

func checkPeriods(p *Process) error {
	for i := range p.Endpoints {
		for j := range p.Endpoints[:i] {
			a, b := &p.Endpoints[i], &p.Endpoints[j]
			if a.TransportProfile == b.TransportProfile && before(a.Activation, b.Expiration) && before(b.Activation, a.Expiration) {
				return fmt.Errorf("two endpoints of %s are active at the same time", a.TransportProfile)
			}
		}
	}
	return nil
}

// before compares a beginning with an end; zero is unbounded.
func before(begin, end time.Time) bool { return begin.IsZero() || end.IsZero() || begin.Before(end) }
