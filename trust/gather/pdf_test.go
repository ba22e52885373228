package gather

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/validation"
)

// pdfFacts are levels and time-stamps as the table of the other implementation writes them.
func pdfFacts(r *Result) (levels, stamps []string) {
	for _, s := range r.Signatures {
		levels = append(levels, s.Level)
		var own []string
		for _, t := range s.TimeStamps {
			if t.Record == "" { // those have a test of their own
				own = append(own, stampFact(t))
			}
		}
		stamps = append(stamps, strings.Join(own, ","))
	}
	for _, t := range r.TimeStamps {
		levels = append(levels, t.Kind)
		stamps = append(stamps, stampFact(t))
	}
	return levels, stamps
}

func stampFact(t *validation.TimeStamp) string {
	switch {
	case !t.ImprintIntact:
		return t.Kind + ":imprint-broken"
	case !t.Intact:
		return t.Kind + ":signature-broken"
	}
	return t.Kind + ":ok"
}

// TestCorpusPDF compares what PDF documents hold with what the other implementation found in them: signatures, their levels, and
// what of their time-stamps holds. The verdicts are compared with all others.
func TestCorpusPDF(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "esignature")
	known := corpus.Known(t, "testdata/known-pdf.tsv")
	count, agree := 0, 0
	for _, row := range corpus.Table(t, filepath.Join(dir, "dss-verdicts.tsv")) {
		name := row["path"]
		if !strings.HasPrefix(name, "dss/pades/") {
			continue
		}
		count++
		at := time.Time{}
		r, err := Open(readCorpus(t, dir, name), inputsOf(t, dir, row["given inputs"], &at))
		if err != nil && !errors.Is(err, ErrNoSignature) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var levels, stamps, wantLevels, wantStamps []string
		if err == nil {
			levels, stamps = pdfFacts(r)
		}
		kinds, formats, facts := strings.Split(row["kind"], "|"), strings.Split(row["format-level"], "|"), strings.Split(row["time-stamps"], "|")
		for i, kind := range kinds {
			if kind == "signature" || kind == "timestamp" {
				wantLevels, wantStamps = append(wantLevels, formats[i]), append(wantStamps, strings.TrimPrefix(facts[i], "-"))
			}
		}
		got, want := fmt.Sprint(levels, stamps), fmt.Sprint(wantLevels, wantStamps)
		reason, listed := known[name]
		switch {
		case got == want:
			agree++
			if listed {
				t.Errorf("%s agrees now, but is listed: %s", name, reason)
			}
		case !listed:
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if count < 30 {
		t.Fatalf("only %d documents", count)
	}
	t.Logf("%d of %d PDF documents hold what the other implementation finds in them", agree, count)
}

var asserted = regexp.MustCompile(`(signatures|timestamps)(>?=)(\d+)|level=(PAdES_\w+)`)

// TestCorpusPDFAssertions holds PDF documents against what the tests of the other implementation assert about them: how many
// signatures and time-stamps there are, their level, whether the signature is intact, and whether the document was changed.
func TestCorpusPDFAssertions(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "esignature")
	known := corpus.Known(t, "testdata/known-pdf.tsv")
	rows, agree := 0, 0
	for _, row := range corpus.Index(t, "esignature") {
		name := row["file"]
		if row["format"] != "PAdES" || !strings.HasPrefix(name, "dss/pades/validation/") {
			continue
		}
		rows++
		r, err := Open(readCorpus(t, dir, name), Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if wrong := assertions(r, row["expected"]); len(wrong) == 0 {
			agree++
		} else if reason := known[name+" "+row["asserted by"]]; reason == "" {
			t.Errorf("%s (%s): %s", name, row["asserted by"], strings.Join(wrong, "; "))
		}
	}
	if rows < 30 {
		t.Fatalf("only %d rows", rows)
	}
	t.Logf("%d of %d rows about PDF hold", agree, rows)
}

func assertions(r *Result, expected string) (wrong []string) {
	stamps := map[*validation.TimeStamp]bool{}
	intact := true
	var levels, changes []string
	for _, s := range r.Signatures {
		levels = append(levels, s.Level)
		intact = intact && s.Intact && s.References != nil && s.References[0].Intact
		for _, x := range s.TimeStamps {
			stamps[x] = true
		}
		for _, c := range s.Changes {
			changes = append(changes, string(c.Kind))
		}
	}
	for _, m := range asserted.FindAllStringSubmatch(expected, -1) {
		if m[4] != "" {
			if want := strings.ReplaceAll(m[4], "_", "-"); len(levels) == 0 || levels[0] != want {
				wrong = append(wrong, fmt.Sprintf("levels %v, want %s", levels, want))
			}
			continue
		}
		have := map[string]int{"signatures": len(r.Signatures), "timestamps": len(stamps)}[m[1]]
		want, _ := strconv.Atoi(m[3])
		if have < want || m[2] == "=" && have != want {
			wrong = append(wrong, fmt.Sprintf("%d %s, want %d", have, m[1], want))
		}
	}
	if strings.Contains(expected, "signature_intact=yes") && !intact || strings.Contains(expected, "NOT signature.signatureIntact") && intact {
		wrong = append(wrong, fmt.Sprintf("intact %v", intact))
	}
	grave := slices.ContainsFunc(changes, func(c string) bool {
		return c == "page content" || c == "pages" || c == "annotation" || c == "document"
	})
	if strings.Contains(expected, "NOT signature.arePdfModificationsDetected()") && grave && !strings.Contains(expected, "arePdfObjectModifications") {
		wrong = append(wrong, fmt.Sprintf("changes %v", changes))
	}
	if strings.Contains(expected, "NOT empty(signature.pdf") && !grave {
		wrong = append(wrong, "no changes found")
	}
	return wrong
}
