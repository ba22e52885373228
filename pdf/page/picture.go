package page

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"

	"github.com/viadukt-eu/viadukt/pdf"
)

// Picture is an image. PNG and JPEG are read; what is transparent becomes white.
type Picture struct {
	Data  []byte
	Alt   string  // what it shows, for those who do not see it; required
	Width float64 // zero: 96 pixels an inch, at most as wide as there is room
	Align Align
}

const maxPixels = 64 << 20

// picture is an image as a file holds it.
type picture struct {
	stream *pdf.Stream
	ref    pdf.Ref
}

func (b Picture) strips(d *Document, parent *element, width float64) []strip {
	p, w, h, err := b.read()
	if err != nil {
		d.errs = append(d.errs, fmt.Errorf("picture %q: %w", b.Alt, err))
		return nil
	}
	e := parent.child("Figure")
	e.alt = b.Alt
	wide := b.Width
	if wide <= 0 {
		wide = float64(w) * 72 / 96
	}
	wide = min(wide, width, (d.full()-10)*float64(w)/float64(h))
	high := wide * float64(h) / float64(w)
	shift := 0.0
	switch b.Align {
	case Right:
		shift = width - wide
	case Center:
		shift = (width - wide) / 2
	}
	return []strip{gap(6, true), {height: high, draw: func(q *painter, x, y float64) {
		q.enter(e)
		q.sheet.pictures = append(q.sheet.pictures, p)
		x, y = x+shift, y-high
		e.owner, e.attrs = "Layout", pdf.Dict{"Placement": pdf.Name("Block"), "BBox": pdf.Array{x, y, x + wide, y + high}}
		q.op("q")
		q.op("cm", wide, 0, 0, high, x, y)
		fmt.Fprintf(&q.b, "/I%d Do\n", len(q.sheet.pictures))
		q.op("Q")
	}}}
}

func (b Picture) read() (p *picture, w, h int, err error) {
	if b.Alt == "" {
		return nil, 0, 0, fmt.Errorf("says not what it shows")
	}
	isJPEG := bytes.HasPrefix(b.Data, []byte("\xff\xd8"))
	configure, decode := png.DecodeConfig, png.Decode
	if isJPEG {
		configure, decode = jpeg.DecodeConfig, jpeg.Decode
	}
	c, err := configure(bytes.NewReader(b.Data))
	if err != nil {
		return nil, 0, 0, err
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxPixels/c.Height {
		return nil, 0, 0, fmt.Errorf("%d times %d pixels are more than %d", c.Width, c.Height, maxPixels)
	}
	m, err := decode(bytes.NewReader(b.Data))
	if err != nil {
		return nil, 0, 0, err
	}
	dict := pdf.Dict{"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Image"), "Width": c.Width, "Height": c.Height, "BitsPerComponent": 8, "ColorSpace": pdf.Name("DeviceRGB")}
	if _, ok := m.(*image.YCbCr); ok && isJPEG { // as it is: three components, which every reader takes for YCbCr
		dict["Filter"] = pdf.Name("DCTDecode")
		return &picture{stream: &pdf.Stream{Dict: dict, Data: b.Data}}, c.Width, c.Height, nil
	}
	r := m.Bounds()
	rgb := make([]byte, 0, 3*c.Width*c.Height)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			red, green, blue, alpha := m.At(x, y).RGBA()
			white := 0xffff - alpha
			rgb = append(rgb, byte((red+white)>>8), byte((green+white)>>8), byte((blue+white)>>8))
		}
	}
	return &picture{stream: pdf.Compress(dict, rgb)}, c.Width, c.Height, nil
}
