// Package architecture reads the source of the project itself, so that tests can hold it against its own map: which
// package may import which, what the building blocks may be called, and that each exists once.
package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Module is the import path of the root.
const Module = "github.com/viadukt-eu/viadukt"

// Package is one folder with Go source, tests left out.
type Package struct {
	Path    string // from the root, "edelivery/as4"
	Files   []*ast.File
	Names   []string        // of the files
	Imports map[string]bool // of this module, from the root
}

// Root is the folder of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Load parses every package below root, by path.
func Load(root string) (map[string]*Package, error) {
	packages := map[string]*Package{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "interop") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		dir = filepath.ToSlash(dir)
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		p := packages[dir]
		if p == nil {
			p = &Package{Path: dir, Imports: map[string]bool{}}
			packages[dir] = p
		}
		p.Files, p.Names = append(p.Files, f), append(p.Names, name)
		for _, i := range f.Imports {
			if rest, ok := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), Module+"/"); ok {
				p.Imports[rest] = true
			}
		}
		return nil
	})
	return packages, err
}

// Under reports whether a package is a folder or lies below it.
func Under(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// Reaches says whether a package needs another one, directly or not.
func Reaches(packages map[string]*Package, from, to string) bool {
	seen := map[string]bool{}
	var walk func(string) bool
	walk = func(path string) bool {
		if path == to {
			return true
		}
		if seen[path] || packages[path] == nil {
			return false
		}
		seen[path] = true
		for i := range packages[path].Imports {
			if walk(i) {
				return true
			}
		}
		return false
	}
	return walk(from)
}

// Exported lists the exported names of a package: functions, methods, types, fields, constants and variables.
func (p *Package) Exported() (names []string) {
	add := func(ids ...*ast.Ident) {
		for _, id := range ids {
			if id != nil && id.IsExported() {
				names = append(names, id.Name)
			}
		}
	}
	for _, f := range p.Files {
		names = append(names, f.Name.Name)
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				add(d.Name)
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.ValueSpec:
						add(s.Names...)
					case *ast.TypeSpec:
						add(s.Name)
						ast.Inspect(s.Type, func(n ast.Node) bool {
							if f, ok := n.(*ast.Field); ok {
								add(f.Names...)
							}
							return true
						})
					}
				}
			}
		}
	}
	return names
}

// Literal reports whether a string constant in the package contains text.
func (p *Package) Literal(text string) bool {
	found := false
	for _, f := range p.Files {
		ast.Inspect(f, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING && strings.Contains(l.Value, text) {
				found = true
			}
			return !found
		})
	}
	return found
}
