package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/node/audit/merkle"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/spool"
)

// full makes a store with enough in it that every table has several pages, and closes it.
func full(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s, _ := reopen(t, dir)
	var files [3]store.PayloadRef
	for i := range files {
		files[i] = payload(t, s, large(byte(i)))
	}
	write(t, s, func(tx store.Tx) error { // the flush is what takes its time
		for i := range 300 {
			small := bytes.Repeat(fmt.Append(nil, i), 200)
			m := outgoing(fmt.Sprint("message-", i))
			m.Payloads = []store.Payload{{PayloadRef: store.PayloadRef{Size: int64(len(small)), SHA256: sha256.Sum256(small), Inline: small}}}
			if i < len(files) {
				m.Payloads = append(m.Payloads, store.Payload{PayloadRef: files[i]})
			}
			err := tx.Insert(m)
			if err == nil {
				err = tx.PutEvidence(m.ID, store.Evidence{Kind: store.KindReceipt, Octets: bytes.Repeat([]byte("receipt"), 50)})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// findings verifies the files of a folder without opening them as a store.
func findings(t *testing.T, dir string) (found []store.Damage, sum *Checked, err error) {
	t.Helper()
	sum, err = Check(ctx, filepath.Join(dir, databaseFile), CheckOptions{File: spool.View(filepath.Join(dir, payloadFolder)).Verify}, func(d store.Damage) { found = append(found, d) })
	return found, sum, err
}

func TestASoundStoreIsProvenAndNotTouched(t *testing.T) {
	t.Parallel()
	dir := full(t)
	before, err := os.ReadFile(filepath.Join(dir, databaseFile))
	if err != nil {
		t.Fatal(err)
	}
	found, sum, err := findings(t, dir)
	if found != nil || err != nil {
		t.Fatalf("%v, %v", found, err)
	}
	if want := (Checked{Messages: 300, Payloads: 303, Files: 3, Evidence: 300, Entries: 300, Octets: sum.Octets}); *sum != want || sum.Octets < 3*30_000 {
		t.Errorf("%+v", *sum)
	}
	after, err := os.ReadFile(filepath.Join(dir, databaseFile))
	if err != nil || !bytes.Equal(before, after) {
		t.Error("the file was changed", err)
	}
	if names, err := filepath.Glob(filepath.Join(dir, databaseFile+"-*")); len(names) > 0 || err != nil {
		t.Error("files were left", names, err)
	}
}

// pageOf finds a leaf page that holds octets.
func pageOf(t *testing.T, db, octets []byte) int {
	t.Helper()
	at := bytes.Index(db, octets)
	if at < 0 {
		t.Fatalf("%q is not in the file", octets)
	}
	return at / 4096
}

func TestDamageIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string, db []byte) []byte
		want   string // in what and why
	}{
		{"a page of the table of messages that was overwritten", func(t *testing.T, _ string, db []byte) []byte {
			p := pageOf(t, db, []byte("message-100keyconv"))
			copy(db[p*4096:], bytes.Repeat([]byte{0xff}, 4096))
			return db
		}, "of message: "},
		{"a page of the log that was zeroed", func(t *testing.T, _ string, db []byte) []byte {
			p := pageOf(t, db, []byte("message message-200 "))
			clear(db[p*4096 : p*4096+4096])
			return db
		}, "of log: "},
		{"half a page that is older than its other half", func(t *testing.T, _ string, db []byte) []byte {
			p := pageOf(t, db, bytes.Repeat([]byte("150"), 20))
			clear(db[p*4096+2048 : p*4096+4096])
			return db
		}, "payload"},
		{"one bit of a payload", func(t *testing.T, _ string, db []byte) []byte {
			db[bytes.Index(db, bytes.Repeat([]byte("150"), 20))] ^= 1
			return db
		}, "payload 0: store: stored octets damaged: hash differs"},
		{"one bit of a piece of evidence", func(t *testing.T, _ string, db []byte) []byte {
			db[bytes.Index(db, []byte("receiptreceipt"))] ^= 1
			return db
		}, "evidence 0: store: stored octets damaged: hash differs"},
		{"one bit of an entry of the log", func(t *testing.T, _ string, db []byte) []byte {
			db[bytes.Index(db, []byte("message message-200 "))+9] ^= 1
			return db
		}, "log: store: stored octets damaged: tile 0 of level 0 differs from its entries"},
		{"a file that was cut within a page", func(_ *testing.T, _ string, db []byte) []byte { return db[:len(db)-1000] }, "torn write: the file ends in page"},
		{"a file that lost its last pages", func(_ *testing.T, _ string, db []byte) []byte { return db[:len(db)-8*4096] }, "torn write: the file ends in page"},
		{"a first page that is none", func(_ *testing.T, _ string, db []byte) []byte { clear(db[:100]); return db }, "its first page is no header of a database"},
		{"a payload file that lost its end", func(t *testing.T, dir string, db []byte) []byte {
			sum := sha256.Sum256(large(1))
			if err := os.Truncate(spool.View(filepath.Join(dir, payloadFolder)).Path(sum), 29_000); err != nil {
				t.Fatal(err)
			}
			return db
		}, "payload 1: spool: payload "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := full(t)
			file := filepath.Join(dir, databaseFile)
			db, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, c.damage(t, dir, db), 0o600); err != nil {
				t.Fatal(err)
			}
			found, _, err := findings(t, dir)
			if err != nil && !errors.Is(err, store.ErrDamaged) {
				t.Fatal(err)
			}
			named := false
			for _, d := range found {
				named = named || strings.Contains(d.What+": "+d.Err.Error(), c.want)
				if d.Remedy == "" || d.Notice {
					t.Errorf("%s: nothing is said to do", d.What)
				}
			}
			if !named {
				t.Errorf("%q is not named in %v", c.want, found)
			}
		})
	}
}

