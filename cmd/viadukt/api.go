package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
)

// api speaks with a running node.
type api struct {
	c     *call
	base  string
	token string
	http  *http.Client
}

// apiFlags say which node is meant: by its configuration, or by address and token. Of several tokens in a configuration
// the first with one of the scopes is taken.
func (c *call) apiFlags(scopes ...string) func() (*api, error) {
	file := c.configFlag()
	base := c.String("api", "", "`address` of a node's API, instead of --config")
	token := c.String("token", os.Getenv("VIADUKT_TOKEN"), "API `token`, or file:PATH, or env:NAME; default: the environment variable VIADUKT_TOKEN")
	ca := c.String("ca", "", "`file` with the authority of the API's certificate, beside those of this machine (default: what the configuration names)")
	c.Lookup("token").DefValue = ""
	return func() (*api, error) {
		a := &api{c: c, base: strings.TrimSuffix(*base, "/"), token: *token}
		if a.base == "" || a.token == "" {
			cfg, err := c.loadConfig(*file)
			if err != nil {
				return nil, err
			}
			if err := a.configured(cfg, scopes...); err != nil {
				return nil, err
			}
		}
		if err := a.resolve(); err != nil {
			return nil, err
		}
		if *ca != "" {
			pool, err := x509.SystemCertPool()
			if err != nil {
				pool = x509.NewCertPool()
			}
			b, err := os.ReadFile(*ca)
			if err != nil || !pool.AppendCertsFromPEM(b) {
				return nil, usage("--ca: %s holds no certificate", *ca)
			}
			a.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
		}
		return a, nil
	}
}

// resolve reads a token that is named by its place.
func (a *api) resolve() error {
	if !strings.HasPrefix(a.token, "file:") && !strings.HasPrefix(a.token, "env:") {
		return nil
	}
	var s config.Secret
	err := s.UnmarshalText([]byte(a.token))
	if err == nil {
		a.token, err = s.Read()
	}
	if err != nil {
		return usage("--token: %v", err)
	}
	return nil
}

// configured takes what is open from the configuration.
func (a *api) configured(cfg *config.Config, scopes ...string) error {
	if a.base == "" {
		a.base = apiURL(cfg)
		var err error
		if a.http, err = ownClient(cfg); err != nil {
			return err
		}
	}
	if a.token != "" {
		return nil
	}
	if len(cfg.API.Tokens) == 0 {
		return &exit{status: statusUsage, Code: "NO_TOKEN", Text: cfg.File() + " names no API token", Remedy: "add one under api.tokens, or give one with --token"}
	}
	i := slices.IndexFunc(cfg.API.Tokens, func(t config.Token) bool {
		return slices.ContainsFunc(t.Scopes, func(s string) bool { return slices.Contains(scopes, s) })
	})
	if i < 0 {
		i = max(0, slices.IndexFunc(cfg.API.Tokens, func(t config.Token) bool { return len(scopes) == 0 || slices.Contains(t.Scopes, "admin") }))
	}
	var err error
	if a.token, err = cfg.API.Tokens[i].Secret.Read(); err != nil {
		return &exit{status: statusUsage, Code: "NO_TOKEN", Text: err.Error()}
	}
	return nil
}

// administer runs online against a running node, with a token of the scope admin, or offline on the store of one that does
// not run.
func (c *call) administer(cfg *config.Config, online func(a *api) error, offline func(tx store.Tx) error) error {
	err := node.WithUsers(c.p.ctx, cfg, "command line", offline)
	if !errors.Is(err, sqlite.ErrLocked) {
		return err
	}
	a := &api{c: c}
	if err := a.configured(cfg, "admin"); err != nil {
		return err
	}
	if err := a.resolve(); err != nil {
		return err
	}
	return online(a)
}

func apiURL(cfg *config.Config) string {
	if cfg.API.URL != "" {
		return strings.TrimSuffix(string(cfg.API.URL), "/")
	}
	host, port, err := net.SplitHostPort(string(cfg.API.Listen))
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if cfg.API.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// ownClient calls a node whose configuration is at hand.
func ownClient(cfg *config.Config) (*http.Client, error) {
	if !strings.HasPrefix(apiURL(cfg), "https:") {
		return http.DefaultClient, nil
	}
	return node.APIClient(cfg)
}

func (a *api) client() *http.Client {
	if a.http == nil {
		return http.DefaultClient
	}
	return a.http
}

// do makes one call and returns the body of a good answer.
func (a *api) do(method, path string, query url.Values, header http.Header, body io.Reader) (io.ReadCloser, error) {
	target := a.base + "/api/v1" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(a.c.p.ctx, method, target, body)
	if err != nil {
		return nil, usage("--api: %v", err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if s, ok := body.(interface{ Size() int64 }); ok {
		req.ContentLength = s.Size()
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	resp, err := a.client().Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, &exit{status: statusFailed, Code: "NO_NODE", Text: fmt.Sprintf("no node answers at %s: %v", a.base, err), Remedy: "start it with: viadukt serve --config FILE"}
	}
	if resp.StatusCode < 300 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	var answer struct {
		Error *exit `json:"error"`
	}
	e := &exit{Code: "HTTP", Text: fmt.Sprintf("%s answered %s", a.base, resp.Status)}
	if json.Unmarshal(b, &answer) == nil && answer.Error != nil && answer.Error.Text != "" {
		e = answer.Error
	}
	switch resp.StatusCode {
	case http.StatusUnprocessableEntity: // the document is refused
		e.status = statusInvalid
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict:
		e.status = statusUsage
	default:
		e.status = statusFailed
	}
	return nil, e
}

// get asks for JSON.
func (a *api) get(path string, query url.Values, into any) error {
	return a.ask(http.MethodGet, path, query, nil, into)
}

// ask sends JSON, or nothing, and reads JSON, or nothing.
func (a *api) ask(method, path string, query url.Values, body, into any) error {
	var header http.Header
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		header, r = http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(b)
	}
	answer, err := a.do(method, path, query, header, r)
	if err != nil {
		return err
	}
	defer answer.Close()
	if into == nil {
		return nil
	}
	return json.NewDecoder(answer).Decode(into)
}
