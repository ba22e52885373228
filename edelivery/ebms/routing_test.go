package ebms

import (
	"bytes"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func TestRoutingBlocksAreCanonical(t *testing.T) {
	t.Parallel()
	m := &UserMessage{MPC: "urn:mpc", From: Party{IDs: []PartyID{{"a", "t"}}, Role: "buyer"}, To: Party{IDs: []PartyID{{"b", "t"}}, Role: "seller"},
		Agreement: &Agreement{Value: "urn:agreed"}, Service: Service{"urn:s", "t"}, Action: "order", ConversationID: "c1"}
	for _, isError := range []bool{false, true} {
		w := dom.NewWriter(nil)
		w.Start("x")
		blocks := Routing{Message: m, Error: isError, ID: "1"}.Append(w)
		w.End()
		doc, err := dom.Parse(bytes.Clone(w.Bytes()), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for e := range doc.Root().Elements() {
			want, err := c14n.Append(nil, c14n.Method{Algorithm: c14n.Exclusive10}, e)
			got := w.Bytes()[blocks[i].Span.From:blocks[i].Span.To]
			if id, _ := e.AttrNS(NSUtility, "Id"); err != nil || !bytes.Equal(got, want) || id != blocks[i].ID {
				t.Errorf("%v, id %s\n%s\n%s", err, id, got, want)
			}
			i++
		}
	}
}

// TestRoutingIsThatOfTheStandard makes the routing of the example receipt from its message.
func TestRoutingIsThatOfTheStandard(t *testing.T) {
	t.Parallel()
	var read [2]*Envelope
	for i, name := range []string{"xml", "as4receipt.xml"} {
		var err error
		if read[i], err = ParseEnvelope(corpus.Read(t, area, "oasis-as4/UserMessage_No_MPC_WSSecurity_multihop."+name), dom.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	message, receipt := read[0], read[1]
	m, err := ParseMessaging(message.Messaging, AllQuirks())
	if err != nil {
		t.Fatal(err)
	}
	w := dom.NewWriter(nil)
	b := Routing{Message: m.UserMessage(), ID: "1"}.Append(w)
	doc, err := dom.Parse(bytes.Clone(w.Bytes()[b[2].Span.From:b[2].Span.To]), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got, want := doc.Root().Child(NSMultiHop, "UserMessage"), receipt.RoutingInput.Child(NSMultiHop, "UserMessage")
	if got.Attr("mpc") != want.Attr("mpc") {
		t.Errorf("mpc %q, want %q", got.Attr("mpc"), want.Attr("mpc"))
	}
	leaves := func(n dom.Node) (list [][3]string) {
		for e := range n.Descendants() {
			if e.Kind() == dom.ElementNode && !e.FirstElement().Valid() {
				list = append(list, [3]string{e.Local(), e.Attr("type"), e.TrimmedText()})
			}
		}
		return list
	}
	g, wnt := leaves(got), leaves(want)
	if len(g) != len(wnt) {
		t.Fatalf("%v\n%v", g, wnt)
	}
	for i := range g {
		if g[i] != wnt[i] {
			t.Errorf("%v, want %v", g[i], wnt[i])
		}
	}
}
