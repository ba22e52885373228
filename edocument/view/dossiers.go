package view

import (
	"bytes"
	"html/template"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument/invoice/view"
	"github.com/viadukt-eu/viadukt/edocument/vcd"
)

// Dossiers writes the page of a container of dossiers, with what became of each file.
func Dossiers(p *vcd.Package, o Options) ([]byte, error) { return o.sheetOf(p).html() }

// DossiersPDF lays a container of dossiers out for paper and archives, as [PDF] does a document.
func DossiersPDF(p *vcd.Package, o Options) ([]byte, error) { return o.sheetOf(p).document(o).Bytes() }

func (s *sheet) html() ([]byte, error) {
	var b bytes.Buffer
	if err := parsed().ExecuteTemplate(&b, "page.html", s); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// sheetOf collects what is shown of dossiers: who hands them to whom, and for each company its criteria with what proves them.
func (o Options) sheetOf(p *vcd.Package) *sheet {
	w := o.words()
	kind, id := "VCDPackage", p.ID
	if p.Entry == "" && len(p.Dossiers) == 1 {
		kind, id = "VCD", p.Dossiers[0].ID
	}
	s := &sheet{Lang: w.text("lang"), Title: strings.TrimSpace(w.text("type-"+kind) + " " + id), Skip: w.text("skip"), Style: template.CSS(view.Style)}
	m := &maker{words: w, s: s}
	s.Groups = append(s.Groups, m.group("party-ContractingParty", m.partyRows(p.Authority)...))
	s.Groups = append(s.Groups, m.group("overview", row{w.text("BT-1"), id}, row{w.text("procedure"), p.Folder}, row{w.text("BT-2"), m.date(p.IssueDate)}))
	for _, d := range p.Dossiers {
		company := d.ID
		for i, c := range d.Operators {
			s.Groups = append(s.Groups, m.group("party-EconomicOperatorParty", m.partyRows(c)...))
			if i == 0 && c.Name != "" {
				company = c.Name
			}
		}
		criteria := table{Title: join(": ", company, w.text("criteria")), Columns: []string{w.text("criterion"), w.text("BT-123"), w.text("evidences")}}
		for _, c := range d.Criteria {
			criteria.Lines = append(criteria.Lines, []cell{{Value: join(" ", c.ID, c.Code)}, {Value: join("\n", c.Name, c.Description), Small: rest(c.Legislation)}, {Value: join(", ", c.Evidences...)}})
		}
		evidences := table{Title: join(": ", company, w.text("evidences")), Columns: []string{w.text("evidence"), w.text("BT-123"), w.text("issuer"), w.text("valid"), w.text("BT-125")}}
		for _, e := range d.Evidences {
			var files []string
			for _, a := range e.Files {
				file := a.Name
				if a.State != "" {
					file = join(": ", file, w.text("file-"+string(a.State)))
				}
				files = append(files, file)
			}
			evidences.Lines = append(evidences.Lines, []cell{{Value: e.ID}, {Value: e.Description, Small: rest(e.Type)}, {Value: e.Issuer.Name, Small: rest(e.Issuer.Country)},
				{Value: strings.Trim(m.date(e.IssueDate)+" – "+m.date(e.ExpiryDate), " –")}, {Value: join("\n", append(files, e.URI)...)}})
		}
		s.Tables = append(s.Tables, criteria, evidences)
	}
	for _, name := range p.Unreferenced() {
		s.Notes = append(s.Notes, w.text("unreferenced")+": "+name)
	}
	return s
}

func rest(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func (m *maker) partyRows(p vcd.Party) []row {
	number, endpoint := p.ID, p.Endpoint
	if number != "" && p.Scheme != "" {
		number += " (" + p.Scheme + ")"
	}
	if endpoint != "" && p.EndpointScheme != "" {
		endpoint += " (" + p.EndpointScheme + ")"
	}
	return []row{{m.text("BT-27"), p.Name}, {m.text("BG-5"), p.Country}, {m.text("BT-29"), number}, {m.text("BT-34"), endpoint}}
}
