package xpath

import (
	"fmt"
	"math/big"
	"strings"
)

var timeFunctions = []builtin{
	{name: "current-dateTime", build: with(needsOuter, one(XSDateTime, func(m *machine, _ []*code) (Item, bool) {
		return momentItem(XSDateTime, *m.time()), true
	}))},
	{name: "current-date", build: with(needsOuter, one(XSDate, func(m *machine, _ []*code) (Item, bool) {
		return momentItem(XSDate, m.time().reduce(XSDate)), true
	}))},
	{name: "current-time", build: with(needsOuter, one(XSTime, func(m *machine, _ []*code) (Item, bool) {
		return momentItem(XSTime, m.time().reduce(XSTime)), true
	}))},
	{name: "implicit-timezone", build: with(needsOuter, one(XSDayTimeDuration, func(m *machine, _ []*code) (Item, bool) {
		return durationItem(XSDayTimeDuration, duration{sec: int64(m.zone()) * 60}), true
	}))},
	{name: "dateTime", min: 2, max: 2, build: one(XSDateTime, func(m *machine, a []*code) (Item, bool) {
		d, ok := a[0].of(m, XSDate)
		t, ok2 := a[1].of(m, XSTime)
		if !ok || !ok2 {
			return d, false
		}
		r, c := *d.moment(), t.moment()
		r.hour, r.min, r.second, r.nano = c.hour, c.min, c.second, c.nano
		switch {
		case r.zoned && c.zoned && r.tz != c.tz:
			fail("FORG0008", "date and time are in different zones")
		case c.zoned:
			r.zoned, r.tz = true, c.tz
		}
		return momentItem(XSDateTime, r), true
	})},
	{name: "year-from-dateTime", min: 1, max: 1, build: part(XSDateTime, year)},
	{name: "month-from-dateTime", min: 1, max: 1, build: part(XSDateTime, month)},
	{name: "day-from-dateTime", min: 1, max: 1, build: part(XSDateTime, day)},
	{name: "hours-from-dateTime", min: 1, max: 1, build: part(XSDateTime, hours)},
	{name: "minutes-from-dateTime", min: 1, max: 1, build: part(XSDateTime, minutes)},
	{name: "seconds-from-dateTime", min: 1, max: 1, build: part(XSDateTime, seconds)},
	{name: "timezone-from-dateTime", min: 1, max: 1, build: zonePart(XSDateTime)},
	{name: "year-from-date", min: 1, max: 1, build: part(XSDate, year)},
	{name: "month-from-date", min: 1, max: 1, build: part(XSDate, month)},
	{name: "day-from-date", min: 1, max: 1, build: part(XSDate, day)},
	{name: "timezone-from-date", min: 1, max: 1, build: zonePart(XSDate)},
	{name: "hours-from-time", min: 1, max: 1, build: part(XSTime, hours)},
	{name: "minutes-from-time", min: 1, max: 1, build: part(XSTime, minutes)},
	{name: "seconds-from-time", min: 1, max: 1, build: part(XSTime, seconds)},
	{name: "timezone-from-time", min: 1, max: 1, build: zonePart(XSTime)},
	{name: "years-from-duration", min: 1, max: 1, build: durationPart(func(d *duration) Item { return IntegerItem(d.months / 12) })},
	{name: "months-from-duration", min: 1, max: 1, build: durationPart(func(d *duration) Item { return IntegerItem(d.months % 12) })},
	{name: "days-from-duration", min: 1, max: 1, build: durationPart(func(d *duration) Item { return IntegerItem(d.sec / 86400) })},
	{name: "hours-from-duration", min: 1, max: 1, build: durationPart(func(d *duration) Item { return IntegerItem(d.sec % 86400 / 3600) })},
	{name: "minutes-from-duration", min: 1, max: 1, build: durationPart(func(d *duration) Item { return IntegerItem(d.sec % 3600 / 60) })},
	{name: "seconds-from-duration", min: 1, max: 1, build: durationPart(func(d *duration) Item { return secondsItem(d.sec%60, d.nano) })},
	{name: "adjust-dateTime-to-timezone", min: 1, max: 2, build: adjust(XSDateTime)},
	{name: "adjust-date-to-timezone", min: 1, max: 2, build: adjust(XSDate)},
	{name: "adjust-time-to-timezone", min: 1, max: 2, build: adjust(XSTime)},
	{name: "parse-ietf-date", min: 1, max: 1, build: one(XSDateTime, func(m *machine, a []*code) (Item, bool) {
		s, ok := a[0].str(m)
		if !ok {
			return Item{}, false
		}
		p := ietfDate{s: s}
		d, ok, _ := parseMoment(p.read(), XSDateTime)
		if !ok || p.failed {
			fail("FORG0010", "%q is no date as mail, HTTP or C write it", clip(s))
		}
		return momentItem(XSDateTime, d), true
	})},
}

// ietfDate reads the dates of mail, HTTP and C: day month year time, month day year time, or month day time year, a name
// of the day before them [FO31 9.9.1].
type ietfDate struct {
	s      string
	i      int
	failed bool
}

const (
	ietfDays   = " mon tue wed thu fri sat sun monday tuesday wednesday thursday friday saturday sunday "
	ietfMonths = "janfebmaraprmayjunjulaugsepoctnovdec"
)

var ietfZones = map[string]int{"ut": 0, "utc": 0, "gmt": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7}

