package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// JUnit writes the verdicts on documents for build servers: a suite for each document, a case for each artefact that
// was asked. Warnings do not fail a case.
func JUnit(docs []*Document) []byte {
	w := dom.NewWriter([]byte(declaration))
	w.Start("testsuites", "name", Engine)
	seconds := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
	for _, d := range docs {
		layers := d.layers()
		failures, skipped, errors := 0, 0, 0
		for _, l := range layers {
			switch {
			case l.Skipped:
				skipped++
			case refuses(d.findings(l)):
				failures++
			}
		}
		tests := len(layers)
		if d.Err != nil {
			errors, tests = 1, tests+1
		}
		w.Start("testsuite", "name", d.Name, "tests", strconv.Itoa(tests), "failures", strconv.Itoa(failures), "errors", strconv.Itoa(errors), "skipped", strconv.Itoa(skipped),
			"time", seconds(d.Took), "timestamp", d.Started.UTC().Format("2006-01-02T15:04:05"))
		if d.Err != nil {
			w.Start("testcase", "classname", d.Name, "name", "reading", "time", "0")
			w.Element("error", d.Err.Error(), "message", line(d.Err.Error()))
			w.End()
		}
		for _, l := range layers {
			name := l.Pack
			if l.File != l.Pack { // the sets of the program have no files
				name += " " + l.File
			}
			w.Start("testcase", "classname", d.Name, "name", name, "time", seconds(l.Took))
			var bad, other strings.Builder
			n := 0
			for _, f := range d.findings(l) {
				b := &other
				if f.Severity.Refuses() {
					b = &bad
					n++
				}
				fmt.Fprintf(b, "%s %s, line %d, %s: %s\n", f.Severity, f.ID, f.Line, f.Location, f.Text)
			}
			switch {
			case l.Skipped:
				w.Element("skipped", "", "message", "an error before it")
			case n > 0:
				w.Element("failure", bad.String(), "message", strconv.Itoa(n)+" findings", "type", string(l.Kind))
			}
			if other.Len() > 0 {
				w.Element("system-out", other.String())
			}
			w.End()
		}
		w.End()
	}
	w.End()
	return append(w.Bytes(), '\n')
}
