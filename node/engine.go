package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/trace"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// leaseTime is how long a worker may take for one attempt before another may take over. A process that dies releases
// its leases when it starts again.
const leaseTime = 30 * time.Minute

// lessee is a new name for who works on what is claimed now: what an older job of the same message finds out must not be
// taken for the result of a newer one.
func (n *Node) lessee() string { return n.owner + "." + strconv.FormatUint(n.leases.Add(1), 36) }

// job is one message to work on. Whoever stored it just now has its header at hand; from the queue it comes without.
type job struct {
	*store.Message
	header *ebms.UserMessage
}

// worker runs the jobs of one direction, as many at once as it has hands and each peer allows. A job comes from the
// queue, which the worker claims when hands are free, or straight from the one who stored it: [worker.reserve].
type worker struct {
	n         *Node
	direction store.Direction
	perPeer   int
	limit     func(peer string) int
	do        func(context.Context, job) (told func())
	free      chan struct{} // one token a hand
	again     chan struct{} // a token when a job that ended may have left more to do: see wake

	mu     sync.Mutex
	ctx    context.Context // of the jobs; nil while the worker does not run
	active map[string]int  // jobs by peer
	// held are claimed messages of a peer that got its share meanwhile from messages that were never queued. Each keeps
	// its hand and begins when one of the peer's jobs ends.
	held map[string][]*store.Message
	jobs sync.WaitGroup
}

func newWorker(n *Node, d store.Direction, hands, perPeer int, do func(context.Context, job) func()) *worker {
	w := &worker{n: n, direction: d, perPeer: perPeer, limit: func(string) int { return perPeer }, do: do, free: make(chan struct{}, hands), again: make(chan struct{}, 1), active: map[string]int{}, held: map[string][]*store.Message{}}
	for range hands {
		w.free <- struct{}{}
	}
	return w
}

