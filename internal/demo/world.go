package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/bdxl/zone"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
)

// profile of the nodes; the agreement by folders has its own.
const profile = "peppol"

// letters is the agreement of EE and PT about files of any kind.
var letters = setup.Agreement{ID: "letters", Profile: "eu-edelivery", Service: "urn:demo:letters", Action: "Deliver"}

// patience is how long a step may take before it counts as failed, on a machine that is busy with others.
const patience = 2 * time.Minute

// world is the network with everything in it.
type world struct {
	ctx      context.Context
	o        Options
	show     func(Step)
	dir      string
	scenario string
	rows     map[string]bool // shown: as it should be, or not
	failed   bool

	nodes     map[string]*country // by country code
	order     []*country
	directory *directory
	trap      *trap
	begin     time.Time
	documents int // how many were made, for their numbers
}

// country is a running node.
type country struct {
	code string
	made *setup.Result
	node *node.Node
	w    *world
	tune func(*config.Config)
	wrap func(store.Store) store.Store // what its store gets around it; may be nil
}

// pair starts the nodes of EE and PT, with an agreement between both, once.
func (w *world) pair() (ee, pt *country, err error) {
	if w.nodes["EE"] != nil {
		return w.nodes["EE"], w.nodes["PT"], nil
	}
	w.begin = time.Now()
	start := w.begin
	var made [2]*setup.Result
	for i, code := range []string{"EE", "PT"} {
		start := time.Now()
		if made[i], err = w.create(code, nil); err != nil {
			return nil, nil, err
		}
		w.step("", "init", code, start, "viadukt init %s --country %s --profile %s --folders", made[i].Dir, code, profile)
	}
	if err := setup.Agree(made[0], made[1], letters); err != nil {
		return nil, nil, err
	}
	if w.directory, err = openDirectory(w.ctx, made[0]); err != nil {
		return nil, nil, err
	}
	w.step("", "directory", "", start, "DNS zone %s at %s: it knows addresses, no contents", w.directory.origin, made[0].DNS)
	if ee, err = w.start("EE", made[0], nil); err != nil {
		return nil, nil, err
	}
	pt, err = w.start("PT", made[1], nil)
	return ee, pt, err
}

// create makes the folder of a node.
func (w *world) create(code string, change func(*setup.Params)) (*setup.Result, error) {
	p := setup.Params{
		Dir: filepath.Join(w.dir, strings.ToLower(code)), Network: filepath.Join(w.dir, "network"), Country: code, Profile: profile,
		Inbox: true, Base: setup.Numbered, Now: time.Now(),
	}
	if !free(p) {
		p.Base = 0
	}
	if change != nil {
		change(&p)
	}
	return setup.Create(p)
}

// start runs the node of a folder.
func (w *world) start(code string, made *setup.Result, tune func(*config.Config)) (*country, error) {
	c := &country{code: code, made: made, w: w, tune: tune}
	return c, c.serve()
}

// serve runs the node for the first time, and tells of it.
func (c *country) serve() error {
	start := time.Now()
	if err := c.run(); err != nil {
		return err
	}
	c.w.nodes[c.code] = c
	c.w.order = append(c.w.order, c)
	c.w.step("", "serve", c.code, start, "access point %s, API http://%s, metadata http://%s", c.node.Config.AS4.URL, c.node.Addr("api"), c.node.Addr("smp"))
	return nil
}

// run starts the node, also again.
func (c *country) run() error {
	cfg, err := config.Load(c.made.ConfigFile)
	if err != nil {
		return err
	}
	cfg.Registry.Listen = ""                                   // the directory runs by itself here
	cfg.Folders.Poll = config.Duration(100 * time.Millisecond) // people are watching
	cfg.Outbound.MaxAttempts, cfg.Outbound.FirstRetry, cfg.Outbound.Factor = 4, config.Duration(300*time.Millisecond), 1
	if c.tune != nil {
		c.tune(cfg)
	}
	log := c.w.o.Log
	if log != nil {
		log = log.With(slog.String("node", c.code))
	}
	n, err := node.New(c.w.ctx, cfg, node.Options{Domains: c.w.o.Domains(), Log: log})
	if err != nil {
		return err
	}
	if c.wrap != nil {
		n.Store = c.wrap(n.Store)
	}
	if err := n.Start(context.WithoutCancel(c.w.ctx)); err != nil {
		return err
	}
	c.node = n
	return nil
}

func (w *world) stop() error {
	var errs []error
	for _, c := range w.order {
		if c.node != nil {
			errs = append(errs, c.node.Stop(context.Background()))
		}
	}
	if w.trap != nil {
		errs = append(errs, w.trap.close())
	}
	if w.directory != nil {
		w.directory.close()
	}
	return errors.Join(errs...)
}

// directory serves the DNS zone of the network, as the registry of a real one does for everybody.
type directory struct {
	origin, file, addr string
	ctx                context.Context
	cancel             context.CancelFunc
}

func openDirectory(ctx context.Context, made *setup.Result) (*directory, error) {
	cfg, err := config.Load(made.ConfigFile)
	if err != nil {
		return nil, err
	}
	d := &directory{origin: cfg.Discovery.Zone, file: string(cfg.Registry.File), addr: made.DNS, ctx: context.WithoutCancel(ctx)}
	return d, d.serve()
}

