package pmode

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
)

func BenchmarkRead(b *testing.B) {
	for _, c := range []struct{ name, area, file string }{
		{"domibus/12parties/34legs", "ejustice-ecodex", "pmode/example-pmodes-1.xml"},
		{"holodeck", "edelivery-as4", "pmode-holodeck/ex-pm-2way-push-init.xml"},
	} {
		b.Run(c.name, func(b *testing.B) {
			octets, err := os.ReadFile(filepath.Join(corpus.Dir(b, c.area), c.file))
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(octets)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Read(bytes.Clone(octets), Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
