// Package console is the node in a browser: what passes, what stands still and why, who can be reached, and what one
// can do about it.
//
// Pages are made on the server and work without script; a small script keeps the overview fresh. People log in with
// a password, which is kept as an Argon2id hash [RFC 9106], and with a second factor where they set one up
// [RFC 6238]. What comes from peers is data to every template.
//
// # Refused on purpose
//
// Script and style inside pages: the Content-Security-Policy allows files of the console alone. Forms that do not
// carry the token of the session, or come from another site. Passwords faster than the [throttle] allows.
package console

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// Options of a console. Store, Node and Messages are required.
type Options struct {
	About       About
	Store       store.Store
	Network     Network
	Messages    Messages
	Key         []byte      // of [KeySize] octets, encrypts second factors in the store
	Publisher   Publisher   // nil: the node has no metadata publisher
	Imports     Imports     // nil: no P-Mode files are taken
	Audit       Audit       // nil: the node keeps no log of evidence
	Validator   Validator   // nil: no documents are judged
	Threads     Threads     // nil: nothing is known of business processes
	Verifier    Verifier    // nil: no signatures are judged
	Acceptance  Acceptance  // nil: the documents of messages are not judged
	Post        Post        // nil: nobody sends messages here
	Tokens      Tokens      // nil: tokens of the API are not shown
	TrustStores TrustStores // nil: certificates are not added here
	Trust       Trust       // nil: whom the node trusts is not shown
	// Reload reads the configuration again, and says which settings wait for a restart; nil: that is not done here.
	Reload func(ctx context.Context) (restart []string, err error)
	// RefreshTrustLists fetches what changed of the trusted lists; nil: nobody can.
	RefreshTrustLists func(ctx context.Context)
	Clock             func() time.Time // nil: time.Now
	Rand              io.Reader        // nil: crypto/rand
	Log               *slog.Logger     // nil: silent
	// Secure sets cookies that browsers send over TLS alone. A request that came over TLS has them anyway.
	Secure bool
	// Proxies are the addresses whose X-Forwarded-For names the browser.
	Proxies []netip.Prefix
	Idle    time.Duration // a session ends when nothing was asked for this long; 0: 30 minutes
	Longest time.Duration // and at any rate after this; 0: 12 hours
	// Acted is told what people did, once it is done. It must not block.
	Acted func(ctx context.Context, a Act)
	// Certified names the user whose certificate the connection shows, "" when there is none; nil: nobody is known so.
	Certified func(r *http.Request) string
	// Refused is told of each wrong password or code; nil: nobody.
	Refused func()
	// Alerts are what needs a hand, in a language, the worst first; nil: nobody looks.
	Alerts func(language string) []Alert
}

// Alert is one thing that needs a hand.
type Alert struct {
	Severity string // "info", "warning", "critical"
	Text     string
	Remedy   string
	Since    time.Time
}

// Act is something that a person did in the console.
type Act struct {
	User    string
	Address string // of the browser
	What    string // "message.resend", "user.add": see acts in the code
	Subject string // what it was done to
}

// About says which node this is.
type About struct {
	Name, Country, Version string
	Party                  string // identifier of the access point
	URL                    string // where messages arrive
	Profile                string
	Publisher              string // where metadata are served, "" where they are not
	Zone                   string // in which receivers are looked up, "" where they are not
	Started                time.Time
}

// Console is an [http.Handler] for everything below [Root].
type Console struct {
	opt      Options
	mux      *http.ServeMux
	pages    map[string]*pageSet // by language
	throttle *throttle
	hasher   *hasher
	sealer   sealer
	origins  *http.CrossOriginProtection
	streams  *streams
	planned  planned
	closing  chan struct{}
	close    sync.Once
}

// Root is where the console stands on its server.
const Root = "/console/"

