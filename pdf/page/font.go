package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"

	"github.com/viadukt-eu/viadukt/pdf"
)

var (
	regular = sync.OnceValue(func() *face { return readFace("GoRegular", goregular.TTF) })
	bold    = sync.OnceValue(func() *face { return readFace("Go-Bold", gobold.TTF) })
)

// face is a TrueType font that the program brings along; a broken one is an error of the program.
type face struct {
	name   string
	tables map[string][]byte
	em     int
	ascent int // of hhea, in font units
	descent,
	capital int
	glyphs map[rune]uint16
	long   bool // form of loca
	quick  [0x250]float64
}

var be = binary.BigEndian

func readFace(name string, b []byte) *face {
	f := &face{name: name, tables: map[string][]byte{}, glyphs: map[rune]uint16{}}
	for i := range int(be.Uint16(b[4:])) {
		e := b[12+16*i:]
		f.tables[string(e[:4])] = b[be.Uint32(e[8:]):][:be.Uint32(e[12:])]
	}
	head, hhea := f.tables["head"], f.tables["hhea"]
	f.em, f.long = int(be.Uint16(head[18:])), be.Uint16(head[50:]) == 1
	f.ascent, f.descent = int(int16(be.Uint16(hhea[4:]))), int(int16(be.Uint16(hhea[6:])))
	f.readCmap()
	f.capital = int(int16(be.Uint16(f.outline(f.glyphs['H'])[8:])))
	for r := range f.quick {
		f.quick[r] = f.measure(rune(r))
	}
	return f
}

// readCmap reads the Unicode table of the basic plane, format 4.
func (f *face) readCmap() {
	cmap := f.tables["cmap"]
	var t []byte
	for i := range int(be.Uint16(cmap[2:])) {
		e := cmap[4+8*i:]
		if sub := cmap[be.Uint32(e[4:]):]; be.Uint16(sub) == 4 && (be.Uint16(e) == 0 || be.Uint16(e) == 3 && be.Uint16(e[2:]) == 1) {
			t = sub
		}
	}
	n := int(be.Uint16(t[6:])) / 2
	ends, starts := t[14:], t[16+2*n:]
	deltas, offsets := t[16+4*n:], t[16+6*n:]
	for s := range n {
		start, end := int(be.Uint16(starts[2*s:])), int(be.Uint16(ends[2*s:]))
		delta, offset := int(be.Uint16(deltas[2*s:])), int(be.Uint16(offsets[2*s:]))
		for c := start; c <= end && c < 0xffff; c++ {
			g := c + delta
			if offset != 0 {
				if g = int(be.Uint16(offsets[2*s+offset+2*(c-start):])); g != 0 {
					g += delta
				}
			}
			if g &= 0xffff; g != 0 {
				f.glyphs[rune(c)] = uint16(g)
			}
		}
	}
}

func (f *face) loca(g uint16) uint32 {
	if f.long {
		return be.Uint32(f.tables["loca"][4*int(g):])
	}
	return 2 * uint32(be.Uint16(f.tables["loca"][2*int(g):]))
}

// outline is the description of a glyph; empty for a space.
func (f *face) outline(g uint16) []byte { return f.tables["glyf"][f.loca(g):f.loca(g+1)] }

// metrics returns advance and left side bearing in font units.
func (f *face) metrics(g uint16) (advance uint16, bearing []byte) {
	n := int(be.Uint16(f.tables["hhea"][34:]))
	hmtx := f.tables["hmtx"]
	if int(g) < n {
		return be.Uint16(hmtx[4*int(g):]), hmtx[4*int(g)+2:][:2]
	}
	return be.Uint16(hmtx[4*(n-1):]), hmtx[4*n+2*(int(g)-n):][:2]
}

// stands are glyphs for characters that look alike and that the fonts lack.
var stands = map[rune]rune{
	'\u00a0': ' ', '\u2007': '0', '\u2009': ' ', '\u200a': ' ', '\u202f': ' ', '\u3000': ' ', '\u2010': '-', '\u2011': '-', '\u2012': '\u2013', '\u2212': '\u2013',
	'\u2032': '\'', '\u2033': '"', '\u02bc': '\u2019', '\u021a': '\u0162', '\u021b': '\u0163', '\u0218': '\u015e', '\u0219': '\u015f', '\u1e9e': '\u00df',
}

