package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/bdxl"
	"github.com/viadukt-eu/viadukt/edelivery/smp"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// keys are the node's own. They do not change: a reload replaces all of them.
type keys struct {
	// sign and encrypt are in the order of their times; the first is that of the configuration. Where partners encrypt
	// for the signing key, both are the same.
	sign, encrypt []timedKey
	single        bool // encrypt is sign
	former        []*pki.Identity
	smp           *pki.Identity
	decrypt       []*pki.Identity // all that partners may encrypt for
}

// timedKey is a key that takes over at a time.
type timedKey struct {
	*pki.Identity
	publish, activate time.Time // zero for those of the configuration
}

// signing is the key that signs at a time.
func (k *keys) signing(now time.Time) *pki.Identity { return last(k.sign, now, false) }

// published is the key that partners are told to encrypt for.
func (k *keys) published(now time.Time) *pki.Identity { return last(k.encrypt, now, true) }

func last(list []timedKey, now time.Time, publish bool) *pki.Identity {
	for i := len(list) - 1; i > 0; i-- {
		at := list[i].activate
		if publish {
			at = list[i].publish
		}
		if !now.Before(at) {
			return list[i].Identity
		}
	}
	return list[0].Identity
}

// loadKeys reads the keys of the configuration and those that follow them.
func loadKeys(c *config.Config) (*keys, error) {
	k := &keys{}
	sign, err := loadIdentity(c, "as4.signing", c.AS4.Signing)
	if err != nil {
		return nil, err
	}
	k.sign, k.smp, k.single = []timedKey{{Identity: sign}}, sign, c.AS4.Encryption.Key == ""
	if !k.single {
		id, err := loadIdentity(c, "as4.encryption", c.AS4.Encryption)
		if err != nil {
			return nil, err
		}
		k.encrypt = []timedKey{{Identity: id}}
	}
	plan, err := c.Rollover()
	if err != nil {
		return nil, err
	}
	if k.sign, err = k.follow(c, k.sign, plan.Signing); err != nil {
		return nil, err
	}
	if k.single {
		if len(plan.Encryption) > 0 {
			return nil, fmt.Errorf("%s: encryption: without as4.encryption partners encrypt for the signing key: plan that one", plan.File())
		}
		k.encrypt = k.sign
	} else if k.encrypt, err = k.follow(c, k.encrypt, plan.Encryption); err != nil {
		return nil, err
	}
	for _, f := range c.AS4.FormerKeys {
		id, err := loadIdentity(c, "as4.formerKeys", f)
		if err != nil {
			return nil, err
		}
		k.former = append(k.former, id)
	}
	if c.SMP.Signing.Key != "" {
		if k.smp, err = loadIdentity(c, "smp.signing", c.SMP.Signing); err != nil {
			return nil, err
		}
	}
	for _, e := range k.encrypt {
		k.decrypt = append(k.decrypt, e.Identity)
	}
	k.decrypt = append(k.decrypt, k.former...)
	return k, nil
}

// follow adds the keys of a plan.
func (k *keys) follow(c *config.Config, list []timedKey, plan []config.Successor) ([]timedKey, error) {
	for _, s := range plan {
		id, err := loadIdentity(c, "as4.rollover", s.Identity())
		if err != nil {
			return nil, err
		}
		list = append(list, timedKey{id, s.Publish.T(), s.Activate.T()})
	}
	return list, nil
}

// keeping adds what other keys decrypt and these do not: what partners encrypted before a change still arrives.
func (k *keys) keeping(old *keys) {
	for _, o := range old.decrypt {
		if !slices.ContainsFunc(k.decrypt, func(id *pki.Identity) bool { return id.Certificate.Equal(o.Certificate) }) {
			k.decrypt, k.former = append(k.decrypt, o), append(k.former, o)
		}
	}
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
	return &http.Client{Transport: patientTransport{t, c.Outbound.Timeout.D()}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
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
	all := chain
	if t.Key != t.Certificate {
		all = append(append(chain, '\n'), key...)
	}
	id, err := pki.LoadIdentity(all, password)
	if err != nil {
		return cert, err
	}
	cert.PrivateKey = id.Key
	for _, c := range append([]*pki.Certificate{id.Certificate}, id.Chain...) {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return cert, nil
}
