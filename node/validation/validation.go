// Package validation judges business documents for other programs: as the daemon of the KoSIT validator answers, and as
// a validation service of the Interoperability Test Bed [GITB]. Which rules there are is the matter of who makes a
// [Service].
//
// A request costs bounded work and memory: attachments are left out while a document is read, few documents are judged
// at a time, and a judge ends when whoever asked is gone. Documents that take long make way for others after a moment.
package validation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/facturx"
	"github.com/viadukt-eu/viadukt/edocument/report"
	"github.com/viadukt-eu/viadukt/edocument/vcd"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Settings is the section validation of the configuration.
type Settings struct {
	Packs       config.Path   `yaml:"packs" default:"packs" doc:"Folder of the rule packs, as viadukt pack add fills it. It is looked at again while the node runs. It need not be there: the rules of the program are used then."`
	Listen      config.Listen `yaml:"listen" example:"127.0.0.1:8481" doc:"Address on which other programs may have documents validated: as the daemon of the KoSIT validator does, and under /gitb as a validation service of the Interoperability Test Bed. It asks for no token: for this machine, or behind a proxy that asks. Default: neither is served."`
	MaxDocument config.Size   `yaml:"maxDocument" default:"100MiB" min:"1KiB" max:"2GiB" doc:"Largest document that these services and the console take."`
}

// Judge judges a document by rule packs with these names, or by those that are meant for it.
type Judge func(ctx context.Context, doc *dom.Document, packs ...string) (*edocument.Report, error)

// Options of a Service. Judge is required.
type Options struct {
	Judge       Judge
	Packs       func() []string  // names of all packs; nil: none
	Clock       func() time.Time // nil: time.Now
	Version     string           // of the program
	MaxDocument int64            // default 100 MiB
	Concurrent  int              // documents judged at a time, and as many again that take long; default 2 for each processor
	Long        time.Duration    // after which a document takes long; default 1 second
	Longest     time.Duration    // for one document; default 1 minute
}

// Service judges documents.
type Service struct {
	opt         Options
	slots, slow chan struct{}
}

// New makes a service.
func New(opt Options) *Service {
	if opt.Packs == nil {
		opt.Packs = func() []string { return nil }
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.MaxDocument == 0 {
		opt.MaxDocument = 100 << 20
	}
	if opt.Concurrent == 0 {
		opt.Concurrent = 2 * runtime.GOMAXPROCS(0)
	}
	if opt.Long == 0 {
		opt.Long = time.Second
	}
	if opt.Longest == 0 {
		opt.Longest = time.Minute
	}
	return &Service{opt: opt, slots: make(chan struct{}, opt.Concurrent), slow: make(chan struct{}, opt.Concurrent)}
}

// enter waits for a slot. Who takes long moves on to one of the slow ones, so that documents or packs that cost without end do
// not keep others waiting; where those are taken it stays.
func (s *Service) enter(ctx context.Context) (leave func(), err error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var mu sync.Mutex
	held, left := s.slots, false
	timer := time.AfterFunc(s.opt.Long, func() {
		mu.Lock()
		defer mu.Unlock()
		if left {
			return
		}
		select {
		case s.slow <- struct{}{}:
			<-held
			held = s.slow
		default:
		}
	})
	return func() {
		timer.Stop()
		mu.Lock()
		defer mu.Unlock()
		left = true
		<-held
	}, nil
}

// Judge reads and judges one document. What cannot be judged has its error in the answer; the error that is returned is
// about reading: [edocument.ErrSize], or that of the body.
func (s *Service) Judge(ctx context.Context, name string, body io.Reader, packs ...string) (*report.Document, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opt.Longest)
	defer cancel()
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	d := &report.Document{Name: name, Started: s.opt.Clock(), Engine: s.opt.Version}
	hash := sha256.New()
	octets, err := edocument.ReadLean(io.TeeReader(body, hash), s.opt.MaxDocument, s.opt.MaxDocument)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(octets)) == 0 {
		return nil, errEmpty
	}
	hash.Sum(d.SHA256[:0])
	start := time.Now()
	s.judge(ctx, d, octets, packs)
	d.Took = time.Since(start)
	return d, nil
}

// judge judges XML, the invoice that is attached to a PDF together with how it is attached, or whether a container of dossiers is
// whole.
func (s *Service) judge(ctx context.Context, d *report.Document, octets []byte, packs []string) {
	var doc *dom.Document
	var envelope []edocument.Finding
	switch {
	case vcd.Is(octets):
		p, err := vcd.Open(bytes.NewReader(octets), int64(len(octets)))
		if err != nil {
			if d.NotXML = !errors.Is(err, edocument.ErrUnknownType); !d.NotXML {
				err = fmt.Errorf("%w: %w", err, ErrArchive)
			}
			d.Err = err
			return
		}
		d.Report = p.Check()
		return
	case facturx.Is(octets):
		h, err := facturx.Open(bytes.NewReader(octets), int64(len(octets)), s.opt.MaxDocument)
		if err != nil {
			d.Err, d.NotXML = err, !errors.Is(err, facturx.ErrNone)
			return
		}
		doc, envelope = h.Document, h.Findings
	default:
		var err error
		if doc, err = dom.Parse(octets, dom.Limits{Bytes: int(s.opt.MaxDocument)}); err != nil {
			d.Err, d.NotXML = err, true
			return
		}
	}
	switch d.Report, d.Err = s.opt.Judge(ctx, doc, packs...); {
	case errors.Is(d.Err, edocument.ErrUnknownType):
		d.Err = fmt.Errorf("%w: {%s}%s", d.Err, doc.Root().Space(), doc.Root().Local())
	case d.Err == nil:
		d.Report.Append(facturx.Pack, "PDF", envelope)
	}
}

// ErrArchive says that several documents came at once.
var ErrArchive = errors.New("of archives only containers of dossiers are judged as one document")

var errEmpty = errors.New("no document was sent")

// Handler serves both interfaces: the test bed below /gitb, everything else as the KoSIT validator does.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/gitb", s.GITB())
	mux.Handle("/gitb/", s.GITB())
	mux.Handle("/", s.KoSIT())
	return mux
}
