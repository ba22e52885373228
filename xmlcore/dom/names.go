package dom

import "hash/maphash"

var seed = maphash.MakeSeed()

// strtab interns strings; ids count from 0 in order of arrival.
type strtab struct {
	strs  []string
	slots []slot // open addressing, a power of two
}

type slot struct {
	hash uint32
	id   int32 // plus one; 0 is free
}

func (t *strtab) reset(size int) {
	clear(t.strs)
	t.strs = t.strs[:0]
	if len(t.slots) == 0 {
		t.slots = make([]slot, size)
		return
	}
	clear(t.slots)
}

// find returns the id of b, or -1, and the hash for add.
func (t *strtab) find(b []byte) (int32, uint32) {
	h := uint32(maphash.Bytes(seed, b))
	mask := uint32(len(t.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s.id == 0 {
			return -1, h
		}
		if s.hash == h && t.strs[s.id-1] == string(b) {
			return s.id - 1, h
		}
	}
}

// add enters a string that find did not know.
func (t *strtab) add(s string, h uint32) int32 {
	if 2*(len(t.strs)+1) > len(t.slots) {
		old := t.slots
		t.slots = make([]slot, 2*len(old))
		for _, o := range old {
			if o.id != 0 {
				t.place(o)
			}
		}
	}
	t.strs = append(t.strs, s)
	id := int32(len(t.strs))
	t.place(slot{h, id})
	return id - 1
}

func (t *strtab) place(s slot) {
	mask := uint32(len(t.slots) - 1)
	i := s.hash & mask
	for t.slots[i].id != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

func (t *strtab) intern(b []byte) int32 {
	id, h := t.find(b)
	if id < 0 {
		id = t.add(str(b), h)
	}
	return id
}

// qname is what the parser knows about one name as written; it is checked once.
type qname struct {
	prefix   int32 // interned; 0 none
	local    string
	declares int32 // xmlns or xmlns:p: the prefix it declares; else -1
	binding  int32 // declaration under which bound was resolved
	bound    int32 // resolved name, 0 none yet
	attr     int32 // the name of an attribute without prefix, 0 none yet
	first    int32 // list of all names with this qname
	count    int32
}

const (
	noPrefix = iota
	xmlPrefix
	xmlnsPrefix
)

const (
	unbound    = -1 // prefix without declaration
	unresolved = -2 // name that was never resolved
)

// qnameAt interns the name in src[start:end] and checks it when it is new.
func (p *parser) qnameAt(start, end int) (int32, error) {
	b := p.src[start:end]
	id, h := p.qtab.find(b)
	if id >= 0 {
		return id, nil
	}
	if len(b) > p.lim.NameBytes {
		return 0, p.fail(start, ErrLimit, "name longer than %d octets", p.lim.NameBytes)
	}
	s := str(b)
	q := qname{declares: -1, binding: unresolved}
	prefix, local := "", s
	for i := 0; i < len(s); i++ {
		if s[i] == ':' {
			prefix, local = s[:i], s[i+1:]
			break
		}
	}
	if !isNCName(local) || len(local) != len(s) && !isNCName(prefix) {
		if isNCNameOrColons(s) {
			return 0, p.fail(start, ErrNamespace, "%q is not a qualified name [Namespaces 4]", clip(s))
		}
		return 0, p.fail(start, ErrSyntax, "%q is not a name [XML 2.3]", clip(s))
	}
	q.local = local
	switch {
	case s == "xmlns":
		q.declares = noPrefix
	case prefix == "xmlns":
		q.declares = p.prefixID(local)
		q.prefix = xmlnsPrefix
	case prefix != "":
		q.prefix = p.prefixID(prefix)
	}
	id = p.qtab.add(s, h)
	p.qnames = append(p.qnames, q)
	return id, nil
}

// isNCNameOrColons is Name [XML 2.3 production 5], where the colon is an ordinary character.
func isNCNameOrColons(s string) bool {
	for i, r := range s {
		if r != ':' && (i == 0 && !isNameStart(r) || !isNameChar(r)) {
			return false
		}
	}
	return true
}

func (p *parser) prefixID(s string) int32 {
	id, h := p.ptab.find([]byte(s))
	if id < 0 {
		id = p.ptab.add(s, h)
		p.current = append(p.current, unbound)
	}
	return id
}

// elementName resolves an element's name, or a prefixed attribute's, in the scope now open.
func (p *parser) elementName(qid int32, off int) (int32, error) {
	q := &p.qnames[qid]
	cur := p.current[q.prefix]
	if cur == q.binding {
		return q.bound, nil
	}
	if cur == unbound || q.prefix == xmlnsPrefix {
		return 0, p.fail(off, ErrNamespace, "prefix %q is not declared [Namespaces 5]", clip(p.ptab.strs[q.prefix]))
	}
	q.bound = p.nameFor(qid, p.decls[cur].uri, p.decls[cur].uid)
	q.binding = cur
	return q.bound, nil
}

func (p *parser) attributeName(qid int32, off int) (int32, error) {
	q := &p.qnames[qid]
	if q.prefix != noPrefix {
		return p.elementName(qid, off)
	}
	if q.attr == 0 {
		q.attr = p.nameFor(qid, "", 0)
	}
	return q.attr, nil
}

type nameKey struct{ qid, uid int32 }

// nameFor finds or enters (namespace, qname). One qname rarely has more than a few namespaces; a document that
// is made to have thousands gets a map, so that the search stays short.
func (p *parser) nameFor(qid int32, uri string, uid int32) int32 {
	const few = 8
	q := &p.qnames[qid]
	if q.count <= few {
		for i := q.first; i != 0; i = p.names[i].next {
			if p.names[i].uri == uid {
				return i
			}
		}
	} else if i, ok := p.manyNames[nameKey{qid, uid}]; ok {
		return i
	}
	id := int32(len(p.names))
	p.names = append(p.names, name{space: uri, local: q.local, qname: p.qtab.strs[qid], prefix: q.prefix, uri: uid, next: q.first})
	q.first = id
	q.count++
	switch {
	case q.count == few+1:
		if p.manyNames == nil {
			p.manyNames = map[nameKey]int32{}
		}
		for i := id; i != 0; i = p.names[i].next {
			p.manyNames[nameKey{qid, p.names[i].uri}] = i
		}
	case q.count > few+1:
		p.manyNames[nameKey{qid, uid}] = id
	}
	return id
}

// declare enters one namespace declaration of the element under construction [Namespaces 2.2, 3, 5].
func (p *parser) declare(q *qname, value []byte, off int, first int32) error {
	pid, uri := q.declares, str(value)
	switch {
	case pid == xmlnsPrefix:
		return p.fail(off, ErrNamespace, "the prefix xmlns must not be declared [Namespaces 3]")
	case uri == XMLNSNamespace:
		return p.fail(off, ErrNamespace, "no prefix may be bound to %s [Namespaces 3]", uri)
	case (pid == xmlPrefix) != (uri == XMLNamespace):
		return p.fail(off, ErrNamespace, "prefix xml and %s belong together [Namespaces 3]", XMLNamespace)
	case pid != noPrefix && uri == "":
		return p.fail(off, ErrNamespace, "prefix %q must not be undeclared [Namespaces 5]", clip(p.ptab.strs[pid]))
	case p.current[pid] >= first:
		return p.fail(off, ErrSyntax, "namespace declaration occurs twice in one tag [XML 3.1]")
	}
	if pid == xmlPrefix { // allowed and without effect
		if p.xmlDeclared {
			return p.fail(off, ErrSyntax, "namespace declaration occurs twice in one tag [XML 3.1]")
		}
		p.xmlDeclared = true
		return nil
	}
	id := int32(len(p.decls))
	p.decls = append(p.decls, declaration{
		prefix: p.ptab.strs[pid], uri: uri, pid: pid, uid: p.utab.intern(value), prev: p.scope, shadow: p.current[pid],
	})
	p.current[pid] = id
	p.scope = id
	return nil
}

// undeclare leaves the scope of an element with n declarations that end at last.
func (p *parser) undeclare(last, n int32) {
	for i := last; i > last-n; i-- {
		d := &p.decls[i]
		p.current[d.pid] = d.shadow
		p.scope = d.prev
	}
}

// clip shortens what is quoted in messages.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}

// NumNames returns how many distinct names the document has: every Node.NameID is below it.
func (d *Document) NumNames() int { return len(d.names) }

// NameAt returns the namespace and local name that a NameID stands for.
func (d *Document) NameAt(id int) (space, local string) {
	n := &d.names[id]
	return n.space, n.local
}
