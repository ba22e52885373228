package csc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Key is a key that a service holds. It is a [crypto.Signer], so that everything that signs takes it.
type Key struct {
	Client     *Client
	Credential *Credential
	// AuthData are the secrets that the service asks for: a PIN, a one-time password. Nil: there are none, or they are not needed.
	AuthData func(ctx context.Context, ask []AuthObject) ([]AuthData, error)

	certificate *pki.Certificate
	chain       []*pki.Certificate
}

// Secrets are AuthData that do not change, such as a PIN.
func Secrets(data ...AuthData) func(context.Context, []AuthObject) ([]AuthData, error) {
	return func(context.Context, []AuthObject) ([]AuthData, error) { return data, nil }
}

// OpenKey asks a service about a key; with id "" about the only one that the caller may use.
func OpenKey(ctx context.Context, c *Client, id string) (*Key, error) {
	if id == "" {
		ids, err := c.Credentials(ctx)
		if err != nil {
			return nil, err
		}
		if len(ids) != 1 {
			return nil, fmt.Errorf("csc: %d keys where one is wanted: %q", len(ids), ids)
		}
		id = ids[0]
	}
	credential, err := c.Credential(ctx, id)
	if err != nil {
		return nil, err
	}
	k := &Key{Client: c, Credential: credential}
	for _, der := range credential.Cert.Certificates {
		cert, err := pki.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%w: a certificate of %q: %w", ErrFormat, id, err)
		}
		k.chain = append(k.chain, cert)
	}
	if len(k.chain) == 0 || k.chain[0].PublicKey == nil {
		return nil, fmt.Errorf("%w: %q without a certificate whose key is known", ErrFormat, id)
	}
	k.certificate, k.chain = k.chain[0], k.chain[1:]
	if credential.Key.Status == "disabled" {
		return nil, fmt.Errorf("csc: key %q is disabled", id)
	}
	return k, nil
}

// Identity is the key with its certificate and chain.
func (k *Key) Identity() *pki.Identity {
	return &pki.Identity{Key: k, Certificate: k.certificate, Chain: k.chain}
}

// Public implements [pki.Key].
func (k *Key) Public() crypto.PublicKey { return k.certificate.PublicKey }

// Sign implements [crypto.Signer]: RSA PKCS #1 v1.5, PSS with a salt as long as the hash, ECDSA. The time-out is that of the client.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	out, err := k.SignDigests(context.Background(), [][]byte{digest}, opts)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// SignDigests signs several hashes with one authorisation. Each signature is held against the certificate before it is returned.
func (k *Key) SignDigests(ctx context.Context, digests [][]byte, opts crypto.SignerOpts) ([][]byte, error) {
	alg, err := k.algorithm(opts)
	if err != nil {
		return nil, err
	}
	for _, d := range digests {
		if len(d) != alg.Hash.Size() {
			return nil, fmt.Errorf("csc: %d octets are no %s", len(d), alg.Hash)
		}
	}
	if most := k.Credential.MultiSign; most > 0 && len(digests) > most {
		return nil, fmt.Errorf("csc: the service signs %d hashes at once, not %d", most, len(digests))
	}
	q := SignHashRequest{CredentialID: k.Credential.ID, Hashes: digests, HashAlgorithm: pki.OIDByHash(alg.Hash), SignAlgorithm: k.named(alg)}
	if alg.Scheme == pki.SchemeRSAPSS {
		q.Parameters = parameters(alg.Raw)
	}
	if q.SAD, err = k.authorize(ctx, &q); err != nil {
		return nil, err
	}
	signatures, err := k.Client.SignHash(ctx, q)
	if err != nil {
		return nil, err
	}
	for i, s := range signatures {
		if signatures[i], err = k.check(alg, digests[i], s); err != nil {
			return nil, err
		}
	}
	return signatures, nil
}

// authorize asks for the activation data, which keys need unless their use is allowed implicitly by the access token.
func (k *Key) authorize(ctx context.Context, q *SignHashRequest) (string, error) {
	auth := k.Credential.Auth
	a := AuthorizeRequest{CredentialID: q.CredentialID, NumSignatures: len(q.Hashes), Hashes: q.Hashes, HashAlgorithm: q.HashAlgorithm}
	switch auth.Mode {
	case "implicit", "":
	case "explicit":
		if k.AuthData == nil {
			return "", fmt.Errorf("csc: key %q asks for %s", q.CredentialID, names(auth.Objects))
		}
		var err error
		if a.AuthData, err = k.AuthData(ctx, auth.Objects); err != nil {
			return "", err
		}
	default:
		return "", fmt.Errorf("csc: key %q is authorised by %s, which needs a person at the pages of the service", q.CredentialID, auth.Mode)
	}
	return k.Client.Authorize(ctx, a)
}

func names(list []AuthObject) string {
	out := ""
	for i, o := range list {
		if i > 0 {
			out += ", "
		}
		out += o.ID
	}
	return out
}

// algorithm is what the caller asks for.
func (k *Key) algorithm(opts crypto.SignerOpts) (pki.SignatureAlgorithm, error) {
	var alg pki.SignatureAlgorithm
	if opts == nil || opts.HashFunc() == 0 {
		return alg, errors.New("csc: services sign hashes, not messages")
	}
	pss, ok := opts.(*rsa.PSSOptions)
	if ok && pss.SaltLength != rsa.PSSSaltLengthEqualsHash && pss.SaltLength != opts.HashFunc().Size() {
		return alg, errors.New("csc: PSS with a salt of another length than the hash")
	}
	return pki.SigningAlgorithm(k.Public(), opts.HashFunc(), ok)
}

// named is the identifier that the service knows the algorithm by: its own, or that of the key, beside which the hash is named.
func (k *Key) named(alg pki.SignatureAlgorithm) pki.OID {
	if slices.Contains(k.Credential.Key.Algo, alg.OID) {
		return alg.OID
	}
	if bare := bareOID(alg); slices.Contains(k.Credential.Key.Algo, bare) {
		return bare
	}
	return alg.OID
}

const (
	oidRSA pki.OID = "1.2.840.113549.1.1.1"
	oidEC  pki.OID = "1.2.840.10045.2.1"
)

// parameters are those of an AlgorithmIdentifier, DER.
func parameters(raw []byte) []byte {
	in := cryptobyte.String(raw)
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !seq.SkipASN1(asn1.OBJECT_IDENTIFIER) {
		return nil
	}
	return seq
}

// check holds a value against the certificate. Of ECDSA some services return r||s where a SEQUENCE belongs.
func (k *Key) check(alg pki.SignatureAlgorithm, digest, value []byte) ([]byte, error) {
	err := alg.VerifyDigest(k.Public(), digest, value)
	if err == nil {
		return value, nil
	}
	if pub, ok := k.Public().(*ecdsa.PublicKey); ok {
		if width := (pub.Params().N.BitLen() + 7) / 8; len(value) == 2*width {
			var b cryptobyte.Builder
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1BigInt(new(big.Int).SetBytes(value[:width]))
				b.AddASN1BigInt(new(big.Int).SetBytes(value[width:]))
			})
			der, e := b.Bytes()
			if e == nil && alg.VerifyDigest(pub, digest, der) == nil {
				return der, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrSignature, err)
}
