// Package asic reads and writes associated signature containers: ETSI EN 319 162-1 v1.1.1, ASiC-S and ASiC-E, and the ZIP
// files of the Estonian and of the office formats that are built alike.
//
// A container is read from its directory; the octets of its files are read when they are needed, in pieces. What a container
// claims to hold is bounded: files, names, and how far they expand.
package asic

import (
	"archive/zip"
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Media types of containers [EN 319 162-1 4.3.3, 4.4.3].
const (
	MimeTypeS = "application/vnd.etsi.asic-s+zip"
	MimeTypeE = "application/vnd.etsi.asic-e+zip"
)

// Type is the kind of a container.
type Type string

// The kinds. Open tells office documents from containers by their media type.
const (
	S      Type = "ASiC-S"
	E      Type = "ASiC-E"
	Office Type = "ODF"
)

// Bounds on what is read.
const (
	maxFiles    = 10_000
	maxName     = 1 << 10  // octets
	maxSmall    = 16 << 20 // octets of a file that is read at once: signatures, manifests
	expandFrom  = 1 << 20  // octets from which the ratio counts
	expandRatio = 100
)

// What a container can be refused for.
var (
	ErrFormat = errors.New("asic: no container")
	ErrName   = errors.New("asic: file name not allowed")
	ErrTwice  = errors.New("asic: two files have one name")
	ErrHidden = errors.New("asic: readers would find different files in the container")
	ErrLimit  = errors.New("asic: container exceeds a limit")
	ErrNoFile = errors.New("asic: no such file in the container")
)

// Container is an open container.
type Container struct {
	Type     Type
	MimeType string // content of the file mimetype, "" where there is none
	First    bool   // mimetype is the first file, stored, without extra field [EN 319 162-1 A.1]
	Comment  string
	Files    []*File // but folders
}

// File is one file of a container.
type File struct {
	Name string
	Size int64
	zip  *zip.File
}

// Open reads the directory of a container.
func Open(r io.ReaderAt, size int64) (*Container, error) {
	c, z, err := openZIP(r, size)
	if err != nil {
		return nil, err
	}
	if err := checkLayout(r, size, z); err != nil {
		return nil, err
	}
	c.Type = c.kind()
	if c.Type == "" {
		return nil, fmt.Errorf("%w: neither media type nor signatures of one", ErrFormat)
	}
	return c, nil
}

// OpenZIP reads the directory of any ZIP file within the bounds of a container; Type stays "".
func OpenZIP(r io.ReaderAt, size int64) (*Container, error) {
	c, _, err := openZIP(r, size)
	return c, err
}

func openZIP(r io.ReaderAt, size int64) (*Container, *zip.Reader, error) {
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if len(z.File) > maxFiles {
		return nil, nil, fmt.Errorf("%w: %d files", ErrLimit, len(z.File))
	}
	c, err := list(z)
	return c, z, err
}

// list takes the files of a directory whose names can be told apart.
func list(z *zip.Reader) (*Container, error) {
	c := &Container{Comment: z.Comment}
	seen := map[string]bool{}
	for i, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		name, err := fileName(f)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, fmt.Errorf("%w: %q", ErrTwice, name)
		}
		seen[name] = true
		if f.Flags&1 != 0 {
			return nil, fmt.Errorf("%w: %q is encrypted", ErrFormat, name)
		}
		file := &File{name, int64(f.UncompressedSize64), f}
		if name == "mimetype" {
			b, err := file.small(1 << 10)
			if err != nil {
				return nil, err
			}
			c.MimeType = string(b)
			c.First = i == 0 && f.Method == zip.Store && len(f.Extra) == 0
		}
		c.Files = append(c.Files, file)
	}
	return c, nil
}

// flagUTF8 says that a name is in UTF-8 (APPNOTE.TXT 4.4.4).
const flagUTF8 = 0x800

// fileName is the name of a file. Without the flag it is in UTF-8 where it can be, as many write it, and else in code page 437
// (APPNOTE.TXT appendix D): whatever was meant, it is one name and no other's.
func fileName(f *zip.File) (string, error) {
	name := f.Name
	if f.Flags&flagUTF8 == 0 && !utf8.ValidString(name) {
		name, _ = charmap.CodePage437.NewDecoder().String(name) // it has all 256 octets
	}
	return name, checkName(name)
}

