package node

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
)

// Reloaded says what a reload changed: names of P-Modes, each once, in the order of the configuration.
type Reloaded struct {
	Partners int      `json:"partners"`
	PModes   int      `json:"pmodes"`
	Added    []string `json:"added"`
	Removed  []string `json:"removed"`
	Changed  []string `json:"changed"`
	Restart  []string `json:"restart" doc:"Settings that are others than when the node started, and that it takes at its next start only."`
}

// Reload reads partners and P-Modes of the configuration file again, with the files that it includes and the
// certificates that they name, and replaces those in use at once: a message that is being sent or received is finished
// by the old ones. So it does with the node's own keys and their plan, authorities, revocation lists, the certificates
// of listeners, the trusted lists that are followed, who time-stamps the log, and the settings of domains that can take them. No
// connection is dropped. Something wrong in the files is an error: agreements, keys, trusted lists and settings stay as they were then. No other setting is read.
func (n *Node) Reload(ctx context.Context) (*Reloaded, error) {
	n.agreeing.Lock()
	defer n.agreeing.Unlock()
	c, err := config.Load(n.Config.File())
	var set *pmodeSet
	var k *keys
	if err == nil {
		k, err = loadKeys(c)
	}
	if err == nil {
		err = n.refreshTrust(ctx, c, true)
	}
	if err == nil {
		err = n.refreshTLS(ctx, c, true)
	}
	if err == nil {
		set, err = n.loadPModes(c)
	}
	var known []client
	if err == nil {
		known, err = loadClients(c)
	}
	var use []func()
	var restart []string
	if err == nil {
		use, restart, err = n.reloadDomains(c)
	}
	old := n.pmodes.Load()
	if err == nil {
		set, err = set.with(old.added...)
	}
	if err == nil {
		err = n.followTrustLists(ctx, c)
	}
	if err != nil {
		n.Log.LogAttrs(ctx, slog.LevelError, "agreements not reloaded", slog.Any("err", err))
		return nil, err
	}
	r := compare(old, set)
	r.Restart = restart
	n.recordBy(ctx, store.Actor(ctx), "agreements.reload", filepath.Base(n.Config.File()))
	n.pmodes.Store(set)
	n.clients.Store(&known)
	n.replaceKeys(ctx, k)
	for _, f := range use {
		f()
	}
	if was := n.live.Swap(c); !reflect.DeepEqual(was.Evidence.Timestamp, c.Evidence.Timestamp) {
		n.Evidence.SetStamping(n.stamping(c))
	}
	if err := n.republish(ctx); err != nil { // tried again by itself
		n.Log.LogAttrs(ctx, slog.LevelWarn, "publisher behind its keys", slog.Any("err", err))
	}
	n.fetchers.restart(set.fetch)
	n.out.wake()
	n.Log.LogAttrs(ctx, slog.LevelInfo, "agreements reloaded", slog.Int("partners", r.Partners), slog.Int("pmodes", r.PModes),
		slog.Int("added", len(r.Added)), slog.Int("removed", len(r.Removed)), slog.Int("changed", len(r.Changed)))
	if len(restart) > 0 {
		n.Log.LogAttrs(ctx, slog.LevelWarn, "settings wait for a restart", slog.Any("settings", restart))
	}
	return r, nil
}

// taken are the settings that a reload takes, and all that stand below them.
var taken = []string{"as4.signing", "as4.encryption", "as4.formerKeys", "as4.rollover", "as4.trust", "as4.crls", "api.clients", "trustlists", "evidence.timestamp", "pmodeFiles"}

// reloaded reports whether a reload takes a setting. Of TLS it takes what a listener shows, but not whether there is one.
func (n *Node) reloaded(setting string) bool {
	below := func(of string) bool { return strings.HasPrefix(setting, of+".") }
	return below("tls") || below("api.tls") || slices.ContainsFunc(taken, func(s string) bool { return s == setting || below(s) })
}

