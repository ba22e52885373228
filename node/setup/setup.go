// Package setup makes a node that can be started at once: a commented configuration, keys, and a place in a test
// network that several nodes on one machine share. The keys are for tests: a real network issues its own.
package setup

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Params say what node to make.
type Params struct {
	Dir     string // of the node; made, must not hold a configuration yet
	Network string // folder of the test network, made by the first node; default: "network" beside Dir
	Name    string // default: the base name of Dir
	Country string
	Profile string
	Host    string // default 127.0.0.1
	Inbox   bool   // write what arrives into Dir/inbox, watch Dir/outbox
	// Base is the first of four ports in a row: gateway, API, publisher, registry. Zero takes free ones, [Numbered]
	// those of the node's number in its network.
	Base int
	Now  time.Time
	// Certificate changes the node's access point certificate, for tests.
	Certificate func(*pki.Template)
}

// Numbered asks for the ports from 8440 for the first node of a network, from 8450 for the second, and so on: the same
// each time, and two nodes do not clash.
const Numbered = -1

const firstPort, portsEach = 8440, 10

// Result tells what was made.
type Result struct {
	Dir        string
	Name       string
	ConfigFile string
	Network    string // its folder
	Token      string // of the API, for a back office
	AdminToken string // of the API, for everything
	Password   string // of the user admin, to be changed at the first login to the console
	Party      string // party identifier: common name of the access point's certificate
	PartyType  string
	URL        string // where messages arrive
	API        string // where the back office calls
	SMP        string // where metadata are served
	DNS        string // where the zone of the network is served
	First      bool   // it made the network and serves its zone

	certificate, encryption []byte // PEM
}

// ErrExists says that the folder holds a node already.
var ErrExists = errors.New("setup: there is a configuration already")

