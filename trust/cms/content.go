package cms

import (
	"bytes"
	"crypto"
	"fmt"
	"hash"
	"io"
	"sync"
)

// Content is what was signed. Both methods may be called by several goroutines.
type Content interface {
	// Digest hashes the content; an error matches [ErrContent] where it is not there, or [ErrAlgorithm].
	Digest(crypto.Hash) ([]byte, error)
	// WriteTo writes the content itself, for those who hash it together with other things.
	WriteTo(io.Writer) (int64, error)
}

// Bytes is content in memory.
func Bytes(b []byte) Content { return &source{r: bytes.NewReader(b), size: int64(len(b)), b: b} }

// File is content of any size, which is read when it is asked for. Digests are computed once.
func File(r io.ReaderAt, size int64) Content { return &source{r: r, size: size} }

// Digests is content of which only digests are known.
type Digests map[crypto.Hash][]byte

// Digest returns the digest that is known.
func (d Digests) Digest(h crypto.Hash) ([]byte, error) {
	if sum, ok := d[h]; ok {
		return sum, nil
	}
	return nil, fmt.Errorf("%w: its %s digest is not known", ErrContent, h)
}

// WriteTo refuses: there is nothing to write.
func (d Digests) WriteTo(io.Writer) (int64, error) {
	return 0, fmt.Errorf("%w: only digests are known", ErrContent)
}

// source is content that can be read again.
type source struct {
	r    io.ReaderAt
	size int64
	b    []byte // in memory
	copy func(io.Writer) (int64, error)

	mu   sync.Mutex
	sums map[crypto.Hash][]byte
}

// chunks are buffers for [source.WriteTo].
var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

func (s *source) WriteTo(w io.Writer) (int64, error) {
	switch {
	case s.copy != nil:
		return s.copy(w)
	case s.b != nil:
		n, err := w.Write(s.b)
		return int64(n), err
	}
	buf := chunks.Get().(*[chunk]byte)
	defer chunks.Put(buf)
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, io.NewSectionReader(s.r, 0, s.size), buf[:])
	if err == nil && n != s.size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (s *source) Digest(h crypto.Hash) ([]byte, error) {
	if err := s.prepare(h); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sums[h], nil
}

// prepare computes several digests in one pass.
func (s *source) prepare(hashes ...crypto.Hash) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var m multiHash
	for _, h := range hashes {
		if !h.Available() {
			return fmt.Errorf("%w: digest %s", ErrAlgorithm, h)
		}
		if s.sums[h] == nil {
			m.add(h)
		}
	}
	if len(m) == 0 {
		return nil
	}
	if _, err := s.WriteTo(m); err != nil {
		return fmt.Errorf("%w: %w", ErrContent, err)
	}
	if s.sums == nil {
		s.sums = map[crypto.Hash][]byte{}
	}
	for h, state := range m {
		s.sums[h] = state.Sum(nil)
	}
	return nil
}

// multiHash hashes by several algorithms at once.
type multiHash map[crypto.Hash]hash.Hash

func (m multiHash) Write(b []byte) (int, error) {
	for _, h := range m {
		h.Write(b)
	}
	return len(b), nil
}

func (m *multiHash) add(hashes ...crypto.Hash) {
	if *m == nil {
		*m = multiHash{}
	}
	for _, h := range hashes {
		if _, ok := (*m)[h]; !ok && h.Available() {
			(*m)[h] = h.New()
		}
	}
}

func (m multiHash) sums() Digests {
	d := Digests{}
	for h, state := range m {
		d[h] = state.Sum(nil)
	}
	return d
}

// octets is a part of a message in memory or in a file.
type octets struct {
	b      []byte
	r      io.ReaderAt
	off, n int64
}

func (o octets) len() int64 {
	if o.r != nil {
		return o.n
	}
	return int64(len(o.b))
}

func (o octets) WriteTo(w io.Writer) (int64, error) {
	if o.r != nil {
		return (&source{r: io.NewSectionReader(o.r, o.off, o.n), size: o.n}).WriteTo(w)
	}
	n, err := w.Write(o.b)
	return int64(n), err
}

// Content is the content within the message; nil where it is detached. After [Read] only digests are known.
func (m *SignedData) Content() Content { return m.content }

// WriteEncapsulated writes encapContentInfo as it is encoded, for archive time-stamps of version 2.
func (m *SignedData) WriteEncapsulated(w io.Writer) error {
	if m.encap.len() == 0 {
		return fmt.Errorf("%w: it was read as a stream and is gone", ErrContent)
	}
	_, err := m.encap.WriteTo(w)
	return err
}

// RawCertificates and RawRevocation are the fields [0] and [1] of SignedData as they were read; nil where absent or changed since.
func (m *SignedData) RawCertificates() []byte { return m.rawCerts }

// RawRevocation is the field [1]: see RawCertificates.
func (m *SignedData) RawRevocation() []byte { return m.rawCRLs }

// RawUnsigned is the field [1] of the signer as it was read; nil where absent or changed since.
func (s *SignerInfo) RawUnsigned() []byte { return s.rawUnsigned }

// Message is the message of a signer, also of a counter-signer.
func (s *SignerInfo) Message() *SignedData {
	for s.parent != nil {
		s = s.parent
	}
	return s.message
}

// Parent is the signer whom a counter-signer signed; nil for others.
func (s *SignerInfo) Parent() *SignerInfo { return s.parent }
