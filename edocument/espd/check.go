package espd

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// RulesID names the rules of this package in reports.
const RulesID = "espd@4.1.0"

// Judge judges requests and responses by the structural rules of ESPD-EDM 4.1.0 under their official identifiers. Whether
// a criterion is worded as in the list of the Union is left to a rule pack of the publisher. Rules about the syntax that
// only edition 4 knows are asked for that edition alone.
type Judge struct{}

// Validate implements [edocument.Validator].
func (Judge) Validate(doc *dom.Document) (*edocument.Report, error) {
	d, err := Read(doc)
	if err != nil {
		return nil, err
	}
	c := &checker{Document: d, report: &edocument.Report{Type: "ESPD request", Pack: []string{RulesID}, Valid: true, Findings: []edocument.Finding{}}, answers: d.AnswersTo(), properties: map[string][]*Property{}}
	if d.Response {
		c.report.Type = "ESPD response"
	}
	c.head()
	c.criteria()
	if d.Response {
		c.operators()
		c.responses()
		c.roles()
	} else {
		c.request()
	}
	c.notices()
	return c.report, nil
}

type checker struct {
	*Document
	report     *edocument.Report
	answers    map[string][]*Answer
	properties map[string][]*Property
}

const mostFindings = 1000

func (c *checker) find(n dom.Node, s edocument.Severity, id, said, remedy string) {
	c.report.Valid = c.report.Valid && !s.Refuses()
	if len(c.report.Findings) == mostFindings {
		c.report.Suppressed++
		return
	}
	if !n.Valid() {
		n = c.root
	}
	f := edocument.Finding{ID: id, Severity: s, Location: "/" + n.Path(), Text: said, Remedy: remedy}
	f.Line, f.Column = n.Pos()
	if !n.FirstElement().Valid() {
		f.Value = edocument.Clip(n.TrimmedText())
	}
	c.report.Findings = append(c.report.Findings, f)
}

// need reports an element that is missing. A path has names with slashes between; the last one is of a value.
func (c *checker) need(n dom.Node, s edocument.Severity, id, path string) {
	names := strings.Split(path, "/")
	at := n
	for _, name := range names[:len(names)-1] {
		at = child(at, name)
	}
	last := names[len(names)-1]
	if at.Child(nsCBC, last).Valid() || child(at, last).Valid() {
		return
	}
	c.find(n, s, id, n.Local()+" has "+path+".", "Add "+path+".")
}

func (c *checker) newest() bool { return strings.HasPrefix(c.version(), "4.") }

func (c *checker) head() {
	for _, r := range [][2]string{{"BR-OTH-04-01", "UBLVersionID"}, {"BR-OTH-04-03", "ID"}, {"BR-OTH-04-04", "UUID"}, {"BR-OTH-04-06", "TenderingCriterion"}} {
		c.need(c.root, edocument.Fatal, r[0], r[1])
	}
	if c.Response {
		c.need(c.root, edocument.Fatal, "BR-OTH-04-07", "TenderingCriterionResponse")
	}
	if v := c.root.Child(nsCBC, "UBLVersionID"); v.Valid() {
		want := "2.3"
		if strings.HasPrefix(c.version(), "2.") {
			want = "2.2"
		}
		if v.TrimmedText() != want {
			c.find(v, edocument.Fatal, "BR-OTH-05-01", "This edition stands on UBL "+want+".", "Write "+want+".")
		}
		if v.Attr("schemeAgencyID") != "OASIS-UBL-TC" {
			c.find(v, edocument.Fatal, "BR-OTH-05-02", "The version of UBL is one of OASIS-UBL-TC.", "Set schemeAgencyID to OASIS-UBL-TC.")
		}
	}
	if !slices.Contains(editions, c.Edition) {
		c.find(c.root.Child(nsCBC, "ProfileExecutionID"), edocument.Fatal, "BR-OTH-03", "The edition is one of ESPD-EDM that is known.", "Write the edition as ESPD-EDMv4.1.0.")
	}
}

