package main

import (
	"bytes"
	"testing"
)

func TestLinesAreBrokenBetweenWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		text          string
		indent, width int
		want          string
	}{
		{"a file is not broken", "one two three", 4, 0, "one two three"},
		{"a wide terminal shows one line", "one two three", 4, 80, "one two three"},
		{"a narrow one several, below each other", "the receipt is kept as evidence of message 1", 4, 30, "the receipt is kept as\n    evidence of message 1"},
		{"a path stays whole", "in /a/very/long/path/that/nobody/wants/broken for you", 2, 26, "in\n  /a/very/long/path/that/nobody/wants/broken\n  for you"},
		{"letters count, not octets", "ääää ööööö üüüüüü ßßßßßß x", 0, 24, "ääää ööööö üüüüüü ßßßßßß\nx"},
		{"the indent leaves some room", "one two three four five six", 38, 40, "one two three four five\n                                      six"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := wrapped(c.text, c.indent, c.width); got != c.want {
				t.Errorf("got\n%q\nwant\n%q", got, c.want)
			}
		})
	}
}

func TestNoTerminalNoColumns(t *testing.T) {
	t.Setenv("COLUMNS", "")
	if n := columns(new(bytes.Buffer)); n != 0 {
		t.Errorf("%d columns", n)
	}
	t.Setenv("COLUMNS", "72")
	if n := columns(new(bytes.Buffer)); n != 72 {
		t.Errorf("%d columns", n)
	}
}
