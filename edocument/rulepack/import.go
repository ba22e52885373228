package rulepack

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

// ImportOptions say what the importer cannot find in a release.
type ImportOptions struct {
	Name      string // of the file or folder, with folders above it where these may tell the version
	URL, ETag string // where it was fetched, for its provenance
	Now       time.Time
	Only      string // one file of rules in the folder: the others are there to be included
	ID        string // for a release of one pack: its name; the version may be missing
	Version   string // of all packs, where the release does not tell
	ValidFrom time.Time
	ValidTo   time.Time
}

// ImportArchive makes packs of a ZIP archive as its publisher offers it. A pack file is taken as it is.
func ImportArchive(octets []byte, opt ImportOptions) ([]*Pack, error) {
	z, err := openArchive(octets)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRelease, err)
	}
	if _, err := fs.Stat(z, manifestFile); err == nil {
		p, err := Read(octets)
		if err != nil {
			return nil, err
		}
		if _, err := p.Compile(); err != nil {
			return nil, err
		}
		return []*Pack{p}, nil
	}
	sum := sha256.Sum256(octets)
	return importFrom(z, opt, hex.EncodeToString(sum[:]))
}

// Import makes packs of a folder.
func Import(fsys fs.FS, opt ImportOptions) ([]*Pack, error) { return importFrom(fsys, opt, "") }

