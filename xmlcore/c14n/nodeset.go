package c14n

import (
	"io"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Set is a node-set of one document. Namespace nodes are asked for by the element that owns them: each element
// owns one for every prefix in scope.
type Set interface {
	Has(n dom.Node) bool
	HasNamespace(el dom.Node, prefix, uri string) bool
}

// WriteSet writes the canonical form of a node-set [C14N10 2.3]: also of nodes whose element is not in it.
func (m Method) WriteSet(w io.Writer, d *dom.Document, set Set) error {
	f, err := m.features()
	if err != nil {
		return err
	}
	o := get(w, d, f, m.InclusivePrefixes)
	return o.done(o.nodeSet(set))
}

func (o *output) nodeSet(set Set) error {
	for i := 1; ; {
		for len(o.stack) > 0 && i >= o.stack[len(o.stack)-1].end {
			o.leaveSet()
		}
		if i >= o.d.Len() || o.err != nil {
			return nil
		}
		n := o.d.At(i)
		i++
		if n.Kind() == dom.ElementNode {
			if err := o.enterSet(n, set); err != nil {
				return err
			}
			i += n.NumAttributes()
			continue
		}
		if !set.Has(n) {
			continue
		}
		switch n.Kind() {
		case dom.TextNode:
			o.text(n)
		case dom.CommentNode:
			o.comment(n)
		case dom.PINode:
			o.pi(n)
		}
	}
}

// enterSet writes what is in the set of an element's tag, its namespace and its attribute axis.
func (o *output) enterSet(n dom.Node, set Set) error {
	e := open{node: n, end: n.End(), undo: len(o.undo), axis: len(o.axis), in: set.Has(n)}
	if e.in {
		if err := o.refuseRelative(n); err != nil {
			return err
		}
		o.byte('<')
		o.str(n.QName())
	}
	above := o.outputAxis()
	o.stack = append(o.stack, e)
	o.namespaceNodes(n, set)
	axis := o.axis[e.axis:]
	if o.exclusive {
		o.exclusiveNodes(n, e.in, axis, above, set)
	} else {
		o.inclusiveNodes(e.in, axis, above, func(string) bool { return true })
	}
	if !e.in {
		o.axis = o.axis[:e.axis]
	}
	if err := o.namespaces(); err != nil {
		return n.Errorf("%w", err)
	}
	o.attrs = o.attrs[:0]
	for a := range n.Attributes() {
		if set.Has(a) {
			o.attrs = append(o.attrs, a)
		}
	}
	if e.in && !o.exclusive && n.Parent().Kind() == dom.ElementNode && !set.Has(n.Parent()) {
		o.inherit(n, set)
	}
	o.sortAttrs()
	for _, a := range o.attrs {
		o.attribute(a)
	}
	o.base = dom.Node{}
	if e.in {
		o.byte('>')
	}
	return nil
}

func (o *output) leaveSet() {
	top := o.stack[len(o.stack)-1]
	if top.in {
		o.endTag(top.node)
	}
	for i := len(o.undo) - 1; i >= top.undo; i-- {
		o.rendered[o.undo[i].pid] = o.undo[i].uri
	}
	o.undo = o.undo[:top.undo]
	o.axis = o.axis[:top.axis]
	o.stack = o.stack[:len(o.stack)-1]
}

// outputAxis returns the namespace nodes in the set of the nearest ancestor in the set, sorted.
func (o *output) outputAxis() []namespace {
	end := len(o.axis)
	for i := len(o.stack) - 1; i >= 0; i-- {
		if o.stack[i].in {
			return o.axis[o.stack[i].axis:end]
		}
		end = o.stack[i].axis
	}
	return nil
}

// namespaceNodes appends the namespace nodes of n that are in the set to axis, sorted by prefix.
func (o *output) namespaceNodes(n dom.Node, set Set) {
	from := len(o.axis)
	for s := n.Scope(); s.Valid(); s = s.Outer() {
		pid := s.PrefixID()
		if o.marks[pid] {
			continue
		}
		o.marks[pid] = true
		if s.URI() != "" && set.HasNamespace(n, s.Prefix(), s.URI()) {
			o.axis = append(o.axis, namespace{pid, s.Prefix(), s.URI()})
		}
	}
	clear(o.marks)
	slices.SortFunc(o.axis[from:], byPrefix)
}

func byPrefix(a, b namespace) int { return strings.Compare(a.prefix, b.prefix) }

func find(axis []namespace, prefix string) (string, bool) {
	i, ok := slices.BinarySearchFunc(axis, prefix, func(a namespace, p string) int { return strings.Compare(a.prefix, p) })
	if !ok {
		return "", false
	}
	return axis[i].uri, true
}

// inclusiveNodes takes the namespace nodes that the nearest output ancestor does not have alike.
func (o *output) inclusiveNodes(in bool, axis, above []namespace, wanted func(prefix string) bool) {
	if _, ok := find(axis, ""); !ok && in && wanted("") {
		if _, ok := find(above, ""); ok {
			o.ns = append(o.ns, namespace{})
		}
	}
	for _, ns := range axis {
		if uri, ok := find(above, ns.prefix); wanted(ns.prefix) && !(ok && uri == ns.uri) {
			o.ns = append(o.ns, ns)
		}
	}
}

// exclusiveNodes takes the listed prefixes as inclusiveNodes does, and of an element in the set those that are
// visibly utilised and not rendered alike by an output ancestor.
func (o *output) exclusiveNodes(n dom.Node, in bool, axis, above []namespace, set Set) {
	if len(o.prefixes) > 0 {
		o.inclusiveNodes(in, axis, above, o.listed)
		if in {
			for _, ns := range o.ns {
				o.undo = append(o.undo, restore{ns.pid, o.rendered[ns.pid]})
				o.rendered[ns.pid] = ns.uri
			}
		}
	}
	if !in {
		return
	}
	o.utilise(n, axis)
	for a := range n.Attributes() {
		if a.PrefixID() > xmlPrefix && set.Has(a) {
			o.utilise(a, axis)
		}
	}
}

// utilise declares the prefix of an element's or attribute's name.
func (o *output) utilise(n dom.Node, axis []namespace) {
	pid, prefix := n.PrefixID(), n.Prefix()
	if pid == xmlPrefix || o.listed(prefix) {
		return
	}
	uri, ok := find(axis, prefix)
	if ok || pid == 0 {
		o.need(pid, prefix, uri)
		return
	}
	// Utilised without its namespace node: below, the prefix counts as not rendered [EXC-C14N 3].
	o.undo = append(o.undo, restore{pid, o.rendered[pid]})
	o.rendered[pid] = ""
}
