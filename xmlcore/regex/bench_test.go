package regex

import (
	"strings"
	"testing"
)

func BenchmarkMatch(b *testing.B) {
	for _, c := range []struct{ name, pattern, text string }{
		{"chain", `[A-Z]{2}[0-9]{1,12}`, "BE0123456789"},
		{"automaton", `([A-Z]{2})?(\d+|[a-z]+)-\p{L}*`, "BE0123456789-äöü"},
		{"class/4KiB", `[^X]{0,9999}`, strings.Repeat("abcdefgh", 512)},
	} {
		b.Run(c.name, func(b *testing.B) {
			r, err := Compile(c.pattern, Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := r.Match(c.text); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(`([A-Z]{2})?(\d+|[a-z]+)-\p{L}*`, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
