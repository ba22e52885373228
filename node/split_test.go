package node_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
)

// agreeSplit makes two nodes whose letters travel in pieces of 64 KiB from 200 KiB on.
func agreeSplit(t testing.TB, more string) (ee, pt *setup.Result) {
	t.Helper()
	ee, pt = agree(t)
	for _, r := range []*setup.Result{ee, pt} {
		amend(t, r, "letters", "splitting: {fragmentSize: 64KiB, threshold: 200KiB"+more+"}")
	}
	return ee, pt
}

// noise is octets that compress a little, the same for the same seed.
func noise(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[r.IntN(16)]
	}
	return b
}

func octets(name string, b []byte) node.SubmissionPart {
	return node.SubmissionPart{Name: name, MimeType: "application/octet-stream", Body: bytes.NewReader(b)}
}

// files counts the payload files of a node.
func (g *gateway) files(t *testing.T) (n int) {
	t.Helper()
	err := filepath.WalkDir(string(g.Config.Node.DataDir), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && len(d.Name()) == 64 {
			n++
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return n
}

func (g *gateway) same(t *testing.T, m *store.Message, want ...[]byte) {
	t.Helper()
	if len(m.Payloads) != len(want) {
		t.Fatalf("%d payloads, want %d", len(m.Payloads), len(want))
	}
	for i, w := range want {
		r, err := g.OpenDocument(context.Background(), &m.Payloads[i])
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || sha256.Sum256(got) != sha256.Sum256(w) {
			t.Errorf("payload %d: %d octets, %v", i, len(got), err)
		}
	}
}

func (g *gateway) count(t *testing.T, d store.Direction) int {
	t.Helper()
	l, err := g.Store.List(context.Background(), store.Filter{Direction: d}, store.Page{})
	if err != nil {
		t.Fatal(err)
	}
	return len(l.Messages)
}

func TestLargeMessagesTravelInPieces(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{
		"by the standard": "", "compressed": ", compression: true", "with a Domibus": ", dialect: domibus", "with a Domibus, compressed": ", dialect: domibus, compression: true",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := agreeSplit(t, more)
			ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
			one, two := noise(1, 900_000), []byte("<annex>"+string(noise(2, 30_000))+"</annex>")
			m := ee.send(t, letter(octets("a", one), node.SubmissionPart{Name: "b", MimeType: "application/xml", Body: bytes.NewReader(two)}))
			in := pt.until(t, store.In, m.MessageID, store.Delivered)
			pt.same(t, in, one, two)
			done := ee.until(t, store.Out, m.MessageID, store.Acknowledged)
			if done.Attempts != 1 || !done.Error.IsZero() || in.Payloads[1].Name != "b" || in.Receiver == "" {
				t.Errorf("%+v\n%+v", done, in)
			}
			evidence, err := ee.Store.Evidence(context.Background(), done.ID)
			if err != nil || len(evidence) == 0 || !strings.Contains(string(evidence[len(evidence)-1].Octets), "<eb:Receipt><eb:UserMessage") {
				t.Errorf("%v, %d pieces of evidence", err, len(evidence))
			}
			if ee.count(t, store.Out) != 1 || pt.count(t, store.In) != 1 {
				t.Errorf("%d and %d messages: pieces are none", ee.count(t, store.Out), pt.count(t, store.In))
			}
			eventually(t, "a folder without pieces", func() bool { return ee.files(t) == 2 && pt.files(t) == 2 })
			small := ee.send(t, letter(text("c", "a small one goes whole")))
			ee.until(t, store.Out, small.MessageID, store.Acknowledged)
			pt.same(t, pt.until(t, store.In, small.MessageID, store.Delivered), []byte("a small one goes whole"))
		})
	}
}

// choosy loses requests for which it says so, the first time or always.
type choosy struct {
	lose  func(request string, nth int64) bool
	n     atomic.Int64
	after bool // the request arrives, its answer is lost
}

