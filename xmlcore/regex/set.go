package regex

import (
	"slices"
	"sort"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Set is a set of characters: sorted, disjoint, not adjacent ranges, each a pair of its first and last character.
type Set []rune

const maxRune = unicode.MaxRune

// Has reports whether r is in the set.
func (s Set) Has(r rune) bool {
	if len(s) <= 8 {
		for i := 0; i < len(s); i += 2 {
			if r <= s[i+1] {
				return r >= s[i]
			}
		}
		return false
	}
	i := sort.Search(len(s)/2, func(i int) bool { return s[2*i+1] >= r })
	return 2*i < len(s) && s[2*i] <= r
}

// norm sorts ranges in any order and joins those that touch.
func norm(s []rune) Set {
	type pair struct{ lo, hi rune }
	p := make([]pair, 0, len(s)/2)
	for i := 0; i < len(s); i += 2 {
		p = append(p, pair{s[i], s[i+1]})
	}
	slices.SortFunc(p, func(a, b pair) int { return int(a.lo - b.lo) })
	out := Set{}
	for _, r := range p {
		if n := len(out); n > 0 && r.lo <= out[n-1]+1 {
			out[n-1] = max(out[n-1], r.hi)
			continue
		}
		out = append(out, r.lo, r.hi)
	}
	return out
}

func (s Set) not() Set {
	out := Set{}
	next := rune(0)
	for i := 0; i < len(s); i += 2 {
		if s[i] > next {
			out = append(out, next, s[i]-1)
		}
		next = s[i+1] + 1
	}
	if next <= maxRune {
		out = append(out, next, maxRune)
	}
	return out
}

func (s Set) minus(o Set) Set {
	return norm(append(slices.Clone(s.not()), o...)).not()
}

func (s Set) disjoint(o Set) bool {
	for i, j := 0, 0; i < len(s) && j < len(o); {
		switch {
		case s[i+1] < o[j]:
			i += 2
		case o[j+1] < s[i]:
			j += 2
		default:
			return false
		}
	}
	return true
}

func ofTable(t *unicode.RangeTable) []rune {
	var out []rune
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			out = append(out, lo, hi)
			return
		}
		for r := lo; r <= hi; r += stride {
			out = append(out, r, r)
		}
	}
	for _, r := range t.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range t.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return out
}

// categories are those of [XSD2 F.1.1]; Cs is none of them, for there are no such characters.
var categories = map[string]bool{
	"L": true, "Lu": true, "Ll": true, "Lt": true, "Lm": true, "Lo": true, "M": true, "Mn": true, "Mc": true, "Me": true,
	"N": true, "Nd": true, "Nl": true, "No": true, "P": true, "Pc": true, "Pd": true, "Ps": true, "Pe": true, "Pi": true,
	"Pf": true, "Po": true, "Z": true, "Zs": true, "Zl": true, "Zp": true, "S": true, "Sm": true, "Sc": true, "Sk": true,
	"So": true, "C": true, "Cc": true, "Cf": true, "Co": true, "Cn": true,
}

var known sync.Map // property name -> Set: worked out when first used

func property(name string) (Set, bool) {
	if s, ok := known.Load(name); ok {
		return s.(Set), true
	}
	var s Set
	switch {
	case len(name) > 2 && name[:2] == "Is":
		b, ok := blocks[name[2:]]
		if !ok {
			return nil, false
		}
		s = norm(b)
	case categories[name]:
		s = norm(ofTable(unicode.Categories[name]))
	default:
		return nil, false
	}
	known.Store(name, s)
	return s, true
}

var (
	anyChar  = Set{0, maxRune}
	dotSet   = Set{0, '\n' - 1, '\n' + 1, '\r' - 1, '\r' + 1, maxRune}
	spaceSet = Set{'\t', '\n', '\r', '\r', ' ', ' '}
	digitSet = sync.OnceValue(func() Set { s, _ := property("Nd"); return s })
	wordSet  = sync.OnceValue(func() Set { // all but punctuation, separators and others [XSD2 F.1.1]
		var all []rune
		for _, c := range []string{"P", "Z", "C"} {
			s, _ := property(c)
			all = append(all, s...)
		}
		return norm(all).not()
	})
	// NameStartChar and NameChar with the colon [XML 2.3].
	initialSet = Set{
		':', ':', 'A', 'Z', '_', '_', 'a', 'z', 0xC0, 0xD6, 0xD8, 0xF6, 0xF8, 0x2FF, 0x370, 0x37D, 0x37F, 0x1FFF,
		0x200C, 0x200D, 0x2070, 0x218F, 0x2C00, 0x2FEF, 0x3001, 0xD7FF, 0xF900, 0xFDCF, 0xFDF0, 0xFFFD, 0x10000, 0xEFFFF,
	}
	nameSet = norm(append([]rune{'-', '-', '.', '.', '0', '9', 0xB7, 0xB7, 0x300, 0x36F, 0x203F, 0x2040}, initialSet...))
)

// multi returns the set of a multi-character escape such as \d.
func multi(c byte) (Set, bool) {
	var s Set
	switch c {
	case 's', 'S':
		s = spaceSet
	case 'i', 'I':
		s = initialSet
	case 'c', 'C':
		s = nameSet
	case 'd', 'D':
		s = digitSet()
	case 'w', 'W':
		s = wordSet()
	default:
		return nil, false
	}
	if c < 'a' {
		s = s.not()
	}
	return s, true
}

func width(s string) int {
	_, w := utf8.DecodeRuneInString(s)
	return w
}
