package dom

import (
	"errors"
	"fmt"
	"strconv"
)

// What a document can be refused for.
var (
	ErrSyntax    = errors.New("not well-formed XML")
	ErrDoctype   = errors.New("document type declaration is not allowed")
	ErrLimit     = errors.New("XML exceeds a limit")
	ErrEncoding  = errors.New("character encoding not usable")
	ErrNamespace = errors.New("not namespace-well-formed XML")
)

// Error is a complaint about one place of a document.
type Error struct {
	Line, Column int    // both from 1, the column in characters; 0 when not known
	Path         string // of the enclosing or concerned node, may be empty
	Msg          string
	Err          error // cause, for errors.Is and errors.As
}

func (e *Error) Error() string {
	s := e.Msg
	if e.Path != "" {
		s = e.Path + ": " + s
	}
	if e.Line == 0 {
		return s
	}
	sep := ": "
	if e.Path != "" {
		sep = ", "
	}
	return "line " + strconv.Itoa(e.Line) + sep + s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an *Error with the position and path of the node; %w keeps the cause.
func (n Node) Errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	e := &Error{Msg: err.Error(), Err: errors.Unwrap(err)}
	if _, ok := err.(interface{ Unwrap() []error }); ok {
		e.Err = err
	}
	if n.d != nil {
		e.Line, e.Column = n.Pos()
		e.Path = n.Path()
	}
	return e
}
