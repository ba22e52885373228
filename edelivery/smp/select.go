package smp

import (
	"fmt"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
)

// Choice says which endpoint is wanted.
type Choice struct {
	// Process; the zero value takes any.
	Process ids.Process
	// TransportProfiles in order of preference; nil takes any.
	TransportProfiles []string
	Now               time.Time
	Rules             ids.Rules
}

// Select chooses the endpoint: by process, then by the first transport profile that has an active endpoint, then the one
// activated last [PSMP 4.2, SMP2 4.3.5]. [ErrNoProcess], [ErrNoTransport] and [ErrNotActive] tell how far it came.
func Select(md *ServiceMetadata, c Choice) (*Endpoint, error) {
	reached := ErrNoProcess
	var best *Endpoint
	rank := 0
	for i := range md.Processes {
		p := &md.Processes[i]
		if !c.process(p) {
			continue
		}
		reached = later(reached, ErrNoTransport)
		for j := range p.Endpoints {
			e := &p.Endpoints[j]
			r := c.profile(e.TransportProfile)
			if r < 0 {
				continue
			}
			reached = later(reached, ErrNotActive)
			if e.ActiveAt(c.Now) && (best == nil || r < rank || r == rank && e.Activation.After(best.Activation)) {
				best, rank = e, r
			}
		}
	}
	if best == nil {
		return nil, fmt.Errorf("%w: %s", reached, c)
	}
	return best, nil
}

// later keeps the sentinel that stands further along the way.
func later(a, b error) error {
	if a == ErrNotActive {
		return a
	}
	return b
}

// process tells whether p serves the wanted process; one without name serves every one [SMP2 4.3.4].
func (c Choice) process(p *Process) bool {
	return c.Process.IsZero() || p.Process.IsZero() || c.Rules.SameProcess(p.Process, c.Process)
}

// profile is the place of a transport profile in the order of preference, -1 when it is not accepted.
func (c Choice) profile(name string) int {
	if len(c.TransportProfiles) == 0 {
		return 0
	}
	for i, p := range c.TransportProfiles {
		if p == name {
			return i
		}
	}
	return -1
}

func (c Choice) String() string {
	s := "any process"
	if !c.Process.IsZero() {
		s = "process " + c.Process.String()
	}
	if len(c.TransportProfiles) > 0 {
		s += fmt.Sprintf(", transport %q", c.TransportProfiles)
	}
	return s + c.Now.UTC().Format(", at 2006-01-02T15:04:05Z")
}

// redirectFor is the redirect that answers for the wanted process: of the whole document, or of the process in 2.0.
func redirectFor(md *ServiceMetadata, c Choice) *Redirect {
	if md.Redirect != nil {
		return md.Redirect
	}
	for i := range md.Processes {
		if p := &md.Processes[i]; len(p.Endpoints) > 0 && c.process(p) {
			return nil // served here
		}
	}
	for i := range md.Processes {
		if p := &md.Processes[i]; p.Redirect != nil && c.process(p) {
			return p.Redirect
		}
	}
	return nil
}
