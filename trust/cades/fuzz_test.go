package cades

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/cms"
)

// FuzzParse: every fact can be asked of whatever was read, and a time-stamp that holds covers something.
func FuzzParse(f *testing.F) {
	w := newWorld()
	s, err := Sign(nil, w.signer, []byte("content"), false, parameters())
	if err != nil {
		f.Fatal(err)
	}
	if err := s.Extend(f.Context(), LTA, w.extension(nil)); err != nil {
		f.Fatal(err)
	}
	b, err := s.Message.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	if root := os.Getenv("VIADUKT_CORPUS"); root != "" {
		filepath.WalkDir(filepath.Join(corpus.Dir(f, "esignature"), "dss", "cades"), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				if b, err := os.ReadFile(path); err == nil && len(b) < 32<<10 {
					f.Add(b)
				}
			}
			return nil
		})
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := Parse(bytes.Clone(b))
		if err != nil {
			return
		}
		for _, s := range all(list) {
			facts := s.Verify(nil)
			if facts.Err() == nil && facts.Certificate == nil {
				t.Fatal("holds without a certificate")
			}
			s.Level()
			for _, x := range s.TimeStamps {
				f := x.Check(cms.Bytes([]byte("content")))
				if f.Err() == nil && !f.Covers.Content && !f.Covers.Signature && len(f.Covers.Attributes) == 0 && x.Kind != RefsTimeStamp {
					t.Fatalf("%s holds and covers nothing", x.Kind)
				}
			}
			for i := range s.EvidenceRecords {
				s.EvidenceInputs(i)
			}
		}
	})
}
