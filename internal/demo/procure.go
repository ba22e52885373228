package demo

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/node/store"
)

// Parties of a third country.
var hospital = sample.Party{Scheme: "9915", ID: "AT-4711", Name: "Landesspital Donaubrück", Street: "Kaigasse 3", City: "Linz", Zone: "4020", Country: "AT", VAT: "ATU12345675", IBAN: "AT611904300234573201"}

// procure exchanges documents both ways, without a receiver who wants them, and with a country that comes later.
func procure(w *world) error {
	ee, pt, err := w.pair()
	if err != nil {
		return err
	}
	if err := pt.register("invoice", sample.Supplier, sample.Buyer); err != nil {
		return err
	}
	if err := w.notAccepted(ee); err != nil {
		w.fail("PEPPOL-7", "not accepted", err)
	}
	for _, c := range []struct {
		kind     string
		from, to *country
		a, b     sample.Party
	}{
		{"invoice", ee, pt, sample.Supplier, sample.Buyer},
		{"creditnote", ee, pt, sample.Supplier, sample.Buyer},
		{"order", pt, ee, sample.Buyer, sample.Supplier},
		{"response", pt, ee, sample.Buyer, sample.Supplier},
	} {
		config, err := os.ReadFile(c.to.made.ConfigFile)
		if err != nil {
			return err
		}
		running := c.to.node
		if c.kind != "invoice" {
			if err := c.to.register(c.kind, c.a, c.b); err != nil {
				return err
			}
		}
		doc, _, err := w.document(c.kind, c.a, c.b)
		if err != nil {
			return err
		}
		start := time.Now()
		if _, err := w.carry("", c.kind, c.from, c.to, doc); err != nil {
			return err
		}
		if c.kind != "response" {
			continue
		}
		now, err := os.ReadFile(c.to.made.ConfigFile)
		if err != nil {
			return err
		}
		if running != c.to.node || !bytes.Equal(config, now) {
			return errors.New("the supplier's node had to be changed")
		}
		w.step("PEPPOL-6", "answered", "PT→EE", start, "the city accepts the invoice in the network's own form; the supplier's node has no setting about this buyer")
	}
	if err := w.thirdCountry(ee); err != nil {
		w.fail("PEPPOL-5", "third country", err)
	}
	return nil
}

// notAccepted sends a credit note to somebody who takes invoices only.
func (w *world) notAccepted(ee *country) error {
	start := time.Now()
	before, err := ee.count()
	if err != nil {
		return err
	}
	buyer := sample.Buyer
	note, d, err := w.document("creditnote", sample.Supplier, buyer)
	if err != nil {
		return err
	}
	_, err = ee.submit(note)
	var p *problem
	switch {
	case err == nil:
		return errors.New("the credit note was taken although the receiver takes invoices only")
	case !errors.As(err, &p) || p.Code != "DISCOVERY:NOT_ACCEPTED":
		return err
	}
	after, err := ee.count()
	if err != nil {
		return err
	}
	if after != before {
		return fmt.Errorf("refused, but %d messages were stored", after-before)
	}
	found := ee.node.LookupJSON(w.ctx, d.Receiver, noDocument, noProcess)
	var accepted []string
	for _, t := range found.DocumentTypes {
		accepted = append(accepted, kindOf(t))
	}
	w.step("PEPPOL-7", "not accepted", "EE", start, "credit note for %s refused (%s), nothing sent: it accepts %s", d.Receiver, p.Code, strings.Join(accepted, ", "))
	return nil
}

func kindOf(doctype string) string {
	if _, rest, ok := strings.Cut(doctype, "xsd:"); ok {
		kind, _, _ := strings.Cut(rest, "-2")
		return kind
	}
	return doctype
}

func (c *country) count() (int, error) {
	l, err := c.node.Store.List(c.w.ctx, store.Filter{}, store.Page{Limit: 1000})
	return len(l.Messages), err
}

// thirdCountry joins while the others run; the sender knows nothing but an identifier.
func (w *world) thirdCountry(ee *country) error {
	config, err := os.ReadFile(ee.made.ConfigFile)
	if err != nil {
		return err
	}
	at := w.nodes["AT"]
	if at == nil {
		start := time.Now()
		made, err := w.create("AT", nil)
		if err != nil {
			return err
		}
		w.step("", "init", "AT", start, "a third country joins while the others run")
		if at, err = w.start("AT", made, nil); err != nil {
			return err
		}
	}
	if err := at.register("invoice", sample.Supplier, hospital); err != nil {
		return err
	}
	doc, _, err := w.document("invoice", sample.Supplier, hospital)
	if err != nil {
		return err
	}
	running, start := ee.node, time.Now()
	if _, err := w.carry("", "invoice", ee, at, doc); err != nil {
		return err
	}
	now, err := os.ReadFile(ee.made.ConfigFile)
	if err != nil {
		return err
	}
	if running != ee.node || !bytes.Equal(config, now) {
		return errors.New("the sender had to be changed")
	}
	w.step("PEPPOL-5", "third country", "EE→AT", start, "the identifier was enough: EE was neither configured nor restarted for it")
	return nil
}
