package report

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/ers"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

var at = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

// judged is a verdict about a document of our own, with the content and the anchors that are at hand.
func judged(t *testing.T, content []byte, trust bool) *Verdict {
	t.Helper()
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, at.AddDate(-2, 0, 0), 20)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ca.Issue(pki.Template{CommonName: `Ada <b>"Signer"</b>`, NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	doc := xades.Bytes("order.xml", "application/xml", []byte("<order/>"))
	b, err := xades.Sign(signer.Key.(crypto.Signer), nil, []xades.Document{doc}, xades.Params{Packaging: xades.Detached, Signer: signer.Certificate, Time: at})
	if err != nil {
		t.Fatal(err)
	}
	crl, err := ca.CRL(nil, at)
	if err != nil {
		t.Fatal(err)
	}
	opt := gather.Options{CRLs: [][]byte{crl}}
	if content != nil {
		opt.Documents = []xades.Document{xades.Bytes("order.xml", "application/xml", content)}
	}
	if trust {
		opt.Anchors = []*pki.Certificate{ca.Certificate}
	}
	r, err := gather.Open(b, opt)
	if err != nil {
		t.Fatal(err)
	}
	return Judge("order.xades", r, nil, at)
}

// TestTimeStampsNameTheirRecord: those of evidence records say of which they are, in every language.
func TestTimeStampsNameTheirRecord(t *testing.T) {
	t.Parallel()
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, at.AddDate(-2, 0, 0), 20)
	if err != nil {
		t.Fatal(err)
	}
	unit, err := ca.Issue(pki.Template{CommonName: "Own TSA", ExtKeyUsage: []pki.OID{pki.EKUTimeStamping}, NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	tsa := &tsp.Responder{Identity: unit, Policy: "1.2.3.4", Clock: func() (time.Time, error) { return at, nil }}
	doc := xades.Bytes("order.xml", "application/xml", []byte("<order/>"))
	b, err := xades.Sign(unit.Key.(crypto.Signer), nil, []xades.Document{doc}, xades.Params{Packaging: xades.Enveloped, Signer: unit.Certificate, Time: at})
	if err != nil {
		t.Fatal(err)
	}
	record, err := ers.Create(t.Context(), tsa, ers.XML, crypto.SHA256, []xades.Document{xades.Bytes("", "", b)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := gather.Open(b, gather.Options{Records: [][]byte{record}, Anchors: []*pki.Certificate{ca.Certificate}})
	if err != nil {
		t.Fatal(err)
	}
	v := Judge("order.xml", r, nil, at)
	if etsi := v.ETSI(); bytes.Count(etsi, []byte("urn:etsi:019102:validationObject:evidencerecord")) != 1 {
		t.Errorf("%s", etsi)
	}
	for language, want := range map[string]string{
		"en": "2026-05-04 09:30:00 UTC by Own TSA, of evidence record 1 beside the document", "de": "aus: Beweisdatensatz 1 neben dem Dokument",
		"fr": "de : enregistrement de preuves 1 à côté du document", "it": "di: record di prove 1 accanto al documento",
	} {
		if x := v.Summary(language).Signatures[0].TimeStamps; len(x) != 1 || !strings.HasSuffix(want, x[0].Record) || x[0].Record == "" {
			t.Errorf("%s: %+v", language, x)
		}
		var page bytes.Buffer
		if err := v.WriteHTML(&page, language); err != nil || !strings.Contains(page.String(), want) {
			t.Errorf("%s: %v, the page lacks %q", language, err, want)
		}
		file, err := v.PDF(language)
		if err != nil {
			t.Fatal(err)
		}
		if show, err := exec.LookPath("pdftotext"); err == nil {
			c := exec.Command(show, "-raw", "-", "-")
			c.Stdin = bytes.NewReader(file)
			text, err := c.Output()
			if flat := strings.Join(strings.Fields(string(text)), " "); err != nil || !strings.Contains(flat, want) {
				t.Errorf("%s: %v, the PDF lacks %q: %s", language, err, want, flat)
			}
		}
	}
}

func TestTheReportSaysWhatIsWrongInEveryLanguage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		content        string
		trust          bool
		valid          bool
		state, sub     string
		say, say2, fix string // in German
	}{
		{"good", "<order/>", true, true, "valid", "", "Alle Signaturen sind gültig.", "unverändert", ""},
		{"changed", "<order n='2'/>", true, false, "bad", "HASH_FAILURE", "Das Dokument wurde nach der Unterschrift verändert.", "verändert", "bitten Sie den Unterzeichner"},
		{"nobody trusts", "<order/>", false, false, "doubtful", "NO_CERTIFICATE_CHAIN_FOUND", "Keine Stelle, der hier vertraut wird, bürgt für den Unterzeichner.", "lässt sich nicht bestätigen", "wenn Sie ihr vertrauen"},
		{"content away", "", true, false, "doubtful", "SIGNED_DATA_NOT_FOUND", "Das unterschriebene Dokument selbst liegt nicht vor.", "liegt nicht vor", "die unterschriebene Datei"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var content []byte
			if c.content != "" {
				content = []byte(c.content)
			}
			v := judged(t, content, c.trust)
			s := v.Summary("de")
			if s.Valid != c.valid || len(s.Signatures) != 1 || s.Signatures[0].SubIndication != c.sub || v.pageData("de").State() != c.state {
				t.Fatalf("%+v", s)
			}
			if (s.Signatures[0].Remedy == "") != (c.fix == "") || !strings.Contains(s.Signatures[0].Remedy, c.fix) {
				t.Errorf("remedy %q", s.Signatures[0].Remedy)
			}
			var b bytes.Buffer
			if err := v.WriteHTML(&b, "de"); err != nil {
				t.Fatal(err)
			}
			page := b.String()
			for _, text := range []string{c.say, c.say2, "Ada &lt;b&gt;", `lang="de"`} {
				if !strings.Contains(page, text) {
					t.Errorf("the page lacks %q", text)
				}
			}
			if strings.Contains(page, "<b>") || strings.Contains(page, "ZgotmplZ") || strings.Contains(page, "{0}") {
				t.Error("markup of the signer's, or a gap, in the page")
			}
			for _, language := range Languages {
				b.Reset()
				if err := v.Fragment(&b, language); err != nil || !strings.HasPrefix(b.String(), `<div class="report">`) {
					t.Errorf("%s: %v: %.60q", language, err, b.String())
				}
			}
			for _, language := range Languages {
				if b, err := v.PDF(language); err != nil || !bytes.HasPrefix(b, []byte("%PDF-1.7")) {
					t.Errorf("%s: %v", language, err)
				}
			}
			en, err := json.Marshal(v.Summary("xx"))
			if err != nil || !bytes.Contains(en, []byte(`"indication":"`+string(v.Signatures[0].Indication))) {
				t.Errorf("%s, %v", en, err)
			}
			d, err := dom.Parse(v.ETSI(), dom.Limits{})
			if err != nil || d.Root().Local() != "ValidationReport" || !bytes.Contains(v.ETSI(), []byte(map[string]string{"valid": "total-passed", "bad": "total-failed", "doubtful": "indeterminate"}[c.state])) {
				t.Errorf("%s, %v", v.ETSI(), err)
			}
		})
	}
}

// TestEverySentenceIsTranslated reads the questions and answers out of the program text of who asks them.
func TestEverySentenceIsTranslated(t *testing.T) {
	t.Parallel()
	var english []string
	for _, dir := range []string{"../validation", "../gather"} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if x, ok := n.(*ast.BasicLit); ok && x.Kind == token.STRING {
					if s, err := strconv.Unquote(x.Value); err == nil && len(s) > 1 && strings.HasSuffix(s, "?") {
						english = append(english, s)
					}
				}
				return true
			})
		}
	}
	if len(english) < 60 {
		t.Fatalf("only %d questions", len(english))
	}
	for _, s := range english {
		s = regexp.MustCompile(`%[sd]`).ReplaceAllString(s, "X")
		if strings.HasPrefix(s, ":") {
			s = "X" + s
		}
		if strings.HasPrefix(s, " ") { // the end of "Can X be read?" and the like, which the corpus has whole
			continue
		}
		for _, language := range Languages[1:] {
			if textsOf(language).sentence(s) == s {
				t.Errorf("%s: %q is not translated", language, s)
			}
		}
	}
	en := textsOf("en")
	for _, language := range Languages[1:] {
		x := textsOf(language)
		for key := range en.m {
			if x.m[key] == "" {
				t.Errorf("%s lacks %s", language, key)
			}
		}
		if len(x.m) != len(en.m) || len(x.patterns)+len(x.sentences) != len(textsOf("de").patterns)+len(textsOf("de").sentences) {
			t.Errorf("%s has other words than en, or other sentences than de", language)
		}
		holes := regexp.MustCompile(`\{\d\}`)
		for key, text := range x.m {
			if a, b := holes.FindAllString(en.m[key], -1), holes.FindAllString(text, -1); len(a) != len(b) {
				t.Errorf("%s: %s has other gaps", language, key)
			}
		}
	}
	for _, sub := range []validation.Sub{validation.FormatFailure, validation.NoPOE, validation.TryLater, validation.SignedDataNotFound} {
		if en.m["sub."+string(sub)] == "" {
			t.Errorf("no words for %s", sub)
		}
	}
}

