package report

import (
	"time"

	"github.com/viadukt-eu/viadukt/trust/ers"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// RecordVerdict is what an evidence record proves of a document.
type RecordVerdict struct {
	Err    error // the record is not over the document; nil: it is
	Stamps []RecordStamp
}

// RecordStamp is a time-stamp of a record, with the verdict about it.
type RecordStamp struct {
	*validation.TimeStamp       // nil: it cannot be read
	Err                   error // it does not cover what it should, or cannot be read
	validation.Conclusion
}

// Since is when the document is proven to have existed: the time of the first time-stamp, where all of the record holds; else zero.
func (v *RecordVerdict) Since() time.Time {
	if v.Err != nil || len(v.Stamps) == 0 {
		return time.Time{}
	}
	for _, s := range v.Stamps {
		if s.Err != nil || s.Indication != validation.Passed {
			return time.Time{}
		}
	}
	return v.Stamps[0].Time()
}

// Time is what the time-stamp says.
func (s *RecordStamp) Time() time.Time {
	if s.TimeStamp == nil {
		return time.Time{}
	}
	return s.TimeStamp.Time
}

// JudgeRecord judges a record for one document: each time-stamp at the time of the one after it, which proves that it was there, the
// last one now [RFC 4998 4.3]. A policy that is nil is the usual one.
func JudgeRecord(r *ers.Record, d xades.Document, known gather.Options, p *validation.Policy, now time.Time) *RecordVerdict {
	x := r.Check([]xades.Document{d})
	out := &RecordVerdict{Err: x.Objects[0].Err}
	known.Know(r) // what later time-stamps bring along counts for earlier ones, too
	for i, s := range x.Stamps {
		if s.Token == nil {
			out.Stamps = append(out.Stamps, RecordStamp{Err: s.Err})
			continue
		}
		at := now
		if i+1 < len(x.Stamps) && x.Stamps[i+1].Token != nil {
			at = x.Stamps[i+1].Token.Info.Time
		}
		v := gather.TimeStampFacts(s.Token, "EVIDENCE_RECORD_TIMESTAMP", known)
		v.ImprintFound, v.ImprintIntact = true, s.Err == nil
		out.Stamps = append(out.Stamps, RecordStamp{TimeStamp: v, Err: s.Err, Conclusion: validation.ValidateTimeStamp(v, p, at)})
	}
	return out
}
