package console

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// Imports takes P-Mode files of other access points.
type Imports interface {
	// Plan shows what a file would change. An *ImportRefused says why it is not taken.
	Plan(ctx context.Context, name string, octets []byte) (*ImportPlan, error)
	// Import takes it into use.
	Import(ctx context.Context, name string, octets []byte) error
	// Trust adds the certificate of a partner, under the name that a file gives it.
	Trust(ctx context.Context, partner string, certificate []byte) error
}

// ImportPlan is what a file would change.
type ImportPlan struct {
	Format    string // "domibus" or "holodeck"
	Partners  int
	PModes    int
	Changes   []ImportChange
	Warnings  []string
	NotServed []string
	Needs     []string // partners whose certificate is missing
}

// ImportChange is a partner or P-Mode that comes, goes or changes.
type ImportChange struct {
	Op     string // "added", "removed", "changed"
	Kind   string // "partner", "P-Mode"
	Name   string
	Fields []ImportField
}

// ImportField is one setting that differs.
type ImportField struct{ Name, Old, New string }

// ImportRefused says why a file is not taken: each reason with line and rule.
type ImportRefused struct{ Issues []string }

func (e *ImportRefused) Error() string {
	return "console: the file is refused: " + strings.Join(e.Issues, "; ")
}

// planned are files that were shown and wait for a yes. Few wait at a time, and not for long.
type planned struct {
	mu   sync.Mutex
	list []plannedFile
}

type plannedFile struct {
	id, user, name string
	octets         []byte
	until          time.Time
}

const (
	plannedMost = 8
	plannedTime = 15 * time.Minute
)

func (p *planned) put(user, name string, octets []byte, now time.Time) (id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	if len(p.list) >= plannedMost {
		p.list = p.list[1:]
	}
	id = rand.Text()
	p.list = append(p.list, plannedFile{id, user, name, octets, now.Add(plannedTime)})
	return id
}

// take gives a file once, to who uploaded it.
func (p *planned) take(id, user string, now time.Time) (f plannedFile, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(now)
	for i := range p.list {
		if p.list[i].id == id && p.list[i].user == user {
			f = p.list[i]
			p.list = append(p.list[:i:i], p.list[i+1:]...)
			return f, true
		}
	}
	return f, false
}

func (p *planned) expire(now time.Time) {
	for len(p.list) > 0 && !now.Before(p.list[0].until) {
		p.list = p.list[1:]
	}
}

type agreementsData struct {
	Rows    []Agreement
	Imports bool
	Reloads bool
	Problem string // key
	Issues  []string
	Waits   []string // settings that were read and wait for a restart
}

type importData struct {
	*ImportPlan
	ID   string
	File string
}

func (c *Console) agreements(x *call) error {
	return c.showAgreements(x, http.StatusOK, agreementsData{})
}

func (c *Console) showAgreements(x *call, status int, d agreementsData) error {
	d.Rows, d.Imports, d.Reloads = c.opt.Network.Agreements(), c.opt.Imports != nil, c.opt.Reload != nil
	return x.show(status, "agreements", view{Title: "nav.agreements", Data: d})
}

// planImport shows what an uploaded file would change; nothing changes.
func (c *Console) planImport(x *call) error {
	if c.opt.Imports == nil {
		return errNotFound
	}
	octets, err := x.upload("file")
	if err != nil {
		return err
	}
	if len(octets) == 0 {
		return c.showAgreements(x, http.StatusUnprocessableEntity, agreementsData{Problem: "import.no-file"})
	}
	name := "upload.xml"
	if _, h, err := x.r.FormFile("file"); err == nil {
		name = clip(path.Base(strings.ReplaceAll(h.Filename, `\`, "/")), 100)
	}
	plan, err := c.opt.Imports.Plan(x.r.Context(), name, octets)
	var refused *ImportRefused
	if errors.As(err, &refused) {
		return c.showAgreements(x, http.StatusUnprocessableEntity, agreementsData{Problem: "import.refused", Issues: refused.Issues})
	}
	if err != nil {
		return err
	}
	d := importData{ImportPlan: plan, File: name}
	if len(plan.Needs) == 0 {
		d.ID = c.planned.put(x.who.User, name, octets, x.now())
	}
	return x.show(http.StatusOK, "import", view{Title: "import.open", Name: name, Data: d})
}

// trustPartner adds a certificate that a file needs.
func (c *Console) trustPartner(x *call) error {
	if c.opt.Imports == nil {
		return errNotFound
	}
	octets, err := x.upload("file")
	if err != nil {
		return err
	}
	partner := x.value("partner")
	err = c.opt.Imports.Trust(x.r.Context(), partner, octets)
	var refused *ImportRefused
	if errors.As(err, &refused) {
		return c.showAgreements(x, http.StatusUnprocessableEntity, agreementsData{Problem: "import.bad-certificate", Issues: refused.Issues})
	}
	if err != nil {
		return err
	}
	x.act("partner.trust", partner)
	return x.done("agreements", "done.partner-trust")
}

// applyImport takes a file into use that was shown before.
func (c *Console) applyImport(x *call) error {
	if c.opt.Imports == nil {
		return errNotFound
	}
	f, ok := c.planned.take(x.value("id"), x.who.User, x.now())
	if !ok {
		return c.showAgreements(x, http.StatusUnprocessableEntity, agreementsData{Problem: "import.expired"})
	}
	err := c.opt.Imports.Import(x.r.Context(), f.name, f.octets)
	var refused *ImportRefused
	if errors.As(err, &refused) {
		return c.showAgreements(x, http.StatusUnprocessableEntity, agreementsData{Problem: "import.refused", Issues: refused.Issues})
	}
	if err != nil {
		return err
	}
	x.act("pmode.import", f.name)
	return x.done("agreements", "done.pmode-import")
}
