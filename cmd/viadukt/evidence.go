package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/audit/merkle"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

var evidenceCommand = &command{
	name: "evidence", summary: "proves what became of a message: takes a case out of a node, and checks one anywhere.",
	example: "viadukt evidence export 17 --out case.zip\nviadukt evidence verify case.zip --trust authority.pem",
	sub: []*command{
		{name: "export", summary: "writes everything that proves the fate of a message into one zip file.", args: "ID",
			help: `In it are the signed message, its payloads, receipts and errors, the entries of the node's log with the paths to its
signed head, the certificates of who signed, and a README that says how to check all this by hand.
A message that was deleted is named by its number: what is left of it are the entries of the log.`,
			example: "viadukt evidence export 17 --out case.zip", prepare: prepareCaseExport},
		{name: "verify", summary: "checks cases, step by step, without a node and without a network.", args: "FILE...",
			help: `Each step is proven, failed, or open where something is not in the case or was not given. The exit status is 1 when a
step failed: a case of which one octet was changed is not proven.
--trust names the authorities, or the access points themselves, whose certificates you got from somebody you trust. Without
it the question whether the certificates are those of who they name stays open. --trust-time names those for time-stamps over the
node's log: an authority counts for what it was given for, and for nothing else.`,
			example: "viadukt evidence verify case.zip --trust authority.pem --trust-time tsa.pem\nviadukt evidence verify case.zip --json", prepare: prepareVerifyCase},
		{name: "head", summary: "signs the node's log of evidence as it is now, and proves that it continues an earlier head.",
			help: `Who keeps a head somewhere else can show later that nothing before it was changed, taken out or put in since:
keep what --out writes, and give it with --since next time.`,
			example: "viadukt evidence head --out head-2026-05.txt --since head-2026-04.txt", prepare: prepareHead},
		{name: "timestamp", summary: "hands out a head of the node's log that an authority outside time-stamped, with the evidence record over it.",
			help: `The head shows how the log was, the record (RFC 4998) since when. Both are checked without the node:
viadukt preserve check head.ers head.txt --trust authority.pem`,
			example: "viadukt evidence timestamp --out head.txt --record head.ers", prepare: prepareStampedHead},
	},
}

func prepareCaseExport(c *call) func() error {
	c.least, c.most = 1, 1
	open := c.apiFlags()
	out := c.String("out", "", "write to this `file`; default: case-ID.zip")
	payloads := c.String("payloads", "", "all, none, or the most `octets` of all payloads together; default: 268435456")
	return func() error {
		a, err := open()
		if err != nil {
			return err
		}
		name := *out
		if name == "" {
			name = "case-" + filepath.Base(c.values[0]) + ".zip"
		}
		q := url.Values{}
		if *payloads != "" {
			q.Set("payloads", *payloads)
		}
		// What is written is whole or not there.
		temp := name + ".part"
		defer os.Remove(temp)
		if err := c.save(a, "/messages/"+url.PathEscape(c.values[0])+"/case", q, temp); err != nil {
			return err
		}
		if err := os.Rename(temp, name); err != nil {
			return err
		}
		c.printf("%s proves what became of message %s: viadukt evidence verify %s\n", name, c.values[0], name)
		return nil
	}
}

// caseJSON is what is said about one case.
type caseJSON struct {
	File    string             `json:"file"`
	Valid   bool               `json:"valid"`
	Trusted bool               `json:"trusted"`
	Message *audit.CaseMessage `json:"message,omitempty"`
	Steps   []audit.Step       `json:"steps"`
	Error   *exit              `json:"error"`
}

func (j *caseJSON) verdict() (bool, *exit) { return j.Valid, j.Error }

func prepareVerifyCase(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	trust := c.several("trust", "PEM or DER `file` with the certificates of authorities or access points that you trust")
	times := c.several("trust-time", "PEM or DER `file` with the certificates of time-stamping authorities that you trust, or of who certifies them")
	return func() error {
		var known []pki.Anchor
		for _, given := range []struct {
			files   []string
			purpose pki.Purpose
		}{{*trust, pki.PurposeAccessPoint}, {*times, pki.PurposeTime}} {
			for _, file := range given.files {
				certs, err := readTrust(file)
				if err != nil {
					return err
				}
				known = append(known, pki.Bind(certs, given.purpose)...)
			}
		}
		return judgeEach(c, c.values, 1, func(file string) *caseJSON { return verifyCase(file, known) }, c.describeCase)
	}
}

func readTrust(file string) ([]*pki.Certificate, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, usage("--trust: %v", err)
	}
	certs, err := pki.LoadCertificates(b, "")
	if err != nil {
		return nil, usage("--trust: %s: %v", file, err)
	}
	return certs, nil
}

