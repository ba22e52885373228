package pki

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/binary"
	"math/big"
)

// crypto/rsa refuses keys below 1024 bits, PSS with two hash functions and digests named without NULL. All occur in old documents,
// which must be judged weak, not broken: hence the two checks here, on public data only.
//
// They take larger keys, too, for which math/big needs less than half the time: crypto/rsa has assembly for 1024, 1536 and 2048 bits.

// quick tells whether crypto/rsa takes a key and is the quicker one.
func quick(k *rsa.PublicKey) bool { return k.N.BitLen() >= 1024 && k.N.BitLen() <= 2048 }

func verifyPKCS1(k *rsa.PublicKey, hash crypto.Hash, digest, signature []byte) bool {
	prefix, ok := digestInfo[hash]
	if (quick(k) || !ok && k.N.BitLen() >= 1024) && rsa.VerifyPKCS1v15(k, hash, digest, signature) == nil {
		return true
	}
	em := rsaOpen(k, signature)
	if !ok || em == nil || len(em) < len(prefix)+len(digest)+11 || len(digest) != hash.Size() {
		return false
	}
	return encoded(em, prefix, digest) || encoded(em, withoutNull(prefix), digest)
}

// withoutNull is the other form of DigestInfo that verifiers accept [RFC 8017 9.2]: the parameters left out instead of NULL.
func withoutNull(prefix []byte) []byte {
	p := bytes.Clone(prefix)
	p[1], p[3] = p[1]-2, p[3]-2
	return append(p[:len(p)-4], p[len(p)-2:]...)
}

func encoded(em, prefix, digest []byte) bool {
	want := make([]byte, 0, len(em)) // [RFC 8017 9.2]: build what must come out and compare the whole
	want = append(want, 0, 1)
	want = append(want, bytes.Repeat([]byte{0xff}, len(em)-len(prefix)-len(digest)-3)...)
	want = append(want, 0)
	want = append(append(want, prefix...), digest...)
	return subtle.ConstantTimeCompare(em, want) == 1
}

var digestInfo = map[crypto.Hash][]byte{
	crypto.MD5:  {0x30, 0x20, 0x30, 0x0c, 0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05, 0x05, 0x00, 0x04, 0x10},
	crypto.SHA1: {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14},
	// as TeleTrusT numbered it; crypto/rsa has that of ISO/IEC 10118-3
	crypto.RIPEMD160: {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x24, 0x03, 0x02, 0x01, 0x05, 0x00, 0x04, 0x14},
	crypto.SHA384:    {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30},
	crypto.SHA512:    {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40},
	crypto.SHA256:    {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20},
}

// rsaOpen computes s^e mod n with the length of n; nil where the signature is out of range.
func rsaOpen(k *rsa.PublicKey, signature []byte) []byte {
	s := new(big.Int).SetBytes(signature)
	size := (k.N.BitLen() + 7) / 8
	if len(signature) != size || s.Cmp(k.N) >= 0 {
		return nil
	}
	return s.Exp(s, big.NewInt(int64(k.E)), k.N).FillBytes(make([]byte, size))
}

// verifyPSS is EMSA-PSS-VERIFY [RFC 8017 9.1.2] with a mask generation hash of its own. A salt length of
// zero is computed here too, because crypto/rsa reads it as "whatever length was used".
func verifyPSS(k *rsa.PublicKey, a SignatureAlgorithm, digest, signature []byte) bool {
	if a.MGFHash == a.Hash && a.SaltLength > 0 && quick(k) {
		return rsa.VerifyPSS(k, a.Hash, digest, signature, &rsa.PSSOptions{SaltLength: a.SaltLength}) == nil
	}
	em := rsaOpen(k, signature)
	if em == nil || len(digest) != a.Hash.Size() {
		return false
	}
	emBits := k.N.BitLen() - 1
	if emBits%8 == 0 {
		if em[0] != 0 {
			return false
		}
		em = em[1:]
	}
	hLen, sLen := a.Hash.Size(), a.SaltLength
	if len(em) < hLen+sLen+2 || em[len(em)-1] != 0xbc {
		return false
	}
	db, h := em[:len(em)-hLen-1], em[len(em)-hLen-1:len(em)-1]
	unused := 8*len(em) - emBits
	if db[0]>>(8-unused) != 0 {
		return false
	}
	mask := mgf1(a.MGFHash, h, len(db))
	subtle.XORBytes(db, db, mask)
	db[0] &= 0xff >> unused
	for _, b := range db[:len(db)-sLen-1] {
		if b != 0 {
			return false
		}
	}
	if db[len(db)-sLen-1] != 1 {
		return false
	}
	m := a.Hash.New()
	m.Write(make([]byte, 8))
	m.Write(digest)
	m.Write(db[len(db)-sLen:])
	return bytes.Equal(m.Sum(nil), h)
}

func mgf1(hash crypto.Hash, seed []byte, n int) []byte {
	out := make([]byte, 0, n+hash.Size())
	h := hash.New()
	for i := uint32(0); len(out) < n; i++ {
		h.Reset()
		h.Write(seed)
		h.Write(binary.BigEndian.AppendUint32(nil, i))
		out = h.Sum(out)
	}
	return out[:n]
}
