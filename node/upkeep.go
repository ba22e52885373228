package node

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/edelivery/smp"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// upkeepEvery is how often files and times are looked at.
const upkeepEvery = 30 * time.Second

// clockSlack is by how much a clock is put right without any work being moved.
const clockSlack = time.Minute

// watchClock lets nothing wait for a time to come a second time after the clock went back, whether the node ran then or
// not. Where it goes ahead nothing is to be done: what waits is due earlier, and copies are known as such.
func (n *Node) watchClock(ctx context.Context) error {
	now := n.Clock()
	last := n.lastSeen.Swap(&now)
	if last == nil {
		return nil
	}
	back := last.Sub(now)
	if back < clockSlack {
		return nil
	}
	n.Log.LogAttrs(ctx, slog.LevelWarn, "clock went back", slog.Duration("by", back))
	e := audit.Entry{Type: audit.Administration, Time: now, Subject: "clock", Detail: "went back by " + back.Round(time.Second).String()}
	err := n.keep(ctx, "clock", func(tx store.Tx) error {
		if err := tx.Advance(back); err != nil {
			return err
		}
		_, err := tx.AppendLog(e.Append(nil))
		return err
	})
	for _, c := range []chan struct{}{n.taskReady, n.bedReady, n.signals, n.pieces} {
		wakeup(c)
	}
	return errors.Join(err, n.refreshTrust(ctx, n.live.Load(), true)) // verdicts that were to hold until a time that is far now
}

// readClock finds out when the log was signed last before the start: the next head may have another time.
func (n *Node) readClock(ctx context.Context) error {
	b, err := n.Store.LogHead(ctx, 0)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	h, err := audit.ParseHead(b)
	if err != nil {
		return err
	}
	n.lastSeen.Store(&h.Time)
	return nil
}

func (n *Node) runUpkeep(ctx context.Context) {
	t := time.NewTicker(upkeepEvery)
	defer t.Stop()
	for {
		n.Upkeep(ctx) // what is wrong is in the log and an alert
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Upkeep does what became due: files of authorities, revocation lists and TLS certificates that changed are read, a
// partner's next certificate and the node's next keys take over, what the node's publisher says of them is put right, and
// it is asked anew which certificates are revoked. A clock that went back is noticed.
func (n *Node) Upkeep(ctx context.Context) error {
	c := n.live.Load()
	err := n.watchClock(ctx)
	n.refreshRevocations(ctx)
	return errors.Join(err, n.refreshTrust(ctx, c, false), n.refreshTLS(ctx, c, false), n.changePartners(ctx), n.noteKeys(ctx), n.republish(ctx))
}

// changePartners makes the agreements anew once a certificate of a partner takes over, or is not taken any more.
func (n *Node) changePartners(ctx context.Context) error {
	n.agreeing.Lock()
	defer n.agreeing.Unlock()
	old := n.pmodes.Load()
	if old.next.IsZero() || n.Clock().Before(old.next) {
		return nil
	}
	c := n.live.Load()
	set, err := n.loadPModes(&config.Config{Partners: old.partners, PModes: old.pmodes, AS4: c.AS4})
	if err == nil {
		set, err = set.with(old.added...)
	}
	if err != nil {
		n.Log.LogAttrs(ctx, slog.LevelError, "agreements not reloaded", slog.Any("err", err))
		return err
	}
	n.pmodes.Store(set)
	n.Log.LogAttrs(ctx, slog.LevelInfo, "partners' certificates changed")
	return nil
}

// metaSigner remembers with which certificate the node signed, metaPublished what its publisher says.
const (
	metaSigner    = "keys.signer"
	metaPublished = "publisher.certificates"
)

// noteKeys enters a change of the signing key into the log of evidence.
func (n *Node) noteKeys(ctx context.Context) error {
	cert := n.Identity().Certificate
	sum := cert.Fingerprint()
	now := hex.EncodeToString(sum[:])
	old, err := n.Store.Meta(ctx, metaSigner)
	if err != nil && !errors.Is(err, store.ErrNotFound) || old == now {
		return err
	}
	e := audit.Entry{Type: audit.Administration, Time: n.Clock(), Subject: cert.Subject.String(), Detail: "key.activate",
		Objects: []store.Object{{Kind: "certificate", SHA256: sum, Size: int64(len(cert.Raw))}}}
	return n.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.SetMeta(metaSigner, now); err != nil || old == "" {
			return err
		}
		_, err := tx.AppendLog(e.Append(nil))
		return err
	})
}

