package c14n

import (
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// inherit adds to o.attrs the xml: attributes that n takes over because its parent is not in the output: of
// every ancestor's the nearest [C14N10 2.4], in version 1.1 only xml:lang and xml:space, and xml:base joined
// [C14N11 2.4]. What n has itself stays. A nil set means that no ancestor is in the output.
func (o *output) inherit(n dom.Node, set Set) {
	own := n.Index() + 1
	imported := len(o.attrs)
	for e := n.Parent(); e.Kind() == dom.ElementNode; e = e.Parent() {
		for a := range e.Attributes() {
			if a.PrefixID() != xmlPrefix {
				continue
			}
			local := a.Local()
			if o.v11 && local != "lang" && local != "space" {
				continue
			}
			known := false
			for i := own; i < own+n.NumAttributes() && !known; i++ {
				known = o.d.At(i).NameID() == a.NameID()
			}
			for i := imported; i < len(o.attrs) && !known; i++ {
				known = o.attrs[i].NameID() == a.NameID()
			}
			if !known {
				o.attrs = append(o.attrs, a)
			}
		}
	}
	if o.v11 {
		o.joinBase(n, set)
	}
}

// joinBase replaces xml:base of n by what it means without the omitted elements right above n.
func (o *output) joinBase(n dom.Node, set Set) {
	own := n.Attribute(dom.XMLNamespace, "base")
	holder, value := own, own.Text()
	omitted := false
	for e := n.Parent(); e.Kind() == dom.ElementNode && (set == nil || !set.Has(e)); e = e.Parent() {
		a := e.Attribute(dom.XMLNamespace, "base")
		if !a.Valid() {
			continue
		}
		if !holder.Valid() {
			holder, value = a, a.Text()
		} else {
			value = joinReferences(a.Text(), value)
		}
		omitted = true
	}
	if !omitted {
		return
	}
	for i, a := range o.attrs {
		if a == own {
			o.attrs = append(o.attrs[:i], o.attrs[i+1:]...)
			break
		}
	}
	if value != "" {
		o.base, o.baseURI = holder, value
		o.attrs = append(o.attrs, holder)
	}
}

// reference is a URI reference in its parts [RFC 3986 appendix B]; the fragment is not kept.
type reference struct {
	scheme, authority, path, query string
	hasAuthority, hasQuery         bool
}

func parseReference(s string) (r reference) {
	if i := strings.IndexByte(s, '#'); i >= 0 {
		s = s[:i]
	}
	if i := strings.IndexByte(s, '?'); i >= 0 {
		r.query, r.hasQuery = s[i+1:], true
		s = s[:i]
	}
	if absolute(s) {
		i := strings.IndexByte(s, ':')
		r.scheme, s = s[:i], s[i+1:]
	}
	if strings.HasPrefix(s, "//") {
		s = s[2:]
		i := strings.IndexByte(s, '/')
		if i < 0 {
			i = len(s)
		}
		r.authority, r.hasAuthority = s[:i], true
		s = s[i:]
	}
	r.path = s
	return r
}

// joinReferences resolves ref against base, where both may be relative: RFC 3986 5.2 as changed by [C14N11 2.4].
func joinReferences(base, ref string) string {
	b, r := parseReference(base), parseReference(ref)
	t := r
	switch {
	case base == "":
		t.path = removeDots(r.path)
	case r.scheme != "":
		t.path = removeDots(r.path)
	case r.hasAuthority:
		t.scheme = b.scheme
		t.path = removeDots(r.path)
	default:
		t.scheme, t.authority, t.hasAuthority = b.scheme, b.authority, b.hasAuthority
		switch {
		case r.path == "":
			t.path = b.path
			if !r.hasQuery {
				t.query, t.hasQuery = b.query, b.hasQuery
			}
			t.path = removeDots(t.path)
		case strings.HasPrefix(r.path, "/"):
			t.path = removeDots(r.path)
		default:
			t.path = removeDots(merge(b, r.path))
		}
	}
	if t.scheme == "" && !t.hasAuthority && absolute(t.path) {
		t.path = "./" + t.path // a colon in the first segment would be taken for the end of a scheme [RFC 3986 4.2]
	}
	var s strings.Builder
	if t.scheme != "" {
		s.WriteString(t.scheme + ":")
	}
	if t.hasAuthority {
		s.WriteString("//" + t.authority)
	}
	s.WriteString(t.path)
	if t.hasQuery {
		s.WriteString("?" + t.query)
	}
	return s.String()
}

// merge puts a relative path in place of the last segment of the base [RFC 3986 5.2.3]. A last segment ".." is
// a directory.
func merge(b reference, path string) string {
	if b.hasAuthority && b.path == "" {
		return "/" + path
	}
	if b.path == ".." || strings.HasSuffix(b.path, "/..") {
		return b.path + "/" + path
	}
	return b.path[:strings.LastIndexByte(b.path, '/')+1] + path
}

// removeDots drops "." and empty segments and folds "..", which stays where nothing is left to fold in a
// relative path.
func removeDots(path string) string {
	rooted := strings.HasPrefix(path, "/")
	var out []string
	directory := false // the path ends in a slash
	for seg := range strings.SplitSeq(path, "/") {
		directory = true
		switch {
		case seg == "" || seg == ".":
		case seg != "..":
			out = append(out, seg)
			directory = false
		case len(out) > 0 && out[len(out)-1] != "..":
			out = out[:len(out)-1]
		case !rooted:
			out = append(out, seg)
		}
	}
	s := strings.Join(out, "/")
	if rooted {
		s = "/" + s
	}
	if directory && len(out) > 0 {
		s += "/"
	}
	return s
}
