package xmlenc

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func TestElementsThereAndBack(t *testing.T) {
	t.Parallel()
	octets := []byte(`<a:secret xmlns:a="urn:a">text</a:secret>`)
	for _, algorithm := range []string{"", AES128GCM, AES192GCM, AES256GCM} {
		for _, tt := range transports {
			key := testKey(t, tt.key)
			w := dom.NewWriter(nil)
			w.Start("r")
			err := WriteEncryptedElement(w, octets, EncryptOptions{ID: "ED-1", Type: TypeElement, Algorithm: algorithm, Transport: tt.t, To: key.Public()})
			if err != nil {
				t.Fatal(err)
			}
			w.End()
			if bytes.Contains(w.Bytes(), []byte("secret")) {
				t.Fatal("written in the clear")
			}
			n := find(parse(t, w.Bytes()).Node(), "EncryptedData")
			got, err := DecryptElement(n, key, DecryptOptions{})
			if err != nil || !bytes.Equal(got, octets) {
				t.Errorf("%s %s: %q, %v", tt.name, algorithm, got, err)
			}
		}
	}
}

func TestWriteEncryptedElementRefuses(t *testing.T) {
	t.Parallel()
	key := testKey(t, pki.RSA2048)
	for name, opt := range map[string]EncryptOptions{
		"CBC":              {Algorithm: AES128CBC, Transport: TransportRSAOAEP256, To: key.Public()},
		"no transport":     {To: key.Public()},
		"no recipient":     {Transport: TransportRSAOAEP256},
		"a foreign cipher": {Algorithm: "urn:rot13", Transport: TransportRSAOAEP256, To: key.Public()},
	} {
		w := dom.NewWriter(nil)
		if err := WriteEncryptedElement(w, nil, opt); !errors.Is(err, ErrAlgorithm) || w.Len() != 0 {
			t.Errorf("%s: %v, wrote %d octets", name, err, w.Len())
		}
	}
	short := EncryptOptions{Transport: TransportRSAOAEP256, To: key.Public(), Rand: bytes.NewReader(make([]byte, 10))}
	if err := WriteEncryptedElement(dom.NewWriter(nil), nil, short); err == nil {
		t.Error("a source of randomness that ended was enough")
	}
}

