package wss_test

import (
	"crypto/rand"
	"crypto/rsa"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// weakIdentity is a certificate for an RSA key of 1024 bits, which GenerateKey refuses to make.
func weakIdentity(ca *pki.Authority) *pki.Identity {
	k, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	key, err := pki.NewKey(k)
	if err != nil {
		panic(err)
	}
	id, err := ca.Issue(pki.Template{CommonName: "alice", Key: key})
	if err != nil {
		panic(err)
	}
	return id
}
