package tsp

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"net/http"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Stamper makes time-stamps: a [Client], or a [Responder] in the same program.
type Stamper interface {
	Stamp(ctx context.Context, hash crypto.Hash, imprint []byte) (*Token, error)
}

// Client asks authorities over HTTP [RFC 3161 3.4].
type Client struct {
	URLs []string     // of authorities, asked in turn until one grants
	HTTP *http.Client // bounds time, and tries again where it shall; nil is http.DefaultClient

	Policy  pki.OID            // to ask for; "" for any
	Header  http.Header        // further headers, such as Authorization
	Rand    io.Reader          // of nonces; nil is crypto/rand
	NoNonce bool               // for authorities that do not echo one
	More    []*pki.Certificate // candidates for the certificate of an authority that sends none
}

// HTTPError is an answer that is no time-stamp.
type HTTPError struct {
	URL    string
	Status int
	Type   string // its content type
}

func (e *HTTPError) Error() string {
	return fmt.Sprintf("tsp: %s answers %d with content of type %q", e.URL, e.Status, e.Type)
}

// Temporary reports whether asking again may help.
func (e *HTTPError) Temporary() bool {
	return e.Status >= 500 || e.Status == http.StatusTooManyRequests
}

// Stamp asks for a time-stamp and checks all of the answer but trust in the authority.
func (c *Client) Stamp(ctx context.Context, hash crypto.Hash, imprint []byte) (*Token, error) {
	q := &Request{Hash: hash, HashOID: pki.OIDByHash(hash), Imprint: imprint, Policy: c.Policy, Certificates: true}
	if !c.NoNonce {
		random := c.Rand
		if random == nil {
			random = rand.Reader
		}
		var b [16]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return nil, err
		}
		b[0] = b[0]&0x7f | 0x40 // positive, of constant length
		q.Nonce = new(big.Int).SetBytes(b[:])
	}
	der, err := q.Marshal()
	if err != nil {
		return nil, err
	}
	if len(c.URLs) == 0 {
		return nil, errors.New("tsp: no authority to ask")
	}
	var errs []error
	for _, url := range c.URLs {
		t, err := c.ask(ctx, url, q, der)
		if err == nil {
			return t, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	if len(errs) == 1 {
		return nil, errs[0]
	}
	return nil, errors.Join(errs...)
}

func (c *Client) ask(ctx context.Context, url string, q *Request, der []byte) (*Token, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(der))
	if err != nil {
		return nil, err
	}
	for k, v := range c.Header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	req.Header.Set("Accept", "application/timestamp-reply")
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("tsp: %w", err)
	}
	defer resp.Body.Close()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || kind != "application/timestamp-reply" && kind != "application/timestamp-response" {
		return nil, &HTTPError{url, resp.StatusCode, kind}
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err != nil {
		return nil, fmt.Errorf("tsp: %s: %w", url, err)
	}
	if len(b) > maxResponse {
		return nil, malformed("%s: answer of more than %d octets", url, maxResponse)
	}
	r, err := ParseResponse(b)
	if err != nil {
		return nil, fmt.Errorf("tsp: %s: %w", url, err)
	}
	t, err := r.Check(q)
	if err != nil {
		return nil, fmt.Errorf("tsp: %s: %w", url, err)
	}
	f := t.Verify(c.More...)
	if err := errors.Join(f.Err(), f.Usage); err != nil {
		return nil, fmt.Errorf("tsp: %s: %w", url, err)
	}
	return t, nil
}
