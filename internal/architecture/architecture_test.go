package architecture

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors of docs/architecture.md: the packages of each, in the order of the page; beside are those on none.
type floors struct {
	number, place map[string]int // by package: 1 to 6, and where it stands in the whole list
	beside        []string
}

// page reads the map of docs/architecture.md, which is the only list there is.
func page(t *testing.T) *floors {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(Root(), "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	f := &floors{map[string]int{}, map[string]int{}, nil}
	for _, row := range regexp.MustCompile(`(?m)^\| ([1-6-]) \| ([^|]+) \|`).FindAllStringSubmatch(string(b), -1) {
		for _, p := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[2], -1) {
			if _, twice := f.place[p[1]]; twice || slices.Contains(f.beside, p[1]) {
				t.Errorf("docs/architecture.md lists %s twice", p[1])
			}
			n, err := strconv.Atoi(row[1])
			if err != nil {
				f.beside = append(f.beside, p[1])
				continue
			}
			f.number[p[1]], f.place[p[1]] = n, len(f.place)
		}
	}
	return f
}

func load(t *testing.T) map[string]*Package {
	t.Helper()
	p, err := Load(Root())
	if err != nil {
		t.Fatal(err)
	}
	if len(p) < 20 || p["edelivery/as4"] == nil {
		t.Fatalf("only %d packages: is this the repository?", len(p))
	}
	return p
}

func TestPackagesImportOnlyWhatStandsBelow(t *testing.T) {
	t.Parallel()
	f, packages := page(t), load(t)
	for path, p := range packages {
		from, ok := f.place[path]
		switch {
		case slices.Contains(f.beside, path):
			continue
		case !ok:
			t.Errorf("%s is not in the list of floors in docs/architecture.md", path)
			continue
		}
		for i := range p.Imports {
			if to, ok := f.place[i]; !ok {
				t.Errorf("%s imports %s, which is for tests", path, i)
			} else if to > from {
				t.Errorf("%s imports %s, which stands above it", path, i)
			}
		}
	}
	for path := range f.place {
		if packages[path] == nil {
			t.Errorf("docs/architecture.md lists %s, which is not there", path)
		}
	}
	if i := packages["client"].Imports; len(i) > 0 {
		t.Errorf("client is for programs elsewhere, and imports %v", slices.Collect(maps.Keys(i)))
	}
}

func TestDomainsAreKnownToTheProgramAlone(t *testing.T) {
	t.Parallel()
	packages := load(t)
	for path, p := range packages {
		for i := range p.Imports {
			if !Under(i, "domains") {
				continue
			}
			name := func(path string) string { return strings.Split(path+"//", "/")[1] }
			if Under(path, "domains") && name(path) != name(i) {
				t.Errorf("domain %s imports domain %s", path, i)
			}
		}
	}
	// In the program itself one file knows them.
	program := packages["cmd/viadukt"]
	for n, f := range program.Files {
		for _, i := range f.Imports {
			if strings.HasPrefix(i.Path.Value, `"`+Module+"/domains") && program.Names[n] != "domains.go" {
				t.Errorf("%s imports %s: domains.go is the file that knows the domains", program.Names[n], i.Path.Value)
			}
		}
	}
}

// domainWords must not occur in what the building blocks export: they are for people with other purposes as well.
var domainWords = regexp.MustCompile(`(?i)peppol|procure|invoice|creditnote|tender|ecodex|justice|court|lawsuit|epsos|health|patient|prescription|clinic|spocs|oots|bakery|stork|citizen|company|customs|dossier`)

func TestSeed(t *testing.T) {
	t.Parallel()
	t.Run("ESENS-1", func(t *testing.T) { // one implementation of each building block, used by all
		t.Parallel()
		f, packages := page(t), load(t)
		for _, c := range []struct{ what, mark, owner string }{
			{"XML Signature", "SignatureValue", "trust/xmldsig"},
			{"XML Encryption", "xmlenc11#", "trust/xmlenc"},
			{"the ebMS header", "ebms/v3.0/ns/core/200704/", "edelivery/ebms"},
		} {
			var found []string
			for path, p := range packages {
				if n := f.number[path]; n >= 1 && n <= 3 && p.Literal(c.mark) {
					found = append(found, path)
				}
			}
			if !slices.Equal(found, []string{c.owner}) {
				t.Errorf("%s is written or read in %v, want %s alone", c.what, found, c.owner)
			}
		}
		count := map[string][]string{}
		for path := range packages {
			count[filepath.Base(path)] = append(count[filepath.Base(path)], path)
		}
		for _, block := range []string{"as4", "xmldsig", "xmlenc", "c14n", "smp", "saml"} {
			if len(count[block]) > 1 {
				t.Errorf("%s is there more than once: %v", block, count[block])
			}
		}
		for _, block := range []string{"edelivery/as4", "trust/xmldsig", "trust/xmlenc", "xmlcore/c14n", "xmlcore/dom"} {
			for _, user := range []string{"domains/procurement", "node", "cmd/viadukt"} {
				if !Reaches(packages, user, block) {
					t.Errorf("%s does not use %s", user, block)
				}
			}
		}
	})
	t.Run("ESENS-4", func(t *testing.T) { // general purpose components: no word of a domain in their names
		t.Parallel()
		f, names := page(t), 0
		for path, p := range load(t) {
			if n := f.number[path]; n < 1 || n > 3 || Under(path, "edocument") {
				continue
			}
			for _, n := range p.Exported() {
				names++
				if domainWords.MatchString(n) && !(path == "eid/stork" && n == "stork") { // the profile has no other name
					t.Errorf("%s exports %s", path, n)
				}
			}
		}
		if names < 500 {
			t.Errorf("only %d names were looked at", names)
		}
	})
	t.Run("GEN-7", strangerUsesABuildingBlock) // a building block works in an empty module, without the node
}

// strangerUsesABuildingBlock compiles and runs a program in a module of its own that imports building blocks.
func strangerUsesABuildingBlock(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs the Go command")
	}
	dir := t.TempDir()
	mod, err := os.ReadFile(filepath.Join(Root(), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(Root(), "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(mod), "module "+Module, "module stranger.example/tool", 1) +
		"\nrequire " + Module + " v0.0.0\nreplace " + Module + " => " + Root() + "\n"
	program, err := os.ReadFile(filepath.Join("testdata", "stranger.go.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"go.mod": []byte(text), "go.sum": sum, "main.go": program} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) string {
		c := exec.Command("go", args...)
		c.Dir, c.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "CGO_ENABLED=0", "GOWORK=off")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	if got := strings.TrimSpace(run("run", ".")); got != "signed: Letter; profile: eDelivery AS4 1.15" {
		t.Errorf("the program says %q", got)
	}
	f := page(t)
	for dep := range strings.Lines(run("list", "-deps", ".")) {
		dep = strings.TrimSpace(dep)
		if rest, ok := strings.CutPrefix(dep, Module+"/"); ok && f.number[rest] > 3 || strings.Contains(dep, "sqlite") {
			t.Errorf("the building blocks bring %s with them", dep)
		}
	}
}
