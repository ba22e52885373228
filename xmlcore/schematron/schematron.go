// Package schematron compiles and runs ISO Schematron [Schematron] with the query language binding of XSLT 2, as
// business rules are published in it, on the documents of package dom.
//
// A Schema is compiled once from a closed file system: includes, abstract patterns and rules are resolved, every
// expression is checked, and rules are found by the name that their context ends with. Of XSLT there is what published
// rules use inside of Schematron: functions, keys, variables and what computes their values. Where rules are published
// only as the style sheet that the usual compilers of Schematron write, that is read back; see Compile.
//
//	schema, err := schematron.Compile(os.DirFS("rules"), "EN16931-UBL-validation.sch", schematron.Options{})
//	result, err := schema.Validate(ctx, doc, schematron.ValidateOptions{})
//	for _, f := range result.Findings {
//		fmt.Println(f.ID, f.Level(), f.Location(schematron.Skeleton), f.Message())
//	}
//
// # An assertion that cannot be evaluated
//
// Other engines give up on the whole document where the value of one expression is an error. Here the error is told,
// with the assertion it arose in, and the others are evaluated; [Result.Errors] must be empty before anybody calls a
// document valid.
//
// # What is evaluated
//
// Rules are found by the names of a node and its ancestors, once for all nodes of the same names. An assertion that can
// fire only where there is a node of some names, as most do that forbid something, is evaluated only then. Findings
// are those that the evaluation of everything would give.
//
// # Refused on purpose
//
// What the edition of 2025 adds and would change a verdict if it were overlooked: groups, rule/@visit-each,
// phase/@from. XSLT elements beyond those above are errors of the schema and not ignored.
package schematron

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// Namespaces.
const (
	Namespace     = "http://purl.oclc.org/dsdl/schematron"
	SVRLNamespace = "http://purl.oclc.org/dsdl/svrl"
	xsltNamespace = "http://www.w3.org/1999/XSL/Transform"
)

var (
	// ErrSchema says that a schema is wrong; the error is a *SchemaError.
	ErrSchema = errors.New("not a valid Schematron schema")
	// ErrLimit says that a document costs more to judge than the limits allow.
	ErrLimit = errors.New("limit of Schematron exceeded")
)

// Options say how a schema is compiled.
type Options struct {
	// Phase chooses the patterns: "" or "#ALL" for all, "#DEFAULT" for what the schema says, or the id of a phase.
	Phase string
	// Names lets several schemas that run over the same documents share what they know of names; nil is fine.
	Names *xpath.Names
	// Limits for the documents of the schema itself. The zero value has safe defaults.
	Documents dom.Limits
}

// maxFiles bounds the documents that one schema may include, maxExpansion the elements that inclusion may make of them,
// maxParts the assertions and variables that abstract patterns and rules may.
const (
	maxFiles     = 2_000
	maxDepth     = 50
	maxExpansion = 2_000_000
	maxParts     = 200_000
)

// Problem is one thing that is wrong with a schema.
type Problem struct {
	File   string
	Line   int // from 1, as Column
	Column int
	Path   string
	Text   string
	Err    error // the cause, an *xpath.Error for instance; may be nil
}

func (p Problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s", p.File, p.Line, p.Column, p.Path, p.Text)
}

// SchemaError lists what is wrong with a schema, at most 100 things.
type SchemaError struct{ Problems []Problem }

func (e *SchemaError) Error() string {
	s := e.Problems[0].String()
	if n := len(e.Problems) - 1; n > 0 {
		s += fmt.Sprintf(" (and %d more)", n)
	}
	return s
}

// Unwrap returns ErrSchema and the causes.
func (e *SchemaError) Unwrap() []error {
	errs := []error{ErrSchema}
	for _, p := range e.Problems {
		if p.Err != nil {
			errs = append(errs, p.Err)
		}
	}
	return errs
}

