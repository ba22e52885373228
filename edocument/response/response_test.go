package response

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/rules"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var moment = time.Date(2026, 4, 17, 9, 30, 0, 0, time.FixedZone("", 7200))

func judged(valid bool) *edocument.Report {
	r := &edocument.Report{Type: "invoice", Pack: []string{"en16931-ubl@1.3.16"}, Valid: valid, Findings: []edocument.Finding{
		{ID: "W-1", Severity: edocument.Warning, Location: "/Invoice", Line: 2, Text: "A note would be good."},
	}}
	if !valid {
		r.Findings = append(r.Findings, edocument.Finding{ID: "BR-CO-15", Severity: edocument.Fatal, Location: "/Invoice/cac:LegalMonetaryTotal", Line: 40, Value: "10 <> 11", Text: "The total is the sum."})
	}
	return r
}

func parse(t testing.TB, b []byte) *dom.Document {
	t.Helper()
	d, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return d
}

// Each kind of answer to each verdict obeys the rules for it, and is read as it was written.
func TestAnswersObeyTheirRules(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Invoice, Message, Status, Catalogue} {
		for name, r := range map[string]*Response{
			"sound":      Judged(kind, judged(true), nil, Reference{ID: "17", TypeCode: "380"}, moment),
			"broken":     Judged(kind, judged(false), nil, Reference{ID: "17", TypeCode: "380"}, moment),
			"unreadable": Judged(kind, nil, errors.New("line 3: no end tag"), Reference{ID: "17", TypeCode: "380"}, moment),
		} {
			want := Rejected
			if name == "sound" {
				want = Acknowledged
			}
			if r.Code != want {
				t.Errorf("%s %s: %s", kind, name, r.Code)
			}
			r.ID = "R-1"
			r.Sender, r.Receiver = Party{"0242", "000123", "Buyer"}, Party{"0242", "000456", "Seller"}
			d := parse(t, r.XML())
			report, err := rules.Validate(d, rules.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if report.Count(edocument.Fatal) != 0 {
				t.Errorf("%s %s: %+v\n%s", kind, name, report.Findings, d.Source())
			}
			again, err := Read(d)
			if err != nil {
				t.Fatal(err)
			}
			if again.Code != r.Code || again.Document.ID != "17" || again.Sender.ID != "000123" || !reflect.DeepEqual(parse(t, again.XML()).Source(), d.Source()) {
				t.Errorf("%s %s: read as %+v", kind, name, again)
			}
		}
	}
}

func TestAnAnswerNamesRuleAndPlace(t *testing.T) {
	t.Parallel()
	r := Judged(Message, judged(false), nil, Reference{ID: "17"}, moment)
	want := []Issue{{"/Invoice", RuleWarning, "W-1, line 2: A note would be good."}, {"/Invoice/cac:LegalMonetaryTotal", RuleViolation, "BR-CO-15, line 40: The total is the sum. (10 <> 11)"}}
	if !reflect.DeepEqual(r.Issues, want) {
		t.Errorf("%+v", r.Issues)
	}
	if s := r.Summary(); s != "rejected: BR-CO-15, line 40: The total is the sum. (10 <> 11)" {
		t.Error(s)
	}
	schema := judged(false)
	schema.Layers = []edocument.Layer{{Kind: edocument.LayerSchema, From: 1, To: 2}}
	if r := Judged(Status, schema, nil, Reference{ID: "17"}, moment); r.Issues[1].Reason != SyntaxViolation || r.IssueTime != "09:30:00+02:00" {
		t.Errorf("%+v", r)
	}
}

func TestManyFindingsAreBounded(t *testing.T) {
	t.Parallel()
	r := judged(false)
	for range 5000 {
		r.Findings = append([]edocument.Finding{{ID: "W", Severity: edocument.Warning, Text: "w"}}, r.Findings...)
	}
	if got := Judged(Status, r, nil, Reference{ID: "1"}, moment); len(got.Issues) != mostIssues+1 || !hasFailure(got.Issues) {
		t.Errorf("%d issues", len(got.Issues))
	}
}

func TestOtherDocumentsAreNoAnswers(t *testing.T) {
	t.Parallel()
	for _, s := range []string{`<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"/>`, `<ApplicationResponse xmlns="` + ns + `"/>`} {
		if _, err := Read(parse(t, []byte(s))); err != edocument.ErrUnknownType {
			t.Error(err)
		}
	}
}

// What the corpus has of answers is read and written again without loss of what counts.
func TestCorpus(t *testing.T) {
	t.Parallel()
	n := 0
	for _, area := range []string{"edocuments", "edelivery-discovery"} {
		for _, row := range corpus.Index(t, area) {
			file := row["file"]
			if area == "edelivery-discovery" {
				file = row["path"]
			}
			if !strings.HasSuffix(file, ".xml") || !strings.Contains(file, "nvoice_repon") && !strings.Contains(file, "MessageLevelResponse") && !strings.Contains(file, "mls/good") && !strings.Contains(file, "CatalogueResponse") {
				continue
			}
			n++
			r, err := Read(parse(t, corpus.Read(t, area, file)))
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if r.Code == "" || r.Document.ID == "" || r.ID == "" || r.Sender.ID == "" {
				t.Errorf("%s: %+v", file, r)
			}
			again, err := Read(parse(t, r.XML()))
			if err != nil || !reflect.DeepEqual(r, again) {
				t.Errorf("%s: %+v, written and read again %+v, %v", file, r, again, err)
			}
		}
	}
	if t.Logf("%d answers", n); n < 12 {
		t.Errorf("only %d answers", n)
	}
}

func FuzzRead(f *testing.F) {
	r := Judged(Status, judged(false), nil, Reference{ID: "17"}, moment)
	f.Add(r.XML())
	r = Judged(Invoice, judged(false), nil, Reference{ID: "17"}, moment)
	r.Reasons[0].Conditions = []Condition{{"BT-1", "18"}}
	f.Add(r.XML())
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := dom.Parse(b, dom.Limits{Bytes: 1 << 16})
		if err != nil {
			return
		}
		if r, err := Read(d); err == nil {
			again, err := Read(parse(t, r.XML()))
			if err != nil || again.Code != r.Code || len(again.Issues) != len(r.Issues) && r.Kind != Invoice && r.Kind != Catalogue {
				t.Fatalf("%+v, written and read again %+v, %v", r, again, err)
			}
		}
	})
}
