// Package backoffice joins back offices to a node that were built for another gateway, Domibus: its SOAP interfaces,
// the calls of its REST interface that scripts use, its layout of folders; and it tells back offices of what happens,
// over SOAP as that gateway does, and by signed webhooks.
//
// All of them are thin: a message is submitted, listed and opened by the node, statuses are the node's states under
// other names, and what has to be told waits in the node's store beside the message. Payloads pass through as streams.
//
// # Refused on purpose
//
// The part property FilePath, with which a client could make the gateway read any address; document types in
// requests; calls without a user from other machines; webhooks into private networks, unless allowed.
package backoffice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/trace"
)

// Gateway is what the interfaces need of a node.
type Gateway interface {
	// Begin finds the agreement for a header and begins a message by it. The header is completed: parties, time, id.
	// An *ebms.Error says why the gateway does not take it.
	Begin(ctx context.Context, um *Submitted) (Draft, error)
	// Open gives the document of a payload, expanded.
	Open(ctx context.Context, p *store.Payload) (io.ReadCloser, error)
	// Header is the eb:UserMessage of a stored message.
	Header(m *store.Message) (*ebms.UserMessage, error)
	// Fetched reports whether a message waits to be pulled by its receiver.
	Fetched(m *store.Message) bool
	// Trusted lists the certificates that the gateway trusts, for messages or for TLS.
	Trusted(ctx context.Context, tls bool) ([]Trusted, error)
	// Trust adds a certificate under an alias, Distrust removes one (store.ErrNotFound), TrustOnly replaces all that were added.
	Trust(ctx context.Context, tls bool, t Trusted) error
	Distrust(ctx context.Context, tls bool, alias string) error
	TrustOnly(ctx context.Context, tls bool, list []Trusted) error
	// PModeFiles lists P-Mode files that were uploaded, the one in use last; PModeFile gives one as it came.
	PModeFiles(ctx context.Context) ([]PModeFile, error)
	PModeFile(ctx context.Context, id int64) ([]byte, error)
	// UploadPModes takes a P-Mode file into use. An *UploadError says why it is refused.
	UploadPModes(ctx context.Context, name, description string, octets []byte) (warnings []string, err error)
	// Resend starts a failed message again.
	Resend(ctx context.Context, id int64) error
}

// Draft is a message that is being submitted.
type Draft interface {
	// Payload stores the octets of the i-th part of the header.
	Payload(i int, mimeType string, body io.Reader) error
	// Commit stores the message with the parts in the order of the header.
	Commit(ctx context.Context) (*store.Message, error)
	// Close gives up what was not committed.
	Close()
}

// Options are what a [Service] works with.
type Options struct {
	Settings Settings
	Gateway  Gateway
	Store    store.Store
	Clock    func() time.Time
	Log      *slog.Logger
	Ready    <-chan struct{} // a token when tasks were stored
	Listen   string          // address of the interface that [Service.Routes] are put on
	MaxBody  int64           // octets of one request
	Version  string
	Trace    *trace.Tracer
	Refused  func() // told of each call whose password was wrong; nil: nobody
}

// Service is the interfaces of one node.
type Service struct {
	Options
	users   []user
	proxies []netip.Prefix
	rules   []rule
	hooks   []hook
	client  *http.Client // for push: the operator names the address
	guarded *http.Client // for webhooks
}

// New reads passwords, certificates and secrets.
func New(opt Options) (*Service, error) {
	s := &Service{Options: opt}
	if s.Refused == nil {
		s.Refused = func() {}
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	for _, u := range opt.Settings.Users {
		loaded, err := loadUser(u)
		if err != nil {
			return nil, fmt.Errorf("backoffice: user %q: %w", u.Name, err)
		}
		s.users = append(s.users, loaded)
	}
	for _, p := range opt.Settings.Proxies {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			return nil, fmt.Errorf("backoffice: %w", err)
		}
		s.proxies = append(s.proxies, prefix.Masked())
	}
	if opt.Settings.SOAP && len(s.users) == 0 && !loopback(opt.Listen) {
		return nil, fmt.Errorf("backoffice: anybody could send messages through %s: add backoffice.users, or let the API listen on 127.0.0.1", opt.Listen)
	}
	var err error
	if s.rules, err = loadRules(opt.Settings.Push); err != nil {
		return nil, err
	}
	if s.hooks, err = loadHooks(opt.Settings.Webhooks); err != nil {
		return nil, err
	}
	s.client, s.guarded = clients(opt.Settings.AllowPrivate)
	return s, nil
}

// Routes puts the interfaces on a mux.
func (s *Service) Routes(mux *http.ServeMux) {
	if s.Settings.SOAP {
		mux.Handle("/domibus/services/wsplugin", s.soap(nsPlugin))
		mux.Handle("/domibus/services/backend", s.soap(nsOld))
	}
	if s.Settings.REST {
		s.restRoutes(mux)
	}
}

// Run tells back offices and looks after folders until ctx is done.
func (s *Service) Run(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.runTasks(ctx)
	}()
	if s.Settings.Folders.Root != "" {
		s.runFolders(ctx)
	}
	<-done
}

// find returns the message of an eb:MessageId in one direction, or in either.
func (s *Service) find(ctx context.Context, id string, role string) (*store.Message, error) {
	var found []*store.Message
	for _, d := range []store.Direction{store.Out, store.In} {
		if role != "" && role != roleOf(d) {
			continue
		}
		m, err := s.Store.ByMessageID(ctx, d, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, err
		default:
			found = append(found, m)
		}
	}
	switch len(found) {
	case 0:
		return nil, store.ErrNotFound
	case 1:
		return found[0], nil
	}
	return nil, newFault(codeDuplicate, fmt.Sprintf("the message [%s] was sent and received here: name the role of the access point", id))
}

// roleOf names the side on which this node stands.
func roleOf(d store.Direction) string {
	if d == store.Out {
		return "SENDING"
	}
	return "RECEIVING"
}

// status gives a state the name it has for these back ends.
func (s *Service) status(m *store.Message) string {
	if m.Direction == store.Out && (m.State == store.Queued || m.State == store.Retrying) && s.Gateway.Fetched(m) {
		return "READY_TO_PULL"
	}
	return status(m)
}

// status gives a state of a message that is pushed its name.
func status(m *store.Message) string {
	if m.Direction == store.In {
		switch m.State {
		case store.Confirmed:
			for _, p := range m.Payloads {
				if p.Gone {
					return "DELETED"
				}
			}
			return "DOWNLOADED"
		}
		return "RECEIVED"
	}
	switch m.State {
	case store.Sending, store.Sent:
		return "WAITING_FOR_RECEIPT"
	case store.Acknowledged:
		return "ACKNOWLEDGED"
	case store.AcknowledgedWithoutReceipt:
		return "ACKNOWLEDGED_WITH_WARNING"
	case store.Retrying:
		return "WAITING_FOR_RETRY"
	case store.Failed, store.Rejected:
		return "SEND_FAILURE"
	}
	return "SEND_ENQUEUED"
}
