package sbdh

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const (
	testDoc     = "urn:example:invoice::Invoice##urn:example:custom:1::2.1"
	testPayload = `<Invoice xmlns="urn:example:invoice"><ID>1</ID></Invoice>`
)

func testHeader(t testing.TB) *Header {
	t.Helper()
	h, err := NewHeader(
		ids.Participant{Scheme: ids.SchemeActor, Value: "0088:1"}, ids.Participant{Scheme: ids.SchemeActor, Value: "0088:2"},
		ids.DocumentType{Scheme: ids.SchemeQNS, Value: testDoc}, ids.Process{Scheme: ids.SchemeProcess, Value: "urn:example:process"},
		"EE", "8f2b", time.Date(2026, 11, 28, 3, 4, 5, 0, time.FixedZone("", 7200)))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// header is a header as text, with the parts replaced that the test wants replaced.
func headerText(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(`<StandardBusinessDocumentHeader><HeaderVersion>1.0</HeaderVersion>` +
		`<Sender><Identifier Authority="iso6523-actorid-upis">0088:1</Identifier></Sender><Receiver><Identifier Authority="iso6523-actorid-upis">0088:2</Identifier></Receiver>` +
		`<DocumentIdentification><Standard>urn:example:invoice</Standard><TypeVersion>2.1</TypeVersion><InstanceIdentifier>8f2b</InstanceIdentifier><Type>Invoice</Type>` +
		`<CreationDateAndTime>2026-11-28T03:04:05+02:00</CreationDateAndTime></DocumentIdentification>` +
		`<BusinessScope><Scope><Type>DOCUMENTID</Type><InstanceIdentifier>` + testDoc + `</InstanceIdentifier><Identifier>busdox-docid-qns</Identifier></Scope>` +
		`<Scope><Type>PROCESSID</Type><InstanceIdentifier>urn:example:process</InstanceIdentifier><Identifier>cenbii-procid-ubl</Identifier></Scope>` +
		`<Scope><Type>COUNTRY_C1</Type><InstanceIdentifier>EE</InstanceIdentifier></Scope></BusinessScope></StandardBusinessDocumentHeader>`)
}

// envelopeText is an envelope as text; attrs are declarations on its root element.
func envelopeText(attrs, header, payload string) string {
	return `<StandardBusinessDocument xmlns="` + Namespace + `"` + attrs + `>` + header + payload + `</StandardBusinessDocument>`
}

func TestWriteIsRead(t *testing.T) {
	t.Parallel()
	h := testHeader(t)
	var b bytes.Buffer
	if err := Write(&b, h, strings.NewReader("\uFEFF<?xml version='1.0' encoding='UTF-8'?><!-- a --><?p i?>\r\n"+testPayload+"<!-- z -->\n")); err != nil {
		t.Fatal(err)
	}
	if want := opening + headerText() + testPayload + ending; b.String() != want {
		t.Errorf("wrote\n%s\nwant\n%s", b.String(), want)
	}
	stream, err1 := readAll(b.Bytes())
	doc, err2 := parseAll(bytes.Clone(b.Bytes()))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	rules, _ := Named("peppol-2.0.2")
	for how, m := range map[string]whole{"stream": stream, "document": doc} {
		if string(m.payload) != testPayload {
			t.Errorf("%s: payload %s", how, m.payload)
		}
		if m.Instance != (Instance{Space: "urn:example:invoice", Local: "Invoice"}) || !m.Instance.XML() {
			t.Errorf("%s: instance %v", how, m.Instance)
		}
		if f := rules.Check(m.Message); len(f) > 0 {
			t.Errorf("%s: %v", how, f)
		}
		got := m.Header
		if got.Sender() != h.Sender() || got.Receiver() != h.Receiver() || got.DocumentType() != h.DocumentType() ||
			got.Process() != h.Process() || got.Country() != "EE" || got.InstanceID != "8f2b" || !got.Created.Equal(h.Created) || got.NoZone {
			t.Errorf("%s: header %+v", how, got)
		}
	}
	if !doc.Node.Is("urn:example:invoice", "Invoice") || stream.Node.Valid() {
		t.Error("only a parsed document gives a node")
	}
}

func TestWriteRefusesPayloads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, payload, id string }{
		{"two elements", testPayload + testPayload, InvalidPayload},
		{"text after the element", testPayload + "x", InvalidPayload},
		{"text before the element", "x" + testPayload, InvalidXML},
		{"no element", "<!-- -->", InvalidXML},
		{"nothing", "", InvalidXML},
		{"an element without end", "<a><b></b>", InvalidXML},
		{"end tags that do not fit", "<a><b></a></b>", InvalidXML},
		{"a document type declaration", "<!DOCTYPE a><a/>", InvalidXML},
		{"a document type declaration inside", "<a><!DOCTYPE a></a>", InvalidXML},
		{"an XML declaration after the element", "<a/><?xml version='1.0'?>", InvalidXML},
		{"an envelope", envelopeText("", headerText(), testPayload), InvalidPayload},
		{"octets that are no UTF-8", "<a>\xff</a>", InvalidXML},
		{"undeclared prefix of the document element", "<p:a/>", InvalidXML},
		{"elements nested too deep", strings.Repeat("<a>", 300) + strings.Repeat("</a>", 300), InvalidXML},
		{"markup that is none", "<a><!x></a>", InvalidXML},
		{"a start tag that never ends", "<a><b c='" + strings.Repeat("x", 2<<20), InvalidXML},
		{"a prolog that never ends", "<!--" + strings.Repeat("x", 1<<20), InvalidXML},
	} {
		var e *Error
		if err := Write(io.Discard, testHeader(t), strings.NewReader(c.payload)); !errors.As(err, &e) || e.ID != c.id || !errors.Is(err, ErrEnvelope) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.id)
		}
	}
	if err := Write(io.Discard, &Header{}, strings.NewReader(testPayload)); err == nil {
		t.Error("a header without parties is written")
	}
	broken := errors.New("disk")
	if err := Write(io.Discard, testHeader(t), io.MultiReader(strings.NewReader("<a>"), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("the reader's error is lost: %v", err)
	}
}

