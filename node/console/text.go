package console

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Languages of the console; the first is the one that is taken when a browser asks for none of them.
var Languages = []string{"en", "de", "fr", "it"}

//go:embed text/*.json
var textFiles embed.FS

// texts are those of one language by key. {0}, {1} and so on stand for arguments.
type texts struct {
	language string
	m        map[string]string
}

func loadTexts(language string) (*texts, error) {
	b, err := textFiles.ReadFile("text/" + language + ".json")
	if err != nil {
		return nil, err
	}
	t := &texts{language: language}
	if err := json.Unmarshal(b, &t.m); err != nil {
		return nil, fmt.Errorf("console: text/%s.json: %w", language, err)
	}
	return t, nil
}

func (t *texts) has(key string) bool { _, ok := t.m[key]; return ok }

func (t *texts) text(key string, args ...any) string {
	s, ok := t.m[key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return s
	}
	with := make([]string, 0, 2*len(args))
	for i, a := range args {
		with = append(with, "{"+strconv.Itoa(i)+"}", t.arg(a))
	}
	return strings.NewReplacer(with...).Replace(s) // one pass: an argument is never read as a text
}

func (t *texts) arg(a any) string {
	switch v := a.(type) {
	case int:
		return t.number(int64(v))
	case int64:
		return t.number(v)
	}
	return fmt.Sprint(a)
}

// count takes the singular or the plural of a key.
func (t *texts) count(key string, n int64, args ...any) string {
	form := ".other"
	if n == 1 || n == 0 && t.language == "fr" {
		form = ".one"
	}
	return t.text(key+form, append([]any{n}, args...)...)
}

// number groups digits as the language does.
func (t *texts) number(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	sep := map[string]string{"en": ",", "de": ".", "fr": "\u202f", "it": "."}[t.language]
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + sep + s[i:]
	}
	return sign + s
}

// decimal writes one digit after the point.
func (t *texts) decimal(f float64) string {
	s := strconv.FormatFloat(f, 'f', 1, 64)
	if t.language != "en" {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s
}

// size writes octets as people do.
func (t *texts) size(n int64) string {
	f, unit := float64(n), ""
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if f < 1000 {
			break
		}
		f, unit = f/1000, u
	}
	if unit == "" {
		return t.count("bytes", n)
	}
	return t.decimal(f) + " " + unit
}

// duration is a time span in its largest unit.
func (t *texts) duration(d time.Duration) string {
	d = d.Abs()
	for _, u := range []struct {
		key  string
		unit time.Duration
	}{{"days", 24 * time.Hour}, {"hours", time.Hour}, {"minutes", time.Minute}} {
		if d >= 2*u.unit || d >= u.unit && u.unit < 24*time.Hour {
			return t.count(u.key, int64(d/u.unit))
		}
	}
	return t.count("seconds", int64(d/time.Second))
}

// gap is the time between two steps, in as few figures as tell something.
func (t *texts) gap(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return t.decimal(d.Seconds()) + " s"
	}
	return t.duration(d)
}

// look is how somebody wants to see the console.
type look struct {
	Language string
	Theme    string // "light", "dark", or "" as the system has it
}

var themes = []string{"", "light", "dark"}

func (c *Console) readLook(r *http.Request) look {
	language, theme, _ := strings.Cut(c.cookie(r, cookieLook), ".")
	l := look{Language: language, Theme: theme}
	if !slices.Contains(Languages, l.Language) {
		l.Language = accepted(r.Header.Get("Accept-Language"))
	}
	if !slices.Contains(themes, l.Theme) {
		l.Theme = ""
	}
	return l
}

// accepted takes the language that the browser likes best of those there are.
func accepted(header string) string {
	best, weight := Languages[0], 0.0
	for i, part := range strings.Split(header, ",") {
		if i == 20 {
			break
		}
		tag, rest, _ := strings.Cut(strings.TrimSpace(part), ";")
		tag, _, _ = strings.Cut(strings.ToLower(tag), "-")
		q := 1.0
		if s, ok := strings.CutPrefix(strings.TrimSpace(rest), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(s, 64); err != nil {
				continue
			}
		}
		if q > weight && slices.Contains(Languages, tag) {
			best, weight = tag, q
		}
	}
	return best
}

// look keeps language and colours in the browser, for a year.
func (c *Console) look(x *call) error {
	language, theme := x.value("language"), x.value("theme")
	if !slices.Contains(Languages, language) || !slices.Contains(themes, theme) {
		return &problem{status: http.StatusBadRequest, key: "error.request"}
	}
	c.setCookie(x.w, x.r, cookieLook, language+"."+theme, 365*24*time.Hour)
	http.Redirect(x.w, x.r, safeNext(x.value("back")), http.StatusSeeOther)
	return nil
}
