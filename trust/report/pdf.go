package report

import (
	"github.com/viadukt-eu/viadukt/pdf/page"
)

var tones = map[string]page.Color{"valid": page.Green, "doubtful": page.Amber, "bad": page.Red, "none": page.Amber}

// PDF is the verdict as a PDF/A-3 document, in a language, "en" where it is none of [Languages].
func (v *Verdict) PDF(language string) ([]byte, error) {
	d := v.pageData(language)
	title := d.T("title")
	if v.Name != "" {
		title += ": " + v.Name
	}
	doc := page.New(page.Options{Title: title, Language: d.Language(), Created: v.At, Footer: title})
	whole := d.State()
	doc.Add(page.Heading{Level: 1, Text: title}, page.Box{Bar: tones[whole], Blocks: []page.Block{
		page.Paragraph{Text: []page.Text{{Value: d.T("all." + whole), Bold: true, Color: tones[whole]}}},
		page.Paragraph{Text: []page.Text{{Value: d.T("judged", d.At()), Small: true}}},
	}})
	if names := d.Unsigned(); names != "" {
		doc.Add(page.Paragraph{Text: []page.Text{{Value: d.T("unsigned", names), Bold: true, Color: page.Amber}}})
	}
	for _, s := range d.Summary.Signatures {
		d.addSignature(doc, s)
	}
	if stamps := d.Summary.TimeStamps; len(stamps) > 0 {
		doc.Add(page.Heading{Level: 2, Text: d.T("stamps.content")}, d.stamps(stamps))
	}
	return doc.Bytes()
}

func (d pageData) addSignature(doc *page.Document, s Signature) {
	who := s.SignerName
	if who == "" {
		who = d.T("unknown.signer")
	}
	head := "signed.by"
	if s.Counter {
		head = "countersigned.by"
	}
	state := s.State()
	verdict := []page.Text{{Value: d.T("state." + state), Bold: true, Color: tones[state]}}
	if s.SubIndication != "" {
		verdict = append(verdict, page.Text{Value: ": " + d.T("sub."+s.SubIndication)})
	}
	doc.Add(page.Heading{Level: 2, Text: d.T(head, who)}, page.Paragraph{Text: verdict})
	var rows []page.KeyValue
	add := func(key, value string) {
		if value != "" {
			rows = append(rows, page.KeyValue{Key: d.T(key), Value: page.Plain(value)})
		}
	}
	add("why", s.Why)
	add("what.to.do", s.Remedy)
	if s.SigningTime != nil {
		add("claimed", d.Time(*s.SigningTime))
	}
	if proven := s.Proven(); proven != nil {
		add("proven", d.Time(*proven))
	}
	add("level", s.Level)
	if s.Qualified != "" {
		add("qualified", d.Worth(s.Qualified))
	}
	text := s.Indication
	if s.SubIndication != "" {
		text += ", " + s.SubIndication
	}
	add("verdict", text)
	doc.Add(page.KeyValues{Rows: rows})
	if len(s.Signed) > 0 {
		var list page.List
		for _, x := range s.Signed {
			item := page.Text{Value: d.T("unchanged")}
			switch {
			case !x.Found:
				item = page.Text{Value: d.T("missing"), Bold: true, Color: page.Amber}
			case !x.Intact:
				item = page.Text{Value: d.T("changed"), Bold: true, Color: page.Red}
			}
			list.Items = append(list.Items, []page.Text{{Value: x.Name + ": "}, item})
		}
		for _, name := range s.Uncovered {
			list.Items = append(list.Items, []page.Text{{Value: name + ": "}, {Value: d.T("uncovered"), Bold: true, Color: page.Amber}})
		}
		doc.Add(page.Heading{Level: 3, Text: d.T("signed")}, list)
	}
	if len(s.Chain) > 0 {
		doc.Add(page.Heading{Level: 3, Text: d.T("chain")})
		if !s.Anchored() {
			doc.Add(page.Paragraph{Text: page.Plain(d.T("chain.open"))})
		}
		list := page.List{Ordered: true}
		for _, c := range s.Up() {
			item := []page.Text{{Value: c.Subject}}
			if c.Trusted {
				item = append(item, page.Text{Value: " (" + d.T("trusted") + ")", Bold: true, Color: page.Green})
			}
			list.Items = append(list.Items, append(item, page.Text{Value: " " + d.T("from.until", d.Day(c.From), d.Day(c.Until)), Small: true}))
		}
		doc.Add(list)
	}
	if len(s.TimeStamps) > 0 {
		doc.Add(page.Heading{Level: 3, Text: d.T("stamps")}, d.stamps(s.TimeStamps))
	}
	if len(s.Checks) > 0 {
		table := page.Table{Columns: []page.Column{{Title: d.T("question")}, {Title: d.T("answer")}, {Title: d.T("clause")}}}
		for _, c := range s.Checks {
			answer := page.Plain(c.Answer)
			switch {
			case c.OK:
			case c.Warning:
				answer = []page.Text{{Value: d.T("no.warning"), Bold: true, Color: page.Amber}, {Value: ": " + c.Answer}}
			default:
				answer = []page.Text{{Value: d.T("no"), Bold: true, Color: page.Red}, {Value: ": " + c.Answer}}
			}
			table.Rows = append(table.Rows, []page.Cell{page.Plain(c.Question), answer, page.Plain(c.Clause)})
		}
		doc.Add(page.Heading{Level: 3, Text: d.T("checks")}, table)
	}
}

func (d pageData) stamps(all []TimeStamp) page.List {
	var list page.List
	for _, t := range all {
		state := page.Text{Value: d.T("holds"), Color: page.Green}
		if !t.Holds() {
			state = page.Text{Value: d.T("fails"), Bold: true, Color: page.Amber}
		}
		item := []page.Text{{Value: d.Stamp(t) + ": "}, state}
		if t.Why != "" {
			item = append(item, page.Text{Value: ". " + t.Why})
		}
		list.Items = append(list.Items, item)
	}
	return list
}
