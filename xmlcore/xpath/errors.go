package xpath

import (
	"errors"
	"fmt"
	"strings"
)

// Questions that callers ask with errors.Is.
var (
	ErrStatic    = errors.New("xpath: static error")     // found by Compile: the expression is wrong for every document
	ErrDynamic   = errors.New("xpath: dynamic error")    // found by evaluation, types included
	ErrLimit     = errors.New("xpath: limit reached")    // more work, memory or depth than allowed
	ErrCancelled = errors.New("xpath: evaluation ended") // by Context.Cancel
)

// ErrorSpace is the namespace of the error codes of the specifications.
const ErrorSpace = "http://www.w3.org/2005/xqt-errors"

// Error is an error of an expression, with its code [XPath20 2.3.2].
type Error struct {
	Code   QName  // "err:XPTY0004"; reaching a limit is err:XPDY0130
	Msg    string // what was wrong
	Expr   string // the whole expression
	Offset int    // octet in Expr where the part that failed begins; -1 when it is not known
	End    int    // octet after that part
	Path   string // of the node that was the context, "" when there was none
	Line   int    // of that node; 0 when there was none
	Value  Sequence
	kind   error
	cause  error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("xpath: " + e.Code.String() + ": " + e.Msg)
	if e.Expr != "" && e.Offset >= 0 {
		fmt.Fprintf(&b, ", at character %d", len([]rune(e.Expr[:min(e.Offset, len(e.Expr))]))+1)
		if part := e.Part(); part != "" {
			b.WriteString(" in " + clip(part))
		}
	}
	if e.Path != "" {
		fmt.Fprintf(&b, ", line %d, %s", e.Line, e.Path)
	}
	return b.String()
}

// Part returns the text of the sub-expression that failed.
func (e *Error) Part() string {
	if e.Offset < 0 || e.Offset >= e.End || e.End > len(e.Expr) {
		return ""
	}
	return e.Expr[e.Offset:e.End]
}

// Is makes an error equal to the sentinel of its kind.
func (e *Error) Is(target error) bool { return target == e.kind }

func (e *Error) Unwrap() error { return e.cause }

// clip shortens what is quoted in messages.
func clip(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}

func errorf(code, format string, args ...any) *Error {
	return &Error{Code: QName{ErrorSpace, code, "err"}, Msg: fmt.Sprintf(format, args...), Offset: -1, kind: ErrDynamic}
}

// fail ends an evaluation; the entry points turn it into an error that is returned.
func fail(code, format string, args ...any) {
	panic(errorf(code, format, args...))
}

func failLimit(format string, args ...any) {
	e := errorf("XPDY0130", format, args...)
	e.kind = ErrLimit
	panic(e)
}
