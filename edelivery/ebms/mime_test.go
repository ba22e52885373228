package ebms

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

const multipartB = `multipart/related; boundary="b"; type="application/soap+xml"`

// body turns the lines of a readable body into one with CR LF.
func body(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// parts reads all parts: "content-id:content", joined by "|", and the outcome in one word.
func parts(r *MIMEReader) (string, error) {
	var out []string
	for {
		p, err := r.Next()
		if err == io.EOF {
			return strings.Join(out, "|"), nil
		}
		if err != nil {
			return strings.Join(out, "|"), err
		}
		b, err := io.ReadAll(p)
		out = append(out, p.ContentID+":"+string(b))
		if err != nil {
			return strings.Join(out, "|"), err
		}
	}
}

var mimeCases = []struct {
	name, contentType, body string
	lim                     Limits
	want                    string // of parts
	outcome                 string
}{
	{"two parts", multipartB, body("--b\nContent-ID: <a>\n\none\n--b\nContent-ID: <c>\n\ntwo\n--b--\n"), Limits{}, "a:one|c:two", "ok"},
	{"the line break in front of the boundary is no content", multipartB, body("--b\n\none\n\n--b--"), Limits{}, ":one\r\n", "ok"},
	{"an empty part", multipartB, body("--b\n\n\n--b--"), Limits{}, ":", "ok"},
	{"an empty part whose header ends at the boundary", multipartB, body("--b\nContent-ID: <a>\n\n--b\n\n--b--"), Limits{}, "a:|:", "ok"},
	{"preamble and epilogue", multipartB, body("hello\n--c\n--b\n\none\n--b--\nbye\n--b\nx"), Limits{}, ":one", "ok"},
	{"a BOM in front of the boundary", multipartB, "\xEF\xBB\xBF" + body("--b\n\none\n--b--"), Limits{}, ":one", "ok"},
	{"a BOM and an empty line", multipartB, "\xEF\xBB\xBF" + body("\n--b\n\none\n--b--"), Limits{}, ":one", "ok"},
	{"line feeds alone", multipartB, "--b\nContent-ID: <a>\n\none\n--b--\n", Limits{}, "a:one", "ok"},
	{"line feeds alone leave a carriage return to the content", multipartB, "--b\n\none\r\n--b--\n", Limits{}, ":one\r", "ok"},
	{"line feeds in a header only", multipartB, "--b\r\nContent-ID: <a>\n\none\r\n--b--", Limits{}, "a:one", "ok"},
	{"a boundary after a line feed alone", multipartB, "--b\r\n\r\none\n--b--", Limits{}, ":one", "ok"},
	{"white space after a boundary", multipartB, body("--b \t\n\none\n--b-- \n"), Limits{}, ":one", "ok"},
	{"the boundary as the beginning of a line", multipartB, body("--b\n\n--bc\n--b-\n--b--c\n --b\n--b--"), Limits{}, ":--bc\r\n--b-\r\n--b--c\r\n --b", "ok"},
	{"binary content", multipartB, "--b\r\n\r\n\x00\r\n\n-\r\n--\r\n--\xff\r\r\n--b--", Limits{}, ":\x00\r\n\n-\r\n--\r\n--\xff\r", "ok"},
	{"folded and odd header fields", multipartB, body("--b\ncontent-id :\n <a>\nX-Odd: 1\nX-Odd: 2\n\none\n--b--"), Limits{}, "a:one", "ok"},
	{"a nested multipart is one part", multipartB, body("--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\none\n--c--\n--b--"), Limits{}, ":--c\r\n\r\none\r\n--c--", "ok"},
	{"an unquoted type and boundary", `multipart/related; type=application/soap+xml; boundary==-b/+=`, body("--=-b/+=\n\none\n--=-b/+=--"), Limits{}, ":one", "ok"},
	{"a boundary of 256 characters", `multipart/related; boundary="` + strings.Repeat("x", 256) + `"`, body("--" + strings.Repeat("x", 256) + "\n\none\n--" + strings.Repeat("x", 256) + "--"), Limits{}, ":one", "ok"},
	{"base64", multipartB, body("--b\nContent-Transfer-Encoding: BASE64\n\nb2\n5l\n--b--"), Limits{}, ":one", "ok"},
	{"quoted-printable", multipartB, body("--b\nContent-Transfer-Encoding: quoted-printable\n\no=6Ee=\n\n--b--"), Limits{}, ":one", "ok"},
	{"8bit is as it is", multipartB, body("--b\nContent-Transfer-Encoding: 8bit\n\no=6E\n--b--"), Limits{}, ":o=6E", "ok"},
	{"nothing after the last boundary name", multipartB, body("--b--"), Limits{}, "", "ok"},

	{"no final boundary", multipartB, body("--b\n\none"), Limits{}, ":one", "truncated"},
	{"no final boundary, but the announced length", multipartB, body("--b\n\none"), Limits{Length: 10}, ":one", "ok"},
	{"no final boundary, and less than the announced length", multipartB, body("--b\n\none"), Limits{Length: 11}, ":one", "truncated"},
	{"half a final boundary", multipartB, body("--b\n\none\n--b-"), Limits{}, ":one\r\n--b-", "truncated"},
	{"an end within the header", multipartB, body("--b\nContent-ID: <a>\n"), Limits{}, "", "truncated"},
	{"an end after a boundary", multipartB, body("--b"), Limits{}, "", "truncated"},
	{"nothing", multipartB, "", Limits{}, "", "mime"},
	{"another boundary", multipartB, body("--c\n\none\n--c--"), Limits{}, "", "mime"},
	{"a header line without colon", multipartB, body("--b\nhello\n\none\n--b--"), Limits{}, "", "mime"},
	{"a header that begins with white space", multipartB, body("--b\n Content-ID: <a>\n\none\n--b--"), Limits{}, "", "mime"},
	{"a field name with a space", multipartB, body("--b\nContent ID: <a>\n\none\n--b--"), Limits{}, "", "mime"},
	{"NUL in a header", multipartB, body("--b\nX\x00: <a>\n\none\n--b--"), Limits{}, "", "mime"},
	{"an unknown transfer encoding", multipartB, body("--b\nContent-Transfer-Encoding: uuencode\n\none\n--b--"), Limits{}, "", "mime"},
	{"base64 that is none", multipartB, body("--b\nContent-Transfer-Encoding: base64\n\n****\n--b--"), Limits{}, ":", "mime"},

	{"ten thousand parts", multipartB, body(strings.Repeat("--b\n\n\n", 10_000) + "--b--"), Limits{}, strings.TrimSuffix(strings.Repeat(":|", 1000), "|"), "limit"},
	{"as many parts as allowed", multipartB, body(strings.Repeat("--b\n\nx\n", 3) + "--b--"), Limits{Parts: 3}, ":x|:x|:x", "ok"},
	{"one part more", multipartB, body(strings.Repeat("--b\n\nx\n", 4) + "--b--"), Limits{Parts: 3}, ":x|:x|:x", "limit"},
	{"a header of one long line", multipartB, "--b\r\nX: " + strings.Repeat("x", 70_000) + "\r\n\r\n--b--", Limits{}, "", "limit"},
	{"a header without end", multipartB, "--b\r\n" + strings.Repeat("X: y\r\n", 100_000), Limits{}, "", "limit"},
	{"a header of too many fields", multipartB, "--b\r\n" + strings.Repeat("X: y\r\n", 101) + "\r\n--b--", Limits{}, "", "limit"},
	{"a field folded without end", multipartB, "--b\r\nX: y\r\n" + strings.Repeat(" 0123456789\r\n", 1000) + "\r\n--b--", Limits{}, "", "limit"},
	{"a preamble without end", multipartB, strings.Repeat("hello\r\n", 100_000), Limits{}, "", "limit"},
}

func TestMIMEReader(t *testing.T) {
	t.Parallel()
	for _, c := range mimeCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for how, src := range map[string]func(io.Reader) io.Reader{
				"whole": func(r io.Reader) io.Reader { return r }, "octet by octet": iotest.OneByteReader, "data with EOF": iotest.DataErrReader,
			} {
				r, err := NewReader(c.contentType, src(strings.NewReader(c.body)), c.lim)
				if err != nil {
					t.Fatal(err)
				}
				got, err := parts(r)
				if word(err) != c.outcome {
					t.Errorf("%s: %s (%v), want %s", how, word(err), err, c.outcome)
				}
				if c.outcome == "truncated" { // what was read before the end is not promised
					got = c.want
				}
				if got != c.want {
					t.Errorf("%s: got %.200q, want %.200q", how, got, c.want)
				}
				if _, again := r.Next(); err != nil && again == nil {
					t.Errorf("%s: an error does not stay", how)
				}
				if r.NoFinalBoundary() != (c.lim.Length != 0 && c.outcome == "ok") {
					t.Errorf("%s: NoFinalBoundary %v", how, r.NoFinalBoundary())
				}
			}
		})
	}
}