// endpointKeys puts the certificates of the moment into an endpoint of this node. A publisher that has one place only
// names the one to encrypt for: nobody else asks it.
func (n *Node) endpointKeys(e *smp.Endpoint) {
	now, k := n.Clock(), n.key()
	sign, encrypt := k.signing(now).Certificate, k.published(now).Certificate
	e.Certificate, e.SigningCertificate, e.EncryptionCertificate = encrypt, nil, nil
	if !k.single {
		e.Certificate, e.SigningCertificate, e.EncryptionCertificate = nil, sign, encrypt
	}
}

// published is what the documents of the node's own publisher say of keys and of versions of documents.
type published struct {
	Certificates []string `json:"certificates"` // SHA-256 in hexadecimal
	Lives        []Life   `json:"lives"`
}

// lives are when versions of documents are used, by all domains.
func (n *Node) lives() (out []Life) {
	for _, name := range slices.Sorted(maps.Keys(n.handlers)) {
		if l, ok := n.handlers[name].(Phased); ok {
			out = append(out, l.Lives()...)
		}
	}
	return out
}

// dates reports whether an endpoint has its dates from a version. Documents of SMP 2.0 have whole days.
func (l Life) dates(e *smp.Endpoint) bool {
	near := func(a, b time.Time) bool { return a.IsZero() == b.IsZero() && a.Sub(b).Abs() < 24*time.Hour }
	return near(l.From, e.Activation) && near(l.Until, e.Expiration)
}

// republish brings the documents of the node's own publisher in line with its keys, and with when versions of documents are used.
func (n *Node) republish(ctx context.Context) (err error) {
	if n.publisher == nil {
		return nil
	}
	n.republishing.Lock()
	defer n.republishing.Unlock()
	var e smp.Endpoint
	n.endpointKeys(&e)
	now := published{Lives: n.lives()}
	for _, c := range []*pki.Certificate{e.Signing(), e.Encryption(), n.publisher.pub.Identity.Certificate} {
		sum := c.Fingerprint()
		now.Certificates = append(now.Certificates, hex.EncodeToString(sum[:]))
	}
	b, err := json.Marshal(now)
	if err != nil {
		return err
	}
	want := string(b)
	have, err := n.Store.Meta(ctx, metaPublished)
	if err != nil && !errors.Is(err, store.ErrNotFound) || have == want {
		return err
	}
	var before published
	json.Unmarshal([]byte(have), &before) // of an earlier program: nothing is known of it
	defer func() {
		if n.alerts.inTrouble("publisher", err); err != nil {
			n.Log.LogAttrs(ctx, slog.LevelError, "metadata not republished", slog.Any("err", err))
		}
	}()
	count := 0
	for after := ""; ; {
		list, err := n.Store.Participants(ctx, after, 100)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			break
		}
		for _, name := range list {
			if err := n.republishOne(ctx, name, before.Lives); err != nil {
				return err
			}
			count++
		}
		after = list[len(list)-1]
	}
	if count > 0 {
		n.Log.LogAttrs(ctx, slog.LevelInfo, "metadata republished", slog.Int("participants", count))
	}
	return n.Store.Write(ctx, func(tx store.Tx) error { return tx.SetMeta(metaPublished, want) })
}

// republishOne does so for a participant. Dates that versions of before have set are taken out where there is none any more; those
// that somebody else has set stay.
func (n *Node) republishOne(ctx context.Context, name string, before []Life) error {
	n.publishing.Lock() // what is registered meanwhile must not be lost
	defer n.publishing.Unlock()
	p, err := ids.ParseParticipant(name)
	if err != nil {
		return err
	}
	sg, err := n.publisher.pub.Group(ctx, p)
	if errors.Is(err, smp.ErrNotFound) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	for _, r := range sg.References {
		md, err := n.publisher.pub.Metadata(ctx, p, r.DocumentType)
		if errors.Is(err, smp.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		from, until := n.life(r.DocumentType)
		for i := range md.Processes {
			for j := range md.Processes[i].Endpoints {
				if e := &md.Processes[i].Endpoints[j]; e.URL == string(n.Config.AS4.URL) {
					n.endpointKeys(e)
					if !from.IsZero() || !until.IsZero() || slices.ContainsFunc(before, func(l Life) bool { return l.dates(e) }) {
						e.Activation, e.Expiration = from, until
					}
				}
			}
		}
		if err := n.publisher.pub.PutMetadata(ctx, p, r.DocumentType, md, false); err != nil {
			return err
		}
	}
	return nil
}

// baseName is what a file is called without its place.
func baseName(p config.Path) string { return filepath.Base(string(p)) }
