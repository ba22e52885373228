package signing

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/pdf/page"
	"github.com/viadukt-eu/viadukt/trust/pades"
)

// seal is a picture of red points, twice as wide as high.
func seal(t testing.TB) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, 40, 20))
	for x := range 40 {
		for y := range 20 {
			m.Set(x, y, color.NRGBA{R: 255, A: 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withResolution puts points to the metre into a PNG.
func withResolution(b []byte, x, y uint32) []byte {
	chunk := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("pHYs"), x), y)
	chunk = append(chunk, 1)
	out := binary.BigEndian.AppendUint32(bytes.Clone(b[:33]), 9)
	out = binary.BigEndian.AppendUint32(append(out, chunk...), crc32.ChecksumIEEE(chunk))
	return append(out, b[33:]...)
}

func TestResolutionOfPictures(t *testing.T) {
	t.Parallel()
	jfif := func(unit byte) []byte {
		return append([]byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x02"), unit, 0, 100, 0, 50, 0, 0, 0)
	}
	for name, c := range map[string]struct {
		picture []byte
		x, y    float64
	}{
		"PNG":                 {seal(t), 96, 96},
		"PNG that tells":      {withResolution(seal(t), 10000, 5000), 254, 127},
		"PNG that is cut":     {seal(t)[:30], 96, 96},
		"JPEG by the inch":    {jfif(1), 100, 50},
		"JPEG by centimetres": {jfif(2), 254, 127},
		"JPEG by itself":      {jfif(0), 300, 300},
		"GIF":                 {[]byte("GIF89a"), 300, 300},
	} {
		if x, y := resolution(c.picture, 300); math.Abs(x-c.x) > 1e-9 || math.Abs(y-c.y) > 1e-9 {
			t.Errorf("%s: %g, %g", name, x, y)
		}
	}
}

// tj shows a line of a text whose characters are numbered as they come.
func tj(text, line string) string {
	numbers := map[rune]int{}
	for _, r := range text {
		if _, ok := numbers[r]; !ok && r != '\n' {
			numbers[r] = len(numbers) + 1
		}
	}
	out := "<"
	for _, r := range line {
		out += fmt.Sprintf("%04x", numbers[r])
	}
	return out + "> Tj"
}

// turnedSheet is a page that viewers turn clockwise.
func turnedSheet(t testing.TB, rotate int) []byte {
	t.Helper()
	b := sheet()
	d, err := pdf.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	u := must(d.Update())
	pages := must(d.Pages())
	dict := maps.Clone(pages[0].Dict)
	dict["Rotate"] = rotate
	u.Set(pages[0].Ref, dict)
	return append(b, must(u.Append()).Octets...)
}

// shown is where the last signature of a document stands, and what its form holds.
func shown(t *testing.T, b []byte) (rect [4]float64, page pdf.Ref, form *pdf.Stream, content string) {
	t.Helper()
	d := must(pades.Open(bytes.NewReader(b), int64(len(b))))
	f := d.Signatures[len(d.Signatures)-1].Field
	rect, _ = d.PDF.Rectangle(f.Dict["Rect"])
	looks, _ := pdf.Get[pdf.Dict](d.PDF, f.Dict["AP"])
	form, ok := pdf.Get[*pdf.Stream](d.PDF, looks["N"])
	if !ok {
		t.Fatal("it does not show itself")
	}
	page, _ = f.Dict["P"].(pdf.Ref)
	return rect, page, form, string(must(d.PDF.Bytes(form, 1<<20)))
}

func TestVisibleSignatures(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	picture := document("seal.png", seal(t))
	base := must(pades.Open(bytes.NewReader(sheet()), int64(len(sheet()))))
	box := must(base.Page(1)).CropBox
	pw, ph := box[2], box[3]
	text := obj{"text": "Ada Signer\nTallinn", "size": 10, "padding": 2}
	for name, c := range map[string]struct {
		rotate int
		look   obj
		rect   [4]float64
		holds  []string
	}{
		"at a place": {0, obj{"image": picture, "fieldParameters": obj{"originX": 20, "originY": 30, "width": 100, "height": 50}},
			[4]float64{20, ph - 80, 120, ph - 30}, []string{"q 100.000 0 0 50.000 0.000 0.000 cm /Img Do Q"}},
		"as large as the picture": {0, obj{"image": picture, "zoom": 200, "fieldParameters": obj{"originX": 20, "originY": 30}},
			[4]float64{20, ph - 60, 80, ph - 30}, []string{"q 60.000 0 0 30.000"}},
		"as large as the picture says": {0, obj{"image": document("seal.png", withResolution(seal(t), 2835, 5669)), "fieldParameters": obj{"originX": 20, "originY": 30}},
			[4]float64{20, ph - 40, 60, ph - 30}, nil},
		"kept in shape": {0, obj{"image": picture, "imageScaling": "ZOOM_AND_CENTER", "fieldParameters": obj{"originX": 0, "originY": 0, "width": 100, "height": 100}},
			[4]float64{0, ph - 100, 100, ph}, []string{"q 100.000 0 0 50.000 0.000 25.000 cm"}},
		"in its own size": {0, obj{"image": picture, "imageScaling": "CENTER", "fieldParameters": obj{"width": 100, "height": 100}},
			[4]float64{0, ph - 100, 100, ph}, []string{"q 40.000 0 0 20.000 30.000 40.000 cm"}},
		"in the middle": {0, obj{"image": picture, "alignmentHorizontal": "CENTER", "alignmentVertical": "MIDDLE", "fieldParameters": obj{"width": 100, "height": 50}},
			[4]float64{pw/2 - 50, ph/2 - 25, pw/2 + 50, ph/2 + 25}, nil},
		"at the lower right": {0, obj{"image": picture, "alignmentHorizontal": "RIGHT", "alignmentVertical": "BOTTOM", "fieldParameters": obj{"originX": 5, "originY": 6, "width": 100, "height": 50}},
			[4]float64{pw - 105, 6, pw - 5, 56}, nil},
		"turned": {0, obj{"image": picture, "fieldParameters": obj{"originX": 20, "originY": 30, "width": 100, "height": 50, "rotation": "ROTATE_90"}},
			[4]float64{pw - 80, ph - 120, pw - 30, ph - 20}, []string{"q 100.000 0 0 50.000"}},
		"turned half round": {0, obj{"image": picture, "fieldParameters": obj{"originX": 20, "originY": 30, "width": 100, "height": 50, "rotation": "ROTATE_180"}},
			[4]float64{pw - 120, 30, pw - 20, 80}, nil},
		"turned the other way": {0, obj{"image": picture, "fieldParameters": obj{"originX": 20, "originY": 30, "width": 100, "height": 50, "rotation": "ROTATE_270"}},
			[4]float64{30, 20, 80, 120}, nil},
		"upright on a page that is turned": {90, obj{"image": picture, "fieldParameters": obj{"originX": 20, "originY": 30, "width": 100, "height": 50, "rotation": "AUTOMATIC"}},
			[4]float64{30, 20, 80, 120}, []string{"q 100.000 0 0 50.000"}},
		"with a page that is turned": {90, obj{"image": picture, "fieldParameters": obj{"originX": 20, "originY": 30, "width": 100, "height": 50}},
			[4]float64{20, ph - 80, 120, ph - 30}, []string{"q 100.000 0 0 50.000"}},
		"text alone": {0, obj{"backgroundColor": obj{"red": 0, "green": 255, "blue": 0, "alpha": 128}, "textParameters": obj{"text": "Ada\nB", "size": 10, "textColor": obj{"red": 0, "green": 0, "blue": 255, "alpha": 255}, "signerTextHorizontalAlignment": "RIGHT"}, "fieldParameters": obj{"originX": 20, "originY": 30, "width": 100, "height": 50}},
			[4]float64{20, ph - 80, 120, ph - 30}, []string{"/A128 gs 0.000 1.000 0.000 rg", "1.000 1.000 1.000 rg", "0.000 0.000 1.000 rg BT /F1 10.00 Tf", tj("Ada\nB", "Ada"), tj("Ada\nB", "B")}},
		"text at the right": {0, obj{"image": picture, "textParameters": with(text, "signerTextPosition", "RIGHT"), "fieldParameters": obj{"width": 150, "height": 40}},
			[4]float64{0, ph - 40, 150, ph}, []string{"0.000 0.000 cm /Img Do", tj("Ada Signer", "Ada Signer")}},
		"text above": {0, obj{"image": picture, "textParameters": with(text, "signerTextPosition", "TOP"), "fieldParameters": obj{"width": 150, "height": 60}},
			[4]float64{0, ph - 60, 150, ph}, []string{"q 150.000 0 0 32.000 0.000 0.000 cm /Img Do"}},
		"text below": {0, obj{"image": picture, "textParameters": with(text, "signerTextPosition", "BOTTOM"), "fieldParameters": obj{"width": 150, "height": 60}},
			[4]float64{0, ph - 60, 150, ph}, []string{"q 150.000 0 0 32.000 0.000 28.000 cm /Img Do"}},
		"text that fills": {0, obj{"textParameters": with(text, "textWrapping", "FILL_BOX"), "fieldParameters": obj{"width": 150, "height": 60}},
			[4]float64{0, ph - 60, 150, ph}, []string{"/F1 23.00 Tf"}},
		"text that is broken": {0, obj{"textParameters": obj{"text": "Signed by the mayor of Tallinn", "padding": 0, "textWrapping": "FILL_BOX_AND_LINEBREAK"}, "fieldParameters": obj{"width": 60, "height": 60}},
			[4]float64{0, ph - 60, 60, ph}, []string{tj("Signed by the mayor of Tallinn", "Signed by"), tj("Signed by the mayor of Tallinn", "the mayor"), tj("Signed by the mayor of Tallinn", "of Tallinn")}},
	} {
		in := sheet()
		if c.rotate != 0 {
			in = turnedSheet(t, c.rotate)
		}
		signed := w.sign("PAdES_BASELINE_B", obj{"imageParameters": c.look}, document("a.pdf", in))
		b := octetsOf(signed)
		rect, _, form, content := shown(t, b)
		for i := range rect {
			if math.Abs(rect[i]-c.rect[i]) > 0.01 {
				t.Errorf("%s: at %v, want %v", name, rect, c.rect)
				break
			}
		}
		for _, want := range c.holds {
			if !strings.Contains(content, want) {
				t.Errorf("%s: no %q in %q", name, want, content)
			}
		}
		if c.rotate == 90 && c.look["fieldParameters"].(obj)["rotation"] == "AUTOMATIC" && fmt.Sprint(form.Dict["Matrix"]) != "[0 1 -1 0 0 0]" {
			t.Errorf("%s: %v", name, form.Dict["Matrix"])
		}
		if s := w.signatureOf(signed, nil); s["Indication"] != "TOTAL_PASSED" {
			t.Errorf("%s: %v", name, s)
		}
	}
}

func with(o obj, key string, v any) obj {
	o = maps.Clone(o)
	o[key] = v
	return o
}

// TestFieldsAndPages: a field that is there, pages from the end, and what is refused.
func TestFieldsAndPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	doc := page.New(page.Options{Title: "Two", Language: "en", Created: now})
	for range 120 {
		doc.Add(page.Paragraph{Text: page.Plain("To whom it may concern.")})
	}
	two := document("two.pdf", must(doc.Bytes()))
	pages := must(must(pdf.Open(bytes.NewReader(two["bytes"].([]byte)), int64(len(two["bytes"].([]byte))))).Pages())
	text := obj{"text": "Ada"}
	for n, want := range map[int]int{0: 0, 1: 0, 2: 1, -1: len(pages) - 1, -2: len(pages) - 2} {
		_, ref, _, _ := shown(t, octetsOf(w.sign("PAdES_BASELINE_B", obj{"imageParameters": obj{"textParameters": text, "fieldParameters": obj{"page": n}}}, two)))
		if ref != pages[want].Ref {
			t.Errorf("page %d: on %v", n, ref)
		}
	}
	_, _, _, _ = shown(t, octetsOf(w.sign("PAdES_BASELINE_B", obj{"imageParameters": obj{"textParameters": text}}, two)))
	for name, c := range map[string]struct {
		look   obj
		status int
		say    string
	}{
		"a page that is not there":   {obj{"textParameters": text, "fieldParameters": obj{"page": 99}}, 400, "page 99"},
		"beside the page":            {obj{"textParameters": text, "fieldParameters": obj{"originX": 9999}}, 422, "outside"},
		"a field that is not there":  {obj{"textParameters": text, "fieldParameters": obj{"fieldId": "Mayor"}}, 400, "Mayor"},
		"no picture":                 {obj{"image": document("a.png", []byte("x"))}, 400, "picture"},
		"an odd scaling":             {obj{"image": document("a.png", seal(t)), "imageScaling": "NONE"}, 400, "imageScaling"},
		"a font":                     {obj{"textParameters": obj{"text": "x", "font": document("f.ttf", []byte("x"))}}, 501, "font"},
		"letters without glyphs":     {obj{"textParameters": obj{"text": "日本"}}, 400, "日"},
		"no room for the picture":    {obj{"image": document("a.png", seal(t)), "textParameters": text, "fieldParameters": obj{"width": 10, "height": 10}}, 400, "fit"},
		"a negative width":           {obj{"textParameters": text, "fieldParameters": obj{"width": -1}}, 400, "width"},
		"to fill what has no size":   {obj{"textParameters": obj{"text": "x", "textWrapping": "FILL_BOX"}}, 400, "FILL_BOX"},
		"to fill what is too small":  {obj{"textParameters": obj{"text": "x", "textWrapping": "FILL_BOX"}, "fieldParameters": obj{"width": 5, "height": 5}}, 400, "fit"},
		"more text than can be read": {obj{"textParameters": obj{"text": strings.Repeat("x", 5000)}}, 400, "4096"},
	} {
		p := obj{"signatureLevel": "PAdES_BASELINE_B", "signingCertificate": obj{"encodedCertificate": w.key.Certificate.Raw}, "blevelParams": obj{"signingDate": 1}, "imageParameters": c.look}
		got := w.call("signature/one-document/getDataToSign", obj{"parameters": p, "toSignDocument": two}, c.status)
		if !strings.Contains(got["detail"].(string), c.say) {
			t.Errorf("%s: %v", name, got["detail"])
		}
	}
	// A message made elsewhere goes into a place that shows itself, too.
	place := obj{"signatureLevel": "PAdES_BASELINE_B", "blevelParams": obj{"signingDate": now.UnixMilli()}, "imageParameters": obj{"textParameters": text}}
	digest := w.call("signature/pades-external-cms/getMessageDigest", obj{"parameters": place, "toSignDocument": two}, 200)
	in := obj{"parameters": with(place, "signingCertificate", obj{"encodedCertificate": w.key.Certificate.Raw}), "messageDigest": digest}
	in["signatureValue"] = w.call("server-signing/sign/seal/SHA256", w.call("signature/external-cms/getDataToSign", in, 200), 200)
	signed := w.call("signature/pades-external-cms/signDocument", obj{"parameters": place, "toSignDocument": two, "cmsDocument": w.call("signature/external-cms/signMessageDigest", in, 200)}, 200)
	if _, _, _, content := shown(t, octetsOf(signed)); !strings.Contains(content, tj("Ada", "Ada")) {
		t.Errorf("%q", content)
	}
}

// TestASignatureInAFieldOfTheForm is as large as the field.
func TestASignatureInAFieldOfTheForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	b := sheet()
	d := must(pdf.Open(bytes.NewReader(b), int64(len(b))))
	u, pages, catalog := must(d.Update()), must(d.Pages()), must(d.Catalog())
	field := u.Add(pdf.Dict{"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "FT": pdf.Name("Sig"), "T": pdf.Text("Mayor"), "F": 4, "Rect": pdf.Array{50, 60, 250, 120}, "P": pages[0].Ref})
	sheet := maps.Clone(pages[0].Dict)
	sheet["Annots"] = pdf.Array{field}
	u.Set(pages[0].Ref, sheet)
	catalog = catalog.Clone()
	catalog["AcroForm"] = pdf.Dict{"Fields": pdf.Array{field}}
	u.Set(d.Trailer["Root"].(pdf.Ref), catalog)
	form := document("form.pdf", append(b, must(u.Append()).Octets...))
	look := obj{"image": document("a.png", seal(t)), "textParameters": obj{"text": "The mayor", "size": 6}, "fieldParameters": obj{"fieldId": "Mayor", "rotation": "ROTATE_90"}}
	signed := octetsOf(w.sign("PAdES_BASELINE_B", obj{"imageParameters": look}, form))
	rect, _, stream, content := shown(t, signed)
	if rect != [4]float64{50, 60, 250, 120} || fmt.Sprint(stream.Dict["BBox"]) != "[0 0 60 200]" || !strings.Contains(content, tj("The mayor", "The mayor")) {
		t.Errorf("%v %v %q", rect, stream.Dict, content)
	}
	got := must(pades.Open(bytes.NewReader(signed), int64(len(signed))))
	if len(got.Signatures) != 1 || got.Signatures[0].Field.Name != "Mayor" {
		t.Errorf("%+v", got.Signatures)
	}
	// Without picture and text the field is signed, and shows nothing.
	plain := octetsOf(w.sign("PAdES_BASELINE_B", obj{"imageParameters": obj{"fieldParameters": obj{"fieldId": "Mayor"}}}, form))
	if got = must(pades.Open(bytes.NewReader(plain), int64(len(plain)))); got.Signatures[0].Field.Name != "Mayor" || got.Signatures[0].Field.Dict["AP"] != nil {
		t.Errorf("%+v", got.Signatures[0].Field.Dict)
	}
}

// TestTheirPicture: another program draws the signature where it was asked for, and as it was.
func TestTheirPicture(t *testing.T) {
	t.Parallel()
	draw, err := exec.LookPath("pdftoppm")
	if err != nil {
		t.Skip("poppler is not installed")
	}
	w := newWorld(t, false)
	for _, rotate := range []int{0, 90, 180, 270} {
		in := sheet()
		if rotate != 0 {
			in = turnedSheet(t, rotate)
		}
		// Red at the left, white text on green at the right of it, upright for who reads the page.
		look := obj{"image": document("a.png", seal(t)), "backgroundColor": obj{"green": 255}, "textParameters": obj{"text": "I", "signerTextPosition": "RIGHT", "backgroundColor": obj{"green": 255}},
			"fieldParameters": obj{"originX": 100, "originY": 300, "width": 100, "height": 50, "rotation": "AUTOMATIC"}}
		dir := t.TempDir()
		file := filepath.Join(dir, "a.pdf")
		if err := os.WriteFile(file, octetsOf(w.sign("PAdES_BASELINE_B", obj{"imageParameters": look}, document("a.pdf", in))), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(draw, "-r", "72", "-png", "-singlefile", file, filepath.Join(dir, "a")).CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("%v %s", err, out)
		}
		f := must(os.Open(filepath.Join(dir, "a.png")))
		m, err := png.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		for at, want := range map[image.Point]color.NRGBA{
			{95, 325}: {255, 255, 255, 255}, {105, 325}: {255, 0, 0, 255}, {150, 310}: {255, 0, 0, 255}, {197, 325}: {0, 255, 0, 255}, {205, 325}: {255, 255, 255, 255},
			{150, 295}: {255, 255, 255, 255}, {150, 355}: {255, 255, 255, 255},
		} {
			if got := color.NRGBAModel.Convert(m.At(at.X, at.Y)); got != want {
				t.Errorf("page turned by %d, at %v: %v, want %v", rotate, at, got, want)
			}
		}
	}
}

// FuzzVisible: whatever a request says of a visible signature, it is refused, or makes a place on the page and a form.
func FuzzVisible(f *testing.F) {
	picture, err := json.Marshal(seal(f))
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		`{"image":{"bytes":` + string(picture) + `},"zoom":50,"fieldParameters":{"originX":20,"originY":30,"rotation":"ROTATE_90"}}`,
		`{"image":{"bytes":` + string(picture) + `},"imageScaling":"CENTER","textParameters":{"text":"a\nb","size":9,"padding":1,"signerTextPosition":"TOP"},"fieldParameters":{"width":90,"height":80,"page":-1}}`,
		`{"textParameters":{"text":"one two three","textWrapping":"FILL_BOX_AND_LINEBREAK","backgroundColor":{"red":1,"green":2,"blue":3,"alpha":4}},"alignmentHorizontal":"RIGHT","alignmentVertical":"BOTTOM","fieldParameters":{"width":90,"height":80}}`,
	} {
		f.Add([]byte(s))
	}
	b := sheet()
	f.Fuzz(func(t *testing.T, request []byte) {
		var i imageJSON
		if json.Unmarshal(request, &i) != nil || !i.given() {
			return
		}
		p, err := i.parameters(b)
		if err != nil || p.Visible == nil {
			return
		}
		for _, v := range p.Visible.Rect {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("%v", p.Visible.Rect)
			}
		}
		if p.Visible.Rect[2] <= p.Visible.Rect[0] || p.Visible.Rect[3] <= p.Visible.Rect[1] {
			t.Errorf("%v", p.Visible.Rect)
		}
		p.Time = now
		d, err := pades.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		pades.Reserve(d, p)
	})
}
