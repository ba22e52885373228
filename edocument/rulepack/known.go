package rulepack

import (
	"path"
	"regexp"
	"slices"
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
	{regexp.MustCompile(`^PEPPOL-(T\d{3})$`), preAwardGroup, "$1", ""},
	{regexp.MustCompile(`^XRechnung-(UBL|CII)-validation$`), "de.xrechnung", "$1", "eu.cen.en16931:$1"},
	{regexp.MustCompile(`^FACTUR-X_([A-Z0-9-]+)$`), "fr.factur-x", "$1", ""},
	{regexp.MustCompile(`^peppol-(mls)-[\d.]+$`), "org.peppol", "$1", ""},
	{regexp.MustCompile(`^peppol-end-user-statistics-reporting-[\d.]+$`), "eu.peppol.reporting", "eusr", ""},
	{regexp.MustCompile(`^peppol-transaction-statistics-reporting-[\d.]+$`), "eu.peppol.reporting", "tsr", ""},
	{regexp.MustCompile(`^PINT-UBL-validation(?:-preprocessed)?$`), pintGroup, "billing", ""},
	{regexp.MustCompile(`^PINT-jurisdiction-aligned-rules$`), pintGroup, "billing-jurisdiction", "billing"},
	{regexp.MustCompile(`^PINT-(EN16931)-aligned-rules$`), pintGroup, "billing-$1", "billing"},
}

// pintGroup is the group of the international invoice; the country whose rules these are, which the release is named after,
// goes behind it.
const pintGroup = "org.peppol.pint"

var pintCountry = regexp.MustCompile(`(?i)\bpint-([a-z]{2,4})\b`)

// preAwardGroup is the group of the rules of OpenPeppol for documents before award. Their releases have a file for each
// transaction; which edition of the transaction it is about, the file alone says, by the customization that it demands.
const preAwardGroup = "eu.peppol.prac"

var preAwardCustomization = regexp.MustCompile(`'(urn:fdc:peppol\.eu:prac:trns:t\d{3}:(\d+\.\d+))'`)

// specifications are the identifiers of the specifications that packs of known publishers are meant for, by the name of
// the pack; an identifier that ends with * begins so. What is not here is about every document that its rules know.
var specifications = map[string][]string{
	"eu.cen.en16931:ubl":                  {"urn:cen.eu:en16931:2017*"},
	"eu.cen.en16931:cii":                  {"urn:cen.eu:en16931:2017*"},
	"eu.peppol.bis3:invoice":              {"urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0*"},
	"eu.peppol.bis3:invoice-cii":          {"urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0*"},
	"eu.peppol.bis3:invoice-self-billing": {"urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:selfbilling:3.0*"},
	"eu.peppol.bis3:t01":                  {"urn:fdc:peppol.eu:poacc:trns:order:3*"},
	"eu.peppol.bis3:t16":                  {"urn:fdc:peppol.eu:poacc:trns:despatch_advice:3*"},
	"eu.peppol.bis3:t19":                  {"urn:fdc:peppol.eu:poacc:trns:catalogue:3*"},
	"eu.peppol.bis3:t58":                  {"urn:fdc:peppol.eu:poacc:trns:catalogue_response:3*"},
	"eu.peppol.bis3:t71":                  {"urn:fdc:peppol.eu:poacc:trns:mlr:3*"},
	"eu.peppol.bis3:t76":                  {"urn:fdc:peppol.eu:poacc:trns:order_response:3*"},
	"eu.peppol.bis3:t77":                  {"urn:fdc:peppol.eu:poacc:trns:punch_out:3*"},
	"eu.peppol.bis3:t110":                 {"urn:fdc:peppol.eu:poacc:trns:order_agreement:3*"},
	"eu.peppol.bis3:t111":                 {"urn:fdc:peppol.eu:poacc:trns:invoice_response:3*"},
	"eu.peppol.bis3:t114":                 {"urn:fdc:peppol.eu:poacc:trns:order_change:3*"},
	"eu.peppol.bis3:t115":                 {"urn:fdc:peppol.eu:poacc:trns:order_cancellation:3*"},
	"eu.peppol.bis3:t116":                 {"urn:fdc:peppol.eu:poacc:trns:order_response_advanced:3*"},
	"de.xrechnung:ubl":                    {"urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung*"},
	"de.xrechnung:cii":                    {"urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung*"},
	"org.peppol:mls":                      {"urn:peppol:edec:mls:1.0"},
	"fr.factur-x:minimum":                 {"urn:factur-x.eu:1p0:minimum"},
	"fr.factur-x:basic-wl":                {"urn:factur-x.eu:1p0:basicwl"},
	"fr.factur-x:basic":                   {"urn:cen.eu:en16931:2017#compliant#urn:factur-x.eu:1p0:basic"},
	"fr.factur-x:en16931":                 {"urn:cen.eu:en16931:2017"},
	"fr.factur-x:extended":                {"urn:cen.eu:en16931:2017#conformant#urn:factur-x.eu:1p0:extended"},
}

// meant reports whether a pack is meant for documents of a specification.
func meant(m *Manifest, specification string) bool {
	id := m.ID
	list, ok := specifications[id.Name()]
	if m.Specifications != nil {
		list, ok = m.Specifications, true
	}
	if country, pint := strings.CutPrefix(id.Group, pintGroup); pint {
		list, ok = []string{"urn:peppol:pint:billing-1"}, true
		if country != "" {
			list[0] = "urn:peppol:pint:billing-1@" + country[1:] + "-1*"
		}
	}
	return !ok || slices.ContainsFunc(list, func(s string) bool {
		begin, open := strings.CutSuffix(s, "*")
		return specification == begin || open && strings.HasPrefix(specification, begin)
	})
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
		requires := p.requires
		if p.group == pintGroup {
			if c := pintCountry.FindStringSubmatch(r.opt.Name + "/" + path.Dir(file)); c != nil {
				m.ID.Group += "." + strings.ToLower(c[1])
			}
			if requires != "" {
				requires = m.ID.Group + ":" + requires
			}
		}
		if requires != "" {
			m.Requires = []string{expand(requires)}
		}
		if p.group == preAwardGroup {
			r.preAward(&m, file)
		}
		return m
	}
	m.ID.Artifact = slug(stem)
	return m
}

// preAward completes the manifest of rules for documents before award by the customization that the rules demand.
func (r *release) preAward(m *Manifest, file string) {
	for _, name := range r.withIncluded(file) {
		if c := preAwardCustomization.FindSubmatch(r.files[name]); c != nil && strings.Contains(string(c[1]), ":"+m.ID.Artifact+":") {
			m.ID.Version = string(c[2])
			m.Specifications = []string{string(c[1]), string(c[1]) + "#*"}
			return
		}
	}
}

// withIncluded returns a schema of Schematron and the files of the release that it includes, each once.
func (r *release) withIncluded(file string) []string {
	all := []string{file}
	for i := 0; i < len(all); i++ {
		n := r.root(all[i])
		if !n.Valid() {
			continue
		}
		for k := range n.Descendants() {
			if !k.Is(schematron.Namespace, "include") && !k.Is(schematron.Namespace, "extends") {
				continue
			}
			at, _, _ := strings.Cut(k.Attr("href"), "#")
			if name := path.Join(path.Dir(all[i]), at); at != "" && r.files[name] != nil && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
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
