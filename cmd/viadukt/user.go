package main

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/console"
	"github.com/viadukt-eu/viadukt/node/store"
)

var userCommand = &command{
	name: "user", summary: "says who may open the console: for the first user, and when nobody can log in any more.",
	help: `While the node runs it is asked, which takes a token with the scope admin (viadukt init wrote one into keys/admin.token);
while it does not, the store is written, by whoever may read it.`,
	example: "viadukt user add ada --role operator --config ee/viadukt.yaml",
	sub: []*command{
		{name: "add", summary: "makes a user and prints the password for the first login.", args: "NAME", example: "viadukt user add ada --role operator", prepare: prepareUserAdd},
		{name: "role", summary: "changes what a user may do.", args: "NAME ROLE", example: "viadukt user role ada administrator", prepare: prepareUserRole},
		{name: "reset", summary: "prints a new password for a user, removes the second factor and ends all logins.", args: "NAME", example: "viadukt user reset ada", prepare: prepareUserReset},
		{name: "remove", summary: "removes a user.", args: "NAME", example: "viadukt user remove ada", prepare: prepareUserRemove},
		{name: "list", summary: "lists the users.", example: "viadukt user list", prepare: prepareUserList},
	},
}

// users runs online against a running node, or offline on the store of one that does not run.
func (c *call) users(file string, online func(a *api) error, offline func(tx store.Tx) error) error {
	cfg, err := c.loadConfig(file)
	if err != nil {
		return err
	}
	err = c.administer(cfg, online, offline)
	var e *exit
	switch {
	case errors.Is(err, store.ErrNotFound), errors.As(err, &e) && e.Code == "NOT_FOUND":
		return &exit{status: statusFailed, Code: "NOT_FOUND", Text: "there is no such user", Remedy: "viadukt user list shows all"}
	case errors.Is(err, console.ErrUser):
		return usage("%v", err)
	}
	return err
}

// letIn has a password made for one login, with path and body by a running node, and tells it.
func (c *call) letIn(file, what, path string, body any, change func(tx store.Tx, hash string) error) error {
	made := node.UserPasswordJSON{User: c.values[0]}
	err := c.users(file, func(a *api) error { return a.ask(http.MethodPost, path, nil, body, &made) }, func(tx store.Tx) error {
		made.Password = console.OneTimePassword()
		return change(tx, console.HashPassword(made.Password))
	})
	if err != nil {
		return err
	}
	if c.json {
		return c.print(made)
	}
	c.printf("%s %s. Password for the first login, to be changed then:\n%s\n", made.User, what, made.Password)
	return nil
}

func roleNames() string {
	var names []string
	for _, r := range console.Roles {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

func prepareUserAdd(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	file := c.configFlag()
	role := c.String("role", string(console.Viewer), "what the user may do, one `role` of "+roleNames())
	return func() error {
		as, err := roleOf(*role)
		if err != nil {
			return err
		}
		return c.letIn(*file, "may log in as "+string(as), "/users", node.NewUserJSON{User: c.values[0], Role: string(as)}, func(tx store.Tx, hash string) error {
			return console.AddUser(tx, c.values[0], as, hash)
		})
	}
}

func roleOf(name string) (console.Role, error) {
	if name == "admin" {
		return console.Administrator, nil
	}
	if !slices.Contains(console.Roles, console.Role(name)) {
		return "", usage("there is no role %q; there are %s", name, roleNames())
	}
	return console.Role(name), nil
}

func prepareUserRole(c *call) func() error {
	c.least, c.most = 2, 2
	file := c.configFlag()
	return func() error {
		role, err := roleOf(c.values[1])
		if err != nil {
			return err
		}
		err = c.users(*file, func(a *api) error {
			return a.ask(http.MethodPut, userPath(c.values[0])+"/role", nil, node.RoleJSON{Role: string(role)}, nil)
		}, func(tx store.Tx) error { return console.SetRole(tx, c.values[0], role) })
		if err != nil {
			return err
		}
		c.printf("%s is %s now\n", c.values[0], role)
		return nil
	}
}

func prepareUserReset(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	file := c.configFlag()
	return func() error {
		return c.letIn(*file, "has a new password", userPath(c.values[0])+"/reset", nil, func(tx store.Tx, hash string) error {
			return console.ResetUser(tx, c.values[0], hash)
		})
	}
}

func userPath(name string) string { return "/users/" + url.PathEscape(name) }

func prepareUserRemove(c *call) func() error {
	c.least, c.most = 1, 1
	file := c.configFlag()
	return func() error {
		err := c.users(*file, func(a *api) error {
			return a.ask(http.MethodDelete, userPath(c.values[0]), nil, nil, nil)
		}, func(tx store.Tx) error { return console.RemoveUser(tx, c.values[0]) })
		if err != nil {
			return err
		}
		c.printf("%s is removed\n", c.values[0])
		return nil
	}
}

func prepareUserList(c *call) func() error {
	c.jsonFlag()
	file := c.configFlag()
	return func() error {
		var all []node.UserJSON
		err := c.users(*file, func(a *api) error {
			var list node.UserListJSON
			err := a.get("/users", nil, &list)
			all = list.Users
			return err
		}, func(tx store.Tx) error {
			stored, err := tx.ListUsers()
			for _, u := range stored {
				all = append(all, node.UserOf(u))
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, u := range all {
			if c.json {
				if err := c.print(u); err != nil {
					return err
				}
				continue
			}
			last := "never"
			if u.LastLogin != nil {
				last = u.LastLogin.Format(time.DateTime)
			}
			c.printf("%-24s %-14s last login %s\n", u.User, u.Role, last)
		}
		if len(all) == 0 && !c.json {
			c.printf("no users\n")
		}
		return nil
	}
}
