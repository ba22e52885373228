package main

import (
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/viadukt-eu/viadukt/trust/csc"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"viadukt": func() { os.Exit(run()) }})
}

// TestScript plays what people type, from testdata.
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			for i := range 2 {
				base, err := freePorts(4)
				if err != nil {
					return err
				}
				for p := range 4 {
					e.Setenv(fmt.Sprintf("PORT%d_%d", i+1, p), strconv.Itoa(base+p))
				}
				e.Setenv(fmt.Sprintf("PORT%d", i+1), strconv.Itoa(base))
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// holds starts a service at $CSC that holds the key in a file, with the PIN 1234 and the password "of ada" for ada.
			"holds": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 1 {
					ts.Fatalf("usage: holds FILE")
				}
				id, err := pki.LoadIdentity([]byte(ts.ReadFile(args[0])), "")
				ts.Check(err)
				server := httptest.NewServer(&csc.Server{
					Keys:  []*csc.ServedKey{{ID: "key-1", Identity: id, PIN: "1234", Bound: true}},
					Login: func(user, password string) bool { return user == "ada" && password == "of ada" },
				})
				ts.Defer(server.Close)
				ts.Setenv("CSC", server.URL+"/csc/v2")
			},
			// eventually runs a program again and again until it succeeds.
			"eventually": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 1 {
					ts.Fatalf("usage: eventually PROGRAM [ARG ...]")
				}
				for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
					err := ts.Exec(args[0], args[1:]...)
					if err == nil {
						return
					}
					if time.Now().After(end) {
						ts.Fatalf("%v", err)
					}
				}
			},
			// insert puts the lines of a file, with its variables filled in, behind a line of another one.
			"insert": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 3 {
					ts.Fatalf("usage: insert FILE LINE LINES")
				}
				before, after, ok := strings.Cut(ts.ReadFile(args[0]), "\n"+args[1]+"\n")
				if !ok {
					ts.Fatalf("%s has no line %q", args[0], args[1])
				}
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(before+"\n"+args[1]+"\n"+os.Expand(ts.ReadFile(args[2]), ts.Getenv)+after), 0o600))
			},
			// answers waits until something listens on a port.
			"answers": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 1 {
					ts.Fatalf("usage: answers PORT")
				}
				for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
					c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", args[0]))
					if err == nil {
						c.Close()
						return
					}
					if time.Now().After(end) {
						ts.Fatalf("nothing answers: %v", err)
					}
				}
			},
		},
	})
}

// patience is how long a script waits for what must come: long enough for a machine that has much else to do.
const patience = 2 * time.Minute

// nextPorts is where the next ports are sought: below those that systems give out by themselves, so that nothing else takes one
// between here and the start of a node, and each only once.
var nextPorts atomic.Int32

func init() { nextPorts.Store(int32(10_000 + os.Getpid()%1_000*20)) }

// freePorts finds a number of free ports in a row.
func freePorts(n int) (int, error) {
	for range 1000 {
		base := int(nextPorts.Add(int32(n))) - n
		free := true
		for i := range n {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base+i)))
			if err != nil {
				free = false
				break
			}
			l.Close()
		}
		if free {
			return base, nil
		}
	}
	return 0, fmt.Errorf("no %d free ports in a row", n)
}
