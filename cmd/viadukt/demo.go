package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/viadukt-eu/viadukt/internal/demo"
)

var demoCommand = &command{
	name: "demo", summary: "lets national nodes on this machine exchange documents before your eyes.", args: "[SCENARIO ...]",
	help: "Nothing has to be installed or configured, and nothing leaves this machine. Afterwards the nodes stay up, so that\nyou can try things out, until Ctrl-C.\n\n" +
		"Scenarios (without any, all are played; \"all\" also prints where each of the 96 rows of the project's goal stands):\n" + scenarioList() + `
One access point of the demo misbehaves on request: a receiver registered there says by its name how. -failN- answers
HTTP 503 to the first N attempts, -fullN- has a full disk for so long, -noreceipt- answers nothing, -badreceipt- changes
the receipt, -wrongsig- has somebody else sign it, -ebms0004- answers an error, -slow- takes two seconds, -dead- breaks
the connection.`,
	example: "viadukt demo\nviadukt demo procurement --dir /tmp/net\nviadukt demo --once all",
	prepare: prepareDemo,
}

func scenarioList() string {
	var b strings.Builder
	for _, n := range demo.Names() {
		fmt.Fprintf(&b, "  %-14s %s\n", n, demo.Title(n))
	}
	return b.String()
}

func prepareDemo(c *call) func() error {
	c.most = -1
	c.jsonFlag()
	o := demo.Options{Domains: domains}
	c.StringVar(&o.Dir, "dir", "", "keep everything in this `folder`: configurations, stores, evidence")
	c.BoolVar(&o.Once, "once", false, "end after the last scenario, with status 0 if nothing failed")
	return func() error {
		o.Scenarios = c.values
		d := &demoPrinter{call: c, paint: c.p.paint(c.p.out), width: columns(c.p.out), counts: map[string]int{}}
		err := demo.Run(c.p.ctx, o, d.step, d.ready)
		d.summary()
		switch {
		case errors.Is(err, demo.ErrUnknown):
			return usage("there is no such scenario; there are %s, all", strings.Join(demo.Names(), ", "))
		case errors.Is(err, demo.ErrFailed):
			return &exit{status: statusFailed, silent: true} // the summary says what
		case errors.Is(err, demo.ErrExists):
			return &exit{status: statusUsage, Code: "EXISTS", Text: err.Error(), Remedy: "choose another folder, or remove it first; \"viadukt serve --config DIR/ee/viadukt.yaml\" runs a node of it"}
		case errors.Is(err, context.Canceled):
			return nil
		}
		return err
	}
}

// demoPrinter tells what happens: for people, or as JSON.
type demoPrinter struct {
	*call
	paint    paint
	width    int // of the terminal; 0: lines are as long as they are
	scenario string
	counts   map[string]int // rows of the table by status
	failed   []demo.Step
}

func (d *demoPrinter) step(s demo.Step) {
	if !s.OK {
		d.failed = append(d.failed, s)
	}
	if s.Status != "" {
		d.counts[s.Status]++
	}
	if d.json {
		d.print(s)
		return
	}
	if s.Scenario != d.scenario {
		d.scenario = s.Scenario
		title := demo.Title(s.Scenario)
		if title == "" {
			title = "Where each row of the goal stands"
		}
		d.printf("\n%s\n", d.paint.bold(title))
	}
	if s.Status != "" {
		d.row(s)
		return
	}
	mark := d.paint.ok("✓")
	if !s.OK {
		mark = d.paint.bad("✗")
	}
	text, row := s.Detail, ""
	if s.Row != "" {
		row = "[" + s.Row + "]"
		text += " " + row
	}
	if d.width > 0 && d.width < narrow { // what happened, and below it the rest
		d.printf("  %s %s  %s\n    %s\n", mark, strings.TrimSpace(s.Node+" "+s.Step), d.paint.dim(duration(s.Millis)), d.rowBold(wrapped(text, 4, d.width), row))
		return
	}
	d.printf("  %s %-6s %-16s %7s  %s\n", mark, s.Node, s.Step, duration(s.Millis), d.rowBold(wrapped(text, 38, d.width), row))
}

// narrow is from where on a step and what became of it stand beside each other.
const narrow = 100

