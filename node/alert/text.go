package alert

import (
	"embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed text/*.json
var textFiles embed.FS

// Languages that alerts speak.
var Languages = []string{"en", "de", "fr", "it"}

// words of all languages, by key. {0}, {1} and so on stand for arguments.
var words = sync.OnceValue(func() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, l := range Languages {
		b, err := textFiles.ReadFile("text/" + l + ".json")
		m := map[string]string{}
		if err == nil {
			err = json.Unmarshal(b, &m)
		}
		if err != nil {
			panic(fmt.Sprintf("alert: text/%s.json: %v", l, err)) // it is part of the program
		}
		out[l] = m
	}
	return out
})

// languageOf takes that of the most people of a country.
func languageOf(country string) string {
	switch country {
	case "DE", "AT", "LI":
		return "de"
	case "FR", "LU", "MC":
		return "fr"
	case "IT", "SM", "VA":
		return "it"
	}
	return "en"
}

func say(language, key string, args ...string) string {
	m := words()[language]
	if m == nil {
		m = words()["en"]
	}
	s, ok := m[key]
	if !ok {
		return key
	}
	with := make([]string, 0, 2*len(args))
	for i, a := range args {
		if t, ok := m[a]; ok && strings.Contains(a, ".") { // an argument that is a key: "use.own"
			a = t
		} else if unit, n, ok := strings.Cut(a, " "); ok && strings.HasPrefix(unit, "span.") {
			a = spoken(m, unit, n)
		}
		with = append(with, "{"+strconv.Itoa(i)+"}", a)
	}
	return strings.NewReplacer(with...).Replace(s) // one pass: an argument is never read as a text
}

func spoken(m map[string]string, unit, n string) string {
	if n == "1" {
		return "1 " + m[unit+".one"]
	}
	return n + " " + m[unit+".other"]
}

// Say puts an alert into words.
func (a *Alert) Say(language string) string { return say(language, a.Text, a.Args...) }

// Remedy says what can be done about it, "" where nothing is known.
func (a *Alert) Remedy(language string) string {
	if s := say(language, a.Text+".remedy", a.Args...); s != a.Text+".remedy" {
		return s
	}
	return ""
}

// Arguments that are spoken in the language of whoever reads them.

func span(d time.Duration) string {
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"day", day}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if d >= 2*u.unit || u.unit == time.Minute || d >= u.unit && d%u.unit == 0 {
			return "span." + u.name + " " + strconv.FormatInt(int64(d/u.unit), 10)
		}
	}
	return ""
}

func days(d time.Duration) string {
	return "span.day " + strconv.FormatInt(int64(max(0, d)/day), 10)
}

func date(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func mebi(n int64) string { return strconv.FormatInt(n>>20, 10) + " MiB" }