// editions are those that ProfileExecutionID may name.
var editions = strings.Fields(`ESPD-EDMv2.1.1 ESPD-EDMv3.0.0 ESPD-EDMv3.0.1 ESPD-EDMv3.1.0 ESPD-EDMv3.2.0 ESPD-EDMv3.3.0 ESPD-EDMv4.0.0 ESPD-EDMv4.1.0
	ESPD-EDMv2.0.0-REGULATED ESPD-EDMv2.0.0-SELFCONTAINED ESPD-EDMv2.1.0-REGULATED ESPD-EDMv2.1.0-SELFCONTAINED ESPD-EDMv2.1.1-BASIC ESPD-EDMv2.1.1-EXTENDED`)

func (c *checker) criteria() {
	groupTypes := []When{Always, OnTrue, OnFalse}
	var group func(g *Group)
	group = func(g *Group) {
		c.need(g.node, edocument.Fatal, "BR-TC-12", "ID")
		c.need(g.node, edocument.Fatal, "BR-TC-14", "PropertyGroupTypeCode")
		for _, p := range g.Properties {
			c.properties[p.ID] = append(c.properties[p.ID], p)
			for _, r := range [][2]string{{"BR-TC-18", "ID"}, {"BR-TC-19", "Description"}, {"BR-TC-20", "TypeCode"}, {"BR-TC-21-01", "ValueDataTypeCode"}} {
				c.need(p.node, edocument.Fatal, r[0], r[1])
			}
		}
		for _, s := range g.Groups {
			group(s)
		}
	}
	for _, k := range c.Criteria {
		for _, r := range [][2]string{{"BR-TC-02-01", "ID"}, {"BR-TC-03", "CriterionTypeCode"}, {"BR-TC-05", "Name"}, {"BR-TC-06", "Description"}} {
			c.need(k.node, edocument.Fatal, r[0], r[1])
		}
		for l := range each(k.node, "Legislation") {
			c.need(l, edocument.Fatal, "BR-TC-09", "Title")
			c.need(l, edocument.Warning, "BR-TC-10", "Description")
			c.need(l, edocument.Warning, "BR-TC-11", "Article")
		}
		for _, g := range k.Groups {
			if g.When != "" && !slices.Contains(groupTypes, g.When) {
				c.find(g.node.Child(nsCBC, "PropertyGroupTypeCode"), edocument.Fatal, "BR-TC-15", "A group counts always (ON*), for yes (ONTRUE) or for no (ONFALSE).", "Correct PropertyGroupTypeCode.")
			}
			group(g)
		}
	}
}

func (c *checker) party(n dom.Node, s edocument.Severity, id, name, country string) {
	if n.Valid() {
		c.need(n, s, id, "PartyIdentification/ID")
		c.need(n, edocument.Fatal, name, "PartyName/Name")
		c.need(n, edocument.Fatal, country, "PostalAddress/Country/IdentificationCode")
	}
}

