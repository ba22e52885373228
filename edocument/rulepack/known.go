package rulepack

import (
	"path"
	"regexp"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
)

// publications are the names under which the artefacts of known publishers go, by the names of their files.
var publications = []struct {
	file     *regexp.Regexp
	group    string
	artifact string // with $1 for what the parentheses hold
	requires string
}{
	{regexp.MustCompile(`^EN16931-(UBL|CII)-validation(?:-preprocessed)?$`), "eu.cen.en16931", "$1", ""},
	{regexp.MustCompile(`^PEPPOL-EN16931-UBL$`), "eu.peppol.bis3", "invoice", "eu.cen.en16931:ubl"},
	{regexp.MustCompile(`^PEPPOL-EN16931-UBL-SB$`), "eu.peppol.bis3", "invoice-self-billing", "eu.cen.en16931:ubl"},
	{regexp.MustCompile(`^PEPPOL-EN16931-CII$`), "eu.peppol.bis3", "invoice-cii", "eu.cen.en16931:cii"},
	{regexp.MustCompile(`^PEPPOLBIS-(T\d+)$`), "eu.peppol.bis3", "$1", ""},
	{regexp.MustCompile(`^XRechnung-(UBL|CII)-validation$`), "de.xrechnung", "$1", "eu.cen.en16931:$1"},
	{regexp.MustCompile(`^FACTUR-X_([A-Z0-9-]+)$`), "fr.factur-x", "$1", ""},
}

// localGroup is the group of what no known publisher has made.
const localGroup = "local"

var versionIn = regexp.MustCompile(`\d+(?:\.\d+)+`)

// known makes the manifest of one schema, named as its publisher is known to name it.
func (r *release) known(file, kind string) Manifest {
	stem := strings.TrimSuffix(path.Base(file), path.Ext(file))
	m := Manifest{Source: Source{Kind: kind}, Scenarios: []Scenario{{Rules: []string{file}}}}
	m.ID = ID{Group: localGroup, Version: r.version(file)}
	if n := r.root(file); n.Is(schematron.Namespace, "schema") {
		m.Title = strings.Join(strings.Fields(n.Child(schematron.Namespace, "title").Text()), " ")
	}
	for _, p := range publications {
		sub := p.file.FindStringSubmatchIndex(stem)
		if sub == nil {
			continue
		}
		expand := func(s string) string {
			return strings.ToLower(string(p.file.ExpandString(nil, s, stem, sub)))
		}
		m.ID.Group, m.ID.Artifact = p.group, expand(p.artifact)
		if p.requires != "" {
			m.Requires = []string{expand(p.requires)}
		}
		return m
	}
	m.ID.Artifact = slug(stem)
	return m
}

// version finds the version of a file: in its name, in the folders above it, in the name of the release, or in the
// schema itself.
func (r *release) version(file string) string {
	places := []string{strings.TrimSuffix(path.Base(file), path.Ext(file))}
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		places = append(places, path.Base(dir))
	}
	for name := strings.TrimSuffix(r.opt.Name, ".zip"); name != "." && name != "/"; name = path.Dir(name) {
		places = append(places, path.Base(name))
	}
	for _, p := range places {
		if v := versionIn.FindAllString(p, -1); v != nil {
			return v[len(v)-1]
		}
	}
	if n := r.root(file); n.Valid() {
		return versionIn.FindString(n.Attr("schemaVersion"))
	}
	return ""
}

var notSlug = regexp.MustCompile(`[^a-z0-9]+`)

// slug makes part of a name of a file's name without its version.
func slug(s string) string {
	s = versionIn.ReplaceAllString(s, "")
	s = strings.Trim(notSlug.ReplaceAllString(strings.ToLower(s), "-"), "-")
	if s == "" {
		return "rules"
	}
	return s[:min(len(s), 80)]
}
