package pades

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"image"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/pdftest"
	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is an authority with a signer below it and a time-stamping unit whose clock goes on a minute with each time-stamp.
type world struct {
	ca     *pki.Authority
	signer *pki.Identity
	unit   *pki.Identity
}

var theWorld = sync.OnceValue(func() *world {
	ca, err := pki.NewAuthority(rand.Reader, "CN=Test CA,O=Tests,C=EU", pki.P256, now.AddDate(-1, 0, 0), 20)
	if err != nil {
		panic(err)
	}
	signer, err := ca.Issue(pki.Template{CommonName: "Ada Signer", KeyUsage: pki.UseContentCommitment, NotBefore: now.AddDate(0, -6, 0), NotAfter: now.AddDate(2, 0, 0)})
	if err != nil {
		panic(err)
	}
	unit, err := ca.Issue(pki.Template{CommonName: "Test TSA", ExtKeyUsage: []pki.OID{pki.EKUTimeStamping}, NotBefore: now.AddDate(0, -6, 0), NotAfter: now.AddDate(9, 0, 0)})
	if err != nil {
		panic(err)
	}
	return &world{ca, signer, unit}
})

func (w *world) extension() Extension {
	minutes := 0
	return Extension{Extension: cades.Extension{
		Stamper: &tsp.Responder{Identity: w.unit, Policy: "1.2.3.4", Clock: func() (time.Time, error) {
			minutes++
			return now.Add(time.Duration(minutes) * time.Minute), nil
		}},
		Collect: func(context.Context, []*pki.Certificate, []*pki.Certificate) (cades.Material, error) {
			crl, err := w.ca.CRL(nil, now)
			return cades.Material{Certificates: []*pki.Certificate{w.ca.Certificate}, CRLs: [][]byte{crl}}, err
		},
	}}
}

func ref(n int) pdf.Ref { return pdf.Ref{Number: n} }

// paper is a document of two pages; with stream its cross-references are a stream. Objects can be changed or added before it is
// written.
func paper(t testing.TB, stream bool, change func(objects map[int]pdf.Object)) []byte {
	t.Helper()
	objects := map[int]pdf.Object{
		1: pdf.Dict{"Type": pdf.Name("Catalog"), "Pages": ref(2)},
		2: pdf.Dict{"Type": pdf.Name("Pages"), "Kids": pdf.Array{ref(3), ref(4)}, "Count": 2, "MediaBox": pdf.Array{0, 0, 595, 842}},
		3: pdf.Dict{"Type": pdf.Name("Page"), "Parent": ref(2), "Contents": ref(5), "Resources": pdf.Dict{}},
		4: pdf.Dict{"Type": pdf.Name("Page"), "Parent": ref(2), "Rotate": 90, "Resources": pdf.Dict{}, "Annots": ref(6)},
		5: pdf.Compress(nil, []byte("1 0 0 rg 100 100 200 200 re f")),
		6: pdf.Array{},
	}
	if change != nil {
		change(objects)
	}
	var list []pdf.Object
	for n := 1; n <= len(objects); n++ {
		list = append(list, objects[n])
	}
	return pdftest.File(t, stream, list...)
}

