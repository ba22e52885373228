package csc

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	maxAnswer      = 4 << 20
	defaultTimeout = time.Minute
)

// Client asks one service. Its fields are set before the first use; it is then safe for concurrent use.
type Client struct {
	// URL is the base of the API, such as https://sign.example.eu/csc/v2. Without TLS only this machine is asked.
	URL  string
	HTTP *http.Client // nil: one with a time-out of a minute. Redirections are not followed: they would carry tokens elsewhere

	// Token is an access token of OAuth 2.0, or from where one is had each time. Without it User and Password log in.
	Token          func(ctx context.Context) (string, error)
	User, Password string

	mu       sync.Mutex
	loggedIn string
	until    time.Time
}

// Bearer is a Token that does not change.
func Bearer(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

// Info asks what the service is. Nobody need be logged in.
func (c *Client) Info(ctx context.Context) (*Info, error) {
	var out Info
	return &out, c.post(ctx, "info", "", struct{}{}, &out)
}

// Credentials lists the identifiers of the keys that the caller may use.
func (c *Client) Credentials(ctx context.Context) ([]string, error) {
	var out listResponse
	err := c.call(ctx, "credentials/list", listRequest{}, &out)
	return out.CredentialIDs, err
}

// Credential asks what a key is, with its chain.
func (c *Client) Credential(ctx context.Context, id string) (*Credential, error) {
	out := &Credential{}
	if err := c.call(ctx, "credentials/info", infoRequest{CredentialID: id, Certificates: "chain", CertInfo: true, AuthInfo: true}, out); err != nil {
		return nil, err
	}
	out.ID = id
	return out, nil
}

// Authorize returns the signature activation data that let a key be used.
func (c *Client) Authorize(ctx context.Context, q AuthorizeRequest) (sad string, err error) {
	var out authorizeResponse
	if err := c.call(ctx, "credentials/authorize", q, &out); err != nil {
		return "", err
	}
	if out.SAD == "" {
		return "", fmt.Errorf("%w: credentials/authorize without SAD, and no operation is waited for", ErrFormat)
	}
	return out.SAD, nil
}

// SignHash returns a signature for each hash, in their order.
func (c *Client) SignHash(ctx context.Context, q SignHashRequest) ([][]byte, error) {
	if q.OperationMode == "" {
		q.OperationMode = "S" // synchronous
	}
	var out signHashResponse
	if err := c.call(ctx, "signatures/signHash", q, &out); err != nil {
		return nil, err
	}
	if len(out.Signatures) != len(q.Hashes) {
		return nil, fmt.Errorf("%w: %d signatures for %d hashes", ErrFormat, len(out.Signatures), len(q.Hashes))
	}
	return out.Signatures, nil
}

// call posts with an access token; one that was had by logging in is renewed once when the service no longer takes it.
func (c *Client) call(ctx context.Context, method string, in, out any) error {
	for again := false; ; again = true {
		token, err := c.token(ctx)
		if err != nil {
			return err
		}
		err = c.post(ctx, method, "Bearer "+token, in, out)
		refused := new(Error)
		if again || c.Token != nil || !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
			return err
		}
		c.mu.Lock()
		if c.loggedIn == token {
			c.loggedIn = ""
		}
		c.mu.Unlock()
	}
}

// token is the access token: the one that is given, or one that logging in returns [CSC 11].
func (c *Client) token(ctx context.Context) (string, error) {
	if c.Token != nil {
		return c.Token(ctx)
	}
	if c.User == "" {
		return "", errors.New("csc: neither an access token nor a user")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loggedIn != "" && (c.until.IsZero() || time.Now().Before(c.until)) {
		return c.loggedIn, nil
	}
	var out loginResponse
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(c.User+":"+c.Password))
	if err := c.post(ctx, "auth/login", basic, struct{}{}, &out); err != nil {
		return "", err
	}
	if out.AccessToken == "" {
		return "", fmt.Errorf("%w: auth/login without access_token", ErrFormat)
	}
	c.loggedIn, c.until = out.AccessToken, time.Time{}
	if out.ExpiresIn > 0 {
		c.until = time.Now().Add(time.Duration(out.ExpiresIn)*time.Second - 5*time.Second)
	}
	return c.loggedIn, nil
}

func (c *Client) post(ctx context.Context, method, authorization string, in, out any) error {
	address, err := c.address(method)
	if err != nil {
		return err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	client := http.Client{Timeout: defaultTimeout}
	if c.HTTP != nil {
		client = *c.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("csc: %s: %w", method, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("csc: %s: %w", method, err)
	}
	if resp.StatusCode != http.StatusOK {
		refused := &Error{Method: method, Status: resp.StatusCode, Code: ServerError}
		if resp.StatusCode < 500 {
			refused.Code = InvalidRequest
		}
		// What is no JSON of the API leaves the status to speak.
		_ = json.Unmarshal(b, refused)
		return refused
	}
	if len(b) > maxAnswer {
		return fmt.Errorf("%w: %s: more than %d octets", ErrFormat, method, maxAnswer)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrFormat, method, err)
	}
	return nil
}

// address is that of a method; tokens and secrets do not travel in clear.
func (c *Client) address(method string) (string, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("csc: %q is no address such as https://sign.example.eu/csc/v2", c.URL)
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", fmt.Errorf("csc: %s: without TLS only this machine is asked", c.URL)
	}
	return strings.TrimSuffix(c.URL, "/") + "/" + method, nil
}
