package dom

import (
	"strings"
	"testing"
)

func TestWriter(t *testing.T) {
	t.Parallel()
	w := NewWriter([]byte("before:"))
	w.Start("p:a", "xmlns:p", "urn:p", "x", "1<2>&\"'\t\n\r")
	w.Text("1<2>&\"'\t\n\r ä 😀")
	w.Element("p:b", "")
	w.Element("c", "text", "d", "e")
	w.Start("f")
	w.Base64([]byte{0, 1, 2, 3})
	w.End()
	w.Raw([]byte("<g/>"))
	w.End()
	const want = `before:<p:a xmlns:p="urn:p" x="1&lt;2>&amp;&quot;'&#x9;&#xA;&#xD;">1&lt;2&gt;&amp;"'` + "\t\n" +
		`&#xD; ä 😀<p:b></p:b><c d="e">text</c><f>AAECAw==</f><g/></p:a>`
	if got := string(w.Bytes()); got != want || w.Len() != len(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWriterReplacesWhatXMLCannotCarry(t *testing.T) {
	t.Parallel()
	w := NewWriter(nil)
	w.Element("a", "\x00x\x1F\uFFFE\xFFy\xED\xA0\x80\uFFFD", "b", "\x01\uFFFF")
	const r = "\uFFFD"
	if got, want := string(w.Bytes()), `<a b="`+r+r+`">`+r+"x"+r+r+r+"y"+r+r+r+r+"</a>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	parse(t, string(w.Bytes()))
}

func TestWriterDeeperThanItsStack(t *testing.T) {
	t.Parallel()
	w := NewWriter(nil)
	for range 100 {
		w.Start("deep")
	}
	for range 100 {
		w.End()
	}
	if got := string(w.Bytes()); got != strings.Repeat("<deep>", 100)+strings.Repeat("</deep>", 100) {
		t.Error(got)
	}
}

func TestWriterBytesPanicsWhenAnElementIsOpen(t *testing.T) {
	t.Parallel()
	defer func() {
		if r := recover(); r == nil || !strings.Contains(r.(string), "open element p:a") {
			t.Errorf("recovered %v", r)
		}
	}()
	w := NewWriter(nil)
	w.Start("p:a")
	w.Bytes()
}

func BenchmarkWriter(b *testing.B) {
	b.ReportAllocs()
	buf := make([]byte, 0, 4096)
	for b.Loop() {
		w := NewWriter(buf)
		w.Start("eb:UserMessage", "xmlns:eb", "http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/")
		for range 10 {
			w.Start("eb:PartyInfo")
			w.Element("eb:PartyId", "4711", "type", "urn:oasis:names:tc:ebcore:partyid-type:unregistered")
			w.Element("eb:Role", "http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/initiator")
			w.End()
		}
		w.End()
		b.SetBytes(int64(len(w.Bytes())))
	}
}
