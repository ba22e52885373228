package xmlenc

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

func noise(n int, seed uint64) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(b)
	return b
}

func stdGCM(tb testing.TB, key []byte) cipher.AEAD {
	tb.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		tb.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		tb.Fatal(err)
	}
	return aead
}

// encrypt writes plain in chunks of the sizes that next gives.
func encrypt(tb testing.TB, key []byte, iv [12]byte, plain []byte, next func() int) []byte {
	tb.Helper()
	var out bytes.Buffer
	w, err := NewGCMWriter(&out, key, iv)
	if err != nil {
		tb.Fatal(err)
	}
	for len(plain) > 0 {
		n := min(next(), len(plain))
		if m, err := w.Write(plain[:n]); m != n || err != nil {
			tb.Fatalf("Write: %d of %d, %v", m, n, err)
		}
		plain = plain[n:]
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func checkBothWays(t *testing.T, key []byte, plain []byte, next func() int) {
	t.Helper()
	iv := [12]byte(noise(12, uint64(len(plain))))
	want := stdGCM(t, key).Seal(iv[:], iv[:], plain, nil)
	if got := encrypt(t, key, iv, plain, next); !bytes.Equal(got, want) {
		t.Fatalf("%d octets with a key of %d: written octets differ from crypto/cipher", len(plain), len(key))
	}
	r, err := NewGCMReader(&chunks{want, next}, key)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if len(plain)%2 == 0 {
		_, err = io.Copy(&got, r)
	} else {
		_, err = io.Copy(&got, struct{ io.Reader }{r}) // without WriteTo
	}
	if err != nil || !bytes.Equal(got.Bytes(), plain) {
		t.Fatalf("%d octets with a key of %d: read %d octets, %v", len(plain), len(key), got.Len(), err)
	}
}

// chunks is a reader that gives as many octets as next says.
type chunks struct {
	b    []byte
	next func() int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.next())], c.b)
	c.b = c.b[n:]
	return n, nil
}

func TestGCMEqualsTheStandardLibraryForEveryShortLength(t *testing.T) {
	t.Parallel()
	for n := range 5001 {
		key := noise([]int{16, 24, 32}[n%3], uint64(n))
		checkBothWays(t, key, noise(n, 1), func() int { return 1 + n/3 })
	}
}

func TestGCMEqualsTheStandardLibraryAroundPieces(t *testing.T) {
	t.Parallel()
	for pieces := 1; pieces <= 4; pieces++ {
		for _, d := range []int{-33, -32, -17, -16, -15, -1, 0, 1, 15, 16, 17, 31, 32, 33, 12345} {
			n := pieces*pieceSize + d
			key := noise([]int{16, 24, 32}[uint(n)%3], uint64(n))
			rng := rand.New(rand.NewPCG(uint64(n), 7))
			checkBothWays(t, key, noise(n, 2), func() int { return 1 + rng.IntN(300_000) })
			checkBothWays(t, key, noise(n, 3), func() int { return n })
		}
	}
}

// TestGCMStreamEqualsForEveryShortLength drives the streaming form where the writer would take the plain one.
func TestGCMStreamEqualsForEveryShortLength(t *testing.T) {
	t.Parallel()
	key := noise(16, 4)
	block, aead, err := newGCM(key)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2100 {
		iv := noise(12, uint64(n))
		s := newStream(block, aead, iv)
		text := noise(n, 5)
		want := aead.Seal(nil, iv, text, nil)
		s.ctr.XORKeyStream(text, text)
		s.hash(text)
		tag := s.tag()
		if got := append(text, tag[:]...); !bytes.Equal(got, want) {
			t.Fatalf("%d octets differ", n)
		}
	}
}

func TestGCMReaderMeetsEveryManneredReader(t *testing.T) {
	t.Parallel()
	key := noise(32, 6)
	for _, n := range []int{0, 1, 4000, pieceSize, pieceSize + 1, 2*pieceSize + 1, 2*pieceSize + 77} {
		plain := noise(n, 8)
		sealed, err := SealGCM(nil, key, [12]byte{1}, plain)
		if err != nil {
			t.Fatal(err)
		}
		for name, r := range map[string]io.Reader{
			"with a length":           bytes.NewReader(sealed),
			"end together with data":  iotest.DataErrReader(&chunks{sealed, func() int { return 1 << 20 }}),
			"half of what was wanted": iotest.HalfReader(bytes.NewReader(sealed)),
		} {
			g, err := NewGCMReader(r, key)
			if err != nil {
				t.Fatal(err)
			}
			if err := iotest.TestReader(g, plain); err != nil {
				t.Errorf("%s, %d octets: %v", name, n, err)
			}
		}
	}
}

