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

var _ = xsd.Compile
