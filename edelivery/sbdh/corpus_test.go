package sbdh

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const area = "edelivery-discovery"

// outcome reads a message both ways and says what its errors and warnings are, by id.
func outcome(t *testing.T, b []byte, rules string) (errs, warnings []string) {
	t.Helper()
	r, ok := Named(rules)
	if !ok {
		t.Fatalf("no rules %s", rules)
	}
	stream, err1 := readAll(b)
	doc, err2 := parseAll(bytes.Clone(b))
	if (err1 == nil) != (err2 == nil) {
		t.Fatalf("stream %v, document %v", err1, err2)
	}
	if err1 != nil {
		a, z := new(Error), new(Error)
		if !errors.As(err1, &a) || !errors.As(err2, &z) {
			t.Fatalf("stream %v, document %v", err1, err2)
		}
		if a.ID != z.ID {
			t.Errorf("stream %v, document %v", err1, err2)
		}
		return []string{a.ID}, nil
	}
	f := r.Check(stream.Message)
	if g := r.Check(doc.Message); len(f) != len(g) {
		t.Errorf("stream %v, document %v", f, g)
	}
	for _, x := range f {
		if x.Warning {
			warnings = append(warnings, x.ID)
		} else {
			errs = append(errs, x.ID)
		}
	}
	if (f.Err() != nil) != (len(errs) > 0) {
		t.Errorf("findings %v give %v", f, f.Err())
	}
	return errs, warnings
}

// whole is a message with its payload read to the end.
type whole struct {
	*Message
	payload []byte
}

func readAll(b []byte) (whole, error) {
	m, err := Read(bytes.NewReader(b), Limits{})
	if err != nil {
		return whole{}, err
	}
	p, err := io.ReadAll(m.Payload)
	return whole{m, p}, err
}

func parseAll(b []byte) (whole, error) {
	d, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		return whole{}, xmlError(err)
	}
	m, err := Parse(d)
	if err != nil {
		return whole{}, err
	}
	p, err := io.ReadAll(m.Payload)
	return whole{m, p}, err
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	known := corpus.Known(t, "testdata/known.tsv")
	seen := 0
	for _, row := range corpus.Index(t, area) {
		path, want := row["path"], row["expected"]
		if !strings.HasPrefix(path, "sbdh/") || strings.HasPrefix(path, "sbdh/xsd/") {
			continue
		}
		seen++
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			b := corpus.Read(t, area, path)
			got := ""
			switch {
			case strings.HasPrefix(path, "sbdh/vefa/"):
				got, want = headerOnly(t, b, want)
			default:
				rules := "peppol-2.0.2"
				if strings.HasPrefix(path, "sbdh/hredelivery/") {
					rules = "hr"
					want = strings.TrimSuffix(want, " under the hr rules")
				}
				errs, warnings := outcome(t, b, rules)
				got, want = words(errs, warnings, want)
			}
			reason, listed := known[path]
			switch {
			case got == want && listed:
				t.Errorf("listed as a known disagreement (%s), but agrees", reason)
			case got != want && !listed:
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	if seen < 40 {
		t.Fatalf("only %d files", seen)
	}
}

// words puts the outcome into the words of the index.
func words(errs, warnings []string, want string) (string, string) {
	got := "accepted"
	switch {
	case want == "refused" && len(errs) > 0:
		return want, want
	case len(errs) > 0:
		return strings.Join(errs, " "), want
	case strings.HasSuffix(want, " (warning)"):
		return strings.Join(warnings, " ") + " (warning)", want
	case len(warnings) == 1:
		got += " with one warning " + warnings[0]
	case len(warnings) > 1:
		got += " with warnings " + strings.Join(warnings, " ")
	}
	want, _, _ = strings.Cut(want, ":")
	return got, want
}

// headerOnly reads a header without envelope, and checks it.
func headerOnly(t *testing.T, b []byte, want string) (string, string) {
	t.Helper()
	d, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	h, err := ParseHeader(d.Root())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(d); err == nil {
		t.Error("a header without envelope is taken for an envelope")
	}
	r, _ := Named("peppol-2.0.2")
	got := "header read"
	for _, f := range r.Check(&Message{Header: h}) {
		if !f.Warning {
			got += "; under 2.0 rules " + f.ID
		}
	}
	if strings.HasPrefix(want, "see the file") {
		want = "header read"
	}
	return got, want
}
