package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Severities of a [Finding].
const (
	SeverityOK      = "ok"
	SeverityWarning = "warning"
	SeverityError   = "error"
)

// soon is how long before the end of a certificate a warning begins.
const soon = 30 * 24 * time.Hour

// checker collects findings.
type checker struct {
	ctx      context.Context
	c        *config.Config
	now      time.Time
	running  bool // another process serves this configuration
	machine  machine
	trust    *pki.Verifier
	findings []Finding
}

func (k *checker) ok(what, format string, args ...any) {
	k.findings = append(k.findings, Finding{SeverityOK, what, fmt.Sprintf(format, args...), ""})
}

func (k *checker) warn(what, remedy, format string, args ...any) {
	k.findings = append(k.findings, Finding{SeverityWarning, what, fmt.Sprintf(format, args...), remedy})
}

func (k *checker) fail(what, remedy, format string, args ...any) {
	k.findings = append(k.findings, Finding{SeverityError, what, fmt.Sprintf(format, args...), remedy})
}

// Check looks at everything around a configuration: keys and trust, the store, addresses, the directory, partners, and
// what the domains look at. Nothing is changed, and a node that runs on it is not disturbed.
func Check(ctx context.Context, c *config.Config, domains []Domain) []Finding {
	return checkOn(ctx, c, domains, thisMachine())
}

func checkOn(ctx context.Context, c *config.Config, domains []Domain, on machine) []Finding {
	k := &checker{ctx: ctx, c: c, now: time.Now(), machine: on}
	k.keys()
	k.anchors()
	k.policy()
	k.testbed()
	k.store()
	k.addresses()
	k.hardening()
	n := k.assemble(domains)
	k.trustLists()
	k.directory()
	k.partners()
	if n != nil {
		for _, d := range n.domains {
			k.findings = append(k.findings, d.Check(ctx)...)
		}
	}
	return k.findings
}

// keys looks at every key with its certificate.
func (k *checker) keys() {
	a := k.c.AS4
	k.identity("signing key", "as4.signing", a.Signing, pki.PurposeAccessPoint)
	if a.Encryption.Key != "" {
		k.identity("encryption key", "as4.encryption", a.Encryption, pki.PurposeAccessPoint)
	}
	if k.c.SMP.Listen != "" && k.c.SMP.Signing.Key != "" {
		k.identity("publisher's key", "smp.signing", k.c.SMP.Signing, pki.PurposeSMP)
	}
	k.listenerTLS("TLS certificate", "tls", k.c.TLS)
	k.listenerTLS("TLS certificate of the API", "api.tls", k.c.API.TLS)
}

func (k *checker) listenerTLS(what, key string, t *config.TLS) {
	if t == nil {
		return
	}
	pair, err := tlsCertificate(t)
	if err == nil {
		_, err = tlsConfig(t)
	}
	if err != nil {
		k.fail(what, key+".certificate and "+key+".key must belong together", "%v", err)
		return
	}
	cert, err := pki.ParseCertificate(pair.Certificate[0])
	if err != nil {
		k.fail(what, "", "%v", err)
		return
	}
	k.length(what, cert)
	k.validity(what, cert)
}

// testbed warns of an interface that is for test networks alone.
func (k *checker) testbed() {
	if !k.c.Testbed.IsZero() {
		k.warn("test bed", "remove the section testbed, unless a conformance test bed drives this node right now", "whoever reaches its address sends messages in the name of this node")
	}
	if !k.c.GITB.IsZero() {
		k.warn("test bed", "remove the section gitb, unless the Interoperability Test Bed uses this node right now", "whoever reaches its address sends and reads messages in the name of this node")
	}
}

// policy reads the rules of evidence, where there are own ones.
func (k *checker) policy() {
	file := k.c.Evidence.Policy
	if file == "" {
		return
	}
	r, err := loadRecorder(k.c)
	if err != nil {
		k.fail("evidence policy", "correct the rules: docs/evidence.md", "%v", err)
		return
	}
	k.ok("evidence policy", "%s, rules: %d", file, len(r.Policy().Rules()))
}

