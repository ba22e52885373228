package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/node/store"
)

// A message that is split stays one message here: its pieces are its attempts. The group of its pieces keeps how it is
// cut and the receipts, so that after a failure, or a crash, only those pieces are sent again that have none. Then it waits
// for the receipt of the whole, which comes in a request of its own [ebMS3-2 4.5].

// pieceHands is how many pieces of one message are under way at once.
const pieceHands = 4

// splits says whether a message travels in pieces: by its size, and where a payload could not be signed in one.
func splits(pm *as4.PMode, m *store.Message) bool {
	if pm.Splitting == nil || m.Test {
		return false
	}
	var total int64
	for i := range m.Payloads {
		p := &m.Payloads[i]
		if p.Size > wss.MaxCanonicalised && !p.Compressed && !wss.DigestsRaw(p.MimeType) {
			return true
		}
		total += p.Size
	}
	return total >= pm.Splitting.Threshold
}

// splitRecord is what the group of an outgoing message keeps.
type splitRecord struct {
	Cut      as4.Cut `json:"cut"`
	Envelope []byte  `json:"envelope"`
	Started  int     `json:"started"` // how often a person started the message again
}

// split is an outgoing message on its way in pieces.
type split struct {
	group   *store.Group
	cut     *as4.Cut
	open    func(off, n int64) (io.ReadCloser, error)
	missing []int // pieces without receipt
}

func splitKey(m *store.Message) string { return "out:" + strconv.FormatInt(m.ID, 10) }

// openSplit finds how a message is cut, or cuts it.
func (n *Node) openSplit(ctx context.Context, m *store.Message, out *as4.Outgoing) (*split, error) {
	g, err := n.Store.Group(ctx, splitKey(m))
	rec := splitRecord{}
	switch {
	case errors.Is(err, store.ErrNotFound):
		g = &store.Group{Key: splitKey(m)}
	case err != nil:
		return nil, storeError(err)
	default:
		if err := json.Unmarshal(g.Record, &rec); err != nil {
			return nil, err
		}
		if m.Attempts == 1 { // a person started it again: the partner may have rejected the old group for good
			if err := n.Store.Write(ctx, func(tx store.Tx) error { return tx.DeleteGroup(g.ID) }); err != nil {
				return nil, storeError(err)
			}
			g, rec = &store.Group{Key: splitKey(m)}, splitRecord{Started: rec.Started + 1}
		}
	}
	whole, err := as4.NewWhole(out, rec.Envelope)
	if err != nil {
		return nil, err
	}
	if g.ID == 0 {
		if err := n.cut(ctx, g, &rec, m, whole, out.PMode.Splitting); err != nil {
			return nil, err
		}
	} else if whole.Size != rec.Cut.Size {
		return nil, ebms.Other.New("the payloads of the message have changed since its first piece was sent")
	}
	s := &split{group: g, cut: &rec.Cut, open: whole.Open}
	return s, n.readSplit(ctx, s)
}

// cut decides how a message is cut, compresses it where that is agreed, and keeps both.
func (n *Node) cut(ctx context.Context, g *store.Group, rec *splitRecord, m *store.Message, whole *as4.Whole, how *as4.Splitting) error {
	var packed store.PayloadRef
	if how.Compress {
		w, err := n.Store.NewPayload()
		if err != nil {
			return storeError(err)
		}
		defer w.Close()
		r, err := whole.Open(0, whole.Size)
		if err != nil {
			return err
		}
		_, err = as4.Compress(w, func(z io.Writer) error { _, err := io.Copy(z, r); return err })
		r.Close()
		if err != nil {
			return storeError(err)
		}
		if packed, err = w.Seal(); err != nil {
			return storeError(err)
		}
	}
	id := m.MessageID
	if rec.Started > 0 {
		id = strconv.Itoa(rec.Started) + "." + id
	}
	cut, err := as4.NewCut(id, whole, packed.Size, how)
	if err != nil {
		return err
	}
	rec.Cut, rec.Envelope = *cut, whole.Envelope
	if g.Record, err = json.Marshal(rec); err != nil {
		return err
	}
	err = n.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.PutGroup(g); err != nil || packed.Size == 0 {
			return err
		}
		return tx.PutFragment(g.ID, &store.Fragment{MessageID: m.MessageID, Payload: packed})
	})
	if err != nil {
		return storeError(err)
	}
	return nil
}

// readSplit finds the compressed whole, and which pieces are to be sent.
func (n *Node) readSplit(ctx context.Context, s *split) error {
	have, err := n.Store.Fragments(ctx, s.group.ID)
	if err != nil {
		return storeError(err)
	}
	done := make(map[int]bool, len(have))
	for _, f := range have {
		if done[f.Num] = true; f.Num == 0 {
			ref := f.Payload
			s.open = func(off, size int64) (io.ReadCloser, error) { return n.openRange(ctx, ref, off, size) }
		}
	}
	for i := 1; i <= s.cut.Count(); i++ {
		if !done[i] {
			s.missing = append(s.missing, i)
		}
	}
	return nil
}

