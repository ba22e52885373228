package pades

import (
	"fmt"
	"image"
	"image/color"
	"strings"

	"github.com/viadukt-eu/viadukt/pdf"
)

// Appearance is how a signature looks on its page: an image at the left, lines of text beside it, both optional.
type Appearance struct {
	Page int        // from 1; 0 is the first, -1 the last
	Rect [4]float64 // left, bottom, right, top in points, from the lower left corner of the page as it is stored
	Text string     // lines; characters of Latin-1 and the Windows code page 1252
	Size float64    // of the text in points; 0 is what fits, at most 12
	// Image is drawn as large as fits without being distorted.
	Image image.Image
}

const maxPixels = 16 << 20

func (a *Appearance) page(pages []pdf.Page) (pdf.Page, error) {
	n := a.Page
	switch {
	case n == 0:
		n = 1
	case n == -1:
		n = len(pages)
	}
	if n < 1 || n > len(pages) {
		return pdf.Page{}, fmt.Errorf("%w: page %d of %d", ErrField, a.Page, len(pages))
	}
	p := pages[n-1]
	r, box := a.Rect, p.CropBox
	if r[2]-r[0] < 1 || r[3]-r[1] < 1 {
		return p, fmt.Errorf("%w: a rectangle %v without extent", ErrField, r)
	}
	if r[0] < box[0] || r[1] < box[1] || r[2] > box[2] || r[3] > box[3] {
		return p, fmt.Errorf("%w: the rectangle %v lies outside the page %v", ErrField, r, box)
	}
	return p, nil
}

// draw makes the appearance dictionary with its form, upright on a page that is turned [ISO 32000-1 12.5.5].
func (a *Appearance) draw(u *pdf.Update, box [4]float64, rotate int) (pdf.Object, error) {
	w, h := box[2]-box[0], box[3]-box[1]
	matrix := pdf.Array{1, 0, 0, 1, 0, 0}
	switch rotate { // the viewer turns the page clockwise, so the form is turned the other way
	case 90:
		matrix, w, h = pdf.Array{0, 1, -1, 0, 0, 0}, h, w
	case 180:
		matrix = pdf.Array{-1, 0, 0, -1, 0, 0}
	case 270:
		matrix, w, h = pdf.Array{0, -1, 1, 0, 0, 0}, h, w
	}
	var content strings.Builder
	resources := pdf.Dict{}
	left := 0.0
	if a.Image != nil {
		size := a.Image.Bounds().Size()
		if size.X < 1 || size.Y < 1 || size.X*size.Y > maxPixels {
			return nil, fmt.Errorf("%w: an image of %d by %d pixels", ErrField, size.X, size.Y)
		}
		room := w
		if a.Text != "" {
			room = w / 2
		}
		scale := min(room/float64(size.X), h/float64(size.Y))
		iw, ih := float64(size.X)*scale, float64(size.Y)*scale
		fmt.Fprintf(&content, "q %.3f 0 0 %.3f 0 %.3f cm /Img Do Q\n", iw, ih, (h-ih)/2)
		resources["XObject"] = pdf.Dict{"Img": addImage(u, a.Image)}
		left = iw
	}
	if a.Text != "" {
		text, err := a.lines(left, w, h)
		if err != nil {
			return nil, err
		}
		content.WriteString(text)
		resources["Font"] = pdf.Dict{"F1": u.Add(pdf.Dict{
			"Type": pdf.Name("Font"), "Subtype": pdf.Name("Type1"), "BaseFont": pdf.Name("Helvetica"), "Encoding": pdf.Name("WinAnsiEncoding"),
		})}
	}
	form := pdf.Compress(pdf.Dict{
		"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Form"), "BBox": pdf.Array{0, 0, w, h}, "Matrix": matrix, "Resources": resources,
	}, []byte(content.String()))
	return pdf.Dict{"N": u.Add(form)}, nil
}