func (k *checker) identity(what, key string, f config.Identity, purpose pki.Purpose) {
	id, err := loadIdentity(k.c, key, f)
	if err != nil {
		k.fail(what, "put private key and certificate into the file that "+key+".key names", "%v", err)
		return
	}
	if file := string(f.Key); !k.private(file) {
		k.warn(what, "chmod 600 "+file, "%s can be read by others on this machine", file)
	}
	k.length(what, id.Certificate)
	if !k.validity(what, id.Certificate) {
		return
	}
	if trust, err := loadTrust(k.c, func() time.Time { return k.now }); err == nil {
		verify := trust.VerifyContext
		if key == "as4.encryption" { // it may be for nothing else
			verify = trust.VerifyRecipient
		}
		if _, err := verify(k.ctx, id.Certificate, id.Chain, purpose); err != nil {
			k.warn(what, "partners who trust the same authorities will refuse it: compare as4.trust with the certificate's issuer", "%s: %v", id.Certificate.Subject, err)
		}
	}
}

// private reports whether the owner alone can read a file.
func (k *checker) private(file string) bool {
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return true
	}
	// A key of root that the node's own group may read: the node uses it and cannot replace it.
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode().Perm()&0o037 == 0 && st.Uid == 0 && st.Gid != 0
}

// validity judges the dates of a certificate; false when it cannot be used.
func (k *checker) validity(what string, c *pki.Certificate) bool {
	left, name := c.NotAfter.Sub(k.now), c.Subject.String()
	switch {
	case k.now.Before(c.NotBefore):
		k.fail(what, "check the clock of this machine; if it is right, wait or ask the issuer", "%s is not valid before %s; the clock says %s", name, date(c.NotBefore), date(k.now))
	case left <= 0:
		k.fail(what, "get a new certificate from its issuer, and tell your partners", "%s expired on %s", name, date(c.NotAfter))
	case left < soon:
		k.warn(what, "order the next one now, and tell your partners", "%s expires in %d days, on %s", name, int(left.Hours()/24), date(c.NotAfter))
		return true
	default:
		k.ok(what, "%s, valid until %s", name, date(c.NotAfter))
		return true
	}
	return false
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// anchors looks at the authorities, each file by itself, so that every bad one is named.
func (k *checker) anchors() {
	if len(k.c.AS4.Trust) == 0 {
		k.warn("trust", "name authorities under as4.trust", "no authority is trusted: only partners whose certificate the configuration names can write to this node")
	}
	for i, a := range k.c.AS4.Trust {
		what := fmt.Sprintf("trust %s", filepath.Base(string(a.File)))
		b, err := readFile(a.File)
		if err != nil {
			k.fail(what, "", "%v", k.c.Problem("as4.trust", "[%d]: %v", i, err))
			continue
		}
		certs, err := parseCertificates(b)
		if err != nil {
			k.fail(what, "the file must hold certificates, as PEM or DER", "%v", k.c.Problem("as4.trust", "[%d]: %v", i, err))
			continue
		}
		for _, c := range certs {
			k.validity(what, c)
		}
	}
	trust, err := loadTrust(k.c, func() time.Time { return k.now })
	if err != nil {
		k.trust = &pki.Verifier{}
		return
	}
	k.trust = trust
}

// lockName is the file that a running node holds in its data folder.
const lockName = "viadukt.lock"

// store looks whether the data folder can be used, and by whom it is.
func (k *checker) store() {
	dir := string(k.c.Node.DataDir)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		parent := filepath.Dir(dir)
		if err := writable(parent); err != nil {
			k.fail("store", "make the folder, or give this user the right to", "%s is not there and cannot be made: %v", dir, err)
			return
		}
		k.ok("store", "%s will be made at the first start", dir)
		dir = parent
	case err != nil:
		k.fail("store", "", "%v", err)
		return
	case !info.IsDir():
		k.fail("store", "name a folder in node.dataDir", "%s is no folder", dir)
		return
	default:
		if err := writable(dir); err != nil {
			k.fail("store", "give this user the right to write there", "%v", err)
			return
		}
		if k.running = locked(dir); k.running {
			k.ok("store", "%s is in use: the node is running", dir)
		} else {
			k.ok("store", "%s is there and nobody uses it", dir)
		}
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return
	}
	free, least := int64(st.Bavail)*int64(st.Bsize), int64(k.c.Node.MinFree)
	switch {
	case free < least:
		k.fail("room", "free space, or lower node.minFree", "%d MiB are free, new messages are refused below %s", free>>20, k.c.Node.MinFree)
	case free < 4*least:
		k.warn("room", "free space soon", "%d MiB are free, new messages are refused below %s", free>>20, k.c.Node.MinFree)
	default:
		k.ok("room", "%d MiB are free", free>>20)
	}
}

