package pades

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	_ "image/gif" // the pictures that are taken
	_ "image/jpeg"
	_ "image/png"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/pdf/page"
)

// Appearance is how a signature looks on its page: an image and lines of text, both optional. Where no boxes are given the image
// stands at the left and the text beside it.
type Appearance struct {
	Page   int         // from 1; 0 is the first, -1 the last, -2 the one before
	Rect   [4]float64  // left, bottom, right, top in points, from the lower left corner of the page as it is stored
	Rotate int         // 90, 180 or 270: what is shown is turned clockwise by so much; 0 is upright, also on a page that is turned
	Back   color.Color // behind all; nil: nothing

	Text      string // lines, in Latin, Greek and Cyrillic letters: the font goes into the document
	TextSize  float64
	TextAlign Align
	TextColor color.Color // nil: black
	TextBack  color.Color // behind the text; nil: nothing
	TextBox   *Box        // nil: what the image leaves
	Padding   float64     // of the text within TextBox; 2 points without one

	Image    image.Image
	ImageBox *Box // to which the image is stretched; nil: as large as fits without being distorted
}

// Box is a place in an appearance: left, bottom, right, top in points from the lower left corner of what is shown, as it is read.
type Box [4]float64

func (b Box) width() float64  { return b[2] - b[0] }
func (b Box) height() float64 { return b[3] - b[1] }

// Align is where lines of text stand in their box.
type Align int

// The alignments.
const (
	Left Align = iota
	Centre
	Right
)

const (
	maxPixels = 16 << 20
	// Leading is from one line of text to the next, as a multiple of its size.
	Leading = 1.2
)

// DecodeImage reads a picture in PNG, JPEG or GIF.
func DecodeImage(b []byte) (image.Image, error) {
	c, _, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%w: a picture that is no PNG, JPEG or GIF: %w", ErrField, err)
	}
	if err := pictureSize(image.Pt(c.Width, c.Height)); err != nil {
		return nil, err
	}
	m, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%w: a picture: %w", ErrField, err)
	}
	return m, nil
}

func pictureSize(size image.Point) error {
	if size.X < 1 || size.Y < 1 || size.X > maxPixels/size.Y {
		return fmt.Errorf("%w: an image of %d by %d pixels", ErrField, size.X, size.Y)
	}
	return nil
}

// Page finds a page by its number: from 1; 0 is the first, -1 the last, -2 the one before.
func (d *Document) Page(n int) (pdf.Page, error) {
	pages, err := d.PDF.Pages()
	if err != nil {
		return pdf.Page{}, err
	}
	return pageOf(pages, n)
}

func pageOf(pages []pdf.Page, number int) (pdf.Page, error) {
	n := number
	switch {
	case n == 0:
		n = 1
	case n < 0:
		n += len(pages) + 1
	}
	if n < 1 || n > len(pages) {
		return pdf.Page{}, fmt.Errorf("%w: page %d of %d", ErrField, number, len(pages))
	}
	return pages[n-1], nil
}

// Field finds an empty field for a signature: its rectangle in points, and the turn of its page.
func (d *Document) Field(name string) (rect [4]float64, rotate int, err error) {
	f, err := d.field(name)
	if err == nil && f == nil {
		err = fmt.Errorf("%w: there is no field %q", ErrField, name)
	}
	if err != nil {
		return rect, 0, err
	}
	pages, err := d.PDF.Pages()
	if err != nil {
		return rect, 0, err
	}
	if len(pages) == 0 {
		return rect, 0, fmt.Errorf("%w: a document without pages", pdf.ErrFormat)
	}
	rect, _ = d.PDF.Rectangle(f.Dict["Rect"])
	return rect, d.pageOf(pages, f).Rotate, nil
}

func (a *Appearance) page(pages []pdf.Page) (pdf.Page, error) {
	p, err := pageOf(pages, a.Page)
	if err != nil {
		return p, err
	}
	r, box := a.Rect, p.CropBox
	if r[2]-r[0] < 1 || r[3]-r[1] < 1 {
		return p, fmt.Errorf("%w: a rectangle %v without extent", ErrField, r)
	}
	if r[0] < box[0] || r[1] < box[1] || r[2] > box[2] || r[3] > box[3] {
		return p, fmt.Errorf("%w: the rectangle %v lies outside the page %v", ErrField, r, box)
	}
	return p, nil
}

