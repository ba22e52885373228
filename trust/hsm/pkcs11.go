//go:build pkcs11

package hsm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/pkcs11"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Token is a token that is logged in to. It is safe for concurrent use.
type Token struct {
	ctx   *pkcs11.Ctx
	slot  uint
	pin   string
	ours  bool                      // the library was initialised here
	free  chan pkcs11.SessionHandle // sessions that nobody uses; 0 stands for one that is not open yet
	count int

	once sync.Once
}

const (
	maxObjects     = 1000
	mechanismEdDSA = 0x1057 // CKM_EDDSA, of version 3.0
)

// Open loads the library of a device and logs in to a token.
func Open(o Options) (*Token, error) {
	ctx := pkcs11.New(o.Module)
	if ctx == nil {
		return nil, fmt.Errorf("hsm: %s cannot be loaded as a PKCS #11 library", o.Module)
	}
	if o.Sessions <= 0 {
		o.Sessions = 4
	}
	t := &Token{ctx: ctx, pin: o.PIN, count: o.Sessions, free: make(chan pkcs11.SessionHandle, o.Sessions)}
	err := ctx.Initialize()
	t.ours = err == nil
	if err != nil && !is(err, pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		ctx.Destroy()
		return nil, fmt.Errorf("hsm: %s: %w", o.Module, err)
	}
	if t.slot, err = t.find(o.Token); err == nil {
		var first pkcs11.SessionHandle
		if first, err = t.open(); err == nil {
			t.free <- first
			for range o.Sessions - 1 {
				t.free <- 0
			}
			return t, nil
		}
	}
	t.end()
	return nil, err
}

func is(err error, codes ...uint) bool {
	var e pkcs11.Error
	return errors.As(err, &e) && slices.Contains(codes, uint(e))
}

// find looks for a token by its label.
func (t *Token) find(label string) (uint, error) {
	slots, err := t.ctx.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("hsm: slots: %w", err)
	}
	var found []uint
	var labels []string
	for _, s := range slots {
		info, err := t.ctx.GetTokenInfo(s)
		if err != nil || info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 {
			continue
		}
		name := strings.TrimRight(info.Label, " \x00")
		labels = append(labels, name)
		if label == "" || label == name {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%w: %d tokens for %q; there are %q", ErrNotFound, len(found), label, labels)
	}
	return found[0], nil
}

// open opens a session and logs in; the login is for all sessions of the process.
func (t *Token) open() (pkcs11.SessionHandle, error) {
	s, err := t.ctx.OpenSession(t.slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return 0, fmt.Errorf("hsm: session: %w", err)
	}
	err = t.ctx.Login(s, pkcs11.CKU_USER, t.pin)
	switch {
	case err == nil, is(err, pkcs11.CKR_USER_ALREADY_LOGGED_IN):
		return s, nil
	case is(err, pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_LOCKED):
		err = fmt.Errorf("%w: %w", ErrPIN, err)
	default:
		err = fmt.Errorf("hsm: login: %w", err)
	}
	return 0, errors.Join(err, t.ctx.CloseSession(s))
}

// with lends a session. One that the device no longer knows is replaced once: devices on the network come and go.
func (t *Token) with(do func(pkcs11.SessionHandle) error) error {
	s, ok := <-t.free
	if !ok {
		return errors.New("hsm: the token is closed")
	}
	defer func() { t.free <- s }()
	for again := false; ; again = true {
		if s == 0 {
			var err error
			if s, err = t.open(); err != nil {
				return err
			}
		}
		err := do(s)
		if again || !is(err, pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_USER_NOT_LOGGED_IN,
			pkcs11.CKR_KEY_HANDLE_INVALID, pkcs11.CKR_OBJECT_HANDLE_INVALID, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_DEVICE_ERROR) {
			return err
		}
		_ = t.ctx.CloseSession(s) // it may be gone already
		s = 0
	}
}

// Close ends all sessions, after those who sign. Keys of the token do not sign any more.
func (t *Token) Close() error {
	t.once.Do(func() {
		for range t.count {
			if s := <-t.free; s != 0 {
				_ = t.ctx.CloseSession(s) // the device may be gone
			}
		}
		close(t.free)
		t.end()
	})
	return nil
}

