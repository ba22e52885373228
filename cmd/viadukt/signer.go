package main

import (
	"context"
	"crypto"
	"errors"
	"os"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/csc"
	"github.com/viadukt-eu/viadukt/trust/hsm"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// signerFlags say whose key signs: one in a file, on a device, or one that a service holds.
func (c *call) signerFlags() func(context.Context) (*pki.Identity, error) {
	key := c.String("key", "", "PEM or PKCS#12 `file` with your key and certificate")
	var password, access, pin config.Secret
	c.TextVar(&password, "password", config.Secret{}, "where the password of the key file, or of --csc-user, is: file:PATH or env:NAME, a `place`")
	address := c.String("csc", "", "`address` of a service that holds your key and speaks the API of the Cloud Signature Consortium, such as https://sign.example.eu/csc/v2; in place of --key")
	credential := c.String("credential", "", "which key at --csc or --pkcs11, an `identifier`; default: the only one")
	module := c.String("pkcs11", "", "PKCS #11 library of a device that holds your key, a `file`; in place of --key")
	token := c.String("token", "", "`label` of the token at --pkcs11; default: the only one")
	user := c.String("csc-user", "", "your `name` at --csc, with --password")
	c.TextVar(&access, "csc-token", config.Secret{}, "where your access token for --csc is, in place of --csc-user: file:PATH or env:NAME, a `place`")
	c.TextVar(&pin, "pin", config.Secret{}, "where the PIN of --csc or --pkcs11 is: file:PATH or env:NAME, a `place`")
	return func(ctx context.Context) (*pki.Identity, error) {
		given := 0
		for _, place := range []string{*key, *address, *module} {
			if place != "" {
				given++
			}
		}
		secret := func(flag string, s config.Secret) (string, error) {
			if s.IsZero() {
				return "", nil
			}
			value, err := s.Read()
			if err != nil {
				return "", usage("--%s: %v", flag, err)
			}
			return value, nil
		}
		switch {
		case given == 0:
			return nil, usage("--key is missing: the file with your key and certificate")
		case given > 1:
			return nil, usage("--key, --csc, --pkcs11: one of them signs")
		case *key != "":
			return loadSigner(*key, password)
		}
		code, err := secret("pin", pin)
		if err != nil {
			return nil, err
		}
		if *module != "" {
			return onToken(hsm.Options{Module: *module, Token: *token, PIN: code, Sessions: 1}, *credential)
		}
		client := &csc.Client{URL: *address, User: *user}
		switch {
		case !access.IsZero():
			value, err := secret("csc-token", access)
			if err != nil {
				return nil, err
			}
			client.Token = csc.Bearer(value)
		case *user == "" || password.IsZero():
			return nil, usage("--csc needs --csc-token, or --csc-user and --password")
		default:
			if client.Password, err = secret("password", password); err != nil {
				return nil, err
			}
		}
		k, err := csc.OpenKey(ctx, client, *credential)
		if err != nil {
			return nil, serviceError(*address, err)
		}
		if code != "" {
			k.AuthData = csc.Secrets(csc.AuthData{ID: "PIN", Value: code})
		}
		return k.Identity(), nil
	}
}

// onToken finds a key on a device. The token stays open until the program ends.
func onToken(o hsm.Options, label string) (*pki.Identity, error) {
	t, err := hsm.Open(o)
	if err != nil {
		status := statusFailed
		if errors.Is(err, hsm.ErrNotBuilt) {
			status = statusUsage
		}
		return nil, &exit{status: status, Code: "NO_TOKEN", Text: err.Error(), Where: o.Module}
	}
	id, err := t.Identity(label)
	if errors.Is(err, hsm.ErrNotFound) {
		labels, _ := t.Labels()
		return nil, usage("--credential: %v; there are %q", err, labels)
	}
	return id, err
}

// serviceError says whether the service refused, or could not be asked.
func serviceError(address string, err error) error {
	x := &exit{status: statusFailed, Code: "NO_SERVICE", Text: err.Error(), Where: address, Remedy: "is the address right, and does the service run?"}
	if refused := new(csc.Error); errors.As(err, &refused) {
		x.Code, x.Remedy = refused.Code, "ask the service what it wants"
	}
	return x
}

func loadSigner(file string, password config.Secret) (*pki.Identity, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, usage("--key: %v", err)
	}
	secret := ""
	if !password.IsZero() {
		if secret, err = password.Read(); err != nil {
			return nil, usage("--password: %v", err)
		}
	}
	id, err := pki.LoadIdentity(b, secret)
	if errors.Is(err, pki.ErrPassword) && password.IsZero() {
		return nil, usage("--key: %s is locked: --password says where its password is", file)
	}
	if err != nil {
		return nil, usage("--key: %s: %v", file, err)
	}
	if _, ok := id.Key.(crypto.Signer); !ok {
		return nil, usage("--key: the key in %s cannot sign", file)
	}
	return id, nil
}
