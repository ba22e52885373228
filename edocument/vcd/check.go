package vcd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
)

// The rules of [Package.Check]. They are this project's own: nobody published any.
const (
	rulePackage      = "VCD-PACKAGE"      // a container has a package document
	ruleDossier      = "VCD-DOSSIER"      // the dossiers that the package document names are there
	ruleFile         = "VCD-FILE"         // the file of an evidence is there
	ruleDigest       = "VCD-DIGEST"       // and has the digest that is stated
	ruleEvidence     = "VCD-EVIDENCE"     // an evidence has a file or stands elsewhere
	ruleCriterion    = "VCD-CRITERION"    // a criterion has an evidence
	ruleUnreferenced = "VCD-UNREFERENCED" // a file belongs to an evidence
)

// pack is what reports call the rules.
const pack = "vcd@1"

// mostFindings bounds a report.
const mostFindings = 1000

// Check says what is missing, changed or superfluous in a container. Of a document that was read alone it says only what can be
// said without the files.
func (p *Package) Check() *edocument.Report {
	r := &edocument.Report{Type: "virtual company dossier", Pack: []string{pack}, Valid: true, Findings: []edocument.Finding{}}
	add := func(s edocument.Severity, id, where, value, text, remedy string) {
		r.Valid = r.Valid && !s.Refuses()
		if len(r.Findings) == mostFindings {
			r.Suppressed++
			return
		}
		r.Findings = append(r.Findings, edocument.Finding{ID: id, Severity: s, Location: where, Value: edocument.Clip(value), Text: text, Remedy: remedy})
	}
	container := p.Entry != "" || len(p.Dossiers) > 0 && p.Dossiers[0].Entry != ""
	if container && p.Entry == "" {
		add(edocument.Error, rulePackage, "/", "", "The container has no package document.", "Ask the sender for the whole container.")
	}
	for _, name := range p.names {
		if !strings.HasSuffix(strings.ToLower(name), ".xml") || !container {
			continue
		}
		if !slices.ContainsFunc(p.Dossiers, func(d *Dossier) bool { return base(d.Entry) == base(name) }) {
			add(edocument.Error, ruleDossier, p.Entry, name, fmt.Sprintf("The package names the dossier %s, and it is not there.", name), "Ask the sender for the whole container.")
		}
	}
	for _, d := range p.Dossiers {
		for _, e := range d.Evidences {
			if len(e.Files) == 0 && e.URI == "" {
				add(edocument.Warning, ruleEvidence, d.Entry, e.ID, fmt.Sprintf("The evidence %s has neither a file nor an address.", e.name()), "Ask the company for the proof.")
			}
			for _, a := range e.Files {
				switch a.State {
				case Missing:
					add(edocument.Error, ruleFile, d.Entry, a.Name, fmt.Sprintf("The file %s of the evidence %s is not there.", a.Name, e.name()), "Ask the company for the file.")
				case Changed:
					add(edocument.Error, ruleDigest, a.Entry, fmt.Sprintf("%x", a.Digest), fmt.Sprintf("The file %s of the evidence %s is not the one whose digest the dossier states.", a.Name, e.name()), "Ask the company for the file as it was when the dossier was made.")
				}
			}
		}
		for _, c := range d.Criteria {
			if len(c.Evidences) == 0 {
				add(edocument.Warning, ruleCriterion, d.Entry, c.ID, fmt.Sprintf("No evidence proves the criterion %s.", c.name()), "See whether the company may prove it later.")
			}
		}
	}
	for _, name := range p.unreferenced {
		add(edocument.Warning, ruleUnreferenced, name, "", fmt.Sprintf("No evidence names the file %s.", name), "Do not take it for a proof.")
	}
	return r
}

func (e *Evidence) name() string { return named(e.ID, e.Description) }

func (c *Criterion) name() string {
	if c.ID == "" {
		return named(c.Code, c.Name)
	}
	return named(c.ID, c.Name)
}

func named(id, text string) string {
	switch {
	case id == "":
		return text
	case text == "":
		return id
	}
	return id + " (" + text + ")"
}
