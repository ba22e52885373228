package page

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/pdf"
)

func pdfName(letter string, n int) pdf.Name { return pdf.Name(letter + strconv.Itoa(n)) }

func attributes(key, value pdf.Name) pdf.Dict { return pdf.Dict{key: value} }

// Table has a head that is repeated on each page it reaches.
type Table struct {
	Caption string // above the table, and in the outline
	Columns []Column
	Rows    [][]Cell
	// RowHeads makes the first cell of each row its heading.
	RowHeads bool
}

// Column is one of a table. Columns are as wide as what stands in them asks for; numbers, which stand at the right, are not
// broken into lines as long as there is room.
type Column struct {
	Title string
	Align Align
}

// Cell is what stands in one place of a table.
type Cell []Text

const (
	padSide = 4.5
	padTop  = 3.0
)

func (b Table) strips(d *Document, parent *element, width float64) []strip {
	n := len(b.Columns)
	if n == 0 {
		return nil
	}
	e := parent.child("Table")
	var out, head []strip
	if b.Caption != "" {
		caption := e.child("Caption")
		style := headings[1]
		out = append(out, gap(style.above, true))
		lines := d.set(Plain(strings.TrimSpace(b.Caption)), style.look).lines(width)
		for i := range lines {
			s := lineStrip(&lines[i], caption, 0, width, Left)
			s.keep = true
			if i == 0 {
				s.draw = d.marked(2, b.Caption, s.draw)
			}
			out = append(out, s)
		}
		out = append(out, gap(style.below, true))
	} else {
		out = append(out, gap(6, true))
	}
	heads := make([]*setting, n)
	for c, col := range b.Columns {
		heads[c] = d.set(Plain(col.Title), look{true, sizeSmall + 0.5, Ink})
	}
	cells := make([][]*setting, len(b.Rows))
	for r, row := range b.Rows {
		cells[r] = make([]*setting, n)
		for c := range n {
			var t []Text
			if c < len(row) {
				t = row[c]
			}
			base := normal
			base.size = 9
			cells[r][c] = d.set(t, base)
		}
	}
	widths := b.widths(heads, cells, width)
	place := func(row []*setting, under *element, head bool) []strip {
		columns := make([]column, n)
		x := 0.0
		for c, s := range row {
			tag, scope := pdf.Name("TD"), pdf.Name("")
			switch {
			case head && b.Columns[c].Title != "":
				tag, scope = "TH", "Column"
			case !head && c == 0 && b.RowHeads:
				tag, scope = "TH", "Row"
			}
			cell := under.child(tag)
			if scope != "" {
				cell.owner, cell.attrs = "Table", attributes("Scope", scope)
			}
			columns[c] = column{s.lines(widths[c] - 2*padSide), cell, x + padSide, widths[c] - 2*padSide, b.Columns[c].Align}
			x += widths[c]
		}
		return beside(columns)
	}
	head = place(heads, e.child("THead").child("TR"), true)
	for i := range head {
		last, top := i == len(head)-1, 0.0
		draw, h := head[i].draw, head[i].height
		if i == 0 {
			top = padTop
			h += padTop
		}
		if last {
			h += padTop
		}
		head[i] = strip{height: h, keep: true, draw: func(p *painter, x, y float64) {
			p.fill(Wash, x, y, width, h+0.1)
			if last {
				p.fill(Ruler, x, y-h+0.6, width, 0.6)
			}
			draw(p, x, y-top)
		}}
	}
	out = append(out, head...)
	first := len(out)
	body := e.child("TBody")
	for r := range cells {
		rows := place(cells[r], body.child("TR"), false)
		cells[r] = nil
		for i := range rows {
			s := &rows[i]
			s.head = head
			if i == 0 {
				*s = above(*s, padTop, nothing)
			}
			if i == len(rows)-1 {
				draw, h := s.draw, s.height+padTop
				s.height = h
				s.draw = func(p *painter, x, y float64) {
					draw(p, x, y)
					p.fill(Ruler, x, y-h+0.4, width, 0.4)
				}
			}
		}
		out = append(out, rows...)
	}
	if total(out) < d.full()/4 { // a short table stays in one piece
		for i := first; i < len(out); i++ {
			out[i].keep = true
		}
	}
	out[len(out)-1].keep = false
	return out
}

// widths shares the width among the columns: each gets what its widest word needs, then they grow alike towards their
// longest lines, as far as there is room.
func (b *Table) widths(heads []*setting, cells [][]*setting, width float64) []float64 {
	n := len(b.Columns)
	least, most := make([]float64, n), make([]float64, n)
	for c := range n {
		limit := width / 4
		if b.Columns[c].Align == Right {
			limit = width / 2
		}
		see := func(s *setting, whole bool) {
			word, line := s.measure()
			if whole {
				word = line
			}
			least[c], most[c] = max(least[c], min(word, limit)), max(most[c], line)
		}
		see(heads[c], false)
		for r := range cells {
			see(cells[r][c], b.Columns[c].Align == Right)
		}
		least[c], most[c] = least[c]+2*padSide+0.1, most[c]+2*padSide+0.1
	}
	low, high := sum(least), sum(most)
	out := make([]float64, n)
	switch {
	case high <= width: // what is left goes to where text is
		spare, texts := width-high, 0.0
		for c := range n {
			if b.Columns[c].Align == Left {
				texts += most[c]
			}
		}
		for c := range n {
			switch {
			case texts == 0:
				out[c] = most[c] * width / high
			case b.Columns[c].Align == Left:
				out[c] = most[c] + spare*most[c]/texts
			default:
				out[c] = most[c]
			}
		}
	case low <= width: // who wants little gets it, the others share the rest
		order := make([]int, n)
		for c := range order {
			order[c] = c
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(most[a]-least[a], most[b]-least[b]) })
		spare := width - low
		for k, c := range order {
			more := min(most[c]-least[c], spare/float64(n-k))
			out[c] = least[c] + more
			spare -= more
		}
	default:
		for c := range n {
			out[c] = least[c] * width / low
		}
	}
	return out
}

func sum(v []float64) (s float64) {
	for _, x := range v {
		s += x
	}
	return s
}