func importFrom(fsys fs.FS, opt ImportOptions, sum string) ([]*Pack, error) {
	if opt.Only != "" {
		return importFile(fsys, opt)
	}
	files, err := load(fsys)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRelease, err)
	}
	r := &release{files: files, opt: opt, source: Source{Name: path.Base(opt.Name), URL: opt.URL, ETag: opt.ETag, SHA256: sum, Added: opt.Now.UTC().Truncate(time.Second)}, roots: map[string]dom.Node{}}
	var manifests []Manifest
	for _, recognise := range []func() ([]Manifest, error){r.scenarios, r.executorSets, r.espd, r.schematron, r.stylesheets, r.schemas} {
		if manifests, err = recognise(); err != nil {
			return nil, err
		}
		if manifests != nil {
			break
		}
	}
	if manifests == nil {
		return nil, fmt.Errorf("%w: %s has no scenarios.xml, no Schematron and no XML Schema", ErrRelease, opt.Name)
	}
	if opt.ID != "" && len(manifests) > 1 {
		return nil, fmt.Errorf("%s holds %d packs: they cannot have one name", opt.Name, len(manifests))
	}
	var out []*Pack
	seen := map[ID]string{}
	for _, m := range manifests {
		if err := r.name(&m); err != nil {
			return nil, err
		}
		if other, twice := seen[m.ID]; twice {
			return nil, fmt.Errorf("%s and %s would both be %s", other, m.Scenarios[0].entry(), m.ID)
		}
		seen[m.ID] = m.Scenarios[0].entry()
		p, err := r.pack(m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.ID, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// importFile makes a pack of one file and what it includes.
func importFile(fsys fs.FS, opt ImportOptions) ([]*Pack, error) {
	read := &reading{fsys: fsys, files: memory{}}
	m := Manifest{Scenarios: []Scenario{{Rules: []string{opt.Only}}}}
	kind := "Schematron"
	var err error
	switch strings.ToLower(path.Ext(opt.Only)) {
	case ".xsd":
		kind = "XML Schema"
		m.Scenarios = []Scenario{{Schemas: []string{opt.Only}}}
		_, err = xsd.Compile(read, xsd.Options{}, opt.Only)
	default:
		var s *schematron.Schema
		if s, err = schematron.Compile(read, opt.Only, schematron.Options{}); err == nil {
			for _, f := range s.Files() {
				for _, call := range documentCall.FindAllSubmatch(read.files[f], -1) {
					fs.ReadFile(read, path.Join(path.Dir(f), string(call[1]))) // what is not there is not needed until it is
				}
			}
		}
	}
	if err != nil {
		return nil, err
	}
	r := &release{files: read.files, opt: opt, source: Source{Name: path.Base(opt.Name), Added: opt.Now.UTC().Truncate(time.Second)}, roots: map[string]dom.Node{}}
	known := r.known(opt.Only, kind)
	known.Scenarios = m.Scenarios
	if err := r.name(&known); err != nil {
		return nil, err
	}
	p, err := r.pack(known)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", known.ID, err)
	}
	return []*Pack{p}, nil
}

// reading remembers what is read from a file system.
type reading struct {
	fsys  fs.FS
	files memory
}

func (r *reading) Open(name string) (fs.File, error) {
	if _, err := r.ReadFile(name); err != nil {
		return nil, err
	}
	return r.files.Open(name)
}

func (r *reading) ReadFile(name string) ([]byte, error) {
	if r.files[name] == nil {
		b, err := fs.ReadFile(r.fsys, name)
		if err != nil {
			return nil, err
		}
		r.files[name] = b
	}
	return r.files.ReadFile(name)
}

func (s *Scenario) entry() string {
	if len(s.Rules) > 0 {
		return s.Rules[0]
	}
	return strings.Join(s.Schemas, ", ")
}

// release is what an import works on.
type release struct {
	files  memory
	opt    ImportOptions
	source Source
	roots  map[string]dom.Node
}

// root parses a file and returns its document element; none where it is not well-formed.
func (r *release) root(name string) dom.Node {
	if n, ok := r.roots[name]; ok {
		return n
	}
	var n dom.Node
	if d, err := dom.Parse(bytes.Clone(r.files[name]), dom.Limits{}); err == nil {
		n = d.Root()
	}
	r.roots[name] = n
	return n
}

// name completes the name of a pack by what the caller said.
func (r *release) name(m *Manifest) error {
	if r.opt.ID != "" {
		id, err := ParseID(r.opt.ID)
		if err != nil {
			return err
		}
		id.Version = cmp.Or(id.Version, m.ID.Version)
		m.ID = id
	}
	m.ID.Version = cmp.Or(r.opt.Version, m.ID.Version)
	if m.ID.Version == "" {
		return fmt.Errorf("%s: %w", m.ID.Name(), ErrVersion)
	}
	if _, err := ParseID(m.ID.String()); err != nil {
		return err
	}
	if !r.opt.ValidFrom.IsZero() {
		m.ValidFrom = &r.opt.ValidFrom
	}
	if !r.opt.ValidTo.IsZero() {
		m.ValidTo = &r.opt.ValidTo
	}
	kind := m.Source.Kind
	m.Source = r.source
	m.Source.Kind = kind
	return nil
}

var documentCall = regexp.MustCompile(`document\(\s*['"]([^'"]+)['"]`)

// pack compiles what a manifest names and puts the files that took into a pack.
func (r *release) pack(m Manifest) (*Pack, error) {
	var files []string
	spaces, any := map[string]bool{}, false // of document elements
	for i := range m.Scenarios {
		s := &m.Scenarios[i]
		any = any || s.Match != ""
		var compiled []*schematron.Schema
		if len(s.Schemas) > 0 {
			x, err := xsd.Compile(r.files, xsd.Options{}, s.Schemas...)
			if err != nil {
				return nil, err
			}
			files = append(files, x.Files()...)
			for _, name := range x.Elements() {
				space, _, _ := strings.Cut(strings.TrimPrefix(name, "{"), "}")
				if !strings.HasPrefix(name, "{") {
					space = ""
				}
				spaces[space] = true
			}
		}
		for _, rules := range s.Rules {
			x, err := schematron.Compile(r.files, rules, schematron.Options{})
			if err != nil {
				return nil, err
			}
			compiled = append(compiled, x)
			for _, f := range x.Files() {
				files = append(files, f)
				for _, call := range documentCall.FindAllSubmatch(r.files[f], -1) {
					if name := path.Join(path.Dir(f), string(call[1])); r.find(name) {
						files = append(files, name)
					}
				}
			}
		}
		names := contextNames(compiled)
		any = any || names == nil && compiled != nil
		for name := range names {
			spaces[name.Space] = true
		}
	}
	if !any {
		m.Spaces = slices.Sorted(maps.Keys(spaces))
	}
	return build(m, r.files, files)
}

// find reports whether a document is there that rules read. Publishers build their rules in one folder and release them
// in several: the only file of that name will do.
func (r *release) find(name string) bool {
	if r.files[name] != nil {
		return true
	}
	var found []byte
	for other, b := range r.files {
		if path.Base(other) == path.Base(name) {
			if found != nil {
				return false
			}
			found = b
		}
	}
	if found == nil || !fs.ValidPath(name) {
		return false
	}
	r.files[name] = found
	return true
}

// byExtension returns the files with one of some extensions, sorted.
func (r *release) byExtension(ext ...string) (out []string) {
	for _, name := range r.files.names() {
		if slices.Contains(ext, strings.ToLower(path.Ext(name))) {
			out = append(out, name)
		}
	}
	return out
}

// schematron makes a pack of each schema of Schematron that no other includes.
func (r *release) schematron() ([]Manifest, error) {
	included := map[string]bool{}
	var entries []string
	for _, name := range r.byExtension(".sch") {
		n := r.root(name)
		if !n.Valid() {
			continue
		}
		for k := range n.Descendants() {
			if k.Is(schematron.Namespace, "include") || k.Is(schematron.Namespace, "extends") && k.Attr("href") != "" {
				file, _, _ := strings.Cut(k.Attr("href"), "#")
				included[path.Join(path.Dir(name), file)] = true
			}
		}
		if n.Is(schematron.Namespace, "schema") {
			entries = append(entries, name)
		}
	}
	var out []Manifest
	for _, name := range entries {
		stem := strings.TrimSuffix(path.Base(name), path.Ext(name))
		if included[name] || strings.HasSuffix(stem, "-preprocessed") && slices.ContainsFunc(entries, func(o string) bool {
			return strings.TrimSuffix(path.Base(o), path.Ext(o)) == strings.TrimSuffix(stem, "-preprocessed")
		}) {
			continue
		}
		out = append(out, r.known(name, "Schematron"))
	}
	return builtOnly(out), nil
}

// builtFolder is where the tools of OpenPeppol put rules with all that they include and the code lists in them.
const builtFolder = "target/schematron"

// builtOnly leaves out, where a release is a whole repository, the sources of what was built, and of the rules for
// documents before award the parts of earlier editions that nothing includes any more.
func builtOnly(all []Manifest) []Manifest {
	built, preAward := map[string]bool{}, false
	for _, m := range all {
		dir, file := path.Split(m.Scenarios[0].entry())
		if strings.HasSuffix("/"+path.Clean(dir), "/"+builtFolder) {
			built[file] = true
		}
		preAward = preAward || m.ID.Group == preAwardGroup
	}
	return slices.DeleteFunc(all, func(m Manifest) bool {
		dir, file := path.Split(m.Scenarios[0].entry())
		return built[file] && !strings.HasSuffix("/"+path.Clean(dir), "/"+builtFolder) || preAward && m.ID.Group == localGroup
	})
}

// stylesheets makes a pack of each style sheet that a compiler of Schematron has written.
func (r *release) stylesheets() (out []Manifest, err error) {
	for _, name := range r.byExtension(".xslt", ".xsl") {
		if bytes.Contains(r.files[name], []byte("fired-rule")) {
			out = append(out, r.known(name, "compiled Schematron"))
		}
	}
	return out, nil
}

// schemas makes one pack of the XML Schemas that no other imports.
func (r *release) schemas() ([]Manifest, error) {
	used := map[string]bool{}
	var all, entries []string
	for _, name := range r.byExtension(".xsd") {
		n := r.root(name)
		if !n.Is(xsd.Namespace, "schema") {
			continue
		}
		all = append(all, name)
		for k := range n.Elements() {
			if at := k.Attr("schemaLocation"); at != "" {
				used[path.Join(path.Dir(name), at)] = true
			}
		}
	}
	for _, name := range all {
		if !used[name] {
			entries = append(entries, name)
		}
	}
	if entries == nil {
		return nil, nil
	}
	m := r.known(entries[0], "XML Schema")
	m.Scenarios = []Scenario{{Schemas: entries}}
	if base := path.Base(path.Clean(r.opt.Name)); m.ID.Group == localGroup && base != "." {
		m.ID.Artifact = slug(base)
	}
	return []Manifest{m}, nil
}
