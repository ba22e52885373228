package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"software.sslmate.com/src/go-pkcs12"
)

var allAlgorithms = []KeyAlgorithm{RSA2048, P256, P384, P521, Ed25519, X25519, BrainpoolP256r1, BrainpoolP384r1, BrainpoolP512r1}

func TestEveryKindOfKey(t *testing.T) {
	t.Parallel()
	for _, issuer := range []KeyAlgorithm{RSA2048, P256, P384, Ed25519, BrainpoolP256r1, BrainpoolP512r1} {
		root := mustAuthority(t, "CN=Root", issuer)
		for _, alg := range allAlgorithms {
			id := root.mustIssue(t, Template{Algorithm: alg})
			proveKeyOrAgree(t, string(issuer+" over "+alg), id)
			if err := id.Certificate.CheckSignatureFrom(root.Certificate); err != nil {
				t.Errorf("%s over %s: %v", issuer, alg, err)
			}
			b, err := id.MarshalPEM()
			if err != nil {
				t.Errorf("%s: %v", alg, err)
				continue
			}
			back, err := LoadIdentity(b, "")
			if err != nil || !back.Certificate.Equal(id.Certificate) || len(back.Chain) != 1 || !samePublicKey(back.Key.Public(), id.Key.Public()) {
				t.Errorf("%s does not return from PEM: %v", alg, err)
			}
		}
	}
}

func proveKeyOrAgree(t *testing.T, name string, id *Identity) {
	t.Helper()
	proveKey(t, name, id)
	if _, ok := id.Key.Public().(*rsa.PublicKey); ok {
		if _, ok := id.Key.(crypto.Decrypter); !ok {
			t.Errorf("%s: RSA key does not decrypt", name)
		}
	}
}

func TestAgreement(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		alg  KeyAlgorithm
		size int
	}{{P256, 32}, {P384, 48}, {P521, 66}, {X25519, 32}, {BrainpoolP256r1, 32}, {BrainpoolP384r1, 48}, {BrainpoolP512r1, 64}} {
		a, err := GenerateKey(rand.Reader, c.alg)
		if err != nil {
			t.Fatal(err)
		}
		b, err := GenerateKey(rand.Reader, c.alg)
		if err != nil {
			t.Fatal(err)
		}
		x, e1 := a.(Agreer).Agree(b.Public())
		y, e2 := b.(Agreer).Agree(a.Public())
		if e1 != nil || e2 != nil || !bytes.Equal(x, y) || len(x) != c.size {
			t.Errorf("%s: %x %x %v %v", c.alg, x, y, e1, e2)
		}
		other := P256
		if c.alg == P256 {
			other = BrainpoolP256r1
		}
		wrong, err := GenerateKey(rand.Reader, other)
		if err != nil {
			t.Fatal(err)
		}
		for _, peer := range []crypto.PublicKey{wrong.Public(), nil, "key", (*ecdsa.PublicKey)(nil), (*ecdh.PublicKey)(nil), ed25519.PublicKey{}} {
			if _, err := a.(Agreer).Agree(peer); !errors.Is(err, ErrUnsupported) {
				t.Errorf("%s with %T: %v", c.alg, peer, err)
			}
		}
	}
	low, err := ecdh.X25519().NewPublicKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	k, err := GenerateKey(rand.Reader, X25519)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.(Agreer).Agree(low); err == nil {
		t.Error("a secret of zeros is taken")
	}
}

func TestKeysThatDoNotLeave(t *testing.T) {
	t.Parallel()
	id := mustAuthority(t, "CN=Root", P256).mustIssue(t, Template{})
	id.Key = remoteKey{id.Key}
	if _, err := id.MarshalPEM(); !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v", err)
	}
	if _, err := NewKey("a word"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v", err)
	}
	if _, err := NewAuthority(nil, "CN=Root", X25519, testNow, 1); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a self-signed agreement key: %v", err)
	}
	if _, err := GenerateKey(rand.Reader, "rsa-1024"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("RSA of 1024 bits: %v", err)
	}
}

type remoteKey struct{ Key }

