package espd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// prefixes are those that documents are written with.
var prefixes = map[string]string{nsCAC: "cac:", nsCBC: "cbc:", nsEXT: "ext:"}

type pen struct {
	*dom.Writer
	version string // of the model, "4.1.0"
}

func (w *pen) leaf(name, s string, attrs ...string) {
	if s != "" {
		w.Element("cbc:"+name, s, attrs...)
	}
}

func (w *pen) group(name string, body func()) {
	w.Start("cac:" + name)
	body()
	w.End()
}

// copy writes a subtree of a document that was read, with the prefixes of this package.
func (w *pen) copy(n dom.Node) {
	if !n.Valid() {
		return
	}
	prefix, known := prefixes[n.Space()]
	var attrs []string
	if !known && n.Space() != "" {
		attrs = append(attrs, "xmlns", n.Space())
	}
	k := 0
	for a := range n.Attributes() {
		name := a.Local()
		switch a.Space() {
		case "":
		case dom.XMLNamespace:
			name = "xml:" + name
		default:
			k++
			p := fmt.Sprintf("a%d", k)
			attrs = append(attrs, "xmlns:"+p, a.Space())
			name = p + ":" + name
		}
		attrs = append(attrs, name, a.Text())
	}
	w.Start(prefix+n.Local(), attrs...)
	elements := n.FirstElement().Valid()
	for c := range n.Children() {
		switch c.Kind() {
		case dom.ElementNode:
			w.copy(c)
		case dom.TextNode:
			if s := c.Text(); !elements || strings.TrimSpace(s) != "" {
				w.Text(s)
			}
		}
	}
	w.End()
}

// version is the number in the edition: ESPD-EDMv4.1.0 is 4.1.0.
func (d *Document) version() string {
	_, v, _ := strings.Cut(d.Edition, "EDMv")
	v, _, _ = strings.Cut(v, "-") // 2.1.0-REGULATED
	return v
}

func (w *pen) id(name, s string) {
	w.leaf(name, s, "schemeID", "Criterion", "schemeAgencyID", "OP", "schemeVersionID", w.version)
}

// Authority tables that codes are taken from.
const (
	authority    = "http://publications.europa.eu/resource/authority/"
	tablesOf2025 = "20250924-0"
)

func (w *pen) code(name, s, list, version string) {
	w.leaf(name, s, "listID", authority+list, "listAgencyID", "OP", "listVersionID", version)
}