func (c *choosy) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	lost := c.lose(string(b), c.n.Add(1))
	if lost && !c.after {
		return nil, errors.New("test: lost")
	}
	req := r.Clone(r.Context())
	req.Body = io.NopCloser(bytes.NewReader(b))
	resp, err := http.DefaultTransport.RoundTrip(req)
	if lost && err == nil {
		resp.Body.Close()
		return nil, errors.New("test: answer lost")
	}
	return resp, err
}

// TestLostPiecesAreSentAgain: each piece is tried for itself, and a piece whose receipt was lost does not end its group.
func TestLostPiecesAreSentAgain(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]bool{"requests are lost": false, "receipts are lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := agreeSplit(t, "")
			pt := begin(t, b, nil, nil)
			ee := beginClient(t, a, &http.Client{Transport: &choosy{after: after, lose: func(_ string, n int64) bool { return n%3 == 0 }}}, func(c *config.Config) { c.Outbound.MaxAttempts = 100 })
			one := noise(3, 1_000_000)
			m := ee.send(t, letter(octets("a", one)))
			pt.same(t, pt.until(t, store.In, m.MessageID, store.Delivered), one)
			ee.until(t, store.Out, m.MessageID, store.Acknowledged)
			if pt.count(t, store.In) != 1 {
				t.Errorf("%d messages arrived", pt.count(t, store.In))
			}
		})
	}
}

func TestAReceiptOfAWholeThatIsLostIsPostedAgain(t *testing.T) {
	t.Parallel()
	a, b := agreeSplit(t, "")
	ee := begin(t, a, nil, nil)
	var lost atomic.Int64
	beginClient(t, b, &http.Client{Transport: &choosy{lose: func(r string, _ int64) bool { return strings.Contains(r, "<eb:Receipt>") && lost.Add(1) < 4 }}}, func(c *config.Config) { c.Outbound.MaxAttempts = 10 })
	m := ee.send(t, letter(octets("a", noise(4, 300_000))))
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
}

func TestAGroupThatDoesNotBecomeWhole(t *testing.T) {
	t.Parallel()
	a, b := agreeSplit(t, ", joinInterval: 1s")
	amendReplace(t, a, "joinInterval: 1s", "joinInterval: 1h")
	pt := begin(t, b, nil, nil)
	ee := beginClient(t, a, &http.Client{Transport: &choosy{lose: func(r string, _ int64) bool { return strings.Contains(r, "<mf:FragmentNum>3<") }}}, func(c *config.Config) {
		c.Outbound.MaxAttempts, c.Outbound.FirstRetry = 1000, config.Duration(100*time.Millisecond)
	})
	m := ee.send(t, letter(octets("a", noise(5, 400_000))))
	failed := ee.until(t, store.Out, m.MessageID, store.Failed)
	if failed.Error.Code != "EBMS:0051" && failed.Error.Code != "EBMS:0040" {
		t.Errorf("%+v", failed.Error)
	}
	if pt.count(t, store.In) != 0 {
		t.Error("a message arrived")
	}
	eventually(t, "a folder without pieces", func() bool { return pt.files(t) == 0 })
}

// amendReplace changes one word of a configuration.
func amendReplace(t *testing.T, r *setup.Result, old, new string) {
	t.Helper()
	rewrite(t, r.ConfigFile, func(b []byte) []byte {
		if !bytes.Contains(b, []byte(old)) {
			t.Fatalf("no %q in the configuration", old)
		}
		return bytes.Replace(b, []byte(old), []byte(new), 1)
	})
}

// TestAPartnerThatNeverReceiptsTheWhole: all pieces are acknowledged, the message is not.
func TestAPartnerThatNeverReceiptsTheWhole(t *testing.T) {
	t.Parallel()
	a, b := agreeSplit(t, ", joinInterval: 1s")
	ee := begin(t, a, nil, nil)
	beginClient(t, b, &http.Client{Transport: &choosy{lose: func(string, int64) bool { return true }}}, func(c *config.Config) { c.Outbound.MaxAttempts = 2 })
	m := ee.send(t, letter(octets("a", noise(6, 300_000))))
	failed := ee.until(t, store.Out, m.MessageID, store.Failed)
	if failed.Error.Code != "EBMS:0301" || !strings.Contains(failed.Error.Text, "whole") {
		t.Errorf("%+v", failed.Error)
	}
}

