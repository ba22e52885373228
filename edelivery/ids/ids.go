// Package ids holds the identifiers of eDelivery discovery: participants, document types, processes and
// service providers, with their parsing, comparison, rules and the URL paths made of them.
//
// It follows the Peppol policy for use of identifiers 4.4 [PFUOI], BusDox common definitions [BusDox],
// OASIS SMP 1.0 and 2.0 [SMP1], [SMP2], and the ebCore party identifiers of eDelivery BDXL 1.6 [EU-BDXL 1.5.1].
//
// Parsing is lenient: it takes an identifier apart and refuses only what cannot be one. Whether an
// identifier is allowed in a network is a question to [Rules], which are data. So an old registration that
// breaks today's policy can still be looked up, while a new one is refused.
//
// An identifier keeps the spelling it came in. Compare with Equal or through Rules, never with ==, because
// some parts of some identifiers compare without case.
package ids

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Identifier schemes with rules of their own.
const (
	SchemeActor    = "iso6523-actorid-upis"    // participants: {icd}:{id} [PFUOI POLICY 1]
	SchemeQNS      = "busdox-docid-qns"        // document types, exact
	SchemeWildcard = "peppol-doctype-wildcard" // document types, the customization may end in *
	SchemeBDXQNS   = "bdx-docid-qns"           // document types [SMP1 2.4.6]
	SchemeBDXJSON  = "bdx-docid-json"          // document types [SMP2 3.7.1.3]
	SchemeProcess  = "cenbii-procid-ubl"       // processes
)

// SchemeNoProcess and NoProcess together say that a service has no process [SMP1 2.4.7].
const (
	SchemeNoProcess = "bdx-procid-transport"
	NoProcess       = "bdx:noprocess"
)

// ErrIdentifier is the cause of every refused identifier.
var ErrIdentifier = errors.New("ids: bad identifier")

// Error says what is wrong with which identifier, and by which clause.
type Error struct {
	Kind  string // "participant", "document type", "process", "transport profile", "service provider", "path"
	Value string
	Rule  string
}

func (e *Error) Error() string {
	v := e.Value
	if len(v) > 200 {
		v = v[:200] + "..."
	}
	return fmt.Sprintf("ids: %s %q: %s", e.Kind, v, e.Rule)
}

// Unwrap makes every Error an ErrIdentifier.
func (e *Error) Unwrap() error { return ErrIdentifier }

// maxLength bounds what is taken apart at all; every rule in use is far below.
const maxLength = 2048

const separator = "::"

// split cuts at the first "::", which ends the scheme [BusDox 2.3]. Without one the scheme is empty.
func split(kind, s string) (scheme, value string, err error) {
	if err := checkText(kind, s); err != nil {
		return "", "", err
	}
	scheme, value, ok := strings.Cut(s, separator)
	switch {
	case !ok:
		return "", s, nil
	case scheme == "":
		return "", "", &Error{kind, s, "nothing before :: [BusDox 2.3]"}
	case value == "":
		return "", "", &Error{kind, s, "nothing after :: [BusDox 2.3]"}
	case strings.ContainsFunc(scheme, isSpace):
		return "", "", &Error{kind, s, "white space in the scheme [BusDox 2.3]"}
	}
	return scheme, value, checkText(kind, value)
}

// checkText refuses what is no identifier in any scheme.
func checkText(kind, s string) error {
	switch {
	case s == "":
		return &Error{kind, s, "empty"}
	case len(s) > maxLength:
		return &Error{kind, s, fmt.Sprintf("%d octets are more than %d", len(s), maxLength)}
	case !utf8.ValidString(s):
		return &Error{kind, s, "not UTF-8"}
	case strings.ContainsFunc(s, isControl):
		return &Error{kind, s, "control character"}
	}
	if len(strings.TrimSpace(s)) != len(s) {
		return &Error{kind, s, "white space around it"}
	}
	return nil
}

func isControl(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }

// isSpace reports the characters a scheme may not contain [BusDox 2.3].
func isSpace(r rune) bool {
	return r >= 9 && r <= 13 || r == ' ' || r == 0x85 || r == 0xa0
}

// lower folds ASCII only: identifiers are ASCII where they compare without case, and a locale must not matter.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if c := b[i]; 'A' <= c && c <= 'Z' {
					b[i] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// equalFold compares without ASCII case.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if a[i] != b[i] && foldByte(a[i]) != foldByte(b[i]) {
			return false
		}
	}
	return true
}

func foldByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func same(fold bool, a, b string) bool {
	if fold {
		return equalFold(a, b)
	}
	return a == b
}
