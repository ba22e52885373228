package xmldsig_test

import (
	"crypto"
	"crypto/ed25519"
	"fmt"

	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// A document is signed as a whole and verified with a key that the verifier knows, not with what KeyInfo proposes.
func ExampleVerify() {
	public, private, _ := ed25519.GenerateKey(nil)
	doc, _ := dom.Parse([]byte(`<order><amount>100</amount></order>`), dom.Limits{})
	signed, _ := xmldsig.SignEnveloped(private, doc, xmldsig.EnvelopedOptions{})

	doc, _ = dom.Parse(signed, dom.Limits{})
	result, err := xmldsig.Verify(doc.Root().Child(xmldsig.Namespace, "Signature"), xmldsig.VerifyOptions{
		Key: func(dom.Node, string) (crypto.PublicKey, error) { return public, nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	amount := doc.Root().Child("", "amount")
	fmt.Println(result.SignatureMethod == xmldsig.Ed25519, result.Covers(amount), amount.Text())
	// Output: true true 100
}
