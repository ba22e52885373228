package smp_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/edelivery/smp"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// A publisher signs what it stores, a server hands it out, and a client believes it for good reasons only.
func Example() {
	ctx, now := context.Background(), time.Now()
	ca, err := pki.NewAuthority(nil, "CN=SMP CA", pki.P256, now.Add(-time.Hour), 1)
	if err != nil {
		panic(err)
	}
	signer, err := ca.Issue(pki.Template{Subject: "CN=SMP 1", Algorithm: pki.RSA2048})
	if err != nil {
		panic(err)
	}
	receiver, err := ca.Issue(pki.Template{Subject: "CN=Access Point 1", Algorithm: pki.RSA2048})
	if err != nil {
		panic(err)
	}
	who := ids.Participant{Scheme: "example-party-id", Value: "water-board"}
	what := ids.DocumentType{Scheme: "busdox-docid-qns", Value: "urn:example:permit::Permit##urn:example:full::1.0"}

	p := &smp.Publisher{Registry: &smp.Memory{}, Identity: signer, PublicURL: "https://smp.example.com", Generations: []smp.Generation{smp.OASIS10}}
	if _, err := p.PutGroup(ctx, &smp.ServiceGroup{Participant: who}, false); err != nil {
		panic(err)
	}
	md := &smp.ServiceMetadata{Processes: []smp.Process{{
		Process:   ids.Process{Scheme: "example-process", Value: "permits"},
		Endpoints: []smp.Endpoint{{TransportProfile: "example-as4", URL: "https://ap.example.com/as4", Certificate: receiver.Certificate}},
	}}}
	if err := p.PutMetadata(ctx, who, what, md, false); err != nil {
		panic(err)
	}
	server := httptest.NewServer(&smp.Server{Registry: p.Registry, Generations: p.Generations})
	defer server.Close()

	c := &smp.Client{
		Trust: &pki.Verifier{Anchors: []pki.Anchor{{Certificate: ca.Certificate, Purposes: []pki.Purpose{pki.PurposeSMP}}}},
		// Only a demonstration may go to the loopback interface.
		Policy:         smp.Policy{Schemes: []string{"http"}, Ports: []uint16{0}, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
		EndpointPolicy: &smp.Policy{},
	}
	answer, err := c.Lookup(ctx, smp.Question{Base: server.URL, Participant: who, DocumentType: what, TransportProfiles: []string{"example-as4"}})
	if err != nil {
		panic(err)
	}
	for _, s := range answer.Steps {
		fmt.Println(s.Name, s.OK)
	}
	fmt.Println(answer.Endpoint.URL, "for", answer.Endpoint.Encryption().Subject)
	// Output:
	// metadata true
	// select true
	// address true
	// certificate true
	// https://ap.example.com/as4 for CN=Access Point 1
}
