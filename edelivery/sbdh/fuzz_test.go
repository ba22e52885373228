package sbdh

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// seeds adds the corpus, where it is there.
func seeds(f *testing.F) {
	f.Add([]byte(envelopeText("", headerText(), testPayload)))
	f.Add([]byte(envelopeText(` xmlns:u="urn:u"`, headerText(), `<u:a><b xmlns=""/></u:a>`)))
	f.Add([]byte(envelopeText("", headerText(), `<BinaryContent xmlns="`+ContentNamespace+`" mimeType="a/b">QUI=</BinaryContent>`)))
	f.Add([]byte(envelopeText("", headerText(), `<TextContent xmlns="`+ContentNamespace+`" mimeType="a/b">a&lt;<![CDATA[b]]></TextContent>`)))
	if os.Getenv("VIADUKT_CORPUS") == "" {
		return
	}
	files, _ := filepath.Glob(filepath.Join(corpus.Dir(f, area), "sbdh", "*", "*.xml"))
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil && len(b) < 4<<10 {
			f.Add(b)
		}
	}
}

func FuzzSBDH(f *testing.F) {
	seeds(f)
	rules, _ := Named("peppol-2.0.2")
	f.Fuzz(func(t *testing.T, b []byte) {
		stream, err1 := readAll(b)
		doc, err2 := parseAll(bytes.Clone(b))
		if err1 != nil {
			if err2 == nil && !errors.Is(err1, dom.ErrLimit) {
				t.Fatalf("stream: %v; as a document it is accepted", err1)
			}
			return
		}
		// In bits it is the same.
		m, err := Read(iotest.OneByteReader(bytes.NewReader(b)), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if again, err := io.ReadAll(m.Payload); err != nil || !bytes.Equal(again, stream.payload) {
			t.Fatalf("by octets: %v\n%q\n%q", err, again, stream.payload)
		}
		rules.Check(m)
		if !stream.Instance.XML() {
			if err2 != nil || !bytes.Equal(stream.payload, doc.payload) {
				t.Fatalf("document: %v\n%q\n%q", err2, stream.payload, doc.payload)
			}
			return
		}
		alone, err := dom.Parse(bytes.Clone(stream.payload), dom.Limits{})
		if err2 != nil {
			if err == nil {
				t.Fatalf("document: %v; but the stream's payload is well-formed: %q", err2, stream.payload)
			}
			return
		}
		if err != nil {
			t.Fatalf("payload by itself: %v: %q", err, stream.payload)
		}
		method := c14n.Method{Algorithm: c14n.Exclusive10}
		a, _ := c14n.Append(nil, method, alone.Root())
		z, _ := c14n.Append(nil, method, doc.Node)
		if !bytes.Equal(a, z) {
			t.Fatalf("payloads differ:\n%q\n%q", a, z)
		}
		if got, want := stream.Header, doc.Header; got.InstanceID != want.InstanceID || len(got.Scopes) != len(want.Scopes) || !got.Created.Equal(want.Created) || got.Sender() != want.Sender() {
			t.Fatalf("headers differ: %+v %+v", got, want)
		}
		// What was read can be written and read again.
		var w bytes.Buffer
		if err := Write(&w, stream.Header, bytes.NewReader(stream.payload)); err != nil {
			if stream.Header.Created.IsZero() {
				return
			}
			t.Fatalf("write: %v", err)
		}
		if again, err := readAll(w.Bytes()); err != nil || again.Instance != stream.Instance {
			t.Fatalf("written and read: %v\n%s", err, w.Bytes())
		}
	})
}
