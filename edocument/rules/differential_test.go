package rules

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
)

var mutants = flag.Int("mutants", 4, "mutants of each document that are held against the official rules")
var mutantSeed = flag.Uint64("mutant-seed", 2, "other mutants")

// TestMutantsAgree damages the documents of the corpus at random places and holds our rules against the official files,
// which the Schematron engine of this project runs. A document that makes an official assertion impossible to evaluate
// is left out, since engines differ there.
func TestMutantsAgree(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "edocuments")
	l := &loader{t, dir, map[string]*dom.Document{}}
	for _, c := range []struct {
		name, file, pack string
		set              *Set
	}{
		{"EN 16931 UBL", "en16931-1.3.16/ubl/preprocessed/EN16931-UBL-validation-preprocessed.sch", "EN16931-UBL 1.3.16", coreUBL()},
		{"EN 16931 CII", "en16931-1.3.16/cii/preprocessed/EN16931-CII-validation-preprocessed.sch", "EN16931-CII 1.3.16", coreCII()},
		{"billing UBL", "peppol-2026.5/PEPPOL-EN16931-UBL.sch", "PEPPOL-UBL 2026.5", billingUBL()},
		{"self-billing UBL", "peppol-2026.5/PEPPOL-EN16931-UBL-SB.sch", "PEPPOL-UBL-SB 2026.5", selfBillingUBL()},
		{"billing CII", "peppol-billing-3.0.19/PEPPOL-EN16931-CII.sch", "PEPPOL-CII 3.0.19", billingCII()},
		{"T01", "peppol-2026.5/PEPPOLBIS-T01.sch", "PEPPOLBIS-T01 2026.5", transactionSet("T01")},
		{"T76", "peppol-2026.5/PEPPOLBIS-T76.sch", "PEPPOLBIS-T76 2026.5", transactionSet("T76")},
		{"T110", "peppol-2026.5/PEPPOLBIS-T110.sch", "PEPPOLBIS-T110 2026.5", transactionSet("T110")},
		{"T114", "peppol-2026.5/PEPPOLBIS-T114.sch", "PEPPOLBIS-T114 2026.5", transactionSet("T114")},
		{"T115", "peppol-2026.5/PEPPOLBIS-T115.sch", "PEPPOLBIS-T115 2026.5", transactionSet("T115")},
		{"T116", "peppol-2026.5/PEPPOLBIS-T116.sch", "PEPPOLBIS-T116 2026.5", transactionSet("T116")},
		{"T16", "peppol-2026.5/PEPPOLBIS-T16.sch", "PEPPOLBIS-T16 2026.5", transactionSet("T16")},
		{"T19", "peppol-2026.5/PEPPOLBIS-T19.sch", "PEPPOLBIS-T19 2026.5", transactionSet("T19")},
		{"T58", "peppol-2026.5/PEPPOLBIS-T58.sch", "PEPPOLBIS-T58 2026.5", transactionSet("T58")},
		{"T111", "peppol-2026.5/PEPPOLBIS-T111.sch", "PEPPOLBIS-T111 2026.5", transactionSet("T111")},
		{"T71", "peppol-2026.5/PEPPOLBIS-T71.sch", "PEPPOLBIS-T71 2026.5", transactionSet("T71")},
	} {
		official, err := schematron.Compile(os.DirFS(filepath.Join(dir, "rules")), c.file, schematron.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, *mutantSeed))
		var docs []*dom.Document
		for _, row := range golden(t, dir) {
			// documents of the other syntax's twin set serve as well: most rules of billing are about whole invoices
			if p := row[2]; p == c.pack || strings.Contains(c.pack, "PEPPOL-UBL") && p == "EN16931-UBL 1.3.16" && strings.HasPrefix(row[0], "examples") ||
				c.pack == "PEPPOL-CII 3.0.19" && p == "EN16931-CII 1.3.16" {
				if d := l.document(row[0], row[1]); d != nil {
					docs = append(docs, d)
				}
			}
		}
		words := leaves(docs)
		agree, skipped, bad := 0, 0, 0
		for _, d := range docs {
			for range *mutants {
				m := mutant(r, d, words, 1+r.IntN(3))
				if m == nil {
					continue
				}
				result, err := official.Validate(t.Context(), m, schematron.ValidateOptions{})
				if err != nil || len(result.Errors) > 0 {
					skipped++
					continue
				}
				counts := map[string]int{}
				for _, f := range result.Findings {
					counts[f.ID+":"+f.Flag]++
				}
				var list []string
				for id, n := range counts {
					if n > 1 {
						id += "*" + strconv.Itoa(n)
					}
					list = append(list, id)
				}
				sort.Strings(list)
				if diff := difference(strings.Join(list, " "), fired(c.set, m)); diff != "" {
					if bad++; bad <= 15 {
						t.Errorf("%s: %s", c.name, diff)
						if name := os.Getenv("VIADUKT_MUTANTS"); name != "" {
							os.WriteFile(filepath.Join(name, strings.ReplaceAll(c.name, " ", "-")+strconv.Itoa(bad)+".xml"), m.Source(), 0o600)
						}
					}
					continue
				}
				agree++
			}
		}
		t.Logf("%s: %d of %d mutants agree, %d not to be evaluated", c.name, agree, agree+bad, skipped)
		if agree < len(docs)/2 {
			t.Errorf("%s: only %d mutants of %d documents", c.name, agree, len(docs))
		}
	}
}

