package cms

import (
	"bufio"
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const (
	chunk   = 64 << 10
	maxHead = 1 << 20   // octets before the content
	maxTail = 256 << 20 // octets of certificates, lists and signers, which are kept in memory
)

// Read reads a message from a stream at constant memory. The content is written to sink, which may be nil, and hashed on the way by
// the digests that the message announces and the further ones given; what it says is to be believed only after [SignerInfo.Verify].
// The stream must be BER or DER.
func Read(r io.Reader, sink io.Writer, hashes ...crypto.Hash) (*SignedData, error) {
	s := &scanner{r: bufio.NewReaderSize(r, chunk)}
	m, err := s.message(func(m *SignedData, h scanned) error {
		var sums multiHash
		for _, a := range m.DigestAlgorithms {
			sums.add(a.Hash)
		}
		sums.add(hashes...)
		w := io.Writer(sums)
		if sink != nil {
			w = io.MultiWriter(sums, sink)
		}
		if err := s.octets(h, w, 0); err != nil {
			return err
		}
		m.content = sums.sums()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, s.onlyZeros()
}

// Open reads a message in a file whose content may have any size; the content is read when a digest of it is asked for. The file
// must be BER or DER and stay as it is.
func Open(r io.ReaderAt, size int64) (*SignedData, error) {
	s := &scanner{at: r, size: size}
	s.seek(0)
	m, err := s.message(func(m *SignedData, h scanned) error {
		start := h.start
		m.content = &source{copy: func(w io.Writer) (int64, error) {
			again := &scanner{at: r, size: size}
			again.seek(start)
			h, err := again.header()
			if err != nil {
				return 0, err
			}
			c := &counter{w: w}
			err = again.octets(h, c, 0)
			return c.n, err
		}}
		return s.octets(h, nil, 0)
	})
	if err != nil {
		return nil, err
	}
	m.encap.r = r
	return m, s.onlyZeros()
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

// scanner reads elements from a stream.
type scanner struct {
	r    *bufio.Reader
	at   io.ReaderAt // the stream is a file
	size int64
	off  int64
	buf  []byte
	ends []int64 // of the elements entered; -1 where indefinite
}

// scanned is tag and length of an element.
type scanned struct {
	tag         asn1.Tag
	start, body int64
	end         int64 // -1 where indefinite
	raw         []byte
}

func (h scanned) constructed() bool { return h.tag&0x20 != 0 }

func (s *scanner) seek(off int64) {
	s.off = off
	section := io.NewSectionReader(s.at, off, max(s.size-off, 0))
	if s.r == nil {
		s.r = bufio.NewReaderSize(section, chunk)
		return
	}
	s.r.Reset(section)
}

func (s *scanner) errorf(format string, args ...any) error {
	return &ber.Error{Offset: int(s.off), Msg: fmt.Sprintf(format, args...)}
}

// cut says that the input ends too early, or what else went wrong with it.
func (s *scanner) cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return s.errorf("the input ends within an element")
	}
	return err
}

func (s *scanner) limit() int64 {
	for _, e := range slices.Backward(s.ends) {
		if e >= 0 {
			return e
		}
	}
	return -1
}

func (s *scanner) header() (h scanned, err error) {
	b, err := s.r.Peek(16)
	if len(b) < 2 {
		return h, s.cut(err)
	}
	raw, length, indefinite, ok := ber.Header(b)
	if !ok || b[0] == 0 {
		return h, s.errorf("tag or length has no meaning")
	}
	h = scanned{tag: asn1.Tag(b[0]), start: s.off, body: s.off + int64(len(raw)), end: -1, raw: bytes.Clone(raw)}
	if indefinite && !h.constructed() {
		return h, s.errorf("indefinite length of a primitive element")
	}
	if !indefinite {
		h.end = h.body + int64(length)
		if l := s.limit(); l >= 0 && h.end > l {
			return h, s.errorf("the element ends behind the one it is in")
		}
	}
	s.r.Discard(len(raw))
	s.off += int64(len(raw))
	return h, nil
}

// enter reads the header of a constructed element with this tag.
func (s *scanner) enter(tag asn1.Tag, what string) (scanned, error) {
	h, err := s.header()
	if err != nil {
		return h, err
	}
	if h.tag != tag {
		return h, s.errorf("%s expected, found tag %#02x", what, byte(h.tag))
	}
	s.ends = append(s.ends, h.end)
	return h, nil
}

// atEnd reports whether the element entered last has no more children.
func (s *scanner) atEnd() (bool, error) {
	if e := s.ends[len(s.ends)-1]; e >= 0 {
		return s.off >= e, nil
	}
	b, err := s.r.Peek(2)
	if err != nil {
		return false, s.cut(err)
	}
	return b[0] == 0 && b[1] == 0, nil
}

// leave goes behind the element entered last, which must be read to its end.
func (s *scanner) leave() error {
	end, err := s.atEnd()
	if err != nil {
		return err
	}
	if !end {
		return s.errorf("something left over in an element")
	}
	if s.ends[len(s.ends)-1] < 0 {
		s.r.Discard(2)
		s.off += 2
	}
	s.ends = s.ends[:len(s.ends)-1]
	return nil
}

// whole reads an element into memory.
func (s *scanner) whole(dst []byte, limit, depth int) ([]byte, error) {
	h, err := s.header()
	if err != nil {
		return dst, err
	}
	dst = append(dst, h.raw...)
	if h.end >= 0 {
		n := h.end - h.body
		if n > int64(limit-len(dst)) {
			return dst, s.errorf("more than %d octets", limit)
		}
		var b bytes.Buffer // grows with what is really there
		if _, err := io.CopyN(&b, s.r, n); err != nil {
			return dst, s.cut(err)
		}
		s.off += n
		return append(dst, b.Bytes()...), nil
	}
	if depth >= ber.MaxDepth {
		return dst, s.errorf("more than %d elements within one another", ber.MaxDepth)
	}
	s.ends = append(s.ends, -1)
	for {
		end, err := s.atEnd()
		if err != nil {
			return dst, err
		}
		if end {
			return append(dst, 0, 0), s.leave()
		}
		if dst, err = s.whole(dst, limit, depth+1); err != nil {
			return dst, err
		}
	}
}

// octets copies the octets of a string in whatever segments; w nil skips them.
func (s *scanner) octets(h scanned, w io.Writer, depth int) error {
	if !h.constructed() {
		return s.copy(w, h.end-h.body)
	}
	if depth >= ber.MaxDepth {
		return s.errorf("more than %d elements within one another", ber.MaxDepth)
	}
	s.ends = append(s.ends, h.end)
	for {
		end, err := s.atEnd()
		if err != nil {
			return err
		}
		if end {
			return s.leave()
		}
		c, err := s.header()
		if err != nil {
			return err
		}
		if c.tag&^0x20 != asn1.OCTET_STRING {
			return s.errorf("segment of the content expected, found tag %#02x", byte(c.tag))
		}
		if err := s.octets(c, w, depth+1); err != nil {
			return err
		}
	}
}

func (s *scanner) copy(w io.Writer, n int64) error {
	if w == nil {
		if s.at != nil && n > 4*chunk {
			if s.off+n > s.size {
				return s.errorf("the input ends within an element")
			}
			s.seek(s.off + n)
			return nil
		}
		w = io.Discard
	}
	if s.buf == nil {
		s.buf = make([]byte, chunk)
	}
	for n > 0 {
		k, err := s.r.Read(s.buf[:min(n, chunk)])
		if k > 0 {
			if _, err := w.Write(s.buf[:k]); err != nil {
				return err
			}
			s.off += int64(k)
			n -= int64(k)
		}
		if err != nil && n > 0 {
			return s.cut(err)
		}
	}
	return nil
}

// message reads ContentInfo; content is called at the string that is the content, when there is one.
func (s *scanner) message(content func(*SignedData, scanned) error) (*SignedData, error) {
	m := &SignedData{}
	if err := s.scan(m, content); err != nil {
		if errors.Is(err, ber.ErrSyntax) {
			return nil, malformed("message", err)
		}
		return nil, err
	}
	return m, nil
}

func (s *scanner) scan(m *SignedData, content func(*SignedData, scanned) error) error {
	if _, err := s.enter(asn1.SEQUENCE, "ContentInfo"); err != nil {
		return err
	}
	t, err := s.oid("content type")
	if err != nil {
		return err
	}
	if t != ContentSignedData {
		return typeError(t)
	}
	if _, err := s.enter(tag0, "content"); err != nil {
		return err
	}
	if _, err := s.enter(asn1.SEQUENCE, "SignedData"); err != nil {
		return err
	}
	base := s.off
	var head []byte
	for range 2 { // version, digestAlgorithms
		if head, err = s.whole(head, maxHead, 0); err != nil {
			return err
		}
	}
	r := ber.NewReaderAt(head, int(base))
	if err := m.parseHead(&r); err != nil {
		return err
	}
	if err := s.encap(m, content); err != nil {
		return err
	}
	base = s.off
	var tail []byte
	for {
		end, err := s.atEnd()
		if err != nil {
			return err
		}
		if end {
			break
		}
		if tail, err = s.whole(tail, maxTail, 0); err != nil {
			return err
		}
	}
	r = ber.NewReaderAt(tail, int(base))
	if err := m.parseTail(&r); err != nil {
		return err
	}
	for range 3 {
		if err := s.leave(); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) oid(what string) (pki.OID, error) {
	base := s.off
	b, err := s.whole(nil, 256, 0)
	if err != nil {
		return "", err
	}
	r := ber.NewReaderAt(b, int(base))
	o, _, err := readOID(&r, what)
	return o, err
}

func (s *scanner) encap(m *SignedData, content func(*SignedData, scanned) error) error {
	start, err := s.enter(asn1.SEQUENCE, "encapContentInfo")
	if err != nil {
		return err
	}
	if m.ContentType, err = s.oid("content type"); err != nil {
		return err
	}
	end, err := s.atEnd()
	if err != nil {
		return err
	}
	if end {
		m.Detached = true
	} else {
		if _, err := s.enter(tag0, "content"); err != nil {
			return err
		}
		if end, err = s.atEnd(); err != nil {
			return err
		}
		if end {
			m.Detached = true
		} else if err := s.content(m, content); err != nil {
			return err
		}
		if err := s.leave(); err != nil {
			return err
		}
	}
	if err := s.leave(); err != nil {
		return err
	}
	m.encap.off, m.encap.n = start.start, s.off-start.start
	if m.Detached { // small enough, and always the same: kept also from a stream
		fresh, err := New(m.ContentType, nil)
		if err != nil {
			return err
		}
		if s.at == nil {
			m.encap = fresh.encap
		}
	}
	return nil
}

func (s *scanner) content(m *SignedData, content func(*SignedData, scanned) error) error {
	h, err := s.header()
	if err != nil {
		return err
	}
	if h.tag&^0x20 != asn1.OCTET_STRING {
		return s.errorf("content is no OCTET STRING but has tag %#02x", byte(h.tag))
	}
	return content(m, h)
}

// onlyZeros refuses what stands behind the message, but for padding.
func (s *scanner) onlyZeros() error {
	for n := 0; n < maxHead; n++ {
		b, err := s.r.ReadByte()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if b != 0 {
			break
		}
	}
	return malformed("message", s.errorf("octets after it"))
}

// WriteAttached writes a message around content of any size in one pass, with indefinite lengths. finish is called when the content
// is through, with its digests by the hashes named; the certificates, lists and signers of what it returns are written behind it.
func WriteAttached(w io.Writer, contentType pki.OID, content io.Reader, hashes []crypto.Hash, finish func(Content) (*SignedData, error)) error {
	m, err := New(contentType, nil)
	if err != nil {
		return err
	}
	var sums multiHash
	for _, h := range hashes {
		if !h.Available() || pki.OIDByHash(h) == "" {
			return fmt.Errorf("%w: digest %s", ErrAlgorithm, h)
		}
		sums.add(h)
		m.DigestAlgorithms = append(m.DigestAlgorithms, digestAlgorithm(h))
	}
	before, _ := m.frame()
	var b cryptobyte.Builder
	pki.AddOID(&b, contentType)
	oid := b.BytesOrPanic() // New has taken it
	head := slices.Concat([]byte{0x30, 0x80, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2, 0xa0, 0x80, 0x30, 0x80}, before,
		[]byte{0x30, 0x80}, oid, []byte{0xa0, 0x80, 0x24, 0x80})
	if _, err := w.Write(head); err != nil {
		return err
	}
	segment := ber.AppendLength([]byte{byte(asn1.OCTET_STRING)}, chunk)
	buf := make([]byte, len(segment)+chunk)
	copy(buf, segment)
	for {
		n, err := io.ReadFull(content, buf[len(segment):])
		sums.Write(buf[len(segment) : len(segment)+n])
		switch {
		case n == chunk:
			_, werr := w.Write(buf)
			if werr != nil {
				return werr
			}
		case n > 0:
			if _, werr := w.Write(ber.Append(nil, asn1.OCTET_STRING, buf[len(segment):len(segment)+n])); werr != nil {
				return werr
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return err
		}
	}
	end, err := finish(sums.sums())
	if err != nil {
		return err
	}
	_, err = w.Write(slices.Concat(make([]byte, 6), end.tail(), make([]byte, 6)))
	return err
}
