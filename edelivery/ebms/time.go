package ebms

import (
	"errors"
	"time"
)

const timestampLayout = "2006-01-02T15:04:05.000Z"

var errTime = errors.New("no xs:dateTime")

// AppendTimestamp appends t as eb:Timestamp is sent: UTC, three fraction digits and "Z". One peer fails on other
// numbers of digits and another drops offsets.
func AppendTimestamp(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, timestampLayout)
}

// zone says how a timestamp names its zone.
type zone uint8

const (
	zoneUTC zone = iota
	zoneNone
	zoneOffset
)

// ParseTimestamp reads an xs:dateTime of the years 1 to 9999 with any fraction and offset; the result is UTC, and a
// value without zone is UTC [ebMS3 5.2.2.1]. Fractions finer than a nanosecond are cut.
func ParseTimestamp(s string) (time.Time, error) {
	t, _, err := parseTimestamp(s)
	return t, err
}

func parseTimestamp(s string) (t time.Time, z zone, err error) {
	if len(s) < 19 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return t, z, errTime
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	hour, ok4 := digits(s[11:13])
	minute, ok5 := digits(s[14:16])
	second, ok6 := digits(s[17:19])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) || year == 0 || month < 1 || month > 12 || day < 1 ||
		day > daysIn(year, month) || hour > 24 || minute > 59 || second > 59 {
		return t, z, errTime
	}
	rest := s[19:]
	nano := 0
	if rest != "" && rest[0] == '.' {
		n, scale := 1, 100_000_000
		for ; n < len(rest) && rest[n] >= '0' && rest[n] <= '9'; n++ {
			nano += int(rest[n]-'0') * scale
			scale /= 10
		}
		if n == 1 {
			return t, z, errTime
		}
		rest = rest[n:]
	}
	if hour == 24 && (minute != 0 || second != 0 || nano != 0) {
		return t, z, errTime
	}
	t = time.Date(year, time.Month(month), day, hour, minute, second, nano, time.UTC)
	switch {
	case rest == "":
		return t, zoneNone, nil
	case rest == "Z":
		return t, zoneUTC, nil
	case len(rest) != 6 || rest[0] != '+' && rest[0] != '-' || rest[3] != ':':
		return t, z, errTime
	}
	hours, ok1 := digits(rest[1:3])
	minutes, ok2 := digits(rest[4:6])
	offset := time.Duration(hours*60+minutes) * time.Minute
	if !ok1 || !ok2 || minutes > 59 || offset > 14*time.Hour {
		return t, z, errTime
	}
	if offset == 0 {
		return t, zoneUTC, nil
	}
	if rest[0] == '+' {
		offset = -offset
	}
	return t.Add(offset), zoneOffset, nil
}

func digits(s string) (n int, ok bool) {
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int(c)
	}
	return n, true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
