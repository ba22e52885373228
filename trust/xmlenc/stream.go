package xmlenc

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
)

const (
	ivSize  = 12
	tagSize = 16

	// pieceSize is what is hashed with one call of the accelerated GCM, and the longest message that takes the plain way.
	// It is a multiple of the block, so that only the last piece of a message is padded.
	pieceSize = 1 << 20

	// maxPlaintext is the longest message under one IV [SP 800-38D 5.2.1.1].
	maxPlaintext = 1<<36 - 32
)

// stream is AES-GCM cut in pieces. The standard library seals only whole messages, so the counter mode is taken from
// cipher.NewCTR and the hash of each piece from an authentication tag over it as additional data:
//
//	Seal(zero nonce, AD = piece) = (GHASH(piece) + bits(piece)·x^64)·H + E(zero nonce || 1)
//
// With S = tag + E(zero nonce || 1) + bits(piece)·x^64·H, the sum Z = Y·H of the whole message grows by
// Z = Z·H^blocks + S, and the tag is Z + bits(message)·H + E(IV || 1). The inner tags never leave this type.
type stream struct {
	ctr      cipher.Stream
	aead     cipher.AEAD
	mask     element // E(zero nonce || 1)
	final    element // E(IV || 1)
	h        element
	hPiece   element // H^(blocks of a whole piece)
	lenPiece element // bits(whole piece)·x^64·H
	z        element
	size     uint64 // octets hashed so far
}

func newStream(block cipher.Block, aead cipher.AEAD, iv []byte) *stream {
	s := &stream{aead: aead}
	var b [16]byte
	block.Encrypt(b[:], b[:])
	s.h = loadElement(b[:])

	b = [16]byte{15: 1}
	block.Encrypt(b[:], b[:])
	s.mask = loadElement(b[:])

	copy(b[:], iv)
	binary.BigEndian.PutUint32(b[ivSize:], 2)
	s.ctr = cipher.NewCTR(block, b[:])
	b[15] = 1
	block.Encrypt(b[:], b[:])
	s.final = loadElement(b[:])

	s.hPiece = s.h.pow(pieceSize / 16)
	s.lenPiece = element{hi: pieceSize * 8}.mul(s.h)
	return s
}

var zeroNonce [ivSize]byte

// hash takes one piece of ciphertext; only the last of a message may be shorter than pieceSize.
func (s *stream) hash(piece []byte) {
	if len(piece) == 0 {
		return
	}
	var t [tagSize]byte
	s.aead.Seal(t[:0], zeroNonce[:], nil, piece)
	hn, length := s.hPiece, s.lenPiece
	if len(piece) != pieceSize {
		hn = s.h.pow(uint64(len(piece)+15) / 16)
		length = element{hi: uint64(len(piece)) * 8}.mul(s.h)
	}
	s.z = s.z.mul(hn).xor(loadElement(t[:])).xor(s.mask).xor(length)
	s.size += uint64(len(piece))
}

func (s *stream) tag() (t [tagSize]byte) {
	sum := s.z.xor(element{lo: s.size * 8}.mul(s.h)).xor(s.final)
	binary.BigEndian.PutUint64(t[:], sum.hi)
	binary.BigEndian.PutUint64(t[8:], sum.lo)
	return t
}

func newGCM(key []byte) (cipher.Block, cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, fmt.Errorf("xmlenc: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, fmt.Errorf("xmlenc: %w", err)
	}
	return block, aead, nil
}