func open(t testing.TB, b []byte) *Document {
	t.Helper()
	d, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (w *world) sign(t testing.TB, b []byte, p Parameters, stamper tsp.Stamper) []byte {
	t.Helper()
	if p.Time.IsZero() {
		p.Time = now
	}
	more, err := Sign(context.Background(), rand.Reader, w.signer, open(t, b), p, stamper)
	if err != nil {
		t.Fatal(err)
	}
	return append(slices.Clip(b), more...)
}

// check verifies every signature of a document, and that nobody else objects to it.
func check(t *testing.T, b []byte, levels ...Level) *Document {
	t.Helper()
	d := open(t, b)
	var got []Level
	for _, s := range d.Signatures {
		if s.Range != nil || s.Err != nil {
			t.Fatalf("%s: %v %v", s.Field.Name, s.Range, s.Err)
		}
		if s.TimeStamp {
			if err := errors.Join(s.CheckImprint(), s.Token.Verify().Err()); err != nil {
				t.Errorf("%s: %v", s.Field.Name, err)
			}
			continue
		}
		if f := s.Verify(); f.Err() != nil {
			t.Errorf("%s: %v", s.Field.Name, f.Err())
		}
		got = append(got, s.Level())
	}
	if !slices.Equal(got, levels) {
		t.Errorf("levels %v, want %v", got, levels)
	}
	outside(t, b, len(got))
	return d
}

// outside asks qpdf and pdfsig, where they are installed.
func outside(t *testing.T, b []byte, signatures int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "signed.pdf")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if qpdf, err := exec.LookPath("qpdf"); err == nil {
		if out, err := exec.Command(qpdf, "--check", file).CombinedOutput(); err != nil {
			t.Errorf("qpdf: %v\n%s", err, out)
		}
	}
	if pdfsig, err := exec.LookPath("pdfsig"); err == nil {
		out, err := exec.Command(pdfsig, "-nocert", file).CombinedOutput()
		if good := strings.Count(string(out), "Signature is Valid"); good != signatures {
			t.Errorf("pdfsig finds %d of %d signatures valid, %v\n%s", good, signatures, err, out)
		}
	}
}

func TestLevelsGrowByAppending(t *testing.T) {
	t.Parallel()
	w := theWorld()
	for _, stream := range []bool{false, true} {
		b := paper(t, stream, nil)
		signed := w.sign(t, b, Parameters{Reason: "Genehmigt für Würzburg", Location: "Tartu", Name: "Ada", Contact: "ada@example.eu"}, nil)
		d := check(t, signed, LevelB)
		s := d.Signatures[0]
		if s.Reason != "Genehmigt für Würzburg" || s.Location != "Tartu" || s.Name != "Ada" || !s.Time.Equal(now) || s.End != int64(len(signed)) || s.Field.Name != "Signature1" {
			t.Errorf("%+v", s)
		}
		x := w.extension()
		x.VRI = stream
		last := signed
		for _, level := range []Level{LevelT, LevelLT, LTA, LTA} {
			more, err := Extend(context.Background(), open(t, last), level, x)
			if err != nil {
				t.Fatal(level, err)
			}
			grown := append(slices.Clip(last), more...)
			d := check(t, grown, level)
			changes, err := d.Signatures[0].Changes()
			if err != nil || len(changes) == 0 {
				t.Error(changes, err)
			}
			for _, c := range changes {
				if c.Kind != StoreAdded {
					t.Errorf("%s: %v", level, c)
				}
			}
			if level != LevelT && (len(d.Store.Certificates) != 3 || len(d.Store.CRLs) == 0) {
				t.Errorf("%s: store with %d certificates, %d lists", level, len(d.Store.Certificates), len(d.Store.CRLs))
			}
			for i, s := range d.Signatures { // what belongs to the last time-stamp comes with the next
				key, _ := s.Key()
				var v VRI
				ok := false
				if d.Store != nil {
					v, ok = d.Store.VRI[key]
				}
				if want := stream && level != LevelT && (level == LevelLT || i+1 < len(d.Signatures)); ok != want {
					t.Errorf("%s: %s: what is related to it is there: %v", level, s.Field.Name, ok)
				} else if ok && (len(v.Certificates) < 2 || len(v.CRLs) == 0) {
					t.Errorf("%s: %s: %d certificates, %d lists", level, s.Field.Name, len(v.Certificates), len(v.CRLs))
				}
			}
			last = grown
		}
		if n := len(open(t, last).Signatures); n != 4 {
			t.Errorf("%d signatures and time-stamps", n)
		}
	}
	check(t, w.sign(t, paper(t, false, nil), Parameters{}, w.extension().Stamper), LevelT)
}

