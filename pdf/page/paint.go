package page

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/viadukt-eu/viadukt/pdf"
)

// sheet is one page.
type sheet struct {
	number      int // from 1
	content     *pdf.Stream
	marks       []*element // by number of the marked sequence
	annotations []*annotation
	pictures    []*picture
	ref         pdf.Ref
}

// artifact marks what is decoration: it stands outside of the structure [ISO 32000-1 14.8.2.2].
var artifact = &element{}

// painter writes the content of one page.
type painter struct {
	d     *Document
	sheet *sheet
	b     bytes.Buffer
	open  *element // whose marked sequence is open
	font  look     // as last set
	paint Color    // as last set
	// mute marks everything as decoration: the head of a table on its further pages.
	mute bool
}

func number(b []byte, v float64) []byte {
	b = strconv.AppendFloat(b, v, 'f', 2, 64)
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	if b[len(b)-1] == '.' {
		b = b[:len(b)-1]
	}
	if string(b) == "-0" {
		return []byte("0")
	}
	return b
}

// op writes an operator behind its numbers.
func (p *painter) op(operator string, numbers ...float64) {
	var buf [24]byte
	for _, v := range numbers {
		p.b.Write(number(buf[:0], v))
		p.b.WriteByte(' ')
	}
	p.b.WriteString(operator)
	p.b.WriteByte('\n')
}

// enter begins what belongs to an element, unless the sequence before belongs to the same.
func (p *painter) enter(e *element) {
	if p.mute {
		e = artifact
	}
	if p.open == e {
		return
	}
	p.leave()
	p.open = e
	if e == artifact {
		p.b.WriteString("/Artifact BMC\n")
		return
	}
	id := len(p.sheet.marks)
	p.sheet.marks = append(p.sheet.marks, e)
	e.kids = append(e.kids, mark{p.sheet, id})
	fmt.Fprintf(&p.b, "/%s <</MCID %d>> BDC\n", e.tag, id)
}

func (p *painter) leave() {
	if p.open != nil {
		p.b.WriteString("EMC\n")
	}
	p.open = nil
}

func (p *painter) color(c Color) {
	if p.paint != c {
		p.op("rg", float64(c[0])/255, float64(c[1])/255, float64(c[2])/255)
		p.paint = c
	}
}

// fill draws a box of decoration; y is its top.
func (p *painter) fill(c Color, x, y, w, h float64) {
	p.enter(artifact)
	p.color(c)
	p.op("re", x, y-h, w, h)
	p.op("f")
}

// show writes a piece of text on a base line.
func (p *painter) show(e *element, q *piece, x, y float64) {
	if q.text == "" {
		return
	}
	p.enter(e)
	p.color(q.color)
	p.b.WriteString("BT\n")
	if p.font.bold != q.bold || p.font.size != q.size {
		name := "/F1 "
		if q.bold {
			name = "/F2 "
		}
		p.b.WriteString(name)
		p.op("Tf", q.size)
		p.font = q.look
	}
	p.op("Td", x, y)
	s := p.d.font(q.bold)
	p.b.WriteByte('<')
	const hex = "0123456789abcdef"
	for _, r := range q.text {
		c := s.cid(r)
		p.b.Write([]byte{hex[c>>12], hex[c>>8&15], hex[c>>4&15], hex[c&15]})
	}
	p.b.WriteString("> Tj\nET\n")
}

func (p *painter) link(e *element, address string, x, y, w, h float64) {
	if p.mute {
		return
	}
	a := &annotation{sheet: p.sheet, element: e, address: address, box: [4]float64{x, y, x + w, y + h}}
	e.kids = append(e.kids, a)
	p.sheet.annotations = append(p.sheet.annotations, a)
}
