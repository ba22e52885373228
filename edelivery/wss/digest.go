package wss

import (
	"bytes"
	"crypto"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// MaxCanonicalised bounds an uncompressed XML attachment, which has to be in memory to be canonicalised.
const MaxCanonicalised = 64 << 20

// form says which octets of an attachment the content transform digests. Every peer follows WSS4J here, which goes
// by the MIME type that it believes the part to have [WSS-SwA 5.4.2].
type form int

const (
	formRaw form = iota
	formText
	formXML
)

func formOf(mimeType string) form {
	mt, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(mimeType)), ";")
	mt = strings.TrimSpace(mt)
	switch {
	case strings.HasPrefix(mt, "text/xml"), strings.HasPrefix(mt, "application/xml"),
		strings.HasSuffix(mt, "+xml") && (strings.HasPrefix(mt, "application/") || strings.HasPrefix(mt, "image/")):
		return formXML
	case strings.HasPrefix(mt, "text/"):
		return formText
	}
	return formRaw
}

// DigestsRaw says whether attachments of this type are digested as they are.
func DigestsRaw(mimeType string) bool { return formOf(mimeType) == formRaw }

// DigestContent digests an attachment of the given type as its signature does, for a sender.
// XML longer than 64 MiB is refused: compress it.
func DigestContent(mimeType, digestMethod string, r io.Reader) ([]byte, error) {
	d, err := newContentDigest(mimeType, digestMethod)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(d, r); err != nil {
		return nil, err
	}
	if d.err != nil {
		return nil, d.err
	}
	return d.sums()[0], nil
}

// contentDigest digests an attachment while it passes, in the form of its type and, beside it, raw.
type contentDigest struct {
	method crypto.Hash
	form   form
	raw    hash.Hash
	text   *crlfHash
	xml    bytes.Buffer
	err    error
}

func newContentDigest(mimeType, digestMethod string) (*contentDigest, error) {
	h, ok := xmldsig.DigestHash(digestMethod)
	if !ok {
		return nil, fmt.Errorf("%w: digest method %q", ErrAuthentication, digestMethod)
	}
	d := &contentDigest{method: h, form: formOf(mimeType), raw: h.New()}
	if d.form == formText {
		d.text = &crlfHash{h: h.New()}
	}
	return d, nil
}

func (d *contentDigest) Write(b []byte) (int, error) {
	d.raw.Write(b)
	switch d.form {
	case formText:
		d.text.Write(b)
	case formXML:
		if d.xml.Len()+len(b) > MaxCanonicalised {
			d.form, d.err = formRaw, fmt.Errorf("%w: XML attachment longer than %d octets must be compressed", ErrPart, MaxCanonicalised)
			d.xml = bytes.Buffer{}
			break
		}
		d.xml.Write(b)
	}
	return len(b), nil
}

// sums returns the digests that may be meant, the one of the type first. Stacks outside the WSS4J family digest XML
// and text raw as well.
func (d *contentDigest) sums() [][]byte {
	raw := d.raw.Sum(nil)
	switch d.form {
	case formText:
		return [][]byte{d.text.Sum(), raw}
	case formXML:
		doc, err := dom.Parse(d.xml.Bytes(), dom.Limits{Bytes: MaxCanonicalised})
		if err != nil {
			d.err = err
			return [][]byte{raw}
		}
		h := d.method.New()
		if err := (c14n.Method{Algorithm: c14n.Exclusive10}).Write(h, doc.Node()); err != nil {
			d.err = err
			return [][]byte{raw}
		}
		return [][]byte{h.Sum(nil), raw}
	}
	return [][]byte{raw}
}

// crlfHash digests text with every line end as CR LF.
type crlfHash struct {
	h  hash.Hash
	cr bool // the last octet was CR
}

func (c *crlfHash) Write(b []byte) {
	for len(b) > 0 {
		i := bytes.IndexAny(b, "\r\n")
		if i < 0 {
			c.h.Write(b)
			c.cr = false
			return
		}
		if i > 0 {
			c.h.Write(b[:i])
			c.cr = false
		}
		if b[i] == '\r' || !c.cr {
			c.h.Write([]byte("\r\n"))
		}
		c.cr = b[i] == '\r'
		b = b[i+1:]
	}
}

func (c *crlfHash) Sum() []byte { return c.h.Sum(nil) }
