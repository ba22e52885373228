package node

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viadukt-eu/viadukt/node/alert"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// trustHolder is whom the node trusts, read anew when the files change.
type trustHolder struct {
	verifier *pki.Verifier // asks current: what everybody holds
	current  atomic.Pointer[trusted]
	online   *revocations

	mu     sync.Mutex   // held while it is read
	extra  []pki.Anchor // of the trust stores
	stamps stamps
	tried  time.Time // last time that a list that was due was read
}

// trusted is one reading.
type trusted struct {
	*pki.Verifier
	anchors []config.Anchor
	lists   []crlFile
}

// crlFile is a file of revocation lists as last read in good order.
type crlFile struct {
	file   config.Path
	octets []byte
	lists  []*pki.CRL
	due    time.Time // of the list that ends first; zero: none says
	failed bool      // the file is not what it was: these lists are older
}

// loadTrust reads the anchors, each for its purposes, and the revocation lists. It asks nobody.
func loadTrust(c *config.Config, clock func() time.Time) (*pki.Verifier, error) {
	t, err := readTrust(c, clock, nil, nil, nil)
	if err != nil {
		return nil, err
	}
	return t.Verifier, nil
}

// readTrust reads. A revocation list that is not good is an error, unless there are lists of a former reading: then those
// of its file stay. What no list covers is asked online, where it is not nil.
func readTrust(c *config.Config, clock func() time.Time, former *trusted, extra []pki.Anchor, online *revocations) (*trusted, error) {
	t := &trusted{Verifier: &pki.Verifier{Clock: clock}, anchors: c.AS4.Trust}
	for i, a := range c.AS4.Trust {
		b, err := readFile(a.File)
		if err != nil {
			return nil, c.Problem("as4.trust", "[%d]: %v", i, err)
		}
		certs, err := parseCertificates(b)
		if err != nil {
			return nil, c.Problem("as4.trust", "[%d]: %s: %v", i, a.File, err)
		}
		purposes := make([]pki.Purpose, len(a.Purposes))
		for j, p := range a.Purposes {
			purposes[j] = pki.Purpose(p)
		}
		for _, cert := range certs {
			t.Anchors = append(t.Anchors, pki.Anchor{Certificate: cert, Purposes: purposes})
		}
	}
	t.Anchors = append(t.Anchors, extra...)
	var known *pki.CRLStore
	if len(c.AS4.CRLs) > 0 {
		known = &pki.CRLStore{}
		t.Revocation = known
	}
	if online != nil {
		t.Revocation, t.RequireRevocation = pki.RevocationSource(online), c.Revocation.Unknown == "refuse"
		if known != nil {
			t.Revocation = pki.RevocationSources{known, online}
		}
	}
	for i, f := range c.AS4.CRLs {
		list, err := readCRLs(known, f, t.Anchors)
		if err != nil {
			old, ok := former.list(f)
			if !ok {
				return nil, c.Problem("as4.crls", "[%d]: %s: %v", i, f, err)
			}
			old.failed = true
			for _, l := range old.lists {
				addCRL(known, l, t.Anchors) // one of an authority that is not trusted any more says nothing
			}
			list = old
		}
		t.lists = append(t.lists, list)
	}
	return t, nil
}

func (t *trusted) list(f config.Path) (crlFile, bool) {
	if t != nil {
		for _, l := range t.lists {
			if l.file == f {
				return l, true
			}
		}
	}
	return crlFile{}, false
}

// readCRLs reads the lists of a file, each of which one of the anchors must have issued.
func readCRLs(known *pki.CRLStore, f config.Path, anchors []pki.Anchor) (out crlFile, err error) {
	out.file = f
	b, err := readFile(f)
	if err != nil {
		return out, err
	}
	out.octets = b
	ders := [][]byte{b}
	if block, rest := pem.Decode(b); block != nil {
		for ders = nil; block != nil; block, rest = pem.Decode(rest) {
			ders = append(ders, block.Bytes)
		}
	}
	for _, der := range ders {
		list, err := pki.ParseCRL(der)
		if err == nil {
			err = addCRL(known, list, anchors)
		}
		if err != nil {
			return out, err
		}
		out.lists = append(out.lists, list)
		if !list.NextUpdate.IsZero() && (out.due.IsZero() || list.NextUpdate.Before(out.due)) {
			out.due = list.NextUpdate
		}
	}
	return out, nil
}