// checkName refuses what would lead out of a folder [EN 319 162-1 4.1].
func checkName(name string) error {
	switch {
	case len(name) > maxName, !utf8.ValidString(name), strings.ContainsAny(name, "\x00\\"), path.IsAbs(name), strings.Contains(name, ":/"),
		!fs.ValidPath(name):
		return fmt.Errorf("%w: %.80q", ErrName, name)
	}
	return nil
}

// kind tells by the media type, and without one by what is there.
func (c *Container) kind() Type {
	declared := strings.TrimSpace(c.MimeType)
	switch {
	case declared == MimeTypeS:
		return S
	case declared == MimeTypeE:
		return E
	case strings.HasPrefix(declared, "application/vnd.oasis.opendocument"):
		return Office
	}
	// No media type, or a wrong one, which is for policies to judge.
	data, signed, manifest := 0, false, false
	for _, f := range c.Files {
		switch {
		case f.Name == "mimetype":
		case !f.Meta():
			data++
		case f.isManifest():
			manifest = true
		default:
			signed = signed || f.Signature() || f.TimeStamp() || f.EvidenceRecord()
		}
	}
	switch {
	case !signed:
		return ""
	case data == 1 && !manifest && !strings.Contains(declared, "asic-e"):
		return S
	}
	return E
}

// Meta tells whether a file belongs to the container and not to its content.
func (f *File) Meta() bool { return strings.HasPrefix(strings.ToUpper(f.Name), "META-INF/") }

func (f *File) lower() string { return strings.ToLower(f.Name) }

func (f *File) within(part string, ext ...string) bool {
	l := f.lower()
	return f.Meta() && strings.Contains(l, part) && slices.ContainsFunc(ext, func(e string) bool { return strings.HasSuffix(l, e) })
}

// Signature tells whether a file holds signatures [EN 319 162-1 4.3.3, 4.4.3]; office documents say documentsignatures.
func (f *File) Signature() bool {
	return f.within("signature", ".xml", ".p7s") && !f.isManifest()
}

// TimeStamp tells whether a file is a time-stamp over the content.
func (f *File) TimeStamp() bool { return f.within("timestamp", ".tst") }

// EvidenceRecord tells whether a file is an evidence record.
func (f *File) EvidenceRecord() bool {
	return f.within("evidencerecord", ".ers", ".xml") && !f.isManifest()
}

func (f *File) isManifest() bool {
	return f.within("manifest", ".xml")
}

// Data returns the files that are content.
func (c *Container) Data() (out []*File) {
	for _, f := range c.Files {
		if !f.Meta() && f.Name != "mimetype" {
			out = append(out, f)
		}
	}
	return out
}

// File finds a file by its name.
func (c *Container) File(name string) (*File, error) {
	for _, f := range c.Files {
		if f.Name == name {
			return f, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrNoFile, name)
}

// Open reads a file. A file that expands beyond any document's measure ends with ErrLimit.
func (f *File) Open() (io.ReadCloser, error) {
	r, err := f.zip.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrFormat, f.Name, err)
	}
	return &bounded{ReadCloser: r, file: f}, nil
}

// bounded counts what a file expands to.
type bounded struct {
	io.ReadCloser
	file *File
	n    int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	if packed := int64(b.file.zip.CompressedSize64); b.n > expandFrom && b.n > packed*expandRatio {
		return n, fmt.Errorf("%w: %q expands more than %d times", ErrLimit, b.file.Name, expandRatio)
	}
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %q: %w", ErrFormat, b.file.Name, err)
	}
	return n, err
}

// XML tells whether a file is XML by its name; signatures are CMS otherwise.
func (f *File) XML() bool { return strings.HasSuffix(f.lower(), ".xml") }

// Digest is the hash of what a file holds.
func (f *File) Digest(h crypto.Hash) ([]byte, error) { return digest(f.Open, h) }

// Bytes reads a small file: a signature, a manifest.
func (f *File) Bytes() ([]byte, error) { return f.small(maxSmall) }

func (f *File) small(most int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var in bytes.Buffer
	in.Grow(int(min(f.Size, 64<<10)) + bytes.MinRead)
	_, err = in.ReadFrom(io.LimitReader(r, most+1))
	b := in.Bytes()
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%w: %q has more than %d octets", ErrLimit, f.Name, most)
	}
	return b, err
}
