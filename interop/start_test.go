package interop

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
)

// TestStartAndMemoryBeside starts an access point of each kind until it answers, and looks at the memory it holds then: phase4 with
// nothing around it, and a node with store, queue, metadata, API and console. Steps to a configuration: one, "viadukt init". It is not parallel.
func TestStartAndMemoryBeside(t *testing.T) {
	phase4.need(t)
	program := filepath.Join(t.TempDir(), "viadukt")
	if out, err := exec.Command("go", "build", "-o", program, "../cmd/viadukt").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var theirs, ours [2][]float64 // milliseconds, megabytes
	for range 3 {
		begin := time.Now()
		s, url, _ := plainProfile.receiver(t, []string{"JAVA_OPTS="})
		answers(t, url)
		theirs[0] = append(theirs[0], float64(time.Since(begin).Microseconds())/1000)
		theirs[1] = append(theirs[1], residentOf(t, s.cmd.Process.Pid))
		s.stop()

		dir := t.TempDir()
		base := fmt.Sprint(ports(t, 4))
		if out, err := exec.Command(program, "init", filepath.Join(dir, "ee"), "--country", "EE", "--port", base).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		c, err := config.Load(filepath.Join(dir, "ee", "viadukt.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		n := exec.Command(program, "serve", "--config", filepath.Join(dir, "ee", "viadukt.yaml"))
		n.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		begin = time.Now()
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { kill(n); n.Wait() }) // the status is that of the signal
		answers(t, string(c.AS4.URL))
		ours[0] = append(ours[0], float64(time.Since(begin).Microseconds())/1000)
		ours[1] = append(ours[1], residentOf(t, n.Process.Pid))
	}
	for i, what := range []string{"start to the first answer", "resident memory when it answers"} {
		unit := []string{"ms", "MB"}[i]
		slices.Sort(theirs[i])
		slices.Sort(ours[i])
		measured(what+", phase4", theirs[i][1], unit)
		measured(what+", a node", ours[i][1], unit)
	}
	if ours[1][2] >= theirs[1][0] {
		t.Errorf("a node takes %.0f MB, phase4 %.0f MB", ours[1][2], theirs[1][0])
	}
}

// answers waits until there is an HTTP answer of any kind.
func answers(t *testing.T, url string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
			return
		}
		var refused *net.OpError
		if !errors.As(err, &refused) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// residentOf sums up the resident memory of a group of processes in megabytes.
func residentOf(t *testing.T, group int) (mb float64) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(all) == 0 {
		t.Skip("no /proc: memory is not measured")
	}
	for _, file := range all {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // it ended
		}
		// pid (name) state ppid pgrp ... rss is the 24th field, in pages [proc(5)]
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if f[2] != strconv.Itoa(group) {
			continue
		}
		pages, err := strconv.ParseFloat(f[21], 64)
		if err != nil {
			t.Fatal(err)
		}
		mb += pages * float64(os.Getpagesize()) / 1e6
	}
	return mb
}
