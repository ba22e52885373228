package gather

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// TestCorpusIndex holds what is found in signed documents against every row of the index: how many signatures, their levels, whether
// values and references hold. Rows that say nothing of that, about extending, merging and refusing, are counted apart.
func TestCorpusIndex(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "esignature")
	known := corpus.Known(t, "testdata/known-index.tsv")
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
		if !compared {
			continue
		}
		c.compared++
		total.compared++
		name := row["file"] + " " + row["asserted by"]
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
				return nil, false
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
	r, err := Open(readCorpus(t, dir, row["file"]), opt)
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
	if levels := want["level"]; levels != "" && !strings.ContainsAny(levels, "{ ") {
		for _, s := range r.Signatures {
			if l := strings.ReplaceAll(s.Level, "-", "_"); !slices.Contains(strings.Split(levels, ","), l) && s.Counter == nil {
				wrong = append(wrong, "level "+l+", want "+levels)
			}
		}
	}
	return wrong, true
}
