package node

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/console"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// KeyUse is one of the two uses of a node's keys that are planned.
type KeyUse string

// Uses.
const (
	KeySigning    KeyUse = "signing"
	KeyEncryption KeyUse = "encryption"
)

// Overlap is how long the next key is published before it signs, unless somebody says otherwise: partners that look
// certificates up have both by then, and the others had the time to enter the next one.
const Overlap = 14 * 24 * time.Hour

var (
	// ErrNoRequest says that a request cannot be made for a kind of key.
	ErrNoRequest = errors.New("node: no certificate request can be made for this kind of key")
	// ErrKeyPlan refuses a key or certificate that could not take over.
	ErrKeyPlan = errors.New("node: the key cannot take over")
)

// ConfiguredKeys are the keys of a configuration with what each is for at a time.
func ConfiguredKeys(c *config.Config, now time.Time) ([]console.Certificate, error) {
	k, err := loadKeys(c)
	if err != nil {
		return nil, err
	}
	out := k.certificates(now)
	if c.SMP.Signing.Key != "" {
		out = append(out, certificate(console.UsePublisher, "", k.smp.Certificate))
	}
	return out, nil
}

// newest is the last key of a use, which the next one follows.
func newest(c *config.Config, use KeyUse) (*pki.Identity, error) {
	k, err := loadKeys(c)
	if err != nil {
		return nil, err
	}
	switch {
	case use == KeySigning:
		return k.sign[len(k.sign)-1].Identity, nil
	case use == KeyEncryption && k.single:
		return nil, fmt.Errorf("%w: without as4.encryption partners encrypt for the signing key: renew that one", ErrKeyPlan)
	case use == KeyEncryption:
		return k.encrypt[len(k.encrypt)-1].Identity, nil
	}
	return nil, fmt.Errorf("%w: there is no use %q: signing or encryption", ErrKeyPlan, use)
}

// KeyRequest is a key that was made, with what its authority needs.
type KeyRequest struct {
	Key       string // file
	Request   string // file with a request (PKCS #10); empty where the key cannot sign one
	PublicKey string // file with the public key, in its place
	Subject   string // for the certificate
}

// RequestKey makes a key like the one that it is to follow and a request for its certificate, for the same subject, beside
// it. X25519 signs nothing: its public key is written instead.
func RequestKey(c *config.Config, use KeyUse, now time.Time) (*KeyRequest, error) {
	old, err := newest(c, use)
	if err != nil {
		return nil, err
	}
	alg, err := keyLike(old.Certificate.PublicKey)
	if err != nil {
		return nil, err
	}
	key, err := pki.GenerateKey(rand.Reader, alg)
	if err != nil {
		return nil, err
	}
	der, err := pki.MarshalPrivateKey(key)
	if err != nil {
		return nil, err
	}
	base := filepath.Join(filepath.Dir(string(c.AS4.Signing.Key)), string(use)+"-"+now.UTC().Format("20060102-150405"))
	r := &KeyRequest{Key: base + ".key", Subject: old.Certificate.Subject.String()}
	file, kind := &r.Request, "CERTIFICATE REQUEST"
	var octets []byte
	if alg == pki.X25519 {
		file, kind = &r.PublicKey, "PUBLIC KEY"
		*file = base + ".pub"
		octets, err = pki.MarshalPublicKey(key.Public())
	} else {
		*file = base + ".csr"
		octets, err = pki.CreateRequest(rand.Reader, old.Certificate.RawSubject, old.Certificate.DNSNames, key)
	}
	if err != nil {
		return nil, err
	}
	if err := writeNew(r.Key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))); err != nil {
		return nil, err
	}
	return r, os.WriteFile(*file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: octets}), 0o644)
}

// keyLike is the kind of a new key that follows one.
func keyLike(public crypto.PublicKey) (pki.KeyAlgorithm, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		switch bits := k.N.BitLen(); {
		case bits <= 2048:
			return pki.RSA2048, nil
		case bits <= 3072:
			return pki.RSA3072, nil
		}
		return pki.RSA4096, nil
	case *ecdsa.PublicKey:
		for name, alg := range map[string]pki.KeyAlgorithm{
			"P-256": pki.P256, "P-384": pki.P384, "P-521": pki.P521,
			"brainpoolP256r1": pki.BrainpoolP256r1, "brainpoolP384r1": pki.BrainpoolP384r1, "brainpoolP512r1": pki.BrainpoolP512r1,
		} {
			if k.Curve.Params().Name == name {
				return alg, nil
			}
		}
	case ed25519.PublicKey:
		return pki.Ed25519, nil
	case *ecdh.PublicKey:
		return pki.X25519, nil
	}
	return "", ErrNoRequest
}

// PlannedKey is a key that is to take over.
type PlannedKey struct {
	Key      string // file; empty: the one of a request that fits the certificate
	Password config.Secret
	// Certificate is the file that the authority sent, with its chain or without; empty when it is in the key's file.
	Certificate string
	Publish     time.Time // zero: now
	Activate    time.Time // zero: after [Overlap]
}

