package console

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// Stages of a session.
const (
	stageCode = 1 // the password was right, the code of the second factor is awaited
	stageIn   = 2
)

// codeTime is how long one may take between password and code.
const codeTime = 5 * time.Minute

// session is who asks.
type session struct {
	store.Session
	user  *store.User
	token string
}

// csrf is the token that the forms of this session carry.
func (s *session) csrf() string { return formToken(s.token) }

// formToken is made from a secret that is in a cookie, and does not give it away.
func formToken(secret string) string {
	sum := sha256.Sum256([]byte("form:" + secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// newToken makes what a browser keeps: 256 bits.
func (c *Console) newToken() (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(c.opt.Rand, b[:]); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// cookieName differs from node to node: browsers keep one cookie for all ports of a machine.
func (c *Console) cookieName(r *http.Request, kind string) string {
	name := "viadukt-" + c.opt.About.Name + kind
	if c.secure(r) {
		name = "__Host-" + name
	}
	return name
}

func (c *Console) secure(r *http.Request) bool { return c.opt.Secure || r.TLS != nil }

// setCookie keeps a value in the browser: for the time of its run, or for the time given. An empty value removes it.
func (c *Console) setCookie(w http.ResponseWriter, r *http.Request, kind, value string, keep time.Duration) {
	k := &http.Cookie{Name: c.cookieName(r, kind), Value: value, Path: "/", HttpOnly: true, Secure: c.secure(r), SameSite: http.SameSiteLaxMode}
	if keep > 0 {
		k.MaxAge = int(keep / time.Second)
	}
	if value == "" {
		k.MaxAge = -1
	}
	http.SetCookie(w, k)
}

func (c *Console) cookie(r *http.Request, kind string) string {
	k, err := r.Cookie(c.cookieName(r, kind))
	if err != nil || len(k.Value) > 200 {
		return ""
	}
	return k.Value
}

const (
	cookieSession = ""
	cookieForm    = "-form" // for the forms before the login
	cookieLook    = "-look" // language and colours
)

// begin makes a session for a user, in place of the one that the browser had, and gives it the cookie.
func (c *Console) begin(w http.ResponseWriter, r *http.Request, old *session, user string, stage int) error {
	token, err := c.newToken()
	if err != nil {
		return err
	}
	now := c.opt.Clock()
	s := store.Session{
		Hash: sha256.Sum256([]byte(token)), User: user, Stage: stage, Created: now, Seen: now, Expires: now.Add(c.opt.Longest),
		Address: c.address(r), Agent: clip(r.UserAgent(), 200),
	}
	if stage == stageCode {
		s.Expires = now.Add(codeTime)
	}
	err = c.opt.Store.Write(r.Context(), func(tx store.Tx) error {
		if old != nil {
			if err := tx.DeleteSession(old.Hash); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return errors.Join(tx.PurgeSessions(now), tx.PutSession(s))
	})
	if err != nil {
		return err
	}
	c.setCookie(w, r, cookieSession, token, 0)
	return nil
}

// current finds the session of a request, nil when there is none that still holds.
func (c *Console) current(r *http.Request) (*session, error) {
	token := c.cookie(r, cookieSession)
	if token == "" {
		return nil, nil
	}
	return c.lookUp(r.Context(), token)
}

func (c *Console) lookUp(ctx context.Context, token string) (*session, error) {
	x, err := c.opt.Store.SessionByHash(ctx, sha256.Sum256([]byte(token)))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	now := c.opt.Clock()
	if !now.Before(x.Expires) || now.Sub(x.Seen) >= c.opt.Idle || x.Seen.Sub(now) >= c.opt.Idle { // or the clock went back
		return nil, nil
	}
	u, err := c.opt.Store.User(ctx, x.User)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &session{*x, u, token}, nil
}

// touch notes that the session is used, at most once a minute.
func (c *Console) touch(ctx context.Context, s *session) {
	now := c.opt.Clock()
	if now.Sub(s.Seen) < time.Minute {
		return
	}
	s.Seen = now
	err := c.opt.Store.Write(ctx, func(tx store.Tx) error { return tx.ChangeSession(s.Session) })
	if err != nil && ctx.Err() == nil { // the page is still right; the session ends earlier
		c.opt.Log.Warn("session not renewed", "user", s.User, "err", err)
	}
}

// address is the browser's, as the connection or a trusted proxy says. Of IPv6 it is the network, since a machine has
// all of it.
func (c *Console) address(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	addr := peer.Addr().Unmap()
	via := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(via) - 1; i >= 0 && c.trusted(addr); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(via[i]))
		if err != nil {
			break
		}
		addr = next.Unmap()
	}
	if addr.Is6() {
		if p, err := addr.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

func (c *Console) trusted(a netip.Addr) bool {
	for _, p := range c.opt.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func same(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "")
	}
	return s
}
