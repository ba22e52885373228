package xmlenc

import (
	"crypto"
	"strconv"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const (
	nsWSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	nsWSU  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
)

// maxReferences bounds the DataReferences of one key.
const maxReferences = 1000

// EncryptedKey is an xenc:EncryptedKey [XMLENC11 3.5.1].
type EncryptedKey struct {
	Node      dom.Node
	ID        string // @Id, or @wsu:Id where that is absent
	Recipient string // @Recipient, a hint
	Transport Transport

	// RecipientInfo names the recipient's certificate: the wsse:SecurityTokenReference or ds:X509Data where there is one,
	// else the first element of ds:KeyInfo or xenc:RecipientKeyInfo. The zero node when nothing names it.
	RecipientInfo dom.Node

	// Originator is the ephemeral key of a key agreement. It is nil where OriginatorInfo only names a key, which the caller
	// then looks up and sets before Decrypt.
	Originator     crypto.PublicKey
	OriginatorInfo dom.Node

	References     []string // URIs of xenc:DataReference
	CarriedKeyName string

	cipher []byte
}

// ParseEncryptedKey reads an xenc:EncryptedKey and refuses algorithms that are not this package's with ErrAlgorithm.
func ParseEncryptedKey(n dom.Node) (*EncryptedKey, error) {
	if !n.Valid() || !n.Is(nsXenc, "EncryptedKey") {
		return nil, notA(n, "EncryptedKey")
	}
	k := &EncryptedKey{Node: n, ID: n.Attr("Id"), Recipient: n.Attr("Recipient")}
	if k.ID == "" {
		k.ID, _ = n.AttrNS(nsWSU, "Id")
	}
	c := read(n)
	method, err := c.need(nsXenc, "EncryptionMethod")
	if err != nil {
		return nil, err
	}
	if err := k.readMethod(method); err != nil {
		return nil, err
	}
	if info := c.take(nsDS, "KeyInfo"); info.Valid() {
		if err := k.readInfo(info); err != nil {
			return nil, err
		}
	}
	if err := wrong(method, k.Transport.check()); err != nil {
		return nil, err
	}
	data, err := c.need(nsXenc, "CipherData")
	if err != nil {
		return nil, err
	}
	if k.cipher, err = readKeyValue(data); err != nil {
		return nil, err
	}
	c.take(nsXenc, "EncryptionProperties")
	if list := c.take(nsXenc, "ReferenceList"); list.Valid() {
		if err := k.readReferences(list); err != nil {
			return nil, err
		}
	}
	if name := c.take(nsXenc, "CarriedKeyName"); name.Valid() {
		k.CarriedKeyName = name.TrimmedText()
	}
	return k, c.end()
}

func notA(n dom.Node, want string) error {
	if !n.Valid() {
		return ErrStructure
	}
	return n.Errorf("%w: %s is no xenc:%s", ErrStructure, n.QName(), want)
}

// readMethod reads EncryptionMethod, whose children come in any order in the field.
func (k *EncryptedKey) readMethod(n dom.Node) error {
	uri, err := algorithm(n)
	if err != nil {
		return err
	}
	t := &k.Transport
	oaep := uri == RSAOAEP || uri == RSAOAEPMGF1P
	switch {
	case oaep:
		t.Algorithm, t.Digest, t.MGF = uri, SHA1, MGF1SHA1
	case isKeyWrap(uri):
		t.KeyWrap = uri
	default:
		return n.Errorf("%w: %q", ErrAlgorithm, uri)
	}
	var seen struct{ digest, mask, label, size bool }
	for e := range n.Elements() {
		var twice *bool
		switch {
		case e.Is(nsDS, "DigestMethod") && oaep:
			twice = &seen.digest
			t.Digest, err = algorithm(e)
		case e.Is(nsXenc11, "MGF") && oaep:
			twice = &seen.mask
			var mgf string
			if mgf, err = algorithm(e); uri == RSAOAEP { // fixed with rsa-oaep-mgf1p [XMLENC11 5.5.2]
				t.MGF = mgf
			}
		case e.Is(nsXenc, "OAEPparams") && oaep:
			twice = &seen.label
			t.Label, err = value(e, maxValue)
		case e.Is(nsXenc, "KeySize"):
			twice = &seen.size
			err = checkKeySize(e, uri)
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

// checkKeySize refuses a KeySize, in bits, against an algorithm that implies another one [XMLENC11 3.2].
func checkKeySize(n dom.Node, uri string) error {
	bits, err := strconv.Atoi(n.TrimmedText())
	if want := 8 * KeySize(uri); err != nil || want != 0 && bits != want {
		return n.Errorf("%w: KeySize %q with %s", ErrStructure, clip(n.TrimmedText()), uri)
	}
	return nil
}

// clip keeps a stranger's text out of our logs beyond its beginning.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

func (k *EncryptedKey) readInfo(info dom.Node) error {
	agreement := info.Child(nsXenc, "AgreementMethod")
	if !agreement.Valid() {
		k.RecipientInfo = recipient(info)
		return nil
	}
	if k.Transport.KeyWrap == "" {
		return agreement.Errorf("%w: key agreement under %s", ErrStructure, k.Transport.Algorithm)
	}
	return k.readAgreement(agreement)
}

// recipient chooses the child of a KeyInfo that names a certificate. ENTSOG's example wraps it once more in ds:KeyValue.
func recipient(info dom.Node) dom.Node {
	for e := range info.Elements() {
		if e.Is(nsDS, "KeyValue") {
			if inner := e.Child(nsWSSE, "SecurityTokenReference"); inner.Valid() {
				return inner
			}
		}
		if e.Is(nsWSSE, "SecurityTokenReference") || e.Is(nsDS, "X509Data") {
			return e
		}
	}
	return info.FirstElement()
}

// readKeyValue reads a CipherData that must hold its octets here: a key is not fetched from elsewhere.
func readKeyValue(data dom.Node) ([]byte, error) {
	c := read(data)
	v, err := c.need(nsXenc, "CipherValue")
	if err != nil {
		return nil, err
	}
	if err := c.end(); err != nil {
		return nil, err
	}
	b, err := value(v, maxValue)
	if err == nil && len(b) == 0 {
		err = v.Errorf("%w: empty", ErrStructure)
	}
	return b, err
}

func (k *EncryptedKey) readReferences(list dom.Node) error {
	for e := range list.Elements() {
		if e.Is(nsXenc, "KeyReference") {
			continue
		}
		uri := e.Attr("URI")
		if !e.Is(nsXenc, "DataReference") || uri == "" {
			return e.Errorf("%w: a DataReference with URI is due", ErrStructure)
		}
		if len(k.References) == maxReferences {
			return e.Errorf("%w: more than %d references", ErrStructure, maxReferences)
		}
		k.References = append(k.References, uri)
	}
	return nil
}
