package smp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Client asks SMPs. Set the fields before the first use; then it may be used by many goroutines.
type Client struct {
	// HTTP sends the requests; nil is Policy.HTTPClient(). Redirects are never followed and cookies never sent,
	// whatever it says. The addresses it dials are its own affair: build it with [Policy.Control].
	HTTP *http.Client
	// Policy says which SMP addresses may be asked.
	Policy Policy
	// EndpointPolicy says which endpoint addresses may be returned; nil is Policy.
	EndpointPolicy *Policy
	// Trust judges the signers of answers for [pki.PurposeSMP]. Required.
	Trust *pki.Verifier
	// EndpointTrust judges the endpoint's certificates for [pki.PurposeAccessPoint]; nil leaves that to the caller, who
	// has to do it before use.
	EndpointTrust *pki.Verifier
	// Generations that are accepted, in the order in which their paths are tried; nil is all three.
	Generations []Generation
	Rules       ids.Rules
	OldMaterial bool // see [VerifyOptions.OldMaterial]
	// Now is the clock for validity, caching and step times; nil is time.Now.
	Now func() time.Time
	// Timeout of one request with its answer; 0 is 10 s.
	Timeout time.Duration
	// TTL of cached answers; 0 is 5 min, negative caches nothing.
	TTL time.Duration
	// MaxParallel bounds requests under way; 0 is 100.
	MaxParallel int

	once  sync.Once
	http  *http.Client
	slots chan struct{}
	cache cache
}

// ResponseError is an answer, or none, that could not be used.
type ResponseError struct {
	URL    string
	Status int // 0 when nothing came
	Err    error
}

func (e *ResponseError) Error() string {
	if e.Status == 0 {
		return fmt.Sprintf("%s: %v", e.URL, e.Err)
	}
	return fmt.Sprintf("%s: status %d: %v", e.URL, e.Status, e.Err)
}

func (e *ResponseError) Unwrap() error { return e.Err }

// Temporary tells whether asking again later can help: the network, a status 5xx or 429, or nobody who knows whether the
// signer is revoked.
func (e *ResponseError) Temporary() bool {
	return errors.Is(e.Err, ErrUnavailable) || errors.Is(e.Err, pki.ErrRevocationUnknown)
}

func (c *Client) init() {
	c.once.Do(func() {
		if c.http = c.HTTP; c.http == nil {
			c.http = c.Policy.HTTPClient()
		} else {
			own := *c.http
			own.Jar = nil
			own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			c.http = &own
		}
		n := c.MaxParallel
		if n <= 0 {
			n = 100
		}
		c.slots = make(chan struct{}, n)
	})
}

func (c *Client) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Client) options(p ids.Participant, d ids.DocumentType) VerifyOptions {
	return VerifyOptions{
		Trust: c.Trust, Participant: p, DocumentType: d, Rules: c.Rules,
		Generations: c.Generations, OldMaterial: c.OldMaterial,
	}
}

