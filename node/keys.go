package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/bdxl"
	"github.com/viadukt-eu/viadukt/edelivery/smp"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// keys are the node's own.
type keys struct {
	sign    *pki.Identity
	decrypt []*pki.Identity
	smp     *pki.Identity
}

func loadKeys(c *config.Config) (k keys, err error) {
	if k.sign, err = loadIdentity(c, "as4.signing", c.AS4.Signing); err != nil {
		return k, err
	}
	k.decrypt, k.smp = []*pki.Identity{k.sign}, k.sign
	if c.AS4.Encryption.Key != "" {
		id, err := loadIdentity(c, "as4.encryption", c.AS4.Encryption)
		if err != nil {
			return k, err
		}
		k.decrypt = []*pki.Identity{id}
	}
	for _, f := range c.AS4.FormerKeys {
		id, err := loadIdentity(c, "as4.formerKeys", f)
		if err != nil {
			return k, err
		}
		k.decrypt = append(k.decrypt, id)
	}
	if c.SMP.Signing.Key != "" {
		k.smp, err = loadIdentity(c, "smp.signing", c.SMP.Signing)
	}
	return k, err
}

func loadIdentity(c *config.Config, key string, f config.Identity) (*pki.Identity, error) {
	if f.Key == "" {
		return nil, c.Problem(key, "key: missing: the node cannot sign without it")
	}
	b, err := readFile(f.Key)
	if err != nil {
		return nil, c.Problem(key, "%v", err)
	}
	var password string
	if !f.Password.IsZero() {
		if password, err = f.Password.Read(); err != nil {
			return nil, c.Problem(key, "%v", err)
		}
	}
	if f.Certificate != "" {
		more, err := readFile(f.Certificate)
		if err != nil {
			return nil, c.Problem(key, "%v", err)
		}
		b = append(append(b, '\n'), more...)
	}
	id, err := pki.LoadIdentity(b, password)
	if err != nil {
		return nil, c.Problem(key, "%s: %v", f.Key, err)
	}
	return id, nil
}

// loadTrust reads the anchors, each for its purposes.
func loadTrust(c *config.Config, clock func() time.Time) (*pki.Verifier, error) {
	v := &pki.Verifier{Clock: clock}
	for i, a := range c.AS4.Trust {
		b, err := readFile(a.File)
		if err != nil {
			return nil, c.Problem("as4.trust", "[%d]: %v", i, err)
		}
		certs, err := parseCertificates(b)
		if err != nil {
			return nil, c.Problem("as4.trust", "[%d]: %s: %v", i, a.File, err)
		}
		purposes := make([]pki.Purpose, len(a.Purposes))
		for j, p := range a.Purposes {
			purposes[j] = pki.Purpose(p)
		}
		for _, cert := range certs {
			v.Anchors = append(v.Anchors, pki.Anchor{Certificate: cert, Purposes: purposes})
		}
	}
	if len(c.AS4.CRLs) > 0 {
		lists := &pki.CRLStore{}
		for i, f := range c.AS4.CRLs {
			if err := addCRLs(lists, f, v.Anchors); err != nil {
				return nil, c.Problem("as4.crls", "[%d]: %s: %v", i, f, err)
			}
		}
		v.Revocation = lists
	}
	return v, nil
}

