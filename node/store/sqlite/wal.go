package sqlite

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/viadukt-eu/viadukt/node/store"
)

// SQLite reads a write-ahead log up to the first frame whose checksum is wrong, and never tells that there was one. That
// is right after a power cut, which leaves the last writes half done; it hides that a disk lost what it had confirmed.

const (
	walHeader = 32
	walFrame  = 24 // before each page
)

// tornLog reads a write-ahead log and says where it breaks off, nil when it does not. Frames of an earlier round, which
// lie behind the newest one, have other salts and are no break.
func tornLog(path string) (*store.Damage, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	head := make([]byte, walHeader)
	if _, err := io.ReadFull(r, head); err != nil {
		if errors.Is(err, io.EOF) { // empty: folded into the database
			return nil, nil
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return torn("the header of the write-ahead log is cut off"), nil
		}
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch binary.BigEndian.Uint32(head) {
	case 0x377f0682:
	case 0x377f0683:
		order = binary.BigEndian
	default:
		return torn("the header of the write-ahead log is no header"), nil
	}
	page := int(binary.BigEndian.Uint32(head[8:]))
	s0, s1 := walSum(order, 0, 0, head[:24])
	if page < 512 || page > 1<<16 || binary.BigEndian.Uint32(head[24:]) != s0 || binary.BigEndian.Uint32(head[28:]) != s1 {
		return torn("the header of the write-ahead log has a wrong checksum"), nil
	}
	salt := head[16:24]
	frame := make([]byte, walFrame+page)
	broken, commits := 0, 0 // the frame at which it breaks, counted from 1; commits behind it
	for n := 1; ; n++ {
		_, err := io.ReadFull(r, frame)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("sqlite: %w", err)
		}
		ours := bytes.Equal(frame[8:16], salt)
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF) && broken == 0 && ours:
			broken = n
		case err != nil:
		case broken > 0 && ours && binary.BigEndian.Uint32(frame[4:]) != 0:
			commits++
		case broken == 0 && ours:
			s0, s1 = walSum(order, s0, s1, frame[:8])
			s0, s1 = walSum(order, s0, s1, frame[walFrame:])
			if binary.BigEndian.Uint32(frame[16:]) != s0 || binary.BigEndian.Uint32(frame[20:]) != s1 {
				broken = n
				if binary.BigEndian.Uint32(frame[4:]) != 0 {
					commits++
				}
			}
		case broken == 0 && !ours: // the newest round ends here
			return nil, nil
		}
		if err != nil {
			break
		}
	}
	if broken == 0 {
		return nil, nil
	}
	return torn(fmt.Sprintf("torn write: the write-ahead log breaks off at frame %d; %d commits behind it are void", broken, commits)), nil
}

func torn(what string) *store.Damage {
	return &store.Damage{
		What: "write-ahead log", Err: fmt.Errorf("%w: %s", store.ErrDamaged, what), Notice: true,
		Remedy: "after a power cut this is what was being written then: nothing of it was acknowledged, and the node goes on by itself. Without one the disk loses what it confirms: replace it, and compare with what partners have receipts for",
	}
}

// walSum is the running checksum of the write-ahead log's format. len(b) is a multiple of 8.
func walSum(order binary.ByteOrder, s0, s1 uint32, b []byte) (uint32, uint32) {
	for ; len(b) >= 8; b = b[8:] {
		s0 += order.Uint32(b) + s1
		s1 += order.Uint32(b[4:]) + s0
	}
	return s0, s1
}

// tornFile compares the length of a database file with what its header says; only for one without a write-ahead log.
func tornFile(path string) (*store.Damage, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	head := make([]byte, 100)
	if _, err := io.ReadFull(f, head); err != nil || !bytes.HasPrefix(head, []byte("SQLite format 3\x00")) {
		return &store.Damage{What: "database", Err: fmt.Errorf("%w: its first page is no header of a database", store.ErrDamaged), Remedy: restoreIt}, nil
	}
	page := int64(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 1 << 16
	}
	pages := int64(binary.BigEndian.Uint32(head[28:]))
	sure := binary.BigEndian.Uint32(head[24:]) == binary.BigEndian.Uint32(head[92:])
	if page > 0 && (info.Size()%page != 0 || sure && info.Size() < pages*page) {
		return &store.Damage{What: "database", Remedy: restoreIt,
			Err: fmt.Errorf("%w: torn write: the file ends in page %d of %d", store.ErrDamaged, info.Size()/page+1, pages)}, nil
	}
	return nil, nil
}

const restoreIt = "stop the node, keep a copy of the folder as it is, and restore the last backup that verifydata finds sound"
