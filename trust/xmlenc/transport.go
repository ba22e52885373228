package xmlenc

import (
	"crypto"
	"fmt"
)

// Transport says how a session key travels, the algorithms and parameters of an xenc:EncryptedKey. Either Algorithm is set, or
// Agreement, KDF and KeyWrap are; KeyWrap alone is a wrap under a key that both sides hold already.
type Transport struct {
	Algorithm   string // RSAOAEP or RSAOAEPMGF1P
	Digest, MGF string // of RSA-OAEP; as read, always filled with what applies: SHA-1 where the element is silent
	Label       []byte // OAEPparams

	Agreement string // ECDHES or X25519
	KDF       string // HKDF or ConcatKDF
	KeyWrap   string
	HKDF      HKDFParams   // written with a fresh random salt where Salt is nil
	Concat    ConcatParams // written as they are
}

// What the profiles of eDelivery AS4 and its users name. The EC forms serve every curve: the recipient's key decides.
var (
	TransportRSAOAEP256 = Transport{Algorithm: RSAOAEP, Digest: SHA256, MGF: MGF1SHA256}               // eDelivery AS4 1.x, Peppol
	TransportX25519     = Transport{Agreement: X25519, KDF: HKDF, KeyWrap: KWAES128, HKDF: hkdfSHA256} // eDelivery AS4 2.0
	TransportECDHHKDF   = Transport{Agreement: ECDHES, KDF: HKDF, KeyWrap: KWAES128, HKDF: hkdfSHA256} // its alternative profile
	TransportECDHConcat = Transport{Agreement: ECDHES, KDF: ConcatKDF, KeyWrap: KWAES128, Concat: ConcatParams{Digest: SHA256}}
)

// hkdfSHA256 names the only PRF that is safe to send: Santuario reads another one as this.
var hkdfSHA256 = HKDFParams{PRF: HMACSHA256}

// oaepHashes are the two hashes of RSA-OAEP, by the defaults of [XMLENC11 5.5.2]. With rsa-oaep-mgf1p the second is SHA-1
// whatever the elements say.
func (t Transport) oaepHashes() (hash, mask crypto.Hash, err error) {
	switch t.Algorithm {
	case RSAOAEP:
		hash, mask = digest(t.Digest), maskHash(t.MGF)
	case RSAOAEPMGF1P:
		hash, mask = digest(t.Digest), crypto.SHA1
	default:
		return 0, 0, fmt.Errorf("%w: key transport %q", ErrAlgorithm, t.Algorithm)
	}
	if t.Digest == "" {
		hash = crypto.SHA1
	}
	if t.MGF == "" {
		mask = crypto.SHA1
	}
	if hash == 0 {
		return 0, 0, fmt.Errorf("%w: RSA-OAEP with digest %q", ErrAlgorithm, t.Digest)
	}
	if mask == 0 {
		return 0, 0, fmt.Errorf("%w: RSA-OAEP with mask generation function %q", ErrAlgorithm, t.MGF)
	}
	return hash, mask, nil
}

// check refuses what no key could make work.
func (t Transport) check() error {
	if t.Algorithm != "" {
		if t.Agreement != "" || t.KeyWrap != "" {
			return fmt.Errorf("%w: key transport together with key agreement", ErrAlgorithm)
		}
		_, _, err := t.oaepHashes()
		return err
	}
	if !isKeyWrap(t.KeyWrap) {
		return fmt.Errorf("%w: key wrap %q", ErrAlgorithm, t.KeyWrap)
	}
	switch {
	case t.Agreement == "":
		return nil
	case t.Agreement != ECDHES && t.Agreement != X25519:
		return fmt.Errorf("%w: key agreement %q", ErrAlgorithm, t.Agreement)
	case t.KDF != HKDF && t.KDF != ConcatKDF:
		return fmt.Errorf("%w: key derivation %q", ErrAlgorithm, t.KDF)
	}
	return nil
}

// kek derives the key encryption key from an agreed secret.
func (t Transport) kek(secret []byte) ([]byte, error) {
	if t.KDF == HKDF {
		return t.HKDF.derive(secret, KeySize(t.KeyWrap))
	}
	return t.Concat.derive(secret, KeySize(t.KeyWrap))
}
