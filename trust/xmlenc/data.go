package xmlenc

import (
	"fmt"
	"io"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// EncryptedData is an xenc:EncryptedData [XMLENC11 3.4]. Its octets are either in CipherValue or where CipherReference says.
type EncryptedData struct {
	Node            dom.Node // as read
	ID              string
	Type            string // TypeElement, TypeContent, or a URI of another standard
	MimeType        string
	Algorithm       string
	KeyInfo         dom.Node // as read; the zero node where absent
	CipherReference string   // "cid:..."
	Transforms      []string // of the reference
	CipherValue     []byte
}

// ParseEncryptedData reads an xenc:EncryptedData. It does not judge the algorithm, which the data's user may restrict further.
func ParseEncryptedData(n dom.Node) (*EncryptedData, error) {
	if !n.Valid() || !n.Is(nsXenc, "EncryptedData") {
		return nil, notA(n, "EncryptedData")
	}
	ed := &EncryptedData{Node: n, ID: n.Attr("Id"), Type: n.Attr("Type"), MimeType: n.Attr("MimeType")}
	if ed.ID == "" {
		ed.ID, _ = n.AttrNS(nsWSU, "Id")
	}
	c := read(n)
	if method := c.take(nsXenc, "EncryptionMethod"); method.Valid() {
		var err error
		if ed.Algorithm, err = algorithm(method); err != nil {
			return nil, err
		}
		m := read(method)
		if size := m.take(nsXenc, "KeySize"); size.Valid() {
			if err := checkKeySize(size, ed.Algorithm); err != nil {
				return nil, err
			}
		}
		if isGCM(ed.Algorithm) || isCBC(ed.Algorithm) { // others may have parameters
			if err := m.end(); err != nil {
				return nil, err
			}
		}
	}
	ed.KeyInfo = c.take(nsDS, "KeyInfo")
	data, err := c.need(nsXenc, "CipherData")
	if err != nil {
		return nil, err
	}
	if err := ed.readCipherData(data); err != nil {
		return nil, err
	}
	c.take(nsXenc, "EncryptionProperties")
	return ed, c.end()
}

// maxTransforms bounds the transforms of one reference.
const maxTransforms = 16

func (ed *EncryptedData) readCipherData(data dom.Node) (err error) {
	c := read(data)
	if v := c.take(nsXenc, "CipherValue"); v.Valid() {
		if ed.CipherValue, err = value(v, 0); err != nil {
			return err
		}
		return c.end()
	}
	ref, err := c.need(nsXenc, "CipherReference")
	if err != nil {
		return err
	}
	if ed.CipherReference = ref.Attr("URI"); ed.CipherReference == "" {
		return ref.Errorf("%w: no URI", ErrStructure)
	}
	r := read(ref)
	if list := r.take(nsXenc, "Transforms"); list.Valid() {
		for e := range list.Elements() {
			if !e.Is(nsDS, "Transform") || len(ed.Transforms) == maxTransforms {
				return e.Errorf("%w: at most %d ds:Transform are due", ErrStructure, maxTransforms)
			}
			uri, err := algorithm(e)
			if err != nil {
				return err
			}
			ed.Transforms = append(ed.Transforms, uri)
		}
	}
	if err := r.end(); err != nil {
		return err
	}
	return c.end()
}

// WriteEncryptedData writes an xenc:EncryptedData with the namespaces it uses; keyInfo, if not nil, writes the content of
// ds:KeyInfo. With a CipherReference the CipherValue is not written.
func WriteEncryptedData(w *dom.Writer, ed EncryptedData, keyInfo func(w *dom.Writer)) {
	attrs := append(make([]string, 0, 10), "xmlns:ds", nsDS, "xmlns:xenc", nsXenc)
	for _, a := range [...][2]string{{"Id", ed.ID}, {"MimeType", ed.MimeType}, {"Type", ed.Type}} {
		if a[1] != "" {
			attrs = append(attrs, a[0], a[1])
		}
	}
	w.Start("xenc:EncryptedData", attrs...)
	if ed.Algorithm != "" {
		w.Element("xenc:EncryptionMethod", "", "Algorithm", ed.Algorithm)
	}
	if keyInfo != nil {
		w.Start("ds:KeyInfo")
		keyInfo(w)
		w.End()
	}
	w.Start("xenc:CipherData")
	if ed.CipherReference == "" {
		w.Start("xenc:CipherValue")
		w.Base64(ed.CipherValue)
		w.End()
	} else {
		w.Start("xenc:CipherReference", "URI", ed.CipherReference)
		if len(ed.Transforms) > 0 {
			w.Start("xenc:Transforms")
			for _, uri := range ed.Transforms {
				w.Element("ds:Transform", "", "Algorithm", uri)
			}
			w.End()
		}
		w.End()
	}
	w.End()
	w.End()
}

// DecryptOptions are what DecryptElement and EncryptedData.Decrypt may be told.
type DecryptOptions struct {
	// AllowCBC accepts AES-CBC, which anybody on the way can alter. Only for material that is signed outside the encryption;
	// callers must not show whether the padding or what came after it was wrong [XMLENC11 6.1.2].
	AllowCBC bool
	Rand     io.Reader // nil: crypto/rand
}

// accept is the key size of the data's algorithm, or an error where it is not accepted.
func (ed *EncryptedData) accept(opt DecryptOptions) (int, error) {
	if isGCM(ed.Algorithm) || isCBC(ed.Algorithm) && opt.AllowCBC {
		return KeySize(ed.Algorithm), nil
	}
	err := fmt.Errorf("%w: data encrypted with %q", ErrAlgorithm, ed.Algorithm)
	if ed.Node.Valid() {
		return 0, wrong(ed.Node, err)
	}
	return 0, err
}

// Decrypt answers the octets of CipherValue under a session key. The octets of a CipherReference are the caller's: they go
// through NewGCMReader.
func (ed *EncryptedData) Decrypt(sessionKey []byte, opt DecryptOptions) ([]byte, error) {
	size, err := ed.accept(opt)
	if err != nil {
		return nil, err
	}
	if ed.CipherReference != "" {
		return nil, fmt.Errorf("%w: the octets are elsewhere, at %q", ErrStructure, clip(ed.CipherReference))
	}
	if len(sessionKey) != size {
		return nil, fmt.Errorf("%w: a session key of %d octets for %s", ErrAlgorithm, len(sessionKey), ed.Algorithm)
	}
	if isCBC(ed.Algorithm) {
		return openCBC(sessionKey, ed.CipherValue)
	}
	return OpenGCM(nil, sessionKey, ed.CipherValue)
}
