package node

import (
	"context"

	"github.com/viadukt-eu/viadukt/node/config"
)

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
