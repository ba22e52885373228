package as4_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

const channel = "urn:test:mpc"

// pulling is a world in which b fetches what waits at a.
type pulling struct {
	*world
	mu      sync.Mutex
	waiting map[string][]*as4.Outgoing // by channel
	sent    map[string]*as4.Outgoing   // by message id
	results []*as4.Outcome
	handed  []error
	asked   func(context.Context) // by a pull request; may be nil
	offer   *as4.Receiver         // of a
	at      *httptest.Server
	puller  *as4.Sender // of b
	theirs  *as4.PMode  // at b
}

func newPulling(t testing.TB, profile string, change func(*as4.PMode)) *pulling {
	t.Helper()
	p := &pulling{waiting: map[string][]*as4.Outgoing{}, sent: map[string]*as4.Outgoing{}}
	p.world = newWorld(t, profile, func(pm *as4.PMode) {
		pm.Pull, pm.MPC = true, channel
		if change != nil {
			change(pm)
		}
	})
	out, err := as4.NewTable(p.pmode)
	if err != nil {
		t.Fatal(err)
	}
	p.offer = &as4.Receiver{
		PModes: func() *as4.Table { return &as4.Table{} }, Sending: func() *as4.Table { return out }, Outbox: p, Intake: p,
		Identity: p.sender.Identity, Keys: func() []*pki.Identity { return []*pki.Identity{p.sign[0]} }, Trust: p.trust, Clock: p.receiver.Clock, Host: "a.example",
		Refused: func(_ context.Context, _ *ebms.UserMessage, _ string, err error) { p.lastRefusal = err },
	}
	p.at = httptest.NewServer(p.offer)
	t.Cleanup(p.at.Close)
	p.theirs = p.receiver.PModes().All()[0]
	p.theirs.URL = p.at.URL
	p.puller = &as4.Sender{Client: p.at.Client(), Identity: p.receiver.Identity, Trust: p.trust, Clock: p.receiver.Clock, UserAgent: "test"}
	return p
}

func (p *pulling) wait(out *as4.Outgoing) {
	out.Message.MPC = p.pmode.MPC
	p.waiting[p.pmode.Channel()] = append(p.waiting[p.pmode.Channel()], out)
	p.sent[out.Message.MessageID] = out
}

// Pull implements as4.Outbox.
func (p *pulling) Pull(ctx context.Context, channel string) (*as4.Outgoing, func(error), error) {
	if p.asked != nil {
		p.asked(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting[channel]) == 0 {
		return nil, nil, nil
	}
	out := p.waiting[channel][0]
	p.waiting[channel] = p.waiting[channel][1:]
	return out, func(err error) { p.mu.Lock(); p.handed = append(p.handed, err); p.mu.Unlock() }, nil
}

// handedOver waits until a knows how handing over n messages went: that is after the peer has them.
func (p *pulling) handedOver(t *testing.T, n int) []error {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		list := slices.Clone(p.handed)
		p.mu.Unlock()
		if len(list) >= n {
			return list
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d messages handed over, want %d", len(list), n)
		}
	}
}

// Begin implements as4.Intake.
func (p *pulling) Begin(context.Context, *ebms.UserMessage, *as4.PMode) (as4.Delivery, error) {
	return nil, errors.New("a receives nothing")
}

// Signal implements as4.Intake as a node does.
func (p *pulling) Signal(_ context.Context, s *as4.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.sent[s.Signal.RefToMessageID]
	if out == nil {
		return ebms.InvalidReceipt.New("no message waits for this signal")
	}
	o := p.sender.Judge(out, s)
	p.results = append(p.results, o)
	if s.Signal.Receipt != nil && o.Verdict != as4.Acknowledged {
		return o.Err
	}
	return nil
}

