// Package authority is a small certification authority in a folder, for a test network or a pilot: it issues by profiles, takes
// requests, revokes, rolls its key over, answers by OCSP and publishes lists.
//
// The folder holds the keys, so it belongs to one operator and to no backup that others read. Everything that is issued or revoked is one
// line in records.tsv, on disk before it counts; a process that serves sees what another one writes there. What it is not: a trust
// service under EN 319 411 with its ceremonies, roles and devices.
package authority

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
)

// What is refused.
var (
	ErrExists  = errors.New("authority: there is one in this folder already")
	ErrNone    = errors.New("authority: there is none in this folder")
	ErrRequest = errors.New("authority: the request cannot be granted")
	ErrUnknown = errors.New("authority: no such certificate was issued here")
	ErrRevoked = errors.New("authority: revoked already")
	ErrRecords = errors.New("authority: the records are damaged")
)

// Options make an authority.
type Options struct {
	Subject string           // RFC 4514
	Key     pki.KeyAlgorithm // default P-256
	Years   int              // default 10
	URL     string           // where it will be served; written into every certificate
	// Parent makes an authority below another one instead of a root.
	Parent *Authority
	Clock  func() time.Time // default time.Now
}

// Authority is one in a folder. It is safe for concurrent use.
type Authority struct {
	dir   string
	clock func() time.Time
	set   settings

	mu          sync.Mutex
	generations []*generation
	records     []Record
	last        map[string]Record // of each serial number
	seen        fs.FileInfo       // the records as they were read
}

type settings struct {
	URL string `json:"url"`
}

// generation is one key of the authority; a rollover begins the next.
type generation struct {
	number    int // from 1
	issuer    *pki.Authority
	responder *pki.Identity
	list      []byte // the current one
	due       time.Time
	listed    int // records that are in it
}

// Create makes a new authority in a folder, which must not hold one.
func Create(dir string, o Options) (*Authority, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Key == "" {
		o.Key = pki.P256
	}
	if o.Years <= 0 {
		o.Years = 10
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%w: %q is no address such as http://ca.example.eu", ErrRequest, o.URL)
	}
	if o.Subject == "" {
		return nil, fmt.Errorf("%w: a subject is missing", ErrRequest)
	}
	if _, err := os.Stat(filepath.Join(dir, settingsFile)); err == nil {
		return nil, fmt.Errorf("%w: %s", ErrExists, dir)
	}
	if err := os.MkdirAll(filepath.Join(dir, issuedDir), 0o700); err != nil {
		return nil, err
	}
	a := &Authority{dir: dir, clock: o.Clock, set: settings{URL: strings.TrimSuffix(o.URL, "/")}}
	var id *pki.Authority
	if o.Parent == nil {
		id, err = pki.NewAuthority(rand.Reader, o.Subject, o.Key, a.now(), o.Years)
	} else {
		id, err = o.Parent.subordinate(o, a.now())
	}
	if err != nil {
		return nil, err
	}
	if err := a.addGeneration(id); err != nil {
		return nil, err
	}
	b, err := json.Marshal(a.set)
	if err != nil {
		return nil, err
	}
	if err := writeNew(filepath.Join(dir, recordsFile), nil); err != nil {
		return nil, err
	}
	return a, writeNew(filepath.Join(dir, settingsFile), append(b, '\n')) // last: with it, the folder is an authority
}

// Open continues the authority of a folder. clock nil is time.Now.
func Open(dir string, clock func() time.Time) (*Authority, error) {
	if clock == nil {
		clock = time.Now
	}
	b, err := os.ReadFile(filepath.Join(dir, settingsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNone, dir)
	}
	if err != nil {
		return nil, err
	}
	a := &Authority{dir: dir, clock: clock}
	if err := json.Unmarshal(b, &a.set); err != nil {
		return nil, fmt.Errorf("%s: %w", settingsFile, err)
	}
	if err := a.loadGenerations(); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a, a.refresh()
}

const (
	settingsFile = "authority.json"
	recordsFile  = "records.tsv"
	issuedDir    = "issued"
)

func (a *Authority) now() time.Time { return a.clock().UTC().Truncate(time.Second) }

func (a *Authority) current() *generation { return a.generations[len(a.generations)-1] }

// Certificate is that of the key which issues now.
func (a *Authority) Certificate() *pki.Certificate {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current().issuer.Certificate
}

