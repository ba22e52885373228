// Package selftest judges access points by the test assertions of the Commission's conformance testing service for
// eDelivery AS4, edition 1.2 of 2019, and by cases of our own that no official list has.
//
// Two nodes are made on this machine with an interceptor between them, which plays what the official bed's interceptor
// plays: it records every octet, and can swallow, repeat, alter and forge. The nodes are driven over the interface of
// that bed (package testbed). Against the address of a peer, one node sends, and what the peer answers is judged.
package selftest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
)

// Level says how much an assertion counts.
type Level string

// The levels of the official list, and that of our own cases.
const (
	Mandatory Level = "mandatory"
	Preferred Level = "preferred"
	Permitted Level = "permitted"
	Own       Level = "own"
)

// Verdict is what became of an assertion.
type Verdict string

// The verdicts.
const (
	Pass          Verdict = "pass"
	Fail          Verdict = "fail"
	NotApplicable Verdict = "not applicable" // to this profile, or from where we stand
	NotTestable   Verdict = "not testable"   // by anybody, says the official list
	Broken        Verdict = "broken"         // it could not be run
)

// Case is one assertion.
type Case struct {
	ID        string
	Level     Level
	Module    string // "common profile", "four corners" ...
	Predicate string // what must hold, in our words
	Why       string // why it is not testable
	// Peer says that the answers of a receiver on the wire are enough.
	Peer bool
	run  func(*run) error
}

// Result is what was found for a case.
type Result struct {
	*Case
	Verdict Verdict
	Seen    string // why it failed, or does not apply
	Took    time.Duration
	// Evidence is the file with the exchanges that passed the interceptor; "" where none was asked for.
	Evidence string
}

// Report is a whole run.
type Report struct {
	Program      string
	Profile      string
	Peer         string // address; "" between two nodes
	Start        time.Time
	Took         time.Duration
	Certificates []string // SHA-256 fingerprints of who signed
	Results      []*Result
}

// OK reports whether nothing failed that counts: conformant is who passes all mandatory assertions, and of ours we ask the
// same.
func (r *Report) OK() bool { return !slices.ContainsFunc(r.Results, (*Result).counts) }

// Failed reports whether something that counts was seen to fail, and not only could not be run.
func (r *Report) Failed() bool {
	return slices.ContainsFunc(r.Results, func(x *Result) bool { return x.Verdict == Fail && x.counts() })
}

// counts reports whether a result speaks against conformance.
func (r *Result) counts() bool {
	return r.Verdict == Broken || r.Verdict == Fail && (r.Level == Mandatory || r.Level == Own)
}

// Options say what is judged.
type Options struct {
	Only []string // ids, or their beginnings; empty: all
	Dir  string   // keeps nodes and evidence; "": a folder that is removed
	Log  *slog.Logger
	// Patience is how long a case may wait for what must happen; default 20 seconds.
	Patience time.Duration
	Large    int64 // octets of the large payload; default 32 MiB

	// Peer is the address of a real access point. Config and PMode then say who we are and by which agreement we send.
	Peer   string
	Config *config.Config
	PMode  string

	alter   func(*run)                  // of tests: what ends do wrong
	target  func(address string) string // of tests: another listener in the place of a node
	sameKey bool                        // of tests: a change of keys that does not happen
}

var (
	// ErrUnknown says that no case has one of the ids.
	ErrUnknown = errors.New("selftest: there is no such assertion")
	// ErrSettings says that the peer cannot be judged with what was given.
	ErrSettings = errors.New("selftest: the peer cannot be judged")
)

// Select finds the cases that ids name.
func Select(only []string) ([]*Case, error) {
	if len(only) == 0 {
		return Cases, nil
	}
	var out []*Case
	for _, id := range only {
		if !slices.ContainsFunc(Cases, func(c *Case) bool { return named(c.ID, id) }) {
			return nil, fmt.Errorf("%w: %s", ErrUnknown, id)
		}
	}
	for _, c := range Cases {
		if slices.ContainsFunc(only, func(id string) bool { return named(c.ID, id) }) {
			out = append(out, c)
		}
	}
	return out, nil
}

// named compares an id with one that was asked for: the whole, or what stands before an underscore.
func named(id, asked string) bool {
	return strings.EqualFold(id, asked) || len(id) > len(asked) && strings.EqualFold(id[:len(asked)], asked) && (id[len(asked)] == '_' || strings.HasSuffix(asked, "_"))
}

// Run runs the cases one after the other and tells each result as it is there. An error says that nothing could be run.
func Run(ctx context.Context, o Options, tell func(*Result)) (*Report, error) {
	cases, err := Select(o.Only)
	if err != nil {
		return nil, err
	}
	b, err := openBed(ctx, o)
	if err != nil {
		return nil, err
	}
	defer b.close()
	rep := &Report{Program: "Viadukt " + node.Version, Profile: as4.Profiles["eu-edelivery"].Title, Peer: o.Peer, Start: time.Now()}
	if o.Peer != "" {
		pm, err := b.peerMode()
		if err != nil {
			return nil, err
		}
		rep.Profile = pm.Profile.Title
	}
	for _, c := range cases {
		if err := ctx.Err(); err != nil {
			return rep, err
		}
		r := b.judge(ctx, c)
		rep.Results = append(rep.Results, r)
		if tell != nil {
			tell(r)
		}
	}
	rep.Took = time.Since(rep.Start)
	rep.Certificates = b.fingerprints()
	return rep, nil
}

// bed is what all cases share.
type bed struct {
	Options
	dir    string
	temp   bool
	driver *Driver
	pairs  map[string]*pair // by profile
	peer   *pair            // one end of it alone
}

