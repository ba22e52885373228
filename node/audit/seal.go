package audit

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// A sealed text ends in three lines that sign all of it up to and with the second:
//
//	certificate HEX      SHA-256 of the signer's certificate
//	algorithm NAME       see algorithms
//	signature BASE64
//
// so that the signature can be checked with any tool: the signed octets are those before "signature".

// ErrSeal says that a signed text is malformed or its signature wrong.
var ErrSeal = errors.New("audit: signature does not hold")

// algorithms are the ways to sign: RSA with PSS padding, MGF1 and a salt of 32 octets, all with SHA-256; ECDSA with the
// hash as long as the curve, as a DER sequence of r and s; Ed25519.
var algorithms = map[string]pki.SignatureAlgorithm{
	"rsa-pss-sha256": {Scheme: pki.SchemeRSAPSS, Hash: crypto.SHA256, MGFHash: crypto.SHA256, SaltLength: 32},
	"ecdsa-sha256":   {Scheme: pki.SchemeECDSA, Hash: crypto.SHA256},
	"ecdsa-sha384":   {Scheme: pki.SchemeECDSA, Hash: crypto.SHA384},
	"ecdsa-sha512":   {Scheme: pki.SchemeECDSA, Hash: crypto.SHA512},
	"ed25519":        {Scheme: pki.SchemeEd25519},
}

func algorithmFor(pub crypto.PublicKey) (string, error) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return "rsa-pss-sha256", nil
	case *ecdsa.PublicKey:
		switch bits := k.Curve.Params().BitSize; {
		case bits <= 256:
			return "ecdsa-sha256", nil
		case bits <= 384:
			return "ecdsa-sha384", nil
		}
		return "ecdsa-sha512", nil
	case ed25519.PublicKey:
		return "ed25519", nil
	}
	return "", fmt.Errorf("audit: a %T signs no texts", pub)
}

// seal signs text, which ends in LF.
func seal(text []byte, id *pki.Identity, random io.Reader) ([]byte, error) {
	signer, ok := id.Key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("audit: the key of %s does not sign", id.Certificate.Subject)
	}
	name, err := algorithmFor(signer.Public())
	if err != nil {
		return nil, err
	}
	alg := algorithms[name]
	text = fmt.Appendf(text, "certificate %x\nalgorithm %s\n", id.Certificate.Fingerprint(), name)
	message, opts := text, crypto.SignerOpts(crypto.Hash(0))
	if alg.Hash != 0 {
		h := alg.Hash.New()
		h.Write(text)
		message, opts = h.Sum(nil), alg.Hash
	}
	if alg.Scheme == pki.SchemeRSAPSS {
		opts = &rsa.PSSOptions{SaltLength: alg.SaltLength, Hash: alg.Hash}
	}
	sig, err := signer.Sign(random, message, opts)
	if err != nil {
		return nil, fmt.Errorf("audit: sign: %w", err)
	}
	text = append(text, "signature "...)
	text = base64.StdEncoding.AppendEncode(text, sig)
	return append(text, '\n'), nil
}

// sealed is a signed text taken apart.
type sealed struct {
	text        []byte // the lines before the three
	signed      []byte
	certificate [32]byte
	algorithm   string
	signature   []byte
}

func openSealed(b []byte) (s sealed, err error) {
	bad := func(what string) (sealed, error) { return sealed{}, fmt.Errorf("%w: %s", ErrSeal, what) }
	rest, ok := bytes.CutSuffix(b, []byte("\n"))
	if !ok {
		return bad("the last line has no end")
	}
	var lines [3]string
	for i, name := range []string{"signature ", "algorithm ", "certificate "} {
		at := bytes.LastIndexByte(rest, '\n')
		line := rest[at+1:]
		if at < 0 || !bytes.HasPrefix(line, []byte(name)) {
			return bad("the line " + strings.TrimSpace(name) + " is missing")
		}
		lines[i] = string(line[len(name):])
		if i == 0 {
			s.signed = rest[:at+1]
		}
		rest = rest[:at]
	}
	s.text, s.algorithm = b[:len(rest)+1], lines[1]
	if s.signature, err = base64.StdEncoding.Strict().DecodeString(lines[0]); err != nil {
		return bad("the signature is not base64")
	}
	if sum, err := hex.DecodeString(lines[2]); err != nil || copy(s.certificate[:], sum) != len(sum) || lines[2] != hex.EncodeToString(s.certificate[:]) {
		return bad("the certificate is not named by its SHA-256")
	}
	return s, nil
}

// verify checks the signature with the certificate, which must be the one that is named.
func (s *sealed) verify(c *pki.Certificate) error {
	alg, ok := algorithms[s.algorithm]
	if !ok {
		return fmt.Errorf("%w: unknown algorithm %q", ErrSeal, s.algorithm)
	}
	if c.Fingerprint() != s.certificate {
		return fmt.Errorf("%w: another certificate signed", ErrSeal)
	}
	if want, err := algorithmFor(c.PublicKey); err != nil || want != s.algorithm {
		return fmt.Errorf("%w: the certificate's key does not sign with %s", ErrSeal, s.algorithm)
	}
	if r, ok := c.PublicKey.(*rsa.PublicKey); ok && r.N.BitLen() < 2048 {
		return fmt.Errorf("%w: a key of %d bits is too weak", ErrSeal, r.N.BitLen())
	}
	if err := alg.Verify(c.PublicKey, s.signed, s.signature); err != nil {
		return fmt.Errorf("%w: %w", ErrSeal, err)
	}
	return nil
}