// New makes a console. Nothing runs before it is asked.
func New(opt Options) (*Console, error) {
	if opt.Store == nil || opt.Network == nil || opt.Messages == nil {
		return nil, errors.New("console: store, network and messages are required")
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Rand == nil {
		opt.Rand = rand.Reader
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Idle == 0 {
		opt.Idle = 30 * time.Minute
	}
	if opt.Longest == 0 {
		opt.Longest = 12 * time.Hour
	}
	if opt.Acted == nil {
		opt.Acted = func(context.Context, Act) {}
	}
	if opt.Certified == nil {
		opt.Certified = func(*http.Request) string { return "" }
	}
	if opt.Refused == nil {
		opt.Refused = func() {}
	}
	if opt.Alerts == nil {
		opt.Alerts = func(string) []Alert { return nil }
	}
	c := &Console{
		opt: opt, mux: http.NewServeMux(), throttle: newThrottle(opt.Clock), hasher: newHasher(), origins: http.NewCrossOriginProtection(),
		streams: newStreams(), closing: make(chan struct{}),
	}
	var err error
	if c.sealer, err = newSealer(opt.Key); err != nil {
		return nil, err
	}
	if c.pages, err = loadPages(); err != nil {
		return nil, err
	}
	c.routes()
	return c, nil
}

// Close ends the event streams, which would otherwise hold up the end of the server.
func (c *Console) Close() { c.close.Do(func() { close(c.closing) }) }

// routes are all pages and acts, each with the role it needs.
func (c *Console) routes() {
	c.mux.Handle("GET /console/static/{file}", http.HandlerFunc(c.static))
	c.open("GET /console/login", c.loginPage)
	c.open("POST /console/login", c.login)
	c.open("GET /console/login/code", c.codePage)
	c.open("POST /console/login/code", c.code)
	c.open("POST /console/look", c.look)
	c.open("POST /console/logout", c.logout)

	c.page("GET /console/{$}", Viewer, c.overview)
	c.page("GET /console/live", Viewer, c.live)
	c.page("GET /console/messages", Viewer, c.messages)
	c.page("GET /console/send", Operator, c.sendPage)
	c.page("POST /console/send", Operator, c.send)
	c.page("GET /console/messages/{id}", Viewer, c.message)
	c.page("GET /console/messages/{id}/evidence/{n}", Viewer, c.evidence)
	c.page("GET /console/messages/{id}/documents/{n}", Operator, c.document)
	c.page("POST /console/messages/{id}/resend", Operator, c.resend)
	c.page("POST /console/messages/{id}/confirm", Operator, c.confirm)
	c.page("GET /console/messages/{id}/case", Viewer, c.caseFile)
	c.page("GET /console/messages/{id}/thread", Operator, c.threadPage)
	c.page("GET /console/messages/{id}/acceptance", Operator, c.acceptancePage)
	c.page("GET /console/audit", Viewer, c.auditPage)
	c.page("GET /console/queues", Viewer, c.queues)
	c.page("GET /console/partners", Viewer, c.partners)
	c.page("GET /console/partners/{name}", Viewer, c.partner)
	c.page("POST /console/partners/{name}/check", Operator, c.checkPartner)
	c.page("GET /console/certificates", Viewer, c.certificates)
	c.page("POST /console/certificates/lists", Administrator, c.refreshTrustLists)
	c.page("POST /console/certificates/trust", Administrator, c.trust)
	c.page("POST /console/certificates/distrust", Administrator, c.distrust)
	c.page("GET /console/trust", Viewer, c.trustPage)
	c.page("GET /console/participants", Viewer, c.participants)
	c.page("POST /console/participants", Operator, c.addParticipant)
	c.page("POST /console/participants/remove", Operator, c.removeParticipant)
	c.page("GET /console/agreements", Viewer, c.agreements)
	c.page("GET /console/agreements/{direction}/{id}", Viewer, c.agreement)
	c.page("POST /console/agreements/reload", Administrator, c.reload)
	c.page("POST /console/agreements/import", Administrator, c.planImport)
	c.page("POST /console/agreements/import/apply", Administrator, c.applyImport)
	c.page("POST /console/agreements/import/certificate", Administrator, c.trustPartner)
	c.page("GET /console/validate", Viewer, c.validatePage)
	c.page("POST /console/validate", Viewer, c.validate)
	c.page("GET /console/espd", Viewer, c.espdPage)
	c.page("POST /console/espd", Viewer, c.espd)
	c.page("GET /console/verify", Viewer, c.verifyPage)
	c.page("POST /console/verify", Viewer, c.verify)
	c.page("GET /console/users", Administrator, c.users)
	c.page("POST /console/users", Administrator, c.addUser)
	c.page("POST /console/users/{name}/role", Administrator, c.changeRole)
	c.page("POST /console/users/{name}/reset", Administrator, c.resetUser)
	c.page("POST /console/users/{name}/remove", Administrator, c.removeUser)
	c.page("POST /console/tokens", Administrator, c.addToken)
	c.page("POST /console/tokens/remove", Administrator, c.removeToken)
	c.page("GET /console/account", Viewer, c.account)
	c.page("POST /console/account/password", Viewer, c.changePassword)
	c.page("POST /console/account/factor", Viewer, c.startFactor)
	c.page("POST /console/account/factor/confirm", Viewer, c.confirmFactor)
	c.page("POST /console/account/factor/remove", Viewer, c.removeFactor)
	c.page("POST /console/account/sessions", Viewer, c.endSessions)
	c.page("/console/", Viewer, func(*call) error { return errNotFound })
}
