package gather

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/validation"
)

// TestCorpusEvidenceRecords holds what is found of evidence records within signatures and containers, and of those beside them, against
// what the Digital Signature Service finds: each time-stamp, and what the record must be over.
func TestCorpusEvidenceRecords(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "esignature")
	known := corpus.Known(t, "testdata/known-records.tsv")
	b, err := os.ReadFile(filepath.Join(dir, "dss-verdicts.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	count, agree := 0, 0
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n")[1:] {
		f := strings.Split(line, "\t")
		if !strings.Contains(f[4], "evidence-record") || strings.HasPrefix(f[0], "dss/er-") {
			continue
		}
		count++
		at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		opt := inputsOf(t, dir, f[13], &at)
		subs, stamps := strings.Split(f[2], "|"), strings.Split(f[7], "|")
		var want []string
		for i, kind := range strings.Split(f[4], "|") {
			if !strings.HasSuffix(kind, "evidence-record") {
				continue
			}
			state := subs[min(i, len(subs)-1)]
			if state != "HASH_FAILURE" && state != "SIGNED_DATA_NOT_FOUND" {
				state = "ok"
			}
			want = append(want, fmt.Sprintf("%d %s", len(strings.Split(stamps[i], ",")), state))
		}
		slices.Sort(want)
		got := recordFacts(readCorpus(t, dir, f[0]), opt)
		reason, listed := known[f[0]]
		switch {
		case slices.Equal(got, want):
			agree++
			if listed {
				t.Errorf("%s agrees now, but is listed: %s", f[0], reason)
			}
		case !listed:
			t.Errorf("%s: %v, want %v", f[0], got, want)
		}
	}
	t.Logf("%d of %d files with evidence records agree", agree, count)
}

// recordFacts says of each record how many time-stamps it has and what does not hold of it.
func recordFacts(b []byte, opt Options) (out []string) {
	r, err := Open(b, opt)
	if err != nil {
		return []string{err.Error()}
	}
	add := func(list []*validation.TimeStamp) {
		n, state := 0, "ok"
		for i, t := range list {
			n++
			for _, x := range append(t.References, validation.Reference{Found: t.ImprintFound, Intact: t.ImprintIntact && t.Intact}) {
				switch {
				case state != "ok":
				case !x.Found:
					state = "SIGNED_DATA_NOT_FOUND"
				case !x.Intact:
					state = "HASH_FAILURE"
				}
			}
			if i+1 == len(list) || list[i+1].Record != t.Record {
				out = append(out, fmt.Sprintf("%d %s", n, state))
				n, state = 0, "ok"
			}
		}
	}
	of := func(list []*validation.TimeStamp) (records []*validation.TimeStamp) {
		for _, t := range list {
			if t.Kind == "EVIDENCE_RECORD_TIMESTAMP" {
				records = append(records, t)
			}
		}
		return records
	}
	for _, s := range r.Signatures {
		add(of(s.TimeStamps))
	}
	add(of(r.TimeStamps))
	slices.Sort(out)
	return out
}