func TestPEM(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	sub := root.mustSub(t, "CN=Sub")
	id := sub.mustIssue(t, Template{})
	ec := id.Key.(ecKey).PrivateKey
	sec1, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	rsaID := root.mustIssue(t, Template{Algorithm: RSA2048})
	pkcs1 := x509.MarshalPKCS1PrivateKey(rsaID.Key.(*rsa.PrivateKey))
	block := func(label string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
	}
	leaf, key := string(MarshalPEM(id.Certificate)), block("EC PRIVATE KEY", sec1)
	subPEM, rootPEM := string(MarshalPEM(sub.Certificate)), string(MarshalPEM(root.Certificate))
	oneLine := strings.ReplaceAll(leaf, "\n", "")
	for _, c := range []struct {
		what, text string
		chain      int
		want       error
	}{
		{"key last, root first", rootPEM + subPEM + leaf + key, 2, nil},
		{"key first, no chain", key + leaf, 0, nil},
		{"a gap in the chain", key + leaf + rootPEM, 0, nil},
		{"text between the blocks", "Bag Attributes\n" + key + "subject=CN=leaf\n" + leaf, 0, nil},
		{"lines joined", oneLine + strings.ReplaceAll(key, "\n", " "), 0, nil},
		{"Windows lines", strings.ReplaceAll(key+leaf+subPEM, "\n", "\r\n"), 1, nil},
		{"EC parameters before the key", block("EC PARAMETERS", []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}) + key + leaf, 0, nil},
		{"PKCS #1", block("RSA PRIVATE KEY", pkcs1) + string(MarshalPEM(rsaID.Certificate)) + rootPEM, 1, nil},
		{"no key", leaf, 0, ErrFormat},
		{"no certificate", key, 0, ErrFormat},
		{"another certificate", key + rootPEM, 0, ErrFormat},
		{"two keys", key + key + leaf, 0, ErrFormat},
		{"an encrypted key", block("ENCRYPTED PRIVATE KEY", sec1) + leaf, 0, ErrUnsupported},
		{"an old encrypted key", strings.Replace(key, "-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1) + leaf, 0, ErrUnsupported},
		{"a block without end", key + leaf[:len(leaf)-30], 0, ErrFormat},
		{"no base64", strings.Replace(key, "M", "*", 1) + leaf, 0, ErrFormat},
		{"a key of nonsense", block("PRIVATE KEY", []byte{0x30, 0}) + leaf, 0, ErrFormat},
	} {
		got, err := LoadIdentity([]byte(c.text), "")
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
			continue
		}
		if err == nil && len(got.Chain) != c.chain {
			t.Errorf("%s: chain of %d", c.what, len(got.Chain))
		}
	}
	if certs, err := ParsePEMCertificates([]byte(subPEM + key + rootPEM)); err != nil || len(certs) != 2 {
		t.Errorf("%d certificates, %v", len(certs), err)
	}
	if _, err := ParsePEMCertificates([]byte("nothing")); !errors.Is(err, ErrFormat) {
		t.Errorf("%v", err)
	}
}

func TestPKIPath(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	sub := root.mustSub(t, "CN=Sub")
	leaf := sub.mustIssue(t, Template{}).Certificate
	path := []*Certificate{leaf, sub.Certificate, root.Certificate}
	der := MarshalPKIPath(path)
	back, err := ParsePKIPath(der)
	if err != nil || !slices.EqualFunc(back, path, (*Certificate).Equal) {
		t.Errorf("the path does not return: %v", err)
	}
	if !bytes.HasSuffix(der, leaf.Raw) {
		t.Error("the leaf is not last in the octets")
	}
	if one, err := ParsePKIPath(MarshalPKIPath(path[:1])); err != nil || len(one) != 1 {
		t.Errorf("a leaf alone: %v", err)
	}
	long := []*Certificate{leaf}
	for len(long) < 11 {
		long = append(long, root.Certificate)
	}
	for what, b := range map[string][]byte{
		"nothing":                   {},
		"an empty path":             {0x30, 0},
		"octets after the end":      append(bytes.Clone(der), 0),
		"a bare certificate":        leaf.Raw,
		"not a SEQUENCE":            append([]byte{0x31}, der[1:]...),
		"leaf first":                MarshalPKIPath([]*Certificate{root.Certificate, sub.Certificate, leaf}),
		"a gap":                     MarshalPKIPath([]*Certificate{leaf, root.Certificate}),
		"a stranger":                MarshalPKIPath([]*Certificate{leaf, mustAuthority(t, "CN=Stranger", P256).Certificate}),
		"eleven certificates":       MarshalPKIPath(long),
		"a hundred empty sequences": append([]byte{0x30, 0x81, 200}, bytes.Repeat([]byte{0x30, 0}, 100)...),
		"cut short":                 der[:len(der)-1],
	} {
		if got, err := ParsePKIPath(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %d certificates, %v", what, len(got), err)
		}
	}
}

