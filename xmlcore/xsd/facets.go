package xsd

import (
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/regex"
)

// simple makes a simple type from its definition [XSD1 3.14.2].
func (c *compiler) simple(t *simpleType, p *pending) {
	d := p.doc
	t.base, t.method, t.prim = predefined.anySimpleType, byRestriction, pString
	t.depth = 2
	final := d.finalDefault
	if s, ok := p.node.AttrNS("", "final"); ok {
		final = derivations(s, byRestriction|byList|byUnion)
	}
	defer func() { t.final = final & (byRestriction | byList | byUnion) }()
	n := child(p.node, "restriction", "list", "union")
	if p.entry != nil && p.entry.prev != nil && n.Local() != "restriction" {
		c.fail(p.node, "src-redefine.5", "a redefined simple type must restrict itself")
	}
	inner := child(n, "simpleType")
	switch n.Local() {
	case "restriction":
		c.simpleRestriction(t, p, n, inner)
	case "list":
		name, named := n.AttrNS("", "itemType")
		if named == inner.Valid() {
			c.fail(n, "src-simple-type.3", "a list takes either itemType or a simpleType")
			return
		}
		var item *simpleType
		if named {
			item = c.simpleRef(d, n, name)
		} else {
			item = c.anonymous(d, inner)
		}
		if item.listy {
			c.fail(n, "cos-st-restricts.2.1", "a list cannot have lists as items")
		}
		if item.final&byList != 0 {
			c.fail(n, "cos-st-restricts.2.3.1.1", "%s is final for lists", item)
		}
		t.variety, t.item, t.method, t.ws, t.fixed, t.prim, t.listy = list, item, byList, collapsed, fWhiteSpace, item.prim, true
	case "union":
		t.variety, t.method, t.prim = union, byUnion, pAny
		names := strings.Fields(n.Attr("memberTypes"))
		for _, name := range names {
			t.members = append(t.members, c.simpleRef(d, n, name))
		}
		for ch := range n.Elements() {
			if ch.Is(Namespace, "simpleType") {
				t.members = append(t.members, c.anonymous(d, ch))
			}
		}
		if len(t.members) == 0 {
			c.fail(n, "src-union-memberTypes-or-simpleTypes", "a union needs members")
			t.members = append(t.members, predefined.simple("string"))
		}
		for _, m := range t.members {
			t.listy = t.listy || m.listy
			t.size += 1 + m.size
			if m.final&byUnion != 0 {
				c.fail(n, "cos-st-restricts.3.3.1.1", "%s is final for unions", m)
			}
		}
		if t.size > c.opt.Limits.Members {
			c.stop("union with more than %d members", c.opt.Limits.Members)
		}
	}
}

func (c *compiler) simpleRestriction(t *simpleType, p *pending, n, inner dom.Node) {
	name, named := n.AttrNS("", "base")
	if named == inner.Valid() {
		c.fail(n, "src-simple-type.2", "a restriction takes either base or a simpleType")
		return
	}
	var base *simpleType
	if named {
		base = c.simpleRef(p.doc, n, name)
	} else {
		base = c.anonymous(p.doc, inner)
	}
	if p.entry != nil && p.entry.prev != nil && base != p.entry.prev.typ {
		c.fail(p.node, "src-redefine.5", "a redefined simple type must restrict itself")
	}
	if base == predefined.anySimpleType {
		c.fail(n, "cos-st-restricts.1.1", "xs:anySimpleType cannot be restricted")
		return
	}
	c.restrictSimple(t, base, n, p.doc)
}

// restrictSimple makes t from base with the facets that stand in n.
func (c *compiler) restrictSimple(t, base *simpleType, n dom.Node, d *schemaDoc) {
	if base.final&byRestriction != 0 {
		c.fail(n, "st-props-correct.3", "%s is final for restrictions", base)
	}
	name, node := t.name, t.node
	*t = *base
	t.name, t.node, t.base, t.method, t.final, t.depth = name, node, base, byRestriction, 0, base.depth+1
	t.patterns = append([][]*regex.Regexp(nil), base.patterns...)
	c.facets(t, base, n, d)
}

const lengths = fLength | fMinLength | fMaxLength
const ranges = fMinInclusive | fMinExclusive | fMaxInclusive | fMaxExclusive

// applicable returns the facets that may be set [XSD2 4.1.5].
func (t *simpleType) applicable() facet {
	switch t.variety {
	case list:
		return lengths | fPattern | fEnumeration | fWhiteSpace
	case union:
		return fPattern | fEnumeration
	}
	switch t.prim {
	case pBoolean:
		return fPattern | fWhiteSpace
	case pDecimal:
		return fPattern | fWhiteSpace | fEnumeration | ranges | fTotalDigits | fFractionDigits
	case pFloat, pDouble, pDuration, pDateTime, pTime, pDate, pGYearMonth, pGYear, pGMonthDay, pGDay, pGMonth:
		return fPattern | fWhiteSpace | fEnumeration | ranges
	}
	return lengths | fPattern | fEnumeration | fWhiteSpace
}

