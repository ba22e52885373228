package page

import (
	"github.com/viadukt-eu/viadukt/pdf"
)

// strip is a part of a block that stands on one page: most often a line.
type strip struct {
	height float64
	keep   bool // stays with the next one, as far as a page reaches
	draw   func(p *painter, x, y float64)
	// head is drawn again when a page begins with this strip.
	head []strip
	// split takes off the part that fits; it is for strips that may be higher than a page.
	split func(room float64) (part, rest *strip)
	gap   bool // is left out where a page begins
}

func nothing(*painter, float64, float64) {}

func gap(h float64, keep bool) strip {
	return strip{height: h, keep: keep, gap: true, draw: nothing}
}

// full is the height between the margins.
func (d *Document) full() float64 { return d.height - marginTop - marginBottom }

// turn begins a page, with the head of what goes on there.
func (d *Document) turn(head []strip) {
	d.end()
	s := &sheet{number: len(d.sheets) + 1}
	d.sheets = append(d.sheets, s)
	d.p, d.y = &painter{d: d, sheet: s}, d.full()
	d.p.mute = true
	for k := range head {
		d.paint(&head[k])
	}
	d.p.mute = false
}

// end compresses the content of the page that is open.
func (d *Document) end() {
	if d.p != nil {
		d.p.leave()
		d.p.sheet.content = pdf.Compress(nil, d.p.b.Bytes())
		d.p = nil
	}
}

// flow puts strips on pages.
func (d *Document) flow(list []strip) {
	for len(list) > 0 {
		n, need := chain(list, d.full())
		if d.p == nil || need > d.y && d.y < d.full() {
			d.turn(list[0].head)
		}
		for _, s := range list[:n] {
			d.place(s)
		}
		list = list[n:]
	}
}

// chain counts the strips that stay together, and their height. Of what is higher than a page only the beginning does.
func chain(list []strip, full float64) (n int, height float64) {
	for n < len(list) && height <= full {
		height += list[n].height
		n++
		if !list[n-1].keep {
			break
		}
	}
	if height <= full {
		return n, height
	}
	n, height = 1, list[0].height
	for n < len(list) && height+list[n].height < full/4 {
		height += list[n].height
		n++
	}
	return n, height
}

func (d *Document) place(s strip) {
	if s.gap {
		if d.y < d.full() {
			d.y -= s.height
		}
		return
	}
	for fresh := false; s.height > d.y; fresh = true {
		if s.split != nil && s.height > d.full() {
			if part, rest := s.split(d.y); part != nil {
				d.paint(part)
				if rest == nil {
					return
				}
				s = *rest
				d.turn(s.head)
				continue
			}
		}
		if fresh {
			break // higher than any page: it is cut off
		}
		d.turn(s.head)
	}
	d.paint(&s)
}

func (d *Document) paint(s *strip) {
	s.draw(d.p, marginSide, marginBottom+d.y)
	d.y -= s.height
}

// stack draws strips below each other.
func stack(list []strip, p *painter, x, y float64) {
	for i := range list {
		list[i].draw(p, x, y)
		y -= list[i].height
	}
}

func total(list []strip) (h float64) {
	for i := range list {
		h += list[i].height
	}
	return h
}
