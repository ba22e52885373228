package vcd

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument/espd"
)

// articles says which criteria of the ESPD took the place of those of Directive 2004/18/EC, under which the project began, by
// article. Where several did, none is listed: which one is meant is the buyer's to say.
var articles = map[string]string{
	"45(1)(a)": "crime-org", "45(1)(b)": "corruption", "45(1)(c)": "fraud", "45(1)(d)": "finan-laund",
	"45(2)(a)": "bankruptcy", "45(2)(b)": "insolvency", "45(2)(c)": "prof-misconduct", "45(2)(d)": "prof-misconduct", "45(2)(e)": "socsec-pay", "45(2)(f)": "tax-pay", "45(2)(g)": "misrepresent",
	"47(1)(c)": "gen-year-to", "49": "qu-certif-indep", "50": "envir-certif-indep",
}

var article = regexp.MustCompile(`(?i)^(?:.*2004/18\D*?)?(?:art(?:icle|\.)?\s*)?(4[5-9]|50)\s*((?:\(\s*\w+\s*\)\s*)*)(?:,?\s*(?:of\s+)?(?:directive\s+)?2004/18/EC)?$`)

// successor is the code of the criterion that took the place of an article, "" where it is none of these.
func successor(legislation string) string {
	m := article.FindStringSubmatch(strings.TrimSpace(legislation))
	if m == nil {
		return ""
	}
	return articles[m[1]+strings.ToLower(strings.Join(strings.Fields(m[2]), ""))]
}

// Evidence adds the evidences of the package to a response of the European Single Procurement Document about the same procedure.
// A criterion is the same when identifier or code are, or when it stands on an article of Directive 2004/18/EC that has one
// successor. left names the criteria whose evidences have no place there. The evidence's address is its entry in the container.
func (p *Package) Evidence(response *espd.Document) (merged *espd.Document, left []string, err error) {
	add := &espd.Document{Response: true, Folder: response.Folder}
	if p.Folder != "" && response.Folder != "" && p.Folder != response.Folder {
		return nil, nil, fmt.Errorf("%w: the package is about procedure %s, the response about %s", espd.ErrConflict, p.Folder, response.Folder)
	}
	for _, d := range p.Dossiers {
		taken := map[string]bool{}
		for _, c := range d.Criteria {
			property := place(response, c)
			if property == nil {
				if len(c.Evidences) > 0 {
					left = append(left, c.name())
				}
				continue
			}
			for _, id := range c.Evidences {
				own := strings.TrimPrefix(d.ID+"/"+id, "/") // evidences of two dossiers may have one identifier
				add.Answers = append(add.Answers, &espd.Answer{ID: property.ID + "/" + own, Property: property.ID, Evidence: []string{own}})
				if i := slices.IndexFunc(d.Evidences, func(e *Evidence) bool { return e.ID == id }); i >= 0 && !taken[id] {
					taken[id] = true
					add.Evidences = append(add.Evidences, d.Evidences[i].espd(own))
				}
			}
		}
	}
	merged, err = espd.Merge(response, add)
	return merged, left, err
}

// place is the question for evidence of the criterion of a response that one of a dossier stands for.
func place(r *espd.Document, c *Criterion) *espd.Property {
	next := successor(c.Legislation)
	for _, k := range r.Criteria {
		same := k.ID != "" && (k.ID == c.ID || k.ID == c.Code)
		same = same || k.Code != "" && (strings.EqualFold(k.Code, c.Code) || strings.EqualFold(k.Code, c.ID) || strings.EqualFold(k.Code, next))
		if !same {
			continue
		}
		for q := range k.Properties() {
			if q.Type == "EVIDENCE_IDENTIFIER" {
				return q
			}
		}
	}
	return nil
}

func (e *Evidence) espd(id string) *espd.Evidence {
	out := &espd.Evidence{ID: id, Confidentiality: "CONFIDENTIAL", Reference: e.ID, URI: e.URI, Issuer: e.Issuer.Name, IssuerID: e.Issuer.ID}
	if out.Issuer == "" {
		out.IssuerID = "" // it is written beside a name alone
	}
	if len(e.Files) > 0 && out.URI == "" {
		name := e.Files[0].Entry
		if name == "" {
			name = e.Files[0].Name
		}
		out.URI = (&url.URL{Path: name}).String()
	}
	return out
}