func TestPayloadNamespaces(t *testing.T) {
	t.Parallel()
	const ns = ` xmlns:u="urn:u" xmlns:v="urn:v&amp;&quot;" xmlns:xs="urn:xs"`
	for _, c := range []struct{ name, in, want string }{
		{"a payload that declares what it uses keeps its octets", `<a xmlns="urn:a" xmlns:u="urn:mine"><u:b/></a>`, ""},
		{"the root's prefix is declared on it", `<u:a><u:b/></u:a>`, `<u:a xmlns:u="urn:u"><u:b/></u:a>`},
		{"a declaration of the envelope that nothing uses is not added", `<u:a />`, `<u:a xmlns:u="urn:u" />`},
		{"a prefix inside is declared where it is used", `<a xmlns="urn:a"><b><u:c/><u:c/></b></a>`, `<a xmlns="urn:a"><b><u:c xmlns:u="urn:u"/><u:c xmlns:u="urn:u"/></b></a>`},
		{"a declaration counts for what is inside", `<u:a><b xmlns="urn:b"><u:c u:d="1"></u:c></b></u:a>`, `<u:a xmlns:u="urn:u"><b xmlns="urn:b"><u:c u:d="1"></u:c></b></u:a>`},
		{"an attribute's prefix needs its declaration", `<a xmlns="urn:a" v:x="1"/>`, `<a xmlns:v="urn:v&amp;&quot;" xmlns="urn:a" v:x="1"/>`},
		{"a type's prefix in an attribute's value needs its declaration", `<a xmlns="urn:a" xmlns:xsi="urn:xsi" xsi:type=" xs:string"/>`, `<a xmlns:xs="urn:xs" xmlns="urn:a" xmlns:xsi="urn:xsi" xsi:type=" xs:string"/>`},
		{"the envelope's default namespace goes with an element that has none", `<u:a><b/></u:a>`, `<u:a xmlns:u="urn:u"><b xmlns="` + Namespace + `"/></u:a>`},
		{"a declaration ends with its element", `<a xmlns="urn:a"><b xmlns:u="urn:mine"><u:c/></b><u:c/></a>`, `<a xmlns="urn:a"><b xmlns:u="urn:mine"><u:c/></b><u:c xmlns:u="urn:u"/></a>`},
		{"markup inside comments, CDATA and instructions is none", `<a xmlns="urn:a"><!-- <u:b> --><![CDATA[<u:c>]]><?p <u:d>?></a>`, ""},
		{"a > inside a value is none", `<a xmlns="urn:a" b=">" c='">'><d e='/>'/></a>`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.want == "" {
				c.want = c.in
			}
			src := envelopeText(ns, headerText(), c.in)
			doc, err := parseAll([]byte(src))
			if err != nil || string(doc.payload) != c.want {
				t.Errorf("document: got %s, %v\nwant %s", doc.payload, err, c.want)
			}
			for name, r := range map[string]io.Reader{
				"whole": strings.NewReader(src), "by octets": iotest.OneByteReader(strings.NewReader(src)), "with errors": iotest.DataErrReader(strings.NewReader(src)),
			} {
				m, err := Read(r, Limits{})
				if err != nil {
					t.Fatal(name, err)
				}
				got, err := io.ReadAll(m.Payload)
				if err != nil || string(got) != c.want {
					t.Errorf("stream %s: got %s, %v\nwant %s", name, got, err, c.want)
				}
			}
			// By itself it means what it meant inside.
			alone, err := dom.Parse([]byte(c.want), dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			m := c14n.Method{Algorithm: c14n.Exclusive10}
			a, _ := c14n.Append(nil, m, alone.Root())
			b, _ := c14n.Append(nil, m, doc.Node)
			if !bytes.Equal(a, b) {
				t.Errorf("canonical form\n%s\nwas\n%s", a, b)
			}
		})
	}
}

