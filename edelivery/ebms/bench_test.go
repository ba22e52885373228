package ebms

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// envelope8k is an envelope of about 8 kB: our user message behind a security header of the usual size.
func envelope8k() []byte {
	w := dom.NewWriter(nil)
	WriteEnvelope(w, &Messaging{UserMessages: []*UserMessage{sampleMessage()}}, EnvelopeIDs{"m", "b"}, func(w *dom.Writer) {
		w.Start("wsse:Security", "xmlns:wsse", NSSecurity)
		for range 5 {
			w.Element("wsse:BinarySecurityToken", strings.Repeat("MIIFdata", 140))
		}
		w.End()
	})
	return w.Bytes()
}

func BenchmarkParseMessaging(b *testing.B) {
	src := envelope8k()
	e, err := ParseEnvelope(src, dom.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	q := DefaultQuirks()
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseMessaging(e.Messaging, q); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseReceipt(b *testing.B) {
	doc := mustParse(b, messagingXML(receiptWithReferences(3)))
	q := DefaultQuirks()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseMessaging(doc.Root(), q); err != nil {
			b.Fatal(err)
		}
	}
}

func receiptWithReferences(n int) string {
	ref := `<ebbpsig:MessagePartNRInformation><ds:Reference xmlns:ds="` + NSSignature + `" URI="#id-0123456789"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>6paVeHkk6G+ZumhAmhvPeOuuVS+guy0eoO+C7vfK0vA=</ds:DigestValue></ds:Reference></ebbpsig:MessagePartNRInformation>`
	return `<eb:SignalMessage>` + infoXML + `<eb:Receipt><ebbpsig:NonRepudiationInformation xmlns:ebbpsig="` + NSSignals + `">` +
		strings.Repeat(ref, n) + `</ebbpsig:NonRepudiationInformation></eb:Receipt></eb:SignalMessage>`
}

func BenchmarkParseEnvelope(b *testing.B) {
	src := envelope8k()
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseEnvelope(src, dom.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteEnvelope(b *testing.B) {
	m := &Messaging{UserMessages: []*UserMessage{sampleMessage()}}
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		w := dom.NewWriter(buf[:0])
		WriteEnvelope(w, m, EnvelopeIDs{"m", "b"}, nil)
		b.SetBytes(int64(w.Len()))
	}
}

func BenchmarkWriteReceipt(b *testing.B) {
	doc := mustParse(b, messagingXML(receiptWithReferences(3)))
	var refs []dom.Node
	for n := range doc.Root().Descendants() {
		if n.Kind() == dom.ElementNode && n.Is(NSSignature, "Reference") {
			refs = append(refs, n)
		}
	}
	now := time.Unix(1.7e9, 0)
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		w := dom.NewWriter(buf[:0])
		WriteEnvelope(w, &Messaging{Signals: []*Signal{NewReceipt("r@x", "m@x", now, refs)}}, EnvelopeIDs{"m", "b"}, nil)
		b.SetBytes(int64(w.Len()))
	}
}

func multipartBody(b *testing.B, size int, kind string) []byte {
	content := make([]byte, size)
	r := rand.NewChaCha8([32]byte{})
	switch kind {
	case "random":
		r.Read(content)
	case "text":
		for i := range content {
			content[i] = "<a>text</a> of forty octets in a line \r\n"[i%40]
		}
	}
	var out bytes.Buffer
	w := NewMIMEWriter(&out, "0123456789abcdef0123456789abcdef", "root@x")
	for _, p := range []struct {
		id string
		c  []byte
	}{{"root@x", envelope8k()}, {"p@x", content}} {
		if _, err := w.Copy(PartHeader{ContentType: "application/octet-stream", ContentID: p.id}, bytes.NewReader(p.c)); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

func BenchmarkReadMIME(b *testing.B) {
	contentType := MultipartContentType("0123456789abcdef0123456789abcdef", "root@x")
	for _, c := range []struct {
		name string
		size int
		kind string
	}{{"4KiB", 4 << 10, "random"}, {"16MiB-random", 16 << 20, "random"}, {"16MiB-text", 16 << 20, "text"}} {
		b.Run(c.name, func(b *testing.B) {
			src := multipartBody(b, c.size, c.kind)
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				r, err := NewReader(contentType, bytes.NewReader(src), Limits{})
				if err != nil {
					b.Fatal(err)
				}
				if _, _, err := r.Root(); err != nil {
					b.Fatal(err)
				}
				p, err := r.Next()
				if err != nil {
					b.Fatal(err)
				}
				if n, err := p.WriteTo(io.Discard); err != nil || n != int64(c.size) {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkWriteMIME measures what one part costs beside its content, which passes through.
func BenchmarkWriteMIME(b *testing.B) {
	content := make([]byte, 64<<10)
	h := PartHeader{ContentType: "application/octet-stream", ContentID: "root@x"}
	b.ReportAllocs()
	for b.Loop() {
		w := NewMIMEWriter(io.Discard, "0123456789abcdef0123456789abcdef", "root@x")
		out, err := w.Part(h)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := out.Write(content); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseContentType(b *testing.B) {
	ct := MultipartContentType("0123456789abcdef0123456789abcdef", "root@c2.example")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseContentType(ct); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewMessageID(b *testing.B) {
	r := testRand()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewMessageID(r, "c2.example"); err != nil {
			b.Fatal(err)
		}
	}
}
