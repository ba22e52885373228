// Package view shows business documents of every kind to people: invoices, orders and the answers to them, despatch advices,
// catalogues, responses to messages and invoices, the documents of tendering, Virtual Company Dossiers, and European Single
// Procurement Documents. One HTML page needs nothing else, runs nothing and prints; the same is laid out as PDF for archives and for everybody. Both are
// in the words of the reader's language.
//
// What invoices look like is package invoice/view, what procurement documents look like is package espd.
package view

import (
	"embed"
	"html/template"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/espd"
	"github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/edocument/invoice/view"
	"github.com/viadukt-eu/viadukt/edocument/response"
	"github.com/viadukt-eu/viadukt/edocument/vcd"
	"github.com/viadukt-eu/viadukt/pdf/page"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

//go:embed labels/*.txt page.html
var files embed.FS

var parsed = sync.OnceValue(func() *template.Template { return template.Must(template.ParseFS(files, "page.html")) })

// own are the words of this package by language; those that invoices have too come from there.
var own = sync.OnceValue(func() map[string]view.Labels {
	out := map[string]view.Labels{}
	for _, lang := range view.Languages() {
		f, err := files.Open("labels/" + lang + ".txt")
		if err != nil {
			panic(err) // of the program
		}
		if out[lang], err = view.ReadLabels(f); err != nil {
			panic(err)
		}
	}
	return out
})

// Languages lists the languages that are built in.
func Languages() []string { return view.Languages() }

// Options say how a document is shown.
type Options struct {
	Language string      // English where it is not built in
	Labels   view.Labels // words of another language, for all but procurement documents; what they lack is English
	Created  time.Time   // of a PDF
	Creator  string      // the program that a PDF comes from
}

func (o Options) labels() view.Labels {
	if o.Labels != nil {
		return o.Labels
	}
	l, _ := view.ForLanguage(o.Language)
	return l
}

func (o Options) words() words {
	labels := o.labels()
	w := words{own()[labels["lang"]], labels}
	if o.Labels != nil {
		w.own = o.Labels
	}
	return w
}

func (o Options) page() page.Options { return page.Options{Created: o.Created, Creator: o.Creator} }

// HTML writes the page of a document. What is no business document that is known gives [edocument.ErrUnknownType].
func HTML(doc *dom.Document, o Options) ([]byte, error) {
	if i, err := invoice.Read(doc); err == nil {
		return view.HTML(i, o.labels())
	}
	if d, err := espd.Read(doc); err == nil {
		return d.HTML(o.Language)
	}
	s, err := fill(doc, o)
	if err != nil {
		return nil, err
	}
	return s.html()
}

// PDF lays a document out for paper and archives: what HTML shows, in the same order and words. What it is fit for stands at
// package page.
func PDF(doc *dom.Document, o Options) ([]byte, error) {
	if i, err := invoice.Read(doc); err == nil {
		return view.Document(i, o.labels(), o.page()).Bytes()
	}
	if d, err := espd.Read(doc); err == nil {
		return d.PDF(o.Language, o.Created)
	}
	s, err := fill(doc, o)
	if err != nil {
		return nil, err
	}
	return s.document(o).Bytes()
}

// words looks labels up.
type words struct{ own, invoice view.Labels }

func (w words) text(key string) string {
	for _, l := range []view.Labels{w.own, w.invoice, own()["en"]} {
		if s := l[key]; s != "" {
			return s
		}
	}
	return key
}

// code is the name of a code with the code behind it, or the code alone.
func (w words) code(prefix, code string) string {
	if s := w.text(prefix + code); code != "" && s != prefix+code {
		return s + " (" + code + ")"
	}
	return code
}

const (
	nsUBL = "urn:oasis:names:specification:ubl:schema:xsd:"
	nsCAC = nsUBL + "CommonAggregateComponents-2"
	nsCBC = nsUBL + "CommonBasicComponents-2"
)

type row struct{ Label, Value string }

type group struct {
	Title string
	Rows  []row
}

type table struct {
	Title   string
	Columns []string
	Lines   [][]cell
}

// Numeric reports whether a column holds numbers.
func (t table) Numeric(c int) bool { return len(t.Lines) > 0 && t.Lines[0][c].Number }

type cell struct {
	Value  string
	Number bool
	Small  []string
}

type sheet struct {
	Lang, Title, Skip string
	Style             template.CSS
	Groups            []group
	Notes             []string
	Lines, Issues     table
	Documents         table // that are attached or named
	Tables            []table
	Totals, Technical group
}

// fill collects what is shown of a document that is neither an invoice nor a procurement document.
func fill(doc *dom.Document, o Options) (*sheet, error) {
	if p, err := vcd.Read(doc); err == nil {
		return o.sheetOf(p), nil
	}
	root := doc.Root()
	t := edocument.RecogniseType(root)
	if t == nil || root.Space() != nsUBL+root.Local()+"-2" || root.Local() == "Invoice" || root.Local() == "CreditNote" {
		return nil, edocument.ErrUnknownType
	}
	w := o.words()
	s := &sheet{Lang: w.text("lang"), Title: strings.TrimSpace(w.text("type-"+t.Transaction) + " " + text(root, "ID")), Skip: w.text("skip"), Style: template.CSS(view.Style)}
	if s.Title == "type-"+t.Transaction+" "+text(root, "ID") {
		s.Title = t.Name + " " + text(root, "ID")
	}
	m := &maker{words: w, s: s, currency: text(root, "DocumentCurrencyCode")}
	m.parties(root)
	m.overview(root)
	m.lines(root)
	m.totals(root)
	m.documents(root)
	if r, err := response.Read(doc); err == nil {
		m.answer(r)
	}
	s.Technical = m.group("technical", row{w.text("BT-24"), text(root, "CustomizationID")}, row{w.text("BT-23"), text(root, "ProfileID")})
	return s, nil
}

type maker struct {
	words
	s        *sheet
	currency string
}

func text(n dom.Node, local string) string { return n.Child(nsCBC, local).TrimmedText() }
func child(n dom.Node, names string) dom.Node {
	for name := range strings.SplitSeq(names, "/") {
		n = n.Child(nsCAC, name)
	}
	return n
}

// group keeps the rows that have a value.
func (m *maker) group(title string, rows ...row) group {
	rows = slices.DeleteFunc(rows, func(r row) bool { return r.Value == "" })
	return group{m.text(title), rows}
}

// parties are all children of the document that are parties, or hold one, in the order of the document.
func (m *maker) parties(root dom.Node) {
	for n := range root.Elements() {
		if n.Space() != nsCAC || !strings.HasSuffix(n.Local(), "Party") && n.Local() != "TendererPartyQualification" {
			continue
		}
		p := n
		if n.Local() == "TendererPartyQualification" {
			p = child(n, "MainQualifyingParty")
		}
		if inner := child(p, "Party"); inner.Valid() {
			p = inner
		}
		name := text(child(p, "PartyLegalEntity"), "RegistrationName")
		trading := text(child(p, "PartyName"), "Name")
		if name == "" || trading == name {
			name, trading = trading+name[:max(0, len(name)-len(trading))], ""
		}
		var ids []string
		for c := range p.Elements() {
			if c.Is(nsCAC, "PartyIdentification") {
				ids = append(ids, identifier(c.Child(nsCBC, "ID")))
			}
		}
		a, c := child(p, "PostalAddress"), child(p, "Contact")
		where := join(", ", text(a, "StreetName"), text(a, "AdditionalStreetName"), join(" ", text(a, "PostalZone"), text(a, "CityName")), text(child(a, "Country"), "IdentificationCode"))
		m.s.Groups = append(m.s.Groups, m.group("party-"+n.Local(),
			row{m.text("BT-27"), name}, row{m.text("BT-28"), trading}, row{m.text("BG-5"), where}, row{m.text("BT-29"), join(", ", ids...)},
			row{m.text("BT-31"), text(child(p, "PartyTaxScheme"), "CompanyID")}, row{m.text("BT-34"), identifier(p.Child(nsCBC, "EndpointID"))},
			row{m.text("BG-6"), text(c, "Name")}, row{m.text("BT-42"), text(c, "Telephone")}, row{m.text("BT-43"), text(c, "ElectronicMail")}))
	}
}

func identifier(n dom.Node) string {
	if s := n.TrimmedText(); s != "" && n.Attr("schemeID") != "" {
		return s + " (" + n.Attr("schemeID") + ")"
	}
	return n.TrimmedText()
}

func join(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(parts), func(s string) bool { return s == "" }), sep)
}

