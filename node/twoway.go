package node

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/store"
)

// A two-way exchange is two one-way ones of which the second names the first [EU-AS4 1.4.4.2]. How each travels is the
// matter of its own P-Mode: so push-and-push, push-and-pull and pull-and-push are one and the same here.

// Reply sends an answer to a received message: by the P-Mode that the agreement names for answers, in the same
// conversation, from who received it to who sent it. What the submission says itself wins.
func (n *Node) Reply(ctx context.Context, request *store.Message, s *Submission) (*store.Message, error) {
	if request.Direction != store.In || request.Test {
		return nil, &RefusedError{Code: string(ebms.ValueInconsistent), Text: fmt.Sprintf("message %s was not received from a partner", request.MessageID), Remedy: "only received messages are answered"}
	}
	s.PMode = cmp.Or(s.PMode, n.pmodes.Load().reply[request.PMode])
	if s.PMode == "" && n.PMode(request.PMode) != nil {
		s.PMode = request.PMode
	}
	if s.PMode == "" && s.Domain == "" {
		s.Domain = request.Domain
	}
	s.RefToMessageID = request.MessageID
	s.ConversationID = cmp.Or(s.ConversationID, request.ConversationID)
	s.Sender, s.Receiver = cmp.Or(s.Sender, request.Receiver), cmp.Or(s.Receiver, request.Sender)
	if pm := n.PMode(s.PMode); pm != nil && pm.Responder.ID != "" && pm.Responder.ID != request.From {
		return nil, &RefusedError{Code: string(ebms.ValueInconsistent), Text: fmt.Sprintf("P-Mode %q leads to %s, the message came from %s", pm.ID, pm.Responder.ID, request.From), Remedy: "name the P-Mode for answers with replyWith"}
	}
	return n.Accept(ctx, s)
}

func (a api) reply(w http.ResponseWriter, r *http.Request) error {
	request, err := a.find(r)
	if err != nil {
		return err
	}
	s, err := readSubmission(r)
	if err != nil {
		return err
	}
	m, err := a.n.Reply(r.Context(), request, s)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/messages/"+strconv.FormatInt(m.ID, 10))
	return writeJSON(w, http.StatusAccepted, messageJSON(m))
}
