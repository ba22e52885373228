package rulepack_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// corpusPacks is what golden.tsv calls the packs that the importer makes of the rules there.
var corpusPacks = map[string]string{
	"EN16931-UBL 1.3.16":                             "eu.cen.en16931:ubl:1.3.16",
	"EN16931-CII 1.3.16":                             "eu.cen.en16931:cii:1.3.16",
	"PEPPOL-UBL 2026.5":                              "eu.peppol.bis3:invoice:2026.5",
	"PEPPOL-UBL-SB 2026.5":                           "eu.peppol.bis3:invoice-self-billing:2026.5",
	"PEPPOL-CII 3.0.19":                              "eu.peppol.bis3:invoice-cii:3.0.19",
	"PEPPOLBIS-T01 2026.5":                           "eu.peppol.bis3:t01:2026.5",
	"PEPPOLBIS-T16 2026.5":                           "eu.peppol.bis3:t16:2026.5",
	"PEPPOLBIS-T19 2026.5":                           "eu.peppol.bis3:t19:2026.5",
	"PEPPOLBIS-T76 2026.5":                           "eu.peppol.bis3:t76:2026.5",
	"PEPPOLBIS-T110 2026.5":                          "eu.peppol.bis3:t110:2026.5",
	"PEPPOLBIS-T111 2026.5":                          "eu.peppol.bis3:t111:2026.5",
	"PEPPOLBIS-T114 2026.5":                          "eu.peppol.bis3:t114:2026.5",
	"PEPPOLBIS-T115 2026.5":                          "eu.peppol.bis3:t115:2026.5",
	"PEPPOLBIS-T116 2026.5":                          "eu.peppol.bis3:t116:2026.5",
	"XRechnung-UBL 3.0.2":                            "de.xrechnung:ubl:3.0.2",
	"XRechnung-CII 3.0.2":                            "de.xrechnung:cii:3.0.2",
	"PINT-EU 1.1.1 PINT-UBL-validation-preprocessed": "org.peppol.pint.eu:billing:1.1.1",
	"Factur-X 2.5.2 basic":                           "fr.factur-x:basic:2.5.2",
	"Factur-X 2.5.2 basicwl":                         "fr.factur-x:basic-wl:2.5.2",
	"Factur-X 2.5.2 en16931":                         "fr.factur-x:en16931:2.5.2",
	"Factur-X 2.5.2 extended":                        "fr.factur-x:extended:2.5.2",
	"Factur-X 2.5.2 minimum":                         "fr.factur-x:minimum:2.5.2",
}

