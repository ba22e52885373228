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
}

// misbehave sends to receivers that do not keep to the rules.
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
	for _, n := range naughties {
		if err := w.tempt(ee, n); err != nil {
			w.fail("", n.name, err)
		}
	}
	return w.toExpired(ee)
}

// party gives a receiver its name.
func party(name string) sample.Party {
	p := sample.Buyer
	p.ID, p.Name = name, "Receiver "+name
	return p
}

// tempt sends an invoice to a receiver and looks where it ends.
func (w *world) tempt(ee *country, n naughty) error {
	to := party(n.name)
	doc, d, err := w.document("invoice", sample.Supplier, to)
	if err != nil {
		return err
	}
	if err := w.trap.country.publish(d.Receiver, d.Type, d.Process); err != nil {
		return err
	}
	start := time.Now()
	m, err := ee.submit(doc)
	if err != nil {
		return err
	}
	m, err = ee.await(m.MessageID, "acknowledged", "acknowledged_without_receipt", "failed", "rejected")
	if err != nil {
		return err
	}
	if m.State != n.state || !strings.Contains(text(m), n.text) || n.text == "" && m.Error != nil {
		return fmt.Errorf("%s: the message is %s (%s), it should be %s %s", n.what, m.State, text(m), n.state, n.text)
	}
	w.step("", n.name, "EE→MT", start, "%s: %s", n.what, outcome(m))
	return nil
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
