package rules

import (
	"strings"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// on makes a context from paths separated by a vertical bar; one that begins with / is counted from the document
// element, and / alone is that element.
func (v *vocabulary) on(where string, asserts ...assert) *context {
	c := &context{asserts: asserts}
	for w := range strings.SplitSeq(where, "|") {
		w = strings.TrimSpace(w)
		m := match{absolute: strings.HasPrefix(w, "/")}
		if w = strings.TrimPrefix(w, "/"); w == "" {
			m.p = &path{}
		} else {
			m.p = v.path(w)
		}
		c.matches = append(c.matches, m)
	}
	return c
}

// if adds a condition that is asked at the context node.
func (c *context) where(t test) *context {
	c.when = t
	return c
}

// named makes a context of all elements whose local name has a form.
func named(form func(local string) bool, asserts ...assert) *context {
	return &context{names: form, asserts: asserts}
}

func must(id string, t test) assert   { return assert{id: id, flag: edocument.Fatal, holds: t} }
func should(id string, t test) assert { return assert{id: id, flag: edocument.Warning, holds: t} }

func never(*eval) bool  { return false }
func always(*eval) bool { return true }

func not(t test) test { return func(x *eval) bool { return !t(x) } }

func either(tests ...test) test {
	return func(x *eval) bool {
		n := x.n
		for _, t := range tests {
			if x.n = n; t(x) {
				return true
			}
		}
		return false
	}
}

func all(tests ...test) test {
	return func(x *eval) bool {
		n := x.n
		for _, t := range tests {
			if x.n = n; !t(x) {
				return false
			}
		}
		return true
	}
}

func (v *vocabulary) has(p string) test {
	q := v.path(p)
	return func(x *eval) bool { return q.find(x, x.n).Valid() }
}

func (v *vocabulary) hasNot(p string) test { return not(v.has(p)) }

// node finds the node of a path where there has to be one; the first of several where the path ends in [1].
func (v *vocabulary) node(p string) func(*eval, dom.Node) dom.Node {
	if p, first := strings.CutSuffix(p, "[1]"); first {
		return v.path(p).find
	}
	return v.path(p).one
}

// filled: the node of the path is there and not blank.
func (v *vocabulary) filled(p string) test {
	node := v.node(p)
	return func(x *eval) bool { return !blank(node(x, x.n).Text()) }
}

// anyFilled: some node of the path is not blank.
func (v *vocabulary) anyFilled(p string) test {
	q := v.path(p)
	return func(x *eval) bool {
		return q.walk(x, x.n, func(n dom.Node) bool { return !blank(n.Text()) })
	}
}

func (v *vocabulary) atMost(k int, p string) test {
	q := v.path(p)
	return func(x *eval) bool { return q.count(x, x.n) <= k }
}

func (v *vocabulary) exactly(k int, p string) test {
	q := v.path(p)
	return func(x *eval) bool { return q.count(x, x.n) == k }
}

// is: some node of the path has one of the texts, exactly.
func (v *vocabulary) is(p string, texts ...string) test {
	q := v.path(p)
	return func(x *eval) bool {
		return q.walk(x, x.n, func(n dom.Node) bool { return among(n.Text(), texts) })
	}
}

// reads: the node of the path has one of the texts, apart from white space; "" stands for none.
func (v *vocabulary) reads(p string, texts ...string) test {
	q := v.path(p)
	return func(x *eval) bool { return among(normalize(q.one(x, x.n).Text()), texts) }
}

// within: the text of the first node of the path, apart from white space around it, stands in a list of words as one or
// several of them in a row.
func (v *vocabulary) within(p, list string) test {
	q := v.path(p)
	return func(x *eval) bool { return strings.Contains(" "+list+" ", " "+normalize(q.string(x, x.n))+" ") }
}

// number: some node of the path is a number, read as a double, for which f holds.
func (v *vocabulary) number(p string, f func(float64) bool) test {
	q := v.path(p)
	return func(x *eval) bool {
		return q.walk(x, x.n, func(n dom.Node) bool { return f(double(n.Text())) })
	}
}

func isPositive(f float64) bool  { return f > 0 }
func notNegative(f float64) bool { return f >= 0 }

func isZero(f float64) bool { return f == 0 }

// single: the path leads to one node, a decimal number for which f holds.
func (v *vocabulary) single(p string, f func(decimal.Decimal) bool) test {
	q := v.path(p)
	return func(x *eval) bool { return f(q.value(x, x.n)) && q.count(x, x.n) == 1 }
}

func aboveZero(d decimal.Decimal) bool { return d.Sign() > 0 }

// twoDecimals is lexical: 1.500 has three decimals.
func (v *vocabulary) twoDecimals(p string) test {
	node := v.node(p)
	return func(x *eval) bool {
		n := node(x, x.n)
		if !shortFraction(n.Text()) {
			x.note = n.Text()
			return false
		}
		return true
	}
}

func shortFraction(s string) bool {
	_, fraction, _ := strings.Cut(s, ".")
	return utf8.RuneCountInString(fraction) <= 2
}

func among(s string, list []string) bool {
	for _, l := range list {
		if s == l {
			return true
		}
	}
	return false
}

// value reads the node of a path as a number, NaN when there is none.
func (p *path) value(x *eval, n dom.Node) decimal.Decimal {
	if n = p.one(x, n); !n.Valid() {
		return decimal.NaN
	}
	return decimal.Read(n.Text())
}

// firstValue reads the first node of a path as a number, NaN when there is none.
func (p *path) firstValue(x *eval, n dom.Node) decimal.Decimal {
	return decimal.Read(p.find(x, n).Text())
}

// sumOfOne is sum where each element around the numbers has one of them.
func (p *path) sumOfOne(x *eval, n dom.Node) decimal.Decimal {
	var total decimal.Decimal
	var parent dom.Node
	p.walk(x, n, func(m dom.Node) bool {
		x.unclear = x.unclear || m.Parent() == parent
		parent, total = m.Parent(), total.Add(decimal.Read(m.Text()))
		return false
	})
	return total
}

// sum adds up the numbers of a path; one that cannot be read makes it NaN.
func (p *path) sum(x *eval, n dom.Node) decimal.Decimal {
	var total decimal.Decimal
	p.walk(x, n, func(m dom.Node) bool {
		total = total.Add(decimal.Read(m.Text()))
		return false
	})
	return total
}

// string returns the text of the node of a path.
func (p *path) string(x *eval, n dom.Node) string { return p.one(x, n).Text() }