func TestKeysInsideBesideAndRetrieved(t *testing.T) {
	t.Parallel()
	key, other := testKey(t, pki.RSA2048), testKey(t, pki.P256)
	session, octets := noise(32, 40), []byte("<a/>")
	sealed, err := SealGCM(nil, session, [12]byte{1}, octets)
	if err != nil {
		t.Fatal(err)
	}
	mine := string(writeKey(t, TransportRSAOAEP256, key.Public(), session, EncryptedKeyOptions{ID: "mine"}))
	theirs := string(writeKey(t, TransportECDHHKDF, other.Public(), session, EncryptedKeyOptions{ID: "theirs"}))
	refused := rsaKeyXML(method(nsXenc+"rsa-1_5", ""), "", goodData, "")
	ed := func(info string) string {
		var keyInfo func(*dom.Writer)
		if info != "" {
			keyInfo = func(w *dom.Writer) { w.Raw([]byte(info)) }
		}
		w := dom.NewWriter(nil)
		WriteEncryptedData(w, EncryptedData{Algorithm: AES256GCM, CipherValue: sealed}, keyInfo)
		return string(w.Bytes())
	}
	for name, src := range map[string]string{
		"inside":                             ed(mine),
		"inside, behind another recipient's": ed(theirs + mine),
		"inside, behind one that is refused": ed(refused + mine),
		"beside":                             `<r>` + ed("") + theirs + mine + `</r>`,
		"beside, with a name in KeyInfo":     `<r>` + mine + ed(`<ds:KeyName>k</ds:KeyName>`) + `</r>`,
		"retrieved":                          `<r>` + ed(`<ds:RetrievalMethod Type="`+nsXenc+`EncryptedKey" URI="#mine"/>`) + `<q>` + theirs + mine + `</q></r>`,
	} {
		n := find(parse(t, []byte(src)).Node(), "EncryptedData")
		got, err := DecryptElement(n, key, DecryptOptions{})
		if err != nil || !bytes.Equal(got, octets) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestCBCOnlyWhereAskedFor(t *testing.T) {
	t.Parallel()
	key := testKey(t, pki.RSA2048)
	session := noise(16, 41)
	text := append([]byte("old material"), 9, 9, 9, 4)
	sealed := sealCBC(t, session, text)
	w := dom.NewWriter(nil)
	WriteEncryptedData(w, EncryptedData{Algorithm: AES128CBC, CipherValue: sealed}, func(w *dom.Writer) {
		w.Raw(writeKey(t, TransportRSAOAEP256, key.Public(), session, EncryptedKeyOptions{}))
	})
	n := parse(t, w.Bytes()).Root()
	if _, err := DecryptElement(n, key, DecryptOptions{}); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("by default: %v", err)
	}
	got, err := DecryptElement(n, key, DecryptOptions{AllowCBC: true})
	if err != nil || string(got) != "old material" {
		t.Errorf("allowed: %q, %v", got, err)
	}
}

func TestEncryptedDataThereAndBack(t *testing.T) {
	t.Parallel()
	for _, want := range []EncryptedData{
		{ID: "ED-1", Type: "http://docs.oasis-open.org/wss/oasis-wss-SwAProfile-1.1#Attachment-Content-Only", MimeType: "application/gzip", Algorithm: AES128GCM,
			CipherReference: "cid:part-1@example", Transforms: []string{"http://docs.oasis-open.org/wss/oasis-wss-SwAProfile-1.1#Attachment-Ciphertext-Transform"}},
		{Algorithm: AES256GCM, CipherValue: noise(1000, 42)},
		{CipherValue: []byte{}},
	} {
		w := dom.NewWriter(nil)
		WriteEncryptedData(w, want, func(w *dom.Writer) { w.Element("ds:KeyName", "k") })
		got, err := ParseEncryptedData(parse(t, w.Bytes()).Root())
		if err != nil {
			t.Fatal(err)
		}
		if got.KeyInfo.Child(nsDS, "KeyName").Text() != "k" {
			t.Error("KeyInfo is lost")
		}
		if diff := cmp.Diff(&want, got, cmpopts.IgnoreFields(EncryptedData{}, "Node", "KeyInfo")); diff != "" {
			t.Error(diff)
		}
	}
}

func TestEncryptedDataIsWrittenInOrder(t *testing.T) {
	t.Parallel()
	w := dom.NewWriter(nil)
	WriteEncryptedData(w, EncryptedData{ID: "ED-1", Type: "urn:t", MimeType: "a/b", Algorithm: AES128GCM, CipherReference: "cid:x", Transforms: []string{"urn:c"}},
		func(w *dom.Writer) { w.Element("ds:KeyName", "k") })
	const want = `<xenc:EncryptedData xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Id="ED-1" MimeType="a/b" Type="urn:t">` +
		`<xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes128-gcm"></xenc:EncryptionMethod><ds:KeyInfo><ds:KeyName>k</ds:KeyName></ds:KeyInfo>` +
		`<xenc:CipherData><xenc:CipherReference URI="cid:x"><xenc:Transforms><ds:Transform Algorithm="urn:c"></ds:Transform></xenc:Transforms></xenc:CipherReference></xenc:CipherData></xenc:EncryptedData>`
	if got := string(w.Bytes()); got != want {
		t.Error(cmp.Diff(want, got))
	}
}

func TestDecryptDataNeedsTheRightKeyLength(t *testing.T) {
	t.Parallel()
	ed := EncryptedData{Algorithm: AES128GCM, CipherValue: make([]byte, 40)}
	for _, n := range []int{0, 24, 32} {
		if _, err := ed.Decrypt(make([]byte, n), DecryptOptions{}); !errors.Is(err, ErrAlgorithm) {
			t.Errorf("%d octets: %v", n, err)
		}
	}
}

func TestValuesInOtherSpellings(t *testing.T) {
	t.Parallel()
	want := noise(300, 43)
	text := base64.StdEncoding.EncodeToString(want)
	for name, spelled := range map[string]string{
		"one line":           text,
		"lines of 76":        strings.Join([]string{text[:76], text[76:152], text[152:]}, "\r\n"),
		"indented":           "\n\t  " + text[:100] + " \n\t " + text[100:] + "\n",
		"character data":     "<![CDATA[" + text + "]]>",
		"broken by comments": text[:40] + "<!-- a -->" + text[40:],
		"a reference":        "&#" + "65;" + text[1:],
	} {
		n := parse(t, []byte("<v>"+spelled+"</v>")).Root()
		expect := want
		if name == "a reference" {
			expect, _ = base64.StdEncoding.DecodeString("A" + text[1:])
		}
		if got, err := value(n, maxValue); err != nil || !bytes.Equal(got, expect) {
			t.Errorf("%s: %d octets, %v", name, len(got), err)
		}
	}
}