func TestPKCS12OfOthers(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	id := root.mustIssue(t, Template{CommonName: "node"})
	leaf, err := id.Certificate.X509()
	if err != nil {
		t.Fatal(err)
	}
	ca, err := root.Certificate.X509()
	if err != nil {
		t.Fatal(err)
	}
	private := id.Key.(ecKey).PrivateKey
	for name, c := range map[string]struct {
		enc      *pkcs12.Encoder
		password string
	}{
		"RC2 of 40 bits":    {pkcs12.LegacyRC2, "päss€"},
		"3DES":              {pkcs12.LegacyDES, "secret"},
		"AES and SHA-256":   {pkcs12.Modern2023, "secret"},
		"PBMAC1":            {pkcs12.Modern2026, "secret"},
		"an empty password": {pkcs12.LegacyDES, ""},
		"no protection":     {pkcs12.Passwordless, ""},
		"a long password":   {pkcs12.LegacyRC2, strings.Repeat("long", 50)},
	} {
		b, err := c.enc.Encode(private, leaf, []*x509.Certificate{ca}, c.password)
		if err != nil {
			t.Fatal(err)
		}
		got, err := LoadIdentity(b, c.password)
		if err != nil || !got.Certificate.Equal(id.Certificate) || len(got.Chain) != 1 || !samePublicKey(got.Key.Public(), id.Key.Public()) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name != "no protection" {
			if _, err := LoadIdentity(b, c.password+" "); !errors.Is(err, ErrPassword) {
				t.Errorf("%s: wrong password: %v", name, err)
			}
		}
		for i := 0; i < len(b); i += 7 {
			if _, err := LoadIdentity(b[:i], c.password); err == nil {
				t.Errorf("%s: %d of %d octets open", name, i, len(b))
			}
		}
	}
}

// makeJKS writes a store as keytool did, for the tests of reading it.
func makeJKS(tb testing.TB, password string, id *Identity, trusted ...*Certificate) []byte {
	tb.Helper()
	b := binary.BigEndian.AppendUint32(nil, jksMagic)
	b = binary.BigEndian.AppendUint32(b, 2)
	n := uint32(len(trusted))
	if id != nil {
		n++
	}
	b = binary.BigEndian.AppendUint32(b, n)
	text := func(s string) {
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
	}
	octets := func(v []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
		b = append(b, v...)
	}
	if id != nil {
		b = binary.BigEndian.AppendUint32(b, 1)
		text("node")
		b = binary.BigEndian.AppendUint64(b, uint64(testNow.UnixMilli()))
		der, err := MarshalPrivateKey(id.Key)
		if err != nil {
			tb.Fatal(err)
		}
		octets(sunSeal(der, password))
		chain := append([]*Certificate{id.Certificate}, id.Chain...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(chain)))
		for _, c := range chain {
			text("X.509")
			octets(c.Raw)
		}
	}
	for _, c := range trusted {
		b = binary.BigEndian.AppendUint32(b, 2)
		text("ca")
		b = binary.BigEndian.AppendUint64(b, uint64(testNow.UnixMilli()))
		text("X.509")
		octets(c.Raw)
	}
	h := sha1.New()
	h.Write(utf16Bytes(password))
	h.Write([]byte("Mighty Aphrodite"))
	h.Write(b)
	return h.Sum(b)
}

func sunSeal(der []byte, password string) []byte {
	pw := utf16Bytes(password)
	salt := bytes.Repeat([]byte{7}, sha1.Size)
	out := bytes.Clone(salt)
	block := salt
	for i := 0; i < len(der); i += sha1.Size {
		h := sha1.New()
		h.Write(pw)
		h.Write(block)
		block = h.Sum(nil)
		for j := i; j < min(i+sha1.Size, len(der)); j++ {
			out = append(out, der[j]^block[j-i])
		}
	}
	h := sha1.New()
	h.Write(pw)
	h.Write(der)
	out = h.Sum(out)
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { addOID(b, oidSunProtector); b.AddASN1NULL() })
		b.AddASN1OctetString(out)
	})
	return b.BytesOrPanic()
}

func TestJKS(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	id := root.mustIssue(t, Template{Algorithm: BrainpoolP256r1})
	b := makeJKS(t, "changeit", id, root.Certificate)
	store, err := ParseJKS(b, "changeit")
	if err != nil || len(store.Entries) != 2 || !store.Entries[0].HasKey() || store.Entries[0].Alias != "node" ||
		!store.Entries[0].Created.Equal(testNow) || len(store.Certificates()) != 1 {
		t.Fatalf("%+v, %v", store, err)
	}
	got, err := LoadIdentity(b, "changeit")
	if err != nil || !got.Certificate.Equal(id.Certificate) || len(got.Chain) != 1 || !samePublicKey(got.Key.Public(), id.Key.Public()) {
		t.Errorf("identity: %v", err)
	}
	if _, err := store.Entries[0].Identity("wrong"); !errors.Is(err, ErrPassword) {
		t.Errorf("key password: %v", err)
	}
	for i := range b {
		if _, err := ParseJKS(b[:i], ""); err == nil {
			t.Errorf("%d of %d octets are a store", i, len(b))
		}
	}
	for i := 4; i < len(b); i += 11 {
		bad := bytes.Clone(b)
		bad[i] ^= 0x40
		if _, err := ParseJKS(bad, "changeit"); err == nil {
			t.Errorf("octet %d changed, and the store opens", i)
		}
	}
	jceks := append([]byte{0xce, 0xce, 0xce, 0xce}, b[4:]...)
	if _, err := ParseJKS(jceks, ""); !errors.Is(err, ErrUnsupported) {
		t.Errorf("JCEKS: %v", err)
	}
	huge := append([]byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff}, make([]byte, 40)...)
	if _, err := ParseJKS(huge, ""); !errors.Is(err, ErrFormat) {
		t.Errorf("four thousand million entries: %v", err)
	}
}