func TestPull(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		profile  string
		change   func(*as4.PMode)
		payloads [][]byte
	}{
		"eDelivery 1.15":            {"eu-edelivery", nil, [][]byte{xmlPayload, []byte("octets")}},
		"eDelivery 2.0":             {"eu-edelivery2", nil, [][]byte{xmlPayload}},
		"a message in the stream":   {"eu-edelivery", nil, [][]byte{bytes.Repeat([]byte("0123456789abcdef"), 100_000)}},
		"no payload":                {"eu-edelivery", nil, nil},
		"a sub-channel":             {"eu-edelivery", func(p *as4.PMode) { p.SubChannel = "west" }, [][]byte{xmlPayload}},
		"key identifiers":           {"eu-edelivery", func(p *as4.PMode) { p.SignToken, p.EncryptToken = "ski", "ski" }, [][]byte{xmlPayload}},
		"receipts without a digest": {"eu-edelivery", func(p *as4.PMode) { p.NoReceiptProof = true }, [][]byte{xmlPayload}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPulling(t, c.profile, c.change)
			p.wait(p.message(t, "m1@a.example", c.payloads...))
			got, err := p.puller.Pull(t.Context(), p.theirs, p.receiver)
			if err != nil || got.Err != nil || got.Message.MessageID != "m1@a.example" {
				t.Fatalf("%v, %+v (%v)", err, got, p.lastRefusal)
			}
			if handed := p.handedOver(t, 1); handed[0] != nil {
				t.Errorf("handed over: %v", handed)
			}
			for i, want := range c.payloads {
				if s := p.intake.only(t); !bytes.Equal(s.payloads[i], want) || s.Message.MPC != channel {
					t.Errorf("payload %d differs, or the channel: %q", i, s.Message.MPC)
				}
			}
			if err := p.puller.Post(t.Context(), p.theirs, got.Reply); err != nil {
				t.Fatalf("the receipt: %v", err)
			}
			if len(p.results) != 1 || p.results[0].Verdict != as4.Acknowledged || !p.results[0].Signed {
				t.Errorf("results %+v", p.results)
			}
			if _, err := p.puller.Pull(t.Context(), p.theirs, p.receiver); !errors.Is(err, as4.ErrEmpty) {
				t.Errorf("an empty channel: %v", err)
			}
		})
	}
}

func TestAChannelIsPulledOldestFirstAndEachMessageOnce(t *testing.T) {
	t.Parallel()
	p := newPulling(t, "eu-edelivery2", nil)
	for _, id := range []string{"m1@a.example", "m2@a.example", "m3@a.example", "m4@a.example"} {
		p.wait(p.message(t, id, xmlPayload))
	}
	first, err := p.puller.Pull(t.Context(), p.theirs, p.receiver)
	if err != nil || first.Message.MessageID != "m1@a.example" {
		t.Fatalf("%v, %v", first, err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := p.puller.Pull(context.Background(), p.theirs, p.receiver); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(p.intake.messages) != 4 || p.intake.doubles != 0 {
		t.Errorf("%d messages, %d doubles", len(p.intake.messages), p.intake.doubles)
	}
}

func TestWhatAnAskerFetchesIsNotDroppedWhenItLeaves(t *testing.T) {
	t.Parallel()
	p := newPulling(t, "eu-edelivery2", nil)
	p.wait(p.message(t, "m1@a.example", xmlPayload))
	ctx, leave := context.WithCancel(t.Context())
	p.at.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.offer.ServeHTTP(w, r.WithContext(ctx)) })
	p.asked = func(ctx context.Context) {
		leave()
		if err := ctx.Err(); err != nil {
			t.Errorf("the store is asked for the message with %v", err)
		}
	}
	if err := p.ask(t, channel, nil); err != nil {
		t.Error(err)
	}
	if handed := p.handedOver(t, 1); handed[0] != nil {
		t.Errorf("handed over: %v", handed[0])
	}
}

func TestARefusedPulledMessageIsToldByAnErrorOfItsOwn(t *testing.T) {
	t.Parallel()
	p := newPulling(t, "eu-edelivery", nil)
	msg := p.message(t, "m1@a.example", xmlPayload)
	p.wait(msg)
	p.intake.check = func(*as4.Received) error { return ebms.ProcessingModeMismatch.New("not wanted") }
	got, err := p.puller.Pull(t.Context(), p.theirs, p.receiver)
	if err != nil || !errors.Is(got.Err, ebms.ProcessingModeMismatch) || got.Reply == nil {
		t.Fatalf("%v, %+v", err, got)
	}
	if err := p.puller.Post(t.Context(), p.theirs, got.Reply); err != nil {
		t.Fatal(err)
	}
	if len(p.results) != 1 || p.results[0].Verdict != as4.Failed || !errors.Is(p.results[0].Err, ebms.ProcessingModeMismatch) {
		t.Errorf("%+v", p.results)
	}
}

