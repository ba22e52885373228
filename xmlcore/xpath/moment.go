package xpath

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// moment is a date, a time of day, both, or a part of a date. Parts that a type lacks have the values of 1972-12-31,
// the reference that comparisons use [FO 10.4].
type moment struct {
	year                          int64
	month, day, hour, min, second uint8
	nano                          int32
	tz                            int16 // minutes east of Greenwich
	zoned                         bool
}

const maxYear = 999_999_999

// fields says which parts a type has.
type fields uint8

const (
	hasYear fields = 1 << iota
	hasMonth
	hasDay
	hasTime
)

func fieldsOf(t Type) fields {
	switch t {
	case XSDateTime, XSDateTimeStamp:
		return hasYear | hasMonth | hasDay | hasTime
	case XSDate:
		return hasYear | hasMonth | hasDay
	case XSTime:
		return hasTime
	case XSGYearMonth:
		return hasYear | hasMonth
	case XSGYear:
		return hasYear
	case XSGMonthDay:
		return hasMonth | hasDay
	case XSGDay:
		return hasDay
	}
	return hasMonth
}

// reduce sets the parts that t lacks to those of the reference.
func (m moment) reduce(t Type) moment {
	f := fieldsOf(t)
	if f&hasYear == 0 {
		m.year = 1972
	}
	if f&hasMonth == 0 {
		m.month = 12
		if f&hasYear != 0 {
			m.month = 1
		}
	}
	if f&hasDay == 0 {
		m.day = 31
		if f&(hasMonth|hasYear) != 0 {
			m.day = 1
		}
	}
	if f&hasTime == 0 {
		m.hour, m.min, m.second, m.nano = 0, 0, 0, 0
	}
	return m
}

func leap(y int64) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

func daysIn(y int64, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if leap(y) {
			return 29
		}
		return 28
	}
	return 31
}

