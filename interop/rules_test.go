package interop

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

// ruleSet is one set of rules, here and at the peer, and the documents that both judge by it.
type ruleSet struct {
	name  string // as known differences name it
	peer  string // as the peer names it: vesid:ID, sch:FILE or xsd:FILE
	judge func(d *dom.Document) (told, error)
	files map[string]string // by file: how it is named
}

// told is what was said of a document: by schemas alone valid, or not, how often, and why first; by rules also all that fired.
type told struct {
	valid   bool
	fired   string // as golden.tsv has it
	further bool   // fired is not to be compared: the document breaks its schema, which Xerces names and counts in its own way
}

func (o told) String() string { return fmt.Sprintf("valid %v, %s", o.valid, o.fired) }

func (o told) same(p told) bool { return o.valid == p.valid && (o.further || o.fired == p.fired) }

// TestRulesSideBySide judges every document and every unit test of the corpus here and in one JVM, with what the publishers
// released: whole documents by phive's rule sets (XML Schema, then the rules), whichever they were written for, and each row
// of golden.tsv by Saxon and Xerces with the very files. It measures the processor time of both, everything being warm.
func TestRulesSideBySide(t *testing.T) {
	needPeers(t, "peers/rules/.build/stamp")
	known := corpus.Known(t, "testdata/rules-known.tsv")
	s := &sideBySide{tb: t, scratch: t.TempDir(), sets: map[string]*ruleSet{}, tests: map[string]string{}}
	s.wholeDocuments()
	s.goldenRows(filepath.Join(corpus.Dir(t, "edocuments")), "golden.tsv", publishedFile)
	s.goldenRows(filepath.Join(corpus.Dir(t, "xml-engines"), "schematron"), "golden.tsv", func(_ *testing.T, _ string, row corpus.Row, _ string) string {
		return "sch:" + filepath.Join(row["pack"], nationalSchema[row["pack"]])
	})
	peer, theirTime := s.ask()

	judged, differ, named := 0, 0, 0
	times := map[string]*[2]time.Duration{"vesid": {}, "sch": {}, "xsd": {}} // by the peer's engine: here, there
	for _, name := range slices.Sorted(maps.Keys(s.sets)) {
		set := s.sets[name]
		same := 0
		for _, file := range slices.Sorted(maps.Keys(set.files)) {
			theirs, ok := peer[set.peer+"\t"+file]
			mine := set.here(t, file)
			agree := ok && mine.same(theirs)
			key := name + " " + set.files[file]
			reason := cmp.Or(known[key], known[name])
			switch judged++; {
			case agree && known[key] != "":
				t.Errorf("%s agrees now: take it from the known ones", key)
			case agree:
				same++
			case reason != "":
				named++
			default:
				differ++
				t.Errorf("%s: %v here, %v there", key, mine, theirs)
			}
			delete(known, key)
		}
		if same > 0 {
			delete(known, name)
		}
		t.Logf("%s: %d of %d", name, same, len(set.files))
		if spent, ok := theirTime[set.peer]; ok {
			gc := debug.SetGCPercent(400) // as the program does
			start := processorTime(t)
			for file := range set.files {
				set.here(t, file)
			}
			kind, _, _ := strings.Cut(set.peer, ":")
			times[kind][0], times[kind][1] = times[kind][0]+processorTime(t)-start, times[kind][1]+spent
			debug.SetGCPercent(gc)
		}
	}
	t.Logf("%d documents by %d sets of rules: %d differ, %d differ as named", judged, len(s.sets), differ, named)
	if judged < 3000 {
		t.Errorf("only %d documents", judged)
	}
	for key := range known {
		if s.sets[key] == nil {
			t.Errorf("%s is known, and was not judged", key)
		}
	}
	for kind, engine := range map[string]string{"vesid": "phive", "sch": "Saxon", "xsd": "Xerces"} {
		ours, theirs := times[kind][0], times[kind][1]
		measured("whole corpus: processor time less than "+engine, float64(theirs)/float64(ours), "times")
		t.Logf("processor time, warm: %v here, %v in %s, %.1f times", ours, theirs, engine, float64(theirs)/float64(ours))
	}
}

// processorTime is what this process has used. The peer is another one.
func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// here reads a document and judges it. One that cannot be judged has fired ERROR.
func (s *ruleSet) here(tb testing.TB, file string) told {
	b, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	d, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		return told{fired: "ERROR"}
	}
	o, err := s.judge(d)
	if err != nil {
		return told{fired: "ERROR"}
	}
	return o
}

