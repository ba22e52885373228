package xades

import (
	"crypto"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var wantDigest = regexp.MustCompile(`new XAdESEvidenceRecordDigestBuilder\(([^|]*?)\.build\(\)\.hexValue = "([0-9A-F]{64})`)

// TestCorpusEvidenceDigests: what a record would be over, and is over, has the digest that the Digital Signature Service computes.
func TestCorpusEvidenceDigests(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "esignature")
	b, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.Split(line, "\t")
		if len(f) < 5 || !strings.HasPrefix(f[0], "dss/xades/") {
			continue
		}
		for _, m := range wantDigest.FindAllStringSubmatch(f[2], -1) {
			raw, err := os.ReadFile(filepath.Join(dir, f[0]))
			if err != nil {
				t.Fatal(err)
			}
			d, err := dom.Parse(raw, dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			var opt CheckOptions
			if name, ok := strings.CutPrefix(f[4], "with "); ok {
				content, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				opt.Documents = []Document{Bytes(filepath.Base(name), "", content)}
			}
			s, err := Parse(Find(d)[0])
			if err != nil {
				t.Fatal(err)
			}
			c, err := s.Check(opt)
			if err != nil {
				t.Fatal(err)
			}
			var r *EvidenceRecord // beside the last one, or after all
			if strings.Contains(m[1], "setParallelEvidenceRecord(true)") {
				r = &s.EvidenceRecords[len(s.EvidenceRecords)-1]
			}
			sum, err := c.SealedDigest(r, crypto.SHA256)
			if err != nil {
				t.Error(err)
			}
			if got := fmt.Sprintf("%X", sum); got != m[2] {
				t.Errorf("%s %s: %s, want %s", f[0], m[1], got, m[2])
			}
			count++
		}
	}
	t.Logf("%d digests", count)
	if count < 15 {
		t.Errorf("only %d digests", count)
	}
}