// Create makes the node's folder.
func Create(p Params) (*Result, error) {
	if p.Network == "" {
		p.Network = filepath.Join(filepath.Dir(filepath.Clean(p.Dir)), "network")
	}
	if p.Name == "" {
		p.Name = filepath.Base(filepath.Clean(p.Dir))
	}
	if p.Host == "" {
		p.Host = "127.0.0.1"
	}
	if as4.Profiles[p.Profile] == nil {
		return nil, fmt.Errorf("setup: unknown profile %q; there are %s", p.Profile, strings.Join(as4.ProfileNames(), ", "))
	}
	file := filepath.Join(p.Dir, "viadukt.yaml")
	if _, err := os.Stat(file); err == nil {
		return nil, fmt.Errorf("%w: %s", ErrExists, file)
	}
	ports, err := p.ports()
	if err != nil {
		return nil, err
	}
	net, first, err := openNetwork(p.Network, p.Host, ports[3], p.Now)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{p.Dir, filepath.Join(p.Dir, "keys"), filepath.Join(p.Dir, "trust")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	r := &Result{Dir: p.Dir, Name: p.Name, ConfigFile: file, Network: p.Network, DNS: net.DNS, First: first}
	values, err := p.keys(net, r)
	if err != nil {
		return nil, err
	}
	if err := p.write(values, ports, net, r); err != nil {
		return nil, err
	}
	return r, nil
}

// ports finds the four ports of the node.
func (p *Params) ports() (ports [4]int, err error) {
	base := p.Base
	if base == Numbered {
		if base, err = NumberedPort(p.Network); err != nil {
			return ports, err
		}
	}
	if base != 0 && (base < 1 || base > 65535-len(ports)) {
		return ports, fmt.Errorf("setup: port %d: choose one from 1 to %d", base, 65535-len(ports))
	}
	for i := range ports {
		if base != 0 {
			ports[i] = base + i
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(p.Host, "0"))
		if err != nil {
			return ports, err
		}
		defer l.Close() // not before all are chosen, so that no two are the same
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// NumberedPort is the first port of the next node of a network.
func NumberedPort(network string) (int, error) {
	n, err := readNetwork(network)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	return firstPort + portsEach*n.Serial, nil
}

// keys issues the node's certificates and writes keys, anchors and the API token.
func (p *Params) keys(n *network, r *Result) (map[string]string, error) {
	sign, encrypt := keyAlgorithms(p.Profile)
	serial, err := n.next()
	if err != nil {
		return nil, err
	}
	r.Party = fmt.Sprintf("POP%06d", serial)
	if p.Profile == "entsog" { // whose parties have energy identification codes
		r.Party = fmt.Sprintf("21X%012dT", serial)
	}
	t := pki.Template{CommonName: r.Party, Organization: p.Name, Country: p.Country, Algorithm: sign, NotBefore: p.Now.Add(-time.Hour), NotAfter: p.Now.AddDate(2, 0, 0)}
	if p.Certificate != nil {
		p.Certificate(&t)
	}
	values := map[string]string{"as4.signing.key": "keys/as4.pem"}
	if r.certificate, err = n.issue(n.ap, t, filepath.Join(p.Dir, "keys", "as4.pem")); err != nil {
		return nil, err
	}
	if encrypt != sign {
		t.Algorithm = encrypt
		if r.encryption, err = n.issue(n.ap, t, filepath.Join(p.Dir, "keys", "as4-encryption.pem")); err != nil {
			return nil, err
		}
		values["as4.encryption.key"] = "keys/as4-encryption.pem"
		values["smp.generations"] = "[oasis-2.0]" // the older ones carry one certificate only
	}
	publisher := pki.Template{CommonName: fmt.Sprintf("SMP%06d", serial), Organization: p.Name, Country: p.Country, Algorithm: pki.RSA2048, NotBefore: p.Now.Add(-time.Hour), NotAfter: p.Now.AddDate(2, 0, 0)}
	if _, err := n.issue(n.smp, publisher, filepath.Join(p.Dir, "keys", "smp.pem")); err != nil {
		return nil, err
	}
	values["smp.signing.key"] = "keys/smp.pem"
	for name, a := range map[string]*pki.Authority{"access-points.pem": n.ap, "publishers.pem": n.smp} {
		if err := os.WriteFile(filepath.Join(p.Dir, "trust", name), pki.MarshalPEM(a.Certificate), 0o644); err != nil {
			return nil, err
		}
	}
	var secret [24]byte
	rand.Read(secret[:])
	r.Token = base64.RawURLEncoding.EncodeToString(secret[:])
	if err := os.WriteFile(filepath.Join(p.Dir, "keys", "api.token"), []byte(r.Token+"\n"), 0o600); err != nil {
		return nil, err
	}
	rand.Read(secret[:])
	if err := os.WriteFile(filepath.Join(p.Dir, "keys", "backup.token"), []byte(base64.RawURLEncoding.EncodeToString(secret[:])+"\n"), 0o600); err != nil {
		return nil, err
	}
	rand.Read(secret[:])
	r.AdminToken = base64.RawURLEncoding.EncodeToString(secret[:])
	if err := os.WriteFile(filepath.Join(p.Dir, "keys", "admin.token"), []byte(r.AdminToken+"\n"), 0o600); err != nil {
		return nil, err
	}
	rand.Read(secret[:])
	r.Password = fmt.Sprintf("%x-%x-%x-%x", secret[:3], secret[3:6], secret[6:9], secret[9:12]) // short enough to be typed once
	return values, os.WriteFile(filepath.Join(p.Dir, "keys", "console.password"), []byte(r.Password+"\n"), 0o600)
}

func keyAlgorithms(profile string) (sign, encrypt pki.KeyAlgorithm) {
	switch profile {
	case "eu-edelivery2", "entsog":
		return pki.Ed25519, pki.X25519
	case "bdew":
		return pki.BrainpoolP256r1, pki.BrainpoolP256r1
	case "eu-edelivery2-ec":
		return pki.P256, pki.P256
	}
	return pki.RSA2048, pki.RSA2048
}

func (p *Params) write(values map[string]string, ports [4]int, n *network, r *Result) error {
	addr := func(i int) string { return net.JoinHostPort(p.Host, strconv.Itoa(ports[i])) }
	r.URL, r.API, r.SMP = "http://"+addr(0)+"/as4", "http://"+addr(1), "http://"+addr(2)
	r.PartyType = cmp.Or(as4.Profiles[p.Profile].PartyType, "urn:oasis:names:tc:ebcore:partyid-type:unregistered")
	quote := strconv.Quote
	zoneFile, err := filepath.Rel(p.Dir, n.path(zoneFile))
	if err != nil {
		return err
	}
	for k, v := range map[string]string{
		"node.name": p.Name, "node.country": quote(p.Country), "node.host": p.Name + ".example",
		"api.listen": quote(addr(1)), "api.tokens": "[{name: back-office, secret: file:keys/api.token, scopes: [messages, participants, metrics]}, {name: backup, secret: file:keys/backup.token, scopes: [backup]}, {name: admin, secret: file:keys/admin.token, scopes: [admin]}]",
		"as4.listen": quote(addr(0)), "as4.url": quote(r.URL), "as4.profile": p.Profile, "as4.party.id": r.Party, "as4.party.type": quote(r.PartyType),
		"as4.trust":  "[{file: trust/access-points.pem, purposes: [access-point]}, {file: trust/publishers.pem, purposes: [smp]}]",
		"smp.listen": quote(addr(2)), "smp.url": quote(r.SMP),
		"discovery.zone": n.Zone, "discovery.servers": "[" + quote(n.DNS) + "]", "discovery.dnssec": quote("off"), "discovery.allowHTTP": "true", "discovery.allowPrivateAddresses": "true",
		"registry.file": quote(filepath.ToSlash(zoneFile)),
		"domains":       "\n  procurement: {profile: " + p.Profile + inbox(p.Inbox) + "}",
	} {
		values[k] = v
	}
	if r.First {
		values["registry.listen"] = quote(n.DNS)
	}
	if p.Inbox {
		values["folders.outbox"], values["folders.inbox"] = "outbox", "inbox"
	}
	var b bytes.Buffer
	if err := config.Template(&b, values); err != nil {
		return err
	}
	return os.WriteFile(r.ConfigFile, b.Bytes(), 0o644)
}

func inbox(on bool) string {
	if on {
		return ", inbox: inbox"
	}
	return ""
}
