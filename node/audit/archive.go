package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// A case is a zip file of one form: entries stored without compression, in the order of the manifest, without dates,
// comments and extra fields. Every program opens it, and [readArchive] can tell that not one octet of it was changed, also
// where a zip reader would not look.

// ErrArchive says that a file is not a case as it was written.
var ErrArchive = errors.New("audit: not a case as it was written")

const (
	localHeaderSize = 30
	maxArchive      = math.MaxUint32 - 1
	maxFiles        = 20_000
	maxName         = 100
)

// archive writes a case.
type archive struct {
	w         io.Writer
	at        int64
	directory []byte
	n         int
}

// add writes one file whose size and CRC-32 are known.
func (a *archive) add(name string, size int64, crc uint32, r io.Reader) error {
	h := localHeader(name, size, crc)
	if a.at+int64(len(h))+size+int64(len(a.directory)) > maxArchive-1<<20 {
		return errors.New("audit: the case is larger than a zip file may be: leave the payloads out")
	}
	if _, err := a.w.Write(h); err != nil {
		return err
	}
	n, err := io.Copy(a.w, io.LimitReader(r, size+1))
	if err != nil {
		return err
	}
	if n != size {
		return fmt.Errorf("audit: %s has %d octets and not %d", name, n, size)
	}
	a.directory = appendDirectory(a.directory, name, size, crc, a.at)
	a.at += int64(len(h)) + size
	a.n++
	return nil
}

func (a *archive) addOctets(name string, b []byte) error {
	return a.add(name, int64(len(b)), crc32.ChecksumIEEE(b), bytes.NewReader(b))
}

func (a *archive) close() error {
	_, err := a.w.Write(appendEnd(a.directory, a.n, len(a.directory), a.at))
	return err
}

// common are the fields that both headers of a file have: version 2.0, no flags, stored, 1 January 1980.
func common(b []byte, name string, size int64, crc uint32) []byte {
	b = append(b, 20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0)
	b = binary.LittleEndian.AppendUint32(b, crc)
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	return append(b, 0, 0)
}

func localHeader(name string, size int64, crc uint32) []byte {
	return append(common([]byte("PK\x03\x04"), name, size, crc), name...)
}

func appendDirectory(b []byte, name string, size int64, crc uint32, at int64) []byte {
	b = append(b, "PK\x01\x02\x14\x00"...)
	b = common(b, name, size, crc)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(at))
	return append(b, name...)
}

func appendEnd(b []byte, files, size int, at int64) []byte {
	b = append(b, "PK\x05\x06\x00\x00\x00\x00"...)
	b = binary.LittleEndian.AppendUint16(b, uint16(files))
	b = binary.LittleEndian.AppendUint16(b, uint16(files))
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = binary.LittleEndian.AppendUint32(b, uint32(at))
	return append(b, 0, 0)
}

// stored is one file of a case that is read.
type stored struct {
	name   string
	offset int64
	size   int64
	crc    uint32
}

// readArchive finds the files of a case and demands that everything around them is as it was written.
func readArchive(r io.ReaderAt, size int64) ([]stored, error) {
	bad := func(format string, args ...any) ([]stored, error) {
		return nil, fmt.Errorf("%w: "+format, append([]any{ErrArchive}, args...)...)
	}
	if size > maxArchive {
		return bad("%d octets", size)
	}
	var files []stored
	var directory []byte
	seen := map[string]bool{}
	at := int64(0)
	for {
		var head [localHeaderSize]byte
		if n, err := r.ReadAt(head[:], at); n < 4 || err != nil && err != io.EOF {
			return bad("it ends at octet %d", at)
		}
		if string(head[:4]) != "PK\x03\x04" {
			break
		}
		f := stored{
			size: int64(binary.LittleEndian.Uint32(head[18:])), crc: binary.LittleEndian.Uint32(head[14:]),
		}
		name := make([]byte, binary.LittleEndian.Uint16(head[26:]))
		if len(name) > maxName || len(files) == maxFiles {
			return bad("more or longer names than a case has, at octet %d", at)
		}
		if _, err := r.ReadAt(name, at+localHeaderSize); err != nil {
			return bad("it ends within a header at octet %d", at)
		}
		f.name, f.offset = string(name), at+localHeaderSize+int64(len(name))
		if !bytes.Equal(localHeader(f.name, f.size, f.crc), append(head[:], name...)) {
			return bad("the header at octet %d is another", at)
		}
		if !goodName(f.name) || seen[f.name] {
			return bad("the name %.100q", f.name)
		}
		if f.size > size-f.offset {
			return bad("%s is cut off", f.name)
		}
		seen[f.name] = true
		files = append(files, f)
		directory = appendDirectory(directory, f.name, f.size, f.crc, at)
		at = f.offset + f.size
	}
	want := appendEnd(directory, len(files), len(directory), at)
	if size-at != int64(len(want)) {
		return bad("its directory has another length")
	}
	have := make([]byte, len(want))
	if _, err := r.ReadAt(have, at); err != nil && err != io.EOF || !bytes.Equal(have, want) {
		return bad("its directory is another")
	}
	return files, nil
}

// goodName takes names that mean the same everywhere and lead nowhere else.
func goodName(s string) bool {
	if s == "" || s[0] == '/' || s[0] == '.' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		case c == '.' || c == '/':
			if s[i-1] == '.' || s[i-1] == '/' {
				return false
			}
		default:
			return false
		}
	}
	return true
}