type sideBySide struct {
	tb      *testing.T
	scratch string
	sets    map[string]*ruleSet // by name
	tests   map[string]string   // files of unit tests, by set and number
}

// add adds a document to a set, which make makes when it is not there.
func (s *sideBySide) add(name, peer, file, shown string, make func() func(*dom.Document) (told, error)) {
	set := s.sets[name]
	if set == nil {
		set = &ruleSet{name: name, peer: peer, judge: make(), files: map[string]string{}}
		s.sets[name] = set
	}
	set.files[file] = shown
}

// phiveSets are the rule sets of phive that judge documents with an element, and the packs here that are the same.
var phiveSets = map[string][]struct{ vesid, pack string }{
	"Invoice": {{"eu.peppol.bis3:invoice:2026.5", "eu.peppol.bis3:invoice"}, {"eu.peppol.bis3:invoice-self-billing:2026.5", "eu.peppol.bis3:invoice-self-billing"},
		{"eu.cen.en16931:ubl:1.3.16", "eu.cen.en16931:ubl"}, {"de.xrechnung:ubl-invoice:3.0.2", "de.xrechnung:ubl"}},
	"CreditNote": {{"eu.peppol.bis3:creditnote:2026.5", "eu.peppol.bis3:invoice"}, {"eu.peppol.bis3:creditnote-self-billing:2026.5", "eu.peppol.bis3:invoice-self-billing"},
		{"eu.cen.en16931:ubl-creditnote:1.3.16", "eu.cen.en16931:ubl"}, {"de.xrechnung:ubl-creditnote:3.0.2", "de.xrechnung:ubl"}},
	"CrossIndustryInvoice": {{"eu.cen.en16931:cii:1.3.16", "eu.cen.en16931:cii"}, {"de.xrechnung:cii:3.0.2", "de.xrechnung:cii"}},
	"Order":                {{"eu.peppol.bis3:order:2026.5", "eu.peppol.bis3:t01"}},
	"OrderChange":          {{"eu.peppol.bis3:order-change:2026.5", "eu.peppol.bis3:t114"}},
	"OrderCancellation":    {{"eu.peppol.bis3:order-cancellation:2026.5", "eu.peppol.bis3:t115"}},
	"OrderResponse": {{"eu.peppol.bis3:order-response:2026.5", "eu.peppol.bis3:t76"}, {"eu.peppol.bis3:order-agreement:2026.5", "eu.peppol.bis3:t110"},
		{"eu.peppol.bis3:order-response-advanced:2026.5", "eu.peppol.bis3:t116"}},
	"DespatchAdvice": {{"eu.peppol.bis3:despatch-advice:2026.5", "eu.peppol.bis3:t16"}},
	"Catalogue":      {{"eu.peppol.bis3:catalogue:2026.5", "eu.peppol.bis3:t19"}, {"eu.peppol.bis3:punch-out:2026.5", "eu.peppol.bis3:t77"}},
	"ApplicationResponse": {{"eu.peppol.bis3:catalogue-response:2026.5", "eu.peppol.bis3:t58"}, {"eu.peppol.bis3:mlr:2026.5", "eu.peppol.bis3:t71"},
		{"eu.peppol.bis3:invoice-message-response:2026.5", "eu.peppol.bis3:t111"}},
}

