package ebms

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func TestReply(t *testing.T) {
	t.Parallel()
	request := &UserMessage{
		MPC: "urn:mpc", MessageID: "m1@a.example", RefToMessageID: "m0@b.example", ConversationID: "c1",
		From: Party{IDs: []PartyID{{"a", "t"}}, Role: RoleInitiator}, To: Party{IDs: []PartyID{{"b", "t"}}, Role: RoleResponder},
		Agreement: &Agreement{Value: "urn:agreed"}, Service: Service{"urn:s", "t"}, Action: "ask",
		Properties: []Property{
			{PropertyOriginalSender, "c1", "s1"}, {PropertyFinalRecipient, "c4", "s4"}, {PropertyTrackingID, "7", ""}, {"other", "x", ""},
		},
		Parts: []PartInfo{{Href: "cid:p"}},
	}
	want := &UserMessage{
		RefToMessageID: "m1@a.example", ConversationID: "c1",
		From: Party{IDs: []PartyID{{"b", "t"}}, Role: RoleResponder}, To: Party{IDs: []PartyID{{"a", "t"}}, Role: RoleInitiator},
		Agreement: &Agreement{Value: "urn:agreed"}, Service: Service{"urn:s", "t"},
		Properties: []Property{{PropertyOriginalSender, "c4", "s4"}, {PropertyFinalRecipient, "c1", "s1"}},
	}
	if d := cmp.Diff(want, request.Reply(), cmp.AllowUnexported(dom.Node{})); d != "" {
		t.Error(d)
	}
	if got := (&UserMessage{MessageID: "m@x"}).Reply(); !got.IsResponse() && got.RefToMessageID != "m@x" || got.Agreement != nil || got.Properties != nil {
		t.Errorf("of a bare message: %+v", got)
	}
}