// XML writes the document in the order of its schema.
func (d *Document) XML() []byte {
	w := &pen{dom.NewWriter([]byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")), d.version()}
	root, space := "QualificationApplicationRequest", nsRequest
	if d.Response {
		root, space = "QualificationApplicationResponse", nsResponse
	}
	w.Start(root, "xmlns", space, "xmlns:cac", nsCAC, "xmlns:cbc", nsCBC, "xmlns:ext", nsEXT)
	kept := func(local string) dom.Node { return d.root.Child(nsCBC, local) }
	if x := d.root.Child(nsEXT, "UBLExtensions"); x.Valid() {
		w.copy(x)
	}
	if n := kept("UBLVersionID"); n.Valid() {
		w.copy(n)
	} else if w.version == "2.1.1" {
		w.leaf("UBLVersionID", "2.2", "schemeAgencyID", "OASIS-UBL-TC")
	} else {
		w.leaf("UBLVersionID", "2.3", "schemeAgencyID", "OASIS-UBL-TC")
	}
	w.copy(kept("CustomizationID"))
	w.copy(kept("ProfileID"))
	w.leaf("ProfileExecutionID", d.Edition, "schemeAgencyID", "OP", "schemeVersionID", w.version)
	agency := kept("ID").Attr("schemeAgencyID")
	if agency == "" {
		agency = "XXXAGENCYXXX"
	}
	w.leaf("ID", d.ID, "schemeAgencyID", agency)
	w.leaf("CopyIndicator", "false")
	w.leaf("UUID", d.UUID, "schemeID", "ISO/IEC 9834-8:2008 - 4UUID", "schemeAgencyID", agency, "schemeVersionID", w.version)
	folder := kept("ContractFolderID").Attr("schemeAgencyID")
	if folder == "" {
		folder = agency
	}
	w.leaf("ContractFolderID", d.Folder, "schemeAgencyID", folder)
	for n := range d.root.Elements() {
		if n.Is(nsCBC, "ContractName") {
			w.copy(n)
		}
	}
	w.leaf("IssueDate", d.IssueDate)
	w.leaf("IssueTime", d.IssueTime)
	if d.Response {
		w.leaf("EconomicOperatorGroupName", d.GroupName)
	}
	for n := range d.root.Elements() {
		switch n.Local() {
		case "VersionID", "PreviousVersionID", "QualificationApplicationTypeCode", "WeightScoringMethodologyNote", "WeightingTypeCode", "Note":
			if n.Space() == nsCBC {
				w.copy(n)
			}
		case "ProcedureCode":
			w.copy(n)
		}
	}
	for n := range each(d.root, "ContractingParty") {
		w.copy(n)
	}
	if d.Response {
		for _, o := range d.Operators {
			w.operator(o)
		}
	}
	w.copy(child(d.root, "ProcurementProject"))
	lots := map[string]bool{}
	for _, l := range d.Lots {
		lots[l] = true
	}
	for n := range each(d.root, "ProcurementProjectLot") {
		if l := text(n, "ID"); lots[l] {
			delete(lots, l)
			w.copy(n)
		}
	}
	for _, l := range d.Lots {
		if lots[l] {
			w.group("ProcurementProjectLot", func() { w.id("ID", l) })
		}
	}
	for _, c := range d.Criteria {
		w.copy(c.node)
	}
	if d.Response {
		types := d.properties()
		for _, a := range d.Answers {
			w.answer(a, types[a.Property])
		}
	}
	had := map[[2]string]bool{}
	for n := range each(d.root, "AdditionalDocumentReference") {
		had[[2]string{text(n, "ID"), text(n, "DocumentTypeCode")}] = true
		w.copy(n)
	}
	for _, n := range d.Notices {
		if !had[[2]string{n.ID, n.Type}] {
			w.notice(n)
		}
	}
	if d.Response {
		for _, e := range d.Evidences {
			w.evidence(e)
		}
	}
	w.End()
	return append(w.Bytes(), '\n')
}

func (w *pen) notice(n Notice) {
	w.group("AdditionalDocumentReference", func() {
		w.leaf("ID", n.ID, "schemeAgencyID", "OP")
		w.code("DocumentTypeCode", n.Type, "docrefcontent-type", tablesOf2025)
		if n.URI != "" {
			w.group("Attachment", func() { w.group("ExternalReference", func() { w.leaf("URI", n.URI) }) })
		}
	})
}

func (d *Document) properties() map[string]*Property {
	out := map[string]*Property{}
	for _, c := range d.Criteria {
		for p := range c.Properties() {
			out[p.ID] = p
		}
	}
	return out
}

func (w *pen) operator(o Operator) {
	if o.node.Valid() {
		w.copy(o.node)
		return
	}
	w.group("EconomicOperatorParty", func() {
		w.group("EconomicOperatorRole", func() { w.code("RoleCode", o.Role, "eo-role-type", "20211208-0") })
		w.group("Party", func() {
			w.leaf("WebsiteURI", o.Website)
			w.code("IndustryClassificationCode", o.Size, "economic-operator-size", tablesOf2025)
			w.group("PartyIdentification", func() {
				if o.Scheme != "" {
					w.leaf("ID", o.ID, "schemeID", o.Scheme, "schemeAgencyID", "OP")
				} else {
					w.leaf("ID", o.ID, "schemeAgencyID", "OP")
				}
			})
			w.group("PartyName", func() { w.leaf("Name", o.Name) })
			w.group("PostalAddress", func() {
				w.leaf("StreetName", o.Street)
				w.leaf("CityName", o.City)
				w.leaf("PostalZone", o.Zone)
				w.country(o.Country)
			})
			if o.Contact+o.Telephone+o.Email != "" {
				w.group("Contact", func() {
					w.leaf("Name", o.Contact)
					w.leaf("Telephone", o.Telephone)
					w.leaf("ElectronicMail", o.Email)
				})
			}
			for _, r := range o.Representatives {
				w.group("PowerOfAttorney", func() {
					w.group("AgentParty", func() {
						w.group("Person", func() {
							w.leaf("FirstName", r.First)
							w.leaf("FamilyName", r.Family)
							w.group("ResidenceAddress", func() { w.country(r.Country) })
						})
					})
				})
			}
		})
	})
}

func (w *pen) country(code string) {
	if code != "" {
		w.group("Country", func() { w.code("IdentificationCode", code, "country", tablesOf2025) })
	}
}

// valueElement says in which element an answer of a type stands.
func valueElement(t string) string {
	switch t {
	case "AMOUNT", "MAXIMUM_AMOUNT", "MINIMUM_AMOUNT":
		return "ResponseAmount"
	case "CODE", "CODE_COUNTRY", "CODE_BOOLEAN", "TRANSLATION_TYPE_CODE", "COPY_QUALITY_TYPE_CODE":
		return "ResponseCode"
	case "DATE":
		return "ResponseDate"
	case "TIME":
		return "ResponseTime"
	case "INDICATOR":
		return "ResponseIndicator"
	case "PERCENTAGE", "MAXIMUM_VALUE_NUMERIC":
		return "ResponseNumeric"
	case "QUANTITY", "QUANTITY_INTEGER", "QUANTITY_YEAR", "MINIMUM_QUANTITY", "MINIMUM_QUANTITY_INTEGER", "MINIMUM_QUANTITY_YEAR":
		return "ResponseQuantity"
	case "IDENTIFIER", "QUAL_IDENTIFIER", "ECONOMIC_OPERATOR_IDENTIFIER", "LOT_IDENTIFIER":
		return "ResponseID"
	case "URL":
		return "ResponseURI"
	case "PERIOD":
		return "ApplicablePeriod"
	case "EVIDENCE_IDENTIFIER":
		return "EvidenceSupplied"
	}
	return "Description"
}

// codeLists are those that codes in answers are taken from, by the type of the property: list, agency, version.
var codeLists = map[string][3]string{
	"CODE_COUNTRY": {authority + "country", "OP", tablesOf2025},
	"CODE_BOOLEAN": {"boolean-gui-control-type", "OP", "4.1.0"},
	"CODE":         {authority + "occupation", "EMPL", "20221214-0"},
}

func (w *pen) answer(a *Answer, p *Property) {
	if a.node.Valid() {
		w.copy(a.node)
		return
	}
	t := ""
	if p != nil {
		t = p.Type
	}
	w.group("TenderingCriterionResponse", func() {
		w.id("ID", a.ID)
		w.id("ValidatedCriterionPropertyID", a.Property)
		switch element := valueElement(t); element {
		case "ApplicablePeriod":
			w.group(element, func() {
				w.leaf("StartDate", a.Start)
				w.leaf("EndDate", a.End)
			})
		case "EvidenceSupplied":
			for _, id := range a.Evidence { // one, by BR-TCR-03
				w.group(element, func() { w.leaf("ID", id, "schemeAgencyID", "OP") })
			}
		default:
			w.group("ResponseValue", func() {
				w.id("ID", a.ID+"/V")
				w.leaf(element, a.Value, w.attributes(a, t, element)...)
			})
		}
		for _, l := range a.Lots {
			w.group("ProcurementProjectLotReference", func() { w.id("ID", l) })
		}
	})
}

func (w *pen) attributes(a *Answer, t, element string) []string {
	switch element {
	case "ResponseAmount":
		return []string{"currencyID", a.Unit}
	case "ResponseQuantity":
		switch {
		case strings.HasSuffix(t, "QUANTITY_YEAR"):
			return []string{"unitCode", "YEAR"}
		case a.Unit != "":
			return []string{"unitCode", a.Unit}
		}
	case "ResponseNumeric":
		if t == "PERCENTAGE" {
			return []string{"format", "PERCENTAGE"}
		}
	case "ResponseID":
		return []string{"schemeAgencyID", "OP"}
	case "ResponseCode":
		if l, ok := codeLists[t]; ok {
			return []string{"listID", l[0], "listAgencyID", l[1], "listVersionID", l[2]}
		}
	}
	return nil
}

func (w *pen) evidence(e *Evidence) {
	if e.node.Valid() {
		w.copy(e.node)
		return
	}
	w.group("Evidence", func() {
		w.leaf("ID", e.ID, "schemeAgencyID", "OP")
		confidentiality := e.Confidentiality
		if confidentiality == "" {
			confidentiality = "CONFIDENTIAL"
		}
		w.code("ConfidentialityLevelCode", confidentiality, "access-right", tablesOf2025)
		w.group("DocumentReference", func() {
			reference := e.Reference
			if reference == "" {
				reference = e.ID
			}
			w.leaf("ID", reference, "schemeAgencyID", "OP")
			if e.URI != "" {
				w.group("Attachment", func() { w.group("ExternalReference", func() { w.leaf("URI", e.URI) }) })
			}
			if e.Issuer != "" {
				w.group("IssuerParty", func() {
					if e.IssuerID != "" {
						w.group("PartyIdentification", func() { w.leaf("ID", e.IssuerID, "schemeAgencyID", "OP") })
					}
					w.group("PartyName", func() { w.leaf("Name", e.Issuer) })
				})
			}
		})
	})
}

// Respond begins a response to a request: the same procedure, buyer, criteria and lots, a reference to the request, and
// nothing answered yet. A response is about one lot, or about all of them, which is LOT-0000. Identifier and UUID are the
// caller's to make. Of a response it begins the next one, in which the operators and references of the first stay.
func (d *Document) Respond(id, uuid string, o Operator, now time.Time) *Document {
	r := &Document{
		Response: true, Edition: d.Edition, ID: id, UUID: uuid, Folder: d.Folder, IssueDate: now.Format(time.DateOnly), IssueTime: now.Format("15:04:05Z07:00"), Procedure: d.Procedure,
		Buyers: d.Buyers, Operators: []Operator{o}, Project: d.Project, Lots: d.Lots, Criteria: d.Criteria, root: d.root,
		Notices: slices.Clone(d.Notices),
	}
	if d.Response {
		r.Operators = d.Operators
	} else {
		r.Notices = append(r.Notices, Notice{ID: d.ID, Type: "ESPD_REQUEST"})
	}
	if len(d.Lots) != 1 {
		r.Lots = []string{"LOT-0000"}
	}
	return r
}

// Select keeps the criteria with these codes, in their order: it makes a request out of one that asks for more.
func (d *Document) Select(codes ...string) {
	d.Criteria = slices.DeleteFunc(slices.Clone(d.Criteria), func(c *Criterion) bool { return !slices.Contains(codes, c.Code) })
}

// Answer answers a question, in place of what was answered before. An empty answer takes it back.
func (d *Document) Answer(p *Property, a Answer) {
	d.Answers = slices.DeleteFunc(slices.Clone(d.Answers), func(x *Answer) bool { return x.Property == p.ID })
	if a.finish(p) {
		d.Answers = append(d.Answers, &a)
	}
}

// finish names the answer, and reports whether anything was said.
func (a *Answer) finish(p *Property) bool {
	a.Property, a.node = p.ID, dom.Node{}
	if a.ID == "" {
		a.ID = p.ID + "/R1"
	}
	return a.Value != "" || a.Start != "" || a.End != "" || len(a.Evidence) > 0
}
