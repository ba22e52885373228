package trustlist

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Source is a list that is trusted by configuration. Of a list of lists, the lists that it points at are loaded, too.
type Source struct {
	URL       string
	File      string             // where it is read from in place of the URL, which then only names it
	Signers   []*pki.Certificate // who may sign it; for the list of lists of the Union, as announced in the Official Journal
	Territory string             // "": any
	// Announcement is the URL at which Signers were announced. Where the list names another one they are out of date. "": not
	// asked.
	Announcement string
}

// Copy is a list as it was fetched, with what its server said of it.
type Copy struct {
	Body         []byte
	ETag         string
	LastModified string
	Fetched      time.Time
}

// Store keeps the last good copy of each list. Load returns nil where there is none.
type Store interface {
	Load(url string) (*Copy, error)
	Save(url string, c *Copy) error
}

// Loader loads lists. What it parsed it remembers, so that a list that did not change costs nothing the next time. It may not
// be used by two goroutines at once.
type Loader struct {
	Sources     []Source
	Territories []string // whose lists are wanted; empty: all
	Store       Store    // nil: nothing is kept
	HTTP        *http.Client
	Now         func() time.Time // nil: time.Now
	Grace       time.Duration    // for which a list still counts after its next update was due
	MaxList     int64            // octets of a list; 0: 32 MiB
	AllowSHA1   bool             // see [CheckOptions.AllowSHA1]

	mu    sync.Mutex
	known map[string]*remembered // by URL
	certs pki.Parsed
}

type remembered struct {
	sum     [sha256.Size]byte
	checked *Checked
}

const (
	maxList   = 32 << 20 // octets of a list
	maxDigest = 1 << 10  // octets of the file with its digest
	maxPivots = 100
	maxLists  = 500
)

// Refresh fetches what changed and returns what counts. It fails only when no list at all counts; what is wrong with single
// lists is among the problems.
func (l *Loader) Refresh(ctx context.Context) (*Set, error) { return l.load(ctx, true) }

// Load returns what counts of the copies in the store, without network.
func (l *Loader) Load(ctx context.Context) (*Set, error) { return l.load(ctx, false) }

// pass is one run over all lists.
type pass struct {
	*Loader
	ctx    context.Context
	online bool
	now    time.Time

	mu       sync.Mutex
	problems []Problem
	used     map[string]bool
}

func (p *pass) problem(x Problem) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, x)
}

func (l *Loader) load(ctx context.Context, online bool) (*Set, error) {
	p := &pass{Loader: l, ctx: ctx, online: online, now: time.Now(), used: map[string]bool{}}
	if l.Now != nil {
		p.now = l.Now()
	}
	if l.known == nil {
		l.known = map[string]*remembered{}
	}
	var lists []*Listed
	for _, s := range l.Sources {
		lists = append(lists, p.source(s)...)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for u := range l.known {
		if !p.used[u] {
			delete(l.known, u)
		}
	}
	slices.SortStableFunc(lists, func(a, b *Listed) int {
		if a.ListOfLists() != b.ListOfLists() {
			if a.ListOfLists() {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Territory, b.Territory)
	})
	slices.SortStableFunc(p.problems, func(a, b Problem) int { return strings.Compare(a.Territory+" "+a.URL, b.Territory+" "+b.URL) })
	set := NewSet(lists...)
	set.Problems = p.problems
	if len(lists) == 0 {
		err := ErrMissing
		for _, x := range p.problems {
			err = fmt.Errorf("%w; %w", err, x)
		}
		return set, err
	}
	return set, nil
}

// source loads a configured list, and where it is one of lists, those that it points at.
func (p *pass) source(s Source) []*Listed {
	signers := s.Signers
	// Pivots and announcement stand in the list itself, which is read for them before it is trusted: they only choose among
	// certificates that each pivot proves [TS 119 615 4.1].
	fetch := p.fetch
	if s.File != "" {
		fetch = func(u string) (*got, error) { return p.readFile(u, s.File) }
	}
	body, err := fetch(s.URL)
	if body != nil {
		if draft, err := Parse(body.Body); err == nil && draft.ListOfLists() {
			signers = p.pivots(s, draft)
		}
	}
	top := p.take(want{url: s.URL, signers: signers, territory: s.Territory}, body, err)
	if top == nil {
		return nil
	}
	out := []*Listed{top}
	if !top.ListOfLists() {
		return out
	}
	var wanted []want
	for i := range top.Pointers {
		x := &top.Pointers[i]
		switch {
		case x.Type == TypeListOfLists:
			if x.Location != s.URL && s.File == "" && x.xml() {
				p.problem(Problem{URL: s.URL, Territory: top.Territory, Err: fmt.Errorf("the list says that it is at %s", x.Location)})
			}
		case !x.xml() || len(p.Territories) > 0 && !slices.Contains(p.Territories, x.Territory):
		case slices.ContainsFunc(wanted, func(w want) bool { return w.url == x.Location }):
		case len(wanted) >= maxLists:
		default:
			wanted = append(wanted, want{url: x.Location, signers: x.Certificates(), territory: x.Territory, typ: x.Type, via: s.URL, agreement: x.Agreement})
		}
	}
	found := make([]*Listed, len(wanted))
	var wait sync.WaitGroup
	slots := make(chan struct{}, 2*runtime.GOMAXPROCS(0)) // waiting for the network costs nothing, parsing does
	for i := range wanted {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			body, err := p.fetch(wanted[i].url)
			found[i] = p.take(wanted[i], body, err)
		})
	}
	wait.Wait()
	for _, f := range found {
		if f != nil {
			out = append(out, f)
		}
	}
	return out
}

