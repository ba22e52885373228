package dom

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
)

// xmlFiles yields every file of the corpora whose name says XML, by its path below their common folder.
func xmlFiles(tb testing.TB, use func(name string, src []byte)) {
	tb.Helper()
	top := filepath.Dir(corpus.Dir(tb, "esignature"))
	count := 0
	err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		switch strings.ToLower(filepath.Ext(path)) {
		case ".xml", ".xsd", ".sch", ".xsl", ".xslt", ".wsdl", ".rng", ".gc":
		default:
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(top, path)
		count++
		use(filepath.ToSlash(name), src)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	if count < 1000 {
		tb.Fatalf("only %d files: are the corpora there?", count)
	}
}

// TestCorpusIsWellFormed reads all XML of the corpora. What is refused is listed in known.tsv with the reason.
func TestCorpusIsWellFormed(t *testing.T) {
	t.Parallel()
	known := map[string]string{}
	for _, row := range corpus.Table(t, filepath.Join("testdata", "known.tsv")) {
		known[row["file"]] = row["reason"]
	}
	xmlFiles(t, func(name string, src []byte) {
		d, err := Parse(src, Limits{})
		reason, listed := known[name]
		delete(known, name)
		switch {
		case err != nil && !listed:
			t.Errorf("%s: %v", name, err)
		case err == nil && listed:
			t.Errorf("%s is accepted, but listed: %s", name, reason)
		case err != nil && !strings.Contains(err.Error(), reason[:strings.IndexByte(reason+":", ':')]):
			t.Errorf("%s: %v, but listed: %s", name, err, reason)
		case err == nil:
			checkArena(t, d)
		}
	})
	for name := range known {
		t.Errorf("%s is listed, but not in the corpus", name)
	}
}
