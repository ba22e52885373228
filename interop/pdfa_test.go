package interop

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/facturx"
	bill "github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/edocument/invoice/view"
	every "github.com/viadukt-eu/viadukt/edocument/view"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/pdf/page"
	"github.com/viadukt-eu/viadukt/trust/pades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// pdfaPeer judges PDF/A and PDF/UA, and validates, reads and writes Factur-X; see peers/pdfa.
const pdfaPeer = "peers/pdfa/pdfa"

// pdfaLine is what the peer says of a file.
type pdfaLine struct {
	File string
	// of check
	Flavour   string
	Compliant bool
	Failed    []string
	// of validate
	Valid    bool
	PDF, XML string
	Messages []string
	// of read
	Metadata                       bool
	Number, Date, Currency, Amount string
	Profile                        string
	Lines, Octets                  int
}

func pdfa(t *testing.T, args ...string) []pdfaLine {
	t.Helper()
	c := exec.Command(pdfaPeer, args...)
	c.Env = append(os.Environ(), quickJVM)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil && c.ProcessState.ExitCode() != 1 {
		t.Fatalf("pdfa %s: %v\n%s", args[0], err, &stderr)
	}
	var all []pdfaLine
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var l pdfaLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		all = append(all, l)
	}
	return all
}

// checkArchives holds files against PDF/A-3a and PDF/UA-1.
func checkArchives(t *testing.T, files ...string) {
	t.Helper()
	lines := pdfa(t, append([]string{"check"}, files...)...)
	if len(lines) != 2*len(files) {
		t.Fatalf("%d verdicts on %d files", len(lines), len(files))
	}
	for _, l := range lines {
		if !l.Compliant {
			t.Errorf("%s, %s: %s", l.File, l.Flavour, strings.Join(l.Failed, "\n"))
		}
	}
}

// TestVisibleSignaturesKeepArchives: a document that is PDF/A stays it when it is signed visibly, with picture, colours and letters of
// every alphabet of Europe.
func TestVisibleSignaturesKeepArchives(t *testing.T) {
	t.Parallel()
	needPeers(t, "peers/pdfa/.build")
	s := newScribe(t)
	id, err := s.ca.Issue(pki.Template{CommonName: "Ada Signer", Algorithm: pki.P256})
	if err != nil {
		t.Fatal(err)
	}
	doc := page.New(page.Options{Title: "Letter", Language: "en", Created: time.Now()})
	doc.Add(page.Paragraph{Text: page.Plain("To whom it may concern.")})
	b, err := doc.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	looks := pades.Appearance{Rect: [4]float64{50, 50, 300, 120}, Text: "Živilė Łukasz\nΣοφία, Іван", TextColor: color.NRGBA{B: 200, A: 255}, Back: color.White, Image: image.NewGray(image.Rect(0, 0, 20, 20))}
	signed := s.pades(t, id, b, pades.Parameters{Visible: &looks}, s.tsa)
	file := filepath.Join(t.TempDir(), "signed.pdf")
	if err := os.WriteFile(file, signed, 0o600); err != nil {
		t.Fatal(err)
	}
	e := entry(t, "veraPDF", sent, took)
	for _, l := range pdfa(t, "check", "--flavour", "3a", file) {
		if !l.Compliant {
			t.Errorf("%s: %s", l.Flavour, strings.Join(l.Failed, "\n"))
		}
		e.detail = "PDF/A-" + l.Flavour
	}
}

// hybrid is an invoice of the corpus that was written as PDF.
type hybrid struct {
	from    string
	invoice *bill.Invoice
	written *facturx.Written
	file    string
}

// hybrids writes the invoices of some folders of the corpus, each in the next language.
func hybrids(t *testing.T, dir string, folders ...string) (out []hybrid) {
	t.Helper()
	root := filepath.Join(corpus.Dir(t, "edocuments"), "examples")
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(root, folder, "*.xml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := dom.Parse(src, dom.Limits{})
			if err != nil {
				continue // not all are meant to be read
			}
			i, err := bill.Read(doc)
			if err != nil {
				continue
			}
			lang := view.Languages()[len(out)%len(view.Languages())]
			labels, _ := view.ForLanguage(lang)
			w, err := facturx.Write(i, facturx.Options{Labels: labels, Created: time.Now(), Creator: "interop", Source: doc})
			if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			h := hybrid{strings.TrimPrefix(f, root+"/"), i, w, filepath.Join(dir, fmt.Sprintf("%03d-%s.pdf", len(out), lang))}
			if err := os.WriteFile(h.file, w.PDF, 0o600); err != nil {
				t.Fatal(err)
			}
			out = append(out, h)
		}
	}
	return out
}