// read gives the same in the form of ISO 8601; what comes out where failed is set means nothing.
func (p *ietfDate) read() string {
	p.space()
	word := p.word()
	if word != "" && strings.Contains(ietfDays, " "+word+" ") {
		p.take(",")
		p.must(p.space())
		word = p.word()
	}
	var day, year, time string
	if word == "" {
		day = p.digits(1, 2)
		p.separator()
		word = p.word()
		p.separator()
		year = p.digits(2, 4)
		p.must(p.space())
		time = p.time()
	} else {
		p.separator()
		day = p.digits(1, 2)
		p.separator()
		at := p.i
		if year = p.digits(1, 4); p.i < len(p.s) && p.s[p.i] == ':' {
			p.i = at
			time = p.time()
			p.must(p.space())
			year = p.digits(2, 4)
		} else {
			p.must(p.space())
			time = p.time()
		}
	}
	p.space()
	month := strings.Index(ietfMonths, word)
	p.must(p.i == len(p.s) && len(word) == 3 && month%3 == 0 && (len(year) == 2 || len(year) == 4))
	if len(year) == 2 {
		year = "19" + year
	}
	return fmt.Sprintf("%s-%02d-%02sT%s", year, month/3+1, day, time)
}

func (p *ietfDate) must(ok bool) { p.failed = p.failed || !ok }

func (p *ietfDate) space() bool {
	from := p.i
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.i]) >= 0 {
		p.i++
	}
	return p.i > from
}

// take takes one of some characters.
func (p *ietfDate) take(set string) bool {
	if p.i < len(p.s) && strings.IndexByte(set, p.s[p.i]) >= 0 {
		p.i++
		return true
	}
	return false
}

func (p *ietfDate) separator() {
	spaced := p.space()
	dash := p.take("-")
	p.space()
	p.must(spaced || dash)
}

func (p *ietfDate) word() string {
	from := p.i
	for p.i < len(p.s) && (p.s[p.i]|0x20 >= 'a' && p.s[p.i]|0x20 <= 'z') {
		p.i++
	}
	return strings.ToLower(p.s[from:p.i])
}

func (p *ietfDate) digits(least, most int) string {
	from := p.i
	for p.i < len(p.s) && p.i < from+most && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	p.must(p.i-from >= least)
	return p.s[from:p.i]
}

// time reads a time of day and its zone, which is UTC where none is named.
func (p *ietfDate) time() string {
	hours := p.digits(1, 2)
	p.must(p.take(":"))
	minutes, seconds := p.digits(2, 2), "00"
	if p.take(":") {
		seconds = p.digits(2, 2)
		if p.take(".") {
			seconds += "." + p.digits(1, 1000)
		}
	}
	s := fmt.Sprintf("%02s:%s:%s", hours, minutes, seconds)
	at := p.i
	p.space()
	if word := p.word(); word != "" {
		h, ok := ietfZones[word]
		p.must(ok)
		return fmt.Sprintf("%s%+03d:00", s, h)
	}
	if !p.take("+-") {
		p.i = at
		return s + "Z"
	}
	sign := p.s[p.i-1 : p.i]
	digits := p.digits(1, 4)
	h, m := digits, "00"
	if len(digits) > 2 {
		h, m = digits[:len(digits)-2], digits[len(digits)-2:]
	} else if p.take(":") {
		m = p.digits(2, 2)
	}
	at = p.i
	if p.space(); p.take("(") {
		p.space()
		_, ok := ietfZones[p.word()]
		p.space()
		p.must(ok && p.take(")"))
	} else {
		p.i = at
	}
	return fmt.Sprintf("%s%s%02s:%s", s, sign, h, m)
}

func secondsItem(sec int64, nano int32) Item {
	return decimalItem(big.NewInt(sec*1e9+int64(nano)), 9)
}

func year(m *moment) Item    { return IntegerItem(m.year) }
func month(m *moment) Item   { return IntegerItem(int64(m.month)) }
func day(m *moment) Item     { return IntegerItem(int64(m.day)) }
func hours(m *moment) Item   { return IntegerItem(int64(m.hour)) }
func minutes(m *moment) Item { return IntegerItem(int64(m.min)) }
func seconds(m *moment) Item { return secondsItem(int64(m.second), m.nano) }

func part(t Type, f func(*moment) Item) builder {
	return one(TypeNone, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].of(m, t)
		if !ok {
			return it, false
		}
		return f(it.moment()), true
	})
}

func zonePart(t Type) builder {
	return one(XSDayTimeDuration, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].of(m, t)
		if !ok || !it.moment().zoned {
			return it, false
		}
		return durationItem(XSDayTimeDuration, duration{sec: int64(it.moment().tz) * 60}), true
	})
}

func durationPart(f func(*duration) Item) builder {
	return one(TypeNone, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].of(m, XSDuration)
		if !ok {
			return it, false
		}
		return f(it.dur()), true
	})
}

func adjust(t Type) builder {
	return with(needsOuter, one(t, func(m *machine, a []*code) (Item, bool) {
		it, ok := a[0].of(m, t)
		if !ok {
			return it, false
		}
		tz, zoned := m.zone(), true
		if len(a) > 1 {
			z, ok := a[1].of(m, XSDayTimeDuration)
			if zoned = ok; ok {
				d := z.dur()
				if d.sec%60 != 0 || d.nano != 0 || d.sec > 14*3600 || d.sec < -14*3600 {
					fail("FODT0003", "%s is no time zone", atomString(z))
				}
				tz = int16(d.sec / 60)
			}
		}
		return momentItem(t, it.moment().adjust(t, tz, zoned)), true
	}))
}
