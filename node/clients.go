package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/console"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// client is who is known by the certificate of the connection.
type client struct {
	config.Client
	raw     []byte // of the certificate; nil: the subject decides
	subject string
}

// loadClients reads who is known by a certificate.
func loadClients(c *config.Config) (out []client, err error) {
	for i, k := range c.API.Clients {
		known := client{Client: k}
		if k.Certificate != "" {
			b, err := readFile(k.Certificate)
			if err != nil {
				return nil, c.Problem("api.clients", "[%d].certificate: %v", i, err)
			}
			certs, err := parseCertificates(b)
			if err != nil {
				return nil, c.Problem("api.clients", "[%d].certificate: %v", i, err)
			}
			known.raw = certs[0].Raw
		} else {
			name, err := pki.ParseName(k.Subject)
			if err != nil {
				return nil, c.Problem("api.clients", "[%d].subject: %v", i, err)
			}
			known.subject = name.String()
		}
		out = append(out, known)
	}
	return out, nil
}

// clientOf finds who calls by the certificate of the connection; nil when that is nobody's. The listener took only
// certificates below api.tls.clientCA.
func (n *Node) clientOf(r *http.Request) *client {
	known := n.clients.Load()
	if known == nil || len(*known) == 0 || r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return nil
	}
	leaf := r.TLS.PeerCertificates[0]
	if n.Clock().After(leaf.NotAfter) { // a connection may outlive the certificate
		return nil
	}
	subject := ""
	for i := range *known {
		k := &(*known)[i]
		if k.raw != nil {
			if bytes.Equal(k.raw, leaf.Raw) {
				return k
			}
			continue
		}
		if subject == "" {
			c, err := pki.ParseCertificate(leaf.Raw)
			if err != nil {
				return nil
			}
			subject = c.Subject.String()
		}
		if k.subject == subject {
			return k
		}
	}
	return nil
}

// allowed reports whether a client may make a call that needs one of the scopes.
func (k *client) allowed(scopes []string) bool {
	return slices.ContainsFunc(k.Scopes, func(s string) bool { return s == scopeAdmin || slices.Contains(scopes, s) })
}

// putClients makes the users of the console that the configuration knows by a certificate, with the role that they have
// there. They have no password that anybody knows.
func (n *Node) putClients(ctx context.Context) error {
	ctx = store.WithActor(ctx, "configuration")
	for _, k := range n.Config.API.Clients {
		if k.Role == "" {
			continue
		}
		u, err := n.Store.User(ctx, k.Name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil && u.Role == k.Role {
			continue
		}
		hash := ""
		if u == nil {
			hash = console.HashPassword(rand.Text())
		}
		err = n.Store.Write(ctx, func(tx store.Tx) error {
			if hash != "" {
				return console.AddKnownUser(tx, k.Name, console.Role(k.Role), hash)
			}
			return console.SetRole(tx, k.Name, console.Role(k.Role))
		})
		if err != nil {
			return fmt.Errorf("node: api.clients: %s: %w", k.Name, err)
		}
	}
	return nil
}
