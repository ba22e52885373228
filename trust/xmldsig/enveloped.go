package xmldsig

import (
	"bytes"
	"crypto"
	"fmt"
	"io"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// EnvelopedOptions says how SignEnveloped signs.
type EnvelopedOptions struct {
	Rand             io.Reader
	SignatureMethod  string             // default by key
	DigestMethod     string             // default SHA256
	Canonicalization string             // of SignedInfo: default Inclusive10; also Inclusive11, Exclusive10
	Certificates     []*pki.Certificate // signer's first, for KeyInfo/X509Data; none: no KeyInfo
	SubjectName      bool               // write X509SubjectName of the signer before its certificate
	ID               string
}

// SignEnveloped signs a whole document and returns it with the signature as last child of its root: one Reference with
// URI "" and the enveloped-signature transform alone, hence implicit Canonical XML 1.0 [XMLDSIG 4.4.3.2], which takes in
// every white space: the octets must be sent as they are. The result is UTF-8.
func SignEnveloped(key crypto.Signer, doc *dom.Document, opt EnvelopedOptions) ([]byte, error) {
	root := doc.Root()
	method := c14n.Method{Algorithm: opt.Canonicalization}
	if method.Algorithm == "" {
		method.Algorithm = c14n.Inclusive10
	}
	inScope := map[string]string{}
	for prefix, uri := range root.InScope() {
		inScope[prefix] = uri
	}
	if method.Algorithm != c14n.Exclusive10 {
		for a := range root.Attributes() {
			if a.Space() == xmlNS {
				return nil, a.Errorf("%w: inclusive canonicalisation of SignedInfo would take this attribute in; use exclusive", ErrAlgorithm)
			}
		}
	}
	sign := SignOptions{
		Rand:             opt.Rand,
		SignatureMethod:  opt.SignatureMethod,
		Canonicalization: method,
		ID:               opt.ID,
		InScope:          inScope,
	}
	if len(opt.Certificates) > 0 {
		sign.KeyInfo = func(w *dom.Writer) { writeX509Data(w, opt.Certificates, opt.SubjectName) }
	}
	refs := []SignReference{{
		Node:         doc.Node(),
		Transforms:   []Transform{{Algorithm: Enveloped}},
		DigestMethod: opt.DigestMethod,
	}}
	signature, err := Sign(key, refs, sign)
	if err != nil {
		return nil, err
	}
	return InsertLast(root, signature)
}

// X509Data returns a KeyInfo function for [SignOptions] that writes certificates, signer's first, under the prefix ds.
func X509Data(certs ...*pki.Certificate) func(w *dom.Writer) {
	return func(w *dom.Writer) { writeX509Data(w, certs, false) }
}

func writeX509Data(w *dom.Writer, certs []*pki.Certificate, subject bool) {
	w.Start("ds:X509Data")
	if subject && len(certs) > 0 {
		w.Element("ds:X509SubjectName", certs[0].Subject.String())
	}
	for _, c := range certs {
		w.Start("ds:X509Certificate")
		w.Base64(c.Raw)
		w.End()
	}
	w.End()
}

// InsertLast returns the document of root with element, well-formed by itself, as the last child of root, and with an XML
// declaration that tells the truth about the encoding: UTF-8.
func InsertLast(root dom.Node, element []byte) ([]byte, error) {
	const declaration = `<?xml version="1.0" encoding="UTF-8"?>`
	src := root.Document().Source()
	raw := root.Raw()
	start := root.Offset()
	end := start + len(raw)
	out := make([]byte, 0, len(src)+len(element)+len(declaration)+len(root.QName())+4)
	out = append(out, declaration...)
	head := bytes.TrimPrefix(src[:start], []byte("\ufeff"))
	if rest, ok := bytes.CutPrefix(head, []byte("<?xml")); ok && len(rest) > 0 && isSpace(rest[:1]) {
		i := bytes.Index(head, []byte("?>"))
		if i < 0 {
			return nil, fmt.Errorf("%w: XML declaration", ErrStructure)
		}
		head = head[i+2:]
	}
	out = append(out, head...)
	if empty, ok := bytes.CutSuffix(raw, []byte("/>")); ok {
		out = append(append(out, empty...), '>')
		out = append(out, element...)
		out = append(append(append(out, "</"...), root.QName()...), '>')
	} else {
		close := bytes.LastIndex(raw, []byte("</"))
		out = append(out, raw[:close]...)
		out = append(out, element...)
		out = append(out, raw[close:]...)
	}
	return append(out, src[end:]...), nil
}