// date writes YYYY-MM-DD as the language does.
func (m *maker) date(s string) string {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return s
	}
	return strings.NewReplacer("YYYY", s[:4], "MM", s[5:7], "DD", s[8:]).Replace(m.text("date"))
}

func (m *maker) period(n dom.Node) string {
	return strings.Trim(m.date(text(n, "StartDate"))+" – "+m.date(text(n, "EndDate")), " –")
}

func (m *maker) number(s string) string { return strings.Replace(s, ".", m.text("decimal"), 1) }

func (m *maker) amount(n dom.Node) string {
	if !n.Valid() {
		return ""
	}
	currency := n.Attr("currencyID")
	if currency == "" {
		currency = m.currency
	}
	return m.number(n.TrimmedText()) + "\u00a0" + currency
}

func (m *maker) quantity(n dom.Node) string {
	if !n.Valid() {
		return ""
	}
	unit := n.Attr("unitCode")
	if name := m.text("unit-" + unit); name != "unit-"+unit {
		unit = name
	}
	return strings.TrimSpace(m.number(n.TrimmedText()) + "\u00a0" + unit)
}

// references are what documents refer to, with their labels.
var references = [][2]string{
	{"OrderReference", "BT-13"}, {"OriginatorDocumentReference", "BT-17"}, {"QuotationDocumentReference", "quotation"}, {"OrderDocumentReference", "BT-13"}, {"CatalogueReference", "type-T19"},
	{"Contract", "BT-12"}, {"ReferencedContract", "BT-12"}, {"ProjectReference", "BT-11"}, {"OrderChangeDocumentReference", "type-T114"},
}

