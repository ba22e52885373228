package xpath

import (
	"strings"
	"unicode/utf8"
)

// tokenKind is what a token looks like. Names are told from keywords by the parser: XPath reserves no word.
type tokenKind uint8

const (
	tokEnd     tokenKind = iota
	tokName              // a, p:a, Q{u}a, *, p:*, *:a
	tokSymbol            // text is the symbol
	tokString            // text is the value
	tokInteger           // text is the number
	tokDecimal
	tokDouble
)

type token struct {
	kind     tokenKind
	wild     bool // a name with a star
	braced   bool // prefix is a namespace URI
	prefixed bool
	text     string // symbol, value, or local name
	prefix   string
	pos, end int
}

// symbols of two characters come first.
var symbols2 = []string{"(:", "//", "..", "::", ":=", "!=", "<=", ">=", "<<", ">>", "||", "=>"}

type syntaxError struct {
	pos int
	msg string
}

// lex cuts an expression into tokens [XPath20 A.2].
func lex(s string) (toks []token, bad *syntaxError) {
	toks = make([]token, 0, len(s)/4+4)
	i := 0
	for {
		for i < len(s) {
			if isSpace(s[i]) {
				i++
			} else if strings.HasPrefix(s[i:], "(:") {
				end := comment(s, i)
				if end < 0 {
					return nil, &syntaxError{i, "comment without end"}
				}
				i = end
			} else {
				break
			}
		}
		t := token{pos: i}
		if i >= len(s) {
			t.end = i
			return append(toks, t), nil
		}
		c := s[i]
		switch {
		case c == '"' || c == '\'':
			v, n := quoted(s[i:])
			if n == 0 {
				return nil, &syntaxError{i, "string without end"}
			}
			t.kind, t.text = tokString, v
			i += n
		case c >= '0' && c <= '9' || c == '.' && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			n := number(s[i:], &t)
			if n < 0 {
				return nil, &syntaxError{i, "exponent without digits"}
			}
			i += n
			if r, _ := utf8.DecodeRuneInString(s[i:]); i < len(s) && isNameStart(r) {
				return nil, &syntaxError{i, "a number runs into a name"}
			}
		case c == 'Q' && strings.HasPrefix(s[i:], "Q{"):
			end := strings.IndexByte(s[i:], '}')
			if end < 0 || strings.IndexByte(s[i+2:i+end], '{') >= 0 {
				return nil, &syntaxError{i, "Q{ without }"}
			}
			t.kind, t.braced, t.prefixed, t.prefix = tokName, true, true, collapse(s[i+2:i+end])
			i += end + 1
			if i < len(s) && s[i] == '*' {
				t.wild, t.text = true, "*"
				i++
			} else if n := nameEnd(s[i:]); n > 0 {
				t.text = s[i : i+n]
				i += n
			} else {
				return nil, &syntaxError{i, "a name must follow }"}
			}
		case c == '*':
			t.kind, t.text = tokSymbol, "*"
			i++
			if i+1 < len(s) && s[i] == ':' {
				if n := nameEnd(s[i+1:]); n > 0 {
					t.kind, t.wild, t.prefix, t.text = tokName, true, "*", s[i+1:i+1+n]
					i += 1 + n
				}
			}
		default:
			if n := nameEnd(s[i:]); n > 0 {
				t.kind, t.text = tokName, s[i:i+n]
				i += n
				if i+1 < len(s) && s[i] == ':' && s[i+1] != ':' && s[i+1] != '=' {
					if s[i+1] == '*' {
						t.wild, t.prefixed, t.prefix, t.text = true, true, t.text, "*"
						i += 2
					} else if n := nameEnd(s[i+1:]); n > 0 {
						t.prefixed, t.prefix, t.text = true, t.text, s[i+1:i+1+n]
						i += 1 + n
					}
				}
				break
			}
			t.kind = tokSymbol
			for _, y := range symbols2 {
				if strings.HasPrefix(s[i:], y) {
					t.text = y
				}
			}
			if t.text == "" {
				if strings.IndexByte("()[]{},/@.$+-=<>|!?#:;", c) < 0 {
					r, _ := utf8.DecodeRuneInString(s[i:])
					return nil, &syntaxError{i, "unexpected " + quoteRune(r)}
				}
				t.text = s[i : i+1]
			}
			i += len(t.text)
		}
		t.end = i
		toks = append(toks, t)
	}
}

func quoteRune(r rune) string { return "'" + string(r) + "'" }

// comment returns where a comment ends; comments nest.
func comment(s string, i int) int {
	depth := 0
	for i < len(s) {
		switch {
		case strings.HasPrefix(s[i:], "(:"):
			depth++
			i += 2
		case strings.HasPrefix(s[i:], ":)"):
			depth--
			i += 2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return -1
}

// quoted reads a string literal; a doubled quote stands for one.
func quoted(s string) (v string, n int) {
	q := s[0]
	for n = 1; n < len(s); n++ {
		if s[n] == q {
			if n+1 < len(s) && s[n+1] == q {
				n++
				continue
			}
			return strings.ReplaceAll(s[1:n], string([]byte{q, q}), string(q)), n + 1
		}
	}
	return "", 0
}

func number(s string, t *token) int {
	digits := func(i int) int {
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i
	}
	t.kind = tokInteger
	i := digits(0)
	if i < len(s) && s[i] == '.' && !strings.HasPrefix(s[i:], "..") {
		t.kind = tokDecimal
		i = digits(i + 1)
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		k := digits(j)
		if k == j {
			return -1
		}
		t.kind, i = tokDouble, k
	}
	t.text = s[:i]
	return i
}

// nameEnd returns the length of the NCName that s begins with, or 0.
func nameEnd(s string) int {
	for i, r := range s {
		if i == 0 && !isNameStart(r) || !isNameChar(r) || r == utf8.RuneError {
			return i
		}
	}
	return len(s)
}
