package signing

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/pades"
)

const maxText = 4096

// imageJSON says how a signature looks on a page of a PDF document. Lengths are in points.
type imageJSON struct {
	AlignmentHorizontal string     `json:"alignmentHorizontal"`
	AlignmentVertical   string     `json:"alignmentVertical"`
	ImageScaling        string     `json:"imageScaling"`
	BackgroundColor     *colorJSON `json:"backgroundColor"`
	DPI                 int        `json:"dpi"` // of an image that does not tell, where its place has no size
	Image               *Document  `json:"image"`
	FieldParameters     fieldJSON  `json:"fieldParameters"`
	TextParameters      *textJSON  `json:"textParameters"`
	Zoom                int        `json:"zoom"` // in percent
}

// fieldJSON is where it stands: from the upper left corner of the page, or in a field that is there.
type fieldJSON struct {
	FieldID  string  `json:"fieldId"`
	OriginX  float64 `json:"originX"`
	OriginY  float64 `json:"originY"`
	Width    float64 `json:"width"` // 0: as is needed
	Height   float64 `json:"height"`
	Rotation string  `json:"rotation"`
	Page     int     `json:"page"`
}

type textJSON struct {
	BackgroundColor     *colorJSON `json:"backgroundColor"`
	Font                *Document  `json:"font"`
	TextWrapping        string     `json:"textWrapping"`
	Padding             *float64   `json:"padding"`
	HorizontalAlignment string     `json:"signerTextHorizontalAlignment"`
	VerticalAlignment   string     `json:"signerTextVerticalAlignment"`
	Position            string     `json:"signerTextPosition"`
	Size                int        `json:"size"`
	Text                string     `json:"text"`
	TextColor           *colorJSON `json:"textColor"`
}

type colorJSON struct {
	Red   uint8  `json:"red"`
	Green uint8  `json:"green"`
	Blue  uint8  `json:"blue"`
	Alpha *uint8 `json:"alpha"`
}

// color is a colour, or what is taken where none is given.
func (c *colorJSON) color(usual color.Color) color.Color {
	if c == nil {
		return usual
	}
	out := color.NRGBA{c.Red, c.Green, c.Blue, 255}
	if c.Alpha != nil {
		out.A = *c.Alpha
	}
	return out
}

// given tells whether a visible signature or a field is asked for.
func (i *imageJSON) given() bool {
	return i != nil && (i.Image != nil || i.text() != "" || i.FieldParameters.FieldID != "")
}

func (i *imageJSON) text() string {
	if i.TextParameters == nil {
		return ""
	}
	return strings.ReplaceAll(i.TextParameters.Text, "\r\n", "\n")
}

// oneOf holds a value against those of an enumeration, of which the first is the usual one.
func oneOf(name string, value *string, values ...string) error {
	if *value == "" {
		*value = values[0]
	}
	if !slices.Contains(values, *value) {
		return refuse(http.StatusBadRequest, "imageParameters: %s %q is none of %s", name, *value, strings.Join(values, ", "))
	}
	return nil
}

// check reads the enumerations and refuses lengths that are none.
func (i *imageJSON) check() error {
	t := i.TextParameters
	if t == nil {
		t = &textJSON{}
		i.TextParameters = t
	}
	if t.Font != nil {
		return refuse(http.StatusNotImplemented, "imageParameters: a font of the request is not taken by this service; the text is in Go Regular")
	}
	if len(t.Text) > maxText {
		return refuse(http.StatusBadRequest, "imageParameters: a text of more than %d octets", maxText)
	}
	for _, x := range []struct {
		name   string
		value  *string
		values []string
	}{
		{"alignmentHorizontal", &i.AlignmentHorizontal, []string{"NONE", "LEFT", "CENTER", "RIGHT"}},
		{"alignmentVertical", &i.AlignmentVertical, []string{"NONE", "TOP", "MIDDLE", "BOTTOM"}},
		{"imageScaling", &i.ImageScaling, []string{"STRETCH", "ZOOM_AND_CENTER", "CENTER"}},
		{"rotation", &i.FieldParameters.Rotation, []string{"NONE", "AUTOMATIC", "ROTATE_90", "ROTATE_180", "ROTATE_270"}},
		{"textWrapping", &t.TextWrapping, []string{"FONT_BASED", "FILL_BOX", "FILL_BOX_AND_LINEBREAK"}},
		{"signerTextPosition", &t.Position, []string{"LEFT", "RIGHT", "TOP", "BOTTOM"}},
		{"signerTextHorizontalAlignment", &t.HorizontalAlignment, []string{"LEFT", "CENTER", "RIGHT"}},
		{"signerTextVerticalAlignment", &t.VerticalAlignment, []string{"MIDDLE", "TOP", "BOTTOM"}},
	} {
		if err := oneOf(x.name, x.value, x.values...); err != nil {
			return err
		}
	}
	if i.Zoom == 0 {
		i.Zoom = 100
	}
	if t.Size == 0 {
		t.Size = 12
	}
	if i.DPI == 0 {
		i.DPI = 300
	}
	if t.Padding == nil {
		usual := 5.0
		t.Padding = &usual
	}
	for name, v := range map[string]float64{"width": i.FieldParameters.Width, "height": i.FieldParameters.Height, "zoom": float64(i.Zoom), "size": float64(t.Size), "dpi": float64(i.DPI), "padding": *t.Padding} {
		if v < 0 || v > 1e6 {
			return refuse(http.StatusBadRequest, "imageParameters: %s is %g", name, v)
		}
	}
	return nil
}

