package rulepack

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// manifestFile is the manifest in a pack, filesFolder what the publisher released.
const (
	manifestFile = "pack.json"
	filesFolder  = "files"
)

// Bounds of an archive that is read: entries, and octets of all of them together.
const (
	maxEntries = 20_000
	maxOctets  = 512 << 20
)

// Pack is a rule pack. It never changes.
type Pack struct {
	Manifest
	octets []byte
	files  fs.FS
}

// SHA256 is the checksum of the pack file.
func (p *Pack) SHA256() string {
	sum := sha256.Sum256(p.octets)
	return hex.EncodeToString(sum[:])
}

// Octets returns the pack file; they must not be changed.
func (p *Pack) Octets() []byte { return p.octets }

// Files returns what the publisher released.
func (p *Pack) Files() fs.FS { return p.files }

// Read reads a pack file and takes ownership of its octets.
func Read(octets []byte) (*Pack, error) {
	z, err := openArchive(octets)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPack, err)
	}
	b, err := fs.ReadFile(z, manifestFile)
	if err != nil {
		return nil, fmt.Errorf("%w: it has no %s", ErrPack, manifestFile)
	}
	p := &Pack{octets: octets}
	if err := json.Unmarshal(b, &p.Manifest); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrPack, manifestFile, err)
	}
	if p.ID.Version == "" || len(p.Scenarios) == 0 {
		return nil, fmt.Errorf("%w: %s names no version or no scenario", ErrPack, manifestFile)
	}
	if p.files, err = fs.Sub(z, filesFolder); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPack, err)
	}
	return p, nil
}

// openArchive opens a ZIP archive within bounds.
func openArchive(octets []byte) (*zip.Reader, error) {
	z, err := zip.NewReader(bytes.NewReader(octets), int64(len(octets)))
	if err != nil {
		return nil, err
	}
	if len(z.File) > maxEntries {
		return nil, fmt.Errorf("more than %d entries", maxEntries)
	}
	var sum uint64
	for _, f := range z.File {
		if sum += f.UncompressedSize64; sum > maxOctets || f.UncompressedSize64 > maxOctets {
			return nil, fmt.Errorf("more than %d MiB when unpacked", maxOctets>>20)
		}
	}
	return z, nil
}

// build makes a pack of some files of a release. The same input gives the same octets.
func build(m Manifest, release fs.FS, files []string) (*Pack, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	put := func(name string, content []byte) error {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err == nil {
			_, err = w.Write(content)
		}
		return err
	}
	if err := put(manifestFile, m.marshal()); err != nil {
		return nil, err
	}
	files = slices.Clone(files)
	slices.Sort(files)
	for _, f := range slices.Compact(files) {
		content, err := fs.ReadFile(release, f)
		if err != nil {
			return nil, err
		}
		if err := put(path.Join(filesFolder, f), content); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return Read(b.Bytes())
}

// memory is a file system of what was read from a folder or an archive, so that neither can change under us.
type memory map[string][]byte

func (m memory) Open(name string) (fs.File, error) {
	if b, ok := m[name]; ok {
		return &memoryFile{name: path.Base(name), Reader: bytes.NewReader(b)}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func (m memory) ReadFile(name string) ([]byte, error) {
	if b, ok := m[name]; ok {
		return slices.Clone(b), nil // the reader of a document may keep what it gets
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func (m memory) names() []string { return slices.Sorted(maps.Keys(m)) }

type memoryFile struct {
	name string
	*bytes.Reader
}

func (f *memoryFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f *memoryFile) Close() error               { return nil }
func (f *memoryFile) Name() string               { return f.name }
func (f *memoryFile) Mode() fs.FileMode          { return 0o444 }
func (f *memoryFile) ModTime() time.Time         { return time.Time{} }
func (f *memoryFile) IsDir() bool                { return false }
func (f *memoryFile) Sys() any                   { return nil }

// load reads what may be part of rules from a file system.
func load(fsys fs.FS) (memory, error) {
	m := memory{}
	octets := int64(0)
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		switch strings.ToLower(path.Ext(name)) {
		case ".sch", ".xsd", ".xml", ".xsl", ".xslt", ".incl", ".gc", ".ves", ".json":
		default:
			return nil
		}
		if len(m) >= maxEntries {
			return fmt.Errorf("more than %d files", maxEntries)
		}
		f, err := fsys.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxOctets-octets+1))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if octets += int64(len(b)); octets > maxOctets {
			return fmt.Errorf("more than %d MiB", maxOctets>>20)
		}
		m[name] = b
		return nil
	})
	return m, err
}
