package xmlenc

import (
	"crypto"
	cryptorand "crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Decrypt answers the session key of size octets, which the data's algorithm demands (see [KeySize]). key is a crypto.Decrypter for
// RSA-OAEP, a pki.Agreer for key agreement. rand may be nil for crypto/rand.
//
// A value that does not decrypt, is wrapped wrongly or has another length yields a random key and no error, after the same
// work: callers go on and meet ErrDecrypt in the data. They must not tell the two apart either. An error says that no value
// could have been decrypted: an algorithm that does not fit the key, a point of low order, or a key that could not be
// reached (the cause then answers true to Temporary() and is kept).
func (k *EncryptedKey) Decrypt(key pki.Key, size int, rand io.Reader) ([]byte, error) {
	fallback, err := randomKey(size, rand)
	if err != nil {
		return nil, err
	}
	if rand == nil {
		rand = cryptorand.Reader
	}
	switch {
	case key == nil:
		return nil, fmt.Errorf("%w: no key", ErrAlgorithm)
	case k.Transport.Algorithm != "":
		return k.transported(key, fallback, rand)
	case k.Transport.Agreement != "":
		kek, err := k.agree(key)
		if err != nil {
			return nil, err
		}
		return choose(fallback, kek, k.cipher)
	}
	return nil, fmt.Errorf("%w: %s under a symmetric key", ErrAlgorithm, k.Transport.KeyWrap)
}

// Unwrap is Decrypt for a key that was wrapped under one that both sides hold already.
func (k *EncryptedKey) Unwrap(kek []byte, size int, rand io.Reader) ([]byte, error) {
	t := k.Transport
	if t.Algorithm != "" || t.Agreement != "" || len(kek) != KeySize(t.KeyWrap) {
		return nil, fmt.Errorf("%w: key wrap %q with a key of %d octets", ErrAlgorithm, t.KeyWrap, len(kek))
	}
	fallback, err := randomKey(size, rand)
	if err != nil {
		return nil, err
	}
	return choose(fallback, kek, k.cipher)
}

func randomKey(size int, rand io.Reader) ([]byte, error) {
	if size != 16 && size != 24 && size != 32 {
		return nil, fmt.Errorf("%w: a session key of %d octets", ErrAlgorithm, size)
	}
	if rand == nil {
		rand = cryptorand.Reader
	}
	key := make([]byte, size)
	if _, err := io.ReadFull(rand, key); err != nil {
		return nil, fmt.Errorf("xmlenc: random key: %w", err)
	}
	return key, nil
}

func (k *EncryptedKey) transported(key pki.Key, fallback []byte, rand io.Reader) ([]byte, error) {
	hash, mask, err := k.Transport.oaepHashes()
	if err != nil {
		return nil, err
	}
	d, can := key.(crypto.Decrypter)
	if _, isRSA := key.Public().(*rsa.PublicKey); !can || !isRSA {
		return nil, fmt.Errorf("%w: %s with a key of type %T", ErrAlgorithm, k.Transport.Algorithm, key.Public())
	}
	plain, err := d.Decrypt(rand, k.cipher, &rsa.OAEPOptions{Hash: hash, MGFHash: mask, Label: k.Transport.Label})
	if temporary(err) {
		return nil, fmt.Errorf("xmlenc: private key: %w", err)
	}
	return keep(fallback, plain, boolBit(err == nil)), nil
}

// temporary is the only thing asked of an error of a private key: a wrong padding is never temporary.
func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

func (k *EncryptedKey) agree(key pki.Key) ([]byte, error) {
	if k.Originator == nil {
		return nil, fmt.Errorf("%w: the originator's key is not known", ErrStructure)
	}
	a, can := key.(pki.Agreer)
	own, ownCurve := agreementOf(key.Public())
	method, curve := agreementOf(k.Originator)
	if !can || own != k.Transport.Agreement || method != own || curve != ownCurve {
		return nil, fmt.Errorf("%w: %s between keys of type %T and %T", ErrAlgorithm, k.Transport.Agreement, key.Public(), k.Originator)
	}
	secret, err := a.Agree(k.Originator)
	if temporary(err) {
		return nil, fmt.Errorf("xmlenc: private key: %w", err)
	}
	if err != nil || isZero(secret) {
		return nil, ErrDecrypt // depends on the sender's point alone
	}
	return k.Transport.kek(secret)
}

// choose unwraps, and answers the fallback where that fails.
func choose(fallback, kek, wrapped []byte) ([]byte, error) {
	key, ok, err := unwrap(kek, wrapped)
	if err != nil {
		return nil, err
	}
	return keep(fallback, key, ok), nil
}

// keep is key when ok is 1 and its length right, else fallback, in constant time.
func keep(fallback, key []byte, ok int) []byte {
	padded := make([]byte, len(fallback))
	copy(padded, key)
	ok &= subtle.ConstantTimeEq(int32(len(key)), int32(len(fallback)))
	subtle.ConstantTimeCopy(ok, fallback, padded)
	return fallback
}

func boolBit(b bool) int {
	if b {
		return 1
	}
	return 0
}
