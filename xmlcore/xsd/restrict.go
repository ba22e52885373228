package xsd

import "fmt"

// restrictor checks that one content model restricts another [XSD1 3.9.6] Particle Valid (Restriction).
type restrictor struct {
	c     *compiler
	steps int
}

const maxRestrictSteps = 5_000_000

// derivation checks [XSD1 3.4.6] Derivation Valid (Restriction, Complex), clause 5, for content.
func (c *compiler) restrictedContent(t *complexType) {
	b, ok := t.base.(*complexType)
	if !ok || t.method != byRestriction || b == predefined.anyType {
		return
	}
	const rule = "derivation-ok-restriction.5"
	switch t.content {
	case simpleContent:
		if b.content != simpleContent && (b.content != mixedContent || !emptiable(b.particle)) {
			c.fail(t.node, rule+".2.1", "%s has no simple content", b)
		}
	case emptyContent:
		if b.content == simpleContent || b.content != emptyContent && !emptiable(b.particle) {
			c.fail(t.node, rule+".3.2", "content of %s cannot be empty", b)
		}
	default:
		if t.content == mixedContent && b.content != mixedContent {
			c.fail(t.node, rule+".4.1.2", "content of %s is not mixed", b)
			return
		}
		if b.content != elementContent && b.content != mixedContent {
			c.fail(t.node, rule+".4.1", "%s has %s content", b, b.content)
			return
		}
		if t.particle == nil {
			if !emptiable(b.particle) {
				c.fail(t.node, rule+".4.2", "content of %s cannot be empty", b)
			}
			return
		}
		if b.particle == nil {
			if leaves(t.particle, func(*particle) bool { return false }) {
				return // a group without elements
			}
			c.fail(t.node, rule+".4.2", "content of %s is empty", b)
			return
		}
		r := restrictor{c: c}
		if why := r.restricts(t.particle, b.particle); why != "" {
			c.fail(t.node, rule+".4.2", "content is no restriction of that of %s: %s", b, why)
		}
	}
}

// simplify removes pointless groups [XSD1 3.9.6]: what stands alone in a group that occurs once, and groups of one kind in
// each other.
func (r *restrictor) simplify(p *particle) *particle {
	if p.group == nil {
		return p
	}
	parts := r.flatten(p.group, nil)
	if len(parts) == 1 && p.min == 1 && p.max == 1 {
		return parts[0]
	}
	return &particle{min: p.min, max: p.max, node: p.node, group: &group{kind: p.group.kind, parts: parts, node: p.group.node}}
}

func (r *restrictor) flatten(g *group, out []*particle) []*particle {
	for _, p := range g.parts {
		if p.max == 0 {
			continue
		}
		r.steps++
		s := r.simplify(p)
		switch {
		case s.group == nil:
			out = append(out, s)
		case len(s.group.parts) == 0 && s.group.kind != choice:
		case s.min == 1 && s.max == 1 && s.group.kind == g.kind && g.kind != all:
			out = append(out, s.group.parts...)
		default:
			out = append(out, s)
		}
	}
	return out
}

func inRange(rmin, rmax, bmin, bmax int) bool {
	return rmin >= bmin && (bmax == unbounded || rmax != unbounded && rmax <= bmax)
}

func occursText(p *particle) string {
	m := "unbounded"
	if p.max != unbounded {
		m = fmt.Sprint(p.max)
	}
	return fmt.Sprintf("%d to %s", p.min, m)
}

// restricts says why not, or nothing.
func (r *restrictor) restricts(p, b *particle) string {
	if r.steps > maxRestrictSteps {
		return ""
	}
	p, b = r.simplify(p), r.simplify(b)
	if b.element != nil && !b.alone { // a head stands for a choice of its group
		if subs := r.c.substitutes(b.element); len(subs) > 0 && (p.element == nil || p.element.name != b.element.name) {
			g := &group{kind: choice, node: b.node}
			for _, e := range append([]*element{b.element}, subs...) {
				g.parts = append(g.parts, &particle{min: 1, max: 1, element: e, node: b.node, alone: true})
			}
			return r.compare(p, &particle{min: b.min, max: b.max, group: g, node: b.node}, true)
		}
	}
	return r.compare(p, b, true)
}

func (r *restrictor) compare(p, b *particle, occurrence bool) string {
	if r.steps++; r.steps > maxRestrictSteps {
		r.c.stop("comparing content models takes more than %d steps", maxRestrictSteps)
		return ""
	}
	if occurrence && !(b.group != nil && (p.group == nil || p.group.kind != b.group.kind)) && !(b.wildcard != nil && p.group != nil) &&
		!inRange(p.min, p.max, b.min, b.max) {
		return fmt.Sprintf("%s occurs %s times, in the base %s", r.name(p), occursText(p), occursText(b))
	}
	switch {
	case b.wildcard != nil:
		return r.inWildcard(p, b, occurrence)
	case b.element != nil:
		if p.element == nil {
			return r.name(p) + " cannot restrict " + r.name(b)
		}
		return r.sameElement(p.element, b.element)
	case p.wildcard != nil:
		return r.name(p) + " can only restrict a wildcard"
	case p.element != nil: // RecurseAsIfGroup
		return r.groups(&particle{min: 1, max: 1, node: p.node, group: &group{kind: b.group.kind, parts: []*particle{p}, node: p.node}}, b)
	}
	return r.groups(p, b)
}

func (r *restrictor) name(p *particle) string {
	switch {
	case p.element != nil:
		return "element " + p.element.name.local
	case p.wildcard != nil:
		return "wildcard"
	}
	return "group " + p.group.kind.String()
}

