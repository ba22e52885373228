package page

import (
	"fmt"
	"strings"
)

// Heading begins a section and is in the outline of the document. Levels are 1 to 6, and none is skipped on the way down.
type Heading struct {
	Level int
	Text  string
}

var headings = [...]struct {
	look
	above, below float64
}{
	{look{true, 19, Ink}, 4, 8}, {look{true, 12, Blue}, 15, 4}, {look{true, 10.5, Ink}, 10, 3}, {look{true, 9.5, Ink}, 8, 2}, {look{true, 9.5, Quiet}, 8, 2}, {look{true, 9.5, Quiet}, 8, 2},
}

func (h Heading) strips(d *Document, parent *element, width float64) []strip {
	if h.Level < 1 || h.Level > 6 || h.Level > d.level+1 {
		d.errs = append(d.errs, fmt.Errorf("heading %q of level %d after level %d", h.Text, h.Level, d.level))
		h.Level = min(max(h.Level, 1), 6)
	}
	d.level = h.Level
	style := headings[h.Level-1]
	e := parent.child(pdfName("H", h.Level))
	out := []strip{gap(style.above, true)}
	lines := d.set(Plain(strings.TrimSpace(h.Text)), style.look).lines(width)
	for i := range lines {
		s := lineStrip(&lines[i], e, 0, width, Left)
		s.keep = true
		if i == 0 {
			s.draw = d.marked(h.Level, h.Text, s.draw)
		}
		out = append(out, s)
	}
	return append(out, gap(style.below, true))
}

// marked adds a bookmark where something is drawn.
func (d *Document) marked(level int, title string, draw func(p *painter, x, y float64)) func(p *painter, x, y float64) {
	return func(p *painter, x, y float64) {
		if !p.mute {
			d.marks = append(d.marks, bookmark{level, strings.Join(strings.Fields(clean(title)), " "), p.sheet, y})
		}
		draw(p, x, y)
	}
}

// lineStrip shows one line; indent is from the left edge.
func lineStrip(l *line, e *element, indent, width float64, a Align) strip {
	return strip{height: l.height, draw: func(p *painter, x, y float64) { l.draw(p, e, x+indent, y, width, a) }}
}

// Paragraph is text.
type Paragraph struct {
	Text  []Text
	Align Align
}

var normal = look{false, sizeNormal, Ink}

func (b Paragraph) strips(d *Document, parent *element, width float64) []strip {
	return append([]strip{gap(3, true)}, paragraph(d, b.Text, parent.child("P"), 0, width, b.Align)...)
}

func paragraph(d *Document, t []Text, e *element, indent, width float64, a Align) []strip {
	lines := d.set(t, normal).lines(width)
	out := make([]strip, len(lines))
	for i := range lines {
		out[i] = lineStrip(&lines[i], e, indent, width, a)
		// The first two lines and the last two stay together.
		out[i].keep = i+1 < len(lines) && (i == 0 || i == len(lines)-2)
	}
	return out
}

// List is a list of items with a mark before each.
type List struct {
	Items   [][]Text
	Ordered bool // numbers instead of bullets
}

func (b List) strips(d *Document, parent *element, width float64) []strip {
	list := parent.child("L")
	list.owner, list.attrs = "List", attributes("ListNumbering", "Disc")
	if b.Ordered {
		list.attrs = attributes("ListNumbering", "Decimal")
	}
	out := []strip{gap(2, true)}
	for i, item := range b.Items {
		mark := "•"
		if b.Ordered {
			mark = fmt.Sprintf("%d.", i+1)
		}
		e := list.child("LI")
		label := d.set(Plain(mark), normal).lines(width)[0]
		indent := max(12, label.width+4)
		labelled := e.child("Lbl")
		body := paragraph(d, item, e.child("LBody"), indent, max(width-indent, 1), Left)
		draw := body[0].draw
		body[0].draw = func(p *painter, x, y float64) {
			label.draw(p, labelled, x, y, indent, Left)
			draw(p, x, y)
		}
		out = append(append(out, gap(1.5, true)), body...)
	}
	return out
}

