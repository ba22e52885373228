package node

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/bdxl"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/console"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// machine is what a check asks of the system below.
type machine struct {
	filesystem func(dir string) (fsKind, string)       // with its name
	clock      func() (synchronised bool, known bool)  // whether the clock follows a time server
	owner      func(file string) (uid uint32, ok bool) // whose it is
}

// fsKind says what a file system is good for.
type fsKind int

const (
	fsLocal   fsKind = iota
	fsNetwork        // whose locks and shared memory do not hold
	fsForeign        // behind a program: it may be either
	fsMemory         // gone with the power
)

// hardening looks at what docs/hardening.md asks for, beside what the other checks look at. What is right for a node of
// tests, that nobody beyond the machine can reach, is not named there.
func (k *checker) hardening() {
	open := k.reachable()
	k.listeners()
	k.files()
	k.secrets()
	k.dataFolder(open)
	if !open {
		return
	}
	c := k.c
	if ok, known := k.machine.clock(); known && !ok {
		k.warn("clock", "let it follow a time server: chrony or systemd-timesyncd", "the clock of this machine follows no time server: times in messages and certificates are compared with it")
	}
	if c.Discovery.AllowHTTP {
		k.warn("discovery.allowHTTP", "remove it, unless the network publishes metadata without TLS", "publishers without TLS are followed")
	}
	if c.Discovery.AllowPrivateAddresses {
		k.warn("discovery.allowPrivateAddresses", "remove it, unless the whole network is private", "a directory entry can lead this node to inner servers")
	}
	if c.Registry.File != "" {
		k.warn("registry", "remove the section when the network has a registry of its own", "participants are registered in a zone file: for tests and closed networks")
	}
	if c.Revocation.Check == "off" {
		k.warn("revocation.check", "remove the setting, and open TCP 80 to the authorities", "nobody is asked whether a certificate was revoked: a stolen key stays good")
	}
	if c.Alerts.IsZero() {
		k.warn("alerts", "add mail or webhook under alerts: docs/alerts.md", "nobody is told when messages fail, certificates end or the volume fills up")
	}
	k.resolvers()
	k.people()
}

// reachable says whether others than this machine reach the node: by what it listens on, or by what it tells them.
func (k *checker) reachable() bool {
	c := k.c
	for _, l := range []config.Listen{c.AS4.Listen, c.API.Listen, c.SMP.Listen, c.Metrics.Listen} {
		if l != "" && !loopbackHost(listenHost(string(l))) {
			return true
		}
	}
	for _, u := range []config.URL{c.AS4.URL, c.API.URL, c.SMP.URL} {
		if p, err := url.Parse(string(u)); err == nil && u != "" && !loopbackHost(p.Hostname()) {
			return true
		}
	}
	return false
}

func listenHost(listen string) string {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	return host
}

func loopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// listeners looks who can reach what is not for everybody, and what travels without TLS.
func (k *checker) listeners() {
	c := k.c
	beyond := func(l config.Listen) bool { return l != "" && !loopbackHost(listenHost(string(l))) }
	if beyond(c.API.Listen) && c.API.TLS == nil && (len(c.Console.Proxies) == 0 || !strings.HasPrefix(string(c.API.URL), "https:")) {
		k.warn("api.listen", "set api.tls; or listen on 127.0.0.1 behind a proxy with TLS, with api.url and console.proxies", "%s takes tokens and passwords without TLS from beyond this machine", c.API.Listen)
	}
	if beyond(c.AS4.Listen) && c.TLS == nil {
		k.warn("as4.listen", "set tls, or listen on 127.0.0.1 behind a proxy that ends TLS", "%s speaks without TLS to whoever reaches it", c.AS4.Listen)
	}
	if u, err := url.Parse(string(c.AS4.URL)); err == nil && u.Scheme == "http" && !loopbackHost(u.Hostname()) {
		k.warn("as4.url", "publish an https address", "%s: partners are told to send without TLS", c.AS4.URL)
	}
	if l := c.Metrics.Listen; l != "" {
		if ip := net.ParseIP(listenHost(string(l))); listenHost(string(l)) == "" || ip != nil && ip.IsUnspecified() {
			k.warn("metrics.listen", "name the address that Prometheus asks", "%s tells the figures to whoever reaches this machine", l)
		}
	}
	for _, s := range []struct {
		name string
		config.Section
	}{{"validation", c.Validation}, {"signatures", c.Signatures}} {
		s.Scalars(func(path, value string) {
			if path == "listen" && beyond(config.Listen(value)) {
				k.warn(s.name+".listen", "listen on 127.0.0.1, or on an address that only a proxy reaches which asks who calls", "%s asks for no token: whoever reaches it uses this service", value)
			}
		})
	}
	for _, s := range []struct {
		name string
		config.Section
	}{{"alerts", c.Alerts}, {"backoffice", c.Backoffice}} {
		s.Scalars(func(path, value string) { k.plain(s.name+"."+path, value) })
	}
	k.plain("telemetry.traces", string(c.Telemetry.Traces))
	for _, p := range c.Console.Proxies {
		if n, err := parseNetwork(p); err == nil && (n.Addr().Is4() && n.Bits() < 16 || n.Addr().Is6() && n.Bits() < 32) {
			k.warn("console.proxies", "name the proxies alone", "%s: whoever calls from there chooses the address from which wrong passwords are counted", p)
		}
	}
	k.names("tls", c.TLS, c.AS4.URL)
	k.names("api.tls", c.API.TLS, c.API.URL)
}

