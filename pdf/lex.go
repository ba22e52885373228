package pdf

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
)

// errShort asks for a wider window: what is read does not end within this one.
var errShort = errors.New("pdf: window ends within an object")

const maxNumbers = 1 << 20 // objects in one indirect object

// lexer reads objects from a window of a file.
type lexer struct {
	b     []byte
	pos   int
	whole bool // nothing follows the window
	count int
}

// end is what to answer when the window is used up.
func (l *lexer) end() error {
	if l.whole {
		return fmt.Errorf("%w: the file ends within an object", ErrFormat)
	}
	return errShort
}

// skip goes past white space and comments.
func (l *lexer) skip() {
	for l.pos < len(l.b) {
		switch c := l.b[l.pos]; {
		case space(c):
			l.pos++
		case c == '%':
			for l.pos < len(l.b) && l.b[l.pos] != '\n' && l.b[l.pos] != '\r' {
				l.pos++
			}
		default:
			return
		}
	}
}

// regular reads octets that are neither white space nor delimiters.
func (l *lexer) regular() ([]byte, error) {
	from := l.pos
	for l.pos < len(l.b) && !space(l.b[l.pos]) && !delimiter(l.b[l.pos]) {
		l.pos++
	}
	if l.pos == len(l.b) && !l.whole {
		return nil, errShort
	}
	return l.b[from:l.pos], nil
}

// keyword reads a word if it comes next.
func (l *lexer) keyword(word string) (bool, error) {
	l.skip()
	rest := l.b[l.pos:]
	if len(rest) < len(word)+1 && !l.whole {
		return false, errShort
	}
	if !bytes.HasPrefix(rest, []byte(word)) {
		return false, nil
	}
	l.pos += len(word)
	return true, nil
}

// integer reads an integer without sign if it comes next.
func (l *lexer) integer() (int, bool, error) {
	l.skip()
	from := l.pos
	word, err := l.regular()
	if err != nil {
		return 0, false, err
	}
	n, ok := digits(word)
	if !ok {
		l.pos = from
	}
	return n, ok, nil
}

func digits(b []byte) (int, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

func (l *lexer) object(depth int) (Object, error) {
	if l.count++; depth > maxDepth || l.count > maxNumbers {
		return nil, fmt.Errorf("%w: an object holds more than %d others, or they are nested more than %d deep", ErrLimit, maxNumbers, maxDepth)
	}
	l.skip()
	if l.pos >= len(l.b) {
		return nil, l.end()
	}
	switch c := l.b[l.pos]; c {
	case '/':
		l.pos++
		return l.name()
	case '(':
		l.pos++
		return l.literal()
	case '[':
		l.pos++
		return l.array(depth)
	case '<':
		if l.pos+1 >= len(l.b) {
			return nil, l.end()
		}
		if l.b[l.pos+1] == '<' {
			l.pos += 2
			return l.dict(depth)
		}
		l.pos++
		return l.hex()
	case ')', '>', ']', '{', '}':
		return nil, fmt.Errorf("%w: %q where an object is due", ErrFormat, c)
	}
	word, err := l.regular()
	if err != nil {
		return nil, err
	}
	if n, ok := digits(word); ok {
		return l.reference(n)
	}
	switch string(word) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	}
	return number(word)
}

// reference reads on after an integer, which may begin one.
func (l *lexer) reference(n int) (Object, error) {
	back := l.pos
	g, ok, err := l.integer()
	if err != nil {
		return nil, err
	}
	if ok && n <= maxObject && g <= 0xffff {
		l.skip()
		if l.pos+1 >= len(l.b) && !l.whole {
			return nil, errShort
		}
		if l.pos < len(l.b) && l.b[l.pos] == 'R' && (l.pos+1 == len(l.b) || space(l.b[l.pos+1]) || delimiter(l.b[l.pos+1])) {
			l.pos++
			return Ref{n, g}, nil
		}
	}
	l.pos = back
	return n, nil
}

