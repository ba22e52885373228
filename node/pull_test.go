package node_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
)

// amend adds lines to a P-Mode in a node's configuration.
func amend(t testing.TB, r *setup.Result, pmode string, lines ...string) {
	t.Helper()
	head := fmt.Sprintf("  - id: %q\n", pmode)
	rewrite(t, r.ConfigFile, func(text []byte) []byte {
		if !bytes.Contains(text, []byte(head)) {
			t.Fatalf("no P-Mode %q in the configuration", pmode)
		}
		add := head
		for _, l := range lines {
			add += "    " + l + "\n"
		}
		return bytes.Replace(text, []byte(head), []byte(add), 1)
	})
}

func rewrite(t testing.TB, file string, change func([]byte) []byte) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, change(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// agreePull makes two nodes: pt fetches the letters of ee.
func agreePull(t testing.TB) (ee, pt *setup.Result) {
	t.Helper()
	ee, pt = agree(t)
	pulled(t, ee, pt, 3)
	return ee, pt
}

// pulled lets pt fetch the letters of ee, as many at once as it says.
func pulled(t testing.TB, ee, pt *setup.Result, parallel int) {
	t.Helper()
	amend(t, ee, "letters", "direction: send", "mpc: urn:test:letters", "pull: {}")
	amend(t, pt, "letters", "direction: receive", "mpc: urn:test:letters", fmt.Sprintf("pull: {interval: 1s, parallel: %d}", parallel))
}

func TestMessagesAreFetched(t *testing.T) {
	t.Parallel()
	a, b := agreePull(t)
	ee := begin(t, a, func(c *config.Config) { c.Outbound.FirstRetry = config.Duration(time.Minute) }, nil)
	var ids []string
	for i := range 12 {
		m := ee.send(t, letter(text("a", fmt.Sprintf("letter %d", i))))
		if m.State != store.Queued {
			t.Errorf("a message that waits is %s", m.State)
		}
		ids = append(ids, m.MessageID)
	}
	pt := begin(t, b, nil, nil)
	for _, id := range ids {
		pt.until(t, store.In, id, store.Delivered)
		m := ee.until(t, store.Out, id, store.Acknowledged)
		if m.Attempts != 1 {
			t.Errorf("%d attempts", m.Attempts)
		}
	}
	m, err := ee.Store.ByMessageID(context.Background(), store.Out, ids[0])
	if err != nil {
		t.Fatal(err)
	}
	evidence, err := ee.Store.Evidence(context.Background(), m.ID)
	if err != nil || len(evidence) != 2 || evidence[0].Kind != store.KindNonRepudiation || evidence[1].Kind != store.KindReceipt {
		t.Errorf("%v, %+v", err, evidence)
	}
	later := ee.send(t, letter(text("a", "one more")))
	ee.until(t, store.Out, later.MessageID, store.Acknowledged)
}

// TestALostReceiptOfAFetchedMessage: the message is offered again once its interval is over, and the receipt that then
// comes is the first one.
func TestALostReceiptOfAFetchedMessage(t *testing.T) {
	t.Parallel()
	a, b := agreePull(t)
	var lose atomic.Int64
	lose.Store(2)
	ee := begin(t, a, func(c *config.Config) { c.Outbound.MaxAttempts = 5 }, nil)
	m := ee.send(t, letter(text("a", "hello")))
	pt := beginClient(t, b, &http.Client{Transport: losing{&lose}}, func(c *config.Config) { c.Outbound.MaxAttempts = 1 })
	pt.until(t, store.In, m.MessageID, store.Delivered)
	got := ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	if got.Attempts < 2 {
		t.Errorf("%d attempts", got.Attempts)
	}
	if l, err := pt.Store.List(context.Background(), store.Filter{Direction: store.In}, store.Page{}); err != nil || len(l.Messages) != 1 {
		t.Errorf("%d messages arrived, %v", len(l.Messages), err)
	}
}

// losing loses requests that carry receipts.
type losing struct{ n *atomic.Int64 }

func (l losing) RoundTrip(r *http.Request) (*http.Response, error) {
	var b bytes.Buffer
	if _, err := b.ReadFrom(r.Body); err != nil {
		return nil, err
	}
	r.Body = http.NoBody
	if strings.Contains(b.String(), "<eb:Receipt>") && l.n.Add(-1) >= 0 {
		return nil, fmt.Errorf("test: lost")
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), &b)
	if err != nil {
		return nil, err
	}
	req.Header = r.Header
	return http.DefaultTransport.RoundTrip(req)
}