func TestAuthorityTemplate(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root,O=Viadukt,C=EE", P256)
	c := root.mustIssue(t, Template{
		CommonName: "POP000001", Organization: "Ämter, AS", OrganizationalUnit: "TEST AP", Country: "NO", Policies: []OID{"1.3.6.1.4.1.99999.7"},
		CRLDistributionPoints: []string{"http://crl.example.org/a.crl"}, OCSPServers: []string{"http://ocsp.example.org"}, CAIssuers: []string{"http://ca.example.org/ca.cer"},
		DNSNames: []string{"ap.example.org"}, Emails: []string{"ap@example.org"}, URIs: []string{"https://ap.example.org/as4"},
		ExtKeyUsage: []OID{EKUClientAuth, "1.3.6.1.4.1.99999.8"}, KeyUsage: UseDigitalSignature | UseDecipherOnly | UseKeyAgreement,
	}).Certificate
	if got := c.Subject.String(); got != `CN=POP000001,OU=TEST AP,O=Ämter\, AS,C=NO` {
		t.Errorf("subject %s", got)
	}
	if c.SerialNumber.Sign() <= 0 || c.SerialNumber.BitLen() != 127 || c.KeyUsage != UseDigitalSignature|UseDecipherOnly|UseKeyAgreement ||
		!slices.Equal(c.Policies, []OID{"1.3.6.1.4.1.99999.7"}) || !slices.Equal(c.ExtKeyUsage, []OID{EKUClientAuth, "1.3.6.1.4.1.99999.8"}) ||
		c.CRLDistributionPoints[0] != "http://crl.example.org/a.crl" || c.OCSPServers[0] != "http://ocsp.example.org" || c.CAIssuers[0] != "http://ca.example.org/ca.cer" ||
		c.DNSNames[0] != "ap.example.org" || c.Emails[0] != "ap@example.org" || c.URIs[0] != "https://ap.example.org/as4" ||
		!bytes.Equal(c.AuthorityKeyID, root.Certificate.SubjectKeyID) || c.BasicConstraints.CA || c.BasicConstraints.MaxPathLen != -1 {
		t.Errorf("%+v", c)
	}
	if !compareX509(t, "own", c) {
		t.Error("crypto/x509 refuses it")
	}
	if _, err := root.Issue(Template{Subject: "nonsense"}); !errors.Is(err, ErrFormat) {
		t.Errorf("subject: %v", err)
	}
	if _, err := root.Issue(Template{CommonName: "x", ExtKeyUsage: []OID{"x"}}); !errors.Is(err, ErrFormat) {
		t.Errorf("extended key usage: %v", err)
	}
}

func TestAuthorityIsOpenedAgain(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	sub := root.mustSub(t, "CN=Sub")
	b, err := sub.MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	id, err := LoadIdentity(b, "")
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenAuthority(id, nil, testNow)
	if err != nil {
		t.Fatal(err)
	}
	leaf := again.mustIssue(t, Template{})
	v := &Verifier{Anchors: anchors(PurposeSMP, root.Certificate), Clock: clockAt(testNow)}
	if chain, err := v.Verify(leaf.Certificate, leaf.Chain, PurposeSMP); err != nil || len(chain) != 3 || !leaf.Certificate.NotBefore.Equal(testNow) {
		t.Errorf("%d certificates from %s: %v", len(chain), leaf.Certificate.NotBefore, err)
	}
	if _, err := OpenAuthority(leaf, nil, testNow); !errors.Is(err, ErrKeyUsage) {
		t.Errorf("a leaf is an authority: %v", err)
	}
}

func TestBrainpoolAuthorityMakesNoCRL(t *testing.T) {
	t.Parallel()
	if _, err := mustAuthority(t, "CN=Root", BrainpoolP256r1).CRL(nil, testNow); !errors.Is(err, ErrUnsupported) {
		t.Errorf("%v", err)
	}
}
