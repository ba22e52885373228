package wss_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"io"
	"strconv"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var benchCases = []struct {
	name string
	size int
}{{"5KiB", 5 << 10}, {"5MiB", 5 << 20}}

var benchSuites = []struct {
	name  string
	suite wss.Suite
	keys  func(p *people) (sign, to *pki.Identity)
}{
	{"rsa2048", wss.SuiteRSA, func(p *people) (*pki.Identity, *pki.Identity) { return p.alice, p.bob }},
	{"ed25519", wss.SuiteEdDSA, func(p *people) (*pki.Identity, *pki.Identity) { return p.aliceEd, p.bobX }},
	{"p256", wss.SuiteECDSA, func(p *people) (*pki.Identity, *pki.Identity) { return p.aliceEC, p.bobEC }},
}

func octets(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func BenchmarkSecure(b *testing.B) {
	for _, s := range benchSuites {
		for _, c := range benchCases {
			b.Run(s.name+"/"+c.name, func(b *testing.B) {
				sign, to := s.keys(cast())
				p := []payload{{"p@a.example", "application/octet-stream", octets(c.size), false}}
				d, list := draft(p), contents(b, p)
				opt := wss.SecureOptions{Suite: s.suite, Sign: sign, Recipient: to.Certificate, ID: "t"}
				b.SetBytes(int64(c.size))
				b.ReportAllocs()
				for b.Loop() {
					sec, err := wss.Secure(d, list, opt)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := sec.Parts[0].WriteTo(io.Discard); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, s := range benchSuites {
		for _, c := range benchCases {
			b.Run(s.name+"/"+c.name, func(b *testing.B) {
				sign, to := s.keys(cast())
				l := seal(b, wss.SecureOptions{Suite: s.suite, Sign: sign, Recipient: to.Certificate},
					payload{"p@a.example", "application/octet-stream", octets(c.size), false})
				ctype, body := l.body(b)
				o := strict()
				o.Suites, o.Keys = []wss.Suite{s.suite}, []*pki.Identity{to}
				o.Targets = []wss.Target{{ContentID: "p@a.example", W: io.Discard}}
				b.SetBytes(int64(c.size))
				b.ReportAllocs()
				for b.Loop() {
					r, err := ebms.NewReader(ctype, bytes.NewReader(body), ebms.Limits{})
					if err != nil {
						b.Fatal(err)
					}
					_, root, err := r.Root()
					if err != nil {
						b.Fatal(err)
					}
					env, err := ebms.ParseEnvelope(root, dom.Limits{})
					if err != nil {
						b.Fatal(err)
					}
					if _, err := wss.Open(context.Background(), env, r, o); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkBareRSA is the floor: the RSA operations of one message at its sender and at its receiver, and nothing else.
func BenchmarkBareRSA(b *testing.B) {
	for _, bits := range []int{2048} {
		alice, bob := cast().alice, cast().bob
		sum := sha256.Sum256(nil)
		sig, err := alice.Key.(crypto.Signer).Sign(rand.Reader, sum[:], crypto.SHA256)
		if err != nil {
			b.Fatal(err)
		}
		sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, bob.Certificate.PublicKey.(*rsa.PublicKey), make([]byte, 16), nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("secure/"+strconv.Itoa(bits), func(b *testing.B) {
			for b.Loop() {
				if _, err := alice.Key.(crypto.Signer).Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
					b.Fatal(err)
				}
				if _, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, bob.Certificate.PublicKey.(*rsa.PublicKey), make([]byte, 16), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("open/"+strconv.Itoa(bits), func(b *testing.B) {
			for b.Loop() {
				if err := rsa.VerifyPKCS1v15(alice.Certificate.PublicKey.(*rsa.PublicKey), crypto.SHA256, sum[:], sig); err != nil {
					b.Fatal(err)
				}
				if _, err := bob.Key.(crypto.Decrypter).Decrypt(rand.Reader, sealed, &rsa.OAEPOptions{Hash: crypto.SHA256}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
