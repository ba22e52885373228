package pades

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
)

// Whatever a file claims, reading it ends, and what is left out of a signed range is the signature alone.
func FuzzOpen(f *testing.F) {
	w := theWorld()
	f.Add(w.sign(f, paper(f, false, form), Parameters{Permission: 2}, nil))
	f.Add(w.sign(f, w.sign(f, paper(f, true, nil), Parameters{Locked: &Lock{Action: "All"}}, nil), Parameters{}, nil))
	if dir := os.Getenv("VIADUKT_CORPUS"); dir != "" {
		files, _ := filepath.Glob(filepath.Join(corpus.Dir(f, "esignature"), "dss/pades/validation/*.pdf"))
		for _, file := range files {
			if b, err := os.ReadFile(file); err == nil && len(b) < 100_000 {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for _, s := range d.Signatures {
			if s.Range == nil && (b[s.ByteRange[1]] != '<' || b[s.ByteRange[2]-1] != '>' || bytes.ContainsAny(b[s.ByteRange[1]+1:s.ByteRange[2]-1], "<>()[]{}/%")) {
				t.Fatalf("leaves out %q", b[s.ByteRange[1]:s.ByteRange[2]])
			}
			s.Level()
			s.Consistent()
			if changes, err := s.Changes(); err == nil {
				s.Violations(changes)
			}
			if s.CMS != nil {
				s.Verify()
			}
		}
	})
}
