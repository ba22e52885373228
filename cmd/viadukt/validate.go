package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/espd"
	"github.com/viadukt-eu/viadukt/edocument/facturx"
	"github.com/viadukt-eu/viadukt/edocument/report"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/edocument/rules"
	"github.com/viadukt-eu/viadukt/edocument/vcd"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/validation"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var validateCommand = &command{
	name: "validate", summary: "says whether business documents obey their rules, and how to mend what does not.", args: "FILE...",
	help: `Knows invoices and credit notes in UBL 2.1 and CII D16B by the rules of EN 16931, and by the billing rules of the Peppol network where the document names them (BT-24), what follows an order, and documents before award. Of a container of Virtual Company Dossiers it says whether it is whole.
Of a PDF the invoice that is attached to it is judged (Factur-X, ZUGFeRD), and how it is attached.
Where the official rules of a publisher have been added (viadukt pack add) and are meant for a document, they are used instead. --pack names packs, --rules sets of the program.
A folder stands for the XML files in it, a ZIP archive for those inside of it, "-" for standard input. Documents are judged side by side and told in their order. The exit status is 0 when every document is valid; warnings do not count.
Without --json, one of the forms of other validators may be asked for: they go to standard output, or to the file or folder that --out names.
With --daemon nothing is read: documents are judged that others post, with paths, codes and reports of the KoSIT validator, and below /gitb as a validation service of the Interoperability Test Bed.`,
	example: "viadukt validate invoice.xml\nviadukt validate archive.zip --html --out report.html\nviadukt validate invoice.xml --pack eu.peppol.bis3:invoice\nviadukt validate --daemon 127.0.0.1:8080",
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

	document *report.Document
}

// form is a way to write verdicts.
type form struct {
	name, help, extension string
	one                   func(*report.Document) []byte            // a file for each document
	all                   func([]*report.Document) ([]byte, error) // one for all of them
}

var forms = []form{
	{name: "svrl", help: "write SVRL, as Schematron engines do", extension: ".svrl.xml", one: report.SVRL},
	{name: "phive", help: "write JSON as the validator phive does", extension: ".phive.json", one: report.Phive},
	{name: "kosit", help: "write the report of the KoSIT validator", extension: ".report.xml", one: report.KoSIT},
	{name: "gitb", help: "write a report of the Interoperability Test Bed", extension: ".tar.xml", one: report.GITB},
	{name: "junit", help: "write JUnit, for build servers", extension: ".xml", all: func(docs []*report.Document) ([]byte, error) { return report.JUnit(docs), nil }},
	{name: "html", help: "write a page for people", extension: ".html", all: report.HTML},
}

// validating is one use of the command.
type validating struct {
	*call
	judge   func(doc *dom.Document) (*edocument.Report, error)
	unknown string // remedy where no rules are about a document
	form    *form  // nil: text or JSON lines
	out     string
	workers int
	written map[string]bool // files in out
}

func prepareValidate(c *call) func() error {
	c.most = -1
	c.jsonFlag()
	only := c.String("rules", "", "judge by these built-in `sets` only, with commas between: "+strings.Join(rules.Names(), ", "))
	pack := c.String("pack", "", "judge by these `rule packs` alone, with commas between: group:artifact:version, or group:artifact for the newest")
	packs := c.packsFlag()
	most := c.Int("most", 1000, "describe at most so many `findings` of a set in one document")
	workers := c.Int("workers", runtime.GOMAXPROCS(0), "judge so many `documents` at a time")
	out := c.String("out", "", "`file`, or folder for a file of each document, for the form that is asked for")
	daemon := c.String("daemon", "", "judge what is posted to this `address`, such as 127.0.0.1:8080")
	chosen := make([]*bool, len(forms))
	for i, f := range forms {
		chosen[i] = c.Bool(f.name, false, f.help)
	}
	return func() error {
		v := &validating{call: c, out: *out, workers: max(1, *workers), written: map[string]bool{}}
		for i := range forms {
			if !*chosen[i] {
				continue
			}
			if v.form != nil || c.json {
				return usage("one form at a time: --json, --svrl, --phive, --kosit, --gitb, --junit or --html")
			}
			v.form = &forms[i]
		}
		switch {
		case *pack != "" && *only != "":
			return usage("--rules and --pack exclude each other")
		case v.out != "" && v.form == nil:
			return usage("--out: say in which form, such as --html")
		case *daemon != "":
			return v.serve(*daemon, *packs, *pack, *most)
		case len(c.values) == 0:
			return usage("FILE is missing\nusage: %s %s", title(c.path), c.c.args)
		}
		if err := v.choose(*packs, *pack, *only, *most); err != nil {
			return err
		}
		docs, closing, err := documents(c.p.in, c.values)
		if err != nil {
			return err
		}
		defer closing()
		return v.run(docs)
	}
}

