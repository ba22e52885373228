package regex

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

type op uint8

const (
	opSet    op = iota // one character of set
	opConcat           // subs in order; none is the empty text
	opAlt              // one of subs
	opRepeat           // subs[0], min to max times
	opGroup            // subs[0], captured as group number
	opStart            // ^
	opEnd              // $
	opBack             // what group number captured
)

type node struct {
	op       op
	set      Set
	text     string // the set as the standard library writes it, if it has a name there
	subs     []*node
	min, max int // max < 0 is unbounded
	lazy     bool
	number   int
}

type parser struct {
	src     string
	pos     int
	opt     Options
	depth   int
	groups  int
	closed  []bool // by group number: it has ended and may be referred to
	backRef bool
}

func (p *parser) fail(at int, cause error, format string, args ...any) error {
	return &Error{Pattern: p.src, Offset: at, Msg: fmt.Sprintf(format, args...), Err: cause}
}

func (p *parser) syntax(format string, args ...any) error {
	return p.fail(p.pos, ErrSyntax, format, args...)
}

func (p *parser) parse() (*node, error) {
	if p.opt.FreeSpacing {
		p.src = squeeze(p.src)
	}
	if !utf8.ValidString(p.src) {
		return nil, p.syntax("not UTF-8")
	}
	p.closed = []bool{false}
	n, err := p.alternatives()
	if err == nil && p.pos < len(p.src) {
		err = p.syntax("no group is open")
	}
	return n, err
}

