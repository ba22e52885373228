package cades

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
)

// TestReferencesFindTheirMaterial: what the extended forms name by digest is what they carry.
func TestReferencesFindTheirMaterial(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpus.Dir(t, "esignature"), "dss/cades/validation")
	for name, want := range map[string]struct{ certificates, lists, ocsps int }{
		"Signature-C-A-XL-1.p7m": {3, 3, 0}, "dss-1469/cadesLTAwithATv2.sig": {1, 1, 0}, "dss-2011/cades-tstv2-detached.p7s": {2, 2, 0},
		"Signature-C-X-1.p7m": {4, 0, 0}, "Signature-15-CBp-LT-2.p7m": {3, 0, 3}, // lists and answers are elsewhere
	} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		list, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		s := list[0]
		if len(s.Problems) > 0 {
			t.Errorf("%s: %v", name, s.Problems)
		}
		m := s.Material()
		certificates, lists, ocsps := 0, 0, 0
		for _, r := range s.References.Certificates {
			for _, c := range m.Certificates {
				if r.Matches(c) && r.MatchesIssuer(c) {
					certificates++
					break
				}
			}
		}
		for _, r := range s.References.Revocation {
			if r.OCSP {
				ocsps++
				if r.Produced.IsZero() || len(r.Responder) == 0 {
					t.Errorf("%s: %+v", name, r)
				}
				continue
			}
			for _, l := range m.CRLs {
				if r.Matches(l) {
					lists++
					break
				}
			}
		}
		if certificates != want.certificates || lists != want.lists || ocsps != want.ocsps {
			t.Errorf("%s: %d certificates, %d lists, %d OCSP", name, certificates, lists, ocsps)
		}
	}
}
