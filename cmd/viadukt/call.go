package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/viadukt-eu/viadukt/node/config"
)

// Exit statuses.
const (
	statusDone    = 0
	statusInvalid = 1 // the document or signature is
	statusUsage   = 2 // or the configuration is wrong
	statusFailed  = 3 // could not be done: network, disk, peer
)

// exit is an error with the status that it ends the program with.
type exit struct {
	status int
	silent bool   // all is said already
	Code   string `json:"code"`
	Text   string `json:"text"`
	Where  string `json:"where,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

func (e *exit) Error() string {
	if e.Where != "" {
		return e.Where + ": " + e.Text
	}
	return e.Text
}

// usage is the error of a command that was called wrongly.
func usage(format string, args ...any) error {
	return &exit{status: statusUsage, Code: "USAGE", Text: fmt.Sprintf(format, args...)}
}

// call is one use of a command: its flags, then its arguments, in any order.
type call struct {
	*flag.FlagSet
	p           *program
	c           *command
	path        []string
	json        bool
	reports     bool     // has --json
	least, most int      // how many arguments; most -1: any number
	values      []string // arguments
}

// jsonFlag is what every command has that reports.
func (c *call) jsonFlag() {
	c.reports = true
	c.BoolVar(&c.json, "json", false, "write one JSON `object` a line to standard output")
}

// run runs one verb and turns its error into an exit status.
func (p *program) run(cmd *command, path, args []string) int {
	c := &call{FlagSet: flag.NewFlagSet(title(path), flag.ContinueOnError), p: p, c: cmd, path: path}
	c.SetOutput(io.Discard)
	do := cmd.prepare(c)
	err := c.parse(args)
	if errors.Is(err, flag.ErrHelp) {
		c.help()
		return statusDone
	}
	if err == nil {
		err = do()
	}
	return c.finish(err)
}

// parse takes flags and arguments in any order; after "--" everything is an argument.
func (c *call) parse(args []string) error {
	var rest []string
	for i, a := range args {
		if a == "--" {
			args, rest = args[:i], args[i+1:]
			break
		}
	}
	if err := c.once(args); err != nil {
		return err
	}
	for len(args) > 0 {
		if err := c.Parse(args); err != nil {
			return c.flagError(err)
		}
		if args = c.Args(); len(args) > 0 {
			c.values, args = append(c.values, args[0]), args[1:]
		}
	}
	c.values = append(c.values, rest...)
	switch n := len(c.values); {
	case n < c.least:
		words := strings.Fields(c.c.args)
		return usage("%s is missing\nusage: %s %s", strings.Trim(words[min(n, len(words)-1)], "[]."), title(c.path), c.c.args)
	case c.most >= 0 && n > c.most:
		return usage("%q is one argument too many\nusage: %s %s", c.values[c.most], title(c.path), c.c.args)
	}
	return nil
}

// once refuses a flag that takes one value and is there again: what it said first would be dropped without a word.
func (c *call) once(args []string) error {
	seen := map[string]bool{}
	for _, a := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
		f := c.Lookup(name)
		if !strings.HasPrefix(a, "-") || f == nil {
			continue
		}
		_, own := f.Value.(interface{ IsBoolFlag() bool })
		if own || !strings.HasPrefix(fmt.Sprintf("%T", f.Value), "*flag.") { // a switch, or a list
			continue
		}
		if seen[name] {
			_, text := flag.UnquoteUsage(f)
			return usage("--%s is there twice and takes one value: %s", name, text)
		}
		seen[name] = true
	}
	return nil
}

// flagError puts an error of the flag package into our words, with the flag that may have been meant.
func (c *call) flagError(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return usage("%v", err)
	}
	var names []string
	c.VisitAll(func(f *flag.Flag) { names = append(names, "--"+f.Name) })
	return usage("there is no flag --%s%s", strings.TrimPrefix(name, "-"), config.DidYouMean("--"+name, names))
}

// help prints the page of one command.
func (c *call) help() {
	w := c.p.out
	fmt.Fprintf(w, "%s %s\n", title(c.path), c.c.summary)
	if c.c.help != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(c.c.help))
	}
	flags := ""
	c.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		if b, ok := f.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
			value = ""
		}
		if value != "" {
			value = " " + strings.ToUpper(value)
		}
		if d := f.DefValue; d != "" && d != "0" && d != "0s" && d != "false" {
			text += " (default " + d + ")"
		}
		flags += fmt.Sprintf("  --%-22s %s\n", f.Name+value, text)
	})
	line := strings.TrimSpace(title(c.path) + " " + c.c.args)
	if flags != "" {
		line += " [flags]"
	}
	fmt.Fprintf(w, "\nUsage:\n  %s\n", line)
	if flags != "" {
		fmt.Fprintf(w, "\nFlags:\n%s", flags)
	}
	fmt.Fprintf(w, "\nExample:\n%s", indent(c.c.example))
}

// finish prints an error the way the caller asked for.
func (c *call) finish(err error) int {
	if err == nil {
		return statusDone
	}
	e := asExit(err)
	if e.silent {
		return e.status
	}
	if c.json {
		c.print(struct {
			Error *exit `json:"error"`
		}{e})
		return e.status
	}
	fmt.Fprintf(c.p.err, "%s: %s\n", title(c.path), e.Error())
	if e.Remedy != "" {
		fmt.Fprintf(c.p.err, "  %s\n", e.Remedy)
	}
	return e.status
}

// asExit says how an error ends the program: what is wrong in the configuration is status 2, everything else that was
// not decided where it arose is status 3.
func asExit(err error) *exit {
	var e *exit
	var ps config.Problems
	var p *config.Problem
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &ps):
		return &exit{status: statusUsage, Code: "CONFIGURATION", Text: "the configuration is wrong:\n" + ps.Error()}
	case errors.As(err, &p):
		return &exit{status: statusUsage, Code: "CONFIGURATION", Text: p.Error()}
	}
	return &exit{status: statusFailed, Code: "FAILED", Text: err.Error()}
}

// print writes one JSON object as one line.
func (c *call) print(v any) error { return json.NewEncoder(c.p.out).Encode(v) }

// printf writes for people.
func (c *call) printf(format string, args ...any) { fmt.Fprintf(c.p.out, format, args...) }

// loadConfig reads the configuration; a file that is not there is a matter of usage.
func (c *call) loadConfig(file string) (*config.Config, error) {
	cfg, err := config.Load(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &exit{status: statusUsage, Code: "NO_CONFIGURATION", Text: "there is no " + file,
			Remedy: "name one with --config FILE, or make a node: viadukt init DIR --country EE --profile peppol"}
	}
	return cfg, err
}
