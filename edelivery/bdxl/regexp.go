package bdxl

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

const (
	maxRegexp  = 255  // octets: a character string of the DNS has no more
	maxProgram = 1024 // nodes of the expression with its repetitions written out
	maxURI     = 2048 // octets
)

// Substitute applies a NAPTR substitution expression to s, once [RFC 3402 3.2]: delimiter, POSIX extended
// regular expression, delimiter, replacement with \1 to \9, delimiter, optional flag i. The expressions that
// match everything need no matching; others run in time linear to s.
func Substitute(expression, s string) (string, error) {
	e, err := parseSubstitution(expression)
	if err != nil {
		return "", err
	}
	switch e.pattern {
	case ".*", "^.*$", ".+", "^.*":
		if s == "" && e.pattern == ".+" || strings.IndexByte(s, '\n') >= 0 {
			return "", fmt.Errorf("%w: the identifier does not fit the regexp", errNoMatch)
		}
		return expand(nil, e.repl, "", nil)
	}
	re, err := e.compile()
	if err != nil {
		return "", err
	}
	loc := re.FindStringSubmatchIndex(s)
	if loc == nil {
		return "", fmt.Errorf("%w: the identifier does not fit the regexp", errNoMatch)
	}
	out, err := expand([]byte(s[:loc[0]]), e.repl, s, loc)
	if err != nil {
		return "", err
	}
	return out + s[loc[1]:], nil
}

type substitution struct {
	pattern string
	repl    string // still with \1 and \\
	fold    bool
}

func parseSubstitution(s string) (substitution, error) {
	if len(s) > maxRegexp {
		return substitution{}, fmt.Errorf("%w: regexp of %d octets", errBroken, len(s))
	}
	if s == "" {
		return substitution{}, fmt.Errorf("%w: empty regexp", errBroken)
	}
	delim := s[0]
	if delim == '\\' || delim == 'i' || '0' <= delim && delim <= '9' || delim < 0x20 || delim > 0x7e {
		return substitution{}, fmt.Errorf("%w: %q cannot be the delimiter [RFC 3402 3.2]", errBroken, delim)
	}
	pattern, rest, ok := cutDelimited(s[1:], delim)
	if !ok {
		return substitution{}, fmt.Errorf("%w: second delimiter missing [RFC 3402 3.2]", errBroken)
	}
	repl, flags, ok := cutDelimited(rest, delim)
	if !ok {
		return substitution{}, fmt.Errorf("%w: third delimiter missing [RFC 3402 3.2]", errBroken)
	}
	if flags != "" && flags != "i" {
		return substitution{}, fmt.Errorf("%w: flags %q [RFC 3402 3.2]", errBroken, flags)
	}
	return substitution{unescapeDelimiter(pattern, delim), unescapeDelimiter(repl, delim), flags == "i"}, nil
}

// cutDelimited cuts at the first delimiter without a backslash in front.
func cutDelimited(s string, delim byte) (before, after string, ok bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case delim:
			return s[:i], s[i+1:], true
		}
	}
	return "", "", false
}

// unescapeDelimiter turns \! into !, where it has no other meaning, and leaves other escapes.
func unescapeDelimiter(s string, delim byte) string {
	if strings.IndexByte(`.[]()*+?{}|^$`, delim) >= 0 || strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if i++; s[i] != delim {
				b = append(b, '\\')
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

func (e substitution) compile() (*regexp.Regexp, error) {
	tree, err := syntax.Parse(e.pattern, syntax.POSIX)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errBroken, err)
	}
	if n := nodes(tree); n > maxProgram {
		return nil, fmt.Errorf("%w: the repetitions of the regexp unfold to more than %d parts", errBroken, maxProgram)
	}
	compile, pattern := regexp.CompilePOSIX, e.pattern
	if e.fold { // the POSIX syntax knows no flags: that the expression is POSIX was seen above
		compile, pattern = regexp.Compile, "(?i:"+pattern+")"
	}
	re, err := compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errBroken, err)
	}
	re.Longest()
	return re, nil
}

// nodes counts the expression's parts with counted repetitions written out, which is what compiling it costs.
func nodes(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n = min(n+nodes(sub), maxProgram+1)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return min(n, maxProgram+1)
}

// expand appends the replacement to dst. Without loc every group is the empty string.
func expand(dst []byte, repl, s string, loc []int) (string, error) {
	for i := 0; i < len(repl); i++ {
		c := repl[i]
		if c != '\\' {
			dst = append(dst, c)
			continue
		}
		if i++; i == len(repl) {
			return "", fmt.Errorf("%w: replacement ends in a backslash", errBroken)
		}
		switch c = repl[i]; {
		case '1' <= c && c <= '9':
			g := 2 * int(c-'0')
			if g >= len(loc) {
				return "", fmt.Errorf("%w: no group \\%c in the regexp", errBroken, c)
			}
			if loc[g] >= 0 {
				dst = append(dst, s[loc[g]:loc[g+1]]...)
			}
		case c == '0' || 'a' <= c|0x20 && c|0x20 <= 'z':
			return "", fmt.Errorf("%w: \\%c in the replacement", errBroken, c)
		default: // \\ and the delimiter
			dst = append(dst, c)
		}
		if len(dst) > maxURI {
			return "", fmt.Errorf("%w: address of more than %d octets", errRefused, maxURI)
		}
	}
	return string(dst), nil
}