// beginClient is begin with a client that misbehaves.
func beginClient(t *testing.T, r *setup.Result, client *http.Client, change func(*config.Config)) *gateway {
	t.Helper()
	c, err := config.Load(r.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	c.Outbound.FirstRetry, c.Outbound.Factor = config.Duration(20e6), 1
	change(c)
	n, err := node.New(context.Background(), c, node.Options{Client: client})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	return &gateway{n, r}
}

// TestAReceiptThatNeverComes: the message is offered as often as agreed, then given up; a late receipt is still taken.
func TestAReceiptThatNeverComes(t *testing.T) {
	t.Parallel()
	a, b := agreePull(t)
	ee := begin(t, a, func(c *config.Config) { c.Outbound.MaxAttempts = 2 }, nil)
	m := ee.send(t, letter(text("a", "hello")))
	var lose atomic.Int64
	lose.Store(1 << 30)
	pt := beginClient(t, b, &http.Client{Transport: losing{&lose}}, func(c *config.Config) { c.Outbound.MaxAttempts = 1 })
	pt.until(t, store.In, m.MessageID, store.Delivered)
	failed := ee.until(t, store.Out, m.MessageID, store.Failed)
	if failed.Attempts != 2 || failed.Error.Code != "EBMS:0301" || failed.Error.Remedy == "" {
		t.Errorf("%d attempts, %+v", failed.Attempts, failed.Error)
	}
	got, err := pt.Store.ByMessageID(context.Background(), store.In, m.MessageID)
	if err != nil {
		t.Fatal(err)
	}
	evidence, err := pt.Store.Evidence(context.Background(), got.ID)
	if err != nil || len(evidence) == 0 {
		t.Fatalf("%v, %d pieces of evidence", err, len(evidence))
	}
	resp, err := http.Post(a.URL, "application/soap+xml", bytes.NewReader(evidence[0].Octets))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	late := ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	if resp.StatusCode != http.StatusAccepted || !late.Error.IsZero() {
		t.Errorf("%d, %+v", resp.StatusCode, late.Error)
	}
}

func TestAFetchedMessageThatIsResent(t *testing.T) {
	t.Parallel()
	a, b := agreePull(t)
	ee := begin(t, a, func(c *config.Config) {
		c.Outbound.MaxAttempts, c.Outbound.FirstRetry = 1, config.Duration(5*time.Second) // a slow machine is no lost receipt
	}, nil)
	m := ee.send(t, letter(text("a", "hello")))
	var lose atomic.Int64
	lose.Store(3)
	beginClient(t, b, &http.Client{Transport: losing{&lose}}, func(c *config.Config) { c.Outbound.MaxAttempts = 1 })
	ee.until(t, store.Out, m.MessageID, store.Failed)
	lose.Store(0)
	if resp, body := ee.call(t, "POST", "/api/v1/messages/"+m.MessageID+"/resend", "", nil); resp.StatusCode != http.StatusOK {
		t.Fatalf("resend: %d %s", resp.StatusCode, body)
	}
	if again := ee.until(t, store.Out, m.MessageID, store.Acknowledged); again.Attempts != 1 {
		t.Errorf("%d attempts after resending", again.Attempts)
	}
}

// TestMessagesThatWaitSurviveAStop: what was handed over before the node went down is offered again.
func TestMessagesThatWaitSurviveAStop(t *testing.T) {
	t.Parallel()
	a, b := agreePull(t)
	ee := begin(t, a, nil, nil)
	m := ee.send(t, letter(text("a", "hello")))
	if err := ee.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	ee = begin(t, a, nil, nil)
	pt := begin(t, b, nil, nil)
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	pt.until(t, store.In, m.MessageID, store.Delivered)
}

func TestPullSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines []string
		text  string
	}{
		"pull without a channel": {[]string{"pull: {}"}, "default MPC"},
		"an interval of nothing": {[]string{"mpc: urn:m", "pull: {interval: 0s}"}, "least allowed"},
		"an unknown key":         {[]string{"mpc: urn:m", "pull: {intervall: 3s}"}, "did you mean interval"},
	} {
		a, _ := agree(t)
		amend(t, a, "letters", c.lines...)
		cfg, err := config.Load(a.ConfigFile)
		if err != nil {
			t.Fatal(err)
		}
		n, err := node.New(context.Background(), cfg, node.Options{})
		if err == nil {
			n.Stop(context.Background())
		}
		if err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
