package invoice

import (
	"strings"

	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// pen writes the elements of one syntax; groups that would be empty are not written.
type pen struct {
	w        *dom.Writer
	waiting  []string // groups that are open in thought, written with their first content
	depth    []bool   // for each open group: it was written
	currency string
	level    int // of elements that are open
}

const declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

// group opens an element that is written when something is in it.
func (p *pen) group(name string, body func()) {
	p.waiting, p.depth = append(p.waiting, name), append(p.depth, false)
	body()
	last := len(p.depth) - 1
	if p.depth[last] {
		p.end()
	} else {
		p.waiting = p.waiting[:len(p.waiting)-1]
	}
	p.depth = p.depth[:last]
}

// force writes the groups that wait.
func (p *pen) force() {
	at := len(p.depth) - len(p.waiting)
	for k, name := range p.waiting {
		p.start(name)
		p.depth[at+k] = true
	}
	p.waiting = p.waiting[:0]
}

// leaf writes an element unless its text is empty. attrs are names and values; those without value are left out.
func (p *pen) leaf(name, s string, attrs ...string) {
	if s == "" {
		return
	}
	p.force()
	var given []string
	for k := 0; k+1 < len(attrs); k += 2 {
		if attrs[k+1] != "" {
			given = append(given, attrs[k], attrs[k+1])
		}
	}
	p.indent()
	p.w.Element(name, s, given...)
}

// start opens an element on a line of its own, and end closes it so.
func (p *pen) start(name string, attrs ...string) {
	if p.level > 0 {
		p.indent()
	}
	p.w.Start(name, attrs...)
	p.level++
}

func (p *pen) end() {
	p.level--
	p.indent()
	p.w.End()
}

const margin = "\n                                "

func (p *pen) indent() { p.w.Raw([]byte(margin[:min(1+2*p.level, len(margin))])) }

func (p *pen) number(name string, n Number, attrs ...string) {
	if n.Given {
		p.leaf(name, plain(n.Value), attrs...)
	}
}

// plain writes a number as it was given; what was no number cannot be written.
func plain(d decimal.Decimal) string {
	if d.IsNaN() {
		return ""
	}
	return d.String()
}

// amount writes an amount in the currency of the invoice, without zeros behind the second decimal.
func (p *pen) amount(name string, n Number) {
	if n.Value.Scale() > 2 {
		v := n.Value.Normal()
		n.Value = v.Fix(uint8(max(2, v.Scale())))
	}
	p.number(name, n, "currencyID", p.currency)
}

// id writes an identifier with its scheme.
func (p *pen) id(name string, i Identifier) { p.leaf(name, i.Value, "schemeID", i.Scheme) }

// each group of identifiers below its own element.
func (p *pen) in(group, name, s string, attrs ...string) {
	p.group(group, func() { p.leaf(name, s, attrs...) })
}

// binary writes an attachment without a copy of its content beside it.
func (p *pen) binary(name string, b *Binary) {
	if b == nil {
		return
	}
	p.leaf(name, strings.TrimSpace(b.Content), "mimeCode", b.MimeCode, "filename", b.Filename)
}
