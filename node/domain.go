package node

import (
	"context"
	"io"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/thread"
)

// Domain is one field of use: procurement, justice, health, business, identity. The node knows this much of it.
type Domain interface {
	// Name is its section of the configuration, its metric label and its noun on the command line.
	Name() string
	// Setup reads the section and registers what the domain handles.
	Setup(ctx context.Context, n *Node) error
	// Check looks at the domain's surroundings for "viadukt config check".
	Check(ctx context.Context) []Finding
}

// Finding is one result of a check.
type Finding struct {
	Severity string // "ok", "warning" or "error"
	What     string // "signing key", "peer https://..."
	Text     string
	Remedy   string
}

// Handler is what a domain does with the messages of the profiles it registered for.
type Handler interface {
	// Accept judges a message before its receipt leaves; an *ebms.Error is answered to the sender. It may fill in
	// the message's Sender, Receiver and Error. What it reads from payloads is authenticated.
	Accept(ctx context.Context, in *Incoming) error
	// Waits says whether Deliver has something to do. Where it has not, a message is delivered when it is stored.
	Waits() bool
	// Deliver hands a received message over. It runs after the receipt left, and again after an error or a crash.
	Deliver(ctx context.Context, m *store.Message) error
	// Open returns the document of a payload as the back office wants it, out of its envelope, with a file name.
	Open(ctx context.Context, m *store.Message, p *store.Payload) (body io.ReadCloser, name string, err error)
}

// Answerer is a Handler that may answer messages of which it delivers nothing: Deliver runs for those, too.
type Answerer interface {
	// Answers says whether the message may have to be answered.
	Answers(m *store.Message) bool
}

// Debtor is a Handler that owes some of its messages to receivers who may be registered later only: such a message is
// tried again by the schedule where the directory knows nobody who takes it, and others are given up at once.
type Debtor interface {
	// Owed says whether a message is owed, and what can be done while nobody takes it.
	Owed(m *store.Message) (remedy string, owed bool)
}

// Threader is a Handler that knows which messages belong to one business process.
type Threader interface {
	// Thread gathers what belongs together with a message, itself among it.
	Thread(ctx context.Context, m *store.Message) (*thread.Thread, error)
}

// Phased is a Handler that knows when versions of documents come into use and are phased out.
type Phased interface {
	// Life is when documents of a type are used: what the node publishes of it says so. Zero times are unbounded.
	Life(t ids.DocumentType) (from, until time.Time)
	// Lives are all that are known: alerts announce their ends, and what is published follows when they change.
	Lives() []Life
}

// Life is when documents of a version are used.
type Life struct {
	What        string // a customization identifier
	From, Until time.Time
	Next        string // what takes its place, "" where nothing is named
}

// Reloader is a Domain that takes settings of its section anew while the node runs.
type Reloader interface {
	// Reload reads the section, and returns what takes it into use, and the settings that differ from those that the node
	// started with and want a restart, by their names in the section. Nothing changes before. What is wrong is an error.
	Reload(c *config.Config) (use func(), restart []string, err error)
}

// RejectedError is what Deliver returns for a message that was received, and that this node refuses for good.
type RejectedError struct {
	Problem store.Problem
	Untold  string // why the sender, who has a receipt, could not be told; "" when it was
}

func (e *RejectedError) Error() string { return e.Problem.Code + ": " + e.Problem.Text }

// Incoming is a message that passed security, with its payloads in the store but not yet committed.
type Incoming struct {
	*as4.Received
	Stored *store.Message // what will be inserted
	// Once, when Accept sets it, names the document whatever message it comes in: the first message with a name is
	// delivered, later ones are acknowledged, kept and marked as its duplicates.
	Once string
	// Labels are what the message can be found by: see [store.Tx].
	Labels []string
	parts  []payload
}

// Payload opens the expanded octets of the i-th part, in the order of the header.
func (in *Incoming) Payload(i int) (io.ReadSeekCloser, error) { return in.parts[i].open() }

// Size of the i-th part in octets, expanded.
func (in *Incoming) Size(i int) int64 { return in.parts[i].w.Size() }

// Submission is a business document, or a message of several parts, that a back office hands over, with what it knows
// beside it. Empty fields are found out from the document, where the domain can.
type Submission struct {
	Domain         string            `json:"domain"`
	PMode          string            `json:"pmode"`    // a bilateral agreement; empty: the domain's rule, usually discovery
	Sender         string            `json:"sender"`   // corner 1, "scheme::value"
	Receiver       string            `json:"receiver"` // corner 4
	Country        string            `json:"country"`  // of the sender, ISO 3166-1 alpha-2
	Service        string            `json:"service"`
	ServiceType    string            `json:"serviceType"`
	Action         string            `json:"action"`
	ConversationID string            `json:"conversationId"`
	RefToMessageID string            `json:"refToMessageId"`
	MessageID      string            `json:"messageId"`
	Properties     map[string]string `json:"properties"`

	// Remark is what the domain has to say about a document that it sends all the same: the answer to the submission
	// carries it.
	Remark store.Problem `json:"-"`

	// Labels are what the domain finds the message by: see [store.Tx].
	Labels []string `json:"-"`

	// Next returns the parts in order, io.EOF after the last. Each part is read before the next is asked for.
	Next func() (*SubmissionPart, error) `json:"-"`
}

// SubmissionPart is one payload. Body is read once.
type SubmissionPart struct {
	Name      string // file name, kept beside the payload
	MimeType  string
	ContentID string
	Body      io.Reader
}

// Submitter takes documents of a domain. It returns when the message is durable.
type Submitter interface {
	Submit(ctx context.Context, s *Submission) (*store.Message, error)
}
