package rules

import (
	"errors"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const preAwardHead = ` xmlns:cbc="` + nsCBC + `" xmlns:cac="` + nsCAC + `"><cbc:UBLVersionID>2.2</cbc:UBLVersionID><cbc:CustomizationID>urn:fdc:peppol.eu:prac:trns:`

const (
	aTender = `<Tender xmlns="` + nsUBL + `Tender-2"` + preAwardHead + `t005:1.1</cbc:CustomizationID><cbc:ProfileID>urn:fdc:peppol.eu:prac:bis:p003:1.1</cbc:ProfileID><cbc:ID schemeURI="urn:uuid">5d2c1b0a-9f8e-4d7c-8b6a-5f4e3d2c1b0a</cbc:ID><cbc:ContractFolderID>PN-4711</cbc:ContractFolderID><cbc:IssueDate>2026-11-28</cbc:IssueDate><cbc:IssueTime>09:30:00Z</cbc:IssueTime>
<cac:DocumentReference><cbc:ID>0f1e2d3c-4b5a-4968-8776-655443322110</cbc:ID><cbc:DocumentTypeCode listID="UNCL1001">311</cbc:DocumentTypeCode><cbc:LocaleCode listID="ISO639-1">PT</cbc:LocaleCode></cac:DocumentReference>
<cac:DocumentReference><cbc:ID>1</cbc:ID><cbc:DocumentTypeCode listID="UNCL1001">310</cbc:DocumentTypeCode><cac:Attachment><cac:ExternalReference><cbc:DocumentHash>00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff</cbc:DocumentHash><cbc:HashAlgorithmMethod>http://www.w3.org/2001/04/xmlenc#sha256</cbc:HashAlgorithmMethod><cbc:MimeCode>application/pdf</cbc:MimeCode><cbc:FileName>offer.pdf</cbc:FileName></cac:ExternalReference></cac:Attachment></cac:DocumentReference>
<cac:TendererParty><cbc:EndpointID schemeID="0191">10137025</cbc:EndpointID><cac:PartyIdentification><cbc:ID schemeID="0191">10137025</cbc:ID></cac:PartyIdentification><cac:PartyName><cbc:Name>Rannavärav Tarkvara</cbc:Name></cac:PartyName></cac:TendererParty>
<cac:ContractingParty><cac:Party><cbc:EndpointID schemeID="9946">502011378</cbc:EndpointID><cac:PartyIdentification><cbc:ID schemeID="0088">5790000436057</cbc:ID></cac:PartyIdentification></cac:Party></cac:ContractingParty></Tender>`

	aReceipt = `<TenderReceipt xmlns="` + nsUBL + `TenderReceipt-2"` + preAwardHead + `t006:1.1</cbc:CustomizationID><cbc:ProfileID>urn:fdc:peppol.eu:prac:bis:p003:1.1</cbc:ProfileID><cbc:ID schemeURI="urn:uuid">5d2c1b0a-9f8e-4d7c-8b6a-5f4e3d2c1b0b</cbc:ID><cbc:RegisteredTime>10:00:00Z</cbc:RegisteredTime>
<cac:TenderDocumentReference><cbc:ID schemeURI="urn:uuid">5d2c1b0a-9f8e-4d7c-8b6a-5f4e3d2c1b0a</cbc:ID><cbc:DocumentTypeCode listID="UNCL1001">310</cbc:DocumentTypeCode></cac:TenderDocumentReference>
<cac:SenderParty><cbc:EndpointID schemeID="9946">502011378</cbc:EndpointID><cac:PartyIdentification><cbc:ID schemeID="0088">5790000436057</cbc:ID></cac:PartyIdentification></cac:SenderParty><cac:ReceiverParty><cbc:EndpointID schemeID="0191">10137025</cbc:EndpointID><cac:PartyIdentification><cbc:ID schemeID="0191">10137025</cbc:ID></cac:PartyIdentification></cac:ReceiverParty></TenderReceipt>`

	aResponse = `<ApplicationResponse xmlns="` + nsUBL + `ApplicationResponse-2"` + preAwardHead + `t018:1.1</cbc:CustomizationID><cbc:ProfileID>urn:fdc:peppol.eu:prac:bis:p010:1.1</cbc:ProfileID><cbc:ID>7</cbc:ID><cbc:IssueDate>2026-11-28</cbc:IssueDate><cbc:IssueTime>09:30:00Z</cbc:IssueTime>
<cac:SenderParty><cbc:EndpointID schemeID="9946">502011378</cbc:EndpointID></cac:SenderParty><cac:ReceiverParty><cbc:EndpointID schemeID="0191">10137025</cbc:EndpointID></cac:ReceiverParty>
<cac:DocumentResponse><cac:Response><cbc:ResponseCode>AP</cbc:ResponseCode></cac:Response><cac:DocumentReference><cbc:ID>1</cbc:ID><cbc:UUID>2</cbc:UUID><cbc:DocumentTypeCode>CN</cbc:DocumentTypeCode><cbc:VersionID>1</cbc:VersionID></cac:DocumentReference>
<cac:LineResponse><cac:LineReference><cbc:LineID>3</cbc:LineID><cac:DocumentReference><cbc:ID>1</cbc:ID></cac:DocumentReference></cac:LineReference><cac:Response><cbc:Description>x</cbc:Description><cac:Status><cbc:StatusReasonCode>BV</cbc:StatusReasonCode></cac:Status></cac:Response></cac:LineResponse></cac:DocumentResponse></ApplicationResponse>`

	aQualification = `<TendererQualification xmlns="` + nsUBL + `TendererQualification-2"` + preAwardHead + `t019:1.1</cbc:CustomizationID><cbc:ProfileID>urn:fdc:peppol.eu:prac:bis:p011:1.1</cbc:ProfileID><cbc:ID schemeURI="urn:uuid">5d2c1b0a-9f8e-4d7c-8b6a-5f4e3d2c1b0c</cbc:ID><cbc:ContractFolderID>PN-4711</cbc:ContractFolderID><cbc:IssueDate>2026-11-28</cbc:IssueDate><cbc:IssueTime>09:30:00Z</cbc:IssueTime><cbc:VersionID>1</cbc:VersionID>
<cac:TendererPartyQualification><cac:MainQualifyingParty><cac:Party><cbc:EndpointID schemeID="0191">10137025</cbc:EndpointID><cac:PartyIdentification><cbc:ID schemeID="0191">10137025</cbc:ID></cac:PartyIdentification></cac:Party></cac:MainQualifyingParty></cac:TendererPartyQualification>
<cac:ContractingParty><cac:Party><cbc:EndpointID schemeID="9946">502011378</cbc:EndpointID><cac:PartyIdentification><cbc:ID schemeID="0088">5790000436057</cbc:ID></cac:PartyIdentification></cac:Party></cac:ContractingParty>
<cac:AdditionalDocumentReference><cbc:ID>1</cbc:ID></cac:AdditionalDocumentReference></TendererQualification>`

	aCall = `<CallForTenders xmlns="` + nsUBL + `CallForTenders-2"` + preAwardHead + `t004:1.1</cbc:CustomizationID><cbc:ProfileID>urn:fdc:peppol.eu:prac:bis:p002:1.1</cbc:ProfileID><cbc:ID schemeURI="urn:uuid">0f1e2d3c-4b5a-4968-8776-655443322110</cbc:ID><cbc:IssueTime>09:30:00+00:00</cbc:IssueTime><cbc:VersionID>1</cbc:VersionID>
<cac:AdditionalDocumentReference><cbc:ID>terms</cbc:ID><cbc:DocumentTypeCode listID="urn:eu:esens:cenbii:documentType">PRO</cbc:DocumentTypeCode><cbc:DocumentStatusCode listID="urn:eu:esens:cenbii:documentStatusType">NR</cbc:DocumentStatusCode><cbc:DocumentDescription>L-1</cbc:DocumentDescription><cac:Attachment><cac:ExternalReference><cbc:FileName>terms.pdf</cbc:FileName></cac:ExternalReference></cac:Attachment></cac:AdditionalDocumentReference>
<cac:ContractingParty><cac:Party><cbc:EndpointID schemeID="9946">502011378</cbc:EndpointID><cac:PartyIdentification><cbc:ID schemeID="0088">5790000436057</cbc:ID></cac:PartyIdentification></cac:Party></cac:ContractingParty>
<cac:TenderingTerms><cbc:MaximumVariantQuantity>2</cbc:MaximumVariantQuantity><cbc:VariantConstraintIndicator>true</cbc:VariantConstraintIndicator><cbc:AdditionalConditions>WOS</cbc:AdditionalConditions></cac:TenderingTerms>
<cac:TenderingProcess><cbc:ProcedureCode listID="PR_PROC">open</cbc:ProcedureCode><cac:TenderSubmissionDeadlinePeriod><cbc:EndDate>2027-01-15</cbc:EndDate><cbc:EndTime>12:00:00Z</cbc:EndTime></cac:TenderSubmissionDeadlinePeriod></cac:TenderingProcess>
<cac:ProcurementProject><cbc:Name>Register</cbc:Name><cbc:Description>Harbour register</cbc:Description><cbc:ProcurementTypeCode listID="PROJECT_TYPE">2</cbc:ProcurementTypeCode><cac:MainCommodityClassification><cbc:ItemClassificationCode listID="CPV">72212000</cbc:ItemClassificationCode></cac:MainCommodityClassification><cac:RealizedLocation><cbc:ID schemeID="NUTS">PT11A</cbc:ID></cac:RealizedLocation></cac:ProcurementProject>
<cac:ProcurementProjectLot><cbc:ID>L-1</cbc:ID><cac:ProcurementProject><cbc:Name>All</cbc:Name></cac:ProcurementProject></cac:ProcurementProjectLot></CallForTenders>`
)

func TestDocumentsBeforeAwardAreJudged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ doc, old, new, fired string }{
		{aTender, "", "", ""},
		{aReceipt, "", "", ""},
		{aCall, "", "", ""},
		{aTender, "p003:1.1<", "p003:1.2<", "PEPPOL-T005-R003:fatal"},
		{aTender, ` schemeURI="urn:uuid"`, "", "PEPPOL-T005-R004:fatal PEPPOL-T005-R005:fatal"},
		{aTender, "5d2c1b0a-9f8e", "5d2c1b0a9f8e", "PEPPOL-T005-R006:fatal"},
		{aTender, "09:30:00Z", "09:30", "PEPPOL-T005-R007:fatal"},
		{aTender, ">1<", ">0f1e2d3c-4b5a-4968-8776-655443322110<", "PEPPOL-T005-R013:fatal"},
		{aTender, ">PT<", ">XX<", "PEPPOL-T005-R016:fatal"},
		{aTender, "eeff<", "eef<", "PEPPOL-T005-R017:fatal"},
		{aTender, ">310<", ">380<", "CL-T90-R003:fatal"},
		{aTender, `"9946"`, `"XX:VAT"`, "PEPPOL-T005-R011:fatal"},
		{aTender, `<cbc:ID schemeID="0088">`, `<cbc:ID schemeID="9946" x="">`, "PEPPOL-T005-R009:fatal PEPPOL-T005-S331:warning"},
		{aTender, "<cbc:MimeCode>application/pdf<", "<cbc:MimeCode> <", "PEPPOL-T005-S002:fatal"},
		{aTender, "<cbc:FileName>offer.pdf</cbc:FileName>", "<cbc:URI>cid:a</cbc:URI>", "PEPPOL-T005-S323:warning"},
		{aTender, "<cac:PartyName><cbc:Name>Rannavärav Tarkvara</cbc:Name></cac:PartyName>", "<cac:PostalAddress><cac:Country><cbc:IdentificationCode>EX</cbc:IdentificationCode></cac:Country></cac:PostalAddress>", "CL-T90-R001:fatal PEPPOL-T005-S332:warning"},
		{aReceipt, "10:00:00Z", "10:00", "PEPPOL-T006-R012:fatal"},
		{aReceipt, ">310<", ">311<", "PEPPOL-T006-R014:fatal"},
		{aReceipt, ">310<", ">3103<", "CL-T45-R001:fatal"},
		{aReceipt, `<cac:SenderParty><cbc:EndpointID schemeID="9946">502011378</cbc:EndpointID>`, "<cac:SenderParty>", "PEPPOL-T006-R017:fatal"},
		{aReceipt, "</TenderReceipt>", "<cbc:Note> </cbc:Note></TenderReceipt>", "PEPPOL-T006-S312:warning PEPPOL-T45-S002:fatal"},
		{aQualification, "", "", ""},
		{aQualification, "<cbc:VersionID>1</cbc:VersionID>", "", "PEPPOL-T018-R098:fatal"},
		{aQualification, `<cbc:EndpointID schemeID="0191">10137025</cbc:EndpointID>`, "", "PEPPOL-T019-R020:fatal"},
		{aResponse, "", "", ""},
		{aResponse, "2026-11-28", "2026-11-28Z", "PEPPOL-T018-R003:fatal"},
		{aResponse, "p010:1.1", "p010:1.0", "PEPPOL-T018-R012:fatal"},
		{aResponse, ">AP<", ">XX<", "PEPPOL-T018-R027:fatal"},
		{aResponse, ">BV<", ">BVX<", "PEPPOL-T018-R052:fatal"},
		{aResponse, "<cbc:UUID>2</cbc:UUID>", "<cbc:IssueDate>2026-11-28</cbc:IssueDate>", "PEPPOL-T018-R034:fatal PEPPOL-T018-R041:fatal"},
		{aResponse, "</ApplicationResponse>", `<x:y xmlns:x="urn:x">1</x:y></ApplicationResponse>`, "PEPPOL-T018-R056:fatal"},
		{strings.NewReplacer("t018", "t016", "p010", "p008").Replace(aResponse), ">CN<", ">XX<", "PEPPOL-T016-R039:fatal"},
		{aCall, "09:30:00+00:00", "09:30:00", "PEPPOL-T004-R008:fatal"},
		{aCall, ">L-1</cbc:DocumentDescription>", ">L-2</cbc:DocumentDescription>", "PEPPOL-T004-R030:fatal"},
		{aCall, "<cbc:MaximumVariantQuantity>2</cbc:MaximumVariantQuantity>", "", "PEPPOL-T004-R032:fatal"},
		{aCall, ">true<", ">false<", "PEPPOL-T004-S351:warning"},
		{aCall, ">WOS<", ">W<", "PEPPOL-T004-R033:fatal"},
		{aCall, ">open<", ">1<", "CL-T83-R001:fatal"},
		{aCall, "<cbc:AdditionalConditions>WOS</cbc:AdditionalConditions>", "<cbc:Note>3</cbc:Note>", "PEPPOL-T004-R031:fatal"},
		{aCall, "12:00:00Z", "12:00:00", "PEPPOL-T004-R028:fatal"},
		{aCall, ">PRO<", ">REQ<", "PEPPOL-T004-R023:fatal PEPPOL-T004-S317:warning"},
		{aCall, ` schemeURI="urn:uuid"`, "", "PEPPOL-T004-R004:warning PEPPOL-T004-R005:warning"},
		{aCall, ">open</cbc:ProcedureCode>", ">1</cbc:ProcedureCode><cac:ParticipationRequestReceptionPeriod/>", "CL-T83-R001:fatal PEPPOL-T004-R037:fatal PEPPOL-T004-S002:fatal"},
	} {
		doc, err := dom.Parse([]byte(strings.Replace(c.doc, c.old, c.new, 1)), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := Validate(doc, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.Fired(), " "); got != c.fired || r.Valid == strings.Contains(c.fired, "fatal") {
			t.Errorf("%s for %s: %s, want %s", c.new, c.old, got, c.fired)
		}
		for _, f := range r.Findings {
			if f.Text == "" || f.Remedy == "" || f.Line == 0 {
				t.Errorf("%+v", f)
			}
		}
	}
}

func TestOtherEditionsBeforeAwardAreNotJudged(t *testing.T) {
	t.Parallel()
	for edition, judged := range map[string]bool{"1.1": true, "1.1#urn:example:more": true, "1.0": false, "1.2": false, "1.11": false} {
		doc, err := dom.Parse([]byte(strings.Replace(aTender, "t005:1.1<", "t005:"+edition+"<", 1)), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Validate(doc, Options{}); judged != (err == nil) || !judged && !errors.Is(err, edocument.ErrUnknownType) {
			t.Errorf("%s: %v", edition, err)
		}
	}
}

func TestTheTableOfRulesBeforeAwardIsWhole(t *testing.T) {
	t.Parallel()
	for i, n := range []int{138, 83, 48, 56, 56, 67} {
		if got := len(preAward[i].set().Rules()); got != n {
			t.Errorf("%s: %d rules, want %d", preAward[i].id, got, n)
		}
	}
}