// dayNumber counts days from 1970-01-01 in the proleptic Gregorian calendar.
func dayNumber(y int64, m, d int) int64 {
	if m <= 2 {
		y--
	}
	era := floorDiv(y, 400)
	yoe := y - era*400
	mp := int64((m + 9) % 12)
	doy := (153*mp+2)/5 + int64(d) - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

func civil(days int64) (y int64, m, d int) {
	z := days + 719468
	era := floorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = int(doy - (153*mp+2)/5 + 1)
	m = int(mp + 3)
	if m > 12 {
		m -= 12
	}
	y = yoe + era*400
	if m <= 2 {
		y++
	}
	return y, m, d
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// local returns the seconds since 1970 on the clock of the moment's own zone.
func (m *moment) local() int64 {
	return dayNumber(m.year, int(m.month), int(m.day))*86400 + int64(m.hour)*3600 + int64(m.min)*60 + int64(m.second)
}

// utc returns the seconds since 1970; a moment without zone is taken to be in the implicit one.
func (m *moment) utc(implicit int16) int64 {
	tz := m.tz
	if !m.zoned {
		tz = implicit
	}
	return m.local() - int64(tz)*60
}

func fromLocal(sec int64, nano int32, tz int16, zoned bool) moment {
	days := floorDiv(sec, 86400)
	rest := int(sec - days*86400)
	y, mo, d := civil(days)
	if y > maxYear || y < -maxYear {
		fail("FODT0001", "year beyond %d", maxYear)
	}
	return moment{y, uint8(mo), uint8(d), uint8(rest / 3600), uint8(rest / 60 % 60), uint8(rest % 60), nano, tz, zoned}
}

func momentOf(t time.Time) moment {
	_, off := t.Zone()
	return fromLocal(t.Unix()+int64(off), int32(t.Nanosecond()), int16(off/60), true)
}

func cmpMoments(a, b *moment, implicit int16) int {
	x, y := a.utc(implicit), b.utc(implicit)
	switch {
	case x != y:
		return sign(x - y)
	}
	return sign(int64(a.nano) - int64(b.nano))
}

func sign(n int64) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

// parseMoment reads the lexical form of one of the date and time types [XSD2 3.2.7, 3.2.14]. The second result tells
// a form that is right but out of range.
func parseMoment(s string, t Type) (m moment, ok, overflow bool) {
	p := reader{s: s}
	m = moment{year: 1972, month: 12, day: 31}
	f := fieldsOf(t)
	if f&hasYear != 0 {
		neg := p.take('-')
		y, n := p.number(0)
		if n < 4 || n > 4 && p.s[p.i-n] == '0' {
			return m, false, false
		}
		if n > 12 || y > maxYear {
			overflow, y = true, 4
		}
		if neg {
			y = -y
		}
		m.year = y
	} else if f&hasTime == 0 {
		if !p.take('-') {
			return m, false, false
		}
		if f&hasMonth == 0 && !p.take('-') {
			return m, false, false
		}
	}
	if f&hasMonth != 0 {
		v, n := p.part('-', true)
		if n != 2 || v < 1 || v > 12 {
			return m, false, false
		}
		m.month, m.day = uint8(v), 1
	} else if f&hasYear != 0 {
		m.month, m.day = 1, 1
	}
	if f&hasDay != 0 {
		v, n := p.part('-', true)
		limit := 31
		if f&hasMonth != 0 {
			limit = daysIn(m.year, int(m.month))
		}
		if n != 2 || v < 1 || v > int64(limit) {
			return m, false, false
		}
		m.day = uint8(v)
	}
	midnight := false
	if f&hasTime != 0 {
		h, n := p.part('T', f&hasDay != 0)
		mi, n2 := p.part(':', true)
		sec, n3 := p.part(':', true)
		if n != 2 || n2 != 2 || n3 != 2 || h > 24 || mi > 59 || sec > 59 {
			return m, false, false
		}
		if p.take('.') {
			var ok bool
			if m.nano, ok = p.fraction(); !ok {
				return m, false, false
			}
		}
		if midnight = h == 24; midnight && (mi != 0 || sec != 0 || m.nano != 0) {
			return m, false, false
		}
		m.hour, m.min, m.second = uint8(h%24), uint8(mi), uint8(sec)
	}
	switch {
	case p.i == len(p.s):
	case p.take('Z'):
		m.zoned = true
	default:
		neg := p.take('-')
		if !neg && !p.take('+') {
			return m, false, false
		}
		h, n := p.number(2)
		mi, n2 := p.part(':', true)
		if n != 2 || n2 != 2 || mi > 59 || h > 14 || h == 14 && mi > 0 {
			return m, false, false
		}
		m.tz, m.zoned = int16(h*60+mi), true
		if neg {
			m.tz = -m.tz
		}
	}
	if p.i != len(p.s) || t == XSDateTimeStamp && !m.zoned {
		return m, false, false
	}
	if midnight && f&hasDay != 0 {
		m = fromLocal(m.local()+86400, m.nano, m.tz, m.zoned)
	}
	return m, !overflow, overflow
}

// reader takes a lexical form apart.
type reader struct {
	s string
	i int
}

func (r *reader) take(c byte) bool {
	if r.i < len(r.s) && r.s[r.i] == c {
		r.i++
		return true
	}
	return false
}

// number reads digits, at most limit of them unless that is 0, and says how many there were.
func (r *reader) number(limit int) (v int64, n int) {
	for r.i < len(r.s) && r.s[r.i] >= '0' && r.s[r.i] <= '9' && (limit == 0 || n < limit) {
		if n < 18 {
			v = v*10 + int64(r.s[r.i]-'0')
		}
		r.i++
		n++
	}
	return v, n
}

// part reads a separator, if there must be one, and two digits.
func (r *reader) part(sep byte, need bool) (v int64, n int) {
	if need && !r.take(sep) {
		return 0, 0
	}
	return r.number(2)
}

// fraction reads the digits after the point as nanoseconds; further digits are cut.
func (r *reader) fraction() (int32, bool) {
	start := r.i
	var v int32
	for r.i < len(r.s) && r.s[r.i] >= '0' && r.s[r.i] <= '9' {
		if r.i-start < 9 {
			v = v*10 + int32(r.s[r.i]-'0')
		}
		r.i++
	}
	for n := r.i - start; n < 9; n++ {
		v *= 10
	}
	return v, r.i > start
}

// format writes a moment as the cast to xs:string of type t does.
func (m *moment) format(t Type) string {
	b := make([]byte, 0, 32)
	f := fieldsOf(t)
	if f&hasYear != 0 {
		y := m.year
		if y < 0 {
			b = append(b, '-')
			y = -y
		}
		b = fmt.Appendf(b, "%04d", y)
	} else if f&hasTime == 0 {
		b = append(b, '-')
		if f&hasMonth == 0 {
			b = append(b, '-')
		}
	}
	if f&hasMonth != 0 {
		b = two(append(b, '-'), m.month)
	}
	if f&hasDay != 0 {
		b = two(append(b, '-'), m.day)
	}
	if f&hasTime != 0 {
		if f&hasDay != 0 {
			b = append(b, 'T')
		}
		b = two(b, m.hour)
		b = two(append(b, ':'), m.min)
		b = two(append(b, ':'), m.second)
		b = append(b, fractionString(m.nano)...)
	}
	if m.zoned {
		b = append(b, zoneString(m.tz)...)
	}
	return string(b)
}

func two(b []byte, v uint8) []byte { return append(b, '0'+v/10, '0'+v%10) }

func fractionString(nano int32) string {
	if nano == 0 {
		return ""
	}
	return "." + strings.TrimRight(fmt.Sprintf("%09d", nano), "0")
}

func zoneString(tz int16) string {
	if tz == 0 {
		return "Z"
	}
	sign := "+"
	if tz < 0 {
		sign, tz = "-", -tz
	}
	return fmt.Sprintf("%s%02d:%02d", sign, tz/60, tz%60)
}

// addMonths adds a yearMonthDuration; the day is cut to the length of the month [FO 10.8].
func (m moment) addMonths(n int64) moment {
	total := m.year*12 + int64(m.month) - 1 + n
	m.year, m.month = floorDiv(total, 12), uint8(total-floorDiv(total, 12)*12+1)
	if m.year > maxYear || m.year < -maxYear {
		fail("FODT0001", "year beyond %d", maxYear)
	}
	m.day = uint8(min(int(m.day), daysIn(m.year, int(m.month))))
	return m
}

// addSeconds adds a dayTimeDuration.
func (m moment) addSeconds(sec int64, nano int32) moment {
	if sec > 1<<55 || sec < -1<<55 {
		fail("FODT0001", "date out of range")
	}
	ns := int64(m.nano) + int64(nano)
	s := m.local() + sec + floorDiv(ns, 1e9)
	return fromLocal(s, int32(ns-floorDiv(ns, 1e9)*1e9), m.tz, m.zoned)
}

// adjust moves a moment of type t to a zone [FO 10.7].
func (m moment) adjust(t Type, tz int16, zoned bool) moment {
	switch {
	case !zoned:
		m.zoned, m.tz = false, 0
		return m
	case !m.zoned:
		m.zoned, m.tz = true, tz
		return m
	}
	shifted := fromLocal(m.local()+int64(tz-m.tz)*60, m.nano, tz, true)
	return shifted.reduce(t)
}

// duration is months and seconds, of one sign [XDM 3.3.2].
type duration struct {
	months int64
	sec    int64
	nano   int32 // same sign as sec
}

const maxSeconds = 1 << 60

// parseDuration reads one of the duration types [XSD2 3.2.6].
func parseDuration(s string, t Type) (d duration, ok, overflow bool) {
	r := reader{s: s}
	neg := r.take('-')
	if !r.take('P') {
		return d, false, false
	}
	// designators in order; each may occur once, at least one must, and one after T
	const order = "YMDTHMS"
	at, parts := 0, 0
	afterT := false
	for r.i < len(r.s) {
		if r.s[r.i] == 'T' {
			if afterT {
				return d, false, false
			}
			afterT, at, parts = true, 4, 0
			r.i++
			continue
		}
		start := r.i
		v, n := r.number(0)
		if n == 0 {
			return d, false, false
		}
		if n > 17 && strings.TrimLeft(r.s[start:r.i], "0") != "" && len(strings.TrimLeft(r.s[start:r.i], "0")) > 17 {
			overflow = true
			v = 0
		}
		point := false
		if r.take('.') {
			point = true
			if d.nano, ok = r.fraction(); !ok {
				return d, false, false
			}
		}
		if r.i >= len(r.s) {
			return d, false, false
		}
		c := r.s[r.i]
		r.i++
		k := strings.IndexByte(order[at:], c)
		if k < 0 || point != (c == 'S' && point) || !afterT && at+k > 2 {
			return d, false, false
		}
		k += at
		at = k + 1
		parts++
		unit := int64(1)
		switch k {
		case 0:
			unit = 12
		case 2:
			unit = 86400
		case 4:
			unit = 3600
		case 5:
			unit = 60
		}
		p, fits := mul64(v, unit)
		to := &d.sec
		if k <= 1 {
			to = &d.months
		}
		sum, fits2 := add64(*to, p)
		if p == 0 {
			sum, fits2 = *to, true
		}
		if !fits || !fits2 || sum > maxSeconds {
			overflow = true
			continue
		}
		*to = sum
		if t == XSYearMonthDuration && k > 1 || t == XSDayTimeDuration && k <= 1 {
			return d, false, false
		}
	}
	if parts == 0 {
		return d, false, false
	}
	if neg {
		d = d.negate()
	}
	return d, !overflow, overflow
}

func (d duration) negate() duration { return duration{-d.months, -d.sec, -d.nano} }

func (d *duration) negative() bool { return d.months < 0 || d.sec < 0 || d.nano < 0 }

// format writes the canonical form [FO 17.1.4].
func (d *duration) format(t Type) string {
	if d.months == 0 && d.sec == 0 && d.nano == 0 {
		if t == XSYearMonthDuration {
			return "P0M"
		}
		return "PT0S"
	}
	var b strings.Builder
	e := *d
	if e.negative() {
		b.WriteByte('-')
		e = e.negate()
	}
	b.WriteByte('P')
	unit := func(v int64, c byte) {
		if v != 0 {
			b.WriteString(strconv.FormatInt(v, 10))
			b.WriteByte(c)
		}
	}
	unit(e.months/12, 'Y')
	unit(e.months%12, 'M')
	unit(e.sec/86400, 'D')
	if rest := e.sec % 86400; rest != 0 || e.nano != 0 {
		b.WriteByte('T')
		unit(rest/3600, 'H')
		unit(rest/60%60, 'M')
		if rest%60 != 0 || e.nano != 0 {
			b.WriteString(strconv.FormatInt(rest%60, 10) + fractionString(e.nano) + "S")
		}
	}
	return b.String()
}

func (d *duration) cmpSeconds(o *duration) int {
	if d.sec != o.sec {
		return sign(d.sec - o.sec)
	}
	return sign(int64(d.nano) - int64(o.nano))
}

// makeDuration brings seconds and nanoseconds to one sign.
func makeDuration(months, sec, nano int64) duration {
	sec += nano / 1e9
	nano %= 1e9
	if sec > 0 && nano < 0 {
		sec, nano = sec-1, nano+1e9
	}
	if sec < 0 && nano > 0 {
		sec, nano = sec+1, nano-1e9
	}
	if sec > maxSeconds || sec < -maxSeconds || months > maxSeconds || months < -maxSeconds {
		fail("FODT0002", "duration out of range")
	}
	return duration{months, sec, int32(nano)}
}
