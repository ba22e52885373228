package espd

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/edocument/invoice/view"
)

//go:embed labels/*.txt
var labelFiles embed.FS

//go:embed form.html
var formText string

//go:embed page.html
var pageText string

// Languages are those in which forms and pages speak. Criteria speak the language in which the buyer wrote them.
var Languages = []string{"de", "en", "fr", "it"}

var labels = sync.OnceValue(func() map[string]view.Labels {
	out := map[string]view.Labels{}
	for _, lang := range Languages {
		f, err := labelFiles.Open("labels/" + lang + ".txt")
		if err != nil {
			panic(err) // of the program
		}
		if out[lang], err = view.ReadLabels(f); err != nil {
			panic(err)
		}
	}
	return out
})

// forLanguage returns labels by code, in English where there are none.
func forLanguage(lang string) view.Labels {
	lang, _, _ = strings.Cut(strings.ToLower(lang), "-")
	if l, ok := labels()[lang]; ok {
		return l
	}
	return labels()["en"]
}

var templates = sync.OnceValue(func() *template.Template {
	t := template.New("espd").Funcs(template.FuncMap{"t": func(l view.Labels, key string) string { return l[key] }})
	template.Must(t.New("form").Parse(formText))
	return template.Must(t.New("page").Parse(pageText))
})

type shown struct {
	L        view.Labels
	Doc      *Document
	Operator Operator
	Agent    Representative
	Areas    []area
	Roles    []option
	Sizes    []option
	Fill     bool // a form, and not a page to read
}

type option struct {
	Code, Label string
	Selected    bool
}

type area struct {
	Title    string
	Criteria []shownCriterion
}

type shownCriterion struct {
	*Criterion
	Anchor string
	Open   int // questions without an answer
	Groups []shownGroup
}

type shownGroup struct {
	When   string // what the answer above must be for the group to count
	Rows   []row
	Groups []shownGroup
}

// row is one property.
type row struct {
	*Property
	L        view.Labels
	Fill     bool
	Input    string // kind of the field: yesno, text, area, date, number, amount, period, country, url, evidence
	Name     string // of the field
	Answer   Answer
	Answered bool
	Evidence Evidence
}

// field says how a question is asked.
func field(t string) string {
	switch valueElement(t) {
	case "ResponseIndicator":
		return "yesno"
	case "ResponseAmount":
		return "amount"
	case "ResponseDate":
		return "date"
	case "ResponseTime":
		return "time"
	case "ResponseNumeric", "ResponseQuantity":
		return "number"
	case "ResponseURI":
		return "url"
	case "ApplicablePeriod":
		return "period"
	case "EvidenceSupplied":
		return "evidence"
	case "Description":
		return "area"
	}
	return "text"
}

// shape collects what a page shows.
func (d *Document) shape(lang string, fill bool) *shown {
	l := forLanguage(lang)
	s := &shown{L: l, Doc: d, Fill: fill}
	if len(d.Operators) > 0 {
		s.Operator = d.Operators[0]
		if len(s.Operator.Representatives) > 0 {
			s.Agent = s.Operator.Representatives[0]
		}
	}
	for _, r := range []string{"sole-tenderer", "group-lead", "group-mem", "eorons", "subcont"} {
		s.Roles = append(s.Roles, option{r, l["role-"+r], r == s.Operator.Role})
	}
	for _, z := range []string{"micro", "small", "medium", "large"} {
		s.Sizes = append(s.Sizes, option{z, l["size-"+z], z == s.Operator.Size})
	}
	answers := d.AnswersTo()
	for _, a := range []Area{Exclusion, Selection, Other} {
		x := area{Title: l["area-"+string(a)]}
		for i, c := range d.Criteria {
			if c.Area() != a {
				continue
			}
			k := shownCriterion{Criterion: c, Anchor: fmt.Sprintf("c%d", i+1), Open: len(c.open(answers))}
			for _, g := range c.Groups {
				k.Groups = append(k.Groups, d.shapeGroup(g, l, fill, answers, ""))
			}
			x.Criteria = append(x.Criteria, k)
		}
		if x.Criteria != nil {
			s.Areas = append(s.Areas, x)
		}
	}
	return s
}

func (d *Document) shapeGroup(g *Group, l view.Labels, fill bool, answers map[string][]*Answer, when string) shownGroup {
	out := shownGroup{When: when}
	for _, p := range g.Properties {
		r := row{Property: p, L: l, Fill: fill && p.Question(), Input: field(p.Type), Name: "a:" + p.ID}
		if list := answers[p.ID]; len(list) > 0 {
			r.Answer, r.Answered = *list[0], true
			if len(r.Answer.Evidence) > 0 {
				if i := slices.IndexFunc(d.Evidences, func(e *Evidence) bool { return e.ID == r.Answer.Evidence[0] }); i >= 0 {
					r.Evidence = *d.Evidences[i]
				}
			}
		}
		out.Rows = append(out.Rows, r)
	}
	for _, s := range g.Groups {
		if !fill && !s.counts(g, answers) && d.Response {
			continue
		}
		when := ""
		switch s.When {
		case OnTrue:
			when = l["if-yes"]
		case OnFalse:
			when = l["if-no"]
		}
		out.Groups = append(out.Groups, d.shapeGroup(s, l, fill, answers, when))
	}
	return out
}

