package asic

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// What a reader of the stream would see otherwise than a reader of the directory is refused: a good file for who verifies, and
// another for who opens.
func TestEveryReaderFindsTheSameFiles(t *testing.T) {
	t.Parallel()
	const sig = "META-INF/signatures.xml"
	good := plain(t, "a.txt", "good", sig, "<x/>")
	open(t, good)
	evil := plain(t, "a.txt", "evil", sig, "<x/>")
	part := func(b []byte) (files, directory []byte) {
		i := bytes.Index(b, []byte(centralHeader))
		return b[:i], b[i:]
	}
	first, _ := part(evil)
	files, directory := part(good)
	// moved is the directory with all that it points at so much further behind.
	moved := func(by int) []byte {
		d := bytes.Clone(directory)
		for i := 0; ; {
			k := bytes.Index(d[i:], []byte(centralHeader))
			if k < 0 {
				break
			}
			i += k + 4
			at := d[i-4+42:]
			binary.LittleEndian.PutUint32(at, binary.LittleEndian.Uint32(at)+uint32(by))
		}
		at := d[len(d)-6:]
		binary.LittleEndian.PutUint32(at, binary.LittleEndian.Uint32(at)+uint32(by))
		return d
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	behind := moved(0)
	at := behind[len(behind)-6:]
	binary.LittleEndian.PutUint32(at, binary.LittleEndian.Uint32(at)+uint32(len(first)))
	for name, b := range map[string][]byte{
		"other files before the ones that are listed":       join(first, files, moved(len(first))),
		"other files behind the ones that are listed":       join(files, first, behind),
		"a program before the files":                        join([]byte("PK\x03\x04 and code, long enough for a header"), files, moved(41)),
		"another name in the file's own header":             bytes.Replace(good, []byte("a.txt"), []byte("b.txt"), 1),
		"another name in the directory":                     join(files, bytes.Replace(directory, []byte("a.txt"), []byte("b.txt"), 1)),
		"something between the files and their directory":   join(files, make([]byte, 100), behind[:len(behind)-6], binary.LittleEndian.AppendUint32(nil, uint32(len(files)+100)), make([]byte, 2)),
		"something between the directory and what ends it":  join(files, directory[:len(directory)-endSize], make([]byte, 50), directory[len(directory)-endSize:]),
		"two directories, of which some readers see either": join(files, directory[:len(directory)-endSize], directory),
	} {
		if _, err := Open(bytes.NewReader(b), int64(len(b))); !errors.Is(err, ErrHidden) && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
