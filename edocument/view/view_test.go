package view

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/invoice/view"
	"github.com/viadukt-eu/viadukt/edocument/response"
	"github.com/viadukt-eu/viadukt/edocument/vcd"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/internal/pdftest"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func parse(t testing.TB, b []byte) *dom.Document {
	t.Helper()
	d, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func shown(t *testing.T, d *dom.Document, lang string) string {
	t.Helper()
	b, err := HTML(d, Options{Language: lang})
	if err != nil {
		t.Fatal(err)
	}
	s := string(b)
	if !strings.Contains(s, `<html lang="`+lang+`">`) || strings.Contains(s, "<script") || strings.Contains(s, "ZgotmplZ") || strings.Contains(s, "<no value>") {
		t.Errorf("%s", s)
	}
	if _, err := dom.Parse([]byte(strings.NewReplacer("<!DOCTYPE html>\n", "", `<meta charset="utf-8">`, "", `<meta name="viewport" content="width=device-width, initial-scale=1">`, "",
		`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`, "").Replace(s)), dom.Limits{}); err != nil {
		t.Errorf("elements do not nest: %v", err)
	}
	return s
}

const order = `<Order xmlns="urn:oasis:names:specification:ubl:schema:xsd:Order-2" xmlns:cac="` + nsCAC + `" xmlns:cbc="` + nsCBC + `">
<cbc:CustomizationID>urn:fdc:peppol.eu:poacc:trns:order:3</cbc:CustomizationID><cbc:ProfileID>p</cbc:ProfileID><cbc:ID>B-7 &lt;b&gt;</cbc:ID><cbc:IssueDate>2026-04-17</cbc:IssueDate><cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>
<cac:ValidityPeriod><cbc:EndDate>2026-05-17</cbc:EndDate></cac:ValidityPeriod>
<cac:BuyerCustomerParty><cac:Party><cbc:EndpointID schemeID="0191">70009770</cbc:EndpointID><cac:PartyLegalEntity><cbc:RegistrationName>Pärnu sadam</cbc:RegistrationName></cac:PartyLegalEntity></cac:Party></cac:BuyerCustomerParty>
<cac:SellerSupplierParty><cac:Party><cac:PartyName><cbc:Name>Tuletorn</cbc:Name></cac:PartyName><cac:PartyLegalEntity><cbc:RegistrationName>Tuletorn OÜ</cbc:RegistrationName></cac:PartyLegalEntity></cac:Party></cac:SellerSupplierParty>
<cac:AnticipatedMonetaryTotal><cbc:PayableAmount currencyID="EUR">124.50</cbc:PayableAmount></cac:AnticipatedMonetaryTotal>
<cac:OrderLine><cac:LineItem><cbc:ID>1</cbc:ID><cbc:Quantity unitCode="HUR">1.5</cbc:Quantity><cbc:LineExtensionAmount currencyID="EUR">90.00</cbc:LineExtensionAmount><cac:Price><cbc:PriceAmount currencyID="EUR">60.00</cbc:PriceAmount></cac:Price><cac:Item><cbc:Name>Fitting</cbc:Name></cac:Item></cac:LineItem></cac:OrderLine></Order>`

func TestAnOrderIsShownInEachLanguage(t *testing.T) {
	t.Parallel()
	for _, lang := range Languages() {
		s := shown(t, parse(t, []byte(order)), lang)
		for _, want := range []string{"<h1>" + own()[lang]["type-T01"] + " B-7 &lt;b&gt;</h1>", own()[lang]["party-BuyerCustomerParty"], "Pärnu sadam", "70009770 (0191)", "Tuletorn OÜ", "Fitting"} {
			if !strings.Contains(s, want) {
				t.Errorf("%s: no %s", lang, want)
			}
		}
	}
	if s := shown(t, parse(t, []byte(order)), "de"); !strings.Contains(s, "124,50\u00a0EUR") || !strings.Contains(s, "17.04.2026") {
		t.Errorf("%s", s)
	}
}

