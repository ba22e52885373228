package pades

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/pdf"
)

// update appends a revision in which objects were changed.
func update(t testing.TB, b []byte, change func(u *pdf.Update, d *pdf.Document)) []byte {
	t.Helper()
	d, err := pdf.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	u, err := d.Update()
	if err != nil {
		t.Fatal(err)
	}
	change(u, d)
	a, err := u.Append()
	if err != nil {
		t.Fatal(err)
	}
	return append(slices.Clip(b), a.Octets...)
}

func with(t testing.TB, d *pdf.Document, r pdf.Ref, key pdf.Name, o pdf.Object) pdf.Dict {
	t.Helper()
	dict, ok := pdf.Get[pdf.Dict](d, r)
	if !ok {
		t.Fatalf("%v is no dictionary", r)
	}
	dict = dict.Clone()
	dict[key] = o
	return dict
}

// changed is the form dictionary of a document, changed.
func changed(d *pdf.Document, change func(form pdf.Dict)) pdf.Dict {
	catalog, _ := d.Catalog()
	form, _ := pdf.Get[pdf.Dict](d, catalog["AcroForm"])
	form = form.Clone()
	change(form)
	return form
}

// form is a document with a text field on its first page.
func form(objects map[int]pdf.Object) {
	objects[1].(pdf.Dict)["AcroForm"] = pdf.Dict{"Fields": pdf.Array{ref(7)}}
	objects[3].(pdf.Dict)["Annots"] = pdf.Array{ref(7), ref(9)}
	objects[7] = pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "FT": pdf.Name("Tx"), "T": pdf.String("Sum"), "V": pdf.String("10"), "P": ref(3),
		"Rect": pdf.Array{10, 10, 100, 30}, "AP": pdf.Dict{"N": ref(8)}}
	objects[8] = pdf.Compress(pdf.Dict{"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Form"), "BBox": pdf.Array{0, 0, 90, 20}}, []byte("% 10"))
	// Forms on the second page, which also refer to each other and to what is harmless.
	objects[4].(pdf.Dict)["Resources"] = pdf.Dict{"XObject": pdf.Dict{"P": ref(10), "X": ref(13)}}
	objects[10] = pdf.Compress(pdf.Dict{"Resources": pdf.Dict{"XObject": pdf.Dict{"P": ref(11), "Type": pdf.Name("Annot")}}}, []byte("/P Do"))
	objects[11] = pdf.Compress(nil, []byte("n"))
	objects[12] = pdf.Compress(pdf.Dict{"Resources": ref(13)}, []byte("n"))
	objects[13] = pdf.Dict{"XObject": pdf.Dict{"A": ref(12)}}
	objects[1].(pdf.Dict)["Metadata"] = ref(12)
	objects[9] = pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Text"), "Rect": pdf.Array{0, 0, 9, 9}, "Contents": pdf.String("a note")}
}

