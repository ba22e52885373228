package rulepack_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// archiveOf packs files, compressed.
func archiveOf(tb testing.TB, pairs ...string) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		w, err := z.Create(pairs[i])
		if err != nil {
			tb.Fatal(err)
		}
		w.Write([]byte(pairs[i+1]))
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// saying holds an entry that says it has some size when it is unpacked.
func saying(tb testing.TB, size uint64) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	content := []byte(ticketRules)
	w, err := z.CreateRaw(&zip.FileHeader{Name: "t-1.0.sch", Method: zip.Store, CRC32: crc32.ChecksumIEEE(content), CompressedSize64: uint64(len(content)), UncompressedSize64: size})
	if err != nil {
		tb.Fatal(err)
	}
	w.Write(content)
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// TestHostileReleasesAreRefused in bounded time and memory.
func TestHostileReleasesAreRefused(t *testing.T) {
	t.Parallel()
	many := make([]string, 0, 2*20_001)
	for i := range 20_001 {
		many = append(many, fmt.Sprintf("%d.txt", i), "")
	}
	deep := strings.Repeat("<xs:sequence>", 5000) + strings.Repeat("</xs:sequence>", 5000)
	groups := ""
	for i := range 40 { // each holds the next one twice
		groups += fmt.Sprintf(`<xs:group name="g%d"><xs:sequence><xs:group ref="g%d"/><xs:group ref="g%[2]d"/></xs:sequence></xs:group>`, i, i+1)
	}
	groups += `<xs:group name="g40"><xs:sequence><xs:element name="x"/></xs:sequence></xs:group>`
	schema := func(inner string) string {
		return `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">` + inner + `</xs:schema>`
	}
	abstract := ""
	for i := range 40 {
		abstract += fmt.Sprintf(`<rule abstract="true" id="r%d"><extends rule="r%d"/><extends rule="r%[2]d"/></rule>`, i, i+1)
	}
	abstract += `<rule abstract="true" id="r40"><assert test="true()"/></rule>`
	instances := `<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2"><pattern abstract="true" id="p"><rule context="a">` + strings.Repeat(`<assert test="$x"/>`, 3000) + `</rule></pattern>` +
		strings.Repeat(`<pattern is-a="p"><param name="x" value="true()"/></pattern>`, 3000) + `</schema>`
	for _, c := range []struct {
		name string
		zip  []byte
	}{
		{"no archive", []byte("PK\x03\x04 and then nothing")},
		{"too many entries", archiveOf(t, many...)},
		{"an entry that lies about its size", saying(t, 10)},
		{"600 MiB when unpacked", saying(t, 600<<20)},
		{"sizes whose sum overflows", saying(t, 1<<63)},
		{"entities", archiveOf(t, "a-1.0.sch", `<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><schema xmlns="http://purl.oclc.org/dsdl/schematron"><pattern><rule context="a"><assert test="'&b;'"/></rule></pattern></schema>`)},
		{"deep elements", archiveOf(t, "a-1.0.xsd", schema(`<xs:complexType name="T">`+deep+`</xs:complexType>`))},
		{"groups that double", archiveOf(t, "a-1.0.xsd", schema(groups+`<xs:complexType name="T"><xs:group ref="g0"/></xs:complexType>`))},
		{"a schema that imports itself for ever", archiveOf(t, "a-1.0.xsd", schema(`<xs:include schemaLocation="a-1.0.xsd"/><xs:element name="a" type="b"/>`))},
		{"rules that include themselves", archiveOf(t, "a-1.0.sch", strings.Replace(ticketRules, "<pattern>", `<include href="b.sch"/><pattern>`, 1), "b.sch", `<include xmlns="http://purl.oclc.org/dsdl/schematron" href="b.sch"/>`)},
		{"abstract rules that double", archiveOf(t, "a-1.0.sch", `<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2"><pattern>`+abstract+`<rule context="a"><extends rule="r0"/></rule></pattern></schema>`)},
		{"patterns in thousands of instances", archiveOf(t, "a-1.0.sch", instances)},
		{"a deep expression", archiveOf(t, "a-1.0.sch", strings.Replace(ticketRules, `"t:Number"`, `"`+strings.Repeat("(", 100_000)+`1`+strings.Repeat(")", 100_000)+`"`, 1))},
		{"names that leave the folder", archiveOf(t, "pack.json", `{"id":"../../x:y:1","source":{"name":"x","kind":"y","added":"2026-01-01T00:00:00Z"},"scenarios":[{"rules":["t.sch"]}]}`, "files/t.sch", ticketRules)},
		{"rules from outside of the pack", archiveOf(t, "pack.json", `{"id":"a:b:1","source":{"name":"x","kind":"y","added":"2026-01-01T00:00:00Z"},"scenarios":[{"rules":["../../../etc/passwd"]}]}`)},
	} {
		if packs, err := rulepack.ImportArchive(c.zip, rulepack.ImportOptions{Name: "x-1.0.zip", Now: today}); err == nil {
			t.Errorf("%s: %d packs", c.name, len(packs))
		} else if testing.Verbose() {
			t.Logf("%s: %.200v", c.name, err)
		}
	}
}

// TestHostileRulesEndInTime: what a pack may cost is bounded where it runs, and a judge ends when nobody waits any more.
func TestHostileRulesEndInTime(t *testing.T) {
	t.Parallel()
	judge := func(test string) *rulepack.Judge {
		rules := strings.Replace(ticketRules, `"t:Number"`, `"`+test+`"`, 1)
		j, err := rulepack.Compile(imported(t, files("a-1.0.sch", rules), rulepack.ImportOptions{})...)
		if err != nil {
			t.Fatal(err)
		}
		j.Options.Limits = xpath.Limits{Work: 3_000_000}
		return j
	}
	doc := parse(t, ticket("<Number>"+strings.Repeat("a", 5000)+"!</Number>"))
	for name, test := range map[string]string{
		"a regular expression that backtracks": `matches(t:Number, '^(a+)+$')`,
		"one with references back":             `matches(t:Number, '^(a*)*\1\1\1b$')`,
		"loops in loops":                       `some $a in 1 to 100000, $b in 1 to 100000 satisfies $a * $b = -1`,
		"a string that doubles":                `string-length(string-join(for $i in 1 to 1000000 return string(t:Number), '')) = 0`,
	} {
		r, err := judge(test).Validate(doc)
		if err != nil && !errors.Is(err, schematron.ErrLimit) || err == nil && r.Valid {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := judge(`count(for $a in 1 to 2500000 return $a) = 0`)
	many.Options.Limits = xpath.Limits{}
	if _, err := many.Validate(doc); !errors.Is(err, schematron.ErrLimit) || !strings.Contains(err.Error(), "more than 2000000 items at once") {
		t.Errorf("a small document, and millions of items: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	j := judge(`some $a in 1 to 100000, $b in 1 to 100000 satisfies $a * $b = -1`)
	j.Options.Limits = xpath.Limits{}
	if _, err := j.ValidateContext(ctx, doc); !errors.Is(err, context.Canceled) && !errors.Is(err, xpath.ErrCancelled) {
		t.Errorf("nobody waits: %v", err)
	}
	if _, err := dom.Parse([]byte(strings.Repeat("<a>", 100_000)), dom.Limits{}); err == nil {
		t.Error("a document of any depth")
	}
}
