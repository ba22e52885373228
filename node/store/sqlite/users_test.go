package sqlite

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/viadukt-eu/viadukt/node/store"
)

func TestUsersAndSessions(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	plain := store.User{Name: "bo", Role: "viewer", Password: "$hash", Created: start, PasswordAt: start}
	full := store.User{Name: "ada", Role: "administrator", Password: "$other", OneTime: true, TOTP: []byte{1, 2}, TOTPStep: 7,
		Created: start.Add(-time.Hour), LastLogin: start, PasswordAt: start.Add(-time.Minute)}
	session := func(b byte, user string, created time.Time) store.Session {
		return store.Session{Hash: [32]byte{b}, User: user, Stage: int(b), Created: created, Seen: start, Expires: start.Add(time.Hour), Address: "192.0.2.1", Agent: "browser", Secret: []byte{b}}
	}
	first, second, other := session(1, "ada", start), session(2, "ada", start.Add(time.Minute)), session(3, "bo", start)
	other.Secret, other.Expires = nil, start.Add(time.Minute)
	write(t, s, func(tx store.Tx) error {
		return errors.Join(tx.PutUser(plain), tx.PutUser(full), tx.PutSession(first), tx.PutSession(second), tx.PutSession(other))
	})
	want := func(name string, got any, err error, want any) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	u, err := s.User(ctx, "ada")
	want("user", u, err, &full)
	all, err := s.ListUsers(ctx)
	want("users", all, err, []store.User{full, plain})
	write(t, s, func(tx store.Tx) error {
		all, err := tx.ListUsers()
		want("users in a transaction", all, err, []store.User{full, plain})
		return nil
	})
	x, err := s.SessionByHash(ctx, first.Hash)
	want("session", x, err, &first)
	list, err := s.ListSessions(ctx, "ada")
	want("sessions", list, err, []store.Session{second, first})

	second.Seen, second.Secret = start.Add(time.Minute), nil
	write(t, s, func(tx store.Tx) error { return tx.ChangeSession(second) })
	full.LastLogin, full.TOTPStep = start.Add(2*time.Minute), 9
	write(t, s, func(tx store.Tx) error {
		return errors.Join(tx.LoggedIn("ada", full.LastLogin, 0), tx.LoggedIn("ada", time.Time{}, 9), tx.LoggedIn("ada", time.Time{}, 8))
	})
	u, err = s.User(ctx, "ada")
	want("user who logged in", u, err, &full)
	full.Role, full.TOTP = "operator", nil
	write(t, s, func(tx store.Tx) error { return errors.Join(tx.PutUser(full), tx.EndSessions("ada", second.Hash)) })
	u, err = s.User(ctx, "ada")
	want("changed user", u, err, &full)
	list, err = s.ListSessions(ctx, "ada")
	want("spared session", list, err, []store.Session{second})

	write(t, s, func(tx store.Tx) error { return tx.PurgeSessions(c.Add(2 * time.Minute)) })
	if _, err := s.SessionByHash(ctx, other.Hash); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("session after its end: %v", err)
	}
	write(t, s, func(tx store.Tx) error { return tx.DeleteUser("ada") })
	if _, err := s.SessionByHash(ctx, second.Hash); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("session of a deleted user: %v", err)
	}
	for name, f := range map[string]func(tx store.Tx) error{
		"user":    func(tx store.Tx) error { return tx.DeleteUser("ada") },
		"login":   func(tx store.Tx) error { return tx.LoggedIn("ada", start, 0) },
		"session": func(tx store.Tx) error { return tx.DeleteSession(second.Hash) },
		"change":  func(tx store.Tx) error { return tx.ChangeSession(second) },
	} {
		if err := s.Write(ctx, f); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s of what is gone: %v", name, err)
		}
	}
	for name, f := range map[string]func(tx store.Tx) error{
		"user without password": func(tx store.Tx) error { return tx.PutUser(store.User{Name: "x", Role: "viewer"}) },
		"session without end":   func(tx store.Tx) error { return tx.PutSession(store.Session{Hash: [32]byte{9}, User: "bo"}) },
	} {
		if err := s.Write(ctx, f); err == nil {
			t.Errorf("%s is stored", name)
		}
	}
}
