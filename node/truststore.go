package node

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// TrustEntry is a certificate that was added while the node ran, beside those of the configuration, under the name that
// it has there. It stands in the store.
type TrustEntry struct {
	Alias       string `json:"alias"`
	DER         []byte `json:"der"`
	Certificate *pki.Certificate
}

// TrustStore is one of the two: for messages, or for TLS.
type TrustStore string

// Trust stores.
const (
	TrustMessages TrustStore = "as4"
	TrustTLS      TrustStore = "tls"
)

func (s TrustStore) purpose() pki.Purpose {
	if s == TrustTLS {
		return pki.PurposeTLS
	}
	return pki.PurposeAccessPoint
}

const (
	trustStoreMost = 10_000
	aliasMost      = 255
)

// TrustEntries lists those of a trust store by alias.
func (n *Node) TrustEntries(ctx context.Context, s TrustStore) (list []TrustEntry, err error) {
	text, err := n.Store.Meta(ctx, "truststore."+string(s))
	if errors.Is(err, store.ErrNotFound) || err == nil && text == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var kept []struct {
		Alias string `json:"alias"`
		DER   []byte `json:"der"`
	}
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return nil, err
	}
	for _, k := range kept {
		c, err := pki.ParseCertificate(k.DER)
		if err != nil {
			return nil, fmt.Errorf("node: trust store: %s: %w", k.Alias, err)
		}
		list = append(list, TrustEntry{k.Alias, k.DER, c})
	}
	return list, nil
}

// ChangeTrust replaces the entries of a trust store by what change makes of them, and takes them into use at once.
func (n *Node) ChangeTrust(ctx context.Context, s TrustStore, act, subject string, change func([]TrustEntry) ([]TrustEntry, error)) error {
	n.changing.Lock()
	defer n.changing.Unlock()
	list, err := n.TrustEntries(ctx, s)
	if err != nil {
		return err
	}
	if list, err = change(list); err != nil {
		return err
	}
	if len(list) > trustStoreMost {
		return fmt.Errorf("%w: more than %d certificates", ErrImport, trustStoreMost)
	}
	type kept struct {
		Alias string `json:"alias"`
		DER   []byte `json:"der"`
	}
	out := []kept{}
	for _, e := range list {
		if e.Alias == "" || len(e.Alias) > aliasMost {
			return fmt.Errorf("%w: an alias has 1 to %d octets", ErrImport, aliasMost)
		}
		out = append(out, kept{e.Alias, e.Certificate.Raw})
	}
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	entry := audit.Entry{Type: audit.Administration, Time: n.Clock(), Actor: store.Actor(ctx), Subject: subject, Detail: act, Objects: []store.Object{object256("truststore", text)}}
	err = n.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.SetMeta("truststore."+string(s), string(text)); err != nil {
			return err
		}
		_, err := tx.AppendLog(entry.Append(nil))
		return err
	})
	if err != nil {
		return err
	}
	return n.loadTrustStore(ctx)
}

// PutTrust adds a certificate, or replaces that of an alias. Where a partner of this name has the certificate of an
// import, that is replaced too.
func (n *Node) PutTrust(ctx context.Context, s TrustStore, alias string, c *pki.Certificate) error {
	err := n.ChangeTrust(ctx, s, "truststore.put", string(s)+" "+alias, func(list []TrustEntry) ([]TrustEntry, error) {
		list = slices.DeleteFunc(list, func(e TrustEntry) bool { return strings.EqualFold(e.Alias, alias) })
		return append(list, TrustEntry{alias, c.Raw, c}), nil
	})
	if err != nil || s != TrustMessages {
		return err
	}
	for _, section := range n.pmodes.Load().partners {
		var p Partner
		if config.Decode(section, &p) != nil || !strings.EqualFold(p.Name, alias) || len(p.Certificates) != 1 {
			continue
		}
		file := string(p.Certificates[0])
		if filepath.Dir(file) != filepath.Join(n.Config.Dir(), "trust") || !strings.HasPrefix(filepath.Base(file), "partner-") {
			continue // written by hand
		}
		if err := os.WriteFile(file, pki.MarshalPEM(c), 0o644); err != nil {
			return fmt.Errorf("%w: the certificate is trusted, but the one in use cannot be replaced: %w", ErrImport, err)
		}
		_, err := n.Reload(ctx)
		return err
	}
	return nil
}

// DropTrust removes an alias: store.ErrNotFound when there is none.
func (n *Node) DropTrust(ctx context.Context, s TrustStore, alias string) error {
	return n.ChangeTrust(ctx, s, "truststore.remove", string(s)+" "+alias, func(list []TrustEntry) ([]TrustEntry, error) {
		left := slices.DeleteFunc(slices.Clone(list), func(e TrustEntry) bool { return strings.EqualFold(e.Alias, alias) })
		if len(left) == len(list) {
			return nil, store.ErrNotFound
		}
		return left, nil
	})
}

// loadTrustStore brings the entries of the store into what is trusted.
func (n *Node) loadTrustStore(ctx context.Context) error {
	var anchors []pki.Anchor
	for _, s := range []TrustStore{TrustMessages, TrustTLS} {
		list, err := n.TrustEntries(ctx, s)
		if err != nil {
			return err
		}
		for _, e := range list {
			anchors = append(anchors, pki.Anchor{Certificate: e.Certificate, Purposes: []pki.Purpose{s.purpose()}})
		}
	}
	h := &n.trusted
	h.mu.Lock()
	same := len(anchors) == 0 && len(h.extra) == 0
	h.extra = anchors
	h.mu.Unlock()
	if same {
		return nil
	}
	return n.refreshTrust(ctx, n.live.Load(), true)
}

// trustedAs finds the certificates of an alias.
func (n *Node) trustedAs(alias string) (out []*pki.Certificate) {
	list, err := n.TrustEntries(context.Background(), TrustMessages)
	if err != nil {
		return nil
	}
	for _, e := range list {
		if strings.EqualFold(e.Alias, alias) {
			out = append(out, e.Certificate)
		}
	}
	return out
}

// trustTLS lets a client take servers whose certificates stand below authorities for TLS, beside those of the machine.
// Which ones is looked up at each handshake.
func (n *Node) trustTLS(c *http.Client) {
	t, ok := c.Transport.(*http.Transport)
	if !ok || t.TLSClientConfig == nil {
		return
	}
	conf := t.TLSClientConfig.Clone()
	conf.InsecureSkipVerify = true // replaced by the same verification, with roots of this moment
	conf.VerifyConnection = func(s tls.ConnectionState) error {
		opt := x509.VerifyOptions{DNSName: s.ServerName, Intermediates: x509.NewCertPool(), CurrentTime: n.Clock()}
		for _, c := range s.PeerCertificates[1:] {
			opt.Intermediates.AddCert(c)
		}
		for _, a := range n.trust().Anchors {
			if !slices.Contains(a.Purposes, pki.PurposeTLS) {
				continue
			}
			root, err := a.Certificate.X509()
			if err != nil {
				continue
			}
			if opt.Roots == nil {
				if opt.Roots, err = x509.SystemCertPool(); err != nil {
					opt.Roots = x509.NewCertPool()
				}
			}
			opt.Roots.AddCert(root)
		}
		_, err := s.PeerCertificates[0].Verify(opt)
		return err
	}
	t.TLSClientConfig = conf
}

func object256(kind string, octets []byte) store.Object {
	return store.Object{Kind: kind, SHA256: sha256.Sum256(octets), Size: int64(len(octets))}
}
