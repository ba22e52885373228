package audit

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/audit/merkle"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Head is the signed root of the log at a size: by it the node stands for every entry before.
//
//	viadukt log head 1
//	log HEX              hash of the log's first entry, which names the log
//	size 4711
//	root HEX             hash of the tree over all entries [RFC 9162 2.1]
//	time 2026-05-04T09:30:00.000Z
//	certificate HEX
//	algorithm rsa-pss-sha256
//	signature BASE64
type Head struct {
	Log         merkle.Hash
	Size        int64
	Root        merkle.Hash
	Time        time.Time
	Certificate [32]byte // SHA-256 of the signer's certificate
	Octets      []byte

	sealed sealed
}

const headTitle = "viadukt log head 1\n"

// ErrHead says that octets are not a head in its one form.
var ErrHead = errors.New("audit: not a head of the log")

// SignHead makes a head.
func SignHead(log merkle.Hash, size int64, root merkle.Hash, at time.Time, id *pki.Identity, random io.Reader) (*Head, error) {
	at = at.UTC().Truncate(time.Millisecond)
	b, err := seal(headText(log, size, root, at), id, random)
	if err != nil {
		return nil, err
	}
	return ParseHead(b)
}

func headText(log merkle.Hash, size int64, root merkle.Hash, at time.Time) []byte {
	return fmt.Appendf(nil, "%slog %x\nsize %d\nroot %x\ntime %s\n", headTitle, log, size, root, at.Format(timeForm))
}

// ParseHead reads a head. Its signature is for [Head.Verify].
func ParseHead(b []byte) (*Head, error) {
	s, err := openSealed(b)
	if err != nil {
		return nil, err
	}
	h := &Head{Octets: b, Certificate: s.certificate, sealed: s}
	text, ok := strings.CutPrefix(string(s.text), headTitle)
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrHead, strings.TrimSpace(headTitle))
	}
	f := fields(text, "log", "size", "root", "time")
	if f == nil {
		return nil, fmt.Errorf("%w: its lines are not log, size, root, time", ErrHead)
	}
	var errs [4]error
	h.Log, errs[0] = parseHash(f[0])
	h.Size, errs[1] = strconv.ParseInt(f[1], 10, 64)
	h.Root, errs[2] = parseHash(f[2])
	h.Time, errs[3] = time.Parse(timeForm, f[3])
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHead, err)
	}
	if h.Size < 0 || !bytes.Equal(headText(h.Log, h.Size, h.Root, h.Time), s.text) {
		return nil, fmt.Errorf("%w: its lines are not in their one form", ErrHead)
	}
	return h, nil
}

// Verify checks the signature with the signer's certificate. Whether that is to be trusted is another question.
func (h *Head) Verify(c *pki.Certificate) error { return h.sealed.verify(c) }

// fields takes lines apart that each are a name, a space and a value; nil when they are others.
func fields(text string, names ...string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if len(out) == len(names) {
			return nil
		}
		v, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), names[len(out)]+" ")
		if !ok {
			return nil
		}
		out = append(out, v)
	}
	if len(out) != len(names) {
		return nil
	}
	return out
}

func parseHash(s string) (h merkle.Hash, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("%.80q is no SHA-256 in hexadecimal", s)
	}
	return merkle.Hash(b), nil
}

// ParseHashes reads a path as the API gives it: SHA-256 in hexadecimal.
func ParseHashes(list []string) ([]merkle.Hash, error) {
	out := make([]merkle.Hash, len(list))
	for i, s := range list {
		var err error
		if out[i], err = parseHash(s); err != nil {
			return nil, err
		}
	}
	return out, nil
}