// lines writes the text, as large as it fits.
func (a *Appearance) lines(left, w, h float64) (string, error) {
	const margin, leading, largest, smallest = 2, 1.2, 12, 3
	lines := strings.Split(a.Text, "\n")
	encoded := make([]string, len(lines))
	widest := 0.0
	for i, l := range lines {
		var err error
		if encoded[i], err = winAnsi(l); err != nil {
			return "", err
		}
		widest = max(widest, helveticaWidth(encoded[i]))
	}
	size := a.Size
	if size == 0 {
		size = min(largest, (h-2*margin)/(leading*float64(len(lines))))
		if widest > 0 {
			size = min(size, (w-left-2*margin)/widest)
		}
		if size < smallest {
			return "", fmt.Errorf("%w: the text does not fit into its rectangle", ErrField)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "BT /F1 %.2f Tf %.2f TL %.2f %.2f Td\n", size, size*leading, left+margin, h-margin-size)
	for _, l := range encoded {
		pdf.Write(&b, pdf.String(l))
		b.WriteString(" Tj T*\n")
	}
	b.WriteString("ET\n")
	return b.String(), nil
}

// winAnsi encodes text as the font has it [ISO 32000-1 D.2].
func winAnsi(s string) (string, error) {
	const high = "€\x00‚ƒ„…†‡ˆ‰Š‹Œ\x00Ž\x00\x00‘’“”•–—˜™š›œ\x00žŸ"
	var b strings.Builder
next:
	for _, r := range s {
		if r >= ' ' && r < 0x7f || r >= 0xa0 && r <= 0xff {
			b.WriteByte(byte(r))
			continue
		}
		i := 0
		for _, c := range high {
			if c == r && r != 0 {
				b.WriteByte(byte(0x80 + i))
				continue next
			}
			i++
		}
		return "", fmt.Errorf("%w: the font of the appearance has no %q", ErrField, r)
	}
	return b.String(), nil
}

// helveticaWidth is the width of a text in Helvetica of one point; letters with marks are as wide as without, give or take little.
func helveticaWidth(s string) float64 {
	const ascii = "278278355556556889667191333333389584278333278278556556556556556556556556556556278278584584584556" +
		"1015667667722722667611778722278500667556833722778667778722667611722667944667667611278278278469556" +
		"333556556500556556278556556222222500222833556556556556333500278556500722500500500334260334584"
	total := 0
	for i := 0; i < len(s); i++ {
		total += glyph(ascii, s[i])
	}
	return float64(total) / 1000
}

// glyph reads one width of the table, whose numbers have three digits but that of the at sign.
func glyph(table string, c byte) int {
	if c < ' ' || c > '~' {
		return 600
	}
	at := 3 * int(c-' ')
	switch {
	case c == '@':
		return 1015
	case c > '@':
		at++
	}
	return int(table[at]-'0')*100 + int(table[at+1]-'0')*10 + int(table[at+2]-'0')
}

// addImage adds an image, with its opacity beside it where it is not opaque throughout.
func addImage(u *pdf.Update, m image.Image) pdf.Ref {
	b := m.Bounds()
	rgb := make([]byte, 0, 3*b.Dx()*b.Dy())
	alpha := make([]byte, 0, b.Dx()*b.Dy())
	opaque := true
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
			rgb = append(rgb, c.R, c.G, c.B)
			alpha = append(alpha, c.A)
			opaque = opaque && c.A == 255
		}
	}
	dict := func(space string) pdf.Dict {
		return pdf.Dict{
			"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Image"), "Width": b.Dx(), "Height": b.Dy(), "ColorSpace": pdf.Name(space), "BitsPerComponent": 8,
		}
	}
	d := dict("DeviceRGB")
	if !opaque {
		d["SMask"] = u.Add(pdf.Compress(dict("DeviceGray"), alpha))
	}
	return u.Add(pdf.Compress(d, rgb))
}
