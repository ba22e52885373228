package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/backup"
	"github.com/viadukt-eu/viadukt/node/store"
)

var restoreCommand = &command{
	name: "restore", summary: "brings a node back from a backup, into an empty place, and proves it there.", args: "BACKUP",
	help: `Where the file of --config is not there, the configuration comes from the backup; what is there already stays as it is. The data
goes where the configuration says, which must be empty. Nothing is a node's data before all of it was proven.

What may have gone on since the backup is marked. Messages that were on their way out are held: they are failed, with the code
RESTORED, until you know from the partner whether they arrived; "viadukt message resend" sends one again. --in-flight resend
lets them go on at once under their old message ids, by which partners know copies. Messages that arrived and were not yet
delivered are delivered, perhaps for the second time. What was sent or arrived since is not known here any more: ask partners.
The log of evidence goes on from the backup, with an entry that says so: heads that were signed since are not continued.
Logins end. Message numbers leave a gap, so that none is given twice.`,
	example: "viadukt restore /backup/ee --config ee/viadukt.yaml\nviadukt restore ee.tar.zst --data /tmp/look",
	prepare: prepareRestore,
}

type restoreJSON struct {
	DataDir string   `json:"dataDir"`
	Wrote   []string `json:"wrote"` // files of the configuration
	Kept    []string `json:"kept"`
	*backup.Restored
	Findings []finding `json:"findings"`
	Error    *exit     `json:"error"`

	node string // whose configuration it is
}

func prepareRestore(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	file := c.configFlag()
	data := c.String("data", "", "restore the data alone, into this `folder`")
	inFlight := c.String("in-flight", string(backup.Hold), "what becomes of messages that were on their way out: `hold` or resend")
	damaged := c.Bool("damaged", false, "restore what there is of a backup that is not sound")
	return func() error {
		how := backup.InFlight(*inFlight)
		if how != backup.Hold && how != backup.Resend {
			return usage("--in-flight: hold or resend, not %q", *inFlight)
		}
		from := c.values[0]
		j := restoreJSON{Wrote: []string{}, Kept: []string{}, Findings: []finding{}}
		if is, _, err := backup.Is(from); errors.Is(err, fs.ErrNotExist) || err == nil && !is {
			return usage("%s is no backup", from)
		} else if err != nil {
			return err
		}
		if j.DataDir = *data; *data == "" {
			if err := c.restoreConfig(from, *file, &j); err != nil {
				return err
			}
		}
		bar := newProgress(c.p, longUpload)
		r, err := backup.Restore(c.p.ctx, from, j.DataDir, backup.RestoreOptions{InFlight: how, Damaged: *damaged, Clock: time.Now, Progress: bar.set},
			func(d store.Damage) { j.Findings = append(j.Findings, findingOf(d)) })
		bar.done()
		j.Restored = r
		j.Error = restoreError(err)
		if c.json {
			if err := c.print(j); err != nil {
				return err
			}
		} else {
			c.describeRestored(&j, how)
		}
		if j.Error != nil {
			j.Error.silent = j.Error.silent || c.json
			return j.Error
		}
		return nil
	}
}

func restoreError(err error) *exit {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, backup.ErrTarget):
		return &exit{status: statusUsage, Code: "NOT_EMPTY", Text: err.Error(), Remedy: "nothing was changed: move what is there away, or name another place with --data"}
	case errors.Is(err, backup.ErrDamaged):
		return &exit{status: statusInvalid, Code: "DAMAGED", Text: "the backup is not sound; nothing was restored", Remedy: "take an older one, or restore what there is: --damaged"}
	case errors.Is(err, store.ErrDamaged), errors.Is(err, backup.ErrNone):
		return &exit{status: statusInvalid, Code: "DAMAGED", Text: err.Error(), Remedy: "nothing was restored: take an older backup"}
	case errors.Is(err, store.ErrDiskFull):
		return &exit{status: statusFailed, Code: "DISK_FULL", Text: err.Error(), Remedy: "nothing was restored: free room"}
	}
	return asExit(err)
}

// restoreConfig takes the configuration from the backup, as far as it is not there, and finds where the data goes.
func (c *call) restoreConfig(from, file string, j *restoreJSON) error {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		wrote, kept, err := backup.RestoreConfig(c.p.ctx, from, file)
		if err != nil {
			return restoreError(err)
		}
		j.Wrote, j.Kept = append(j.Wrote, wrote...), append(j.Kept, kept...)
		if len(wrote) == 0 {
			return &exit{status: statusUsage, Code: "NO_CONFIGURATION", Text: "there is no " + file + ", and no configuration in the backup", Remedy: "write one and restore again, or restore the data alone with --data"}
		}
	}
	cfg, err := c.loadConfig(file)
	if err != nil {
		return err
	}
	j.DataDir, j.node = string(cfg.Node.DataDir), cfg.Node.Name
	return nil
}

func (c *call) describeRestored(j *restoreJSON, how backup.InFlight) {
	paint := c.p.paint(c.p.out)
	for _, f := range j.Wrote {
		if _, elsewhere, ok := strings.Cut(f, "/outside/"); ok {
			f += paint.warn("  belongs to /" + elsewhere)
		}
		c.printf("  configuration  %s\n", f)
	}
	for _, f := range j.Kept {
		c.printf("  configuration  %s %s\n", f, paint.dim("was there and stays"))
	}
	c.showFindings(j.Findings)
	r := j.Restored
	if r == nil {
		return
	}
	c.printf("%s  %s as of %s, proven\n", paint.bold(place(j.DataDir)), r.Node, r.Time.Format("2006-01-02 15:04:05 MST"))
	if j.node != "" && j.node != r.Node {
		c.printf("  %s\n", paint.warn(fmt.Sprintf("the backup is of the node %s, and the configuration of %s", r.Node, j.node)))
	}
	c.describeChecked(r.Checked)
	s := r.Settled
	if s.Held > 0 {
		c.printf("  %s\n", paint.warn(plural(s.Held, "message")+" on the way out: held with the code RESTORED"))
		c.printf("    ask the partners whether they arrived: viadukt message list --direction out --state failed\n")
	}
	if s.Resent > 0 {
		c.printf("  %s go on under their old message ids\n", plural(s.Resent, "message"))
	}
	if s.Again > 0 {
		c.printf("  %s not delivered at the backup: delivered now, perhaps again\n", plural(s.Again, "message"))
	}
	if s.Groups > 0 {
		c.printf("  %s arriving in pieces: closed, their senders send them anew\n", plural(s.Groups, "message"))
	}
	c.printf("  log of evidence: goes on behind its %d entries; heads signed since the backup are not continued\n", s.Entries)
	c.printf("  what was sent or arrived after %s is not known here: ask your partners\n", r.Time.Format("2006-01-02 15:04:05 MST"))
	if len(r.Left) > 0 {
		c.printf("  %s\n", paint.warn("keys, passwords and tokens were not in the backup; put back those that are not there:"))
		for _, f := range r.Left {
			c.printf("    %s\n", f)
		}
	}
}