// writable tries it.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".check-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// locked reports whether a process holds the lock of a data folder.
func locked(dir string) bool {
	f, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}

// addresses looks whether what the node listens on is free, or answers when it runs.
func (k *checker) addresses() {
	c := k.c
	for _, a := range []struct {
		key  string
		addr config.Listen
	}{{"as4.listen", c.AS4.Listen}, {"api.listen", c.API.Listen}, {"smp.listen", c.SMP.Listen}, {"registry.listen", c.Registry.Listen}, {"metrics.listen", c.Metrics.Listen}} {
		if a.addr == "" {
			continue
		}
		if k.running {
			conn, err := (&net.Dialer{Timeout: 3 * time.Second}).DialContext(k.ctx, "tcp", local(string(a.addr)))
			if err != nil {
				k.fail(a.key, "restart the node: it may run with an older configuration", "the node is running, but nothing answers at %s", a.addr)
				continue
			}
			conn.Close()
			k.ok(a.key, "%s answers", a.addr)
			continue
		}
		l, err := net.Listen("tcp", string(a.addr))
		if err != nil {
			k.fail(a.key, "end the program that uses it, or choose another address", "%v", err)
			continue
		}
		l.Close()
		k.ok(a.key, "%s is free", a.addr)
	}
}

// local makes an address to listen on one that can be called.
func local(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = ""
	}
	return net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port)
}

// keysWrong reports whether a key or an authority was found wrong: a start ends there.
func (k *checker) keysWrong() bool {
	return slices.ContainsFunc(k.findings, func(f Finding) bool {
		return f.Severity == SeverityError && (strings.HasSuffix(f.What, "key") || strings.HasPrefix(f.What, "trust ") || strings.HasPrefix(f.What, "TLS certificate"))
	})
}

// assemble puts a node together as a start would, on a store of its own that is thrown away: partners, P-Modes,
// tokens and the domains' own settings are read on the way.
func (k *checker) assemble(domains []Domain) *Node {
	dir, err := os.MkdirTemp("", "viadukt-check-")
	if err != nil {
		k.fail("node", "", "%v", err)
		return nil
	}
	defer os.RemoveAll(dir)
	c := *k.c
	c.Node.DataDir, c.Node.MinFree, c.TrustLists.Dir = config.Path(dir), 1, config.Path(filepath.Join(dir, "trustlists"))
	n, err := New(k.ctx, &c, Options{Domains: domains})
	if err != nil {
		var ps config.Problems
		if errors.As(err, &ps) {
			for _, p := range ps {
				k.fail("configuration", "", "%v", p)
			}
			return nil
		}
		if !k.keysWrong() { // else it was said already
			k.fail("node", "mend it, and what is named beside it, and check again", "a start would end with: %v", err)
		}
		return nil
	}
	defer n.Store.Close()
	k.ok("configuration", "%s, %s, %s", plural(len(c.Partners), "partner"), plural(len(c.PModes), "P-Mode"), plural(len(n.domains), "domain"))
	return n
}