func (c *compiler) facets(t, base *simpleType, n dom.Node, d *schemaDoc) {
	var seen facet
	var patterns []*regex.Regexp
	allowed := t.applicable()
	enumerated := false
	for e := range n.Elements() {
		f, ok := facetNames[e.Local()]
		if !ok || e.Space() != Namespace {
			continue
		}
		if f&allowed == 0 {
			c.fail(e, "cos-applicable-facets", "facet %s does not apply to %s", e.Local(), base)
			continue
		}
		if seen&f != 0 && f != fPattern && f != fEnumeration {
			c.fail(e, "src-single-facet-value", "facet %s occurs twice", e.Local())
			continue
		}
		seen |= f
		fixed := isTrue(e.Attr("fixed"))
		raw := e.Attr("value")
		if !c.facet(t, base, e, f, raw, &patterns, &enumerated) {
			continue
		}
		t.have |= f
		if fixed {
			t.fixed |= f
		}
	}
	if patterns != nil {
		t.patterns = append(t.patterns, patterns)
	}
	c.facetsAgree(t, base, n, seen)
	t.have &^= fWhiteSpace
	t.valued = t.enum != nil || t.minInc != nil || t.minExc != nil || t.maxInc != nil || t.maxExc != nil
}

// count reads a nonNegativeInteger, which -0 is too. What is beyond all limits is capped.
func count(raw string) (int, bool) {
	s := collapse(raw)
	if zeros, ok := strings.CutPrefix(s, "-"); ok {
		return 0, zeros != "" && strings.Trim(zeros, "0") == ""
	}
	s = strings.TrimPrefix(s, "+")
	if s == "" || digits(s) != len(s) {
		return 0, false
	}
	v, err := strconv.Atoi(s)
	if err != nil || v > 1<<40 {
		v = 1 << 40
	}
	return v, true
}

func (c *compiler) facet(t, base *simpleType, e dom.Node, f facet, raw string, patterns *[]*regex.Regexp, enumerated *bool) bool {
	wrong := func() bool {
		c.fail(e, "s4s-att-invalid-value", "value %s of facet %s is not allowed", quote(raw), e.Local())
		return false
	}
	locked := func(changed bool) bool {
		if changed && base.fixed&f != 0 {
			c.fail(e, "FacetFixed", "facet %s of %s is fixed", e.Local(), base)
			return true
		}
		return false
	}
	switch f {
	case fLength, fMinLength, fMaxLength, fTotalDigits, fFractionDigits:
		v, ok := count(raw)
		if !ok || f == fTotalDigits && v == 0 {
			return wrong()
		}
		old, at := 0, (*int)(nil)
		switch f {
		case fLength:
			old, at = base.length, &t.length
		case fMinLength:
			old, at = base.minLength, &t.minLength
		case fMaxLength:
			old, at = base.maxLength, &t.maxLength
		case fTotalDigits:
			old, at = base.totalDigits, &t.totalDigits
		case fFractionDigits:
			old, at = base.fractionDigits, &t.fractionDigits
		}
		*at = v
		if base.have&f != 0 {
			if locked(v != old) {
				return false
			}
			if f == fLength && v != old || f == fMinLength && v < old || f != fLength && f != fMinLength && v > old {
				c.fail(e, e.Local()+"-valid-restriction", "%s %d is less strict than the %d of %s", e.Local(), v, old, base)
				return false
			}
		}
		if f == fFractionDigits && base.lex == lexInteger && v != 0 {
			c.fail(e, "fractionDigits-valid-restriction", "%s has no digits after the point", base)
			return false
		}
	case fPattern:
		p, err := regex.Compile(raw, regex.Options{})
		if err != nil {
			c.fail(e, "src-pattern-value", "%v", err)
			return false
		}
		*patterns = append(*patterns, p)
	case fEnumeration:
		in := &input{node: e, notated: c.notated}
		v, bad := base.check(raw, in, true)
		if bad != nil {
			c.fail(e, "enumeration-valid-restriction", "%s", bad.text)
			return false
		}
		if !*enumerated {
			*enumerated = true
			t.enum, t.enumText = map[string]bool{}, nil
		}
		t.enum[v.key()] = true
		t.enumText = append(t.enumText, raw)
	case fWhiteSpace:
		var w whiteSpace
		switch collapse(raw) {
		case "preserve":
		case "replace":
			w = replace
		case "collapse":
			w = collapsed
		default:
			return wrong()
		}
		if locked(w != base.ws) {
			return false
		}
		if w < base.ws {
			c.fail(e, "whiteSpace-valid-restriction", "whiteSpace %s is less strict than that of %s", raw, base)
			return false
		}
		t.ws = w
	default:
		return c.bound(t, base, e, f, raw, locked)
	}
	return true
}