// openRange reads a part of a stored payload.
func (n *Node) openRange(ctx context.Context, ref store.PayloadRef, off, size int64) (io.ReadCloser, error) {
	r, err := n.Store.OpenPayload(ctx, ref)
	if err != nil {
		return nil, err
	}
	if _, err := r.Seek(off, io.SeekStart); err != nil {
		r.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r, size), r}, nil
}

// sendSplit sends the pieces that have no receipt. Awaiting: all are there, the receipt of the whole is to come.
func (n *Node) sendSplit(ctx context.Context, m *store.Message, out *as4.Outgoing) *as4.Outcome {
	s, err := n.openSplit(ctx, m, out)
	if err != nil {
		o := &as4.Outcome{Verdict: as4.Failed, Err: err}
		if e := (*ebms.Error)(nil); !errors.As(err, &e) {
			o.Verdict = as4.RetryLater
		}
		return o
	}
	var (
		hands sync.WaitGroup
		mu    sync.Mutex
		worst *as4.Outcome
	)
	for range pieceHands {
		hands.Go(func() {
			for {
				mu.Lock()
				if len(s.missing) == 0 || worst != nil || ctx.Err() != nil { // after a failure the next would fare no better
					mu.Unlock()
					return
				}
				num := s.missing[0]
				s.missing = s.missing[1:]
				mu.Unlock()
				o := n.sendPiece(ctx, m, out, s, num)
				if o.Verdict == as4.Acknowledged || o.Verdict == as4.AcknowledgedWithoutReceipt {
					continue
				}
				mu.Lock()
				if worst == nil || worst.Verdict == as4.RetryLater && o.Verdict == as4.Failed {
					worst = o
					worst.Err = fmt.Errorf("piece %d of %d: %w", num, s.cut.Count(), o.Err)
				}
				mu.Unlock()
			}
		})
	}
	hands.Wait()
	if worst == nil && len(s.missing) > 0 { // stopping: the other pieces are sent at the next start
		return &as4.Outcome{Verdict: as4.RetryLater, Err: fmt.Errorf("%d of %d pieces are not sent: %w", len(s.missing), s.cut.Count(), context.Cause(ctx))}
	}
	if worst == nil {
		return &as4.Outcome{Verdict: as4.Awaiting}
	}
	worst.Receipt = nil
	return worst
}

// sendPiece sends one piece and keeps its receipt.
func (n *Node) sendPiece(ctx context.Context, m *store.Message, out *as4.Outgoing, s *split, num int) *as4.Outcome {
	p, err := s.cut.Outgoing(out, num, m.Attempts, s.open)
	if err != nil {
		return &as4.Outcome{Verdict: as4.RetryLater, Err: ebms.Other.Wrap(err, "the piece cannot be read")}
	}
	o := n.exchange(ctx, p)
	if o.Verdict != as4.Acknowledged && o.Verdict != as4.AcknowledgedWithoutReceipt {
		return o
	}
	err = n.keep(ctx, "piece of "+m.MessageID, func(tx store.Tx) error {
		f := &store.Fragment{Num: num, MessageID: p.Message.MessageID, Header: p.Signed, Receipt: o.Answer}
		return errors.Join(tx.PutFragment(s.group.ID, f), tx.Extend(m.ID, m.LeaseOwner, n.Clock().Add(leaseTime)))
	})
	if err != nil {
		return &as4.Outcome{Verdict: as4.RetryLater, Err: storeError(err)}
	}
	return o
}

// closeSplit lets go of what a message that came to its end needed to be sent in pieces. Receipts stay.
func (n *Node) closeSplit(ctx context.Context, m *store.Message) {
	ctx = context.WithoutCancel(ctx)
	g, err := n.Store.Group(ctx, splitKey(m))
	if err == nil {
		g.Closed = true
		err = n.Store.Write(ctx, func(tx store.Tx) error {
			return errors.Join(tx.PutGroup(g), tx.PutTask(&store.Task{Queue: pieceQueue, Kind: "drop", Body: []byte(g.Key)}))
		})
		wakeup(n.pieces)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		n.Log.Error("pieces not dropped", "msgid", m.MessageID, "err", err)
	}
}

// noWhole gives up a message whose pieces all arrived, and whose receipt did not come.
func (n *Node) noWhole(ctx context.Context, m *store.Message, interval time.Duration) {
	err := ebms.MissingReceipt.Newf("all pieces arrived, but no receipt of the whole came within %s", interval)
	n.metrics.sent("failed", 0)
	n.move(ctx, m, store.Failed, store.Change{Time: n.Clock(), Owner: m.LeaseOwner, Error: problem(err), Detail: err.Error(), NotTried: true})
	n.closeSplit(ctx, m)
}
