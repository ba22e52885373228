package pmode

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
)

// maxMinutes bounds the numbers of a retry: a hundred years.
const maxMinutes = 100 * 366 * 24 * 60

// maxRetries bounds how many retries a schedule may have.
const maxRetries = 10000

// ParseRetry reads the retry of a Domibus receptionAwareness: "T;N;CONSTANT", N retries spread evenly over T minutes from
// the acceptance of the message; "T;I;F;PROGRESSIVE", retries after I, I*F, I*F*F ... minutes while T lasts; and
// "0;0;SEND_ONCE", as is an empty one.
func ParseRetry(s string) (as4.Retry, error) {
	once := as4.Retry{Max: 1}
	if s == "" {
		return once, nil
	}
	fields := strings.Split(s, ";")
	strategy := strings.TrimSpace(fields[len(fields)-1])
	want, ok := map[string]int{"CONSTANT": 2, "PROGRESSIVE": 3, "SEND_ONCE": 2}[strategy]
	switch {
	case !ok:
		return as4.Retry{}, fmt.Errorf("%q ends in none of CONSTANT, PROGRESSIVE, SEND_ONCE", shown(s))
	case len(fields) != want+1:
		return as4.Retry{}, fmt.Errorf("%q: %s has %d numbers before it", shown(s), strategy, want)
	}
	var n [3]int64
	for i, f := range fields[:want] {
		v, err := strconv.ParseInt(strings.TrimSpace(f), 10, 64)
		if err != nil || v < 0 || v > maxMinutes {
			return as4.Retry{}, fmt.Errorf("%q: %q is no whole number of minutes or retries", shown(s), shown(f))
		}
		n[i] = v
	}
	window := time.Duration(n[0]) * time.Minute
	switch strategy {
	case "CONSTANT":
		switch {
		case n[0] > 0 && n[1] == 0:
			return as4.Retry{}, fmt.Errorf("%q: %d minutes and no retry in them", s, n[0])
		case n[0] == 0 || n[1] == 0:
			return once, nil
		case n[1] > maxRetries:
			return as4.Retry{}, fmt.Errorf("%q: more than %d retries", s, maxRetries)
		}
		step := (window / time.Duration(n[1])).Truncate(time.Millisecond)
		return as4.Retry{Max: int(n[1]) + 1, First: step, Factor: 1, Window: window}, nil
	case "PROGRESSIVE":
		switch {
		case n[1] == 0 || n[1] > n[0]:
			return as4.Retry{}, fmt.Errorf("%q: the first interval is not between 1 and the %d minutes there are", s, n[0])
		case n[2] < 2:
			return as4.Retry{}, fmt.Errorf("%q: the factor is not above 1", s)
		}
		r := as4.Retry{Max: 1, First: time.Duration(n[1]) * time.Minute, Factor: float64(n[2]), Window: window}
		for at := n[1]; at <= n[0]; at *= n[2] {
			r.Max++
		}
		return r, nil
	}
	return once, nil
}

// FormatRetry writes a schedule as Domibus has it. One that counts pauses from each attempt has no equal there: it
// becomes even steps over the same time, and exact is false.
func FormatRetry(r as4.Retry) (s string, exact bool) {
	r = r.Or(as4.Retry{Max: 10, First: time.Minute, Factor: 2, Limit: 6 * time.Hour})
	if r.Max <= 1 {
		return "0;0;SEND_ONCE", true
	}
	minutes := int64(r.Window / time.Minute)
	if r.Window > 0 && r.Window%time.Minute == 0 {
		for _, s := range []string{
			fmt.Sprintf("%d;%d;CONSTANT", minutes, r.Max-1),
			fmt.Sprintf("%d;%d;%d;PROGRESSIVE", minutes, int64(r.First/time.Minute), int64(r.Factor)),
		} {
			if back, err := ParseRetry(s); err == nil && back == (as4.Retry{Max: r.Max, First: r.First, Factor: r.Factor, Window: r.Window}) {
				return s, true
			}
		}
	}
	var whole, pause time.Duration = 0, r.First
	for range r.Max - 1 {
		whole += pause
		if pause = time.Duration(float64(pause) * r.Factor); pause > r.Limit {
			pause = r.Limit
		}
	}
	if r.Window > 0 {
		whole = r.Window
	}
	minutes = int64((whole + time.Minute - 1) / time.Minute)
	return fmt.Sprintf("%d;%d;CONSTANT", max(minutes, 1), r.Max-1), false
}

// retryWords puts a schedule into words.
func retryWords(r as4.Retry) string {
	r = r.Or(as4.Retry{Max: 10, First: time.Minute, Factor: 2, Limit: 6 * time.Hour})
	n := r.Max - 1
	switch {
	case n <= 0:
		return "none"
	case r.Window > 0 && r.Factor == 1:
		return fmt.Sprintf("%d, every %s, within %s", n, short(r.First), short(r.Window))
	case r.Window > 0:
		return fmt.Sprintf("%d, after %s and then %g times as late each, within %s", n, short(r.First), r.Factor, short(r.Window))
	case r.Factor == 1 || r.First >= r.Limit:
		return fmt.Sprintf("%d, with pauses of %s", n, short(min(r.First, r.Limit)))
	}
	return fmt.Sprintf("%d, with pauses from %s, each %g times as long, at most %s", n, short(r.First), r.Factor, short(r.Limit))
}

// short leaves out seconds and minutes that are none.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
