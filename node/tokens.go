package node

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// Tokens that are not of the configuration stand in the store: only their hash.
const ownToken = "token:"

// Scopes are what a token can allow.
var Scopes = []string{scopeMessages, scopeParticipants, scopeMetrics, scopeBackup, scopeSign, scopeAdmin}

var tokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// ErrToken refuses a name or scope.
var ErrToken = errors.New("node: the token cannot be made")

// TokenJSON is a token without its secret.
type TokenJSON struct {
	Name       string     `json:"name"`
	Scopes     []string   `json:"scopes"`
	Created    time.Time  `json:"created"`
	Expires    *time.Time `json:"expires,omitempty" doc:"When it ends; absent: never."`
	Configured bool       `json:"configured" doc:"It stands in the configuration, and is removed there."`
}

// NewTokenJSON asks for a token.
type NewTokenJSON struct {
	Name    string     `json:"name"`
	Scopes  []string   `json:"scopes"`
	Expires *time.Time `json:"expires,omitempty" doc:"When it ends; absent: never."`
}

// MadeTokenJSON is a new token. Its secret is told once.
type MadeTokenJSON struct {
	TokenJSON
	Secret string `json:"secret"`
}

// TokenListJSON lists tokens.
type TokenListJSON struct {
	Tokens []TokenJSON `json:"tokens"`
}

// MakeToken makes a token in a transaction and returns its secret.
func MakeToken(tx store.Tx, t NewTokenJSON, now time.Time) (*MadeTokenJSON, error) {
	if !tokenName.MatchString(t.Name) {
		return nil, fmt.Errorf("%w: the name %.80q: letters, digits, dots, hyphens and underscores, at most 63", ErrToken, t.Name)
	}
	if len(t.Scopes) == 0 {
		t.Scopes = []string{scopeMessages}
	}
	for _, s := range t.Scopes {
		if !slices.Contains(Scopes, s) {
			return nil, fmt.Errorf("%w: there is no scope %.80q; there are %s", ErrToken, s, strings.Join(Scopes, ", "))
		}
	}
	if t.Expires != nil && !t.Expires.After(now) {
		return nil, fmt.Errorf("%w: it would have ended at %s", ErrToken, t.Expires.Format(time.RFC3339))
	}
	var secret [24]byte
	rand.Read(secret[:])
	made := &MadeTokenJSON{TokenJSON{Name: t.Name, Scopes: t.Scopes, Created: now.UTC(), Expires: t.Expires}, base64.RawURLEncoding.EncodeToString(secret[:])}
	k := store.Token{ID: ownToken + t.Name, Hash: sha256.Sum256([]byte(made.Secret)), Name: t.Name, Scopes: t.Scopes, Created: now}
	if t.Expires != nil {
		k.Expires = *t.Expires
	}
	return made, tx.PutToken(k)
}

// DropToken removes a token that [MakeToken] made; store.ErrNotFound when there is none.
func DropToken(tx store.Tx, name string) error { return tx.DeleteToken(ownToken + name) }

func tokenJSON(t *store.Token) TokenJSON {
	j := TokenJSON{Name: t.Name, Scopes: t.Scopes, Created: t.Created, Configured: strings.HasPrefix(t.ID, configToken)}
	if !t.Expires.IsZero() {
		j.Expires = &t.Expires
	}
	return j
}

func (a api) listTokens(w http.ResponseWriter, r *http.Request) error {
	all, err := a.n.Store.ListTokens(r.Context())
	if err != nil {
		return err
	}
	out := TokenListJSON{Tokens: []TokenJSON{}}
	for i := range all {
		out.Tokens = append(out.Tokens, tokenJSON(&all[i]))
	}
	return writeJSON(w, http.StatusOK, out)
}

func (a api) makeToken(w http.ResponseWriter, r *http.Request) error {
	var t NewTokenJSON
	if err := readBody(r, &t); err != nil {
		return err
	}
	var made *MadeTokenJSON
	err := a.n.Store.Write(r.Context(), func(tx store.Tx) (err error) {
		made, err = MakeToken(tx, t, a.n.Clock())
		return err
	})
	if errors.Is(err, ErrToken) {
		return badRequest("%v", err)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusCreated, made)
}

func (a api) dropToken(w http.ResponseWriter, r *http.Request) error {
	err := a.n.Store.Write(r.Context(), func(tx store.Tx) error { return DropToken(tx, r.PathValue("name")) })
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}
