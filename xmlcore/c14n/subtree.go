package c14n

import (
	"slices"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// subtree writes apex and all below it but the subtrees in except.
func (o *output) subtree(apex dom.Node, except []dom.Node) error {
	if len(except) > 0 {
		for _, e := range except {
			if e.Contains(apex) {
				return nil
			}
		}
		if len(except) > 1 {
			except = slices.Clone(except)
			slices.SortFunc(except, func(a, b dom.Node) int { return a.Index() - b.Index() })
		}
	}
	end := apex.End()
	for i := apex.Index(); ; {
		for len(o.stack) > 0 && i >= o.stack[len(o.stack)-1].end {
			o.leave()
		}
		if i >= end || o.err != nil {
			return nil
		}
		n := o.d.At(i)
		if len(except) > 0 {
			for len(except) > 0 && except[0].Index() < i {
				except = except[1:]
			}
			if len(except) > 0 && except[0] == n {
				i = n.End()
				continue
			}
		}
		i++
		switch n.Kind() {
		case dom.ElementNode:
			if err := o.enter(n); err != nil {
				return err
			}
			i += n.NumAttributes()
		case dom.TextNode:
			o.text(n)
		case dom.CommentNode:
			o.comment(n)
		case dom.PINode:
			o.pi(n)
		}
	}
}

// enter writes the start tag of n.
func (o *output) enter(n dom.Node) error {
	if err := o.refuseRelative(n); err != nil {
		return err
	}
	o.stack = append(o.stack, open{node: n, end: n.End(), undo: len(o.undo)})
	o.byte('<')
	o.str(n.QName())
	top := len(o.stack) == 1
	if o.exclusive {
		o.exclusiveAxis(n, top)
	} else {
		o.inclusiveAxis(n, top)
	}
	if len(o.ns) > 0 {
		if err := o.namespaces(); err != nil {
			return n.Errorf("%w", err)
		}
	}
	count := n.NumAttributes()
	inherit := top && !o.exclusive && n.Parent().Kind() == dom.ElementNode
	switch {
	case count == 1 && !inherit:
		o.attribute(o.d.At(n.Index() + 1))
	case count > 0 || inherit:
		o.attrs = o.attrs[:0]
		for i := 1; i <= count; i++ {
			o.attrs = append(o.attrs, o.d.At(n.Index()+i))
		}
		if inherit {
			o.inherit(n, nil)
		}
		o.sortAttrs()
		for _, a := range o.attrs {
			o.attribute(a)
		}
		o.base = dom.Node{}
	}
	o.byte('>')
	return nil
}

// refuseRelative checks the declarations of n, whether they are going to be written or not.
func (o *output) refuseRelative(n dom.Node) error {
	s := n.Scope()
	for k := n.NumDeclared(); k > 0; k-- {
		if uri := s.URI(); uri != "" && !absolute(uri) {
			return n.Errorf("%w: %q", ErrRelativeNamespace, uri)
		}
		s = s.Outer()
	}
	return nil
}

func (o *output) leave() {
	top := &o.stack[len(o.stack)-1]
	o.endTag(top.node)
	for i := len(o.undo) - 1; i >= top.undo; i-- {
		o.rendered[o.undo[i].pid] = o.undo[i].uri
	}
	o.undo = o.undo[:top.undo]
	o.stack = o.stack[:len(o.stack)-1]
}

// need declares the prefix in this tag unless the output above says the same.
func (o *output) need(pid int, prefix, uri string) {
	if old := o.rendered[pid]; old != uri {
		o.undo = append(o.undo, restore{pid, old})
		o.rendered[pid] = uri
		o.ns = append(o.ns, namespace{pid, prefix, uri})
	}
}

const xmlPrefix = 1 // dom.Node.PrefixID of xml

// inclusiveAxis takes every declaration in scope [C14N10 2.3].
func (o *output) inclusiveAxis(n dom.Node, top bool) {
	if top {
		o.scope(n, false)
		return
	}
	s := n.Scope()
	for k := n.NumDeclared(); k > 0; k-- {
		o.need(s.PrefixID(), s.Prefix(), s.URI())
		s = s.Outer()
	}
}

// exclusiveAxis takes what the names of the element and its attributes use, and what is listed [EXC-C14N 3].
func (o *output) exclusiveAxis(n dom.Node, top bool) {
	if len(o.prefixes) > 0 {
		if top {
			o.scope(n, true)
		} else {
			s := n.Scope()
			for k := n.NumDeclared(); k > 0; k-- {
				if o.listed(s.Prefix()) {
					o.need(s.PrefixID(), s.Prefix(), s.URI())
				}
				s = s.Outer()
			}
		}
	}
	if pid := n.PrefixID(); pid != xmlPrefix {
		o.need(pid, n.Prefix(), n.Space())
	}
	for i := n.Index() + 1; i <= n.Index()+n.NumAttributes(); i++ {
		if a := o.d.At(i); a.PrefixID() > xmlPrefix {
			o.need(a.PrefixID(), a.Prefix(), a.Space())
		}
	}
}

// scope takes all that is in scope at n, or what is listed of it.
func (o *output) scope(n dom.Node, listed bool) {
	for s := n.Scope(); s.Valid(); s = s.Outer() {
		if pid := s.PrefixID(); !o.marks[pid] {
			o.marks[pid] = true
			if s.URI() != "" && (!listed || o.listed(s.Prefix())) {
				o.need(pid, s.Prefix(), s.URI())
			}
		}
	}
	clear(o.marks)
}
