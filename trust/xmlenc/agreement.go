package xmlenc

import (
	"crypto"
	"strconv"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// readAgreement reads an xenc:AgreementMethod [XMLENC11 5.6].
func (k *EncryptedKey) readAgreement(n dom.Node) (err error) {
	t := &k.Transport
	if t.Agreement, err = algorithm(n); err != nil {
		return err
	}
	if t.Agreement != ECDHES && t.Agreement != X25519 {
		return n.Errorf("%w: key agreement %q", ErrAlgorithm, t.Agreement)
	}
	c := read(n)
	c.take(nsXenc, "KA-Nonce") // serves the derivation of XML Encryption 1.0 only, which is not ours
	derivation, err := c.need(nsXenc11, "KeyDerivationMethod")
	if err != nil {
		return err
	}
	if err := t.readDerivation(derivation); err != nil {
		return err
	}
	if k.OriginatorInfo, err = c.need(nsXenc, "OriginatorKeyInfo"); err != nil {
		return err
	}
	if err := k.readOriginator(); err != nil {
		return err
	}
	if to := c.take(nsXenc, "RecipientKeyInfo"); to.Valid() {
		k.RecipientInfo = recipient(to)
	}
	return c.end()
}

func (t *Transport) readDerivation(n dom.Node) (err error) {
	if t.KDF, err = algorithm(n); err != nil {
		return err
	}
	c := read(n)
	switch t.KDF {
	case HKDF:
		params := c.take(nsDSigMore, "HKDFParams")
		if params.Valid() { // without it every default holds
			err = t.HKDF.read(params)
		}
		if err == nil && t.HKDF.KeyLength != 0 && t.HKDF.KeyLength != KeySize(t.KeyWrap) {
			err = params.Errorf("%w: KeyLength %d with %s [RFC 9231 2.8.1]", ErrStructure, t.HKDF.KeyLength, t.KeyWrap)
		}
	case ConcatKDF:
		var params dom.Node
		if params, err = c.need(nsXenc11, "ConcatKDFParams"); err == nil {
			err = t.Concat.read(params)
		}
	default:
		return n.Errorf("%w: key derivation %q", ErrAlgorithm, t.KDF)
	}
	if err != nil {
		return err
	}
	return c.end()
}

// read takes the children in any order: WSS4J and ENTSOG differ in which they write.
func (p *HKDFParams) read(n dom.Node) (err error) {
	var seen struct{ prf, salt, info, length bool }
	for e := range n.Elements() {
		var twice *bool
		switch {
		case e.Is(nsDSigMore, "PRF") || e.Is(nsXenc11, "PRF"): // RFC 9231 says the first, Santuario reads the second
			twice = &seen.prf
			if p.PRF, err = algorithm(e); err == nil && prfHash(p.PRF) == 0 {
				err = e.Errorf("%w: HKDF with PRF %q", ErrAlgorithm, p.PRF)
			}
		case e.Is(nsDSigMore, "Salt"):
			twice = &seen.salt
			p.Salt, err = value(e, maxValue)
		case e.Is(nsDSigMore, "Info"):
			twice = &seen.info
			p.Info, err = value(e, maxValue)
		case e.Is(nsDSigMore, "KeyLength"):
			twice = &seen.length
			if p.KeyLength, err = strconv.Atoi(e.TrimmedText()); err != nil || p.KeyLength < 1 {
				err = e.Errorf("%w: KeyLength %q", ErrStructure, clip(e.TrimmedText()))
			}
		default:
			return e.Errorf("%w: %s is not expected here", ErrStructure, e.QName())
		}
		if err != nil {
			return err
		}
		if *twice {
			return e.Errorf("%w: a second %s", ErrStructure, e.QName())
		}
		*twice = true
	}
	return nil
}

func (p *ConcatParams) read(n dom.Node) error {
	c := read(n)
	method, err := c.need(nsDS, "DigestMethod")
	if err != nil {
		return err
	}
	if p.Digest, err = algorithm(method); err != nil {
		return err
	}
	if digest(p.Digest) == 0 {
		return method.Errorf("%w: ConcatKDF with digest %q", ErrAlgorithm, p.Digest)
	}
	p.AlgorithmID, p.PartyUInfo, p.PartyVInfo = n.Attr("AlgorithmID"), n.Attr("PartyUInfo"), n.Attr("PartyVInfo")
	p.SuppPubInfo, p.SuppPrivInfo = n.Attr("SuppPubInfo"), n.Attr("SuppPrivInfo")
	if _, err := p.otherInfo(); err != nil {
		return wrong(n, err)
	}
	return c.end()
}

// readOriginator reads the ephemeral public key, and leaves it nil where OriginatorKeyInfo only names one.
func (k *EncryptedKey) readOriginator() (err error) {
	var form string // in which the first key is written
	for e := range k.OriginatorInfo.Elements() {
		holder := e
		if e.Is(nsDS, "KeyValue") {
			if holder = e.FirstElement(); !holder.Valid() {
				return e.Errorf("%w: empty", ErrStructure)
			}
		}
		var pub crypto.PublicKey
		switch {
		case holder.Is(nsDSig11, "ECKeyValue"):
			pub, err = readECKeyValue(holder)
		case holder.Is(nsDSig11, "DEREncodedKeyValue"):
			pub, err = readDER(holder)
		case holder != e:
			return holder.Errorf("%w: a key of type %s agrees on nothing", ErrAlgorithm, holder.QName())
		default:
			continue
		}
		if err != nil {
			return err
		}
		if method, _ := agreementOf(pub); method != k.Transport.Agreement {
			return holder.Errorf("%w: key of another kind than %s", ErrAlgorithm, k.Transport.Agreement)
		}
		same, _ := pub.(interface{ Equal(crypto.PublicKey) bool })
		if k.Originator != nil && (form == holder.Local() || same == nil || !same.Equal(k.Originator)) { // nodes of the eIDAS network write one key in both forms
			return e.Errorf("%w: a second originator key", ErrStructure)
		}
		form = holder.Local()
		k.Originator = pub
	}
	return nil
}

func readECKeyValue(n dom.Node) (crypto.PublicKey, error) {
	c := read(n)
	named, err := c.need(nsDSig11, "NamedCurve")
	if err != nil {
		return nil, err
	}
	curve := curveByURI(named.Attr("URI"))
	if curve == nil {
		return nil, named.Errorf("%w: curve %q", ErrAlgorithm, clip(named.Attr("URI")))
	}
	point, err := c.need(nsDSig11, "PublicKey")
	if err != nil {
		return nil, err
	}
	if err := c.end(); err != nil {
		return nil, err
	}
	b, err := value(point, maxValue)
	if err != nil {
		return nil, err
	}
	pub, err := parsePoint(curve, b)
	if err != nil {
		return nil, point.Errorf("%w: no uncompressed point of its curve", ErrStructure)
	}
	return pub, nil
}

func readDER(n dom.Node) (crypto.PublicKey, error) {
	b, err := value(n, maxValue)
	if err != nil {
		return nil, err
	}
	pub, err := pki.ParsePublicKey(b)
	if err != nil {
		return nil, n.Errorf("%w: no SubjectPublicKeyInfo: %v", ErrStructure, err)
	}
	return pub, nil
}