// wholeDocuments adds every document of the corpus with every rule set of phive that is about such documents.
func (s *sideBySide) wholeDocuments() {
	t, dir, folder := s.tb, corpus.Dir(s.tb, "edocuments"), publishedPacks(s.tb)
	judge := func(pack, schemas string) func() func(*dom.Document) (told, error) {
		return func() func(*dom.Document) (told, error) {
			j, err := folder.Open(time.Now(), schemas, pack)
			if err != nil {
				t.Fatal(err)
			}
			return func(d *dom.Document) (told, error) {
				r, err := j.Validate(d)
				if err != nil {
					return told{}, err
				}
				broken := slices.ContainsFunc(r.Layers, func(l edocument.Layer) bool { return l.Kind == edocument.LayerSchema && l.To > l.From })
				return told{r.Valid, cmp.Or(strings.Join(r.Fired(), " "), "none"), broken}, nil
			}
		}
	}
	err := filepath.WalkDir(filepath.Join(dir, "examples"), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".xml" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		d, err := dom.Parse(b, dom.Limits{})
		if err != nil {
			return nil // one is cut off on purpose: golden.tsv says so
		}
		schemas := "org.oasis:ubl"
		if d.Root().Local() == "CrossIndustryInvoice" {
			schemas = "un.unece.uncefact:cii"
		} else if !strings.HasPrefix(d.Root().Space(), "urn:oasis:names:specification:ubl:schema:xsd:") {
			return nil
		}
		rel, _ := filepath.Rel(dir, path)
		for _, v := range phiveSets[d.Root().Local()] {
			s.add(v.vesid, "vesid:"+v.vesid, path, filepath.ToSlash(rel), judge(v.pack, schemas))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// publishedPacks are the releases of the corpus and the schemas that phive takes for them, as packs.
func publishedPacks(t *testing.T) rulepack.Folder {
	dir := corpus.Dir(t, "edocuments")
	folder := rulepack.Folder(t.TempDir())
	for _, r := range []struct{ path, id, version string }{{"xsd/ubl21", "org.oasis:ubl", "2.1"}, {"xsd/cii-d16b-uncoupled", "un.unece.uncefact:cii", "D16B"},
		{"rules/en16931-1.3.16", "", ""}, {"rules/peppol-2026.5", "", ""}, {"rules/xrechnung-3.0.2", "", ""}} {
		packs, err := rulepack.Import(os.DirFS(filepath.Join(dir, r.path)), rulepack.ImportOptions{Name: r.path, ID: r.id, Version: r.version, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range packs {
			if err := folder.Add(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	return folder
}

// goldenRows adds what a file of expectations judges, each by the files of its publisher; which names them.
func (s *sideBySide) goldenRows(dir, table string, which func(t *testing.T, dir string, row corpus.Row, unit string) string) {
	t := s.tb
	sets := map[string]*dom.Document{}
	for _, row := range corpus.Table(t, filepath.Join(dir, table)) {
		file, shown, unit := filepath.Join(dir, filepath.FromSlash(row["file"])), row["file"], ""
		if _, err := os.Stat(file); err != nil { // a file of the whole area
			file = filepath.Join(filepath.Dir(dir), filepath.FromSlash(row["file"]))
		}
		if n := row["test number in testSet (1-based, empty for plain documents)"]; n != "" {
			if sets[file] == nil {
				sets[file] = readDocument(t, file)
			}
			unit, _, _ = strings.Cut(strings.TrimPrefix(sets[file].Root().Attr("configuration"), "peppolbis-"), "-")
			shown += "#" + n
			file = s.unitTest(sets[file], file, n)
		}
		peer := which(t, dir, row, unit)
		kind, name, _ := strings.Cut(peer, ":")
		if kind == "xsd" {
			s.add(peer, "xsd:"+filepath.Join(dir, name), file, shown, func() func(*dom.Document) (told, error) {
				schema, err := xsd.Compile(os.DirFS(dir), xsd.Options{}, filepath.ToSlash(name))
				if err != nil {
					t.Fatal(err)
				}
				return func(d *dom.Document) (told, error) {
					r, err := schema.Validate(d, xsd.ValidateOptions{})
					if err != nil || r.Valid {
						return told{true, "", false}, err
					}
					return told{false, "*" + strconv.Itoa(len(r.Findings)) + " " + r.Findings[0].Rule, false}, nil
				}
			})
			continue
		}
		s.add(peer, "sch:"+filepath.Join(dir, name), file, shown, func() func(*dom.Document) (told, error) { return rulesOf(t, dir, name, false) })
	}
}

// rulesOf compiles one schema of Schematron; with texts what fired is a line each, with its text.
func rulesOf(t *testing.T, dir, name string, texts bool) func(*dom.Document) (told, error) {
	rules, err := schematron.Compile(os.DirFS(dir), filepath.ToSlash(name), schematron.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return func(d *dom.Document) (told, error) {
		r, err := rules.Validate(t.Context(), d, schematron.ValidateOptions{})
		if err != nil {
			return told{}, err
		}
		if len(r.Errors) > 0 {
			return told{}, r.Errors[0]
		}
		counts := map[string]int{}
		valid := true
		var lines []string
		for i := range r.Findings {
			f := &r.Findings[i]
			counts[cmp.Or(f.ID, "?")+":"+cmp.Or(f.Flag, "null")]++
			lines = append(lines, f.ID+":"+f.Flag+" "+f.Message())
			valid = valid && (f.Flag == "warning" || f.Flag == "information" || f.Role == "warning")
		}
		if texts {
			slices.Sort(lines)
			return told{valid, strings.Join(lines, "\n"), false}, nil
		}
		var list []string
		for k, n := range counts {
			if n > 1 {
				k += "*" + strconv.Itoa(n)
			}
			list = append(list, k)
		}
		return told{valid, listed(list), false}, nil
	}
}

// listed is what fired in one order.
func listed(fired []string) string {
	slices.Sort(fired)
	return cmp.Or(strings.Join(fired, " "), "none")
}

func readDocument(t *testing.T, file string) *dom.Document {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return d
}

// unitTest writes the document of the n-th test of a set as a file of its own.
func (s *sideBySide) unitTest(set *dom.Document, name, n string) string {
	file := filepath.Join(s.scratch, fmt.Sprintf("test-%d.xml", len(s.tests)))
	if f, ok := s.tests[name+"#"+n]; ok {
		return f
	}
	s.tests[name+"#"+n] = file
	k := 0
	for e := range set.Root().Elements() {
		if e.Local() != "test" {
			continue
		}
		if k++; strconv.Itoa(k) != n {
			continue
		}
		for doc := range e.Elements() {
			if doc.Space() == e.Space() {
				continue
			}
			b, err := c14n.Append(nil, c14n.Method{Algorithm: c14n.Inclusive10}, doc)
			if err != nil {
				s.tb.Fatal(err)
			}
			if err := os.WriteFile(file, b, 0o600); err != nil {
				s.tb.Fatal(err)
			}
			return file
		}
	}
	s.tb.Fatalf("%s has no test %s", name, n)
	return ""
}

// publishedFile names the file that a row of the corpus edocuments is about; unit is the transaction that a set of tests is for.
func publishedFile(t *testing.T, dir string, row corpus.Row, unit string) string {
	name, rest, _ := strings.Cut(row["pack"], " ")
	last := rest[strings.LastIndexByte(rest, ' ')+1:]
	file := map[string]string{
		"EN16931-UBL":   "en16931-1.3.16/ubl/preprocessed/EN16931-UBL-validation-preprocessed.sch",
		"EN16931-CII":   "en16931-1.3.16/cii/preprocessed/EN16931-CII-validation-preprocessed.sch",
		"PEPPOL-UBL":    "peppol-2026.5/PEPPOL-EN16931-UBL.sch",
		"PEPPOL-UBL-SB": "peppol-2026.5/PEPPOL-EN16931-UBL-SB.sch",
		"PEPPOL-CII":    "peppol-billing-3.0.19/PEPPOL-EN16931-CII.sch",
		"PEPPOLBIS-T":   "peppol-2026.5/PEPPOLBIS-" + strings.ToUpper(unit) + ".sch",
		"XRechnung-UBL": "xrechnung-3.0.2/ubl/XRechnung-UBL-validation.sch",
		"XRechnung-CII": "xrechnung-3.0.2/cii/XRechnung-CII-validation.sch",
		"PINT-EU":       "pint-eu-1.1.1/" + last + ".sch",
		"Factur-X":      "factur-x-2.5.2/FACTUR-X_" + strings.Replace(strings.ToUpper(last), "BASICWL", "BASIC-WL", 1) + ".sch",
	}[name]
	switch {
	case file != "":
		return "sch:rules/" + file
	case name != "XSD":
		return "sch:rules/peppol-2026.5/" + name + ".sch"
	}
	what := strings.Fields(rest)
	pattern := "xsd/cii-d16b-uncoupled/uncefact/data/standard/CrossIndustryInvoice_100pD16B.xsd"
	switch what[0] {
	case "UBL":
		pattern = "xsd/ubl21/maindoc/UBL-" + what[2] + "-2.1.xsd"
	case "Factur-X":
		pattern = "xsd/factur-x-2.5.2/" + what[1] + "/*" + strings.Replace(strings.ToUpper(what[1]), "BASICWL", "BASIC-WL", 1) + ".xsd"
	}
	found, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
	if len(found) != 1 {
		t.Fatalf("%s: %d schemas", row["pack"], len(found))
	}
	rel, _ := filepath.Rel(dir, found[0])
	return "xsd:" + filepath.ToSlash(rel)
}

// nationalSchema is the schema of each pack of the corpus xml-engines.
var nationalSchema = map[string]string{
	"cius-ro-1.0.9": "EN16931-CIUS_RO-UBL-validation.sch", "fr-ctc-cdar-1.4.0.03": "20260804_BR-FR-CDV-Schematron-CDAR_V1.4.0.03.sch",
	"it-order-3.2.1": "AGID-PEPPOL-T01.sch", "oioubl-3.0.1": "OIOUBL-Invoice.sch", "si-ubl-2.0.3.13": "si-ubl-2.0.3.13.sch",
	"srbdt-1.0.0": "EN16931-UBL-srbdt-validation.sch", "tdd-ae-1.0.4": "peppol-ae-tdd-1.0.4.sch", "ubl-tr-1.2.1": "UBL-TR_Main_Schematron.sch",
}

// ask has the peer judge everything; it returns what it said by set and file, and its processor time by set.
func (s *sideBySide) ask() (map[string]told, map[string]time.Duration) {
	t := s.tb
	var list bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(s.sets)) {
		set := s.sets[name]
		set.peer = s.mended(set.peer)
		for _, file := range slices.Sorted(maps.Keys(set.files)) {
			fmt.Fprintf(&list, "%s\t%s\n", set.peer, file)
		}
	}
	return askBatch(t, nil, list.Bytes())
}

// askBatch has the peer judge a list of rule sets and documents, with more in its environment. With the option --text what fired of Schematron is a line each, with its text.
func askBatch(t *testing.T, env []string, list []byte, options ...string) (map[string]told, map[string]time.Duration) {
	names := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(names, list, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(rulesPeer, append([]string{"batch", "--list", names, "--threads", "2"}, options...)...)
	cmd.Env = append(os.Environ(), env...)
	var log bytes.Buffer // Saxon says there what it warns of, and where each error arose
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &log)
	}
	said, spent := map[string]told{}, map[string]time.Duration{}
	sc := bufio.NewScanner(bytes.NewReader(out))
	sc.Buffer(nil, 16<<20)
	for sc.Scan() {
		var o struct {
			Rules, File, Golden, Error string
			Valid                      bool
			CPU                        float64 `json:"cpuMs"`
			Failed                     []failure
		}
		if err := json.Unmarshal(sc.Bytes(), &o); err != nil {
			t.Fatalf("%v: %s", err, sc.Bytes())
		}
		key := o.Rules + "\t" + o.File
		switch {
		case o.File == "" && o.Error != "":
			t.Logf("%s: the peer says %s\n%s", o.Rules, o.Error, &log)
		case o.File == "":
			spent[o.Rules] = time.Duration(o.CPU * float64(time.Millisecond))
		case o.Error != "":
			said[key] = told{fired: "ERROR"}
		case strings.HasPrefix(o.Rules, "xsd:") && o.Valid:
			said[key] = told{valid: true}
		case strings.HasPrefix(o.Rules, "xsd:") && o.Failed[0].ID == "": // not well-formed
			said[key] = told{fired: "ERROR"}
		case strings.HasPrefix(o.Rules, "xsd:"):
			said[key] = told{fired: "*" + strconv.Itoa(len(o.Failed)) + " " + o.Failed[0].ID}
		case len(options) > 0:
			var lines []string
			for _, f := range o.Failed {
				lines = append(lines, f.ID+":"+f.Flag+" "+f.Text)
			}
			slices.Sort(lines)
			said[key] = told{valid: o.Valid, fired: strings.Join(lines, "\n")}
		default:
			said[key] = told{valid: o.Valid, fired: listed(strings.Fields(o.Golden))}
		}
	}
	return said, spent
}

// mended declares the prefix that one published schema uses without: processors that know it beforehand take it as it is.
func (s *sideBySide) mended(peer string) string {
	file, ok := strings.CutPrefix(peer, "sch:")
	if !ok || filepath.Base(file) != "PINT-UBL-validation-preprocessed.sch" {
		return peer
	}
	b, err := os.ReadFile(file)
	if err != nil {
		s.tb.Fatal(err)
	}
	at := bytes.IndexByte(b[bytes.Index(b, []byte("<schema")):], '>') + bytes.Index(b, []byte("<schema")) + 1
	copied := filepath.Join(s.scratch, filepath.Base(file))
	if err := os.WriteFile(copied, slices.Concat(b[:at], []byte(`<ns prefix="xsd" uri="http://www.w3.org/2001/XMLSchema"/>`), b[at:]), 0o600); err != nil {
		s.tb.Fatal(err)
	}
	return "sch:" + copied
}