func (d *directory) serve() error {
	z, err := zone.New(d.origin, 0)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var read os.FileInfo // what is served; the time alone is too coarse
	refresh := func() error {
		mu.Lock()
		defer mu.Unlock()
		info, err := os.Stat(d.file)
		if err != nil || read != nil && os.SameFile(info, read) && info.Size() == read.Size() && info.ModTime().Equal(read.ModTime()) {
			return err
		}
		b, err := os.ReadFile(d.file)
		if err != nil {
			return err
		}
		fresh, err := zone.New(d.origin, 0)
		if err != nil {
			return err
		}
		if err := fresh.Load(bytes.NewReader(b), d.origin); err != nil {
			return err
		}
		z.Replace(fresh)
		read = info
		return nil
	}
	if err := refresh(); err != nil {
		return err
	}
	z.Refresh = func() { refresh() } // a file that cannot be read leaves the records of before
	ctx, cancel := context.WithCancel(d.ctx)
	d.cancel = cancel
	if _, err := z.Serve(ctx, d.addr); err != nil {
		cancel()
		return err
	}
	return nil
}

func (d *directory) close() { d.cancel() }

// document makes a sample with a number of its own.
func (w *world) document(kind string, from, to sample.Party) ([]byte, *procurement.Document, error) {
	w.documents++
	b, err := sample.Make(kind, fmt.Sprintf("2026-%03d", w.documents), from, to, time.Now())
	if err != nil {
		return nil, nil, err
	}
	d, err := procurement.Parse(bytes.Clone(b))
	return b, d, err
}

// register makes a party known at the node for a kind of document.
func (c *country) register(kind string, from, to sample.Party) error {
	start := time.Now()
	_, d, err := c.w.document(kind, from, to)
	if err != nil {
		return err
	}
	if err := c.node.Register(c.w.ctx, d.Receiver, d.Type, d.Process, as4.Profiles[profile]); err != nil {
		return err
	}
	c.w.step("", "participant", c.code, start, "%s receives %s here", d.Receiver, d.Kind)
	return nil
}

// problem is an answer of the API that is no success.
type problem struct {
	Code   string `json:"code"`
	Text   string `json:"text"`
	Remedy string `json:"remedy"`
}

func (p *problem) Error() string { return p.Code + ": " + p.Text }

// call asks the node's API, as a back office does.
func (c *country) call(method, path, contentType string, body []byte) ([]byte, error) {
	return c.stream(method, path, contentType, bytes.NewReader(body))
}

// stream is call with a body that need not be in memory.
func (c *country) stream(method, path, contentType string, body io.Reader) ([]byte, error) {
	req, err := http.NewRequestWithContext(c.w.ctx, method, "http://"+c.node.Addr("api")+"/api/v1"+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.made.Token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode < 300 {
		return b, err
	}
	var e struct {
		Error *problem `json:"error"`
	}
	if json.Unmarshal(b, &e) == nil && e.Error != nil {
		return nil, e.Error
	}
	return nil, fmt.Errorf("%s %s: %s", method, path, resp.Status)
}

// submit hands a document over.
func (c *country) submit(doc []byte) (*node.MessageJSON, error) {
	b, err := c.call(http.MethodPost, "/messages", "application/xml", doc)
	if err != nil {
		return nil, err
	}
	var m node.MessageJSON
	return &m, json.Unmarshal(b, &m)
}

func (c *country) message(id string) (*node.MessageJSON, error) {
	b, err := c.call(http.MethodGet, "/messages/"+id, "", nil)
	if err != nil {
		return nil, err
	}
	var m node.MessageJSON
	return &m, json.Unmarshal(b, &m)
}

// await waits until a message is in one of the states, as the API tells.
func (c *country) await(id string, states ...string) (*node.MessageJSON, error) {
	end := time.Now().Add(patience)
	for {
		m, err := c.message(id)
		var p *problem
		if err != nil && !(errors.As(err, &p) && p.Code == "NOT_FOUND") {
			return nil, err
		}
		if err == nil {
			for _, s := range states {
				if m.State == s {
					return m, nil
				}
			}
			if m.State == "failed" || m.State == "rejected" {
				return m, fmt.Errorf("message %s %s: %s", id, m.State, text(m))
			}
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("message %s is not %s after %s", id, strings.Join(states, " or "), patience)
		}
		if err := pause(c.w.ctx); err != nil {
			return nil, err
		}
	}
}

// pause is the pause between two looks.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(5 * time.Millisecond):
		return nil
	}
}

func text(m *node.MessageJSON) string {
	if m.Error == nil {
		return ""
	}
	return strings.TrimSpace(m.Error.Code + " " + m.Error.Text)
}

// carry sends a document and follows it to the back office at the other end: the same octets must arrive.
func (w *world) carry(row, what string, from, to *country, doc []byte) (*node.MessageJSON, error) {
	start := time.Now()
	m, err := from.submit(doc)
	if err != nil {
		return nil, err
	}
	sent, err := from.await(m.MessageID, "acknowledged")
	if err != nil {
		return nil, err
	}
	acknowledged := time.Since(start)
	got, err := to.await(m.MessageID, "delivered", "confirmed")
	if err != nil {
		return nil, err
	}
	arrived, err := to.call(http.MethodGet, "/messages/"+m.MessageID+"/payloads/0", "", nil)
	if err != nil {
		return nil, err
	}
	if want := doc[bytes.IndexByte(doc, '\n')+1:]; !bytes.Equal(bytes.TrimSpace(arrived), bytes.TrimSpace(want)) {
		return nil, fmt.Errorf("what arrived at %s is not what %s sent", to.code, from.code)
	}
	if len(sent.Evidence) == 0 {
		return nil, fmt.Errorf("%s holds no receipt", from.code)
	}
	w.step(row, what, from.code+"→"+to.code, start, "%d octets arrived unchanged, receipt after %.0f ms, kept as evidence of message %d at %s", len(doc), ms(acknowledged), sent.ID, from.code)
	return got, nil
}

// publish registers a participant without telling.
func (c *country) publish(p ids.Participant, d ids.DocumentType, process ids.Process) error {
	return c.node.Register(c.w.ctx, p, d, process, as4.Profiles[profile])
}
