package jades

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

var now = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

// world is an authority with a signer and an authority for time.
type world struct {
	ca     *pki.Authority
	signer *pki.Identity
	tsa    *tsp.Responder
	crl    []byte
}

func newWorld(tb testing.TB, alg pki.KeyAlgorithm) *world {
	tb.Helper()
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, now.AddDate(-2, 0, 0), 20)
	must(err)
	w := &world{ca: ca}
	w.signer, err = ca.Issue(pki.Template{CommonName: "Ada Signer", Algorithm: alg})
	must(err)
	unit, err := ca.Issue(pki.Template{CommonName: "Own TSA", ExtKeyUsage: []pki.OID{pki.EKUTimeStamping}})
	must(err)
	w.tsa = &tsp.Responder{Identity: unit, Policy: "1.2.3.4", Clock: func() (time.Time, error) { return now, nil }}
	w.crl, err = ca.CRL(nil, now)
	must(err)
	return w
}

func (w *world) extension(documents []xades.Document) Extension {
	return Extension{Stamper: w.tsa, Documents: documents, Collect: func(context.Context, []*pki.Certificate, []*pki.Certificate) (revocation.Material, error) {
		return revocation.Material{Certificates: []*pki.Certificate{w.ca.Certificate}, CRLs: [][]byte{w.crl}}, nil
	}}
}

var order = []xades.Document{xades.Bytes("order.json", "application/json", []byte(`{"item":"täglich"}`))}

// sign signs, at a level.
func (w *world) sign(tb testing.TB, documents []xades.Document, p Params, level Level) []byte {
	tb.Helper()
	p.Time = now
	m, err := Sign(nil, w.signer, documents, p)
	if err != nil {
		tb.Fatal(err)
	}
	if level != LevelB {
		x := w.extension(documents)
		x.HTTP = p.HTTP
		if err := m.Signatures[0].Extend(tb.Context(), level, x); err != nil {
			tb.Fatal(err)
		}
	}
	b, err := m.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// problem is the first thing that does not hold of a message; nil: all of it does.
func problem(b []byte, opt CheckOptions) error {
	m, err := Parse(b)
	if err != nil {
		return err
	}
	for _, s := range m.Signatures {
		if err := problemOf(s, opt); err != nil {
			return err
		}
	}
	return nil
}

func problemOf(s *Signature, opt CheckOptions) error {
	c := s.Check(opt)
	for _, err := range append(append([]error{c.ValueErr, c.CounterErr}, c.Faults...), c.Unreadable...) {
		if err != nil {
			return err
		}
	}
	for _, r := range c.References {
		if r.Err != nil {
			return r.Err
		}
	}
	for _, t := range c.TimeStamps {
		if t.Err != nil {
			return t.Err
		}
		sum := t.Token.Info.Hash.New()
		if err := c.WriteImprint(sum, t); err != nil {
			return err
		}
		if string(sum.Sum(nil)) != string(t.Token.Info.Imprint) {
			return ErrDigest
		}
	}
	for _, x := range s.CounterSignatures {
		if err := problemOf(x, opt); err != nil {
			return err
		}
	}
	return nil
}
