package jades_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// A key that stays elsewhere signs in two steps; the signature then gets a time-stamp and is read again.
func Example() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ca, _ := pki.NewAuthority(rand.Reader, "CN=Example CA,C=EE", pki.P256, now, 10)
	clerk, _ := ca.Issue(pki.Template{Subject: "CN=Clerk,C=EE"})
	unit, _ := ca.Issue(pki.Template{Subject: "CN=Time,C=EE", ExtKeyUsage: []pki.OID{pki.EKUTimeStamping}})
	authority := &tsp.Responder{Identity: unit, Policy: "1.2.3.4", Clock: func() (time.Time, error) { return now, nil }}
	document := xades.Bytes("decision.json", "application/json", []byte(`{"granted":true}`))

	// first step: the hash leaves for where the key is
	pending, err := jades.Prepare([]xades.Document{document}, jades.Params{Signer: clerk.Certificate, Chain: clerk.Chain, Time: now})
	if err != nil {
		fmt.Println(err)
		return
	}
	sum, hash, _ := pending.Digest()
	value, _ := clerk.Key.(crypto.Signer).Sign(rand.Reader, sum, hash)

	// second step: the value comes back
	message, err := pending.Complete(value)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := message.Signatures[0].Extend(context.Background(), jades.LevelT, jades.Extension{Stamper: authority}); err != nil {
		fmt.Println(err)
		return
	}
	octets, _ := message.Bytes()

	again, _ := jades.Parse(octets)
	checked := again.Signatures[0].Check(jades.CheckOptions{})
	fmt.Println(checked.Signer.Subject.CommonName(), checked.Level(), checked.ValueErr)
	// Output: Clerk JAdES-BASELINE-T <nil>
}
