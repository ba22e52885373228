package xmldsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"strconv"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// benchDoc is an AS4-shaped envelope: a Messaging header, a Body of about size octets and one attachment.
func benchDoc(size int) string {
	var b strings.Builder
	b.WriteString(`<S:Envelope xmlns:S="http://www.w3.org/2003/05/soap-envelope" xmlns:eb="urn:eb" xmlns:u="` + wsuNS + `"><S:Header>` +
		`<eb:Messaging u:Id="_m" S:mustUnderstand="true"><eb:UserMessage>`)
	for i := range 30 {
		b.WriteString(`<eb:Property name="p` + strconv.Itoa(i) + `">value of a property</eb:Property>`)
	}
	b.WriteString(`</eb:UserMessage></eb:Messaging><sec:Security xmlns:sec="urn:security"></sec:Security></S:Header><S:Body u:Id="_b">`)
	for b.Len() < size {
		b.WriteString(`<line number="17"><item>An article with a name &amp; a number</item><price currency="EUR">12.50</price></line>`)
	}
	b.WriteString(`</S:Body></S:Envelope>`)
	return b.String()
}

var benchKeys = []struct {
	name string
	key  func() crypto.Signer
}{
	{"rsa2048", func() crypto.Signer { return rsaKey() }},
	{"ecdsa-p256", func() crypto.Signer { return p256Key() }},
	{"ed25519", func() crypto.Signer { return edKey() }},
	{"brainpool-p256", bpKey},
}

var benchSizes = []struct {
	name string
	size int
}{{"4KiB", 4 << 10}, {"1MiB", 1 << 20}}

var attachmentSum = sha256.Sum256([]byte("attachment"))

func benchRefs(d *dom.Document) []SignReference {
	exclusive := []Transform{Canonicalize(c14n.Method{Algorithm: c14n.Exclusive10})}
	refs := []SignReference{
		{URI: "cid:attachment@example.org", Digest: attachmentSum[:], Transforms: []Transform{{Algorithm: AttachmentContent}}},
	}
	for n := range d.Node().Descendants() {
		if n.Is("urn:eb", "Messaging") {
			refs = append(refs, SignReference{URI: "#_m", Node: n, Transforms: exclusive})
		}
		if n.Kind() == dom.ElementNode && n.Local() == "Body" {
			refs = append(refs, SignReference{URI: "#_b", Node: n, Transforms: exclusive})
		}
	}
	return refs
}

func BenchmarkVerify(b *testing.B) {
	for _, k := range benchKeys {
		for _, s := range benchSizes {
			b.Run(k.name+"/"+s.name, func(b *testing.B) {
				src := benchDoc(s.size)
				signed := splice(src, must(Sign(k.key(), benchRefs(parseDoc(b, src)), SignOptions{})))
				sig := signatureIn(b, parseDoc(b, signed), 0)
				opt := VerifyOptions{
					Key:      fixed(k.key().Public()),
					External: func(string, []Transform, string) ([]byte, error) { return attachmentSum[:], nil },
				}
				b.SetBytes(int64(len(signed)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Verify(sig, opt); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(k.name+"/limit", func(b *testing.B) { // the public operation alone
			sum := sha256.Sum256([]byte("x"))
			p := parsed{method: methodOf(b, k.key()), digest: digests[SHA256]}
			value := must(signOctets(k.key(), p.method, []byte("x"), nil))
			b.ReportAllocs()
			for b.Loop() {
				if key, ok := k.key().Public().(ed25519.PublicKey); ok {
					if !ed25519.Verify(key, []byte("x"), value) {
						b.Fatal("does not verify")
					}
				} else if !p.verifySum(k.key().Public(), sum[:], value, &VerifyOptions{}) {
					b.Fatal("does not verify")
				}
			}
		})
	}
	for _, s := range benchSizes {
		b.Run("hash/"+s.name, func(b *testing.B) { // the other limit: the octets through SHA-256
			src := []byte(benchDoc(s.size))
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				sha256.Sum256(src)
			}
		})
	}
}

func methodOf(b *testing.B, key crypto.Signer) *signatureAlg {
	m, err := methodFor(key.Public(), "")
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func BenchmarkSign(b *testing.B) {
	for _, k := range benchKeys {
		for _, s := range benchSizes {
			b.Run(k.name+"/"+s.name, func(b *testing.B) {
				src := benchDoc(s.size)
				refs := benchRefs(parseDoc(b, src))
				b.SetBytes(int64(len(src)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Sign(k.key(), refs, SignOptions{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(k.name+"/limit", func(b *testing.B) { // the private operation alone
			sum := sha256.Sum256([]byte("x"))
			for b.Loop() {
				var err error
				switch key := k.key().(type) {
				case *rsa.PrivateKey:
					_, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
				case *ecdsa.PrivateKey:
					_, err = ecdsa.SignASN1(rand.Reader, key, sum[:])
				default:
					_, err = key.Sign(rand.Reader, sum[:], crypto.Hash(0))
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkIndexIDs(b *testing.B) {
	d := parseDoc(b, benchDoc(1<<20))
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		IndexIDs(d, IDPolicy{})
	}
}
