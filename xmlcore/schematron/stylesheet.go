package schematron

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// stylesheet reads rules back from the style sheet that a compiler of Schematron has written: in it each rule is a
// template with a priority, in a mode that stands for the pattern, that writes svrl:fired-rule; each assertion is a
// condition that writes svrl:failed-assert or svrl:successful-report.
func (l *loader) stylesheet(at place) *schemaSource {
	s := &schemaSource{at: at, stylesheet: true}
	modes := map[string]*patternSource{}
	type found struct {
		rule     *ruleSource
		priority float64
	}
	rules := map[string][]found{}
	var order []string
	for n := range at.node.Elements() {
		k := place{at.file, n, at.depth}
		if n.Space() != xsltNamespace {
			continue
		}
		switch n.Local() {
		case "function":
			if name := n.Attr("name"); !strings.HasPrefix(name, "schxslt:") {
				s.functions = append(s.functions, k)
			}
		case "key":
			s.keys = append(s.keys, k)
		case "variable", "param":
			if n.FirstElement().Valid() || n.Attr("select") != "" || strings.TrimSpace(n.Text()) != "" {
				s.lets = append(s.lets, letSource{k, n.Attr("name"), n.Attr("select")})
			}
		case "include", "import":
			l.problem(k, nil, "xsl:%s is not supported: the style sheet must be whole", n.Local())
		case "template":
			l.head(n, s)
			if n.Attr("match") == "" || !writes(n, "fired-rule") {
				continue
			}
			mode := n.Attr("mode")
			if modes[mode] == nil {
				modes[mode] = &patternSource{at: k}
				order = append(order, mode)
			}
			p, _ := strconv.ParseFloat(n.Attr("priority"), 64)
			rules[mode] = append(rules[mode], found{l.template(k), p})
		}
	}
	for _, mode := range order {
		list := rules[mode]
		slices.SortStableFunc(list, func(a, b found) int { return cmp.Compare(b.priority, a.priority) })
		for _, r := range list {
			modes[mode].rules = append(modes[mode].rules, r.rule)
		}
		s.patterns = append(s.patterns, modes[mode])
	}
	if len(s.patterns) == 0 {
		l.problem(at, nil, "the style sheet has no template that writes svrl:fired-rule: no compiler of Schematron has written it")
	}
	return s
}

// head reads title and prefixes from the template that writes the report's frame.
func (l *loader) head(t dom.Node, s *schemaSource) {
	for n := range t.Descendants() {
		switch {
		case n.Is(SVRLNamespace, "schematron-output"):
			s.title, s.version = cmp.Or(s.title, n.Attr("title")), cmp.Or(s.version, n.Attr("schemaVersion"))
		case n.Is(SVRLNamespace, "ns-prefix-in-attribute-values"):
			p, u := attribute(n, "prefix"), attribute(n, "uri")
			if p != "" && !slices.Contains(s.namespaces, namespace{p, u}) {
				s.namespaces = append(s.namespaces, namespace{p, u})
			}
		}
	}
}

func writes(t dom.Node, local string) bool {
	for n := range t.Descendants() {
		if n.Is(SVRLNamespace, local) {
			return true
		}
	}
	return false
}

// attribute reads an attribute that is written literally or by xsl:attribute.
func attribute(n dom.Node, name string) string {
	if v, ok := n.AttrNS("", name); ok {
		return v
	}
	for k := range n.Elements() {
		if k.Is(xsltNamespace, "attribute") && k.Attr("name") == name {
			if v := k.Attr("select"); len(v) > 1 && v[0] == '\'' {
				return strings.Trim(v, "'")
			}
			return k.Text()
		}
	}
	return ""
}

// template reads a rule.
func (l *loader) template(at place) *ruleSource {
	r := &ruleSource{at: at, context: at.node.Attr("match")}
	var read func(n dom.Node)
	read = func(n dom.Node) {
		for k := range n.Elements() {
			p := place{at.file, k, at.depth}
			switch {
			case k.Is(SVRLNamespace, "fired-rule"):
				r.id, r.flag, r.role = attribute(k, "id"), attribute(k, "flag"), attribute(k, "role")
			case k.Is(SVRLNamespace, "failed-assert"), k.Is(SVRLNamespace, "successful-report"):
				l.written(p, r)
			case k.Is(xsltNamespace, "variable"):
				if !strings.HasPrefix(k.Attr("name"), "schxslt:") {
					r.parts = append(r.parts, partSource{let: &letSource{p, k.Attr("name"), k.Attr("select")}})
				}
			case k.Is(xsltNamespace, "param"), k.Is(xsltNamespace, "apply-templates"), k.Is(xsltNamespace, "next-match"), k.Is(xsltNamespace, "comment"):
			default:
				read(k)
			}
		}
	}
	read(at.node)
	return r
}

// written reads an assertion from what it writes when it fires.
func (l *loader) written(at place, r *ruleSource) {
	n := at.node
	a := &assertSource{at: at, id: attribute(n, "id"), flag: attribute(n, "flag"), role: attribute(n, "role"), failed: n.Local() == "failed-assert"}
	switch p := n.Parent(); {
	case p.Is(xsltNamespace, "otherwise"):
		for w := range p.Parent().Elements() {
			if w.Is(xsltNamespace, "when") {
				a.test = w.Attr("test")
			}
		}
	case p.Is(xsltNamespace, "if"), p.Is(xsltNamespace, "when"):
		a.report, a.test = true, p.Attr("test")
	}
	if a.test == "" {
		l.problem(at, nil, "no condition is found that svrl:%s depends on", n.Local())
		return
	}
	for k := range n.Elements() {
		switch {
		case k.Is(SVRLNamespace, "text"):
			a.text = l.text(place{at.file, k, at.depth})
		case k.Is(SVRLNamespace, "diagnostic-reference"):
			// the texts stay in the style sheet's order: they are part of the message for a person
			a.text = append(append(a.text, piece{literal: " "}), l.text(place{at.file, k, at.depth})...)
		}
	}
	r.parts = append(r.parts, partSource{assert: a})
}
