package dom

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Pos returns line and column of the node's first character, both from 1.
func (n Node) Pos() (line, column int) {
	if n.d == nil {
		return 0, 0
	}
	return n.d.position(n.Offset())
}

func (d *Document) position(off int) (line, column int) {
	before := d.src[:min(off, len(d.src))]
	line = bytes.Count(before, []byte{'\n'}) + 1
	return line, utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
}

// Path returns the names as written from the document element down, with an index among siblings of the same
// name where there are several. It is for messages: long paths lose their middle.
func (n Node) Path() string {
	return n.steps(func(e Node) int {
		index, several := 0, false
		for s := e.Parent().FirstElement(); s.Valid(); s = s.NextElement() {
			if s.QName() == e.QName() {
				several = several || index > 0 && s != e || s.i > e.i
				if s.i <= e.i {
					index++
				}
			}
		}
		if !several && index <= 1 {
			return 0
		}
		return index
	})
}

func (n Node) steps(index func(Node) int) string {
	const most = 16
	var steps []string
	for ; n.d != nil && n.i > 0; n = n.Parent() {
		s := ""
		if n.Kind() == ElementNode && n.at().name == 0 {
			continue // under construction
		}
		switch n.Kind() {
		case ElementNode:
			s = clip(n.QName())
			if index != nil {
				if i := index(n); i > 0 {
					s += "[" + strconv.Itoa(i) + "]"
				}
			}
		case AttributeNode:
			s = "@" + clip(n.QName())
		case TextNode:
			s = "text()"
		case CommentNode:
			s = "comment()"
		case PINode:
			s = "processing-instruction()"
		}
		if len(steps) == most {
			steps[most-1] = "..."
		} else {
			steps = append(steps, s)
		}
	}
	for i, j := 0, len(steps)-1; i < j; i, j = i+1, j-1 {
		steps[i], steps[j] = steps[j], steps[i]
	}
	return strings.Join(steps, "/")
}
