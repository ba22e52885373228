// Package corpus finds the test data that others made, for tests.
//
// The data are not part of the repository. VIADUKT_CORPUS names their folder; without it the default is
// ../shared/corpus seen from the root of the repository. Tests skip with one line where the folder is
// absent and fail where it is there but empty, so that an empty folder can never pass for agreement.
package corpus

import (
	"bufio"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Row is one line of an area's INDEX.tsv: the values by column name.
type Row map[string]string

// Dir returns the folder of one area, for example "esignature".
func Dir(tb testing.TB, area string) string {
	tb.Helper()
	root := os.Getenv("VIADUKT_CORPUS")
	if root == "" {
		_, file, _, _ := runtime.Caller(0)
		root = filepath.Join(filepath.Dir(file), "..", "..", "..", "shared", "corpus")
	}
	dir := filepath.Join(root, area)
	if _, err := os.Stat(dir); err != nil {
		tb.Skipf("corpus %s is not there (set VIADUKT_CORPUS)", area)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		tb.Fatalf("corpus %s is there but empty: %v", dir, err)
	}
	return dir
}

// Index reads INDEX.tsv of one area; the first line names the columns.
func Index(tb testing.TB, area string) []Row {
	tb.Helper()
	rows := Table(tb, filepath.Join(Dir(tb, area), "INDEX.tsv"))
	if len(rows) == 0 {
		tb.Fatalf("corpus %s: INDEX.tsv has no rows", area)
	}
	return rows
}

// Table reads a tab-separated file whose first line names the columns.
func Table(tb testing.TB, path string) []Row {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var columns []string
	var rows []Row
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		cells := strings.Split(sc.Text(), "\t")
		if columns == nil {
			columns = cells
			continue
		}
		row := Row{}
		for i, c := range cells {
			if i < len(columns) {
				row[columns[i]] = c
			}
		}
		rows = append(rows, row)
	}
	if err := sc.Err(); err != nil {
		tb.Fatal(err)
	}
	return rows
}

// Read returns the octets of one file of an area.
func Read(tb testing.TB, area, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(Dir(tb, area), filepath.FromSlash(name)))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// Known reads a package's testdata/known.tsv: the disagreements with the corpus, file to reason.
func Known(tb testing.TB, path string) map[string]string {
	tb.Helper()
	known := map[string]string{}
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return known
	}
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		file, reason, ok := strings.Cut(line, "\t")
		if !ok || reason == "" {
			tb.Fatalf("%s: %q has no reason", path, line)
		}
		known[file] = reason
	}
	return known
}
