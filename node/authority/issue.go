package authority

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Profile is a kind of certificate.
type Profile struct {
	About    string
	usage    pki.KeyUsage // 0: what fits the kind of key
	extended []pki.OID
	critical bool // the extended usage
	names    bool // takes host names
	days     int
}

// Profiles are the kinds that are issued.
var Profiles = map[string]Profile{
	"person":       {About: "signs documents", usage: pki.UseContentCommitment, days: 3 * 365},
	"seal":         {About: "seals documents of an organisation", usage: pki.UseContentCommitment, days: 3 * 365},
	"access-point": {About: "signs and decrypts messages between nodes", days: 2 * 365},
	"smp":          {About: "signs service metadata", usage: pki.UseDigitalSignature, days: 2 * 365},
	"tsa":          {About: "signs time-stamps", usage: pki.UseDigitalSignature, extended: []pki.OID{pki.EKUTimeStamping}, critical: true, days: 5 * 365},
	"tls-server":   {About: "servers of connections", extended: []pki.OID{pki.EKUServerAuth}, names: true, days: 398},
	"tls-client":   {About: "clients of connections", usage: pki.UseDigitalSignature, extended: []pki.OID{pki.EKUClientAuth}, days: 398},
}

// Names returns the profiles in alphabetical order.
func Names() []string { return slices.Sorted(maps.Keys(Profiles)) }

// Request asks for a certificate.
type Request struct {
	Profile string
	// CSR is a PKCS #10 request in PEM or DER; its key and, unless Subject is given, its subject are taken. Without one, a key is made.
	CSR []byte
	// PublicKey, in PEM or DER, is of X25519: such a key signs no request, so whoever asks must be known to have it.
	PublicKey []byte
	Subject   string // RFC 4514
	Key       pki.KeyAlgorithm
	Names     []string // of hosts
	Days      int      // default: that of the profile
}

// Issue grants a request. The identity has a key where one was made; it is nowhere else then.
func (a *Authority) Issue(r Request) (*pki.Identity, error) {
	p, ok := Profiles[r.Profile]
	if !ok {
		return nil, fmt.Errorf("%w: there is no profile %q; there are %v", ErrRequest, r.Profile, Names())
	}
	t := pki.Template{Subject: r.Subject, Algorithm: r.Key, KeyUsage: p.usage, ExtKeyUsage: p.extended, DNSNames: r.Names}
	if len(r.CSR) > 0 {
		if err := fromCSR(r.CSR, &t, p.names && len(r.Names) == 0); err != nil {
			return nil, err
		}
	}
	if len(r.PublicKey) > 0 {
		if err := fromPublicKey(r.PublicKey, &t); err != nil {
			return nil, err
		}
	}
	switch {
	case len(r.CSR) > 0 && len(r.PublicKey) > 0:
		return nil, fmt.Errorf("%w: either a request or a public key", ErrRequest)
	case t.Subject == "":
		return nil, fmt.Errorf("%w: a subject is missing", ErrRequest)
	case len(t.DNSNames) > 0 && !p.names, p.names && len(t.DNSNames) == 0:
		return nil, fmt.Errorf("%w: names of hosts belong into certificates of servers, and only there", ErrRequest)
	}
	if p.critical {
		ext, err := criticalUsage(p.extended)
		if err != nil {
			return nil, err
		}
		t.ExtKeyUsage, t.Extensions = nil, []pki.Extension{ext}
	}
	days := p.days
	if r.Days > 0 {
		days = r.Days
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.refresh(); err != nil {
		return nil, err
	}
	return a.issue(t, r.Profile, days)
}

// issue fills in what all certificates have, and keeps a record before it gives anything away.
func (a *Authority) issue(t pki.Template, profile string, days int) (*pki.Identity, error) {
	g := a.current()
	t.NotBefore = a.now()
	if t.NotAfter.IsZero() {
		t.NotAfter = t.NotBefore.Add(time.Duration(days)*24*time.Hour - time.Second)
	}
	if end := g.issuer.Certificate.NotAfter; t.NotAfter.After(end) {
		t.NotAfter = end
	}
	t.OCSPServers = []string{a.address(g.number, "ocsp")}
	t.CRLDistributionPoints = []string{a.address(g.number, "ca.crl")}
	t.CAIssuers = []string{a.address(g.number, "ca.crt")}
	id, err := g.issuer.Issue(t)
	if err != nil {
		return nil, err
	}
	return id, a.keep(id.Certificate, profile, g.number)
}

// keep stores a certificate and its record.
func (a *Authority) keep(c *pki.Certificate, profile string, generation int) error {
	if err := writeNew(filepath.Join(a.dir, issuedDir, fmt.Sprintf("%x.pem", c.SerialNumber)), pki.MarshalPEM(c)); err != nil {
		return err
	}
	return a.append(Record{Time: a.now(), Action: issued, Serial: c.SerialNumber, Generation: generation, Profile: profile, NotAfter: c.NotAfter, Subject: c.Subject.String()})
}

func (a *Authority) address(generation int, what string) string {
	return fmt.Sprintf("%s/%d/%s", a.set.URL, generation, what)
}

// criticalUsage makes the extension by hand: crypto/x509 never marks it critical.
func criticalUsage(list []pki.OID) (pki.Extension, error) {
	v, err := marshalOIDs(list)
	return pki.Extension{ID: "2.5.29.37", Critical: true, Value: v}, err
}

// subordinate certifies a new authority below this one.
func (a *Authority) subordinate(o Options, now time.Time) (*pki.Authority, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id, err := a.issue(pki.Template{Subject: o.Subject, Algorithm: o.Key, CA: true, NotAfter: now.AddDate(o.Years, 0, 0),
		KeyUsage: pki.UseCertSign | pki.UseCRLSign | pki.UseDigitalSignature}, "authority", 0)
	if err != nil {
		return nil, err
	}
	return pki.OpenAuthority(id, rand.Reader, now)
}

// fromCSR takes key and subject out of a request, once its signature shows that the key is the asker's.
func fromCSR(b []byte, t *pki.Template, names bool) error {
	if block, _ := pem.Decode(b); block != nil {
		b = block.Bytes
	}
	q, err := pki.ParseRequest(b)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if t.Subject == "" {
		t.Subject = q.Subject.String()
	}
	if names {
		t.DNSNames = q.DNSNames
	}
	if bits := pki.KeyBits(q.PublicKey); bits < 224 || isRSA(q.PublicKey) && bits < 2048 {
		return fmt.Errorf("%w: a key of %d bits is too weak", ErrRequest, bits)
	}
	t.PublicKey = q.PublicKey
	return nil
}

// fromPublicKey takes a key that only agrees on others.
func fromPublicKey(b []byte, t *pki.Template) error {
	if block, _ := pem.Decode(b); block != nil {
		b = block.Bytes
	}
	key, err := pki.ParsePublicKey(b)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if _, ok := key.(*ecdh.PublicKey); !ok {
		return fmt.Errorf("%w: a key that can sign asks with a request, which shows that it is the asker's", ErrRequest)
	}
	t.PublicKey = key
	return nil
}
