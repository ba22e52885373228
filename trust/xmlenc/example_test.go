package xmlenc_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// A message part is encrypted as a stream; its key travels in the header.
func Example() {
	recipient, err := pki.GenerateKey(rand.Reader, pki.X25519)
	if err != nil {
		panic(err)
	}

	// The sender.
	var fresh [16 + 12]byte
	rand.Read(fresh[:])
	session, iv := fresh[:16], [12]byte(fresh[16:])
	header := dom.NewWriter(nil)
	err = xmlenc.WriteEncryptedKey(header, xmlenc.TransportX25519, recipient.Public(), session, xmlenc.EncryptedKeyOptions{ID: "EK-1", References: []string{"#ED-1"}})
	if err != nil {
		panic(err)
	}
	var part bytes.Buffer
	w, err := xmlenc.NewGCMWriter(&part, session, iv)
	if err != nil {
		panic(err)
	}
	io.Copy(w, strings.NewReader("any number of octets"))
	if err := w.Close(); err != nil {
		panic(err)
	}

	// The receiver.
	doc, err := dom.Parse(header.Bytes(), dom.Limits{})
	if err != nil {
		panic(err)
	}
	key, err := xmlenc.ParseEncryptedKey(doc.Root())
	if err != nil {
		panic(err)
	}
	got, err := key.Decrypt(recipient, xmlenc.KeySize(xmlenc.AES128GCM), nil)
	if err != nil {
		panic(err)
	}
	r, err := xmlenc.NewGCMReader(&part, got)
	if err != nil {
		panic(err)
	}
	text, err := io.ReadAll(r) // released only now: no error means that the tag held
	fmt.Println(string(text), err)
	// Output: any number of octets <nil>
}
