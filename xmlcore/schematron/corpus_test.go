package schematron_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

const fired = "assertions fired: id:flag*count, or XSD verdict"

// packFile gives the schema of a pack of golden.tsv in the corpus edocuments.
func packFile(pack, unit string) string {
	switch name, _, _ := strings.Cut(pack, " "); {
	case name == "EN16931-UBL":
		return "rules/en16931-1.3.16/ubl/EN16931-UBL-validation.sch"
	case name == "EN16931-CII":
		return "rules/en16931-1.3.16/cii/EN16931-CII-validation.sch"
	case name == "PEPPOL-UBL":
		return "rules/peppol-2026.5/PEPPOL-EN16931-UBL.sch"
	case name == "PEPPOL-UBL-SB":
		return "rules/peppol-2026.5/PEPPOL-EN16931-UBL-SB.sch"
	case name == "PEPPOL-CII":
		return "rules/peppol-billing-3.0.19/PEPPOL-EN16931-CII.sch"
	case name == "PEPPOLBIS-T":
		return "rules/peppol-2026.5/" + unit + ".sch"
	case strings.HasPrefix(name, "PEPPOLBIS-T"):
		return "rules/peppol-2026.5/" + name + ".sch"
	case name == "XRechnung-UBL":
		return "rules/xrechnung-3.0.2/ubl/XRechnung-UBL-validation.sch"
	case name == "XRechnung-CII":
		return "rules/xrechnung-3.0.2/cii/XRechnung-CII-validation.sch"
	case name == "PINT-EU":
		return "rules/pint-eu-1.1.1/" + pack[strings.LastIndexByte(pack, ' ')+1:] + ".sch"
	case name == "Factur-X":
		profile := strings.ToUpper(pack[strings.LastIndexByte(pack, ' ')+1:])
		return "rules/factur-x-2.5.2/FACTUR-X_" + strings.Replace(profile, "BASICWL", "BASIC-WL", 1) + ".sch"
	}
	return ""
}

// schemas compiles each schema once.
type schemas struct {
	mu   sync.Mutex
	have map[string]*schematron.Schema
}

func (s *schemas) get(tb testing.TB, dir, file string) *schematron.Schema {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, tried := s.have[file]
	if !tried {
		if s.have == nil {
			s.have = map[string]*schematron.Schema{}
		}
		var err error
		s.have[file] = nil
		if x, err = schematron.Compile(os.DirFS(dir), file, schematron.Options{}); err != nil {
			tb.Errorf("%s: %v", file, err)
			return nil
		}
		s.have[file] = x
	}
	return x
}

// outcome writes what fired as golden.tsv does.
func outcome(tb testing.TB, s *schematron.Schema, d *dom.Document) string {
	tb.Helper()
	r, err := s.Validate(context.Background(), d, schematron.ValidateOptions{})
	if err != nil {
		tb.Error(err)
		return "ERROR"
	}
	for _, e := range r.Errors {
		return "ERROR " + e.Error()
	}
	counts := map[string]int{}
	for i := range r.Findings {
		f := &r.Findings[i]
		flag := f.Flag
		if flag == "" {
			flag = f.Role
		}
		id := f.ID
		if id == "" {
			id = "?"
		}
		if flag == "" {
			flag = "null"
		}
		counts[id+":"+flag]++
	}
	return listed(counts)
}

func listed(counts map[string]int) string {
	var out []string
	for k, n := range counts {
		if n > 1 {
			k += "*" + strconv.Itoa(n)
		}
		out = append(out, k)
	}
	slices.Sort(out)
	if out == nil {
		return "none"
	}
	return strings.Join(out, " ")
}

// sortedOutcome orders the golden value in the same way.
func sortedOutcome(s string) string {
	if strings.HasPrefix(s, "ERROR") {
		return s
	}
	f := strings.Fields(s)
	slices.Sort(f)
	return strings.Join(f, " ")
}