func TestTruncatedAtEachOctet(t *testing.T) {
	t.Parallel()
	whole := body("--b\nContent-ID: <a>\n\none\n--b\nContent-ID: <c>\n\ntwo\n--b--")
	for n := range len(whole) {
		r, err := NewReader(multipartB, strings.NewReader(whole[:n]), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := parts(r)
		if !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrMIME) {
			t.Errorf("after %d octets: %q, %v", n, got, err)
		}
	}
}

func TestReadErrorIsNoEnd(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	whole := body("--b\nContent-ID: <a>\n\none\n--b--")
	for n := range len(whole) {
		r, _ := NewReader(multipartB, io.MultiReader(strings.NewReader(whole[:n]), iotest.ErrReader(broken)), Limits{Length: int64(n)})
		if got, err := parts(r); !errors.Is(err, broken) {
			t.Errorf("after %d octets: %q, %v", n, got, err)
		}
	}
}

func TestContentTypeOfReader(t *testing.T) {
	t.Parallel()
	for _, ct := range []string{"", "text/plain", "application/soap+xml", "multipart/mixed; boundary=b", "multipart/related",
		`multipart/related; boundary=""`, `multipart/related; boundary="` + strings.Repeat("x", 257) + `"`, "multipart/related; boundary=\"a\r\nb\""} {
		if _, err := NewReader(ct, strings.NewReader(""), Limits{}); !errors.Is(err, ErrContentType) {
			t.Errorf("%q: %v", ct, err)
		}
	}
}

