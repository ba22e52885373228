package console

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/node/store"
)

type usersData struct {
	Users    []store.User
	Self     string
	Form     struct{ Name, Role string }
	Problem  string // key
	Password string // shown once, of NewUser
	NewUser  string
	Tokens   *tokensData
}

// userName is what people log in with.
var userName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)

// ErrUser is in the chain of what refuses a change of users.
var ErrUser = errors.New("console: users")

// userError says why users are not changed: for the page by a key, else in English.
type userError struct{ key, text string }

func (e *userError) Error() string { return e.text }
func (e *userError) Unwrap() error { return ErrUser }

var (
	errUserName   = &userError{"users.bad-name", "a user name has small letters, digits and . _ @ - and begins with a letter or digit"}
	errUserExists = &userError{"users.exists", "there is a user of this name already"}
	errUserRole   = &userError{"users.bad-role", "there is no such role"}
	errLastAdmin  = &userError{"users.last", "somebody must remain an administrator"}
	errSelf       = &userError{"users.self", "nobody changes the own access here"}
)

// AddUser makes a user with a password that must be changed at the first login. It runs in a transaction.
func AddUser(tx store.Tx, name string, role Role, hash string) error {
	if !userName.MatchString(name) {
		return errUserName
	}
	if !slices.Contains(Roles, role) {
		return errUserRole
	}
	all, err := tx.ListUsers()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(u store.User) bool { return u.Name == name }) {
		return errUserExists
	}
	return tx.PutUser(store.User{Name: name, Role: string(role), Password: hash, OneTime: true})
}

// AddKnownUser makes a user who is known by something else than the password: nobody is asked to change it.
func AddKnownUser(tx store.Tx, name string, role Role, hash string) error {
	if err := AddUser(tx, name, role, hash); err != nil {
		return err
	}
	return changeUser(tx, name, func(u *store.User) error { u.OneTime = false; return nil })
}

// ResetUser gives a user a password to be changed, takes the second factor away, and ends all sessions.
func ResetUser(tx store.Tx, name, hash string) error {
	err := changeUser(tx, name, func(u *store.User) error {
		u.Password, u.OneTime, u.TOTP, u.TOTPStep = hash, true, nil, 0
		return nil
	})
	if err != nil {
		return err
	}
	return tx.EndSessions(name, [32]byte{})
}

// RemoveUser removes a user, unless nobody would be left to administer.
func RemoveUser(tx store.Tx, name string) error {
	if err := keepAdministrator(tx, name); err != nil {
		return err
	}
	return tx.DeleteUser(name)
}

// SetRole changes what a user may do, unless nobody would be left to administer.
func SetRole(tx store.Tx, name string, role Role) error {
	if !slices.Contains(Roles, role) {
		return errUserRole
	}
	if role != Administrator {
		if err := keepAdministrator(tx, name); err != nil {
			return err
		}
	}
	return changeUser(tx, name, func(u *store.User) error { u.Role = string(role); return nil })
}

// keepAdministrator refuses to lose the last one.
func keepAdministrator(tx store.Tx, name string) error {
	all, err := tx.ListUsers()
	if err != nil {
		return err
	}
	isLast := false
	for _, u := range all {
		if u.Role != string(Administrator) {
			continue
		}
		if u.Name != name {
			return nil
		}
		isLast = true
	}
	if isLast {
		return errLastAdmin
	}
	return nil
}

func (c *Console) users(x *call) error { return c.showUsers(x, http.StatusOK, &usersData{}) }

func (c *Console) showUsers(x *call, status int, d *usersData) error {
	var err error
	if d.Users, err = c.opt.Store.ListUsers(x.r.Context()); err != nil {
		return err
	}
	if c.opt.Tokens != nil {
		if d.Tokens == nil {
			d.Tokens = &tokensData{}
		}
		if d.Tokens.Rows, err = c.opt.Tokens.Tokens(x.r.Context()); err != nil {
			return err
		}
		d.Tokens.Scopes = c.opt.Tokens.Scopes()
	}
	d.Self = x.who.User
	return x.show(status, "users", view{Title: "nav.users", Data: d})
}

// refuseUser shows why an act on users was not done.
func (c *Console) refuseUser(x *call, d *usersData, err error) error {
	var e *userError
	if !errors.As(err, &e) {
		return err
	}
	d.Problem = e.key
	return c.showUsers(x, http.StatusUnprocessableEntity, d)
}

func (c *Console) addUser(x *call) error {
	d := &usersData{}
	d.Form.Name, d.Form.Role = strings.ToLower(x.value("name")), x.value("role")
	password := OneTimePassword()
	hash, err := c.hasher.hash(x.r.Context(), password)
	if err != nil {
		return err
	}
	err = c.opt.Store.Write(x.r.Context(), func(tx store.Tx) error { return AddUser(tx, d.Form.Name, Role(d.Form.Role), hash) })
	if err != nil {
		return c.refuseUser(x, d, err)
	}
	x.act("user.add", d.Form.Name+" "+d.Form.Role)
	return c.showUsers(x, http.StatusOK, &usersData{NewUser: d.Form.Name, Password: password})
}

func (c *Console) resetUser(x *call) error {
	name, d := x.r.PathValue("name"), &usersData{}
	if name == x.who.User {
		return c.refuseUser(x, d, errSelf)
	}
	password := OneTimePassword()
	hash, err := c.hasher.hash(x.r.Context(), password)
	if err != nil {
		return err
	}
	if err := c.opt.Store.Write(x.r.Context(), func(tx store.Tx) error { return ResetUser(tx, name, hash) }); err != nil {
		return c.refuseUser(x, d, err)
	}
	x.act("user.reset", name)
	d.NewUser, d.Password = name, password
	return c.showUsers(x, http.StatusOK, d)
}

func (c *Console) changeRole(x *call) error {
	name, role, d := x.r.PathValue("name"), x.value("role"), &usersData{}
	if name == x.who.User {
		return c.refuseUser(x, d, errSelf)
	}
	if err := c.opt.Store.Write(x.r.Context(), func(tx store.Tx) error { return SetRole(tx, name, Role(role)) }); err != nil {
		return c.refuseUser(x, d, err)
	}
	x.act("user.role", name+" "+role)
	return x.done("users", "done.user-role")
}

func (c *Console) removeUser(x *call) error {
	name, d := x.r.PathValue("name"), &usersData{}
	if name == x.who.User {
		return c.refuseUser(x, d, errSelf)
	}
	if err := c.opt.Store.Write(x.r.Context(), func(tx store.Tx) error { return RemoveUser(tx, name) }); err != nil {
		return c.refuseUser(x, d, err)
	}
	x.act("user.remove", name)
	return x.done("users", "done.user-removed")
}
