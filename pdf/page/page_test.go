package page_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/font/sfnt"
	"pgregory.net/rapid"

	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/pdf/page"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var noon = time.Date(2026, 4, 17, 12, 0, 0, 0, time.UTC)

const words = "A document that crosses a border is read by people who do not share a language, and by machines that share nothing else. "

func options() page.Options {
	return page.Options{Title: "Aruanne: Λογαριασμός, отчёт", Language: "et", Author: "Office <of> tests", Subject: "All & blocks", Creator: "test", Created: noon, Footer: "At the foot"}
}

func pixels(transparent bool) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 60, 40))
	for x := range 60 {
		for y := range 40 {
			m.Set(x, y, color.RGBA{uint8(4 * x), 90, uint8(6 * y), 255})
		}
	}
	if transparent {
		m.Set(0, 0, color.RGBA{})
	}
	return m
}

func drawn(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, pixels(true)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func lines(rows int) page.Table {
	table := page.Table{Caption: "Lines", RowHeads: true, Columns: []page.Column{{Title: "No."}, {Title: "Item"}, {Title: "Quantity", Align: page.Right}, {Title: "Net amount", Align: page.Right}}}
	for r := range rows {
		table.Rows = append(table.Rows, []page.Cell{page.Plain(strconv.Itoa(r + 1)), {{Value: "Lamp"}, {Value: "\nwith shade, and a description that is long enough for two lines of it, at least", Small: true}},
			page.Plain("1,250\u00a0pcs"), page.Plain("1\u202f875,00\u00a0EUR")})
	}
	return table
}

// sample has all kinds of blocks.
func sample(t testing.TB, rows int) *page.Document {
	d := page.New(options())
	d.Add(
		page.Heading{Level: 1, Text: "Aruanne: Λογαριασμός, отчёт"},
		page.Paragraph{Text: []page.Text{{Value: words}, {Value: "Important words are bold", Bold: true}, {Value: ", others lead "}, {Value: "to a place elsewhere", Link: "https://example.org/ä?q=(1)"},
			{Value: ". " + words + words}, {Value: "Unknown: 日本 \U0001F600.", Color: page.Red}, {Value: " nowhere", Link: "javascript:alert(1)"}}},
		page.Columns{Blocks: [][]page.Block{
			{page.KeyValues{Title: "Seller", Rows: []page.KeyValue{{Key: "Name", Value: page.Plain("Pärnu sadam")}, {Key: "Address", Value: page.Plain("Suur-Sepa 10\n80010 Pärnu")}}}},
			{page.KeyValues{Title: "Buyer", Rows: []page.KeyValue{{Key: "Reference", Value: page.Plain("https://example.org/" + strings.Repeat("very/long/path/", 5))}}}},
		}},
		page.Box{Bar: page.Green, Blocks: []page.Block{page.Paragraph{Text: page.Bold("The document is valid")}, page.Paragraph{Text: page.Plain(words)}}},
		page.Heading{Level: 2, Text: "What was done"},
		page.List{Items: [][]page.Text{page.Plain("First thing."), page.Plain(words + words)}, Ordered: true},
		page.List{Items: [][]page.Text{page.Plain("Unordered thing.")}},
		page.Picture{Data: drawn(t), Alt: "Colours", Width: 90},
		page.Rule{}, page.Space(12), lines(rows),
		page.Columns{Blocks: [][]page.Block{nil, {page.KeyValues{Title: "Totals", Align: page.Right, Share: 0.5, Rows: []page.KeyValue{{Key: "Amount due", Value: page.Plain("12.40 EUR"), Strong: true}}}}}},
	)
	d.Attach(page.Attachment{Name: "data.xml", Description: "The data", MimeType: "text/xml", Relationship: "Alternative", Modified: noon, Content: []byte("<a/>")})
	return d
}

func octets(t testing.TB, d *page.Document) []byte {
	t.Helper()
	b, err := d.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reader reads a file by other means than it was written with.
type reader struct {
	t       testing.TB
	d       *pdf.Document
	catalog pdf.Dict
	fonts   map[string]map[string]string // by resource name: hexadecimal number to text
}

func read(t testing.TB, b []byte) *reader {
	t.Helper()
	d, err := pdf.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if d.Repaired || len(d.Problems) > 0 {
		t.Errorf("repaired %v, problems %v", d.Repaired, d.Problems)
	}
	r := &reader{t: t, d: d}
	if r.catalog, err = d.Catalog(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *reader) stream(o pdf.Object) []byte {
	r.t.Helper()
	s, ok := pdf.Get[*pdf.Stream](r.d, o)
	if !ok {
		r.t.Fatalf("%v is no stream", o)
	}
	b, err := r.d.Bytes(s, 64<<20)
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

func (r *reader) dict(o pdf.Object) pdf.Dict {
	r.t.Helper()
	d, ok := pdf.Get[pdf.Dict](r.d, o)
	if !ok {
		r.t.Fatalf("%v is no dictionary", o)
	}
	return d
}

func (r *reader) pages() []pdf.Page {
	p, err := r.d.Pages()
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

var mapping = regexp.MustCompile(`<([0-9a-f]{4})> <([0-9a-f]+)>`)

func (r *reader) load(resources pdf.Dict) {
	if r.fonts != nil {
		return
	}
	r.fonts = map[string]map[string]string{}
	for name, f := range r.dict(resources["Font"]) {
		m := map[string]string{}
		for _, x := range mapping.FindAllStringSubmatch(string(r.stream(r.dict(f)["ToUnicode"])), -1) {
			if x[1] != "0000" || x[2] != "ffff" {
				m[x[1]] = pdf.String("\xfe\xff" + unhex(x[2])).Text()
			}
		}
		r.fonts[string(name)] = m
	}
}

func unhex(s string) string {
	var b []byte
	for i := 0; i+1 < len(s); i += 2 {
		n, _ := strconv.ParseUint(s[i:i+2], 16, 8)
		b = append(b, byte(n))
	}
	return string(b)
}

var operation = regexp.MustCompile(`(?m)^(/Artifact BMC|/\w+ <</MCID (\d+)>> BDC|EMC|/(F\d) [\d.]+ Tf|([-\d.]+) ([-\d.]+) Td|<([0-9a-f]*)> Tj)$`)

// shown is a piece of text on a page.
type shown struct {
	page, mark int // mark is -1 for decoration
	x, y       float64
	text       string
}

// texts reads all text, and checks that marked content is balanced and that nothing stands outside of it.
func (r *reader) texts() (out []shown) {
	r.t.Helper()
	for n, p := range r.pages() {
		r.load(p.Resources)
		contents, _ := pdf.Get[pdf.Array](r.d, p.Dict["Contents"])
		for _, c := range contents {
			depth, mark, font, x, y := 0, -2, "", 0.0, 0.0
			for _, m := range operation.FindAllStringSubmatch(string(r.stream(c)), -1) {
				switch {
				case m[1] == "/Artifact BMC":
					depth, mark = depth+1, -1
				case m[2] != "":
					depth++
					mark, _ = strconv.Atoi(m[2])
				case m[1] == "EMC":
					depth, mark = depth-1, -2
				case m[3] != "":
					font = m[3]
				case m[4] != "":
					x, _ = strconv.ParseFloat(m[4], 64)
					y, _ = strconv.ParseFloat(m[5], 64)
				default:
					if mark == -2 || depth != 1 {
						r.t.Fatalf("page %d has text outside of marked content", n+1)
					}
					s := ""
					for i := 0; i < len(m[6]); i += 4 {
						u, ok := r.fonts[font][m[6][i:i+4]]
						if !ok {
							r.t.Fatalf("page %d: character %s of %s has no Unicode", n+1, m[6][i:i+4], font)
						}
						s += u
					}
					out = append(out, shown{n, mark, x, y, s})
				}
			}
			if depth != 0 {
				r.t.Errorf("page %d: marked content is not balanced", n+1)
			}
		}
	}
	return out
}

// node is an element of the structure with the marked content in it.
type node struct {
	tag   pdf.Name
	dict  pdf.Dict
	kids  []*node
	marks [][2]int // page, mark
}

// tree reads the structure, and checks that each marked sequence belongs to the one element that the parent tree says.
func (r *reader) tree() *node {
	r.t.Helper()
	number := map[pdf.Ref]int{}
	root := r.dict(r.catalog["StructTreeRoot"])
	owners := map[[2]int]pdf.Object{}
	pages := r.pages()
	nums, _ := pdf.Get[pdf.Array](r.d, r.dict(root["ParentTree"])["Nums"])
	byKey := map[int]pdf.Object{}
	for i := 0; i+1 < len(nums); i += 2 {
		byKey[nums[i].(int)] = nums[i+1]
	}
	for n, p := range pages {
		number[p.Ref] = n
		key, _ := pdf.Get[int](r.d, p.Dict["StructParents"])
		list, _ := pdf.Get[pdf.Array](r.d, byKey[key])
		for k, o := range list {
			owners[[2]int{n, k}] = o
		}
	}
	seen := map[[2]int]bool{}
	var walk func(ref pdf.Object, parent pdf.Object) *node
	walk = func(ref, parent pdf.Object) *node {
		d := r.dict(ref)
		if d["P"] != parent {
			r.t.Fatalf("%v has the parent %v, not %v", ref, d["P"], parent)
		}
		tag, _ := pdf.Get[pdf.Name](r.d, d["S"])
		e := &node{tag: tag, dict: d}
		mark := func(pg pdf.Object, id int) {
			at := [2]int{number[pg.(pdf.Ref)], id}
			if seen[at] || owners[at] != ref {
				r.t.Fatalf("page %d, mark %d: seen %v, of %v, in %v", at[0]+1, id, seen[at], owners[at], ref)
			}
			seen[at] = true
			e.marks = append(e.marks, at)
		}
		kids, ok := d["K"].(pdf.Array)
		if !ok && d["K"] != nil {
			kids = pdf.Array{d["K"]}
		}
		for _, k := range kids {
			switch k := k.(type) {
			case int:
				mark(d["Pg"], k)
			case pdf.Ref:
				e.kids = append(e.kids, walk(k, ref))
			case pdf.Dict:
				if k["Type"] == pdf.Name("MCR") {
					mark(k["Pg"], k["MCID"].(int))
				} else if a := r.dict(k["Obj"]); byKey[a["StructParent"].(int)] != ref || a["Contents"] == nil {
					r.t.Errorf("annotation %v", a)
				}
			}
		}
		return e
	}
	tree := walk(root["K"], r.catalog["StructTreeRoot"])
	if len(seen) != len(owners) {
		r.t.Errorf("%d of %d marked sequences are in the structure", len(seen), len(owners))
	}
	return tree
}

func (n *node) find(tag pdf.Name) (out []*node) {
	if n.tag == tag {
		out = append(out, n)
	}
	for _, k := range n.kids {
		out = append(out, k.find(tag)...)
	}
	return out
}

// say is the text of an element in reading order.
func (n *node) say(texts []shown) string {
	s := ""
	for _, m := range n.marks {
		for _, x := range texts {
			if x.page == m[0] && x.mark == m[1] {
				s += x.text
			}
		}
	}
	for _, k := range n.kids {
		s += k.say(texts)
	}
	return s
}

func TestEqualInputGivesEqualOctets(t *testing.T) {
	t.Parallel()
	a, b := octets(t, sample(t, 40)), octets(t, sample(t, 40))
	if !bytes.Equal(a, b) {
		t.Error("they differ")
	}
	if c := octets(t, sample(t, 41)); bytes.Equal(a[len(a)-200:], c[len(c)-200:]) {
		t.Error("another document has the same end")
	}
}

func TestFileSaysWhatItIs(t *testing.T) {
	t.Parallel()
	r := read(t, octets(t, sample(t, 3)))
	if r.d.Version != "1.7" || r.catalog["Lang"] != pdf.String("et") || r.dict(r.catalog["MarkInfo"])["Marked"] != true || r.dict(r.catalog["ViewerPreferences"])["DisplayDocTitle"] != true {
		t.Errorf("version %s, catalog %v", r.d.Version, r.catalog)
	}
	info := r.dict(r.d.Trailer["Info"])
	if title, _ := pdf.Get[pdf.String](r.d, info["Title"]); title.Text() != options().Title || info["CreationDate"] != pdf.String("D:20260417120000Z") {
		t.Errorf("information %v", info)
	}
	x, err := r.d.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(x)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	text := doc.Root().Text()
	for _, want := range []string{options().Title, "Office <of> tests", "All & blocks", "2026-04-17T12:00:00Z"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in the metadata", want)
		}
	}
	files, err := r.d.Files()
	if err != nil || len(files) != 1 || files[0].Name != "data.xml" || files[0].Relationship != "Alternative" || files[0].MimeType != "text/xml" || !files[0].Modified.Equal(noon) {
		t.Fatalf("%v %+v", err, files)
	}
	f, err := files[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(f); err != nil || string(b) != "<a/>" {
		t.Errorf("%s %v", b, err)
	}
	if list, _ := pdf.Get[pdf.Array](r.d, r.catalog["AF"]); len(list) != 1 {
		t.Errorf("associated files %v", list)
	}
}

func TestStructureSaysWhatPagesShow(t *testing.T) {
	t.Parallel()
	r := read(t, octets(t, sample(t, 60)))
	texts, tree := r.texts(), r.tree()
	one := func(tag pdf.Name, k int) string {
		t.Helper()
		list := tree.find(tag)
		if len(list) <= k {
			t.Fatalf("%d times %s", len(list), tag)
		}
		return list[k].say(texts)
	}
	for _, c := range []struct {
		tag  pdf.Name
		k    int
		want string
	}{
		{"H1", 0, options().Title}, {"H2", 0, "Seller"}, {"H2", 2, "What was done"}, {"Lbl", 0, "Name"}, {"LBody", 0, "Pärnu sadam"}, {"Link", 0, "to a place elsewhere"},
		{"Caption", 0, "Lines"}, {"Lbl", 5, "•"}, {"TH", 1, "Item"}, {"TH", 4, "1"}, {"TH", 63, "60"}, {"TD", 2, "1\u202f875,00\u00a0EUR"},
	} {
		if got := one(c.tag, c.k); got != c.want {
			t.Errorf("%s %d is %q, want %q", c.tag, c.k, got, c.want)
		}
	}
	p := one("P", 0)
	if !strings.HasPrefix(p, words+"Important words are bold, others lead . ") || !strings.HasSuffix(p, "to a place elsewhere") { // what is within comes last
		t.Errorf("paragraph %q", p)
	}
	if !strings.Contains(p, "Unknown: 日本 \U0001F600. nowhere") {
		t.Errorf("characters that the fonts lack: %q", p)
	}
	if n := len(tree.find("Link")); n != 1 {
		t.Errorf("%d links", n)
	}
	if rows := tree.find("TR"); len(rows) != 61 {
		t.Errorf("%d rows", len(rows))
	}
	for _, e := range tree.find("TH") {
		a := r.dict(e.dict["A"])
		if a["O"] != pdf.Name("Table") || a["Scope"] == nil {
			t.Errorf("header without scope: %v", a)
		}
	}
	if f := tree.find("Figure"); len(f) != 1 || f[0].dict["Alt"] != pdf.String("Colours") || len(f[0].marks) != 1 {
		t.Errorf("figure %+v", f)
	}
}

func TestTableRepeatsItsHead(t *testing.T) {
	t.Parallel()
	r := read(t, octets(t, sample(t, 60)))
	heads, tagged := map[int]int{}, 0
	feet := map[string]bool{}
	for _, s := range r.texts() {
		if s.text == "Net amount" {
			heads[s.page]++
			if s.mark >= 0 {
				tagged++
			}
		}
		if s.mark < 0 && strings.Contains(s.text, " / ") {
			feet[s.text] = true
		}
	}
	n := len(r.pages())
	if n < 3 || len(heads) != n || tagged != 1 {
		t.Errorf("%d pages, heads %v, %d in the structure", n, heads, tagged)
	}
	for i := range n {
		if heads[i] != 1 || !feet[fmt.Sprintf("%d / %d", i+1, n)] {
			t.Errorf("page %d: %d heads, feet %v", i+1, heads[i], feet)
		}
	}
}

func TestOutlineLeadsToSections(t *testing.T) {
	t.Parallel()
	r := read(t, octets(t, sample(t, 1)))
	root := r.dict(r.catalog["Outlines"])
	first := r.dict(root["First"])
	var titles []string
	for o := first["First"]; o != nil; o = r.dict(o)["Next"] {
		title, _ := pdf.Get[pdf.String](r.d, r.dict(o)["Title"])
		titles = append(titles, title.Text())
	}
	if got := strings.Join(titles, ", "); got != "Seller, Buyer, What was done, Lines, Totals" || root["Count"] != 6 || first["Count"] != 5 {
		t.Errorf("%s, %v, %v", got, root, first)
	}
}

func TestTallBlocksGoOnOnTheNextPage(t *testing.T) {
	t.Parallel()
	var rows []page.KeyValue
	for i := range 200 {
		rows = append(rows, page.KeyValue{Key: fmt.Sprintf("key %d", i), Value: page.Plain(strings.Repeat("value ", i%30))})
	}
	d := page.New(options())
	d.Add(page.Heading{Level: 1, Text: "x"}, page.Columns{Blocks: [][]page.Block{{page.KeyValues{Title: "Left", Rows: rows}}, {page.Paragraph{Text: page.Plain("short")}}, {page.KeyValues{Rows: rows[:150]}}}},
		page.Box{Blocks: []page.Block{page.Paragraph{Text: page.Plain(strings.Repeat(words, 80))}}},
		page.Table{Columns: []page.Column{{Title: "One"}, {Title: "Two"}}, Rows: [][]page.Cell{{page.Plain("a"), page.Plain(strings.Repeat(words, 100))}}},
		page.Paragraph{Text: page.Plain(strings.Repeat("unbroken", 2000))})
	r := read(t, octets(t, d))
	texts, tree := r.texts(), r.tree()
	labels := tree.find("Lbl")
	if len(labels) != 350 || labels[199].say(texts) != "key 199" || labels[349].say(texts) != "key 149" {
		t.Errorf("%d labels", len(labels))
	}
	if got := tree.find("P")[2].say(texts); got != strings.Repeat("unbroken", 2000) {
		t.Errorf("a long word became %d octets", len(got))
	}
	for _, s := range texts {
		if s.x < 53 || s.x > 595-54 || s.y < 30 || s.y < 60 && s.mark >= 0 || s.y > 842-50 {
			t.Errorf("%q stands at %.0f, %.0f on page %d", s.text, s.x, s.y, s.page+1)
		}
	}
}

func TestErrorsOfTheInput(t *testing.T) {
	t.Parallel()
	small := page.Picture{Data: drawn(t), Alt: "x"}
	huge := page.Picture{Data: bytes.Replace(drawn(t), []byte("IHDR\x00\x00\x00\x3c"), []byte("IHDR\x7f\xff\xff\xff"), 1), Alt: "huge"}
	for want, make := range map[string]func(o *page.Options, d *page.Document) *page.Document{
		"needs a title": func(o *page.Options, _ *page.Document) *page.Document { o.Title = ""; return page.New(*o) },
		"a time":        func(o *page.Options, _ *page.Document) *page.Document { o.Created = time.Time{}; return page.New(*o) },
		`heading "deep" of level 3 after level 1`: func(_ *page.Options, d *page.Document) *page.Document {
			d.Add(page.Heading{Level: 1, Text: "x"}, page.Heading{Level: 3, Text: "deep"})
			return d
		},
		`attachment "a"`: func(_ *page.Options, d *page.Document) *page.Document {
			d.Attach(page.Attachment{Name: "a"})
			d.Attach(page.Attachment{Name: "a"})
			return d
		},
		`picture ""`: func(_ *page.Options, d *page.Document) *page.Document {
			d.Add(page.Picture{Data: small.Data})
			return d
		},
		`picture "no"`: func(_ *page.Options, d *page.Document) *page.Document {
			d.Add(small, page.Picture{Data: []byte("GIF89a"), Alt: "no"})
			return d
		},
		`picture "huge"`: func(_ *page.Options, d *page.Document) *page.Document { d.Add(huge); return d },
	} {
		o := options()
		if _, err := make(&o, page.New(o)).Bytes(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestPicturesAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, pixels(false), nil); err != nil {
		t.Fatal(err)
	}
	d := page.New(options())
	d.Add(page.Picture{Data: b.Bytes(), Alt: "photo", Align: page.Center}, page.Picture{Data: drawn(t), Alt: "drawing", Align: page.Right, Width: 5000})
	r := read(t, octets(t, d))
	found := map[string]bool{}
	for _, p := range r.pages() {
		list, _ := pdf.Get[pdf.Dict](r.d, p.Resources["XObject"])
		for _, o := range list {
			s, ok := pdf.Get[*pdf.Stream](r.d, o)
			if !ok {
				t.Fatal("no stream")
			}
			switch s.Dict["Filter"] {
			case pdf.Name("DCTDecode"):
				raw, err := io.ReadAll(s.Raw())
				found["jpeg"] = err == nil && bytes.Equal(raw, b.Bytes())
			case pdf.Name("FlateDecode"):
				rgb := r.stream(o)
				found["png"] = len(rgb) == 3*60*40 && bytes.Equal(rgb[:3], []byte{255, 255, 255}) && bytes.Equal(rgb[3:6], []byte{4, 90, 0})
			}
		}
	}
	if !found["jpeg"] || !found["png"] {
		t.Errorf("%v", found)
	}
}

// complete adds the tables to a font that one within a PDF does without and the other implementation asks for.
func complete(program []byte) []byte {
	n := int(program[5])
	tables := map[string][]byte{
		"cmap": {0, 0, 0, 1, 0, 3, 0, 10, 0, 0, 0, 12, 0, 12, 0, 0, 0, 0, 0, 28, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 65, 0, 0, 0, 65, 0, 0, 0, 1},
		"name": {0, 0, 0, 0, 0, 6}, "post": append([]byte{0, 3, 0, 0}, make([]byte, 28)...),
	}
	var tags []string
	for i := range n {
		e := program[12+16*i:]
		at, length := binary.BigEndian.Uint32(e[8:]), binary.BigEndian.Uint32(e[12:])
		tables[string(e[:4])] = program[at : at+length]
	}
	for tag := range tables {
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	out := append([]byte{0, 1, 0, 0, 0, byte(len(tags)), 0, 128, 0, 3, 0, byte(16*len(tags) - 128)}, make([]byte, 16*len(tags))...)
	for i, tag := range tags {
		e := out[12+16*i:]
		copy(e, tag)
		binary.BigEndian.PutUint32(e[8:], uint32(len(out)))
		binary.BigEndian.PutUint32(e[12:], uint32(len(tables[tag])))
		out = append(out, tables[tag]...)
		for len(out)%4 != 0 {
			out = append(out, 0)
		}
	}
	return out
}

// The embedded fonts are read by another implementation.
func TestFontsHoldTheGlyphsTheyShow(t *testing.T) {
	t.Parallel()
	r := read(t, octets(t, sample(t, 1)))
	r.texts()
	for name, o := range r.dict(r.pages()[0].Resources["Font"]) {
		list, _ := pdf.Get[pdf.Array](r.d, r.dict(o)["DescendantFonts"])
		f := r.dict(list[0])
		widths, _ := pdf.Get[pdf.Array](r.d, f["W"])
		each := widths[1].(pdf.Array)
		program := r.stream(r.dict(f["FontDescriptor"])["FontFile2"])
		s, err := sfnt.Parse(complete(program))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(r.fonts[string(name)])+1 != len(each) || s.NumGlyphs() < len(each) {
			t.Errorf("%s: %d characters, %d widths, %d glyphs", name, len(r.fonts[string(name)]), len(each), s.NumGlyphs())
		}
		var buf sfnt.Buffer
		for hex, text := range r.fonts[string(name)] {
			n, _ := strconv.ParseUint(hex, 16, 16)
			segments, err := s.LoadGlyph(&buf, sfnt.GlyphIndex(n), 1000<<6, nil)
			if err != nil {
				t.Fatalf("%s: %q: %v", name, text, err)
			}
			if visible := strings.TrimSpace(text) != ""; visible != (len(segments) > 0) {
				t.Errorf("%s: %q has %d segments", name, text, len(segments))
			}
			wide, err := s.GlyphAdvance(&buf, sfnt.GlyphIndex(n), 1000<<6, 0)
			if err != nil {
				t.Fatal(err)
			}
			if w := each[n].(int); wide.Round()-w > 1 || w-wide.Round() > 1 {
				t.Errorf("%s: %q is %v wide, not %d", name, text, wide, w)
			}
		}
	}
}

// Whatever the text, each word is shown once, in order, and within the margins.
func TestTextIsKept(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab cd-e\n\u00a0fg/Ωж€.,日")), 0, 600, -1).Draw(rt, "text")
		wide := rapid.Float64Range(0, 1000).Draw(rt, "width")
		o := options()
		o.Width, o.Height = 250+wide, 300
		d := page.New(o)
		d.Add(page.Paragraph{Text: page.Plain(text), Align: page.Align(rapid.IntRange(0, 2).Draw(rt, "align"))},
			page.Table{Columns: []page.Column{{Title: "a"}, {Title: "b", Align: page.Right}, {Title: "c"}}, Rows: [][]page.Cell{{page.Plain(text), page.Plain(text), page.Plain("x")}}})
		b, err := d.Bytes()
		if err != nil {
			rt.Fatal(err)
		}
		r := read(t, b)
		texts, tree := r.texts(), r.tree()
		plain := func(s string) string {
			return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\n' }), "")
		}
		for _, e := range append(tree.find("P"), tree.find("TD")[:2]...) {
			if got := plain(e.say(texts)); got != plain(text) {
				rt.Fatalf("%q became %q", plain(text), got)
			}
		}
		for _, s := range texts {
			if s.x < 53.9 || s.x > o.Width-53.9 {
				rt.Fatalf("%q begins at %.1f of %.1f", s.text, s.x, o.Width)
			}
		}
	})
}

// Long texts cost time in proportion to their length.
func TestLongTextIsLaidOutOnce(t *testing.T) {
	t.Parallel()
	long := page.Plain(strings.Repeat(words, 20000))
	d := page.New(options())
	d.Add(page.Columns{Blocks: [][]page.Block{{page.KeyValues{Rows: []page.KeyValue{{Key: "k", Value: long}}}}, nil}}, page.KeyValues{Rows: []page.KeyValue{{Key: "k", Value: long}}})
	if n := len(read(t, octets(t, d)).pages()); n < 2000 {
		t.Errorf("%d pages", n)
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", "A\u0301 e\u0300\u202f1\u00ad2\ufeff3\x00\x07", "\xff\xfe", "שלום", "\ue000\uffff", strings.Repeat("w", 300), "\n\n \t\r\n"} {
		f.Add(s, uint8(3))
	}
	f.Fuzz(func(t *testing.T, s string, n uint8) {
		o := options()
		o.Subject, o.Author, o.Footer = s, s, s
		d := page.New(o)
		d.Add(page.Heading{Level: 1, Text: s}, page.Paragraph{Text: []page.Text{{Value: s, Bold: true}, {Value: s, Small: true, Link: "https:///" + s}}}, page.List{Items: [][]page.Text{page.Plain(s)}},
			page.KeyValues{Title: s, Rows: []page.KeyValue{{Key: s, Value: page.Plain(s), Strong: true}}}, page.Table{Caption: s, Columns: make([]page.Column, n%12), Rows: [][]page.Cell{{page.Plain(s), page.Plain(s)}}})
		d.Attach(page.Attachment{Name: "n" + s, Description: s, MimeType: s})
		r := read(t, octets(t, d))
		r.texts()
		r.tree()
		x, err := r.d.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(x)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dom.Parse(b, dom.Limits{}); err != nil {
			t.Fatalf("metadata: %v", err)
		}
	})
}

func BenchmarkDocument(b *testing.B) {
	for _, rows := range []int{10, 1000} {
		b.Run(fmt.Sprintf("%drows", rows), func(b *testing.B) {
			table := lines(rows)
			b.ReportAllocs()
			for b.Loop() {
				d := page.New(options())
				d.Add(page.Heading{Level: 1, Text: "Lines"}, table)
				if _, err := d.Bytes(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func Example() {
	d := page.New(page.Options{Title: "Report", Language: "en", Created: noon})
	d.Add(
		page.Heading{Level: 1, Text: "Report"},
		page.Paragraph{Text: page.Plain("Three files were read.")},
		page.Table{Caption: "Files", RowHeads: true, Columns: []page.Column{{Title: "File"}, {Title: "Findings", Align: page.Right}},
			Rows: [][]page.Cell{{page.Plain("a.xml"), page.Plain("3")}}},
	)
	octets, err := d.Bytes()
	fmt.Println(string(octets[:8]), err)
	// Output: %PDF-1.7 <nil>
}
