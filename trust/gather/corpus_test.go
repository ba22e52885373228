package gather

import (
	"bytes"
	"compress/gzip"
	"crypto"
	_ "crypto/md5"
	"encoding/base64"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

func readCorpus(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if os.IsNotExist(err) {
		name += ".gz"
		b, err = os.ReadFile(filepath.Join(dir, name))
	}
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// inputsOf reads the column of given inputs: what is detached, what is trusted, at which time.
func inputsOf(t *testing.T, dir, text string, at *time.Time) (opt Options) {
	t.Helper()
	for _, part := range strings.Split(text, "; ") {
		kind, list, _ := strings.Cut(part, " ")
		for _, name := range strings.Split(list, ",") {
			switch kind {
			case "detached":
				if d, ok := inline(t, name); ok {
					opt.Documents = append(opt.Documents, d)
				} else if record, ok := strings.CutPrefix(name, "er:"); ok {
					opt.Records = append(opt.Records, readCorpus(t, dir, record))
				} else {
					opt.Documents = append(opt.Documents, xades.Bytes(filepath.Base(name), "", readCorpus(t, dir, name)))
				}
			case "trust":
				if c, err := pki.ParseCertificate(readCorpus(t, dir, name)); err == nil {
					// The other implementation takes whom it trusts for an authority over responders, too.
					opt.Anchors, opt.Bound = append(opt.Anchors, c), append(opt.Bound, pki.Anchor{Certificate: c, Purposes: []pki.Purpose{pki.PurposeRevocation}})
				}
			case "time":
				x, err := time.Parse(time.RFC3339, name)
				if err != nil {
					t.Fatal(err)
				}
				*at = x
			}
		}
	}
	return opt
}

// inline reads content written into the index: base64:OCTETS[:NAME] or digest:ALGORITHM:DIGEST[:NAME].
func inline(t *testing.T, text string) (d xades.Document, ok bool) {
	t.Helper()
	f := strings.Split(text, ":")
	var value string
	var hash crypto.Hash
	switch {
	case f[0] == "base64":
		value, f = f[1], f[2:]
	case f[0] == "digest":
		hash = map[string]crypto.Hash{"SHA1": crypto.SHA1, "SHA256": crypto.SHA256, "SHA512": crypto.SHA512}[f[1]]
		value, f = f[2], f[3:]
	default:
		return d, false
	}
	name := ""
	if len(f) > 0 {
		name = f[0]
	}
	b, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if hash != 0 {
		return xades.Document{Name: name, Digests: map[crypto.Hash][]byte{hash: b}}, true
	}
	return xades.Bytes(name, "", b), true
}

// TestCorpusVerdicts compares verdicts with those of the Digital Signature Service, file by file: by the policy that it judged by, and by
// that of this program.
func TestCorpusVerdicts(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "esignature")
	known := corpus.Known(t, "testdata/known.tsv")
	b, err := os.ReadFile(filepath.Join(dir, "dss-verdicts.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	theirs, _, err := validation.ReadPolicy(readCorpus(t, dir, "process/policy/constraint.xml"))
	if err != nil {
		t.Fatal(err)
	}
	type tally struct{ rows, equal, named int }
	counts := map[string]*tally{}
	total := tally{}
	ours := 0
	var remembered pki.SignatureCache // of all documents before
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n")[1:] {
		f := strings.Split(line, "\t")
		area := strings.Join(strings.Split(f[0], "/")[:min(2, strings.Count(f[0], "/"))], "/")
		if strings.HasPrefix(area, "dss/er-") {
			continue // records by themselves: package ers
		}
		if counts[area] == nil {
			counts[area] = &tally{}
		}
		at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		opt := inputsOf(t, dir, f[13], &at)
		var want []string
		kinds, indications, subs := strings.Split(f[4], "|"), strings.Split(f[1], "|"), strings.Split(f[2], "|")
		for i, k := range kinds {
			if k == "signature" || k == "counter-signature" {
				want = append(want, strings.TrimSuffix(indications[i]+"/"+subs[min(i, len(subs)-1)], "/-"))
			}
		}
		alike := func(got []string) bool {
			if f[1] == "ERROR" { // it gave up: then nothing may pass here
				return !slices.Contains(got, string(validation.TotalPassed))
			}
			return slices.Equal(got, want)
		}
		document := readCorpus(t, dir, f[0])
		got, why, err := verdicts(document, opt, theirs, at)
		equal := alike(got)
		opt.Signatures = &remembered
		if again, whyAgain, _ := verdicts(document, opt, theirs, at); !slices.Equal(again, got) || !slices.Equal(whyAgain, why) {
			t.Errorf("%s: %v by itself, %v with what is remembered of other documents: %v, %v", f[0], got, again, why, whyAgain)
		}
		if own, _, _ := verdicts(document, opt, nil, at); alike(own) {
			ours++
		}
		name := f[0]
		reason, listed := known[name]
		counts[area].rows++
		total.rows++
		switch {
		case equal:
			counts[area].equal++
			total.equal++
			if listed {
				t.Errorf("%s agrees now, but is listed: %s", name, reason)
			}
		case !listed:
			t.Errorf("%s: %v, want %v: %s, %v", name, got, want, strings.Join(why, "; "), err)
		default:
			counts[area].named++
			total.named++
		}
	}
	for _, area := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%s: %d of %d equal, %d named", area, counts[area].equal, counts[area].rows, counts[area].named)
	}
	t.Logf("%d of %d files have the verdict of the other implementation, %d differ for a reason that is named", total.equal, total.rows, total.named)
	t.Logf("%d of them by the policy of this program", ours)
	if ours*100 < total.rows*97 {
		t.Error("that is less than it was")
	}
}

func verdicts(b []byte, opt Options, p *validation.Policy, at time.Time) (out, why []string, err error) {
	r, err := Open(b, opt)
	if err != nil {
		return nil, nil, err
	}
	for _, x := range validation.Validate(r.Facts, p, at) {
		s := string(x.Indication)
		if x.Sub != "" {
			s += "/" + string(x.Sub)
		}
		out, why = append(out, s), append(why, x.Why)
	}
	return out, why, nil
}
