package node

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/viadukt-eu/viadukt/node/console"
	"github.com/viadukt-eu/viadukt/node/store"
)

// UserJSON is somebody who may open the console.
type UserJSON struct {
	User         string     `json:"user"`
	Role         string     `json:"role"`
	SecondFactor bool       `json:"secondFactor"`
	OneTime      bool       `json:"oneTimePassword" doc:"The password holds for one login, and is changed then."`
	LastLogin    *time.Time `json:"lastLogin,omitempty"`
}

// UserListJSON lists users.
type UserListJSON struct {
	Users []UserJSON `json:"users"`
}

// NewUserJSON asks for a user.
type NewUserJSON struct {
	User string `json:"user"`
	Role string `json:"role" doc:"viewer, operator or administrator."`
}

// UserPasswordJSON is a password for one login. It is told once.
type UserPasswordJSON struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// UserOf is a stored user without secrets.
func UserOf(u store.User) UserJSON {
	j := UserJSON{User: u.Name, Role: u.Role, SecondFactor: len(u.TOTP) > 0, OneTime: u.OneTime}
	if !u.LastLogin.IsZero() {
		j.LastLogin = &u.LastLogin
	}
	return j
}

func (a api) listUsers(w http.ResponseWriter, r *http.Request) error {
	all, err := a.n.Store.ListUsers(r.Context())
	if err != nil {
		return err
	}
	out := UserListJSON{Users: []UserJSON{}}
	for _, u := range all {
		out.Users = append(out.Users, UserOf(u))
	}
	return writeJSON(w, http.StatusOK, out)
}

func (a api) addUser(w http.ResponseWriter, r *http.Request) error {
	var u NewUserJSON
	if err := readBody(r, &u); err != nil {
		return err
	}
	return a.letIn(w, r, http.StatusCreated, u.User, func(tx store.Tx, hash string) error {
		return console.AddUser(tx, u.User, console.Role(u.Role), hash)
	})
}

func (a api) resetUser(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	return a.letIn(w, r, http.StatusOK, name, func(tx store.Tx, hash string) error { return console.ResetUser(tx, name, hash) })
}

// letIn answers with a new password for one login.
func (a api) letIn(w http.ResponseWriter, r *http.Request, status int, name string, change func(tx store.Tx, hash string) error) error {
	made := UserPasswordJSON{User: name, Password: console.OneTimePassword()}
	hash := console.HashPassword(made.Password)
	if err := a.n.Store.Write(r.Context(), func(tx store.Tx) error { return change(tx, hash) }); err != nil {
		return userProblem(err)
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, status, made)
}

func (a api) removeUser(w http.ResponseWriter, r *http.Request) error {
	if err := a.n.Store.Write(r.Context(), func(tx store.Tx) error { return console.RemoveUser(tx, r.PathValue("name")) }); err != nil {
		return userProblem(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func userProblem(err error) error {
	if errors.Is(err, console.ErrUser) {
		return badRequest("%v", err)
	}
	return err
}

// readBody reads a small JSON body.
func readBody(r *http.Request, into any) error {
	d := json.NewDecoder(io.LimitReader(r.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return badRequest("body: %v", err)
	}
	return nil
}