// What a signer writes is never taken for the place of the signature.
func TestTextsThatLookLikeTheSignature(t *testing.T) {
	t.Parallel()
	const text = "/ByteRange [0 1 2 3] /Contents <00>"
	d := check(t, theWorld().sign(t, paper(t, false, nil), Parameters{Name: text, Reason: text, Location: text, Contact: text}, nil), LevelB)
	if s := d.Signatures[0]; s.Name != text || s.Reason != text || s.Location != text || s.Contact != text {
		t.Errorf("%+v", s)
	}
}

func TestSeveralSigners(t *testing.T) {
	t.Parallel()
	w := theWorld()
	field := func(objects map[int]pdf.Object) {
		objects[1].(pdf.Dict)["AcroForm"] = ref(7)
		objects[6] = pdf.Array{ref(8)}
		objects[7] = pdf.Dict{"Fields": pdf.Array{ref(8)}}
		objects[8] = pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "FT": pdf.Name("Sig"), "T": pdf.String("Mayor"), "P": ref(4),
			"Rect": pdf.Array{100, 100, 300, 160}, "Lock": pdf.Dict{"Type": pdf.Name("SigFieldLock"), "Action": pdf.Name("All")}}
	}
	b := paper(t, false, field)
	if d := open(t, b); len(d.Fields) != 1 || d.Fields[0].Lock == nil || len(d.Signatures) != 0 {
		t.Fatalf("%+v", d.Fields)
	}
	one := w.sign(t, b, Parameters{Permission: 2}, nil)
	two := w.sign(t, one, Parameters{Field: "Mayor", Visible: &Appearance{Text: "Signed by the mayor\n1 March 2026"}}, nil)
	d := check(t, two, LevelB, LevelB)
	first, second := d.Signatures[0], d.Signatures[1]
	if first.Permission != 2 || second.Field.Name != "Mayor" || len(second.Locked) != 1 || second.Locked[0].Action != "All" {
		t.Errorf("%+v %+v", first, second)
	}
	changes, err := first.Changes()
	if err != nil || len(changes) != 1 || changes[0].Kind != Signed || changes[0].Page != 2 || len(first.Violations(changes)) > 0 {
		t.Errorf("%v %v", changes, err)
	}
	if err := errors.Join(first.Consistent(), second.Consistent()); err != nil {
		t.Error(err)
	}
	for name, p := range map[string]Parameters{
		"the field again":            {Field: "Mayor"},
		"a certification afterwards": {Permission: 1},
		"a new field with a dot":     {Field: "A.B"},
		"a page that is not there":   {Visible: &Appearance{Page: 3, Rect: [4]float64{0, 0, 9, 9}, Text: "x"}},
		"beside the page":            {Visible: &Appearance{Rect: [4]float64{500, 0, 900, 100}, Text: "x"}},
		"letters without glyphs":     {Visible: &Appearance{Rect: [4]float64{0, 0, 200, 100}, Text: "日本"}},
		"too small a place":          {Reserve: 100},
		"a reason and a commitment":  {Reason: "x", CMS: cades.Parameters{Commitments: []cades.Commitment{{ID: cades.ProofOfApproval}}}},
	} {
		p.Time = now
		if _, err := Sign(context.Background(), rand.Reader, w.signer, open(t, two), p, nil); !errors.Is(err, ErrField) && !errors.Is(err, ErrForbidden) && !errors.Is(err, ErrReserve) && !errors.Is(err, ErrDictionary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	closed := w.sign(t, paper(t, false, nil), Parameters{Permission: 1}, nil)
	if _, err := Sign(context.Background(), rand.Reader, w.signer, open(t, closed), Parameters{Time: now}, nil); !errors.Is(err, ErrForbidden) {
		t.Error(err)
	}
}

func TestVisibleSignatures(t *testing.T) {
	t.Parallel()
	w := theWorld()
	m := image.NewNRGBA(image.Rect(0, 0, 20, 10))
	for x := range 20 {
		m.Set(x, x/2, color.NRGBA{B: 200, A: uint8(12 * x)})
	}
	b := paper(t, true, nil)
	for page := 1; page <= 2; page++ {
		b = w.sign(t, b, Parameters{Visible: &Appearance{Page: page, Rect: [4]float64{50, 50, 250, 120}, Text: "Ada Lovelace\nŽivilė, Σοφία, Іван €", Image: m}}, nil)
	}
	d := check(t, b, LevelB, LevelB)
	for _, s := range d.Signatures {
		looks, _ := pdf.Get[pdf.Dict](d.PDF, s.Field.Dict["AP"])
		form, ok := pdf.Get[*pdf.Stream](d.PDF, looks["N"])
		if !ok {
			t.Fatal("no appearance")
		}
		content, err := d.PDF.Bytes(form, 1<<20)
		if err != nil || !bytes.Contains(content, []byte("/Img Do")) || !bytes.Contains(content, []byte("<0001000200030004")) {
			t.Errorf("%q %v", content, err)
		}
	}
	if render, err := exec.LookPath("pdftoppm"); err == nil {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "v.pdf"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(render, "-r", "30", "-png", filepath.Join(dir, "v.pdf"), filepath.Join(dir, "v")).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("pdftoppm: %v %s", err, out)
		}
		if text, err := exec.Command("pdftotext", filepath.Join(dir, "v.pdf"), "-").CombinedOutput(); err != nil || !strings.Contains(string(text), "Živilė, Σοφία, Іван €") {
			t.Errorf("pdftotext: %v %s", err, text)
		}
	}
}

