package validation_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/node/validation"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

var today = time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)

const (
	rules = `<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2"><ns prefix="t" uri="urn:example:ticket"/>
<pattern><rule context="t:Ticket"><assert id="T-1" flag="fatal" test="t:Number &gt; 0">A number above 0.</assert></rule></pattern></schema>`
	good = `<Ticket xmlns="urn:example:ticket"><Number>7</Number></Ticket>`
	bad  = `<Ticket xmlns="urn:example:ticket"><Number>0</Number></Ticket>`
)

func library(tb testing.TB) *rulepack.Library {
	tb.Helper()
	dir := rulepack.Folder(tb.TempDir())
	packs, err := rulepack.Import(fstest.MapFS{"tickets-1.0.sch": {Data: []byte(rules)}}, rulepack.ImportOptions{Now: today})
	if err != nil {
		tb.Fatal(err)
	}
	if err := dir.Add(packs[0]); err != nil {
		tb.Fatal(err)
	}
	lib, err := rulepack.NewLibrary(dir, rulepack.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return lib
}

func serve(tb testing.TB) *httptest.Server {
	lib := library(tb)
	s := validation.New(validation.Options{
		Judge: func(ctx context.Context, doc *dom.Document, packs ...string) (*edocument.Report, error) {
			if doc.Root().Local() == "Slow" {
				return nil, errors.New("it costs too much")
			}
			return lib.Validate(ctx, doc, today, packs...)
		},
		Packs: func() []string { return []string{"local:tickets:1.0"} },
		Clock: func() time.Time { return today }, Version: "1.0", MaxDocument: 4096,
	})
	server := httptest.NewServer(s.Handler())
	tb.Cleanup(server.Close)
	return server
}

func call(tb testing.TB, method, url, body string, header ...string) (int, string, *http.Response) {
	tb.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/xml")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp.StatusCode, string(b), resp
}

func TestItAnswersAsTheDaemonOfKoSIT(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		says                     []string
	}{
		{"a valid document", "POST", "/", good, nil, 200, []string{"<rep:accept>", "supplied_instance_", `valid="true"`}},
		{"the last part of the path names it", "POST", "/in/box/t.xml?x=1", good, nil, 200, []string{"<rep:documentReference>t.xml<"}},
		{"an invalid one", "POST", "/t.xml", bad, nil, 406, []string{"<rep:reject>", `code="T-1"`, `level="error"`, `lineNumber="1"`}},
		{"one that is no XML", "POST", "/", "<a>", nil, 406, []string{"noScenarioMatched", "val-xml"}},
		{"one that no rules are about", "POST", "/", "<a/>", nil, 406, []string{"noScenarioMatched", "<rep:reject>"}},
		{"one that cannot be judged", "POST", "/", "<Slow/>", nil, 422, []string{"<rep:reject>"}},
		{"nothing", "POST", "/", "", nil, 400, nil},
		{"a form", "POST", "/", good, []string{"Content-Type", "multipart/form-data; boundary=x"}, 400, nil},
		{"too much", "POST", "/", "<a>" + strings.Repeat("x", 5000) + "</a>", nil, 413, nil},
		{"another method", "PUT", "/", good, nil, 405, nil},
		{"a page", "GET", "/", "", nil, 405, nil},
		{"health", "GET", "/server/health", "", nil, 200, []string{"framework/1/daemon", "<status>UP</status>"}},
		{"configuration", "GET", "/server/config", "", nil, 200, []string{"local:tickets:1.0"}},
	} {
		status, body, _ := call(t, c.method, s.URL+c.path, c.body, c.header...)
		if status != c.status {
			t.Errorf("%s: %d, want %d: %s", c.name, status, c.status, body)
		}
		for _, w := range c.says {
			if !strings.Contains(body, w) {
				t.Errorf("%s: no %s in %s", c.name, w, body)
			}
		}
	}
}

func TestContainersOfDossiersAreLookedThrough(t *testing.T) {
	t.Parallel()
	pack := func(pairs ...string) string {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for i := 0; i < len(pairs); i += 2 {
			w, err := z.Create(pairs[i])
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, pairs[i+1])
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	const dossiers, dossier = `<VirtualCompanyDossierPackage xmlns="urn:www.peppol.eu:schema:xsd:VirtualCompanyDossierPackage-1"/>`,
		`<VirtualCompanyDossier xmlns="urn:www.peppol.eu:schema:xsd:VirtualCompanyDossier-1"><Evidence><ID>1</ID><FileName>tax.pdf</FileName></Evidence></VirtualCompanyDossier>`
	s := serve(t)
	for _, c := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"a whole one", pack("VCDPackage_1.xml", dossiers, "VCD_1/VCD_1.xml", dossier, "VCD_1/tax.pdf", "x"), 200, "<rep:accept>"},
		{"one without a proof", pack("VCDPackage_1.xml", dossiers, "VCD_1/VCD_1.xml", dossier), 406, `code="VCD-FILE"`},
		{"another ZIP file", pack("a.txt", "x"), 406, "noScenarioMatched"},
	} {
		if status, body, _ := call(t, "POST", s.URL+"/", c.body); status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
	}
}

