package dom

import "iter"

// scope returns the innermost declaration in force at a node.
func (n Node) scope() int32 {
	if n.d == nil {
		return 0
	}
	for n.at().kind != ElementNode {
		if n.i == 0 {
			return 0
		}
		n.i = n.at().parent
	}
	return int32(n.at().a)
}

// Declared yields the namespace declarations on this element as written: prefix, "" for the default, and URI.
func (n Node) Declared() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if n.Kind() != ElementNode {
			return
		}
		m := n.at()
		for i := m.a - m.b + 1; i <= m.a && m.b > 0; i++ {
			if d := &n.d.decls[i]; !yield(d.prefix, d.uri) {
				return
			}
		}
	}
}

// NumDeclared returns how many namespaces this element declares.
func (n Node) NumDeclared() int {
	if n.Kind() != ElementNode {
		return 0
	}
	return int(n.at().b)
}

// Scope is a namespace declaration in force, with the way to the next outer one. It is the cheap form of
// [Node.InScope] for code that visits every element.
type Scope struct {
	d *Document
	i int32
}

// Scope returns the innermost declaration in force at n. The first NumDeclared steps are n's own declarations;
// outer ones may be hidden by inner ones of the same prefix.
func (n Node) Scope() Scope { return Scope{n.d, n.scope()} }

// Valid reports whether there is a declaration.
func (s Scope) Valid() bool { return s.i > xmlPrefix }

// Outer returns the declaration before this one, on the same element or an ancestor.
func (s Scope) Outer() Scope { return Scope{s.d, s.d.decls[s.i].prev} }

// Prefix returns the declared prefix, "" for the default namespace.
func (s Scope) Prefix() string { return s.d.decls[s.i].prefix }

// PrefixID returns the number of the prefix, as [Node.PrefixID] does.
func (s Scope) PrefixID() int { return int(s.d.decls[s.i].pid) }

// URI returns the namespace; "" undeclares the default namespace.
func (s Scope) URI() string { return s.d.decls[s.i].uri }

// LookupNamespace returns what a prefix, "" for the default namespace, means at this node. An absent default
// namespace is "" and not ok.
func (n Node) LookupNamespace(prefix string) (uri string, ok bool) {
	if n.d == nil {
		return "", false
	}
	if prefix == "xml" {
		return XMLNamespace, true
	}
	for i := n.scope(); i > xmlPrefix; i = n.d.decls[i].prev {
		if d := &n.d.decls[i]; d.prefix == prefix {
			return d.uri, d.uri != ""
		}
	}
	return "", false
}

// InScope yields every prefix in scope with its URI, the innermost first, without xml.
func (n Node) InScope() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := range n.inScope() {
			if d := &n.d.decls[i]; !yield(d.prefix, d.uri) {
				return
			}
		}
	}
}

// inScope yields the declarations in force. A declaration is hidden if a nearer one binds its prefix.
func (n Node) inScope() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		const few = 16
		top := n.scope()
		var seen map[int32]bool
		count := 0
		for i := top; i > xmlPrefix; i = n.d.decls[i].prev {
			pid := n.d.decls[i].pid
			hidden := false
			if count < few {
				for j := top; j != i && !hidden; j = n.d.decls[j].prev {
					hidden = n.d.decls[j].pid == pid
				}
			} else {
				if seen == nil {
					seen = map[int32]bool{}
					for j := top; j != i; j = n.d.decls[j].prev {
						seen[n.d.decls[j].pid] = true
					}
				}
				hidden = seen[pid]
				seen[pid] = true
			}
			count++
			if !hidden && n.d.decls[i].uri != "" && !yield(i) {
				return
			}
		}
	}
}
