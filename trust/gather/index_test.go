package gather

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// TestCorpusIndex holds what is found in signed documents against every row of the index: how many signatures, their levels, whether
// values and references hold, what stands in containers, what is refused. Rows about something else are listed with where they are
// compared, or what they are about.
func TestCorpusIndex(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "esignature")
	known, elsewhere := corpus.Known(t, "testdata/known-index.tsv"), corpus.Known(t, "testdata/elsewhere-index.tsv")
	type tally struct{ rows, compared, equal, named int }
	counts := map[string]*tally{}
	total := tally{}
	for _, row := range corpus.Index(t, "esignature") {
		format := row["format"]
		if !slices.Contains([]string{"XAdES", "CAdES", "JAdES", "PAdES", "ASiC-XAdES", "ASiC-CAdES"}, format) {
			continue
		}
		if counts[format] == nil {
			counts[format] = &tally{}
		}
		c := counts[format]
		c.rows++
		total.rows++
		wrong, compared := compareRow(t, dir, row)
		name := row["file"] + " " + row["asserted by"] + " " + row["what it shows"]
		if where := elsewhere[name]; compared == (where != "") {
			t.Errorf("%s: compared here %v, listed: %q", name, compared, where)
		}
		if !compared {
			continue
		}
		c.compared++
		total.compared++
		name = row["file"] + " " + row["asserted by"]
		reason, listed := known[name]
		switch {
		case len(wrong) == 0:
			c.equal++
			total.equal++
			if listed {
				t.Errorf("%s agrees now, but is listed: %s", name, reason)
			}
		case !listed:
			t.Errorf("%s: %s", name, strings.Join(wrong, "; "))
		default:
			c.named++
			total.named++
		}
	}
	for _, format := range slices.Sorted(maps.Keys(counts)) {
		c := counts[format]
		t.Logf("%s: %d rows, %d compared here, %d equal, %d named", format, c.rows, c.compared, c.equal, c.named)
	}
	if total.rows < 500 {
		t.Errorf("only %d rows", total.rows)
	}
	t.Logf("%d rows, %d compared here, %d equal, %d differ for a reason that is named", total.rows, total.compared, total.equal, total.named)
}

// compareRow compares one row; false: it says nothing that is compared.
func compareRow(t *testing.T, dir string, row corpus.Row) (wrong []string, compared bool) {
	expected := strings.Split(row["expected"], " | ")
	var opt Options
	for _, part := range strings.Split(row["inputs"], "; ") {
		kind, list, _ := strings.Cut(part, ": ")
		for _, name := range strings.Split(list, ",") {
			switch {
			case kind == "detached (inline in test)":
			case kind == "detached" && (strings.HasSuffix(name, ".ers") || strings.Contains(name, "evidence-record")):
				opt.Records = append(opt.Records, readCorpus(t, dir, name))
			case kind == "detached":
				opt.Documents = append(opt.Documents, xades.Bytes(filepath.Base(name), "", readCorpus(t, dir, name)))
			case kind == "trust/extra certs":
				if c, err := pki.ParseCertificate(readCorpus(t, dir, name)); err == nil {
					opt.Certificates, opt.Anchors = append(opt.Certificates, c), append(opt.Anchors, c)
				}
			}
		}
	}
	if _, code, inline := strings.Cut(row["inputs"], "detached (inline in test): "); inline {
		d, ok := inTest(t, dir, row["file"], code)
		if !ok {
			return nil, false
		}
		opt.Documents = append(opt.Documents, d)
	}
	document := readCorpus(t, dir, row["file"])
	if wrong, compared := compareOther(t, document, row, expected, opt); compared {
		return wrong, true
	}
	want := map[string]string{}
	for _, part := range expected {
		for _, fact := range strings.Split(part, "; ") {
			key, value, ok := strings.Cut(fact, "=")
			if strings.HasPrefix(fact, "throws") {
				return nil, false
			}
			if ok && !strings.ContainsAny(key, "{ .(") {
				want[strings.TrimSuffix(key, ">")] = value
			}
		}
	}
	if want["signatures"] == "" {
		return nil, false
	}
	r, err := Open(document, opt)
	if errors.Is(err, ErrNoSignature) {
		r, err = &Result{}, nil
	}
	if err != nil {
		return []string{err.Error()}, true
	}
	n, _ := strconv.Atoi(want["signatures"])
	own := 0
	for _, s := range r.Signatures {
		if s.Counter == nil {
			own++
		}
	}
	exact := slices.ContainsFunc(expected, func(p string) bool { return strings.HasPrefix(p, "signatures=") })
	if all := len(r.Signatures); exact && all != n && own != n || !exact && all < n {
		wrong = append(wrong, strconv.Itoa(all)+" signatures, want "+want["signatures"])
	}
	for _, s := range r.Signatures {
		if want["signature_intact"] == "yes" && !s.Intact {
			wrong = append(wrong, "a value that does not hold")
		}
		for _, x := range s.References {
			if want["all_references_intact"] == "yes" && !x.Entry && !x.Intact {
				wrong = append(wrong, x.Name+" does not hold")
			}
		}
	}
	if want["signature_intact_or_b_level"] == "NO" && slices.ContainsFunc(r.Signatures, whole) {
		wrong = append(wrong, "a signature that holds")
	}
	if levels := want["level"]; levels != "" && !strings.ContainsAny(levels, "{ ") {
		for _, s := range r.Signatures {
			if l := strings.ReplaceAll(s.Level, "-", "_"); !slices.Contains(strings.Split(levels, ","), l) && s.Counter == nil {
				wrong = append(wrong, "level "+l+", want "+levels)
			}
		}
	}
	return wrong, true
}

