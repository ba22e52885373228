package sbdh

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// source reads a document as UTF-8 without byte order mark, as xmlcore/dom decodes it [XML 4.3.3], but bit by bit.
type source struct {
	r       io.Reader
	decode  func(dst, src []byte, eof bool) (out []byte, used int, err error) // nil: UTF-8, only checked
	in      []byte                                                            // not yet decoded, or beginning of a character
	out     []byte                                                            // decoded, not yet read
	err     error
	label   string // as declared, where it is not UTF-8
	started bool
	ascii   bool
}

const (
	sniffLen = 1024 // octets within which an XML declaration has to end
	chunk    = 32 << 10
)

func encodingError(format string, args ...any) error {
	return &dom.Error{Line: 1, Column: 1, Msg: fmt.Sprintf(format, args...), Err: dom.ErrEncoding}
}

// start looks at the first octets.
func (s *source) start() error {
	s.started = true
	head := make([]byte, sniffLen)
	n, err := io.ReadFull(s.r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	s.in = head[:n]
	has := func(p string) bool { return bytes.HasPrefix(s.in, []byte(p)) }
	mark := true
	wide := ""
	switch {
	case has("\xEF\xBB\xBF"):
		s.in = s.in[3:]
	case has("\xFF\xFE\x00\x00"), has("\x00\x00\xFE\xFF"), has("<\x00\x00\x00"), has("\x00\x00\x00<"):
		return encodingError("UTF-32 is not supported")
	case has("\x4C\x6F\xA7\x94"):
		return encodingError("EBCDIC is not supported")
	case has("\xFF\xFE"):
		wide, s.in = "utf-16le", s.in[2:]
	case has("\xFE\xFF"):
		wide, s.in = "utf-16be", s.in[2:]
	case has("<\x00?\x00"):
		wide, mark = "utf-16le", false
	case has("\x00<\x00?"):
		wide, mark = "utf-16be", false
	default:
		mark = false
	}
	text := s.in
	if wide != "" {
		s.decode = decodeUTF16(wide == "utf-16be")
		if text, _, err = s.decode(nil, s.in, false); err != nil {
			return err
		}
	}
	s.label = declaredEncoding(text)
	return s.agree(wide, mark, strings.ToLower(s.label))
}

// declaredEncoding finds the encoding name of the XML declaration.
func declaredEncoding(text []byte) string {
	if !bytes.HasPrefix(text, []byte("<?xml")) {
		return ""
	}
	decl, _, ok := bytes.Cut(text, []byte("?>"))
	i := bytes.Index(decl, []byte("encoding"))
	if !ok || i < 0 {
		return ""
	}
	rest := bytes.TrimLeft(decl[i+len("encoding"):], " \t\r\n=")
	if len(rest) == 0 {
		return ""
	}
	n := bytes.IndexByte(rest[1:], rest[0])
	if n < 0 {
		return ""
	}
	return string(rest[1 : 1+n])
}

func (s *source) agree(wide string, mark bool, label string) error {
	if wide != "" {
		if label == wide || mark && (label == "" || label == "utf-16" || label == "iso-10646-ucs-2") {
			return nil
		}
		return encodingError("the document is UTF-16 but declares %.40q", label)
	}
	switch label {
	case "", "utf-8", "utf8":
	case "us-ascii", "ascii":
		s.ascii = true
	case "iso-8859-1", "iso_8859-1", "latin1", "l1", "windows-1252", "cp1252":
		if mark {
			return encodingError("byte order mark of UTF-8, but %q is declared", label)
		}
		s.decode = decodeLatin(strings.HasSuffix(label, "1252"))
	default:
		return encodingError("encoding %.40q is not supported here", label)
	}
	return nil
}

// declared makes octets that begin with the XML declaration say what they are now.
func (s *source) declared(b []byte) []byte {
	if s.decode == nil || s.label == "" {
		return b
	}
	return bytes.Replace(b, []byte(s.label), []byte("UTF-8"), 1)
}

func (s *source) Read(p []byte) (int, error) {
	if !s.started {
		if s.err = s.start(); s.err != nil {
			return 0, s.err
		}
		s.fill(nil)
	}
	for len(s.out) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		if s.decode == nil && len(p) >= 512 {
			return s.direct(p)
		}
		s.fill(make([]byte, chunk))
	}
	n := copy(p, s.out)
	s.out = s.out[n:]
	return n, nil
}

