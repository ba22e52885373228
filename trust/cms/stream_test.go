package cms

import (
	"bytes"
	"crypto"
	"errors"
	"io"
	"os"
	"runtime"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// pattern is content of any size that nobody keeps.
type pattern struct{ n int64 }

func (p *pattern) Read(b []byte) (int, error) {
	if p.n == 0 {
		return 0, io.EOF
	}
	n := int(min(p.n, int64(len(b))))
	for i := range b[:n] {
		b[i] = byte(p.n) + byte(i)
	}
	p.n -= int64(n)
	return n, nil
}

func sealed(t testing.TB, w io.Writer, content io.Reader, alg pki.KeyAlgorithm) {
	t.Helper()
	id := identity(t, alg)
	err := WriteAttached(w, ContentData, content, []crypto.Hash{crypto.SHA256}, func(c Content) (*SignedData, error) {
		p, err := Template{Certificate: id.Certificate, SigningTime: now}.Prepare(ContentData, c)
		if err != nil {
			return nil, err
		}
		s, err := p.Sign(nil, id.Key)
		if err != nil {
			return nil, err
		}
		m, err := New(ContentData, nil)
		if err != nil {
			return nil, err
		}
		m.AddCertificates(id.Certificate)
		m.AddSigner(s)
		return m, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLargeContentAtConstantMemory writes, reads as a stream, opens as a file, extends and verifies 256 MiB, and looks at the heap.
func TestLargeContentAtConstantMemory(t *testing.T) {
	const size = 256 << 20
	f, err := os.CreateTemp(t.TempDir(), "large")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	sealed(t, f, &pattern{size}, pki.P256)
	n, err := f.Seek(0, io.SeekCurrent)
	if err != nil || n < size {
		t.Fatal(n, err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	c := &counter{w: io.Discard}
	m, err := Read(f, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Verify(nil)[0].Err(); err != nil || c.n != size {
		t.Errorf("as a stream: %d octets, %v", c.n, err)
	}
	m, err = Open(f, n)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Verify(nil)[0].Err(); err != nil {
		t.Errorf("as a file: %v", err)
	}
	a, err := NewAttribute("1.2.3.4", []byte{5, 0})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Signers[0].AddUnsigned(a); err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	go func() {
		_, err := m.WriteTo(w)
		w.CloseWithError(err)
	}()
	ext, err := Read(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := ext.Verify(nil)[0].Err(); err != nil || len(ext.Signers[0].Unsigned) != 1 {
		t.Errorf("extended: %v", err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
		t.Errorf("%d MiB were allocated on the way", grown>>20)
	}
}

func TestContentInFile(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789abcdef"), 20000)
	id := identity(t, pki.P256)
	m, err := NewFile(ContentData, bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Template{Certificate: id.Certificate, SigningTime: now}.Prepare(ContentData, m.Content())
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Sign(nil, id.Key)
	if err != nil {
		t.Fatal(err)
	}
	m.AddSigner(s)
	m.AddCertificates(id.Certificate)
	b, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if e, err := ber.Parse(b); err != nil || !e.IsDER() {
		t.Errorf("not DER: %v", err)
	}
	if err := parse(t, b).Verify(nil)[0].Err(); err != nil {
		t.Error(err)
	}
}

// indefinite writes an element again with indefinite lengths everywhere, and strings of octets in segments.
func indefinite(b []byte, segment int) []byte {
	e, err := ber.Parse(b)
	if err != nil {
		panic(err)
	}
	if e.Tag == asn1.OCTET_STRING && segment > 0 {
		out := []byte{0x24, 0x80}
		for c := e.Content; len(c) > 0; {
			n := min(segment, len(c))
			out = ber.Append(out, asn1.OCTET_STRING, c[:n])
			c = c[n:]
		}
		return append(out, 0, 0)
	}
	if !e.Constructed() {
		return e.Raw
	}
	out := []byte{byte(e.Tag), 0x80}
	for r := e.Children(); !r.Empty(); {
		c, err := r.Next()
		if err != nil {
			panic(err)
		}
		out = append(out, indefinite(c.Raw, segment)...)
	}
	return append(out, 0, 0)
}

// TestAnyEncoding: a message whose every length is indefinite and every string in segments says the same, in all three ways of reading.
func TestAnyEncoding(t *testing.T) {
	t.Parallel()
	for _, alg := range []pki.KeyAlgorithm{pki.RSA2048, pki.P256, pki.Ed25519} {
		der, err := Sign(identity(t, alg), []byte("some content in segments"), false, Template{SigningTime: now, ByKey: alg == pki.P256})
		if err != nil {
			t.Fatal(err)
		}
		for _, segment := range []int{0, 1, 5, 1000} {
			b := indefinite(der, segment)
			read := map[string]func() (*SignedData, error){
				"memory": func() (*SignedData, error) { return Parse(b) },
				"stream": func() (*SignedData, error) { return Read(bytes.NewReader(b), nil) },
				"file":   func() (*SignedData, error) { return Open(bytes.NewReader(b), int64(len(b))) },
			}
			for name, f := range read {
				m, err := f()
				if err != nil {
					t.Errorf("%s %d %s: %v", alg, segment, name, err)
					continue
				}
				if err := m.Verify(nil)[0].Err(); err != nil {
					t.Errorf("%s %d %s: %v", alg, segment, name, err)
				}
			}
		}
	}
}

// TestCutOff: a message that ends anywhere too early is refused, in all three ways of reading.
func TestCutOff(t *testing.T) {
	t.Parallel()
	der, err := Sign(identity(t, pki.P256), []byte("some content"), false, Template{SigningTime: now})
	if err != nil {
		t.Fatal(err)
	}
	for _, whole := range [][]byte{der, indefinite(der, 3)} {
		for n := range whole {
			b := whole[:n]
			if _, err := Parse(b); !errors.Is(err, ErrFormat) && !errors.Is(err, ErrType) {
				t.Fatalf("%d octets in memory: %v", n, err)
			}
			if _, err := Read(bytes.NewReader(b), nil); !errors.Is(err, ErrFormat) {
				t.Fatalf("%d octets as a stream: %v", n, err)
			}
			if _, err := Open(bytes.NewReader(b), int64(n)); !errors.Is(err, ErrFormat) {
				t.Fatalf("%d octets as a file: %v", n, err)
			}
		}
	}
}