func (c *checker) request() {
	if n := len(c.Buyers); n != 1 {
		c.find(c.root, edocument.Warning, "BR-REQ-20-01", "A request has one contracting party.", "Name one buyer.")
	}
	for b := range each(c.root, "ContractingParty") {
		c.party(child(b, "Party"), edocument.Warning, "BR-REQ-20-04", "BR-REQ-20-02", "BR-REQ-20-03")
		c.party(child(child(child(b, "Party"), "ServiceProviderParty"), "Party"), edocument.Fatal, "BR-REQ-20-05", "BR-REQ-20-06", "BR-REQ-20-07")
	}
	c.need(c.root, edocument.Fatal, "BR-SC-10", "ProcedureCode")
	var missing []string
	for _, code := range mandatoryCodes {
		if !slices.ContainsFunc(c.Criteria, func(k *Criterion) bool { return k.Code == code }) {
			missing = append(missing, code)
		}
	}
	if missing != nil {
		c.find(c.root, edocument.Fatal, "BR-REQ-30", "A request asks for criminal convictions and for taxes and social security.", "Add the criteria "+strings.Join(missing, ", ")+".")
	}
	selection := 0
	for _, k := range c.Criteria {
		lots := child(k.node, "ProcurementProjectLotReference").Child(nsCBC, "ID").Valid()
		switch k.Area() {
		case Selection:
			selection++
			if !lots && c.newest() && k.Code != "staff-red" { // which the publisher's list of them lacks
				c.find(k.node, edocument.Fatal, "BR-LOT-41", "A selection criterion says for which lots it is.", "Add the lots to the criterion.")
			}
		default:
			if lots {
				c.find(k.node, edocument.Fatal, "BR-LOT-40", "A criterion that is no selection criterion is for all lots.", "Leave the lots out of the criterion.")
			}
		}
	}
	if selection == 0 {
		c.find(c.root, edocument.Warning, "BR-REQ-40", "A request has selection criteria.", "Add the criteria that the contract needs, or leave it at that.")
	}
}

func (c *checker) operators() {
	for n := range each(c.root, "EconomicOperatorParty") {
		c.need(n, edocument.Error, "BR-RESP-10-02", "EconomicOperatorRole")
		c.need(n, edocument.Error, "BR-RESP-10-03", "EconomicOperatorRole/RoleCode")
		p := child(n, "Party")
		if !p.Valid() {
			continue
		}
		for _, r := range [][2]string{{"BR-RESP-10-04", "PartyIdentification/ID"}, {"BR-RESP-10-05", "PartyName/Name"}, {"BR-RESP-10-06", "IndustryClassificationCode"}, {"BR-RESP-10-07", "PostalAddress/Country/IdentificationCode"}} {
			c.need(p, edocument.Error, r[0], r[1])
		}
		for a := range each(p, "PowerOfAttorney") {
			for _, r := range [][2]string{{"BR-RESP-20-01", "AgentParty/Person/FirstName"}, {"BR-RESP-20-02", "AgentParty/Person/FamilyName"}, {"BR-RESP-20-03", "AgentParty/Person/ResidenceAddress/Country/IdentificationCode"}} {
				c.need(a, edocument.Error, r[0], r[1])
			}
		}
	}
	if c.newest() {
		if n := len(c.Lots); n != 1 {
			c.find(c.root, edocument.Fatal, "BR-LOT-10", "A response is about one lot, or about all of them as LOT-0000.", "Name one lot; there are "+strconv.Itoa(n)+".")
		}
	}
}

func (c *checker) responses() {
	evidences := map[string]int{}
	for _, e := range c.Evidences {
		evidences[e.ID]++
	}
	for _, a := range c.Answers {
		c.need(a.node, edocument.Fatal, "BR-TCR-01-01", "ValidatedCriterionPropertyID")
		values, others := 0, 0
		var value dom.Node
		for e := range a.node.Elements() {
			switch {
			case e.Is(nsCAC, "ResponseValue"):
				values++
				value = e
			case e.Is(nsCAC, "ApplicablePeriod"), e.Is(nsCAC, "EvidenceSupplied"):
				others++
			}
		}
		if !(values == 0 && others == 1 || others == 0 && values > 0) {
			c.find(a.node, edocument.Fatal, "BR-TCR-03", "An answer is a value, a period or an evidence.", "Keep one of them.")
		}
		if values > 1 {
			c.find(a.node, edocument.Fatal, "BR-TCR-04", "An answer has one value.", "Keep one value.")
		}
		for e := range each(a.node, "EvidenceSupplied") {
			if id := text(e, "ID"); evidences[id] != 1 {
				c.find(e, edocument.Fatal, "BR-TCR-09", "An evidence that an answer names is in the response, once.", "Add the evidence "+id+", or remove the answer.")
			}
		}
		if a.Property == "" {
			continue
		}
		p := c.properties[a.Property]
		if len(p) != 1 {
			c.find(a.node, edocument.Fatal, "BR-TCR-01-02", "An answer names one property of a criterion.", "Correct ValidatedCriterionPropertyID: "+a.Property+" is the identifier of "+strconv.Itoa(len(p))+".")
			continue
		}
		if rule := typeRules[p[0].Type]; rule != "" && !fits(a.node, value, p[0].Type) {
			c.find(a.node, edocument.Fatal, rule, "The answer to a question of type "+p[0].Type+" stands in "+valueElement(p[0].Type)+".", "Write the answer in "+valueElement(p[0].Type)+".")
		}
	}
	for _, k := range c.Criteria {
		for _, g := range k.Groups {
			c.branches(g, g.Groups)
		}
	}
	c.unanswered()
}

