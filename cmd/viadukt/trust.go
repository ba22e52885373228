package main

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node"
)

var trustCommand = &command{
	name: "trust", summary: "shows whom a running node trusts, for what, from where, until when.",
	help: `Each certificate counts for its purposes alone: ` + strings.Join(node.AnchorPurposes, ", ") + `.
It comes from the configuration, is agreed with a partner, was added to a store while the node ran, or stands in a trusted list.`,
	example: "viadukt trust --purpose access-point\nviadukt trust --from list --json",
	prepare: prepareTrust,
}

func prepareTrust(c *call) func() error {
	c.jsonFlag()
	open := c.apiFlags("metrics")
	purpose := c.String("purpose", "", "only those for a `purpose`")
	from := c.String("from", "", "only those from a `place`: "+strings.Join(node.AnchorSources, ", "))
	return func() error {
		a, err := open()
		if err != nil {
			return err
		}
		q := url.Values{"limit": {"10000"}}
		for k, v := range map[string]string{"purpose": *purpose, "from": *from} {
			if v != "" {
				q.Set(k, v)
			}
		}
		var list node.AnchorListJSON
		if err := a.get("/trust", q, &list); err != nil {
			return err
		}
		for _, x := range list.Anchors {
			if c.json {
				if err := c.print(x); err != nil {
					return err
				}
				continue
			}
			c.printf("%s\n  for %s; %s: %s%s\n", x.Subject, strings.Join(x.Purposes, ", "), x.From, x.Of, span(x))
		}
		if !c.json {
			c.printf("%d of %d\n", len(list.Anchors), list.Total)
		}
		return nil
	}
}

// span says from when until when an anchor counts.
func span(a node.AnchorJSON) string {
	day := func(t *time.Time) string { return t.Format(time.DateOnly) }
	switch {
	case a.State == "not-yet":
		return "; not before " + day(a.Since)
	case a.State == "ended":
		return "; ended " + day(a.Until)
	case a.Until != nil:
		return "; until " + day(a.Until)
	}
	return ""
}

func prepareTrustlistStatus(c *call) func() error {
	c.jsonFlag()
	open := c.apiFlags("admin")
	refresh := c.Bool("refresh", false, "fetch what changed first, and wait for it: needs a token with the scope admin")
	return func() error {
		a, err := open()
		if err != nil {
			return err
		}
		var s node.TrustListsJSON
		if *refresh {
			err = a.ask(http.MethodPost, "/trustlists/refresh", nil, nil, &s)
		} else {
			err = a.get("/trustlists", nil, &s)
		}
		if err != nil {
			return err
		}
		missing := false
		for _, l := range s.Lists {
			missing = missing || l.State == "missing"
			if c.json {
				if err := c.print(l); err != nil {
					return err
				}
				continue
			}
			c.printf("%s %s: %s", l.Territory, l.URL, l.State)
			if l.Sequence > 0 {
				c.printf(", number %d", l.Sequence)
			}
			if l.Next != nil {
				c.printf(", next one due %s", l.Next.Format(time.DateOnly))
			}
			if l.SignersChanged != nil {
				c.printf(", other signers since %s", l.SignersChanged.Format(time.DateOnly))
			}
			c.printf("\n")
			if l.Error != "" {
				c.printf("  %s\n  %s\n", l.Error, l.Remedy)
			}
		}
		if !c.json {
			c.printf("%d lists, %d certificates that they make trusted", len(s.Lists), s.Anchors)
			if s.Refreshed != nil {
				c.printf("; asked %s", s.Refreshed.Format("2006-01-02 15:04:05Z07:00"))
			}
			c.printf("\n")
		}
		if missing {
			return &exit{status: statusInvalid, silent: true}
		}
		return nil
	}
}
