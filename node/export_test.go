package node

import (
	"context"
	"os"
	"path/filepath"

	"github.com/viadukt-eu/viadukt/node/config"
)

// LooksAtOutbox makes the folders of a node that does not run, and returns what looks at its outbox once.
func (n *Node) LooksAtOutbox() (look func(context.Context), err error) {
	dir, seen := string(n.Config.Folders.Outbox), map[string]string{}
	for _, d := range []string{sentFolder, failedFolder} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) { n.lookAtOutbox(ctx, dir, seen) }, nil
}

// CheckElsewhere is [Check] on a machine with this file system, clock and owner of the data folder.
func CheckElsewhere(ctx context.Context, c *config.Config, network, foreign, memory, wrongClock, root bool) []Finding {
	m := machine{
		filesystem: func(string) (fsKind, string) {
			switch {
			case network:
				return fsNetwork, "NFS"
			case foreign:
				return fsForeign, "FUSE"
			case memory:
				return fsMemory, "tmpfs"
			}
			return fsLocal, ""
		},
		clock: func() (bool, bool) { return !wrongClock, true },
		owner: func(string) (uint32, bool) { return map[bool]uint32{true: 0, false: 1000}[root], true },
	}
	return checkOn(ctx, c, nil, m)
}