// What is done to a document after it was signed is told by kind and page, and what a page shows must not change.
func TestChangesAfterSigning(t *testing.T) {
	t.Parallel()
	looks := func(u *pdf.Update) pdf.Ref {
		return u.Add(pdf.Compress(pdf.Dict{"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Form"), "BBox": pdf.Array{0, 0, 90, 20}}, []byte("% 99")))
	}
	for _, c := range []struct {
		name   string
		change func(u *pdf.Update, d *pdf.Document)
		want   string // the changes
		refuse []int  // permissions under which it is a violation; 0 is a signature that certifies nothing
	}{
		{"nothing", func(u *pdf.Update, d *pdf.Document) { u.Set(ref(9), with(t, d, ref(9), "Rect", pdf.Array{0, 0, 9, 9})) }, "", nil},
		{"other metadata", func(u *pdf.Update, d *pdf.Document) {
			u.Set(ref(1), with(t, d, ref(1), "Metadata", u.Add(pdf.Compress(nil, []byte("<x/>")))))
		},
			"validation material: Metadata", nil},
		{"the content of a page", func(u *pdf.Update, _ *pdf.Document) {
			u.Set(ref(5), pdf.Compress(nil, []byte("0 1 0 rg 0 0 9 9 re f")))
		},
			"page 1: page content: Contents", []int{0, 1, 2, 3}},
		{"a font that others share", func(u *pdf.Update, d *pdf.Document) {
			u.Set(ref(4), with(t, d, ref(4), "Resources", pdf.Dict{"XObject": pdf.Dict{"P": ref(10), "X": ref(13)}, "Font": pdf.Dict{"F1": u.Add(pdf.Dict{})}}))
		},
			"page 2: page content: Resources", []int{0, 1, 2, 3}},
		{"the size of a page", func(u *pdf.Update, d *pdf.Document) {
			u.Set(ref(4), with(t, d, ref(4), "CropBox", pdf.Array{0, 0, 10, 10}))
		},
			"page 2: page content: size or rotation", []int{0, 1, 2, 3}},
		{"a page less", func(u *pdf.Update, d *pdf.Document) { u.Set(ref(2), with(t, d, ref(2), "Kids", pdf.Array{ref(4)})) },
			"pages: 1 pages, 2 were signed", []int{0, 1, 2, 3}},
		{"pages in another order", func(u *pdf.Update, d *pdf.Document) {
			u.Set(ref(2), with(t, d, ref(2), "Kids", pdf.Array{ref(4), ref(3)}))
		},
			"pages: other pages, or in another order", []int{0, 1, 2, 3}},
		{"another page tree", func(u *pdf.Update, d *pdf.Document) {
			page := u.Add(pdf.Dict{"Type": pdf.Name("Page"), "MediaBox": pdf.Array{0, 0, 595, 842}, "Resources": pdf.Dict{}, "Contents": u.Add(pdf.Compress(nil, []byte("f")))})
			u.Set(ref(1), with(t, d, ref(1), "Pages", u.Add(pdf.Dict{"Type": pdf.Name("Pages"), "Kids": pdf.Array{page, ref(4)}, "Count": 2, "MediaBox": pdf.Array{0, 0, 595, 842}})))
		}, "pages: other pages, or in another order", []int{0, 1, 2, 3}},
		{"layers", func(u *pdf.Update, d *pdf.Document) {
			u.Set(ref(1), with(t, d, ref(1), "OCProperties", pdf.Dict{"D": pdf.Dict{}}))
		},
			"page content: OCProperties", []int{0, 1, 2, 3}},
		{"a field is filled in", func(u *pdf.Update, d *pdf.Document) {
			f := with(t, d, ref(7), "V", pdf.String("99"))
			f["AP"] = pdf.Dict{"N": looks(u)}
			u.Set(ref(7), f)
		}, "page 1: form: Sum", []int{1}},
		{"a field shows what it does not hold", func(u *pdf.Update, d *pdf.Document) { u.Set(ref(7), with(t, d, ref(7), "AP", pdf.Dict{"N": looks(u)})) },
			"page 1: page content: Sum: other looks of the same value", []int{0, 1, 2, 3}},
		{"the form of a field is replaced under its number", func(u *pdf.Update, _ *pdf.Document) {
			u.Set(ref(8), pdf.Compress(pdf.Dict{"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Form"), "BBox": pdf.Array{0, 0, 90, 20}}, []byte("% 99")))
		}, "page 1: page content: Sum: other looks of the same value", []int{0, 1, 2, 3}},
		{"a field is moved", func(u *pdf.Update, d *pdf.Document) {
			u.Set(ref(7), with(t, d, ref(7), "Rect", pdf.Array{50, 50, 90, 90}))
		},
			"page 1: fields: Sum: Rect", []int{1, 2, 3}},
		{"fields are shown by their values", func(u *pdf.Update, d *pdf.Document) {
			u.Set(ref(1), with(t, d, ref(1), "AcroForm", changed(d, func(form pdf.Dict) { form["NeedAppearances"] = true })))
		}, "page content: AcroForm NeedAppearances", []int{0, 1, 2, 3}},
		{"a field is another object of the same name", func(u *pdf.Update, d *pdf.Document) {
			f := with(t, d, ref(7), "AP", pdf.Dict{"N": looks(u)})
			r := u.Add(f)
			u.Set(ref(1), with(t, d, ref(1), "AcroForm", changed(d, func(form pdf.Dict) { form["Fields"] = append(pdf.Array{r}, form["Fields"].(pdf.Array)[1:]...) })))
		}, "fields: Sum: another object; page content: Sum: other looks of the same value", []int{0, 1, 2, 3}},
		{"a form is hidden under a name that means something elsewhere", func(u *pdf.Update, _ *pdf.Document) { u.Set(ref(11), pdf.Compress(nil, []byte("0 0 999 999 re f"))) },
			"page 2: page content: Resources", []int{0, 1, 2, 3}},
		{"a form that leads back to one that is harmless elsewhere", func(u *pdf.Update, d *pdf.Document) {
			u.Set(ref(12), pdf.Compress(pdf.Dict{"Resources": ref(13)}, []byte("0 0 999 999 re f")))
		}, "validation material: Metadata; page 2: page content: Resources", []int{0, 1, 2, 3}},
		{"a time-stamp that shows itself", func(u *pdf.Update, d *pdf.Document) {
			f := u.Add(pdf.Dict{"Subtype": pdf.Name("Widget"), "FT": pdf.Name("Sig"), "T": pdf.String("Stamp"), "Rect": pdf.Array{0, 0, 500, 800}, "AP": pdf.Dict{"N": looks(u)},
				"V": u.Add(pdf.Dict{"Type": pdf.Name("DocTimeStamp")})})
			u.Set(ref(1), with(t, d, ref(1), "AcroForm", changed(d, func(form pdf.Dict) { form["Fields"] = append(slices.Clone(form["Fields"].(pdf.Array)), f) })))
		}, "annotation: Stamp is a time-stamp that shows itself", []int{1, 2}},
		{"a note is changed", func(u *pdf.Update, d *pdf.Document) {
			u.Set(ref(9), with(t, d, ref(9), "Contents", pdf.String("other")))
		},
			"page 1: annotation: Text was changed", []int{1, 2}},
		{"a note is added", func(u *pdf.Update, d *pdf.Document) {
			u.Set(ref(6), pdf.Array{u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("FreeText")})})
		},
			"page 2: annotation: FreeText is new", []int{1, 2}},
		{"an action at opening", func(u *pdf.Update, d *pdf.Document) {
			u.Set(ref(1), with(t, d, ref(1), "OpenAction", pdf.Dict{"S": pdf.Name("JavaScript")}))
		},
			"document: OpenAction", nil},
	} {
		for permission := range 4 {
			b := theWorld().sign(t, paper(t, permission%2 == 1, form), Parameters{Permission: permission}, nil)
			all := open(t, update(t, b, c.change)).Signatures
			s := all[slices.IndexFunc(all, func(s *Signature) bool { return s.CMS != nil })]
			if err := s.Verify().Err(); err != nil || s.Range != nil || s.Consistent() != nil {
				t.Fatalf("%s: the signature itself: %v %v %v", c.name, err, s.Range, s.Consistent())
			}
			changes, err := s.Changes()
			var got []string
			for _, x := range changes {
				got = append(got, x.String())
			}
			if err != nil || strings.Join(got, "; ") != c.want {
				t.Errorf("%s: %q, want %q, %v", c.name, got, c.want, err)
			}
			if refused := len(s.Violations(changes)) > 0; refused != slices.Contains(c.refuse, permission) {
				t.Errorf("%s under permission %d: refused %v", c.name, permission, refused)
			}
		}
	}
}

