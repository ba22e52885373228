package cades

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

var (
	inlineText   = regexp.MustCompile(`new InMemoryDocument\("([^"]*)"\.getBytes\(\)`)
	inlineDigest = regexp.MustCompile(`new DigestDocument\(DigestAlgorithm\.SHA256, (?:Utils\.fromBase64\()?"([^"]*)"`)
	wantCount    = regexp.MustCompile(`(?:^|\| )signatures=(\d+)`)
	wantStamps   = regexp.MustCompile(`(?:^|\| )timestamps=(\d+)`)
	wantLevel    = regexp.MustCompile(`(?:^|\| )level=(\S+)`)
	wantDigest   = regexp.MustCompile(`DigestBuilder\(document(?:, (SHA\d+))?\)((?:\.set\w+\([^)]*\))*)\.build\(\)\.hexValue = "([0-9A-F]+)`)
)

// inputs reads the detached content and the certificates of a row.
func inputs(t *testing.T, dir, in string) (content cms.Content, more []*pki.Certificate) {
	t.Helper()
	for _, part := range strings.Split(in, "; ") {
		kind, what, _ := strings.Cut(part, ": ")
		switch kind {
		case "detached":
			if ext := filepath.Ext(what); ext == ".xml" || ext == ".ers" {
				continue // evidence records
			}
			b, err := os.ReadFile(filepath.Join(dir, what))
			if err != nil {
				t.Fatal(err)
			}
			content = cms.Bytes(b)
		case "detached (inline in test)":
			if m := inlineDigest.FindStringSubmatch(what); m != nil {
				sum, err := base64.StdEncoding.DecodeString(m[1])
				if err != nil {
					t.Fatal(err)
				}
				content = cms.Digests{crypto.SHA256: sum}
			} else if m := inlineText.FindStringSubmatch(in); m != nil {
				content = cms.Bytes([]byte(m[1]))
				if strings.Contains(in, "getDigestValue") {
					content = cms.Digests{crypto.SHA256: sum([]byte(m[1]))}
				}
			}
		case "trust/extra certs":
			for _, file := range strings.Split(what, ",") {
				b, err := os.ReadFile(filepath.Join(dir, file))
				if err != nil {
					t.Fatal(err)
				}
				if c, err := pki.ParseCertificate(b); err == nil {
					more = append(more, c)
				}
			}
		}
	}
	return content, more
}

// check compares one row with what is found; it returns the differences.
func check(t *testing.T, dir string, row corpus.Row) (wrong []string) {
	t.Helper()
	say := func(s ...string) { wrong = append(wrong, strings.Join(s, " ")) }
	expected := row["expected"]
	b, err := os.ReadFile(filepath.Join(dir, row["file"]))
	if err != nil {
		t.Fatal(err)
	}
	list, err := Parse(b)
	if err != nil {
		return []string{err.Error()}
	}
	sigs := all(list)
	if strings.Contains(expected, "DigestBuilder") {
		return checkEvidence(t, expected, list)
	}
	content, more := inputs(t, dir, row["inputs"])
	if m := wantCount.FindStringSubmatch(expected); m != nil && m[1] != strconv.Itoa(len(sigs)) {
		say(strconv.Itoa(len(sigs)), "signatures, want", m[1])
	}
	hold, stamps, sound := 0, 0, 0
	var levels []string
	for _, s := range sigs {
		if s.Verify(content, more...).Err() == nil {
			hold++
		}
		levels = append(levels, string(s.Level(more...)))
		for _, x := range s.TimeStamps {
			if x.Token != nil {
				stamps++
				if x.Check(content, more...).Err() == nil {
					sound++
				}
			}
		}
	}
	switch {
	case strings.Contains(expected, "signature_intact=yes"):
		if hold != len(sigs) {
			say(strconv.Itoa(hold), "of", strconv.Itoa(len(sigs)), "signatures hold, want all")
		}
	case strings.Contains(expected, "signature_intact_or_b_level=NO"):
		if hold != 0 {
			say("signatures hold, want none")
		}
	case strings.Contains(expected, "mixed"):
		if hold == len(sigs) {
			say("all signatures hold, want some broken")
		}
	}
	if m := wantStamps.FindStringSubmatch(expected); m != nil && !strings.Contains(row["file"], "evidence-record/") && m[1] != strconv.Itoa(stamps) {
		say(strconv.Itoa(stamps), "time-stamps, want", m[1])
	}
	if strings.Contains(expected, "each_timestamp_if_any") && sound != stamps {
		say(strconv.Itoa(sound), "of", strconv.Itoa(stamps), "time-stamps are sound, want all")
	}
	if m := wantLevel.FindStringSubmatch(expected); m != nil {
		for _, w := range strings.Split(m[1], ",") {
			w = strings.ReplaceAll(w, "_", "-")
			if !slices.Contains(levels, w) {
				say("levels", strings.Join(levels, ","), "want", m[1])
			}
		}
	}
	return wrong
}

