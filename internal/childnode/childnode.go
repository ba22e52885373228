// Package childnode runs nodes as processes of their own, so that tests can kill them: the program that is started is the
// test binary itself.
package childnode

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
)

// variable names the configuration of the node that this binary runs instead of the tests.
const variable = "VIADUKT_TEST_NODE"

// Options change the node of a child.
type Options struct {
	Domains func() []node.Domain // nil: none
	Tune    func(*config.Config) // nil: the configuration as it is written
	Change  func(*node.Node)     // before it starts; may be nil
}

// Main is the body of a TestMain: the node, in a process that [Start] made, or the tests.
func Main(m *testing.M, o Options) {
	file := os.Getenv(variable)
	if file == "" {
		os.Exit(m.Run())
	}
	if err := run(file, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run works until it is told to end, or its parent dies: then its standard input ends.
func run(file string, o Options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c, err := config.Load(file)
	if err != nil {
		return err
	}
	if o.Tune != nil {
		o.Tune(c)
	}
	opt := node.Options{Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))}
	if o.Domains != nil {
		opt.Domains = o.Domains()
	}
	n, err := node.New(ctx, c, opt)
	if err != nil {
		return err
	}
	if o.Change != nil {
		o.Change(n)
	}
	if err := n.Start(ctx); err != nil {
		return err
	}
	fmt.Println("ready")
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	<-ctx.Done()
	return n.Stop(context.Background())
}

// Child is a node in a process of its own.
type Child struct {
	file  string
	env   []string
	cmd   *exec.Cmd
	stdin io.Closer // open as long as the child is to live
}

// Start returns when the node of a configuration works. A port that a stranger's connection took while the node was dead
// is waited for. env is added to the environment.
func Start(t testing.TB, file string, env ...string) *Child {
	t.Helper()
	c := &Child{file: file, env: env}
	c.Start(t)
	return c
}

// Start starts the node again.
func (c *Child) Start(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; {
		c.cmd = exec.Command(os.Args[0])
		c.cmd.Env = append(append(os.Environ(), variable+"="+c.file), c.env...)
		c.cmd.Stderr = t.Output()
		in, err := c.cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		c.stdin = in
		if line, _ := bufio.NewReader(out).ReadString('\n'); line == "ready\n" {
			return
		}
		c.cmd.Wait()
		if time.Now().After(deadline) {
			t.Fatalf("%s does not start", c.file)
		}
	}
}

// Kill ends the process as a power cut does. A child that ended already, or was never started, stays as it is.
func (c *Child) Kill() {
	if c == nil || c.cmd == nil {
		return
	}
	c.cmd.Process.Kill()
	c.cmd.Wait()
	c.stdin.Close()
}

// End stops the node as an operator does.
func (c *Child) End(t testing.TB) {
	t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("%s: %v", c.file, err)
	}
}

// PID of the process.
func (c *Child) PID() int { return c.cmd.Process.Pid }