// choose finds who judges.
func (v *validating) choose(folder, pack, only string, most int) error {
	v.unknown = "invoices, credit notes and what follows an order are known, and calls for tenders, tenders, receipts and answers before award of edition 1.1, and procurement documents (ESPD); for others add their rules by viadukt pack add"
	builtin := rules.Judge{Options: rules.Options{MaxFindings: most}}
	switch {
	case pack != "":
		j, err := openPacks(folder, pack, most)
		if err != nil {
			return err
		}
		v.judge, v.unknown = j.Validate, "the rules of these packs are about other documents"
		return nil
	case only != "":
		sets, err := namedSets(only)
		if err != nil {
			return err
		}
		builtin.Options.Sets = sets
		v.judge = builtin.Validate
		return nil
	}
	lib, err := rulepack.NewLibrary(rulepack.Folder(folder), rulepack.Options{MaxFindings: most})
	if err != nil {
		return err
	}
	lib.Fallback = edocument.Judges{builtin, espd.Judge{}}
	now := time.Now()
	v.judge = func(doc *dom.Document) (*edocument.Report, error) { return lib.Validate(v.p.ctx, doc, now) }
	return nil
}

// run judges documents side by side and tells each in its turn.
func (v *validating) run(docs []source) error {
	type answer chan *validateJSON
	turn := make(chan answer, 4*v.workers) // bounds what waits to be told
	work := make(chan func())
	for range v.workers {
		go func() {
			for do := range work {
				do()
			}
		}()
	}
	ctx, cancel := context.WithCancel(v.p.ctx)
	defer cancel()
	go func() {
		defer close(turn)
		defer close(work)
		for _, d := range docs {
			a := make(answer, 1)
			select {
			case turn <- a:
			case <-ctx.Done():
				return
			}
			work <- func() { a <- v.one(d) }
		}
	}()
	bar := v.p.tally(len(docs))
	defer bar.end()
	worst, valid, told := statusDone, 0, 0
	var all []*report.Document
	for a := range turn {
		j := <-a
		told++
		switch {
		case j.Error != nil:
			worst = max(worst, j.Error.status)
		case !j.Valid:
			worst = max(worst, statusInvalid)
		default:
			valid++
		}
		bar.clear()
		var err error
		switch {
		case v.json:
			err = v.print(j)
		case v.form == nil:
			v.describeFindings(j)
		case v.form.all != nil:
			if j.document.Report != nil {
				j.document.Report.Layers = withoutSVRL(j.document.Report.Layers) // which holds the whole document
			}
			all = append(all, j.document)
		default:
			err = v.writeForm(j.document, len(docs))
		}
		if err != nil {
			return err
		}
		bar.step(told, told-valid)
	}
	bar.end()
	if err := v.p.ctx.Err(); err != nil {
		return err
	}
	if v.form != nil && v.form.all != nil {
		b, err := v.form.all(all)
		if err == nil {
			err = v.write(v.out, b)
		}
		if err != nil {
			return err
		}
	}
	if v.form == nil && !v.json && told > 1 {
		v.printf("\n%d of %d documents valid\n", valid, told)
	}
	if worst != statusDone {
		return &exit{status: worst, silent: true}
	}
	return nil
}

func withoutSVRL(layers []edocument.Layer) []edocument.Layer {
	for i := range layers {
		layers[i].SVRL = nil
	}
	return layers
}

