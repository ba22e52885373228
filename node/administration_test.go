package node_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/agreements"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// pmodeSamples are files that the command line's script imports: the same must come of them here.
func pmodeSamples(t *testing.T) map[string][]byte {
	t.Helper()
	a, err := txtar.ParseFile("../cmd/viadukt/testdata/pmode.txtar")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range a.Files {
		out[f.Name] = f.Data
	}
	if out["good.xml"] == nil || out["wrong.xml"] == nil {
		t.Fatal("the samples are not there")
	}
	return out
}

// beginImporting is a node that takes P-Mode files, with users of its REST interface.
func beginImporting(t *testing.T) *gateway {
	t.Helper()
	r, err := setup.Create(setup.Params{Dir: filepath.Join(t.TempDir(), "ee"), Country: "EE", Profile: "eu-edelivery", Host: loopback(), Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(r.Dir, "keys", "office.pass"), "secret")
	edit(t, r.ConfigFile, func(b []byte) []byte {
		return append(b, "\nbackoffice:\n  rest: true\n  users:\n    - {name: boss, password: file:keys/office.pass, admin: true}\n    - {name: clerk, password: file:keys/office.pass, originalUser: \""+c1+"\"}\n"...)
	})
	c, err := config.Load(r.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.New(context.Background(), c, node.Options{ImportPModes: agreements.ForNode})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	return &gateway{n, r}
}

// TestPModesAndTrustByREST: scripts that look after a Domibus upload P-Modes and certificates.
func TestPModesAndTrustByREST(t *testing.T) {
	t.Parallel()
	g, samples := beginImporting(t), pmodeSamples(t)
	call := func(user, method, path string, file []byte, fields ...string) (int, string) {
		t.Helper()
		var body io.Reader = http.NoBody
		contentType := ""
		if file != nil {
			var b bytes.Buffer
			m := multipart.NewWriter(&b)
			for i := 0; i < len(fields); i += 2 {
				m.WriteField(fields[i], fields[i+1])
			}
			w, _ := m.CreateFormFile("file", "upload.xml")
			w.Write(file)
			m.Close()
			body, contentType = &b, m.FormDataContentType()
		}
		req, err := http.NewRequest(method, "http://"+g.Addr("api")+"/domibus/ext/"+path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(user, "secret")
		req.Header.Set("Content-Type", contentType)
		resp, answer := do(t, req)
		return resp.StatusCode, string(answer)
	}
	expect := func(what string, status int, answer string, wantStatus int, want ...string) {
		t.Helper()
		if status != wantStatus {
			t.Errorf("%s: %d %s", what, status, answer)
		}
		for _, w := range want {
			if !strings.Contains(answer, w) {
				t.Errorf("%s: no %q in %s", what, w, answer)
			}
		}
	}
	pmodesFile := filepath.Join(g.made.Dir, "pmodes.yaml")
	s, a := call("clerk", "POST", "pmode", samples["good.xml"])
	expect("a clerk", s, a, http.StatusUnauthorized)
	s, a = call("boss", "GET", "pmode/current", nil)
	expect("none was uploaded", s, a, http.StatusNotFound)
	s, a = call("boss", "POST", "pmode", samples["wrong.xml"], "description", "first")
	expect("a wrong file", s, a, http.StatusNotAcceptable, `"level":"ERROR"`, `there is no legConfiguration`)
	s, a = call("boss", "POST", "pmode", samples["good.xml"], "description", "first")
	expect("a certificate is missing", s, a, http.StatusNotAcceptable, "certificate of pt is missing")
	if exists(pmodesFile) {
		t.Error("what was refused is written")
	}

	ca := accessPoints(t, g.made)
	pt, err := ca.Issue(pki.Template{CommonName: "PT", Country: "PT", Algorithm: pki.RSA2048})
	if err != nil {
		t.Fatal(err)
	}
	s, a = call("boss", "POST", "truststore/entries", pki.MarshalPEM(pt.Certificate), "alias", "pt")
	expect("add", s, a, http.StatusOK, "[pt]")
	s, a = call("boss", "POST", "truststore/entries", pki.MarshalPEM(pt.Certificate), "alias", "pt")
	expect("add again", s, a, http.StatusConflict)
	s, a = call("boss", "POST", "truststore/entries", []byte("none"), "alias", "x")
	expect("no certificate", s, a, http.StatusBadRequest)
	s, a = call("boss", "POST", "truststore/entries", pki.MarshalPEM(pt.Certificate), "alias", strings.Repeat("a", 256))
	expect("a long alias", s, a, http.StatusBadRequest, "alias has 1 to 255 octets")
	s, a = call("boss", "GET", "truststore/entries", nil)
	expect("list", s, a, http.StatusOK, `"name":"pt"`)

	s, a = call("clerk", "GET", "truststore/download", nil)
	expect("a clerk's download", s, a, http.StatusUnauthorized)
	s, a = call("boss", "GET", "truststore/download", nil)
	expect("download", s, a, http.StatusOK)
	downloaded := map[string]bool{}
	for _, k := range must(pki.LoadTrustStore([]byte(a), "changeit")) {
		downloaded[k.Alias] = downloaded[k.Alias] || k.Certificate.Equal(pt.Certificate)
	}
	if !downloaded["pt"] || len(downloaded) < 2 {
		t.Errorf("in the downloaded store are %v", downloaded)
	}
	s, a = call("boss", "POST", "tlstruststore", []byte(a), "password", "changeit")
	expect("what was downloaded is uploaded", s, a, http.StatusOK)
	s, a = call("boss", "GET", "tlstruststore/entries", nil)
	expect("with its aliases", s, a, http.StatusOK, `"name":"pt"`)
	s, a = call("boss", "POST", "pmode", samples["good.xml"], "description", "second")
	expect("upload", s, a, http.StatusOK, "successfully uploaded")
	if g.PMode("letters/letter/pt") == nil {
		t.Errorf("the P-Mode is not in use: %v", must(os.ReadFile(pmodesFile)))
	}
	s, a = call("boss", "GET", "pmode/current", nil)
	expect("current", s, a, http.StatusOK, `"id":1`, `"username":"boss"`, `"description":"second"`)
	s, a = call("boss", "GET", "pmode/1", nil)
	if expect("the file", s, a, http.StatusOK); a != string(samples["good.xml"]) {
		t.Error("the file is not what was uploaded")
	}
	s, a = call("boss", "GET", "pmode/7", nil)
	expect("another id", s, a, http.StatusNotFound)

	// The partner's next certificate under the same alias.
	next, err := ca.Issue(pki.Template{CommonName: "PT", Country: "PT", Algorithm: pki.RSA2048})
	if err != nil {
		t.Fatal(err)
	}
	s, a = call("boss", "POST", "truststore/entries", pki.MarshalPEM(next.Certificate), "alias", "pt")
	expect("the next one", s, a, http.StatusOK)
	if got := g.PMode("letters/letter/pt").Certificates[0]; !got.Equal(next.Certificate) {
		t.Errorf("the partner's certificate is %s", got.SerialNumber)
	}

	// A strange authority is trusted once it is added, for what it was added for alone.
	stranger, err := pki.NewAuthority(nil, "CN=Stranger", pki.P256, time.Now().Add(-time.Hour), 5)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := stranger.Issue(pki.Template{CommonName: "leaf", Algorithm: pki.P256})
	if err != nil {
		t.Fatal(err)
	}
	trusted := func(p pki.Purpose) bool {
		_, err := g.Trust().Verify(leaf.Certificate, nil, p)
		return err == nil
	}
	s, a = call("boss", "POST", "tlstruststore/entries", pki.MarshalPEM(stranger.Certificate), "alias", "stranger")
	expect("for TLS", s, a, http.StatusOK)
	if !trusted(pki.PurposeTLS) || trusted(pki.PurposeAccessPoint) {
		t.Error("an authority for TLS is trusted for messages, or not at all")
	}
	s, a = call("boss", "GET", "tlstruststore/entries", nil)
	expect("list for TLS", s, a, http.StatusOK, `"name":"stranger"`)
	s, a = call("boss", "DELETE", "tlstruststore/entries/stranger", nil)
	expect("remove", s, a, http.StatusOK)
	if trusted(pki.PurposeTLS) {
		t.Error("what was removed is trusted")
	}
	s, a = call("boss", "DELETE", "tlstruststore/entries/stranger", nil)
	expect("remove again", s, a, http.StatusNotFound)
	s, a = call("boss", "POST", "truststore", append(pki.MarshalPEM(stranger.Certificate), pki.MarshalPEM(pt.Certificate)...), "password", "x")
	expect("replace", s, a, http.StatusOK, "2 certificates")
	if !trusted(pki.PurposeAccessPoint) {
		t.Error("the new trust store is not in use")
	}
	acts := g.administration(t)
	for _, want := range []string{"truststore.put", "truststore.remove", "truststore.replace", "pmode.import"} {
		if !slices.Contains(acts, want) {
			t.Errorf("%s is not in the log: %v", want, acts)
		}
	}
	// They are there after a start.
	g.Stop(context.Background())
	again := begin(t, g.made, nil, nil)
	if _, err := again.Trust().Verify(leaf.Certificate, nil, pki.PurposeAccessPoint); err != nil {
		t.Errorf("after a start: %v", err)
	}
}

// TestAnImportThatCannotBeUsedLeavesTheFormerOne: the file reads well, the configuration as a whole does not.
func TestAnImportThatCannotBeUsedLeavesTheFormerOne(t *testing.T) {
	t.Parallel()
	g, samples := beginImporting(t), pmodeSamples(t)
	before := "pmodes: []\n"
	put(t, filepath.Join(g.made.Dir, "pmodes.yaml"), before)
	put(t, filepath.Join(g.made.Dir, "trust", "partner-pt.pem"), "damaged")
	if _, _, err := g.ImportPModes(context.Background(), "good.xml", "", samples["good.xml"]); err == nil {
		t.Error("a damaged certificate is taken")
	}
	if got := string(must(os.ReadFile(filepath.Join(g.made.Dir, "pmodes.yaml")))); got != before {
		t.Errorf("the file is now %s", got)
	}
	list, err := g.PModeFiles(context.Background())
	if err != nil || len(list) != 0 {
		t.Errorf("kept: %v %v", list, err)
	}
}

// TestPModesByTheConsole: what a file would change is shown first, and taken into use by whoever was shown it.
func TestPModesByTheConsole(t *testing.T) {
	t.Parallel()
	g, samples := beginImporting(t), pmodeSamples(t)
	v := g.visit(t)
	v.enter(g.made.Password)
	post := func(path string, file []byte, fields ...string) string {
		t.Helper()
		_, page := v.get("/console/agreements")
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		m.WriteField("csrf", formToken.FindStringSubmatch(page)[1])
		for i := 0; i < len(fields); i += 2 {
			m.WriteField(fields[i], fields[i+1])
		}
		w, _ := m.CreateFormFile("file", "good.xml")
		w.Write(file)
		m.Close()
		_, body := v.read(v.Post(v.base+"/console/agreements/"+path, m.FormDataContentType(), &b))
		return body
	}
	upload := func(file []byte) string { return post("import", file) }
	if page := upload(samples["wrong.xml"]); !strings.Contains(page, "The file is refused") || !strings.Contains(page, "there is no legConfiguration") {
		t.Error("a wrong file is not refused")
	}
	if page := upload(samples["good.xml"]); !strings.Contains(page, "Certificates of these partners are missing") || strings.Contains(page, "import/apply") {
		t.Error("a file without certificate can be applied")
	}
	pt, err := accessPoints(t, g.made).Issue(pki.Template{CommonName: "PT", Country: "PT", Algorithm: pki.RSA2048})
	if err != nil {
		t.Fatal(err)
	}
	if page := post("import/certificate", pki.MarshalPEM(pt.Certificate), "partner", "pt"); !strings.Contains(page, "Upload the P-Mode file again") {
		t.Fatalf("the certificate is not taken: %s", page)
	}
	page := upload(samples["good.xml"])
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(page)
	if id == nil || !strings.Contains(page, "letters/letter") || !strings.Contains(page, "https://pt.example/as4") {
		t.Fatalf("the difference is not shown: %s", page)
	}
	if g.PMode("letters/letter/pt") != nil {
		t.Error("it is in use before anybody said yes")
	}
	if _, page = v.post("/console/agreements/import/apply", "id", "guessed"); !strings.Contains(page, "too long ago") {
		t.Error("a guessed id is taken")
	}
	if _, page = v.post("/console/agreements/import/apply", "id", id[1]); !strings.Contains(page, "The P-Modes are in use") || g.PMode("letters/letter/pt") == nil {
		t.Errorf("not taken into use: %s", page)
	}
	if _, page = v.post("/console/agreements/import/apply", "id", id[1]); !strings.Contains(page, "too long ago") {
		t.Error("it is taken twice")
	}
}

// TestAnImportThatCannotBeWrittenIsRefused: as where the configuration belongs to root.
func TestAnImportThatCannotBeWrittenIsRefused(t *testing.T) {
	t.Parallel()
	g, samples := beginImporting(t), pmodeSamples(t)
	pt, err := accessPoints(t, g.made).Issue(pki.Template{CommonName: "PT", Country: "PT", Algorithm: pki.RSA2048})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.PutTrust(context.Background(), node.TrustMessages, "pt", pt.Certificate); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(g.made.Dir, "trust", "partner-pt.pem"), 0o700); err != nil { // in its way, whoever runs the test
		t.Fatal(err)
	}
	_, _, err = g.ImportPModes(context.Background(), "good.xml", "", samples["good.xml"])
	if !errors.Is(err, node.ErrImport) || !strings.Contains(err.Error(), "cannot be written") || exists(filepath.Join(g.made.Dir, "pmodes.yaml")) {
		t.Errorf("got %v", err)
	}
}