func addCRL(known *pki.CRLStore, list *pki.CRL, anchors []pki.Anchor) error {
	err := fmt.Errorf("the list of %q was issued by none of the authorities in as4.trust", list.Issuer)
	for _, a := range anchors {
		if !a.Certificate.Subject.Equal(list.Issuer) {
			continue
		}
		if err = known.Add(list, a.Certificate); err == nil {
			return nil
		}
	}
	return err
}

// openTrust reads for the first time: what is wrong ends the start.
func (n *Node) openTrust(c *config.Config) error {
	h := &n.trusted
	h.online = newRevocations(c, n.Clock)
	t, err := readTrust(c, n.Clock, nil, nil, h.online)
	if err != nil {
		return err
	}
	h.current.Store(t)
	h.verifier = &pki.Verifier{Clock: n.Clock, Current: func() *pki.Verifier { return h.current.Load().Verifier }}
	h.stamps = stampFiles(trustFiles(c))
	return nil
}

func trustFiles(c *config.Config) (files []config.Path) {
	for _, a := range c.AS4.Trust {
		files = append(files, a.File)
	}
	return append(files, c.AS4.CRLs...)
}

// dueAgain is how long to wait with another look into a file whose list is due and that seems not to have changed: the
// times of files on some networks are not to be relied on.
const dueAgain = 10 * time.Minute

// refreshTrust reads what changed or is due; force reads in any case.
func (n *Node) refreshTrust(ctx context.Context, c *config.Config, force bool) error {
	h := &n.trusted
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.current.Load()
	now := n.Clock()
	due := false
	for _, l := range old.lists {
		due = due || !l.due.IsZero() && !now.Before(l.due)
	}
	if due = due && now.Sub(h.tried) >= dueAgain; due {
		h.tried = now
	}
	seen := stampFiles(trustFiles(c))
	if !force && !due && seen.equal(h.stamps) {
		return nil
	}
	t, err := readTrust(c, n.Clock, old, h.extra, h.online)
	n.alerts.inTrouble("trust", err)
	if err != nil {
		n.Log.LogAttrs(ctx, slog.LevelError, "trust not reloaded", slog.Any("err", err))
		return err
	}
	h.stamps = seen
	for _, l := range t.lists {
		if was, _ := old.list(l.file); l.failed && !was.failed {
			n.Log.LogAttrs(ctx, slog.LevelError, "revocation list not reloaded", slog.String("file", string(l.file)), slog.Time("due", l.due))
		}
	}
	h.current.Store(t)
	n.Log.LogAttrs(ctx, slog.LevelInfo, "trust reloaded", slog.Int("authorities", len(t.Anchors)), slog.Int("lists", len(t.lists)))
	return nil
}

// trust is whom the node trusts now.
func (n *Node) trust() *trusted { return n.trusted.current.Load() }

// Trust is the node's view of who may be trusted, for domains. It is asked anew each time: it changes at a reload.
func (n *Node) Trust() *pki.Verifier { return n.trusted.verifier }

func (t *trusted) facts() (out []alert.List) {
	for _, l := range t.lists {
		out = append(out, alert.List{Name: baseName(l.file), Due: l.due, Failed: l.failed})
	}
	return out
}

// stamps tell whether files changed.
type stamps map[config.Path]stamp

type stamp struct {
	at   time.Time
	size int64
}

func stampFiles(files []config.Path) stamps {
	s := stamps{}
	for _, f := range files {
		if f == "" {
			continue
		}
		info, err := os.Stat(string(f))
		if err != nil {
			if errors.Is(err, os.ErrNotExist) {
				s[f] = stamp{size: -1}
			}
			continue
		}
		s[f] = stamp{info.ModTime(), info.Size()}
	}
	return s
}

func (s stamps) equal(o stamps) bool {
	if len(s) != len(o) {
		return false
	}
	for f, a := range s {
		if b, ok := o[f]; !ok || a.size != b.size || !a.at.Equal(b.at) {
			return false
		}
	}
	return true
}
