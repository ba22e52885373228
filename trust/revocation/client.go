package revocation

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Client asks responders and fetches lists and issuers, from where certificates say they are. It remembers what it got until that is
// due to be renewed. The zero value works; it is safe for concurrent use.
type Client struct {
	HTTP  *http.Client     // bounds time and where to connect to; nil is http.DefaultClient
	Clock func() time.Time // default time.Now

	Hash    crypto.Hash // of the names of certificates in requests; default SHA-1, which every responder knows
	Nonce   bool        // ask with a nonce, and take only answers that echo it
	ByGET   bool        // ask by GET where the request is short, so that caches help; never with a nonce
	Rand    io.Reader   // of nonces; nil is crypto/rand
	NoOCSP  bool
	NoCRL   bool
	Early   bool  // renew what is kept once half of its time is over; until all of it is, what is kept answers where that fails
	MaxOCSP int64 // octets of an answer; default 1 MiB
	MaxCRL  int64 // octets of a list; default 64 MiB
	MaxKept int   // answers, lists and issuers each; default 10,000; then the oldest are forgotten

	mu    sync.Mutex
	kept  map[string]*kept
	order []string
}

// kept is something fetched.
type kept struct {
	turn  chan struct{} // one fetch at a time for one thing
	ocsp  *pki.OCSPResponse
	named bool // the answer counts where its responder is named alone
	crl   *pki.CRL
	certs []*pki.Certificate
	until time.Time // when it is renewed
	holds time.Time // how long it may stand in where that fails
}

// keep says how long something is used that was fetched now and holds until next; a zero next: it is not.
func (c *Client) keep(k *kept, next time.Time) {
	k.until, k.holds = next, next
	if now := c.now(); c.Early && next.After(now) {
		k.until = now.Add(next.Sub(now) / 2)
	}
}