// leaves collects the texts of elements by name, and texts that are wrong everywhere.
func leaves(docs []*dom.Document) map[string][]string {
	out := map[string][]string{"": {"", " ", "0", "-1", "1.234", "12.5", "X", "S", "E", "O", "true", "false", "2020-02-30", "20200101", "380", "381", "30", "58", "59", "DK", "SE", "IT", "GR", "IS", "NL", "NO", "DE", "EUR", "VAT", "0088", "99999999.99", " 5 ", "ES"}}
	for _, d := range docs {
		for n := range d.Root().Descendants() {
			if n.Kind() == dom.ElementNode && !n.FirstElement().Valid() && len(out[n.Local()]) < 60 && len(n.Text()) < 200 {
				out[n.Local()] = append(out[n.Local()], n.Text())
			}
		}
	}
	return out
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// mutant damages a document at some places.
func mutant(r *rand.Rand, d *dom.Document, words map[string][]string, times int) *dom.Document {
	for range times {
		var nodes []dom.Node
		for n := range d.Root().Descendants() {
			if n.Kind() == dom.ElementNode {
				nodes = append(nodes, n)
			}
		}
		if len(nodes) == 0 {
			return nil
		}
		n := nodes[r.IntN(len(nodes))]
		raw, at := string(n.Raw()), n.Offset()
		switch what := r.IntN(6); {
		case what == 0:
			raw = ""
		case what == 1:
			raw += raw
		case what <= 4 && !n.FirstElement().Valid():
			list := words[n.Local()]
			if len(list) == 0 || r.IntN(3) == 0 {
				list = words[""]
			}
			open := strings.IndexByte(raw, '>')
			if raw[open-1] == '/' {
				continue
			}
			end := strings.LastIndex(raw, "</")
			raw = raw[:open+1] + escaper.Replace(list[r.IntN(len(list))]) + raw[end:]
		default:
			attrs := n.NumAttributes()
			if attrs == 0 { // moved elsewhere
				o := nodes[r.IntN(len(nodes))]
				if o.Contains(n) || n.Contains(o) || o.Offset() < at {
					continue
				}
				src := string(d.Source())
				src = src[:at] + src[at+len(raw):o.Offset()] + raw + src[o.Offset():]
				if d = reparse(src); d == nil {
					return nil
				}
				continue
			}
			k := r.IntN(attrs)
			for a := range n.Attributes() {
				if k--; k >= 0 {
					continue
				}
				old := " " + a.QName() + `="` + escaper.Replace(a.Text()) + `"`
				value := words[""][r.IntN(len(words[""]))]
				replacement := ""
				if r.IntN(2) == 0 {
					replacement = " " + a.QName() + `="` + escaper.Replace(value) + `"`
				}
				raw = strings.Replace(raw, old, replacement, 1)
				break
			}
		}
		src := d.Source()
		if d = reparse(string(src[:at]) + raw + string(src[at+len(n.Raw()):])); d == nil {
			return nil
		}
	}
	return d
}

func reparse(s string) *dom.Document {
	d, err := dom.Parse([]byte(s), dom.Limits{})
	if err != nil {
		return nil
	}
	return d
}
