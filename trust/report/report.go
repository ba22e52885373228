// Package report tells people and programs what was found out about the signatures of a document: as a summary that marshals
// to JSON, as a page of HTML in English, German, French or Italian, and as the signature validation report of
// ETSI TS 119 102-2 v1.4.1.
//
// Nothing is judged here. A report holds no octet of the document, so it can be handed on.
package report

import (
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/validation"
)

// Verdict is what validation says about a document.
type Verdict struct {
	Name       string             // of the document, "" where it has none
	At         time.Time          // as of when it was judged
	Policy     *validation.Policy // by which it was judged; nil: the usual one
	Result     *gather.Result
	Signatures []*validation.Report        // one of each of Result.Signatures, in their order
	TimeStamps []validation.Conclusion     // one of each of Result.TimeStamps
	Qualified  []*validation.Qualification // the same, by trusted lists; nil where none were asked
}

// Judge validates every signature and every time-stamp of a document. A policy that is nil is the usual one.
func Judge(name string, r *gather.Result, p *validation.Policy, at time.Time) *Verdict {
	v := &Verdict{Name: name, At: at, Policy: p, Result: r, Signatures: validation.Validate(r.Facts, p, at)}
	for _, t := range r.TimeStamps {
		v.TimeStamps = append(v.TimeStamps, validation.ValidateTimeStamp(t, p, at))
		var q *validation.Qualification
		if r.Lists != nil {
			q = validation.QualifyTimeStamp(t, at)
		}
		v.Qualified = append(v.Qualified, q)
	}
	return v
}

// Valid tells whether all signatures are TOTAL_PASSED, and all time-stamps over a container PASSED.
func (v *Verdict) Valid() bool { return v.passed() == len(v.Signatures) && v.stampsHold() }

func (v *Verdict) passed() (n int) {
	for _, s := range v.Signatures {
		if s.Indication == validation.TotalPassed {
			n++
		}
	}
	return n
}

func (v *Verdict) stampsHold() bool {
	for _, c := range v.TimeStamps {
		if c.Indication != validation.Passed {
			return false
		}
	}
	return true
}

// Summary is a verdict in short.
type Summary struct {
	Valid      bool        `json:"valid"`
	Format     string      `json:"format,omitempty"`
	Packaging  string      `json:"packaging,omitempty"`
	Signatures []Signature `json:"signatures"`
	TimeStamps []TimeStamp `json:"timeStamps,omitempty"` // over a container
}

// Signature is the verdict about one signature.
type Signature struct {
	ID            string        `json:"id"`
	Level         string        `json:"level"`
	Indication    string        `json:"indication"`
	SubIndication string        `json:"subIndication,omitempty"`
	Why           string        `json:"why,omitempty"`
	Remedy        string        `json:"remedy,omitempty"`
	Signer        string        `json:"signer,omitempty"`      // distinguished name
	SignerName    string        `json:"signerName,omitempty"`  // as people say it
	SigningTime   *time.Time    `json:"signingTime,omitempty"` // by the signer's word
	BestTime      *time.Time    `json:"bestTime,omitempty"`    // proven
	Qualified     string        `json:"qualified,omitempty"`   // "QESIG", "ADESIG_QC" and the like by trusted lists; "NA": they do not tell
	Counter       bool          `json:"counterSignature,omitempty"`
	Signed        []Signed      `json:"signed,omitempty"`
	Chain         []Certificate `json:"chain,omitempty"`
	TimeStamps    []TimeStamp   `json:"timeStamps,omitempty"`
	Uncovered     []string      `json:"uncovered,omitempty"` // files of the container that it does not cover
	Changes       []Change      `json:"changes,omitempty"`   // of a PDF document after it was signed
	Checks        []Check       `json:"checks"`

	proven bool // BestTime is not only that of the judgement
}

// Proven is since when the signature is proven to exist before it was judged; nil where nothing proves it.
func (s Signature) Proven() *time.Time {
	if !s.proven {
		return nil
	}
	return s.BestTime
}

// Change is something that was done to a document after it was signed.
type Change struct {
	Kind string `json:"kind"`
	Page int    `json:"page,omitempty"` // from 1
	What string `json:"what"`
}

// Signed is something that a signature covers.
type Signed struct {
	Name   string `json:"name"`
	Digest string `json:"digest,omitempty"`
	Found  bool   `json:"found"`
	Intact bool   `json:"intact"`
}

// Certificate is one of a chain, the signer's first.
type Certificate struct {
	Subject string    `json:"subject"`
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
	Trusted bool      `json:"trusted,omitempty"`
}

// TimeStamp is the verdict about one time-stamp.
type TimeStamp struct {
	Kind          string    `json:"kind"`
	Record        string    `json:"record,omitempty"` // the evidence record that it belongs to
	Time          time.Time `json:"time"`
	Authority     string    `json:"authority,omitempty"`
	Indication    string    `json:"indication"`
	SubIndication string    `json:"subIndication,omitempty"`
	Why           string    `json:"why,omitempty"`
	Qualified     string    `json:"qualified,omitempty"` // "QTSA", "TSA" or "NA"
}