func (t *Token) end() {
	if t.ours {
		_ = t.ctx.Finalize()
	}
	t.ctx.Destroy()
}

// objects finds objects of a class with further attributes.
func (t *Token) objects(s pkcs11.SessionHandle, class uint, more ...*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	if err := t.ctx.FindObjectsInit(s, append(more, pkcs11.NewAttribute(pkcs11.CKA_CLASS, class))); err != nil {
		return nil, err
	}
	var all []pkcs11.ObjectHandle
	for len(all) < maxObjects {
		some, _, err := t.ctx.FindObjects(s, 100)
		if err != nil {
			return nil, errors.Join(err, t.ctx.FindObjectsFinal(s))
		}
		if len(some) == 0 {
			break
		}
		all = append(all, some...)
	}
	return all, t.ctx.FindObjectsFinal(s)
}

// attribute reads one attribute; nil where the object has none.
func (t *Token) attribute(s pkcs11.SessionHandle, o pkcs11.ObjectHandle, kind uint) []byte {
	a, err := t.ctx.GetAttributeValue(s, o, []*pkcs11.Attribute{pkcs11.NewAttribute(kind, nil)})
	if err != nil || len(a) != 1 {
		return nil
	}
	return a[0].Value
}

// Labels lists the private keys.
func (t *Token) Labels() (labels []string, err error) {
	err = t.with(func(s pkcs11.SessionHandle) error {
		labels = nil
		keys, err := t.objects(s, pkcs11.CKO_PRIVATE_KEY)
		for _, k := range keys {
			labels = append(labels, string(t.attribute(s, k, pkcs11.CKA_LABEL)))
		}
		return err
	})
	return labels, err
}

