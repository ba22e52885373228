package architecture

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// floors, from below: a package imports only what stands before it. Packages in one entry may import each other as Go
// allows; a folder stands for everything below it.
var floors = [][]string{
	{"client"}, // for programs elsewhere: it stands on nothing of ours
	{"xmlcore/dom"}, {"xmlcore"}, {"pdf"},
	{"trust/ber"}, {"trust/pki"}, {"trust/xmldsig"}, {"trust/xmlenc"}, {"trust"},
	{"edelivery/ids"}, {"edelivery/bdxl"}, {"edelivery/smp"}, {"edelivery/sbdh"}, {"edelivery/ebms"}, {"edelivery/wss"}, {"edelivery/as4"}, {"edelivery"},
	{"eid"}, {"edocument"}, {"semantics"},
	{"node/config"}, {"node/audit/merkle"}, {"node/store"}, {"node/audit"}, {"node/setup"}, {"node"},
	{"domains"},
	{"internal/stock", "internal/seed", "internal/bench", "internal/demo", "internal/selftest", "cmd"}, // the program and what only it uses
}

// beside the house: read by tests, and themselves bound to nothing.
var beside = []string{"internal/corpus", "internal/pdftest", "internal/childnode", "internal/architecture", "standards", "interop", "docs", "packaging"}

// floor finds where a package stands: the first entry that names it most exactly.
func floor(path string) int {
	best, length := -1, -1
	for i, f := range floors {
		for _, folder := range f {
			if Under(path, folder) && len(folder) > length {
				best, length = i, len(folder)
			}
		}
	}
	return best
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
	for path, p := range load(t) {
		if slices.ContainsFunc(beside, func(b string) bool { return Under(path, b) }) {
			continue
		}
		from := floor(path)
		if from < 0 {
			t.Errorf("%s stands on no floor", path)
			continue
		}
		for i := range p.Imports {
			switch to := floor(i); {
			case slices.ContainsFunc(beside, func(b string) bool { return Under(i, b) }):
				t.Errorf("%s imports %s, which is for tests", path, i)
			case to > from:
				t.Errorf("%s imports %s, which stands above it", path, i)
			}
		}
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
		packages := load(t)
		for _, c := range []struct{ what, mark, owner string }{
			{"XML Signature", "SignatureValue", "trust/xmldsig"},
			{"XML Encryption", "xmlenc11#", "trust/xmlenc"},
			{"the ebMS header", "ebms/v3.0/ns/core/200704/", "edelivery/ebms"},
		} {
			var found []string
			for path, p := range packages {
				if floor(path) <= floor("semantics") && floor(path) >= 0 && p.Literal(c.mark) {
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
		names := 0
		for path, p := range load(t) {
			if f := floor(path); f < 0 || f > floor("edelivery") {
				continue
			}
			for _, n := range p.Exported() {
				names++
				if domainWords.MatchString(n) {
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
	for dep := range strings.Lines(run("list", "-deps", ".")) {
		dep = strings.TrimSpace(dep)
		if rest, ok := strings.CutPrefix(dep, Module+"/"); ok && floor(rest) > floor("edelivery") || strings.Contains(dep, "sqlite") {
			t.Errorf("the building blocks bring %s with them", dep)
		}
	}
}