// addCRLs reads the lists of a file, each of which one of the anchors must have issued.
func addCRLs(lists *pki.CRLStore, f config.Path, anchors []pki.Anchor) error {
	b, err := readFile(f)
	if err != nil {
		return err
	}
	ders := [][]byte{b}
	if block, rest := pem.Decode(b); block != nil {
		for ders = nil; block != nil; block, rest = pem.Decode(rest) {
			ders = append(ders, block.Bytes)
		}
	}
	for _, der := range ders {
		list, err := pki.ParseCRL(der)
		if err != nil {
			return err
		}
		err = fmt.Errorf("the list of %q was issued by none of the authorities in as4.trust", list.Issuer)
		for _, a := range anchors {
			if !a.Certificate.Subject.Equal(list.Issuer) {
				continue
			}
			if err = lists.Add(list, a.Certificate); err == nil {
				break
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parseCertificates reads PEM or one DER certificate.
func parseCertificates(b []byte) ([]*pki.Certificate, error) {
	certs, err := pki.ParsePEMCertificates(b)
	if err == nil && len(certs) > 0 {
		return certs, nil
	}
	c, derErr := pki.ParseCertificate(b)
	if derErr != nil {
		return nil, errors.Join(err, derErr)
	}
	return []*pki.Certificate{c}, nil
}

// loopback and private networks, for closed networks and tests.
var privateNetworks = func() (p []netip.Prefix) {
	for _, s := range []string{"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "169.254.0.0/16", "fe80::/10", "100.64.0.0/10"} {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}()

// policies say where discovery may lead.
func policies(c *config.Config) (smpPolicy, as4Policy smp.Policy, uri bdxl.URIRules) {
	d := c.Discovery
	if d.AllowHTTP {
		smpPolicy.Schemes = []string{"https", "http"}
		uri.HTTP = true
	}
	as4Policy.Ports = []uint16{0}
	if d.AllowPrivateAddresses {
		smpPolicy.Allow, as4Policy.Allow, uri.Allow = privateNetworks, privateNetworks, privateNetworks
		smpPolicy.Ports = []uint16{0}
		as4Policy.Schemes = []string{"https", "http"}
	}
	return
}

func newDirectory(c *config.Config, trust *pki.Verifier, clock func() time.Time) *Directory {
	d := c.Discovery
	if d.Zone == "" {
		return nil
	}
	smpPolicy, as4Policy, uri := policies(c)
	kind, _ := bdxl.ParseKind(d.Label) // the configuration knows no other names
	r := &bdxl.Resolver{Zone: d.Zone, Kind: kind, Services: d.Services, Servers: d.Servers, URI: uri, Clock: clock}
	switch d.DNSSEC {
	case "prefer":
		r.DNSSEC = bdxl.DNSSECPrefer
	case "require":
		r.DNSSEC = bdxl.DNSSECRequire
	}
	if len(r.Servers) == 0 {
		r.Servers, _ = bdxl.ReadServers("/etc/resolv.conf")
	}
	return &Directory{Schemes: d.Schemes, DNS: r, SMP: &smp.Client{
		Policy: smpPolicy, EndpointPolicy: &as4Policy, Trust: trust, EndpointTrust: trust, Now: clock, TTL: d.Cache.D(),
	}}
}

// as4Client sends messages. It follows no redirect, which would move a signed exchange elsewhere, and refuses the
// inner network where an address may have come from discovery.
func as4Client(c *config.Config) *http.Client {
	fixed := map[string]bool{}
	for _, s := range c.Partners {
		var p Partner
		if config.Decode(s, &p) == nil {
			fixed[hostPort(string(p.URL))] = true
		}
	}
	return as4ClientFor(c, func(addr string) bool { return fixed[addr] })
}

// as4ClientFor is told which addresses the operator wrote down: they may be anywhere.
func as4ClientFor(c *config.Config, fixed func(addr string) bool) *http.Client {
	_, policy, _ := policies(c)
	plain := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	guarded := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Control: policy.Control}
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		d := guarded
		if fixed(addr) {
			d = plain
		}
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &stallConn{conn, stallTime}, nil
	}
	t := &http.Transport{
		Proxy: nil, DialContext: dial, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: c.Outbound.Timeout.D(),
		MaxIdleConns: 1000, MaxIdleConnsPerHost: max(c.Outbound.PerPeer, c.Outbound.Workers), IdleConnTimeout: 60 * time.Second, DisableCompression: true,
		ForceAttemptHTTP2: false, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, WriteBufferSize: 32 << 10, ReadBufferSize: 16 << 10,
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// stallConn gives up a peer that takes no more octets. A whole message may last: a large one on a slow line does.
type stallConn struct {
	net.Conn
	limit time.Duration
}

func (c *stallConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// hostPort is the network address that a URL leads to.
func hostPort(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" && u.Scheme == "http" {
		port = "80"
	} else if port == "" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func hostOf(c *config.Config) string {
	if c.Node.Host != "" {
		return c.Node.Host
	}
	if u, err := url.Parse(string(c.AS4.URL)); err == nil && u.Hostname() != "" && net.ParseIP(u.Hostname()) == nil {
		return u.Hostname()
	}
	return c.Node.Name
}

// tlsCertificate reads key and chain, the key with its password where it has one.
func tlsCertificate(t *config.TLS) (cert tls.Certificate, err error) {
	chain, err := readFile(t.Certificate)
	if err != nil {
		return cert, err
	}
	key, err := readFile(t.Key)
	if err != nil {
		return cert, err
	}
	var password string
	if !t.Password.IsZero() {
		if password, err = t.Password.Read(); err != nil {
			return cert, err
		}
	}
	id, err := pki.LoadIdentity(append(append(chain, '\n'), key...), password)
	if err != nil {
		return cert, err
	}
	cert.PrivateKey = id.Key
	for _, c := range append([]*pki.Certificate{id.Certificate}, id.Chain...) {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return cert, nil
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
	}
	return c, nil
}
