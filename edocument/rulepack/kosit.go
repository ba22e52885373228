package rulepack

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
)

// Namespaces of the descriptions of other validators.
const (
	scenariosSpace = "http://www.xoev.de/de/validator/framework/1/scenarios"
)

// scenarios makes one pack of a configuration of the KoSIT validator.
func (r *release) scenarios() ([]Manifest, error) {
	for _, name := range r.byExtension(".xml") {
		n := r.root(name)
		if !n.Is(scenariosSpace, "scenarios") {
			continue
		}
		m := Manifest{Source: Source{Kind: "KoSIT configuration"}}
		m.Title = text(n.Child(scenariosSpace, "name"))
		artifact := strings.TrimPrefix(slug(m.Title), "validator-configuration-")
		m.ID = ID{Group: "de.kosit", Artifact: cmp.Or(artifact, "scenarios"), Version: cmp.Or(versionIn.FindString(m.Title), r.version(name))}
		for k := range n.Elements() {
			if !k.Is(scenariosSpace, "scenario") {
				continue
			}
			s, err := r.scenario(path.Dir(name), k)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			m.Scenarios = append(m.Scenarios, s)
		}
		if m.Scenarios == nil {
			return nil, fmt.Errorf("%w: %s has no scenario", ErrRelease, name)
		}
		return []Manifest{m}, nil
	}
	return nil, nil
}

func text(n dom.Node) string {
	if !n.Valid() {
		return ""
	}
	return strings.Join(strings.Fields(n.Text()), " ")
}

func (r *release) scenario(dir string, n dom.Node) (Scenario, error) {
	s := Scenario{Namespaces: map[string]string{}, Levels: map[string]string{}}
	for k := range n.Elements() {
		switch k.Local() {
		case "name":
			s.Name = text(k)
		case "namespace":
			s.Namespaces[k.Attr("prefix")] = text(k)
		case "match":
			s.Match = k.TrimmedText()
		case "validateWithXmlSchema", "validateWithSchematron":
			for x := range k.Elements() {
				at := text(x.Child(scenariosSpace, "location"))
				file := path.Join(dir, at)
				if r.files[file] == nil {
					return s, n.Errorf("scenario %q names %q, which is not in the release", s.Name, at)
				}
				if k.Local() == "validateWithXmlSchema" {
					s.Schemas = append(s.Schemas, file)
				} else {
					s.Rules = append(s.Rules, file)
				}
			}
		case "createReport":
			for x := range k.Elements() {
				level := x.Attr("level")
				switch level {
				case "error", "warning":
				case "information":
					level = "info"
				default:
					continue
				}
				for id := range strings.FieldsSeq(x.Text()) {
					s.Levels[id] = level
				}
			}
		}
	}
	if s.Match == "" {
		return s, n.Errorf("scenario %q matches nothing", s.Name)
	}
	return s, nil
}

// executorSets makes a pack of each validation executor set of phive: a document that names its artefacts.
func (r *release) executorSets() (out []Manifest, err error) {
	for _, name := range r.byExtension(".xml", ".ves") {
		n := r.root(name)
		if !n.Valid() || n.Local() != "ves" {
			continue
		}
		m := Manifest{Source: Source{Kind: "phive VES"}, Title: text(child(n, "name"))}
		id := child(n, "id")
		m.ID = ID{Group: part(id, "groupId"), Artifact: part(id, "artifactId"), Version: part(id, "version")}
		s := Scenario{}
		for k := range n.Elements() {
			switch k.Local() {
			case "requires":
				req := k
				if in := child(k, "id"); in.Valid() {
					req = in
				}
				m.Requires = append(m.Requires, strings.TrimSuffix(part(req, "groupId")+":"+part(req, "artifactId")+":"+part(req, "version"), ":"))
			case "xsd", "schematron":
				if child(k, "precondition").Valid() {
					return nil, fmt.Errorf("%s: %w", name, k.Errorf("a precondition of an artefact is not supported"))
				}
				at := resource(child(k, "resource"))
				file := path.Join(path.Dir(name), at)
				if r.files[file] == nil {
					file = path.Clean(strings.TrimPrefix(at, "/"))
				}
				if at == "" || r.files[file] == nil {
					return nil, fmt.Errorf("%s: %w", name, k.Errorf("%q is not in the release", at))
				}
				if k.Local() == "xsd" {
					s.Schemas = append(s.Schemas, file)
				} else {
					s.Rules = append(s.Rules, file)
				}
			}
		}
		if s.Schemas == nil && s.Rules == nil {
			return nil, fmt.Errorf("%s: %w", name, n.Errorf("it names no artefact that can be run"))
		}
		m.Scenarios = []Scenario{s}
		out = append(out, m)
	}
	return out, nil
}

// espdFolder is where a release of ESPD-EDM keeps the rules of a request, of a response and of both.
var espdFolder = regexp.MustCompile(`^(?:(.*)/)?(?:ESPD(Request|Response)|(common))/sch/[^/]*\.sch$`)

// espd makes a pack of the request and one of the response of the European Single Procurement Document.
func (r *release) espd() (out []Manifest, err error) {
	rules := map[string][]string{} // by "Request", "Response", "" for both
	for _, name := range r.byExtension(".sch") {
		// Some of the files have no rules yet.
		if m := espdFolder.FindStringSubmatch(name); m != nil && r.root(name).Child(schematron.Namespace, "pattern").Valid() {
			rules[m[2]] = append(rules[m[2]], name)
		}
	}
	for _, kind := range []string{"Request", "Response"} {
		if rules[kind] == nil {
			continue
		}
		s := Scenario{Rules: append(rules[kind], rules[""]...)}
		for _, name := range r.byExtension(".xsd") {
			if strings.Contains(path.Base(name), "QualificationApplication"+kind+"-") {
				s.Schemas = append(s.Schemas, name)
			}
		}
		if len(s.Schemas) > 1 {
			return nil, fmt.Errorf("%w: several schemas of an ESPD %s: %s", ErrRelease, strings.ToLower(kind), strings.Join(s.Schemas, ", "))
		}
		out = append(out, Manifest{ID: ID{Group: "eu.espd", Artifact: strings.ToLower(kind), Version: r.version(rules[kind][0])}, Title: "European Single Procurement Document, " + strings.ToLower(kind),
			Source: Source{Kind: "ESPD-EDM"}, Scenarios: []Scenario{s}})
	}
	return out, nil
}

// child returns the first element child with a local name in the namespace of its parent.
func child(n dom.Node, local string) dom.Node {
	if !n.Valid() {
		return n
	}
	return n.Child(n.Space(), local)
}

// part reads a value that is an attribute or an element.
func part(n dom.Node, name string) string {
	if !n.Valid() {
		return ""
	}
	if v := n.Attr(name); v != "" {
		return v
	}
	return text(child(n, name))
}

// resource reads the path of an artefact.
func resource(n dom.Node) string {
	return cmp.Or(part(n, "path"), part(n, "name"), text(n))
}
