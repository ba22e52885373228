package asic

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/flate"
	"crypto"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/url"
	"time"

	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Content is a file to be put into a container.
type Content struct {
	Name, MimeType string
	Open           func() (io.ReadCloser, error)
	Root           bool // the one that the others of a manifest are about: of an archive manifest the one before
}

// Writer writes a container, file after file. Equal files and times make equal octets.
type Writer struct {
	z    *zip.Writer
	when time.Time
	seen map[string]bool
}

// NewWriter begins a container with its media type, stored, as the first file [EN 319 162-1 A.1].
func NewWriter(w io.Writer, t Type, when time.Time) (*Writer, error) {
	mime := MimeTypeE
	if t == S {
		mime = MimeTypeS
	}
	out := &Writer{z: zip.NewWriter(w), when: when.UTC(), seen: map[string]bool{}}
	h := &zip.FileHeader{
		Name: "mimetype", Method: zip.Store, CRC32: crc32.ChecksumIEEE([]byte(mime)),
		CompressedSize64: uint64(len(mime)), UncompressedSize64: uint64(len(mime)),
	}
	f, err := out.z.CreateRaw(h) // neither extra field nor data descriptor may follow
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(f, mime)
	return out, err
}

// Add writes a file.
func (w *Writer) Add(name string, r io.Reader) error {
	if err := checkName(name); err != nil {
		return err
	}
	if w.seen[name] || name == "mimetype" {
		return fmt.Errorf("%w: %q", ErrTwice, name)
	}
	w.seen[name] = true
	b := bufio.NewReaderSize(r, sample)
	level, err := levelFor(b)
	if err != nil {
		return err
	}
	// Stored files would need their sizes first: readers of streams refuse them otherwise.
	w.z.RegisterCompressor(zip.Deflate, func(to io.Writer) (io.WriteCloser, error) { return newPacker(to, level) })
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	h.Modified = w.when
	f, err := w.z.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, b)
	return err
}

// packer packs no more than a reader of containers believes: from where a file gets too small, the rest is stored.
type packer struct {
	*flate.Writer
	out  counter
	in   int64
	next int64 // how much is to be read when it is looked at; 0: it is stored
}

type counter struct {
	io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.n += int64(n)
	return n, err
}

func newPacker(to io.Writer, level int) (*packer, error) {
	p := &packer{out: counter{Writer: to}}
	if level != flate.NoCompression {
		p.next = expandFrom / 8
	}
	var err error
	p.Writer, err = flate.NewWriter(&p.out, level)
	return p, err
}

// Write looks at each doubling. What is then packed to a fiftieth at most is not beyond a hundredth at the next.
func (p *packer) Write(b []byte) (int, error) {
	all := len(b)
	for p.next > 0 && int64(len(b)) >= p.next-p.in {
		n, err := p.Writer.Write(b[:p.next-p.in])
		if err == nil {
			err = p.Flush()
		}
		if err != nil {
			return all - len(b) + n, err
		}
		p.in += int64(n)
		b = b[n:]
		p.next *= 2
		if p.out.n < p.in/(expandRatio/2) {
			// behind a flush, the stream goes on with blocks of any writer
			p.next = 0
			if p.Writer, err = flate.NewWriter(&p.out, flate.NoCompression); err != nil {
				return all - len(b), err
			}
		}
	}
	n, err := p.Writer.Write(b)
	p.in += int64(n)
	return all - len(b) + n, err
}

const sample = 64 << 10 // octets

// levelFor packs what gets smaller; images, archives and PDF mostly do not, and packing costs far more than signing.
func levelFor(r *bufio.Reader) (int, error) {
	head, err := r.Peek(sample)
	if err != nil && err != io.EOF {
		return 0, err
	}
	var packed bytes.Buffer
	z, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		return 0, err
	}
	if _, err = z.Write(head); err == nil {
		err = z.Close()
	}
	if packed.Len() > len(head)*9/10 {
		return flate.NoCompression, err
	}
	return flate.DefaultCompression, err
}

// Close ends the container.
func (w *Writer) Close() error { return w.z.Close() }

// Small is a file of META-INF, in memory.
type Small struct {
	Name   string
	Octets []byte
}

// Write writes a container: the content, the manifest where there is one, and the signature.
func Write(to io.Writer, t Type, when time.Time, content []Content, manifest, signature *Small) error {
	w, err := NewWriter(to, t, when)
	if err != nil {
		return err
	}
	for _, c := range content {
		r, err := c.Open()
		if err != nil {
			return err
		}
		if err = errors.Join(w.Add(c.Name, r), r.Close()); err != nil {
			return err
		}
	}
	for _, s := range []*Small{manifest, signature} {
		if s == nil {
			continue
		}
		if err := w.Add(s.Name, bytes.NewReader(s.Octets)); err != nil {
			return err
		}
	}
	return w.Close()
}

// Edit is what [Container.Edit] changes.
type Edit struct {
	Replace map[string][]byte // other octets, by the name of the file
	Rename  map[string]string // another name for a file whose octets stay
	Take    []Taken           // files of other containers, behind those
	Add     []Small           // files behind all others
}

// Taken is a file of another container, under a name.
type Taken struct {
	Name string
	File *File
}

