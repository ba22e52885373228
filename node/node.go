// Package node is one running node: it joins the building blocks to a gateway with a store that is also its work
// queue, an interface for back offices, a metadata publisher of its own, and the domains that were given to it.
//
// All state lives here. A message is accepted only when it is on stable storage, and a receipt leaves only after the
// message that it acknowledges is; everything else may run twice.
package node

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/backoffice"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
	"github.com/viadukt-eu/viadukt/node/testbed"
	"github.com/viadukt-eu/viadukt/node/trace"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Version is that of the program, for logs and the User-Agent.
const Version = "0.1.0"

// deliverers is how many messages are handed to domains at once.
const deliverers = 4

// Options are what a node does not read from its configuration.
type Options struct {
	Clock   func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: silent
	Domains []Domain
	// Changed is told of every state change of a message once it is durable: to watch a node from within its process. It
	// must not block.
	Changed func(m *store.Message, to store.State)
	// Client sends AS4 messages; nil makes one that keeps to discovery.allowPrivateAddresses.
	Client *http.Client
	// ImportPModes reads P-Mode files of other access points; nil: none are taken while the node runs.
	ImportPModes PModeImporter
}

// Node is one running node.
type Node struct {
	Config *config.Config
	Store  store.Store
	// Evidence is the log of what happens. It is there from the set-up of domains on.
	Evidence *audit.Log
	Clock    func() time.Time
	Rand     io.Reader
	Log      *slog.Logger

	keys       atomic.Pointer[keys]
	trusted    trustHolder
	changing   sync.Mutex // held while a trust store is changed
	imports    importing
	live       atomic.Pointer[config.Config] // the configuration as last read; everything but what a reload reads is that of Config
	pmodes     atomic.Pointer[pmodeSet]
	clients    atomic.Pointer[[]client]
	agreeing   sync.Mutex // held while a set is replaced
	fetchers   fetchers
	sender     *as4.Sender
	receiver   *as4.Receiver
	directory  *Directory
	registry   *zoneRegistry // nil when the network has a registry of its own
	publisher  *publisher    // nil when the node has no SMP of its own
	publishing sync.Mutex    // held while documents of one participant are changed

	republishing sync.Mutex
	retry        as4.Retry
	out, in      *worker
	inbox        *inbox
	domains      []Domain
	handlers     map[string]Handler   // by domain
	submitters   map[string]Submitter // by domain
	metrics      *telemetry
	trace        *trace.Tracer // nil: off
	recorder     *audit.Recorder
	owner        string
	leases       atomic.Uint64
	changed      func(*store.Message, store.State)
	hub          *hub
	backups      backups
	restored     time.Time                 // when the store went back to a backup; zero: never
	lastSeen     atomic.Pointer[time.Time] // the clock at the last upkeep; before the first one, when the log was signed last. nil: never
	backoffice   *backoffice.Service       // nil without its section
	alerts       alerts
	testbed      *testbed.Bed       // nil without its section
	messaging    *testbed.Messaging // nil without its section
	judges       judges
	signatures   signatures
	trustLists   trustLists
	observers    []observer
	taskReady    chan struct{} // a token when tasks were stored
	bedReady     chan struct{} // the same, for the test bed
	signals      chan struct{} // a token when a signal is to be posted
	pieces       chan struct{} // a token when a group of pieces has work

	servers []*listener
	stop    context.CancelFunc
	work    sync.WaitGroup
}

