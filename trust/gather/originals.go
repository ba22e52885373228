package gather

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
)

// Original is content that was signed.
type Original struct {
	Name   string
	Octets []byte
}

// ErrNoOriginal says that the signed content does not stand with the signature, or is too large to be handed out.
var ErrNoOriginal = errors.New("gather: the signed content is not at hand")

// Originals returns what a signature covers of the document that it stands in, at most limit octets. What does not hold is not
// handed out.
func (s *Signature) Originals(limit int64) ([]Original, error) {
	for _, r := range s.References {
		if !r.Intact && !r.Entry {
			return nil, fmt.Errorf("%w: %s does not hold", ErrNoOriginal, r.Name)
		}
	}
	if !s.Intact || s.originals == nil {
		return nil, fmt.Errorf("%w: of a %s signature %s", ErrNoOriginal, s.Packaging, s.Level)
	}
	out, err := s.originals(limit)
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%w: it stands elsewhere", ErrNoOriginal)
	}
	return out, err
}

// bounded is a buffer that takes so many octets and no more.
type bounded struct {
	bytes.Buffer
	left int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, fmt.Errorf("%w: it is too large to be handed out", ErrNoOriginal)
	}
	return b.Buffer.Write(p)
}

// xmlOriginals are the objects that an XML signature signs beside its properties.
func xmlOriginals(c *xades.Checked, limit int64) (out []Original, err error) {
	b := bounded{left: limit}
	for i := range c.References {
		r := &c.References[i]
		if strings.HasPrefix(r.Type, "http://uri.etsi.org/") || r.Anonymous || r.URI != "" && !strings.HasPrefix(r.URI, "#") {
			continue
		}
		b.Reset()
		if err := c.WriteOctets(&b, i, c14n.Method{Algorithm: c14n.Inclusive10}); err != nil {
			return nil, err
		}
		out = append(out, Original{strings.TrimPrefix(r.URI, "#"), bytes.Clone(b.Bytes())})
	}
	return out, nil
}

// containerOriginals are files of a container.
func containerOriginals(files []*asic.File) func(limit int64) ([]Original, error) {
	return func(limit int64) (out []Original, err error) {
		b := bounded{left: limit}
		for _, f := range files {
			b.Reset()
			r, err := f.Open()
			if err != nil {
				return nil, err
			}
			_, err = io.Copy(&b, r)
			r.Close()
			if err != nil {
				return nil, err
			}
			out = append(out, Original{f.Name, bytes.Clone(b.Bytes())})
		}
		return out, nil
	}
}

// writerOriginal is the one content that something writes.
func writerOriginal(write func(w io.Writer) error) func(limit int64) ([]Original, error) {
	return func(limit int64) ([]Original, error) {
		b := bounded{left: limit}
		if err := write(&b); err != nil {
			return nil, err
		}
		return []Original{{"", b.Bytes()}}, nil
	}
}
