package facturx

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/edocument/invoice/view"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/pdf/page"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var noon = time.Date(2026, 4, 17, 12, 0, 0, 0, time.UTC)

// lamp is a small invoice by the specification.
func lamp(specification string) *invoice.Invoice {
	n := func(s string) invoice.Number { return invoice.Num(decimal.Read(s)) }
	return &invoice.Invoice{
		Number: invoice.Txt("2026-7"), TypeCode: invoice.Txt("380"), Currency: invoice.Txt("EUR"), IssueDate: invoice.Date{Value: "2026-04-17"}, Specification: invoice.Txt(specification),
		Seller: invoice.Party{Name: invoice.Txt("Tuletorn OÜ")}, Buyer: invoice.Party{Name: invoice.Txt("Pärnu sadam")},
		Lines:  []invoice.Line{{ID: invoice.Txt("1"), Name: invoice.Txt("Lamp"), Quantity: n("2"), Unit: invoice.Txt("C62"), Price: n("50"), Net: n("100"), Category: invoice.Txt("S"), Rate: n("24")}},
		Totals: invoice.Totals{Due: n("124")},
	}
}

func open(t testing.TB, b []byte) (*Hybrid, error) {
	t.Helper()
	return Open(bytes.NewReader(b), int64(len(b)), 1<<24)
}

// laid is a PDF with a file and metadata that a test chooses.
func laid(t testing.TB, attachments []page.Attachment, metadata ...page.Schema) []byte {
	t.Helper()
	d := page.New(page.Options{Title: "Invoice", Language: "en", Created: noon, Metadata: metadata})
	d.Add(page.Heading{Level: 1, Text: "Invoice"})
	for _, a := range attachments {
		d.Attach(a)
	}
	b, err := d.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func claim(profile, file string) page.Schema {
	return page.Schema{Title: "s", Namespace: nsMetadata, Prefix: "fx", Properties: []page.Property{{Name: "DocumentType", Value: "INVOICE"}, {Name: "DocumentFileName", Value: file}, {Name: "Version", Value: "1.0"},
		{Name: "ConformanceLevel", Value: profile}}}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]Profile{
		"urn:factur-x.eu:1p0:minimum": Minimum, "urn:factur-x.eu:1p0:basicwl": BasicWL, "urn:cen.eu:en16931:2017#compliant#urn:factur-x.eu:1p0:basic": Basic, "urn:cen.eu:en16931:2017": EN16931,
		"urn:cen.eu:en16931:2017#conformant#urn:factur-x.eu:1p0:extended": Extended, "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0": XRechnung,
		"urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0": EN16931, "urn:ferd:CrossIndustryDocument:invoice:1p0:comfort": Comfort,
		"urn:cen.eu:en16931:2017#compliant#urn:zugferd.de:2p0:basic": Basic, "urn:cen.eu:en16931:2017#conformant#urn:UBL.BE:1.0.0.20180214": "", "": "",
	} {
		if got := ProfileOf(id); got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
}

func TestWrittenIsRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		specification, id, name string
		profile                 Profile
		relationship            pdf.Name
	}{
		{"urn:cen.eu:en16931:2017", "", "factur-x.xml", EN16931, "Alternative"},
		{"urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0", "urn:cen.eu:en16931:2017", "factur-x.xml", EN16931, "Alternative"},
		{"", "urn:cen.eu:en16931:2017", "factur-x.xml", EN16931, "Alternative"},
		{"urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0", "", "xrechnung.xml", XRechnung, "Alternative"},
		{"urn:zugferd.de:2p0:basicwl", "urn:factur-x.eu:1p0:basicwl", "factur-x.xml", BasicWL, "Data"},
		{"urn:cen.eu:en16931:2017#conformant#urn:factur-x.eu:1p0:extended", "", "factur-x.xml", Extended, "Alternative"},
	} {
		if c.id == "" {
			c.id = c.specification
		}
		i := lamp(c.specification)
		w, err := Write(i, Options{Created: noon})
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Write(i, Options{Created: noon}); err != nil || !bytes.Equal(again.PDF, w.PDF) || i.Specification.Value != c.specification {
			t.Errorf("%s: the second time it is another file, or the invoice was changed: %v", c.specification, err)
		}
		h, err := open(t, w.PDF)
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != c.name || h.Profile != c.profile || h.Claim.Profile != c.profile || h.Relationship != c.relationship || h.PDFA != "3A" || len(h.Findings) != 0 || w.Profile != c.profile || w.Specification != c.id || w.AsRead {
			t.Errorf("%s: %+v, %+v", c.specification, h, w.Specification)
		}
		got, err := invoice.Read(h.Document)
		if err != nil {
			t.Fatal(err)
		}
		i.Specification = invoice.Txt(c.id)
		// What people see is the invoice that is attached.
		labels, _ := view.ForLanguage("en")
		alone, err := view.Document(i, labels, page.Options{Created: noon}).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(contents(t, alone), contents(t, w.PDF)) {
			t.Errorf("%s: the pages show another invoice", c.specification)
		}
		if same, why := i.Equal(got); !same {
			t.Errorf("%s: %s", c.specification, why)
		}
	}
}