// typeRules are the rules on the element for an answer, by the type of the question.
var typeRules = map[string]string{
	"AMOUNT": "BR-TCR-08-01", "CODE": "BR-TCR-08-02", "CODE_COUNTRY": "BR-TCR-08-03", "DATE": "BR-TCR-08-04", "DESCRIPTION": "BR-TCR-08-05", "EVIDENCE_IDENTIFIER": "BR-TCR-08-06",
	"INDICATOR": "BR-TCR-08-07", "PERCENTAGE": "BR-TCR-08-08", "PERIOD": "BR-TCR-08-09", "QUANTITY_INTEGER": "BR-TCR-08-10", "QUANTITY_YEAR": "BR-TCR-08-11", "QUANTITY": "BR-TCR-08-12",
	"IDENTIFIER": "BR-TCR-08-13", "URL": "BR-TCR-08-14", "MAXIMUM_AMOUNT": "BR-TCR-08-15", "MINIMUM_AMOUNT": "BR-TCR-08-16", "MAXIMUM_VALUE_NUMERIC": "BR-TCR-08-17",
	"TRANSLATION_TYPE_CODE": "BR-TCR-08-18", "CERTIFICATION_LEVEL_DESCRIPTION": "BR-TCR-08-19", "COPY_QUALITY_TYPE_CODE": "BR-TCR-08-20", "TIME": "BR-TCR-08-21",
	"ECONOMIC_OPERATOR_IDENTIFIER": "BR-TCR-08-22", "QUAL_IDENTIFIER": "BR-TCR-08-25", "CODE_BOOLEAN": "BR-TCR-08-26",
}

// fits reports whether an answer stands where its type wants it.
func fits(answer, value dom.Node, t string) bool {
	switch t {
	case "PERIOD":
		return child(answer, "ApplicablePeriod").Valid()
	case "EVIDENCE_IDENTIFIER":
		return child(answer, "EvidenceSupplied").Child(nsCBC, "ID").Valid()
	case "PERCENTAGE":
		return value.Child(nsCBC, "ResponseNumeric").Attr("format") == "PERCENTAGE"
	case "QUANTITY_YEAR":
		return value.Child(nsCBC, "ResponseQuantity").Attr("unitCode") == "YEAR"
	}
	return value.Child(nsCBC, valueElement(t)).Valid()
}

