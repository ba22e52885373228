package audit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/node/audit/merkle"
)

// Inclusion is the path from one entry to the root of a head.
//
//	viadukt inclusion proof 1
//	index 123
//	size 4711
//	hash HEX             from the leaf to the root
//	...
type Inclusion struct {
	Index, Size int64
	Hashes      []merkle.Hash
}

// Consistency is the proof that the log of the second size begins with that of the first.
//
//	viadukt consistency proof 1
//	first 123
//	second 4711
//	hash HEX
//	...
type Consistency struct {
	First, Second int64
	Hashes        []merkle.Hash
}

const (
	inclusionTitle   = "viadukt inclusion proof 1\n"
	consistencyTitle = "viadukt consistency proof 1\n"
	maxProof         = 200 // hashes; a log of 2^63 entries needs 126
)

// ErrPath says that octets are not a proof in its one form.
var ErrPath = errors.New("audit: not a proof")

// Octets writes the proof.
func (p *Inclusion) Octets() []byte {
	return writePath(inclusionTitle, "index", p.Index, "size", p.Size, p.Hashes)
}

// Octets writes the proof.
func (p *Consistency) Octets() []byte {
	return writePath(consistencyTitle, "first", p.First, "second", p.Second, p.Hashes)
}

func writePath(title, a string, x int64, b string, y int64, hashes []merkle.Hash) []byte {
	out := fmt.Appendf(nil, "%s%s %d\n%s %d\n", title, a, x, b, y)
	for _, h := range hashes {
		out = fmt.Appendf(out, "hash %x\n", h)
	}
	return out
}

// ParseInclusion reads a proof.
func ParseInclusion(b []byte) (*Inclusion, error) {
	p := &Inclusion{}
	var err error
	p.Index, p.Size, p.Hashes, err = readPath(b, inclusionTitle, "index", "size")
	return p, err
}

// ParseConsistency reads a proof.
func ParseConsistency(b []byte) (*Consistency, error) {
	p := &Consistency{}
	var err error
	p.First, p.Second, p.Hashes, err = readPath(b, consistencyTitle, "first", "second")
	return p, err
}

func readPath(b []byte, title, a, c string) (x, y int64, hashes []merkle.Hash, err error) {
	text, ok := strings.CutPrefix(string(b), title)
	if !ok {
		return 0, 0, nil, fmt.Errorf("%w: it does not begin with %q", ErrPath, strings.TrimSpace(title))
	}
	n := 0
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch {
		case n == 0 && name == a:
			x, err = strconv.ParseInt(value, 10, 64)
		case n == 1 && name == c:
			y, err = strconv.ParseInt(value, 10, 64)
		case n >= 2 && n < maxProof && name == "hash":
			var h merkle.Hash
			h, err = parseHash(value)
			hashes = append(hashes, h)
		default:
			err = fmt.Errorf("unexpected line %.80q", line)
		}
		if err != nil {
			return 0, 0, nil, fmt.Errorf("%w: %w", ErrPath, err)
		}
		n++
	}
	if n < 2 || string(writePath(title, a, x, c, y, hashes)) != string(b) {
		return 0, 0, nil, fmt.Errorf("%w: its lines are not in their one form", ErrPath)
	}
	return x, y, hashes, nil
}