// contents are the streams of the pages.
func contents(t *testing.T, b []byte) (out []string) {
	t.Helper()
	d, err := pdf.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := d.Pages()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		list, _ := pdf.Get[pdf.Array](d, p.Dict["Contents"])
		for _, o := range list {
			s, _ := pdf.Get[*pdf.Stream](d, o)
			c, err := d.Bytes(s, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(c))
		}
	}
	return out
}

// What the model does not know of an invoice in CII stays in the attached one.
func TestSourceIsAttachedAsItIs(t *testing.T) {
	t.Parallel()
	src := bytes.Replace(lamp(en16931).CII(), []byte("<ram:Name>Lamp</ram:Name>"), []byte("<ram:Name>Lamp</ram:Name><!-- own --><ram:BatchID>B1</ram:BatchID>"), 1)
	doc, err := dom.Parse(src, dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	i, err := invoice.Read(doc)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Write(i, Options{Created: noon, Source: doc})
	if err != nil {
		t.Fatal(err)
	}
	h, err := open(t, w.PDF)
	if err != nil || !w.AsRead || !bytes.Equal(h.Document.Source(), src) {
		t.Errorf("%v, as read %v", err, w.AsRead)
	}
}

func TestDisagreementIsFound(t *testing.T) {
	t.Parallel()
	xml := lamp(en16931).CII()
	file := func(name, relationship string) []page.Attachment {
		return []page.Attachment{{Name: name, Relationship: relationship, Content: xml}}
	}
	minimum := []page.Attachment{{Name: "factur-x.xml", Relationship: "Alternative", Content: lamp("urn:factur-x.eu:1p0:minimum").CII()}}
	for _, c := range []struct {
		what string
		file []byte
		want string
	}{
		{"all is right", laid(t, file("factur-x.xml", "Alternative"), claim("EN 16931", "factur-x.xml")), ""},
		{"another spelling of the profile", laid(t, file("zugferd-invoice.xml", "Data"), claim("EN16931", "zugferd-invoice.xml")), ""},
		{"COMFORT is the old name", laid(t, file("factur-x.xml", "Source"), claim("COMFORT", "factur-x.xml")), ""},
		{"another profile", laid(t, file("factur-x.xml", "Alternative"), claim("EXTENDED", "factur-x.xml")), FindingProfile},
		{"another name", laid(t, file("ZUGFeRD-invoice.xml", "Alternative"), claim("EN 16931", "factur-x.xml")), FindingName},
		{"no metadata of the invoice", laid(t, file("factur-x.xml", "Alternative")), FindingMetadata},
		{"a property is missing", laid(t, file("factur-x.xml", "Alternative"), claim("", "factur-x.xml")), FindingMetadata},
		{"an unfit relationship", laid(t, file("factur-x.xml", "Supplement"), claim("EN 16931", "factur-x.xml")), FindingRelationship},
		{"an accompanying file as alternative", laid(t, minimum, claim("MINIMUM", "factur-x.xml")), FindingRelationship},
		{"two invoices", laid(t, append(file("factur-x.xml", "Alternative"), page.Attachment{Name: "xrechnung.xml", Content: xml}), claim("EN 16931", "factur-x.xml")), FindingSeveral},
		{"no archive", bytes.Replace(laid(t, file("factur-x.xml", "Alternative"), claim("EN 16931", "factur-x.xml")), []byte("<pdfaid:part>3<"), []byte("<pdfaid:part>1<"), 1), FindingArchive},
	} {
		h, err := open(t, c.file)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		var ids []string
		for _, f := range h.Findings {
			ids = append(ids, f.ID)
			if f.Text == "" || f.Location == "" || f.Severity.Refuses() != (f.ID == FindingProfile) {
				t.Errorf("%s: %+v", c.what, f)
			}
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
		if !strings.Contains(string(h.Document.Source()), "2026-7") {
			t.Errorf("%s: another invoice", c.what)
		}
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	w, err := Write(lamp(en16931), Options{Created: noon})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		file []byte
		want error
	}{
		{"without invoice", laid(t, []page.Attachment{{Name: "terms.txt", Content: []byte("x")}}), ErrNone},
		{"without files", laid(t, nil), ErrNone},
		{"no PDF", []byte("<Invoice/>"), pdf.ErrFormat},
		{"cut off", w.PDF[:200], pdf.ErrFormat},
	} {
		if _, err := open(t, c.file); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	var e *dom.Error
	if _, err := open(t, laid(t, []page.Attachment{{Name: "factur-x.xml", Content: []byte("<a><b></a>")}})); !errors.As(err, &e) {
		t.Errorf("not well-formed: %v", err)
	}
	bomb := laid(t, []page.Attachment{{Name: "factur-x.xml", Content: append([]byte("<a>"), bytes.Repeat([]byte{' '}, 1<<22)...)}})
	if _, err := Open(bytes.NewReader(bomb), int64(len(bomb)), 1<<20); !errors.Is(err, edocument.ErrSize) {
		t.Errorf("too large: %v", err)
	}
}

func TestWhatIsAPDF(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{"%PDF-1.7": true, "\n\njunk %PDF-1.4": true, "<a>%PDF-1.7</a>": false, "\ufeff <a>%PDF-</a>": false, "": false, strings.Repeat(" ", 1100) + "%PDF-": false} {
		if Is([]byte(s)) != want {
			t.Errorf("%.20q: %v", s, !want)
		}
	}
}

func TestAttachedToWhatIsThere(t *testing.T) {
	t.Parallel()
	// By the program itself there is one list of schemas; other programs write none.
	own := laid(t, []page.Attachment{{Name: "a.txt", Content: []byte("a")}, {Name: "z.txt", Content: []byte("z")}})
	none := bytes.ReplaceAll(bytes.ReplaceAll(laid(t, nil), []byte("http://www.aiim.org/pdfa/ns/extension/"), []byte("http://www.aiim.org/pdfa/ns/extensio__")), []byte("pdfaExtension:schemas"), []byte("pdfaExtension:schema_"))
	for k, base := range [][]byte{own, none} {
		w, err := Attach(bytes.NewReader(base), int64(len(base)), lamp(en16931), Options{Created: noon})
		if err != nil {
			t.Fatal(k, err)
		}
		if !bytes.HasPrefix(w.PDF, base) {
			t.Error("octets that were there changed")
		}
		h, err := open(t, w.PDF)
		if err != nil {
			t.Fatal(k, err)
		}
		if len(h.Findings) > 0 || h.Profile != EN16931 || h.Claim.Profile != EN16931 || h.PDFA != "3A" || h.Relationship != "Alternative" {
			t.Errorf("%d: %+v", k, h)
		}
		d, err := pdf.Open(bytes.NewReader(w.PDF), int64(len(w.PDF)))
		if err != nil {
			t.Fatal(err)
		}
		files, err := d.Files()
		if err != nil || len(files) != 3-2*k || files[(1-k)].Name != "factur-x.xml" {
			t.Errorf("%d: %v, %d files", k, err, len(files))
		}
		if _, err := Attach(bytes.NewReader(w.PDF), int64(len(w.PDF)), lamp(en16931), Options{Created: noon}); !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "factur-x.xml already") {
			t.Errorf("a second time: %v", err)
		}
	}
}

func TestNotAttachedToWhatIsUnfit(t *testing.T) {
	t.Parallel()
	base := laid(t, nil)
	second := func(change func(u *pdf.Update, catalog pdf.Dict)) []byte {
		d, err := pdf.Open(bytes.NewReader(base), int64(len(base)))
		if err != nil {
			t.Fatal(err)
		}
		u, err := d.Update()
		if err != nil {
			t.Fatal(err)
		}
		catalog, err := d.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		catalog = catalog.Clone()
		change(u, catalog)
		u.Set(d.Trailer["Root"].(pdf.Ref), catalog)
		a, err := u.Append()
		if err != nil {
			t.Fatal(err)
		}
		return append(bytes.Clone(base), a.Octets...)
	}
	for want, b := range map[string][]byte{
		"do not claim PDF/A-3":     bytes.Replace(base, []byte("<pdfaid:part>3<"), []byte("<pdfaid:part>2<"), 1),
		"no metadata":              second(func(_ *pdf.Update, c pdf.Dict) { delete(c, "Metadata") }),
		"it is signed":             second(func(u *pdf.Update, c pdf.Dict) { c["AcroForm"] = u.Add(pdf.Dict{"Fields": pdf.Array{}, "SigFlags": 3}) }),
		"tell of an invoice":       laid(t, nil, claim("EN 16931", "factur-x.xml")),
		"its metadata: line":       bytes.Replace(base, []byte("</rdf:RDF>"), []byte("</rdf:rdf>"), 1),
		"cross-references":         bytes.Replace(base, []byte("startxref\n"), []byte("startxref\n9"), 1),
		"metadata have no rdf:RDF": bytes.ReplaceAll(base, []byte("www.w3.org/1999/02/22-rdf-syntax-ns#"), []byte("www.w3.org/1999/02/22-rdf-syntax-ns_")),
	} {
		if _, err := Attach(bytes.NewReader(b), int64(len(b)), lamp(en16931), Options{Created: noon}); !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestCorpusGoesThereAndBack(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(corpus.Dir(t, "edocuments"), "examples", "factur-x-2.5.2", "*", "*.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 40 {
		t.Fatalf("only %d files", len(files))
	}
	count := map[Profile]int{}
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := dom.Parse(src, dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		i, err := invoice.Read(doc)
		if err != nil {
			t.Fatal(err)
		}
		labels, _ := view.ForLanguage("fr")
		w, err := Write(i, Options{Labels: labels, Created: noon, Source: doc})
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		h, err := open(t, w.PDF)
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		folder := map[string]Profile{"minimum": Minimum, "basicwl": BasicWL, "basic": Basic, "en16931": EN16931, "extended": Extended}[filepath.Base(filepath.Dir(f))]
		if h.Profile != folder || len(h.Findings) > 0 || !bytes.Equal(h.Document.Source(), src) {
			t.Errorf("%s: profile %s, findings %+v", f, h.Profile, h.Findings)
		}
		count[h.Profile]++
	}
	t.Logf("%d invoices: %v", len(files), count)
}

func FuzzOpen(f *testing.F) {
	w, err := Write(lamp(en16931), Options{Created: noon})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(w.PDF)
	f.Add(laid(f, []page.Attachment{{Name: "ZUGFeRD-invoice.xml", Content: []byte("<a/>")}}, claim("BASIC", "x")))
	f.Add(laid(f, nil))
	f.Add([]byte("%PDF-1.4\n1 0 obj<</Type/Catalog/AF[2 0 R]/Names<</EmbeddedFiles<</Names[(a)2 0 R]>>>>>>endobj 2 0 obj<</Type/Filespec/F(factur-x.xml)/EF<</F 3 0 R>>>>endobj 3 0 obj<</Length 4>>stream\n<a/>\nendstream endobj\ntrailer<</Root 1 0 R>>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Open(bytes.NewReader(b), int64(len(b)), 1<<20)
		if err == nil && (h.Document == nil || h.Name == "") {
			t.Errorf("nothing was read: %+v", h)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	i := lamp(en16931)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Write(i, Options{Created: noon}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	w, err := Write(lamp(en16931), Options{Created: noon})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(w.PDF)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Open(bytes.NewReader(w.PDF), int64(len(w.PDF)), 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}
