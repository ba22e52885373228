package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
)

// pmode is the agreement of the two nodes for payloads of any kind.
const pmode = "bench"

// pair is two nodes in this process, with stores on disk, that talk over loopback.
type pair struct {
	dir     string
	senders int
	made    [2]*setup.Result
	nodes   [2]*node.Node
	acks    acks
}

// newPair makes and starts them. senders is how many messages are on their way at once.
func newPair(ctx context.Context, profile string, senders int, domains func() []node.Domain) (p *pair, err error) {
	p = &pair{}
	if p.dir, err = os.MkdirTemp("", "viadukt-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	for i, code := range []string{"EE", "PT"} {
		p.made[i], err = setup.Create(setup.Params{
			Dir: filepath.Join(p.dir, code), Network: filepath.Join(p.dir, "network"), Country: code, Profile: profile, Now: time.Now(),
		})
		if err != nil {
			return nil, err
		}
	}
	if err := setup.Agree(p.made[0], p.made[1], setup.Agreement{ID: pmode, Service: "urn:bench", Action: "Submit", Profile: profile}); err != nil {
		return nil, err
	}
	p.senders = senders
	return p, p.start(ctx, domains)
}

// start runs both nodes on what is in their folders.
func (p *pair) start(ctx context.Context, domains func() []node.Domain) error {
	for i, r := range p.made {
		c, err := config.Load(r.ConfigFile)
		if err != nil {
			return err
		}
		c.Outbound.PerPeer, c.Outbound.Workers = p.senders, p.senders
		n, err := node.New(ctx, c, node.Options{Domains: domains(), Changed: p.acks.changed})
		if err != nil {
			return err
		}
		if err := n.Start(ctx); err != nil {
			return err // it stopped itself
		}
		p.nodes[i] = n
	}
	return nil
}

// stop ends both; start may follow.
func (p *pair) stop() error {
	var errs []error
	for i, n := range p.nodes {
		if n != nil {
			errs = append(errs, n.Stop(context.Background()))
			p.nodes[i] = nil
		}
	}
	return errors.Join(errs...)
}

func (p *pair) close() error { return errors.Join(p.stop(), os.RemoveAll(p.dir)) }