// New makes a node from its configuration: keys and trust are loaded, the store is opened, the domains are set up.
// Nothing listens and nothing is sent before [Node.Start].
func New(ctx context.Context, c *config.Config, opt Options) (*Node, error) {
	n := &Node{
		Config: c, Clock: opt.Clock, Log: opt.Log, handlers: map[string]Handler{}, submitters: map[string]Submitter{},
		metrics: newTelemetry(), owner: randomID(), Rand: rand.Reader, changed: opt.Changed, hub: newHub(), taskReady: make(chan struct{}, 1), bedReady: make(chan struct{}, 1), signals: make(chan struct{}, 1), pieces: make(chan struct{}, 1),
	}
	if n.changed == nil {
		n.changed = func(*store.Message, store.State) {}
	}
	if n.Clock == nil {
		n.Clock = time.Now
	}
	if n.Log == nil {
		n.Log = slog.New(slog.DiscardHandler)
	}
	tracer, err := n.loadTracer(c)
	if err != nil {
		return nil, err
	}
	n.trace = tracer
	n.retry = as4.Retry{Max: c.Outbound.MaxAttempts, First: c.Outbound.FirstRetry.D(), Factor: c.Outbound.Factor, Limit: c.Outbound.MaxPause.D()}
	n.out = newWorker(n, store.Out, c.Outbound.Workers, c.Outbound.PerPeer, n.send)
	n.out.limit = n.perPeer
	n.in = newWorker(n, store.In, deliverers, -1, n.deliver)
	n.inbox = &inbox{n: n, dir: string(c.Folders.Inbox)}
	k, err := loadKeys(c)
	if err != nil {
		return nil, err
	}
	n.keys.Store(k)
	n.live.Store(c)
	if err := n.openTrust(c); err != nil {
		return nil, err
	}
	n.directory = newDirectory(c, n.Trust(), n.Clock)
	if n.recorder, err = loadRecorder(c); err != nil {
		return nil, err
	}
	st, err := sqlite.Open(string(c.Node.DataDir), sqlite.Options{MinFree: int64(c.Node.MinFree), Recorder: n.recorder, Clock: n.Clock})
	if err != nil {
		return nil, err
	}
	n.Store = &followed{st, n}
	if err := n.setup(ctx, opt); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return n, nil
}

func (n *Node) setup(ctx context.Context, opt Options) error {
	n.imports.read = opt.ImportPModes
	if err := n.loadTrustStore(ctx); err != nil {
		return err
	}
	set, err := n.loadPModes(n.Config)
	if err != nil {
		return err
	}
	n.pmodes.Store(set)
	if err := n.readClock(ctx); err != nil {
		return err
	}
	if n.Evidence, err = n.openLog(ctx); err != nil {
		return err
	}
	known, err := loadClients(n.Config)
	if err != nil {
		return err
	}
	n.clients.Store(&known)
	if err := n.putTokens(ctx); err != nil {
		return err
	}
	if n.backoffice, err = n.loadBackoffice(); err != nil {
		return err
	}
	if err := n.loadAlerts(); err != nil {
		return err
	}
	if n.testbed, err = n.loadTestbed(); err != nil {
		return err
	}
	if n.messaging, err = n.loadMessaging(); err != nil {
		return err
	}
	if err := n.loadTrustLists(ctx); err != nil {
		return err
	}
	if err := n.loadSignatures(); err != nil {
		return err
	}
	if err := n.loadJudges(); err != nil {
		return err
	}
	if err := n.readRestored(ctx); err != nil {
		return err
	}
	n.registry = newZoneRegistry(n)
	if n.publisher, err = newPublisher(n); err != nil {
		return err
	}
	client := opt.Client
	if client == nil {
		client = as4ClientFor(n.Config, n.isPartner)
		n.trustTLS(client)
	}
	parsed := new(pki.Parsed)
	n.sender = &as4.Sender{Parsed: parsed, Client: n.tracedClient(client), Identity: n.signer, Trust: n.Trust(), Clock: n.Clock, UserAgent: "Viadukt/" + Version}
	n.receiver = &as4.Receiver{Parsed: parsed,
		PModes: func() *as4.Table { return n.pmodes.Load().in }, Intake: intake{n}, Sending: func() *as4.Table { return n.pmodes.Load().out }, Outbox: outbox{n}, Joiner: joiner{n}, Identity: n.signer, Keys: func() []*pki.Identity { return n.key().decrypt },
		Trust: n.Trust(), Clock: n.Clock, Host: n.Host(), Refused: n.refused,
		Limits: ebms.Limits{Parts: n.Config.AS4.Limits.Parts, RootBytes: int(n.Config.AS4.Limits.Header)},
	}
	for _, d := range opt.Domains {
		if !n.Config.Has(d.Name()) {
			continue
		}
		if err := d.Setup(ctx, n); err != nil {
			return fmt.Errorf("domain %s: %w", d.Name(), err)
		}
		n.domains = append(n.domains, d)
	}
	return nil
}

