package ebms

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Part is one body part. It is read to its end, or skipped by the next call of [MIMEReader.Next].
type Part struct {
	Header      Header
	ContentID   string // without angle brackets, as sent; empty if there is none
	ContentType string // as sent
	Index       int    // from 0, in the order of the body
	Named       bool   // the start parameter names this part

	r       *MIMEReader
	decoded io.Reader // for base64 and quoted-printable
	held    *bytes.Reader
}

// Header holds the header fields of a part in their order.
type Header []Field

// Field is one header field, unfolded.
type Field struct{ Name, Value string }

// Get returns the value of the first field of that name, compared ignoring case.
func (h Header) Get(name string) string {
	for i := range h {
		if strings.EqualFold(h[i].Name, name) {
			return h[i].Value
		}
	}
	return ""
}

// Read reads the content, decoded if the part says base64 or quoted-printable and else octet for octet.
func (p *Part) Read(b []byte) (int, error) {
	if p.decoded != nil {
		n, err := p.decoded.Read(b)
		if err != nil && err != io.EOF && !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrMIME) {
			err = fmt.Errorf("%w: %w", ErrMIME, err)
		}
		return n, err
	}
	return p.raw(b)
}

func (p *Part) raw(b []byte) (int, error) {
	if p.held != nil {
		if p.held.Len() > 0 {
			return p.held.Read(b)
		}
	}
	if p.r.part != p {
		return 0, io.EOF
	}
	if len(b) == 0 {
		return 0, nil
	}
	c, err := p.r.content()
	n := copy(b, c)
	p.r.r += n
	if err != nil && err != io.EOF {
		p.r.err = err
	}
	return n, err
}

// WriteTo writes the content to w, straight from the buffer where nothing has to be decoded.
func (p *Part) WriteTo(w io.Writer) (total int64, err error) {
	if p.decoded != nil {
		return io.Copy(w, struct{ io.Reader }{p})
	}
	if p.held != nil && p.held.Len() > 0 {
		if total, err = p.held.WriteTo(w); err != nil {
			return total, err
		}
	}
	for p.r.part == p {
		c, err := p.r.content()
		if err == io.EOF {
			break
		}
		if err != nil {
			p.r.err = err
			return total, err
		}
		n, err := w.Write(c)
		p.r.r += n
		total += int64(n)
		if err != nil {
			return total, err
		}
		if n < len(c) {
			return total, io.ErrShortWrite
		}
	}
	return total, nil
}
