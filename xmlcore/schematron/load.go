package schematron

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// loader reads schema documents of one file system.
type loader struct {
	fsys     fs.FS
	limits   dom.Limits
	docs     map[string]*dom.Document
	files    []string
	elements int // seen with all inclusions
	problems []Problem
	warnings []string
}

func newLoader(fsys fs.FS, lim dom.Limits) *loader {
	return &loader{fsys: fsys, limits: lim, docs: map[string]*dom.Document{}}
}

const maxProblems = 100

func (l *loader) problem(at place, err error, format string, args ...any) {
	if len(l.problems) >= maxProblems {
		return
	}
	p := Problem{File: at.file, Text: fmt.Sprintf(format, args...), Err: err}
	if at.node.Valid() {
		p.Line, p.Column = at.node.Pos()
		p.Path = at.node.Path()
	}
	l.problems = append(l.problems, p)
}

func (l *loader) err() error {
	if len(l.problems) == 0 {
		return nil
	}
	return &SchemaError{l.problems}
}

// document parses a file once.
func (l *loader) document(file string) (*dom.Document, error) {
	if d, ok := l.docs[file]; ok {
		return d, nil
	}
	if len(l.docs) >= maxFiles {
		return nil, fmt.Errorf("more than %d documents", maxFiles)
	}
	if !fs.ValidPath(file) {
		return nil, &fs.PathError{Op: "open", Path: file, Err: fs.ErrInvalid}
	}
	b, err := fs.ReadFile(l.fsys, file)
	if err != nil {
		return nil, err
	}
	d, err := dom.Parse(b, l.limits)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	l.docs[file] = d
	l.files = append(l.files, file)
	return d, nil
}

func (l *loader) load(entry string) (*schemaSource, error) {
	entry = path.Clean(entry)
	d, err := l.document(entry)
	if err != nil {
		return nil, err
	}
	at := place{entry, d.Root(), 0}
	var src *schemaSource
	switch {
	case at.node.Is(Namespace, "schema"):
		src = l.schema(at)
	case at.node.Is(xsltNamespace, "stylesheet"), at.node.Is(xsltNamespace, "transform"):
		src = l.stylesheet(at)
	default:
		l.problem(at, nil, "{%s}%s is neither a schema of Schematron nor a style sheet", at.node.Space(), at.node.Local())
	}
	return src, l.err()
}

// children calls f for the element children of n, those that it includes put in the place of the include.
func (l *loader) children(at place, f func(place)) {
	for n := range at.node.Elements() {
		if l.elements++; l.elements > maxExpansion {
			if l.elements == maxExpansion+1 {
				l.problem(at, nil, "more than %d elements with all that is included", maxExpansion)
			}
			return
		}
		k := place{at.file, n, at.depth}
		switch {
		case n.Is(Namespace, "include"):
			if in, ok := l.include(k, n.Attr("href")); ok {
				l.included(in, f)
			}
		case n.Is(Namespace, "extends") && n.Attr("href") != "": // [Schematron 5.4.4]: the content of what is named
			if in, ok := l.include(k, n.Attr("href")); ok {
				l.children(in, f)
			}
		default:
			f(k)
		}
	}
}

// included gives the element that stands for an include, which may be one itself.
func (l *loader) included(in place, f func(place)) {
	if in.node.Is(Namespace, "include") {
		if next, ok := l.include(in, in.node.Attr("href")); ok {
			l.included(next, f)
		}
		return
	}
	f(in)
}

func (l *loader) include(at place, href string) (place, bool) {
	if at.depth >= maxDepth {
		l.problem(at, nil, "inclusion more than %d deep: does the file include itself?", maxDepth)
		return place{}, false
	}
	file, id, _ := strings.Cut(href, "#")
	if strings.Contains(file, ":") || strings.HasPrefix(file, "/") {
		l.problem(at, nil, "%q is outside of the rules: nothing is fetched", href)
		return place{}, false
	}
	name := at.file
	if file != "" {
		name = path.Join(path.Dir(at.file), file)
	}
	d, err := l.document(name)
	if err != nil {
		l.problem(at, err, "include %q: %v", href, err)
		return place{}, false
	}
	if id == "" {
		return place{name, d.Root(), at.depth + 1}, true
	}
	for n := range d.Node().Descendants() {
		if n.Kind() == dom.ElementNode {
			if v, ok := n.AttrNS("http://www.w3.org/XML/1998/namespace", "id"); ok && v == id || n.Attr("id") == id {
				return place{name, n, at.depth + 1}, true
			}
		}
	}
	l.problem(at, nil, "include %q: no element has this id", href)
	return place{}, false
}

