package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
)

var lookupCommand = &command{
	name: "lookup", summary: "finds out what a participant accepts and where it is reached, step by step.", args: "PARTICIPANT [DOCTYPE]",
	help: `Without a document type the answer is what the participant accepts; with one, the access point for it. No node has to
be running. What the network looks like is read from the configuration, or said with --zone, --dns and --trust.`,
	example: "viadukt lookup iso6523-actorid-upis::9946:PT502011378 --config ee/viadukt.yaml\n" +
		"viadukt lookup iso6523-actorid-upis::0192:991825827 --zone participant.sml.example.eu --trust smp-ca.pem",
	prepare: prepareLookup,
}

func prepareLookup(c *call) func() error {
	c.least, c.most = 1, 2
	c.jsonFlag()
	file := c.configFlag()
	process := c.String("process", "", "`process` that the document belongs to, scheme::value")
	document := c.String("document", "", "take document type and process from this `file`")
	zone := c.String("zone", "", "DNS `zone` of the network, instead of --config")
	servers := c.String("dns", "", "with --zone: DNS `servers`, with commas between")
	trust := c.String("trust", "", "with --zone: `file` with the authorities that publishers must be under")
	private := c.Bool("private", false, "with --zone: allow plain HTTP and addresses in private networks")
	return func() error {
		p, err := ids.ParseParticipant(c.values[0])
		if err != nil {
			return usage("%v", err)
		}
		doc, proc, err := c.lookupQuestion(*document, *process)
		if err != nil {
			return err
		}
		var cfg *config.Config
		if *zone != "" {
			cfg = networkOf(*zone, *servers, *trust, *private)
		} else if cfg, err = c.loadConfig(*file); err != nil {
			return err
		}
		d, err := node.OpenDirectory(cfg)
		if errors.Is(err, node.ErrNoDirectory) {
			return &exit{status: statusUsage, Code: "NO_DIRECTORY", Text: "the configuration names no zone to look in", Remedy: "set discovery.zone, or give --zone"}
		}
		if err != nil {
			return err
		}
		return c.showLookup(d.LookupJSON(c.p.ctx, p, doc, proc))
	}
}

// lookupQuestion is what is asked for, from arguments or from a document.
func (c *call) lookupQuestion(file, process string) (doc ids.DocumentType, proc ids.Process, err error) {
	if file != "" {
		d, err := readDocument(file, "")
		if err != nil {
			return doc, proc, err
		}
		doc, proc = d.doctype, d.process
	}
	if len(c.values) > 1 {
		if doc, err = ids.ParseDocumentType(c.values[1]); err != nil {
			return doc, proc, usage("%v", err)
		}
	}
	if process != "" {
		if proc, err = ids.ParseProcess(process); err != nil {
			return doc, proc, usage("%v", err)
		}
	}
	return doc, proc, nil
}

// networkOf is a configuration that has only what a lookup needs.
func networkOf(zone, servers, trust string, private bool) *config.Config {
	cfg := &config.Config{}
	cfg.Discovery = config.Discovery{Zone: zone, Label: "automatic", DNSSEC: "prefer", Services: []string{"meta:smp"}, AllowHTTP: private, AllowPrivateAddresses: private}
	if private {
		cfg.Discovery.DNSSEC = "off"
	}
	if servers != "" {
		cfg.Discovery.Servers = strings.Split(servers, ",")
	}
	if trust != "" {
		cfg.AS4.Trust = []config.Anchor{{File: config.Path(trust), Purposes: []string{"smp", "access-point"}}}
	}
	return cfg
}

func (c *call) showLookup(j *node.LookupJSON) error {
	status := statusDone
	if j.Error != nil {
		status = statusFailed
		if j.Error.Code == "DISCOVERY:NOT_REGISTERED" || j.Error.Code == "DISCOVERY:NOT_ACCEPTED" {
			status = statusInvalid
		}
	}
	if c.json {
		if err := c.print(j); err != nil {
			return err
		}
	} else {
		c.describeLookup(j)
	}
	if status != statusDone {
		return &exit{status: status, silent: true}
	}
	return nil
}

func (c *call) describeLookup(j *node.LookupJSON) {
	paint := c.p.paint(c.p.out)
	c.printf("%s\n", j.Participant)
	for _, s := range j.Steps {
		mark := paint.ok("✓")
		if !s.OK {
			mark = paint.bad("✗")
		}
		c.printf("  %s %-16s %6.1f ms  %s\n", mark, s.Name, s.Millis, s.Detail)
	}
	switch {
	case j.Error != nil:
		fmt.Fprintf(c.p.err, "%s: %s\n  %s\n", j.Error.Code, j.Error.Text, j.Error.Remedy)
	case j.Endpoint != "":
		c.printf("sent to      %s\nby           %s\ncertificate  %s\n", paint.bold(j.Endpoint), j.Transport, j.Certificate)
	case len(j.DocumentTypes) == 0:
		c.printf("accepts nothing\n")
	default:
		c.printf("accepts\n")
		for _, d := range j.DocumentTypes {
			c.printf("  %s\n", d)
		}
	}
}