// reloadDomains reads the sections of domains that can take them anew. restart are the settings, of all sections, that wait for a
// restart.
func (n *Node) reloadDomains(c *config.Config) (use []func(), restart []string, err error) {
	restart = []string{}
	own := map[string][]string{}
	for _, d := range n.domains {
		if r, ok := d.(Reloader); ok && c.Has(d.Name()) {
			f, waits, err := r.Reload(c)
			if err != nil {
				return nil, nil, err
			}
			use = append(use, f)
			own["domains."+d.Name()] = waits
		}
	}
	for _, s := range config.Differ(n.Config, c) {
		if waits, ok := own[s]; ok {
			for _, w := range waits {
				restart = append(restart, s+"."+w)
			}
		} else if !n.reloaded(s) {
			restart = append(restart, s)
		}
	}
	return use, restart, nil
}

// replaceKeys takes keys into use that were read anew. What the former ones decrypt stays readable until the node ends.
func (n *Node) replaceKeys(ctx context.Context, k *keys) {
	old := n.key()
	k.keeping(old)
	n.keys.Store(k)
	if len(k.sign) == len(old.sign) && len(k.encrypt) == len(old.encrypt) && k.sign[0].Certificate.Equal(old.sign[0].Certificate) {
		return
	}
	for _, list := range [][]timedKey{k.sign, k.encrypt} {
		for _, s := range list[1:] {
			n.Log.LogAttrs(ctx, slog.LevelInfo, "key planned", slog.String("certificate", s.Certificate.Subject.String()), slog.Time("publish", s.publish), slog.Time("activate", s.activate))
		}
		if k.single {
			break
		}
	}
}

// compare tells two sets apart, both directions of a P-Mode together.
func compare(old, new *pmodeSet) *Reloaded {
	byID := func(s *pmodeSet) (ids []string, modes map[string][2]*as4.PMode) {
		modes = map[string][2]*as4.PMode{}
		for dir, t := range []*as4.Table{s.in, s.out} {
			for _, m := range t.All() {
				both, seen := modes[m.ID]
				if !seen {
					ids = append(ids, m.ID)
				}
				both[dir] = m
				modes[m.ID] = both
			}
		}
		return ids, modes
	}
	was, before := byID(old)
	is, after := byID(new)
	r := &Reloaded{Partners: len(new.partners), PModes: len(is), Added: []string{}, Removed: []string{}, Changed: []string{}}
	for _, id := range was {
		if _, there := after[id]; !there {
			r.Removed = append(r.Removed, id)
		}
	}
	for _, id := range is {
		switch o, there := before[id]; {
		case !there:
			r.Added = append(r.Added, id)
		case !reflect.DeepEqual(o, after[id]) || old.domain[id] != new.domain[id] || old.reply[id] != new.reply[id]:
			r.Changed = append(r.Changed, id)
		}
	}
	return r
}

// fetchers are the channels that are being fetched from.
type fetchers struct {
	mu      sync.Mutex
	start   func(fetching) (stop func()) // nil while the node does not run
	running []fetcher
}

type fetcher struct {
	fetching
	stop func()
}

// startFetching begins with the channels of the P-Modes in use, and lets a reload begin with others.
func (n *Node) startFetching(ctx context.Context) {
	n.fetchers.mu.Lock()
	n.fetchers.start = func(f fetching) func() {
		ctx, stop := context.WithCancel(ctx)
		n.work.Go(func() { n.fetch(ctx, f) })
		return stop
	}
	n.fetchers.mu.Unlock()
	n.fetchers.restart(n.pmodes.Load().fetch)
}

// restart stops what is not asked for any more and starts what is new. What stays as it is goes on undisturbed.
func (f *fetchers) restart(want []fetching) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.start == nil {
		return
	}
	var running []fetcher
	for _, r := range f.running {
		if slices.ContainsFunc(want, func(w fetching) bool { return reflect.DeepEqual(w, r.fetching) }) {
			running = append(running, r)
		} else {
			r.stop()
		}
	}
	for _, w := range want {
		if !slices.ContainsFunc(running, func(r fetcher) bool { return reflect.DeepEqual(w, r.fetching) }) {
			running = append(running, fetcher{w, f.start(w)})
		}
	}
	f.running = running
}

// reload is POST /api/v1/reload.
func (a api) reload(w http.ResponseWriter, r *http.Request) error {
	done, err := a.n.Reload(r.Context())
	if err != nil {
		return &apiError{Status: http.StatusUnprocessableEntity, Code: "CONFIGURATION", Text: err.Error(), Remedy: "mend the file and reload again; the agreements in use are the old ones"}
	}
	return writeJSON(w, http.StatusOK, done)
}