func (k *kept) lock(ctx context.Context) error {
	select {
	case k.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *kept) unlock() { <-k.turn }

func (c *Client) now() time.Time {
	if c.Clock != nil {
		return c.Clock()
	}
	return time.Now()
}

func (c *Client) slot(key string) *kept {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.kept[key]; k != nil {
		return k
	}
	if c.kept == nil {
		c.kept = map[string]*kept{}
	}
	limit := c.MaxKept
	if limit <= 0 {
		limit = 10000
	}
	for len(c.order) >= limit {
		delete(c.kept, c.order[0])
		c.order = c.order[1:]
	}
	k := &kept{turn: make(chan struct{}, 1)}
	c.kept[key] = k
	c.order = append(c.order, key)
	return k
}

// Status answers as a pki.RevocationSource: by OCSP where the certificate names a responder, otherwise by a list.
func (c *Client) Status(ctx context.Context, cert, issuer *pki.Certificate, at time.Time) (pki.RevocationStatus, error) {
	var errs []error
	if !c.NoOCSP && len(cert.OCSPServers) > 0 {
		r, err := c.OCSP(ctx, cert, issuer)
		if err == nil {
			var s pki.RevocationStatus
			if s, err = r.Status(ctx, cert, issuer, at); err == nil && s.State != pki.RevocationUnknown {
				return s, nil
			}
		}
		errs = append(errs, err)
	}
	if !c.NoCRL && len(cert.CRLDistributionPoints) > 0 {
		l, err := c.CRL(ctx, cert, issuer)
		if err == nil {
			var store pki.CRLStore
			if err = store.Add(l, issuer); err == nil {
				var s pki.RevocationStatus
				if s, err = store.Status(ctx, cert, issuer, at); err == nil && s.State != pki.RevocationUnknown {
					return s, nil
				}
			}
		}
		errs = append(errs, err)
	}
	return pki.RevocationStatus{}, errors.Join(errs...)
}

// OCSP returns a verified answer about a certificate that is current. named may answer in place of the issuer: see [pki.OCSPResponse.Verify].
func (c *Client) OCSP(ctx context.Context, cert, issuer *pki.Certificate, named ...*pki.Certificate) (*pki.OCSPResponse, error) {
	fp, fi := cert.Fingerprint(), issuer.Fingerprint()
	k := c.slot("ocsp " + string(fp[:]) + string(fi[:]))
	if err := k.lock(ctx); err != nil {
		return nil, err
	}
	defer k.unlock()
	// What was remembered for others counts where it would have been taken here.
	known := k.ocsp
	if known != nil && k.named {
		if _, err := known.Verify(issuer, known.ProducedAt, named...); err != nil {
			known = nil
		}
	}
	if known != nil && c.now().Before(k.until) {
		return known, nil
	}
	var errs []error
	for _, u := range cert.OCSPServers {
		r, until, err := c.ask(ctx, u, cert, issuer, named)
		if err == nil {
			k.ocsp = r
			if k.named = len(named) > 0; k.named {
				_, err := r.Verify(issuer, r.ProducedAt)
				k.named = err != nil
			}
			c.keep(k, until)
			return r, nil
		}
		errs = append(errs, err)
	}
	if known != nil && c.now().Before(k.holds) {
		return known, nil
	}
	if len(errs) == 0 {
		return nil, fmt.Errorf("%w: %q names no responder", ErrAnswer, cert.Subject)
	}
	return nil, errors.Join(errs...)
}

// leave is how far clocks may differ.
const leave = 5 * time.Minute

func (c *Client) ask(ctx context.Context, server string, cert, issuer *pki.Certificate, named []*pki.Certificate) (*pki.OCSPResponse, time.Time, error) {
	hash := c.Hash
	if hash == 0 {
		hash = crypto.SHA1
	}
	var nonce []byte
	if c.Nonce {
		random := c.Rand
		if random == nil {
			random = rand.Reader
		}
		nonce = make([]byte, 32)
		if _, err := io.ReadFull(random, nonce); err != nil {
			return nil, time.Time{}, err
		}
	}
	q, err := pki.MarshalOCSPRequest(cert, issuer, hash, nonce)
	if err != nil {
		return nil, time.Time{}, err
	}
	var req *http.Request
	if path := url.QueryEscape(base64.StdEncoding.EncodeToString(q)); c.ByGET && !c.Nonce && len(path) <= 255 { // [RFC 5019 5]
		req, err = http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(server, "/")+"/"+path, nil)
	} else {
		req, err = http.NewRequestWithContext(ctx, http.MethodPost, server, bytes.NewReader(q))
		if err == nil {
			req.Header.Set("Content-Type", "application/ocsp-request")
		}
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	req.Header.Set("Accept", "application/ocsp-response")
	b, err := c.fetch(req, orDefault(c.MaxOCSP, 1<<20))
	if err != nil {
		return nil, time.Time{}, err
	}
	r, err := pki.ParseOCSPResponse(b)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("revocation: %s: %w", server, err)
	}
	if nonce != nil && !bytes.Equal(r.Nonce, nonce) {
		return nil, time.Time{}, fmt.Errorf("%w: %s", ErrNonce, server)
	}
	now := c.now()
	if _, err := r.Verify(issuer, now, named...); err != nil {
		return nil, time.Time{}, fmt.Errorf("revocation: %s: %w", server, err)
	}
	s, ok := r.Find(cert, issuer)
	switch {
	case !ok:
		return nil, time.Time{}, fmt.Errorf("%w: %s answers about others", ErrAnswer, server)
	case s.ThisUpdate.After(now.Add(leave)), !s.NextUpdate.IsZero() && s.NextUpdate.Before(now.Add(-leave)):
		return nil, time.Time{}, fmt.Errorf("%w: %s answers for the time from %s to %s", ErrAnswer, server, s.ThisUpdate, s.NextUpdate)
	}
	return r, s.NextUpdate, nil
}

