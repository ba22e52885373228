package pdf_test

import (
	"bytes"
	"compress/lzw"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/internal/pdftest"
	"github.com/viadukt-eu/viadukt/pdf"
)

func ref(n int) pdf.Ref { return pdf.Ref{Number: n} }

func open(t testing.TB, b []byte) *pdf.Document {
	t.Helper()
	d, err := pdf.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// simple is a file of two pages with an embedded file.
func simple(t testing.TB) []byte {
	return pdftest.File(t, false,
		pdf.Dict{"Type": pdf.Name("Catalog"), "Pages": ref(2), "Names": pdf.Dict{"EmbeddedFiles": ref(6)}, "AF": pdf.Array{ref(7)}, "Metadata": ref(9)},
		pdf.Dict{"Type": pdf.Name("Pages"), "Kids": pdf.Array{ref(3), ref(4)}, "Count": 2, "MediaBox": pdf.Array{0, 0, 595.5, 842}, "Rotate": -90},
		pdf.Dict{"Type": pdf.Name("Page"), "Parent": ref(2), "Contents": ref(5)},
		pdf.Dict{"Type": pdf.Name("Page"), "Parent": ref(2), "Rotate": 180, "MediaBox": pdf.Array{100, 200, 0, 0}},
		pdf.Compress(nil, []byte("0 0 10 10 re f")),
		pdf.Dict{"Names": pdf.Array{pdf.String("b"), ref(7)}},
		pdf.Dict{"Type": pdf.Name("Filespec"), "F": pdf.String("f.xml"), "UF": pdf.Text("fäctur-x.xml"), "AFRelationship": pdf.Name("Alternative"), "EF": pdf.Dict{"F": ref(8)}},
		pdf.Compress(pdf.Dict{"Type": pdf.Name("EmbeddedFile"), "Subtype": pdf.Name("text/xml"), "Params": pdf.Dict{"Size": 4, "ModDate": pdf.String("D:20240229120000+01'30'")}}, []byte("<a/>")),
		&pdf.Stream{Dict: pdf.Dict{"Type": pdf.Name("Metadata")}, Data: []byte("<x:xmpmeta/>")},
	)
}

func TestPagesInheritAndFilesAreListed(t *testing.T) {
	t.Parallel()
	d := open(t, simple(t))
	if d.Repaired || len(d.Problems) > 0 || d.Version != "1.7" {
		t.Errorf("%s %v %v", d.Version, d.Repaired, d.Problems)
	}
	pages, err := d.Pages()
	if err != nil || len(pages) != 2 {
		t.Fatal(pages, err)
	}
	if p := pages[0]; p.MediaBox != [4]float64{0, 0, 595.5, 842} || p.Rotate != 270 || p.Ref != ref(3) {
		t.Errorf("%+v", p)
	}
	if p := pages[1]; p.MediaBox != [4]float64{0, 0, 100, 200} || p.CropBox != p.MediaBox || p.Rotate != 180 {
		t.Errorf("%+v", p)
	}
	files, err := d.Files()
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	f := files[0]
	if f.Name != "fäctur-x.xml" || f.MimeType != "text/xml" || f.Relationship != "Alternative" || f.Size != 4 || !f.Modified.Equal(time.Date(2024, 2, 29, 10, 30, 0, 0, time.UTC)) {
		t.Errorf("%+v", f)
	}
	r, err := f.Open()
	if b, err2 := io.ReadAll(r); err != nil || err2 != nil || string(b) != "<a/>" {
		t.Errorf("%q %v %v", b, err, err2)
	}
	r, err = d.Metadata()
	if b, err2 := io.ReadAll(r); err != nil || err2 != nil || string(b) != "<x:xmpmeta/>" {
		t.Errorf("%q %v %v", b, err, err2)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		object pdf.Object
		octets string
	}{
		{nil, "null"}, {true, "true"}, {-7, "-7"}, {0.25, "0.25"}, {pdf.Name("A B#/é"), "/A#20B#23#2F#C3#A9"},
		{pdf.String("a(b\\\r\n\x00)"), "(a\\(b\\\\\\r\n\x00\\))"},
		{pdf.Array{1, ref(3), pdf.Name("X"), pdf.Array{}}, "[1 3 0 R /X []]"},
		{pdf.Dict{"B": 1, "Type": pdf.Name("T"), "A": pdf.Dict{}, "None": nil}, "<</Type /T /A <<>> /B 1>>"},
	} {
		var b bytes.Buffer
		if err := pdf.Write(&b, c.object); err != nil || b.String() != c.octets {
			t.Errorf("%v: %q %v", c.object, b.String(), err)
		}
		back, err := pdf.ParseObject(b.Bytes())
		var again bytes.Buffer
		if err2 := pdf.Write(&again, back); err != nil || err2 != nil || again.String() != c.octets {
			t.Errorf("%q is read as %#v, %v %v", c.octets, back, err, err2)
		}
	}
	var b bytes.Buffer
	if err := pdf.Write(&b, pdf.Hex("\x00\xab")); err != nil || b.String() != "<00ab>" {
		t.Errorf("%q %v", b.String(), err)
	}
	if err := pdf.Write(&b, 3*time.Second); err == nil {
		t.Error("a duration was written")
	}
}

func TestObjectsAsTheyAreFound(t *testing.T) {
	t.Parallel()
	for octets, want := range map[string]pdf.Object{
		"(\\101\\7\\53x\\\r\ny\\q)":     pdf.String("A\x07+xyq"),
		"(a\r\nb\rc)":                   pdf.String("a\nb\nc"),
		"<4 1 4>":                       pdf.String("A@"),
		"+17":                           17,
		"-.002":                         -0.002,
		"4.":                            4.0,
		"/":                             pdf.Name(""),
		"/A#42":                         pdf.Name("AB"),
		"% comment\n null % and behind": nil,
		"12 0 R":                        ref(12),
	} {
		if got, err := pdf.ParseObject([]byte(octets)); err != nil || got != want {
			t.Errorf("%q: %#v %v", octets, got, err)
		}
	}
	for _, octets := range []string{"", "(", "<4", "<4g>", "[1", "<</A", "<</A 1>", "<<1 2>>", "xyz", "1 2", ">", "1.2.3", strings.Repeat("[", 1000)} {
		if got, err := pdf.ParseObject([]byte(octets)); err == nil {
			t.Errorf("%q is read as %v", octets, got)
		}
	}
}

func TestTextAndDates(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", "Ünïcødé €", "日本 😀"} {
		if got := pdf.Text(s).Text(); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	for octets, want := range map[pdf.String]string{"\xef\xbb\xbfé": "é", "\xff\xfeA\x00": "A", "\xa0\x80\x18é": "€•˘Ã©"} {
		if got := octets.Text(); got != want {
			t.Errorf("%q became %q, want %q", octets, got, want)
		}
	}
	for _, when := range []time.Time{time.Date(2026, 5, 4, 9, 30, 1, 0, time.UTC), time.Date(2026, 5, 4, 9, 30, 1, 0, time.FixedZone("", -12600))} {
		if got, err := pdf.ParseDate(pdf.Date(when)); err != nil || !got.Equal(when) {
			t.Errorf("%v became %v, %v", when, got, err)
		}
	}
	if got, err := pdf.ParseDate("D:2019"); err != nil || !got.Equal(time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Error(got, err)
	}
	for _, s := range []pdf.String{"", "D:", "D:20191301", "yesterday", "D:20190230"} {
		if got, err := pdf.ParseDate(s); err == nil {
			t.Errorf("%q is %v", s, got)
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	d := open(t, simple(t))
	flate := func(b string) string { return string(pdf.Compress(nil, []byte(b)).Data) }
	parms := func(kv ...any) pdf.Dict {
		out := pdf.Dict{}
		for i := 0; i < len(kv); i += 2 {
			out[pdf.Name(kv[i].(string))] = kv[i+1]
		}
		return out
	}
	for _, c := range []struct {
		name   string
		filter pdf.Object
		parms  pdf.Object
		data   string
		want   string
	}{
		{"none", nil, nil, "abc", "abc"},
		{"hexadecimal", pdf.Name("ASCIIHexDecode"), nil, "61 62\n637>zz", "abcp"},
		{"base 85", pdf.Name("ASCII85Decode"), nil, "87cUR\nD]i,\"z~>", "Hello Wo\x00\x00\x00\x00"},
		{"runs", pdf.Name("RunLengthDecode"), nil, "\x02abc\xfex\x80rest", "abcxxx"},
		{"LZW of the standard's example", pdf.Name("LZWDecode"), nil, "\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01", "\x2d\x2d\x2d\x2d\x2d\x41\x2d\x2d\x2d\x42"},
		{"one in another", pdf.Array{pdf.Name("ASCIIHexDecode"), pdf.Name("FlateDecode")}, nil, fmt.Sprintf("%x>", flate("deep")), "deep"},
		{"PNG up", pdf.Name("FlateDecode"), parms("Predictor", 12, "Columns", 3), flate("\x02abc\x02\x01\x01\x01"), "abcbcd"},
		{"PNG sub, average, Paeth", pdf.Name("FlateDecode"), parms("Predictor", 15, "Columns", 2), flate("\x01\x01\x01\x03\x02\x03\x04\x01\x01"), "\x01\x02\x02\x05\x03\x06"},
		{"TIFF", pdf.Name("FlateDecode"), parms("Predictor", 2, "Columns", 2, "Colors", 2), flate("\x01\x02\x03\x04"), "\x01\x02\x04\x06"},
	} {
		s := &pdf.Stream{Dict: pdf.Dict{"Filter": c.filter, "DecodeParms": c.parms}, Data: []byte(c.data)}
		if b, err := d.Bytes(s, 1000); err != nil || string(b) != c.want {
			t.Errorf("%s: %q %v", c.name, b, err)
		}
	}
	if _, err := d.Decode(&pdf.Stream{Dict: pdf.Dict{"Filter": pdf.Name("DCTDecode")}}); !errors.Is(err, pdf.ErrFilter) {
		t.Error(err)
	}
	bomb := pdf.Compress(nil, make([]byte, 40<<20))
	bomb = pdf.Compress(pdf.Dict{}, bomb.Data)
	bomb.Dict["Filter"] = pdf.Array{pdf.Name("FlateDecode"), pdf.Name("FlateDecode")}
	r, err := d.Decode(bomb)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r); !errors.Is(err, pdf.ErrLimit) || n > 20<<20 {
		t.Errorf("a bomb gave %d octets, %v", n, err)
	}
}

// Codes widen and their table fills up several times.
func TestLongLZW(t *testing.T) {
	t.Parallel()
	d := open(t, simple(t))
	var plain []byte
	for i := range 200_000 {
		plain = append(plain, byte(i*i>>7), byte(i>>3))
	}
	var b bytes.Buffer
	w := lzw.NewWriter(&b, lzw.MSB, 8)
	w.Write(plain)
	w.Close()
	s := &pdf.Stream{Dict: pdf.Dict{"Filter": pdf.Name("LZWDecode"), "DecodeParms": pdf.Dict{"EarlyChange": 0}}, Data: b.Bytes()}
	if got, err := d.Bytes(s, 1<<20); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%d octets of %d, %v", len(got), len(plain), err)
	}
}

// A hybrid file hides objects in object streams from old readers: its table says that they are free.
func TestHybridFiles(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	b.WriteString("%PDF-1.5\n")
	var at [6]int
	write := func(n int, o pdf.Object) {
		at[n] = b.Len()
		if err := pdf.WriteIndirect(&b, ref(n), o); err != nil {
			t.Fatal(err)
		}
	}
	write(1, pdf.Dict{"Type": pdf.Name("Catalog"), "Pages": ref(2), "Hidden": ref(4)})
	write(2, pdf.Dict{"Type": pdf.Name("Pages"), "Kids": pdf.Array{}, "Count": 0})
	write(3, pdf.Compress(pdf.Dict{"Type": pdf.Name("ObjStm"), "N": 1, "First": 4}, []byte("4 0 (hidden)")))
	rows := []byte{2, 0, 3, 0}
	write(5, pdf.Compress(pdf.Dict{"Type": pdf.Name("XRef"), "Size": 6, "W": pdf.Array{1, 2, 1}, "Index": pdf.Array{4, 1}}, rows))
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 5\n0000000004 65535 f \n%010d 00000 n \n%010d 00000 n \n%010d 00000 n \n0000000000 00000 f \ntrailer\n<</Size 6/Root 1 0 R/XRefStm %d>>\nstartxref\n%d\n%%%%EOF", at[1], at[2], at[3], at[5], start)
	for range 2 {
		d := open(t, b.Bytes())
		catalog, err := d.Catalog()
		if s, _ := pdf.Get[pdf.String](d, catalog["Hidden"]); err != nil || s != "hidden" || d.Repaired || len(d.Problems) > 0 {
			t.Errorf("%q %v %v", s, err, d.Problems)
		}
		updated := changeTitle(t, b.Bytes())
		b.Reset()
		b.Write(updated)
	}
}

func TestBrokenCrossReferencesAreRepaired(t *testing.T) {
	t.Parallel()
	good := simple(t)
	for name, b := range map[string][]byte{
		"startxref leads astray":   bytes.Replace(good, []byte("startxref\n"), []byte("startxref\n9"), 1),
		"no cross-references":      good[:bytes.Index(good, []byte("xref\n"))],
		"entries lead astray":      bytes.ReplaceAll(good, []byte("00000 n"), []byte("00007 n")),
		"lines before the header":  append([]byte("HTTP/1.1 200 OK\r\n\r\n"), good...),
		"offsets a little too low": bytes.Replace(good, []byte("%PDF-1.7\n"), []byte("%PDF-1.7\n%%%\n"), 1),
	} {
		d, err := pdf.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(d.Problems) == 0 {
			t.Errorf("%s: not reported", name)
		}
		if pages, err := d.Pages(); err != nil || len(pages) != 2 {
			t.Errorf("%s: %d pages, %v", name, len(pages), err)
		}
	}
}

func TestHostileFilesAreRefused(t *testing.T) {
	t.Parallel()
	catalog := pdf.Dict{"Type": pdf.Name("Catalog"), "Pages": ref(2)}
	for name, b := range map[string][]byte{
		"nothing":                     nil,
		"another format":              []byte("PK\x03\x04"),
		"no catalog":                  pdftest.File(t, false, pdf.Dict{"Type": pdf.Name("Other")}, 7)[:40],
		"pages lead in a circle":      pdftest.File(t, false, catalog, pdf.Dict{"Kids": pdf.Array{ref(2)}}),
		"pages below themselves":      pdftest.File(t, false, catalog, pdf.Dict{"Kids": pdf.Array{ref(3)}}, pdf.Dict{"Kids": pdf.Array{ref(2)}}),
		"root of pages no dictionary": pdftest.File(t, false, catalog, 7),
		"references in a circle":      pdftest.File(t, false, catalog, ref(3), ref(2)),
	} {
		d, err := pdf.Open(bytes.NewReader(b), int64(len(b)))
		if err == nil {
			_, err = d.Pages()
		}
		if !errors.Is(err, pdf.ErrFormat) && !errors.Is(err, pdf.ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	crypt := bytes.Replace(simple(t), []byte("/Root 1 0 R"), []byte("/Encrypt <<>> /Root 1 0 R"), 1)
	if _, err := pdf.Open(bytes.NewReader(crypt), int64(len(crypt))); !errors.Is(err, pdf.ErrEncrypted) {
		t.Error(err)
	}
}

// What others made is read whole: each object, each page, each stream whose filter is known.
func TestCorpusIsRead(t *testing.T) {
	t.Parallel()
	refused := []string{"EmptyPage-corrupted.pdf", "EmptyPage-corrupted2.pdf"}
	encrypted := []string{"open_protected.pdf"} // two others open without a password
	read := 0
	dir := corpus.Dir(t, "esignature")
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".pdf" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		d, err := pdf.Open(bytes.NewReader(b), int64(len(b)))
		if slices.Contains(encrypted, e.Name()) {
			if !errors.Is(err, pdf.ErrEncrypted) {
				t.Errorf("%s: %v", e.Name(), err)
			}
			return nil
		}
		var pages []pdf.Page
		if err == nil {
			pages, err = d.Pages()
		}
		if slices.Contains(refused, e.Name()) {
			if err == nil {
				t.Errorf("%s: %d pages", e.Name(), len(pages))
			}
			return nil
		}
		if err != nil || len(pages) == 0 {
			t.Errorf("%s: %d pages, %v", e.Name(), len(pages), err)
			return nil
		}
		for _, r := range d.Revisions {
			for n := range r.Numbers {
				o, err := d.Resolve(ref(n))
				if err != nil {
					t.Errorf("%s: %d: %v", e.Name(), n, err)
				}
				if s, ok := o.(*pdf.Stream); ok {
					if _, err := d.Bytes(s, 16<<20); err != nil && !errors.Is(err, pdf.ErrFilter) {
						t.Errorf("%s: %d: %v", e.Name(), n, err)
					}
				}
			}
		}
		if len(d.Problems) > 0 {
			t.Logf("%s: %v", e.Name(), d.Problems)
		}
		read++
		return nil
	})
	if err != nil || read < 25 {
		t.Errorf("%d files, %v", read, err)
	}
	t.Logf("%d files read whole", read)
}
