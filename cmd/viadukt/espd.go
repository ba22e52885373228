package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/espd"
)

var espdCommand = &command{
	name: "espd", summary: "works with European Single Procurement Documents: judges, shows, answers and merges them.",
	help:    `Knows requests and responses of ESPD-EDM 2.1.1, 3.x and 4.x.`,
	example: "viadukt espd respond request.xml --answers answers.yaml --out response.xml",
	sub: []*command{
		{name: "check", summary: "says whether requests and responses obey their rules.", args: "FILE...",
			help:    `Judges by the structural rules of ESPD-EDM under their official names. Whether criteria are worded as in the list of the Union is for the publisher's rule pack: viadukt validate --pack.`,
			example: "viadukt espd check response.xml", prepare: prepareESPDCheck},
		{name: "render", summary: "shows a request or a response to people, as a page or as PDF.", args: "FILE",
			help:    `Writes one HTML page that needs nothing else and can be printed, or a PDF for archives and for everybody (PDF/A, PDF/UA). Criteria speak the language in which the buyer wrote them.`,
			example: "viadukt espd render response.xml --lang de --out response.html", prepare: prepareESPDRender},
		{name: "respond", summary: "makes a response from a request and a file of answers.", args: "REQUEST",
			help: `The answers are YAML or JSON: who the company is, and for each question its answer. --questions writes a file with all questions to fill in.
What the answers above a question make needless is left out. What cannot be taken is named, and nothing is written.`,
			example: "viadukt espd respond request.xml --questions --out answers.yaml\nviadukt espd respond request.xml --answers answers.yaml --out response.xml", prepare: prepareESPDRespond},
		{name: "merge", summary: "adds to a response the evidences and answers of others about the same procedure.", args: "RESPONSE RESPONSE...",
			help:    `The first response is the one that is added to. What both have is kept once; what contradicts is named, and nothing is written.`,
			example: "viadukt espd merge response.xml renewed.xml --out merged.xml", prepare: prepareESPDMerge},
	},
}

// readESPD reads a file into the model.
func (c *call) readESPD(file string) (*espd.Document, error) {
	doc, err := c.readDocument(file)
	if err != nil {
		return nil, err
	}
	d, err := espd.Read(doc)
	if errors.Is(err, edocument.ErrUnknownType) {
		return nil, &exit{status: statusFailed, Code: "UNKNOWN_TYPE", Where: file, Text: fmt.Sprintf("{%s}%s is no request or response of ESPD-EDM 2.1.1, 3.x or 4.x", doc.Root().Space(), doc.Root().Local())}
	}
	return d, err
}

func prepareESPDCheck(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	return func() error {
		docs, closing, err := documents(c.p.in, c.values)
		if err != nil {
			return err
		}
		defer closing()
		v := &validating{call: c, judge: espd.Judge{}.Validate, unknown: "requests and responses of ESPD-EDM are judged; viadukt validate knows other documents", workers: 1}
		return v.run(docs)
	}
}

func prepareESPDRender(c *call) func() error {
	c.least, c.most = 1, 1
	lang := c.String("lang", "en", "`language` of the labels: "+strings.Join(espd.Languages, ", "))
	asPDF := c.Bool("pdf", false, "write PDF instead of HTML")
	out := c.String("out", "", "`file` to write to; default: standard output")
	return func() error {
		if !slices.Contains(espd.Languages, *lang) {
			return usage("--lang: there are no labels in %q; there are %s", *lang, strings.Join(espd.Languages, ", "))
		}
		d, err := c.readESPD(c.values[0])
		if err != nil {
			return err
		}
		var page []byte
		if *asPDF {
			page, err = d.PDF(*lang, time.Now())
		} else {
			page, err = d.HTML(*lang)
		}
		if err != nil {
			return err
		}
		return c.write(*out, page)
	}
}

// espdAnswers is the file of answers.
type espdAnswers struct {
	Company map[string]string    `yaml:"company"`
	Answers map[string]yaml.Node `yaml:"answers"`
}

