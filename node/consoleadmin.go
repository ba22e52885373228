package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/viadukt-eu/viadukt/node/console"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// post takes messages from the console.
type post struct{ *Node }

func (n post) Domains() (out []string) {
	for name := range n.submitters {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (n post) Send(ctx context.Context, l *console.Letter) (int64, error) {
	m, err := n.Accept(ctx, submissionOf(l))
	return numberOf(m, err)
}

func (n post) Reply(ctx context.Context, request int64, l *console.Letter) (int64, error) {
	to, err := n.Store.Message(ctx, request)
	if err != nil {
		return 0, err
	}
	m, err := n.Node.Reply(ctx, to, submissionOf(l))
	return numberOf(m, err)
}

func submissionOf(l *console.Letter) *Submission {
	parts := l.Parts
	return &Submission{
		PMode: l.Agreement, Domain: l.Domain, Sender: l.Sender, Receiver: l.Receiver, Service: l.Service, Action: l.Action,
		Next: func() (*SubmissionPart, error) {
			if len(parts) == 0 {
				return nil, io.EOF
			}
			p := parts[0]
			parts = parts[1:]
			return &SubmissionPart{Name: p.Name, MimeType: p.MimeType, Body: p.Body}, nil
		},
	}
}

func numberOf(m *store.Message, err error) (int64, error) {
	var r *RefusedError
	if errors.As(err, &r) {
		return 0, &console.Refused{Problem: store.Problem{Code: r.Code, Text: r.Text, Remedy: r.Remedy}}
	}
	if err != nil {
		return 0, err
	}
	return m.ID, nil
}

// tokens are those of the API for the console.
type tokens struct{ *Node }

func (tokens) Scopes() []string { return Scopes }

func (n tokens) Tokens(ctx context.Context) (out []console.Token, err error) {
	all, err := n.Store.ListTokens(ctx)
	for i := range all {
		t := tokenJSON(&all[i])
		out = append(out, console.Token{Name: t.Name, Scopes: t.Scopes, Created: t.Created, Expires: all[i].Expires, Configured: t.Configured})
	}
	return out, err
}

func (n tokens) MakeToken(ctx context.Context, name string, scopes []string) (secret string, err error) {
	err = n.Store.Write(ctx, func(tx store.Tx) error {
		made, err := MakeToken(tx, NewTokenJSON{Name: name, Scopes: scopes}, n.Clock())
		if err == nil {
			secret = made.Secret
		}
		return err
	})
	if errors.Is(err, ErrToken) {
		err = refused("TOKEN", err)
	}
	return secret, err
}

func (n tokens) DropToken(ctx context.Context, name string) error {
	return n.Store.Write(ctx, func(tx store.Tx) error { return DropToken(tx, name) })
}

// trustStores are both for the console.
type trustStores struct{ *Node }

func (n trustStores) Trusted(ctx context.Context) (out []console.Trusted, err error) {
	for _, s := range []TrustStore{TrustMessages, TrustTLS} {
		list, err := n.TrustEntries(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			out = append(out, console.Trusted{Store: string(s), Alias: e.Alias, Certificate: certificate(console.UseAuthority, e.Alias, e.Certificate)})
		}
	}
	return out, nil
}

func (n trustStores) Trust(ctx context.Context, name, alias string, octets []byte) error {
	err := n.trustAs(ctx, name, alias, octets)
	if errors.Is(err, ErrImport) {
		err = refused("TRUST", err)
	}
	return err
}

func (n trustStores) Distrust(ctx context.Context, name, alias string) error {
	return n.DropTrust(ctx, TrustStore(name), alias)
}

// trustAs puts the certificate of a file into a trust store; [ErrImport] when it is none.
func (n *Node) trustAs(ctx context.Context, name, alias string, octets []byte) error {
	s := TrustStore(name)
	if s != TrustMessages && s != TrustTLS {
		return fmt.Errorf("%w: there is no trust store %.20q; there are %s and %s", ErrImport, name, TrustMessages, TrustTLS)
	}
	certs, err := pki.LoadCertificates(octets, "")
	if err != nil || len(certs) != 1 {
		return fmt.Errorf("%w: the file must hold one certificate, as PEM or DER", ErrImport)
	}
	return n.PutTrust(ctx, s, alias, certs[0])
}
