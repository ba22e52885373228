package main

import (
	"net/http"
	"net/url"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/console"
)

var partnerCommand = &command{
	name: "partner", summary: "lists the partners of a running node, and tries the way to one of them.",
	example: "viadukt partner check lighthouse --config ee/viadukt.yaml",
	sub: []*command{
		{name: "list", summary: "lists partners with fixed addresses.", example: "viadukt partner list", prepare: preparePartnerList},
		{name: "check", summary: "tries everything between here and a partner: name, line, TLS, certificates, a test message.", args: "NAME",
			help: "The exit status is 1 when something failed.", example: "viadukt partner check lighthouse", prepare: preparePartnerCheck},
	},
}

func preparePartnerList(c *call) func() error {
	c.jsonFlag()
	open := c.apiFlags("messages")
	return func() error {
		a, err := open()
		if err != nil {
			return err
		}
		var list node.PartnerListJSON
		if err := a.get("/partners", nil, &list); err != nil {
			return err
		}
		for _, p := range list.Partners {
			if c.json {
				if err := c.print(p); err != nil {
					return err
				}
				continue
			}
			c.printf("%-24s %s %s\n", p.Name, p.ID, p.URL)
		}
		return nil
	}
}

func preparePartnerCheck(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	open := c.apiFlags("messages")
	return func() error {
		a, err := open()
		if err != nil {
			return err
		}
		var done node.PartnerCheckJSON
		if err := a.ask(http.MethodPost, "/partners/"+url.PathEscape(c.values[0])+"/check", nil, nil, &done); err != nil {
			return err
		}
		if c.json {
			err = c.print(done)
		} else {
			for _, s := range done.Findings {
				severity := s.Severity
				if severity == string(console.Failure) {
					severity = node.SeverityError
				}
				c.finding(findingJSON{Severity: severity, What: s.Code, Text: s.Text, Remedy: s.Remedy})
			}
		}
		if err == nil && !done.OK {
			err = &exit{status: statusInvalid, silent: true}
		}
		return err
	}
}