// PlanKey enters a key into the plan of the configuration, after looking whether it can take over: key and certificate
// belong together, authorities of the configuration vouch for it, and it is valid when it is to sign.
func PlanKey(c *config.Config, use KeyUse, p PlannedKey, now time.Time) (*pki.Certificate, config.Successor, error) {
	var s config.Successor
	old, err := newest(c, use)
	if err != nil {
		return nil, s, err
	}
	if p.Publish.IsZero() {
		p.Publish = now.UTC().Truncate(time.Second)
	}
	if p.Activate.IsZero() {
		p.Activate = p.Publish.Add(Overlap)
	}
	if p.Key == "" {
		if p.Key, err = requestedKey(c, use, p.Certificate); err != nil {
			return nil, s, err
		}
	}
	if s.Key, err = absolute(p.Key); err != nil {
		return nil, s, err
	}
	s.Password, s.Publish, s.Activate = p.Password, config.Time(p.Publish), config.Time(p.Activate)
	if p.Certificate != "" {
		if s.Certificate, err = absolute(p.Certificate); err != nil {
			return nil, s, err
		}
	}
	id, err := loadIdentity(c, "as4.rollover", s.Identity())
	if err != nil {
		return nil, s, fmt.Errorf("%w: %w", ErrKeyPlan, err)
	}
	refuse := func(format string, args ...any) (*pki.Certificate, config.Successor, error) {
		return nil, s, fmt.Errorf("%w: "+format, append([]any{ErrKeyPlan}, args...)...)
	}
	switch {
	case id.Certificate.Equal(old.Certificate):
		return refuse("it is the one in use")
	case p.Publish.After(p.Activate):
		return refuse("it is to be published, %s, before it signs, %s", config.Time(p.Publish), config.Time(p.Activate))
	case !p.Activate.Before(id.Certificate.NotAfter):
		return refuse("its certificate ends on %s, before it takes over", date(id.Certificate.NotAfter))
	case p.Activate.Before(id.Certificate.NotBefore):
		return refuse("its certificate is not valid before %s", date(id.Certificate.NotBefore))
	case keyName(id.Certificate.PublicKey)[:2] != keyName(old.Certificate.PublicKey)[:2]:
		return refuse("the profile works with a key of the kind %s, not %s", keyName(old.Certificate.PublicKey), keyName(id.Certificate.PublicKey))
	}
	trust, err := loadTrust(c, func() time.Time { return p.Activate })
	if err != nil {
		return nil, s, err
	}
	verify := trust.VerifyContext
	if use == KeyEncryption {
		verify = trust.VerifyRecipient
	}
	if _, err := verify(context.Background(), id.Certificate, id.Chain, pki.PurposeAccessPoint); err != nil {
		return refuse("%w", err)
	}
	if s.Certificate != "" { // the file that came by mail is soon gone
		kept := string(s.Key[:len(s.Key)-len(filepath.Ext(string(s.Key)))]) + ".crt"
		if kept != string(s.Certificate) {
			b, err := readFile(s.Certificate)
			if err == nil {
				err = os.WriteFile(kept, b, 0o644)
			}
			if err != nil {
				return nil, s, err
			}
			s.Certificate = config.Path(kept)
		}
	}
	plan, err := c.Rollover()
	if err != nil {
		return nil, s, err
	}
	list := &plan.Signing
	if use == KeyEncryption {
		list = &plan.Encryption
	}
	if n := len(*list); n > 0 && !p.Activate.After((*list)[n-1].Activate.T()) {
		return refuse("the one before it takes over on %s: this one must come later", (*list)[n-1].Activate)
	}
	*list = append(*list, s)
	return id.Certificate, s, plan.Write()
}

// requestedKey finds the key of a request that a certificate answers.
func requestedKey(c *config.Config, use KeyUse, certFile string) (string, error) {
	if certFile == "" {
		return "", fmt.Errorf("%w: neither key nor certificate is named", ErrKeyPlan)
	}
	b, err := os.ReadFile(certFile)
	if err != nil {
		return "", err
	}
	certs, err := parseCertificates(b)
	if err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrKeyPlan, certFile, err)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(string(c.AS4.Signing.Key)), string(use)+"-*.key"))
	if err != nil {
		return "", err
	}
	for _, f := range slices.Backward(files) {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		if _, err := pki.LoadIdentity(bytes.Join([][]byte{b, pki.MarshalPEM(certs...)}, []byte("\n")), ""); err == nil {
			return f, nil
		}
	}
	return "", fmt.Errorf("%w: no key of a request belongs to the certificate in %s", ErrKeyPlan, certFile)
}

// ActivateKey lets the next key of a use take over at a time. It returns when it was to.
func ActivateKey(c *config.Config, use KeyUse, at, now time.Time) (was time.Time, err error) {
	plan, err := c.Rollover()
	if err != nil {
		return was, err
	}
	list := plan.Signing
	if use == KeyEncryption {
		list = plan.Encryption
	}
	i := slices.IndexFunc(list, func(s config.Successor) bool { return now.Before(s.Activate.T()) })
	if i < 0 {
		return was, fmt.Errorf("%w: no key waits to take over", ErrKeyPlan)
	}
	was = list[i].Activate.T()
	if i > 0 && !at.After(list[i-1].Activate.T()) {
		return was, fmt.Errorf("%w: the one before it took over on %s", ErrKeyPlan, list[i-1].Activate)
	}
	if i+1 < len(list) && !at.Before(list[i+1].Activate.T()) {
		return was, fmt.Errorf("%w: the one after it takes over on %s", ErrKeyPlan, list[i+1].Activate)
	}
	id, err := loadIdentity(c, "as4.rollover", list[i].Identity())
	if err != nil {
		return was, err
	}
	if at.Before(id.Certificate.NotBefore) || !at.Before(id.Certificate.NotAfter) {
		return was, fmt.Errorf("%w: its certificate is valid from %s to %s", ErrKeyPlan, date(id.Certificate.NotBefore), date(id.Certificate.NotAfter))
	}
	list[i].Activate = config.Time(at)
	if at.Before(list[i].Publish.T()) {
		list[i].Publish = config.Time(at)
	}
	return was, plan.Write()
}

func absolute(file string) (config.Path, error) {
	abs, err := filepath.Abs(file)
	return config.Path(abs), err
}
