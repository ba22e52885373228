package validation

import (
	"fmt"
	"slices"
	"time"
)

// Report is the verdict about one signature, with that of each process on the way [EN 319 102-1 5].
type Report struct {
	Signature  *Signature
	Indication Indication // TOTAL_PASSED, TOTAL_FAILED or INDETERMINATE
	Sub        Sub
	Why        string
	BestTime   time.Time // since when the signature is proven to exist
	Basic      Conclusion
	LongTerm   Conclusion
	Archival   Conclusion
	TimeStamps map[*TimeStamp]Conclusion

	// What trusted lists make of the signature and of its time-stamps; nil where none were asked.
	Qualification     *Qualification
	TimeStampsByLists map[*TimeStamp]*Qualification
}

// Validate judges every signature of the facts at a time.
func Validate(f *Facts, p *Policy, at time.Time) []*Report {
	if p == nil {
		p = DefaultPolicy()
	}
	j := newJudge(p, at)
	j.unread = f.Unread
	known := map[*TimeStamp]bool{}
	for _, s := range f.Signatures {
		for _, t := range s.TimeStamps {
			if !known[t] {
				known[t] = true
				j.stamped = append(j.stamped, t)
			}
		}
	}
	out := make([]*Report, 0, len(f.Signatures))
	for _, s := range f.Signatures {
		r := j.signature(s)
		if f.Listed {
			r.Qualification, r.TimeStampsByLists = QualifySignature(r, f.Unread), map[*TimeStamp]*Qualification{}
			for _, t := range s.TimeStamps {
				r.TimeStampsByLists[t] = QualifyTimeStamp(t, at)
			}
		}
		out = append(out, r)
	}
	return out
}

// ValidateTimeStamp judges a time-stamp by itself.
func ValidateTimeStamp(t *TimeStamp, p *Policy, at time.Time) Conclusion {
	if p == nil {
		p = DefaultPolicy()
	}
	return newJudge(p, at).stamp(t)
}

// ValidateCertificate judges the signer of a token by itself, as one of signatures [EN 319 102-1 5.2.6].
func ValidateCertificate(t *Token, p *Policy, at time.Time) Conclusion {
	if p == nil {
		p = DefaultPolicy()
	}
	return newJudge(p, at).chain(t, ofSignature)
}

func (j *judge) signature(s *Signature) *Report {
	r := &Report{Signature: s, TimeStamps: map[*TimeStamp]Conclusion{}}
	for _, t := range s.TimeStamps {
		r.TimeStamps[t] = j.stamp(t)
	}
	r.Basic = j.basic(s)
	r.LongTerm = j.longTerm(s, r.Basic)
	r.Archival = j.archival(s, r.LongTerm)
	r.BestTime = r.Archival.Time
	r.Sub, r.Why = r.Archival.Sub, r.Archival.Why
	switch r.Archival.Indication {
	case Passed:
		r.Indication = TotalPassed
	case Failed:
		r.Indication = TotalFailed
	default:
		r.Indication = Indeterminate
	}
	return r
}

// basic is the validation process for basic signatures [EN 319 102-1 5.3].
func (j *judge) basic(s *Signature) Conclusion {
	var r run
	j.format(&r, s)
	j.identify(&r, &s.Token, s.Certificates, true)
	j.computable(&r, &s.Token)
	j.cryptographic(&r, s.References, s.Intact)
	if r.failed {
		out := r.conclude()
		out.Time = j.now
		return out
	}
	as := ofSignature
	if s.Counter != nil {
		as = ofCounterSignature
	}
	x := j.chain(&s.Token, as)
	if at := j.contentTime(s); !at.IsZero() && s.Signer != nil {
		// It was surely signed after that time.
		switch x.Sub {
		case RevokedNoPOE:
			if used, _ := j.latest(s.Signer); used != nil && at.After(used.Date) {
				r.check(false, Failed, Revoked, "EN 319 102-1 5.3.4", "Was it not signed after the certificate was revoked?", fmt.Sprintf("a time-stamp over the content of %s is later than the revocation", when(at)))
			}
		case OutOfBoundsNoPOE, OutOfBoundsNotRevoked:
			r.check(!at.After(s.Signer.NotAfter), Failed, Expired, "EN 319 102-1 5.3.4", "Was it not signed after the certificate expired?", fmt.Sprintf("a time-stamp over the content of %s is later than that", when(at)))
		}
	}
	if !r.failed {
		r.adopt(x)
	}
	j.accepted(&r, s)
	j.reliable(&r, s, j.now)
	if at := j.contentTime(s); r.c.Sub == CryptoConstraintsNoPOE && !at.IsZero() && len(j.weak(s, at)) > 0 {
		r.c.Sub = CryptoConstraintsFailure
	}
	out := r.conclude()
	out.Time = j.now
	return out
}

// contentTime is the latest time of a good time-stamp over the content.
func (j *judge) contentTime(s *Signature) (at time.Time) {
	for _, t := range s.TimeStamps {
		if t.content() && j.stamp(t).passed() && t.Time.After(at) {
			at = t.Time
		}
	}
	return at
}

