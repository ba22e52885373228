package trustlist

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Set is every list that counts, with an index over their services. It is immutable and may be used by many goroutines.
type Set struct {
	Lists    []*Listed // lists of lists first, then by territory
	Problems []Problem

	services map[[32]byte][]*Service // by the SHA-256 of the subject's key
	anchors  map[[32]byte]*Anchor    // by fingerprint
	named    map[string][]*pki.Certificate
}

// Listed is a list with where it came from.
type Listed struct {
	*Checked
	URL     string
	Via     string    // the list of lists that points at it; "" where it is configured
	Fetched time.Time // when it was last known to be current
	// Signers are who may sign it: by the list that points at it, or by configuration and the pivots since.
	Signers []*pki.Certificate
	Kept    error // why this copy is used though it is not the one that is published, or past its next update; nil: it is as it should be
}

// Problem is why a list does not count, or should be looked after.
type Problem struct {
	URL, Territory string
	Err            error
	Kept           bool // an earlier good copy is used
	Pivot          bool // it is of a list of the past, which names signers
}

func (p Problem) Error() string {
	s := p.URL
	if p.Territory != "" {
		s = p.Territory + " " + s
	}
	if p.Kept {
		return fmt.Sprintf("%s: the last good copy is kept: %v", s, p.Err)
	}
	return fmt.Sprintf("%s: %v", s, p.Err)
}

// Missing are the problems of lists that do not count at all.
func (s *Set) Missing() (out []Problem) {
	if s == nil {
		return nil
	}
	for _, p := range s.Problems {
		if !p.Pivot && !slices.ContainsFunc(s.Lists, func(l *Listed) bool { return l.URL == p.URL }) {
			out = append(out, p)
		}
	}
	return out
}

// Listed is the list in which a service stands.
func (s *Set) Listed(x *Service) *Listed {
	for _, l := range s.Lists {
		if l.List == x.Provider.List {
			return l
		}
	}
	return nil
}

// At is the set at a later time, without network: without the lists whose next update was due by then and longer ago than the
// grace, and those that such a list of lists points at. Where none is, it is the same set.
func (s *Set) At(now time.Time, grace time.Duration) *Set {
	late := func(l *Listed) bool { return l.Expired(now.Add(-grace)) }
	if s == nil || !slices.ContainsFunc(s.Lists, late) {
		return s
	}
	var left []*Listed
	problems := slices.Clone(s.Problems)
	gone := map[string]bool{}
	for _, l := range s.Lists { // lists of lists come first
		switch {
		case late(l):
			problems = append(problems, Problem{URL: l.URL, Territory: l.Territory, Err: l.late()})
		case gone[l.Via]:
			problems = append(problems, Problem{URL: l.URL, Territory: l.Territory, Err: fmt.Errorf("%w that points at it", ErrExpired)})
		default:
			left = append(left, l)
			continue
		}
		gone[l.URL] = true
	}
	out := NewSet(left...)
	out.Problems = problems
	return out
}

func (l *List) late() error {
	return fmt.Errorf("%w: due %s [TS 119 612 5.3.15]", ErrExpired, l.Next.Format(time.RFC3339))
}

// NewSet makes a set of lists that were checked.
func NewSet(lists ...*Listed) *Set {
	s := &Set{Lists: lists, services: map[[32]byte][]*Service{}}
	for _, l := range lists {
		for _, p := range l.Providers {
			for _, service := range p.Services {
				for i := range service.Periods {
					for _, c := range service.Periods[i].Certificates {
						k := sha256.Sum256(c.RawSPKI)
						if !slices.Contains(s.services[k], service) {
							s.services[k] = append(s.services[k], service)
						}
					}
				}
			}
		}
	}
	s.index()
	return s
}

// Services are those that a certificate identifies.
func (s *Set) Services(c *pki.Certificate) (out []*Service) {
	for _, x := range s.services[sha256.Sum256(c.RawSPKI)] {
		if x.Identifies(c) {
			out = append(out, x)
		}
	}
	return out
}

// Anchor is a certificate that lists make a trust anchor.
type Anchor struct {
	Certificate *pki.Certificate
	From, Until time.Time // of the trust; Until zero: it lasts
	// Issues and Stamps tell what its services do: one that does neither tells of revocations alone.
	Issues, Stamps bool
	// Qualified tells that one of its services is a qualified one now.
	Qualified bool
	// ExpiredCerts is since when revocation data of the service tells of expired certificates; zero: it does not.
	ExpiredCerts time.Time
}

// trusted are the statuses under which a service's certificates are anchors.
var trusted = []string{
	"granted", "recognisedatnationallevel", "setbynationallaw", "undersupervision", "supervisionincessation", "accredited",
}

func (p *Period) trusted() bool {
	return slices.ContainsFunc(trusted, func(t string) bool { return p.Status == StatusRoot+t })
}

