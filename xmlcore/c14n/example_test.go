package c14n_test

import (
	"crypto/sha256"
	"fmt"

	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func ExampleMethod_Write() {
	d, err := dom.Parse([]byte(`<a xmlns="urn:a" xmlns:unused="urn:b"><b y='1' x="2"/></a>`), dom.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	m := c14n.Method{Algorithm: c14n.Exclusive10}
	b := d.Root().FirstElement()
	octets, err := c14n.Append(nil, m, b)
	fmt.Println(string(octets), err)

	h := sha256.New()
	err = m.Write(h, b) // the same octets, without a buffer for them
	fmt.Println(string(h.Sum(nil)) == string(sum(octets)), err)
	// Output:
	// <b xmlns="urn:a" x="2" y="1"></b> <nil>
	// true <nil>
}

func sum(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}
