package xmlenc

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	cryptorand "crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"strconv"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// EncryptedKeyOptions are what WriteEncryptedKey needs beside algorithm and keys.
type EncryptedKeyOptions struct {
	ID         string              // @Id
	Recipient  func(w *dom.Writer) // content of ds:KeyInfo, of xenc:RecipientKeyInfo with key agreement: what names the certificate
	References []string            // URIs of what the key encrypts, "#ED-1"
	Rand       io.Reader           // nil: crypto/rand
}

// WriteEncryptedKey writes an xenc:EncryptedKey that carries sessionKey to the owner of a public key: *rsa.PublicKey for RSA-OAEP,
// *ecdh.PublicKey for X25519, *ecdsa.PublicKey for ECDH-ES. The element declares the prefixes xenc, ds, xenc11, dsig11 and
// dsig-more as it uses them; what Recipient writes declares its own. On error nothing is written.
func WriteEncryptedKey(w *dom.Writer, t Transport, to crypto.PublicKey, sessionKey []byte, opt EncryptedKeyOptions) error {
	if err := t.check(); err != nil {
		return err
	}
	if n := len(sessionKey); n != 16 && n != 24 && n != 32 {
		return fmt.Errorf("xmlenc: a session key of %d octets", n)
	}
	rand := opt.Rand
	if rand == nil {
		rand = cryptorand.Reader
	}
	if t.Algorithm != "" {
		return writeTransported(w, t, to, sessionKey, opt, rand)
	}
	return writeAgreed(w, t, to, sessionKey, opt, rand)
}

func writeTransported(w *dom.Writer, t Transport, to crypto.PublicKey, sessionKey []byte, opt EncryptedKeyOptions, rand io.Reader) error {
	pub, ok := to.(*rsa.PublicKey)
	if !ok {
		return fmt.Errorf("%w: %s with a key of type %T", ErrAlgorithm, t.Algorithm, to)
	}
	hash, mask, err := t.oaepHashes()
	if err != nil {
		return err
	}
	value, err := rsa.EncryptOAEPWithOptions(rand, pub, sessionKey, &rsa.OAEPOptions{Hash: hash, MGFHash: mask, Label: t.Label})
	if err != nil {
		return fmt.Errorf("xmlenc: recipient's key: %w", err)
	}

	startEncryptedKey(w, opt.ID)
	w.Start("xenc:EncryptionMethod", "Algorithm", t.Algorithm)
	if len(t.Label) > 0 {
		w.Start("xenc:OAEPparams")
		w.Base64(t.Label)
		w.End()
	}
	if t.Digest != "" {
		w.Element("ds:DigestMethod", "", "Algorithm", t.Digest)
	}
	if t.Algorithm == RSAOAEP && t.MGF != "" {
		w.Element("xenc11:MGF", "", "xmlns:xenc11", nsXenc11, "Algorithm", t.MGF)
	}
	w.End()
	if opt.Recipient != nil {
		w.Start("ds:KeyInfo")
		opt.Recipient(w)
		w.End()
	}
	endEncryptedKey(w, value, opt.References)
	return nil
}

func writeAgreed(w *dom.Writer, t Transport, to crypto.PublicKey, sessionKey []byte, opt EncryptedKeyOptions, rand io.Reader) error {
	if t.Agreement == "" {
		return fmt.Errorf("%w: a key wrap without key agreement is not written", ErrAlgorithm)
	}
	if method, _ := agreementOf(to); method != t.Agreement {
		return fmt.Errorf("%w: %s with a key of type %T", ErrAlgorithm, t.Agreement, to)
	}
	if t.KDF == HKDF {
		if t.HKDF.PRF == "" {
			t.HKDF.PRF = HMACSHA256
		}
		if t.HKDF.Salt == nil {
			t.HKDF.Salt = make([]byte, 32)
			if _, err := io.ReadFull(rand, t.HKDF.Salt); err != nil {
				return fmt.Errorf("xmlenc: salt: %w", err)
			}
		}
		t.HKDF.KeyLength = KeySize(t.KeyWrap)
	}
	ephemeral, secret, err := agreeEphemeral(rand, to)
	if err != nil {
		return err
	}
	kek, err := t.kek(secret)
	if err != nil {
		return err
	}
	value, err := wrap(kek, sessionKey)
	if err != nil {
		return err
	}
	point, err := encodeOriginator(ephemeral)
	if err != nil {
		return err
	}

	startEncryptedKey(w, opt.ID)
	w.Element("xenc:EncryptionMethod", "", "Algorithm", t.KeyWrap)
	w.Start("ds:KeyInfo")
	w.Start("xenc:AgreementMethod", "Algorithm", t.Agreement)
	writeDerivation(w, t)
	w.Start("xenc:OriginatorKeyInfo")
	writeOriginator(w, ephemeral, point)
	w.End()
	if opt.Recipient != nil {
		w.Start("xenc:RecipientKeyInfo")
		opt.Recipient(w)
		w.End()
	}
	w.End()
	w.End()
	endEncryptedKey(w, value, opt.References)
	return nil
}

