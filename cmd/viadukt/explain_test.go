package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The rules of publishers say that a sum is wrong; what the numbers are, and what to do, the program adds.
func TestWhatPacksFindIsExplained(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	viadukt := func(args ...string) (string, int) {
		var out bytes.Buffer
		status := (&program{ctx: t.Context(), in: strings.NewReader(""), out: &out, err: &out}).dispatch(root, nil, args)
		return out.String(), status
	}
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	sample, _ := viadukt("message", "sample", "invoice")
	bad := write("bad.xml", strings.Replace(sample, `<cbc:TaxInclusiveAmount currencyID="EUR">1550.00<`, `<cbc:TaxInclusiveAmount currencyID="EUR">1560.00<`, 1))
	rules := write("sums.sch", `<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2"><ns prefix="u" uri="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"/>
		<pattern><rule context="/u:Invoice"><assert id="BR-CO-15" flag="fatal" test="false()">The publisher says so.</assert><assert id="X-1" flag="warning" test="false()">Nobody knows more.</assert></rule></pattern></schema>`)
	packs := filepath.Join(dir, "packs")
	if out, status := viadukt("pack", "add", rules, "--id", "local:sums:1", "--packs", packs); status != statusDone {
		t.Fatal(out)
	}
	for _, args := range [][]string{{"validate", bad, "--packs", packs}, {"validate", bad, "--packs", packs, "--pack", "local:sums"}} {
		out, status := viadukt(args...)
		if status != statusInvalid {
			t.Errorf("%v: status %d", args, status)
		}
		for _, w := range []string{"by local:sums@1", "fatal BR-CO-15  The publisher says so.", "BT-112 = 1560.00, BT-109 + BT-110 = 1550.00, difference 10.00", "→ Set BT-112 to 1550.00", "warning X-1  Nobody knows more."} {
			if !strings.Contains(out, w) {
				t.Errorf("%v lacks %q:\n%s", args, w, out)
			}
		}
		if strings.Contains(out, "BR-CO-16") {
			t.Errorf("%v tells what the pack does not:\n%s", args, out)
		}
	}
}
