package ids

import "testing"

func BenchmarkParse(b *testing.B) {
	s := SchemeActor + "::0088:4035811991021"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseParticipant(s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkServicePath(b *testing.B) {
	p, d := Participant{SchemeActor, "0088:4035811991021"}, DocumentType{SchemeQNS, invoice}
	b.ReportAllocs()
	for b.Loop() {
		if len(ServicePath(p, d)) < 100 {
			b.Fatal("short")
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	offered := make([]DocumentType, 100, 101)
	for i := range offered {
		offered[i] = DocumentType{SchemeQNS, invoice}
	}
	offered = append(offered, DocumentType{SchemeWildcard, "urn:x::Invoice##urn:peppol:pint:billing-1*::2.1"})
	wanted := DocumentType{SchemeWildcard, "urn:x::Invoice##urn:peppol:pint:billing-1@jp-1@x::2.1"}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, err := Match(offered, wanted); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
