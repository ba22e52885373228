package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// benchStore has 20,000 messages with 5 kB each in the database, and 200 payload files of 1 MiB.
func benchStore(b *testing.B) (dir string, octets int64) {
	b.Helper()
	dir = b.TempDir()
	w := open(b, dir)
	for i := range 200 {
		m := &store.Message{Direction: store.In, State: store.Confirmed, MessageID: fmt.Sprint("large-", i), SenderKey: "p"}
		large := bytes.Repeat(binary.BigEndian.AppendUint64(nil, uint64(i)), 1<<17)
		octets += int64(len(large))
		m.Payloads = []store.Payload{{PayloadRef: w.payload(large)}}
		w.write(func(tx store.Tx) error { return tx.Insert(m) })
	}
	for i := range 20 {
		w.write(func(tx store.Tx) error {
			for j := range 1000 {
				small := bytes.Repeat(binary.BigEndian.AppendUint64(nil, uint64(i*1000+j)), 625)
				octets += int64(len(small))
				m := &store.Message{Direction: store.In, State: store.Confirmed, MessageID: fmt.Sprint(i, "-", j), SenderKey: "p", Header: small[:1000]}
				m.Payloads = []store.Payload{{PayloadRef: store.PayloadRef{Size: int64(len(small)), SHA256: sha256.Sum256(small), Inline: small}}}
				if err := tx.Insert(m); err != nil {
					return err
				}
			}
			return nil
		})
	}
	w.close()
	return dir, octets
}

// BenchmarkBackup/folder copies everything, /again finds it there, /archive compresses it.
func BenchmarkBackup(b *testing.B) {
	dir, octets := benchStore(b)
	at := start
	run := func(name, target string, fresh bool) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(octets)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				at = at.Add(time.Second)
				o := options(at)
				o.Copy = true
				to := filepath.Join(b.TempDir(), target)
				if !fresh {
					to = target
				} else if n++; n > 1 {
					to = filepath.Join(b.TempDir(), fmt.Sprint(n, target))
				}
				write(b, folder(b, dir), to, o)
			}
		})
	}
	run("folder", "b", true)
	again := filepath.Join(b.TempDir(), "again")
	write(b, folder(b, dir), again, options(start))
	run("again", again, false)
	run("archive", "b.tar.zst", true)
}

func BenchmarkVerify(b *testing.B) {
	dir, octets := benchStore(b)
	target := filepath.Join(b.TempDir(), "b")
	write(b, folder(b, dir), target, options(start))
	for name, what := range map[string]string{"data": dir, "backup": target} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(octets)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Verify(ctx, what, nil, func(d store.Damage) { b.Error(d) }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRestore(b *testing.B) {
	dir, octets := benchStore(b)
	target := filepath.Join(b.TempDir(), "b")
	write(b, folder(b, dir), target, options(start))
	b.SetBytes(octets)
	b.ReportAllocs()
	n := 0
	home := b.TempDir()
	for b.Loop() {
		n++
		_, err := Restore(ctx, target, filepath.Join(home, fmt.Sprint(n)), RestoreOptions{Clock: func() time.Time { return start }}, func(d store.Damage) { b.Error(d) })
		if err != nil {
			b.Fatal(err)
		}
	}
}
