package node_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/childnode"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// agreeOnAll makes two nodes that agreed on every way a message may go from ee to pt, and on answers: back, pushed and
// fetched.
func agreeOnAll(t *testing.T) (ee, pt *setup.Result) {
	t.Helper()
	ee, pt = agree(t)
	for _, m := range []struct {
		id       string
		fromPT   bool
		settings []string
		fetched  bool
	}{
		{id: "whole"},
		{id: "pieces", settings: []string{"splitting: {fragmentSize: 64KiB, threshold: 100KiB}"}},
		{id: "small-pieces", settings: []string{"splitting: {fragmentSize: 64KiB, threshold: 100KiB, compression: true}"}},
		{id: "fetched", settings: []string{"mpc: urn:test:fetched"}, fetched: true},
		{id: "question", settings: []string{"replyWith: answer"}},
		{id: "answer", fromPT: true, settings: []string{"response: true"}},
		{id: "question-2", settings: []string{"replyWith: answer-2"}},
		{id: "answer-2", fromPT: true, settings: []string{"response: true", "mpc: urn:test:answers"}, fetched: true},
	} {
		for _, r := range []*setup.Result{ee, pt} {
			partner, direction := pt.Name, "send"
			if r == pt {
				partner = ee.Name
			}
			if (r == pt) != m.fromPT {
				direction = "receive"
			}
			lines := append([]string{"partner: " + partner, "profile: eu-edelivery", "service: urn:test:letters", "action: " + m.id, "direction: " + direction}, m.settings...)
			switch {
			case m.fetched && direction == "receive":
				lines = append(lines, "pull: {interval: 1s, parallel: 4}")
			case m.fetched:
				lines = append(lines, "pull: {}")
			}
			rewrite(t, r.ConfigFile, func(b []byte) []byte {
				return bytes.Replace(b, []byte("\npmodes:\n"), []byte("\npmodes:\n  - id: "+m.id+"\n    "+strings.Join(lines, "\n    ")+"\n"), 1)
			})
		}
	}
	return ee, pt
}

// traffic hands messages over to a node that may be dead, and answers what asks for it.
type traffic struct {
	t         *testing.T
	ee, pt    *setup.Result
	n         atomic.Int64
	most      atomic.Int64 // so many are handed over by now, and no more: a quick machine would fill its disk
	lost      atomic.Int64 // hand-overs whose answer was lost: stored or not
	mu        sync.Mutex
	accepted  map[string][32]byte // message id -> hash of what was handed over, at ee or pt
	questions map[string]bool     // that wait for an answer
	answers   map[string]string   // question -> answer
}

// post hands a message over: the fate is unknown when there is no answer, and nothing happened when m is nil otherwise.
func (l *traffic) post(r *setup.Result, path, name string, body []byte) (m *node.MessageJSON, unknown bool) {
	req, err := http.NewRequest("POST", r.API+path, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.Token)
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := http.DefaultClient.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, false
	}
	if err != nil {
		l.lost.Add(1)
		return nil, true
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		l.lost.Add(1)
		return nil, true
	}
	m = new(node.MessageJSON)
	if resp.StatusCode != http.StatusAccepted || json.Unmarshal(b, m) != nil {
		if resp.StatusCode != http.StatusNotFound { // a question that is not there yet
			l.t.Errorf("%s: %d %s", name, resp.StatusCode, b)
		}
		return nil, false
	}
	l.mu.Lock()
	l.accepted[m.MessageID] = sha256.Sum256(body)
	l.mu.Unlock()
	return m, false
}

func (l *traffic) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.accepted)
}