// key is the node's keys as last read.
func (n *Node) key() *keys { return n.keys.Load() }

func (n *Node) signer(*as4.PMode) *pki.Identity { return n.Identity() }

// Host is the right side of the node's message ids.
func (n *Node) Host() string { return hostOf(n.Config) }

// Identity is the node's signing identity at this moment.
func (n *Node) Identity() *pki.Identity {
	k := n.key()
	if len(k.sign) == 1 {
		return k.sign[0].Identity
	}
	return k.signing(n.Clock())
}

func (n *Node) refused(ctx context.Context, um *ebms.UserMessage, peer string, err error) {
	n.metrics.refused.Inc()
	n.recordRefused(ctx, um, peer, err)
	n.tellRefused(ctx, um, err)
	arrivalOf(ctx).refused(err)
	n.noteRefused(um)
	attrs := []slog.Attr{slog.String("peer", peer), slog.Any("err", err)}
	if um != nil {
		attrs = append(attrs, slog.String("msgid", um.MessageID))
	}
	n.Log.LogAttrs(ctx, slog.LevelWarn, "message refused", attrs...)
}

// Handle registers what a domain does with incoming messages of its P-Modes, and with submissions.
func (n *Node) Handle(domain string, h Handler, s Submitter) {
	n.handlers[domain], n.submitters[domain] = h, s
}

// handler finds who takes a message of this P-Mode.
func (n *Node) handler(pm *as4.PMode) (string, Handler) {
	if d := n.pmodes.Load().domain[pm.ID]; n.handlers[d] != nil {
		return d, n.handlers[d]
	}
	return "", n.inbox
}

func (n *Node) handlerOf(m *store.Message) Handler {
	if h := n.handlers[m.Domain]; h != nil {
		return h
	}
	return n.inbox
}

// Start listens, then works. It returns once every address is open.
func (n *Node) Start(ctx context.Context) error {
	if err := n.clearSnapshots(); err != nil {
		return err
	}
	if _, err := n.Store.Collect(ctx); err != nil {
		return err
	}
	ctx, n.stop = context.WithCancel(ctx)
	if err := n.listen(); err != nil {
		return errors.Join(err, n.Stop(ctx))
	}
	if n.registry != nil {
		if err := n.registry.serve(ctx); err != nil {
			return errors.Join(err, n.Stop(ctx))
		}
	}
	n.work.Go(func() { n.Evidence.Run(ctx) })
	n.work.Go(func() { n.Evidence.RunStamps(ctx) })
	n.work.Go(func() { n.out.run(ctx) })
	n.work.Go(func() { n.in.run(ctx) })
	n.work.Go(func() { n.runTasks(ctx, signalQueue, n.signals, n.postSignal) })
	n.work.Go(func() { n.runTasks(ctx, pieceQueue, n.pieces, n.pieceTask) })
	n.work.Go(func() { n.runRetention(ctx) })
	n.work.Go(func() { n.runUpkeep(ctx) })
	if n.trace != nil {
		n.work.Go(func() { n.trace.Run(ctx) })
	}
	n.startFetching(ctx)
	n.work.Go(func() { n.runTrustLists(ctx) })
	if n.alerts.Center != nil {
		n.work.Go(func() { n.runAlerts(ctx) })
	}
	if n.backoffice != nil {
		n.work.Go(func() { n.backoffice.Run(ctx) })
	}
	if n.testbed != nil {
		n.work.Go(func() { n.runTasks(ctx, testbed.Queue, n.bedReady, n.testbed.Tell) })
	}
	if n.Config.Folders.Outbox != "" {
		n.work.Go(func() { n.watchOutbox(ctx) })
	}
	n.Log.Info("node started", slog.String("node", n.Config.Node.Name), slog.String("as4", n.Addr("as4")), slog.String("api", n.Addr("api")))
	return nil
}