func startEncryptedKey(w *dom.Writer, id string) {
	if id == "" {
		w.Start("xenc:EncryptedKey", "xmlns:ds", nsDS, "xmlns:xenc", nsXenc)
	} else {
		w.Start("xenc:EncryptedKey", "xmlns:ds", nsDS, "xmlns:xenc", nsXenc, "Id", id)
	}
}

func endEncryptedKey(w *dom.Writer, value []byte, references []string) {
	w.Start("xenc:CipherData")
	w.Start("xenc:CipherValue")
	w.Base64(value)
	w.End()
	w.End()
	if len(references) > 0 {
		w.Start("xenc:ReferenceList")
		for _, uri := range references {
			w.Element("xenc:DataReference", "", "URI", uri)
		}
		w.End()
	}
	w.End()
}

func writeDerivation(w *dom.Writer, t Transport) {
	w.Start("xenc11:KeyDerivationMethod", "xmlns:xenc11", nsXenc11, "Algorithm", t.KDF)
	if t.KDF == HKDF {
		w.Start("dsig-more:HKDFParams", "xmlns:dsig-more", nsDSigMore)
		w.Element("dsig-more:PRF", "", "Algorithm", t.HKDF.PRF)
		if len(t.HKDF.Salt) > 0 {
			w.Start("dsig-more:Salt")
			w.Base64(t.HKDF.Salt)
			w.End()
		}
		if len(t.HKDF.Info) > 0 {
			w.Start("dsig-more:Info")
			w.Base64(t.HKDF.Info)
			w.End()
		}
		w.Element("dsig-more:KeyLength", strconv.Itoa(t.HKDF.KeyLength))
		w.End()
	} else {
		c := t.Concat
		attrs := []string{"AlgorithmID", c.AlgorithmID, "PartyUInfo", c.PartyUInfo, "PartyVInfo", c.PartyVInfo}
		if c.SuppPubInfo != "" {
			attrs = append(attrs, "SuppPubInfo", c.SuppPubInfo)
		}
		if c.SuppPrivInfo != "" {
			attrs = append(attrs, "SuppPrivInfo", c.SuppPrivInfo)
		}
		w.Start("xenc11:ConcatKDFParams", attrs...)
		if c.Digest == "" {
			c.Digest = SHA256
		}
		w.Element("ds:DigestMethod", "", "Algorithm", c.Digest)
		w.End()
	}
	w.End()
}

func encodeOriginator(pub crypto.PublicKey) ([]byte, error) {
	if x, ok := pub.(*ecdh.PublicKey); ok {
		return append([]byte(x25519Prefix), x.Bytes()...), nil
	}
	return encodePoint(pub.(*ecdsa.PublicKey))
}

// writeOriginator writes an X25519 key as DEREncodedKeyValue and an EC key as ECKeyValue, as Santuario does and reads.
func writeOriginator(w *dom.Writer, pub crypto.PublicKey, encoded []byte) {
	ec, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		w.Start("dsig11:DEREncodedKeyValue", "xmlns:dsig11", nsDSig11)
		w.Base64(encoded)
		w.End()
		return
	}
	w.Start("ds:KeyValue")
	w.Start("dsig11:ECKeyValue", "xmlns:dsig11", nsDSig11)
	w.Element("dsig11:NamedCurve", "", "URI", "urn:oid:"+curveOID(ec.Curve))
	w.Start("dsig11:PublicKey")
	w.Base64(encoded)
	w.End()
	w.End()
	w.End()
}
