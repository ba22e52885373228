package xmlenc

import (
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
)

// wrapIV is the initial value whose return proves that the key was unwrapped whole [RFC 3394 2.2.3.1].
const wrapIV = 0xa6a6a6a6a6a6a6a6

// wrap is AES key wrap [RFC 3394 2.2.1] with a key encryption key of 16, 24 or 32 octets. key is a multiple of 8 octets,
// 16 at least; what is returned is 8 octets longer.
func wrap(kek, key []byte) ([]byte, error) {
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, fmt.Errorf("xmlenc: key wrap: %w", err)
	}
	n := len(key) / 8
	if len(key)%8 != 0 || n < 2 {
		return nil, fmt.Errorf("xmlenc: key wrap: a key of %d octets [RFC 3394 2]", len(key))
	}
	out := make([]byte, 8+len(key))
	copy(out[8:], key)
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], wrapIV)
	for j := range 6 {
		for i := 1; i <= n; i++ {
			r := out[8*i : 8*i+8]
			copy(b[8:], r)
			block.Encrypt(b[:], b[:])
			copy(r, b[8:])
			a := binary.BigEndian.Uint64(b[:]) ^ uint64(n*j+i)
			binary.BigEndian.PutUint64(b[:], a)
		}
	}
	copy(out, b[:8])
	return out, nil
}

// unwrap undoes wrap. ok is 1 or 0, to be used without a branch: key has the right length, and is nonsense, when ok is 0.
func unwrap(kek, wrapped []byte) (key []byte, ok int, err error) {
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, 0, fmt.Errorf("xmlenc: key wrap: %w", err)
	}
	n := len(wrapped)/8 - 1
	if len(wrapped)%8 != 0 || n < 2 {
		return nil, 0, nil // the length is no secret
	}
	key = make([]byte, 8*n)
	copy(key, wrapped[8:])
	var b [16]byte
	a := binary.BigEndian.Uint64(wrapped)
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			r := key[8*i-8 : 8*i]
			binary.BigEndian.PutUint64(b[:], a^uint64(n*j+i))
			copy(b[8:], r)
			block.Decrypt(b[:], b[:])
			copy(r, b[8:])
			a = binary.BigEndian.Uint64(b[:])
		}
	}
	binary.BigEndian.PutUint64(b[:], a)
	binary.BigEndian.PutUint64(b[8:], wrapIV)
	return key, subtle.ConstantTimeCompare(b[:8], b[8:]), nil
}
