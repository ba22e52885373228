package main

import (
	"fmt"
	"time"
)

// tally is a bar on standard error, for people who wait for many documents. Where nobody watches it is nothing.
type tally struct {
	p     *program
	of    int
	last  time.Time
	shown bool
}

// tallyFrom is how many documents make a bar worth while, and tallyPause how often it moves.
const (
	tallyFrom  = 20
	tallyPause = 100 * time.Millisecond
)

func (p *program) tally(of int) *tally {
	if of < tallyFrom || !isTerminal(p.err) {
		return nil
	}
	return &tally{p: p, of: of}
}

func (b *tally) step(done, bad int) {
	if b == nil || time.Since(b.last) < tallyPause && done < b.of {
		return
	}
	b.last, b.shown = time.Now(), true
	fmt.Fprintf(b.p.err, "\r\x1b[K%s %d of %d, %d not valid", bar(int64(done), int64(b.of)), done, b.of, bad)
}

// clear makes room for a line of the report.
func (b *tally) clear() {
	if b != nil && b.shown && isTerminal(b.p.out) {
		fmt.Fprint(b.p.err, "\r\x1b[K")
	}
}

func (b *tally) end() {
	if b != nil && b.shown {
		fmt.Fprint(b.p.err, "\r\x1b[K")
		b.shown = false
	}
}