// draw makes the appearance dictionary with its form on a page with a turn [ISO 32000-1 12.5.5].
func (a *Appearance) draw(u *pdf.Update, rect [4]float64, turn int) (pdf.Object, error) {
	w, h := rect[2]-rect[0], rect[3]-rect[1]
	matrix := pdf.Array{1, 0, 0, 1, 0, 0}
	switch (turn - a.Rotate + 360) % 360 { // the viewer turns the page clockwise, so the form is turned the other way
	case 0:
	case 90:
		matrix, w, h = pdf.Array{0, 1, -1, 0, 0, 0}, h, w
	case 180:
		matrix = pdf.Array{-1, 0, 0, -1, 0, 0}
	case 270:
		matrix, w, h = pdf.Array{0, -1, 1, 0, 0, 0}, h, w
	default:
		return nil, fmt.Errorf("%w: turned by %d degrees", ErrField, a.Rotate)
	}
	p := painter{update: u, resources: pdf.Dict{}}
	p.fill(a.Back, Box{0, 0, w, h})
	left := 0.0
	if a.Image != nil {
		size := a.Image.Bounds().Size()
		if err := pictureSize(size); err != nil {
			return nil, err
		}
		box := a.ImageBox
		if box == nil {
			room := w
			if a.Text != "" {
				room = w / 2
			}
			scale := min(room/float64(size.X), h/float64(size.Y))
			iw, ih := float64(size.X)*scale, float64(size.Y)*scale
			box = &Box{0, (h - ih) / 2, iw, (h + ih) / 2}
			left = iw
		}
		fmt.Fprintf(&p, "q %.3f 0 0 %.3f %.3f %.3f cm /Img Do Q\n", box.width(), box.height(), box[0], box[1])
		p.resource("XObject", "Img", addImage(u, a.Image))
	}
	if a.Text != "" {
		box, padding := a.TextBox, a.Padding
		if box == nil {
			box, padding = &Box{left, 0, w, h}, 2
		}
		p.fill(a.TextBack, *box)
		if err := a.lines(&p, *box, padding); err != nil {
			return nil, err
		}
	}
	form := pdf.Compress(pdf.Dict{
		"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Form"), "BBox": pdf.Array{0, 0, w, h}, "Matrix": matrix, "Resources": p.resources,
	}, []byte(p.String()))
	return pdf.Dict{"N": u.Add(form)}, nil
}

// painter writes the content of a form and collects what it refers to.
type painter struct {
	strings.Builder
	update    *pdf.Update
	resources pdf.Dict
}

func (p *painter) resource(kind, name pdf.Name, o pdf.Object) {
	all, _ := p.resources[kind].(pdf.Dict)
	if all == nil {
		all = pdf.Dict{}
	}
	all[name] = o
	p.resources[kind] = all
}

// colour sets what is painted with from here on.
func (p *painter) colour(c color.Color) {
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	if n.A != 255 {
		name := pdf.Name(fmt.Sprintf("A%d", n.A))
		p.resource("ExtGState", name, pdf.Dict{"Type": pdf.Name("ExtGState"), "ca": float64(n.A) / 255})
		fmt.Fprintf(p, "/%s gs ", name)
	}
	fmt.Fprintf(p, "%.3f %.3f %.3f rg ", float64(n.R)/255, float64(n.G)/255, float64(n.B)/255)
}

func (p *painter) fill(c color.Color, b Box) {
	if c == nil {
		return
	}
	p.WriteString("q ")
	p.colour(c)
	fmt.Fprintf(p, "%.3f %.3f %.3f %.3f re f Q\n", b[0], b[1], b.width(), b.height())
}

// lines writes the text, as large as it fits where no size is given.
func (a *Appearance) lines(p *painter, box Box, margin float64) error {
	const largest, smallest = 12, 3
	lines := strings.Split(a.Text, "\n")
	widths := make([]float64, len(lines))
	for i, l := range lines {
		var err error
		if widths[i], err = TextWidth(l); err != nil {
			return err
		}
	}
	size := a.TextSize
	if size == 0 {
		size = min(largest, (box.height()-2*margin)/(Leading*float64(len(lines))))
		if widest := slices.Max(widths); widest > 0 {
			size = min(size, (box.width()-2*margin)/widest)
		}
		if size < smallest {
			return fmt.Errorf("%w: the text does not fit into its rectangle", ErrField)
		}
	}
	p.WriteString("q ")
	if a.TextColor != nil {
		p.colour(a.TextColor)
	}
	fmt.Fprintf(p, "BT /F1 %.2f Tf\n", size)
	text := page.NewLettering()
	for i, l := range lines {
		x := box[0] + margin
		switch room := box.width() - 2*margin - widths[i]*size; a.TextAlign {
		case Centre:
			x += room / 2
		case Right:
			x += room
		}
		fmt.Fprintf(p, "1 0 0 1 %.2f %.2f Tm ", x, box[3]-margin-size-Leading*size*float64(i))
		pdf.Write(&p.Builder, text.Show(l))
		p.WriteString(" Tj\n")
	}
	p.WriteString("ET Q\n")
	p.resource("Font", "F1", text.Write(p.update.Add))
	return nil
}

// TextWidth is the width of a line of text of one point in points. A character that the font does not have is an error.
func TextWidth(line string) (float64, error) {
	w, err := page.Width(line)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrField, err)
	}
	return w, err
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
