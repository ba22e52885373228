package signing

import (
	"bytes"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/report"
	"github.com/viadukt-eu/viadukt/trust/validation"
)

// evidence are the time-stamps of one evidence record, the first one first.
type evidence []*validation.TimeStamp

// partedByRecord parts time-stamps into those that stand for themselves and those of each evidence record.
func partedByRecord(all []*validation.TimeStamp) (own []*validation.TimeStamp, records []evidence) {
	at := map[string]int{}
	for _, t := range all {
		if t.Record == "" {
			own = append(own, t)
			continue
		}
		i, known := at[t.Record]
		if !known {
			i = len(records)
			at[t.Record], records = i, append(records, nil)
		}
		records[i] = append(records[i], t)
	}
	return own, records
}

// byTimeStamp are the verdicts about time-stamps that belong to no signature.
func byTimeStamp(v *report.Verdict) (conclusions map[*validation.TimeStamp]validation.Conclusion, qualified map[*validation.TimeStamp]*validation.Qualification) {
	conclusions, qualified = map[*validation.TimeStamp]validation.Conclusion{}, map[*validation.TimeStamp]*validation.Qualification{}
	for i, t := range v.Result.TimeStamps {
		conclusions[t], qualified[t] = v.TimeStamps[i], v.Qualified[i]
	}
	return conclusions, qualified
}

func (e evidence) id() string {
	if e[0].RecordRaw != nil {
		return tokenID("ER-", string(e[0].RecordRaw))
	}
	return tokenID("ER-", e[0].Record)
}

// embedded tells whether the record stands in the signature.
func (e evidence) embedded() bool { return strings.HasSuffix(e[0].Record, " within the signature") }

// conclusion is that of the first time-stamp that is not passed: all of a record must hold.
func (e evidence) conclusion(of map[*validation.TimeStamp]validation.Conclusion) validation.Conclusion {
	for _, t := range e {
		if c := of[t]; c.Indication != validation.Passed {
			return c
		}
	}
	return of[e[0]]
}

func (e evidence) simple(parent string, of map[*validation.TimeStamp]validation.Conclusion, qualified map[*validation.TimeStamp]*validation.Qualification) obj {
	c := e.conclusion(of)
	stamps := []obj{}
	for _, t := range e {
		stamps = append(stamps, stampJSON(t, of[t], qualified[t]))
	}
	x := sub(obj{
		"Id": e.id(), "Indication": string(c.Indication), "AdESValidationDetails": details(c.Checks), "EvidenceRecordScope": []obj{},
		"Timestamps": obj{"Timestamp": stamps}, "Embedded": e.embedded(),
	}, c.Sub)
	if parent != "" {
		x["ParentId"] = parent
	}
	if c.Indication == validation.Passed {
		x["POETime"] = stampTime(e[0].Time)
	}
	return x
}

func (e evidence) detailed(of map[*validation.TimeStamp]validation.Conclusion, stamp func(*validation.TimeStamp, validation.Conclusion) obj) obj {
	c := e.conclusion(of)
	stamps := []obj{}
	for _, t := range e {
		stamps = append(stamps, stamp(t, of[t]))
	}
	p := process("Validation Process for Evidence Records", c)
	delete(p, "ProofOfExistence")
	if c.Indication == validation.Passed {
		p["ProofOfExistence"] = obj{"Time": stampTime(e[0].Time)}
	}
	return obj{"Id": e.id(), "ValidationProcessEvidenceRecord": p, "Timestamp": stamps, "Conclusion": conclusion(c)}
}

// record adds an evidence record with its time-stamps, and says how it is named.
func (f *facts) record(e evidence) string {
	id := e.id()
	if f.seen[id] {
		return id
	}
	f.seen[id] = true
	found, matchers := []obj{}, []obj{}
	for _, t := range e {
		found = append(found, obj{"Timestamp": f.stamp(t)})
	}
	for _, r := range e[0].References {
		kind := r.Kind
		if kind == "" {
			kind = "MANIFEST_ENTRY"
		}
		matchers = append(matchers, obj{"type": kind, "uri": r.Name, "DataFound": r.Found, "DataIntact": r.Intact})
	}
	x := obj{"Id": id, "Origin": "CONTAINER", "DigestMatcher": matchers, "FoundTimestamp": found, "Embedded": e.embedded(), "StructuralValidation": obj{"valid": len(e[0].Malformed) == 0}}
	switch {
	case e.embedded():
		x["Origin"] = "SIGNATURE"
	case strings.HasSuffix(e[0].Record, " beside the document"):
		x["Origin"] = "EXTERNAL"
	}
	if b := e[0].RecordRaw; b != nil {
		x["Type"] = "ASN.1 Evidence Record"
		if bytes.Contains(b[:min(len(b), 64)], []byte("<")) {
			x["Type"] = "XML Evidence Record"
		}
		setRaw(x, f.records, b)
	}
	f.recordData = append(f.recordData, x)
	return id
}
