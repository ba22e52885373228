package schematron

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// everything asks every rule and every assertion at every node, and tells what fires.
func everything(s *Schema, d *dom.Document) (told []string, rules int) {
	r := s.run(context.Background(), d, ValidateOptions{})
	defer r.over()
	for i := range d.Len() {
		n := d.At(i)
		r.node = n
		for p := range s.patterns {
			for k := range s.patterns[p].rules {
				x := &s.patterns[p].rules[k]
				ok, err := x.match.Matches(r.ctx, n)
				if err != nil {
					told = append(told, fmt.Sprint(i, p, " cannot be matched"))
				}
				if !ok {
					continue
				}
				rules++
				clear(r.state[x.lo:x.hi])
				r.ctx.Item = xpath.NodeItem(n)
				for j := range x.asserts {
					a := &x.asserts[j]
					if v, err := a.test.EBV(r.ctx); err != nil {
						told = append(told, fmt.Sprint(i, " ", a.id, " cannot be evaluated"))
					} else if a.fires(v) {
						told = append(told, fmt.Sprint(i, " ", a.id))
					}
				}
				break // of the rules of a pattern the first counts
			}
		}
	}
	return told, rules
}

// told writes a result as everything does.
func told(r *Result) (out []string) {
	for _, f := range r.Findings {
		out = append(out, fmt.Sprint(f.Node.Index(), " ", f.ID))
	}
	return out
}

// TestOnlyWhatCannotFireIsLeftOut holds the findings for whole documents to those of a run that leaves nothing out.
func TestOnlyWhatCannotFireIsLeftOut(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "edocuments")
	var files []string
	for _, pattern := range []string{"examples/peppol-2026.5/billing/*.xml", "examples/en16931-ubl/*.xml"} {
		found, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 20 {
		t.Fatalf("only %d documents", len(files))
	}
	for _, rules := range []string{"rules/en16931-1.3.16/ubl/EN16931-UBL-validation.sch", "rules/peppol-2026.5/PEPPOL-EN16931-UBL.sch"} {
		s, err := Compile(os.DirFS(dir), rules, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			// each document as it is, and with names that rules look for spoilt, so that much is missing and much is too much
			for i, change := range []*strings.Replacer{strings.NewReplacer(), strings.NewReplacer("cbc:ID", "cbc:Note"), strings.NewReplacer("cac:TaxCategory", "cac:ClassifiedTaxCategory", "currencyID", "schemeID"),
				strings.NewReplacer("cac:AccountingSupplierParty", "cac:AccountingCustomerParty"), strings.NewReplacer("cac:InvoiceLine", "cac:AllowanceCharge")} {
				d, err := dom.Parse([]byte(change.Replace(string(src))), dom.Limits{})
				if err != nil {
					continue // one of the corpus is cut off on purpose
				}
				want, fired := everything(s, d)
				r, err := s.Validate(t.Context(), d, ValidateOptions{})
				if err != nil {
					t.Fatal(err)
				}
				got := told(r)
				errs := 0
				for _, w := range want {
					if strings.Contains(w, "cannot") {
						errs++
					} else if len(got) > 0 && got[0] == w {
						got = got[1:]
					} else {
						t.Fatalf("%s, change %d: %s fires and is not told", filepath.Base(file), i, w)
					}
				}
				if len(got) > 0 || errs != len(r.Errors) || fired != r.Rules {
					t.Errorf("%s, change %d: %v too much, %d of %d errors, %d of %d rules applied", filepath.Base(file), i, got, len(r.Errors), errs, r.Rules, fired)
				}
			}
		}
	}
}

// TestRunsLeaveNothingBehind judges one document after the other, and side by side, in the memory of runs that ended well or
// not.
func TestRunsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	s, err := Compile(fstest.MapFS{"a.sch": {Data: []byte(`<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
		<ns prefix="f" uri="urn:f"/><let name="first" value="string((//b)[1])"/><let name="kinds" value="tokenize('x y z', ' ')"/>
		<xsl:function name="f:twice"><xsl:param name="a"/><xsl:variable name="b" select="concat($a, $a)"/><xsl:sequence select="$b"/></xsl:function>
		<pattern><rule context="b[$first = 'x' or . = 'z']"><let name="own" value="f:twice(.)"/><report id="own" test="$own = 'zz'">z</report><assert id="kind" test=". = $kinds">k</assert></rule>
		<rule context="b"><assert id="number" test="xs:integer(.) > 0">n</assert><report id="deep" test="count(//b/ancestor::*/descendant::b) > 400">many</report></rule></pattern></schema>`)}}, "a.sch", Options{})
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		doc, want string
		errors    int
		limit     bool
	}{
		{"<a><b>x</b><b>z</b><b>q</b></a>", "[4 own 6 kind]", 0, false},
		{"<a><b>1</b><b>0</b><b>n</b></a>", "[4 number]", 1, false},
		{"<a><c><b>z</b></c></a>", "[3 own]", 0, false},
		{"<a>" + strings.Repeat("<b>1</b>", 200) + "</a>", "", 0, true},
		{"<other/>", "[]", 0, false},
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 40 {
				c := cases[i%len(cases)]
				d, err := dom.Parse([]byte(c.doc), dom.Limits{})
				if err != nil {
					t.Error(err)
					return
				}
				r, err := s.Validate(context.Background(), d, ValidateOptions{Limits: xpath.Limits{Work: 20_000}})
				if c.limit != errors.Is(err, ErrLimit) || err != nil && !c.limit {
					t.Errorf("%.40s: %v", c.doc, err)
				}
				if err == nil && (fmt.Sprint(told(r)) != c.want || len(r.Errors) != c.errors) {
					t.Errorf("%s: %v and %v, want %s and %d errors", c.doc, told(r), r.Errors, c.want, c.errors)
				}
			}
		})
	}
	wg.Wait()
}
