package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/internal/demo"
)

var demoCommand = &command{
	name: "demo", summary: "lets national nodes on this machine exchange documents before your eyes.", args: "[SCENARIO ...]",
	help: "Nothing has to be installed or configured, and nothing leaves this machine. Afterwards the nodes stay up, so that\nyou can try things out, until Ctrl-C.\n\n" +
		"Scenarios (without any, all are played; \"all\" also prints where each of the 96 rows of the project's goal stands):\n" + scenarioList() + `
One access point of the demo misbehaves on request: a receiver registered there says by its name how. -failN- answers
HTTP 503 to the first N attempts, -noreceipt- answers nothing, -badreceipt- changes the receipt, -wrongsig- has
somebody else sign it, -ebms0004- answers an error, -slow- takes two seconds.`,
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
		d := &demoPrinter{call: c, paint: c.p.paint(c.p.out), counts: map[string]int{}}
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
	line := fmt.Sprintf("%s %-6s %-15s %7s  %s", mark, s.Node, s.Step, duration(s.Millis), s.Detail)
	if s.Row != "" {
		line += "  " + d.paint.bold("["+s.Row+"]")
	}
	d.printf("  %s\n", line)
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
	text := s.Step
	if s.Detail != "" {
		text += d.paint.dim("  (" + s.Detail + ")")
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
	var first, second, trap *demo.Place
	for i := range p.Nodes {
		n := &p.Nodes[i]
		d.printf("  %-3s %s  API %s\n", n.Country, n.Dir, n.API)
		switch {
		case n.Trap:
			trap = n
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
	say("where is the receiver? step by step", "viadukt lookup iso6523-actorid-upis::9946:PT502011378 --config %s", first.Config)
	say("send files by folder", "cp invoice.xml %s\nls %s", first.Outbox, second.Inbox)
	if trap != nil {
		name := "iso6523-actorid-upis::9946:my-fail2-test"
		say("make the other side misbehave: -failN-, -slow-, -noreceipt-, -badreceipt-, -wrongsig- or -ebms0004- in a receiver's name",
			"viadukt participant add %s --sample invoice --config %s\nsed 's/PT502011378</my-fail2-test</' invoice.xml > other.xml\nviadukt message send other.xml --wait --config %s", name, trap.Config, first.Config)
	}
	if d.Lookup("dir").Value.String() == "" {
		d.printf("\nCtrl-C ends it and removes %s; --dir DIR keeps everything.\n", p.Dir)
	} else {
		d.printf("\nCtrl-C ends it; everything stays in %s.\n", p.Dir)
	}
}
