package pdftest

import (
	"bytes"
	"html"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/pdf"
)

var (
	glyphs    = regexp.MustCompile(`<([0-9a-f]{4})> <([0-9a-f]+)>`)
	operators = regexp.MustCompile(`(?m)^(?:/(Artifact) BMC|/\w+ <</MCID (\d+)>> BDC|/(F\d) [\d.]+ Tf|<([0-9a-f]*)> Tj)$`)
)

// Spoken is the text of a PDF in the order of its structure: what a screen reader says, without spaces, which
// differ where lines are broken.
func Spoken(t *testing.T, octets []byte) string {
	t.Helper()
	d, err := pdf.Open(bytes.NewReader(octets), int64(len(octets)))
	if err != nil {
		t.Fatal(err)
	}
	stream := func(o pdf.Object) string {
		s, _ := pdf.Get[*pdf.Stream](d, o)
		b, err := d.Bytes(s, 1<<24)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	pages, err := d.Pages()
	if err != nil {
		t.Fatal(err)
	}
	marked := map[pdf.Ref]map[int]string{}
	fonts := map[string]map[string]string{}
	for _, p := range pages {
		list, _ := pdf.Get[pdf.Dict](d, p.Resources["Font"])
		for name, o := range list {
			if fonts[string(name)] == nil {
				f, _ := pdf.Get[pdf.Dict](d, o)
				m := map[string]string{}
				for _, x := range glyphs.FindAllStringSubmatch(stream(f["ToUnicode"]), -1) {
					n, _ := strconv.ParseUint(x[2], 16, 32)
					m[x[1]] = string(rune(n))
				}
				fonts[string(name)] = m
			}
		}
		marked[p.Ref] = map[int]string{}
		contents, _ := pdf.Get[pdf.Array](d, p.Dict["Contents"])
		mark, font := -1, ""
		for _, m := range operators.FindAllStringSubmatch(stream(contents[0]), -1) {
			switch {
			case m[1] != "":
				mark = -1
			case m[2] != "":
				mark, _ = strconv.Atoi(m[2])
			case m[3] != "":
				font = m[3]
			default:
				for i := 0; i < len(m[4]); i += 4 {
					marked[p.Ref][mark] += fonts[font][m[4][i:i+4]]
				}
			}
		}
	}
	var b strings.Builder
	var walk func(o pdf.Object)
	walk = func(o pdf.Object) {
		e, _ := pdf.Get[pdf.Dict](d, o)
		kids, ok := e["K"].(pdf.Array)
		if !ok {
			kids = pdf.Array{e["K"]}
		}
		for _, k := range kids {
			switch k := k.(type) {
			case int:
				b.WriteString(marked[e["Pg"].(pdf.Ref)][k])
			case pdf.Ref:
				walk(k)
			case pdf.Dict:
				b.WriteString(marked[k["Pg"].(pdf.Ref)][k["MCID"].(int)])
			}
		}
	}
	catalog, err := d.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	tree, _ := pdf.Get[pdf.Dict](d, catalog["StructTreeRoot"])
	walk(tree["K"])
	return solid(b.String())
}

var tags = regexp.MustCompile(`<[^>]*>`)

func solid(s string) string { return strings.Join(strings.Fields(s), "") }

// Written is the text of what a web page holds in its element main, without spaces.
func Written(page []byte) string {
	_, body, _ := strings.Cut(string(page), "<main>")
	return solid(html.UnescapeString(tags.ReplaceAllString(body, "")))
}