// TestCorpusReports writes the report about every signed file of the corpus, in every form, and has it checked against the
// published schema.
func TestCorpusReports(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "esignature")
	schema, err := xsd.Compile(os.DirFS(filepath.Join(dir, "schema")), xsd.Options{Catalog: map[string]string{
		nsDSig: "xmldsig-core-schema.xsd", "http://uri.etsi.org/01903/v1.3.2#": "XAdES01903v132-202407.xsd", "http://uri.etsi.org/02231/v2#": "ts_119612v020401_xsd.xsd",
	}}, "TS119102-2-v141.xsd")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	err = filepath.WalkDir(filepath.Join(dir, "dss"), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if info, err := e.Info(); err != nil || info.Size() > 1<<20 {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		r, err := gather.Open(b, gather.Options{})
		if err != nil {
			return nil // no signed document
		}
		count++
		v := Judge(e.Name(), r, nil, at)
		if b := v.ETSI(); b != nil {
			d, err := dom.Parse(b, dom.Limits{})
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return nil
			}
			if r, err := schema.Validate(d, xsd.ValidateOptions{}); err != nil || !r.Valid {
				t.Errorf("%s: %v, %v", path, err, r.Findings)
			}
		}
		for _, language := range Languages {
			if err := v.WriteHTML(io.Discard, language); err != nil {
				t.Errorf("%s in %s: %v", path, language, err)
			}
			if count%20 == 0 { // some of them
				if _, err := v.PDF(language); err != nil {
					t.Errorf("%s in %s: %v", path, language, err)
				}
			}
			if language == "en" {
				continue
			}
			en, other := v.Summary("en"), v.Summary(language)
			for i, s := range en.Signatures {
				for k, c := range s.Checks {
					if other.Signatures[i].Checks[k].Question == c.Question {
						t.Errorf("%s in %s: %q is not translated", path, language, c.Question)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files", count)
	if count < 200 {
		t.Errorf("only %d signed files", count)
	}
}
