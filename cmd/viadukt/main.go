// Command viadukt carries documents between administrations across borders: a node, what one needs to set it up and to
// work with it, and its building blocks by themselves.
//
// It answers with the exit status: 0 done or valid, 1 invalid, 2 wrong usage or configuration, 3 could not be done.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/viadukt-eu/viadukt/node/config"
)

func main() {
	// Little stays in memory and much passes through it: collected less often, a node costs some megabytes more and a
	// good part of its processor time less. GOGC decides otherwise.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	os.Exit(run())
}

// run is the program in the world it is started in.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{ctx: ctx, in: os.Stdin, out: os.Stdout, err: os.Stderr}
	return p.dispatch(root, nil, os.Args[1:])
}

// program is where commands read and write.
type program struct {
	ctx      context.Context
	in       io.Reader
	out, err io.Writer
}

// command is a noun with verbs below it, or a verb.
type command struct {
	name    string
	summary string // one line: what it does for you
	args    string // what stands after the name, in the usage line
	help    string // more, where one line is not enough
	example string
	sub     []*command
	// prepare declares the flags and returns what runs once they are read.
	prepare func(c *call) func() error
}

// root is everything the program does, in the order in which one needs it.
var root = &command{
	summary: "carries documents between European administrations, from node to node.",
	help: `Start with "viadukt demo": national nodes on this machine exchange documents before your eyes.
Each command explains itself: viadukt COMMAND --help.`,
}

func init() { // not in the declaration: help looks at root itself
	root.sub = []*command{
		demoCommand, initCommand, serveCommand, configCommand, messageCommand, participantCommand, partnerCommand, userCommand, tokenCommand, lookupCommand, pmodeCommand, certCommand, trustCommand,
		validateCommand, invoiceCommand, packCommand, signCommand, verifyCommand, extendCommand, timestampCommand, asicCommand, preserveCommand, caCommand, tsaCommand, ocspCommand, trustlistCommand, evidenceCommand, backupCommand, restoreCommand, verifyDataCommand, healthCommand, xmlCommand, benchCommand, selftestCommand, helpCommand, versionCommand,
		documentCommand, espdCommand, vcdCommand,
	}
}

// dispatch finds the command that the arguments name and runs it.
func (p *program) dispatch(c *command, path, args []string) int {
	if c.sub == nil {
		return p.run(c, path, args)
	}
	switch {
	case len(args) == 0:
		p.overview(p.err, c, path)
		return statusUsage
	case isHelp(args[0]):
		p.overview(p.out, c, path)
		return statusDone
	case len(path) == 0 && strings.TrimLeft(args[0], "-") == "version":
		args = append([]string{"version"}, args[1:]...)
	}
	var names []string
	for _, s := range c.sub {
		if s.name == args[0] {
			return p.dispatch(s, append(path, s.name), args[1:])
		}
		names = append(names, s.name)
	}
	fmt.Fprintf(p.err, "%s: there is no command %q%s\nSee \"%s --help\".\n", title(path), args[0], config.DidYouMean(args[0], names), title(path))
	return statusUsage
}

func isHelp(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

// title is the command as one types it.
func title(path []string) string { return strings.Join(append([]string{"viadukt"}, path...), " ") }

// overview lists the commands below one.
func (p *program) overview(w io.Writer, c *command, path []string) {
	fmt.Fprintf(w, "%s %s\n", title(path), c.summary)
	if c.help != "" {
		fmt.Fprintf(w, "\n%s\n", c.help)
	}
	fmt.Fprintf(w, "\nCommands:\n")
	width := 0
	for _, s := range c.sub {
		width = max(width, len(s.name))
	}
	for _, s := range c.sub {
		fmt.Fprintf(w, "  %-*s  %s\n", width, s.name, s.summary)
	}
	if c.example != "" {
		fmt.Fprintf(w, "\nExample:\n%s", indent(c.example))
	}
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ") + "\n"
}

var helpCommand = &command{
	name: "help", summary: "explains a command.", args: "[COMMAND ...]", example: "viadukt help message send",
	prepare: func(c *call) func() error {
		c.most = -1
		return func() error {
			args := append(append([]string(nil), c.values...), "--help")
			if status := c.p.dispatch(root, nil, args); status != statusDone {
				return &exit{status: status, silent: true}
			}
			return nil
		}
	},
}
