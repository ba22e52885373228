package node

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viadukt-eu/viadukt/node/alert"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/trustlist"
)

const (
	trustListsAgain   = 15 * time.Minute    // pause after a refresh that left something to be looked after
	trustListsLongest = 15 * time.Minute    // one refresh of all lists
	announcedFor      = 14 * 24 * time.Hour // for so long a change of signers is an alert
)

// trustLists are the trusted lists of the configuration. Readers take the set of the moment; one refresh runs at a time, in
// the background.
type trustLists struct {
	set       atomic.Pointer[trustlist.Set] // nil: none are configured
	following atomic.Pointer[following]     // nil: none are configured

	refreshing sync.Mutex // held by a refresh, and while others are followed: the loader is for one
	wake       chan struct{}

	mu      sync.Mutex
	stop    context.CancelFunc // of the refresh that runs
	tried   time.Time          // when the last refresh ended; zero: none yet
	changed map[string]signerChange
}

// following is what a configuration says of the lists, and what loads them.
type following struct {
	config.TrustLists
	loader *trustlist.Loader
}

// same reports whether the same lists are followed in the same way, down to the certificates in the files of signers.
func (f *following) same(o *following) bool {
	if f == nil || o == nil {
		return f == o
	}
	return reflect.DeepEqual(f.TrustLists, o.TrustLists) && slices.EqualFunc(f.loader.Sources, o.loader.Sources, func(a, b trustlist.Source) bool {
		return slices.EqualFunc(a.Signers, b.Signers, (*pki.Certificate).Equal)
	})
}

// signerChange is that others sign a list of lists than before.
type signerChange struct {
	at      time.Time
	signers []*pki.Certificate
	known   bool // the configuration names them
}

// loadTrustLists reads the signers of the lists, and the copies of lists that the mirror has. It asks nobody.
func (n *Node) loadTrustLists(ctx context.Context) error {
	n.trustLists.wake = make(chan struct{}, 1)
	n.metrics.watchTrustLists(n)
	return n.followTrustLists(ctx, n.Config)
}

// followTrustLists takes the lists of a configuration into use, as far as the mirror has them, and lets them be refreshed. What is
// wrong is an error, and nothing changes then. A refresh of the former lists is ended.
func (n *Node) followTrustLists(ctx context.Context, c *config.Config) error {
	t := &n.trustLists
	var f *following
	if len(c.TrustLists.Sources) > 0 {
		l, err := trustListLoader(c)
		if err != nil {
			return err
		}
		l.Now = n.Clock
		n.trustTLS(l.HTTP)
		f = &following{c.TrustLists, l}
	}
	if f.same(t.following.Load()) {
		return nil
	}
	t.mu.Lock()
	if t.stop != nil {
		t.stop()
	}
	t.mu.Unlock()
	t.refreshing.Lock()
	defer t.refreshing.Unlock()
	var set *trustlist.Set
	if f != nil {
		if mirror, ok := f.loader.Store.(trustlist.Dir); ok {
			if err := mirror.Configure(f.loader); err != nil {
				return c.Problem("trustlists.dir", "%v", err)
			}
		}
		var err error
		set, err = f.loader.Load(ctx) // none yet at the first start
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, trustlist.ErrMissing) {
			return err
		}
	}
	t.following.Store(f)
	t.set.Store(set)
	t.mu.Lock()
	t.tried, t.changed = time.Time{}, nil
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
	return nil
}

// trustListLoader makes what loads the lists of a configuration.
func trustListLoader(c *config.Config) (*trustlist.Loader, error) {
	set := c.TrustLists
	l := &trustlist.Loader{Territories: set.Territories, Store: trustlist.Dir(set.Dir), Grace: set.Grace.D(), MaxList: int64(set.MaxList), HTTP: trustListClient(c)}
	for i, s := range set.Sources {
		source := trustlist.Source{URL: string(s.URL), File: string(s.File), Territory: s.Territory, Announcement: string(s.Announcement)}
		if source.URL == "" {
			source.URL = (&url.URL{Scheme: "file", Path: source.File}).String()
		}
		for _, f := range s.Signers {
			b, err := readFile(f)
			if err != nil {
				return nil, c.Problem("trustlists.sources", "[%d]: signers: %v", i, err)
			}
			certs, err := parseCertificates(b)
			if err != nil {
				return nil, c.Problem("trustlists.sources", "[%d]: signers: %s: %v", i, f, err)
			}
			source.Signers = append(source.Signers, certs...)
		}
		if slices.ContainsFunc(l.Sources, func(o trustlist.Source) bool { return o.URL == source.URL }) {
			return nil, c.Problem("trustlists.sources", "[%d]: %s stands there twice", i, source.URL)
		}
		l.Sources = append(l.Sources, source)
	}
	return l, nil
}

