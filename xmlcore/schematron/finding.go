package schematron

import (
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Finding is an assertion that failed, or a report that was made, at a node.
type Finding struct {
	Pattern, Rule string // ids, "" where there is none
	ID            string // of the assertion
	Flag, Role    string // of the assertion, or else of its rule
	Report        bool
	Node          dom.Node
	Text          string // with the white space of the schema
	Diagnostics   []Text
	Properties    []Text

	assertion *assertion
	rule      *rule
	fired     int // how many rules had fired, when they are traced
}

// Text is a diagnostic or a property.
type Text struct{ ID, Text string }

// Level orders findings by what they mean.
type Level uint8

// The levels.
const (
	LevelInfo Level = iota
	LevelWarning
	LevelError
	LevelFatal
)

func (l Level) String() string { return [...]string{"info", "warning", "error", "fatal"}[l] }

// Level reads the flag, or else the role, as the usual engines do: what says nothing that is known is an error.
func (f *Finding) Level() Level {
	for _, s := range [...]string{f.Flag, f.Role} {
		switch s = strings.ToLower(s); {
		case s == "":
			continue
		case strings.HasPrefix(s, "warn"):
			return LevelWarning
		case strings.HasPrefix(s, "fatal"):
			return LevelFatal
		case strings.HasPrefix(s, "info"), strings.HasPrefix(s, "notice"), strings.HasPrefix(s, "hint"), s == "note", s == "debug", s == "trace", s == "success", s == "ok":
			return LevelInfo
		}
		return LevelError
	}
	return LevelError
}

// Message is the text with single blanks.
func (f *Finding) Message() string { return strings.Join(strings.Fields(f.Text), " ") }

// Test is the expression that decided, Context the context of the rule.
func (f *Finding) Test() string    { return f.assertion.test.String() }
func (f *Finding) Context() string { return f.rule.match.String() }

// Pos returns where the node stands, from 1.
func (f *Finding) Pos() (line, column int) { return f.Node.Pos() }

// Location returns the path of the node; see Style.
func (f *Finding) Location(s Style) string {
	var l Locator
	return l.Location(f.Node, s)
}

// Style is a way of writing the location of a node in SVRL.
type Style uint8

const (
	// Skeleton writes /*:Invoice[namespace-uri()='urn:x'][1]/@currencyID, as the skeleton of ISO does.
	Skeleton Style = iota
	// EQName writes /Q{urn:x}Invoice[1]/@currencyID, as SchXslt does.
	EQName
)

// Locator writes locations and remembers what it has counted: for many nodes of one document it takes the time of one
// pass. It serves one goroutine.
type Locator struct {
	doc      *dom.Document
	position map[int]int // of a node among its like-named siblings
}

// Location returns the path of a node.
func (l *Locator) Location(n dom.Node, s Style) string {
	if n.Kind() == dom.DocumentNode {
		return "/"
	}
	if n.Document() != l.doc {
		l.doc, l.position = n.Document(), map[int]int{}
	}
	return string(l.append(nil, n, s))
}

func (l *Locator) append(b []byte, n dom.Node, s Style) []byte {
	if n.Kind() == dom.DocumentNode || !n.Valid() {
		return b
	}
	b = append(l.append(b, n.Parent(), s), '/')
	switch n.Kind() {
	case dom.AttributeNode:
		b = append(b, '@')
		switch {
		case n.Space() == "":
			return append(b, n.Local()...)
		case s == EQName:
			return append(append(append(append(b, "Q{"...), n.Space()...), '}'), n.Local()...)
		}
		return append(append(append(append(append(b, "*:"...), n.Local()...), "[namespace-uri()='"...), n.Space()...), "']"...)
	case dom.TextNode:
		b = append(b, "text()"...)
	case dom.CommentNode:
		b = append(b, "comment()"...)
	case dom.PINode:
		b = append(b, "processing-instruction()"...)
	default:
		switch {
		case s == EQName:
			b = append(append(append(append(b, "Q{"...), n.Space()...), '}'), n.Local()...)
		case n.Space() == "":
			b = append(b, n.Local()...)
		default:
			b = append(append(append(append(append(b, "*:"...), n.Local()...), "[namespace-uri()='"...), n.Space()...), "']"...)
		}
	}
	b = append(b, '[')
	b = strconv.AppendInt(b, int64(l.count(n)), 10)
	return append(b, ']')
}

// count returns the position of a node among its siblings of the same kind and name.
func (l *Locator) count(n dom.Node) int {
	if p, ok := l.position[n.Index()]; ok {
		return p
	}
	type like struct {
		kind dom.Kind
		name int32
	}
	seen := map[like]int{}
	for k := range n.Parent().Children() {
		x := like{kind: k.Kind()}
		if x.kind == dom.ElementNode {
			x.name = int32(k.NameID())
		}
		seen[x]++
		l.position[k.Index()] = seen[x]
	}
	return l.position[n.Index()]
}
