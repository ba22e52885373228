package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/viadukt-eu/viadukt/node/config"
)

// Unlisten stops answering on the address of that name, see [Node.Addr]; everything else goes on. What is under way is
// finished first.
func (n *Node) Unlisten(ctx context.Context, name string) error {
	for _, l := range n.servers {
		if l.name == name {
			return l.server.Shutdown(ctx)
		}
	}
	return nil
}

// tlsSource is the certificate of one or more listeners. A new one is shown to those who connect from then on; open
// connections stay as they are.
type tlsSource struct {
	current atomic.Pointer[tls.Config]

	mu     sync.Mutex // held while it is read
	stamps stamps
}

func openTLS(t *config.TLS) (*tlsSource, error) {
	s := &tlsSource{stamps: stampFiles(tlsFiles(t))}
	c, err := tlsConfig(t)
	if err != nil {
		return nil, err
	}
	s.current.Store(c)
	return s, nil
}

func tlsFiles(t *config.TLS) []config.Path {
	return []config.Path{t.Certificate, t.Key, t.ClientCA}
}

// config is that of a listener.
func (s *tlsSource) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.current.Load(), nil }}
}

// refresh reads the files anew when they changed; force reads in any case. What is wrong leaves the old certificate in use.
func (s *tlsSource) refresh(t *config.TLS, force bool) (changed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := stampFiles(tlsFiles(t))
	if !force && seen.equal(s.stamps) {
		return false, nil
	}
	c, err := tlsConfig(t)
	if err != nil {
		return false, err
	}
	s.stamps = seen
	s.current.Store(c)
	return true, nil
}

// refreshTLS reads the certificates of the listeners anew.
func (n *Node) refreshTLS(ctx context.Context, c *config.Config, force bool) error {
	var errs []error
	for _, l := range n.tlsListeners(c) {
		changed, err := l.source.refresh(l.set, force)
		n.alerts.inTrouble("tls", err)
		if err != nil {
			n.Log.LogAttrs(ctx, slog.LevelError, "TLS certificate not reloaded", slog.String("listener", l.name), slog.Any("err", err))
			errs = append(errs, err)
		} else if changed {
			n.Log.LogAttrs(ctx, slog.LevelInfo, "TLS certificate reloaded", slog.String("listener", l.name))
		}
	}
	return errors.Join(errs...)
}

type tlsListener struct {
	name   string
	set    *config.TLS
	source *tlsSource
}

// tlsListeners are those that speak TLS, each with the settings of a configuration.
func (n *Node) tlsListeners(c *config.Config) (out []tlsListener) {
	for _, l := range n.servers {
		set := c.TLS
		if l.name == "api" {
			set = c.API.TLS
		}
		if l.tls != nil && set != nil {
			out = append(out, tlsListener{l.name, set, l.tls})
		}
	}
	return out
}

func tlsConfig(t *config.TLS) (*tls.Config, error) {
	cert, err := tlsCertificate(t)
	if err != nil {
		return nil, fmt.Errorf("node: tls: %w", err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if t.MinVersion == "1.3" {
		c.MinVersion = tls.VersionTLS13
	}
	for _, name := range t.CipherSuites {
		if id, ok := config.CipherSuite(name); ok {
			c.CipherSuites = append(c.CipherSuites, id)
		}
	}
	if t.ClientCA != "" {
		b, err := readFile(t.ClientCA)
		if err != nil {
			return nil, fmt.Errorf("node: tls: %w", err)
		}
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(b) {
			return nil, errors.New("node: tls: clientCA holds no certificate")
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
		if t.ClientOptional {
			c.ClientAuth = tls.VerifyClientCertIfGiven
		}
	}
	return c, nil
}
