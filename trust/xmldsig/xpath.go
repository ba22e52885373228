package xmldsig

import (
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// Transforms by XPath, for [VerifyOptions.AllowXPath].
const (
	XPath        = "http://www.w3.org/TR/1999/REC-xpath-19991116"
	XPathFilter2 = "http://www.w3.org/2002/06/xmldsig-filter2"
)

const (
	maxExpression = 4096       // octets
	maxFilters    = 30         // of one transform
	xpathWork     = 50_000_000 // of all expressions of a signature
)

// filter is one step of a transform by XPath.
type filter struct {
	expr *xpath.Expr
	kind string // "intersect", "subtract", "union" [FILTER2 3.3], or "" for XPath filtering
	here dom.Node
	// signatures: the expression is the usual not(ancestor-or-self::ds:Signature), which needs no evaluation
	signatures bool
}

// parseXPath reads the child of a Transform by XPath [XMLDSIG 6.6.3].
func parseXPath(t dom.Node) ([]filter, error) {
	c := childrenOf(t)
	n, err := c.need("XPath")
	if err != nil {
		return nil, err
	}
	if err := c.done(); err != nil {
		return nil, err
	}
	f, err := newFilter(n)
	if err != nil {
		return nil, err
	}
	text := strings.Join(strings.Fields(n.Text()), "")
	if prefix, ok := strings.CutPrefix(text, "not(ancestor-or-self::"); ok {
		if prefix, ok = strings.CutSuffix(prefix, ":Signature)"); ok {
			uri, _ := n.LookupNamespace(prefix)
			f.signatures = uri == Namespace
		}
	}
	return []filter{f}, nil
}

// parseFilter2 reads the children of a Transform by XPath Filter 2.0 [FILTER2 3.3].
func parseFilter2(t dom.Node) ([]filter, error) {
	var out []filter
	c := childrenOf(t)
	for {
		n := c.take(XPathFilter2, "XPath")
		if !n.Valid() {
			break
		}
		if len(out) == maxFilters {
			return nil, t.Errorf("%w: more than %d filters", ErrStructure, maxFilters)
		}
		f, err := newFilter(n)
		if err != nil {
			return nil, err
		}
		switch f.kind = n.Attr("Filter"); f.kind {
		case "intersect", "subtract", "union":
		default:
			return nil, n.Errorf("%w: Filter %q", ErrStructure, f.kind)
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		return nil, t.Errorf("%w: no XPath in the transform", ErrStructure)
	}
	return out, c.done()
}

func newFilter(n dom.Node) (filter, error) {
	text := n.Text()
	if len(text) > maxExpression {
		return filter{}, n.Errorf("%w: an expression of %d octets", ErrAlgorithm, len(text))
	}
	spaces := map[string]string{}
	for p, uri := range n.InScope() {
		if p != "" {
			spaces[p] = uri
		}
	}
	here := &xpath.Function{
		Name: xpath.QName{Space: xpath.FunctionSpace, Local: "here"},
		Call: func(*xpath.Context, []xpath.Sequence) (xpath.Sequence, error) {
			return xpath.Sequence{xpath.NodeItem(n)}, nil
		},
	}
	id := &xpath.Function{
		Name: xpath.QName{Space: xpath.FunctionSpace, Local: "id"}, Params: []*xpath.SequenceType{nil},
		Call: func(_ *xpath.Context, args []xpath.Sequence) (xpath.Sequence, error) {
			return byID(n.Document(), args[0]), nil
		},
	}
	e, err := xpath.Compile(text, &xpath.Static{Namespaces: spaces, Functions: []*xpath.Function{here, id}})
	if err != nil {
		return filter{}, n.Errorf("%w: %w", ErrAlgorithm, err)
	}
	return filter{expr: e, here: n}, nil
}

// byID finds elements by the attributes that count as IDs in signatures, whatever a schema says. An ID that two elements
// have finds neither.
func byID(d *dom.Document, ids xpath.Sequence) (out xpath.Sequence) {
	index := IndexIDs(d, IDPolicy{})
	for _, item := range ids {
		for _, id := range strings.Fields(item.String()) {
			if n, err := index.Lookup(id); err == nil {
				out = append(out, xpath.NodeItem(n))
			}
		}
	}
	return out
}

// nodeSet is any set of nodes of one document. The namespace nodes of an element are in it with the element, until a filter
// looked at each of them.
type nodeSet struct {
	bits   []uint64
	spaces *spaceSet
}

// spaceSet is a set of namespace nodes, told by element and prefix.
type spaceSet struct {
	prefixes map[string]int
	bits     []uint64 // one for each prefix of the document, in each node
}

// maxPrefixes bounds the memory of namespace nodes that are in a set one by one.
const maxPrefixes = 256

func newSpaceSet(d *dom.Document) *spaceSet {
	return &spaceSet{map[string]int{}, make([]uint64, (d.Len()*d.Prefixes()+63)/64)}
}

// at is the place of a namespace node.
func (s *spaceSet) at(el dom.Node, prefix string) int {
	k, ok := s.prefixes[prefix]
	if !ok {
		k = len(s.prefixes)
		s.prefixes[prefix] = k
	}
	return el.Index()*el.Document().Prefixes() + k
}

func newNodeSet(d *dom.Document) *nodeSet { return &nodeSet{bits: make([]uint64, (d.Len()+63)/64)} }

func (s *nodeSet) has(i int) bool { return s.bits[i>>6]&(1<<(i&63)) != 0 }
func (s *nodeSet) add(i int)      { s.bits[i>>6] |= 1 << (i & 63) }
func (s *nodeSet) drop(i int)     { s.bits[i>>6] &^= 1 << (i & 63) }

// Has implements c14n.Set.
func (s *nodeSet) Has(n dom.Node) bool { return s.has(n.Index()) }

// HasNamespace implements c14n.Set.
func (s *nodeSet) HasNamespace(el dom.Node, prefix, _ string) bool {
	if s.spaces == nil {
		return s.has(el.Index())
	}
	i := s.spaces.at(el, prefix)
	return s.spaces.bits[i>>6]&(1<<(i&63)) != 0
}

// dropAll takes a subtree out.
func (s *nodeSet) dropAll(top dom.Node) {
	for i := top.Index(); i < top.End(); i++ {
		s.drop(i)
		if n := top.Document().At(i); n.Kind() == dom.ElementNode {
			s.dropSpaces(n)
		}
	}
}

// dropSpaces takes the namespace nodes of an element out.
func (s *nodeSet) dropSpaces(el dom.Node) {
	if s.spaces == nil {
		return
	}
	for prefix := range el.InScope() {
		i := s.spaces.at(el, prefix)
		s.spaces.bits[i>>6] &^= 1 << (i & 63)
	}
}

// set makes the node-set of a subtree less what was excepted.
func (s *nodes) makeSet() *nodeSet {
	if s.set != nil {
		return s.set
	}
	set := newNodeSet(s.apex.Document())
	for i := s.apex.Index(); i < s.apex.End(); i++ {
		if n := s.apex.Document().At(i); s.comments || n.Kind() != dom.CommentNode {
			set.add(i)
		}
	}
	for _, e := range s.except {
		for i := e.Index(); i < e.End(); i++ {
			set.drop(i)
		}
	}
	return set
}

// apply runs a transform by XPath over the node-set. What only takes subtrees away stays a subtree with exceptions, of which
// callers can be told what is signed.
func (c *chain) apply(d *data, filters []filter) error {
	doc := d.nodes.apex.Document()
	if filters[0].kind == "" {
		return c.filterEach(d, doc, &filters[0])
	}
	found := make([][]dom.Node, len(filters))
	only := true // subtract alone
	for i := range filters {
		f := &filters[i]
		ctx, err := c.expressions()
		if err != nil {
			return err
		}
		ctx.Item = xpath.NodeItem(doc.Node())
		nodes, err := f.expr.Nodes(ctx, nil)
		c.steps += ctx.Work()
		if err != nil {
			return f.here.Errorf("%w: %w", ErrReference, err)
		}
		if c.budget -= doc.Len(); c.budget < 0 {
			return fmt.Errorf("%w: the transforms look at the document too many times over", ErrStructure)
		}
		found[i] = nodes
		only = only && f.kind == "subtract"
	}
	if only && d.nodes.set == nil {
		for _, nodes := range found {
			for _, n := range nodes {
				if n.Kind() == dom.AttributeNode || n.Contains(d.nodes.apex) {
					only = false // not a part of the subtree
				}
			}
		}
		if only {
			for _, nodes := range found {
				for _, n := range nodes {
					if d.nodes.apex.Contains(n) && !d.nodes.excepts(n) {
						d.nodes.except = append(d.nodes.except, n)
					}
				}
			}
			return nil
		}
	}
	keep := newNodeSet(doc)
	for i := range doc.Len() {
		keep.add(i)
	}
	for i := range filters {
		sub := newNodeSet(doc)
		for _, n := range found[i] {
			for j := n.Index(); j < max(n.End(), n.Index()+1); j++ {
				sub.add(j)
			}
		}
		for w := range keep.bits {
			switch filters[i].kind {
			case "intersect":
				keep.bits[w] &= sub.bits[w]
			case "subtract":
				keep.bits[w] &^= sub.bits[w]
			case "union":
				keep.bits[w] |= sub.bits[w]
			}
		}
	}
	in := d.nodes.makeSet()
	for w := range in.bits {
		in.bits[w] &= keep.bits[w]
	}
	if in.spaces != nil {
		for i := range doc.Len() {
			if n := doc.At(i); n.Kind() == dom.ElementNode && !keep.has(i) {
				in.dropSpaces(n)
			}
		}
	}
	d.nodes.set = in
	return nil
}

// expressions is where an expression runs, with the work that those before it left.
func (c *chain) expressions() (*xpath.Context, error) {
	if c.steps >= xpathWork {
		return nil, fmt.Errorf("%w: the expressions of the transforms take too much work", ErrStructure)
	}
	return &xpath.Context{Limits: xpath.Limits{Work: xpathWork - c.steps}}, nil
}

// filterEach keeps the nodes for which the expression is true.
func (c *chain) filterEach(d *data, doc *dom.Document, f *filter) error {
	if f.signatures && d.nodes.set == nil && !inSignature(d.nodes.apex) {
		for n := range d.nodes.apex.Descendants() {
			if n.Kind() == dom.ElementNode && n.Is(Namespace, "Signature") && !d.nodes.excepts(n) {
				d.nodes.except = append(d.nodes.except, n)
			}
		}
		return nil
	}
	if doc.Prefixes() > maxPrefixes {
		return fmt.Errorf("%w: more than %d prefixes of namespaces", ErrStructure, maxPrefixes)
	}
	in := d.nodes.makeSet()
	ctx, err := c.expressions()
	if err != nil {
		return err
	}
	defer func() { c.steps += ctx.Work() }()
	keeps := func(it xpath.Item) (bool, error) {
		if c.budget--; c.budget < 0 {
			return false, fmt.Errorf("%w: the transforms look at the document too many times over", ErrStructure)
		}
		ctx.Item = it
		ok, err := f.expr.EBV(ctx)
		if err != nil {
			return false, f.here.Errorf("%w: %w", ErrReference, err)
		}
		return ok, nil
	}
	spaces := newSpaceSet(doc)
	for i := range doc.Len() {
		n := doc.At(i)
		if n.Kind() == dom.ElementNode { // its namespace nodes may be in the set without it
			for prefix, it := range xpath.Namespaces(n) {
				if !in.HasNamespace(n, prefix, "") {
					continue
				}
				ok, err := keeps(it)
				if err != nil {
					return err
				}
				if ok {
					k := spaces.at(n, prefix)
					spaces.bits[k>>6] |= 1 << (k & 63)
				}
			}
		}
		if !in.has(i) {
			continue
		}
		ok, err := keeps(xpath.NodeItem(n))
		if err != nil {
			return err
		}
		if !ok {
			in.drop(i)
		}
	}
	in.spaces = spaces
	d.nodes.set = in
	return nil
}

// inSignature tells whether n stands in a signature, or is one.
func inSignature(n dom.Node) bool {
	for ; n.Valid(); n = n.Parent() {
		if n.Kind() == dom.ElementNode && n.Is(Namespace, "Signature") {
			return true
		}
	}
	return false
}
