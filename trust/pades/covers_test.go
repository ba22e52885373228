package pades

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/pdf"
)

// bill is a document with text in the middle of its first page, a picture below it, and a form of two that is shown.
func bill(objects map[int]pdf.Object) {
	objects[5] = pdf.Compress(nil, []byte("BT /F1 12 Tf 100 700 Td (The sum is 100 Euro) Tj ET q 100 0 0 50 100 300 cm /Im Do Q /Shown Do"))
	objects[3].(pdf.Dict)["Resources"] = pdf.Dict{"XObject": pdf.Dict{"Im": ref(7), "Shown": ref(8)}}
	objects[7] = pdf.Compress(pdf.Dict{"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Image"), "Width": 1, "Height": 1, "ColorSpace": pdf.Name("DeviceGray"), "BitsPerComponent": 8}, []byte{0})
	objects[8] = pdf.Compress(pdf.Dict{"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Form"), "BBox": pdf.Array{0, 0, 595, 842}}, []byte("1 1 1 rg 90 500 200 30 re f"))
	objects[9] = pdf.Compress(pdf.Dict{"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Form"), "BBox": pdf.Array{0, 0, 595, 842}}, []byte("BT /F1 12 Tf 100 510 Td (And 9999 Euro) Tj ET"))
	objects[10] = pdf.Dict{"Type": pdf.Name("Pages"), "Kids": pdf.Array{ref(11)}, "Count": 1, "MediaBox": pdf.Array{0, 0, 595, 842}}
	objects[11] = pdf.Dict{"Type": pdf.Name("Page"), "Parent": ref(10), "Contents": ref(12), "Resources": pdf.Dict{}}
	objects[12] = pdf.Compress(nil, []byte("BT /F1 12 Tf 100 700 Td (The sum is 9999 Euro) Tj ET"))
}

// Annotations and fields that come later must not lie over what was signed.
func TestWhatLiesOverContent(t *testing.T) {
	t.Parallel()
	white := func(u *pdf.Update, more pdf.Dict) pdf.Ref {
		d := pdf.Dict{"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Form"), "BBox": pdf.Array{0, 0, 100, 20}}
		maps.Copy(d, more)
		return u.Add(pdf.Compress(d, []byte("1 g 0 0 100 20 re f")))
	}
	text, picture, nothing := pdf.Array{150, 690, 250, 720}, pdf.Array{190, 340, 300, 400}, pdf.Array{400, 20, 500, 60}
	annotate := func(a pdf.Dict) func(u *pdf.Update, d *pdf.Document) {
		return func(u *pdf.Update, d *pdf.Document) {
			a := a.Clone()
			a["Type"] = pdf.Name("Annot")
			switch a["AP"] {
			case "white":
				a["AP"] = pdf.Dict{"N": white(u, nil)}
			case "marker":
				a["AP"] = pdf.Dict{"N": white(u, pdf.Dict{"Resources": pdf.Dict{"ExtGState": pdf.Dict{"G": pdf.Dict{"BM": pdf.Name("Multiply")}}}})}
			case "thin":
				a["AP"] = pdf.Dict{"N": u.Add(pdf.Compress(pdf.Dict{"Subtype": pdf.Name("Form"), "BBox": pdf.Array{0, 0, 100, 20}}, []byte("0 0 m 100 20 l S 0 0 2 2 re f")))}
			}
			u.Set(ref(3), with(t, d, ref(3), "Annots", pdf.Array{u.Add(a)}))
		}
	}
	for name, c := range map[string]struct {
		change func(u *pdf.Update, d *pdf.Document)
		covers bool
	}{
		"text over text":             {annotate(pdf.Dict{"Subtype": pdf.Name("FreeText"), "Rect": text}), true},
		"white over text":            {annotate(pdf.Dict{"Subtype": pdf.Name("Text"), "Rect": text, "AP": "white"}), true},
		"white over a picture":       {annotate(pdf.Dict{"Subtype": pdf.Name("Stamp"), "Rect": picture, "AP": "white"}), true},
		"a link that paints":         {annotate(pdf.Dict{"Subtype": pdf.Name("Link"), "Rect": text, "AP": "white"}), true},
		"a filled square":            {annotate(pdf.Dict{"Subtype": pdf.Name("Square"), "Rect": text, "IC": pdf.Array{1, 1, 1}}), true},
		"a frame":                    {annotate(pdf.Dict{"Subtype": pdf.Name("Square"), "Rect": text}), false},
		"a marker":                   {annotate(pdf.Dict{"Subtype": pdf.Name("Highlight"), "Rect": text, "AP": "marker"}), false},
		"a line":                     {annotate(pdf.Dict{"Subtype": pdf.Name("Ink"), "Rect": text, "AP": "thin"}), false},
		"a link":                     {annotate(pdf.Dict{"Subtype": pdf.Name("Link"), "Rect": text}), false},
		"text where nothing is":      {annotate(pdf.Dict{"Subtype": pdf.Name("FreeText"), "Rect": nothing, "AP": "white"}), false},
		"what nobody sees":           {annotate(pdf.Dict{"Subtype": pdf.Name("FreeText"), "Rect": text, "F": 2}), false},
		"half of a word at its edge": {annotate(pdf.Dict{"Subtype": pdf.Name("FreeText"), "Rect": pdf.Array{90, 690, 110, 720}}), false},
		"a field over text": {func(u *pdf.Update, d *pdf.Document) {
			f := u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "FT": pdf.Name("Tx"), "T": pdf.String("Sum"), "V": pdf.String("9999"), "Rect": text, "AP": pdf.Dict{"N": white(u, nil)}})
			u.Set(ref(3), with(t, d, ref(3), "Annots", pdf.Array{f}))
			u.Set(ref(1), with(t, d, ref(1), "AcroForm", changed(d, func(form pdf.Dict) {
				fields, _ := pdf.Get[pdf.Array](d, form["Fields"])
				form["Fields"] = append(slices.Clone(fields), f)
			})))
		}, true},
	} {
		b := theWorld().sign(t, paper(t, false, bill), Parameters{}, nil)
		s := open(t, update(t, b, c.change)).Signatures[0]
		changes, err := s.Changes()
		covers := slices.ContainsFunc(changes, func(c Change) bool { return c.Kind == Covering && c.Page == 1 })
		if err != nil || covers != c.covers || len(s.Violations(changes)) > 0 != c.covers {
			t.Errorf("%s: %v, %v", name, changes, err)
		}
	}
	// A second signature that shows itself over text is told.
	b := theWorld().sign(t, paper(t, false, bill), Parameters{}, nil)
	b = theWorld().sign(t, b, Parameters{Visible: &Appearance{Rect: [4]float64{150, 690, 250, 720}, Text: "Eve"}}, nil)
	changes, err := open(t, b).Signatures[0].Changes()
	if err != nil || !slices.ContainsFunc(changes, func(c Change) bool { return c.Kind == Annotated && strings.Contains(c.What, "lies over content") }) {
		t.Errorf("a signature over text: %v, %v", changes, err)
	}
}