func TestWriteKeepsNoNamespace(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`<a><b/></a>`:                            `<a xmlns=""><b/></a>`,
		`<p:a xmlns:p="urn:p"><p:b/></p:a>`:      `<p:a xmlns:p="urn:p"><p:b/></p:a>`,
		`<p:a xmlns:p="urn:p"><b><c/></b></p:a>`: `<p:a xmlns:p="urn:p"><b xmlns=""><c/></b></p:a>`,
		`<a xmlns="urn:a"><b/></a>`:              `<a xmlns="urn:a"><b/></a>`,
	} {
		var b bytes.Buffer
		if err := Write(&b, testHeader(t), strings.NewReader(in)); err != nil {
			t.Fatal(err)
		}
		m, err := readAll(b.Bytes())
		if err != nil || string(m.payload) != want {
			t.Errorf("%s: got %s, %v, want %s", in, m.payload, err, want)
		}
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	const text = "Käse 5 €"
	utf16 := func(s string, big bool) string {
		var b strings.Builder
		for _, r := range s {
			if big {
				b.WriteByte(byte(r >> 8))
			}
			b.WriteByte(byte(r))
			if !big {
				b.WriteByte(byte(r >> 8))
			}
		}
		return b.String()
	}
	payload := `<a xmlns="urn:a">` + text + `</a>`
	src := func(label string) string {
		return `<?xml version="1.0" encoding="` + label + `"?>` + envelopeText("", headerText(), payload)
	}
	for name, in := range map[string]string{
		"UTF-8":                         src("UTF-8"),
		"UTF-8 with byte order mark":    "\uFEFF" + src("utf-8"),
		"UTF-16 little end first":       "\xff\xfe" + utf16(src("UTF-16"), false),
		"UTF-16 big end first":          "\xfe\xff" + utf16(src("UTF-16"), true),
		"UTF-16 big end first, no mark": utf16(src("UTF-16BE"), true),
		"windows-1252":                  strings.NewReplacer("ä", "\xe4", "€", "\x80").Replace(src("windows-1252")),
	} {
		stream, err1 := readAll([]byte(in))
		doc, err2 := parseAll([]byte(in))
		if err1 != nil || err2 != nil || string(stream.payload) != payload || string(doc.payload) != payload {
			t.Errorf("%s: %v %v %q %q", name, err1, err2, stream.payload, doc.payload)
		}
		m, err := Read(iotest.OneByteReader(strings.NewReader(in)), Limits{})
		if err != nil {
			t.Fatal(name, err)
		}
		if got, err := io.ReadAll(iotest.HalfReader(m.Payload)); err != nil || string(got) != payload {
			t.Errorf("%s by octets: %v %q", name, err, got)
		}
	}
	for name, in := range map[string]string{
		"UTF-16 without mark or label":     utf16(envelopeText("", headerText(), payload), true),
		"UTF-16 with an odd octet":         "\xff\xfe" + utf16(src("UTF-16"), false) + "x",
		"UTF-16 labelled, but octets":      src("UTF-16"),
		"ASCII labelled, but more":         src("US-ASCII"),
		"an unknown encoding":              src("KOI8-R"),
		"UTF-32":                           "\x00\x00\xfe\xff",
		"UTF-8 that is none":               strings.ReplaceAll(src("UTF-8"), "ä", "\xe4"),
		"a lone surrogate":                 "\xff\xfe" + strings.Replace(utf16(src("UTF-16"), false), "K\x00", "\x00\xd8", 1),
		"an octet windows-1252 leaves out": strings.NewReplacer("ä", "\x81", "€", "\x80").Replace(src("windows-1252")),
	} {
		_, err1 := readAll([]byte(in))
		_, err2 := parseAll([]byte(in))
		if !errors.Is(err1, dom.ErrEncoding) && !errors.Is(err1, dom.ErrSyntax) || err2 == nil {
			t.Errorf("%s: stream %v, document %v", name, err1, err2)
		}
	}
}

