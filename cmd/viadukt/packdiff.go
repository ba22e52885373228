package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// ruleChangeJSON is one rule that is not what it was.
type ruleChangeJSON struct {
	Pack string `json:"pack"` // the newer one
	rulepack.Change
}

// bothJSON is what two packs say about one document.
type bothJSON struct {
	File    string   `json:"file"`
	Same    bool     `json:"same"` // verdict and rules
	Old     bool     `json:"old"`  // valid by the older pack
	New     bool     `json:"new"`
	Added   []string `json:"added"` // findings that only the newer one has, as id:severity*count
	Removed []string `json:"removed"`
	Error   *exit    `json:"error"`
}

func preparePackDiff(c *call) func() error {
	c.least, c.most = 2, -1
	c.jsonFlag()
	folder := c.packsFlag()
	return func() error {
		f, now := rulepack.Folder(*folder), time.Now()
		var compiled [2]*rulepack.Compiled
		for i, name := range c.values[:2] {
			id, err := rulepack.ParseID(name)
			if err != nil {
				return usage("%v", err)
			}
			p, err := f.Get(id, now)
			if err != nil {
				return packError(*folder, err)
			}
			if compiled[i], err = p.Compile(); err != nil {
				return err
			}
		}
		if err := c.tellChanges(compiled[0], compiled[1]); err != nil {
			return err
		}
		if len(c.values) == 2 {
			return nil
		}
		docs, closing, err := documents(c.p.in, c.values[2:])
		if err != nil {
			return err
		}
		defer closing()
		var judges [2]*rulepack.Judge
		for i := range judges {
			if judges[i], err = f.Open(now, compiled[i].Pack().ID.String()); err != nil {
				return packError(*folder, err)
			}
		}
		return c.judgeByBoth(docs, judges)
	}
}

// tellChanges tells what changed from one pack to another.
func (c *call) tellChanges(old, new *rulepack.Compiled) error {
	changes := rulepack.Diff(old, new)
	paint := c.p.paint(c.p.out)
	if !c.json {
		c.printf("%s → %s: %s\n", old.Pack().ID, new.Pack().ID, changeCounts(changes))
	}
	for _, ch := range changes {
		if c.json {
			if err := c.print(ruleChangeJSON{new.Pack().ID.String(), ch}); err != nil {
				return err
			}
			continue
		}
		switch ch.Op {
		case "added":
			c.printf("  %s %s %s\n", paint.ok("+"), ch.ID, summary(ch.New))
		case "removed":
			c.printf("  %s %s %s\n", paint.bad("-"), ch.ID, summary(ch.Old))
		default:
			c.printf("  %s %s %s\n", paint.warn("~"), ch.ID, strings.Join(ch.What, ", "))
			c.describeChange(ch)
		}
	}
	return nil
}

func changeCounts(changes []rulepack.Change) string {
	n := map[string]int{}
	for _, ch := range changes {
		n[ch.Op]++
	}
	return fmt.Sprintf("%d added, %d removed, %d changed", n["added"], n["removed"], n["changed"])
}

func summary(list []rulepack.Rule) string {
	if len(list) == 0 {
		return ""
	}
	return list[0].Severity + "  " + list[0].Text
}

// describeChange shows what differs of one rule, place by place.
func (c *call) describeChange(ch rulepack.Change) {
	for i := range min(len(ch.Old), len(ch.New)) {
		o, n := ch.Old[i], ch.New[i]
		for _, f := range []struct{ name, old, new string }{{"severity", o.Severity, n.Severity}, {"context", o.Context, n.Context}, {"test", o.Test, n.Test}, {"text", o.Text, n.Text}} {
			if f.old != f.new {
				c.printf("      %s: %s\n      %s→ %s\n", f.name, f.old, strings.Repeat(" ", len(f.name)), f.new)
			}
		}
	}
}

