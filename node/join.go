package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// pieceQueue holds the work of groups: to join one, to give it up when its time is over, to drop its octets. The body of
// a task is the key of the group.
const pieceQueue = "pieces"

// joinRecord is what the group of an incoming message keeps.
type joinRecord struct {
	PMode       string         `json:"pmode"`
	URL         string         `json:"url"` // where receipt and error of the whole go
	Sender      string         `json:"sender"`
	Peer        string         `json:"peer"`
	Certificate []byte         `json:"certificate"` // of who signed
	Encrypted   bool           `json:"encrypted"`
	Header      []byte         `json:"header"`   // envelope of the first piece that came
	Fragment    *ebms.Fragment `json:"fragment"` // what the pieces say of the whole
	Got         int            `json:"got"`
	Deadline    time.Time      `json:"deadline"`
	Task        int64          `json:"task"`
	Rejected    ebms.Code      `json:"rejected,omitempty"`
}

// take compares what a piece says of the whole with what was said before [ebMS3-2 4.7]. To say the same again is no
// error: one peer says all of it in every piece.
func (r *joinRecord) take(f *ebms.Fragment) *ebms.Error {
	w := r.Fragment
	switch {
	case w.MessageSize != 0 && f.MessageSize != 0 && w.MessageSize != f.MessageSize:
		return ebms.DuplicateMessageSize.New("another size of the whole than before")
	case w.Count != 0 && f.Count != 0 && w.Count != f.Count:
		return ebms.DuplicateFragmentCount.New("another number of pieces than before")
	case w.Header != nil && f.Header != nil && *w.Header != *f.Header:
		return ebms.DuplicateMessageHeader.New("another header of the whole than before")
	case w.Action != "" && f.Action != "" && w.Action != f.Action:
		return ebms.DuplicateAction.New("another action than before")
	case w.Compression != "" && f.Compression != "" && w.Compression != f.Compression,
		w.CompressedSize != 0 && f.CompressedSize != 0 && w.CompressedSize != f.CompressedSize:
		return ebms.DuplicateCompressionInfo.New("another compression than before")
	case w.Count != 0 && f.Num > w.Count, f.Count != 0 && f.Count < r.Got:
		return ebms.BadFragmentNum.New("more pieces than there are")
	}
	if w.MessageSize == 0 {
		w.MessageSize = f.MessageSize
	}
	if w.Count == 0 {
		w.Count = f.Count
	}
	if w.Header == nil {
		w.Header = f.Header
	}
	if w.Action == "" {
		w.Action = f.Action
	}
	if w.Compression == "" {
		w.Compression, w.CompressedSize = f.Compression, f.CompressedSize
	}
	return nil
}

// joiner is the node's side of pieces that arrive.
type joiner struct{ n *Node }

type piece struct {
	n    *Node
	w    store.PayloadWriter
	ref  store.PayloadRef
	kept bool
}

func (j joiner) Begin(context.Context, *ebms.UserMessage, *ebms.Fragment, *as4.PMode) (as4.Piece, error) {
	return &piece{n: j.n}, nil
}

func (p *piece) Payload() (io.Writer, error) {
	var err error
	if p.w, err = p.n.Store.NewPayload(); err != nil {
		return nil, storeError(err)
	}
	return busyWriter{p.w}, nil
}

func (p *piece) Close() {
	if p.w == nil {
		return
	}
	p.w.Close()
	if !p.kept { // a copy, or refused: pieces are too large to wait for the next collection
		if err := p.n.Store.Discard(context.Background(), p.ref); err != nil {
			p.n.Log.Warn("piece not discarded", slog.Any("err", err))
		}
	}
}

