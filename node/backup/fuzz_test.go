package backup

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/viadukt-eu/viadukt/node/store"
)

// FuzzArchive reads any octets as an archive: it ends, and what it names stays within the backup.
func FuzzArchive(f *testing.F) {
	for _, name := range []string{"b.tar", "b.tar.zst"} {
		target := filepath.Join(f.TempDir(), name)
		s, err := newTarSink(target)
		if err != nil {
			f.Fatal(err)
		}
		if err := s.write("viadukt-20260504T093000Z.db", 4, 0o600, bytes.NewReader([]byte("data"))); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(s.scratch(), nil, 0o600); err != nil {
			f.Fatal(err)
		}
		if err := s.commit(nil, []byte(`{"format":1,"database":{"name":"viadukt-20260504T093000Z.db","size":4},"config":[{"name":"viadukt.yaml"}]}`)); err != nil {
			f.Fatal(err)
		}
		b, err := os.ReadFile(target)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Add([]byte("an invoice"))
	f.Fuzz(func(t *testing.T, b []byte) {
		name := filepath.Join(t.TempDir(), "b.tar")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		read, err := readAll(ctx, name, nil, func(name string) string {
			if !fs.ValidPath(name) {
				t.Errorf("a file %q", name)
			}
			return ""
		})
		if err != nil {
			return
		}
		missed := false
		read.compare(func(d store.Damage) { missed = missed || errors.Is(d.Err, store.ErrDamaged) })
		if !missed && len(read.files) == 0 {
			t.Error("sound without a file")
		}
	})
}