// glyph finds what is drawn for a character. One that is not there is a box with a question mark, or a question mark.
func (f *face) glyph(r rune) uint16 {
	if g, ok := f.glyphs[r]; ok {
		return g
	}
	like, ok := stands[r]
	if !ok {
		like = '\ufffd'
	}
	if g, ok := f.glyphs[like]; ok {
		return g
	}
	return f.glyphs['?']
}

func (f *face) measure(r rune) float64 {
	a, _ := f.metrics(f.glyph(r))
	return float64(a) / float64(f.em)
}

// advance is the width of a character in sizes.
func (f *face) advance(r rune) float64 {
	if int(r) < len(f.quick) {
		return f.quick[r]
	}
	return f.measure(r)
}

// subset is the part of a face that a document uses. Characters are numbered as they come; each has a glyph of its own, even
// where two look the same, so that the way back to Unicode is exact.
type subset struct {
	face  *face
	cids  map[rune]uint16
	runes []rune // by number; 0 is the glyph that is never used
}

func newSubset(f *face) *subset { return &subset{face: f, cids: map[rune]uint16{}, runes: []rune{0}} }

func (s *subset) cid(r rune) uint16 {
	if c, ok := s.cids[r]; ok {
		return c
	}
	if len(s.runes) > 60000 { // more than any document has; a font ends at 65535
		return s.cid('?')
	}
	c := uint16(len(s.runes))
	s.cids[r], s.runes = c, append(s.runes, r)
	return c
}

// Flags of a component of a composite glyph.
const (
	wordArguments   = 1 << 0
	oneScale        = 1 << 3
	moreComponents  = 1 << 5
	twoScales       = 1 << 6
	matrix          = 1 << 7
	hasInstructions = 1 << 8
)

// unhinted copies a glyph without its instructions; place gives its components their numbers in the subset.
func unhinted(g []byte, place func(uint16) uint16) []byte {
	if len(g) == 0 {
		return nil
	}
	if contours := int(int16(be.Uint16(g))); contours >= 0 {
		end := 10 + 2*contours
		out := append(bytes.Clone(g[:end]), 0, 0)
		return append(out, g[end+2+int(be.Uint16(g[end:])):]...)
	}
	out := bytes.Clone(g)
	for at := 10; ; {
		flags := be.Uint16(out[at:])
		be.PutUint16(out[at:], flags&^hasInstructions)
		be.PutUint16(out[at+2:], place(be.Uint16(out[at+2:])))
		at += 6
		if flags&wordArguments != 0 {
			at += 2
		}
		switch {
		case flags&oneScale != 0:
			at += 2
		case flags&twoScales != 0:
			at += 4
		case flags&matrix != 0:
			at += 8
		}
		if flags&moreComponents == 0 {
			return out[:at]
		}
	}
}

// program writes the font file.
func (s *subset) program() []byte {
	f := s.face
	sources := make([]uint16, len(s.runes)) // glyph of the face, by number
	for c, r := range s.runes[1:] {
		sources[c+1] = f.glyph(r)
	}
	parts := map[uint16]uint16{}
	place := func(g uint16) uint16 {
		n, ok := parts[g]
		if !ok {
			n = uint16(len(sources))
			parts[g], sources = n, append(sources, g)
		}
		return n
	}
	var glyf, loca, hmtx []byte
	for c := 0; c < len(sources); c++ { // grows by components
		loca = be.AppendUint32(loca, uint32(len(glyf)))
		glyf = append(glyf, unhinted(f.outline(sources[c]), place)...)
		for len(glyf)%4 != 0 {
			glyf = append(glyf, 0)
		}
		advance, bearing := f.metrics(sources[c])
		hmtx = append(be.AppendUint16(hmtx, advance), bearing...)
	}
	loca = be.AppendUint32(loca, uint32(len(glyf)))
	patch := func(table string, values map[int]uint16) []byte {
		t := bytes.Clone(f.tables[table])
		for at, v := range values {
			be.PutUint16(t[at:], v)
		}
		return t
	}
	n := uint16(len(sources))
	head := patch("head", map[int]uint16{8: 0, 10: 0, 50: 1})
	tables := []struct {
		tag  string
		data []byte
	}{
		{"glyf", glyf}, {"head", head}, {"hhea", patch("hhea", map[int]uint16{34: n})}, {"hmtx", hmtx}, {"loca", loca},
		// The limits of instructions are none: there are none.
		{"maxp", patch("maxp", map[int]uint16{4: n, 18: 0, 20: 0, 22: 0, 24: 0, 26: 0})},
	}
	out := be.AppendUint32(nil, 0x10000)
	for _, v := range [4]uint16{uint16(len(tables)), 64, 2, uint16(16*len(tables) - 64)} {
		out = be.AppendUint16(out, v)
	}
	at, headAt := len(out)+16*len(tables), 0
	for _, t := range tables {
		out = append(out, t.tag...)
		out = be.AppendUint32(out, checksum(t.data))
		out = be.AppendUint32(out, uint32(at))
		out = be.AppendUint32(out, uint32(len(t.data)))
		if t.tag == "head" {
			headAt = at
		}
		at += (len(t.data) + 3) &^ 3
	}
	for _, t := range tables {
		out = append(out, t.data...)
		for len(out)%4 != 0 {
			out = append(out, 0)
		}
	}
	be.PutUint32(out[headAt+8:], 0xb1b0afba-checksum(out))
	return out
}