// Content that was hidden in the document before it was signed, and is brought out by an update behind the signature: what covers it is
// taken away, what is shown is replaced, the whole document is exchanged.
func TestShadowAttacks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]func(u *pdf.Update, d *pdf.Document){
		"hide": func(u *pdf.Update, _ *pdf.Document) { u.Set(ref(8), pdf.Object(nil)) },
		"hide by another form": func(u *pdf.Update, _ *pdf.Document) {
			u.Set(ref(8), pdf.Compress(pdf.Dict{"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Form"), "BBox": pdf.Array{0, 0, 1, 1}}, nil))
		},
		"replace": func(u *pdf.Update, d *pdf.Document) {
			u.Set(ref(3), with(t, d, ref(3), "Resources", pdf.Dict{"XObject": pdf.Dict{"Im": ref(7), "Shown": ref(9)}}))
		},
		"replace a font": func(u *pdf.Update, d *pdf.Document) {
			u.Set(ref(3), with(t, d, ref(3), "Resources", pdf.Dict{"XObject": pdf.Dict{"Im": ref(7), "Shown": ref(8)}, "Font": pdf.Dict{"F1": u.Add(pdf.Dict{"Type": pdf.Name("Font")})}}))
		},
		"hide and replace": func(u *pdf.Update, d *pdf.Document) { u.Set(ref(1), with(t, d, ref(1), "Pages", ref(10))) },
		"hide and replace by the number": func(u *pdf.Update, d *pdf.Document) {
			u.Set(ref(2), pdf.Dict{"Type": pdf.Name("Pages"), "Kids": pdf.Array{ref(11), ref(4)}, "Count": 2, "MediaBox": pdf.Array{0, 0, 595, 842}})
		},
	} {
		for permission := range 4 {
			b := theWorld().sign(t, paper(t, permission%2 == 1, bill), Parameters{Permission: permission}, nil)
			all := open(t, update(t, b, c)).Signatures
			s := all[slices.IndexFunc(all, func(s *Signature) bool { return s.CMS != nil })]
			if err := s.Verify().Err(); err != nil {
				t.Fatalf("%s: the signature itself: %v", name, err)
			}
			changes, err := s.Changes()
			if err == nil && len(s.Violations(changes)) == 0 {
				t.Errorf("%s under permission %d: %v", name, permission, changes)
			}
		}
	}
}