// writeForm writes the file of one document.
func (v *validating) writeForm(d *report.Document, of int) error {
	if v.out == "" {
		if of > 1 {
			return usage("--%s: %d documents need --out FOLDER", v.form.name, of)
		}
		return v.write("", v.form.one(d))
	}
	file := v.out
	if info, err := os.Stat(v.out); of > 1 || err == nil && info.IsDir() {
		if err := os.MkdirAll(v.out, 0o755); err != nil {
			return err
		}
		name := strings.Trim(strings.NewReplacer("/", "_", `\`, "_", ":", "_").Replace(filepath.ToSlash(filepath.Clean(d.Name))), "._")
		unique := name
		for i := 2; v.written[unique]; i++ {
			unique = fmt.Sprintf("%s-%d", name, i)
		}
		v.written[unique] = true
		file = filepath.Join(v.out, unique+v.form.extension)
	}
	return v.write(file, v.form.one(d))
}

// leanFrom is the size from which on attachments are left out while a document is read.
const leanFrom = 8 << 20

// one reads and judges a document.
func (v *validating) one(src source) *validateJSON {
	j := &validateJSON{File: src.name, Pack: []string{}, Findings: []edocument.Finding{}}
	start := time.Now()
	j.document = &report.Document{Name: src.name, Started: start, Engine: node.Version}
	defer func() {
		j.document.Took = time.Since(start)
		j.Millis = float64(j.document.Took.Microseconds()) / 1000
		if j.Error != nil {
			j.document.Err = j.Error
		}
	}()
	if src.container {
		v.container(src, j)
		return j
	}
	octets, err := v.read(src, j.document)
	if err != nil {
		j.Error = &exit{status: statusUsage, Code: "NO_FILE", Text: err.Error()}
		if errors.Is(err, edocument.ErrSize) {
			j.Error = &exit{status: statusFailed, Code: "LIMIT", Text: err.Error()}
		}
		return j
	}
	f := &xmlFile{}
	doc, envelope := openOctets(f, octets)
	if doc == nil {
		j.Error, j.document.NotXML = f.Error, f.Error.status == statusInvalid
		return j
	}
	r, err := v.judge(doc)
	switch {
	case errors.Is(err, edocument.ErrUnknownType):
		j.Error = &exit{status: statusFailed, Code: "UNKNOWN_TYPE", Text: fmt.Sprintf("%v: %s", err, kindOf(doc)), Remedy: v.unknown}
	case err != nil:
		j.Error = &exit{status: statusFailed, Code: "FAILED", Text: err.Error()}
	default:
		r.Append(facturx.Pack, "PDF", envelope)
		j.take(r)
	}
	return j
}

func (j *validateJSON) take(r *edocument.Report) {
	j.Valid, j.Type, j.Pack, j.Findings, j.Suppressed = r.Valid, r.Type, r.Pack, r.Findings, r.Suppressed
	j.document.Report = r
}

// container says whether a container of dossiers is whole.
func (v *validating) container(src source, j *validateJSON) {
	r, size, err := src.open()
	if err != nil {
		j.Error = &exit{status: statusUsage, Code: "NO_FILE", Text: err.Error()}
		return
	}
	defer r.Close()
	p, err := vcd.Open(r.(io.ReaderAt), size)
	switch {
	case errors.Is(err, edocument.ErrUnknownType):
		j.Error = &exit{status: statusFailed, Code: "UNKNOWN_TYPE", Text: "its files are named as those of dossiers, and hold none", Remedy: "unpack it"}
	case err != nil:
		j.Error = &exit{status: statusInvalid, Code: "NOT_READABLE", Text: err.Error()}
	default:
		j.take(p.Check())
	}
}

// read reads a document; of a large one without its attachments.
func (v *validating) read(src source, d *report.Document) ([]byte, error) {
	r, size, err := src.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if v.form != nil && v.form.name == "kosit" {
		hash := sha256.New()
		defer func() { hash.Sum(d.SHA256[:0]) }()
		return edocument.ReadLean(io.TeeReader(r, hash), sourceMost, maxDocument)
	}
	if size >= 0 && size < leanFrom {
		return readSized(r, size)
	}
	return edocument.ReadLean(r, sourceMost, maxDocument)
}

// kindOf names a document that no rules are known for: its element, and the specification that it says it obeys.
func kindOf(doc *dom.Document) string {
	kind := fmt.Sprintf("{%s}%s", doc.Root().Space(), doc.Root().Local())
	if s := rulepack.Specification(doc); s != "" {
		kind += " by " + edocument.Clip(s)
	}
	return kind
}

// serve judges what others post, until it is told to stop.
func (v *validating) serve(address, folder, pack string, most int) error {
	if len(v.values) > 0 {
		return usage("--daemon reads no files")
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return usage("--daemon: %q is no address such as 127.0.0.1:8080", address)
	}
	lib, err := rulepack.NewLibrary(rulepack.Folder(folder), rulepack.Options{MaxFindings: most})
	if err != nil {
		return err
	}
	lib.Fallback = edocument.Judges{rules.Judge{Options: rules.Options{MaxFindings: most}}, espd.Judge{}}
	var always []string
	if pack != "" {
		always = splitNames(pack)
		if _, err := lib.Open(time.Now(), always...); err != nil {
			return packError(folder, err)
		}
	}
	s := validation.New(validation.Options{Version: node.Version, MaxDocument: maxDocument, Judge: func(ctx context.Context, doc *dom.Document, packs ...string) (*edocument.Report, error) {
		if _, err := lib.Refresh(); err != nil {
			fmt.Fprintln(v.p.err, "rule packs not read:", err)
		}
		if packs == nil {
			packs = always
		}
		return lib.Validate(ctx, doc, time.Now(), packs...)
	}, Packs: func() (names []string) {
		for _, p := range lib.Packs() {
			names = append(names, p.ID.String())
		}
		return names
	}})
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	fmt.Fprintf(v.p.err, "documents are judged at http://%s/, and for test beds at http://%[1]s/gitb?wsdl\n", l.Addr())
	context.AfterFunc(v.p.ctx, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		server.Shutdown(ctx)
	})
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// describeFindings writes a report for people, in one piece: rule by rule, each with its places.
func (c *call) describeFindings(j *validateJSON) {
	var text strings.Builder
	defer func() { io.WriteString(c.p.out, text.String()) }()
	paint := c.p.paint(c.p.out)
	if j.Error != nil {
		fmt.Fprintf(&text, "%s %s: %s\n", paint.bad("✗"), j.File, j.Error.Error())
		if j.Error.Remedy != "" {
			fmt.Fprintf(&text, "    %s\n", j.Error.Remedy)
		}
		return
	}
	mark, verdict := paint.ok("✓"), "valid"
	if !j.Valid {
		mark, verdict = paint.bad("✗"), "not valid"
	}
	fmt.Fprintf(&text, "%s %s: %s, %s%s\n", mark, j.File, j.Type, verdict, counts(j.Findings, j.Suppressed))
	fmt.Fprintf(&text, "    %s\n", paint.dim(fmt.Sprintf("by %s, in %.1f ms", strings.Join(j.Pack, ", "), j.Millis)))
	for _, g := range report.Grouped(j.Findings) {
		name := paint.bad(g.ID)
		if !g.Severity.Refuses() {
			name = paint.warn(g.ID)
		}
		fmt.Fprintf(&text, "  %s %s  %s\n", string(g.Severity), name, g.Text)
		remedy := ""
		for i, f := range g.Findings {
			if i == placesShown {
				fmt.Fprintf(&text, "      and in %d more places\n", len(g.Findings)-i)
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
			fmt.Fprintf(&text, "      %s%s\n", where, value)
			if f.Remedy != "" && f.Remedy != remedy {
				fmt.Fprintf(&text, "      %s %s\n", paint.ok("→"), f.Remedy)
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

func namedSets(list string) (out []*rules.Set, err error) {
	for name := range strings.SplitSeq(list, ",") {
		found := false
		for _, s := range rules.Sets() {
			if id, _, _ := strings.Cut(s.ID(), "@"); id == strings.TrimSpace(name) {
				out, found = append(out, s), true
			}
		}
		if !found {
			return nil, usage("--rules: there is no set %q; there are %s", name, strings.Join(rules.Names(), ", "))
		}
	}
	return out, nil
}
