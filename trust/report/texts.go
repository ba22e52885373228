package report

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Languages are those that reports are written in.
var Languages = []string{"en", "de", "fr", "it"}

//go:embed text/*.json
var textFiles embed.FS

// texts are the words of one language: by key, and for the sentences of package validation by their English, in which {0},
// {1} and so on stand for what differs.
type texts struct {
	language  string
	m         map[string]string
	sentences map[string]string // without anything that differs
	patterns  []pattern
}

type pattern struct {
	words   string
	english *regexp.Regexp
	text    string
}

var allTexts = sync.OnceValue(func() map[string]*texts {
	out := map[string]*texts{}
	for _, language := range Languages {
		t, err := loadTexts(language)
		if err != nil {
			panic(err) // of the program
		}
		out[language] = t
	}
	return out
})

func textsOf(language string) *texts {
	if t := allTexts()[language]; t != nil {
		return t
	}
	return allTexts()["en"]
}

var placeholder = regexp.MustCompile(`\\\{\d\\\}`)

func loadTexts(language string) (*texts, error) {
	b, err := textFiles.ReadFile("text/" + language + ".json")
	if err != nil {
		return nil, err
	}
	var file struct {
		Words     map[string]string
		Sentences map[string]string
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, fmt.Errorf("report: text/%s.json: %w", language, err)
	}
	t := &texts{language: language, m: file.Words, sentences: map[string]string{}}
	for english, text := range file.Sentences {
		if !strings.Contains(english, "{0}") {
			t.sentences[english] = text
			continue
		}
		expr := placeholder.ReplaceAllString(regexp.QuoteMeta(english), "(.+?)")
		t.patterns = append(t.patterns, pattern{english, regexp.MustCompile("^" + expr + "$"), text})
	}
	slices.SortFunc(t.patterns, func(a, b pattern) int { // the more is fixed the better it fits
		return cmp.Or(len(b.words)-len(a.words), cmp.Compare(a.words, b.words))
	})
	return t, nil
}

// sentence says a sentence of package validation in the language; one that is not known stays as it is.
func (t *texts) sentence(english string) string {
	if s, ok := t.sentences[english]; ok {
		return s
	}
	for _, p := range t.patterns {
		if parts := p.english.FindStringSubmatch(english); parts != nil {
			for i, part := range parts[1:] {
				if known, ok := t.sentences[part]; ok { // a thing that has no name of its own
					parts[i+1] = known
				}
			}
			return fill(p.text, parts[1:])
		}
	}
	if question, answer, ok := strings.Cut(english, "? "); ok { // an answer that is the finding of a part
		return t.sentence(question+"?") + " " + t.sentence(answer)
	}
	return english
}

func fill(text string, parts []string) string {
	with := make([]string, 0, 2*len(parts))
	for i, part := range parts {
		with = append(with, "{"+strconv.Itoa(i)+"}", part)
	}
	return strings.NewReplacer(with...).Replace(text)
}
