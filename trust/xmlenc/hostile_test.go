package xmlenc

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func rsaKeyXML(method, info, data, rest string) string {
	return `<x:EncryptedKey xmlns:x="` + nsXenc + `" xmlns:y="` + nsXenc11 + `" xmlns:ds="` + nsDS + `">` + method + info + data + rest + `</x:EncryptedKey>`
}

const (
	goodMethod = `<x:EncryptionMethod Algorithm="` + RSAOAEP + `"><ds:DigestMethod Algorithm="` + SHA256 + `"/><y:MGF Algorithm="` + MGF1SHA256 + `"/></x:EncryptionMethod>`
	goodData   = `<x:CipherData><x:CipherValue>AAAA</x:CipherValue></x:CipherData>`
)

func method(algorithm, inside string) string {
	return `<x:EncryptionMethod Algorithm="` + algorithm + `">` + inside + `</x:EncryptionMethod>`
}

func TestHostileEncryptedKeys(t *testing.T) {
	t.Parallel()
	p256 := testKey(t, pki.P256)
	point, err := encodeOriginator(p256.Public())
	if err != nil {
		t.Fatal(err)
	}
	off := bytes.Clone(point)
	off[64] ^= 1
	const oid256 = "urn:oid:1.2.840.10045.3.1.7"
	other, err := pki.GenerateKey(nil, pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	der, err := pki.MarshalPublicKey(other.Public())
	if err != nil {
		t.Fatal(err)
	}
	spki := `<d:DEREncodedKeyValue xmlns:d="` + nsDSig11 + `">` + base64.StdEncoding.EncodeToString(der) + `</d:DEREncodedKeyValue>`
	digestElement := `<ds:DigestMethod Algorithm="` + SHA256 + `"/>`
	tests := []struct {
		name, src string
		want      error
	}{
		{"another element", `<EncryptedData xmlns="` + nsXenc + `"/>`, ErrStructure},
		{"another namespace", `<EncryptedKey xmlns="urn:x"/>`, ErrStructure},
		{"empty", rsaKeyXML("", "", "", ""), ErrStructure},
		{"no method", rsaKeyXML("", "", goodData, ""), ErrStructure},
		{"a method without algorithm", rsaKeyXML(`<x:EncryptionMethod/>`, "", goodData, ""), ErrStructure},
		{"rsa-1_5", rsaKeyXML(method(nsXenc+"rsa-1_5", ""), "", goodData, ""), ErrAlgorithm},
		{"kw-tripledes", rsaKeyXML(method(nsXenc+"kw-tripledes", ""), "", goodData, ""), ErrAlgorithm},
		{"a data algorithm", rsaKeyXML(method(AES128GCM, ""), "", goodData, ""), ErrAlgorithm},
		{"an unknown digest", rsaKeyXML(method(RSAOAEP, `<ds:DigestMethod Algorithm="urn:md6"/>`), "", goodData, ""), ErrAlgorithm},
		{"MD5 as digest", rsaKeyXML(method(RSAOAEP, `<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#md5"/>`), "", goodData, ""), ErrAlgorithm},
		{"an unknown mask", rsaKeyXML(method(RSAOAEP, `<y:MGF Algorithm="urn:mgf"/>`), "", goodData, ""), ErrAlgorithm},
		{"two digests", rsaKeyXML(method(RSAOAEP, digestElement+digestElement), "", goodData, ""), ErrStructure},
		{"two masks", rsaKeyXML(method(RSAOAEP, strings.Repeat(`<y:MGF Algorithm="`+MGF1SHA1+`"/>`, 2)), "", goodData, ""), ErrStructure},
		{"two labels", rsaKeyXML(method(RSAOAEP, strings.Repeat(`<x:OAEPparams>AA==</x:OAEPparams>`, 2)), "", goodData, ""), ErrStructure},
		{"a digest that a key wrap does not have", rsaKeyXML(method(KWAES128, digestElement), "", goodData, ""), ErrStructure},
		{"an unknown parameter", rsaKeyXML(method(RSAOAEP, `<x:Other/>`), "", goodData, ""), ErrStructure},
		{"a label that is no base64", rsaKeyXML(method(RSAOAEP, `<x:OAEPparams>#</x:OAEPparams>`), "", goodData, ""), ErrStructure},
		{"a KeySize against the algorithm", rsaKeyXML(method(KWAES128, `<x:KeySize>256</x:KeySize>`), "", goodData, ""), ErrStructure},
		{"a KeySize that is no number", rsaKeyXML(method(KWAES128, `<x:KeySize>many</x:KeySize>`), "", goodData, ""), ErrStructure},
		{"no data", rsaKeyXML(goodMethod, "", "", ""), ErrStructure},
		{"data without value", rsaKeyXML(goodMethod, "", `<x:CipherData/>`, ""), ErrStructure},
		{"an empty value", rsaKeyXML(goodMethod, "", `<x:CipherData><x:CipherValue/></x:CipherData>`, ""), ErrStructure},
		{"a value that is no base64", rsaKeyXML(goodMethod, "", `<x:CipherData><x:CipherValue>AA*A</x:CipherValue></x:CipherData>`, ""), ErrStructure},
		{"a value cut short", rsaKeyXML(goodMethod, "", `<x:CipherData><x:CipherValue>AAAAA</x:CipherValue></x:CipherData>`, ""), ErrStructure},
		{"an element in the value", rsaKeyXML(goodMethod, "", `<x:CipherData><x:CipherValue>AA<x:b/>AA</x:CipherValue></x:CipherData>`, ""), ErrStructure},
		{"a huge value", rsaKeyXML(goodMethod, "", `<x:CipherData><x:CipherValue>`+strings.Repeat("A", 1<<24)+`</x:CipherValue></x:CipherData>`, ""), ErrStructure},
		{"a huge value of white space", rsaKeyXML(goodMethod, "", `<x:CipherData><x:CipherValue>`+strings.Repeat(" ", 1<<24)+`AAAA</x:CipherValue></x:CipherData>`, ""), ErrStructure},
		{"two values", rsaKeyXML(goodMethod, "", `<x:CipherData><x:CipherValue>AAAA</x:CipherValue><x:CipherValue>AAAA</x:CipherValue></x:CipherData>`, ""), ErrStructure},
		{"two data", rsaKeyXML(goodMethod, "", goodData+goodData, ""), ErrStructure},
		{"a key by reference", rsaKeyXML(goodMethod, "", `<x:CipherData><x:CipherReference URI="http://elsewhere/"/></x:CipherData>`, ""), ErrStructure},
		{"two methods", rsaKeyXML(goodMethod+goodMethod, "", goodData, ""), ErrStructure},
		{"two infos", rsaKeyXML(goodMethod, `<ds:KeyInfo/><ds:KeyInfo/>`, goodData, ""), ErrStructure},
		{"the info after the data", rsaKeyXML(goodMethod, "", goodData, `<ds:KeyInfo/>`), ErrStructure},
		{"two reference lists", rsaKeyXML(goodMethod, "", goodData, `<x:ReferenceList/><x:ReferenceList/>`), ErrStructure},
		{"a reference without URI", rsaKeyXML(goodMethod, "", goodData, `<x:ReferenceList><x:DataReference/></x:ReferenceList>`), ErrStructure},
		{"too many references", rsaKeyXML(goodMethod, "", goodData, `<x:ReferenceList>`+strings.Repeat(`<x:DataReference URI="#a"/>`, maxReferences+1)+`</x:ReferenceList>`), ErrStructure},
		{"an element left over", rsaKeyXML(goodMethod, "", goodData, `<x:Surprise/>`), ErrStructure},
		{"an agreement under RSA", rsaKeyXML(goodMethod, `<ds:KeyInfo><x:AgreementMethod Algorithm="`+X25519+`"/></ds:KeyInfo>`, goodData, ""), ErrStructure},
		{"an unknown agreement", agreedKey(nsXenc11+"dh-es", "", ""), ErrAlgorithm},
		{"an agreement without derivation", strings.Replace(agreedKey(X25519, "", ""), "KeyDerivationMethod", "Other", 2), ErrStructure},
		{"an unknown derivation", strings.Replace(agreedKey(X25519, "", ""), HKDF, nsXenc11+"pbkdf2", 1), ErrAlgorithm},
		{"an unknown PRF", agreedKey(X25519, derKey(make([]byte, 32)), `<m:PRF Algorithm="urn:x"/>`), ErrAlgorithm},
		{"two salts", agreedKey(X25519, derKey(make([]byte, 32)), `<m:Salt>AA==</m:Salt><m:Salt>AA==</m:Salt>`), ErrStructure},
		{"two PRFs in two namespaces", agreedKey(X25519, derKey(make([]byte, 32)), strings.Repeat(`<m:PRF Algorithm="`+HMACSHA256+`"/>`, 2)), ErrStructure},
		{"a KeyLength in bits", agreedKey(X25519, derKey(make([]byte, 32)), `<m:KeyLength>128</m:KeyLength>`), ErrStructure},
		{"a negative KeyLength", agreedKey(X25519, derKey(make([]byte, 32)), `<m:KeyLength>-16</m:KeyLength>`), ErrStructure},
		{"a KeyLength beyond all numbers", agreedKey(X25519, derKey(make([]byte, 32)), `<m:KeyLength>99999999999999999999</m:KeyLength>`), ErrStructure},
		{"a KeyLength of the largest size", agreedKey(X25519, derKey(make([]byte, 32)), `<m:KeyLength>2147483647</m:KeyLength>`), ErrStructure},
		{"two originators in two forms", agreedKey(ECDHES, ecKey(oid256, point)+spki, ""), ErrStructure},
		{"two originators", agreedKey(ECDHES, ecKey(oid256, point)+ecKey(oid256, point), ""), ErrStructure},
		{"an originator of another kind", agreedKey(X25519, ecKey(oid256, point), ""), ErrAlgorithm},
		{"an RSA originator", agreedKey(ECDHES, `<ds:KeyValue><ds:RSAKeyValue/></ds:KeyValue>`, ""), ErrAlgorithm},
		{"an empty KeyValue", agreedKey(ECDHES, `<ds:KeyValue/>`, ""), ErrStructure},
		{"a point off its curve", agreedKey(ECDHES, ecKey(oid256, off), ""), ErrStructure},
		{"the point at infinity", agreedKey(ECDHES, ecKey(oid256, []byte{0}), ""), ErrStructure},
		{"an empty point", agreedKey(ECDHES, ecKey(oid256, nil), ""), ErrStructure},
		{"a compressed point", agreedKey(ECDHES, ecKey(oid256, append([]byte{2}, point[1:33]...)), ""), ErrStructure},
		{"a hybrid point", agreedKey(ECDHES, ecKey(oid256, append([]byte{6}, point[1:]...)), ""), ErrStructure},
		{"a coordinate beyond the field", agreedKey(ECDHES, ecKey(oid256, append([]byte{4}, bytes.Repeat([]byte{0xff}, 64)...)), ""), ErrStructure},
		{"a point of P-256 on P-384", agreedKey(ECDHES, ecKey("urn:oid:1.3.132.0.34", point), ""), ErrStructure},
		{"a point of P-256 on brainpoolP256r1", agreedKey(ECDHES, ecKey("urn:oid:1.3.36.3.3.2.8.1.1.7", point), ""), ErrStructure},
		{"an unknown curve", agreedKey(ECDHES, ecKey("urn:oid:1.3.132.0.10", point), ""), ErrAlgorithm},
		{"a curve of one's own", agreedKey(ECDHES, `<ds:KeyValue><d:ECKeyValue xmlns:d="`+nsDSig11+`"><d:ECParameters/></d:ECKeyValue></ds:KeyValue>`, ""), ErrStructure},
		{"a SubjectPublicKeyInfo cut short", agreedKey(X25519, derKey(make([]byte, 31)), ""), ErrStructure},
		{"a SubjectPublicKeyInfo with more behind it", agreedKey(X25519, derKey(make([]byte, 33)), ""), ErrStructure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k, err := ParseEncryptedKey(parse(t, []byte(tt.src)).Root())
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if err == nil {
				t.Errorf("taken: %+v", k)
			} else if len(err.Error()) > 400 {
				t.Errorf("an error of %d octets", len(err.Error()))
			}
		})
	}
	if _, err := ParseEncryptedKey(dom.Node{}); !errors.Is(err, ErrStructure) {
		t.Errorf("no node: %v", err)
	}
	if _, err := ParseEncryptedData(dom.Node{}); !errors.Is(err, ErrStructure) {
		t.Errorf("no node: %v", err)
	}
}

