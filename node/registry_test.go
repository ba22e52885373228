package node_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node/setup"
)

func participant(n int) ids.Participant {
	return ids.Participant{Scheme: ids.SchemeActor, Value: fmt.Sprintf("0191:%08d", n)}
}

func (g *gateway) register(t *testing.T, p ids.Participant) {
	t.Helper()
	err := g.Register(context.Background(), p, ids.DocumentType{Scheme: "busdox-docid-qns", Value: "urn:a::B##c::2.1"}, ids.Process{Scheme: ids.SchemeProcess, Value: "urn:p"}, as4.Profiles["eu-edelivery"])
	if err != nil {
		t.Error(err)
	}
}

// found looks a participant up in the network, past what the node knows of its own.
func (g *gateway) found(p ids.Participant) bool {
	j := g.LookupJSON(context.Background(), p, ids.DocumentType{}, ids.Process{})
	return j.Error == nil && len(j.DocumentTypes) == 1
}

func zoneOf(r *setup.Result) string { return filepath.Join(r.Network, "participants.zone") }

func TestTwoNodesRegisterInOneZoneAtOnce(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	nodes := []*gateway{begin(t, a, nil, nil), begin(t, b, nil, nil)}
	var all sync.WaitGroup
	const each = 12
	for i := range 2 * each {
		all.Go(func() { nodes[i%2].register(t, participant(i)) })
	}
	all.Wait()
	for i := range 2 * each {
		if !nodes[1-i%2].found(participant(i)) { // the other node finds it
			t.Errorf("%s is not found", participant(i))
		}
	}
	if err := nodes[0].Unregister(context.Background(), participant(0), ids.DocumentType{}); err != nil {
		t.Error(err)
	}
	if nodes[0].found(participant(0)) || !nodes[0].found(participant(1)) {
		t.Error("removing one removes another, or nobody")
	}
	if left, err := filepath.Glob(zoneOf(a) + ".new*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestAChangeOfTheZoneIsSeenThoughTheClockStoodStill(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	ee.register(t, participant(1))
	if !pt.found(participant(1)) {
		t.Fatal("the first is not found")
	}
	info, err := os.Stat(zoneOf(a))
	if err != nil {
		t.Fatal(err)
	}
	pt.register(t, participant(2))
	if err := os.Chtimes(zoneOf(a), info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if !ee.found(participant(2)) {
		t.Error("the second is not found")
	}
}

func TestLinesOfTheZoneStay(t *testing.T) {
	t.Parallel()
	a, _ := agree(t)
	long := "; " + strings.Repeat("x", 100_000) // longer than scanners like
	if err := os.WriteFile(zoneOf(a), []byte(long+"\nother.participants.test.\t60\tIN\tTXT\t\"x\""), 0o644); err != nil {
		t.Fatal(err)
	}
	ee := begin(t, a, nil, nil)
	ee.register(t, participant(1))
	b, err := os.ReadFile(zoneOf(a))
	if err != nil {
		t.Fatal(err)
	}
	if want := long + "\nother.participants.test.\t60\tIN\tTXT\t\"x\"\n"; len(b) <= len(want) || string(b[:len(want)]) != want {
		t.Errorf("%d octets are left of %d", len(b), len(want))
	}
}
