package xmldsig

import (
	"errors"
	"io"
	"slices"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const (
	symbolBad   = 0xff
	symbolSpace = 0xfe
	symbolPad   = 0xfd
)

var symbols = func() (t [256]byte) {
	for i := range t {
		t[i] = symbolBad
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	t[' '], t['\t'], t['\r'], t['\n'] = symbolSpace, symbolSpace, symbolSpace, symbolSpace
	t['='] = symbolPad
	return t
}()

var (
	errBase64Symbol  = errors.New("character outside the base64 alphabet")
	errBase64Padding = errors.New("base64 padding is wrong")
	errBase64Trail   = errors.New("data after the base64 padding")
	errBase64Long    = errors.New("base64 value too long")
)

// base64Decoder decodes xs:base64Binary that arrives in pieces, for comments may split a text. White space may stand
// anywhere, also the CR of &#13; that Java on Windows writes. Everything else is strict, so that one value has
// one reading: full padding, no bits beyond the last octet.
type base64Decoder struct {
	acc     uint32
	n, pads uint8
}

func (d *base64Decoder) append(dst, src []byte) ([]byte, error) {
	dst = slices.Grow(dst, len(src)/4*3+3)
	for i := 0; i < len(src); i++ {
		if d.n == 0 && d.pads == 0 {
			for i+4 <= len(src) {
				a, b, c, e := symbols[src[i]], symbols[src[i+1]], symbols[src[i+2]], symbols[src[i+3]]
				if (a|b|c|e)&0xc0 != 0 {
					break
				}
				v := uint32(a)<<18 | uint32(b)<<12 | uint32(c)<<6 | uint32(e)
				dst = append(dst, byte(v>>16), byte(v>>8), byte(v))
				i += 4
			}
			if i == len(src) {
				break
			}
		}
		switch s := symbols[src[i]]; s {
		case symbolSpace:
		case symbolBad:
			return dst, errBase64Symbol
		case symbolPad:
			if d.pads++; d.n < 2 || d.n+d.pads > 4 {
				return dst, errBase64Padding
			}
		default:
			if d.pads > 0 {
				return dst, errBase64Trail
			}
			d.acc = d.acc<<6 | uint32(s)
			if d.n++; d.n == 4 {
				dst = append(dst, byte(d.acc>>16), byte(d.acc>>8), byte(d.acc))
				d.acc, d.n = 0, 0
			}
		}
	}
	return dst, nil
}

func (d *base64Decoder) finish(dst []byte) ([]byte, error) {
	switch {
	case d.n == 0 && d.pads == 0:
		return dst, nil
	case d.n == 2 && d.pads == 2 && d.acc&0xf == 0:
		return append(dst, byte(d.acc>>4)), nil
	case d.n == 3 && d.pads == 1 && d.acc&0x3 == 0:
		return append(dst, byte(d.acc>>10), byte(d.acc>>2)), nil
	}
	return dst, errBase64Padding
}

// appendBase64 appends the octets that the text of an element stands for, at most max of them.
func appendBase64(dst []byte, el dom.Node, max int) ([]byte, error) {
	var d base64Decoder
	var err error
	start := len(dst)
	for c := el.FirstChild(); c.Valid(); c = c.NextSibling() {
		switch c.Kind() {
		case dom.TextNode:
			if dst, err = d.append(dst, c.Value()); err != nil {
				return dst, el.Errorf("%w: %v", ErrStructure, err)
			}
			if len(dst)-start > max {
				return dst, el.Errorf("%w: %v", ErrStructure, errBase64Long)
			}
		case dom.ElementNode:
			return dst, c.Errorf("%w: element inside a base64 value", ErrStructure)
		}
	}
	if dst, err = d.finish(dst); err != nil {
		return dst, el.Errorf("%w: %v", ErrStructure, err)
	}
	return dst, nil
}

// base64Writer decodes what is written to it into w, a few KiB at a time.
type base64Writer struct {
	w   io.Writer
	d   base64Decoder
	buf []byte
}

func (b *base64Writer) write(text []byte) error {
	const piece = 4 << 10
	if b.buf == nil {
		b.buf = make([]byte, 0, piece)
	}
	for len(text) > 0 {
		n := min(len(text), piece)
		out, err := b.d.append(b.buf[:0], text[:n])
		if err != nil {
			return err
		}
		if _, err := b.w.Write(out); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

func (b *base64Writer) close() error {
	out, err := b.d.finish(b.buf[:0])
	if err != nil {
		return err
	}
	_, err = b.w.Write(out)
	return err
}

// DecodeBase64 decodes the text of an element, at most max octets, as strictly as everything in a signature is read.
func DecodeBase64(n dom.Node, max int) ([]byte, error) { return appendBase64(nil, n, max) }
