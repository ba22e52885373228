package as4_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
)

func TestWhatIsCompressed(t *testing.T) {
	t.Parallel()
	for mime, want := range map[string]bool{
		"application/xml": true, "text/xml; charset=UTF-8": true, "text/plain": true, "application/json": true, "": true, "image/svg+xml": true,
		"application/pdf": false, "image/jpeg": false, "IMAGE/JPEG": false, "application/gzip": false, "application/zip; x=y": false,
		"application/vnd.etsi.asic-e+zip": false, "application/vnd.etsi.asic-s+zip": false,
	} {
		if as4.Compressible(mime) != want {
			t.Errorf("%q: %v", mime, !want)
		}
		if !want && !wss.DigestsRaw(mime) {
			t.Errorf("%q is neither compressed nor digested raw", mime)
		}
	}
}

// TestCompressionIsRepeatable: a retry must come to the same digest, so the header has no time and no name [AS4 3.2].
func TestCompressionIsRepeatable(t *testing.T) {
	t.Parallel()
	pack := func() []byte {
		var b bytes.Buffer
		n, err := as4.Compress(&b, func(w io.Writer) error { _, err := w.Write(xmlPayload); return err })
		if err != nil || n != int64(len(xmlPayload)) {
			t.Errorf("%d octets, %v", n, err)
		}
		return b.Bytes()
	}
	first := pack()
	if !bytes.Equal(first[:10], []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255}) {
		t.Errorf("header %x", first[:10])
	}
	for range 3 {
		if !bytes.Equal(pack(), first) {
			t.Fatal("it came out otherwise")
		}
	}
	broken := errors.New("broken")
	if _, err := as4.Compress(io.Discard, func(io.Writer) error { return broken }); err != broken {
		t.Error(err)
	}
	if !bytes.Equal(pack(), first) {
		t.Error("a writer that broke off left something behind")
	}
}
