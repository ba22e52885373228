package ids

import (
	"strings"
	"unicode/utf8"
)

const upperHex = "0123456789ABCDEF"

// EscapeSegment percent-encodes one path segment: everything but the unreserved characters of RFC 3986, in
// UTF-8 and upper-case hex [PSMP 5.3.1, SMP2 3.3]. Strict servers know a colon only as %3A, and a bare # would
// begin a fragment.
func EscapeSegment(s string) string {
	n := 0
	for i := 0; i < len(s); i++ {
		if !unreserved(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	return string(appendEscaped(make([]byte, 0, len(s)+2*n), s))
}

func appendEscaped(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; unreserved(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

func unreserved(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '-' || c == '.' || c == '_' || c == '~'
}

// UnescapeSegment decodes one path segment. Lower-case hex and unencoded characters are accepted, a plus
// stays a plus, a broken escape or octets that are no UTF-8 are an error.
func UnescapeSegment(s string) (string, error) {
	if i := strings.IndexByte(s, '%'); i >= 0 {
		b := make([]byte, 0, len(s))
		for i := 0; i < len(s); i++ {
			c := s[i]
			if c == '%' {
				if i+2 >= len(s) {
					return "", &Error{"path", s, "cut off after %"}
				}
				hi, lo := unhex(s[i+1]), unhex(s[i+2])
				if hi < 0 || lo < 0 {
					return "", &Error{"path", s, "% without two hex digits"}
				}
				c = byte(hi<<4 | lo)
				i += 2
			}
			b = append(b, c)
		}
		s = string(b)
	}
	if !utf8.ValidString(s) {
		return "", &Error{"path", s, "not UTF-8"}
	}
	return s, nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
