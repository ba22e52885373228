package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/node/alert"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
)

// Pauses between two questions about one certificate, and for how long a certificate that nobody uses is asked about.
const (
	askFirst   = time.Minute    // after a question without answer; twice as long each time
	askMost    = time.Hour      // so long at most, and where an answer does not say when the next one is due
	askLongest = 12 * time.Hour // however long an answer holds
	askIdle    = 7 * 24 * time.Hour
	askHands   = 4
	askedMost  = 10_000 // certificates
)

// revocations asks where certificates say that one is told whether they are revoked: the first time when a certificate is
// judged, then in the background, before the answer's time is over. While nobody answers, the last good answer stands in.
// It is safe for concurrent use.
type revocations struct {
	client  revocation.Client
	clock   func() time.Time
	timeout time.Duration // of a question
	keep    time.Duration // for which an answer stands in after its time
	off     bool

	mu    sync.Mutex
	asked map[[64]byte]*asked // by the fingerprints of certificate and issuer
}

// asked is what is known of one certificate.
type asked struct {
	cert, issuer *pki.Certificate
	first        chan struct{} // closed once the first question has its answer, or none
	status       pki.RevocationStatus
	err          error // of the last question
	failures     int
	next, used   time.Time // when it is asked about again, when it was judged last
}

func newRevocations(c *config.Config, clock func() time.Time) *revocations {
	set := c.Revocation
	_, policy, _ := policies(c)
	dial := &net.Dialer{Timeout: set.Timeout.D(), Control: policy.Control}
	return &revocations{
		clock: clock, timeout: set.Timeout.D(), keep: set.Keep.D(), off: set.Check == "off", asked: map[[64]byte]*asked{},
		client: revocation.Client{Clock: clock, NoOCSP: set.Check == "crl", Early: true, MaxKept: askedMost, HTTP: &http.Client{
			Transport: &http.Transport{DialContext: dial.DialContext, TLSHandshakeTimeout: set.Timeout.D(), ResponseHeaderTimeout: set.Timeout.D(), MaxIdleConns: 20, IdleConnTimeout: time.Minute,
				TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}},
			CheckRedirect: func(_ *http.Request, via []*http.Request) error {
				if len(via) > 3 {
					return errors.New("node: more than three redirects")
				}
				return nil
			},
		}},
	}
}

// Status is that of pki.RevocationSource. Only the first question about a certificate is waited for.
func (r *revocations) Status(ctx context.Context, cert, issuer *pki.Certificate, at time.Time) (pki.RevocationStatus, error) {
	if r.off || len(r.places(cert)) == 0 {
		return pki.RevocationStatus{}, nil
	}
	now := r.clock()
	fc, fi := cert.Fingerprint(), issuer.Fingerprint()
	key := [64]byte(append(fc[:], fi[:]...))
	r.mu.Lock()
	a := r.asked[key]
	isNew := a == nil
	if isNew {
		if len(r.asked) >= askedMost {
			r.forget()
		}
		a = &asked{cert: cert, issuer: issuer, first: make(chan struct{})}
		r.asked[key] = a
	}
	a.used = now
	r.mu.Unlock()
	if isNew {
		r.ask(ctx, a)
		close(a.first)
	}
	select {
	case <-a.first:
	case <-ctx.Done():
		return pki.RevocationStatus{}, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := a.status
	switch {
	case s.State == pki.RevocationRevoked && s.RevokedAt.After(at):
		s.State = pki.RevocationGood
	case s.State == pki.RevocationGood && !s.NextUpdate.IsZero() && !now.Before(s.NextUpdate):
		if !now.Before(s.NextUpdate.Add(r.keep)) {
			return pki.RevocationStatus{}, a.err
		}
		s.NextUpdate = now.Add(askFirst)
	}
	if s.State == pki.RevocationUnknown {
		return pki.RevocationStatus{}, a.err
	}
	return s, nil
}

// places are where a certificate says that one is told.
func (r *revocations) places(cert *pki.Certificate) (urls []string) {
	if !r.client.NoOCSP {
		urls = append(urls, cert.OCSPServers...)
	}
	return append(urls, cert.CRLDistributionPoints...)
}

// forget makes room by the certificate that was not judged for the longest time.
func (r *revocations) forget() {
	var oldest [64]byte
	var used time.Time
	for k, a := range r.asked {
		if used.IsZero() || a.used.Before(used) {
			oldest, used = k, a.used
		}
	}
	delete(r.asked, oldest)
}

// ask asks about one certificate. That it is revoked is not forgotten for want of an answer.
func (r *revocations) ask(ctx context.Context, a *asked) {
	// Whoever waits may go; the answer is for the others too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.timeout)
	defer cancel()
	now := r.clock()
	s, err := r.client.Status(ctx, a.cert, a.issuer, now)
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.err = err; err != nil || s.State == pki.RevocationUnknown {
		if err == nil {
			a.err = fmt.Errorf("node: nobody knows the certificate %q", a.cert.Subject)
		}
		a.next = now.Add(min(askFirst<<min(a.failures, 10), askMost))
		a.failures++
		return
	}
	pause := askMost
	if left := s.NextUpdate.Sub(now); !s.NextUpdate.IsZero() {
		pause = min(max(left/2, askFirst), askLongest)
	}
	a.status, a.failures, a.next = s, 0, now.Add(pause)
}

// refresh asks anew what is due.
func (r *revocations) refresh(ctx context.Context) {
	now := r.clock()
	var due []*asked
	r.mu.Lock()
	for k, a := range r.asked {
		select {
		case <-a.first:
		default:
			continue
		}
		switch {
		case now.Sub(a.used) > askIdle:
			if a.status.State != pki.RevocationRevoked {
				delete(r.asked, k)
			}
		case !now.Before(a.next) || a.next.Sub(now) > askLongest: // or the clock went back
			due = append(due, a)
		}
	}
	r.mu.Unlock()
	var work sync.WaitGroup
	hands := make(chan struct{}, askHands)
	for _, a := range due {
		if ctx.Err() != nil {
			break
		}
		hands <- struct{}{}
		work.Go(func() {
			r.ask(ctx, a)
			<-hands
		})
	}
	work.Wait()
}

// facts name the hosts that do not answer.
func (r *revocations) facts() (out []alert.List) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.asked {
		if a.failures == 0 {
			continue
		}
		for _, place := range r.places(a.cert)[:1] {
			if u, err := url.Parse(place); err == nil && !slices.ContainsFunc(out, func(l alert.List) bool { return l.Name == u.Host }) {
				out = append(out, alert.List{Name: u.Host, Unreached: true})
			}
		}
	}
	return out
}

// refreshRevocations renews what is known of certificates, and says in the log what cannot be.
func (n *Node) refreshRevocations(ctx context.Context) {
	before := n.trusted.online.facts()
	n.trusted.online.refresh(ctx)
	for _, l := range n.trusted.online.facts() {
		if !slices.Contains(before, l) {
			n.Log.LogAttrs(ctx, slog.LevelWarn, "revocation not known", slog.String("host", l.Name))
		}
	}
}
