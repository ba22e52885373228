package alert

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/store"
)

// Store is what a [Center] needs of a store.
type Store interface {
	Write(ctx context.Context, f func(store.Tx) error) error
	Meta(ctx context.Context, key string) (string, error)
}

// Options of a [Center].
type Options struct {
	Settings Settings
	Node     string // its name
	Country  string // whose language is spoken, where the settings name none
	Version  string
	Store    Store
	Clock    func() time.Time
	Log      *slog.Logger // nil: silent
	Channels []Channel    // nil: those of the settings
}

// Center is the alerts of one node.
type Center struct {
	Options
	rules    []Rule
	zone     *time.Location
	language string
	counts   counts

	mu      sync.Mutex
	alerts  []*Alert             // open ones and those that were over last, the oldest first
	pending map[string]time.Time // since when a condition holds that has to last
	loaded  bool
	started time.Time
	ready   []chan struct{} // by channel: a token when there is something to tell
}

const (
	metaKey  = "alerts"
	openMost = 500 // more would be told as noise
	overMost = 200
)

// New makes a center; [Center.Round] looks.
func New(opt Options) (*Center, error) {
	c := &Center{Options: opt, pending: map[string]time.Time{}, zone: time.Local}
	c.counts.m = map[counted]*minutes{}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if c.rules, err = merge(opt.Settings.Rules); err != nil {
		return nil, err
	}
	if opt.Settings.TimeZone != "" {
		if c.zone, err = time.LoadLocation(opt.Settings.TimeZone); err != nil {
			return nil, err
		}
	}
	c.language = cmp.Or(opt.Settings.Language, languageOf(opt.Country))
	if c.Channels == nil {
		if c.Channels, err = c.channels(); err != nil {
			return nil, err
		}
	}
	for range c.Channels {
		c.ready = append(c.ready, make(chan struct{}, 1))
	}
	return c, nil
}

// Language is that of mails.
func (c *Center) Language() string { return c.language }

// Note counts an event. It costs nothing but a lock. What a stranger may have written into the key is made harmless.
func (c *Center) Note(e Event, key string) { c.counts.add(e, harmless(key), c.Clock()) }

// harmless is a text in one line that is no longer than names are.
func harmless(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 200 {
		return string(r[:200])
	}
	return s
}

// QueueOf is the queue of tasks of a channel.
func QueueOf(ch Channel) string { return "alert/" + ch.Name() }

// Ready gets a token when there is something for the i-th channel.
func (c *Center) Ready(i int) <-chan struct{} { return c.ready[i] }

// Run does one task of a channel's queue. An error asks for another attempt.
func (c *Center) Run(ctx context.Context, ch Channel, t *store.Task) error {
	var notices []Alert
	if err := json.Unmarshal(t.Body, &notices); err != nil {
		return fmt.Errorf("alert: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	err := ch.Tell(ctx, fmt.Sprint(t.ID), notices)
	if err != nil {
		c.Log.LogAttrs(ctx, slog.LevelWarn, "alert not told", slog.String("channel", ch.Name()), slog.Int("attempt", t.Attempts+1), slog.Any("err", err))
	}
	return err
}

// tellTime bounds one attempt to tell.
const tellTime = time.Minute

// List gives the alerts, open ones first, then the newest first.
func (c *Center) List() []Alert {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]Alert, 0, len(c.alerts))
	for _, a := range c.alerts {
		out = append(out, *a)
	}
	slices.SortStableFunc(out, func(a, b Alert) int {
		switch {
		case a.Open() != b.Open():
			if a.Open() {
				return -1
			}
			return 1
		case a.Open() && a.Severity != b.Severity:
			return b.Severity.rank() - a.Severity.rank()
		}
		return b.Since.Compare(a.Since)
	})
	return out
}

// load reads what was open when the node ended.
func (c *Center) load(ctx context.Context) error {
	if c.started.IsZero() {
		c.started = c.Clock()
	}
	text, err := c.Store.Meta(ctx, metaKey)
	if errors.Is(err, store.ErrNotFound) {
		c.loaded = true
		return nil
	}
	if err != nil {
		return err
	}
	var kept []*Alert
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return fmt.Errorf("alert: %w", err)
	}
	for _, a := range kept {
		if a.Open() {
			a.Seen = c.Clock()
		}
	}
	c.alerts, c.loaded = append(kept, c.alerts...), true
	return nil
}

// change is something that enters the log of evidence.
type change struct {
	a    Alert
	what string // "opened", "worse", "over"
}

// Round looks at the facts and tells what changed.
func (c *Center) Round(ctx context.Context, f *Facts) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Clock()
	if !c.loaded {
		if err := c.load(ctx); err != nil {
			c.Log.LogAttrs(ctx, slog.LevelError, "alerts not read", slog.Any("err", err))
		}
	}
	old := clone(c.alerts)
	changes := c.look(f, now)
	telling := c.telling(now)
	if len(changes) == 0 && len(telling) == 0 {
		return nil
	}
	err := c.keep(ctx, changes, telling, now)
	if err == nil || len(telling) == 0 {
		if err != nil { // nothing was kept: the next round finds it again
			c.alerts = old
		}
		return err
	}
	// The store takes nothing: that is worth an alert by itself, which cannot wait for it.
	for i, ch := range c.Channels {
		list := telling[i]
		if len(list) == 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, tellTime)
		if terr := ch.Tell(ctx, fmt.Sprint(now.UnixNano()), list); terr != nil {
			err = errors.Join(err, terr)
		}
		cancel()
	}
	return err
}

