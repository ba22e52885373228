package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/spool"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// Report says what was proven.
type Report struct {
	*sqlite.Checked
	Manifest *Manifest // nil for a data folder
	Orphans  int       // payload files that no row names
}

const (
	remedyBackup = "make a new backup while the node is sound; keep this one until then"
	remedyOrphan = "nothing to do: the node removes it at its next start"
)

// Verify proves a backup, or the data folder of a node that does not run, and reports what is not as it was stored. Its
// error says that it could not look; store.ErrDamaged in its chain, that the database cannot be read at all, which was
// reported.
func Verify(ctx context.Context, name string, p Progress, report func(store.Damage)) (*Report, error) {
	isBackup, isData, err := Is(name)
	switch {
	case err != nil:
		return nil, err
	case isBackup:
		return verifyBackup(ctx, name, p, report)
	case isData:
		return verifyData(ctx, name, p, report)
	}
	return nil, fmt.Errorf("%w: %s holds neither %s nor %s", ErrNone, name, manifestName, sqlite.Database)
}

// verifyData proves a data folder.
func verifyData(ctx context.Context, dir string, p Progress, report func(store.Damage)) (*Report, error) {
	unlock, err := sqlite.Lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	total := int64(0)
	if err := eachPayload(dir, func(_ [32]byte, name string) error {
		info, err := os.Stat(name)
		if err == nil {
			total += info.Size()
		}
		return err
	}); err != nil {
		return nil, err
	}
	named := map[[sha256.Size]byte]bool{}
	folder := spool.View(filepath.Join(dir, sqlite.Payloads))
	done := int64(0)
	r, err := check(ctx, filepath.Join(dir, sqlite.Database), func(hash [32]byte, size int64) error {
		if named[hash] {
			return nil
		}
		named[hash] = true
		err := folder.Verify(hash, size)
		if done += size; p != nil {
			p(total, done)
		}
		return err
	}, report)
	if err != nil {
		return r, err
	}
	if _, err := os.Stat(filepath.Join(dir, restoringFolder)); err == nil {
		report(store.Damage{What: "data folder", Err: fmt.Errorf("%w: a restore into it did not come to its end", store.ErrDamaged), Remedy: "empty it and restore again"})
	}
	err = eachPayload(dir, func(sum [32]byte, name string) error {
		if !named[sum] {
			r.orphan(name, remedyOrphan, report)
		}
		return nil
	})
	return r, err
}

func (r *Report) orphan(name, remedy string, report func(store.Damage)) {
	if r.Orphans++; r.Orphans <= 20 {
		report(store.Damage{What: "payload file", Err: fmt.Errorf("%s: no row names it", filepath.Base(name)), Remedy: remedy, Notice: true})
	}
}

func check(ctx context.Context, file string, payload func(hash [32]byte, size int64) error, report func(store.Damage)) (*Report, error) {
	sum, err := sqlite.Check(ctx, file, sqlite.CheckOptions{File: payload, Head: audit.CheckHead, Stamp: audit.CheckStamp}, report)
	return &Report{Checked: sum}, err
}

// found is a payload file of a backup as it was read.
type found struct {
	size  int64
	right bool
	named bool
}

// verifyBackup proves a backup. The octets of payload files are read once, as they come.
func verifyBackup(ctx context.Context, name string, p Progress, report func(store.Damage)) (*Report, error) {
	read, err := readAll(ctx, name, p, nil)
	if err != nil {
		return nil, err
	}
	defer read.close()
	read.compare(report)
	if read.db == "" {
		return &Report{Checked: &sqlite.Checked{}, Manifest: read.m}, nil
	}
	r, err := check(ctx, read.db, read.payload, report)
	r.Manifest = read.m
	if err != nil {
		return r, err
	}
	for sum, f := range read.payloads {
		if !f.named {
			r.orphan(hex.EncodeToString(sum[:]), "nothing to do: restore leaves it out", report)
		}
	}
	return r, nil
}

