package pmode

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/internal/corpus"
)

// corpusFile is a P-Mode file of the corpus.
type corpusFile struct{ area, path, expected string }

func (f corpusFile) read(t testing.TB) []byte {
	b := corpus.Read(t, f.area, f.path)
	if strings.Contains(f.path, "template") { // "valid after filling ${...}"
		b = []byte(regexp.MustCompile(`\$\{(gw\d+)\.host\}:\$\{gw\d+\.port\}`).ReplaceAllString(strings.ReplaceAll(string(b), "${gw.self}", "gw01"), "$1.example:8080"))
		b = regexp.MustCompile(`\$\{[^}]*\}`).ReplaceAll(b, []byte("filled"))
	}
	return b
}

func corpusFiles(t testing.TB) []corpusFile {
	var files []corpusFile
	for area, folders := range map[string][]string{
		"edelivery-as4": {"pmode-domibus", "pmode-holodeck"}, "architecture-esens": {"pmode5"}, "ejustice-ecodex": {"pmode"}, "procedures-spocs": {"oots"},
	} {
		for _, row := range corpus.Index(t, area) {
			p := cmp.Or(row["path"], row["file"])
			if slices.Contains(folders, path.Dir(p)) && path.Ext(p) == ".xml" && (area != "procedures-spocs" || strings.Contains(p, "pmode")) {
				files = append(files, corpusFile{area, p, row["expected"]})
			}
		}
	}
	if len(files) < 115 {
		t.Fatalf("only %d P-Mode files", len(files))
	}
	return files
}

// policies are those of the corpus.
func policies(t testing.TB) func(string) []byte {
	dirs := []string{
		filepath.Join(corpus.Dir(t, "edelivery-as4"), "policy-domibus5"), filepath.Join(corpus.Dir(t, "edelivery-as4"), "policy-domibus"),
		filepath.Join(corpus.Dir(t, "architecture-esens"), "pmode5", "policies"),
	}
	return func(name string) []byte {
		for _, d := range dirs {
			if b, err := os.ReadFile(filepath.Join(d, path.Base(name))); err == nil {
				return b
			}
		}
		return nil
	}
}

// complaint is what the index says of the first error that another validator found: element and attribute.
var complaint = regexp.MustCompile(`first: element \w+: Schemas validity error : Element '(\w+)'(?:, attribute '(\w+)')?: (.{0,40})`)

// agrees compares what became of a file with what its row expects.
func agrees(expected string, ps Problems) error {
	switch m := complaint.FindStringSubmatch(expected); {
	case strings.Contains(expected, "valid when white space") || strings.Contains(expected, "valid once leading"):
	case m != nil:
		if len(ps) == 0 {
			return fmt.Errorf("accepted, want a complaint about %s %s", m[1], m[2])
		}
		if !slices.ContainsFunc(ps, func(p *Problem) bool {
			words := strings.Fields(p.Where)
			return words[0] == m[1] && (m[2] == "" || words[len(words)-1] == "@"+m[2]) &&
				(!strings.Contains(m[3], "Duplicate") || p.Rule == RuleUnique) && (!strings.Contains(m[3], "Length") || p.Rule == RuleLength)
		}) {
			return fmt.Errorf("refused, but not for %s %s %q:\n%w", m[1], m[2], m[3], ps)
		}
		var least int
		if _, err := fmt.Sscanf(expected, "refused: at least %d issues", &least); err == nil && len(ps) < least {
			return fmt.Errorf("%d problems, want %d:\n%w", len(ps), least, ps)
		}
		return nil
	case strings.Contains(expected, "maxSize [-4089446453400]"):
		if len(ps) != 1 || ps[0].Rule != RuleSize || !strings.Contains(ps[0].Text, "-4089446453400") {
			return fmt.Errorf("want one problem about the size: %w", ps)
		}
		return nil
	case strings.Contains(expected, "at least one issue"), strings.HasPrefix(expected, "rejected"):
		if len(ps) == 0 {
			return errors.New("accepted, want issues")
		}
		return nil
	}
	if len(ps) > 0 {
		return fmt.Errorf("refused:\n%w", ps)
	}
	return nil
}