func TestAnAnswerShowsWhatIsWrong(t *testing.T) {
	t.Parallel()
	report := &edocument.Report{Type: "invoice", Findings: []edocument.Finding{{ID: "BR-CO-15", Severity: edocument.Fatal, Location: "/Invoice/cac:LegalMonetaryTotal", Line: 40, Text: "The total is the sum."}}}
	for _, kind := range []response.Kind{response.Invoice, response.Message, response.Status} {
		r := response.Judged(kind, report, nil, response.Reference{ID: "2026-17", TypeCode: "380"}, time.Date(2026, 4, 17, 0, 0, 0, 0, time.UTC))
		s := shown(t, parse(t, r.XML()), "de")
		for _, want := range []string{"abgelehnt (RE)", "2026-17", "BR-CO-15, line 40: The total is the sum."} {
			if !strings.Contains(s, want) {
				t.Errorf("%s: no %s in %s", kind, want, s)
			}
		}
	}
}

func TestLabelsAreThereInEachLanguage(t *testing.T) {
	t.Parallel()
	for lang, l := range own() {
		for key := range own()["en"] {
			if l[key] == "" {
				t.Errorf("%s lacks %s", lang, key)
			}
		}
	}
}

func TestWhatIsNoDocumentIsNotShown(t *testing.T) {
	t.Parallel()
	for _, s := range []string{`<a/>`, `<Order xmlns="urn:other"/>`} {
		for _, show := range []func(*dom.Document, Options) ([]byte, error){HTML, PDF} {
			if _, err := show(parse(t, []byte(s)), Options{Created: time.Unix(0, 0)}); err != edocument.ErrUnknownType {
				t.Error(err)
			}
		}
	}
}

// award is a document of tendering.
const award = `<AwardedNotification xmlns="urn:oasis:names:specification:ubl:schema:xsd:AwardedNotification-2" xmlns:cac="` + nsCAC + `" xmlns:cbc="` + nsCBC + `">
<cbc:CustomizationID>urn:fdc:peppol.eu:prac:trns:t017:1.1</cbc:CustomizationID><cbc:ID>Z-1</cbc:ID><cbc:ContractFolderID>PP-17</cbc:ContractFolderID><cbc:IssueDate>2026-04-17</cbc:IssueDate><cbc:Note>You won.</cbc:Note>
<cac:SenderParty><cbc:EndpointID schemeID="9946">PT502011378</cbc:EndpointID><cac:PartyName><cbc:Name>Porto Novo</cbc:Name></cac:PartyName></cac:SenderParty>
<cac:AdditionalDocumentReference><cbc:ID>7</cbc:ID><cbc:DocumentDescription>Minutes</cbc:DocumentDescription><cac:Attachment><cac:ExternalReference><cbc:URI>https://porto.example/minutes</cbc:URI><cbc:FileName>minutes.pdf</cbc:FileName></cac:ExternalReference></cac:Attachment></cac:AdditionalDocumentReference>
<cac:TenderResult><cbc:TenderResultCode>selec-w</cbc:TenderResultCode><cbc:AwardDate>2026-04-16</cbc:AwardDate><cac:WinningParty><cac:Party><cac:PartyName><cbc:Name>Tuletorn OÜ</cbc:Name></cac:PartyName></cac:Party></cac:WinningParty></cac:TenderResult></AwardedNotification>`

func TestADocumentOfTenderingIsShownInEachLanguage(t *testing.T) {
	t.Parallel()
	for _, lang := range Languages() {
		s := shown(t, parse(t, []byte(award)), lang)
		for _, want := range []string{"<h1>" + own()[lang]["type-t017"] + " Z-1</h1>", own()[lang]["procedure"], "PP-17", own()[lang]["result-selec-w"] + " (selec-w)", "Tuletorn OÜ", "You won.", "minutes.pdf"} {
			if !strings.Contains(s, want) {
				t.Errorf("%s: no %s", lang, want)
			}
		}
	}
}

// A further language is a file of labels, for every kind of document.
func TestLabelsOfAnotherLanguage(t *testing.T) {
	t.Parallel()
	b, err := HTML(parse(t, []byte(order)), Options{Labels: view.Labels{"lang": "ga", "type-T01": "Ordú"}})
	if err != nil || !bytes.Contains(b, []byte(`<html lang="ga">`)) || !bytes.Contains(b, []byte("<h1>Ordú B-7")) || !bytes.Contains(b, []byte(">Seller<")) {
		t.Errorf("%v %s", err, b)
	}
}

