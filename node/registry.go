package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/viadukt-eu/viadukt/edelivery/bdxl"
	"github.com/viadukt-eu/viadukt/edelivery/bdxl/zone"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
)

// zoneRegistry makes participants known in the zone file of a closed network, and serves that zone where this node is
// the one that does. Networks with a registry of their own do without it.
type zoneRegistry struct {
	n    *Node
	file string
	mu   sync.Mutex
	zone *zone.Zone
	read os.FileInfo // of what is served
}

// absentTTL is for how many seconds it is remembered that a participant is not there: not at all, because who is told so
// registers it and tries again.
const absentTTL = 0

func newZoneRegistry(n *Node) *zoneRegistry {
	if n.Config.Registry.File == "" {
		return nil
	}
	return &zoneRegistry{n: n, file: string(n.Config.Registry.File)}
}

// serve answers DNS queries until ctx is done.
func (z *zoneRegistry) serve(ctx context.Context) error {
	addr := string(z.n.Config.Registry.Listen)
	if addr == "" {
		return nil
	}
	var err error
	if z.zone, err = zone.New(z.n.Config.Discovery.Zone, absentTTL); err != nil {
		return err
	}
	if err := z.load(); err != nil {
		return err
	}
	z.zone.Refresh = func() {
		if err := z.load(); err != nil {
			z.n.Log.Warn("zone not read", slog.Any("err", err))
		}
	}
	if _, err := z.zone.Serve(ctx, addr); err != nil {
		return fmt.Errorf("node: registry: %w", err)
	}
	return nil
}

// load reads the file again when another node changed it.
func (z *zoneRegistry) load() error {
	z.mu.Lock()
	defer z.mu.Unlock()
	info, err := os.Stat(z.file)
	if err != nil || z.unchanged(info) {
		return err
	}
	b, err := os.ReadFile(z.file)
	if err != nil {
		return err
	}
	fresh, err := zone.New(z.n.Config.Discovery.Zone, absentTTL)
	if err != nil {
		return err
	}
	if err := fresh.Load(bytes.NewReader(b), z.n.Config.Discovery.Zone); err != nil {
		return err
	}
	z.zone.Replace(fresh)
	z.read = info
	return nil
}

// unchanged asks for more than the time: clocks of file systems tick in milliseconds, and each change makes a new file.
func (z *zoneRegistry) unchanged(info os.FileInfo) bool {
	return z.read != nil && info.ModTime().Equal(z.read.ModTime()) && info.Size() == z.read.Size() && os.SameFile(info, z.read)
}

// register writes the participant's NAPTR record, unregister removes it.
func (z *zoneRegistry) register(_ context.Context, p ids.Participant) error {
	return z.change(p, func(name string) string {
		rr := &dns.NAPTR{
			Hdr:   dns.RR_Header{Name: name, Rrtype: dns.TypeNAPTR, Class: dns.ClassINET, Ttl: 60},
			Order: 100, Preference: 10, Flags: "U", Service: "Meta:SMP", Regexp: "!.*!" + string(z.n.Config.SMP.URL) + "!", Replacement: ".",
		}
		return rr.String()
	})
}

func (z *zoneRegistry) unregister(_ context.Context, p ids.Participant) error {
	return z.change(p, func(string) string { return "" })
}

// change replaces the line of one participant, under a lock that other nodes respect.
func (z *zoneRegistry) change(p ids.Participant, line func(name string) string) error {
	kind, err := bdxl.ParseKind(z.n.Config.Discovery.Label)
	if err != nil {
		return err
	}
	name, err := bdxl.Name(kind, p, z.n.Config.Discovery.Zone)
	if err != nil {
		return err
	}
	unlock, err := lockFile(z.file + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	b, err := os.ReadFile(z.file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var out bytes.Buffer
	for l := range strings.Lines(string(b)) {
		if owner, _, _ := strings.Cut(l, "\t"); !strings.EqualFold(owner, name) {
			out.WriteString(strings.TrimRight(l, "\n") + "\n")
		}
	}
	if l := line(name); l != "" {
		out.WriteString(l + "\n")
	}
	temp := z.file + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := writeFile(temp, io.NopCloser(&out)); err != nil {
		return err
	}
	if err := os.Rename(temp, z.file); err != nil {
		return err
	}
	return syncDir(filepath.Dir(z.file))
}
