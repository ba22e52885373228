package interop

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/pdftest"
	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
)

// sheet is a PDF of one page, with a table or a stream of cross-references.
func sheet(t *testing.T, stream bool) []byte {
	t.Helper()
	ref := func(n int) pdf.Ref { return pdf.Ref{Number: n} }
	return pdftest.File(t, stream,
		pdf.Dict{"Type": pdf.Name("Catalog"), "Pages": ref(2)},
		pdf.Dict{"Type": pdf.Name("Pages"), "Kids": pdf.Array{ref(3)}, "Count": 1},
		pdf.Dict{"Type": pdf.Name("Page"), "Parent": ref(2), "MediaBox": pdf.Array{0, 0, 595, 842}, "Resources": pdf.Dict{}, "Contents": ref(4)},
		pdf.Compress(nil, []byte("0 0 1 rg 100 600 200 100 re f")))
}

func openPDF(t *testing.T, b []byte) *pades.Document {
	t.Helper()
	d, err := pades.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (s *scribe) pades(t *testing.T, id *pki.Identity, b []byte, p pades.Parameters, stamper tsp.Stamper) []byte {
	t.Helper()
	p.Time = time.Now()
	more, err := pades.Sign(context.Background(), rand.Reader, id, openPDF(t, b), p, stamper)
	if err != nil {
		t.Fatal(err)
	}
	return append(slices.Clip(b), more...)
}

func (s *scribe) extendPDF(t *testing.T, b []byte, level pades.Level) []byte {
	t.Helper()
	more, err := pades.Extend(context.Background(), openPDF(t, b), level, pades.Extension{VRI: level == pades.LTA, Extension: cades.Extension{Stamper: s.tsa,
		Collect: func(context.Context, []*pki.Certificate, []*pki.Certificate) (cades.Material, error) {
			return cades.Material{Certificates: []*pki.Certificate{s.ca.Certificate}, CRLs: [][]byte{s.crl}}, nil
		}}})
	if err != nil {
		t.Fatal(err)
	}
	return append(slices.Clip(b), more...)
}

// TestDSSAcceptsOurPDF: the peer finds our signatures intact at their level, and our changes after signing harmless.
func TestDSSAcceptsOurPDF(t *testing.T) {
	t.Parallel()
	needDSS(t)
	dir := t.TempDir()
	s := newScribe(t)
	write := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ca.crt", s.ca.Certificate.Raw)
	var list strings.Builder
	want := map[string][]string{}
	add := func(name string, b []byte, levels ...string) {
		write(name+".pdf", b)
		want[name+".pdf"] = levels
		fmt.Fprintf(&list, "%s.pdf\t-\tca.crt\n", name)
	}
	for _, alg := range []pki.KeyAlgorithm{pki.RSA2048, pki.P256} {
		id, err := s.ca.Issue(pki.Template{CommonName: "Ada Signer", Algorithm: alg, KeyUsage: pki.UseContentCommitment})
		if err != nil {
			t.Fatal(err)
		}
		for _, stream := range []bool{false, true} {
			name := fmt.Sprintf("%s-%v", alg, stream)
			plain := sheet(t, stream)
			b := s.pades(t, id, plain, pades.Parameters{Reason: "Granted", Location: "Tallinn"}, nil)
			add(name+"-B", b, "B")
			add(name+"-T-document", s.extendPDF(t, b, pades.LevelT), "T")
			stamped := s.pades(t, id, plain, pades.Parameters{}, s.tsa)
			add(name+"-T", stamped, "T")
			lasting := s.extendPDF(t, stamped, pades.LevelLT)
			add(name+"-LT", lasting, "LT")
			archived := s.extendPDF(t, lasting, pades.LTA)
			add(name+"-LTA", archived, "LTA")
			add(name+"-LTA-renewed", s.extendPDF(t, archived, pades.LTA), "LTA")
			certified := s.pades(t, id, plain, pades.Parameters{Permission: 2, Visible: &pades.Appearance{Rect: [4]float64{50, 50, 250, 110}, Text: "Ada Signer", Image: image.NewGray(image.Rect(0, 0, 8, 8))}}, nil)
			add(name+"-certified", certified, "B")
			add(name+"-two", s.pades(t, id, certified, pades.Parameters{Locked: &pades.Lock{Action: "All"}}, nil), "B", "B")
		}
	}
	write("list", []byte(list.String()))
	verdicts := dss(t, "verify", "--json", "--list", filepath.Join(dir, "list"), "--base", dir)
	if len(verdicts) != len(want) {
		t.Fatalf("%d verdicts for %d files", len(verdicts), len(want))
	}
	for _, v := range verdicts {
		name := filepath.Base(v.File)
		t.Run(name, func(t *testing.T) {
			e := entry(t, "dss", sent, took)
			var got []string
			for _, x := range v.Tokens {
				if x.Kind != "signature" {
					continue
				}
				got = append(got, strings.TrimPrefix(x.Format, "PAdES-BASELINE-"))
				e.detail = strings.TrimSpace(x.Format + ", " + x.Indication + " " + x.SubIndication)
				if !x.Intact || slices.ContainsFunc(x.References, func(r string) bool { return !strings.HasSuffix(r, ":ok") }) {
					t.Errorf("intact %v, references %v", x.Intact, x.References)
				}
				for _, ts := range x.Timestamps {
					if !ts.ImprintFound || !ts.ImprintIntact || !ts.SignatureIntact {
						t.Errorf("time-stamp %+v", ts)
					}
				}
				lasting := strings.HasSuffix(x.Format, "LT") || strings.HasSuffix(x.Format, "LTA")
				if lasting && x.Indication != "TOTAL_PASSED" || !lasting && x.SubIndication != "CERTIFICATE_CHAIN_GENERAL_FAILURE" {
					t.Errorf("%s %s: %v", x.Indication, x.SubIndication, x.Errors)
				}
			}
			if !slices.Equal(got, want[name]) {
				t.Errorf("levels %v, want %v, %v", got, want[name], v.Error)
			}
		})
	}
}

// TestWeAcceptPDFOfDSS: what the peer signs and extends passes here, also where it adds to what we signed.
func TestWeAcceptPDFOfDSS(t *testing.T) {
	t.Parallel()
	needDSS(t)
	dir := t.TempDir()
	theirs := filepath.Join(dir, "pki")
	run := func(t *testing.T, args ...string) {
		t.Helper()
		if out, err := dssCommand(args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run(t, "pki", "--dir", theirs)
	root, err := os.ReadFile(filepath.Join(theirs, "root.crt"))
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := pki.ParseCertificate(root)
	if err != nil {
		t.Fatal(err)
	}
	s := newScribe(t)
	id, err := s.ca.Issue(pki.Template{CommonName: "Ada Signer", KeyUsage: pki.UseContentCommitment})
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	plain := write("plain.pdf", sheet(t, false))
	ours := s.extendPDF(t, s.pades(t, id, sheet(t, true), pades.Parameters{Permission: 2}, s.tsa), pades.LTA)
	for _, c := range []struct {
		name, key, level, in string
		levels               []string // of all signatures
	}{
		{"B", "signer-rsa", "B", plain, []string{"B"}},
		{"T", "signer-ec", "T", plain, []string{"T"}},
		{"LT", "signer-rsa", "LT", plain, []string{"LT"}},
		{"LTA", "signer-pss", "LTA", plain, []string{"LTA"}},
		{"behind ours", "signer-ec", "LTA", write("ours.pdf", ours), []string{"LTA", "LTA"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := entry(t, "dss", received, took)
			out := filepath.Join(t.TempDir(), "out.pdf")
			run(t, "sign", "--pki", theirs, "--p12", filepath.Join(theirs, c.key+".p12"), "--format", "pades", "--level", c.level, "--out", out, c.in)
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			r, err := gather.Open(b, gather.Options{Anchors: []*pki.Certificate{anchor, s.ca.Certificate}})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, v := range validation.Validate(r.Facts, nil, time.Now()) {
				x := r.Signatures[i]
				got = append(got, strings.TrimPrefix(x.Level, "PAdES-BASELINE-"))
				e.detail = strings.TrimSpace(fmt.Sprintf("%s, %s %s", x.Level, v.Indication, v.Sub))
				for _, change := range x.Changes {
					if change.Kind != pades.StoreAdded && change.Kind != pades.Signed {
						t.Errorf("after signature %d: %v", i+1, change)
					}
				}
				switch {
				case len(c.level) == 1 && v.Sub != validation.ChainGeneralFailure: // it brings no revocation data along
					t.Errorf("%s %s: %s", v.Indication, v.Sub, v.Why)
				case len(c.level) > 1 && v.Indication != validation.TotalPassed:
					t.Errorf("%s %s: %s", v.Indication, v.Sub, v.Why)
				}
			}
			if !slices.Equal(got, c.levels) {
				t.Errorf("levels %v, want %v", got, c.levels)
			}
		})
	}
}
