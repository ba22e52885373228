// Package sample makes business documents of invented parties, for the demo, benchmarks and tests.
package sample

import (
	"bytes"
	"embed"
	"encoding/xml"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// Party is an invented company or authority.
type Party struct {
	Scheme, ID string // electronic address: 0191 and the like
	Name       string
	Street     string
	City       string
	Zone       string
	Country    string
	VAT        string
	IBAN       string
}

// Participant is the party's identifier in the network.
func (p Party) Participant() string { return "iso6523-actorid-upis::" + p.Scheme + ":" + p.ID }

// The parties of the samples.
var (
	Supplier = Party{Scheme: "0191", ID: "10137025", Name: "Rannavärav Tarkvara OÜ", Street: "Sadama 12", City: "Tallinn", Zone: "10111",
		Country: "EE", VAT: "EE100931558", IBAN: "EE382200221020145685"}
	Buyer = Party{Scheme: "9946", ID: "PT502011378", Name: "Câmara Municipal de Porto Novo", Street: "Rua do Cais 7", City: "Porto", Zone: "4000-001",
		Country: "PT", VAT: "PT502011378", IBAN: "PT50000201231234567890154"}
)

// Kinds of documents there are samples of.
var Kinds = []string{"invoice", "creditnote", "order", "response", "catalogue", "orderresponse", "despatch", "tender", "award"}

//go:embed *.xml
var files embed.FS

var templates = template.Must(template.New("").ParseFS(files, "*.xml"))

// Make writes one document. The kind is one of [Kinds].
func Make(kind, number string, from, to Party, at time.Time) ([]byte, error) {
	return MakeAbout(kind, number, "", from, to, at)
}

// MakeAbout is Make for a document that refers to another one by its number: an order to a catalogue, a response to an invoice,
// a tender and an award to a procedure, everything else to an order.
func MakeAbout(kind, number, about string, from, to Party, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	err := templates.ExecuteTemplate(&out, kind+".xml", map[string]any{
		"Number": escape(number), "About": escape(about), "From": from.escaped(), "To": to.escaped(), "Date": at.Format(time.DateOnly),
		"Due": at.AddDate(0, 0, 30).Format(time.DateOnly), "Reference": "PROJ-2026-17", "Item": "Development of the harbour register",
	})
	if err != nil {
		return nil, fmt.Errorf("sample: %q: %w", kind, err)
	}
	return out.Bytes(), nil
}

func (p Party) escaped() Party {
	for _, s := range []*string{&p.Scheme, &p.ID, &p.Name, &p.Street, &p.City, &p.Zone, &p.Country, &p.VAT, &p.IBAN} {
		*s = escape(*s)
	}
	return p
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}
