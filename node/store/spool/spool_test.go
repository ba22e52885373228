package spool

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/viadukt-eu/viadukt/node/store"
)

func open(t *testing.T) *Folder {
	t.Helper()
	f, err := Open(filepath.Join(t.TempDir(), "payloads"), -1)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func seal(t *testing.T, f *Folder, pieces ...[]byte) (*Writer, store.PayloadRef) {
	t.Helper()
	w, err := f.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pieces {
		if n, err := w.Write(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	ref, err := w.Seal()
	if err != nil {
		t.Fatal(err)
	}
	return w, ref
}

func files(t *testing.T, f *Folder) (n int) {
	t.Helper()
	if err := f.Each(func([sha256.Size]byte) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func temps(t *testing.T, f *Folder) int {
	t.Helper()
	e, err := os.ReadDir(filepath.Join(f.dir, tempFolder))
	if err != nil {
		t.Fatal(err)
	}
	return len(e)
}

var none = func([sha256.Size]byte) (bool, error) { return false, nil }

func TestPayloadsBySize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		pieces []int
		inline bool
	}{
		{"an empty payload is inline", nil, true},
		{"16 KiB are inline", []int{store.InlineMax}, true},
		{"16 KiB in pieces are inline", []int{store.InlineMax - 1, 0, 1}, true},
		{"one octet more is a file", []int{store.InlineMax + 1}, false},
		{"one octet more in pieces is a file", []int{1, store.InlineMax}, false},
		{"a megabyte is a file", []int{300_000, 700_000}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			var whole []byte
			var pieces [][]byte
			for i, n := range c.pieces {
				pieces = append(pieces, bytes.Repeat([]byte{byte('a' + i)}, n))
				whole = append(whole, pieces[i]...)
			}
			w, ref := seal(t, f, pieces...)
			if ref.SHA256 != sha256.Sum256(whole) || ref.Size != int64(len(whole)) || w.Size() != ref.Size {
				t.Errorf("wrong reference %x, %d", ref.SHA256, ref.Size)
			}
			if (ref.Inline != nil) != c.inline {
				t.Fatalf("inline is %v", ref.Inline != nil)
			}
			if again, err := w.Seal(); err != nil || again.SHA256 != ref.SHA256 {
				t.Error("sealing again gives something else", err)
			}
			if _, err := w.Write([]byte("x")); err == nil {
				t.Error("a sealed payload takes more")
			}
			if c.inline {
				if !bytes.Equal(ref.Inline, whole) || files(t, f) != 0 {
					t.Error("not the octets alone")
				}
				return
			}
			r, err := f.Open(ref.SHA256, ref.Size)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, whole) {
				t.Error("other octets", err)
			}
			if err := f.Verify(ref.SHA256, ref.Size); err != nil {
				t.Error(err)
			}
			if err := w.Close(); err != nil || temps(t, f) != 0 {
				t.Error("leaves a temporary file", err)
			}
		})
	}
}

func TestSameOctetsAreKeptOnce(t *testing.T) {
	t.Parallel()
	f := open(t)
	data := bytes.Repeat([]byte("same"), 10_000)
	a, _ := seal(t, f, data)
	b, _ := seal(t, f, data)
	if files(t, f) != 1 || temps(t, f) != 0 {
		t.Error("kept more than once")
	}
	// Each of the two protects the file until it is closed.
	for i, w := range []*Writer{a, b} {
		if n, err := f.Collect(none); n != 0 || err != nil {
			t.Errorf("collected %d while writer %d is open, %v", n, i, err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		w.Close() // closing again changes nothing
	}
	if n, err := f.Collect(none); n != 1 || err != nil || files(t, f) != 0 {
		t.Errorf("collected %d, %v", n, err)
	}
}

func TestWhatIsNotSealedLeavesNothing(t *testing.T) {
	t.Parallel()
	f := open(t)
	w, err := f.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	if temps(t, f) != 1 {
		t.Fatal("nothing was spilled")
	}
	if err := w.Close(); err != nil || temps(t, f) != 0 || files(t, f) != 0 {
		t.Error("something is left", err)
	}
	if _, err := w.Seal(); err == nil {
		t.Error("sealed after Close")
	}
}

func TestOpenRemovesWhatACrashLeft(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "payloads")
	f, err := Open(dir, -1)
	if err != nil {
		t.Fatal(err)
	}
	w, err := f.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	if f, err = Open(dir, -1); err != nil || temps(t, f) != 0 {
		t.Error("the temporary file is still there", err)
	}
}

func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		damage func(path string) error
		opens  bool
	}{
		{"a missing file", os.Remove, false},
		{"a file cut short", func(p string) error { return os.Truncate(p, 20_000) }, false},
		{"a changed octet", func(p string) error {
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			b[17] ^= 1
			return os.WriteFile(p, b, 0o600)
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			_, ref := seal(t, f, make([]byte, 50_000))
			if err := c.damage(f.Path(ref.SHA256)); err != nil {
				t.Fatal(err)
			}
			if err := f.Verify(ref.SHA256, ref.Size); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("verified with %v", err)
			}
			r, err := f.Open(ref.SHA256, ref.Size)
			if (err == nil) != c.opens {
				t.Errorf("opened with %v", err)
			}
			if err == nil {
				r.Close()
			}
		})
	}
}

func TestCollectKeepsWhatIsUsedAndWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	f := open(t)
	w, keep := seal(t, f, bytes.Repeat([]byte("a"), 20_000))
	w.Close()
	w, _ = seal(t, f, bytes.Repeat([]byte("b"), 20_000))
	w.Close()
	foreign := filepath.Join(filepath.Dir(f.Path(keep.SHA256)), "README")
	if err := os.WriteFile(foreign, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := f.Collect(func(h [sha256.Size]byte) (bool, error) { return h == keep.SHA256, nil })
	if n != 1 || err != nil {
		t.Errorf("collected %d, %v", n, err)
	}
	if err := f.Verify(keep.SHA256, keep.Size); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
	stop := errors.New("stop")
	if _, err := f.Collect(func([sha256.Size]byte) (bool, error) { return false, stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func TestCollectNeverTakesWhatIsBeingStored(t *testing.T) {
	t.Parallel()
	f := open(t)
	data := bytes.Repeat([]byte("x"), 20_000)
	stop := make(chan struct{})
	var collector sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := f.Collect(none); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 50 {
				w, err := f.New()
				if err != nil {
					t.Error(err)
					return
				}
				w.Write(data)
				ref, err := w.Seal()
				if err != nil {
					t.Error(err)
					return
				}
				if err := f.Verify(ref.SHA256, ref.Size); err != nil {
					t.Error("taken before the writer was closed:", err)
				}
				w.Close()
			}
		})
	}
	writers.Wait()
	close(stop)
	collector.Wait()
}

func TestReserve(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := CheckFree(dir, math.MaxInt64); !errors.Is(err, store.ErrDiskFull) {
		t.Errorf("got %v", err)
	}
	if err := CheckFree(dir, 1); err != nil {
		t.Error(err)
	}
	f, err := Open(filepath.Join(dir, "payloads"), math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.New(); !errors.Is(err, store.ErrDiskFull) {
		t.Errorf("got %v", err)
	}
	for _, e := range []error{syscall.ENOSPC, syscall.EDQUOT, &os.PathError{Op: "write", Err: syscall.EFBIG}} {
		if got := diskFull(e); !errors.Is(got, store.ErrDiskFull) || !errors.Is(got, e) {
			t.Errorf("%v became %v", e, got)
		}
	}
	if err := diskFull(syscall.EIO); errors.Is(err, store.ErrDiskFull) {
		t.Error("a defect disk is called full")
	}
}

func BenchmarkSeal(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
	}{{"16KiB", 16 << 10}, {"1MiB", 1 << 20}} {
		b.Run(c.name, func(b *testing.B) {
			f, err := Open(filepath.Join(b.TempDir(), "payloads"), -1)
			if err != nil {
				b.Fatal(err)
			}
			data := make([]byte, c.size)
			b.SetBytes(int64(c.size))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				data[0], data[1], data[2] = byte(i), byte(i>>8), byte(i>>16)
				w, err := f.New()
				if err != nil {
					b.Fatal(err)
				}
				if _, err := w.Write(data); err != nil {
					b.Fatal(err)
				}
				if _, err := w.Seal(); err != nil {
					b.Fatal(err)
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