// TestASplitMessageThatIsResent starts with a new group: the partner may have rejected the old one for good.
func TestASplitMessageThatIsResent(t *testing.T) {
	t.Parallel()
	a, b := agreeSplit(t, ", joinInterval: 1s")
	amendReplace(t, a, "joinInterval: 1s", "joinInterval: 1h")
	pt := begin(t, b, nil, nil)
	var well atomic.Bool
	ee := beginClient(t, a, &http.Client{Transport: &choosy{lose: func(r string, _ int64) bool { return !well.Load() && strings.Contains(r, "<mf:FragmentNum>2<") }}}, func(c *config.Config) {
		c.Outbound.MaxAttempts, c.Outbound.FirstRetry = 1000, config.Duration(100*time.Millisecond)
	})
	one := noise(7, 300_000)
	m := ee.send(t, letter(octets("a", one)))
	ee.until(t, store.Out, m.MessageID, store.Failed)
	well.Store(true)
	if resp, body := ee.call(t, "POST", "/api/v1/messages/"+m.MessageID+"/resend", "", nil); resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	pt.same(t, pt.until(t, store.In, m.MessageID, store.Delivered), one)
}

// TestStopsInTheMiddleOfAMessageInPieces restarts each node while pieces are under way.
func TestStopsInTheMiddleOfAMessageInPieces(t *testing.T) {
	t.Parallel()
	a, b := agreeSplit(t, ", compression: true")
	one := noise(8, 3_000_000)
	pt := begin(t, b, nil, nil)
	ee := begin(t, a, nil, nil)
	m := ee.send(t, letter(octets("a", one)))
	for i := range 6 {
		pieces := int64(i + 1)
		eventually(t, fmt.Sprintf("%d pieces", pieces), func() bool { return pt.files(t) >= int(pieces) || pt.count(t, store.In) > 0 })
		if i%2 == 0 {
			if err := ee.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
			ee = begin(t, a, nil, nil)
		} else {
			if err := pt.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
			pt = begin(t, b, nil, nil)
		}
	}
	pt.same(t, pt.until(t, store.In, m.MessageID, store.Delivered), one)
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	if pt.count(t, store.In) != 1 {
		t.Errorf("%d messages arrived", pt.count(t, store.In))
	}
}

// untilStop hands requests on, and holds the answers back that come after the first few until the node stops.
type untilStop struct {
	first int64
	asked atomic.Int64
}

func (u *untilStop) RoundTrip(r *http.Request) (*http.Response, error) {
	n := u.asked.Add(1)
	resp, err := http.DefaultTransport.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
	if n > u.first {
		<-r.Context().Done()
	}
	return resp, err
}

// TestAStopWhileEveryPieceSucceeds: a node that stops between two pieces goes on with the rest at its next start, though
// nothing failed.
func TestAStopWhileEveryPieceSucceeds(t *testing.T) {
	t.Parallel()
	a, b := agreeSplit(t, "")
	pt := begin(t, b, nil, nil)
	c, err := config.Load(a.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	client := &untilStop{first: 3}
	n, err := node.New(t.Context(), c, node.Options{Client: &http.Client{Transport: client}})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	one := noise(10, 2_000_000)
	m := (&gateway{n, a}).send(t, letter(octets("a", one)))
	eventually(t, "a request that is held", func() bool { return client.asked.Load() > client.first })
	if err := n.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	ee := begin(t, a, nil, nil)
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	pt.same(t, pt.until(t, store.In, m.MessageID, store.Delivered), one)
}

// TestOf64MegabytesInPieces is the size at which a copy in memory would show.
func TestOf64MegabytesInPieces(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	for _, r := range []*setup.Result{a, b} {
		amend(t, r, "letters", "splitting: {fragmentSize: 4MiB, threshold: 16MiB}")
	}
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	one := bytes.Repeat(noise(9, 1<<20), 64)
	m := ee.send(t, letter(octets("a", one)))
	pt.same(t, pt.until(t, store.In, m.MessageID, store.Delivered), one)
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
}