// branches: what a question opens is answered, and what it closes is not.
func (c *checker) branches(above *Group, subs []*Group) {
	yes, no := false, false
	for _, p := range above.Properties {
		for _, a := range c.answers[p.ID] {
			switch a.Value {
			case "true", "1":
				yes = yes || child(a.node, "ResponseValue").Child(nsCBC, "ResponseIndicator").Valid()
			case "false", "0":
				no = no || child(a.node, "ResponseValue").Child(nsCBC, "ResponseIndicator").Valid()
			}
		}
	}
	for _, g := range subs {
		for _, p := range g.Properties {
			n := len(c.answers[p.ID])
			switch g.When {
			case OnTrue:
				if yes && n == 0 {
					c.find(p.node, edocument.Fatal, "BR-TCR-06-01", "With yes, the questions below are answered.", "Answer "+p.ID+", or say no above.")
				}
				if no && n > 0 {
					c.find(p.node, edocument.Fatal, "BR-TCR-06-02", "With no, the questions for yes are not answered.", "Remove the answer to "+p.ID+".")
				}
			case OnFalse:
				if no && n != 1 {
					c.find(p.node, edocument.Fatal, "BR-TCR-07-01", "With no, the questions for no are answered, once each.", "Answer "+p.ID+" once.")
				}
				if yes && n > 0 {
					c.find(p.node, edocument.Fatal, "BR-TCR-07-02", "With yes, the questions for no are not answered.", "Remove the answer to "+p.ID+".")
				}
			}
		}
		c.branches(g, g.Groups)
	}
}

// unanswered warns of criteria that nobody answered.
func (c *checker) unanswered() {
	for _, k := range c.Criteria {
		questions := false
		for p := range k.Properties() {
			questions = questions || p.Question()
		}
		if questions && !k.answered(c.answers) {
			c.find(k.node, edocument.Warning, "BR-RESP-40", "Each criterion is answered.", "Answer "+k.Code+", or say where the proof is.")
		}
	}
}

// roles: a lead of a group says who else is in it, and on whom it relies.
func (c *checker) roles() {
	leads, subcontractors := 0, 0
	for _, o := range c.Operators {
		switch o.Role {
		case "group-lead":
			leads++
		case "subcont":
			subcontractors++
		}
	}
	if leads == 1 {
		if c.GroupName == "" {
			c.find(c.root, edocument.Warning, "BR-LEAD-10-S10", "The lead of a group names the group.", "Add EconomicOperatorGroupName.")
		}
		for code, id := range map[string]string{"eo-group": "BR-LAED-10", "relied": "BR-LEAD-10-S20", "subco-ent": "BR-LEAD-10-S30"} {
			for _, k := range c.Criteria {
				if !strings.HasPrefix(k.Code, code) {
					continue
				}
				answered := false
				for _, g := range k.Groups {
					for _, p := range g.Properties {
						answered = answered || len(c.answers[p.ID]) > 0
					}
				}
				if !answered {
					c.find(k.node, edocument.Fatal, id, "The lead of a group answers "+code+".", "Answer the criterion.")
				}
			}
		}
	}
	if subcontractors == 1 {
		for _, k := range c.Criteria {
			if k.Area() == Selection && k.answered(c.answers) {
				c.find(k.node, edocument.Warning, "BR-SUBCONT-01", "A subcontractor answers no selection criteria.", "Remove the answers.")
				break
			}
		}
	}
}

var number = regexp.MustCompile(`^-?[0-9]{1,30}(\.[0-9]{1,30})?$`)

var noticeNumber = regexp.MustCompile(`^[0-9]{4}/S [0-9]{3}-[0-9]{6}$`)

func (c *checker) notices() {
	for n := range each(c.root, "AdditionalDocumentReference") {
		c.need(n, edocument.Fatal, "BR-COM-10-03", "DocumentTypeCode")
		if text(n, "DocumentTypeCode") != "TED_CN" {
			continue
		}
		if id := n.Child(nsCBC, "ID"); id.Valid() && !noticeNumber.MatchString(id.TrimmedText()) {
			c.find(id, edocument.Fatal, "BR-COM-10-01", "The number of a notice is written as 2026/S 017-123456.", "Correct the number, or leave it out until the notice is published.")
		}
		descriptions := 0
		for e := range child(child(n, "Attachment"), "ExternalReference").Elements() {
			if e.Is(nsCBC, "Description") {
				descriptions++
			}
		}
		if descriptions != 2 {
			c.find(n, edocument.Warning, "BR-COM-10-02", "The reference to a notice describes the procedure twice: title and description.", "Add two Descriptions.")
		}
	}
}
