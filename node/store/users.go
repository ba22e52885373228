package store

import (
	"context"
	"time"
)

// User is a person who may open the console.
type User struct {
	Name       string // what one logs in with, lower case
	Role       string
	Password   string // as hashed, with the parameters of the hash
	OneTime    bool   // the password must be changed before anything else is done
	TOTP       []byte // secret of the second factor; nil: there is none
	TOTPStep   int64  // last time step whose code was taken, so that no code is taken twice
	Created    time.Time
	LastLogin  time.Time // zero: never
	PasswordAt time.Time // when the password was set
}

// Session is one login. Only the hash of what the browser holds is stored.
type Session struct {
	Hash    [32]byte // SHA-256 of the token
	User    string
	Stage   int // the owner's own, for logins in several steps
	Created time.Time
	Seen    time.Time
	Expires time.Time
	Address string // of the browser
	Agent   string // what the browser calls itself
	Secret  []byte // kept between two steps; may be nil
}

// Users reads what Tx.PutUser and Tx.PutSession stored.
type Users interface {
	// User returns one user or ErrNotFound.
	User(ctx context.Context, name string) (*User, error)
	// ListUsers returns all users by name.
	ListUsers(ctx context.Context) ([]User, error)
	// SessionByHash returns one session or ErrNotFound; it does not look at Expires.
	SessionByHash(ctx context.Context, hash [32]byte) (*Session, error)
	// ListSessions returns the sessions of a user, newest first.
	ListSessions(ctx context.Context, user string) ([]Session, error)
}

// UsersTx is what a transaction does with users and sessions.
type UsersTx interface {
	// ListUsers is Users.ListUsers as this transaction sees it.
	ListUsers() ([]User, error)
	// PutUser adds or replaces a user; DeleteUser removes one with all sessions, ErrNotFound when absent.
	PutUser(u User) error
	// LoggedIn notes a login and the step of its code; zero values leave what is there. It is no change of the user.
	LoggedIn(name string, at time.Time, step int64) error
	DeleteUser(name string) error
	// PutSession adds a session. ChangeSession changes Seen and Secret of one; DeleteSession removes one; both are
	// ErrNotFound when it is gone, so that a session that ended does not come back.
	PutSession(s Session) error
	ChangeSession(s Session) error
	DeleteSession(hash [32]byte) error
	// EndSessions removes the sessions of a user except one; the zero hash spares none.
	EndSessions(user string, except [32]byte) error
	// PurgeSessions removes what ended before a time.
	PurgeSessions(before time.Time) error
}
