package xades

import (
	"bytes"
	"compress/gzip"
	"crypto"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// verdict is what the Digital Signature Service says about the signatures of one file, a token each.
type verdict struct {
	path, inputs string
	levels       []string
	facts        []string
	stamps       []string
}

func verdicts(t *testing.T, dir string) (out []verdict) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "dss-verdicts.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n")[1:] {
		f := strings.Split(line, "\t")
		if !strings.HasPrefix(f[0], "dss/xades/") || f[5] == "0" {
			continue
		}
		v := verdict{path: f[0], inputs: f[13]}
		kinds := strings.Split(f[4], "|")
		for i, l := range strings.Split(f[3], "|") {
			if kinds[i] != "signature" && kinds[i] != "counter-signature" {
				continue
			}
			v.levels = append(v.levels, l)
			v.facts = append(v.facts, strings.Split(f[6], "|")[i])
			v.stamps = append(v.stamps, strings.Split(f[7], "|")[i])
		}
		out = append(out, v)
	}
	return out
}

func readCorpus(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if os.IsNotExist(err) {
		b, err = os.ReadFile(filepath.Join(dir, name+".gz"))
		name += ".gz"
	}
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// imprint reads algorithm and hash of the messageImprint of a TimeStampToken.
func imprint(token []byte) (crypto.Hash, []byte) {
	t, err := tsp.ParseToken(token)
	if err != nil {
		return 0, nil
	}
	return t.Info.Hash, t.Info.Imprint
}

// stampsOf says of each time-stamp whether its imprint is that of what it covers.
func (c *Checked) stampsOf() []string {
	var out []string
	for _, t := range c.TimeStamps {
		for _, token := range t.Tokens {
			h, want := imprint(token)
			switch {
			case h == 0:
				out = append(out, "unreadable")
				continue
			}
			sum := h.New()
			switch err := c.WriteImprint(sum, t); {
			case err != nil:
				out = append(out, "imprint-missing")
			case bytes.Equal(sum.Sum(nil), want):
				out = append(out, "ok")
			default:
				out = append(out, "imprint-broken")
			}
		}
	}
	return out
}

// all returns the signatures of a document with the counter-signatures of each, depth first.
func all(t *testing.T, d *dom.Document) (out []*Signature) {
	t.Helper()
	var add func(s *Signature, err error)
	add = func(s *Signature, err error) {
		if err != nil {
			s = nil
		}
		out = append(out, s)
		if s != nil {
			for i := range s.CounterSignatures {
				add(s.Counter(i))
			}
		}
	}
	for _, n := range Find(d) {
		add(Parse(n))
	}
	return out
}

// knownDisagreements reads testdata/known.tsv: file and reason.
func knownDisagreements(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/known.tsv")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n")[1:] {
		file, reason, ok := strings.Cut(line, "\t")
		if !ok || reason == "" {
			t.Fatalf("known.tsv: %q gives no reason", line)
		}
		known[file] = reason
	}
	return known
}

// problemsOf compares what one file's signatures are found to be with what the other implementation says.
func problemsOf(t *testing.T, dir string, v verdict) (problems []string) {
	t.Helper()
	d, err := dom.Parse(readCorpus(t, dir, v.path), dom.Limits{})
	if err != nil {
		return []string{err.Error()}
	}
	var documents []Document
	for _, part := range strings.Split(v.inputs, "; ") {
		names, ok := strings.CutPrefix(part, "detached ")
		if !ok {
			continue
		}
		for _, n := range strings.Split(names, ",") {
			if !strings.HasPrefix(n, "er:") {
				documents = append(documents, Bytes(filepath.Base(n), "", readCorpus(t, dir, n)))
			}
		}
	}
	sigs := all(t, d)
	if len(sigs) != len(v.levels) {
		return []string{fmt.Sprintf("%d signatures, want %d", len(sigs), len(v.levels))}
	}
	add := func(format string, a ...any) { problems = append(problems, fmt.Sprintf(format, a...)) }
	for i, s := range sigs {
		if s == nil {
			add("properties cannot be read")
			continue
		}
		c, err := s.Check(CheckOptions{Documents: documents})
		if err != nil {
			add("%v", err)
			continue
		}
		if want := strings.Contains(v.facts[i], "sig=yes"); c.Intact() != want {
			add("intact %v, want %v: %v %v", c.Intact(), want, c.ValueErr, c.Errs)
		}
		broken := errors.Join(append(c.Errs, c.CounterErr, c.TypeErr)...)
		if want := strings.Contains(v.facts[i], "refs=ok"); (broken == nil) != want {
			add("references %v, want %s", broken, v.facts[i])
		}
		if l := string(c.Level()); l != v.levels[i] {
			add("level %s, want %s", l, v.levels[i])
		}
		var want []string
		if v.stamps[i] != "-" {
			for _, s := range strings.Split(v.stamps[i], ",") {
				_, state, _ := strings.Cut(s, ":")
				want = append(want, state)
			}
		}
		if got := c.stampsOf(); !slices.Equal(got, want) {
			add("time-stamps %v, want %v", got, want)
		}
	}
	return problems
}

func TestCorpusFactsAreThoseOfAnotherImplementation(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "esignature")
	known := knownDisagreements(t)
	all := verdicts(t, dir)
	agree := 0
	for _, v := range all {
		problems := problemsOf(t, dir, v)
		reason := known[v.path]
		delete(known, v.path)
		switch {
		case len(problems) == 0:
			agree++
			if reason != "" {
				t.Errorf("%s agrees now: take it from known.tsv", v.path)
			}
		case reason == "":
			t.Errorf("%s: %s", v.path, strings.Join(problems, "; "))
		}
	}
	for path := range known {
		t.Errorf("known.tsv: %s is not in the corpus", path)
	}
	t.Logf("%d of %d files agree in value, references, level and time-stamps, the others are named", agree, len(all))
}

// TestCorpusMaterialBefore: what stands before a property is what reading the properties up to it finds.
func TestCorpusMaterialBefore(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "esignature")
	count := 0
	for _, v := range verdicts(t, dir) {
		d, err := dom.Parse(readCorpus(t, dir, v.path), dom.Limits{})
		if err != nil {
			continue
		}
		for _, n := range Find(d) {
			s, err := Parse(n)
			if err != nil || !s.Unsigned.Valid() {
				continue
			}
			part := &Signature{Namespace: s.Namespace, counts: map[string]int{}}
			same := func(property dom.Node) {
				got, want := s.MaterialBefore(property), part.Material
				if !slices.EqualFunc(got.Certificates, want.Certificates, (*pki.Certificate).Equal) ||
					!slices.EqualFunc(got.CRLs, want.CRLs, bytes.Equal) || !slices.EqualFunc(got.OCSPs, want.OCSPs, bytes.Equal) {
					t.Errorf("%s: other material before %s than there is", v.path, property.Path())
				}
				if cap(got.Certificates) > len(got.Certificates) || cap(got.CRLs) > len(got.CRLs) || cap(got.OCSPs) > len(got.OCSPs) {
					t.Errorf("%s: what is appended to the material before %s is written over the rest", v.path, property.Path())
				}
				if len(want.Certificates)+len(want.CRLs)+len(want.OCSPs) > 0 {
					count++
				}
			}
			for p := range s.Unsigned.Elements() {
				same(p)
				part.parseUnsignedProperty(p)
			}
			same(s.Node) // which is none: all of it
		}
	}
	t.Logf("%d properties", count)
	if count < 50 {
		t.Errorf("only %d properties with material before them", count)
	}
}
