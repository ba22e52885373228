package view

import (
	"cmp"

	"github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/pdf/page"
)

// Document lays the invoice out for paper. The options need a time; title, language, author and foot are the invoice's where
// they are empty. Files can be attached to what is returned before it is written.
func Document(i *invoice.Invoice, l Labels, o page.Options) *page.Document {
	s := fill(i, l)
	o.Title, o.Language, o.Author = cmp.Or(o.Title, s.Title, l.text("BG-25")), cmp.Or(o.Language, s.Lang), cmp.Or(o.Author, i.Seller.Name.Value)
	if o.Footer == "" {
		o.Footer = o.Title
		if i.Seller.Name.Value != "" {
			o.Footer = i.Seller.Name.Value + " · " + o.Title
		}
	}
	d := page.New(o)
	d.Add(page.Heading{Level: 1, Text: o.Title})
	for _, sec := range s.Sections {
		switch sec.Kind {
		case beside:
			for k := 0; k < len(sec.Groups); k += 2 {
				columns := page.Columns{Blocks: [][]page.Block{sec.Groups[k].blocks(), nil}}
				if k+1 < len(sec.Groups) {
					columns.Blocks[1] = sec.Groups[k+1].blocks()
				}
				d.Add(columns)
			}
		case alone:
			for _, g := range sec.Groups {
				d.Add(g.blocks()...)
			}
		case sums:
			for _, g := range sec.Groups {
				values := g.values()
				values.Align, values.Share = page.Right, 0.6
				values.Rows[len(values.Rows)-1].Strong = true
				d.Add(page.Columns{Blocks: [][]page.Block{nil, {values}}})
			}
		case lines, tables:
			d.Add(sec.Table.block())
		}
	}
	return d
}

func (g *group) values() page.KeyValues {
	v := page.KeyValues{Title: g.Title, Rows: make([]page.KeyValue, len(g.Rows))}
	for k, r := range g.Rows {
		v.Rows[k] = page.KeyValue{Key: r.Label, Value: page.Plain(r.Value)}
	}
	return v
}

func (g *group) blocks() []page.Block {
	if !g.Notes {
		return []page.Block{g.values()}
	}
	out := []page.Block{page.Heading{Level: 2, Text: g.Title}}
	for _, r := range g.Rows {
		out = append(out, page.Paragraph{Text: page.Plain(r.Value)})
	}
	return out
}

func (t *table) block() page.Block {
	b := page.Table{Caption: t.Title, RowHeads: true, Rows: make([][]page.Cell, len(t.Lines))}
	for c, col := range t.Columns {
		column := page.Column{Title: col.Label}
		if t.Numeric(c) {
			column.Align = page.Right
		}
		b.Columns = append(b.Columns, column)
	}
	for k, l := range t.Lines {
		row := []page.Cell{page.Plain(l.Head)}
		for _, c := range l.Cells {
			cell := page.Cell(page.Plain(c.Value))
			for _, small := range c.Small {
				cell = append(cell, page.Text{Value: "\n" + small, Small: true})
			}
			row = append(row, cell)
		}
		b.Rows[k] = row
	}
	return b
}