// TestAHostilePackKeepsNobodyWaiting has a rule that never ends, as good as, judge a document, and asks for another one meanwhile.
func TestAHostilePackKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	endless := strings.Replace(rules, "t:Number &gt; 0", "every $a in 1 to 1000000, $b in 1 to 1000000 satisfies $a * $b &gt; 0", 1)
	packs, err := rulepack.Import(fstest.MapFS{"endless-1.0.sch": {Data: []byte(endless)}}, rulepack.ImportOptions{Now: today})
	if err != nil {
		t.Fatal(err)
	}
	hostile, err := rulepack.Compile(packs...)
	if err != nil {
		t.Fatal(err)
	}
	hostile.Options.Limits.Work = 1 << 60 // it ends with whoever asked
	lib := library(t)
	begun, ended := make(chan bool, 1), make(chan error, 1)
	s := validation.New(validation.Options{Concurrent: 1, Long: time.Millisecond, Judge: func(ctx context.Context, doc *dom.Document, _ ...string) (*edocument.Report, error) {
		if doc.Root().FirstElement().Text() != "666" {
			return lib.Validate(ctx, doc, today)
		}
		begun <- true
		r, err := hostile.ValidateContext(ctx, doc)
		ended <- err
		return r, err
	}})
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := make(chan error, 1)
	go func() {
		r, err := http.NewRequestWithContext(ctx, "POST", server.URL, strings.NewReader(strings.Replace(good, "7", "666", 1)))
		if err == nil {
			_, err = http.DefaultClient.Do(r)
		}
		asked <- err
	}()
	<-begun
	for range 3 {
		if status, body, _ := call(t, "POST", server.URL, good); status != 200 {
			t.Errorf("%d %s", status, body)
		}
	}
	if status, _, _ := call(t, "GET", server.URL+"/server/health", ""); status != 200 {
		t.Errorf("health: %d", status)
	}
	select {
	case err := <-ended:
		t.Errorf("the hostile rule is to run still: %v", err)
	default:
	}
	cancel()
	if err := <-asked; !errors.Is(err, context.Canceled) {
		t.Errorf("asked: %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) && !errors.Is(err, xpath.ErrCancelled) {
		t.Errorf("nobody waits any more: %v", err)
	}
}