// schema reads sch:schema.
func (l *loader) schema(at place) *schemaSource {
	n := at.node
	s := &schemaSource{at: at, version: n.Attr("schemaVersion"), defaultPhase: n.Attr("defaultPhase")}
	switch b := strings.ToLower(n.Attr("queryBinding")); b {
	case "", "xslt", "xslt1", "xslt2", "xslt3", "xpath", "xpath2", "xpath3", "xpath31":
	default:
		l.problem(at, nil, "query binding %q is not known here", b)
	}
	l.schemaBody(at, s)
	return s
}

func (l *loader) schemaBody(at place, s *schemaSource) {
	l.children(at, func(k place) { l.schemaChild(k, s) })
}

func (l *loader) schemaChild(k place, s *schemaSource) {
	n := k.node
	if n.Space() == xsltNamespace {
		switch n.Local() {
		case "function":
			s.functions = append(s.functions, k)
		case "key":
			s.keys = append(s.keys, k)
		case "variable", "param":
			s.lets = append(s.lets, letSource{k, n.Attr("name"), n.Attr("select")})
		case "output", "preserve-space", "strip-space", "decimal-format", "import-schema":
		default:
			l.problem(k, nil, "xsl:%s is not supported in a schema", n.Local())
		}
		return
	}
	if n.Space() != Namespace {
		return // others may say what they like [Schematron 5.1]
	}
	switch n.Local() {
	case "title":
		s.title = strings.Join(strings.Fields(n.Text()), " ")
	case "ns":
		s.namespaces = append(s.namespaces, namespace{n.Attr("prefix"), n.Attr("uri")})
	case "let":
		s.lets = append(s.lets, letSource{k, n.Attr("name"), n.Attr("value")})
	case "phase":
		s.phases = append(s.phases, l.phase(k))
	case "pattern":
		s.patterns = append(s.patterns, l.pattern(k))
	case "diagnostics", "properties":
		l.children(k, func(d place) {
			if d.node.Is(Namespace, "diagnostic") || d.node.Is(Namespace, "property") {
				s.texts = append(s.texts, textSource{d, d.node.Local(), d.node.Attr("id"), l.text(d)})
			}
		})
	case "p", "rules":
	case "schema": // included as a whole
		l.children(k, func(c place) { l.schemaChild(c, s) })
	case "group", "library":
		l.problem(k, nil, "sch:%s of the edition of 2025 is not supported", n.Local())
	default: // the usual engines pass over it: a published schema has rules there, which never ran
		line, _ := n.Pos()
		l.warnings = append(l.warnings, fmt.Sprintf("%s:%d: sch:%s has no place in a schema and is ignored", k.file, line, n.Local()))
	}
}

func (l *loader) phase(at place) phaseSource {
	n := at.node
	p := phaseSource{at: at, id: n.Attr("id")}
	if n.Attr("from") != "" || n.Attr("when") != "" {
		l.problem(at, nil, "phase/@from and @when of the edition of 2025 are not supported")
	}
	l.children(at, func(k place) {
		switch {
		case k.node.Is(Namespace, "active"):
			p.active = append(p.active, k.node.Attr("pattern"))
		case k.node.Is(Namespace, "let"):
			p.lets = append(p.lets, letSource{k, k.node.Attr("name"), k.node.Attr("value")})
		}
	})
	return p
}