// judgeByBoth tells which documents are judged in another way.
func (c *call) judgeByBoth(docs []source, judges [2]*rulepack.Judge) error {
	worst, differ := statusDone, 0
	bar := c.p.tally(len(docs))
	defer bar.end()
	for i, d := range docs {
		j := c.both(d, judges)
		if j.Error != nil {
			worst = max(worst, j.Error.status)
		}
		bar.clear()
		switch {
		case c.json:
			if err := c.print(j); err != nil {
				return err
			}
		case j.Error != nil:
			c.printf("%s: %s\n", j.File, j.Error.Error())
		case !j.Same:
			c.printf("%s: %s → %s%s\n", j.File, word(j.Old), word(j.New), signed(j.Added, j.Removed))
		}
		if j.Error == nil && !j.Same {
			differ++
		}
		bar.step(i+1, differ)
	}
	bar.end()
	if !c.json {
		c.printf("%d of %d documents are judged in another way\n", differ, len(docs))
	}
	if worst != statusDone {
		return &exit{status: worst, silent: true}
	}
	return nil
}

func word(valid bool) string {
	if valid {
		return "valid"
	}
	return "not valid"
}

func signed(added, removed []string) string {
	var b strings.Builder
	for _, a := range added {
		b.WriteString(" +" + a)
	}
	for _, r := range removed {
		b.WriteString(" -" + r)
	}
	return b.String()
}

func (c *call) both(src source, judges [2]*rulepack.Judge) *bothJSON {
	j := &bothJSON{File: src.name, Added: []string{}, Removed: []string{}}
	var reports [2]*edocument.Report
	for i, judge := range judges {
		v := &validating{call: c, judge: func(doc *dom.Document) (*edocument.Report, error) { return judge.ValidateContext(c.p.ctx, doc) }}
		got := v.one(src)
		if got.Error != nil {
			j.Error = got.Error
			return j
		}
		reports[i] = got.document.Report
	}
	j.Old, j.New = reports[0].Valid, reports[1].Valid
	before, after := reports[0].Fired(), reports[1].Fired()
	for _, f := range after {
		if !slices.Contains(before, f) {
			j.Added = append(j.Added, f)
		}
	}
	for _, f := range before {
		if !slices.Contains(after, f) {
			j.Removed = append(j.Removed, f)
		}
	}
	j.Same = j.Old == j.New && len(j.Added)+len(j.Removed) == 0
	return j
}

// updateJSON is what a publisher has for one release.
type updateJSON struct {
	Pack  string   `json:"pack"` // the newest that is here
	URL   string   `json:"url"`  // where the publisher has the newest release
	Newer []string `json:"newer"`
	Added bool     `json:"added"`
	// Replaced says that the publisher has other rules by now under the name of the pack that is here.
	Replaced bool  `json:"replaced"`
	Error    *exit `json:"error"`
}

func preparePackUpdate(c *call) func() error {
	c.most = -1
	c.jsonFlag()
	folder := c.packsFlag()
	add := c.Bool("add", false, "keep the newer packs")
	return func() error {
		all, err := rulepack.Folder(*folder).List()
		if err != nil {
			return err
		}
		worst, asked := statusDone, map[string]bool{}
		u := &updating{call: c, folder: rulepack.Folder(*folder), all: all, add: *add, fetched: map[release]func() ([]*rulepack.Pack, error){}}
		for _, p := range all {
			if p.Source.URL == "" || asked[p.ID.Name()] || len(c.values) > 0 && !slices.ContainsFunc(c.values, func(s string) bool { return s == p.ID.Name() || s == p.ID.String() }) {
				continue
			}
			asked[p.ID.Name()] = true
			if err := u.pack(p); err != nil {
				e := asExit(err)
				worst = max(worst, e.status)
				if c.json {
					err = c.print(updateJSON{Pack: p.ID.String(), URL: p.Source.URL, Newer: []string{}, Error: e})
				} else {
					c.printf("%s %s: %s\n", c.p.paint(c.p.out).bad("✗"), p.ID, e.Error())
					err = nil
				}
				if err != nil {
					return err
				}
			}
		}
		if len(asked) == 0 && !c.json {
			c.printf("no pack in %s tells where it was fetched\n", *folder)
		}
		if worst != statusDone {
			return &exit{status: worst, silent: true}
		}
		return nil
	}
}