func TestWrappers(t *testing.T) {
	t.Parallel()
	data := make([]byte, 200_001)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	text := strings.Repeat("a < b && c > d ]]> \r\n \"ü\" \U0001F600\n", 5000)
	for _, c := range []struct {
		name, local, mime string
		payload           []byte
		write             func(io.Writer, *Header, string, io.Reader) error
	}{
		{"binary", "BinaryContent", "application/vnd.etsi.asic-e+zip", data, WriteBinary},
		{"empty binary", "BinaryContent", "application/pdf", nil, WriteBinary},
		{"text", "TextContent", `text/plain; x="y"`, []byte(text), WriteText},
		{"empty text", "TextContent", "text/plain", nil, WriteText},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := c.write(&b, testHeader(t), c.mime, iotest.HalfReader(bytes.NewReader(c.payload))); err != nil {
				t.Fatal(err)
			}
			stream, err1 := readAll(b.Bytes())
			doc, err2 := parseAll(bytes.Clone(b.Bytes()))
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			want := Instance{ContentNamespace, c.local, c.mime, ""}
			for _, m := range []whole{stream, doc} {
				if m.Instance != want || !bytes.Equal(m.payload, c.payload) {
					t.Errorf("got %v, %d octets, want %v, %d", m.Instance, len(m.payload), want, len(c.payload))
				}
			}
			m, _ := Read(iotest.OneByteReader(bytes.NewReader(b.Bytes())), Limits{})
			if got, err := io.ReadAll(m.Payload); err != nil || !bytes.Equal(got, c.payload) {
				t.Errorf("by octets: %v, %d octets", err, len(got))
			}
			var copied bytes.Buffer
			m, _ = Read(bytes.NewReader(b.Bytes()), Limits{})
			if n, err := io.Copy(&copied, m.Payload); err != nil || !bytes.Equal(copied.Bytes(), c.payload) || n != int64(len(c.payload)) {
				t.Errorf("copied: %v, %d octets", err, n)
			}
		})
	}
	if err := WriteText(io.Discard, testHeader(t), "text/plain", strings.NewReader("\x00")); err == nil {
		t.Error("a NUL is written")
	}
	if err := WriteBinary(io.Discard, testHeader(t), "", strings.NewReader("")); err == nil {
		t.Error("content without media type is written")
	}
}