// xml tells the pointer to the list for programs from one for people.
func (p *Pointer) xml() bool {
	return p.MimeType == MimeType || p.MimeType == "" && !strings.HasSuffix(strings.ToLower(p.Location), ".pdf")
}

// pivots walks from the certificates that were announced to those that sign now: each pivot is signed by one of those before
// it, and names those after it [TS 119 615 4.1.4].
func (p *pass) pivots(s Source, draft *List) []*pki.Certificate {
	signers := s.Signers
	uris := draft.Information.values()
	if s.Announcement != "" && !slices.Contains(uris, s.Announcement) {
		p.problem(Problem{URL: s.URL, Territory: draft.Territory, Err: fmt.Errorf(
			"%w (it names %s): take the certificates from there", ErrAnnounced, strings.Join(uris, ", "))})
		return signers
	}
	n := 0
	for _, u := range slices.Backward(uris) { // newest first
		if !strings.HasSuffix(strings.ToLower(u), ".xml") || u == s.URL || n == maxPivots {
			continue
		}
		n++
		body, err := p.fetchPivot(u)
		pivot := p.take(want{url: u, signers: signers, typ: TypeListOfLists, pivot: true}, body, err)
		if pivot == nil {
			continue // the problem is noted, and the next one may still be signed by those before
		}
		for i := range pivot.Pointers {
			if x := &pivot.Pointers[i]; x.Type == TypeListOfLists && x.xml() && len(x.Certificates()) > 0 {
				signers = x.Certificates()
			}
		}
	}
	return signers
}

// want is a list to load and what is asked of it.
type want struct {
	url       string
	signers   []*pki.Certificate
	territory string
	typ       string
	via       string
	agreement Agreement // under which it counts; nil: by its own words
	pivot     bool      // a list of the past: it may be expired
}

// got is what fetching brought: the newest copy, and the one that was good before.
type got struct {
	*Copy
	old *Copy
}

// fetchPivot is fetch for what never changes.
func (p *pass) fetchPivot(u string) (*got, error) {
	if p.Store != nil {
		if c, err := p.Store.Load(u); err == nil && c != nil {
			return &got{c, c}, nil
		}
	}
	return p.fetch(u)
}

// fetch returns the newest copy of a list. With an error it may still return the old one.
func (p *pass) fetch(u string) (*got, error) {
	var old *Copy
	if p.Store != nil {
		var err error
		if old, err = p.Store.Load(u); err != nil {
			p.problem(Problem{URL: u, Err: err})
		}
	}
	kept := func(err error) (*got, error) {
		if old == nil {
			return nil, err
		}
		return &got{old, old}, err
	}
	if !p.online {
		if old == nil {
			return nil, ErrMissing
		}
		return kept(nil)
	}
	if err := p.ctx.Err(); err != nil {
		return kept(err)
	}
	if old != nil && old.ETag == "" && old.LastModified == "" && p.unchanged(u, old) {
		same := *old
		same.Fetched = p.now
		return &got{&same, old}, nil
	}
	if x, err := url.Parse(u); err != nil || x.Scheme != "https" && x.Scheme != "http" {
		return kept(fmt.Errorf("%q is no address of the web", u))
	}
	req, err := http.NewRequestWithContext(p.ctx, http.MethodGet, u, nil)
	if err != nil {
		return kept(err)
	}
	if old != nil {
		if old.ETag != "" {
			req.Header.Set("If-None-Match", old.ETag)
		}
		if old.LastModified != "" {
			req.Header.Set("If-Modified-Since", old.LastModified)
		}
	}
	resp, err := p.client().Do(req)
	if err != nil {
		return kept(err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNotModified:
		if old != nil {
			same := *old
			same.Fetched = p.now
			return &got{&same, old}, nil
		}
		return nil, errors.New("the server says not modified, and there is no copy")
	case http.StatusOK:
	default:
		return kept(fmt.Errorf("the server answers %s", resp.Status))
	}
	body, err := p.read(resp.Body)
	if err != nil {
		return kept(err)
	}
	return &got{&Copy{body, resp.Header.Get("ETag"), resp.Header.Get("Last-Modified"), p.now}, old}, nil
}

func (l *Loader) client() *http.Client {
	if l.HTTP == nil {
		return http.DefaultClient
	}
	return l.HTTP
}

func (l *Loader) read(r io.Reader) ([]byte, error) {
	most := l.MaxList
	if most <= 0 {
		most = maxList
	}
	body, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(body)) > most {
		err = fmt.Errorf("it is larger than %d octets", most)
	}
	return body, err
}

