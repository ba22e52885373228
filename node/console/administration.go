package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// Tokens are those of the node's API. A *Refused says why one is not made or removed.
type Tokens interface {
	Scopes() []string
	Tokens(ctx context.Context) ([]Token, error)
	// MakeToken returns the secret, which is told once.
	MakeToken(ctx context.Context, name string, scopes []string) (secret string, err error)
	DropToken(ctx context.Context, name string) error
}

// Token allows a program to use the API.
type Token struct {
	Name       string
	Scopes     []string
	Created    time.Time
	Expires    time.Time // zero: never
	Configured bool      // it stands in the configuration, and is removed there
}

// TrustStores hold certificates that were added while the node ran, by the name that they have there. A *Refused says why
// one is not taken.
type TrustStores interface {
	Trusted(ctx context.Context) ([]Trusted, error)
	Trust(ctx context.Context, store, alias string, octets []byte) error
	Distrust(ctx context.Context, store, alias string) error
}

// Trusted is one certificate of a trust store.
type Trusted struct {
	Store string // one of TrustStoreNames
	Alias string
	Certificate
}

// TrustStoreNames are those for messages and for TLS.
var TrustStoreNames = []string{"as4", "tls"}

type certificatesData struct {
	All     []judged
	Stores  bool
	Trusted []Trusted
	Form    struct{ Store, Alias string }
	Problem string // key
	Detail  string // in English
}

func (c *Console) showCertificates(x *call, status int, d *certificatesData) error {
	d.All = judgeAll(c.opt.Network.Certificates(), x.now())
	if d.Stores = c.opt.TrustStores != nil; d.Stores {
		var err error
		if d.Trusted, err = c.opt.TrustStores.Trusted(x.r.Context()); err != nil {
			return err
		}
	}
	return x.show(status, "certificates", view{Title: "nav.certificates", Data: d})
}

func (c *Console) trust(x *call) error {
	if c.opt.TrustStores == nil {
		return errNotFound
	}
	octets, err := x.upload("file")
	if err != nil {
		return err
	}
	d := &certificatesData{}
	d.Form.Store, d.Form.Alias = x.value("store"), x.value("alias")
	if err := c.opt.TrustStores.Trust(x.r.Context(), d.Form.Store, d.Form.Alias, octets); err != nil {
		var refused *Refused
		if !errors.As(err, &refused) {
			return err
		}
		d.Problem, d.Detail = "trust.refused", refused.Text
		return c.showCertificates(x, http.StatusUnprocessableEntity, d)
	}
	x.act("truststore.put", d.Form.Store+" "+d.Form.Alias)
	return x.done("certificates", "done.trust-added")
}

func (c *Console) distrust(x *call) error {
	if c.opt.TrustStores == nil {
		return errNotFound
	}
	store, alias := x.value("store"), x.value("alias")
	if err := c.opt.TrustStores.Distrust(x.r.Context(), store, alias); err != nil {
		return err
	}
	x.act("truststore.remove", store+" "+alias)
	return x.done("certificates", "done.trust-removed")
}

func (c *Console) refreshTrustLists(x *call) error {
	if c.opt.RefreshTrustLists == nil {
		return errNotFound
	}
	x.act("trustlists.refresh", "")
	c.opt.RefreshTrustLists(x.r.Context())
	return x.done("trust", "done.trust-lists")
}

// reload reads the configuration again, and names what waits for a restart.
func (c *Console) reload(x *call) error {
	if c.opt.Reload == nil {
		return errNotFound
	}
	waits, err := c.opt.Reload(x.r.Context())
	if err != nil {
		return c.showAgreements(x, http.StatusUnprocessableEntity, agreementsData{Problem: "agreements.reload-refused", Issues: []string{err.Error()}})
	}
	x.act("agreements.reload", "")
	if len(waits) > 0 {
		return c.showAgreements(x, http.StatusOK, agreementsData{Waits: waits})
	}
	return x.done("agreements", "done.reload")
}

// tokensData is the part of the users' page about programs.
type tokensData struct {
	Rows    []Token
	Scopes  []string
	Made    string // name of a new token
	Secret  string // shown once
	Problem string // key
	Detail  string // in English
}

func (c *Console) addToken(x *call) error {
	if c.opt.Tokens == nil {
		return errNotFound
	}
	name := x.value("name")
	secret, err := c.opt.Tokens.MakeToken(x.r.Context(), name, x.r.PostForm["scope"])
	if err != nil {
		var refused *Refused
		if !errors.As(err, &refused) {
			return err
		}
		return c.showUsers(x, http.StatusUnprocessableEntity, &usersData{Tokens: &tokensData{Problem: "tokens.refused", Detail: refused.Text}})
	}
	x.act("token.add", name+" "+strings.Join(x.r.PostForm["scope"], ","))
	return c.showUsers(x, http.StatusOK, &usersData{Tokens: &tokensData{Made: name, Secret: secret}})
}

func (c *Console) removeToken(x *call) error {
	if c.opt.Tokens == nil {
		return errNotFound
	}
	name := x.value("name")
	if err := c.opt.Tokens.DropToken(x.r.Context(), name); err != nil {
		return err
	}
	x.act("token.remove", name)
	return x.done("users", "done.token-removed")
}
