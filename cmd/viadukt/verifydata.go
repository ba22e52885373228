package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"

	"github.com/viadukt-eu/viadukt/node/backup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

var verifyDataCommand = &command{
	name: "verifydata", summary: "proves that a backup, or the data of a node that does not run, is whole and unaltered.", args: "[BACKUP|FOLDER]",
	help: `Without an argument: the data of the node of --config. Asked are: is the database sound in itself; is every payload and every piece of
evidence there, with its length and hash; does every row belong to a message; do the entries of the log make up its root, and the
roots that were signed; of a backup, are all its files those that were written. What is damaged is named, with what to do.
Nothing is changed. The exit status is 1 when something is damaged. A running node's data cannot be proven: prove a backup.`,
	example: "viadukt verifydata --config ee/viadukt.yaml\nviadukt verifydata /backup/ee\nviadukt verifydata ee.tar.zst --json",
	prepare: prepareVerifyData,
}

// finding is one thing that is not as it was stored.
type finding struct {
	Level   string `json:"level"` // damage, notice
	What    string `json:"what"`
	Message int64  `json:"message,omitempty"`
	Text    string `json:"text"`
	Remedy  string `json:"remedy,omitempty"`
}

func findingOf(d store.Damage) finding {
	f := finding{"damage", d.What, d.Message, d.Err.Error(), d.Remedy}
	if d.Notice {
		f.Level = "notice"
	}
	return f
}

type verifyDataJSON struct {
	File     string           `json:"file"`
	Valid    bool             `json:"valid"`
	Kind     string           `json:"kind"` // backup, data
	Checked  *sqlite.Checked  `json:"checked"`
	Orphans  int              `json:"orphans"`
	Backup   *backup.Manifest `json:"backup,omitempty"`
	Findings []finding        `json:"findings"`
	Damages  int              `json:"damages"`
	Error    *exit            `json:"error"`
}

// findingsMost bounds how much is listed: a destroyed disk damages everything.
const findingsMost = 1000

func prepareVerifyData(c *call) func() error {
	c.most = 1
	c.jsonFlag()
	file := c.configFlag()
	return func() error {
		j := verifyDataJSON{Findings: []finding{}, Kind: "data"}
		if len(c.values) > 0 {
			j.File = c.values[0]
		} else {
			cfg, err := c.loadConfig(*file)
			if err != nil {
				return err
			}
			j.File = string(cfg.Node.DataDir)
		}
		bar := newProgress(c.p, longUpload)
		r, err := backup.Verify(c.p.ctx, j.File, bar.set, func(d store.Damage) {
			if !d.Notice {
				j.Damages++
			}
			if len(j.Findings) < findingsMost {
				j.Findings = append(j.Findings, findingOf(d))
			}
		})
		bar.done()
		j.Error = verifyDataError(err, &j)
		if r != nil {
			j.Checked, j.Orphans, j.Backup = r.Checked, r.Orphans, r.Manifest
			if r.Manifest != nil {
				j.Kind = "backup"
			}
		}
		j.Valid = j.Error == nil && j.Damages == 0
		if c.json {
			if err := c.print(j); err != nil {
				return err
			}
		} else {
			c.describeVerified(&j)
		}
		switch {
		case j.Error != nil:
			j.Error.silent = c.json
			return j.Error
		case !j.Valid:
			return &exit{status: statusInvalid, silent: true}
		}
		return nil
	}
}

func verifyDataError(err error, j *verifyDataJSON) *exit {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sqlite.ErrLocked):
		return &exit{status: statusFailed, Code: "RUNNING", Text: "the node is running", Where: j.File, Remedy: "make a backup and prove that: viadukt backup; or stop the node"}
	case errors.Is(err, fs.ErrNotExist) && !errors.Is(err, backup.ErrNone):
		return &exit{status: statusUsage, Code: "NO_DATA", Text: "there is nothing", Where: j.File}
	case errors.Is(err, backup.ErrNone):
		if is, data, _ := backup.Is(j.File); !is && !data {
			return &exit{status: statusUsage, Code: "NO_DATA", Text: "this is neither a backup nor the data of a node", Where: j.File, Remedy: "a backup without backup.json was broken off: make it again"}
		}
		j.Damages++
		j.Findings = append(j.Findings, finding{"damage", "backup", 0, err.Error(), "it was broken off or cut: make a new one, or take an older one"})
		return nil
	case errors.Is(err, store.ErrDamaged) && j.Damages > 0: // all is said
		return nil
	}
	return asExit(err)
}

func (c *call) showFindings(list []finding) {
	paint := c.p.paint(c.p.out)
	remedy := ""
	for _, f := range list {
		mark := paint.bad("✗")
		if f.Level == "notice" {
			mark = paint.warn("·")
		}
		what := f.What
		if f.Message != 0 {
			what = fmt.Sprintf("message %d, %s", f.Message, f.What)
		}
		if f.Remedy != remedy && remedy != "" {
			c.printf("    %s\n", paint.dim(remedy))
		}
		remedy = f.Remedy
		c.printf("  %s %s: %s\n", mark, what, f.Text)
	}
	if remedy != "" {
		c.printf("    %s\n", paint.dim(remedy))
	}
}

func (c *call) describeChecked(s *sqlite.Checked) {
	if s == nil {
		return
	}
	c.printf("  %s, %s (%d in files), %s: %s hashed\n", plural(int(s.Messages), "message"), plural(int(s.Payloads), "payload"), s.Files,
		plural(int(s.Evidence), "piece")+" of evidence", octets(s.Octets))
	c.printf("  log of %d entries, %s", s.Entries, plural(int(s.Heads), "signed head"))
	if s.Stamps > 0 {
		c.printf(", %d of them time-stamped outside", s.Stamps)
	}
	c.printf("\n")
}

func (c *call) describeVerified(j *verifyDataJSON) {
	paint := c.p.paint(c.p.out)
	title := paint.bold(j.File)
	if j.Backup != nil {
		title += "  " + cmp.Or(j.Backup.Node, "backup") + " as of " + j.Backup.Time.Format("2006-01-02 15:04:05 MST")
	}
	c.printf("%s\n", title)
	c.showFindings(j.Findings)
	c.describeChecked(j.Checked)
	if j.Orphans > 20 {
		c.printf("  %d payload files that no row names\n", j.Orphans)
	}
	switch {
	case j.Error != nil:
	case j.Valid:
		c.printf("  %s\n", paint.ok("proven"))
	default:
		c.printf("  %s\n", paint.bad(fmt.Sprintf("damaged: %s", plural(j.Damages, "finding"))))
	}
}

// plural writes a number with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