// Encrypted documents that open without a password are signed where their author lets one.
func TestEncryptedDocuments(t *testing.T) {
	t.Parallel()
	qpdf, err := exec.LookPath("qpdf")
	if err != nil {
		t.Skip("qpdf is not installed")
	}
	w := theWorld()
	for _, granted := range []string{"all", "annotate", "none"} {
		for _, bits := range []string{"128", "256"} {
			dir := t.TempDir()
			in, sealed := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "sealed.pdf")
			if err := os.WriteFile(in, paper(t, false, nil), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"--encrypt", "", "owner", bits, "--modify=" + granted}
			if bits == "128" {
				args = append(args, "--use-aes=y")
			}
			if out, err := exec.Command(qpdf, append(append([]string{"--allow-weak-crypto"}, args...), "--", in, sealed)...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			b, err := os.ReadFile(sealed)
			if err != nil {
				t.Fatal(err)
			}
			if granted != "all" {
				if _, err := Sign(context.Background(), rand.Reader, w.signer, open(t, b), Parameters{Time: now}, nil); !errors.Is(err, ErrForbidden) {
					t.Errorf("%s, %s bits: %v", granted, bits, err)
				}
				continue
			}
			signed := w.sign(t, b, Parameters{Reason: "sealed", Visible: &Appearance{Rect: [4]float64{9, 9, 99, 49}, Text: "Ada"}}, nil)
			more, err := Extend(context.Background(), open(t, signed), LTA, w.extension())
			if err != nil {
				t.Fatal(err)
			}
			d := check(t, append(slices.Clip(signed), more...), LTA)
			if d.Signatures[0].Reason != "sealed" || bytes.Contains(signed, []byte("(sealed)")) {
				t.Errorf("reason %q", d.Signatures[0].Reason)
			}
		}
	}
}

// The key may be elsewhere: what is to be signed goes out, the signature comes in, and nothing need be remembered between.
func TestTwoSteps(t *testing.T) {
	t.Parallel()
	w := theWorld()
	b := paper(t, false, nil)
	p := Parameters{Time: now, CMS: cades.Parameters{Certificate: w.signer.Certificate, Chain: w.signer.Chain}}
	first, err := Prepare(open(t, b), p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Prepare(open(t, b), p)
	if err != nil || !bytes.Equal(first.ToBeSigned(), again.ToBeSigned()) {
		t.Fatal("the second time other octets are to be signed", err)
	}
	s, err := first.Sign(rand.Reader, w.signer.Key)
	if err != nil {
		t.Fatal(err)
	}
	s, err = again.Complete(s.Signature)
	if err != nil {
		t.Fatal(err)
	}
	more, err := again.Finish(s)
	if err != nil {
		t.Fatal(err)
	}
	check(t, append(slices.Clip(b), more...), LevelB)
}
