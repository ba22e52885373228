package procurement_test

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

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
)

// childConfig names the configuration of the node that this binary runs instead of the tests.
const childConfig = "VIADUKT_TEST_NODE"

// TestMain also is the node that the kill test starts and kills.
func TestMain(m *testing.M) {
	if file := os.Getenv(childConfig); file != "" {
		if err := runChild(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// runChild runs a node until it is told to end, or its parent dies: then its standard input ends.
func runChild(file string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c, err := config.Load(file)
	if err != nil {
		return err
	}
	quickRetries(c)
	n, err := node.New(ctx, c, node.Options{Domains: []node.Domain{procurement.New()}, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		return err
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

// quickRetries gives up practically never, and does not make a test wait.
func quickRetries(c *config.Config) {
	c.Outbound.MaxAttempts, c.Outbound.Factor = 1000, 1
	c.Outbound.FirstRetry, c.Outbound.MaxPause = config.Duration(time.Second), config.Duration(time.Second)
}

// child is a node in a process of its own.
type child struct {
	file  string
	cmd   *exec.Cmd
	stdin io.Closer
}

// startChild returns when the node works. A port that a stranger's connection took while the node was dead is waited
// for.
func startChild(t *testing.T, file string) *child {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		c := &child{file: file, cmd: exec.Command(os.Args[0])}
		c.cmd.Env = append(os.Environ(), childConfig+"="+file)
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
			return c
		}
		c.cmd.Wait()
		if time.Now().After(deadline) {
			t.Fatalf("%s does not start", file)
		}
	}
}

func (c *child) kill() {
	if c == nil {
		return
	}
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// end stops the node as an operator does.
func (c *child) end(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("%s: %v", c.file, err)
	}
}
