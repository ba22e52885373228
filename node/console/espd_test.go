package console

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

const espdRequest = `<q:QualificationApplicationRequest xmlns:q="urn:oasis:names:specification:ubl:schema:xsd:QualificationApplicationRequest-2" xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2" xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
<cbc:ProfileExecutionID>ESPD-EDMv4.1.0</cbc:ProfileExecutionID><cbc:ID>R-1</cbc:ID><cbc:ContractFolderID>PP-17</cbc:ContractFolderID>
<cac:TenderingCriterion><cbc:ID>c</cbc:ID><cbc:CriterionTypeCode>tax-pay</cbc:CriterionTypeCode><cbc:Name>Taxes &lt;script&gt;alert(1)&lt;/script&gt;</cbc:Name><cbc:Description>d</cbc:Description>
<cac:TenderingCriterionPropertyGroup><cbc:ID>G</cbc:ID><cbc:PropertyGroupTypeCode>ON*</cbc:PropertyGroupTypeCode>
<cac:TenderingCriterionProperty><cbc:ID>Q1</cbc:ID><cbc:Description>Paid?</cbc:Description><cbc:TypeCode>QUESTION</cbc:TypeCode><cbc:ValueDataTypeCode>INDICATOR</cbc:ValueDataTypeCode></cac:TenderingCriterionProperty>
<cac:TenderingCriterionProperty><cbc:ID>Q2</cbc:ID><cbc:Description>Since</cbc:Description><cbc:TypeCode>QUESTION</cbc:TypeCode><cbc:ValueDataTypeCode>DATE</cbc:ValueDataTypeCode></cac:TenderingCriterionProperty>
</cac:TenderingCriterionPropertyGroup></cac:TenderingCriterion></q:QualificationApplicationRequest>`

// TestAProcurementDocumentIsAnsweredOnThePage: the questions in every language, harmless whatever the request says; the
// response is handed out, and what cannot be taken is named.
func TestAProcurementDocumentIsAnsweredOnThePage(t *testing.T) {
	t.Parallel()
	b := newWorld(t).as(t, Viewer)
	b.get("/console/espd").says(t, "the page", http.StatusOK, "Request or response", `aria-describedby="document-hint"`)
	b.upload("/console/espd", "document", "a.xml", nil).says(t, "no file", http.StatusUnprocessableEntity, "Choose a file.")
	b.upload("/console/espd", "document", "a.xml", []byte("<a/>")).says(t, "another document", http.StatusUnprocessableEntity, "This is no request")
	b.upload("/console/espd", "document", "a.xml", []byte("<a")).says(t, "no XML", http.StatusUnprocessableEntity, "This is no request")
	for _, language := range Languages {
		b.post("/console/look", "language", language, "theme", "", "back", "/console/espd")
		p := b.upload("/console/espd", "document", "a.xml", []byte(espdRequest))
		p.says(t, "the questions", http.StatusOK, `name="a:Q1"`, `name="o:name"`, "&lt;script&gt;", "PP-17")
		if strings.Contains(p.body, "<script>alert") || leftOver.MatchString(p.body) {
			t.Errorf("%s: what the request says is markup, or a text is missing: %s", language, leftOver.FindString(p.body))
		}
	}
	carried := base64.StdEncoding.EncodeToString([]byte(espdRequest))
	b.upload("/console/espd", "document", "", nil, "request", carried, "o:name", "Tuletorn", "o:id", "EE1", "a:Q1", "true", "a:Q2", "2020-01-01").
		says(t, "the response", http.StatusOK, "QualificationApplicationResponse", "<cbc:ResponseIndicator>true</cbc:ResponseIndicator>", "Tuletorn")
	b.upload("/console/espd", "document", "", nil, "request", carried, "a:Q2", "yesterday").says(t, "a wrong date", http.StatusUnprocessableEntity, "yesterday", `name="a:Q1"`)
	b.upload("/console/espd", "document", "", nil, "request", carried, "o:name", "Tuletorn", "as", "pdf").says(t, "as PDF", http.StatusOK, "%PDF-1.7")
	b.upload("/console/espd", "document", "", nil, "request", "!").says(t, "no document", http.StatusBadRequest)
}