func checksum(b []byte) (sum uint32) {
	for ; len(b) >= 4; b = b[4:] {
		sum += be.Uint32(b)
	}
	if len(b) > 0 {
		sum += be.Uint32(append(slices.Clone(b), 0, 0, 0)[:4])
	}
	return sum
}

// write adds the font to a file: a composite font with two octets a character [ISO 32000-1 9.7].
func (s *subset) write(add func(pdf.Object) pdf.Ref) pdf.Ref {
	f := s.face
	program := s.program()
	mille := func(n int) int { return int(math.Round(float64(n) * 1000 / float64(f.em))) }
	sum := sha256.Sum256(program)
	tag := make([]byte, 6)
	for i := range tag {
		tag[i] = 'A' + sum[i]%26
	}
	name := pdf.Name(string(tag) + "+" + f.name)
	head := f.tables["head"]
	box := pdf.Array{}
	for at := 36; at < 44; at += 2 {
		box = append(box, mille(int(int16(be.Uint16(head[at:])))))
	}
	widths := make(pdf.Array, len(s.runes))
	for c, r := range s.runes {
		g := uint16(0)
		if c > 0 {
			g = f.glyph(r)
		}
		a, _ := f.metrics(g)
		widths[c] = mille(int(a))
	}
	descriptor := add(pdf.Dict{
		"Type": pdf.Name("FontDescriptor"), "FontName": name, "Flags": 4, "FontBBox": box, "ItalicAngle": 0,
		"Ascent": mille(f.ascent), "Descent": mille(f.descent), "CapHeight": mille(f.capital), "StemV": 80,
		"FontFile2": add(pdf.Compress(pdf.Dict{"Length1": len(program)}, program)),
	})
	descendant := add(pdf.Dict{
		"Type": pdf.Name("Font"), "Subtype": pdf.Name("CIDFontType2"), "BaseFont": name, "FontDescriptor": descriptor, "CIDToGIDMap": pdf.Name("Identity"),
		"CIDSystemInfo": pdf.Dict{"Registry": pdf.String("Adobe"), "Ordering": pdf.String("Identity"), "Supplement": 0}, "DW": 1000, "W": pdf.Array{0, widths},
	})
	return add(pdf.Dict{
		"Type": pdf.Name("Font"), "Subtype": pdf.Name("Type0"), "BaseFont": name, "Encoding": pdf.Name("Identity-H"),
		"DescendantFonts": pdf.Array{descendant}, "ToUnicode": add(pdf.Compress(nil, s.toUnicode())),
	})
}

// toUnicode writes the way back from numbers to characters [ISO 32000-1 9.10.3].
func (s *subset) toUnicode() []byte {
	var b bytes.Buffer
	b.WriteString("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n" +
		"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n")
	for from := 1; from < len(s.runes); from += 100 {
		part := s.runes[from:min(from+100, len(s.runes))]
		fmt.Fprintf(&b, "%d beginbfchar\n", len(part))
		for i, r := range part {
			fmt.Fprintf(&b, "<%04x> <", from+i)
			if r > 0xffff {
				r -= 0x10000
				fmt.Fprintf(&b, "%04x%04x", 0xd800+r>>10, 0xdc00+r&0x3ff)
			} else {
				fmt.Fprintf(&b, "%04x", r)
			}
			b.WriteString(">\n")
		}
		b.WriteString("endbfchar\n")
	}
	b.WriteString("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n")
	return b.Bytes()
}
