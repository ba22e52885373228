package selftest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

// TestSeed runs everything: the node proves itself, driven by a test bed over the interface of the official one.
func TestSeed(t *testing.T) {
	t.Parallel()
	t.Run("ESENS-17", everythingPasses)
}

func everythingPasses(t *testing.T) {
	var log *slog.Logger
	if os.Getenv("SELFTEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	rep, err := Run(t.Context(), Options{Log: log, Patience: 2 * time.Minute}, func(r *Result) {
		t.Logf("%-14s %-9s %-14s %6d ms %s", r.ID, r.Level, r.Verdict, r.Took.Milliseconds(), r.Seen)
		if r.Verdict == Fail || r.Verdict == Broken {
			t.Errorf("%s: %s", r.ID, r.Seen)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Results) != len(Cases) || !rep.OK() || rep.Count(Pass) < 95 || len(rep.Certificates) < 3 {
		t.Errorf("%d of %d cases ran, %d passed, certificates %v", len(rep.Results), len(Cases), rep.Count(Pass), rep.Certificates)
	}
}

// TestTheOfficialListIsComplete counts by module and level as the list does.
func TestTheOfficialListIsComplete(t *testing.T) {
	t.Parallel()
	count, seen := map[string]int{}, map[string]bool{}
	official := 0
	for _, c := range Cases {
		if seen[c.ID] || c.Predicate == "" || c.run == nil && c.Why == "" {
			t.Errorf("%s: twice, or without predicate or reason", c.ID)
		}
		seen[c.ID] = true
		if strings.HasPrefix(c.ID, "AS4_") {
			official++
			count[c.ID[:strings.LastIndex(c.ID, "_")]]++
			count[string(c.Level)]++
		} else if !strings.HasPrefix(c.ID, "VK_") || c.Level != Own {
			t.Errorf("%s: neither official nor ours", c.ID)
		}
	}
	want := map[string]int{"AS4_CP": 46, "AS4_4CT": 3, "AS4_SBDH": 2, "AS4_DR": 4, "AS4_DS": 3, "AS4_ENTSOG": 12, "mandatory": 59, "preferred": 8, "permitted": 3}
	for k, n := range want {
		if count[k] != n {
			t.Errorf("%s: %d, the list has %d", k, count[k], n)
		}
	}
	if official != 70 {
		t.Errorf("%d official assertions", official)
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ids []string
		n   int
	}{
		{nil, len(Cases)}, {[]string{"AS4_CP_TA01"}, 1}, {[]string{"as4_cp_ta01", "AS4_CP_TA02"}, 2}, {[]string{"AS4_ENTSOG"}, 12}, {[]string{"AS4_"}, 70}, {[]string{"AS4_CP", "AS4_CP_TA01"}, 46},
		{[]string{"AS4_CP_TA0"}, 0}, {[]string{"AS4_CP_TA01", "nothing"}, 0},
	} {
		got, err := Select(c.ids)
		if len(got) != c.n || (c.n == 0) != errors.Is(err, ErrUnknown) {
			t.Errorf("%v: %d cases, %v, want %d", c.ids, len(got), err, c.n)
		}
	}
}

// sample is a report with every verdict.
func sample() *Report {
	c := func(id string, level Level, module string) *Case {
		return &Case{ID: id, Level: level, Module: module, Predicate: "what holds & <must>"}
	}
	return &Report{Program: "Viadukt 0", Profile: "a profile", Peer: "https://peer.example/as4?a=1&b=2", Start: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: 1500 * time.Millisecond, Certificates: []string{"CN=A 00", "CN=B 11"}, Results: []*Result{
		{Case: c("AS4_1", Mandatory, "one"), Verdict: Pass, Took: time.Millisecond},
		{Case: c("AS4_2", Mandatory, "one"), Verdict: Fail, Seen: "a \"quoted\"\nline: <x> & # more"},
		{Case: c("AS4_3", Preferred, "one"), Verdict: Fail, Seen: "other"},
		{Case: c("AS4_4", Permitted, "two"), Verdict: NotApplicable, Seen: "why"},
		{Case: c("AS4_5", Mandatory, "two"), Verdict: NotTestable, Seen: "why"},
		{Case: c("VK_6", Own, "three"), Verdict: Broken, Seen: "no network"},
	}}
}

func written(t *testing.T, format string, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	p, err := NewPrinter(&b, format, len(r.Results))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Results {
		p.Result(x)
	}
	if err := p.Done(r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestReports(t *testing.T) {
	t.Parallel()
	for format, want := range map[string][]string{
		"text": {"\nOne\n", "AS4_2           fail           mandatory ", "Two\n", "mandatory                  1               1               0               1               0\n", "own                        0               0               0               0               1\n", "certificate CN=B 11"},
		"tap":  {"TAP version 13\n1..6\n", "ok 1 - AS4_1 ", "not ok 2 - AS4_2 ", "seen: \"a \\\"quoted\\\"\\nline", "ok 4 - AS4_4 what holds & <must> # SKIP not applicable: why\n", "not ok 6"},
		"json": {`"id":"AS4_2","level":"mandatory"`, `"conformant":false`, `"counts":{"broken":1,"fail":2,"not applicable":1,"not testable":1,"pass":1}`},
	} {
		got := written(t, format, sample())
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s lacks %q:\n%s", format, w, got)
			}
		}
		if format == "json" {
			for line := range strings.Lines(got) {
				var v map[string]any
				if err := json.Unmarshal([]byte(line), &v); err != nil {
					t.Errorf("%q: %v", line, err)
				}
			}
		}
	}
	if _, err := NewPrinter(nil, "html", 0); err == nil {
		t.Error("a form that there is not was taken")
	}
}

func TestJUnit(t *testing.T) {
	t.Parallel()
	var v struct {
		Tests, Failures, Errors, Skipped int `xml:",attr"`
		Suites                           []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Name    string  `xml:"name,attr"`
				Failure *string `xml:"failure"`
				Error   *string `xml:"error"`
				Skipped *struct {
					Message string `xml:"message,attr"`
				} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	text := written(t, "junit", sample())
	lower := strings.NewReplacer("tests=", "Tests=", "failures=", "Failures=", "errors=", "Errors=", "skipped=", "Skipped=").Replace(text)
	if err := xml.Unmarshal([]byte(lower), &v); err != nil {
		t.Fatal(err)
	}
	if v.Tests != 6 || v.Failures != 2 || v.Errors != 1 || v.Skipped != 2 || len(v.Suites) != 3 {
		t.Errorf("%+v", v)
	}
	if c := v.Suites[0].Cases; c[0].Failure != nil || c[1].Failure == nil || *c[1].Failure != sample().Results[1].Seen || v.Suites[1].Cases[0].Skipped == nil || v.Suites[2].Cases[0].Error == nil {
		t.Errorf("%+v", v.Suites)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	c := func(v Verdict, l Level) *Result { return &Result{Case: &Case{Level: l}, Verdict: v} }
	for _, k := range []struct {
		results []*Result
		word    string
		ok      bool
	}{
		{[]*Result{c(Pass, Mandatory)}, "SUCCESS", true},
		{[]*Result{c(Pass, Mandatory), c(Fail, Preferred)}, "WARNING", true},
		{[]*Result{c(Pass, Mandatory), c(Fail, Mandatory)}, "FAILURE", false},
		{[]*Result{c(Pass, Mandatory), c(Fail, Own)}, "FAILURE", false},
		{[]*Result{c(Broken, Permitted)}, "FAILURE", false},
		{[]*Result{c(NotApplicable, Mandatory)}, "UNDEFINED", true},
	} {
		r := &Report{Results: k.results}
		if r.word() != k.word || r.OK() != k.ok {
			t.Errorf("%v: %s, %v", k.results, r.word(), r.OK())
		}
	}
}

// TestTheTestBedReadsOurReports validates against the schemas of the Interoperability Test Bed.
func TestTheTestBedReadsOurReports(t *testing.T) {
	t.Parallel()
	s, err := xsd.Compile(os.DirFS(corpus.Dir(t, "architecture-esens")+"/gitb-schemas"), xsd.Options{}, "gitb_tr.xsd")
	if err != nil {
		t.Fatal(err)
	}
	check := func(text string) []xsd.Finding {
		doc, err := dom.Parse([]byte(text), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Validate(doc, xsd.ValidateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return r.Findings
	}
	text := written(t, "gitb", sample())
	if f := check(text); len(f) > 0 {
		t.Errorf("%v\n%s", f, text)
	}
	if f := check(strings.Replace(text, "SUCCESS", "MAYBE", 1)); len(f) == 0 && strings.Contains(text, "SUCCESS") {
		t.Error("the schema takes everything")
	}
	if f := check(strings.Replace(text, "<tr:result>FAILURE", "<tr:result>MAYBE", 1)); len(f) == 0 {
		t.Error("the schema takes everything")
	}
}

// TestAReceiptThatTheBedSignsCanBeGood is what the cases with forged receipts stand on: signed anew with the right key and
// the right digests, the sender takes it.
func TestAReceiptThatTheBedSignsCanBeGood(t *testing.T) {
	t.Parallel()
	b, err := openBed(t.Context(), Options{Patience: 2 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	r := b.judge(t.Context(), &Case{ID: "control", run: func(r *run) error {
		return r.unproven(func(x *Exchange) error {
			return r.signedAnew(x, r.node(1).Identity(), func(s string) string { return s })
		})
	}})
	if r.Verdict != Fail || !strings.Contains(r.Seen, "told of Receipt") {
		t.Errorf("%s: %s", r.Verdict, r.Seen)
	}
}

// TestAPeerIsJudgedByItsAddress takes one of our own nodes for a peer, as somebody else's node sees it.
func TestAPeerIsJudgedByItsAddress(t *testing.T) {
	t.Parallel()
	d, err := OpenDriver("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	p, err := openPair(t.Context(), t.TempDir(), "eu-edelivery", d, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	})
	c, err := config.Load(p.made[0].ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	rep, err := Run(t.Context(), Options{Peer: "http://" + p.nodes[1].Addr("as4") + "/as4", Config: c, PMode: oneWay, Dir: dir, Patience: 2 * time.Minute}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rep.Results {
		if r.Verdict == Fail || r.Verdict == Broken || r.Peer && r.Verdict == NotApplicable && !strings.Contains(r.Seen, "TLS") && !strings.Contains(r.Seen, "agreement") {
			t.Errorf("%s: %s: %s", r.ID, r.Verdict, r.Seen)
		}
		if r.Verdict == Pass {
			if b, err := os.ReadFile(r.Evidence); err != nil || !bytes.Contains(b, []byte("=== to c3")) {
				t.Errorf("%s: evidence %q: %v", r.ID, r.Evidence, err)
			}
		}
	}
	if n := rep.Count(Pass); n < 30 || rep.Peer == "" {
		t.Errorf("%d passed", n)
	}
	for _, o := range []Options{
		{Peer: "nowhere", Config: c, PMode: oneWay},
		{Peer: "http://127.0.0.1:1/as4", Config: c, PMode: "no such agreement"},
		{Peer: "http://127.0.0.1:1/as4", Config: c, PMode: discover},
	} {
		if _, err := Run(t.Context(), o, nil); !errors.Is(err, ErrSettings) {
			t.Errorf("%s by %s: %v", o.Peer, o.PMode, err)
		}
	}
	// Nobody is there: a mandatory assertion fails, for that reason.
	rep, err = Run(t.Context(), Options{Peer: "http://127.0.0.1:1/as4", Config: c, PMode: oneWay, Only: []string{"AS4_CP_TA01"}}, nil)
	if err != nil || rep.OK() || rep.Results[0].Verdict != Fail || !strings.Contains(rep.Results[0].Seen, "no answer") {
		t.Errorf("%v %+v", err, rep)
	}
}
