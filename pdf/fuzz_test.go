package pdf_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/pdf"
)

// Whatever a file claims, reading it ends, and an update of it is read back as it was written.
func FuzzOpen(f *testing.F) {
	f.Add(simple(f))
	f.Add(changeTitle(f, simple(f)))
	f.Add(bytes.Replace(simple(f), []byte("startxref\n"), []byte("startxref\n7"), 1))
	if os.Getenv("VIADUKT_CORPUS") != "" {
		files, _ := filepath.Glob(filepath.Join(corpus.Dir(f, "esignature"), "dss/pades/protected/*.pdf"))
		for _, file := range files {
			if b, err := os.ReadFile(file); err == nil && len(b) < 50_000 {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := pdf.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		d.Pages()
		d.Files()
		d.Metadata()
		for n := range 64 {
			if s, ok := pdf.Get[*pdf.Stream](d, ref(n)); ok {
				d.Bytes(s, 1<<16)
			}
		}
		u, err := d.Update()
		if err != nil {
			return
		}
		r := u.Add(pdf.String("appended"))
		a, err := u.Append()
		if err != nil {
			return
		}
		whole := append(bytes.Clone(b), a.Octets...)
		again, err := pdf.Open(bytes.NewReader(whole), int64(len(whole)))
		if err != nil {
			t.Fatal(err)
		}
		if s, _ := pdf.Get[pdf.String](again, r); s != "appended" {
			t.Fatalf("%v is %q", r, s)
		}
	})
}

// An object that can be read can be written, and is then read as the same.
func FuzzObject(f *testing.F) {
	f.Add([]byte("<</A [1 -2.5 (x\\)\\053) <4142> /N#20 true null 3 0 R]>>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := pdf.ParseObject(b)
		if err != nil {
			return
		}
		var once, twice bytes.Buffer
		if err := pdf.Write(&once, o); err != nil {
			t.Skip(err) // numbers beyond what can be told
		}
		back, err := pdf.ParseObject(once.Bytes())
		if err != nil {
			t.Fatalf("%q became %q: %v", b, once.Bytes(), err)
		}
		if err := pdf.Write(&twice, back); err != nil || !bytes.Equal(once.Bytes(), twice.Bytes()) {
			t.Fatalf("%q became %q and %q, %v", b, once.Bytes(), twice.Bytes(), err)
		}
	})
}