// parameters say where in a document the signature stands, and how it looks.
func (i *imageJSON) parameters(document []byte) (out pades.Parameters, err error) {
	if err := i.check(); err != nil {
		return out, err
	}
	d, err := pades.Open(bytes.NewReader(document), int64(len(document)))
	if err != nil {
		return out, err
	}
	f := &i.FieldParameters
	out.Field = f.FieldID
	l := layout{imageJSON: i, a: &pades.Appearance{Page: f.Page, Back: i.BackgroundColor.color(nil)}, turned: f.Rotation}
	if f.FieldID != "" {
		rect, rotate, err := d.Field(f.FieldID)
		if err != nil {
			return out, refuse(http.StatusBadRequest, "imageParameters.fieldParameters.fieldId: %v", err)
		}
		if i.Image == nil && i.text() == "" {
			return out, nil
		}
		l.page, l.rotate = rect, rotate
		l.width, l.height = rect[2]-rect[0], rect[3]-rect[1]
		if l.swaps() {
			l.width, l.height = l.height, l.width
		}
		l.fixedWidth, l.fixedHeight = true, true
		out.Visible = l.a
		return out, l.arrange()
	}
	page, err := d.Page(f.Page)
	if err != nil {
		return out, refuse(http.StatusBadRequest, "imageParameters.fieldParameters.page: %v", err)
	}
	l.page, l.rotate = page.CropBox, page.Rotate
	scale := float64(i.Zoom) / 100
	l.width, l.height = f.Width*scale, f.Height*scale
	l.fixedWidth, l.fixedHeight = f.Width > 0, f.Height > 0
	if err := l.arrange(); err != nil {
		return out, err
	}
	l.place()
	out.Visible = l.a
	return out, nil
}

// layout arranges image and text in a box, and the box on a page.
type layout struct {
	*imageJSON
	a                       *pades.Appearance
	page                    [4]float64 // or the field: left, bottom, right, top as stored
	rotate                  int        // of the page, clockwise
	turned                  string
	width, height           float64 // of what is shown, as it is read; 0 is what is needed
	fixedWidth, fixedHeight bool
}

// clockwise is the turn of what is shown against the page as it is stored.
func (l *layout) clockwise() int {
	switch l.turned {
	case "AUTOMATIC": // upright
		return (360 - l.rotate) % 360
	case "ROTATE_90":
		return 90
	case "ROTATE_180":
		return 180
	case "ROTATE_270":
		return 270
	}
	return 0
}

func (l *layout) swaps() bool { return l.clockwise()%180 != 0 }

func refuseSmall() error {
	return refuse(http.StatusBadRequest, "imageParameters: image and text do not fit into the width and height of the field")
}

