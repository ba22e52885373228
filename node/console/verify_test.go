package console

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/report"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// verifier judges for real, with an authority of its own.
type verifier struct {
	anchors []*pki.Certificate
	crl     []byte
	at      time.Time
}

func (v *verifier) Verify(_ context.Context, name string, document []byte, detachedName string, detached []byte) (*report.Verdict, error) {
	opt := gather.Options{Anchors: v.anchors, CRLs: [][]byte{v.crl}}
	if detached != nil {
		opt.Documents = []xades.Document{xades.Bytes(detachedName, "", detached)}
	}
	r, err := gather.Open(document, opt)
	if err != nil {
		return nil, err
	}
	return report.Judge(name, r, nil, v.at), nil
}

// TestASignatureIsJudgedOnThePage: good, bad and doubtful, in every language, and harmless whatever the signer's name is.
func TestASignatureIsJudgedOnThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.as(t, Viewer)
	if p := b.get("/console/verify"); p.status != http.StatusNotFound {
		t.Errorf("without a verifier: %d", p.status)
	}
	at := time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, at.AddDate(-1, 0, 0), 20)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ca.Issue(pki.Template{CommonName: `"><script>alert(1)</script>`, NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	v := &verifier{at: at, anchors: []*pki.Certificate{ca.Certificate}}
	if v.crl, err = ca.CRL(nil, at); err != nil {
		t.Fatal(err)
	}
	w.opt.Verifier = v
	sign := func(packaging xades.Packaging) []byte {
		b, err := xades.Sign(signer.Key.(crypto.Signer), nil, []xades.Document{xades.Bytes("order.xml", "application/xml", []byte("<order n='1'/>"))}, xades.Params{Packaging: packaging, Signer: signer.Certificate, Time: at})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := sign(xades.Enveloped)
	bad := bytes.Replace(good, []byte("n='1'"), []byte("n='9'"), 1)
	if bytes.Equal(good, bad) {
		bad = bytes.Replace(good, []byte(`n="1"`), []byte(`n="9"`), 1)
	}
	detached := sign(xades.Detached)
	b.get("/console/verify").says(t, "the page", http.StatusOK, "Who signed a document", `aria-describedby="document-hint"`, "report.css")
	b.upload("/console/verify", "document", "a.xml", nil).says(t, "no file", http.StatusUnprocessableEntity, "Choose a file.")
	b.upload("/console/verify", "document", "a.txt", []byte("nothing")).says(t, "no signature", http.StatusOK, "is not signed, or cannot be read")
	b.upload("/console/verify", "document", "a.xml", good).says(t, "a good one", http.StatusOK, "Every signature is valid.", "trusted", "&lt;script&gt;")
	b.upload("/console/verify", "document", "a.xml", bad).says(t, "a bad one", http.StatusOK, "Do not rely on this document.", "was changed after it was signed")
	b.upload("/console/verify", "document", "a.xml", detached).says(t, "a doubtful one", http.StatusOK, "A signature cannot be confirmed.", "is not at hand")
	for _, language := range Languages {
		b.post("/console/look", "language", language, "theme", "", "back", "/console/verify")
		for _, document := range [][]byte{good, bad, detached} {
			p := b.upload("/console/verify", "document", "a.xml", document)
			if p.status != http.StatusOK || strings.Contains(p.body, "<script>alert") || leftOver.MatchString(p.body) {
				t.Errorf("%s: %d, what the signer says is markup, or a text is missing: %s", language, p.status, leftOver.FindString(p.body))
			}
		}
	}
	p := b.upload("/console/verify", "document", "a.xml", good, "as", "etsi")
	if p.header.Get("Content-Type") != "application/xml" || !strings.Contains(p.body, "total-passed") || !strings.Contains(p.header.Get("Content-Disposition"), "a.xml.report.xml") {
		t.Errorf("%v %.100s", p.header, p.body)
	}
	p = b.upload("/console/verify", "document", "a.xml", good, "as", "html")
	if !strings.HasPrefix(p.body, "<!DOCTYPE html>") || !strings.HasPrefix(p.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%v %.100s", p.header, p.body)
	}
	if p := b.upload("/console/verify", "document", "a.xml", good, "as", "pdf"); !strings.HasPrefix(p.body, "%PDF-1.7") {
		t.Errorf("%.100s", p.body)
	}
	if p := b.get("/console/static/report.css"); p.status != http.StatusOK || p.body != report.Style {
		t.Errorf("style: %d", p.status)
	}
}