// Stop stops listening, lets what is under way finish within ten seconds, and closes the store.
func (n *Node) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var errs []error
	n.hub.close()
	if n.messaging != nil {
		n.messaging.Close()
	}
	for _, l := range n.servers {
		if err := l.server.Shutdown(ctx); err != nil {
			errs = append(errs, l.server.Close())
		}
	}
	if n.stop != nil {
		n.stop()
	}
	n.work.Wait()
	errs = append(errs, n.backups.stop()) // its client is gone with the listeners
	return errors.Join(append(errs, n.Store.Close())...)
}

// listener is one open address.
type listener struct {
	name   string
	addr   net.Addr
	server *http.Server
	tls    *tlsSource // nil: it speaks plain HTTP
}

// Addr is the address on which "as4", "api", "smp", "testbed", "gitb", "validation", "signatures" or "metrics" listens, empty when it does not.
func (n *Node) Addr(name string) string {
	for _, l := range n.servers {
		if l.name == name {
			return l.addr.String()
		}
	}
	return ""
}

func (n *Node) listen() error {
	c := n.Config
	public := http.NewServeMux()
	public.Handle(c.AS4.Path, n.guard(n.tracedArrivals(n.receiver)))
	private := http.NewServeMux()
	api{n}.routes(private)
	if n.backoffice != nil {
		n.backoffice.Routes(private)
	}
	if n.signatures.remote != nil {
		private.Handle(remotePath, n.signatures.remote)
	}
	n.probes(private)
	endConsole, err := n.serveConsole(context.Background(), private)
	if err != nil {
		return err
	}
	if err := n.open("as4", string(c.AS4.Listen), public, c.TLS); err != nil {
		return err
	}
	if err := n.open("api", string(c.API.Listen), noStalls(n.tracedCalls(private)), c.API.TLS); err != nil {
		return err
	}
	n.servers[len(n.servers)-1].server.RegisterOnShutdown(endConsole)
	if n.publisher != nil {
		if err := n.open("smp", string(c.SMP.Listen), noStalls(n.publisher.server), nil); err != nil {
			return err
		}
	}
	if n.testbed != nil {
		if err := n.open("testbed", string(n.testbed.Listen), n.guard(n.testbed), nil); err != nil {
			return err
		}
	}
	if n.messaging != nil {
		if err := n.open("gitb", string(n.messaging.Listen), n.guard(n.messaging), nil); err != nil {
			return err
		}
	}
	if listen := n.judges.settings.Listen; listen != "" {
		if err := n.open("validation", string(listen), n.guard(n.judges.service.Handler()), c.API.TLS); err != nil {
			return err
		}
	}
	if listen := n.signatures.settings.Listen; listen != "" {
		if err := n.open("signatures", string(listen), n.guard(n.signatures.service.Handler()), c.API.TLS); err != nil {
			return err
		}
	}
	if c.Metrics.Listen != "" {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) { n.metrics.write(w) })
		return n.open("metrics", string(c.Metrics.Listen), mux, nil)
	}
	return nil
}

func (n *Node) open(name, addr string, h http.Handler, t *config.TLS) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("node: %s: %w", name, err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(n.Log.Handler(), slog.LevelDebug)}
	open := &listener{name: name, addr: l.Addr(), server: s}
	n.servers = append(n.servers, open)
	if t != nil {
		if open.tls, err = openTLS(t); err != nil {
			l.Close()
			return err
		}
		s.TLSConfig = open.tls.config()
		l = tls.NewListener(l, s.TLSConfig)
	}
	n.work.Go(func() {
		if err := s.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.Log.Error("listener ended", slog.String("name", name), slog.Any("err", err))
		}
	})
	return nil
}

// guard bounds what one request and all of them together may cost.
func (n *Node) guard(next http.Handler) http.Handler {
	slots := make(chan struct{}, n.Config.AS4.Limits.Connections)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ctl := http.NewResponseController(rw)
		w := &stallWriter{ResponseWriter: rw, ctl: ctl}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			w.Header().Set("Retry-After", "30")
			http.Error(w, "too many requests at once", http.StatusServiceUnavailable)
			return
		}
		now := time.Now()
		r.Body = &stallReader{ReadCloser: http.MaxBytesReader(rw, r.Body, int64(n.Config.AS4.Limits.Message)), ctl: ctl, end: now.Add(n.Config.AS4.Limits.Timeout.D())}
		next.ServeHTTP(w, r)
	})
}

