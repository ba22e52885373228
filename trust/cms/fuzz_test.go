package cms

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// FuzzParse: what is read in memory is read alike as a stream and as a file; what is written again reads alike; nothing panics.
func FuzzParse(f *testing.F) {
	der := must(Sign(identity(f, pki.P256), []byte("content"), false, Template{SigningTime: now}))
	f.Add(der)
	f.Add(indefinite(der, 2))
	f.Add(must(Sign(identity(f, pki.Ed25519), nil, true, Template{ByKey: true})))
	if root := os.Getenv("VIADUKT_CORPUS"); root != "" {
		filepath.WalkDir(filepath.Join(corpus.Dir(f, "esignature"), "dss", "cades"), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				if b, err := os.ReadFile(path); err == nil && len(b) < 64<<10 {
					f.Add(b)
				}
			}
			return nil
		})
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(bytes.Clone(b))
		if err != nil {
			return
		}
		facts := m.Verify(nil)
		for _, s := range m.Signers {
			s.CounterSignatures()
		}
		if len(b) == 0 || b[0] != 0x30 {
			return // PEM and base64 are for memory only
		}
		s, err := Read(bytes.NewReader(b), nil)
		if err != nil {
			return // contents of other types are for memory only, and some bounds are nearer
		}
		o, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatalf("a stream but no file: %v", err)
		}
		for i, f := range facts {
			for name, g := range map[string]*Facts{"stream": s.Signers[i].Verify(nil), "file": o.Signers[i].Verify(nil)} {
				if g.Err() == nil && f.Err() != nil {
					t.Fatalf("holds as a %s only: %v", name, f.Err())
				}
			}
		}
		m.changed()
		again, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		n, err := Parse(again)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		for i, f := range n.Verify(nil) {
			if (f.Err() == nil) != (facts[i].Err() == nil) {
				t.Fatalf("signer %d: %v, before %v", i, f.Err(), facts[i].Err())
			}
		}
	})
}
