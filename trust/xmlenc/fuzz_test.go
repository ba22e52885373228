package xmlenc

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var fuzzLimits = dom.Limits{Bytes: 1 << 16, Depth: 32}

// known errors are the only ones a stranger's element may cause.
func sentinel(err error) bool {
	return errors.Is(err, ErrStructure) || errors.Is(err, ErrAlgorithm) || errors.Is(err, ErrDecrypt)
}

func FuzzParseEncryptedKey(f *testing.F) {
	session := noise(16, 50)
	for _, tt := range transports {
		f.Add(writeKey(f, tt.t, testKey(f, tt.key).Public(), session, EncryptedKeyOptions{ID: "k", References: []string{"#d"}}))
	}
	f.Add([]byte(agreedKey(X25519, derKey(make([]byte, 32)), `<m:PRF Algorithm="`+HMACSHA256+`"/><m:KeyLength>16</m:KeyLength>`)))
	f.Add([]byte(rsaKeyXML(goodMethod, `<ds:KeyInfo><ds:KeyName>n</ds:KeyName></ds:KeyInfo>`, goodData, "")))
	x := testKey(f, pki.X25519)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := dom.Parse(b, fuzzLimits)
		if err != nil {
			return
		}
		k, err := ParseEncryptedKey(d.Root())
		if err != nil {
			if !sentinel(err) {
				t.Fatalf("no sentinel: %v", err)
			}
			return
		}
		if err := k.Transport.check(); err != nil {
			t.Fatalf("taken and not accepted: %v", err)
		}
		if k.Transport.Agreement == X25519 { // the cheap private operation; what fails must fail by the rule
			session, err := k.Decrypt(x, 16, nil)
			if err != nil && !sentinel(err) || err == nil && len(session) != 16 {
				t.Fatalf("%d octets, %v", len(session), err)
			}
		}
	})
}

func FuzzParseEncryptedData(f *testing.F) {
	key := testKey(f, pki.X25519)
	for _, typ := range []string{"", TypeElement} {
		w := dom.NewWriter(nil)
		if err := WriteEncryptedElement(w, []byte("<a/>"), EncryptOptions{ID: "e", Type: typ, Transport: TransportX25519, To: key.Public()}); err != nil {
			f.Fatal(err)
		}
		f.Add(w.Bytes())
	}
	w := dom.NewWriter(nil)
	WriteEncryptedData(w, EncryptedData{Algorithm: AES128GCM, CipherReference: "cid:a", Transforms: []string{"urn:t"}}, nil)
	f.Add(w.Bytes())
	f.Add([]byte(dataXML("", method(AES128CBC, "<x:KeySize>128</x:KeySize>"), "<ds:KeyInfo><ds:RetrievalMethod URI=\"#a\"/></ds:KeyInfo>", goodData, "")))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := dom.Parse(b, fuzzLimits)
		if err != nil {
			return
		}
		ed, err := ParseEncryptedData(d.Root())
		if err != nil {
			if !sentinel(err) {
				t.Fatalf("no sentinel: %v", err)
			}
			return
		}
		w := dom.NewWriter(nil)
		WriteEncryptedData(w, *ed, nil)
		again, err := dom.Parse(w.Bytes(), dom.Limits{})
		if err != nil {
			t.Fatalf("%v\n%s", err, w.Bytes())
		}
		back, err := ParseEncryptedData(again.Root())
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, w.Bytes())
		}
		if back.ID != ed.ID || back.Type != ed.Type || back.MimeType != ed.MimeType || back.Algorithm != ed.Algorithm ||
			back.CipherReference != ed.CipherReference || !cmp.Equal(back.Transforms, ed.Transforms) || !bytes.Equal(back.CipherValue, ed.CipherValue) {
			t.Fatalf("%+v\nbecame %+v", ed, back)
		}
		if _, err := DecryptElement(d.Root(), key, DecryptOptions{AllowCBC: true}); err != nil && !sentinel(err) {
			t.Fatalf("no sentinel: %v", err)
		}
	})
}
