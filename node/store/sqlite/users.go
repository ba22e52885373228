package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

const (
	userColumns    = "name, role, password, one_time, totp, totp_step, created, last_login, password_at"
	sessionColumns = "hash, user, stage, created, seen, expires, address, agent, secret"
	selectUser     = "SELECT " + userColumns + " FROM user WHERE name = ?1"
	selectUsers    = "SELECT " + userColumns + " FROM user ORDER BY name"
	selectSession  = "SELECT " + sessionColumns + " FROM session WHERE hash = ?1"
	selectSessions = "SELECT " + sessionColumns + " FROM session WHERE user = ?1 ORDER BY created DESC"
)

func scanUser(v row) store.User {
	u := store.User{
		Name: v.text(0), Role: v.text(1), Password: v.text(2), OneTime: v[3].(int64) != 0, TOTPStep: v[5].(int64),
		Created: fromMS(v[6].(int64)), PasswordAt: fromMS(v[8].(int64)),
	}
	u.TOTP, _ = v[4].([]byte)
	if at, ok := v[7].(int64); ok {
		u.LastLogin = fromMS(at)
	}
	return u
}

func scanSession(v row) (s store.Session, err error) {
	s = store.Session{
		User: v.text(1), Stage: int(v[2].(int64)), Created: fromMS(v[3].(int64)), Seen: fromMS(v[4].(int64)),
		Expires: fromMS(v[5].(int64)), Address: v.text(6), Agent: v.text(7),
	}
	s.Secret, _ = v[8].([]byte)
	s.Hash, err = hashOf(v[0])
	return s, err
}

// User implements store.Users.
func (s *Store) User(ctx context.Context, name string) (u *store.User, err error) {
	err = s.query(ctx, selectUser, func(v row) error {
		x := scanUser(v)
		u = &x
		return nil
	}, name)
	if err == nil && u == nil {
		err = fmt.Errorf("sqlite: user %q: %w", name, store.ErrNotFound)
	}
	return u, err
}

// ListUsers implements store.Users.
func (s *Store) ListUsers(ctx context.Context) (out []store.User, err error) {
	err = s.query(ctx, selectUsers, func(v row) error { out = append(out, scanUser(v)); return nil })
	return out, err
}

// SessionByHash implements store.Users.
func (s *Store) SessionByHash(ctx context.Context, hash [32]byte) (x *store.Session, err error) {
	err = s.query(ctx, selectSession, func(v row) error {
		got, err := scanSession(v)
		x = &got
		return err
	}, hash[:])
	if err == nil && x == nil {
		err = fmt.Errorf("sqlite: session: %w", store.ErrNotFound)
	}
	return x, err
}

// ListSessions implements store.Users.
func (s *Store) ListSessions(ctx context.Context, user string) (out []store.Session, err error) {
	err = s.query(ctx, selectSessions, func(v row) error {
		x, err := scanSession(v)
		out = append(out, x)
		return err
	}, user)
	return out, err
}

// ListUsers implements store.UsersTx.
func (t *tx) ListUsers() (out []store.User, err error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	err = t.w.c.query(selectUsers, func(v row) error { out = append(out, scanUser(v)); return nil })
	return out, t.done("read users", err)
}

// PutUser implements store.UsersTx.
func (t *tx) PutUser(u store.User) error {
	if u.Name == "" || u.Role == "" || u.Password == "" {
		return errors.New("sqlite: user without name, role or password")
	}
	if u.Created.IsZero() {
		u.Created = t.now
	}
	if u.PasswordAt.IsZero() {
		u.PasswordAt = t.now
	}
	if h := t.happened(store.OfUser, 0, u.Name); h != nil {
		h.Detail = "set: " + u.Role
	}
	var totp, login any
	if len(u.TOTP) > 0 {
		totp = u.TOTP
	}
	if !u.LastLogin.IsZero() {
		login = ms(u.LastLogin)
	}
	_, err := t.exec("store user", "INSERT OR REPLACE INTO user ("+userColumns+") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)",
		u.Name, u.Role, u.Password, flag(u.OneTime), totp, u.TOTPStep, ms(u.Created), login, ms(u.PasswordAt))
	return err
}

// LoggedIn implements store.UsersTx.
func (t *tx) LoggedIn(name string, at time.Time, step int64) error {
	var login any
	if !at.IsZero() {
		login = ms(at)
	}
	n, err := t.exec("note login", "UPDATE user SET last_login = ifnull(?2, last_login), totp_step = max(?3, totp_step) WHERE name = ?1", name, login, step)
	if err == nil && n == 0 {
		err = fmt.Errorf("sqlite: user %q: %w", name, store.ErrNotFound)
	}
	return err
}

// DeleteUser implements store.UsersTx.
func (t *tx) DeleteUser(name string) error {
	n, err := t.exec("delete user", "DELETE FROM user WHERE name = ?1", name)
	if err == nil && n == 0 {
		err = fmt.Errorf("sqlite: user %q: %w", name, store.ErrNotFound)
	}
	if err != nil {
		return err
	}
	if h := t.happened(store.OfUser, 0, name); h != nil {
		h.Detail = "removed"
	}
	return t.EndSessions(name, [32]byte{})
}

// PutSession implements store.UsersTx.
func (t *tx) PutSession(s store.Session) error {
	if s.Hash == ([32]byte{}) || s.User == "" || s.Expires.IsZero() {
		return errors.New("sqlite: session without hash, user or end")
	}
	_, err := t.exec("store session", "INSERT INTO session ("+sessionColumns+") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)",
		s.Hash[:], s.User, int64(s.Stage), ms(s.Created), ms(s.Seen), ms(s.Expires), s.Address, s.Agent, secret(s))
	return err
}

func secret(s store.Session) any {
	if len(s.Secret) == 0 {
		return nil
	}
	return s.Secret
}

// ChangeSession implements store.UsersTx.
func (t *tx) ChangeSession(s store.Session) error {
	n, err := t.exec("change session", "UPDATE session SET seen = ?2, secret = ?3 WHERE hash = ?1", s.Hash[:], ms(s.Seen), secret(s))
	if err == nil && n == 0 {
		err = fmt.Errorf("sqlite: session: %w", store.ErrNotFound)
	}
	return err
}

// DeleteSession implements store.UsersTx.
func (t *tx) DeleteSession(hash [32]byte) error {
	n, err := t.exec("delete session", "DELETE FROM session WHERE hash = ?1", hash[:])
	if err == nil && n == 0 {
		err = fmt.Errorf("sqlite: session: %w", store.ErrNotFound)
	}
	return err
}

// EndSessions implements store.UsersTx.
func (t *tx) EndSessions(user string, except [32]byte) error {
	_, err := t.exec("end sessions", "DELETE FROM session WHERE user = ?1 AND hash <> ?2", user, except[:])
	return err
}

// PurgeSessions implements store.UsersTx.
func (t *tx) PurgeSessions(before time.Time) error {
	_, err := t.exec("purge sessions", "DELETE FROM session WHERE expires < ?1", ms(before))
	return err
}
