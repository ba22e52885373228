package page

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// clean makes text that a file may hold: composed, without control characters, private or unassigned meanings, or marks that
// stand for no character. Line feeds stay.
func clean(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] < 0x7f && s[i] >= ' ' || s[i] == '\n'
	}
	if plain {
		return s
	}
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\r\n", "\n"), "\ufffd")
	return norm.NFC.String(strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t', r == '\r', r == '\u2028', r == '\u2029', r == '\u0085':
			return ' '
		case r == '\u00ad', unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r):
			return -1
		case unicode.Is(unicode.Co, r), r&0xfffe == 0xfffe:
			return '\ufffd'
		}
		return r
	}, s))
}

// look is how a piece of a line is drawn.
type look struct {
	bold  bool
	size  float64
	color Color
}

// piece is a part of a line in one look.
type piece struct {
	look
	text  string
	width float64
	link  *link
}

// link is one address; the pieces of one link are one element of the structure.
type link struct {
	address string
	element *element
}

type line struct {
	pieces []piece
	width  float64 // without spaces at its end
	size   float64 // of its largest piece
	height float64
}

// setting is a text that was prepared for being broken into lines.
type setting struct {
	runes []rune
	at    []uint32 // index of the text that a rune belongs to
	wide  []float64
	looks []look
	links []*link
	base  look
}

func (d *Document) set(texts []Text, base look) *setting {
	s := &setting{base: base, looks: make([]look, len(texts)), links: make([]*link, len(texts))}
	for i, t := range texts {
		l := base
		if t.Bold {
			l.bold = true
		}
		if t.Small {
			l.size, l.color = min(base.size, sizeSmall), Quiet
		}
		if t.Color != (Color{}) {
			l.color = t.Color
		}
		if allowed(t.Link) {
			s.links[i] = &link{address: t.Link}
			if t.Color == (Color{}) {
				l.color = Blue
			}
		}
		s.looks[i] = l
		face := d.font(l.bold).face
		for _, r := range clean(t.Value) {
			if n := len(s.runes); r == ' ' && (n == 0 || s.runes[n-1] == ' ' || s.runes[n-1] == '\n') {
				continue // spaces in a row are one, and none begins a line
			}
			s.runes, s.at = append(s.runes, r), append(s.at, uint32(i))
			s.wide = append(s.wide, face.advance(r)*l.size)
		}
	}
	return s
}

func allowed(address string) bool {
	for _, p := range [...]string{"https://", "http://", "mailto:"} {
		if len(address) > len(p) && strings.EqualFold(address[:len(p)], p) {
			return true
		}
	}
	return false
}

func (d *Document) font(bold bool) *subset {
	if bold {
		return d.fonts[1]
	}
	return d.fonts[0]
}

// opening reports whether a line may break after rune i within a word: after a hyphen between letters.
func (s *setting) opening(i int) bool {
	return (s.runes[i] == '-' || s.runes[i] == '\u2010') && i > 0 && i+1 < len(s.runes) && unicode.IsLetter(s.runes[i-1]) && unicode.IsLetter(s.runes[i+1])
}

// measure returns the width of the widest word and of the longest line.
func (s *setting) measure() (word, whole float64) {
	var w, l float64
	for i, r := range s.runes {
		switch {
		case r == '\n':
			w, l = 0, 0
			continue
		case r == ' ':
			w = 0
		default:
			w += s.wide[i]
		}
		l += s.wide[i]
		word = max(word, w)
		if r != ' ' {
			whole = max(whole, l)
		}
		if s.opening(i) {
			w = 0
		}
	}
	return word, whole
}

// lines breaks the text. A word that is too long is broken anywhere, after punctuation where there is some.
func (s *setting) lines(width float64) []line {
	var out []line
	const slack = 0.01
	start, last, w := 0, -1, 0.0
	for i := 0; i < len(s.runes); i++ {
		r := s.runes[i]
		switch {
		case r == '\n':
			out = append(out, s.line(start, i))
			start, last, w = i+1, -1, 0
			continue
		case r == ' ':
			w += s.wide[i]
			last = i + 1
			continue
		case w+s.wide[i] > width+slack && i > start:
			end := last
			if end <= start {
				end = s.within(start, i)
			}
			out = append(out, s.line(start, end))
			start, last, w = end, -1, 0
			i = end - 1
			continue
		}
		w += s.wide[i]
		if s.opening(i) {
			last = i + 1
		}
	}
	if start < len(s.runes) || len(out) == 0 {
		out = append(out, s.line(start, len(s.runes)))
	}
	return out
}

// within finds where to break a word of which [start, end) fits.
func (s *setting) within(start, end int) int {
	for i := end; i > start+(end-start)/2; i-- {
		if r := s.runes[i-1]; r < 0x80 && unicode.In(r, unicode.P, unicode.S) {
			return i
		}
	}
	return end
}

func (s *setting) line(from, to int) line {
	l := line{}
	trimmed := to
	for trimmed > from && s.runes[trimmed-1] == ' ' {
		trimmed--
	}
	for i := from; i < to; {
		j, w := i, 0.0
		for j < to && s.at[j] == s.at[i] {
			if w += s.wide[j]; j < trimmed {
				l.width += s.wide[j]
			}
			j++
		}
		k := s.at[i]
		l.pieces = append(l.pieces, piece{s.looks[k], string(s.runes[i:j]), w, s.links[k]})
		l.size = max(l.size, s.looks[k].size)
		i = j
	}
	if l.size == 0 {
		l.size = s.base.size
	}
	l.height = l.size * leading
	return l
}

// draw writes a line; x is its left edge, y its top.
func (l *line) draw(p *painter, e *element, x, y, width float64, a Align) {
	switch a {
	case Right:
		x += width - l.width
	case Center:
		x += (width - l.width) / 2
	}
	// Base lines stand where capitals are in the middle of the line's height.
	base := y - (l.height+l.size*0.72)/2
	for i := range l.pieces {
		q := &l.pieces[i]
		target := e
		if q.link != nil {
			if q.link.element == nil {
				q.link.element = e.child("Link")
			}
			target = q.link.element
			if w := min(q.width, l.width); strings.TrimSpace(q.text) != "" {
				p.link(target, q.link.address, x, base-l.size*0.25, w, l.size*1.1)
			}
		}
		p.show(target, q, x, base)
		x += q.width
	}
}
