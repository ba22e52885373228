package main

import (
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
)

var configCommand = &command{
	name: "config", summary: "says what is wrong with a configuration and how to mend it, and explains every setting.",
	example: "viadukt config check --config ee/viadukt.yaml",
	sub: []*command{
		{name: "check", summary: "says what is wrong, where, and how to mend it; then looks at keys, store, directory and partners.",
			help:    "Nothing is changed, and a node that is running is not disturbed. The exit status is 2 when something is wrong.",
			example: "viadukt config check --config ee/viadukt.yaml", prepare: prepareCheck},
		{name: "describe", summary: "explains every setting.", args: "[SETTING]", example: "viadukt config describe outbound", prepare: prepareDescribe},
	},
}

// findingJSON is a finding on the command line.
type findingJSON struct {
	Severity string `json:"severity"`
	What     string `json:"what"`
	Text     string `json:"text"`
	Where    string `json:"where,omitempty"`
	Remedy   string `json:"remedy,omitempty"`
}

func prepareCheck(c *call) func() error {
	c.jsonFlag()
	file := c.configFlag()
	return func() error {
		ds := domains()
		cfg, err := c.loadConfig(*file)
		if err == nil {
			err = cfg.CheckDomains(names(ds)...)
		}
		if ps, ok := err.(config.Problems); ok {
			for _, p := range ps {
				c.finding(findingJSON{Severity: node.SeverityError, What: p.Path, Where: fmt.Sprintf("%s:%d", p.File, p.Line), Text: p.Text})
			}
			return c.verdict(len(ps), 0)
		}
		if err != nil {
			return err
		}
		if !c.json {
			c.printf("%s, node %s for %s\n", cfg.File(), cfg.Node.Name, cfg.Node.Country)
		}
		wrong, doubtful := 0, 0
		for _, f := range node.Check(c.p.ctx, cfg, ds) {
			switch f.Severity {
			case node.SeverityError:
				wrong++
			case node.SeverityWarning:
				doubtful++
			}
			c.finding(findingJSON{Severity: f.Severity, What: f.What, Text: f.Text, Remedy: f.Remedy})
		}
		return c.verdict(wrong, doubtful)
	}
}

func (c *call) finding(f findingJSON) {
	if c.json {
		c.print(f)
		return
	}
	paint := c.p.paint(c.p.out)
	mark := paint.ok("✓")
	switch f.Severity {
	case node.SeverityError:
		mark = paint.bad("✗")
	case node.SeverityWarning:
		mark = paint.warn("!")
	}
	if f.Where != "" {
		c.printf("  %s %s: %s: %s\n", mark, f.Where, f.What, f.Text)
	} else {
		c.printf("  %s %-24s %s\n", mark, f.What, f.Text)
	}
	if f.Remedy != "" {
		c.printf("      %s\n", paint.dim(f.Remedy))
	}
}

func (c *call) verdict(wrong, doubtful int) error {
	if !c.json {
		switch {
		case wrong > 0:
			c.printf("%d wrong, %d to look at\n", wrong, doubtful)
		case doubtful > 0:
			c.printf("usable, %d to look at\n", doubtful)
		default:
			c.printf("all is well\n")
		}
	}
	if wrong > 0 {
		return &exit{status: statusUsage, silent: true}
	}
	return nil
}

func prepareDescribe(c *call) func() error {
	c.most = 1
	return func() error {
		var b strings.Builder
		if err := config.Describe(&b); err != nil {
			return err
		}
		if len(c.values) == 0 {
			c.printf("%s", b.String())
			return nil
		}
		// A setting begins a line; its explanation is indented below it.
		want, on, found := c.values[0], false, false
		for line := range strings.Lines(b.String()) {
			if name, _, ok := strings.Cut(line, "  ("); ok && !strings.HasPrefix(line, " ") {
				name = strings.ReplaceAll(name, "[]", "")
				on = name == want || strings.HasPrefix(name, want+".")
			}
			if on && strings.TrimSpace(line) != "" {
				found = true
				c.printf("%s", line)
			}
		}
		if !found {
			return usage("there is no setting %q; \"viadukt config describe\" lists all", want)
		}
		return nil
	}
}
