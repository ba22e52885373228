package pki

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const (
	oidPBESHA13DES   OID = "1.2.840.113549.1.12.1.3"
	oidPBESHA12DES   OID = "1.2.840.113549.1.12.1.4"
	oidPBESHA1RC2128 OID = "1.2.840.113549.1.12.1.5"
	oidPBESHA1RC240  OID = "1.2.840.113549.1.12.1.6"
	oidPBES2         OID = "1.2.840.113549.1.5.13"
	oidPBKDF2        OID = "1.2.840.113549.1.5.12"
	oidPBMAC1        OID = "1.2.840.113549.1.5.14"
	oidAES128CBC     OID = "2.16.840.1.101.3.4.1.2"
	oidAES192CBC     OID = "2.16.840.1.101.3.4.1.22"
	oidAES256CBC     OID = "2.16.840.1.101.3.4.1.42"
	oidDES3CBC       OID = "1.2.840.113549.3.7"
	maxPBEIterations     = 2_000_000 // about a second; files of today have 2,048 to 600,000
	maxPBESalt           = 1024
)

// hmacs are the pseudo-random functions of PBKDF2 [RFC 8018 B.1].
var hmacs = map[OID]crypto.Hash{
	"1.2.840.113549.2.7": crypto.SHA1, "1.2.840.113549.2.8": crypto.SHA224, "1.2.840.113549.2.9": crypto.SHA256,
	"1.2.840.113549.2.10": crypto.SHA384, "1.2.840.113549.2.11": crypto.SHA512,
}

var errPadding = errors.New("padding")

// pbeDecrypt undoes password encryption: the schemes of PKCS #12 itself and PBES2. A wrong password shows
// as wrong padding, nearly always.
func pbeDecrypt(alg cryptobyte.String, password string, data []byte) ([]byte, error) {
	var o OID
	if !readOID(&alg, &o) {
		return nil, malformed("encryption algorithm")
	}
	data = bytes.Clone(data)
	if o == oidPBES2 {
		return pbes2(alg, password, data)
	}
	salt, n, err := readPBEParams(&alg)
	if err != nil {
		return nil, err
	}
	pw := bmpPassword(password)
	iv := pkcs12KDF(crypto.SHA1, 2, pw, salt, n, 8)
	switch o {
	case oidPBESHA13DES:
		return cbc3DES(pkcs12KDF(crypto.SHA1, 1, pw, salt, n, 24), iv, data)
	case oidPBESHA12DES:
		k := pkcs12KDF(crypto.SHA1, 1, pw, salt, n, 16)
		return cbc3DES(append(k, k[:8]...), iv, data)
	case oidPBESHA1RC240, oidPBESHA1RC2128:
		size := 5
		if o == oidPBESHA1RC2128 {
			size = 16
		}
		if len(data)%8 != 0 {
			return nil, errPadding
		}
		k := expandRC2(pkcs12KDF(crypto.SHA1, 1, pw, salt, n, size), 8*size)
		k.decryptCBC(data, iv)
		return unpad(data, 8)
	}
	return nil, fmt.Errorf("%w: password encryption %s", ErrUnsupported, o)
}

func readPBEParams(s *cryptobyte.String) (salt []byte, n int, err error) {
	var seq, v cryptobyte.String
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1(&v, asn1.OCTET_STRING) || !seq.ReadASN1Integer(&n) ||
		n < 1 || n > maxPBEIterations || len(v) > maxPBESalt {
		return nil, 0, malformed("password encryption: salt or count")
	}
	return v, n, nil
}