// plain warns of an address beyond this machine that is called without TLS.
func (k *checker) plain(what, address string) {
	u, err := url.Parse(address)
	if err == nil && u.Scheme == "http" && u.Host != "" && !loopbackHost(u.Hostname()) {
		k.warn(what, "use an https address", "%s is called without TLS", address)
	}
}

// names looks whether a certificate is for the host that others call.
func (k *checker) names(what string, t *config.TLS, address config.URL) {
	u, err := url.Parse(string(address))
	if t == nil || err != nil || u.Scheme != "https" {
		return
	}
	pair, err := tlsCertificate(t)
	if err != nil {
		return // said already
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return
	}
	if err := leaf.VerifyHostname(u.Hostname()); err != nil {
		k.fail(what, "order a certificate for this name, or correct the address", "the certificate is not for %s: %v", u.Hostname(), err)
	}
}

// length warns of a key that is too short.
func (k *checker) length(what string, c *pki.Certificate) {
	const remedy = "make a new key, RSA of 3,072 bits or a curve: viadukt cert renew plans the change"
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		switch bits := key.N.BitLen(); {
		case bits < 2048:
			k.fail(what, remedy, "an RSA key of %d bits is too short", bits)
		case bits < 3072 && k.reachable() && k.c.AS4.Profile != "peppol": // whose authority wants 2,048
			k.warn(what, remedy, "RSA of %d bits is for what exists: new keys have 3,072", bits)
		}
	case *ecdsa.PublicKey:
		if bits := key.Curve.Params().BitSize; bits < 256 {
			k.fail(what, remedy, "a curve of %d bits is too short", bits)
		}
	}
	if k.reachable() && strings.Contains(c.Issuer.String(), "O="+config.TestNetwork) {
		k.warn(what, "order a certificate of the network: viadukt cert renew makes key and request", "the key was made by viadukt init for tests")
	}
}

// files looks who can read and write what the configuration names.
func (k *checker) files() {
	a := k.c.AS4
	said := []config.Path{a.Signing.Key, a.Encryption.Key, k.c.SMP.Signing.Key} // by what looks at keys
	folders := map[string]bool{}
	for _, f := range append(k.c.Files(), config.File{Path: string(k.c.Console.Key), Secret: true}, config.File{Path: string(k.c.Console.FirstPassword), Secret: true}) {
		info, err := os.Stat(f.Path)
		if err != nil {
			continue
		}
		if f.Secret && !k.private(f.Path) && !slices.Contains(said, config.Path(f.Path)) {
			k.warn("files", "chmod 600 "+f.Path, "%s can be read by others on this machine", f.Path)
		}
		if !f.Secret && info.Mode().Perm()&0o022 != 0 {
			k.warn("files", "chmod go-w "+f.Path, "%s can be changed by others: it decides what the node does and whom it believes", f.Path)
		}
		folders[filepath.Dir(f.Path)] = true
	}
	folders[string(k.c.TrustLists.Dir)] = true
	if dir, err := PackFolder(k.c); err == nil {
		folders[dir] = true
	}
	for dir := range folders {
		if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0 {
			k.warn("files", "chmod go-w "+dir, "%s can be changed by others: they can replace what is in it", dir)
		}
	}
}

// common are passwords that everybody tries first.
var common = []string{"changeit", "changeme", "password", "secret", "test", "test123", "admin", "administrator", "viadukt", "domibus", "12345678", "123456789", "1234567890", "letmein", "welcome"}

const (
	passwordLeast = 8  // characters of the password of a file or an account
	tokenLeast    = 20 // of a token, which nobody types
	passwordWait  = 7 * 24 * time.Hour
)