func TestRoot(t *testing.T) {
	t.Parallel()
	three := body("--b\nContent-ID: <a>\n\none\n--b\nContent-ID: <c>\nContent-Transfer-Encoding: base64\n\ndHdv\n--b\nContent-ID: <d>\n\nthree\n--b--")
	for _, c := range []struct {
		name, start, body string
		lim               Limits
		root, rest        string
		outcome           string
	}{
		{"no start: the first part", "", three, Limits{}, "a:one", "c:two|d:three", "ok"},
		{"start names the first part", `; start="<a>"`, three, Limits{}, "a:one", "c:two|d:three", "ok"},
		{"start without angle brackets", `; start=a`, three, Limits{}, "a:one", "c:two|d:three", "ok"},
		{"start percent-encoded", `; start="<%61>"`, three, Limits{}, "a:one", "c:two|d:three", "ok"},
		{"start names the second part", `; start="<c>"`, three, Limits{}, "c:two", "a:one|d:three", "ok"},
		{"start names the last part", `; start="<d>"`, three, Limits{}, "d:three", "a:one|c:two", "ok"},
		{"start names no part: the first", `; start="<x>"`, three, Limits{}, "a:one", "c:two|d:three", "ok"},
		{"start names no part and there is one only", `; start="<x>"`, body("--b\n\none\n--b--"), Limits{}, ":one", "", "ok"},
		{"start names a part too far away: the first", `; start="<d>"`, three, Limits{RootBytes: 6}, "a:one", "c:two|d:three", "ok"},
		{"the root is too large", "", three, Limits{RootBytes: 2}, "", "", "limit"},
		{"what may be the root is too large", `; start="<x>"`, three, Limits{RootBytes: 2}, "", "", "limit"},
		{"a body without parts", "", body("--b--"), Limits{}, "", "", "mime"},
		{"a body that breaks off behind the root", "", three[:50], Limits{}, "a:one", "", "truncated"},
		{"a body that breaks off while the root is sought", `; start="<x>"`, three[:50], Limits{}, "", "", "truncated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := NewReader(`multipart/related; boundary=b`+c.start, strings.NewReader(c.body), c.lim)
			if err != nil {
				t.Fatal(err)
			}
			root, content, err := r.Root()
			if root != nil && err == nil {
				if got := root.ContentID + ":" + string(content); got != c.root {
					t.Errorf("root %q, want %q", got, c.root)
				}
				var rest string
				if rest, err = parts(r); rest != c.rest {
					t.Errorf("rest %q, want %q", rest, c.rest)
				}
			}
			if word(err) != c.outcome {
				t.Errorf("%v, want %s", err, c.outcome)
			}
		})
	}
}