// TestPublishedRulesFireAsGolden runs every row of golden.tsv of rule sets that is about Schematron.
func TestPublishedRulesFireAsGolden(t *testing.T) {
	t.Parallel()
	known := corpus.Known(t, "testdata/known.tsv")
	dir := corpus.Dir(t, "edocuments")
	var cache schemas
	documents := map[string]*dom.Document{}
	agree, total := 0, 0
	for _, row := range corpus.Table(t, filepath.Join(dir, "golden.tsv")) {
		if strings.HasPrefix(row["pack"], "XSD") {
			continue
		}
		total++
		file, want := row["file"], sortedOutcome(row[fired])
		unit := ""
		number := row["test number in testSet (1-based, empty for plain documents)"]
		d, err := document(dir, file, number, documents)
		if err == nil && number != "" {
			unit = configuration(dir, file, documents)
		}
		var got string
		if err != nil {
			got = "ERROR " + err.Error()
		} else {
			s := cache.get(t, dir, packFile(row["pack"], unit))
			if s == nil {
				continue
			}
			got = outcome(t, s, d)
		}
		same := got == want || strings.HasPrefix(got, "ERROR") && strings.HasPrefix(want, "ERROR")
		name := strings.TrimSpace(file + " " + number + " " + row["pack"])
		switch reason := known[name]; {
		case same && reason != "":
			t.Errorf("%s agrees now: take it from the known ones", name)
		case same:
			agree++
		case reason == "":
			t.Errorf("%s: fired %s, want %s", name, got, want)
		}
	}
	t.Logf("%d of %d documents and unit tests fire the same", agree, total)
	if total < 2000 {
		t.Errorf("only %d rows: is the corpus there?", total)
	}
}

// document reads a file, or the document of one test of a set.
func document(dir, file, number string, sets map[string]*dom.Document) (*dom.Document, error) {
	d := sets[file]
	if d == nil {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
		if err != nil {
			return nil, err
		}
		if d, err = dom.Parse(b, dom.Limits{}); err != nil {
			return nil, err
		}
		sets[file] = d
	}
	if number == "" {
		return d, nil
	}
	n := 0
	for e := range d.Root().Elements() {
		if e.Local() != "test" {
			continue
		}
		if n++; strconv.Itoa(n) != number {
			continue
		}
		var doc dom.Node
		for k := range e.Elements() {
			if k.Space() != "http://difi.no/xsd/vefa/validator/1.0" {
				doc = k
			}
		}
		if !doc.Valid() {
			return nil, fmt.Errorf("%s: test %s has no document", file, number)
		}
		return dom.Parse(standalone(doc), dom.Limits{})
	}
	return nil, fmt.Errorf("%s has no test %s", file, number)
}

// standalone writes an element with the namespaces that are in scope.
func standalone(n dom.Node) []byte {
	have := map[string]bool{}
	for p := range n.Declared() {
		have[p] = true
	}
	var b strings.Builder
	raw := string(n.Raw())
	end := 1 + len(n.QName())
	b.WriteString(raw[:end])
	for p, u := range n.InScope() {
		if have[p] {
			continue
		}
		if p == "" {
			fmt.Fprintf(&b, " xmlns=%q", u)
		} else {
			fmt.Fprintf(&b, " xmlns:%s=%q", p, u)
		}
	}
	b.WriteString(raw[end:])
	return []byte(b.String())
}

// configuration tells which rules a set of tests is for, for example PEPPOLBIS-T01.
func configuration(dir, file string, sets map[string]*dom.Document) string {
	name := sets[file].Root().Attr("configuration") // peppolbis-t01-base-3.0
	if f := strings.Split(name, "-"); len(f) > 1 {
		return strings.ToUpper(f[0] + "-" + f[1])
	}
	return name
}

// TestPublishedSchemasJudgeAsGolden runs the rows of golden.tsv that are about XML Schema.
func TestPublishedSchemasJudgeAsGolden(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "edocuments")
	have := map[string]*xsd.Schema{}
	total, agree := 0, 0
	for _, row := range corpus.Table(t, filepath.Join(dir, "golden.tsv")) {
		name, ok := strings.CutPrefix(row["pack"], "XSD ")
		if !ok {
			continue
		}
		total++
		s := have[name]
		if s == nil {
			var err error
			if s, err = xsd.Compile(os.DirFS(dir), xsd.Options{}, schemaFile(t, dir, name)); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			have[name] = s
		}
		got := "valid"
		if d, err := document(dir, row["file"], "", map[string]*dom.Document{}); err != nil {
			got = "ERROR"
		} else if r, err := s.Validate(d, xsd.ValidateOptions{}); err != nil {
			t.Error(err)
		} else if !r.Valid {
			got = fmt.Sprintf("invalid*%d %s", len(r.Findings), r.Findings[0].Rule)
		}
		if want := row[fired]; got == want || got == "ERROR" && strings.HasPrefix(want, got) {
			agree++
		} else {
			t.Errorf("%s %s: %s, want %s", row["file"], name, got, want)
		}
	}
	t.Logf("%d of %d verdicts of schemas are the same", agree, total)
	if total < 200 {
		t.Errorf("only %d rows: is the corpus there?", total)
	}
}