func TestLockedFieldsMustNotChange(t *testing.T) {
	t.Parallel()
	fill := func(u *pdf.Update, d *pdf.Document) { u.Set(ref(7), with(t, d, ref(7), "V", pdf.String("99"))) }
	for _, c := range []struct {
		lock    *Lock
		refused bool
	}{
		{&Lock{Action: "All"}, true}, {&Lock{Action: "Include", Fields: []string{"Sum"}}, true}, {&Lock{Action: "Include", Fields: []string{"Su"}}, false},
		{&Lock{Action: "Exclude", Fields: []string{"Other"}}, true}, {&Lock{Action: "Exclude", Fields: []string{"Sum"}}, false},
	} {
		b := theWorld().sign(t, paper(t, false, form), Parameters{Locked: c.lock}, nil)
		s := open(t, update(t, b, fill)).Signatures[0]
		changes, err := s.Changes()
		if err != nil || len(s.Violations(changes)) > 0 != c.refused {
			t.Errorf("%+v: %v %v", c.lock, changes, err)
		}
	}
	// A field may have a lock besides that of its signer: both count.
	both := paper(t, false, func(objects map[int]pdf.Object) {
		form(objects)
		objects[1].(pdf.Dict)["AcroForm"] = pdf.Dict{"Fields": pdf.Array{ref(7), ref(14)}}
		objects[14] = pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.String("Mayor"), "Lock": pdf.Dict{"Action": pdf.Name("Include"), "Fields": pdf.Array{pdf.String("Other")}}}
	})
	b := theWorld().sign(t, both, Parameters{Field: "Mayor", Locked: &Lock{Action: "Include", Fields: []string{"Sum"}}}, nil)
	s := open(t, update(t, b, fill)).Signatures[0]
	if changes, err := s.Changes(); err != nil || len(s.Locked) != 2 || len(s.Violations(changes)) != 1 {
		t.Errorf("two locks: %v %v %v", s.Locked, changes, err)
	}
}

