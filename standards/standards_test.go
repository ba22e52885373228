package standards

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the repository's, seen from here.
const root = ".."

// clause is one place in a specification; a section "-" stands for the whole of it.
type clause struct{ spec, section string }

func (c clause) String() string { return strings.TrimSuffix("["+c.spec+" "+c.section, " -") + "]" }

// row is one line of index.tsv.
type row struct {
	clause
	status string
	where  []string
}

// table reads a file of tab separated columns and holds it to its header and to its order of keys.
func table(t *testing.T, file string, columns ...string) [][]string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if lines[0] != strings.Join(columns, "\t") {
		t.Fatalf("%s: header is %q", file, lines[0])
	}
	rows := make([][]string, 0, len(lines)-1)
	for i, l := range lines[1:] {
		f := strings.Split(l, "\t")
		if len(f) != len(columns) || slices.Contains(f, "") {
			t.Errorf("%s:%d: %d columns wanted, none of them empty: %q", file, i+2, len(columns), l)
			continue
		}
		rows = append(rows, f)
	}
	return rows
}

func readSpecs(t *testing.T) map[string]bool {
	t.Helper()
	specs := map[string]bool{}
	for _, f := range table(t, "specs.tsv", "abbreviation", "title", "edition") {
		if specs[f[0]] {
			t.Errorf("specs.tsv: %s stands twice", f[0])
		}
		specs[f[0]] = true
	}
	return specs
}

func readIndex(t *testing.T) map[clause]row {
	t.Helper()
	index := map[clause]row{}
	for _, f := range table(t, "index.tsv", "spec", "section", "status", "where", "note") {
		r := row{clause{f[0], f[1]}, f[2], strings.Split(f[3], ",")}
		if _, twice := index[r.clause]; twice {
			t.Errorf("index.tsv: %s stands twice", r.clause)
		}
		index[r.clause] = r
	}
	return index
}

// A citation is "[SPEC section]", "[SPEC section, section]" or several of them, "[SPEC section, SPEC section]". What
// looks like one must be one, so that an unknown abbreviation does not pass as ordinary text.
var (
	bracket  = regexp.MustCompile(`\[([A-Za-z][^\[\]\n]*)\]`)
	likely   = regexp.MustCompile(`^(\p{Lu}|ebMS|eDelivery|edelivery)[\pL\d./-]*( [\pL\d./-]+)* (\d+(\.\d+)*|[A-Z]\.\d[\d.]*)(,.*)?$`)
	subplace = regexp.MustCompile(` (production|step) \w+$`)
)

// parse returns the clauses of one bracket; ok is false when it cites nothing, bad names what cannot be understood.
func parse(text string, specs map[string]bool) (found []clause, bad string) {
	spec := ""
	for item := range strings.SplitSeq(text, ", ") {
		item = subplace.ReplaceAllString(item, "")
		if s, section := cut(item, specs); s != "" {
			spec = s
			found = append(found, clause{s, section})
			continue
		}
		if spec == "" {
			if likely.MatchString(text) {
				return nil, item
			}
			return nil, ""
		}
		found = append(found, clause{spec, item})
	}
	return found, ""
}

// cut parts an item into the longest abbreviation it begins with and the section behind it.
func cut(item string, specs map[string]bool) (spec, section string) {
	for s := item; ; {
		if specs[s] {
			if section = strings.TrimPrefix(item[len(s):], " "); section == "" {
				section = "-"
			}
			return s, section
		}
		i := strings.LastIndexByte(s, ' ')
		if i < 0 {
			return "", ""
		}
		s = s[:i]
	}
}

// cited collects the clauses in comments and texts of all Go files, with the first place of each.
func cited(t *testing.T, specs map[string]bool) map[clause]string {
	t.Helper()
	out := map[clause]string{}
	files := 0
	walk(t, ".go", func(path string, src []byte) {
		files++
		fset := token.NewFileSet()
		file := fset.AddFile(path, -1, len(src))
		var s scanner.Scanner
		s.Init(file, src, nil, scanner.ScanComments)
		for {
			pos, tok, lit := s.Scan()
			if tok == token.EOF {
				return
			}
			if tok != token.COMMENT && tok != token.STRING {
				continue
			}
			for _, m := range bracket.FindAllStringSubmatch(lit, -1) {
				found, bad := parse(m[1], specs)
				if bad != "" {
					t.Errorf("%s: [%s] cites %q, whose abbreviation is not in specs.tsv", fset.Position(pos), m[1], bad)
				}
				for _, c := range found {
					if _, known := out[c]; !known {
						out[c] = fset.Position(pos).String()
					}
				}
			}
		}
	})
	if files < 200 {
		t.Fatalf("only %d Go files: is this the repository?", files)
	}
	return out
}

