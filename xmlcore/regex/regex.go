// Package regex matches the regular expressions of XML Schema 1.0 [XSD2 F] and, with options, those of XPath
// functions (F&O 7.6.1).
//
// Matching takes time linear in the text: an expression is parsed here, its classes are worked out as sets of
// characters (blocks, categories, subtraction, name characters), and the rest is left to the automata of the
// standard library. Simple chains such as [A-Z]{2}[0-9]{1,9999} are matched directly. Only an expression with
// back-references backtracks, and stops with [ErrLimit] after a bounded number of steps.
package regex

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// What an expression can be refused for.
var (
	ErrSyntax = errors.New("not a regular expression")
	ErrLimit  = errors.New("regular expression exceeds a limit")
)

// Error tells what is wrong with an expression, and where.
type Error struct {
	Pattern string
	Offset  int // octets from the start
	Msg     string
	Err     error // ErrSyntax or ErrLimit
}

func (e *Error) Error() string {
	p := e.Pattern
	if len(p) > 80 {
		p = p[:80] + "..."
	}
	return fmt.Sprintf("regular expression %q, offset %d: %s", p, e.Offset, e.Msg)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Options choose the dialect. The zero value is that of schemas: the whole text must match.
type Options struct {
	XPath           bool // ^ and $, reluctant quantifiers, back-references, (?: groups; a match may be anywhere
	CaseInsensitive bool // flag i
	DotAll          bool // flag s: . matches line ends too
	MultiLine       bool // flag m: ^ and $ match at lines
	FreeSpacing     bool // flag x: white space in the expression is ignored
	Literal         bool // flag q: no character is special
}

// ParseFlags reads the flags argument of the XPath functions. The option XPath is set.
func ParseFlags(flags string) (Options, error) {
	o := Options{XPath: true}
	for _, r := range flags {
		switch r {
		case 'i':
			o.CaseInsensitive = true
		case 's':
			o.DotAll = true
		case 'm':
			o.MultiLine = true
		case 'x':
			o.FreeSpacing = true
		case 'q':
			o.Literal = true
		default:
			return o, fmt.Errorf("%q is not a flag of regular expressions: %w", r, ErrSyntax)
		}
	}
	return o, nil
}

// Bounds of one expression.
const (
	maxPattern = 1 << 16 // octets
	maxDepth   = 100     // of groups
	maxNodes   = 20_000  // atoms after counted ones are written out
	maxSteps   = 10_000_000
	maxWork    = 300_000_000 // atoms times octets of a text: a few seconds at worst
)

// Regexp is a compiled expression. It is immutable and safe for concurrent use.
type Regexp struct {
	src    string
	opt    Options
	groups int
	chain  []link         // a deterministic chain, matched directly
	re     *regexp.Regexp // whole for schemas
	size   int            // atoms, counted ones as often as they are counted
	back   *node          // has back-references
}

// Compile reads an expression. Errors are *Error and match ErrSyntax or ErrLimit.
func Compile(pattern string, opt Options) (*Regexp, error) {
	p := parser{src: pattern, opt: opt}
	if len(pattern) > maxPattern {
		return nil, p.fail(0, ErrLimit, "longer than %d octets", maxPattern)
	}
	r := &Regexp{src: pattern, opt: opt}
	var root *node
	if opt.Literal {
		root = &node{op: opConcat}
		for _, r := range pattern {
			root.subs = append(root.subs, opt.char(r))
		}
	} else {
		var err error
		if root, err = p.parse(); err != nil {
			return nil, err
		}
	}
	r.groups = p.groups
	if p.backRef {
		r.back = root
		return r, nil
	}
	if !opt.XPath {
		if r.chain = chainOf(root); r.chain != nil {
			return r, nil
		}
	}
	e := emitter{opt: opt}
	e.node(root, 1)
	if e.size > maxNodes {
		return nil, p.fail(0, ErrLimit, "more than %d atoms after counted ones are written out", maxNodes)
	}
	if e.lost {
		return nil, p.fail(0, ErrLimit, "a group is repeated more than 1,000 times")
	}
	text := e.b.String()
	if !opt.XPath {
		text = `\A(?:` + text + `)\z`
	}
	re, err := regexp.Compile(text)
	if err != nil { // the parser let through only what can be expressed, so that this is a matter of size
		return nil, p.fail(0, ErrLimit, "too large")
	}
	r.re, r.size = re, e.size
	return r, nil
}

// String returns the expression as written.
func (r *Regexp) String() string { return r.src }

// NumGroups returns the number of capturing groups.
func (r *Regexp) NumGroups() int { return r.groups }

// tooMuch refuses a large expression on a large text: time grows with both.
func (r *Regexp) tooMuch(s string) error {
	if len(s) > 0 && r.size > maxWork/len(s) {
		return &Error{Pattern: r.src, Msg: fmt.Sprintf("too large for a text of %d octets", len(s)), Err: ErrLimit}
	}
	return nil
}

// Match reports whether s matches: wholly for schemas, anywhere for XPath. The error is ErrLimit and comes only from
// expressions with back-references, and from large ones on a large text.
func (r *Regexp) Match(s string) (bool, error) {
	switch {
	case r.back != nil:
		m, err := r.backtrack(s, 0)
		return m != nil, err
	case r.chain != nil:
		return matchChain(r.chain, s), nil
	}
	if err := r.tooMuch(s); err != nil {
		return false, err
	}
	return r.re.MatchString(s), nil
}

// FindAll calls yield for each match from left to right, none overlapping, until it returns false. A match is the
// offsets of begin and end of the whole, then of each group, -1 for one that took no part. An empty match right after
// another match is left out. Only for expressions compiled with the option XPath.
func (r *Regexp) FindAll(s string, yield func(match []int) bool) error {
	if r.back == nil {
		if err := r.tooMuch(s); err != nil {
			return err
		}
		for _, m := range r.re.FindAllStringSubmatchIndex(s, -1) {
			if !yield(m) {
				break
			}
		}
		return nil
	}
	last := -1
	for at := 0; at <= len(s); {
		m, err := r.backtrack(s, at)
		if err != nil || m == nil {
			return err
		}
		if m[1] == m[0] {
			at = m[1] + max(1, width(s[m[1]:]))
			if m[0] == last {
				continue
			}
		} else {
			at = m[1]
		}
		last = m[1]
		if !yield(m) {
			break
		}
	}
	return nil
}

// char matches one character, and its case variants if that is asked for. Named sets such as \p{Lu} have none.
func (o Options) char(r rune) *node {
	s := Set{r, r}
	if o.CaseInsensitive {
		s = fold(s)
	}
	return &node{op: opSet, set: s}
}

// squeeze removes what the flag x ignores (F&O 7.6.1.1): white space outside of classes.
func squeeze(s string) string {
	var b strings.Builder
	depth, escaped := 0, false
	for _, r := range s {
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
		case r == '[':
			depth++
		case r == ']':
			depth--
		case depth == 0 && (r == ' ' || r == '\t' || r == '\n' || r == '\r'):
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
