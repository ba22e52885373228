package ebms

import "strings"

// ContentIDFromURL returns the content identifier of a cid: URL, percent-decoded [RFC 2392 2]; ok is false for any
// other URL.
func ContentIDFromURL(url string) (id string, ok bool) {
	if len(url) < 5 || !strings.EqualFold(url[:4], "cid:") {
		return "", false
	}
	return unescapeID(url[4:]), true
}

// ContentIDURL returns the cid: URL of a content identifier: reserved characters are percent-encoded [RFC 2392 2].
func ContentIDURL(id string) string {
	n := 0
	for i := range len(id) {
		if !plainInURL(id[i]) {
			n++
		}
	}
	if n == 0 {
		return "cid:" + id
	}
	const hexDigits = "0123456789ABCDEF"
	b := make([]byte, 0, 4+len(id)+2*n)
	b = append(b, "cid:"...)
	for i := range len(id) {
		if c := id[i]; plainInURL(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}

// SameContentID reports whether two identifiers name the same part: both are compared without angle brackets and
// percent-decoded, since stacks differ in which form they put where.
func SameContentID(a, b string) bool {
	return a == b || unescapeID(trimBrackets(a)) == unescapeID(trimBrackets(b))
}

func plainInURL(c byte) bool {
	return isAlnum(c) || c == '@' || c == '.' || c == '_' || c == '-' || c == '~'
}

func trimBrackets(s string) string {
	s = strings.Trim(s, " \t")
	if len(s) >= 2 && s[0] == '<' && s[len(s)-1] == '>' {
		return s[1 : len(s)-1]
	}
	return s
}

// unescapeID decodes every valid percent-encoded octet and leaves everything else as it is.
func unescapeID(s string) string {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return s
	}
	b := append(make([]byte, 0, len(s)), s[:i]...)
	for ; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, ok1 := hexDigit(s[i+1])
			lo, ok2 := hexDigit(s[i+2])
			if ok1 && ok2 {
				b = append(b, hi<<4|lo)
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
