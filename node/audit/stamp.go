package audit

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/ers"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/report"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// Stamping says how heads are time-stamped by an authority outside: an evidence record (RFC 4998) over each, which is renewed before
// the authority's certificate or an algorithm comes to its end.
type Stamping struct {
	Stamper tsp.Stamper
	Every   time.Duration         // between two heads that are time-stamped; default one hour
	Before  time.Duration         // the end of a certificate or algorithm, a record is renewed; default 60 days
	Known   func() gather.Options // whom the node trusts for time, and revocation data; nil: nobody
	// Fetch adds what is needed to judge a time-stamp later; nil: what is known must do.
	Fetch  func(context.Context, *gather.Result, gather.Options) (gather.Options, error)
	Policy *validation.Policy // nil: the usual one
}

func (s *Stamping) withDefaults() *Stamping {
	if s == nil {
		return nil
	}
	c := *s
	if c.Every <= 0 {
		c.Every = time.Hour
	}
	if c.Before <= 0 {
		c.Before = 60 * 24 * time.Hour
	}
	return &c
}

// StampState is how time-stamping stands.
type StampState struct {
	Failing time.Time // since when it fails; zero: it does not
	Err     error     // of the last attempt
}

const (
	stampFirst   = time.Minute // pause after an attempt that failed; twice as long each time
	stampLongest = time.Hour
	renewAtOnce  = 1000      // records with one time-stamp
	maxMaterial  = 128 << 10 // octets of revocation data that one time-stamp takes along
)

// strongerDigest is what records are hashed with when the digest algorithm used so far comes to its end.
const strongerDigest = crypto.SHA512

// StampState tells how time-stamping stands.
func (l *Log) StampState() StampState {
	l.stamps.Lock()
	defer l.stamps.Unlock()
	return l.stamps.state
}

// SetStamping says how heads are time-stamped from now on; nil: not at all. What is under way is finished by the former.
func (l *Log) SetStamping(s *Stamping) {
	l.stamps.Lock()
	l.stamps.by, l.stamps.state = s.withDefaults(), StampState{}
	l.stamps.Unlock()
	select {
	case l.stamps.changed <- struct{}{}:
	default:
	}
}

// Stamped reports whether heads are time-stamped.
func (l *Log) Stamped() bool { return l.stamping() != nil }

func (l *Log) stamping() *Stamping {
	l.stamps.Lock()
	defer l.stamps.Unlock()
	return l.stamps.by
}

// RunStamps time-stamps heads until ctx is done. Nothing waits for it: while the authority is down, heads are signed as ever, and the
// next one that is time-stamped covers them all.
func (l *Log) RunStamps(ctx context.Context) {
	pause := stampFirst
	for {
		wait := time.Minute
		if s := l.stamping(); s != nil {
			wait = min(s.Every, wait)
		}
		switch err := l.Stamp(ctx); {
		case err == nil:
			pause = stampFirst
		case ctx.Err() != nil || errors.Is(err, store.ErrClosed):
			return
		default:
			l.Logger.LogAttrs(ctx, slog.LevelWarn, "log head not time-stamped", slog.Any("err", err))
			wait, pause = pause, min(2*pause, stampLongest)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		case <-l.stamps.changed:
			t.Stop()
			pause = stampFirst
		}
	}
}

// Stamp time-stamps the newest head when that is due, and renews the records that are.
func (l *Log) Stamp(ctx context.Context) error {
	s := l.stamping()
	if s == nil {
		return nil
	}
	k := keeping{l, s}
	err := errors.Join(k.stampHead(ctx), k.renewStamps(ctx))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l.stamps.Lock()
	defer l.stamps.Unlock()
	if l.stamps.by != s { // what failed is not asked for any more
		return nil
	}
	if l.stamps.state.Err = err; err == nil {
		l.stamps.state.Failing = time.Time{}
	} else if l.stamps.state.Failing.IsZero() {
		l.stamps.state.Failing = l.Clock()
	}
	return err
}

func (l keeping) stampHead(ctx context.Context) error {
	h, err := l.newest(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	last, err := l.Store.LogStamp(ctx, 0)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return err
	default:
		r, err := ers.Parse(last.Record)
		if err != nil {
			return fmt.Errorf("audit: the time-stamp over %d entries: %w", last.Size, err)
		}
		since := l.Clock().Sub(r.Chains[0].Stamps[0].Token.Info.Time)
		if h.Size <= last.Size || since >= 0 && since < l.by.Every {
			return nil
		}
	}
	record, err := ers.Create(ctx, l, ers.ASN1, crypto.SHA256, []xades.Document{headDocument(h.Octets)})
	if err != nil {
		return err
	}
	return l.putStamp(ctx, store.LogStamp{Size: h.Size, Head: h.Octets, Record: record})
}

// headDocument is a head as evidence records are over it.
func headDocument(octets []byte) xades.Document { return xades.Bytes("head", "text/plain", octets) }

// putStamp keeps a record that holds, with the time at which it is to be renewed.
func (l keeping) putStamp(ctx context.Context, s store.LogStamp) error {
	r, err := ers.Parse(s.Record)
	if err != nil {
		return err
	}
	if err := CheckStamp(s.Head, s.Record); err != nil {
		return err
	}
	s.Due = l.due(r)
	return l.Store.Write(ctx, func(tx store.Tx) error { return tx.PutLogStamp(s) })
}

func (l keeping) policy() *validation.Policy {
	if l.by.Policy != nil {
		return l.by.Policy
	}
	return validation.DefaultPolicy()
}