// alternatives is regExp [XSD2 F production 1].
func (p *parser) alternatives() (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(p.pos, ErrLimit, "groups nested deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	alt := &node{op: opAlt}
	for {
		branch := &node{op: opConcat}
		for p.pos < len(p.src) && p.src[p.pos] != '|' && p.src[p.pos] != ')' {
			n, err := p.piece()
			if err != nil {
				return nil, err
			}
			branch.subs = append(branch.subs, n)
		}
		alt.subs = append(alt.subs, branch)
		if p.pos == len(p.src) || p.src[p.pos] == ')' {
			break
		}
		p.pos++
	}
	if len(alt.subs) == 1 {
		return alt.subs[0], nil
	}
	return alt, nil
}

func (p *parser) piece() (*node, error) {
	n, err := p.atom()
	if err != nil || p.pos == len(p.src) {
		return n, err
	}
	r := &node{op: opRepeat, subs: []*node{n}, max: -1}
	switch p.src[p.pos] {
	case '?':
		r.max = 1
	case '*':
	case '+':
		r.min = 1
	case '{':
		if r.min, r.max, err = p.quantity(); err != nil {
			return nil, err
		}
		p.pos--
	default:
		return n, nil
	}
	p.pos++
	if p.opt.XPath && p.pos < len(p.src) && p.src[p.pos] == '?' {
		r.lazy = true
		p.pos++
	}
	return r, nil
}

// quantity reads {n}, {n,}, {n,m}; p.pos ends after the brace.
func (p *parser) quantity() (least, most int, err error) {
	end := strings.IndexByte(p.src[p.pos:], '}')
	if end < 0 {
		return 0, 0, p.syntax("quantifier does not end")
	}
	text := p.src[p.pos+1 : p.pos+end]
	lo, hi, two := strings.Cut(text, ",")
	number := func(s string) (int, bool) {
		for i := range len(s) {
			if s[i] < '0' || s[i] > '9' {
				return 0, false
			}
		}
		if s == "" {
			return 0, false
		}
		v, err := strconv.Atoi(s)
		if err != nil || v > 1<<30 {
			v = 1 << 30
		}
		return v, true
	}
	least, ok := number(lo)
	most = least
	if two {
		most = -1
		if hi != "" {
			var good bool
			most, good = number(hi)
			ok = ok && good
		}
	}
	if !ok {
		return 0, 0, p.syntax("{%s} is not a quantifier", text)
	}
	if most >= 0 && most < least {
		return 0, 0, p.syntax("{%s} asks for at least more than at most", text)
	}
	p.pos += end + 1
	return least, most, nil
}

func (p *parser) atom() (*node, error) {
	switch c := p.src[p.pos]; {
	case c == '(':
		return p.group()
	case c == '[':
		s, err := p.class(0)
		return &node{op: opSet, set: s}, err
	case c == '.':
		p.pos++
		if p.opt.DotAll {
			return &node{op: opSet, set: anyChar}, nil
		}
		return &node{op: opSet, set: dotSet}, nil
	case c == '\\':
		if n := p.backReference(); n != nil {
			if n.number >= len(p.closed) || !p.closed[n.number] {
				return nil, p.syntax("group %d is not complete here", n.number)
			}
			p.backRef = true
			return n, nil
		}
		from := p.pos
		s, _, err := p.escape()
		return &node{op: opSet, set: s, text: named(p.src[from:p.pos])}, err
	case p.opt.XPath && c == '^':
		p.pos++
		return &node{op: opStart}, nil
	case p.opt.XPath && c == '$':
		p.pos++
		return &node{op: opEnd}, nil
	case strings.IndexByte("?*+{}]", c) >= 0:
		return nil, p.syntax("%q must be escaped here", c)
	}
	r, w := utf8.DecodeRuneInString(p.src[p.pos:])
	p.pos += w
	return p.opt.char(r), nil
}

// named translates an escape of which the standard library has the set under a name.
func named(escape string) string {
	switch {
	case escape == `\d`:
		return `\p{Nd}`
	case escape == `\D`:
		return `\P{Nd}`
	case len(escape) > 4 && categories[escape[3:len(escape)-1]]:
		return escape
	}
	return ""
}

func (p *parser) group() (*node, error) {
	start := p.pos
	p.pos++
	capture := true
	if p.opt.XPath && strings.HasPrefix(p.src[p.pos:], "?:") {
		capture = false
		p.pos += 2
	}
	number := 0
	if capture {
		p.groups++
		number = p.groups
		p.closed = append(p.closed, false)
	}
	n, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if p.pos == len(p.src) {
		return nil, p.fail(start, ErrSyntax, "group does not end")
	}
	p.pos++
	if !capture || !p.opt.XPath {
		return n, nil
	}
	p.closed[number] = true
	return &node{op: opGroup, subs: []*node{n}, number: number}, nil
}

// backReference reads \N; digits are taken as long as so many groups have begun (F&O 7.6.1).
func (p *parser) backReference() *node {
	if !p.opt.XPath || p.pos+1 >= len(p.src) || p.src[p.pos+1] < '1' || p.src[p.pos+1] > '9' {
		return nil
	}
	i := p.pos + 2
	n := int(p.src[p.pos+1] - '0')
	for i < len(p.src) && p.src[i] >= '0' && p.src[i] <= '9' && n*10+int(p.src[i]-'0') <= p.groups {
		n = n*10 + int(p.src[i]-'0')
		i++
	}
	p.pos = i
	return &node{op: opBack, number: n}
}

// escape reads what follows a backslash; single says that it stands for one character.
func (p *parser) escape() (s Set, single bool, err error) {
	if p.pos+1 >= len(p.src) {
		return nil, false, p.syntax("nothing is escaped")
	}
	c := p.src[p.pos+1]
	p.pos += 2
	switch c {
	case 'n':
		return Set{'\n', '\n'}, true, nil
	case 'r':
		return Set{'\r', '\r'}, true, nil
	case 't':
		return Set{'\t', '\t'}, true, nil
	case 'p', 'P':
		end := strings.IndexByte(p.src[p.pos:], '}')
		if end < 0 || p.src[p.pos] != '{' {
			return nil, false, p.syntax("\\%c wants a property in braces", c)
		}
		name := p.src[p.pos+1 : p.pos+end]
		s, ok := property(name)
		if !ok {
			return nil, false, p.syntax("there is no property %q", name)
		}
		p.pos += end + 1
		if c == 'P' {
			s = s.not()
		}
		return s, false, nil
	}
	if s, ok := multi(c); ok {
		return s, false, nil
	}
	if strings.IndexByte(`\|.?*+(){}-[]^`, c) >= 0 || p.opt.XPath && c == '$' {
		return Set{rune(c), rune(c)}, true, nil
	}
	p.pos -= 2
	return nil, false, p.syntax("\\%s is no escape", p.src[p.pos+1:p.pos+1+width(p.src[p.pos+1:])])
}

// class is charClassExpr [XSD2 F production 12].
func (p *parser) class(depth int) (Set, error) {
	if depth > maxDepth {
		return nil, p.fail(p.pos, ErrLimit, "classes nested deeper than %d", maxDepth)
	}
	start := p.pos
	p.pos++
	negated := false
	if p.pos < len(p.src) && p.src[p.pos] == '^' {
		negated = true
		p.pos++
	}
	var all []rune
	var without Set
	for first := true; ; first = false {
		if p.pos >= len(p.src) {
			return nil, p.fail(start, ErrSyntax, "character class does not end")
		}
		c := p.src[p.pos]
		if c == ']' {
			if first {
				return nil, p.syntax("character class is empty")
			}
			p.pos++
			break
		}
		if c == '[' {
			return nil, p.syntax("[ must be escaped in a character class")
		}
		if c == '-' && !first && strings.HasPrefix(p.src[p.pos:], "-[") {
			p.pos++
			var err error
			if without, err = p.class(depth + 1); err != nil {
				return nil, err
			}
			if p.pos >= len(p.src) || p.src[p.pos] != ']' {
				return nil, p.syntax("a subtraction must end its character class")
			}
			p.pos++
			break
		}
		lo, hi, err := p.classRange(first)
		if err != nil {
			return nil, err
		}
		named := len(lo) != 2 || lo[0] != lo[1]
		if hi >= 0 {
			lo = Set{lo[0], hi}
		}
		if p.opt.CaseInsensitive && !named {
			lo = fold(lo)
		}
		all = append(all, lo...)
	}
	s := norm(all)
	if negated {
		s = s.not()
	}
	if without != nil {
		s = s.minus(without)
	}
	return s, nil
}

// classRange reads one escape, character or range of a class; hi is negative if it is no range.
func (p *parser) classRange(first bool) (lo Set, hi rune, err error) {
	single := true
	if p.src[p.pos] == '\\' {
		if lo, single, err = p.escape(); err != nil {
			return nil, 0, err
		}
	} else {
		r, w := utf8.DecodeRuneInString(p.src[p.pos:])
		p.pos += w
		lo = Set{r, r}
		if r == '-' { // stands for itself only at either end [XSD2 F.1]
			if rest := p.src[p.pos:]; !first && !strings.HasPrefix(rest, "]") && !strings.HasPrefix(rest, "-[") {
				p.pos--
				return nil, 0, p.syntax("- must be escaped in the middle of a character class")
			}
			if first && strings.HasPrefix(p.src[p.pos:], "-") && !strings.HasPrefix(p.src[p.pos:], "-[") && !strings.HasPrefix(p.src[p.pos:], "-]") {
				return nil, 0, p.syntax("a range cannot begin with -")
			}
			return lo, -1, nil
		}
	}
	rest := p.src[p.pos:]
	if !single || len(rest) < 2 || rest[0] != '-' || rest[1] == ']' || rest[1] == '[' {
		return lo, -1, nil
	}
	p.pos++
	if p.src[p.pos] == '-' && !strings.HasPrefix(p.src[p.pos:], "-]") && !strings.HasPrefix(p.src[p.pos:], "-[") {
		return nil, 0, p.syntax("a range cannot end with -")
	}
	var end Set
	if p.src[p.pos] == '\\' {
		if end, single, err = p.escape(); err != nil {
			return nil, 0, err
		}
		if !single {
			return nil, 0, p.syntax("a range cannot end with a class")
		}
	} else {
		r, w := utf8.DecodeRuneInString(p.src[p.pos:])
		p.pos += w
		end = Set{r, r}
	}
	if end[0] < lo[0] {
		return nil, 0, p.syntax("range %c-%c runs backwards", lo[0], end[0])
	}
	return lo, end[0], nil
}