// reserve takes a hand for a message that is about to be stored and leases the message, so that it need not be claimed.
// False when no hand is free or the peer has its share: the message is then queued. The caller answers with start, or
// with release when the message was not stored.
func (w *worker) reserve(m *store.Message) bool {
	select {
	case <-w.free:
	default:
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx == nil || w.ctx.Err() != nil || w.perPeer >= 0 && w.active[m.Peer] >= w.perPeer {
		w.free <- struct{}{}
		return false
	}
	w.active[m.Peer]++
	w.jobs.Add(1)
	m.State = m.State.Claimed(w.direction)
	m.LeaseOwner, m.LeaseUntil, m.Attempts = w.n.lessee(), w.n.Clock().Add(leaseTime), 1
	return true
}

// start begins the job of a reserved message. What it has to tell it tells with its hand free again: who is told may
// bring the next message.
func (w *worker) start(j job) {
	go func() {
		told := w.do(w.ctx, j)
		w.release(j.Message)
		if told != nil {
			told()
		}
	}()
}

func (w *worker) release(m *store.Message) {
	w.mu.Lock()
	if w.perPeer >= 0 && w.active[m.Peer] >= w.perPeer {
		defer w.wake() // others of this peer may have waited
	}
	if next := w.held[m.Peer]; len(next) > 0 {
		if w.held[m.Peer] = next[1:]; len(next) == 1 {
			delete(w.held, m.Peer)
		}
		defer w.start(job{Message: next[0]})
	} else if w.active[m.Peer]--; w.active[m.Peer] == 0 {
		delete(w.active, m.Peer)
	}
	w.mu.Unlock()
	w.free <- struct{}{}
	w.jobs.Done()
}

// wake lets run look again: for work that the store gives no token for, because it is due later or because a peer's
// limit held it back.
func (w *worker) wake() {
	select {
	case w.again <- struct{}{}:
	default:
	}
}

// run claims until ctx is done, then waits for the jobs to end.
func (w *worker) run(ctx context.Context) {
	w.mu.Lock()
	w.ctx = ctx
	w.mu.Unlock()
	defer w.jobs.Wait()
	most := 1
	for ctx.Err() == nil {
		hands := w.take(ctx, most)
		now := w.n.Clock()
		claimed, err := w.n.Store.Claim(ctx, store.ClaimRequest{
			Direction: w.direction, Now: now, Owner: w.n.lessee(), Lease: leaseTime, Limit: hands,
			PerPeer: w.limit,
		})
		if err != nil && ctx.Err() == nil {
			w.n.Log.Error("claim failed", slog.Any("err", err))
		}
		for _, m := range claimed {
			w.begin(m)
		}
		for range hands - len(claimed) {
			w.free <- struct{}{}
		}
		if most = 1; len(claimed) == hands { // there may be more: claim more at once
			most = min(2*hands, claimMost)
		}
		if len(claimed) == 0 {
			w.wait(ctx, now, err != nil)
		}
	}
}

// begin starts the job of a claimed message, now or when its peer has room.
func (w *worker) begin(m *store.Message) {
	w.mu.Lock()
	w.jobs.Add(1)
	if w.perPeer >= 0 && w.active[m.Peer] >= w.perPeer {
		w.held[m.Peer] = append(w.held[m.Peer], m)
		w.mu.Unlock()
		return
	}
	w.active[m.Peer]++
	w.mu.Unlock()
	w.start(job{Message: m})
}

// claimMost bounds how many hands wait for one claim. The others are there for what is stored meanwhile: what finds no
// hand goes to the queue, and would have to be claimed in turn.
const claimMost = 16

// take waits for a free hand and takes up to most that are.
func (w *worker) take(ctx context.Context, most int) (n int) {
	select {
	case <-ctx.Done():
		return 0
	case <-w.free:
	}
	for n = 1; n < most; n++ {
		select {
		case <-w.free:
		default:
			return n
		}
	}
	return n
}

// wait returns when there may be work: the store says so, the next retry is due, or a hand became free that a peer's
// limit had waited for. What became due since the claim looked at the clock counts as next.
func (w *worker) wait(ctx context.Context, claimed time.Time, failed bool) {
	pause := time.Minute
	if failed {
		pause = time.Second
	} else if next, err := w.n.Store.NextDue(ctx, w.direction, claimed); err == nil {
		pause = min(pause, max(next.Sub(w.n.Clock()), 20*time.Millisecond))
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-w.n.Store.Ready(w.direction):
	case <-w.again:
	case <-t.C:
	}
}

// send makes one attempt for a claimed message and records what it came to.
func (n *Node) send(ctx context.Context, j job) (told func()) {
	start, m := time.Now(), j.Message
	if pm := n.pmodes.Load().ByID(m.PMode); pm != nil && pm.Pull {
		n.offer(ctx, m, pm)
		return nil
	} else if pm != nil && m.State == store.Sent {
		if splits(pm, m) {
			n.noWhole(ctx, m, pm.Splitting.JoinInterval)
			return nil
		}
		if _, more := pm.Retry.Or(n.retry).Due(m.Attempts-1, m.Created, n.Clock()); !more {
			n.noReceipt(ctx, m)
			return nil
		}
	}
	ctx, span := n.trace.Message(ctx, "attempt", trace.Internal, m.MessageID)
	describeSpan(span, m).Number("viadukt.attempt", int64(m.Attempts))
	out, err := n.outgoing(ctx, j)
	var o *as4.Outcome
	if err != nil {
		o = n.unready(m, err)
	} else if out.Split {
		o = n.sendSplit(ctx, m, out)
	} else {
		o = n.exchange(ctx, out)
	}
	done(span, o.Err)
	if ctx.Err() != nil && o.Verdict != as4.Acknowledged && o.Verdict != as4.Awaiting {
		return nil // stopping: the lease is released at the next start, the attempt does not count as failed
	}
	if o.Verdict != as4.Acknowledged && o.Verdict != as4.Awaiting && out != nil {
		n.directory.Flush(m)
		if err := n.sound(ctx, m, o.Err); err != nil {
			o.Verdict, o.Err = as4.Failed, err
		}
	}
	if to, ok := n.record(ctx, m, out, o, time.Since(start)); ok {
		return func() { n.changed(m, to) }
	}
	return nil
}

// unready is the outcome of an attempt that found out nowhere to send to, or could not make the message.
func (n *Node) unready(m *store.Message, err error) *as4.Outcome {
	o := &as4.Outcome{Verdict: as4.Failed, Err: err}
	if d, ok := n.handlerOf(m).(Debtor); ok && Unregistered(err) {
		if remedy, owed := d.Owed(m); owed {
			p := problem(err)
			return &as4.Outcome{Verdict: as4.RetryLater, Err: &RefusedError{Code: p.Code, Text: p.Text, Remedy: remedy, Err: err}}
		}
	}
	if temporary(err) {
		o.Verdict = as4.RetryLater
	}
	return o
}

// sound reads the payloads of a message whose signature the partner refused: it is no fault of keys when the disk altered
// what was signed by its hash.
func (n *Node) sound(ctx context.Context, m *store.Message, refusal error) error {
	if e := (*ebms.Error)(nil); !errors.As(refusal, &e) || e.Code != ebms.FailedAuthentication {
		return nil
	}
	for i := range m.Payloads {
		r, err := n.OpenDocument(ctx, &store.Payload{PayloadRef: m.Payloads[i].PayloadRef})
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			r.Close()
		}
		if errors.Is(err, store.ErrDamaged) {
			return err
		}
	}
	return nil
}

