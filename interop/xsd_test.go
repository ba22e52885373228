package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

// rulesPeer runs Xerces over many documents; see peers/rules.
const rulesPeer = "peers/rules/rules"

// xercesVerdict is one line of what the peer says.
type xercesVerdict struct {
	File   string
	Valid  bool
	Error  json.RawMessage
	Failed []failure
}

type failure struct{ ID, Flag, Location, Text string }

// spoil changes one thing in a document that stays well-formed.
func spoil(r *rand.Rand, d *dom.Document) string {
	src := string(d.Source())
	var elements []dom.Node
	for n := range d.Root().Descendants() {
		if n.Kind() == dom.ElementNode {
			elements = append(elements, n)
		}
	}
	n := elements[r.IntN(len(elements))]
	from, raw := n.Offset(), string(n.Raw())
	cut := func(with string) string { return src[:from] + with + src[from+len(raw):] }
	values := []string{"", " ", "0", "-1", "256", "100", "99.505", "north", "t1", "A1", "a1", "AAAAAAA", "1 2 3 4", "1  2", "2026-02-29", "1999-12-31",
		"2026-11-28", "2026-11-28T25:00:00", "P1Y-2M", "P", "-P1DT1.5S", "L", "XL", "red", "blue", "+5", "1e3", "INF", "aGFsbG8", "aGFsbH==", "a:b", "%zz", "#a#b",
		"0001-01-01", "-0044-03-15", "12004-02-29", "0000-01-01", "2026-11-28+14:00", "true", "s 1", "\n"}
	value := values[r.IntN(len(values))]
	switch r.IntN(8) {
	case 0:
		return cut("")
	case 1:
		return cut(raw + raw)
	case 2: // swap with the next
		next := n.NextElement()
		if !next.Valid() {
			return cut("")
		}
		between := src[from+len(raw) : next.Offset()]
		return src[:from] + string(next.Raw()) + between + raw + src[next.Offset()+len(next.Raw()):]
	case 3: // another name
		other := elements[r.IntN(len(elements))].QName()
		head := strings.Replace(raw, "<"+n.QName(), "<"+other, 1)
		if i := strings.LastIndex(head, "</"+n.QName()); i >= 0 {
			head = head[:i] + "</" + other + head[i+2+len(n.QName()):]
		}
		return cut(head)
	case 4, 5: // another value
		return cut("<" + tagOf(raw) + ">" + value + "</" + n.QName() + ">")
	case 6: // another attribute value, or one more
		attrs := slices.Collect(n.Attributes())
		if len(attrs) > 0 {
			a := attrs[r.IntN(len(attrs))]
			old := a.QName() + `="` + string(a.Value()) + `"`
			return cut(strings.Replace(raw, old, a.QName()+`="`+value+`"`, 1))
		}
		return cut("<" + n.QName() + ` code="` + value + `"` + raw[1+len(n.QName()):])
	}
	names := []string{`xsi:nil="true"`, `xsi:type="Box"`, `xsi:type="Thing"`, `xsi:type="Plain"`, `xsi:type="nothing"`, `o:any="1"`, `xml:lang="et"`, `id="t1"`}
	return cut("<" + n.QName() + " " + names[r.IntN(len(names))] + raw[1+len(n.QName()):])
}

// tagOf returns what stands in the start tag.
func tagOf(raw string) string {
	return strings.TrimSuffix(raw[1:strings.IndexByte(raw, '>')], "/")
}

// TestSchemaVerdictsAgreeWithXerces spoils documents in many ways and compares verdict and rules with Xerces.
func TestSchemaVerdictsAgreeWithXerces(t *testing.T) {
	t.Parallel()
	needPeers(t, "peers/rules/.build/stamp")
	t.Run("inventory", func(t *testing.T) {
		t.Parallel()
		if kinds := againstXerces(t, "testdata/xsd", "inventory.xsd", "inventory.xml", 1500); kinds < 25 {
			t.Errorf("only %d kinds of errors", kinds)
		}
	})
	for _, c := range [][2]string{
		{"xsd/ubl21/maindoc/UBL-Invoice-2.1.xsd", "examples/en16931-ubl/ubl-tc434-example2.xml"},
		{"xsd/cii-d16b-uncoupled/uncefact/data/standard/CrossIndustryInvoice_100pD16B.xsd", "examples/en16931-cii/CII_example1.xml"},
	} {
		t.Run(filepath.Base(c[0]), func(t *testing.T) {
			t.Parallel()
			againstXerces(t, corpus.Dir(t, "edocuments"), c[0], c[1], 300)
		})
	}
}

// againstXerces compares so many spoilt versions of a document and returns how many kinds of errors occurred.
func againstXerces(t *testing.T, folder, schemaFile, document string, wanted int) int {
	schema, err := xsd.Compile(os.DirFS(folder), xsd.Options{}, schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(filepath.Join(folder, document))
	if err != nil {
		t.Fatal(err)
	}
	good, err := dom.Parse(src, dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(*seed, 1))
	var list bytes.Buffer
	docs := map[string]string{}
	for len(docs) < wanted {
		s := spoil(r, good)
		for range r.IntN(3) {
			if d, err := dom.Parse([]byte(s), dom.Limits{}); err == nil {
				s = spoil(r, d)
			}
		}
		if _, err := dom.Parse([]byte(s), dom.Limits{}); err != nil {
			continue
		}
		name := filepath.Join(dir, fmt.Sprintf("%04d.xml", len(docs)))
		if err := os.WriteFile(name, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		docs[name] = s
		fmt.Fprintln(&list, name)
	}
	names := filepath.Join(dir, "list")
	if err := os.WriteFile(names, list.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(rulesPeer, "xsd", "--text", "--schema", filepath.Join(folder, schemaFile), "--list", names)
	cmd.Env, cmd.Stderr = append(os.Environ(), quickJVM), os.Stderr
	out, err := cmd.Output()
	if len(out) == 0 {
		t.Fatalf("the peer said nothing: %v", err)
	}
	valid, same, seen, kinds := 0, 0, 0, map[string]int{}
	sc := bufio.NewScanner(bytes.NewReader(out))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var v xercesVerdict
		if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		doc, ok := docs[v.File]
		if !ok {
			t.Fatalf("the peer speaks of %s", v.File)
		}
		seen++
		d, err := dom.Parse([]byte(doc), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		res, err := schema.Validate(d, xsd.ValidateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if res.Valid != v.Valid {
			t.Errorf("ours %v %v, Xerces %v %v\n%s", res.Valid, res.Findings, v.Valid, v.Failed, doc)
			continue
		}
		if v.Valid {
			valid++
			continue
		}
		agree := true
		for _, f := range res.Findings {
			kinds[f.Rule]++
			if !slices.ContainsFunc(v.Failed, func(x failure) bool { return x.ID == f.Rule }) {
				agree = false
				t.Errorf("ours %v, Xerces %v", f, v.Failed)
				break
			}
		}
		if agree {
			same++
		}
	}
	if seen != wanted {
		t.Errorf("the peer judged %d of %d documents", seen, wanted)
	}
	t.Logf("seed %d: %d documents: %d valid for both, %d invalid for the same rules, of %d kinds", *seed, seen, valid, same, len(kinds))
	return len(kinds)
}