// TestLowOrderPoints are all u coordinates of small order on Curve25519 and its twist, with the aliases above the prime.
func TestLowOrderPoints(t *testing.T) {
	t.Parallel()
	key := testKey(t, pki.X25519)
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	eight1, _ := new(big.Int).SetString("325606250916557431795983626356110631294008115727848805560023387167927233504", 10)
	eight2, _ := new(big.Int).SetString("39382357235489614581723060781553021112529911719440698176882885853963445705823", 10)
	one := big.NewInt(1)
	for _, u := range []*big.Int{
		new(big.Int), one, eight1, eight2, new(big.Int).Sub(p, one), p, new(big.Int).Add(p, one),
	} {
		le := u.FillBytes(make([]byte, 32))
		for i := range 16 {
			le[i], le[31-i] = le[31-i], le[i]
		}
		k := parseKey(t, []byte(agreedKey(X25519, derKey(le), "")))
		if _, err := k.Decrypt(key, 16, nil); !errors.Is(err, ErrDecrypt) {
			t.Errorf("u = %d: %v", u, err)
		}
		// A token may give the zeros out: they are refused here as well.
		if _, err := k.Decrypt(zeros{key}, 16, nil); !errors.Is(err, ErrDecrypt) {
			t.Errorf("u = %d, from a token: %v", u, err)
		}
	}
}

