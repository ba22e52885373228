package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/backup"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

var backupCommand = &command{
	name: "backup", summary: "copies all that a node is made of, while it works or while it does not.", args: "TARGET",
	help: `TARGET is a folder, or one file when its name ends in .tar, .tar.zst or .tzst. A folder may hold an earlier backup: only new
payload files are copied then, and the earlier backup stays whole until the new one is. With --previous the new folder shares
the payload files of an earlier one by hard links. Files are also linked to those of the node where that can be done: --copy
makes a backup that shares nothing.
The configuration and the files that it names are taken along, but for private keys, passwords and tokens: --keys takes these
too, and makes the backup as secret as they are.
A running node is asked over its API, with a token of the scope backup. The exit status is 1 when payload files were lost
before: the backup holds all the others.`,
	example: "viadukt backup /backup/ee --config ee/viadukt.yaml\nviadukt backup ee.tar.zst --keys --config ee/viadukt.yaml\nviadukt backup /backup/tuesday --previous /backup/monday --config ee/viadukt.yaml",
	prepare: prepareBackup,
}

// backupJSON is what a backup reports.
type backupJSON struct {
	Target string `json:"target"`
	*backup.Result
	Error *exit `json:"error"`
}

func prepareBackup(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	file := c.configFlag()
	base := c.String("api", "", "`address` of a node's API; without --config the backup holds no configuration")
	token := c.String("token", "", "API `token` of the scope backup, or file:PATH, or env:NAME; default: the environment variable VIADUKT_TOKEN, else that of the configuration")
	keys := c.Bool("keys", false, "take private keys, passwords and tokens along")
	previous := c.String("previous", "", "`folder` of an earlier backup, whose payload files are linked")
	whole := c.Bool("copy", false, "share no files by hard links")
	return func() error {
		target := c.values[0]
		if *previous != "" {
			if is, _, err := backup.Is(*previous); err != nil || !is {
				return usage("--previous: %s is no folder with a backup", *previous)
			}
		}
		cfg, err := c.loadConfig(*file)
		if *base != "" && !c.given("config") {
			cfg, err = nil, nil
		}
		if err != nil {
			return err
		}
		src, err := c.source(cfg, *base, *token)
		if err != nil {
			return err
		}
		o := backup.Options{Program: "Viadukt " + node.Version, Keys: *keys, Previous: *previous, Copy: *whole, Clock: time.Now}
		if cfg != nil {
			o.Node = cfg.Node.Name
			if o.Config, err = configOf(cfg); err != nil {
				return err
			}
		}
		bar := newProgress(c.p, longUpload)
		o.Progress = bar.set
		r, err := backup.Write(c.p.ctx, src, target, o)
		bar.done()
		if err := errors.Join(err, src.Close()); err != nil {
			return backupError(err)
		}
		if c.json {
			if err := c.print(backupJSON{Target: target, Result: r}); err != nil {
				return err
			}
		} else {
			c.describeBackup(target, r)
		}
		if len(r.Missing) > 0 {
			return &exit{status: statusInvalid, silent: true}
		}
		return nil
	}
}

// given reports whether a flag was set.
func (c *call) given(name string) (yes bool) {
	c.Visit(func(f *flag.Flag) { yes = yes || f.Name == name })
	return yes
}

// configOf lists the files that the configuration names, rule packs, and the copies of trusted lists.
func configOf(cfg *config.Config) (*backup.Config, error) {
	out := &backup.Config{Dir: cfg.Dir()}
	for _, f := range cfg.Files() {
		out.Files = append(out.Files, backup.ConfigFile{Path: f.Path, Secret: f.Secret})
	}
	packs, err := node.PackFolder(cfg)
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{packs, string(cfg.TrustLists.Dir)} {
		below, err := backup.FilesBelow(dir)
		if err != nil {
			return nil, err
		}
		out.Files = append(out.Files, below...)
	}
	return out, nil
}

func backupError(err error) error {
	switch {
	case errors.Is(err, backup.ErrTarget):
		return &exit{status: statusUsage, Code: "NOT_EMPTY", Text: err.Error(), Remedy: "name another place; nothing was changed"}
	case errors.Is(err, store.ErrDiskFull):
		return &exit{status: statusFailed, Code: "DISK_FULL", Text: err.Error(), Remedy: "free room, or name another place; nothing was changed"}
	case errors.Is(err, store.ErrDamaged):
		return &exit{status: statusInvalid, Code: "DAMAGED", Text: err.Error(), Remedy: "no backup was made. Stop the node and keep a copy of its data folder; viadukt verifydata names what is damaged and what to do"}
	}
	return err
}