// readFile is fetch for a list in a file.
func (p *pass) readFile(u, file string) (*got, error) {
	var old *Copy
	if p.Store != nil {
		var err error
		if old, err = p.Store.Load(u); err != nil {
			p.problem(Problem{URL: u, Err: err})
		}
	}
	f, err := os.Open(file)
	if err == nil {
		defer f.Close()
		var body []byte
		if body, err = p.read(f); err == nil {
			return &got{&Copy{Body: body, Fetched: p.now}, old}, nil
		}
	}
	if old == nil {
		return nil, err
	}
	return &got{old, old}, err
}

// unchanged asks for the digest that stands beside a list whose server does not say whether it changed: the file of the same
// name that ends in .sha2, as octets or in hexadecimal.
func (p *pass) unchanged(u string, old *Copy) bool {
	base, ok := strings.CutSuffix(u, ".xml")
	if !ok {
		return false
	}
	req, err := http.NewRequestWithContext(p.ctx, http.MethodGet, base+".sha2", nil)
	if err != nil {
		return false
	}
	resp, err := p.client().Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return false
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxDigest))
	if err != nil {
		return false
	}
	sum := sha256.Sum256(old.Body)
	return string(b) == string(sum[:]) || strings.EqualFold(strings.TrimSpace(string(b)), hex.EncodeToString(sum[:]))
}

// take checks what was fetched, keeps it when it is good, and falls back to the copy before when it is not.
func (p *pass) take(w want, g *got, err error) *Listed {
	note := func(err error, kept bool) {
		p.problem(Problem{URL: w.url, Territory: w.territory, Err: err, Kept: kept, Pivot: w.pivot})
	}
	if g == nil {
		note(err, false)
		return nil
	}
	var old *List
	if g.old != nil && string(g.old.Body) != string(g.Body) {
		old, _ = Parse(g.old.Body) // it was good; whether it still is, is asked only when it is needed
	}
	checked, bad := p.check(w, g.Copy, old)
	fresh := g.Copy
	kept := err != nil
	if bad != nil && old != nil {
		err, kept, fresh = bad, true, g.old
		checked, bad = p.check(w, g.old, nil)
	} else if bad == nil && p.Store != nil && g.Copy != g.old {
		if e := p.Store.Save(w.url, g.Copy); e != nil {
			note(e, false)
		}
	}
	switch {
	case bad != nil:
		if err != nil && err != bad {
			bad = fmt.Errorf("%w; the copy before: %w", err, bad)
		}
		note(bad, false)
		return nil
	case err != nil:
		note(err, kept)
	}
	why := err
	if !w.pivot && checked.Expired(p.now) {
		late := checked.late()
		if checked.Expired(p.now.Add(-p.Grace)) {
			note(late, false)
			return nil
		}
		note(late, true)
		why = errors.Join(why, late)
	}
	if w.agreement != nil {
		checked = w.agreement.apply(checked)
	}
	return &Listed{Checked: checked, URL: w.url, Via: w.via, Fetched: fresh.Fetched, Signers: w.signers, Kept: why}
}

// check is [Check], done once for equal octets. Who may sign is asked every time.
func (p *pass) check(w want, c *Copy, after *List) (*Checked, error) {
	sum := sha256.Sum256(c.Body)
	p.Loader.mu.Lock()
	p.used[w.url] = true
	r := p.known[w.url]
	p.Loader.mu.Unlock()
	if r != nil && r.sum == sum && slices.ContainsFunc(w.signers, r.checked.Signer.Equal) &&
		(w.typ == "" || w.typ == r.checked.Type) && (w.territory == "" || w.territory == r.checked.Territory) {
		return r.checked, nil
	}
	checked, err := Check(c.Body, CheckOptions{Signers: w.signers, Territory: w.territory, Type: w.typ, After: after, AllowSHA1: p.AllowSHA1, certs: &p.certs})
	if err != nil {
		return nil, err
	}
	p.Loader.mu.Lock()
	defer p.Loader.mu.Unlock()
	p.known[w.url] = &remembered{sum, checked}
	return checked, nil
}
