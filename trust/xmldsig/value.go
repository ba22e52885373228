package xmldsig

import (
	"crypto"
	"crypto/dsa" //nolint:staticcheck // only to validate what was signed long ago
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/subtle"
	"fmt"
	"math/big"

	"filippo.io/mldsa"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/pki/brainpool"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
)

const (
	defaultRSABits = 2048
	maxRSABits     = 16384 // above that a single verification is an attack
	minCurveBits   = 224
)

// verifyValue checks SignatureValue over the canonical SignedInfo [XMLDSIG 3.2.2].
func (p *parsed) verifyValue(key crypto.PublicKey, value []byte, s *scratch, opt *VerifyOptions) error {
	switch key.(type) {
	case ed25519.PublicKey, *mldsa.PublicKey, HMACKey: // these take octets, the others their hash
		var err error
		if s.info, err = c14n.Append(s.info[:0], p.canonical, p.info); err != nil {
			return p.info.Errorf("%w: %w", ErrStructure, err)
		}
		return p.verifyOctets(key, value, s.info, opt)
	}
	if err := p.checkKey(key, opt); err != nil {
		return p.sig.Errorf("%w", err)
	}
	if err := p.sumInfo(s); err != nil {
		return err
	}
	if !p.verifySum(key, s.sum, value, opt) {
		return p.value.Errorf("%w", ErrSignature)
	}
	return nil
}

// verifyOctets checks the value over the octets of a canonical SignedInfo.
func (p *parsed) verifyOctets(key crypto.PublicKey, value, info []byte, opt *VerifyOptions) error {
	if err := p.checkKey(key, opt); err != nil {
		return p.sig.Errorf("%w", err)
	}
	var ok bool
	switch k := key.(type) {
	case ed25519.PublicKey:
		ok = len(value) == ed25519.SignatureSize && ed25519.Verify(k, info, value)
	case *mldsa.PublicKey:
		ok = mldsa.Verify(k, info, value, &mldsa.Options{Context: p.context}) == nil
	case HMACKey:
		mac := hmac.New(p.digest.hash.New, k)
		mac.Write(info)
		ok = len(value) == p.macBits/8 && subtle.ConstantTimeCompare(mac.Sum(nil)[:p.macBits/8], value) == 1
	default:
		h := p.digest.get()
		defer p.digest.put(h)
		h.Write(info)
		ok = p.verifySum(key, h.Sum(nil), value, opt)
	}
	if !ok {
		return p.value.Errorf("%w", ErrSignature)
	}
	return nil
}

// sumInfo streams the canonical SignedInfo, in its place in the document, into the hash of the method.
func (p *parsed) sumInfo(s *scratch) error {
	h := p.digest.get()
	defer p.digest.put(h)
	if err := p.canonical.Write(h, p.info); err != nil {
		return p.info.Errorf("%w: %w", ErrStructure, err)
	}
	s.sum = h.Sum(s.sum[:0])
	return nil
}

func (p *parsed) verifySum(key crypto.PublicKey, sum, value []byte, opt *VerifyOptions) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		a := pki.SignatureAlgorithm{Scheme: pki.SchemeRSA, Hash: p.digest.hash}
		if p.method.kind == kindPSS {
			a.Scheme, a.MGFHash, a.SaltLength = pki.SchemeRSAPSS, p.mask.hash, p.salt
		}
		return a.VerifyDigest(k, sum, value) == nil
	case *ecdsa.PublicKey:
		width := (k.Curve.Params().N.BitLen() + 7) / 8
		if opt.AnyWidth {
			value = fixWidth(value, width)
		}
		r, s, ok := splitPair(value, width)
		if ok && brainpool.Is(k.Curve) {
			return brainpool.Verify(k, sum, value[:width], value[width:])
		}
		return ok && ecdsa.Verify(k, sum, r, s)
	case *dsa.PublicKey:
		width := (k.Q.BitLen() + 7) / 8
		r, s, ok := splitPair(value, width)
		return ok && dsa.Verify(k, sum[:min(len(sum), width)], r, s)
	}
	return false
}

// splitPair takes r||s of fixed width apart, each as wide as the order of the group [XMLDSIG 6.4.3]. Other lengths, DER
// among them, are refused: one signature has one encoding.
func splitPair(value []byte, width int) (r, s *big.Int, ok bool) {
	if len(value) != 2*width {
		return nil, nil, false
	}
	r, s = new(big.Int).SetBytes(value[:width]), new(big.Int).SetBytes(value[width:])
	return r, s, r.Sign() > 0 && s.Sign() > 0
}

// fixWidth rewrites r||s of two halves that lack leading zeros, or have one octet of zeros more, as the numbers of ASN.1 do. Any other
// value stays as it is.
func fixWidth(value []byte, width int) []byte {
	half := len(value) / 2
	if len(value)%2 != 0 || half == 0 || half == width || half > width+1 || half > width && (value[0] != 0 || value[half] != 0) {
		return value
	}
	out := make([]byte, 2*width)
	for i, number := range [][]byte{value[:half], value[half:]} {
		number = number[max(0, half-width):]
		copy(out[(i+1)*width-len(number):], number)
	}
	return out
}

// checkKey compares kind and strength of the key with the method and the options.
func (p *parsed) checkKey(key crypto.PublicKey, opt *VerifyOptions) error {
	var kind keyKind
	weak := false
	least := opt.MinRSABits
	if least <= 0 {
		least = defaultRSABits
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		kind = kindRSA
		if p.method.kind == kindPSS {
			kind = kindPSS
		}
		weak = k.N == nil || k.N.BitLen() < least || k.N.BitLen() > maxRSABits || k.E < 3 || k.E&1 == 0
	case *ecdsa.PublicKey:
		kind = kindECDSA
		weak = k.Curve == nil || k.Curve.Params().N.BitLen() < minCurveBits
	case ed25519.PublicKey:
		kind = kindEd25519
		weak = len(k) != ed25519.PublicKeySize
	case *mldsa.PublicKey:
		kind = kindMLDSA
		weak = k.Parameters() != p.method.mldsa
	case *dsa.PublicKey:
		kind = kindDSA
		weak = !dsaShape(k) || k.P.BitLen() < least
	case HMACKey:
		kind = kindHMAC
		weak = len(k) == 0
	default:
		return fmt.Errorf("%w: %T for %s", ErrKey, key, p.method.uri)
	}
	if kind != p.method.kind {
		return fmt.Errorf("%w: %T for %s", ErrKey, key, p.method.uri)
	}
	if weak {
		return fmt.Errorf("%w: the %T is too weak or malformed", ErrKey, key)
	}
	return nil
}

// dsaShape refuses parameters that make one verification expensive or meaningless [FIPS 186-3 4.2].
func dsaShape(k *dsa.PublicKey) bool {
	if k.P == nil || k.Q == nil || k.G == nil || k.Y == nil {
		return false
	}
	q := k.Q.BitLen()
	return k.P.BitLen() <= 3072 && (q == 160 || q == 224 || q == 256)
}
