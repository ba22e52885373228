package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// columns is how wide the terminal is that a person reads on; 0 where lines are not to be broken: a file, a pipe.
func columns(w io.Writer) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if f, ok := w.(*os.File); ok && isTerminal(w) {
		return terminalWidth(f)
	}
	return 0
}

// leastColumns is what a line keeps beside its indent, however narrow the terminal is.
const leastColumns = 24

// wrapped breaks text between words, so that no line that begins at column indent goes beyond width. A word that is longer
// than a line, such as a path to be copied, stays whole.
func wrapped(text string, indent, width int) string {
	if width == 0 {
		return text
	}
	room := max(width-indent, leastColumns)
	var b strings.Builder
	at := 0
	for i, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > room:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}