func openBed(ctx context.Context, o Options) (b *bed, err error) {
	b = &bed{Options: o, dir: o.Dir, pairs: map[string]*pair{}}
	if b.Patience == 0 {
		b.Patience = 20 * time.Second
	}
	if b.Large == 0 {
		b.Large = 32 << 20
	}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "viadukt-selftest-"); err != nil {
			return b, err
		}
		b.temp = true
	} else if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return b, err
	}
	if b.driver, err = OpenDriver("127.0.0.1"); err != nil {
		return b, err
	}
	if o.Peer != "" {
		b.peer, err = b.openPeer(ctx)
	}
	return b, err
}

// openPeer starts a node of the given configuration on a store of its own, whose messages go through the interceptor to
// the peer.
func (b *bed) openPeer(ctx context.Context) (*pair, error) {
	u, err := url.Parse(b.Peer)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%w: %q is no address of an access point", ErrSettings, b.Peer)
	}
	p := &pair{dir: b.dir, driver: b.driver, log: b.Log, only: b.PMode}
	if p.wires[1], err = openWire("127.0.0.1", "/as4", func() string { return b.Peer }); err != nil {
		return nil, err
	}
	c := *b.Config
	c.Node.DataDir = config.Path(filepath.Join(b.dir, "data"))
	c.AS4.Listen, c.API.Listen, c.SMP.Listen, c.Metrics.Listen = "127.0.0.1:0", "127.0.0.1:0", "", ""
	c.Registry, c.Folders, c.Domains, c.Backoffice, c.TLS = config.Registry{}, config.Folders{Poll: c.Folders.Poll}, nil, config.Section{}, nil
	c.API.Tokens, c.Console.Off = nil, true
	c.Outbound.MaxAttempts, c.Outbound.FirstRetry, c.Outbound.Factor = 1, config.Duration(time.Second), 1
	p.nodes[0], err = begin(ctx, &c, b.driver.URL(corners[0]), node.Options{Log: p.logOf(corners[0]), Client: p.wires[1].clientFor()})
	if err != nil {
		return p, errors.Join(err, p.close())
	}
	return p, nil
}

func (b *bed) peerMode() (*as4.PMode, error) {
	pm := b.peer.nodes[0].PMode(b.PMode)
	if pm == nil {
		return nil, fmt.Errorf("%w: the configuration has no P-Mode %q for sending", ErrSettings, b.PMode)
	}
	if len(pm.Certificates) == 0 {
		return nil, fmt.Errorf("%w: P-Mode %q has no partner with a certificate", ErrSettings, b.PMode)
	}
	return pm, nil
}

func (b *bed) close() {
	for _, p := range b.pairs {
		p.close()
	}
	if b.peer != nil {
		b.peer.close()
	}
	if b.driver != nil {
		b.driver.Close()
	}
	if b.temp {
		os.RemoveAll(b.dir)
	}
}

// fingerprints are those of all nodes that took part.
func (b *bed) fingerprints() (list []string) {
	all := []*pair{b.peer}
	for _, p := range b.pairs {
		all = append(all, p)
	}
	for _, p := range all {
		for i := 0; p != nil && i < 2; i++ {
			if n := p.nodes[i]; n != nil {
				sum := sha256.Sum256(n.Identity().Certificate.Raw)
				list = append(list, n.Identity().Certificate.Subject.String()+" "+hex.EncodeToString(sum[:]))
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// errNotApplicable says why a case says nothing here.
type errNotApplicable string

func (e errNotApplicable) Error() string { return string(e) }

// judge runs one case.
func (b *bed) judge(ctx context.Context, c *Case) *Result {
	res := &Result{Case: c}
	start := time.Now()
	defer func() { res.Took = time.Since(start) }()
	switch {
	case c.run == nil:
		res.Verdict, res.Seen = NotTestable, c.Why
		return res
	case b.peer != nil && !c.Peer:
		res.Verdict, res.Seen = NotApplicable, "it is about the sender, or about what the wire does not show"
		return res
	}
	r := &run{bed: b, parent: ctx, c: c}
	r.begin()
	defer func() { r.cancel() }()
	for _, p := range b.pairs {
		p.reset()
	}
	if b.peer != nil {
		b.peer.reset()
	}
	err := c.run(r)
	var f *failure
	var na errNotApplicable
	switch {
	case err == nil:
		res.Verdict = Pass
	case errors.As(err, &f):
		res.Verdict, res.Seen = Fail, f.text
	case errors.As(err, &na):
		res.Verdict, res.Seen = NotApplicable, string(na)
	default:
		res.Verdict, res.Seen = Broken, err.Error()
	}
	if b.Dir != "" {
		var err error
		if res.Evidence, err = r.keep(); err != nil {
			res.Verdict, res.Seen = Broken, err.Error()
		}
	}
	return res
}

// keep writes what passed the interceptors into a file.
func (r *run) keep() (string, error) {
	if r.p == nil {
		return "", nil
	}
	file := filepath.Join(r.dir, "evidence", r.c.ID+".txt")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	f, err := os.Create(file)
	if err != nil {
		return "", err
	}
	for i, w := range r.p.wires {
		if w == nil {
			continue
		}
		list, _ := w.seen("")
		for _, x := range list {
			fmt.Fprintf(f, "=== to %s, %d octets\nContent-Type: %s\n\n%s\n=== HTTP %d\nContent-Type: %s\n\n%s\n", corners[i], x.Length, x.ContentType, x.Body, x.Status, x.AnswerType, x.Answer)
		}
	}
	return file, f.Close()
}
