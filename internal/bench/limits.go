package bench

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
)

// rsaLimit returns the private operations of one message: the sender signs, the receiver decrypts and signs the
// receipt. Nothing that speaks AS4 with RSA keys can do with less.
func rsaLimit() (func() speed, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(nil)
	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, sum[:16], nil)
	if err != nil {
		return nil, err
	}
	if _, err := key.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
		return nil, err
	}
	if _, err := key.Decrypt(rand.Reader, sealed, &rsa.OAEPOptions{Hash: crypto.SHA256}); err != nil {
		return nil, err
	}
	return func() speed {
		return onAllCores(700*time.Millisecond, func() func() {
			return func() {
				key.Sign(rand.Reader, sum[:], crypto.SHA256)
				key.Sign(rand.Reader, sum[:], crypto.SHA256)
				key.Decrypt(rand.Reader, sealed, &rsa.OAEPOptions{Hash: crypto.SHA256})
			}
		})
	}, nil
}

// payloadLimit is what one payload costs beside the RSA operations: compressed, hashed and encrypted at one end,
// decrypted, hashed and expanded at the other.
func payloadLimit(doc []byte) (func() speed, error) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(doc); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize())
	return func() speed {
		return onAllCores(500*time.Millisecond, func() func() {
			z, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
			var unz gzip.Reader
			sealed := make([]byte, 0, packed.Len()+gcm.Overhead())
			return func() {
				z.Reset(io.Discard)
				z.Write(doc)
				z.Close()
				sha256.Sum256(packed.Bytes())
				sha256.Sum256(packed.Bytes())
				sealed = gcm.Seal(sealed[:0], nonce, packed.Bytes(), nil)
				gcm.Open(sealed[:0], nonce, sealed, nil)
				unz.Reset(bytes.NewReader(packed.Bytes()))
				io.Copy(io.Discard, &unz)
			}
		})
	}, nil
}
