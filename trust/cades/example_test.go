package cades_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

// A key that stays elsewhere signs in two steps; the signature then gets a time-stamp and is read again.
func Example() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ca, _ := pki.NewAuthority(rand.Reader, "CN=Example CA,C=EE", pki.P256, now, 10)
	clerk, _ := ca.Issue(pki.Template{Subject: "CN=Clerk,C=EE"})
	unit, _ := ca.Issue(pki.Template{Subject: "CN=Time,C=EE", ExtKeyUsage: []pki.OID{pki.EKUTimeStamping}})
	authority := &tsp.Responder{Identity: unit, Policy: "1.2.3.4", Clock: func() (time.Time, error) { return now, nil }}
	content := []byte("a decision")

	// first step: what is to be signed leaves for where the key is
	pending, err := cades.Prepare(cms.Bytes(content), cades.Parameters{Certificate: clerk.Certificate, Chain: clerk.Chain, SigningTime: now})
	if err != nil {
		fmt.Println(err)
		return
	}
	value, _ := clerk.Key.(crypto.Signer).Sign(rand.Reader, pending.Digest(), crypto.SHA256)

	// second step: the value comes back
	signer, err := pending.Complete(value)
	if err != nil {
		fmt.Println(err)
		return
	}
	message, _ := pending.Message(signer, nil) // detached
	if err := cades.Read(message)[0].Extend(context.Background(), cades.LevelT, cades.Extension{Stamper: authority}); err != nil {
		fmt.Println(err)
		return
	}
	var file bytes.Buffer
	message.WriteTo(&file)

	signatures, err := cades.Parse(file.Bytes())
	if err != nil {
		fmt.Println(err)
		return
	}
	s := signatures[0]
	facts := s.Verify(cms.Bytes(content))
	stamp := s.TimeStamps[0].Check(nil)
	fmt.Println(s.Level(), facts.Certificate.Subject, facts.Err(), stamp.Err(), s.TimeStamps[0].Token.Info.Time.Format(time.DateOnly))
	fmt.Println(s.Verify(cms.Bytes([]byte("another"))).Content != nil)
	// Output:
	// CAdES-BASELINE-T CN=Clerk,C=EE <nil> <nil> 2026-03-01
	// true
}
