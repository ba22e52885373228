package bdxl

import (
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
)

func BenchmarkLabel(b *testing.B) {
	for name, p := range map[string]ids.Participant{
		"scheme": {Scheme: ids.SchemeActor, Value: "0088:4035811991021"},
		"ebcore": {Scheme: ids.PartyIDPrefix + "iso6523:0088", Value: "4035811991021"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Name(Automatic, p, testZone); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	z, addr := testServer(b, "")
	must(b, z.SetURL(name(b, alice), "Meta:SMP", "https://smp.example.com", 60))
	for how, r := range map[string]*Resolver{
		"cached": {Zone: testZone, Servers: []string{addr}, Clock: clock},
		"asked":  {Zone: testZone, Servers: []string{addr}, Clock: clock, CacheSize: -1},
	} {
		b.Run(how, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Lookup(b.Context(), alice); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSubstitute(b *testing.B) {
	for name, e := range map[string]string{"all": "!.*!https://smp.example.com!", "groups": `!^.*::([0-9]+):(.*)$!https://\1.example.com/\2!`} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Substitute(e, aus); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
