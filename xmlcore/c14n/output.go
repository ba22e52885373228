package c14n

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// output is the scratch memory of one run, reused by the next.
type output struct {
	features
	w        io.Writer
	err      error
	d        *dom.Document
	prefixes []string            // InclusivePrefixes, "" for #default
	many     map[string]struct{} // the same, when they are many

	rendered []string // by prefix: the URI that output ancestors have declared
	vetted   []string // by prefix: the last URI found absolute and without anything to escape
	undo     []restore
	stack    []open
	ns       []namespace // to write in the tag under construction
	attrs    []dom.Node  // the same
	marks    []bool      // by prefix: seen in this scope
	base     dom.Node    // attribute that gets baseURI as value [C14N11 2.4]
	baseURI  string
	axis     []namespace // node-sets: namespace nodes of the open output elements

	n   int
	buf [4096]byte
}

type namespace struct {
	pid         int
	prefix, uri string
}

type restore struct {
	pid int
	uri string
}

type open struct {
	node dom.Node
	end  int // index after the last descendant
	undo int // length of undo outside
	axis int // start of the element's part of axis
	in   bool
}

var pool = sync.Pool{New: func() any { return new(output) }}

func get(w io.Writer, d *dom.Document, f features, prefixes []string) *output {
	o := pool.Get().(*output)
	o.w, o.d, o.features, o.n, o.err = w, d, f, 0, nil
	n := d.Prefixes()
	o.rendered = slices.Grow(o.rendered[:0], n)[:n]
	o.vetted = slices.Grow(o.vetted[:0], n)[:n]
	o.marks = slices.Grow(o.marks[:0], n)[:n]
	if f.exclusive {
		for _, p := range prefixes {
			if p == "#default" {
				p = ""
			}
			o.prefixes = append(o.prefixes, p)
		}
		if len(o.prefixes) > 16 {
			o.many = map[string]struct{}{}
			for _, p := range o.prefixes {
				o.many[p] = struct{}{}
			}
		}
	}
	return o
}

// done flushes and gives the memory back without references to the document.
func (o *output) done(err error) error {
	if err == nil {
		o.flush()
		err = o.err
	}
	clear(o.rendered)
	clear(o.vetted)
	clear(o.marks)
	clear(o.undo[:cap(o.undo)])
	clear(o.stack[:cap(o.stack)])
	clear(o.ns[:cap(o.ns)])
	clear(o.attrs[:cap(o.attrs)])
	clear(o.axis[:cap(o.axis)])
	clear(o.prefixes)
	o.undo, o.stack, o.ns, o.attrs, o.axis = o.undo[:0], o.stack[:0], o.ns[:0], o.attrs[:0], o.axis[:0]
	o.prefixes, o.many = o.prefixes[:0], nil
	o.w, o.d, o.base, o.baseURI = nil, nil, dom.Node{}, ""
	const most = 256
	if cap(o.rendered) <= most && cap(o.attrs) <= most && cap(o.axis) <= most {
		pool.Put(o)
	}
	return err
}

// listed reports whether the prefix is in the PrefixList.
func (o *output) listed(prefix string) bool {
	if o.many != nil {
		_, ok := o.many[prefix]
		return ok
	}
	return slices.Contains(o.prefixes, prefix)
}

func (o *output) flush() {
	if o.n > 0 && o.err == nil {
		_, o.err = o.w.Write(o.buf[:o.n])
	}
	o.n = 0
}

func (o *output) byte(c byte) {
	if o.n == len(o.buf) {
		o.flush()
	}
	o.buf[o.n] = c
	o.n++
}

func (o *output) str(s string) {
	for len(s) > len(o.buf)-o.n {
		k := copy(o.buf[o.n:], s)
		o.n += k
		s = s[k:]
		o.flush()
	}
	o.n += copy(o.buf[o.n:], s)
}

// bytes writes a long run from where it stands, a short one through the buffer.
func (o *output) bytes(b []byte) {
	if len(b) <= len(o.buf)-o.n {
		o.n += copy(o.buf[o.n:], b)
		return
	}
	o.flush()
	if len(b) < len(o.buf) {
		o.n = copy(o.buf[:], b)
	} else if o.err == nil {
		_, o.err = o.w.Write(b)
	}
}

