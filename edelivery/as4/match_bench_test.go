package as4

import (
	"fmt"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
)

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{1, 500} {
		b.Run(fmt.Sprintf("%dmodes", n), func(b *testing.B) {
			var modes []*PMode
			for i := range n {
				modes = append(modes, &PMode{ID: fmt.Sprint(i), ProfileName: "bilateral", Agreement: "urn:example:agreement", Service: "urn:example:service", Action: fmt.Sprintf("action-%d", i%25),
					Initiator: PartyRef{ID: fmt.Sprintf("party-%d", i/25), Type: "urn:example:office"}, Responder: PartyRef{ID: "us", Type: "urn:example:office"}})
			}
			t, err := NewTable(modes...)
			if err != nil {
				b.Fatal(err)
			}
			last := modes[n-1]
			um := &ebms.UserMessage{Agreement: &ebms.Agreement{Value: last.Agreement}, Service: ebms.Service{Value: last.Service}, Action: last.Action,
				From: ebms.Party{IDs: []ebms.PartyID{{Value: last.Initiator.ID, Type: last.Initiator.Type}}, Role: ebms.RoleInitiator},
				To:   ebms.Party{IDs: []ebms.PartyID{{Value: "us", Type: "urn:example:office"}}, Role: ebms.RoleResponder}}
			b.ReportAllocs()
			for b.Loop() {
				if m, err := t.Match(um); err != nil || m != last {
					b.Fatal(m, err)
				}
			}
		})
	}
}