type zeros struct{ pki.Key }

func (zeros) Agree(crypto.PublicKey) ([]byte, error) { return make([]byte, 32), nil }

func dataXML(attrs, method, info, data, rest string) string {
	return `<x:EncryptedData xmlns:x="` + nsXenc + `" xmlns:ds="` + nsDS + `"` + attrs + `>` + method + info + data + rest + `</x:EncryptedData>`
}

func TestHostileEncryptedData(t *testing.T) {
	t.Parallel()
	gcm := method(AES128GCM, "")
	for _, tt := range []struct{ name, src string }{
		{"another element", `<x:EncryptedKey xmlns:x="` + nsXenc + `"/>`},
		{"empty", dataXML("", "", "", "", "")},
		{"a method without algorithm", dataXML("", `<x:EncryptionMethod/>`, "", goodData, "")},
		{"a KeySize against the algorithm", dataXML("", method(AES128GCM, `<x:KeySize>256</x:KeySize>`), "", goodData, "")},
		{"two KeySizes", dataXML("", method(AES128GCM, strings.Repeat(`<x:KeySize>128</x:KeySize>`, 2)), "", goodData, "")},
		{"two methods", dataXML("", gcm+gcm, "", goodData, "")},
		{"two infos", dataXML("", gcm, `<ds:KeyInfo/><ds:KeyInfo/>`, goodData, "")},
		{"two data", dataXML("", gcm, "", goodData+goodData, "")},
		{"neither value nor reference", dataXML("", gcm, "", `<x:CipherData/>`, "")},
		{"value and reference", dataXML("", gcm, "", `<x:CipherData><x:CipherValue>AAAA</x:CipherValue><x:CipherReference URI="cid:a"/></x:CipherData>`, "")},
		{"a reference without URI", dataXML("", gcm, "", `<x:CipherData><x:CipherReference/></x:CipherData>`, "")},
		{"two transform lists", dataXML("", gcm, "", `<x:CipherData><x:CipherReference URI="cid:a"><x:Transforms/><x:Transforms/></x:CipherReference></x:CipherData>`, "")},
		{"a transform without algorithm", dataXML("", gcm, "", `<x:CipherData><x:CipherReference URI="cid:a"><x:Transforms><ds:Transform/></x:Transforms></x:CipherReference></x:CipherData>`, "")},
		{"too many transforms", dataXML("", gcm, "", `<x:CipherData><x:CipherReference URI="cid:a"><x:Transforms>`+strings.Repeat(`<ds:Transform Algorithm="urn:t"/>`, maxTransforms+1)+`</x:Transforms></x:CipherReference></x:CipherData>`, "")},
		{"no base64", dataXML("", gcm, "", `<x:CipherData><x:CipherValue>%</x:CipherValue></x:CipherData>`, "")},
		{"an element left over", dataXML("", gcm, "", goodData, `<x:Surprise/>`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if ed, err := ParseEncryptedData(parse(t, []byte(tt.src)).Root()); !errors.Is(err, ErrStructure) {
				t.Errorf("got %+v, %v", ed, err)
			}
		})
	}
}