func TestGCMReaderRefuses(t *testing.T) {
	t.Parallel()
	key := noise(16, 9)
	seal := func(n int) []byte {
		b, err := SealGCM(nil, key, [12]byte{2}, noise(n, 10))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	flip := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[(at+len(b))%len(b)] ^= 0x10
		return b
	}
	short, long := seal(5000), seal(2*pieceSize+500)
	broken := errors.New("line broke")
	tests := []struct {
		name  string
		in    io.Reader
		key   []byte
		want  error
		limit int // octets that may come out before
	}{
		{"nothing at all", bytes.NewReader(nil), key, ErrDecrypt, 0},
		{"an IV alone", bytes.NewReader(short[:12]), key, ErrDecrypt, 0},
		{"one octet less than IV and tag", bytes.NewReader(short[:27]), key, ErrDecrypt, 0},
		{"a short message without its last octet", bytes.NewReader(short[:len(short)-1]), key, ErrDecrypt, 0},
		{"a short message with an octet more", bytes.NewReader(append(bytes.Clone(short), 0)), key, ErrDecrypt, 0},
		{"a short message with a bit of its IV flipped", bytes.NewReader(flip(short, 3)), key, ErrDecrypt, 0},
		{"a short message with a bit of its text flipped", bytes.NewReader(flip(short, 2000)), key, ErrDecrypt, 0},
		{"a short message with a bit of its tag flipped", bytes.NewReader(flip(short, -1)), key, ErrDecrypt, 0},
		{"a short message with another key", bytes.NewReader(short), noise(16, 11), ErrDecrypt, 0},
		{"a long message without its last octet", bytes.NewReader(long[:len(long)-1]), key, ErrDecrypt, 2 * pieceSize},
		{"a long message cut after a piece", bytes.NewReader(long[:12+pieceSize+16]), key, ErrDecrypt, 0},
		{"a long message cut in the tag's place", bytes.NewReader(long[:12+2*pieceSize+3]), key, ErrDecrypt, pieceSize},
		{"a long message with an octet more", bytes.NewReader(append(bytes.Clone(long), 0)), key, ErrDecrypt, 2 * pieceSize},
		{"a long message with a bit of its IV flipped", bytes.NewReader(flip(long, 0)), key, ErrDecrypt, 2 * pieceSize},
		{"a long message with a bit of its first piece flipped", bytes.NewReader(flip(long, 12)), key, ErrDecrypt, 2 * pieceSize},
		{"a long message with a bit of its last piece flipped", bytes.NewReader(flip(long, -17)), key, ErrDecrypt, 2 * pieceSize},
		{"a long message with a bit of its tag flipped", bytes.NewReader(flip(long, -16)), key, ErrDecrypt, 2 * pieceSize},
		{"an error of the source passes through", io.MultiReader(bytes.NewReader(long[:pieceSize]), iotest.ErrReader(broken)), key, broken, 0},
		{"a source that gives nothing for ever", nothing{}, key, io.ErrNoProgress, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := NewGCMReader(tt.in, tt.key)
			if err != nil {
				t.Fatal(err)
			}
			out, err := io.ReadAll(r)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if len(out) > tt.limit {
				t.Errorf("%d octets came out, at most %d may", len(out), tt.limit)
			}
			if _, again := r.Read(make([]byte, 1)); again != err {
				t.Errorf("second answer is %v, not %v", again, err)
			}
		})
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

func TestGCMKeysOfWrongSizeAreRefused(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 8, 15, 17, 31, 33, 64} {
		key := make([]byte, n)
		if _, err := NewGCMWriter(io.Discard, key, [12]byte{}); err == nil {
			t.Errorf("writer took a key of %d", n)
		}
		if _, err := NewGCMReader(nothing{}, key); err == nil {
			t.Errorf("reader took a key of %d", n)
		}
		if _, err := SealGCM(nil, key, [12]byte{}, nil); err == nil {
			t.Errorf("SealGCM took a key of %d", n)
		}
		if _, err := OpenGCM(nil, key, make([]byte, 40)); err == nil {
			t.Errorf("OpenGCM took a key of %d", n)
		}
	}
}

func TestGCMMessageEndsAtItsLimit(t *testing.T) {
	t.Parallel()
	w, err := NewGCMWriter(io.Discard, noise(16, 12), [12]byte{})
	if err != nil {
		t.Fatal(err)
	}
	w.(*gcmWriter).size = maxPlaintext - 5
	if _, err := w.Write(make([]byte, 5)); err != nil {
		t.Errorf("last octets: %v", err)
	}
	if _, err := w.Write(make([]byte, 1)); !errors.Is(err, ErrTooLong) {
		t.Errorf("one octet too many: %v", err)
	}
	if err := w.Close(); !errors.Is(err, ErrTooLong) {
		t.Errorf("Close after that: %v", err)
	}

	for _, over := range []uint64{0, 1} {
		key := noise(16, 12)
		sealed, err := SealGCM(nil, key, [12]byte{}, make([]byte, 2*pieceSize+100))
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewGCMReader(bytes.NewReader(sealed), key)
		if err != nil {
			t.Fatal(err)
		}
		r.(*gcmReader).size = maxPlaintext - (2*pieceSize + 100) + over
		_, err = io.Copy(io.Discard, r)
		if want := []error{nil, ErrDecrypt}[over]; err != want {
			t.Errorf("%d over the limit: %v, want %v", over, err, want)
		}
	}
}