func TestCorpusIsReadOrRefusedAsItsIndexSays(t *testing.T) {
	t.Parallel()
	known := corpus.Known(t, "testdata/known.tsv")
	agreed, told := 0, map[string]bool{}
	for _, f := range corpusFiles(t) {
		set, err := Read(f.read(t), Options{File: f.path, Policy: policies(t)})
		var ps Problems
		if err != nil && !errors.As(err, &ps) {
			t.Fatalf("%s: %T: %v", f.path, err, err)
		}
		for _, p := range ps {
			if p.Rule == "" || p.Text == "" || p.Warning || p.Line == 0 {
				t.Errorf("%s: a problem without line or rule: %+v", f.path, p)
			}
		}
		err = agrees(f.expected, ps)
		key := f.area + "/" + f.path
		switch reason := known[key]; {
		case err == nil && reason != "":
			t.Errorf("%s agrees now: take it out of known.tsv", key)
		case err == nil:
			agreed++
		case reason == "":
			t.Errorf("%s (%s): %v", key, f.expected, err)
		}
		told[key] = true
		if set != nil {
			for _, m := range set.Modes {
				checkMode(t, f.path, set, m)
			}
		}
	}
	for key := range known {
		if !told[key] {
			t.Errorf("known.tsv names %s, which is not there", key)
		}
	}
	t.Logf("%d of %d files agree, %d are named in known.tsv", agreed, len(told), len(known))
}

// checkMode holds a usable mode to what makes it usable: as4 takes it. The certificate that pull asks for is not in files.
func checkMode(t *testing.T, file string, s *Set, m *Mode) {
	t.Helper()
	send, receive := s.PModes(m)
	if !m.Usable() {
		if send != nil || receive != nil {
			t.Errorf("%s: %s cannot be used and has P-Modes", file, m.ID)
		}
		return
	}
	if (send != nil) != (m.Direction&Send != 0) || (receive != nil) != (m.Direction&Receive != 0) {
		t.Errorf("%s: %s: %s, but P-Modes %v %v", file, m.ID, m.Direction, send, receive)
	}
	for _, pm := range []*as4.PMode{send, receive} {
		if pm == nil || pm.Pull {
			continue
		}
		if err := pm.Complete(); err != nil {
			t.Errorf("%s: %s: %v", file, m.ID, err)
		}
	}
}

var noPlaces = cmpopts.IgnoreTypes(place{})