// arrange gives image and text their boxes, and what is shown its size where it has none.
func (l *layout) arrange() error {
	l.a.Rotate = (l.clockwise() + l.rotate) % 360
	scale := float64(l.Zoom) / 100
	var pixels image.Point
	if l.Image != nil {
		var err error
		if l.a.Image, err = pades.DecodeImage(l.Image.Bytes); err != nil {
			return refuse(http.StatusBadRequest, "imageParameters.image: %v", err)
		}
		pixels = l.a.Image.Bounds().Size()
		x, y := resolution(l.Image.Bytes, float64(l.DPI))
		if !l.fixedWidth {
			l.width = float64(pixels.X) * 72 / x * scale
		}
		if !l.fixedHeight {
			l.height = float64(pixels.Y) * 72 / y * scale
		}
	}
	picture := pades.Box{0, 0, l.width, l.height}
	if l.text() != "" {
		var err error
		if picture, err = l.arrangeText(picture, float64(pixels.X)*scale, float64(pixels.Y)*scale, scale); err != nil {
			return err
		}
	}
	if l.width < 1 || l.height < 1 {
		return refuseSmall()
	}
	if l.a.Image == nil {
		return nil
	}
	w, h := picture[2]-picture[0], picture[3]-picture[1]
	if w <= 0 || h <= 0 {
		return refuseSmall()
	}
	iw, ih := w, h
	switch l.ImageScaling {
	case "ZOOM_AND_CENTER":
		f := min(w/float64(pixels.X), h/float64(pixels.Y))
		iw, ih = float64(pixels.X)*f, float64(pixels.Y)*f
	case "CENTER":
		iw, ih = float64(pixels.X)*scale, float64(pixels.Y)*scale
	}
	x, y := picture[0]+(w-iw)/2, picture[1]+(h-ih)/2
	l.a.ImageBox = &pades.Box{x, y, x + iw, y + ih}
	return nil
}

// resolution is how many points a picture has to the inch, across and down. A PNG that does not tell has 96, others the usual number.
func resolution(b []byte, usual float64) (x, y float64) {
	const inch = 0.0254
	if len(b) > 18 && string(b[:4]) == "\xff\xd8\xff\xe0" && string(b[6:11]) == "JFIF\x00" {
		x, y = float64(binary.BigEndian.Uint16(b[14:])), float64(binary.BigEndian.Uint16(b[16:]))
		if b[13] == 2 { // to the centimetre
			x, y = x*100*inch, y*100*inch
		}
		if b[13] == 0 || x == 0 || y == 0 {
			return usual, usual
		}
		return x, y
	}
	if !bytes.HasPrefix(b, []byte("\x89PNG")) {
		return usual, usual
	}
	for at := 8; at+17 <= len(b); {
		n := int(binary.BigEndian.Uint32(b[at:]))
		switch string(b[at+4 : at+8]) {
		case "pHYs":
			x, y = float64(binary.BigEndian.Uint32(b[at+8:]))*inch, float64(binary.BigEndian.Uint32(b[at+12:]))*inch
			if n == 9 && b[at+16] == 1 && x > 0 && y > 0 { // to the metre
				return x, y
			}
		case "IDAT":
			return 96, 96
		}
		if n > len(b)-at {
			break
		}
		at += n + 12
	}
	return 96, 96
}

