package pki

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"golang.org/x/crypto/ocsp"
)

// certificateFiles are the certificates others made, by area and folder.
var certificateFiles = []struct {
	area, under string
	least       int
}{
	{"esignature", "trust", 47}, {"esignature", "dss", 19}, {"esignature", "xmlsec", 10},
	{"edelivery-discovery", "pki", 18}, {"ejustice-ecodex", "erds", 10}, {"eid", ".", 15}, {"procedures-spocs", "oots", 2},
}

func isCertificateFile(name string) bool {
	switch filepath.Ext(name) {
	case ".cer", ".crt":
		return true
	case ".der":
		return !strings.Contains(name, "key")
	case ".pem":
		return true
	}
	return false
}

func corpusFiles(tb testing.TB, area, under string, want func(string) bool) []string {
	tb.Helper()
	root := corpus.Dir(tb, area)
	var files []string
	err := filepath.WalkDir(filepath.Join(root, under), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && want(d.Name()) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

// TestCorpusCertificates: every certificate parses, and where crypto/x509 parses it too, both read the same.
func TestCorpusCertificates(t *testing.T) {
	known := corpus.Known(t, "testdata/known.tsv")
	agreed, refusedByX509 := 0, 0
	for _, set := range certificateFiles {
		files := corpusFiles(t, set.area, set.under, isCertificateFile)
		if len(files) < set.least {
			t.Errorf("%s/%s: only %d certificate files", set.area, set.under, len(files))
		}
		root := corpus.Dir(t, set.area)
		for _, path := range files {
			rel, err := filepath.Rel(filepath.Dir(root), path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			certs, err := ParsePEMCertificates(b)
			if reason, listed := known[rel]; listed {
				if err == nil {
					t.Errorf("%s: parses now, strike it from known.tsv (%s)", rel, reason)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", rel, err)
				continue
			}
			for _, c := range certs {
				agreed++
				if !compareX509(t, rel, c) {
					refusedByX509++
				}
			}
		}
	}
	t.Logf("%d certificates agree, %d of them unknown to crypto/x509", agreed, refusedByX509)
	if agreed < 100 {
		t.Errorf("only %d certificates", agreed)
	}
}

// compareX509 reports whether crypto/x509 parses the certificate; differences are errors of the test.
func compareX509(t *testing.T, name string, c *Certificate) bool {
	t.Helper()
	x, err := c.X509()
	if err != nil {
		return false
	}
	same := func(what string, ok bool) {
		t.Helper()
		if !ok {
			t.Errorf("%s: %s differs from crypto/x509", name, what)
		}
	}
	same("raw", bytes.Equal(c.Raw, x.Raw) && bytes.Equal(c.RawTBS, x.RawTBSCertificate) && bytes.Equal(c.RawIssuer, x.RawIssuer) &&
		bytes.Equal(c.RawSubject, x.RawSubject) && bytes.Equal(c.RawSPKI, x.RawSubjectPublicKeyInfo))
	same("serial number", c.SerialNumber.Cmp(x.SerialNumber) == 0)
	same("version", c.Version == x.Version)
	same("validity", c.NotBefore.Equal(x.NotBefore) && c.NotAfter.Equal(x.NotAfter))
	same("signature", bytes.Equal(c.Signature, x.Signature))
	same("key identifiers", bytes.Equal(c.SubjectKeyID, x.SubjectKeyId) && bytes.Equal(c.AuthorityKeyID, x.AuthorityKeyId))
	same("key usage", c.KeyUsage == KeyUsage(x.KeyUsage))
	same("basic constraints", c.BasicConstraints.CA == x.IsCA && c.BasicConstraints.Valid == x.BasicConstraintsValid)
	if x.IsCA && (x.MaxPathLen > 0 || x.MaxPathLenZero) {
		same("path length", c.BasicConstraints.MaxPathLen == x.MaxPathLen)
	}
	same("DNS names", equalStrings(c.DNSNames, x.DNSNames))
	same("e-mail addresses", equalStrings(c.Emails, x.EmailAddresses))
	same("distribution points", equalStrings(c.CRLDistributionPoints, x.CRLDistributionPoints))
	same("OCSP servers", equalStrings(c.OCSPServers, x.OCSPServer) && equalStrings(c.CAIssuers, x.IssuingCertificateURL))
	same("extensions", len(c.Extensions) == len(x.Extensions))
	for i, e := range x.Extensions {
		same("extension", string(c.Extensions[i].ID) == e.Id.String() && c.Extensions[i].Critical == e.Critical && bytes.Equal(c.Extensions[i].Value, e.Value))
	}
	var policies []string
	for _, p := range x.Policies {
		policies = append(policies, p.String())
	}
	var ours []string
	for _, p := range c.Policies {
		ours = append(ours, string(p))
	}
	same("policies", equalStrings(ours, policies))
	same("extended key usages", len(c.ExtKeyUsage) == len(x.ExtKeyUsage)+len(x.UnknownExtKeyUsage))
	same("common name", c.Subject.CommonName() == x.Subject.CommonName || !isASCII(x.Subject.CommonName))
	if x.PublicKeyAlgorithm != x509.UnknownPublicKeyAlgorithm && x.PublicKeyAlgorithm != x509.DSA {
		same("public key", samePublicKey(c.PublicKey, x.PublicKey))
	}
	for _, n := range []Name{c.Subject, c.Issuer} {
		back, err := ParseName(n.String())
		same("name from its own text ("+n.String()+")", err == nil && back.Equal(n))
	}
	return true
}

func equalStrings(a, b []string) bool {
	return strings.Join(a, "\x00") == strings.Join(b, "\x00")
}

// TestCorpusSignatures checks all signatures between the certificates of the corpus, with and without
// crypto/x509 agreeing.
func TestCorpusSignatures(t *testing.T) {
	var all []*Certificate
	for _, set := range certificateFiles {
		for _, path := range corpusFiles(t, set.area, set.under, isCertificateFile) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if certs, err := ParsePEMCertificates(b); err == nil {
				all = append(all, certs...)
			}
		}
	}
	good, unsupported := 0, 0
	for _, c := range all {
		for _, issuer := range all {
			if !bytes.Equal(c.RawIssuer, issuer.RawSubject) || len(c.AuthorityKeyID) > 0 && !bytes.Equal(c.AuthorityKeyID, issuer.SubjectKeyID) {
				continue
			}
			err := c.CheckSignatureFrom(issuer)
			switch {
			case err == nil:
				good++
			case errors.Is(err, ErrUnsupported):
				unsupported++
				t.Logf("%v", err)
			}
			xc, e1 := c.X509()
			xi, e2 := issuer.X509()
			if e1 != nil || e2 != nil {
				continue
			}
			theirs := xi.CheckSignature(xc.SignatureAlgorithm, xc.RawTBSCertificate, xc.Signature)
			var insecure x509.InsecureAlgorithmError
			if (theirs == nil) != (err == nil) && !errors.As(theirs, &insecure) && !errors.Is(theirs, x509.ErrUnsupportedAlgorithm) && xc.SignatureAlgorithm != x509.UnknownSignatureAlgorithm {
				t.Errorf("%q by %q: %v, crypto/x509 %v", c.Subject, issuer.Subject, err, theirs)
			}
		}
	}
	t.Logf("%d good signatures, %d of algorithms not supported", good, unsupported)
	if good < 50 {
		t.Errorf("only %d good signatures", good)
	}
}

func readCertificate(tb testing.TB, area, name string) *Certificate {
	tb.Helper()
	certs, err := ParsePEMCertificates(corpus.Read(tb, area, name))
	if err != nil {
		tb.Fatal(err)
	}
	return certs[0]
}

// TestCorpusCRLs holds the lists against what the test suite they come from asserts.
func TestCorpusCRLs(t *testing.T) {
	for _, c := range []struct {
		file, issuer string
		want         error
		scheme       Scheme
		entries      int
	}{
		{"dss/dss-crl-parser/CA-5358AA45-Full.crl", "dss/dss-crl-parser/CA-Justice-ECDSA-261217.cer", nil, SchemeECDSA, -1},
		{"dss/dss-crl-parser/belgium2.pem.crl", "dss/dss-crl-parser/belgiumrs2.crt", nil, SchemeRSA, 0},
		{"dss/dss-spi/crl/belgium2.crl", "dss/dss-spi/belgiumrs2.crt", nil, SchemeRSA, 0},
		{"dss/dss-crl-parser/d-trust_root_ca_1_2017.crl", "dss/dss-crl-parser/D-TRUST_Root_CA_1_2017.crt", nil, SchemeRSAPSS, -1},
		{"dss/dss-crl-parser/LTGRCA.crl", "dss/dss-crl-parser/citizen_ca.cer", ErrUntrusted, SchemeRSA, -1},
		{"dss/dss-crl-parser/crl_with_expiredCertsOnCRL_extension.crl", "dss/dss-crl-parser/citizen_ca.cer", ErrUntrusted, SchemeRSA, -1},
		{"dss/dss-crl-parser/realts2019.crl", "dss/dss-crl-parser/realts2019.crt", ErrBadSignature, SchemeRSA, -1},
		{"dss/dss-spi/crl/belgium2.crl", "dss/dss-spi/TSA_BE.cer", ErrUntrusted, SchemeRSA, 0},
		{"dss/dss-spi/crl/LTRCA.crl", "", nil, SchemeRSA, -1},
		{"xmlsec/keys/rsa/rsa-2048-cert-revoked-crl.der", "", nil, SchemeRSA, -1},
	} {
		list, err := ParseCRL(corpus.Read(t, "esignature", c.file))
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		if list.SignatureAlgorithm.Scheme != c.scheme || c.entries >= 0 && list.Len() != c.entries {
			t.Errorf("%s: scheme %d, %d entries", c.file, list.SignatureAlgorithm.Scheme, list.Len())
		}
		if c.issuer != "" {
			if err := list.Verify(readCertificate(t, "esignature", c.issuer)); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("%s: %v, want %v", c.file, err, c.want)
			}
		}
		compareCRL(t, c.file, list)
	}
}

// compareCRL looks up every entry that crypto/x509 reads.
func compareCRL(t *testing.T, name string, list *CRL) {
	t.Helper()
	x, err := x509.ParseRevocationList(list.Raw)
	if err != nil {
		t.Logf("%s: crypto/x509: %v", name, err)
		return
	}
	if len(x.RevokedCertificateEntries) != list.Len() || !x.ThisUpdate.Equal(list.ThisUpdate) || !x.NextUpdate.Equal(list.NextUpdate) {
		t.Errorf("%s: differs from crypto/x509", name)
	}
	for _, e := range x.RevokedCertificateEntries {
		if !slices.ContainsFunc(list.Entries(e.SerialNumber), func(got RevokedEntry) bool {
			return got.RevokedAt.Equal(e.RevocationTime) && int(got.Reason) == e.ReasonCode
		}) {
			t.Errorf("%s: serial number %s: %v, want %v reason %d", name, e.SerialNumber, list.Entries(e.SerialNumber), e.RevocationTime, e.ReasonCode)
		}
		if list.IsRevoked(new(big.Int).Add(e.SerialNumber, new(big.Int).Lsh(big.NewInt(1), 200))) {
			t.Errorf("%s: a number nobody has is revoked", name)
		}
	}
}

func TestCorpusOCSP(t *testing.T) {
	for _, name := range []string{"trust/2ea137af20cc9acc.der", "trust/315ec7bd56f8b496.der", "dss/dss-spi/peru_ocsp.bin"} {
		r, err := ParseOCSPResponse(corpus.Read(t, "esignature", name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(r.Responses) == 0 || r.ProducedAt.IsZero() {
			t.Errorf("%s: no answer", name)
		}
		x, err := ocsp.ParseResponse(r.Raw, nil)
		if err != nil {
			t.Logf("%s: x/crypto/ocsp: %v", name, err)
			continue
		}
		s := r.Responses[0]
		if x.SerialNumber.Cmp(s.SerialNumber) != 0 || !x.ThisUpdate.Equal(s.ThisUpdate) || !x.NextUpdate.Equal(s.NextUpdate) ||
			!x.ProducedAt.Equal(r.ProducedAt) || !bytes.Equal(x.TBSResponseData, r.RawTBS) || (x.Status == ocsp.Good) != (s.State == RevocationGood) {
			t.Errorf("%s: differs from x/crypto/ocsp", name)
		}
	}
	cert, issuer := readCertificate(t, "esignature", "dss/dss-spi/peru_client.cer"), readCertificate(t, "esignature", "dss/dss-spi/peru_CA.cer")
	r, err := ParseOCSPResponse(corpus.Read(t, "esignature", "dss/dss-spi/peru_ocsp.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := cert.CheckSignatureFrom(issuer); err != nil {
		t.Error(err)
	}
	if _, ok := r.Find(cert, issuer); !ok {
		t.Errorf("the answer is about the client's certificate: %v", r.Responses)
	}
}
