package pki

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"math/big"
	"testing"
)

func BenchmarkParseCertificate(b *testing.B) {
	for _, alg := range []KeyAlgorithm{RSA2048, P256, Ed25519, BrainpoolP256r1} {
		root := mustAuthority(b, "CN=Root,O=Viadukt,C=EE", alg)
		c := root.mustIssue(b, Template{Algorithm: alg, CommonName: "POP000001", Organization: "Viadukt", OrganizationalUnit: "TEST AP", Country: "EE",
			CRLDistributionPoints: []string{"http://crl.example.org/ca.crl"}, OCSPServers: []string{"http://ocsp.example.org"}}).Certificate
		b.Run(string(alg), func(b *testing.B) {
			b.SetBytes(int64(len(c.Raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseCertificate(c.Raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerify: cold is a path over one intermediate, built and checked anew; cached the second question.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []KeyAlgorithm{RSA2048, P256, Ed25519, BrainpoolP256r1} {
		root := mustAuthority(b, "CN=Root,O=Viadukt,C=EE", alg)
		sub, err := root.Sub("CN=Sub,O=Viadukt,C=EE", alg, testNow.AddDate(-1, 0, 0), 5)
		if err != nil {
			b.Fatal(err)
		}
		leaf := sub.mustIssue(b, Template{Algorithm: alg})
		for name, ttl := range map[string]int{"cold": -1, "cached": 0} {
			v := &Verifier{Anchors: anchors(PurposeAccessPoint, root.Certificate), Clock: clockAt(testNow)}
			if ttl < 0 {
				v.CacheTTL = -1
			}
			b.Run(fmt.Sprintf("%s/%s", name, alg), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := v.Verify(leaf.Certificate, leaf.Chain, PurposeAccessPoint); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkParseName(b *testing.B) {
	const s = `CN=POP000001,OU=PEPPOL TEST AP,O=Example\, AS,2.5.4.97=#0c0756415445452d31,C=NO`
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseName(s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNameEqual(b *testing.B) {
	x, err := ParseName("CN=Viadukt Test CA - G2,OU=FOR TEST ONLY,O=Viadukt,C=EE")
	if err != nil {
		b.Fatal(err)
	}
	y, err := ParseName("cn=viadukt test ca - g2, ou=for test only, o=viadukt, c=ee")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !x.Equal(y) {
			b.Fatal("differ")
		}
	}
}

// BenchmarkCRL reads a list of 100,000 entries, and asks a list already read.
func BenchmarkCRL(b *testing.B) {
	root := mustAuthority(b, "CN=Root", P256)
	t := &x509.RevocationList{}
	for i := range 100_000 {
		t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(int64(i)*7919 + 1), RevocationTime: testNow})
	}
	der := customCRL(b, root, t)
	b.Run("parse/100000", func(b *testing.B) {
		b.SetBytes(int64(len(der)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseCRL(der); err != nil {
				b.Fatal(err)
			}
		}
	})
	list, err := ParseCRL(der)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("index/100000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			list.buildIndex()
		}
	})
	known, unknown := big.NewInt(50_000*7919+1), big.NewInt(50_000*7919+2)
	b.Run("find/100000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !list.IsRevoked(known) || list.IsRevoked(unknown) {
				b.Fatal("wrong")
			}
		}
	})
}

func BenchmarkPKIPath(b *testing.B) {
	root := mustAuthority(b, "CN=Root", P256)
	leaf := root.mustIssue(b, Template{})
	der := MarshalPKIPath(append([]*Certificate{leaf.Certificate}, leaf.Chain...))
	b.SetBytes(int64(len(der)))
	b.ReportAllocs()
	for b.Loop() {
		path, err := ParsePKIPath(der)
		if err != nil || !bytes.Equal(path[0].Raw, leaf.Certificate.Raw) {
			b.Fatal(err)
		}
	}
}
