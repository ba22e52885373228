package pki_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// token stands for the library of an HSM vendor: it names keys by handle and never shows them.
type token struct{ keys map[string]*ecdsa.PrivateKey }

func (t *token) sign(handle string, digest []byte) ([]byte, error) {
	return ecdsa.SignASN1(rand.Reader, t.keys[handle], digest)
}

// hsmKey is all that is needed to plug a device in: Public for everyone, and one method for each thing the
// device does. This one signs, so it has the method of [crypto.Signer]; a key for decryption has that of
// [crypto.Decrypter], one for agreement [pki.Agreer]. Nothing else in the program knows the device.
type hsmKey struct {
	token  *token
	handle string
	public crypto.PublicKey // read once from the device: it is asked often
}

func (k *hsmKey) Public() crypto.PublicKey { return k.public }

func (k *hsmKey) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return k.token.sign(k.handle, digest) // a device has its own source of randomness
}

// A key in an HSM, certified and used like one from a file.
func ExampleKey() {
	now := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	inside, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	device := &token{keys: map[string]*ecdsa.PrivateKey{"slot 1": inside}}
	key := &hsmKey{device, "slot 1", inside.Public()}

	ca, err := pki.NewAuthority(rand.Reader, "CN=Example CA,C=EE", pki.P256, now, 10)
	if err != nil {
		panic(err)
	}
	id, err := ca.Issue(pki.Template{CommonName: "node", Key: key})
	if err != nil {
		panic(err)
	}

	digest := sha256.Sum256([]byte("message"))
	signer := id.Key.(crypto.Signer)
	signature, err := signer.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	fmt.Println(ecdsa.VerifyASN1(id.Certificate.PublicKey.(*ecdsa.PublicKey), digest[:], signature))
	_, agrees := id.Key.(pki.Agreer)
	_, err = id.MarshalPEM()
	fmt.Println(agrees, err)
	// Output:
	// true
	// false pki: algorithm not supported: the key does not leave its place (*pki_test.hsmKey)
}

// Two networks trust different authorities for different things.
func ExampleVerifier() {
	now := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	accessPoints, err := pki.NewAuthority(nil, "CN=Access Point CA,C=EE", pki.P256, now, 10)
	if err != nil {
		panic(err)
	}
	peer, err := accessPoints.Issue(pki.Template{CommonName: "POP000001"})
	if err != nil {
		panic(err)
	}
	v := &pki.Verifier{
		Anchors: []pki.Anchor{{Certificate: accessPoints.Certificate, Purposes: []pki.Purpose{pki.PurposeAccessPoint}}},
		Clock:   func() time.Time { return now },
	}
	chain, err := v.Verify(peer.Certificate, nil, pki.PurposeAccessPoint)
	fmt.Println(len(chain), err)
	_, err = v.Verify(peer.Certificate, nil, pki.PurposeDocument)
	fmt.Println(err)
	// Output:
	// 2 <nil>
	// pki: anchor "CN=Access Point CA,C=EE" is for access-point, not for document
}
