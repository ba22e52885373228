package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// packs are the publications that the corpus was judged by, and our sets for them.
var packs = map[string]func() *Set{
	"EN16931-UBL 1.3.16":   coreUBL,
	"EN16931-CII 1.3.16":   coreCII,
	"PEPPOL-UBL 2026.5":    billingUBL,
	"PEPPOL-UBL-SB 2026.5": selfBillingUBL,
	"PEPPOL-CII 3.0.19":    billingCII,
}

// unitFolders are the unit tests of documents after award, which the golden file gives no transaction.
var unitFolders = map[string]string{
	"unit-common": "T01", "unit-order": "T01", "unit-order-response": "T76", "unit-order-agreement": "T110", "unit-order-change": "T114", "unit-order-response-advanced": "T116",
	"unit-despatch-advice": "T16", "unit-catalogue": "T19", "unit-punch-out": "T77", "unit-invoice-response": "T111",
}

// publication returns our set for one.
func publication(pack, file string) func() *Set {
	if s := packs[pack]; s != nil {
		return s
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(pack, "PEPPOLBIS-"), " ")
	if !strings.HasPrefix(pack, "PEPPOLBIS-T") {
		return nil
	}
	if name == "T" {
		for folder, t := range unitFolders {
			if strings.Contains(file, "/"+folder+"/") {
				name = t
			}
		}
	}
	return func() *Set { return transactionSet(name) }
}

const testNS = "http://difi.no/xsd/vefa/validator/1.0"

// loader reads documents of the corpus, and the documents inside its test sets.
type loader struct {
	tb  testing.TB
	dir string
	doc map[string]*dom.Document
}

func (l *loader) parse(file string) *dom.Document {
	if d := l.doc[file]; d != nil {
		return d
	}
	b, err := os.ReadFile(filepath.Join(l.dir, file))
	if err != nil {
		l.tb.Fatal(err)
	}
	d, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		return nil
	}
	l.doc[file] = d
	return d
}

// document returns the file, or the document of its test with that number.
func (l *loader) document(file, test string) *dom.Document {
	d := l.parse(file)
	if test == "" {
		return d
	}
	want, _ := strconv.Atoi(test)
	k := 0
	for n := range d.Root().Elements() {
		if !n.Is(testNS, "test") {
			continue
		}
		if k++; k != want {
			continue
		}
		return l.inside(n)
	}
	l.tb.Fatalf("%s has no test %s", file, test)
	return nil
}

// inside makes a document of the element that a test carries.
func (l *loader) inside(test dom.Node) *dom.Document {
	for n := range test.Elements() {
		if n.Space() == testNS {
			continue
		}
		b, err := c14n.Append(nil, c14n.Method{Algorithm: c14n.Inclusive10}, n)
		if err != nil {
			l.tb.Fatal(err)
		}
		d, err := dom.Parse(b, dom.Limits{})
		if err != nil {
			l.tb.Fatal(err)
		}
		return d
	}
	l.tb.Fatal("a test without document")
	return nil
}

// fired writes what a set finds as the golden file does.
func fired(s *Set, d *dom.Document) string {
	x := s.run(d, 1<<20)
	defer x.release()
	counts := map[string]int{}
	for _, r := range x.out {
		counts[r.a.id+":"+string(r.a.flag)]++
	}
	var out []string
	for k, n := range counts {
		if n > 1 {
			k += "*" + strconv.Itoa(n)
		}
		out = append(out, k)
	}
	if out == nil {
		return "none"
	}
	sort.Strings(out)
	return strings.Join(out, " ")
}

// difference names the ids that only one side has; want comes first, with a minus.
func difference(want, got string) string {
	w, g := strings.Fields(want), strings.Fields(got)
	var d []string
	for _, s := range w {
		if s != "none" && !slices.Contains(g, s) {
			d = append(d, "-"+s)
		}
	}
	for _, s := range g {
		if s != "none" && !slices.Contains(w, s) {
			d = append(d, "+"+s)
		}
	}
	return strings.Join(d, " ")
}

// TestGolden compares with every assertion that the official rules fired: ids, flags and numbers.
func TestGolden(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "edocuments")
	known := corpus.Known(t, "testdata/known.tsv")
	l := &loader{t, dir, map[string]*dom.Document{}}
	equal, total := map[string]int{}, map[string]int{}
	for _, row := range golden(t, dir) {
		file, test, pack, want := row[0], row[1], row[2], row[3]
		set := publication(pack, file)
		if set == nil || set() == nil {
			continue
		}
		d := l.document(file, test)
		total[pack]++
		if d == nil { // not well-formed: the official engines could not judge it either
			if strings.HasPrefix(want, "ERROR") {
				equal[pack]++
			} else {
				t.Errorf("%s cannot be parsed", file)
			}
			continue
		}
		got := fired(set(), d)
		diff := difference(want, got)
		key := file + "#" + test + " " + pack
		switch reason, listed := known[key]; {
		case diff == "" && listed:
			t.Errorf("%s agrees now; remove it from known.tsv (%s)", key, reason)
		case diff == "":
			equal[pack]++
		case !listed:
			t.Errorf("%s: %s", key, diff)
		}
	}
	sum, all := 0, 0
	for pack := range total {
		t.Logf("%-22s %4d of %4d documents: ids, flags and numbers equal", pack, equal[pack], total[pack])
		sum, all = sum+equal[pack], all+total[pack]
	}
	t.Logf("all %d of %d", sum, all)
	if all < 2100 {
		t.Errorf("only %d documents: is the corpus there?", all)
	}
}