// ends is when the last time-stamp of a record can be relied on no more, and when its digest algorithm cannot; zero: no end in sight.
func (l keeping) ends(r *ers.Record) (stamp, digest time.Time) {
	suite := l.policy().Suite
	c := r.Chains[len(r.Chains)-1]
	v := gather.TimeStampFacts(c.Stamps[len(c.Stamps)-1].Token, "", gather.Options{})
	digest = suite.Ends(validation.Algorithm{Digest: v.Digest}) // that of the chain
	stamp = suite.Ends(v.Algorithm)
	if v.Signer != nil && (stamp.IsZero() || v.Signer.NotAfter.Before(stamp)) {
		stamp = v.Signer.NotAfter
	}
	return stamp, digest
}

// due is when a record is to be renewed. Where an end is nearer than is asked for, half of the time that is left.
func (l keeping) due(r *ers.Record) time.Time {
	now := l.Clock()
	stamp, digest := l.ends(r)
	end := stamp
	if end.IsZero() || !digest.IsZero() && digest.Before(end) {
		end = digest
	}
	if end.IsZero() {
		end = now.AddDate(10, 0, 0)
	}
	if due := end.Add(-l.by.Before); due.After(now) {
		return due
	}
	return now.Add(max(end.Sub(now)/2, time.Hour))
}

// renewStamps renews records that are due: many with one further time-stamp, or each anew with a stronger digest algorithm.
func (l keeping) renewStamps(ctx context.Context) error {
	for {
		list, err := l.Store.LogStampsDue(ctx, l.Clock(), renewAtOnce)
		if err != nil || len(list) == 0 {
			return err
		}
		together := map[crypto.Hash][]store.LogStamp{}
		for _, s := range list {
			r, err := ers.Parse(s.Record)
			if err != nil {
				return fmt.Errorf("audit: the time-stamp over %d entries: %w", s.Size, err)
			}
			h := r.Chains[len(r.Chains)-1].Hash
			if _, digest := l.ends(r); h == strongerDigest || digest.IsZero() || l.Clock().Before(digest.Add(-l.by.Before)) {
				together[h] = append(together[h], s)
				continue
			}
			s.Record, err = ers.Rehash(ctx, l, strongerDigest, s.Record, []xades.Document{headDocument(s.Head)})
			if err := l.renewed(ctx, []store.LogStamp{s}, err); err != nil {
				return err
			}
		}
		for _, list := range together {
			records := make([][]byte, len(list))
			for i := range list {
				records[i] = list[i].Record
			}
			records, err := ers.RenewEach(ctx, l, records)
			for i := range records {
				list[i].Record = records[i]
			}
			if err := l.renewed(ctx, list, err); err != nil {
				return err
			}
		}
	}
}

// renewed keeps records that were renewed, unless that failed.
func (l keeping) renewed(ctx context.Context, list []store.LogStamp, err error) error {
	for _, s := range list {
		if err == nil {
			err = l.putStamp(ctx, s)
		}
		if err != nil {
			return fmt.Errorf("audit: the time-stamp over %d entries is not renewed: %w", s.Size, err)
		}
	}
	l.Logger.LogAttrs(ctx, slog.LevelInfo, "time-stamps of the log renewed", slog.Int("heads", len(list)))
	return nil
}

// ErrStamp refuses a time-stamp of an authority that the node does not trust for time, or that does not hold.
var ErrStamp = errors.New("audit: the time-stamp is not trusted")

// keeping asks for time-stamps and puts into each what is needed to judge it later, without network.
type keeping struct {
	*Log
	by *Stamping
}

// Stamp implements tsp.Stamper.
func (l keeping) Stamp(ctx context.Context, h crypto.Hash, sum []byte) (*tsp.Token, error) {
	s := l.by
	t, err := s.Stamper.Stamp(ctx, h, sum)
	if err != nil {
		return nil, err
	}
	var known gather.Options
	if s.Known != nil {
		known = s.Known()
	}
	if s.Fetch != nil { // without it the time-stamp is as good; the verdict tells what is missing
		certs := t.Message.X509()
		known, _ = s.Fetch(ctx, &gather.Result{Signers: certs, Certificates: certs}, known)
	}
	v := gather.TimeStampFacts(t, "EVIDENCE_RECORD_TIMESTAMP", known)
	v.ImprintFound, v.ImprintIntact = true, t.Info.Hash == h && bytes.Equal(t.Info.Imprint, sum)
	switch c := validation.ValidateTimeStamp(v, s.Policy, l.Clock()); {
	case c.Indication == validation.Passed:
	case c.Indication == validation.Indeterminate && (c.Sub == validation.ChainGeneralFailure || c.Sub == validation.TryLater):
		l.Logger.LogAttrs(ctx, slog.LevelInfo, "time-stamp without revocation data", slog.String("why", c.Why))
	default:
		return nil, fmt.Errorf("%w: %s %s", ErrStamp, c.Sub, c.Why)
	}
	return gather.Enrich(t, known, maxMaterial)
}

// CheckStamp tells whether an evidence record that a store keeps is over a head. Whether its authority is to be trusted is for
// others to say.
func CheckStamp(head, record []byte) error {
	r, err := ers.Parse(record)
	if err != nil {
		return err
	}
	return r.Check([]xades.Document{headDocument(head)}).Err()
}

// judgeStamp judges a record over a head.
func judgeStamp(record, head []byte, known gather.Options, p *validation.Policy, now time.Time) (*report.RecordVerdict, error) {
	r, err := ers.Parse(record)
	if err != nil {
		return nil, err
	}
	return report.JudgeRecord(r, headDocument(head), known, p, now), nil
}
