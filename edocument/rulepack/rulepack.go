// Package rulepack keeps rules of other publishers as packs and judges documents by them.
//
// A pack is a file that never changes, addressed group:artifact:version, for example eu.cen.en16931:ubl:1.3.16. It
// holds the schemas and the Schematron of one kind of document as their publisher released them, and a manifest: where
// they come from, with a checksum, since and until when they are to be used, and which of them apply to a document.
// Superseded packs stay usable, since archived documents are judged by the rules of their day.
//
// Import makes packs from a release: the artefacts of EN 16931, the rules of OpenPeppol after award and before it, a configuration of the KoSIT
// validator with its scenarios.xml, a validation executor set of phive, or simply a folder with schemas of Schematron or
// XML Schema. Each is compiled before it becomes a pack, so that what cannot be run is refused at once.
package rulepack

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	// ErrNotFound says that there is no such pack.
	ErrNotFound = errors.New("no such rule pack")
	// ErrExists says that there is a pack of this name with other contents.
	ErrExists = errors.New("another rule pack has this name")
	// ErrRelease says that nothing in a release is known to be rules.
	ErrRelease = errors.New("not a release of rules")
	// ErrVersion says that a release does not tell its version, and nobody else did.
	ErrVersion = errors.New("the release does not tell its version")
	// ErrPack says that a pack file is damaged.
	ErrPack = errors.New("not a rule pack")
	// ErrScenario says that more than one scenario of a pack fits a document, which leaves it without a verdict.
	ErrScenario = errors.New("more than one scenario matches")
)

// ID names a pack.
type ID struct{ Group, Artifact, Version string }

// String returns group:artifact:version.
func (id ID) String() string { return id.Group + ":" + id.Artifact + ":" + id.Version }

// Name returns the name without the version.
func (id ID) Name() string { return id.Group + ":" + id.Artifact }

var idPart = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// ParseID reads group:artifact:version. The version may be missing, which stands for the newest.
func ParseID(s string) (ID, error) {
	parts := strings.Split(s, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return ID{}, fmt.Errorf("%q is no name of a rule pack, such as eu.cen.en16931:ubl:1.3.16", s)
	}
	for _, p := range parts {
		if !idPart.MatchString(p) || len(p) > 100 {
			return ID{}, fmt.Errorf("%q is no part of the name of a rule pack", p)
		}
	}
	id := ID{Group: parts[0], Artifact: parts[1]}
	if len(parts) == 3 {
		id.Version = parts[2]
	}
	return id, nil
}

// MarshalText and UnmarshalText make an ID a string in JSON.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}

// CompareVersions orders versions by their numbers, 1.3.9 before 1.3.16; what is no number is compared as text.
func CompareVersions(a, b string) int {
	split := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r == '.' || r == '-' || r == '_' })
	}
	x, y := split(a), split(b)
	for i := range max(len(x), len(y)) {
		switch {
		case i >= len(x):
			return -1
		case i >= len(y):
			return 1
		}
		m, errM := strconv.Atoi(x[i])
		n, errN := strconv.Atoi(y[i])
		switch {
		case errM == nil && errN == nil && m != n:
			return m - n
		case errM == nil && errN == nil:
		case x[i] != y[i]:
			return strings.Compare(x[i], y[i])
		}
	}
	return 0
}

// Manifest is what a pack says about itself.
type Manifest struct {
	ID        ID         `json:"id"`
	Title     string     `json:"title,omitempty"`
	ValidFrom *time.Time `json:"validFrom,omitempty"`
	ValidTo   *time.Time `json:"validTo,omitempty"` // not at this instant any more
	// Deprecated is the reason why the pack should not be used for new documents; it can be used all the same.
	Deprecated string   `json:"deprecated,omitempty"`
	Requires   []string `json:"requires,omitempty"` // names of packs that judge before this one, with or without version
	// Specifications are the identifiers of what the pack is meant for, where the rules themselves name it; one that ends with *
	// begins so.
	Specifications []string `json:"specifications,omitempty"`
	// Spaces are the namespaces of the document elements that the pack can be about, so that it need not be compiled for
	// others; none: of any, or not known.
	Spaces    []string   `json:"spaces,omitempty"`
	Source    Source     `json:"source"`
	Scenarios []Scenario `json:"scenarios"`
}

// Source is where a pack comes from.
type Source struct {
	Name   string    `json:"name"`             // of the file or folder
	URL    string    `json:"url,omitempty"`    // that it was fetched from, as it was asked for
	ETag   string    `json:"etag,omitempty"`   // of what the server gave
	SHA256 string    `json:"sha256,omitempty"` // of the file; of a folder none
	Kind   string    `json:"kind"`             // what it was recognised as
	Added  time.Time `json:"added"`
}

// Scenario says what applies to which documents.
type Scenario struct {
	Name       string            `json:"name,omitempty"`
	Match      string            `json:"match,omitempty"` // an XPath expression on the document; "" for all that the rules know
	Namespaces map[string]string `json:"namespaces,omitempty"`
	Schemas    []string          `json:"schemas,omitempty"` // entry documents of one XML Schema
	Rules      []string          `json:"rules,omitempty"`   // schemas of Schematron, or style sheets compiled from them
	// Levels overrides the severity of rules: id to "error", "warning" or "info".
	Levels map[string]string `json:"levels,omitempty"`
}

// ValidAt reports whether the pack is to be used at a time.
func (m *Manifest) ValidAt(t time.Time) bool {
	return (m.ValidFrom == nil || !t.Before(*m.ValidFrom)) && (m.ValidTo == nil || t.Before(*m.ValidTo))
}

func (m *Manifest) marshal() []byte {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		panic(err) // it has strings and times only
	}
	return append(b, '\n')
}
