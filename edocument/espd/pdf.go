package espd

import (
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/pdf/page"
)

// PDF lays the document out for paper and archives, in a language: what the page of [Document.HTML] holds.
func (d *Document) PDF(lang string, now time.Time) ([]byte, error) {
	s := d.shape(lang, false)
	l := s.L
	title := l["request"]
	if d.Response {
		title = l["response"]
	}
	doc := page.New(page.Options{Title: title + " " + d.ID, Language: l["lang"], Created: now, Footer: d.Folder})
	doc.Add(page.Heading{Level: 1, Text: title})
	var rows []page.KeyValue
	add := func(key, value string) {
		if value = strings.TrimSpace(value); value != "" {
			rows = append(rows, page.KeyValue{Key: l[key], Value: page.Plain(value)})
		}
	}
	add("number", d.ID)
	add("procedure", strings.Trim(d.Folder+", "+d.Procedure, ", "))
	add("issued", d.IssueDate)
	for _, b := range d.Buyers {
		add("buyer", strings.Trim(b.Name+", "+b.City+" "+b.Country, ", "))
	}
	add("project", d.Project.Name+" "+d.Project.Description)
	add("lots", strings.Join(d.Lots, ", "))
	for _, o := range d.Operators {
		add("operator", strings.Trim(o.Name+", "+o.ID+", "+o.City+" "+o.Country, ", "))
		role := l["role-"+o.Role]
		if role == "" {
			role = o.Role
		}
		add("role", role)
		for _, r := range o.Representatives {
			add("contact", r.First+" "+r.Family)
		}
	}
	add("edition", d.Edition)
	doc.Add(page.KeyValues{Rows: rows})
	for _, a := range s.Areas {
		doc.Add(page.Heading{Level: 2, Text: a.Title})
		for _, c := range a.Criteria {
			if c.Name != "" {
				doc.Add(page.Heading{Level: 3, Text: c.Name})
			}
			if c.Description != "" {
				doc.Add(page.Paragraph{Text: page.Plain(c.Description)})
			}
			var rows []page.KeyValue
			for _, g := range c.Groups {
				rows = g.values(rows)
			}
			if rows != nil {
				doc.Add(page.KeyValues{Rows: rows})
			}
		}
	}
	return doc.Bytes()
}

// values lists what a group asks for and what was answered.
func (g shownGroup) values(out []page.KeyValue) []page.KeyValue {
	for _, r := range g.Rows {
		key, value := r.Description, r.Expected
		if g.When != "" {
			key = g.When + " " + key
		}
		if r.Question() {
			value = r.Said()
		}
		if r.Kind == "CAPTION" || key == "" && value == "" {
			continue
		}
		out = append(out, page.KeyValue{Key: key, Value: page.Plain(value), Strong: r.Answered})
	}
	for _, s := range g.Groups {
		out = s.values(out)
	}
	return out
}

// Said is an answer in words.
func (r row) Said() string {
	switch {
	case !r.Answered:
		return ""
	case r.Input == "yesno" && r.Answer.True():
		return r.L["yes"]
	case r.Input == "yesno":
		return r.L["no"]
	case r.Input == "period":
		return r.Answer.Start + " – " + r.Answer.End
	case r.Input == "evidence":
		return strings.Join(strings.Fields(r.Evidence.Issuer+" "+r.Evidence.Reference+" "+r.Evidence.URI), " ")
	}
	return strings.TrimSpace(r.Answer.Value + " " + r.Answer.Unit)
}