// Identity finds a key by its label, with its certificate and chain; with label "" the only key. The certificate is the one on the
// token that has the identifier of the key.
func (t *Token) Identity(label string) (*pki.Identity, error) {
	k := &key{token: t}
	var certificates []*pki.Certificate
	var own *pki.Certificate
	err := t.with(func(s pkcs11.SessionHandle) error {
		var more []*pkcs11.Attribute
		if label != "" {
			more = append(more, pkcs11.NewAttribute(pkcs11.CKA_LABEL, label))
		}
		keys, err := t.objects(s, pkcs11.CKO_PRIVATE_KEY, more...)
		if err != nil {
			return err
		}
		if len(keys) != 1 {
			return fmt.Errorf("%w: %d private keys for %q", ErrNotFound, len(keys), label)
		}
		k.id = t.attribute(s, keys[0], pkcs11.CKA_ID)
		k.always = slices.Contains(t.attribute(s, keys[0], pkcs11.CKA_ALWAYS_AUTHENTICATE), 1)
		objects, err := t.objects(s, pkcs11.CKO_CERTIFICATE)
		if err != nil {
			return err
		}
		for _, o := range objects {
			c, err := pki.ParseCertificate(t.attribute(s, o, pkcs11.CKA_VALUE))
			if err != nil {
				continue // others' certificates may be of any kind
			}
			certificates = append(certificates, c)
			if string(t.attribute(s, o, pkcs11.CKA_ID)) == string(k.id) {
				own = c
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(k.id) == 0 || own == nil || own.PublicKey == nil:
		return nil, fmt.Errorf("%w: no certificate for the key %q", ErrNotFound, label)
	}
	k.public = own.PublicKey
	return &pki.Identity{Key: k, Certificate: own, Chain: chain(own, certificates)}, nil
}

// chain are the issuers of a certificate, as far as they are there.
func chain(c *pki.Certificate, all []*pki.Certificate) (out []*pki.Certificate) {
	for !c.SelfIssued() && len(out) < 10 {
		i := slices.IndexFunc(all, func(x *pki.Certificate) bool { return c.CheckSignatureFrom(x) == nil })
		if i < 0 || slices.Contains(out, all[i]) {
			break
		}
		c = all[i]
		out = append(out, c)
	}
	return out
}

// key is a private key on the token.
type key struct {
	token  *Token
	id     []byte
	public crypto.PublicKey
	always bool // the device wants the PIN for each signature
}

// Public implements [pki.Key].
func (k *key) Public() crypto.PublicKey { return k.public }

// Sign implements [crypto.Signer].
func (k *key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) (out []byte, err error) {
	mechanism, data, err := k.mechanism(digest, opts)
	if err != nil {
		return nil, err
	}
	err = k.token.with(func(s pkcs11.SessionHandle) error {
		t := k.token
		keys, err := t.objects(s, pkcs11.CKO_PRIVATE_KEY, pkcs11.NewAttribute(pkcs11.CKA_ID, k.id))
		if err != nil {
			return err
		}
		if len(keys) != 1 {
			return fmt.Errorf("%w: %d keys with the identifier %x", ErrNotFound, len(keys), k.id)
		}
		if err := t.ctx.SignInit(s, []*pkcs11.Mechanism{mechanism}, keys[0]); err != nil {
			return fmt.Errorf("hsm: sign: %w", err)
		}
		if k.always {
			if err := t.ctx.Login(s, pkcs11.CKU_CONTEXT_SPECIFIC, t.pin); err != nil {
				return fmt.Errorf("%w: %w", ErrPIN, err)
			}
		}
		if out, err = t.ctx.Sign(s, data); err != nil {
			return fmt.Errorf("hsm: sign: %w", err)
		}
		return nil
	})
	if _, ec := k.public.(*ecdsa.PublicKey); err != nil || !ec {
		return out, err
	}
	return sequence(out)
}

// sequence makes SEQUENCE { r, s } of r||s [PKCS11 2.3.1].
func sequence(pair []byte) ([]byte, error) {
	if len(pair) == 0 || len(pair)%2 != 0 {
		return nil, fmt.Errorf("hsm: %d octets are no ECDSA signature", len(pair))
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(pair[:len(pair)/2]))
		b.AddASN1BigInt(new(big.Int).SetBytes(pair[len(pair)/2:]))
	})
	return b.Bytes()
}

// pssHashes are the hashes of RSA-PSS with their mask generation functions [PKCS11 2.1.7].
var pssHashes = map[crypto.Hash][2]uint{
	crypto.SHA256: {pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256}, crypto.SHA384: {pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384},
	crypto.SHA512: {pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512},
}

// mechanism says how to sign, and what: for RSA PKCS #1 v1.5 the hash with its name, for Ed25519 the message.
func (k *key) mechanism(digest []byte, opts crypto.SignerOpts) (*pkcs11.Mechanism, []byte, error) {
	hash := opts.HashFunc()
	if hash != 0 && len(digest) != hash.Size() {
		return nil, nil, fmt.Errorf("hsm: %d octets are no %s", len(digest), hash)
	}
	switch k.public.(type) {
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			names, known := pssHashes[hash]
			if !known || pss.SaltLength != rsa.PSSSaltLengthEqualsHash && pss.SaltLength != hash.Size() {
				return nil, nil, fmt.Errorf("hsm: RSA-PSS with %s and that salt is not supported", hash)
			}
			return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_PSS, pkcs11.NewPSSParams(names[0], names[1], uint(hash.Size()))), digest, nil
		}
		oid := pki.OIDByHash(hash)
		if oid == "" {
			return nil, nil, errors.New("hsm: RSA signs hashes, not messages")
		}
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // DigestInfo [RFC 8017 9.2]
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				pki.AddOID(b, oid)
				b.AddASN1NULL()
			})
			b.AddASN1OctetString(digest)
		})
		info, err := b.Bytes()
		return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil), info, err
	case *ecdsa.PublicKey:
		if hash == 0 {
			return nil, nil, errors.New("hsm: ECDSA signs hashes, not messages")
		}
		return pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil), digest, nil
	case ed25519.PublicKey:
		return pkcs11.NewMechanism(mechanismEdDSA, nil), digest, nil
	}
	return nil, nil, fmt.Errorf("hsm: a key of type %T does not sign", k.public)
}
