package interop

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// TestDSSTakesOurEvidenceRecords: records that stand in signatures and containers, all of one time-stamp, cover for the peer what they
// are to cover.
func TestDSSTakesOurEvidenceRecords(t *testing.T) {
	t.Parallel()
	needDSS(t)
	dir := t.TempDir()
	s := newScribe(t)
	id, err := s.ca.Issue(pki.Template{CommonName: "Ada Signer", Algorithm: pki.P256, KeyUsage: pki.UseContentCommitment})
	if err != nil {
		t.Fatal(err)
	}
	letter := xades.Bytes("letter.xml", "application/xml", []byte(letterXML))
	second := xades.Bytes("note.txt", "text/plain", []byte("Note"))
	var list []ades.Signed
	var names []string
	add := func(name string, p ades.Params, documents ...xades.Document) {
		t.Helper()
		var b bytes.Buffer
		p.Time = time.Now()
		if err := ades.Sign(t.Context(), &b, nil, id, documents, p, s.tsa); err != nil {
			t.Fatal(err)
		}
		one := ades.Signed{Octets: b.Bytes()}
		if p.Packaging == ades.Detached {
			one.Documents = documents
		}
		list, names = append(list, one), append(names, name)
	}
	add("enveloped.xml", ades.Params{Format: ades.XAdES}, letter)
	add("enveloping.xml", ades.Params{Format: ades.XAdES, Packaging: ades.Enveloping}, second)
	add("detached.xml", ades.Params{Format: ades.XAdES, Packaging: ades.Detached}, letter)
	add("attached.p7m", ades.Params{Format: ades.CAdES}, letter)
	add("detached.p7s", ades.Params{Format: ades.CAdES, Packaging: ades.Detached}, letter)
	add("xades.asice", ades.Params{Format: ades.XAdES, Container: ades.ASiCE}, letter, second)
	add("cades.asice", ades.Params{Format: ades.CAdES, Container: ades.ASiCE}, letter, second)
	add("xades.asics", ades.Params{Format: ades.XAdES, Container: ades.ASiCS}, second)
	add("cades.asics", ades.Params{Format: ades.CAdES, Container: ades.ASiCS}, second)
	out, err := ades.Preserve(t.Context(), s.tsa, 0, list)
	if err != nil {
		t.Fatal(err)
	}
	var index strings.Builder
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("letter.xml", []byte(letterXML))
	write("ca.crt", s.ca.Certificate.Raw)
	for i, b := range out {
		write(names[i], b)
		inputs := "-"
		if list[i].Documents != nil {
			inputs = "letter.xml"
		}
		fmt.Fprintf(&index, "%s\t%s\tca.crt\n", names[i], inputs)
	}
	write("list", []byte(index.String()))
	verdicts := dss(t, "verify", "--json", "--list", filepath.Join(dir, "list"), "--base", dir)
	if len(verdicts) != len(out) {
		t.Fatalf("%d verdicts for %d files", len(verdicts), len(out))
	}
	for _, v := range verdicts {
		t.Run(filepath.Base(v.File), func(t *testing.T) {
			e := entry(t, "dss", sent, took)
			if len(v.Tokens) != 2 {
				t.Fatalf("%+v", v)
			}
			if !v.Tokens[0].Intact {
				t.Errorf("%+v", v.Tokens[0])
			}
			x := v.Tokens[1]
			e.detail = x.Kind + " " + x.Format
			broken := slices.ContainsFunc(x.References, func(r string) bool { return !strings.HasSuffix(r, ":ok") && !strings.Contains(r, "ORPHAN") })
			if x.Kind != "signature-evidence-record" || broken || len(x.Timestamps) != 1 || !x.Timestamps[0].ImprintIntact || x.SubIndication == "HASH_FAILURE" || x.SubIndication == "SIGNED_DATA_NOT_FOUND" {
				t.Errorf("%+v", x)
			}
		})
	}
}
