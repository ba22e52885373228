package validation

import (
	"slices"
	"time"
)

// proofs are the earliest times at which tokens are proven to exist, by ID [EN 319 102-1 5.6.2.3].
type proofs struct {
	now time.Time
	at  map[string]time.Time
}

func (p *proofs) of(id string) time.Time {
	if t, ok := p.at[id]; ok {
		return t
	}
	return p.now
}

func (p *proofs) add(id string, t time.Time) {
	if t.Before(p.of(id)) {
		p.at[id] = t
	}
}

// archival is the validation process with archival data [EN 319 102-1 5.6.3].
func (j *judge) archival(s *Signature, longTerm Conclusion) Conclusion {
	if !curable(longTerm) {
		return longTerm
	}
	p := j.proven()
	best := p.of(s.ID)
	if longTerm.passed() {
		if best.Before(longTerm.Time) {
			longTerm.Time = best
		}
		return longTerm
	}
	r := run{c: j.past(&s.Token, longTerm, ofSignature, p, func(at time.Time) []string { return j.weak(s, at) })}
	r.failed = !r.c.passed()
	j.rest(&r, s, best)
	out := r.conclude()
	out.Time = best
	out.Checks = append(slices.Clip(longTerm.Checks), out.Checks...)
	return out
}

// proven is what the time-stamps of all signatures prove to exist: of what two of them share, one may have the older proof
// [EN 319 102-1 5.6.2.3].
func (j *judge) proven() *proofs {
	if j.existing != nil {
		return j.existing
	}
	p := &proofs{j.now, map[string]time.Time{}}
	j.existing = p
	stamps := j.stamped
	// Newest first; of one second, the one that covers the other.
	slices.SortStableFunc(stamps, func(a, b *TimeStamp) int {
		if !a.Time.Equal(b.Time) {
			return b.Time.Compare(a.Time)
		}
		switch {
		case slices.Contains(a.Covers, b.ID):
			return -1
		case slices.Contains(b.Covers, a.ID):
			return 1
		}
		return 0
	})
	for _, t := range stamps {
		c := j.stamp(t)
		good := c.passed() || curable(c) && j.past(&t.Token, c, ofTimeStamp, p, func(at time.Time) []string { return j.weakStamp(t, at) }).passed()
		if !good || j.policy.Suite.digest(t.Digest, p.of(t.ID)) != "" {
			continue
		}
		for _, id := range t.Covers {
			p.add(id, t.Time)
		}
	}
	return p
}

func (j *judge) weakStamp(t *TimeStamp, at time.Time) (out []string) {
	if why := j.policy.Suite.algorithm(t.Algorithm, at); why != "" {
		out = append(out, why)
	}
	if why := j.policy.Suite.digest(t.Digest, at); why != "" {
		out = append(out, why)
	}
	return out
}

// past is past signature validation [EN 319 102-1 5.6.2.4]: the current conclusion is cured when the token is proven to exist
// while its chain was good.
func (j *judge) past(t *Token, current Conclusion, as role, p *proofs, weak func(time.Time) []string) Conclusion {
	const clause = "EN 319 102-1 5.6.2.4"
	var r run
	control, ok := j.slide(t, as, p)
	best := p.of(t.ID)
	keep := func(ok bool, question string) {
		r.keep(ok, current, clause, question)
	}
	keep(ok, "Is there a time at which the whole chain was good?")
	keep(!best.After(control), "Is the signature proven to exist at that time?")
	if r.failed {
		return r.conclude()
	}
	c := t.Signer
	dates := func(late Sub) {
		r.check(!best.Before(c.NotBefore), Failed, NotYetValid, clause, "Is the signature from after the certificate was issued?", "it is proven to exist before "+when(c.NotBefore))
		r.check(!best.After(c.NotAfter) || c.Trusted, Indeterminate, late, clause, "Is the signature proven to exist before the certificate expired?", "it is not")
	}
	switch current.Sub {
	case RevokedNoPOE, RevokedCANoPOE, NoCertificateChainFoundNoPOE, RevocationOutOfBoundsNoPOE, TryLater:
		dates(OutOfBoundsNotRevoked)
	case OutOfBoundsNoPOE, OutOfBoundsNotRevoked:
		dates(current.Sub)
	case CryptoConstraintsNoPOE:
		keep(len(weak(best)) == 0, "Were its algorithms reliable when it is proven to exist?")
		for i, x := range t.Chain {
			if x.AnchorOf(as.use()) {
				break
			}
			keep(j.policy.Suite.algorithm(x.Algorithm, p.of(x.ID)) == "", x.Subject+": were its algorithms reliable when it is proven to exist?")
			if used := j.past1(x, i, as, p, control); used != nil {
				keep(j.policy.Suite.algorithm(used.Data.Algorithm, p.of(used.Data.ID)) == "", x.Subject+": were those of its revocation data?")
			}
		}
	default:
		keep(false, "Is that cured by proof of existence?")
	}
	return r.conclude()
}

// past1 is the revocation data that counts for a certificate at a control time: acceptable, and proven to exist by then.
func (j *judge) past1(c *Certificate, i int, as role, p *proofs, control time.Time) (used *CertificateStatus) {
	if exempt(c, i, as) {
		return nil
	}
	for k := range c.Revocations {
		s := &c.Revocations[k]
		if !j.acceptable(s, c).passed() || p.of(s.Data.ID).After(control) || !vouched(s.Data, p) {
			continue
		}
		if used == nil || s.Data.Produced.After(used.Data.Produced) {
			used = s
		}
	}
	return used
}

// vouched tells whether revocation data is proven to exist while its issuer's certificate was valid: later, anybody who broke
// the key could have made it.
func vouched(d *Revocation, p *proofs) bool {
	c := d.Signer
	return c == nil || c.Trusted || !p.of(d.ID).After(c.NotAfter)
}

// slide is validation time sliding [EN 319 102-1 5.6.2.2]: the latest time at which every certificate of the chain was known
// to be good.
func (j *judge) slide(t *Token, as role, p *proofs) (control time.Time, ok bool) {
	control = j.now
	top := slices.IndexFunc(t.Chain, func(c *Certificate) bool { return c.AnchorOf(as.use()) })
	if top < 0 {
		return control, false
	}
	if sunset := t.Chain[top].Sunset; !sunset.IsZero() && sunset.Before(control) {
		control = sunset
	}
	for i := top - 1; i >= 0; i-- {
		c := t.Chain[i]
		if !exempt(c, i, as) {
			if p.of(c.ID).After(control) {
				return control, false
			}
			used := j.past1(c, i, as, p, control)
			if used == nil {
				if as == ofRevocation && i > 0 {
					continue
				}
				return control, false
			}
			switch {
			case used.Revoked && used.Date.Before(control):
				control = used.Date
			case j.policy.Fresh && !fresh(used.Data, control):
				control = earlier(control, used.Data.ThisUpdate)
			}
			control = earlier(control, j.policy.Suite.until(used.Data.Algorithm))
		}
		control = earlier(control, j.policy.Suite.until(c.Algorithm))
	}
	return control, true
}

func earlier(a, b time.Time) time.Time {
	if !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// fresh tells whether revocation data still counts at a time.
func fresh(d *Revocation, at time.Time) bool {
	return !d.NextUpdate.IsZero() && d.NextUpdate.After(at)
}
