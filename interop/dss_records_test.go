package interop

import (
	"bytes"
	"crypto"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/ers"
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
	var index strings.Builder
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("letter.xml", []byte(letterXML))
	write("ca.crt", s.ca.Certificate.Raw)
	count := 0
	for _, x := range []ers.Syntax{ers.ASN1, ers.XML} {
		var some []ades.Signed
		var called []string
		for i, one := range list {
			if x == ers.XML && strings.Contains(names[i], ".p7") || x == ers.XML && names[i] == "cades.asics" {
				continue // CMS takes records in ASN.1 alone
			}
			some, called = append(some, one), append(called, names[i])
		}
		out, err := ades.Preserve(t.Context(), s.tsa, x, 0, some)
		if err != nil {
			t.Fatal(err)
		}
		alone, err := ades.Preserve(t.Context(), s.tsa, x, 0, some[:1])
		if err != nil {
			t.Fatal(err)
		}
		some, called, out = append(some, some[0]), append(called, "alone-"+called[0]), append(out, alone...)
		for i, b := range out {
			name := fmt.Sprintf("%d-%s", x, called[i])
			write(name, b)
			inputs := "-"
			if some[i].Documents != nil {
				inputs = "letter.xml"
			}
			fmt.Fprintf(&index, "%s\t%s\tca.crt\n", name, inputs)
			count++
		}
		// Records by themselves, as they grow.
		documents := []xades.Document{letter, second}
		record, err := ers.Create(t.Context(), s.tsa, x, crypto.SHA256, documents)
		for step := range 5 {
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%d-record-%d%s", x, step, []string{".ers", ".xml"}[x])
			write(name, record)
			fmt.Fprintf(&index, "%s\tletter.xml,note.txt\tca.crt\n", name)
			count++
			switch step {
			case 1, 3:
				record, err = ers.Rehash(t.Context(), s.tsa, []crypto.Hash{crypto.SHA512, crypto.SHA384}[step/2], record, documents)
			default:
				record, err = ers.Renew(t.Context(), s.tsa, record)
			}
		}
	}
	write("note.txt", []byte("Note"))
	write("list", []byte(index.String()))
	verdicts := dss(t, "verify", "--json", "--list", filepath.Join(dir, "list"), "--base", dir)
	if len(verdicts) != count {
		t.Fatalf("%d verdicts for %d files", len(verdicts), count)
	}
	for _, v := range verdicts {
		name := filepath.Base(v.File)
		t.Run(name, func(t *testing.T) {
			e := entry(t, "dss", sent, took)
			alone := strings.Contains(name, "-record-")
			kind, want, stamps := "signature-evidence-record", 2, 1
			if alone {
				kind, want, stamps = "evidence-record", 1, int(name[len("0-record-")]-'0')+1
			}
			if len(v.Tokens) != want {
				t.Fatalf("%+v", v)
			}
			if !alone && !v.Tokens[0].Intact {
				t.Errorf("%+v", v.Tokens[0])
			}
			x := v.Tokens[want-1]
			e.detail = x.Kind + " " + x.Format
			broken := slices.ContainsFunc(x.References, func(r string) bool { return !strings.HasSuffix(r, ":ok") && (alone || !strings.Contains(r, "ORPHAN")) })
			if x.Kind != kind || broken || len(x.References) == 0 || len(x.Timestamps) != stamps || x.SubIndication == "HASH_FAILURE" || x.SubIndication == "SIGNED_DATA_NOT_FOUND" {
				t.Errorf("%+v", x)
			}
			for _, s := range x.Timestamps {
				if !s.ImprintIntact || !s.SignatureIntact {
					t.Errorf("%+v", s)
				}
			}
			if format := []string{"ASN1_EVIDENCE_RECORD", "XML_EVIDENCE_RECORD"}[name[0]-'0']; x.Format != format {
				t.Errorf("%s, want %s", x.Format, format)
			}
		})
	}
}