// trustListClient fetches lists. What a list points at may not be in the inner network, unless discovery may lead there.
func trustListClient(c *config.Config) *http.Client {
	fixed := map[string]bool{}
	for _, s := range c.TrustLists.Sources {
		fixed[hostPort(string(s.URL))] = true
	}
	_, policy, _ := policies(c)
	plain := &net.Dialer{Timeout: 10 * time.Second}
	guarded := &net.Dialer{Timeout: 10 * time.Second, Control: policy.Control}
	return &http.Client{Timeout: c.TrustLists.Timeout.D(), Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if fixed[addr] {
				return plain.DialContext(ctx, network, addr)
			}
			return guarded.DialContext(ctx, network, addr)
		},
		TLSHandshakeTimeout: 10 * time.Second, MaxIdleConns: 20, IdleConnTimeout: time.Minute, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > 3 {
			return errors.New("node: more than three redirects")
		}
		return nil
	}}
}

// current is the set of the moment: lists that came to their end since they were loaded count no more.
func (t *trustLists) current(now time.Time) *trustlist.Set {
	set, f := t.set.Load(), t.following.Load()
	if set == nil || f == nil {
		return nil
	}
	if later := set.At(now, f.Grace.D()); later != set {
		t.set.CompareAndSwap(set, later) // a refresh that came between has the better one
		return later
	}
	return set
}