// Check is one question, and its answer.
type Check struct {
	Question string `json:"question"`
	Answer   string `json:"answer"`
	OK       bool   `json:"ok"`
	Warning  bool   `json:"warning,omitempty"` // it did not hold, and that is no failure
	Clause   string `json:"clause"`
}

// Summary tells a verdict in a language, "en" where it is none of [Languages].
func (v *Verdict) Summary(language string) *Summary {
	t := textsOf(language)
	out := &Summary{Valid: v.Valid(), Format: v.Result.Format, Signatures: []Signature{}}
	for i, r := range v.Signatures {
		s := v.Result.Signatures[i]
		if i == 0 {
			out.Packaging = s.Packaging
		}
		one := t.signature(s, r)
		one.proven = r.BestTime.Before(v.At)
		out.Signatures = append(out.Signatures, one)
	}
	for i, x := range v.Result.TimeStamps {
		out.TimeStamps = append(out.TimeStamps, t.timeStamp(x, v.TimeStamps[i], v.Qualified[i]))
	}
	return out
}

func (t *texts) timeStamp(x *validation.TimeStamp, c validation.Conclusion, q *validation.Qualification) TimeStamp {
	out := TimeStamp{Kind: x.Kind, Record: t.sentence(x.Record), Time: x.Time, Indication: string(c.Indication), SubIndication: string(c.Sub), Why: t.why(c.Checks, c.Why)}
	if x.Signer != nil {
		out.Authority = x.Signer.Subject
	}
	if q != nil {
		out.Qualified = q.Name
	}
	return out
}

func (t *texts) signature(s *gather.Signature, r *validation.Report) Signature {
	out := Signature{
		ID: s.ID, Level: s.Level, Indication: string(r.Indication), SubIndication: string(r.Sub), Why: t.why(r.Archival.Checks, r.Why),
		Counter: s.Counter != nil,
	}
	if r.Sub != "" {
		out.Remedy = t.m["remedy."+string(r.Sub)]
	}
	if s.Certificate != nil {
		out.Signer, out.SignerName = s.Certificate.Subject.String(), nameOf(s.Certificate.Subject)
	}
	if claimed := s.Claimed; !claimed.IsZero() {
		out.SigningTime = &claimed
	}
	if best := r.BestTime; !best.IsZero() {
		best = best.UTC()
		out.BestTime = &best
	}
	for _, x := range s.References {
		out.Signed = append(out.Signed, Signed{t.sentence(x.Name), x.Digest, x.Found, x.Intact})
	}
	out.Uncovered = s.Uncovered
	for _, c := range s.Chain {
		out.Chain = append(out.Chain, Certificate{c.Subject, c.NotBefore.UTC(), c.NotAfter.UTC(), c.Trusted})
		if c.Trusted {
			break
		}
	}
	for _, x := range s.TimeStamps {
		out.TimeStamps = append(out.TimeStamps, t.timeStamp(x, r.TimeStamps[x], r.TimeStampsByLists[x]))
	}
	for _, c := range s.Changes {
		out.Changes = append(out.Changes, Change{string(c.Kind), c.Page, c.What})
	}
	checks := r.Archival.Checks
	if q := r.Qualification; q != nil {
		out.Qualified = q.Name
		checks = append(slices.Clip(checks), q.Checks...)
	}
	out.Checks = make([]Check, 0, len(checks))
	for _, c := range checks {
		answer := t.sentence(c.Answer)
		if c.OK {
			answer = t.m["yes"]
		}
		out.Checks = append(out.Checks, Check{t.sentence(c.Question), answer, c.OK, c.Warning, c.Clause})
	}
	return out
}

// Text are the words of a key in a language, with what differs filled in.
func Text(language, key string, args ...string) string { return fill(textsOf(language).m[key], args) }

// Worth says in a language what a signature is worth by law: the name that trusted lists give it, with its meaning.
func Worth(qualified, language string) string {
	t := textsOf(language)
	name, perhaps := strings.CutPrefix(qualified, "INDETERMINATE_")
	words, ok := t.m["worth."+name]
	switch {
	case !ok:
		return qualified
	case perhaps:
		words = fill(t.m["worth.perhaps"], []string{words})
	}
	return qualified + ": " + words
}

// nameOf is the name of a person or organisation, with the organisation and the country where they are told.
func nameOf(n pki.Name) string {
	name := n.CommonName()
	if name == "" {
		return n.String()
	}
	for _, more := range []string{n.Get("2.5.4.10"), n.Get("2.5.4.6")} {
		if more != "" && more != name {
			name += ", " + more
		}
	}
	return name
}

// why is the reason that validation gives, in the language: question and answer of the check that decided.
func (t *texts) why(checks []validation.Check, why string) string {
	for _, c := range checks {
		if !c.OK && c.Question+" "+c.Answer == why {
			return t.sentence(c.Question) + " " + t.sentence(c.Answer)
		}
	}
	return why
}