// whole tells whether a signature's value holds, and all that it signs.
func whole(s *Signature) bool {
	return s.Intact && len(s.Malformed) == 0 && !slices.ContainsFunc(s.References, func(x validation.Reference) bool { return !x.Intact })
}

var (
	inTestText   = regexp.MustCompile(`new InMemoryDocument\("([^"]*)"\.getBytes\(\)(?:, "([^"]*)")?`)
	inTestOctets = regexp.MustCompile(`new InMemoryDocument\(new byte\[\] ?\{([ 0-9,]*)\}`)
	inTestDigest = regexp.MustCompile(`new DigestDocument\(DigestAlgorithm\.SHA256, (?:Utils\.fromBase64\()?"([^"]*)"`)
	counted      = regexp.MustCompile(`(\w+)\.count = (\d+)`)
)

// inTest reads content that a test of the other implementation writes down in its own language.
func inTest(t *testing.T, dir, file, code string) (d xades.Document, ok bool) {
	t.Helper()
	if m := inTestDigest.FindStringSubmatch(code); m != nil {
		sum, err := base64.StdEncoding.DecodeString(m[1])
		if err != nil {
			t.Fatal(err)
		}
		return xades.Document{Digests: map[crypto.Hash][]byte{crypto.SHA256: sum}}, true
	}
	if m := inTestText.FindStringSubmatch(code); m != nil {
		if strings.Contains(code, "getDigestValue(DigestAlgorithm.SHA256)") {
			sum := sha256.Sum256([]byte(m[1]))
			return xades.Document{Digests: map[crypto.Hash][]byte{crypto.SHA256: sum[:]}}, true
		}
		return xades.Bytes(m[2], "", []byte(m[1])), true
	}
	if m := inTestOctets.FindStringSubmatch(code); m != nil {
		var b []byte
		for _, s := range strings.FieldsFunc(m[1], func(r rune) bool { return r == ',' || r == ' ' }) {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			b = append(b, byte(n))
		}
		return xades.Bytes("", "", b), true
	}
	if strings.Contains(code, "singletonList(ORIGINAL_FILE)") && strings.Contains(file, "dss1334/") {
		return xades.Bytes("", "", readCorpus(t, dir, path.Join(path.Dir(file), "simple-test.xml"))), true
	}
	return d, false
}