// runTrustLists refreshes the lists: at once, from time to time, sooner after a failure, and when others are followed.
func (n *Node) runTrustLists(ctx context.Context) {
	t := &n.trustLists
	select {
	case <-t.wake: // of the start
	default:
	}
	for {
		pause := time.Hour // there are none
		if f := t.following.Load(); f != nil {
			pause = f.Refresh.D()
			if set := n.RefreshTrustLists(ctx); len(set.Problems) > 0 {
				pause = min(pause, trustListsAgain)
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-t.wake:
			timer.Stop()
		}
	}
}

// RefreshTrustLists fetches what changed of the trusted lists and takes it into use. What is wrong with single lists is among
// the problems of the set.
func (n *Node) RefreshTrustLists(ctx context.Context) *trustlist.Set {
	t := &n.trustLists
	t.refreshing.Lock()
	defer t.refreshing.Unlock()
	f := t.following.Load()
	if f == nil {
		return trustlist.NewSet()
	}
	bound, cancel := context.WithTimeout(ctx, trustListsLongest)
	defer cancel()
	t.mu.Lock()
	t.stop = cancel
	t.mu.Unlock()
	before := t.set.Load()
	set, err := f.loader.Refresh(bound)
	if set == nil { // the time is over, or others are to be followed: what is there stays, and comes to its end by itself
		n.Log.LogAttrs(ctx, slog.LevelWarn, "trusted lists not refreshed", slog.Any("err", err))
		n.metrics.trustRefreshes[false].Inc()
		return t.current(n.Clock())
	}
	t.set.Store(set)
	n.metrics.trustRefreshes[err == nil].Inc()
	for _, l := range set.Lists {
		if old := listOf(before, l.URL); old == nil || old.Sequence != l.Sequence {
			n.Log.LogAttrs(ctx, slog.LevelInfo, "trusted list taken into use", slog.String("territory", l.Territory), slog.Uint64("sequence", l.Sequence), slog.Time("due", l.Next))
		}
	}
	for _, p := range set.Problems {
		n.Log.LogAttrs(ctx, slog.LevelWarn, "trusted list with a problem", slog.String("territory", p.Territory), slog.String("url", p.URL), slog.Bool("kept", p.Kept), slog.Any("err", p.Err))
	}
	if err := n.noteSigners(ctx, f, set); err != nil {
		n.Log.LogAttrs(ctx, slog.LevelError, "signers of trusted lists not recorded", slog.Any("err", err))
	}
	t.mu.Lock()
	t.tried = n.Clock()
	t.mu.Unlock()
	return set
}

func listOf(s *trustlist.Set, url string) *trustlist.Listed {
	if s == nil {
		return nil
	}
	for _, l := range s.Lists {
		if l.URL == url {
			return l
		}
	}
	return nil
}

// metaSigners remembers who signed a configured list: SHA-256 of certificates in hexadecimal, and when that began.
func metaSigners(url string) string {
	sum := sha256.Sum256([]byte(url))
	return "trustlists.signers." + hex.EncodeToString(sum[:8])
}

// noteSigners looks whether a configured list announces other signers than before, by a pivot. The first ones are those to
// begin with; later ones are entered into the log of evidence, and are an alert for a while, until the configuration names
// them.
func (n *Node) noteSigners(ctx context.Context, f *following, set *trustlist.Set) error {
	var errs []error
	changed := map[string]signerChange{}
	for _, s := range f.loader.Sources {
		l := listOf(set, s.URL)
		if l == nil {
			continue
		}
		var names []string
		known := true
		for _, c := range l.Signers {
			sum := c.Fingerprint()
			names = append(names, hex.EncodeToString(sum[:]))
			known = known && slices.ContainsFunc(s.Signers, c.Equal)
		}
		slices.Sort(names)
		now := strings.Join(names, " ")
		old, err := n.Store.Meta(ctx, metaSigners(s.URL))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			errs = append(errs, err)
			continue
		}
		began, was, _ := strings.Cut(old, " ")
		at, _ := time.Parse(time.RFC3339, began) // none: they are those from the beginning
		if was != now {
			began = "-"
			if at = (time.Time{}); old != "" {
				at = n.Clock().UTC()
				began = at.Format(time.RFC3339)
			}
			e := audit.Entry{Type: audit.Administration, Time: n.Clock(), Subject: s.URL, Detail: "trustlists.signers"}
			for _, c := range l.Signers {
				e.Objects = append(e.Objects, store.Object{Kind: "certificate", SHA256: c.Fingerprint(), Size: int64(len(c.Raw))})
			}
			errs = append(errs, n.Store.Write(ctx, func(tx store.Tx) error {
				if err := tx.SetMeta(metaSigners(s.URL), began+" "+now); err != nil || old == "" {
					return err
				}
				_, err := tx.AppendLog(e.Append(nil))
				return err
			}))
		}
		if !at.IsZero() {
			changed[s.URL] = signerChange{at, l.Signers, known}
		}
	}
	n.trustLists.mu.Lock()
	n.trustLists.changed = changed
	n.trustLists.mu.Unlock()
	return errors.Join(errs...)
}

// Codes say what is wrong with a trusted list.
const (
	listExpired     = "expired"     // past its next update
	listOlder       = "older"       // older than the one that is known, which stays
	listStranger    = "signer"      // signed by somebody who may not
	listForged      = "signature"   // the signature does not hold
	listOther       = "other"       // of another country or type
	listUnreadable  = "unreadable"  // no list
	listAnnounced   = "announced"   // its signers were announced anew
	listUnreachable = "unreachable" // its server, or its file
)

// listCodes are all of them, the worst first.
var listCodes = []string{listExpired, listForged, listStranger, listOlder, listOther, listUnreadable, listAnnounced, listUnreachable}

func listCode(err error) string {
	for _, x := range []struct {
		err  error
		code string
	}{
		{trustlist.ErrExpired, listExpired}, {trustlist.ErrSignature, listForged}, {trustlist.ErrSigner, listStranger}, {trustlist.ErrDowngrade, listOlder},
		{trustlist.ErrTerritory, listOther}, {trustlist.ErrType, listOther}, {trustlist.ErrFormat, listUnreadable}, {trustlist.ErrAnnounced, listAnnounced},
	} {
		if errors.Is(err, x.err) {
			return x.code
		}
	}
	return listUnreachable
}

// listAlert is the alert about a list, whose words say what is wrong with it and what can be done.
func listAlert(code, name string, due time.Time) *alert.Alert {
	return alert.OfTrustList(&alert.TrustList{Name: name, Code: code, Due: due})
}