func TestWrapperContents(t *testing.T) {
	t.Parallel()
	binary := func(s string) string {
		return `<BinaryContent xmlns="` + ContentNamespace + `" mimeType="a/b" encoding="Base64">` + s + `</BinaryContent>`
	}
	text := func(s string) string {
		return `<x:TextContent xmlns:x="` + ContentNamespace + `" mimeType="a/b">` + s + `</x:TextContent>`
	}
	for _, c := range []struct{ name, payload, want, id string }{
		{"base64 may be broken into lines", binary(" QU\r\n JD\tRA== \n"), "ABCD", ""},
		{"base64 may stand in CDATA sections and references", binary("<![CDATA[QU]]>J&#68;"), "ABC", ""},
		{"line ends of text become one", text("a\r\nb\rc\nd&#13;\n"), "a\nb\nc\nd\r\n", ""},
		{"references are resolved once", text("&amp;lt;&lt;&gt;&quot;&apos;&#x20AC;&#8364;"), "&lt;<>\"'€€", ""},
		{"CDATA sections are taken as they are", text("<![CDATA[<a>&amp;]]>]]<![CDATA[>]]>"), "<a>&amp;]]>", ""},
		{"base64 that is cut off", binary("QUJ"), "", InvalidPayload},
		{"base64 after its end", binary("QQ==QUJD"), "", InvalidPayload},
		{"base64 with bits beyond its end", binary("QR=="), "", InvalidPayload},
		{"characters that are no base64", binary("QU*D"), "", InvalidPayload},
		{"an element in a wrapper", text("a<b/>"), "", InvalidPayload},
		{"a wrapper in a wrapper", text(binary("QUJD")), "", InvalidPayload},
		{"a comment in a wrapper", binary("QU<!-- -->JD"), "", InvalidPayload},
		{"an instruction in a wrapper", binary("QU<?a b?>JD"), "", InvalidPayload},
		{"no media type", `<BinaryContent xmlns="` + ContentNamespace + `">QUJD</BinaryContent>`, "", InvalidPayload},
		{"an unknown reference", text("&nbsp;"), "", InvalidXML},
		{"a reference without end", text("& " + strings.Repeat("x", 100)), "", InvalidXML},
		{"a reference to no character", text("&#0;"), "", InvalidXML},
		{"a reference beyond Unicode", text("&#x110000;"), "", InvalidXML},
		{"]]> in text", text("a]]>b"), "", InvalidXML},
		{"a control character", text("\x01"), "", InvalidXML},
		{"a character XML leaves out", text("\uFFFE"), "", InvalidXML},
	} {
		src := envelopeText("", headerText(), c.payload)
		stream, err1 := readAll([]byte(src))
		doc, err2 := parseAll([]byte(src))
		m, err3 := Read(iotest.OneByteReader(strings.NewReader(src)), Limits{})
		var bits []byte
		if err3 == nil {
			bits, err3 = io.ReadAll(m.Payload)
		}
		for how, err := range map[string]error{"stream": err1, "document": err2, "octets": err3} {
			var e *Error
			if c.id == "" && err != nil || c.id != "" && (!errors.As(err, &e) || e.ID != c.id) {
				t.Errorf("%s: %s: got %v, want %q", c.name, how, err, c.id)
			}
		}
		if c.id == "" && (string(stream.payload) != c.want || string(doc.payload) != c.want || string(bits) != c.want) {
			t.Errorf("%s: got %q, %q and %q", c.name, stream.payload, doc.payload, bits)
		}
	}
}