// golden reads the table without heading. Its first line has other names than the others have cells.
func golden(tb testing.TB, dir string) [][4]string {
	b, err := os.ReadFile(filepath.Join(dir, "golden.tsv"))
	if err != nil {
		tb.Fatal(err)
	}
	var out [][4]string
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) == 4 && f[2] != "pack" {
			out = append(out, [4]string(f))
		}
	}
	return out
}

// TestAnnotations runs the unit test sets by what is written in them.
func TestAnnotations(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "edocuments")
	known := corpus.Known(t, "testdata/known.tsv")
	l := &loader{t, dir, map[string]*dom.Document{}}
	checks, bad, tests := 0, 0, 0
	for _, area := range []string{"unit/en16931", "unit/peppol-billing"} {
		err := filepath.WalkDir(filepath.Join(dir, area), func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() || filepath.Ext(path) != ".xml" {
				return err
			}
			file, _ := filepath.Rel(dir, path)
			d := l.parse(file)
			if !d.Root().Is(testNS, "testSet") {
				return nil
			}
			k := 0
			for n := range d.Root().Elements() {
				if !n.Is(testNS, "test") {
					continue
				}
				k++
				in := l.inside(n)
				set := setFor(area, in.Root())
				if set == nil {
					continue
				}
				tests++
				for _, complaint := range annotated(set, n.Child(testNS, "assert"), in, &checks) {
					key := fmt.Sprintf("%s#%d annotation", file, k)
					if _, ok := known[key]; !ok {
						t.Errorf("%s: %s", key, complaint)
					}
					bad++
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d annotations of %d unit tests hold", checks-bad, checks, tests)
	if tests < 1500 {
		t.Errorf("only %d unit tests", tests)
	}
}

func setFor(area string, root dom.Node) *Set {
	cii := root.Local() == "CrossIndustryInvoice"
	switch {
	case area == "unit/en16931" && cii:
		return coreCII()
	case area == "unit/en16931":
		return coreUBL()
	case cii:
		return billingCII()
	}
	return billingUBL()
}

// annotated compares a run with the annotations of a test and returns what does not hold.
func annotated(s *Set, assert dom.Node, d *dom.Document, checks *int) []string {
	x := s.run(d, 1<<20)
	defer x.release()
	var complaints []string
	for n := range assert.Elements() {
		id, flag := n.TrimmedText(), n.Local()
		if flag == "error" {
			flag = "fatal"
		}
		if flag == "description" || flag == "scope" || !slices.ContainsFunc(s.rules, func(r *Rule) bool { return r.ID == id }) && flag == "success" {
			continue
		}
		*checks++
		count, flags := 0, edocument.Severity("")
		for _, r := range x.out {
			if r.a.id == id {
				count++
				flags = r.a.flag
			}
		}
		want, _ := strconv.Atoi(n.Attr("number"))
		switch {
		case flag == "success" && count > 0:
			complaints = append(complaints, id+" fired, the test says success")
		case flag != "success" && (count == 0 || string(flags) != flag):
			complaints = append(complaints, fmt.Sprintf("%s fired %d times as %q, the test says %s", id, count, flags, flag))
		case flag != "success" && want > 0 && count != want:
			complaints = append(complaints, fmt.Sprintf("%s fired %d times, the test says %d", id, count, want))
		}
	}
	return complaints
}

// TestEveryOfficialRuleIsThere compares ids and flags with the published files.
func TestEveryOfficialRuleIsThere(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "edocuments")
	l := &loader{t, dir, map[string]*dom.Document{}}
	for file, set := range map[string]*Set{
		"rules/en16931-1.3.16/ubl/preprocessed/EN16931-UBL-validation-preprocessed.sch": coreUBL(),
		"rules/en16931-1.3.16/cii/preprocessed/EN16931-CII-validation-preprocessed.sch": coreCII(),
		"rules/peppol-2026.5/PEPPOL-EN16931-UBL.sch":                                    billingUBL(),
		"rules/peppol-2026.5/PEPPOL-EN16931-UBL-SB.sch":                                 selfBillingUBL(),
		"rules/peppol-billing-3.0.19/PEPPOL-EN16931-CII.sch":                            billingCII(),
	} {
		official := map[string]string{}
		for n := range l.parse(file).Root().Descendants() {
			if n.Kind() == dom.ElementNode && n.Local() == "assert" {
				official[n.Attr("id")] = n.Attr("flag")
			}
		}
		ours := map[string]string{}
		for _, r := range set.Rules() {
			ours[r.ID] = string(r.Severity)
		}
		for id, flag := range official {
			if ours[id] != flag {
				t.Errorf("%s: %s is %q, officially %s", set.ID(), id, ours[id], flag)
			}
		}
		for id := range ours {
			if official[id] == "" {
				t.Errorf("%s: %s is nobody's rule", set.ID(), id)
			}
		}
		t.Logf("%s: %d rules", set.ID(), len(official))
	}
}

// TestMessageLevelStatus runs the rules for statuses on what the corpus has of them: each bad one breaks the rule in its
// name.
func TestMessageLevelStatus(t *testing.T) {
	t.Parallel()
	n := 0
	for _, c := range corpus.Index(t, "edelivery-discovery") {
		rest, ok := strings.CutPrefix(c["path"], "mls/")
		if !ok || !strings.HasSuffix(rest, ".xml") {
			continue
		}
		n++
		d, err := dom.Parse(corpus.Read(t, "edelivery-discovery", c["path"]), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got := fired(transactionSet("MLS"), d)
		if want, bad := strings.CutPrefix(c["expected"], "fails "); bad != strings.Contains(got, ":fatal") || bad && !strings.Contains(got, want+":fatal") {
			t.Errorf("%s: %s, want %s", c["path"], got, c["expected"])
		}
	}
	if n < 40 {
		t.Errorf("only %d statuses", n)
	}
}
