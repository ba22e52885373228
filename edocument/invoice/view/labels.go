package view

import (
	"bufio"
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

//go:embed labels/*.txt
var labelFiles embed.FS

// Labels are the words of one language: keys are the numbers of EN 16931 and a few words of this package, see
// labels/en.txt. A further language is a further file; what it lacks is English.
type Labels map[string]string

// Languages lists the languages that are built in.
func Languages() []string {
	entries, err := labelFiles.ReadDir("labels")
	if err != nil {
		panic(err) // of the program
	}
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".txt"))
	}
	slices.Sort(out)
	return out
}

var builtIn = sync.OnceValue(func() map[string]Labels {
	out := map[string]Labels{}
	for _, lang := range Languages() {
		f, err := labelFiles.Open("labels/" + lang + ".txt")
		if err != nil {
			panic(err)
		}
		if out[lang], err = ReadLabels(f); err != nil {
			panic(err)
		}
	}
	return out
})

// ForLanguage returns the labels of a language by its code, "en" for one that is not built in, and whether it is.
func ForLanguage(lang string) (Labels, bool) {
	lang, _, _ = strings.Cut(strings.ToLower(lang), "-")
	l, ok := builtIn()[lang]
	if !ok {
		l = builtIn()["en"]
	}
	return l, ok
}

// ReadLabels reads lines of key, tab, text.
func ReadLabels(r io.Reader) (Labels, error) {
	out := Labels{}
	s := bufio.NewScanner(r)
	for line := 1; s.Scan(); line++ {
		if s.Text() == "" || s.Text()[0] == '#' {
			continue
		}
		key, text, ok := strings.Cut(s.Text(), "\t")
		if !ok || key == "" || text == "" {
			return nil, fmt.Errorf("labels, line %d: %q is not key, tab and text", line, s.Text())
		}
		out[key] = text
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	if out["lang"] == "" {
		return nil, fmt.Errorf("labels: the line lang is missing")
	}
	return out, nil
}

// text returns a label, in English where the language lacks it, and the key where nobody has it.
func (l Labels) text(key string) string {
	if s, ok := l[key]; ok {
		return s
	}
	if s, ok := builtIn()["en"][key]; ok {
		return s
	}
	return key
}

// code returns the name of a code with the code behind it, or the code alone.
func (l Labels) code(prefix, code string) string {
	key := prefix + code
	if s := l.text(key); s != key {
		return s + " (" + code + ")"
	}
	return code
}

// number writes a decimal number with the separators of the language.
func (l Labels) number(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "\u2212", s[1:]
	}
	whole, fraction, point := strings.Cut(s, ".")
	var b strings.Builder
	b.WriteString(sign)
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteString(l.text("group"))
		}
		b.WriteRune(c)
	}
	if point {
		b.WriteString(l.text("decimal"))
		b.WriteString(fraction)
	}
	return b.String()
}

// date writes YYYY-MM-DD as the language does; what is no date stays as it is.
func (l Labels) date(s string) string {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return s
	}
	return strings.NewReplacer("YYYY", s[:4], "MM", s[5:7], "DD", s[8:]).Replace(l.text("date"))
}
