package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/internal/selftest"
)

var selftestCommand = &command{
	name: "selftest", summary: "judges AS4 access points by the official test assertions, and by cases that no list has.", args: "[ID ...]",
	help: `Two nodes are made on this machine, with an interceptor between them that records, swallows, repeats, alters and
forges; nothing leaves the machine. With --peer a node of your configuration sends to a real access point by one of its
P-Modes, and what that answers is judged: use it in test networks alone, since damaged messages are among what it sends.

An ID is that of an assertion or its beginning: AS4_CP, AS4_ENTSOG, VK. The status is 1 when a mandatory assertion or a
case of ours failed, and 3 when one could not be run.`,
	example: "viadukt selftest\nviadukt selftest --format junit AS4_CP > report.xml\nviadukt selftest --peer https://ap.example.eu/as4 --config viadukt.yaml --pmode letters\nviadukt selftest --list",
	prepare: prepareSelftest,
}

func prepareSelftest(c *call) func() error {
	c.most = -1
	c.jsonFlag()
	var o selftest.Options
	format := c.String("format", "text", "`form` of the report: "+strings.Join(selftest.Formats, ", "))
	c.Func("only", "run this `ID` alone; may be repeated", func(s string) error { o.Only = append(o.Only, strings.Split(s, ",")...); return nil })
	c.StringVar(&o.Dir, "dir", "", "keep nodes, and what passed the interceptor, in this `folder`")
	c.StringVar(&o.Peer, "peer", "", "judge the access point at this `address`")
	file := c.String("config", "viadukt.yaml", "with --peer: `file` with the configuration to send by")
	c.StringVar(&o.PMode, "pmode", "", "with --peer: P-Mode by its `id`")
	c.DurationVar(&o.Patience, "patience", 0, "`time` that a case may take; default 20s")
	c.Func("large", "`size` of the large payload; default 32MiB", func(s string) error {
		n, err := parseSize(strings.Replace(s, "iB", "B", 1))
		o.Large = int64(n)
		return err
	})
	list := c.Bool("list", false, "list the assertions instead of running them")
	return func() error {
		o.Only = append(o.Only, c.values...)
		if c.json {
			*format = "json"
		}
		cases, err := selftest.Select(o.Only)
		if err != nil {
			return usage("%v; \"viadukt selftest --list\" shows all", err)
		}
		if *list {
			return c.listCases(cases)
		}
		p, err := selftest.NewPrinter(c.p.out, *format, len(cases))
		if err != nil {
			return usage("%v", err)
		}
		switch {
		case o.Peer != "" && o.PMode == "":
			return usage("--peer needs --pmode: the agreement to send by")
		case o.Peer == "" && o.PMode != "":
			return usage("--pmode is for --peer alone")
		case o.Peer != "":
			if o.Config, err = c.loadConfig(*file); err != nil {
				return err
			}
		}
		rep, err := selftest.Run(c.p.ctx, o, p.Result)
		if errors.Is(err, selftest.ErrSettings) {
			return usage("%v", err)
		}
		if err != nil {
			return err
		}
		if err := p.Done(rep); err != nil {
			return err
		}
		switch {
		case rep.Failed():
			return &exit{status: statusInvalid, silent: true}
		case !rep.OK():
			return &exit{status: statusFailed, silent: true}
		}
		return nil
	}
}

func (c *call) listCases(cases []*selftest.Case) error {
	for _, k := range cases {
		if c.json {
			if err := c.print(struct {
				ID        string         `json:"id"`
				Level     selftest.Level `json:"level"`
				Module    string         `json:"module"`
				Predicate string         `json:"predicate"`
				Peer      bool           `json:"peer"`
			}{k.ID, k.Level, k.Module, k.Predicate, k.Peer}); err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintf(c.p.out, "%-15s %-10s %-24s %s\n", k.ID, k.Level, k.Module, k.Predicate); err != nil {
			return err
		}
	}
	return nil
}
