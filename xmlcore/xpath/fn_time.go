package xpath

import "math/big"

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