func TestHostileEnvelopes(t *testing.T) {
	t.Parallel()
	good := envelopeText("", headerText(), testPayload)
	nested := "<a xmlns='urn:a'>" + strings.Repeat("<a>", 400) + strings.Repeat("</a>", 400) + "</a>"
	for _, c := range []struct{ name, in, id string }{
		{"two headers", envelopeText("", headerText()+headerText(), testPayload), InvalidPayload},
		{"a header after the payload", envelopeText("", headerText(), testPayload+headerText()), InvalidPayload},
		{"two payloads", envelopeText("", headerText(), testPayload+testPayload), InvalidPayload},
		{"text before the payload", envelopeText("", headerText(), "x"+testPayload), InvalidPayload},
		{"text after the payload", envelopeText("", headerText(), testPayload+"x"), InvalidPayload},
		{"an envelope in the envelope", envelopeText("", headerText(), good), InvalidPayload},
		{"a payload in the envelope's namespace", envelopeText("", headerText(), "<Invoice/>"), InvalidPayload},
		{"no header", envelopeText("", "", testPayload), MissingHeader},
		{"nothing inside", envelopeText("", "", ""), MissingHeader},
		{"an empty root", `<StandardBusinessDocument xmlns="` + Namespace + `"/>`, MissingHeader},
		{"only a header", envelopeText("", headerText(), "<!-- -->"), InvalidPayload},
		{"a header of another namespace", envelopeText("", strings.Replace(headerText(), "<StandardBusinessDocumentHeader>", `<StandardBusinessDocumentHeader xmlns="urn:x">`, 1), testPayload), MissingHeader},
		{"another root", "<a/>", InvalidXML},
		{"another namespace of the root", strings.Replace(good, Namespace, "urn:x", 1), InvalidXML},
		{"a document type declaration", "<!DOCTYPE a [<!ENTITY b 'c'>]>" + good, InvalidXML},
		{"a document type declaration in the payload", strings.Replace(good, "<ID>", "<!DOCTYPE a><ID>", 1), InvalidXML},
		{"an XML declaration in the payload's place", envelopeText("", headerText(), "<?xml version='1.0'?>"+testPayload), InvalidXML},
		{"an XML declaration behind the payload", good + "<?xml version='1.0'?>", InvalidXML},
		{"a second document behind the first", good + good, InvalidXML},
		{"elements nested deep in the payload", envelopeText("", headerText(), nested), InvalidXML},
		{"elements nested deep in the header", envelopeText("", strings.Replace(headerText(), "</Scope>", nested+"</Scope>", 1), testPayload), InvalidXML},
		{"end tags that do not fit", strings.Replace(good, "</ID>", "</Id>", 1), InvalidXML},
		{"an attribute given twice on the payload", strings.Replace(good, "<Invoice ", "<Invoice a='1' a='2' ", 1), InvalidXML},
		{"an undeclared prefix of the payload", envelopeText("", headerText(), "<p:a/>"), InvalidXML},
		{"a sender without identifier", strings.Replace(good, `<Identifier Authority="iso6523-actorid-upis">0088:1</Identifier>`, "", 1), InvalidXML},
		{"elements in another order", strings.Replace(good, "<TypeVersion>2.1</TypeVersion><InstanceIdentifier>8f2b</InstanceIdentifier>", "<InstanceIdentifier>8f2b</InstanceIdentifier><TypeVersion>2.1</TypeVersion>", 1), InvalidXML},
		{"an unknown element in the header", strings.Replace(good, "<BusinessScope>", "<Extra/><BusinessScope>", 1), InvalidXML},
		{"text in the header", strings.Replace(good, "<BusinessScope>", "x<BusinessScope>", 1), InvalidXML},
		{"a day that does not exist", strings.Replace(good, "2026-11-28", "2026-11-31", 1), InvalidXML},
		{"a date without time", strings.Replace(good, "2026-11-28T03:04:05+02:00", "2026-11-28", 1), InvalidXML},
		{"a zone too far away", strings.Replace(good, "+02:00", "+15:00", 1), InvalidXML},
		{"a comma in the seconds", strings.Replace(good, ":05+", ":05,5+", 1), InvalidXML},
	} {
		_, err1 := readAll([]byte(c.in))
		_, err2 := parseAll([]byte(c.in))
		for how, err := range map[string]error{"stream": err1, "document": err2} {
			var e *Error
			if !errors.As(err, &e) || e.ID != c.id {
				t.Errorf("%s: %s: got %v, want %s", c.name, how, err, c.id)
			}
		}
	}
	for cut := range len(good) {
		if _, err := readAll([]byte(good[:cut])); err == nil {
			t.Fatalf("an envelope cut off after %d octets is accepted", cut)
		}
	}
	if _, err := readAll([]byte(good)); err != nil {
		t.Fatal(err)
	}
}

