package rulepack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Library is the packs of a folder for a program that keeps running. Each is compiled when it is first needed, once.
// [Library.Refresh] sees what was added and removed, and replaces the whole set at one stroke: a document keeps the set
// that it began with. It serves any number of goroutines.
type Library struct {
	// Fallback judges documents that no pack is meant for, and explains what the others find; nil: nobody does. Set it before
	// the first use.
	Fallback edocument.Validator

	folder  Folder
	options Options
	set     atomic.Pointer[shelf]
	refresh sync.Mutex // held while the folder is read
}

// shelf is what a Library holds at one time.
type shelf struct {
	state map[string]fileState // of the folder
	books map[ID]*book
	order []*book // newest first, as List gives them
}

type fileState struct {
	size    int64
	changed time.Time
}

type book struct {
	pack    *Pack
	sum     string
	compile func() (*Compiled, error)
}

// NewLibrary reads a folder. Options.Now is replaced by the time of each question.
func NewLibrary(folder Folder, opt Options) (*Library, error) {
	l := &Library{folder: folder, options: opt}
	l.set.Store(&shelf{})
	_, err := l.Refresh()
	return l, err
}

// Refresh looks at the folder again and reports whether the set has changed. A pack that is damaged leaves the set as it
// was: the error names it.
func (l *Library) Refresh() (changed bool, err error) {
	l.refresh.Lock()
	defer l.refresh.Unlock()
	state := map[string]fileState{}
	entries, err := os.ReadDir(string(l.folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && !e.IsDir() && strings.HasSuffix(e.Name(), extension) {
			state[e.Name()] = fileState{info.Size(), info.ModTime()}
		}
	}
	old := l.set.Load()
	if maps.Equal(state, old.state) {
		return false, nil
	}
	packs, err := l.folder.List()
	if err != nil {
		return false, err
	}
	next := &shelf{state: state, books: map[ID]*book{}}
	for _, p := range packs {
		b := &book{pack: p, sum: p.SHA256(), compile: sync.OnceValues(p.Compile)}
		if was := old.books[p.ID]; was != nil && was.sum == b.sum {
			b = was // compiled already, perhaps
		}
		next.books[p.ID] = b
		next.order = append(next.order, b)
	}
	l.set.Store(next)
	return true, nil
}

// Packs are the packs of the set, by name, and of one name the newest first.
func (l *Library) Packs() (out []*Pack) {
	for _, b := range l.set.Load().order {
		out = append(out, b.pack)
	}
	return out
}

// find returns a pack; without a version the newest that is valid at a time and not deprecated.
func (s *shelf) find(id ID, at time.Time) (*book, error) {
	if id.Version != "" {
		if b := s.books[id]; b != nil {
			return b, nil
		}
		return nil, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	for _, b := range s.order {
		if b.pack.ID.Name() == id.Name() && b.pack.Deprecated == "" && b.pack.ValidAt(at) {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNotFound, id.Name())
}

// Open returns a judge of packs by their names and of those that they require, as [Folder.Open] does.
func (l *Library) Open(at time.Time, names ...string) (*Judge, error) {
	s := l.set.Load()
	order, err := inOrder(names, func(id ID) (*Pack, error) {
		b, err := s.find(id, at)
		if err != nil {
			return nil, err
		}
		return b.pack, nil
	})
	if err != nil {
		return nil, err
	}
	j := &Judge{Options: l.options, Explain: l.Fallback}
	j.Options.Now = at
	for _, p := range order {
		c, err := s.books[p.ID].compile()
		if err != nil {
			return nil, err
		}
		j.Packs = append(j.Packs, c)
	}
	return j, nil
}

// For returns a judge of the packs that are meant for a document: schemas that declare its root element, rules whose
// publisher names its specification, rules of others that are about such documents, and what these require. Of each the
// newest that is valid at that time. Without any rules among them the error is [edocument.ErrUnknownType].
func (l *Library) For(ctx context.Context, doc *dom.Document, at time.Time) (*Judge, error) {
	s := l.set.Load()
	specification := Specification(doc)
	var schemas, names []string
	seen := map[string]bool{}
	rules := false
	var asked []*book
	var compiling sync.WaitGroup
	for _, b := range s.order {
		name := b.pack.ID.Name()
		if seen[name] || b.pack.Deprecated != "" || !b.pack.ValidAt(at) || !meant(&b.pack.Manifest, specification) {
			continue
		}
		seen[name] = true
		if len(b.pack.Spaces) == 0 || slices.Contains(b.pack.Spaces, doc.Root().Space()) {
			asked = append(asked, b)
			compiling.Go(func() { b.compile() }) // side by side; what comes of it is kept
		}
	}
	compiling.Wait()
	for _, b := range asked {
		c, err := b.compile()
		if err != nil {
			return nil, err
		}
		opt := l.options
		opt.Now = at
		switch {
		case !c.Knows(ctx, doc, opt):
		case b.pack.schemasOnly():
			schemas = append(schemas, b.pack.ID.String())
		default:
			rules = true
			names = append(names, b.pack.ID.String())
		}
	}
	if !rules {
		return nil, edocument.ErrUnknownType
	}
	return l.Open(at, append(schemas, names...)...)
}

// Validate judges a document by packs with these names, or without names by those that are meant for it, else by the
// fallback.
func (l *Library) Validate(ctx context.Context, doc *dom.Document, at time.Time, names ...string) (*edocument.Report, error) {
	var j *Judge
	var err error
	if len(names) > 0 {
		j, err = l.Open(at, names...)
	} else if j, err = l.For(ctx, doc, at); errors.Is(err, edocument.ErrUnknownType) && l.Fallback != nil {
		return l.Fallback.Validate(doc)
	}
	if err != nil {
		return nil, err
	}
	return j.ValidateContext(ctx, doc)
}

func (m *Manifest) schemasOnly() bool {
	return !slices.ContainsFunc(m.Scenarios, func(s Scenario) bool { return len(s.Rules) > 0 })
}

// Specification is the identifier of the specification that a document says it obeys: BT-24 of an invoice, the
// customization of another document of UBL; "" where it says none.
func Specification(doc *dom.Document) string {
	const cbc = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
	root := doc.Root()
	if n := root.Child(cbc, "CustomizationID"); n.Valid() {
		return n.TrimmedText()
	}
	for n := range root.Elements() {
		if n.Local() != "ExchangedDocumentContext" {
			continue
		}
		for k := range n.Elements() {
			if k.Local() == "GuidelineSpecifiedDocumentContextParameter" {
				return k.Child(k.Space(), "ID").TrimmedText()
			}
		}
	}
	return ""
}

// inOrder resolves names of packs to packs, those before each that it requires.
func inOrder(names []string, find func(ID) (*Pack, error)) (order []*Pack, err error) {
	seen := map[ID]bool{}
	var need func(name string, by string) error
	need = func(name string, by string) error {
		id, err := ParseID(name)
		if err != nil {
			return err
		}
		p, err := find(id)
		if err != nil {
			if by != "" {
				return fmt.Errorf("%s requires %s: %w", by, name, err)
			}
			return err
		}
		if seen[p.ID] {
			return nil
		}
		seen[p.ID] = true
		for _, r := range p.Requires {
			if err := need(r, p.ID.String()); err != nil {
				return err
			}
		}
		order = append(order, p)
		return nil
	}
	for _, name := range names {
		if err := need(name, ""); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(order, func(a, b *Pack) int { // structure before rules
		return cmp.Compare(rank(a), rank(b))
	})
	return order, nil
}

func rank(p *Pack) int {
	if p.schemasOnly() {
		return 0
	}
	return 1
}
