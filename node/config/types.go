package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration written as in "90s", "2m", "1h30m" or "30d".
type Duration time.Duration

// D returns the value for the standard library.
func (d Duration) D() time.Duration { return time.Duration(d) }

func (d Duration) String() string {
	v := time.Duration(d)
	if v != 0 && v%(24*time.Hour) == 0 {
		return strconv.FormatInt(int64(v/(24*time.Hour)), 10) + "d"
	}
	s := v.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func (d *Duration) UnmarshalText(b []byte) error {
	v, err := parseDuration(string(b))
	*d = Duration(v)
	return err
}

func parseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is no duration: write for example 90s, 2m, 1h30m or 30d", s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, bad
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return 0, bad
	}
	return v, nil
}

// Time is a moment, written as in "2026-12-01" (UTC, the day's beginning) or "2026-12-01T06:00:00Z".
type Time time.Time

// T returns the value for the standard library.
func (t Time) T() time.Time { return time.Time(t) }

// IsZero reports whether nothing was configured.
func (t Time) IsZero() bool { return time.Time(t).IsZero() }

func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	return time.Time(t).UTC().Format(time.RFC3339)
}

// MarshalText writes what UnmarshalText reads.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

func (t *Time) UnmarshalText(b []byte) error {
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if v, err := time.Parse(form, string(b)); err == nil {
			*t = Time(v)
			return nil
		}
	}
	return fmt.Errorf("%q is no time: write for example 2026-12-01 or 2026-12-01T06:00:00Z", b)
}

// Size is a number of octets, written as in "512", "16KiB", "100MiB" or "2GiB".
type Size int64

var sizeUnits = []struct {
	name string
	n    int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

func (z Size) String() string {
	for _, u := range sizeUnits {
		if z != 0 && int64(z)%u.n == 0 {
			return strconv.FormatInt(int64(z)/u.n, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(z), 10)
}

func (z *Size) UnmarshalText(b []byte) error {
	s := string(b)
	digits, unit := s, int64(1)
	for _, u := range sizeUnits {
		if d, ok := strings.CutSuffix(s, u.name); ok {
			digits, unit = d, u.n
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is no size: write for example 512, 16KiB, 100MiB or 2GiB", s)
	}
	*z = Size(n * unit)
	return nil
}

// Path names a file or folder. Relative ones start at the folder of the configuration file; what the
// decoder returns is absolute.
type Path string

var errInlineKey = errors.New("a key or certificate is never written here: put it into a file and name the file")

func (p *Path) UnmarshalText(b []byte) error {
	s := string(b)
	switch {
	case strings.Contains(s, "-----BEGIN"), strings.ContainsAny(s, "\n\r"):
		return errInlineKey
	case strings.ContainsRune(s, 0):
		return errors.New("a path has no zero octet")
	}
	*p = Path(s)
	return nil
}

// Listen is an address to listen on: "host:port" or ":port"; port 0 takes a free one.
type Listen string

func (l *Listen) UnmarshalText(b []byte) error {
	_, port, err := net.SplitHostPort(string(b))
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%q is no address to listen on: write host:port or :port", b)
	}
	*l = Listen(b)
	return nil
}

// URL is an absolute http or https address.
type URL string

func (u *URL) UnmarshalText(b []byte) error {
	v, err := url.Parse(string(b))
	switch {
	case err != nil || v.Host == "" || v.Scheme != "http" && v.Scheme != "https":
		return fmt.Errorf("%q is no address: write https://host/path", b)
	case v.User != nil:
		return errors.New("an address carries no user and no password")
	case v.Fragment != "":
		return fmt.Errorf("%q: an address carries no fragment", b)
	}
	*u = URL(b)
	return nil
}

// Secret says where a secret is: "file:PATH" or "env:NAME". The secret itself is never in the
// configuration, and never in what a Secret prints.
type Secret struct {
	kind, name string
}

var errInlineSecret = errors.New("a secret is never written here: use file:PATH or env:NAME")

func (s *Secret) UnmarshalText(b []byte) error {
	kind, name, ok := strings.Cut(string(b), ":")
	// The value is not repeated in the error: it may be the secret.
	if !ok || name == "" || kind != "file" && kind != "env" || strings.ContainsAny(name, "\n\r\x00") {
		return errInlineSecret
	}
	*s = Secret{kind, name}
	return nil
}

// IsZero reports whether nothing was configured.
func (s Secret) IsZero() bool { return s.kind == "" }

func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return "[secret]"
}

// GoString keeps the place out of %#v too.
func (s Secret) GoString() string { return s.String() }

func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps JSON and YAML encoders from anything but the placeholder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Source tells a person where the secret is looked for, for example "file:/etc/viadukt/key.pass".
func (s Secret) Source() string {
	if s.IsZero() {
		return ""
	}
	return s.kind + ":" + s.name
}

// secretMax bounds a secret file: passwords and tokens are short.
const secretMax = 4096

// Read returns the secret, "" when none was configured. Line ends at the end of a file do not count.
func (s Secret) Read() (string, error) {
	switch s.kind {
	case "":
		return "", nil
	case "env":
		v, ok := os.LookupEnv(s.name)
		if !ok {
			return "", fmt.Errorf("config: environment variable %s is not set", s.name)
		}
		return v, nil
	}
	f, err := os.Open(s.name)
	if err != nil {
		return "", fmt.Errorf("config: secret: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, secretMax+1))
	if err != nil {
		return "", fmt.Errorf("config: secret: %w", err)
	}
	if len(b) > secretMax {
		return "", fmt.Errorf("config: secret %s: more than %d octets", s.name, secretMax)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