// KeyValue is a name with what it stands for.
type KeyValue struct {
	Key    string
	Value  []Text
	Strong bool // bold, below a line: the sum of what stands above
}

// KeyValues are names at the left and values beside them. Rows stay together where a page has room for them.
type KeyValues struct {
	Title string // a heading above them
	Level int    // of that heading; zero is 2
	Rows  []KeyValue
	Align Align // of the values
	// Share is the part of the width that names have; zero is 0.4.
	Share float64
}

func (b KeyValues) strips(d *Document, parent *element, width float64) []strip {
	var out []strip
	if b.Title != "" {
		if b.Level == 0 {
			b.Level = 2
		}
		out = Heading{b.Level, b.Title}.strips(d, parent, width)
	} else {
		out = append(out, gap(3, true))
	}
	if len(b.Rows) == 0 {
		return out
	}
	if b.Share <= 0 || b.Share >= 1 {
		b.Share = 0.4
	}
	const between = 8
	list := parent.child("L")
	list.owner, list.attrs = "List", attributes("ListNumbering", "None")
	left := width*b.Share - between
	names := make([]*setting, len(b.Rows))
	for k, r := range b.Rows {
		name := look{r.Strong, sizeNormal, Quiet}
		if r.Strong {
			name.color = Ink
		}
		names[k] = d.set(Plain(r.Key), name)
		word, _ := names[k].measure()
		left = max(left, min(word+0.1, width*0.6))
	}
	for k, r := range b.Rows {
		item := list.child("LI")
		key, value := item.child("Lbl"), item.child("LBody")
		keys, values := names[k].lines(left), d.set(r.Value, look{r.Strong, sizeNormal, Ink}).lines(width-left-between)
		rows := beside([]column{{keys, key, 0, left, Left}, {values, value, left + between, width - left - between, b.Align}})
		if r.Strong {
			rows[0] = above(rows[0], 3, func(p *painter, x, y float64) { p.fill(Ink, x, y-1, width, 0.8) })
		}
		out = append(out, rows...)
		out = append(out, gap(1, true))
	}
	for i := range out {
		out[i].keep = i+1 < len(out)
	}
	return out
}

// above makes room over a strip, where paint may draw.
func above(s strip, h float64, paint func(p *painter, x, y float64)) strip {
	draw := s.draw
	s.height += h
	s.draw = func(p *painter, x, y float64) {
		paint(p, x, y)
		draw(p, x, y-h)
	}
	return s
}

// column is a text at its place within a row.
type column struct {
	lines         []line
	element       *element
	indent, width float64
	align         Align
}

// beside makes strips of texts that stand beside each other: one, or where that would be high one for each line of the longest.
func beside(columns []column) []strip {
	n, high := 0, 0.0
	for _, c := range columns {
		h := 0.0
		for _, l := range c.lines {
			h += l.height
		}
		n, high = max(n, len(c.lines)), max(high, h)
	}
	const most = 220
	if high <= most {
		return []strip{{height: high, draw: func(p *painter, x, y float64) {
			for _, c := range columns {
				at := y
				for i := range c.lines {
					c.lines[i].draw(p, c.element, x+c.indent, at, c.width, c.align)
					at -= c.lines[i].height
				}
			}
		}}}
	}
	out := make([]strip, n)
	for i := range out {
		h := 0.0
		for _, c := range columns {
			if i < len(c.lines) {
				h = max(h, c.lines[i].height)
			}
		}
		out[i] = strip{height: h, keep: i+1 < n, draw: func(p *painter, x, y float64) {
			for _, c := range columns {
				if i < len(c.lines) {
					c.lines[i].draw(p, c.element, x+c.indent, y, c.width, c.align)
				}
			}
		}}
	}
	return out
}

// Columns are blocks side by side. They begin at one height; what does not fit on a page goes on at the top of the next one,
// in the same columns.
type Columns struct {
	Blocks [][]Block
	Widths []float64 // in relation to each other; nil: all the same
}

