package rulepack_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
)

const preAwardNames = `<ns prefix="cbc" uri="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"/><ns prefix="ubl" uri="urn:oasis:names:specification:ubl:schema:xsd:Tender-2"/>`

// preAward is a schema of the transaction of tenders as its publisher lays it out: one rule says which edition it is about.
func preAward(edition, inner string) string {
	return `<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2"><title>Tender</title>` + preAwardNames + preAwardPattern(edition) + inner + `</schema>`
}

func preAwardPattern(edition string) string {
	return `<pattern xmlns="http://purl.oclc.org/dsdl/schematron"><rule context="ubl:Tender"><assert id="PEPPOL-T005-R001" flag="fatal" test="cbc:ID">A number.</assert></rule>
<rule context="ubl:Tender/cbc:CustomizationID"><assert id="PEPPOL-T005-R002" flag="fatal" test="normalize-space(.) = 'urn:fdc:peppol.eu:prac:trns:t005:` + edition + `'">The edition.</assert></rule></pattern>`
}

func tender(edition, inner string) string {
	return `<Tender xmlns="urn:oasis:names:specification:ubl:schema:xsd:Tender-2" xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"><cbc:CustomizationID>urn:fdc:peppol.eu:prac:trns:t005:` + edition + `</cbc:CustomizationID>` + inner + `</Tender>`
}

func TestRulesBeforeAwardBecomePacks(t *testing.T) {
	t.Parallel()
	part := `<pattern xmlns="http://purl.oclc.org/dsdl/schematron"><rule context="ubl:Tender"><assert id="x" test="true()">x</assert></rule></pattern>`
	for _, c := range []struct {
		name  string
		files fstest.MapFS
		ids   string // and from which file
	}{
		{"a folder for each profile, an earlier edition beside it", files(
			"rules/peppol-tender/PEPPOL-T005.sch", preAward("1.1", ""), "rules/peppol-tender-1.0/PEPPOL-T005.sch", preAward("1.0", ""),
			"rules/peppol-tender-1.0/CENBII/codes.sch", preAward("0.9", "")), "eu.peppol.prac:t005:1.0 rules/peppol-tender-1.0/PEPPOL-T005.sch eu.peppol.prac:t005:1.1 rules/peppol-tender/PEPPOL-T005.sch"},
		{"a repository with what was built of it", files(
			"rules/sch/PEPPOL-T005.sch", `<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2">`+preAwardNames+`<include href="parts/PEPPOL-M-T005.sch"/><include href="../../target/generated/T005-basic.sch"/></schema>`,
			"rules/sch/parts/PEPPOL-M-T005.sch", preAwardPattern("1.3"), "target/generated/T005-basic.sch", part, "target/schematron/PEPPOL-T005.sch", preAward("1.3", part)), "eu.peppol.prac:t005:1.3 target/schematron/PEPPOL-T005.sch"},
		{"the sources alone, the edition in a part of them", files(
			"rules/sch/PEPPOL-T005.sch", `<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2">`+preAwardNames+`<include href="parts/PEPPOL-M-T005.sch"/></schema>`,
			"rules/sch/parts/PEPPOL-M-T005.sch", preAwardPattern("1.2")), "eu.peppol.prac:t005:1.2 rules/sch/PEPPOL-T005.sch"},
		{"one file, which asks for no edition", files("pracc-1.4/PEPPOL-T006.sch", strings.ReplaceAll(preAward("1.4", ""), "t005", "t099")), "eu.peppol.prac:t006:1.4 pracc-1.4/PEPPOL-T006.sch"},
	} {
		var got []string
		for _, p := range imported(t, c.files, rulepack.ImportOptions{}) {
			got = append(got, p.ID.String(), p.Scenarios[0].Rules[0])
		}
		if s := strings.Join(got, " "); s != c.ids {
			t.Errorf("%s: %s, want %s", c.name, s, c.ids)
		}
	}
}

func TestEachEditionIsJudgedByItsRules(t *testing.T) {
	t.Parallel()
	dir := rulepack.Folder(t.TempDir())
	for _, edition := range []string{"1.0", "1.1", "1.2"} {
		add(t, dir, imported(t, files("PEPPOL-T005.sch", preAward(edition, "")), rulepack.ImportOptions{})...)
	}
	lib, err := rulepack.NewLibrary(dir, rulepack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for edition, want := range map[string]string{"1.0": "1.0", "1.1": "1.1", "1.2": "1.2", "1.2#urn:example:more": "1.2", "1.10": "", "1.3": ""} {
		doc := parse(t, tender(edition, ""))
		j, err := lib.For(t.Context(), doc, today)
		if want == "" {
			if !errors.Is(err, edocument.ErrUnknownType) {
				t.Errorf("%s: %v", edition, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		r, err := j.Validate(doc)
		if err != nil {
			t.Fatal(err)
		}
		expect := "PEPPOL-T005-R001:fatal invalid"
		if strings.Contains(edition, "#") { // the rules ask for the identifier as it is
			expect = "PEPPOL-T005-R001:fatal PEPPOL-T005-R002:fatal invalid"
		}
		if got := strings.Join(r.Pack, " "); got != "eu.peppol.prac:t005@"+want || word(r) != expect {
			t.Errorf("%s: %s by %s", edition, word(r), got)
		}
		if r, err = j.Validate(parse(t, tender(edition, "<cbc:ID>7</cbc:ID>"))); err != nil || r.Valid != (expect == "PEPPOL-T005-R001:fatal invalid") {
			t.Errorf("%s: %v %s", edition, err, word(r))
		}
	}
}
