package xmlenc

import (
	"crypto"
	_ "crypto/sha1" // the digests below are reached through crypto.Hash
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
)

// Namespaces.
const (
	nsXenc     = "http://www.w3.org/2001/04/xmlenc#"
	nsXenc11   = "http://www.w3.org/2009/xmlenc11#"
	nsDS       = "http://www.w3.org/2000/09/xmldsig#"
	nsDSig11   = "http://www.w3.org/2009/xmldsig11#"
	nsDSigMore = "http://www.w3.org/2021/04/xmldsig-more#" // HKDFParams [RFC 9231 2.8]
)

// Values of EncryptedData/@Type: what the octets replace [XMLENC11 3.1].
const (
	TypeElement = nsXenc + "Element"
	TypeContent = nsXenc + "Content"
)

// Data algorithms.
const (
	AES128GCM = nsXenc11 + "aes128-gcm"
	AES192GCM = nsXenc11 + "aes192-gcm"
	AES256GCM = nsXenc11 + "aes256-gcm"
	AES128CBC = nsXenc + "aes128-cbc" // inbound only, and only where asked for
	AES192CBC = nsXenc + "aes192-cbc"
	AES256CBC = nsXenc + "aes256-cbc"
)

// Key transport, agreement, derivation and wrap.
const (
	RSAOAEP      = nsXenc11 + "rsa-oaep"
	RSAOAEPMGF1P = nsXenc + "rsa-oaep-mgf1p"

	ECDHES = nsXenc11 + "ECDH-ES"
	X25519 = nsDSigMore + "x25519"

	ConcatKDF = nsXenc11 + "ConcatKDF"
	HKDF      = nsDSigMore + "hkdf"

	KWAES128 = nsXenc + "kw-aes128"
	KWAES192 = nsXenc + "kw-aes192"
	KWAES256 = nsXenc + "kw-aes256"
)

// Digests, mask generation functions and pseudo-random functions.
const (
	SHA1    = nsDS + "sha1"
	SHA224  = "http://www.w3.org/2001/04/xmldsig-more#sha224"
	SHA256  = nsXenc + "sha256"
	SHA384  = "http://www.w3.org/2001/04/xmldsig-more#sha384"
	SHA512  = nsXenc + "sha512"
	SHA3224 = "http://www.w3.org/2007/05/xmldsig-more#sha3-224"
	SHA3256 = "http://www.w3.org/2007/05/xmldsig-more#sha3-256"
	SHA3384 = "http://www.w3.org/2007/05/xmldsig-more#sha3-384"
	SHA3512 = "http://www.w3.org/2007/05/xmldsig-more#sha3-512"

	MGF1SHA1   = nsXenc11 + "mgf1sha1"
	MGF1SHA224 = nsXenc11 + "mgf1sha224"
	MGF1SHA256 = nsXenc11 + "mgf1sha256"
	MGF1SHA384 = nsXenc11 + "mgf1sha384"
	MGF1SHA512 = nsXenc11 + "mgf1sha512"

	HMACSHA256 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
	HMACSHA384 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha384"
	HMACSHA512 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512"
)

// digest is the hash of a ds:DigestMethod; 0 when it is none of ours.
func digest(uri string) crypto.Hash {
	switch uri {
	case SHA256:
		return crypto.SHA256
	case SHA1:
		return crypto.SHA1
	case SHA224:
		return crypto.SHA224
	case SHA384:
		return crypto.SHA384
	case SHA512:
		return crypto.SHA512
	case SHA3224:
		return crypto.SHA3_224
	case SHA3256:
		return crypto.SHA3_256
	case SHA3384:
		return crypto.SHA3_384
	case SHA3512:
		return crypto.SHA3_512
	}
	return 0
}

// maskHash is the hash of an xenc11:MGF [XMLENC11 5.5.2].
func maskHash(uri string) crypto.Hash {
	switch uri {
	case MGF1SHA256:
		return crypto.SHA256
	case MGF1SHA1:
		return crypto.SHA1
	case MGF1SHA224:
		return crypto.SHA224
	case MGF1SHA384:
		return crypto.SHA384
	case MGF1SHA512:
		return crypto.SHA512
	}
	return 0
}

// prfHash is the hash of HKDFParams/PRF [RFC 9231 2.8.1].
func prfHash(uri string) crypto.Hash {
	switch uri {
	case HMACSHA256:
		return crypto.SHA256
	case HMACSHA384:
		return crypto.SHA384
	case HMACSHA512:
		return crypto.SHA512
	}
	return 0
}

// KeySize is the octets of a key of a data or key wrap algorithm, 0 when it is unknown here. It says nothing about whether
// the algorithm is accepted.
func KeySize(algorithm string) int {
	switch algorithm {
	case AES128GCM, AES128CBC, KWAES128:
		return 16
	case AES192GCM, AES192CBC, KWAES192:
		return 24
	case AES256GCM, AES256CBC, KWAES256:
		return 32
	}
	return 0
}

func isGCM(algorithm string) bool {
	return algorithm == AES128GCM || algorithm == AES192GCM || algorithm == AES256GCM
}

func isCBC(algorithm string) bool {
	return algorithm == AES128CBC || algorithm == AES192CBC || algorithm == AES256CBC
}

func isKeyWrap(algorithm string) bool {
	return algorithm == KWAES128 || algorithm == KWAES192 || algorithm == KWAES256
}
