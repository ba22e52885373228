package spool

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"os"
	"testing"
)

// TestLargePayloadsAreKeptWholeHoweverTheyCome writes in pieces of all sizes, across the sizes at which the writer changes
// how it works.
func TestLargePayloadsAreKeptWholeHoweverTheyCome(t *testing.T) {
	t.Parallel()
	f := open(t)
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{backgroundFrom - 1, backgroundFrom, backgroundFrom + 1, backgroundFrom + blockSize*blocks*3 + 17} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(r.Uint32())
		}
		w, err := f.New()
		if err != nil {
			t.Fatal(err)
		}
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 1+r.IntN(2*blockSize))
			if _, err := w.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		ref, err := w.Seal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(f.Path(ref.SHA256))
		if err != nil || !bytes.Equal(got, want) || ref.SHA256 != sha256.Sum256(want) || ref.Size != int64(size) {
			t.Errorf("%d octets: kept %d, %x, %v", size, len(got), ref.SHA256, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestAPayloadThatCannotBeWrittenFailsSoonAndLeavesNothing takes the file away from under the writer.
func TestAPayloadThatCannotBeWrittenFailsSoonAndLeavesNothing(t *testing.T) {
	t.Parallel()
	f := open(t)
	for _, c := range []struct {
		name string
		end  func(*Writer) error
	}{
		{"while it is written", func(w *Writer) error {
			block := make([]byte, blockSize)
			for range 4 * blocks {
				if _, err := w.Write(block); err != nil {
					return err
				}
			}
			return nil
		}},
		{"when it is sealed", func(w *Writer) error {
			w.Write(make([]byte, blockSize/2))
			_, err := w.Seal()
			return err
		}},
	} {
		w, err := f.New()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 2*backgroundFrom)); err != nil {
			t.Fatal(err)
		}
		w.temp.Close()
		if err := c.end(w); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: %v, want %v", c.name, err, os.ErrClosed)
		}
		if _, err := w.Seal(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: sealed afterwards: %v", c.name, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := files(t, f) + temps(t, f); n != 0 {
		t.Errorf("%d files left behind", n)
	}
}
