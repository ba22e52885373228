package cms

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
)

func TestSmoke(t *testing.T) {
	dir := corpus.Dir(t, "esignature")
	rows := corpus.Table(t, filepath.Join(dir, "dss-verdicts.tsv"))
	for _, r := range rows {
		if !strings.HasPrefix(r["path"], "dss/cades/") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, r["path"]))
		if err != nil {
			t.Log(r["path"], err)
			continue
		}
		m, err := Parse(b)
		if err != nil {
			t.Log("PARSE", r["path"], err)
			continue
		}
		for i, f := range m.Verify(nil) {
			t.Log(r["path"], i, "|", r["technical facts"], "|", f.Err(), f.Reordered, f.NamesCertificate())
		}
	}
}
