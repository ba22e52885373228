package smp

import (
	"testing"
	"time"
)

func TestDates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, want string // want in RFC 3339 UTC; "" refused
		parse    func(string) (time.Time, error)
	}{
		{"2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", parseDateTime},
		{"2026-01-01T00:00:00", "2026-01-01T00:00:00Z", parseDateTime},
		{"2013-11-08T01:00:00.000+01:00", "2013-11-08T00:00:00Z", parseDateTime},
		{"2026-01-01T00:00:00.5", "2026-01-01T00:00:00.5Z", parseDateTime},
		{"2026-01-01T12:00:00-14:00", "2026-01-02T02:00:00Z", parseDateTime},
		{"2026-12-31T24:00:00", "2027-01-01T00:00:00Z", parseDateTime},
		{"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z", parseDateTime},
		{"2026-01-01", "", parseDateTime},
		{"2026-13-01T00:00:00Z", "", parseDateTime},
		{"2026-02-30T00:00:00Z", "", parseDateTime},
		{"2026-01-01T25:00:00Z", "", parseDateTime},
		{"2026-01-01T24:00:01Z", "", parseDateTime},
		{"2026-01-01 00:00:00", "", parseDateTime},
		{"T", "", parseDateTime},
		{"tomorrow", "", parseDateTime},
		{"2018-04-12", "2018-04-12T00:00:00Z", parseDate},
		{"2018-04-12Z", "2018-04-12T00:00:00Z", parseDate},
		{"2018-04-12+02:00", "2018-04-12T00:00:00Z", parseDate},
		{"2018-04-12T00:00:00", "", parseDate},
		{"2018-4-12", "", parseDate},
		{"20180412", "", parseDate},
	} {
		got, err := c.parse(c.in)
		switch {
		case c.want == "" && err == nil:
			t.Errorf("%q: got %v, want an error", c.in, got)
		case c.want != "" && (err != nil || got.Format(time.RFC3339Nano) != c.want):
			t.Errorf("%q: got %v, %v, want %s", c.in, got, err, c.want)
		}
	}
}

func TestDaysNeverExceedThePeriod(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	midnight := noon.Truncate(day)
	if got := firstDay(noon); got != "2026-03-02" {
		t.Errorf("activation at noon: got %s", got)
	}
	if got := firstDay(midnight); got != "2026-03-01" {
		t.Errorf("activation at midnight: got %s", got)
	}
	if got := lastDay(noon); got != "2026-03-01" {
		t.Errorf("expiration at noon: got %s", got)
	}
}

func TestActive(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		e      Endpoint
		active bool
	}{
		{"without dates it is always active", Endpoint{}, true},
		{"the activation moment counts", Endpoint{Activation: at}, true},
		{"a moment before it does not", Endpoint{Activation: at.Add(1)}, false},
		{"the expiration moment does not count", Endpoint{Expiration: at}, false},
		{"a moment before it does", Endpoint{Expiration: at.Add(1)}, true},
	} {
		if got := c.e.ActiveAt(at); got != c.active {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}
