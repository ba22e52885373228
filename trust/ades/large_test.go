package ades

import (
	"bufio"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// noise is size octets that do not compress.
func noise(size int64) xades.Document {
	block := make([]byte, 1<<20)
	r := rand.NewChaCha8([32]byte{})
	r.Read(block)
	return xades.Document{Name: "noise.bin", MimeType: "application/octet-stream", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(&repeated{block: block, left: size}), nil
	}}
}

type repeated struct {
	block []byte
	at    int
	left  int64
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), r.left)], r.block[r.at:])
	r.at, r.left = (r.at+n)%len(r.block), r.left-int64(n)
	return n, nil
}

// A container is signed and judged within 8 MiB, whatever its size: 64 MiB here, or as many as VIADUKT_CONTAINER_MIB says. It is
// not parallel, because it counts what the process allocates.
func TestContainersAreNeverHeldInMemory(t *testing.T) {
	size := int64(64)
	if s := os.Getenv("VIADUKT_CONTAINER_MIB"); s != "" {
		var err error
		if size, err = strconv.ParseInt(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, pki.P256)
	for _, f := range []Format{XAdES, CAdES} {
		name := filepath.Join(t.TempDir(), "large.asice")
		out, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		document := noise(size << 20)
		before := allocated()
		to := bufio.NewWriter(out)
		if err := Sign(t.Context(), to, nil, w.signer, []xades.Document{document}, Params{Format: f, Container: ASiCE, Time: now}, nil); err != nil {
			t.Fatal(err)
		}
		if err := to.Flush(); err != nil {
			t.Fatal(err)
		}
		signing := allocated() - before
		info, err := out.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() < size<<20 {
			t.Fatalf("a container of %d octets", info.Size())
		}
		before = allocated()
		r, err := gather.OpenAt(out, info.Size(), w.known)
		if err != nil {
			t.Fatal(err)
		}
		judging := allocated() - before
		if v := validation.Validate(r.Facts, nil, now)[0]; v.Indication != validation.TotalPassed {
			t.Errorf("%s %s: %s", v.Indication, v.Sub, v.Why)
		}
		t.Logf("%s, %d MiB: %d kB allocated to sign, %d kB to judge", f, size, signing>>10, judging>>10)
		if signing > 8<<20 || judging > 8<<20 {
			t.Errorf("%s: signing took %d octets, judging %d", f, signing, judging)
		}
	}
}

// allocated is all that was ever allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