// arrangeText puts the text beside the image, and returns what is left for that.
func (l *layout) arrangeText(picture pades.Box, pixelsX, pixelsY, scale float64) (pades.Box, error) {
	t := l.TextParameters
	lines, padding := strings.Split(l.text(), "\n"), *t.Padding
	size := float64(t.Size) * scale
	beside := t.Position == "LEFT" || t.Position == "RIGHT"
	if t.TextWrapping != "FONT_BASED" {
		if !l.fixedWidth || !l.fixedHeight {
			return picture, refuse(http.StatusBadRequest, "imageParameters: textWrapping %s needs width and height of the field", t.TextWrapping)
		}
		w, h := l.width-2*padding, l.height-2*padding
		switch {
		case l.a.Image == nil:
		case beside:
			w -= pixelsX
		default:
			h -= pixelsY
		}
		var err error
		if lines, size, err = fit(lines, w, h, t.TextWrapping == "FILL_BOX_AND_LINEBREAK"); err != nil {
			return picture, err
		}
	}
	widest := 0.0
	for _, line := range lines {
		w, err := pades.TextWidth(line)
		if err != nil {
			return picture, refuse(http.StatusBadRequest, "imageParameters.textParameters.text: %v", err)
		}
		widest = max(widest, w*size)
	}
	w, h := widest+2*padding, pades.Leading*size*float64(len(lines))+2*padding
	// What the text takes of the box goes from the image, or makes the box larger where it has no size.
	take := func(text float64, fixed bool, side, left *float64) {
		switch {
		case fixed && l.a.Image != nil:
			*left -= text
		case !fixed:
			*side += text
		}
	}
	iw, ih := l.width, l.height
	if beside {
		take(w, l.fixedWidth, &l.width, &iw)
		if !l.fixedHeight {
			l.height = max(l.height, h)
		}
	} else {
		take(h, l.fixedHeight, &l.height, &ih)
		if !l.fixedWidth {
			l.width = max(l.width, w)
		}
	}
	at := func(align string, room, size float64) float64 {
		switch align {
		case "CENTER", "MIDDLE":
			return (room - size) / 2
		case "RIGHT", "TOP":
			return room - size
		}
		return 0
	}
	var tx, ty, ix, iy float64
	if beside {
		ty, iy = at(t.VerticalAlignment, l.height, h), at(t.VerticalAlignment, l.height, ih)
		if t.Position == "LEFT" {
			ix = l.width - iw
		} else {
			tx = l.width - w
		}
	} else {
		tx, ix = at(t.HorizontalAlignment, l.width, w), at(t.HorizontalAlignment, l.width, iw)
		if t.Position == "TOP" {
			ty = l.height - h
		} else {
			iy = l.height - ih
		}
	}
	a := l.a
	a.Text, a.TextSize, a.Padding = strings.Join(lines, "\n"), size, padding
	a.TextAlign = map[string]pades.Align{"LEFT": pades.Left, "CENTER": pades.Centre, "RIGHT": pades.Right}[t.HorizontalAlignment]
	a.TextColor, a.TextBack = t.TextColor.color(nil), t.BackgroundColor.color(color.White)
	a.TextBox = &pades.Box{tx, ty, tx + w, ty + h}
	return pades.Box{ix, iy, ix + iw, iy + ih}, nil
}

// fit finds the largest size in which text fits into a box, with lines broken between words where that is asked for.
func fit(lines []string, w, h float64, broken bool) ([]string, float64, error) {
	const least, step = 1, 0.5
	if w <= 0 || h <= 0 {
		return nil, 0, refuseSmall()
	}
	for size := math.Floor(min(h, 1000)/pades.Leading/step) * step; size >= least; size -= step {
		out := lines
		if broken {
			var err error
			if out, err = wrap(lines, w/size); err != nil {
				return nil, 0, err
			}
		}
		if pades.Leading*size*float64(len(out)) > h {
			continue
		}
		if !slices.ContainsFunc(out, func(line string) bool {
			width, _ := pades.TextWidth(line)
			return width*size > w
		}) {
			return out, size, nil
		}
	}
	return nil, 0, refuseSmall()
}

// wrap breaks lines between words, where they would be wider.
func wrap(lines []string, width float64) (out []string, err error) {
	for _, line := range lines {
		now := ""
		for i, word := range strings.Fields(line) {
			longer := word
			if i > 0 {
				longer = now + " " + word
			}
			w, err := pades.TextWidth(longer)
			if err != nil {
				return nil, refuse(http.StatusBadRequest, "imageParameters.textParameters.text: %v", err)
			}
			if i > 0 && w > width {
				out = append(out, now)
				longer = word
			}
			now = longer
		}
		out = append(out, now)
	}
	return out, nil
}

// place puts what is shown onto the page.
func (l *layout) place() {
	pw, ph := l.page[2]-l.page[0], l.page[3]-l.page[1]
	w, h := l.width, l.height
	if l.swaps() {
		pw, ph = ph, pw
	}
	// First as one reads it, from the upper left corner.
	x, y := l.FieldParameters.OriginX, l.FieldParameters.OriginY
	switch l.AlignmentHorizontal {
	case "CENTER":
		x = (pw - w) / 2
	case "RIGHT":
		x = pw - w - x
	}
	switch l.AlignmentVertical {
	case "MIDDLE":
		y = (ph - h) / 2
	case "BOTTOM":
		y = ph - h - y
	}
	// Then on the page as it is stored, still from there.
	switch l.clockwise() {
	case 90:
		x, y, w, h = ph-y-h, x, h, w
	case 180:
		x, y = pw-x-w, ph-y-h
	case 270:
		x, y, w, h = y, pw-x-w, h, w
	}
	l.a.Rect = [4]float64{l.page[0] + x, l.page[3] - y - h, l.page[0] + x + w, l.page[3] - y}
}