// issues tells whether the service issues certificates or signs time-stamps, OCSP responses or CRLs.
func (p *Period) issues() bool {
	switch strings.TrimPrefix(p.Type, ServiceRoot) {
	case "CA/QC", "CA/PKC", "NationalRootCA-QC", "Certstatus/OCSP", "Certstatus/OCSP/QC", "Certstatus/CRL", "Certstatus/CRL/QC",
		"TSA", "TSA/QTST", "TSA/TSS-QC", "TSA/TSS-AdESQCandQES":
		return true
	}
	return false
}

// Anchor tells whether a certificate is of a service that issues certificates, revocation data or time-stamps, and for how
// long the lists say that it is trusted [TS 119 615 4.3]; nil where they do not. One whose service was withdrawn is an anchor
// until then.
func (s *Set) Anchor(c *pki.Certificate) *Anchor {
	if s == nil {
		return nil
	}
	return s.anchors[c.Fingerprint()]
}

// Named are the anchors of a subject, by the octets of its name.
func (s *Set) Named(rawSubject []byte) []*pki.Certificate {
	if s == nil {
		return nil
	}
	return s.named[string(rawSubject)]
}

// Responders are the certificates of the OCSP services that the lists trust, of those providers that a service of the chain belongs to:
// they may answer, or certify who does, for certificates of that chain.
func (s *Set) Responders(chain []*pki.Certificate) (out []*pki.Certificate) {
	if s == nil {
		return nil
	}
	var asked []*Provider
	for _, c := range chain {
		for _, known := range s.Services(c) {
			if p := known.Provider; !slices.Contains(asked, p) {
				asked = append(asked, p)
				for _, x := range p.Services {
					out = append(out, x.responders()...)
				}
			}
		}
	}
	return out
}

// responders are the certificates of a service that is, or was, trusted for OCSP.
func (s *Service) responders() (out []*pki.Certificate) {
	for i := range s.Periods {
		p := &s.Periods[i]
		if p.Foreign || !p.trusted() || !strings.HasPrefix(p.Type, ServiceRoot+"Certstatus/OCSP") {
			continue
		}
		for k := range s.Periods { // earlier periods leave the certificates to the latest
			for _, c := range s.Periods[k].Certificates {
				if !slices.ContainsFunc(out, c.Equal) {
					out = append(out, c)
				}
			}
		}
	}
	return out
}

// Certificates are all anchors.
func (s *Set) Certificates() []*pki.Certificate {
	if s == nil {
		return nil
	}
	out := make([]*pki.Certificate, 0, len(s.anchors))
	for _, a := range s.anchors {
		out = append(out, a.Certificate)
	}
	return out
}

func (s *Set) index() {
	s.anchors, s.named = map[[32]byte]*Anchor{}, map[string][]*pki.Certificate{}
	for _, l := range s.Lists {
		for _, service := range l.Services() {
			a, ok := service.trust()
			if !ok {
				continue
			}
			for i := range service.Periods {
				for _, c := range service.Periods[i].Certificates {
					s.add(c, a)
				}
			}
		}
	}
}

// add takes in an anchor; where two services have one certificate, it is trusted while one of them is.
func (s *Set) add(c *pki.Certificate, a Anchor) {
	f := c.Fingerprint()
	o := s.anchors[f]
	if o == nil {
		a.Certificate = c
		s.anchors[f] = &a
		s.named[string(c.RawSubject)] = append(s.named[string(c.RawSubject)], c)
		return
	}
	if a.From.Before(o.From) {
		o.From = a.From
	}
	if !o.Until.IsZero() && (a.Until.IsZero() || a.Until.After(o.Until)) {
		o.Until = a.Until
	}
	o.Issues, o.Stamps, o.Qualified = o.Issues || a.Issues, o.Stamps || a.Stamps, o.Qualified || a.Qualified
	if o.ExpiredCerts.IsZero() {
		o.ExpiredCerts = a.ExpiredCerts
	}
}

// trust is the time in which a service was trusted: from the first such period to the end of the last.
func (s *Service) trust() (a Anchor, ok bool) {
	for i := range s.Periods {
		p := &s.Periods[i]
		if p.Foreign || !p.trusted() || !p.issues() {
			continue
		}
		if !ok {
			a.Until, a.ExpiredCerts = p.Until, p.ExpiredCerts
		}
		a.From, ok = p.From, true
		switch t := strings.TrimPrefix(p.Type, ServiceRoot); {
		case strings.HasPrefix(t, "TSA"):
			a.Stamps = true
		case !strings.HasPrefix(t, "Certstatus"):
			a.Issues = true
		}
		if i == 0 && (p.Type == ServiceCA || p.Type == ServiceRoot+"TSA/QTST") {
			a.Qualified = true
		}
	}
	return a, ok
}
