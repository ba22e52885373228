package node

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/edelivery/smp"
	"github.com/viadukt-eu/viadukt/node/store"
)

// publisher is the node's own metadata publisher: documents are signed when they are stored.
type publisher struct {
	n      *Node
	pub    *smp.Publisher
	server *smp.Server
	served sync.Map // what Serves found out, by question; emptied by every change
}

// newPublisher returns nil where the configuration has no smp section.
func newPublisher(n *Node) (*publisher, error) {
	c := n.Config.SMP
	if c.Listen == "" {
		return nil, nil
	}
	var generations []smp.Generation
	for _, name := range c.Generations {
		generations = append(generations, generationNames[name])
	}
	p := &publisher{n: n}
	reg := registry{n.Store, p.served.Clear}
	p.pub = &smp.Publisher{Registry: reg, Identity: n.key().smp, PublicURL: strings.TrimSuffix(string(c.URL), "/"), Generations: generations, Now: n.Clock}
	p.server = &smp.Server{Registry: reg, Generations: generations, Failed: func(r *http.Request, err error) { n.Log.Error("metadata not served", "path", r.URL.Path, "err", err) }}
	if n.registry != nil {
		p.pub.Register, p.pub.Unregister = n.registry.register, n.registry.unregister
	}
	return p, nil
}

var generationNames = map[string]smp.Generation{"busdox-1.0": smp.Busdox10, "oasis-1.0": smp.OASIS10, "oasis-2.0": smp.OASIS20}

// registry keeps the publisher's documents in the node's store.
type registry struct {
	s       store.Store
	changed func()
}

func entryKey(k smp.Key) store.EntryKey {
	return store.EntryKey{Participant: k.Participant, DocType: k.DocumentType, Generation: k.Generation.String()}
}

// Get implements [smp.Registry].
func (r registry) Get(ctx context.Context, k smp.Key) (smp.Record, error) {
	e, err := r.s.Entry(ctx, entryKey(k))
	if errors.Is(err, store.ErrNotFound) {
		return smp.Record{}, smp.ErrNotFound
	}
	if err != nil {
		return smp.Record{}, err
	}
	return smp.Record{Key: k, Octets: e.Octets, ETag: e.ETag, Updated: e.Updated}, nil
}

// Participants implements [smp.Registry].
func (r registry) Participants(ctx context.Context, after string, limit int) ([]string, error) {
	return r.s.Participants(ctx, after, limit)
}

// Update implements [smp.Registry].
func (r registry) Update(ctx context.Context, put []smp.Record, drop []smp.Key) error {
	defer r.changed()
	return r.s.Write(ctx, func(tx store.Tx) error {
		for _, p := range put {
			if err := tx.PutEntry(store.Entry{EntryKey: entryKey(p.Key), Octets: p.Octets, ETag: p.ETag, Updated: p.Updated}); err != nil {
				return err
			}
		}
		for _, k := range drop {
			if err := tx.DeleteEntry(entryKey(k)); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	})
}

// ErrNoPublisher says that the configuration has no smp section.
var ErrNoPublisher = &RefusedError{Code: "NO_PUBLISHER", Text: "this node runs no metadata publisher", Remedy: "set smp.listen and smp.url in the configuration"}

// Register makes a participant of this node known for a document type and process, received under a profile.
func (n *Node) Register(ctx context.Context, p ids.Participant, d ids.DocumentType, process ids.Process, profile *as4.Profile) error {
	if n.publisher == nil {
		return ErrNoPublisher
	}
	n.publishing.Lock()
	defer n.publishing.Unlock()
	if _, err := n.publisher.pub.PutGroup(ctx, &smp.ServiceGroup{Participant: p}, true); err != nil {
		return err
	}
	e := smp.Endpoint{
		TransportProfile: profile.TransportProfile, URL: string(n.Config.AS4.URL),
		Description: "access point of " + n.Config.Node.Name, Contact: string(n.Config.AS4.URL),
	}
	e.Activation, e.Expiration = n.life(d)
	n.endpointKeys(&e)
	md := &smp.ServiceMetadata{Participant: p, DocumentType: d, Processes: []smp.Process{{Process: process, Endpoints: []smp.Endpoint{e}}}}
	return n.publisher.pub.PutMetadata(ctx, p, d, md, true)
}

// life is when documents of a type are used, by whoever handles them.
func (n *Node) life(d ids.DocumentType) (from, until time.Time) {
	for _, h := range n.handlers {
		if l, ok := h.(Phased); ok {
			if from, until = l.Life(d); !from.IsZero() || !until.IsZero() {
				return from, until
			}
		}
	}
	return from, until
}

// Unregister removes one document type of a participant, or with a zero one the participant.
func (n *Node) Unregister(ctx context.Context, p ids.Participant, d ids.DocumentType) error {
	if n.publisher == nil {
		return ErrNoPublisher
	}
	n.publishing.Lock()
	defer n.publishing.Unlock()
	var err error
	if d.IsZero() {
		err = n.publisher.pub.DeleteGroup(ctx, p, true)
	} else {
		err = n.publisher.pub.DeleteMetadata(ctx, p, d)
	}
	if errors.Is(err, smp.ErrNotFound) {
		return store.ErrNotFound
	}
	return err
}

// Serves says whether a participant is registered here for a document type and process. A node without publisher
// serves everybody: who is served is then decided elsewhere.
func (n *Node) Serves(ctx context.Context, p ids.Participant, d ids.DocumentType, process ids.Process) (bool, error) {
	if n.publisher == nil {
		return true, nil
	}
	type question struct {
		p  ids.Participant
		d  ids.DocumentType
		pr ids.Process
	}
	q := question{p.Normalized(), d, process}
	if _, ok := n.publisher.served.Load(q); ok {
		return true, nil
	}
	found, err := n.publisher.offers(ctx, p, d, process)
	if found {
		n.publisher.served.Store(q, true) // only what is registered: strangers cannot fill the memory
	}
	return found, err
}

// offers reads the published metadata. A document type with a wildcard serves what it matches.
func (p *publisher) offers(ctx context.Context, who ids.Participant, d ids.DocumentType, process ids.Process) (bool, error) {
	sg, err := p.pub.Group(ctx, who)
	if errors.Is(err, smp.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	offered := make([]ids.DocumentType, 0, len(sg.References))
	for _, r := range sg.References {
		offered = append(offered, r.DocumentType)
	}
	match, ok, err := ids.Match(offered, d)
	if !ok || err != nil {
		return false, err
	}
	md, err := p.pub.Metadata(ctx, who, match)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(md.Processes, func(have smp.Process) bool {
		return have.Process.IsZero() || have.Process.Equal(process)
	}), nil
}
