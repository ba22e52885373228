package node

import (
	"net/http"
	"slices"

	"github.com/viadukt-eu/viadukt/node/store"
)

// route is one call of the interface with all that its description needs.
type route struct {
	Method, Path string
	Summary      string
	Scopes       []string
	Query        []queryParam
	Body         any    // value of the type of a JSON body; nil: none
	Upload       string // what a body of any other kind holds
	Status       int    // of success
	Answer       any    // value of the type of a JSON answer
	Media        string // of an answer that is no JSON
	handler      func(http.ResponseWriter, *http.Request) error
}

// queryParam is one parameter in the query. Schema is a value of its type.
type queryParam struct {
	Name, Doc string
	Schema    any
	Many      bool // it may be repeated
}

func textParam(name, doc string) queryParam { return queryParam{Name: name, Doc: doc, Schema: ""} }

// table lists every call with a token.
func (a api) table() []route {
	messages, participants := []string{scopeMessages}, []string{scopeParticipants}
	direction := queryParam{Name: "direction", Doc: "in or out.", Schema: store.Direction(0)}
	states := queryParam{Name: "state", Doc: "Only messages in one of these states.", Schema: store.State(0), Many: true}
	submission := []queryParam{textParam("domain", "Field of use that takes the document."), textParam("pmode", "Agreement to send by."), textParam("sender", "Original sender, scheme::value."), textParam("receiver", "Final recipient, scheme::value."),
		textParam("country", "Country of the sender."), textParam("service", "eb:Service."), textParam("serviceType", "Its type."), textParam("action", "eb:Action."),
		textParam("conversationId", "eb:ConversationId. Default: the message id."), textParam("refToMessageId", "Message that this one answers."), textParam("messageId", "eb:MessageId. Default: made by the node.")}
	return append(slices.Concat(a.evidenceTable(), a.backupTable(), a.operationsTable(), a.validationTable(), a.trustTable(), a.threadTable(), a.acceptanceTable()), []route{
		{Method: "POST", Path: "/api/v1/messages", Summary: "Hand over a document, or a message of several parts", Scopes: messages, Status: http.StatusAccepted, Answer: MessageJSON{}, handler: a.send,
			Upload: "A document as it is; or multipart/form-data, whose first part may be \"message\": JSON with the fields of the query and \"properties\". Every further part is a payload, in this order.",
			Query:  submission},
		{Method: "GET", Path: "/api/v1/messages", Summary: "List messages, newest first", Scopes: messages, Status: http.StatusOK, Answer: MessageListJSON{}, handler: a.list,
			Query: []queryParam{direction, states, textParam("domain", "Field of use."), textParam("messageId", "eb:MessageId."), textParam("conversationId", "eb:ConversationId."), textParam("peer", "Partner's host or party."), textParam("pmode", "Agreement."),
				textParam("party", "Party that sends or receives."), textParam("participant", "Original sender or final recipient."), textParam("service", "eb:Service."), textParam("action", "eb:Action."),
				{Name: "before", Doc: "Only rows below this number: next of the page before.", Schema: int64(0)}, {Name: "limit", Doc: "At most this many. Default 50, at most 1000.", Schema: int64(0)}}},
		{Method: "GET", Path: "/api/v1/messages/{id}", Summary: "One message with its events and evidence; id is the row or the eb:MessageId", Scopes: messages, Status: http.StatusOK, Answer: MessageJSON{}, handler: a.show},
		{Method: "GET", Path: "/api/v1/messages/{id}/payloads/{n}", Summary: "The n-th payload, counted from 0, out of its envelope", Scopes: messages, Status: http.StatusOK, Media: "*/*", handler: a.payload,
			Query: []queryParam{textParam("raw", "When present: the payload as it travelled.")}},
		{Method: "GET", Path: "/api/v1/messages/{id}/evidence/{n}", Summary: "The n-th piece of evidence, counted from 0, as it was on the wire", Scopes: messages, Status: http.StatusOK, Media: "application/soap+xml", handler: a.evidence},
		{Method: "POST", Path: "/api/v1/messages/{id}/resend", Summary: "Try again now", Scopes: messages, Status: http.StatusOK, Answer: MessageJSON{}, handler: a.resend},
		{Method: "POST", Path: "/api/v1/messages/{id}/reply", Summary: "Answer a received message: conversation, participants and agreement are those of the request, unless given", Scopes: messages, Status: http.StatusAccepted, Answer: MessageJSON{}, handler: a.reply,
			Upload: "As for handing over a document.", Query: submission},
		{Method: "POST", Path: "/api/v1/messages/{id}/confirm", Summary: "Say that the back office has the message", Scopes: messages, Status: http.StatusOK, Answer: MessageJSON{}, handler: a.confirm},
		{Method: "GET", Path: "/api/v1/events", Summary: "State changes as they happen, as server-sent events", Scopes: messages, Status: http.StatusOK, Media: "text/event-stream", handler: a.events,
			Query: []queryParam{direction, states, textParam("lastEventId", "Continue behind this event, where the header Last-Event-ID cannot be sent.")}},
		{Method: "GET", Path: "/api/v1/participants", Summary: "Participants of the node's own publisher", Scopes: participants, Status: http.StatusOK, Answer: ParticipantListJSON{}, handler: a.participants,
			Query: []queryParam{textParam("after", "Only participants behind this one.")}},
		{Method: "PUT", Path: "/api/v1/participants/{participant}/services/{doctype}", Summary: "Register a document type of a participant", Scopes: participants, Status: http.StatusNoContent, Body: RegistrationJSON{}, handler: a.register},
		{Method: "DELETE", Path: "/api/v1/participants/{participant}/services/{doctype}", Summary: "Remove a document type of a participant", Scopes: participants, Status: http.StatusNoContent, handler: a.unregister},
		{Method: "DELETE", Path: "/api/v1/participants/{participant}", Summary: "Remove a participant", Scopes: participants, Status: http.StatusNoContent, handler: a.unregister},
		{Method: "POST", Path: "/api/v1/reload", Summary: "Read partners and P-Modes of the configuration again", Scopes: []string{scopeAdmin}, Status: http.StatusOK, Answer: Reloaded{}, handler: a.reload},
		{Method: "GET", Path: "/api/v1/lookup", Summary: "Look up a participant step by step", Scopes: []string{scopeMessages, scopeParticipants}, Status: http.StatusOK, Answer: LookupJSON{}, handler: a.lookup,
			Query: []queryParam{textParam("participant", "scheme::value."), textParam("doctype", "Document type, scheme::value."), textParam("process", "Process, scheme::value.")}},
	}...)
}
