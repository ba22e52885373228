package pki

import (
	"bytes"
	"os"
	"testing"
)

// seedFiles adds small files of the corpus where it is there.
func seedFiles(f *testing.F, area, under string, want func(string) bool) {
	if os.Getenv("VIADUKT_CORPUS") == "" {
		return // our own seeds do
	}
	for _, path := range corpusFiles(f, area, under, want) {
		if b, err := os.ReadFile(path); err == nil && len(b) < 8<<10 {
			f.Add(b)
		}
	}
}

func FuzzParseCertificate(f *testing.F) {
	root := mustAuthority(f, "CN=Root,O=Viadukt,C=EE", P256)
	f.Add(root.Certificate.Raw)
	for _, alg := range []KeyAlgorithm{Ed25519, X25519, BrainpoolP256r1} {
		f.Add(root.mustIssue(f, Template{Algorithm: alg, CRLDistributionPoints: []string{"http://a/"}, Policies: []OID{"1.2.3"}, OCSPServers: []string{"http://b/"}, Emails: []string{"a@b"}}).Certificate.Raw)
	}
	seedFiles(f, "esignature", "trust", func(string) bool { return true })
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCertificate(b)
		var known Parsed
		for range 2 { // parsed, and remembered
			if x, again := known.Certificate(b); (again == nil) != (err == nil) || err == nil && !x.Equal(c) || err != nil && again.Error() != err.Error() {
				t.Fatalf("%v, remembered %v", err, again)
			}
		}
		if err != nil {
			return
		}
		if !bytes.Equal(c.Raw, b) || c.SerialNumber == nil || (c.PublicKey == nil) == (c.KeyError == nil) {
			t.Fatal("incomplete")
		}
		compareX509(t, "fuzz", c)
		c.CheckSignatureFrom(root.Certificate)
		root.Certificate.CheckSignature(c.SignatureAlgorithm, c.RawTBS, c.Signature)
		c.CheckSignature(c.SignatureAlgorithm, c.RawTBS, c.Signature)
		v := &Verifier{Anchors: anchors(PurposeDocument, root.Certificate), Clock: clockAt(testNow)}
		if chain, err := v.Verify(c, []*Certificate{c}, PurposeDocument); err == nil && len(chain) != 2 && !c.Equal(root.Certificate) {
			t.Fatal("trusted")
		}
	})
}

func FuzzParseCRL(f *testing.F) {
	root := mustAuthority(f, "CN=Root", P256)
	f.Add(mustCRL(f, root, testNow, root.Certificate, root.mustIssue(f, Template{}).Certificate).Raw)
	seedFiles(f, "esignature", "dss/dss-crl-parser", func(string) bool { return true })
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ParseCRL(b)
		if err != nil {
			return
		}
		list.IsRevoked(root.Certificate.SerialNumber)
		if len(list.index) != list.Len() {
			t.Fatalf("%d entries, %d in the index", list.Len(), len(list.index))
		}
		list.Verify(root.Certificate)
		list.Covers(root.Certificate)
	})
}

func FuzzParseOCSPResponse(f *testing.F) {
	root := mustAuthority(f, "CN=Root", P256)
	f.Add([]byte{0x30, 3, 0x0a, 1, 3})
	f.Add(ocspSeed(f, root))
	seedFiles(f, "esignature", "dss/dss-spi", func(name string) bool { return name == "peru_ocsp.bin" })
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseOCSPResponse(b)
		if err != nil {
			return
		}
		r.Verify(root.Certificate, testNow)
		r.Status(t.Context(), root.Certificate, root.Certificate, testNow)
		if _, err := ParseOCSPResponse(r.RawBasic); err != nil {
			t.Fatalf("the basic response alone: %v", err)
		}
	})
}

func FuzzParsePKIPath(f *testing.F) {
	root := mustAuthority(f, "CN=Root", P256)
	sub := root.mustSub(f, "CN=Sub")
	f.Add(MarshalPKIPath([]*Certificate{sub.Certificate, root.Certificate}))
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		path, err := ParsePKIPath(b)
		if err != nil {
			return
		}
		if len(path) == 0 || len(path) > maxPath {
			t.Fatalf("%d certificates", len(path))
		}
		if !bytes.Equal(MarshalPKIPath(path), b) {
			t.Fatal("the path does not return to its octets")
		}
	})
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"CN=a,O=b", `CN="a,b"+E=x;C=EE`, "2.5.4.97=#0c0161", `O=\C3\A4\, \ `, "OID.1.2.3=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseName(s)
		if err != nil {
			return
		}
		text := n.String()
		back, err := ParseName(text)
		if len(text) > maxNameText {
			return
		}
		if err != nil || !back.Equal(n) || back.String() != text {
			t.Fatalf("%q is written %q and read %q (%v)", s, text, back, err)
		}
	})
}

func FuzzJKS(f *testing.F) {
	root := mustAuthority(f, "CN=Root", P256)
	f.Add(makeJKS(f, "changeit", root.mustIssue(f, Template{}), root.Certificate))
	f.Add(makeJKS(f, "", nil, root.Certificate))
	f.Fuzz(func(t *testing.T, b []byte) {
		store, err := ParseJKS(b, "")
		if err != nil {
			return
		}
		store.Identities("changeit")
		store.Certificates()
	})
}

func FuzzPKCS12(f *testing.F) {
	for _, b := range pkcs12Seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.Contains(b, []byte{2, 3}) { // counts above 65,535 cost time and show nothing
			return
		}
		LoadIdentities(b, "secret")
		LoadCertificates(b, "secret")
	})
}
