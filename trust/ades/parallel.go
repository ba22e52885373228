package ades

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// SignParallel signs what a signed file is over once more, with a key at hand: see [PrepareParallel] and [Sign].
func SignParallel(ctx context.Context, w io.Writer, random io.Reader, id *pki.Identity, r io.ReaderAt, size int64, documents []xades.Document, p Params, stamper tsp.Stamper) error {
	p.by(ctx, id, stamper)
	q, err := PrepareParallel(r, size, documents, p)
	if err != nil {
		return err
	}
	return q.sign(w, random, id)
}

// PrepareParallel makes all of one more signature but its value, over what a signed file is over and beside the signatures that are
// there: of a CMS message, a JWS, which gets its general form, or a container. In XML and PDF the next signature is made as the
// first one, by [Prepare]. Format, where it is given, and packaging are those of the file; documents are what is signed and not in it.
func PrepareParallel(r io.ReaderAt, size int64, documents []xades.Document, p Params) (*Pending, error) {
	head := make([]byte, 2)
	if _, err := r.ReadAt(head, 0); err == nil && string(head) == "PK" {
		c, err := asic.Open(r, size)
		if err != nil {
			return nil, err
		}
		return p.besideFiles(c)
	}
	b := make([]byte, size)
	if _, err := r.ReadAt(b, 0); err != nil && err != io.EOF {
		return nil, err
	}
	if jades.Recognise(b) {
		return p.besideJSON(b, documents)
	}
	return p.besideCMS(b, documents)
}

// beside makes the signature by itself, and has it put where it belongs.
func (p Params) beside(documents []xades.Document, join func(alone []byte) ([]byte, error)) (*Pending, error) {
	q, err := Prepare(documents, p)
	if err != nil {
		return nil, err
	}
	return q.then(join), nil
}

// then has what comes out put where it belongs.
func (q *Pending) then(put func(b []byte) ([]byte, error)) *Pending {
	made := q.complete
	q.complete = whole(func(value []byte) ([]byte, error) {
		var b bytes.Buffer
		if err := made(&b, value); err != nil {
			return nil, err
		}
		return put(b.Bytes())
	})
	return q
}

func (p Params) besideCMS(b []byte, documents []xades.Document) (*Pending, error) {
	all, err := cades.Parse(b)
	if err != nil {
		return nil, err
	}
	m := all[0].Message
	if !m.Detached {
		var content bytes.Buffer
		if _, err := m.Content().WriteTo(&content); err != nil {
			return nil, err
		}
		documents = []xades.Document{xades.Bytes("", "", content.Bytes())}
	}
	if len(documents) != 1 {
		return nil, fmt.Errorf("%w: the one document that the signatures are over is needed", ErrParams)
	}
	for _, s := range all {
		if f := s.Verify(gather.Content(documents[0])); f.Content != nil {
			return nil, fmt.Errorf("%w: one that is there is not over this content", ErrBroken)
		}
	}
	p.Format, p.Packaging = CAdES, Detached
	return p.beside(documents, func(alone []byte) ([]byte, error) {
		mine, err := cades.Parse(alone)
		if err != nil {
			return nil, err
		}
		if err := cades.Join(m, mine[0].Message); err != nil {
			return nil, err
		}
		return m.Bytes()
	})
}

func (p Params) besideJSON(b []byte, documents []xades.Document) (*Pending, error) {
	m, err := jades.Parse(b)
	if err != nil {
		return nil, err
	}
	p.Format, p.Packaging, p.JSON = JAdES, Detached, jades.General
	if !m.Detached() {
		s := m.Signatures[0]
		p.Packaging, p.RawJSON = Enveloping, !s.Encoded
		var content bytes.Buffer
		if err := s.Check(jades.CheckOptions{}).WriteContent(&content); err != nil {
			return nil, err
		}
		documents = []xades.Document{xades.Bytes("", "", content.Bytes())}
	}
	return p.beside(documents, func(alone []byte) ([]byte, error) {
		mine, err := jades.Parse(alone)
		if err != nil {
			return nil, err
		}
		if err := m.Join(mine); err != nil {
			return nil, err
		}
		return m.Bytes()
	})
}

func (p Params) besideFiles(c *asic.Container) (*Pending, error) {
	var documents []xades.Document
	var content []asic.Content
	for _, f := range c.Data() {
		documents = append(documents, xades.Document{Name: f.Name, Open: f.Open})
		content = append(content, asic.Content{Name: f.Name, Open: f.Open})
	}
	i := slices.IndexFunc(c.Files, (*asic.File).Signature)
	if i < 0 {
		return nil, fmt.Errorf("%w: there is no signature in the container to stand beside", ErrParams)
	}
	there := c.Files[i]
	f := CAdES
	if there.XML() {
		f = XAdES
	}
	if p.Format != "" && p.Format != f {
		return nil, fmt.Errorf("%w: the container holds %s, so the next signature is that, too", ErrParams, f)
	}
	p.Format, p.Packaging, p.Container = f, Detached, ""
	edit := func(e asic.Edit) ([]byte, error) {
		var out bytes.Buffer
		err := c.Edit(&out, e)
		return out.Bytes(), err
	}
	switch {
	case c.Type == asic.S: // signatures stand in one file
		b, err := there.Bytes()
		if err != nil {
			return nil, err
		}
		replace := func(b []byte) ([]byte, error) { return edit(asic.Edit{Replace: map[string][]byte{there.Name: b}}) }
		if p.Format == CAdES {
			q, err := p.besideCMS(b, documents)
			if err != nil {
				return nil, err
			}
			return q.then(replace), nil
		}
		doc, err := dom.Parse(b, dom.Limits{})
		if err != nil {
			return nil, err
		}
		return p.beside(documents, func(alone []byte) ([]byte, error) {
			mine, err := dom.Parse(alone, dom.Limits{})
			if err != nil {
				return nil, err
			}
			b, err := xmldsig.InsertLast(doc.Root(), mine.Root().Raw())
			if err != nil {
				return nil, err
			}
			return replace(b)
		})
	case p.Format == XAdES:
		name := freeNames(c)("META-INF/signatures%03d.xml")
		return p.beside(documents, func(alone []byte) ([]byte, error) {
			return edit(asic.Edit{Add: []asic.Small{{Name: name, Octets: asic.WrapXAdES(alone)}}})
		})
	}
	free := freeNames(c)
	name, manifest := free("META-INF/signature%03d.p7s"), free("META-INF/ASiCManifest%03d.xml")
	b, err := p.manifest(name, content)
	if err != nil {
		return nil, err
	}
	return p.beside([]xades.Document{xades.Bytes(manifest, "text/xml", b)}, func(alone []byte) ([]byte, error) {
		return edit(asic.Edit{Add: []asic.Small{{Name: manifest, Octets: b}, {Name: name, Octets: alone}}})
	})
}

// SignCounter counter-signs a signature with a key at hand, at level B: see [PrepareCounter].
func SignCounter(w io.Writer, random io.Reader, id *pki.Identity, b []byte, of string, p Params) error {
	p.by(context.Background(), id, nil)
	q, err := PrepareCounter(b, of, p)
	if err != nil {
		return err
	}
	return q.sign(w, random, id)
}
