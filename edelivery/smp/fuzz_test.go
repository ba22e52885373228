package smp

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// seed adds our own samples and, where it is there, the corpus.
func seed(f *testing.F) {
	dirs := []string{"testdata"}
	root := os.Getenv("VIADUKT_CORPUS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	for _, d := range []string{"smp-peppol", "smp-bdxr1", "smp-bdxr2"} {
		dirs = append(dirs, filepath.Join(root, area, d))
	}
	n := 0
	for _, d := range dirs {
		files, _ := filepath.Glob(filepath.Join(d, "*.xml"))
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
			n++
		}
	}
	if n == 0 {
		f.Fatal("no seeds")
	}
}

// sameModel compares what was read without what reading cannot keep: extensions in other places' namespaces.
var sameModel = cmp.Options{
	cmp.Comparer(func(a, b *pki.Certificate) bool { return a == nil && b == nil || a != nil && b != nil && a.Equal(b) }),
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreTypes([]Extension(nil)),
}

// FuzzParseServiceMetadata: what is read and can be written in its generation reads back the same.
func FuzzParseServiceMetadata(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		md, err := ParseServiceMetadata(bytes.Clone(b))
		if err != nil {
			return
		}
		out, err := WriteServiceMetadata(md, md.Generation)
		if err != nil {
			return // read leniently, refused when written
		}
		again, err := ParseServiceMetadata(bytes.Clone(out))
		if err != nil {
			if len(out) > MaxBytes {
				return
			}
			t.Fatalf("not read back: %v\n%s", err, out)
		}
		if d := cmp.Diff(md, again, sameModel); d != "" {
			t.Fatalf("changed by writing:\n%s", d)
		}
	})
}

// FuzzParseServiceGroup: the same for groups.
func FuzzParseServiceGroup(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		sg, err := ParseServiceGroup(bytes.Clone(b))
		if err != nil {
			return
		}
		out, err := WriteServiceGroup(sg, sg.Generation, "https://smp.example.com")
		if err != nil {
			return
		}
		again, err := ParseServiceGroup(bytes.Clone(out))
		if err != nil {
			if len(out) > MaxBytes {
				return
			}
			t.Fatalf("not read back: %v\n%s", err, out)
		}
		again.Signed = sg.Signed
		for i, ref := range sg.References {
			if ref.Href == "" && i < len(again.References) { // generation 1 with an empty href: one is made
				again.References[i] = ref
			}
		}
		if d := cmp.Diff(sg, again, sameModel); d != "" {
			t.Fatalf("changed by writing:\n%s", d)
		}
	})
}
