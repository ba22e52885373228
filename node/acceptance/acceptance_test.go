package acceptance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	edreport "github.com/viadukt-eu/viadukt/edocument/report"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/report"
)

// TestEveryTextIsThereInEveryLanguage: the same keys with the same arguments, each of them used.
func TestEveryTextIsThereInEveryLanguage(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("acceptance.go")
	if err != nil {
		t.Fatal(err)
	}
	placeholder := regexp.MustCompile(`\{\d\}`)
	arguments := func(s string) string {
		set := map[string]bool{}
		for _, p := range placeholder.FindAllString(s, -1) {
			set[p] = true
		}
		return fmt.Sprint(set)
	}
	en := words("en")
	for _, l := range Languages {
		m := words(l)
		if len(m) != len(en) {
			t.Errorf("%s has %d texts, en %d", l, len(m), len(en))
		}
		for key, text := range en {
			if m[key] == "" || arguments(m[key]) != arguments(text) {
				t.Errorf("%s: %s is %q", l, key, m[key])
			}
		}
	}
	for key := range en {
		if base := strings.TrimSuffix(key, ".ask"); !strings.HasPrefix(key, "kind.") && !strings.Contains(string(source), `"`+base+`"`) {
			t.Errorf("%s is not used", key)
		}
	}
	if got := words("xx")["format.empty"]; got != en["format.empty"] {
		t.Errorf("a language that is none: %q", got)
	}
}

// judges answer as they are told to.
type judges struct {
	document *edreport.Document
	rules    error
	sign     error
}

func (j judges) judge(t *testing.T, d *Document) (*Report, error) {
	t.Helper()
	all := Judges{MaxDocument: 100,
		Rules: func(context.Context, string, io.Reader, ...string) (*edreport.Document, error) {
			return j.document, j.rules
		},
		Signatures: func(_ context.Context, _ string, _ []byte, at time.Time) (*report.Verdict, error) {
			if !at.Equal(d.Arrived) {
				t.Errorf("judged as of %v, want %v", at, d.Arrived)
			}
			return nil, j.sign
		}}
	return all.Judge(t.Context(), d, "en")
}

func document(name, content string) *Document {
	return &Document{Name: name, Size: int64(len(content)), Arrived: time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC),
		Open: func() (io.ReadCloser, string, error) { return io.NopCloser(strings.NewReader(content)), "", nil }}
}

// TestWhatCannotBeJudgedIsNeverGood: each thing that stands in the way has its words, and none makes a document acceptable.
func TestWhatCannotBeJudgedIsNeverGood(t *testing.T) {
	t.Parallel()
	unsigned := judges{document: &edreport.Document{Err: fmt.Errorf("%w: {}a", edocument.ErrUnknownType)}, sign: gather.ErrNoSignature}
	gone := document("a.xml", "<a/>")
	gone.Gone = true
	lied := document("a.xml", strings.Repeat(" ", 200)) // longer than it said
	lied.Size = 4
	for _, c := range []struct {
		what string
		j    judges
		d    *Document
		want Outcome
		key  string
	}{
		{"deleted", unsigned, gone, Doubtful, "format.gone"},
		{"empty", unsigned, document("a.xml", ""), Bad, "format.empty"},
		{"too large", unsigned, document("a.xml", strings.Repeat("x", 101)), Doubtful, "format.large"},
		{"larger than said", unsigned, lied, Doubtful, "format.large"},
		{"no rules, no signature", unsigned, document("a.xml", "<a/>"), Doubtful, "signature.none"},
		{"too large for the rules", judges{rules: edocument.ErrSize, sign: gather.ErrNoSignature}, document("a.xml", "<a/>"), Doubtful, "rules.large"},
		{"rules that fail", judges{document: &edreport.Document{Err: errors.New("broken pack")}, sign: gather.ErrNoSignature}, document("a.xml", "<a/>"), Doubtful, "rules.failed"},
		{"no XML", judges{document: &edreport.Document{Err: errors.New("line 1"), NotXML: true}, sign: gather.ErrNoSignature}, document("a.xml", "<a"), Bad, "rules.unread"},
		{"an unreadable signature", judges{sign: errors.New("BER")}, document("a.p7m", "-----BEGIN"), Doubtful, "signature.unread"},
		{"a program by name", unsigned, document("a.exe", "text"), Bad, "format.program"},
		{"a type nobody knows", unsigned, document("a.zzz", "\x00\x01\x02"), Doubtful, "format.unknown"},
	} {
		r, err := c.j.judge(t, c.d)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		words, _, _ := strings.Cut(words("en")[c.key], "{")
		found := false
		for _, k := range r.Checks {
			found = found || strings.HasPrefix(k.Text, words) && k.Outcome == c.want && k.Ask != ""
		}
		if r.Outcome != c.want || !found || Worst([]*Report{{Outcome: Good}, r}) != c.want {
			t.Errorf("%s: %+v", c.what, r)
		}
	}
	r, err := judges{document: &edreport.Document{Report: &edocument.Report{Valid: true, Type: "order"}}, sign: gather.ErrNoSignature}.judge(t, document("a.xml", "<a/>"))
	if err != nil || r.Outcome != Good {
		t.Errorf("a business document that obeys its rules: %+v %v", r, err)
	}
}

func TestErrorsOfReadingAreErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk")
	d := document("a.xml", "")
	d.Open = func() (io.ReadCloser, string, error) { return nil, "", broken }
	if _, err := (judges{}).judge(t, d); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := (judges{rules: broken}).judge(t, document("a.xml", "<a/>")); !errors.Is(err, broken) {
		t.Error(err)
	}
}
