package console

import (
	"net/http"

	"github.com/viadukt-eu/viadukt/node/store"
)

type accountData struct {
	User     *store.User
	Sessions []store.Session
	Here     [32]byte // this session
	Problem  string   // key, of the password
	Factor   string   // key, of the second factor
	Secret   string   // to type into an app, while a second factor is set up
	URI      string   // the same for a tap on a phone
	QR       *qrCode  // the same for its camera
	Least    int
}

func (c *Console) account(x *call) error { return c.showAccount(x, http.StatusOK, &accountData{}) }

func (c *Console) showAccount(x *call, status int, d *accountData) error {
	var err error
	if d.User, err = c.opt.Store.User(x.r.Context(), x.who.User); err != nil {
		return err
	}
	if d.Sessions, err = c.opt.Store.ListSessions(x.r.Context(), x.who.User); err != nil {
		return err
	}
	d.Here, d.Least = x.who.Hash, PasswordLeast
	if len(x.who.Secret) > 0 && len(d.User.TOTP) == 0 {
		secret, err := c.sealer.open(x.who.User, x.who.Secret)
		if err != nil {
			return err
		}
		d.Secret, d.URI = groups(secret), totpURI("Viadukt "+c.opt.About.Name, x.who.User, secret)
		if d.QR, err = newQR(d.URI); err != nil {
			return err
		}
	}
	return x.show(status, "account", view{Title: "account.title", Data: d})
}

// confirmed asks for the present password again, as slowly as the login does.
func (c *Console) confirmed(x *call) (bool, error) {
	address := c.address(x.r)
	if _, ok := c.throttle.attempt(x.who.User, address); !ok {
		return false, nil
	}
	right, err := c.hasher.check(x.r.Context(), x.who.user.Password, x.r.PostFormValue("current"))
	if right {
		c.throttle.succeeded(x.who.User, address)
	}
	return right, err
}

// changePassword also ends all other sessions: whoever knew the old password is out.
func (c *Console) changePassword(x *call) error {
	d := &accountData{}
	again := func(key string) error {
		d.Problem = key
		return c.showAccount(x, http.StatusUnprocessableEntity, d)
	}
	ok, err := c.confirmed(x)
	if err != nil {
		return err
	}
	fresh := x.r.PostFormValue("new")
	switch key := JudgePassword(x.who.User, fresh); {
	case !ok:
		return again("password.wrong")
	case key != "":
		return again(key)
	case fresh != x.r.PostFormValue("repeat"):
		return again("password.differs")
	case fresh == x.r.PostFormValue("current"):
		return again("password.same")
	}
	hash, err := c.hasher.hash(x.r.Context(), fresh)
	if err != nil {
		return err
	}
	now := x.now()
	err = c.opt.Store.Write(x.r.Context(), func(tx store.Tx) error {
		err := changeUser(tx, x.who.User, func(u *store.User) error {
			u.Password, u.OneTime, u.PasswordAt = hash, false, now
			return nil
		})
		if err != nil {
			return err
		}
		return tx.EndSessions(x.who.User, x.who.Hash)
	})
	if err != nil {
		return err
	}
	x.act("password.change", x.who.User)
	return x.done("account", "done.password")
}

// startFactor makes a secret, which counts once a code of it was given.
func (c *Console) startFactor(x *call) error {
	if ok, err := c.confirmed(x); err != nil {
		return err
	} else if !ok {
		return c.showAccount(x, http.StatusUnprocessableEntity, &accountData{Factor: "password.wrong"})
	}
	x.who.Secret = c.sealer.seal(x.who.User, newTOTPSecret())
	if err := c.keepSecret(x); err != nil {
		return err
	}
	return x.redirect("account#factor")
}

func (c *Console) keepSecret(x *call) error {
	return c.opt.Store.Write(x.r.Context(), func(tx store.Tx) error { return tx.ChangeSession(x.who.Session) })
}

func (c *Console) confirmFactor(x *call) error {
	if len(x.who.Secret) == 0 {
		return x.redirect("account")
	}
	sealed := x.who.Secret
	secret, err := c.sealer.open(x.who.User, sealed)
	if err != nil {
		return err
	}
	step, ok := checkTOTP(secret, x.value("code"), x.now(), 0)
	if !ok {
		return c.showAccount(x, http.StatusUnprocessableEntity, &accountData{Factor: "code.wrong"})
	}
	x.who.Secret = nil
	err = c.opt.Store.Write(x.r.Context(), func(tx store.Tx) error {
		if err := changeUser(tx, x.who.User, func(u *store.User) error { u.TOTP, u.TOTPStep = sealed, step; return nil }); err != nil {
			return err
		}
		return tx.ChangeSession(x.who.Session)
	})
	if err != nil {
		return err
	}
	x.act("factor.add", x.who.User)
	return x.done("account", "done.factor-added")
}

func (c *Console) removeFactor(x *call) error {
	if ok, err := c.confirmed(x); err != nil {
		return err
	} else if !ok {
		return c.showAccount(x, http.StatusUnprocessableEntity, &accountData{Factor: "password.wrong"})
	}
	err := c.opt.Store.Write(x.r.Context(), func(tx store.Tx) error {
		return changeUser(tx, x.who.User, func(u *store.User) error { u.TOTP, u.TOTPStep = nil, 0; return nil })
	})
	if err != nil {
		return err
	}
	x.act("factor.remove", x.who.User)
	return x.done("account", "done.factor-removed")
}

// endSessions logs out all other browsers.
func (c *Console) endSessions(x *call) error {
	err := c.opt.Store.Write(x.r.Context(), func(tx store.Tx) error { return tx.EndSessions(x.who.User, x.who.Hash) })
	if err != nil {
		return err
	}
	x.act("sessions.end", x.who.User)
	return x.done("account", "done.sessions")
}
