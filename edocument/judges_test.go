package edocument_test

import (
	"errors"
	"testing"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// about judges documents whose element has a name.
type about string

var errBroken = errors.New("broken")

func (a about) Validate(doc *dom.Document) (*edocument.Report, error) {
	switch {
	case doc.Root().Local() != string(a):
		return nil, edocument.ErrUnknownType
	case a == "broken":
		return nil, errBroken
	}
	return &edocument.Report{Type: string(a)}, nil
}

func TestTheFirstWhoKnowsADocumentJudgesIt(t *testing.T) {
	t.Parallel()
	judges := edocument.Judges{about("a"), about("broken"), about("b")}
	for name, want := range map[string]error{"a": nil, "b": nil, "broken": errBroken, "c": edocument.ErrUnknownType} {
		doc, err := dom.Parse([]byte("<"+name+"/>"), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := judges.Validate(doc); !errors.Is(err, want) || err == nil && r.Type != name {
			t.Errorf("%s: %v %v", name, r, err)
		}
	}
}

func TestAReportBorrowsWhatItDoesNotSay(t *testing.T) {
	t.Parallel()
	r := edocument.Report{Findings: []edocument.Finding{{ID: "A", Line: 2, Column: 1, Text: "own"}, {ID: "A", Line: 3, Column: 1}, {ID: "B", Line: 2, Column: 1, Value: "own", Remedy: "own"}}}
	r.Borrow(&edocument.Report{Findings: []edocument.Finding{{ID: "A", Line: 2, Column: 1, Text: "other", Value: "1 = 2", Remedy: "count"}, {ID: "B", Line: 2, Column: 1, Value: "other", Remedy: "other"}, {ID: "C", Line: 2, Column: 1}}})
	want := []edocument.Finding{{ID: "A", Line: 2, Column: 1, Text: "own", Value: "1 = 2", Remedy: "count"}, {ID: "A", Line: 3, Column: 1}, {ID: "B", Line: 2, Column: 1, Value: "own", Remedy: "own"}}
	if len(r.Findings) != len(want) {
		t.Fatalf("%d findings", len(r.Findings))
	}
	for i := range want {
		if r.Findings[i] != want[i] {
			t.Errorf("%+v, want %+v", r.Findings[i], want[i])
		}
	}
}