// checkEvidence compares the digests that evidence records would be over. Only values are compared here: rows that compare
// digests of one file with those of another have none.
func checkEvidence(t *testing.T, expected string, list []*Signature) (wrong []string) {
	t.Helper()
	hashes := map[string]crypto.Hash{"": crypto.SHA256, "SHA1": crypto.SHA1, "SHA224": crypto.SHA224, "SHA256": crypto.SHA256, "SHA512": crypto.SHA512}
	for _, m := range wantDigest.FindAllStringSubmatch(expected, -1) {
		record := -1
		if strings.Contains(m[2], "setParallelEvidenceRecord(true)") && len(list[0].EvidenceRecords) > 0 {
			record = 0
		}
		inputs, err := list[0].EvidenceInputs(record)
		if err != nil {
			return []string{err.Error()}
		}
		in := inputs[0]
		if strings.Contains(m[2], "setDEREncoded(true)") {
			in = inputs[1]
		}
		h := hashes[m[1]].New()
		h.Write(in)
		want, _ := hex.DecodeString(m[3][:len(m[3])&^1]) // some are cut off in the index
		if got := h.Sum(nil); !bytes.HasPrefix(got, want) {
			wrong = append(wrong, "digest "+m[2]+" "+hex.EncodeToString(got)+", want "+m[3])
		}
	}
	return wrong
}

func TestCorpusIndex(t *testing.T) {
	t.Parallel()
	known := corpus.Known(t, "testdata/known.tsv")
	dir := corpus.Dir(t, "esignature")
	agree, total := 0, 0
	for _, row := range corpus.Index(t, "esignature") {
		if row["format"] != "CAdES" || strings.Contains(row["expected"], "NullPointerException") || !strings.HasPrefix(row["file"], "dss/cades/") {
			continue
		}
		total++
		wrong := check(t, dir, row)
		name := row["file"] + " (" + row["what it shows"] + ")"
		reason, listed := known[name]
		switch {
		case len(wrong) == 0 && listed:
			t.Errorf("%s agrees now, though it is listed: %s", name, reason)
		case len(wrong) == 0:
			agree++
		case !listed:
			t.Errorf("%s: %s", name, strings.Join(wrong, "; "))
		}
	}
	if total < 80 {
		t.Fatalf("only %d rows: is the corpus there?", total)
	}
	t.Logf("%d of %d rows agree, the others are named", agree, total)
}

// TestEvidenceRecordsKnowTheirInput: the digest of what a record is over stands in it.
func TestEvidenceRecordsKnowTheirInput(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpus.Dir(t, "esignature"), "dss/cades/validation/evidence-record")
	found := 0
	for _, name := range []string{"C-E-ERS-parallel-ers.p7m", "C-E-ERS-two-er.p7m", "C-E-ERS_renewed_hashtree.p7m", "CAdEs-BpT+ER-without-reducedHashTree.p7m", "Double-C-E-ERS.p7m", "C-E-ERS-detached.p7s"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		list, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			for i, r := range s.EvidenceRecords {
				inputs, err := s.EvidenceInputs(i)
				if err != nil {
					t.Fatal(err)
				}
				ok := false
				for _, in := range inputs {
					for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA512} {
						h := hash.New()
						h.Write(in)
						ok = ok || bytes.Contains(r.Raw, h.Sum(nil))
					}
				}
				if !ok {
					t.Errorf("%s: record %d is over something else", name, i)
				}
				found++
			}
		}
	}
	if found < 7 {
		t.Errorf("only %d records", found)
	}
}