func TestHugeParts(t *testing.T) {
	t.Parallel()
	good := envelopeText("", headerText(), testPayload)
	endless := func(s string) io.Reader { return &forever{s: s} }
	for name, r := range map[string]io.Reader{
		"a header that never ends":          io.MultiReader(strings.NewReader(good[:400]), endless("<Scope></Scope>")),
		"a comment that never ends":         io.MultiReader(strings.NewReader("<!--"), endless("x")),
		"a tag that never ends":             io.MultiReader(strings.NewReader("<a b='"), endless("x")),
		"blanks before the root":            endless(" "),
		"blanks behind the envelope":        io.MultiReader(strings.NewReader(good), endless(" ")),
		"comments behind the payload":       io.MultiReader(strings.NewReader(strings.TrimSuffix(good, ending)), endless("<!-- -->")),
		"a tag in the payload never ends":   io.MultiReader(strings.NewReader(strings.Replace(good, "<ID>1</ID></Invoice></StandardBusinessDocument>", "<a b='", 1)), endless("x")),
		"elements that are opened for ever": io.MultiReader(strings.NewReader(strings.Replace(good, "<ID>1</ID></Invoice></StandardBusinessDocument>", "", 1)), endless("<a>")),
	} {
		m, err := Read(r, Limits{})
		if err == nil {
			_, err = io.Copy(io.Discard, m.Payload)
		}
		if !errors.Is(err, dom.ErrLimit) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// forever repeats a string without end.
type forever struct {
	s string
	i int
}

func (f *forever) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = f.s[f.i]
		f.i = (f.i + 1) % len(f.s)
	}
	return len(p), nil
}

