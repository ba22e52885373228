package rules

import (
	"flag"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/internal/mutant"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
)

var mutants = flag.Int("mutants", 1, "mutants of each document that are held against the official rules")
var mutantSeed = flag.Uint64("mutant-seed", 2, "other mutants")

// TestMutantsAgree damages the documents of the corpus at random places and holds our rules against the official files,
// which the Schematron engine of this project runs. A document that makes an official assertion impossible to evaluate
// is left out, since engines differ there.
func TestMutantsAgree(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "edocuments")
	l := &loader{t, dir, map[string]*dom.Document{}}
	for _, c := range []struct {
		name, file string
		set        *Set
	}{
		{"EN 16931 UBL", "en16931-1.3.16/ubl/preprocessed/EN16931-UBL-validation-preprocessed.sch", coreUBL()},
		{"EN 16931 CII", "en16931-1.3.16/cii/preprocessed/EN16931-CII-validation-preprocessed.sch", coreCII()},
		{"billing UBL", "peppol-2026.5/PEPPOL-EN16931-UBL.sch", billingUBL()},
		{"self-billing UBL", "peppol-2026.5/PEPPOL-EN16931-UBL-SB.sch", selfBillingUBL()},
		{"billing CII", "peppol-billing-3.0.19/PEPPOL-EN16931-CII.sch", billingCII()},
		{"T01", "peppol-2026.5/PEPPOLBIS-T01.sch", transactionSet("T01")},
		{"T76", "peppol-2026.5/PEPPOLBIS-T76.sch", transactionSet("T76")},
		{"T110", "peppol-2026.5/PEPPOLBIS-T110.sch", transactionSet("T110")},
		{"T114", "peppol-2026.5/PEPPOLBIS-T114.sch", transactionSet("T114")},
		{"T115", "peppol-2026.5/PEPPOLBIS-T115.sch", transactionSet("T115")},
		{"T116", "peppol-2026.5/PEPPOLBIS-T116.sch", transactionSet("T116")},
		{"T16", "peppol-2026.5/PEPPOLBIS-T16.sch", transactionSet("T16")},
		{"T19", "peppol-2026.5/PEPPOLBIS-T19.sch", transactionSet("T19")},
		{"T58", "peppol-2026.5/PEPPOLBIS-T58.sch", transactionSet("T58")},
		{"T111", "peppol-2026.5/PEPPOLBIS-T111.sch", transactionSet("T111")},
		{"T77", "peppol-2026.5/PEPPOLBIS-T77.sch", transactionSet("T77")},
		{"MLS", "peppol-mls-1.0.1/peppol-mls-1.0.1.sch", transactionSet("MLS")},
		{"T71", "peppol-2026.5/PEPPOLBIS-T71.sch", transactionSet("T71")},
	} {
		official, err := schematron.Compile(os.DirFS(filepath.Join(dir, "rules")), c.file, schematron.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var docs []*dom.Document
		for _, row := range golden(t, dir) {
			// documents of the core serve for billing as well: most of its rules are about whole invoices
			p, judged := row[2], publication(row[2], row[0])
			if judged != nil && judged() == c.set || strings.HasPrefix(c.set.id, "peppol-") && strings.HasSuffix(c.set.id, "billing-ubl") && (p == "PEPPOL-UBL 2026.5" || p == "EN16931-UBL 1.3.16" && strings.HasPrefix(row[0], "examples")) ||
				c.set == billingCII() && p == "EN16931-CII 1.3.16" {
				if d := l.document(row[0], row[1]); d != nil {
					docs = append(docs, d)
				}
			}
		}
		agree, partly, skipped, bad := 0, 0, 0, 0
		classes, lenient := map[string]int{}, map[string]int{}
		if c.name == "MLS" {
			for _, row := range corpus.Index(t, "edelivery-discovery") {
				if rest, ok := strings.CutPrefix(row["path"], "mls/"); ok && strings.HasSuffix(rest, ".xml") {
					if d, err := dom.Parse(corpus.Read(t, "edelivery-discovery", row["path"]), dom.Limits{}); err == nil {
						docs = append(docs, d)
					}
				}
			}
		}
		maker := mutant.New(*mutantSeed, docs, oddWords...)
		for _, d := range docs {
			for range *mutants {
				m, how := maker.Damage(d)
				if m == nil {
					continue
				}
				result, err := official.Validate(t.Context(), m, schematron.ValidateOptions{})
				if err != nil {
					t.Fatal(err)
				}
				diff, unsure := disagreement(result, c.set, m, lenient)
				switch {
				case diff == "?":
					skipped++
				case diff != "":
					bad++
					if classes[diff]++; classes[diff] == 1 && len(classes) <= 100 {
						t.Errorf("%s: %s: %s", c.name, diff, how)
						if name := os.Getenv("VIADUKT_MUTANTS"); name != "" {
							os.WriteFile(filepath.Join(name, strings.ReplaceAll(c.name, " ", "-")+strconv.Itoa(len(classes))+".xml"), m.Source(), 0o600)
						}
					}
				default:
					agree++
					if unsure {
						partly++
					}
				}
			}
		}
		t.Logf("%s: %d of %d mutants agree, %d of them with assertions that cannot be evaluated; %d with contexts that cannot be", c.name, agree, agree+bad, partly, skipped)
		if os.Getenv("VIADUKT_MUTANTS") != "" && len(lenient) > 0 {
			t.Logf("%s: hold here and cannot be evaluated: %v", c.name, lenient)
		}
		for diff, n := range classes {
			if n > 1 {
				t.Logf("%s: %d times %s", c.name, n, diff)
			}
		}
		if agree < len(docs)/2 {
			t.Errorf("%s: only %d mutants of %d documents", c.name, agree, len(docs))
		}
	}
}

// oddWords are codes that rules ask for somewhere.
var oddWords = strings.Fields("380 381 30 58 59 DK SE IT GR IS NL NO DE ES EUR eur VAT vat 0088")

// disagreement compares the ids, flags and numbers of what fired, but for those of assertions that officially cannot be
// evaluated. It is "?" where that is so of a context: then nobody knows which rules would have been asked.
// Those that hold here are counted.
func disagreement(official *schematron.Result, s *Set, d *dom.Document, lenient map[string]int) (diff string, unsure bool) {
	stopped := map[string]bool{}
	for _, e := range official.Errors {
		if e.Assertion == "" {
			return "?", true
		}
		stopped[e.Assertion] = true
	}
	counts := map[string]int{}
	for _, f := range official.Findings {
		if !stopped[f.ID] {
			counts[f.ID+":"+f.Flag]++
		}
	}
	x := s.run(d, 1<<20)
	defer x.release()
	broken := map[string]bool{}
	for _, f := range x.out {
		if stopped[f.a.id] {
			broken[f.a.id] = true
		} else {
			counts[f.a.id+":"+string(f.a.flag)]--
		}
	}
	var list []string
	for id := range stopped {
		if !broken[id] {
			lenient[id]++
		}
	}
	for id, n := range counts {
		if n != 0 {
			list = append(list, id+" "+strconv.Itoa(-n))
		}
	}
	sort.Strings(list)
	return strings.Join(list, ", "), len(stopped) > 0
}