func schemaFile(tb testing.TB, dir, name string) string {
	tb.Helper()
	f := strings.Fields(name)
	pattern := ""
	switch f[0] {
	case "UBL":
		pattern = "xsd/ubl21/maindoc/UBL-" + f[2] + "-2.1.xsd"
	case "Factur-X":
		pattern = "xsd/factur-x-2.5.2/" + f[1] + "/*" + strings.Replace(strings.ToUpper(f[1]), "BASICWL", "BASIC-WL", 1) + ".xsd"
	default:
		pattern = "xsd/cii-d16b-uncoupled/uncefact/data/standard/CrossIndustryInvoice_100pD16B.xsd"
	}
	found, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
	if len(found) != 1 {
		tb.Errorf("%s: %d schemas", name, len(found))
		return pattern
	}
	rel, _ := filepath.Rel(dir, found[0])
	return filepath.ToSlash(rel)
}

// nationalFile is the schema of a pack of the corpus xml-engines.
var nationalFile = map[string]string{
	"cius-ro-1.0.9":        "EN16931-CIUS_RO-UBL-validation.sch",
	"fr-ctc-cdar-1.4.0.03": "20260804_BR-FR-CDV-Schematron-CDAR_V1.4.0.03.sch",
	"it-order-3.2.1":       "AGID-PEPPOL-T01.sch",
	"oioubl-3.0.1":         "OIOUBL-Invoice.sch",
	"si-ubl-2.0.3.13":      "si-ubl-2.0.3.13.sch",
	"srbdt-1.0.0":          "EN16931-UBL-srbdt-validation.sch",
	"tdd-ae-1.0.4":         "peppol-ae-tdd-1.0.4.sch",
	"ubl-tr-1.2.1":         "UBL-TR_Main_Schematron.sch",
}

// TestNationalRulesFireAsGolden runs rule sets that were chosen for the constructs they use.
func TestNationalRulesFireAsGolden(t *testing.T) {
	t.Parallel()
	known := corpus.Known(t, "testdata/known.tsv")
	dir := corpus.Dir(t, "xml-engines")
	var cache schemas
	agree, total := 0, 0
	for _, row := range corpus.Table(t, filepath.Join(dir, "schematron", "golden.tsv")) {
		total++
		pack := row["pack"]
		s := cache.get(t, dir, "schematron/"+pack+"/"+nationalFile[pack])
		if s == nil {
			continue
		}
		d, err := document(dir, row["file"], "", map[string]*dom.Document{})
		if err != nil {
			t.Error(err)
			continue
		}
		got, want := outcome(t, s, d), sortedOutcome(row["assertions fired: id:flag*count"])
		same := got == want || strings.HasPrefix(got, "ERROR") && strings.HasPrefix(want, "ERROR")
		name := row["file"] + " " + pack
		switch reason := known[name]; {
		case same && reason != "":
			t.Errorf("%s agrees now: take it from the known ones", name)
		case same:
			agree++
		case reason == "":
			t.Errorf("%s: fired %s, want %s", name, got, want)
		}
	}
	t.Logf("%d of %d documents fire the same", agree, total)
	if total < 100 {
		t.Errorf("only %d rows: is the corpus there?", total)
	}
}

// TestSchemasOfOthersCompileOrNotAsNamed compiles the small schemas of the corpus: those whose names begin with
// "invalid" are wrong, and each with a reason that can be shown.
func TestSchemasOfOthersCompileOrNotAsNamed(t *testing.T) {
	t.Parallel()
	known := corpus.Known(t, "testdata/known.tsv")
	dir := corpus.Dir(t, "xml-engines")
	total, agree := 0, 0
	err := filepath.WalkDir(filepath.Join(dir, "schematron"), func(path string, e os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".sch" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if d, err := dom.Parse(b, dom.Limits{}); err == nil && d.Root().Local() != "schema" {
			return nil // a part of another schema
		}
		rel, _ := filepath.Rel(dir, path)
		rel = filepath.ToSlash(rel)
		total++
		_, err = schematron.Compile(os.DirFS(dir), rel, schematron.Options{})
		want := !strings.HasPrefix(filepath.Base(path), "invalid")
		switch same, reason := (err == nil) == want, known[rel]; {
		case same && reason != "":
			t.Errorf("%s agrees now: take it from the known ones", rel)
		case same:
			agree++
		case reason == "":
			t.Errorf("%s: %v, should be good: %v", rel, err, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d schemas are judged as named", agree, total)
	if total < 30 {
		t.Errorf("only %d schemas: is the corpus there?", total)
	}
}
