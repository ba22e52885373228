package view

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func TestLanguagesAreComplete(t *testing.T) {
	t.Parallel()
	if got := strings.Join(Languages(), " "); got != "de en es et fr it pl" {
		t.Errorf("languages: %s", got)
	}
	for _, lang := range Languages() {
		l, ok := ForLanguage(lang)
		if !ok || l["lang"] != lang {
			t.Errorf("%s: %v", lang, l["lang"])
		}
		for key := range builtIn()["en"] {
			if l[key] == "" {
				t.Errorf("%s lacks %s", lang, key)
			}
		}
		if len(l) != len(builtIn()["en"]) {
			t.Errorf("%s has keys that English lacks", lang)
		}
	}
	if l, ok := ForLanguage("de-AT"); !ok || l["lang"] != "de" {
		t.Error("de-AT is not German")
	}
	if _, ok := ForLanguage("xx"); ok {
		t.Error("xx is a language")
	}
}

func TestLabelsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"BT-1\tNumber\n": "lang is missing", "lang\txx\nBT-1 Number\n": "line 2"} {
		if _, err := ReadLabels(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func invented() *invoice.Invoice {
	n := func(s string) invoice.Number { return invoice.Num(decimal.Read(s)) }
	return &invoice.Invoice{
		Number: invoice.Txt("2026-7"), TypeCode: invoice.Txt("380"), Currency: invoice.Txt("EUR"), IssueDate: invoice.Date{Value: "2026-04-17"},
		Seller:  invoice.Party{Name: invoice.Txt("<script>alert(1)</script> & Co"), Address: &invoice.Address{City: invoice.Txt("Tallinn"), PostCode: invoice.Txt("10111"), Country: invoice.Txt("EE")}},
		Buyer:   invoice.Party{Name: invoice.Txt("Pärnu sadam")},
		Payment: &invoice.Payment{Means: invoice.Txt("58"), Transfers: []invoice.Transfer{{Account: invoice.Txt("EE382200221020145685")}}},
		Lines: []invoice.Line{{ID: invoice.Txt("1"), Name: invoice.Txt("Lamp"), Quantity: n("1250"), Unit: invoice.Txt("C62"), Price: n("1.5"), PriceBase: n("100"), PriceBaseUnit: invoice.Txt("C62"),
			Net: n("1875"), Category: invoice.Txt("S"), Rate: n("24.0")}},
		Documents: []invoice.Document{{Reference: invoice.Txt("A"), Location: invoice.Txt("javascript:alert(1)"), Attachment: &invoice.Binary{Content: "PHNjcmlwdD4=", MimeCode: "text/html", Filename: "x.html"}}},
		Totals:    invoice.Totals{Due: n("-1234567.5")},
	}
}

func TestThePageSpeaksTheLanguage(t *testing.T) {
	t.Parallel()
	for lang, words := range map[string][]string{
		"en": {`<html lang="en">`, "<h1>Invoice 2026-7</h1>", "2026-04-17", "\u22121,234,567.50\u00a0EUR", "1,250\u00a0pcs", "1.50\u00a0EUR per 100\u00a0pcs", "24\u00a0% standard rate (S)", "SEPA credit transfer (58)", "EE38\u00a02200\u00a02210"},
		"de": {`<html lang="de">`, "<h1>Rechnung 2026-7</h1>", "17.04.2026", "\u22121.234.567,50\u00a0EUR", "1.250\u00a0Stück", "Normalsatz (S)", "SEPA-Überweisung (58)"},
		"fr": {"<h1>Facture 2026-7</h1>", "17/04/2026", "\u22121\u202f234\u202f567,50\u00a0EUR"},
		"it": {"<h1>Fattura 2026-7</h1>", "aliquota ordinaria"}, "es": {"<h1>Factura 2026-7</h1>", "tipo general"},
		"pl": {"<h1>Faktura 2026-7</h1>", "stawka podstawowa"}, "et": {"<h1>Arve 2026-7</h1>", "tavamäär", "Tasuda"},
	} {
		l, _ := ForLanguage(lang)
		b, err := HTML(invented(), l)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range words {
			if !strings.Contains(string(b), w) {
				t.Errorf("%s: %q is missing in\n%s", lang, w, b)
			}
		}
	}
}

// The page is well-formed as far as this project's own parser can tell once its void elements are closed, it runs and
// loads nothing, and what the invoice says stays text.
func TestThePageIsSafeAndAccessible(t *testing.T) {
	t.Parallel()
	l, _ := ForLanguage("en")
	b, err := HTML(invented(), l)
	if err != nil {
		t.Fatal(err)
	}
	s := string(b)
	for _, bad := range []string{"<script", "src=", "url(", "@import", `href="javascript`, "<iframe", "onclick", "PHNjcmlwdD4="} {
		if strings.Contains(s, bad) {
			t.Errorf("%s stands in the page", bad)
		}
	}
	for _, good := range []string{"&lt;script&gt;alert(1)&lt;/script&gt; &amp; Co", "default-src &#39;none&#39;", `<caption title="BG-25">Lines</caption>`, `<th scope="col" title="BT-131" class="n">Net amount</th>`, `<div class="wide" role="region" aria-label="Lines" tabindex="0">`, `<th scope="row">1</th>`,
		`<a class="skip" href="#lines">`, "<main>", `title="BT-115"`, "x.html, text/html"} {
		if !strings.Contains(s, good) && !strings.Contains(s, strings.ReplaceAll(good, "&#39;", "'")) {
			t.Errorf("%s is missing", good)
		}
	}
	xml := strings.NewReplacer("<!DOCTYPE html>", "", `<meta charset="utf-8">`, "", `initial-scale=1">`, `initial-scale=1"/>`, `'unsafe-inline'">`, `'unsafe-inline'"/>`).Replace(s)
	if _, err := dom.Parse([]byte(xml), dom.Limits{}); err != nil {
		t.Error(err)
	}
}

func TestCorpusIsShown(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "edocuments")
	shown := 0
	for _, pattern := range []string{"en16931-ubl", "en16931-cii", "peppol-2026.5/billing", "xrechnung-3.0.2/*"} {
		files, _ := filepath.Glob(filepath.Join(dir, "examples", pattern, "*.xml"))
		for _, f := range files {
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			d, err := dom.Parse(src, dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			i, err := invoice.Read(d)
			if err != nil {
				continue
			}
			for _, lang := range Languages() {
				l, _ := ForLanguage(lang)
				b, err := HTML(i, l)
				if err != nil || !strings.Contains(string(b), "</html>") {
					t.Errorf("%s in %s: %v", f, lang, err)
				}
			}
			shown++
		}
	}
	t.Logf("%d invoices shown in %d languages", shown, len(Languages()))
	if shown < 50 {
		t.Errorf("only %d invoices", shown)
	}
}

func BenchmarkHTML(b *testing.B) {
	l, _ := ForLanguage("en")
	i := invented()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := HTML(i, l); err != nil {
			b.Fatal(err)
		}
	}
}