// ServiceGroup asks the SMP at base, the address that discovery found, what the participant accepts.
func (c *Client) ServiceGroup(ctx context.Context, base string, p ids.Participant) (*ServiceGroup, error) {
	r, err := c.resource(ctx, "G\x00"+base+"\x00"+p.Normalized().String(), func(ctx context.Context) (*resource, error) {
		body, _, err := c.try(ctx, base, func(base string) string { return ids.Join(base, p) })
		if err != nil {
			return nil, err
		}
		size := len(body)
		sg, err := VerifyGroup(ctx, body, c.options(p, ids.DocumentType{}))
		if err != nil {
			return nil, err
		}
		return &resource{group: sg, size: size}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("service group of %s: %w", p, err)
	}
	return r.group, nil
}

// Metadata asks the SMP at base for the metadata of one document type and verifies the answer. A redirect is returned,
// not followed: see [Client.Lookup].
func (c *Client) Metadata(ctx context.Context, base string, p ids.Participant, d ids.DocumentType) (*Signed, error) {
	s, err := c.metadata(ctx, base, p, d)
	if err != nil {
		return nil, fmt.Errorf("metadata of %s: %w", p, err)
	}
	return s.signed, nil
}

func (c *Client) metadata(ctx context.Context, base string, p ids.Participant, d ids.DocumentType) (*resource, error) {
	key := "M\x00" + base + "\x00" + p.Normalized().String() + "\x00" + d.String()
	return c.resource(ctx, key, func(ctx context.Context) (*resource, error) {
		body, from, err := c.try(ctx, base, func(base string) string { return ids.JoinService(base, p, d) })
		if err != nil {
			return nil, err
		}
		return c.verified(ctx, body, from, p, d)
	})
}

// metadataAt asks for the full URL of a generation 1 redirect.
func (c *Client) metadataAt(ctx context.Context, at string, p ids.Participant, d ids.DocumentType) (*resource, error) {
	key := "U\x00" + at + "\x00" + p.Normalized().String() + "\x00" + d.String()
	return c.resource(ctx, key, func(ctx context.Context) (*resource, error) {
		body, err := c.get(ctx, at)
		if err != nil {
			return nil, err
		}
		return c.verified(ctx, body, at, p, d)
	})
}

func (c *Client) verified(ctx context.Context, body []byte, from string, p ids.Participant, d ids.DocumentType) (*resource, error) {
	size := len(body)
	s, err := VerifyMetadata(ctx, body, c.options(p, d))
	if err != nil {
		return nil, &ResponseError{URL: from, Status: http.StatusOK, Err: err}
	}
	return &resource{signed: s, url: from, size: size}, nil
}

// try asks below the paths of the accepted generations until one knows the resource.
func (c *Client) try(ctx context.Context, base string, path func(base string) string) (body []byte, from string, err error) {
	for _, prefix := range c.prefixes(base) {
		from = path(strings.TrimRight(base, "/") + prefix)
		if body, err = c.get(ctx, from); !errors.Is(err, ErrNotFound) {
			return body, from, err
		}
	}
	return nil, from, err
}

func (c *Client) prefixes(base string) (list []string) {
	accepted := c.Generations
	if len(accepted) == 0 {
		accepted = []Generation{Busdox10, OASIS10, OASIS20}
	}
	for _, g := range accepted {
		prefix := ""
		if g == OASIS20 && !strings.HasSuffix(strings.TrimRight(base, "/"), pathPrefix20) {
			prefix = pathPrefix20
		}
		if len(list) == 0 || list[0] != prefix && len(list) == 1 {
			list = append(list, prefix)
		}
	}
	return list
}

// get fetches one document within the limits.
func (c *Client) get(ctx context.Context, at string) ([]byte, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	if err := c.Policy.CheckURL(u); err != nil {
		return nil, err
	}
	if u.RawQuery != "" || u.ForceQuery { // a base with one would move the question into it
		return nil, fmt.Errorf("%w: %q: query", ErrURL, at)
	}
	c.init()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, &ResponseError{URL: at, Err: fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())}
	}
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	req.Header.Set("Accept", "application/xml, text/xml;q=0.9")
	resp, err := c.http.Do(req)
	if err != nil {
		if errors.Is(err, ErrAddress) {
			return nil, err
		}
		return nil, &ResponseError{URL: at, Err: fmt.Errorf("%w: %w", ErrUnavailable, err)}
	}
	defer resp.Body.Close()
	if err := status(resp); err != nil {
		return nil, &ResponseError{URL: at, Status: resp.StatusCode, Err: err}
	}
	if resp.ContentLength > MaxBytes {
		return nil, &ResponseError{URL: at, Status: resp.StatusCode, Err: ErrTooLarge}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBytes+1))
	switch {
	case err != nil: // cut off: what came is no answer
		return nil, &ResponseError{URL: at, Err: fmt.Errorf("%w: %w", ErrUnavailable, err)}
	case len(body) > MaxBytes:
		return nil, &ResponseError{URL: at, Status: resp.StatusCode, Err: ErrTooLarge}
	}
	return body, nil
}

// status sorts the answers [PSMP 5.2, SMP2 5.5].
func status(resp *http.Response) error {
	switch s := resp.StatusCode; {
	case s == http.StatusOK:
		return nil
	case s == http.StatusNotFound:
		return ErrNotFound
	case s >= 300 && s < 400:
		return fmt.Errorf("%w to %q", ErrHTTPRedirect, resp.Header.Get("Location"))
	case s >= 500 || s == http.StatusTooManyRequests:
		return ErrUnavailable
	}
	return ErrBadResponse
}
