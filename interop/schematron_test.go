package interop

import (
	"archive/zip"
	"context"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
)

// TestPublishedStyleSheetsAreReadBack compiles every style sheet of rules that phive brings along, 317 of CEN,
// OpenPeppol, KoSIT and FNFE, and runs three of them over documents whose outcome is known.
func TestPublishedStyleSheetsAreReadBack(t *testing.T) {
	needPeers(t)
	jars, err := filepath.Glob("peers/rules/.build/lib/phive-rules-*.jar")
	if err != nil || len(jars) == 0 {
		t.Fatalf("peers/rules is not built: interop/run does it: %v", err)
	}
	known := map[string]*schematron.Schema{
		"1.3.16/ubl/EN16931-UBL-validation.xslt": nil, "1.3.16/cii/EN16931-CII-validation.xslt": nil, "2026.5/xslt/PEPPOL-EN16931-UBL.xslt": nil}
	compiled := 0
	for _, jar := range jars {
		z, err := zip.OpenReader(jar)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			if ext := path.Ext(f.Name); ext != ".xslt" && ext != ".xsl" {
				continue
			}
			s, err := schematron.Compile(z, f.Name, schematron.Options{})
			if err != nil {
				t.Errorf("%s: %v", f.Name, err)
				continue
			}
			compiled++
			for name := range known {
				if strings.HasSuffix(f.Name, name) {
					known[name] = s
				}
			}
		}
		if err := z.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d style sheets are read back", compiled)
	if compiled < 100 {
		t.Errorf("only %d style sheets", compiled)
	}
	packs := map[string]string{"EN16931-UBL 1.3.16": "1.3.16/ubl/EN16931-UBL-validation.xslt", "EN16931-CII 1.3.16": "1.3.16/cii/EN16931-CII-validation.xslt", "PEPPOL-UBL 2026.5": "2026.5/xslt/PEPPOL-EN16931-UBL.xslt"}
	dir := corpus.Dir(t, "edocuments")
	agree, total := 0, 0
	for _, row := range corpus.Table(t, filepath.Join(dir, "golden.tsv")) {
		sheet := packs[row["pack"]]
		if sheet == "" || !strings.HasPrefix(row["file"], "examples/") {
			continue
		}
		s := known[sheet]
		if s == nil {
			t.Fatalf("%s is not among the style sheets", sheet)
		}
		want := strings.Fields(row["assertions fired: id:flag*count, or XSD verdict"])
		d, err := dom.Parse(corpus.Read(t, "edocuments", row["file"]), dom.Limits{})
		if err != nil { // one is cut off on purpose
			if want[0] != "ERROR" {
				t.Errorf("%s: %v", row["file"], err)
			}
			continue
		}
		total++
		r, err := s.Validate(context.Background(), d, schematron.ValidateOptions{})
		if err != nil || len(r.Errors) > 0 {
			t.Errorf("%s: %v %v", row["file"], err, r)
			continue
		}
		counts := map[string]int{}
		for _, f := range r.Findings {
			counts[f.ID+":"+f.Flag]++
		}
		var got []string
		for _, k := range slices.Sorted(maps.Keys(counts)) {
			if n := counts[k]; n > 1 {
				k += fmt.Sprintf("*%d", n)
			}
			got = append(got, k)
		}
		if got == nil {
			got = []string{"none"}
		}
		if slices.Sort(want); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s by %s: %v, want %v", row["file"], sheet, got, want)
			continue
		}
		agree++
	}
	t.Logf("%d of %d documents fire the same", agree, total)
	if total < 100 {
		t.Errorf("only %d documents: is the corpus there?", total)
	}
}