// noStalls gives up callers that send or take nothing. However long it lasts, what flows goes on.
func noStalls(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctl := http.NewResponseController(w)
		r.Body = &stallReader{ReadCloser: r.Body, ctl: ctl}
		next.ServeHTTP(&stallWriter{ResponseWriter: w, ctl: ctl}, r)
	})
}

// stallWriter gives up a peer that takes no more of an answer: a message that it fetches may be large.
type stallWriter struct {
	http.ResponseWriter
	ctl  *http.ResponseController
	next time.Time
}

func (s *stallWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *stallWriter) Write(b []byte) (int, error) {
	if now := time.Now(); now.After(s.next) {
		if err := s.ctl.SetWriteDeadline(now.Add(stallTime)); err != nil {
			return 0, err
		}
		s.next = now.Add(stallTime / 2)
	}
	return s.ResponseWriter.Write(b)
}

// stallTime is how long a peer may send nothing. While octets flow there is no total limit but the one that the
// configuration sets.
const stallTime = 30 * time.Second

// stallReader gives up a peer that trickles: each read has its own deadline.
type stallReader struct {
	io.ReadCloser
	ctl  *http.ResponseController
	end  time.Time // of all; zero: none
	next time.Time // the deadline is renewed once half of it is used
}

func (s *stallReader) Read(b []byte) (int, error) {
	if now := time.Now(); now.After(s.next) {
		deadline := now.Add(stallTime)
		if !s.end.IsZero() && deadline.After(s.end) {
			deadline = s.end
		}
		if err := s.ctl.SetReadDeadline(deadline); err != nil {
			return 0, err
		}
		s.next = now.Add(stallTime / 2)
	}
	n, err := s.ReadCloser.Read(b)
	if err == io.EOF { // the server watches the connection on: work that takes its time is no stall
		if derr := s.ctl.SetReadDeadline(s.end); derr != nil {
			return n, derr
		}
	}
	return n, err
}

// probes are for load balancers and Prometheus: no token, no detail.
func (n *Node) probes(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if _, err := n.Store.Counts(r.Context()); err != nil {
			http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	if n.Config.Metrics.Listen == "" {
		mux.HandleFunc("GET /metrics", api{n}.wrap(func(w http.ResponseWriter, _ *http.Request) error {
			n.metrics.write(w)
			return nil
		}, scopeMetrics))
	}
}

// putTokens brings the store's API tokens in line with the configuration: one that is not there any more ends.
func (n *Node) putTokens(ctx context.Context) error {
	old, err := n.Store.ListTokens(ctx)
	if err != nil {
		return err
	}
	var tokens []store.Token
	for _, t := range n.Config.API.Tokens {
		secret, err := t.Secret.Read()
		if err != nil {
			return fmt.Errorf("api token %q: %w", t.Name, err)
		}
		tokens = append(tokens, store.Token{ID: configToken + t.Name, Hash: sha256.Sum256([]byte(secret)), Name: t.Name, Scopes: t.Scopes, Created: n.Clock()})
	}
	return n.Store.Write(ctx, func(tx store.Tx) error {
		for _, t := range old {
			if !strings.HasPrefix(t.ID, configToken) || slices.ContainsFunc(tokens, sameToken(t)) {
				continue
			}
			if err := tx.DeleteToken(t.ID); err != nil {
				return err
			}
		}
		for _, t := range tokens {
			if slices.ContainsFunc(old, sameToken(t)) {
				continue // the log tells of changes, not of starts
			}
			if err := tx.PutToken(t); err != nil {
				return err
			}
		}
		return nil
	})
}

func sameToken(a store.Token) func(store.Token) bool {
	return func(b store.Token) bool {
		return a.ID == b.ID && a.Hash == b.Hash && a.Name == b.Name && slices.Equal(a.Scopes, b.Scopes)
	}
}

// configToken begins the ids of tokens that the configuration names.
const configToken = "config:"

func randomID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func readFile(p config.Path) ([]byte, error) { return os.ReadFile(string(p)) }
