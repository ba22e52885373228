package xmlenc

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var keyCache sync.Map

// testKey makes one key of each kind a test run.
func testKey(tb testing.TB, alg pki.KeyAlgorithm) pki.Key {
	tb.Helper()
	made, _ := keyCache.LoadOrStore(alg, sync.OnceValues(func() (pki.Key, error) { return pki.GenerateKey(rand.Reader, alg) }))
	key, err := made.(func() (pki.Key, error))()
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func writeKey(tb testing.TB, t Transport, to crypto.PublicKey, session []byte, opt EncryptedKeyOptions) []byte {
	tb.Helper()
	w := dom.NewWriter(nil)
	if err := WriteEncryptedKey(w, t, to, session, opt); err != nil {
		tb.Fatal(err)
	}
	return w.Bytes()
}

func parseKey(tb testing.TB, src []byte) *EncryptedKey {
	tb.Helper()
	k, err := ParseEncryptedKey(parse(tb, src).Root())
	if err != nil {
		tb.Fatalf("%v\n%s", err, src)
	}
	return k
}

func oaep(algorithm, digest, mgf string) Transport {
	return Transport{Algorithm: algorithm, Digest: digest, MGF: mgf}
}

var transports = []struct {
	name string
	t    Transport
	key  pki.KeyAlgorithm
}{
	{"rsa-oaep with SHA-256 twice", TransportRSAOAEP256, pki.RSA2048},
	{"rsa-oaep with SHA-256 and the default mask", oaep(RSAOAEP, SHA256, ""), pki.RSA2048},
	{"rsa-oaep with defaults alone", oaep(RSAOAEP, "", ""), pki.RSA2048},
	{"rsa-oaep with SHA-512 and SHA-384", oaep(RSAOAEP, SHA512, MGF1SHA384), pki.RSA2048},
	{"rsa-oaep with SHA3-256 and SHA-224", oaep(RSAOAEP, SHA3256, MGF1SHA224), pki.RSA2048},
	{"rsa-oaep-mgf1p with defaults", oaep(RSAOAEPMGF1P, "", ""), pki.RSA2048},
	{"rsa-oaep-mgf1p with SHA-256", oaep(RSAOAEPMGF1P, SHA256, ""), pki.RSA2048},
	{"rsa-oaep with a label", Transport{Algorithm: RSAOAEP, Digest: SHA256, MGF: MGF1SHA256, Label: []byte("for you")}, pki.RSA2048},
	{"X25519 with HKDF", TransportX25519, pki.X25519},
	{"X25519 with ConcatKDF and kw-aes256", Transport{Agreement: X25519, KDF: ConcatKDF, KeyWrap: KWAES256, Concat: ConcatParams{PartyUInfo: "0001", SuppPubInfo: "0002", SuppPrivInfo: "0003"}}, pki.X25519},
	{"ECDH-ES with HKDF on P-256", TransportECDHHKDF, pki.P256},
	{"ECDH-ES with ConcatKDF on P-256", TransportECDHConcat, pki.P256},
	{"ECDH-ES with ConcatKDF on brainpoolP256r1", TransportECDHConcat, pki.BrainpoolP256r1},
	{"ECDH-ES with ConcatKDF on brainpoolP384r1", TransportECDHConcat, pki.BrainpoolP384r1},
	{"ECDH-ES with ConcatKDF on brainpoolP512r1", TransportECDHConcat, pki.BrainpoolP512r1},
	{"ECDH-ES with HKDF, salt and info on P-384", Transport{Agreement: ECDHES, KDF: HKDF, KeyWrap: KWAES192, HKDF: HKDFParams{Salt: []byte("salt"), Info: []byte("info")}}, pki.P384},
	{"ECDH-ES with HKDF on P-521 without salt", Transport{Agreement: ECDHES, KDF: HKDF, KeyWrap: KWAES256, HKDF: HKDFParams{Salt: []byte{}}}, pki.P521},
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	for _, tt := range transports {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key := testKey(t, tt.key)
			for _, size := range []int{16, 24, 32} {
				session := noise(size, 30)
				src := writeKey(t, tt.t, key.Public(), session, EncryptedKeyOptions{
					ID:         "EK-1",
					Recipient:  func(w *dom.Writer) { w.Element("q:Named", "", "xmlns:q", "urn:q") },
					References: []string{"#ED-1", "#ED-2"},
				})
				k := parseKey(t, src)
				if k.ID != "EK-1" || !cmp.Equal(k.References, []string{"#ED-1", "#ED-2"}) || !k.RecipientInfo.Is("urn:q", "Named") {
					t.Errorf("read back %+v", k)
				}
				got, err := k.Decrypt(key, size, nil)
				if err != nil || !bytes.Equal(got, session) {
					t.Errorf("%d octets: %x, %v\n%s", size, got, err, src)
				}
			}
		})
	}
}

