package standards

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	fence   = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	heading = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	notSlug = regexp.MustCompile(`[^\pL\pN _-]`)
)

// slugs are the names under which a reader can jump to the headings of a document.
func slugs(document []byte) []string {
	var out []string
	for _, m := range heading.FindAllSubmatch(fence.ReplaceAll(document, nil), -1) {
		s := notSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(string(m[1]))), "")
		out = append(out, strings.ReplaceAll(s, " ", "-"))
	}
	return out
}

func TestLinksBetweenDocumentsLead(t *testing.T) {
	t.Parallel()
	links := 0
	walk(t, ".md", func(path string, src []byte) {
		for _, m := range link.FindAllSubmatch(fence.ReplaceAll(src, nil), -1) {
			u, err := url.Parse(string(m[1]))
			if err != nil {
				t.Errorf("%s: %s: %v", path, m[1], err)
				continue
			}
			if u.Scheme != "" {
				continue
			}
			links++
			target := path
			if u.Path != "" {
				target = filepath.Join(filepath.Dir(path), filepath.FromSlash(u.Path))
			}
			if _, err := os.Stat(target); err != nil || filepath.IsAbs(u.Path) {
				t.Errorf("%s: %s leads nowhere", path, m[1])
				continue
			}
			if u.Fragment == "" {
				continue
			}
			b, err := os.ReadFile(target)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(slugs(b), u.Fragment) {
				t.Errorf("%s: %s: the document has no such heading", path, m[1])
			}
		}
	})
	if links < 20 {
		t.Errorf("only %d links: are the documents there?", links)
	}
}

func TestEveryDocumentIsReachable(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d documents, %v", len(files), err)
	}
	for _, f := range files {
		if name := "(docs/" + filepath.Base(f) + ")"; !bytes.Contains(readme, []byte(name)) {
			t.Errorf("README.md has no link to %s", name)
		}
	}
}

// TestNamesInTheCodeAreInTheGuides holds the guide to the code where it lists names.
func TestNamesInTheCodeAreInTheGuides(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, source, guide string
		find                *regexp.Regexp
	}{
		{"deviations", "edelivery/ebms/quirks.go", "docs/edelivery.md", regexp.MustCompile(`(?m)^\t([A-Z]\w+) +bool //`)},
		{"profiles", "edelivery/as4/profile.go", "docs/edelivery.md", regexp.MustCompile(`(?m)^\t"([a-z0-9-]+)": \{$`)},
		{"keys of partners and P-Modes", "node/pmodes.go", "docs/edelivery.md", regexp.MustCompile("`yaml:\"(\\w+)\"")},
		{"routes", "node/routes.go", "docs/api.md", regexp.MustCompile(`Method: "(\w+)", Path: "(/api/v1/[^"]+)"`)},
		{"metrics", "node/metrics.go", "docs/operations.md", regexp.MustCompile("`(viadukt_\\w+)")},
		{"states", "node/store/state.go", "docs/architecture.md", regexp.MustCompile(`: +"([a-z_]{4,})",?`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(c.source)))
			if err != nil {
				t.Fatal(err)
			}
			guide, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(c.guide)))
			if err != nil {
				t.Fatal(err)
			}
			found := c.find.FindAllSubmatch(src, -1)
			if len(found) < 3 {
				t.Fatalf("%d names in %s", len(found), c.source)
			}
			for _, m := range found {
				name := bytes.Join(m[1:], []byte(" ")) // of a route: method and path
				if !bytes.Contains(guide, []byte("`"+string(name)+"`")) {
					t.Errorf("%s does not name `%s`", c.guide, name)
				}
			}
		})
	}
}