// Commit keeps a piece with its receipt. A copy of one is answered as the first was, before anything else is looked at: a
// retry must not end its group. A piece that does not go with the others ends it, and the group is remembered
// [ebMS3-2 4.7].
func (p *piece) Commit(ctx context.Context, r *as4.Received, f *ebms.Fragment, header, receipt []byte) ([]byte, error) {
	ref, err := p.w.Seal()
	if err != nil {
		return nil, storeError(err)
	}
	p.ref = ref
	key := "in:" + r.Sender + "\n" + f.GroupID
	var refused *ebms.Error
	var again []byte
	err = p.n.Store.Write(ctx, func(tx store.Tx) error {
		refused, again = nil, nil
		g, rec, err := p.group(tx, key, r, f, header)
		if err != nil {
			return err
		}
		old, err := tx.Fragment(g.ID, f.Num)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return err
		case old.MessageID == r.Message.MessageID:
			again = old.Receipt
			return nil
		}
		switch {
		case g.Closed:
			refused = ebms.BadFragmentGroup.New("this group has come to its end")
			return nil
		case err == nil:
			refused = ebms.DuplicateFragment.Newf("there is another piece of number %d", f.Num)
		default:
			refused = rec.take(f)
		}
		if refused != nil {
			g.Closed, rec.Rejected = true, refused.Code
		} else {
			rec.Got++
			err := tx.PutFragment(g.ID, &store.Fragment{Num: f.Num, MessageID: r.Message.MessageID, Payload: ref, Header: header, Receipt: receipt})
			if err != nil {
				return err
			}
		}
		if g.Closed || rec.Got == rec.Fragment.Count {
			if err := tx.PutTask(&store.Task{ID: rec.Task, Due: p.n.Clock(), Queue: pieceQueue, Kind: "join"}); err != nil {
				return err
			}
		}
		return rec.store(tx, g)
	})
	switch {
	case err != nil:
		return nil, storeError(err)
	case again != nil:
		p.n.metrics.duplicates.Inc()
		return again, nil
	}
	wakeup(p.n.pieces)
	if refused != nil {
		return nil, refused
	}
	p.kept = true
	return receipt, nil
}

// group finds the group of a piece, or makes it, with the work that is due when its time is over.
func (p *piece) group(tx store.Tx, key string, r *as4.Received, f *ebms.Fragment, header []byte) (*store.Group, *joinRecord, error) {
	g, err := tx.Group(key)
	if err == nil {
		rec := &joinRecord{}
		return g, rec, json.Unmarshal(g.Record, rec)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, nil, err
	}
	rec := &joinRecord{
		PMode: r.PMode.ID, URL: r.PMode.URL, Sender: r.Sender, Peer: r.Peer, Encrypted: r.Encrypted, Header: header, Certificate: r.Signer.Raw,
		Fragment: &ebms.Fragment{GroupID: f.GroupID}, Deadline: r.At.Add(r.PMode.Splitting.JoinInterval),
	}
	task := &store.Task{Queue: pieceQueue, Kind: "join", Due: rec.Deadline, Body: []byte(key)}
	if err := tx.PutTask(task); err != nil {
		return nil, nil, err
	}
	g, rec.Task = &store.Group{Key: key}, task.ID
	return g, rec, rec.store(tx, g)
}

func (r *joinRecord) store(tx store.Tx, g *store.Group) (err error) {
	if g.Record, err = json.Marshal(r); err != nil {
		return err
	}
	return tx.PutGroup(g)
}

// pieceTask is a task of pieceQueue.
func (n *Node) pieceTask(ctx context.Context, t *store.Task) error {
	g, err := n.Store.Group(ctx, string(t.Body))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || g.Closed {
		if err == nil {
			err = n.dropPieces(ctx, g)
		}
		return err
	}
	rec := &joinRecord{}
	if err := json.Unmarshal(g.Record, rec); err != nil {
		return err
	}
	if rec.Fragment.Count == 0 || rec.Got < rec.Fragment.Count {
		if now := n.Clock(); now.Before(rec.Deadline) {
			t.Due = rec.Deadline
			return errors.Join(errLater, n.Store.Write(ctx, func(tx store.Tx) error { return tx.PutTask(t) }))
		}
		why := ebms.ReceiveIntervalExceeded.Newf("%d of %d pieces came in time", rec.Got, rec.Fragment.Count)
		return n.reject(ctx, g, rec, why)
	}
	got, err := n.join(ctx, g, rec)
	if err != nil {
		if _, more := n.retry.Next(t.Attempts+1, n.Clock()); !more && ctx.Err() == nil {
			return n.reject(ctx, g, rec, ebms.Other.Wrap(err, "the message could not be put together"))
		}
		return err
	}
	if e := (*ebms.Error)(nil); errors.As(got.Err, &e) {
		rec.Rejected = e.Code
	}
	return n.closeGroup(ctx, g, rec, got.Reply)
}

