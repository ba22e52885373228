package main

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGuidesShowCommandsThatExist reads the commands out of the guides: each must name a command, flags that it has, and
// as many arguments as it takes.
func TestGuidesShowCommandsThatExist(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, file := range append(files, filepath.Join("..", "..", "README.md")) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		inside, text, before := false, false, ""
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "```") { // a block marked as text is no transcript
				switch {
				case inside || text:
					inside, text = false, false
				case line == "```text":
					text = true
				default:
					inside = true
				}
				continue
			}
			line = before + strings.TrimPrefix(strings.TrimPrefix(line, "$ "), "./")
			if before = ""; strings.HasSuffix(line, `\`) {
				before = strings.TrimSuffix(line, `\`)
				continue
			}
			if rest, ok := strings.CutPrefix(line, "viadukt "); ok && inside {
				lines++
				if problem := shown(rest); problem != "" {
					t.Errorf("%s: %q: %s", filepath.Base(file), line, problem)
				}
			}
		}
	}
	if lines < 25 {
		t.Errorf("only %d commands were found", lines)
	}
}

// shown says what is wrong with a command line, "" when nothing is.
func shown(line string) string {
	line, _, _ = strings.Cut(line, "#")
	line, _, _ = strings.Cut(line, ">")
	line, _, _ = strings.Cut(line, "|")
	args := strings.Fields(strings.TrimSuffix(strings.TrimSpace(line), "&"))
	cmd, path := root, []string(nil)
	for cmd.sub != nil {
		var next *command
		for _, s := range cmd.sub {
			if len(args) > 0 && s.name == args[0] {
				next = s
			}
		}
		if next == nil {
			return "there is no such command"
		}
		cmd, path, args = next, append(path, next.name), args[1:]
	}
	var out bytes.Buffer
	c := &call{FlagSet: flag.NewFlagSet("", flag.ContinueOnError), p: &program{out: &out, err: &out}, c: cmd, path: path}
	c.SetOutput(&out)
	cmd.prepare(c)
	if err := c.parse(args); err != nil && err != flag.ErrHelp {
		return err.Error()
	}
	return ""
}

// TestGuidesNameTestsThatExist: a guide that says what shows something is held to it.
func TestGuidesNameTestsThatExist(t *testing.T) {
	t.Parallel()
	root := os.DirFS(filepath.Join("..", ".."))
	made := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	named := regexp.MustCompile("`(Test[A-Z]\\w+)[`/]")
	exists, guides := map[string]bool{}, map[string]string{}
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		test, guide := strings.HasSuffix(path, "_test.go"), strings.HasSuffix(path, ".md")
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != ".":
			return fs.SkipDir
		case !test && !guide:
			return nil
		}
		b, err := fs.ReadFile(root, path)
		if test {
			for _, m := range made.FindAllSubmatch(b, -1) {
				exists[string(m[1])] = true
			}
		} else {
			guides[path] = string(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for path, text := range guides {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if count++; !exists[m[1]] {
				t.Errorf("%s names %s, which is not there", path, m[1])
			}
		}
	}
	if count < 30 {
		t.Errorf("only %d tests are named", count)
	}
}

// TestEveryCommandExplainsItself: one line of what it does for you, and an example that can be typed.
func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	var walk func(c *command, path []string)
	walk = func(c *command, path []string) {
		if c != root && (!strings.HasSuffix(c.summary, ".") || c.example == "") {
			t.Errorf("%s has no summary or no example", title(path))
		}
		for line := range strings.Lines(c.example) {
			if problem := shown(strings.TrimPrefix(line, "viadukt ")); problem != "" {
				t.Errorf("%s: example %q: %s", title(path), line, problem)
			}
		}
		for _, s := range c.sub {
			walk(s, append(path[:len(path):len(path)], s.name))
		}
	}
	walk(root, nil)
}
