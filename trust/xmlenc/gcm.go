package xmlenc

import (
	"crypto/cipher"
	"crypto/subtle"
	"errors"
	"io"
)

// SealGCM appends IV || ciphertext || tag to dst, the layout of [XMLENC11 5.2.4]. An IV must never serve twice under one key.
func SealGCM(dst, key []byte, iv [12]byte, plaintext []byte) ([]byte, error) {
	_, aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	dst = append(dst, iv[:]...)
	return aead.Seal(dst, dst[len(dst)-ivSize:], plaintext, nil), nil
}

// OpenGCM appends the plaintext of IV || ciphertext || tag to dst, or returns ErrDecrypt.
func OpenGCM(dst, key, sealed []byte) ([]byte, error) {
	_, aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < ivSize+tagSize {
		return nil, ErrDecrypt
	}
	dst, err = aead.Open(dst, sealed[:ivSize], sealed[ivSize:], nil)
	if err != nil {
		return nil, ErrDecrypt
	}
	return dst, nil
}

// NewGCMWriter returns a writer that encrypts what it is given to w as IV || ciphertext || tag [XMLENC11 5.2.4], in constant
// memory. The tag is written by Close, which does not close w. key is 16, 24 or 32 octets; an IV must never serve twice under
// one key. A message longer than 2^36-32 octets is refused with ErrTooLong.
func NewGCMWriter(w io.Writer, key []byte, iv [12]byte) (io.WriteCloser, error) {
	block, aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	g := &gcmWriter{w: w, block: block, aead: aead}
	g.buf = append(make([]byte, 0, firstBuffer), iv[:]...)
	return g, nil
}

const (
	firstBuffer = 8 << 10 // most parts are a few kB of gzip
	fullBuffer  = ivSize + pieceSize + tagSize
)

// gcmWriter gathers IV || plaintext || room for the tag. A message of one piece is sealed there at once; a longer one turns
// to the stream when the second piece begins, and from then on buf holds ciphertext.
type gcmWriter struct {
	w      io.Writer
	block  cipher.Block
	aead   cipher.AEAD
	stream *stream // nil before the second piece
	buf    []byte
	size   uint64
	err    error
}

func (g *gcmWriter) Write(p []byte) (n int, err error) {
	if g.err != nil {
		return 0, g.err
	}
	if uint64(len(p)) > maxPlaintext-g.size {
		g.err = ErrTooLong
		return 0, g.err
	}
	for len(p) > 0 {
		if len(g.buf) == ivSize+pieceSize {
			if g.err = g.flush(); g.err != nil {
				return n, g.err
			}
		}
		part := p[:min(len(p), ivSize+pieceSize-len(g.buf))]
		g.grow(len(part))
		at := len(g.buf)
		g.buf = g.buf[:at+len(part)]
		if g.stream == nil {
			copy(g.buf[at:], part)
		} else {
			g.stream.ctr.XORKeyStream(g.buf[at:], part)
		}
		n += len(part)
		g.size += uint64(len(part))
		p = p[len(part):]
	}
	return n, nil
}

// grow makes room for n more octets and the tag, so that buf is never moved by the sealing.
func (g *gcmWriter) grow(n int) {
	need := len(g.buf) + n + tagSize
	if need <= cap(g.buf) {
		return
	}
	size := min(max(need, 4*cap(g.buf)), fullBuffer)
	g.buf = append(make([]byte, 0, size), g.buf...)
}

// flush sends a whole piece. The IV stands in front of the first one only; buf keeps its room for it.
func (g *gcmWriter) flush() error {
	out := g.buf
	if g.stream == nil {
		g.stream = newStream(g.block, g.aead, g.buf[:ivSize])
		g.stream.ctr.XORKeyStream(g.buf[ivSize:], g.buf[ivSize:])
	} else {
		out = g.buf[ivSize:]
	}
	g.stream.hash(g.buf[ivSize:])
	g.buf = g.buf[:ivSize]
	return write(g.w, out)
}

var errClosed = errors.New("xmlenc: write after Close")

func (g *gcmWriter) Close() error {
	if g.err != nil {
		if g.err == errClosed {
			return nil
		}
		return g.err
	}
	g.err = errClosed
	var out []byte
	if g.stream == nil {
		out = g.aead.Seal(g.buf[:ivSize], g.buf[:ivSize], g.buf[ivSize:], nil)
	} else {
		g.stream.hash(g.buf[ivSize:])
		t := g.stream.tag()
		out = append(g.buf, t[:]...)[ivSize:]
	}
	g.buf = nil
	if err := write(g.w, out); err != nil {
		g.err = err
		return err
	}
	return nil
}