// contents is a backup that was read.
type contents struct {
	m        *Manifest
	db       string // where the database can be read; empty when there is none
	temp     string // to be removed
	files    map[string]File
	payloads map[[sha256.Size]byte]*found
}

func (c *contents) close() {
	if c.temp != "" {
		os.RemoveAll(c.temp)
	}
}

// readAll reads a backup and hashes all of it. place says where a file is to be written, "" for nowhere; without place
// only the database of an archive is, to a temporary file.
func readAll(ctx context.Context, name string, p Progress, place func(name string) string) (*contents, error) {
	c := &contents{files: map[string]File{}, payloads: map[[sha256.Size]byte]*found{}}
	m, err := each(ctx, name, p, func(e *entry) error {
		h, to := sha256.New(), ""
		isDatabase := strings.HasPrefix(e.name, "viadukt-") && !strings.Contains(e.name, "/")
		switch {
		case place != nil:
			to = place(e.name)
		case isDatabase && e.path != "":
			c.db = e.path
		case isDatabase:
			var err error
			if c.temp, err = os.MkdirTemp("", "viadukt-verify-"); err != nil {
				return err
			}
			to = filepath.Join(c.temp, sqlite.Database)
		}
		n := int64(0)
		if to == "" {
			var err error
			if n, err = io.Copy(h, e.r); err != nil {
				return err
			}
		} else {
			if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
				return err
			}
			if err := writeFile(to, io.TeeReader(e.r, h), e.size, e.mode); err != nil {
				return err
			}
			if n = e.size; isDatabase {
				c.db = to
			}
		}
		sum := [sha256.Size]byte(h.Sum(nil))
		if want, ok := sumOf(e.name); ok {
			c.payloads[want] = &found{size: n, right: sum == want}
			return nil
		}
		c.files[e.name] = File{e.name, n, hex.EncodeToString(sum[:])}
		return nil
	})
	if err != nil {
		c.close()
		return nil, err
	}
	c.m = m
	return c, nil
}

// compare holds what was read against the manifest. Payload files are held against the rows that name them.
func (c *contents) compare(report func(store.Damage)) {
	m := c.m
	want := []File{m.Database}
	for _, f := range m.Config {
		want = append(want, File{m.Folder + "/" + f.Name, f.Size, f.SHA256})
	}
	for _, f := range want {
		got, there := c.files[f.Name]
		d := store.Damage{What: f.Name, Remedy: remedyBackup}
		switch {
		case !there:
			d.Err = fmt.Errorf("%w: it is not in the backup", store.ErrDamaged)
		case got.Size != f.Size:
			d.Err = fmt.Errorf("%w: torn write: %d octets instead of %d", store.ErrDamaged, got.Size, f.Size)
		case got.SHA256 != f.SHA256:
			d.Err = fmt.Errorf("%w: other octets than were backed up", store.ErrDamaged)
		default:
			continue
		}
		report(d)
	}
	for _, sum := range m.Missing {
		report(store.Damage{What: "payload file", Notice: true, Err: fmt.Errorf("%s was lost in the node before the backup", sum), Remedy: "an older backup may have it"})
	}
}

// payload judges a payload file that a row names.
func (c *contents) payload(hash [32]byte, size int64) error {
	f := c.payloads[hash]
	switch {
	case f == nil:
		return fmt.Errorf("backup: payload %x: %w: it is not in the backup", hash[:6], store.ErrDamaged)
	case f.size != size:
		f.named = true
		return fmt.Errorf("backup: payload %x: %w: %d octets instead of %d", hash[:6], store.ErrDamaged, f.size, size)
	case !f.right:
		f.named = true
		return fmt.Errorf("backup: payload %x: %w: hash differs", hash[:6], store.ErrDamaged)
	}
	f.named = true
	return nil
}

// errDamaged is the error of a restore from a backup that is not sound.
var errDamaged = errors.New("backup: the backup is damaged")
