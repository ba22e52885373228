package node_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/pdf/page"
	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// anySignatureByOneCall: documents signed in five states, each in another format, are judged by one call each, by the lists of those
// states; and all of them by one.
func anySignatureByOneCall(t *testing.T) {
	t.Parallel()
	u := newUnion(t, time.Now, "EE", "LV", "PT", "DE", "FR")
	d, _ := agree(t)
	u.configured(d, "")
	g := begin(t, d, nil, nil)
	if got := g.lists(t); got != "EU7 current, DE7 current, EE7 current, FR7 current, LV7 current, PT7 current" {
		t.Fatal(got)
	}
	sheet := page.New(page.Options{Title: "Letter", Language: "en", Created: time.Now()})
	sheet.Add(page.Paragraph{Text: page.Plain("To whom it may concern.")})
	pdf, err := sheet.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	letter := xades.Bytes("letter.xml", "text/xml", []byte("<letter/>"))
	documents := map[string][]byte{
		"EE": u.signedAs("EE", ades.Params{Format: ades.XAdES}, letter),
		"LV": u.signedAs("LV", ades.Params{Format: ades.CAdES}, letter),
		"PT": u.signedAs("PT", ades.Params{Format: ades.PAdES}, xades.Bytes("letter.pdf", "application/pdf", pdf)),
		"DE": u.signedAs("DE", ades.Params{Format: ades.JAdES}, letter),
		"FR": u.signedAs("FR", ades.Params{Format: ades.XAdES, Container: ades.ASiCE}, letter, xades.Bytes("note.txt", "text/plain", []byte("note"))),
	}
	for country, document := range documents {
		v, text := g.verdict(t, document)
		if worth(v) != "TOTAL_PASSED QESig" || v["SignedBy"] != "Ada of "+country || !strings.Contains(text, `"CountryCode":"`+country+`"`) || !strings.Contains(text, "Is the trusted list of "+country+" current?") {
			t.Errorf("%s: %v", country, v)
		}
	}
	v := g.visit(t)
	v.enter(d.Password)
	if _, body := v.upload("/console/verify", "document", "letter.xml", documents["EE"]); !strings.Contains(body, "QESIG: a qualified electronic signature") {
		t.Errorf("the console does not say what it is worth: %.2000s", body)
	}
	// What was changed is refused, whoever signed it; a signer whom no list knows is nobody's.
	forged := bytes.Replace(documents["EE"], []byte("<letter"), []byte("<latter"), 1)
	forged = bytes.Replace(forged, []byte("</letter"), []byte("</latter"), 1)
	if v, _ := g.verdict(t, forged); v["Indication"] != "TOTAL_FAILED" || v["SubIndication"] != "HASH_FAILURE" {
		t.Errorf("%v", v)
	}
	stranger := u.authority("CN=Authority of EE,C=EE") // of the same name, with another key
	var b bytes.Buffer
	if err := ades.Sign(t.Context(), &b, rand.Reader, u.signer("XX", stranger), []xades.Document{letter}, ades.Params{Format: ades.XAdES, Time: time.Now()}, nil); err != nil {
		t.Fatal(err)
	}
	if v, _ := g.verdict(t, b.Bytes()); worth(v) != "INDETERMINATE N/A" || v["SubIndication"] != "NO_CERTIFICATE_CHAIN_FOUND" {
		t.Errorf("%v", v)
	}

	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for country, document := range documents {
		part, err := form.CreateFormFile("file", country)
		if err == nil {
			_, err = part.Write(document)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post("http://"+g.Addr("signatures")+"/services/rest/batch/validate", form.FormDataContentType(), &body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got []string
	for lines := json.NewDecoder(resp.Body); ; {
		var line struct {
			File       string
			Valid      bool
			Signatures []struct{ Qualified string }
			Error      json.RawMessage
		}
		err := lines.Decode(&line)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(line.File, " ", line.Valid, " ", line.Signatures, string(line.Error)))
	}
	slices.Sort(got)
	if want := []string{"DE true [{QESIG}]", "EE true [{QESIG}]", "FR true [{QESIG}]", "LV true [{QESIG}]", "PT true [{QESIG}]"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// oneViewOfTrust: each anchor of a node is shown with its purposes and where it is from, and counts for nothing else.
func oneViewOfTrust(t *testing.T) {
	t.Parallel()
	u := newUnion(t, time.Now, "EE")
	d, _ := agree(t)
	u.configured(d, "")
	purposes := []pki.Purpose{pki.PurposeAccessPoint, pki.PurposeSMP, pki.PurposeTLS, pki.PurposeDocument, pki.PurposeToken, pki.PurposeEvidence, pki.PurposeTime}
	authorities := map[pki.Purpose]*pki.Authority{}
	conf, err := os.ReadFile(d.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range purposes {
		authorities[p] = u.authority("CN=CA for " + string(p) + ",C=EE")
		if err := os.WriteFile(filepath.Join(d.Dir, "ca-"+string(p)+".pem"), pki.MarshalPEM(authorities[p].Certificate), 0o600); err != nil {
			t.Fatal(err)
		}
		conf = bytes.Replace(conf, []byte("\n  trust: ["), fmt.Appendf(nil, "\n  trust: [{file: ca-%s.pem, purposes: [%s]}, ", p, p), 1)
	}
	if err := os.WriteFile(d.ConfigFile, conf, 0o600); err != nil {
		t.Fatal(err)
	}
	g := begin(t, d, nil, nil)
	g.lists(t)

	// The view: by program and in the console.
	ask := func(query string) map[string]string {
		t.Helper()
		resp, body := g.call(t, "GET", "/api/v1/trust"+query, "", nil)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		out := map[string]string{}
		for _, a := range decode[node.AnchorListJSON](t, body).Anchors {
			if a.State != "valid" || a.Until == nil || !a.Until.After(time.Now()) {
				t.Errorf("%+v", a)
			}
			out[a.Subject] = strings.Join(a.Purposes, " ") + "; " + a.From + ": " + a.Of
		}
		return out
	}
	all := ask("")
	for _, p := range purposes {
		if got, want := all["CN=CA for "+string(p)+",C=EE"], fmt.Sprintf("%s; configuration: ca-%s.pem", p, p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		for subject := range ask("?purpose=" + string(p)) {
			if !strings.Contains(all[subject]+" ", string(p)) {
				t.Errorf("%s is shown among those for %s", subject, p)
			}
		}
	}
	host := strings.TrimPrefix(u.URL, "http://")
	for subject, want := range map[string]string{
		u.eu.Certificate.Subject.String():                    "list-signer; configuration: lotl.pem",
		u.states["EE"].operator.Certificate.Subject.String(): "list-signer; list: " + host + ", EE",
		u.states["EE"].ca.Certificate.Subject.String():       "document time revocation; list: EE, Trust of EE",
	} {
		if all[subject] != want {
			t.Errorf("%s: %q, want %q", subject, all[subject], want)
		}
	}
	if !slices.ContainsFunc(slices.Collect(func(yield func(string) bool) {
		for _, s := range all {
			if !yield(s) {
				return
			}
		}
	}), func(s string) bool { return strings.HasPrefix(s, "access-point; partner: ") }) {
		t.Errorf("no partner: %q", all)
	}
	if resp, body := g.call(t, "GET", "/api/v1/trust?purpose=everything", "", nil); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	v := g.visit(t)
	v.enter(d.Password)
	_, body := v.get("/console/trust")
	for _, want := range []string{"CN=CA for document,C=EE", "ca-document.pem", "signatures of documents", "EE, Trust of EE", "qualified", "Operator of EU", u.URL + "/EE.xml"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if _, body := v.get("/console/trust?purpose=time"); strings.Contains(body, "CN=CA for document,C=EE") || !strings.Contains(body, "CN=CA for time,C=EE") {
		t.Error("the page does not choose by purpose")
	}

	// The binding: below the authority of one purpose nobody counts for another.
	for of, ca := range authorities {
		leaf, err := ca.Issue(pki.Template{CommonName: "somebody", NotBefore: time.Now().AddDate(0, -1, 0), NotAfter: time.Now().AddDate(1, 0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range purposes {
			_, err := g.Trust().Verify(leaf.Certificate, nil, p)
			if p == of && err != nil || p != of && !errors.Is(err, pki.ErrWrongPurpose) {
				t.Errorf("below the authority for %s, as %s: %v", of, p, err)
			}
		}
	}
	letter := xades.Bytes("letter.xml", "text/xml", []byte("<letter/>"))
	judge := func(ca *pki.Authority) string {
		t.Helper()
		var b bytes.Buffer
		if err := ades.Sign(t.Context(), &b, rand.Reader, u.signer("EE", ca), []xades.Document{letter}, ades.Params{Format: ades.XAdES, Time: time.Now()}, nil); err != nil {
			t.Fatal(err)
		}
		v, _ := g.verdict(t, b.Bytes())
		if v["SubIndication"] == nil {
			return fmt.Sprint(v["Indication"])
		}
		return fmt.Sprint(v["Indication"], " ", v["SubIndication"])
	}
	for of, ca := range authorities {
		want := "INDETERMINATE NO_CERTIFICATE_CHAIN_FOUND"
		if of == pki.PurposeDocument {
			want = "TOTAL_PASSED"
		}
		if got := judge(ca); got != want {
			t.Errorf("a document signed below the authority for %s: %s", of, got)
		}
	}
	if got := judge(u.states["EE"].ca); got != "TOTAL_PASSED" {
		t.Errorf("below the authority of the list: %s", got)
	}
	// A service of a list signs documents; it does not sign messages, nor lists.
	leaf, err := u.states["EE"].ca.Issue(pki.Template{CommonName: "somebody", NotBefore: time.Now().AddDate(0, -1, 0), NotAfter: time.Now().AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range purposes {
		if _, err := g.Trust().Verify(leaf.Certificate, nil, p); err == nil {
			t.Errorf("below the authority of the list, as %s", p)
		}
	}
	ee := u.states["EE"]
	ee.list.Sequence++
	u.put("/EE.xml", u.sign(ee.list, &ee.ca.Identity))
	if got := g.lists(t); got != "EU7 current, EE7 kept signer" {
		t.Error(got)
	}
	_, body = v.get("/console/trust")
	if !strings.Contains(body, "signed by somebody who may not") || !strings.Contains(body, "Take the certificates of its signers") || !strings.Contains(body, "earlier copy") {
		t.Error("the page does not say what is wrong with the list, and what to do")
	}
}
