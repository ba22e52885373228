package rulepack_test

import (
	"archive/zip"
	"bytes"
	"slices"
	"testing"

	"github.com/viadukt-eu/viadukt/edocument/rulepack"
)

// FuzzImportArchive imports archives of strangers: bounded, without a panic; what becomes a pack is taken again as it is.
func FuzzImportArchive(f *testing.F) {
	archive := func(pairs ...string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for i := 0; i < len(pairs); i += 2 {
			w, err := z.CreateHeader(&zip.FileHeader{Name: pairs[i], Method: zip.Store})
			if err != nil {
				f.Fatal(err)
			}
			w.Write([]byte(pairs[i+1]))
		}
		if err := z.Close(); err != nil {
			f.Fatal(err)
		}
		return b.Bytes()
	}
	f.Add(archive("tickets-1.5/tickets.sch", ticketRules))
	f.Add(archive("t-1.0.xsd", ticketSchema))
	f.Add(archive("pack.json", `{"id":"a:b:1","source":{"name":"x","kind":"y","added":"2026-01-01T00:00:00Z"},"scenarios":[{"rules":["t.sch"]}]}`, "files/t.sch", ticketRules))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<14 {
			return
		}
		packs, err := rulepack.ImportArchive(slices.Clone(b), rulepack.ImportOptions{Name: "x-1.0.zip", Now: today})
		if err != nil {
			return
		}
		for _, p := range packs {
			again, err := rulepack.ImportArchive(p.Octets(), rulepack.ImportOptions{Name: "x", Now: today})
			if err != nil || len(again) != 1 || again[0].ID != p.ID {
				t.Fatalf("%s is not taken again: %v", p.ID, err)
			}
		}
	})
}
