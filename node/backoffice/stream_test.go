package backoffice

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func request(body string) string {
	return `<s:Envelope xmlns:s="` + ebms.NSSOAP + `"><s:Body><w:submitRequest xmlns:w="` + nsPlugin + `">` + body + `</w:submitRequest></s:Body></s:Envelope>`
}

// readAll reads every value of a request.
func readAll(r io.Reader) (values []string, ids []string, err error) {
	s := newStream(r)
	for {
		v, err := s.next()
		if err == io.EOF {
			_, err = s.document()
			return values, ids, err
		}
		if err != nil {
			return nil, nil, err
		}
		n, err := s.describe()
		if err != nil {
			return nil, nil, err
		}
		b, err := io.ReadAll(v)
		if err != nil {
			return nil, nil, err
		}
		values, ids = append(values, string(b)), append(ids, n.Local()+" "+n.Attr("payloadId")+v.include)
	}
}

func TestValuesOfPayloads(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a long value, ", 20_000)
	coded := base64.StdEncoding.EncodeToString([]byte(long))
	var broken strings.Builder // as MIME breaks it, with CR written as a reference
	for i := 0; i < len(coded); i += 76 {
		broken.WriteString(coded[i:min(i+76, len(coded))] + "&#13;\n")
	}
	for _, c := range []struct{ name, body, value, id string }{
		{"a short value", `<payload payloadId="a"><value>aGk=</value></payload>`, "hi", "payload a"},
		{"a value with space around", "<payload payloadId=\"a\">\n<value>\n\t aG k= \n</value>\n</payload>", "hi", "payload a"},
		{"an empty value", `<payload payloadId="a"><value></value></payload>`, "", "payload a"},
		{"a value that ends at once", `<payload payloadId="a"><value/></payload>`, "", "payload a"},
		{"a long value", `<payload payloadId="a"><value>` + coded + `</value></payload>`, long, "payload a"},
		{"a value in lines", `<payload payloadId="a"><value>` + broken.String() + `</value></payload>`, long, "payload a"},
		{"a CDATA section", `<payload payloadId="a"><value>a<![CDATA[Gk]]>=</value></payload>`, "hi", "payload a"},
		{"a reference that is split", `<payload payloadId="a"><value>aG&#x0D;&#xA;k=</value></payload>`, "hi", "payload a"},
		{"names and signs in attributes", `<payload x="&lt;value>" payloadId='a>"b'><value>aGk=</value></payload>`, "hi", `payload a>"b`},
		{"a comment that looks like a value", `<!-- <payload><value>x</value> --><bodyload><value>aGk=</value></bodyload>`, "hi", "bodyload "},
		{"a reference to a part", `<payload payloadId="a"><value> <i:Include xmlns:i="` + nsXOP + `" href="cid:x%40y"> </i:Include> </value></payload>`, "", "payload ax@y"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for how, r := range map[string]io.Reader{"whole": strings.NewReader(request(c.body)), "octet by octet": iotest.OneByteReader(strings.NewReader(request(c.body)))} {
				values, ids, err := readAll(r)
				if err != nil || len(values) != 1 || values[0] != c.value || ids[0] != c.id {
					t.Errorf("%s: %d values, ids %q, %v", how, len(values), ids, err)
				}
			}
		})
	}
}