func TestAMessageThatCouldNotBeKeptIsNotAnswered(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"no room": as4.ErrBusy, "no reason": errors.New("no reason")} {
		p := newPulling(t, "eu-edelivery", nil)
		p.wait(p.message(t, "m1@a.example", xmlPayload))
		p.intake.commit = func(*as4.Received) error { return err }
		if got, perr := p.puller.Pull(t.Context(), p.theirs, p.receiver); perr != nil || !errors.Is(got.Err, err) || got.Reply != nil {
			t.Errorf("%s: %v, %+v", name, perr, got)
		}
	}
}

// TestAPulledMessageThatBreaksOffIsNotAnswered: an error for a torn answer would end a message that is well.
func TestAPulledMessageThatBreaksOffIsNotAnswered(t *testing.T) {
	t.Parallel()
	p := newPulling(t, "eu-edelivery", nil)
	p.wait(p.message(t, "m1@a.example", bytes.Repeat([]byte("0123456789abcdef"), 1000)))
	p.puller.Client = &http.Client{Transport: torn{p.at.Client().Transport}}
	if got, err := p.puller.Pull(t.Context(), p.theirs, p.receiver); err != nil || got.Err == nil || got.Reply != nil {
		t.Errorf("%v, %+v", err, got)
	}
	if len(p.intake.messages) != 0 {
		t.Error("a torn message was stored")
	}
}

type torn struct{ http.RoundTripper }

func (t torn) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = io.NopCloser(io.MultiReader(io.LimitReader(resp.Body, 12_000), failing{}))
	}
	return resp, err
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// ask posts a pull request that b's key, or another one, signed.
func (p *pulling) ask(t *testing.T, mpc string, change func(*as4.Sender)) error {
	t.Helper()
	pm := *p.theirs
	pm.MPC, pm.SubChannel = mpc, ""
	s := *p.puller
	if change != nil {
		change(&s)
	}
	got, err := s.Pull(t.Context(), &pm, p.receiver)
	if err == nil {
		return got.Err
	}
	return err
}

func TestWhoMayNotPullLearnsNothing(t *testing.T) {
	t.Parallel()
	p := newPulling(t, "eu-edelivery2", nil)
	p.wait(p.message(t, "m1@a.example", xmlPayload))
	member, err := p.ca.Issue(pki.Template{CommonName: "POP000009", Key: keyOf(pki.Ed25519, 7)})
	if err != nil {
		t.Fatal(err)
	}
	other, err := pki.NewAuthority(nil, "CN=Other CA,C=EU", pki.P256, now.AddDate(-1, 0, 0), 10)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := other.Issue(pki.Template{CommonName: "POP000002", Key: keyOf(pki.Ed25519, 8)})
	if err != nil {
		t.Fatal(err)
	}
	as := func(id *pki.Identity) func(*as4.Sender) {
		return func(s *as4.Sender) { s.Identity = func(*as4.PMode) *pki.Identity { return id } }
	}
	for name, c := range map[string]struct {
		as   func(*as4.Sender)
		want ebms.Code
		mpcs []string
	}{
		"a partner, of the channels of others and of none": {nil, ebms.ValueNotRecognized, []string{"urn:none", channel + "/east", "URN:TEST:MPC", ""}},
		"a partner, of the default channel":                {nil, ebms.ValueNotRecognized, []string{ebms.DefaultMPC}},
		"a member of the network, of any channel":          {as(member), ebms.FailedAuthentication, []string{"urn:none", channel}},
		"a stranger, of any channel":                       {as(stranger), ebms.FailedAuthentication, []string{"urn:none", channel}},
	} {
		for _, mpc := range c.mpcs {
			if err := p.ask(t, mpc, c.as); !errors.Is(err, c.want) {
				t.Errorf("%s: %q: %v, want %s", name, mpc, err, c.want)
			}
		}
	}
	for _, mpc := range []string{"urn:none", channel} {
		unsigned := strings.Replace(receiptSignal, "<eb:RefToMessageId>m0@b.example</eb:RefToMessageId>", "", 1)
		req := httptest.NewRequest(http.MethodPost, "/as4", bytes.NewReader(soap(strings.Replace(unsigned, "%s", `<eb:PullRequest mpc="`+mpc+`"/>`, 1), "").body))
		req.Header.Set("Content-Type", ebms.ContentTypeSOAP)
		rec := httptest.NewRecorder()
		p.offer.ServeHTTP(rec, req)
		if !strings.Contains(rec.Body.String(), string(ebms.PolicyNoncompliance)) || strings.Contains(rec.Body.String(), mpc) {
			t.Errorf("unsigned, %s: %s", mpc, rec.Body)
		}
	}
	if len(p.waiting[channel]) != 1 {
		t.Error("a message was taken")
	}
}