func verifyCase(file string, trust []pki.Anchor) *caseJSON {
	j := &caseJSON{File: file, Steps: []audit.Step{}}
	fail := func(status int, code string, err error) *caseJSON {
		j.Error = &exit{status: status, Code: code, Text: err.Error()}
		return j
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fail(statusUsage, "NO_FILE", err)
	}
	if err != nil {
		return fail(statusFailed, "UNREADABLE", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fail(statusFailed, "UNREADABLE", err)
	}
	r, err := audit.Verify(f, info.Size(), audit.VerifyOptions{Trust: trust})
	if err != nil {
		return fail(statusFailed, "UNREADABLE", err)
	}
	j.Valid, j.Trusted, j.Steps = r.Valid, r.Trusted, r.Steps
	if r.Manifest != nil {
		j.Message = &r.Manifest.Message
	}
	return j
}

func (c *call) describeCase(j *caseJSON) {
	paint := c.p.paint(c.p.out)
	if j.Error != nil {
		fmt.Fprintf(c.p.err, "%s: %s\n", j.File, j.Error.Text)
		return
	}
	c.printf("%s\n", paint.bold(j.File))
	if m := j.Message; m != nil {
		c.printf("  message %s, %s, from %s to %s: %s\n", m.MessageID, m.Direction, m.From, m.To, m.State)
	}
	for _, s := range j.Steps {
		mark := paint.ok("✓")
		switch s.Result {
		case audit.Failed:
			mark = paint.bad("✗")
		case audit.Unsettled:
			mark = paint.warn("·")
		}
		c.printf("  %s %-28s %s", mark, s.Name, s.Text)
		if s.Where != "" {
			c.printf("  %s", paint.dim("("+s.Where+")"))
		}
		c.printf("\n")
	}
	switch {
	case j.Trusted:
		c.printf("  %s, and every certificate leads to one that you trust\n", paint.ok("proven"))
	case j.Valid:
		c.printf("  %s, as far as it was asked: some things are open\n", paint.ok("proven"))
	default:
		c.printf("  %s\n", paint.bad("not proven"))
	}
}

func prepareStampedHead(c *call) func() error {
	c.jsonFlag()
	open := c.apiFlags()
	out := c.String("out", "", "write the head to this `file`")
	record := c.String("record", "", "write the evidence record to this `file`")
	size := c.Int64("size", 0, "the first that covers so `many` entries; default: the newest")
	return func() error {
		a, err := open()
		if err != nil {
			return err
		}
		q := url.Values{}
		if *size != 0 {
			q.Set("size", strconv.FormatInt(*size, 10))
		}
		var j node.LogStampJSON
		if err := a.get("/log/timestamp", q, &j); err != nil {
			return err
		}
		octets, err := base64.StdEncoding.DecodeString(j.Record)
		if err != nil {
			return err
		}
		for file, b := range map[string][]byte{*out: []byte(j.Head.Octets), *record: octets} {
			if file == "" {
				continue
			}
			if err := os.WriteFile(file, b, 0o644); err != nil {
				return err
			}
		}
		if c.json {
			return c.print(j)
		}
		c.printf("%d entries, time-stamped at %s by %s; to be renewed at %s\n", j.Head.Size, j.Time.Format("2006-01-02 15:04:05Z"), j.Authority, j.Due.Format(time.DateOnly))
		if j.Failing != nil {
			c.printf("no authority answers since %s\n", j.Failing.Format("2006-01-02 15:04:05Z07:00"))
		}
		return nil
	}
}

func prepareHead(c *call) func() error {
	c.jsonFlag()
	open := c.apiFlags()
	out := c.String("out", "", "write the signed head to this `file`")
	since := c.String("since", "", "earlier head, a `file` that --out wrote: prove that the log continues it")
	return func() error {
		var earlier *audit.Head
		if *since != "" {
			b, err := os.ReadFile(*since)
			if err == nil {
				earlier, err = audit.ParseHead(b)
			}
			if err != nil {
				return usage("--since: %v", err)
			}
		}
		a, err := open()
		if err != nil {
			return err
		}
		var j node.HeadJSON
		if err := a.get("/log/head", url.Values{"fresh": {""}}, &j); err != nil {
			return err
		}
		h, err := audit.ParseHead([]byte(j.Octets))
		if err != nil {
			return err
		}
		if earlier != nil {
			if err := continues(a, earlier, h); err != nil {
				return &exit{status: statusInvalid, Code: "LOG_CHANGED", Text: err.Error(),
					Remedy: "the log of evidence was rewritten, or the node was restored from a back-up that is older than the head: keep both heads"}
			}
		}
		if *out != "" {
			if err := os.WriteFile(*out, h.Octets, 0o644); err != nil {
				return err
			}
		}
		if c.json {
			return c.print(j)
		}
		c.printf("%s", h.Octets)
		if earlier != nil {
			c.printf("\nIt continues the head of %d entries: nothing before was changed.\n", earlier.Size)
		}
		return nil
	}
}

// continues proves that nothing before the earlier head was changed.
func continues(a *api, earlier, h *audit.Head) error {
	switch {
	case earlier.Log != h.Log:
		return errors.New("the node has another log than the earlier head")
	case earlier.Size > h.Size:
		return fmt.Errorf("the log has %d entries, the earlier head has %d", h.Size, earlier.Size)
	}
	var p node.ConsistencyJSON
	err := a.get("/log/consistency", url.Values{"from": {strconv.FormatInt(earlier.Size, 10)}, "to": {strconv.FormatInt(h.Size, 10)}}, &p)
	if err != nil {
		return err
	}
	path, err := audit.ParseHashes(p.Path)
	if err != nil {
		return err
	}
	return merkle.VerifyConsistency(earlier.Size, h.Size, path, earlier.Root, h.Root)
}
