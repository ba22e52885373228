package rules

import (
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// absence is the list of elements and attributes that a core invoice does not use, as a tree of names that is walked
// beside the document: hundreds of rules cost one step an element.
type absence struct {
	nodes   []absentNode // 0 is nowhere, 1 the document element
	asserts []assert
	depth   []int // by assert: how many elements lie between document element and context, that included
}

type absentNode struct {
	next map[uint16]int32
	here []terminal
}

type terminal struct {
	assert int32
	attr   string
}

const atRoot int32 = 1

// newAbsence reads lines "id flag context|path": an element with that path below the context must not occur. A path may
// end in @attribute; several paths of one rule stand in lines that follow each other.
func newAbsence(v *vocabulary, table string) *absence {
	a := &absence{nodes: make([]absentNode, 2)}
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		context, p, _ := strings.Cut(f[2], "|")
		flag := edocument.Warning
		if f[1] == "F" {
			flag = edocument.Fatal
		}
		k := len(a.asserts) - 1
		if k < 0 || a.asserts[k].id != f[0] {
			k++
			a.asserts = append(a.asserts, assert{id: f[0], flag: flag, rule: absentRule(p)})
			depth := 0
			if context != "" {
				depth = strings.Count(context, "/") + 1
			}
			a.depth = append(a.depth, depth)
		}
		full := p
		if context != "" {
			full = context + "/" + p
		}
		full, attr, _ := strings.Cut(full, "@")
		at := atRoot
		for name := range strings.SplitSeq(strings.Trim(full, "/"), "/") {
			if name == "" {
				continue
			}
			c := v.code(name)
			n := a.nodes[at].next[c]
			if n == 0 {
				n = int32(len(a.nodes))
				a.nodes = append(a.nodes, absentNode{})
				if a.nodes[at].next == nil {
					a.nodes[at].next = map[uint16]int32{}
				}
				a.nodes[at].next[c] = n
			}
			at = n
		}
		a.nodes[at].here = append(a.nodes[at].here, terminal{int32(k), attr})
	}
	return a
}

// absentRule words the rule for one path.
func absentRule(p string) *Rule {
	what, attr, isAttr := strings.Cut(p, "@")
	what = strings.TrimSuffix(what, "/")
	switch {
	case isAttr && what == "":
		return &Rule{Text: "The attribute " + attr + " is not used here in a core invoice.", Remedy: "Leave the attribute " + attr + " out."}
	case isAttr:
		return &Rule{Text: "The attribute " + attr + " of " + what + " is not used in a core invoice.", Remedy: "Leave the attribute " + attr + " out."}
	}
	return &Rule{Text: "The element " + what + " is not used in a core invoice.", Remedy: "Leave the element out, or agree on an extension with the receiver and name it in the specification identifier (BT-24)."}
}

// step goes from the parent's place to the element's, and reports what must not be there.
func (a *absence) step(x *eval, at int32, open []dom.Node, n dom.Node, code uint16) int32 {
	if at == 0 || code == 0 {
		return 0
	}
	at = a.nodes[at].next[code]
	if at != 0 && a.nodes[at].here != nil {
		a.attributes(x, at, open, n)
	}
	return at
}

func (a *absence) attributes(x *eval, at int32, open []dom.Node, n dom.Node) {
	for _, t := range a.nodes[at].here {
		found := n
		if t.attr != "" {
			if found = n.Attribute("", t.attr); !found.Valid() {
				continue
			}
		}
		context := int32(n.Index())
		if d := a.depth[t.assert]; d < len(open) {
			context = int32(open[d].Index())
		}
		if x.last[t.assert] != context+1 {
			x.last[t.assert] = context + 1
			x.report(&a.asserts[t.assert], found)
		}
	}
}