// Edit writes the container anew; what is not changed is copied as it is packed.
func (c *Container) Edit(to io.Writer, e Edit) error {
	z := zip.NewWriter(to)
	put := func(name string, modified time.Time, b []byte) error {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: modified})
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	}
	var last time.Time
	for _, f := range c.Files {
		if f.zip.Modified.After(last) {
			last = f.zip.Modified
		}
		var err error
		if b, other := e.Replace[f.Name]; other {
			err = put(f.Name, f.zip.Modified, b)
		} else if name, renamed := e.Rename[f.Name]; renamed {
			err = f.copyAs(z, name)
		} else {
			err = f.copyAs(z, f.zip.Name)
		}
		if err != nil {
			return fmt.Errorf("%w: %q: %w", ErrFormat, f.Name, err)
		}
	}
	for _, x := range e.Take {
		if err := x.File.copyAs(z, x.Name); err != nil {
			return fmt.Errorf("%w: %q: %w", ErrFormat, x.Name, err)
		}
	}
	for _, s := range e.Add {
		if err := put(s.Name, last, s.Octets); err != nil {
			return err
		}
	}
	return errors.Join(z.SetComment(c.Comment), z.Close())
}

// copyAs copies a file as it is packed, under a name.
func (f *File) copyAs(z *zip.Writer, name string) error {
	h := f.zip.FileHeader
	h.Name, h.Extra = name, without64(h.Extra)
	w, err := z.CreateRaw(&h)
	if err != nil {
		return err
	}
	r, err := f.zip.OpenRaw()
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return err
}

// without64 leaves out of the extra fields what is of ZIP64 (APPNOTE.TXT 4.5.3): it tells where a file stood, and the writer
// tells where it stands now.
func without64(extra []byte) (out []byte) {
	for len(extra) >= 4 {
		n := 4 + int(binary.LittleEndian.Uint16(extra[2:]))
		if n > len(extra) {
			break
		}
		if binary.LittleEndian.Uint16(extra) != 1 {
			out = append(out, extra[:n]...)
		}
		extra = extra[n:]
	}
	return append(out, extra...)
}

// WriteManifest writes an ASiCManifest over content, for the signature file of that name [EN 319 162-1 A.4].
func WriteManifest(signature, mimeType string, content []Content, method string) ([]byte, error) {
	h, ok := xmldsig.DigestHash(method)
	if !ok || !h.Available() {
		return nil, fmt.Errorf("%w: digest method %q", xmldsig.ErrAlgorithm, method)
	}
	w := dom.NewWriter([]byte(`<?xml version="1.0" encoding="UTF-8"?>`))
	w.Start("asic:ASiCManifest", "xmlns:asic", Namespace, "xmlns:ds", xmldsig.Namespace)
	w.Element("asic:SigReference", "", "MimeType", mimeType, "URI", escape(signature))
	for _, c := range content {
		sum, err := digest(c.Open, h)
		if err != nil {
			return nil, err
		}
		attrs := []string{"URI", escape(c.Name)}
		if c.Root {
			attrs = append([]string{"Rootfile", "true"}, attrs...)
		}
		if c.MimeType != "" {
			attrs = append([]string{"MimeType", c.MimeType}, attrs...)
		}
		w.Start("asic:DataObjectReference", attrs...)
		w.Element("ds:DigestMethod", "", "Algorithm", method)
		w.Start("ds:DigestValue")
		w.Base64(sum)
		w.End()
		w.End()
	}
	w.End()
	return w.Bytes(), nil
}

const opendocument = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"

// WriteFiles writes META-INF/manifest.xml, the list of files that other implementations expect in ASiC-E with XAdES
// [EN 319 162-1 4.4.3].
func WriteFiles(content []Content) []byte {
	w := dom.NewWriter([]byte(`<?xml version="1.0" encoding="UTF-8"?>`))
	w.Start("manifest:manifest", "xmlns:manifest", opendocument, "manifest:version", "1.2")
	w.Element("manifest:file-entry", "", "manifest:full-path", "/", "manifest:media-type", MimeTypeE)
	for _, c := range content {
		mime := c.MimeType
		if mime == "" {
			mime = "application/octet-stream"
		}
		w.Element("manifest:file-entry", "", "manifest:full-path", c.Name, "manifest:media-type", mime)
	}
	w.End()
	return w.Bytes()
}

func digest(open func() (io.ReadCloser, error), h crypto.Hash) ([]byte, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	sum := h.New()
	if _, err := io.Copy(sum, r); err != nil {
		return nil, err
	}
	return sum.Sum(nil), nil
}

func escape(name string) string { return (&url.URL{Path: name}).String() }

// WrapXAdES puts ds:Signature elements, each a document of its own, into the root element of a signature file
// [EN 319 162-1 A.5].
func WrapXAdES(signatures ...[]byte) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<asic:XAdESSignatures xmlns:asic="` + Namespace + `">`)
	for _, s := range signatures {
		if bytes.HasPrefix(s, []byte("<?xml")) {
			if i := bytes.Index(s, []byte("?>")); i >= 0 {
				s = s[i+2:]
			}
		}
		b.Write(s)
	}
	b.WriteString(`</asic:XAdESSignatures>`)
	return b.Bytes()
}
