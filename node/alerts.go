package node

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/alert"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/console"
	"github.com/viadukt-eu/viadukt/node/store"
)

// alerts are what needs a hand, and what the node cannot read anew.
type alerts struct {
	*alert.Center // nil: nobody looks
	mu            sync.Mutex
	trouble       map[string]bool
}

// loadAlerts makes the center of alerts and lets it count what happens.
func (n *Node) loadAlerts() error {
	n.alerts.trouble = map[string]bool{}
	var set alert.Settings
	if err := config.Decode(n.Config.Alerts, &set); err != nil {
		return err
	}
	if set.Off {
		return nil
	}
	c, err := alert.New(alert.Options{Settings: set, Node: n.Config.Node.Name, Country: n.Config.Node.Country, Version: Version, Store: n.Store, Clock: n.Clock, Log: n.Log})
	if err != nil {
		return err
	}
	n.alerts.Center = c
	n.observers = append(n.observers, alertObserver{c})
	return nil
}

// runAlerts looks from time to time, and tells.
func (n *Node) runAlerts(ctx context.Context) {
	c := n.alerts.Center
	for i, ch := range c.Channels {
		n.work.Go(func() {
			n.runTasks(ctx, alert.QueueOf(ch), c.Ready(i), func(ctx context.Context, t *store.Task) error { return c.Run(ctx, ch, t) })
		})
	}
	look := time.NewTicker(c.Settings.Every.D())
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if err := n.CheckAlerts(ctx); err != nil && ctx.Err() == nil {
			n.Log.Error("alerts not kept", slog.Any("err", err))
		}
	}
}

// CheckAlerts looks once.
func (n *Node) CheckAlerts(ctx context.Context) error {
	if n.alerts.Center == nil {
		return nil
	}
	f := n.facts(ctx)
	if ctx.Err() != nil {
		return ctx.Err() // what could not be looked at is no trouble then
	}
	return n.alerts.Round(ctx, f)
}

// Alerts lists what needs or needed a hand, open ones first.
func (n *Node) Alerts() []alert.Alert {
	if n.alerts.Center == nil {
		return nil
	}
	return n.alerts.List()
}

// note counts an event where somebody looks.
func (a *alerts) note(e alert.Event, key string) {
	if a.Center != nil {
		a.Note(e, key)
	}
}

// inTrouble says that something cannot be read or done, or that it can again.
func (a *alerts) inTrouble(what string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		delete(a.trouble, what)
	} else {
		a.trouble[what] = true
	}
}

// facts are what the rules look at.
func (n *Node) facts(ctx context.Context) *alert.Facts {
	f := &alert.Facts{Free: -1, Least: int64(n.Config.Node.MinFree), HeadEvery: n.Config.Evidence.HeadEvery.D()}
	trouble := func(what string, err error) {
		if err != nil {
			f.Trouble = append(f.Trouble, what)
			n.Log.LogAttrs(ctx, slog.LevelError, "not looked at", slog.String("what", what), slog.Any("err", err))
		}
	}
	trouble("store", n.queueFacts(ctx, f))
	var err error
	f.Unsigned, err = n.unsigned(ctx)
	trouble("log", err)
	n.alerts.mu.Lock()
	for what := range n.alerts.trouble {
		f.Trouble = append(f.Trouble, what)
	}
	n.alerts.mu.Unlock()
	var st syscall.Statfs_t
	if syscall.Statfs(string(n.Config.Node.DataDir), &st) == nil {
		f.Free = int64(st.Bavail) * int64(st.Bsize)
	}
	f.Lists = append(n.trust().facts(), n.trusted.online.facts()...)
	f.TrustLists = n.trustListFacts()
	f.Unstamped = n.Evidence.StampState().Failing
	now := n.Clock()
	k := n.key()
	for use, list := range map[string][]timedKey{"signing": k.sign, "encryption": k.encrypt} {
		if use == "encryption" && k.single {
			continue
		}
		for _, s := range list[1:] {
			f.Planned = append(f.Planned, alert.Planned{Use: use, At: s.activate})
		}
	}
	for _, s := range n.pmodes.Load().partners {
		var p Partner
		if config.Decode(s, &p) == nil && p.Next != nil {
			f.Planned = append(f.Planned, alert.Planned{Use: p.Name, At: p.Next.From.T()})
		}
	}
	for _, h := range n.handlers {
		if l, ok := h.(Phased); ok {
			for _, v := range l.Lives() {
				if !v.Until.IsZero() {
					f.PhaseOuts = append(f.PhaseOuts, alert.PhaseOut{What: v.What, At: v.Until, Next: v.Next})
				}
			}
		}
	}
	f.PhaseOuts = append(f.PhaseOuts, n.packsThatEnd()...)
	certs := (network{n}).Certificates()
	newest := map[string]time.Time{} // of each partner
	for _, c := range certs {
		if c.Use == console.UsePartner && c.NotAfter.After(newest[c.Of]) {
			newest[c.Of] = c.NotAfter
		}
	}
	for _, c := range certs {
		use, name := "own", c.Subject
		replaced := k.replaced(&c, now)
		switch c.Use {
		case console.UsePartner:
			use, name, replaced = "partner", c.Of, c.NotAfter.Before(newest[c.Of])
		case console.UseTLS:
			use = "tls"
		case console.UseAuthority:
			use, name = "authority", c.Of
		case console.UseFormer:
			continue // nobody encrypts for it any more, or will soon not
		}
		f.Certificates = append(f.Certificates, alert.Certificate{Use: use, Name: name, Fingerprint: c.Fingerprint, NotBefore: c.NotBefore, Expiry: c.NotAfter, Replaced: replaced})
	}
	return f
}