func write(w io.Writer, p []byte) error {
	n, err := w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// NewGCMReader returns a reader of the plaintext of IV || ciphertext || tag, which is all that r holds up to its io.EOF.
//
// It answers io.EOF only after the tag holds, and ErrDecrypt for a wrong tag or an input too short to have one; an error of r
// passes through. Of a message up to one MiB nothing is released before the tag was checked. A longer one is released
// piece by piece, all but its last piece unauthenticated: callers keep what they read to themselves until io.EOF.
// Memory is at most about one MiB. The reader also is an io.WriterTo.
func NewGCMReader(r io.Reader, key []byte) (io.Reader, error) {
	block, aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	size := firstBuffer
	if known, ok := r.(interface{ Len() int }); ok {
		size = min(max(known.Len()+1, 512), fullBuffer+1) // one more octet, so that the read that meets io.EOF fits
	}
	return &gcmReader{r: r, block: block, aead: aead, buf: make([]byte, 0, size)}, nil
}

// gcmReader reads ahead by the size of a tag, so that the last octets of r are never taken for ciphertext.
type gcmReader struct {
	r      io.Reader
	block  cipher.Block
	aead   cipher.AEAD
	stream *stream // nil before the second piece
	buf    []byte  // IV of a first piece || ciphertext || tag
	plain  []byte  // decrypted and not yet read: part of buf
	size   uint64
	err    error // after plain
}

func (g *gcmReader) Read(p []byte) (int, error) {
	for len(g.plain) == 0 {
		if g.err != nil {
			return 0, g.err
		}
		if len(p) == 0 {
			return 0, nil
		}
		g.next()
	}
	n := copy(p, g.plain)
	g.plain = g.plain[n:]
	return n, nil
}

// WriteTo spares io.Copy its own buffer.
func (g *gcmReader) WriteTo(w io.Writer) (n int64, err error) {
	for {
		if len(g.plain) > 0 {
			m, err := w.Write(g.plain)
			n += int64(m)
			g.plain = g.plain[m:]
			if err != nil {
				return n, err
			}
			if len(g.plain) > 0 {
				return n, io.ErrShortWrite
			}
		}
		if g.err == io.EOF {
			return n, nil
		}
		if g.err != nil {
			return n, g.err
		}
		g.next()
	}
}

// next fills plain, or sets err, or both.
func (g *gcmReader) next() {
	head := 0
	if g.stream == nil {
		head = ivSize
	} else {
		g.buf = append(g.buf[:0], g.buf[len(g.buf)-tagSize-1:]...) // what was read ahead
	}
	full := head + pieceSize + tagSize + 1 // the octet more tells a whole last piece from one that goes on
	err := g.fill(full)
	if err != nil && err != io.EOF {
		g.err = err
		return
	}
	if err == io.EOF {
		g.plain, g.err = g.last(head)
		return
	}
	if g.stream == nil {
		g.stream = newStream(g.block, g.aead, g.buf[:ivSize])
	}
	piece := g.buf[head : head+pieceSize]
	if g.size += pieceSize; g.size > maxPlaintext {
		g.err = ErrDecrypt
		return
	}
	g.stream.hash(piece)
	g.stream.ctr.XORKeyStream(piece, piece)
	g.plain = piece
}

// last checks the tag before it hands out the last piece.
func (g *gcmReader) last(head int) ([]byte, error) {
	if len(g.buf) < head+tagSize {
		return nil, ErrDecrypt
	}
	if g.stream == nil {
		plain, err := g.aead.Open(g.buf[head:head], g.buf[:head], g.buf[head:], nil)
		if err != nil {
			return nil, ErrDecrypt
		}
		return plain, io.EOF
	}
	at := len(g.buf) - tagSize
	piece, got := g.buf[:at], g.buf[at:]
	g.stream.hash(piece)
	want := g.stream.tag()
	if subtle.ConstantTimeCompare(want[:], got) != 1 || g.size+uint64(len(piece)) > maxPlaintext {
		return nil, ErrDecrypt
	}
	g.stream.ctr.XORKeyStream(piece, piece)
	return piece, io.EOF
}

// maxEmptyReads is how often r may answer nothing at all before io.ErrNoProgress.
const maxEmptyReads = 100

// fill reads until buf holds n octets; io.EOF when r ends before.
func (g *gcmReader) fill(n int) error {
	empty := 0
	for len(g.buf) < n {
		if len(g.buf) == cap(g.buf) {
			g.buf = append(make([]byte, 0, min(4*cap(g.buf), fullBuffer+1)), g.buf...)
		}
		m, err := g.r.Read(g.buf[len(g.buf):min(n, cap(g.buf))])
		g.buf = g.buf[:len(g.buf)+m]
		if err != nil {
			return err // io.EOF together with the n-th octet is the end all the same
		}
		if m > 0 {
			empty = 0
		} else if empty++; empty == maxEmptyReads {
			return io.ErrNoProgress
		}
	}
	return nil
}
