package main

import (
	"crypto"
	"errors"
	"io"
	"os"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// elsewhere is a key that is not here: signing takes two steps, and between them somebody signs a digest.
type elsewhere struct {
	certificate *pki.Certificate
	value       []byte // of the second step; nil in the first
	digest      []byte // what is to be signed
	hash        crypto.Hash
}

// errUnsigned ends the first step.
var errUnsigned = errors.New("the digest is to be signed elsewhere")

// Public implements crypto.Signer.
func (e *elsewhere) Public() crypto.PublicKey { return e.certificate.PublicKey }

// Sign implements crypto.Signer. Whoever asks verifies the value.
func (e *elsewhere) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if e.value == nil {
		e.digest, e.hash = digest, opts.HashFunc()
		return nil, errUnsigned
	}
	return e.value, nil
}

// elsewhereFlags are those of two steps: what is written in the first and read in the second.
type elsewhereFlags struct{ certificate, digest, value, at *string }

func (c *call) elsewhereFlags() *elsewhereFlags {
	return &elsewhereFlags{
		c.String("certificate", "", "`file` with your certificate and its chain, where the key signs elsewhere, in two steps; in place of --key"),
		c.String("digest-out", "", "first step: write what is to be signed to this `file`"),
		c.String("value", "", "second step: `file` with the signature value over it, RSA or ECDSA in DER"),
		c.String("signing-time", "", "`time` of signing, such as 2026-05-04T09:30:00Z: the same in both steps; default: now"),
	}
}

// time is when one signs: to the second, so that it can be told and said again.
func (f *elsewhereFlags) time() (time.Time, error) {
	if *f.at == "" {
		return time.Now().UTC().Truncate(time.Second), nil
	}
	at, err := time.Parse(time.RFC3339, *f.at)
	if err != nil {
		return at, usage("--signing-time: %q is no time such as 2026-05-04T09:30:00Z", *f.at)
	}
	return at, nil
}

// identity is that of a key elsewhere; nil where none is meant.
func (f *elsewhereFlags) identity() (*pki.Identity, error) {
	if *f.certificate == "" {
		if *f.digest != "" || *f.value != "" {
			return nil, usage("--digest-out and --value go with --certificate")
		}
		return nil, nil
	}
	if (*f.digest == "") == (*f.value == "") {
		return nil, usage("--certificate: signing takes two steps, one with --digest-out and one with --value")
	}
	if *f.value != "" && *f.at == "" {
		return nil, usage("--value needs --signing-time as the first step told it")
	}
	b, err := os.ReadFile(*f.certificate)
	if err != nil {
		return nil, usage("--certificate: %v", err)
	}
	certs, err := pki.LoadCertificates(b, "")
	if err == nil && len(certs) == 0 {
		err = errors.New("it holds no certificate")
	}
	if err != nil {
		return nil, usage("--certificate: %s: %v", *f.certificate, err)
	}
	key := &elsewhere{certificate: certs[0]}
	if *f.value != "" {
		if key.value, err = os.ReadFile(*f.value); err != nil {
			return nil, usage("--value: %v", err)
		}
	}
	return &pki.Identity{Certificate: certs[0], Chain: certs[1:], Key: key}, nil
}

// hand writes what the first step made.
func (f *elsewhereFlags) hand(c *call, id *pki.Identity, at time.Time) error {
	key := id.Key.(*elsewhere)
	if err := writeWhole(*f.digest, key.digest); err != nil {
		return err
	}
	what, hash := "octets to be signed with Ed25519, not hashed", ""
	if key.hash != 0 {
		hash = key.hash.String()
		what = "the " + hash + " to be signed"
	}
	when := at.UTC().Format(time.RFC3339)
	if c.json {
		return c.print(struct {
			Out         string `json:"out"`
			Hash        string `json:"hash,omitempty"`
			Digest      []byte `json:"digest"`
			SigningTime string `json:"signingTime"`
		}{*f.digest, hash, key.digest, when})
	}
	c.printf("%s: %s; then the same with --value and --signing-time %s in place of --digest-out\n", *f.digest, what, when)
	return nil
}
