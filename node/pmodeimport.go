package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/pmode"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// PModeImporter finds out what a P-Mode file of another access point would change in a configuration, and writes nothing.
// [pmode.Problems] say why the file is refused. It stands above the node: package agreements has one.
type PModeImporter func(c *config.Config, party ebms.PartyID, certificates func(alias string) []*pki.Certificate, name string, octets []byte) (*PModeImport, error)

// PModeImport is what an import would change.
type PModeImport struct {
	Format    string
	Partners  int
	PModes    int
	Changes   []pmode.Change
	Warnings  []string
	NotServed []string // P-Modes that the node cannot serve, with the reason
	Needs     []string // partners whose certificate is missing
	Target    string   // the file that is written
	Write     func() error
}

var (
	// ErrNoImporter says that the node was made without what reads P-Mode files.
	ErrNoImporter = &RefusedError{Code: "NO_IMPORT", Text: "this node takes no P-Mode files", Remedy: "viadukt pmode import on the machine of the node"}
	// ErrImport refuses a file that reads well and cannot be taken into use.
	ErrImport = errors.New("node: the P-Modes cannot be taken into use")
)

// importing is one import at a time.
type importing struct {
	read PModeImporter
	mu   sync.Mutex
}

// PlanPModes shows what a file would change.
func (n *Node) PlanPModes(name string, octets []byte) (*PModeImport, error) {
	if n.imports.read == nil {
		return nil, ErrNoImporter
	}
	c, err := config.Load(n.Config.File())
	if err != nil {
		return nil, err
	}
	return n.imports.read(c, n.partyID(), n.trustedAs, name, octets)
}

// ImportPModes takes a file into use: it is written into the configuration's own file of agreements, which is read at
// once. When it cannot be taken, the former file is there again.
func (n *Node) ImportPModes(ctx context.Context, name, description string, octets []byte) (*PModeImport, *Reloaded, error) {
	n.imports.mu.Lock()
	defer n.imports.mu.Unlock()
	plan, err := n.PlanPModes(name, octets)
	if err != nil {
		return nil, nil, err
	}
	if len(plan.Needs) > 0 {
		return plan, nil, fmt.Errorf("%w: the certificate of %s is missing: add it to the trust store under this alias", ErrImport, plan.Needs[0])
	}
	former, rerr := os.ReadFile(plan.Target)
	if rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
		return plan, nil, rerr
	}
	if err := plan.Write(); err != nil { // where the configuration belongs to somebody else, the node may not
		return plan, nil, fmt.Errorf("%w: the file cannot be written, import it as its owner with viadukt pmode import: %w", ErrImport, err)
	}
	done, err := n.Reload(ctx)
	if err != nil {
		if rerr != nil {
			err = errors.Join(fmt.Errorf("%w: %w", ErrImport, err), os.Remove(plan.Target))
		} else {
			err = errors.Join(fmt.Errorf("%w: %w", ErrImport, err), os.WriteFile(plan.Target, former, 0o644))
		}
		return plan, nil, err
	}
	n.Log.LogAttrs(ctx, slog.LevelInfo, "P-Modes imported", slog.String("file", name), slog.Int("pmodes", plan.PModes))
	return plan, done, n.keepPModeFile(ctx, name, description, octets)
}

// PModeFile is a file that was imported while the node ran.
type PModeFile struct {
	ID          int64     `json:"id"`
	Name        string    `json:"name"`
	Time        time.Time `json:"time"`
	Actor       string    `json:"actor"`
	Description string    `json:"description"`
}

const (
	metaPModeFiles = "pmode.files"
	pmodeFilesMost = 20
)

// PModeFiles lists what was imported, the newest last.
func (n *Node) PModeFiles(ctx context.Context) (list []PModeFile, err error) {
	text, err := n.Store.Meta(ctx, metaPModeFiles)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return list, json.Unmarshal([]byte(text), &list)
}

// PModeFileOctets gives one as it came.
func (n *Node) PModeFileOctets(ctx context.Context, id int64) ([]byte, error) {
	text, err := n.Store.Meta(ctx, pmodeFileKey(id))
	if err == nil && text == "" {
		err = store.ErrNotFound
	}
	return []byte(text), err
}

func pmodeFileKey(id int64) string { return "pmode.file." + strconv.FormatInt(id, 10) }

func (n *Node) keepPModeFile(ctx context.Context, name, description string, octets []byte) error {
	list, err := n.PModeFiles(ctx)
	if err != nil {
		return err
	}
	f := PModeFile{ID: 1, Name: name, Time: n.Clock().UTC(), Actor: store.Actor(ctx), Description: description}
	if len(list) > 0 {
		f.ID = list[len(list)-1].ID + 1
	}
	list = append(list, f)
	var gone []PModeFile
	if over := len(list) - pmodeFilesMost; over > 0 {
		gone, list = list[:over], list[over:]
	}
	index, err := json.Marshal(list)
	if err != nil {
		return err
	}
	e := audit.Entry{Type: audit.Administration, Time: f.Time, Actor: f.Actor, Subject: name, Detail: "pmode.import", Objects: []store.Object{object256("pmode", octets)}}
	return n.Store.Write(ctx, func(tx store.Tx) error {
		for _, g := range gone {
			if err := tx.SetMeta(pmodeFileKey(g.ID), ""); err != nil {
				return err
			}
		}
		if err := tx.SetMeta(pmodeFileKey(f.ID), string(octets)); err != nil {
			return err
		}
		if err := tx.SetMeta(metaPModeFiles, string(index)); err != nil {
			return err
		}
		_, err := tx.AppendLog(e.Append(nil))
		return err
	})
}
