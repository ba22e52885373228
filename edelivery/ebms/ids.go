package ebms

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// MaxID is the greatest length of a MessageId that any peer is known to accept.
const MaxID = 255

// NewMessageID returns "uuid@host" with a random UUID of version 4 [ebMS3 5.2.2.1]. host must be a dot-atom.
func NewMessageID(rand io.Reader, host string) (string, error) {
	u, err := newUUID(rand)
	if err != nil {
		return "", err
	}
	id := u + "@" + host
	if !ValidMessageID(id) {
		return "", fmt.Errorf("ebms: host %q does not make a message id", host)
	}
	return id, nil
}

// NewConversationID returns a random identifier for a new conversation.
func NewConversationID(rand io.Reader) (string, error) { return newUUID(rand) }

// NewContentID returns "uuid@host" for a MIME part; raw and percent-encoded form are equal when host is made of
// letters, digits, dots, hyphens and underscores, and other hosts are refused.
func NewContentID(rand io.Reader, host string) (string, error) {
	if !plainID(host) {
		return "", fmt.Errorf("ebms: host %q does not make a content id", host)
	}
	return NewMessageID(rand, host)
}

// NewXMLID returns a random identifier fit for wsu:Id: prefix, which must begin like an XML name, and 32 digits.
func NewXMLID(rand io.Reader, prefix string) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fmt.Errorf("ebms: random: %w", err)
	}
	return prefix + hex.EncodeToString(b[:]), nil
}

func newUUID(rand io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fmt.Errorf("ebms: random: %w", err)
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[:], b[:4])
	s[8] = '-'
	hex.Encode(s[9:], b[4:6])
	s[13] = '-'
	hex.Encode(s[14:], b[6:8])
	s[18] = '-'
	hex.Encode(s[19:], b[8:10])
	s[23] = '-'
	hex.Encode(s[24:], b[10:])
	return string(s[:]), nil
}

// ValidMessageID reports whether s is an RFC 2822 msg-id without angle brackets, dot-atom on both sides, of at most
// 255 characters: what every peer accepts.
func ValidMessageID(s string) bool {
	local, host, ok := strings.Cut(s, "@")
	return ok && len(s) <= MaxID && dotAtom(local) && dotAtom(host)
}

// dotAtom is atext separated by single dots [RFC 2822 3.2.4].
func dotAtom(s string) bool {
	dot := true
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			if dot {
				return false
			}
			dot = true
		case isAtext(c):
			dot = false
		default:
			return false
		}
	}
	return !dot
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func isAtext(c byte) bool {
	return isAlnum(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

func plainID(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return s != ""
}

// printable reports whether s is printable ASCII of at most 255 characters, the least that a peer demands.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return s != "" && len(s) <= MaxID
}

// isURI reports whether s has the form of an absolute URI: a scheme, a colon and something after it, nothing that a
// URI cannot hold.
func isURI(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c == ':':
			if i == 0 || i == len(s)-1 {
				return false
			}
			return strings.IndexFunc(s[i+1:], func(r rune) bool {
				return r <= 0x20 || r == 0x7f || strings.ContainsRune("<>\"{}|\\^`", r)
			}) < 0
		case i == 0 && !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'):
			return false
		case !isAlnum(c) && c != '+' && c != '-' && c != '.':
			return false
		}
	}
	return false
}
