package pdf_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/pdf"
)

// changeTitle appends a new catalog and a new object.
func changeTitle(t testing.TB, b []byte) []byte {
	t.Helper()
	d := open(t, b)
	u, err := d.Update()
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := d.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	catalog = catalog.Clone()
	catalog["ViaNote"] = u.Add(pdf.String("appended"))
	u.Set(d.Trailer["Root"].(pdf.Ref), catalog)
	a, err := u.Append()
	if err != nil {
		t.Fatal(err)
	}
	return append(slices.Clip(b), a.Octets...)
}

func TestUpdateLeavesWhatIsThere(t *testing.T) {
	t.Parallel()
	qpdf, _ := exec.LookPath("qpdf")
	cases := map[string][]byte{"own.pdf": simple(t), "without end of line.pdf": bytes.TrimSpace(simple(t))}
	for _, name := range []string{"dss/pades/doc.pdf", "dss/pades/EmptyPage.pdf", "dss/pades/validation/doc-firmado-LT.pdf", "dss/pades/validation/pkcs7.pdf", "dss/pades/validation/muestra-firmado-firmado.pdf"} {
		cases[filepath.Base(name)] = corpus.Read(t, "esignature", name)
	}
	kinds := map[bool]int{}
	for name, b := range cases {
		before := open(t, b)
		out := changeTitle(t, changeTitle(t, b))
		if !bytes.HasPrefix(out, b) {
			t.Errorf("%s: octets were touched", name)
		}
		d := open(t, out)
		if d.Repaired || len(d.Revisions) != len(before.Revisions)+2 || d.Revisions[0].Stream != before.Revisions[0].Stream {
			t.Errorf("%s: repaired %v, %d revisions after %d", name, d.Repaired, len(d.Revisions), len(before.Revisions))
		}
		kinds[d.Revisions[0].Stream]++
		catalog, err := d.Catalog()
		if note, _ := pdf.Get[pdf.String](d, catalog["ViaNote"]); err != nil || note != "appended" {
			t.Errorf("%s: %v %v", name, catalog, err)
		}
		if qpdf == "" {
			continue
		}
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, out, 0o600); err != nil {
			t.Fatal(err)
		}
		if answer, err := exec.Command(qpdf, "--check", file).CombinedOutput(); err != nil {
			t.Errorf("%s: qpdf: %v\n%s", name, err, answer)
		}
	}
	if kinds[true] == 0 || kinds[false] == 0 {
		t.Errorf("kinds of cross-references tried: %v", kinds)
	}
}

// The second half of the ID is of the update: the same for equal octets, another for others, also where they differ but late.
func TestUpdatesHaveTheirNames(t *testing.T) {
	t.Parallel()
	b := corpus.Read(t, "esignature", "dss/pades/EmptyPage.pdf")
	name := func(text string) string {
		t.Helper()
		d := open(t, b)
		u, err := d.Update()
		if err != nil {
			t.Fatal(err)
		}
		room := u.Add(pdf.Dict{"Contents": pdf.Room(5000), "Text": pdf.String(text)})
		a, err := u.Append()
		if err != nil {
			t.Fatal(err)
		}
		d = open(t, append(slices.Clip(b), a.Octets...))
		if o, _ := pdf.Get[pdf.Dict](d, room); o["Contents"] != pdf.String(make([]byte, 5000)) {
			t.Errorf("%.40v", o)
		}
		id, _ := pdf.Get[pdf.Array](d, d.Trailer["ID"])
		if len(id) != 2 {
			t.Fatalf("ID %v", id)
		}
		return string(id[1].(pdf.String))
	}
	if one, again, other := name("one"), name("one"), name("other"); one != again || one == other {
		t.Errorf("%x %x %x", one, again, other)
	}
}
