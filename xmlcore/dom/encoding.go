package dom

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// encoding is what the first octets show [XML appendix F.1].
type encoding uint8

const (
	utf8Enc encoding = iota
	utf16LE
	utf16BE
)

func encodingError(format string, args ...any) error {
	return &Error{Line: 1, Column: 1, Msg: fmt.Sprintf(format, args...), Err: ErrEncoding}
}

// decode returns the document as UTF-8 without byte order mark and with LF line ends [XML 2.11, 4.3.3].
// src is returned itself where nothing has to change.
func decode(src []byte, lim int) ([]byte, error) {
	if len(src) > lim {
		return nil, &Error{Msg: fmt.Sprintf("document longer than %d octets", lim), Err: ErrLimit}
	}
	enc, mark := utf8Enc, true
	has := func(s string) bool { return len(src) >= len(s) && string(src[:len(s)]) == s }
	switch {
	case has("\xEF\xBB\xBF"):
		src = src[3:]
	case has("\xFF\xFE\x00\x00"), has("\x00\x00\xFE\xFF"), has("<\x00\x00\x00"), has("\x00\x00\x00<"):
		return nil, encodingError("UTF-32 is not supported")
	case has("\x4C\x6F\xA7\x94"):
		return nil, encodingError("EBCDIC is not supported")
	case has("\xFF\xFE"):
		enc, src = utf16LE, src[2:]
	case has("\xFE\xFF"):
		enc, src = utf16BE, src[2:]
	case has("<\x00?\x00"):
		enc, mark = utf16LE, false
	case has("\x00<\x00?"):
		enc, mark = utf16BE, false
	default:
		mark = false
	}
	var err error
	if enc != utf8Enc {
		if src, err = fromUTF16(src, enc); err != nil {
			return nil, err
		}
	}
	var label string
	if bytes.HasPrefix(src, []byte("<?xml")) && len(src) > 5 && class[src[5]]&cSpace != 0 {
		label = declaredEncoding(src)
	}
	if src, err = agree(src, enc, mark, label); err != nil {
		return nil, err
	}
	if len(src) > lim {
		return nil, &Error{Msg: fmt.Sprintf("document longer than %d octets in UTF-8", lim), Err: ErrLimit}
	}
	return normaliseLineEnds(src), nil
}

// declaredEncoding finds the encoding name of the XML declaration; its grammar is checked later.
func declaredEncoding(src []byte) string {
	end := bytes.Index(src, []byte("?>"))
	if end < 0 {
		return ""
	}
	decl := src[:end]
	i := bytes.Index(decl, []byte("encoding"))
	if i < 0 {
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

// agree compares what the document says with what it is, and transcodes the one-octet encodings.
func agree(src []byte, enc encoding, mark bool, label string) ([]byte, error) {
	l := strings.ToLower(label)
	if enc != utf8Enc {
		switch {
		case l == "" && mark, l == "utf-16" && mark, l == "iso-10646-ucs-2" && mark,
			l == "utf-16le" && enc == utf16LE, l == "utf-16be" && enc == utf16BE:
			return src, nil
		case l == "" || l == "utf-16":
			return nil, encodingError("UTF-16 without byte order mark [XML 4.3.3]")
		}
		return nil, encodingError("document is UTF-16 but declares %q [XML 4.3.3]", clip(label))
	}
	switch l {
	case "", "utf-8", "utf8":
		return src, nil
	case "us-ascii", "ascii":
		for i, c := range src {
			if c >= 0x80 {
				return nil, encodingError("octet %#x at %d is not US-ASCII", c, i)
			}
		}
		return src, nil
	case "iso-8859-1", "iso_8859-1", "latin1", "l1", "windows-1252", "cp1252":
		if mark {
			return nil, encodingError("byte order mark of UTF-8, but %q is declared [XML 4.3.3]", clip(label))
		}
		return fromLatin(src, strings.HasSuffix(l, "1252"))
	case "utf-16", "utf-16le", "utf-16be":
		return nil, encodingError("%s is declared, but the document is in octets [XML 4.3.3]", label)
	}
	return nil, encodingError("encoding %q is not supported", clip(label))
}

func fromUTF16(src []byte, enc encoding) ([]byte, error) {
	if len(src)%2 != 0 {
		return nil, encodingError("UTF-16 with an odd number of octets")
	}
	var order binary.ByteOrder = binary.LittleEndian
	if enc == utf16BE {
		order = binary.BigEndian
	}
	out := make([]byte, 0, len(src)/2+len(src)/8)
	for i := 0; i < len(src); i += 2 {
		r := rune(order.Uint16(src[i:]))
		if r < 0x80 {
			out = append(out, byte(r))
			continue
		}
		if utf16.IsSurrogate(r) {
			if i+4 > len(src) {
				return nil, encodingError("lone surrogate %#x at octet %d", r, i)
			}
			pair := utf16.DecodeRune(r, rune(order.Uint16(src[i+2:])))
			if pair == utf8.RuneError {
				return nil, encodingError("lone surrogate %#x at octet %d", r, i)
			}
			r = pair
			i += 2
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}

// windows1252 are the octets 0x80 to 0x9F; 0 is unassigned. ISO-8859-1 has C1 controls there.
var windows1252 = [32]rune{
	0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0,
	0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E, 0x0178,
}

func fromLatin(src []byte, windows bool) ([]byte, error) {
	high := 0
	for _, c := range src {
		if c >= 0x80 {
			high++
		}
	}
	if high == 0 {
		return src, nil
	}
	out := make([]byte, 0, len(src)+2*high)
	for i, c := range src {
		r := rune(c)
		if windows && c >= 0x80 && c < 0xA0 {
			if r = windows1252[c-0x80]; r == 0 {
				return nil, encodingError("octet %#x at %d is not assigned in windows-1252", c, i)
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}

// normaliseLineEnds makes CR LF and lone CR a LF [XML 2.11]. It works on a copy: the sender's octets may have
// to be kept as evidence.
func normaliseLineEnds(src []byte) []byte {
	i := bytes.IndexByte(src, '\r')
	if i < 0 {
		return src
	}
	out := make([]byte, 0, len(src))
	for i >= 0 {
		out = append(out, src[:i]...)
		out = append(out, '\n')
		if i+1 < len(src) && src[i+1] == '\n' {
			i++
		}
		src = src[i+1:]
		i = bytes.IndexByte(src, '\r')
	}
	return append(out, src...)
}
