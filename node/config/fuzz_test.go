package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func FuzzParse(f *testing.F) {
	names, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(names) < 2 {
		f.Fatal("no seeds", err)
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("node: {name: a, country: EE}\ndomains: {x: {a: [1, {b: c}], d: 2d, e: 1KiB}}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse("f.yaml", "/d", b)
		if err == nil {
			if c.Node.Name == "" || c.Outbound.Workers < 1 {
				t.Errorf("accepted without what is required: %+v", c)
			}
			var any struct {
				A []Section
				D Duration
				E Size
				F map[string]Path
			}
			err = c.Section("x", &any)
		}
		var ps Problems
		if err == nil {
			return
		}
		if !errors.As(err, &ps) || len(ps) == 0 {
			t.Fatalf("%v is no list of problems", err)
		}
		last := bytes.Count(b, []byte("\n")) + bytes.Count(b, []byte("\r")) + bytes.Count(b, []byte("\u2028")) + bytes.Count(b, []byte("\u2029")) + bytes.Count(b, []byte("\u0085")) + 2
		for _, p := range ps {
			if p.Line > last || p.Text == "" {
				t.Errorf("problem points at line %d of %d: %v", p.Line, last, p)
			}
		}
	})
}