// run hands over one message after the other, in turn by each agreement.
func (l *traffic) run(stop <-chan struct{}) {
	modes := []string{"whole", "pieces", "small-pieces", "fetched", "question", "question-2"}
	for {
		select {
		case <-stop:
			return
		default:
		}
		if int64(l.count()) >= l.most.Load() {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		n := l.n.Add(1)
		mode, size := modes[n%int64(len(modes))], 100+int(n*7919%40_000)
		if strings.HasSuffix(mode, "pieces") {
			size += 120_000 + int(n*7919%400_000)
		}
		m, _ := l.post(l.ee, "/api/v1/messages?pmode="+mode+"&sender=urn:id::a&receiver=urn:id::b", mode, noise(uint64(n), size))
		if m == nil {
			time.Sleep(5 * time.Millisecond) // the node is dead: do not spin
			continue
		}
		if strings.HasPrefix(mode, "question") {
			l.mu.Lock()
			l.questions[m.MessageID] = true
			l.mu.Unlock()
		}
	}
}

// reply answers questions as they arrive, each once: an answer whose fate is not known is not given again.
func (l *traffic) reply(stop <-chan struct{}) {
	for stopped := false; ; {
		l.mu.Lock()
		var ids []string
		for id := range l.questions {
			ids = append(ids, id)
		}
		l.mu.Unlock()
		if stopped && len(ids) == 0 {
			return
		}
		for _, id := range ids {
			m, unknown := l.post(l.pt, "/api/v1/messages/"+id+"/reply", "reply", []byte("the answer to "+id))
			if m == nil && !unknown {
				continue // not arrived yet
			}
			l.mu.Lock()
			delete(l.questions, id)
			if m != nil {
				l.answers[id] = m.MessageID
			}
			l.mu.Unlock()
		}
		select {
		case <-stop:
			stopped = true
		default:
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestNodesMayBeKilledInAnyExchange kills one of two nodes again and again while messages travel in every way there is:
// pushed, in pieces, fetched, asked and answered. Nothing that was accepted is lost, nothing arrives twice, and what the
// evidence says is proven for every single message, at both ends.
func TestNodesMayBeKilledInAnyExchange(t *testing.T) {
	t.Parallel()
	if testing.Short() && os.Getenv("VIADUKT_KILLS") == "" {
		t.Skip("starts and kills processes")
	}
	a, b := agreeOnAll(t)
	made := [2]*setup.Result{a, b}
	nodes := [2]*child{startChild(t, a), startChild(t, b)}
	l := &traffic{t: t, ee: a, pt: b, accepted: map[string][32]byte{}, questions: map[string]bool{}, answers: map[string]string{}}
	stop, quiet := make(chan struct{}), make(chan struct{})
	var callers, answerer sync.WaitGroup
	for range 3 {
		callers.Go(func() { l.run(stop) })
	}
	answerer.Go(func() { l.reply(quiet) })
	var killed [2]int
	for i := range childnode.Kills(t, 6) {
		if i%10 == 9 { // what is killed is to be of every kind, and not one long queue
			waiting := len(nodes[0].underWay(t))
			if waiting > 100 {
				eventually(t, "a short queue", func() bool { return len(nodes[0].underWay(t)) < 20 })
			}
			if i%100 == 99 {
				t.Logf("%d kills, %d messages accepted, %d were under way", i+1, l.count(), waiting)
			}
		}
		want := l.count() + rand.IntN(8)
		l.most.Store(int64(want + 12))
		eventually(t, "another message", func() bool { return l.count() > want })
		time.Sleep(rand.N(150 * time.Millisecond)) // somewhere in the middle of the work
		side := rand.IntN(2)
		nodes[side].Kill()
		killed[side]++
		nodes[side].Start(t)
	}
	close(stop)
	callers.Wait()
	rest := func(r *child) {
		t.Helper()
		for deadline, before := time.Now().Add(patience), -1; ; time.Sleep(50 * time.Millisecond) {
			switch list := r.underWay(t); {
			case len(list) == 0:
				return
			case len(list) != before:
				before, deadline = len(list), time.Now().Add(patience)
			case time.Now().After(deadline):
				t.Fatalf("%d messages do not come to rest: %+v", len(list), list[0])
			}
		}
	}
	rest(nodes[0])
	rest(nodes[1])
	close(quiet)
	answerer.Wait()
	rest(nodes[1])
	rest(nodes[0])
	for i := range nodes {
		nodes[i].proven(t)
	}
	for _, c := range nodes {
		c.End(t)
	}
	out, in := [2]map[string]*store.Message{}, [2]map[string]*store.Message{}
	for i, r := range made {
		out[i], in[i] = everything(t, r)
	}
	for i := range made {
		for id, m := range out[i] {
			got := in[1-i][id]
			if m.State != store.Acknowledged || got == nil {
				t.Errorf("%s by %s is %s at %s, at the other end %v", id, m.PMode, m.State, made[i].Name, got)
				continue
			}
			if h, known := l.accepted[id]; known && got.Payloads[0].SHA256 != h && !got.Payloads[0].Compressed {
				t.Errorf("%s by %s arrived with other octets", id, m.PMode)
			}
		}
		for id := range in[i] {
			if out[1-i][id] == nil {
				t.Errorf("%s arrived at %s and was never sent", id, made[i].Name)
			}
		}
	}
	for id := range l.accepted {
		if out[0][id] == nil && out[1][id] == nil {
			t.Errorf("%s was accepted and is nowhere", id)
		}
	}
	for question, answer := range l.answers {
		if m := in[0][answer]; m == nil || m.RefToMessageID != question {
			t.Errorf("the answer %s to %s: %+v", answer, question, m)
		}
	}
	by := map[string]int{}
	for i := range made {
		for _, m := range out[i] {
			by[m.PMode]++
		}
	}
	t.Logf("killed sender %d times, receiver %d times; %d messages accepted, %d hand-overs without answer, %d questions answered; sent by agreement: %v", killed[0], killed[1], len(l.accepted), l.lost.Load(), len(l.answers), by)
}

// underWay lists the messages that have not come to rest.
func (c *child) underWay(t *testing.T) (out []node.MessageJSON) {
	t.Helper()
	for before := int64(0); ; {
		var list node.MessageListJSON
		if !c.ask(t, fmt.Sprintf("/api/v1/messages?limit=1000&before=%d&state=accepted&state=queued&state=sending&state=sent&state=retrying&state=received", before), &list) {
			t.Fatal("the node does not answer")
		}
		out = append(out, list.Messages...)
		if before = list.Next; before == 0 {
			return out
		}
	}
}

// proven asks the node for what proves each of its messages, and checks it offline.
func (c *child) proven(t *testing.T) {
	t.Helper()
	g := &gateway{made: c.made}
	trust, before := g.authority(t), int64(0)
	for n := 0; ; {
		var list node.MessageListJSON
		if !c.ask(t, fmt.Sprintf("/api/v1/messages?limit=200&before=%d", before), &list) {
			t.Fatal("the node does not answer")
		}
		for _, m := range list.Messages {
			var file []byte
			if !c.ask(t, fmt.Sprintf("/api/v1/messages/%d/case", m.ID), &file) {
				t.Errorf("%s by %s at %s: no case", m.MessageID, m.PMode, c.made.Name)
				continue
			}
			if r := check(t, file, trust); !r.Valid || !r.Trusted {
				var bad []audit.Step
				for _, s := range r.Steps {
					if s.Result != audit.Proven {
						bad = append(bad, s)
					}
				}
				t.Errorf("%s by %s at %s: valid %t, trusted %t: %+v", m.MessageID, m.PMode, c.made.Name, r.Valid, r.Trusted, bad)
			}
			n++
		}
		if before = list.Next; before == 0 {
			t.Logf("%s: %d messages are proven", c.made.Name, n)
			return
		}
	}
}

// everything reads what a node that does not run has, out and in, by message id. Nothing may be there twice or damaged.
func everything(t *testing.T, r *setup.Result) (out, in map[string]*store.Message) {
	t.Helper()
	c, err := config.Load(r.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(string(c.Node.DataDir), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.VerifyData(t.Context(), func(d store.Damage) { t.Errorf("%s: %+v", r.Name, d) }); err != nil {
		t.Error(err)
	}
	out, in = map[string]*store.Message{}, map[string]*store.Message{}
	for page := (store.Page{Limit: 1000}); ; {
		l, err := s.List(t.Context(), store.Filter{}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, short := range l.Messages {
			m, err := s.Message(t.Context(), short.ID)
			if err != nil {
				t.Fatal(err)
			}
			into := out
			if m.Direction == store.In {
				into = in
				if m.State != store.Delivered {
					t.Errorf("%s is %s at %s", m.MessageID, m.State, r.Name)
				}
			}
			if other := into[m.MessageID]; other != nil {
				t.Errorf("%s is there twice at %s: rows %d and %d", m.MessageID, r.Name, other.ID, m.ID)
			}
			into[m.MessageID] = m
		}
		if page.Before = l.Next; l.Next == 0 {
			break
		}
	}
	folders, err := filepath.Glob(filepath.Join(r.Dir, "inbox", "*", "*"))
	if err != nil || len(folders) != len(in) {
		t.Errorf("%s: %d folders for %d messages, %v", r.Name, len(folders), len(in), err)
	}
	return out, in
}

// TestACaseOfAMessageInPieces: at the receiving end nobody signed the whole, and the case says so instead of failing.
func TestACaseOfAMessageInPieces(t *testing.T) {
	t.Parallel()
	a, b := agreeSplit(t, "")
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	m := ee.send(t, letter(octets("a", noise(13, 300_000))))
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	pt.until(t, store.In, m.MessageID, store.Delivered)
	for _, g := range []*gateway{ee, pt} {
		r := check(t, g.caseOf(t, m.MessageID), g.authority(t))
		if !r.Valid || !r.Trusted || step(r, "message: record").Result != audit.Proven && g == pt || step(r, "payload 1: record").Result != audit.Proven && g == pt {
			t.Errorf("%s: %+v", g.made.Name, r.Steps)
		}
	}
	if s := step(check(t, pt.caseOf(t, m.MessageID), pt.authority(t)), "signed message"); s.Result != audit.Unsettled || !strings.Contains(s.Text, "in pieces") {
		t.Errorf("%+v", s)
	}
}
