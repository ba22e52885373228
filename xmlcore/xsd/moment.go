package xsd

import (
	"fmt"
	"strings"
)

// moment is a point or a span of the calendar [XSD2 3.2.7, 3.2.14]: seconds from 1970 as if in UTC, missing parts
// taken from a leap year, so that values of one type compare.
type moment struct {
	secs int64
	frac string // digits after the second without trailing zeros
	zone bool
}

func (m moment) key() string {
	z := ""
	if m.zone {
		z = "Z"
	}
	return fmt.Sprintf("%d.%s%s", m.secs, m.frac, z)
}

// compare is the partial order of [XSD2 3.2.7.4]: without a zone a value may lie 14 hours to both sides.
func (m moment) compare(o moment) (int, bool) {
	if m.zone == o.zone {
		switch {
		case m.secs < o.secs:
			return -1, true
		case m.secs > o.secs:
			return 1, true
		}
		return strings.Compare(m.frac, o.frac), true
	}
	if !m.zone {
		c, ok := o.compare(m)
		return -c, ok
	}
	const shift = 14 * 3600
	early, late := moment{o.secs - shift, o.frac, true}, moment{o.secs + shift, o.frac, true}
	if c, _ := m.compare(early); c < 0 {
		return -1, true
	}
	if c, _ := m.compare(late); c > 0 {
		return 1, true
	}
	return 0, false
}

type scanner struct {
	s  string
	ok bool
}

// two reads two digits with a value from lo to hi.
func (p *scanner) two(lo, hi int) int {
	if len(p.s) < 2 || digits(p.s[:2]) != 2 {
		p.ok = false
		return lo
	}
	v := int(p.s[0]-'0')*10 + int(p.s[1]-'0')
	p.s = p.s[2:]
	if v < lo || v > hi {
		p.ok = false
	}
	return v
}

func (p *scanner) char(c byte) {
	if p.s == "" || p.s[0] != c {
		p.ok = false
		return
	}
	p.s = p.s[1:]
}

// year reads four or more digits, no needless zero before them, not 0000 [XSD2 3.2.7.1]. Years beyond eleven digits
// are not supported.
func (p *scanner) year() int64 {
	negative := strings.HasPrefix(p.s, "-")
	if negative {
		p.s = p.s[1:]
	}
	n := digits(p.s)
	if n < 4 || n > 11 || n > 4 && p.s[0] == '0' {
		p.ok = false
		return 1
	}
	y := int64(0)
	for i := range n {
		y = y*10 + int64(p.s[i]-'0')
	}
	p.s = p.s[n:]
	if y == 0 {
		p.ok = false
		return 1
	}
	if negative {
		return 1 - y // the year before 1 is -1
	}
	return y
}

func leap(y int64) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