// outgoing makes the wire message of a stored one. It is the same for every attempt: ids, time and payload octets are
// those stored [AS4 3.2].
func (n *Node) outgoing(ctx context.Context, j job) (*as4.Outgoing, error) {
	m, um := j.Message, j.header
	pm := n.pmodes.Load().ByID(m.PMode)
	if pm == nil {
		return nil, ebms.ProcessingModeMismatch.Newf("P-Mode %q is not configured any more", m.PMode)
	}
	if um == nil {
		var err error
		if um, err = storedHeader(m); err != nil {
			return nil, err
		}
	}
	if pm.URL == "" && !pm.Pull {
		var err error
		dctx, span := n.trace.Start(ctx, "discovery", trace.Client)
		pm, err = n.directory.Resolve(dctx, pm, um)
		if done(span, err); err != nil {
			return nil, err
		}
		um.To.IDs = []ebms.PartyID{{Value: pm.Responder.ID, Type: pm.Responder.Type}}
	}
	out := &as4.Outgoing{Message: um, PMode: pm, Attempt: m.Attempts, Split: splits(pm, m), Contents: make([]wss.Content, len(m.Payloads))}
	for i := range m.Payloads {
		p := &m.Payloads[i]
		c := wss.Content{ContentID: p.ContentID, MimeType: p.MimeType, Size: p.Size, Digest: p.SHA256[:]}
		c.Open = func() (io.ReadCloser, error) { return n.Store.OpenPayload(ctx, p.PayloadRef) }
		if p.Compressed {
			c.MimeType = ebms.CompressionGzip
		} else if !out.Split && !wss.DigestsRaw(p.MimeType) {
			r, err := c.Open()
			if err != nil {
				return nil, err
			}
			c.Digest, err = wss.DigestContent(p.MimeType, pm.Profile.Suites[0].DigestMethod, r)
			r.Close()
			if err != nil {
				return nil, err
			}
		}
		out.Contents[i] = c
	}
	return out, nil
}

func storedHeader(m *store.Message) (*ebms.UserMessage, error) {
	doc, err := dom.Parse(headerDocument(m.Header), dom.Limits{})
	if err != nil {
		return nil, err
	}
	msg, err := ebms.ParseMessaging(doc.Root(), ebms.DefaultQuirks())
	if err != nil {
		return nil, err
	}
	return msg.UserMessage(), nil
}

// headerDocument puts a stored eb:UserMessage back into eb:Messaging.
func headerDocument(userMessage []byte) []byte {
	b := make([]byte, 0, len(userMessage)+200)
	b = append(b, `<eb:Messaging xmlns:eb="`+ebms.NS+`" xmlns:S12="`+ebms.NSSOAP+`" S12:mustUnderstand="true">`...)
	b = append(b, userMessage...)
	return append(b, `</eb:Messaging>`...)
}

