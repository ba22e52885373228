package asic

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// Records of ZIP (APPNOTE.TXT 4.3).
const (
	localHeader    = "PK\x03\x04"
	centralHeader  = "PK\x01\x02"
	endOfDirectory = "PK\x05\x06"

	localSize, centralSize, endSize = 30, 46, 22
	endSize64                       = 56 + 20 // record and locator that come before the end in ZIP64
)

// checkLayout refuses a ZIP file in which a reader of the stream, which goes from one local header to the next, would find other
// files than a reader of the directory: both must be all that there is, in one piece and under the same names.
func checkLayout(r io.ReaderAt, size int64, z *zip.Reader) error {
	type placed struct {
		*zip.File
		data int64
	}
	all := make([]placed, len(z.File))
	directory := int64(0)
	for i, f := range z.File {
		at, err := f.DataOffset()
		if err != nil {
			return fmt.Errorf("%w: %q: %w", ErrFormat, f.Name, err)
		}
		all[i] = placed{f, at}
		directory += int64(centralSize + len(f.Name) + len(f.Extra) + len(f.Comment))
	}
	slices.SortFunc(all, func(a, b placed) int { return cmp.Compare(a.data, b.data) })
	at := int64(0)
	for _, f := range all {
		head := make([]byte, localSize+len(f.Name))
		if _, err := r.ReadAt(head, at); err != nil || string(head[:4]) != localHeader || f.data < at+localSize {
			return fmt.Errorf("%w: something else stands before %q", ErrHidden, f.Name)
		}
		name, extra := binary.LittleEndian.Uint16(head[26:]), binary.LittleEndian.Uint16(head[28:])
		if at+localSize+int64(name)+int64(extra) != f.data || string(head[localSize:]) != f.Name {
			return fmt.Errorf("%w: %q has another name, or stands elsewhere, than the directory says", ErrHidden, f.Name)
		}
		at = f.data + int64(f.CompressedSize64)
		if f.Flags&8 != 0 {
			at += descriptor(r, at)
		}
	}
	rest := size - at - directory - int64(endSize+len(z.Comment))
	end := make([]byte, 4)
	if _, err := r.ReadAt(end, size-int64(endSize+len(z.Comment))); err != nil || string(end) != endOfDirectory || rest != 0 && rest != endSize64 {
		return fmt.Errorf("%w: something else stands before or behind the directory", ErrHidden)
	}
	return nil
}

// descriptor is the size of the data descriptor at a place, which has two optional parts (APPNOTE.TXT 4.3.9).
func descriptor(r io.ReaderAt, at int64) int64 {
	var b [28]byte
	n, _ := r.ReadAt(b[:], at)
	for _, size := range []int{16, 24, 12, 20} {
		if size+4 <= n && (bytes.Equal(b[size:size+4], []byte(localHeader)) || bytes.Equal(b[size:size+4], []byte(centralHeader))) {
			return int64(size)
		}
	}
	return 0
}
