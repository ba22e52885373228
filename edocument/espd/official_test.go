package espd

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

// official are the rules of the publisher, for requests and for responses.
func official(t *testing.T) (request, response []*schematron.Schema) {
	t.Helper()
	dir := filepath.Join(corpus.Dir(t, "edocuments"), "espd-4.1.0", "validation")
	fsys := fstest.MapFS{}
	for _, f := range []string{"ESPD-criterion.xml", "criterionList.xml"} {
		b, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		fsys[f] = &fstest.MapFile{Data: b}
	}
	for _, folder := range []string{"common", "ESPDRequest", "ESPDResponse"} {
		list, err := filepath.Glob(filepath.Join(dir, folder, "sch", "*.sch"))
		if err != nil || len(list) == 0 {
			t.Fatal(folder, err)
		}
		for _, f := range list {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			name := folder + "-" + filepath.Base(f)
			if folder != "common" && (strings.HasSuffix(name, "codelist-values.sch") || strings.HasSuffix(name, "other-br.sch")) {
				continue // fragments without namespaces, or without patterns
			}
			fsys[name] = &fstest.MapFile{Data: b}
			s, err := schematron.Compile(fsys, name, schematron.Options{})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if folder != "ESPDResponse" {
				request = append(request, s)
			}
			if folder != "ESPDRequest" {
				response = append(response, s)
			}
		}
	}
	return request, response
}

// fatal names the rules that refuse a document by the official artefacts.
func fatal(t *testing.T, rules []*schematron.Schema, b []byte) map[string]int {
	t.Helper()
	doc := parse(t, b)
	out := map[string]int{}
	for _, s := range rules {
		r, err := s.Validate(context.Background(), doc, schematron.ValidateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range r.Errors {
			t.Logf("%s: %v", s.Title(), e)
		}
		for _, f := range r.Findings {
			if f.Level() >= schematron.LevelError {
				id := f.ID
				if id == "" {
					id = strings.TrimSpace(f.Message())
				}
				out[id]++
			}
		}
	}
	return out
}

// TestOfficialRules: what this package writes of the publisher's examples obeys the publisher's rules, and so does a response
// to all criteria.
func TestOfficialRules(t *testing.T) {
	t.Parallel()
	request, response := official(t)
	for name, c := range map[string]struct {
		rules []*schematron.Schema
		doc   []byte
	}{
		"response to the request": {response, everything(t, corpusRequest(t)).XML()},
		"request, written again":  {request, read(t, corpusRequest(t)).XML()},
		"response, written again": {response, read(t, corpusResponse(t)).XML()},
	} {
		if got := fatal(t, c.rules, c.doc); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// everything answers all questions of a request through its form.
func everything(t *testing.T, req []byte) *Document {
	t.Helper()
	d := read(t, req).Respond("RES-1", "4d2b3a60-0000-4000-8000-000000000002", company, now)
	v := url.Values{}
	for i, c := range d.Criteria {
		for p := range c.Properties() {
			name, s := "a:"+p.ID, "text"
			switch field(p.Type) {
			case "yesno":
				s = []string{"true", "false"}[i%2]
			case "date":
				s = "2026-01-31"
			case "number":
				s = "3"
			case "amount":
				s = "1000.50"
				v.Set(name+":unit", "EUR")
			case "period":
				v.Set(name+":start", "2025-01-01")
				v.Set(name+":end", "2025-12-31")
			case "url":
				s = "https://register.example/"
			case "evidence":
				v.Set(name+":uri", "https://register.example/17")
			}
			if p.Type == "CODE_COUNTRY" {
				s = "EST"
			}
			v.Set(name, s)
		}
	}
	if wrong := d.Fill(v); wrong != nil {
		t.Fatal(wrong)
	}
	return d
}

// TestSchema: what this package writes obeys the schemas of UBL 2.3.
func TestSchema(t *testing.T) {
	t.Parallel()
	dir := os.DirFS(filepath.Join(corpus.Dir(t, "edocuments"), "espd-4.1.0", "xsdrt"))
	s, err := xsd.Compile(dir, xsd.Options{}, "maindoc/UBL-QualificationApplicationRequest-2.3.xsd", "maindoc/UBL-QualificationApplicationResponse-2.3.xsd")
	if err != nil {
		t.Fatal(err)
	}
	small, _ := filled(t, request("ESPD-EDMv4.1.0", "2.3"), nil)
	for name, b := range map[string][]byte{
		"the publisher's request": corpusRequest(t), "the publisher's response": corpusResponse(t), "response": everything(t, corpusRequest(t)).XML(),
		"request, written again": read(t, corpusRequest(t)).XML(), "response, written again": read(t, corpusResponse(t)).XML(), "response to a small request": small.XML(),
	} {
		r, err := s.Validate(parse(t, b), xsd.ValidateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			t.Errorf("%s: %v", name, f)
		}
	}
}
