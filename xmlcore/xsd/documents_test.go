package xsd

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// packSchemas are the schema sets that the golden file names.
var packSchemas = map[string]string{
	"XSD UBL 2.1 Invoice": "xsd/ubl21/maindoc/UBL-Invoice-2.1.xsd", "XSD CII D16B": "xsd/cii-d16b-uncoupled/uncefact/data/standard/CrossIndustryInvoice_100pD16B.xsd",
	"XSD Factur-X en16931": "xsd/factur-x-2.5.2/en16931/FACTUR-X_EN16931.xsd", "XSD Factur-X extended": "xsd/factur-x-2.5.2/extended/FACTUR-X_EXTENDED.xsd",
	"XSD Factur-X basic": "xsd/factur-x-2.5.2/basic/FACTUR-X_BASIC.xsd", "XSD Factur-X basicwl": "xsd/factur-x-2.5.2/basicwl/FACTUR-X_BASIC-WL.xsd",
	"XSD Factur-X minimum": "xsd/factur-x-2.5.2/minimum/FACTUR-X_MINIMUM.xsd",
}

func packSchema(pack string) string {
	if f, ok := packSchemas[pack]; ok {
		return f
	}
	return "xsd/ubl21/maindoc/UBL-" + strings.TrimPrefix(pack, "XSD UBL 2.1 ") + "-2.1.xsd"
}

// TestVerdictsOfXerces compares with what the JDK's Xerces said of invoices and orders: valid or not, and the rule of the
// first error.
func TestVerdictsOfXerces(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "edocuments")
	compiled := map[string]*Schema{}
	rows, right, rules, invalid := 0, 0, 0, 0
	for _, r := range corpus.Table(t, filepath.Join(dir, "golden.tsv")) {
		pack := r["pack"]
		if !strings.HasPrefix(pack, "XSD") {
			continue
		}
		want := ""
		for k, v := range r {
			if strings.HasPrefix(k, "assertions") {
				want = v
			}
		}
		s := compiled[pack]
		if s == nil {
			var err error
			if s, err = Compile(os.DirFS(dir), Options{}, packSchema(pack)); err != nil {
				t.Fatalf("%s: %v", pack, err)
			}
			compiled[pack] = s
		}
		d, err := dom.Parse(corpus.Read(t, "edocuments", r["file"]), dom.Limits{})
		if err != nil {
			if rows++; strings.HasPrefix(want, "ERROR") { // not well-formed, for both
				right++
				continue
			}
			t.Errorf("%s: %v", r["file"], err)
			continue
		}
		res, err := s.Validate(d, ValidateOptions{})
		if err != nil {
			t.Errorf("%s: %v", r["file"], err)
			continue
		}
		rows++
		if res.Valid == (want == "valid") {
			right++
		} else {
			t.Errorf("%s, %s: valid %v, want %s: %v", r["file"], pack, res.Valid, want, res.Findings)
		}
		if want != "valid" {
			invalid++
			if !res.Valid && strings.Contains(want, strings.TrimSuffix(res.Findings[0].Rule, ".1")) {
				rules++
			} else if !res.Valid {
				t.Logf("%s: %v, Xerces: %s", r["file"], res.Findings[0], want)
			}
		}
	}
	t.Logf("verdicts as Xerces: %d of %d; of %d invalid documents %d for the same rule", right, rows, invalid, rules)
	if rows < 200 {
		t.Fatal("too few rows")
	}
}

// TestEverySchemaOfTheCorporaCompiles reads all schema documents that other areas have, whatever their project.
func TestEverySchemaOfTheCorporaCompiles(t *testing.T) {
	t.Parallel()
	known := corpus.Known(t, "testdata/known-schemas.tsv")
	root := filepath.Dir(corpus.Dir(t, "edocuments"))
	fsys := os.DirFS(root)
	var files []string
	err := fs.WalkDir(fsys, ".", func(p string, e fs.DirEntry, err error) error {
		if err == nil && path.Ext(p) == ".xsd" && !strings.Contains(p, "xsts/") {
			files = append(files, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	catalog := map[string]string{} // for imports that name a place on the web
	for ns, f := range map[string]string{
		"http://www.w3.org/2000/09/xmldsig#":                                       "esignature/schema/xmldsig-core-schema.xsd",
		"http://uri.etsi.org/01903/v1.3.2#":                                        "esignature/schema/XAdES01903v132-202407.xsd",
		"http://uri.etsi.org/02231/v2#":                                            "esignature/schema/ts_119612v020101_xsd.xsd",
		"http://www.w3.org/2001/04/xmlenc#":                                        "edelivery-as4/xsd/xenc-schema.xsd",
		"urn:un:unece:uncefact:data:specification:CoreComponentTypeSchemaModule:2": "edocuments/xsd/ubl21/common/CCTS_CCT_SchemaModule-2.1.xsd",
	} {
		if _, err := fs.Stat(fsys, f); err == nil {
			catalog[ns] = f
		}
	}
	good := 0
	for _, f := range files {
		_, err := Compile(fsys, Options{Catalog: catalog}, f)
		switch {
		case err == nil && known[f] == "":
			good++
		case err == nil:
			t.Errorf("%s is listed as not compiling but does", f)
		case known[f] == "":
			t.Errorf("%s\t%v", f, err)
		}
	}
	t.Logf("%d of %d schema documents compile", good, len(files))
}