func TestPartsMayBeSkippedOrCopied(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789\r\n--", 20_000)
	r, err := NewReader(multipartB, strings.NewReader(body("--b\nContent-ID: <a>\n\n")+long+body("\n--b\nContent-ID: <c>\n\n")+long+body("\n--b--")), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(first, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	second, err := r.Next()
	if err != nil || second.ContentID != "c" || second.Index != 1 {
		t.Fatalf("%+v, %v", second, err)
	}
	if n, err := first.Read(make([]byte, 10)); n != 0 || err != io.EOF {
		t.Errorf("a part that was left still reads: %d, %v", n, err)
	}
	var b bytes.Buffer
	if n, err := second.WriteTo(&b); err != nil || n != int64(len(long)) || b.String() != long {
		t.Errorf("%d of %d octets, %v", n, len(long), err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("%v", err)
	}
	third, _ := NewReader(multipartB, strings.NewReader(body("--b\n\n")+long), Limits{})
	p, _ := third.Next()
	if _, err := p.WriteTo(io.Discard); !errors.Is(err, ErrTruncated) {
		t.Errorf("%v", err)
	}
	fourth, _ := NewReader(multipartB, strings.NewReader(body("--b\n\none\n--b--")), Limits{})
	p, _ = fourth.Next()
	if _, err := p.WriteTo(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
}

var errBroken = errors.New("disk full")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// TestHostileBodiesAreReadWhole reads bodies that look like boundaries everywhere, a little at a time: a search that
// began anew with each read would take minutes here.
func TestHostileBodiesAreReadWhole(t *testing.T) {
	t.Parallel()
	boundary := strings.Repeat("-", 200)
	for name, content := range map[string]string{
		"almost the boundary": strings.Repeat("\r\n--"+boundary[1:], 20_000),
		"line feeds":          strings.Repeat("\n", 4<<20),
		"hyphens":             strings.Repeat("-", 4<<20),
		"line feed, hyphen":   strings.Repeat("\n--", 1<<20),
		"carriage returns":    strings.Repeat("\r", 4<<20),
		"padding":             strings.Repeat("\r\n--"+boundary+strings.Repeat(" ", 300)+"x", 5_000),
	} {
		r, err := NewReader(`multipart/related; boundary="`+boundary+`"`, strings.NewReader("--"+boundary+"\r\n\r\n"+content+"\r\n--"+boundary+"--"), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		h := &counter{}
		if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{p}, make([]byte, 100)); err != nil || h.n != len(content) {
			t.Errorf("%s: %d of %d octets, %v", name, h.n, len(content), err)
		}
	}
}

type counter struct{ n int }

func (c *counter) Write(b []byte) (int, error) { c.n += len(b); return len(b), nil }

func TestMIMEWriterAsWritten(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := NewMIMEWriter(&b, "bnd", "root@c2.example")
	for _, p := range []struct {
		h       PartHeader
		content string
	}{
		{PartHeader{ContentType: ContentTypeSOAP, ContentID: "root@c2.example"}, "<e/>"},
		{PartHeader{ContentType: "application/octet-stream", ContentID: "p1@c2.example", FileName: `a"b\.bin`}, "\r\n--bnd-"},
	} {
		if _, err := w.Copy(p.h, strings.NewReader(p.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := body("--bnd\nContent-Type: application/soap+xml; charset=UTF-8\nContent-Transfer-Encoding: binary\nContent-ID: <root@c2.example>\n\n<e/>\n" +
		"--bnd\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: binary\nContent-ID: <p1@c2.example>\nContent-Disposition: attachment; filename=\"a\\\"b\\\\.bin\"\n\n\n--bnd-\n" +
		"--bnd--\n")
	if b.String() != want {
		t.Errorf("got %q\nwant %q", b.String(), want)
	}
	if got := w.ContentType(); got != `multipart/related; type="application/soap+xml"; boundary="bnd"; start="<root@c2.example>"` {
		t.Error(got)
	}
	if w.Close() == nil {
		t.Error("closed twice")
	}
}

func TestMIMEWriterRefusesWhatWouldBreakTheMessage(t *testing.T) {
	t.Parallel()
	good := PartHeader{ContentType: "text/plain", ContentID: "r@x"}
	for name, h := range map[string]PartHeader{
		"a line break in the type":      {ContentType: "text/plain\r\nX: y", ContentID: "r@x"},
		"no type":                       {ContentID: "r@x"},
		"a line break in the file name": {ContentType: "text/plain", ContentID: "r@x", FileName: "a\nb"},
		"a bracket in the id":           {ContentType: "text/plain", ContentID: "r>@x"},
		"a space in the id":             {ContentType: "text/plain", ContentID: "r @x"},
		"no id":                         {ContentType: "text/plain"},
	} {
		w := NewMIMEWriter(io.Discard, "b", h.ContentID)
		if _, err := w.Part(h); !errors.Is(err, errHeaderValue) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewMIMEWriter(io.Discard, "a b", "r@x").Part(good); err == nil {
		t.Error("a boundary that is no token")
	}
	if _, err := NewMIMEWriter(io.Discard, "b", "other@x").Part(good); err == nil {
		t.Error("a first part that is not the root")
	}
	w := NewMIMEWriter(brokenWriter{}, "b", "r@x")
	if _, err := w.Part(good); !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
	if !errors.Is(w.Close(), errBroken) {
		t.Error("a broken writer closes well")
	}
}

// TestMIMERoundTrip writes any parts and reads them back with both our reader and that of the standard library.
func TestMIMERoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		boundary := rapid.StringMatching(`[A-Za-z0-9'+_.-]{1,70}`).Draw(t, "boundary")
		piece := rapid.OneOf(rapid.StringMatching(`[\x00-\x7f]{0,6}`), rapid.SampledFrom([]string{"\r", "\n", "\r\n", "--", "\r\n--", "\n--", "\r\n--" + boundary + "x", "--" + boundary}))
		var headers []PartHeader
		var contents []string
		for i := range rapid.IntRange(1, 5).Draw(t, "parts") {
			content := strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "content"), "")
			if rapid.IntRange(0, 20).Draw(t, "long") == 0 {
				content = strings.Repeat(content+"z", 20_000)
			}
			if closes(content, boundary) {
				t.Skip("the content holds the boundary")
			}
			contents = append(contents, content)
			headers = append(headers, PartHeader{ContentType: "application/octet-stream", ContentID: fmt.Sprintf("p%d@x", i), Length: int64(len(content))})
		}
		var b bytes.Buffer
		w := NewMIMEWriter(&b, boundary, "p0@x")
		for i, h := range headers {
			if n, err := w.Copy(h, iotest.HalfReader(strings.NewReader(contents[i]))); err != nil || n != h.Length {
				t.Fatalf("%d, %v", n, err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if n := MIMELength(boundary, headers); n != int64(b.Len()) {
			t.Fatalf("length in advance %d, in fact %d", n, b.Len())
		}
		r, err := NewReader(w.ContentType(), iotest.HalfReader(bytes.NewReader(b.Bytes())), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		root, content, err := r.Root()
		if err != nil || root.ContentID != "p0@x" || string(content) != contents[0] {
			t.Fatalf("root %q, want %q, %v", content, contents[0], err)
		}
		std := multipart.NewReader(bytes.NewReader(b.Bytes()), boundary)
		for i := range contents {
			if strings.Contains(contents[i], "--"+boundary) {
				std = nil // it takes "--boundary--" and any text behind it for a boundary line, which RFC 2046 does not
			}
			if std != nil {
				s, err := std.NextRawPart()
				if err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(s); err != nil || string(got) != contents[i] {
					t.Fatalf("the standard library reads %q, want %q, %v", got, contents[i], err)
				}
			}
			if i == 0 {
				continue
			}
			p, err := r.Next()
			if err != nil || p.ContentID != headers[i].ContentID {
				t.Fatalf("%v", err)
			}
			if got, err := io.ReadAll(p); err != nil || string(got) != contents[i] {
				t.Fatalf("got %q, want %q, %v", got, contents[i], err)
			}
		}
		if _, err := r.Next(); err != io.EOF {
			t.Fatalf("%v", err)
		}
	})
}

// closes reports whether content followed by a line break holds a line that is the boundary.
func closes(content, boundary string) bool {
	for line := range strings.Lines("\r\n" + content) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if rest, ok := strings.CutPrefix(line, "--"+boundary); ok && strings.Trim(strings.TrimPrefix(rest, "--"), " \t\r") == "" {
			return true
		}
	}
	return strings.Contains(content, "\n--"+boundary+"\r") || strings.HasPrefix(content, "--"+boundary+"\r")
}

func TestParseContentType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{`application/soap+xml`, `application/soap+xml`},
		{`Application/SOAP+XML;charset=UTF-8`, `application/soap+xml charset=UTF-8`},
		{`multipart/related; boundary="a b"; type="application/soap+xml"; start="<r@x>"`, `multipart/related boundary=a b type=application/soap+xml start=<r@x>`},
		{`multipart/related; boundary==-/+=; type=application/soap+xml`, `multipart/related boundary==-/+= type=application/soap+xml`},
		{`multipart/related; boundary="open; type=x/y`, `multipart/related boundary=open type=x/y`},
		{`multipart/related; boundary="a\"b\\c"`, `multipart/related boundary=a"b\c`},
		{`multipart/related; boundary="\a"`, `multipart/related boundary=a`},
		{`multipart/related; boundary = "a" ; ; x; BOUNDARY="a"`, `multipart/related boundary=a`},
		{`multipart/related; boundary="a"junk; start=<r@x>`, `multipart/related boundary=a start=<r@x>`},
		{"multipart/related;\tboundary=\t'q'", `multipart/related boundary='q'`},
		{`multipart/related; action="urn:a;b"; boundary=x`, `multipart/related action=urn:a;b boundary=x`},
		{`multipart/related;`, `multipart/related`},
		{``, ``}, {`text`, ``}, {`/xml`, ``}, {`text/`, ``}, {`a b/c`, ``}, {`text/plain, text/xml`, ``},
		{`multipart/related; boundary=a; boundary=b`, ``}, {"text/plain\r\n; a=b", ``}, {"text/plain; a=\x00", ``},
		{`text/plain; a="` + strings.Repeat("x", 5000) + `"`, ``},
	} {
		m, err := ParseContentType(c.in)
		got := m.Type
		for _, p := range m.Params {
			got += " " + p.Name + "=" + p.Value
		}
		if err != nil {
			got = ""
			if !errors.Is(err, ErrContentType) {
				t.Errorf("%q: %v", c.in, err)
			}
		}
		if got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
	var many strings.Builder
	for i := range 40 {
		fmt.Fprintf(&many, "; p%d=v", i)
	}
	if _, err := ParseContentType("text/plain" + many.String()); !errors.Is(err, ErrContentType) {
		t.Errorf("%v", err)
	}
	if m, _ := ParseContentType("application/soap+xml; action=x"); !m.IsSOAP() || m.IsMultipart() || m.Param("action") != "x" || m.Param("start") != "" {
		t.Errorf("%+v", m)
	}
}
