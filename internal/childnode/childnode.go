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
	"strconv"
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

// Kills is how often a test kills a node: VIADUKT_KILLS, else usual.
func Kills(t *testing.T, usual int) int {
	t.Helper()
	s := os.Getenv("VIADUKT_KILLS")
	if s == "" {
		return usual
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("VIADUKT_KILLS=%q", s)
	}
	return n
}

// volume asks the child to put its data on a volume of its own: the options of a tmpfs.
const volume = "VIADUKT_TEST_VOLUME"

// noVolume is the exit status where a machine lets nobody mount one.
const noVolume = 77

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
	if options := os.Getenv(volume); options != "" {
		if err := mount(string(c.Node.DataDir), options); err != nil {
			os.Exit(noVolume)
		}
		c.Node.MinFree = 1
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
// is waited for.
func Start(t testing.TB, file string) *Child {
	t.Helper()
	c := &Child{file: file}
	c.Start(t)
	return c
}

// StartOnVolume is Start for a node whose data are on a volume of its own, with the options of a tmpfs such as "size=8m",
// as long as it lives. The test is skipped where nobody may mount one.
func StartOnVolume(t testing.TB, file, options string) *Child {
	t.Helper()
	c := &Child{file: file, env: []string{volume + "=" + options}}
	c.Start(t)
	return c
}

// FailsOnVolume returns what a node says that cannot start on such a volume.
func FailsOnVolume(t testing.TB, file, options string) string {
	t.Helper()
	c := &Child{file: file, env: []string{volume + "=" + options}}
	cmd := c.command()
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() == noVolume {
		t.Skip("this machine lets nobody mount a volume")
	}
	if err == nil {
		t.Fatalf("it started: %s", out)
	}
	return string(out)
}

// Data is where the parent finds what is in a folder of the child, on a volume that only the child sees.
func (c *Child) Data(folder string) string { return fmt.Sprintf("/proc/%d/root%s", c.PID(), folder) }

func (c *Child) command() *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), variable+"="+c.file), c.env...)
	if len(c.env) > 0 {
		cmd.SysProcAttr = ownMounts()
	}
	return cmd
}

// Start starts the node again.
func (c *Child) Start(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		c.cmd = c.command()
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
		if c.cmd.ProcessState.ExitCode() == noVolume {
			t.Skip("this machine lets nobody mount a volume")
		}
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
