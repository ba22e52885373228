// Package xsd compiles W3C XML Schema 1.0 (second edition, [XSD1], [XSD2]) and validates documents of [dom] with it.
//
// Schema documents come from a closed file system: nothing is ever fetched. Content models become deterministic
// automata that count large occurrences instead of writing them out; a document is validated in one pass over its
// arena. Complaints carry the names that the standard gives its rules, such as cvc-complex-type.2.4.a, as other
// processors print them, with position, path, value and the elements that were expected.
//
// A Schema is immutable and safe for concurrent use. What a schema or a document may cost is bounded; see [Limits].
package xsd

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Namespaces of schemas and of the attributes that instances may use.
const (
	Namespace         = "http://www.w3.org/2001/XMLSchema"
	InstanceNamespace = "http://www.w3.org/2001/XMLSchema-instance"
)

var (
	// ErrSchema says that the schema documents break a rule; the error is a *SchemaError.
	ErrSchema = errors.New("not a valid schema")
	// ErrLimit says that a schema or a document would cost more than the limits allow.
	ErrLimit = errors.New("XML Schema limit exceeded")
)

// Limits bounds what a schema may cost. A zero field takes its default.
type Limits struct {
	Documents   int // schema documents; default 2,000
	Bytes       int // of all schema documents; default 256 MiB
	Particles   int // elements, wildcards and groups of one content model after expansion; default 20,000
	Transitions int // of all automata together; default 5 million
	Depth       int // of nested groups and derivations; default 200
	Members     int // types of one union with all that are nested; default 10,000
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.Documents, 2000)
	set(&l.Bytes, 256<<20)
	set(&l.Particles, 20_000)
	set(&l.Transitions, 5_000_000)
	set(&l.Depth, 200)
	set(&l.Members, 10_000)
	return l
}

// Options say how schema documents are found and read.
type Options struct {
	// Catalog maps a schema location as written, or a namespace, to a file of the file system. A location that is
	// neither there nor a file is a hint that leads nowhere: what refers to its components is an error, it is not.
	Catalog map[string]string
	// Lenient reads namespace="#other" as "##other", which published schemas mean by it. Strictly it is the namespace
	// "#other".
	Lenient bool
	// MaxFindings bounds the complaints about the schema; default 100.
	MaxFindings int
	Limits      Limits
}

// Finding is one complaint about a schema or a document.
type Finding struct {
	Rule     string   `json:"rule"` // of the standard, such as cvc-pattern-valid
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line,omitempty"` // from 1, as Column; 0 when there is no place
	Column   int      `json:"column,omitempty"`
	Path     string   `json:"path,omitempty"`
	Text     string   `json:"text"`
	Value    string   `json:"value,omitempty"`    // what was there, shortened
	Expected []string `json:"expected,omitempty"` // names of the elements that would have been right
}

func (f Finding) String() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File + ": ")
	}
	if f.Line > 0 {
		fmt.Fprintf(&b, "line %d, ", f.Line)
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	return b.String() + f.Text + " [" + f.Rule + "]"
}

// SchemaError lists what is wrong with schema documents.
type SchemaError struct {
	Findings  []Finding
	Truncated bool // there were more
}

func (e *SchemaError) Error() string {
	s := "xsd: " + e.Findings[0].String()
	if n := len(e.Findings); n > 1 {
		s += fmt.Sprintf(" (and %d more)", n-1)
	}
	return s
}

// Unwrap returns ErrSchema.
func (e *SchemaError) Unwrap() error { return ErrSchema }

// Schema is a compiled schema.
type Schema struct {
	syms        map[qname]int32
	names       []qname
	elements    map[int32]*element
	attributes  map[int32]*attribute
	types       map[qname]typeDef
	notations   map[qname]bool
	constraints bool
	referred    map[*constraint]bool
	files       []string
}

// Compile reads the entry documents and all that they include, import and redefine. The error is a *SchemaError, or
// matches ErrLimit, or is that of the file system.
func Compile(fsys fs.FS, opt Options, entry ...string) (*Schema, error) {
	if opt.MaxFindings <= 0 {
		opt.MaxFindings = 100
	}
	opt.Limits = opt.Limits.withDefaults()
	c := newCompiler(fsys, opt)
	return c.compile(entry)
}

// Elements returns the names of the global elements that a document may begin with, sorted, as {namespace}local.
func (s *Schema) Elements() []string {
	var out []string
	for _, e := range s.elements {
		if !e.abstract {
			out = append(out, e.name.String())
		}
	}
	slices.Sort(out)
	return out
}

// Files returns the schema documents that were read, in order.
func (s *Schema) Files() []string { return append([]string(nil), s.files...) }

type qname struct{ space, local string }

func (q qname) String() string {
	if q.space == "" {
		return q.local
	}
	return "{" + q.space + "}" + q.local
}
