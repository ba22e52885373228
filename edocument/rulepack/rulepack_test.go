package rulepack_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
)

var today = time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)

const ticketRules = `<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2">
  <title>Tickets</title>
  <ns prefix="t" uri="urn:example:ticket"/>
  <pattern>
    <rule context="t:Ticket">
      <assert id="T-1" flag="fatal" test="t:Number">[T-1] A ticket has a number.</assert>
      <assert id="T-2" flag="warning" test="t:Number &gt; 0" diagnostics="d">[T-2] <name/> has the number <value-of select="t:Number"/>.</assert>
    </rule>
  </pattern>
  <diagnostics><diagnostic id="d">Give it a number above 0.</diagnostic></diagnostics>
</schema>`

const ticketSchema = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:example:ticket" elementFormDefault="qualified">
  <xs:element name="Ticket"><xs:complexType><xs:sequence><xs:element name="Number" type="xs:integer" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>
</xs:schema>`

func ticket(inner string) string { return `<Ticket xmlns="urn:example:ticket">` + inner + `</Ticket>` }

func files(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

func parse(tb testing.TB, s string) *dom.Document {
	tb.Helper()
	d, err := dom.Parse([]byte(s), dom.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func imported(tb testing.TB, fsys fstest.MapFS, opt rulepack.ImportOptions) []*rulepack.Pack {
	tb.Helper()
	opt.Now = today
	packs, err := rulepack.Import(fsys, opt)
	if err != nil {
		tb.Fatal(err)
	}
	return packs
}

// word writes a report as ids with severity.
func word(r *edocument.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		b.WriteString(f.ID + ":" + string(f.Severity) + " ")
	}
	if r.Valid {
		b.WriteString("valid")
	} else {
		b.WriteString("invalid")
	}
	return b.String()
}

func TestAReleaseBecomesPacks(t *testing.T) {
	t.Parallel()
	const scenarios = `<scenarios xmlns="http://www.xoev.de/de/validator/framework/1/scenarios" frameworkVersion="1.0.0">
  <name>Validator Configuration Tickets 1.2.0</name><date>2026-01-01</date><description><p>x</p></description>
  <scenario><name>one</name><namespace prefix="t">urn:example:ticket</namespace><match>exists(/t:Ticket[t:Number])</match>
    <validateWithXmlSchema><resource><name>s</name><location>res/t.xsd</location></resource></validateWithXmlSchema>
    <validateWithSchematron><resource><name>r</name><location>res/t.sch</location></resource></validateWithSchematron>
    <createReport><resource><name>x</name><location>res/x.xsl</location></resource><customLevel level="error">T-2</customLevel></createReport>
  </scenario></scenarios>`
	const ves = `<ves xmlns="urn:example:ves"><id><groupId>org.example</groupId><artifactId>ticket</artifactId><version>2.0</version></id><name>Tickets</name>
  <xsd><resource><path>res/t.xsd</path></resource></xsd><schematron><resource><path>res/t.sch</path></resource></schematron></ves>`
	for _, c := range []struct {
		name   string
		files  fstest.MapFS
		opt    rulepack.ImportOptions
		ids    string
		doc    string
		expect string
	}{
		{"a folder with Schematron, its version in the name of the folder", files("tickets-1.5/tickets.sch", ticketRules), rulepack.ImportOptions{}, "local:tickets:1.5", ticket("<Number>0</Number>"), "T-2:warning valid"},
		{"what others include is no pack of its own", files("a-1.0.sch", strings.Replace(ticketRules, "<pattern>", `<include href="part.sch"/><pattern>`, 1), "part.sch", `<pattern xmlns="http://purl.oclc.org/dsdl/schematron"/>`), rulepack.ImportOptions{}, "local:a:1.0", ticket(""), "T-1:fatal T-2:warning invalid"},
		{"known publishers have names", files("rules-9.9/EN16931-UBL-validation.sch", ticketRules, "rules-9.9/preprocessed/EN16931-UBL-validation-preprocessed.sch", ticketRules), rulepack.ImportOptions{}, "eu.cen.en16931:ubl:9.9", ticket(""), "T-1:fatal T-2:warning invalid"},
		{"a name that the caller gives", files("tickets.sch", ticketRules), rulepack.ImportOptions{ID: "org.example:t:7"}, "org.example:t:7", ticket(""), "T-1:fatal T-2:warning invalid"},
		{"XML Schemas only", files("t.xsd", ticketSchema), rulepack.ImportOptions{Name: "tickets-3.1"}, "local:tickets:3.1", ticket("<Number>x</Number>"), "cvc-datatype-valid.1.2.1:error invalid"},
		{"a configuration of KoSIT, which makes an error of a warning", files("scenarios.xml", scenarios, "res/t.xsd", ticketSchema, "res/t.sch", ticketRules), rulepack.ImportOptions{}, "de.kosit:tickets:1.2.0", ticket("<Number>0</Number>"), "T-2:error invalid"},
		{"an executor set of phive", files("ticket.ves", ves, "res/t.xsd", ticketSchema, "res/t.sch", ticketRules), rulepack.ImportOptions{}, "org.example:ticket:2.0", ticket("<Number>0</Number>"), "T-2:warning valid"},
		{"a document that breaks its schema is not asked about rules", files("ticket.ves", ves, "res/t.xsd", ticketSchema, "res/t.sch", ticketRules), rulepack.ImportOptions{}, "org.example:ticket:2.0", ticket("<Name/>"), "cvc-complex-type.2.4.a:error invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			packs := imported(t, c.files, c.opt)
			var ids []string
			for _, p := range packs {
				ids = append(ids, p.ID.String())
			}
			if got := strings.Join(ids, " "); got != c.ids {
				t.Errorf("packs %s, want %s", got, c.ids)
			}
			j, err := rulepack.Compile(packs...)
			if err != nil {
				t.Fatal(err)
			}
			r, err := j.Validate(parse(t, c.doc))
			if err != nil {
				t.Fatal(err)
			}
			got := word(r)
			if got != c.expect {
				t.Errorf("%s, want %s", got, c.expect)
			}
		})
	}
}

func TestAReportSaysWhereAndWhat(t *testing.T) {
	t.Parallel()
	j, err := rulepack.Compile(imported(t, files("tickets-1.5.sch", ticketRules), rulepack.ImportOptions{})...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := j.Validate(parse(t, "<!-- x -->\n"+ticket("<Number>-4</Number>")))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 1 || r.Pack[0] != "local:tickets@1.5" || r.Type != "ticket" {
		t.Fatalf("%+v", r)
	}
	want := edocument.Finding{ID: "T-2", Severity: edocument.Warning, Location: "/Ticket", Line: 2, Column: 1, Text: "[T-2] Ticket has the number -4.", Remedy: "Give it a number above 0."}
	if r.Findings[0] != want {
		t.Errorf("%+v", r.Findings[0])
	}
}

func TestADocumentThatRulesDoNotKnowIsNotValid(t *testing.T) {
	t.Parallel()
	j, err := rulepack.Compile(imported(t, files("tickets-1.5.sch", ticketRules), rulepack.ImportOptions{})...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Validate(parse(t, `<Order xmlns="urn:example:order"/>`)); !errors.Is(err, edocument.ErrUnknownType) {
		t.Errorf("%v", err)
	}
}

func TestAnAssertionThatCannotBeEvaluatedLeavesNothingValid(t *testing.T) {
	t.Parallel()
	rules := strings.Replace(ticketRules, "t:Number &gt; 0", "xs:date(t:Number) &gt; current-date()", 1)
	j, err := rulepack.Compile(imported(t, files("tickets-1.5.sch", rules), rulepack.ImportOptions{})...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := j.Validate(parse(t, ticket("<Number>5</Number>")))
	if err != nil {
		t.Fatal(err)
	}
	if word(r) != "T-2:error invalid" || !strings.Contains(r.Findings[0].Text, "FORG0001") {
		t.Errorf("%+v", r)
	}
}

func TestReleasesThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		files fstest.MapFS
		opt   rulepack.ImportOptions
		is    error
		says  string
	}{
		{"nothing that is rules", files("a.xml", "<a/>"), rulepack.ImportOptions{Name: "x"}, rulepack.ErrRelease, ""},
		{"rules without version", files("a.sch", ticketRules), rulepack.ImportOptions{}, nil, "does not tell its version"},
		{"an expression that is wrong", files("a-1.0.sch", strings.Replace(ticketRules, "t:Number\"", "t:Number[\"", 1)), rulepack.ImportOptions{}, schematron.ErrSchema, ""},
		{"an include that leads out of the release", files("a-1.0.sch", strings.Replace(ticketRules, "<pattern>", `<include href="../../etc/passwd"/><pattern>`, 1)), rulepack.ImportOptions{}, schematron.ErrSchema, ""},
		{"a name that would leave the folder", files("a-1.0.sch", ticketRules), rulepack.ImportOptions{ID: "../x:y:1"}, nil, "no part of the name"},
		{"a scenario whose file is missing", files("scenarios.xml", `<scenarios xmlns="http://www.xoev.de/de/validator/framework/1/scenarios"><name>x 1.0</name><scenario><name>n</name><match>true()</match><validateWithXmlSchema><resource><name>s</name><location>no.xsd</location></resource></validateWithXmlSchema></scenario></scenarios>`), rulepack.ImportOptions{}, nil, "not in the release"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := rulepack.Import(c.files, c.opt)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAFolderKeepsPacks(t *testing.T) {
	t.Parallel()
	dir := rulepack.Folder(t.TempDir())
	since := today.AddDate(0, 1, 0)
	for _, p := range []*rulepack.Pack{
		imported(t, files("tickets-1.9.sch", ticketRules), rulepack.ImportOptions{})[0],
		imported(t, files("tickets-1.10.sch", ticketRules), rulepack.ImportOptions{})[0],
		imported(t, files("tickets-2.0.sch", ticketRules), rulepack.ImportOptions{ValidFrom: since})[0],
	} {
		if err := dir.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	all, err := dir.List()
	if err != nil || len(all) != 3 || all[0].ID.Version != "2.0" || all[1].ID.Version != "1.10" {
		t.Fatalf("%v %v", all, err)
	}
	newest := rulepack.ID{Group: "local", Artifact: "tickets"}
	for at, want := range map[time.Time]string{today: "1.10", since: "2.0"} {
		if p, err := dir.Get(newest, at); err != nil || p.ID.Version != want {
			t.Errorf("at %s: %v %v", at, p, err)
		}
	}
	if p, err := dir.Get(rulepack.ID{Group: "local", Artifact: "tickets", Version: "1.9"}, today); err != nil || len(p.SHA256()) != 64 {
		t.Error("an old version is gone:", err)
	}
	if err := dir.Add(imported(t, files("tickets-1.9.sch", ticketRules), rulepack.ImportOptions{Name: "again"})[0]); err != nil {
		t.Error("the same rules again:", err)
	}
	other := strings.Replace(ticketRules, "T-1", "T-9", 2)
	if err := dir.Add(imported(t, files("tickets-1.9.sch", other), rulepack.ImportOptions{})[0]); !errors.Is(err, rulepack.ErrExists) {
		t.Error("other rules under the same name:", err)
	}
	if err := dir.Remove(all[0].ID); err != nil {
		t.Error(err)
	}
	if err := dir.Remove(all[0].ID); !errors.Is(err, rulepack.ErrNotFound) {
		t.Error(err)
	}
	if _, err := dir.Open(today, "local:tickets:1.9", "local:tickets"); err != nil {
		t.Error(err)
	}
	if _, err := dir.Open(today, "local:other"); !errors.Is(err, rulepack.ErrNotFound) {
		t.Error(err)
	}
}

func TestAnArchiveIsAReleaseOrAPack(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, _ := z.Create("tickets-1.5/tickets.sch")
	w.Write([]byte(ticketRules))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	packs, err := rulepack.ImportArchive(b.Bytes(), rulepack.ImportOptions{Name: "r.zip", Now: today})
	if err != nil {
		t.Fatal(err)
	}
	if s := packs[0].Source; s.Name != "r.zip" || len(s.SHA256) != 64 || !s.Added.Equal(today) {
		t.Errorf("%+v", s)
	}
	again, err := rulepack.ImportArchive(packs[0].Octets(), rulepack.ImportOptions{Name: "copy", Now: today.AddDate(1, 0, 0)})
	if err != nil || again[0].SHA256() != packs[0].SHA256() {
		t.Errorf("a pack file is not taken as it is: %v", err)
	}
	if _, err := rulepack.ImportArchive([]byte("PK"), rulepack.ImportOptions{}); !errors.Is(err, rulepack.ErrRelease) {
		t.Error(err)
	}
}

func TestTwoScenariosThatFitLeaveNoVerdict(t *testing.T) {
	t.Parallel()
	one := `<scenario><name>n</name><match>true()</match><validateWithXmlSchema><resource><name>s</name><location>t.xsd</location></resource></validateWithXmlSchema></scenario>`
	j, err := rulepack.Compile(imported(t, files("t.xsd", ticketSchema, "scenarios.xml", `<scenarios xmlns="http://www.xoev.de/de/validator/framework/1/scenarios"><name>x 1.0</name>`+one+one+`</scenarios>`), rulepack.ImportOptions{})...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Validate(parse(t, ticket(""))); !errors.Is(err, rulepack.ErrScenario) {
		t.Error(err)
	}
}
