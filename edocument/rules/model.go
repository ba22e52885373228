package rules

import (
	_ "embed" // the data models are a file
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

//go:embed data/postaward.txt
var modelsText string

// model is the data model of one document type, as a tree of names that is walked beside the document: which elements
// there may be, which must be there, and what they hold. Below an element that does not belong to it nothing is asked.
type model struct {
	nodes   []modelNode // 0 is outside, 1 the document element
	asserts []*assert
}

type modelNode struct {
	next  map[uint16]int32
	need  []*assert
	other *assert // for children that are not in next
}

// newModel reads the lines of one transaction out of the table; the file says how they are written.
func newModel(v *vocabulary, transaction string) *model {
	m := &model{nodes: make([]modelNode, 2)}
	prefix := "PEPPOL-T" + transaction + "-B"
	var at []int32 // by indentation: the node
	inside := false
	for line := range strings.Lines(modelsText) {
		line = strings.TrimRight(line, "\n")
		f := strings.Fields(line)
		if len(f) == 0 || line[0] == '#' {
			continue
		}
		depth := len(line) - len(strings.TrimLeft(line, " "))
		if depth == 0 {
			if inside = f[0] == transaction; inside {
				v.code(f[1])
				at = []int32{atRoot}
				m.read(v, atRoot, prefix, f[1], f[2:])
			}
			continue
		}
		if !inside {
			continue
		}
		n := m.child(v, at[depth-1], f[0])
		at = append(at[:depth], n)
		m.read(v, n, prefix, f[0], f[1:])
	}
	return m
}

func (m *model) child(v *vocabulary, at int32, name string) int32 {
	n := int32(len(m.nodes))
	m.nodes = append(m.nodes, modelNode{})
	if m.nodes[at].next == nil {
		m.nodes[at].next = map[uint16]int32{}
	}
	m.nodes[at].next[v.code(name)] = n
	return n
}

// read enters what the tokens of a line say about an element.
func (m *model) read(v *vocabulary, at int32, prefix, name string, tokens []string) {
	for _, t := range tokens {
		i := strings.LastIndexByte(t, '=')
		if i < 0 {
			m.child(v, at, t)
			continue
		}
		what, a := t[:i], &assert{id: prefix + t[i+1:], flag: edocument.Fatal}
		attr, lists, coded := strings.Cut(what, ":")
		switch {
		case what == "*":
			a.holds = never
			a.rule = &Rule{Text: "The elements of " + name + " are those of the data model.", Remedy: "Leave the element out, or write it where the model has it."}
			m.nodes[at].other = a
			m.asserts = append(m.asserts, a)
			continue
		case what[0] == '\'':
			value := what[1:]
			a.holds = v.reads("text()", value)
			a.rule = &Rule{Text: "The text of " + name + " is " + value + ".", Remedy: "Write " + value + "."}
		case what[0] == '+' && what[1] == '@':
			attribute := what[2:]
			a.holds = func(x *eval) bool { return x.n.Attribute("", attribute).Valid() }
			a.rule = &Rule{Text: name + " has the attribute " + attribute + ".", Remedy: "Add the attribute " + attribute + "."}
		case what[0] == '+':
			child := what[1:]
			a.holds = v.has(child)
			a.rule = &Rule{Text: name + " has the element " + child + ".", Remedy: "Add the element " + child + "."}
		case what[0] == '-':
			attribute := what[1:]
			a.holds = func(x *eval) bool { return !anyAttribute(x.n, attribute) }
			a.rule = &Rule{Text: "The document names no schema location.", Remedy: "Leave the attribute " + attribute + " out."}
		case coded:
			a.holds, a.rule = v.codedIn(name, strings.TrimPrefix(attr, "@"), strings.Split(lists, ","))
		}
		m.nodes[at].need = append(m.nodes[at].need, a)
		m.asserts = append(m.asserts, a)
	}
}

// codedIn is the rule that an element, or its attribute where it has one, is a code of one of the lists.
func (v *vocabulary) codedIn(name, attr string, lists []string) (test, *Rule) {
	tests := make([]test, len(lists))
	for i, l := range lists {
		tests[i] = v.codeIn(l, attr)
	}
	holds := either(tests...)
	where := name
	if attr != "" {
		where = "The attribute " + attr + " of " + name
		inner := holds
		holds = func(x *eval) bool { return !x.n.Attribute("", attr).Valid() || inner(x) }
	}
	list := strings.ReplaceAll(strings.Join(lists, ", or "), "-", " ")
	return holds, &Rule{Text: where + " is a code of the list: " + list + ".", Remedy: "Use a code of that list."}
}

// anyAttribute reports whether an element has an attribute of that name in any namespace.
func anyAttribute(n dom.Node, local string) bool {
	for a := range n.Attributes() {
		if a.Local() == local {
			return true
		}
	}
	return false
}

// step goes from the parent's place, 0 outside of the model, to the element's, and asks what is asked there.
func (m *model) step(x *eval, parent int32, n dom.Node, code uint16) int32 {
	at := atRoot
	if n != x.root {
		if parent == 0 {
			return 0
		}
		if at = m.nodes[parent].next[code]; at == 0 || code == 0 {
			if other := m.nodes[parent].other; other != nil {
				x.report(other, n)
			}
			return 0
		}
	}
	for _, a := range m.nodes[at].need {
		if x.n = n; !a.holds(x) {
			x.report(a, n)
		} else if x.note != "" {
			x.note, x.fix = "", ""
		}
	}
	return at
}
