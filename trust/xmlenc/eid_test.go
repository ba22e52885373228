package xmlenc

import (
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// TestAssertionsOfTheEIDASNode: every way in which the reference node sends the key of an assertion.
func TestAssertionsOfTheEIDASNode(t *testing.T) {
	t.Parallel()
	ids, err := pki.LoadIdentities(corpus.Read(t, "eid", "node-encryption/keystore-test.p12"), "local-demo")
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, row := range corpus.Index(t, "eid") {
		if !strings.HasPrefix(row["file"], "node-encryption/") || !strings.HasPrefix(row["expected"], "decrypts") {
			continue
		}
		cases++
		t.Run(row["file"], func(t *testing.T) {
			t.Parallel()
			doc, err := dom.Parse(corpus.Read(t, "eid", row["file"]), dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			n := doc.Root().Child("urn:oasis:names:tc:SAML:2.0:assertion", "EncryptedAssertion").FirstElement()
			var opened []string
			for name, id := range ids {
				b, err := DecryptElement(n, id.Key, DecryptOptions{})
				if err != nil {
					continue
				}
				opened = append(opened, name)
				if !strings.Contains(string(b), "Assertion") || !strings.Contains(string(b), "AttributeStatement") {
					t.Errorf("what comes out is no assertion: %.60s", b)
				}
			}
			if len(opened) != 1 {
				t.Errorf("%d keys open it, one does", len(opened))
			}
		})
	}
	if cases < 5 {
		t.Errorf("only %d encrypted responses: is the corpus there?", cases)
	}
}