// Schema is a compiled schema. It never changes and serves any number of goroutines.
type Schema struct {
	title, version, phase string
	namespaces            []namespace
	patterns              []pattern
	rules                 int
	assertions            int
	lets                  []let // of all levels, by the index that expressions know them by
	globals               int   // the first ones belong to the schema
	keys                  map[string][]key
	names                 *xpath.Names
	candidates            []candidate // all alternatives of all contexts
	dispatch              dispatch
	files, warnings       []string
	attributes            bool  // a rule looks at attributes
	fixed                 int32 // how many candidates variables may rule out
	documents             *documents
	runs                  sync.Pool // of *run: memory of runs that are over
}

type namespace struct{ prefix, uri string }

// Title returns the title of the schema, Version its schemaVersion.
func (s *Schema) Title() string   { return s.title }
func (s *Schema) Version() string { return s.version }

// Assertions returns how many assertions and reports there are, abstract ones counted where they are used.
func (s *Schema) Assertions() int { return s.assertions }

// Patterns returns how many patterns are active.
func (s *Schema) Patterns() int { return len(s.patterns) }

// Files returns the documents that the schema was read from, in order.
func (s *Schema) Files() []string { return s.files }

// Prefixes returns the namespace of each prefix that expressions may use.
func (s *Schema) Prefixes() map[string]string {
	m := map[string]string{}
	for _, n := range s.namespaces {
		m[n.prefix] = n.uri
	}
	return m
}

// Warnings tells what was passed over in the schema documents, as other engines do.
func (s *Schema) Warnings() []string { return s.warnings }

// Catalogue lists the assertions in their order, for whoever compares two versions of a schema.
func (s *Schema) Catalogue() []Entry {
	var out []Entry
	for i := range s.patterns {
		p := &s.patterns[i]
		for j := range p.rules {
			r := &p.rules[j]
			for k := range r.asserts {
				a := &r.asserts[k]
				out = append(out, Entry{Pattern: p.id, Context: r.match.String(), ID: a.id, Flag: a.flag, Role: a.role, Report: a.report, Test: a.test.String(), Text: a.text.source()})
			}
		}
	}
	return out
}

// Entry is one assertion of a schema.
type Entry struct {
	Pattern, Context, ID, Flag, Role string
	Report                           bool
	Test                             string
	Text                             string // with {...} where a value is filled in
}

type pattern struct {
	id, name string
	lo, hi   int // its variables
	rules    []rule
}

type rule struct {
	id, flag, role string
	match          *xpath.Pattern
	lo, hi         int // its variables
	asserts        []assertion
	needs          needs
}

type assertion struct {
	id, flag, role string
	test           *xpath.Expr
	report         bool // fires when the test holds
	failed         bool // and yet counts as a failed assertion: rules read back from a style sheet
	text           *template
	diagnostics    []namedText
	properties     []namedText
}

type namedText struct {
	id   string
	text *template
}

// fires reports whether the value of the test makes the assertion fire.
func (a *assertion) fires(v bool) bool { return v == a.report }

type let struct {
	name  string
	rule  bool // evaluated at the node of the rule and not at the document
	value program
	first int  // index of the first variable that is declared inside of the value
	slots int  // how many there are
	tree  bool // the value is a document that the content makes
	as    *xpath.SequenceType
}

type key struct {
	match *xpath.Pattern
	use   *xpath.Expr
}

// template is a text with values in it.
type template struct {
	parts []textPart
	fixed string // the whole text when no part is an expression
}

type textPart struct {
	literal string
	expr    *xpath.Expr
}

func (t *template) source() string {
	if t == nil {
		return ""
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.expr != nil {
			b.WriteString("{" + p.expr.String() + "}")
		} else {
			b.WriteString(p.literal)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// Compile reads a schema and what it includes. The entry may also be a style sheet of XSLT that a compiler of
// Schematron has written, the skeleton of ISO or SchXslt: its rules are read back from it.
//
// The error is a *SchemaError, or that of the file system.
func Compile(fsys fs.FS, entry string, opt Options) (*Schema, error) {
	l := newLoader(fsys, opt.Documents)
	src, err := l.load(entry)
	if err != nil {
		return nil, err
	}
	return compile(src, l, opt)
}