func clone(list []*Alert) []*Alert {
	out := make([]*Alert, len(list))
	for i, a := range list {
		b := *a
		out[i] = &b
	}
	return out
}

// look brings the alerts in line with what the rules find.
func (c *Center) look(f *Facts, now time.Time) (changes []change) {
	held := map[string]bool{}
	open, n := map[string]*Alert{}, 0
	for _, a := range c.alerts {
		if a.Open() {
			open[a.ID] = a
			n++
		}
	}
	rules := map[string]*Rule{}
	for i := range c.rules {
		r := &c.rules[i]
		rules[r.ID] = r
		for _, k := range c.judge(r, f, now) {
			id := r.ID
			if k.key != "" {
				id += ":" + k.key
			}
			held[id] = true
			if a := open[id]; a != nil {
				a.Seen, a.Text, a.Args = now, k.text, k.args
				if k.step > a.Step {
					a.Step, a.Severity = k.step, k.severity
					changes = append(changes, change{*a, "worse"})
				}
				continue
			}
			if since, ok := c.pending[id]; r.For > 0 && (!ok || now.Sub(since) < r.For.D()) {
				if !ok {
					c.pending[id] = now
				}
				continue
			}
			if n >= openMost {
				continue
			}
			n++
			a := &Alert{ID: id, Rule: r.ID, Severity: k.severity, Text: k.text, Args: k.args, Since: now, Seen: now, Step: k.step}
			c.alerts = append(c.alerts, a)
			changes = append(changes, change{*a, "opened"})
		}
	}
	for id := range c.pending {
		if !held[id] {
			delete(c.pending, id)
		}
	}
	for _, a := range c.alerts {
		if r := rules[a.Rule]; a.Open() && !held[a.ID] && (r == nil || now.Sub(a.Seen) >= r.Clear.D() && now.Sub(c.started) >= r.Window.D()) {
			a.Resolved = now // what was counted before a start is not known: it counts for its window
			changes = append(changes, change{*a, "over"})
		}
	}
	c.forget()
	return changes
}

// forget keeps only the last of those that are over and need not be told any more.
func (c *Center) forget() {
	over := 0
	for i := len(c.alerts) - 1; i >= 0; i-- {
		if a := c.alerts[i]; !a.Open() {
			if over++; over > overMost {
				c.alerts = slices.Delete(c.alerts, i, i+1)
			}
		}
	}
}

// quiet reports whether only what is critical is told.
func (c *Center) quiet(now time.Time) bool {
	t := now.In(c.zone)
	return slices.ContainsFunc(c.Settings.Quiet, func(q Quiet) bool { return q.holds(t) })
}

// telling collects what each channel has to tell now, and marks it as told.
func (c *Center) telling(now time.Time) map[int][]Alert {
	out := map[int][]Alert{}
	quiet, repeat := c.quiet(now), c.Settings.Repeat.D()
	for _, a := range c.alerts {
		again := a.Told > 0 && repeat > 0 && now.Sub(a.ToldAt) >= repeat
		tell := a.Open() && (a.Told < a.Step || again) || !a.Open() && a.Told > 0
		if !a.Open() && a.Told == 0 {
			a.Told = -1 // it came and went in a quiet time
		}
		if !tell || quiet && a.Severity != Critical {
			continue
		}
		for i, ch := range c.Channels {
			if a.Severity.rank() >= ch.Least().rank() {
				out[i] = append(out[i], *a)
			}
		}
		a.Told, a.ToldAt = a.Step, now
		if !a.Open() {
			a.Told = -1
		}
	}
	return out
}

// keep makes alerts, entries of the log and tasks durable together.
func (c *Center) keep(ctx context.Context, changes []change, telling map[int][]Alert, now time.Time) error {
	state, err := json.Marshal(c.alerts)
	if err != nil {
		return err
	}
	bodies := map[int][]byte{}
	for i, list := range telling {
		if bodies[i], err = json.Marshal(list); err != nil {
			return err
		}
	}
	err = c.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.SetMeta(metaKey, string(state)); err != nil {
			return err
		}
		for _, k := range changes {
			e := audit.Entry{Type: audit.Alert, Time: now, State: k.what, Subject: k.a.ID, Detail: string(k.a.Severity) + ": " + k.a.Say("en")}
			if _, err := tx.AppendLog(e.Append(nil)); err != nil {
				return err
			}
		}
		for i, ch := range c.Channels {
			if bodies[i] == nil {
				continue
			}
			if err := tx.PutTask(&store.Task{Queue: QueueOf(ch), Kind: "alert", Due: now, Created: now, Body: bodies[i]}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range bodies {
		select {
		case c.ready[i] <- struct{}{}:
		default:
		}
	}
	for _, k := range changes {
		level := slog.LevelWarn
		if k.what == "over" {
			level = slog.LevelInfo
		}
		c.Log.LogAttrs(ctx, level, "alert "+k.what, slog.String("rule", k.a.Rule), slog.String("alert", k.a.ID), slog.String("severity", string(k.a.Severity)), slog.String("text", k.a.Say("en")))
	}
	return nil
}
