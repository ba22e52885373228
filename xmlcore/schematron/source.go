package schematron

import (
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// A schema is read into these structures first, from Schematron or from a style sheet, and compiled from them.

// place is an element of a schema document.
type place struct {
	file  string
	node  dom.Node
	depth int // of inclusion
}

type schemaSource struct {
	at             place
	title, version string
	defaultPhase   string
	namespaces     []namespace
	lets           []letSource
	functions      []place // xsl:function
	keys           []place // xsl:key
	phases         []phaseSource
	patterns       []*patternSource
	texts          []textSource // diagnostics and properties
	stylesheet     bool         // in expressions the prefixes of the file count
}

type letSource struct {
	at   place
	name string
	expr string // "" : the content of the element counts
}

type phaseSource struct {
	at     place
	id     string
	active []string
	lets   []letSource
}

type patternSource struct {
	at       place
	id, name string
	abstract bool
	isA      string
	params   parameters
	lets     []letSource
	rules    []*ruleSource
}

type ruleSource struct {
	at                      place
	id, context, flag, role string
	abstract                bool
	parts                   []partSource
}

// partSource is a let, an extends or an assertion; what it is says which field is filled.
type partSource struct {
	let     *letSource
	extends string
	assert  *assertSource
}

type assertSource struct {
	at                      place
	id, flag, role, test    string
	report, failed          bool
	text                    []piece
	diagnostics, properties []string
}

type textSource struct {
	at   place
	kind string // "diagnostic" or "property"
	id   string
	text []piece
}

// piece is literal text, or an expression.
type piece struct {
	literal string
	expr    string
	at      place
}

// parameters of an abstract pattern: each name with its dollar sign and the value, the longest name first so that
// none is taken for the beginning of another.
type parameters []struct{ name, value string }

func (p parameters) sorted() parameters {
	slices.SortStableFunc(p, func(a, b struct{ name, value string }) int { return len(b.name) - len(a.name) })
	return p
}

// apply puts the values into a text [Schematron 6.2]: into string literals as well, as all engines do.
func (p parameters) apply(s string) string {
	if len(p) == 0 || !strings.Contains(s, "$") {
		return s
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i:]
		found := false
		for _, q := range p {
			if strings.HasPrefix(s, q.name) {
				b.WriteString(q.value)
				s, found = s[len(q.name):], true
				break
			}
		}
		if !found {
			b.WriteByte('$')
			s = s[1:]
		}
	}
}

// with returns the pattern with the parameters of another that is an instance of it.
func (p *patternSource) with(inst *patternSource) *patternSource {
	q := &patternSource{at: inst.at, id: inst.id, name: inst.name}
	v := inst.params
	lets := func(in []letSource) (out []letSource) {
		for _, l := range in {
			l.name, l.expr = v.apply(l.name), v.apply(l.expr)
			out = append(out, l)
		}
		return out
	}
	pieces := func(in []piece) (out []piece) {
		for _, x := range in {
			x.literal, x.expr = v.apply(x.literal), v.apply(x.expr)
			out = append(out, x)
		}
		return out
	}
	q.lets = lets(p.lets)
	for _, r := range p.rules {
		c := *r
		c.id, c.context, c.flag, c.role = v.apply(r.id), v.apply(r.context), v.apply(r.flag), v.apply(r.role)
		c.parts = nil
		for _, part := range r.parts {
			switch {
			case part.let != nil:
				l := lets([]letSource{*part.let})[0]
				part.let = &l
			case part.assert != nil:
				a := *part.assert
				a.id, a.flag, a.role, a.test = v.apply(a.id), v.apply(a.flag), v.apply(a.role), v.apply(a.test)
				a.text = pieces(a.text)
				part.assert = &a
			}
			c.parts = append(c.parts, part)
		}
		q.rules = append(q.rules, &c)
	}
	q.lets = append(q.lets, lets(inst.lets)...)
	q.rules = append(q.rules, inst.rules...)
	return q
}
