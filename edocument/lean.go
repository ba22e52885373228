package edocument

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

var (
	// ErrSize says that a document is larger than the caller allows.
	ErrSize = errors.New("the document is too large")
	// errDense says that a long run that looked like an attachment was none.
	errDense = errors.New("it holds a text that is no attachment")
)

// runLeast is how long a text in base64 is that [ReadLean] leaves out.
const runLeast = 1 << 20

// ReadLean reads a document for judging. The content of an element that is one text in base64 of more than 1 MiB, as
// attachments are, is checked while it is read and left out: "AAAA" stands for right base64, "!" for wrong, and every
// line break is kept, so that what is found later has its line. So a document costs what it holds beside its
// attachments. Rules do not look into them; who needs the octets reads the document another way.
//
// What does not begin as XML is read whole, up to keep octets. A document of more than most octets is ErrSize. Where a long run of such characters turns out to be something else, r
// is read again from its beginning if it can seek, and nothing is left out; then the document may have most octets only
// if keep allows as many.
func ReadLean(r io.Reader, most, keep int64) ([]byte, error) {
	b, err := readLean(r, most, keep)
	if !errors.Is(err, errDense) {
		return b, err
	}
	s, ok := r.(io.Seeker)
	if !ok {
		return nil, fmt.Errorf("%w: %w, of more than %d octets", ErrSize, err, runLeast)
	}
	if _, err := s.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return readWhole(r, keep)
}

func readWhole(r io.Reader, keep int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, keep+1))
	if err == nil && int64(len(b)) > keep {
		return nil, sizeError(keep)
	}
	return b, err
}

// markup tells by the first octets whether a document may be XML, in UTF-8 or UTF-16.
func markup(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) ||
		bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n"), []byte("<"))
}

func sizeError(most int64) error { return fmt.Errorf("%w: more than %d octets", ErrSize, most) }

func readLean(r io.Reader, most, keep int64) (out []byte, err error) {
	in := bufio.NewReaderSize(r, 256<<10)
	if head, _ := in.Peek(1024); !markup(head) {
		return readWhole(in, keep)
	}
	var n int64
	for {
		// up to the end of a tag
		chunk, err := in.ReadSlice('>')
		n += int64(len(chunk))
		out = append(out, chunk...)
		switch {
		case n > most:
			return nil, sizeError(most)
		case int64(len(out)) > keep:
			return nil, sizeError(keep)
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF:
			return out, nil
		case err != nil:
			return nil, err
		}
		if out, n, err = content(in, out, n, most); err == io.EOF {
			return out, nil
		} else if err != nil {
			return nil, err
		}
	}
}

// content reads what follows a tag as long as it may be base64.
func content(in *bufio.Reader, out []byte, n, most int64) ([]byte, int64, error) {
	begin, lines := len(out), 0
	var c check64
	for {
		buf, err := in.Peek(max(1, in.Buffered()))
		if len(buf) == 0 {
			if err == io.EOF && c.length >= runLeast {
				return nil, n, io.ErrUnexpectedEOF
			}
			return out, n, err
		}
		k := c.take(buf)
		n += int64(k)
		if n > most {
			return nil, n, sizeError(most)
		}
		switch {
		case c.length < runLeast:
			out = append(out, buf[:k]...)
		case begin >= 0:
			lines += bytes.Count(out[begin:], newline)
			out = append(out[:begin], "AAAA"...)
			begin = -1
			fallthrough
		default:
			lines += bytes.Count(buf[:k], newline)
			out = append(out, bytes.Repeat(newline, lines)...)
			lines = 0
		}
		in.Discard(k)
		if k == len(buf) {
			continue
		}
		switch {
		case begin >= 0: // short
		case buf[k] != '<' || c.digits == 0:
			return nil, n, errDense
		case !c.right():
			out = append(out, '!')
		}
		return out, n, nil
	}
}

var newline = []byte{'\n'}

// check64 checks base64 as it comes.
type check64 struct {
	length  int64 // octets, white space among them
	digits  int64
	padding int
	wrong   bool
}

// alphabet: 1 a digit, 2 padding, 3 white space, 0 something else.
var alphabet = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
			t[c] = 1
		case c == '=':
			t[c] = 2
		case c == ' ', c == '\t', c == '\n', c == '\r':
			t[c] = 3
		}
	}
	return t
}()

// take returns how many octets at the beginning of b belong to the run.
func (c *check64) take(b []byte) int {
	i := 0
	digits := int64(0)
	for ; i < len(b); i++ {
		k := alphabet[b[i]]
		if k == 0 {
			break
		}
		switch k {
		case 1:
			digits++
			c.wrong = c.wrong || c.padding > 0
		case 2:
			c.padding++
		}
	}
	c.digits += digits
	c.length += int64(i)
	return i
}

// right reports whether what was taken is base64 as XML Schema has it.
func (c *check64) right() bool {
	return !c.wrong && c.padding <= 2 && (c.digits+int64(c.padding))%4 == 0
}