func daysIn(y int64, m int) int {
	switch m {
	case 2:
		if leap(y) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// days counts from 1970-01-01 in the proleptic Gregorian calendar.
func days(y int64, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	if y < 0 {
		era = (y - 399) / 400
	}
	yoe := y - era*400
	doy := int64((153*(m-3)+2)/5 + d - 1)
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

// parseMoment reads one of the eight types of the calendar.
func parseMoment(s string, kind prim) (m moment, ok bool) {
	p := scanner{s, true}
	y, mon, day := int64(1972), 1, 1
	switch kind {
	case pDateTime, pDate, pGYearMonth, pGYear:
		y = p.year()
		if kind == pGYear {
			break
		}
		p.char('-')
		mon = p.two(1, 12)
		if kind == pGYearMonth {
			break
		}
		p.char('-')
		day = p.two(1, 31)
	case pGMonthDay:
		p.char('-')
		p.char('-')
		mon = p.two(1, 12)
		p.char('-')
		day = p.two(1, 31)
	case pGDay:
		p.char('-')
		p.char('-')
		p.char('-')
		day = p.two(1, 31)
	case pGMonth:
		p.char('-')
		p.char('-')
		mon = p.two(1, 12)
	}
	if day > daysIn(y, mon) {
		return m, false
	}
	m.secs = days(y, mon, day) * 86400
	if kind == pDateTime {
		p.char('T')
	}
	if kind == pDateTime || kind == pTime {
		h := p.two(0, 24)
		p.char(':')
		mi := p.two(0, 59)
		p.char(':')
		sec := p.two(0, 59)
		if strings.HasPrefix(p.s, ".") {
			n := digits(p.s[1:])
			if n == 0 {
				return m, false
			}
			m.frac = strings.TrimRight(p.s[1:n+1], "0")
			p.s = p.s[n+1:]
		}
		if h == 24 && (mi != 0 || sec != 0 || m.frac != "") {
			return m, false
		}
		if h == 24 && kind == pTime {
			h = 0
		}
		m.secs += int64(h*3600 + mi*60 + sec)
	}
	if p.s == "" {
		return m, p.ok
	}
	m.zone = true
	sign := p.s[0]
	p.s = p.s[1:]
	switch sign {
	case 'Z':
	case '+', '-':
		h := p.two(0, 14)
		p.char(':')
		mi := p.two(0, 59)
		if h == 14 && mi != 0 {
			return m, false
		}
		off := int64(h*3600 + mi*60)
		if sign == '+' {
			off = -off
		}
		m.secs += off
	default:
		return m, false
	}
	return m, p.ok && p.s == ""
}

// duration is months and seconds, both with one sign [XSD2 3.2.6].
type duration struct {
	months, secs int64
	frac         string
	negative     bool
}

func (d duration) key() string {
	sign := ""
	if d.negative && (d.months != 0 || d.secs != 0 || d.frac != "") {
		sign = "-"
	}
	return fmt.Sprintf("%s%dM%d.%s", sign, d.months, d.secs, d.frac)
}

// compare adds both to four instants; they are ordered if all four agree [XSD2 3.2.6.2].
func (d duration) compare(o duration) (int, bool) {
	order := 2
	for _, at := range [4]struct {
		y int64
		m int
	}{{1696, 9}, {1697, 2}, {1903, 3}, {1903, 7}} {
		a, b := d.after(at.y, at.m), o.after(at.y, at.m)
		c, _ := a.compare(b)
		if order != 2 && c != order {
			return 0, false
		}
		order = c
	}
	return order, true
}

// after adds to the first of a month. A negative fraction is turned so that moments compare.
func (d duration) after(y int64, m int) moment {
	months, secs, frac := d.months, d.secs, d.frac
	if d.negative {
		months, secs = -months, -secs
		if frac != "" { // -0.3 is -1 + 0.7
			secs--
			b := []byte(frac)
			for i := range b {
				b[i] = '9' - b[i] + '0'
			}
			b[len(b)-1]++ // the last digit is not 0, so this stays a digit
			frac = strings.TrimRight(string(b), "0")
		}
	}
	total := y*12 + int64(m-1) + months
	yy := total / 12
	mm := total % 12
	if mm < 0 {
		mm += 12
		yy--
	}
	return moment{days(yy, int(mm)+1, 1)*86400 + secs, frac, true}
}

// parseDuration reads PnYnMnDTnHnMnS. Numbers beyond eleven digits are not supported.
func parseDuration(s string) (d duration, ok bool) {
	if strings.HasPrefix(s, "-") {
		d.negative = true
		s = s[1:]
	}
	if !strings.HasPrefix(s, "P") || len(s) < 3 {
		return d, false
	}
	s = s[1:]
	rest := "YMD"
	inTime := false
	for s != "" {
		if s[0] == 'T' {
			if inTime || len(s) == 1 {
				return d, false
			}
			inTime = true
			rest = "HMS"
			s = s[1:]
			continue
		}
		n := digits(s)
		if n > 11 || n == len(s) {
			return d, false
		}
		v := int64(0)
		for i := range n {
			v = v*10 + int64(s[i]-'0')
		}
		s = s[n:]
		if s[0] == '.' {
			f := digits(s[1:])
			if f == 0 || n == 0 || len(s) == f+1 || s[f+1] != 'S' {
				return d, false
			}
			d.frac = strings.TrimRight(s[1:f+1], "0")
			s = s[f+1:]
		} else if n == 0 {
			return d, false
		}
		i := strings.IndexByte(rest, s[0])
		if i < 0 {
			return d, false
		}
		switch {
		case s[0] == 'Y':
			d.months += v * 12
		case s[0] == 'M' && !inTime:
			d.months += v
		case s[0] == 'D':
			d.secs += v * 86400
		case s[0] == 'H':
			d.secs += v * 3600
		case s[0] == 'M':
			d.secs += v * 60
		case s[0] == 'S':
			d.secs += v
		default:
			return d, false
		}
		rest = rest[i+1:]
		s = s[1:]
	}
	return d, true
}