// shape is the element tree with its attributes, base64 left out: what a peer's parser walks.
func shape(n dom.Node, indent string, b *strings.Builder) {
	b.WriteString(indent + n.QName())
	for a := range n.Attributes() {
		b.WriteString(" " + a.QName() + "=" + string(a.Value()))
	}
	b.WriteString("\n")
	for e := range n.Elements() {
		shape(e, indent+"  ", b)
	}
}

func TestWrittenShape(t *testing.T) {
	t.Parallel()
	str := func(w *dom.Writer) {
		w.Element("wsse:SecurityTokenReference", "", "xmlns:wsse", nsWSSE)
	}
	for _, tt := range []struct {
		name string
		t    Transport
		key  pki.KeyAlgorithm
		want string
	}{
		{"RSA as eDelivery 1.x asks", TransportRSAOAEP256, pki.RSA2048, `
xenc:EncryptedKey Id=EK-1
  xenc:EncryptionMethod Algorithm=http://www.w3.org/2009/xmlenc11#rsa-oaep
    ds:DigestMethod Algorithm=http://www.w3.org/2001/04/xmlenc#sha256
    xenc11:MGF Algorithm=http://www.w3.org/2009/xmlenc11#mgf1sha256
  ds:KeyInfo
    wsse:SecurityTokenReference
  xenc:CipherData
    xenc:CipherValue
  xenc:ReferenceList
    xenc:DataReference URI=#ED-1
`},
		{"X25519 as eDelivery 2.0 asks", TransportX25519, pki.X25519, `
xenc:EncryptedKey Id=EK-1
  xenc:EncryptionMethod Algorithm=http://www.w3.org/2001/04/xmlenc#kw-aes128
  ds:KeyInfo
    xenc:AgreementMethod Algorithm=http://www.w3.org/2021/04/xmldsig-more#x25519
      xenc11:KeyDerivationMethod Algorithm=http://www.w3.org/2021/04/xmldsig-more#hkdf
        dsig-more:HKDFParams
          dsig-more:PRF Algorithm=http://www.w3.org/2001/04/xmldsig-more#hmac-sha256
          dsig-more:Salt
          dsig-more:KeyLength
      xenc:OriginatorKeyInfo
        dsig11:DEREncodedKeyValue
      xenc:RecipientKeyInfo
        wsse:SecurityTokenReference
  xenc:CipherData
    xenc:CipherValue
  xenc:ReferenceList
    xenc:DataReference URI=#ED-1
`},
		{"P-256 with ConcatKDF as BDEW asks", TransportECDHConcat, pki.P256, `
xenc:EncryptedKey Id=EK-1
  xenc:EncryptionMethod Algorithm=http://www.w3.org/2001/04/xmlenc#kw-aes128
  ds:KeyInfo
    xenc:AgreementMethod Algorithm=http://www.w3.org/2009/xmlenc11#ECDH-ES
      xenc11:KeyDerivationMethod Algorithm=http://www.w3.org/2009/xmlenc11#ConcatKDF
        xenc11:ConcatKDFParams AlgorithmID= PartyUInfo= PartyVInfo=
          ds:DigestMethod Algorithm=http://www.w3.org/2001/04/xmlenc#sha256
      xenc:OriginatorKeyInfo
        ds:KeyValue
          dsig11:ECKeyValue
            dsig11:NamedCurve URI=urn:oid:1.2.840.10045.3.1.7
            dsig11:PublicKey
      xenc:RecipientKeyInfo
        wsse:SecurityTokenReference
  xenc:CipherData
    xenc:CipherValue
  xenc:ReferenceList
    xenc:DataReference URI=#ED-1
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			opt := EncryptedKeyOptions{ID: "EK-1", Recipient: str, References: []string{"#ED-1"}}
			d := parse(t, writeKey(t, tt.t, testKey(t, tt.key).Public(), noise(16, 31), opt))
			var b strings.Builder
			shape(d.Root(), "", &b)
			if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), b.String()); diff != "" {
				t.Error(diff)
			}
			for e := range d.Root().Descendants() {
				if e.Is(nsDSigMore, "KeyLength") && e.Text() != "16" {
					t.Errorf("KeyLength %q, in octets it is 16", e.Text())
				}
				if e.Is(nsDSigMore, "Salt") {
					if b, err := base64.StdEncoding.DecodeString(e.Text()); err != nil || len(b) != 32 {
						t.Errorf("Salt %q", e.Text())
					}
				}
			}
		})
	}
}

func TestX25519ByRFC7748(t *testing.T) { // section 6.1: Alice is the originator, Bob decrypts
	t.Parallel()
	alice := unhex(t, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
	secret := unhex(t, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
	private, err := ecdh.X25519().NewPrivateKey(unhex(t, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
	if err != nil {
		t.Fatal(err)
	}
	bob, err := pki.NewKey(private)
	if err != nil {
		t.Fatal(err)
	}
	kek, err := HKDFParams{Salt: []byte("salt"), Info: []byte("info")}.derive(secret, 16)
	if err != nil {
		t.Fatal(err)
	}
	session := noise(16, 32)
	wrapped, err := wrap(kek, session)
	if err != nil {
		t.Fatal(err)
	}
	for _, prf := range []string{nsDSigMore, nsXenc11, ""} {
		params := `<m:Salt>c2FsdA==</m:Salt><m:Info>aW5mbw==</m:Info><m:KeyLength> 16 </m:KeyLength>`
		if prf != "" {
			params = `<p:PRF xmlns:p="` + prf + `" Algorithm="` + HMACSHA256 + `"/>` + params
		}
		src := agreedKey(X25519, derKey(alice), params)
		src = strings.Replace(src, zeroWrap, base64.StdEncoding.EncodeToString(wrapped), 1)
		got, err := parseKey(t, []byte(src)).Decrypt(bob, 16, nil)
		if err != nil || !bytes.Equal(got, session) {
			t.Errorf("PRF in %q: %x, %v", prf, got, err)
		}
	}
}

func derKey(x25519 []byte) string {
	return `<d:DEREncodedKeyValue xmlns:d="` + nsDSig11 + `">` +
		base64.StdEncoding.EncodeToString(append([]byte(x25519Prefix), x25519...)) + `</d:DEREncodedKeyValue>`
}

func ecKey(curve string, point []byte) string {
	return `<ds:KeyValue><d:ECKeyValue xmlns:d="` + nsDSig11 + `"><d:NamedCurve URI="` + curve + `"/><d:PublicKey>` +
		base64.StdEncoding.EncodeToString(point) + `</d:PublicKey></d:ECKeyValue></ds:KeyValue>`
}

const zeroWrap = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// agreedKey is an EncryptedKey by key agreement, with the content of OriginatorKeyInfo and of HKDFParams chosen.
func agreedKey(method, originator, params string) string {
	return `<x:EncryptedKey xmlns:x="` + nsXenc + `" xmlns:ds="` + nsDS + `" Id="EK-1"><x:EncryptionMethod Algorithm="` + KWAES128 + `"/>` +
		`<ds:KeyInfo><x:AgreementMethod Algorithm="` + method + `">` +
		`<y:KeyDerivationMethod xmlns:y="` + nsXenc11 + `" Algorithm="` + HKDF + `"><m:HKDFParams xmlns:m="` + nsDSigMore + `">` + params + `</m:HKDFParams></y:KeyDerivationMethod>` +
		`<x:OriginatorKeyInfo>` + originator + `</x:OriginatorKeyInfo></x:AgreementMethod></ds:KeyInfo>` +
		`<x:CipherData><x:CipherValue>` + zeroWrap + `</x:CipherValue></x:CipherData></x:EncryptedKey>`
}

func TestPeersOtherSpellingsAreRead(t *testing.T) {
	t.Parallel()
	key := testKey(t, pki.P256)
	session := noise(16, 33)
	str := func(w *dom.Writer) {
		w.Start("ds:KeyValue")
		w.Element("wsse:SecurityTokenReference", "", "xmlns:wsse", nsWSSE)
		w.End()
	}
	src := string(writeKey(t, TransportECDHHKDF, key.Public(), session, EncryptedKeyOptions{ID: "EK-1", Recipient: str}))
	k := parseKey(t, []byte(src))
	if !k.RecipientInfo.Is(nsWSSE, "SecurityTokenReference") {
		t.Errorf("the STR inside ds:KeyValue is not found: %v", k.RecipientInfo)
	}
	for name, change := range map[string][2]string{
		"urn:oid without its second colon": {"urn:oid:1.2.840.10045.3.1.7", "urn:oid1.2.840.10045.3.1.7"},
		"wsu:Id in place of Id":            {`Id="EK-1"`, `xmlns:u="` + nsWSU + `" u:Id="EK-1"`},
		"line ends and blanks in base64":   {"<dsig11:PublicKey>", "<dsig11:PublicKey>\n\t  "},
		"a comment in base64":              {"<dsig11:PublicKey>", "<dsig11:PublicKey><!-- point -->"},
	} {
		changed := strings.Replace(src, change[0], change[1], 1)
		if changed == src {
			t.Fatalf("%s: nothing to change in %s", name, src)
		}
		k := parseKey(t, []byte(changed))
		if got, err := k.Decrypt(key, 16, nil); err != nil || !bytes.Equal(got, session) || k.ID != "EK-1" {
			t.Errorf("%s: %x, %v, %q", name, got, err, k.ID)
		}
	}
	x := testKey(t, pki.X25519)
	src = string(writeKey(t, TransportX25519, x.Public(), session, EncryptedKeyOptions{}))
	src = strings.Replace(src, "<dsig11:DEREncodedKeyValue", "<ds:KeyValue><dsig11:DEREncodedKeyValue", 1)
	src = strings.Replace(src, "</dsig11:DEREncodedKeyValue>", "</dsig11:DEREncodedKeyValue></ds:KeyValue>", 1)
	if got, err := parseKey(t, []byte(src)).Decrypt(x, 16, nil); err != nil || !bytes.Equal(got, session) {
		t.Errorf("DER key inside ds:KeyValue: %x, %v", got, err)
	}
}

// TestBadKeysAreRandomKeys is the rule of the package: no error, a key of the right length, another one each time.
func TestBadKeysAreRandomKeys(t *testing.T) {
	t.Parallel()
	replace := func(src []byte, with []byte) []byte {
		at := bytes.Index(src, []byte("<xenc:CipherValue>")) + len("<xenc:CipherValue>")
		end := bytes.Index(src, []byte("</xenc:CipherValue>"))
		return append(append(append([]byte{}, src[:at]...), base64.StdEncoding.EncodeToString(with)...), src[end:]...)
	}
	for _, tt := range transports {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key := testKey(t, tt.key)
			session := noise(16, 34)
			src := writeKey(t, tt.t, key.Public(), session, EncryptedKeyOptions{})
			good := parseKey(t, src).cipher
			flipped := bytes.Clone(good)
			flipped[len(flipped)/2] ^= 4
			for name, value := range map[string][]byte{
				"a flipped bit":       flipped,
				"one octet less":      good[:len(good)-1],
				"one octet more":      append(bytes.Clone(good), 0),
				"a single octet":      {1},
				"the longest allowed": make([]byte, maxValue),
				"zeros":               make([]byte, len(good)),
				"ones":                bytes.Repeat([]byte{0xff}, len(good)),
			} {
				k := parseKey(t, replace(src, value))
				one, err := k.Decrypt(key, 16, nil)
				if err != nil || len(one) != 16 {
					t.Fatalf("%s: %d octets, %v", name, len(one), err)
				}
				two, err := k.Decrypt(key, 16, nil)
				if err != nil || bytes.Equal(one, two) || bytes.Equal(one, session) {
					t.Errorf("%s: %x then %x, %v", name, one, two, err)
				}
			}
			for _, size := range []int{24, 32} {
				got, err := parseKey(t, src).Decrypt(key, size, nil)
				if err != nil || len(got) != size || bytes.HasPrefix(got, session) {
					t.Errorf("a key of 16 where %d are due: %x, %v", size, got, err)
				}
			}
			seeded := bytes.Repeat([]byte{7}, 16)
			got, err := parseKey(t, replace(src, flipped)).Decrypt(key, 16, bytes.NewReader(append(bytes.Clone(seeded), make([]byte, 64)...)))
			if err != nil || !bytes.Equal(got, seeded) {
				t.Errorf("the random key is not taken from rand: %x, %v", got, err)
			}
		})
	}
}

func TestUnwrap(t *testing.T) {
	t.Parallel()
	kek, session := noise(32, 35), noise(16, 36)
	wrapped, err := wrap(kek, session)
	if err != nil {
		t.Fatal(err)
	}
	src := `<EncryptedKey xmlns="` + nsXenc + `"><EncryptionMethod Algorithm="` + KWAES256 + `"/><CipherData><CipherValue>` +
		base64.StdEncoding.EncodeToString(wrapped) + `</CipherValue></CipherData><CarriedKeyName> k </CarriedKeyName></EncryptedKey>`
	k := parseKey(t, []byte(src))
	if got, err := k.Unwrap(kek, 16, nil); err != nil || !bytes.Equal(got, session) || k.CarriedKeyName != "k" {
		t.Errorf("%x, %v, %q", got, err, k.CarriedKeyName)
	}
	if got, err := k.Unwrap(noise(32, 37), 16, nil); err != nil || len(got) != 16 || bytes.Equal(got, session) {
		t.Errorf("another key: %x, %v", got, err)
	}
	if _, err := k.Unwrap(kek[:16], 16, nil); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("a key of 16 octets for kw-aes256: %v", err)
	}
	if _, err := k.Decrypt(testKey(t, pki.RSA2048), 16, nil); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("a private key for a symmetric wrap: %v", err)
	}
}

// remote is a key behind a service.
type remote struct {
	pki.Key
	err error
}

func (r remote) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) { return nil, r.err }
func (r remote) Agree(crypto.PublicKey) ([]byte, error)                          { return nil, r.err }

type away struct{}

func (away) Error() string   { return "token is away" }
func (away) Temporary() bool { return true }

func TestErrorsOfTheKeyItself(t *testing.T) {
	t.Parallel()
	session := noise(16, 38)
	rsaKey, x := testKey(t, pki.RSA2048), testKey(t, pki.X25519)
	transported := parseKey(t, writeKey(t, TransportRSAOAEP256, rsaKey.Public(), session, EncryptedKeyOptions{}))
	agreed := parseKey(t, writeKey(t, TransportX25519, x.Public(), session, EncryptedKeyOptions{}))
	named := parseKey(t, []byte(agreedKey(ECDHES, `<ds:KeyName>somebody</ds:KeyName>`, "")))
	for _, tt := range []struct {
		name string
		k    *EncryptedKey
		key  pki.Key
		want error
	}{
		{"a token that is away may be asked again", transported, remote{rsaKey, away{}}, away{}},
		{"a token that is away may be asked again, agreement", agreed, remote{x, away{}}, away{}},
		{"another error of a token is a bad key", transported, remote{rsaKey, errors.New("mechanism failed")}, nil},
		{"an agreement that fails depends on the peer's key alone", agreed, remote{x, errors.New("mechanism failed")}, ErrDecrypt},
		{"an EC key for RSA", transported, testKey(t, pki.P256), ErrAlgorithm},
		{"an RSA key for X25519", agreed, rsaKey, ErrAlgorithm},
		{"an EC key for X25519", agreed, testKey(t, pki.P256), ErrAlgorithm},
		{"a key that only signs", transported, testKey(t, pki.Ed25519), ErrAlgorithm},
		{"no key at all", transported, nil, ErrAlgorithm},
		{"an originator that is only named", named, testKey(t, pki.P256), ErrStructure},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := tt.k.Decrypt(tt.key, 16, nil); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	p384 := parseKey(t, writeKey(t, TransportECDHHKDF, testKey(t, pki.P384).Public(), session, EncryptedKeyOptions{}))
	if _, err := p384.Decrypt(testKey(t, pki.P256), 16, nil); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("keys on two curves: %v", err)
	}
	for _, size := range []int{0, 8, 17, 33} {
		if _, err := transported.Decrypt(rsaKey, size, nil); !errors.Is(err, ErrAlgorithm) {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

func TestWriteEncryptedKeyRefuses(t *testing.T) {
	t.Parallel()
	rsaPub, x := testKey(t, pki.RSA2048).Public(), testKey(t, pki.X25519).Public()
	session := noise(16, 39)
	lowOrder, err := ecdh.X25519().NewPublicKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		t       Transport
		to      crypto.PublicKey
		session []byte
		want    error // nil: any
	}{
		{"rsa-1_5", Transport{Algorithm: nsXenc + "rsa-1_5"}, rsaPub, session, ErrAlgorithm},
		{"an unknown digest", oaep(RSAOAEP, "urn:x", ""), rsaPub, session, ErrAlgorithm},
		{"an unknown mask", oaep(RSAOAEP, "", "urn:x"), rsaPub, session, ErrAlgorithm},
		{"nothing chosen", Transport{}, rsaPub, session, ErrAlgorithm},
		{"transport and agreement at once", Transport{Algorithm: RSAOAEP, Agreement: X25519, KDF: HKDF, KeyWrap: KWAES128}, rsaPub, session, ErrAlgorithm},
		{"a symmetric wrap", Transport{KeyWrap: KWAES128}, x, session, ErrAlgorithm},
		{"an unknown agreement", Transport{Agreement: nsXenc11 + "dh-es", KDF: HKDF, KeyWrap: KWAES128}, x, session, ErrAlgorithm},
		{"an unknown derivation", Transport{Agreement: X25519, KDF: nsXenc11 + "pbkdf2", KeyWrap: KWAES128}, x, session, ErrAlgorithm},
		{"RSA-OAEP to X25519", TransportRSAOAEP256, x, session, ErrAlgorithm},
		{"X25519 to RSA", TransportX25519, rsaPub, session, ErrAlgorithm},
		{"ECDH-ES to X25519", TransportECDHHKDF, x, session, ErrAlgorithm},
		{"ECDH-ES on a curve that is not listed", TransportECDHHKDF, &p224.PublicKey, session, ErrAlgorithm},
		{"no recipient", TransportRSAOAEP256, nil, session, ErrAlgorithm},
		{"a recipient of low order", TransportX25519, lowOrder, session, nil},
		{"a session key of 15 octets", TransportRSAOAEP256, rsaPub, session[:15], nil},
		{"an RSA key too small for the digest", oaep(RSAOAEP, SHA512, MGF1SHA512), smallRSA(t), session, nil},
		{"padding bits in ConcatKDF", Transport{Agreement: X25519, KDF: ConcatKDF, KeyWrap: KWAES128, Concat: ConcatParams{AlgorithmID: "01ff"}}, x, session, ErrStructure},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := dom.NewWriter(nil)
			err := WriteEncryptedKey(w, tt.t, tt.to, tt.session, EncryptedKeyOptions{})
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if w.Len() != 0 {
				t.Errorf("and wrote %q", w.Bytes())
			}
		})
	}
}

func smallRSA(tb testing.TB) *rsa.PublicKey {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		tb.Fatal(err)
	}
	return &key.PublicKey
}
