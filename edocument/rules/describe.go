package rules

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// describe turns what was found into findings. Positions are counted once from the beginning, since findings come in
// the order of the document almost always.
func (x *eval) describe(out []edocument.Finding) []edocument.Finding {
	pos := position{src: x.doc.Source(), line: 1}
	for _, r := range x.out {
		f := edocument.Finding{ID: r.a.id, Severity: r.a.flag, Location: location(r.n), Text: r.a.rule.Text, Remedy: r.a.rule.Remedy}
		f.Line, f.Column = pos.of(r.n.Offset())
		if r.note != "" {
			f.Value = r.note
		} else if !r.n.FirstElement().Valid() {
			f.Value = edocument.Clip(normalize(r.n.Text()))
		}
		if r.fix != "" {
			f.Remedy = r.fix
		}
		out = append(out, f)
	}
	return out
}

// position finds lines for growing offsets.
type position struct {
	src                []byte
	offset, line, from int
}

func (p *position) of(offset int) (line, column int) {
	if offset < p.offset {
		p.offset, p.line, p.from = 0, 1, 0
	}
	for {
		i := bytes.IndexByte(p.src[p.offset:offset], '\n')
		if i < 0 {
			break
		}
		p.offset += i + 1
		p.from = p.offset
		p.line++
	}
	return p.line, utf8.RuneCount(p.src[p.from:offset]) + 1
}

// location writes an XPath with the names as the document has them; elements that have siblings of the same name get
// their number.
func location(n dom.Node) string {
	var steps []string
	if n.Kind() == dom.AttributeNode {
		steps = append(steps, "@"+n.QName())
		n = n.Parent()
	}
	for n.Kind() == dom.ElementNode {
		name := n.QName()
		parent := n.Parent()
		k, of := 0, 0
		if parent.Kind() == dom.ElementNode {
			for c := parent.FirstElement(); c.Valid(); c = c.NextElement() {
				if c.NameID() == n.NameID() {
					if of++; c == n {
						k = of
					}
					if k > 0 && of > 1 {
						break
					}
				}
			}
		}
		if of > 1 {
			name += "[" + strconv.Itoa(k) + "]"
		}
		steps = append(steps, name)
		n = parent
	}
	var b strings.Builder
	for i := len(steps) - 1; i >= 0; i-- {
		b.WriteByte('/')
		b.WriteString(steps[i])
	}
	return b.String()
}
