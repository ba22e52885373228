package selftest

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// The P-Modes of the official test bed between its corners 2 and 3, and ours beside them.
const (
	oneWay    = "SIMPLE_ONEWAY"
	twoWay    = "SIMPLE_TWOWAY"
	twoWayRe  = "SIMPLE_TWOWAY_REPLY"
	retrying  = "ONEWAY_RETRY"
	signOnly  = "ONEWAY_ONLY_SIGN"
	entsog    = "ENTSOG"
	dynamic   = "DYNAMIC_RECEIVER"
	policed   = "DYNAMIC_RECEIVER_POLICY"
	outdated  = "EXPIRED_RECEIVER"
	withdrawn = "REVOKED_RECEIVER"
	discover  = "DYNAMIC_SENDER"
	pointed   = "DYNAMIC_SENDER_POINT_TO_POINT"
)

// policy is the certificate policy that receivers of the P-Mode policed ask for.
const policy = pki.OID("1.3.6.1.4.1.61313.99.1")

// retries of the P-Mode retrying: the first attempt and five more.
const retries = 6

// pair is two access points with an interceptor in front of each, and a network that they share.
type pair struct {
	dir     string
	profile string
	made    [2]*setup.Result
	nodes   [2]*node.Node
	wires   [2]*Wire // in front of nodes[i]
	driver  *Driver
	tune    func(i int, c *config.Config)
	log     *slog.Logger
	only    string // the one P-Mode there is, where the other end is a peer

	ca, foreign *pki.Authority
	revoked     *pki.Identity // of the network, as its revocation list says
	expired     *pki.Identity
}

// names of the access points: corners 2 and 3.
var corners = [2]string{"c2", "c3"}