// record moves the message on: one transaction for state, event and evidence.
func (n *Node) record(ctx context.Context, m *store.Message, out *as4.Outgoing, o *as4.Outcome, took time.Duration) (to store.State, ok bool) {
	stop := ctx
	ctx = context.WithoutCancel(ctx) // what the peer said must be kept, even while stopping
	now := n.Clock()
	change := store.Change{Time: now, Owner: m.LeaseOwner, Detail: detail(o)}
	if out != nil && m.To == "" {
		change.To = out.PMode.Responder.ID
	}
	result := "acknowledged"
	switch o.Verdict {
	case as4.Acknowledged:
		to = store.Acknowledged
	case as4.Awaiting:
		to, result = store.Sent, "awaiting"
		if change.Next = wait(out.PMode.Retry.Or(n.retry), m, now); out.Split {
			change.Next = now.Add(out.PMode.Splitting.JoinInterval)
		}
	case as4.AcknowledgedWithoutReceipt:
		to, change.Error, result = store.AcknowledgedWithoutReceipt, problem(o.Err), "no_receipt"
	case as4.RetryLater:
		retry := n.retry
		if out != nil {
			retry = out.PMode.Retry.Or(n.retry)
		}
		if next, ok := retry.Due(m.Attempts, n.accepted(ctx, m, retry), now); ok {
			to, change.Next, change.Error, result = store.Retrying, next, problem(o.Err), "retry"
			break
		}
		o.Err = ebms.MissingReceipt.Wrap(o.Err, "no valid receipt after the last attempt: "+problem(o.Err).Text)
		change.Detail = detail(o)
		fallthrough
	default:
		to, change.Error, result = store.Failed, problem(o.Err), "failed"
	}
	evidence := n.evidenceOf(m, to, out, o, now)
	err := n.keep(stop, "result of "+m.MessageID, func(tx store.Tx) error {
		if err := tx.Transition(m.ID, to, change); err != nil {
			return err
		}
		for _, e := range evidence {
			if err := tx.PutEvidence(m.ID, e); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, store.ErrLeaseLost) {
		return to, false // a signal that came by itself was quicker
	}
	if err != nil {
		n.Log.Error("result not recorded", slog.String("msgid", m.MessageID), slog.Any("err", err))
		return to, false
	}
	n.metrics.sent(result, took)
	if out != nil && out.Split && to == store.Failed {
		n.closeSplit(ctx, m)
	}
	if to == store.Retrying || to == store.Sent {
		n.out.wake()
	}
	level := slog.LevelInfo
	if o.Verdict != as4.Acknowledged && o.Verdict != as4.Awaiting {
		level = slog.LevelWarn
	}
	if n.Log.Enabled(ctx, level) {
		n.Log.LogAttrs(ctx, level, "message "+to.String(), slog.String("msgid", m.MessageID), slog.String("pmode", m.PMode),
			slog.String("peer", m.Peer), slog.Int("attempt", m.Attempts), slog.Duration("dur", took), slog.String("code", change.Error.Code))
	}
	return to, true
}

// accepted is when the schedule of a message began: its acceptance, or when somebody had it sent again. Only a schedule
// with a window asks.
func (n *Node) accepted(ctx context.Context, m *store.Message, r as4.Retry) time.Time {
	if r.Window == 0 {
		return m.Created
	}
	events, err := n.Store.Events(ctx, m.ID)
	if err != nil {
		n.Log.Error("history not read", slog.String("msgid", m.MessageID), slog.Any("err", err))
	}
	for _, e := range slices.Backward(events) {
		if e.State == store.Queued {
			return e.Time
		}
	}
	return m.Created
}

func detail(o *as4.Outcome) string {
	if o.Err != nil {
		return o.Err.Error()
	}
	return ""
}

// problem puts an error into words for people, with what they can do about it.
func problem(err error) store.Problem {
	var e *ebms.Error
	var r *RefusedError
	switch {
	case err == nil:
		return store.Problem{}
	case errors.As(err, &r):
		return store.Problem{Code: r.Code, Text: r.Text, Remedy: r.Remedy}
	case errors.Is(err, store.ErrDamaged):
		return store.Problem{Code: "DAMAGED", Text: err.Error(), Remedy: "viadukt verifydata says what else is damaged; take the payload from a backup, or hand the document over again"}
	case errors.As(err, &e) && e.Refused():
		return store.Problem{Code: string(e.Code), Text: fmt.Sprintf("%s: %s", e.Code.Name(), text(e)), Remedy: "the receiver will never take this content: mend it, and hand it over again as a new message"}
	case errors.As(err, &e):
		return store.Problem{Code: string(e.Code), Text: fmt.Sprintf("%s: %s", e.Code.Name(), text(e)), Remedy: remedies[e.Code]}
	}
	return store.Problem{Code: string(ebms.Other), Text: err.Error()}
}

func text(e *ebms.Error) string {
	if e.Detail != "" {
		return e.Detail
	}
	return e.Description
}

var remedies = map[ebms.Code]string{
	ebms.ValueNotRecognized:     "compare agreement, service and action with what the partner has configured",
	ebms.ValueInconsistent:      "compare the party identifiers and roles with what the partner has configured",
	ebms.ConnectionFailure:      "check the partner's address and whether it is up: viadukt config check",
	ebms.ProcessingModeMismatch: "the partner has no P-Mode for this combination: agree on one",
	ebms.FailedAuthentication:   "check that the partner trusts our certificate, and that neither certificate has expired",
	ebms.FailedDecryption:       "check that we encrypt for the partner's current certificate",
	ebms.PolicyNoncompliance:    "compare the security profile and the token form with the partner's",
	ebms.MissingReceipt:         "ask the partner whether the message arrived; then viadukt message resend",
	ebms.InvalidReceipt:         "the partner's receipt proves nothing: keep the evidence and tell the partner",
	ebms.DecompressionFailure:   "the partner could not decompress a payload: resend it",
}

// Temporary reports whether trying again can help; the default is no.
func Temporary(err error) bool { return temporary(err) }

// temporary asks an error whether trying again can help; the default is no.
func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}