func number(word []byte) (Object, error) {
	text := string(word)
	if n, err := strconv.Atoi(text); err == nil {
		return n, nil
	}
	for _, c := range word {
		if (c < '0' || c > '9') && c != '.' && c != '+' && c != '-' {
			return nil, fmt.Errorf("%w: %.40q is no object", ErrFormat, word)
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: %.40q is no number", ErrFormat, word)
	}
	return f, nil
}

func (l *lexer) name() (Object, error) {
	word, err := l.regular()
	if err != nil {
		return nil, err
	}
	if bytes.IndexByte(word, '#') < 0 {
		return Name(word), nil
	}
	out := make([]byte, 0, len(word))
	for i := 0; i < len(word); i++ {
		if word[i] == '#' && i+2 < len(word) && unhex(word[i+1]) >= 0 && unhex(word[i+2]) >= 0 {
			out = append(out, byte(unhex(word[i+1])<<4|unhex(word[i+2])))
			i += 2
			continue
		}
		out = append(out, word[i])
	}
	return Name(out), nil
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func (l *lexer) hex() (Object, error) {
	end := bytes.IndexByte(l.b[l.pos:], '>')
	if end < 0 {
		return nil, l.end()
	}
	out := make([]byte, end/2, end/2+1)
	if _, err := hex.Decode(out, l.b[l.pos:l.pos+end]); err == nil { // the usual form, and the long ones
		l.pos += end + 1
		return String(out), nil
	}
	out = out[:0]
	high := -1
	for _, c := range l.b[l.pos : l.pos+end] {
		v := unhex(c)
		switch {
		case v < 0 && space(c):
		case v < 0:
			return nil, fmt.Errorf("%w: %q in a hexadecimal string", ErrFormat, c)
		case high < 0:
			high = v
		default:
			out = append(out, byte(high<<4|v))
			high = -1
		}
	}
	if high >= 0 {
		out = append(out, byte(high<<4))
	}
	l.pos += end + 1
	return String(out), nil
}

func (l *lexer) literal() (Object, error) {
	var out []byte
	for open := 1; l.pos < len(l.b); {
		c := l.b[l.pos]
		l.pos++
		switch c {
		case '(':
			open++
		case ')':
			if open--; open == 0 {
				return String(out), nil
			}
		case '\r':
			if l.pos < len(l.b) && l.b[l.pos] == '\n' {
				l.pos++
			}
			c = '\n'
		case '\\':
			var ok bool
			if c, ok = l.escape(); !ok {
				continue
			}
		}
		out = append(out, c)
	}
	return nil, l.end()
}

// escape reads what follows a reverse solidus; not ok stands for nothing.
func (l *lexer) escape() (byte, bool) {
	if l.pos >= len(l.b) {
		return 0, false
	}
	c := l.b[l.pos]
	l.pos++
	switch c {
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case '\r':
		if l.pos < len(l.b) && l.b[l.pos] == '\n' {
			l.pos++
		}
		return 0, false
	case '\n':
		return 0, false
	}
	if c < '0' || c > '7' {
		return c, true
	}
	n := int(c - '0')
	for i := 0; i < 2 && l.pos < len(l.b) && l.b[l.pos] >= '0' && l.b[l.pos] <= '7'; i++ {
		n = n<<3 | int(l.b[l.pos]-'0')
		l.pos++
	}
	return byte(n), true
}

func (l *lexer) array(depth int) (Object, error) {
	out := Array{}
	for {
		l.skip()
		if l.pos >= len(l.b) {
			return nil, l.end()
		}
		if l.b[l.pos] == ']' {
			l.pos++
			return out, nil
		}
		o, err := l.object(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
}

func (l *lexer) dict(depth int) (Object, error) {
	out := Dict{}
	for {
		l.skip()
		if l.pos+1 >= len(l.b) {
			return nil, l.end()
		}
		if l.b[l.pos] == '>' && l.b[l.pos+1] == '>' {
			l.pos += 2
			return out, nil
		}
		if l.b[l.pos] != '/' {
			return nil, fmt.Errorf("%w: %q where a key of a dictionary is due", ErrFormat, l.b[l.pos])
		}
		l.pos++
		key, err := l.name()
		if err != nil {
			return nil, err
		}
		value, err := l.object(depth + 1)
		if err != nil {
			return nil, err
		}
		if value != nil {
			out[key.(Name)] = value
		}
	}
}

// ParseObject reads one direct object, such as a value from a gap between signed ranges, and refuses what follows it.
func ParseObject(b []byte) (Object, error) {
	l := lexer{b: b, whole: true}
	o, err := l.object(0)
	if err != nil {
		return nil, err
	}
	if l.skip(); l.pos < len(b) {
		return nil, fmt.Errorf("%w: %d octets behind the object", ErrFormat, len(b)-l.pos)
	}
	return o, nil
}