// updating is one round of questions to publishers.
type updating struct {
	*call
	folder  rulepack.Folder
	all     []*rulepack.Pack // that are here
	add     bool
	fetched map[release]func() ([]*rulepack.Pack, error)
}

// release is a release at an address, with what is known of the one that was fetched from there. Many packs come of one.
type release struct{ address, etag, sha256 string }

// fetch returns the packs of a release, fetched and compiled once a round; none where it is the one that is known.
func (u *updating) fetch(r release) ([]*rulepack.Pack, error) {
	if u.fetched[r] == nil {
		u.fetched[r] = sync.OnceValues(func() ([]*rulepack.Pack, error) {
			d, err := rulepack.Fetch(u.p.ctx, r.address, rulepack.FetchOptions{ETag: r.etag})
			if err != nil || d.Unchanged || d.SHA256 == r.sha256 {
				return nil, err
			}
			return rulepack.ImportArchive(d.Octets, rulepack.ImportOptions{Name: d.Name, URL: r.address, ETag: d.ETag, Now: time.Now()})
		})
	}
	return u.fetched[r]()
}

// pack asks for what is newer than one pack.
func (u *updating) pack(p *rulepack.Pack) error {
	address, err := rulepack.NewerRelease(u.p.ctx, p.Source.URL)
	if err != nil {
		return releaseError(p.Source.URL, err)
	}
	j := updateJSON{Pack: p.ID.String(), URL: address, Newer: []string{}}
	r := release{address, p.Source.ETag, p.Source.SHA256}
	if address != p.Source.URL {
		r.etag = ""
	}
	packs, err := u.fetch(r)
	if err != nil {
		return releaseError(address, err)
	}
	var news []*rulepack.Pack
	var replaced *rulepack.Pack
	for _, n := range packs {
		switch {
		case n.ID == p.ID:
			if n.ValidFrom, n.ValidTo = p.ValidFrom, p.ValidTo; !p.Same(n) {
				replaced, j.Replaced = n, true
			}
		case n.ID.Name() == p.ID.Name() && !slices.ContainsFunc(u.all, func(o *rulepack.Pack) bool { return o.ID == n.ID }):
			news = append(news, n)
			j.Newer = append(j.Newer, n.ID.String())
		}
	}
	if !u.json && news == nil && replaced == nil {
		u.printf("%s %s is the newest\n", u.p.paint(u.p.out).ok("✓"), p.ID)
	}
	if replaced != nil {
		if !u.json {
			u.printf("%s %s: its publisher has other rules by now under the same version\n", u.p.paint(u.p.out).warn("!"), p.ID)
		}
		if err := u.changes(p, replaced); err != nil {
			return err
		}
		if !u.json {
			u.printf("    viadukt pack remove %s, then pack add %s, takes them\n", p.ID, address)
		}
	}
	for _, n := range news {
		if err := u.changes(p, n); err != nil {
			return err
		}
		if !u.add {
			continue
		}
		if err := u.folder.Add(n); err != nil {
			return releaseError(address, err)
		}
		j.Added = true
	}
	if u.json {
		return u.print(j)
	}
	if news != nil && !u.add {
		u.printf("    %s\n", "viadukt pack update "+p.ID.Name()+" --add keeps it")
	}
	return nil
}

// changes tells what is different between two packs.
func (u *updating) changes(old, new *rulepack.Pack) error {
	a, err := old.Compile()
	if err != nil {
		return err
	}
	b, err := new.Compile()
	if err != nil {
		return err
	}
	return u.tellChanges(a, b)
}
