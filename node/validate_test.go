package node_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

const ticketOfNobody = `<Ticket xmlns="urn:example:ticket"/>`

func TestTheAPIJudgesDocuments(t *testing.T) {
	t.Parallel()
	made, _ := agree(t)
	g := begin(t, made, nil, nil)
	doc := g.document(t)
	_, hybrid, letter := papers(t)
	const invoice = `<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"/>`
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	if w, err := z.Create("a.xml"); err != nil || z.Close() != nil {
		t.Fatal(w, err)
	}
	for _, c := range []struct {
		name, query, body string
		status            int
		says              string
	}{
		{"an invoice without anything", "?name=in/a.xml", invoice, http.StatusOK, `"name":"a.xml","valid":false,"type":"invoice"`},
		{"what no rules are about", "", ticketOfNobody, http.StatusOK, `"code":"UNKNOWN_TYPE"`},
		{"no XML", "", "x", http.StatusOK, `"code":"NOT_WELL_FORMED"`},
		{"a PDF with an invoice", "?name=r.pdf", string(hybrid), http.StatusOK, `"name":"r.pdf","valid":true,"type":"invoice"`},
		{"a PDF without one", "", string(letter), http.StatusOK, `"code":"NO_INVOICE"`},
		{"a PDF that cannot be read", "", "%PDF-1.7\n", http.StatusOK, `"code":"NOT_WELL_FORMED"`},
		{"an archive", "", archive.String(), http.StatusOK, `send its documents one by one`},
		{"what is no name of a pack", "?pack=a", invoice, http.StatusBadRequest, "no name of a rule pack"},
		{"nothing", "", "", http.StatusBadRequest, "no document"},
		{"a pack that is not there", "?pack=a:b", invoice, http.StatusNotFound, "NO_PACK"},
		{"a form that is not known", "?form=pdf", invoice, http.StatusBadRequest, "svrl"},
	} {
		resp, body := g.call(t, "POST", "/api/v1/validate"+c.query, "application/xml", strings.NewReader(c.body))
		if resp.StatusCode != c.status || !strings.Contains(string(body), c.says) {
			t.Errorf("%s: %s %s", c.name, resp.Status, body)
		}
		described := "default"
		if c.status == http.StatusOK {
			described = "200"
		}
		var v any
		if err := json.NewDecoder(bytes.NewReader(body)).Decode(&v); err != nil {
			t.Fatal(err)
		}
		if err := doc.conforms(doc.Paths["/api/v1/validate"]["post"].Responses[described].Content["application/json"].Schema, v, c.name); err != nil {
			t.Errorf("%v in %s", err, body)
		}
	}
	for form, says := range map[string]string{"svrl": "svrl:failed-assert", "kosit": "rep:reject", "gitb": "tr:TAR", "junit": "testsuite", "phive": "mostSevereErrorLevel", "html": "<!DOCTYPE html>"} {
		if resp, body := g.call(t, "POST", "/api/v1/validate?form="+form, "application/xml", strings.NewReader(invoice)); resp.StatusCode != http.StatusOK || !strings.Contains(string(body), says) {
			t.Errorf("%s: %s %s", form, resp.Status, body)
		}
	}
}