var allFolders = []string{"en16931-ubl", "en16931-cii", "peppol-2026.5/billing", "xrechnung-3.0.2/*", "factur-x-2.5.2/*"}

// known are invoices that the peer's rules, older than ours, refuse in CII, by the rule.
var known = map[string]string{
	"en16931-ubl/sample-discount-price.xml": "[BR-53]",      // BT-6 equals BT-5: UBL has the amount, CII would need it twice
	"en16931-ubl/ubl-tc434-creditnote1.xml": "[BR-CO-25]",   // no longer asked of credit notes
	"en16931-ubl/ubl-tc434-example2.xml":    "[CII-SR-462]", // today the same code may stand in each VAT category
}

func filesOf(list []hybrid) (files []string) {
	for _, h := range list {
		files = append(files, h.file)
	}
	return files
}

// papers writes the examples of the corpus that are no invoices, and samples of tendering, each in the next language.
func papers(t *testing.T, dir string) (files []string) {
	t.Helper()
	write := func(src []byte) {
		doc, err := dom.Parse(src, dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bill.Read(doc); err == nil || edocument.RecogniseType(doc.Root()) == nil {
			return
		}
		lang := every.Languages()[len(files)%len(every.Languages())]
		b, err := every.PDF(doc, every.Options{Language: lang, Created: time.Now(), Creator: "interop"})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, fmt.Sprintf("%03d-%s-%s.pdf", len(files), doc.Root().Local(), lang))
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	for _, c := range corpus.Index(t, "edocuments") {
		if strings.HasPrefix(c["file"], "examples/peppol-2026.5/") && strings.HasSuffix(c["file"], ".xml") {
			write(corpus.Read(t, "edocuments", c["file"]))
		}
	}
	for _, kind := range sample.Kinds {
		b, err := sample.Make(kind, "1", sample.Supplier, sample.Buyer, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		write(b)
	}
	return files
}

func TestPDFA(t *testing.T) {
	t.Parallel()
	needPeers(t, "peers/pdfa/.build")
	t.Run("invoices as PDF are PDF-A 3a and PDF-UA 1", func(t *testing.T) {
		t.Parallel()
		e := entry(t, "veraPDF", sent, took)
		list := hybrids(t, t.TempDir(), allFolders...)
		if len(list) < 100 {
			t.Fatalf("only %d files", len(list))
		}
		checkArchives(t, filesOf(list)...)
		e.detail = fmt.Sprintf("%d files", len(list))
	})
	t.Run("documents of every kind as PDF are PDF-A 3a and PDF-UA 1", func(t *testing.T) {
		t.Parallel()
		e := entry(t, "veraPDF", sent, took)
		files := papers(t, t.TempDir())
		if len(files) < 45 {
			t.Fatalf("only %d files", len(files))
		}
		checkArchives(t, files...)
		e.detail = fmt.Sprintf("%d files", len(files))
	})
	t.Run("documents with all kinds of blocks are PDF-A 3a and PDF-UA 1", func(t *testing.T) {
		t.Parallel()
		entry(t, "veraPDF", sent, took)
		var drawing bytes.Buffer
		if err := png.Encode(&drawing, image.NewNRGBA(image.Rect(0, 0, 20, 10))); err != nil {
			t.Fatal(err)
		}
		d := page.New(page.Options{Title: "Kõik & все", Language: "et", Author: "A <b>", Created: time.Now()})
		d.Add(page.Heading{Level: 1, Text: "Kõik & все"},
			page.Box{Bar: page.Red, Blocks: []page.Block{page.Paragraph{Text: []page.Text{{Value: "Not known: 日本 \U0001F600 "}, {Value: "link", Link: "https://example.org/ä"}}}}},
			page.List{Ordered: true, Items: [][]page.Text{page.Plain("one"), page.Plain("two")}}, page.Rule{}, page.Space(6), page.Picture{Data: drawing.Bytes(), Alt: "White"},
			page.Columns{Blocks: [][]page.Block{{page.KeyValues{Title: "K", Rows: []page.KeyValue{{Key: "a", Value: page.Plain("b")}}}}, nil}},
			page.Table{Caption: "T", Columns: []page.Column{{Title: "A"}, {}}, Rows: slices.Repeat([][]page.Cell{{page.Plain("x"), {{Value: "there", Link: "mailto:a@example.org"}}}}, 120)})
		d.Attach(page.Attachment{Name: "ä.bin", Content: []byte{0, 1}})
		b, err := d.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "all.pdf")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		checkArchives(t, file)
	})
	t.Run("Factur-X is valid", func(t *testing.T) {
		t.Parallel()
		e := entry(t, "Mustang", sent, took)
		list := hybrids(t, t.TempDir(), "peppol-2026.5/billing", "factur-x-2.5.2/basic", "factur-x-2.5.2/basicwl", "factur-x-2.5.2/minimum", "en16931-ubl", "xrechnung-3.0.2/cii")
		lines := pdfa(t, append([]string{"validate"}, filesOf(list)...)...)
		if len(lines) != len(list) {
			t.Fatalf("%d verdicts on %d files", len(lines), len(list))
		}
		for k, l := range lines {
			rule, listed := known[list[k].from]
			switch valid := l.PDF == "valid" && l.XML == "valid"; {
			case valid && listed:
				t.Errorf("%s is valid now, but is listed for %s", list[k].from, rule)
			case valid, listed && l.PDF == "valid" && slices.ContainsFunc(l.Messages, func(m string) bool { return strings.Contains(m, rule) }):
			default:
				t.Errorf("%s: PDF %s, XML %s: %s", list[k].from, l.PDF, l.XML, strings.Join(l.Messages, "\n"))
			}
		}
		e.detail = fmt.Sprintf("%d files, %d of them known to differ", len(list), len(known))
	})
	t.Run("Factur-X attached to a PDF that was there", func(t *testing.T) {
		t.Parallel()
		entry(t, "Mustang and veraPDF", sent, took)
		dir := t.TempDir()
		h := hybrids(t, dir, "factur-x-2.5.2/en16931")[0]
		base, err := view.Document(h.invoice, nil, page.Options{Created: time.Now()}).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		w, err := facturx.Attach(bytes.NewReader(base), int64(len(base)), h.invoice, facturx.Options{Created: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "attached.pdf")
		if err := os.WriteFile(file, w.PDF, 0o600); err != nil {
			t.Fatal(err)
		}
		checkArchives(t, file)
		if l := pdfa(t, "validate", file)[0]; l.PDF != "valid" || l.XML != "valid" {
			t.Errorf("%+v", l)
		}
	})
	t.Run("Factur-X says the same to another reader", func(t *testing.T) {
		t.Parallel()
		e := entry(t, "Mustang", sent, took)
		list := hybrids(t, t.TempDir(), "peppol-2026.5/billing", "en16931-ubl", "en16931-cii")
		lines := pdfa(t, append([]string{"read"}, filesOf(list)...)...)
		if len(lines) != len(list) {
			t.Fatalf("%d answers on %d files", len(lines), len(list))
		}
		for k, l := range lines {
			i := list[k].invoice
			date := strings.ReplaceAll(i.IssueDate.Value, "-", "")
			total := i.Totals.WithTax.Value.String()
			if !l.Metadata || l.Number != i.Number.Value || l.Date != date || l.Currency != i.Currency.Value || l.Amount != total || l.Lines != len(i.Lines) {
				t.Errorf("%s: read %+v, but it is %s of %s, %s %s, %d lines", list[k].from, l, i.Number.Value, date, total, i.Currency.Value, len(i.Lines))
			}
		}
		e.detail = fmt.Sprintf("%d files", len(list))
	})
	t.Run("Factur-X of others", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		root := filepath.Join(corpus.Dir(t, "edocuments"), "examples", "factur-x-2.5.2")
		base := hybrids(t, dir, "factur-x-2.5.2/minimum")[0]
		plain, err := view.Document(base.invoice, nil, page.Options{Created: time.Now()}).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		letter := filepath.Join(dir, "letter.pdf")
		if err := os.WriteFile(letter, plain, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			folder, profile, name string
			want                  facturx.Profile
			finding               string
		}{
			{"minimum", "MINIMUM", "factur-x", facturx.Minimum, ""},
			{"basicwl", "BASICWL", "factur-x", facturx.BasicWL, ""},
			{"basic", "BASIC", "factur-x", facturx.Basic, ""},
			{"en16931", "EN16931", "factur-x", facturx.EN16931, ""},
			{"extended", "EXTENDED", "factur-x", facturx.Extended, ""},
			{"en16931", "EN16931", "zugferd", facturx.EN16931, ""},
			{"basic", "EXTENDED", "factur-x", facturx.Basic, facturx.FindingProfile},
		} {
			t.Run(c.folder+" as "+c.profile+" by the name "+c.name, func(t *testing.T) {
				e := entry(t, "Mustang", received, took)
				files, err := filepath.Glob(filepath.Join(root, c.folder, "*.xml"))
				if err != nil || len(files) == 0 {
					t.Fatal(err, len(files))
				}
				out := filepath.Join(dir, c.folder+c.profile+c.name+".pdf")
				pdfa(t, "write", "--pdf", letter, "--xml", files[0], "--profile", c.profile, "--name", c.name, "--out", out)
				b, err := os.ReadFile(out)
				if err != nil {
					t.Fatal(err)
				}
				h, err := facturx.Open(bytes.NewReader(b), int64(len(b)), 1<<20)
				if err != nil {
					t.Fatal(err)
				}
				src, err := os.ReadFile(files[0])
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(h.Document.Source(), src) {
					t.Error("the invoice is another one")
				}
				ids := map[string]bool{}
				for _, f := range h.Findings {
					ids[f.ID] = true
				}
				if h.Profile != c.want || c.finding != "" && !ids[c.finding] || c.finding == "" && ids[facturx.FindingProfile] {
					t.Errorf("profile %s, findings %+v", h.Profile, h.Findings)
				}
				e.detail = cmp.Or(c.finding, h.Name)
			})
		}
	})
}

// TestPDFTools has the tools of a common system read what is written.
func TestPDFTools(t *testing.T) {
	t.Parallel()
	needPeers(t)
	dir := t.TempDir()
	list := hybrids(t, dir, "peppol-2026.5/billing")
	if len(list) < 5 {
		t.Fatalf("only %d files", len(list))
	}
	run := func(t *testing.T, name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	t.Run("structure", func(t *testing.T) {
		entry(t, "qpdf", sent, took)
		for _, h := range list {
			if out := run(t, "qpdf", "--check", h.file); strings.Contains(out, "WARNING") {
				t.Errorf("%s: %s", h.from, out)
			}
		}
	})
	t.Run("facts", func(t *testing.T) {
		entry(t, "poppler", sent, took)
		for _, h := range list {
			out := run(t, "pdfinfo", h.file)
			for _, want := range []string{"Tagged:          yes", "Page size:       595.28 x 841.89 pts (A4)", "Encrypted:       no", "Title:", h.invoice.Number.Value} {
				if !strings.Contains(out, want) {
					t.Errorf("%s: %s is missing in\n%s", h.from, want, out)
				}
			}
		}
	})
	t.Run("text", func(t *testing.T) {
		entry(t, "poppler", sent, took)
		for _, h := range list {
			out := strings.Join(strings.Fields(run(t, "pdftotext", "-raw", h.file, "-")), " ")
			for _, l := range h.invoice.Lines {
				if want := strings.Join(strings.Fields(l.Name.Value), " "); !strings.Contains(out, want) {
					t.Errorf("%s: %s is missing in\n%s", h.from, want, out)
				}
			}
		}
	})
	t.Run("attached file", func(t *testing.T) {
		entry(t, "poppler", sent, took)
		for k, h := range list {
			to := filepath.Join(dir, fmt.Sprint(k))
			if err := os.Mkdir(to, 0o700); err != nil {
				t.Fatal(err)
			}
			run(t, "pdfdetach", "-saveall", "-o", to, h.file)
			b, err := os.ReadFile(filepath.Join(to, h.written.Name))
			if err != nil {
				t.Fatal(err)
			}
			doc, err := dom.Parse(b, dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			i, err := bill.Read(doc)
			if err != nil {
				t.Fatal(err)
			}
			want := *h.invoice
			want.Specification = bill.Txt(h.written.Specification)
			if same, why := want.Equal(i); !same {
				t.Errorf("%s: %s", h.from, why)
			}
		}
	})
}