func (c *call) describeBackup(target string, r *backup.Result) {
	paint := c.p.paint(c.p.out)
	c.printf("%s  %s as of %s\n", paint.bold(target), r.Node, r.Time.Format("2006-01-02 15:04:05 MST"))
	line := func(name, format string, args ...any) { c.printf("  %-14s %s\n", name, fmt.Sprintf(format, args...)) }
	line("database", "%s, log of %d entries", octets(r.Database.Size), r.Log.Size)
	line("payload files", "%d with %s: %d copied, %d linked, %d were there", r.Payloads.Files, octets(r.Payloads.Octets), r.Copied.Files, r.Linked.Files, r.Present.Files)
	switch {
	case len(r.Config) == 0:
		line("configuration", "%s", paint.warn("not in it"))
	case r.Keys:
		line("configuration", "%d files, %s", len(r.Config), paint.warn("private keys among them: guard this backup like them"))
	default:
		line("configuration", "%d files; not in it are %d with keys, passwords and tokens (--keys takes them)", len(r.Config), len(r.Left))
	}
	for _, m := range r.Missing {
		line("lost before", "%s", paint.bad(m))
	}
	c.printf("Prove it: viadukt verifydata %s\n", target)
}

// source is the node's data folder when no node runs on it, else the node.
func (c *call) source(cfg *config.Config, base, token string) (backup.Source, error) {
	if base == "" {
		dir := string(cfg.Node.DataDir)
		f, err := backup.OpenFolder(dir)
		switch {
		case err == nil:
			return f, nil
		case errors.Is(err, fs.ErrNotExist):
			return nil, &exit{status: statusFailed, Code: "NO_DATA", Text: "there is no data of a node", Where: dir, Remedy: "start the node once, or name another configuration"}
		case !errors.Is(err, sqlite.ErrLocked) && !errors.Is(err, fs.ErrPermission):
			return nil, err
		}
	}
	s := &running{api: &api{c: c, base: base, token: token}}
	if s.token == "" {
		s.token = os.Getenv("VIADUKT_TOKEN")
	}
	if cfg != nil {
		s.dir = string(cfg.Node.DataDir)
		if base == "" {
			s.base = apiURL(cfg)
			var err error
			if s.http, err = ownClient(cfg); err != nil {
				return nil, err
			}
		}
		if s.token == "" {
			i := slices.IndexFunc(cfg.API.Tokens, func(t config.Token) bool {
				return slices.Contains(t.Scopes, "backup") || slices.Contains(t.Scopes, "admin")
			})
			if i < 0 {
				return nil, &exit{status: statusUsage, Code: "NO_TOKEN", Text: cfg.File() + " names no API token with the scope backup", Remedy: "add one under api.tokens: {name: backup, secret: file:keys/backup.token, scopes: [backup]}; or stop the node"}
			}
			var err error
			if s.token, err = cfg.API.Tokens[i].Secret.Read(); err != nil {
				return nil, &exit{status: statusUsage, Code: "NO_TOKEN", Text: err.Error()}
			}
		}
	}
	return s, s.resolve()
}

// running is a node that works, over its API.
type running struct {
	*api
	dir  string // its data folder, when it is on this machine
	open node.BackupJSON
}

// Snapshot implements backup.Source.
func (s *running) Snapshot(_ context.Context, file string) (err error) {
	if err := s.ask(http.MethodPost, "/backups", nil, nil, &s.open); err != nil {
		return damaged(err)
	}
	body, err := s.do(http.MethodGet, "/backups/"+s.open.ID+"/database", nil, nil, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, body)
	if err == nil && n != s.open.Size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(file)
	}
	return err
}

// Payload implements backup.Source.
func (s *running) Payload(_ context.Context, f sqlite.PayloadFile) (io.ReadCloser, error) {
	r, err := s.do(http.MethodGet, fmt.Sprintf("/backups/%s/payloads/%x", s.open.ID, f.SHA256), url.Values{"size": {strconv.FormatInt(f.Size, 10)}}, nil, nil)
	return r, damaged(err)
}

// damaged gives the node's word for it the meaning that a store's error has.
func damaged(err error) error {
	var e *exit
	if errors.As(err, &e) && e.Code == "DAMAGED" {
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return err
}

// Link implements backup.Source.
func (s *running) Link(f sqlite.PayloadFile, name string) error {
	if s.dir == "" {
		return errors.ErrUnsupported
	}
	return backup.LinkFrom(s.dir, f, name)
}

// Close implements backup.Source. It also is the end when the command was interrupted.
func (s *running) Close() error {
	if s.open.ID == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.c.p.ctx), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, s.base+"/api/v1/backups/"+s.open.ID, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := s.client().Do(req)
	if err != nil {
		return nil // the node ends it by itself
	}
	return resp.Body.Close()
}

// set shows how far something has come.
func (b *progress) set(total, done int64) {
	if b.w == nil {
		return
	}
	b.total, b.sent = total, done
	b.show()
}

// place is where something is, absolute, for people to see.
func place(name string) string {
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}
