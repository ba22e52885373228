package smp

import (
	"errors"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// dateTimeOf reads an xs:dateTime; without zone it is UTC. No element and an empty one are the zero time.
func dateTimeOf(n dom.Node) (time.Time, error) { return timeOf(n, parseDateTime) }

// dateOf reads an xs:date, the day's beginning in UTC whatever its zone: 2.0 counts in days [SMP2 4.3.5].
func dateOf(n dom.Node) (time.Time, error) { return timeOf(n, parseDate) }

func timeOf(n dom.Node, parse func(string) (time.Time, error)) (time.Time, error) {
	s := text(n)
	if s == "" {
		return time.Time{}, nil
	}
	t, err := parse(s)
	if err != nil {
		return t, n.Errorf("%w: %w", ErrSyntax, err)
	}
	return t, nil
}

var errDate = errors.New("not a date of the schema's form")

func parseDateTime(s string) (time.Time, error) {
	// 24:00:00 is the next midnight [XSD2 3.2.7.1], which Go does not know.
	day, clock, ok := strings.Cut(s, "T")
	if !ok {
		return time.Time{}, errDate
	}
	next := strings.HasPrefix(clock, "24:00:00")
	if next {
		clock = "00" + clock[2:]
	}
	layout := "2006-01-02T15:04:05Z07:00" // a fraction after the seconds is accepted by Parse
	if len(clock) >= 8 && !strings.ContainsAny(clock[8:], "Z+-") {
		layout = "2006-01-02T15:04:05"
	}
	t, err := time.Parse(layout, day+"T"+clock)
	if err != nil {
		return time.Time{}, errDate
	}
	if next {
		t = t.AddDate(0, 0, 1)
	}
	return t.UTC(), nil
}

func parseDate(s string) (time.Time, error) {
	if len(s) < 10 {
		return time.Time{}, errDate
	}
	if zone := s[10:]; zone != "" && zone != "Z" {
		if _, err := time.Parse("Z07:00", zone); err != nil {
			return time.Time{}, errDate
		}
	}
	t, err := time.Parse("2006-01-02", s[:10])
	if err != nil {
		return time.Time{}, errDate
	}
	return t, nil
}

func formatDateTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999999Z07:00") }

const day = 24 * time.Hour

// firstDay and lastDay round to whole days so that the written period never exceeds the real one.
func firstDay(t time.Time) string {
	return t.UTC().Add(day - time.Nanosecond).Truncate(day).Format("2006-01-02")
}

func lastDay(t time.Time) string { return t.UTC().Truncate(day).Format("2006-01-02") }
