// Package xmlenc encrypts and decrypts by W3C XML Encryption 1.1 [XMLENC11], as AS4, SAML and business documents use it.
//
// The octets of a message part pass through [NewGCMWriter] and [NewGCMReader] at constant memory. Their key travels in an
// xenc:EncryptedKey, written by [WriteEncryptedKey] and read by [ParseEncryptedKey]: RSA-OAEP, or ECDH-ES and X25519 with a
// key derivation and AES key wrap [RFC 9231]. Elements that are encrypted in place are read by [DecryptElement].
//
// # One answer for every bad key
//
// An attacker who learns whether a session key was well padded can decrypt others' messages. So [EncryptedKey.Decrypt]
// answers a random key where the padding, the wrap's integrity or the length is wrong: the failure shows only as ErrDecrypt of
// the data, as for any flipped bit, and at the same time. Errors that do not depend on the secret, such as an unknown
// algorithm or a point off the curve, are errors at once.
//
// # Refused on purpose
//
// RSA PKCS#1 1.5 key transport and triple DES, always; AES-CBC, which is not authenticated, unless the option AllowCBC asks
// for it; symmetric ciphers beyond AES; finite field Diffie-Hellman.
package xmlenc

import "errors"

var (
	// ErrDecrypt says that the key does not fit or the octets were altered, and never which of the two.
	ErrDecrypt = errors.New("xmlenc: does not decrypt")
	// ErrAlgorithm: an algorithm is unknown, or refused, or does not fit the key.
	ErrAlgorithm = errors.New("xmlenc: algorithm not accepted")
	// ErrStructure: an element is not built as [XMLENC11] says.
	ErrStructure = errors.New("xmlenc: malformed element")
	// ErrTooLong: a message is longer than AES-GCM allows under one IV, 2^36-32 octets.
	ErrTooLong = errors.New("xmlenc: message longer than AES-GCM allows")
)