// Form writes the fields in which a person answers, without the form element around them: whoever mounts it chooses where
// it is posted to, and adds buttons. It needs no script: a branch that does not count is left out when the answers are
// read, whatever stands in it.
func (d *Document) Form(lang string) ([]byte, error) {
	var b bytes.Buffer
	err := templates().ExecuteTemplate(&b, "form", d.shape(lang, true))
	return b.Bytes(), err
}

// HTML writes a page for people to read: one file that needs nothing else, runs nothing and prints.
func (d *Document) HTML(lang string) ([]byte, error) {
	var b bytes.Buffer
	err := templates().ExecuteTemplate(&b, "page", d.shape(lang, false))
	return b.Bytes(), err
}

// Fill answers a response with the values of a form that was sent: fields of the operator begin with "o:", answers with
// "a:" and the identifier of the question. Questions in branches that do not count by the answers above them are left
// unanswered. It returns what cannot be taken, question by question; the rest is taken.
func (d *Document) Fill(values url.Values) []error {
	v := func(name string) string { return strings.TrimSpace(values.Get(name)) }
	if v("o:name")+v("o:id") != "" {
		o := Operator{Party: Party{Name: v("o:name"), ID: v("o:id"), Street: v("o:street"), City: v("o:city"), Zone: v("o:zone"), Country: strings.ToUpper(v("o:country")), Website: v("o:website"),
			Contact: v("o:contact"), Telephone: v("o:telephone"), Email: v("o:email")}, Role: v("o:role"), Size: v("o:size")}
		if v("o:first")+v("o:family") != "" {
			o.Representatives = []Representative{{v("o:first"), v("o:family"), o.Country}}
		}
		if len(d.Operators) == 0 {
			d.Operators = []Operator{o}
		} else {
			d.Operators = slices.Clone(d.Operators)
			d.Operators[0] = o.over(d.Operators[0])
		}
	}
	d.GroupName = v("o:group")
	questions := map[string]bool{}
	for _, c := range d.Criteria {
		for p := range c.Properties() {
			questions[p.ID] = p.Question()
		}
	}
	d.Answers = slices.DeleteFunc(slices.Clone(d.Answers), func(a *Answer) bool { return questions[a.Property] })
	d.Evidences = nil
	answers := d.AnswersTo()
	var wrong []error
	for _, c := range d.Criteria {
		for p, path := range c.Properties() {
			if !p.Question() || answers[p.ID] != nil || !reachable(path, answers) {
				continue
			}
			a, e, err := answerFrom(p, v)
			if err != nil {
				wrong = append(wrong, fmt.Errorf("%s, %s: %w", c.Name, p.Description, err))
				continue
			}
			if a.finish(p) {
				d.Answers, answers[p.ID] = append(d.Answers, &a), []*Answer{&a}
			}
			if e != nil {
				d.Evidences = append(d.Evidences, e)
			}
		}
	}
	return wrong
}

// over is what a form says of an operator, with what the form has no field for. Where nothing is said anew, the operator
// stays as it was read.
func (o Operator) over(was Operator) Operator {
	if o.ID == was.ID {
		o.Scheme = was.Scheme
	}
	if len(o.Representatives) > 0 && len(was.Representatives) > 0 {
		if r, old := &o.Representatives[0], was.Representatives[0]; r.First == old.First && r.Family == old.Family {
			r.Country = old.Country
		}
		o.Representatives = append(o.Representatives, was.Representatives[1:]...)
	}
	if o.Party == was.Party && o.Role == was.Role && o.Size == was.Size && slices.Equal(o.Representatives, was.Representatives) {
		return was
	}
	return o
}

// answerFrom reads the fields of one question.
func answerFrom(p *Property, v func(string) string) (a Answer, e *Evidence, err error) {
	name := "a:" + p.ID
	a.Value = v(name)
	date := func(s string) error {
		if s != "" {
			if _, err := time.Parse(time.DateOnly, s); err != nil {
				return fmt.Errorf("%q is no date as 2026-04-17", s)
			}
		}
		return nil
	}
	switch field(p.Type) {
	case "yesno":
		if a.Value != "" && a.Value != "true" && a.Value != "false" {
			err = fmt.Errorf("%q is neither true nor false", a.Value)
		}
	case "date":
		err = date(a.Value)
	case "number", "amount":
		if a.Value = strings.ReplaceAll(a.Value, ",", "."); a.Value != "" && !number.MatchString(a.Value) {
			err = fmt.Errorf("%q is no number", a.Value)
		}
		a.Unit = v(name + ":unit")
		if a.Value != "" && field(p.Type) == "amount" && len(a.Unit) != 3 {
			err = fmt.Errorf("an amount has a currency of three letters, not %q", a.Unit)
		}
		a.Unit = strings.ToUpper(a.Unit)
	case "period":
		a.Value, a.Start, a.End = "", v(name+":start"), v(name+":end")
		if err = date(a.Start); err == nil {
			err = date(a.End)
		}
	case "evidence":
		a.Value = ""
		uri, reference, issuer := v(name+":uri"), v(name+":reference"), v(name+":issuer")
		if uri+reference+issuer != "" {
			e = &Evidence{ID: "EVIDENCE/" + p.ID, URI: uri, Reference: reference, Issuer: issuer}
			a.Evidence = []string{e.ID}
		}
	}
	return a, e, err
}
