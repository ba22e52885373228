package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is shown does not depend on the octets of attachments, so large ones are left out; what cannot be read at all is told
// before it is read.
func TestLargeFilesAreShownWithoutTheirAttachments(t *testing.T) {
	t.Parallel()
	viadukt := func(args ...string) (string, int) {
		var out bytes.Buffer
		status := (&program{ctx: t.Context(), in: strings.NewReader(""), out: &out, err: &out}).dispatch(root, nil, args)
		return out.String(), status
	}
	sample, status := viadukt("message", "sample", "invoice")
	if status != statusDone {
		t.Fatal(sample)
	}
	dir := t.TempDir()
	invoice := func(name string, attachment int) string {
		const before = "<cac:AccountingSupplierParty>"
		head, tail, ok := strings.Cut(sample, before)
		if !ok {
			t.Fatal("the sample has no seller")
		}
		file := filepath.Join(dir, name)
		text := head + `<cac:AdditionalDocumentReference><cbc:ID>A-1</cbc:ID><cac:Attachment><cbc:EmbeddedDocumentBinaryObject mimeCode="application/pdf" filename="a.pdf">` +
			strings.Repeat("QUJD", attachment) + `</cbc:EmbeddedDocumentBinaryObject></cac:Attachment></cac:AdditionalDocumentReference>` + before + tail
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	small, status := viadukt("invoice", "render", invoice("small.xml", 1))
	if status != statusDone || !strings.Contains(small, "a.pdf") {
		t.Fatal(small)
	}
	if large, status := viadukt("invoice", "render", invoice("large.xml", leanFrom/4)); status != statusDone || large != small {
		t.Errorf("status %d, a page of %d octets instead of %d", status, len(large), len(small))
	}
	huge := filepath.Join(dir, "huge.xml")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, maxDocument+1); err != nil { // which takes no place on the disk
		t.Fatal(err)
	}
	if out, status := viadukt("invoice", "convert", huge, "--to", "cii"); status != statusFailed || !strings.Contains(out, "too large: more than 1073741824 octets") || !strings.Contains(out, "leave attachments out") {
		t.Errorf("status %d: %s", status, out)
	}
}