func TestAMessageThatCannotBeSecuredDoesNotBlockItsChannel(t *testing.T) {
	t.Parallel()
	p := newPulling(t, "eu-edelivery", nil)
	bad := p.message(t, "m1@a.example", xmlPayload)
	pm := *p.pmode
	expired, err := p.ca.Issue(pki.Template{CommonName: "POP000002", Key: keyOf(pki.RSA2048, 1), NotBefore: now.AddDate(0, -2, 0), NotAfter: now.AddDate(0, -1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	pm.EncryptionCertificate = expired.Certificate
	bad.PMode = &pm
	p.wait(bad)
	p.wait(p.message(t, "m2@a.example", xmlPayload))
	got, err := p.puller.Pull(t.Context(), p.theirs, p.receiver)
	if err != nil || got.Message.MessageID != "m2@a.example" {
		t.Fatalf("%v %v", got, err)
	}
	var unready *as4.UnreadyError
	if handed := p.handedOver(t, 2); !errors.As(handed[0], &unready) || handed[1] != nil {
		t.Errorf("handed over: %v", handed)
	}
}

// TestAPushedMessageOfAPulledAgreement: what was agreed to be pulled is not taken by push, and the other way round.
func TestAPushedMessageOfAPulledAgreement(t *testing.T) {
	t.Parallel()
	p := newPulling(t, "eu-edelivery", nil)
	msg := p.message(t, "m1@a.example", xmlPayload)
	msg.Message.MPC = channel
	p.post(t, p.record(t, msg)).expect(t, ebms.ProcessingModeMismatch)
	p.theirs.Pull = false
	p.wait(msg)
	pm := *p.theirs
	pm.Pull = true
	if got, err := p.puller.Pull(t.Context(), &pm, p.receiver); err != nil || !errors.Is(got.Err, ebms.ProcessingModeMismatch) {
		t.Errorf("%v %+v", err, got)
	}
}

func TestReceiptsOfPulledMessagesAreJudged(t *testing.T) {
	t.Parallel()
	p := newPulling(t, "eu-edelivery", nil)
	for _, id := range []string{"m1@a.example", "m2@a.example"} {
		p.wait(p.message(t, id, xmlPayload))
	}
	one, err := p.puller.Pull(t.Context(), p.theirs, p.receiver)
	if err != nil {
		t.Fatal(err)
	}
	// The receipt is for another message than the one it was made for.
	other := p.sent["m2@a.example"]
	p.sent["m1@a.example"], p.sent["m2@a.example"] = other, p.sent["m1@a.example"]
	if err := p.puller.Post(t.Context(), p.theirs, one.Reply); !errors.Is(err, ebms.InvalidReceipt) {
		t.Errorf("%v", err)
	}
	p.sent["m2@a.example"], p.sent["m1@a.example"] = other, p.sent["m2@a.example"]
	// Another member of the network signs one.
	member, err := p.ca.Issue(pki.Template{CommonName: "POP000009", Key: keyOf(pki.RSA2048, 5)})
	if err != nil {
		t.Fatal(err)
	}
	p.receiver.Identity = func(*as4.PMode) *pki.Identity { return member }
	two, err := p.puller.Pull(t.Context(), p.theirs, p.receiver)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.puller.Post(t.Context(), p.theirs, two.Reply); !errors.Is(err, ebms.InvalidReceipt) {
		t.Errorf("%v", err)
	}
	for _, o := range p.results {
		if o.Verdict == as4.Acknowledged {
			t.Errorf("acknowledged: %+v", o)
		}
	}
	// The right one may still come, and come twice.
	for range 2 {
		if err := p.puller.Post(t.Context(), p.theirs, one.Reply); err != nil {
			t.Errorf("%v", err)
		}
	}
}

func TestPModesOfPull(t *testing.T) {
	t.Parallel()
	cert := newWorld(t, "eu-edelivery", nil).sign[1].Certificate
	pm := func(id, responder, mpc string) *as4.PMode {
		return &as4.PMode{ID: id, ProfileName: "eu-edelivery", Pull: true, MPC: mpc, Initiator: as4.PartyRef{ID: "us"}, Responder: as4.PartyRef{ID: responder}, Certificates: []*pki.Certificate{cert}}
	}
	for name, c := range map[string]struct {
		modes []*as4.PMode
		text  string
	}{
		"the default MPC":                     {[]*as4.PMode{pm("a", "x", ebms.DefaultMPC)}, "default MPC"},
		"no MPC":                              {[]*as4.PMode{pm("a", "x", "")}, "default MPC"},
		"a partner to be discovered":          {[]*as4.PMode{{ID: "a", ProfileName: "eu-edelivery", Pull: true, MPC: "urn:m"}}, "certificate is known"},
		"one channel of two receivers":        {[]*as4.PMode{pm("a", "x", "urn:m"), pm("b", "y", "urn:m")}, "belongs to one receiver"},
		"a sub-channel that nobody pulls":     {[]*as4.PMode{{ID: "a", ProfileName: "eu-edelivery", SubChannel: "x"}}, "for pull alone"},
		"one channel of two kinds of message": {[]*as4.PMode{pm("a", "x", "urn:m"), pm("b", "x", "urn:m")}, ""},
	} {
		_, err := as4.NewTable(c.modes...)
		if (err == nil) != (c.text == "") || err != nil && !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReceiptsThatComeLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", func(p *as4.PMode) { p.AsyncReceipts = true })
	var receipt []byte
	w.interceptors = append(w.interceptors, func(rw http.ResponseWriter, r *http.Request) bool {
		rec := httptest.NewRecorder()
		w.receiver.ServeHTTP(rec, r)
		receipt = bytes.Clone(rec.Body.Bytes())
		rw.WriteHeader(http.StatusAccepted)
		return true
	})
	msg := w.message(t, "m1@a.example", xmlPayload)
	if o := w.sender.Send(t.Context(), msg); o.Verdict != as4.Awaiting || o.Err != nil {
		t.Fatalf("%v %v", o.Verdict, o.Err)
	}
	sent := map[string]*as4.Outgoing{"m1@a.example": msg}
	p := &pulling{world: w, sent: sent}
	table, err := as4.NewTable(w.pmode)
	if err != nil {
		t.Fatal(err)
	}
	back := &as4.Receiver{PModes: func() *as4.Table { return table }, Sending: func() *as4.Table { return table }, Intake: p, Identity: w.sender.Identity, Trust: w.trust, Clock: func() time.Time { return now }, Host: "a.example"}
	req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(receipt))
	req.Header.Set("Content-Type", ebms.ContentTypeSOAP)
	rec := httptest.NewRecorder()
	back.ServeHTTP(rec, req)
	if rec.Code != http.StatusAccepted || len(p.results) != 1 || p.results[0].Verdict != as4.Acknowledged {
		t.Errorf("%d, %+v\n%s", rec.Code, p.results, rec.Body)
	}
	w.pmode.AsyncReceipts = false
	if o := w.sender.Send(t.Context(), msg); o.Verdict != as4.RetryLater || !errors.Is(o.Err, ebms.MissingReceipt) {
		t.Errorf("where it is not agreed: %v %v", o.Verdict, o.Err)
	}
}
