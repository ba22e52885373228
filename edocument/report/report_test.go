package report_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/report"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

var started = time.Date(2026, 11, 28, 9, 30, 0, 0, time.UTC)

const (
	ticketRules = `<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2" schemaVersion="1.5"><title>Tickets &gt; all</title><ns prefix="t" uri="urn:example:ticket"/>
<pattern id="p"><rule context="t:Ticket"><assert id="T-1" flag="fatal" test="t:Number &gt; 0">A ticket has a number &lt;above&gt; 0.</assert><assert id="T-2" flag="warning" test="false()">Look twice.</assert></rule></pattern></schema>`
	ticketSchema = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:example:ticket" elementFormDefault="qualified">
<xs:element name="Ticket"><xs:complexType><xs:sequence><xs:element name="Number" type="xs:integer" minOccurs="0"/></xs:sequence></xs:complexType></xs:element></xs:schema>`
	set = `<ves><id><groupId>org.example</groupId><artifactId>ticket</artifactId><version>2.0</version></id><xsd><resource><path>t.xsd</path></resource></xsd><schematron><resource><path>t.sch</path></resource></schematron></ves>`
)

// judged is the verdict of a small pack on a ticket.
func judged(tb testing.TB, name, inner string) *report.Document {
	tb.Helper()
	packs, err := rulepack.Import(fstest.MapFS{"t.ves": {Data: []byte(set)}, "t.xsd": {Data: []byte(ticketSchema)}, "t.sch": {Data: []byte(ticketRules)}}, rulepack.ImportOptions{Now: started})
	if err != nil {
		tb.Fatal(err)
	}
	j, err := rulepack.Compile(packs...)
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := dom.Parse([]byte(`<Ticket xmlns="urn:example:ticket">`+inner+`</Ticket>`), dom.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	d := &report.Document{Name: name, Started: started, Took: 1500 * time.Microsecond, Engine: "1.0"}
	if d.Report, err = j.Validate(doc); err != nil {
		tb.Fatal(err)
	}
	return d
}

func documents(tb testing.TB) []*report.Document {
	return []*report.Document{
		judged(tb, "good.xml", "<Number>7</Number>"),
		judged(tb, "bad <b>.xml", "<Number>0</Number>"),
		judged(tb, "broken.xml", "<Nmber>7</Nmber>"),
		{Name: "no.xml", Started: started, Err: errors.New("line 1: <p> does not end"), NotXML: true},
		{Name: "order.xml", Started: started, Err: edocument.ErrUnknownType},
		{Name: "builtin.xml", Started: started, Report: &edocument.Report{Type: "invoice", Pack: []string{"a@1", "b@2"}, Findings: []edocument.Finding{{ID: "BR-01", Severity: edocument.Fatal, Location: "/Invoice", Line: 1, Column: 1, Text: "x", Remedy: "y"}}}},
	}
}

func TestReportsObeyTheSchemasOfTheirOwners(t *testing.T) {
	t.Parallel()
	compile := func(dir string, entries ...string) *xsd.Schema {
		s, err := xsd.Compile(os.DirFS(dir), xsd.Options{Lenient: true}, entries...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	kosit := compile(filepath.Join(corpus.Dir(t, "edocuments"), "kosit"), "scenarios.xsd", "report-varl-1.xsd")
	gitb := compile(filepath.Join(corpus.Dir(t, "architecture-esens"), "gitb-schemas"), "gitb_tr.xsd")
	n := 0
	for _, d := range documents(t) {
		for form, c := range map[string]struct {
			schema *xsd.Schema
			octets []byte
		}{"KoSIT": {kosit, report.KoSIT(d)}, "GITB": {gitb, report.GITB(d)}} {
			doc, err := dom.Parse(c.octets, dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := c.schema.Validate(doc, xsd.ValidateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range r.Findings {
				t.Errorf("%s of %s: %s", form, d.Name, f)
			}
			n++
		}
	}
	t.Logf("%d reports obey the schemas of their owners", n)
}

func TestEachFormTellsTheVerdict(t *testing.T) {
	t.Parallel()
	for i, want := range []struct{ kosit, gitb, phive, layers string }{
		{"accept", "WARNING", "WARN", "TRUE TRUE TRUE"},
		{"reject", "FAILURE", "ERROR", "TRUE TRUE FALSE"},
		{"reject", "FAILURE", "ERROR", "TRUE FALSE UNDEFINED"},
		{"reject", "FAILURE", "ERROR", "FALSE"},
		{"reject", "UNDEFINED", "ERROR", "FALSE"},
		{"reject", "FAILURE", "ERROR", "TRUE FALSE TRUE"},
	} {
		d := documents(t)[i]
		if s := string(report.KoSIT(d)); !strings.Contains(s, "<rep:"+want.kosit+">") {
			t.Errorf("%s: %s", d.Name, s)
		}
		if s := string(report.GITB(d)); !strings.Contains(s, "<tr:result>"+want.gitb+"<") {
			t.Errorf("%s: %s", d.Name, s)
		}
		var p struct {
			Success bool
			Worst   string `json:"mostSevereErrorLevel"`
			Results []struct{ Success string }
		}
		if err := json.Unmarshal(report.Phive(d), &p); err != nil {
			t.Fatal(err)
		}
		var layers []string
		for _, r := range p.Results {
			layers = append(layers, r.Success)
		}
		if p.Success != d.Valid() || p.Worst != want.phive || strings.Join(layers, " ") != want.layers {
			t.Errorf("%s: %+v", d.Name, p)
		}
	}
}

func TestSVRLHoldsAllLayers(t *testing.T) {
	t.Parallel()
	for i, want := range [][]string{{`id="T-2"`, `flag="warning"`}, {`id="T-1"`, "/Q{urn:example:ticket}Ticket[1]", `test="t:Number > 0"`}, {`id="cvc-complex-type.2.4.a"`}, {"does not end"}, {"no rules"}, {`id="BR-01"`, "<svrl:text>x<"}} {
		d := documents(t)[i]
		s := string(report.SVRL(d))
		wellFormed(t, s)
		for _, w := range want {
			if !strings.Contains(s, w) {
				t.Errorf("%s lacks %s: %s", d.Name, w, s)
			}
		}
	}
}

func wellFormed(t *testing.T, s string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(s)); ; {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%v in %s", err, s)
		}
	}
}

func TestJUnitCountsArtefacts(t *testing.T) {
	t.Parallel()
	s := report.JUnit(documents(t))
	var x struct {
		Suites []struct {
			Name                             string `xml:"name,attr"`
			Tests, Failures, Errors, Skipped int    `xml:",attr"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(strings.NewReplacer(" tests=", " Tests=", " failures=", " Failures=", " errors=", " Errors=", " skipped=", " Skipped=").Replace(string(s))), &x); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(s), `classname="builtin.xml" name="b@2"`) {
		t.Errorf("a set without files is not named once: %s", s)
	}
	for i, want := range [][4]int{{2, 0, 0, 0}, {2, 1, 0, 0}, {2, 1, 0, 1}, {1, 0, 1, 0}, {1, 0, 1, 0}, {2, 1, 0, 0}} {
		if u := x.Suites[i]; [4]int{u.Tests, u.Failures, u.Errors, u.Skipped} != want {
			t.Errorf("%+v, want %v", u, want)
		}
	}
}

func TestThePageRunsNothing(t *testing.T) {
	t.Parallel()
	docs := documents(t)
	docs[0].Report.Findings[0].Text = `<script>alert(1)</script>`
	b, err := report.HTML(docs)
	if err != nil {
		t.Fatal(err)
	}
	s := string(b)
	for _, w := range []string{"1 of 6 documents valid", "bad &lt;b&gt;.xml", "&lt;script&gt;", "T-1", "does not end", `href="#d3"`, `id="d3"`} {
		if !strings.Contains(s, w) {
			t.Errorf("the page lacks %q", w)
		}
	}
	if strings.Contains(s, "<script") || strings.Contains(s, "src=") {
		t.Error("the page loads or runs something")
	}
}
