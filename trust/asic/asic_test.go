package asic

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/xmldsig"
)

func content(name, text string) Content {
	return Content{Name: name, MimeType: "text/plain", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

// pack writes a container of files, name and text in turn.
func pack(t testing.TB, kind Type, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, kind, time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(files); i += 2 {
		if err := w.Add(files[i], strings.NewReader(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(t testing.TB, b []byte) *Container {
	t.Helper()
	c, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAContainerIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	files := []Content{content("a.txt", "one"), content("folder/größe 1.txt", "two")}
	m, err := WriteManifest("META-INF/signature001.p7s", "application/pkcs7-signature", files, xmldsig.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	b := pack(t, E, "a.txt", "one", "folder/größe 1.txt", "two", "META-INF/ASiCManifest001.xml", string(m), "META-INF/signature001.p7s", "signature")
	if string(b[38:38+len(MimeTypeE)]) != MimeTypeE {
		t.Errorf("the media type does not begin at octet 38: %q", b[:80])
	}
	c := open(t, b)
	if c.Type != E || c.MimeType != MimeTypeE || !c.First || len(c.Data()) != 2 {
		t.Errorf("read back: %+v", c)
	}
	manifests, unreadable := c.Manifests()
	if len(unreadable) > 0 || len(manifests) != 1 {
		t.Fatalf("%d manifests, %v", len(manifests), unreadable)
	}
	got := manifests[0]
	if got.Signature != "META-INF/signature001.p7s" || !bytes.Equal(got.Octets, m) || len(got.Objects) != 2 {
		t.Errorf("manifest %+v", got)
	}
	sum := sha256.Sum256([]byte("two"))
	if o := got.Objects[1]; o.Name != "folder/größe 1.txt" || !bytes.Equal(o.Digest, sum[:]) || o.MimeType != "text/plain" {
		t.Errorf("object %+v", o)
	}
	f, err := c.File(got.Objects[1].Name)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := f.Bytes(); err != nil || string(text) != "two" {
		t.Errorf("%q, %v", text, err)
	}
	if again := pack(t, E, "a.txt", "one"); !bytes.Equal(again, pack(t, E, "a.txt", "one")) {
		t.Error("equal files make other octets")
	}
}

func TestTheKindIsToldWithoutAMediaType(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files []string
		want  Type
	}{
		"one file and a signature":   {[]string{"a", "x", "META-INF/signatures.xml", "<x/>"}, S},
		"one file and a time-stamp":  {[]string{"a", "x", "META-INF/timestamp.tst", "x"}, S},
		"two files and a signature":  {[]string{"a", "x", "b", "y", "META-INF/signatures1.xml", "<x/>"}, E},
		"a file, manifest, signed":   {[]string{"a", "x", "META-INF/ASiCManifest.xml", "<x/>", "META-INF/signature.p7s", "x"}, E},
		"upper and lower case mixed": {[]string{"a", "x", "META-INF/Signatures.XML", "<x/>"}, S},
	} {
		if got := open(t, plain(t, c.files...)).Type; got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	b := plain(t, "a", "x")
	if _, err := Open(bytes.NewReader(b), int64(len(b))); !errors.Is(err, ErrFormat) {
		t.Errorf("a zip file without signatures: %v", err)
	}
}

// plain writes a zip file with whatever names.
func plain(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := z.CreateHeader(&zip.FileHeader{Name: files[i], Method: zip.Deflate})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHostileContainersAreRefused(t *testing.T) {
	t.Parallel()
	const sig = "META-INF/signatures.xml"
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"out of the folder": {plain(t, "../a", "x", sig, "<x/>"), ErrName},
		"an absolute name":  {plain(t, "/etc/passwd", "x", sig, "<x/>"), ErrName},
		"a drive":           {plain(t, "C:/x", "x", sig, "<x/>"), ErrName},
		"a backslash":       {plain(t, `a\b`, "x", sig, "<x/>"), ErrName},
		"a name too long":   {plain(t, strings.Repeat("a", maxName+1), "x", sig, "<x/>"), ErrName},
		"a name that is not in UTF-8 and says so": {named(t, 0x800, "\x82.txt"), ErrName},
		"an old name out of the folder":           {named(t, 0, "../\x82.txt"), ErrName},
		"an old name with a backslash":            {named(t, 0, "\x82\\x"), ErrName},
		"two old names, one name":                 {named(t, 0, "\x82.txt", "\x82.txt"), ErrTwice},
		"an old name and its like in UTF-8":       {named(t, 0, "\x82.txt", "é.txt"), ErrTwice},
		"one name twice":                          {plain(t, "a", "x", "a", "y", sig, "<x/>"), ErrTwice},
		"no zip file":                             {[]byte("PK\x03\x04 and nothing more"), ErrFormat},
		"cut off in the midst":                    {plain(t, "a", "x", sig, "<x/>")[:60], ErrFormat},
	} {
		if _, err := Open(bytes.NewReader(c.b), int64(len(c.b))); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	bomb := open(t, plain(t, "a", strings.Repeat("\x00", 16<<20), sig, "<x/>"))
	f, err := bomb.File("a")
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r); !errors.Is(err, ErrLimit) || n > 2*expandFrom {
		t.Errorf("a bomb: %d octets, %v", n, err)
	}
	liar := lying(t)
	if f, err = open(t, liar).File("a"); err == nil {
		_, err = f.Bytes()
	}
	if !errors.Is(err, ErrFormat) {
		t.Errorf("a file that is not what its directory says: %v", err)
	}
}

// lying is a container whose directory states the size of another file.
func lying(t testing.TB) []byte {
	t.Helper()
	var packed, b bytes.Buffer
	d, err := flate.NewWriter(&packed, 9)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(d, "twelve octets")
	d.Close()
	z := zip.NewWriter(&b)
	for _, name := range []string{"a", "META-INF/signatures.xml"} {
		f, err := z.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Deflate, CRC32: crc32.ChecksumIEEE([]byte("other")), CompressedSize64: uint64(packed.Len()), UncompressedSize64: 5})
		if err != nil {
			t.Fatal(err)
		}
		f.Write(packed.Bytes())
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func FuzzOpen(f *testing.F) {
	f.Add(pack(f, E, "a", "x", "META-INF/signatures001.xml", "<x/>"))
	f.Add(plain(f, "a", "x", "META-INF/ASiCManifest.xml", `<asic:ASiCManifest xmlns:asic="`+Namespace+`"/>`, "META-INF/signature.p7s", "x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		c.Manifests()
		for _, file := range c.Files {
			if strings.Contains(file.Name, "..") && strings.HasPrefix(file.Name, "../") {
				t.Errorf("name %q", file.Name)
			}
			file.Bytes()
		}
	})
}

func TestWhatDoesNotGetSmallerIsStored(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 200_000)
	x := uint32(1)
	for i := range noise {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		noise[i] = byte(x)
	}
	c := open(t, pack(t, E, "noise.bin", string(noise), "text.txt", strings.Repeat("all the same ", 20_000)))
	for name, want := range map[string]bool{"noise.bin": false, "text.txt": true} {
		f, err := c.File(name)
		if err != nil {
			t.Fatal(err)
		}
		if smaller := int64(f.zip.CompressedSize64) < f.Size; smaller != want || f.zip.Method != zip.Deflate {
			t.Errorf("%s: method %d, smaller %v, want %v", name, f.zip.Method, smaller, want)
		}
	}
}

func TestReplacingAFileLeavesTheOthersAsTheyArePacked(t *testing.T) {
	t.Parallel()
	old := open(t, pack(t, E, "a.txt", "hello", "META-INF/signatures.xml", "<old/>", "b.txt", strings.Repeat("b", 5000)))
	var out bytes.Buffer
	if err := old.Edit(&out, Edit{Replace: map[string][]byte{"META-INF/signatures.xml": []byte("<new/>")}}); err != nil {
		t.Fatal(err)
	}
	c := open(t, out.Bytes())
	if c.Type != E || !c.First || len(c.Files) != len(old.Files) {
		t.Errorf("type %s, mimetype first %v, %d files", c.Type, c.First, len(c.Files))
	}
	for i, f := range c.Files {
		b, err := f.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		was, err := old.Files[i].Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == "META-INF/signatures.xml" {
			was = []byte("<new/>")
		}
		if f.Name != old.Files[i].Name || !bytes.Equal(b, was) || (f.Name != "META-INF/signatures.xml" && f.zip.CompressedSize64 != old.Files[i].zip.CompressedSize64) {
			t.Errorf("%s: %.20q, want %s: %.20q", f.Name, b, old.Files[i].Name, was)
		}
	}
}

// named makes a container whose files have the given octets for names.
func named(t *testing.T, flags uint16, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range append([]string{"META-INF/signatures.xml"}, names...) {
		h := &zip.FileHeader{Name: name, Flags: flags, CRC32: crc32.ChecksumIEEE([]byte("x")), CompressedSize64: 1, UncompressedSize64: 1}
		w, err := z.CreateRaw(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Names of before UTF-8 are told apart, and stay as they are when the container is written anew.
func TestNamesOfCodePages(t *testing.T) {
	t.Parallel()
	b := named(t, 0, "\x82\xa0hat\xa0rozat.pdf", "één.txt")
	for i := range 2 {
		c, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"éáhatározat.pdf", "één.txt"} {
			if f, err := c.File(name); err != nil || f.Size != 1 {
				t.Errorf("%s: %v", name, err)
			}
		}
		var again bytes.Buffer
		if err := c.Edit(&again, Edit{Add: []Small{{Name: fmt.Sprintf("META-INF/more%d.xml", i), Octets: []byte("<x/>")}}}); err != nil {
			t.Fatal(err)
		}
		b = again.Bytes()
		if !bytes.Contains(b, []byte("\x82\xa0hat\xa0rozat.pdf")) {
			t.Error("the name is not what it was")
		}
	}
}

// zeros are octets that shrink as none others do.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// What is packed is not packed so far that a reader refuses it, wherever the zeros begin and end.
func TestNothingIsPackedTooFar(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789 of a text that shrinks a little, and then more\n", 3000)
	for _, head := range []int{0, 5000, len(text)} {
		for _, size := range []int64{expandFrom - 1, expandFrom, expandFrom + 1, 2*expandFrom + 1, 5*expandFrom + 77, 40 * expandFrom} {
			var b bytes.Buffer
			w, err := NewWriter(&b, E, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.New()
			if err := w.Add("zeros.bin", io.TeeReader(io.MultiReader(strings.NewReader(text[:head]), io.LimitReader(zeros{}, size)), sum)); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			c, err := OpenZIP(bytes.NewReader(b.Bytes()), int64(b.Len()))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := c.Files[1].Digest(crypto.SHA256); err != nil || !bytes.Equal(got, sum.Sum(nil)) {
				t.Errorf("%d zeros behind %d octets, packed to %d: %v", size, head, b.Len(), err)
			}
		}
	}
}

// hollow keeps the first kilobytes that are written and all from an offset on; between them it reads as zeros.
type hollow struct {
	from, size  int64
	first, last []byte
}

const firstKept = 4 << 10

func (h *hollow) Write(p []byte) (int, error) {
	if h.size < firstKept {
		h.first = append(h.first, p[:min(int64(len(p)), firstKept-h.size)]...)
	}
	if h.size += int64(len(p)); h.size > h.from {
		h.last = append(h.last, p[len(p)-int(min(int64(len(p)), h.size-h.from)):]...)
	}
	return len(p), nil
}

func (h *hollow) ReadAt(p []byte, off int64) (int, error) {
	if off >= h.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), h.size-off))
	clear(p[:n])
	if off < firstKept {
		copy(p[:n], h.first[off:])
	}
	if from := h.from - off; from < int64(n) {
		copy(p[max(from, 0):n], h.last[max(-from, 0):])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Sizes and offsets beyond 32 bits are those of ZIP64: what stands behind four gigabytes is listed, read, replaced and extracted.
func TestFilesBehindFourGigabytes(t *testing.T) {
	t.Parallel()
	const size = 4<<30 + 16<<20
	to := &hollow{from: size}
	z := zip.NewWriter(to)
	raw, err := z.CreateRaw(&zip.FileHeader{Name: "large.bin", Method: zip.Store, CompressedSize64: size, UncompressedSize64: size, Flags: 8})
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 16<<20)
	for range size / len(block) {
		if _, err := raw.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"note.txt": "behind", "META-INF/signatures.xml": "<signatures/>"} {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	check := func(to *hollow, note string) *Container {
		t.Helper()
		c, err := Open(to, to.size)
		if err != nil {
			t.Fatal(err)
		}
		large, err := c.File("large.bin")
		if err != nil || large.Size != size {
			t.Errorf("%+v, %v", large, err)
		}
		f, err := c.File("note.txt")
		if err != nil {
			t.Fatal(err)
		}
		if b, err := f.Bytes(); err != nil || string(b) != note {
			t.Errorf("%q, %v", b, err)
		}
		return c
	}
	c := check(to, "behind")
	edited := &hollow{from: size}
	if err := c.Edit(edited, Edit{Replace: map[string][]byte{"note.txt": []byte("replaced")}}); err != nil {
		t.Fatal(err)
	}
	check(edited, "replaced")
}
