package page

import (
	"fmt"
	"unicode"

	"github.com/viadukt-eu/viadukt/pdf"
)

// Lettering is text in the font of this package for a document that was made elsewhere. It counts the characters that are used: no
// others of the font go into the document.
type Lettering struct{ used *subset }

// NewLettering returns one without text, in Go Regular.
func NewLettering() *Lettering { return &Lettering{newSubset(regular())} }

// Width is the width of a line in a size of one point, in points. A character that the font lacks is an error.
func Width(line string) (float64, error) {
	f, width := regular(), 0.0
	for _, r := range line {
		if like, ok := stands[r]; ok && f.glyphs[r] == 0 {
			r = like
		}
		if f.glyphs[r] == 0 || unicode.IsControl(r) {
			return 0, fmt.Errorf("page: the font has no %q", r)
		}
		width += f.advance(r)
	}
	return width, nil
}

// Show is a line as the operators that show text take it.
func (l *Lettering) Show(line string) pdf.Hex {
	var out []byte
	for _, r := range line {
		out = be.AppendUint16(out, l.used.cid(r))
	}
	return pdf.Hex(out)
}

// Write puts the font into a document, after all text was shown.
func (l *Lettering) Write(add func(pdf.Object) pdf.Ref) pdf.Ref { return l.used.write(add) }