func (m *maker) overview(root dom.Node) {
	rows := []row{{m.text("BT-1"), text(root, "ID")}, {m.text("procedure"), text(root, "ContractFolderID")}, {m.text("BT-2"), join(" ", m.date(text(root, "IssueDate")), text(root, "IssueTime"))}, {m.text("answer"), m.code("answer-", text(root, "OrderResponseCode"))},
		{m.text("BT-5"), m.currency}, {m.text("valid"), m.period(child(root, "ValidityPeriod"))}, {m.text("BT-10"), text(root, "CustomerReference")}, {m.text("BT-19"), text(root, "AccountingCost")},
		{m.text("cancelled"), text(root, "CancellationNote")}}
	for _, r := range references {
		rows = append(rows, row{m.text(r[1]), text(child(root, r[0]), "ID")})
	}
	for n := range root.Elements() {
		switch {
		case n.Is(nsCAC, "ProcurementProject"):
			rows = append(rows, row{m.text("project"), join("\n", text(n, "Name"), text(n, "Description"))})
		case n.Is(nsCAC, "ProcurementProjectLot"):
			rows = append(rows, row{m.text("lot"), join(" ", text(n, "ID"), text(child(n, "ProcurementProject"), "Name"))})
		case n.Is(nsCAC, "TenderedProject"):
			rows = append(rows, row{m.text("lot"), text(child(n, "ProcurementProjectLot"), "ID")}, row{m.text("BT-115"), m.amount(child(n, "LegalMonetaryTotal").Child(nsCBC, "PayableAmount"))})
		case n.Is(nsCAC, "TenderResult"):
			rows = append(rows, row{m.text("result"), m.code("result-", text(n, "TenderResultCode"))}, row{m.text("awarded"), m.date(text(n, "AwardDate"))},
				row{m.text("winner"), text(child(n, "WinningParty/Party/PartyName"), "Name")}, row{m.text("lot"), text(child(n, "AwardedTenderedProject/ProcurementProjectLot"), "ID")})
		case n.Is(nsCAC, "TenderingProcess"):
			rows = append(rows, row{m.text("until"), join(" ", m.date(text(child(n, "TenderSubmissionDeadlinePeriod"), "EndDate")), text(child(n, "TenderSubmissionDeadlinePeriod"), "EndTime"))})
		case n.Is(nsCBC, "Description"), n.Is(nsCBC, "Note"):
			m.s.Notes = append(m.s.Notes, n.TrimmedText())
		case n.Is(nsCAC, "Delivery"):
			rows = append(rows, row{m.text("BG-13"), join(", ", m.period(child(n, "RequestedDeliveryPeriod")), m.period(child(n, "PromisedDeliveryPeriod")), text(child(n, "DeliveryLocation"), "Name"), text(child(n, "DeliveryLocation/Address"), "CityName"))})
		case n.Is(nsCAC, "Shipment"):
			rows = append(rows, row{m.text("shipment"), join(", ", text(n, "ID"), m.quantity(n.Child(nsCBC, "GrossWeightMeasure")), m.period(child(n, "Delivery/EstimatedDeliveryPeriod")))})
		}
	}
	m.s.Groups = append(m.s.Groups, m.group("overview", rows...))
}

