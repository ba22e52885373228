package backoffice

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// user is a User with its secret.
type user struct {
	User
	password    [32]byte // SHA-256; compared instead of the password so that its length shows nothing
	hasPassword bool
	certificate *pki.Certificate
}

func loadUser(u User) (out user, err error) {
	out.User = u
	if !u.Password.IsZero() {
		secret, err := u.Password.Read()
		if err != nil {
			return out, err
		}
		out.password, out.hasPassword = sha256.Sum256([]byte(secret)), secret != ""
	}
	if u.Certificate != "" {
		b, err := os.ReadFile(string(u.Certificate))
		if err != nil {
			return out, err
		}
		certs, err := pki.ParsePEMCertificates(b)
		if err != nil {
			return out, err
		}
		if len(certs) > 0 {
			out.certificate = certs[0]
		}
	}
	return out, nil
}

// caller is who makes a call and what it may see.
type caller struct {
	name         string
	originalUser string // "" sees everything
}

// everybody calls when no users are configured: the address is then reached from this machine alone.
var everybody = &caller{}

// onBehalf says in the node's records who asked.
func (c *caller) onBehalf(ctx context.Context) context.Context {
	if c.name == "" {
		return store.WithActor(ctx, "back office")
	}
	return store.WithActor(ctx, "back office "+c.name)
}

// sees reports whether a corner ("type::value" or "value") is the caller's.
func (c *caller) sees(corner string) bool {
	return c.originalUser == "" || sameCorner(corner, c.originalUser)
}

// sameCorner compares a corner as the node keeps it with a value as these back ends write it, ignoring case: the value
// alone, or with its type in front.
func sameCorner(corner, value string) bool {
	_, bare, ok := strings.Cut(corner, "::")
	return strings.EqualFold(corner, value) || ok && (strings.EqualFold(bare, value) || strings.EqualFold(strings.Replace(corner, "::", ":", 1), value))
}

var errUnknownUser = newFault(codeAuthorization, "the call names no known user: it needs a name with password, or a certificate")

// authenticate finds the user of a call.
func (s *Service) authenticate(r *http.Request) (*caller, error) {
	if len(s.users) == 0 {
		return everybody, nil
	}
	if name, password, ok := r.BasicAuth(); ok {
		sum, found := sha256.Sum256([]byte(password)), (*caller)(nil)
		for i := range s.users { // all of them, so that the time tells nothing
			u := &s.users[i]
			same := subtle.ConstantTimeCompare(sum[:], u.password[:]) == 1
			if u.hasPassword && same && u.Name == name {
				found = u.caller()
			}
		}
		if found == nil {
			s.Refused()
			return nil, errUnknownUser
		}
		return found, nil
	}
	shown := s.shown(r)
	for i := range s.users {
		if u := &s.users[i]; u.certificate != nil && shown != nil && shown(u.certificate) {
			return u.caller(), nil
		}
	}
	return nil, errUnknownUser
}

func (u *user) caller() *caller {
	c := &caller{name: u.Name}
	if !u.Admin {
		c.originalUser = u.OriginalUser
	}
	return c
}

// shown tells whether a certificate is the one that the caller proved to have: in TLS, or to a proxy that we believe.
func (s *Service) shown(r *http.Request) func(*pki.Certificate) bool {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		der := r.TLS.PeerCertificates[0].Raw
		return func(c *pki.Certificate) bool { return string(c.Raw) == string(der) }
	}
	h := strings.TrimSpace(r.Header.Get("Client-Cert"))
	if h == "" || !s.proxy(r.RemoteAddr) {
		return nil
	}
	if strings.HasPrefix(h, ":") && strings.HasSuffix(h, ":") && len(h) > 1 { // as RFC 9440 has it
		der, err := base64.StdEncoding.DecodeString(h[1 : len(h)-1])
		return func(c *pki.Certificate) bool { return err == nil && string(c.Raw) == string(der) }
	}
	if plain, err := url.PathUnescape(h); err == nil {
		if block, _ := pem.Decode([]byte(plain)); block != nil {
			return func(c *pki.Certificate) bool { return string(c.Raw) == string(block.Bytes) }
		}
	}
	return named(h)
}

// named reads the form "sno=...&subject=...&..." in which some proxies name a certificate.
func named(h string) func(*pki.Certificate) bool {
	if plain, err := url.PathUnescape(h); err == nil {
		h = plain
	}
	var serial, subject string
	for f := range strings.SplitSeq(strings.ReplaceAll(h, "&amp;", "&"), "&") {
		k, v, _ := strings.Cut(f, "=")
		switch strings.TrimSpace(k) {
		case "sno":
			serial = strings.ReplaceAll(strings.TrimSpace(v), ":", "")
		case "subject":
			subject = strings.TrimSpace(v)
		}
	}
	name, err := pki.ParseName(subject)
	if serial == "" || subject == "" || err != nil {
		return nil
	}
	return func(c *pki.Certificate) bool {
		decimal, ok10 := new(big.Int).SetString(serial, 10)
		hex, ok16 := new(big.Int).SetString(serial, 16)
		sameSerial := ok10 && decimal.Cmp(c.SerialNumber) == 0 || ok16 && hex.Cmp(c.SerialNumber) == 0
		return sameSerial && c.Subject.Equal(name)
	}
}

func (s *Service) proxy(remote string) bool {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, p := range s.proxies {
		if p.Contains(a.Addr().Unmap()) {
			return true
		}
	}
	return false
}