// TestPaperSaysWhatThePageSays: the PDF holds what the page holds, in the same order, for every document of the corpus.
func TestPaperSaysWhatThePageSays(t *testing.T) {
	t.Parallel()
	said := 0
	same := func(name string, d *dom.Document) {
		o := Options{Language: Languages()[said%len(Languages())], Created: time.Unix(0, 0)}
		said++
		page, err := HTML(d, o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		paper, err := PDF(d, o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, want := pdftest.Spoken(t, paper), pdftest.Written(page); got != want {
			t.Errorf("%s in %s: paper says\n%s\npage says\n%s", name, o.Language, got, want)
		}
	}
	same("award", parse(t, []byte(award)))
	for _, c := range corpus.Index(t, "edocuments") {
		if !strings.HasPrefix(c["file"], "examples/peppol-2026.5/") || !strings.HasSuffix(c["file"], ".xml") {
			continue
		}
		if d := parse(t, corpus.Read(t, "edocuments", c["file"])); edocument.RecogniseType(d.Root()) != nil {
			same(c["file"], d)
		}
	}
	if t.Logf("%d documents", said); said < 60 {
		t.Errorf("only %d documents", said)
	}
}

// Every example of the corpus that is no invoice is shown, with its number and its items.
func TestCorpus(t *testing.T) {
	t.Parallel()
	n := 0
	for _, c := range corpus.Index(t, "edocuments") {
		if !strings.HasPrefix(c["file"], "examples/peppol-2026.5/") || !strings.HasSuffix(c["file"], ".xml") {
			continue
		}
		d := parse(t, corpus.Read(t, "edocuments", c["file"]))
		if k := edocument.RecogniseType(d.Root()); k == nil || k.Root == "Invoice" || k.Root == "CreditNote" {
			continue
		}
		n++
		s := shown(t, d, "en")
		if number := text(d.Root(), "ID"); !strings.Contains(s, number) {
			t.Errorf("%s: no %s", c["file"], number)
		}
		for e := range d.Root().Descendants() {
			if e.Is(nsCAC, "Item") && text(e, "Name") != "" && !bytes.Contains([]byte(s), []byte(strings.NewReplacer("&", "&amp;", "'", "&#39;", `"`, "&#34;", "+", "&#43;").Replace(text(e, "Name")))) && e.Parent().Local() != "RelatedCatalogueReference" {
				t.Errorf("%s: item %q is not shown", c["file"], text(e, "Name"))
			}
		}
	}
	if t.Logf("%d documents", n); n < 35 {
		t.Errorf("only %d documents", n)
	}
}

func BenchmarkHTML(b *testing.B) {
	d := parse(b, []byte(order))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := HTML(d, Options{Language: "de"}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDossiersAreShownInEachLanguage(t *testing.T) {
	t.Parallel()
	p := &vcd.Package{ID: "2026-17", Folder: "PN-4711", Authority: vcd.Party{Name: "Porto Novo <b>", Endpoint: "PT1", EndpointScheme: "9946"}, Dossiers: []*vcd.Dossier{{
		ID: "1", Operators: []vcd.Party{{Name: "Tuletorn OÜ"}}, Criteria: []*vcd.Criterion{{Code: "tax-pay", Name: "Taxes", Evidences: []string{"E-1"}}},
		Evidences: []*vcd.Evidence{{ID: "E-1", Description: "Tax certificate", Issuer: vcd.Party{Name: "Maksuamet"}, IssueDate: "2026-11-02", Files: []*vcd.Attachment{{Name: "tax.pdf", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }}}}}}}}
	var b bytes.Buffer
	if err := vcd.Write(&b, p, time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	p, err := vcd.Open(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range Languages() {
		octets, err := Dossiers(p, Options{Language: lang})
		if err != nil {
			t.Fatal(err)
		}
		w := own()[lang]
		for _, want := range []string{"<h1>" + w["type-VCDPackage"] + " 2026-17</h1>", "Porto Novo &lt;b&gt;", "PT1 (9946)", "Tuletorn OÜ: " + w["criteria"], "tax-pay", "Tuletorn OÜ: " + w["evidences"], "Maksuamet", "tax.pdf: " + w["file-present"]} {
			if !strings.Contains(string(octets), want) {
				t.Errorf("%s: no %s", lang, want)
			}
		}
	}
	if octets, err := DossiersPDF(p, Options{Language: "de", Created: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)}); err != nil || !bytes.HasPrefix(octets, []byte("%PDF-")) {
		t.Error(err)
	}
	if s := shown(t, p.Document(), "en"); !strings.Contains(s, "<h1>Virtual company dossiers 2026-17</h1>") || !strings.Contains(s, "Porto Novo") {
		t.Error("the package document alone is not shown")
	}
}
