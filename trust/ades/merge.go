package ades

import (
	"bytes"
	"crypto"
	"fmt"
	"io"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// listOfFiles is not signed, and written anew when files come in [EN 319 162-1 4.4.3].
const listOfFiles = "META-INF/manifest.xml"

// Merge writes one container with the files and the signatures of several of one type, as they are. Files of one name must be the same,
// and so must be manifests that name one signature file: ErrParams. What is in one container only is copied as it is packed.
func Merge(w io.Writer, containers ...*asic.Container) error {
	if len(containers) < 2 {
		return fmt.Errorf("%w: there is nothing to merge with", ErrParams)
	}
	m := merger{into: containers[0], free: freeNames(containers[0]), edit: asic.Edit{Replace: map[string][]byte{}}, taken: map[string]*asic.File{}}
	for _, f := range m.into.Files {
		m.taken[f.Name] = f
	}
	for _, c := range containers[1:] {
		if c.Type != m.into.Type || c.Type == asic.Office {
			return fmt.Errorf("%w: a container of type %s and one of type %s are not merged", ErrParams, m.into.Type, c.Type)
		}
		for _, f := range c.Files {
			if err := m.take(f); err != nil {
				return err
			}
		}
	}
	if _, listed := m.taken[listOfFiles]; listed && m.more {
		var content []asic.Content
		for _, f := range slices.Concat(m.into.Files, m.files) {
			if !f.Meta() && f.Name != "mimetype" {
				content = append(content, asic.Content{Name: f.Name})
			}
		}
		m.edit.Replace[listOfFiles] = asic.WriteFiles(content)
	}
	return m.into.Edit(w, m.edit)
}

type merger struct {
	into  *asic.Container
	free  func(form string) string
	edit  asic.Edit
	taken map[string]*asic.File
	files []*asic.File // from the others
	more  bool         // content came in
}

// take puts a file of another container in.
func (m *merger) take(f *asic.File) error {
	there := m.taken[f.Name]
	switch {
	case there == nil:
		m.taken[f.Name] = f
		m.files = append(m.files, f)
		m.more = m.more || !f.Meta()
		m.edit.Take = append(m.edit.Take, asic.Taken{Name: f.Name, File: f})
		return nil
	case f.Name == "mimetype" || f.Name == listOfFiles:
		return nil
	}
	if same, err := equal(there, f); same || err != nil {
		return err
	}
	if !f.Signature() {
		return fmt.Errorf("%w: %s is not the same in both containers", ErrParams, f.Name)
	}
	if m.into.Type == asic.E && f.XML() {
		m.edit.Take = append(m.edit.Take, asic.Taken{Name: m.free("META-INF/signatures%03d.xml"), File: f})
		return nil
	}
	// one file holds the signatures of both
	b, err := f.Bytes()
	if err != nil {
		return err
	}
	to := m.edit.Replace[f.Name]
	if to == nil {
		if to, err = there.Bytes(); err != nil {
			return err
		}
	}
	join := joinMessages
	if f.XML() {
		join = joinXAdES
	}
	m.edit.Replace[f.Name], err = join(to, b)
	return err
}

func equal(a, b *asic.File) (bool, error) {
	if a.Size != b.Size {
		return false, nil
	}
	x, err := a.Digest(crypto.SHA256)
	if err != nil {
		return false, err
	}
	y, err := b.Digest(crypto.SHA256)
	return bytes.Equal(x, y), err
}

func joinMessages(to, other []byte) ([]byte, error) {
	a, err := cades.Parse(to)
	if err != nil {
		return nil, err
	}
	b, err := cades.Parse(other)
	if err != nil {
		return nil, err
	}
	if err := cades.Join(a[0].Message, b[0].Message); err != nil {
		return nil, err
	}
	return a[0].Message.Bytes()
}

func joinXAdES(to, other []byte) ([]byte, error) {
	a, err := dom.Parse(to, dom.Limits{})
	if err != nil {
		return nil, err
	}
	b, err := dom.Parse(other, dom.Limits{})
	if err != nil {
		return nil, err
	}
	for n := range b.Root().Elements() {
		if !n.Is(xmldsig.Namespace, "Signature") {
			return nil, n.Errorf("%w: something else than signatures stands in a signature file", ErrParams)
		}
		if to, err = xmldsig.InsertLast(a.Root(), n.Raw()); err != nil {
			return nil, err
		}
		if a, err = dom.Parse(bytes.Clone(to), dom.Limits{}); err != nil {
			return nil, err
		}
	}
	return to, nil
}