// secrets looks at passwords and tokens: those that can be guessed, or are one another's.
func (k *checker) secrets() {
	weak := func(what, value string, least int) {
		if slices.Contains(common, strings.ToLower(value)) || len(value) < least {
			k.warn(what, "choose a long one that nobody can guess; viadukt token makes tokens", "can be guessed: it is shorter than %d characters, or one that everybody tries", least)
		}
	}
	tokens, owner := map[string]bool{}, map[string]string{}
	for _, t := range k.c.API.Tokens {
		value, err := t.Secret.Read()
		if err != nil {
			k.fail("token "+t.Name, "viadukt token add "+t.Name+" --out FILE makes one", "%v", err)
			continue
		}
		tokens[value] = true
		weak("token "+t.Name, value, tokenLeast)
		if other, twice := owner[value]; twice {
			k.fail("token "+t.Name, "give each program a token of its own: viadukt token makes them", "it is that of %s: the log could not tell them apart", other)
		}
		owner[value] = t.Name
		if slices.Contains(t.Scopes, scopeAdmin) && len(t.Scopes) > 1 {
			k.warn("token "+t.Name, "make two tokens: admin is for people at the command line", "it has admin beside other scopes: a program that runs by itself needs no admin")
		}
	}
	k.c.Secrets(func(path, value string) {
		if !tokens[value] && !strings.Contains(value, "\n") {
			weak(path, value, passwordLeast)
		}
	})
	first := string(k.c.Console.FirstPassword)
	if info, err := os.Stat(first); err == nil && k.now.Sub(info.ModTime()) > passwordWait && !k.c.Console.Off {
		k.warn("console.firstPassword", "log in as admin and choose another one; then the file is removed", "the first password of the console is still good after %d days", int(k.now.Sub(info.ModTime()).Hours()/24))
	}
}

// dataFolder looks at the place where messages lie.
func (k *checker) dataFolder(open bool) {
	dir := string(k.c.Node.DataDir)
	info, err := os.Stat(dir)
	if err == nil && info.IsDir() {
		if info.Mode().Perm()&0o077 != 0 {
			k.warn("store", "chmod 700 "+dir, "%s can be read by others on this machine: all messages lie there", dir)
		}
		if uid, ok := k.machine.owner(dir); ok && uid == 0 && open {
			k.warn("service", "run the node as a user of its own: docs/operations.md", "%s belongs to root: so does the node", dir)
		}
	} else {
		dir = filepath.Dir(dir)
	}
	switch kind, name := k.machine.filesystem(dir); {
	case kind == fsNetwork:
		k.fail("store", "put node.dataDir on a disk of this machine", "%s is on a network file system (%s): the database needs locks and shared memory that hold", dir, name)
	case kind == fsForeign:
		k.warn("store", "put node.dataDir on a disk of this machine", "%s is on a file system of a program (%s): make sure that a flush reaches the disk", dir, name)
	case kind == fsMemory && open:
		k.fail("store", "put node.dataDir on a disk", "%s is in memory (%s): all messages are gone with the power", dir, name)
	}
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) == nil && st.Files > 0 && uint64(st.Ffree) < uint64(st.Files)/100 {
		k.warn("room", "remove small files, or make a volume with more inodes", "the volume has %d free inodes of %d: no file can be made without", st.Ffree, st.Files)
	}
}

// resolvers looks whose word is taken for that a name was signed.
func (k *checker) resolvers() {
	d := k.c.Discovery
	if d.Zone == "" || d.DNSSEC != "require" {
		return
	}
	servers := d.Servers
	if len(servers) == 0 {
		servers, _ = bdxl.ReadServers("/etc/resolv.conf")
	}
	for _, s := range servers {
		host := s
		if a, err := netip.ParseAddrPort(s); err == nil {
			host = a.Addr().String()
		}
		if !loopbackHost(host) {
			k.warn("discovery.dnssec", "run a resolver that validates on this machine, and name 127.0.0.1", "signatures are checked by %s alone: whoever is between answers in its name", host)
		}
	}
}

// people asks a running node for its users.
func (k *checker) people() {
	if !k.running || k.c.Console.Off {
		return
	}
	var l UserListJSON
	if err := k.ask("/api/v1/users", scopeAdmin, &l); err != nil {
		return // who may not ask is not told
	}
	for _, u := range l.Users {
		certified := slices.ContainsFunc(k.c.API.Clients, func(c config.Client) bool { return c.Name == u.User })
		if u.Role == string(console.Administrator) && !u.SecondFactor && !certified {
			k.warn("user "+u.User, "set it up on the page Account", "an administrator without a second factor")
		}
	}
}

// thisMachine asks the system.
func thisMachine() machine {
	return machine{filesystem: fileSystem, clock: clockState, owner: func(file string) (uint32, bool) {
		info, err := os.Stat(file)
		if err != nil {
			return 0, false
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return 0, false
		}
		return st.Uid, true
	}}
}

// ask asks the running node, with a token of a scope.
func (k *checker) ask(path, scope string, into any) error {
	i := slices.IndexFunc(k.c.API.Tokens, func(t config.Token) bool { return slices.Contains(t.Scopes, scope) })
	if i < 0 {
		return fmt.Errorf("node: no token with the scope %s", scope)
	}
	token, err := k.c.API.Tokens[i].Secret.Read()
	if err != nil {
		return err
	}
	client, err := APIClient(k.c)
	if err != nil {
		return err
	}
	scheme := "http"
	if k.c.API.TLS != nil {
		scheme = "https"
	}
	ctx, cancel := context.WithTimeout(k.ctx, probeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+local(string(k.c.API.Listen))+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("node: the API answers %s", resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, 4<<20)).Decode(into)
}
