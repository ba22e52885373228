package sqlite

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/viadukt-eu/viadukt/node/store"
)

// child is the other process of the tests in this file: this binary, started again.
func child(job, dir string) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, job+":", err)
		return 1
	}
	switch job {
	case "tiny volume":
		if err := mountTiny(dir); err != nil {
			return 77
		}
	case "limit":
		// As little room as a full disk has: no file may grow beyond this.
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}); err != nil {
			return fail(err)
		}
	}
	opt := Options{MinFree: -1}
	if job == "write" {
		opt.Recorder = plainly{}
	}
	s, err := Open(dir, opt)
	if err != nil {
		return fail(err)
	}
	switch job {
	case "write":
		return writeForEver(s)
	case "orphan":
		return leaveOrphan(s)
	case "tiny volume":
		return fillVolume(s)
	case "limit":
		return writeUntilFull(s)
	}
	return fail(errors.New("no such job"))
}

// writeForEver has 16 callers that insert, send and acknowledge, and prints what it was told is durable.
func writeForEver(s *Store) int {
	// So often that it is killed in the middle of checkpoints too.
	if err := s.Write(ctx, func(t store.Tx) error { t.(*tx).w.cp.pages = 100; return nil }); err != nil {
		return 1
	}
	out := make(chan string, 64)
	for w := range 16 {
		go func() {
			for i := 0; ; i++ {
				m := outgoing(fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i))
				if i%3 == 0 {
					m.Payloads = []store.Payload{{PayloadRef: store.PayloadRef{Size: 3, SHA256: sha256.Sum256([]byte("abc")), Inline: []byte("abc")}}}
				}
				steps := []func(store.Tx) error{
					func(t store.Tx) error { return t.Insert(m) },
					func(t store.Tx) error { return t.Transition(m.ID, store.Sending, store.Change{}) },
					func(t store.Tx) error {
						return errors.Join(t.Transition(m.ID, store.Acknowledged, store.Change{}),
							t.PutEvidence(m.ID, store.Evidence{Kind: store.KindReceipt, Octets: []byte(m.MessageID)}))
					},
				}
				for n, step := range steps {
					if err := s.Write(ctx, step); err != nil {
						fmt.Fprintln(os.Stderr, err)
						os.Exit(1)
					}
					out <- fmt.Sprintf("%s %d\n", m.MessageID, n)
				}
			}
		}()
	}
	for line := range out {
		os.Stdout.WriteString(line)
	}
	return 1
}

// leaveOrphan dies between a payload and its message.
func leaveOrphan(s *Store) int {
	w, err := s.NewPayload()
	if err == nil {
		_, err = w.Write(bytes.Repeat([]byte("orphan"), 10_000))
	}
	if err == nil {
		_, err = w.Seal()
	}
	if err == nil {
		w, err = s.NewPayload()
	}
	if err == nil {
		_, err = w.Write(bytes.Repeat([]byte("half"), 10_000))
	}
	if err != nil {
		return 1
	}
	os.Stdout.WriteString("ready\n")
	select {} // until it is killed
}

// mountTiny gives this process a volume of 4 MiB.
func mountTiny(dir string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m")
}

// fillVolume fills the volume, looks whether everything reported is there, makes room and goes on.
func fillVolume(s *Store) int {
	bad := func(format string, args ...any) int {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
		return 1
	}
	ballast := s.dir + "/ballast"
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		return bad("%v", err)
	}
	insert := func(id string) error {
		m := outgoing(id)
		m.Header = make([]byte, 2000)
		return s.Write(ctx, func(t store.Tx) error { return t.Insert(m) })
	}
	stored := 0
	var err error
	for err == nil {
		if err = insert(fmt.Sprint(stored)); err == nil {
			stored++
		}
	}
	if !errors.Is(err, store.ErrDiskFull) || stored < 50 {
		return bad("after %d messages: %v", stored, err)
	}
	w, err := s.NewPayload()
	if err == nil {
		_, err = w.Write(make([]byte, 4<<20))
		if err == nil {
			_, err = w.Seal()
		}
	}
	if !errors.Is(err, store.ErrDiskFull) {
		return bad("payload: %v", err)
	}
	if err := errors.Join(w.Close(), os.Remove(ballast)); err != nil {
		return bad("%v", err)
	}
	if err := insert("with room again"); err != nil {
		return bad("with room again: %v", err)
	}
	for i := range stored {
		if _, err := s.ByMessageID(ctx, store.Out, fmt.Sprint(i)); err != nil {
			return bad("%d of %d: %v", i, stored, err)
		}
	}
	if err := s.Close(); err != nil {
		return bad("%v", err)
	}
	return 0
}