// Chain leads from Certificate to the root.
func (a *Authority) Chain() []*pki.Certificate {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.current()
	return append([]*pki.Certificate{g.issuer.Certificate}, g.issuer.Chain...)
}

// loadGenerations reads the keys and, where another process rolled over, the newer ones.
func (a *Authority) loadGenerations() error {
	for n := len(a.generations) + 1; ; n++ {
		b, err := os.ReadFile(a.keyFile("authority", n))
		if errors.Is(err, fs.ErrNotExist) && n > 1 {
			return nil
		}
		if err != nil {
			return err
		}
		id, err := pki.LoadIdentity(b, "")
		if err != nil {
			return err
		}
		issuer, err := pki.OpenAuthority(id, rand.Reader, a.now())
		if err != nil {
			return err
		}
		if b, err = os.ReadFile(a.keyFile("responder", n)); err != nil {
			return err
		}
		responder, err := pki.LoadIdentity(b, "")
		if err != nil {
			return err
		}
		a.generations = append(a.generations, &generation{number: n, issuer: issuer, responder: responder})
	}
}

func (a *Authority) keyFile(what string, generation int) string {
	return filepath.Join(a.dir, fmt.Sprintf("%s-%d.pem", what, generation))
}

// addGeneration stores a key, with a responder that it certifies for OCSP.
func (a *Authority) addGeneration(issuer *pki.Authority) error {
	n := len(a.generations) + 1
	responder, err := issuer.Issue(pki.Template{
		CommonName: fmt.Sprintf("OCSP responder %d of %s", n, issuer.Certificate.Subject.CommonName()), Algorithm: pki.P256, ExtKeyUsage: []pki.OID{pki.EKUOCSPSigning},
		KeyUsage: pki.UseDigitalSignature, NotBefore: a.now(), NotAfter: issuer.Certificate.NotAfter,
		Extensions: []pki.Extension{{ID: revocation.OCSPNoCheck, Value: []byte{5, 0}}},
	})
	if err != nil {
		return err
	}
	for what, id := range map[string]*pki.Identity{"responder": responder, "authority": &issuer.Identity} {
		b, err := id.MarshalPEM()
		if err == nil {
			err = writeNew(a.keyFile(what, n), b)
		}
		if err != nil {
			return err
		}
	}
	a.generations = append(a.generations, &generation{number: n, issuer: issuer, responder: responder})
	return nil
}

// writeNew writes a file that must not be there, for nobody else's eyes, and has it on disk when it returns.
func writeNew(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Rollover begins a new key under the same name. A root certifies the new key by the old one and the old one by the new, so that who
// trusts either trusts both [RFC 4210 4.4]; these two are returned, and stand in the folder beside the others that were issued. An authority below
// another one needs a new certificate from there: its parent is opened and given.
func (a *Authority) Rollover(key pki.KeyAlgorithm, years int, parent *Authority) (cross []*pki.Certificate, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.current().issuer
	if key == "" {
		key = pki.P256
	}
	if years <= 0 {
		years = 10
	}
	if root := len(old.Chain) == 0; root != (parent == nil) {
		return nil, fmt.Errorf("%w: a root rolls over by itself, an authority below another one with that", ErrRequest)
	}
	var fresh *pki.Authority
	subject := old.Certificate.Subject.String()
	if parent == nil {
		fresh, err = pki.NewAuthority(rand.Reader, subject, key, a.now(), years)
	} else {
		fresh, err = parent.subordinate(Options{Subject: subject, Key: key, Years: years}, a.now())
	}
	if err != nil {
		return nil, err
	}
	if parent == nil {
		for _, pair := range [][2]*pki.Authority{{old, fresh}, {fresh, old}} {
			c, err := pair[0].Issue(pki.Template{Subject: subject, PublicKey: pair[1].Certificate.PublicKey, CA: true, AnyPathLen: true,
				KeyUsage: pki.UseCertSign | pki.UseCRLSign | pki.UseDigitalSignature, NotBefore: a.now(), NotAfter: old.Certificate.NotAfter})
			if err != nil {
				return nil, err
			}
			cross = append(cross, c.Certificate)
		}
	}
	if err := a.addGeneration(fresh); err != nil {
		return nil, err
	}
	for _, c := range cross {
		if err := a.keep(c, "cross", len(a.generations)); err != nil {
			return nil, err
		}
	}
	return cross, nil
}