func pbes2(alg cryptobyte.String, password string, data []byte) ([]byte, error) {
	var seq, kdf, scheme, iv cryptobyte.String
	var cipherOID OID
	if !alg.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1(&kdf, asn1.SEQUENCE) || !seq.ReadASN1(&scheme, asn1.SEQUENCE) ||
		!readOID(&scheme, &cipherOID) || !scheme.ReadASN1(&iv, asn1.OCTET_STRING) {
		return nil, malformed("PBES2")
	}
	size := map[OID]int{oidAES128CBC: 16, oidAES192CBC: 24, oidAES256CBC: 32, oidDES3CBC: 24}[cipherOID]
	if size == 0 {
		return nil, fmt.Errorf("%w: cipher %s", ErrUnsupported, cipherOID)
	}
	key, err := pbkdf2Key(kdf, password, size)
	if err != nil {
		return nil, err
	}
	if cipherOID == oidDES3CBC {
		return cbc3DES(key, iv, data)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cbc(block, iv, data)
}

// pbkdf2Key reads AlgorithmIdentifier content of PBKDF2 and derives the key. size 0: the file states it.
func pbkdf2Key(kdf cryptobyte.String, password string, size int) ([]byte, error) {
	var o OID
	var params, salt, prf cryptobyte.String
	var n int
	if !readOID(&kdf, &o) || !kdf.ReadASN1(&params, asn1.SEQUENCE) {
		return nil, malformed("key derivation")
	}
	if o != oidPBKDF2 {
		return nil, fmt.Errorf("%w: key derivation %s", ErrUnsupported, o)
	}
	if !params.ReadASN1(&salt, asn1.OCTET_STRING) || !params.ReadASN1Integer(&n) || n < 1 || n > maxPBEIterations || len(salt) > maxPBESalt {
		return nil, malformed("PBKDF2: salt or count")
	}
	stated := size
	if params.PeekASN1Tag(asn1.INTEGER) && !params.ReadASN1Integer(&stated) || stated < 1 || stated > 128 || size != 0 && stated != size {
		return nil, malformed("PBKDF2: key length")
	}
	hash := crypto.SHA1 // [RFC 8018 A.2] default
	if !params.Empty() {
		var id OID
		if !params.ReadASN1(&prf, asn1.SEQUENCE) || !readOID(&prf, &id) {
			return nil, malformed("PBKDF2: function")
		}
		if hash = hmacs[id]; hash == 0 {
			return nil, fmt.Errorf("%w: PBKDF2 with %s", ErrUnsupported, id)
		}
	}
	return pbkdf2.Key(hash.New, password, salt, n, stated)
}

func cbc3DES(key, iv, data []byte) ([]byte, error) {
	block, err := des.NewTripleDESCipher(key)
	if err != nil {
		return nil, err
	}
	return cbc(block, iv, data)
}

func cbc(block cipher.Block, iv, data []byte) ([]byte, error) {
	if len(iv) != block.BlockSize() || len(data) == 0 || len(data)%block.BlockSize() != 0 {
		return nil, errPadding
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(data, data)
	return unpad(data, block.BlockSize())
}

func unpad(data []byte, size int) ([]byte, error) {
	if len(data) == 0 {
		return nil, errPadding
	}
	n := int(data[len(data)-1])
	if n == 0 || n > size || n > len(data) || !bytes.Equal(data[len(data)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, errPadding
	}
	return data[:len(data)-n], nil
}

// bmpPassword is UTF-16 with two zero octets at the end [RFC 7292 B.1].
func bmpPassword(s string) []byte { return append(utf16Bytes(s), 0, 0) }

// pkcs12KDF derives size octets for a purpose: 1 key, 2 initialisation vector, 3 MAC [RFC 7292 B.2].
func pkcs12KDF(hash crypto.Hash, id byte, password, salt []byte, n, size int) []byte {
	h := hash.New()
	u, v := h.Size(), h.BlockSize()
	fill := func(b []byte) []byte {
		if len(b) == 0 {
			return nil
		}
		out := make([]byte, v*((len(b)+v-1)/v))
		for i := range out {
			out[i] = b[i%len(b)]
		}
		return out
	}
	d := bytes.Repeat([]byte{id}, v)
	block := append(fill(salt), fill(password)...)
	var out []byte
	one := big.NewInt(1)
	for len(out) < size {
		h.Reset()
		h.Write(d)
		h.Write(block)
		a := h.Sum(nil)
		for range n - 1 {
			h.Reset()
			h.Write(a)
			a = h.Sum(a[:0])
		}
		out = append(out, a...)
		b := new(big.Int)
		repeated := make([]byte, v)
		for i := range repeated {
			repeated[i] = a[i%u]
		}
		b.SetBytes(repeated).Add(b, one)
		for i := 0; i < len(block); i += v { // block_i = block_i + b + 1 mod 2^8v
			sum := new(big.Int).SetBytes(block[i : i+v])
			raw := sum.Add(sum, b).Bytes()
			if len(raw) > v {
				raw = raw[len(raw)-v:]
			}
			clear(block[i : i+v])
			copy(block[i+v-len(raw):i+v], raw)
		}
	}
	return out[:size]
}
