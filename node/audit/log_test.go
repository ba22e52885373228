package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/audit/merkle"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

func TestHeadsAreSignedByEveryKindOfKey(t *testing.T) {
	t.Parallel()
	ca, err := pki.NewAuthority(rand.Reader, "CN=Authority", pki.P256, start, 1)
	if err != nil {
		t.Fatal(err)
	}
	var former *pki.Identity
	for alg, name := range map[pki.KeyAlgorithm]string{
		pki.RSA2048: "rsa-pss-sha256", pki.P256: "ecdsa-sha256", pki.P384: "ecdsa-sha384", pki.P521: "ecdsa-sha512", pki.Ed25519: "ed25519",
	} {
		id, err := ca.Issue(pki.Template{CommonName: "node", Algorithm: alg})
		if err != nil {
			t.Fatal(err)
		}
		h, err := SignHead(merkle.Leaf([]byte("log")), 4711, merkle.Leaf([]byte("root")), start, id, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Verify(id.Certificate); err != nil || !strings.Contains(string(h.Octets), "\nalgorithm "+name+"\n") || h.Size != 4711 || !h.Time.Equal(start) {
			t.Errorf("%s: %v\n%s", alg, err, h.Octets)
		}
		if former != nil && !errors.Is(h.Verify(former.Certificate), ErrSeal) {
			t.Errorf("%s: verified with the certificate of another", alg)
		}
		former = id
		b := append([]byte(nil), h.Octets...)
		for i := range b {
			b[i] ^= 4
			if got, err := ParseHead(b); err == nil && got.Verify(id.Certificate) == nil {
				t.Fatalf("%s: octet %d changed: %s", alg, i, b)
			}
			b[i] ^= 4
		}
	}
	if id, err := ca.Issue(pki.Template{CommonName: "node", Algorithm: pki.X25519}); err == nil {
		if _, err := SignHead(merkle.Hash{}, 0, merkle.Hash{}, start, id, rand.Reader); err == nil {
			t.Error("a key that does not sign signed")
		}
	}
}

func TestTheLogBeginsOnceAndGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	id := w.log.ID()
	again, err := Open(ctx, w.log.Options, Entry{Subject: "test", Detail: "again"})
	if err != nil || again.ID() != id {
		t.Errorf("%x %v, want %x", again.ID(), err, id)
	}
	first, err := w.log.Head(ctx, 0)
	if err != nil || first.Size != 2 || first.Log != merkle.Hash(id) {
		t.Fatalf("%+v %v", first, err)
	}
	if same, err := w.log.Sign(ctx); err != nil || string(same.Octets) != string(first.Octets) {
		t.Errorf("nothing was added, and a head was signed: %v", err)
	}
	row := w.sent("a@b")
	if h, err := w.log.Head(ctx, 2); err != nil || h.Size != 2 {
		t.Errorf("a head that covers enough was not taken: %+v %v", h, err)
	}
	p, err := w.log.Of(ctx, row)
	if err != nil || len(p.Entries) != 4 || p.Head.Size != 6 {
		t.Fatalf("%+v %v", p, err)
	}
	for _, e := range p.Entries {
		if err := merkle.VerifyInclusion(merkle.Leaf(e.Octets), e.Path.Index, e.Path.Size, e.Path.Hashes, p.Head.Root); err != nil {
			t.Errorf("entry %d: %v", e.Index, err)
		}
	}
	c, err := w.log.Consistency(ctx, first.Size, p.Head.Size)
	if err == nil {
		err = merkle.VerifyConsistency(c.First, c.Second, c.Hashes, first.Root, p.Head.Root)
	}
	if err != nil {
		t.Error(err)
	}
	if _, err := w.log.Consistency(ctx, 2, 99); !errors.Is(err, merkle.ErrRange) {
		t.Errorf("a log that is not there: %v", err)
	}
	if _, err := w.log.Of(ctx, 4711); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a message that is not there: %v", err)
	}
}

func TestHeadsAreSignedInTheBackground(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	o := w.log.Options
	o.HeadEvery = time.Millisecond
	l, err := Open(ctx, o, Entry{})
	if err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); l.Run(run) }()
	until := func(size int64) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); ; time.Sleep(2 * time.Millisecond) {
			if h, err := l.newest(ctx); err == nil && h.Size >= size {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("no head of %d entries", size)
			}
		}
	}
	until(2)
	w.sent("a@b")
	until(6)
	stop()
	<-done
	w.sent("c@d") // one that stops signs what is left
	run, stop = context.WithCancel(ctx)
	stop()
	l.Run(run)
	if h, err := l.newest(ctx); err != nil || h.Size != 10 {
		t.Errorf("%+v %v", h, err)
	}
}

func TestStrangersCannotFillTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	now := start
	o := w.log.Options
	o.Clock = func() time.Time { return now }
	l, err := Open(ctx, o, Entry{})
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		l.Refused(ctx, Entry{Actor: "192.0.2.7", Code: "EBMS:0101"})
	}
	size := func() int64 {
		n, _, err := w.store.LogState(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := size(); n != 2+refusalsAtOnce {
		t.Errorf("%d entries", n)
	}
	l.countRefused(ctx)
	l.countRefused(ctx) // nothing new
	entries, err := w.store.LogEntries(ctx, size()-2, 2)
	if err != nil || len(entries) != 2 {
		t.Fatal(err)
	}
	one, err1 := Parse(entries[0].Octets)
	rest, err2 := Parse(entries[1].Octets)
	if err := errors.Join(err1, err2); err != nil || one.Type != ErrorSent || one.Code != "EBMS:0101" || rest.Type != ErrorsSent || rest.Detail != "900 messages" {
		t.Errorf("%+v %+v %v", one, rest, err)
	}
	now = now.Add(time.Second)
	before := size()
	for range 20 {
		l.Refused(ctx, Entry{})
	}
	if n := size() - before; n != refusalsPerSecond {
		t.Errorf("%d entries a second later", n)
	}
}

func TestProofsHaveOneForm(t *testing.T) {
	t.Parallel()
	in := Inclusion{3, 9, []merkle.Hash{{1}, {2}}}
	got, err := ParseInclusion(in.Octets())
	if err != nil || got.Index != 3 || got.Size != 9 || len(got.Hashes) != 2 || got.Hashes[1] != in.Hashes[1] {
		t.Errorf("%+v %v", got, err)
	}
	con := Consistency{3, 9, nil}
	if c, err := ParseConsistency(con.Octets()); err != nil || c.First != 3 || c.Second != 9 {
		t.Errorf("%+v %v", c, err)
	}
	text := string(in.Octets())
	for name, bad := range map[string]string{
		"another title": strings.Replace(text, "inclusion", "consistency", 1), "no size": strings.Replace(text, "size 9\n", "", 1), "a sign": strings.Replace(text, "index 3", "index +3", 1),
		"a short hash": text[:len(text)-3] + "\n", "no end": text[:len(text)-1], "capitals": strings.Replace(text, "hash 01", "hash 0A", 1), "something more": text + "more 1\n",
		"too many hashes": text + strings.Repeat("hash "+strings.Repeat("00", 32)+"\n", maxProof),
	} {
		if _, err := ParseInclusion([]byte(bad)); !errors.Is(err, ErrPath) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
