package console

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

type fakeImports struct{ taken []string }

func (f *fakeImports) Plan(_ context.Context, name string, octets []byte) (*ImportPlan, error) {
	if string(octets) == "wrong" {
		return nil, &ImportRefused{Issues: []string{name + ":29: <script>alert(1)</script>"}}
	}
	const hostile = `"><script>alert(1)</script>`
	return &ImportPlan{Format: "domibus", Partners: 1, PModes: 1, Warnings: []string{hostile}, NotServed: []string{hostile},
		Changes: []ImportChange{{Op: "changed", Kind: "P-Mode", Name: hostile, Fields: []ImportField{{"url", hostile, "https://new.example/"}}}}}, nil
}

func (f *fakeImports) Import(_ context.Context, name string, octets []byte) error {
	f.taken = append(f.taken, name+" "+string(octets))
	return nil
}

func (f *fakeImports) Trust(_ context.Context, partner string, certificate []byte) error {
	if string(certificate) != "certificate" {
		return &ImportRefused{Issues: []string{partner}}
	}
	f.taken = append(f.taken, "certificate of "+partner)
	return nil
}

// TestAFileIsShownBeforeItIsTaken: escaped, to administrators, once, and not for ever.
func TestAFileIsShownBeforeItIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	imports := &fakeImports{}
	w.opt.Imports = imports
	b := w.as(t, Administrator)
	b.upload("/console/agreements/import", "file", "wrong.xml", []byte("wrong")).says(t, "a wrong file", http.StatusUnprocessableEntity, "The file is refused", "wrong.xml:29: &lt;script&gt;")
	b.upload("/console/agreements/import", "file", "none.xml", nil).says(t, "no file", http.StatusUnprocessableEntity, "Choose a file.")
	id := func() string {
		t.Helper()
		p := b.upload("/console/agreements/import", "file", `C:\files\good.xml`, []byte("good"))
		p.says(t, "a good file", http.StatusOK, "good.xml", "https://new.example/", "&lt;script&gt;")
		if strings.Contains(p.body, "<script>alert") {
			t.Error("what the file says is markup")
		}
		_, rest, _ := strings.Cut(p.body, `name="id" value="`)
		id, _, ok := strings.Cut(rest, `"`)
		if !ok || id == "" {
			t.Fatal("nothing to say yes to")
		}
		return id
	}
	b.upload("/console/agreements/import/certificate", "file", "a.pem", []byte("none"), "partner", "pt").says(t, "no certificate", http.StatusUnprocessableEntity, "no certificate that can be used")
	b.upload("/console/agreements/import/certificate", "file", "a.pem", []byte("certificate"), "partner", "pt").says(t, "a certificate", http.StatusOK, "Upload the P-Mode file again.")
	if len(imports.taken) != 1 || imports.taken[0] != "certificate of pt" {
		t.Errorf("taken %q", imports.taken)
	}
	imports.taken = nil
	first := id()
	if len(imports.taken) != 0 {
		t.Fatal("it is taken already")
	}
	b.post("/console/agreements/import/apply", "id", first).says(t, "yes", http.StatusOK, "The P-Modes are in use.")
	b.post("/console/agreements/import/apply", "id", first).says(t, "yes again", http.StatusUnprocessableEntity, "too long ago")
	late := id()
	w.clock.Add(16 * time.Minute)
	b.post("/console/agreements/import/apply", "id", late).says(t, "late", http.StatusUnprocessableEntity, "too long ago")
	if len(imports.taken) != 1 || imports.taken[0] != "good.xml good" {
		t.Errorf("taken %q", imports.taken)
	}
	var first8 string
	for i := range plannedMost + 1 {
		if got := id(); i == 0 {
			first8 = got
		}
	}
	b.post("/console/agreements/import/apply", "id", first8).says(t, "one of too many", http.StatusUnprocessableEntity, "too long ago")
	w.user(t, "other", Administrator)
	mine := id()
	o := w.browser(t)
	o.login("other", password)
	o.post("/console/agreements/import/apply", "id", mine).says(t, "somebody else's", http.StatusUnprocessableEntity, "too long ago")
}