func TestHostileElements(t *testing.T) {
	t.Parallel()
	key := testKey(t, pki.RSA2048)
	retrieval := func(uri string) string {
		return `<ds:KeyInfo><ds:RetrievalMethod URI="` + uri + `" Type="` + nsXenc + `EncryptedKey"/></ds:KeyInfo>`
	}
	inside := func(s string) string { return `<ds:KeyInfo>` + s + `</ds:KeyInfo>` }
	rsaKey := rsaKeyXML(goodMethod, "", goodData, "")
	withID := strings.Replace(rsaKey, "<x:EncryptedKey", `<x:EncryptedKey Id="k"`, 1)
	data := `<x:CipherData><x:CipherValue>` + base64.StdEncoding.EncodeToString(make([]byte, 48)) + `</x:CipherValue></x:CipherData>`
	gcm := method(AES128GCM, "")
	for _, tt := range []struct {
		name, src string
		want      error
	}{
		{"no key anywhere", dataXML("", gcm, "", data, ""), ErrStructure},
		{"a key that does not fit", dataXML("", gcm, inside(rsaKey), data, ""), ErrDecrypt},
		{"many keys that do not fit", dataXML("", gcm, inside(strings.Repeat(rsaKey, maxKeys)), data, ""), ErrDecrypt},
		{"too many keys", dataXML("", gcm, inside(strings.Repeat(rsaKey, maxKeys+1)), data, ""), ErrStructure},
		{"too many keys beside", `<r>` + dataXML("", gcm, "", data, "") + strings.Repeat(rsaKey, 10*maxKeys) + `</r>`, ErrStructure},
		{"a reference to nothing", dataXML("", gcm, retrieval("#gone"), data, ""), ErrStructure},
		{"a reference to itself", dataXML(` Id="me"`, gcm, retrieval("#me"), data, ""), ErrStructure},
		{"a reference to the root", dataXML("", gcm, retrieval(""), data, ""), ErrStructure},
		{"a reference to elsewhere", dataXML("", gcm, retrieval("http://elsewhere/#k"), data, ""), ErrStructure},
		{"a reference with transforms", dataXML("", gcm, `<ds:KeyInfo><ds:RetrievalMethod URI="#k"><ds:Transforms/></ds:RetrievalMethod></ds:KeyInfo>`, data, ""), ErrStructure},
		{"a reference of another type", dataXML("", gcm, strings.Replace(retrieval("#k"), "EncryptedKey", "DerivedKey", 1), data, ""), ErrStructure},
		{"a reference to one of two", `<r>` + withID + withID + dataXML("", gcm, retrieval("#k"), data, "") + `</r>`, ErrStructure},
		{"a reference to a key that refers back", `<r>` + strings.Replace(withID, "<x:CipherData>", retrieval("#k")+"<x:CipherData>", 1) + dataXML("", gcm, retrieval("#k"), data, "") + `</r>`, ErrDecrypt},
		{"no algorithm", dataXML("", "", inside(rsaKey), data, ""), ErrAlgorithm},
		{"an unknown algorithm", dataXML("", method("urn:rot13", ""), inside(rsaKey), data, ""), ErrAlgorithm},
		{"CBC that nobody asked for", dataXML("", method(AES128CBC, ""), inside(rsaKey), data, ""), ErrAlgorithm},
		{"a key by rsa-1_5", dataXML("", gcm, inside(rsaKeyXML(method(nsXenc+"rsa-1_5", ""), "", goodData, "")), data, ""), ErrAlgorithm},
		{"octets elsewhere", dataXML("", gcm, inside(rsaKey), `<x:CipherData><x:CipherReference URI="http://elsewhere/"/></x:CipherData>`, ""), ErrStructure},
		{"too short for a tag", dataXML("", gcm, inside(rsaKey), goodData, ""), ErrDecrypt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := find(parse(t, []byte(tt.src)).Node(), "EncryptedData")
			if _, err := DecryptElement(n, key, DecryptOptions{}); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	n := parse(t, []byte(dataXML("", method(AES128CBC, ""), inside(rsaKey+rsaKey), data, ""))).Root()
	if _, err := DecryptElement(n, key, DecryptOptions{AllowCBC: true}); !errors.Is(err, ErrStructure) {
		t.Errorf("two keys for CBC: %v", err)
	}
}

// TestOneTextForEveryBadKey: what an attacker can vary must not show in the words.
func TestOneTextForEveryBadKey(t *testing.T) {
	t.Parallel()
	key := testKey(t, pki.RSA2048)
	w := dom.NewWriter(nil)
	if err := WriteEncryptedElement(w, []byte("<a/>"), EncryptOptions{Transport: TransportRSAOAEP256, To: key.Public()}); err != nil {
		t.Fatal(err)
	}
	src := string(w.Bytes())
	first := strings.Index(src, "<xenc:CipherValue>") + len("<xenc:CipherValue>")
	last := strings.LastIndex(src, "<xenc:CipherValue>") + len("<xenc:CipherValue>")
	texts := map[string]bool{}
	for _, at := range []int{first + 4, first + 100, last, last + 20} {
		c := byte('A')
		if src[at] == 'A' {
			c = 'B'
		}
		bad := src[:at] + string(c) + src[at+1:]
		_, err := DecryptElement(parse(t, []byte(bad)).Root(), key, DecryptOptions{})
		if !errors.Is(err, ErrDecrypt) {
			t.Fatalf("octet %d: %v", at, err)
		}
		texts[err.Error()] = true
	}
	if len(texts) != 1 {
		t.Errorf("texts differ: %v", fmt.Sprint(texts))
	}
}