// direct reads UTF-8 into p without a copy.
func (s *source) direct(p []byte) (int, error) {
	n := copy(p, s.in)
	m, err := s.r.Read(p[n:])
	if m < 0 || m > len(p)-n {
		return 0, errors.New("sbdh: reader returned an impossible count")
	}
	s.in, s.err = nil, err
	good, err := s.check(p[:n+m], err != nil)
	if err != nil {
		s.err = err
	}
	s.in = bytes.Clone(p[good : n+m])
	if good == 0 {
		return 0, s.err
	}
	return good, nil
}

// check returns how much of b is whole characters; the rest is the beginning of one, unless the input ends.
func (s *source) check(b []byte, eof bool) (int, error) {
	if s.ascii {
		if i := bytes.IndexFunc(b, func(r rune) bool { return r >= 0x80 }); i >= 0 {
			return i, encodingError("an octet is not US-ASCII")
		}
		return len(b), nil
	}
	if utf8.Valid(b) {
		return len(b), nil
	}
	good := 0
	for good < len(b) {
		r, n := utf8.DecodeRune(b[good:])
		if r == utf8.RuneError && n == 1 {
			if !eof && !utf8.FullRune(b[good:]) {
				return good, nil
			}
			return good, &dom.Error{Msg: "octets that are no UTF-8", Err: dom.ErrEncoding}
		}
		good += n
	}
	return good, nil
}

// fill decodes what is there and, with room for it, what comes next.
func (s *source) fill(room []byte) {
	b, eof := s.in, false
	if room != nil {
		n, err := s.r.Read(room)
		b = append(bytes.Clone(s.in), room[:n]...)
		s.err, eof = err, err != nil
	}
	if s.decode == nil {
		good, err := s.check(b, eof)
		if err != nil {
			s.err = err
		}
		s.out, s.in = b[:good], b[good:]
		return
	}
	out, used, err := s.decode(nil, b, eof)
	if err != nil {
		s.err = err
	}
	s.out, s.in = out, b[used:]
}

func decodeUTF16(big bool) func(dst, src []byte, eof bool) ([]byte, int, error) {
	lo, hi := 0, 1
	if big {
		lo, hi = 1, 0
	}
	return func(dst, src []byte, eof bool) ([]byte, int, error) {
		i := 0
		for i+2 <= len(src) {
			r, n := rune(src[i+lo])|rune(src[i+hi])<<8, 2
			if utf16.IsSurrogate(r) {
				if i+4 > len(src) {
					if eof {
						return dst, i, encodingError("lone surrogate %#x", r)
					}
					return dst, i, nil
				}
				if r = utf16.DecodeRune(r, rune(src[i+2+lo])|rune(src[i+2+hi])<<8); r == utf8.RuneError {
					return dst, i, encodingError("lone surrogate")
				}
				n = 4
			}
			dst = utf8.AppendRune(dst, r)
			i += n
		}
		if eof && i < len(src) {
			return dst, i, encodingError("UTF-16 with an odd number of octets")
		}
		return dst, i, nil
	}
}

// windows1252 are the octets 0x80 to 0x9F; 0 is unassigned.
var windows1252 = [32]rune{
	'€', 0, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0, 'Ž', 0,
	0, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0, 'ž', 'Ÿ',
}

func decodeLatin(windows bool) func(dst, src []byte, eof bool) ([]byte, int, error) {
	return func(dst, src []byte, eof bool) ([]byte, int, error) {
		for i, c := range src {
			r := rune(c)
			if windows && c >= 0x80 && c < 0xA0 {
				if r = windows1252[c-0x80]; r == 0 {
					return dst, i, encodingError("octet %#x is not assigned in windows-1252", c)
				}
			}
			dst = utf8.AppendRune(dst, r)
		}
		return dst, len(src), nil
	}
}
