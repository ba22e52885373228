package ades

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// large is size octets that are not packed, since they begin with noise; all others are zeros, for which a file needs no room.
func large(size int64) xades.Document {
	head := make([]byte, 64<<10)
	rand.NewChaCha8([32]byte{}).Read(head)
	return xades.Document{Name: "large.bin", MimeType: "application/octet-stream", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(head), io.LimitReader(zeros{}, size-int64(len(head))))), nil
	}}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// sparse writes a file with holes where pages of zeros would stand.
type sparse struct {
	to *os.File
	at int64
}

var zeroPage [4 << 10]byte

func (s *sparse) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		piece := b[:min(int64(len(b)), int64(len(zeroPage))-s.at%int64(len(zeroPage)))]
		if !bytes.Equal(piece, zeroPage[:len(piece)]) {
			if _, err := s.to.WriteAt(piece, s.at); err != nil {
				return 0, err
			}
		}
		s.at += int64(len(piece))
		b = b[len(piece):]
	}
	return n, nil
}

// flipped is a file of which one bit is another.
type flipped struct {
	io.ReaderAt
	bit int64
}

func (f flipped) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.ReaderAt.ReadAt(p, off)
	if at := f.bit/8 - off; at >= 0 && at < int64(n) {
		p[at] ^= 1 << (f.bit % 8)
	}
	return n, err
}

// A container is signed and judged within 8 MiB, whatever its size: 32 MiB here, or as many as VIADUKT_CONTAINER_MIB says, for which
// a sixteenth of that is needed in the folder for temporary files. It is not parallel, because it counts what the process allocates.
func TestContainersAreNeverHeldInMemory(t *testing.T) {
	size := int64(32)
	if s := os.Getenv("VIADUKT_CONTAINER_MIB"); s != "" {
		var err error
		if size, err = strconv.ParseInt(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, pki.P256)
	for _, f := range []Format{XAdES, CAdES} {
		t.Run(string(f), func(t *testing.T) {
			out, err := os.Create(filepath.Join(t.TempDir(), "large.asice"))
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			document, began, before := large(size<<20), time.Now(), allocated()
			holes := &sparse{to: out}
			to := bufio.NewWriterSize(holes, 1<<20)
			if err := errors.Join(Sign(t.Context(), to, nil, w.signer, []xades.Document{document}, Params{Format: f, Container: ASiCE, Time: now}, nil), to.Flush()); err != nil {
				t.Fatal(err)
			}
			signing, signed := allocated()-before, time.Since(began)
			if holes.at < size<<20 {
				t.Fatalf("a container of %d octets", holes.at)
			}

			// As it is, and with a bit that is another in the last megabyte, side by side.
			began, before = time.Now(), allocated()
			var verdicts [2]*gather.Result
			var problems [2]error
			var both sync.WaitGroup
			for i, r := range []io.ReaderAt{out, flipped{out, 8 * (holes.at - 1<<20)}} {
				both.Go(func() { verdicts[i], problems[i] = gather.OpenAt(r, holes.at, w.known) })
			}
			both.Wait()
			judging, judged := allocated()-before, time.Since(began)
			for i, want := range []validation.Indication{validation.TotalPassed, validation.TotalFailed} {
				if problems[i] != nil {
					t.Fatal(problems[i])
				}
				v := validation.Validate(verdicts[i].Facts, nil, now)[0]
				if v.Indication != want {
					t.Errorf("%s %s: %s", v.Indication, v.Sub, v.Why)
				}
				if data := verdicts[i].Container.Data(); len(data) != 1 || data[0].Size != size<<20 {
					t.Errorf("content of %d octets", data[0].Size)
				}
			}
			t.Logf("%d MiB: signed in %v, %d kB allocated; judged twice side by side in %v, %d kB allocated", size, signed, signing>>10, judged, judging>>10)
			if signing > 8<<20 || judging > 2*8<<20 {
				t.Errorf("signing took %d octets, judging %d", signing, judging)
			}
		})
	}
}

// allocated is all that was ever allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