// text writes character data [C14N10 2.3].
func (o *output) text(n dom.Node) {
	v := n.Value()
	if n.Verbatim() { // '>' is all that source text may hold
		for {
			i := bytes.IndexByte(v, '>')
			if i < 0 {
				o.bytes(v)
				return
			}
			o.bytes(v[:i])
			o.str("&gt;")
			v = v[i+1:]
		}
	}
	from := 0
	for i, c := range v {
		var sub string
		switch c {
		case '&':
			sub = "&amp;"
		case '<':
			sub = "&lt;"
		case '>':
			sub = "&gt;"
		case '\r':
			sub = "&#xD;"
		default:
			continue
		}
		o.bytes(v[from:i])
		o.str(sub)
		from = i + 1
	}
	o.bytes(v[from:])
}

// value writes an attribute value [C14N10 2.3] and reports whether nothing in it was escaped.
func (o *output) value(v string) (plain bool) {
	from := 0
	for i := 0; i < len(v); i++ {
		var sub string
		switch v[i] {
		case '&':
			sub = "&amp;"
		case '<':
			sub = "&lt;"
		case '"':
			sub = "&quot;"
		case '\t':
			sub = "&#x9;"
		case '\n':
			sub = "&#xA;"
		case '\r':
			sub = "&#xD;"
		default:
			continue
		}
		o.str(v[from:i])
		o.str(sub)
		from = i + 1
	}
	o.str(v[from:])
	return from == 0
}

// carriage writes comments and processing instructions, where only CR is replaced.
func (o *output) carriage(v []byte) {
	for {
		i := bytes.IndexByte(v, '\r')
		if i < 0 {
			o.bytes(v)
			return
		}
		o.bytes(v[:i])
		o.str("&#xD;")
		v = v[i+1:]
	}
}

// pi writes a processing instruction, with the line end that its place outside the document element asks for.
func (o *output) pi(n dom.Node) {
	after := o.before(n)
	o.str("<?")
	o.str(n.Local())
	if v := n.Value(); len(v) > 0 {
		o.byte(' ')
		o.carriage(v)
	}
	o.str("?>")
	o.str(after)
}

func (o *output) comment(n dom.Node) {
	if !o.comments {
		return
	}
	after := o.before(n)
	o.str("<!--")
	o.carriage(n.Value())
	o.str("-->")
	o.str(after)
}

// before writes LF in front of a node after the document element, and returns what follows one before it.
func (o *output) before(n dom.Node) (after string) {
	if n.Parent().Kind() != dom.DocumentNode {
		return ""
	}
	if n.Index() < o.d.Root().Index() {
		return "\n"
	}
	o.byte('\n')
	return ""
}

// namespaces writes o.ns in order of prefix, the default first.
func (o *output) namespaces() error {
	if len(o.ns) > 1 {
		slices.SortFunc(o.ns, func(a, b namespace) int { return strings.Compare(a.prefix, b.prefix) })
	}
	for i := range o.ns {
		n := &o.ns[i]
		o.str(" xmlns")
		if n.prefix != "" {
			o.byte(':')
			o.str(n.prefix)
		}
		o.str(`="`)
		switch {
		case n.uri == "":
		case o.vetted[n.pid] == n.uri:
			o.str(n.uri)
		case !absolute(n.uri):
			return fmt.Errorf("%w: %q", ErrRelativeNamespace, n.uri)
		default:
			if o.value(n.uri) {
				o.vetted[n.pid] = n.uri
			}
		}
		o.byte('"')
	}
	o.ns = o.ns[:0]
	return nil
}

// absolute reports whether the reference has a scheme [RFC 3986 3.1].
func absolute(uri string) bool {
	for i := 0; i < len(uri); i++ {
		c := uri[i]
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z':
		case i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return i > 0 && c == ':'
		}
	}
	return false
}

// sortAttrs orders by namespace URI, then local name.
func (o *output) sortAttrs() {
	if len(o.attrs) > 1 && !slices.IsSortedFunc(o.attrs, compareNames) {
		slices.SortFunc(o.attrs, compareNames)
	}
}

func compareNames(a, b dom.Node) int {
	if c := strings.Compare(a.Space(), b.Space()); c != 0 {
		return c
	}
	return strings.Compare(a.Local(), b.Local())
}

func (o *output) attribute(a dom.Node) {
	o.byte(' ')
	o.str(a.QName())
	o.str(`="`)
	switch {
	case a == o.base:
		o.value(o.baseURI)
	case a.Verbatim():
		o.bytes(a.Value())
	default:
		o.value(a.Text())
	}
	o.byte('"')
}

func (o *output) endTag(n dom.Node) {
	o.str("</")
	o.str(n.QName())
	o.byte('>')
}