func TestRequestsThatAreRefusedWhileTheyAreRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, request string
		want          error
	}{
		{"nothing", "", errEnvelope},
		{"no XML", "hello", errEnvelope},
		{"a document type", "<!DOCTYPE a>" + request(""), dom.ErrDoctype},
		{"a document type within", request("<!ENTITY a>"), dom.ErrDoctype},
		{"an end that ends nothing", "</a>", errEnvelope},
		{"two roots", "<a/><b/>", errEnvelope},
		{"tags that cross", "<a><b></a></b>", errEnvelope},
		{"an undeclared prefix", request("<x:y/>"), errEnvelope},
		{"an attribute twice", request(`<y a="1" a="2"/>`), errEnvelope},
		{"a tag without end", request("")[:40], io.ErrUnexpectedEOF},
		{"a value without end", request("<payload><value>aGk="), errEnvelope},
		{"a comment within a value", request("<payload><value>a<!-- -->Gk=</value></payload>"), errEnvelope},
		{"an instruction within a value", request("<payload><value>a<?a?>Gk=</value></payload>"), errEnvelope},
		{"an element within a value", request("<payload><value>a<b/>Gk=</value></payload>"), errEnvelope},
		{"an entity within a value", request("<payload><value>a&amp;Gk=</value></payload>"), errEnvelope},
		{"a letter written as reference", request("<payload><value>&#97;Gk=</value></payload>"), errEnvelope},
		{"a long reference", request("<payload><value>&#0000000000000013;</value></payload>"), errEnvelope},
		{"signs that are no base64", request("<payload><value>a-_=</value></payload>"), errBase64},
		{"base64 that ends early", request("<payload><value>aGk</value></payload>"), errBase64},
		{"something behind the end of base64", request("<payload><value>aGk=aGk=</value></payload>"), errBase64},
		{"too many signs at the end of base64", request("<payload><value>aGk===</value></payload>"), errBase64},
		{"a reference to another place", request(`<payload><value><i:Include xmlns:i="` + nsXOP + `" href="file:///etc/passwd"/></value></payload>`), errEnvelope},
		{"a reference in another namespace", request(`<payload><value><i:Include xmlns:i="urn:x" href="cid:a"/></value></payload>`), errEnvelope},
		{"too deep", strings.Repeat("<a>", depthMax+1), errTooLarge},
		{"too many payloads", request(strings.Repeat("<payload><value/></payload>", payloadsMax+1)), errTooLarge},
		{"a header without end", request(strings.Repeat(" ", outlineMax)), errTooLarge},
		{"a tag without end and limit", "<a " + strings.Repeat("x", outlineMax), errTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, _, err := readAll(strings.NewReader(c.request)); !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, _, err := readAll(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the error of the connection becomes %v", err)
	}
}

// FuzzStream holds the stream to the parser of whole documents: what one takes the other takes, with the same values.
func FuzzStream(f *testing.F) {
	for _, body := range []string{
		"", `<payload payloadId="a" contentType="b"><value>aGk=</value></payload>`, `<bodyload><value/></bodyload>`, `<payload><value>a<![CDATA[Gk]]>&#13;=</value></payload>`,
		`<payload payloadId="a"><value><i:Include xmlns:i="` + nsXOP + `" href="cid:x"/></value></payload>`, `<!-- c --><?p i?>`,
	} {
		f.Add([]byte(request(body)))
	}
	f.Add([]byte(`<?xml version="1.0"?><!DOCTYPE a><a/>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		values, ids, err := readAll(bytes.NewReader(b))
		if err != nil {
			return
		}
		doc, err := dom.Parse(bytes.Clone(b), dom.Limits{})
		if err != nil {
			t.Fatalf("taken although it is %v", err)
		}
		var want []string
		for e := range doc.Root().Descendants() {
			if e.Kind() == dom.ElementNode && atValue(e) {
				want = append(want, strings.Map(func(r rune) rune {
					if r < 0x80 && isSpace(byte(r)) {
						return -1
					}
					return r
				}, e.Text()))
			}
		}
		if len(values) != len(want) {
			t.Fatalf("%d values, the document has %d", len(values), len(want))
		}
		for i := range want {
			if strings.HasSuffix(ids[i], "include") {
				continue
			}
			plain, err := base64.StdEncoding.DecodeString(want[i])
			if err != nil || string(plain) != values[i] {
				t.Fatalf("value %d: %q, the document has %q (%v)", i, values[i], plain, err)
			}
		}
	})
}

// atValue finds by the tree what the stream finds by its tags.
func atValue(e dom.Node) bool {
	names := []string{"value", "", "", "Body", "Envelope"}
	for i, n := 0, e; i < 5; i++ {
		if !n.Valid() || n.Kind() != dom.ElementNode || names[i] != "" && n.Local() != names[i] || i == 1 && n.Local() != "payload" && n.Local() != "bodyload" {
			return false
		}
		n = n.Parent()
		if i == 4 {
			return n.Kind() == dom.DocumentNode
		}
	}
	return false
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`<UserMessage xmlns="` + ebms.NS + `"><PartyInfo><From><PartyId>a</PartyId><Role>b</Role></From></PartyInfo><CollaborationInfo><Service>s</Service><Action>a</Action></CollaborationInfo><PayloadInfo><PartInfo href="cid:m"/></PayloadInfo></UserMessage>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		um, err := parseMetadata(b)
		if err == nil && (len(um.Parts) > 1 || um.Action == "" || len(um.From.IDs) != 1) {
			t.Errorf("taken: %+v", um)
		}
	})
}

func BenchmarkStream(b *testing.B) {
	doc := []byte(request(`<payload payloadId="a"><value>` + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("0123456789"), 1<<20)) + `</value></payload>`))
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		s := newStream(bytes.NewReader(doc))
		v, err := s.next()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, v); err != nil {
			b.Fatal(err)
		}
	}
}