// States of a trusted list.
const (
	listCurrent = "current" // as it is published, and in its time
	listKept    = "kept"    // an earlier copy counts
	listMissing = "missing" // it does not count
)

// trustListStates says how each list stands, the configured ones first.
func (n *Node) trustListStates() []TrustListJSON {
	t := &n.trustLists
	out := []TrustListJSON{}
	set := t.current(n.Clock())
	if set == nil {
		return out
	}
	problem := func(j *TrustListJSON, err error) {
		j.Code, j.Error = listCode(err), err.Error()
		j.Remedy = listAlert(j.Code, "", time.Time{}).Remedy("en")
	}
	for _, l := range set.Lists {
		j := TrustListJSON{URL: l.URL, Via: l.Via, Territory: l.Territory, ListOfLists: l.ListOfLists(), State: listCurrent, Sequence: l.Sequence, Issued: &l.Issued,
			Fetched: &l.Fetched, Signer: l.Signer.Subject.String(), Services: len(l.Services()), Operator: l.Operator.In("en")}
		if !l.Next.IsZero() {
			j.Next = &l.Next
		}
		for _, p := range set.Problems { // a new announcement is no reason to keep a copy
			if p.URL == l.URL && errors.Is(p.Err, trustlist.ErrAnnounced) {
				problem(&j, p.Err)
			}
		}
		if l.Kept != nil {
			j.State = listKept
			problem(&j, l.Kept)
		}
		out = append(out, j)
	}
	for _, p := range set.Missing() {
		if i := slices.IndexFunc(out, func(j TrustListJSON) bool { return j.URL == p.URL }); i >= 0 {
			if slices.Index(listCodes, listCode(p.Err)) < slices.Index(listCodes, out[i].Code) {
				problem(&out[i], p.Err)
			}
			continue
		}
		j := TrustListJSON{URL: p.URL, Territory: p.Territory, State: listMissing}
		problem(&j, p.Err)
		out = append(out, j)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range out {
		if c, ok := t.changed[out[i].URL]; ok {
			at := c.at
			out[i].SignersChanged = &at
		}
	}
	return out
}

// trustListFacts are what alerts look at.
func (n *Node) trustListFacts() (out []alert.TrustList) {
	for _, j := range n.trustListStates() {
		x := alert.TrustList{Name: strings.TrimSpace(j.Territory + " " + hostOrFile(j.URL)), Code: j.Code, Missing: j.State == listMissing}
		if j.Next != nil {
			x.Due = *j.Next
		}
		if x.Code != "" {
			out = append(out, x)
		}
	}
	n.trustLists.mu.Lock()
	defer n.trustLists.mu.Unlock()
	for u, c := range n.trustLists.changed {
		if !c.known && n.Clock().Sub(c.at) < announcedFor {
			out = append(out, alert.TrustList{Name: hostOrFile(u), Code: alert.NewSigners, Due: c.at})
		}
	}
	return out
}

func hostOrFile(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return raw[strings.LastIndexByte(raw, '/')+1:]
	}
	return u.Host
}

// TrustListJSON is how a trusted list stands.
type TrustListJSON struct {
	URL         string     `json:"url" doc:"Where it is; file: for a file."`
	Via         string     `json:"via,omitempty" doc:"The list of lists that points at it."`
	Territory   string     `json:"territory,omitempty"`
	ListOfLists bool       `json:"listOfLists,omitempty"`
	Operator    string     `json:"operator,omitempty"`
	State       string     `json:"state" doc:"current; kept: an earlier copy counts; missing: it does not count."`
	Sequence    uint64     `json:"sequence,omitempty"`
	Issued      *time.Time `json:"issued,omitempty"`
	Next        *time.Time `json:"nextUpdate,omitempty" doc:"When the next one is due. Absent: the list is closed."`
	Fetched     *time.Time `json:"fetched,omitempty" doc:"When it was last known to be the one that is published."`
	Signer      string     `json:"signer,omitempty"`
	Services    int        `json:"services,omitempty"`
	Code        string     `json:"code,omitempty" doc:"What is wrong: expired, signature, signer, older, other, unreadable, announced, unreachable."`
	Error       string     `json:"error,omitempty"`
	Remedy      string     `json:"remedy,omitempty" doc:"What can be done."`
	// SignersChanged is when others began to sign it.
	SignersChanged *time.Time `json:"signersChanged,omitempty" doc:"When the list announced other signers."`
}