// CRL returns the verified list that speaks about a certificate and is current.
func (c *Client) CRL(ctx context.Context, cert, issuer *pki.Certificate) (*pki.CRL, error) {
	var errs []error
	for _, u := range cert.CRLDistributionPoints {
		l, err := c.list(ctx, u, issuer)
		if err == nil {
			return l, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil, fmt.Errorf("%w: %q names no list", ErrAnswer, cert.Subject)
	}
	return nil, errors.Join(errs...)
}

func (c *Client) list(ctx context.Context, from string, issuer *pki.Certificate) (*pki.CRL, error) {
	fi := issuer.Fingerprint()
	k := c.slot("crl " + string(fi[:]) + from)
	if err := k.lock(ctx); err != nil {
		return nil, err
	}
	defer k.unlock()
	now := c.now()
	if k.crl != nil && now.Before(k.until) {
		return k.crl, nil
	}
	l, err := c.fetchList(ctx, from, issuer)
	switch {
	case err == nil:
		k.crl = l
		c.keep(k, l.NextUpdate)
	case k.crl != nil && now.Before(k.holds):
	default:
		return nil, err
	}
	return k.crl, nil
}

func (c *Client) fetchList(ctx context.Context, from string, issuer *pki.Certificate) (*pki.CRL, error) {
	b, err := c.get(ctx, from, orDefault(c.MaxCRL, 64<<20))
	if err != nil {
		return nil, err
	}
	l, err := pki.ParseCRL(b)
	if err != nil {
		return nil, fmt.Errorf("revocation: %s: %w", from, err)
	}
	if err := l.Verify(issuer); err != nil {
		return nil, fmt.Errorf("revocation: %s: %w", from, err)
	}
	if now := c.now(); l.ThisUpdate.After(now.Add(leave)) || !l.NextUpdate.IsZero() && l.NextUpdate.Before(now.Add(-leave)) {
		return nil, fmt.Errorf("%w: the list at %s is for the time from %s to %s", ErrAnswer, from, l.ThisUpdate, l.NextUpdate)
	}
	return l, nil
}

// Issuers fetches the certificates of a certificate's issuer from where it says they are; they are candidates, nothing more.
func (c *Client) Issuers(ctx context.Context, cert *pki.Certificate) ([]*pki.Certificate, error) {
	var errs []error
	for _, u := range cert.CAIssuers {
		k := c.slot("issuer " + u)
		certs, err := func() ([]*pki.Certificate, error) {
			if err := k.lock(ctx); err != nil {
				return nil, err
			}
			defer k.unlock()
			if k.certs != nil && c.now().Before(k.until) {
				return k.certs, nil
			}
			b, err := c.get(ctx, u, 1<<20)
			if err != nil {
				return nil, err
			}
			certs, err := parseCertificates(b)
			if err == nil {
				k.certs, k.until = certs, c.now().Add(24*time.Hour)
			}
			return certs, err
		}()
		if err == nil {
			return certs, nil
		}
		errs = append(errs, fmt.Errorf("revocation: %s: %w", u, err))
	}
	return nil, errors.Join(errs...)
}

// parseCertificates reads a certificate in DER or PEM, or a message that only carries certificates [RFC 5280 4.2.2.1].
func parseCertificates(b []byte) ([]*pki.Certificate, error) {
	if list, err := pki.ParsePEMCertificates(b); err == nil {
		return list, nil
	}
	m, err := cms.Parse(b)
	if err != nil {
		return nil, err
	}
	return m.X509(), nil
}

func orDefault(n, d int64) int64 {
	if n > 0 {
		return n
	}
	return d
}

func (c *Client) get(ctx context.Context, from string, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	return c.fetch(req, limit)
}

func (c *Client) fetch(req *http.Request, limit int64) ([]byte, error) {
	if s := req.URL.Scheme; s != "http" && s != "https" { // certificates of states name ldap, too
		return nil, fmt.Errorf("%w: %s: scheme %q is not spoken", ErrFetch, req.URL.Redacted(), s)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %s answers %d", ErrFetch, req.URL.Redacted(), resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: %s gives more than %d octets", ErrFetch, req.URL.Redacted(), limit)
	}
	return b, nil
}
