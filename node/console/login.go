package console

import (
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// loginForm is what the login page shows again after an error.
type loginForm struct {
	User, Next string
	Certified  string // who is known by a certificate
	Error      string // key
	Wait       int    // seconds to wait
}

func (c *Console) loginPage(x *call) error {
	if x.role() != "" {
		return x.redirect("")
	}
	return x.show(http.StatusOK, "login", view{Title: "login.title", Data: loginForm{Next: safeNext(x.r.URL.Query().Get("next")), Certified: c.opt.Certified(x.r)}})
}

// login checks name and password. Nothing tells whether the name or the password was wrong.
func (c *Console) login(x *call) error {
	f := loginForm{User: strings.ToLower(x.value("user")), Next: safeNext(x.value("next")), Certified: c.opt.Certified(x.r)}
	again := func(status int, key string) error {
		f.Error = key
		return x.show(status, "login", view{Title: "login.title", Data: f})
	}
	address := c.address(x.r)
	if x.value("certificate") != "" {
		u, err := c.opt.Store.User(x.r.Context(), f.Certified)
		switch {
		case f.Certified == "", errors.Is(err, store.ErrNotFound):
			return again(http.StatusUnauthorized, "login.nobody")
		case err != nil:
			return err
		}
		return c.known(x, u, f.Next)
	}
	if wait, ok := c.throttle.attempt(clip(f.User, 100), address); !ok {
		f.Wait = seconds(wait)
		x.w.Header().Set("Retry-After", itoa(f.Wait))
		return again(http.StatusTooManyRequests, "login.wait")
	}
	u, err := c.opt.Store.User(x.r.Context(), f.User)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	stored := c.hasher.nobody
	if u != nil {
		stored = u.Password
	}
	right, err := c.hasher.check(x.r.Context(), stored, x.r.PostFormValue("password"))
	if err != nil && !errors.Is(err, errHash) {
		return err
	}
	if !right || u == nil {
		c.opt.Refused()
		c.opt.Log.Warn("console login refused", slog.String("user", clip(f.User, 100)), slog.String("address", address))
		return again(http.StatusUnauthorized, "login.wrong")
	}
	if len(u.TOTP) == 0 { // otherwise the attempt counts until the code is right as well
		c.throttle.succeeded(f.User, address)
	}
	return c.known(x, u, f.Next)
}

// known goes on with somebody who showed password or certificate: to the second factor, where there is one.
func (c *Console) known(x *call, u *store.User, next string) error {
	if len(u.TOTP) == 0 {
		return c.enter(x, u, next)
	}
	if err := c.begin(x.w, x.r, x.who, u.Name, stageCode); err != nil {
		return err
	}
	return x.redirect("login/code?next=" + url.QueryEscape(next))
}

// enter begins the session proper.
func (c *Console) enter(x *call, u *store.User, next string) error {
	if err := c.begin(x.w, x.r, x.who, u.Name, stageIn); err != nil {
		return err
	}
	at := x.now()
	if err := c.opt.Store.Write(x.r.Context(), func(tx store.Tx) error { return tx.LoggedIn(u.Name, at, 0) }); err != nil {
		return err
	}
	c.setCookie(x.w, x.r, cookieForm, "", 0)
	c.acted(x.r, Act{User: u.Name, What: "login", Subject: u.Name, Address: c.address(x.r)})
	http.Redirect(x.w, x.r, next, http.StatusSeeOther)
	return nil
}

func (c *Console) codePage(x *call) error {
	if x.who == nil || x.who.Stage != stageCode {
		return x.redirect("login")
	}
	return x.show(http.StatusOK, "code", view{Title: "code.title", Data: loginForm{Next: safeNext(x.r.URL.Query().Get("next"))}})
}

// code checks the second factor.
func (c *Console) code(x *call) error {
	if x.who == nil || x.who.Stage != stageCode {
		return x.redirect("login")
	}
	f := loginForm{Next: safeNext(x.value("next"))}
	again := func(status int, key string) error {
		f.Error = key
		return x.show(status, "code", view{Title: "code.title", Data: f})
	}
	address, name := c.address(x.r), x.who.User
	if wait, ok := c.throttle.attempt(name, address); !ok {
		f.Wait = seconds(wait)
		x.w.Header().Set("Retry-After", itoa(f.Wait))
		return again(http.StatusTooManyRequests, "login.wait")
	}
	right := false
	now := x.now()
	err := c.opt.Store.Write(x.r.Context(), func(tx store.Tx) error {
		u, err := findUser(tx, name)
		if err != nil {
			return err
		}
		if len(u.TOTP) == 0 {
			return nil
		}
		secret, err := c.sealer.open(name, u.TOTP)
		if err != nil {
			c.opt.Log.Error("second factor unreadable: an administrator or \"viadukt user reset\" removes it", slog.String("user", name), slog.Any("err", err))
			return nil
		}
		step, ok := checkTOTP(secret, x.value("code"), now, u.TOTPStep)
		if right = ok; !right {
			return nil
		}
		return tx.LoggedIn(name, time.Time{}, step) // in the transaction that read it: no code is taken twice
	})
	if err != nil {
		return err
	}
	if !right {
		c.opt.Refused()
		c.opt.Log.Warn("console code refused", slog.String("user", name), slog.String("address", address))
		return again(http.StatusUnauthorized, "code.wrong")
	}
	c.throttle.succeeded(name, address) // this attempt and the one for the password
	c.throttle.succeeded(name, address)
	return c.enter(x, x.who.user, f.Next)
}

func (c *Console) logout(x *call) error {
	if x.who != nil {
		err := c.opt.Store.Write(x.r.Context(), func(tx store.Tx) error { return tx.DeleteSession(x.who.Hash) })
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		x.act("logout", x.who.User)
	}
	c.setCookie(x.w, x.r, cookieSession, "", 0)
	return x.done("login", "done.logout")
}

// safeNext is where to go after the login: a page of the console and nowhere else.
func safeNext(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, Root) || strings.ContainsAny(next, "\\\r\n\t") ||
		strings.Contains(u.Path, "..") || strings.HasPrefix(u.Path, Root+"log") || u.Path == Root+"live" {
		return Root
	}
	return u.RequestURI()
}

func seconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

// loopback reports whether the request was made on this machine.
func loopback(r *http.Request) bool {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// findUser reads a user as the transaction sees it.
func findUser(tx store.Tx, name string) (*store.User, error) {
	all, err := tx.ListUsers()
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Name == name {
			return &all[i], nil
		}
	}
	return nil, store.ErrNotFound
}

// changeUser reads, changes and writes a user in one transaction.
func changeUser(tx store.Tx, name string, change func(u *store.User) error) error {
	u, err := findUser(tx, name)
	if err != nil {
		return err
	}
	if err := change(u); err != nil {
		return err
	}
	return tx.PutUser(*u)
}
