package selftest

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Formats are the forms in which a report is written.
var Formats = []string{"text", "tap", "junit", "json", "gitb"}

// Printer writes a report: results as they come, where the form allows it, and the rest in the end.
type Printer struct {
	w      io.Writer
	format string
	module string
	number int
	err    error
}

// NewPrinter begins a report of so many cases.
func NewPrinter(w io.Writer, format string, cases int) (*Printer, error) {
	if !slices.Contains(Formats, format) {
		return nil, fmt.Errorf("selftest: %q is none of the forms %s", format, strings.Join(Formats, ", "))
	}
	p := &Printer{w: w, format: format}
	if format == "tap" {
		p.printf("TAP version 13\n1..%d\n", cases)
	}
	return p, nil
}

func (p *Printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// Result writes one result.
func (p *Printer) Result(r *Result) {
	p.number++
	switch p.format {
	case "text":
		if r.Module != p.module {
			p.module = r.Module
			p.printf("\n%s\n", strings.ToUpper(r.Module[:1])+r.Module[1:])
		}
		p.printf("  %-15s %-14s %-10s %s\n", r.ID, r.Verdict, r.Level, r.Predicate)
		if r.Seen != "" {
			p.printf("  %-15s %s\n", "", r.Seen)
		}
	case "tap":
		word, directive := "ok", ""
		switch r.Verdict {
		case Fail, Broken:
			word = "not ok"
		case NotApplicable, NotTestable:
			directive = " # SKIP " + string(r.Verdict) + ": " + oneLine(r.Seen)
		}
		p.printf("%s %d - %s %s%s\n", word, p.number, r.ID, strings.ReplaceAll(r.Predicate, "#", "\\#"), directive)
		if word == "not ok" {
			p.printf("  ---\n  level: %s\n  seen: %s\n  ...\n", r.Level, quoted(r.Seen))
		}
	case "json":
		p.json(resultJSON{r.ID, r.Level, r.Module, r.Predicate, r.Verdict, r.Seen, float64(r.Took.Microseconds()) / 1000, r.Evidence})
	}
}

type resultJSON struct {
	ID        string  `json:"id"`
	Level     Level   `json:"level"`
	Module    string  `json:"module"`
	Predicate string  `json:"predicate"`
	Verdict   Verdict `json:"verdict"`
	Seen      string  `json:"seen,omitempty"`
	Millis    float64 `json:"ms"`
	Evidence  string  `json:"evidence,omitempty"`
}

func (p *Printer) json(v any) {
	if p.err == nil {
		p.err = json.NewEncoder(p.w).Encode(v)
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// quoted is a YAML scalar: JSON strings are some.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string
	}
	return string(b)
}

// Count is how often a verdict was given at a level, or at all levels together.
func (r *Report) Count(v Verdict, levels ...Level) (n int) {
	for _, x := range r.Results {
		if x.Verdict == v && (len(levels) == 0 || slices.Contains(levels, x.Level)) {
			n++
		}
	}
	return n
}

// Done ends the report.
func (p *Printer) Done(r *Report) error {
	switch p.format {
	case "text":
		p.summary(r)
	case "tap":
		p.printf("# %s, %s, %s\n", r.Program, r.Profile, r.Start.UTC().Format(time.RFC3339))
		for _, c := range r.Certificates {
			p.printf("# certificate %s\n", c)
		}
	case "json":
		p.json(struct {
			Program      string          `json:"program"`
			Profile      string          `json:"profile"`
			Peer         string          `json:"peer,omitempty"`
			Date         time.Time       `json:"date"`
			Seconds      float64         `json:"seconds"`
			Certificates []string        `json:"certificates"`
			Counts       map[Verdict]int `json:"counts"`
			Conformant   bool            `json:"conformant"`
		}{r.Program, r.Profile, r.Peer, r.Start.UTC(), r.Took.Seconds(), r.Certificates, r.counts(), r.OK()})
	case "junit", "gitb":
		w := dom.NewWriter([]byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
		if p.format == "junit" {
			r.junit(w)
		} else {
			r.gitb(w)
		}
		p.printf("%s\n", w.Bytes())
	}
	return p.err
}

func (r *Report) counts() map[Verdict]int {
	m := map[Verdict]int{}
	for _, x := range r.Results {
		m[x.Verdict]++
	}
	return m
}

var verdicts = []Verdict{Pass, Fail, NotApplicable, NotTestable, Broken}

func (p *Printer) summary(r *Report) {
	p.printf("\n%-12s", "")
	for _, v := range verdicts {
		p.printf("%16s", v)
	}
	for _, l := range []Level{Mandatory, Preferred, Permitted, Own} {
		p.printf("\n%-12s", l)
		for _, v := range verdicts {
			p.printf("%16d", r.Count(v, l))
		}
	}
	p.printf("\n\n%s, %s, %s, %.1f s\n", r.Program, r.Profile, r.Start.UTC().Format(time.RFC3339), r.Took.Seconds())
	if r.Peer != "" {
		p.printf("peer %s\n", r.Peer)
	}
	for _, c := range r.Certificates {
		p.printf("certificate %s\n", c)
	}
}

// modules groups the results, in their order.
func (r *Report) modules() (names []string, of map[string][]*Result) {
	of = map[string][]*Result{}
	for _, x := range r.Results {
		if of[x.Module] == nil {
			names = append(names, x.Module)
		}
		of[x.Module] = append(of[x.Module], x)
	}
	return names, of
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// junit writes the form that build servers read.
func (r *Report) junit(w *dom.Writer) {
	w.Start("testsuites", "name", "viadukt selftest", "tests", fmt.Sprint(len(r.Results)), "failures", fmt.Sprint(r.Count(Fail)), "errors", fmt.Sprint(r.Count(Broken)),
		"skipped", fmt.Sprint(r.Count(NotApplicable)+r.Count(NotTestable)), "time", seconds(r.Took))
	names, of := r.modules()
	for _, name := range names {
		part := &Report{Results: of[name]}
		var took time.Duration
		for _, x := range part.Results {
			took += x.Took
		}
		w.Start("testsuite", "name", name, "tests", fmt.Sprint(len(part.Results)), "failures", fmt.Sprint(part.Count(Fail)), "errors", fmt.Sprint(part.Count(Broken)),
			"skipped", fmt.Sprint(part.Count(NotApplicable)+part.Count(NotTestable)), "time", seconds(took), "timestamp", r.Start.UTC().Format("2006-01-02T15:04:05"))
		w.Start("properties")
		for _, kv := range append([][2]string{{"program", r.Program}, {"profile", r.Profile}, {"peer", r.Peer}}, certificates(r)...) {
			if kv[1] != "" {
				w.Start("property", "name", kv[0], "value", kv[1])
				w.End()
			}
		}
		w.End()
		for _, x := range part.Results {
			w.Start("testcase", "classname", name, "name", x.ID+" ("+string(x.Level)+"): "+x.Predicate, "time", seconds(x.Took))
			switch x.Verdict {
			case Fail:
				w.Element("failure", x.Seen, "message", oneLine(x.Seen), "type", string(x.Level))
			case Broken:
				w.Element("error", x.Seen, "message", oneLine(x.Seen))
			case NotApplicable, NotTestable:
				w.Element("skipped", "", "message", string(x.Verdict)+": "+oneLine(x.Seen))
			}
			w.End()
		}
		w.End()
	}
	w.End()
}

func certificates(r *Report) (list [][2]string) {
	for _, c := range r.Certificates {
		list = append(list, [2]string{"certificate", c})
	}
	return list
}

// gitb writes the report of the Interoperability Test Bed: a test case report with a TAR for each module.
func (r *Report) gitb(w *dom.Writer) {
	stamp := r.Start.UTC().Format(time.RFC3339)
	w.Start("tr:TestCaseReport", "xmlns:tr", "http://www.gitb.com/tr/v1/", "xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance", "id", "viadukt-selftest")
	w.Element("tr:date", stamp)
	w.Element("tr:result", r.word())
	r.counters(w)
	names, of := r.modules()
	for _, name := range names {
		part := &Report{Results: of[name]}
		w.Start("tr:reports", "xsi:type", "tr:TAR", "name", name)
		w.Element("tr:date", stamp)
		w.Element("tr:result", part.word())
		w.Start("tr:overview")
		w.Element("tr:profileID", r.Profile)
		w.Element("tr:validationServiceName", "viadukt selftest")
		w.Element("tr:validationServiceVersion", r.Program)
		note := strings.Join(r.Certificates, "; ")
		if r.Peer != "" {
			note = "peer " + r.Peer + "; " + note
		}
		w.Element("tr:note", note)
		w.End()
		part.counters(w)
		w.Start("tr:reports")
		for _, x := range part.Results {
			kind := "tr:info"
			switch {
			case x.counts():
				kind = "tr:error"
			case x.Verdict == Fail:
				kind = "tr:warning"
			}
			w.Start(kind, "xsi:type", "tr:BAR")
			w.Element("tr:assertionID", x.ID)
			w.Element("tr:description", strings.TrimSpace(string(x.Verdict)+": "+x.Predicate))
			w.Element("tr:type", string(x.Level))
			if x.Seen != "" {
				w.Element("tr:value", x.Seen)
			}
			w.End()
		}
		w.End()
		w.End()
	}
	w.End()
}

func (r *Report) counters(w *dom.Writer) {
	w.Start("tr:counters")
	w.Element("tr:nrOfAssertions", fmt.Sprint(len(r.Results)))
	errors := 0
	for _, x := range r.Results {
		if x.counts() {
			errors++
		}
	}
	w.Element("tr:nrOfErrors", fmt.Sprint(errors))
	w.Element("tr:nrOfWarnings", fmt.Sprint(r.Count(Fail)+r.Count(Broken)-errors))
	w.End()
}

// word is the result in the words of the test bed.
func (r *Report) word() string {
	switch {
	case !r.OK():
		return "FAILURE"
	case r.Count(Fail) > 0:
		return "WARNING"
	case r.Count(Pass) == 0:
		return "UNDEFINED"
	}
	return "SUCCESS"
}
