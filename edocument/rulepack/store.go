package rulepack

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Folder keeps packs, one file each.
type Folder string

const extension = ".pack.zip"

func (f Folder) file(id ID) string {
	return filepath.Join(string(f), id.Group+"="+id.Artifact+"="+id.Version+extension)
}

// Add stores a pack. Storing the same rules again changes nothing; other rules under the same name are ErrExists.
func (f Folder) Add(p *Pack) error {
	if old, err := f.read(f.file(p.ID)); err == nil {
		if old.Same(p) {
			return nil
		}
		return fmt.Errorf("%w: %s was added on %s", ErrExists, p.ID, old.Source.Added.Format(time.DateOnly))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(string(f), 0o755); err != nil {
		return err
	}
	t, err := os.CreateTemp(string(f), ".pack-*")
	if err != nil {
		return err
	}
	defer os.Remove(t.Name())
	_, err = t.Write(p.octets)
	err = errors.Join(err, t.Chmod(0o644), t.Sync(), t.Close())
	if err != nil {
		return err
	}
	return os.Rename(t.Name(), f.file(p.ID))
}

// Same reports whether two packs hold the same rules, whenever they were added.
func (p *Pack) Same(other *Pack) bool {
	x, y := p.Manifest, other.Manifest
	x.Source, y.Source = Source{}, Source{}
	x.Spaces, y.Spaces = nil, nil // they follow from the rules
	if !bytes.Equal(x.marshal(), y.marshal()) {
		return false
	}
	files := func(p *Pack) memory { m, _ := load(p.files); return m }
	m, n := files(p), files(other)
	if len(m) != len(n) {
		return false
	}
	for name, content := range m {
		if !bytes.Equal(content, n[name]) {
			return false
		}
	}
	return true
}

func (f Folder) read(file string) (*Pack, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p, err := Read(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

// List returns all packs by name, and of one name the newest first. A folder that is not there holds none.
func (f Folder) List() ([]*Pack, error) {
	entries, err := os.ReadDir(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []*Pack
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), extension) {
			continue
		}
		p, err := f.read(filepath.Join(string(f), e.Name()))
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *Pack) int {
		if c := strings.Compare(a.ID.Name(), b.ID.Name()); c != 0 {
			return c
		}
		return CompareVersions(b.ID.Version, a.ID.Version)
	})
	return out, nil
}

// Get returns a pack; without a version the newest that is valid at a time and not deprecated.
func (f Folder) Get(id ID, at time.Time) (*Pack, error) {
	if id.Version != "" {
		p, err := f.read(f.file(id))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %s", ErrNotFound, id)
		}
		return p, err
	}
	all, err := f.List()
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if p.ID.Name() == id.Name() && p.Deprecated == "" && p.ValidAt(at) {
			return p, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNotFound, id.Name())
}

// Remove deletes a pack.
func (f Folder) Remove(id ID) error {
	err := os.Remove(f.file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return err
}

// Open compiles packs by their names for judging, those before them that they require; schemas come first.
func (f Folder) Open(at time.Time, names ...string) (*Judge, error) {
	order, err := inOrder(names, func(id ID) (*Pack, error) { return f.Get(id, at) })
	if err != nil {
		return nil, err
	}
	return Compile(order...)
}

// Compile compiles packs side by side for judging in their order.
func Compile(packs ...*Pack) (*Judge, error) {
	j := &Judge{Packs: make([]*Compiled, len(packs))}
	errs := make([]error, len(packs))
	done := make(chan struct{}, len(packs))
	for i, p := range packs {
		go func() {
			j.Packs[i], errs[i] = p.Compile()
			done <- struct{}{}
		}()
	}
	for range packs {
		<-done
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return j, nil
}
