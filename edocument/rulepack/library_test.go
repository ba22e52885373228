package rulepack_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/smp"
	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func add(tb testing.TB, dir rulepack.Folder, packs ...*rulepack.Pack) {
	tb.Helper()
	for _, p := range packs {
		if err := dir.Add(p); err != nil {
			tb.Fatal(err)
		}
	}
}

func TestALibrarySeesWhatIsAddedAndRemoved(t *testing.T) {
	t.Parallel()
	dir := rulepack.Folder(filepath.Join(t.TempDir(), "packs"))
	lib, err := rulepack.NewLibrary(dir, rulepack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	doc := parse(t, ticket("<Number>0</Number>"))
	if _, err := lib.For(t.Context(), doc, today); !errors.Is(err, edocument.ErrUnknownType) {
		t.Fatal(err)
	}
	add(t, dir, imported(t, files("tickets-1.0.sch", ticketRules), rulepack.ImportOptions{})...)
	if changed, err := lib.Refresh(); !changed || err != nil {
		t.Fatal(changed, err)
	}
	begun, err := lib.For(t.Context(), doc, today)
	if err != nil {
		t.Fatal(err)
	}
	stricter := strings.Replace(ticketRules, `"warning"`, `"fatal"`, 1)
	add(t, dir, imported(t, files("tickets-1.1.sch", stricter), rulepack.ImportOptions{})...)
	add(t, dir, imported(t, files("t.xsd", ticketSchema), rulepack.ImportOptions{ID: "local:zz:1"})...)
	if changed, err := lib.Refresh(); !changed || err != nil {
		t.Fatal(changed, err)
	}
	if changed, err := lib.Refresh(); changed || err != nil {
		t.Fatal("nothing changed:", changed, err)
	}
	for _, c := range []struct {
		judge       *rulepack.Judge
		packs, want string
	}{
		{begun, "local:tickets@1.0", "T-2:warning valid"},
		{judgeFor(t, lib, doc), "local:zz@1 local:tickets@1.1", "T-2:fatal invalid"},
	} {
		r, err := c.judge.Validate(doc)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.Pack, " "); got != c.packs || word(r) != c.want {
			t.Errorf("%s by %s, want %s by %s", word(r), got, c.want, c.packs)
		}
	}
	if err := os.WriteFile(filepath.Join(string(dir), "a=b=1.pack.zip"), []byte("PK"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := lib.Refresh(); !errors.Is(err, rulepack.ErrPack) {
		t.Error("a damaged pack:", err)
	}
	if len(lib.Packs()) != 3 {
		t.Error("a damaged pack takes others away")
	}
}

// A pack about documents of another namespace costs nothing: not even that its rules are broken is seen.
func TestPacksAboutOthersAreNotCompiled(t *testing.T) {
	t.Parallel()
	dir := rulepack.Folder(t.TempDir())
	add(t, dir, imported(t, files("tickets-1.0.sch", ticketRules), rulepack.ImportOptions{})...)
	bus := imported(t, files("bus-1.0.sch", strings.ReplaceAll(ticketRules, "urn:example:ticket", "urn:example:bus")), rulepack.ImportOptions{})[0]
	schema := imported(t, files("train-1.0.xsd", strings.ReplaceAll(ticketSchema, "urn:example:ticket", "urn:example:train")), rulepack.ImportOptions{})[0]
	if got := [2][]string{bus.Spaces, schema.Spaces}; !slices.Equal(got[0], []string{"urn:example:bus"}) || !slices.Equal(got[1], []string{"urn:example:train"}) {
		t.Fatalf("namespaces %q", got)
	}
	for _, p := range []*rulepack.Pack{bus, schema} {
		manifest, err := json.Marshal(&p.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		entry := append(p.Scenarios[0].Rules, p.Scenarios[0].Schemas...)[0]
		broken, err := rulepack.Read(archiveOf(t, "pack.json", string(manifest), "files/"+entry, "<broken"))
		if err != nil {
			t.Fatal(err)
		}
		add(t, dir, broken)
	}
	lib, err := rulepack.NewLibrary(dir, rulepack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := judgeFor(t, lib, parse(t, ticket("<Number>0</Number>"))).Validate(parse(t, ticket("<Number>1</Number>"))); err != nil || strings.Join(r.Pack, " ") != "local:tickets@1.0" {
		t.Errorf("%v %v", r, err)
	}
	for _, kind := range []string{"bus", "train"} {
		if _, err := lib.For(t.Context(), parse(t, `<Ticket xmlns="urn:example:`+kind+`"/>`), today); err == nil || errors.Is(err, edocument.ErrUnknownType) {
			t.Errorf("a document of the broken pack about %s: %v", kind, err)
		}
	}
}

func judgeFor(t *testing.T, lib *rulepack.Library, doc *dom.Document) *rulepack.Judge {
	t.Helper()
	j, err := lib.For(context.Background(), doc, today)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestPacksOfPublishersAreForTheirSpecifications(t *testing.T) {
	t.Parallel()
	const cbc = `xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"`
	rules := func(id string) string {
		return `<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2"><ns prefix="u" uri="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"/><pattern><rule context="u:Invoice"><assert id="` + id + `" test="false()">x</assert></rule></pattern></schema>`
	}
	dir := rulepack.Folder(t.TempDir())
	for file, id := range map[string]string{"EN16931-UBL-validation": "EN", "PEPPOL-EN16931-UBL": "P", "XRechnung-UBL-validation": "X", "PEPPOL-EN16931-UBL-SB": "SB", "mine": "M"} {
		add(t, dir, imported(t, files("v-1.0/"+file+".sch", rules(id)), rulepack.ImportOptions{})...)
	}
	lib, err := rulepack.NewLibrary(dir, rulepack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for specification, want := range map[string]string{
		"urn:cen.eu:en16931:2017": "EN M",
		"urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0":     "EN P M",
		"urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0":          "EN X M",
		"urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:selfbilling:3.0": "EN SB M",
		"urn:example:other": "M",
	} {
		doc := parse(t, `<Invoice `+cbc+`><cbc:CustomizationID>`+specification+`</cbc:CustomizationID></Invoice>`)
		r, err := judgeFor(t, lib, doc).Validate(doc)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, f := range r.Findings {
			ids = append(ids, f.ID)
		}
		slices.Sort(ids)
		expect := strings.Fields(want)
		slices.Sort(expect)
		if !slices.Equal(ids, expect) {
			t.Errorf("%s: %v, want %v", specification, ids, expect)
		}
	}
}

func TestDiffTellsRuleByRule(t *testing.T) {
	t.Parallel()
	compile := func(rules string) *rulepack.Compiled {
		c, err := imported(t, files("t-1.0.sch", rules, "t.ves", `<ves><id><groupId>a</groupId><artifactId>b</artifactId><version>1</version></id><schematron><resource><path>t-1.0.sch</path></resource></schematron></ves>`), rulepack.ImportOptions{})[0].Compile()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	newer := strings.NewReplacer(`flag="warning"`, `flag="fatal"`, `id="T-1"`, `id="T-3"`, "&gt; 0", "&gt; 1").Replace(ticketRules)
	var got []string
	for _, c := range rulepack.Diff(compile(ticketRules), compile(newer)) {
		got = append(got, c.Op+" "+c.ID+" "+strings.Join(c.What, "+"))
	}
	want := []string{"removed T-1 ", "changed T-2 severity+test", "added T-3 "}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if d := rulepack.Diff(compile(ticketRules), compile(ticketRules)); d != nil {
		t.Errorf("the same rules differ: %v", d)
	}
}

func TestFetchingARelease(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /r-1.0.zip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Write([]byte("octets"))
	})
	mux.Handle("GET /moved.zip", http.RedirectHandler("/r-1.0.zip", http.StatusFound))
	mux.Handle("GET /inner.zip", http.RedirectHandler("http://10.0.0.1/r.zip", http.StatusFound))
	mux.Handle("GET /away.zip", http.RedirectHandler("https://example.org/r.zip", http.StatusFound))
	mux.Handle("GET /loop.zip", http.RedirectHandler("/loop.zip", http.StatusFound))
	s := httptest.NewServer(mux)
	defer s.Close()
	const sum = "8fb24ee60b16e88cdeb70e77bbd2b0bb1bc8ab3b8e2ce9e8dd4a2ca3c6ff7b65"
	d, err := rulepack.Fetch(t.Context(), s.URL+"/moved.zip", rulepack.FetchOptions{})
	if err != nil || string(d.Octets) != "octets" || d.Name != "moved.zip" || d.ETag != `"1"` || !strings.HasSuffix(d.URL, "/r-1.0.zip") {
		t.Fatalf("%+v %v", d, err)
	}
	if again, err := rulepack.Fetch(t.Context(), s.URL+"/r-1.0.zip", rulepack.FetchOptions{ETag: d.ETag, SHA256: d.SHA256}); err != nil || !again.Unchanged {
		t.Errorf("%+v %v", again, err)
	}
	for _, c := range []struct {
		name, url string
		opt       rulepack.FetchOptions
		is        error
	}{
		{"another checksum", s.URL + "/r-1.0.zip", rulepack.FetchOptions{SHA256: sum}, rulepack.ErrChecksum},
		{"too large", s.URL + "/r-1.0.zip", rulepack.FetchOptions{MostOctets: 5}, nil},
		{"a redirect into the inner network", s.URL + "/inner.zip", rulepack.FetchOptions{}, smp.ErrAddress},
		{"a redirect away from this machine", s.URL + "/away.zip", rulepack.FetchOptions{}, smp.ErrAddress},
		{"redirects without end", s.URL + "/loop.zip", rulepack.FetchOptions{}, nil},
		{"no such file", s.URL + "/no.zip", rulepack.FetchOptions{}, nil},
		{"http elsewhere", "http://example.org/r.zip", rulepack.FetchOptions{}, smp.ErrURL},
		{"the inner network", "https://192.168.0.1/r.zip", rulepack.FetchOptions{}, smp.ErrAddress},
		{"a file", "file:///etc/passwd", rulepack.FetchOptions{}, smp.ErrURL},
	} {
		if _, err := rulepack.Fetch(t.Context(), c.url, c.opt); err == nil || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestTheNextReleaseOfAPublisher(t *testing.T) {
	t.Parallel()
	const asset = "https://github.com/Example/rules/releases/download/validation-1.3.15/en16931-ubl-1.3.15.zip"
	if got := rulepack.LatestPage(asset); got != "https://github.com/Example/rules/releases/latest" {
		t.Error(got)
	}
	if got, want := rulepack.AssetOf(asset, "validation-1.3.16"), "https://github.com/Example/rules/releases/download/validation-1.3.16/en16931-ubl-1.3.16.zip"; got != want {
		t.Error(got)
	}
	if rulepack.LatestPage("https://example.org/rules.zip") != "" || rulepack.AssetOf("https://example.org/rules.zip", "x") != "" {
		t.Error("others are no pages of releases")
	}
}
