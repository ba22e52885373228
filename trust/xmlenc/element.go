package xmlenc

import (
	"crypto"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// maxKeys bounds the private key operations for one EncryptedData, which names one EncryptedKey a recipient.
const maxKeys = 8

// DecryptElement decrypts an xenc:EncryptedData that stands in place of an element or of content, and answers the octets. With
// TypeContent they are to be parsed in the namespace context of the parent.
//
// The session key comes from the EncryptedKeys of its ds:KeyInfo, those that a RetrievalMethod there points to, or where there is
// none, those beside it [SAML2 6]; each is tried until the data opens. With AES-CBC, where nothing proves the key, there must
// be exactly one.
func DecryptElement(n dom.Node, key pki.Key, opt DecryptOptions) ([]byte, error) {
	ed, err := ParseEncryptedData(n)
	if err != nil {
		return nil, err
	}
	size, err := ed.accept(opt)
	if err != nil {
		return nil, err
	}
	keys, err := ed.Keys()
	if err != nil {
		return nil, err
	}
	if isCBC(ed.Algorithm) && len(keys) > 1 {
		return nil, n.Errorf("%w: %d keys for AES-CBC, at most one is accepted", ErrStructure, len(keys))
	}
	for _, k := range keys {
		session, err := k.Decrypt(key, size, opt.Rand)
		if err != nil {
			if len(keys) > 1 && errors.Is(err, ErrAlgorithm) {
				continue // somebody else's
			}
			return nil, wrong(k.Node, err)
		}
		plain, err := ed.Decrypt(session, opt)
		if !errors.Is(err, ErrDecrypt) {
			return plain, wrong(n, err)
		}
	}
	return nil, n.Errorf("%w", ErrDecrypt)
}

// Keys finds the EncryptedKeys of a parsed EncryptedData: at least one and at most eight.
func (ed *EncryptedData) Keys() ([]*EncryptedKey, error) {
	var nodes []dom.Node
	if ed.KeyInfo.Valid() {
		for e := range ed.KeyInfo.Elements() {
			switch {
			case e.Is(nsXenc, "EncryptedKey"):
				nodes = append(nodes, e)
			case e.Is(nsDS, "RetrievalMethod"):
				k, err := retrieve(e)
				if err != nil {
					return nil, err
				}
				nodes = append(nodes, k)
			}
			if len(nodes) > maxKeys {
				break
			}
		}
	}
	if len(nodes) == 0 {
		for e := range ed.Node.Parent().Elements() {
			if e.Is(nsXenc, "EncryptedKey") && len(nodes) <= maxKeys {
				nodes = append(nodes, e)
			}
		}
	}
	switch {
	case len(nodes) == 0:
		return nil, ed.Node.Errorf("%w: no EncryptedKey in it or beside it", ErrStructure)
	case len(nodes) > maxKeys:
		return nil, ed.Node.Errorf("%w: more than %d EncryptedKeys", ErrStructure, maxKeys)
	}
	keys := make([]*EncryptedKey, 0, len(nodes))
	var refused error
	for _, n := range nodes {
		k, err := ParseEncryptedKey(n)
		if errors.Is(err, ErrAlgorithm) { // another recipient may use what we refuse
			refused = err
			continue
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, refused
	}
	return keys, nil
}

// retrieve follows a RetrievalMethod within the document, one step: what it finds must be the EncryptedKey itself, so that no
// references can go round.
func retrieve(n dom.Node) (dom.Node, error) {
	uri := n.Attr("URI")
	if n.FirstElement().Valid() || len(uri) < 2 || uri[0] != '#' {
		return dom.Node{}, n.Errorf("%w: RetrievalMethod must be #id without transforms", ErrStructure)
	}
	if typ := n.Attr("Type"); typ != "" && typ != nsXenc+"EncryptedKey" {
		return dom.Node{}, n.Errorf("%w: RetrievalMethod of type %q", ErrStructure, clip(typ))
	}
	var found dom.Node
	for e := range n.Document().Node().Descendants() {
		if e.Kind() != dom.ElementNode || e.Attr("Id") != uri[1:] {
			continue
		}
		if found.Valid() {
			return dom.Node{}, e.Errorf("%w: a second element with Id %q", ErrStructure, clip(uri[1:]))
		}
		found = e
	}
	if !found.Valid() || !found.Is(nsXenc, "EncryptedKey") {
		return dom.Node{}, n.Errorf("%w: %q is no EncryptedKey", ErrStructure, clip(uri))
	}
	return found, nil
}

// EncryptOptions are what WriteEncryptedElement needs.
type EncryptOptions struct {
	ID, Type, MimeType string // of the EncryptedData
	Algorithm          string // "" is AES256GCM
	Transport          Transport
	To                 crypto.PublicKey
	Recipient          func(w *dom.Writer) // names the recipient's certificate, as in EncryptedKeyOptions
	Rand               io.Reader           // nil: crypto/rand
}

// WriteEncryptedElement encrypts octets, an element or content as XML or anything else, to one recipient and writes the xenc:EncryptedData with
// its EncryptedKey inside. On error nothing is written.
func WriteEncryptedElement(w *dom.Writer, octets []byte, opt EncryptOptions) error {
	if opt.Algorithm == "" {
		opt.Algorithm = AES256GCM
	}
	if !isGCM(opt.Algorithm) {
		return fmt.Errorf("%w: data is not encrypted with %q", ErrAlgorithm, opt.Algorithm)
	}
	if opt.Rand == nil {
		opt.Rand = cryptorand.Reader
	}
	var fresh [32 + ivSize]byte
	if _, err := io.ReadFull(opt.Rand, fresh[:]); err != nil {
		return fmt.Errorf("xmlenc: random key: %w", err)
	}
	session, iv := fresh[:KeySize(opt.Algorithm)], [ivSize]byte(fresh[32:])
	sealed, err := SealGCM(make([]byte, 0, ivSize+len(octets)+tagSize), session, iv, octets)
	if err != nil {
		return err
	}
	key := dom.NewWriter(nil)
	if err := WriteEncryptedKey(key, opt.Transport, opt.To, session, EncryptedKeyOptions{Recipient: opt.Recipient, Rand: opt.Rand}); err != nil {
		return err
	}
	ed := EncryptedData{ID: opt.ID, Type: opt.Type, MimeType: opt.MimeType, Algorithm: opt.Algorithm, CipherValue: sealed}
	WriteEncryptedData(w, ed, func(w *dom.Writer) { w.Raw(key.Bytes()) })
	return nil
}
