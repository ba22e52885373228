package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a peer may take for one thing, on a machine that is busy with others: what comes at all comes sooner.
const patience = 2 * time.Minute

// peer is a folder under peers/ with a program of the same name.
type peer struct{ dir, program string }

var (
	phase4    = peer{"peers/phase4", "phase4"}
	discovery = peer{"peers/discovery", "discovery"}
)

// needPeers skips the test without VIADUKT_PEERS=1, and fails it when one of the files that building makes is missing.
func needPeers(t *testing.T, built ...string) {
	t.Helper()
	if os.Getenv("VIADUKT_PEERS") != "1" {
		t.Skip("without VIADUKT_PEERS=1 no peers are run")
	}
	for _, f := range built {
		if _, err := os.Stat(f); err != nil {
			t.Fatalf("a peer is not built: interop/run does it: %v", err)
		}
	}
}

// need is needPeers for a peer with keys.
func (p peer) need(t *testing.T) {
	t.Helper()
	needPeers(t, filepath.Join(p.dir, ".build/code.sum"), filepath.Join(p.dir, "pki/complete"))
}

// pki is a file of the peer's test PKI.
func (p peer) pki(name string) string {
	f, err := filepath.Abs(filepath.Join(p.dir, "pki", name))
	if err != nil {
		panic(err) // no working directory
	}
	return f
}

// javaQuick starts a JVM in half the time; what it does then is slower.
var javaQuick = []string{"JAVA_OPTS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"}

// quickJVM is the same for the peers dss, pdfa and rules: for runs that are not measured.
const quickJVM = "PEER_JAVA_OPTS=-XX:TieredStopAtLevel=1"

// command runs the program; env replaces JAVA_OPTS where it is given.
func (p peer) command(env []string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(p.dir, p.program), args...)
	if env == nil {
		env = javaQuick
	}
	c.Env = append(os.Environ(), env...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it starts others
	return c
}

// call is try for what must not end in "could not run" or "wrong usage".
func (p peer) call(t *testing.T, env []string, args ...string) ([]object, int) {
	t.Helper()
	out, status := p.try(t, env, args...)
	if status > 1 || status < 0 {
		t.Fatalf("%s %s: status %d", p.program, strings.Join(args, " "), status)
	}
	return out, status
}

// try runs the program to its end and returns what it wrote, a JSON object a line, and its exit status.
func (p peer) try(t *testing.T, env []string, args ...string) ([]object, int) {
	t.Helper()
	c := p.command(env, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(5*patience, func() { kill(c) })
	err := c.Wait()
	timer.Stop()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	status := c.ProcessState.ExitCode()
	var all []object
	for line := range bytes.Lines(out.Bytes()) {
		if o, ok := parse(line); ok {
			all = append(all, o)
		}
	}
	t.Logf("%s %s: status %d\n%s%s", p.program, args[0], status, &out, &errs)
	return all, status
}

// object is one line of a peer's output.
type object map[string]any

func parse(line []byte) (object, bool) {
	var o object
	return o, json.Unmarshal(line, &o) == nil && o != nil
}

// at finds a value by its path, nil when there is none.
func (o object) at(path ...string) any {
	var v any = map[string]any(o)
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

// text is a value as a string, "" when there is none.
func (o object) text(path ...string) string { s, _ := o.at(path...).(string); return s }

// is reports whether a value is true.
func (o object) is(path ...string) bool { b, _ := o.at(path...).(bool); return b }

func (o object) number(path ...string) float64 { f, _ := o.at(path...).(float64); return f }

func (o object) list(path ...string) []any { l, _ := o.at(path...).([]any); return l }

// server is a peer that runs until the test ends.
type server struct {
	cmd   *exec.Cmd
	ready object

	mu     sync.Mutex
	events []object
	log    bytes.Buffer
	grown  chan struct{} // closed and replaced with every line
}

var running struct {
	sync.Mutex
	servers map[*server]bool
}

// serve starts the program and waits for its line {"event":"ready",...}.
func (p peer) serve(t *testing.T, env []string, args ...string) *server {
	t.Helper()
	s := &server{cmd: p.command(env, args...), grown: make(chan struct{})}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = lockedWriter{s}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	running.Lock()
	if running.servers == nil {
		running.servers = map[*server]bool{}
	}
	running.servers[s] = true
	running.Unlock()
	go s.read(out)
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			s.mu.Lock()
			defer s.mu.Unlock()
			t.Logf("%s %s:\n%s", p.program, strings.Join(args, " "), &s.log)
		}
	})
	s.ready = s.await(t, func(o object) bool { return o.text("event") == "ready" })
	return s
}

type lockedWriter struct{ s *server }

func (w lockedWriter) Write(b []byte) (int, error) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.s.log.Write(b)
}

func (s *server) read(out io.Reader) {
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadBytes('\n')
		s.mu.Lock()
		s.log.Write(line)
		if o, ok := parse(line); ok {
			s.events = append(s.events, o)
		}
		close(s.grown)
		s.grown = make(chan struct{})
		if err != nil {
			s.grown = nil
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
	}
}

// await returns the first event that fits, now or later.
func (s *server) await(t *testing.T, fits func(object) bool) object {
	t.Helper()
	timeout := time.After(patience)
	for {
		s.mu.Lock()
		for _, o := range s.events {
			if fits(o) {
				s.mu.Unlock()
				return o
			}
		}
		grown := s.grown
		s.mu.Unlock()
		if grown == nil {
			t.Fatal("the peer ended")
		}
		select {
		case <-grown:
		case <-timeout:
			t.Fatal("the peer did not get there in time")
		}
	}
}

// count tells how many events of a name there are.
func (s *server) count(event string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.events {
		if o.text("event") == event {
			n++
		}
	}
	return n
}

// stop ends the peer and everything it started.
func (s *server) stop() {
	running.Lock()
	was := running.servers[s]
	delete(running.servers, s)
	running.Unlock()
	if was {
		kill(s.cmd)
		s.cmd.Wait() // the status is that of the signal
	}
}

func kill(c *exec.Cmd) {
	syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
}

// stopAll ends what a test that panicked left.
func stopAll() {
	for s := range running.servers {
		kill(s.cmd)
	}
}
