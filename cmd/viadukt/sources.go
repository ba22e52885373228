package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// source is a document that waits to be read: a file, standard input, or an entry of a ZIP archive. size is -1 where it
// is not known.
type source struct {
	name string
	open func() (r io.ReadCloser, size int64, err error)
	// container says that it is a container of dossiers, which is read where it stands: what open gives is an [io.ReaderAt].
	container bool
}

// sourceMost bounds one document, and entriesMost those of one archive.
const (
	sourceMost  = 16 << 30
	entriesMost = 5_000_000
)

// documents replaces folders by the XML files in them and ZIP archives by the entries that are XML files; closing ends
// the reading of archives.
func documents(stdin io.Reader, args []string) (list []source, closing func(), err error) {
	var archives []io.Closer
	closing = func() {
		for _, a := range archives {
			a.Close()
		}
	}
	defer func() {
		if err != nil {
			closing()
		}
	}()
	for _, arg := range args {
		before := len(list)
		info, statErr := os.Stat(arg)
		switch {
		case arg == "-":
			more, err := fromStdin(stdin)
			if err != nil {
				return nil, closing, err
			}
			list = append(list, more...)
		case statErr == nil && info.IsDir():
			err = filepath.WalkDir(arg, func(path string, e fs.DirEntry, err error) error {
				switch {
				case err != nil || e.IsDir():
					return err
				case isXML(path):
					list = append(list, file(path))
				case strings.EqualFold(filepath.Ext(path), ".zip"):
					entries, archive, err := entriesOf(path)
					if err != nil {
						return err
					}
					archives = append(archives, archive)
					list = append(list, entries...)
				}
				return nil
			})
			if err != nil {
				return nil, closing, err
			}
			if len(list) == before {
				return nil, closing, usage("%s holds no XML file", arg)
			}
		case statErr == nil && strings.EqualFold(filepath.Ext(arg), ".zip"):
			entries, archive, err := entriesOf(arg)
			if err != nil {
				return nil, closing, err
			}
			archives = append(archives, archive)
			if entries == nil {
				return nil, closing, usage("%s holds no XML file", arg)
			}
			list = append(list, entries...)
		default:
			list = append(list, file(arg))
		}
	}
	return list, closing, nil
}

func isXML(name string) bool { return strings.EqualFold(filepath.Ext(name), ".xml") }

func file(name string) source {
	return source{name: name, open: func() (io.ReadCloser, int64, error) {
		f, err := os.Open(name)
		if err != nil {
			return nil, 0, err
		}
		info, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, 0, err
		}
		size := info.Size()
		if !info.Mode().IsRegular() {
			size = -1
		}
		return f, size, nil
	}}
}

// readSized reads a file whose size is known at one stroke; it may have grown since.
func readSized(r io.Reader, size int64) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

func entriesOf(name string) ([]source, io.Closer, error) {
	z, err := zip.OpenReader(name)
	if err != nil {
		return nil, nil, &exit{status: statusUsage, Code: "NO_ARCHIVE", Text: err.Error(), Where: name}
	}
	if dossiers(&z.Reader) { // judged as one
		s := file(name)
		s.container = true
		return []source{s}, z, nil
	}
	list, err := entries(name, &z.Reader)
	if err != nil {
		z.Close()
		return nil, nil, err
	}
	return list, z, nil
}

// dossiers reports whether an archive names its files as a container of Virtual Company Dossiers does.
func dossiers(z *zip.Reader) bool {
	return slices.ContainsFunc(z.File, func(f *zip.File) bool { return isXML(f.Name) && strings.HasPrefix(path.Base(f.Name), "VCD") })
}

// inMemory is an archive that was read.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// entries lists what is XML in an archive. What an entry really holds is bounded when it is read, whatever it says.
func entries(name string, z *zip.Reader) (list []source, err error) {
	if len(z.File) > entriesMost {
		return nil, &exit{status: statusFailed, Code: "LIMIT", Text: fmt.Sprintf("more than %d entries", entriesMost), Where: name}
	}
	for _, f := range z.File {
		if !isXML(f.Name) || strings.HasPrefix(f.Name, "__MACOSX/") {
			continue
		}
		list = append(list, source{name: name + "/" + f.Name, open: func() (io.ReadCloser, int64, error) {
			r, err := f.Open()
			return r, -1, err
		}})
	}
	return list, nil
}

// stdinArchiveMost bounds an archive on standard input, which has to be kept as a whole.
const stdinArchiveMost = 256 << 20

// fromStdin takes a document, or an archive of them.
func fromStdin(in io.Reader) ([]source, error) {
	var begin [4]byte
	n, err := io.ReadFull(in, begin[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && err != io.EOF {
		return nil, err
	}
	all := io.MultiReader(bytes.NewReader(begin[:n]), in)
	if string(begin[:n]) != "PK\x03\x04" {
		return []source{{name: "-", open: func() (io.ReadCloser, int64, error) { return io.NopCloser(all), -1, nil }}}, nil
	}
	b, err := io.ReadAll(io.LimitReader(all, stdinArchiveMost+1))
	if err != nil {
		return nil, err
	}
	if len(b) > stdinArchiveMost {
		return nil, &exit{status: statusFailed, Code: "LIMIT", Text: fmt.Sprintf("an archive of more than %d MiB on standard input", stdinArchiveMost>>20), Remedy: "store it and name the file"}
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, &exit{status: statusUsage, Code: "NO_ARCHIVE", Text: err.Error(), Where: "-"}
	}
	if dossiers(z) {
		return []source{{name: "-", container: true, open: func() (io.ReadCloser, int64, error) {
			return inMemory{bytes.NewReader(b)}, int64(len(b)), nil
		}}}, nil
	}
	return entries("-", z)
}
