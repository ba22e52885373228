package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/rules"
)

var validateCommand = &command{
	name: "validate", summary: "says whether business documents obey their rules, and how to mend what does not.", args: "FILE...",
	help: `Knows invoices and credit notes in UBL 2.1 and CII D16B by the rules of EN 16931, and by the billing rules of the Peppol network where the document names them (BT-24).
With --pack it judges by the official rules of publishers; viadukt pack add keeps them.
Of a PDF the invoice that is attached to it is judged (Factur-X, ZUGFeRD), and how it is attached.
A folder stands for the XML files in it, "-" for standard input. The exit status is 0 when every document is valid; warnings do not count.`,
	example: "viadukt validate invoice.xml\nviadukt validate outbox --json\nviadukt validate invoice.xml --pack eu.peppol.bis3:invoice",
	prepare: prepareValidate,
}

// validateJSON is what the command says about one document.
type validateJSON struct {
	File       string              `json:"file"`
	Valid      bool                `json:"valid"`
	Type       string              `json:"type,omitempty"`
	Pack       []string            `json:"pack"`
	Millis     float64             `json:"ms"`
	Findings   []edocument.Finding `json:"findings"`
	Suppressed int                 `json:"suppressed,omitempty"`
	Error      *exit               `json:"error"`
}

func prepareValidate(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	only := c.String("rules", "", "judge by these built-in `sets` only, with commas between: "+strings.Join(setNames, ", "))
	pack := c.String("pack", "", "judge by these `rule packs` instead of the built-in rules, with commas between: group:artifact:version, or group:artifact for the newest")
	packs := c.packsFlag()
	most := c.Int("most", 1000, "describe at most so many `findings` of a set in one document")
	return func() error {
		if *pack != "" {
			if *only != "" {
				return usage("--rules and --pack exclude each other")
			}
			judge, err := openPacks(*packs, *pack, *most)
			if err != nil {
				return err
			}
			files, err := documents(c.values)
			if err != nil {
				return err
			}
			return c.validate(files, judge)
		}
		opt := rules.Options{MaxFindings: *most}
		if *only != "" {
			var err error
			if opt.Sets, err = namedSets(*only); err != nil {
				return err
			}
		}
		files, err := documents(c.values)
		if err != nil {
			return err
		}
		return c.validate(files, rules.Judge{Options: opt})
	}
}

func (j *validateJSON) verdict() (bool, *exit) { return j.Valid, j.Error }

// validate judges file by file.
func (c *call) validate(files []string, judge edocument.Validator) error {
	return judgeEach(c, files, func(file string) *validateJSON { return c.judge(file, judge) }, c.describeFindings)
}

// verdict is what is said of one file: whether it is good, or why that cannot be told.
type verdict interface {
	verdict() (valid bool, failed *exit)
}

// judgeEach judges file by file and tells each verdict; the worst status counts.
func judgeEach[J verdict](c *call, files []string, judge func(file string) J, describe func(J)) error {
	worst := statusDone
	for _, file := range files {
		j := judge(file)
		switch valid, failed := j.verdict(); {
		case failed != nil:
			worst = max(worst, failed.status)
		case !valid:
			worst = max(worst, statusInvalid)
		}
		if c.json {
			if err := c.print(j); err != nil {
				return err
			}
			continue
		}
		describe(j)
	}
	if worst != statusDone {
		return &exit{status: worst, silent: true}
	}
	return nil
}

func (c *call) judge(file string, judge edocument.Validator) *validateJSON {
	j := &validateJSON{File: file, Pack: []string{}, Findings: []edocument.Finding{}}
	start := time.Now()
	defer func() { j.Millis = millis(start) }()
	doc, envelope, f := c.openDocument(file)
	if doc == nil {
		j.Error = f.Error
		return j
	}
	r, err := judge.Validate(doc)
	switch {
	case errors.Is(err, edocument.ErrUnknownType):
		j.Error = &exit{status: statusFailed, Code: "UNKNOWN_TYPE", Text: fmt.Sprintf("%v: {%s}%s", err, doc.Root().Space(), doc.Root().Local()),
			Remedy: unknownRemedy(judge)}
	case err != nil:
		j.Error = &exit{status: statusFailed, Code: "FAILED", Text: err.Error()}
	default:
		j.Valid, j.Type, j.Pack, j.Findings, j.Suppressed = r.Valid, r.Type, r.Pack, r.Findings, r.Suppressed
		for _, x := range envelope { // of a PDF that the invoice is attached to
			j.Valid = j.Valid && !x.Severity.Refuses()
			j.Findings = append(j.Findings, x)
		}
	}
	return j
}