// lines are those of orders and of all that have lines like them.
func (m *maker) lines(root dom.Node) {
	t := table{Title: m.text("BG-25"), Columns: []string{m.text("BT-126"), m.text("BT-153"), m.text("BT-129"), m.text("BT-146"), m.text("BT-131")}}
	for n := range root.Elements() {
		if n.Space() != nsCAC || n.Local() != "OrderLine" && n.Local() != "DespatchLine" && n.Local() != "CatalogueLine" {
			continue
		}
		l := n
		if inner := child(n, "LineItem"); inner.Valid() {
			l = inner
		}
		item, price := child(l, "Item"), child(l, "Price")
		if !price.Valid() {
			price = child(l, "RequiredItemLocationQuantity/Price")
		}
		quantity := m.quantity(l.Child(nsCBC, "Quantity"))
		for _, name := range []string{"DeliveredQuantity", "OrderableUnit"} {
			if quantity == "" {
				quantity = m.quantity(l.Child(nsCBC, name))
			}
		}
		small := []string{text(item, "Description")}
		for _, id := range [][2]string{{"SellersItemIdentification", "BT-155"}, {"BuyersItemIdentification", "BT-156"}, {"StandardItemIdentification", "BT-157"}} {
			if s := identifier(child(item, id[0]).Child(nsCBC, "ID")); s != "" {
				small = append(small, m.text(id[1])+": "+s)
			}
		}
		status := m.code("line-", text(l, "LineStatusCode"))
		small = append(small, status, m.code("action-", text(l, "ActionCode")), text(n, "Note"), m.outstanding(l))
		if p := m.period(child(l, "PromisedDeliveryPeriod")); p != "" {
			small = append(small, m.text("BG-13")+": "+p)
		}
		if sub := child(n, "SellerSubstitutedLineItem/Item"); sub.Valid() {
			small = append(small, m.text("substitute")+": "+join(", ", text(sub, "Name"), identifier(child(sub, "SellersItemIdentification").Child(nsCBC, "ID"))))
		}
		small = slices.DeleteFunc(small, func(s string) bool { return s == "" })
		unit := m.amount(price.Child(nsCBC, "PriceAmount"))
		if base := m.quantity(price.Child(nsCBC, "BaseQuantity")); base != "" {
			unit += " " + m.text("per") + " " + base
		}
		t.Lines = append(t.Lines, []cell{{Value: text(l, "ID")}, {Value: text(item, "Name"), Small: small}, {Value: quantity, Number: true}, {Value: unit, Number: true}, {Value: m.amount(l.Child(nsCBC, "LineExtensionAmount")), Number: true}})
	}
	m.s.Lines = t
}