// writeUntilFull inserts until there is no room, and prints what was stored.
func writeUntilFull(s *Store) int {
	for i := range 5000 {
		m := outgoing(fmt.Sprint(i))
		m.Header = make([]byte, 2000)
		if err := s.Write(ctx, func(t store.Tx) error { return t.Insert(m) }); err != nil {
			fmt.Println("refused:", err)
			w, err := s.NewPayload()
			if err == nil {
				_, err = w.Write(make([]byte, 2<<20))
				if err == nil {
					_, err = w.Seal()
				}
			}
			fmt.Println("payload:", errors.Is(err, store.ErrDiskFull))
			return 0
		}
		fmt.Println(m.MessageID)
	}
	return 1
}

func startChild(t *testing.T, job, dir string) (*exec.Cmd, io.ReadCloser) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "VIADUKT_STORE_CHILD="+job, "VIADUKT_STORE_DIR="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

func TestNothingThatWasReportedIsLostByKill9(t *testing.T) {
	t.Parallel()
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	reached := make(map[string]int) // message -> last step reported
	for round := range rounds {
		cmd, out := startChild(t, "write", dir)
		lines := bufio.NewScanner(out)
		kill := 1 + rand.IntN(3000) // reports, not time: a slow machine is killed as much in the middle
		for n := 0; lines.Scan(); n++ {
			var id string
			var step int
			if _, err := fmt.Sscan(lines.Text(), &id, &step); err == nil { // the last line may be cut
				reached[id] = step
			}
			if n == kill {
				cmd.Process.Signal(syscall.SIGKILL)
			}
		}
		cmd.Wait()
		if round%5 == 4 || round == rounds-1 {
			checkReported(t, dir, reached)
		}
	}
	if len(reached) < rounds {
		t.Errorf("only %d messages were written", len(reached))
	}
}

// checkReported opens the store as a restart does and looks for everything that was reported.
func checkReported(t *testing.T, dir string, reached map[string]int) {
	t.Helper()
	s, err := Open(dir, Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	states := []store.State{store.Queued, store.Sending, store.Acknowledged}
	for id, step := range reached {
		m, err := s.ByMessageID(ctx, store.Out, id)
		if err != nil {
			t.Errorf("%s was reported: %v", id, err)
			continue
		}
		at := 0
		for i, st := range states {
			if m.State == st {
				at = i
			}
		}
		if at < step {
			t.Errorf("%s was reported as %s and is %s", id, states[step], m.State)
		}
		events, err1 := s.Events(ctx, m.ID)
		evidence, err2 := s.Evidence(ctx, m.ID)
		if len(events) != at+1 || (at == 2) != (len(evidence) == 1) || err1 != nil || err2 != nil {
			t.Errorf("%s is %s with %d events and %d pieces of evidence", id, m.State, len(events), len(evidence))
		}
		if entries, err := s.LogOf(ctx, m.ID); err != nil || len(entries) != at+1 {
			t.Errorf("%s is %s with %d entries of the log, %v", id, m.State, len(entries), err)
		}
	}
	if got := damages(t, s); got != nil {
		t.Error(got)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	checkFile(t, dir)
}

func TestACrashBetweenPayloadAndMessageLeavesOnlyAnOrphan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd, out := startChild(t, "orphan", dir)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatal(line, err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	s, _ := reopen(t, dir)
	defer s.Close()
	n := 0
	if err := s.spool.Each(func([32]byte) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("%d payload files, %v", n, err)
	}
	temps, err := os.ReadDir(dir + "/" + payloadFolder + "/tmp")
	if err != nil || len(temps) != 0 {
		t.Errorf("%d temporary files, %v", len(temps), err)
	}
	if n, err := s.Collect(ctx); n != 1 || err != nil {
		t.Errorf("collected %d, %v", n, err)
	}
}

func TestFilesThatCannotGrowAreAnErrorAndNoLoss(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd, out := startChild(t, "limit", dir)
	var stored []string
	var refused, payload string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch l := lines.Text(); {
		case strings.HasPrefix(l, "refused:"):
			refused = l
		case strings.HasPrefix(l, "payload:"):
			payload = l
		default:
			stored = append(stored, l)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if refused == "" || payload != "payload: true" || len(stored) < 20 {
		t.Errorf("%d stored, then %q and %q", len(stored), refused, payload)
	}
	s, _ := reopen(t, dir)
	defer s.Close()
	for _, id := range stored {
		if _, err := s.ByMessageID(ctx, store.Out, id); err != nil {
			t.Error(err)
		}
	}
	insert(t, s, outgoing("with room again"))
}

func TestAFullVolumeIsSaidSoAndHarmsNothing(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "VIADUKT_STORE_CHILD=tiny volume", "VIADUKT_STORE_DIR="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() == 77) {
		t.Skip("this machine lets nobody mount a small volume")
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd, out := startChild(t, "orphan", dir)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatal(line, err)
	}
	_, err := Open(dir, Options{})
	is(t, err, ErrLocked)
	var wg sync.WaitGroup
	wg.Go(func() { cmd.Wait() })
	cmd.Process.Kill()
	wg.Wait()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}
