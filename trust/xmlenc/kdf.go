package xmlenc

import (
	"crypto"
	"crypto/hkdf"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// HKDFParams are dsig-more:HKDFParams [RFC 9231 2.8.1]. Nothing beyond them enters the derivation: no public key, no URI.
type HKDFParams struct {
	PRF       string // "" is HMACSHA256
	Salt      []byte // absent: as many zero octets as the hash has [RFC 5869 2.2]
	Info      []byte
	KeyLength int // octets as the element states them, 0 when it does not
}

// derive is the key encryption key of size octets from an agreed secret.
func (p HKDFParams) derive(secret []byte, size int) ([]byte, error) {
	prf := p.PRF
	if prf == "" {
		prf = HMACSHA256
	}
	h := prfHash(prf)
	if h == 0 {
		return nil, fmt.Errorf("%w: HKDF with PRF %q", ErrAlgorithm, prf)
	}
	if p.KeyLength != 0 && p.KeyLength != size {
		return nil, fmt.Errorf("%w: HKDF KeyLength %d, the key wrap takes %d octets [RFC 9231 2.8.1]", ErrStructure, p.KeyLength, size)
	}
	return hkdf.Key(h.New, secret, p.Salt, string(p.Info), size)
}

// ConcatParams are xenc11:ConcatKDFParams [XMLENC11 5.4.1]. Each value is as in the attribute: hexadecimal, its first octet
// the number of padding bits, which must be 00; "" where the attribute is empty or absent.
type ConcatParams struct {
	Digest                    string // "" is SHA256
	AlgorithmID, PartyUInfo   string
	PartyVInfo                string
	SuppPubInfo, SuppPrivInfo string
}

// otherInfo is what is hashed behind counter and secret, in the order of [SP 800-56A 5.8.1].
func (p ConcatParams) otherInfo() ([]byte, error) {
	var info []byte
	for _, a := range []struct{ name, value string }{
		{"AlgorithmID", p.AlgorithmID}, {"PartyUInfo", p.PartyUInfo}, {"PartyVInfo", p.PartyVInfo},
		{"SuppPubInfo", p.SuppPubInfo}, {"SuppPrivInfo", p.SuppPrivInfo},
	} {
		if a.value == "" {
			continue
		}
		b, err := hex.DecodeString(a.value)
		if err != nil {
			return nil, fmt.Errorf("%w: ConcatKDFParams/@%s is not hexadecimal [XMLENC11 5.4.1]", ErrStructure, a.name)
		}
		if b[0] != 0 {
			return nil, fmt.Errorf("%w: ConcatKDFParams/@%s with %d padding bits: only whole octets are taken [XMLENC11 5.4.1]", ErrStructure, a.name, b[0])
		}
		info = append(info, b[1:]...)
	}
	return info, nil
}

func (p ConcatParams) derive(secret []byte, size int) ([]byte, error) {
	uri := p.Digest
	if uri == "" {
		uri = SHA256
	}
	h := digest(uri)
	if h == 0 {
		return nil, fmt.Errorf("%w: ConcatKDF with digest %q", ErrAlgorithm, uri)
	}
	info, err := p.otherInfo()
	if err != nil {
		return nil, err
	}
	return concatKDF(h, secret, info, size), nil
}

// concatKDF is the single-step derivation of [SP 800-56A 5.8.1]: H(counter || secret || info), the counter from 1 in 32 bits.
func concatKDF(h crypto.Hash, secret, info []byte, size int) []byte {
	var key []byte
	d := h.New()
	for i := uint32(1); len(key) < size; i++ {
		d.Reset()
		d.Write(binary.BigEndian.AppendUint32(nil, i))
		d.Write(secret)
		d.Write(info)
		key = d.Sum(key)
	}
	return key[:size]
}
