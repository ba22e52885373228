package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/console"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

var userCommand = &command{
	name: "user", summary: "says who may open the console: for the first user, and when nobody can log in any more.",
	help:    `The node must not be running. While it is, users are managed in the console itself.`,
	example: "viadukt user add ada --role operator --config ee/viadukt.yaml",
	sub: []*command{
		{name: "add", summary: "makes a user and prints the password for the first login.", args: "NAME", example: "viadukt user add ada --role operator", prepare: prepareUserAdd},
		{name: "reset", summary: "prints a new password for a user, removes the second factor and ends all logins.", args: "NAME", example: "viadukt user reset ada", prepare: prepareUserReset},
		{name: "remove", summary: "removes a user.", args: "NAME", example: "viadukt user remove ada", prepare: prepareUserRemove},
		{name: "list", summary: "lists the users.", example: "viadukt user list", prepare: prepareUserList},
	},
}

// users runs f on the store of a node that is not running.
func (c *call) users(file string, f func(tx store.Tx) error) error {
	cfg, err := c.loadConfig(file)
	if err != nil {
		return err
	}
	err = node.WithUsers(c.p.ctx, cfg, "command line", f)
	switch {
	case errors.Is(err, sqlite.ErrLocked):
		return &exit{status: statusFailed, Code: "RUNNING", Text: "the node is running", Where: string(cfg.Node.DataDir), Remedy: "an administrator can do this in the console; or stop the node for a moment"}
	case errors.Is(err, store.ErrNotFound):
		return &exit{status: statusFailed, Code: "NOT_FOUND", Text: "there is no such user", Remedy: "viadukt user list shows all"}
	case errors.Is(err, console.ErrUser):
		return usage("%v", err)
	}
	return err
}

// once makes a password for one login, with its hash.
func once() (password, hash string) {
	password = console.OneTimePassword()
	return password, console.HashPassword(password)
}

// tell prints the password, alone on its line.
func (c *call) tell(what, name, password string) error {
	if c.json {
		return c.print(map[string]string{"user": name, "password": password})
	}
	c.printf("%s %s. Password for the first login, to be changed then:\n%s\n", name, what, password)
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
		if *role == "admin" {
			*role = string(console.Administrator)
		}
		if !slices.Contains(console.Roles, console.Role(*role)) {
			return usage("there is no role %q; there are %s", *role, roleNames())
		}
		password, hash := once()
		if err := c.users(*file, func(tx store.Tx) error { return console.AddUser(tx, c.values[0], console.Role(*role), hash) }); err != nil {
			return err
		}
		return c.tell("may log in as "+*role, c.values[0], password)
	}
}

func prepareUserReset(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	file := c.configFlag()
	return func() error {
		password, hash := once()
		if err := c.users(*file, func(tx store.Tx) error { return console.ResetUser(tx, c.values[0], hash) }); err != nil {
			return err
		}
		return c.tell("has a new password", c.values[0], password)
	}
}

func prepareUserRemove(c *call) func() error {
	c.least, c.most = 1, 1
	file := c.configFlag()
	return func() error {
		if err := c.users(*file, func(tx store.Tx) error { return console.RemoveUser(tx, c.values[0]) }); err != nil {
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
		var all []store.User
		err := c.users(*file, func(tx store.Tx) (err error) { all, err = tx.ListUsers(); return err })
		if err != nil {
			return err
		}
		for _, u := range all {
			if c.json {
				j := struct {
					User         string     `json:"user"`
					Role         string     `json:"role"`
					SecondFactor bool       `json:"secondFactor"`
					OneTime      bool       `json:"oneTimePassword"`
					LastLogin    *time.Time `json:"lastLogin,omitempty"`
				}{User: u.Name, Role: u.Role, SecondFactor: len(u.TOTP) > 0, OneTime: u.OneTime}
				if !u.LastLogin.IsZero() {
					j.LastLogin = &u.LastLogin
				}
				if err := c.print(j); err != nil {
					return err
				}
				continue
			}
			last := "never"
			if !u.LastLogin.IsZero() {
				last = u.LastLogin.Format(time.DateTime)
			}
			c.printf("%-24s %-14s last login %s\n", u.Name, u.Role, last)
		}
		if len(all) == 0 && !c.json {
			c.printf("no users\n")
		}
		return nil
	}
}