// compareOther compares rows that are about what stands in a container, or about what is no signed document.
func compareOther(t *testing.T, document []byte, row corpus.Row, expected []string, opt Options) (wrong []string, compared bool) {
	t.Helper()
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	r, err := Open(document, opt)
	counts := map[string]int{}
	for _, p := range expected {
		if m := counted.FindStringSubmatch(p); m != nil && m[0] == p {
			counts[m[1]], _ = strconv.Atoi(m[2])
		}
	}
	switch what := row["what it shows"]; {
	case strings.Contains(what, "Container Extractor:"), strings.Contains(what, "Evidence Record Digest Builder: asic"):
		if err != nil {
			return []string{err.Error()}, true
		}
		for name, n := range containerCounts(t, r.Container) {
			if want, ok := counts[name]; ok && n != want {
				say("%d of %s, want %d", n, name, want)
			}
		}
	case strings.Contains(what, "No Signature Zip"), what == "Broken DOM: test", what == "JAdES With Double Sig T":
		if err == nil && slices.ContainsFunc(r.Signatures, whole) {
			say("a signature that holds")
		}
	case what == "XAdES With Unsupported Signature Algorithm":
		if err == nil && !slices.ContainsFunc(r.Signatures, func(s *Signature) bool { return s.Unverifiable != "" }) {
			say("no algorithm that is not known")
		}
	case row["file"] == "dss/cades/validation/d-trust.tsr":
		if err != nil {
			return []string{err.Error()}, true
		}
		if n := counts["timestampList"]; len(r.Signatures) > 0 || len(r.TimeStamps) != n {
			say("%d signatures, %d time-stamps, want %d", len(r.Signatures), len(r.TimeStamps), n)
		}
	case strings.HasPrefix(what, "XAdES No Detached File Provided:"), strings.HasPrefix(what, "Double Signature Pretty Print:"):
		if err != nil {
			return []string{err.Error()}, true
		}
		stamps := 0
		for _, s := range r.Signatures {
			stamps += len(s.TimeStamps)
			if slices.Contains(expected, "NOT digestMatcher.dataFound") && !slices.ContainsFunc(s.References, func(x validation.Reference) bool { return !x.Found }) {
				say("all that is signed was found")
			}
		}
		if n, ok := counts["signatures"]; ok && len(r.Signatures) != n {
			say("%d signatures, want %d", len(r.Signatures), n)
		}
		if n, ok := counts["timestampList"]; ok && stamps != n {
			say("%d time-stamps, want %d", stamps, n)
		}
	case strings.HasPrefix(what, "DSSXML Utils: isDuplicateIdsDetected"):
		d, err := dom.Parse(document, dom.Limits{})
		if err != nil {
			return []string{err.Error()}, true
		}
		twice, ids := false, xmldsig.IndexIDs(d, xmldsig.IDPolicy{})
		for n := range d.Node().Descendants() {
			if n.Kind() == dom.ElementNode && n.Attr("Id") != "" {
				_, err := ids.Lookup(n.Attr("Id"))
				twice = twice || errors.Is(err, xmldsig.ErrAmbiguous)
			}
		}
		if !twice {
			say("no identifier that stands twice")
		}
	default:
		return nil, false
	}
	return wrong, true
}

// containerCounts counts the files of a container as the other implementation sorts them.
func containerCounts(t *testing.T, c *asic.Container) map[string]int {
	t.Helper()
	out := map[string]int{
		"signedDocuments": len(c.Data()), "signatureDocuments": 0, "timestampDocuments": 0, "evidenceRecordDocuments": 0, "manifestDocuments": 0,
		"archiveManifestDocuments": 0, "evidenceRecordManifestDocuments": 0, "rootLevelSignedDocuments": 0, "containerDocuments": 0, "unsupportedDocuments": 0,
	}
	for _, f := range c.Data() {
		if !strings.Contains(f.Name, "/") {
			out["rootLevelSignedDocuments"]++
		}
		if c.Type == asic.S && strings.HasSuffix(f.Name, ".zip") {
			b, err := f.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			inner, err := asic.OpenZIP(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			out["containerDocuments"] += len(inner.Files)
		}
	}
	for _, f := range c.Files {
		name := strings.ToLower(path.Base(f.Name))
		switch {
		case !f.Meta():
		case strings.Contains(name, "archivemanifest"):
			out["archiveManifestDocuments"]++
		case strings.Contains(name, "evidencerecordmanifest"):
			out["evidenceRecordManifestDocuments"]++
		case strings.Contains(name, "manifest"):
			out["manifestDocuments"]++
		case f.Signature():
			out["signatureDocuments"]++
		case f.TimeStamp():
			out["timestampDocuments"]++
		case f.EvidenceRecord():
			out["evidenceRecordDocuments"]++
		default:
			out["unsupportedDocuments"]++
		}
	}
	return out
}