// openPair makes and starts two access points that agreed on everything the bed does.
func openPair(ctx context.Context, dir, profile string, driver *Driver, log *slog.Logger, tune func(i int, c *config.Config)) (p *pair, err error) {
	p = &pair{dir: dir, profile: profile, driver: driver, tune: tune, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	now := time.Now()
	for i, name := range corners {
		p.made[i], err = setup.Create(setup.Params{Dir: filepath.Join(dir, name), Network: filepath.Join(dir, "network"), Country: "EE", Profile: profile, Now: now,
			Certificate: func(t *pki.Template) { t.Policies = []pki.OID{policy} }})
		if err != nil {
			return p, err
		}
		real := p.made[i].URL
		if p.wires[i], err = openWire("127.0.0.1", "/as4", func() string { return real }); err != nil {
			return p, err
		}
		p.made[i].URL = p.wires[i].url()
	}
	if err := p.issue(now); err != nil {
		return p, err
	}
	if err := p.agree(); err != nil {
		return p, err
	}
	for i := range p.nodes {
		if err := p.start(ctx, i); err != nil {
			return p, err
		}
	}
	return p, nil
}

// issue makes the certificates that are no good.
func (p *pair) issue(now time.Time) error {
	b, err := os.ReadFile(filepath.Join(p.dir, "network", "access-point-ca.pem"))
	if err != nil {
		return err
	}
	id, err := pki.LoadIdentity(b, "")
	if err != nil {
		return err
	}
	if p.ca, err = pki.OpenAuthority(id, nil, now); err != nil {
		return err
	}
	if p.foreign, err = pki.NewAuthority(nil, "CN=Other Network CA,O=Viadukt self-test", pki.P256, now.Add(-time.Hour), 5); err != nil {
		return err
	}
	t := p.template("withdrawn", now)
	if p.revoked, err = p.ca.Issue(t); err != nil {
		return err
	}
	t = p.template("outdated", now)
	t.NotBefore, t.NotAfter = now.Add(-30*time.Minute), now.Add(-time.Minute)
	if p.expired, err = p.ca.Issue(t); err != nil {
		return err
	}
	crl, err := p.ca.CRL([]*pki.Certificate{p.revoked.Certificate}, now)
	if err != nil {
		return err
	}
	for i := range p.made {
		trust := filepath.Join(p.made[i].Dir, "trust")
		for name, b := range map[string][]byte{"ca.crl": crl, "outdated.pem": pki.MarshalPEM(p.expired.Certificate), "withdrawn.pem": pki.MarshalPEM(p.revoked.Certificate)} {
			if err := os.WriteFile(filepath.Join(trust, name), b, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// template is that of a certificate for a party.
func (p *pair) template(party string, now time.Time) pki.Template {
	return pki.Template{CommonName: party, Organization: "Viadukt self-test", Country: "EE", Algorithm: pki.RSA2048, NotBefore: now.Add(-30 * time.Minute), NotAfter: now.Add(24 * time.Hour), Policies: []pki.OID{policy}}
}

// agree writes partners and P-Modes.
func (p *pair) agree() error {
	first := setup.Agreement{ID: oneWay, Service: "SRV_SIMPLE_ONEWAY", Action: "ACT_SIMPLE_ONEWAY"}
	if p.profile == "entsog" {
		first = setup.Agreement{ID: entsog, Service: "A06", ServiceType: "http://edigas.org/service"}
	}
	if err := setup.Agree(p.made[0], p.made[1], first); err != nil {
		return err
	}
	if p.profile == "entsog" {
		for _, r := range p.made {
			if err := addTo(r.ConfigFile, entsog, "agreement: \"urn:test:agreement\""); err != nil {
				return err
			}
		}
		return nil
	}
	for i, r := range p.made {
		other := p.made[1-i]
		directions := [2]string{"send", "receive"}
		var b strings.Builder
		fmt.Fprintf(&b, "partners:\n")
		for _, kind := range []string{"outdated", "withdrawn"} {
			fmt.Fprintf(&b, "  - {name: %s, id: %s, type: %q, url: %q, certificates: [trust/%s.pem]}\n", kind, kind, other.PartyType, other.URL, kind)
		}
		fmt.Fprintf(&b, "pmodes:\n")
		mode := func(id, service, action, more string) {
			fmt.Fprintf(&b, "  - {id: %s, service: %q, action: %q, %s}\n", id, service, action, more)
		}
		with := "partner: " + other.Name
		mode(retrying, "SRV_ONEWAY_RETRY", "ACT_ONEWAY_RETRY", fmt.Sprintf("%s, maxAttempts: %d, firstRetry: 100ms, retryFactor: 1", with, retries))
		mode(signOnly, "SRV_ONEWAY_SIGNONLY", "ACT_ONEWAY_SIGNONLY", with+", profile: bilateral, unencrypted: true")
		mode(twoWay, "SRV_SIMPLE_TWOWAY", "ACT_SIMPLE_TWOWAY", fmt.Sprintf("%s, direction: %s, replyWith: %s", with, directions[i], twoWayRe))
		mode(twoWayRe, "SRV_SIMPLE_TWOWAY", "ACT_SIMPLE_TWOWAY_REPLY", fmt.Sprintf("%s, direction: %s, response: true", with, directions[1-i]))
		if i == 0 {
			mode(dynamic, "SRV_DYNAMIC_RECEIVER", "ACT_DYNAMIC_RECEIVER", with+", direction: send")
			mode(policed, "SRV_DYNAMIC_RECEIVER_POLICY", "ACT_DYNAMIC_RECEIVER_POLICY", with+", direction: send")
			mode(outdated, "SRV_EXPIRED", "ACT_EXPIRED", "partner: outdated, direction: send")
			mode(withdrawn, "SRV_REVOKED", "ACT_REVOKED", "partner: withdrawn, direction: send")
			fmt.Fprintf(&b, "  - {id: %s, service: %q, serviceType: %q, action: %q, direction: send}\n", discover, "urn:test:process", "urn:test:scheme", documentType.String())
			fmt.Fprintf(&b, "  - {id: %s, service: %q, serviceType: %q, action: %q, direction: send, twoCorner: true}\n", pointed, "urn:test:process:pointed", "urn:test:scheme", documentType.String())
		} else {
			mode(dynamic, "SRV_DYNAMIC_RECEIVER", "ACT_DYNAMIC_RECEIVER", "direction: receive")
			mode(policed, "SRV_DYNAMIC_RECEIVER_POLICY", "ACT_DYNAMIC_RECEIVER_POLICY", fmt.Sprintf("direction: receive, policies: [%q]", policy))
			fmt.Fprintf(&b, "  - {id: %s, service: %q, serviceType: %q, action: %q, direction: receive}\n", discover, "urn:test:process", "urn:test:scheme", documentType.String())
			fmt.Fprintf(&b, "  - {id: %s, service: %q, serviceType: %q, action: %q, direction: receive, twoCorner: true}\n", pointed, "urn:test:process:pointed", "urn:test:scheme", documentType.String())
		}
		if err := os.WriteFile(filepath.Join(r.Dir, "pmodes.yaml"), []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// addTo adds a line to a P-Mode of a configuration file.
func addTo(file, pmode, line string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head := "  - id: \"" + pmode + "\"\n"
	if !strings.Contains(string(b), head) {
		return fmt.Errorf("selftest: no P-Mode %q in %s", pmode, file)
	}
	return os.WriteFile(file, []byte(strings.Replace(string(b), head, head+"    "+line+"\n", 1)), 0o644)
}

// start runs node i, also again.
func (p *pair) start(ctx context.Context, i int) error {
	c, err := config.Load(p.made[i].ConfigFile)
	if err != nil {
		return err
	}
	c.AS4.URL = config.URL(p.wires[i].url()) // published for those who look it up
	c.AS4.CRLs = []config.Path{config.Path(filepath.Join(p.made[i].Dir, "trust", "ca.crl"))}
	c.Domains = nil
	c.Console.Off = true
	c.Outbound.MaxAttempts, c.Outbound.FirstRetry, c.Outbound.Factor = 1, config.Duration(100*time.Millisecond), 1
	if p.tune != nil {
		p.tune(i, c)
	}
	if p.nodes[i], err = begin(ctx, c, p.driver.URL(corners[i]), node.Options{Log: p.logOf(corners[i])}); err != nil {
		return err
	}
	return nil
}

func (p *pair) logOf(name string) *slog.Logger {
	if p.log == nil {
		return nil
	}
	return p.log.With(slog.String("node", name))
}

// begin starts a node that the driver drives.
func begin(ctx context.Context, c *config.Config, driver string, opt node.Options) (*node.Node, error) {
	section, err := config.Parse("selftest", ".", fmt.Appendf(nil, "node: {name: selftest, country: EE}\ntestbed: {listen: \"127.0.0.1:0\", driver: %q}\n", driver))
	if err != nil {
		return nil, err
	}
	c.Testbed = section.Testbed
	n, err := node.New(ctx, c, opt)
	if err != nil {
		return nil, err
	}
	if err := n.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	return n, nil
}

func (p *pair) stop(i int) error {
	if p.nodes[i] == nil {
		return nil
	}
	n := p.nodes[i]
	p.nodes[i] = nil
	return n.Stop(context.Background())
}

func (p *pair) close() error {
	var errs []error
	for i := range p.nodes {
		errs = append(errs, p.stop(i))
		if p.wires[i] != nil {
			errs = append(errs, p.wires[i].close())
		}
	}
	return errors.Join(errs...)
}

// identity is the key of node i, which the bed knows: for opening what was sent to it, and for forging in its name.
func (p *pair) identity(i int) (*pki.Identity, error) {
	name := "as4.pem"
	if p.profile == "entsog" {
		name = "as4-encryption.pem"
	}
	b, err := os.ReadFile(filepath.Join(p.made[i].Dir, "keys", name))
	if err != nil {
		return nil, err
	}
	return pki.LoadIdentity(b, "")
}

// submission is a message for the driver to submit.
type submission struct {
	mode        string // P-Mode by which it goes
	service     string // where it is not that of the P-Mode
	action      string
	id          string
	ref         string
	conv        string
	to          string
	properties  []ebms.Property // beside, or in place of, the four corners
	noCorners   bool
	payloads    []Payload
	finalTarget string
}

// submit hands a message to a node by an agreement.
func submit(ctx context.Context, d *Driver, n *node.Node, pm *as4.PMode, s submission) (string, error) {
	props := []ebms.Property{{Name: "Service", Value: cmp.Or(s.service, pm.Service)}, {Name: "Action", Value: cmp.Or(s.action, pm.Action)}}
	if s.service == "" && pm.ServiceType != "" {
		props = append(props, ebms.Property{Name: "ServiceType", Value: pm.ServiceType})
	}
	for name, value := range map[string]string{"MessageId": s.id, "RefToMessageId": s.ref, "ConversationId": s.conv, "ToPartyId": cmp.Or(s.to, pm.Responder.ID)} {
		if value != "" {
			props = append(props, ebms.Property{Name: name, Value: value})
		}
	}
	if !s.noCorners {
		props = append(props, ebms.Property{Name: ebms.PropertyOriginalSender, Value: "C1", Type: cornerType}, ebms.Property{Name: ebms.PropertyFinalRecipient, Value: cmp.Or(s.finalTarget, "C4"), Type: cornerType})
	}
	props = append(props, s.properties...)
	return d.Submit(ctx, "http://"+n.Addr("testbed")+"/", props, s.payloads...)
}

const cornerType = "urn:oasis:names:tc:ebcore:partyid-type:unregistered"

// tlsFiles makes a certificate for a listener on the loopback address.
func tlsFiles(dir string) (certificate, key string, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, t, t, k.Public(), k)
	if err != nil {
		return "", "", err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return "", "", err
	}
	certificate, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	if err := os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return "", "", err
	}
	return certificate, key, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600)
}