// TrustListsJSON is the state of all lists.
type TrustListsJSON struct {
	Lists     []TrustListJSON `json:"lists"`
	Refreshed *time.Time      `json:"refreshed,omitempty" doc:"When the last refresh ended."`
	Anchors   int             `json:"anchors" doc:"Certificates that the lists make trusted."`
}

func (n *Node) trustListsJSON() TrustListsJSON {
	out := TrustListsJSON{Lists: n.trustListStates()}
	if set := n.trustLists.current(n.Clock()); set != nil {
		out.Anchors = len(set.Certificates())
	}
	n.trustLists.mu.Lock()
	defer n.trustLists.mu.Unlock()
	if at := n.trustLists.tried; !at.IsZero() {
		out.Refreshed = &at
	}
	return out
}

// trustTable lists the calls about whom the node trusts.
func (a api) trustTable() []route {
	return []route{
		{Method: "GET", Path: "/api/v1/trustlists", Summary: "How each trusted list stands", Scopes: []string{scopeMetrics}, Status: http.StatusOK, Answer: TrustListsJSON{}, handler: a.trustLists},
		{Method: "GET", Path: "/api/v1/trust", Summary: "Whom the node trusts, each for its purposes alone", Scopes: []string{scopeMetrics}, Status: http.StatusOK, Answer: AnchorListJSON{}, handler: a.listAnchors,
			Query: []queryParam{textParam("purpose", "Only those for a purpose: "+strings.Join(AnchorPurposes, ", ")+"."), textParam("from", "Only those from a place: "+strings.Join(AnchorSources, ", ")+"."),
				{Name: "at", Doc: "Skip so many.", Schema: int64(0)}, {Name: "limit", Doc: "At most this many. Default 1000.", Schema: int64(0)}}},
		{Method: "POST", Path: "/api/v1/trustlists/refresh", Summary: "Fetch what changed of the trusted lists, and wait for it", Scopes: []string{scopeAdmin}, Status: http.StatusOK, Answer: TrustListsJSON{}, handler: a.refreshTrustLists},
	}
}

func (a api) trustLists(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, a.n.trustListsJSON())
}

func (a api) refreshTrustLists(w http.ResponseWriter, r *http.Request) error {
	if a.n.trustLists.following.Load() == nil {
		return badRequest("no trusted lists are configured: trustlists.sources")
	}
	if err := a.n.Evidence.Append(r.Context(), audit.Entry{Type: audit.Administration, Detail: "trustlists.refresh"}); err != nil {
		return err
	}
	a.n.RefreshTrustLists(r.Context())
	return writeJSON(w, http.StatusOK, a.n.trustListsJSON())
}

// trustLists says of a configuration how its lists stand: signers, and what can be had now.
func (k *checker) trustLists() {
	if len(k.c.TrustLists.Sources) == 0 {
		return
	}
	l, err := trustListLoader(k.c)
	if err != nil {
		k.fail("trusted lists", "correct trustlists.sources: docs/trust.md", "%v", err)
		return
	}
	l.Store = readOnly{l.Store}
	ctx, cancel := context.WithTimeout(k.ctx, trustListsLongest)
	defer cancel()
	set, err := l.Refresh(ctx)
	if set == nil {
		k.fail("trusted lists", "look at network and proxy", "%v", err)
		return
	}
	for _, p := range set.Problems {
		code := listCode(p.Err)
		if p.Kept || code == listAnnounced {
			k.warn("trusted list", listAlert(code, "", time.Time{}).Remedy("en"), "%v", p)
		} else {
			k.fail("trusted list", listAlert(code, "", time.Time{}).Remedy("en"), "%v", p)
		}
	}
	if len(set.Lists) > 0 {
		k.ok("trusted lists", "%d lists, %d certificates that they make trusted", len(set.Lists), len(set.Certificates()))
	}
}

// readOnly reads what is kept and keeps nothing.
type readOnly struct{ trustlist.Store }

// Save implements trustlist.Store.
func (readOnly) Save(string, *trustlist.Copy) error { return nil }
