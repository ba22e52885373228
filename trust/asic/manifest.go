package asic

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespace of the container's own XML [EN 319 162-1 A.4].
const Namespace = "http://uri.etsi.org/02918/v1.2.1#"

// Manifest says which files a signature or time-stamp beside it covers [EN 319 162-1 A.4].
type Manifest struct {
	Name      string // of the file
	Octets    []byte // that are signed
	Signature string // name of the file that signs it
	MimeType  string
	Objects   []Object
	Critical  bool // it has an extension that must be understood, and is not
}

// Object is a file that a manifest lists.
type Object struct {
	Name, MimeType, DigestMethod string
	Digest                       []byte
	Root                         bool
}

// Manifests reads the ASiC manifests, and says which cannot be read.
func (c *Container) Manifests() (out []*Manifest, unreadable []error) {
	for _, f := range c.Files {
		if !f.within("asicmanifest", ".xml") && !f.within("asicarchivemanifest", ".xml") && !f.within("asicevidencerecordmanifest", ".xml") {
			continue
		}
		b, err := f.Bytes()
		if err == nil {
			var m *Manifest
			if m, err = parseManifest(b); err == nil {
				m.Name = f.Name
				out = append(out, m)
				continue
			}
		}
		unreadable = append(unreadable, fmt.Errorf("%s: %w", f.Name, err))
	}
	return out, unreadable
}

func parseManifest(b []byte) (*Manifest, error) {
	doc, err := dom.Parse(append([]byte(nil), b...), dom.Limits{})
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	if !root.Is(Namespace, "ASiCManifest") {
		return nil, root.Errorf("%w: no asic:ASiCManifest", ErrFormat)
	}
	m := &Manifest{Octets: b}
	for n := range root.Elements() {
		switch {
		case n.Is(Namespace, "SigReference"):
			m.Signature, m.MimeType = FileName(n.Attr("URI")), n.Attr("MimeType")
		case n.Is(Namespace, "DataObjectReference"):
			o := Object{Name: FileName(n.Attr("URI")), MimeType: n.Attr("MimeType"), Root: n.Attr("Rootfile") == "true"}
			o.DigestMethod = n.Child(xmldsig.Namespace, "DigestMethod").Attr("Algorithm")
			v := n.Child(xmldsig.Namespace, "DigestValue")
			if !v.Valid() {
				return nil, n.Errorf("%w: no ds:DigestValue", ErrFormat)
			}
			if o.Digest, err = xmldsig.DecodeBase64(v, 1024); err != nil {
				return nil, err
			}
			m.Objects = append(m.Objects, o)
		case n.Is(Namespace, "ASiCManifestExtensions"):
			for e := range n.Elements() {
				m.Critical = m.Critical || e.Attr("Critical") == "true"
			}
		}
	}
	if m.Signature == "" {
		return nil, root.Errorf("%w: no asic:SigReference", ErrFormat)
	}
	return m, nil
}

// FileName is the name of the file of a container that a relative URI is for.
func FileName(uri string) string {
	if plain, err := url.PathUnescape(uri); err == nil {
		uri = plain
	}
	return strings.TrimPrefix(strings.TrimPrefix(uri, "./"), "/")
}
