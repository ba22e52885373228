package main

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
)

var tokenCommand = &command{
	name: "token", summary: "makes and removes tokens for programs that use the API.",
	help: `While the node runs it is asked, which takes a token with the scope admin (viadukt init wrote one into keys/admin.token);
while it does not, the store is written, by whoever may read it. Tokens of the configuration are changed there.`,
	example: "viadukt token add reporting --scope metrics --out reporting.token",
	sub: []*command{
		{name: "add", summary: "makes a token and prints it once.", args: "NAME", example: "viadukt token add ops --scope admin --expires 2027-06-30", prepare: prepareTokenAdd},
		{name: "list", summary: "lists the tokens, without their secrets.", example: "viadukt token list", prepare: prepareTokenList},
		{name: "remove", summary: "ends a token.", args: "NAME", example: "viadukt token remove ops", prepare: prepareTokenRemove},
	},
}

// tokens is administer with the errors of tokens.
func (c *call) tokens(cfg *config.Config, online func(a *api) error, offline func(tx store.Tx) error) error {
	err := c.administer(cfg, online, offline)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return &exit{status: statusUsage, Code: "NOT_FOUND", Text: "there is no such token outside the configuration", Remedy: "viadukt token list shows all"}
	case errors.Is(err, node.ErrToken):
		return usage("%v", err)
	}
	return err
}

func prepareTokenAdd(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	file := c.configFlag()
	scopes := c.String("scope", "messages", "what it allows, separated by commas: `scope` is "+strings.Join(node.Scopes, ", ")+"; admin allows everything")
	expires := c.String("expires", "", "`time` at which it ends (default: never)")
	out := c.String("out", "", "`file` to write it to, readable for you alone, instead of printing it")
	return func() error {
		ask := node.NewTokenJSON{Name: c.values[0], Scopes: strings.Split(*scopes, ",")}
		end, err := moment("expires", *expires)
		if err != nil {
			return err
		}
		if !end.IsZero() {
			ask.Expires = &end
		}
		cfg, err := c.loadConfig(*file)
		if err != nil {
			return err
		}
		var made *node.MadeTokenJSON
		err = c.tokens(cfg, func(a *api) error {
			made = &node.MadeTokenJSON{}
			return a.ask(http.MethodPost, "/tokens", nil, ask, made)
		}, func(tx store.Tx) (err error) {
			made, err = node.MakeToken(tx, ask, time.Now())
			return err
		})
		if err != nil {
			return err
		}
		if *out != "" {
			f, err := os.OpenFile(*out, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
			if err == nil {
				_, err = f.WriteString(made.Secret + "\n")
				err = errors.Join(err, f.Close())
			}
			if err != nil {
				return err
			}
			made.Secret = ""
		}
		switch {
		case c.json:
			return c.print(made)
		case *out != "":
			c.printf("%s allows %s; the token is in %s\n", made.Name, strings.Join(made.Scopes, ", "), *out)
		default:
			c.printf("%s allows %s. The token, which is not shown again:\n%s\n", made.Name, strings.Join(made.Scopes, ", "), made.Secret)
		}
		return nil
	}
}

func prepareTokenList(c *call) func() error {
	c.jsonFlag()
	open := c.apiFlags("admin")
	return func() error {
		a, err := open()
		if err != nil {
			return err
		}
		var list node.TokenListJSON
		if err := a.get("/tokens", nil, &list); err != nil {
			return err
		}
		for _, t := range list.Tokens {
			if c.json {
				if err := c.print(t); err != nil {
					return err
				}
				continue
			}
			end, where := "never ends", ""
			if t.Expires != nil {
				end = "ends " + t.Expires.UTC().Format(time.RFC3339)
			}
			if t.Configured {
				where = ", of the configuration"
			}
			c.printf("%-24s %s, %s%s\n", t.Name, strings.Join(t.Scopes, ", "), end, where)
		}
		return nil
	}
}

func prepareTokenRemove(c *call) func() error {
	c.least, c.most = 1, 1
	file := c.configFlag()
	return func() error {
		cfg, err := c.loadConfig(*file)
		if err != nil {
			return err
		}
		err = c.tokens(cfg, func(a *api) error {
			return a.ask(http.MethodDelete, "/tokens/"+url.PathEscape(c.values[0]), nil, nil, nil)
		}, func(tx store.Tx) error { return node.DropToken(tx, c.values[0]) })
		if err != nil {
			return err
		}
		c.printf("%s is removed\n", c.values[0])
		return nil
	}
}
