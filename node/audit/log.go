package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/node/audit/merkle"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Options of a [Log].
type Options struct {
	Store    Store
	Identity func() *pki.Identity // who signs heads and cases
	Rand     io.Reader
	Clock    func() time.Time
	Logger   *slog.Logger
	// HeadEvery is the longest time that an entry waits for a signed head; default one minute.
	HeadEvery time.Duration
	// HeadAfter is the number of entries after which a head is signed earlier; default 10,000.
	HeadAfter int64
	Stamping  *Stamping // to begin with; nil: heads are not time-stamped
}

// Log is the log of one node.
type Log struct {
	Options
	id      merkle.Hash
	signing sync.Mutex
	refused refusals
	stamps  struct {
		sync.Mutex
		by      *Stamping
		state   StampState
		changed chan struct{}
	}
}

// Open continues the log of a store with an entry that says that the node was started, and begins one with it where
// there is none: the hash of that entry names the log.
func Open(ctx context.Context, o Options, started Entry) (*Log, error) {
	if o.HeadEvery <= 0 {
		o.HeadEvery = time.Minute
	}
	if o.HeadAfter <= 0 {
		o.HeadAfter = 10_000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{Options: o}
	l.stamps.changed = make(chan struct{}, 1)
	l.stamps.by = o.Stamping.withDefaults()
	started.Type = NodeStarted
	if err := l.Append(ctx, started); err != nil {
		return nil, err
	}
	first, err := o.Store.LogEntries(ctx, 0, 1)
	if err != nil {
		return nil, err
	}
	if len(first) != 1 {
		return nil, fmt.Errorf("audit: %w: the log has no first entry", store.ErrDamaged)
	}
	l.id = merkle.Leaf(first[0].Octets)
	return l, nil
}

// ID names the log: the hash of its first entry.
func (l *Log) ID() [sha256.Size]byte { return l.id }

// Append adds an entry for an act that changes nothing in the store. A zero Time is now.
func (l *Log) Append(ctx context.Context, e Entry) error {
	if e.Time.IsZero() {
		e.Time = l.Clock()
	}
	if e.Actor == "" {
		e.Actor = store.Actor(ctx)
	}
	return l.Store.Write(ctx, func(tx store.Tx) error {
		_, err := tx.AppendLog(e.Append(nil))
		return err
	})
}

// Head returns the newest head, after signing one when the newest has fewer entries than size.
func (l *Log) Head(ctx context.Context, size int64) (*Head, error) {
	h, err := l.newest(ctx)
	if err == nil && h.Size >= size && l.current(h) {
		return h, nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return l.Sign(ctx)
}

// current reports whether a head has the key of the moment, and not a time that is yet to come: a clock that was ahead may
// have dated it past the end of its certificate.
func (l *Log) current(h *Head) bool {
	return h.Certificate == l.Identity().Certificate.Fingerprint() && !h.Time.After(l.Clock())
}

func (l *Log) newest(ctx context.Context) (*Head, error) {
	b, err := l.Store.LogHead(ctx, 0)
	if err != nil {
		return nil, err
	}
	return ParseHead(b)
}

// Sign makes a head of the whole log and keeps it. When nothing was added since the newest, that one is returned.
func (l *Log) Sign(ctx context.Context) (*Head, error) {
	l.signing.Lock() // one at a time: those who waited find the work done
	defer l.signing.Unlock()
	size, peaks, err := l.Store.LogState(ctx)
	if err != nil {
		return nil, err
	}
	id := l.Identity()
	old, err := l.newest(ctx)
	if err == nil && old.Size == size && l.current(old) {
		return old, nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	state, err := merkle.NewFrontier(size, hashes(peaks))
	if err != nil {
		return nil, err
	}
	h, err := SignHead(l.id, size, state.Root(), l.Clock(), id, l.Rand)
	if err != nil {
		return nil, err
	}
	chain := ""
	if old == nil || old.Certificate != h.Certificate {
		chain = string(pki.MarshalPEM(append([]*pki.Certificate{id.Certificate}, id.Chain...)...))
	}
	return h, l.Store.Write(ctx, func(tx store.Tx) error {
		if chain != "" { // heads outlive the configuration that names their key
			if err := tx.SetMeta(certificateKey(h.Certificate), chain); err != nil {
				return err
			}
		}
		return tx.PutLogHead(h.Size, h.Octets)
	})
}

func certificateKey(sum [sha256.Size]byte) string { return "audit.certificate." + hexOf(sum) }

// certificates of who signed a head, its issuers behind it.
func (l *Log) certificates(ctx context.Context, h *Head) ([]*pki.Certificate, error) {
	text, err := l.Store.Meta(ctx, certificateKey(h.Certificate))
	if err != nil {
		return nil, fmt.Errorf("audit: certificate of the log's head: %w", err)
	}
	return pki.ParsePEMCertificates([]byte(text))
}

func hashes(in [][sha256.Size]byte) []merkle.Hash {
	out := make([]merkle.Hash, len(in))
	for i := range in {
		out[i] = in[i]
	}
	return out
}

func (l *Log) tree(ctx context.Context) *merkle.Tree {
	return merkle.NewTree(func(level int, n int64) ([]merkle.Hash, error) {
		h, err := l.Store.LogHashes(ctx, level, n)
		return hashes(h), err
	})
}

// Proof is a message's entries with their paths to one head.
type Proof struct {
	Head    *Head
	Entries []ProvenEntry
}

// ProvenEntry is one entry with its path.
type ProvenEntry struct {
	store.LogEntry
	Path Inclusion
}

// Of proves all entries about a message, under a head that is signed now when the newest does not cover them.
// ErrNotFound when there are none.
func (l *Log) Of(ctx context.Context, message int64) (*Proof, error) {
	entries, err := l.Store.LogOf(ctx, message)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("audit: message %d: %w", message, store.ErrNotFound)
	}
	return l.prove(ctx, entries)
}

func (l *Log) prove(ctx context.Context, entries []store.LogEntry) (*Proof, error) {
	h, err := l.Head(ctx, entries[len(entries)-1].Index+1)
	if err != nil {
		return nil, err
	}
	p := &Proof{Head: h}
	tree := l.tree(ctx)
	for _, e := range entries {
		path, err := tree.Inclusion(e.Index, h.Size)
		if err != nil {
			return nil, err
		}
		p.Entries = append(p.Entries, ProvenEntry{e, Inclusion{e.Index, h.Size, path}})
	}
	return p, nil
}

// Consistency proves that the log of the second size begins with that of the first.
func (l *Log) Consistency(ctx context.Context, first, second int64) (*Consistency, error) {
	size, _, err := l.Store.LogState(ctx)
	if err != nil {
		return nil, err
	}
	if first < 0 || first > second || second > size {
		return nil, merkle.ErrRange
	}
	path, err := l.tree(ctx).Consistency(first, second)
	return &Consistency{first, second, path}, err
}

// Run signs heads until ctx is done, and a last one then.
func (l *Log) Run(ctx context.Context) {
	look := time.NewTicker(min(l.HeadEvery, time.Second))
	defer look.Stop()
	var done, waiting int64 // entries under a head; entries when it was seen that some wait
	var since time.Time
	if h, err := l.newest(ctx); err == nil {
		done = h.Size
	}
	for {
		select {
		case <-ctx.Done():
			l.sign(context.WithoutCancel(ctx))
			return
		case <-look.C:
		}
		l.countRefused(ctx)
		size, _, err := l.Store.LogState(ctx)
		now := l.Clock()
		switch {
		case err != nil || size == done:
			continue
		case waiting <= done:
			waiting, since = size, now
		}
		if size-done < l.HeadAfter && now.Sub(since) < l.HeadEvery {
			continue
		}
		if h := l.sign(ctx); h != nil {
			done = h.Size
		}
	}
}

func (l *Log) sign(ctx context.Context) *Head {
	l.countRefused(ctx)
	h, err := l.Sign(ctx)
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, store.ErrClosed) {
		l.Logger.Error("log head not signed", slog.Any("err", err))
	}
	if err != nil {
		return nil
	}
	return h
}