func TestGCMMemoryIsOnePiece(t *testing.T) {
	t.Parallel()
	key := noise(16, 16)
	const size = 40 * pieceSize
	pr, pw := io.Pipe()
	w, err := NewGCMWriter(pw, key, [12]byte{})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := io.CopyN(w, zeroReader{}, size)
		pw.CloseWithError(errors.Join(err, w.Close())) // nil is io.EOF
	}()
	r, err := NewGCMReader(pr, key)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	if err != nil || n != size {
		t.Fatalf("%d octets, %v", n, err)
	}
	if got := cap(r.(*gcmReader).buf); got > fullBuffer+1 {
		t.Errorf("the reader holds %d octets", got)
	}
	w2, err := NewGCMWriter(io.Discard, key, [12]byte{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w2.Write(make([]byte, 5*pieceSize)); err != nil {
		t.Fatal(err)
	}
	if got := cap(w2.(*gcmWriter).buf); got > fullBuffer {
		t.Errorf("the writer holds %d octets", got)
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestGCMWriterKeepsItsFirstError(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	w, err := NewGCMWriter(failing{full}, noise(16, 13), [12]byte{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 2*pieceSize+1)); err != full {
		t.Errorf("Write: %v", err)
	}
	if _, err := w.Write(nil); err != full {
		t.Errorf("Write again: %v", err)
	}
	if err := w.Close(); err != full {
		t.Errorf("Close: %v", err)
	}

	var out bytes.Buffer
	w, err = NewGCMWriter(&out, noise(16, 13), [12]byte{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil || out.Len() != 28 {
		t.Errorf("two Closes: %v, %d octets", err, out.Len())
	}
	if _, err := w.Write([]byte{1}); err == nil {
		t.Error("Write after Close was taken")
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestGCMKnownAnswer(t *testing.T) { // test case 3 of the GCM submission
	t.Parallel()
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	key, iv := unhex("feffe9928665731c6d6a8f9467308308"), unhex("cafebabefacedbaddecaf888")
	plain := unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255")
	want := unhex("cafebabefacedbaddecaf88842831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f59854d5c2af327cd64a62cf35abd2ba6fab4")
	got, err := SealGCM(nil, key, [12]byte(iv), plain)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %x, %v", got, err)
	}
	prefix := []byte("kept ")
	back, err := OpenGCM(prefix, key, want)
	if err != nil || !bytes.Equal(back, append([]byte("kept "), plain...)) {
		t.Errorf("got %q, %v", back, err)
	}
	if _, err := OpenGCM(nil, key, want[:27]); !errors.Is(err, ErrDecrypt) {
		t.Errorf("short input: %v", err)
	}
}

func FuzzGCMReader(f *testing.F) {
	key := noise(16, 14)
	whole, err := SealGCM(nil, key, [12]byte{3}, noise(100, 15))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, uint16(7), uint8(0))
	f.Add(whole[:50], uint16(1), uint8(1))
	f.Add([]byte{}, uint16(3), uint8(2))
	aead := stdGCM(f, key)
	// The input is taken as it is, or sealed first so that most runs pass the tag, or put behind whole pieces.
	f.Fuzz(func(t *testing.T, in []byte, step uint16, mode uint8) {
		if mode%3 > 0 {
			plain := in
			if mode%3 == 2 {
				plain = append(make([]byte, int(mode/3%2+1)*pieceSize-int(step)%70), in...)
			}
			in = aead.Seal(make([]byte, 12), make([]byte, 12), plain, nil)
			if mode >= 128 {
				in[int(step)*len(in)/(1<<16)] ^= 1
			}
		}
		var want []byte
		wantErr := ErrDecrypt
		if len(in) >= 28 {
			if want, err = aead.Open(nil, in[:12], in[12:], nil); err == nil {
				wantErr = nil
			}
		}
		chunk := int(step) + 1
		if len(in) > pieceSize {
			chunk += 1 << 14 // a million reads prove no more
		}
		r, err := NewGCMReader(&chunks{in, func() int { return chunk }}, key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != wantErr {
			t.Fatalf("got %v, want %v", err, wantErr)
		}
		if err == nil && !bytes.Equal(got, want) {
			t.Fatal("plaintext differs")
		}
	})
}
