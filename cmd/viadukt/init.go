package main

import (
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/node/setup"
)

var initCommand = &command{
	name: "init", summary: "makes a node that can be started at once: configuration, keys for tests, a place in a test network.",
	args: "DIR",
	help: `Nodes that are made side by side share a test network: authorities that all of them trust, and a directory in
which their participants are found. Keys and authorities are for tests; a real network gives you its own.`,
	example: "viadukt init ee --country EE --profile peppol\nviadukt init pt --country PT --profile peppol",
	prepare: prepareInit,
}

func prepareInit(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	var p setup.Params
	c.StringVar(&p.Country, "country", "", "country the node acts for, two `letters`, such as EE")
	c.StringVar(&p.Profile, "profile", "eu-edelivery", "message `profile`: "+strings.Join(as4.ProfileNames(), ", "))
	c.StringVar(&p.Network, "network", "", "`folder` of the test network (default: \"network\" beside DIR)")
	c.StringVar(&p.Name, "name", "", "`name` of the node (default: the last part of DIR)")
	c.StringVar(&p.Host, "host", "127.0.0.1", "`address` to listen on")
	c.IntVar(&p.Base, "port", setup.Numbered, "first of four `ports` in a row")
	c.Lookup("port").DefValue = "8440, and 10 more for every further node of the network"
	c.BoolVar(&p.Inbox, "folders", false, "also exchange files by folders: DIR/outbox is sent, DIR/inbox receives")
	return func() error {
		p.Dir, p.Now, p.Country = c.values[0], time.Now(), strings.ToUpper(p.Country)
		if len(p.Country) != 2 {
			return usage("say for which country the node acts: viadukt init %s --country EE", p.Dir)
		}
		if as4.Profiles[p.Profile] == nil {
			return usage("there is no profile %q; there are %s", p.Profile, strings.Join(as4.ProfileNames(), ", "))
		}
		r, err := setup.Create(p)
		if errors.Is(err, setup.ErrExists) {
			return &exit{status: statusUsage, Code: "EXISTS", Text: err.Error(), Remedy: "choose another folder, or go on with what is there: viadukt serve --config " + filepath.Join(p.Dir, "viadukt.yaml")}
		}
		if err != nil {
			return err
		}
		if c.json {
			return c.print(map[string]any{
				"dir": r.Dir, "config": r.ConfigFile, "network": r.Network, "first": r.First, "party": r.Party,
				"as4": r.URL, "api": r.API, "console": r.API + "/console/", "smp": r.SMP, "dns": r.DNS,
			})
		}
		paint := c.p.paint(c.p.out)
		c.printf("%s Node %s for %s is ready in %s\n\n", paint.ok("✓"), paint.bold(r.Name), p.Country, r.Dir)
		c.printf("  configuration  %s\n  access point   %s  (party %s, profile %s)\n  API            %s  (token in %s)\n  console        %s/console/  (user admin, password in %s)\n  metadata       %s\n",
			r.ConfigFile, r.URL, r.Party, p.Profile, r.API, filepath.Join(r.Dir, "keys", "api.token"), r.API, filepath.Join(r.Dir, "keys", "console.password"), r.SMP)
		if r.First {
			c.printf("  directory      %s  (made, and served by this node)\n", r.Network)
		} else {
			c.printf("  directory      %s  (joined)\n", r.Network)
		}
		if p.Inbox {
			c.printf("  folders        %s is sent, %s receives\n", filepath.Join(r.Dir, "outbox"), filepath.Join(r.Dir, "inbox"))
		}
		c.printf("\nNext:\n  viadukt config check --config %s\n  viadukt serve --config %s\n", r.ConfigFile, r.ConfigFile)
		return nil
	}
}