func (r *restrictor) inWildcard(p, b *particle, occurrence bool) string {
	switch {
	case p.element != nil:
		if !b.wildcard.allows(p.element.name.space) {
			return fmt.Sprintf("the wildcard of the base does not allow %s", p.element.name)
		}
	case p.wildcard != nil:
		if !p.wildcard.subsetOf(b.wildcard) {
			return "the wildcard is wider than that of the base"
		}
		if p.wildcard.process > b.wildcard.process {
			return "the wildcard is less strict than that of the base"
		}
	default:
		for _, s := range p.group.parts {
			if why := r.compare(r.simplify(s), b, false); why != "" {
				return why
			}
		}
		if occurrence {
			if lo, hi := total(p); !inRange(lo, hi, b.min, b.max) {
				return "the group occurs other than the wildcard of the base allows"
			}
		}
	}
	return ""
}

// total is the Effective Total Range [XSD1 3.8.6].
func total(p *particle) (lo, hi int) {
	if p.group == nil {
		return p.min, p.max
	}
	mul := func(a, b int) int {
		switch {
		case a == 0 || b == 0:
			return 0
		case a == unbounded || b == unbounded:
			return unbounded
		}
		return min(a*b, 1<<30)
	}
	for i, s := range p.group.parts {
		l, h := total(s)
		if p.group.kind == choice {
			if i == 0 || l < lo {
				lo = l
			}
			if hi != unbounded && (h == unbounded || h > hi) {
				hi = h
			}
			continue
		}
		lo = min(lo+l, 1<<30)
		if h == unbounded || hi == unbounded {
			hi = unbounded
		} else {
			hi = min(hi+h, 1<<30)
		}
	}
	return mul(lo, p.min), mul(hi, p.max)
}

// sameElement is NameAndTypeOK.
func (r *restrictor) sameElement(e, b *element) string {
	switch {
	case e.name != b.name:
		return fmt.Sprintf("element %s stands where the base has %s", e.name.local, b.name.local)
	case e == b:
		return ""
	case e.nillable && !b.nillable:
		return fmt.Sprintf("element %s is nillable, in the base it is not", e.name.local)
	case e.block&b.block != b.block:
		return fmt.Sprintf("element %s blocks less than in the base", e.name.local)
	}
	if b.fixed && b.value != nil {
		var t *simpleType
		switch s := b.typ.(type) {
		case *simpleType:
			t = s
		case *complexType:
			t = s.simple
		}
		if !e.fixed || e.value == nil || t != nil && !r.c.sameValue(t, *b.value, b.node, *e.value, e.node) || t == nil && *e.value != *b.value {
			return fmt.Sprintf("element %s is fixed to another value in the base", e.name.local)
		}
	}
	for _, k := range e.constraints {
		found := false
		for _, o := range b.constraints {
			found = found || o.same(k)
		}
		if !found {
			return fmt.Sprintf("element %s has an identity constraint that it lacks in the base", e.name.local)
		}
	}
	if b.typ != predefined.anyType && !derivedFrom(e.typ, b.typ, byExtension) {
		return fmt.Sprintf("the type of element %s is no restriction of that in the base", e.name.local)
	}
	return ""
}

// groups compares two groups.
func (r *restrictor) groups(p, b *particle) string {
	pk, bk := p.group.kind, b.group.kind
	parts, base := p.group.parts, b.group.parts
	if pk == bk {
		if !inRange(p.min, p.max, b.min, b.max) {
			return fmt.Sprintf("%s occurs %s times, in the base %s", r.name(p), occursText(p), occursText(b))
		}
		at := 0
		for _, s := range parts { // Recurse, RecurseLax: in order
			why := ""
			for found := false; !found; at++ {
				if at == len(base) {
					if why == "" {
						why = r.name(s) + " has no counterpart in the base"
					}
					return why
				}
				if w := r.restricts(s, base[at]); w == "" {
					found = true
				} else if pk != choice && !emptiable(base[at]) {
					return w
				} else if why == "" {
					why = w
				}
			}
		}
		if pk != choice {
			for ; at < len(base); at++ {
				if !emptiable(base[at]) {
					return r.name(base[at]) + " of the base is missing"
				}
			}
		}
		return ""
	}
	switch {
	case pk == sequence && bk == all: // RecurseUnordered
		if !inRange(p.min, p.max, b.min, b.max) {
			return fmt.Sprintf("%s occurs %s times, in the base %s", r.name(p), occursText(p), occursText(b))
		}
		used := make([]bool, len(base))
		for _, s := range parts {
			found := false
			for i, o := range base {
				if !used[i] && r.restricts(s, o) == "" {
					used[i], found = true, true
					break
				}
			}
			if !found {
				return r.name(s) + " has no counterpart in the base"
			}
		}
		for i, o := range base {
			if !used[i] && !emptiable(o) {
				return r.name(o) + " of the base is missing"
			}
		}
		return ""
	case pk == sequence && bk == choice: // MapAndSum
		for _, s := range parts {
			found := false
			for _, o := range base {
				if r.restricts(s, o) == "" {
					found = true
					break
				}
			}
			if !found {
				return r.name(s) + " has no counterpart in the base"
			}
		}
		n := len(parts)
		hi := unbounded
		if p.max != unbounded {
			hi = min(p.max*n, 1<<30)
		}
		if !inRange(min(p.min*n, 1<<30), hi, b.min, b.max) {
			return fmt.Sprintf("%s occurs other than the choice of the base", r.name(p))
		}
		return ""
	}
	return r.name(p) + " cannot restrict " + r.name(b)
}
