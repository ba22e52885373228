// Package espd reads, judges, fills in, merges and writes the European Single Procurement Document (Directive 2014/24/EU
// art. 59, Regulation (EU) 2016/7): the request, in which a buyer names criteria, and the response, in which a company says
// that it meets them and where the proof is. Editions: ESPD-EDM 2.1.1 on UBL 2.2, and 3.x and 4.x on UBL 2.3.
//
// One model serves all editions. What the model has no field for is kept: a document that was read is written with all
// elements that it had.
//
// # How questions hang together
//
// A criterion has groups of properties; a property is a caption, a requirement of the buyer, or a question. A group may
// have subgroups that count when the question above them is answered with yes (ONTRUE), with no (ONFALSE), or always (ON*).
package espd

import (
	"iter"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const (
	nsUBL      = "urn:oasis:names:specification:ubl:schema:xsd:"
	nsRequest  = nsUBL + "QualificationApplicationRequest-2"
	nsResponse = nsUBL + "QualificationApplicationResponse-2"
	nsCAC      = nsUBL + "CommonAggregateComponents-2"
	nsCBC      = nsUBL + "CommonBasicComponents-2"
	nsEXT      = nsUBL + "CommonExtensionComponents-2"
)

// Document is a request or a response.
type Document struct {
	Response  bool
	Edition   string // "ESPD-EDMv4.1.0"
	ID, UUID  string
	Folder    string // ContractFolderID: the procedure
	IssueDate string // YYYY-MM-DD
	IssueTime string
	Procedure string // code of the type of procedure
	GroupName string // of the economic operators that tender together
	Buyers    []Party
	Operators []Operator // of a response
	Project   Project
	Lots      []string
	Criteria  []*Criterion
	Answers   []*Answer   // of a response
	Evidences []*Evidence // of a response
	Notices   []Notice    // documents that this one refers to

	root dom.Node // zero for a document that was not read
}

// Party is a buyer or an economic operator.
type Party struct {
	Name, ID, Scheme string // Scheme of the identifier: VAT, NATIONAL ...
	Street, City     string
	Zone, Country    string // Country is a code of three letters
	Website          string
	Contact          string // name of a person
	Telephone, Email string
}

// Operator is a company that tenders, alone or with others.
type Operator struct {
	Party
	Role            string // code: sole-tenderer, group-lead, group-mem, eorons (others are relied on), subcont
	Size            string // code: micro, small, medium, sme, large
	Representatives []Representative

	node dom.Node
}

// Representative may act for an operator.
type Representative struct{ First, Family, Country string }

// Project is what is bought.
type Project struct{ Name, Description string }

// Notice is a document that this one refers to: the contract notice (TED_CN), or the request of a response (ESPD_REQUEST).
type Notice struct{ ID, Type, URI string }

// Criterion is something that companies have to meet.
type Criterion struct {
	ID          string // fixed in the whole Union
	Code        string // crime-org, tax-pay ...
	Name        string
	Description string
	Legislation []string
	Groups      []*Group

	node dom.Node
}

// When says for which answer to the question above it a group counts.
type When string

// The kinds of groups.
const (
	Always  When = "ON*"
	OnTrue  When = "ONTRUE"
	OnFalse When = "ONFALSE"
)

// Group is a list of properties, with subgroups.
type Group struct {
	ID         string
	When       When
	Properties []*Property
	Groups     []*Group

	node dom.Node
}

// Property is a caption, a requirement or a question.
type Property struct {
	ID          string
	Description string
	Kind        string // CAPTION, REQUIREMENT or QUESTION
	Type        string // of the value: INDICATOR, DESCRIPTION, AMOUNT ...
	Expected    string // value that the buyer asks for
	node        dom.Node
}

// Question reports whether an answer is expected.
func (p *Property) Question() bool { return p.Kind == "QUESTION" }

// Answer answers one question. Which fields are used depends on the type of the property.
type Answer struct {
	ID       string
	Property string
	Value    string // text, code, number, date, URL, true or false
	Unit     string // currency or unit of measure
	Start    string // of a period, YYYY-MM-DD
	End      string
	Evidence []string // identifiers
	Lots     []string

	node dom.Node
}

// Evidence is a proof that stands somewhere.
type Evidence struct {
	ID              string
	Confidentiality string // code: PUBLIC, CONFIDENTIAL ...
	Reference       string // number of the document
	URI             string
	Issuer          string
	IssuerID        string

	node dom.Node
}

// Read reads a request or a response. Any other document gives [edocument.ErrUnknownType].
func Read(doc *dom.Document) (*Document, error) {
	root := doc.Root()
	d := &Document{root: root}
	switch {
	case root.Is(nsRequest, "QualificationApplicationRequest"):
	case root.Is(nsResponse, "QualificationApplicationResponse"):
		d.Response = true
	default:
		return nil, edocument.ErrUnknownType
	}
	d.Edition, d.ID, d.UUID, d.Folder = text(root, "ProfileExecutionID"), text(root, "ID"), text(root, "UUID"), text(root, "ContractFolderID")
	d.IssueDate, d.IssueTime, d.Procedure, d.GroupName = text(root, "IssueDate"), text(root, "IssueTime"), text(root, "ProcedureCode"), text(root, "EconomicOperatorGroupName")
	for n := range root.Elements() {
		if n.Space() != nsCAC {
			continue
		}
		switch n.Local() {
		case "ContractingParty":
			d.Buyers = append(d.Buyers, readParty(child(n, "Party")))
		case "EconomicOperatorParty":
			d.Operators = append(d.Operators, readOperator(n))
		case "ProcurementProject":
			d.Project = Project{text(n, "Name"), text(n, "Description")}
		case "ProcurementProjectLot":
			d.Lots = append(d.Lots, text(n, "ID"))
		case "TenderingCriterion":
			d.Criteria = append(d.Criteria, readCriterion(n))
		case "TenderingCriterionResponse":
			d.Answers = append(d.Answers, readAnswer(n))
		case "Evidence":
			d.Evidences = append(d.Evidences, readEvidence(n))
		case "AdditionalDocumentReference":
			d.Notices = append(d.Notices, Notice{text(n, "ID"), text(n, "DocumentTypeCode"), text(child(child(n, "Attachment"), "ExternalReference"), "URI")})
		}
	}
	return d, nil
}

func child(n dom.Node, local string) dom.Node { return n.Child(nsCAC, local) }
func text(n dom.Node, local string) string    { return n.Child(nsCBC, local).TrimmedText() }

// each yields the children with a name.
func each(n dom.Node, local string) iter.Seq[dom.Node] {
	return func(yield func(dom.Node) bool) {
		for c := range n.Elements() {
			if c.Is(nsCAC, local) && !yield(c) {
				return
			}
		}
	}
}

func readParty(n dom.Node) Party {
	a, c, id := child(n, "PostalAddress"), child(n, "Contact"), child(n, "PartyIdentification").Child(nsCBC, "ID")
	return Party{
		Name: text(child(n, "PartyName"), "Name"), ID: id.TrimmedText(), Scheme: id.Attr("schemeID"), Street: text(a, "StreetName"), City: text(a, "CityName"), Zone: text(a, "PostalZone"),
		Country: text(child(a, "Country"), "IdentificationCode"), Website: text(n, "WebsiteURI"), Contact: text(c, "Name"), Telephone: text(c, "Telephone"), Email: text(c, "ElectronicMail"),
	}
}

func readOperator(n dom.Node) Operator {
	p := child(n, "Party")
	o := Operator{Party: readParty(p), Role: text(child(n, "EconomicOperatorRole"), "RoleCode"), Size: text(p, "IndustryClassificationCode"), node: n}
	for a := range each(p, "PowerOfAttorney") {
		person := child(child(a, "AgentParty"), "Person")
		o.Representatives = append(o.Representatives, Representative{text(person, "FirstName"), text(person, "FamilyName"), text(child(child(person, "ResidenceAddress"), "Country"), "IdentificationCode")})
	}
	return o
}

func readCriterion(n dom.Node) *Criterion {
	c := &Criterion{ID: text(n, "ID"), Code: text(n, "CriterionTypeCode"), Name: text(n, "Name"), Description: text(n, "Description"), node: n}
	for l := range each(n, "Legislation") {
		if s := strings.TrimSpace(text(l, "Title") + " " + text(l, "Article")); s != "" {
			c.Legislation = append(c.Legislation, s)
		}
	}
	for g := range each(n, "TenderingCriterionPropertyGroup") {
		c.Groups = append(c.Groups, readGroup(g))
	}
	return c
}

func readGroup(n dom.Node) *Group {
	g := &Group{ID: text(n, "ID"), When: When(text(n, "PropertyGroupTypeCode")), node: n}
	for p := range each(n, "TenderingCriterionProperty") {
		g.Properties = append(g.Properties, readProperty(p))
	}
	for s := range each(n, "SubsidiaryTenderingCriterionPropertyGroup") {
		g.Groups = append(g.Groups, readGroup(s))
	}
	return g
}

func readProperty(n dom.Node) *Property {
	p := &Property{ID: text(n, "ID"), Description: text(n, "Description"), Kind: text(n, "TypeCode"), Type: text(n, "ValueDataTypeCode"), node: n}
	for e := range n.Elements() {
		name := e.Local()
		switch {
		case e.Space() == nsCBC && (strings.HasPrefix(name, "Expected") || strings.HasPrefix(name, "Minimum") || strings.HasPrefix(name, "Maximum")):
			p.Expected = strings.TrimSpace(e.TrimmedText() + " " + e.Attr("currencyID") + text(n, "ValueCurrencyCode"))
		case e.Is(nsCAC, "ApplicablePeriod"):
			p.Expected = text(e, "StartDate") + "/" + text(e, "EndDate")
		}
	}
	return p
}

// valueElements are those in which an answer may stand.
var valueElements = []string{"ResponseAmount", "ResponseCode", "ResponseDate", "ResponseTime", "Description", "ResponseIndicator", "ResponseNumeric", "ResponseQuantity", "ResponseID", "ResponseURI", "ResponseMeasure"}

func readAnswer(n dom.Node) *Answer {
	a := &Answer{ID: text(n, "ID"), Property: text(n, "ValidatedCriterionPropertyID"), node: n}
	for e := range n.Elements() {
		switch {
		case e.Is(nsCAC, "ResponseValue"):
			for v := range e.Elements() {
				if v.Space() == nsCBC && slices.Contains(valueElements, v.Local()) {
					a.Value, a.Unit = v.TrimmedText(), v.Attr("currencyID")+v.Attr("unitCode")
				}
			}
		case e.Is(nsCAC, "ApplicablePeriod"):
			a.Start, a.End = text(e, "StartDate"), text(e, "EndDate")
		case e.Is(nsCAC, "EvidenceSupplied"):
			a.Evidence = append(a.Evidence, text(e, "ID"))
		case e.Is(nsCAC, "ProcurementProjectLotReference"):
			a.Lots = append(a.Lots, text(e, "ID"))
		}
	}
	return a
}

func readEvidence(n dom.Node) *Evidence {
	r := child(n, "DocumentReference")
	i := child(r, "IssuerParty")
	return &Evidence{
		ID: text(n, "ID"), Confidentiality: text(n, "ConfidentialityLevelCode"), Reference: text(r, "ID"), URI: text(child(child(r, "Attachment"), "ExternalReference"), "URI"),
		Issuer: text(child(i, "PartyName"), "Name"), IssuerID: text(child(i, "PartyIdentification"), "ID"), node: n,
	}
}

// Properties yields the properties of a criterion, each with the group that it is in and the groups around that, the
// outermost first.
func (c *Criterion) Properties() iter.Seq2[*Property, []*Group] {
	return func(yield func(*Property, []*Group) bool) {
		var walk func(g *Group, path []*Group) bool
		walk = func(g *Group, path []*Group) bool {
			path = append(path, g)
			for _, p := range g.Properties {
				if !yield(p, path) {
					return false
				}
			}
			for _, s := range g.Groups {
				if !walk(s, slices.Clip(path)) {
					return false
				}
			}
			return true
		}
		for _, g := range c.Groups {
			if !walk(g, nil) {
				return
			}
		}
	}
}

// AnswersTo returns the answers by the property that they answer.
func (d *Document) AnswersTo() map[string][]*Answer {
	out := map[string][]*Answer{}
	for _, a := range d.Answers {
		out[a.Property] = append(out[a.Property], a)
	}
	return out
}

// counts reports whether a subgroup counts, by the answer to the indicator in the group above it. Where that has no
// indicator, or nobody answered, only groups that always count do.
func (g *Group) counts(above *Group, answers map[string][]*Answer) bool {
	if g.When == Always || g.When == "" || above == nil {
		return true
	}
	for _, p := range above.Properties {
		if p.Type != "INDICATOR" {
			continue
		}
		for _, a := range answers[p.ID] {
			if a.True() == (g.When == OnTrue) && a.Value != "" {
				return true
			}
		}
	}
	return false
}

// True reports whether an indicator says yes.
func (a *Answer) True() bool { return a.Value == "true" || a.Value == "1" }

// Open returns the questions of a criterion that wait for an answer: those that count by the answers given, and have none.
// Questions for evidence are never open, since proofs are asked for later as a rule.
func (d *Document) Open(c *Criterion) []*Property { return c.open(d.AnswersTo()) }

func (c *Criterion) open(answers map[string][]*Answer) []*Property {
	var out []*Property
	for p, path := range c.Properties() {
		if !p.Question() || p.Type == "EVIDENCE_IDENTIFIER" || len(answers[p.ID]) > 0 || !reachable(path, answers) {
			continue
		}
		out = append(out, p)
	}
	return out
}

func reachable(path []*Group, answers map[string][]*Answer) bool {
	for i := 1; i < len(path); i++ {
		if !path[i].counts(path[i-1], answers) {
			return false
		}
	}
	return true
}

// Answered reports whether the criterion has an answer to one of its questions at least.
func (d *Document) Answered(c *Criterion) bool { return c.answered(d.AnswersTo()) }

func (c *Criterion) answered(answers map[string][]*Answer) bool {
	for p := range c.Properties() {
		if len(answers[p.ID]) > 0 {
			return true
		}
	}
	return false
}

// Area says what a criterion is about.
type Area string

// The areas.
const (
	Exclusion Area = "exclusion"
	Selection Area = "selection"
	Other     Area = "other" // about the company itself
)

// Area of the criterion, by its code.
func (c *Criterion) Area() Area {
	switch code := strings.ToLower(c.Code); {
	case slices.Contains(exclusionCodes, code):
		return Exclusion
	case slices.Contains(otherCodes, code):
		return Other
	}
	return Selection
}

// Codes of the criteria (authority table criterion); the others are selection criteria.
var (
	mandatoryCodes = strings.Fields("crime-org corruption fraud terr-offence finan-laund human-traffic tax-pay socsec-pay")
	exclusionCodes = append(strings.Fields("envir-law socsec-law labour-law bankruptcy insolvency cred-arran bankr-nat liq-admin susp-act prof-misconduct distorsion partic-confl prep-confl sanction misrepresent nati-ground"), mandatoryCodes...)
	otherCodes     = strings.Fields("sme shelt-worksh registered eo-group relied subco-ent")
)
