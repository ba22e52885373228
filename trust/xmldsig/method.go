package xmldsig

import (
	"cmp"
	"crypto"
	"maps"
	"slices"
)

// MethodFor returns the digest method of a hash function and the signature method of a key with it, both "" where there is
// none. pss asks for RSA-PSS. A key that has its own hash function, as Ed25519 has, ignores hash in its method.
func MethodFor(key crypto.PublicKey, hash crypto.Hash, pss bool) (digest, signature string) {
	for _, uri := range slices.Sorted(maps.Keys(digests)) {
		if digests[uri].hash == hash {
			digest = uri
		}
	}
	all := slices.SortedFunc(maps.Values(signatures), func(a, b *signatureAlg) int { return cmp.Compare(a.uri, b.uri) })
	for _, s := range all {
		if s.digest != nil && s.digest.hash != hash || (s.kind == kindPSS) != (pss && s.kind != kindEd25519) || s.uri == RSAPSS || s.kind == kindMLDSA {
			continue
		}
		if _, err := methodFor(key, s.uri); err == nil {
			return digest, s.uri
		}
	}
	return digest, ""
}