func (l *loader) pattern(at place) *patternSource {
	n := at.node
	p := &patternSource{at: at, id: n.Attr("id"), abstract: n.Attr("abstract") == "true", isA: n.Attr("is-a")}
	p.name = n.Attr("name")
	l.children(at, func(k place) { l.patternChild(k, p) })
	p.params = p.params.sorted()
	return p
}

func (l *loader) patternChild(k place, p *patternSource) {
	n := k.node
	switch {
	case n.Is(xsltNamespace, "variable"):
		p.lets = append(p.lets, letSource{k, n.Attr("name"), n.Attr("select")})
	case n.Space() != Namespace:
	case n.Local() == "title":
		if p.name == "" {
			p.name = strings.Join(strings.Fields(n.Text()), " ")
		}
	case n.Local() == "param":
		p.params = append(p.params, struct{ name, value string }{"$" + n.Attr("name"), n.Attr("value")})
	case n.Local() == "let":
		p.lets = append(p.lets, letSource{k, n.Attr("name"), n.Attr("value")})
	case n.Local() == "rule":
		p.rules = append(p.rules, l.rule(k))
	case n.Local() == "pattern": // an include of a whole pattern inside of one
		l.children(k, func(c place) { l.patternChild(c, p) })
	case n.Local() == "p":
	default:
		l.problem(k, nil, "sch:%s has no place in a pattern", n.Local())
	}
}

func (l *loader) rule(at place) *ruleSource {
	n := at.node
	r := &ruleSource{at: at, id: n.Attr("id"), context: n.Attr("context"), flag: n.Attr("flag"), role: n.Attr("role"), abstract: n.Attr("abstract") == "true"}
	if v := n.Attr("visit-each"); v != "" {
		l.problem(at, nil, "rule/@visit-each of the edition of 2025 is not supported")
	}
	if !r.abstract && n.Attr("context") == "" {
		l.problem(at, nil, "a rule that is not abstract needs a context")
	}
	l.children(at, func(k place) { l.ruleChild(k, r) })
	return r
}

func (l *loader) ruleChild(k place, r *ruleSource) {
	n := k.node
	switch {
	case n.Is(xsltNamespace, "variable"):
		r.parts = append(r.parts, partSource{let: &letSource{k, n.Attr("name"), n.Attr("select")}})
	case n.Space() != Namespace:
	case n.Local() == "let":
		r.parts = append(r.parts, partSource{let: &letSource{k, n.Attr("name"), n.Attr("value")}})
	case n.Local() == "extends":
		r.parts = append(r.parts, partSource{extends: n.Attr("rule")})
	case n.Local() == "assert", n.Local() == "report":
		a := &assertSource{at: k, id: n.Attr("id"), flag: n.Attr("flag"), role: n.Attr("role"), test: n.Attr("test"), report: n.Local() == "report",
			diagnostics: strings.Fields(n.Attr("diagnostics")), properties: strings.Fields(n.Attr("properties")), text: l.text(k)}
		if a.test == "" {
			l.problem(k, nil, "%s without test", n.Local())
			return
		}
		r.parts = append(r.parts, partSource{assert: a})
	case n.Local() == "rule": // an include of a whole rule inside of one
		l.children(k, func(c place) { l.ruleChild(c, r) })
	case n.Local() == "p":
	default:
		l.problem(k, nil, "sch:%s has no place in a rule", n.Local())
	}
}

// text reads mixed content [Schematron 5.4.1].
func (l *loader) text(at place) []piece {
	var out []piece
	var read func(n dom.Node)
	read = func(n dom.Node) {
		for k := range n.Children() {
			p := place{at.file, k, at.depth}
			switch {
			case k.Kind() == dom.TextNode:
				out = append(out, piece{literal: k.Text(), at: p})
			case k.Kind() != dom.ElementNode:
			case k.Is(Namespace, "value-of"), k.Is(xsltNamespace, "value-of"):
				out = append(out, piece{expr: k.Attr("select"), at: p})
			case k.Is(Namespace, "name"):
				out = append(out, piece{expr: "name(" + k.Attr("path") + ")", at: p})
			default:
				read(k)
			}
		}
	}
	read(at.node)
	return slices.Clip(out)
}