func (c *compiler) bound(t, base *simpleType, e dom.Node, f facet, raw string, locked func(bool) bool) bool {
	var old *bound
	switch f {
	case fMinInclusive:
		old = base.minInc
	case fMinExclusive:
		old = base.minExc
	case fMaxInclusive:
		old = base.maxInc
	case fMaxExclusive:
		old = base.maxExc
	}
	v, bad := base.check(raw, &input{node: e}, true)
	same := false
	if bad != nil {
		free := *base // the value itself, without the bounds
		free.minInc, free.minExc, free.maxInc, free.maxExc = nil, nil, nil, nil
		w, worse := free.check(raw, &input{node: e}, true)
		if worse == nil && old != nil {
			if o, ok := compare(&w, &old.v); ok && o == 0 && (f == fMinExclusive || f == fMaxExclusive) {
				v, bad, same = w, nil, true
			}
		}
	}
	if bad != nil {
		c.fail(e, e.Local()+"-valid-restriction", "%s", bad.text)
		return false
	}
	if old != nil && !same {
		o, ok := compare(&v, &old.v)
		if locked(!ok || o != 0) {
			return false
		}
	}
	b := &bound{v, collapse(raw)}
	switch f {
	case fMinInclusive:
		t.minInc = b
	case fMinExclusive:
		t.minExc = b
	case fMaxInclusive:
		t.maxInc = b
	case fMaxExclusive:
		t.maxExc = b
	}
	return true
}

// facetsAgree checks facets against each other.
func (c *compiler) facetsAgree(t, base *simpleType, n dom.Node, seen facet) {
	if seen&fMinInclusive != 0 && seen&fMinExclusive != 0 {
		c.fail(n, "minInclusive-minExclusive", "minInclusive and minExclusive exclude each other")
	}
	if seen&fMaxInclusive != 0 && seen&fMaxExclusive != 0 {
		c.fail(n, "maxInclusive-maxExclusive", "maxInclusive and maxExclusive exclude each other")
	}
	// The narrower bound replaces the one of the other kind.
	if seen&fMinInclusive != 0 {
		t.minExc, t.have = nil, t.have&^fMinExclusive
	} else if seen&fMinExclusive != 0 {
		t.minInc, t.have = nil, t.have&^fMinInclusive
	}
	if seen&fMaxInclusive != 0 {
		t.maxExc, t.have = nil, t.have&^fMaxExclusive
	} else if seen&fMaxExclusive != 0 {
		t.maxInc, t.have = nil, t.have&^fMaxInclusive
	}
	over := func(lo, hi *bound, strict bool) bool {
		if lo == nil || hi == nil {
			return false
		}
		o, ok := compare(&lo.v, &hi.v)
		return ok && (o > 0 || strict && o == 0)
	}
	switch {
	case seen&ranges == 0:
	case over(t.minInc, t.maxInc, false):
		c.fail(n, "minInclusive-less-than-equal-to-maxInclusive", "minInclusive %s is greater than maxInclusive %s", t.minInc.text, t.maxInc.text)
	case over(t.minExc, t.maxExc, false):
		c.fail(n, "minExclusive-less-than-equal-to-maxExclusive", "minExclusive %s is greater than maxExclusive %s", t.minExc.text, t.maxExc.text)
	case over(t.minExc, t.maxInc, true):
		c.fail(n, "minExclusive-less-than-maxInclusive", "minExclusive %s is not less than maxInclusive %s", t.minExc.text, t.maxInc.text)
	case over(t.minInc, t.maxExc, true):
		c.fail(n, "minInclusive-less-than-maxExclusive", "minInclusive %s is not less than maxExclusive %s", t.minInc.text, t.maxExc.text)
	}
	if seen&lengths != 0 {
		switch {
		case seen&fLength != 0 && seen&(fMinLength|fMaxLength) != 0,
			t.have&fLength != 0 && (t.have&fMinLength != 0 && t.minLength > t.length || t.have&fMaxLength != 0 && t.maxLength < t.length):
			c.fail(n, "length-minLength-maxLength", "length and minLength or maxLength exclude each other")
		case t.have&fMinLength != 0 && t.have&fMaxLength != 0 && t.minLength > t.maxLength:
			c.fail(n, "minLength-less-than-equal-to-maxLength", "minLength %d is greater than maxLength %d", t.minLength, t.maxLength)
		}
	}
	if t.have&fTotalDigits != 0 && t.have&fFractionDigits != 0 && t.fractionDigits > t.totalDigits {
		c.fail(n, "fractionDigits-totalDigits", "fractionDigits %d is greater than totalDigits %d", t.fractionDigits, t.totalDigits)
	}
}

func (c *compiler) notated(q qname) bool { return c.named[sNotation][q] != nil }