func envelope(body string) string {
	return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>` + body + `</s:Body></s:Envelope>`
}

func request(inputs ...string) string {
	return envelope(`<v:ValidateRequest xmlns:v="http://www.gitb.com/vs/v1/" xmlns:c="http://www.gitb.com/core/v1/"><sessionId>1</sessionId>` + strings.Join(inputs, "") + `</v:ValidateRequest>`)
}

func input(name, method, value string) string {
	return `<input name="` + name + `" embeddingMethod="` + method + `"><c:value>` + value + `</c:value></input>`
}

func TestItIsAValidationServiceOfTheTestBed(t *testing.T) {
	t.Parallel()
	s := serve(t)
	escaped := strings.NewReplacer("<", "&lt;", "&", "&amp;")
	for _, c := range []struct {
		name, body string
		status     int
		says       []string
	}{
		{"its definition", envelope(`<v:GetModuleDefinitionRequest xmlns:v="http://www.gitb.com/vs/v1/"/>`), 200, []string{"GetModuleDefinitionResponse", `name="xml"`, `name="pack"`, "local:tickets:1.0"}},
		{"a valid document as text", request(input("xml", "STRING", escaped.Replace(good))), 200, []string{"<tr:result>SUCCESS<", "<tr:nrOfErrors>0<"}},
		{"an invalid one in base64", request(input("xml", "BASE64", base64.StdEncoding.EncodeToString([]byte(bad)))), 200, []string{"<tr:result>FAILURE<", "<tr:assertionID>T-1<", "tr:BAR"}},
		{"by a named pack", request(input("xml", "STRING", escaped.Replace(bad)), input("pack", "STRING", "local:tickets")), 200, []string{"FAILURE"}},
		{"no XML", request(input("xml", "STRING", "x")), 200, []string{"FAILURE"}},
		{"what no rules are about", request(input("xml", "STRING", "&lt;a/>")), 200, []string{"UNDEFINED"}},
		{"an address is not followed", request(input("xml", "URI", "http://127.0.0.1/x")), 500, []string{"soap:Client", "nothing is fetched"}},
		{"a pack that is not there", request(input("xml", "STRING", escaped.Replace(bad)), input("pack", "STRING", "a:b:1")), 500, []string{"no such rule pack"}},
		{"no document", request(input("other", "STRING", "x")), 500, []string{"is missing"}},
		{"another operation", envelope("<x/>"), 500, []string{"no operation"}},
		{"another envelope", "<x/>", 500, []string{"VersionMismatch"}},
		{"no envelope at all", "x", 500, []string{"soap:Client"}},
	} {
		status, body, _ := call(t, "POST", s.URL+"/gitb", c.body, "Content-Type", "text/xml", "SOAPAction", `""`)
		if status != c.status {
			t.Errorf("%s: %d, want %d: %s", c.name, status, c.status, body)
		}
		for _, w := range c.says {
			if !strings.Contains(body, w) {
				t.Errorf("%s: no %s in %s", c.name, w, body)
			}
		}
	}
	if status, body, _ := call(t, "GET", s.URL+"/gitb/validation?wsdl", ""); status != 200 || !strings.Contains(body, s.URL+"/gitb/validation") {
		t.Errorf("%d %s", status, body)
	}
}

func TestItsAnswersObeyTheSchemasOfTheTestBed(t *testing.T) {
	t.Parallel()
	schema, err := xsd.Compile(os.DirFS(filepath.Join(corpus.Dir(t, "architecture-esens"), "gitb-schemas")), xsd.Options{Lenient: true}, "gitb_vs.xsd")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t)
	escaped := strings.NewReplacer("<", "&lt;")
	for _, body := range []string{envelope(`<v:GetModuleDefinitionRequest xmlns:v="http://www.gitb.com/vs/v1/"/>`), request(input("xml", "STRING", escaped.Replace(good))), request(input("xml", "STRING", escaped.Replace(bad))), request(input("xml", "STRING", "&lt;"))} {
		_, answer, _ := call(t, "POST", s.URL+"/gitb", body)
		from, to := strings.Index(answer, "<soap:Body>")+len("<soap:Body>"), strings.Index(answer, "</soap:Body>")
		doc, err := dom.Parse([]byte(answer[from:to]), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(schema.Elements(), "{http://www.gitb.com/vs/v1/}"+doc.Root().Local()) {
			t.Fatalf("the schema knows no %s", doc.Root().Local())
		}
		r, err := schema.Validate(doc, xsd.ValidateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			t.Errorf("%s: %s", doc.Root().Local(), f)
		}
	}
}

// TestABusyServiceMakesOthersWait holds the bound on documents that are judged at a time.
func TestABusyServiceMakesOthersWait(t *testing.T) {
	t.Parallel()
	inside, leave := make(chan struct{}), make(chan struct{})
	s := validation.New(validation.Options{Concurrent: 1, Judge: func(context.Context, *dom.Document, ...string) (*edocument.Report, error) {
		inside <- struct{}{}
		<-leave
		return &edocument.Report{Valid: true}, nil
	}})
	go s.Judge(t.Context(), "first", strings.NewReader("<a/>"))
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Judge(ctx, "second", strings.NewReader("<a/>")); !errors.Is(err, context.Canceled) {
		t.Errorf("the second one: %v", err)
	}
	close(leave)
}

func FuzzGITB(f *testing.F) {
	f.Add(request(input("xml", "STRING", "&lt;a/>")))
	f.Add(request(input("xml", "BASE64", "PGEvPg==")))
	s := validation.New(validation.Options{MaxDocument: 4096, Judge: func(context.Context, *dom.Document, ...string) (*edocument.Report, error) {
		return &edocument.Report{Valid: true}, nil
	}})
	f.Fuzz(func(t *testing.T, body string) {
		w := httptest.NewRecorder()
		s.GITB().ServeHTTP(w, httptest.NewRequest("POST", "/gitb", strings.NewReader(body)))
		if w.Code != 200 && w.Code != 500 {
			t.Fatalf("%d", w.Code)
		}
		if _, err := dom.Parse(w.Body.Bytes(), dom.Limits{}); err != nil {
			t.Fatalf("the answer is no XML: %v", err)
		}
	})
}
