package authority

import (
	"context"
	"crypto"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
)

// listValidity is how long a list counts; a new one is made at half time, and at once when something was revoked.
const listValidity = 24 * time.Hour

// source answers for the certificates of one key.
type source struct {
	a          *Authority
	generation int
}

// Status knows what the records say: what is not in them was never issued.
func (s source) Status(_ context.Context, serial *big.Int) (revocation.Status, error) {
	s.a.mu.Lock()
	defer s.a.mu.Unlock()
	if err := s.a.refresh(); err != nil {
		return revocation.Status{}, err
	}
	r, ok := s.a.last[string(serial.Bytes())]
	switch {
	case !ok || r.Generation != s.generation:
		return revocation.Status{}, nil
	case r.Action == revoked:
		return revocation.Status{State: pki.RevocationRevoked, RevokedAt: r.Time, Reason: r.Reason}, nil
	}
	return revocation.Status{State: pki.RevocationGood}, nil
}

// CRL returns the current list of the key that issues now.
func (a *Authority) CRL() ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.refresh(); err != nil {
		return nil, err
	}
	return a.list(a.current())
}

func (a *Authority) list(g *generation) ([]byte, error) {
	now := a.now()
	if g.list != nil && g.listed == len(a.records) && now.Before(g.due) {
		return g.list, nil
	}
	l := revocation.List{Number: big.NewInt(a.clock().UnixMilli()), ThisUpdate: now, NextUpdate: now.Add(listValidity)}
	for _, r := range a.records {
		if r.Generation == g.number && r.Action == revoked && r.NotAfter.After(now) {
			l.Entries = append(l.Entries, revocation.Entry{SerialNumber: r.Serial, RevokedAt: r.Time, Reason: r.Reason})
		}
	}
	b, err := l.Sign(nil, &g.issuer.Identity, crypto.Hash(0))
	if err != nil {
		return nil, err
	}
	g.list, g.due, g.listed = b, now.Add(listValidity/2), len(a.records)
	return b, nil
}

// Handler serves, for each key, /N/ocsp, /N/ca.crl and /N/ca.crt, where certificates say they are.
func (a *Authority) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		var rest string
		if _, err := fmt.Sscanf(r.URL.Path, "/%d/%s", &n, &rest); err != nil {
			http.NotFound(w, r)
			return
		}
		a.mu.Lock()
		err := a.refresh()
		var g *generation
		if n >= 1 && n <= len(a.generations) {
			g = a.generations[n-1]
		}
		a.mu.Unlock()
		switch {
		case err != nil:
			http.Error(w, "the records cannot be read now", http.StatusServiceUnavailable)
		case g == nil:
			http.NotFound(w, r)
		default:
			a.serve(g, w, r)
		}
	})
}

func (a *Authority) serve(g *generation, w http.ResponseWriter, r *http.Request) {
	mux := http.StripPrefix(fmt.Sprintf("/%d/", g.number), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == "ca.crl":
			(&revocation.Publisher{Clock: a.clock, Current: func(context.Context) ([]byte, error) {
				a.mu.Lock()
				defer a.mu.Unlock()
				return a.list(g)
			}}).ServeHTTP(w, r)
		case path == "ca.crt":
			w.Header().Set("Content-Type", "application/pkix-cert")
			w.Write(g.issuer.Certificate.Raw)
		case path == "ocsp" || len(path) > 5 && path[:5] == "ocsp/":
			(&revocation.Responder{Clock: a.clock, Authorities: []revocation.Authority{
				{Issuer: g.issuer.Certificate, Identity: g.responder, Source: source{a, g.number}},
			}}).ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	}))
	mux.ServeHTTP(w, r)
}