func unknownRemedy(judge edocument.Validator) string {
	if _, ok := judge.(rules.Judge); ok {
		return "invoices and credit notes in UBL 2.1 and CII D16B are known; for others add their rules by viadukt pack add, and name them by --pack"
	}
	return "the rules of these packs are about other documents"
}

// describeFindings writes a report for people: rule by rule, each with its places.
func (c *call) describeFindings(j *validateJSON) {
	paint := c.p.paint(c.p.out)
	if j.Error != nil {
		c.printf("%s %s: %s\n", paint.bad("✗"), j.File, j.Error.Error())
		if j.Error.Remedy != "" {
			c.printf("    %s\n", j.Error.Remedy)
		}
		return
	}
	mark, verdict := paint.ok("✓"), "valid"
	if !j.Valid {
		mark, verdict = paint.bad("✗"), "not valid"
	}
	c.printf("%s %s: %s, %s%s\n", mark, j.File, j.Type, verdict, counts(j.Findings, j.Suppressed))
	c.printf("    %s\n", paint.dim(fmt.Sprintf("by %s, in %.1f ms", strings.Join(j.Pack, ", "), j.Millis)))
	byRule := map[string][]edocument.Finding{}
	var order []string
	for _, severity := range []edocument.Severity{edocument.Fatal, edocument.Error, edocument.Warning, edocument.Info} {
		for _, f := range j.Findings {
			if f.Severity != severity {
				continue
			}
			if byRule[f.ID] == nil {
				order = append(order, f.ID)
			}
			byRule[f.ID] = append(byRule[f.ID], f)
		}
	}
	for _, id := range order {
		list := byRule[id]
		name := paint.bad(id)
		if !list[0].Severity.Refuses() {
			name = paint.warn(id)
		}
		c.printf("  %s %s  %s\n", string(list[0].Severity), name, list[0].Text)
		remedy := ""
		for i, f := range list {
			if i == placesShown {
				c.printf("      and in %d more places\n", len(list)-i)
				break
			}
			value := ""
			if f.Value != "" {
				value = ": " + f.Value
			}
			where := f.Location
			if f.Line > 0 {
				where = fmt.Sprintf("line %d, %s", f.Line, where)
			}
			c.printf("      %s%s\n", where, value)
			if f.Remedy != "" && f.Remedy != remedy {
				c.printf("      %s %s\n", paint.ok("→"), f.Remedy)
				remedy = f.Remedy
			}
		}
	}
}

// placesShown bounds the places of one rule in a report for people.
const placesShown = 10

func counts(findings []edocument.Finding, suppressed int) string {
	n := map[edocument.Severity]int{}
	for _, f := range findings {
		n[f.Severity]++
	}
	s := ""
	for _, k := range []edocument.Severity{edocument.Fatal, edocument.Error, edocument.Warning, edocument.Info} {
		if n[k] > 0 {
			s += fmt.Sprintf(", %d %s", n[k], k)
		}
	}
	if suppressed > 0 {
		s += fmt.Sprintf(", %d more", suppressed)
	}
	return s
}

// setNames are the built-in sets by name, in the order of rules.Sets.
var setNames = []string{"en16931-ubl", "en16931-cii", "peppol-billing-ubl", "peppol-selfbilling-ubl", "peppol-billing-cii"}

func namedSets(list string) (out []*rules.Set, err error) {
	for name := range strings.SplitSeq(list, ",") {
		found := false
		for _, s := range rules.Sets() {
			if id, _, _ := strings.Cut(s.ID(), "@"); id == strings.TrimSpace(name) {
				out, found = append(out, s), true
			}
		}
		if !found {
			return nil, usage("--rules: there is no set %q; there are %s", name, strings.Join(setNames, ", "))
		}
	}
	return out, nil
}

// documents replaces folders by the XML files in them.
func documents(args []string) (files []string, err error) {
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil || !info.IsDir() {
			files = append(files, arg)
			continue
		}
		before := len(files)
		err = filepath.WalkDir(arg, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && strings.EqualFold(filepath.Ext(path), ".xml") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(files) == before {
			return nil, usage("%s holds no XML file", arg)
		}
	}
	return files, nil
}