var numbers = regexp.MustCompile(`/ByteRange \[0 (\d+) (\d+) (\d+) *\]`)

// Games with the signed range are seen through: what a signature does not cover but leaves out must be itself.
func TestSignedRangeGames(t *testing.T) {
	t.Parallel()
	b := theWorld().sign(t, paper(t, false, nil), Parameters{}, nil)
	m := numbers.FindSubmatchIndex(b)
	var r [3]int
	for i := range r {
		fmt.Sscan(string(b[m[2+2*i]:m[3+2*i]]), &r[i])
	}
	set := func(a, x, y, z int) []byte {
		out := slices.Clone(b)
		copy(out[m[0]:], fmt.Sprintf("%-47s", fmt.Sprintf("/ByteRange [%d %d %d %d]", a, x, y, z)))
		return out
	}
	cases := map[string][]byte{
		"does not begin at the beginning":      set(5, r[0]-5, r[1], r[2]),
		"leaves out more before":               set(0, r[0]-20, r[1], r[2]),
		"leaves out more behind":               set(0, r[0], r[1]+20, r[2]-20),
		"leaves out less":                      set(0, r[0]+2, r[1], r[2]),
		"ends behind the file":                 set(0, r[0], r[1], r[2]+100),
		"leaves out nothing":                   set(0, r[1], r[1], r[2]),
		"runs backwards":                       set(0, r[1], r[0], r[2]),
		"three numbers":                        bytes.Replace(b, b[m[0]:m[0]+14], []byte("/ByteRange [  "), 1),
		"signs what stands in the hole beside": bytes.Replace(b, []byte("/Contents <3"), []byte("/Contents (3"), 1),
	}
	hole := slices.Clone(b)
	copy(hole[r[1]-30:], "> (hidden) <")
	cases["something else in what is left out"] = hole
	for name, b := range cases {
		d, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil || len(d.Signatures) == 0 {
			continue // no longer a signature at all
		}
		s := d.Signatures[0]
		if s.Range == nil && s.Err == nil && s.CMS != nil && s.Verify().Err() == nil {
			t.Errorf("%s: holds", name)
		}
		if s.Range == nil && s.Err == nil {
			t.Errorf("%s: the range is taken as it is", name)
		}
	}
	// Octets behind the end that are no update are nobody's.
	s := open(t, append(slices.Clone(b), "\n99 0 obj\n<<>>\nendobj\n"...)).Signatures[0]
	if changes, err := s.Changes(); err != nil || len(s.Violations(changes)) != 1 {
		t.Errorf("octets behind the end: %v %v", changes, err)
	}
	if changes, err := open(t, append(slices.Clone(b), "\r\n\n"...)).Signatures[0].Changes(); err != nil || len(changes) > 0 {
		t.Errorf("empty lines behind the end: %v %v", changes, err)
	}
	// The looks of a signature are as it was signed.
	shown := theWorld().sign(t, paper(t, false, nil), Parameters{Visible: &Appearance{Rect: [4]float64{10, 10, 90, 40}, Text: "Ada"}}, nil)
	s = open(t, update(t, shown, func(u *pdf.Update, d *pdf.Document) {
		f := open(t, shown).Fields[0]
		u.Set(f.Ref, with(t, d, f.Ref, "AP", pdf.Dict{"N": u.Add(pdf.Compress(nil, []byte("% Eve")))}))
	})).Signatures[0]
	if changes, err := s.Changes(); err != nil || len(s.Violations(changes)) != 1 {
		t.Errorf("other looks of a signature: %v %v", changes, err)
	}
	// A signature dictionary that was exchanged afterwards for one over less.
	late := update(t, b, func(u *pdf.Update, d *pdf.Document) {
		for n := 1; n < 40; n++ {
			if dict, ok := pdf.Get[pdf.Dict](d, ref(n)); ok && dict["Type"] == pdf.Name("Sig") {
				u.Set(ref(n), with(t, d, ref(n), "Reason", pdf.String("something else")))
			}
		}
	})
	s = open(t, late).Signatures[0]
	if s.Reason != "something else" || s.Consistent() == nil {
		t.Errorf("a changed signature dictionary: %q, %v", s.Reason, s.Consistent())
	}
}