// rowBold makes the row at the end of a text stand out.
func (d *demoPrinter) rowBold(text, row string) string {
	if head, ok := strings.CutSuffix(text, row); ok && row != "" {
		return head + d.paint.bold(row)
	}
	return text
}

func (d *demoPrinter) row(s demo.Step) {
	status := fmt.Sprintf("%-15s", s.Status)
	switch s.Status {
	case demo.Pass:
		status = d.paint.ok(status)
	case demo.Fail:
		status = d.paint.bad(status)
	case demo.NotBuilt:
		status = d.paint.dim(status)
	}
	text, detail := s.Step, ""
	if s.Detail != "" {
		detail = "(" + s.Detail + ")"
		text += " " + detail
	}
	text = wrapped(text, 30, d.width)
	if head, ok := strings.CutSuffix(text, detail); ok && detail != "" {
		text = head + d.paint.dim(detail)
	}
	d.printf("  %-10s %s  %s\n", s.Row, status, text)
}

func duration(ms float64) string {
	switch {
	case ms >= 10_000:
		return fmt.Sprintf("%.0f s", ms/1000)
	case ms >= 1_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms > 0:
		return fmt.Sprintf("%.0f ms", max(ms, 1))
	}
	return ""
}

func (d *demoPrinter) summary() {
	if d.json {
		return
	}
	if n := len(d.counts); n > 0 {
		d.printf("\n%d pass, %d fail, %d shown elsewhere, %d not built yet\n", d.counts[demo.Pass], d.counts[demo.Fail], d.counts[demo.Elsewhere], d.counts[demo.NotBuilt])
	}
	for _, s := range d.failed {
		d.printf("%s %s %s: %s\n", d.paint.bad("failed:"), s.Scenario, s.Step, s.Detail)
	}
}

// ready says what one can try while the nodes run.
func (d *demoPrinter) ready(p *demo.Places) {
	if d.json {
		return
	}
	d.printf("\n%s\n", d.paint.bold("Everything is up. Try it, in another terminal:"))
	var first, second, trap, month *demo.Place
	for i := range p.Nodes {
		n := &p.Nodes[i]
		d.printf("  %-3s %s  API %s\n", n.Country, n.Dir, n.API)
		switch {
		case n.Trap:
			trap = n
		case n.Month:
			month = n
		case first == nil:
			first = n
		case second == nil:
			second = n
		}
	}
	if first == nil || second == nil {
		return
	}
	say := func(what, format string, args ...any) {
		d.printf("\n  %s\n    %s\n", d.paint.dim(what), strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n    "))
	}
	say("send an invoice, and see it arrive", "viadukt message sample invoice > invoice.xml\nviadukt message send invoice.xml --wait --config %s\nviadukt message list --config %s", first.Config, second.Config)
	say("look at a message, its history and its evidence", "viadukt message show 1 --config %s", first.Config)
	say("the same in the browser: user admin, and a password to be changed", "%s  password %s\n%s  password %s", first.Console, first.Password, second.Console, second.Password)
	if month != nil {
		say("a month of invented traffic on charts, as user admin", "%s?span=month  password %s", month.Console, month.Password)
	}
	say("take out what proves a message, and check it as a stranger would", "viadukt evidence export 1 --out case.zip --config %s\nviadukt evidence verify case.zip --trust %s", first.Config, filepath.Join(first.Dir, "trust", "access-points.pem"))
	say("where is the receiver? step by step", "viadukt lookup iso6523-actorid-upis::9946:PT502011378 --config %s", first.Config)
	say("send files by folder", "cp invoice.xml %s\nls %s", first.Outbox, second.Inbox)
	if trap != nil {
		name := "iso6523-actorid-upis::9946:my-fail2-test"
		say("make the other side misbehave: -failN-, -fullN-, -slow-, -dead-, -noreceipt-, -badreceipt-, -wrongsig- or -ebms0004- in a receiver's name",
			"viadukt participant add %s --sample invoice --config %s\nsed 's/PT502011378</my-fail2-test</' invoice.xml > other.xml\nviadukt message send other.xml --wait --config %s", name, trap.Config, first.Config)
	}
	if d.Lookup("dir").Value.String() == "" {
		d.printf("\nCtrl-C ends it and removes %s; --dir DIR keeps everything.\n", p.Dir)
	} else {
		d.printf("\nCtrl-C ends it; everything stays in %s.\n", p.Dir)
	}
}