func TestCorpusIsTheSameWhenWrittenAndReadAgain(t *testing.T) {
	t.Parallel()
	n := 0
	var files []string
	dir := t.TempDir()
	for _, f := range corpusFiles(t) {
		d, _, err := ReadDomibus(f.read(t), f.path)
		if err != nil {
			continue // TestCorpusIsReadOrRefusedAsItsIndexSays
		}
		again, warnings, err := ReadDomibus(d.Bytes(), f.path)
		if err != nil {
			t.Errorf("%s: written and read again: %v", f.path, err)
			continue
		}
		for _, w := range warnings {
			if w.Rule == RuleUnknown || w.Rule == RuleType && w.Where == "" {
				t.Errorf("%s: written with what had to be tolerated: %v", f.path, w)
			}
		}
		if diff := gocmp.Diff(d, again, noPlaces, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: not the same: %s", f.path, diff)
		}
		if slices.ContainsFunc(d.Securities, func(s DomibusSecurity) bool { return s.Policy == "" }) {
			continue // of a later version, whose schema is not there
		}
		n++
		file := filepath.Join(dir, fmt.Sprintf("%03d.xml", n))
		if err := os.WriteFile(file, d.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if n < 80 {
		t.Errorf("only %d files", n)
	}
	validate(t, files)
}

// validate holds files to the schema of Domibus 5.1 with a validator that is not ours.
func validate(t *testing.T, files []string) {
	t.Helper()
	schema := filepath.Join(corpus.Dir(t, "architecture-esens"), "pmode5", "domibus-pmode.xsd")
	var cmd *exec.Cmd
	if tool, err := exec.LookPath("xmllint"); err == nil {
		cmd = exec.Command(tool, append([]string{"--noout", "--nonet", "--schema", schema}, files...)...)
	} else if tool, err = exec.LookPath("java"); err == nil {
		cmd = exec.Command(tool, append([]string{filepath.Join("testdata", "Validate.java"), schema}, files...)...)
	} else {
		t.Skip("neither xmllint nor java is there to validate")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestPartnersReadTheOtherSideOfWhatWasRead reads each file, writes the file of each partner, and reads that: every mode
// must be there with the direction turned round.
func TestPartnersReadTheOtherSideOfWhatWasRead(t *testing.T) {
	t.Parallel()
	var files []string
	dir := t.TempDir()
	n := 0
	for _, f := range corpusFiles(t) {
		set, err := Read(f.read(t), Options{File: f.path})
		if err != nil {
			continue
		}
		for _, p := range set.Partners {
			d, warnings, err := set.ForPartner(p.Name)
			if err != nil {
				if len(warnings) == 0 {
					t.Errorf("%s: %s: %v", f.path, p.Name, err)
				}
				continue
			}
			octets := d.Bytes()
			other, err := Read(slices.Clone(octets), Options{File: f.path})
			if err != nil {
				t.Errorf("%s: the file for %s: %v", f.path, p.Name, err)
				continue
			}
			mirrored(t, f.path+" for "+p.Name, set, other, len(warnings) > 0)
			n++
			file := filepath.Join(dir, fmt.Sprintf("%04d.xml", n))
			if err := os.WriteFile(file, octets, 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	if n < 200 {
		t.Errorf("only %d files for partners", n)
	}
	t.Logf("%d files for partners", n)
	validate(t, files)
}

func mirrored(t *testing.T, what string, ours, theirs *Set, loose bool) {
	t.Helper()
	key := func(m *Mode) string {
		return fmt.Sprintf("%s|%s|%s|%s|%s|%s", m.Agreement, m.Service, m.Action, m.MPC, m.SenderRole, m.ReceiverRole)
	}
	mine := map[string][]*Mode{}
	for _, m := range ours.Modes {
		if strings.EqualFold(m.Partner, theirs.Own.Name) {
			mine[key(m)] = append(mine[key(m)], m)
		}
	}
	if len(theirs.Modes) == 0 {
		t.Errorf("%s: nothing", what)
	}
	for _, m := range theirs.Modes {
		found := slices.ContainsFunc(mine[key(m)], func(o *Mode) bool {
			turned := o.Direction>>1&1 | o.Direction<<1&2
			if theirs.Own.Name == ours.Own.Name {
				turned = o.Direction
			}
			return turned == m.Direction && o.Pull() == m.Pull() && (loose || o.Retry == m.Retry) && o.NonRepudiation == m.NonRepudiation && o.Compress == m.Compress &&
				o.Security.Sign == m.Security.Sign && o.Security.Encrypt == m.Security.Encrypt && (loose || o.FourCorner() == m.FourCorner())
		})
		if !found {
			t.Errorf("%s: %s is not what we have", what, key(m))
		}
	}
	if n := len(slices.Concat(slices.Collect(maps(mine))...)); !loose && n != len(theirs.Modes) {
		t.Errorf("%s: %d modes, we have %d", what, len(theirs.Modes), n)
	}
}

func maps[K comparable, V any](m map[K]V) func(func(V) bool) {
	return func(yield func(V) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

func TestCorpusPoliciesAreKnownByTheirContent(t *testing.T) {
	t.Parallel()
	both := func(f wss.TokenForm) Security {
		return Security{Sign: true, Encrypt: true, SignToken: f, EncryptToken: f}
	}
	want := map[string]Security{
		"eDeliveryAS4Policy.xml": both(wss.TokenSKI), "eDeliveryAS4Policy_BST.xml": both(wss.TokenBST), "eDeliveryAS4Policy_BST_PKIP.xml": both(wss.TokenPKIPath),
		"eDeliveryAS4Policy_IS.xml": both(wss.TokenIssuerSerial), "signOnly.xml": {Sign: true, SignToken: wss.TokenBST}, "doNothingPolicy.xml": {},
		"eDeliveryAS4PolicyEncryptBody.xml": both(wss.TokenSKI), "eDeliveryAS4PolicyNoBodyEncrypt.xml": both(wss.TokenSKI),
	}
	seen := 0
	for _, c := range []struct{ area, dir string }{{"edelivery-as4", "policy-domibus"}, {"edelivery-as4", "policy-domibus5"}, {"architecture-esens", "pmode5/policies"}} {
		for _, row := range corpus.Index(t, c.area) {
			file := cmp.Or(row["path"], row["file"])
			if path.Dir(file) != c.dir {
				continue
			}
			seen++
			got, err := ReadPolicy(corpus.Read(t, c.area, file))
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			w, known := want[path.Base(file)]
			if !known {
				t.Errorf("%s: a policy nobody knows", file)
			}
			w.EncryptBody = strings.HasSuffix(file, "EncryptBody.xml") && !strings.Contains(file, "NoBody")
			// Domibus 5 signs the header of fragments under one policy only.
			w.SignFragment = c.dir == "policy-domibus5" && path.Base(file) == "eDeliveryAS4Policy.xml"
			if suite := got.Suite; c.dir == "policy-domibus5" && suite != "" || c.dir == "policy-domibus" && suite != "rsa" && path.Base(file) != "doNothingPolicy.xml" {
				t.Errorf("%s: suite %q", file, suite)
			}
			if got.Suite = ""; got != w {
				t.Errorf("%s: got %+v, want %+v", file, got, w)
			}
			if p, ok := published[path.Base(file)]; ok {
				if p.SignFragment = w.SignFragment; p != w {
					t.Errorf("%s: known by name as %+v, its content is %+v", file, p, w)
				}
			}
		}
	}
	if seen < 13 {
		t.Errorf("only %d policies", seen)
	}
}
