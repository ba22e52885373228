// Package pdftest writes small PDF files, and says what is written in others, for tests.
package pdftest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/viadukt-eu/viadukt/pdf"
)

// File is a file of objects, which are numbered from 1; the first is the catalog. With stream its cross-references are a stream,
// otherwise a table.
func File(t testing.TB, stream bool, objects ...pdf.Object) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	var offsets []int
	write := func(o pdf.Object) {
		offsets = append(offsets, b.Len())
		if err := pdf.WriteIndirect(&b, pdf.Ref{Number: len(offsets)}, o); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range objects {
		write(o)
	}
	start := b.Len()
	id := pdf.Hex("0123456789abcdef")
	trailer := pdf.Dict{"Size": len(objects) + 1, "Root": pdf.Ref{Number: 1}, "ID": pdf.Array{id, id}}
	if stream {
		rows := make([]byte, 6)
		for _, at := range append(offsets, start) {
			rows = append(binary.BigEndian.AppendUint32(append(rows, 1), uint32(at)), 0)
		}
		trailer["Type"], trailer["W"], trailer["Size"] = pdf.Name("XRef"), pdf.Array{1, 4, 1}, len(objects)+2
		write(pdf.Compress(trailer, rows))
	} else {
		fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
		for _, at := range offsets {
			fmt.Fprintf(&b, "%010d 00000 n \n", at)
		}
		b.WriteString("trailer\n")
		if err := pdf.Write(&b, trailer); err != nil {
			t.Fatal(err)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "startxref\n%d\n%%%%EOF\n", start)
	return b.Bytes()
}