func TestReaderErrorsComeThrough(t *testing.T) {
	t.Parallel()
	good := envelopeText("", headerText(), testPayload)
	broken := errors.New("network")
	for _, cut := range []int{0, 10, 500, len(good) - 60, len(good) - 5} {
		m, err := Read(io.MultiReader(strings.NewReader(good[:cut]), iotest.ErrReader(broken)), Limits{})
		if err == nil {
			_, err = io.ReadAll(m.Payload)
		}
		if !errors.Is(err, broken) {
			t.Errorf("after %d octets: %v", cut, err)
		}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	scope := func(name, value, scheme string) string {
		if scheme != "" {
			scheme = "<Identifier>" + scheme + "</Identifier>"
		}
		return "<Scope><Type>" + name + "</Type><InstanceIdentifier>" + value + "</InstanceIdentifier>" + scheme + "</Scope>"
	}
	end := "</BusinessScope>"
	for _, c := range []struct {
		name, rules string
		replace     []string
		want        string
	}{
		{"nothing wrong", "peppol-2.0.2", nil, ""},
		{"a second DOCUMENTID is refused", "peppol-2.0.2", []string{end, scope("DOCUMENTID", testDoc, "busdox-docid-qns") + end}, "invalid-document-type-identifier"},
		{"a second COUNTRY_C1 is refused", "peppol-2.0.2", []string{end, scope("COUNTRY_C1", "EE", "") + end}, "invalid-country-c1"},
		{"a country in lower case is refused", "peppol-2.0.2", []string{">EE<", ">ee<"}, "invalid-country-c1"},
		{"Kosovo as 1A passes", "peppol-2.0.2", []string{">EE<", ">1A<"}, ""},
		{"a service provider for status messages passes", "peppol-2.0.2", []string{end, scope("MLS_TO", "0242:987654-MLS", "iso6523-actorid-upis") + end}, ""},
		{"somebody else for status messages is a warning", "peppol-2.0.2", []string{end, scope("MLS_TO", "0088:1", "iso6523-actorid-upis") + end}, "(invalid-mls-to)"},
		{"a reserved scope is a warning", "peppol-2.0.2", []string{end, scope("COUNTRY_C4", "EE", "") + end}, "(reserved-scope)"},
		{"a free scope passes", "peppol-2.0.2", []string{end, scope("mine", "", "") + end}, ""},
		{"a free scope given twice is a warning", "peppol-2.0.2", []string{end, scope("mine", "", "") + scope("mine", "x", "") + end}, "(duplicate-scope)"},
		{"a creation time without zone is a warning", "peppol-2.0.2", []string{"+02:00", ""}, "(invalid-creation-date-time)"},
		{"a version that the document type has not", "peppol-2.0.2", []string{"<TypeVersion>2.1", "<TypeVersion>2.2"}, "invalid-type-version"},
		{"a version with a colon", "peppol-2.0.2", []string{"<TypeVersion>2.1", "<TypeVersion>1::2.1"}, "invalid-type-version"},
		{"a document type that does not begin with Standard", "peppol-2.0.2", []string{"urn:example:invoice::", "urn:example:order::"}, "invalid-standard"},
		{"no BusinessScope", "peppol-2.0.2", []string{headerText()[strings.Index(headerText(), "<BusinessScope>"):], "</StandardBusinessDocumentHeader>"}, "business-scope-missing"},
		{"two receivers", "peppol-2.0.2", []string{"<DocumentIdentification>", `<Receiver><Identifier Authority="iso6523-actorid-upis">0088:3</Identifier></Receiver><DocumentIdentification>`}, "invalid-receiver-count"},
		{"another authority of the receiver", "peppol-2.0.2", []string{`<Receiver><Identifier Authority="iso`, `<Receiver><Identifier Authority="ISO`}, "invalid-receiver-authority"},
		{"no country is no error before 2.0", "peppol-1.2", []string{scope("COUNTRY_C1", "EE", ""), ""}, ""},
		{"a wrong type is an error before 2.0 too", "peppol-1.2", []string{"<Type>Invoice<", "<Type>Order<"}, "invalid-type"},
		{"no rules refuse nothing", "none", []string{"<Type>Invoice<", "<Type>Order<", ">1.0<", ">9<", "0088:1", ""}, ""},
	} {
		errs, warnings := outcome(t, []byte(envelopeText("", headerText(c.replace...), testPayload)), c.rules)
		got := strings.Join(errs, " ")
		if len(warnings) > 0 {
			got += fmt.Sprint(warnings)
			got = strings.NewReplacer("[", "(", "]", ")").Replace(got)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if _, ok := Named("x"); ok {
		t.Error("rules named x")
	}
}

func TestDateTimes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"2026-11-28T03:04:05Z":          "2026-11-28T03:04:05Z",
		"2026-11-28T03:04:05.125+02:00": "2026-11-28T01:04:05.125Z",
		"2026-11-28T03:04:05":           "2026-11-28T03:04:05Z",
		"2026-12-31T24:00:00Z":          "2027-01-01T00:00:00Z",
		"2026-11-28T3:04:05Z":           "",
		"2026-11-28T03:04Z":             "",
		"2026-11-28 03:04:05Z":          "",
		"":                              "",
	} {
		got, _, ok := parseDateTime(in)
		if ok != (want != "") || ok && got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%q: got %v, %v, want %q", in, got, ok, want)
		}
	}
}

func TestConstantMemory(t *testing.T) {
	size := 16 << 20
	if os.Getenv("VIADUKT_HUGE") != "" {
		size = 1 << 30
	}
	pr, pw := io.Pipe()
	h := testHeader(t)
	go func() {
		line := []byte("<ID a='b'>some text of an invoice line</ID>\n")
		lines := &repeated{line: bytes.Repeat(line, 1000), n: size / len(line) / 1000}
		body := io.MultiReader(strings.NewReader(`<Invoice xmlns="urn:example:invoice">`), lines, strings.NewReader("</Invoice>"))
		pw.CloseWithError(Write(pw, h, body))
	}()
	m, err := Read(pr, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := io.Copy(io.Discard, m.Payload)
	runtime.ReadMemStats(&after)
	if err != nil || n < int64(size)*9/10 {
		t.Errorf("%d octets, %v", n, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 {
		t.Errorf("%d octets allocated for %d passed", used, n)
	}
}

// repeated reads some lines n times.
type repeated struct {
	line []byte
	n    int
	rest []byte
}

func (r *repeated) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.n == 0 {
			return 0, io.EOF
		}
		r.n--
		r.rest = r.line
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
