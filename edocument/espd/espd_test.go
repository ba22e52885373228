package espd

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func parse(t testing.TB, b []byte) *dom.Document {
	t.Helper()
	d, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		t.Fatalf("%v\n%.2000s", err, b)
	}
	return d
}

func read(t testing.TB, b []byte) *Document {
	t.Helper()
	d, err := Read(parse(t, b))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func judged(t testing.TB, b []byte) *edocument.Report {
	t.Helper()
	r, err := Judge{}.Validate(parse(t, b))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func corpusRequest(t testing.TB) []byte {
	return corpus.Read(t, "edocuments", "espd-4.1.0/validation/ESPD-criterion.xml")
}
func corpusResponse(t testing.TB) []byte {
	return corpus.Read(t, "edocuments", "espd-4.1.0/examples/ESPD-Response.xml")
}

func ids(r *edocument.Report) string {
	n := map[string]int{}
	var order []string
	for _, f := range r.Findings {
		if n[f.ID]++; n[f.ID] == 1 {
			order = append(order, f.ID)
		}
	}
	var out []string
	for _, id := range order {
		out = append(out, fmt.Sprintf("%s*%d", id, n[id]))
	}
	return strings.Join(out, " ")
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{"request": corpusRequest(t), "response": corpusResponse(t)} {
		d := read(t, b)
		if len(d.Criteria) != 62 || d.Edition != "ESPD-EDMv4.1.0" || d.Response != (name == "response") {
			t.Errorf("%s: %d criteria, %s", name, len(d.Criteria), d.Edition)
		}
		areas := map[Area]int{}
		for _, c := range d.Criteria {
			areas[c.Area()]++
			if c.Code == "" || c.Name == "" || len(c.Groups) == 0 {
				t.Errorf("%s: %+v", name, c)
			}
		}
		t.Logf("%s: %d answers, %d evidences, %v", name, len(d.Answers), len(d.Evidences), areas)
		r := judged(t, b)
		t.Logf("%s: %s", name, ids(r))
		again := d.XML()
		if got := ids(judged(t, again)); got != ids(r) {
			t.Errorf("%s, written again: %s", name, got)
		}
		e := read(t, again)
		if len(e.Answers) != len(d.Answers) || len(e.Evidences) != len(d.Evidences) || len(e.Criteria) != len(d.Criteria) {
			t.Errorf("%s: written and read again: %d answers, %d evidences", name, len(e.Answers), len(e.Evidences))
		}
	}
}

var now = time.Date(2026, 4, 17, 9, 30, 0, 0, time.UTC)

const ns = `xmlns:cac="` + nsCAC + `" xmlns:cbc="` + nsCBC + `"`

func property(id, kind, t, more string) string {
	return `<cac:TenderingCriterionProperty><cbc:ID>` + id + `</cbc:ID><cbc:Description>About ` + id + `</cbc:Description><cbc:TypeCode>` + kind + `</cbc:TypeCode><cbc:ValueDataTypeCode>` + t + `</cbc:ValueDataTypeCode>` + more + `</cac:TenderingCriterionProperty>`
}

func criterion(code, more string) string {
	return `<cac:TenderingCriterion><cbc:ID>id-` + code + `</cbc:ID><cbc:CriterionTypeCode>` + code + `</cbc:CriterionTypeCode><cbc:Name>The ` + code + `</cbc:Name><cbc:Description>Have you?</cbc:Description>` + more +
		`<cac:TenderingCriterionPropertyGroup><cbc:ID>` + code + `/G</cbc:ID><cbc:PropertyGroupTypeCode>ON*</cbc:PropertyGroupTypeCode>` + property(code+"/Q", "QUESTION", "INDICATOR", "") +
		`<cac:SubsidiaryTenderingCriterionPropertyGroup><cbc:ID>` + code + `/Y</cbc:ID><cbc:PropertyGroupTypeCode>ONTRUE</cbc:PropertyGroupTypeCode>` +
		property(code+"/D", "QUESTION", "DATE", "") + property(code+"/A", "QUESTION", "AMOUNT", "") + property(code+"/P", "QUESTION", "PERIOD", "") + property(code+"/T", "QUESTION", "DESCRIPTION", "") + `</cac:SubsidiaryTenderingCriterionPropertyGroup>` +
		`<cac:SubsidiaryTenderingCriterionPropertyGroup><cbc:ID>` + code + `/N</cbc:ID><cbc:PropertyGroupTypeCode>ONFALSE</cbc:PropertyGroupTypeCode>` + property(code+"/W", "QUESTION", "DESCRIPTION", "") + `</cac:SubsidiaryTenderingCriterionPropertyGroup>` +
		`</cac:TenderingCriterionPropertyGroup><cac:TenderingCriterionPropertyGroup><cbc:ID>` + code + `/E</cbc:ID><cbc:PropertyGroupTypeCode>ON*</cbc:PropertyGroupTypeCode>` +
		property(code+"/R", "REQUIREMENT", "MINIMUM_AMOUNT", `<cbc:MinimumAmount currencyID="EUR">5000</cbc:MinimumAmount>`) + property(code+"/EV", "QUESTION", "EVIDENCE_IDENTIFIER", "") + `</cac:TenderingCriterionPropertyGroup></cac:TenderingCriterion>`
}

// request is a small one, in an edition.
func request(edition, ubl string) []byte {
	b := `<q:QualificationApplicationRequest xmlns:q="` + nsRequest + `" ` + ns + `><cbc:UBLVersionID schemeAgencyID="OASIS-UBL-TC">` + ubl + `</cbc:UBLVersionID><cbc:ProfileExecutionID>` + edition + `</cbc:ProfileExecutionID>
<cbc:ID schemeAgencyID="DGPE">REQ-1</cbc:ID><cbc:UUID>4d2b3a60-0000-4000-8000-000000000001</cbc:UUID><cbc:ContractFolderID>PP-17</cbc:ContractFolderID><cbc:IssueDate>2026-04-01</cbc:IssueDate><cbc:ProcedureCode listID="x">Open</cbc:ProcedureCode>
<cac:ContractingParty><cac:Party><cac:PartyIdentification><cbc:ID>PT502011378</cbc:ID></cac:PartyIdentification><cac:PartyName><cbc:Name>Porto Novo &amp; Co</cbc:Name></cac:PartyName><cac:PostalAddress><cac:Country><cbc:IdentificationCode>PRT</cbc:IdentificationCode></cac:Country></cac:PostalAddress></cac:Party></cac:ContractingParty>
<cac:ProcurementProject><cbc:Name>Harbour register</cbc:Name></cac:ProcurementProject><cac:ProcurementProjectLot><cbc:ID>LOT-0000</cbc:ID></cac:ProcurementProjectLot>`
	for _, code := range mandatoryCodes {
		b += criterion(code, "")
	}
	return []byte(b + criterion("gen-year-to", `<cac:ProcurementProjectLotReference><cbc:ID>LOT-0000</cbc:ID></cac:ProcurementProjectLotReference>`) + `</q:QualificationApplicationRequest>`)
}

var company = Operator{Party: Party{Name: "Rannavärav OÜ", ID: "EE100931558", Country: "EST", City: "Tallinn", Contact: "Mari Tamm"}, Role: "sole-tenderer", Size: "small", Representatives: []Representative{{"Mari", "Tamm", "EST"}}}

// filled answers a request as a form would.
func filled(t testing.TB, req []byte, change func(url.Values)) (*Document, []error) {
	t.Helper()
	d := read(t, req).Respond("RES-1", "4d2b3a60-0000-4000-8000-000000000002", company, now)
	v := url.Values{"o:name": {company.Name}, "o:id": {company.ID}, "o:country": {"est"}, "o:role": {"sole-tenderer"}, "o:size": {"small"}, "o:first": {"Mari"}, "o:family": {"Tamm"}}
	for _, c := range d.Criteria {
		v.Set("a:"+c.Code+"/Q", "false")
		v.Set("a:"+c.Code+"/W", "never")
		v.Set("a:"+c.Code+"/D", "2020-01-01") // in the branch that does not count
	}
	v.Set("a:gen-year-to/Q", "true")
	for name, s := range map[string]string{"D": "2025-12-31", "A": "125000,50", "A:unit": "eur", "P:start": "2025-01-01", "P:end": "2025-12-31", "T": "Accounts <audited>", "EV:uri": "https://register.example/17", "EV:issuer": "Register"} {
		v.Set("a:gen-year-to/"+name, s)
	}
	if change != nil {
		change(v)
	}
	wrong := d.Fill(v)
	return d, wrong
}

func TestAResponseIsMadeFromARequestByAForm(t *testing.T) {
	t.Parallel()
	for edition, ubl := range map[string]string{"ESPD-EDMv2.1.1": "2.2", "ESPD-EDMv3.3.0": "2.3", "ESPD-EDMv4.1.0": "2.3"} {
		req := request(edition, ubl)
		if r := judged(t, req); !r.Valid || len(r.Findings) > 0 {
			t.Fatalf("%s: %+v", edition, r.Findings)
		}
		d, wrong := filled(t, req, nil)
		if wrong != nil {
			t.Fatal(wrong)
		}
		b := d.XML()
		if r := judged(t, b); !r.Valid || len(r.Findings) > 0 {
			t.Errorf("%s: %+v\n%s", edition, r.Findings, b)
		}
		e := read(t, b)
		if !e.Response || len(e.Criteria) != 9 || len(e.Evidences) != 1 || len(e.Answers) != 8*2+6 || e.Operators[0].Representatives[0].Family != "Tamm" || e.Folder != "PP-17" || e.Buyers[0].Name != "Porto Novo & Co" {
			t.Errorf("%s: %d answers, %+v", edition, len(e.Answers), e)
		}
		if a := e.AnswersTo()["gen-year-to/A"]; len(a) != 1 || a[0].Value != "125000.50" || a[0].Unit != "EUR" {
			t.Errorf("%s: %+v", edition, a)
		}
		if n := e.Notices; len(n) != 1 || n[0].Type != "ESPD_REQUEST" || n[0].ID != "REQ-1" {
			t.Errorf("%s: %+v", edition, n)
		}
		for _, c := range e.Criteria {
			if open := e.Open(c); len(open) > 0 || !e.Answered(c) {
				t.Errorf("%s %s: %d questions open", edition, c.Code, len(open))
			}
		}
	}
}

// TestAResponseIsGoneOnWith: what the form says of the company counts, and what it does not ask for stays.
func TestAResponseIsGoneOnWith(t *testing.T) {
	t.Parallel()
	d, _ := filled(t, request("ESPD-EDMv4.1.0", "2.3"), nil)
	b := string(d.XML())
	first := strings.Index(b, "<cac:EconomicOperatorParty>")
	last := strings.Index(b, "</cac:EconomicOperatorParty>") + len("</cac:EconomicOperatorParty>")
	member := strings.ReplaceAll(b[first:last], d.Operators[0].Name, "Member")
	b = b[:last] + member + b[last:]
	was := read(t, []byte(b))
	o := was.Operators[0]
	same := url.Values{"o:name": {o.Name}, "o:id": {o.ID}, "o:role": {o.Role}, "o:size": {o.Size}, "o:street": {o.Street}, "o:city": {o.City}, "o:zone": {o.Zone}, "o:country": {o.Country}, "o:website": {o.Website},
		"o:contact": {o.Contact}, "o:telephone": {o.Telephone}, "o:email": {o.Email}, "o:first": {o.Representatives[0].First}, "o:family": {o.Representatives[0].Family}}
	next := was.Respond("RES-2", "4d2b3a60-0000-4000-8000-000000000003", Operator{}, now)
	next.Fill(same)
	if s := string(next.XML()); !strings.Contains(s, b[first:last]+member) {
		t.Errorf("the operators are not what they were: %s", s)
	}
	same.Set("o:city", "Narva")
	next.Fill(same)
	e := read(t, next.XML())
	if len(e.Operators) != 2 || e.Operators[0].City != "Narva" || e.Operators[0].Scheme != o.Scheme || e.Operators[1].Name != "Member" || e.ID != "RES-2" {
		t.Errorf("%+v", e.Operators)
	}
	if len(e.Notices) != 1 || e.Notices[0].ID != "REQ-1" {
		t.Errorf("references: %+v", e.Notices)
	}
}

func TestWhatAFormCannotSayIsNamed(t *testing.T) {
	t.Parallel()
	d, wrong := filled(t, request("ESPD-EDMv4.1.0", "2.3"), func(v url.Values) {
		v.Set("a:gen-year-to/D", "31.12.2025")
		v.Set("a:gen-year-to/A", "much")
		v.Set("a:fraud/Q", "perhaps")
	})
	if len(wrong) != 3 || !strings.Contains(fmt.Sprint(wrong), "The gen-year-to, About gen-year-to/A: \"much\" is no number") {
		t.Errorf("%v", wrong)
	}
	if r := judged(t, d.XML()); r.Valid || !strings.Contains(ids(r), "BR-TCR-06-01*2") || !strings.Contains(ids(r), "BR-RESP-40*1") {
		t.Error(ids(r))
	}
}

// Each damage breaks the rule that is about it.
func TestRules(t *testing.T) {
	t.Parallel()
	d, _ := filled(t, request("ESPD-EDMv4.1.0", "2.3"), nil)
	response, req := string(d.XML()), string(request("ESPD-EDMv4.1.0", "2.3"))
	for _, c := range []struct{ id, doc, old, new string }{
		{"BR-OTH-04-04", req, "UUID>", "XUID>"},
		{"BR-OTH-05-01", req, ">2.3<", ">2.1<"},
		{"BR-OTH-05-02", req, "OASIS-UBL-TC", "OASIS"},
		{"BR-OTH-03", req, "EDMv4.1.0", "EDMv9"},
		{"BR-SC-10", req, "ProcedureCode", "ProcedureCodes"},
		{"BR-REQ-30", req, ">tax-pay<", ">tax-pays<"},
		{"BR-LOT-41", req, "ProcurementProjectLotReference", "LotReference"},
		{"BR-REQ-20-02", req, "<cac:PartyName>", "<cac:PartyName/><cac:Other>"},
		{"BR-TC-05", req, "<cbc:Name>The fraud</cbc:Name>", ""},
		{"BR-TC-15", req, ">ON*<", ">OFF<"},
		{"BR-TC-19", req, "<cbc:Description>About fraud/Q</cbc:Description>", ""},
		{"BR-TCR-01-02", response, ">fraud/W</cbc:Validated", ">fraud/X</cbc:Validated"},
		{"BR-TCR-07-01", response, ">fraud/W</cbc:Validated", ">fraud/D</cbc:Validated"},
		{"BR-TCR-06-02", response, ">fraud/W</cbc:Validated", ">fraud/D</cbc:Validated"},
		{"BR-TCR-08-04", response, ">fraud/W</cbc:Validated", ">fraud/D</cbc:Validated"},
		{"BR-TCR-08-01", response, "ResponseAmount", "ResponseNumeric"},
		{"BR-TCR-09", response, "<cac:Evidence>", "<cac:Evidences>"},
		{"BR-TCR-03", response, "<cac:ApplicablePeriod>", "<cac:ResponseValue/><cac:ApplicablePeriod>"},
		{"BR-RESP-10-03", response, "RoleCode", "Role"},
		{"BR-RESP-20-02", response, "FamilyName", "Family"},
		{"BR-LOT-10", response, ">LOT-0000</cbc:ID></cac:ProcurementProjectLot>", ">1</cbc:ID></cac:ProcurementProjectLot><cac:ProcurementProjectLot><cbc:ID>2</cbc:ID></cac:ProcurementProjectLot>"},
		{"BR-COM-10-01", strings.Replace(response, "ESPD_REQUEST", "TED_CN", 1), "", ""},
		{"BR-LEAD-10-S10", response, "sole-tenderer", "group-lead"},
	} {
		s := strings.ReplaceAll(c.doc, c.old, c.new)
		if c.old == "<cac:PartyName>" {
			s = strings.ReplaceAll(s, "</cac:PartyName>", "</cac:Other>")
		}
		if c.old == "<cac:Evidence>" {
			s = strings.ReplaceAll(s, "</cac:Evidence>", "</cac:Evidences>")
		}
		if r := judged(t, []byte(s)); !strings.Contains(ids(r)+" ", c.id+"*") {
			t.Errorf("%s: found %s", c.id, ids(r))
		}
	}
}

func TestEvidencesAreMerged(t *testing.T) {
	t.Parallel()
	req := request("ESPD-EDMv4.1.0", "2.3")
	one, _ := filled(t, req, nil)
	two, _ := filled(t, req, func(v url.Values) { v.Set("a:fraud/EV:uri", "https://court.example/3") })
	two.Evidences[0].ID, two.AnswersTo()["fraud/EV"][0].Evidence[0] = "COURT-3", "COURT-3"
	first, second := read(t, one.XML()), read(t, two.XML())
	m, err := Merge(first, second, second)
	if err != nil {
		t.Fatal(err)
	}
	b := m.XML()
	e := read(t, b)
	if r := judged(t, b); !r.Valid || len(e.Evidences) != 2 || len(e.Answers) != len(first.Answers)+1 {
		t.Errorf("%d evidences, %d answers, %s", len(e.Evidences), len(e.Answers), ids(r))
	}
	if len(first.Evidences) != 1 {
		t.Error("the first document was changed")
	}
	third, _ := filled(t, req, func(v url.Values) { v.Set("a:gen-year-to/EV:issuer", "Somebody else") })
	if _, err := Merge(first, read(t, third.XML())); !errors.Is(err, ErrConflict) {
		t.Errorf("one identifier, two proofs: %v", err)
	}
	fourth, _ := filled(t, req, func(v url.Values) { v.Set("a:gen-year-to/T", "None") })
	if _, err := Merge(first, read(t, fourth.XML())); !errors.Is(err, ErrConflict) {
		t.Errorf("two answers: %v", err)
	}
	if _, err := Merge(read(t, req), first); err == nil {
		t.Error("evidences in a request")
	}
}

func TestARequestIsMadeFromALargerOne(t *testing.T) {
	t.Parallel()
	d := read(t, request("ESPD-EDMv4.1.0", "2.3"))
	d.Select("fraud", "gen-year-to")
	if e := read(t, d.XML()); len(e.Criteria) != 2 || e.Criteria[1].Code != "gen-year-to" {
		t.Errorf("%d criteria", len(e.Criteria))
	}
}

var labelFor = regexp.MustCompile(`(?s)<label>.*?</label>`)

func TestFormsAndPagesAreForEverybody(t *testing.T) {
	t.Parallel()
	d, _ := filled(t, request("ESPD-EDMv4.1.0", "2.3"), nil)
	for _, lang := range Languages {
		form, err := d.Form(lang)
		if err != nil {
			t.Fatal(err)
		}
		page, err := d.HTML(lang)
		if err != nil {
			t.Fatal(err)
		}
		outside := labelFor.ReplaceAllString(string(form), "")
		if strings.Contains(outside, "<input") || strings.Contains(outside, "<textarea") || strings.Contains(outside, "<select") {
			t.Errorf("%s: a field without label", lang)
		}
		for _, b := range [][]byte{form, page} {
			s := string(b)
			if strings.Contains(s, "<script") || strings.Contains(s, "ZgotmplZ") || strings.Contains(s, "<audited>") || strings.Contains(s, "<no value>") || !strings.Contains(s, "Accounts &lt;audited&gt;") {
				t.Errorf("%s: %s", lang, s)
			}
		}
		if !strings.Contains(string(page), `<html lang="`+lang+`">`) {
			t.Errorf("%s: the page does not say its language", lang)
		}
		for key := range labels()["en"] {
			if labels()[lang][key] == "" {
				t.Errorf("%s lacks %s", lang, key)
			}
		}
	}
}

func TestADocumentIsLaidOutForPaper(t *testing.T) {
	t.Parallel()
	d, _ := filled(t, request("ESPD-EDMv4.1.0", "2.3"), nil)
	for _, lang := range Languages {
		b, err := d.PDF(lang, now)
		if err != nil || !strings.HasPrefix(string(b), "%PDF-1.7") {
			t.Errorf("%s: %v", lang, err)
		}
		again, err := d.PDF(lang, now)
		if err != nil || string(again) != string(b) {
			t.Errorf("%s: equal input, other octets", lang)
		}
	}
	empty, err := (&Document{}).PDF("xx", now)
	if err != nil || len(empty) == 0 {
		t.Errorf("nothing in it: %v", err)
	}
}

func TestOtherDocumentsAreNoESPD(t *testing.T) {
	t.Parallel()
	if _, err := Read(parse(t, []byte(`<QualificationApplicationRequest/>`))); err != edocument.ErrUnknownType {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	small := read(f, request("ESPD-EDMv4.1.0", "2.3"))
	small.Select("gen-year-to")
	f.Add(small.XML())
	d, _ := filled(f, small.XML(), nil)
	f.Add(d.XML())
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := dom.Parse(b, dom.Limits{Bytes: 1 << 17})
		if err != nil {
			return
		}
		d, err := Read(doc)
		if err != nil {
			return
		}
		r, err := Judge{}.Validate(doc)
		if err != nil {
			t.Fatal(err)
		}
		again := judged(t, d.XML())
		if again.Type != r.Type {
			t.Fatalf("%s became %s", r.Type, again.Type)
		}
		if _, err := d.Form("en"); err != nil {
			t.Fatal(err)
		}
		d.Fill(url.Values{"o:name": {"x"}})
		parse(t, d.XML())
	})
}

func BenchmarkRead(b *testing.B) {
	req := corpusResponse(b)
	doc := parse(b, req)
	b.SetBytes(int64(len(req)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(doc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	req := corpusResponse(b)
	doc := parse(b, req)
	b.SetBytes(int64(len(req)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Judge{}).Validate(doc); err != nil {
			b.Fatal(err)
		}
	}
}
