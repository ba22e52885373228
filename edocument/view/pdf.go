package view

import (
	"strings"

	"github.com/viadukt-eu/viadukt/pdf/page"
)

// document lays the sheet out for paper.
func (s *sheet) document(o Options) *page.Document {
	options := o.page()
	options.Title, options.Language, options.Footer = s.Title, s.Lang, s.Title
	d := page.New(options)
	d.Add(page.Heading{Level: 1, Text: s.Title})
	var shown []group
	for _, g := range s.Groups {
		if len(g.Rows) > 0 {
			shown = append(shown, g)
		}
	}
	for k := 0; k < len(shown); k += 2 {
		columns := page.Columns{Blocks: [][]page.Block{{shown[k].values()}, nil}}
		if k+1 < len(shown) {
			columns.Blocks[1] = []page.Block{shown[k+1].values()}
		}
		d.Add(columns)
	}
	for _, n := range s.Notes {
		d.Add(page.Paragraph{Text: page.Plain(n)})
	}
	for _, t := range append([]table{s.Lines, s.Issues, s.Documents}, s.Tables...) {
		if len(t.Lines) > 0 {
			d.Add(t.block())
		}
	}
	if len(s.Totals.Rows) > 0 {
		values := s.Totals.values()
		values.Align, values.Share = page.Right, 0.6
		values.Rows[len(values.Rows)-1].Strong = true
		d.Add(page.Columns{Blocks: [][]page.Block{nil, {values}}})
	}
	if len(s.Technical.Rows) > 0 {
		d.Add(s.Technical.values())
	}
	return d
}

func (g group) values() page.KeyValues {
	v := page.KeyValues{Title: g.Title, Rows: make([]page.KeyValue, len(g.Rows))}
	for k, r := range g.Rows {
		v.Rows[k] = page.KeyValue{Key: r.Label, Value: page.Plain(r.Value)}
	}
	return v
}

func (t *table) block() page.Block {
	b := page.Table{Caption: t.Title, RowHeads: true, Rows: make([][]page.Cell, len(t.Lines))}
	for c, title := range t.Columns {
		column := page.Column{Title: title}
		if t.Numeric(c) {
			column.Align = page.Right
		}
		b.Columns = append(b.Columns, column)
	}
	for k, l := range t.Lines {
		for _, c := range l {
			cell := page.Cell(page.Plain(c.Value))
			for _, small := range c.Small {
				cell = append(cell, page.Text{Value: strings.Repeat("\n", min(1, len(cell))) + small, Small: true})
			}
			b.Rows[k] = append(b.Rows[k], cell)
		}
	}
	return b
}