// join puts the message of a group together. An error says that it can be tried again.
func (n *Node) join(ctx context.Context, g *store.Group, rec *joinRecord) (*as4.Pulled, error) {
	pieces, err := n.Store.Fragments(ctx, g.ID)
	if err != nil {
		return nil, err
	}
	for i := range pieces {
		if pieces[i].Num != i+1 || pieces[i].Gone {
			return n.refusal(ctx, rec, ebms.BadFragmentCount.New("not all pieces are there"))
		}
	}
	if w := rec.Fragment; w.CompressedSize > 0 {
		var size int64
		for i := range pieces {
			size += pieces[i].Payload.Size
		}
		if size != w.CompressedSize {
			return n.refusal(ctx, rec, ebms.BadFragmentStructure.New("the pieces have another size than announced"))
		}
	}
	pm := n.pmodes.Load().in.ByID(rec.PMode)
	if pm == nil || pm.Splitting == nil {
		return n.refusal(ctx, rec, ebms.ProcessingModeMismatch.New("the agreement of the pieces is not there any more"))
	}
	signer, err := pki.ParseCertificate(rec.Certificate)
	if err != nil {
		return nil, err
	}
	env, err := ebms.ParseEnvelope(bytes.Clone(rec.Header), dom.Limits{})
	if err != nil {
		return nil, err
	}
	m, err := ebms.ParseMessaging(env.Messaging, ebms.AllQuirks())
	if err != nil {
		return nil, err
	}
	octets := &piecesReader{n: n, ctx: ctx, pieces: pieces}
	defer octets.Close()
	got := n.receiver.Join(ctx, &as4.Joined{
		Octets: octets, Fragment: rec.Fragment, Header: m.UserMessage(), PMode: pm, Signer: signer, Sender: rec.Sender, Encrypted: rec.Encrypted, Peer: rec.Peer,
	})
	if got.Reply == nil {
		return nil, got.Err
	}
	return got, nil
}

func (n *Node) refusal(ctx context.Context, rec *joinRecord, why *ebms.Error) (*as4.Pulled, error) {
	signal, err := n.receiver.RefuseGroup(ctx, n.pmodes.Load().in.ByID(rec.PMode), rec.Fragment.GroupID, why)
	if err != nil {
		return nil, err
	}
	return &as4.Pulled{Reply: signal, Err: why}, nil
}

// reject ends a group that did not become a message, and says so to who sent it.
func (n *Node) reject(ctx context.Context, g *store.Group, rec *joinRecord, why *ebms.Error) error {
	got, err := n.refusal(ctx, rec, why)
	if err != nil {
		return err
	}
	rec.Rejected = why.Code
	return n.closeGroup(ctx, g, rec, got.Reply)
}

// closeGroup ends a group together with the signal that its sender waits for, then drops the octets. After a crash in
// between the task is still there.
func (n *Node) closeGroup(ctx context.Context, g *store.Group, rec *joinRecord, signal []byte) error {
	g.Closed = true
	pm := &as4.PMode{ID: rec.PMode, URL: rec.URL}
	err := n.Store.Write(ctx, func(tx store.Tx) error {
		if err := rec.store(tx, g); err != nil || rec.URL == "" {
			return err
		}
		t, err := n.signalTask(pm, "whole", signal, n.Clock())
		if err != nil {
			return err
		}
		return tx.PutTask(t)
	})
	if err != nil {
		return err
	}
	wakeup(n.signals)
	if rec.URL == "" {
		n.Log.Warn("no address for the receipt of a joined message", slog.String("pmode", rec.PMode))
	}
	if rec.Rejected != "" {
		n.Log.Warn("group rejected", slog.String("msgid", rec.Fragment.GroupID), slog.String("pmode", rec.PMode), slog.String("code", string(rec.Rejected)))
	}
	return n.dropPieces(ctx, g)
}

// dropPieces deletes the octets of a group's pieces.
func (n *Node) dropPieces(ctx context.Context, g *store.Group) error {
	pieces, err := n.Store.Fragments(ctx, g.ID)
	if err != nil {
		return err
	}
	if err := n.Store.Write(ctx, func(tx store.Tx) error { return tx.DropFragments(g.ID) }); err != nil {
		return err
	}
	pieces = slices.DeleteFunc(pieces, func(f store.Fragment) bool { return f.Gone })
	refs := make([]store.PayloadRef, len(pieces))
	for i := range pieces {
		refs[i] = pieces[i].Payload
	}
	return n.Store.Discard(ctx, refs...)
}

// piecesReader reads one piece after the other.
type piecesReader struct {
	n      *Node
	ctx    context.Context
	pieces []store.Fragment
	cur    io.ReadCloser
}

func (r *piecesReader) Read(b []byte) (int, error) {
	for {
		if err := r.ctx.Err(); err != nil {
			return 0, err
		}
		if r.cur == nil {
			if len(r.pieces) == 0 {
				return 0, io.EOF
			}
			var err error
			if r.cur, err = r.n.Store.OpenPayload(r.ctx, r.pieces[0].Payload); err != nil {
				return 0, err
			}
			r.pieces = r.pieces[1:]
		}
		n, err := r.cur.Read(b)
		if err == io.EOF {
			err = r.Close()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (r *piecesReader) Close() error {
	if r.cur == nil {
		return nil
	}
	c := r.cur
	r.cur = nil
	return c.Close()
}