// values makes of it what a form would send.
func (a *espdAnswers) values() (url.Values, error) {
	v := url.Values{}
	for name, s := range a.Company {
		v.Set("o:"+name, s)
	}
	for id, n := range a.Answers {
		if n.Kind != yaml.MappingNode {
			v.Set("a:"+id, n.Value)
			continue
		}
		fields := map[string]string{}
		if err := n.Decode(&fields); err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		for name, s := range fields {
			if name == "value" {
				v.Set("a:"+id, s)
			} else {
				v.Set("a:"+id+":"+name, s)
			}
		}
	}
	return v, nil
}

func prepareESPDRespond(c *call) func() error {
	c.least, c.most = 1, 1
	file := c.String("answers", "", "`file` with the answers")
	questions := c.Bool("questions", false, "write the questions as a file of answers to fill in")
	out := c.String("out", "", "`file` to write to; default: standard output")
	return func() error {
		d, err := c.readESPD(c.values[0])
		switch {
		case err != nil:
			return err
		case d.Response:
			return usage("%s is a response; a response is made from a request", c.values[0])
		case *questions:
			return c.write(*out, espdQuestions(d))
		case *file == "":
			return usage("--answers is missing; --questions shows what it holds")
		}
		b, err := os.ReadFile(*file)
		if err != nil {
			return &exit{status: statusUsage, Code: "NO_FILE", Text: err.Error()}
		}
		var a espdAnswers
		dec := yaml.NewDecoder(bytes.NewReader(b))
		dec.KnownFields(true)
		if err := dec.Decode(&a); err != nil {
			return usage("%s: %v", *file, err)
		}
		v, err := a.values()
		if err != nil {
			return usage("%s: %v", *file, err)
		}
		uuid, err := ebms.NewConversationID(rand.Reader)
		if err != nil {
			return err
		}
		r := d.Respond("ESPDRES-"+uuid, uuid, espd.Operator{}, time.Now())
		if wrong := r.Fill(v); wrong != nil {
			return &exit{status: statusInvalid, Code: "WRONG_ANSWERS", Where: *file, Text: errors.Join(wrong...).Error()}
		}
		octets := r.XML()
		if err := c.write(*out, octets); err != nil {
			return err
		}
		open := 0
		for _, k := range r.Criteria {
			open += len(r.Open(k))
		}
		fmt.Fprintf(c.p.err, "%d answers, %d evidences, %d questions open\n", len(r.Answers), len(r.Evidences), open)
		return nil
	}
}

// espdQuestions writes the questions of a request as YAML with empty answers.
func espdQuestions(d *espd.Document) []byte {
	var b bytes.Buffer
	b.WriteString("company: {name: \"\", id: \"\", role: sole-tenderer, size: small, street: \"\", city: \"\", zone: \"\", country: \"\", contact: \"\", email: \"\", first: \"\", family: \"\"}\nanswers:\n")
	for _, c := range d.Criteria {
		fmt.Fprintf(&b, "  # %s (%s)\n", oneLine(c.Name), c.Code)
		for p := range c.Properties() {
			if !p.Question() {
				continue
			}
			example := `""`
			switch p.Type {
			case "PERIOD":
				example = `{start: "", end: ""}`
			case "AMOUNT":
				example = `{value: "", unit: EUR}`
			case "EVIDENCE_IDENTIFIER":
				example = `{uri: "", reference: "", issuer: ""}`
			}
			fmt.Fprintf(&b, "  %q: %s # %s, %s\n", p.ID, example, oneLine(p.Description), p.Type)
		}
	}
	return b.Bytes()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func prepareESPDMerge(c *call) func() error {
	c.least, c.most = 2, -1
	out := c.String("out", "", "`file` to write to; default: standard output")
	return func() error {
		var all []*espd.Document
		for _, file := range c.values {
			d, err := c.readESPD(file)
			if err != nil {
				return err
			}
			all = append(all, d)
		}
		m, err := espd.Merge(all[0], all[1:]...)
		if err != nil {
			return &exit{status: statusInvalid, Code: "CONTRADICTION", Text: err.Error()}
		}
		if err := c.write(*out, m.XML()); err != nil {
			return err
		}
		fmt.Fprintf(c.p.err, "%d answers, %d evidences\n", len(m.Answers), len(m.Evidences))
		return nil
	}
}