const gutter = 22.0

func (b Columns) strips(d *Document, parent *element, width float64) []strip {
	if len(b.Blocks) == 0 {
		return nil
	}
	sum := 0.0
	share := func(i int) float64 {
		if i < len(b.Widths) && b.Widths[i] > 0 {
			return b.Widths[i]
		}
		return 1
	}
	for i := range b.Blocks {
		sum += share(i)
	}
	room := width - gutter*float64(len(b.Blocks)-1)
	lists, places := make([][]strip, len(b.Blocks)), make([]float64, len(b.Blocks))
	at, level := 0.0, d.level
	for i, blocks := range b.Blocks {
		w := room * share(i) / sum
		for _, x := range blocks {
			lists[i] = append(lists[i], x.strips(d, parent, w)...)
		}
		places[i], at = at, at+w+gutter
		// A section begins at one level in each column.
		d.level, level = max(level, min(d.level, level+1)), d.level
	}
	return []strip{side(lists, places, d.full())}
}

// side makes one strip of columns.
func side(lists [][]strip, places []float64, full float64) strip {
	s := strip{}
	for _, l := range lists {
		h := 0.0
		for k := 0; k < len(l) && h <= full; k++ { // what is higher than a page is split, however high it is
			h += l[k].height
		}
		s.height = max(s.height, h)
	}
	s.draw = func(p *painter, x, y float64) {
		for i, l := range lists {
			stack(l, p, x+places[i], y)
		}
	}
	s.split = func(room float64) (*strip, *strip) {
		here, later := make([][]strip, len(lists)), make([][]strip, len(lists))
		some, more := false, false
		for i, l := range lists {
			k, h := 0, 0.0
			for k < len(l) {
				n, need := chain(l[k:], full)
				if h+need > room {
					break
				}
				k, h = k+n, h+need
			}
			here[i], later[i] = l[:k], l[k:]
			for len(later[i]) > 0 && later[i][0].gap {
				later[i] = later[i][1:]
			}
			some, more = some || k > 0, more || len(later[i]) > 0
		}
		if !some {
			return nil, nil
		}
		part := side(here, places, full)
		if !more {
			return &part, nil
		}
		rest := side(later, places, full)
		return &part, &rest
	}
	return s
}

// Box is blocks on a ground of their own, with a bar at the left edge.
type Box struct {
	Blocks []Block
	Fill   Color // zero is Wash
	Bar    Color // zero is no bar
}

func (b Box) strips(d *Document, parent *element, width float64) []strip {
	const side, edge = 12.0, 6.0
	if b.Fill == (Color{}) {
		b.Fill = Wash
	}
	e := parent.child("Div")
	var inner []strip
	for _, x := range b.Blocks {
		inner = append(inner, x.strips(d, e, width-2*side)...)
	}
	inner = append(inner, gap(edge, false))
	if len(inner) > 0 && inner[0].gap {
		inner[0].height = edge
	}
	for i := range inner {
		s := &inner[i]
		draw, h := s.draw, s.height
		s.gap, s.split = false, nil
		s.keep = s.keep || i == 0 || i == len(inner)-2
		s.draw = func(p *painter, x, y float64) {
			p.fill(b.Fill, x, y, width, h+0.2) // no seam between strips
			if b.Bar != (Color{}) {
				p.fill(b.Bar, x, y, 3, h+0.2)
			}
			draw(p, x+side, y)
		}
	}
	return append([]strip{gap(6, true)}, inner...)
}

// Rule is a line across.
type Rule struct{}

func (Rule) strips(_ *Document, _ *element, width float64) []strip {
	return []strip{{height: 9, draw: func(p *painter, x, y float64) { p.fill(Ruler, x, y-5, width, 0.7) }}}
}

// Space is empty, and left out where a page begins.
type Space float64

func (b Space) strips(*Document, *element, float64) []strip { return []strip{gap(float64(b), false)} }