// walk reads every file with an extension that belongs to the project.
func walk(t *testing.T, ext string, f func(path string, src []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "standards") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ext {
			return nil
		}
		b, err := os.ReadFile(path)
		if err == nil {
			f(path, b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryCitedClauseIsInTheIndex(t *testing.T) {
	t.Parallel()
	specs, index := readSpecs(t), readIndex(t)
	places := cited(t, specs)
	for _, c := range slices.SortedFunc(maps.Keys(places), func(a, b clause) int { return strings.Compare(a.String(), b.String()) }) {
		if _, ok := index[c]; !ok {
			t.Errorf("%s: %s is not in standards/index.tsv; add a line such as\n%s\t%s\tyes\t%s\twhat it is about", places[c], c, c.spec, c.section, filepath.ToSlash(filepath.Dir(strings.TrimPrefix(places[c], root+"/"))))
		}
	}
}

func TestEveryRowOfTheIndexIsTrue(t *testing.T) {
	t.Parallel()
	specs, index := readSpecs(t), readIndex(t)
	places := cited(t, specs)
	used := map[string]bool{}
	for c, r := range index {
		used[c.spec] = true
		if !specs[c.spec] {
			t.Errorf("%s: the abbreviation is not in specs.tsv", c)
		}
		if !slices.Contains([]string{"yes", "partial", "no"}, r.status) {
			t.Errorf("%s: status %q", c, r.status)
		}
		if r.status == "yes" && places[c] == "" {
			t.Errorf("%s: said to be done, but no code cites it", c)
		}
		for _, p := range r.where {
			if files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(p), "*.go")); err != nil || len(files) == 0 {
				t.Errorf("%s: there is no package %s", c, p)
			}
		}
	}
	for s := range specs {
		if !used[s] {
			t.Errorf("specs.tsv: %s is not in index.tsv", s)
		}
	}
}

func TestCitationsAreUnderstood(t *testing.T) {
	t.Parallel()
	specs := map[string]bool{"AS4": true, "RFC 5280": true, "XMLDSIG": true, "EU-AS4-2": true}
	for _, c := range []struct {
		name, text string
		want       []clause
		bad        string
	}{
		{"a clause", "AS4 3.2", []clause{{"AS4", "3.2"}}, ""},
		{"a whole specification", "AS4", []clause{{"AS4", "-"}}, ""},
		{"an abbreviation of two words", "RFC 5280 4.2.1.3", []clause{{"RFC 5280", "4.2.1.3"}}, ""},
		{"two clauses of one specification", "AS4 5.1.4, 5.1.5", []clause{{"AS4", "5.1.4"}, {"AS4", "5.1.5"}}, ""},
		{"clauses of two specifications", "AS4 3.2, XMLDSIG 6.2", []clause{{"AS4", "3.2"}, {"XMLDSIG", "6.2"}}, ""},
		{"a production belongs to its section", "XMLDSIG 2.2 production 2", []clause{{"XMLDSIG", "2.2"}}, ""},
		{"a section with a name", "EU-AS4-2 common usage", []clause{{"EU-AS4-2", "common usage"}}, ""},
		{"an unknown specification", "XAdES 4.3", nil, "XAdES 4.3"},
		{"an unknown one of several words", "Peppol AS4 Profile 2.0.3", nil, "Peppol AS4 Profile 2.0.3"},
		{"a link to Go code is no citation", "Verifier.Verify", nil, ""},
		{"an index is no citation", "i", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got, bad := parse(c.text, specs); !slices.Equal(got, c.want) || bad != c.bad {
				t.Errorf("got %v and %q, want %v and %q", got, bad, c.want, c.bad)
			}
		})
	}
}