func (m *maker) outstanding(l dom.Node) string {
	q := m.quantity(l.Child(nsCBC, "OutstandingQuantity"))
	if q == "" {
		return ""
	}
	return join(", ", m.text("outstanding")+": "+q, text(l, "OutstandingReason"))
}

func (m *maker) totals(root dom.Node) {
	n := child(root, "AnticipatedMonetaryTotal")
	if !n.Valid() {
		n = child(root, "LegalMonetaryTotal")
	}
	sum := func(label, name string) row { return row{m.text(label), m.amount(n.Child(nsCBC, name))} }
	m.s.Totals = m.group("BG-22", sum("BT-106", "LineExtensionAmount"), sum("BT-107", "AllowanceTotalAmount"), sum("BT-108", "ChargeTotalAmount"), sum("BT-109", "TaxExclusiveAmount"),
		row{m.text("BT-110"), m.amount(child(root, "TaxTotal").Child(nsCBC, "TaxAmount"))}, sum("BT-112", "TaxInclusiveAmount"), sum("BT-113", "PrepaidAmount"), sum("BT-114", "PayableRoundingAmount"), sum("BT-115", "PayableAmount"))
}

// documents are those that come with a document of tendering, or that it is about.
func (m *maker) documents(root dom.Node) {
	t := table{Title: m.text("BG-24"), Columns: []string{m.text("BT-1"), m.text("BT-123"), m.text("BT-124"), m.text("BT-125")}}
	for n := range root.Elements() {
		if !n.Is(nsCAC, "DocumentReference") && !n.Is(nsCAC, "AdditionalDocumentReference") && !n.Is(nsCAC, "TenderDocumentReference") {
			continue
		}
		external := child(n, "Attachment/ExternalReference")
		file := child(n, "Attachment").Child(nsCBC, "EmbeddedDocumentBinaryObject").Attr("filename")
		if file == "" {
			file = text(external, "FileName")
		}
		t.Lines = append(t.Lines, []cell{{Value: text(n, "ID")}, {Value: join(", ", text(n, "DocumentDescription"), text(n, "DocumentType"))}, {Value: text(external, "URI")}, {Value: file}})
	}
	m.s.Documents = t
}

// answer shows what a response says, and why.
func (m *maker) answer(r *response.Response) {
	rows := []row{{m.text("answer"), m.code("answer-", string(r.Code))}, {m.text("BT-123"), r.Description}, {m.text("about"), join(" ", r.Document.ID, m.date(r.Document.Issued))}, {m.text("effective"), m.date(r.Effective)}}
	for _, s := range r.Reasons {
		why := join(": ", m.code("reason-", s.Code), s.Text)
		for _, c := range s.Conditions {
			why += "\n" + c.Term + ": " + c.Value
		}
		rows = append(rows, row{m.text("BT-97"), why})
	}
	m.s.Groups = append(m.s.Groups, m.group("answer", rows...))
	m.s.Issues = table{Title: m.text("issues"), Columns: []string{m.text("BT-97"), m.text("BT-123"), m.text("BT-71")}}
	for _, i := range r.Issues {
		m.s.Issues.Lines = append(m.s.Issues.Lines, []cell{{Value: m.code("reason-", i.Reason)}, {Value: i.Text}, {Value: i.Location}})
	}
}
