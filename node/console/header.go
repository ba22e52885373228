package console

import (
	"bytes"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// property is one line of what the header says beside the columns of the list.
type property struct{ Name, Type, Value string }

// headerLimits bound what is read again to show it; a longer header is shown as it is.
var headerLimits = dom.Limits{Bytes: 1 << 20, Depth: 64, Nodes: 20_000}

// properties reads eb:MessageProperties of a stored header; none where it cannot be read.
func properties(header []byte) (out []property) {
	doc, err := dom.Parse(bytes.Clone(header), headerLimits)
	if err != nil {
		return nil
	}
	for n := range doc.Root().Child(ebms.NS, "MessageProperties").Elements() {
		out = append(out, property{n.Attr("name"), n.Attr("type"), n.TrimmedText()})
	}
	return out
}

// indent writes one element a line. It is for the eye: the octets that count are those of the evidence.
func indent(header []byte) string {
	doc, err := dom.Parse(bytes.Clone(header), headerLimits)
	if err != nil {
		return string(header)
	}
	var b strings.Builder
	write(&b, doc.Root(), 0)
	return b.String()
}

func write(b *strings.Builder, n dom.Node, depth int) {
	pad := strings.Repeat("  ", depth)
	b.WriteString(pad + "<" + n.QName())
	for prefix, uri := range n.Declared() {
		name := "xmlns"
		if prefix != "" {
			name += ":" + prefix
		}
		b.WriteString(" " + name + `="` + uri + `"`)
	}
	for a := range n.Attributes() {
		b.WriteString(" " + a.QName() + `="` + string(a.Value()) + `"`)
	}
	b.WriteString(">")
	if !n.FirstElement().Valid() {
		b.WriteString(n.Text() + "</" + n.QName() + ">\n")
		return
	}
	b.WriteString("\n")
	for e := range n.Elements() {
		write(b, e, depth+1)
	}
	b.WriteString(pad + "</" + n.QName() + ">\n")
}
