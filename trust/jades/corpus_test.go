package jades

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// verdictOf says what is found of the signatures of one message, in the words of dss-verdicts.tsv, columns level, facts, stamps.
func verdictOf(b []byte, documents []xades.Document) (levels, facts, stamps []string) {
	m, err := Parse(b)
	if err != nil {
		return []string{err.Error()}, nil, nil
	}
	var add func(s *Signature)
	add = func(s *Signature) {
		c := s.Check(CheckOptions{Documents: documents})
		levels = append(levels, string(c.Level()))
		// By digest only, the content may be missing from a signature that holds.
		var refs []string
		word := func(kind string, err error) {
			switch {
			case errors.Is(err, ErrContent):
				refs = append(refs, kind+":missing")
			case err != nil:
				refs = append(refs, kind+":broken")
			}
		}
		word("COUNTER_SIGNED_SIGNATURE_VALUE", c.CounterErr)
		word("JWS_SIGNING_INPUT_DIGEST", c.ValueErr)
		for _, r := range c.References {
			word("SIG_D_ENTRY", r.Err)
		}
		sig := "sig=no"
		if c.ValueErr == nil {
			sig = "sig=yes"
		}
		if refs == nil {
			refs = []string{"ok"}
		}
		facts = append(facts, sig+" refs="+strings.Join(refs, ","))
		var of []string
		for _, t := range c.TimeStamps {
			state := "ok"
			sum := t.Token.Info.Hash.New()
			if err := c.WriteImprint(sum, t); err != nil || string(sum.Sum(nil)) != string(t.Token.Info.Imprint) {
				state = "imprint-broken"
			}
			of = append(of, map[Kind]string{
				ContentTimeStamp: "CONTENT_TIMESTAMP", SignatureTimeStamp: "SIGNATURE_TIMESTAMP", SigAndRefs: "VALIDATION_DATA_TIMESTAMP",
				RefsOnly: "VALIDATION_DATA_REFSONLY_TIMESTAMP", Archive: "ARCHIVE_TIMESTAMP",
			}[t.Kind]+":"+state)
		}
		slices.Sort(of)
		stamps = append(stamps, strings.Join(of, ","))
		for _, x := range s.CounterSignatures {
			add(x)
		}
	}
	for _, s := range m.Signatures {
		add(s)
	}
	return levels, facts, stamps
}

func TestCorpusFactsAreThoseOfAnotherImplementation(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "esignature")
	known := corpus.Known(t, "testdata/known.tsv")
	agree, count := 0, 0
	for _, row := range corpus.Table(t, filepath.Join(dir, "dss-verdicts.tsv")) {
		path := row["path"]
		if !strings.HasPrefix(path, "dss/jades/") {
			continue
		}
		count++
		var documents []xades.Document
		if list, ok := strings.CutPrefix(row["given inputs"], "detached "); ok {
			for _, n := range strings.Split(list, ",") {
				documents = append(documents, xades.Bytes(filepath.Base(n), "", corpus.Read(t, "esignature", n)))
			}
		}
		levels, facts, stamps := verdictOf(corpus.Read(t, "esignature", path), documents)
		got := strings.Join(levels, "|") + " " + strings.Join(facts, "|") + " " + strings.Join(stamps, "|")
		var wantStamps, wantFacts []string
		for _, s := range strings.Split(row["time-stamps"], "|") {
			one := strings.Split(strings.TrimPrefix(s, "-"), ",")
			slices.Sort(one)
			wantStamps = append(wantStamps, strings.Join(one, ","))
		}
		for _, f := range strings.Split(row["technical facts"], "|") {
			wantFacts = append(wantFacts, strings.TrimSuffix(strings.TrimSuffix(f, " b-level=yes"), " b-level=no"))
		}
		want := row["format-level"] + " " + strings.Join(wantFacts, "|") + " " + strings.Join(wantStamps, "|")
		reason, listed := known[path]
		delete(known, path)
		ok := got == want
		if row["signatures"] == "0" { // it must be refused
			ok = facts == nil
		}
		switch {
		case ok:
			agree++
			if listed {
				t.Errorf("%s agrees now, but is listed: %s", path, reason)
			}
		case !listed:
			t.Errorf("%s:\n got %s\nwant %s", path, got, want)
		}
	}
	for path := range known {
		t.Errorf("known.tsv: %s is not in the corpus", path)
	}
	if count < 40 {
		t.Fatalf("only %d files: is the corpus there?", count)
	}
	t.Logf("%d of %d files agree in level, value, references and time-stamps, the others are named", agree, count)
}

// TestCorpusSerialisations: the other files of the corpus are read or refused as their schemas ask.
func TestCorpusSerialisations(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]int{
		"dss/specs-jades/jades-lta.json": 1, "dss/specs-jades/jades-with-sigPSt.json": 1, "dss/specs-jws/jws-flattened.json": 1, "dss/specs-jws/jws-serialization.json": 2,
		"dss/specs-jades/jades-with-sigPSt-invalid.json": 0, // a value both beside and within the list of signatures
		"dss/specs-jws/jws-flattened-error.json":         0, // no algorithm
	} {
		m, err := Parse(corpus.Read(t, "esignature", path))
		got := 0
		if err == nil {
			got = len(m.Signatures)
		}
		if got != want {
			t.Errorf("%s: %d signatures, want %d: %v", path, got, want, err)
		}
	}
}

// TestCorpusDetachedByURI: content is found under the whole URI that sigD names, percent-decoded.
func TestCorpusDetachedByURI(t *testing.T) {
	t.Parallel()
	var documents []xades.Document
	for _, n := range []string{"ObjectIdByURI-1.html", "ObjectIdByURI-2.html"} {
		documents = append(documents, xades.Bytes("https://nowina.lu/pub/JAdES/"+n, "", corpus.Read(t, "esignature", "dss/jades/"+n)))
	}
	_, facts, _ := verdictOf(corpus.Read(t, "esignature", "dss/jades/validation/jades-detached-by-uri-encoded-pars.json"), documents)
	if !slices.Equal(facts, []string{"sig=yes refs=ok"}) {
		t.Errorf("%v", facts)
	}
}

// seeds are the messages of the corpus, where it is there.
func seeds() (out [][]byte) {
	root := os.Getenv("VIADUKT_CORPUS")
	if root == "" {
		root = "../../../shared/corpus"
	}
	for _, pattern := range []string{"validation/*.json", "validation/dss2620/*.json"} {
		files, _ := filepath.Glob(filepath.Join(root, "esignature/dss/jades", pattern))
		for _, f := range files {
			if b, err := os.ReadFile(f); err == nil {
				out = append(out, b)
			}
		}
	}
	return out
}
