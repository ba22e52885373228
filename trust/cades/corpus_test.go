package cades

import (
	"crypto"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// verdict is what the Digital Signature Service says about one file, a token each.
type verdict struct {
	path                  string
	content               cms.Content
	anchors               []*pki.Certificate
	levels, facts, stamps []string
}

func verdicts(t *testing.T) (out []verdict) {
	dir := corpus.Dir(t, "esignature")
	for _, r := range corpus.Table(t, filepath.Join(dir, "dss-verdicts.tsv")) {
		if !strings.HasPrefix(r["path"], "dss/cades/") {
			continue
		}
		v := verdict{path: r["path"]}
		if _, err := os.Stat(filepath.Join(dir, v.path)); err != nil {
			continue
		}
		v.content = given(t, dir, r["given inputs"])
		v.anchors = anchors(t, dir, r["given inputs"])
		kinds := strings.Split(r["kind"], "|")
		for i, k := range kinds {
			if k != "signature" && k != "counter-signature" {
				continue
			}
			at := func(column string) string {
				if f := strings.Split(r[column], "|"); i < len(f) {
					return f[i]
				}
				return "-"
			}
			v.levels = append(v.levels, at("format-level"))
			v.facts = append(v.facts, at("technical facts"))
			v.stamps = append(v.stamps, at("time-stamps"))
		}
		out = append(out, v)
	}
	return out
}

// given reads the detached content that the verdict was made with.
func given(t *testing.T, dir, inputs string) cms.Content {
	t.Helper()
	for _, in := range strings.Split(inputs, ";") {
		word, what, _ := strings.Cut(strings.TrimSpace(in), " ")
		if word != "detached" {
			continue
		}
		for _, one := range strings.Split(what, ",") {
			if what = one; !strings.HasPrefix(one, "er:") {
				break
			}
		}
		switch {
		case strings.HasPrefix(what, "base64:"):
			s, _, _ := strings.Cut(what[len("base64:"):], ":")
			b, err := base64.StdEncoding.DecodeString(s)
			if err != nil {
				t.Fatalf("%s: %v", inputs, err)
			}
			return cms.Bytes(b)
		case strings.HasPrefix(what, "digest:"):
			f := strings.SplitN(what, ":", 3)
			b, err := base64.StdEncoding.DecodeString(f[2])
			if err != nil || f[1] != "SHA256" {
				t.Fatalf("%s: %v", inputs, err)
			}
			return cms.Digests{crypto.SHA256: b}
		case strings.HasPrefix(what, "er:"):
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, what))
		if err != nil {
			t.Fatal(err)
		}
		return cms.Bytes(b)
	}
	return nil
}

// anchors reads the certificates that were trusted.
func anchors(t *testing.T, dir, inputs string) (out []*pki.Certificate) {
	t.Helper()
	for _, in := range strings.Split(inputs, ";") {
		word, what, _ := strings.Cut(strings.TrimSpace(in), " ")
		if word != "trust" {
			continue
		}
		for _, file := range strings.Split(what, ",") {
			b, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			c, err := pki.ParseCertificate(b)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, c)
		}
	}
	return out
}

// all returns the signatures with their counter-signatures.
func all(list []*Signature) (out []*Signature) {
	for _, s := range list {
		out = append(append(out, s), all(s.CounterSignatures)...)
	}
	return out
}

func word(f *TimeStampFacts) string {
	switch {
	case errors.Is(f.Imprint, ErrImprint), errors.Is(f.Imprint, ErrStructure): // a hash index that cannot be read belongs to no imprint
		return "imprint-broken"
	case f.Imprint != nil:
		return "imprint-missing"
	case f.Err() != nil:
		return "signature-broken"
	}
	return "ok"
}

var kindNames = map[Kind]string{
	ContentTimeStamp: "CONTENT_TIMESTAMP", SignatureTimeStamp: "SIGNATURE_TIMESTAMP", TimeStampC: "VALIDATION_DATA_TIMESTAMP",
	RefsTimeStamp: "VALIDATION_DATA_TIMESTAMP", Archive: "ARCHIVE_TIMESTAMP", ArchiveV2: "ARCHIVE_TIMESTAMP", ArchiveV3: "ARCHIVE_TIMESTAMP",
}

// facts writes what was found in the words of the verdicts.
func facts(s *Signature, content cms.Content) (signature, stamps string) {
	f := s.Verify(content)
	signature = "sig=yes refs=ok"
	if f.Err() != nil {
		signature = "sig=no refs=ok"
	}
	switch {
	case errors.Is(f.Content, cms.ErrDigest):
		signature = "sig=no refs=MESSAGE_DIGEST:broken"
	case f.Content != nil:
		signature = "sig=no refs=MESSAGE_DIGEST:missing"
	}
	var list []string
	for _, t := range s.TimeStamps {
		if t.Token == nil {
			continue // no time-stamp to the peer, and to us one whose token cannot be read
		}
		list = append(list, kindNames[t.Kind]+":"+word(t.Check(content)))
	}
	slices.Sort(list) // the peer's order is by time
	if stamps = strings.Join(list, ","); stamps == "" {
		stamps = "-"
	}
	return signature, stamps
}

func TestCorpusFacts(t *testing.T) {
	t.Parallel()
	known := corpus.Known(t, "testdata/known.tsv")
	dir := corpus.Dir(t, "esignature")
	agree, total := 0, 0
	for _, v := range verdicts(t) {
		if len(v.facts) == 0 {
			continue
		}
		total++
		var wrong []string
		b, err := os.ReadFile(filepath.Join(dir, v.path))
		if err != nil {
			t.Fatal(err)
		}
		list, err := Parse(b)
		if err != nil {
			wrong = append(wrong, err.Error())
		}
		sigs := all(list)
		if len(sigs) != len(v.facts) {
			wrong = append(wrong, "number of signatures")
		}
		for i, s := range sigs[:min(len(sigs), len(v.facts))] {
			signature, stamps := facts(s, v.content)
			want, _, _ := strings.Cut(v.facts[i], " b-level")
			if signature != want {
				wrong = append(wrong, "signature: "+signature+", want "+want)
			}
			theirs := strings.Split(v.stamps[i], ",")
			slices.Sort(theirs)
			if stamps != strings.Join(theirs, ",") {
				wrong = append(wrong, "time-stamps: "+stamps+", want "+v.stamps[i])
			}
			if l := string(s.Level(v.anchors...)); l != v.levels[i] {
				wrong = append(wrong, "level: "+l+", want "+v.levels[i])
			}
		}
		reason, listed := known[v.path]
		switch {
		case len(wrong) == 0 && listed:
			t.Errorf("%s agrees now, though it is listed: %s", v.path, reason)
		case len(wrong) == 0:
			agree++
		case !listed:
			t.Errorf("%s: %s", v.path, strings.Join(wrong, "; "))
		}
	}
	if total < 50 {
		t.Fatalf("only %d files: is the corpus there?", total)
	}
	t.Logf("%d of %d files agree with the verdicts, the others are named", agree, total)
}
