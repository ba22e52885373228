package console

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

// KeySize is the length of [Options.Key].
const KeySize = 32

// sealer encrypts the secrets of second factors, so that a copy of the database makes no codes: AES-256-GCM, bound to the
// user, written as nonce, ciphertext and tag.
type sealer struct{ cipher.AEAD }

var errSealed = errors.New("console: the second factor was sealed with another console key")

func newSealer(key []byte) (sealer, error) {
	if len(key) != KeySize {
		return sealer{}, fmt.Errorf("console: a key has %d octets, not %d", KeySize, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

func (s sealer) seal(user string, secret []byte) []byte {
	return s.Seal(nil, nil, secret, []byte(user))
}

func (s sealer) open(user string, sealed []byte) ([]byte, error) {
	secret, err := s.Open(nil, nil, sealed, []byte(user))
	if err != nil {
		return nil, errSealed
	}
	return secret, nil
}

// NewKey makes a key for [Options.Key].
func NewKey() []byte {
	key := make([]byte, KeySize)
	rand.Read(key)
	return key
}