// TestImportedReleasesJudgeAsGolden imports the rules of the corpus as their publishers lay them out, stores the packs,
// and judges whole documents by them.
func TestImportedReleasesJudgeAsGolden(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "edocuments")
	folder := rulepack.Folder(t.TempDir())
	for _, release := range []string{"en16931-1.3.16", "peppol-2026.5", "peppol-billing-3.0.19", "xrechnung-3.0.2", "factur-x-2.5.2", "pint-eu-1.1.1"} {
		packs, err := rulepack.Import(os.DirFS(filepath.Join(dir, "rules", release)), rulepack.ImportOptions{Name: release, Now: today})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range packs {
			if err := folder.Add(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	judges := map[string]*rulepack.Judge{}
	agree, total := 0, 0
	for _, row := range corpus.Table(t, filepath.Join(dir, "golden.tsv")) {
		name := corpusPacks[row["pack"]]
		if name == "" || !strings.HasPrefix(row["file"], "examples/") {
			continue
		}
		want := row["assertions fired: id:flag*count, or XSD verdict"]
		b := corpus.Read(t, "edocuments", row["file"])
		d, err := dom.Parse(b, dom.Limits{})
		if err != nil {
			if !strings.HasPrefix(want, "ERROR") {
				t.Errorf("%s: %v", row["file"], err)
			}
			continue
		}
		total++
		j := judges[name]
		if j == nil {
			id, err := rulepack.ParseID(name)
			if err != nil {
				t.Fatal(err)
			}
			p, err := folder.Get(id, today)
			if err != nil {
				t.Fatal(err)
			}
			if j, err = rulepack.Compile(p); err != nil {
				t.Fatal(err)
			}
			judges[name] = j
		}
		r, err := j.Validate(d)
		if err != nil {
			t.Errorf("%s by %s: %v", row["file"], name, err)
			continue
		}
		counts := map[string]int{}
		for _, f := range r.Findings {
			counts[f.ID]++
		}
		expect := map[string]int{}
		valid := true
		for _, f := range strings.Fields(want) {
			if f == "none" {
				continue
			}
			id, flag, _ := strings.Cut(f, ":")
			flag, times, ok := strings.Cut(flag, "*")
			n := 1
			if ok {
				n, _ = strconv.Atoi(times)
			}
			expect[id] += n
			valid = valid && (flag == "warning" || flag == "information" || flag == "info")
		}
		if !equal(counts, expect) || r.Valid != valid {
			t.Errorf("%s by %s: %v valid %v, want %v valid %v", row["file"], name, counts, r.Valid, expect, valid)
			continue
		}
		agree++
	}
	t.Logf("%d packs judge %d of %d documents as golden", len(judges), agree, total)
	if total < 200 {
		t.Errorf("only %d documents: is the corpus there?", total)
	}
}

// TestPacksAreMeantForTheirDocuments puts all releases of the corpus into one folder and asks which of them are meant for a document.
func TestPacksAreMeantForTheirDocuments(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpus.Dir(t, "edocuments"), "rules")
	folder := rulepack.Folder(t.TempDir())
	releases, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range releases {
		packs, err := rulepack.Import(os.DirFS(filepath.Join(dir, e.Name())), rulepack.ImportOptions{Name: e.Name(), Now: today})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range packs {
			if p.ID.Group == "local" {
				t.Errorf("%s of %s has no name of its publisher", p.ID, e.Name())
			}
			if err := folder.Add(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	lib, err := rulepack.NewLibrary(folder, rulepack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	pint := `<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"><cbc:CustomizationID>urn:peppol:pint:billing-1</cbc:CustomizationID></Invoice>`
	status := `<ApplicationResponse xmlns="urn:oasis:names:specification:ubl:schema:xsd:ApplicationResponse-2" xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"><cbc:CustomizationID>urn:peppol:edec:mls:1.0</cbc:CustomizationID></ApplicationResponse>`
	report := func(kind, space string) string {
		return `<` + kind + ` xmlns="urn:fdc:peppol:` + space + `"><CustomizationID>x</CustomizationID></` + kind + `>`
	}
	for _, c := range []struct{ name, doc, want string }{
		{"a billing invoice", string(corpus.Read(t, "edocuments", "examples/peppol-2026.5/billing/sales-order-example.xml")), "eu.cen.en16931:ubl@1.3.16 eu.peppol.bis3:invoice@2026.5"},
		{"an invoice of PINT EU", string(corpus.Read(t, "edocuments", "examples/pint-eu-1.1.1/sales-order-example.xml")), "org.peppol.pint.eu:billing@1.1.1 org.peppol.pint.eu:billing-en16931@1.1.1 org.peppol.pint.eu:billing-jurisdiction@1.1.1"},
		{"an invoice of PINT", pint, "org.peppol.pint:billing@1.1.3"},
		{"a message level response", string(corpus.Read(t, "edocuments", "examples/peppol-2026.5/MessageLevelResponse_Example.xml")), "eu.peppol.bis3:t71@2026.5"},
		{"a message level status", status, "org.peppol:mls@1.0.1"},
		{"a report on end users", report("EndUserStatisticsReport", "end-user-statistics-report:1.1"), "eu.peppol.reporting:eusr@1.1.5"},
		{"a report on transactions", report("TransactionStatisticsReport", "transaction-statistics-report:1.0"), "eu.peppol.reporting:tsr@1.0.5"},
	} {
		d, err := dom.Parse([]byte(c.doc), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := lib.Validate(t.Context(), d, today)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := strings.Join(r.Pack, " "); got != c.want {
			t.Errorf("%s is judged by %s, want %s", c.name, got, c.want)
		}
	}
}

// TestESPDBecomesTwoPacks imports a release of ESPD-EDM as it is laid out, and judges its own examples by it.
func TestESPDBecomesTwoPacks(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpus.Dir(t, "edocuments"), "espd-4.1.0")
	packs, err := rulepack.Import(os.DirFS(dir), rulepack.ImportOptions{Name: "espd-4.1.0", Now: today})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, p := range packs {
		ids = append(ids, p.ID.String())
	}
	if got := strings.Join(ids, " "); got != "eu.espd:request:4.1.0 eu.espd:response:4.1.0" {
		t.Fatal(got)
	}
	j, err := rulepack.Compile(packs...)
	if err != nil {
		t.Fatal(err)
	}
	for file, pack := range map[string]string{"validation/ESPD-criterion.xml": "eu.espd:request@4.1.0", "examples/ESPD-Response.xml": "eu.espd:response@4.1.0"} {
		d, err := dom.Parse(corpus.Read(t, "edocuments", "espd-4.1.0/"+file), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := j.Validate(d)
		if err != nil || !r.Valid || len(r.Pack) != 1 || r.Pack[0] != pack {
			t.Errorf("%s: %v %+v", file, err, r)
		}
	}
}

func equal(a, b map[string]int) bool {
	if len(a) != len(b) {
		return false
	}
	for k, n := range a {
		if b[k] != n {
			return false
		}
	}
	return true
}

// invoice is an example of the corpus with its line so often that it has some size in octets.
func invoice(tb testing.TB, size int) []byte {
	tb.Helper()
	b := corpus.Read(tb, "edocuments", "examples/peppol-2026.5/billing/sales-order-example.xml")
	from := bytes.LastIndex(b, []byte("<cac:InvoiceLine>"))
	to := bytes.LastIndex(b, []byte("</cac:InvoiceLine>")) + len("</cac:InvoiceLine>")
	line := b[from:to]
	return slices.Concat(b[:to], bytes.Repeat(line, max(0, (size-len(b))/len(line))), b[to:])
}

// BenchmarkJudge parses invoices of 21 kB and 8.2 MB and judges them by XML Schema, EN 16931 and Peppol, everything being ready.
func BenchmarkJudge(b *testing.B) {
	dir := corpus.Dir(b, "edocuments")
	var packs []*rulepack.Pack
	for _, x := range []struct{ folder, id string }{{"xsd/ubl21", "org.example:ubl:2.1"}, {"rules/en16931-1.3.16/ubl", ""}, {"rules/peppol-2026.5", ""}} {
		list, err := rulepack.Import(os.DirFS(filepath.Join(dir, filepath.FromSlash(x.folder))), rulepack.ImportOptions{ID: x.id, Version: "1", Now: today})
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range list {
			if n := p.ID.Name(); n == "org.example:ubl" || n == "eu.cen.en16931:ubl" || n == "eu.peppol.bis3:invoice" {
				packs = append(packs, p)
			}
		}
	}
	if len(packs) != 3 {
		b.Fatalf("%d packs", len(packs))
	}
	b.Run("compile", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := rulepack.Compile(packs...); err != nil {
				b.Fatal(err)
			}
		}
	})
	j, err := rulepack.Compile(packs...)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		size    int
		workers int
	}{{"21kB", 21_000, 1}, {"8MB", 8_200_000, 1}, {"8MB/2", 8_200_000, 2}} {
		b.Run(c.name, func(b *testing.B) {
			src := invoice(b, c.size)
			j := &rulepack.Judge{Packs: j.Packs, Options: rulepack.Options{Workers: c.workers}}
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				d, err := dom.Parse(bytes.Clone(src), dom.Limits{})
				if err != nil {
					b.Fatal(err)
				}
				if r, err := j.Validate(d); err != nil || len(r.Pack) != 3 {
					b.Fatal(r, err)
				}
			}
		})
	}
}