func TestATornWriteAheadLogIsNamed(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for i := range 5 {
		insert(t, s, outgoing(fmt.Sprint(i)))
	}
	wal, err := os.ReadFile(filepath.Join(s.dir, databaseFile+"-wal"))
	if err != nil {
		t.Fatal(err)
	}
	frames := (len(wal) - walHeader) / (walFrame + 4096)
	if frames < 10 {
		t.Fatalf("only %d frames", frames)
	}
	frame := func(n int) int { return walHeader + n*(walFrame+4096) }
	look := func(b []byte) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := tornLog(file)
		if err != nil {
			t.Fatal(err)
		}
		if d == nil {
			return ""
		}
		if !d.Notice || d.Remedy == "" {
			t.Errorf("%+v", d)
		}
		return d.Err.Error()
	}
	change := func(at int) []byte { b := bytes.Clone(wal); b[at] ^= 1; return b }
	if got := look(wal); got != "" {
		t.Errorf("of a sound one: %s", got)
	}
	if got := look(nil); got != "" {
		t.Errorf("of an empty one: %s", got)
	}
	if got := look(wal[:frame(frames-1)+walFrame+100]); !strings.Contains(got, fmt.Sprintf("breaks off at frame %d; 0 commits", frames)) {
		t.Errorf("of a last frame that is half there: %s", got)
	}
	commits := 0
	for n := 3; n < frames; n++ {
		if binary.BigEndian.Uint32(wal[frame(n)+4:]) != 0 {
			commits++
		}
	}
	if got := look(change(frame(3) + walFrame + 7)); !strings.Contains(got, fmt.Sprintf("breaks off at frame 4; %d commits behind it are void", commits)) {
		t.Errorf("of a bit in the middle: %s", got)
	}
	if got := look(change(9)); !strings.Contains(got, "header of the write-ahead log") {
		t.Errorf("of a bit in the header: %s", got)
	}
	if got := look(wal[:20]); !strings.Contains(got, "cut off") {
		t.Errorf("of half a header: %s", got)
	}
}

func TestAHeadThatStandsForMoreIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, _ := reopen(t, dir)
	insert(t, s, outgoing("a"))
	insert(t, s, outgoing("b"))
	write(t, s, func(tx store.Tx) error {
		return errors.Join(tx.PutLogHead(1, []byte("one")), tx.PutLogHead(2, []byte("two")), tx.PutLogHead(3, []byte("three")))
	})
	s.Close()
	var heads, found []string
	sum, err := Check(ctx, filepath.Join(dir, databaseFile), CheckOptions{Head: func(octets []byte, size int64, root, first merkle.Hash, _ func(string) string) error {
		heads = append(heads, fmt.Sprintf("%s %d %t", octets, size, size == 1 && root == first))
		if size == 2 {
			return errors.New("other root")
		}
		return nil
	}}, func(d store.Damage) { found = append(found, d.Err.Error()) })
	if err != nil || sum.Heads != 2 || fmt.Sprint(heads) != "[one 1 true two 2 false]" {
		t.Errorf("%v, %v, %+v", heads, err, sum)
	}
	if len(found) != 2 || !strings.Contains(found[0], "its signed head of 2 entries: other root") || !strings.Contains(found[1], "a signed head stands for 3 entries, and 2 are there") {
		t.Errorf("%q", found)
	}
}

func TestTimeStampsOverHeadsAreProven(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, _ := reopen(t, dir)
	insert(t, s, outgoing("a"))
	insert(t, s, outgoing("b"))
	write(t, s, func(tx store.Tx) error {
		return errors.Join(tx.PutLogHead(1, []byte("one")), tx.PutLogStamp(store.LogStamp{Size: 1, Head: []byte("one"), Record: []byte("good")}), tx.PutLogStamp(store.LogStamp{Size: 2, Head: []byte("two"), Record: []byte("bad")}),
			tx.PutLogStamp(store.LogStamp{Size: 3, Head: []byte("three"), Record: []byte("good")}))
	})
	s.Close()
	var heads, found []string
	sum, err := Check(ctx, filepath.Join(dir, databaseFile), CheckOptions{Head: func(octets []byte, size int64, _, _ merkle.Hash, _ func(string) string) error {
		heads = append(heads, fmt.Sprint(string(octets), size))
		return nil
	}, Stamp: func(_, record []byte) error {
		if string(record) == "bad" {
			return errors.New("over something else")
		}
		return nil
	}}, func(d store.Damage) { found = append(found, d.Err.Error()) })
	if err != nil || sum.Heads != 1 || sum.Stamps != 2 || fmt.Sprint(heads) != "[one1 one1 two2]" {
		t.Errorf("%v, %v, %+v", heads, err, sum)
	}
	if len(found) != 2 || !strings.Contains(found[0], "the time-stamp over its head of 2 entries: over something else") || !strings.Contains(found[1], "a signed head stands for 3 entries, and 2 are there") {
		t.Errorf("%q", found)
	}
}

func TestACheckEnds(t *testing.T) {
	t.Parallel()
	dir := full(t)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err := Check(ended, filepath.Join(dir, databaseFile), CheckOptions{File: spool.View(filepath.Join(dir, payloadFolder)).Verify}, func(store.Damage) {})
	is(t, err, context.Canceled)
	_, err = Check(ctx, filepath.Join(dir, "none.db"), CheckOptions{}, func(store.Damage) {})
	is(t, err, os.ErrNotExist)
}