// longTerm is the validation process with time and long-term data [EN 319 102-1 5.5].
func (j *judge) longTerm(s *Signature, basic Conclusion) Conclusion {
	best := j.now
	if !curable(basic) {
		basic.Time = best
		return basic
	}
	for _, t := range s.TimeStamps {
		if t.Kind == "SIGNATURE_TIMESTAMP" && t.Time.Before(best) && j.stamp(t).passed() {
			best = t.Time
		}
	}
	const clause = "EN 319 102-1 5.5.4"
	r := run{c: Conclusion{Time: best}}
	c := s.Signer
	keep := func(ok bool, question string) {
		r.keep(ok, basic, clause, question)
	}
	begun := func() {
		r.check(!best.Before(c.NotBefore), Failed, NotYetValid, clause, "Is the signature from after the certificate was issued?", "it is proven to exist before "+when(c.NotBefore))
	}
	switch basic.Sub {
	case RevokedNoPOE, RevokedCANoPOE:
		revoked, hold := j.revocationTime(s, basic.Sub)
		keep(!hold && !revoked.IsZero() && revoked.After(best), "Is the signature proven to exist before the revocation?")
		begun()
		r.check(!best.After(c.NotAfter), Indeterminate, OutOfBoundsNotRevoked, clause, "Is the signature proven to exist before the certificate expired?", "it is not")
	case OutOfBoundsNoPOE:
		begun()
		keep(j.knownGood(c), "Is it known that the certificate was not revoked?")
		r.check(!best.After(c.NotAfter), Indeterminate, OutOfBoundsNoPOE, clause, "Is the signature proven to exist before the certificate expired?", "it is not")
		r.check(false, Indeterminate, RevocationOutOfBoundsNoPOE, clause, "Is the certificate of who says that it is not revoked valid now?", "it is not")
	case OutOfBoundsNotRevoked:
		begun()
		keep(!best.After(c.NotAfter), "Is the signature proven to exist before the certificate expired?")
	case CryptoConstraintsNoPOE:
		keep(len(j.weak(s, best)) == 0, "Were the algorithms reliable when the signature is proven to exist?")
		begun()
	case TryLater, RevocationOutOfBoundsNoPOE, NoCertificateChainFoundNoPOE:
		keep(false, "Is that cured by a time-stamp?")
	default:
		if basic.passed() && c != nil {
			begun()
		}
	}
	j.order(&r, s, best)
	if !basic.passed() {
		j.rest(&r, s, best)
	}
	if basic.Sub == CryptoConstraintsNoPOE { // step 4 c) asks of the signature itself, so that what is asked of it comes first
		keep(j.chainReliable(s, best), "Were the algorithms reliable when the signature is proven to exist?")
	}
	out := r.conclude()
	out.Checks = append(slices.Clip(basic.Checks), out.Checks...)
	return out
}

// knownGood tells whether the newest word about a certificate, acceptable or not, is that it is good.
func (j *judge) knownGood(c *Certificate) bool {
	var newest *CertificateStatus
	for i := range c.Revocations {
		if s := &c.Revocations[i]; newest == nil || s.Data.Produced.After(newest.Data.Produced) {
			newest = s
		}
	}
	return newest != nil && !newest.Revoked && !newest.Unknown
}

// rest asks what the basic process did not come to when it stopped at the chain.
func (j *judge) rest(r *run, s *Signature, best time.Time) {
	j.accepted(r, s)
	j.reliable(r, s, best)
}

// revocationTime is when the certificate that made the trouble was revoked.
func (j *judge) revocationTime(s *Signature, sub Sub) (at time.Time, hold bool) {
	for i, c := range s.Chain {
		if c.AnchorOf(UseSignature) {
			break
		}
		if (sub == RevokedNoPOE) != (i == 0) {
			continue
		}
		if used, _ := j.latest(c); used != nil && used.Revoked {
			return used.Date, used.hold()
		}
	}
	return time.Time{}, false
}

// chainReliable tells whether certificates and revocation data of the chain use algorithms reliable at a time.
func (j *judge) chainReliable(s *Signature, at time.Time) bool {
	for i, c := range s.Chain {
		if c.AnchorOf(UseSignature) {
			break
		}
		if j.policy.Suite.algorithm(c.Algorithm, at) != "" {
			return false
		}
		if used, _ := j.latest(c); used != nil && !exempt(c, i, ofSignature) && j.policy.Suite.algorithm(used.Data.Algorithm, at) != "" {
			return false
		}
	}
	return true
}

// order asks that time-stamps over the content are not later than those over the signature [EN 319 102-1 5.5.4].
func (j *judge) order(r *run, s *Signature, best time.Time) {
	for _, t := range s.TimeStamps {
		if t.content() && j.stamp(t).passed() {
			r.check(!t.Time.After(best), Indeterminate, TimestampOrderFailure, "EN 319 102-1 5.5.4", "Are the time-stamps in order?", "one over the content is later than one over the signature")
		}
	}
}