// replaced reports whether another key takes over before a certificate of an own one ends.
func (k *keys) replaced(c *console.Certificate, now time.Time) bool {
	list := k.sign
	if c.Use == console.UseEncryption {
		list = k.encrypt
	} else if c.Use != console.UseSigning {
		return false
	}
	next := list[len(list)-1]
	return len(list) > 1 && now.Before(next.activate) && next.activate.Before(c.NotAfter)
}

func (n *Node) queueFacts(ctx context.Context, f *alert.Facts) error {
	counts, err := n.Store.Counts(ctx)
	if err != nil {
		return err
	}
	for _, d := range []store.Direction{store.Out, store.In} {
		q := alert.Queue{Direction: d}
		states := alert.Waiting(d)
		for _, k := range counts {
			for _, s := range states {
				if k.Direction == d && k.State == s {
					q.Depth += k.N
				}
			}
		}
		if q.Oldest, err = n.Store.Oldest(ctx, d, states...); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		f.Queues = append(f.Queues, q)
	}
	f.GivenUp, err = n.Store.DeadQueues(ctx)
	for i, q := range f.GivenUp { // an address may carry what is nobody's business
		if head, _, ok := strings.Cut(q, "/webhook/"); ok {
			f.GivenUp[i] = head + "/webhook"
		}
	}
	return err
}

// unsigned is the time of the oldest entry of the log that no signed head covers.
func (n *Node) unsigned(ctx context.Context) (time.Time, error) {
	size, _, err := n.Store.LogState(ctx)
	if err != nil {
		return time.Time{}, err
	}
	var covered int64
	b, err := n.Store.LogHead(ctx, 0)
	if err == nil {
		h, perr := audit.ParseHead(b)
		if perr != nil {
			return time.Time{}, perr
		}
		covered = h.Size
	} else if !errors.Is(err, store.ErrNotFound) {
		return time.Time{}, err
	}
	if covered >= size {
		return time.Time{}, nil
	}
	list, err := n.Store.LogEntries(ctx, covered, 1)
	if err != nil || len(list) == 0 {
		return time.Time{}, err
	}
	e, err := audit.Parse(list[0].Octets)
	if err != nil {
		return time.Time{}, err
	}
	return e.Time, nil
}

// alertObserver counts what happens to messages.
type alertObserver struct{ c *alert.Center }

// Changed implements observer.
func (o alertObserver) Changed(_ store.Tx, message func() (*store.Message, error), to store.State) error {
	switch to {
	case store.Retrying:
		o.c.Note(alert.Retried, "")
		return nil
	case store.Acknowledged:
		o.c.Note(alert.Acknowledged, "")
		return nil
	case store.Failed, store.Rejected:
	default:
		return nil
	}
	m, err := message()
	if err != nil {
		return err
	}
	if m.Test {
		return nil
	}
	e := alert.Failed
	switch {
	case m.Direction == store.In && to == store.Rejected:
		o.c.Note(alert.Refused, cmp.Or(m.From, "?"))
		return nil
	case m.Direction == store.In:
		e = alert.Undelivered
	case m.Error.Code == string(ebms.MissingReceipt):
		e = alert.NoReceipt
	}
	o.c.Note(e, about(m))
	return nil
}

// Removed implements observer.
func (alertObserver) Removed(store.Tx, func() (*store.Message, error)) error { return nil }

// about names access point and agreement of a message: no person.
func about(m *store.Message) string {
	peer := m.To
	if m.Direction == store.In {
		peer = m.From
	}
	return strings.Join([]string{cmp.Or(peer, "?"), m.PMode}, ", ")
}

// noteRefused counts a message that was answered with an error, by the access point that it names.
func (n *Node) noteRefused(um *ebms.UserMessage) {
	from := "?"
	if um != nil {
		from = cmp.Or(um.From.ID().Value, from)
	}
	n.alerts.note(alert.Refused, from)
}

// AlertJSON is one alert.
type AlertJSON struct {
	ID       string     `json:"id" doc:"The rule, a colon and what it is about."`
	Rule     string     `json:"rule"`
	State    string     `json:"state" doc:"open or over."`
	Severity string     `json:"severity" doc:"info, warning or critical."`
	Text     string     `json:"text"`
	Remedy   string     `json:"remedy,omitempty" doc:"What can be done."`
	Since    time.Time  `json:"since"`
	Resolved *time.Time `json:"resolved,omitempty" doc:"When it was over."`
}

// AlertListJSON is a list of alerts.
type AlertListJSON struct {
	Alerts []AlertJSON `json:"alerts"`
}

// listAlerts is GET /api/v1/alerts.
func (a api) listAlerts(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	state, language := q.Get("state"), cmp.Or(q.Get("language"), "en")
	if state != "" && state != "open" && state != "over" {
		return badRequest("state: open or over, not %q", state)
	}
	out := AlertListJSON{Alerts: []AlertJSON{}}
	for _, k := range a.n.Alerts() {
		i := k.Item(language)
		if state == "" || i.State == state {
			out.Alerts = append(out.Alerts, AlertJSON{i.ID, i.Rule, i.State, string(i.Severity), i.Text, i.Remedy, i.Since, i.Resolved})
		}
	}
	return writeJSON(w, http.StatusOK, out)
}

// openAlerts are those that the console shows.
func (n *Node) openAlerts(language string) (out []console.Alert) {
	for _, k := range n.Alerts() {
		if k.Open() {
			out = append(out, console.Alert{Severity: string(k.Severity), Text: k.Say(language), Remedy: k.Remedy(language), Since: k.Since})
		}
	}
	return out
}
