package as4

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Compressible says whether a payload of this type gains by compression. XML and text always count: their digest
// would otherwise need canonicalisation at both ends [WSS-SwA 5.4.2].
func Compressible(mimeType string) bool {
	mt, _, _ := strings.Cut(strings.ToLower(mimeType), ";")
	switch strings.TrimSpace(mt) {
	case "application/zip", "application/gzip", "application/x-gzip", "application/zstd", "application/pdf",
		"application/vnd.etsi.asic-e+zip", "application/vnd.etsi.asic-s+zip", "image/jpeg", "image/png", "video/mp4":
		return false
	}
	return true
}

var gzipWriters = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return w
}}

// Compress writes to w what write produces, as AS4 compression wants it [AS4 3.1], and returns its octets before
// compression. The gzip header is fixed (no name, no time), so that the same octets always come out the same and a
// retry repeats its digests.
func Compress(w io.Writer, write func(io.Writer) error) (plain int64, err error) {
	z := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(z)
	z.Reset(w)
	z.OS, z.ModTime = 255, time.Unix(0, 0) // the zero time.Time would be written as the year 2042
	c := &counter{w: z}
	if err := write(c); err != nil {
		return c.n, err
	}
	return c.n, z.Close()
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// idSuffix makes the tail of the ids in a message's header. It depends on the MessageId alone: every attempt of a
// message has the same ids, so the signed digests repeat [AS4 3.2].
func idSuffix(messageID string) string {
	sum := sha256.Sum256([]byte(messageID))
	return hex.EncodeToString(sum[:16])
}
