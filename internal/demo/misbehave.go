package demo

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node"
)

var (
	noDocument ids.DocumentType
	noProcess  ids.Process
)

// naughty is a receiver behind the trap, and what the sender must come to.
type naughty struct {
	name  string
	state string
	text  string // in the error that the sender keeps; "" for none
	what  string
}

var naughties = []naughty{
	{"demo-slow-1", "acknowledged", "", "answers after two seconds"},
	{"demo-fail2-1", "acknowledged", "", "answers HTTP 503 twice"},
	{"demo-fail9-1", "failed", "503", "answers HTTP 503 always"},
	{"demo-noreceipt-1", "failed", "MissingReceipt", "takes the message and answers nothing"},
	{"demo-badreceipt-1", "failed", "InvalidReceipt", "sends a receipt that was changed on the way"},
	{"demo-wrongsig-1", "failed", "InvalidReceipt", "sends a receipt signed by somebody else"},
	{"demo-ebms0004-1", "failed", "asked for this error", "answers an ebMS error"},
	{"demo-dead-1", "failed", "", "takes the message and dies before it answers"},
	{"demo-full2-1", "acknowledged", "", "has a full disk at first"},
}

// misbehave sends to receivers that do not keep to the rules, to all of them at once: each waits for itself alone.
func misbehave(w *world) error {
	ee, _, err := w.pair()
	if err != nil {
		return err
	}
	if w.trap == nil {
		if _, err := w.openTrap("MT"); err != nil {
			return err
		}
	}
	tells := make([]chan func(), len(naughties))
	for i, n := range naughties {
		tells[i] = make(chan func(), 1)
		doc, d, err := w.document("invoice", sample.Supplier, party(n.name))
		if err != nil {
			return err
		}
		if err := w.trap.country.publish(d.Receiver, d.Type, d.Process); err != nil {
			return err
		}
		go func() { tells[i] <- w.tempt(ee, n, doc) }()
	}
	for _, tell := range tells {
		(<-tell)()
	}
	if err := w.toExpired(ee); err != nil {
		return err
	}
	return w.away(ee)
}

// party gives a receiver its name.
func party(name string) sample.Party {
	p := sample.Buyer
	p.ID, p.Name = name, "Receiver "+name
	return p
}

// tempt sends an invoice to a receiver, looks where it ends, and returns what is to be told.
func (w *world) tempt(ee *country, n naughty, doc []byte) (tell func()) {
	start := time.Now()
	m, err := ee.submit(doc)
	if err == nil {
		m, err = ee.await(m.MessageID, "acknowledged", "acknowledged_without_receipt", "failed", "rejected")
	}
	took := time.Since(start)
	switch {
	case err != nil:
	case m.State != n.state || !strings.Contains(text(m), n.text) || n.state == "acknowledged" && m.Error != nil:
		err = fmt.Errorf("%s: the message is %s (%s), it should be %s %s", n.what, m.State, text(m), n.state, n.text)
	default:
		return func() { w.step("", n.name, "EE→MT", time.Now().Add(-took), "%s: %s", n.what, outcome(m)) }
	}
	return func() { w.fail("", n.name, err) }
}

// outcome is state, attempts and reason in one line.
func outcome(m *node.MessageJSON) string {
	s := m.State
	if m.Attempts == 1 {
		s += " at the first attempt"
	} else {
		s += fmt.Sprintf(" after %d attempts", m.Attempts)
	}
	if m.Error == nil {
		return s
	}
	s += ", " + text(m)
	if m.Error.Remedy != "" {
		s += " (" + m.Error.Remedy + ")"
	}
	return s
}

// toExpired sends to a receiver whose access point has an expired certificate: nothing may leave.
func (w *world) toExpired(ee *country) error {
	c := w.nodes["LV"]
	if c == nil {
		var err error
		if c, err = w.expired("LV"); err != nil {
			return err
		}
	}
	to := party("demo-expired-1")
	doc, d, err := w.document("invoice", sample.Supplier, to)
	if err != nil {
		return err
	}
	if err := c.publish(d.Receiver, d.Type, d.Process); err != nil {
		return err
	}
	start := time.Now()
	_, err = ee.submit(doc)
	var p *problem
	switch {
	case err == nil:
		return errors.New("a message for an expired certificate was taken")
	case !errors.As(err, &p) || !strings.Contains(p.Text, "expired"):
		return fmt.Errorf("the reason should be the expired certificate: %w", err)
	}
	w.step("", "demo-expired-1", "EE", start, "access point with an expired certificate: refused before anything was stored, %s %s", p.Code, p.Text)
	return nil
}

// away stops the access point of another country in the middle of the day: the message waits for it.
func (w *world) away(ee *country) error {
	at := w.nodes["LT"]
	if at == nil {
		made, err := w.create("LT", nil)
		if err != nil {
			return err
		}
		if at, err = w.start("LT", made, nil); err != nil {
			return err
		}
	}
	doc, d, err := w.document("invoice", sample.Supplier, party("demo-away-1"))
	if err != nil {
		return err
	}
	if err := at.publish(d.Receiver, d.Type, d.Process); err != nil {
		return err
	}
	start := time.Now()
	if _, err := w.carry("", "invoice", ee, at, doc); err != nil {
		return err
	}
	if doc, _, err = w.document("invoice", sample.Supplier, party("demo-away-1")); err != nil {
		return err
	}
	if err := at.node.Stop(w.ctx); err != nil {
		return err
	}
	at.node = nil
	w.step("", "stop", "LT", start, "the whole node is gone: access point, publisher, everything")
	start = time.Now()
	m, err := ee.submit(doc)
	if err == nil {
		m, err = ee.await(m.MessageID, "retrying", "failed")
	}
	if err == nil && m.State != "retrying" {
		err = fmt.Errorf("the message did not wait: %s", outcome(m))
	}
	if rerr := at.run(); rerr != nil {
		return errors.Join(err, rerr)
	}
	if err != nil {
		return err
	}
	why := text(m)
	if m, err = ee.await(m.MessageID, "acknowledged", "failed"); err != nil {
		return err
	}
	if m.State != "acknowledged" {
		return fmt.Errorf("the partner is back, and the message is not there: %s", outcome(m))
	}
	w.step("", "demo-away-1", "EE→LT", start, "nobody there (%s); LT comes back, and the invoice that waited is %s", why, outcome(m))
	return nil
}
